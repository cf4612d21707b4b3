"""What the page of an offer shows besides the offer: what its certification is worth, where it lies."""

from dataclasses import dataclass, field
from datetime import date

from django.utils.translation import gettext as _

from catalog import succession
from catalog.models import Certification, CertificationBlock, CertificationOutcome, Habilitation, Offer

# A certification of many organisations names some, and says how many more.
CERTIFIERS_SHOWN = 6
JOBS_SHOWN = 12
OUTCOME_YEARS = 5


@dataclass(frozen=True, slots=True)
class CertificationFacts:
    """What the registers say of the certification that an offer prepares for."""

    is_active: bool
    # Those that the offer prepares for: code, title ("" when the register does not know it).
    blocks: list[tuple[str, str]]
    certifiers: list[str]
    certifiers_left: int
    # The newest year first; None where the register says nothing.
    outcomes: list[CertificationOutcome]
    # Of one that is no longer registered: what replaces it, and is.
    replaced_by: list[Certification] = field(default_factory=list)


def certification_of(offer: Offer, *, on: date) -> CertificationFacts | None:
    """None: it prepares for none. Two queries; one more with blocks, some when the certification ended."""
    certification = offer.certification
    if certification is None:
        return None
    is_active = certification.is_active(on=on)
    certifiers = _certifiers(certification)
    return CertificationFacts(
        is_active=is_active,
        blocks=_blocks(offer),
        certifiers=certifiers[:CERTIFIERS_SHOWN],
        certifiers_left=max(0, len(certifiers) - CERTIFIERS_SHOWN),
        outcomes=list(
            CertificationOutcome.objects.filter(certification=certification).order_by("-year")[:OUTCOME_YEARS]
        ),
        replaced_by=[]
        if is_active
        else succession.successors_of([certification.pk], on=on)[certification.pk],
    )


def _blocks(offer: Offer) -> list[tuple[str, str]]:
    if not offer.block_codes:
        return []
    titles = dict(
        CertificationBlock.objects.filter(code__in=offer.block_codes)
        .order_by("code")
        .values_list("code", "title")
    )
    return [(code, titles.get(code, "")) for code in offer.block_codes]


def _certifiers(certification: Certification) -> list[str]:
    """Each name once: the registers give one a SIRET, and a certifier may have several."""
    found = Habilitation.objects.filter(
        certification=certification, role=Habilitation.Role.CERTIFIER, is_active=True
    ).exclude(name="")
    return list(dict.fromkeys(found.order_by("name", "pk").values_list("name", flat=True)))


def jobs_of(offer: Offer) -> list[str]:
    """Names of the trades that its certification leads to, as ROME says them."""
    return offer.certification.rome_labels[:JOBS_SHOWN] if offer.certification else []


def qualiopi_of(offer: Offer) -> list[str]:
    """What its organisation's Qualiopi certificate covers, in words; empty: none that we know."""
    provider = offer.provider
    covered = [
        (provider.qualiopi_training, _("actions de formation")),
        (provider.qualiopi_skills_review, _("bilans de compétences")),
        (provider.qualiopi_vae, _("VAE")),
        (provider.qualiopi_apprenticeship, _("apprentissage")),
    ]
    return [words for is_covered, words in covered if is_covered]

"""A few offers side by side: what sets them apart first, what is the same for all after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog import languages, levels, search
from catalog.models import Offer
from catalog.texts import plain
from rulebook import Rules
from ui import french

MOST = 4
TEXT_MAX = 160


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is compared: a text for each offer, in their order."""

    name: str
    cells: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.cells)) > 1


def found(ids: Sequence[UUID], *, on: date, rules: Rules) -> list[Offer]:
    """Those of these offers that are open, in the order asked, MOST at most. One query.

    Who may see one that is closed may not enrol in it either: it is not compared.
    """
    shown = Offer.objects.open_on(on, rules).filter(pk__in=ids)
    offers = shown.annotate(next_start=search.next_start(on, rules))
    offers = offers.select_related("provider__organisation", "certification")
    by_id = {offer.pk: offer for offer in offers.order_by("pk")}
    return [by_id[pk] for pk in dict.fromkeys(ids) if pk in by_id][:MOST]


def compare(offers: Sequence[Offer]) -> tuple[list[Line], list[Line]]:
    """(what differs, what is the same for all); both empty for no offer."""
    told = [_told(offer) for offer in offers]
    lines = [Line(name, tuple(each[name] for each in told)) for name in (told[0] if told else ())]
    return [line for line in lines if line.differs], [line for line in lines if not line.differs]


def _told(offer: Offer) -> dict[str, str]:
    """What people choose by, in the order in which they ask.

    Who gives it stands under its title; the price is said apart, with what they pay.
    """
    certification = offer.certification
    return {
        _("Ce qu’elle prépare"): (
            f"{certification.title} ({certification.code})"
            if certification
            else str(offer.get_kind_display())
        ),
        _("Niveau obtenu"): (
            _("Niveau %s") % certification.level
            if certification and certification.level
            else _("Sans niveau")
        ),
        _("Certification entière ou blocs"): (
            ngettext("%d bloc de compétences", "%d blocs de compétences", len(offer.block_codes))
            % len(offer.block_codes)
            if offer.block_codes
            else (_("Entière") if certification else "–")
        ),
        _("Modalité"): str(offer.get_mode_display()),
        _("Lieu"): offer.town_name or (_("À distance") if offer.mode == "distance" else _("Non précisé")),
        _("Premier début encore possible"): (
            french.day(offer.next_start) if offer.next_start else _("Aucune session pour le moment")
        ),
        _("Durée"): (
            ngettext("%d heure", "%d heures", offer.hours) % offer.hours if offer.hours else _("Non précisée")
        ),
        _("Prix d’une heure"): french.euros(round(offer.price_cents / offer.hours)) if offer.hours else "–",
        _("Rythme"): (
            french.listed([str(Offer.Rhythm(rhythm).label) for rhythm in offer.rhythms]) or _("Non précisé")
        ),
        _("Langue de la formation"): languages.listed(offer.languages) or _("Non précisée"),
        _("Niveau demandé à l’entrée"): levels.entry_level_words(offer.entry_level) or _("Non précisé"),
        _("Avis des stagiaires"): _reviewed(offer),
        _("Prérequis"): (
            _("Vérifiés par l’organisme")
            if offer.has_prerequisites
            else _short(offer.prerequisites) or _("Aucun")
        ),
        _("Admission"): _short(offer.admission) or _("Non précisée"),
        _("Accessibilité"): _short(offer.accessibility) or _("Non précisée"),
    }


def _reviewed(offer: Offer) -> str:
    """A mean of a few says nothing: then only how many there are (rulebook: `review_average_min`)."""
    if not offer.reviews_count:
        return _("Aucun avis pour le moment")
    count = ngettext("%d avis", "%d avis", offer.reviews_count) % offer.reviews_count
    if offer.rating_tenths is None:
        return _("%(count)s : trop peu pour une moyenne") % {"count": count}
    return _("%(rating)s sur 5 (%(count)s)") % {"rating": french.tenths(offer.rating_tenths), "count": count}


def _short(text: str) -> str:
    text = " ".join(plain(text).split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"

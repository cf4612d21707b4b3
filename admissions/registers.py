"""What our registers say beside a request: to who fills it, and to who decides. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from accounts.models import Membership
from admissions.models import JoinRequest
from admissions.states import FINAL_STATES, State
from catalog import eligibility, reports
from catalog.models import Certification, Habilitation, Offer, Provider
from rulebook import Rules
from ui import french


@dataclass(frozen=True, slots=True)
class Finding:
    """One certification asked for. `is_open`: this SIRET could publish an offer today; `reasons`: why not."""

    code: str
    title: str
    until: date | None
    reasons: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that does not stop the request, about one of its fields."""

    field: str
    sentence: str


def has_people(siret: str) -> bool:
    """Somebody already acts for the organisation of this SIRET. One that an import brought has nobody."""
    return Membership.objects.filter(organisation__siret=siret, user__is_active=True).exists()


def public_record(siret: str) -> Provider | None:
    """What the list of organisations, or a catalogue, says of this SIRET."""
    return Provider.objects.select_related("organisation").filter(organisation__siret=siret).first()


def holder_of_number(activity_number: str, *, siret: str) -> Provider | None:
    """Another legal body that has this activity number. Establishments of one body share theirs (SIREN)."""
    if not activity_number:
        return None
    others = Provider.objects.filter(activity_number=activity_number).select_related("organisation")
    return others.exclude(organisation__siret__startswith=siret[:9]).order_by("pk").first()


def findings(codes: Iterable[str], *, siret: str, on: date, rules: Rules) -> list[Finding]:
    """Each certification, active or not, open to this SIRET or not. Two queries, however many."""
    codes = list(codes)
    known = Certification.objects.in_bulk(codes)
    entitlements: dict[str, list[eligibility.EntitlementFacts]] = {}
    for row in Habilitation.objects.filter(certification__in=codes, siret=siret).order_by("pk"):
        entitlements.setdefault(row.certification_id, []).append(
            eligibility.EntitlementFacts(role=row.role, is_active=row.is_active, active_from=row.active_from)
        )
    return [
        _finding(code, known.get(code), tuple(entitlements.get(code, ())), on=on, rules=rules)
        for code in codes
    ]


def _finding(
    code: str,
    certification: Certification | None,
    entitlements: tuple[eligibility.EntitlementFacts, ...],
    *,
    on: date,
    rules: Rules,
) -> Finding:
    if certification is None:
        return Finding(code, "", None, (_("Ce code n’est pas dans les répertoires. Vérifiez-le."),))
    facts = eligibility.OfferFacts(
        kind=Offer.Kind.CERTIFYING,
        # The certificate is asked on another page; here, the certification alone is judged.
        qualiopi=frozenset(rules.qualiopi_kind_by_action.values()),
        certification=eligibility.CertificationFacts(
            code=code,
            withdrawn=certification.withdrawn,
            effective_on=certification.effective_on,
            registered_until=certification.registered_until,
        ),
        entitlements=entitlements,
    )
    reasons = tuple(str(reason) for reason in eligibility.refusals(facts, on=on, rules=rules))
    return Finding(code, certification.title, certification.registered_until, reasons)


def remarks(asked: JoinRequest, *, on: date, rules: Rules) -> list[Remark]:
    """What is worth a second look, for both sides. Nothing here refuses."""
    found = []
    record = public_record(asked.siret)
    if asked.activity_number:
        if holder_of_number(asked.activity_number, siret=asked.siret):
            found.append(
                Remark("activity_number", _("Ce numéro est déjà celui d’un autre organisme de ce portail."))
            )
        elif record and record.activity_number and record.activity_number != asked.activity_number:
            found.append(
                Remark(
                    "activity_number",
                    _("La liste publique des organismes donne un autre numéro pour ce SIRET."),
                )
            )
    due_on = reports.last_due(on, rules=rules)
    if asked.last_report_on and asked.last_report_on.year < due_on.year:
        found.append(
            Remark(
                "last_report_on",
                _("Un bilan était dû le %(day)s au plus tard : celui-ci n’est pas le dernier attendu.")
                % {"day": french.short_day(due_on)},
            )
        )
    if record and asked.activity_number:
        for kind in sorted(asked.qualiopi_kinds):
            if not getattr(record, f"qualiopi_{kind}"):
                label = JoinRequest._meta.get_field(f"qualiopi_{kind}").verbose_name
                found.append(
                    Remark(
                        f"qualiopi_{kind}",
                        _("La liste publique ne donne pas cette catégorie à ce SIRET : %(kind)s.")
                        % {"kind": label},
                    )
                )
    if asked.certified_until and asked.certified_until < on:
        found.append(
            Remark(
                "certified_until",
                _("Ce certificat a pris fin le %(day)s.") % {"day": french.short_day(asked.certified_until)},
            )
        )
    opened = findings(asked.certification_codes, siret=asked.siret, on=on, rules=rules)
    if opened and not any(each.is_open for each in opened):
        found.append(
            Remark(
                "certification_codes",
                _("Aucune de ces certifications n’est ouverte à ce SIRET aujourd’hui."),
            )
        )
    return found


def others_for(asked: JoinRequest) -> list[JoinRequest]:
    """Other requests for the same SIRET that somebody sent and that still wait: for the administration."""
    same = JoinRequest.objects.filter(siret=asked.siret).exclude(state__in=[*FINAL_STATES, State.DRAFT])
    return list(same.exclude(pk=asked.pk).select_related("author").order_by("sent_at", "pk"))

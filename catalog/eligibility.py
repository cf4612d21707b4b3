"""Why an offer is not open on a day, in words. Pure: facts and rules in, reasons out.

`OfferQuerySet.open_on` says the same in SQL; tests/catalog/test_eligibility.py compares the two.

An offer is open when its organisation shows it, is not suspended, has declared its activity (art. L. 6351-1)
and given its yearly reports (art. L. 6351-6), holds the Qualiopi certificate for that kind of action (Code du
travail, art. L. 6316-1), and either
- it prepares for a certification that is active that day (art. L. 6323-6, I) and this very SIRET is
  its certifier or an active partner in a role that may train; or
- it is of a kind that carries a portal code instead of a register number (art. L. 6323-6, II).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from django.utils.translation import gettext as _

from catalog.models import Certification, Habilitation, Offer, Provider
from rulebook import Rules
from ui import french, prepared


class Code(StrEnum):
    DRAFT = "draft"
    HIDDEN = "hidden"
    ARCHIVED = "archived"
    WITHHELD = "withheld"
    PROVIDER_SUSPENDED = "provider_suspended"
    ACTIVITY_UNDECLARED = "activity_undeclared"
    ACTIVITY_LAPSED = "activity_lapsed"
    QUALIOPI_MISSING = "qualiopi_missing"
    CERTIFICATION_MISSING = "certification_missing"
    CERTIFICATION_WITHDRAWN = "certification_withdrawn"
    CERTIFICATION_UNDATED = "certification_undated"
    CERTIFICATION_NOT_STARTED = "certification_not_started"
    CERTIFICATION_ENDED = "certification_ended"
    NOT_ENTITLED = "not_entitled"
    ENTITLEMENT_INACTIVE = "entitlement_inactive"
    ENTITLEMENT_NOT_STARTED = "entitlement_not_started"
    ROLE_CANNOT_TRAIN = "role_cannot_train"
    PORTAL_CODE_UNKNOWN = "portal_code_unknown"
    PORTAL_CODE_OF_ANOTHER_KIND = "portal_code_of_another_kind"
    SCHOOL_NOT_APPROVED = "school_not_approved"
    LICENCE_EXCLUDED = "licence_excluded"


# Its organisation's own choice: nobody needs to be told why.
OWN_CHOICES = frozenset({Code.DRAFT, Code.HIDDEN, Code.ARCHIVED})
# What no field of an offer puts right: the organisation as a whole does, or the administration.
OF_THE_ORGANISATION = frozenset(
    {
        Code.WITHHELD,
        Code.PROVIDER_SUSPENDED,
        Code.ACTIVITY_UNDECLARED,
        Code.ACTIVITY_LAPSED,
        Code.QUALIOPI_MISSING,
    }
)
# The reasons that a register's news can bring: a waiting request is closed for them (docs/decisions.md, 15).
CERTIFICATION_CODES = frozenset(
    {
        Code.CERTIFICATION_MISSING,
        Code.CERTIFICATION_WITHDRAWN,
        Code.CERTIFICATION_UNDATED,
        Code.CERTIFICATION_NOT_STARTED,
        Code.CERTIFICATION_ENDED,
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` for programs, `sentence` for people, in French."""

    code: Code
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationFacts:
    """What the register says. `effective_on` None: since always; `registered_until` None: never dated."""

    code: str
    withdrawn: bool = False
    effective_on: date | None = None
    registered_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementFacts:
    """One role of the offer's own SIRET on the offer's certification. `active_from` None: since always."""

    role: str
    is_active: bool
    active_from: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """All that decides. `qualiopi`: the kinds of Qualiopi certificate that the organisation holds."""

    kind: str
    portal_code: str = ""
    licence_category: str = ""
    is_published: bool = True
    is_draft: bool = False
    is_archived: bool = False
    withheld_for: str = ""
    is_provider_active: bool = True
    has_activity_number: bool = True
    activity_lapsed_on: date | None = None
    activity_lapse: str = ""
    is_approved_driving_school: bool = False
    qualiopi: frozenset[str] = frozenset()
    certification: CertificationFacts | None = None
    entitlements: tuple[EntitlementFacts, ...] = ()


def refusals(facts: OfferFacts, *, on: date, rules: Rules) -> list[Reason]:
    """Every reason why the offer is not open on that day; empty when it is open."""
    reasons = []
    if facts.is_draft:
        reasons.append(Reason(Code.DRAFT, _("L’organisme n’a pas fini d’écrire cette offre.")))
    elif facts.withheld_for:
        words = {"why": facts.withheld_for}
        reasons.append(
            Reason(Code.WITHHELD, _("L’administration du portail retient cette offre : %(why)s") % words)
        )
    elif facts.is_archived:
        reasons.append(Reason(Code.ARCHIVED, _("L’organisme a archivé cette offre.")))
    elif not facts.is_published:
        reasons.append(Reason(Code.HIDDEN, _("L’organisme a masqué cette offre.")))
    if not facts.is_provider_active:
        reasons.append(
            Reason(
                Code.PROVIDER_SUSPENDED, _("L’organisme est suspendu : ses offres ne sont plus proposées.")
            )
        )
    reasons += _activity_refusals(facts, on=on, rules=rules)
    needed = rules.qualiopi_kind_by_action.get(facts.kind)
    if needed and needed not in facts.qualiopi:
        reasons.append(
            Reason(
                Code.QUALIOPI_MISSING,
                _("L’organisme n’est pas certifié Qualiopi pour %(what)s.")
                % {"what": _qualiopi_words(needed)},
            )
        )
    if facts.kind == Offer.Kind.CERTIFYING:
        reasons += _certification_refusals(facts.certification, on=on)
        if facts.certification:
            reasons += _entitlement_refusals(facts.certification.code, facts.entitlements, on=on, rules=rules)
    else:
        reasons += _portal_code_refusals(facts, rules=rules)
    return reasons


def _activity_refusals(facts: OfferFacts, *, on: date, rules: Rules) -> list[Reason]:
    if facts.activity_lapsed_on and facts.activity_lapsed_on <= on:
        words = {
            Provider.Lapse.REPORT_MISSING: _(
                "La déclaration d’activité de l’organisme est caduque depuis le %(day)s : son bilan"
                " pédagogique et financier n’a pas été transmis."
            ),
            Provider.Lapse.REPORT_EMPTY: _(
                "La déclaration d’activité de l’organisme est caduque depuis le %(day)s : son bilan"
                " pédagogique et financier ne montre aucune formation."
            ),
            Provider.Lapse.WITHDRAWN: _(
                "La déclaration d’activité de l’organisme est annulée depuis le %(day)s."
            ),
        }[Provider.Lapse(facts.activity_lapse)]
        day = french.short_day(facts.activity_lapsed_on)
        return [Reason(Code.ACTIVITY_LAPSED, words % {"day": day})]
    if rules.activity_number_required and not facts.has_activity_number:
        return [
            Reason(
                Code.ACTIVITY_UNDECLARED,
                _("Le numéro de déclaration d’activité de l’organisme n’est pas connu du portail."),
            )
        ]
    return []


def certification_refusals(
    certification: Certification, entitlements: tuple[EntitlementFacts, ...], *, on: date, rules: Rules
) -> list[Reason]:
    """Why an organisation with these roles could not prepare for this certification on that day."""
    return [
        *_certification_refusals(_certification_facts(certification), on=on),
        *_entitlement_refusals(certification.code, entitlements, on=on, rules=rules),
    ]


def _certification_refusals(certification: CertificationFacts | None, *, on: date) -> list[Reason]:
    if certification is None:
        return [
            Reason(
                Code.CERTIFICATION_MISSING,
                _("L’offre n’indique pas la certification du répertoire national qu’elle prépare."),
            )
        ]
    words = {"code": certification.code}
    if certification.withdrawn:
        return [
            Reason(
                Code.CERTIFICATION_WITHDRAWN,
                _("La certification %(code)s a été retirée du répertoire national.") % words,
            )
        ]
    if certification.registered_until is None:
        return [
            Reason(
                Code.CERTIFICATION_UNDATED,
                _("La certification %(code)s n’a pas de date de fin au répertoire : elle n’est pas active.")
                % words,
            )
        ]
    if certification.registered_until < on:
        return [
            Reason(
                Code.CERTIFICATION_ENDED,
                _("La certification %(code)s n’est plus active : son enregistrement a pris fin le %(day)s.")
                % {**words, "day": french.short_day(certification.registered_until)},
            )
        ]
    if certification.effective_on and certification.effective_on > on:
        return [
            Reason(
                Code.CERTIFICATION_NOT_STARTED,
                _("La certification %(code)s ne prendra effet que le %(day)s.")
                % {**words, "day": french.short_day(certification.effective_on)},
            )
        ]
    return []


def _entitlement_refusals(
    code: str, entitlements: tuple[EntitlementFacts, ...], *, on: date, rules: Rules
) -> list[Reason]:
    """None when one role entitles; else the one reason that comes nearest to an entitlement."""
    words = {"code": code}
    if not entitlements:
        return [
            Reason(
                Code.NOT_ENTITLED,
                _(
                    "L’organisme n’est pas habilité pour la certification %(code)s : son SIRET ne figure"
                    " ni parmi les certificateurs ni parmi les partenaires."
                )
                % words,
            )
        ]
    training = [
        e for e in entitlements if e.role == Habilitation.Role.CERTIFIER or e.role in rules.training_roles
    ]
    if not training:
        return [
            Reason(
                Code.ROLE_CANNOT_TRAIN,
                _("L’organisme peut organiser l’évaluation de la certification %(code)s, mais pas y former.")
                % words,
            )
        ]
    active = [e for e in training if e.is_active]
    if not active:
        return [
            Reason(
                Code.ENTITLEMENT_INACTIVE,
                _("L’habilitation de l’organisme pour la certification %(code)s n’est plus active.") % words,
            )
        ]
    starts = [e.active_from for e in active]
    if any(start is None or start <= on for start in starts):
        return []
    return [
        Reason(
            Code.ENTITLEMENT_NOT_STARTED,
            _("L’habilitation de l’organisme pour la certification %(code)s ne commence que le %(day)s.")
            % {**words, "day": french.short_day(min(start for start in starts if start))},
        )
    ]


def _portal_code_refusals(facts: OfferFacts, *, rules: Rules) -> list[Reason]:
    reasons = []
    kind_of_code = rules.portal_code_kinds.get(facts.portal_code)
    if kind_of_code is None:
        reasons.append(
            Reason(
                Code.PORTAL_CODE_UNKNOWN,
                _("Le code « %(code)s » n’est pas un code d’action du portail.")
                % {"code": facts.portal_code},
            )
        )
    elif kind_of_code != facts.kind:
        reasons.append(
            Reason(
                Code.PORTAL_CODE_OF_ANOTHER_KIND,
                _("Le code « %(code)s » désigne une autre nature d’action.") % {"code": facts.portal_code},
            )
        )
    if facts.kind in rules.approved_school_kinds:
        if not facts.is_approved_driving_school:
            reasons.append(
                Reason(
                    Code.SCHOOL_NOT_APPROVED,
                    _("Seule une école de conduite agréée peut proposer un permis de conduire."),
                )
            )
        if facts.licence_category in rules.licence_excluded_categories:
            reasons.append(
                Reason(
                    Code.LICENCE_EXCLUDED,
                    _("Le permis %(category)s ne peut pas être financé par les droits à la formation.")
                    % {"category": facts.licence_category},
                )
            )
    return reasons


def _qualiopi_words(kind: str) -> str:
    return {
        "training": _("les actions de formation"),
        "skills_review": _("les bilans de compétences"),
        "vae": _("la validation des acquis (VAE)"),
        "apprenticeship": _("l’apprentissage"),
    }[kind]


def facts_of(offer: Offer) -> OfferFacts:
    """The facts of one offer, read now."""
    return facts_of_each([offer])[offer.pk]


def facts_of_each(offers: Iterable[Offer]) -> dict[UUID, OfferFacts]:
    """The facts of many offers, by key, with one query for all their entitlements.

    Offers come with `select_related("provider__organisation", "certification")`, or cost a query each.
    """
    offers = list(offers)
    entitlements = entitlements_of(
        {offer.certification_id for offer in offers if offer.certification_id},
        {offer.provider.organisation.siret for offer in offers},
    )
    return {
        offer.pk: OfferFacts(
            kind=offer.kind,
            portal_code=offer.portal_code,
            licence_category=offer.licence_category,
            is_published=offer.is_published,
            is_draft=offer.is_draft,
            is_archived=offer.archived_at is not None,
            withheld_for=offer.withheld_for,
            has_activity_number=bool(offer.provider.activity_number),
            activity_lapsed_on=offer.provider.activity_lapsed_on,
            activity_lapse=offer.provider.activity_lapse,
            is_provider_active=offer.provider.state == Provider.State.ACTIVE,
            is_approved_driving_school=offer.provider.is_approved_driving_school,
            qualiopi=_qualiopi_of(offer.provider),
            certification=_certification_facts(offer.certification),
            entitlements=entitlements.get(
                (offer.certification_id or "", offer.provider.organisation.siret), ()
            ),
        )
        for offer in offers
    }


def entitlements_of(
    codes: Collection[str], sirets: Collection[str]
) -> dict[tuple[str, str], tuple[EntitlementFacts, ...]]:
    """(certification, SIRET) → the roles of that SIRET on it, in one query."""
    found: dict[tuple[str, str], tuple[EntitlementFacts, ...]] = {}
    rows = prepared.rows(_ENTITLEMENTS, [list(codes), list(sirets)]) if codes else ()
    for code, siret, role, is_active, active_from in rows:
        facts = EntitlementFacts(role=role, is_active=is_active, active_from=active_from)
        found[code, siret] = (*found.get((code, siret), ()), facts)
    return found


_ENTITLEMENTS = """
    SELECT certification_id, siret, role, is_active, active_from FROM catalog_habilitation
    WHERE certification_id = ANY(%s) AND siret = ANY(%s) ORDER BY id"""


def _qualiopi_of(provider: Provider) -> frozenset[str]:
    held = {
        "training": provider.qualiopi_training,
        "skills_review": provider.qualiopi_skills_review,
        "vae": provider.qualiopi_vae,
        "apprenticeship": provider.qualiopi_apprenticeship,
    }
    return frozenset(kind for kind, is_held in held.items() if is_held)


def _certification_facts(certification: Certification | None) -> CertificationFacts | None:
    if certification is None:
        return None
    return CertificationFacts(
        code=certification.code,
        withdrawn=certification.withdrawn,
        effective_on=certification.effective_on,
        registered_until=certification.registered_until,
    )

"""What to put right, or to look at again, in an offer before people see it.

Nothing here writes, and nothing needs the offer to be saved: what somebody is typing is judged by the same
rules as what they publish.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.utils.translation import gettext as _

from catalog import eligibility
from catalog.eligibility import Code
from catalog.models import Offer, Session
from rulebook import Rules, workdays
from ui import french

# A price this many times above, or below, the middle one of the others is probably a slip.
FAR_TIMES = 2
# Fewer others say nothing of what is usual; more than that would not change the middle one.
OTHERS_MIN, OTHERS_MAX = 3, 500
# The national catalogue takes two actions for one when their hours differ by less.
NEAR_HOURS = 10


class Step(StrEnum):
    """The pages an offer is written on, in their order; the values are in their addresses."""

    PURPOSE = "objet"
    TEXTS = "textes"
    PLACE = "lieu"
    PRICE = "prix"
    SESSIONS = "sessions"


# Where a reason of the rules can be put right. Nowhere: the organisation itself must change.
STEP_OF_REASON = {
    Code.CERTIFICATION_MISSING: Step.PURPOSE,
    Code.CERTIFICATION_WITHDRAWN: Step.PURPOSE,
    Code.CERTIFICATION_UNDATED: Step.PURPOSE,
    Code.CERTIFICATION_NOT_STARTED: Step.PURPOSE,
    Code.CERTIFICATION_ENDED: Step.PURPOSE,
    Code.NOT_ENTITLED: Step.PURPOSE,
    Code.ENTITLEMENT_INACTIVE: Step.PURPOSE,
    Code.ENTITLEMENT_NOT_STARTED: Step.PURPOSE,
    Code.ROLE_CANNOT_TRAIN: Step.PURPOSE,
    Code.PORTAL_CODE_UNKNOWN: Step.PURPOSE,
    Code.PORTAL_CODE_OF_ANOTHER_KIND: Step.PURPOSE,
    Code.SCHOOL_NOT_APPROVED: Step.PURPOSE,
    Code.LICENCE_EXCLUDED: Step.TEXTS,
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence. `blocks`: the offer cannot be published so. `step`: the page where it is put right."""

    sentence: str
    blocks: bool
    step: Step | None = None
    field: str = ""


def review(offer: Offer, sessions: Sequence[Session], *, on: date, rules: Rules) -> list[Remark]:
    """Everything to say of the offer, what blocks first. At most three queries.

    `offer` comes with `provider__organisation` and `certification`; `sessions` are all of it.
    """
    remarks = [
        *missing(offer),
        *_without_session(offer, sessions),
        *_against_the_rules(offer, on=on, rules=rules),
    ]
    remarks += [
        *_incomplete(offer),
        *_price_remarks(offer, on=on, rules=rules),
        *_twin_remarks(offer),
        *_sessions_remarks(offer, sessions, on=on, rules=rules),
    ]
    return sorted(remarks, key=lambda remark: not remark.blocks)


def missing(offer: Offer) -> list[Remark]:
    """What nobody can decide without. No query."""
    wanted = [
        (not offer.title, _("Donnez un intitulé à la formation."), Step.TEXTS, "title"),
        (not offer.objectives, _("Dites à quoi la formation prépare."), Step.TEXTS, "objectives"),
        (not offer.mode, _("Choisissez comment la formation se suit."), Step.PLACE, "mode"),
        (
            offer.mode in {Offer.Mode.ON_SITE, Offer.Mode.MIXED} and not offer.town_name,
            _("Indiquez la commune où la formation a lieu."),
            Step.PLACE,
            "town",
        ),
        (not offer.hours, _("Indiquez la durée en heures."), Step.PLACE, "hours"),
        (not offer.price_cents, _("Indiquez le prix."), Step.PRICE, "price_cents"),
    ]
    return [
        Remark(sentence, blocks=offer.is_draft, step=step, field=field)
        for is_missing, sentence, step, field in wanted
        if is_missing
    ]


def _without_session(offer: Offer, sessions: Sequence[Session]) -> list[Remark]:
    if sessions:
        return []
    return [Remark(_("Ajoutez au moins une session."), blocks=offer.is_draft, step=Step.SESSIONS)]


def _against_the_rules(offer: Offer, *, on: date, rules: Rules) -> list[Remark]:
    reasons = eligibility.refusals(eligibility.facts_of(offer), on=on, rules=rules)
    return [
        Remark(reason.sentence, blocks=True, step=STEP_OF_REASON.get(reason.code))
        for reason in reasons
        if reason.code not in {Code.DRAFT, Code.HIDDEN}
    ]


def _incomplete(offer: Offer) -> list[Remark]:
    wanted = [
        (
            not offer.accessibility,
            _("Dites comment vous accueillez les personnes handicapées. C’est ce qu’on cherche d’abord."),
            Step.TEXTS,
            "accessibility",
        ),
        (not offer.content, _("Décrivez le contenu de la formation."), Step.TEXTS, "content"),
        (
            offer.has_prerequisites and not offer.prerequisites,
            _("Vous vérifiez des prérequis : dites lesquels."),
            Step.TEXTS,
            "prerequisites",
        ),
        (
            not (offer.contact_email or offer.contact_phone),
            _("Donnez une adresse e-mail ou un téléphone pour les questions."),
            Step.PRICE,
            "contact_email",
        ),
    ]
    return [
        Remark(sentence, blocks=False, step=step, field=field)
        for is_missing, sentence, step, field in wanted
        if is_missing
    ]


def _price_remarks(offer: Offer, *, on: date, rules: Rules) -> list[Remark]:
    """Compares with what the others ask for the same thing, offers that people can see only."""
    if not offer.price_cents:
        return []
    others = (
        Offer.objects.open_on(on, rules)
        .filter(
            kind=offer.kind,
            certification=offer.certification_id,
            portal_code=offer.portal_code,
            block_codes=offer.block_codes,
        )
        .exclude(provider=offer.provider_id)
        .order_by("pk")
    )
    prices = list(others.values_list("price_cents", flat=True)[:OTHERS_MAX])
    if len(prices) < OTHERS_MIN:
        return []
    middle = round(statistics.median(prices))
    if middle / FAR_TIMES <= offer.price_cents <= middle * FAR_TIMES:
        return []
    words = {
        "price": french.euros(offer.price_cents),
        "middle": french.euros(middle),
        "count": len(prices),
    }
    sentence = (
        _(
            "Vérifiez le prix : %(price)s. C’est plus du double du prix courant, %(middle)s,"
            " pour %(count)s offres semblables."
        )
        if offer.price_cents > middle
        else _(
            "Vérifiez le prix : %(price)s. C’est moins de la moitié du prix courant, %(middle)s,"
            " pour %(count)s offres semblables."
        )
    )
    return [Remark(sentence % words, blocks=False, step=Step.PRICE, field="price_cents")]


def _twin_remarks(offer: Offer) -> list[Remark]:
    """Another published offer of the same organisation that nobody could tell from this one."""
    if not offer.hours or not offer.mode:
        return []
    twins = Offer.objects.filter(
        provider=offer.provider_id,
        is_published=True,
        kind=offer.kind,
        certification=offer.certification_id,
        portal_code=offer.portal_code,
        block_codes=offer.block_codes,
        mode=offer.mode,
        town=offer.town_id,
        hours__gt=offer.hours - NEAR_HOURS,
        hours__lt=offer.hours + NEAR_HOURS,
    ).exclude(pk=offer.pk)
    twin = twins.order_by("title", "pk").values_list("title", "action_number").first()
    if twin is None:
        return []
    return [
        Remark(
            _(
                "Vous publiez déjà une offre presque pareille : « %(title)s »"
                " (action %(number)s). Ajoutez-lui plutôt une session."
            )
            % {"title": twin[0], "number": twin[1]},
            blocks=False,
            step=Step.PLACE,
            field="hours",
        )
    ]


def _sessions_remarks(offer: Offer, sessions: Sequence[Session], *, on: date, rules: Rules) -> list[Remark]:
    coming = [session for session in sessions if session.is_permanent or session.starts_on > on]
    if sessions and not any(session.earliest_start(on, rules) for session in sessions):
        return [
            Remark(
                _(
                    "Aucune session ne peut encore être demandée : elles sont passées, fermées ou trop"
                    " proches. Ajoutez une session qui commence à partir du %(day)s."
                )
                % {"day": french.day(workdays.earliest_start(on, rules.earliest_start_days))},
                blocks=False,
                step=Step.SESSIONS,
            ),
            *_after_the_certification(offer, coming),
        ]
    return _after_the_certification(offer, coming)


def _after_the_certification(offer: Offer, coming: Sequence[Session]) -> list[Remark]:
    return [remark for session in coming for remark in session_remarks(session, offer=offer)][:3]


def session_remarks(session: Session, *, offer: Offer) -> list[Remark]:
    """What to know of one session: its certification may end before it does."""
    ends = offer.certification.registered_until if offer.certification else None
    if ends is None or session.ends_on is None or session.ends_on <= ends:
        return []
    return [
        Remark(
            _(
                "La session du %(start)s finit après la certification, enregistrée jusqu’au %(end)s."
                " Vérifiez que l’examen aura lieu avant."
            )
            % {"start": french.short_day(session.starts_on), "end": french.short_day(ends)},
            blocks=False,
            step=Step.SESSIONS,
            field="ends_on",
        )
    ]


def start_remarks(session: Session, *, on: date, rules: Rules) -> list[Remark]:
    """A start that is too near for anyone to enrol: the law's business days must remain."""
    first = workdays.earliest_start(on, rules.earliest_start_days)
    if session.starts_on is None or session.starts_on >= first:
        return []
    return [
        Remark(
            _("Personne ne pourra plus s’inscrire : il faut commencer le %(day)s au plus tôt.")
            % {"day": french.day(first)},
            blocks=False,
            step=Step.SESSIONS,
            field="starts_on",
        )
    ]

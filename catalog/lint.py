"""What to put right, or to look at again, in an offer before people see it.

Nothing here writes, and nothing needs the offer to be saved: what somebody is typing is judged by the same
rules as what they publish.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Aggregate, Exists, FloatField, OuterRef, Q, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog import eligibility
from catalog.eligibility import Code, OfferFacts
from catalog.models import CertificationBlock, MarketPrice, Offer, Session
from rulebook import Rules, workdays
from ui import french

# A price this many times above, or below, the middle one of the others is probably a slip (docs/offers.md).
FAR_TIMES = 2
# Offers of the same thing compare while neither lasts more than so many times the other.
LONGER_TIMES = 2
# Fewer organisations say nothing of what is usual; more than that would not change the middle one.
OTHERS_MIN, OTHERS_MAX = 3, 500
TWINS_READ_MAX = 20
# What was asked elsewhere longer ago is no price of today.
MARKET_DAYS = 2 * 365
# « RNCP35809 », « RS n° 6604 », as texts cite them; a code of a block begins with that of its certification.
CITED = re.compile(r"\b(?:(RNCP)\s*(?:n°\s*)?(\d{3,5})|(RS)\s*(?:n°\s*)?(\d{4,5}))(?=BC\d|\b)", re.IGNORECASE)
TEXTS = ("title", "summary", "objectives", "content", "expected_results", "prerequisites", "admission")


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
# And in which field of that page; elsewhere, in the search for a certification.
FIELD_OF_REASON = {
    Code.PORTAL_CODE_UNKNOWN: "kind",
    Code.PORTAL_CODE_OF_ANOTHER_KIND: "kind",
    Code.SCHOOL_NOT_APPROVED: "kind",
    Code.LICENCE_EXCLUDED: "title",
}


class Lack(TextChoices):
    """What an offer can be shown without, and would be found or chosen for; the values are in addresses."""

    SESSION = "session", gettext_lazy("Aucune session à demander")
    ACCESSIBILITY = "accueil", gettext_lazy("Accueil des personnes handicapées")
    CONTENT = "contenu", gettext_lazy("Contenu de la formation")
    PREREQUISITES = "prerequis", gettext_lazy("Prérequis vérifiés, mais pas dits")
    RHYTHMS = "rythme", gettext_lazy("Quand on la suit")
    CONTACT = "contact", gettext_lazy("Adresse e-mail ou téléphone")


# The page and the field where each is told.
TOLD_IN = {
    Lack.SESSION: (Step.SESSIONS, ""),
    Lack.ACCESSIBILITY: (Step.TEXTS, "accessibility"),
    Lack.CONTENT: (Step.TEXTS, "content"),
    Lack.PREREQUISITES: (Step.TEXTS, "prerequisites"),
    Lack.RHYTHMS: (Step.PLACE, "rhythms"),
    Lack.CONTACT: (Step.PRICE, "contact_email"),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence. `blocks`: the offer cannot be published so.

    `step`, `field`: the page and the field where it is put right; `session`: that of one session; `code`: the
    reason of the rules it comes from, if it does.
    """

    sentence: str
    blocks: bool
    step: Step | None = None
    field: str = ""
    session: UUID | None = None
    code: Code | None = None


# Written offers of such a certification are taken over, not rewritten: people have dossiers on them.
TO_TAKE_OVER = frozenset({Code.CERTIFICATION_ENDED, Code.CERTIFICATION_WITHDRAWN})


def field_of(code: Code) -> str:
    """The field that puts a reason of the rules right; none where the organisation itself must change."""
    return FIELD_OF_REASON.get(code, "q" if code in STEP_OF_REASON else "")


def review(offer: Offer, sessions: Sequence[Session], *, on: date, rules: Rules) -> list[Remark]:
    """Everything to say of the offer, what blocks first. At most five queries.

    `offer` comes with `provider__organisation` and `certification`; `sessions` are all of it.
    """
    remarks = [
        *missing(offer),
        *_without_session(offer, sessions),
        *_against_the_rules(offer, eligibility.facts_of(offer), on=on, rules=rules),
    ]
    if not offer.is_draft and any(remark.code in TO_TAKE_OVER for remark in remarks):
        return remarks  # whatever else could be better, nobody will enrol: it is taken over, or put away
    remarks += [
        *_incomplete(offer),
        *_code_remarks(offer),
        *_price_remarks(offer, on=on, rules=rules),
        *_twin_remarks(offer, rules=rules),
        *_sessions_remarks(offer, sessions, on=on, rules=rules),
    ]
    return sorted(remarks, key=lambda remark: not remark.blocks)


def obstacles(
    offer: Offer, sessions: Sequence[Session], facts: OfferFacts, *, on: date, rules: Rules
) -> list[Remark]:
    """Of `review`, what stops the draft from being published. One query; one more if it has blocks."""
    remarks = [
        *missing(offer),
        *_without_session(offer, sessions),
        *_against_the_rules(offer, facts, on=on, rules=rules),
        *_foreign_blocks(offer),
        *_twin_remarks(offer, rules=rules),
        *(remark for session in _coming(sessions, on=on) for remark in session_remarks(session, offer=offer)),
    ]
    return [remark for remark in remarks if remark.blocks]


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


def _against_the_rules(offer: Offer, facts: OfferFacts, *, on: date, rules: Rules) -> list[Remark]:
    reasons = eligibility.refusals(facts, on=on, rules=rules)
    return [
        Remark(
            reason.sentence,
            blocks=True,
            step=STEP_OF_REASON.get(reason.code),
            field=field_of(reason.code),
            code=reason.code,
        )
        for reason in reasons
        if reason.code not in eligibility.OWN_CHOICES
    ]


def _incomplete(offer: Offer) -> list[Remark]:
    sentences = {
        Lack.ACCESSIBILITY: _(
            "Dites comment vous accueillez les personnes handicapées. C’est ce qu’on cherche d’abord."
        ),
        Lack.CONTENT: _("Décrivez le contenu de la formation."),
        Lack.PREREQUISITES: _("Vous vérifiez des prérequis : dites lesquels."),
        Lack.RHYTHMS: _(
            "Dites quand on suit la formation : le soir, le week-end… Beaucoup cherchent par là."
        ),
        Lack.CONTACT: _("Donnez une adresse e-mail ou un téléphone pour les questions."),
    }
    missing_here = {
        Lack.ACCESSIBILITY: not offer.accessibility,
        Lack.CONTENT: not offer.content,
        Lack.PREREQUISITES: offer.has_prerequisites and not offer.prerequisites,
        Lack.RHYTHMS: not offer.rhythms,
        Lack.CONTACT: not (offer.contact_email or offer.contact_phone),
    }
    return [
        Remark(sentence, blocks=False, step=TOLD_IN[lack][0], field=TOLD_IN[lack][1])
        for lack, sentence in sentences.items()
        if missing_here[lack]
    ]


def lacking(*, on: date, rules: Rules) -> dict[Lack, Q]:
    """What `review` says is missing, of many offers at once; nothing of those put away or over."""
    obtainable = Session.objects.filter(offer=OuterRef("pk")).obtainable(on, rules)
    over = Q(certification__withdrawn=True) | Q(certification__registered_until__lt=on)
    goes_on = Q(archived_at__isnull=True) & (Q(is_draft=True) | ~over)
    conditions = {
        Lack.SESSION: ~Exists(obtainable),
        Lack.ACCESSIBILITY: Q(accessibility=""),
        Lack.CONTENT: Q(content=""),
        Lack.PREREQUISITES: Q(has_prerequisites=True, prerequisites=""),
        Lack.RHYTHMS: Q(rhythms=[]),
        Lack.CONTACT: Q(contact_email="", contact_phone=""),
    }
    return {lack: condition & goes_on for lack, condition in conditions.items()}


def _foreign_blocks(offer: Offer) -> list[Remark]:
    if not offer.block_codes:
        return []
    own = CertificationBlock.objects.filter(certification=offer.certification_id)
    known = set(own.order_by("code").values_list("code", flat=True))
    return [
        Remark(
            _("Le bloc %(block)s n’est pas de la certification %(code)s. Choisissez parmi les siens.")
            % {"block": block, "code": offer.certification_id},
            blocks=offer.is_draft,
            step=Step.TEXTS,
            field="block_codes",
        )
        for block in offer.block_codes
        if block not in known
    ]


def _code_remarks(offer: Offer) -> list[Remark]:
    """Blocks of another certification, and texts that cite one: what is left of another offer's words."""
    if offer.kind != Offer.Kind.CERTIFYING or not offer.certification_id:
        return []
    remarks = _foreign_blocks(offer)
    if not offer.block_codes and offer.replaces_id and offer.replaces and offer.replaces.block_codes:
        remarks.append(
            Remark(
                _(
                    "L’offre d’avant préparait des blocs : choisissez ceux de %(code)s, ou vérifiez que vous"
                    " préparez toute la certification."
                )
                % {"code": offer.certification_id},
                blocks=False,
                step=Step.TEXTS,
                field="block_codes",
            )
        )
    for name in TEXTS:
        cited = {
            "".join(filter(None, found.groups())).upper() for found in CITED.finditer(getattr(offer, name))
        }
        if others := sorted(cited - {offer.certification_id}):
            remarks.append(
                Remark(
                    _("Le texte cite %(cited)s, mais l’offre prépare %(code)s. Vérifiez le numéro.")
                    % {"cited": ", ".join(others), "code": offer.certification_id},
                    blocks=False,
                    step=Step.TEXTS,
                    field=name,
                )
            )
    return remarks


class Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def _price_remarks(offer: Offer, *, on: date, rules: Rules) -> list[Remark]:
    """Compares with the middle of the other organisations' middle prices, each heard once (docs/offers.md).

    Only offers that people can see, of the same certification or code and blocks, and of a like length. Where
    too few organisations publish any, with those of the national portal, if they were imported.
    """
    if not offer.price_cents:
        return []
    others = Offer.objects.open_on(on, rules).filter(
        kind=offer.kind,
        certification=offer.certification_id,
        portal_code=offer.portal_code,
        block_codes=offer.block_codes,
    )
    if offer.hours:
        like = Q(hours__gte=offer.hours / LONGER_TIMES, hours__lte=offer.hours * LONGER_TIMES)
        others = others.filter(like | Q(hours__isnull=True))
    each = others.exclude(provider=offer.provider_id).order_by("provider").values("provider")
    prices = list(each.annotate(middle=Median("price_cents")).values_list("middle", flat=True)[:OTHERS_MAX])
    if is_elsewhere := len(prices) < OTHERS_MIN:
        prices = _prices_elsewhere(offer, on=on)
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
    if is_elsewhere:
        sentence = (
            _(
                "Vérifiez le prix : %(price)s. C’est plus du double du prix courant sur le portail national,"
                " %(middle)s chez %(count)s organismes."
            )
            if offer.price_cents > middle
            else _(
                "Vérifiez le prix : %(price)s. C’est moins de la moitié du prix courant sur le portail"
                " national, %(middle)s chez %(count)s organismes."
            )
        )
        return [Remark(sentence % words, blocks=False, step=Step.PRICE, field="price_cents")]
    sentence = (
        _(
            "Vérifiez le prix : %(price)s. C’est plus du double du prix courant, %(middle)s,"
            " chez %(count)s autres organismes."
        )
        if offer.price_cents > middle
        else _(
            "Vérifiez le prix : %(price)s. C’est moins de la moitié du prix courant, %(middle)s,"
            " chez %(count)s autres organismes."
        )
    )
    return [Remark(sentence % words, blocks=False, step=Step.PRICE, field="price_cents")]


def _prices_elsewhere(offer: Offer, *, on: date) -> list[float]:
    """The middle price of each organisation that the national portal lists for it. It tells no blocks."""
    if not offer.certification_id or offer.block_codes:
        return []
    listed = MarketPrice.objects.filter(
        code=offer.certification_id, price_cents__gt=0, observed_on__gt=on - timedelta(days=MARKET_DAYS)
    ).exclude(siret=offer.provider.organisation.siret)
    if offer.hours:
        like = Q(hours__gte=offer.hours / LONGER_TIMES, hours__lte=offer.hours * LONGER_TIMES)
        listed = listed.filter(like | Q(hours__isnull=True))
    each = listed.order_by("siret").values("siret").annotate(middle=Median("price_cents"))
    return list(each.values_list("middle", flat=True)[:OTHERS_MAX])


def _twin_remarks(offer: Offer, *, rules: Rules) -> list[Remark]:
    """Another published offer of the same organisation that nobody could tell from this one.

    The national catalogue refuses an action identical to another (30056) or that differs from it by less than
    some hours (30057); real variants exist, so that only the first one stops a draft here.
    """
    if not offer.hours or not offer.mode or not rules.near_duplicate_hours:
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
        hours__gt=offer.hours - rules.near_duplicate_hours,
        hours__lt=offer.hours + rules.near_duplicate_hours,
    ).exclude(pk=offer.pk)
    # What one of them leaves out does not tell them apart.
    for name in ("address", "accessibility"):
        if value := getattr(offer, name):
            twins = twins.filter(Q(**{f"{name}__iexact": value}) | Q(**{name: ""}))
    names = ("title", "action_number", "hours", "price_cents", "objectives", "content")
    found = list(twins.order_by("title", "pk").values(*names)[:TWINS_READ_MAX])
    if not found:
        return []
    same = [
        twin
        for twin in found
        if all(twin[name] == getattr(offer, name) for name in names if name != "action_number")
    ]
    nearest = min(same or found, key=lambda twin: abs((twin["hours"] or 0) - (offer.hours or 0)))
    words = {
        "title": nearest["title"],
        "number": nearest["action_number"],
        "hours": nearest["hours"],
        "gap": abs(nearest["hours"] - offer.hours),
        "least": rules.near_duplicate_hours,
    }
    if same:
        sentence = _(
            "Vous publiez déjà la même offre : « %(title)s » (action %(number)s). Ajoutez-lui plutôt une"
            " session, ou dites ce qui change."
        )
    else:
        sentence = _(
            "Vous publiez déjà une offre presque pareille : « %(title)s » (action %(number)s, %(hours)s h)."
            " Écart de durée : %(gap)s h, alors qu’il en faut %(least)s. Ajoutez-lui plutôt une session."
        )
    is_blocking = bool(same) and offer.is_draft
    return [Remark(sentence % words, blocks=is_blocking, step=Step.PLACE, field="hours")]


def _sessions_remarks(offer: Offer, sessions: Sequence[Session], *, on: date, rules: Rules) -> list[Remark]:
    coming = _coming(sessions, on=on)
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


def _coming(sessions: Sequence[Session], *, on: date) -> list[Session]:
    return [session for session in sessions if session.starts_on is None or session.starts_on > on]


def _after_the_certification(offer: Offer, coming: Sequence[Session]) -> list[Remark]:
    remarks = [remark for session in coming for remark in session_remarks(session, offer=offer)]
    # What blocks is never among those that are left out.
    return sorted(remarks, key=lambda remark: not remark.blocks)[:3]


def session_remarks(session: Session, *, offer: Offer) -> list[Remark]:
    """What to know of one session: its certification may end before it does, or before it begins."""
    certification, ends = offer.certification, Session.CertificationEnds
    how = session.outlasts(certification)
    if how is None or certification is None:
        return []
    is_late = how == ends.BEFORE
    words = {
        "start": french.short_day(session.starts_on),
        "end": french.short_day(certification.registered_until),
    }
    if is_late:
        sentence = _(
            "La session du %(start)s commence après la fin de la certification, enregistrée jusqu’au %(end)s."
            " Changez ses dates, ou supprimez-la."
        )
    else:
        sentence = _(
            "La session du %(start)s finit après la certification, enregistrée jusqu’au %(end)s."
            " Vérifiez que l’examen aura lieu avant."
        )
        if how == ends.STILL_DELIVERED:
            words["delivered"] = french.short_day(certification.delivered_until)
            sentence = _(
                "La session du %(start)s finit après la certification, enregistrée jusqu’au %(end)s."
                " Le certificateur peut encore la délivrer jusqu’au %(delivered)s : vérifiez-le avec lui."
            )
    return [
        Remark(
            sentence % words,
            blocks=is_late and offer.is_draft,
            step=Step.SESSIONS,
            field="starts_on" if is_late else "ends_on",
            session=session.pk,
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

"""What the dossier page shows, the same for both sides: one sentence, the clock, the money, the history."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor, Role
from dossiers import (
    clocks,
    endings,
    funding,
    guards,
    listing,
    moves,
    outlook,
    permissions,
    postponement,
    review_screen,
    threads,
    workflow,
)
from dossiers.models import (
    Claim,
    Completion,
    Control,
    Deadline,
    Dossier,
    FundingLine,
    Postponement,
    Transition,
)
from dossiers.outlook import IfCancelled
from dossiers.states import (
    ANSWER_CLOCKS,
    CLOCK_OF,
    DATES_OF_A_HOLDER,
    DECLARATION_CLOCKS,
    FINAL_STATES,
    MOVES,
    OPEN_ENDED,
    TO_ANSWER,
    WHOSE_TURN,
    ClockKind,
    State,
)
from rulebook import Rules, workdays
from ui import french
from ui.refusals import Refused

FORECAST_STATES = frozenset(TO_ANSWER | {State.DRAFT, State.PROPOSED, State.FUNDER_REVIEW})
# The verbs whose transition says where every euro went.
SETTLING = frozenset({"cancel_late", "grant_claim", "reject_claim", "settle_absence", "validate"})
# Those that may have something declared, claimed or contested. Somebody else may have cancelled while a claim
# was looked at: what its holder wrote, and its files, are theirs to read again.
CANCELLED = frozenset({State.CANCELLED_BY_HOLDER, State.CANCELLED_BY_PROVIDER, State.CANCELLED_BY_FUNDER})
WITH_A_FILE = OPEN_ENDED | CANCELLED | {State.COMPLETION_VALIDATED, State.NO_SHOW}
AGREED = WITH_A_FILE - CANCELLED | {State.ACCEPTED, State.POSTPONED, State.AWAITING_PAYMENT}
NOT_FOR_ALL = frozenset(
    {State.PREREQUISITES_CHECK, State.FUNDER_REVIEW, State.AWAITING_PAYMENT, State.POSTPONED}
)
ENDED_BADLY = FINAL_STATES - {State.COMPLETION_VALIDATED}
# Trained to the end; and, with those, what the end of a certification leaves alone (docs/decisions.md, 15).
TAUGHT = frozenset({State.ENDED, State.COMPLETION_DECLARED, State.COMPLETION_VALIDATED})
GOES_ON = endings.KEPT - {State.AWAITING_PAYMENT} | TAUGHT
# A clock that is nobody's business until its day has come.
WAITS_FOR_ITS_DAY = frozenset({ClockKind.ENTRY, ClockKind.EXIT})


@dataclass
class Screen:
    """Everything templates/dossiers/{holder,provider}/_dossier.html read."""

    dossier: Dossier
    at: datetime
    sentence: str
    # The reader is the one who must act.
    is_yours: bool
    is_overdue: bool
    clock: Deadline | None
    skipped: list[tuple[date, str]]
    verbs: set[str]
    facts_title: str
    facts: list[tuple[str, str]]
    timeline: list[tuple[str, str, datetime | None, str]]
    price_cents: int
    reason: str = ""
    # What had to be declared or decided by then still is not.
    late_since: datetime | None = None
    # Its certification is no longer registered: what that changes, or does not.
    certification_note: str = ""
    money_caption: str = ""
    money: list[tuple[str, int, str]] = field(default_factory=list)
    to_pay_cents: int = 0
    fingerprint: str = ""
    exemption: str = ""
    # The professional situation that the plan was computed with; empty once nothing is computed any more.
    computed_for: str = ""
    # Validated now with nothing to pay, until when it could be cancelled freely.
    would_be_free_until: datetime | None = None
    # What went back to a funder or to the State: it cannot be used any more.
    lost_cents: int = 0
    # Of a forecast: why nothing can be paid, what may not be used here, where yearly rights stop.
    obstacle: str = ""
    set_aside: tuple[funding.SetAside, ...] = ()
    ceiling_cents: int | None = None
    # What the State adds, or would add; whether its holder has asked for it.
    state_top_up_cents: int = 0
    is_state_top_up_active: bool = False
    # What may be asked of a funder, which the organisation's yes makes possible.
    funder_cents: int = 0
    if_cancelled: IfCancelled | None = None
    # Of a settled dossier: where the price went, and why in a sentence.
    settled: list[tuple[str, int, str]] = field(default_factory=list)
    settled_reason: str = ""
    # What is due to the organisation, for its own eyes and the holder's.
    provider_cents: int = 0
    # Other dates that wait for their holder, and until when leaving stays free if they agree.
    postponement: Postponement | None = None
    free_until_if_agreed: datetime | None = None
    claim: Claim | None = None
    completion: Completion | None = None
    control: Control | None = None
    # The holder may still say that the declared completion is wrong.
    can_contest: bool = False
    # How many messages; None where there is no thread.
    thread: threads.Summary | None = None
    # Of a training that is over, for its holder: what they thought of it, or the place to say so.
    review: review_screen.Own | None = None


def of(dossier: Dossier, *, actor: Actor, at: datetime) -> Screen:
    """The screen of a dossier for one reader. Writes nothing."""
    last_clock = _last_clock(dossier)
    clock = _shown_clock(dossier, last_clock, at=at)
    is_overdue = clock is not None and clock.kind in ANSWER_CLOCKS and clock.due_at <= at
    past = listing.history(dossier, for_provider=actor.is_provider)
    screen = Screen(
        dossier=dossier,
        at=at,
        sentence=sentence(dossier, due_at=clock.due_at if clock else None, is_overdue=is_overdue, at=at),
        is_yours=not is_overdue and _waits_for(dossier, at=at) == actor.role,
        is_overdue=is_overdue,
        clock=None if clock is None or clock.due_at <= at else clock,
        late_since=_late_since(dossier, last_clock, at=at),
        skipped=[(date.fromisoformat(skip["day"]), skip["why"]) for skip in clock.skipped] if clock else [],
        verbs=set() if is_overdue else _verbs(dossier, actor, clock, at=at),
        facts_title=_facts_title(dossier),
        facts=_facts(dossier),
        timeline=_timeline(dossier, past, clock, is_overdue, at=at),
        reason=past[-1].reason if dossier.state in FINAL_STATES else "",
        certification_note=_certification_note(dossier, on=workdays.paris_day(at)),
        price_cents=dossier.current_price_cents,
        thread=threads.summary(dossier, actor),
    )
    _show_postponement(screen)
    _show_training(screen, actor)
    if actor.is_holder:
        screen.review = review_screen.of_holder(dossier, at=at)
    settling = (
        Transition.objects.filter(dossier=dossier, verb__in=SETTLING).last()
        if dossier.state in FINAL_STATES
        else None
    )
    if settling is not None:
        screen.provider_cents = settling.details["provider_cents"]
    if not actor.is_provider:
        # What a holder owns is not the organisation's business.
        lines = listing.funding_lines(dossier)
        if settling is not None:
            _show_settled(screen, lines, settling)
        else:
            _show_money(screen, lines, ended_at=past[-1].at)
        if not is_overdue:
            rules = moves.law_of(dossier) if dossier.state == State.ACCEPTED else None
            screen.if_cancelled = outlook.if_cancelled(dossier, lines, at=at, rules=rules)
    return screen


def _last_clock(dossier: Dossier) -> Deadline | None:
    """The one that runs; where none does, the one that ran last."""
    newest = F("closed_at").desc(nulls_first=True)
    return Deadline.objects.filter(dossier=dossier).order_by(newest, "-pk").first()


def _late_since(dossier: Dossier, clock: Deadline | None, *, at: datetime) -> datetime | None:
    """Since when a declaration, or a decision, is awaited in vain: nothing is lost by it, and it stays to do.

    The job may have passed, and closed the clock, or not yet: it says the same.
    """
    if clock is None or clock.kind not in DECLARATION_CLOCKS or State(dossier.state) not in CLOCK_OF:
        return None
    is_missed = clock.due_at <= at if clock.closed_at is None else clock.outcome == Deadline.Outcome.MISSED
    return clock.due_at if is_missed else None


def _shown_clock(dossier: Dossier, clock: Deadline | None, *, at: datetime) -> Deadline | None:
    """The clock that runs, once it concerns anybody."""
    if clock is None or clock.closed_at is not None or State(dossier.state) not in CLOCK_OF:
        return None
    if clock.kind in WAITS_FOR_ITS_DAY:
        day = dossier.starts_on if clock.kind == ClockKind.ENTRY else dossier.ends_on
        if day is None or day > workdays.paris_day(at):
            return None
    return clock


def _verbs(dossier: Dossier, actor: Actor, clock: Deadline | None, *, at: datetime) -> set[str]:
    """What this reader can do at that moment: buttons, judged again by the verbs."""
    today = workdays.paris_day(at)
    is_free = dossier.free_until is not None and at < dossier.free_until
    has_begun = dossier.starts_on is not None and dossier.starts_on <= today
    is_over = clock is not None and clock.due_at <= at
    allowed = {
        "withdraw": is_free,
        "cancel_late": not is_free and not has_begun,
        "claim": not is_over if dossier.state == State.ABSENT else not is_free and not has_begun,
        "postpone": not has_begun,
        "keep_dates": not is_over and _may_keep_dates(dossier, at=at),
        "agree_to_dates": not is_over,
        "call_off": not has_begun or dossier.state == State.POSTPONED,
        "enter": has_begun,
        "report_absence": has_begun and dossier.starts_on != today,
    }
    return {verb for verb in MOVES if permissions.can(verb, dossier, actor) and allowed.get(verb, True)}


def _may_keep_dates(dossier: Dossier, *, at: datetime) -> bool:
    if dossier.state != State.POSTPONED:
        return False
    try:
        postponement.free_until_if_kept(dossier, at=at, rules=rulebook.on(workdays.paris_day(at)))
    except Refused:
        return False
    return True


def _show_postponement(screen: Screen) -> None:
    """The dates that are proposed instead, and what a yes would do to the free time."""
    dossier, at = screen.dossier, screen.at
    if dossier.state != State.POSTPONED:
        return
    screen.postponement = postponement.waiting(dossier)
    screen.free_until_if_agreed = postponement.free_until_if_agreed(
        dossier, screen.postponement, at=at, rules=rulebook.on(workdays.paris_day(at))
    )


def _show_training(screen: Screen, actor: Actor) -> None:
    """What was declared, claimed and contested of it."""
    dossier, at = screen.dossier, screen.at
    if dossier.state not in WITH_A_FILE:
        return
    screen.claim = Claim.objects.filter(dossier=dossier).prefetch_related("evidence").first()
    screen.completion = Completion.objects.filter(dossier=dossier).order_by("-version").first()
    screen.control = Control.objects.filter(dossier=dossier).first()
    screen.can_contest = (
        actor.is_holder
        and dossier.state == State.COMPLETION_DECLARED
        and screen.control is None
        and screen.clock is not None
        and at < screen.clock.due_at
    )


def _show_settled(screen: Screen, lines: list[FundingLine], settling: Transition) -> None:
    """Where the price went: by destination, then line by line."""
    said = settling.details
    sums = [
        (_("Rendu à vos droits et aux financeurs"), said["returned_cents"], ""),
        (_("Remboursé sur le compte qui a payé"), said["refunded_card_cents"], ""),
        (_("Gardé en avoir sur votre compte"), said["credit_cents"], _("Il paie votre prochaine formation.")),
        (_("Reçu par l’organisme"), said["provider_cents"], ""),
        (_("Droits perdus"), said["forfeited_cents"], ""),
    ]
    screen.settled = [(words, cents, note) for words, cents, note in sums if cents]
    screen.settled_reason = said["reason"]
    screen.money_caption = _("Ce que chaque ligne est devenue")
    shares = {position: share for position, *share in said["lines"]}
    screen.money = [
        (outlook.label(line), line.amount_cents, _share_in_words(shares.get(line.position, [])))
        for line in lines
    ]


def _share_in_words(share: list[int]) -> str:
    ways = (_("rendu"), _("en avoir"), _("perdu"), _("à l’organisme"))
    return " · ".join(
        f"{french.euros(cents)} {way}" for way, cents in zip(ways, share, strict=False) if cents
    )


def _show_money(screen: Screen, lines: list[FundingLine], *, ended_at: datetime) -> None:
    dossier, at = screen.dossier, screen.at
    is_over = dossier.state in FINAL_STATES
    if lines:
        screen.money_caption = (
            _("Ce qui était prévu, et vous est rendu") if is_over else _("Comment cette formation est payée")
        )
        screen.money = [
            (
                _label(line, is_over=is_over),
                line.amount_cents,
                _note(line, ended_at=ended_at, is_over=is_over),
            )
            for line in lines
        ]
        screen.to_pay_cents = sum(line.amount_cents for line in lines if line.source is None)
        if is_over:
            screen.lost_cents = listing.lost_cents(lines, at=ended_at)
    elif dossier.state in FORECAST_STATES:
        # At the rulebook of the day it would be accepted: today.
        rules = rulebook.on(workdays.paris_day(at))
        plan = workflow.plan_for(dossier, at=at, rules=rules)
        screen.money_caption = _("Comment cette formation serait payée")
        screen.money = [(line.label, line.amount_cents, line.reason) for line in plan.lines]
        if plan.remainder_cents:
            note = (
                _("Participation obligatoire de %(amount)s comprise.")
                % {"amount": french.euros(plan.participation_cents)}
                if plan.participation_cents
                else ""
            )
            if dossier.state == State.FUNDER_REVIEW:
                asked = french.euros(workflow.asked_of_funder(dossier))
                note = " ".join([note, _("Une aide de %(amount)s est demandée.") % {"amount": asked}]).strip()
            screen.money.append((_("Il vous reste à payer"), plan.remainder_cents, note))
        screen.to_pay_cents = plan.remainder_cents
        screen.fingerprint = plan.fingerprint
        screen.exemption = plan.exemption
        screen.obstacle = plan.obstacle
        screen.set_aside = plan.set_aside
        screen.ceiling_cents = plan.ceiling_cents
        screen.state_top_up_cents = plan.state_top_up_cents
        screen.is_state_top_up_active = plan.is_state_top_up_active
        if "ask_funder" in screen.verbs:
            screen.funder_cents = _to_ask_a_funder(dossier, plan, at=at, rules=rules)
        if not plan.state_top_up_offered_cents:
            screen.verbs.discard("activate_top_up")
        if plan.obstacle:
            screen.verbs.discard("accept")
        if dossier.starts_on and not plan.remainder_cents:
            period = clocks.free_period(accepted_at=at, starts_on=dossier.starts_on, rules=rules)
            screen.would_be_free_until = period.expires_at
        screen.computed_for = dossier.holder.get_status_display()


def _to_ask_a_funder(dossier: Dossier, plan: funding.Plan, *, at: datetime, rules: Rules) -> int:
    """What may be asked of a funder now, in cents; 0: nothing, or not by this holder."""
    amount = min(plan.remainder_cents, rules.funder_top_up_max_cents)
    try:
        guards.check_funder_may_be_asked(
            dossier,
            amount_cents=amount,
            missing_cents=plan.remainder_cents,
            on=workdays.paris_day(at),
            rules=rules,
        )
    except Refused:
        return 0
    return amount


def _note(line: FundingLine, *, ended_at: datetime, is_over: bool) -> str:
    if not is_over:
        return line.reason
    return outlook.note(line, at=ended_at) if line.source else ""


def _label(line: FundingLine, *, is_over: bool) -> str:
    """Whose money a line is. What the holder pays has a pocket once it is received."""
    if line.source is not None or line.reserved_id:
        return outlook.label(line)
    return _("N’a pas été payé") if is_over else _("À payer par vous")


def _waits_for(dossier: Dossier, *, at: datetime) -> Role | None:
    """Who has something to do; a confirmed registration waits for nobody until its first day."""
    state, today = State(dossier.state), workdays.paris_day(at)
    if state == State.ACCEPTED and (dossier.starts_on is None or dossier.starts_on > today):
        return None
    if state == State.IN_TRAINING and (dossier.ends_on is None or dossier.ends_on > today):
        return None
    return WHOSE_TURN.get(state) if state in CLOCK_OF else None


def sentence(dossier: Dossier, *, due_at: datetime | None, is_overdue: bool, at: datetime) -> str:
    """Whose turn, until when: the first line of the page, and of a row in a list. `due_at`: of its clock.

    The same for both sides: it names who must act (docs/decisions.md, 16).
    """
    state = State(dossier.state)
    due = french.last_minute(due_at) if due_at else ""
    organisation, holder = dossier.provider.organisation.name, dossier.holder.display_name
    days = {
        "starts": dossier.starts_on,
        "ends": dossier.ends_on,
        "entered": dossier.entered_on,
        "exited": dossier.exited_on,
    }
    names = {"organisation": organisation, "holder": holder, "due": due}
    names |= {name: french.day(day) if day else "" for name, day in days.items()}
    if is_overdue:
        return _("Le délai est dépassé depuis le %(due)s : ce dossier est sans suite.") % names
    sentences = {
        State.DRAFT: _("Ce brouillon n’est pas encore envoyé à %(organisation)s."),
        State.REQUESTED: _("%(organisation)s doit répondre à cette demande au plus tard le %(due)s."),
        State.PREREQUISITES_CHECK: _(
            "%(organisation)s examine les prérequis et répond au plus tard le %(due)s."
        ),
        State.FUNDER_REVIEW: _(
            "Un financeur examine une demande d’aide jusqu’au %(due)s. Sans réponse, elle est accordée."
        ),
        State.PROPOSED: _("%(holder)s doit valider ou refuser la proposition au plus tard le %(due)s."),
        State.AWAITING_PAYMENT: _("%(holder)s doit payer ce qui reste au plus tard le %(due)s."),
        State.ACCEPTED: _(
            "L’inscription est confirmée. %(organisation)s accueille %(holder)s au premier jour."
        )
        if dossier.starts_on is None or dossier.starts_on > workdays.paris_day(at)
        else _("La formation devait commencer le %(starts)s. %(organisation)s doit déclarer l’entrée."),
        State.POSTPONED: _(
            "%(organisation)s propose d’autres dates. %(holder)s les accepte, ou part sans frais, "
            "au plus tard le %(due)s."
        )
        if due_at and at < due_at
        else _(
            "%(holder)s n’a pas répondu au report : l’inscription est défaite sans frais, tout est rendu."
        ),
        State.ABSENT: _(
            "%(organisation)s déclare une absence au premier jour. "
            "%(holder)s peut expliquer une force majeure jusqu’au %(due)s."
        )
        if due_at and at < due_at
        else _("%(holder)s n’a pas expliqué l’absence à temps : elle compte comme une annulation tardive."),
        State.CLAIMED: _(
            "%(holder)s invoque une force majeure. Le portail décide ; rien n’est perdu d’ici là."
        ),
        State.IN_TRAINING: _("%(holder)s est en formation depuis le %(entered)s.")
        if dossier.ends_on is None or dossier.ends_on > workdays.paris_day(at)
        else _("Le dernier jour convenu était le %(ends)s. %(organisation)s doit déclarer la fin."),
        State.ENDED: _(
            "La formation est terminée depuis le %(exited)s. %(organisation)s doit dire ce qui a été suivi."
        ),
        State.COMPLETION_DECLARED: _(
            "%(organisation)s a dit ce qui a été suivi. Sans contestation, ce sera validé après le %(due)s."
        )
        if due_at
        else _("Le service fait est contrôlé par le portail : rien n’est réglé avant sa conclusion."),
        State.COMPLETION_VALIDATED: _("Ce qui a été suivi est validé. Ce dossier est clos."),
        State.NO_SHOW: _("%(holder)s n’était pas là au premier jour. Ce dossier est clos."),
        State.CANCELLED_BY_FUNDER: _("Un financeur a annulé. Tout ce qui était réservé a été rendu."),
        State.REFUSED_BY_PROVIDER: _("%(organisation)s a refusé cette demande."),
        State.REFUSED_BY_HOLDER: _("%(holder)s a refusé la proposition."),
        State.CANCELLED_BY_HOLDER: _("%(holder)s a annulé. Ce dossier est clos."),
        State.CANCELLED_BY_PROVIDER: _(
            "Annulée du fait de l’organisme (%(organisation)s). Tout ce qui était réservé a été rendu."
        ),
        State.CLOSED_BY_PLATFORM: _("Le portail a clos ce dossier : la formation n’est plus ouverte."),
    }
    if state == State.LAPSED:
        silent = holder if dossier.silent_party == "holder" else organisation
        return _(
            "%(silent)s n’a pas répondu dans le délai : ce dossier est sans suite. Rien n’a été débité."
        ) % {"silent": silent}
    return sentences[state] % names


def _facts_title(dossier: Dossier) -> str:
    """Asked, proposed or agreed: how far both sides have come, or had come."""
    is_over = dossier.state in ENDED_BADLY
    if dossier.price_cents is None:
        return _("Ce qui était demandé") if is_over else _("Ce qui est demandé")
    if dossier.state in AGREED or dossier.free_until is not None:
        return _("Ce qui était convenu") if is_over else _("Ce qui est convenu")
    return _("Ce qui était proposé") if is_over else _("Ce qui est proposé")


def _facts(dossier: Dossier) -> list[tuple[str, str]]:
    starts_on, ends_on = _days(dossier)
    offer = dossier.offer
    return [
        (_("Formation"), french.unbroken(offer.title)),
        (
            _("Certification"),
            french.unbroken(f"{offer.certification.pk} · {offer.certification.title}")
            if offer.certification
            else "",
        ),
        (_("Organisme"), dossier.provider.organisation.name),
        (_("Titulaire"), dossier.holder.display_name),
        (_("Premier jour"), french.day(starts_on) if starts_on else ""),
        (_("Dernier jour"), french.day(ends_on) if ends_on else ""),
        (
            _("Lieu"),
            _("À distance") if offer.mode == "distance" else f"{offer.postal_code} {offer.town_name}".strip(),
        ),
        (_("Durée"), _("%(hours)s heures") % {"hours": offer.hours} if offer.hours else ""),
        (_("E-mail du titulaire"), dossier.contact_email),
        (_("Téléphone du titulaire"), dossier.contact_phone),
        (_("Numéro de dossier"), dossier.number),
    ]


def _certification_note(dossier: Dossier, *, on: date) -> str:
    """What the end of a certification does not take away: a confirmed registration, or what was obtained."""
    certification = dossier.offer.certification
    if certification is None or certification.is_active(on=on) or dossier.state not in GOES_ON:
        return ""
    if dossier.state in TAUGHT:
        return _(
            "La certification %(code)s n’est plus proposée aujourd’hui. Obtenue, elle reste valable : son"
            " arrêt n’enlève rien à ceux qui l’ont."
        ) % {"code": certification.pk}
    note = _(
        "La certification %(code)s n’accepte plus de nouvelle inscription. Celle-ci est confirmée : elle"
        " continue jusqu’au bout."
    ) % {"code": certification.pk}
    if certification.delivered_until and certification.delivered_until >= on:
        note += " " + _("La certification peut être délivrée jusqu’au %(day)s.") % {
            "day": french.day(certification.delivered_until)
        }
    return note


def _days(dossier: Dossier) -> tuple[date | None, date | None]:
    """The first and the last day as things stand: agreed, announced, or wished."""
    return (
        dossier.starts_on or dossier.session.starts_on or dossier.wished_start,
        dossier.ends_on or dossier.session.ends_on,
    )


def _timeline(
    dossier: Dossier, past: list[listing.Step], clock: Deadline | None, is_overdue: bool, *, at: datetime
) -> list[tuple[str, str, datetime | None, str]]:
    """Past, now, next. The step that ended a dossier is not shown as something achieved."""
    steps: list[tuple[str, str, datetime | None, str]] = [
        (
            "lost" if step is past[-1] and dossier.state in ENDED_BADLY else "done",
            step.title,
            step.at,
            " — ".join(x for x in (step.by, step.reason) if x),
        )
        for step in past
    ]
    if is_overdue and clock is not None:
        return [*steps, ("lost", str(State.LAPSED.label), clock.due_at, "")]
    if clock is not None and clock.due_at > at:
        until = _("jusqu’au %(due)s") % {"due": french.last_minute(clock.due_at)}
        steps.append(("now", str(clock.get_kind_display()), None, until))
    elif dossier.state == State.DRAFT:
        steps.append(("now", _("Demande à envoyer"), None, ""))
    return steps + [("next", title, None, "") for title in coming_steps(dossier, at=at)]


def coming_steps(dossier: Dossier, *, at: datetime) -> list[str]:
    """What comes after the present step, if all goes well."""
    state = State(dossier.state)
    if state in FINAL_STATES:
        return []
    ahead = {
        State.DRAFT: [ClockKind.PROVIDER_ANSWER.label, ClockKind.HOLDER_ANSWER.label],
        State.REQUESTED: [ClockKind.HOLDER_ANSWER.label],
        State.PREREQUISITES_CHECK: [ClockKind.HOLDER_ANSWER.label],
        State.FUNDER_REVIEW: [ClockKind.HOLDER_ANSWER.label],
        State.PROPOSED: [State.ACCEPTED.label],
        State.AWAITING_PAYMENT: [State.ACCEPTED.label],
        State.POSTPONED: [State.ACCEPTED.label],
    }
    titles = [str(title) for title in ahead.get(state, [])]
    today = workdays.paris_day(at)
    # Dates that are being moved are nobody's next step.
    starts_on, ends_on = (None, None) if state == State.POSTPONED else _days(dossier)
    if starts_on and starts_on >= today:
        titles.append(_("Premier jour de la formation : %(day)s") % {"day": french.day(starts_on)})
    if ends_on and ends_on >= today and ends_on != starts_on:
        titles.append(_("Dernier jour de la formation : %(day)s") % {"day": french.day(ends_on)})
    if state in (State.ACCEPTED, State.IN_TRAINING):
        titles.append(_("L’organisme dit ce qui a été suivi"))
    return titles


@dataclass(frozen=True)
class Row:
    """One dossier in a list of its holder's: the same words as its page."""

    dossier: Dossier
    sentence: str
    is_overdue: bool
    due_at: datetime | None
    is_mine: bool
    track: list[tuple[str, str]]
    starts_on: date | None
    ends_on: date | None


def row(dossier: Dossier, *, at: datetime) -> Row:
    """`dossier`: from `listing.holder_dossiers`, which knows its clock. No query."""
    is_overdue = listing.is_overdue(dossier, at=at)
    starts_on, ends_on = _days(dossier)
    return Row(
        dossier=dossier,
        sentence=sentence(dossier, due_at=dossier.due_at, is_overdue=is_overdue, at=at),
        is_overdue=is_overdue,
        # The free cancellation has ended, and the job has not passed: there is nothing to count any more.
        due_at=dossier.due_at
        if dossier.due_at and dossier.due_at > at and dossier.clock_kind in DATES_OF_A_HOLDER
        else None,
        is_mine=WHOSE_TURN.get(State(dossier.state)) == Role.HOLDER and not is_overdue,
        track=[] if is_overdue else track(State(dossier.state)),
        starts_on=starts_on,
        ends_on=ends_on,
    )


def track(state: State) -> list[tuple[str, str]]:
    """How far a living dossier has come: (done, now or next; the step), for its holder."""
    if state in FINAL_STATES:
        return []
    way = {
        State.DRAFT: _("Demande"),
        State.REQUESTED: _("Réponse de l’organisme"),
        State.PREREQUISITES_CHECK: _("Prérequis"),
        State.FUNDER_REVIEW: _("Réponse du financeur"),
        State.PROPOSED: _("Votre validation"),
        State.AWAITING_PAYMENT: _("Paiement"),
        State.POSTPONED: _("Nouvelles dates"),
        State.ACCEPTED: _("Premier jour"),
    }
    if state in OPEN_ENDED:
        # Confirmed long ago: what counts now is the training itself.
        way = {
            State.ACCEPTED: _("Inscription"),
            State.IN_TRAINING: _("Formation"),
            State.ENDED: _("Service fait"),
            State.COMPLETION_DECLARED: _("Vérification"),
        }
        if state not in way:
            return []
    steps, look = [], "done"
    for each, words in way.items():
        if each in NOT_FOR_ALL and state != each:
            continue  # most dossiers have nothing left to pay, no prerequisites, no funder to ask
        if each == state:
            # A confirmed registration waits for its first day, and for nobody.
            look = "next" if state == State.ACCEPTED else "now"
        steps.append((look, words))
        look = "next" if look == "now" else look
    return steps


def context(screen: Screen, **more: Any) -> dict[str, Any]:
    return {"screen": screen, "dossier": screen.dossier, "at": screen.at, **more}

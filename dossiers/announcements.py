"""What we tell people about a dossier: who, which notice, which facts.

Words live in templates/notices/<kind>; this module only gathers facts, already in French form,
so that a mail says who, what, until when and how much without signing in.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.urls import reverse

from accounts import listing as people
from accounts.actors import Role
from accounts.models import User
from dossiers import listing
from dossiers.models import (
    Control,
    Deadline,
    Dossier,
    FundingLine,
    Refund,
    Relief,
    ReviewText,
    Transition,
)
from dossiers.states import NOT_FOR_THE_ORGANISATION, SILENT_PARTY, WHOSE_TURN, ClockKind, State
from notices import outbox
from notices.kinds import Kind
from notices.outbox import Letter
from ui import french

HOLDER, PROVIDER = Role.HOLDER, Role.PROVIDER

# Where a notice leads, by who reads it.
PAGES = {HOLDER: "dossier", PROVIDER: "provider_dossier"}
THREADS = {HOLDER: "dossier_messages", PROVIDER: "provider_messages"}

# Verb → which notice to whom. `accept` depends on what is left to pay (see `announce`).
NOTICES: dict[str, dict[Role, Kind]] = {
    "submit": {PROVIDER: Kind.DOSSIER_REQUESTED},
    "acknowledge": {HOLDER: Kind.PREREQUISITES_CHECKED},
    "propose": {HOLDER: Kind.DOSSIER_PROPOSED},
    "refuse": {HOLDER: Kind.DOSSIER_REFUSED},
    # Its holder has just done it, and the organisation learns nothing of what a holder owns.
    "activate_top_up": {},
    # Nor of what it asks a funder for: only that it waits for one.
    "ask_funder": {PROVIDER: Kind.FUNDER_ASKED},
    "grant_top_up": {HOLDER: Kind.FUNDER_ANSWERED, PROVIDER: Kind.FUNDER_ANSWERED},
    "refuse_top_up": {HOLDER: Kind.FUNDER_ANSWERED, PROVIDER: Kind.FUNDER_ANSWERED},
    "decline": {PROVIDER: Kind.DOSSIER_DECLINED},
    "accept": {HOLDER: Kind.DOSSIER_ACCEPTED, PROVIDER: Kind.DOSSIER_ACCEPTED},
    "confirm_payment": {HOLDER: Kind.DOSSIER_ACCEPTED, PROVIDER: Kind.DOSSIER_ACCEPTED},
    "refuse_payment": {HOLDER: Kind.PAYMENT_REFUSED},
    "cancel": {PROVIDER: Kind.DOSSIER_CANCELLED_BY_HOLDER},
    "call_off": {HOLDER: Kind.DOSSIER_CANCELLED_BY_PROVIDER},
    "withdraw": {HOLDER: Kind.DOSSIER_WITHDRAWN, PROVIDER: Kind.DOSSIER_WITHDRAWN},
    "cancel_late": {HOLDER: Kind.DOSSIER_CANCELLED_LATE, PROVIDER: Kind.DOSSIER_CANCELLED_LATE},
    "call_off_for_funder": {
        HOLDER: Kind.DOSSIER_CANCELLED_BY_FUNDER,
        PROVIDER: Kind.DOSSIER_CANCELLED_BY_FUNDER,
    },
    "give_all_back": {
        HOLDER: Kind.DOSSIER_CANCELLED_BY_PROVIDER,
        PROVIDER: Kind.DOSSIER_CANCELLED_BY_PROVIDER,
    },
    "postpone": {HOLDER: Kind.POSTPONEMENT_PROPOSED},
    "keep_dates": {HOLDER: Kind.POSTPONEMENT_TAKEN_BACK},
    "agree_to_dates": {HOLDER: Kind.POSTPONEMENT_AGREED, PROVIDER: Kind.POSTPONEMENT_AGREED},
    "leave_free": {HOLDER: Kind.POSTPONEMENT_LEFT, PROVIDER: Kind.POSTPONEMENT_LEFT},
    "undo_unanswered": {HOLDER: Kind.POSTPONEMENT_UNANSWERED, PROVIDER: Kind.POSTPONEMENT_UNANSWERED},
    "enter": {HOLDER: Kind.TRAINING_ENTERED},
    "annul_entry": {HOLDER: Kind.ENTRY_ANNULLED, PROVIDER: Kind.ENTRY_ANNULLED},
    "report_absence": {HOLDER: Kind.ABSENCE_REPORTED},
    "settle_absence": {HOLDER: Kind.ABSENCE_SETTLED, PROVIDER: Kind.ABSENCE_SETTLED},
    "claim": {HOLDER: Kind.CLAIM_MADE, PROVIDER: Kind.CLAIM_MADE},
    "grant_claim": {HOLDER: Kind.CLAIM_DECIDED, PROVIDER: Kind.CLAIM_DECIDED},
    "reject_claim": {HOLDER: Kind.CLAIM_DECIDED, PROVIDER: Kind.CLAIM_DECIDED},
    "end": {HOLDER: Kind.TRAINING_ENDED},
    "declare_completion": {HOLDER: Kind.COMPLETION_DECLARED},
    "correct_completion": {HOLDER: Kind.COMPLETION_CORRECTED, PROVIDER: Kind.COMPLETION_CORRECTED},
    "validate": {HOLDER: Kind.COMPLETION_VALIDATED, PROVIDER: Kind.COMPLETION_VALIDATED},
    "lapse": {HOLDER: Kind.DOSSIER_LAPSED, PROVIDER: Kind.DOSSIER_LAPSED},
    "close": {HOLDER: Kind.DOSSIER_CLOSED, PROVIDER: Kind.DOSSIER_CLOSED},
    "reinstate": {HOLDER: Kind.RELIEF_REINSTATED, PROVIDER: Kind.RELIEF_REINSTATED},
}

# After these, a sum may come back to a purse that has ended: its holder is told how much.
GIVES_BACK = frozenset(
    {"cancel", "withdraw", "call_off", "call_off_for_funder", "lapse", "leave_free", "undo_unanswered"}
)
# Whose details say which dates are left, and which are taken.
MOVES_DATES = frozenset({"postpone", "agree_to_dates"})

WHO_READS_A_CLOCK: dict[ClockKind, Role] = {
    **SILENT_PARTY,
    ClockKind.WITHDRAWAL: HOLDER,
    ClockKind.POSTPONEMENT: HOLDER,
    ClockKind.ABSENCE: HOLDER,
    ClockKind.ENTRY: PROVIDER,
    ClockKind.EXIT: PROVIDER,
    ClockKind.COMPLETION: PROVIDER,
}
SETTLED = ("returned", "refunded_card", "credit", "forfeited", "provider")
"""What a settlement says, in euros, to whom it concerns: empty where there is nothing."""


def announce(dossier: Dossier, transition: Transition, *, clock: Deadline | None, at: datetime) -> None:
    """Write the notices of one move, in its transaction."""
    outbox.write_many(letters_of(dossier, transition, clock=clock, at=at), at=at)


def letters_of(
    dossier: Dossier,
    transition: Transition,
    *,
    at: datetime,
    clock: Deadline | None = None,
    lines: Sequence[FundingLine] | None = None,
    team: Sequence[User] | None = None,
) -> list[Letter]:
    """What people are told of one move. How its latest round is paid, and who acts for its organisation, are
    asked unless they are given."""
    facts = facts_of(dossier, clock=clock)
    facts["reason"] = transition.reason
    facts |= _what_was_settled(transition)
    if transition.verb in ("grant_top_up", "refuse_top_up"):
        granted = transition.details.get("amount_cents", 0)
        facts |= {
            "granted": french.euros(granted) if granted else "",
            "was_silent": transition.role == Role.SYSTEM,
        }
    if transition.verb in MOVES_DATES:
        names = ("starts_on", "ends_on", "was_starts_on", "was_ends_on")
        facts |= {name: french.day(date.fromisoformat(transition.details[name])) for name in names}
    if transition.verb in GIVES_BACK:
        lines = listing.funding_lines(dossier) if lines is None else lines
        lost = listing.lost_cents(lines, at=at)
        facts["lost"] = french.euros(lost) if lost else ""
    audience = NOTICES[transition.verb]
    if transition.to_state == State.AWAITING_PAYMENT and transition.verb == "accept":
        audience = {HOLDER: Kind.PAYMENT_AWAITED, PROVIDER: Kind.PAYMENT_AWAITED}
    return _letters(
        dossier,
        audience,
        event_key=f"{transition.verb}:{transition.pk}",
        facts=facts,
        private=("reason",) if transition.verb in NOT_FOR_THE_ORGANISATION else (),
        team=team,
    )


def _what_was_settled(transition: Transition) -> dict[str, Any]:
    """The sums of a settlement as texts, and what was done of the training."""
    said = transition.details
    sums = {name: said.get(f"{name}_cents") for name in SETTLED}
    facts: dict[str, Any] = {name: french.euros(cents) if cents else "" for name, cents in sums.items()}
    rate = said.get("rate")
    return facts | {"rate": "" if rate is None else str(rate), "cause": transition.cause}


def tell_control(dossier: Dossier, control: Control, *, at: datetime) -> None:
    """Tell both sides that a completion is looked at before it is validated, and why."""
    facts = facts_of(dossier, clock=None) | {"reason": control.words, "opened_as": control.opened_as}
    _tell(dossier, to_both(Kind.CONTROL_OPENED), event_key=f"control:{control.pk}", facts=facts, at=at)


def letters_of_lateness(
    dossier: Dossier, clock: Deadline, *, team: Sequence[User] | None = None
) -> list[Letter]:
    """What an organisation is told of a declaration that is overdue."""
    facts = facts_of(dossier, clock=clock)
    audience = {PROVIDER: Kind.DECLARATION_LATE}
    return _letters(dossier, audience, event_key=f"late:{clock.pk}", facts=facts, team=team)


def remind(dossier: Dossier, clock: Deadline, *, at: datetime) -> None:
    """Tell whoever must act that a clock runs out. One notice per reminder moment."""
    moment = clock.next_reminder_at
    event_key = f"reminder:{clock.pk}:{moment:%Y%m%dT%H%M}"
    facts = facts_of(dossier, clock=clock) | {"left": french.left(clock.due_at, at)}
    reader = WHO_READS_A_CLOCK[ClockKind(clock.kind)]
    _tell(dossier, {reader: Kind.REMINDER}, event_key=event_key, facts=facts, at=at)


def tell_extension(dossier: Dossier, clock: Deadline, *, relief: Relief, at: datetime) -> None:
    """Tell both sides that a deadline was moved, and why."""
    facts = facts_of(dossier, clock=clock) | {"reason": relief.reason}
    event_key = f"relief:{relief.pk}:{dossier.pk}"
    _tell(dossier, to_both(Kind.RELIEF_EXTENDED), event_key=event_key, facts=facts, at=at)


def tell_refund(dossier: Dossier, refund: Refund, *, at: datetime) -> None:
    """Tell the holder that their money comes back: when it is asked for, then when it has left."""
    kind = Kind.REFUND_SENT if refund.state == Refund.State.SENT else Kind.REFUND_DUE
    facts = facts_of(dossier, clock=None) | {
        "amount": french.euros(refund.amount_cents),
        "way": refund.way,
        "reason": refund.reason,
    }
    _tell(dossier, {HOLDER: kind}, event_key=f"{kind}:{refund.pk}", facts=facts, at=at)


def facts_of(dossier: Dossier, *, clock: Deadline | None) -> dict[str, Any]:
    """The facts of a dossier as texts: what notices and mails are made of."""
    starts_on = dossier.starts_on or dossier.session.starts_on or dossier.wished_start
    ends_on = dossier.ends_on or dossier.session.ends_on
    turn = WHOSE_TURN.get(State(dossier.state))
    remainder = (
        FundingLine.objects.filter(dossier=dossier, kind=FundingLine.Kind.PAYMENT).order_by("-round").first()
        if dossier.state == State.AWAITING_PAYMENT
        else None
    )
    return {
        "dossier_number": dossier.number,
        "training_title": dossier.offer.title,
        "organisation_name": dossier.provider.organisation.name,
        "holder_name": dossier.holder.display_name,
        "state": str(State(dossier.state).label),
        "whose_turn": str(turn.label) if turn else "",
        "price": french.euros(dossier.current_price_cents),
        "to_pay": french.euros(remainder.amount_cents) if remainder else "",
        "starts_on": french.day(starts_on) if starts_on else "",
        "ends_on": french.day(ends_on) if ends_on else "",
        "due": french.last_minute(clock.due_at) if clock else "",
        "clock": clock.kind if clock else "",
        "free_until": french.last_minute(dossier.free_until) if dossier.free_until else "",
        "change_reason": dossier.change_reason,
        "silent_party": dossier.silent_party,
        "project": dossier.project,
        "entered_on": french.day(dossier.entered_on) if dossier.entered_on else "",
        "exited_on": french.day(dossier.exited_on) if dossier.exited_on else "",
    }


def tell_of_message(
    dossier: Dossier, role: Role, kind: Kind, *, event_key: str, facts: Mapping[str, Any], at: datetime
) -> None:
    """Tell one side about the thread: who and which dossier, with the way to it; never what was written.

    A mail lies in mailboxes we know nothing of, and an organisation's is read by all its team: the words stay
    where they can be reported and taken away.
    """
    names = {
        "dossier_number": dossier.number,
        "training_title": dossier.offer.title,
        "organisation_name": dossier.provider.organisation.name,
        "holder_name": dossier.holder.display_name,
    }
    _tell(dossier, {role: kind}, event_key=event_key, facts=names | dict(facts), at=at, pages=THREADS)


def invite_to_review(dossier: Dossier, *, last_day: date | None, at: datetime) -> None:
    """Ask whoever ended a training what they think of it: one notice, and no other."""
    facts = {
        "training_title": dossier.offer.title,
        "organisation_name": dossier.provider.organisation.name,
        "last_day": french.day(last_day) if last_day else "",
    }
    user = dossier.holder.user
    if user is None or not user.is_active:
        return
    outbox.write(
        kind=Kind.REVIEW_INVITED,
        event_key=f"review-invitation:{dossier.pk}",
        facts=facts,
        link=reverse("dossier_review", args=[dossier.pk]),
        user=user,
        at=at,
    )


def tell_of_review(
    text: ReviewText, kind: Kind, *, to: Role, event_key: str, facts: Mapping[str, Any], at: datetime
) -> None:
    """Tell one side about the words of a review: which training, never who wrote nor what.

    An organisation is led to the list of its reviews: the address of a dossier would name its holder.
    """
    dossier = text.review.dossier
    told = {
        "training_title": dossier.offer.title,
        "organisation_name": dossier.provider.organisation.name,
        "reader": str(to),
    } | dict(facts)
    readers: list[dict[str, Any]]
    if to == HOLDER:
        link = reverse("dossier_review", args=[dossier.pk])
        user = dossier.holder.user
        readers = [{"user": user}] if user is not None and user.is_active else []
    else:
        link = reverse("provider_reviews")
        organisation = dossier.provider.organisation
        readers = [{"user": user} for user in people.people_of(organisation)]
        if organisation.email:
            readers.append({"email": organisation.email})
    letters = [Letter(kind=kind, event_key=event_key, facts=told, link=link, **reader) for reader in readers]
    outbox.write_many(letters, at=at)


def to_both(kind: Kind) -> dict[Role, Kind]:
    return {HOLDER: kind, PROVIDER: kind}


def _tell(
    dossier: Dossier,
    audience: Mapping[Role, Kind],
    *,
    event_key: str,
    facts: dict[str, Any],
    at: datetime,
    pages: Mapping[Role, str] = PAGES,
) -> None:
    outbox.write_many(_letters(dossier, audience, event_key=event_key, facts=facts, pages=pages), at=at)


def _letters(
    dossier: Dossier,
    audience: Mapping[Role, Kind],
    *,
    event_key: str,
    facts: dict[str, Any],
    private: Collection[str] = (),
    pages: Mapping[Role, str] = PAGES,
    team: Sequence[User] | None = None,
) -> list[Letter]:
    """To each side its own; the organisation is not told what is `private`."""
    letters: list[Letter] = []
    for role, kind in audience.items():
        link = reverse(pages[role], args=[dossier.pk])
        readers: list[dict[str, Any]]
        if role == HOLDER:
            told = facts | {"reader": str(role)}
            user = dossier.holder.user
            readers = [{"user": user}] if user is not None and user.is_active else []
        else:
            # What is left to pay, or is lost, tells what the holder owns: not the organisation's business.
            hidden = {"to_pay", "lost", "granted", *private, *SETTLED} - {"provider"}
            told = facts | dict.fromkeys(hidden & facts.keys(), "") | {"reader": str(role)}
            organisation = dossier.provider.organisation
            acting = people.people_of(organisation) if team is None else team
            readers = [{"user": user} for user in acting]
            if organisation.email:
                readers.append({"email": organisation.email})
        letters += [
            Letter(kind=kind, event_key=event_key, facts=told, link=link, **reader) for reader in readers
        ]
    return letters

"""What we tell people about a dossier: who, which notice, which facts.

Words live in templates/notices/<kind>; this module only gathers facts, already in French form,
so that a mail says who, what, until when and how much without signing in.
"""

from datetime import datetime
from typing import Any

from django.urls import reverse

from accounts import listing as people
from accounts.actors import Role
from dossiers import listing
from dossiers.models import Deadline, Dossier, FundingLine, Refund, Relief, Transition
from dossiers.states import SILENT_PARTY, WHOSE_TURN, ClockKind, State
from notices import outbox
from notices.kinds import Kind
from ui import french

HOLDER, PROVIDER = Role.HOLDER, Role.PROVIDER

# Verb → which notice to whom. `accept` depends on what is left to pay (see `announce`).
NOTICES: dict[str, dict[Role, Kind]] = {
    "submit": {PROVIDER: Kind.DOSSIER_REQUESTED},
    "propose": {HOLDER: Kind.DOSSIER_PROPOSED},
    "refuse": {HOLDER: Kind.DOSSIER_REFUSED},
    # Its holder has just done it, and the organisation learns nothing of what a holder owns.
    "activate_top_up": {},
    "decline": {PROVIDER: Kind.DOSSIER_DECLINED},
    "accept": {HOLDER: Kind.DOSSIER_ACCEPTED, PROVIDER: Kind.DOSSIER_ACCEPTED},
    "confirm_payment": {HOLDER: Kind.DOSSIER_ACCEPTED, PROVIDER: Kind.DOSSIER_ACCEPTED},
    "refuse_payment": {HOLDER: Kind.PAYMENT_REFUSED},
    "cancel": {PROVIDER: Kind.DOSSIER_CANCELLED_BY_HOLDER},
    "call_off": {HOLDER: Kind.DOSSIER_CANCELLED_BY_PROVIDER},
    "withdraw": {HOLDER: Kind.DOSSIER_WITHDRAWN, PROVIDER: Kind.DOSSIER_WITHDRAWN},
    "lapse": {HOLDER: Kind.DOSSIER_LAPSED, PROVIDER: Kind.DOSSIER_LAPSED},
    "close": {HOLDER: Kind.DOSSIER_CLOSED, PROVIDER: Kind.DOSSIER_CLOSED},
    "reinstate": {HOLDER: Kind.RELIEF_REINSTATED, PROVIDER: Kind.RELIEF_REINSTATED},
}

# After these, a sum may come back to a purse that has ended: its holder is told how much.
GIVES_BACK = frozenset({"cancel", "withdraw", "call_off", "lapse"})

WHO_READS_A_CLOCK: dict[ClockKind, Role] = {**SILENT_PARTY, ClockKind.WITHDRAWAL: HOLDER}


def announce(dossier: Dossier, transition: Transition, *, clock: Deadline | None, at: datetime) -> None:
    """Write the notices of one move, in its transaction."""
    facts = facts_of(dossier, clock=clock)
    facts["reason"] = transition.reason
    if transition.verb in GIVES_BACK:
        lost = listing.lost_cents(listing.funding_lines(dossier), at=at)
        facts["lost"] = french.euros(lost) if lost else ""
    audience = NOTICES[transition.verb]
    if transition.to_state == State.AWAITING_PAYMENT and transition.verb == "accept":
        audience = {HOLDER: Kind.PAYMENT_AWAITED, PROVIDER: Kind.PAYMENT_AWAITED}
    for role, kind in audience.items():
        _tell(dossier, role, kind, event_key=f"{transition.verb}:{transition.pk}", facts=facts, at=at)


def remind(dossier: Dossier, clock: Deadline, *, at: datetime) -> None:
    """Tell whoever must act that a clock runs out. One notice per reminder moment."""
    moment = clock.next_reminder_at
    event_key = f"reminder:{clock.pk}:{moment:%Y%m%dT%H%M}"
    facts = facts_of(dossier, clock=clock) | {"left": french.left(clock.due_at, at)}
    _tell(
        dossier,
        WHO_READS_A_CLOCK[ClockKind(clock.kind)],
        Kind.REMINDER,
        event_key=event_key,
        facts=facts,
        at=at,
    )


def tell_extension(dossier: Dossier, clock: Deadline, *, relief: Relief, at: datetime) -> None:
    """Tell both sides that a deadline was moved, and why."""
    facts = facts_of(dossier, clock=clock) | {"reason": relief.reason}
    event_key = f"relief:{relief.pk}:{dossier.pk}"
    for role in (HOLDER, PROVIDER):
        _tell(dossier, role, Kind.RELIEF_EXTENDED, event_key=event_key, facts=facts, at=at)


def tell_refund(dossier: Dossier, refund: Refund, *, at: datetime) -> None:
    """Tell the holder that their money comes back: when it is asked for, then when it has left."""
    kind = Kind.REFUND_SENT if refund.state == Refund.State.SENT else Kind.REFUND_DUE
    facts = facts_of(dossier, clock=None) | {
        "amount": french.euros(refund.amount_cents),
        "way": refund.way,
        "reason": refund.reason,
    }
    _tell(dossier, HOLDER, kind, event_key=f"{kind}:{refund.pk}", facts=facts, at=at)


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
    }


def _tell(
    dossier: Dossier, role: Role, kind: Kind, *, event_key: str, facts: dict[str, Any], at: datetime
) -> None:
    facts = facts | {"reader": str(role)}
    if role == PROVIDER:
        # What is left to pay, or is lost, tells what the holder owns: not the organisation's business.
        facts |= {"to_pay": "", "lost": ""}
    if role == HOLDER:
        user = dossier.holder.user
        if user is not None and user.is_active:
            link = reverse("dossier", args=[dossier.pk])
            outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, user=user)
        return
    link = reverse("provider_dossier", args=[dossier.pk])
    organisation = dossier.provider.organisation
    for user in people.people_of(organisation):
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, user=user)
    if organisation.email:
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, email=organisation.email)

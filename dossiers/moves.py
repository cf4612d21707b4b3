"""What every verb is made of: lock, begin, money back or settled, make the move.

The verbs are in workflow.py, postponement.py, force_majeure.py and training.py.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from dossiers import announcements, clocks, locking, permissions, refunds, settlement, writing
from dossiers.models import Deadline, Dossier, FundingLine, Transition
from dossiers.states import CLOCK_OF, FINAL_STATES, MOVES, THEN, ClockKind, State
from rights import ledger
from rights.kinds import FUNDED_KINDS, MovementKind
from rulebook import Rules, workdays
from ui.refusals import Refused, StalePage


def lock(dossier_id: UUID) -> Dossier:
    dossier = locking.lock(dossier_id)
    if dossier is None:
        raise Refused(_("Ce brouillon a été supprimé."))
    return dossier


def lock_holder(dossier: Dossier) -> None:
    """What counts a holder's other dossiers waits for its turn; so does a freeze of their account, and
    what this verb then judges is the account as it is under the lock."""
    locking.lock_holder(dossier)


def begin(verb: str, dossier_id: UUID, *, by: Actor, request_id: UUID) -> tuple[Dossier, bool]:
    """Lock the dossier, check who acts, and tell whether the same request came before."""
    dossier = lock(dossier_id)
    permissions.check_may(verb, dossier, by)
    past = locking.past_of(dossier)
    if (done := past.requests.get(request_id)) is not None:
        if done != verb:
            raise StalePage
        return dossier, True
    dossier.past = past
    return dossier, False


def make(
    dossier: Dossier,
    verb: str,
    target: State,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    rules: Rules | None = None,
    outcome: Deadline.Outcome = Deadline.Outcome.MET,
    cause: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Transition:
    """Write the transition (its trigger moves the dossier), change clocks, tell people."""
    source = State(dossier.state)
    transition = new_transition(
        dossier,
        verb,
        target,
        by=by,
        at=at,
        request_id=request_id,
        cause=cause,
        reason=reason,
        details=details,
    )
    clock = None
    if target != source and target in CLOCK_OF:
        rules = rules or rulebook.on(workdays.paris_day(at))
        clock = new_clock(dossier, CLOCK_OF[target], at=at, rules=rules)
    closes = outcome if target != source and source in CLOCK_OF else None
    writing.write_move(transition, closes=closes, opens=clock)
    dossier.state, dossier.past = target, None
    if target in FINAL_STATES:
        _give_back_to_funder(dossier, by=by, at=at)
    announcements.announce(dossier, transition, clock=clock, at=at)
    return transition


def new_transition(
    dossier: Dossier,
    verb: str,
    target: State,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    cause: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Transition:
    """A move that is not written yet. ValueError: this verb does not lead there."""
    if target not in MOVES[verb].targets:
        raise ValueError(f"{verb} does not lead to {target}")
    return Transition(
        dossier=dossier,
        verb=verb,
        from_state=State(dossier.state),
        to_state=target,
        role=by.role,
        user=by.user,
        at=at,
        request_id=request_id,
        cause=cause,
        reason=reason,
        details=dict(details or {}),
    )


def _give_back_to_funder(dossier: Dossier, *, by: Actor, at: datetime) -> None:
    """What a funder gave for this dossier alone, and was not used or came back, is the funder's again."""
    granted = Transition.objects.filter(dossier=dossier, verb="grant_top_up").values_list(
        "details__pocket_id", flat=True
    )
    if pocket_id := granted.first():
        ledger.take_back(
            [UUID(pocket_id)],
            kind=MovementKind.RECALL,
            key=f"funder-back:{dossier.pk}",
            at=at,
            by=by,
            reason=_("Dossier %s") % dossier.number,
        )


def open_clock(dossier: Dossier, kind: ClockKind, *, at: datetime, rules: Rules) -> Deadline:
    """Start this clock, as `new_clock` makes it."""
    clock = new_clock(dossier, kind, at=at, rules=rules)
    clock.save()
    return clock


def new_clock(dossier: Dossier, kind: ClockKind, *, at: datetime, rules: Rules) -> Deadline:
    """This clock, not written yet. Once nothing can be cancelled freely any more, it is the next one."""
    period = None
    if kind == ClockKind.WITHDRAWAL and dossier.starts_on is not None:
        if dossier.free_until is not None and dossier.free_until <= at:
            return new_clock(dossier, THEN[kind], at=at, rules=rules)
        period = clocks.free_period(accepted_at=at, starts_on=dossier.starts_on, rules=rules)
        if dossier.free_until is not None and dossier.free_until != period.expires_at:
            # What was promised before other dates were: the clock says what the dossier says.
            last_day = workdays.paris_day(dossier.free_until - timedelta(microseconds=1))
            period = workdays.Period(last_day, dossier.free_until, ())
    elif kind == ClockKind.ENTRY and dossier.starts_on is not None:
        period = workdays.period(dossier.starts_on, *rules.term(kind))
    elif kind == ClockKind.EXIT and dossier.ends_on is not None:
        period = workdays.period(max(dossier.ends_on, workdays.paris_day(at)), *rules.term(kind))
    return clocks.new_clock(dossier, kind, at=at, rules=rules, period=period)


def last_round(dossier: Dossier) -> int:
    if dossier.past is not None:
        return dossier.past.last_round
    last = FundingLine.objects.filter(dossier=dossier).order_by("-round").first()
    return last.round if last else 0


def release(dossier: Dossier, *, by: Actor, at: datetime) -> None:
    """Everything the latest round reserved goes back where it came from; what was paid is owed (refunds)."""
    lines = lines_of(dossier)
    if reservation := reservation_of(dossier, lines):
        ledger.release_many([reservation], at=at, by=by)
        refunds.owe_released(dossier, round_number=lines[0].round, at=at)


def reservation_of(dossier: Dossier, lines: Sequence[FundingLine]) -> ledger.Release | None:
    """What these lines, of one round, have reserved: given back once."""
    reserved = [line.reserved_id for line in lines if line.reserved_id]
    if not reserved:
        return None
    return ledger.Release(
        reserved=reserved,
        key=f"release:{dossier.pk}:{lines[0].round}",
        reason=_("Dossier %s") % dossier.number,
    )


def check_over(dossier: Dossier, kind: ClockKind, *, at: datetime) -> None:
    """The clock of what the portal does by itself has run out."""
    clock = clocks.running(dossier, kind)
    if clock is None or clock.due_at > at:
        raise Refused(_("Ce délai n’est pas écoulé."))


# --- How an order ends in money ---------------------------------------------------------------------------


def lines_of(dossier: Dossier) -> list[FundingLine]:
    """How the latest round is paid, in order."""
    lines = FundingLine.objects.filter(dossier=dossier, round=last_round(dossier))
    return list(lines.select_related("source").order_by("position"))


def order_of(dossier: Dossier, lines: Sequence[FundingLine]) -> settlement.Order:
    """The order as `settlement.split` wants it. ValueError: the lines do not add up to the price."""
    return settlement.Order(
        dossier.price_cents or 0,
        tuple(
            settlement.Paid(line.source.kind if line.source else settlement.CARD, line.amount_cents)
            for line in lines
        ),
    )


CONFIRMS = {"to_state": State.ACCEPTED, "verb__in": ("accept", "confirm_payment")}


def law_of(dossier: Dossier) -> Rules:
    """The law an order is settled by: that of the day it was confirmed (docs/decisions.md, 13)."""
    confirmed = Transition.objects.filter(dossier=dossier, **CONFIRMS).latest("id")
    return rulebook.on(workdays.paris_day(confirmed.at))


def settle(
    dossier: Dossier, cause: settlement.Cause, completion: int | None = None, *, by: Actor, at: datetime
) -> dict[str, Any]:
    """Every euro of the order goes where the matrix says; what went where, as a transition keeps it."""
    lines = lines_of(dossier)
    settled = settlement.split(order_of(dossier, lines), completion, cause, law_of(dossier))
    ledger.settle_many([settlement_of(dossier, lines, settled, cause)], at=at, by=by)
    if settled.refunded_card_cents:
        refunds.owe_released(
            dossier,
            round_number=lines[0].round,
            amount_cents=settled.refunded_card_cents,
            reason=settled.reason,
            at=at,
        )
    return told(settled, cause, completion)


def settlement_of(
    dossier: Dossier,
    lines: Sequence[FundingLine],
    settled: settlement.Settlement,
    cause: settlement.Cause,
) -> ledger.Settlement:
    """What the ledger does of it, once."""
    parts = [
        ledger.Part(
            pocket_id=pocket_id,
            returned=share.returned,
            credited=share.credited,
            forfeited=share.forfeited,
            provider=share.provider,
            to_funder=cause in settlement.TOO_LATE and share.line.kind in FUNDED_KINDS,
        )
        for line, share in zip(lines, settled.shares, strict=True)
        if line.amount_cents and (pocket_id := line.spent_id or line.reserved_id)
    ]
    return ledger.Settlement(
        parts=parts,
        organisation_id=dossier.provider_id,
        key=f"settle:{dossier.pk}:{lines[0].round if lines else 0}",
        reason=_("Dossier %s") % dossier.number,
    )


def told(settled: settlement.Settlement, cause: settlement.Cause, completion: int | None) -> dict[str, Any]:
    """A settlement as a transition keeps it: cents; `lines`: (position, returned, credited, lost, due)."""
    return {
        "cause": cause.value,
        "rate": completion,
        "reason": settled.reason,
        "returned_cents": settled.returned_cents,
        "refunded_card_cents": settled.refunded_card_cents,
        "credit_cents": settled.credit_cents,
        "forfeited_cents": settled.forfeited_cents,
        "provider_cents": settled.provider_cents,
        "lines": [
            [position, share.returned, share.credited, share.forfeited, share.provider]
            for position, share in enumerate(settled.shares, start=1)
        ],
    }

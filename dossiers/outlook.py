"""« Si j'annule maintenant… »: what a holder's way out costs now, and what it would cost later.

Amounts in euro cents. The same arithmetic as the verbs (`settlement.split`), so that what is shown before a
click is what the click does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from dossiers import listing, moves, settlement
from dossiers.models import Dossier, FundingLine
from dossiers.settlement import Cause, Settlement
from dossiers.states import State
from rulebook import Rules, workdays
from ui import french

# The holder's way out of each state; from those that are not here nothing is left to cancel.
WAY_OUT = {
    State.REQUESTED: "cancel",
    State.PREREQUISITES_CHECK: "cancel",
    State.FUNDER_REVIEW: "cancel",
    State.PROPOSED: "decline",
    State.AWAITING_PAYMENT: "cancel",
    State.ACCEPTED: "withdraw",
    State.POSTPONED: "leave_free",
}
# The picture, in its own units: how long it is, how high, and how short a part that exists may be.
LENGTH, HEIGHT, SHORTEST = 480, 120, 48


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which cancelling costs the same: from when, until when, what is kept and what is gone.

    `x`, `width`, `kept_top`, `kept_height`, `gone_height`: its place in the picture.
    """

    begins: datetime
    ends: datetime
    is_now: bool
    kept_cents: int
    gone_cents: int
    x: int
    width: int
    kept_top: int
    kept_height: int
    gone_height: int


@dataclass(frozen=True)
class IfCancelled:
    """What comes back, what is kept as a credit, what goes to others, to the cent; and until when it is free.

    `back`: (where it goes, cents, note). `to_funders_cents`: of it, what goes on to a funder or to the State.
    `gone_cents`: rights lost, the organisation's indemnity inside. `is_free` False: it was, until `until`.
    """

    verb: str
    is_free: bool
    until: datetime | None
    back: list[tuple[str, int, str]]
    back_cents: int
    to_funders_cents: int
    credit_cents: int
    gone_cents: int
    provider_cents: int
    stretches: list[Stretch]


def if_cancelled(
    dossier: Dossier, lines: Sequence[FundingLine], *, at: datetime, rules: Rules | None
) -> IfCancelled | None:
    """None: nothing to cancel. `rules`: of the day it was confirmed, once it was."""
    state = State(dossier.state)
    if state not in WAY_OUT:
        return None
    if state != State.ACCEPTED or rules is None or dossier.free_until is None or dossier.starts_on is None:
        reserved = [line for line in lines if line.reserved_id]
        to_funders = listing.lost_cents(reserved, at=at)
        return IfCancelled(
            verb=WAY_OUT[state],
            is_free=True,
            until=None,
            back=[(label(line), line.amount_cents, note(line, at=at)) for line in reserved],
            back_cents=sum(line.amount_cents for line in reserved) - to_funders,
            to_funders_cents=to_funders,
            credit_cents=0,
            gone_cents=0,
            provider_cents=0,
            stretches=[],
        )
    start = workdays.midnight_of(dossier.starts_on)
    if at >= start:
        return None
    is_free = at < dossier.free_until
    now = split(dossier, lines, is_free=is_free, rules=rules)
    return _told(dossier, lines, now, at=at, start=start, is_free=is_free, rules=rules)


def split(dossier: Dossier, lines: Sequence[FundingLine], *, is_free: bool, rules: Rules) -> Settlement:
    """What a cancellation before the start does of the order, free or too late."""
    order = moves.order_of(dossier, lines)
    return settlement.split(order, None, Cause.FREELY_CANCELLED if is_free else Cause.CANCELLED_LATE, rules)


def label(line: FundingLine) -> str:
    """Whose money a line is."""
    if line.source is None:
        return _("Payé par vous")
    return line.source.label or str(line.source.get_kind_display())


def _told(
    dossier: Dossier,
    lines: Sequence[FundingLine],
    now: Settlement,
    *,
    at: datetime,
    start: datetime,
    is_free: bool,
    rules: Rules,
) -> IfCancelled:
    back = [
        (label(line), share.returned, note(line, at=at, is_late=not is_free))
        for line, share in zip(lines, now.shares, strict=True)
        if share.returned
    ]
    to_funders = sum(
        share.returned
        for line, share in zip(lines, now.shares, strict=True)
        if line.source and (not is_free or listing.has_ended(line, at=at) or listing.is_of_the_state(line))
    )
    return IfCancelled(
        verb="withdraw" if is_free else "cancel_late",
        is_free=is_free,
        until=dossier.free_until,
        back=back,
        back_cents=now.returned_cents + now.refunded_card_cents - to_funders,
        to_funders_cents=to_funders,
        credit_cents=now.credit_cents,
        gone_cents=now.forfeited_cents + now.provider_cents,
        provider_cents=now.provider_cents,
        stretches=_stretches(dossier, lines, at=at, start=start, rules=rules),
    )


def _stretches(
    dossier: Dossier, lines: Sequence[FundingLine], *, at: datetime, start: datetime, rules: Rules
) -> list[Stretch]:
    """From now to the first day: free, then no longer. One or two."""
    free_until = min(dossier.free_until or start, start)
    times = [(at, free_until, True)] if at < free_until else []
    if free_until < start:
        times.append((max(at, free_until), start, False))
    whole = start - at
    room = LENGTH - SHORTEST * len(times)
    price = dossier.price_cents or 1
    stretches, x = [], 0
    for begins, ends, is_free in times:
        width = SHORTEST + int(room * (ends - begins) / whole)
        gone = split(dossier, lines, is_free=is_free, rules=rules)
        gone_cents = gone.forfeited_cents + gone.provider_cents
        gone_height = HEIGHT * gone_cents // price
        stretches.append(
            Stretch(
                begins,
                ends,
                begins == at,
                (dossier.price_cents or 0) - gone_cents,
                gone_cents,
                x,
                width,
                gone_height,
                HEIGHT - gone_height,
                gone_height,
            )
        )
        x += width
    return stretches


def note(line: FundingLine, *, at: datetime, is_late: bool = False) -> str:
    """Where a line goes that is given back at that moment, when it is not simply the holder's again."""
    if line.source is None:
        return _("Remboursé sur le compte qui a payé.")
    if listing.is_of_the_state(line):
        return _("Retourne à l’État : cet abondement n’était que pour cette formation.")
    if is_late:
        return _("Retourne à son financeur : cette aide n’était que pour cette formation.")
    if line.source.expires_on is not None and listing.has_ended(line, at=at):
        return _(
            "Utilisable jusqu’au %(day)s seulement : cette somme retourne à son financeur, "
            "et ne pourra plus servir."
        ) % {"day": french.short_day(line.source.expires_on)}
    return ""

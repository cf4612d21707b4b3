"""The simulator of settlements: where the money of one order goes. No database.

An order and what happened to it in JSON, each euro in JSON; a line that makes no sense gives an error, in
French, in its place. Format and limits: docs/simulate-settlement.md. The arithmetic is that of the portal
(`dossiers.settlement`), and so is the end of the free period (`dossiers.clocks`).
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from dossiers import clocks, settlement
from dossiers.settlement import CARD, Cause, Order, Paid, Settlement
from rights.kinds import HOLDER_KINDS, PocketKind
from rulebook.rules import NoRuleInForce, Rules
from rulebook.workdays import as_paris, midnight_of, paris_day
from ui import french, json_lines
from ui.json_lines import BadLine

MOST_CENTS = 10_000_000_000
MOST_LINES = 100
FIRST_YEAR, LAST_YEAR = 1900, 2200
EXAMPLE = '{"price_cents": …, "lines": […], "event": …}'
POCKETS = (*(kind.value for kind in HOLDER_KINDS), PocketKind.STATE_TOP_UP.value, CARD)


class Event(StrEnum):
    CANCELLED_BY_HOLDER = "cancelled_by_holder"
    NO_SHOW = "no_show"
    CANCELLED_BY_PROVIDER = "cancelled_by_provider"
    CANCELLED_BY_FUNDER = "cancelled_by_funder"
    PARTIAL = "partial"
    COMPLETE = "complete"
    INTERRUPTED_BY_PROVIDER = "interrupted_by_provider"


NEEDED = ("price_cents", "lines", "accepted_at", "session_start", "event", "event_at")
KEYS = (*NEEDED, "session_end", "force_majeure", "postponement_offered", "completion_rate")
# What can only happen once the training has begun.
AFTER_START = (Event.NO_SHOW, Event.PARTIAL, Event.COMPLETE, Event.INTERRUPTED_BY_PROVIDER)

RulesOf = Callable[[date], Rules]


def answer(line: bytes, *, rules_of: RulesOf) -> dict[str, Any]:
    """Where the money goes, or what is wrong with this line. `rules_of(day)`: the law of that day."""
    try:
        return _answer(json_lines.read(line, example=EXAMPLE), rules_of)
    except BadLine as error:
        return {"error": str(error)}


def _answer(said: dict[str, Any], rules_of: RulesOf) -> dict[str, Any]:
    json_lines.check_keys(said, KEYS)
    # null says nothing, as an absent key does.
    said = {name: value for name, value in said.items() if value is not None}
    json_lines.check_needed(said, NEEDED)
    order = _order(said)
    event = Event(json_lines.choice(said, "event", Event))
    accepted_at, happened_at = _moment(said, "accepted_at"), _moment(said, "event_at")
    starts_on = paris_day(_moment(said, "session_start"))
    _check_order_of_days(said, event, accepted_at=accepted_at, happened_at=happened_at, starts_on=starts_on)
    try:
        rules = rules_of(paris_day(accepted_at))
    except NoRuleInForce:
        raise BadLine(_("Le %s, le portail n’existait pas encore.") % french.short_day(accepted_at)) from None
    free_until = clocks.free_period(accepted_at=accepted_at, starts_on=starts_on, rules=rules).expires_at
    cause = _cause(said, event, is_free=happened_at < free_until)
    ended = settlement.split(order, _rate(said, event, cause), cause, rules)
    return {
        "free_until": free_until.astimezone(UTC).isoformat(),
        "returned": _returned(ended),
        "refunded_card_cents": ended.refunded_card_cents,
        "credit_cents": ended.credit_cents,
        "forfeited_cents": ended.forfeited_cents,
        "provider_cents": ended.provider_cents,
    }


def _returned(ended: Settlement) -> dict[str, int]:
    """Kind of purse → cents that go back there, in the order of the lines, the card aside."""
    back: Counter[str] = Counter()
    for share in ended.shares:
        if share.returned and share.line.kind != CARD:
            back[share.line.kind] += share.returned
    return dict(back)


# --- What happened ----------------------------------------------------------------------------------------


def _cause(said: dict[str, Any], event: Event, *, is_free: bool) -> Cause:
    is_excused = json_lines.flag(said, "force_majeure")
    is_postponed = json_lines.flag(said, "postponement_offered")
    match event:
        case Event.CANCELLED_BY_HOLDER if is_free:
            return Cause.FREELY_CANCELLED
        case Event.CANCELLED_BY_HOLDER:
            return Cause.CANCELLED_BY_FORCE_MAJEURE if is_excused else Cause.CANCELLED_LATE
        case Event.NO_SHOW:
            return Cause.NO_SHOW_BY_FORCE_MAJEURE if is_excused else Cause.NO_SHOW
        case Event.CANCELLED_BY_PROVIDER:
            return Cause.CANCELLED_BY_PROVIDER
        case Event.CANCELLED_BY_FUNDER:
            return Cause.CANCELLED_BY_FUNDER
        case Event.PARTIAL:
            return Cause.PARTIAL_BY_FORCE_MAJEURE if is_excused else Cause.PARTIAL
        case Event.COMPLETE:
            return Cause.COMPLETE
        case Event.INTERRUPTED_BY_PROVIDER:
            return Cause.INTERRUPTED_AND_POSTPONED if is_postponed else Cause.INTERRUPTED


def _rate(said: dict[str, Any], event: Event, cause: Cause) -> int | None:
    if cause in settlement.MEASURED:
        json_lines.check_needed(said, ("completion_rate",))
    if "completion_rate" not in said:
        return None
    rate = json_lines.whole(said, "completion_rate", most=settlement.WHOLE)
    if event == Event.COMPLETE and rate != settlement.WHOLE:
        raise BadLine(_("completion_rate : une formation suivie en entier est réalisée à 100 %."))
    return rate


def _check_order_of_days(
    said: dict[str, Any], event: Event, *, accepted_at: datetime, happened_at: datetime, starts_on: date
) -> None:
    start = midnight_of(starts_on)
    if accepted_at >= start:
        raise BadLine(_("accepted_at : la formation avait déjà commencé."))
    # A day alone is the whole of it: the day of the acceptance is not before it.
    is_day = len(said["event_at"]) <= len("2026-06-01")
    if (paris_day(happened_at) < paris_day(accepted_at)) if is_day else happened_at < accepted_at:
        raise BadLine(_("event_at : avant accepted_at."))
    if event in AFTER_START and happened_at < start:
        raise BadLine(_("event_at : la formation n’a pas encore commencé."))
    if event == Event.CANCELLED_BY_HOLDER and happened_at >= start:
        raise BadLine(
            _("event_at : la formation a commencé. Ce n’est plus une annulation, c’est une sortie (partial).")
        )
    if "session_end" in said and paris_day(_moment(said, "session_end")) < starts_on:
        raise BadLine(_("session_end : avant session_start."))


# --- Reading ----------------------------------------------------------------------------------------------


def _order(said: dict[str, Any]) -> Order:
    price = json_lines.whole(said, "price_cents", most=MOST_CENTS)
    if not isinstance(said["lines"], list) or len(said["lines"]) > MOST_LINES:
        raise BadLine(_("lines : une liste de %s lignes au plus.") % MOST_LINES)
    lines = tuple(_line(line, number) for number, line in enumerate(said["lines"], 1))
    total = sum(line.cents for line in lines)
    if total != price:
        raise BadLine(
            _("Les lignes font %(total)s centimes et le prix est de %(price)s centimes.")
            % {"total": total, "price": price}
        )
    return Order(price, lines)


def _line(line: Any, number: int) -> Paid:
    if not isinstance(line, dict) or set(line) != {"pocket", "cents"}:
        raise BadLine(_('lines, %s : une ligne est {"pocket": …, "cents": …}.') % number)
    return Paid(json_lines.choice(line, "pocket", POCKETS), json_lines.whole(line, "cents", most=MOST_CENTS))


def _moment(said: dict[str, Any], name: str) -> datetime:
    """A moment in ISO 8601, or a day, which is its first moment; in Paris where no zone is said."""
    try:
        moment = as_paris(datetime.fromisoformat(said[name]))
    except (TypeError, ValueError, OverflowError):
        raise BadLine(
            _("%(key)s : %(value)s n’est ni un jour ni un moment (ISO 8601).") % json_lines.about(said, name)
        ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadLine(_("%(key)s : %(value)s n’est pas possible.") % json_lines.about(said, name))
    return moment

"""How an order ends in money: what goes back, what is lost, what the organisation has. Pure.

Amounts in euro cents, never negative; for each line, and so for the order, what goes to each side adds up
to what the line paid. `CAUSES` reads like the matrix of the handbook: what happened → the rule that applies.
The law is that of the day of acceptance (docs/decisions.md, 8 to 10 and 13).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from rulebook import Rules

CARD = "card"
"""The holder's own payment. Any other kind of line is that of the purse it came from, or "state_top_up"."""
WHOLE = 100


class Cause(StrEnum):
    """Why an order ends: what happened, and whether it is excused."""

    FREELY_CANCELLED = "freely_cancelled"
    CANCELLED_LATE = "cancelled_late"
    CANCELLED_BY_FORCE_MAJEURE = "cancelled_by_force_majeure"
    NO_SHOW = "no_show"
    NO_SHOW_BY_FORCE_MAJEURE = "no_show_by_force_majeure"
    CANCELLED_BY_PROVIDER = "cancelled_by_provider"
    CANCELLED_BY_FUNDER = "cancelled_by_funder"
    COMPLETE = "complete"
    PARTIAL = "partial"
    PARTIAL_BY_FORCE_MAJEURE = "partial_by_force_majeure"
    INTERRUPTED = "interrupted"
    INTERRUPTED_AND_POSTPONED = "interrupted_and_postponed"


@dataclass(frozen=True, slots=True)
class Paid:
    """What one line of the order pays. `kind`: that of its purse, "state_top_up", or `CARD`."""

    kind: str
    cents: int


@dataclass(frozen=True, slots=True)
class Order:
    """What was agreed and how it is paid; the lines add up to the price. ValueError: they do not."""

    price_cents: int
    lines: tuple[Paid, ...]

    def __post_init__(self) -> None:
        if any(line.cents < 0 for line in self.lines):
            raise ValueError("a line never pays less than nothing")
        if sum(line.cents for line in self.lines) != self.price_cents:
            raise ValueError("the lines do not add up to the price")


@dataclass(frozen=True, slots=True)
class Share:
    """Where the money of one line goes. `returned`: where it came from, a card included."""

    line: Paid
    returned: int = 0
    credited: int = 0
    forfeited: int = 0
    provider: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where the money of an order goes, in the order of its lines, and why, in a sentence for people."""

    shares: tuple[Share, ...]
    reason: str

    @property
    def returned_cents(self) -> int:
        """Back to purses and funders."""
        return sum(share.returned for share in self.shares if share.line.kind != CARD)

    @property
    def refunded_card_cents(self) -> int:
        return sum(share.returned for share in self.shares if share.line.kind == CARD)

    @property
    def credit_cents(self) -> int:
        """Paid by card, kept on the account for another training."""
        return sum(share.credited for share in self.shares)

    @property
    def forfeited_cents(self) -> int:
        """Lost."""
        return sum(share.forfeited for share in self.shares)

    @property
    def provider_cents(self) -> int:
        return sum(share.provider for share in self.shares)


def split(order: Order, completion: int | None, cause: Cause, rules: Rules) -> Settlement:
    """Where the money goes. `completion`: whole percent of what was to be done, for what has begun.

    ValueError: a rate outside 0 to 100, or none where one is needed.
    """
    return CAUSES[cause](order, completion, rules)


def completion_rate(*, done_minutes: int, total_minutes: int) -> int:
    """Whole percent, rounded down, so that 100 is the whole of it and nothing less.

    ValueError: a duration that makes no sense.
    """
    if not 0 <= done_minutes <= total_minutes or not total_minutes:
        raise ValueError("what is done is between nothing and the whole, and the whole is something")
    return done_minutes * WHOLE // total_minutes


# --- The rules of the matrix ----------------------------------------------------------------------------


def _all_back(order: Order, _completion: int | None, _rules: Rules) -> Settlement:
    """Everything where it came from; nothing to the organisation."""
    return Settlement(
        tuple(Share(line, returned=line.cents) for line in order.lines),
        _("Tout revient : les droits au compte, les aides à leurs financeurs, le paiement à sa carte."),
    )


def _too_late(order: Order, _completion: int | None, rules: Rules) -> Settlement:
    """Rights are lost, what was granted for this dossier goes back, a payment becomes a credit.

    The organisation has an indemnity, taken from what is lost and never above it.
    """
    is_lost = [line.kind != CARD and line.kind not in rules.late_returned_purses for line in order.lines]
    lost = [line.cents if gone else 0 for line, gone in zip(order.lines, is_lost, strict=True)]
    indemnity = min(order.price_cents * rules.late_indemnity_percent // WHOLE, sum(lost))
    parts = in_parts(indemnity, lost)
    return Settlement(
        tuple(
            Share(line, forfeited=line.cents - part, provider=part)
            if gone
            else Share(line, credited=line.cents)
            if line.kind == CARD
            else Share(line, returned=line.cents)
            for line, gone, part in zip(order.lines, is_lost, parts, strict=True)
        ),
        _(
            "Annulation tardive ou absence : les droits sont perdus, les aides données pour cette formation "
            "reviennent à leurs financeurs, ce qui a été payé reste en avoir sur le compte."
        ),
    )


def _by_bands(order: Order, completion: int | None, rules: Rules) -> Settlement:
    """Nothing comes back; the organisation has what was done, at least so much, all of it from so much."""
    rate = _checked(completion)
    owed = WHOLE if rate >= rules.completion_full_percent else max(rate, rules.completion_floor_percent)
    due = order.price_cents * owed // WHOLE
    parts = in_parts(due, [line.cents for line in order.lines])
    return Settlement(
        tuple(
            Share(line, forfeited=line.cents - part, provider=part)
            for line, part in zip(order.lines, parts, strict=True)
        ),
        _("Réalisé à %(rate)s %% : l’organisme reçoit tout le prix.") % {"rate": rate}
        if owed == WHOLE
        else _("Réalisé à %(rate)s %% : l’organisme reçoit %(owed)s %% du prix, le reste est perdu.")
        % {"rate": rate, "owed": owed},
    )


def _pro_rata(order: Order, completion: int | None, _rules: Rules) -> Settlement:
    """The organisation has the rate, and each line has the rest back in proportion."""
    rate = _checked(completion)
    back = order.price_cents - order.price_cents * rate // WHOLE
    parts = in_parts(back, [line.cents for line in order.lines])
    return Settlement(
        tuple(
            Share(line, returned=part, provider=line.cents - part)
            for line, part in zip(order.lines, parts, strict=True)
        ),
        _("Réalisé à %(rate)s %% : l’organisme reçoit ce qui a été fait, le reste revient.") % {"rate": rate},
    )


def _complete(order: Order, completion: int | None, _rules: Rules) -> Settlement:
    """The organisation has the price."""
    if completion not in (None, WHOLE):
        raise ValueError(f"what is complete is done at {WHOLE} %, not {completion}")
    return Settlement(
        tuple(Share(line, provider=line.cents) for line in order.lines),
        _("Formation suivie en entier : l’organisme reçoit le prix."),
    )


CAUSES: dict[Cause, Callable[[Order, int | None, Rules], Settlement]] = {
    Cause.FREELY_CANCELLED: _all_back,
    Cause.CANCELLED_LATE: _too_late,
    Cause.CANCELLED_BY_FORCE_MAJEURE: _all_back,
    Cause.NO_SHOW: _too_late,
    Cause.NO_SHOW_BY_FORCE_MAJEURE: _all_back,
    Cause.CANCELLED_BY_PROVIDER: _all_back,
    Cause.CANCELLED_BY_FUNDER: _all_back,
    Cause.COMPLETE: _complete,
    Cause.PARTIAL: _by_bands,
    Cause.PARTIAL_BY_FORCE_MAJEURE: _pro_rata,
    Cause.INTERRUPTED: _all_back,
    Cause.INTERRUPTED_AND_POSTPONED: _pro_rata,
}
TOO_LATE = frozenset(cause for cause, rule in CAUSES.items() if rule is _too_late)
"""After which what a funder gave for this training alone goes back to it, and not to the holder's purse."""
MEASURED = frozenset(cause for cause, rule in CAUSES.items() if rule in (_by_bands, _pro_rata))
"""What asks how much was done."""


def _checked(completion: int | None) -> int:
    if type(completion) is not int or not 0 <= completion <= WHOLE:
        raise ValueError(f"a completion is a whole number from 0 to {WHOLE}, not {completion!r}")
    return completion


# --- Rounding ---------------------------------------------------------------------------------------------


def in_parts(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in proportion to `weights`, which it does not exceed: largest remainder, ties to the first.

    Never above a weight; always adding up. ValueError: more than there is to share.
    """
    whole = sum(weights)
    if not 0 <= total <= whole:
        raise ValueError(f"{total} is not between nothing and {whole}")
    if not total:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_remainder[:left]:
        parts[place] += 1
    return parts

"""Hours into euros, or euros into hours, when somebody changes sector: pure arithmetic.

Units: euro cents, whole hours. One hour is worth the same both ways; an hour of volunteering has its own
worth (handbook: 15 € and 12 €, rows of the rulebook). Nothing is lost: what the target's cap, the limit of
repeated moves or the rounding leaves out stays where it was, in its own unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from rights.kinds import PocketKind, Unit
from rights.ledger import Change


@dataclass(frozen=True, slots=True)
class Source:
    """A purse to convert: what it holds, in its own unit."""

    pocket_id: UUID
    kind: PocketKind
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`cap`: the most the target may hold, in its unit; `held`: what it holds. `hours_left`: what repeated
    moves still allow; None: this is the first one."""

    cap: int
    held: int
    hours_left: int | None = None

    @property
    def room(self) -> int:
        return max(self.cap - self.held, 0)


def hours_left(*, hours_before: int, hours_max: int, is_first: bool) -> int | None:
    """What a repeated move may still convert, after so many hours in the same period of years."""
    return None if is_first else max(hours_max - hours_before, 0)


def to_hours(sources: Sequence[Source], limits: Limits, *, hour_cents: int) -> list[Change]:
    """Yearly euros into hours, rounded up once over all purses (docs/decisions.md, 12)."""
    most = limits.room if limits.hours_left is None else min(limits.room, limits.hours_left)
    changes: list[Change] = []
    seen, given = 0, 0
    for source in sources:
        seen += source.amount
        wanted = -(-seen // hour_cents)  # rounded up
        hours = min(wanted, most) - given
        if hours <= 0:
            # The last hour was rounded up over these cents, or the limit is reached: they stay in euros.
            seen -= source.amount
            continue
        taken = source.amount if wanted <= most else _cents_of(hours, source, seen, given, hour_cents)
        changes.append(Change(source.pocket_id, taken, PocketKind.ANNUAL, Unit.HOUR, hours))
        given += hours
    return changes


def to_euros(source: Source, limits: Limits, *, hour_cents: int) -> list[Change]:
    """A public agent's hours into euros, whole hours only."""
    hours = min(source.amount, limits.room // hour_cents)
    if limits.hours_left is not None:
        hours = min(hours, limits.hours_left)
    if hours <= 0:
        return []
    return [Change(source.pocket_id, hours, PocketKind.ANNUAL, Unit.EUR_CENT, hours * hour_cents)]


def volunteer_to_hours(source: Source, *, hour_cents: int) -> list[Change]:
    """Euros of volunteering into hours, to the nearest whole hour, half an hour up."""
    hours = (2 * source.amount + hour_cents) // (2 * hour_cents)
    if hours == 0:
        return []
    return [Change(source.pocket_id, source.amount, PocketKind.VOLUNTEER, Unit.HOUR, hours)]


def volunteer_to_euros(source: Source, limits: Limits, *, hour_cents: int) -> list[Change]:
    """Hours of volunteering into euros, up to the cap of that account."""
    hours = min(source.amount, limits.room // hour_cents)
    if hours <= 0:
        return []
    return [Change(source.pocket_id, hours, PocketKind.VOLUNTEER, Unit.EUR_CENT, hours * hour_cents)]


def _cents_of(hours: int, source: Source, seen: int, given: int, hour_cents: int) -> int:
    """What so many whole hours cost, beyond what the purses before have given over."""
    surplus = (seen - source.amount) - given * hour_cents
    return min(source.amount, hours * hour_cents - surplus)

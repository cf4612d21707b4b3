"""What the coming years would give, if the last situation known goes on: an estimate, and pure arithmetic.

The sums are those of the ledger (`rights.crediting`), with the rules in force today. Nothing is spent in
between, nobody changes their life: so it is a picture of the rule, never a promise. Units: those of the
account, euro cents or whole hours.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rights.crediting import Account, Result, Situation, Words, compute
from rights.kinds import Unit
from rulebook.rules import CreditingRules

SHOWN = 12
"""Years of a table that one still reads; the cap may come later, and is then told in words."""
LONGEST = 50
"""A working life: whoever has not reached the cap by then never does."""


@dataclass(frozen=True, slots=True)
class Year:
    """A year worked, and what it would add in the year after. `balance`: what the capped rights then hold."""

    worked: int
    due_on: datetime.date
    credit: int
    lost: int
    balance: int

    @property
    def before(self) -> int:
        return self.balance - self.credit


@dataclass(frozen=True, slots=True)
class Forecast:
    """`years`: until the cap, and the first year that it cuts whole; `SHOWN` at most.

    `full_on`: the year in which the cap is reached, None when it is not for a working life.
    `lost_after`: what each later year would lose. `cap`, `sentence`: of the next credit; `last_cap`: of the
    last year computed, lower once an increase has ended.
    """

    unit: Unit
    balance: int
    cap: int
    last_cap: int
    years: tuple[Year, ...]
    full_on: int | None
    lost_after: int
    sentence: str

    @property
    def next(self) -> Year:
        return self.years[0]

    @property
    def grows(self) -> bool:
        """This situation feeds the account, were it not for the cap."""
        return any(year.credit or year.lost for year in self.years)

    @property
    def is_cut_next(self) -> bool:
        """The next credit would lose something."""
        return self.next.lost > 0

    @property
    def is_full(self) -> bool:
        return self.balance >= self.cap


def forecast(
    situations: Sequence[Situation],
    *,
    account_in: Callable[[int], Account],
    rules: CreditingRules,
    first_year: int,
) -> Forecast:
    """Year after year from `first_year` worked. `account_in(year)`: the holder then, with today's balances.

    NotCreditable: as for the credit itself.
    """
    words = Words()
    first = compute(situations, account=account_in(first_year), rules=rules, words=words)
    start = balance = account_in(first_year).balance(first.unit)
    years: list[Year] = []
    full_on, lost_after, last_cap = None, 0, first.cap
    for worked in range(first_year, first_year + LONGEST):
        result = _of_year(worked, balance, situations, account_in, rules, words, first.unit)
        balance += result.credit
        years.append(Year(worked, due_day(worked, rules), result.credit, result.lost, balance))
        last_cap = result.cap
        if result.lost and not result.credit:
            # A whole year above the cap says what all later ones lose.
            lost_after = result.lost
            if start < first.cap and full_on is None:
                full_on = worked + 1
            break
        if not result.due:
            break
        if full_on is None and balance >= result.cap:
            full_on = worked + 1
    return Forecast(
        unit=first.unit,
        balance=start,
        cap=first.cap,
        last_cap=last_cap,
        years=tuple(years[:SHOWN]),
        full_on=full_on,
        lost_after=lost_after,
        sentence=first.sentence,
    )


def _of_year(
    worked: int,
    balance: int,
    situations: Sequence[Situation],
    account_in: Callable[[int], Account],
    rules: CreditingRules,
    words: Words,
    unit: Unit,
) -> Result:
    then = account_in(worked)
    is_hours = unit == Unit.HOUR
    then = replace(then, balance_hours=balance) if is_hours else replace(then, balance_cents=balance)
    return compute(situations, account=then, rules=rules, words=words)


def due_day(worked: int, rules: CreditingRules) -> datetime.date:
    """By when the credit of this year is expected."""
    month, day = rules.yearly_credit_due
    return datetime.date(worked + 1, month, day)


def first_year_to_come(*, known: int, is_credited: bool, today: datetime.date, rules: CreditingRules) -> int:
    """The next year worked whose credit can still be expected.

    `known`: the last year that a statement tells of. Its own credit, where it has not come; else the year
    after, unless that one's day has passed without a statement.
    """
    if not is_credited:
        return known
    last = today.year - 1
    expected = last if today <= due_day(last, rules) else today.year
    return max(known + 1, expected)


# --- The same as a drawing ----------------------------------------------------------------------------

WIDTH, HEIGHT, TOP, FLOOR = 480, 240, 28, 204
"""Of the drawing, in its own units: bars stand on `FLOOR`, the cap lies at `TOP`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One year: what was there, and what it adds on top. `label`: shown where there is room for it."""

    year: int
    x: int
    width: int
    middle: int
    held_top: int
    held_height: int
    added_top: int
    added_height: int
    has_label: bool


def bars(forecast: Forecast) -> list[Bar]:
    """Where the bars of a forecast stand. The higher of cap and balances reaches `TOP`."""
    top = _highest(forecast)
    step = WIDTH // len(forecast.years)
    width = min(step * 2 // 3, 48)
    every = 1 if step >= 56 else 2
    drawn = []
    for number, year in enumerate(forecast.years):
        x = number * step + (step - width) // 2
        whole = year.balance * (FLOOR - TOP) // top
        held = year.before * (FLOOR - TOP) // top
        drawn.append(
            Bar(
                year=year.worked + 1,
                x=x,
                width=width,
                middle=x + width // 2,
                held_top=FLOOR - held,
                held_height=held,
                added_top=FLOOR - whole,
                added_height=whole - held,
                has_label=number % every == 0,
            )
        )
    return drawn


def cap_line(forecast: Forecast) -> int:
    """The height at which the cap is drawn."""
    return FLOOR - forecast.last_cap * (FLOOR - TOP) // _highest(forecast)


def _highest(forecast: Forecast) -> int:
    return max([forecast.last_cap, *(year.balance for year in forecast.years)]) or 1

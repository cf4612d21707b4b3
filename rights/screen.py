"""What « Mes droits » shows, gathered once: each part says where it comes from."""

import datetime
from dataclasses import dataclass

import rulebook
from accounts.models import HolderProfile
from accounts.permissions import enrolment_obstacle
from rights import explanations, forecast, statements
from rights.explanations import Explanation
from rights.kinds import Unit
from rights.ledger import amount_in_words
from rights.prospects import Prospects, prospects
from rights.provenance import Share, split
from rights.statements import DayBalances, Line, PocketLine, Statement
from rulebook import Rules
from rulebook.workdays import paris_day


@dataclass(frozen=True)
class ShareLine:
    """A share of the bar, with its words."""

    share: Share
    unit: str

    @property
    def name(self) -> str:
        return str(self.share.provenance.label)

    @property
    def amount_in_words(self) -> str:
        return amount_in_words(self.share.amount, self.unit)


@dataclass(frozen=True)
class CapNotice:
    """The next credit would be cut, or nothing more comes in. Amounts in words; `due_on` None once past."""

    is_full: bool
    cap: str
    balance: str
    credit: str
    lost: str
    due_on: datetime.date | None


@dataclass(frozen=True)
class YearLine:
    """A row of the forecast."""

    worked: int
    due_on: datetime.date
    credit: str
    lost: str
    balance: str


@dataclass(frozen=True)
class ForecastView:
    """The forecast in words, and where its bars stand."""

    prospects: Prospects
    lines: list[YearLine]
    bars: list[forecast.Bar]
    cap_line: int
    cap: str
    lost_after: str

    @property
    def found(self) -> forecast.Forecast:
        return self.prospects.forecast

    @property
    def is_cut_short(self) -> bool:
        """There are more years before the cap than the table shows."""
        return len(self.lines) == forecast.SHOWN and not self.found.years[-1].lost


@dataclass(frozen=True)
class Screen:
    """Everything beside the history."""

    statement: Statement
    pockets: list[tuple[PocketLine, list[Line]]]
    euro_shares: list[ShareLine]
    hour_shares: list[ShareLine]
    obstacle: str | None
    is_by_employer: bool
    hour_value: str
    cap_notice: CapNotice | None
    outlook: ForecastView | None
    past: DayBalances | None

    @property
    def is_in_hours_only(self) -> bool:
        """A public agent who has no euros: their number is in hours."""
        return self.is_by_employer and self.statement.has_hours and not self.statement.total_cents


def screen(
    holder: HolderProfile, *, statement: Statement, at: datetime.datetime, day: datetime.date | None
) -> Screen:
    """`day`: the past day asked for. At most seven queries, one more for a past day."""
    today = paris_day(at)
    rules = rulebook.on(today)
    found = statements.sources(statement.pockets)
    balances = _capped(statement, rules)
    ahead = prospects(holder, today=today, rules=rules, balances=balances)
    return Screen(
        statement=statement,
        pockets=[(pocket, found.get(pocket.id, [])) for pocket in statement.pockets],
        euro_shares=_shares(statement, Unit.EUR_CENT),
        hour_shares=_shares(statement, Unit.HOUR),
        obstacle=enrolment_obstacle(holder, on=today, rules=rules),
        is_by_employer=holder.status in rules.enrolment_by_employer_statuses,
        hour_value=amount_in_words(rules.conversion_hour_cents, Unit.EUR_CENT),
        cap_notice=_cap_notice(ahead, balances, rules, today),
        outlook=ahead and _outlook(ahead),
        past=statements.balances_on(holder, day=day) if day else None,
    )


def explained(lines: list[Line], *, holder: HolderProfile) -> list[tuple[Line, Explanation | None]]:
    """Each line of a page of history, with its source and its rule."""
    found = explanations.explain([line.told for line in lines], holder=holder)
    return [(line, found.get(line.id)) for line in lines]


def _capped(statement: Statement, rules: Rules) -> dict[Unit, int]:
    """What the capped rights hold, by unit: as the yearly credit compares them with the cap."""
    return {
        unit: sum(
            line.balance
            for line in statement.pockets
            if line.unit == unit and line.kind in rules.capped_purses and not line.funder
        )
        for unit in Unit
    }


def _shares(statement: Statement, unit: Unit) -> list[ShareLine]:
    usable = [(line.kind, line.balance) for line in statement.usable if line.unit == unit]
    return [ShareLine(share, unit) for share in split(usable)]


def _cap_notice(
    ahead: Prospects | None, balances: dict[Unit, int], rules: Rules, today: datetime.date
) -> CapNotice | None:
    if ahead is None:
        # Nothing is known of their work: only what is full already can be told.
        balance = balances[Unit.EUR_CENT]
        if balance < rules.annual_cap_cents:
            return None
        cap, held = (amount_in_words(cents, Unit.EUR_CENT) for cents in (rules.annual_cap_cents, balance))
        return CapNotice(True, cap, held, "", "", None)
    found = ahead.forecast
    if not found.is_cut_next:
        return None
    due_on = found.next.due_on
    return CapNotice(
        is_full=found.is_full,
        cap=amount_in_words(found.cap, found.unit),
        balance=amount_in_words(found.balance, found.unit),
        credit=amount_in_words(found.next.credit, found.unit),
        lost=amount_in_words(found.next.lost, found.unit),
        due_on=due_on if due_on >= today else None,
    )


def _outlook(ahead: Prospects) -> ForecastView:
    found = ahead.forecast
    return ForecastView(
        prospects=ahead,
        lines=[
            YearLine(
                worked=year.worked,
                due_on=year.due_on,
                credit=f"+{amount_in_words(year.credit, found.unit)}",
                lost=amount_in_words(year.lost, found.unit) if year.lost else "",
                balance=amount_in_words(year.balance, found.unit),
            )
            for year in found.years
        ],
        bars=forecast.bars(found),
        cap_line=forecast.cap_line(found),
        cap=amount_in_words(found.last_cap, found.unit),
        lost_after=amount_in_words(found.lost_after, found.unit) if found.lost_after else "",
    )

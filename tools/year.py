"""A year of a portal through the pure rules: thousands of registrations, day by day, without a database.

Each is planned (`dossiers.funding`), waits by its clocks (`rulebook.workdays`, `dossiers.clocks`), goes on or
ends as the table of moves allows (`dossiers.states`), and is settled (`dossiers.settlement`). The same seed
plays the same year. At the end of every day, money in is money out, to the cent, for each dossier that
something happened to; at the end of the year, for all. Else the run stops and says which day.

    python3 dev.py run tools/year.py [--dossiers 10000] [--days 365] [--seed 1]

Goal: 10,000 dossiers over 365 days in 60 s. Else ends with 1.
"""

import argparse
import heapq
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from dossiers import clocks, funding, settlement  # noqa: E402 - models need Django set up
from dossiers.settlement import Cause  # noqa: E402
from dossiers.states import FINAL_STATES, MOVES, ClockKind, State  # noqa: E402
from rights.kinds import PocketKind  # noqa: E402
from rulebook import Rules, loading, workdays  # noqa: E402

GOAL_SECONDS, GOAL_DOSSIERS, GOAL_DAYS = 60, 10_000, 365
BEGINS = date(2026, 1, 5)
PURSES = (PocketKind.ANNUAL, PocketKind.INCREASE, PocketKind.DOTATION, PocketKind.TOP_UP, PocketKind.CREDIT)
STATUSES = ("private_employee", "job_seeker", "self_employed")
PLACES = ("purses", "reserved", "spent", "provider", "funder", "forfeited", "card")

ROWS = loading.read()


@cache
def rules_on(day: date) -> Rules:
    return loading.rules_in_file(day, rows=ROWS)


@dataclass
class Life:
    """One registration and its holder. `money`: where every cent is; `put_in`: all that came, cards too."""

    number: int
    purses: list[funding.Purse]
    status: str
    price_cents: int
    starts_on: date
    lasts: int
    state: State = State.DRAFT
    accepted_on: date | None = None
    free_until: datetime | None = None
    lines: tuple[settlement.Paid, ...] = ()
    money: Counter = field(default_factory=Counter)
    put_in: int = 0

    @property
    def ends_on(self) -> date:
        return self.starts_on + timedelta(days=self.lasts)


class Year:
    """The lives of a year, the earliest thing to happen first."""

    def __init__(self, count: int, *, days: int, seed: int):
        self.luck = random.Random(seed)  # noqa: S311, the same seed plays the same year
        self.last = BEGINS + timedelta(days=days - 1)
        self.lives = [self._born(number, days=days) for number in range(count)]
        self.agenda = [(self._day(days), number) for number in range(count)]
        heapq.heapify(self.agenda)
        self.moves: Counter[str] = Counter()

    def play(self) -> None:
        day = BEGINS
        while day <= self.last:
            touched = []
            while self.agenda and self.agenda[0][0] <= day:
                _due, number = heapq.heappop(self.agenda)
                life = self.lives[number]
                touched.append(life)
                following = self._step(life, day)
                if following is not None and life.state not in FINAL_STATES:
                    heapq.heappush(self.agenda, (max(following, day + timedelta(days=1)), number))
            self._check(day, touched)
            day += timedelta(days=1)
        self._check(day, self.lives)

    def _check(self, day: date, lives: list[Life]) -> None:
        """Money in is money out, and nothing is left where a dossier that is over had its money."""
        for life in lives:
            if sum(life.money.values()) != life.put_in:
                sys.exit(f"{day}: dossier {life.number} had {life.put_in} and has {life.money}")
            if min(life.money.values(), default=0) < 0:
                sys.exit(f"{day}: dossier {life.number} owes {life.money}")
            if life.state in FINAL_STATES and (life.money["reserved"] or life.money["spent"]):
                sys.exit(f"{day}: dossier {life.number} is {life.state} and holds {life.money}")

    # --- Who they are ----------------------------------------------------------------------------

    def _day(self, days: int) -> date:
        return BEGINS + timedelta(days=self.luck.randrange(days))

    def _born(self, number: int, *, days: int) -> Life:
        purses = [
            funding.Purse(
                UUID(int=number * 10 + place + 1),
                kind,
                kind.value,
                self.luck.randrange(0, 250_000),
                funder_kind="region" if kind == PocketKind.TOP_UP else "",
            )
            for place, kind in enumerate(self.luck.sample(PURSES, self.luck.randint(1, 4)))
        ]
        life = Life(
            number,
            purses,
            self.luck.choice(STATUSES),
            self.luck.randrange(10_000, 400_000),
            self._day(days),
            self.luck.randrange(0, 90),
        )
        life.money["purses"] = life.put_in = sum(purse.balance_cents for purse in purses)
        return life

    # --- What they do ----------------------------------------------------------------------------

    def _step(self, life: Life, day: date) -> date | None:
        """One thing happens, or nothing; when to come back."""
        return getattr(self, f"_in_{life.state}")(life, day)

    def _go(self, life: Life, verb: str, target: State) -> None:
        if life.state not in MOVES[verb].sources or target not in MOVES[verb].targets:
            raise ValueError(f"{verb} does not lead from {life.state} to {target}")
        life.state = target
        self.moves[verb] += 1

    def _wait(self, kind: ClockKind, day: date, starts_on: date | None = None) -> date:
        """The first day that is too late."""
        period = clocks.period_of(kind, at=_noon(day), rules=rules_on(day), starts_on=starts_on)
        return period.last_day + timedelta(days=1)

    def _in_draft(self, life: Life, day: date) -> date:
        life.starts_on = workdays.earliest_start(day, rules_on(day).earliest_start_days) + timedelta(
            days=self.luck.randrange(2, 80)
        )
        self._go(life, "submit", State.REQUESTED)
        return self._some_day(day, self._wait(ClockKind.PROVIDER_ANSWER, day))

    def _in_requested(self, life: Life, day: date) -> date | None:
        verb = self.luck.choices(["propose", "refuse", "cancel", "lapse"], [80, 8, 6, 6])[0]
        targets = {
            "propose": State.PROPOSED,
            "refuse": State.REFUSED_BY_PROVIDER,
            "cancel": State.CANCELLED_BY_HOLDER,
            "lapse": State.LAPSED,
        }
        self._go(life, verb, targets[verb])
        return self._some_day(day, self._wait(ClockKind.HOLDER_ANSWER, day, life.starts_on))

    def _in_proposed(self, life: Life, day: date) -> date | None:
        verb = self.luck.choices(["accept", "decline", "lapse", "call_off"], [84, 6, 6, 4])[0]
        if verb != "accept":
            targets = {"decline": State.REFUSED_BY_HOLDER, "lapse": State.LAPSED}
            self._go(life, verb, targets.get(verb, State.CANCELLED_BY_PROVIDER))
            return None
        plan = funding.plan(
            price_cents=life.price_cents, purses=life.purses, status=life.status, rules=rules_on(day)
        )
        life.lines = tuple(settlement.Paid(line.kind, line.amount_cents) for line in plan.lines)
        life.money["purses"] -= plan.rights_cents
        life.money["reserved"] += plan.rights_cents
        if plan.remainder_cents:
            life.lines += (settlement.Paid(settlement.CARD, plan.remainder_cents),)
            self._go(life, "accept", State.AWAITING_PAYMENT)
            return self._some_day(day, self._wait(ClockKind.PAYMENT, day, life.starts_on))
        self._confirm(life, "accept", day)
        return self._some_day(day, life.starts_on)

    def _in_awaiting_payment(self, life: Life, day: date) -> date | None:
        verb = self.luck.choices(
            ["confirm_payment", "cancel", "lapse", "call_off_for_funder"], [85, 5, 8, 2]
        )[0]
        if verb == "confirm_payment":
            paid = life.lines[-1].cents
            life.put_in += paid
            life.money["reserved"] += paid
            self._confirm(life, verb, day)
            return self._some_day(day, life.starts_on)
        targets = {"cancel": State.CANCELLED_BY_HOLDER, "lapse": State.LAPSED}
        self._go(life, verb, targets.get(verb, State.CANCELLED_BY_FUNDER))
        life.money["purses"] += life.money.pop("reserved", 0)
        return None

    def _confirm(self, life: Life, verb: str, day: date) -> None:
        self._go(life, verb, State.ACCEPTED)
        life.accepted_on = day
        period = clocks.free_period(accepted_at=_noon(day), starts_on=life.starts_on, rules=rules_on(day))
        life.free_until = period.expires_at

    def _in_accepted(self, life: Life, day: date) -> date | None:
        if day < life.starts_on:
            leaves = self.luck.random()
            if leaves < 0.15:
                return self._leave(life, day)
            if leaves < 0.2:
                self._settle(life, "call_off", State.CANCELLED_BY_PROVIDER, Cause.CANCELLED_BY_PROVIDER)
                return None
            if leaves < 0.25:
                self._go(life, "postpone", State.POSTPONED)
                return self._some_day(day, self._wait(ClockKind.POSTPONEMENT, day))
            return life.starts_on
        if self.luck.random() < 0.1 and day > life.starts_on:
            self._go(life, "report_absence", State.ABSENT)
            return self._some_day(day, self._wait(ClockKind.ABSENCE, day))
        if day > life.ends_on:
            return None  # never declared: nothing moves by itself
        self._go(life, "enter", State.IN_TRAINING)
        life.money["spent"] += life.money.pop("reserved", 0)
        return life.ends_on + timedelta(days=self.luck.randrange(0, 6))

    def _in_postponed(self, life: Life, day: date) -> date | None:
        verb = self.luck.choices(["agree_to_dates", "leave_free", "undo_unanswered"], [70, 20, 10])[0]
        if verb != "agree_to_dates":
            self._settle(life, verb, State.CANCELLED_BY_PROVIDER, Cause.CANCELLED_BY_PROVIDER)
            return None
        self._go(life, verb, State.ACCEPTED)
        rules = rules_on(day)
        life.starts_on = workdays.earliest_start(day, rules.earliest_start_days) + timedelta(
            days=self.luck.randrange(0, 60)
        )
        life.free_until = clocks.free_period(
            accepted_at=_noon(day), starts_on=life.starts_on, rules=rules
        ).expires_at
        return self._some_day(day, life.starts_on)

    def _leave(self, life: Life, day: date) -> date | None:
        if life.free_until is not None and _noon(day) < life.free_until:
            self._settle(life, "withdraw", State.CANCELLED_BY_HOLDER, Cause.FREELY_CANCELLED)
            return None
        if self.luck.random() < 0.4:
            self._go(life, "claim", State.CLAIMED)
            return day + timedelta(days=self.luck.randrange(1, 15))
        self._settle(life, "cancel_late", State.CANCELLED_BY_HOLDER, Cause.CANCELLED_LATE)
        return None

    def _in_absent(self, life: Life, day: date) -> date | None:
        if self.luck.random() < 0.4:
            self._go(life, "claim", State.CLAIMED)
            return day + timedelta(days=self.luck.randrange(1, 15))
        self._settle(life, "settle_absence", State.NO_SHOW, Cause.NO_SHOW)
        return None

    def _in_claimed(self, life: Life, day: date) -> None:
        is_before = day < life.starts_on
        target = State.CANCELLED_BY_HOLDER if is_before else State.NO_SHOW
        if self.luck.random() < 0.5:
            cause = Cause.CANCELLED_BY_FORCE_MAJEURE if is_before else Cause.NO_SHOW_BY_FORCE_MAJEURE
            self._settle(life, "grant_claim", target, cause)
        else:
            self._settle(life, "reject_claim", target, Cause.CANCELLED_LATE if is_before else Cause.NO_SHOW)

    def _in_in_training(self, life: Life, day: date) -> date:
        self._go(life, "end", State.ENDED)
        return self._some_day(day, self._wait(ClockKind.COMPLETION, day))

    def _in_ended(self, life: Life, day: date) -> date:
        self._go(life, "declare_completion", State.COMPLETION_DECLARED)
        return self._wait(ClockKind.VALIDATION, day)

    def _in_completion_declared(self, life: Life, _day: date) -> None:
        cause = self.luck.choices(
            [Cause.COMPLETE, Cause.PARTIAL, Cause.PARTIAL_BY_FORCE_MAJEURE, Cause.INTERRUPTED,
             Cause.INTERRUPTED_AND_POSTPONED],
            [70, 15, 8, 4, 3],
        )[0]  # fmt: skip
        rate = self.luck.randrange(0, 100) if cause in settlement.MEASURED else None
        self._settle(life, "validate", State.COMPLETION_VALIDATED, cause, rate)

    def _some_day(self, day: date, too_late: date) -> date:
        """Between tomorrow and the last day in time."""
        return day + timedelta(days=self.luck.randrange(1, max((too_late - day).days, 2)))

    def _settle(
        self, life: Life, verb: str, target: State, cause: Cause, completion: int | None = None
    ) -> None:
        if life.accepted_on is None:
            raise ValueError("only what was confirmed is settled")
        order = settlement.Order(life.price_cents, life.lines)
        settled = settlement.split(order, completion, cause, rules_on(life.accepted_on))
        self._go(life, verb, target)
        life.money["reserved"] = life.money["spent"] = 0
        to_funders = sum(
            share.returned
            for share in settled.shares
            if cause in settlement.TOO_LATE and share.line.kind != settlement.CARD
        )
        life.money["purses"] += settled.returned_cents - to_funders + settled.credit_cents
        life.money["funder"] += to_funders
        life.money["card"] += settled.refunded_card_cents
        life.money["forfeited"] += settled.forfeited_cents
        life.money["provider"] += settled.provider_cents


def _noon(day: date) -> datetime:
    return workdays.midnight_of(day) + timedelta(hours=12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dossiers", type=int, default=GOAL_DOSSIERS)
    parser.add_argument("--days", type=int, default=GOAL_DAYS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    begun = time.perf_counter()
    year = Year(asked.dossiers, days=asked.days, seed=asked.seed)
    year.play()
    took = time.perf_counter() - begun
    states = Counter(str(life.state) for life in year.lives)
    where = {place: sum(life.money[place] for life in year.lives) for place in PLACES}
    print(
        f"{asked.dossiers} dossiers, {asked.days} days, seed {asked.seed}: {sum(year.moves.values())} moves"
    )
    for title, counted in (("moves", year.moves), ("states", states), ("cents", where)):
        print(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counted.items())))
    goal = GOAL_SECONDS * (asked.dossiers * asked.days) / (GOAL_DOSSIERS * GOAL_DAYS)
    print(f"{took:.1f} s, goal {goal:.0f} s: {'reached' if took <= goal else 'NOT REACHED'}")
    sys.exit(0 if took <= goal else 1)


if __name__ == "__main__":
    main()

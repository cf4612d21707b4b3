"""Two credits at once, with real commits: one year given once, and never above the cap.

Each race is first shown to happen where its guard is away.
"""

import contextlib
import threading

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import crediting_year, integrity
from rights.kinds import PocketKind
from rights.models import Movement, Pocket, YearlyCredit
from tests.concurrency.crowd import PATIENCE_SECONDS, together
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, YearlyStatementFactory
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
CAP = 5000_00


def credit(year, **options):
    return crediting_year.credit_year(year, at=timezone.now(), by=SYSTEM, **options)


def meet_before_posting(monkeypatch, *, patience):
    """Two runs have both computed before either writes, or one has waited so many seconds for the other."""
    barrier = threading.Barrier(2, timeout=patience)
    post = crediting_year._Run._post

    def wait_then_post(*arguments):
        # Broken: the other one is held by a lock, as it should be.
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait()
        return post(*arguments)

    monkeypatch.setattr(crediting_year._Run, "_post", wait_then_post)


@pytest.fixture
def met_before_posting(monkeypatch):
    """As far as the guards let them."""
    meet_before_posting(monkeypatch, patience=2)


@pytest.fixture
def always_met_before_posting(monkeypatch):
    """Where no guard keeps them apart: the fault is shown every time."""
    meet_before_posting(monkeypatch, patience=PATIENCE_SECONDS)


def nearly_full():
    """Room for 300 € under the cap, and two whole years to credit."""
    holder = HolderFactory()
    CreditFactory(holder=holder, amount=CAP - 300_00)
    for year in (2024, 2025):
        YearlyStatementFactory(holder=holder, year=year)
    return holder


def balance(holder):
    return Pocket.objects.get(holder=holder, kind=PocketKind.ANNUAL).balance


def test_without_the_lock_two_years_at_once_fill_an_account_above_its_cap(
    always_met_before_posting, unguarded_ledger
):
    with unguarded_ledger():
        holder = nearly_full()
        together([lambda: credit(2024), lambda: credit(2025)])
        assert balance(holder) > CAP


def test_two_years_at_once_stop_at_the_cap(met_before_posting):
    holder = nearly_full()
    results = together([lambda: credit(2024), lambda: credit(2025)])
    assert [result.credited for result in results] == [1, 1], results
    assert balance(holder) == CAP
    assert sum(YearlyCredit.objects.values_list("lost", flat=True)) == 700_00
    assert integrity.check() == []


def test_without_its_unique_key_a_year_would_be_given_twice(met_before_posting, monkeypatch):
    """The account of the year is what makes it given once: taken away, both runs would write."""
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder)
    careless = crediting_year._POST.replace("JOIN done USING (holder_id)", "").replace(
        "SELECT kind, key, source_id", "SELECT kind, key || ':' || pg_backend_pid(), source_id"
    )
    monkeypatch.setattr(crediting_year, "_POST", careless)
    together([lambda: credit(2025), lambda: credit(2025)])
    assert balance(holder) == 1000_00


def test_one_year_from_two_runs_at_once_is_given_once(met_before_posting):
    holders = HolderFactory.create_batch(20)
    for holder in holders:
        YearlyStatementFactory(holder=holder, boe=True)
    results = together([lambda: credit(2025, lot=7), lambda: credit(2025, lot=5)])
    assert sum(result.credited for result in results) == 20, results
    assert [balance(holder) for holder in holders] == [500_00] * 20
    assert Movement.objects.count() == 40
    assert credit(2025).seen == 0
    assert integrity.check() == []


def test_several_workers_do_the_same_as_one():
    for holder in HolderFactory.create_batch(30):
        YearlyStatementFactory(holder=holder, worked=700)
    told = []
    report = credit(2025, lot=4, workers=3, progress=told.append)
    assert (report.credited, report.movements, sum(told)) == (30, 30, 30)
    assert set(Pocket.objects.filter(kind=PocketKind.ANNUAL).values_list("balance", flat=True)) == {217_80}
    assert integrity.check() == []


def test_what_a_worker_meets_is_told_and_nothing_is_left_open():
    holder = HolderFactory()
    CreditFactory(holder=holder, key=f"annual:2025:{holder.pk}:1:annual", amount=100)
    YearlyStatementFactory(holder=holder)
    begun = timezone.now()
    with pytest.raises(Exception, match="duplicate key"):
        credit(2025, workers=2)
    assert YearlyCredit.objects.count() == 0

    def nothing_is_open() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND backend_start > %s",
                [begun],
            )
            return cursor.fetchone() == (0,)

    # A connection that was closed here may still be ending in PostgreSQL: five seconds are plenty.
    assert wait_for(nothing_is_open, limit=5)


def test_of_two_first_years_at_once_the_second_is_computed_again_on_what_the_first_gave(monkeypatch):
    """Nobody has a pocket yet, so there is nothing to lock: both compute, then both want to open it."""
    holder = HolderFactory()
    for year in (2024, 2025):
        YearlyStatementFactory(holder=holder, year=year)
    barrier = threading.Barrier(2, timeout=5)
    opened = crediting_year._open

    def meet_then_open(places):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait()
        return opened(places)

    monkeypatch.setattr(crediting_year, "_open", meet_then_open)

    together([lambda year=year: credit(year) for year in (2024, 2025)])

    assert balance(holder) == 1_000_00
    seen = YearlyCredit.objects.filter(holder=holder).values_list("balance_before", flat=True)
    assert sorted(seen) == [0, 500_00]
    assert integrity.check() == []

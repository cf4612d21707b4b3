"""Real threads, real commits. Each race is first shown to happen where its guard is away.

The negative controls run the careless code people write: read the balance, then move the money.
"""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import integrity, ledger
from rights.kinds import MovementKind, PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("the_ledger_alone")]
PRICE = 100


def at_once(number, work, *, connections=None):
    """work(n) for each n, from `connections` threads that start together; results or exceptions, in order."""
    connections = connections or number
    together = threading.Barrier(connections)

    def one_connection(first):
        try:
            connection.ensure_connection()
            together.wait(timeout=30)
            return {n: attempt(work, n) for n in range(first, number, connections)}
        finally:
            connection.close()

    with ThreadPoolExecutor(connections) as threads:
        results = {}
        for found in threads.map(one_connection, range(connections)):
            results |= found
    return [results[n] for n in range(number)]


def attempt(work, n):
    try:
        return work(n)
    except Exception as error:
        return error


def accept(purse, n):
    with transaction.atomic():
        return ledger.reserve(
            lines=[(purse.pk, PRICE)], key=f"accept:{n}", at=timezone.now(), by=SYSTEM, reason=f"Dossier {n}"
        )


def test_40_acceptances_at_once_with_money_for_20_reserve_exactly_20():
    purse = PurseFactory(amount=20 * PRICE)
    results = at_once(40, lambda n: accept(purse, n))
    accepted = [result for result in results if isinstance(result, list)]
    refused = [result for result in results if isinstance(result, ledger.NotEnough)]
    assert (len(accepted), len(refused)) == (20, 20), results
    purse.refresh_from_db()
    assert purse.balance == 0
    assert integrity.check() == []


def test_without_the_lock_the_database_still_sells_no_more_than_20(monkeypatch):
    """The guard above all others: the CHECK on the pocket, when the code that should wait does not."""
    purse = PurseFactory(amount=20 * PRICE)
    monkeypatch.setattr(ledger, "_lock", read_without_lock)
    results = at_once(40, lambda n: accept(purse, n))
    assert sum(isinstance(result, list) for result in results) == 20
    purse.refresh_from_db()
    assert purse.balance == 0
    assert integrity.check() == []


def test_without_lock_and_check_the_same_40_acceptances_oversell(monkeypatch):
    purse = PurseFactory(amount=20 * PRICE)
    everyone_has_read = threading.Barrier(40)

    def read_like_everyone(pocket_ids):
        held = read_without_lock(pocket_ids)
        everyone_has_read.wait(timeout=30)
        return held

    monkeypatch.setattr(ledger, "_lock", read_like_everyone)
    with without("rights_pocket", "pocket_never_overdrawn"):
        results = at_once(40, lambda n: accept(purse, n))
        assert sum(isinstance(result, list) for result in results) == 40
        purse.refresh_from_db()
        assert purse.balance == -20 * PRICE
        assert "pocket_never_overdrawn" in {finding.rule for finding in integrity.check()}
        # Made good, so that the constraint can stand again.
        with transaction.atomic():
            CreditFactory(holder=purse.holder, amount=20 * PRICE)


def test_the_same_request_200_times_from_20_connections_moves_once():
    purse = PurseFactory(amount=1000 * PRICE)
    results = at_once(200, lambda n: accept(purse, "same"), connections=20)
    assert len({tuple(result) for result in results}) == 1, results
    assert Movement.objects.filter(kind=MovementKind.RESERVE).count() == 1
    purse.refresh_from_db()
    assert purse.balance == 999 * PRICE
    assert integrity.check() == []


def test_the_same_credit_and_payment_200_times_move_once_each():
    holder = HolderFactory()
    told = {"at": timezone.now(), "by": SYSTEM}

    def give_and_pay(_n):
        with transaction.atomic():
            credit = ledger.credit(holder=holder, kind=PocketKind.ANNUAL, amount=5, key="annual:2025", **told)
            paid = ledger.pay_in(reserved_for=holder, amount=7, key="payment:1", reason="", **told)
        return credit.pk, paid

    results = at_once(200, give_and_pay, connections=20)
    assert len(set(results)) == 1, results
    assert Movement.objects.count() == 2
    assert integrity.check() == []


def test_a_key_looked_up_before_it_is_written_passes_twice_without_its_unique_constraint():
    purse = PurseFactory(amount=1000 * PRICE)
    state = Pocket.objects.get(kind=PocketKind.STATE)
    everyone_has_looked = threading.Barrier(5)

    def careless(_n):
        with transaction.atomic():
            known = Movement.objects.filter(key="annual:2025").exists()
            everyone_has_looked.wait(timeout=30)
            if not known:
                Movement.objects.create(
                    source=state,
                    target=purse,
                    amount=PRICE,
                    kind=MovementKind.CREDIT,
                    key="annual:2025",
                    value_date=timezone.localdate(),
                    recorded_at=timezone.now(),
                )

    with without("rights_movement", "movement_passes_once_per_key"):
        at_once(5, careless)
        assert Movement.objects.filter(key="annual:2025").count() == 5
        assert "movement_passes_once_per_key" in {finding.rule for finding in integrity.check()}
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE rights_movement, rights_pocket CASCADE")


def test_two_different_contents_under_one_key_at_once_leave_one():
    holder = HolderFactory()

    def give(n):
        with transaction.atomic():
            return ledger.credit(
                holder=holder,
                kind=PocketKind.ANNUAL,
                amount=n + 1,
                key="annual:2025",
                at=timezone.now(),
                by=SYSTEM,
            )

    results = at_once(10, give)
    assert sum(isinstance(result, ledger.KeyReused) for result in results) == 9, results
    assert Movement.objects.count() == 1
    assert integrity.check() == []


def test_reservations_on_two_pockets_in_opposite_orders_never_deadlock():
    purses = two_purses()

    def reserve_both(n):
        lines = [(purse.pk, 1) for purse in (purses if n % 2 else purses[::-1])]
        with transaction.atomic():
            return ledger.reserve(lines=lines, key=f"k{n}", at=timezone.now(), by=SYSTEM, reason="")

    results = at_once(60, reserve_both, connections=12)
    assert all(isinstance(result, list) for result in results), results
    assert integrity.check() == []


def test_locks_taken_in_the_order_of_the_lines_do_deadlock():
    purses = two_purses()
    both_hold_one = threading.Barrier(2)

    def lock_both(n):
        first, second = purses if n else purses[::-1]
        with transaction.atomic():
            Pocket.objects.select_for_update(no_key=True).get(pk=first.pk)
            both_hold_one.wait(timeout=30)
            Pocket.objects.select_for_update(no_key=True).get(pk=second.pk)

    results = at_once(2, lock_both)
    assert [type(result) for result in results if result is not None] == [OperationalError]


def test_credits_for_many_holders_at_once_never_wait_on_the_state_s_own_row():
    """World pockets keep no balance: nobody locks them, so an open transaction holds up nobody."""
    state = CreditFactory().source
    with transaction.atomic():
        CreditFactory()
        results = at_once(8, lambda n: CreditFactory(key=f"other:{uuid.uuid4()}"))
    assert all(result.source_id == state.pk for result in results)
    assert integrity.check() == []


# --- Scenery --------------------------------------------------------------------------------------


def two_purses():
    holder = HolderFactory()
    return [PurseFactory(holder=holder, kind=kind) for kind in (PocketKind.ANNUAL, PocketKind.DIF)]


def read_without_lock(pocket_ids):
    pockets = Pocket.objects.filter(pk__in=list(pocket_ids), balance__isnull=False).order_by("pk")
    fields = ("id", "kind", "unit", "holder_id", "label", "expires_on", "balance")
    return {row[0]: ledger.Held(*row) for row in pockets.values_list(*fields)}


class without:
    """A table without one of its constraints, put back as it was."""

    def __init__(self, table, name):
        self.table, self.name = table, name

    def __enter__(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [self.name]
            )
            self.definition = cursor.fetchone()[0]
            cursor.execute(f"ALTER TABLE {self.table} DROP CONSTRAINT {self.name}")

    def __exit__(self, *_error):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {self.table} ADD CONSTRAINT {self.name} {self.definition}")

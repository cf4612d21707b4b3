"""Postings a second, and reading a balance, beside django-hordak doing the same in the same run.

A posting is two-legged: an amount leaves an account and enters another. Ours is `ledger.credit`, with its
key, its checks and the balance kept up to date by the database; theirs is `Account.transfer_to` one by one,
and their two tables written in bulk for lots. Both on the same PostgreSQL, turn about, so that a busy moment
of the machine slows both. The peer lives in an environment and a database of its own
(requirements/benchmarks.txt, benchmarks/peers/of_hordak.py); making it needs the network once.

    python3 dev.py run benchmarks/postings.py [--movements 1000000]

Goals: three times their postings a second, in lots (how yearly rights, grants and imports are posted) and one
by one; the balance of an account with a million movements read in 2 ms (95th percentile). Else ends with 1.
One by one, each posting is a transaction that waits for the disk, theirs too: beside both stands the floor, a
transaction that writes one number in a table without index, trigger or reference. Where even the
floor is not three times the peer, the machine is so busy that the wait for a processor is measured instead.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 - models need Django set up
from django.test.utils import setup_databases, teardown_databases  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.actors import SYSTEM  # noqa: E402
from accounts.models import HolderProfile  # noqa: E402
from rights import integrity, ledger  # noqa: E402
from rights.kinds import PocketKind  # noqa: E402
from rights.ledger import Credit  # noqa: E402
from tools.dev.checkout import VAR  # noqa: E402

LOTS_GOAL, ONE_BY_ONE_GOAL = 3.0, 3.0
BALANCE_GOAL_MS = 2.0
# A round of ours one by one is a tenth of a second: of fewer, one busy moment of the machine decides.
ROUNDS, ONE_BY_ONE, LOTS, LOT = 15, 200, 5_000, 500
BALANCE_READS, PEER_BALANCE_READS = 400, 20
PART = 50_000
PEER = VAR / "benchmarks" / "hordak"


class Peer:
    """django-hordak in its own process; `do(act, count)` gives what it measured."""

    def __init__(self):
        python = PEER / "bin" / "python"
        uv = ROOT / ".tools" / "bin" / "uv"
        if not python.exists():
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, PEER], check=True)
        wanted = ROOT / "requirements" / "benchmarks.txt"
        subprocess.run(
            [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, wanted], check=True
        )
        self._process = subprocess.Popen(
            [python, ROOT / "benchmarks" / "peers" / "of_hordak.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
            },
        )
        self._answer()

    def do(self, act, count):
        self._process.stdin.write(json.dumps({"act": act, "count": count}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def _answer(self):
        if not (line := self._process.stdout.readline()):
            sys.exit("the peer ended before its answer")
        return line

    def leave(self):
        self._process.stdin.close()
        self._process.wait(timeout=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--movements", type=int, default=1_000_000, help="of the account whose balance is read"
    )
    asked = parser.parse_args()
    peer = Peer()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        holder = a_holder()
        with a_floor() as floor:
            one, floors = compare(
                "one by one", peer, "one", ONE_BY_ONE, lambda: credit_one_by_one(holder), floor
            )
        lots, _floors = compare(f"in lots of {LOT}", peer, "lot", LOTS, lambda: credit_in_lots(holder))
        balance_ms = compare_balances(peer, asked.movements)
        if findings := integrity.check():
            sys.exit(f"the ledger is wrong after the run: {findings[:3]}")
    finally:
        peer.leave()
        teardown_databases(databases, verbosity=0)
    print(f"the floor, one by one: {floors:.1f} times the peer")
    reached = [
        tell(f"one by one: {one:.1f} times the peer", f"{ONE_BY_ONE_GOAL:.1f}", one >= ONE_BY_ONE_GOAL),
        tell(f"in lots: {lots:.1f} times the peer", f"{LOTS_GOAL:.1f}", lots >= LOTS_GOAL),
        tell(
            f"balance: {balance_ms:.2f} ms at p95", f"{BALANCE_GOAL_MS:.0f} ms", balance_ms <= BALANCE_GOAL_MS
        ),
    ]
    sys.exit(0 if all(reached) else 1)


def tell(figure: str, goal: str, is_reached: bool) -> bool:
    print(f"{figure}, goal {goal}: {'reached' if is_reached else 'NOT REACHED'}")
    return is_reached


def a_holder() -> HolderProfile:
    now = timezone.now()
    return HolderProfile.objects.create(
        reference=f"bench-{uuid.uuid4().hex[:8]}",
        birth_name="Banc",
        first_names="Essai",
        birth_date=now.date(),
        imported_at=now,
    )


# --- Postings -------------------------------------------------------------------------------------------


def compare(name, peer, act, count, ours, floor=None) -> tuple[float, float]:
    """The median over rounds of our postings a second by theirs, and of the floor's by theirs (0: none)."""
    ours(), peer.do(act, count), floor and floor()  # plans and caches are warm for all
    ratios, floors = [], []
    for number in range(ROUNDS):
        mine, theirs = seconds(ours), peer.do(act, count)
        ratios.append(theirs / mine)
        said = f"ledger {count / mine:8.0f} postings/s, hordak {count / theirs:8.0f} postings/s"
        if floor:
            bare = seconds(floor)
            floors.append(theirs / bare)
            said += f", floor {count / bare:8.0f} transactions/s"
        print(f"{name}, round {number + 1}: {said}")
    return statistics.median(ratios), statistics.median(floors) if floors else 0.0


def seconds(act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


@contextmanager
def a_floor():
    """`floor()`: as many transactions, each of which writes one number and nothing else."""

    def floor():
        for number in range(ONE_BY_ONE):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("INSERT INTO bench_floor VALUES (%s)", [number])

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_floor (number bigint)")
    yield floor
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_floor")


def credit_one_by_one(holder) -> None:
    at = timezone.now()
    for _each in range(ONE_BY_ONE):
        with transaction.atomic():
            ledger.credit(
                holder=holder, kind=PocketKind.ANNUAL, amount=500, key=str(uuid.uuid4()), at=at, by=SYSTEM
            )


def credit_in_lots(holder) -> None:
    at = timezone.now()
    for _lot in range(LOTS // LOT):
        credits = [
            Credit(holder_id=holder.pk, kind=PocketKind.ANNUAL, amount=500, key=str(uuid.uuid4()))
            for _each in range(LOT)
        ]
        with transaction.atomic():
            ledger.credit_many(credits, at=at, by=SYSTEM)


# --- Balances -------------------------------------------------------------------------------------------


def compare_balances(peer, movements: int) -> float:
    """The 95th percentile of reading ours, in milliseconds."""
    holder = a_holder()
    with transaction.atomic():
        first = ledger.credit(
            holder=holder, kind=PocketKind.ANNUAL, amount=100, key="busy", at=timezone.now(), by=SYSTEM
        )
    with connection.cursor() as cursor:
        # Through every trigger and index, as any other movement; a part at a time, within the time limit.
        for begin in range(2, movements + 1, PART):
            cursor.execute(
                "INSERT INTO rights_movement (kind, source_id, target_id, amount, key, reason, formula,"
                " value_date, recorded_at) SELECT 'credit', %s, %s, 100, 'busy:' || n, '', '[]', %s, %s"
                " FROM generate_series(%s, %s) AS n",
                [
                    *(first.source_id, first.target_id, first.value_date, first.recorded_at),
                    *(begin, min(begin + PART - 1, movements)),
                ],
            )
        cursor.execute("ANALYZE rights_movement, rights_pocket")
    peer.do("fill", movements)
    mine, bare, theirs = [], [], peer.do("balance", PEER_BALANCE_READS)
    for _read in range(BALANCE_READS):
        start = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        [purse] = ledger.purses(holder, at=first.recorded_at)
        mine.append(time.perf_counter() - start)
        assert purse.balance == 100 * movements
    # What the machine takes for a question without work: the rest is the ledger's.
    for name, times in (("nothing (SELECT 1)", bare), ("ledger", mine), ("hordak", theirs)):
        middle, late = statistics.median(times) * 1000, p95(times) * 1000
        print(f"balance of {movements:,} movements, {name}: median {middle:.2f} ms, p95 {late:.2f} ms")
    return p95(mine) * 1000


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    main()

"""How much of raw PostgreSQL the ledger keeps: accept then withdraw, through the verbs and by hand.

The peer is the bare minimum anyone would write with psycopg, in the same run and database: lock the
account, insert one movement, update the balance, commit; no key, no check, no trigger. Both do the same
number of money movements, one transaction each. Nothing is kept: the rows go to a schema of their own.

    python3 dev.py run benchmarks/ledger.py
"""

import os
import statistics
import sys
import time
import uuid
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 - models need Django set up
from django.test.utils import setup_databases, teardown_databases  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.actors import SYSTEM  # noqa: E402
from accounts.models import HolderProfile  # noqa: E402
from rights import integrity, ledger  # noqa: E402
from rights.kinds import PocketKind  # noqa: E402

GOAL = 0.20  # of the peer's movements a second; the guarantees of docs/locks.md for the rest
ROUNDS, ROUND = 5, 200


def main() -> None:
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        ratio = compare()
    finally:
        teardown_databases(databases, verbosity=0)
    print(f"ratio {ratio:.2f}, goal {GOAL:.2f}: {'reached' if ratio >= GOAL else 'NOT REACHED'}")
    sys.exit(0 if ratio >= GOAL else 1)


def compare() -> float:
    at = timezone.now()
    holder = HolderProfile.objects.create(
        reference="bench", birth_name="Banc", first_names="Essai", birth_date=at.date(), imported_at=at
    )
    with transaction.atomic():
        credit = ledger.credit(
            holder=holder, kind=PocketKind.ANNUAL, amount=10**9, key="bench", at=at, by=SYSTEM
        )
    purse = credit.target_id
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE peer_account (id uuid PRIMARY KEY, balance bigint NOT NULL)")
        cursor.execute(
            "CREATE TABLE peer_movement (id bigserial PRIMARY KEY, account_id uuid REFERENCES peer_account,"
            " amount bigint NOT NULL, at timestamptz NOT NULL)"
        )
        cursor.execute("INSERT INTO peer_account VALUES (%s, 1000000000)", [purse])
    raw = connection.connection
    verbs, peers = [], []
    for number in range(ROUNDS):  # turn about, so that a busy moment of the machine slows both
        verbs.append(timed(lambda: accept_and_withdraw(purse, at)))
        peers.append(timed(lambda: lock_insert_update(raw, purse, at)))
        print(f"round {number + 1}: ledger {verbs[-1]:7.0f} movements/s, peer {peers[-1]:7.0f} movements/s")
    if findings := integrity.check():
        sys.exit(f"the ledger is wrong after the run: {findings[:3]}")
    return statistics.median(verb / peer for verb, peer in zip(verbs, peers, strict=True))


def timed(one_pair) -> float:
    """Movements a second; each pair is two."""
    start = time.perf_counter()
    for _each in range(ROUND):
        one_pair()
    return 2 * ROUND / (time.perf_counter() - start)


def accept_and_withdraw(purse: uuid.UUID, at) -> None:
    key = str(uuid.uuid4())
    with transaction.atomic():
        reserved = ledger.reserve(lines=[(purse, 100)], key=f"accept:{key}", at=at, by=SYSTEM, reason="")
    with transaction.atomic():
        ledger.release(reserved=reserved, key=f"release:{key}", at=at, by=SYSTEM, reason="")


def lock_insert_update(raw, purse: uuid.UUID, at) -> None:
    for amount in (-100, 100):
        with raw.transaction(), raw.cursor() as cursor:
            cursor.execute("SELECT balance FROM peer_account WHERE id = %s FOR UPDATE", [purse])
            cursor.execute(
                "INSERT INTO peer_movement (account_id, amount, at) VALUES (%s, %s, %s)", [purse, amount, at]
            )
            cursor.execute("UPDATE peer_account SET balance = balance + %s WHERE id = %s", [amount, purse])


if __name__ == "__main__":
    main()

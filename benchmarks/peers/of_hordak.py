"""django-hordak doing the postings that benchmarks/postings.py asks for, one order a line of input.

Runs in an environment of its own, on a database of its own of the same server. `one` is its verb,
Account.transfer_to, in a transaction each; `lot` writes its two tables with bulk_create in one transaction,
which is faster than its verb; `balance` is Account.get_balance.
"""

# ruff: noqa: E402, a script of its own environment: Django is set up first

import json
import os
import secrets
import sys
import time
from datetime import date
from decimal import Decimal

import dj_database_url
import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": dj_database_url.parse(os.environ["DATABASE_URL"]) | {"TEST": {"NAME": "peer_hordak"}}
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DEFAULT_CURRENCY="EUR",
    CURRENCIES=["EUR"],
    HORDAK_CURRENCIES=["EUR"],
    SECRET_KEY=secrets.token_hex(),
    USE_TZ=True,
)
django.setup()

from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases
from hordak.models import Account, Leg, Transaction
from moneyed import Money

LOT = 500


def main():
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        state = Account.objects.create(name="State", code="1", type="IN", currencies=["EUR"])
        holder = Account.objects.create(name="Holder", code="2", type="AS", currencies=["EUR"])
        print("ready", flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(ACTS[order["act"]](state, holder, order["count"])), flush=True)
    finally:
        teardown_databases(databases, verbosity=0)


def one(state, holder, count):
    start = time.perf_counter()
    for number in range(count):
        with transaction.atomic():
            state.transfer_to(holder, Money("5.00", "EUR"), description=f"Credit {number}")
    return time.perf_counter() - start


def lot(state, holder, count):
    start = time.perf_counter()
    for first in range(0, count, LOT):
        with transaction.atomic():
            size = min(LOT, count - first)
            written = Transaction.objects.bulk_create(
                [Transaction(description=f"Credit {first + number}") for number in range(size)]
            )
            amount = Money("5.00", "EUR")
            Leg.objects.bulk_create(
                leg
                for each in written
                for leg in (
                    Leg(transaction=each, account=state, credit=amount),
                    Leg(transaction=each, account=holder, debit=amount),
                )
            )
    return time.perf_counter() - start


def fill(state, holder, count):
    """So many legs on an account, past its triggers: only reading it is measured."""
    busy = Account.objects.create(name="Busy", code="3", type="AS", currencies=["EUR"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        whole = Transaction.objects.create(date=date(2026, 3, 1), description="Many")
        columns = [field.column for field in Leg._meta.concrete_fields if not field.primary_key]
        leg = Leg(transaction=whole, account=busy, debit=Money(Decimal("1.00"), "EUR"))
        known = {
            field.column: field.get_db_prep_save(getattr(leg, field.attname), connection)
            for field in Leg._meta.concrete_fields
            if not field.primary_key
        }
        values = ["gen_random_uuid()" if name == "uuid" else "%s" for name in columns]
        cursor.execute(
            f"INSERT INTO hordak_leg ({', '.join(columns)}) SELECT {', '.join(values)}"
            " FROM generate_series(1, %s)",
            [*[known[name] for name in columns if name != "uuid"], count],
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE hordak_leg")
    return busy.pk


def balance(_state, _holder, count):
    busy = Account.objects.get(name="Busy")
    times = []
    for _read in range(count):
        start = time.perf_counter()
        assert busy.get_balance()
        times.append(time.perf_counter() - start)
    return times


ACTS = {"one": one, "lot": lot, "fill": fill, "balance": balance}


if __name__ == "__main__":
    main()

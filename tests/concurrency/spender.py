"""One process of a crowd that spends at once: threads with a connection each, let go round after round.

Told by its lines of input what to spend, once every thread is ready: a price from a pocket, or a grant for
each of so many people from an envelope; answers with what came of it. `--unguarded`: as careless code would,
read then write, without lock (the test takes the CHECK away).
"""

# ruff: noqa: E402, T201, a process of its own: Django is set up first, and it talks through its output

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from uuid import UUID

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.models import HolderProfile
from rights import dotations, ledger
from rights.dotations import Wish
from rights.kinds import Origin
from rights.models import Envelope, Pocket

PATIENCE_SECONDS = 60


def read_without_lock(pocket_ids):
    pockets = Pocket.objects.filter(pk__in=list(pocket_ids), balance__isnull=False).order_by("pk")
    fields = ("id", "kind", "unit", "holder_id", "label", "expires_on", "balance")
    return {row[0]: ledger.Held(*row) for row in pockets.values_list(*fields)}


def spend(pocket, price, key):
    """Reserve a price from one pocket."""
    with transaction.atomic():
        ledger.reserve(lines=[(pocket, price)], key=key, at=timezone.now(), by=SYSTEM, reason="Anglais")


def grant(envelope, holder, price, key):
    """Give one person a price from an envelope."""
    wish = Wish(holder=holder, amount=price, origin=Origin.VOLUNTARY, reference=key)
    dotations.grant(envelope, wish, by=SYSTEM, at=timezone.now())


def outcome_of(verb, *arguments):
    """ "spent", or why not."""
    try:
        verb(*arguments)
    except Exception as error:
        return type(error).__name__
    return "spent"


def main(database, people):
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = database
    together = Barrier(people, timeout=PATIENCE_SECONDS)

    def connect():
        try:
            connection.ensure_connection()
        except Exception:
            together.abort()  # or the others would wait for nothing, and hide what went wrong
            raise
        with suppress(BrokenBarrierError):
            together.wait()

    def one(number, order):
        key = f"{order['round']}:{os.getpid()}:{number}"
        if "envelope" in order:
            envelope = Envelope.objects.select_related("pocket").get(pk=order["envelope"])
            holder = HolderProfile.objects.get(pk=order["holders"][number])
            together.wait()
            return outcome_of(grant, envelope, holder, order["price"], key)
        together.wait()
        return outcome_of(spend, UUID(order["pocket"]), order["price"], key)

    with ThreadPoolExecutor(people) as crowd:
        list(crowd.map(lambda _number: connect(), range(people)))
        if together.broken:
            sys.exit(f"not {people} connections after {PATIENCE_SECONDS} s")
        print("ready", flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            outcomes = list(crowd.map(lambda number, order=order: one(number, order), range(people)))
            print(json.dumps(outcomes), flush=True)
        list(crowd.map(lambda _number: (together.wait(), connection.close()), range(people)))


if __name__ == "__main__":
    if "--unguarded" in sys.argv:
        ledger._lock = read_without_lock
    main(sys.argv[1], int(sys.argv[2]))

"""Change the ledger at random straight in SQL, and count what is refused, found, or missed.

    python3 dev.py run tools/tamper.py --edits 100 [--seed 1]

Each edit is made on a copy of the ledger of its own: a database made for the run, filled with invented
people, sealed. A third of the edits run with every trigger in place, the others as a superuser who switched
them all off, or with the one word that pgtrigger leaves to migrations. An edit that the database accepts is
looked for by `integrity.audit(verify_seals=True)`, what `check_ledger --verify-seals` runs, then undone.
Ends with 1 when one was missed.
"""

# ruff: noqa: S311, S608, the edits are made of our own words, by dice

import argparse
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
if __name__ == "__main__":
    django.setup()

from django.db import DatabaseError, connection, transaction
from django.test.utils import setup_databases, teardown_databases

from accounts.actors import SYSTEM
from accounts.models import HolderProfile
from rights import claims, integrity, ledger, seals
from rights.kinds import FunderKind, MovementKind, PocketKind, Unit
from rights.ledger import Credit

BEGAN = datetime(2026, 3, 1, 10, tzinfo=UTC)
TABLES = ("rights_movement", "rights_pocket", "rights_seal", "rights_sealedmovement")
WAYS = {
    "triggers on": None,
    "triggers off": "SET LOCAL session_replication_role = replica",
    "pgtrigger.ignore": "SET LOCAL pgtrigger.ignore = '{}'",
}


@dataclass(frozen=True)
class Edit:
    """One statement, and how it is run."""

    way: str
    sql: str
    values: list[Any]

    def __str__(self) -> str:
        return f"[{self.way}] {self.sql} {self.values}"


# --- A ledger worth robbing -----------------------------------------------------------------------------


def fill(*, days: int = 6, holders: int = 6) -> None:
    """Every kind of pocket and of movement, some days of it, all of them sealed."""
    people = [
        HolderProfile.objects.create(
            reference=f"T-{number}-{uuid4().hex[:8]}",
            birth_name="Essai",
            first_names=f"Numéro {number}",
            birth_date=date(1990, 1, 1),
            imported_at=BEGAN,
        )
        for number in range(holders)
    ]
    for day in range(days):
        at = BEGAN + timedelta(days=day)
        for number, holder in enumerate(people):
            _live_a_day(holder, at=at + timedelta(minutes=number), key=f"{day}:{number}:{uuid4()}")
    # One day more: what is dated before the last sealed day, and in no seal, was slipped in.
    seals.seal_due(at=BEGAN + timedelta(days=days + 1))
    # As every night: it remembers the last seal, which nothing else follows yet.
    integrity.nightly_check(at=BEGAN + timedelta(days=days + 1))


def _live_a_day(holder: HolderProfile, *, at: datetime, key: str) -> None:
    told: dict[str, Any] = {"at": at, "by": SYSTEM}
    with transaction.atomic():
        annual, _dotation, mistake = ledger.credit_many(
            [
                Credit(
                    holder_id=holder.pk,
                    kind=PocketKind.ANNUAL,
                    amount=500_00,
                    key=f"annual:{key}",
                    reason="Année 2025",
                    formula=[("Heures", "1 607 h"), ("Montant", "500,00 €")],
                ),
                Credit(
                    holder_id=holder.pk,
                    kind=PocketKind.DOTATION,
                    amount=120_00,
                    key=f"dotation:{key}",
                    label="Région",
                    funder_kind=FunderKind.REGION,
                    expires_on=date(2027, 12, 31),
                ),
                Credit(
                    holder_id=holder.pk,
                    kind=PocketKind.ANNUAL,
                    amount=7,
                    unit=Unit.HOUR,
                    key=f"hours:{key}",
                ),
            ],
            **told,
        )
        kept = ledger.reserve(
            lines=[(annual.target_id, 30_00)], key=f"accept:{key}", reason="Anglais", **told
        )
        ledger.pay_in(reserved_for=holder, amount=103_20, key=f"paid:{key}", reason="Anglais", **told)
        ledger.reverse(movement=mistake, key=f"reverse:{key}", reason="Erreur", **told)
        if len(key) % 2:
            ledger.release(reserved=kept, key=f"release:{key}", reason="Rétractation", **told)


# --- Edits ----------------------------------------------------------------------------------------------


def edit(dice: random.Random) -> Edit:
    """A random statement on a random row: mostly a value changed, sometimes a row gone or one more."""
    way = dice.choice(list(WAYS))
    table = dice.choices(TABLES, weights=[5, 4, 2, 2])[0]
    act = dice.choices(["update", "delete", "copy"], weights=[8, 2, 1])[0]
    row = _row(table, dice)
    where, key = _where(table, row)
    if act == "delete":
        return Edit(way, f"DELETE FROM {table} WHERE {where}", key)
    if act == "copy":
        row |= {name: _like(row[name], dice) for name in ("id", "key", "day") if name in row}
        names = ", ".join(row)
        marks = ", ".join(_mark(name) for name in row)
        return Edit(way, f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
    name = dice.choice(list(row))
    value = _other(table, name, row[name], dice)
    return Edit(way, f"UPDATE {table} SET {name} = {_mark(name)} WHERE {where}", [value, *key])


def _row(table: str, dice: random.Random) -> dict[str, Any]:
    order = {"rights_seal": "day", "rights_sealedmovement": "movement_id"}.get(table, "id")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        at = dice.randrange(cursor.fetchone()[0])
        cursor.execute(f"SELECT * FROM {table} ORDER BY {order} OFFSET %s LIMIT 1", [at])
        return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def _where(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    name = {"rights_seal": "day", "rights_sealedmovement": "movement_id"}.get(table, "id")
    return f"{name} = %s", [row[name]]


def _mark(name: str) -> str:
    return "%s::jsonb" if name == "formula" else "%s"


WORDS: dict[str, Callable[[], list[str]]] = {
    "kind": lambda: [*PocketKind.values, *MovementKind.values],
    "unit": lambda: list(Unit.values),
    "funder_kind": lambda: ["", *FunderKind.values],
    "formula": lambda: ["[]", '[["Heures", "800 h"]]', "{}", '[["a"]]', '"x"'],
}


def _other(table: str, name: str, value: Any, dice: random.Random) -> Any:
    """Another value of this column, often one that looks true."""
    if name in WORDS:
        return dice.choice([word for word in WORDS[name]() if not _is_the_same(word, value)])
    if name in ("source_id", "target_id", "holder_id", "seal_id", "reverses_id", "movement_id") and (
        found := _elsewhere(name, value, dice)
    ):
        return found
    return _like(value, dice) if value is not None else _first(name)


def _is_the_same(word: str, value: Any) -> bool:
    if word == value:
        return True
    try:
        return json.loads(word) == (json.loads(value) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return False


def _elsewhere(name: str, value: Any, dice: random.Random) -> Any:
    table, key = {
        "holder_id": ("accounts_holderprofile", "id"),
        "seal_id": ("rights_seal", "day"),
        "reverses_id": ("rights_movement", "id"),
        "movement_id": ("rights_movement", "id"),
    }.get(name, ("rights_pocket", "id"))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key} FROM {table} WHERE {key} IS DISTINCT FROM %s ORDER BY {key}", [value])
        return dice.choice(cursor.fetchall())[0]


def _like(value: Any, dice: random.Random) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + dice.choice([-1, 1, 10, 100_00])
        case str():
            return dice.choice([value + "x", value[1:] or "y", value.swapcase() + "_"])
        case datetime():
            return value + timedelta(seconds=dice.choice([-1, 1, 86_400]))
        case date():
            return value + timedelta(days=dice.choice([-1, 1, 30]))
        case bytes() | memoryview():
            return bytes(value)[:-1] + b"\x00\x01"
    return uuid4()


def _first(name: str) -> Any:
    """Something where there was nothing."""
    return {"expires_on": date(2030, 1, 1), "recorded_by_id": 1, "balance": 0}.get(name, 1)


# --- One after the other --------------------------------------------------------------------------------


class _Undone(Exception):
    """Leaves the ledger as it was."""


def outcome(one: Edit) -> str:
    """ "refused", "found" or "missed"; the ledger is as before afterwards."""
    found = "missed"
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                if setting := WAYS[one.way]:
                    # `pgtrigger.ignore` holds the names of triggers: all of ours.
                    cursor.execute(setting.replace("{}", _all_triggers()))
                cursor.execute(one.sql, one.values)
                # What is checked at the commit is checked now.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET LOCAL session_replication_role = origin")
                cursor.execute("SET LOCAL pgtrigger.ignore = ''")
            if integrity.audit(verify_seals=True).findings:
                found = "found"
            raise _Undone
    except _Undone:
        return found
    except DatabaseError:
        return "refused"


def _all_triggers() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_%' ORDER BY tgname")
        return "{" + ",".join(name for (name,) in cursor.fetchall()) + "}"


def run(*, edits: int, seed: int) -> tuple[Counter[tuple[str, str]], list[Edit]]:
    """How many of each way had each outcome, and the edits that were missed."""
    dice = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    missed = []
    for _number in range(edits):
        one = edit(dice)
        result = outcome(one)
        counts[one.way, result] += 1
        if result == "missed":
            missed.append(one)
    return counts, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    databases = setup_databases(verbosity=0, interactive=False)
    claims.CLAIMS.clear()  # here money is reserved without a dossier
    try:
        fill()
        if findings := integrity.audit(verify_seals=True).findings:
            sys.exit(f"the ledger is wrong before anything is changed: {findings[:3]}")
        counts, missed = run(edits=asked.edits, seed=asked.seed)
    finally:
        teardown_databases(databases, verbosity=0)
    for way in WAYS:
        told = ", ".join(f"{counts[way, result]} {result}" for result in ("refused", "found", "missed"))
        print(f"{way:18} {told}")
    for one in missed:
        print(f"MISSED {one}")
    total = sum(counts.values())
    print(f"{total - len(missed)} of {total} edits refused or found")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

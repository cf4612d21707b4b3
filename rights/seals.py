"""One seal a day, chained: what was recorded cannot change, go or come between without being seen.

A day is sealed once it is over, with every movement recorded by its end that no seal holds yet. A
transaction that commits after the seal of its day is simply not in it: the next seal takes what it wrote.
So no lock keeps people waiting, and nothing depends on the order of numbers (docs/adr/0007).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef

from rights import proof
from rights.models import LedgerCheck, Movement, Seal, SealedMovement
from rulebook.workdays import midnight_after, paris_day

# Rows held in memory at a time.
LOT = 5_000
SEALING_LOCK = 0x7365616C  # "seal": one sealer at a time

POCKET_FACTS = (
    "id",
    "kind",
    "unit",
    "holder_id",
    "label",
    "funder_kind",
    "expires_on",
    "origin",
    "envelope_id",
    "earmark_id",
    "organisation_id",
)
# Left out where there is none: pockets of before there were organisations' are hashed as they were.
SAID_WHEN_THERE = frozenset({"organisation_id"})
MOVEMENT_FACTS = (
    *("id", "kind", "amount", "key", "reason", "formula", "reverses_id", "value_date"),
    *("recorded_at", "recorded_by_id"),
)
# Every column of a movement, then of its two pockets: all that was true of them when it was recorded.
_FACTS = ", ".join(
    [f"m.{name}" for name in MOVEMENT_FACTS]
    + [f"{end}.{name}" for end in ("s", "t") for name in POCKET_FACTS]
)
_ENDS = "rights_pocket s ON s.id = m.source_id LEFT JOIN rights_pocket t ON t.id = m.target_id"


# --- What is sealed of a movement -------------------------------------------------------------------------


def content_of(facts: Sequence[Any]) -> dict[str, Any]:
    """The facts of a movement and its pockets, in the order of `_FACTS`, as they are hashed."""
    own = len(MOVEMENT_FACTS)
    movement = dict(zip(MOVEMENT_FACTS, facts[:own], strict=True))
    # Past the ORM, PostgreSQL's JSON comes as text.
    movement["formula"] = json.loads(movement["formula"])
    movement["value_date"] = movement["value_date"].isoformat()
    movement["recorded_at"] = proof.moment(movement["recorded_at"])
    movement["source"] = _pocket(facts[own : own + len(POCKET_FACTS)])
    movement["target"] = _pocket(facts[own + len(POCKET_FACTS) :])
    return movement


def _pocket(facts: Sequence[Any]) -> dict[str, Any]:
    pocket = dict(zip(POCKET_FACTS, facts, strict=True))
    for name in ("id", "holder_id", "envelope_id", "organisation_id"):
        pocket[name] = pocket[name] and str(pocket[name])
    pocket["expires_on"] = pocket["expires_on"] and pocket["expires_on"].isoformat()
    return {name: fact for name, fact in pocket.items() if fact is not None or name not in SAID_WHEN_THERE}


# --- Sealing ------------------------------------------------------------------------------------------


def seal_due(*, at: datetime, told: Callable[[Seal], object] = lambda seal: None) -> list[date]:
    """Seal every day that is over and not sealed, oldest first, each in a transaction of its own.

    Killed, it takes up where it was. While another one seals, it does nothing.
    """
    done: list[date] = []
    while True:
        with transaction.atomic():
            day = next_day() if _is_alone() else None
            if day is None or midnight_after(day) > at:
                return done
            seal = _seal(day, at=at)
        done.append(day)
        told(seal)


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALING_LOCK])
        return cursor.fetchone()[0]


def next_day() -> date | None:
    """The first day without a seal; None while nothing was ever recorded."""
    last = Seal.objects.order_by("-day").values_list("day", flat=True).first()
    if last is not None:
        return last + timedelta(days=1)
    first = Movement.objects.aggregate(first=Min("recorded_at"))["first"]
    return first and paris_day(first)


def _seal(day: date, *, at: datetime) -> Seal:
    tree = proof.Tree()
    first = last = None
    for rows in _lots(
        f"SELECT {_FACTS} FROM rights_movement m JOIN {_ENDS}"  # noqa: S608, our own words only
        " WHERE m.recorded_at < %s AND NOT EXISTS ("
        "SELECT FROM rights_sealedmovement sealed WHERE sealed.movement_id = m.id) ORDER BY m.id",
        [midnight_after(day)],
    ):
        places = []
        for facts in rows:
            leaf = proof.leaf_of(content_of(facts))
            places.append((facts[0], day, tree.size, leaf))
            tree.add(leaf)
        first, last = first or rows[0][0], rows[-1][0]
        _write(places)
    before = Seal.objects.order_by("-day").first()
    seal = Seal(
        day=day,
        count=tree.size,
        first_id=first,
        last_id=last,
        root=tree.root.hex(),
        previous_hash=before.hash if before else "",
        made_at=at,
        branches=tree.branches,
    )
    seal.hash = proof.seal_hash(facts_of(seal))
    seal.save(force_insert=True)
    return seal


def _write(places: Iterable[tuple]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY rights_sealedmovement (movement_id, seal_id, position, leaf) FROM STDIN") as copy,
    ):
        for place in places:
            copy.write_row(place)


def facts_of(seal: Seal) -> dict[str, Any]:
    """A seal as it is hashed, and as a statement shows it."""
    return {
        "day": seal.day.isoformat(),
        "count": seal.count,
        "first_id": seal.first_id,
        "last_id": seal.last_id,
        "root": seal.root,
        "previous_hash": seal.previous_hash,
        "made_at": proof.moment(seal.made_at),
    }


def _lots(query: str, parameters: Sequence[Any] = ()) -> Iterator[list[tuple]]:
    """The rows of a query of one instant, a lot at a time; inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(LOT):
            yield rows


# --- Verifying ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was sealed. `movement_id`: the movement, where one can be named."""

    rule: str
    day: date
    movement_id: int | None
    details: str


def differences() -> Iterator[Difference]:
    """Recompute every seal from the movements, oldest day first. Reads only, a lot of rows at a time.

    All of it is read in one instant: what is sealed meanwhile is the next check's.
    """
    with transaction.atomic():
        _read_one_instant()
        seals = Seal.objects.order_by("day").iterator(chunk_size=100)
        sealed = groupby(_sealed_rows(), key=lambda row: row[0])
        yield from _chain(seals, sealed)
        yield from _unsealed()
        yield from _forgotten_heads()


def _read_one_instant() -> None:
    """A check inside another transaction (a test) reads as that one does."""
    if len(connection.savepoint_ids) == 0 and connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _sealed_rows() -> Iterator[tuple]:
    query = (
        f"SELECT place.seal_id, place.position, place.movement_id, place.leaf, {_FACTS}"  # noqa: S608
        " FROM rights_sealedmovement place LEFT JOIN rights_movement m ON m.id = place.movement_id"
        f" LEFT JOIN {_ENDS} ORDER BY place.seal_id, place.position"
    )
    for rows in _lots(query):
        yield from rows


def _chain(seals: Iterable[Seal], sealed: Iterator[tuple[date, Iterator[tuple]]]) -> Iterator[Difference]:
    before: Seal | None = None
    waiting = next(sealed, None)
    for seal in seals:
        while waiting is not None and waiting[0] < seal.day:
            yield from _orphans(*waiting)
            waiting = next(sealed, None)
        if before is not None and seal.day != before.day + timedelta(days=1):
            missing = before.day + timedelta(days=1)
            yield Difference("seal_of_every_day", missing, None, f"no seal until {seal.day}")
        if seal.previous_hash != (before.hash if before else ""):
            yield Difference("seals_are_chained", seal.day, None, "it does not follow the seal before")
        if waiting is not None and waiting[0] == seal.day:
            yield from _day(seal, waiting[1])
            waiting = next(sealed, None)
        else:
            yield from _day(seal, iter(()))
        before = seal
    while waiting is not None:
        yield from _orphans(*waiting)
        waiting = next(sealed, None)


def _orphans(day: date, rows: Iterator[tuple]) -> Iterator[Difference]:
    [first, *_others] = rows
    yield Difference("seal_of_every_day", day, first[2], "sealed with a day that has no seal")


def _day(seal: Seal, rows: Iterator[tuple]) -> Iterator[Difference]:
    tree = proof.Tree()
    first = last = None
    for _day_id, position, movement_id, leaf, *facts in rows:
        first, last = first or movement_id, movement_id
        if position != tree.size:
            details = f"the place {tree.size} is empty, the next is {position}"
            yield Difference("sealed_movements_are_all_there", seal.day, movement_id, details)
        tree.add(bytes(leaf))
        if facts[0] is None:
            yield Difference("movement_is_as_sealed", seal.day, movement_id, "the movement is gone")
        elif _is_torn(facts):
            yield Difference("movement_is_as_sealed", seal.day, movement_id, "a pocket of it is gone")
        elif proof.leaf_of(content_of(facts)) != bytes(leaf):
            details = "the movement, or a pocket of it, is not what was sealed"
            yield Difference("movement_is_as_sealed", seal.day, movement_id, details)
    found = {"count": tree.size, "first_id": first, "last_id": last, "root": tree.root.hex()}
    for name, value in found.items():
        if getattr(seal, name) != value:
            details = f"{name} {value}, sealed {getattr(seal, name)}"
            yield Difference("seal_is_its_movements", seal.day, None, details)
    if bytes(seal.branches) != tree.branches:
        yield Difference("seal_is_its_movements", seal.day, None, "its branches are not those of its root")
    if proof.seal_hash(facts_of(seal)) != seal.hash:
        yield Difference("seal_is_its_hash", seal.day, None, "its hash is not that of its content")


def _is_torn(facts: Sequence[Any]) -> bool:
    own = len(MOVEMENT_FACTS)
    return facts[own] is None or facts[own + len(POCKET_FACTS)] is None


def _unsealed() -> Iterator[Difference]:
    """The seal of a day, and the one of the day after, have passed by these: they came by another way."""
    last = Seal.objects.order_by("-day").first()
    if last is None:
        return
    begins = midnight_after(last.day - timedelta(days=1))
    # Written after the last seal, and dated before its day: the next seal takes it, and says so no more.
    found = Movement.objects.filter(recorded_at__lt=begins, sealed=None).order_by("pk")
    for movement in found[:LOT]:
        day = paris_day(movement.recorded_at)
        yield Difference("movement_is_sealed", day, movement.pk, "recorded before the last sealed day")


def _forgotten_heads() -> Iterator[Difference]:
    """A head that an earlier check saw, and that the chain no longer holds: it was cut and made again."""
    still_there = Seal.objects.filter(day=OuterRef("head_day"), hash=OuterRef("head_hash"))
    lost = LedgerCheck.objects.exclude(head_day=None).exclude(Exists(still_there)).order_by("head_day")
    for day, hash_seen in lost.values_list("head_day", "head_hash").distinct():
        assert day is not None  # excluded above
        yield Difference("seals_are_those_seen_before", day, None, f"a check saw {hash_seen}")


# --- Proving ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a movement stands in the seal of its day, and the path from it to the root."""

    day: date
    position: int
    path: list[bytes]


def places(movement_ids: Sequence[int]) -> dict[int, Place]:
    """Of those that are sealed. Three queries, however many."""
    found = list(
        SealedMovement.objects.filter(movement__in=movement_ids)
        .order_by("seal", "position")
        .values_list("movement_id", "seal_id", "position")
    )
    spans = sorted({(day, position // proof.BRANCH * proof.BRANCH) for _pk, day, position in found})
    siblings: dict[tuple[date, int], list[bytes]] = {span: [] for span in spans}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.day, wanted.start, place.leaf"
            " FROM unnest(%s::date[], %s::integer[]) AS wanted (day, start)"
            " JOIN rights_sealedmovement place ON place.seal_id = wanted.day"
            " AND place.position >= wanted.start AND place.position < wanted.start + %s"
            " ORDER BY place.seal_id, place.position",
            [[day for day, _start in spans], [start for _day, start in spans], proof.BRANCH],
        )
        for day, start, leaf in cursor.fetchall():
            siblings[day, start].append(bytes(leaf))
    days = {day for day, _start in spans}
    branches = dict(Seal.objects.filter(day__in=days).order_by().values_list("day", "branches"))
    return {
        movement_id: Place(
            day,
            position,
            proof.path_of(
                position,
                siblings=siblings[day, position // proof.BRANCH * proof.BRANCH],
                branches=bytes(branches[day]),
            ),
        )
        for movement_id, day, position in found
    }


def contents(holder_id: UUID) -> Iterator[dict[str, Any]]:
    """All that was recorded of one holder, in order, as it is hashed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_FACTS} FROM rights_movement m JOIN {_ENDS}"  # noqa: S608, our own words only
            " WHERE m.source_id IN (SELECT id FROM rights_pocket WHERE holder_id = %s)"
            " OR m.target_id IN (SELECT id FROM rights_pocket WHERE holder_id = %s) ORDER BY m.id",
            [holder_id, holder_id],
        )
        for facts in cursor.fetchall():
            yield content_of(facts)


def since(day: date) -> list[Seal]:
    """The chain from a day to its head."""
    return list(Seal.objects.filter(day__gte=day).defer("branches").order_by("day"))


def head() -> Seal | None:
    return Seal.objects.defer("branches").order_by("-day").first()

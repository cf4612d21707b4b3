"""The money verbs: credit, reserve, pay in, release, reverse, adjust. The only way value moves.

Units: euro cents, or whole hours for public agents; amounts are integers above zero.
Signs: a movement takes its amount out of its source, into its target.
Every verb runs inside a transaction its caller opened, in this order: lock → same request again?
→ guards → money. Pockets are locked in id order (docs/locks.md). The same key with the same content
returns the first result; with another content it raises `KeyReused`. What is refused for lack of
money is refused before anything is written; the database would refuse it too (rights.models).
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from rights.kinds import (
    FUNDED_KINDS,
    HOLDER_KINDS,
    INTO_RESERVED,
    WORLD_KINDS,
    FunderKind,
    MovementKind,
    PocketKind,
    Unit,
)
from rights.models import Movement, Pocket
from rulebook.workdays import paris_day
from ui import french

if TYPE_CHECKING:
    from accounts.models import HolderProfile

RESERVED_IDS = uuid.UUID("6f1c2b0e-5a53-4c7e-9d0f-3b8f6e6f2a11")
"""Namespace of reserved pockets' ids: made from the key, so that the same request finds them again."""
LONGEST_LABEL = 120


# --- What can go wrong ----------------------------------------------------------------------------


class LedgerError(Exception):
    """The ledger refuses. The message is French, fit for a screen; nothing of the verb is written."""


class NotEnough(LedgerError):
    """A pocket holds less than wanted."""

    def __init__(self, pocket: "Held", *, wanted: int, available: int):
        self.pocket, self.wanted, self.available = pocket, wanted, available
        super().__init__(
            _("Il n’y a pas assez sur « %(pocket)s » : il faut %(wanted)s et il reste %(available)s.")
            % {
                "pocket": pocket.name,
                "wanted": amount_in_words(wanted, pocket.unit),
                "available": amount_in_words(available, pocket.unit),
            }
        )


class PocketExpired(LedgerError):
    """A dotation whose last day of use is past."""

    def __init__(self, pocket: "Held", expires_on: date):
        self.pocket, self.expires_on = pocket, expires_on
        super().__init__(
            _("« %(pocket)s » n’est plus utilisable depuis le %(day)s.")
            % {"pocket": pocket.name, "day": french.short_day(expires_on)}
        )


class UnitMismatch(LedgerError):
    """Euros and hours do not mix."""

    def __init__(self) -> None:
        super().__init__(_("Des euros et des heures ne peuvent pas être réservés ensemble."))


class NotYours(LedgerError):
    """The pockets of one reservation belong to several holders, or to nobody."""

    def __init__(self) -> None:
        super().__init__(_("Ces droits n’appartiennent pas tous au même titulaire."))


class NothingReserved(LedgerError):
    """A reserved pocket is empty: it was released under another key."""

    def __init__(self, pocket: "Held"):
        self.pocket = pocket
        super().__init__(_("La somme réservée pour « %s » a déjà été rendue.") % pocket.label)


class NotReversible(LedgerError):
    """Only a credit is reversed, once."""


class KeyReused(LedgerError):
    """The same key with another content. The transaction is condemned: it can only roll back."""

    def __init__(self, key: str):
        self.key = key
        super().__init__(
            _("L’opération « %s » est déjà enregistrée avec un autre contenu. Rien n’a été changé.") % key
        )


class NotInTransaction(RuntimeError):
    """A programming error: a verb of the ledger was called outside `transaction.atomic()`."""


# --- What is seen of a pocket ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Purse:
    """A holder's pocket with something to use, as `funding.plan` wants it. `balance` in `unit`s."""

    pocket_id: uuid.UUID
    kind: PocketKind
    label: str
    unit: Unit
    balance: int
    expires_on: date | None
    funder_kind: str = ""


class Place(NamedTuple):
    """What tells one purse or world pocket from another. `holder_id` is None in the world."""

    holder_id: uuid.UUID | None
    kind: str
    unit: str
    label: str = ""
    funder_kind: str = ""
    expires_on: date | None = None


def payer_of(kind: str, unit: str, label: str) -> Place:
    """Who pays a purse of this kind: the funder it names, or the State."""
    if kind in FUNDED_KINDS:
        return Place(None, PocketKind.FUNDER.value, str(unit), label)
    return Place(None, PocketKind.STATE.value, str(unit))


CARD = Place(None, PocketKind.CARD.value, Unit.EUR_CENT.value)


class Held(NamedTuple):
    """A pocket under lock."""

    id: uuid.UUID
    kind: str
    unit: str
    holder_id: uuid.UUID
    label: str
    expires_on: date | None
    balance: int

    @property
    def name(self) -> str:
        return " · ".join(part for part in (str(PocketKind(self.kind).label), self.label) if part)


def amount_in_words(amount: int, unit: str) -> str:
    """« 1 234,50 € » or « 25 h »."""
    return french.euros(amount) if unit == Unit.EUR_CENT else f"{amount}{french.NO_BREAK}h"


def state_pocket(unit: Unit) -> uuid.UUID:
    """Where the State's rights come from, opened now where it is missing."""
    place = Place(None, PocketKind.STATE.value, unit.value)
    return _opened({place})[place]


# --- Verbs ------------------------------------------------------------------------------------------

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _in_transaction(verb: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    @wraps(verb)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not connection.in_atomic_block:
            raise NotInTransaction(f"ledger.{verb.__name__} needs an open transaction.atomic()")
        return verb(*args, **kwargs)

    return checked


def purses(holder: "HolderProfile", *, at: datetime, lock: bool = False) -> list[Purse]:
    """The euro pockets this holder can use at `at`: something in them, not expired, in id order.

    With `lock`, they stay as they are until the transaction ends.
    """
    if lock and not connection.in_atomic_block:
        raise NotInTransaction("ledger.purses needs an open transaction.atomic() to lock")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, label, unit, balance, expires_on, funder_kind FROM rights_pocket"  # noqa: S608
            " WHERE holder_id = %s AND kind = ANY(%s) AND unit = %s"
            " AND (expires_on IS NULL OR expires_on >= %s) ORDER BY id"
            + (" FOR NO KEY UPDATE" if lock else ""),
            [holder.pk, [kind.value for kind in HOLDER_KINDS], Unit.EUR_CENT.value, paris_day(at)],
        )
        # Sorted out here, since a row locked in the meantime may have been emptied.
        return [
            Purse(pocket_id, PocketKind(kind), label, Unit(unit), balance, expires_on, funder_kind)
            for pocket_id, kind, label, unit, balance, expires_on, funder_kind in cursor.fetchall()
            if balance > 0
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Rights to give. `unit`s; `formula`: lines (what, how much) in French, shown to the holder.

    `label` tells apart pockets of a kind: the funder of a dotation or a top-up, who then pays and whose
    `funder_kind` may matter; the State pays the rest. `value_date`: the day in Paris unless given.
    ValueError: not a kind that holders own.
    """

    holder_id: uuid.UUID
    kind: PocketKind
    amount: int
    key: str
    unit: Unit = Unit.EUR_CENT
    value_date: date | None = None
    reason: str = ""
    formula: Sequence[tuple[str, str]] = ()
    label: str = ""
    funder_kind: FunderKind | None = None
    expires_on: date | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)
        if self.kind not in HOLDER_KINDS:
            raise ValueError(f"{self.kind} is not a kind of pocket that a holder owns")
        if self.funder_kind and self.kind not in FUNDED_KINDS:
            raise ValueError(f"{self.kind} is not granted by a funder")

    @property
    def purse(self) -> "Place":
        funder_kind = str(self.funder_kind or "")
        return Place(self.holder_id, str(self.kind), str(self.unit), self.label, funder_kind, self.expires_on)

    @property
    def payer(self) -> "Place":
        return payer_of(self.kind, self.unit, self.label)


def credit(
    *,
    holder: "HolderProfile",
    kind: PocketKind,
    amount: int,
    key: str,
    at: datetime,
    by: Actor,
    unit: Unit = Unit.EUR_CENT,
    value_date: date | None = None,
    reason: str = "",
    formula: Sequence[tuple[str, str]] = (),
    label: str = "",
    funder_kind: FunderKind | None = None,
    expires_on: date | None = None,
) -> Movement:
    """Give one holder rights; opens the pocket when it is missing. Fields as `Credit`. KeyReused."""
    wanted = Credit(
        holder_id=holder.pk,
        kind=kind,
        amount=amount,
        key=key,
        unit=unit,
        value_date=value_date,
        reason=reason,
        formula=formula,
        label=label,
        funder_kind=funder_kind,
        expires_on=expires_on,
    )
    return credit_many([wanted], at=at, by=by)[0]


@_in_transaction
def credit_many(credits: Sequence[Credit], *, at: datetime, by: Actor) -> list[Movement]:
    """Give a lot of rights, in a handful of statements whatever its size; movements in the order given.

    Each credit has its own key and is replayed alone. KeyReused: one had another content.
    """
    pockets = _opened({pocket for each in credits for pocket in (each.payer, each.purse)})
    return _post(
        [
            _movement(
                MovementKind.CREDIT,
                source=pockets[each.payer],
                target=pockets[each.purse],
                amount=each.amount,
                key=each.key,
                at=at,
                by=by,
                reason=each.reason,
                value_date=each.value_date,
                formula=each.formula,
            )
            for each in credits
        ]
    )


@_in_transaction
def reserve(
    *,
    lines: Sequence[tuple[uuid.UUID, int]],
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    label: str = "",
) -> list[uuid.UUID]:
    """Set rights aside: each (pocket, amount) goes to a reserved pocket of its own; their ids in line order.

    All or nothing. `label` names the reserved pockets for the holder; the reason does, unless given.
    NotEnough, PocketExpired, UnitMismatch, NotYours, KeyReused.
    """
    held = _lock(pocket_id for pocket_id, _amount in lines)
    movements = [
        _movement(
            MovementKind.RESERVE,
            source=pocket_id,
            target=_reserved_id(_line_key(key, position), pocket_id),
            amount=amount,
            key=_line_key(key, position),
            at=at,
            by=by,
            reason=reason,
        )
        for position, (pocket_id, amount) in enumerate(lines, start=1)
    ]
    if _again(key, movements) is None:
        _check_usable(lines, held, on=paris_day(at))
        _open_reserved(
            (
                movement.target_id,
                held[movement.source_id].unit,
                held[movement.source_id].holder_id,
                label or reason,
            )
            for movement in movements
        )
        _post(movements)
    return [movement.target_id for movement in movements]


@_in_transaction
def pay_in(
    *,
    reserved_for: "HolderProfile",
    amount: int,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    label: str = "",
) -> uuid.UUID:
    """A payment arrived: its euros wait in a reserved pocket of this holder; the pocket's id. KeyReused."""
    _check_amount(amount)
    movement = _movement(
        MovementKind.PAYMENT,
        source=_opened({CARD})[CARD],
        target=_reserved_id(_line_key(key, 1), reserved_for.pk),
        amount=amount,
        key=_line_key(key, 1),
        at=at,
        by=by,
        reason=reason,
    )
    if _again(key, [movement]) is None:
        _open_reserved([(movement.target_id, Unit.EUR_CENT.value, reserved_for.pk, label or reason)])
        _post([movement])
    return movement.target_id


@_in_transaction
def release(
    *, reserved: Sequence[uuid.UUID], key: str, at: datetime, by: Actor, reason: str
) -> list[Movement]:
    """Give back all that is left in each reserved pocket to where it came from; a payment is refunded.

    NothingReserved: one is already empty. KeyReused. LookupError: one was never filled.
    """
    origins = _origins(reserved)
    held = _lock([*reserved, *origins.values()])
    movements = [
        _movement(
            MovementKind.RELEASE if origin in held else MovementKind.REFUND,
            source=pocket_id,
            target=origin,
            amount=held[pocket_id].balance,
            key=_line_key(key, position),
            at=at,
            by=by,
            reason=reason,
        )
        for position, (pocket_id, origin) in enumerate(origins.items(), start=1)
    ]
    if (done := _again(key, movements)) is not None:
        return done
    for movement in movements:
        if not movement.amount:
            raise NothingReserved(held[movement.source_id])
    return _post(movements)


@_in_transaction
def reverse(*, movement: Movement, key: str, at: datetime, by: Actor, reason: str) -> Movement:
    """Undo a credit made by mistake, by its counter-movement.

    NotReversible: not a credit, or already reversed. NotEnough: the holder has used it. KeyReused.
    """
    if movement.kind != MovementKind.CREDIT:
        raise NotReversible(_("Seul un crédit se corrige ici. Une réservation s’annule depuis son dossier."))
    held = _lock([movement.target_id])[movement.target_id]
    counter = _movement(
        MovementKind.REVERSAL,
        source=movement.target_id,
        target=movement.source_id,
        amount=movement.amount,
        key=key,
        at=at,
        by=by,
        reason=reason,
        reverses=movement,
    )
    if (done := _again(key, [counter])) is not None:
        return done[0]
    if Movement.objects.filter(reverses=movement).exists():
        raise NotReversible(_("Ce crédit est déjà corrigé."))
    if held.balance < movement.amount:
        raise NotEnough(held, wanted=movement.amount, available=held.balance)
    return _post([counter])[0]


@_in_transaction
def adjust(
    *,
    pocket_id: uuid.UUID,
    kind: MovementKind,
    amount: int,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    formula: Sequence[tuple[str, str]] = (),
) -> Movement:
    """Add to a purse or take back from it, as two persons agreed (rights.adjustments, whose `key` it is).

    It comes from, or goes back to, who pays such a purse. NotEnough: the holder has used it. KeyReused.
    """
    _check_amount(amount)
    held = _lock([pocket_id])[pocket_id]
    world = _opened({payer_of(held.kind, held.unit, held.label)}).popitem()[1]
    is_up = kind == MovementKind.ADJUST_UP
    movement = _movement(
        kind,
        source=world if is_up else pocket_id,
        target=pocket_id if is_up else world,
        amount=amount,
        key=key,
        at=at,
        by=by,
        reason=reason,
        formula=formula,
    )
    if (done := _again(key, [movement])) is not None:
        return done[0]
    if not is_up and held.balance < amount:
        raise NotEnough(held, wanted=amount, available=held.balance)
    return _post([movement])[0]


# --- Guards -----------------------------------------------------------------------------------------


def _check_amount(amount: int) -> None:
    if type(amount) is not int or amount <= 0:
        raise ValueError(f"an amount is a whole number above zero, not {amount!r}")


def _check_usable(lines: Sequence[tuple[uuid.UUID, int]], held: dict[uuid.UUID, Held], *, on: date) -> None:
    """One holder, one unit, nothing expired, enough in each pocket over all its lines."""
    wanted: Counter[uuid.UUID] = Counter()
    for pocket_id, amount in lines:
        _check_amount(amount)
        wanted[pocket_id] += amount
    if any(pocket_id not in held or held[pocket_id].kind not in HOLDER_KINDS for pocket_id in wanted):
        raise NotYours
    if len({pocket.holder_id for pocket in held.values()}) > 1:
        raise NotYours
    if len({pocket.unit for pocket in held.values()}) > 1:
        raise UnitMismatch
    for pocket_id, amount in wanted.items():
        pocket = held[pocket_id]
        if pocket.expires_on and pocket.expires_on < on:
            raise PocketExpired(pocket, pocket.expires_on)
        if pocket.balance < amount:
            raise NotEnough(pocket, wanted=amount, available=pocket.balance)


def _again(key: str, movements: Sequence[Movement]) -> list[Movement] | None:
    """What this key already did, in line order, or None. KeyReused: it did something else."""
    keys = [movement.key for movement in movements]
    # One line more than asked: a shorter list under the same key is another content too.
    found = _by_key([*keys, key, _line_key(key, len(keys) + 1)])
    if not found:
        return None
    if found.keys() != set(keys) or any(not _is_same(found[wanted.key], wanted) for wanted in movements):
        raise _condemned(key)
    return [found[key] for key in keys]


def _by_key(keys: Iterable[str]) -> dict[str, Movement]:
    found = Movement.objects.raw("SELECT * FROM rights_movement WHERE key = ANY(%s)", [list(keys)])
    return {movement.key: movement for movement in found}


def _is_same(done: Movement, wanted: Movement) -> bool:
    """Same way, same amount; an emptied reserved pocket no longer says its amount."""
    return (
        (done.kind, done.source_id, done.target_id, done.reverses_id)
        == (wanted.kind, wanted.source_id, wanted.target_id, wanted.reverses_id)
    ) and wanted.amount in (0, done.amount)


def _condemned(key: str) -> KeyReused:
    """Something may be written already: the caller cannot go on as if nothing had happened."""
    transaction.set_rollback(True)
    return KeyReused(key)


# --- Writing: few statements, by hand, since this is the hot path -------------------------------------


def _lock(pocket_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Held]:
    """Lock pockets in id order, by id. World pockets keep no balance: they are neither locked nor returned.

    NO KEY: rows that point to a pocket (a funding line) need not wait.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, unit, holder_id, label, expires_on, balance FROM rights_pocket"
            " WHERE id = ANY(%s) AND balance IS NOT NULL ORDER BY id FOR NO KEY UPDATE",
            [list(pocket_ids)],
        )
        return {row[0]: Held(*row) for row in cursor.fetchall()}


def _origins(reserved: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Where each reserved pocket was filled from, in the order given. Never changes: needs no lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT target_id, source_id FROM rights_movement WHERE target_id = ANY(%s) AND kind = ANY(%s)",
            [list(reserved), [kind.value for kind in INTO_RESERVED]],
        )
        found = dict(cursor.fetchall())
    if missing := [str(pocket_id) for pocket_id in reserved if pocket_id not in found]:
        raise LookupError(f"not filled reserved pockets: {', '.join(missing)}")
    return {pocket_id: found[pocket_id] for pocket_id in reserved}


def _opened(wanted: set[Place]) -> dict[Place, uuid.UUID]:
    """The one pocket of each place, opened now where it is missing.

    Two who open the same at once get the same: the second waits for the first, then finds it.
    """
    found = _find_pockets(wanted)
    # In one order, so that two lots never wait for each other.
    if missing := sorted(wanted - found.keys(), key=str):
        Pocket.objects.bulk_create(
            (
                Pocket(**place._asdict(), balance=None if place.kind in WORLD_KINDS else 0)
                for place in missing
            ),
            ignore_conflicts=True,
        )
        found |= _find_pockets(wanted)
    return found


def _find_pockets(wanted: set[Place]) -> dict[Place, uuid.UUID]:
    holders = {place.holder_id for place in wanted if place.holder_id}
    world = {place.kind for place in wanted if not place.holder_id}
    with connection.cursor() as cursor:
        # Two halves, each with its own unique index.
        cursor.execute(
            "SELECT holder_id, kind, unit, label, funder_kind, expires_on, id FROM rights_pocket"
            " WHERE holder_id = ANY(%s) AND kind = ANY(%s)"
            " UNION ALL SELECT holder_id, kind, unit, label, funder_kind, expires_on, id FROM rights_pocket"
            " WHERE holder_id IS NULL AND kind = ANY(%s)",
            [list(holders), [kind.value for kind in HOLDER_KINDS], list(world)],
        )
        return {Place(*place): pocket_id for *place, pocket_id in cursor.fetchall()}


def _open_reserved(rows: Iterable[tuple[uuid.UUID, str, uuid.UUID, str]]) -> None:
    """Open reserved pockets: (id, unit, holder, label). One that is there comes from the same key."""
    values: list[Any] = []
    for pocket_id, unit, holder_id, label in rows:
        values += (pocket_id, PocketKind.RESERVED.value, unit, holder_id, label[:LONGEST_LABEL])
    if not values:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rights_pocket (id, kind, unit, holder_id, label, funder_kind, balance) VALUES "  # noqa: S608
            + ", ".join(["(%s, %s, %s, %s, %s, '', 0)"] * (len(values) // 5))
            + " ON CONFLICT (id) DO NOTHING",
            values,
        )


def _movement(
    kind: MovementKind,
    *,
    source: uuid.UUID,
    target: uuid.UUID,
    amount: int,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    value_date: date | None = None,
    formula: Sequence[tuple[str, str]] = (),
    reverses: Movement | None = None,
) -> Movement:
    """A movement not written yet. ValueError: no key, or a moment without zone."""
    if not key:
        raise ValueError("a movement needs a key")
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return Movement(
        id=None,
        kind=kind,
        source_id=source,
        target_id=target,
        amount=amount,
        key=key,
        reason=reason,
        formula=[list(line) for line in formula],
        # By their numbers: setting related rows costs as much as the rest together.
        reverses_id=reverses.pk if reverses else None,
        value_date=value_date or paris_day(at),
        recorded_at=at,
        recorded_by_id=by.user.pk if by.user else None,
    )


# One parameter, however many rows: thousands of them cost PostgreSQL more than the rows themselves.
_INSERT = """
    INSERT INTO rights_movement (kind, source_id, target_id, amount, key, reason, formula, reverses_id,
        value_date, recorded_at, recorded_by_id)
    SELECT * FROM json_to_recordset(%s::json) AS row (
        kind text, source_id uuid, target_id uuid, amount bigint,
        key text, reason text, formula jsonb, reverses_id bigint, value_date date, recorded_at timestamptz,
        recorded_by_id bigint)
    ON CONFLICT (key) DO NOTHING RETURNING key, id"""


def _post(movements: list[Movement]) -> list[Movement]:
    """Write movements, or find those already written, perhaps just now by somebody else. KeyReused."""
    if not movements:
        return []
    rows = [
        {
            "kind": str(movement.kind),
            "source_id": str(movement.source_id),
            "target_id": str(movement.target_id),
            "amount": movement.amount,
            "key": movement.key,
            "reason": movement.reason,
            "formula": movement.formula,
            "reverses_id": movement.reverses_id,
            "value_date": movement.value_date.isoformat(),
            "recorded_at": movement.recorded_at.isoformat(),
            "recorded_by_id": movement.recorded_by_id,
        }
        for movement in movements
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows, ensure_ascii=False)])
        written = dict(cursor.fetchall())
    for movement in movements:
        movement.pk = written.get(movement.key)
        movement._state.adding = movement.pk is None
    if len(written) == len(movements):
        return movements
    done = _by_key(movement.key for movement in movements if movement.pk is None)
    for movement in movements:
        if movement.pk is None and not _is_same(done[movement.key], movement):
            raise _condemned(movement.key)
    return [done.get(movement.key, movement) for movement in movements]


def _line_key(key: str, position: int) -> str:
    return f"{key}:{position}"


def _reserved_id(line_key: str, filled_by: uuid.UUID) -> uuid.UUID:
    return uuid.uuid5(RESERVED_IDS, f"{line_key}:{filled_by}")

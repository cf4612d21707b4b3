"""The money verbs: credit, grant, take back, convert, reserve, pay in, release, spend, settle, reverse,
adjust. The only way value moves.

Units: euro cents, or whole hours for public agents; amounts are integers above zero.
Signs: a movement takes its amount out of its source, into its target.
Every verb runs inside a transaction its caller opened, in this order: lock → same request again?
→ guards → money. Envelopes, then pockets, are locked in id order (docs/locks.md). The same key with
the same content returns the first result; with another content it raises `KeyReused`. What is refused
for lack of money is refused before anything is written; the database would refuse it too (rights.models).
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from rights.earmarks import FREE, Conditions
from rights.kinds import (
    CONVERTED_KINDS,
    FUNDED_KINDS,
    HOLDER_KINDS,
    INTO_RESERVED,
    LINE_KINDS,
    RETURNS,
    WORLD_KINDS,
    FunderKind,
    MovementKind,
    Origin,
    PocketKind,
    Unit,
)
from rights.models import Movement, Pocket
from rulebook.workdays import paris_day
from ui import french, prepared

if TYPE_CHECKING:
    from accounts.models import HolderProfile

RESERVED_IDS = uuid.UUID("6f1c2b0e-5a53-4c7e-9d0f-3b8f6e6f2a11")
"""Namespace of the ids of a dossier's pockets: made from the key, the same request finds them again."""
LONGEST_LABEL = 120


def _in(kinds: Iterable[PocketKind]) -> str:
    return "(" + ", ".join(f"'{kind.value}'" for kind in kinds) + ")"


NOT_A_PURSE = _in(LINE_KINDS)
"""Of a holder's pockets, what is no purse, in SQL. To name the ten kinds of purse instead makes PostgreSQL
compare each with the conditions of partial indexes: planning then takes ten times the rest."""


# --- What can go wrong ----------------------------------------------------------------------------


class LedgerError(Exception):
    """The ledger refuses. The message is French, fit for a screen; nothing of the verb is written."""


class NotEnough(LedgerError):
    """A pocket holds less than wanted."""

    def __init__(self, pocket: "Held", *, wanted: int, available: int):
        self.pocket, self.wanted, self.available = pocket, wanted, available
        super().__init__(
            _("Il n’y a pas assez sur « %(pocket)s » : il faut %(wanted)s et il reste %(available)s.")
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
            _("« %(pocket)s » n’est plus utilisable depuis le %(day)s.")
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
    """A dossier's pocket is empty: it was released, spent or settled under another key."""

    def __init__(self, pocket: "Held"):
        self.pocket = pocket
        super().__init__(_("La somme réservée pour « %s » a déjà été rendue.") % pocket.label)


class NotReversible(LedgerError):
    """Only a credit is reversed, once."""


class KeyReused(LedgerError):
    """The same key with another content. The transaction is condemned: it can only roll back."""

    def __init__(self, key: str):
        self.key = key
        super().__init__(
            _("L’opération « %s » est déjà enregistrée avec un autre contenu. Rien n’a été changé.") % key
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
    origin: str = ""
    conditions: Conditions = FREE


class Place(NamedTuple):
    """What tells one purse or world pocket from another. `holder_id` is None in the world."""

    holder_id: uuid.UUID | None
    kind: str
    unit: str
    label: str = ""
    funder_kind: str = ""
    expires_on: date | None = None
    origin: str = ""
    envelope_id: uuid.UUID | None = None
    earmark_id: int | None = None


def payer_of(kind: str, unit: str, label: str) -> Place:
    """Who pays a purse of this kind: the funder it names, or the State."""
    if kind in FUNDED_KINDS:
        return Place(None, PocketKind.FUNDER.value, str(unit), label)
    return Place(None, PocketKind.STATE.value, str(unit))


CARD = Place(None, PocketKind.CARD.value, Unit.EUR_CENT.value)
STATE_TOP_UP = Place(None, PocketKind.STATE_TOP_UP.value, Unit.EUR_CENT.value)


class Held(NamedTuple):
    """A pocket under lock."""

    id: uuid.UUID
    kind: str
    unit: str
    holder_id: uuid.UUID
    label: str
    expires_on: date | None
    balance: int
    envelope_id: uuid.UUID | None = None

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
    found = prepared.rows(
        "SELECT p.id, p.kind, p.label, p.unit, p.balance, p.expires_on, p.funder_kind, p.origin,"  # noqa: S608
        " e.certifications, e.levels, e.starts_from, e.starts_until"
        " FROM rights_pocket p LEFT JOIN rights_earmark e ON e.id = p.earmark_id"
        f" WHERE p.holder_id = %s AND p.kind NOT IN {NOT_A_PURSE} AND p.unit = %s"
        " AND (p.expires_on IS NULL OR p.expires_on >= %s) ORDER BY p.id"
        + (" FOR NO KEY UPDATE OF p" if lock else ""),
        [holder.pk, Unit.EUR_CENT.value, paris_day(at)],
    )
    # Sorted out here, since a row locked in the meantime may have been emptied.
    return [_purse(*row) for row in found if row[4] > 0]


def _purse(
    pocket_id: uuid.UUID,
    kind: str,
    label: str,
    unit: str,
    balance: int,
    expires_on: date | None,
    funder_kind: str,
    origin: str,
    certifications: list[str] | None,
    levels: list[int] | None,
    starts_from: date | None,
    starts_until: date | None,
) -> Purse:
    earmark = Conditions(
        certifications=tuple(certifications or ()),
        levels=tuple(levels or ()),
        starts_from=starts_from,
        starts_until=starts_until,
    )
    return Purse(
        pocket_id, PocketKind(kind), label, Unit(unit), balance, expires_on, funder_kind, origin, earmark
    )


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
    origin: Origin | None = None

    def __post_init__(self) -> None:
        _check_credit(self.kind, self.amount, self.funder_kind, self.origin)

    @property
    def purse(self) -> "Place":
        return Place(
            self.holder_id,
            str(self.kind),
            str(self.unit),
            self.label,
            str(self.funder_kind or ""),
            self.expires_on,
            str(self.origin or ""),
        )

    @property
    def payer(self) -> "Place":
        return payer_of(self.kind, self.unit, self.label)


@_in_transaction
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
    origin: Origin | None = None,
) -> Movement:
    """Give one holder rights; opens the pocket when it is missing. Fields as `Credit`. KeyReused."""
    _check_credit(kind, amount, funder_kind, origin)
    _check_told(key, at)
    day, lines = value_date or paris_day(at), [list(line) for line in formula]
    paid_by, author = payer_of(kind, unit, label), by.user.pk if by.user else None
    # Between two pockets that are open, as nearly always: without a `Credit`, whose making alone is felt.
    written = prepared.row(
        _CREDIT,
        [
            *(amount, key, reason, _json(lines), day, at, author),
            *(paid_by.kind, paid_by.unit, paid_by.label),
            *(holder.pk, str(kind), str(unit), label, str(funder_kind or ""), str(origin or ""), expires_on),
        ],
    )
    if written:
        told: tuple[Any, ...] = (
            *written,
            amount,
            MovementKind.CREDIT,
            key,
            reason,
            lines,
            None,
            day,
            at,
            author,
        )
        movement = Movement(*told)  # in the order of _COLUMNS
        movement._state.adding = False
        return movement
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
        origin=origin,
    )
    return credit_many([wanted], at=at, by=by)[0]


@_in_transaction
def credit_many(credits: Sequence[Credit], *, at: datetime, by: Actor) -> list[Movement]:
    """Give a lot of rights, in a handful of statements whatever its size; movements in the order given.

    Each credit has its own key and is replayed alone. KeyReused: one had another content.
    """
    ways = [(each.payer, each.purse) for each in credits]
    pockets = _opened({place for way in ways for place in way})
    today = paris_day(at)
    return _post(
        [
            _movement(
                MovementKind.CREDIT,
                source=pockets[payer],
                target=pockets[purse],
                amount=each.amount,
                key=each.key,
                at=at,
                by=by,
                reason=each.reason,
                value_date=each.value_date or today,
                formula=each.formula,
            )
            for each, (payer, purse) in zip(credits, ways, strict=True)
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A part of an envelope for one holder. Cents. `origin` and `funder_kind` say why, and who exempts."""

    holder_id: uuid.UUID
    kind: PocketKind
    origin: Origin
    funder_kind: str
    amount: int
    key: str
    reason: str = ""
    formula: Sequence[tuple[str, str]] = ()
    expires_on: date | None = None
    earmark_id: int | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)
        if self.kind not in FUNDED_KINDS:
            raise ValueError(f"{self.kind} is not granted by a funder")


@_in_transaction
def fund(*, envelope_id: uuid.UUID, amount: int, key: str, at: datetime, by: Actor, reason: str) -> Movement:
    """A funder's money comes into its envelope. KeyReused."""
    _check_amount(amount)
    envelope = _lock([envelope_id])[envelope_id]
    payer = Place(None, PocketKind.FUNDER.value, envelope.unit, envelope.label)
    movement = _movement(
        MovementKind.FUND,
        source=_opened({payer})[payer],
        target=envelope_id,
        amount=amount,
        key=key,
        at=at,
        by=by,
        reason=reason,
    )
    return _post([movement])[0]


@_in_transaction
def pay_back(
    *, envelope_id: uuid.UUID, amount: int, key: str, at: datetime, by: Actor, reason: str
) -> Movement:
    """What an envelope still holds goes back to its funder. NotEnough, KeyReused."""
    _check_amount(amount)
    envelope = _lock([envelope_id])[envelope_id]
    funder = Place(None, PocketKind.FUNDER.value, envelope.unit, envelope.label)
    movement = _movement(
        MovementKind.PAY_BACK,
        source=envelope_id,
        target=_opened({funder})[funder],
        amount=amount,
        key=key,
        at=at,
        by=by,
        reason=reason,
    )
    if (done := _again(key, [movement])) is not None:
        return done[0]
    if envelope.balance < amount:
        raise NotEnough(envelope, wanted=amount, available=envelope.balance)
    return _post([movement])[0]


@_in_transaction
def envelope_balance(envelope_id: uuid.UUID) -> int:
    """What an envelope holds, which stays so until the transaction ends."""
    return _lock([envelope_id])[envelope_id].balance


@_in_transaction
def grant_many(grants: Sequence[Grant], *, envelope_id: uuid.UUID, at: datetime, by: Actor) -> list[Movement]:
    """Grant parts of an envelope, in a handful of statements whatever their number; in the order given.

    Each grant has its own key and is replayed alone. All or nothing. NotEnough: the envelope holds less
    than what is new among them. KeyReused: one had another content.
    """
    if not grants:
        return []
    envelope = _lock([envelope_id])[envelope_id]
    places = [
        Place(
            grant.holder_id,
            str(grant.kind),
            envelope.unit,
            envelope.label,
            grant.funder_kind,
            grant.expires_on,
            str(grant.origin),
            envelope_id,
            grant.earmark_id,
        )
        for grant in grants
    ]
    done = _by_key(grant.key for grant in grants)
    wanted = sum(grant.amount for grant in grants if grant.key not in done)
    if wanted > envelope.balance:
        raise NotEnough(envelope, wanted=wanted, available=envelope.balance)
    pockets = _opened(set(places))
    return _post(
        [
            _movement(
                MovementKind.GRANT,
                source=envelope_id,
                target=pockets[place],
                amount=grant.amount,
                key=grant.key,
                at=at,
                by=by,
                reason=grant.reason,
                formula=grant.formula,
            )
            for grant, place in zip(grants, places, strict=True)
        ]
    )


@_in_transaction
def take_back(
    pocket_ids: Sequence[uuid.UUID],
    *,
    kind: MovementKind,
    at: datetime,
    by: Actor,
    reason: str,
    key: str = "",
) -> list[Movement]:
    """What these purses still hold goes back to the envelope, or to the funder, it came from.

    `kind`: EXPIRY or RECALL. Purses that are empty, or whose last day has not passed for EXPIRY, are left
    alone. Without a `key`, each return of a purse has the next number, counted under its lock.
    """
    if kind not in RETURNS:
        raise ValueError(f"{kind} is not a way back to a funder")
    keys = {pocket_id: f"{key}:{pocket_id}" for pocket_id in pocket_ids} if key else {}
    done = _by_key(keys.values())
    held = _lock_with_envelopes(pocket_ids)
    movements = [
        _back(
            kind,
            held[pocket_id],
            amount=held[pocket_id].balance,
            key=keys.get(pocket_id) or f"{kind.value}:{pocket_id}:{_times_returned(pocket_id, kind) + 1}",
            at=at,
            by=by,
            reason=reason,
        )
        for pocket_id in pocket_ids
        if held[pocket_id].balance > 0
        and keys.get(pocket_id) not in done
        and (kind != MovementKind.EXPIRY or _has_ended(held[pocket_id], on=paris_day(at)))
    ]
    return [*done.values(), *_post(movements)]


@dataclass(frozen=True, slots=True)
class Change:
    """One purse changed into another unit: so much leaves, so much comes. Units of each side."""

    source_id: uuid.UUID
    taken: int
    kind: PocketKind
    unit: Unit
    given: int


@_in_transaction
def convert(
    changes: Sequence[Change],
    *,
    holder: "HolderProfile",
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    value_date: date | None = None,
    formula: Sequence[tuple[str, str]] = (),
) -> list[Movement]:
    """Change euros into hours or hours into euros: two movements each, through the conversion pockets.

    How much is rights.conversion's business. NotEnough, NotYours, UnitMismatch, KeyReused.
    """
    held = _lock(change.source_id for change in changes)
    targets = [Place(holder.pk, str(change.kind), str(change.unit)) for change in changes]
    middles = {unit: Place(None, PocketKind.CONVERSION.value, unit.value) for unit in Unit}
    pockets = _opened({*targets, *middles.values()})
    movements = []
    for position, (change, target) in enumerate(zip(changes, targets, strict=True), start=1):
        _check_amount(change.taken)
        _check_amount(change.given)
        source = held.get(change.source_id)
        if source is None or source.holder_id != holder.pk or source.kind not in CONVERTED_KINDS:
            raise NotYours
        if source.unit == change.unit:
            raise UnitMismatch
        halves = (
            (
                MovementKind.CONVERSION_OUT,
                source.id,
                pockets[middles[Unit(source.unit)]],
                change.taken,
                "out",
            ),
            (MovementKind.CONVERSION_IN, pockets[middles[change.unit]], pockets[target], change.given, "in"),
        )
        movements += [
            _movement(
                kind,
                source=start,
                target=end,
                amount=amount,
                key=f"{_line_key(key, position)}:{half}",
                at=at,
                by=by,
                reason=reason,
                value_date=value_date,
                formula=formula,
            )
            for kind, start, end, amount, half in halves
        ]
    if (done := _again(key, movements)) is not None:
        return done
    for change in changes:
        if held[change.source_id].balance < change.taken:
            raise NotEnough(
                held[change.source_id], wanted=change.taken, available=held[change.source_id].balance
            )
    return _post(movements)


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
        _open_lines(
            PocketKind.RESERVED,
            [
                (movement.target_id, purse.unit, purse.holder_id, label or reason)
                for movement, purse in ((each, held[each.source_id]) for each in movements)
            ],
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
    return _from_outside(
        MovementKind.PAYMENT, CARD, reserved_for, amount, key=key, at=at, by=by, reason=reason, label=label
    ).target_id


@_in_transaction
def top_up_by_state(
    *,
    reserved_for: "HolderProfile",
    amount: int,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    label: str = "",
) -> tuple[uuid.UUID, uuid.UUID]:
    """The State adds to one training: (where it comes from, the reserved pocket it waits in). KeyReused.

    It never lies in a purse: a release gives it back to the State.
    """
    movement = _from_outside(
        MovementKind.STATE_TOP_UP,
        STATE_TOP_UP,
        reserved_for,
        amount,
        key=key,
        at=at,
        by=by,
        reason=reason,
        label=label,
    )
    return movement.source_id, movement.target_id


def _from_outside(
    kind: MovementKind,
    payer: Place,
    reserved_for: "HolderProfile",
    amount: int,
    *,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
    label: str,
) -> Movement:
    _check_amount(amount)
    movement = _movement(
        kind,
        source=_opened({payer})[payer],
        target=_reserved_id(_line_key(key, 1), reserved_for.pk),
        amount=amount,
        key=_line_key(key, 1),
        at=at,
        by=by,
        reason=reason,
    )
    if _again(key, [movement]) is None:
        _open_lines(
            PocketKind.RESERVED,
            [(movement.target_id, Unit.EUR_CENT.value, reserved_for.pk, label or reason)],
        )
        _post([movement])
    return movement


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Reserved pockets of one dossier that give back all they hold, under one key."""

    reserved: Sequence[uuid.UUID]
    key: str
    reason: str


def release(
    *, reserved: Sequence[uuid.UUID], key: str, at: datetime, by: Actor, reason: str
) -> list[Movement]:
    """Give back all that is left in each reserved pocket to where it came from; a payment is refunded.

    What comes back to a purse whose last day has passed goes on to its envelope, or to its funder, at once:
    nobody could use it there any more. NothingReserved: one is already empty. KeyReused. LookupError: one
    was never filled.
    """
    return release_many([Release(reserved=reserved, key=key, reason=reason)], at=at, by=by)[0]


@_in_transaction
def release_many(releases: Sequence[Release], *, at: datetime, by: Actor) -> list[list[Movement]]:
    """Give back what a lot of dossiers reserved, in a handful of statements; the movements of each.

    As `release`; each key is replayed alone. A fault in one is a fault of the lot: nothing is written.
    """
    origins = _origins([pocket_id for each in releases for pocket_id in each.reserved])
    today = paris_day(at)
    held = _lock_with_envelopes([*origins, *origins.values()], ended_by=today)
    wanted = [
        (
            each.key,
            [
                _movement(
                    MovementKind.RELEASE if origins[pocket_id] in held else MovementKind.REFUND,
                    source=pocket_id,
                    target=origins[pocket_id],
                    amount=held[pocket_id].balance,
                    key=_line_key(each.key, position),
                    at=at,
                    by=by,
                    reason=each.reason,
                )
                for position, pocket_id in enumerate(each.reserved, start=1)
            ],
        )
        for each in releases
    ]
    done = _again_many(wanted)
    movements = [movement for key, lines in wanted if key not in done for movement in lines]
    _check_full(movements, held)
    released = _post(movements)
    _pass_on(
        {
            movement: MovementKind.EXPIRY
            for movement in released
            if movement.target_id in held and _has_ended(held[movement.target_id], on=today)
        },
        held,
        at=at,
        by=by,
    )
    return _by_key_of(wanted, done, released)


@_in_transaction
def spend(
    *, reserved: Sequence[uuid.UUID], key: str, at: datetime, by: Actor, reason: str
) -> list[uuid.UUID]:
    """The training has begun: all that is reserved is debited, each pocket into one of its own; their ids.

    NothingReserved: one is already empty. KeyReused.
    """
    held = _lock(reserved)
    movements = [
        _movement(
            MovementKind.SPEND,
            source=pocket_id,
            target=_reserved_id(_line_key(key, position), pocket_id),
            amount=held[pocket_id].balance,
            key=_line_key(key, position),
            at=at,
            by=by,
            reason=reason,
        )
        for position, pocket_id in enumerate(reserved, start=1)
    ]
    if _again(key, movements) is None:
        _check_full(movements, held)
        _open_lines(
            PocketKind.SPENT,
            [
                (movement.target_id, pocket.unit, pocket.holder_id, pocket.label)
                for movement, pocket in ((each, held[each.source_id]) for each in movements)
            ],
        )
        _post(movements)
    return [movement.target_id for movement in movements]


@_in_transaction
def unspend(*, spent: Sequence[uuid.UUID], key: str, at: datetime, by: Actor, reason: str) -> list[Movement]:
    """The entry was declared by mistake: what was debited waits again where it was reserved.

    NothingReserved: one is already empty. KeyReused. LookupError: one was never filled.
    """
    reserved = _spent_from(spent)
    held = _lock([*spent, *reserved.values()])
    movements = [
        _movement(
            MovementKind.UNSPEND,
            source=pocket_id,
            target=reserved[pocket_id],
            amount=held[pocket_id].balance,
            key=_line_key(key, position),
            at=at,
            by=by,
            reason=reason,
        )
        for position, pocket_id in enumerate(spent, start=1)
    ]
    if (done := _again(key, movements)) is not None:
        return done
    _check_full(movements, held)
    return _post(movements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where the money of one pocket of a dossier goes, in cents: together, all that it holds.

    `returned`: where it came from; with `to_funder`, from there on to its envelope or its funder.
    `credited`: a credit on the account of who paid. ValueError: less than nothing.
    """

    pocket_id: uuid.UUID
    returned: int = 0
    credited: int = 0
    forfeited: int = 0
    provider: int = 0
    to_funder: bool = False

    def __post_init__(self) -> None:
        if min(self.returned, self.credited, self.forfeited, self.provider) < 0:
            raise ValueError("a part is never less than nothing")

    @property
    def whole(self) -> int:
        return self.returned + self.credited + self.forfeited + self.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How the money of one dossier ends, under one key."""

    parts: Sequence[Part]
    organisation_id: uuid.UUID
    key: str
    reason: str


FORFEITED = Place(None, PocketKind.FORFEITED.value, Unit.EUR_CENT.value)


def settle(
    parts: Sequence[Part],
    *,
    organisation_id: uuid.UUID,
    key: str,
    at: datetime,
    by: Actor,
    reason: str,
) -> list[Movement]:
    """End a dossier's money: each pocket, reserved or spent, is emptied as its part says.

    What comes back to a purse whose last day has passed goes on to its envelope or its funder, as in
    `release`. ValueError: a part is not all that its pocket holds. NothingReserved: one is already empty.
    KeyReused. LookupError: one was never filled.
    """
    wanted = Settlement(parts=parts, organisation_id=organisation_id, key=key, reason=reason)
    return settle_many([wanted], at=at, by=by)[0]


@_in_transaction
def settle_many(settlements: Sequence[Settlement], *, at: datetime, by: Actor) -> list[list[Movement]]:
    """End the money of a lot of dossiers, in a handful of statements; the movements of each.

    As `settle`; each key is replayed alone. A fault in one is a fault of the lot: nothing is written.
    """
    parts = [part for each in settlements for part in each.parts]
    today = paris_day(at)
    origins = _origins([part.pocket_id for part in parts])
    world = _opened({FORFEITED} if any(part.forfeited for part in parts) else set())
    dues = _what_is_due(
        {each.organisation_id for each in settlements if any(part.provider for part in each.parts)}
    )
    credits = _credit_purses([part.pocket_id for part in parts if part.credited])
    is_recalled = any(part.to_funder and part.returned for part in parts)
    held = _lock_with_envelopes(
        [*origins, *origins.values(), *credits.values(), *dues.values()],
        ended_by=None if is_recalled else today,
    )
    wanted: list[tuple[str, list[Movement]]] = []
    on_to: dict[str, MovementKind] = {}
    for each in settlements:
        movements: list[Movement] = []
        for part in each.parts:
            origin = origins[part.pocket_id]
            ways = (
                (MovementKind.RELEASE if origin in held else MovementKind.REFUND, origin, part.returned),
                (MovementKind.CREDIT_NOTE, credits.get(part.pocket_id), part.credited),
                (MovementKind.FORFEIT, world.get(FORFEITED), part.forfeited),
                (MovementKind.PAY, dues.get(each.organisation_id), part.provider),
            )
            for kind, target, amount in ways:
                if not amount or target is None:
                    continue
                line_key = _line_key(each.key, len(movements) + 1)
                if kind == MovementKind.RELEASE:
                    if part.to_funder and held[origin].kind in FUNDED_KINDS:
                        on_to[line_key] = MovementKind.RECALL
                    elif _has_ended(held[origin], on=today):
                        on_to[line_key] = MovementKind.EXPIRY
                movements.append(
                    _movement(
                        kind,
                        source=part.pocket_id,
                        target=target,
                        amount=amount,
                        key=line_key,
                        at=at,
                        by=by,
                        reason=each.reason,
                    )
                )
        wanted.append((each.key, movements))
    done = _again_many(wanted)
    for each in settlements:
        for part in each.parts if each.key not in done else ():
            pocket = held[part.pocket_id]
            if not pocket.balance:
                raise NothingReserved(pocket)
            if part.whole != pocket.balance:
                raise ValueError(f"the parts make {part.whole}, the pocket holds {pocket.balance}")
    settled = _post([movement for key, lines in wanted if key not in done for movement in lines])
    _pass_on({each: on_to[each.key] for each in settled if each.key in on_to}, held, at=at, by=by)
    return _by_key_of(wanted, done, settled)


def due_to(organisation_id: uuid.UUID) -> int:
    """What stands in the pocket of an organisation, in cents: owed and not paid out yet."""
    pocket = Pocket.objects.filter(kind=PocketKind.PROVIDER, organisation_id=organisation_id).first()
    return (pocket.balance or 0) if pocket else 0


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


# --- The way back to a funder --------------------------------------------------------------------------


def _pass_on(
    released: dict[Movement, MovementKind],
    held: dict[uuid.UUID, Held],
    *,
    at: datetime,
    by: Actor,
) -> None:
    """What has just come back to these purses goes on to where they were filled from: EXPIRY or RECALL."""
    said = {MovementKind.EXPIRY: "expired", MovementKind.RECALL: "recalled"}
    _post(
        [
            _back(
                kind,
                held[movement.target_id],
                amount=movement.amount,
                key=f"{movement.key}:{said[kind]}",
                at=at,
                by=by,
                reason=movement.reason,
            )
            for movement, kind in released.items()
        ]
    )


def _has_ended(pocket: Held, *, on: date) -> bool:
    return pocket.kind in FUNDED_KINDS and pocket.expires_on is not None and pocket.expires_on < on


def _back(
    kind: MovementKind, pocket: Held, *, amount: int, key: str, at: datetime, by: Actor, reason: str
) -> Movement:
    """A movement to the envelope of this purse, or to its funder in the world; not written yet."""
    target = pocket.envelope_id
    if target is None:
        funder = Place(None, PocketKind.FUNDER.value, pocket.unit, pocket.label)
        target = _opened({funder})[funder]
    return _movement(
        kind, source=pocket.id, target=target, amount=amount, key=key, at=at, by=by, reason=reason
    )


def _times_returned(pocket_id: uuid.UUID, kind: MovementKind) -> int:
    """How often this purse was emptied that way. It is under lock: nobody else adds one."""
    return Movement.objects.filter(source_id=pocket_id, kind=kind).count()


# --- Guards -----------------------------------------------------------------------------------------


def _check_amount(amount: int) -> None:
    if type(amount) is not int or amount <= 0:
        raise ValueError(f"an amount is a whole number above zero, not {amount!r}")


def _check_credit(
    kind: PocketKind, amount: int, funder_kind: FunderKind | None, origin: Origin | None
) -> None:
    _check_amount(amount)
    if kind not in HOLDER_KINDS:
        raise ValueError(f"{kind} is not a kind of pocket that a holder owns")
    if (funder_kind or origin) and kind not in FUNDED_KINDS:
        raise ValueError(f"{kind} is not granted by a funder")


def _check_told(key: str, at: datetime) -> None:
    if not key:
        raise ValueError("a movement needs a key")
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")


def _check_full(movements: Sequence[Movement], held: dict[uuid.UUID, Held]) -> None:
    """Each takes all that its source holds, which is something."""
    for movement in movements:
        if not movement.amount:
            raise NothingReserved(held[movement.source_id])


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
    return _again_many([(key, movements)]).get(key)


def _again_many(wanted: Sequence[tuple[str, Sequence[Movement]]]) -> dict[str, list[Movement]]:
    """What each of these keys already did; those that did nothing yet are not there. KeyReused."""
    asked = {
        # One line more than asked: a shorter list under the same key is another content too.
        key: [*(line.key for line in lines), key, _line_key(key, len(lines) + 1)]
        for key, lines in wanted
    }
    found = _by_key(line for lines in asked.values() for line in lines)
    done: dict[str, list[Movement]] = {}
    for key, lines in wanted if found else ():
        if not (written := {line: found[line] for line in asked[key] if line in found}):
            continue
        if written.keys() != {line.key for line in lines} or any(
            not _is_same(written[line.key], line) for line in lines
        ):
            raise _condemned(key)
        done[key] = [written[line.key] for line in lines]
    return done


def _by_key_of(
    wanted: Sequence[tuple[str, Sequence[Movement]]],
    done: dict[str, list[Movement]],
    written: Sequence[Movement],
) -> list[list[Movement]]:
    """The movements of each key, done before or just now, in the order wanted."""
    in_order = iter(written)
    return [done[key] if key in done else [next(in_order) for _line in lines] for key, lines in wanted]


def _by_key(keys: Iterable[str]) -> dict[str, Movement]:
    found = {}
    for values in prepared.rows(_KEYS, [list(keys)]):
        movement = Movement.from_db(connection.alias, _COLUMNS, values)
        movement.formula = json.loads(movement.formula)
        found[movement.key] = movement
    return found


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
    """Lock envelopes, then other pockets, each in id order; by id.

    World pockets keep no balance: they are neither locked nor returned. NO KEY: rows that point to a
    pocket (a funding line) need not wait.
    """
    return _held("id = ANY(%s)", [list(pocket_ids)])


def _lock_with_envelopes(
    pocket_ids: Iterable[uuid.UUID], *, ended_by: date | None = None
) -> dict[uuid.UUID, Held]:
    """Pockets and the envelopes they may go back to, in one lock; `ended_by`: only of those that have ended.

    An envelope is shared by many people: nobody waits for it without need.
    """
    wanted = list(pocket_ids)
    return _held(
        "(id = ANY(%s) OR id IN (SELECT envelope_id FROM rights_pocket"
        " WHERE id = ANY(%s) AND envelope_id IS NOT NULL AND (%s::date IS NULL OR expires_on < %s::date)))",
        [wanted, wanted, ended_by, ended_by],
    )


def _held(which: str, parameters: list[Any]) -> dict[uuid.UUID, Held]:
    found = prepared.rows(
        "SELECT id, kind, unit, holder_id, label, expires_on, balance, envelope_id"  # noqa: S608
        f" FROM rights_pocket WHERE {which} AND balance IS NOT NULL"
        f" ORDER BY kind <> '{PocketKind.ENVELOPE.value}', id FOR NO KEY UPDATE",
        parameters,
    )
    return {row[0]: Held(*row) for row in found}


def _origins(pockets: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Where each pocket of a dossier was filled from, past what was spent, in the order given.

    Never changes: needs no lock. LookupError: one was never filled.
    """
    return _found_for(
        pockets,
        "SELECT p.id, entry.source_id FROM unnest(%s::uuid[]) AS p (id)"
        " LEFT JOIN rights_movement spend ON spend.target_id = p.id AND spend.kind = %s"
        " JOIN rights_movement entry ON entry.target_id = coalesce(spend.source_id, p.id)"
        " AND entry.kind = ANY(%s)",
        [list(pockets), MovementKind.SPEND.value, [kind.value for kind in INTO_RESERVED]],
    )


def _spent_from(pockets: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The reserved pocket that each spent one was filled from. LookupError: one never was."""
    return _found_for(
        pockets,
        "SELECT target_id, source_id FROM rights_movement WHERE target_id = ANY(%s) AND kind = %s",
        [list(pockets), MovementKind.SPEND.value],
    )


def _found_for(pockets: Sequence[uuid.UUID], query: str, parameters: list[Any]) -> dict[uuid.UUID, uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        found = dict(cursor.fetchall())
    if missing := [str(pocket_id) for pocket_id in pockets if pocket_id not in found]:
        raise LookupError(f"not filled reserved pockets: {', '.join(missing)}")
    return {pocket_id: found[pocket_id] for pocket_id in pockets}


def _credit_purses(pockets: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """For each of these, the purse that keeps the credits of its holder, opened where it is missing."""
    if not pockets:
        return {}
    holders = dict(Pocket.objects.filter(pk__in=pockets).values_list("pk", "holder_id"))
    places = {
        holder_id: Place(holder_id, PocketKind.CREDIT.value, Unit.EUR_CENT.value)
        for holder_id in holders.values()
    }
    opened = _opened(set(places.values()))
    return {pocket_id: opened[places[holder_id]] for pocket_id, holder_id in holders.items()}


def _what_is_due(organisations: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The pocket of what is due to each organisation, opened now where it is missing."""
    if not organisations:
        return {}
    due = Pocket.objects.filter(kind=PocketKind.PROVIDER, organisation_id__in=organisations)
    found = dict(due.values_list("organisation_id", "pk"))
    # In one order, so that two lots never wait for each other.
    if missing := sorted(set(organisations) - found.keys()):
        Pocket.objects.bulk_create(
            [
                Pocket(kind=PocketKind.PROVIDER, organisation_id=organisation_id, balance=0)
                for organisation_id in missing
            ],
            ignore_conflicts=True,
        )
        found = dict(due.values_list("organisation_id", "pk"))
    return found


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


_PLACE = ", ".join(Place._fields)


def _find_pockets(wanted: set[Place]) -> dict[Place, uuid.UUID]:
    holders = {place.holder_id for place in wanted if place.holder_id}
    world = {place.kind for place in wanted if not place.holder_id}
    # Two halves: the index of holders, and the one of the world's pockets.
    found = prepared.rows(
        f"SELECT {_PLACE}, id FROM rights_pocket WHERE holder_id = ANY(%s)"  # noqa: S608
        f" AND kind NOT IN {NOT_A_PURSE}"
        f" UNION ALL SELECT {_PLACE}, id FROM rights_pocket WHERE holder_id IS NULL AND kind = ANY(%s)",
        [list(holders), list(world)],
    )
    return {Place(*place): pocket_id for *place, pocket_id in found}


def _open_lines(kind: PocketKind, rows: Iterable[tuple[uuid.UUID, str, uuid.UUID, str]]) -> None:
    """Open pockets of a dossier: (id, unit, holder, label). One that is there comes from the same key."""
    opened = [
        {"id": str(pocket_id), "unit": unit, "holder_id": str(holder_id), "label": label[:LONGEST_LABEL]}
        for pocket_id, unit, holder_id, label in rows
    ]
    if opened:
        prepared.rows(_OPEN, [kind.value, _json(opened)])


# One parameter, however many rows: each number of them would be another statement.
_OPEN = """
    INSERT INTO rights_pocket (id, kind, unit, holder_id, label, funder_kind, origin, balance)
    SELECT id, %s, unit, holder_id, label, '', '', 0
    FROM json_to_recordset(%s::json) AS row (id uuid, unit text, holder_id uuid, label text)
    ON CONFLICT (id) DO NOTHING"""


# Both pockets found and the movement written, in one go.
_CREDIT = f"""
    INSERT INTO rights_movement (kind, source_id, target_id, amount, key, reason, formula, value_date,
        recorded_at, recorded_by_id)
    SELECT '{MovementKind.CREDIT.value}', payer.id, purse.id, %s::bigint, %s::text, %s::text, %s::jsonb,
        %s::date, %s::timestamptz, %s::bigint
    FROM rights_pocket payer, rights_pocket purse
    WHERE payer.kind IN {_in(WORLD_KINDS)} AND (payer.kind, payer.unit, payer.label) = (%s, %s, %s)
    AND (purse.holder_id, purse.kind, purse.unit, purse.label, purse.funder_kind, purse.origin)
        = (%s, %s, %s, %s, %s, %s) AND purse.expires_on IS NOT DISTINCT FROM %s::date
    AND purse.envelope_id IS NULL AND purse.earmark_id IS NULL
    ON CONFLICT (key) DO NOTHING RETURNING id, source_id, target_id"""  # noqa: S608


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
    _check_told(key, at)
    values = {
        "id": None,
        "kind": kind,
        "source_id": source,
        "target_id": target,
        "amount": amount,
        "key": key,
        "reason": reason,
        "formula": [list(line) for line in formula],
        "reverses_id": reverses.pk if reverses else None,
        "value_date": value_date or paris_day(at),
        "recorded_at": at,
        "recorded_by_id": by.user.pk if by.user else None,
    }
    # By keyword, making one costs more than writing it.
    return Movement(*_in_order(values))


_COLUMNS = tuple(field.attname for field in Movement._meta.concrete_fields)
_in_order = itemgetter(*_COLUMNS)
_KEYS = f"SELECT {', '.join(_COLUMNS)} FROM rights_movement WHERE key = ANY(%s)"  # noqa: S608

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
    written: dict[str, int] = dict(prepared.rows(_INSERT, [_json(rows)]))
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


_json = json.JSONEncoder(ensure_ascii=False).encode


def _line_key(key: str, position: int) -> str:
    return f"{key}:{position}"


def _reserved_id(line_key: str, filled_by: uuid.UUID) -> uuid.UUID:
    return uuid.uuid5(RESERVED_IDS, f"{line_key}:{filled_by}")

"""A holder's statement: what is there, what waits for a training, what happened and why.

Amounts in `unit`s of their pocket; effects are signed: what is reserved leaves, what is given back returns.
"""

import datetime
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import (
    BigIntegerField,
    Case,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import Coalesce
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import HolderProfile
from rights.explanations import Told
from rights.kinds import (
    FUNDED_KINDS,
    GAINS,
    HOLDER_KINDS,
    INTO_RESERVED,
    RETURNS,
    MovementKind,
    PocketKind,
    Unit,
)
from rights.ledger import amount_in_words
from rights.models import Movement, Pocket
from rulebook.workdays import midnight_after, paris_day
from ui import french

# What a kind of purse is, for who reads it for the first time.
WHAT_IT_IS = {
    PocketKind.ANNUAL: gettext_lazy("Ajoutés chaque année, selon le temps travaillé."),
    PocketKind.INCREASE: gettext_lazy("Ajoutée à vos droits annuels quand votre situation y donne droit."),
    PocketKind.DIF: gettext_lazy("Vos anciennes heures de DIF, converties en euros."),
    PocketKind.VOLUNTEER: gettext_lazy("Gagnés par le bénévolat ou un autre engagement reconnu."),
    PocketKind.CREDIT: gettext_lazy("Ce que vous aviez payé, gardé pour une prochaine formation."),
    PocketKind.DOTATION: gettext_lazy(
        "Versée pour vous par un employeur ou un accord. Elle paie en premier."
    ),
    PocketKind.CORRECTIVE: gettext_lazy(
        "Versés par un employeur qui n’a pas tenu ses obligations envers vous."
    ),
    PocketKind.PROFESSIONAL_RISK: gettext_lazy("Vos points du compte de prévention, convertis en euros."),
    PocketKind.WORK_ACCIDENT: gettext_lazy(
        "Après un accident du travail ou une maladie professionnelle, pour changer de métier."
    ),
    PocketKind.TOP_UP: gettext_lazy("Ajouté par un financeur pour compléter un prix."),
}
# What a history can be narrowed to; a holder's purses never see the other kinds of movement.
HISTORY_KINDS = {
    MovementKind.CREDIT: gettext_lazy("Droits ajoutés"),
    MovementKind.GRANT: gettext_lazy("Dotations et abondements"),
    MovementKind.EXPIRY: gettext_lazy("Dotations terminées"),
    MovementKind.RECALL: gettext_lazy("Dotations reprises"),
    MovementKind.RESERVE: gettext_lazy("Sommes réservées"),
    MovementKind.RELEASE: gettext_lazy("Sommes rendues"),
    MovementKind.CREDIT_NOTE: gettext_lazy("Avoirs"),
    MovementKind.REVERSAL: gettext_lazy("Corrections"),
    MovementKind.ADJUST_UP: gettext_lazy("Régularisations en plus"),
    MovementKind.ADJUST_DOWN: gettext_lazy("Régularisations en moins"),
}
# Of each purse, what came in lately; its own history has the rest.
SOURCES_SHOWN = 12


@dataclass(frozen=True)
class PocketLine:
    """One purse: what can be used now, and what of it waits in reservations.

    `whole`: all that its owner has in this unit, so that a bar can show the part of this purse.
    """

    id: uuid.UUID
    kind: str
    name: str
    funder: str
    unit: str
    balance: int
    reserved: int
    expires_on: datetime.date | None
    is_expired: bool
    what_it_is: str
    whole: int = 0

    @property
    def balance_in_words(self) -> str:
        return amount_in_words(self.balance, self.unit)

    @property
    def reserved_in_words(self) -> str:
        return amount_in_words(self.reserved, self.unit) if self.reserved else ""


@dataclass(frozen=True)
class Reservation:
    """What is at one training: rights and, for euros, what the holder paid. Set aside until its first day,
    debited from then on (`has_begun`)."""

    label: str
    unit: str
    rights: int
    paid: int
    has_begun: bool = False

    @property
    def total_in_words(self) -> str:
        return amount_in_words(self.rights + self.paid, self.unit)

    @property
    def paid_in_words(self) -> str:
        return amount_in_words(self.paid, self.unit) if self.paid else ""


@dataclass(frozen=True)
class Line:
    """One movement as its holder reads it; `balance` is what was left just after it."""

    id: int
    recorded_at: datetime.datetime
    value_date: datetime.date
    words: str
    reason: str
    pocket: str
    unit: str
    effect: int
    balance: int
    formula: Sequence[Sequence[str]]
    # From what its explanation is found (rights.explanations).
    told: Told

    @property
    def effect_in_words(self) -> str:
        sign = "+" if self.effect > 0 else french.MINUS
        return f"{sign}{amount_in_words(abs(self.effect), self.unit)}"

    @property
    def balance_in_words(self) -> str:
        return amount_in_words(self.balance, self.unit)


class History(Sequence):
    """Lines newest first, fetched by page: slicing reads only its slice."""

    def __init__(self, movements: QuerySet):
        self._movements = movements

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return self._movements.count()

    def __getitem__(self, item):
        found = self._movements[item]
        return [_line(each) for each in found] if isinstance(item, slice) else _line(found)


@dataclass(frozen=True)
class Statement:
    """`total_cents`: euros usable at the moment asked for; `hours`: those of public agents, apart."""

    total_cents: int
    hours: int
    has_hours: bool
    pockets: list[PocketLine]
    reservations: list[Reservation]
    history: History
    pocket: PocketLine | None

    @property
    def hours_in_words(self) -> str:
        return amount_in_words(self.hours, Unit.HOUR)

    @property
    def usable(self) -> list[PocketLine]:
        """What can pay a training, or be used with an employer, at that moment."""
        return [line for line in self.pockets if line.balance and not line.is_expired]

    @property
    def reserved_cents(self) -> int:
        """Of the holder's rights, what waits for trainings."""
        return sum(line.reserved for line in self.pockets if line.unit == Unit.EUR_CENT)

    @property
    def unusable_cents(self) -> int:
        """What lies in purses that have ended."""
        return sum(line.balance for line in self.pockets if line.is_expired and line.unit == Unit.EUR_CENT)


def years(holder: HolderProfile) -> list[int]:
    """The years in which something happened, newest first. One query."""
    mine = Q(source__holder=holder, source__kind__in=HOLDER_KINDS) | Q(
        target__holder=holder, target__kind__in=HOLDER_KINDS
    )
    return [
        moment.year for moment in Movement.objects.filter(mine).datetimes("recorded_at", "year", order="DESC")
    ]


def sources(pockets: Sequence[PocketLine]) -> dict[uuid.UUID, list[Line]]:
    """What came into each of these purses lately, newest first, with its formula. One query."""
    found: dict[uuid.UUID, list[Line]] = defaultdict(list)
    ids = [pocket.id for pocket in pockets]
    for movement in _movements(ids).filter(kind__in=GAINS, target__in=ids):
        if len(found[movement.target_id]) < SOURCES_SHOWN:
            found[movement.target_id].append(_line(movement))
    return found


def statement(
    holder: HolderProfile,
    *,
    at: datetime.datetime,
    pocket_id: uuid.UUID | None = None,
    year: int | None = None,
    kind: str = "",
) -> Statement:
    """Everything « Mes droits » shows; the history of one pocket, year or kind only when asked.

    A narrowed history keeps the balance that stood after each of its lines.
    LookupError: this pocket is not one of this holder's. Three queries, then one a page of history.
    """
    purses = Pocket.objects.filter(holder=holder, kind__in=HOLDER_KINDS).order_by(
        "unit", "kind", "expires_on", "id"
    )
    waiting = _waiting(holder)
    reserved_from: Counter[uuid.UUID] = Counter()
    for each in waiting:
        if not each.has_begun:
            reserved_from[each.source_id] += each.balance
    lines = [_pocket_line(purse, reserved_from[purse.pk], on=paris_day(at)) for purse in purses]
    chosen = None
    if pocket_id is not None:
        chosen = next((line for line in lines if line.id == pocket_id), None)
        if chosen is None:
            raise LookupError(f"pocket {pocket_id} is not one of holder {holder.pk}")
    usable = [line for line in lines if not line.is_expired]
    return Statement(
        total_cents=sum(line.balance for line in usable if line.unit == Unit.EUR_CENT),
        hours=sum(line.balance for line in usable if line.unit == Unit.HOUR),
        has_hours=any(line.unit == Unit.HOUR for line in lines),
        # A purse that was emptied and will not be filled again says nothing any more.
        pockets=_with_whole(
            [line for line in lines if line.balance or line.reserved or line.expires_on is None]
        ),
        reservations=_reservations(waiting),
        history=History(_narrowed([chosen.id] if chosen else [line.id for line in lines], year, kind)),
        pocket=chosen,
    )


@dataclass(frozen=True)
class DayBalances:
    """What each purse held at the end of a day in Paris; `is_expired` is judged that day."""

    day: datetime.date
    pockets: list[PocketLine]

    @property
    def total_cents(self) -> int:
        return self._usable(Unit.EUR_CENT)

    @property
    def hours(self) -> int:
        return self._usable(Unit.HOUR)

    @property
    def hours_in_words(self) -> str:
        return amount_in_words(self.hours, Unit.HOUR)

    def _usable(self, unit: Unit) -> int:
        return sum(line.balance for line in self.pockets if line.unit == unit and not line.is_expired)


def balances_on(holder: HolderProfile, *, day: datetime.date) -> DayBalances:
    """What the holder had at the end of that day in Paris, from the movements recorded by then. One query.

    Purses that held nothing are left out. What was reserved is not counted, as in today's balances.
    """
    end = midnight_after(day)

    def moved(way: str) -> Coalesce:
        recorded = Movement.objects.filter(**{way: OuterRef("pk")}, recorded_at__lt=end).order_by()
        total = recorded.values(way).annotate(total=Sum("amount")).values("total")
        return Coalesce(Subquery(total, output_field=BigIntegerField()), Value(0))

    purses = (
        Pocket.objects.filter(holder=holder, kind__in=HOLDER_KINDS)
        .annotate(held=moved("target") - moved("source"))
        .filter(held__gt=0)
        .order_by("unit", "kind", "expires_on", "id")
    )
    return DayBalances(day, [_pocket_line(purse, 0, on=day, balance=purse.held) for purse in purses])


class Waiting(NamedTuple):
    """What one line of a dossier holds: reserved or, once the training has begun, spent."""

    label: str
    unit: str
    source_id: uuid.UUID
    source_kind: str
    balance: int
    has_begun: bool


def _waiting(holder: HolderProfile) -> list[Waiting]:
    """What the lines of this holder's dossiers still hold, and where it came from. One query."""
    spent = Movement.objects.filter(kind=MovementKind.SPEND, source=OuterRef("target"), target__balance__gt=0)
    rows = (
        Movement.objects.filter(kind__in=INTO_RESERVED, target__holder=holder)
        .annotate(spent=Subquery(spent.values("target__balance")[:1]))
        .filter(Q(target__balance__gt=0) | Q(spent__isnull=False))
        .order_by("id")
        .values_list("target__label", "target__unit", "source_id", "source__kind", "target__balance", "spent")
    )
    return [Waiting(*about, balance or spent, not balance) for *about, balance, spent in rows]


def _reservations(waiting: list[Waiting]) -> list[Reservation]:
    """One line a training: the lines of its funding share a label."""
    rights: Counter[tuple[str, str, bool]] = Counter()
    paid: Counter[tuple[str, str, bool]] = Counter()
    for each in waiting:
        training = (each.label, each.unit, each.has_begun)
        (paid if each.source_kind == PocketKind.CARD else rights)[training] += each.balance
    trainings = dict.fromkeys((each.label, each.unit, each.has_begun) for each in waiting)
    return [
        Reservation(label, unit, rights[label, unit, has_begun], paid[label, unit, has_begun], has_begun)
        for label, unit, has_begun in trainings
    ]


def _pocket_line(
    pocket: Pocket, reserved: int, *, on: datetime.date, balance: int | None = None
) -> PocketLine:
    return PocketLine(
        id=pocket.pk,
        kind=pocket.kind,
        name=pocket.get_kind_display(),
        funder=pocket.label,
        unit=pocket.unit,
        balance=(pocket.balance or 0) if balance is None else balance,
        reserved=reserved,
        expires_on=pocket.expires_on,
        is_expired=pocket.expires_on is not None and pocket.expires_on < on,
        what_it_is=str(WHAT_IT_IS[PocketKind(pocket.kind)]),
    )


def _with_whole(lines: list[PocketLine]) -> list[PocketLine]:
    whole: Counter[str] = Counter()
    for line in lines:
        whole[line.unit] += line.balance
    return [replace(line, whole=whole[line.unit]) for line in lines]


def _narrowed(purse_ids: list[uuid.UUID], year: int | None, kind: str) -> QuerySet:
    """Only that year and kind. Chosen over a window: a plain filter would change the running balance."""
    wanted = Q(recorded_at__year=year) if year else Q()
    if kind:
        wanted &= Q(kind=kind)
    found = _movements(purse_ids)
    if not wanted:
        return found
    is_wanted = Case(When(wanted, then=Value(1)), default=Value(0))
    return found.annotate(is_wanted=Window(Max(is_wanted), partition_by=[F("id")])).filter(is_wanted=1)


def _movements(purse_ids: list[uuid.UUID]) -> QuerySet:
    """Movements in or out of these purses, with their signed effect and the balance after each, by unit."""
    return (
        Movement.objects.filter(Q(source__in=purse_ids) | Q(target__in=purse_ids))
        .select_related("source", "target")
        .annotate(
            effect=Case(
                When(source__in=purse_ids, then=-F("amount")),
                default=F("amount"),
                output_field=BigIntegerField(),
            )
        )
        .annotate(
            balance=Window(Sum("effect"), partition_by=[F("source__unit")], order_by=F("id").asc()),
        )
        .order_by("-id")
    )


def _line(movement) -> Line:
    purse, other = (
        (movement.target, movement.source) if movement.effect > 0 else (movement.source, movement.target)
    )
    return Line(
        id=movement.pk,
        recorded_at=movement.recorded_at,
        value_date=movement.value_date,
        words=_words(movement.kind, purse, other),
        reason=_reason(movement, purse, other),
        pocket=" · ".join(part for part in (purse.get_kind_display(), purse.label) if part),
        unit=purse.unit,
        effect=movement.effect,
        balance=int(movement.balance),
        formula=movement.formula,
        told=Told(
            id=movement.pk,
            key=movement.key,
            kind=movement.kind,
            pocket_kind=purse.kind,
            unit=purse.unit,
            origin=purse.origin,
            value_date=movement.value_date,
            has_author=movement.recorded_by_id is not None,
        ),
    )


def _reason(movement: Movement, purse: Pocket, other: Pocket) -> str:
    """Why, without what the line says already: its reserved pocket's name, its funder, its purse."""
    reason = movement.reason.removesuffix(f" · {purse.label}") if purse.label else movement.reason
    return "" if reason in {other.label, str(purse.get_kind_display())} else reason


def _words(kind: str, purse: Pocket, other: Pocket) -> str:
    """What happened, in one sentence for the holder."""
    if kind in (MovementKind.CREDIT, MovementKind.GRANT):
        if purse.kind in FUNDED_KINDS and purse.label:
            return _("%(funder)s vous a versé des droits à la formation") % {"funder": purse.label}
        return _("Droits ajoutés à votre compte")
    if kind == MovementKind.RESERVE:
        return _("Réservé pour : %(training)s") % {"training": other.label}
    if kind == MovementKind.RELEASE:
        return _("Rendu à votre compte : %(training)s") % {"training": other.label}
    if kind == MovementKind.CREDIT_NOTE:
        return _("Avoir : ce que vous aviez payé pour %(training)s") % {"training": other.label}
    if kind in RETURNS:
        funder = purse.label or str(purse.get_kind_display())
        if kind == MovementKind.EXPIRY:
            return _("Date passée : retourné à %(funder)s") % {"funder": funder}
        return _("Repris par %(funder)s") % {"funder": funder}
    if kind == MovementKind.CONVERSION_OUT:
        return _("Converti en euros") if purse.unit == Unit.HOUR else _("Converti en heures")
    if kind == MovementKind.CONVERSION_IN:
        return _("Venu d’heures converties") if purse.unit == Unit.EUR_CENT else _("Venu d’euros convertis")
    if kind == MovementKind.REVERSAL:
        return _("Correction : des droits ajoutés par erreur ont été retirés")
    if kind == MovementKind.ADJUST_UP:
        return _("Régularisation : des droits ont été ajoutés par l’administration")
    if kind == MovementKind.ADJUST_DOWN:
        return _("Régularisation : des droits ont été repris par l’administration")
    return str(MovementKind(kind).label)

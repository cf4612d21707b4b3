"""How an order is paid: which purse, in which order, why, and what the holder pays. Pure.

Amounts in euro cents, all positive. The lines and the remainder always add up to the price; no
line is negative or above its purse; more money never costs the holder more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from uuid import UUID

from django.utils.translation import gettext as _

from rights.earmarks import FREE, Conditions
from rulebook import Rules
from ui import french

STATE_TOP_UP = "state_top_up"
# The State's top-up lies in no purse: its line has this id until it is reserved.
STATE_TOP_UP_ID = UUID(int=0)
# The name under which a certification of the specific register may have a ceiling.
SPECIFIC_REGISTER = "rs"
LONGEST_REASON = 255


@dataclass(frozen=True, slots=True)
class Purse:
    """Money a holder can use: what a pocket holds now. `funder_kind` is who granted it, when told."""

    pocket_id: UUID
    kind: str
    label: str
    balance_cents: int
    funder_kind: str = ""
    expires_on: date | None = None
    conditions: Conditions = FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What decides who may pay for it. `certification`, `register` and `level` are those it leads to;
    `jobs`: ROME codes; `starts_on` None: not known yet."""

    kind: str = "training"
    certification: str = ""
    register: str = ""
    level: int | None = None
    starts_on: date | None = None
    jobs: tuple[str, ...] = ()


ANY_TRAINING = Training()


@dataclass(frozen=True, slots=True)
class Line:
    """What one purse, or the State's top-up, pays. `reason` is said to the holder."""

    pocket_id: UUID
    label: str
    amount_cents: int
    reason: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A purse that this training may not use, and why."""

    label: str
    balance_cents: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How a price is paid. `remainder_cents` is what the holder pays, participation inside it.

    `obstacle`: why nothing can be paid with these purses; then there are no lines. `ceiling_cents`: the
    most that yearly rights may pay, when that is less than they could. `state_top_up_cents`: what the
    State adds, or would add once its holder activates it.
    """

    price_cents: int
    lines: tuple[Line, ...]
    remainder_cents: int
    participation_cents: int
    exemption: str
    obstacle: str = ""
    ceiling_cents: int | None = None
    set_aside: tuple[SetAside, ...] = ()
    state_top_up_cents: int = 0
    is_state_top_up_active: bool = False

    @property
    def rights_cents(self) -> int:
        return sum(line.amount_cents for line in self.lines)

    @property
    def state_top_up_offered_cents(self) -> int:
        """What the holder may still ask the State for."""
        return 0 if self.is_state_top_up_active else self.state_top_up_cents

    @property
    def fingerprint(self) -> str:
        """Tells whether the plan a person saw is still the one that would be carried out."""
        seen = [f"{line.pocket_id}:{line.amount_cents}" for line in self.lines]
        return sha256(
            "|".join([str(self.price_cents), str(self.remainder_cents), *seen]).encode()
        ).hexdigest()


def plan(
    *,
    price_cents: int,
    purses: Iterable[Purse],
    status: str,
    rules: Rules,
    training: Training = ANY_TRAINING,
    with_state_top_up: bool = False,
) -> Plan:
    """The lines that pay a price, in legal order, and what is left to the holder.

    The participation is inside the remainder, never added to it (docs/decisions.md, 6; decree
    2024-394). A purse that exempts from it is used first, for at least what the participation
    would have left to pay; a third party that must help, for at least its legal part. Then everyone in
    order; inside a kind, earmarked before free, nearest expiry first. Yearly rights stop at their ceiling
    (finance law for 2026, art. 203). The State's top-up, once activated, fills what is still missing.
    ValueError: price below zero.
    """
    if price_cents < 0:
        raise ValueError("a price is never negative")
    ordered, set_aside = _sorted_out(in_order_of_use(purses, rules), training)
    exempting = [purse for purse in ordered if _exempts(purse, rules)]
    exemption = _exemption(status, exempting, rules)
    owed = min(rules.participation_cents, price_cents)
    participation = 0 if exemption else owed

    cofunders: list[Purse] = []
    if training.kind in rules.cofunded_kinds and status not in rules.cofunded_exempt_statuses:
        cofunders = [purse for purse in ordered if _is_one_of(purse, rules.cofunders)]
        if sum(purse.balance_cents for purse in cofunders) < rules.cofunded_min_cents:
            return Plan(
                price_cents=price_cents,
                lines=(),
                remainder_cents=price_cents,
                participation_cents=participation,
                exemption=exemption,
                obstacle=_cofunding_obstacle(rules),
                set_aside=set_aside,
            )

    spending = _Spending(left=price_cents - participation, ceiling=_ceiling(training, rules), rules=rules)
    # First the exempting purses, for what they spare; then the third party's part; then everyone in order.
    if exemption and status not in rules.participation_exempt_statuses:
        spending.take(exempting, at_least=owed)
    spending.take(cofunders, at_least=rules.cofunded_min_cents)
    spending.take(ordered)

    lines = [
        Line(
            purse.pocket_id,
            purse.label,
            spending.taken[purse.pocket_id],
            _reason(purse, exempting, cofunders, spending),
            purse.kind,
        )
        for purse in ordered
        if spending.taken.get(purse.pocket_id)
    ]
    top_up = _state_top_up(spending.left, training, rules)
    if top_up and with_state_top_up:
        lines.append(_state_line(top_up))
    return Plan(
        price_cents=price_cents,
        lines=tuple(lines),
        remainder_cents=price_cents - sum(line.amount_cents for line in lines),
        participation_cents=participation,
        exemption=exemption,
        ceiling_cents=spending.ceiling if spending.is_ceiled else None,
        set_aside=set_aside,
        state_top_up_cents=top_up,
        is_state_top_up_active=with_state_top_up,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What these purses can do for a training, whatever its price. `participation_cents`: at most that is
    left to pay anyway; `is_refused`: they may pay nothing."""

    participation_cents: int
    capacity_cents: int
    is_refused: bool


def reach(*, purses: Iterable[Purse], status: str, rules: Rules, training: Training = ANY_TRAINING) -> Reach:
    """The same as `plan`, said for every price at once: the remainder of a price is the participation (the
    price itself when it is lower), or what is above the capacity, whichever is more."""
    ordered, _set_aside = _sorted_out(in_order_of_use(purses, rules), training)
    is_exempt = bool(_exemption(status, [purse for purse in ordered if _exempts(purse, rules)], rules))
    ceiled = sum(purse.balance_cents for purse in ordered if purse.kind in rules.ceiling_purses)
    free = sum(purse.balance_cents for purse in ordered if purse.kind not in rules.ceiling_purses)
    ceiling = _ceiling(training, rules)
    return Reach(
        participation_cents=0 if is_exempt else rules.participation_cents,
        capacity_cents=free + (ceiled if ceiling is None else min(ceiled, ceiling)),
        is_refused=training.kind in rules.cofunded_kinds
        and status not in rules.cofunded_exempt_statuses
        and sum(purse.balance_cents for purse in ordered if _is_one_of(purse, rules.cofunders))
        < rules.cofunded_min_cents,
    )


def in_order_of_use(purses: Iterable[Purse], rules: Rules) -> list[Purse]:
    """Purses with money in the legal order of that day; a kind the law does not list is not used."""
    rank = {
        kind: (group, place)
        for group, kinds in enumerate(rules.order_of_use)
        for place, kind in enumerate(kinds)
    }
    usable = [purse for purse in purses if purse.kind in rank and purse.balance_cents > 0]
    return sorted(
        usable,
        key=lambda purse: (
            rank[purse.kind],
            purse.conditions.is_free,
            purse.expires_on or date.max,
            str(purse.pocket_id),
        ),
    )


class _Spending:
    """What has been taken from each purse, and what is left to pay."""

    def __init__(self, *, left: int, ceiling: int | None, rules: Rules):
        self.left, self.ceiling, self.rules = left, ceiling, rules
        self.room = ceiling
        self.taken: dict[UUID, int] = {}
        self.is_ceiled = False

    def take(self, purses: Sequence[Purse], *, at_least: int | None = None) -> None:
        """All that is left from these purses, in order; `at_least`: no more than that from them together."""
        wanted = self.left
        if at_least is not None:
            given = sum(self.taken.get(purse.pocket_id, 0) for purse in purses)
            wanted = min(self.left, max(at_least - given, 0))
        for purse in purses:
            part = min(purse.balance_cents - self.taken.get(purse.pocket_id, 0), wanted)
            if self.room is not None and purse.kind in self.rules.ceiling_purses:
                self.is_ceiled = self.is_ceiled or part > self.room
                part = min(part, self.room)
                self.room -= part
            self.taken[purse.pocket_id] = self.taken.get(purse.pocket_id, 0) + part
            self.left -= part
            wanted -= part


def _sorted_out(ordered: list[Purse], training: Training) -> tuple[list[Purse], tuple[SetAside, ...]]:
    """Purses that may pay for this training, then those that may not, and why."""
    why = {
        purse.pocket_id: purse.conditions.obstacle(
            certification=training.certification, level=training.level, starts_on=training.starts_on
        )
        for purse in ordered
    }
    return (
        [purse for purse in ordered if not why[purse.pocket_id]],
        tuple(
            SetAside(purse.label, purse.balance_cents, why[purse.pocket_id])
            for purse in ordered
            if why[purse.pocket_id]
        ),
    )


def _ceiling(training: Training, rules: Rules) -> int | None:
    """The most that yearly rights may pay for this training; None: there is no ceiling."""
    names = [training.kind]
    if (
        training.register.lower() == SPECIFIC_REGISTER
        and training.certification not in rules.ceiling_exempt_certifications
    ):
        names.append(SPECIFIC_REGISTER)
    return min((rules.ceilings_cents[name] for name in names if name in rules.ceilings_cents), default=None)


def _state_top_up(missing: int, training: Training, rules: Rules) -> int:
    """What the State adds to what rights do not cover, for the jobs it helps."""
    if not set(training.jobs) & set(rules.state_top_up_jobs):
        return 0
    return min(missing * rules.state_top_up_percent // 100, rules.state_top_up_max_cents)


def _state_line(amount_cents: int) -> Line:
    return Line(
        STATE_TOP_UP_ID,
        _("Abondement numérique de l’État"),
        amount_cents,
        _("Activé par vous : il complète ce que vos droits ne paient pas."),
        STATE_TOP_UP,
    )


def _cofunding_obstacle(rules: Rules) -> str:
    return _(
        "Vos droits ne peuvent payer ce permis que si vous êtes demandeur d’emploi, ou si un tiers "
        "(employeur, OPCO, région, France Travail…) en paie au moins %(amount)s."
    ) % {"amount": french.euros(rules.cofunded_min_cents)}


def _is_one_of(purse: Purse, names: Sequence[str]) -> bool:
    return bool({purse.kind, purse.funder_kind} & set(names))


def _exempts(purse: Purse, rules: Rules) -> bool:
    return _is_one_of(purse, rules.participation_exempt_purses)


def _exemption(status: str, exempting: Sequence[Purse], rules: Rules) -> str:
    if not rules.participation_cents:
        return ""
    if status in rules.participation_exempt_statuses:
        return _("Votre situation vous dispense de la participation obligatoire.")
    if exempting:
        return _("« %(purse)s » vous dispense de la participation obligatoire.") % {
            "purse": exempting[0].label
        }
    return ""


def _reason(purse: Purse, exempting: Sequence[Purse], cofunders: Sequence[Purse], spending: _Spending) -> str:
    """Why this purse pays that much, all that can be said of it."""
    said = []
    if purse in exempting:
        said.append(_("Ce financement dispense de la participation obligatoire."))
    if purse in cofunders:
        said.append(_("Un tiers doit payer une part de ce permis."))
    if not purse.conditions.is_free:
        said.append(_("Réservé à ce type de formation : utilisé avant ce qui est libre."))
    if purse.expires_on:
        said.append(_("À utiliser avant le %(day)s.") % {"day": f"{purse.expires_on:%d/%m/%Y}"})
    if spending.is_ceiled and spending.ceiling is not None and purse.kind in spending.rules.ceiling_purses:
        said.append(
            _("Pour cette formation, vos droits annuels paient %(amount)s au plus.")
            % {"amount": french.euros(spending.ceiling)}
        )
    words = " ".join(said) or _("Dans l’ordre prévu par la loi.")
    return words if len(words) <= LONGEST_REASON else f"{words[: LONGEST_REASON - 1]}…"

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

from rulebook import Rules


@dataclass(frozen=True, slots=True)
class Purse:
    """Money a holder can use: what a pocket holds now. `funder_kind` is who granted it, when told."""

    pocket_id: UUID
    kind: str
    label: str
    balance_cents: int
    funder_kind: str = ""
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What one purse pays. `reason` is said to the holder."""

    pocket_id: UUID
    label: str
    amount_cents: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How a price is paid. `remainder_cents` is what the holder pays, participation inside it."""

    price_cents: int
    lines: tuple[Line, ...]
    remainder_cents: int
    participation_cents: int
    exemption: str

    @property
    def rights_cents(self) -> int:
        return sum(line.amount_cents for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """Tells whether the plan a person saw is still the one that would be carried out."""
        seen = [f"{line.pocket_id}:{line.amount_cents}" for line in self.lines]
        return sha256(
            "|".join([str(self.price_cents), str(self.remainder_cents), *seen]).encode()
        ).hexdigest()


def plan(*, price_cents: int, purses: Iterable[Purse], status: str, rules: Rules) -> Plan:
    """The lines that pay a price, in legal order, and what is left to the holder.

    The participation is inside the remainder, never added to it (docs/decisions.md, 6; decree
    2024-394). A purse that exempts from it is used first, for at least what the participation
    would have left to pay. Inside a kind: nearest expiry first. ValueError: price below zero.
    """
    if price_cents < 0:
        raise ValueError("a price is never negative")
    ordered = in_order_of_use(purses, rules)
    exempting = [purse for purse in ordered if _exempts(purse, rules)]
    exemption = _exemption(status, exempting, rules)
    owed = min(rules.participation_cents, price_cents)
    participation = 0 if exemption else owed

    taken: dict[UUID, int] = {}
    left = price_cents - participation
    # First the exempting purses, for what they spare; then everyone in order.
    spared = min(owed, left) if exemption and status not in rules.participation_exempt_statuses else 0
    for purse in exempting:
        part = min(purse.balance_cents, spared)
        taken[purse.pocket_id] = part
        spared -= part
        left -= part
    for purse in ordered:
        part = min(purse.balance_cents - taken.get(purse.pocket_id, 0), left)
        taken[purse.pocket_id] = taken.get(purse.pocket_id, 0) + part
        left -= part

    lines = tuple(
        Line(purse.pocket_id, purse.label, taken[purse.pocket_id], _reason(purse, exempting))
        for purse in ordered
        if taken[purse.pocket_id]
    )
    return Plan(
        price_cents=price_cents,
        lines=lines,
        remainder_cents=price_cents - sum(line.amount_cents for line in lines),
        participation_cents=participation,
        exemption=exemption,
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
        usable, key=lambda purse: (rank[purse.kind], purse.expires_on or date.max, str(purse.pocket_id))
    )


def _exempts(purse: Purse, rules: Rules) -> bool:
    return bool({purse.kind, purse.funder_kind} & set(rules.participation_exempt_purses))


def _exemption(status: str, exempting: Sequence[Purse], rules: Rules) -> str:
    if not rules.participation_cents:
        return ""
    if status in rules.participation_exempt_statuses:
        return _("Votre situation vous dispense de la participation obligatoire.")
    if exempting:
        return _("« %(purse)s » vous dispense de la participation obligatoire.") % {
            "purse": exempting[0].label
        }
    return ""


def _reason(purse: Purse, exempting: Sequence[Purse]) -> str:
    if purse in exempting:
        return _("Ce financement dispense de la participation obligatoire.")
    if purse.expires_on:
        return _("À utiliser avant le %(day)s.") % {"day": f"{purse.expires_on:%d/%m/%Y}"}
    return _("Dans l’ordre prévu par la loi.")

"""Where rights come from, in four words: work, engagement, funders, the rest. Pure.

Amounts in one unit: euros and hours are two splits, never one.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from rights.kinds import PocketKind


class Provenance(models.TextChoices):
    """In the order in which they are shown."""

    WORK = "work", _("Votre travail")
    VOLUNTEERING = "volunteering", _("Votre engagement citoyen")
    FUNDERS = "funders", _("Des financeurs")
    OTHER = "other", _("Autres origines")


P = PocketKind
OF_KIND = {
    P.ANNUAL: Provenance.WORK,
    P.INCREASE: Provenance.WORK,
    P.DIF: Provenance.WORK,
    P.VOLUNTEER: Provenance.VOLUNTEERING,
    P.DOTATION: Provenance.FUNDERS,
    P.CORRECTIVE: Provenance.FUNDERS,
    P.TOP_UP: Provenance.FUNDERS,
    # What they paid themselves, prevention points, an accident: neither a year of work nor a funder.
    P.CREDIT: Provenance.OTHER,
    P.PROFESSIONAL_RISK: Provenance.OTHER,
    P.WORK_ACCIDENT: Provenance.OTHER,
}
LENGTH = 1_000
"""Of the bar, in its own units."""
THINNEST = 12
"""A share that exists is seen, however small."""


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a bar of `LENGTH`: where it begins and how long it is. `percent` is rounded to tell."""

    provenance: Provenance
    amount: int
    percent: int
    start: int
    length: int


def split(amounts: Iterable[tuple[str, int]]) -> list[Share]:
    """(kind of purse, amount) of one unit → the shares that hold something, in the order of `Provenance`."""
    held: Counter[Provenance] = Counter()
    for kind, amount in amounts:
        held[OF_KIND[PocketKind(kind)]] += amount
    shown = [provenance for provenance in Provenance if held[provenance] > 0]
    whole = sum(held[provenance] for provenance in shown)
    if not whole:
        return []
    room = LENGTH - THINNEST * len(shown)
    lengths = [THINNEST + held[provenance] * room // whole for provenance in shown]
    # What rounding leaves goes to the longest, where nobody sees it.
    lengths[lengths.index(max(lengths))] += LENGTH - sum(lengths)
    shares, start = [], 0
    for provenance, length in zip(shown, lengths, strict=True):
        amount = held[provenance]
        shares.append(Share(provenance, amount, round(amount * 100 / whole), start, length))
        start += length
    return shares

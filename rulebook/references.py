"""Which text a value comes from: what a person is told beside an amount."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.apps import apps


@dataclass(frozen=True, slots=True)
class Reference:
    """One parameter as it was on a day: what it is about, its value, its text, and since when it holds."""

    name: str
    label: str
    value: Any
    legal_reference: str
    note: str
    since: date


def references(wanted: Iterable[tuple[str, date]]) -> dict[tuple[str, date], Reference]:
    """(name, day) → its reference, where the law gave something that day: 0 and empty lists are left out.

    One query, however many; none for nothing.
    """
    places = set(wanted)
    if not places:
        return {}
    # By name: this module is read before Django has its models.
    rows = apps.get_model("rulebook", "Parameter").objects.filter(name__in={name for name, _day in places})
    found = {}
    for row in rows:
        if not row.value:
            continue
        reference = Reference(
            row.name, row.label, row.value, row.legal_reference, row.note, row.in_force.lower
        )
        for name, day in places:
            if name == row.name and day in row.in_force:
                found[name, day] = reference
    return found

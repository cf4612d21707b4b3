"""A new text of law."""

from datetime import date
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateRange

from rulebook.models import Parameter


def decree(name: str, value: Any, *, since: date) -> None:
    """It ends the row in force and begins its own."""
    last = Parameter.objects.filter(name=name).order_by("-in_force").first()
    Parameter.objects.filter(pk=last.pk).update(in_force=DateRange(last.in_force.lower, since))
    Parameter.objects.create(
        name=name,
        label=last.label,
        value=value,
        unit=last.unit,
        in_force=DateRange(since, None),
        legal_reference="Décret d’essai",
        is_core_law=True,
    )

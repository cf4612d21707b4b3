"""What the table itself guarantees, each guard with the fault it prevents."""

from contextlib import contextmanager
from datetime import date

import pgtrigger
import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from rulebook.models import Parameter

pytestmark = pytest.mark.django_db


def parameter(*, since, until=None, name="patience_days", value=1):
    return Parameter(
        name=name,
        label="Patience",
        value=value,
        unit="jours",
        in_force=DateRange(since, until),
        legal_reference="Choix de l'instance",
        is_core_law=False,
    )


@contextmanager
def refused(error=DatabaseError):
    """A refusal inside its own savepoint, so that the test can go on."""
    with pytest.raises(error) as found, transaction.atomic():
        yield found


def drop_constraint(name):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE rulebook_parameter DROP CONSTRAINT {name}")


def test_two_values_never_hold_on_one_day():
    parameter(since=date(2026, 1, 1), until=date(2027, 1, 1)).save()
    parameter(since=date(2027, 1, 1)).save()  # end excluded: the next may begin there
    parameter(since=date(2026, 6, 1), name="courage_days").save()  # another name may
    overlapping = parameter(since=date(2025, 1, 1), until=date(2026, 1, 2), value=2)
    with refused(IntegrityError) as error:
        overlapping.save()
    assert "parameter_has_one_value_a_day" in str(error.value)
    with pytest.raises(ValidationError, match="déjà une valeur"):
        overlapping.validate_constraints()


def test_without_the_constraint_two_values_would_hold_on_one_day():
    drop_constraint("parameter_has_one_value_a_day")
    parameter(since=date(2026, 1, 1)).save()
    parameter(since=date(2026, 6, 1), value=2).save()
    assert Parameter.objects.filter(name="patience_days", in_force__contains=date(2026, 6, 1)).count() == 2


@pytest.mark.parametrize(
    "in_force", [DateRange(None, date(2026, 1, 1)), DateRange(None, None), DateRange(empty=True)]
)
def test_a_rule_starts_on_a_day_and_lasts_one_at_least(in_force):
    row = parameter(since=date(2026, 1, 1))
    row.in_force = in_force
    with refused(IntegrityError) as error:
        row.save()
    assert "parameter_starts_on_a_day" in str(error.value)
    drop_constraint("parameter_starts_on_a_day")
    row.save()


@pytest.mark.parametrize(
    "change",
    [
        {"value": 2},
        {"unit": "ans"},
        {"name": "courage_days"},
        {"legal_reference": "Autre"},
        {"is_core_law": True},
        {"in_force": DateRange(date(2025, 1, 1), None)},
        {"in_force": DateRange(date(2025, 1, 1), date(2027, 1, 1))},
        {"in_force": DateRange(empty=True)},
        {"in_force": DateRange(date(2026, 1, 1), date(2027, 1, 1)), "value": 2},
        {"in_force": DateRange(date(2026, 1, 1), None)},
    ],
)
def test_a_rule_is_never_rewritten(change):
    parameter(since=date(2026, 1, 1)).save()
    row = Parameter.objects.filter(name="patience_days")
    with refused() as error:
        row.update(**change)
    assert "never rewritten" in str(error.value)


def test_an_open_rule_is_closed_once():
    parameter(since=date(2026, 1, 1)).save()
    row = Parameter.objects.filter(name="patience_days")
    assert row.update(in_force=DateRange(date(2026, 1, 1), date(2027, 1, 1))) == 1
    for again in (date(2026, 6, 1), date(2028, 1, 1), None):
        with refused():
            row.update(in_force=DateRange(date(2026, 1, 1), again))


def test_a_rule_is_never_deleted():
    parameter(since=date(2026, 1, 1)).save()
    with refused() as error:
        Parameter.objects.filter(name="patience_days").delete()
    assert "Cannot delete" in str(error.value)


def test_without_the_triggers_the_past_would_be_rewritten():
    parameter(since=date(2026, 1, 1)).save()
    row = Parameter.objects.filter(name="patience_days")
    with pgtrigger.ignore("rulebook.Parameter:parameter_may_only_be_closed"):
        row.update(value=2)
    assert row.get().value == 2
    with pgtrigger.ignore("rulebook.Parameter:parameter_is_never_deleted"):
        row.delete()
    assert not row.exists()

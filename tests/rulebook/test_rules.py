from datetime import date, timedelta

import pytest
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

import rulebook
from rulebook import loading
from rulebook.models import Parameter

pytestmark = pytest.mark.django_db
OPENING = date(2019, 11, 21)


def test_the_database_says_what_the_file_says_on_every_day_a_rule_changes():
    rows = loading.read()
    for since in sorted({row.since for row in rows}):
        for day in (since, since + timedelta(days=1)):
            assert rulebook.crediting_on(day) == loading.crediting_rules_in_file(day, rows=rows)
            if day >= OPENING:
                assert rulebook.on(day) == loading.rules_in_file(day, rows=rows)


def test_what_feeds_accounts_is_known_since_2015_and_the_rest_since_the_portal_opened():
    assert rulebook.crediting_on(date(2015, 1, 1)).employee_unit == "hour"
    with pytest.raises(rulebook.NoRuleInForce):
        rulebook.crediting_on(date(2014, 12, 31))
    with pytest.raises(rulebook.NoRuleInForce):
        rulebook.on(OPENING - timedelta(days=1))
    assert rulebook.on(OPENING).annual_full_cents == 50_000


def test_one_query_a_call(django_assert_num_queries):
    with django_assert_num_queries(1):
        rulebook.on(date(2026, 11, 21))
    with django_assert_num_queries(1):
        rulebook.crediting_on(date(2026, 11, 21))


def test_a_day_before_the_first_rule_has_none():
    with pytest.raises(rulebook.NoRuleInForce) as error:
        rulebook.on(date(2019, 11, 20))
    assert error.value.day == date(2019, 11, 20)
    assert "en vigueur le 20/11/2019" in str(error.value)


def test_the_last_day_of_a_period_is_the_day_before_its_end():
    period = Parameter.objects.get(name="participation_cents", value=10_223).in_force
    assert (period.lower, period.upper) == (date(2025, 1, 1), date(2026, 1, 1))
    assert rulebook.on(date(2025, 12, 31)).participation_cents == 10_223
    assert rulebook.on(date(2026, 1, 1)).participation_cents == 10_320


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_the_law_survives_the_flush_of_a_transactional_test(turn):
    """The second turn runs after the first one's flush emptied every table."""
    assert rulebook.on(date(2026, 11, 21)).withdrawal_days == 14


def test_a_rule_added_or_closed_is_in_the_next_answer(django_assert_num_queries):
    """What this process has read before never hides what the table says now."""
    day, later = date(2031, 3, 1), date(2031, 6, 1)
    before = rulebook.on(day).withdrawal_days
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _from(day, before + 1)
        assert rulebook.on(day).withdrawal_days == before + 1
        1 / 0  # noqa: B018
    assert rulebook.on(day).withdrawal_days == before
    _from(day, before + 2)
    with django_assert_num_queries(1):
        assert rulebook.on(day).withdrawal_days == before + 2
    assert rulebook.on(day) is rulebook.on(day)
    # Read, then closed in the very transaction that added it.
    assert rulebook.on(later).withdrawal_days == before + 2
    _from(later, before + 3)
    assert rulebook.on(later).withdrawal_days == before + 3


def _from(day, value):
    """The withdrawal takes so many days from this day on."""
    old = Parameter.objects.get(name="withdrawal_days", in_force__contains=day)
    old.in_force = DateRange(old.in_force.lower, day)
    old.save()
    Parameter.objects.create(
        name=old.name,
        label=old.label,
        value=value,
        unit=old.unit,
        in_force=DateRange(day, None),
        legal_reference=old.legal_reference,
        is_core_law=old.is_core_law,
    )

"""The coming years, if the last one goes on: the sums of the credit itself, year after year, to the cap."""

import datetime
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rights import forecast
from rights.crediting import Account, NotCreditable, Situation, compute
from rights.kinds import Measure, Unit, WorkStatus
from rulebook import loading

S = WorkStatus
ROWS = loading.read()


@cache
def law(year=2026):
    return loading.crediting_rules_in_file(datetime.date(year, 11, 28), rows=ROWS)


def hours(worked, *, status=S.PRIVATE):
    return Situation(status=status, measure=Measure.HOURS, worked=Fraction(str(worked)))


def months(worked, *, status):
    return Situation(status=status, measure=Measure.MONTHS, worked=worked)


def ahead(*situations, first_year=2026, until=None, **account):
    """`until`: the last year of the increase, when it ends."""

    def account_in(year):
        then = Account(**account)
        return replace(then, low_qualified=False) if until and year > until else then

    return forecast.forecast(situations, account_in=account_in, rules=law(), first_year=first_year)


# --- Years --------------------------------------------------------------------------------------------


def test_a_full_time_employee_reaches_the_cap_then_loses_each_year():
    found = ahead(hours(1607), balance_cents=3800_00)
    assert [(year.worked, year.credit, year.lost, year.balance) for year in found.years] == [
        (2026, 500_00, 0, 4300_00),
        (2027, 500_00, 0, 4800_00),
        (2028, 200_00, 300_00, 5000_00),
        (2029, 0, 500_00, 5000_00),
    ]
    assert (found.full_on, found.lost_after, found.cap) == (2029, 500_00, 5000_00)
    assert (found.is_full, found.is_cut_next, found.grows) == (False, False, True)


def test_a_year_is_expected_by_the_day_that_the_rulebook_says():
    assert ahead(hours(1607)).next.due_on == datetime.date(2027, 6, 15)


def test_ten_years_from_nothing_and_the_eleventh_shows_what_is_lost():
    found = ahead(hours(1607))
    assert len(found.years) == 11
    assert (found.full_on, found.years[-1].lost) == (2036, 500_00)


def test_the_next_credit_that_would_be_cut_is_told():
    """Handbook, example 21: 4,800 € and a year of 500 € give 200 €, 300 € are lost."""
    found = ahead(hours(1607), balance_cents=4800_00)
    assert found.is_cut_next
    assert (found.next.credit, found.next.lost) == (200_00, 300_00)


def test_an_account_at_its_cap_shows_one_year_that_gives_nothing():
    """Handbook, example 22."""
    found = ahead(hours(1607), balance_cents=5000_00)
    assert [(year.credit, year.lost) for year in found.years] == [(0, 500_00)]
    assert (found.is_full, found.full_on, found.lost_after) == (True, None, 500_00)


def test_the_increase_has_its_own_cap():
    """Handbook, example 23: 4,800 € and 800 € under a cap of 8,000 €."""
    found = ahead(hours(1607), balance_cents=4800_00, low_qualified=True)
    assert not found.is_cut_next
    assert (found.cap, found.full_on) == (8000_00, 2030)


def test_an_increase_that_ends_leaves_what_is_there_and_stops():
    found = ahead(hours(1607), balance_cents=4800_00, low_qualified=True, until=2026)
    assert [(year.credit, year.lost, year.balance) for year in found.years] == [
        (800_00, 0, 5600_00),
        (0, 500_00, 5600_00),
    ]
    assert (found.cap, found.last_cap, found.full_on) == (8000_00, 5000_00, 2028)


def test_a_small_part_of_a_year_is_shown_for_as_many_years_as_one_reads():
    found = ahead(hours(100))
    assert len(found.years) == forecast.SHOWN
    assert found.full_on is None
    assert found.lost_after == 0


def test_public_agents_are_told_in_hours():
    found = ahead(months(12, status=S.PUBLIC), balance_hours=120)
    assert found.unit == Unit.HOUR
    assert [(year.credit, year.lost, year.balance) for year in found.years] == [
        (25, 0, 145),
        (5, 20, 150),
        (0, 25, 150),
    ]


def test_who_is_credited_of_nothing_has_a_forecast_that_does_not_grow():
    found = ahead(Situation(status=S.JOB_SEEKER), balance_cents=1000_00)
    assert not found.grows
    assert [year.balance for year in found.years] == [1000_00]
    assert "n’alimente pas le compte" in found.sentence


def test_nothing_said_is_refused_as_by_the_credit():
    with pytest.raises(NotCreditable):
        ahead()


# --- Which year comes next ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "is_credited", "today", "expected"),
    [
        (2025, True, (2026, 11, 28), 2026),  # this year's work comes next year
        (2025, False, (2026, 5, 2), 2025),  # its credit has not come yet
        (2024, True, (2026, 5, 2), 2025),  # last year's may still come, until 15 June
        (2024, True, (2026, 6, 15), 2025),
        (2024, True, (2026, 6, 16), 2026),  # it was expected, and nobody declared it
        (2019, True, (2026, 11, 28), 2026),
    ],
)
def test_the_next_year_is_the_first_that_can_still_be_credited(known, is_credited, today, expected):
    found = forecast.first_year_to_come(
        known=known, is_credited=is_credited, today=datetime.date(*today), rules=law()
    )
    assert found == expected


# --- Properties ---------------------------------------------------------------------------------------

# The first draw of a busy machine is slow.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SITUATIONS = st.one_of(
    st.integers(0, 1800).map(hours),
    st.tuples(st.integers(0, 12), st.sampled_from([S.SELF_EMPLOYED, S.PUBLIC, S.PUBLIC_CATEGORY_C])).map(
        lambda said: months(said[0], status=said[1])
    ),
    st.just(Situation(status=S.ESAT)),
    st.just(Situation(status=S.JOB_SEEKER)),
)


@UNHURRIED
@given(
    SITUATIONS,
    st.integers(0, 9000_00),
    st.integers(0, 450),
    st.booleans(),
    st.booleans(),
)
def test_each_year_is_what_the_credit_would_give_on_the_balance_of_the_year_before(
    situation, cents, held_hours, low_qualified, boe
):
    account = Account(balance_cents=cents, balance_hours=held_hours, low_qualified=low_qualified, boe=boe)
    found = forecast.forecast([situation], account_in=lambda year: account, rules=law(), first_year=2026)
    balance = found.balance
    assert 1 <= len(found.years) <= forecast.SHOWN
    for year in found.years:
        name = "balance_hours" if found.unit == Unit.HOUR else "balance_cents"
        result = compute([situation], account=replace(account, **{name: balance}), rules=law())
        assert (year.credit, year.lost) == (result.credit, result.lost)
        assert year.before == balance
        balance += result.credit
        assert year.balance == balance <= max(found.cap, found.balance)


@UNHURRIED
@given(SITUATIONS, st.integers(0, 9000_00), st.integers(0, 450))
def test_bars_stand_inside_their_drawing_side_by_side(situation, cents, held_hours):
    account = Account(balance_cents=cents, balance_hours=held_hours)
    found = forecast.forecast([situation], account_in=lambda year: account, rules=law(), first_year=2026)
    drawn = forecast.bars(found)
    assert len(drawn) == len(found.years)
    assert forecast.TOP <= forecast.cap_line(found) <= forecast.FLOOR
    right = 0
    for bar in drawn:
        assert bar.x >= right
        right = bar.x + bar.width
        assert forecast.TOP <= bar.added_top <= bar.held_top <= forecast.FLOOR
        assert bar.added_height >= 0
        assert bar.held_top + bar.held_height == forecast.FLOOR
        assert bar.added_top + bar.added_height == bar.held_top
    assert right <= forecast.WIDTH

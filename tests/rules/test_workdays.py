# ruff: noqa: DTZ001, moments without a zone are part of what is tested here
"""Business days and the exact end of a period: worked examples, every day of five years, properties.

The oracle here is written apart from the code: Easter by the Meeus algorithm and the list of the law.
"""

import csv
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulebook import workdays

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
YEARS = range(2026, 2031)

# Day of the abolition of slavery, by territory (Code du travail, art. L. 3422-2).
ABOLITION = {
    "guadeloupe": (5, 27),
    "martinique": (5, 22),
    "guyane": (6, 10),
    "la-reunion": (12, 20),
    "mayotte": (4, 27),
    "saint-barthelemy": (10, 9),
    "saint-martin": (5, 28),
}
ZONES = {
    "metropole": "Métropole",
    "alsace-moselle": "Alsace-Moselle",
    "guadeloupe": "Guadeloupe",
    "martinique": "Martinique",
    "guyane": "Guyane",
    "la-reunion": "La Réunion",
    "mayotte": "Mayotte",
    "saint-barthelemy": "Saint-Barthélémy",
    "saint-martin": "Saint-Martin",
    "saint-pierre-et-miquelon": "Saint-Pierre-et-Miquelon",
}


def easter(year):
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def legal_holidays(year, calendar="metropole"):
    sunday = easter(year)
    fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]
    days = {date(year, *day) for day in fixed} | {sunday + timedelta(days=n) for n in (1, 39, 50)}
    if calendar == "alsace-moselle":
        days |= {sunday - timedelta(days=2), date(year, 12, 26)}
    if calendar in ABOLITION:
        days.add(date(year, *ABOLITION[calendar]))
    return days


def counts(day, calendar="metropole"):
    return day.weekday() < 5 and day not in legal_holidays(day.year, calendar)


def every_day(years=YEARS):
    day = date(years[0], 1, 1)
    while day.year in years:
        yield day
        day += timedelta(days=1)


# --- Holidays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("calendar", workdays.CALENDARS)
@pytest.mark.parametrize("year", range(2019, 2032))
def test_public_holidays_are_those_of_the_law(calendar, year):
    assert set(workdays.public_holidays(year, calendar)) == legal_holidays(year, calendar)


@pytest.mark.parametrize("calendar", workdays.CALENDARS)
def test_public_holidays_are_those_of_the_official_calendar(shared_data, calendar):
    with (shared_data / "jours-feries" / "jours_feries_etalab.csv").open(encoding="utf-8") as file:
        official = {
            date.fromisoformat(row["date"])
            for row in csv.DictReader(file)
            if ZONES[calendar] in row["zones"].split("|")
        }
    for year in YEARS:
        wanted = {day for day in official if day.year == year}
        assert len(wanted) >= 11
        assert set(workdays.public_holidays(year, calendar)) == wanted


def test_without_the_filter_customary_days_would_be_taken_for_public_holidays(monkeypatch):
    mi_careme, good_friday = date(2026, 3, 12), date(2026, 4, 3)
    assert workdays.is_workday(mi_careme, "guadeloupe")
    assert workdays.is_workday(good_friday, "guadeloupe")
    assert not workdays.is_workday(good_friday, "alsace-moselle")

    monkeypatch.setattr(workdays, "CUSTOMARY", frozenset())
    workdays.public_holidays.cache_clear()
    assert not workdays.is_workday(mi_careme, "guadeloupe")
    workdays.public_holidays.cache_clear()


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2026, 11, 20), ""),
        (date(2026, 11, 21), "samedi"),
        (date(2026, 11, 22), "dimanche"),
        (date(2026, 11, 11), "jour férié (Armistice)"),
        (date(2026, 11, 1), "dimanche, jour férié (Toussaint)"),
        (date(2026, 8, 15), "samedi, jour férié (Assomption)"),
        (date(2026, 5, 25), "jour férié (Lundi de Pentecôte)"),
    ],
)
def test_a_skipped_day_says_why(day, why):
    assert workdays.why_skipped(day) == why
    assert workdays.is_workday(day) is (not why)


def test_every_day_of_five_years_counts_or_not_as_the_law_says():
    for calendar in workdays.CALENDARS:
        assert [day for day in every_day() if workdays.is_workday(day, calendar)] == [
            day for day in every_day() if counts(day, calendar)
        ]


# --- Counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "days", "unit", "last_day"),
    [
        ("2026-11-20", 2, "business", "2026-11-24"),  # over a weekend
        ("2026-12-24", 2, "business", "2026-12-29"),  # Christmas, then a weekend
        ("2026-12-24", 4, "business", "2026-12-31"),
        ("2026-12-24", 11, "business", "2027-01-12"),  # over the year's end
        ("2026-04-30", 4, "business", "2026-05-07"),
        ("2026-04-30", 11, "business", "2026-05-20"),
        ("2026-04-30", 14, "business", "2026-05-26"),  # 1 May, 8 May, Ascension, Whit Monday
        ("2026-04-30", 14, "calendar", "2026-05-14"),  # ends on a holiday all the same
        ("2026-11-10", 2, "business", "2026-11-13"),  # 11 November
        ("2026-11-21", 2, "business", "2026-11-24"),  # an event on a Saturday
        ("2026-11-22", 2, "business", "2026-11-24"),  # on a Sunday: the same
        ("2026-05-07", 2, "business", "2026-05-12"),  # 8 May, a Friday
        ("2026-11-20", 0, "business", "2026-11-20"),
    ],
)
def test_a_period_ends_on_the_day_counted_by_hand(event, days, unit, last_day):
    assert workdays.period(date.fromisoformat(event), days, unit).last_day == date.fromisoformat(last_day)


def test_period_equals_a_count_made_by_hand_for_every_day_of_five_years():
    for event in every_day():
        for days in (2, 4, 14):
            left, day, skipped = days, event, []
            while left:
                day += timedelta(days=1)
                if counts(day):
                    left -= 1
                else:
                    skipped.append(day)
            period = workdays.period(event, days)
            assert (period.last_day, [day for day, _why in period.skipped]) == (day, skipped), event


def test_regional_calendars_move_the_end():
    event = date(2026, 4, 1)
    assert workdays.period(event, 2).last_day == date(2026, 4, 3)
    assert workdays.period(event, 2, calendar="alsace-moselle").last_day == date(2026, 4, 7)


def test_free_cancellation_and_earliest_start_counted_by_hand():
    assert workdays.subtract_workdays(date(2026, 6, 1), 7) == date(2026, 5, 20)
    before = workdays.period_before(date(2026, 6, 1), 7)
    assert before.last_day == date(2026, 5, 20)
    assert before.expires_at == datetime(2026, 5, 20, 22, 0, tzinfo=UTC)
    assert [str(day) for day, _why in before.skipped] == [
        "2026-05-23",
        "2026-05-24",
        "2026-05-25",
        "2026-05-30",
        "2026-05-31",
    ]
    assert workdays.earliest_start(date(2027, 5, 7), 11) == date(2027, 5, 25)
    assert workdays.earliest_start(date(2020, 5, 9), 0) == date(2020, 5, 9)


@pytest.mark.parametrize("days", [-1, workdays.LONGEST_PERIOD_DAYS + 1])
@pytest.mark.parametrize("unit", ["business", "calendar"])
def test_absurd_lengths_are_refused(days, unit):
    with pytest.raises(ValueError, match="a period lasts"):
        workdays.period(date(2026, 1, 1), days, unit)


def test_unknown_unit_and_calendar_are_refused():
    with pytest.raises(ValueError, match="unknown unit 'months'"):
        workdays.period(date(2026, 1, 1), 2, "months")
    with pytest.raises(ValueError, match="unknown calendar 'mars'"):
        workdays.period(date(2026, 1, 1), 2, calendar="mars")


# --- Instants -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "last_day", "expires_at"),
    [
        # Either side of midnight in Paris.
        (datetime(2026, 11, 20, 23, 59), "2026-11-24", "2026-11-24T23:00:00+00:00"),
        (datetime(2026, 11, 20, 23, 59, 59, 999_999), "2026-11-24", "2026-11-24T23:00:00+00:00"),
        (datetime(2026, 11, 19, 0, 0), "2026-11-23", "2026-11-23T23:00:00+00:00"),
        (datetime(2026, 11, 18, 23, 59), "2026-11-20", "2026-11-20T23:00:00+00:00"),
        # The same, said from elsewhere: 23:30 UTC in November is already tomorrow in Paris.
        (datetime(2026, 11, 18, 22, 59, 59, tzinfo=UTC), "2026-11-20", "2026-11-20T23:00:00+00:00"),
        (datetime(2026, 11, 18, 23, 0, tzinfo=UTC), "2026-11-23", "2026-11-23T23:00:00+00:00"),
        (datetime(2026, 7, 15, 22, 0, tzinfo=UTC), "2026-07-20", "2026-07-20T22:00:00+00:00"),
        (datetime(2026, 11, 18, 18, 0, tzinfo=NEW_YORK), "2026-11-23", "2026-11-23T23:00:00+00:00"),
        # Over the change of 29 March 2026, and on its day.
        (datetime(2026, 3, 27, 10, 0), "2026-03-31", "2026-03-31T22:00:00+00:00"),
        (datetime(2026, 3, 29, 2, 30), "2026-03-31", "2026-03-31T22:00:00+00:00"),  # does not exist
        (datetime(2026, 3, 29, 23, 59), "2026-03-31", "2026-03-31T22:00:00+00:00"),
        # Over the change of 25 October 2026, and on its day.
        (datetime(2026, 10, 23, 10, 0), "2026-10-27", "2026-10-27T23:00:00+00:00"),
        (datetime(2026, 10, 25, 2, 30, fold=0), "2026-10-27", "2026-10-27T23:00:00+00:00"),  # twice
        (datetime(2026, 10, 25, 2, 30, fold=1), "2026-10-27", "2026-10-27T23:00:00+00:00"),
        (datetime(2026, 10, 25, 0, 0), "2026-10-27", "2026-10-27T23:00:00+00:00"),
    ],
)
def test_the_event_is_placed_on_its_day_in_paris(event, last_day, expires_at):
    period = workdays.period(event, 2)
    assert period.last_day.isoformat() == last_day
    assert period.expires_at.isoformat() == expires_at


@pytest.mark.parametrize(
    ("last_day", "expires_at", "hours"),
    [
        (date(2026, 3, 28), "2026-03-28T23:00:00+00:00", 24),
        (date(2026, 3, 29), "2026-03-29T22:00:00+00:00", 23),  # the short day
        (date(2026, 10, 24), "2026-10-24T22:00:00+00:00", 24),
        (date(2026, 10, 25), "2026-10-25T23:00:00+00:00", 25),  # the long day
    ],
)
def test_the_day_of_a_clock_change_ends_at_its_own_midnight(last_day, expires_at, hours):
    period = workdays.period(last_day - timedelta(days=1), 1, "calendar")
    assert period.last_day == last_day
    assert period.expires_at.isoformat() == expires_at
    start_of_day = datetime.combine(last_day, time.min, PARIS).astimezone(UTC)
    assert period.expires_at - start_of_day == timedelta(hours=hours)


def test_moments_at_the_clock_changes_are_read_as_the_module_says():
    skipped = workdays.as_paris(datetime(2026, 3, 29, 2, 30))
    assert skipped.isoformat() == "2026-03-29T03:30:00+02:00"
    twice = workdays.as_paris(datetime(2026, 10, 25, 2, 30))
    assert twice.isoformat() == "2026-10-25T02:30:00+02:00"


# --- Properties -----------------------------------------------------------------------------------

days_of_life = st.dates(date(2019, 11, 21), date(2060, 12, 31))
lengths = st.integers(1, 60)
calendars = st.sampled_from(tuple(workdays.CALENDARS))
properties = settings(deadline=None, max_examples=150)


@properties
@given(days_of_life, lengths, calendars)
def test_a_business_period_holds_exactly_its_business_days(event, days, calendar):
    period = workdays.period(event, days, calendar=calendar)
    inside = [event + timedelta(days=n) for n in range(1, (period.last_day - event).days + 1)]
    assert inside[-1] == period.last_day
    assert workdays.is_workday(period.last_day, calendar)
    assert sum(workdays.is_workday(day, calendar) for day in inside) == days
    assert [day for day, _why in period.skipped] == [
        d for d in inside if not workdays.is_workday(d, calendar)
    ]
    assert all(why for _day, why in period.skipped)


@properties
@given(days_of_life, days_of_life, lengths, st.sampled_from(["business", "calendar"]))
def test_a_later_event_never_ends_earlier_and_a_longer_period_ends_later(one, other, days, unit):
    early, late = sorted([one, other])
    assert workdays.period(early, days, unit).expires_at <= workdays.period(late, days, unit).expires_at
    assert workdays.period(one, days, unit).expires_at < workdays.period(one, days + 1, unit).expires_at


@properties
@given(st.datetimes(datetime(2019, 11, 21), datetime(2060, 12, 31)), lengths)
def test_a_period_expires_at_midnight_in_paris_after_its_last_day(event, days):
    period = workdays.period(event, days)
    in_paris = period.expires_at.astimezone(PARIS)
    assert period.expires_at.tzinfo is UTC
    assert in_paris.time() == time.min
    assert in_paris.date() == period.last_day + timedelta(days=1)
    assert period == workdays.period(event.date(), days)


@properties
@given(days_of_life, lengths, calendars)
def test_counting_back_undoes_counting_forward_from_a_workday(day, days, calendar):
    workday = workdays.add_workdays(day, 1, calendar)
    there = workdays.add_workdays(workday, days, calendar)
    assert workdays.subtract_workdays(there, days, calendar) == workday

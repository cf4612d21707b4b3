"""How amounts, days and moments are written. Tables, then properties."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from ui import french

PARIS = ZoneInfo("Europe/Paris")
SPACE, NARROW = "\u00a0", "\u202f"


@pytest.fixture
def english():
    with translation.override("en"):
        yield


def plain(text: str) -> str:
    """The words with ordinary spaces, so that a table can be read."""
    return text.replace(SPACE, " ").replace(NARROW, " ")


@pytest.mark.parametrize(
    ("cents", "words"),
    [
        (0, "0,00 €"),
        (1, "0,01 €"),
        (99, "0,99 €"),
        (100, "1,00 €"),
        (123450, "1 234,50 €"),
        (100_000_000, "1 000 000,00 €"),
        (-1, "−0,01 €"),
        (-123450, "−1 234,50 €"),
    ],
)
def test_euros(cents, words):
    assert plain(french.euros(cents)) == words


def test_no_space_of_an_amount_breaks():
    assert french.euros(123450) == f"1{NARROW}234,50{SPACE}€"


@pytest.mark.parametrize(("cents", "words"), [(123450, "€1,234.50"), (0, "€0.00"), (-5, "−€0.05")])
def test_euros_in_english(english, cents, words):
    assert french.euros(cents) == words


@pytest.mark.parametrize(
    ("typed", "set_in_french"),
    [
        ("Couture : du patron au vêtement", f"Couture{SPACE}: du patron au vêtement"),
        ("Que faire ? Tout !", f"Que faire{SPACE}? Tout{SPACE}!"),
        ("Le titre « Commis » à 84 %", f"Le titre «{SPACE}Commis{SPACE}» à 84{SPACE}%"),
        (f"Déjà{SPACE}: bien", f"Déjà{SPACE}: bien"),
        ("Excel: the basics", "Excel: the basics"),
        ("", ""),
    ],
)
def test_no_line_of_a_title_begins_with_its_colon(typed, set_in_french):
    assert french.unbroken(typed) == set_in_french


@given(st.text())
def test_only_the_kind_of_space_changes(typed):
    assert french.unbroken(typed).replace(SPACE, " ") == typed.replace(SPACE, " ")


@pytest.mark.parametrize("amount", [12.5, "100", True, None])
def test_an_amount_is_a_whole_number_of_cents(amount):
    with pytest.raises(TypeError):
        french.euros(amount)


@given(st.integers(min_value=-(10**14), max_value=10**14))
def test_every_amount_reads_back_to_the_cent(cents):
    said = french.euros(cents).removesuffix(f"{SPACE}€").replace(NARROW, "").replace("−", "-")
    units, rest = said.split(",")
    assert len(rest) == 2
    assert int(units + rest) == cents
    assert " " not in french.euros(cents)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2026, 5, 12), "mardi 12 mai 2026"),
        (date(2026, 5, 1), "vendredi 1er mai 2026"),
        (date(2026, 2, 1), "dimanche 1er février 2026"),
        (date(2026, 8, 15), "samedi 15 août 2026"),
        (date(2026, 12, 31), "jeudi 31 décembre 2026"),
        (date(2026, 11, 11), "mercredi 11 novembre 2026"),
    ],
)
def test_day(day, words):
    assert plain(french.day(day)) == words
    assert plain(french.short_day(day)) == words.split(" ", 1)[1]


def test_a_day_is_not_cut_from_its_month():
    assert french.day(date(2026, 12, 3)) == f"jeudi 3{SPACE}décembre 2026"
    assert french.short_day(date(2026, 5, 1)) == f"1er{SPACE}mai 2026"


def test_a_month_says_no_day():
    assert french.month(date(2026, 3, 14)) == f"mars{SPACE}2026"


def test_a_mean_has_one_decimal_in_the_language_of_the_page():
    assert (french.tenths(47), french.tenths(50), french.tenths(10)) == ("4,7", "5,0", "1,0")


def test_a_mean_in_english(english):
    assert french.tenths(47) == "4.7"


def test_day_in_english(english):
    assert plain(french.day(date(2026, 5, 1))) == "Friday 1 May 2026"


def test_the_day_of_a_moment_is_the_day_in_paris():
    assert plain(french.short_day(datetime(2026, 5, 11, 22, 30, tzinfo=UTC))) == "12 mai 2026"


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (datetime(2026, 5, 12, 14, 5, tzinfo=PARIS), "mardi 12 mai 2026 à 14 h 05"),
        (datetime(2026, 5, 12, 8, 0, tzinfo=PARIS), "mardi 12 mai 2026 à 8 h"),
        (datetime(2026, 1, 1, 0, 0, tzinfo=PARIS), "jeudi 1er janvier 2026 à 0 h"),
        (datetime(2026, 5, 12, 12, 5, tzinfo=UTC), "mardi 12 mai 2026 à 14 h 05"),
        # The night of 29 March 2026 jumps from 2 h to 3 h; that of 25 October comes back from 3 h to 2 h.
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), "dimanche 29 mars 2026 à 1 h 59"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "dimanche 29 mars 2026 à 3 h"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "dimanche 25 octobre 2026 à 2 h 30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "dimanche 25 octobre 2026 à 2 h 30"),
    ],
)
def test_moment(instant, words):
    assert plain(french.moment(instant)) == words


def test_moment_in_english(english):
    assert plain(french.moment(datetime(2026, 5, 12, 14, 5, tzinfo=PARIS))) == "Tuesday 12 May 2026 at 14:05"


def test_a_moment_without_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        french.moment(datetime(2026, 5, 12, 14, 5))  # noqa: DTZ001 - the fault under test


@pytest.mark.parametrize(
    ("too_late", "words"),
    [
        (datetime(2026, 5, 13, 0, 0, tzinfo=PARIS), "mardi 12 mai 2026 à minuit"),
        (datetime(2026, 5, 12, 22, 0, tzinfo=UTC), "mardi 12 mai 2026 à minuit"),
        (datetime(2026, 5, 2, 0, 0, tzinfo=PARIS), "vendredi 1er mai 2026 à minuit"),
        (datetime(2027, 1, 1, 0, 0, tzinfo=PARIS), "jeudi 31 décembre 2026 à minuit"),
        # The last midnight of both clock-change days: 23 and 25 hours after the first.
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), "dimanche 29 mars 2026 à minuit"),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), "dimanche 25 octobre 2026 à minuit"),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), "samedi 24 octobre 2026 à minuit"),
        (datetime(2026, 5, 12, 16, 20, tzinfo=PARIS), "mardi 12 mai 2026 à 16 h 20"),
    ],
)
def test_last_minute(too_late, words):
    assert plain(french.last_minute(too_late)) == words


def test_last_minute_in_english(english):
    assert plain(french.last_minute(datetime(2026, 5, 13, tzinfo=PARIS))) == "11:59 pm on Tuesday 12 May 2026"


@given(
    st.integers(min_value=0, max_value=20 * 365 * 86_400).map(
        lambda seconds: datetime(2019, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ),
    st.integers(min_value=-12, max_value=14),
)
def test_the_same_instant_is_said_the_same_in_every_zone(instant, offset):
    elsewhere = instant.astimezone(timezone(timedelta(hours=offset)))
    assert french.moment(elsewhere) == french.moment(instant)
    assert french.last_minute(elsewhere) == french.last_minute(instant)


LEFT = [
    (timedelta(days=1, hours=3), "il reste 1 jour et 3 heures"),
    (timedelta(days=2), "il reste 2 jours"),
    (timedelta(days=2, minutes=59), "il reste 2 jours"),
    (timedelta(hours=25), "il reste 1 jour et 1 heure"),
    (timedelta(hours=23, minutes=59), "il reste 23 heures et 59 minutes"),
    (timedelta(hours=1), "il reste 1 heure"),
    (timedelta(hours=1, minutes=1), "il reste 1 heure et 1 minute"),
    (timedelta(minutes=2, seconds=59), "il reste 2 minutes"),
    (timedelta(seconds=60), "il reste 1 minute"),
    (timedelta(seconds=59), "il reste moins d’une minute"),
    (timedelta(microseconds=1), "il reste moins d’une minute"),
    (timedelta(0), "délai dépassé"),
    (timedelta(days=-3), "délai dépassé"),
]


@pytest.mark.parametrize(("span", "words"), LEFT)
def test_left(span, words):
    at = datetime(2026, 5, 12, 9, 0, tzinfo=PARIS)
    assert plain(french.left(at.astimezone(UTC) + span, at)) == words


@pytest.mark.parametrize(("span", "words"), LEFT)
def test_duration_says_the_same_where_a_column_says_that_it_is_left(span, words):
    at = datetime(2026, 5, 12, 9, 0, tzinfo=PARIS)
    assert plain(french.duration(at.astimezone(UTC) + span, at)) == words.removeprefix("il reste ")


def test_what_is_left_is_counted_in_real_hours_over_a_clock_change():
    before, after = datetime(2026, 10, 25, 0, 0, tzinfo=PARIS), datetime(2026, 10, 26, 0, 0, tzinfo=PARIS)
    assert plain(french.left(after, before)) == "il reste 1 jour et 1 heure"
    before, after = datetime(2026, 3, 29, 0, 0, tzinfo=PARIS), datetime(2026, 3, 30, 0, 0, tzinfo=PARIS)
    assert plain(french.left(after, before)) == "il reste 23 heures"


@pytest.mark.parametrize(
    ("number", "words"),
    [("12345678900012", "123 456 789 00012"), ("123", "123"), ("1234567890001X", "1234567890001X")],
)
def test_siret(number, words):
    assert plain(french.siret(number)) == words

"""Business days ("jours ouvrés"), and the exact moment a period ends. Pure: no clock, no database.

A period of N days starts the day after the event and ends at midnight, Europe/Paris, of its last
day: the first instant that is too late. Business days are Monday to Friday except French public
holidays (Code du travail, art. L. 3133-1, and L. 3422-2 overseas), by territory.

A moment without a zone is Paris time. At the clock changes Python's default is kept (`fold=0`): the
hour that comes twice in October is its first, summer-time occurrence, and an hour that does not exist
in March is read with the offset before the change, so one hour later. Neither ever changes the day.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from holidays import country_holidays

PARIS = ZoneInfo("Europe/Paris")

Unit = Literal["business", "calendar"]
BUSINESS: Final = "business"
CALENDAR: Final = "calendar"

METROPOLE = "metropole"
# Our names of the calendars, and the library's subdivisions.
CALENDARS: Mapping[str, str | None] = MappingProxyType(
    {
        METROPOLE: None,
        "alsace-moselle": "57",
        "guadeloupe": "971",
        "martinique": "972",
        "guyane": "973",
        "la-reunion": "974",
        "mayotte": "976",
        "saint-barthelemy": "BL",
        "saint-martin": "MF",
        "saint-pierre-et-miquelon": "PM",
    }
)
# Days the library adds overseas that are kept by custom and are not public holidays in law: Code du
# travail, art. L. 3422-2, adds only the day of the abolition of slavery. Good Friday is one by law in
# Alsace-Moselle alone (art. L. 3134-13).
CUSTOMARY = frozenset({"Mi-Carême", "Vendredi saint", "Fête de Victor Schoelcher"})
CUSTOMARY_IN = frozenset({"guadeloupe", "martinique", "saint-martin"})

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
SATURDAY = 5

# Far above every period in law, so that a slip of the keyboard cannot walk through the centuries.
LONGEST_PERIOD_DAYS = 3_660


@dataclass(frozen=True)
class Period:
    """A period that runs.

    `last_day`: the last day in time. `expires_at`: aware, UTC, the first instant that is too late.
    `skipped`: the days that do not count, each with its reason in French, in calendar order.
    """

    last_day: date
    expires_at: datetime
    skipped: tuple[tuple[date, str], ...]


@lru_cache(maxsize=256)
def public_holidays(year: int, calendar: str = METROPOLE) -> Mapping[date, str]:
    """The public holidays of one year with their French names. ValueError: no such calendar."""
    if calendar not in CALENDARS:
        raise ValueError(f"unknown calendar {calendar!r}; known: {', '.join(CALENDARS)}")
    found = country_holidays("FR", subdiv=CALENDARS[calendar], years=year, expand=False, language="fr")
    custom = CUSTOMARY if calendar in CUSTOMARY_IN else frozenset()
    kept = {}
    for day, names in sorted(found.items()):
        legal = [name for name in names.split("; ") if name not in custom]
        if legal:
            kept[day] = ", ".join(legal)
    return MappingProxyType(kept)


def why_skipped(day: date, calendar: str = METROPOLE) -> str:
    """Why this day does not count, in French: "samedi", "jour férié (Armistice)"; empty if it counts."""
    reasons = [WEEKDAYS[day.weekday()]] if day.weekday() >= SATURDAY else []
    if holiday := public_holidays(day.year, calendar).get(day):
        reasons.append(f"jour férié ({holiday})")
    return ", ".join(reasons)


def is_workday(day: date, calendar: str = METROPOLE) -> bool:
    return not why_skipped(day, calendar)


def add_workdays(day: date, days: int, calendar: str = METROPOLE) -> date:
    """The `days`-th business day after `day`, which does not count itself; 0 gives `day` back."""
    return _walk(day, days, calendar, step=1)[0]


def subtract_workdays(day: date, days: int, calendar: str = METROPOLE) -> date:
    """The `days`-th business day before `day`, which does not count itself; 0 gives `day` back."""
    return _walk(day, days, calendar, step=-1)[0]


def period(event: datetime | date, days: int, unit: Unit = BUSINESS, calendar: str = METROPOLE) -> Period:
    """The period of `days` that an event opens; it starts the day after the event's day in Paris.

    ValueError: negative or absurd number of days, unknown unit or calendar.
    """
    first = paris_day(event)
    if unit == BUSINESS:
        last, skipped = _walk(first, days, calendar, step=1)
    elif unit == CALENDAR:
        _check_length(days)
        last, skipped = first + timedelta(days=days), ()
    else:
        raise ValueError(f"unknown unit {unit!r}: {BUSINESS} or {CALENDAR}")
    return Period(last_day=last, expires_at=midnight_after(last), skipped=skipped)


def period_before(start: date, days: int, calendar: str = METROPOLE) -> Period:
    """The time left until the `days`-th business day before `start`, that day included.

    Exactly `days` counts: 7 before 2026-06-01 is 2026-05-20, to its end.
    """
    last, skipped = _walk(paris_day(start), days, calendar, step=-1)
    return Period(last_day=last, expires_at=midnight_after(last), skipped=skipped)


def earliest_start(proposal: date, days: int, calendar: str = METROPOLE) -> date:
    """First day a training may start after a proposal made on `proposal`; equality is allowed.

    11 business days after 2027-05-07 is 2027-05-25.
    """
    return add_workdays(proposal, days, calendar)


def as_paris(moment: datetime) -> datetime:
    """The same moment, aware, in Paris. Without a zone it is read as Paris time (see the module)."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PARIS)
    # By way of UTC, so that an hour that the clock skips comes out as the hour people see.
    return moment.astimezone(UTC).astimezone(PARIS)


def paris_day(event: datetime | date) -> date:
    """The day on the wall in Paris; a plain date is already one."""
    return as_paris(event).date() if isinstance(event, datetime) else event


def midnight_after(day: date) -> datetime:
    """The first instant after `day` in Paris, in UTC. Midnight never falls in a clock change there."""
    return datetime.combine(day + timedelta(days=1), time.min, PARIS).astimezone(UTC)


def midnight_of(day: date) -> datetime:
    """The first instant of `day` in Paris, in UTC."""
    return midnight_after(day - timedelta(days=1))


def months_later(day: date, months: int) -> date:
    """The same day of another month, or that month's last: 31 December + 2 months is 28 or 29 February."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def _walk(day: date, days: int, calendar: str, *, step: int) -> tuple[date, tuple[tuple[date, str], ...]]:
    _check_length(days)
    skipped = []
    left = days
    while left:
        day += timedelta(days=step)
        if why := why_skipped(day, calendar):
            skipped.append((day, why))
        else:
            left -= 1
    return day, tuple(sorted(skipped))


def _check_length(days: int) -> None:
    if not 0 <= days <= LONGEST_PERIOD_DAYS:
        raise ValueError(f"a period lasts 0 to {LONGEST_PERIOD_DAYS} days, not {days}")

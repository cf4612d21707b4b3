"""How amounts, days and moments are written for people. Pure: takes values, gives words.

French by default; English when the active language is English. Moments are shown in Paris time.
Spaces inside a number, before « € », around « h » and between a day and its month never break
(Lexique des règles typographiques en usage à l'Imprimerie nationale).
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from django.utils import dateformat, translation
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

PARIS = ZoneInfo("Europe/Paris")
NO_BREAK = "\u00a0"
NARROW_NO_BREAK = "\u202f"
MINUS = "\u2212"
AN_INSTANT = timedelta(microseconds=1)
_BEFORE_CLOSING = re.compile(" (?=[:;?!»%€])")
_AFTER_OPENING = re.compile("(?<=«) ")


def is_english() -> bool:
    return (translation.get_language() or "fr").startswith("en")


def _date(day: date, pattern: str) -> str:
    return _dated(day, pattern, "en" if is_english() else "fr")


@lru_cache(maxsize=4_096)
def _dated(day: date, pattern: str, language: str) -> str:
    with translation.override(language):
        return dateformat.format(day, pattern)


def _in_paris(instant: datetime) -> datetime:
    """ValueError: a moment without its zone has no place on a clock."""
    if instant.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return instant.astimezone(PARIS)


def euros(cents: int) -> str:
    """123450 → « 1 234,50 € » (€1,234.50 in English). Negative amounts carry a real minus sign.

    TypeError: an amount is a whole number of cents, never a float.
    """
    return _euros(cents, is_english())


def euros_writer() -> Callable[[int], str]:
    """`euros` in the language of now; for a million amounts, asking which it is costs more than writing."""
    return partial(_euros, is_english=is_english())


def _euros(cents: int, is_english: bool) -> str:
    if isinstance(cents, bool) or not isinstance(cents, int):
        raise TypeError("an amount is a whole number of euro cents")
    units, rest = divmod(abs(cents), 100)
    sign = MINUS if cents < 0 else ""
    if is_english:
        return f"{sign}€{units:,}.{rest:02}"
    grouped = f"{units:,}".replace(",", NARROW_NO_BREAK)
    return f"{sign}{grouped},{rest:02}{NO_BREAK}€"


def unbroken(words: str) -> str:
    """Words that somebody typed, set as French sets them: no line begins with « : », none ends with « « ».

    Only the kind of space changes. English has no such spaces: nothing changes.
    """
    return _AFTER_OPENING.sub(NO_BREAK, _BEFORE_CLOSING.sub(NO_BREAK, words))


def short_day(day: date) -> str:
    """« 12 mai 2026 », « 1er mai 2026 ». A moment is read in Paris first."""
    number = "j" if is_english() or _day_of(day).day > 1 else r"j\e\r"
    return _date(_day_of(day), f"{number}{NO_BREAK}F Y")


def day(day: date) -> str:
    """« mardi 12 mai 2026 », « vendredi 1er mai 2026 »."""
    return f"{_date(_day_of(day), 'l')} {short_day(day)}"


def _day_of(day: date) -> date:
    return _in_paris(day).date() if isinstance(day, datetime) else day


def month(day: date) -> str:
    """« mars 2026 »: where the day itself is nobody's business."""
    return _date(_day_of(day), f"F{NO_BREAK}Y")


def hour(instant: datetime) -> str:
    """« 16 h 20 »; « 8 h » on the hour; 16:20 in English."""
    local = _in_paris(instant)
    if is_english():
        return f"{local:%H:%M}"
    minutes = f"{NO_BREAK}{local.minute:02}" if local.minute else ""
    return f"{local.hour}{NO_BREAK}h{minutes}"


def moment(instant: datetime) -> str:
    """« mardi 12 mai 2026 à 14 h 05 », in Paris."""
    if is_english():
        return f"{day(instant)} at {hour(instant)}"
    return f"{day(instant)} à{NO_BREAK}{hour(instant)}"


def last_minute(too_late: datetime) -> str:
    """The first instant that is too late, said as people do: « mardi 12 mai 2026 à minuit ».

    A deadline that ends at midnight belongs to the day before; any other is named by its hour.
    """
    local = _in_paris(too_late)
    if (local.hour, local.minute, local.second, local.microsecond) != (0, 0, 0, 0):
        return moment(too_late)
    last_day = (too_late - AN_INSTANT).astimezone(PARIS).date()
    return f"11:59 pm on {day(last_day)}" if is_english() else f"{day(last_day)} à{NO_BREAK}minuit"


def left(too_late: datetime, at: datetime) -> str:
    """What is left at `at`, two units at most, rounded down: « il reste 1 jour et 3 heures ».

    Real hours, so a day that has 25 of them counts as 1 day and 1 hour. static/js/portal.js says the
    same with the words of `countdown_words`.
    """
    words = countdown_words()
    span = _span(too_late, at)
    if span <= timedelta(0):
        return words["over"]
    if span < timedelta(minutes=1):
        return words["soon"]
    return words["left"].replace("{}", duration(too_late, at))


def duration(too_late: datetime, at: datetime) -> str:
    """The same without « il reste », where the head of a column says it: « 1 jour et 3 heures »."""
    words = countdown_words()
    minutes = _span(too_late, at) // timedelta(minutes=1)
    if minutes < 1:
        return words["over"] if _span(too_late, at) <= timedelta(0) else _("moins d’une minute")
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour")] if days else [(hours, "hour"), (minutes, "minute")]
    said = [f"{n}{NO_BREAK}{words[unit if n == 1 else unit + 's']}" for n, unit in parts if n]
    return words["and"].join(said)


def _span(too_late: datetime, at: datetime) -> timedelta:
    # In UTC: two moments of one zone are subtracted by the wall clock, which lies when it changes.
    return too_late.astimezone(UTC) - at.astimezone(UTC)


def countdown_words() -> dict[str, str]:
    """The words of `left`, for the page that keeps the count going."""
    return {
        "left": _("il reste {}"),
        "and": _(" et "),
        "day": ngettext("jour", "jours", 1),
        "days": ngettext("jour", "jours", 2),
        "hour": ngettext("heure", "heures", 1),
        "hours": ngettext("heure", "heures", 2),
        "minute": ngettext("minute", "minutes", 1),
        "minutes": ngettext("minute", "minutes", 2),
        "soon": _("il reste moins d’une minute"),
        "over": _("délai dépassé"),
    }


def siret(number: str) -> str:
    """« 123 456 789 00012 »; what has not 14 digits is shown as it is."""
    if len(number) != 14 or not number.isdigit():
        return number
    return NO_BREAK.join([number[:3], number[3:6], number[6:9], number[9:]])


def listed(words: Sequence[str]) -> str:
    """« En journée, en semaine »: the first word keeps its capital."""
    return ", ".join([*words[:1], *(each[:1].lower() + each[1:] for each in words[1:])])


def number(count: int) -> str:
    """« 12 345 »."""
    return number_format(count, force_grouping=True)


def decimal_mark() -> str:
    return "." if is_english() else ","


def tenths(number: int) -> str:
    """47 → « 4,7 » (4.7 in English): a mean mark, kept in tenths."""
    return f"{number // 10}{decimal_mark()}{number % 10}"


def hours(minutes: int) -> str:
    """« 17 h 15 », « 35 h »."""
    whole, rest = divmod(minutes, 60)
    return f"{whole}{NO_BREAK}h" + (f"{NO_BREAK}{rest:02}" if rest else "")

"""When the administration must have answered, and how long its decisions can be contested. Pure."""

import calendar
from datetime import date, datetime, timedelta

from rulebook import Rules, workdays


def months_later(day: date, months: int) -> date:
    """The same day of another month, or that month's last: 31 December + 2 months is 28 or 29 February."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(day.day, calendar.monthrange(years, month + 1)[1]))


def receivability(sent_at: datetime, *, rules: Rules) -> workdays.Period:
    """From the sending of a complete file; a complement opens a new one."""
    return workdays.period(sent_at, *rules.term("admission_receivability"))


def decision_due(sent_at: datetime, *, rules: Rules) -> datetime:
    """First instant that is too late to decide, from the first sending."""
    return workdays.midnight_after(months_later(workdays.paris_day(sent_at), rules.admission_decision_months))


def pushed_back(due_at: datetime, *, asked_at: datetime, answered_at: datetime) -> datetime:
    """The decision waits while the author completes: CRPA art. L. 114-5. Whole days, in Paris."""
    waited = workdays.paris_day(answered_at) - workdays.paris_day(asked_at)
    last_day = workdays.paris_day(due_at - timedelta(microseconds=1)) + waited
    return workdays.midnight_after(last_day)


def contest_until(told_at: datetime, *, rules: Rules) -> datetime:
    """First instant that is too late to contest a decision told at that moment."""
    return workdays.midnight_after(months_later(workdays.paris_day(told_at), rules.contest_months))

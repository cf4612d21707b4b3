"""When the administration must have answered, and how long its decisions can be contested. Pure."""

from datetime import datetime, timedelta

from rulebook import Rules, workdays


def receivability(sent_at: datetime, *, rules: Rules) -> workdays.Period:
    """From the sending of a complete file; a complement opens a new one."""
    return workdays.period(sent_at, *rules.term("admission_receivability"))


def decision_due(sent_at: datetime, *, rules: Rules) -> datetime:
    """First instant that is too late to decide, from the first sending."""
    return workdays.midnight_after(
        workdays.months_later(workdays.paris_day(sent_at), rules.admission_decision_months)
    )


def pushed_back(due_at: datetime, *, asked_at: datetime, answered_at: datetime) -> datetime:
    """The decision waits while the author completes: CRPA art. L. 114-5. Whole days, in Paris."""
    waited = workdays.paris_day(answered_at) - workdays.paris_day(asked_at)
    last_day = workdays.paris_day(due_at - timedelta(microseconds=1)) + waited
    return workdays.midnight_after(last_day)


def contest_until(told_at: datetime, *, rules: Rules) -> datetime:
    """First instant that is too late to contest a decision told at that moment."""
    return workdays.midnight_after(workdays.months_later(workdays.paris_day(told_at), rules.contest_months))

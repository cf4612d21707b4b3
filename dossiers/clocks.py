"""Opening and closing deadlines. Acting on missed ones is deadlines.py.

`due_at` is frozen when the clock opens, from the rulebook of that day (docs/decisions.md, 1 and 13).
"""

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from dossiers.models import Deadline, Dossier, Postponement, Relief
from dossiers.states import ANSWER_CLOCKS, DECLARATION_CLOCKS, ClockKind
from rulebook import Rules, workdays

BEFORE_THE_START = ANSWER_CLOCKS | {ClockKind.FUNDER_ANSWER, ClockKind.WITHDRAWAL}


def open_clock(
    dossier: Dossier,
    kind: ClockKind,
    *,
    at: datetime,
    rules: Rules,
    period: workdays.Period | None = None,
    relief: Relief | None = None,
) -> Deadline:
    """Start a clock on the day of the event, as `new_clock` makes it."""
    clock = new_clock(dossier, kind, at=at, rules=rules, period=period, relief=relief)
    clock.save()
    return clock


def new_clock(
    dossier: Dossier,
    kind: ClockKind,
    *,
    at: datetime,
    rules: Rules,
    period: workdays.Period | None = None,
    relief: Relief | None = None,
) -> Deadline:
    """A clock that is not written yet. `period` when its end is not a plain number of days.

    Once the training has begun nothing is agreed, paid or given back freely any more: no clock of those
    outlasts its eve.
    """
    period = period or workdays.period(at, *rules.term(kind))
    period = until_start_at_most(period, starts_on=never_after(dossier, kind))
    clock = Deadline(
        dossier=dossier,
        kind=kind,
        opened_at=at,
        last_day=period.last_day,
        due_at=period.expires_at,
        opened_by_relief=relief,
        skipped=[{"day": day.isoformat(), "why": why} for day, why in period.skipped],
    )
    clock.next_reminder_at = next_reminder(clock, after=at, rules=rules)
    return clock


def never_after(dossier: Dossier, kind: ClockKind) -> date | None:
    """The first day of training that a clock of this kind never outlasts; None: another kind of clock.

    An answer to other dates may be waited for on the day that nobody keeps any more, not on the new one.
    """
    if kind == ClockKind.POSTPONEMENT:
        return Postponement.objects.filter(dossier=dossier).latest("id").starts_on
    return dossier.starts_on if kind in BEFORE_THE_START else None


def period_of(kind: ClockKind, *, at: datetime, rules: Rules, starts_on: date | None) -> workdays.Period:
    """The period that a clock of this kind would have, opened at this moment: said before the click too."""
    period = workdays.period(at, *rules.term(kind))
    return until_start_at_most(period, starts_on=starts_on) if kind in BEFORE_THE_START else period


def close_running(dossier: Dossier, *, at: datetime, outcome: Deadline.Outcome) -> None:
    """Stop whatever runs on this dossier."""
    close(Deadline.objects.filter(dossier=dossier), at=at, outcome=outcome)


def close_clock(dossier: Dossier, kind: ClockKind, *, at: datetime, outcome: Deadline.Outcome) -> None:
    """Stop the running clock of this kind, if there is one."""
    close(Deadline.objects.filter(dossier=dossier, kind=kind), at=at, outcome=outcome)


def close(clocks: QuerySet[Deadline], *, at: datetime, outcome: Deadline.Outcome) -> None:
    """Stop those of these that run."""
    clocks.filter(closed_at__isnull=True).update(closed_at=at, outcome=outcome, next_reminder_at=None)


def running(dossier: Dossier, kind: ClockKind) -> Deadline | None:
    return Deadline.objects.filter(dossier=dossier, kind=kind, closed_at__isnull=True).first()


def next_reminder(clock: Deadline, *, after: datetime, rules: Rules) -> datetime | None:
    """The first reminder later than `after`: at fractions of the time, then on the last morning.

    The end of a withdrawal asks nothing of anybody, and a declaration is due long after its clock begins:
    they are said on the last morning only. Nobody is reminded of what the portal does by itself.
    """
    if clock.kind in (ClockKind.FUNDER_ANSWER, ClockKind.CLAIM, ClockKind.VALIDATION):
        return None
    length = clock.due_at - clock.opened_at
    moments = [_last_morning(clock.last_day, rules)]
    if clock.kind not in {ClockKind.WITHDRAWAL} | DECLARATION_CLOCKS:
        moments += [clock.opened_at + length * percent / 100 for percent in rules.reminder_fractions]
    coming = [moment for moment in moments if after < moment < clock.due_at]
    return min(coming, default=None)


def _last_morning(last_day: date, rules: Rules) -> datetime:
    morning = time(rules.reminder_last_morning_hour)
    return datetime.combine(last_day, morning, workdays.PARIS).astimezone(UTC)


def free_period(*, accepted_at: datetime, starts_on: date, rules: Rules) -> workdays.Period:
    """How long a confirmed registration can be cancelled freely (docs/decisions.md, 2 and 3).

    The earlier of (a) the start of the training, 00:00 in Paris, and (b) the later of the end of
    the withdrawal period and midnight after the 7th business day before the start.
    """
    withdrawal = workdays.period(accepted_at, *rules.term("withdrawal"))
    before_start = workdays.period_before(starts_on, rules.free_cancellation_days_before_start)
    if before_start.expires_at > withdrawal.expires_at:
        # The days that do not count lie after its last day: there is nothing to explain before it.
        longest = workdays.Period(before_start.last_day, before_start.expires_at, ())
    else:
        longest = withdrawal
    return until_start_at_most(longest, starts_on=starts_on)


def until_start_at_most(period: workdays.Period, *, starts_on: date | None) -> workdays.Period:
    """The same period, cut at 00:00 in Paris on the first day of the training, once it is agreed."""
    if starts_on is None:
        return period
    eve = starts_on - timedelta(days=1)
    start = workdays.midnight_after(eve)
    if start < period.expires_at:
        return workdays.Period(eve, start, tuple(skip for skip in period.skipped if skip[0] <= eve))
    return period

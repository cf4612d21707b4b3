"""The yearly report of a training organisation (bilan pédagogique et financier). Pure: dates in, dates out.

The report of an exercise is given the year after it ends, by `rules.yearly_report_due`; without it, or when
it shows no training, the declaration of activity lapses (Code du travail, art. L. 6351-6 and L. 6352-11). An
organisation is only judged by what a public list says, on the day that list speaks of: an old list on our
shelves is no fault of theirs.
"""

from datetime import date

from rulebook import Rules


def due_on(exercise_ended_on: date, *, rules: Rules) -> date:
    """By when, that day included, the report of this exercise is given."""
    month, day = rules.yearly_report_due
    return date(exercise_ended_on.year + 1, month, day)


def last_due(on: date, *, rules: Rules) -> date:
    """The last such day that is over."""
    month, day = rules.yearly_report_due
    this_year = date(on.year, month, day)
    return this_year if this_year < on else date(on.year - 1, month, day)


def missed_on(exercise_ended_on: date, *, listed_on: date, rules: Rules) -> date | None:
    """The day by which a report should have followed that of this exercise, for a list of `listed_on`.

    None: nothing was missing yet.
    """
    due = due_on(exercise_ended_on.replace(year=exercise_ended_on.year + 1, day=1), rules=rules)
    return due if due < listed_on else None

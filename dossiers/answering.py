"""How organisations answer the requests they receive: how fast, and how often with a no.

Counted once a day for everybody, in one statement, and shown beside each offer: nobody waits for it, and a
page reads one row. What counts, over the rulebook's months (`provider_figures_months`):

- a request that its organisation answered: it looked at the prerequisites, proposed, or refused;
- a request that it left without an answer, until the deadline passed.

One that its holder took back before an answer, or that still waits, says nothing of its organisation. The
time of an answer runs from the request to the first of these moves, nights and Sundays included: it is what
people wait.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import ngettext

import rulebook
from dossiers.models import ProviderFigures
from rulebook import Rules, workdays

HOUR, DAY = 60, 24 * 60

_COUNT = """
    WITH asked AS (
        SELECT dossier_id, min(at) AS at FROM dossiers_transition
        WHERE verb = 'submit' AND at >= %(begins)s AND at < %(ends)s
        GROUP BY dossier_id),
    told AS (
        SELECT asked.dossier_id, dossier.provider_id,
            min(move.at) FILTER (WHERE move.verb <> 'lapse') - asked.at AS waited,
            bool_or(move.verb = 'refuse') AS is_refused,
            bool_or(move.verb = 'lapse' AND move.from_state IN ('requested', 'prerequisites_check'))
                AS is_silent
        FROM asked
        JOIN dossiers_dossier AS dossier ON dossier.id = asked.dossier_id
        JOIN dossiers_transition AS move ON move.dossier_id = asked.dossier_id
            AND move.verb IN ('acknowledge', 'propose', 'refuse', 'lapse') AND move.at < %(ends)s
        GROUP BY asked.dossier_id, asked.at, dossier.provider_id),
    figures AS (
        SELECT provider_id, count(*) AS requests, count(waited) AS answered,
            count(*) FILTER (WHERE is_refused AND waited IS NOT NULL) AS refused,
            extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY waited)) / 60 AS median
        FROM told WHERE waited IS NOT NULL OR is_silent GROUP BY provider_id)
    INSERT INTO dossiers_providerfigures
        (provider_id, counted_on, since, requests, answered, refused, median_minutes)
    SELECT provider_id, %(on)s, %(since)s, requests, answered, refused, ceil(median)::int FROM figures
    ON CONFLICT (provider_id) DO UPDATE SET counted_on = excluded.counted_on, since = excluded.since,
        requests = excluded.requests, answered = excluded.answered, refused = excluded.refused,
        median_minutes = excluded.median_minutes"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a page says of an organisation. Percents are whole, of `requests`."""

    requests: int
    since: date
    # The half of those it answered had an answer within this time; "" when it answered none.
    within: str
    refused_percent: int
    unanswered_percent: int


def count(*, at: datetime) -> int:
    """Count the last months again, up to midnight of today. Returns how many organisations were asked."""
    today = workdays.paris_day(at)
    since = workdays.months_later(today, -rulebook.on(today).provider_figures_months)
    times = {"begins": workdays.midnight_of(since), "ends": workdays.midnight_of(today)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, times | {"on": today, "since": since})
        counted = cursor.rowcount
        # Nothing was asked of them for so long that nothing is to be said.
        ProviderFigures.objects.exclude(counted_on=today).delete()
    return counted


def of(provider_id: UUID, *, rules: Rules) -> Answers | None:
    """None: too few requests to say anything, or not counted yet. One query."""
    found = ProviderFigures.objects.filter(provider=provider_id).first()
    if found is None or found.requests < rules.provider_figures_min:
        return None
    return Answers(
        requests=found.requests,
        since=found.since,
        within=in_words(found.median_minutes),
        refused_percent=round(found.refused * 100 / found.requests),
        unanswered_percent=round((found.requests - found.answered) * 100 / found.requests),
    )


def in_words(minutes: int | None) -> str:
    """« 1 heure », « 5 heures », « 2 jours »: rounded up, never better than it is."""
    if minutes is None:
        return ""
    if minutes <= DAY:
        hours = max(1, -(-minutes // HOUR))
        return ngettext("%d heure", "%d heures", hours) % hours
    days = -(-minutes // DAY)
    return ngettext("%d jour", "%d jours", days) % days

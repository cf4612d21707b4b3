"""What somebody who runs the portal watches: clocks that nobody settled, notices that wait, jobs that ran.

Read by the health addresses, the metrics and the operator's desk. Durations in seconds.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.core.cache import cache
from django.db.models import Count, Min

from dossiers.models import Deadline
from notices.models import Notice

# Beat settles overdue clocks and delivers notices every 30 and 15 seconds: this late is a worker that is
# down, or that cannot follow.
SCHEDULER_LATE = timedelta(minutes=3)
CLOCKS_LATE = timedelta(minutes=5)
OUTBOX_LATE = timedelta(minutes=15)

SWEEP = "dossiers.tasks.settle_overdue"
LEDGER_CHECK = "rights.tasks.check_ledger"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the oldest does (None: nobody waits)."""

    count: int
    since: datetime | None

    def is_late(self, *, at: datetime, patience: timedelta) -> bool:
        return self.since is not None and at - self.since > patience


def overdue_clocks(*, at: datetime) -> Waiting:
    """Clocks that are over and still open: acts judge them rightly, people have not been told yet."""
    return _waiting(Deadline.objects.filter(closed_at__isnull=True, due_at__lte=at), "due_at")


def waiting_notices(*, at: datetime) -> Waiting:
    """Notices not mailed yet, those that a mail server postponed included."""
    return _waiting(Notice.objects.waiting().filter(created_at__lte=at), "created_at")


def _waiting(rows, field: str) -> Waiting:
    found = rows.order_by().aggregate(count=Count("pk"), since=Min(field))
    return Waiting(found["count"], found["since"])


def scheduled_tasks() -> list[str]:
    """The names of what the timetable runs."""
    return sorted({entry["task"] for entry in current_app.conf.beat_schedule.values()})


def note_success(task: str) -> None:
    """This task has just run to its end. Kept in the cache: lost with it, written again at the next run."""
    cache.set(_key(task), time.time(), timeout=None)


def age_of(task: str, *, at: datetime) -> float | None:
    """Seconds since this task last ran to its end; None when that is not known."""
    ran = cache.get(_key(task))
    return None if ran is None else max(0.0, at.timestamp() - ran)


def _key(task: str) -> str:
    return f"last-run:{task}"

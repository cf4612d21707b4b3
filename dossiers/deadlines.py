"""Acting on missed deadlines, and reminding before them. The job is the broom, not the judge.

Each clock is settled in a transaction of its own, through the same verb a person would use, and
under the same lock (the dossier's): a clock that refuses is set aside for this run, counted and
logged, and never blocks the others.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q

import rulebook
from accounts.actors import SYSTEM
from accounts.permissions import NotAllowed
from dossiers import announcements, clocks, moves, training, workflow
from dossiers.models import Deadline, Dossier
from dossiers.states import MOVES, THEN, ClockKind
from rulebook import workdays
from ui.refusals import Refused

log = logging.getLogger(__name__)

LOT = 500


@dataclass
class Report:
    """What one run did. `set_aside`: clock or dossier id → why it refused."""

    settled: int = 0
    skipped: int = 0
    set_aside: dict[str, str] = field(default_factory=dict)


def settle_overdue(*, at: datetime, limit: int = 10_000) -> Report:
    """Settle every clock that is over at that moment, oldest first, at most `limit` of them."""
    report = Report()
    for deadline_id, dossier_id, kind in _overdue(at=at, limit=limit):
        try:
            with transaction.atomic():
                # Locked by somebody who acts right now: they win, or the next run passes again.
                if not Dossier.objects.select_for_update(skip_locked=True).filter(pk=dossier_id).exists():
                    report.skipped += 1
                    continue
                if WHEN_MISSED[ClockKind(kind)](deadline_id, dossier_id, at):
                    report.settled += 1
        except Exception as error:  # a fault of ours on one dossier must not keep the others back
            _set_aside(report, deadline_id, error)
    return report


def send_reminders(*, at: datetime, limit: int = 5_000) -> Report:
    """Remind whoever must act, once per reminder moment, and plan the next one."""
    report = Report()
    due = Deadline.objects.filter(closed_at__isnull=True, next_reminder_at__lte=at, due_at__gt=at)
    found = due.order_by("next_reminder_at", "id").values_list("pk", "dossier_id")[:limit]
    for deadline_id, dossier_id in list(found):
        try:
            with transaction.atomic():
                dossier = (
                    Dossier.objects.select_for_update(skip_locked=True, of=("self",))
                    .select_related("holder__user", "provider__organisation", "offer", "session")
                    .filter(pk=dossier_id)
                    .first()
                )
                clock = due.filter(pk=deadline_id).first() if dossier else None
                if dossier is None or clock is None:
                    report.skipped += 1
                    continue
                announcements.remind(dossier, clock, at=at)
                # By the rulebook of the day the clock opened, like the clock itself.
                rules = rulebook.on(workdays.paris_day(clock.opened_at))
                clock.next_reminder_at = clocks.next_reminder(clock, after=at, rules=rules)
                clock.save(update_fields=["next_reminder_at"])
                report.settled += 1
        except Exception as error:
            _set_aside(report, deadline_id, error)
    return report


def close_ended_certifications(*, at: datetime) -> Report:
    """Close the requests and proposals whose certification has ended; confirmed ones are kept."""
    report = Report()
    today = workdays.paris_day(at)
    waiting = Dossier.objects.filter(
        state__in=MOVES["close"].sources, offer__certification__isnull=False
    ).select_related("offer__certification")
    for dossier in waiting.order_by("created_at", "id").iterator(chunk_size=LOT):
        certification = dossier.offer.certification
        if certification is None or certification.is_active(on=today):
            continue
        try:
            workflow.close(
                dossier.pk, by=SYSTEM, at=at, request_id=uuid5(NAMESPACE_URL, f"close:{dossier.pk}:{today}")
            )
            report.settled += 1
        except Exception as error:
            _set_aside(report, dossier.pk, error)
    return report


def _set_aside(report: Report, row_id: int | UUID, error: Exception) -> None:
    """Count it; a refusal is an answer, anything else is a fault that somebody must see.

    A database that is away is no fault of this one: the run ends, the next one finds everything again.
    """
    if isinstance(error, OperationalError | InterfaceError) and not _database_answers():
        raise error
    is_refusal = isinstance(error, Refused | NotAllowed)
    log.log(
        logging.WARNING if is_refusal else logging.ERROR,
        "%s set aside: %s",
        row_id,
        error,
        exc_info=None if is_refusal else error,
    )
    report.set_aside[str(row_id)] = str(error)


def _database_answers() -> bool:
    return connection.connection is not None and connection.is_usable()


def _overdue(*, at: datetime, limit: int) -> Iterator[tuple[int, UUID, str]]:
    """Clocks that are over, oldest first, lot by lot."""
    over = Deadline.objects.filter(closed_at__isnull=True, due_at__lte=at).order_by("due_at", "id")
    seen = 0
    after: tuple[datetime, int] | None = None
    while seen < limit:
        lot = over
        if after is not None:
            due_at, last_id = after
            lot = lot.filter(Q(due_at__gt=due_at) | Q(due_at=due_at, pk__gt=last_id))
        rows = list(lot.values_list("due_at", "pk", "dossier_id", "kind")[: min(LOT, limit - seen)])
        if not rows:
            return
        for _due_at, deadline_id, dossier_id, kind in rows:
            yield deadline_id, dossier_id, kind
        seen += len(rows)
        after = rows[-1][:2]


def _end_withdrawal(deadline_id: int, dossier_id: UUID, at: datetime) -> bool:
    """Nothing happens to the dossier: it cannot be cancelled freely any more, and its first day comes."""
    if not _close_missed(deadline_id, at=at):
        return False
    dossier = Dossier.objects.get(pk=dossier_id)
    moves.open_clock(dossier, THEN[ClockKind.WITHDRAWAL], at=at, rules=rulebook.on(workdays.paris_day(at)))
    return True


def _close_missed(deadline_id: int, *, at: datetime) -> bool:
    closed = Deadline.objects.filter(pk=deadline_id, closed_at__isnull=True, due_at__lte=at).update(
        closed_at=at, outcome=Deadline.Outcome.MISSED, next_reminder_at=None
    )
    return bool(closed)


def _tell_late(deadline_id: int, dossier_id: UUID, at: datetime) -> bool:
    """A declaration is overdue: its organisation is told, and no money moves (docs/decisions.md, 14)."""
    if not _close_missed(deadline_id, at=at):
        return False
    dossier = Dossier.objects.select_related(
        "holder__user", "provider__organisation", "offer", "session"
    ).get(pk=dossier_id)
    announcements.tell_late(dossier, Deadline.objects.get(pk=deadline_id), at=at)
    return True


def _flag(deadline_id: int, _dossier_id: UUID, at: datetime) -> bool:
    """A decision of ours is overdue: the operator's desk shows it, nobody loses anything by it."""
    return _close_missed(deadline_id, at=at)


def _by_itself(verb: Callable[..., Dossier]) -> Callable[[int, UUID, datetime], bool]:
    """What the portal does once nobody has acted, or said anything against it, in time."""

    def done(deadline_id: int, dossier_id: UUID, at: datetime) -> bool:
        if Deadline.objects.filter(pk=deadline_id, closed_at__isnull=False).exists():
            return False
        # The same clock always gives the same request: two workers, one move.
        verb(dossier_id, by=SYSTEM, at=at, request_id=uuid5(NAMESPACE_URL, f"deadline:{deadline_id}"))
        return True

    return done


_lapse = _by_itself(workflow.lapse)
WHEN_MISSED: dict[ClockKind, Callable[[int, UUID, datetime], bool]] = {
    ClockKind.PROVIDER_ANSWER: _lapse,
    ClockKind.PREREQUISITES: _lapse,
    ClockKind.HOLDER_ANSWER: _lapse,
    ClockKind.FUNDER_ANSWER: _by_itself(workflow.grant_top_up),
    ClockKind.PAYMENT: _lapse,
    ClockKind.WITHDRAWAL: _end_withdrawal,
    ClockKind.ENTRY: _tell_late,
    ClockKind.EXIT: _tell_late,
    ClockKind.COMPLETION: _tell_late,
    ClockKind.CLAIM: _flag,
    ClockKind.ABSENCE: _by_itself(training.settle_absence),
    ClockKind.VALIDATION: _by_itself(training.validate),
}

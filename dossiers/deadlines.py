"""Acting on missed deadlines, and reminding before them. The job is the broom, not the judge.

Clocks of one kind are settled a lot at a time (dossiers.lots). What is not plain is settled in a transaction
of its own, through the same verb a person would use, and so is a lot in which one is at fault; both under
the same lock (the dossier's). A clock that refuses is set aside for this run, counted and logged, and never
blocks the others.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q

import rulebook
from accounts.actors import SYSTEM
from accounts.permissions import NotAllowed
from dossiers import announcements, clocks, lots, moves, postponement, training, workflow
from dossiers.lots import Due, Settle
from dossiers.models import Deadline, Dossier
from dossiers.states import MOVES, ClockKind, State
from rulebook import workdays
from ui import threads
from ui.refusals import Refused

log = logging.getLogger(__name__)

LOT = 200


@dataclass
class Report:
    """What one run did. `set_aside`: clock or dossier id → why it refused."""

    settled: int = 0
    skipped: int = 0
    set_aside: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Report") -> None:
        self.settled += other.settled
        self.skipped += other.skipped
        self.set_aside |= other.set_aside


def settle_overdue(*, at: datetime, limit: int = 10_000, workers: int = 1) -> Report:
    """Settle every clock that is over at that moment, lot by lot, oldest first, at most `limit` of them.

    With several `workers`, one computes while the database writes the lot of another: never inside a
    transaction.
    """
    report = Report()
    with closing(threads.each(partial(_settle, at=at), _overdue(at=at, limit=limit), workers)) as lots:
        for done in lots:
            report.add(done)
    return report


def _settle(lot: list[Due], *, at: datetime) -> Report:
    report = Report()
    for kind in ClockKind:
        if due := [each for each in lot if each.kind == kind]:
            _settle_lot(kind, due, report, at=at)
    return report


def _settle_lot(kind: ClockKind, due: list[Due], report: Report, *, at: datetime) -> None:
    settled: set[int] = set()
    if together := TOGETHER.get(kind):
        try:
            settled = together(due, at)
        except Exception as error:  # one of them is at fault: taken alone, the others are settled
            _stop_if_away(error)
            log.exception("%s clocks of %s are settled one by one", len(due), kind)
    report.settled += len(settled)
    for each in due:
        if each.clock_id not in settled:
            _settle_alone(each, report, at=at)


def _settle_alone(due: Due, report: Report, *, at: datetime) -> None:
    try:
        with transaction.atomic():
            # Locked by somebody who acts right now: they win, or the next run passes again.
            if not Dossier.objects.select_for_update(skip_locked=True).filter(pk=due.dossier_id).exists():
                report.skipped += 1
            # Somebody has acted, or another run has passed, since it was found.
            elif Deadline.objects.filter(pk=due.clock_id, closed_at__isnull=True, due_at__lte=at).exists():
                if verb := WHEN_MISSED.get(due.kind):
                    verb(due.dossier_id, by=SYSTEM, at=at, request_id=due.request_id)
                else:
                    TOGETHER[due.kind]([due], at)
                report.settled += 1
    except Exception as error:  # a fault of ours on one dossier must not keep the others back
        _set_aside(report, due.clock_id, error)


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


def open_missing(*, at: datetime, limit: int = LOT) -> Report:
    """Start the clock of entry that a confirmed registration waits for and does not have.

    Those whose free period ended before there was such a clock: without it nobody would remind of them.
    """
    report = Report()
    clocks_of = Deadline.objects.filter(dossier=OuterRef("pk"))
    without = Dossier.objects.filter(
        ~Exists(clocks_of.filter(Q(closed_at__isnull=True) | Q(kind=ClockKind.ENTRY))),
        state=State.ACCEPTED,
        free_until__lte=at,
        starts_on__isnull=False,
    )
    rules = rulebook.on(workdays.paris_day(at))
    for dossier_id in list(without.order_by("pk").values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                dossier = without.select_for_update(skip_locked=True).filter(pk=dossier_id).first()
                if dossier is None:
                    report.skipped += 1
                    continue
                moves.open_clock(dossier, ClockKind.ENTRY, at=at, rules=rules)
                report.settled += 1
        except Exception as error:
            _set_aside(report, dossier_id, error)
    return report


def _set_aside(report: Report, row_id: int | UUID, error: Exception) -> None:
    """Count it; a refusal is an answer, anything else is a fault that somebody must see."""
    _stop_if_away(error)
    is_refusal = isinstance(error, Refused | NotAllowed)
    log.log(
        logging.WARNING if is_refusal else logging.ERROR,
        "%s set aside: %s",
        row_id,
        error,
        exc_info=None if is_refusal else error,
    )
    report.set_aside[str(row_id)] = str(error)


def _stop_if_away(error: Exception) -> None:
    """A database that is away is no fault of this one: the run ends, the next one finds everything again."""
    if isinstance(error, OperationalError | InterfaceError) and not _database_answers():
        raise error


def _database_answers() -> bool:
    return connection.connection is not None and connection.is_usable()


def _overdue(*, at: datetime, limit: int) -> Iterator[list[Due]]:
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
        yield [Due(clock_id, dossier_id, ClockKind(kind)) for _due_at, clock_id, dossier_id, kind in rows]
        seen += len(rows)
        after = rows[-1][:2]


TOGETHER: dict[ClockKind, Settle] = {
    ClockKind.PROVIDER_ANSWER: lots.lapse,
    ClockKind.PREREQUISITES: lots.lapse,
    ClockKind.HOLDER_ANSWER: lots.lapse,
    ClockKind.PAYMENT: lots.lapse,
    ClockKind.WITHDRAWAL: lots.end_withdrawal,
    ClockKind.ENTRY: lots.tell_late,
    ClockKind.EXIT: lots.tell_late,
    ClockKind.COMPLETION: lots.tell_late,
    ClockKind.CLAIM: lots.flag,
    ClockKind.ABSENCE: lots.settle_absence,
    ClockKind.VALIDATION: lots.validate,
}
"""What happens to a lot of clocks that are over, of one kind."""


WHEN_MISSED: dict[ClockKind, Callable[..., Dossier]] = {
    ClockKind.PROVIDER_ANSWER: workflow.lapse,
    ClockKind.PREREQUISITES: workflow.lapse,
    ClockKind.HOLDER_ANSWER: workflow.lapse,
    ClockKind.FUNDER_ANSWER: workflow.grant_top_up,
    ClockKind.PAYMENT: workflow.lapse,
    ClockKind.POSTPONEMENT: postponement.undo_unanswered,
    ClockKind.ABSENCE: training.settle_absence,
    ClockKind.VALIDATION: training.validate,
}
"""What the portal does by itself, by the verb, once nobody has acted or objected in time."""

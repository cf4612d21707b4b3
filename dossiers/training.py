"""From the first day to the last cent: entry, absence, exit, completion, validation.

The verbs go on from workflow.py and have the same six steps. Late, an organisation is reminded and flagged:
nothing moves by itself but an absence that nobody explains, and a completion that nobody contests.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from dossiers import evidence, guards, moves, permissions
from dossiers.models import Completion, Control, Deadline, Dossier, FundingLine, Transition
from dossiers.settlement import Cause, completion_rate
from dossiers.states import ClockKind, CompletionCause, ExitReason, State
from rights import ledger
from rulebook import workdays
from ui.refusals import Refused

# --- The first day --------------------------------------------------------------------------------------


def enter(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, entered_on: date) -> Dossier:
    """The holder has begun, on that day. By the organisation; not undone by it.

    Effects: what was reserved is debited; IN_TRAINING, the clock of the exit; a notice to the holder.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("enter", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "enter")
        guards.check_not_counted_absent(dossier, at=at)
        guards.check_entry(dossier, entered_on, on=workdays.paris_day(at))
        lines = [line for line in moves.lines_of(dossier) if line.reserved_id]
        entries = Transition.objects.filter(dossier=dossier, verb="enter").count()
        spent = ledger.spend(
            reserved=[line.reserved_id for line in lines if line.reserved_id],
            key=f"entry:{dossier.pk}:{entries + 1}",
            at=at,
            by=by,
            reason=_("Dossier %s") % dossier.number,
        )
        for line, pocket_id in zip(lines, spent, strict=True):
            line.spent_id = pocket_id
        FundingLine.objects.bulk_update(lines, ["spent"])
        dossier.entered_on = entered_on
        dossier.save(update_fields=["entered_on"])
        moves.make(
            dossier,
            "enter",
            State.IN_TRAINING,
            by=by,
            at=at,
            request_id=request_id,
            details={"entered_on": str(entered_on)},
        )
    return dossier


def annul_entry(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """The entry was declared by mistake. By an admin (relief.py: two persons).

    Effects: what was debited is reserved again; ACCEPTED, the clock of the entry; notices.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("annul_entry", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "annul_entry")
        guards.check_reason(reason)
        lines = [line for line in moves.lines_of(dossier) if line.spent_id]
        entries = Transition.objects.filter(dossier=dossier, verb="enter").count()
        ledger.unspend(
            spent=[line.spent_id for line in lines if line.spent_id],
            key=f"annul-entry:{dossier.pk}:{entries}",
            at=at,
            by=by,
            reason=_("Dossier %s") % dossier.number,
        )
        for line in lines:
            line.spent_id = None
        FundingLine.objects.bulk_update(lines, ["spent"])
        dossier.entered_on = None
        dossier.save(update_fields=["entered_on"])
        moves.make(
            dossier,
            "annul_entry",
            State.ACCEPTED,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MOOT,
            reason=reason.strip(),
        )
    return dossier


def report_absence(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = ""
) -> Dossier:
    """The holder did not come. By the organisation, once the first day is over.

    Effects: ABSENT, the clock in which the holder may say what happened; a notice to them. No money moves.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("report_absence", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "report_absence")
        guards.check_first_day_is_over(dossier, on=workdays.paris_day(at))
        moves.make(
            dossier,
            "report_absence",
            State.ABSENT,
            by=by,
            at=at,
            request_id=request_id,
            reason=reason.strip(),
        )
    return dossier


def settle_absence(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """Nobody explained the absence in time: settled as a late cancellation. By the system.

    Effects: see docs/decisions.md, 8; NO_SHOW; notices.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("settle_absence", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "settle_absence")
        moves.check_over(dossier, ClockKind.ABSENCE, at=at)
        settled = moves.settle(dossier, Cause.NO_SHOW, by=by, at=at)
        moves.make(
            dossier,
            "settle_absence",
            State.NO_SHOW,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MISSED,
            cause="late",
            details=settled,
        )
    return dossier


# --- The last day ----------------------------------------------------------------------------------------


def end(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    exited_on: date,
    exit_reason: ExitReason,
) -> Dossier:
    """The training is over for this holder, on that day. By the organisation.

    Effects: ENDED, the clock of the completion; a notice to the holder. No money moves.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("end", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "end")
        guards.check_exit(dossier, exited_on, on=workdays.paris_day(at))
        dossier.exited_on, dossier.exit_reason = exited_on, ExitReason(exit_reason)
        dossier.save(update_fields=["exited_on", "exit_reason"])
        moves.make(
            dossier,
            "end",
            State.ENDED,
            by=by,
            at=at,
            request_id=request_id,
            details={"exited_on": str(exited_on), "exit_reason": dossier.exit_reason},
        )
    return dossier


def declare_completion(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    total_minutes: int,
    done_minutes: int,
    cause: CompletionCause = CompletionCause.COMPLETE,
    force_majeure: bool = False,
    words: str = "",
    files: Sequence[UploadedFile] = (),
) -> Dossier:
    """What was done, out of what was to be done. By the organisation.

    Effects: a Completion and its evidence; COMPLETION_DECLARED, the clock of the validation; notices. No
    money moves yet. Less than the whole needs a cause and words; force majeure needs evidence.
    """
    read = evidence.read(files, field="evidence") if force_majeure or files else []
    with transaction.atomic():
        dossier, is_done = moves.begin("declare_completion", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "declare_completion")
        guards.check_completion(
            total_minutes=total_minutes,
            done_minutes=done_minutes,
            cause=cause,
            force_majeure=force_majeure,
            words=words,
        )
        made = _completion(
            dossier,
            total_minutes=total_minutes,
            done_minutes=done_minutes,
            cause=cause,
            force_majeure=force_majeure,
            words=words,
            by=by,
            at=at,
        )
        evidence.keep(read, at=at, completion=made)
        moves.make(
            dossier,
            "declare_completion",
            State.COMPLETION_DECLARED,
            by=by,
            at=at,
            request_id=request_id,
            reason=made.words,
            details=_facts(made),
        )
    return dossier


def correct_completion(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    total_minutes: int,
    done_minutes: int,
    cause: CompletionCause,
    force_majeure: bool,
    reason: str,
) -> Dossier:
    """What a control found instead of what was declared. By an agent, while the control is open.

    Effects: another Completion, which holds from now on; notices to both sides, with the reason.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("correct_completion", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        permissions.check_controller(dossier, by)
        guards.check_move(dossier, "correct_completion")
        guards.check_reason(reason)
        if not Control.objects.filter(dossier=dossier, released_at__isnull=True).exists():
            raise Refused(_("Ouvrez d’abord un contrôle : il suspend la validation."))
        guards.check_completion(
            total_minutes=total_minutes,
            done_minutes=done_minutes,
            cause=cause,
            force_majeure=force_majeure,
            words=reason,
        )
        made = _completion(
            dossier,
            total_minutes=total_minutes,
            done_minutes=done_minutes,
            cause=cause,
            force_majeure=force_majeure,
            words=reason,
            by=by,
            at=at,
        )
        moves.make(
            dossier,
            "correct_completion",
            State.COMPLETION_DECLARED,
            by=by,
            at=at,
            request_id=request_id,
            reason=made.words,
            details=_facts(made),
        )
    return dossier


def validate(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """The completion stands: the money is settled.

    By the system once nobody contests in time, or by an agent who has released the last control.
    Effects: every euro where the matrix says; COMPLETION_VALIDATED; notices to both sides.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("validate", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "validate")
        if Control.objects.filter(dossier=dossier, released_at__isnull=True).exists():
            raise Refused(_("Un contrôle est en cours : la validation attend sa conclusion."))
        if by.is_system:
            moves.check_over(dossier, ClockKind.VALIDATION, at=at)
        else:
            permissions.check_controller(dossier, by)
            if not Control.objects.filter(dossier=dossier).exists():
                raise Refused(_("Sans contrôle, le service fait se valide de lui-même à la fin du délai."))
        made = Completion.objects.filter(dossier=dossier).latest("version")
        settled = moves.settle(dossier, cause_of(made), rate_of(made), by=by, at=at)
        moves.make(
            dossier,
            "validate",
            State.COMPLETION_VALIDATED,
            by=by,
            at=at,
            request_id=request_id,
            details=settled,
        )
    return dossier


# --- What the verbs are made of -----------------------------------------------------------------------------


def cause_of(completion: Completion) -> Cause:
    """What a declared completion is for `settlement.split`."""
    if completion.cause == CompletionCause.LEFT:
        return Cause.PARTIAL_BY_FORCE_MAJEURE if completion.force_majeure else Cause.PARTIAL
    return Cause(completion.cause)


def rate_of(completion: Completion) -> int | None:
    return completion.rate if completion.cause != CompletionCause.COMPLETE else None


def _completion(
    dossier: Dossier,
    *,
    total_minutes: int,
    done_minutes: int,
    cause: CompletionCause,
    force_majeure: bool,
    words: str,
    by: Actor,
    at: datetime,
) -> Completion:
    return Completion.objects.create(
        dossier=dossier,
        version=Completion.objects.filter(dossier=dossier).count() + 1,
        total_minutes=total_minutes,
        done_minutes=done_minutes,
        rate=completion_rate(done_minutes=done_minutes, total_minutes=total_minutes),
        cause=CompletionCause(cause),
        force_majeure=force_majeure,
        words=words.strip(),
        declared_at=at,
        declared_by=by.user,
    )


def _facts(made: Completion) -> dict[str, object]:
    return {
        "rate": made.rate,
        "cause": made.cause,
        "force_majeure": made.force_majeure,
        "total_minutes": made.total_minutes,
        "done_minutes": made.done_minutes,
    }

"""A look at a completion before it is validated: beside the main line, it holds it back, and moves nothing.

A holder who does not agree asks for one; an agent opens one of their own. Released with its conclusion, the
completion is validated at once, corrected or not.
"""

from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from dossiers import announcements, clocks, guards, moves, permissions, training
from dossiers.models import Control, Deadline, Dossier
from dossiers.states import State
from ui.refusals import Refused

CONTROLLED = State.COMPLETION_DECLARED


def open_control(dossier_id: UUID, *, by: Actor, at: datetime, words: str) -> Control:
    """Hold the validation back. By the dossier's holder, who contests, or by an agent.

    One that is open already is given back.

    Effects: a Control; the clock of the validation has no object any more; notices to both sides.
    """
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        if by.is_admin:
            permissions.check_controller(dossier, by)
        else:
            permissions.check_holder(dossier, by)
        if by.user is None:
            raise NotAllowed(_("Ce dossier n’est pas le vôtre."))
        if dossier.state != CONTROLLED:
            raise Refused(_("Seul un service fait déclaré, et pas encore validé, peut être contesté."))
        guards.check_reason(words, field="words")
        running = Control.objects.filter(dossier=dossier, released_at__isnull=True).first()
        if running is not None:
            return running
        if by.is_holder:
            # What is over is validated, whether or not the job has passed.
            guards.check_not_validated(dossier, at=at)
        control = Control.objects.create(
            dossier=dossier, words=words.strip(), opened_at=at, opened_as=by.role, opened_by=by.user
        )
        clocks.close_running(dossier, at=at, outcome=Deadline.Outcome.MOOT)
        announcements.tell_control(dossier, control, at=at)
        if by.is_admin:
            _note(control, "control_opened", by=by, at=at)
    return control


def release_control(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, outcome: str) -> Dossier:
    """Say what the control found: the completion, as it stands by now, is validated. By an agent.

    Effects: the Control released; see `training.validate`; a line of the journal.
    """
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_controller(dossier, by)
        guards.check_reason(outcome, field="outcome")
        control = Control.objects.filter(dossier=dossier, released_at__isnull=True).first()
        if control is not None:
            control.released_at, control.released_by, control.outcome = at, by.user, outcome.strip()
            control.save(update_fields=["released_at", "released_by", "outcome"])
            _note(control, "control_released", by=by, at=at)
        return training.validate(dossier_id, by=by, at=at, request_id=uuid5(request_id, "validate"))


def _note(control: Control, action: str, *, by: Actor, at: datetime) -> None:
    journal.record(
        by=by,
        action=action,
        subject=control.dossier.holder,
        at=at,
        details={"dossier": control.dossier.number, "reason": control.outcome or control.words},
    )

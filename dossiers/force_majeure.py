"""When something grave keeps a holder away: said, proved, decided by an agent with a reason.

The verbs go on from workflow.py and have the same six steps. Until the decision the money of the dossier
waits where it is reserved.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor
from dossiers import evidence, guards, moves, permissions
from dossiers.models import Claim, Deadline, Dossier, Transition
from dossiers.settlement import Cause
from dossiers.states import ClaimState, State
from rulebook import workdays
from ui.refusals import Refused


def claim(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    files: Sequence[UploadedFile] = (),
) -> Dossier:
    """Say what happened, and prove it: instead of a late cancellation, or after an absence. By the holder.

    Effects: a Claim and its evidence; CLAIMED, its clock; notices. Refused: still free to cancel, no words,
    no file or a wrong one, the time to explain an absence is over.
    """
    read = evidence.read(files, field="evidence")
    with transaction.atomic():
        dossier, is_done = moves.begin("claim", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "claim")
        guards.check_reason(words, field="words")
        if dossier.state == State.ACCEPTED:
            guards.check_no_longer_free(dossier, at=at)
            guards.check_not_started(dossier, on=workdays.paris_day(at))
        else:
            guards.check_explained_in_time(dossier, at=at)
        if Claim.objects.filter(dossier=dossier).exists():
            raise Refused(_("Une force majeure a déjà été examinée pour ce dossier."))
        made = Claim.objects.create(dossier=dossier, words=words.strip(), made_at=at)
        evidence.keep(read, at=at, claim=made)
        moves.make(dossier, "claim", State.CLAIMED, by=by, at=at, request_id=request_id)
    return dossier


def grant_claim(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """It was force majeure: everything goes back. By an agent, who says why.

    Effects: all back; CANCELLED_BY_HOLDER or NO_SHOW, as it came; a line of the journal; notices.
    """
    return _decide(
        "grant_claim", ClaimState.GRANTED, dossier_id, by=by, at=at, request_id=request_id, reason=reason
    )


def reject_claim(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """It was not: settled as a late cancellation, or an absence. By an agent, who says why.

    Effects: see docs/decisions.md, 8; CANCELLED_BY_HOLDER or NO_SHOW; a line of the journal; notices.
    """
    return _decide(
        "reject_claim", ClaimState.REJECTED, dossier_id, by=by, at=at, request_id=request_id, reason=reason
    )


# Before the start or after the first day, excused or not.
_CAUSES = {
    (State.ACCEPTED, ClaimState.GRANTED): (State.CANCELLED_BY_HOLDER, Cause.CANCELLED_BY_FORCE_MAJEURE),
    (State.ACCEPTED, ClaimState.REJECTED): (State.CANCELLED_BY_HOLDER, Cause.CANCELLED_LATE),
    (State.ABSENT, ClaimState.GRANTED): (State.NO_SHOW, Cause.NO_SHOW_BY_FORCE_MAJEURE),
    (State.ABSENT, ClaimState.REJECTED): (State.NO_SHOW, Cause.NO_SHOW),
}


def _decide(
    verb: str,
    decision: ClaimState,
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    reason: str,
) -> Dossier:
    with transaction.atomic():
        dossier, is_done = moves.begin(verb, dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        permissions.check_decides_claims(dossier, by)
        guards.check_move(dossier, verb)
        guards.check_reason(reason)
        made = Claim.objects.select_for_update().get(dossier=dossier)
        came_from = State(Transition.objects.filter(dossier=dossier, verb="claim").latest("id").from_state)
        target, cause = _CAUSES[came_from, decision]
        settled = moves.settle(dossier, cause, by=by, at=at)
        made.state, made.decided_at, made.decided_by, made.reason = decision, at, by.user, reason.strip()
        made.save(update_fields=["state", "decided_at", "decided_by", "reason"])
        journal.record(
            by=by,
            action=verb,
            subject=dossier.holder,
            at=at,
            details={"dossier": dossier.number, "reason": made.reason},
        )
        moves.make(
            dossier,
            verb,
            target,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MET,
            cause="force_majeure" if decision == ClaimState.GRANTED else "late",
            reason=made.reason,
            details=settled,
        )
    return dossier

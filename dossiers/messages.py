"""What the two sides of a dossier do with its thread, and what the portal decides about it.

The same six steps as in workflow: lock · same request again? · guards · write · tell · return. Locks, always
in this order: dossier, holder (who writes as one waits for a freeze of their account), rows only added
(docs/locks.md). Under the dossier's lock the messages of a thread have their ids in the order of their time.

Reading is said, never guessed: a side has read up to a message when it answers, or clicks « Marquer comme
lu ». Opening the page would be simpler to use and wrong: a GET never writes; what a browser loads ahead,
a colleague who only looks, a link checker of a mail server would mark as read what nobody will answer; and
a side is often a team, for whom « unread » means « nobody has dealt with it ».
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from dossiers import announcements, moves, permissions
from dossiers import message_guards as guards
from dossiers.models import Dossier, Message, MessageReport, ReadMark
from notices.kinds import Kind
from ui.refusals import Refused, StalePage

__all__ = ["NotAllowed", "Refused"]

OTHER_SIDE = {Role.HOLDER: Role.PROVIDER, Role.PROVIDER: Role.HOLDER}
# Several messages before they are read make one notice; left unread so long, the next message makes another.
A_BURST = timedelta(days=1)


def send(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str, seen_until: int = 0
) -> Message:
    """Write to the other side. By the holder, or a member of the organisation, once the request was sent.

    Effects: a Message; what its author's page showed (`seen_until`, the last message's key) is read; one
    notice to the other side for each burst.
    """
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_party(dossier, by)
        done = Message.objects.filter(dossier=dossier, request_id=request_id).first()
        if done is not None:
            if done.user_id != _person(by):
                raise StalePage
            return done
        if by.is_holder:
            # A freeze takes the same lock: what is sent was sent before it, or not at all.
            moves.lock_holder(dossier)
        guards.check_open(dossier, by, at=at)
        words = guards.check_words(words)
        guards.check_pace(dossier, by, at=at)
        message = Message.objects.create(
            dossier=dossier, role=by.role, user_id=_person(by), words=words, at=at, request_id=request_id
        )
        _mark(dossier, by, until=seen_until, at=at)
        _tell_of(message, dossier)
    return message


def mark_read(dossier_id: UUID, *, by: Actor, at: datetime, until: int) -> None:
    """« Marquer comme lu »: this side has read up to the message `until`. Done twice, or late, it changes
    nothing: a mark never goes back. By either side, also where nobody may write any more."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_party(dossier, by)
        _mark(dossier, by, until=until, at=at)


def report(
    message_id: int, *, by: Actor, at: datetime, request_id: UUID, motive: str, words: str = ""
) -> MessageReport:
    """« Signaler ce message ». By the side that received it. Effects: a MessageReport, which waits among the
    decisions of the administration; the journal. Its author is told nothing before it is decided."""
    with transaction.atomic():
        dossier, message = _lock_thread_of(message_id)
        permissions.check_party(dossier, by)
        if message.role == by.role:
            raise NotAllowed(_("On signale les messages de l’autre, pas les siens."))
        done = MessageReport.objects.filter(message=message).first()
        if done is not None:
            # The same click, or a colleague's: it waits already, or it was decided.
            if done.request_id == request_id:
                return done
            raise Refused(_("Ce message est déjà signalé : nous le lisons, ou nous l’avons lu."))
        words = guards.check_report(motive, words)
        guards.check_reports_today(by, at=at)
        reported = MessageReport.objects.create(
            message=message,
            role=by.role,
            user_id=_person(by),
            motive=motive,
            words=words,
            at=at,
            request_id=request_id,
        )
        journal.record(
            by=by,
            action="message_reported",
            subject=dossier,
            at=at,
            details={"message": message.pk, "motive": motive},
        )
    return reported


def hide(report_id: int, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> MessageReport:
    """Take a reported message away from both sides, who read the reason in its place. By an administrator.

    Effects: the decision; the journal; a notice to its author's side and to the other. The words stay in
    the database, where a judge may ask for them.
    """
    return _decide(
        report_id,
        MessageReport.Outcome.HIDDEN,
        by=by,
        at=at,
        request_id=request_id,
        reason=reason,
        kind=Kind.MESSAGE_HIDDEN,
        tells=(Role.HOLDER, Role.PROVIDER),
    )


def keep(report_id: int, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> MessageReport:
    """Leave a reported message. By an administrator. Effects: the decision; the journal; a notice with the
    reason to who reported: the other side never heard of it."""
    return _decide(
        report_id,
        MessageReport.Outcome.KEPT,
        by=by,
        at=at,
        request_id=request_id,
        reason=reason,
        kind=Kind.MESSAGE_KEPT,
    )


# --- The steps they share ------------------------------------------------------------------------


def _lock_thread_of(message_id: int) -> tuple[Dossier, Message]:
    """The dossier first, as everywhere: a message never moves to another one."""
    message = Message.objects.select_related("user").get(pk=message_id)
    return moves.lock(message.dossier_id), message


def _person(by: Actor) -> int:
    if by.user is None:
        raise ValueError("a message is written by somebody")
    return by.user.pk


def _mark(dossier: Dossier, by: Actor, *, until: int, at: datetime) -> None:
    """`until` comes from a page: another dossier's key, or a future one, marks no more than what is here."""
    last = Message.objects.filter(dossier=dossier, id__lte=until).order_by("-id").first()
    if last is None:
        return
    mark = ReadMark.objects.filter(dossier=dossier, role=by.role).first()
    if mark is None:
        ReadMark.objects.create(dossier=dossier, role=by.role, read_until=last, at=at, user_id=_person(by))
    elif mark.read_until_id < last.pk:
        mark.read_until, mark.at, mark.user_id = last, at, _person(by)
        mark.save(update_fields=["read_until", "at", "user"])


def first_unread(dossier: Dossier, role: Role) -> Message | None:
    """The oldest message of the other side that this side has not read."""
    mark = ReadMark.objects.filter(dossier=dossier, role=role).first()
    waiting = Message.objects.filter(dossier=dossier, role=OTHER_SIDE[role])
    return waiting.filter(id__gt=mark.read_until_id if mark else 0).order_by("id").first()


def _tell_of(message: Message, dossier: Dossier) -> None:
    """One notice a burst: its key is that of the first message they have not read, and of the day since."""
    reader = OTHER_SIDE[Role(message.role)]
    first = first_unread(dossier, reader) or message
    burst = (message.at - first.at) // A_BURST
    announcements.tell_of_message(
        dossier,
        reader,
        Kind.MESSAGE_RECEIVED,
        event_key=f"message:{first.pk}:{burst}",
        facts={},
        at=message.at,
    )


def _decide(
    report_id: int,
    outcome: MessageReport.Outcome,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    reason: str,
    kind: Kind,
    tells: tuple[Role, ...] = (),
) -> MessageReport:
    """`tells`: which sides; none, the one that reported."""
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration décide d’un signalement."))
    with transaction.atomic():
        dossier, message = _lock_thread_of(MessageReport.objects.get(pk=report_id).message_id)
        reported = MessageReport.objects.get(pk=report_id)  # as it is under the lock
        if reported.outcome:
            if reported.decision_request_id == request_id and reported.outcome == outcome:
                return reported
            raise Refused(_("Ce signalement est déjà décidé : « %s ».") % reported.get_outcome_display())
        reported.decision_reason = guards.check_decision(reason)
        reported.outcome = outcome
        reported.decided_by_id, reported.decided_at = _person(by), at
        reported.decision_request_id = request_id
        reported.save(
            update_fields=["outcome", "decision_reason", "decided_by", "decided_at", "decision_request_id"]
        )
        journal.record(
            by=by,
            action=f"message_{outcome.value}",
            subject=dossier,
            at=at,
            details={"message": message.pk, "reason": reported.decision_reason},
        )
        for role in tells or (Role(reported.role),):
            announcements.tell_of_message(
                dossier,
                role,
                kind,
                event_key=f"message-report:{reported.pk}:{role}",
                facts={"reason": reported.decision_reason, "is_author": role == message.role},
                at=at,
            )
    return reported

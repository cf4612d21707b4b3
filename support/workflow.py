"""What is done with a ticket: one verb each, in the same six steps: lock · same request again? · guards ·
write · tell · return.

Done by `by`, at the moment `at`; the same `request_id` returns the first result. What cannot be done
raises `Refused`; who may not, `NotAllowed`. Each verb adds one `Entry`, whose trigger moves the ticket.
What an administrator does is written in the journal too.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from stdnum import luhn

from accounts import journal
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from rulebook import workdays
from support import announcements, guards, links, permissions
from support.models import Entry, ScamReport, Ticket
from support.states import MOVES, State, Topic
from ui.refusals import Refused, StalePage

__all__ = ["NotAllowed", "Refused"]


def open(
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    topic: Topic,
    words: str,
    subject: str = "",
    email: str = "",
    name: str = "",
    dossier: Any = None,
    scam: Mapping[str, Any] | None = None,
) -> Ticket:
    """Ask for help. Effects: RECEIVED; until when we answer; a notice to who asks. By anyone.

    A visitor gives `email`, and `name` if they like; who is signed in is known. A member asks for their
    organisation. `dossier`: one of theirs. `scam`: the fields of a ScamReport, for its topic only.
    """
    with transaction.atomic():
        if done := _opened(by, request_id):
            return done
        words = guards.check_words(words)
        if by.user:
            email = name = ""
        elif not email:
            raise Refused(_("Écrivez votre adresse e-mail : nous y répondrons."), field="email")
        if dossier is not None:
            permissions.check_dossier(dossier, by)
        guards.check_tickets_today(by, email=email, at=at)
        ticket = Ticket(
            number=_new_number(),
            topic=topic,
            subject=" ".join(subject.split())[: guards.SUBJECT_MAX],
            user=by.user,
            organisation=by.organisation if by.is_provider else None,
            email=email,
            name=name[: guards.NAME_MAX],
            dossier=dossier,
            opened_at=at,
            due_at=answer_by(at),
            creation_request_id=request_id,
        )
        try:
            with transaction.atomic():
                ticket.save(force_insert=True)
        except IntegrityError:
            # The same click from another connection was faster; else the name, or the number, is taken.
            if done := _opened(by, request_id):
                return done
            raise StalePage from None
        if scam is not None:
            ScamReport.objects.create(ticket=ticket, **scam)
        _write(ticket, "open", by=by, at=at, request_id=request_id, words=words)
        announcements.tell_received(ticket, at=at)
    return ticket


def reply(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Ticket:
    """Add to what one asked. Effects: after an answer, IN_PROGRESS and a new date for ours. By who asked."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id, asker=True)
        if is_done:
            return ticket
        guards.check_move(ticket, "reply")
        words = guards.check_words(words)
        guards.check_replies_today(ticket, at=at)
        if ticket.due_at is None:
            _set(ticket, due_at=answer_by(at))
        _write(ticket, "reply", by=by, at=at, request_id=request_id, words=words)
    return ticket


def take(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Ticket:
    """See to a ticket, also one that a colleague had taken. Effects: IN_PROGRESS. By an administrator."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id)
        if is_done:
            return ticket
        guards.check_move(ticket, "take")
        _set(ticket, taken_by=by.user)
        _write(ticket, "take", by=by, at=at, request_id=request_id)
    return ticket


def answer(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Ticket:
    """Answer. Effects: ANSWERED, taken by who answers; a notice with the words. By an administrator."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id)
        if is_done:
            return ticket
        guards.check_move(ticket, "answer")
        words = guards.check_words(words)
        _set(ticket, taken_by=by.user, due_at=None, closed_at=None)
        entry = _write(ticket, "answer", by=by, at=at, request_id=request_id, words=words)
        announcements.tell_answered(ticket, entry, at=at)
    return ticket


def move(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID, topic: Topic) -> Ticket:
    """File a ticket under another topic. Who asked reads it in the thread. By an administrator."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id)
        if is_done or ticket.topic == topic:
            return ticket
        guards.check_move(ticket, "move")
        _set(ticket, topic=topic)
        _write(ticket, "move", by=by, at=at, request_id=request_id, topic=topic)
    return ticket


def close(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str = "") -> Ticket:
    """Nothing more is expected. By who asked, or by an administrator, who says why: a notice tells it."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id, asker=not by.is_admin)
        if is_done:
            return ticket
        guards.check_move(ticket, "close")
        words = guards.check_words(words) if by.is_admin else ""
        _set(ticket, due_at=None, closed_at=at)
        entry = _write(ticket, "close", by=by, at=at, request_id=request_id, words=words)
        if by.is_admin:
            announcements.tell_closed(ticket, entry, at=at)
    return ticket


def reopen(ticket_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Ticket:
    """Take up a closed ticket again. Effects: IN_PROGRESS; a new date for ours. By who asked, in time."""
    with transaction.atomic():
        ticket, is_done = _begin(ticket_id, by=by, request_id=request_id, asker=True)
        if is_done:
            return ticket
        guards.check_move(ticket, "reopen")
        guards.check_reopenable(ticket, at=at)
        words = guards.check_words(words)
        guards.check_replies_today(ticket, at=at)
        _set(ticket, due_at=answer_by(at), closed_at=None)
        _write(ticket, "reopen", by=by, at=at, request_id=request_id, words=words)
    return ticket


def send_link(*, number: str, email: str, at: datetime) -> None:
    """Mail a visitor a new address of their ticket, if there is one; never says if there is. By anyone."""
    with transaction.atomic():
        if ticket := links.ticket_of(number=number, email=email):
            announcements.tell_link(ticket, at=at)


def answer_by(at: datetime) -> datetime:
    """The first instant at which our answer to what arrives now is late: a promise, not law."""
    return workdays.period(at, settings.PORTAL_ANSWER_DAYS).expires_at


# --- The steps they share ------------------------------------------------------------------------


def _opened(by: Actor, request_id: UUID) -> Ticket | None:
    """What this very request has already opened, for the same asker."""
    return Ticket.objects.filter(
        creation_request_id=request_id, user_id=by.user.pk if by.user else None
    ).first()


def _begin(ticket_id: UUID, *, by: Actor, request_id: UUID, asker: bool = False) -> tuple[Ticket, bool]:
    """Lock, judge who acts, and say whether this request was already obeyed."""
    ticket = (
        Ticket.objects.select_for_update(of=("self",))
        .select_related("user", "organisation")
        .get(pk=ticket_id)
    )
    if asker:
        permissions.check_asker(ticket, by)
    else:
        permissions.check_admin(by)
    return ticket, Entry.objects.filter(ticket=ticket, request_id=request_id).exists()


def _set(ticket: Ticket, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(ticket, name, value)
    ticket.save(update_fields=list(fields))


def _write(
    ticket: Ticket,
    verb: str,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str = "",
    topic: str = "",
) -> Entry:
    state = State(ticket.state)
    entry = Entry.objects.create(
        ticket=ticket,
        verb=verb,
        from_state=state,
        to_state=MOVES[verb][state],
        role=by.role,
        user_id=by.user.pk if by.user else None,
        at=at,
        request_id=request_id,
        words=words,
        topic=topic,
    )
    ticket.state = entry.to_state  # what the trigger has just written
    if by.is_admin:
        journal.record(by=by, action=f"ticket_{verb}", subject=ticket, at=at)
    return entry


def _new_number() -> str:
    """A number people can dictate: 9 digits, the last one a check digit."""
    digits = f"{secrets.randbelow(90_000_000) + 10_000_000}"
    return digits + luhn.calc_check_digit(digits)

"""The outbox: `write` (or `write_many`) in the transaction of the event, `deliver_due` after its commit.

A notice is written with its event or not at all, once per person and event, and mailed at least
once, always with the same Message-ID: whoever receives it twice sees it once. One deliverer works at
a time, one notice at a time, so that being killed can repeat one mail and no more. No transaction is
open while a mail server is spoken to. A lost broker loses nothing: beat calls `deliver_due` anyway.
"""

import json
import logging
import smtplib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.core import mail
from django.db import InterfaceError, OperationalError, connection, transaction

from notices import messages
from notices.kinds import Kind
from notices.models import Notice
from ui import prepared

log = logging.getLogger(__name__)

DELIVERY_TASK = "notices.tasks.deliver_due"

# First again after a minute, then twice as long each time.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
# RFC 5321 §4.5.4.1: the time before giving up is at least four or five days.
GIVE_UP_AFTER = timedelta(days=5)
# Whoever is asked comes so many seconds later, and finds what was written until then: nobody asks again.
GATHERED_FOR = 1
# After the broker failed, for how many seconds it is left alone: beat finds the notices anyway.
BROKER_REST = 60
# A server that fails so often in a row is left alone until the next run.
TROUBLES_IN_A_ROW = 3
# A mail has left, and the database restarts: tried again after so many seconds, or it would leave twice.
MARK_AGAIN_AFTER = (0.5, 1, 2, 4, 8, 15)
# The key of the lock that the deliverer at work holds; it goes with its connection.
DELIVERER_LOCK = 0x6E6F7469  # "noti"


class Refused(Exception):
    """This notice will never be accepted; the message says why."""


@dataclass(slots=True)
class DeliveryReport:
    """Notices of one run: sent, to be tried again, and given up."""

    delivered: int = 0
    postponed: int = 0
    given_up: int = 0

    @property
    def tried(self) -> int:
        return self.delivered + self.postponed + self.given_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one person (`user`), or one mailbox (`email`), is told about one event.

    `facts` are texts, numbers and lists that JSON can hold, in French already; `link` is a path of the
    portal. ValueError: no such kind, or a link that leaves the portal.
    """

    kind: str
    event_key: str
    facts: Mapping[str, Any]
    link: str = ""
    user: Any = None
    email: str | None = None

    def __post_init__(self) -> None:
        Kind(self.kind)
        if self.link and (not self.link.startswith("/") or self.link.startswith("//")):
            raise ValueError(f"a notice links to a path of the portal, not to {self.link!r}")


def write(
    *,
    kind: str,
    event_key: str,
    at: datetime,
    facts: Mapping[str, Any],
    link: str = "",
    user: Any = None,
    email: str | None = None,
) -> None:
    """Tell one person, or one mailbox, about one event, in the current transaction. See `write_many`."""
    letter = Letter(kind=kind, event_key=event_key, facts=facts, link=link, user=user, email=email)
    write_many([letter], at=at)


def write_many(letters: Iterable[Letter], *, at: datetime) -> None:
    """Tell many, in the current transaction and in one statement; nobody: nothing is asked.

    Written again for the same address and event, nothing happens: people come before their
    organisation's mailbox, so that an address that is both has the notice in its inbox.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a notice is written in the transaction of its event")
    rows = [
        {
            "id": str(uuid.uuid4()),
            "user_id": letter.user.pk if letter.user else None,
            "email": letter.email or letter.user.email,
            "kind": letter.kind,
            "event_key": letter.event_key,
            "facts": letter.facts,
            "link": letter.link,
        }
        for letter in letters
    ]
    if rows:
        prepared.rows(_INSERT, [at, at, json.dumps(rows, ensure_ascii=False)])
        deliver_soon()


# One parameter, however many rows: a column of texts costs more to quote than they cost to write.
_INSERT = """
    INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at,
        attempts, last_error)
    SELECT id, user_id, email, kind, event_key, facts, link, %s::timestamptz, %s::timestamptz, 0, ''
    FROM json_to_recordset(%s::json) AS letter (
        id uuid, user_id bigint, email text, kind text, event_key text, facts jsonb, link text)
    ON CONFLICT DO NOTHING"""


def deliver_due(*, at: datetime, limit: int) -> DeliveryReport:
    """Mail what is due, oldest first, `limit` notices at most. Does nothing while another one delivers."""
    report = DeliveryReport()
    with _alone() as is_ours:
        if not is_ours:
            return report
        session, begun = connection.connection, time.monotonic()
        server = mail.get_connection()
        troubles = 0
        try:
            # What is written meanwhile is due too: whoever asked for it has found us at work. On another
            # connection than at first, the lock is gone: the next run goes on.
            while limit > 0 and troubles < TROUBLES_IN_A_ROW and connection.connection is session:
                notice = _take_next(due_by=at + timedelta(seconds=time.monotonic() - begun), at=at)
                if notice is None:
                    break
                limit -= 1
                troubles = 0 if _deliver(notice, server, report, at=at) else troubles + 1
        finally:
            _close(server)
    return report


def deliver_soon() -> None:
    """Ask a worker, once per transaction; robust: a broker that is down must not undo the event."""
    open_now = set(connection.savepoint_ids)
    is_asked = any(
        hook is _ask_for_delivery and savepoints <= open_now
        for savepoints, hook, _robust in connection.run_on_commit
    )
    if not is_asked:
        transaction.on_commit(_ask_for_delivery, robust=True)


def retry(notice: Notice, *, at: datetime) -> bool:
    """Try again a notice that waits or was given up, from `at`, with a full term. False: already sent."""
    with transaction.atomic():
        is_waiting = Notice.objects.filter(pk=notice.pk, delivered_at=None).update(
            next_attempt_at=at, attempts=0, retried_at=at, given_up_at=None, last_error=""
        )
        if is_waiting:
            deliver_soon()
    return bool(is_waiting)


def _ask_for_delivery() -> None:
    """One question serves all that this process commits until the worker looks. A dead broker costs one
    person some seconds a minute, not everyone each time."""
    now = time.monotonic()
    if now < _asked_until[0]:
        return
    try:
        current_app.send_task(
            DELIVERY_TASK, countdown=GATHERED_FOR, expires=60, retry=False, ignore_result=True
        )
    except Exception:
        _asked_until[0] = now + BROKER_REST
        raise  # a robust hook: Django logs it and goes on
    # Counted from before it was sent, and a little less: the clock of the worker may be ahead of ours.
    _asked_until[0] = now + 0.8 * GATHERED_FOR


_asked_until = [0.0]


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether we are the deliverer at work. A lock of the session: PostgreSQL frees it if we die."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [DELIVERER_LOCK])
        is_ours = cursor.fetchone()[0]
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [DELIVERER_LOCK])


def _take_next(*, due_by: datetime, at: datetime) -> Notice | None:
    """The oldest notice due, postponed before it is tried: if we die over it, it comes back by itself."""
    with transaction.atomic(durable=True):
        due = Notice.objects.waiting().filter(next_attempt_at__lte=due_by).order_by("next_attempt_at", "id")
        notice = due.select_for_update(skip_locked=True).first()
        if notice is not None:
            notice.attempts += 1
            notice.next_attempt_at = at + _pause_after(notice.attempts)
            notice.save(update_fields=["attempts", "next_attempt_at"])
    return notice


def _pause_after(attempts: int) -> timedelta:
    """Twice as long after each try."""
    return min(FIRST_PAUSE * 2 ** min(attempts - 1, 12), LONGEST_PAUSE)


def _deliver(notice: Notice, server: Any, report: DeliveryReport, *, at: datetime) -> bool:
    """Send one notice. False: the mail server is in trouble."""
    try:
        _send(notice, server)
    except Refused as refusal:
        _give_up(notice, str(refusal), report, at=at)
    except (smtplib.SMTPException, OSError) as trouble:
        _close(server)  # whatever state it is in, the next notice has a new one
        _postpone(notice, _words_of(trouble), report, at=at)
        return False
    except Exception as fault:  # our own mistake in one message must not keep the others back
        log.exception("notice %s cannot be made", notice.pk)
        _postpone(notice, f"{type(fault).__name__}: {fault}", report, at=at)
    else:
        _mark_delivered(notice, at=at)
        report.delivered += 1
    return True


def _send(notice: Notice, server: Any) -> None:
    message = messages.email_of(notice, connection=server)
    server.open()
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        answers = error.recipients.values()
        if all(code >= 500 for code, _text in answers):
            raise Refused(_words_of(error)) from error
        raise
    except (smtplib.SMTPDataError, smtplib.SMTPNotSupportedError) as error:
        if getattr(error, "smtp_code", 500) >= 500:
            raise Refused(_words_of(error)) from error
        raise
    except (ValueError, UnicodeError) as error:  # an address no mail can go to; BadHeaderError too
        raise Refused(_words_of(error)) from error


def _mark_delivered(notice: Notice, *, at: datetime) -> None:
    """Write that it has left, however long the database takes to come back."""
    for pause in (*MARK_AGAIN_AFTER, None):
        try:
            Notice.objects.filter(pk=notice.pk).update(
                delivered_at=at, given_up_at=None, next_attempt_at=None, last_error=""
            )
            return
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            connection.close()
            time.sleep(pause)


def _close(server: Any) -> None:
    try:
        server.close()
    except (smtplib.SMTPException, OSError):
        log.info("the mail server left before we did")


def _postpone(notice: Notice, reason: str, report: DeliveryReport, *, at: datetime) -> None:
    """Leave it to its next try (`_take_next` said when), or give up after five days."""
    if at >= (notice.retried_at or notice.created_at) + GIVE_UP_AFTER:
        _give_up(notice, reason, report, at=at)
        return
    Notice.objects.waiting().filter(pk=notice.pk).update(last_error=reason[:500])
    log.warning("notice %s waits until %s: %s", notice.pk, notice.next_attempt_at, reason)
    report.postponed += 1


def _give_up(notice: Notice, reason: str, report: DeliveryReport, *, at: datetime) -> None:
    Notice.objects.waiting().filter(pk=notice.pk).update(
        given_up_at=at, next_attempt_at=None, last_error=reason[:500]
    )
    log.error("notice %s is given up: %s", notice.pk, reason)
    report.given_up += 1


def _words_of(error: Exception) -> str:
    """What the server said: « 550 No such user »."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        return f"{type(error).__name__}: {error}"
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"

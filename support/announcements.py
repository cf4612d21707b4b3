"""What we tell people about what they asked. Words live in templates/notices/ticket_<what>.txt.

The first notice never repeats what was typed: a visitor's address is not proved theirs, and the portal
must not carry a stranger's words to somebody else's mailbox.
"""

from datetime import datetime
from typing import Any

from django.urls import reverse

from accounts.listing import people_of
from accounts.models import User
from notices import outbox
from notices.kinds import Kind
from support.links import link_of
from support.models import Entry, Ticket
from support.states import Topic
from ui import french


def tell_received(ticket: Ticket, *, at: datetime) -> None:
    """It arrived: its number, and until when we answer."""
    facts = {"answer_by": french.last_minute(ticket.due_at)}
    _tell(ticket, Kind.TICKET_RECEIVED, event_key=f"ticket:{ticket.pk}", facts=facts, at=at)


def tell_answered(ticket: Ticket, entry: Entry, *, at: datetime) -> None:
    """The answer itself, so that one reads it without signing in."""
    facts = {"answer": _paragraphs(entry.words)}
    _tell(ticket, Kind.TICKET_ANSWERED, event_key=f"ticket-entry:{entry.pk}", facts=facts, at=at)


def tell_closed(ticket: Ticket, entry: Entry, *, at: datetime) -> None:
    """By the administration, with its reason. Who closes their own needs no telling."""
    facts = {"answer": _paragraphs(entry.words)}
    _tell(ticket, Kind.TICKET_CLOSED, event_key=f"ticket-entry:{entry.pk}", facts=facts, at=at)


def tell_link(ticket: Ticket, *, at: datetime) -> None:
    """A new address for a visitor who lost it. One an hour: who asks may not be who receives."""
    event_key = f"ticket-link:{ticket.pk}:{at:%Y%m%d%H}"
    _tell(ticket, Kind.TICKET_LINK, event_key=event_key, facts={}, at=at)


def _tell(ticket: Ticket, kind: Kind, *, event_key: str, facts: dict[str, Any], at: datetime) -> None:
    facts |= {"ticket_number": ticket.number, "ticket_topic": str(Topic(ticket.topic).label)}
    if ticket.is_of_visitor:
        link = link_of(ticket, at=at)
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, email=ticket.email)
        return
    for user in _readers(ticket):
        link = reverse("ticket", args=[ticket.pk])
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, user=user)


def _readers(ticket: Ticket) -> list[User]:
    """Its author; for an organisation that its author left, those who act for it now."""
    if ticket.organisation is None:
        return [ticket.user]
    members = people_of(ticket.organisation)
    return [user for user in members if user.pk == ticket.user_id] or members


def _paragraphs(words: str) -> str:
    """A line is a paragraph of the mail, whose own are parted by a blank line."""
    return "\n\n".join(line.strip() for line in words.splitlines() if line.strip())

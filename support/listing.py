"""Lists, counts and threads for screens. Nothing here writes."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor, Role
from support.models import Entry, Ticket
from support.permissions import visible_tickets
from support.states import VERB_WORDS, WAITING, Topic


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a thread. `from_us`: said by the portal; `words` is empty for what was only done."""

    at: datetime
    who: str
    from_us: bool
    title: str
    words: str


def my_tickets(actor: Actor) -> QuerySet[Ticket]:
    """Those where something is still to come first, then the newest."""
    return visible_tickets(actor).order_by(F("due_at").asc(nulls_last=True), "-opened_at", "id")


def queue() -> QuerySet[Ticket]:
    """What we owe an answer to, the latest promise first."""
    return Ticket.objects.filter(state__in=WAITING).order_by("due_at", "opened_at", "id")


def overdue(*, at: datetime) -> QuerySet[Ticket]:
    """What should have been answered before `at`."""
    return queue().filter(due_at__lte=at)


def thread(ticket: Ticket, *, reader: Actor | None = None) -> list[Message]:
    """What was said and done, oldest first. `reader`: who asked; None: the administration, whose people have
    no name outside."""
    entries = Entry.objects.filter(ticket=ticket).select_related("user").order_by("id")
    return [
        Message(
            at=entry.at,
            who=_who(entry, ticket, reader),
            from_us=entry.role == Role.ADMIN,
            title=_title(entry),
            words=entry.words,
        )
        for entry in entries
    ]


def _who(entry: Entry, ticket: Ticket, reader: Actor | None) -> str:
    if entry.role == Role.ADMIN:
        return _("Le portail") if reader else str(entry.user)
    if reader is None or (reader.user and entry.user_id != reader.user.pk):
        return str(entry.user) if entry.user else ticket.name or ticket.email
    return _("Vous")


def _title(entry: Entry) -> str:
    if entry.verb == "move":
        return _("Classée : %(topic)s") % {"topic": Topic(entry.topic).label}
    return str(VERB_WORDS[entry.verb])

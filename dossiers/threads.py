"""What a page shows of a thread, and how many messages wait in each row of a list. Nothing here writes."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.actors import Actor, Role
from dossiers import message_guards, permissions
from dossiers.models import Dossier, Message, MessageReport, ReadMark


@dataclass(frozen=True, slots=True)
class Line:
    """One message for one reader. `words` are empty once it was taken away: `hidden_because` says why.

    `who`: names only, never an address. `is_reported`: by the reader's side, and not decided yet; its author
    does not know.
    """

    pk: int
    who: str
    at: datetime
    words: str
    is_ours: bool
    is_unread: bool
    hidden_because: str
    is_reported: bool
    can_report: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """Everything templates/dossiers/_messages.html reads. `obstacle`: why nobody writes here now; "" they do.

    `last`: the last message's key, which an answer or « Marquer comme lu » sends back; 0 for none.
    """

    lines: list[Line]
    unread: int
    last: int
    other: str
    obstacle: str
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a dossier's page says of its thread."""

    count: int
    unread: int
    last_at: datetime | None


def with_unread(dossiers: QuerySet[Dossier], actor: Actor) -> QuerySet[Dossier]:
    """Adds `unread_messages`: how many of the other side this one has not read. No query of its own."""
    waiting = Message.objects.filter(_unread(actor), dossier=OuterRef("pk"))
    counted = waiting.order_by().values("dossier").annotate(count=Count("pk")).values("count")
    return dossiers.annotate(
        unread_messages=Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))
    )


def only_unread(dossiers: QuerySet[Dossier], actor: Actor) -> QuerySet[Dossier]:
    """Those in which the other side has written something that this one has not read."""
    return dossiers.filter(Exists(Message.objects.filter(_unread(actor), dossier=OuterRef("pk"))))


def summary(dossier: Dossier, actor: Actor) -> Summary | None:
    """One query; None: no thread for this reader (a draft, the administration)."""
    if not permissions.is_party(dossier, actor):
        return None
    found = Message.objects.filter(dossier=dossier).aggregate(
        count=Count("pk"),
        unread=Count("pk", filter=_unread(actor)),
        last_at=Max("at"),
    )
    return Summary(**found)


def of(dossier: Dossier, *, actor: Actor, at: datetime) -> Thread:
    """The thread as one side reads it, oldest first. `dossier`: with its holder and organisation."""
    found = (
        Message.objects.filter(dossier=dossier)
        .select_related("user", "report")
        .annotate(waits=_unread(actor))
        .order_by("id")
    )
    lines = [_line(message, dossier, actor) for message in found]
    closes_at = message_guards.closes_at(dossier)
    return Thread(
        lines=lines,
        unread=sum(line.is_unread for line in lines),
        last=lines[-1].pk if lines else 0,
        other=dossier.provider.organisation.name if actor.is_holder else dossier.holder.display_name,
        obstacle=message_guards.obstacle(dossier, actor, closes_at=closes_at, at=at),
        closes_at=closes_at,
    )


def reported(dossier: Dossier, message_id: int, *, actor: Actor) -> Line | None:
    """The message that this reader is about to report; None: there is none here that they could."""
    found = (
        Message.objects.filter(dossier=dossier, pk=message_id)
        .select_related("user", "report")
        .annotate(waits=_unread(actor))
        .first()
    )
    line = _line(found, dossier, actor) if found else None
    return None if line is None or line.is_ours else line


def words_shown(message: Message) -> str:
    """For its sides and for their own data: "" once it was taken away. Needs `report`."""
    return "" if _hidden_because(message) else message.words


def _unread(actor: Actor) -> Q:
    """Of messages: from the other side, and after the mark of this one."""
    mark = ReadMark.objects.filter(dossier=OuterRef("dossier"), role=actor.role)
    read_until = Coalesce(Subquery(mark.values("read_until")[:1]), Value(0))
    return ~Q(role=actor.role) & Q(id__gt=read_until)


def _line(message: Message, dossier: Dossier, actor: Actor) -> Line:
    report = getattr(message, "report", None)
    is_ours = message.role == actor.role
    hidden_because = _hidden_because(message)
    return Line(
        pk=message.pk,
        who=_who(message, dossier, actor),
        at=message.at,
        words="" if hidden_because else message.words,
        is_ours=is_ours,
        is_unread=message.waits,
        hidden_because=hidden_because,
        is_reported=not is_ours and report is not None and not report.outcome,
        can_report=not is_ours and report is None,
    )


def _hidden_because(message: Message) -> str:
    report = getattr(message, "report", None)
    return report.decision_reason if report and report.outcome == MessageReport.Outcome.HIDDEN else ""


def _who(message: Message, dossier: Dossier, actor: Actor) -> str:
    """« Vous », « Camille Moreau », « Atelier Nord · Manon ». `str(user)` would say an e-mail address."""
    if actor.user is not None and message.user_id == actor.user.pk and message.role == actor.role:
        return _("Vous")
    if message.role == Role.HOLDER:
        return dossier.holder.display_name
    organisation, first_name = dossier.provider.organisation.name, message.user.first_name.strip()
    return f"{organisation} · {first_name}" if first_name else organisation

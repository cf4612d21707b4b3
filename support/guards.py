"""Is it possible now? Each check says, in one French sentence, why not and what to do."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.actors import Actor
from support.models import Entry, Ticket
from support.states import MOVES, State
from ui.refusals import Refused

# None is law: they stop slips and floods.
SUBJECT_MAX = 120
WORDS_MAX = 4000
NAME_MAX = 100
# A person rarely needs two a day; each visitor's request mails an address that nobody has proved theirs.
TICKETS_A_DAY_MAX = 10
VISITOR_TICKETS_A_DAY_MAX = 3
REPLIES_A_DAY_MAX = 20
# Later, what was said has lost its context: a new request is read faster.
REOPEN_DAYS = 30


class TooMany(Refused):
    """A limit is reached: try later."""


def check_move(ticket: Ticket, verb: str) -> None:
    if State(ticket.state) not in MOVES[verb]:
        raise Refused(
            _("Cette demande a changé d’état : « %(state)s ». Cette action n’est plus possible.")
            % {"state": State(ticket.state).label}
        )


def check_words(words: str, *, field: str = "words") -> str:
    """The words without blank edges. Refused: none, or too many."""
    words = words.strip()
    if not words:
        raise Refused(_("Écrivez votre message."), field=field)
    if len(words) > WORDS_MAX:
        raise Refused(
            _("Votre message compte %(count)s signes : %(max)s au plus. Raccourcissez-le.")
            % {"count": len(words), "max": WORDS_MAX},
            field=field,
        )
    return words


def check_tickets_today(by: Actor, *, email: str, at: datetime) -> None:
    """A limit against floods, not a right to count to the last one: nothing is locked."""
    recent = Ticket.objects.filter(opened_at__gt=at - timedelta(days=1), opened_at__lte=at)
    if by.user:
        count, most = recent.filter(user_id=by.user.pk).count(), TICKETS_A_DAY_MAX
    else:
        count, most = recent.filter(user=None, email__iexact=email).count(), VISITOR_TICKETS_A_DAY_MAX
    if count >= most:
        raise TooMany(
            ngettext(
                "Vous avez envoyé %(count)s demande d’aide en un jour. Complétez-la, ou revenez demain.",
                "Vous avez envoyé %(count)s demandes d’aide en un jour. Complétez-en une, ou revenez demain.",
                count,
            )
            % {"count": count}
        )


def check_replies_today(ticket: Ticket, *, at: datetime) -> None:
    """The ticket is locked."""
    recent = Entry.objects.filter(
        ticket=ticket, verb__in=["reply", "reopen"], at__gt=at - timedelta(days=1), at__lte=at
    )
    if recent.count() >= REPLIES_A_DAY_MAX:
        raise TooMany(
            _("Vous avez beaucoup écrit aujourd’hui sur cette demande. Vous pourrez reprendre demain.")
        )


def check_reopenable(ticket: Ticket, *, at: datetime) -> None:
    if not can_reopen(ticket, at=at):
        raise Refused(
            _("Cette demande est close depuis plus de %s jours. Envoyez-en une nouvelle.") % REOPEN_DAYS
        )


def can_reopen(ticket: Ticket, *, at: datetime) -> bool:
    return ticket.closed_at is not None and at < ticket.closed_at + timedelta(days=REOPEN_DAYS)

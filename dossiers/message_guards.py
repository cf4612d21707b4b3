"""Is it possible now to write in a thread, or to report a message? One French sentence says why not.

"Who may" is in permissions.py. Called by the verbs of messages.py; pages ask the same with `obstacle`.
"""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.actors import Actor
from dossiers import leaks
from dossiers.models import Dossier, Message, MessageReport, Transition
from dossiers.states import FINAL_STATES, State
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# None is law: limits of this portal, against slips and floods.
WORDS_MAX = 2000
REPORT_WORDS_MAX = 1000
# After the end of a dossier: time for a certificate that is missing, an invoice, a thank you.
DAYS_AFTER_THE_END = 60
# In one thread, nobody says more in an hour; in all of theirs, a team member answers a full inbox.
MESSAGES_AN_HOUR_IN_A_THREAD = 10
MESSAGES_AN_HOUR = 60
REPORTS_A_DAY = 20
# They turn the reading order of what follows: « com.elpmexe » reads « exemple.com ».
WITHOUT_DIRECTIONS = dict.fromkeys(
    map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)


def check_words(words: str, *, field: str = "words") -> str:
    """The words as they are kept: without blank edges nor signs that turn them. Refused: none, too many…"""
    words = words.translate(WITHOUT_DIRECTIONS).strip()
    if not words:
        raise Refused(_("Écrivez votre message."), field=field)
    _check_length(words, WORDS_MAX, field=field)
    if found := leaks.in_words(leaks.find(words)):
        raise Refused(found, field=field)
    return words


def check_report(motive: str, words: str, *, field: str = "words") -> str:
    """The explanation as it is kept; it may name phones and links, which is what one reports."""
    words = words.translate(WITHOUT_DIRECTIONS).strip()
    if motive not in MessageReport.Motive:
        raise Refused(_("Choisissez un motif dans la liste."), field="motive")
    if motive == MessageReport.Motive.OTHER and not words:
        raise Refused(_("Expliquez en quelques mots ce qui ne va pas."), field=field)
    _check_length(words, REPORT_WORDS_MAX, field=field)
    if found := leaks.secrets_in_words(words):
        raise Refused(found, field=field)
    return words


def check_decision(reason: str, *, field: str = "reason") -> str:
    """Why a message is hidden or left: people read it, so it carries no more than a message may."""
    words = reason.translate(WITHOUT_DIRECTIONS).strip()
    if not words:
        raise Refused(_("Donnez une raison : elle sera dite aux personnes concernées."), field=field)
    _check_length(words, REPORT_WORDS_MAX, field=field)
    if found := leaks.secrets_in_words(words):
        raise Refused(found, field=field)
    return words


def _check_length(words: str, most: int, *, field: str) -> None:
    if len(words) > most:
        raise Refused(
            _("Votre message compte %(count)s signes : %(max)s au plus. Raccourcissez-le.")
            % {"count": len(words), "max": most},
            field=field,
        )


def closes_at(dossier: Dossier) -> datetime | None:
    """The first instant at which nobody writes here any more; None: the dossier lives. One query at most."""
    if dossier.state in FINAL_STATES:
        last = Transition.objects.filter(dossier=dossier).order_by("-id").values_list("at", flat=True).first()
        day = workdays.paris_day(last) if last else None
    elif dossier.state == State.ACCEPTED:
        # A registration that nobody has brought further lives until its last day.
        day = dossier.ends_on
    else:
        return None
    return workdays.midnight_after(day + timedelta(days=DAYS_AFTER_THE_END)) if day else None


def obstacle(dossier: Dossier, actor: Actor, *, closes_at: datetime | None, at: datetime) -> str:
    """Why this actor cannot write here now; "" when they can. `dossier.holder` is as it was last read."""
    if closes_at is not None and closes_at <= at:
        return _("Ce fil est fermé depuis le %(day)s : on peut le relire, plus y écrire.") % {
            "day": french.last_minute(closes_at)
        }
    if actor.is_holder and dossier.holder.is_frozen(on=workdays.paris_day(at)):
        # Whoever froze an account fears that somebody else acts in it. Reading and reporting protect.
        return _("Votre compte est gelé : rien ne part en votre nom. Dégelez-le d’abord dans « Mon compte ».")
    return ""


def check_open(dossier: Dossier, actor: Actor, *, at: datetime) -> None:
    if said := obstacle(dossier, actor, closes_at=closes_at(dossier), at=at):
        raise Refused(said)


def check_pace(dossier: Dossier, actor: Actor, *, at: datetime) -> None:
    """The dossier is locked: in one thread the limit is exact; over all of them it stops a flood."""
    recent = Message.objects.filter(user=actor.user, at__gt=at - timedelta(hours=1), at__lte=at)
    if recent.filter(dossier=dossier).count() >= MESSAGES_AN_HOUR_IN_A_THREAD:
        raise Refused(
            _("Vous avez envoyé %(count)s messages ici en une heure. Attendez une réponse.")
            % {"count": MESSAGES_AN_HOUR_IN_A_THREAD}
        )
    if recent.count() >= MESSAGES_AN_HOUR:
        raise Refused(
            _("Vous avez envoyé %(count)s messages en une heure. Vous pourrez reprendre dans une heure.")
            % {"count": MESSAGES_AN_HOUR}
        )


def check_reports_today(actor: Actor, *, at: datetime) -> None:
    """A limit against floods, not a right to count to the last one: nothing is locked for it."""
    recent = MessageReport.objects.filter(user=actor.user, at__gt=at - timedelta(days=1), at__lte=at)
    if recent.count() >= REPORTS_A_DAY:
        raise Refused(
            _("Vous avez signalé %(count)s messages en un jour : nous les lisons. Reprenez demain.")
            % {"count": REPORTS_A_DAY}
        )

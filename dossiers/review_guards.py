"""Is it possible now to give a review, to change it, to answer it? One French sentence says why not.

"Who may" is in permissions.py. Called by the verbs of reviews.py; pages ask the same with `obstacle`.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from dossiers import leaks
from dossiers.message_guards import WITHOUT_DIRECTIONS
from dossiers.models import Dossier, Review, ReviewReport, ReviewText
from dossiers.review_models import BEST, MARK_WORDS, MARKS, REVIEWABLE_STATES
from rulebook import Rules, workdays
from ui import french
from ui.refusals import Refused

# None is law: limits of this portal.
WORDS_MAX = 1000
REPORT_WORDS_MAX = 1000
REPORTS_A_DAY = 20


def last_day(dossier: Dossier, rules: Rules) -> date | None:
    """The last day on which a review may be given; None: nothing was followed to its end."""
    if dossier.exited_on is None or dossier.state not in REVIEWABLE_STATES:
        return None
    return dossier.exited_on + timedelta(days=rules.review_days)


def changes_until(review: Review, rules: Rules) -> datetime:
    """The first instant at which a review cannot be changed any more."""
    day = workdays.paris_day(review.written_at) + timedelta(days=rules.review_edit_days)
    return workdays.midnight_after(day)


def obstacle(dossier: Dossier, review: Review | None, *, at: datetime, rules: Rules) -> str:
    """Why its holder can neither give a review nor change theirs; "" when they can.

    `dossier.holder` and `dossier.offer` are as they were last read.
    """
    today = workdays.paris_day(at)
    if dossier.offer.is_demonstration:
        return _("Cette offre est de démonstration : elle ne reçoit pas d’avis.")
    last = last_day(dossier, rules)
    if last is None:
        return _("On donne son avis une fois la formation terminée.")
    if dossier.holder.is_frozen(on=today):
        return _("Votre compte est gelé : rien ne part en votre nom. Dégelez-le d’abord dans « Mon compte ».")
    if review is None and today > last:
        return _("Un avis se donnait jusqu’au %(day)s.") % {"day": french.day(last)}
    if review is not None and at >= (until := changes_until(review, rules)):
        return _("Votre avis ne se modifie plus depuis le %(day)s. Vous pouvez le supprimer.") % {
            "day": french.last_minute(until)
        }
    return ""


def check_open(dossier: Dossier, review: Review | None, *, at: datetime, rules: Rules) -> None:
    if said := obstacle(dossier, review, at=at, rules=rules):
        raise Refused(said)


def check_marks(marks: Mapping[str, int]) -> dict[str, int]:
    """The five of them, each from 1 to 5."""
    for name in MARKS:
        mark = marks.get(name)
        if not isinstance(mark, int) or not 1 <= mark <= BEST:
            raise Refused(
                _("Donnez une note de 1 à 5 : %(what)s.") % {"what": str(MARK_WORDS[name]).lower()},
                field=name,
            )
    return {name: marks[name] for name in MARKS}


def check_words(words: str, *, field: str, is_required: bool = False) -> str:
    """The words as they are kept. Refused: too many, or with numbers or contact details (leaks)."""
    words = words.translate(WITHOUT_DIRECTIONS).strip()
    if not words and is_required:
        raise Refused(_("Écrivez votre réponse."), field=field)
    _check_length(words, WORDS_MAX, field=field)
    if found := leaks.find(words):
        raise Refused(
            _("Votre texte contient %(what)s. Tout le monde le lirait : retirez-le.")
            % {"what": ", ".join(str(leak.kind.label) for leak in found)},
            field=field,
        )
    return words


def check_report(motive: str, words: str, *, field: str = "words") -> str:
    """The explanation as it is kept; only the administration reads it."""
    words = words.translate(WITHOUT_DIRECTIONS).strip()
    if motive not in ReviewText.Motive:
        raise Refused(_("Choisissez un motif dans la liste."), field="motive")
    _check_length(words, REPORT_WORDS_MAX, field=field)
    if found := leaks.secrets_in_words(words):
        raise Refused(found, field=field)
    return words


def check_reports_today(user_id: int, *, at: datetime) -> None:
    recent = ReviewReport.objects.filter(user_id=user_id, at__gt=at - timedelta(days=1), at__lte=at)
    if recent.count() >= REPORTS_A_DAY:
        raise Refused(
            _("Vous avez signalé %(count)s avis en un jour : nous les lisons. Reprenez demain.")
            % {"count": REPORTS_A_DAY}
        )


def check_motive(motive: str, *, field: str = "motive") -> str:
    """Why words are not published: from the list that their author reads."""
    if motive not in ReviewText.Motive:
        raise Refused(_("Choisissez un motif dans la liste."), field=field)
    return motive


def _check_length(words: str, most: int, *, field: str) -> None:
    if len(words) > most:
        raise Refused(
            _("Votre texte compte %(count)s signes : %(max)s au plus. Raccourcissez-le.")
            % {"count": len(words), "max": most},
            field=field,
        )

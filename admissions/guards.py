"""Is it possible now? Each check says, in one French sentence, why not and what to do.

"Who may" is in permissions.py. Called by the verbs of workflow.py and measures.py, never by a form.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from admissions import completeness, registers
from admissions.models import Document, JoinRequest, JoinStep, Measure, MeasureStep
from admissions.states import EDITABLE, FINAL_STATES, MEASURE_MOVES, MOVES, MeasureState, State
from rulebook import Rules
from ui import french
from ui.refusals import Refused, StalePage

__all__ = ["Refused", "StalePage"]

# None is law: they stop slips and abuse.
OPEN_REQUESTS_MAX = 5
SENDS_A_DAY_MAX = 5
ANSWERS_A_DAY_MAX = 10
WORDS_MAX = 5_000


def check_move(asked: JoinRequest, verb: str) -> None:
    """The request is in a state from which this verb can be done."""
    if asked.state not in MOVES[verb].sources:
        raise Refused(
            _("Cette demande a changé d’état : « %(state)s ». Cette action n’est plus possible.")
            % {"state": State(asked.state).label}
        )


def check_editable(asked: JoinRequest) -> None:
    if asked.state not in EDITABLE:
        raise Refused(
            _("Cette demande est envoyée : elle ne se modifie plus. Son état est « %(state)s ».")
            % {"state": State(asked.state).label}
        )


def check_measure_move(measure: Measure, verb: str) -> None:
    if measure.state not in MEASURE_MOVES[verb].sources:
        raise Refused(
            _("Cette mesure a changé d’état : « %(state)s ». Cette action n’est plus possible.")
            % {"state": MeasureState(measure.state).label}
        )


def check_siret_free(siret: str) -> None:
    """Nobody acts for this organisation yet: its own people let others in. Names nobody."""
    if registers.has_people(siret):
        raise Refused(
            _(
                "Cet organisme a déjà un espace sur ce portail. Demandez à l’une des personnes qui en sont "
                "responsables de vous y inviter."
            ),
            field="siret",
        )


def check_activity_number_free(asked: JoinRequest) -> None:
    """No other legal body has this activity number here. The admissions are taken one at a time."""
    if other := registers.holder_of_number(asked.activity_number, siret=asked.siret):
        raise Refused(
            _("Le numéro de déclaration d’activité %(number)s est déjà celui de %(name)s (SIRET %(siret)s).")
            % {
                "number": asked.activity_number,
                "name": other.organisation.name,
                "siret": french.siret(other.organisation.siret),
            },
            field="activity_number",
        )


def check_open_count(author) -> None:
    """A limit against abuse, not a right to count to the last one: nothing is locked."""
    if JoinRequest.objects.filter(author=author).exclude(state__in=FINAL_STATES).count() >= OPEN_REQUESTS_MAX:
        raise Refused(
            _("Vous avez déjà %s demandes en cours. Terminez ou supprimez l’une d’elles.") % OPEN_REQUESTS_MAX
        )


def check_sends_today(asked: JoinRequest, *, at: datetime) -> None:
    """Each sending is work for somebody of the administration."""
    sent = JoinStep.objects.filter(
        join_request__author_id=asked.author_id, verb="send", at__gt=at - timedelta(days=1), at__lte=at
    ).count()
    if sent >= SENDS_A_DAY_MAX:
        raise Refused(_("Vous avez envoyé %s demandes en un jour. Vous pourrez reprendre demain.") % sent)


def check_complete(asked: JoinRequest, documents: Iterable[Document], *, on: date, rules: Rules) -> None:
    """Nothing that the pages ask is missing. Says the first thing that is."""
    missing = completeness.gaps(asked, documents, on=on, rules=rules)
    if missing:
        first = missing[0]
        raise Refused(
            _("Votre demande n’est pas complète. Page « %(page)s » : %(why)s")
            % {"page": first.page.label, "why": first.sentence}
        )


def check_declared(declares: bool) -> None:
    if not declares:
        raise Refused(_("Cochez cette case pour envoyer votre demande."), field="declares")


def check_words(words: str, *, missing: str = "") -> None:
    """Something is said, and not a novel. `missing`: the sentence when nothing is."""
    if not words.strip():
        sentence = missing or _("Écrivez pourquoi : ce texte sera lu par l’autre partie.")
        raise Refused(sentence, field="words")
    if len(words) > WORDS_MAX:
        raise Refused(_("Raccourcissez ce texte : %s signes au plus.") % WORDS_MAX, field="words")


def check_answers_today(measure: Measure, *, at: datetime) -> None:
    """Each answer is mailed to everybody who decides, and to every manager. The measure is locked."""
    recent = MeasureStep.objects.filter(
        measure=measure, verb="answer", at__gt=at - timedelta(days=1), at__lte=at
    )
    if recent.count() >= ANSWERS_A_DAY_MAX:
        raise Refused(
            _("Vous avez répondu %s fois en un jour. Vous pourrez compléter votre réponse demain.")
            % ANSWERS_A_DAY_MAX
        )


def check_could_answer(measure: Measure, *, has_answered: bool, at: datetime) -> None:
    """Nothing is decided before its organisation answered, or let its delay pass (CRPA, art. L. 121-1)."""
    if measure.answer_due_at and at < measure.answer_due_at and not has_answered:
        raise Refused(
            _(
                "L’organisme peut répondre jusqu’au %(due)s et n’a pas encore répondu. Attendez sa réponse "
                "ou la fin de ce délai. En cas de danger immédiat, cochez « suspension urgente »."
            )
            % {"due": french.last_minute(measure.answer_due_at)}
        )


def check_end(ends_on: date | None, *, on: date) -> None:
    if ends_on is not None and ends_on <= on:
        raise Refused(_("Choisissez un dernier jour à venir, ou laissez vide."), field="ends_on")

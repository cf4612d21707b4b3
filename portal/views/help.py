"""The help page: questions and answers, the states, how delays are counted."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import rulebook
from accounts.actors import Role
from dossiers.states import CLOCK_OF, FINAL_STATES, MOVES, WHOSE_TURN, State
from rulebook import Rules, workdays
from support import answers
from support.answers import Shown, days_in_words
from support.questions import Subject
from ui.caches import kept
from ui.htmx import page_or_fragment

QUERY_MAX = 100


@dataclass(frozen=True, slots=True)
class Explained:
    """One state in the words of the help page."""

    label: str
    whose_turn: str
    delay: str
    silence: str


def explained_states(rules: Rules) -> list[Explained]:
    """Every living state as dossiers.states and the rulebook have it, so that help cannot say otherwise."""
    return [
        Explained(
            label=str(state.label),
            whose_turn=_whose_turn(state),
            delay=days_in_words(rules.term(CLOCK_OF[state])) if state in CLOCK_OF else "",
            silence=_silence(state),
        )
        for state in State
        if state in WHOSE_TURN
    ]


def _whose_turn(state: State) -> str:
    if state == State.ACCEPTED:
        return _("La place est réservée. Le titulaire peut encore renoncer sans frais.")
    if state == State.IN_TRAINING:
        return _("La formation a commencé. L’organisme dira quand elle se termine.")
    if state == State.ENDED:
        return _("C’est à l’organisme de dire ce qui a été suivi.")
    return {
        Role.HOLDER: _("C’est au titulaire d’agir."),
        Role.PROVIDER: _("C’est à l’organisme de répondre."),
        Role.ADMIN: _("C’est au portail de décider."),
        Role.SYSTEM: _("Personne n’a rien à faire, sauf pour contester."),
    }[WHOSE_TURN[state]]


def _silence(state: State) -> str:
    if state in MOVES["lapse"].sources:
        return _("Sans réponse, le dossier s’arrête et rien n’est perdu.")
    return {
        State.FUNDER_REVIEW: _("Sans réponse du financeur, l’aide est accordée."),
        State.POSTPONED: _("Sans réponse, l’inscription est défaite sans frais : tout est rendu."),
        State.ABSENT: _("Sans explication, l’absence compte comme une annulation tardive."),
        State.COMPLETION_DECLARED: _("Sans contestation, le service fait est validé."),
        State.IN_TRAINING: _("En retard, l’organisme est relancé ; rien ne se règle."),
        State.ENDED: _("En retard, l’organisme est relancé ; rien ne se règle."),
    }.get(state, "")


@require_safe
@login_not_required
@kept(seconds=300)
def help_page(request: HttpRequest) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    questions = answers.on(rules)
    query = request.GET.get("q", "").strip()[:QUERY_MAX]
    found = answers.find(query, questions) if query else []
    context = {"query": query, "found": found, "parts": by_subject(questions), "topic": None, "dossier": ""}
    if request.htmx:
        return page_or_fragment(request, "portal/help.html", "support/_questions.html", context)
    # A real period, so that the example shows a weekend or a holiday as the clocks count it.
    context |= {
        "states": explained_states(rules),
        "final_states": [state.label for state in State if state in FINAL_STATES],
        "days_to_answer": days_in_words(rules.term("holder_answer")),
        "today": today,
        "example": workdays.period(today, *rules.term("holder_answer")),
        "phone_lines": settings.PORTAL_PHONE_LINES,
    }
    return page_or_fragment(request, "portal/help.html", "support/_questions.html", context)


@require_safe
@login_not_required
@kept(seconds=300)
def help_question(request: HttpRequest, slug: str) -> HttpResponse:
    """One question by itself: an address to share."""
    questions = answers.on(rulebook.on(workdays.paris_day(timezone.now())))
    question = next((each for each in questions if each.slug == slug), None)
    if question is None:
        raise Http404
    others = [each for each in questions if each.subject == question.subject and each != question]
    return render(request, "support/question.html", {"question": question, "others": others[:5]})


def by_subject(questions: list[Shown]) -> list[tuple[Subject, list[Shown]]]:
    """The parts of the page, without those that hold nothing."""
    parts = [(subject, [each for each in questions if each.subject == subject]) for subject in Subject]
    return [(subject, held) for subject, held in parts if held]

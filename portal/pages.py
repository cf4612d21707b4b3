"""Pages that belong to no subject: home, help, legal pages, errors."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

import rulebook
from accounts.actors import Actor, Role
from dossiers import listing
from dossiers.states import CLOCK_OF, FINAL_STATES, MOVES, WHOSE_TURN, State
from rights.statements import statement
from rulebook import Rules, Term, workdays

# What home shows of what waits; the list of dossiers has the rest.
HOME_SHOWS = 4


@require_safe
@login_not_required
def home(request):
    """A visitor finds the search; a person who signed in finds what waits for them, in their role."""
    at = timezone.now()
    if not request.user.is_authenticated:
        rules = rulebook.on(workdays.paris_day(at))
        facts = {name: days_in_words(rules.term(name)) for name in ("provider_answer", "withdrawal")}
        return render(request, "portal/home.html", {"facts": facts})
    actor = request.actor
    if actor.is_admin:
        return redirect("admin:index")
    waiting = list(_waiting_for(actor, at=at))
    context = {"waiting": waiting[:HOME_SHOWS], "has_more": len(waiting) > HOME_SHOWS, "at": at}
    if actor.is_holder:
        context["total_cents"] = statement(actor.holder, at=at).total_cents
    template = "portal/provider_home.html" if actor.is_provider else "portal/holder_home.html"
    return render(request, template, context)


def _waiting_for(actor: Actor, *, at):
    """What this person must do, the minute that runs out first; nothing before activation."""
    if not (actor.is_holder or actor.is_provider):
        return []
    return listing.waiting_for(actor, at=at)[: HOME_SHOWS + 1]


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
            silence=_("Sans réponse, le dossier s’arrête et rien n’est perdu.")
            if state in MOVES["lapse"].sources
            else "",
        )
        for state in State
        if state in WHOSE_TURN
    ]


def _whose_turn(state: State) -> str:
    if state == State.ACCEPTED:
        return _("La place est réservée. Le titulaire peut encore renoncer sans frais.")
    return {
        Role.HOLDER: _("C’est au titulaire d’agir."),
        Role.PROVIDER: _("C’est à l’organisme de répondre."),
    }[WHOSE_TURN[state]]


def days_in_words(term: Term) -> str:
    """« 2 jours ouvrés », « 5 jours »."""
    if term.unit == workdays.BUSINESS:
        return ngettext("%(n)d jour ouvré", "%(n)d jours ouvrés", term.days) % {"n": term.days}
    return ngettext("%(n)d jour", "%(n)d jours", term.days) % {"n": term.days}


@require_safe
@login_not_required
def help_page(request):
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    terms = {
        name: days_in_words(rules.term(name)) for name in ("provider_answer", "holder_answer", "withdrawal")
    }
    # A real period, so that the example shows a weekend or a holiday as the clocks count it.
    example = workdays.period(today, *rules.term("holder_answer"))
    return render(
        request,
        "portal/help.html",
        {
            "states": explained_states(rules),
            "final_states": [state.label for state in State if state in FINAL_STATES],
            "terms": terms,
            "most_requests": rules.simultaneous_requests_max,
            "today": today,
            "example": example,
            "contact_email": settings.PORTAL_CONTACT_EMAIL,
        },
    )


@require_safe
@login_not_required
def accessibility(request):
    return render(request, "portal/accessibility.html", {"contact_email": settings.PORTAL_CONTACT_EMAIL})


@require_safe
@login_not_required
def legal_notice(request):
    context = {"contact_email": settings.PORTAL_CONTACT_EMAIL, "publisher": settings.PORTAL_PUBLISHER}
    return render(request, "portal/legal_notice.html", context)


@require_safe
@login_not_required
def personal_data(request):
    context = {"contact_email": settings.PORTAL_CONTACT_EMAIL, "publisher": settings.PORTAL_PUBLISHER}
    return render(request, "portal/personal_data.html", context)


@require_safe
@login_not_required
def robots(request):
    """Public pages may be found; what belongs to people is not for search engines."""
    return render(request, "portal/robots.txt", content_type="text/plain; charset=utf-8")


# --- Errors: each says what happened, then what to do ----------------------------------------------
@login_not_required
def bad_request(request, exception=None):
    """400, a wrong host name included: nothing of the request is trusted, so nothing of it is shown."""
    return render(None, "400.html", status=400)


@login_not_required
def forbidden(request, exception=None):
    return render(request, "403.html", {"reason": getattr(exception, "message", "")}, status=403)


@login_not_required
def not_found(request, exception=None):
    return render(request, "404.html", status=404)


@login_not_required
def server_error(request):
    """500: without context, query or translation, which may be what failed."""
    return render(None, "500.html", status=500)


@login_not_required
def csrf_failure(request, reason=""):
    return render(request, "csrf_failure.html", status=403)

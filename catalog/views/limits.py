"""What one connection to the internet may ask of the search, and how long an answer may take to find.

The catalogue is open to all: without limits, one program that reads it whole slows it down for everybody.
Figures are in the settings (OPEN_LIMITS, SEARCH_SECONDS): they are those of a machine, not of a law.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import router
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from catalog.models import Offer
from ui.htmx import page_or_fragment
from ui.limits import MINUTE, asks_too_often
from ui.patience import TooLong, at_most

# Neither the search (the address says it) nor a click is wrong: the same address is an answer later.
TOO_MANY, TOO_LONG = 429, 422
View = Callable[..., HttpResponse]


def limited(action: str) -> Callable[[View], View]:
    """So many times a minute for one address (settings.OPEN_LIMITS), then 429 and when to come back."""

    def decorate(view: View) -> View:
        @wraps(view)
        def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not asks_too_often(request, action):
                return view(request, *args, **kwargs)
            answer = _said(
                request,
                title=_("Trop de recherches à la suite"),
                text=_(
                    "Pour que la recherche reste rapide pour tout le monde, nous en limitons le nombre. "
                    "Attendez une minute, puis recommencez."
                ),
                status=TOO_MANY,
            )
            answer["Retry-After"] = str(MINUTE)
            return answer

        return counted

    return decorate


def in_time(view: View) -> View:
    """What PostgreSQL does not end in settings.SEARCH_SECONDS is given up, and what to change is said."""

    @wraps(view)
    def hurried(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with at_most(settings.SEARCH_SECONDS, using=router.db_for_read(Offer)):
                return view(request, *args, **kwargs)
        except TooLong:
            return _said(
                request,
                title=_("Cette recherche est trop longue"),
                text=_(
                    "Nous l’avons arrêtée avant la fin. Ajoutez une commune, choisissez des mots plus "
                    "précis, ou retirez un filtre."
                ),
                status=TOO_LONG,
            )

    return hurried


def _said(request: HttpRequest, *, title: str, text: str, status: int) -> HttpResponse:
    context = {"title": title, "text": text, "breadcrumbs": [(_("Recherche"), None)]}
    answer = page_or_fragment(
        request, "catalog/public/stopped.html", "catalog/public/_stopped.html", context, status=status
    )
    answer["Cache-Control"] = "no-store"
    return answer

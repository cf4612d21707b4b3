"""A visitor follows what they asked, by the signed address that was mailed to them (support.links)."""

from collections.abc import Callable
from functools import wraps

from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import VISITOR
from support import links, workflow
from support.forms import FollowForm
from support.views import thread
from support.views.thread import Thread


def _followed(view: Callable[[HttpRequest, Thread], HttpResponse]) -> Callable:
    """Give the view the ticket behind its address; else say that the link is over, and how to have another.

    No cache keeps the page and no search engine lists it: whoever holds the address reads the thread.
    """

    @login_not_required
    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        ticket = links.ticket_behind(token, at=timezone.now())
        if ticket is None:
            response = render(
                request, "support/follow.html", {"form": FollowForm(), "is_over": True}, status=404
            )
        else:
            response = view(request, Thread(ticket, VISITOR, name="ticket_followed", key=token))
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return guarded


@require_safe
@_followed
def ticket_followed(request: HttpRequest, found: Thread) -> HttpResponse:
    return thread.show(request, found)


@require_POST
@_followed
def ticket_followed_reply(request: HttpRequest, found: Thread) -> HttpResponse:
    return thread.reply(request, found)


@require_POST
@_followed
def ticket_followed_close(request: HttpRequest, found: Thread) -> HttpResponse:
    return thread.close(request, found)


@require_POST
@_followed
def ticket_followed_reopen(request: HttpRequest, found: Thread) -> HttpResponse:
    return thread.reopen(request, found)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def follow(request: HttpRequest) -> HttpResponse:
    """The link is lost: a new one goes to the address of the request. Never says if there is one."""
    form = FollowForm(request.POST or None)
    status = 422 if request.method == "POST" else 200
    if form.is_valid():
        if ratelimit.consume(request, action="follow"):
            workflow.send_link(**form.cleaned_data, at=timezone.now())
            messages.success(
                request,
                _(
                    "Si cette demande existe, un nouveau lien part à cette adresse. "
                    "Il arrive en quelques minutes."
                ),
            )
            return redirect("follow")
        form.add_error(None, _("Trop d’essais depuis cette connexion internet. Essayez dans une heure."))
        status = 429
    return render(request, "support/follow.html", {"form": form, "is_over": False}, status=status)

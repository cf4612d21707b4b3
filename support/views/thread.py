"""A ticket and what its asker does with it: the same moves for who signs in and for a visitor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from support import screen, workflow
from support.forms import ReopenForm, ReplyForm
from support.guards import TooMany
from support.models import Ticket
from ui.refusals import Refused, request_id_of


@dataclass(frozen=True, slots=True)
class Thread:
    """A ticket, who acts on it, and its page: the name of its address, and what stands in it."""

    ticket: Ticket
    by: Actor
    name: str
    key: UUID | str

    @property
    def url(self) -> str:
        return reverse(self.name, args=[self.key])

    @property
    def actions(self) -> dict[str, str]:
        verbs = ("reply", "close", "reopen")
        return {verb: reverse(f"{self.name}_{verb}", args=[self.key]) for verb in verbs}


def show(
    request: HttpRequest, thread: Thread, *, form: Form | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    at = timezone.now()
    shown = screen.of(thread.ticket, by=thread.by, at=at, actions=thread.actions, form=form)
    is_visitor = thread.ticket.is_of_visitor
    context = {
        "screen": shown,
        "ticket": thread.ticket,
        "form": form,
        "error": error,
        "is_visitor": is_visitor,
    }
    return render(request, "support/ticket.html", context, status=status)


def reply(request: HttpRequest, thread: Thread) -> HttpResponse:
    said = _("Votre message est envoyé.")
    return _with_words(request, thread, workflow.reply, ReplyForm(request.POST), said=said)


def reopen(request: HttpRequest, thread: Thread) -> HttpResponse:
    said = _("Votre demande est rouverte. La date de notre réponse est en haut de cette page.")
    return _with_words(request, thread, workflow.reopen, ReopenForm(request.POST), said=said)


def close(request: HttpRequest, thread: Thread) -> HttpResponse:
    said = _("Votre demande est close. Vous pouvez la rouvrir si quelque chose manque.")
    return _do(request, thread, workflow.close, None, said=said)


def _with_words(
    request: HttpRequest, thread: Thread, verb: Callable, form: ReplyForm, *, said: str
) -> HttpResponse:
    if not form.is_valid():
        return show(request, thread, form=form, status=422)
    return _do(request, thread, partial(verb, words=form.cleaned_data["words"]), form, said=said)


def _do(
    request: HttpRequest, thread: Thread, verb: Callable, form: ReplyForm | None, *, said: str
) -> HttpResponse:
    try:
        verb(thread.ticket.pk, by=thread.by, at=timezone.now(), request_id=request_id_of(request))
    except Refused as refusal:
        now = Ticket.objects.with_what_a_page_shows().get(pk=thread.ticket.pk)
        error = say(refusal, form)
        return show(request, replace(thread, ticket=now), form=form, error=error, status=status_of(refusal))
    messages.success(request, said)
    return redirect(thread.url)


# --- Shared with the pages where one begins to write ------------------------------------------------


def say(refusal: Refused, form: Form | None) -> str:
    """What to say above the page: nothing, once the sentence stands in the form."""
    if form is None:
        return refusal.message
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    return ""


def status_of(refusal: Refused) -> int:
    return 429 if isinstance(refusal, TooMany) else 422

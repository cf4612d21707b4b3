"""The thread of a dossier, the same for both sides: read, write, say what was read, report.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages as flash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Role
from accounts.permissions import holder_required, provider_required
from dossiers import messages, threads
from dossiers.message_forms import MessageForm, MessageReportForm, SeenForm
from dossiers.models import Dossier
from dossiers.permissions import is_party
from dossiers.views.requests import visible_dossier
from ui.htmx import page_or_fragment
from ui.refusals import Refused, error_above, request_id_of


@dataclass(frozen=True, slots=True)
class Side:
    """The addresses of one side."""

    dossiers: str
    dossier: str
    thread: str
    send: str
    read: str
    report: str


SIDES = {
    Role.HOLDER: Side(
        "dossiers",
        "dossier",
        "dossier_messages",
        "dossier_message_send",
        "dossier_messages_read",
        "dossier_message_report",
    ),
    Role.PROVIDER: Side(
        "provider_inbox",
        "provider_dossier",
        "provider_messages",
        "provider_message_send",
        "provider_messages_read",
        "provider_message_report",
    ),
}


# --- The holder's addresses, and the organisation's ---------------------------------------------------


@holder_required
@require_safe
def dossier_messages(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _thread(request, _found(request, dossier_id))


@holder_required
@require_POST
def dossier_message_send(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _send(request, dossier_id)


@holder_required
@require_POST
def dossier_messages_read(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _read(request, dossier_id)


@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def dossier_message_report(request: HttpRequest, dossier_id: UUID, message_id: int) -> HttpResponse:
    return _report(request, dossier_id, message_id)


@provider_required
@require_safe
def provider_messages(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _thread(request, _found(request, dossier_id))


@provider_required
@require_POST
def provider_message_send(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _send(request, dossier_id)


@provider_required
@require_POST
def provider_messages_read(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _read(request, dossier_id)


@provider_required
@require_http_methods(["GET", "HEAD", "POST"])
def provider_message_report(request: HttpRequest, dossier_id: UUID, message_id: int) -> HttpResponse:
    return _report(request, dossier_id, message_id)


# --- The four moves -----------------------------------------------------------------------------------


def _found(request: HttpRequest, dossier_id: UUID) -> Dossier:
    """The dossier of this side; 404 for a draft too, which has no thread."""
    found = visible_dossier(request, dossier_id)
    if not is_party(found, request.actor):
        raise Http404
    return found


def _send(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = _found(request, dossier_id)
    form, seen = MessageForm(request.POST), SeenForm(request.POST)
    if not form.is_valid():
        return _thread(request, found, form=form, status=422)
    return _do(
        request,
        found,
        lambda: messages.send(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            words=form.cleaned_data["words"],
            # Broken, it marks nothing as read: no reason to lose a message.
            seen_until=seen.cleaned_data["seen_until"] if seen.is_valid() else 0,
        ),
        form=form,
        said=_("Votre message est envoyé. Un e-mail prévient qu’il attend, sans le répéter."),
    )


def _read(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = _found(request, dossier_id)
    seen = SeenForm(request.POST)
    if not seen.is_valid():
        error = _("Cette page n’est plus à jour. Rechargez-la avant de continuer.")
        return _thread(request, found, error=error, status=422)
    return _do(
        request,
        found,
        lambda: messages.mark_read(
            found.pk, by=request.actor, at=timezone.now(), until=seen.cleaned_data["seen_until"]
        ),
        said=_("C’est noté comme lu."),
    )


def _report(request: HttpRequest, dossier_id: UUID, message_id: int) -> HttpResponse:
    found = _found(request, dossier_id)
    line = threads.reported(found, message_id, actor=request.actor)
    if line is None:
        raise Http404
    form = MessageReportForm(request.POST or None)
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            messages.report(
                message_id,
                by=request.actor,
                at=timezone.now(),
                request_id=request_id_of(request),
                **form.cleaned_data,
            )
        except Refused as refusal:
            error = error_above(refusal, [form])
        else:
            flash.success(
                request, _("Merci. Nous lisons ce message, et nous vous écrirons ce que nous avons décidé.")
            )
            return redirect(SIDES[request.actor.role].thread, found.pk)
    context = _context(request, found) | {"line": line, "form": form, "error": error}
    status = 422 if request.method == "POST" else 200
    return render(request, "dossiers/message_report.html", context, status=status)


def _do(
    request: HttpRequest,
    found: Dossier,
    call: Callable[[], Any],
    *,
    said: str,
    form: MessageForm | None = None,
) -> HttpResponse:
    try:
        call()
    except Refused as refusal:
        error = error_above(refusal, [form] if form else [])
        return _thread(request, _found(request, found.pk), form=form, error=error, status=422)
    flash.success(request, said)
    return redirect(SIDES[request.actor.role].thread, found.pk)


def _thread(
    request: HttpRequest,
    found: Dossier,
    *,
    form: MessageForm | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = _context(request, found) | {
        "thread": threads.of(found, actor=request.actor, at=timezone.now()),
        "form": form or MessageForm(),
        "error": error,
        "is_fragment": bool(request.htmx and not request.htmx.boosted),
    }
    return page_or_fragment(
        request, "dossiers/messages.html", "dossiers/_messages.html", context, status=status
    )


def _context(request: HttpRequest, found: Dossier) -> dict[str, Any]:
    side = SIDES[request.actor.role]
    is_holder = request.actor.is_holder
    return {
        "dossier": found,
        "side": side,
        "breadcrumbs": [
            (_("Mes dossiers") if is_holder else _("Demandes reçues"), reverse(side.dossiers)),
            (
                found.number if is_holder else found.holder.display_name,
                reverse(side.dossier, args=[found.pk]),
            ),
            (_("Messages"), None),
        ],
    }

"""« Mes demandes d'aide »: what a person, or their organisation, asked, and the thread of each."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from support import listing
from support.permissions import as_asker, who_sees
from support.views import thread
from support.views.thread import Thread


@require_safe
def tickets(request: HttpRequest) -> HttpResponse:
    actor = as_asker(request.actor)
    page = Paginator(listing.my_tickets(actor), 20).get_page(request.GET.get("page"))
    context = {"page": page, "at": timezone.now(), "is_provider": actor.is_provider}
    return render(request, "support/tickets.html", context)


@require_safe
def ticket(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    return thread.show(request, _seen(request, ticket_id))


@require_POST
def ticket_reply(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    return thread.reply(request, _seen(request, ticket_id))


@require_POST
def ticket_close(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    return thread.close(request, _seen(request, ticket_id))


@require_POST
def ticket_reopen(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    return thread.reopen(request, _seen(request, ticket_id))


def _seen(request: HttpRequest, ticket_id: UUID) -> Thread:
    """The ticket in the role of this person that sees it; 404 when none does."""
    seen = who_sees(ticket_id, request.roles)
    if seen is None:
        raise Http404
    return Thread(*seen, name="ticket", key=ticket_id)

"""The organisation's pages for one answer to many requests: preview, progress, result."""

import time
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import provider_required
from dossiers import bulk, inbox
from dossiers.forms import DurationForm, RefusalForm
from dossiers.models import Batch, BatchLine
from rulebook import workdays
from ui.htmx import page_or_fragment
from ui.refusals import Refused, error_above

Outcome = BatchLine.Outcome
# A small batch is done before the page answers; a worker does the rest meanwhile.
IN_THE_PAGE_SECONDS = 1.5
LOT = 5
# A worker that has not come by then may be down: the page offers to go on by itself.
STALLED_SECONDS = 45


@provider_required
@require_safe
def provider_batches(request: HttpRequest) -> HttpResponse:
    found = (
        bulk.visible_batches(request.actor)
        .filter(confirmed_at__isnull=False)
        .select_related("confirmed_by")
        .annotate(
            done=Count("lines", filter=Q(lines__outcome=Outcome.DONE)),
            refused=Count("lines", filter=Q(lines__outcome=Outcome.REFUSED)),
            waiting=Count("lines", filter=Q(lines__outcome=Outcome.WAITING)),
        )
        .order_by("-confirmed_at", "pk")
    )
    page = Paginator(found, 25).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "breadcrumbs": [(_("Demandes reçues"), reverse("provider_inbox")), (_("Réponses groupées"), None)],
    }
    return page_or_fragment(
        request, "dossiers/provider/batches.html", "dossiers/provider/_batches.html", context
    )


@provider_required
@require_safe
def provider_batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    return _page(request, _visible(request, batch_id))


@provider_required
@require_POST
def provider_batch_review(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """The preview again: as of now, or with a duration for entries at any time."""
    batch = _visible(request, batch_id)
    form = DurationForm(request.POST) if "lasting_days" in request.POST else None
    if form is not None and not form.is_valid():
        return _page(request, batch, duration_form=form, status=422)
    days = form.cleaned_data["lasting_days"] if form else None
    bulk.review(batch.pk, by=request.actor, at=timezone.now(), lasting_days=days)
    return redirect("provider_batch", batch.pk)


@provider_required
@require_POST
def provider_batch_confirm(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Answer. Pressed again while it runs, it goes on where it stands."""
    batch = _visible(request, batch_id)
    form = (
        RefusalForm(request.POST) if batch.answer == Batch.Answer.REFUSE and not batch.confirmed_at else None
    )
    if form is not None and not form.is_valid():
        return _page(request, batch, refusal_form=form, status=422)
    given = form.cleaned_data if form else {}
    try:
        bulk.confirm(batch.pk, by=request.actor, at=timezone.now(), **given)
    except Refused as refusal:
        error = error_above(refusal, [form] if form else [])
        return _page(request, batch, refusal_form=form, error=error, status=422)
    end = time.monotonic() + IN_THE_PAGE_SECONDS
    while time.monotonic() < end and bulk.carry_out(batch.pk, at=timezone.now(), limit=LOT):
        pass
    return redirect("provider_batch", batch.pk)


@provider_required
@require_POST
def provider_batch_discard(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    batch = _visible(request, batch_id)
    try:
        bulk.discard(batch.pk, by=request.actor)
    except Refused as refusal:
        return _page(request, _visible(request, batch_id), error=refusal.message, status=422)
    messages.success(request, _("Aperçu abandonné : personne n’a reçu de réponse."))
    return redirect("provider_inbox")


def _visible(request: HttpRequest, batch_id: UUID) -> Batch:
    found = bulk.visible_batches(request.actor).select_related("confirmed_by", "prepared_by")
    return get_object_or_404(found, pk=batch_id)


def _page(
    request: HttpRequest,
    batch: Batch,
    *,
    error: str = "",
    refusal_form: RefusalForm | None = None,
    duration_form: DurationForm | None = None,
    status: int = 200,
) -> HttpResponse:
    at = timezone.now()
    lines = list(
        batch.lines.select_related("dossier__holder", "dossier__offer", "dossier__session").order_by(
            "position"
        )
    )
    by_outcome = {outcome: [line for line in lines if line.outcome == outcome] for outcome in Outcome}
    waiting = by_outcome[Outcome.WAITING]
    is_propose = batch.answer == Batch.Answer.PROPOSE
    stalled = batch.confirmed_at and (at - batch.confirmed_at).total_seconds() > STALLED_SECONDS
    context = {
        "batch": batch,
        "at": at,
        "error": error,
        "is_propose": is_propose,
        "lines": lines,
        "waiting": waiting,
        "done": by_outcome[Outcome.DONE],
        "refused": by_outcome[Outcome.REFUSED],
        "set_aside": by_outcome[Outcome.SET_ASIDE],
        "carried_out": len(by_outcome[Outcome.DONE]) + len(by_outcome[Outcome.REFUSED]),
        "to_carry_out": len(lines) - len(by_outcome[Outcome.SET_ASIDE]),
        "is_stalled": bool(stalled),
        "is_stale": workdays.paris_day(batch.prepared_at) != workdays.paris_day(at),
        "total_cents": sum(line.price_cents or 0 for line in waiting),
        "overfull": _overfull(waiting, at=at) if is_propose and not batch.confirmed_at else [],
        "asks_duration": is_propose and any(line.dossier.session.is_permanent for line in lines),
        "duration_form": duration_form or DurationForm(initial={"lasting_days": batch.lasting_days}),
        "refusal_form": refusal_form or RefusalForm(),
        "following": inbox.next_to_answer(request.actor, at=at) if batch.finished_at else None,
        "breadcrumbs": [
            (_("Demandes reçues"), reverse("provider_inbox")),
            (_("Réponses groupées"), reverse("provider_batches")),
            (str(batch.get_answer_display()), None),
        ],
    }
    return page_or_fragment(
        request, "dossiers/provider/batch.html", "dossiers/provider/_batch.html", context, status=status
    )


def _overfull(lines: list[BatchLine], *, at: datetime) -> list[tuple]:
    """(session, its places, how many of these proposals go there), where more are offered than are left."""
    sessions = {line.dossier.session_id: line.dossier.session for line in lines}
    for line in lines:
        sessions[line.dossier.session_id].offer = line.dossier.offer
    places = inbox.places_of([session for session in sessions.values() if session.places], at=at)
    found = []
    for session_id, room in places.items():
        offered = sum(line.dossier.session_id == session_id for line in lines)
        if room.left is not None and offered > room.left:
            found.append((sessions[session_id], room, offered))
    return found

"""Reviews: given by who followed a training, answered and reported by its organisation.

Every view has four moves: fetch what this actor can see · validate · one verb · answer. An organisation's
addresses name a review, never a dossier: nothing here tells it who wrote.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages as flash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import holder_required, provider_required
from dossiers import review_screen, reviews
from dossiers.models import Dossier, Review, ReviewText
from dossiers.review_forms import AnswerForm, ReviewForm, ReviewReportForm
from dossiers.views.requests import visible_dossier
from ui.refusals import Refused, error_above, request_id_of

# --- The holder ---------------------------------------------------------------------------------------


@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def dossier_review(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """One's own review: given, changed, or read again."""
    found = visible_dossier(request, dossier_id)
    own = _own(found)
    error = ""
    if request.method == "POST":
        form = ReviewForm(request.POST)
        if form.is_valid():
            try:
                reviews.give(
                    found.pk,
                    by=request.actor,
                    at=timezone.now(),
                    request_id=request_id_of(request),
                    marks=form.marks,
                    words=form.cleaned_data["words"],
                )
            except Refused as refusal:
                error = error_above(refusal, [form])
            else:
                flash.success(request, _("Merci : votre avis est enregistré, et vos notes comptent déjà."))
                return redirect("dossier_review", found.pk)
    else:
        form = ReviewForm.of(own.review, own.text)
    context = {
        "dossier": found,
        "own": own,
        "form": form,
        "error": error,
        "breadcrumbs": [
            (_("Mes dossiers"), reverse("dossiers")),
            (found.offer.title, reverse("dossier", args=[found.pk])),
            (_("Votre avis"), None),
        ],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "dossiers/holder/review.html", context, status=status)


@holder_required
@require_POST
def dossier_review_delete(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    reviews.take_away(found.pk, by=request.actor, at=timezone.now())
    flash.success(request, _("Votre avis est supprimé, avec son texte et la réponse de l’organisme."))
    return redirect("dossier", found.pk)


def _own(found: Dossier) -> review_screen.Own:
    """404 while there is nothing to give a review of."""
    own = review_screen.of_holder(found, at=timezone.now())
    if own is None:
        raise Http404
    return own


# --- The organisation ---------------------------------------------------------------------------------


@provider_required
@require_safe
def provider_reviews(request: HttpRequest) -> HttpResponse:
    page = review_screen.received(request.actor.organisation_id, page=request.GET.get("page", 1))
    context = {"page": page, "breadcrumbs": [(_("Avis reçus"), None)]}
    return render(request, "dossiers/provider/reviews.html", context)


@provider_required
@require_http_methods(["GET", "HEAD", "POST"])
def provider_review_answer(request: HttpRequest, review_id: UUID) -> HttpResponse:
    line = _received(request, review_id)
    if not line.can_answer:
        raise Http404
    form = AnswerForm(request.POST or None)
    return _send(
        request,
        line,
        form,
        lambda: reviews.answer(
            line.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            words=form.cleaned_data["words"],
        ),
        title=_("Répondre à cet avis"),
        said=_("Votre réponse est enregistrée. Nous la lisons avant de la publier."),
    )


@provider_required
@require_http_methods(["GET", "HEAD", "POST"])
def provider_review_report(request: HttpRequest, review_id: UUID) -> HttpResponse:
    line = _received(request, review_id)
    if line.is_reported:
        raise Http404
    form = ReviewReportForm(request.POST or None)
    return _send(
        request,
        line,
        form,
        lambda: reviews.report(
            line.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            **form.cleaned_data,
        ),
        title=_("Signaler cet avis"),
        said=_("Merci. Nous relisons cet avis, et nous vous écrirons ce que nous avons décidé."),
    )


def _received(request: HttpRequest, review_id: UUID) -> review_screen.Received:
    """The review, or 404 when its words are not published or it is about somebody else's training."""
    found = Review.objects.filter(
        pk__in=review_screen.published_to(request.actor.organisation_id).values("pk")
    )
    found = found.select_related("dossier__offer").prefetch_related("texts__report")
    return review_screen.received_line(get_object_or_404(found, pk=review_id))


def _send(
    request: HttpRequest,
    line: review_screen.Received,
    form: forms.Form,
    call: Callable[[], Any],
    *,
    title: str,
    said: str,
) -> HttpResponse:
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            call()
        except Refused as refusal:
            error = error_above(refusal, [form])
        else:
            flash.success(request, said)
            return redirect("provider_reviews")
    context = {
        "line": line,
        "form": form,
        "error": error,
        "title": title,
        "is_report": isinstance(form, ReviewReportForm),
        "was_refused": line.answer is not None and line.answer.state == ReviewText.State.REFUSED,
        "breadcrumbs": [(_("Avis reçus"), reverse("provider_reviews")), (title, None)],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "dossiers/provider/review_act.html", context, status=status)

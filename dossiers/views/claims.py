"""What a holder says of what happened: a force majeure with its proof, a completion they do not agree with.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import holder_required
from dossiers import controls, evidence, force_majeure, screen
from dossiers.forms import ClaimForm, ContestForm
from dossiers.views import holder
from dossiers.views.requests import uploads, visible_dossier
from ui.documents import SIZE_MAX, as_download
from ui.refusals import Refused, error_above, request_id_of
from ui.uploads import DropTooBig


@csrf_exempt
def dossier_claim(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """Its upload handler must come before the body is read, so before the token is looked for, which the
    inner view demands."""
    request.upload_handlers.insert(0, DropTooBig(request, size_max=SIZE_MAX))
    return _claim(request, dossier_id)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@holder_required
def _claim(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    at = timezone.now()
    form = ClaimForm()
    error = ""
    if request.method == "POST":
        form = ClaimForm(request.POST, request.FILES)
        try:
            files = uploads(request, "evidence")
            if form.is_valid():
                force_majeure.claim(
                    found.pk,
                    by=request.actor,
                    at=at,
                    request_id=request_id_of(request),
                    words=form.cleaned_data["words"],
                    files=files,
                )
                messages.success(
                    request, _("Votre demande est reçue. Une personne du portail vous répondra par écrit.")
                )
                return redirect("dossier", found.pk)
        except Refused as refusal:
            error = error_above(refusal, [form])
    elif "claim" not in screen.of(found, actor=request.actor, at=at).verbs:
        return redirect("dossier", found.pk)
    context = {
        "dossier": found,
        "form": form,
        "error": error,
        "breadcrumbs": [
            (_("Mes dossiers"), reverse("dossiers")),
            (found.number, reverse("dossier", args=[found.pk])),
            (_("Force majeure"), None),
        ],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "dossiers/holder/claim.html", context, status=status)


@holder_required
@require_POST
def dossier_contest(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Ce n'est pas ce que j'ai suivi »: nothing is settled before somebody has looked."""
    found = visible_dossier(request, dossier_id)
    form = ContestForm(request.POST, prefix="contest")
    if not form.is_valid():
        return holder.answer(request, found, contest_form=form, status=422)
    try:
        controls.open_control(found.pk, by=request.actor, at=timezone.now(), words=form.cleaned_data["words"])
    except Refused as refusal:
        error = error_above(refusal, [form])
        again = visible_dossier(request, found.pk)
        return holder.answer(request, again, error=error, contest_form=form, status=422)
    messages.success(request, _("Votre contestation est reçue. Rien n’est réglé avant notre conclusion."))
    return redirect("dossier", found.pk)


@require_safe
def dossier_evidence(request: HttpRequest, evidence_id: UUID) -> HttpResponse:
    """One's own file, as a download; others do not exist."""
    found = get_object_or_404(evidence.visible(request.actor), pk=evidence_id)
    return as_download(found.file, name=found.file_name, content_type=found.content_type)

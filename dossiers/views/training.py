"""What an organisation declares of a training: the first day, an absence, the last day, what was done.

And what is due to it.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import provider_required
from dossiers import due, screen, training
from dossiers.forms import CompletionForm, EntryForm, ExitForm, ReasonForm
from dossiers.models import Dossier
from dossiers.views import provider
from dossiers.views.requests import uploads, visible_dossier
from ui.documents import SIZE_MAX
from ui.refusals import Refused, error_above, request_id_of
from ui.uploads import DropTooBig

ROWS_A_PAGE = 25


@provider_required
@require_POST
def provider_enter(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = EntryForm(request.POST, prefix="entry")
    if not form.is_valid():
        return provider.answer(request, found, status=422, entry_form=form)
    enter = partial(training.enter, **form.cleaned_data)
    said = _("L’entrée de %(name)s est déclarée.")
    return provider.do(request, found, enter, said=said, goes_on=False, entry_form=form)


@provider_required
@require_POST
def provider_absence(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ReasonForm(request.POST, prefix="absence")
    if not form.is_valid():
        return provider.answer(request, found, status=422, absence_form=form)
    report = partial(training.report_absence, **form.cleaned_data)
    said = _("L’absence de %(name)s est déclarée. La personne est prévenue et peut s’expliquer.")
    return provider.do(request, found, report, said=said, goes_on=False, absence_form=form)


@provider_required
@require_POST
def provider_end(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ExitForm(request.POST, prefix="exit")
    if not form.is_valid():
        return provider.answer(request, found, status=422, exit_form=form)
    end = partial(training.end, **form.cleaned_data)
    said = _("La fin de la formation de %(name)s est déclarée. Dites maintenant ce qui a été suivi.")
    return provider.do(request, found, end, said=said, goes_on=False, exit_form=form)


@csrf_exempt
def provider_completion(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """Its upload handler must come before the body is read, so before the token is looked for, which the
    inner view demands."""
    request.upload_handlers.insert(0, DropTooBig(request, size_max=SIZE_MAX))
    return _completion(request, dossier_id)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@provider_required
def _completion(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """What was done; « Calculer » says what it would give before « Déclarer » says it for good."""
    found = visible_dossier(request, dossier_id)
    at = timezone.now()
    form = CompletionForm(initial={"total_hours": found.offer.hours, "done_hours": found.offer.hours})
    error, estimate, status = "", None, 200
    if request.method == "POST":
        form = CompletionForm(request.POST, request.FILES)
        is_try = "estimate" in request.POST
        status = 200 if is_try and form.is_valid() else 422
        try:
            files = uploads(request, "evidence")
            if form.is_valid():
                estimate = due.estimate(found, **form.told())
                if not is_try:
                    training.declare_completion(
                        found.pk,
                        by=request.actor,
                        at=at,
                        request_id=request_id_of(request),
                        files=files,
                        **form.told(),
                    )
                    return _declared(request, found)
        except Refused as refusal:
            field = {"total_minutes": "total_hours", "done_minutes": "done_hours"}.get(refusal.field)
            error = error_above(Refused(refusal.message, field=field or refusal.field), [form])
            estimate, status = None, 422
    elif "declare_completion" not in screen.of(found, actor=request.actor, at=at).verbs:
        return redirect("provider_dossier", found.pk)
    context = {
        "dossier": found,
        "form": form,
        "error": error,
        "estimate": estimate,
        "breadcrumbs": [
            (_("Demandes reçues"), reverse("provider_inbox")),
            (found.holder.display_name, reverse("provider_dossier", args=[found.pk])),
            (_("Service fait"), None),
        ],
    }
    return render(request, "dossiers/provider/completion.html", context, status=status)


def _declared(request: HttpRequest, found: Dossier) -> HttpResponse:
    said = _("Le service fait de %(name)s est déclaré. Sans contestation, il sera validé de lui-même.")
    messages.success(request, said % {"name": found.holder.display_name})
    return redirect("provider_dossier", found.pk)


@provider_required
@require_safe
def provider_due(request: HttpRequest) -> HttpResponse:
    """What is due to this organisation, dossier by dossier."""
    lines = due.lines(request.actor)
    context = {
        "page": Paginator(lines, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "due_cents": due.total(request.actor),
        "breadcrumbs": [(_("Sommes dues"), None)],
    }
    return render(request, "dossiers/provider/due.html", context)

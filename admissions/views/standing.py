"""« Situation »: what the administration decided about an organisation, why, and its answer."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

import rulebook
from accounts.permissions import provider_required
from admissions import measures, screen
from admissions.forms import AnswerForm
from admissions.models import Measure
from admissions.permissions import is_manager
from catalog.models import Provider
from rulebook import workdays
from ui.refusals import Refused, error_above, request_id_of


@provider_required
@require_safe
def provider_standing(request: HttpRequest) -> HttpResponse:
    """Listed, warned or suspended; the history; how to answer and to contest."""
    return _answer(request)


@provider_required
@require_POST
def provider_standing_answer(request: HttpRequest, measure_id: int) -> HttpResponse:
    measure = get_object_or_404(Measure, pk=measure_id, provider_id=request.actor.organisation_id)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _answer(request, measure=measure, form=form, status=422)
    try:
        measures.answer(
            measure.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            words=form.cleaned_data["words"],
        )
    except Refused as refusal:
        error = error_above(refusal, [form])
        return _answer(request, measure=measure, form=form, error=error, status=422)
    messages.success(request, _("Votre réponse est envoyée. L’administration la lira avant de décider."))
    return redirect("provider_standing")


def _answer(
    request: HttpRequest,
    *,
    measure: Measure | None = None,
    form: AnswerForm | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    at = timezone.now()
    provider = get_object_or_404(
        Provider.objects.select_related("organisation"), pk=request.actor.organisation_id
    )
    shown = screen.measures_of(provider.pk, at=at)
    answered = measure.pk if measure else None
    forms = [
        (each, form if each.measure.pk == answered else AnswerForm(auto_id=f"id_{each.measure.pk}_%s"))
        for each in shown
    ]
    context = {
        "provider": provider,
        "measures": forms,
        "answered": answered,
        "form": form,
        "error": error,
        "at": at,
        "can_answer": is_manager(request.actor),
        "answer_delay": screen.time_to_answer(rulebook.on(workdays.paris_day(at)).term("measure_answer")),
        "breadcrumbs": [(_("Situation de l’organisme"), None)],
    }
    return render(request, "admissions/standing/standing.html", context, status=status)

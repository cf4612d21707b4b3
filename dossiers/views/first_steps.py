"""The first steps: what its holder saw, put away, or wants to see again. Shown on their home page."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import holder_required
from dossiers import first_steps


@holder_required
@require_POST
def first_step_seen(request: HttpRequest, code: str) -> HttpResponse:
    try:
        return redirect(first_steps.mark_seen(code, by=request.actor, at=timezone.now()))
    except LookupError:
        raise Http404 from None


@holder_required
@require_POST
def first_steps_put_away(request: HttpRequest) -> HttpResponse:
    first_steps.put_away(by=request.actor, at=timezone.now())
    messages.info(request, _("Vos premiers pas sont rangés. Un bouton les rappelle au bas de cette page."))
    return redirect("home")


@holder_required
@require_POST
def first_steps_bring_back(request: HttpRequest) -> HttpResponse:
    first_steps.bring_back(by=request.actor)
    return redirect("home")

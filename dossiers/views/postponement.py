"""Other dates for a confirmed registration: proposed and taken back by an organisation, answered by a holder.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import holder_required, provider_required
from dossiers import postponement
from dossiers.forms import AgreementForm
from dossiers.models import Dossier
from dossiers.views import holder, provider
from dossiers.views.requests import visible_dossier
from ui.refusals import request_id_of


@provider_required
@require_POST
def provider_postpone(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = provider.postpone_form(found, request.POST, at=timezone.now())
    if not form.is_valid():
        return provider.answer(request, found, status=422, postpone_form=form)
    postpone = partial(postponement.postpone, **form.told())
    said = _("Le report est proposé à %(name)s, qui l’accepte ou part sans frais. Un e-mail part aussi.")
    return provider.do(request, found, postpone, said=said, goes_on=False, postpone_form=form)


@provider_required
@require_POST
def provider_keep_dates(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Reprendre ma proposition »: the dates agreed before stand again."""
    found = visible_dossier(request, dossier_id)
    said = _("Votre report est repris : les dates convenues tiennent. %(name)s reçoit un e-mail.")
    return provider.do(request, found, postponement.keep_dates, said=said, goes_on=False)


@holder_required
@require_POST
def dossier_agree(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Accepter ces dates »: those that were shown, and no others."""
    found = visible_dossier(request, dossier_id)
    form = AgreementForm(request.POST)
    if not form.is_valid():
        return holder.answer(
            request, found, error=_("Relisez les dates proposées, puis répondez."), status=422
        )

    def agree() -> Dossier:
        return postponement.agree_to_dates(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            seen_postponement=form.cleaned_data["seen_postponement"],
        )

    return holder.do(request, found, agree, said=_("C’est noté : votre inscription est aux nouvelles dates."))


@holder_required
@require_POST
def dossier_leave_free(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Partir sans frais »: everything comes back, whatever the day."""
    found = visible_dossier(request, dossier_id)
    said = _("Votre inscription est annulée, sans frais. Le détail de ce qui vous est rendu est ci-dessous.")
    return holder.do_with_reason(request, found, postponement.leave_free, said=said)

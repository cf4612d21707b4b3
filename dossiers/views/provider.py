"""The organisation's pages: requests received, one dossier, the answer.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import provider_required
from dossiers import listing, screen, workflow
from dossiers.forms import ListForm, ProposalForm, ReasonForm
from dossiers.models import Dossier
from dossiers.views.requests import error_above, request_id_of, visible_dossier
from dossiers.workflow import Refused
from ui.htmx import page_or_fragment

PAGE = "dossiers/provider/dossier.html"
FRAGMENT = "dossiers/provider/_dossier.html"


@provider_required
@require_safe
def provider_inbox(request: HttpRequest) -> HttpResponse:
    at = timezone.now()
    form = ListForm(request.GET)
    filters = {"state": "", "query": ""}
    if form.is_valid():
        filters = {"state": form.cleaned_data["state"], "query": form.cleaned_data["q"].strip()}
    page = Paginator(listing.provider_inbox(request.actor, **filters), 25).get_page(request.GET.get("page"))
    rows = [(dossier, listing.is_overdue(dossier, at=at)) for dossier in page]
    context = {"page": page, "rows": rows, "form": form, "at": at, "is_filtered": any(filters.values())}
    return page_or_fragment(request, "dossiers/provider/inbox.html", "dossiers/provider/_inbox.html", context)


@provider_required
@require_safe
def provider_dossier(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _answer(request, visible_dossier(request, dossier_id))


@provider_required
@require_POST
def provider_propose(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ProposalForm(request.POST)
    if not form.is_valid():
        return _answer(request, found, proposal_form=form, status=422)
    propose = partial(workflow.propose, **form.cleaned_data)
    said = _("Votre proposition est envoyée. Le titulaire a été prévenu.")
    return _do(request, found, propose, said=said, proposal_form=form)


@provider_required
@require_POST
def provider_refuse(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    said = _("La demande est refusée. Le titulaire a été prévenu.")
    return _with_reason(request, dossier_id, workflow.refuse, said=said, name="refusal_form")


@provider_required
@require_POST
def provider_call_off(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    said = _("L’inscription est annulée. Tout est rendu au titulaire, qui a été prévenu.")
    return _with_reason(request, dossier_id, workflow.call_off, said=said, name="call_off_form")


# --- The four moves ------------------------------------------------------------------------------


def _with_reason(
    request: HttpRequest, dossier_id: UUID, verb: Callable, *, said: str, name: str
) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ReasonForm(request.POST, prefix=name)
    if not form.is_valid():
        return _answer(request, found, status=422, **{name: form})
    return _do(request, found, partial(verb, **form.cleaned_data), said=said, **{name: form})


def _do(request: HttpRequest, found: Dossier, verb: Callable, *, said: str, **forms) -> HttpResponse:
    try:
        verb(found.pk, by=request.actor, at=timezone.now(), request_id=request_id_of(request))
    except Refused as refusal:
        error = error_above(refusal, forms.values())
        return _answer(request, visible_dossier(request, found.pk), error=error, status=422, **forms)
    messages.success(request, said)
    return redirect("provider_dossier", found.pk)


def _answer(
    request: HttpRequest,
    found: Dossier,
    *,
    error: str = "",
    proposal_form: ProposalForm | None = None,
    refusal_form: ReasonForm | None = None,
    call_off_form: ReasonForm | None = None,
    status: int = 200,
) -> HttpResponse:
    shown = screen.of(found, actor=request.actor, at=timezone.now())
    initial = {
        "price_cents": f"{found.asked_price_cents // 100},{found.asked_price_cents % 100:02}",
        "starts_on": found.session.starts_on or found.wished_start,
        "ends_on": found.session.ends_on,
    }
    context = screen.context(
        shown,
        error=error,
        proposal_form=proposal_form or ProposalForm(initial=initial),
        refusal_form=refusal_form or ReasonForm(prefix="refusal_form"),
        call_off_form=call_off_form or ReasonForm(prefix="call_off_form"),
    )
    return page_or_fragment(request, PAGE, FRAGMENT, context, status=status)

"""The holder's pages: my dossiers, one dossier, and what can be done with it.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid5

from django.contrib import messages
from django.core.paginator import Paginator
from django.core.signing import Signer
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from accounts.permissions import holder_required
from catalog import listing as catalogue
from catalog.models import Offer, Session
from dossiers import calendar, guards, listing, postponement, refunds, screen, threads, workflow
from dossiers.forms import (
    CancelLateForm,
    ContestForm,
    FunderForm,
    MyDossiersForm,
    ReasonForm,
    RequestForm,
    SendForm,
)
from dossiers.models import Dossier
from dossiers.permissions import visible_dossiers
from dossiers.views.requests import visible_dossier
from rulebook import workdays
from ui.htmx import page_or_fragment
from ui.refusals import Refused, error_above, request_id_of

PAGE = "dossiers/holder/dossier.html"
FRAGMENT = "dossiers/holder/_dossier.html"
DOSSIERS_A_PAGE = 20
# Shown with a draft, sent back when it is thrown away: a second click is told that it is gone already,
# and nobody learns anything of a draft that was never theirs.
DISCARD_SALT = "dossiers.discard"


@holder_required
@require_safe
def dossiers(request: HttpRequest) -> HttpResponse:
    """« Mes dossiers »: views with their counts, a text, a state; the minute that runs out first."""
    at = timezone.now()
    form = MyDossiersForm(request.GET)
    view = request.GET.get("voir", "")
    view = listing.HolderView(view) if view in listing.HolderView else listing.HolderView.ALL
    state, query = "", ""
    if form.is_valid():
        state, query = form.cleaned_data["state"], form.cleaned_data["q"].strip()
    counts = listing.holder_counts(request.actor, at=at)
    found = listing.holder_dossiers(request.actor, at=at, view=view, state=state, query=query)
    found = threads.with_unread(found, request.actor)
    page = Paginator(found, DOSSIERS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [screen.row(dossier, at=at) for dossier in page],
        "form": form,
        "at": at,
        "view": view,
        "tabs": [
            (each.label, f"?voir={each}" if each else "?", counts[each], each == view)
            for each in listing.HolderView
            # What was taken out of the list is a view once there is something in it.
            if counts[each] or each != listing.HolderView.REMOVED
        ],
        "has_any": any(counts.values()),
        "is_filtered": bool(state or query),
    }
    return page_or_fragment(request, "dossiers/holder/list.html", "dossiers/holder/_list.html", context)


@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def dossier_create(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """« Créer mon dossier d'inscription »: what will happen, then a draft."""
    at = timezone.now()
    rules = rulebook.on(workdays.paris_day(at))
    open_offers = Offer.objects.open_on(workdays.paris_day(at), rules)
    session = get_object_or_404(
        Session.objects.select_related("offer__provider__organisation", "offer__certification").filter(
            offer__in=open_offers
        ),
        pk=session_id,
    )
    error = None
    if request.method == "POST":
        try:
            dossier = workflow.create(session.pk, by=request.actor, at=at, request_id=request_id_of(request))
            return redirect("dossier", dossier.pk)
        except Refused as refusal:
            error = refusal.message
    else:
        draft = Dossier(holder=request.actor.holder, offer=session.offer, session=session)
        try:
            guards.check_can_enrol(draft, on=workdays.paris_day(at), rules=rules)
            guards.check_session_reachable(session, on=workdays.paris_day(at), rules=rules)
        except Refused as refusal:
            error = refusal.message
    context = {
        "session": session,
        "offer": session.offer,
        "caution": "" if error else catalogue.caution(session),
        "error": error,
        "rules": rules,
    }
    return render(
        request,
        "dossiers/holder/create.html",
        context,
        status=422 if error and request.method == "POST" else 200,
    )


@holder_required
@require_safe
def dossier(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    return answer(request, found)


@holder_required
@require_POST
def dossier_edit(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = _request_form(found, request.POST)
    if not form.is_valid():
        return answer(request, found, request_form=form, status=422)
    edit = partial(workflow.edit, found.pk, by=request.actor, fields=form.cleaned_data)
    return do(request, found, edit, said=_("Votre brouillon est enregistré."), request_form=form)


@holder_required
@require_POST
def dossier_discard(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """Throw a draft away; thrown away already (double click, another window), say so."""
    was_shown = constant_time_compare(request.POST.get("proof", ""), _discard_proof(request, dossier_id))
    said = _("Le brouillon est supprimé. Rien n’avait été envoyé.")
    try:
        found = visible_dossier(request, dossier_id)
        return do(
            request, found, partial(workflow.discard, found.pk, by=request.actor), said=said, to_list=True
        )
    except Http404:
        if not was_shown:
            raise
    messages.info(request, _("Ce brouillon était déjà supprimé. Rien n’avait été envoyé."))
    return redirect("dossiers")


@holder_required
@require_POST
def dossier_send(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Envoyer mon inscription »: keeps what was typed, then sends."""
    found = visible_dossier(request, dossier_id)
    form, send_form = _request_form(found, request.POST), SendForm(request.POST)
    if not (form.is_valid() & send_form.is_valid()):
        return answer(request, found, request_form=form, send_form=send_form, status=422)

    def send() -> Dossier:
        request_id = request_id_of(request)
        with suppress(Refused):  # no draft any more: `submit` tells the same click from a late one
            workflow.edit(found.pk, by=request.actor, fields=form.cleaned_data)
        return workflow.submit(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id,
            seen_price_cents=send_form.cleaned_data["seen_price_cents"],
        )

    said = _("Votre demande est envoyée. Nous vous écrirons dès que l’organisme aura répondu.")
    return do(request, found, send, said=said, request_form=form, send_form=send_form)


@holder_required
@require_POST
def dossier_send_again(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Renvoyer la même demande »: a draft with everything filled in, sent at once if nothing is missing."""
    found = visible_dossier(request, dossier_id)
    at = timezone.now()
    try:
        request_id = request_id_of(request)
        draft = workflow.draft_again(found.pk, by=request.actor, at=at, request_id=request_id)
    except Refused as refusal:
        return answer(request, visible_dossier(request, found.pk), error=refusal.message, status=422)
    try:
        if found.terms_version != rulebook.on(workdays.paris_day(at)).terms_version:
            raise Refused(
                _("Les conditions d’utilisation ont changé : relisez votre demande avant de l’envoyer.")
            )
        workflow.submit(
            draft.pk,
            by=request.actor,
            at=at,
            request_id=uuid5(request_id, "submit"),
            seen_price_cents=found.asked_price_cents,
        )
        messages.success(request, _("Votre demande est renvoyée, telle qu’elle était."))
    except Refused as refusal:
        messages.warning(request, refusal.message)
    return redirect("dossier", draft.pk)


@holder_required
@require_POST
def dossier_accept(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    seen_plan = request.POST.get("seen_plan", "")

    def accept() -> Dossier:
        return workflow.accept(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            seen_plan=seen_plan,
        )

    return do(request, found, accept, said=_("C’est noté : vos droits sont réservés pour cette formation."))


@holder_required
@require_POST
def dossier_top_up(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Activer l’abondement de l’État »: the price below is computed again with it."""
    found = visible_dossier(request, dossier_id)

    def activate() -> Dossier:
        return workflow.activate_top_up(
            found.pk, by=request.actor, at=timezone.now(), request_id=request_id_of(request)
        )

    said = _("L’abondement de l’État est activé. Relisez ce que vous payez, puis validez votre inscription.")
    return do(request, found, activate, said=said)


@holder_required
@require_POST
def dossier_ask_funder(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Demander une aide à France Travail »: the proposal waits for its answer."""
    found = visible_dossier(request, dossier_id)
    form = FunderForm(request.POST, prefix="funder")
    if not form.is_valid():
        return answer(request, found, funder_form=form, status=422)

    def ask() -> Dossier:
        return workflow.ask_funder(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            amount_cents=form.cleaned_data["amount"],
        )

    return do(request, found, ask, said=_("Votre demande d’aide est envoyée au financeur."), funder_form=form)


@holder_required
@require_POST
def dossier_decline(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    return do_with_reason(request, found, workflow.decline, said=_("Vous avez refusé la proposition."))


@holder_required
@require_POST
def dossier_cancel(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    return do_with_reason(
        request, found, workflow.cancel, said=_("Votre demande est annulée, sans frais. Rien n’est débité.")
    )


@holder_required
@require_POST
def dossier_withdraw(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    # To which purse each sum went back, and which can still be used, stands on the page.
    said = _("Votre inscription est annulée, sans frais. Le détail de ce qui vous est rendu est ci-dessous.")
    return do_with_reason(request, found, postponement.or_free(workflow.withdraw), said=said)


@holder_required
@require_POST
def dossier_cancel_late(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« Annuler quand même »: what is lost was shown, and comes back with the click."""
    found = visible_dossier(request, dossier_id)
    form = CancelLateForm(request.POST)
    if not form.is_valid():
        return answer(request, found, reason_form=form, status=422)

    def cancel() -> Dossier:
        return postponement.or_free(workflow.cancel_late)(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            **form.cleaned_data,
        )

    said = _("Votre inscription est annulée. Ce que chaque somme est devenue est ci-dessous.")
    return do(request, found, cancel, said=said, reason_form=form)


@holder_required
@require_POST
def dossier_remove(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    remove = partial(workflow.remove_from_list, found.pk, by=request.actor, at=timezone.now())
    said = _("Le dossier %(number)s n’est plus dans votre liste.") % {"number": found.number}
    return do(request, found, remove, said=said, to_list=True)


# --- The four moves ------------------------------------------------------------------------------


def _request_form(dossier: Dossier, data: Any = None) -> RequestForm:
    initial = {
        name: getattr(dossier, name) for name in ("project", "wished_start", "contact_email", "contact_phone")
    }
    return RequestForm(data, initial=initial, is_permanent=dossier.session.is_permanent)


def _discard_proof(request: HttpRequest, dossier_id: UUID) -> str:
    return Signer(salt=DISCARD_SALT).signature(f"{request.actor.holder_id}:{dossier_id}")


def do_with_reason(request: HttpRequest, found: Dossier, verb: Callable, *, said: str) -> HttpResponse:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, found, reason_form=form, status=422)

    def leave() -> Dossier:
        return verb(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            reason=form.cleaned_data["reason"],
        )

    return do(request, found, leave, said=said, reason_form=form)


def do(
    request: HttpRequest,
    found: Dossier,
    call: Callable[[], Dossier | None],
    *,
    said: str,
    to_list: bool = False,
    **forms: Any,
) -> HttpResponse:
    try:
        call()
    except Refused as refusal:
        error = error_above(refusal, forms.values())
        return answer(request, visible_dossier(request, found.pk), error=error, status=422, **forms)
    messages.success(request, said)
    return redirect("dossiers") if to_list else redirect("dossier", found.pk)


def answer(
    request: HttpRequest,
    found: Dossier,
    *,
    error: str = "",
    request_form: RequestForm | None = None,
    send_form: SendForm | None = None,
    reason_form: ReasonForm | None = None,
    contest_form: ContestForm | None = None,
    funder_form: FunderForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a dossier, or its part, as it is now."""
    at = timezone.now()
    shown = screen.of(found, actor=request.actor, at=at)
    is_over = found.state not in listing.CLOCK_OF and found.state != "draft"
    context = screen.context(
        shown,
        error=error,
        is_refused=status == HTTPStatus.UNPROCESSABLE_ENTITY,
        request_form=request_form or _request_form(found),
        send_form=send_form or SendForm(),
        reason_form=reason_form or ReasonForm(),
        contest_form=contest_form or ContestForm(prefix="contest"),
        funder_form=funder_form
        or FunderForm(
            prefix="funder",
            initial={"amount": f"{shown.funder_cents // 100},{shown.funder_cents % 100:02}"},
        ),
        is_over=is_over,
        refunds=refunds.of_dossier(found) if is_over else [],
        discard_proof=_discard_proof(request, found.pk),
        dates=_dates(request, found, at=at),
    )
    return page_or_fragment(request, PAGE, FRAGMENT, context, status=status)


def _dates(request: HttpRequest, found: Dossier, *, at: datetime) -> list[calendar.Entry]:
    """What can be added to a calendar by hand."""
    mine = calendar.with_revision(listing.with_clock(visible_dossiers(request.actor)))
    return [
        entry for entry in calendar.of_dossier(mine.get(pk=found.pk)) if not calendar.is_past(entry, at=at)
    ]

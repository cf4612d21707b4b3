"""The organisation's pages: the inbox, one dossier, the answer. Answers for many: views/batches.py.

Every view has four moves: fetch what this actor can see · validate · one verb · answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import provider_required
from dossiers import answers, bulk, inbox, listing, postponement, screen, threads, workflow
from dossiers.forms import (
    BatchForm,
    EntryForm,
    ExitForm,
    InboxForm,
    PostponementForm,
    ProposalForm,
    ReasonForm,
    RefusalForm,
)
from dossiers.models import Dossier
from dossiers.permissions import visible_dossiers
from dossiers.states import State
from dossiers.views.requests import visible_dossier
from ui import french, spreadsheet
from ui.htmx import page_or_fragment
from ui.refusals import Refused, error_above, request_id_of

PAGE = "dossiers/provider/dossier.html"
FRAGMENT = "dossiers/provider/_dossier.html"
ROWS_A_PAGE = 25
PANEL = "panneau"
DENSITY_COOKIE = "density"
A_YEAR = 60 * 60 * 24 * 365
TO_ANSWER_BY = {*inbox.TIMED, State.POSTPONED}


# --- The inbox -------------------------------------------------------------------------------------


@provider_required
@require_safe
def provider_inbox(request: HttpRequest) -> HttpResponse:
    return _inbox(request)


@provider_required
@require_safe
def provider_inbox_file(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The rows of the filter, all of them, for a spreadsheet."""
    at = timezone.now()
    form = InboxForm(request.GET, trainings=inbox.trainings(request.actor))
    if not form.is_valid():
        return redirect(f"{reverse('provider_inbox')}?{request.GET.urlencode()}")
    found = inbox.found(request.actor, form.wanted(), at=at)
    return spreadsheet.streamed("demandes.csv", _file_rows(found.iterator(chunk_size=500), at=at))


@provider_required
@require_POST
def provider_density(request: HttpRequest) -> HttpResponse:
    """How close the rows of the inbox stand; this browser remembers it."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = reverse("provider_inbox")
    response = HttpResponseRedirect(back)  # as it is: redirect() would look for a page of that name
    density = "compact" if request.POST.get("density") == "compact" else "roomy"
    response.set_cookie(
        DENSITY_COOKIE, density, max_age=A_YEAR, secure=request.is_secure(), httponly=True, samesite="Lax"
    )
    return response


@provider_required
@require_POST
def provider_batch_new(request: HttpRequest) -> HttpResponse:
    """One answer for the ticked requests, or for all those of the filter: its preview."""
    at = timezone.now()
    form = BatchForm(request.POST)
    if not form.is_valid():
        return _inbox(request, error=_("Cochez des demandes, puis choisissez la réponse."), status=422)
    chosen, left_out = form.cleaned_data["dossier"], 0
    try:
        if form.cleaned_data["all"]:
            chosen, left_out = _all_of_the_filter(request, at=at)
        batch = bulk.prepare(
            form.cleaned_data["answer"],
            dossiers=chosen,
            by=request.actor,
            at=at,
            request_id=request_id_of(request),
        )
    except Refused as refusal:
        return _inbox(request, error=refusal.message, ticked=set(chosen), status=422)
    if left_out:
        said = _("Voici les %(taken)s demandes les plus pressées. Il en reste %(left)s à préparer ensuite.")
        messages.info(request, said % {"taken": bulk.LINES_MAX, "left": left_out})
    return redirect("provider_batch", batch.pk)


def _all_of_the_filter(request: HttpRequest, *, at: datetime) -> tuple[list[UUID], int]:
    """What still waits for an answer under these filters, the most urgent first; how many are too many."""
    form = InboxForm(request.GET, trainings=inbox.trainings(request.actor))
    if not form.is_valid():
        raise Refused(_("Corrigez d’abord les filtres."))
    wanted = form.wanted()
    if wanted.view != inbox.View.TO_ANSWER:
        raise Refused(_("Ouvrez d’abord l’onglet « À répondre »."))
    waiting = list(
        inbox.found(request.actor, replace(wanted, order=inbox.Order.URGENT), at=at).values_list(
            "pk", flat=True
        )
    )
    return waiting[: bulk.LINES_MAX], max(len(waiting) - bulk.LINES_MAX, 0)


def _inbox(
    request: HttpRequest, *, error: str = "", ticked: set[UUID] | None = None, status: int = 200
) -> HttpResponse:
    at = timezone.now()
    form = InboxForm(request.GET, trainings=inbox.trainings(request.actor))
    is_valid = form.is_valid()
    wanted = form.wanted() if is_valid else inbox.Wanted()
    counts = inbox.counts(request.actor, wanted, at=at)
    if is_valid and not form.cleaned_data["view"] and not counts[inbox.View.TO_ANSWER]:
        wanted = replace(
            wanted, view=inbox.View.ALL
        )  # nothing waits: what was answered is what one looks for
    found = threads.with_unread(inbox.found(request.actor, wanted, at=at), request.actor)
    paginator = Paginator(found if is_valid else found.none(), ROWS_A_PAGE)
    if is_valid:
        paginator.count = counts[inbox.View(wanted.view)]  # counted already, with the other tabs
    page = paginator.get_page(request.GET.get("page"))
    rows = [
        (dossier, listing.is_overdue(dossier, at=at), listing.pressing_due(dossier, at=at))
        for dossier in page
    ]
    query = request.GET.copy()
    query.pop("page", None)
    query["view"] = wanted.view
    context = {
        "page": page,
        "rows": rows,
        "form": form,
        "at": at,
        "error": error,
        "ticked": ticked or set(),
        "tabs": _tabs(query, wanted.view, counts),
        "view": inbox.View(wanted.view),
        # A filter that cannot be read hides everything: « Tout est répondu » would be false.
        "is_filtered": wanted.is_filtered or not is_valid,
        "filters_url": _inbox_url(view=wanted.view),
        "query": query.urlencode(),
        "can_answer_many": sum(row.state == State.REQUESTED and not over for row, over, _due in rows) > 1,
        "counts": counts,
        "most_at_once": bulk.LINES_MAX,
        "is_compact": request.COOKIES.get(DENSITY_COOKIE) == "compact",
    }
    return page_or_fragment(
        request, "dossiers/provider/inbox.html", "dossiers/provider/_inbox.html", context, status=status
    )


def _tabs(query: QueryDict, current: str, counts: dict[inbox.View, int]) -> list[tuple[str, str, int, bool]]:
    """(label, address, count, is it this one): the other filters stay."""
    tabs = []
    for view in inbox.View:
        there = query.copy()
        there["view"] = view
        address = f"{reverse('provider_inbox')}?{there.urlencode()}"
        tabs.append((view.label, address, counts[view], view == current))
    return tabs


def _inbox_url(**query: str) -> str:
    address = QueryDict(mutable=True)
    address.update(query)
    return f"{reverse('provider_inbox')}?{address.urlencode()}"


def _file_rows(found: Iterator[Dossier], *, at: datetime) -> Iterator[list[str]]:
    yield [
        _("Dossier"),
        _("Titulaire"),
        _("E-mail"),
        _("Téléphone"),
        _("Formation"),
        _("Numéro d’action"),
        _("Session"),
        _("Premier jour"),
        _("Dernier jour"),
        _("Prix TTC"),
        _("État"),
        _("Réponse attendue avant"),
        _("Créé le"),
    ]
    for row in found:
        is_overdue = listing.is_overdue(row, at=at)
        ends_on = row.ends_on or row.session.ends_on
        is_timed = row.due_at and row.state in TO_ANSWER_BY
        yield [
            spreadsheet.text(row.number),
            spreadsheet.text(row.holder.display_name),
            spreadsheet.text(row.contact_email),
            spreadsheet.text(row.contact_phone),
            spreadsheet.text(row.offer.title),
            spreadsheet.text(row.offer.action_number),
            spreadsheet.text(row.session.number),
            f"{row.begins_on:%d/%m/%Y}" if row.begins_on else "",
            f"{ends_on:%d/%m/%Y}" if ends_on else "",
            spreadsheet.amount(row.current_price_cents),
            str(State.LAPSED.label if is_overdue else State(row.state).label),
            f"{timezone.localtime(row.due_at):%d/%m/%Y %H:%M}" if is_timed else "",
            f"{timezone.localtime(row.created_at):%d/%m/%Y %H:%M}",
        ]


# --- One dossier -----------------------------------------------------------------------------------


@provider_required
@require_safe
def provider_dossier(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return answer(request, visible_dossier(request, dossier_id))


@provider_required
@require_POST
def provider_check(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """What this proposal would do if it were sent. Writes nothing."""
    found = visible_dossier(request, dossier_id)
    form = ProposalForm(request.POST)
    proposal = form.cleaned_data if form.is_valid() else None
    # A field that is still empty is not a fault yet.
    errors = [message for name, said in form.errors.items() if request.POST.get(name) for message in said]
    findings = answers.findings(found, proposal, at=timezone.now())
    return render(
        request, "dossiers/provider/_check.html", {"findings": findings, "errors": errors, "dossier": found}
    )


@provider_required
@require_POST
def provider_propose(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ProposalForm(request.POST)
    if not form.is_valid():
        return answer(request, found, proposal_form=form, status=422)
    propose = partial(workflow.propose, **form.cleaned_data)
    said = _("Votre proposition est envoyée à %(name)s. Un e-mail part aussi.")
    return do(request, found, propose, said=said, goes_on=True, proposal_form=form)


@provider_required
@require_POST
def provider_acknowledge(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """« J'ai reçu cette demande »: its prerequisites are looked at before the answer."""
    found = visible_dossier(request, dossier_id)
    said = _("%(name)s sait que vous examinez ses prérequis.")
    return do(request, found, workflow.acknowledge, said=said, goes_on=True)


@provider_required
@require_POST
def provider_refuse(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = RefusalForm(request.POST, prefix="refusal_form")
    if not form.is_valid():
        return answer(request, found, status=422, refusal_form=form)

    def refuse(dossier_id: UUID, **who: Any) -> None:
        motive, words = form.cleaned_data["motive"], form.cleaned_data["words"]
        reason = bulk.refusal_reason(motive, words)
        workflow.refuse(dossier_id, reason=reason, cause=motive, **who)

    said = _("La demande de %(name)s est refusée. Un e-mail dit pourquoi.")
    return do(request, found, refuse, said=said, goes_on=True, refusal_form=form)


@provider_required
@require_POST
def provider_call_off(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = visible_dossier(request, dossier_id)
    form = ReasonForm(request.POST, prefix="call_off_form")
    if not form.is_valid():
        return answer(request, found, status=422, call_off_form=form)
    call_off = partial(workflow.call_off, **form.cleaned_data)
    said = _("L’inscription de %(name)s est annulée. Tout lui est rendu, et un e-mail dit pourquoi.")
    return do(request, found, call_off, said=said, goes_on=False, call_off_form=form)


# --- The four moves --------------------------------------------------------------------------------


def do(
    request: HttpRequest, found: Dossier, verb: Callable, *, said: str, goes_on: bool, **forms
) -> HttpResponse:
    """`goes_on`: after an answer, the next request that waits."""
    at = timezone.now()
    try:
        verb(found.pk, by=request.actor, at=at, request_id=request_id_of(request))
    except Refused as refusal:
        error = error_above(refusal, forms.values())
        return answer(request, visible_dossier(request, found.pk), error=error, status=422, **forms)
    messages.success(request, said % {"name": found.holder.display_name})
    following = inbox.next_to_answer(request.actor, at=at, after=found) if goes_on else None
    if following is None:
        return redirect("provider_dossier", found.pk)
    return redirect(f"{reverse('provider_dossier', args=[following.pk])}?after={found.pk}")


def answer(
    request: HttpRequest,
    found: Dossier,
    *,
    error: str = "",
    proposal_form: ProposalForm | None = None,
    refusal_form: RefusalForm | None = None,
    call_off_form: ReasonForm | None = None,
    entry_form: EntryForm | None = None,
    absence_form: ReasonForm | None = None,
    exit_form: ExitForm | None = None,
    postpone_form: PostponementForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a dossier, or its panel, as it is now."""
    at = timezone.now()
    shown = screen.of(found, actor=request.actor, at=at)
    initial = _as_asked(found)
    can_propose = "propose" in shown.verbs
    in_panel = request.htmx.target == PANEL
    context = screen.context(
        shown,
        error=error,
        is_refused=status == HTTPStatus.UNPROCESSABLE_ENTITY,
        proposal_form=proposal_form or ProposalForm(initial=initial),
        refusal_form=refusal_form or RefusalForm(prefix="refusal_form"),
        call_off_form=call_off_form or ReasonForm(prefix="call_off_form"),
        entry_form=entry_form or EntryForm(prefix="entry", initial={"entered_on": found.starts_on}),
        absence_form=absence_form or ReasonForm(prefix="absence"),
        exit_form=exit_form or ExitForm(prefix="exit", initial={"exited_on": found.ends_on}),
        postpone_form=_postpone_form(found, postpone_form, shown.verbs, at=at),
        findings=_findings(found, proposal_form, initial, at=at) if can_propose else [],
        following=inbox.next_to_answer(request.actor, at=at, after=found),
        answered=_answered(request, found),
        asked_facts=_facts(found),
        in_panel=in_panel,
        level=3 if in_panel else 2,
        close_url=request.htmx.current_url_abs_path or reverse("provider_inbox"),
        breadcrumbs=[
            (_("Demandes reçues"), reverse("provider_inbox")),
            (found.holder.display_name, None),
        ],
    )
    return page_or_fragment(request, PAGE, FRAGMENT, context, status=status)


def postpone_form(found: Dossier, data: QueryDict | None = None, *, at: datetime) -> PostponementForm:
    """The other dates that could be proposed today."""
    sessions = postponement.sessions_to_offer(found, at=at)
    return PostponementForm(data, prefix="postpone", dossier=found, sessions=sessions)


def _postpone_form(
    found: Dossier, sent: PostponementForm | None, verbs: set[str], *, at: datetime
) -> PostponementForm | None:
    if "postpone" not in verbs:
        return None
    return sent or postpone_form(found, at=at)


def _facts(found: Dossier) -> list[tuple[str, str]]:
    """What the organisation needs to know before it answers; who, and how to reach them, stands above."""
    offer = found.offer
    starts_on = found.starts_on or found.session.starts_on or found.wished_start
    ends_on = found.ends_on or found.session.ends_on
    place = _("À distance") if offer.mode == "distance" else f"{offer.postal_code} {offer.town_name}".strip()
    return [
        (_("Premier jour"), french.day(starts_on) if starts_on else ""),
        (_("Dernier jour"), french.day(ends_on) if ends_on else ""),
        (_("Lieu"), place),
        (_("Durée"), _("%(hours)s heures") % {"hours": offer.hours} if offer.hours else ""),
        (_("Session"), found.session.number),
        (_("E-mail"), found.contact_email),
    ]


def _as_asked(found: Dossier) -> dict[str, Any]:
    """What the form starts with: the request, on the days its session has now."""
    return {
        "price_cents": f"{found.asked_price_cents // 100},{found.asked_price_cents % 100:02}",
        "starts_on": found.session.starts_on or found.wished_start,
        "ends_on": found.session.ends_on,
    }


def _findings(
    found: Dossier, form: ProposalForm | None, initial: dict[str, Any], *, at: datetime
) -> list[answers.Finding]:
    """Of what was just sent; else of what the form starts with, once it is complete."""
    if form is not None and form.is_bound:
        return answers.findings(found, form.cleaned_data if not form.errors else None, at=at)
    if not (initial["starts_on"] and initial["ends_on"]):
        return answers.findings(found, None, at=at)
    terms = {
        "price_cents": found.asked_price_cents,
        "starts_on": initial["starts_on"],
        "ends_on": initial["ends_on"],
        "change_reason": "",
    }
    return answers.findings(found, terms, at=at)


def _answered(request: HttpRequest, found: Dossier) -> Dossier | None:
    """The dossier just answered, whose successor this page is: one link back to it."""
    try:
        dossier_id = UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    before = visible_dossiers(request.actor).select_related("holder").filter(pk=dossier_id)
    return before.exclude(pk=found.pk).first()

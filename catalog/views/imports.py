"""Catalogue imports: send a file, watch its check, read the report, apply it, undo it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from accounts.permissions import is_manager, provider_required
from catalog import importing, listing
from catalog.forms import ImportForm
from catalog.models import CatalogueImport, CatalogueImportLine, Provider, Town
from catalog.views.requests import Chip, lack_links, list_url, say
from rulebook import workdays
from ui import spreadsheet
from ui.htmx import page_or_fragment
from ui.refusals import Refused, request_id_of
from ui.uploads import DropTooBig

State = CatalogueImport.State
Step = CatalogueImportLine.Step
Verdict = CatalogueImportLine.Verdict

LINES_A_PAGE = 50
# What people look at first: what is wrong, then what changes.
CHECK_ORDER = (
    Verdict.REFUSED,
    Verdict.HIDDEN,
    Verdict.REMARK,
    Verdict.CREATED,
    Verdict.UPDATED,
    Verdict.UNCHANGED,
)
TAB_NAMES = {
    Verdict.REFUSED: gettext_lazy("Refusées"),
    Verdict.HIDDEN: gettext_lazy("Non visibles"),
    Verdict.REMARK: gettext_lazy("Remarques"),
    Verdict.CREATED: gettext_lazy("Nouvelles"),
    Verdict.UPDATED: gettext_lazy("Modifiées"),
    Verdict.UNCHANGED: gettext_lazy("Inchangées"),
    Verdict.KEPT: gettext_lazy("Laissées comme elles sont"),
    Verdict.WITHDRAWN: gettext_lazy("Masquées"),
    Verdict.RESTORED: gettext_lazy("Rétablies"),
    Verdict.REMOVED: gettext_lazy("Supprimées"),
}
_READ = (Verdict.CREATED, Verdict.UPDATED, Verdict.UNCHANGED, Verdict.REFUSED, Verdict.HIDDEN)
FIGURES = {
    Step.CHECK: _READ,
    Step.APPLY: _READ,
    Step.UNDO: (Verdict.RESTORED, Verdict.REMOVED, Verdict.WITHDRAWN, Verdict.KEPT),
}
UNDO_ORDER = (Verdict.KEPT, Verdict.WITHDRAWN, Verdict.RESTORED, Verdict.REMOVED)


@provider_required
@require_safe
def imports(request: HttpRequest) -> HttpResponse:
    context = {
        "imports": list(_own(request).select_related("sent_by")[: importing.KEPT_MAX]),
        "breadcrumbs": [(_("Mes offres"), reverse("provider_offers")), (_("Mes imports"), None)],
    }
    return render(request, "catalog/provider/imports/list.html", context)


@csrf_exempt
def new(request: HttpRequest) -> HttpResponse:
    """Upload handlers come before the body is read, so before the token is looked for by the inner view."""
    request.upload_handlers = [
        DropTooBig(request, size_max=importing.SIZE_MAX),
        TemporaryFileUploadHandler(request),
    ]
    return _new(request)


@csrf_protect
@provider_required
@require_http_methods(["GET", "HEAD", "POST"])
def _new(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_bound and request.upload_handlers[0].too_big:
        form.errors.clear()
        form.add_error(
            "file",
            _("Ce fichier dépasse %(size)s Mo. Compressez-le en .zip, ou envoyez-le en plusieurs fois.")
            % {"size": importing.SIZE_MAX // 2**20},
        )
    if form.is_valid():
        try:
            sent = importing.send(
                form.cleaned_data["file"],
                form.source,
                by=request.actor,
                at=timezone.now(),
                request_id=request_id_of(request),
            )
        except Refused as refusal:
            say(refusal, form)
        else:
            return redirect("provider_import", sent.pk)
    context = {
        "form": form,
        "waiting": _own(request).filter(state__in=CatalogueImport.WAITING).first(),
        "breadcrumbs": [*_trail(), (_("Nouvel import"), None)],
    }
    status = 422 if form.errors else 200
    return render(request, "catalog/provider/imports/new.html", context, status=status)


@provider_required
@require_safe
def example(request: HttpRequest) -> HttpResponse:
    """A small catalogue with the organisation's own SIRET, that our importer takes."""
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    provider = get_object_or_404(
        Provider.objects.select_related("organisation"), pk=request.actor.organisation_id
    )
    own = listing.certification_choices("", siret=provider.organisation.siret, on=today, rules=rules)
    town = Town.objects.filter(postal_codes__contains=[provider.postal_code]).order_by("-population").first()
    first = workdays.earliest_start(today, rules.earliest_start_days)
    context = {
        "provider": provider,
        "certification": next((each.certification for each in own if not each.reasons), None),
        "town": town,
        "today": today,
        "starts_on": first,
        "ends_on": workdays.add_workdays(first, 9),
    }
    return HttpResponse(
        render_to_string("catalog/provider/imports/example.xml", context, request),
        content_type="application/xml; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="exemple-de-catalogue.xml"'},
    )


@provider_required
@require_safe
def import_(request: HttpRequest, import_id: UUID) -> HttpResponse:
    return _answer(request, _find(request, import_id))


@provider_required
@require_POST
def apply(request: HttpRequest, import_id: UUID) -> HttpResponse:
    return _do(request, import_id, importing.apply)


@provider_required
@require_POST
def abandon(request: HttpRequest, import_id: UUID) -> HttpResponse:
    return _do(request, import_id, importing.abandon, said=_("L’import est abandonné. Rien n’a changé."))


@provider_required
@require_POST
def undo(request: HttpRequest, import_id: UUID) -> HttpResponse:
    return _do(request, import_id, importing.undo)


@provider_required
@require_safe
def report(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Every line of the last step, for a spreadsheet."""
    asked = _find(request, import_id)
    return spreadsheet.streamed(f"rapport-import-{asked.sent_at:%Y-%m-%d}.csv", _rows(asked))


def _rows(asked: CatalogueImport) -> Iterator[list[str]]:
    yield [
        str(spreadsheet.text(word))
        for word in (_("Ligne"), _("Verdict"), _("Élément"), _("Intitulé"), _("Précisions"))
    ]
    lines = asked.lines.filter(step=_step_of(asked)).order_by("line", "pk").defer("before")
    for line in lines.iterator(chunk_size=1000):
        words = (line.get_verdict_display(), line.subject, line.title, line.reason)
        yield [str(line.line), *map(spreadsheet.text, words)]


# --- Answers ----------------------------------------------------------------------------------------


def _own(request: HttpRequest):
    return CatalogueImport.objects.filter(provider_id=request.actor.organisation_id)


def _find(request: HttpRequest, import_id: UUID) -> CatalogueImport:
    return get_object_or_404(_own(request).select_related("sent_by"), pk=import_id)


def _trail() -> list[tuple[str, str | None]]:
    return [
        (_("Mes offres"), reverse("provider_offers")),
        (_("Mes imports"), reverse("provider_imports")),
    ]


def _do(request: HttpRequest, import_id: UUID, verb: Callable[..., Any], *, said: str = "") -> HttpResponse:
    asked = _find(request, import_id)
    try:
        verb(asked.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _answer(request, _find(request, import_id), error=refusal.message)
    if said:
        messages.success(request, said)
    return redirect("provider_import", asked.pk)


def _step_of(asked: CatalogueImport) -> Step:
    """The report that is worth reading in this state."""
    if asked.state == State.UNDONE:
        return Step.UNDO
    return Step.APPLY if asked.applied_at else Step.CHECK


def _lacks(asked: CatalogueImport, *, at: datetime) -> list[Chip]:
    """What the offers of this organisation could still say, now that this file is in, and where to say it."""
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    offers = listing.own_offers(asked.provider_id, on=today, rules=rules)
    lacks = listing.lack_counts(offers, on=today, rules=rules)
    return lack_links(lacks, lambda lack: list_url(urlencode({"lack": lack})))


def _answer(request: HttpRequest, asked: CatalogueImport, *, error: str = "") -> HttpResponse:
    at = timezone.now()
    step = _step_of(asked)
    lines = asked.lines.filter(step=step)
    counted = dict(
        lines.order_by().values_list("verdict").annotate(count=Count("pk")).values_list("verdict", "count")
    )
    # One offer may be refused for several reasons, a line each: tabs count offers.
    counted |= {each: asked.counts[each] for each in (Verdict.REFUSED, Verdict.HIDDEN) if counted.get(each)}
    order = [
        verdict for verdict in (UNDO_ORDER if step == Step.UNDO else CHECK_ORDER) if counted.get(verdict)
    ]
    wanted = request.GET.get("verdict", "")
    verdict = wanted if wanted in order else next(iter(order), "")
    shown = lines.filter(verdict=verdict).order_by("line", "pk").defer("before")
    here = reverse("provider_import", args=[asked.pk])
    progress = importing.progress_of(asked) if asked.is_waiting else None
    context = {
        "asked": asked,
        "error": error,
        "at": at,
        "progress_done": progress[0] if progress else None,
        "progress_total": progress[1] if progress else None,
        "ahead": importing.ahead_of(asked) if asked.is_waiting else 0,
        "figures": [(TAB_NAMES[each], asked.counts.get(each, 0)) for each in FIGURES[step]],
        "is_worth_applying": bool(asked.counts.get(Verdict.CREATED) or asked.counts.get(Verdict.UPDATED)),
        "left_out": asked.counts.get("findings_left_out", 0),
        "verdict": verdict,
        "tabs": [
            (str(TAB_NAMES[each]), f"{here}?verdict={each}#rapport", counted[each], each == verdict)
            for each in order
        ],
        "page": Paginator(shown, LINES_A_PAGE).get_page(request.GET.get("page")),
        "is_manager": asked.state == State.APPLIED and is_manager(request.actor),
        "undo_obstacle": importing.undo_obstacle(asked, at=at) if asked.state == State.APPLIED else "",
        "undo_days": importing.UNDO_DAYS,
        "lacks": _lacks(asked, at=at) if asked.state == State.APPLIED else [],
        "breadcrumbs": [*_trail(), (asked.file_name, None)],
    }
    return page_or_fragment(
        request,
        "catalog/provider/imports/import.html",
        "catalog/provider/imports/_import.html",
        context,
        status=422 if error else 200,
    )

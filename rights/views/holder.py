"""What holders see of their rights. Only their own: every query starts from `request.actor.holder`."""

import csv
import datetime
import logging
import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.actors import Role
from accounts.permissions import holder_required
from rights import evidence, screen, seals, statement_paper, statements
from rights.forms import DayForm, HistoryForm
from rights.kinds import Unit
from rulebook.workdays import paris_day
from ui import paper
from ui.htmx import page_or_fragment

logger = logging.getLogger(__name__)

LINES_A_PAGE = 25
BYTE_ORDER_MARK = "\ufeff"
"""Without it, the usual spreadsheets read accents wrong."""
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_safe
def statement(request):
    """« Mes droits »; before activation, the way to it."""
    if request.actor.role == Role.HOLDER and request.actor.holder is None:
        return render(request, "rights/holder/not_activated.html")
    return _statement(request)


@holder_required
def _statement(request):
    at = timezone.now()
    holder = request.actor.holder
    form = HistoryForm(request.GET, years=statements.years(holder))
    day_form = DayForm(request.GET if "jour" in request.GET else None, today=paris_day(at))
    found = _find(request, form, at=at)
    page = Paginator(found.history, LINES_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "screen": screen.screen(
            holder,
            statement=found,
            at=at,
            day=day_form.cleaned_data["jour"] if day_form.is_bound and day_form.is_valid() else None,
        ),
        "statement": found,
        "page": page,
        "lines": screen.explained(list(page), holder=holder),
        "form": form,
        "day_form": day_form,
        "is_narrowed": bool(form.is_valid() and any(form.cleaned_data.values())),
        "query": request.GET.urlencode(),
    }
    return page_or_fragment(
        request,
        "rights/holder/statement.html",
        "rights/holder/_history.html",
        context,
        status=422 if day_form.errors else 200,
    )


@require_safe
@holder_required
def statement_file(request):
    """The same history as a file for a spreadsheet, narrowed like the page (poche, annee, sorte)."""
    form = HistoryForm(request.GET, years=statements.years(request.actor.holder))
    found = _find(request, form, at=timezone.now())
    response = HttpResponse(
        BYTE_ORDER_MARK,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="releve-de-droits.csv"'},
    )
    rows = csv.writer(response, delimiter=";", lineterminator="\r\n")
    rows.writerow(
        [
            _("Enregistré le"),
            _("Date de valeur"),
            _("Opération"),
            _("Motif"),
            _("Droits"),
            _("Montant"),
            _("Solde"),
            _("Unité"),
        ]
    )
    for line in found.history[:]:
        rows.writerow(
            [
                f"{timezone.localtime(line.recorded_at):%d/%m/%Y %H:%M}",
                f"{line.value_date:%d/%m/%Y}",
                _safe(line.words),
                _safe(line.reason),
                _safe(line.pocket),
                _number(line.effect, line.unit),
                _number(line.balance, line.unit),
                _("euro") if line.unit == Unit.EUR_CENT else _("heure"),
            ]
        )
    return response


@require_safe
@holder_required
def statement_as_paper(request):
    """The same history on paper (PDF), narrowed like the page."""
    at = timezone.now()
    holder = request.actor.holder
    form = HistoryForm(request.GET, years=statements.years(holder))
    found = _find(request, form, at=at)
    year, kind = _narrowing(form)
    facts = statement_paper.facts(
        holder,
        statement=found,
        head=seals.head(),
        at=at,
        year=year,
        kind=kind,
        address=request.build_absolute_uri(reverse("rights")),
    )
    try:
        pdf = paper.typeset(statement_paper.TEMPLATE, facts)
    except paper.PaperFailed:
        logger.exception("the statement could not be typeset")
        messages.error(
            request, _("Le relevé PDF n’a pas pu être fait. Réessayez plus tard, ou prenez le fichier CSV.")
        )
        return redirect("rights")
    return HttpResponse(
        pdf,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{_paper_name(year)}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@require_safe
@holder_required
def statement_proof(request):
    """The whole history with its hashes: whoever has the file can verify it without us (rights.evidence)."""
    return HttpResponse(
        evidence.write(request.actor.holder, at=timezone.now()),
        content_type="application/json; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="releve-de-droits.json"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _find(request, form: HistoryForm, *, at: datetime.datetime) -> statements.Statement:
    pocket = request.GET.get("poche", "")
    year, kind = _narrowing(form)
    try:
        return statements.statement(
            request.actor.holder,
            at=at,
            pocket_id=uuid.UUID(pocket) if pocket else None,
            year=year,
            kind=kind,
        )
    except (ValueError, LookupError):
        raise Http404 from None


def _narrowing(form: HistoryForm) -> tuple[int | None, str]:
    """The year and the kind asked for. A filter that no list offers narrows nothing."""
    if not form.is_valid():
        return None, ""
    year = form.cleaned_data["annee"]
    return int(year) if year else None, form.cleaned_data["sorte"]


def _paper_name(year: int | None) -> str:
    return f"releve-de-droits-{year}.pdf" if year else "releve-de-droits.pdf"


def _number(amount: int, unit: str) -> str:
    """A number a French spreadsheet can add up: -1234,50 or 25."""
    if unit == Unit.HOUR:
        return str(amount)
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100},{abs(amount) % 100:02}"


def _safe(text: str) -> str:
    """Text stays text: a spreadsheet must not compute a cell that somebody else wrote."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text

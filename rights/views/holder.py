"""What holders see of their rights. Only their own: every query starts from `request.actor.holder`."""

import csv
import uuid

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.actors import Role
from accounts.permissions import holder_required
from rights import evidence, statements
from rights.forms import HistoryForm
from rights.kinds import Unit
from ui.htmx import page_or_fragment

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
    years = statements.years(request.actor.holder)
    form = HistoryForm(request.GET, years=years)
    found = _find(request, form)
    page = Paginator(found.history, LINES_A_PAGE).get_page(request.GET.get("page"))
    sources = statements.sources(found.pockets)
    context = {
        "statement": found,
        "pockets": [(pocket, sources.get(pocket.id, [])) for pocket in found.pockets],
        "page": page,
        "form": form,
        "is_narrowed": bool(form.is_valid() and any(form.cleaned_data.values())),
        "query": request.GET.urlencode(),
    }
    return page_or_fragment(request, "rights/holder/statement.html", "rights/holder/_history.html", context)


@require_safe
@holder_required
def statement_file(request):
    """The same history as a file for a spreadsheet, narrowed like the page (poche, annee, sorte)."""
    found = _find(request, HistoryForm(request.GET, years=statements.years(request.actor.holder)))
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


def _find(request, form: HistoryForm) -> statements.Statement:
    pocket = request.GET.get("poche", "")
    # A filter that no list offers narrows nothing.
    year, kind = (form.cleaned_data["annee"], form.cleaned_data["sorte"]) if form.is_valid() else ("", "")
    try:
        return statements.statement(
            request.actor.holder,
            at=timezone.now(),
            pocket_id=uuid.UUID(pocket) if pocket else None,
            year=int(year) if year else None,
            kind=kind,
        )
    except (ValueError, LookupError):
        raise Http404 from None


def _number(amount: int, unit: str) -> str:
    """A number a French spreadsheet can add up: -1234,50 or 25."""
    if unit == Unit.HOUR:
        return str(amount)
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100},{abs(amount) % 100:02}"


def _safe(text: str) -> str:
    """Text stays text: a spreadsheet must not compute a cell that somebody else wrote."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text

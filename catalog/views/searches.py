"""« Mes recherches »: asked again with one click, told of by mail, and stopped without signing in."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import holder_required
from catalog import alerts, saved_searches
from catalog.forms import SavedSearchForm
from catalog.models import SavedSearch
from ui.refusals import Refused


@holder_required
@require_safe
def searches(request: HttpRequest) -> HttpResponse:
    """The last saved first, each with its own form. One query."""
    mine = SavedSearch.objects.filter(user=request.user).order_by("-added_at", "id")
    return render(request, "catalog/public/saved_searches.html", _context(mine))


def _context(mine, refused: SavedSearchForm | None = None) -> dict:
    """Ids of the fields carry the search's: several forms stand on one page."""
    forms = [
        (each, refused if refused and refused.prefix == f"r{each.pk.hex}" else SavedSearchForm.of(each))
        for each in mine
    ]
    return {
        "searches": forms,
        "refused": refused,
        "most": saved_searches.MOST,
        "breadcrumbs": [(_("Mes recherches"), None)],
    }


@holder_required
@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """The search of the page that is open: its address in `query`. Leads back to it."""
    query = request.POST.get("query", "")[: 2 * saved_searches.QUERY_MAX]
    form = SavedSearchForm(request.POST)
    if not form.is_valid():
        for faults in form.errors.values():
            messages.error(request, faults[0])
        return redirect("saved_searches")
    try:
        saved = saved_searches.keep(
            query,
            user=request.user,
            at=timezone.now(),
            costs=saved_searches.costs_of(request),
            **form.cleaned_data,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("saved_searches")
    words = _("« %s » est dans « Mes recherches ».")
    if saved.alert != SavedSearch.Alert.NONE:
        words = _("« %s » est dans « Mes recherches ». Le nouveau vous sera dit par e-mail.")
    messages.success(request, words % saved.name)
    return HttpResponseRedirect(_address(saved))


@holder_required
@require_POST
def change(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Another name, another alert; what is wrong stands beside its field."""
    get_object_or_404(SavedSearch, pk=search_id, user=request.user)
    form = SavedSearchForm(request.POST, prefix=f"r{search_id.hex}")
    if not form.is_valid():
        mine = SavedSearch.objects.filter(user=request.user).order_by("-added_at", "id")
        return render(request, "catalog/public/saved_searches.html", _context(mine, form), status=422)
    saved = saved_searches.change(search_id, user=request.user, at=timezone.now(), **form.cleaned_data)
    messages.success(request, _("« %s » est à jour.") % saved.name)
    return redirect("saved_searches")


@holder_required
@require_POST
def drop(request: HttpRequest, search_id: UUID) -> HttpResponse:
    saved_searches.drop(search_id, user=request.user)
    messages.success(request, _("La recherche n’est plus dans votre liste."))
    return redirect("saved_searches")


@holder_required
@require_safe
def run(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Ask it again: an address short enough for a mail."""
    return HttpResponseRedirect(_address(get_object_or_404(SavedSearch, pk=search_id, user=request.user)))


def _address(saved: SavedSearch) -> str:
    return f"{reverse('search')}?{saved.query}"


@never_cache
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def stop_alerts(request: HttpRequest, token: str) -> HttpResponse:
    """Stops the alerts of whom this address was written for; a GET only asks.

    A mail reader posts here by itself (RFC 8058), without cookie or page before: the signature is the proof,
    and nothing else can be done with it.
    """
    user_id = alerts.person_behind(token)
    if user_id is None:
        raise Http404
    is_done = request.method == "POST"
    if is_done:
        saved_searches.stop_alerts(user_id)
    response = render(request, "catalog/public/alerts_stop.html", {"is_done": is_done})
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response

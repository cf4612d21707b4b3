"""Choosing among offers: side by side, or kept for later."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

import rulebook
from accounts.permissions import holder_required
from catalog import comparing, favourites, search
from catalog.models import Favourite, Offer
from catalog.search import SearchQuery
from rulebook import workdays
from ui.caches import kept as kept_by_caches
from ui.refusals import Refused
from ui.replica import from_replica


@login_not_required
@require_safe
@kept_by_caches(seconds=60)
@from_replica
def compare(request: HttpRequest) -> HttpResponse:
    """`?offre=…&offre=…`: an address that can be sent to somebody. What is not an offer's id is ignored."""
    today = workdays.paris_day(timezone.now())
    asked = list(dict.fromkeys(filter(None, map(_id, request.GET.getlist("offre")[:50]))))
    offers = comparing.found(asked, on=today, rules=rulebook.on(today))
    differ, same = comparing.compare(offers)
    context = {
        "offers": [(offer, _without(offers, offer)) for offer in offers],
        "differ": differ,
        "same": same,
        "most": comparing.MOST,
        "left_out": max(0, min(len(asked), comparing.MOST) - len(offers)),
        "is_too_many": len(asked) > comparing.MOST,
        "breadcrumbs": [(_("Recherche"), reverse("search")), (_("Comparer"), None)],
    }
    return render(request, "catalog/public/compare.html", context)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _without(offers: list[Offer], offer: Offer) -> str:
    return "?" + "&".join(f"offre={each.pk}" for each in offers if each != offer)


@holder_required
@require_safe
def kept(request: HttpRequest) -> HttpResponse:
    """« Mes favoris », the last kept first; those that are no longer open say so."""
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    mine = Favourite.objects.filter(user=request.user).order_by("-added_at", "id")
    ids = list(mine.values_list("offer_id", flat=True))
    shown = {
        offer.pk: offer
        for offer in search.cards(Offer.objects.filter(pk__in=ids), SearchQuery(), on=today, rules=rules)
    }
    is_open = set(Offer.objects.open_on(today, rules).filter(pk__in=ids).values_list("pk", flat=True))
    context = {
        "offers": [(shown[pk], pk in is_open) for pk in ids if pk in shown],
        "open_count": len(is_open),
        "most": comparing.MOST,
        "breadcrumbs": [(_("Mes favoris"), None)],
    }
    return render(request, "catalog/public/favourites.html", context)


@holder_required
@require_POST
def keep(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    visible = Offer.objects.visible_to(request.actor, on=today, rules=rulebook.on(today))
    offer = get_object_or_404(visible, pk=offer_id)
    try:
        favourites.keep(offer, user=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("« %s » est dans vos favoris.") % offer.title)
    return _back(request, offer_id)


@holder_required
@require_POST
def drop(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    """Of an offer that is gone too: it is only taken off one's own list."""
    favourites.drop(offer_id, user=request.user)
    messages.success(request, _("La formation n’est plus dans vos favoris."))
    return _back(request, offer_id)


def _back(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    """Where the button was, if it is a page of ours."""
    there = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(there, allowed_hosts=None):
        return HttpResponseRedirect(there)
    return redirect("offer", offer_id)

"""The catalogue, for the members of an organisation."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

import rulebook
from accounts.permissions import provider_required
from catalog import listing, publishing
from catalog.forms import OwnOffersForm
from catalog.models import Offer
from rulebook import workdays
from ui.htmx import page_or_fragment


@provider_required
@require_safe
def offers(request):
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    form = OwnOffersForm(request.GET)
    context = {"form": form, "breadcrumbs": [(_("Mes offres"), None)]}
    if form.is_valid():
        found = listing.own_offers(
            request.actor.organisation_id,
            on=today,
            rules=rules,
            text=form.cleaned_data["q"],
            state=form.cleaned_data["state"],
        )
        context["page"] = listing.own_offers_page(found, request.GET.get("page", 1), on=today, rules=rules)
    return page_or_fragment(request, "catalog/provider/offers.html", "catalog/provider/_offers.html", context)


@provider_required
@require_POST
def publish(request, offer_id):
    offer = get_object_or_404(Offer, pk=offer_id, provider_id=request.actor.organisation_id)
    publishing.publish(offer.pk, by=request.actor, at=timezone.now())
    messages.success(request, _("« %(title)s » n’est plus masquée.") % {"title": offer.title})
    return redirect("provider_offers")


@provider_required
@require_POST
def hide(request, offer_id):
    offer = get_object_or_404(Offer, pk=offer_id, provider_id=request.actor.organisation_id)
    publishing.hide(offer.pk, by=request.actor, at=timezone.now())
    messages.success(
        request,
        _("« %(title)s » est masquée. Les dossiers confirmés ne changent pas.") % {"title": offer.title},
    )
    return redirect("provider_offers")

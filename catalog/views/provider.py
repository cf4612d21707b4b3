"""« Mes offres »: what an organisation has in the catalogue, sorted out, and verbs for several at once."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

import rulebook
from accounts.permissions import provider_required
from catalog import editing, exporting, listing, publishing
from catalog.forms import BulkForm, OwnOffersForm
from catalog.guards import NotReady
from catalog.listing import Shown
from catalog.models import Offer, Provider
from catalog.views.requests import own_offers
from rulebook import workdays
from ui.htmx import page_or_fragment
from ui.refusals import Refused

REFUSALS_TOLD = 5


@provider_required
@require_safe
def offers(request: HttpRequest) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    form = OwnOffersForm(request.GET)
    context = {"form": form, "breadcrumbs": [(_("Mes offres"), None)]}
    if form.is_valid():
        text, state = form.cleaned_data["q"], form.cleaned_data["state"]
        organisation_id = request.actor.organisation_id
        found = listing.own_offers(organisation_id, on=today, rules=rules, text=text, shown=state)
        counts = listing.own_counts(organisation_id, on=today, rules=rules)
        context |= {
            "page": listing.own_offers_page(found, request.GET.get("page", 1), on=today, rules=rules),
            "tabs": _tabs(request, counts, state),
            "has_any": any(counts.values()),
            "is_filtered": bool(text or state),
        }
    return page_or_fragment(request, "catalog/provider/offers.html", "catalog/provider/_offers.html", context)


def _tabs(request: HttpRequest, counts: dict[str, int], state: str) -> list[tuple[str, str, int, bool]]:
    def address(value: str) -> str:
        asked = request.GET.copy()
        asked.pop("page", None)
        asked["state"] = value
        return f"{reverse('provider_offers')}?{asked.urlencode()}"

    tabs = [(_("Toutes"), address(""), sum(counts.values()), state == "")]
    return tabs + [(str(each.label), address(each), counts[each], state == each) for each in Shown]


@provider_required
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """What the file would hold, and what it would not, before it is taken."""
    provider = get_object_or_404(Provider, pk=request.actor.organisation_id)
    context = {
        "told": exporting.preview(provider),
        "breadcrumbs": [(_("Mes offres"), reverse("provider_offers")), (_("Exporter"), None)],
    }
    return render(request, "catalog/provider/export.html", context)


@provider_required
@require_safe
def export_file(request: HttpRequest) -> StreamingHttpResponse:
    provider = get_object_or_404(Provider, pk=request.actor.organisation_id)
    day = workdays.paris_day(timezone.now())
    return StreamingHttpResponse(
        exporting.export(provider),
        content_type="application/xml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="catalogue-{day:%Y-%m-%d}.xml"'},
    )


@provider_required
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """The same verb for each offer that is ticked, one after the other: what refuses stops no other."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        messages.error(request, next(iter(form.errors.values()))[0])
        return redirect("provider_offers")
    chosen = own_offers(request).filter(pk__in=form.cleaned_data["offer"]).order_by("title", "pk")
    done, refused = [], []
    for offer in chosen:
        try:
            _verb(form.cleaned_data["action"], offer)(offer.pk, by=request.actor, at=timezone.now())
            done.append(offer)
        except Refused as refusal:
            remarks = refusal.remarks if isinstance(refusal, NotReady) else []
            refused.append((offer, remarks[0].sentence if remarks else refusal.message))
    _tell(request, form.cleaned_data["action"], done, refused)
    return redirect("provider_offers")


def _verb(action: str, offer: Offer) -> Callable[..., object]:
    if action == BulkForm.PUBLISH:
        return editing.publish if offer.is_draft else publishing.publish
    if action == BulkForm.DELETE:
        return editing.delete
    if offer.is_draft:
        raise Refused(_("c’est un brouillon, que personne d’autre ne voit."))
    return publishing.hide


def _tell(request: HttpRequest, action: str, done: list[Offer], refused: list[tuple[Offer, str]]) -> None:
    count = len(done)
    if count:
        words = {
            BulkForm.PUBLISH: ngettext("%(n)s offre est montrée.", "%(n)s offres sont montrées.", count),
            BulkForm.HIDE: ngettext(
                "%(n)s offre est masquée. Les dossiers confirmés ne changent pas.",
                "%(n)s offres sont masquées. Les dossiers confirmés ne changent pas.",
                count,
            ),
            BulkForm.DELETE: ngettext("%(n)s offre est supprimée.", "%(n)s offres sont supprimées.", count),
        }[action]
        messages.success(request, words % {"n": count})
    for offer, why in refused[:REFUSALS_TOLD]:
        title = offer.title or _("Offre sans intitulé")
        messages.warning(request, _("« %(title)s » : %(why)s") % {"title": title, "why": why})
    more = len(refused) - REFUSALS_TOLD
    if more > 0:
        words = ngettext("%(n)s autre offre n’a pas changé.", "%(n)s autres offres n’ont pas changé.", more)
        messages.warning(request, words % {"n": more})

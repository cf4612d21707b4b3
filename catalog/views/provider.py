"""« Mes offres »: what an organisation has in the catalogue, sorted out, and verbs for several at once."""

from functools import partial
from urllib.parse import urlencode

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
from catalog import editing, endings, exporting, lint, listing, publishing, succession
from catalog.forms import BulkForm, OwnOffersForm
from catalog.listing import Shown
from catalog.models import Offer, Provider
from catalog.views.requests import asked_of_list, lack_links, list_url, own_offers, step_url
from rulebook import workdays
from ui.htmx import page_or_fragment
from ui.refusals import Refused, request_id_of

REFUSALS_TOLD = 5
# More than an organisation has, and what a request can do while somebody waits for its answer.
EVERY_MAX = 1000

Outcome = tuple[list[Offer], list[tuple[Offer, str]]]


@provider_required
@require_safe
def offers(request: HttpRequest) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    form = OwnOffersForm(request.GET)
    context = {"form": form, "breadcrumbs": [(_("Mes offres"), None)]}
    if form.is_valid():
        text, state, lack = (form.cleaned_data[name] for name in ("q", "state", "lack"))
        organisation_id = request.actor.organisation_id
        asked = {"text": text, "shown": state, "on": today, "rules": rules}
        found = listing.own_offers(organisation_id, lack=lack, **asked)
        counts = listing.own_counts(organisation_id, on=today, rules=rules)
        lacks = listing.lack_counts(listing.own_offers(organisation_id, **asked), on=today, rules=rules)
        page = listing.own_offers_page(found, request.GET.get("page", 1), on=today, rules=rules)
        as_asked = urlencode({"list": asked_of_list(request.GET)})
        context |= {
            "lacks": lack_links(lacks, partial(_list_with, request, "lack"), chosen=lack),
            "page": page,
            "lines": [(line, _complete_url(line.offer, lack, as_asked)) for line in page.object_list],
            "as_asked": as_asked,
            "tabs": _tabs(request, counts, state),
            "has_any": any(counts.values()),
            "endings": endings.count_of(organisation_id, on=today, rules=rules),
            "every_max": EVERY_MAX,
            "to_take_over": lint.TO_TAKE_OVER,
        }
    return page_or_fragment(request, "catalog/provider/offers.html", "catalog/provider/_offers.html", context)


def _complete_url(offer: Offer, lack: str, as_asked: str) -> str:
    """Where what it lacks is told, and how to come back; "" when nothing is looked for."""
    if not lack:
        return ""
    step, field = lint.TOLD_IN[lint.Lack(lack)]
    return f"{step_url(offer, step)}?{as_asked}" + (f"#id_{field}" if field else "")


def _list_with(request: HttpRequest, name: str, value: str) -> str:
    """The address of the same list, sorted out otherwise."""
    asked = request.GET.copy()
    asked.pop("page", None)
    asked[name] = value
    return f"{reverse('provider_offers')}?{asked.urlencode()}"


def _tabs(request: HttpRequest, counts: dict[str, int], state: str) -> list[tuple[str, str, int, bool]]:
    current = sum(counts.values()) - counts[Shown.ARCHIVED]
    tabs = [
        (_("Toutes, hors archives"), "", current),
        *((str(each.label), each, counts[each]) for each in Shown),
    ]
    return [
        (label, _list_with(request, "state", value), count, state == value) for label, value, count in tabs
    ]


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
    """The same verb for each offer that is ticked, or that the list finds: what refuses stops no other."""
    form = BulkForm(request.POST)
    wanted = OwnOffersForm(request.POST)
    back = list_url(asked_of_list(request.POST))
    # « Every one of this list » is nothing without the list that they saw.
    wrong = form if not form.is_valid() else wanted if form.cleaned_data["every"] else None
    if wrong is not None and not wrong.is_valid():
        messages.error(request, next(iter(wrong.errors.values()))[0])
        return redirect(back)
    action = form.cleaned_data["action"]
    chosen = _chosen(request, form, wanted)
    try:
        done, refused = _carry_out(action, chosen, request)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect(back)
    _tell(request, action, done, refused)
    return redirect(back)


def _chosen(request: HttpRequest, form: BulkForm, wanted: OwnOffersForm) -> list[Offer]:
    """Their own offers that are meant, by title; EVERY_MAX at most."""
    if not form.cleaned_data["every"]:
        return list(own_offers(request).filter(pk__in=form.cleaned_data["offer"]).order_by("title", "pk"))
    today = workdays.paris_day(timezone.now())
    found = listing.own_offers(
        request.actor.organisation_id,
        on=today,
        rules=rulebook.on(today),
        text=wanted.cleaned_data["q"],
        shown=wanted.cleaned_data["state"],
        lack=wanted.cleaned_data["lack"],
    )
    return list(found[:EVERY_MAX])


def _carry_out(action: str, chosen: list[Offer], request: HttpRequest) -> Outcome:
    at = timezone.now()
    if action == BulkForm.DELETE:
        return editing.delete_each([offer.pk for offer in chosen], by=request.actor, at=at)
    drafts = [offer.pk for offer in chosen if offer.is_draft] if action == BulkForm.PUBLISH else []
    done, unready = editing.publish_each(drafts, by=request.actor, at=at) if drafts else ([], [])
    others = {offer.pk for offer in chosen}.difference(drafts)
    verb = publishing.Verb(action)
    moved, kept = publishing.move_each(verb, others, by=request.actor, at=at) if others else ([], [])
    refused = [(offer, remarks[0].sentence) for offer, remarks in unready]
    return [*done, *moved], [*refused, *kept]


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
            BulkForm.ARCHIVE: ngettext(
                "%(n)s offre est archivée. Ses dossiers continuent.",
                "%(n)s offres sont archivées. Leurs dossiers continuent.",
                count,
            ),
            BulkForm.UNARCHIVE: ngettext(
                "%(n)s offre est sortie des archives. Elle reste masquée.",
                "%(n)s offres sont sorties des archives. Elles restent masquées.",
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


@provider_required
@require_POST
def take_over(request: HttpRequest, code: str) -> HttpResponse:
    """The offers of a certification that ends, as drafts for the one that replaces it (`new`)."""
    new = request.POST.get("new", "").replace("\0", "")[:12]
    try:
        done = succession.take_over(
            old_code=code[:12],
            new_code=new,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("provider_endings")
    count = len(done.made)
    if count:
        words = ngettext(
            "%(n)s brouillon est prêt pour %(code)s. Relisez-le, puis publiez-le.",
            "%(n)s brouillons sont prêts pour %(code)s. Relisez-les, puis publiez-les.",
            count,
        )
        messages.success(request, words % {"n": count, "code": new})
    else:
        messages.success(
            request, _("C’était déjà fait : toutes ces offres sont reprises pour %(code)s.") % {"code": new}
        )
    return redirect(f"{reverse('provider_offers')}?{urlencode({'state': Shown.DRAFT, 'q': new})}")

"""The catalogue, open to everyone."""

from collections.abc import Iterable
from datetime import date

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import rulebook
from catalog import (
    eligibility,
    facets,
    favourites,
    finding,
    grouping,
    known,
    listing,
    mapping,
    offer_screen,
    places,
    saved_searches,
    widening,
)
from catalog.forms import MAP, SearchForm, count_words, offer_words
from catalog.grouping import Groups
from catalog.models import Offer
from catalog.search import Results, Sort, find_towns
from catalog.search import search as find_offers
from catalog.views.limits import in_time, limited
from rulebook import Rules, workdays
from ui import french
from ui.caches import kept
from ui.htmx import page_or_fragment
from ui.replica import from_replica


@login_not_required
@require_safe
@kept(seconds=60)
@from_replica
@limited("search")
@in_time
def search(request):
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    form = SearchForm(request.GET, costs=saved_searches.costs_of(request))
    context = {"form": form, "rules": rules, "breadcrumbs": [(_("Recherche"), None)]}
    if form.is_valid():
        page = request.GET.get("page", 1)
        results: Groups | Results | None = None
        if grouping.is_asked(form.query):
            results = grouping.find(form.query, on=today, rules=rules, page=page)
        if not results or not results.total:
            results = find_offers(form.query, on=today, rules=rules, page=page)
        keys = results.keys if isinstance(results, Groups) else None
        counted = facets.count(form.query, keys, on=today, rules=rules)
        if form.is_on_a_map:
            drawn = mapping.draw(form.query, keys, on=today, rules=rules)
            context |= {
                "map": drawn,
                "marks": [(mark, form.address_of_mark(mark)) for mark in drawn.places],
                "sheets": [
                    (sheet, [(mark, form.address_of_mark(mark)) for mark in sheet.marks])
                    for sheet in drawn.sheets
                ],
            }
        form.certifier_name = next(
            (each.name for each in counted.certifiers if each.siret == form.query.certifier), ""
        )
        context |= {
            "counts": form.show_counts(counted),
            "certifiers": [
                (
                    _told_apart(each, counted.certifiers),
                    count_words(each.count),
                    form.address_with(certifier=each.siret),
                )
                for each in counted.certifiers
                if each.siret != form.query.certifier
            ],
        }
        suggestion = getattr(results, "suggestion", "")
        groups = getattr(results, "groups", ())
        read_as = finding.read_as(form.query.text, getattr(results, "corrections", {}))
        shown = sum(len(group.offers) for group in groups) if groups else len(results.page)
        context |= {
            "saving": saved_searches.of_page(form, request),
            "is_grouped": isinstance(results, Groups),
            "list_url": form.address_with(sort=Sort.PRICE),
            "views": [
                (_("Liste"), form.address_with(view=""), not form.is_on_a_map),
                (_("Carte"), form.address_with(view=MAP), form.is_on_a_map),
            ],
            "groups": [(group, form.address_of(group)) for group in groups],
            "can_compare": shown > 1,
            "results": results,
            "chips": form.chips(),
            "read_as": read_as,
            "read_as_url": form.address_with(q=read_as) if read_as else "",
            "suggestion_url": form.address_with(q=suggestion) if suggestion else "",
            "other_towns": [(town, form.address_with(town=str(town))) for town in form.other_towns],
        }
        if place := _place_in_words(form):
            context |= {"place": place, "place_url": form.address_with(q=place.text, town=str(place.town))}
        if not results.total:
            context |= _what_to_change(form, suggestion, results.earliest_start, on=today, rules=rules)
        elif isinstance(results, Groups) and results.lacks_its_numbers:
            context |= _known(form, by_words=False, on=today, rules=rules)
    return page_or_fragment(request, "catalog/public/search.html", "catalog/public/_results.html", context)


def _what_to_change(form: SearchForm, suggestion: str, earliest: date, *, on: date, rules: Rules) -> dict:
    """Where nothing answers: the certifications that are meant, and what to ask instead."""
    found = widening.ways(form.query, on=on, rules=rules)
    # Words that find offers under other filters are no question about one certification.
    by_words = not (found or suggestion)
    return {
        "wider": form.wider(found),
        "too_soon": earliest if widening.is_too_soon(form.query, earliest) else None,
        **_known(form, by_words=by_words, on=on, rules=rules),
    }


def _place_in_words(form: SearchForm) -> places.Place | None:
    """The town that the words seem to name, where none is asked for otherwise."""
    query = form.query
    return places.find(query.text) if not (query.town or query.certification) else None


def _known(form: SearchForm, *, by_words: bool, on: date, rules: Rules) -> dict:
    """Certifications that are meant and that no answer is of, each with how many offers of it and of what
    replaces it there are, in words."""
    return {
        "known": [
            (
                each,
                offer_words(each.offers) if each.offers else "",
                [(new, offer_words(new.offers) if new.offers else "") for new in each.replaced_by],
            )
            for each in known.find(form.query, by_words=by_words, on=on, rules=rules)
        ]
    }


def _told_apart(certifier: facets.Certifier, others: Iterable[facets.Certifier]) -> str:
    """Two establishments of one name are two choices: the number says which is which."""
    is_alone = sum(each.name == certifier.name for each in others) == 1
    return certifier.name if is_alone else f"{certifier.name} ({french.siret(certifier.siret)})"


@login_not_required
@require_safe
@kept(seconds=60)
@from_replica
def offer(request, offer_id):
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    visible = Offer.objects.visible_to(request.actor, on=today, rules=rules)
    seen = visible.select_related("provider__organisation", "certification", "town")
    offer = get_object_or_404(seen, pk=offer_id)
    lines = listing.sessions_of(offer, on=today, rules=rules)
    context = {
        "offer": offer,
        "rules": rules,
        "facts": offer_screen.certification_of(offer, on=today),
        "jobs": offer_screen.jobs_of(offer),
        "qualiopi": offer_screen.qualiopi_of(offer),
        "reasons": eligibility.refusals(eligibility.facts_of(offer), on=today, rules=rules),
        "lines": lines,
        "open_lines": [line for line in lines if not line.obstacle],
        "is_listed_whole": offer.sessions.count() <= listing.SESSIONS_MAX,
        "can_enrol_here": not (request.actor.is_provider or request.actor.is_admin),
        "breadcrumbs": [(_("Recherche"), reverse("search")), (offer.title, None)],
        "is_kept": request.actor.is_holder and favourites.kept_among([offer.pk], user=request.user),
        "is_own": request.actor.is_provider and request.actor.organisation_id == offer.provider_id,
    }
    return render(request, "catalog/public/offer.html", context)


@login_not_required
@require_safe
@kept(seconds=600)
@from_replica
@limited("suggestions")
def town_suggestions(request):
    """Options for the list beside the town field: `town`, at least two characters."""
    text = request.GET.get("town", "").replace("\0", "")[:100].strip()
    towns = find_towns(text) if len(text) > 1 else []
    return render(request, "catalog/public/_towns.html", {"towns": towns})

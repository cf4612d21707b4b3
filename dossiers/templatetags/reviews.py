"""What a page of the catalogue says of what only dossiers know: {% load reviews %}.

The catalogue never hears of dossiers; its templates may ask here. Each tag tells how many queries it takes.
"""

from collections.abc import Iterable
from datetime import date

from django import template

from catalog.listing import SessionLine
from catalog.models import Offer
from dossiers import answering, places, review_screen
from rulebook import Rules

register = template.Library()


@register.simple_tag(takes_context=True)
def reviews_of(context, offer: Offer, rules: Rules) -> review_screen.OfferReviews | None:
    """{% reviews_of offer rules as reviews %}; None, without a query, for an offer nobody has reviewed."""
    return review_screen.of_offer(offer, page=context["request"].GET.get("page", 1), rules=rules)


@register.simple_tag
def answers_of(offer: Offer, rules: Rules) -> answering.Answers | None:
    """{% answers_of offer rules as answers %}: how its organisation answers requests. One query."""
    return answering.of(offer.provider_id, rules=rules)


@register.simple_tag
def places_left(lines: Iterable[SessionLine]) -> dict:
    """{% places_left lines as left %}: session key → places not taken here. One query; none without sizes."""
    return places.left([line.session for line in lines])


@register.filter
def of_key(found: dict, key):
    """{{ left|of_key:session.pk }}; None where nothing is known."""
    return found.get(key)


@register.filter
def trained(day: date) -> str:
    """« Une personne, formée en mars 2026 »."""
    return review_screen.trained_words(day)

"""« Idées pour vous » on a holder's home: a few trainings that fit what they said, and why each is shown.

Nothing is paid for, nothing is learnt from what anybody clicks: the same wishes, account and day give the
same ideas (docs/search.md). They come from the search that everybody has, asked with what the person said.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from accounts.actors import Actor
from catalog import grouping, search, wishes
from catalog.costs import ANYBODY, Costs
from catalog.models import Offer, Town, Wish
from catalog.search import SearchQuery, Sort
from catalog.templatetags.catalog import kilometres
from dossiers.views.receipts import Wallet
from rulebook import Rules
from ui import french
from ui.patience import TooLong, at_most

MOST = 6
RADIUS_KM = 50
# Home waits for its ideas no longer than that, and then does without.
SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Idea:
    """One open offer, and what makes it fit, in words."""

    offer: Offer
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Ideas:
    """`is_asked`: they have said their wishes, empty ones included. `found`: at most MOST, may be none.

    `address`: the search behind them, for « Voir plus »; empty when nothing is known to look for.
    """

    is_asked: bool
    found: list[Idea]
    address: str


def of_holder(
    actor: Actor, *, wallet: Wallet | None, costs: Callable[[], Costs | None], rules: Rules
) -> Ideas:
    """Ideas for this holder on the day of the rules. Two queries for what is known of them, then those of one
    page of search."""
    said = wishes.of(actor.user)
    town = said.town if said and said.town else wishes.home_town(actor.holder)
    query = _query(said, town, costs)
    if query is None:
        return Ideas(is_asked=said is not None, found=[], address="")
    try:
        with at_most(min(SECONDS, settings.SEARCH_SECONDS), using=connection.alias):
            found = _fitting(query, said, wallet, rules=rules)
    except TooLong:
        found = []
    return Ideas(is_asked=said is not None, found=found, address=_address(query))


def _query(said: Wish | None, town: Town | None, costs: Callable[[], Costs | None]) -> SearchQuery | None:
    """What to search for; None: nothing is known of what they want, nor of where they are."""
    job, level = (said.job, said.level) if said else ("", None)
    if not job and not level and town is None:
        return None
    budget = said.budget_cents if said else None
    return SearchQuery(
        text=job,
        cost_max_cents=budget,
        costs=(None if budget is None else costs()) or ANYBODY,
        town=town,
        radius_km=RADIUS_KM,
        # What is taught at a distance is near everybody.
        modes=tuple(Offer.Mode.values) if town else (),
        levels=(level,) if level else (),
        sort=Sort.RELEVANCE if job or town is None else Sort.DISTANCE,
    )


def _fitting(query: SearchQuery, said: Wish | None, wallet: Wallet | None, *, rules: Rules) -> list[Idea]:
    """In the order of the search: what their rights pay first, then what is within the budget they gave."""
    budget = said.budget_cents if said else None
    paid, others = [], []
    for offer in _one_each(_offers(query, rules=rules)):
        plan = wallet.plan(offer) if wallet else None
        if plan and plan.obstacle:
            continue
        own_cents = (plan.remainder_cents if plan else offer.price_cents) + offer.extra_fees_cents
        if budget is not None and own_cents > budget:
            continue
        idea = Idea(offer, _reasons(offer, query, own_cents, budget))
        (others if own_cents else paid).append(idea)
    return (paid + others)[:MOST]


def _offers(query: SearchQuery, *, rules: Rules) -> Iterator[Offer]:
    """One page of answers: of each group the nearest or cheapest, then the second ones."""
    if not grouping.is_asked(query):
        yield from search.search(query, on=rules.day, rules=rules).page
        return
    groups = grouping.find(query, on=rules.day, rules=rules).groups
    for place in range(grouping.SHOWN):
        yield from (group.offers[place] for group in groups if len(group.offers) > place)


def _one_each(offers: Iterator[Offer]) -> Iterator[Offer]:
    """One of each certification (or kind that has none) and organisation: six ideas, not one six times."""
    known: set[object] = set()
    for offer in offers:
        about = {("leads to", offer.certification_id or offer.kind), ("taught by", offer.provider_id)}
        if not about & known:
            known |= about
            yield offer


def _reasons(offer: Offer, query: SearchQuery, own_cents: int, budget: int | None) -> list[str]:
    """« à 12 km », « mène à … », « payé par vos droits »: each true of this offer, none of praise."""
    reasons = []
    if offer.mode == Offer.Mode.DISTANCE:
        reasons.append(_("à distance, de chez vous"))
    elif query.town and offer.distance_m is not None:
        where = {"far": kilometres(offer.distance_m), "town": query.town.name}
        reasons.append(_("%(far)s de %(town)s") % where)
    if query.text:
        reasons.append(_("répond à « %s »") % query.text)
    if offer.certification and offer.certification.title != offer.title:
        reasons.append(_("mène à « %s »") % Truncator(offer.certification.title).chars(80))
    if query.levels and offer.certification:
        reasons.append(_("au niveau %s, que vous visez") % offer.certification.level)
    if not own_cents:
        reasons.append(_("payée par vos droits"))
    elif budget is not None:
        reasons.append(_("vous payez %s, dans votre budget") % french.euros(own_cents))
    else:
        reasons.append(_("vous payez %s") % french.euros(own_cents))
    return reasons


def _address(query: SearchQuery) -> str:
    """The same search, open to be changed."""
    asked: dict[str, object] = {"q": query.text, "level": list(query.levels)}
    if query.town:
        asked |= {"town": str(query.town), "radius": query.radius_km, "mode": list(query.modes)}
    shown = {name: value for name, value in asked.items() if value}
    return f"{reverse('search')}?{urlencode(shown, doseq=True)}"

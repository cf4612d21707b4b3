"""What a price would cost the holder who reads a page of the catalogue, before any dossier exists."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import SimpleLazyObject

import rulebook
from accounts.permissions import enrolment_obstacle
from catalog.costs import Costs
from catalog.models import Offer
from dossiers import funding, prices, workflow
from rulebook import Rules, workdays


@dataclass(frozen=True, slots=True)
class Wallet:
    """What somebody can pay with now. Read once for all the prices of a page."""

    purses: tuple[funding.Purse, ...]
    status: str
    rules: Rules

    def plan(self, offer: Offer) -> funding.Plan:
        return funding.plan(
            price_cents=offer.price_cents,
            purses=self.purses,
            status=self.status,
            rules=self.rules,
            training=workflow.training_of(offer),
        )


def wallet(request):
    """`wallet`: for a holder who may enrol today, else None. Asked for by the pages that show prices only."""
    return {"wallet": SimpleLazyObject(lambda: wallet_of(request))}


def costs(request) -> Costs | None:
    """For the same people, what every offer would cost them (settings.CATALOGUE_COSTS)."""
    found = wallet_of(request)
    return found and prices.costs(purses=found.purses, status=found.status, rules=found.rules)


def wallet_of(request) -> Wallet | None:
    """Read once a page."""
    if not hasattr(request, "wallet"):
        request.wallet = _wallet(request)
    return request.wallet


def _wallet(request) -> Wallet | None:
    actor = getattr(request, "actor", None)
    if actor is None or not actor.is_holder:
        return None
    at = timezone.now()
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    if enrolment_obstacle(actor.holder, on=today, rules=rules):
        return None
    return Wallet(tuple(workflow.purses_of(actor.holder, at=at)), actor.holder.status, rules)

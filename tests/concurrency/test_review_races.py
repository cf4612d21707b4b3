"""Reviews at the same moment: two of one offer are both counted, and a double click gives one.

Each race is first run without its guard, to show that the fault is there.
"""

import uuid
from functools import partial

import pytest
from django.db import IntegrityError

from catalog.models import Offer
from dossiers import moves, review_guards, reviews
from dossiers.models import Dossier, Review
from tests.concurrency.crowd import met_after, together
from tests.factories.catalog import OfferFactory
from tests.factories.dossiers import holder_actor
from tests.factories.reviews import ended_dossier, marks_of

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 8


def giving(dossier, *, at, request_id=None):
    return partial(
        reviews.give,
        dossier.pk,
        by=holder_actor(dossier.holder),
        at=at,
        request_id=request_id or uuid.uuid4(),
        marks=marks_of(4),
    )


def test_reviews_given_at_once_are_all_counted(at):
    offer = OfferFactory(sessions=0)
    dossiers = [ended_dossier(offer) for _number in range(AT_ONCE)]
    outcomes = together([giving(dossier, at=at) for dossier in dossiers])
    assert all(isinstance(outcome, Review) for outcome in outcomes), outcomes
    offer.refresh_from_db()
    assert (offer.reviews_count, offer.rating_tenths) == (AT_ONCE, 40)


def test_without_the_lock_of_the_offer_some_are_not_counted_until_the_sweep(at, monkeypatch):
    monkeypatch.setattr(reviews, "recount", lambda offer_id, *, rules: None)
    offer = OfferFactory(sessions=0)
    together([giving(ended_dossier(offer), at=at) for _number in range(3)])
    assert Offer.objects.get(pk=offer.pk).reviews_count == 0
    assert reviews.recount_all(at=at) == 1
    assert Offer.objects.get(pk=offer.pk).reviews_count == 3


def test_without_the_lock_of_the_dossier_a_double_click_is_a_fault(at, monkeypatch):
    def read(dossier_id):
        found = Dossier.objects.select_related("holder__user", "provider__organisation", "offer")
        return found.get(pk=dossier_id)

    monkeypatch.setattr(moves, "lock", read)
    monkeypatch.setattr(moves, "lock_holder", lambda dossier: None)
    met_after(monkeypatch, review_guards, "check_marks", crowd=AT_ONCE)
    dossier = ended_dossier()
    outcomes = together([giving(dossier, at=at, request_id=uuid.uuid4()) for _number in range(AT_ONCE)])
    assert sum(isinstance(outcome, IntegrityError) for outcome in outcomes) == AT_ONCE - 1, outcomes


def test_a_double_click_gives_one_review(at):
    dossier, request_id = ended_dossier(), uuid.uuid4()
    outcomes = together([giving(dossier, at=at, request_id=request_id) for _number in range(AT_ONCE)])
    assert set(outcomes) == {Review.objects.get()}

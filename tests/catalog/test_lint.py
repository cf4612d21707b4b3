"""What is said of an offer before people see it. Each remark is shown to come, and not to come."""

import pytest

from catalog import lint
from tests.factories.catalog import (
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)

pytestmark = pytest.mark.django_db

FULL = {
    "objectives": "Savoir vendre.",
    "content": "Vendre.",
    "accessibility": "Rampe.",
    "contact_email": "a@exemple.fr",
}


@pytest.fixture
def offer(provider):
    return OfferFactory(provider=provider, town=TownFactory(), **FULL)


def said(offer, rules, field=None):
    sessions = list(offer.sessions.order_by("pk"))
    remarks = lint.review(offer, sessions, on=today(), rules=rules)
    return [remark for remark in remarks if field is None or remark.field == field]


def test_nothing_to_say_of_a_good_offer(offer, rules):
    assert said(offer, rules) == []


@pytest.mark.parametrize("field", ["accessibility", "content", "contact_email"])
def test_what_people_look_for_first_is_asked_for(offer, rules, field):
    setattr(offer, field, "")
    [remark] = said(offer, rules)
    assert (remark.field, remark.blocks) == (field, False)


def test_prerequisites_that_are_checked_are_written(offer, rules):
    offer.has_prerequisites = True
    assert [remark.field for remark in said(offer, rules)] == ["prerequisites"]


@pytest.mark.parametrize(
    ("price", "is_told"), [(300_000, False), (300_001, True), (75_000, False), (74_999, True), (0, False)]
)
def test_a_price_far_from_the_others_is_probably_a_slip(offer, rules, price, is_told):
    """The middle of the others is 1 500 €: twice as much and half of it are still usual."""
    for cents in (150_000, 150_000, 990_000):
        OfferFactory(certification=offer.certification, price_cents=cents)
    offer.price_cents = price
    assert bool([r for r in said(offer, rules, "price_cents") if "courant" in r.sentence]) == is_told


def test_two_others_or_closed_ones_say_nothing_of_what_is_usual(offer, rules):
    OfferFactory.create_batch(2, certification=offer.certification, price_cents=1_000)
    OfferFactory.create_batch(3, certification=offer.certification, price_cents=1_000, is_published=False)
    OfferFactory.create_batch(
        3,
        certification=offer.certification,
        provider=offer.provider,
        price_cents=1_000,
        mode="distance",
        entitled=False,
    )
    assert said(offer, rules, "price_cents") == []


@pytest.mark.parametrize(("hours", "is_told"), [(140, True), (149, True), (150, False), (130, False)])
def test_a_twin_of_one_s_own_is_named(offer, rules, hours, is_told):
    twin = OfferFactory(
        provider=offer.provider,
        certification=offer.certification,
        entitled=False,
        town=offer.town,
        hours=hours,
        title="La jumelle",
    )
    found = said(offer, rules, "hours")
    assert bool(found) == is_told
    if is_told:
        assert "La jumelle" in found[0].sentence and twin.action_number in found[0].sentence


def test_a_twin_of_somebody_else_or_hidden_is_none(offer, rules):
    same = {"certification": offer.certification, "town": offer.town, "entitled": False}
    OfferFactory(provider=ProviderFactory(), **same)
    OfferFactory(provider=offer.provider, is_published=False, **same)
    assert said(offer, rules, "hours") == []


def test_a_session_after_the_certification_is_told(provider, rules):
    offer = OfferFactory(
        provider=provider,
        town=TownFactory(),
        certification=CertificationFactory(registered_until=in_days(75)),
        sessions=0,
        **FULL,
    )
    SessionFactory(offer=offer, starts_on=in_days(60), ends_on=in_days(75))
    assert said(offer, rules) == []
    SessionFactory(offer=offer, starts_on=in_days(61), ends_on=in_days(76))
    assert [remark.field for remark in said(offer, rules)] == ["ends_on"]


def test_sessions_that_nobody_can_get_are_told(provider, rules):
    offer = OfferFactory(provider=provider, town=TownFactory(), sessions=0, **FULL)
    SessionFactory(offer=offer, too_soon=True)
    [remark] = said(offer, rules)
    assert remark.step == "sessions" and not remark.blocks
    SessionFactory(offer=offer)
    assert said(offer, rules) == []


def test_what_the_rules_refuse_blocks_and_says_where_to_mend_it(provider, rules):
    offer = OfferFactory(provider=provider, town=TownFactory(), entitled=False, **FULL)
    [remark] = said(offer, rules)
    assert (remark.blocks, remark.step) == (True, "objet")


def test_what_is_missing_blocks_a_draft_only(provider, rules):
    missing = {"hours": None, "is_published": False, "is_handmade": True}
    offer = OfferFactory(provider=provider, town=TownFactory(), is_draft=True, **missing, **FULL)
    assert [(r.field, r.blocks) for r in said(offer, rules)] == [("hours", True)]
    offer.is_draft = False
    assert [(r.field, r.blocks) for r in said(offer, rules)] == [("hours", False)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_review_asks_as_much_for_three_as_for_one(offer, rules, count, django_assert_num_queries):
    sessions = SessionFactory.create_batch(count, offer=offer)
    OfferFactory.create_batch(count, certification=offer.certification)
    with django_assert_num_queries(3):  # entitlements, prices, a twin
        lint.review(offer, sessions, on=today(), rules=rules)

"""What is said of an offer before people see it. Each remark is shown to come, and not to come."""

from dataclasses import replace

import pytest

from catalog import eligibility, lint
from catalog.eligibility import Code
from catalog.models import Certification, CertificationBlock, MarketPrice, Offer, Session
from catalog.offer_forms import FORMS, PurposeForm, SessionForm
from tests.factories.accounts import a_siret
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
    "rhythms": ["evening"],
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


@pytest.mark.parametrize("field", ["accessibility", "content", "contact_email", "rhythms"])
def test_what_people_look_for_first_is_asked_for(offer, rules, field):
    setattr(offer, field, "")
    [remark] = said(offer, rules)
    assert (remark.field, remark.blocks) == (field, False)


@pytest.mark.parametrize("days", [0, 5, 60])
@pytest.mark.parametrize(
    "certification", ["active", "ended", "undated", "withdrawn", "ended, a draft", "none"]
)
def test_what_many_offers_lack_is_what_is_said_of_each(offer, rules, certification, days):
    """The list of « Mes offres » is sorted out in SQL; the page of an offer is not."""
    last = {"active": 90, "undated": None, "withdrawn": 90}.get(certification, -1)
    Certification.objects.update(
        registered_until=None if last is None else in_days(last), withdrawn=certification == "withdrawn"
    )
    Session.objects.update(starts_on=in_days(days), ends_on=in_days(days + 2))
    changed = {
        "none": {"certification": None, "kind": "vae", "portal_code": "CPF200"},
        "ended, a draft": {"is_draft": True, "is_published": False},
    }.get(certification, {})
    for said_of_it in (
        {},
        {"accessibility": "", "rhythms": []},
        {"content": "", "contact_email": "", "contact_phone": "01"},
        {"has_prerequisites": True, "contact_phone": ""},
        {"prerequisites": "Le permis."},
    ):
        changed |= said_of_it
        Offer.objects.update(**changed)
        offer = Offer.objects.select_related("provider__organisation", "certification").get()
        remarks = {(remark.step, remark.field) for remark in said(offer, rules)}
        for lack, condition in lint.lacking(on=today(), rules=rules).items():
            is_said = lint.TOLD_IN[lack] in remarks
            assert Offer.objects.filter(condition).exists() == is_said, (lack, changed)


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


def listed_elsewhere(offer, *prices, **facts):
    """What three organisations or so ask on the national portal for the same certification."""
    for number, cents in enumerate(prices):
        told = {"code": offer.certification_id, "hours": offer.hours, "observed_on": in_days(-30)} | facts
        MarketPrice.objects.create(
            key=f"{number}_{len(facts)}", price_cents=cents, lowest_cents=cents, highest_cents=cents,
            **({"siret": a_siret(number)} | told),
        )  # fmt: skip


@pytest.mark.parametrize(("price", "is_told"), [(300_001, True), (300_000, False), (74_999, True)])
def test_where_few_publish_here_a_price_is_compared_with_those_of_the_national_portal(
    offer, rules, price, is_told
):
    listed_elsewhere(offer, 150_000, 150_000, 990_000)
    offer.price_cents = price
    remarks = [r for r in said(offer, rules, "price_cents") if "portail national" in r.sentence]
    assert bool(remarks) == is_told
    assert all("chez 3 organismes" in r.sentence and not r.blocks for r in remarks)


def test_who_publishes_here_is_heard_before_the_national_portal(offer, rules):
    listed_elsewhere(offer, 1_000, 1_000, 1_000)
    OfferFactory.create_batch(3, certification=offer.certification, price_cents=offer.price_cents)
    assert said(offer, rules, "price_cents") == []


@pytest.mark.parametrize(
    "facts",
    [{"observed_on": in_days(-800)}, {"code": "RNCP1"}, {"hours": 9_000}],
    ids=["old", "other", "longer"],
)
def test_prices_of_long_ago_or_of_something_else_say_nothing(offer, rules, facts):
    listed_elsewhere(offer, 1_000, 1_000, 1_000, **facts)
    assert said(offer, rules, "price_cents") == []


def test_its_own_prices_and_those_of_a_whole_certification_say_nothing_of_blocks(offer, rules):
    listed_elsewhere(offer, 1_000, 1_000, siret=offer.provider.organisation.siret)
    assert said(offer, rules, "price_cents") == []
    listed_elsewhere(offer, 1_000, 1_000, 1_000)
    CertificationBlock.objects.create(certification=offer.certification, code="B1", title="Bloc")
    offer.block_codes = ["B1"]
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


@pytest.mark.parametrize(("count", "queries"), [(1, 4), (2, 4), (3, 3), (5, 3)])
def test_a_review_asks_as_much_for_three_as_for_one(offer, rules, count, queries, django_assert_num_queries):
    sessions = SessionFactory.create_batch(count, offer=offer)
    OfferFactory.create_batch(count, certification=offer.certification)
    with django_assert_num_queries(queries):  # entitlements, prices (of elsewhere where few are here), a twin
        lint.review(offer, sessions, on=today(), rules=rules)


# --- Near-duplicates ------------------------------------------------------------------------------


def twin_of(offer, **fields):
    same = {
        name: getattr(offer, name)
        for name in ("provider", "certification", "town", "mode", "hours", "title", "objectives", "content")
    }
    return OfferFactory(entitled=False, **same | fields)


def test_the_very_same_offer_stops_a_draft_and_a_variant_does_not(offer, rules):
    offer.is_draft = True
    twin_of(offer)
    [remark] = said(offer, rules, "hours")
    assert remark.blocks and "la même offre" in remark.sentence
    offer.is_draft = False
    assert not said(offer, rules, "hours")[0].blocks, "what people can see already is not taken away"


def test_the_distance_of_the_nearest_twin_is_said(offer, rules):
    twin_of(offer, hours=133, title="Loin")
    twin_of(offer, hours=136, title="Près")
    [remark] = said(offer, rules, "hours")
    assert not remark.blocks
    assert "Près" in remark.sentence and "4\u00a0h" in remark.sentence and "10" in remark.sentence


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        ({"accessibility": "Rampe."}, True),
        ({"accessibility": ""}, True),
        ({"accessibility": "Boucle magnétique."}, False),
        ({"address": "1 rue des Lilas"}, True),
        ({"mode": "distance"}, False),
        ({"is_published": False}, False),
    ],
)
def test_what_tells_two_offers_apart(offer, rules, fields, is_told):
    twin_of(offer, title="L’autre", **fields)
    assert bool(said(offer, rules, "hours")) == is_told


def test_two_addresses_of_one_town_are_two_places(offer, rules):
    offer.address = "2 rue des Lilas"
    twin_of(offer, title="L’autre", address="1 rue des Lilas")
    assert not said(offer, rules, "hours")


def test_the_distance_is_a_row_of_the_rulebook(offer, rules):
    twin_of(offer, hours=offer.hours + 10, title="L’autre")
    assert not said(offer, rules, "hours")
    assert said(offer, replace(rules, near_duplicate_hours=11), "hours")
    assert not said(offer, replace(rules, near_duplicate_hours=0), "hours")


# --- Prices ---------------------------------------------------------------------------------------


def test_an_organisation_that_floods_the_catalogue_is_heard_once(offer, rules):
    flood = ProviderFactory()
    for number in range(9):
        OfferFactory(
            provider=flood, certification=offer.certification, price_cents=1_000_000, entitled=number == 0
        )
    OfferFactory.create_batch(2, certification=offer.certification, price_cents=150_000)
    assert said(offer, rules, "price_cents") == []


@pytest.mark.parametrize(
    ("hours", "is_told"), [(70, True), (280, True), (None, True), (69, False), (281, False)]
)
def test_only_offers_of_a_like_length_compare(offer, rules, hours, is_told):
    OfferFactory.create_batch(3, certification=offer.certification, price_cents=1_000_000, hours=hours)
    assert bool(said(offer, rules, "price_cents")) == is_told


# --- Wrong codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "cited"),
    [
        ("Préparer le RNCP 12345.", "RNCP12345"),
        ("TOSA (rs6198)", "RS6198"),
        ("Blocs RNCP12345BC01 et RNCP12345BC02", "RNCP12345"),
        ("RNCP n° 12345", "RNCP12345"),
        ("La liaison RS 485, le RNCP en 2026", None),
        ("Le {own}, bloc {own}BC01", None),
    ],
)
def test_a_text_that_cites_another_certification_is_pointed_at(offer, rules, words, cited):
    offer.content = words.format(own=offer.certification_id)
    remarks = said(offer, rules, "content")
    assert [cited in remark.sentence for remark in remarks] == ([True] if cited else [])


def test_other_kinds_may_cite_any_certification(provider, rules):
    provider.qualiopi_skills_review = True
    provider.save()
    offer = OfferFactory(
        skills_review=True, provider=provider, town=TownFactory(), **FULL | {"content": "Vers le RNCP12345."}
    )
    assert said(offer, rules) == []


def test_a_block_of_another_certification_stops_a_draft(offer, rules):
    CertificationBlock.objects.create(certification=offer.certification, code="RNCP1BC01", title="Bloc")
    offer.block_codes, offer.is_draft = ["RNCP1BC01", "RNCP2BC01"], True
    [remark] = said(offer, rules, "block_codes")
    assert remark.blocks and "RNCP2BC01" in remark.sentence


# --- The whole session ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivered", "words"), [(80, "peut encore la délivrer"), (70, "l’examen aura lieu")]
)
def test_a_session_that_outlives_the_certification(provider, rules, delivered, words):
    certification = CertificationFactory(registered_until=in_days(65), delivered_until=in_days(delivered))
    offer = OfferFactory(
        provider=provider, town=TownFactory(), certification=certification, sessions=0, **FULL
    )
    session = SessionFactory(offer=offer, starts_on=in_days(60), ends_on=in_days(75))
    [remark] = said(offer, rules)
    assert words in remark.sentence
    assert (remark.session, remark.field, remark.blocks) == (session.pk, "ends_on", False)


@pytest.mark.parametrize("is_draft", [True, False])
def test_a_session_that_begins_after_the_certification_stops_a_draft(provider, rules, is_draft):
    offer = OfferFactory(
        provider=provider,
        town=TownFactory(),
        certification=CertificationFactory(registered_until=in_days(50)),
        is_draft=is_draft,
        is_published=not is_draft,
        **FULL,
    )
    [remark] = said(offer, rules)
    assert "commence après la fin" in remark.sentence
    assert (remark.field, remark.blocks) == ("starts_on", is_draft)


# --- Where it is mended ---------------------------------------------------------------------------


def test_every_reason_of_the_rules_is_mended_somewhere_or_by_the_organisation():
    for code in Code:
        somewhere = code in lint.STEP_OF_REASON
        assert somewhere == bool(lint.field_of(code))
        assert somewhere != (code in eligibility.OF_THE_ORGANISATION | eligibility.OWN_CHOICES)


def test_every_field_that_is_pointed_at_stands_on_its_page(rules, offer):
    pages = {step: set(form.base_fields) for step, form in FORMS.items()}
    pages |= {
        lint.Step.PURPOSE: set(PurposeForm.base_fields),
        lint.Step.SESSIONS: set(SessionForm.base_fields),
    }
    for code, step in lint.STEP_OF_REASON.items():
        assert lint.field_of(code) in pages[step]
    for name in (*lint.TEXTS, "block_codes"):
        assert name in pages[lint.Step.TEXTS]
    for step, name in (
        (lint.Step.PRICE, "price_cents"),
        (lint.Step.PLACE, "hours"),
        (lint.Step.PLACE, "town"),
        (lint.Step.PLACE, "rhythms"),
    ):
        assert name in pages[step]
    assert {"starts_on", "ends_on"} <= pages[lint.Step.SESSIONS]


def test_of_an_ended_offer_only_the_end_is_said(provider, rules):
    """Nobody will enrol: what else could be better is no business of anybody's any more."""
    whole = {"provider": provider, "town": TownFactory(), **FULL, "accessibility": ""}
    offer = OfferFactory(certification=CertificationFactory(ended=True), **whole)
    assert [remark.code for remark in said(offer, rules)] == [Code.CERTIFICATION_ENDED]
    later = OfferFactory(certification=CertificationFactory(effective_on=in_days(3)), **whole)
    assert [remark.field for remark in said(later, rules)] == ["q", "accessibility"]

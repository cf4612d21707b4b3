"""What every offer costs somebody, summed by PostgreSQL, is what the plan of each says (catalog.costs)."""

from dataclasses import replace
from uuid import UUID

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import html

from catalog import grouping, search, words
from catalog.models import Offer, OfferIndex
from catalog.search import SearchQuery
from dossiers import funding, prices, workflow
from dossiers.funding import Purse
from rights.earmarks import Conditions
from tests.factories.accounts import MembershipFactory
from tests.factories.catalog import CertificationFactory, OfferFactory, today
from tests.factories.rights import CreditFactory

pytestmark = pytest.mark.django_db

HELPED_JOB, OTHER_JOB = "M1805", "D1106"


@pytest.fixture
def offers(db):
    """One of each sort that purses or ceilings may tell apart, at prices below and above what they hold."""
    codes = [
        CertificationFactory(code="RNCP31114", level=5, rome_codes=[HELPED_JOB]),
        CertificationFactory(code="RNCP35809", level=6, rome_codes=[OTHER_JOB]),
        CertificationFactory(code="RS5616", register="RS", number=5616, level=None),
        CertificationFactory(code="RS6604", register="RS", number=6604, level=None),
    ]
    made = [
        OfferFactory(certification=code, price_cents=cents, extra_fees_cents=fees)
        for code in codes
        for cents, fees in ((0, 0), (9_000, 0), (150_000, 2_500), (480_000, 0))
    ]
    made += [OfferFactory(skills_review=True, price_cents=cents) for cents in (90_000, 240_000)]
    return made


@pytest.fixture
def ruled(rules):
    return replace(
        rules,
        ceiling_exempt_certifications=("RS5616",),
        state_top_up_jobs=(HELPED_JOB,),
        state_top_up_percent=100,
        state_top_up_max_cents=100_000,
    )


def cost_of(offer, purses, status, rules):
    """The slow way, one plan after the other."""
    plan = funding.plan(
        price_cents=offer.price_cents,
        purses=purses,
        status=status,
        rules=rules,
        training=workflow.training_of(offer),
    )
    return plan.remainder_cents - plan.state_top_up_cents + offer.extra_fees_cents


CONDITIONS = st.sampled_from(
    [
        Conditions(),
        Conditions(certifications=("RNCP31114",)),
        Conditions(certifications=("RNCP31114", "RS6604")),
        Conditions(certifications=("RNCP99999",)),
        Conditions(levels=(5,)),
        Conditions(levels=(6, 7)),
        Conditions(levels=(5, 6), certifications=("RNCP35809",)),
    ]
)
PURSES = st.lists(
    st.tuples(
        st.sampled_from(["annual", "increase", "dotation", "top_up", "professional_risk", "no"]),
        st.integers(min_value=1, max_value=600_000),
        st.sampled_from(["", "employer", "region"]),
        CONDITIONS,
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(drawn=[], status="private_employee", percent=100)
@example(drawn=[("annual", 600_000, "", Conditions())], status="job_seeker", percent=50)
@given(
    drawn=PURSES,
    status=st.sampled_from(["private_employee", "job_seeker"]),
    percent=st.sampled_from([0, 50, 100]),
)
def test_postgresql_says_of_every_offer_what_its_plan_says(offers, ruled, drawn, status, percent):
    rules = replace(ruled, state_top_up_percent=percent)
    purses = [
        Purse(UUID(int=number), kind, kind, cents, funder_kind=funder, conditions=conditions)
        for number, (kind, cents, funder, conditions) in enumerate(drawn, start=1)
    ]
    costs = prices.costs(purses=purses, status=status, rules=rules)
    found = dict(OfferIndex.objects.annotate(cost=costs.expression()).values_list("pk", "cost"))
    asked = Offer.objects.select_related("certification").in_bulk([offer.pk for offer in offers])
    assert found == {pk: cost_of(offer, purses, status, rules) for pk, offer in asked.items()}


def test_whoever_holds_nothing_pays_the_price_and_the_fees(offers, ruled):
    costs = prices.costs(purses=[], status="private_employee", rules=replace(ruled, state_top_up_percent=0))
    for row in OfferIndex.objects.annotate(cost=costs.expression()):
        assert row.cost == row.price_cents + row.extra_fees_cents


# --- On the page of search ------------------------------------------------------------------------


def prices_shown(client, **asked):
    page = html.document_fromstring(client.get(reverse("search"), asked).text)
    return [card.findtext(".//h3/a") for card in page.iter("article")]


@pytest.fixture
def rich_client(client, holder):
    """1,500 € of rights, and no exemption from the participation."""
    CreditFactory(holder=holder, amount=150_000)
    client.force_login(holder.user)
    return client


def test_a_holder_puts_offers_in_the_order_of_what_they_pay(rich_client):
    """A dearer training may cost them less: its certification has no ceiling, or it has no extra fees."""
    OfferFactory(title="Sans frais", price_cents=140_000)
    OfferFactory(title="Avec frais", price_cents=100_000, extra_fees_cents=30_000)
    OfferFactory(title="Trop chère", price_cents=400_000)
    assert prices_shown(rich_client, sort="price") == ["Avec frais", "Sans frais", "Trop chère"]
    assert prices_shown(rich_client, sort="cost") == ["Sans frais", "Avec frais", "Trop chère"]


def test_a_holder_says_what_they_will_pay_at_most(rich_client):
    OfferFactory(title="Payée", price_cents=140_000)
    OfferFactory(title="Trop chère", price_cents=400_000)
    assert prices_shown(rich_client, cost_max="200") == ["Payée"]
    page = rich_client.get(reverse("search"), {"cost_max": "200"}).text
    assert "Vous payez 200,00\u202f€ au plus" in page or "Vous payez 200,00\u00a0€ au plus" in page
    assert (
        "Le montant ne peut pas être négatif" in rich_client.get(reverse("search"), {"cost_max": "-1"}).text
    )


def test_what_they_pay_at_most_goes_for_answers_to_words_too(rich_client):
    for title, cents in (("Payée", 140_000), ("Trop chère", 400_000)):
        OfferFactory(title=title, price_cents=cents, certification__title="Soudeur")
    words.reindex()
    page = rich_client.get(reverse("search"), {"q": "soudeur", "cost_max": "200"}).text
    assert "Payée" in page and "Trop chère" not in page


def test_a_purse_of_any_size_answers_words_as_it_does_lists(ruled, offers):
    """Thirty million euros: more cents than four bytes hold."""
    words.reindex()
    purse = Purse(UUID(int=1), "annual", "", 3_000_000_000)
    costs = prices.costs(purses=[purse], status="private_employee", rules=ruled)
    counts = []
    for cents in (0, 40_000, 10**10):
        query = SearchQuery(text="certification", costs=costs, cost_max_cents=cents)
        listed = search.matching(replace(query, text=""), on=today(), rules=ruled)
        found = grouping.find(query, on=today(), rules=ruled)
        counts.append(sum(group.offers_count for group in found.groups))
        assert counts[-1] == listed.exclude(certification=None).count(), cents
    assert 0 < counts[0] < counts[1] < counts[2] == 16


@pytest.mark.parametrize("who", ["visitor", "organisation"])
def test_who_has_no_rights_is_not_asked_what_they_pay(client, who):
    OfferFactory(title="Soudure", price_cents=140_000)
    if who == "organisation":
        client.force_login(MembershipFactory().user)
    page = client.get(reverse("search"), {"cost_max": "1"}).text
    assert 'name="cost_max"' not in page and "Soudure" in page

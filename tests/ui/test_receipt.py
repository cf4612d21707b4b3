"""A holder reads what a training would cost them, before any dossier; nobody else does."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from lxml import html

from catalog.models import Offer
from dossiers import funding, workflow
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import OfferFactory
from tests.factories.rights import CreditFactory
from ui import french

pytestmark = pytest.mark.django_db


def receipt(response):
    """Its lines, from the first to the total."""
    found = html.document_fromstring(response.text).find_class("receipt")
    rows = found[0].xpath(".//tbody/tr|.//tfoot/tr") if found else []
    return [" ".join(" ".join(cell.text_content() for cell in row).split()) for row in rows]


def money(cents):
    return " ".join(french.euros(cents).split())


@pytest.fixture
def offer(db):
    return OfferFactory(price_cents=150_000, extra_fees_cents=2_000)


def test_a_receipt_adds_up_to_what_the_verb_would_take(client, holder, offer, at, rules):
    CreditFactory(holder=holder, amount=100_000)
    client.force_login(holder.user)
    response = client.get(reverse("offer", args=[offer.pk]))
    plan = funding.plan(
        price_cents=offer.price_cents,
        purses=workflow.purses_of(holder, at=at),
        status=holder.status,
        rules=rules,
    )
    lines = receipt(response)
    assert lines[0] == f"Prix de la formation {money(150_000)}"
    assert lines[1] == f"Droits annuels {money(-100_000)}"
    assert lines[2].endswith(money(2_000))
    assert lines[-1] == f"Vous payez {money(plan.remainder_cents + 2_000)}"
    assert f"vous payez {money(plan.remainder_cents + 2_000)} en tout" in " ".join(
        client.get(reverse("search")).text.replace("\u202f", " ").split()
    )


def test_rights_that_pay_all_are_said_in_words(client, holder, offer):
    CreditFactory(holder=holder, amount=400_000)
    holder.status = "job_seeker"
    holder.save()
    client.force_login(holder.user)
    page = client.get(reverse("search")).text
    assert "payé par vos droits" not in page
    assert f"vous payez {french.euros(2_000)} en tout" in page, "rights pay no other fees"
    Offer.objects.update(extra_fees_cents=0)
    assert "payé par vos droits" in client.get(reverse("search")).text


@pytest.mark.parametrize("who", ["visitor", "organisation", "cannot enrol"])
def test_others_have_no_receipt(client, offer, who):
    if who == "organisation":
        client.force_login(MembershipFactory().user)
    if who == "cannot enrol":
        client.force_login(HolderFactory(status="public_agent").user)
    for name, args in (("offer", [offer.pk]), ("search", [])):
        response = client.get(reverse(name, args=args))
        assert response.status_code == 200
        assert receipt(response) == []
        assert "vous payez" not in response.text
    if who == "visitor":
        address = reverse("offer", args=[offer.pk])
        assert f"{reverse('account_login')}?next={address}" in client.get(address).text


def test_the_wallet_is_read_once_a_page(client, holder):
    CreditFactory(holder=holder, amount=100_000)
    client.force_login(holder.user)
    asked = []
    for count in (1, 3):
        while Offer.objects.count() < count:
            OfferFactory()
        client.get(reverse("search"))  # what a first visit adds is not of the wallet
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("search")).text.count("<article") == count
        asked.append(len(queries))
        assert sum("rights_pocket" in query["sql"] for query in queries) == 1
    assert asked[0] == asked[1]

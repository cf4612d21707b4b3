"""What search engines are led to: public pages, every open offer once, nothing invented nor private."""

import uuid
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.core.cache import caches
from django.urls import reverse

from portal import sitemaps
from rulebook import workdays
from tests.factories.catalog import OfferFactory

pytestmark = pytest.mark.django_db
NAMES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    """By a name of this test's own: `cache.clear()` would empty what other processes of the run keep."""
    monkeypatch.setattr(caches["default"], "key_prefix", uuid.uuid4().hex)


def places(client, address):
    response = client.get(address)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/xml"
    return [found.text for found in ElementTree.fromstring(response.content).iterfind(".//s:loc", NAMES)]


def test_every_list_is_in_the_index_and_every_open_offer_in_one_of_them(client):
    shown = [OfferFactory() for _number in range(3)]
    OfferFactory(is_published=False)
    OfferFactory(is_demonstration=True)
    lists = places(client, reverse("sitemaps"))
    assert len(lists) == 1 + len(sitemaps.SIGNS)
    found = [place for address in lists for place in places(client, address)]
    base = settings.PORTAL_BASE_URL
    assert sorted(place for place in found if "/formations/" in place) == sorted(
        base + reverse("offer", args=[offer.pk]) for offer in shown
    )
    assert base + reverse("search") in found
    assert not [place for place in found if "/mes-" in place or "/administration" in place]


def test_each_offer_is_dated_and_a_list_holds_those_of_its_sign(client):
    offer = OfferFactory(id=uuid.UUID("a0" + uuid.uuid4().hex[2:]))
    page = client.get(reverse("sitemap", args=["formations-a0"])).content.decode()
    assert f"<lastmod>{workdays.paris_day(offer.updated_at):%Y-%m-%d}</lastmod>" in page
    assert places(client, reverse("sitemap", args=["formations-a1"])) == []


def test_robots_are_told_where_the_lists_are(client):
    page = client.get(reverse("robots")).content.decode()
    assert f"Sitemap: {settings.PORTAL_BASE_URL}{reverse('sitemaps')}" in page
    assert "Disallow: /avis-recus" in page


def test_the_index_is_kept_and_a_list_may_be_by_whoever_carries_it(client, django_assert_num_queries):
    offer = OfferFactory()
    first = places(client, reverse("sitemaps"))
    with django_assert_num_queries(0):
        assert places(client, reverse("sitemaps")) == first
    address = reverse("sitemap", args=[f"formations-{offer.pk.hex[:2]}"])
    with django_assert_num_queries(2):  # how many, and which
        answer = client.get(address)
    assert set(answer["Cache-Control"].split(", ")) == {"public", f"max-age={sitemaps.KEPT_SECONDS}"}


@pytest.mark.parametrize("section", ["formations-zz", "formations-a", "personnes"])
def test_there_is_no_other_list(client, section):
    assert client.get(reverse("sitemap", args=[section])).status_code == 404

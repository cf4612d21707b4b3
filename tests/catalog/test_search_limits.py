"""What the search does with too much: too many questions, too long a one, texts that are no question."""

import time

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse

from catalog import search
from catalog.views import public
from tests.factories.catalog import OfferFactory
from ui import limits
from ui.patience import TooLong, at_most

pytestmark = pytest.mark.django_db

HOSTILE = [
    "x" * 10_000,
    "mot " * 2_500,
    '"' * 10_000,
    "-" * 5_000,
    "-" * 150,
    "(-" * 70,
    "- a " * 45,
    '-"' * 90,
    "!(" * 90 + "a",
    "a OR " * 39,
    "a OR b AND NOT (c | d) & !e <-> f:*",
    "'; DROP TABLE catalog_offer; --",
    "\\'; SELECT pg_sleep(10); --",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "${7*7} #{7*7}",
    "👩‍⚕️🩺💶" * 50,
    "avant\x00après",
    "%s %(x)s %% \\ _",
    "«»“”„\"'’",
    "ǅ İ ﬁ ½ ² ①",
]


@pytest.fixture
def few(settings):
    settings.OPEN_LIMITS = {"search": 2, "suggestions": 2}


# --- Too many ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["search", "suggestions", "town_suggestions"])
def test_beyond_its_limit_one_address_is_asked_to_wait_a_minute(client, few, name):
    answers = [client.get(reverse(name), {"q": "soudure", "town": "Ly"}) for _number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"] == "60"
    assert answers[-1]["Cache-Control"] == "no-store"
    assert "Attendez une minute" in answers[-1].text


def test_addresses_of_ipv4_that_a_proxy_writes_as_ipv6_are_not_one_home(client, few):
    for number in range(1, 5):
        answer = client.get(reverse("search"), REMOTE_ADDR=f"::ffff:203.0.113.{number}")
        assert answer.status_code == 200


def test_a_minute_that_ends_while_one_is_counted_keeps_nobody_out_for_ever(client, few, monkeypatch):
    """Redis looks for the counter, then adds to it: one that ended in between begins again without an end."""
    count = cache.incr

    def too_late(counter):
        cache.delete(counter)
        cache.set(counter, 0, None)  # as the second step makes it
        return count(counter)

    monkeypatch.setattr(limits.cache, "incr", too_late)
    client.get(reverse("search"))
    counter = cache.make_and_validate_key("asked:search:127.0.0.1")
    assert 0 < cache._cache.get_client(counter).ttl(counter) <= limits.MINUTE


def test_another_address_is_not_made_to_wait(client, few):
    for _number in range(3):
        client.get(reverse("search"))
    assert client.get(reverse("search"), REMOTE_ADDR="203.0.113.9").status_code == 200


def test_the_addresses_of_one_home_count_together_and_two_homes_apart(client, few):
    one, same, other = "2001:db8:1:2::1", "2001:db8:1:2:aaaa::9", "2001:db8:1:3::1"
    answers = [client.get(reverse("search"), REMOTE_ADDR=each) for each in (one, same, one, other)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]


def test_behind_a_proxy_the_visitor_counts_and_who_comes_without_is_answered(client, few, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for _number in range(3):
        client.get(reverse("search"), headers={"X-Forwarded-For": "203.0.113.7"})
    other = client.get(reverse("search"), headers={"X-Forwarded-For": "203.0.113.8"})
    assert other.status_code == 200
    assert client.get(reverse("search"), REMOTE_ADDR="10.0.0.1").status_code == 200


def test_the_page_keeps_what_was_asked_and_htmx_gets_its_part(client, few):
    for _number in range(2):
        client.get(reverse("search"))
    page = client.get(reverse("search"), {"q": "soudure <b>", "town": "Lyon"})
    assert 'value="soudure &lt;b&gt;"' in page.text and 'value="Lyon"' in page.text
    part = client.get(reverse("search"), {"q": "soudure"}, headers={"HX-Request": "true"})
    assert part.status_code == 429
    assert "<html" not in part.text and "Trop de recherches" in part.text


def test_what_is_signed_in_counts_too_and_asks_no_more_than_it_shows(holder_client, few):
    assert [holder_client.get(reverse("search")).status_code for _number in range(3)] == [200, 200, 429]


# --- Too long ------------------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch, settings):
    """A search that PostgreSQL would think about for half a minute."""

    def found(*_args, **_kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")

    settings.SEARCH_SECONDS = 0.2
    monkeypatch.setattr(public, "find_offers", found)


def test_a_search_that_takes_too_long_is_given_up_and_says_what_to_change(client, slow):
    began = time.monotonic()
    answer = client.get(reverse("search"))
    assert time.monotonic() - began < 10
    assert answer.status_code == 422
    assert "Cette recherche est trop longue" in answer.text
    assert "Ajoutez une commune" in answer.text
    assert answer["Cache-Control"] == "no-store"
    part = client.get(reverse("search"), headers={"HX-Request": "true"})
    assert part.status_code == 422 and "<html" not in part.text


def test_after_it_the_connection_serves_the_next_page_with_its_own_limit(client, slow):
    before = _limit()
    client.get(reverse("search"))
    assert _limit() == before
    assert client.get(reverse("home")).status_code == 200


def _limit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def test_the_limit_holds_inside_and_is_put_back_after():
    before = _limit()
    with at_most(1.5, using="default"):
        assert _limit() == "1500ms"
        with at_most(0.5, using="default"):
            assert _limit() == "500ms"
        assert _limit() == "1500ms"
    assert _limit() == before


def test_what_is_written_before_a_search_too_long_stays():
    offer = OfferFactory()
    with transaction.atomic():
        offer.title = "Autre"
        offer.save()
        with pytest.raises(TooLong), at_most(0.05, using="default"), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
    offer.refresh_from_db()
    assert offer.title == "Autre"


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_of_the_limit_is_left():
    before = _limit()
    with at_most(0.5, using="default"):
        assert _limit() == "500ms"
    assert _limit() == before
    with pytest.raises(TooLong), at_most(0.05, using="default"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    assert _limit() == before


# --- What is no question -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_whatever_is_typed_gives_a_page_in_time(client, settings, text):
    settings.SEARCH_SECONDS = 1  # longer, the page would say so and answer 422
    OfferFactory(title="Soudure")
    for htmx in ({}, {"HX-Request": "true"}):
        answer = client.get(reverse("search"), {"q": text}, headers=htmx)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text and "onerror=alert(1)>" not in answer.text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_whatever_is_asked_of_the_offers_themselves_is_answered(rules, text):
    OfferFactory(title="Soudure")
    asked = search.SearchQuery(text=text.replace("\0", " ")[:400])
    assert search.search(asked, on=rules.day, rules=rules).total in (0, 1)

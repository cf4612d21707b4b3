"""Nothing is found: each change that would find something is proposed, with how many, and no other."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from lxml import html

from catalog import widening
from catalog.search import SearchQuery
from rulebook import workdays
from tests.factories.catalog import OfferFactory, SessionFactory, TownFactory, in_days, today
from ui import french

pytestmark = pytest.mark.django_db


@pytest.fixture
def ways(rules):
    """(what changes, how many it finds), in the order of the page."""

    def ways(text="", **asked):
        found = widening.ways(SearchQuery(text=text, **asked), on=today(), rules=rules)
        return [(way.name, way.count) for way in found]

    return ways


@pytest.fixture
def links(client):
    """What the page that found nothing proposes: words → what the address asks. Each finds something."""

    def links(**asked):
        page = html.fromstring(client.get(reverse("search"), asked).content)
        [empty] = page.find_class("empty")
        found = {}
        for link in empty.xpath(".//ul[contains(@class, 'chips')]//a"):
            address = link.get("href")
            assert not html.fromstring(client.get(address).content).find_class("empty"), address
            words = " ".join(link.text_content().split())
            found[words] = parse_qs(urlsplit(address).query)
        return found, " ".join(empty.text_content().split())

    return links


def kilometres_north(km):
    """A town so far from Lyon."""
    return TownFactory(code=f"01{km:03}", name=f"À {km} km", latitude=45.758 + km / 111.2)


def test_what_to_give_up_to_find_more(ways):
    town = TownFactory()
    for title in ("Soudure", "Soudure à l'arc"):
        OfferFactory(title=title, price_cents=100_000)
    found = ways("soudure", town=town, price_max_cents=200_000, modes=["on_site"], natures=["training"])
    assert found == [("town", 2)]


def test_a_larger_radius_of_those_that_people_choose_among_is_proposed(links):
    TownFactory()
    OfferFactory(title="Soudure", town=kilometres_north(40))
    OfferFactory(title="Soudure", town=kilometres_north(80))
    found, _words = links(q="soudure", town="Lyon", mode="on_site")
    assert found["Élargissez à 50 km (1 formation)"]["radius"] == ["50"]
    assert found["Élargissez à 100 km (2 formations)"] == {
        "q": ["soudure"],
        "town": ["Lyon"],
        "mode": ["on_site"],
        "radius": ["100"],
    }


def test_two_radii_at_most_and_none_that_adds_nothing(ways):
    town = TownFactory()
    for km in (15, 18, 25, 90):
        OfferFactory(title="Soudure", town=kilometres_north(km))
    counts = [count for name, count in ways("soudure", town=town, radius_km=5) if name == "radius_km"]
    assert counts == [2, 3]
    counts = [count for name, count in ways("soudure", town=town, radius_km=10) if name == "radius_km"]
    assert counts == [2, 3]
    counts = [count for name, count in ways("charpente", town=town) if name == "radius_km"]
    assert counts == []
    assert ways("soudure", town=TownFactory(code="29019", name="Brest", latitude=48.39, longitude=-4.49)) == [
        ("town", 4)
    ]


def test_near_a_town_what_is_taught_at_a_distance_is_proposed(links):
    TownFactory()
    OfferFactory(title="Soudure", mode="distance")
    found, _words = links(q="soudure", town="Lyon", mode="on_site")
    assert found["Ajoutez les formations à distance (1 formation)"]["mode"] == ["on_site", "distance"]


def test_at_a_distance_is_not_proposed_where_it_is_asked_nor_without_a_town(ways):
    OfferFactory(title="Soudure", mode="distance", price_cents=900_000)
    afar = {"town": TownFactory(), "modes": ["distance"]}
    assert ways("soudure", **afar, price_max_cents=1) == [("price_max_cents", 1)]
    assert ways("soudure", modes=["on_site"]) == [("modes", 1)]


def test_when_no_filter_alone_helps_the_words_are_kept_and_nothing_else(links):
    TownFactory()
    OfferFactory(title="Soudure", price_cents=900_000)
    found, words = links(q="soudure", town="Lyon", price_max="10", mode="distance", view="map")
    assert found == {"Gardez seulement les mots (1 formation)": {"q": ["soudure"]}}
    assert "mot plus court" not in words


def test_the_words_alone_are_not_proposed_where_one_filter_would_do(ways):
    OfferFactory(title="Soudure", price_cents=900_000)
    assert ways("soudure", price_max_cents=1) == [("price_max_cents", 1)]
    assert ways("soudure", price_max_cents=1, radius_km=50) == [("price_max_cents", 1)]


@pytest.mark.parametrize("filters", [{"town": "Lyon"}, {"town": "Lyon", "price_max": "10"}])
def test_a_mistyped_word_under_filters_is_put_right_without_them(links, filters):
    TownFactory()
    OfferFactory(title="Boulangerie", price_cents=900_000)
    found, words = links(q="boulangrie", **filters)
    assert found == {"Cherchez seulement « boulangerie » (1 formation)": {"q": ["boulangerie"]}}
    assert "mot plus court" not in words


def test_other_words_are_asked_for_only_where_these_find_nothing_anywhere(links):
    OfferFactory(title="Boulangerie")
    found, words = links(q="zzzyx", price_max="10", mode="distance")
    assert not found and "Essayez un mot plus court" in words


def test_filters_without_a_word_that_leave_nothing_together_say_so(links):
    OfferFactory(title="Boulangerie", price_cents=900_000)
    found, words = links(price_max="10", mode="distance")
    assert not found
    assert "Ensemble, ces filtres ne laissent rien" in words and "mot plus court" not in words


@pytest.mark.parametrize("starts_from", [None, 1])
def test_a_last_day_that_nobody_can_start_by_is_told_with_the_first_that_one_can(links, rules, starts_from):
    SessionFactory(offer=OfferFactory(title="Soudure", sessions=0), permanent=True)
    OfferFactory(title="Soudure à l’arc")
    earliest = workdays.earliest_start(today(), rules.earliest_start_days)
    days = {"starts_by": in_days(3).isoformat()}
    if starts_from:
        days["starts_from"] = in_days(starts_from).isoformat()
    found, words = links(q="soudure", **days)
    first = " ".join(french.day(earliest).split())
    assert f"le premier jour encore possible est le {first}." in words
    assert "Il faut 11 jours ouvrés" in words
    there = f"Commencez au plus tard le {french.short_day(earliest)} (1 formation)"
    assert found[" ".join(there.split())]["starts_by"] == [earliest.isoformat()]
    assert found["Cherchez aussi plus tard (2 formations)"] == {
        "q": ["soudure"],
        **{name: [day] for name, day in days.items() if name != "starts_by"},
    }


def test_a_day_that_one_can_still_start_by_is_not_explained(links, rules):
    OfferFactory(title="Soudure")
    earliest = workdays.earliest_start(today(), rules.earliest_start_days)
    found, words = links(q="soudure", starts_by=earliest.isoformat())
    assert list(found) == ["Cherchez aussi plus tard (1 formation)"]
    assert "jours ouvrés" not in words


def test_beyond_what_is_counted_it_says_more_than(ways, links, monkeypatch):
    TownFactory()
    monkeypatch.setattr(widening, "TOTAL_MAX", 2)
    monkeypatch.setattr("catalog.forms.TOTAL_MAX", 2)
    OfferFactory.create_batch(4, title="Soudure")
    assert ways("soudure", town=TownFactory()) == [("town", 3)]
    found, _words = links(q="soudure", town="Lyon")
    assert list(found) == ["Cherchez dans toute la France (plus de 2 formations)"]


def test_every_way_is_one_statement_and_the_words_alone_another(rules, django_assert_num_queries):
    town = TownFactory()
    OfferFactory(title="Soudure", price_cents=900_000)
    query = SearchQuery(text="soudure", town=town, radius_km=5, price_max_cents=1, starts_by=in_days(1))
    with django_assert_num_queries(2):
        [way] = widening.ways(query, on=today(), rules=rules)
    assert (way.name, way.query.town, way.count) == ("words", None, 1)
    with django_assert_num_queries(1):
        assert widening.ways(SearchQuery(text="soudure", town=town), on=today(), rules=rules)
    with django_assert_num_queries(4):  # its spelling, and the words so spelled
        [way] = widening.ways(replace(query, text="souduure"), on=today(), rules=rules)
    assert way.query.text == "soudure"
    with django_assert_num_queries(0):
        assert widening.ways(SearchQuery(text="soudure"), on=today(), rules=rules) == []


def test_what_the_search_answers_is_english_too(client):
    """What is said while a page is made has its English as what is said when the portal starts."""
    TownFactory()
    OfferFactory(title="Soudure", price_cents=900_000)
    client.cookies["django_language"] = "en"
    for asked, words in (
        ({"town": "Lyon"}, ("30 km around Lyon (69)", "Search the whole of France (1 course)")),
        ({"town": "Lyon", "price_max": "10", "mode": "distance"}, ("Keep the words only (1 course)",)),
        ({"town": "Lyonn"}, ("Did you mean Lyon (69)?",)),
    ):
        page = client.get(reverse("search"), {"q": "soudure", **asked}).content.decode()
        for each in words:
            assert each in page

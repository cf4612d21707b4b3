"""Beside each choice, how many offers it would leave: live, and of everything else that is asked."""

import pytest
from django.db import ProgrammingError, connection, transaction
from django.urls import reverse

from catalog import facets, grouping, indexing, search, words
from catalog.facets import Count
from catalog.models import Offer, OfferIndex, OfferWords
from catalog.search import SearchQuery, Sort
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)
from ui import french

pytestmark = pytest.mark.django_db


@pytest.fixture
def count(rules):
    def count(text="", **asked):
        return facets.count(SearchQuery(text=text, **asked), on=today(), rules=rules)

    return count


def numbers(found, name):
    """Only choices that leave something."""
    return {value: each.number for value, each in found.choices[name].items() if each.number}


def test_each_choice_says_how_many_it_would_leave(count):
    OfferFactory(mode="on_site", hours=14, rhythms=["evening", "weekend"], languages=["fr", "en"])
    OfferFactory(mode="on_site", hours=15, rhythms=["evening"], languages=["en"], entry_level=4)
    OfferFactory(mode="distance", hours=601, accessibility="Plain-pied", entry_level=0)
    OfferFactory(skills_review=True, hours=None)
    found = count()
    assert found.total == Count(4)
    assert numbers(found, "mode") == {"on_site": 3, "distance": 1}
    assert numbers(found, "kind") == {"training": 3, "skills_review": 1}
    assert numbers(found, "duration") == {"days": 1, "week": 1, "longer": 1}
    assert numbers(found, "rhythm") == {"evening": 2, "weekend": 1}
    assert numbers(found, "language") == {"fr": 1, "en": 2}
    assert numbers(found, "accessible") == {"on": 1}
    # Who says nothing of the level that is asked shuts nobody out.
    assert numbers(found, "entry_level") == {"0": 3, "3": 3, "4": 4, "5": 4, "6": 4, "7": 4, "8": 4}


def test_a_block_and_clea_are_natures_of_their_own(count, rules):
    """An offer has one nature: what people choose among is counted once."""
    OfferFactory(title="Diplôme entier")
    OfferFactory(title="Un bloc", block_codes=["RNCP1BC01"])
    clea = CertificationFactory(register="RS", number=5616, code="RS5616", title="CléA numérique")
    OfferFactory(title="Le socle", certification=clea)
    assert "RS5616" in rules.clea_certifications
    assert numbers(count(), "kind") == {"training": 1, "block": 1, "clea": 1}
    found = search.search(SearchQuery(natures=["block", "clea"]), on=today(), rules=rules)
    assert {offer.title for offer in found.page} == {"Un bloc", "Le socle"}


def test_a_choice_lets_its_own_field_go_and_keeps_the_others(count):
    OfferFactory(mode="on_site", hours=14)
    OfferFactory(mode="on_site", hours=100)
    OfferFactory(mode="mixed", hours=14)
    found = count(modes=["on_site"], durations=["days"])
    assert found.total == Count(1)
    assert numbers(found, "mode") == {"on_site": 1, "mixed": 1}
    assert numbers(found, "duration") == {"days": 1, "month": 1}


def test_every_filter_asks_what_its_choice_counts(count, rules):
    """Each number is what the search finds once the choice is made."""
    certification = CertificationFactory(level=6)
    OfferFactory(certification=certification, hours=30, rhythms=["day"], languages=["es"], entry_level=5)
    OfferFactory(mode="distance", hours=700, accessibility="Oui", rating_tenths=42)
    OfferFactory(mode="mixed", hours=200, rhythms=["weekend", "day"], rating_tenths=35, entry_level=7)
    OfferFactory(skills_review=True, hours=10, rating_tenths=29)
    indexing.reindex(on=today())
    asks = {
        "mode": lambda value: {"modes": [value]},
        "kind": lambda value: {"natures": [value]},
        "level": lambda value: {"levels": [int(value)]},
        "entry_level": lambda value: {"entry_level": int(value)},
        "duration": lambda value: {"durations": [value]},
        "rhythm": lambda value: {"rhythms": [value]},
        "language": lambda value: {"languages": [value]},
        "accessible": lambda _value: {"is_accessible": True},
        "rating": lambda value: {"rating_min": int(value)},
    }
    found = count()
    assert asks.keys() == found.choices.keys()
    for name, choices in found.choices.items():
        for value, said in choices.items():
            query = SearchQuery(**asks[name](value))
            assert search.search(query, on=today(), rules=rules).total == said.number, (name, value)


def test_a_town_counts_what_is_near_and_what_one_tick_more_would_bring(count):
    town, far = TownFactory(), TownFactory(code="29019", name="Brest", latitude=48.39, longitude=-4.486)
    OfferFactory(town=town)
    OfferFactory(town=far)
    OfferFactory(mode="distance")
    OfferFactory(mode="distance")
    found = count(town=town)
    assert found.total == Count(1)
    assert numbers(found, "mode") == {"on_site": 1, "distance": 2}
    found = count(town=town, modes=["on_site", "distance"])
    assert found.total == Count(3)
    assert numbers(found, "mode") == {"on_site": 1, "distance": 2}


def test_gathered_answers_count_the_offers_of_their_groups(rules):
    baker, cook = CertificationFactory(title="Boulanger"), CertificationFactory(title="Cuisinier")
    OfferFactory.create_batch(2, certification=baker)
    OfferFactory(certification=cook, title="Cuisine", mode="distance")
    words.reindex()
    query = SearchQuery(text="boulanger")
    groups = grouping.find(query, on=today(), rules=rules)
    found = facets.count(query, groups.keys, on=today(), rules=rules)
    assert found.total == Count(2)
    assert numbers(found, "mode") == {"on_site": 2}


def test_a_common_word_is_counted_on_a_sample_and_says_so(count, monkeypatch):
    monkeypatch.setattr(facets, "EXACT_MAX", 10)
    OfferFactory.create_batch(12, mode="mixed")
    # Which ones are in the sample is drawn by their numbers: put right for this test.
    ids = list(OfferIndex.objects.values_list("pk", flat=True))
    OfferIndex.objects.update(draw=1000)
    OfferIndex.objects.filter(pk__in=ids[:2]).update(draw=0)
    found = count()
    assert found.total == Count(32, "≈")
    assert found.choices["mode"]["mixed"] == Count(32, "≈")
    assert found.choices["mode"]["distance"] == Count(0, "≈")


@pytest.mark.parametrize(
    ("number", "told"), [(7, 7), (99, 99), (104, 100), (12_384, 12_000), (18_765, 19_000)]
)
def test_a_rounded_number_keeps_two_figures(number, told):
    assert facets._rounded(number) == told


def test_the_sample_is_drawn_evenly():
    """A sixteenth of many: the number of an offer says nothing of what it is."""
    OfferFactory.create_batch(320, sessions=0, entitled=False, indexed=False, skills_review=True)
    indexing.reindex(on=today())
    drawn = OfferIndex.objects.filter(draw__lt=facets.SAMPLE_DRAWS).count()
    assert OfferIndex.objects.count() == 320
    assert 4 <= drawn <= 50, "20 expected; beyond these, one run in millions"


@pytest.mark.parametrize("town", [False, True])
def test_choices_are_counted_in_two_statements(count, django_assert_num_queries, town):
    OfferFactory.create_batch(3, town=TownFactory())
    asked = {"town": TownFactory(code="69123", name="Lyon")} if town else {}
    with django_assert_num_queries(3 if town else 2):
        count(modes=["on_site"], durations=["month"], **asked)


# --- Filters by day ------------------------------------------------------------------------------


def test_a_start_is_looked_for_among_those_one_can_still_get(count):
    soon, later = OfferFactory(sessions=0), OfferFactory(sessions=0)
    SessionFactory(offer=soon, starts_on=in_days(40))
    SessionFactory(offer=soon, starts_on=in_days(200))
    SessionFactory(offer=later, starts_on=in_days(100))
    too_soon, always = OfferFactory(sessions=0), OfferFactory(sessions=0)
    SessionFactory(offer=too_soon, too_soon=True)
    SessionFactory(offer=always, permanent=True)
    closed = OfferFactory(sessions=0)
    SessionFactory(offer=closed, starts_on=in_days(40), recruitment="closed")
    assert count().total == Count(5)
    assert count(starts_by=in_days(60)).total == Count(2), "soon, always"
    assert count(starts_from=in_days(90), starts_by=in_days(110)).total == Count(2), "later, always"
    assert count(starts_from=in_days(150)).total == Count(2), "the second session of soon, always"
    assert count(starts_by=in_days(2)).total == Count(0), "no answer could come in time"


# --- Who certifies -------------------------------------------------------------------------------


def certified_by(name, siret, count=1):
    certification = CertificationFactory()
    HabilitationFactory(certification=certification, role="CERTIFICATEUR", name=name, siret=siret)
    return OfferFactory.create_batch(count, certification=certification)


def test_certifiers_of_the_answers_are_listed_the_most_present_first(rules):
    certified_by("Ministère du travail", "11000007200014", 2)
    certified_by("École des métiers", "35600000000048")
    OfferFactory(skills_review=True)
    found = facets.count(SearchQuery(), on=today(), rules=rules).certifiers
    assert [(each.siret, each.name, each.count) for each in found] == [
        ("11000007200014", "Ministère du travail", Count(2)),
        ("35600000000048", "École des métiers", Count(1)),
    ]
    found = facets.count(SearchQuery(certifier="35600000000048"), on=today(), rules=rules).certifiers
    assert len(found) == 2, "the others stay at hand"


def test_two_establishments_of_one_name_are_told_apart(client):
    certified_by("CCI France", "11000007200014")
    certified_by("CCI France", "35600000000048")
    certified_by("École des métiers", "18750003800016")
    page = client.get(reverse("search")).text
    for number in ("110 000 072 00014", "356 000 000 00048"):
        assert f"CCI France ({number.replace(' ', french.NO_BREAK)})" in page
    assert "École des métiers <" in page


def test_a_certifier_is_a_link_of_the_page_then_a_chip(client):
    certified_by("Ministère du travail", "11000007200014", 2)
    certified_by("École des métiers", "35600000000048")
    page = client.get(reverse("search")).content.decode()
    assert 'href="/recherche?certifier=35600000000048">École des métiers' in page
    page = client.get(reverse("search"), {"certifier": "35600000000048"}).content.decode()
    assert "Certifié par École des métiers" in page
    assert page.count("<article") == 1


@pytest.mark.parametrize("view", ["", "map"])
@pytest.mark.parametrize("asked", [{}, {"q": "soudure"}, {"q": "soudure", "town": "Lyon"}])
def test_a_day_before_any_answer_could_come_finds_nothing_and_says_what_to_change(client, asked, view):
    OfferFactory(title="Soudure", certification__title="Soudure", town=TownFactory(code="69123", name="Lyon"))
    words.reindex()
    page = client.get(reverse("search"), asked | {"view": view, "starts_by": in_days(1).isoformat()})
    assert page.status_code == 200
    assert "Cherchez aussi plus tard" in page.text


# --- On the page ---------------------------------------------------------------------------------


def test_the_page_writes_the_counts_beside_the_choices(client):
    OfferFactory.create_batch(2, title="Soudure", mode="mixed")
    page = client.get(reverse("search"), {"q": "soudure"}).content.decode()
    assert 'Mixte <span class="choice-count" id="n-mode-mixed">2</span>' in page
    assert 'En présentiel <span class="choice-count" id="n-mode-on_site">0</span>' in page


def test_htmx_brings_the_counts_to_their_places(client):
    OfferFactory(title="Soudure", mode="mixed")
    answer = client.get(reverse("search"), {"q": "soudure"}, headers={"HX-Request": "true"})
    assert '<span hx-swap-oob="innerHTML:#n-mode-mixed">1</span>' in answer.content.decode()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"duration": "century"}, "Cette durée n’existe pas"),
        ({"rhythm": "night"}, "Ce rythme n’existe pas"),
        ({"language": "xx"}, "Cette langue n’existe pas"),
        ({"entry_level": "12"}, "Ce niveau n’existe pas"),
        ({"rating": "6"}, "Cette note n’existe pas"),
        ({"certifier": "12"}, "pas un numéro SIRET"),
        ({"starts_from": "2027-13-01"}, "Cette date n’existe pas"),
        ({"starts_from": "2027-05-02", "starts_by": "2027-05-01"}, "ne précède pas le premier"),
        ({"sort": "zzz"}, "Cet ordre n’existe pas"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(client, asked, words):
    page = client.get(reverse("search"), asked)
    assert page.status_code == 200
    assert words in page.content.decode()


@pytest.mark.parametrize(
    ("asked", "chip"),
    [
        ({"duration": "days"}, "Deux jours au plus"),
        ({"rhythm": "evening"}, "En soirée"),
        ({"language": "en"}, "Anglais"),
        ({"entry_level": "4"}, "Accessible avec\u00a0: Baccalauréat"),
        ({"rating": "4"}, "4 sur 5 et plus"),
        ({"accessible": "on"}, "Accueil du handicap décrit"),
        ({"starts_from": "2027-05-01"}, "À partir du 1er mai 2027"),
        ({"starts_by": "2027-05-01"}, "Début au plus tard le 1er mai 2027"),
    ],
)
def test_each_filter_is_a_chip_that_takes_it_back(client, asked, chip):
    [name] = asked
    page = client.get(reverse("search"), asked | {"q": "x"}).content.decode()
    assert f'<a class="chip" href="/recherche?q=x">{chip}' in page, page[page.find("chips") :][:800]
    assert f'name="{name}"' in page


def test_folded_filters_open_when_one_of_them_asks(client):
    assert '<details class="filters__folded">' in client.get(reverse("search")).content.decode()
    page = client.get(reverse("search"), {"rhythm": "evening"}).content.decode()
    assert '<details class="filters__folded" open>' in page


def test_nothing_found_says_what_each_new_filter_costs(client):
    OfferFactory(title="Soudure", hours=10, languages=["fr"])
    page = client.get(
        reverse("search"), {"q": "soudure", "duration": "week", "language": "fr"}
    ).content.decode()
    assert "Cherchez toutes les durées" in page
    assert "Cherchez toutes les langues" not in page, "would find nothing either"


def test_the_index_follows_each_change_of_an_offer():
    assert Offer.objects.count() == OfferIndex.objects.count() == 0
    offer = OfferFactory()
    assert OfferIndex.objects.get(pk=offer.pk).is_permanent is False
    SessionFactory(offer=offer, permanent=True)
    assert OfferIndex.objects.get(pk=offer.pk).is_permanent is True
    Offer.objects.filter(pk=offer.pk).update(is_published=False)
    assert indexing.refresh(on=today()) == 0
    assert not OfferIndex.objects.exists()
    Offer.objects.filter(pk=offer.pk).update(is_published=True)
    assert indexing.refresh(on=today()) == 1
    assert OfferWords.objects.get().search, "with its words"
    assert indexing.refresh(on=today()) == 0, "nothing has changed since"


def test_words_of_offers_wait_for_an_hour_at_most_to_be_filed():
    """GIN keeps what is new in a list that each search reads through."""

    def pages_waiting():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT gin_clean_pending_list('offer_by_words')"
                " + gin_clean_pending_list('offer_by_own_words')"
            )
            return cursor.fetchone()[0]

    OfferFactory()
    assert pages_waiting() > 0, "as they are written, they wait"
    OfferFactory()
    indexing.refresh(on=today())
    assert pages_waiting() == 0


def test_a_portal_that_does_not_own_its_tables_looks_at_offers_all_the_same():
    """As docs/locks.md has it in production: only an owner may file words; PostgreSQL does it later."""
    OfferFactory()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE reader_of_offers")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO reader_of_offers")
        cursor.execute("SET LOCAL ROLE reader_of_offers")
        with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic():
            cursor.execute("SELECT gin_clean_pending_list('offer_by_words')")
    words.keep_ends()
    assert indexing.refresh(on=today()) == 0


def test_an_offer_is_hidden_at_midnight_whoever_sleeps(rules):
    """The last day of its certification is in the index: no task has to run for it."""
    offer = OfferFactory(certification__registered_until=today())
    assert OfferIndex.objects.open_on(today()).filter(pk=offer.pk).exists()
    assert not OfferIndex.objects.open_on(in_days(1)).filter(pk=offer.pk).exists()


@pytest.mark.parametrize("sort", [Sort.RELEVANCE, Sort.PRICE])
def test_a_row_left_behind_shows_nothing_that_has_closed(rules, sort):
    shown, closed = OfferFactory(title="Soudure"), OfferFactory(title="Soudure fermée")
    Offer.objects.filter(pk=closed.pk).update(is_published=False)
    found = search.search(SearchQuery(text="soudure", sort=sort), on=today(), rules=rules)
    assert [offer.pk for offer in found.page] == [shown.pk]


def test_a_refresh_locks_no_row_that_has_not_changed():
    """Each hour all rows are compared: whoever publishes meanwhile waits for none of them."""
    kept, changed = OfferFactory(), OfferFactory()
    Offer.objects.filter(pk=changed.pk).update(price_cents=1)
    assert indexing.refresh(on=today()) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT offer_id FROM catalog_offerindex WHERE xmax = 0 ORDER BY price_cents")
        assert kept.pk in [pk for (pk,) in cursor.fetchall()]
    assert OfferIndex.objects.get(pk=changed.pk).price_cents == 1


@pytest.mark.parametrize(("asked", "name"), [({"price_max": "0"}, "prix"), ({"entry_level": "0"}, "niveau")])
def test_zero_is_asked_too_and_can_be_taken_back(client, asked, name):
    OfferFactory(title="Soudure", price_cents=100, entry_level=4)
    page = client.get(reverse("search"), asked).content.decode()
    assert "Demandez moins" in page and name in page[page.index("Demandez moins") :][:400]

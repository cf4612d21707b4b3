"""The answers on a map: each place once, with how many, and the same as a list."""

import pytest
from django.urls import reverse
from lxml import html

from catalog import grouping, mapping, words
from catalog.search import SearchQuery
from tests.factories.catalog import CertificationFactory, OfferFactory, TownFactory, today

pytestmark = pytest.mark.django_db


@pytest.fixture
def towns():
    return {
        "Lyon": TownFactory(code="69123", name="Lyon", population=500_000),
        "Villeurbanne": TownFactory(
            code="69266", name="Villeurbanne", latitude=45.771, longitude=4.89, population=150_000
        ),
        "Brest": TownFactory(
            code="29019", name="Brest", latitude=48.39, longitude=-4.486, department="29", population=140_000
        ),
        "Saint-Denis": TownFactory(
            code="97411", name="Saint-Denis", latitude=-20.88, longitude=55.45, department="974"
        ),
    }


@pytest.fixture
def draw(rules):
    def draw(**asked):
        return mapping.draw(SearchQuery(**asked), on=today(), rules=rules)

    return draw


def marked(drawn):
    return [(mark.name, mark.count, mark.price_min_cents) for mark in drawn.places]


def test_around_a_town_each_town_is_a_mark(draw, towns):
    OfferFactory.create_batch(2, town=towns["Villeurbanne"], price_cents=90_000)
    OfferFactory(town=towns["Lyon"], price_cents=50_000)
    OfferFactory(town=towns["Brest"])
    drawn = draw(town=towns["Lyon"])
    assert marked(drawn) == [("Villeurbanne", 2, 90_000), ("Lyon", 1, 50_000)]
    [sheet] = drawn.sheets
    east, centre = drawn.places
    assert centre.x == centre.y == mapping.SIDE / 2, "the town that is asked for is in the middle"
    assert east.x > centre.x and east.y < centre.y, "Villeurbanne lies to the north-east"
    assert east.r > centre.r
    assert 0 < sheet.ring < mapping.SIDE / 2
    assert sheet.dots.count("M") == 2


def test_without_a_town_each_department_is_a_mark_on_its_territory(draw, towns):
    OfferFactory.create_batch(2, town=towns["Brest"])
    OfferFactory(town=towns["Lyon"])
    OfferFactory(town=towns["Villeurbanne"])
    OfferFactory(town=towns["Saint-Denis"])
    drawn = draw()
    assert [(name, count) for name, count, _price in marked(drawn)] == [
        ("Brest (29)", 2),
        ("Lyon (69)", 2),
        ("Saint-Denis (974)", 1),
    ]
    assert [(sheet.drawing, len(sheet.marks)) for sheet in drawn.sheets] == [("metropole", 2), ("974", 1)]
    brest, lyon, _island = drawn.places
    assert brest.x < lyon.x and brest.y < lyon.y


def test_what_lies_nowhere_is_counted_beside(draw, towns):
    OfferFactory(town=towns["Lyon"])
    OfferFactory(mode="distance")
    OfferFactory(town_name="Quelque part")
    assert draw().nowhere == 2
    assert draw(town=towns["Lyon"], modes=["on_site", "distance"]).nowhere == 1


def test_filters_and_groups_leave_out_what_they_leave_out_of_the_list(draw, towns, rules):
    baker = CertificationFactory(title="Boulanger")
    OfferFactory(certification=baker, town=towns["Lyon"], mode="mixed")
    OfferFactory(certification=baker, town=towns["Brest"])
    OfferFactory(title="Autre chose", town=towns["Lyon"])
    words.reindex()
    assert [mark.name for mark in draw(modes=["mixed"]).places] == ["Lyon (69)"]
    query = SearchQuery(text="boulanger")
    groups = grouping.find(query, on=today(), rules=rules)
    drawn = mapping.draw(query, groups.keys, on=today(), rules=rules)
    assert [(name, count) for name, count, _price in marked(drawn)] == [("Brest (29)", 1), ("Lyon (69)", 1)]


def test_too_many_to_be_looked_at_are_said_to_be(draw, towns, monkeypatch):
    monkeypatch.setattr(mapping, "OFFERS_MAX", 2)
    OfferFactory.create_batch(3, town=towns["Lyon"])
    assert draw().is_capped


def test_names_never_cover_one_another(draw, rules):
    centre = TownFactory(code="69123", name="Lyon")
    for number in range(12):
        town = TownFactory(
            code=f"69{number:03}", name=f"Commune {number}", latitude=45.75 + number / 400, longitude=4.85
        )
        OfferFactory(town=town)
    [sheet] = draw(town=centre, radius_km=20).sheets
    told = boxes_of(sheet)
    assert told
    for number, box in enumerate(told):
        for other in told[:number]:
            assert not mapping._common(box, other)


def boxes_of(sheet):
    """What the names on a neighbourhood take."""
    named = [(mark.short_name, mark.x, mark.label_y) for mark in sheet.marks if mark.label_y is not None]
    sizes = {"letter": mapping.LETTER, "line": mapping.LINE}
    quiet = {"letter": mapping.QUIET_LETTER, "line": mapping.LINE}
    return [mapping._box_of_name(*each, **sizes) for each in named] + [
        mapping._box_of_name(*each, **quiet) for each in sheet.names
    ]


def test_names_of_towns_without_an_answer_give_way_to_marks(draw):
    """Two towns at the same place: who teaches is seen, the other keeps silent."""
    centre = TownFactory(code="69123", name="Lyon", latitude=45.75, longitude=4.85)
    TownFactory(code="69001", name="Silence", latitude=45.75, longitude=4.85, population=900_000)
    TownFactory(code="69002", name="Ailleurs", latitude=45.68, longitude=4.95, population=100)
    OfferFactory(town=centre)
    [sheet] = draw(town=centre, radius_km=20).sheets
    assert [name for name, _x, _y in sheet.names] == ["Ailleurs"]


def test_the_places_with_the_most_answers_are_named_first_and_inside_the_drawing(draw, rules):
    centre = TownFactory(code="69123", name="Lyon", latitude=45.75, longitude=4.85)
    for number in range(1, 5):
        town = TownFactory(
            code=f"69{number:03}",
            name=f"Saint-Symphorien {number}",
            latitude=45.75 + 0.17 * number / 4,
            longitude=4.85,
        )
        OfferFactory.create_batch(number, town=town)
    [sheet] = draw(town=centre, radius_km=20).sheets
    named = [mark.count for mark in sheet.marks if mark.label_y is not None]
    assert named[:3] == [4, 3, 2]
    for left, top, right, foot in boxes_of(sheet):
        assert left >= 0 and right <= mapping.SIDE and top >= 0 and foot <= mapping.SIDE


def test_the_largest_places_of_the_mainland_bear_their_names(draw, towns):
    OfferFactory.create_batch(2, town=towns["Brest"])
    OfferFactory(town=towns["Lyon"])
    [sheet] = draw().sheets
    assert [(mark.short_name, mark.label_y is not None) for mark in sheet.marks] == [
        ("Brest", True),
        ("Lyon", True),
    ]


@pytest.mark.parametrize("asked", [{}, {"town": "Lyon"}])
def test_the_map_asks_few_questions(rules, towns, asked, django_assert_max_num_queries):
    OfferFactory.create_batch(3, town=towns["Lyon"])
    OfferFactory(town=towns["Brest"])
    query = SearchQuery(town=towns["Lyon"] if asked else None)
    with django_assert_max_num_queries(3):
        mapping.draw(query, on=today(), rules=rules)


# --- The page ------------------------------------------------------------------------------------


def test_the_map_is_a_page_with_the_same_places_as_a_list(client, towns):
    OfferFactory.create_batch(2, town=towns["Lyon"], price_cents=90_000)
    page = client.get(reverse("search"), {"town": "Lyon", "view": "map"})
    found = html.document_fromstring(page.text)
    [place] = found.find_class("answers-map__places")[0].findall("li")
    assert place.text_content().split() == ["Lyon", "2", "formations,", "dès", "900,00", "€"]
    [link] = place.findall("a")
    [drawing] = found.find_class("answers-map__drawing")
    [mark] = drawing.iter("a")
    assert link.get("href") == mark.get("href") == "/recherche?town=Lyon+%2869%29&radius=5"
    assert (mark.get("tabindex"), drawing.get("aria-hidden")) == ("-1", "true")
    assert not list(found.iter("article")), "the list is one click away"
    shown = [(each.text, each.get("aria-current")) for each in found.find_class("views")[0].iter("a")]
    assert shown == [("Liste", None), ("Carte", "true")]


def test_a_department_is_looked_at_nearer_and_stays_a_map(client, towns):
    OfferFactory(town=towns["Brest"])
    found = html.document_fromstring(client.get(reverse("search"), {"view": "map"}).text)
    [link] = found.find_class("answers-map__places")[0].iter("a")
    assert link.get("href") == "/recherche?view=map&town=Brest+%2829%29&radius=50"


def test_a_filter_keeps_the_map(client, towns):
    OfferFactory(town=towns["Brest"])
    found = html.document_fromstring(client.get(reverse("search"), {"view": "map"}).text)
    [kept] = found.xpath("//form[@role='search']//input[@name='view']")
    assert kept.get("value") == "map"


def test_answers_without_a_place_say_so(client):
    OfferFactory(mode="distance")
    page = client.get(reverse("search"), {"view": "map"}).text
    assert "Aucune de ces formations n’a de lieu sur la carte" in page


def test_an_unknown_presentation_is_refused(client):
    assert "Cette présentation n’existe pas" in client.get(reverse("search"), {"view": "globe"}).text

"""A town among the words of a question is proposed, unless the words are rather a certification's."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from lxml import html

from catalog import places, suggesting, words
from tests.factories.catalog import CertificationFactory, OfferFactory, TownFactory, today

pytestmark = pytest.mark.django_db

TOWNS = (
    ("34172", "Montpellier", 300_000, ["34000", "34070"]),
    ("44109", "Nantes", 320_000, ["44000"]),
    ("35238", "Rennes", 220_000, ["35000"]),
    ("37261", "Tours", 136_000, ["37000"]),
    ("56260", "Vannes", 54_000, ["56000"]),
    ("26113", "Die", 4_700, ["26150"]),
    ("19015", "Bar", 300, ["19800"]),
    ("80829", "Y", 90, ["80190"]),
    ("72181", "Le Mans", 145_000, ["72000"]),
    ("17300", "La Rochelle", 77_000, ["17000"]),
    ("93066", "Saint-Denis", 112_000, ["93200"]),
    ("97411", "Saint-Denis", 153_000, ["97400"]),
    ("71076", "Chalon-sur-Saône", 45_000, ["71100"]),
    ("94038", "L'Haÿ-les-Roses", 30_000, ["94240"]),
    ("2A004", "Ajaccio", 70_000, ["20000"]),
)


@pytest.fixture
def propose(rules):
    """« words @ town », or "", among these towns and the names that lead to an open offer."""
    for code, name, population, codes in TOWNS:
        TownFactory(code=code, name=name, population=population, postal_codes=codes)

    def propose(text):
        suggesting.refresh(on=today(), rules=rules)
        place = places.find(text)
        return f"{place.text} @ {place.town}" if place else ""

    return propose


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("anglais, Montpellier", "anglais @ Montpellier (34)"),
        ("comptable nantes", "comptable @ Nantes (44)"),
        ("cuisine 35000", "cuisine @ Rennes (35)"),
        ("cuisine Rennes 35000", "cuisine @ Rennes (35)"),
        ("cuisine 35000 Rennes", "cuisine @ Rennes (35)"),
        ("Anglais à Montpellier ?", "Anglais @ Montpellier (34)"),
        ("anglais près de Montpellier", "anglais @ Montpellier (34)"),
        ("CAP cuisine autour de Saint Denis", "CAP cuisine @ Saint-Denis (974)"),
        ("anglais st-denis", "anglais @ Saint-Denis (974)"),
        ("anglais Saint-Denis (93)", "anglais @ Saint-Denis (93)"),
        ("anglais Saint-Denis 93200", "anglais @ Saint-Denis (93)"),
        ("anglais Saint-Denis (974)", "anglais @ Saint-Denis (974)"),
        ("anglais au Mans", "anglais @ Le Mans (72)"),
        ("anglais à la rochelle", "anglais @ La Rochelle (17)"),
        ("soudeur chalon sur saone", "soudeur @ Chalon-sur-Saône (71)"),
        ("soudeur L’Haÿ-les-Roses", "soudeur @ L'Haÿ-les-Roses (94)"),
        ("école d’Ajaccio (2a)", "école @ Ajaccio (2A)"),
        ("C++ Nantes", "C++ @ Nantes (44)"),
        ("anglais tours", "anglais @ Tours (37)"),
        ("anglais die", "anglais @ Die (26)"),
        ("anglais Le Mans", "anglais @ Le Mans (72)"),
        ("permis, Y", "permis @ Y (80)"),
    ],
)
def test_a_town_at_the_end_of_the_words_is_proposed(propose, text, proposed):
    assert propose(text) == proposed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Montpellier",
        "à Montpellier",
        "35000",
        "RNCP 35000",
        "rncp35000",
        "la Rochelle",
        "Montpellier anglais",  # only at the end
        "anglais",
        "aide-soignant",
        "sous-Nantes",
        '"anglais Nantes"',
        "« anglais » Nantes",
        "permis y",
        "anglais Nantes (35)",
        "anglais 99999",
        "anglais Nulle-Part",
        "de la Nantes",
        "' OR 1=1 --",
        "%",
        "a " * 100,
        "é" * 10_000,
    ],
)
def test_nothing_is_proposed_where_no_town_is_meant_or_nothing_else_is_said(propose, text):
    assert propose(text) == ""


@pytest.mark.parametrize(
    ("title", "text", "proposed"),
    [
        # All the words together are of one name.
        ("Conducteur de tours à commande numérique", "conducteur tours", ""),
        ("Robinetier, pose de vannes", "pose de vannes", ""),
        # The town's word alone is: it is large enough to be meant first.
        ("Conducteur de tours à commande numérique", "anglais tours", "anglais @ Tours (37)"),
        ("Ingénieur de l’École centrale de Nantes", "comptable nantes", "comptable @ Nantes (44)"),
        # Or too small.
        ("Barman, employé de bar", "serveur bar", ""),
        # Something says that it is a place.
        ("Barman, employé de bar", "serveur, Bar", "serveur @ Bar (19)"),
        ("Barman, employé de bar", "serveur bar (19)", "serveur @ Bar (19)"),
        ("Ingénieur de l’École centrale de Nantes", "ingénieur à Nantes", "ingénieur @ Nantes (44)"),
        ("Ingénieur de l’École centrale de Nantes", "ingénieur nantes", ""),
    ],
)
def test_a_word_that_certifications_bear_too_is_a_town_only_by_the_rule(propose, title, text, proposed):
    OfferFactory(certification__title=title)
    assert propose(text) == proposed


def test_a_name_of_a_trade_counts_as_one_of_a_certification_does(propose):
    OfferFactory(certification__rome_labels=["Conducteur / Conductrice de tours"])
    assert propose("conducteur tours") == ""
    assert propose("anglais tours") == "anglais @ Tours (37)"


def test_the_words_of_two_names_are_no_name(propose):
    OfferFactory(certification__rome_labels=["Conducteur de tours", "Professeur d’anglais"])
    assert propose("anglais tours") == "anglais @ Tours (37)"


def test_an_organisation_that_bears_the_name_of_a_town_takes_it_from_nobody(propose):
    OfferFactory(provider__organisation__name="Anglais Tours Formation")
    assert propose("anglais tours") == "anglais @ Tours (37)"


def test_a_certification_that_nobody_offers_takes_no_town_away(propose):
    CertificationFactory(title="Conducteur de tours")
    assert propose("conducteur tours") == "conducteur @ Tours (37)"


def test_the_page_proposes_the_search_around_the_town_and_applies_nothing(client):
    montpellier = TownFactory(code="34172", name="Montpellier", latitude=43.61, longitude=3.87)
    OfferFactory(title="Anglais", town=montpellier)
    OfferFactory(title="Anglais à Montpellier", town=TownFactory())
    asked = {"q": "anglais, Montpellier", "mode": "on_site", "page": "1"}
    page = html.fromstring(client.get(reverse("search"), asked).content)
    [link] = [a for a in page.iter("a") if "Chercher «" in a.text_content()]
    assert " ".join(link.text_content().split()) == "Chercher « anglais » autour de Montpellier (34) ?"
    assert "autour de" not in " ".join(each.text_content() for each in page.find_class("chip"))
    address = parse_qs(urlsplit(link.get("href")).query)
    assert address == {"q": ["anglais"], "mode": ["on_site"], "town": ["Montpellier (34)"]}
    there = html.fromstring(client.get(link.get("href")).content)
    assert there.get_element_by_id("id_town").get("value") == "Montpellier (34)"
    assert len(there.xpath("//article")) == 1
    assert "Chercher «" not in there.text_content(), "a town is asked for already"


def test_what_is_typed_stays_words_on_the_page(client):
    TownFactory()
    page = client.get(reverse("search"), {"q": "<script>alert(1)</script>, Lyon"}).content.decode()
    assert "<script>alert" not in page and "autour de Lyon (69)" in page


def test_a_place_in_the_words_costs_one_statement_and_one_word_none(django_assert_num_queries):
    TownFactory()
    for text, count in (
        ("anglais lyon", 1),
        ("anglais courant", 1),
        ("anglais 69001", 1),
        ("anglais", 0),
        ("", 0),
    ):
        with django_assert_num_queries(count):
            places.find(text)


def test_a_page_of_several_words_asks_once_more_than_one_of_a_word(client, django_assert_num_queries):
    OfferFactory(certification__title="Soudure plastique", town=TownFactory())
    words.reindex()
    for text, count in (("soudure", 9), ("soudure plastique", 10), ("soudure à Lyon", 10)):
        with django_assert_num_queries(count + 5):  # the limit of time, as in test_public_pages
            client.get(reverse("search"), {"q": text})

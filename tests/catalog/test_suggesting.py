"""What completes a search while one types: which names, in which order, and that nothing typed can harm."""

import json

import pytest
from django.db import connection
from django.urls import reverse
from lxml import html

from catalog import suggesting, words
from catalog.models import Suggestion
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import (
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    TermFactory,
    TownFactory,
    today,
)

pytestmark = pytest.mark.django_db

HOSTILE = [
    "x" * 10_000,
    "a " * 5_000,
    "'; DROP TABLE catalog_offer; --",
    "aide' & !'x",
    "aide:* | b <-> c",
    "%_\\%",
    "<script>alert(1)</script>",
    "👩‍⚕️🩺",
    "avant\x00après",
    "ﬁﬂ½²",
    "中文 العربية",
    "&|!():*<>-'\"\\",
    "ǅabc İi",
]


@pytest.fixture
def refresh(rules):
    return lambda: suggesting.refresh(on=today(), rules=rules)


@pytest.fixture
def carers(refresh):
    """A trade with two job names, taught by two organisations; another that nobody teaches; a town."""
    TermFactory(
        code="J1501", label="Soins d'hygiène", names=["Aide-soignant / Aide-soignante", "Brancardier"]
    )
    TermFactory(code="N9999", label="Aide de camp", names=["Aideur / Aideuse de camp"])
    certification = CertificationFactory(
        code="RNCP35830", number=35_830, title="Diplôme d'État d'aide-soignant", rome_codes=["J1501"]
    )
    for name in ("Institut des aides", "École Élan"):
        provider = ProviderFactory(organisation=OrganisationFactory(name=name))
        OfferFactory(certification=certification, provider=provider)
    TownFactory(code="2A001", name="Aiguebelle", population=900)
    TownFactory(code="93066", name="Saint-Denis", population=112_000)
    refresh()
    return certification


def names(text):
    return {group.kind: [each.label for each in group.suggestions] for group in suggesting.suggest(text)}


def fills(text):
    return {
        each.label: json.loads(each.fill) for group in suggesting.suggest(text) for each in group.suggestions
    }


# --- Which names --------------------------------------------------------------------------------------


def test_the_beginning_of_any_word_finds_names_of_four_kinds_without_accents(carers):
    assert names("ai") == {
        "job": ["Aide-soignant / Aide-soignante"],
        "certification": ["Diplôme d'État d'aide-soignant"],
        "organisation": ["Institut des aides"],
        "town": ["Aiguebelle (2A)"],
    }
    assert names("elan") == {"organisation": ["École Élan"]}
    assert names("ÉLA") == {"organisation": ["École Élan"]}


def test_each_word_typed_begins_a_word_in_any_order(carers):
    assert names("soign aide")["job"] == ["Aide-soignant / Aide-soignante"]
    assert "job" not in names("soign plombier")


def test_a_trade_that_leads_nowhere_is_not_suggested(carers):
    assert "Aideur / Aideuse de camp" not in str(names("aid"))


def test_a_number_or_its_code_names_a_certification(carers):
    for typed in ("35830", "rncp358", "RNCP35830"):
        assert names(typed) == {"certification": ["Diplôme d'État d'aide-soignant"]}


def test_a_town_is_found_by_saint_and_by_st(carers):
    assert names("saint den")["town"] == names("st den")["town"] == ["Saint-Denis (93)"]


def test_small_words_are_not_asked_for_but_alone_they_begin_others(carers):
    assert names("institut de l'aide")["organisation"] == ["Institut des aides"]
    assert names("des")["organisation"] == ["Institut des aides"]


COMMON = ["so", "sou", "soud", "soude", "de", "metal de", "sou de", "soudeur m", "ag"]


@pytest.mark.parametrize("typed", COMMON)
def test_what_is_noted_of_common_beginnings_changes_no_answer(refresh, monkeypatch, typed):
    for number in range(7):
        title = f"{'Soudeur' if number % 2 else 'Agent de soudure'} {number}"
        certification = CertificationFactory(title=title)
        organisation = OrganisationFactory(name=f"Métal de {'ABCDEFG'[number]}")
        provider = ProviderFactory(organisation=organisation)
        for offers in range(number % 4 + 1):
            OfferFactory(certification=certification, provider=provider, entitled=not offers)
    refresh()
    plainly = names(typed)
    monkeypatch.setattr(suggesting, "COMMON_FROM", 2)
    refresh()
    assert Suggestion.objects.filter(heads__contains=["sou"]).exists()
    assert names(typed) == plainly


def test_below_two_letters_nothing_is_suggested(carers, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert [suggesting.suggest(text) for text in ("", "a", " a ", "é", "--", "?", "👩")] == [[]] * 7


def test_a_mistyped_name_is_found_when_no_name_begins_so(carers):
    assert names("aide sognante")["job"] == ["Aide-soignant / Aide-soignante"]
    assert names("saint deniss")["town"] == ["Saint-Denis (93)"]
    assert names("zzzyxw") == {}


def test_the_best_known_come_first_and_four_at_most(refresh):
    for number in range(6):
        certification = CertificationFactory(title=f"Soudeur {number}")
        for _offer in range(number + 1):
            OfferFactory(certification=certification)
    refresh()
    assert names("soud")["certification"] == [f"Soudeur {number}" for number in (5, 4, 3, 2)]


def test_a_name_that_begins_as_what_is_typed_comes_before_a_better_known_one(refresh):
    for title, offers in (("Technicien comptable", 3), ("Comptable", 1)):
        certification = CertificationFactory(title=title)
        for _offer in range(offers):
            OfferFactory(certification=certification)
    refresh()
    assert names("compt")["certification"] == ["Comptable", "Technicien comptable"]


# --- Where they lead ----------------------------------------------------------------------------------


def test_what_is_chosen_fills_the_fields_of_the_search(carers):
    filled = fills("ai")
    assert filled["Aide-soignant / Aide-soignante"] == {"q": "Aide-soignant", "certification": ""}
    assert filled["Diplôme d'État d'aide-soignant"] == {"q": "", "certification": "RNCP35830"}
    assert filled["Institut des aides"] == {"q": "« Institut des aides »", "certification": ""}
    assert filled["Aiguebelle (2A)"] == {"q": "", "town": "Aiguebelle (2A)"}


def test_each_suggestion_leads_to_results(carers, client):
    for fill in fills("aide").values():
        asked = {name: value for name, value in fill.items() if value}
        page = client.get(reverse("search"), asked).text
        assert "Aucune formation ne répond" not in page, asked


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        ("Aide-soignant / Aide-soignante", "Aide-soignant"),
        ("Conducteur / Conductrice de travaux", "Conducteur de travaux"),
        ("Chef d'équipe / Cheffe d'équipe", "Chef d'équipe"),
        ("Acrobate", "Acrobate"),
        ("Peintre / Décorateur", "Peintre / Décorateur"),
        ("/ x", "/ x"),
        (" / ", " / "),
    ],
)
def test_a_job_is_searched_by_one_of_its_genders(job, asked):
    assert words.as_said(job)[0] == asked


# --- The table ----------------------------------------------------------------------------------------


def test_made_again_it_forgets_what_is_closed_and_changes_nothing_else(carers, refresh):
    before = list(Suggestion.objects.order_by("pk").values_list("pk", "label", "weight"))
    refresh()
    assert list(Suggestion.objects.order_by("pk").values_list("pk", "label", "weight")) == before
    carers.offers.filter(provider__organisation__name="École Élan").update(is_published=False)
    refresh()
    assert "organisation" not in names("elan")
    carers.offers.update(is_published=False)
    refresh()
    assert set(Suggestion.objects.values_list("kind", flat=True)) == {"town"}


def test_two_organisations_of_one_name_are_one_suggestion(refresh):
    for _number in range(2):
        OfferFactory(provider=ProviderFactory(organisation=OrganisationFactory(name="Atelier Nord")))
    refresh()
    [one] = Suggestion.objects.filter(kind="organisation")
    assert (one.label, one.weight) == ("Atelier Nord", 2)


def test_a_title_longer_than_an_index_takes_is_cut(refresh):
    OfferFactory(certification=CertificationFactory(title="Ébéniste " + "très " * 2_000))
    refresh()
    [one] = Suggestion.objects.filter(kind="certification")
    assert len(one.label) == 300


# --- The address --------------------------------------------------------------------------------------


def test_a_visitor_gets_a_list_that_machines_understand(carers, client):
    answer = client.get(reverse("suggestions"), {"q": "aide"})
    page = html.fragment_fromstring(answer.text, create_parent=True)
    assert answer.status_code == 200
    assert page.xpath("//div[@role='group']/@aria-label") == ["Métiers", "Certifications", "Organismes"]
    assert len(page.xpath("//div[@role='group']/div[@role='option'][@id][@aria-selected='false']")) == 3


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_nothing_typed_breaks_it_or_becomes_markup(carers, client, text):
    answer = client.get(reverse("suggestions"), {"q": text})
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert Suggestion.objects.exists()


def test_a_name_that_holds_markup_is_shown_as_words(refresh, client):
    name = """Atelier "Nord" <script>'x'</script>"""
    OfferFactory(provider=ProviderFactory(organisation=OrganisationFactory(name=name)))
    refresh()
    answer = client.get(reverse("suggestions"), {"q": "atelier"})
    [option] = html.fragment_fromstring(answer.text, create_parent=True).xpath("//div[@role='option']")
    assert option.text_content().strip() == name
    assert json.loads(option.get("data-fill"))["q"] == f"« {name} »"


@pytest.mark.parametrize("count", [1, 3])
def test_a_letter_costs_one_statement_and_two_when_nothing_begins_so(
    count, refresh, client, django_assert_num_queries
):
    for number in range(count):
        OfferFactory(certification=CertificationFactory(title=f"Soudeur {number}"))
    refresh()
    # Around them, the limit of time: a savepoint here (a transaction outside of tests), set and put back.
    around = 5
    with django_assert_num_queries(around + 1):
        client.get(reverse("suggestions"), {"q": "soud"})
    with django_assert_num_queries(around + 2):
        client.get(reverse("suggestions"), {"q": "soudure"})


def test_the_prefix_is_looked_up_in_an_index(carers):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        values = {"typed": "ai", "first": "ai", "head": "ai", "begun": "ai:*", "each": 4}
        cursor.execute("EXPLAIN " + suggesting._BEGUN, values)
        assert "suggestion_by_words" in str(cursor.fetchall())
        cursor.execute("EXPLAIN " + suggesting._LIKE, values)
        assert "suggestion_by_likeness" in str(cursor.fetchall())

"""A certification that is known and that nobody offers: what became of it, and where to look instead."""

import pytest
from django.urls import reverse
from lxml import html

from catalog import known, words
from catalog.models import Succession
from catalog.search import SearchQuery
from tests.factories.catalog import CertificationFactory, OfferFactory, TownFactory, in_days, today
from ui import french

pytestmark = pytest.mark.django_db


@pytest.fixture
def look(client):
    """(the cards of the records on the page, all its words), once the words of every record are known."""

    def look(**asked):
        words.reindex()
        page = html.fromstring(client.get(reverse("search"), asked).content)
        cards = page.xpath("//section[starts-with(@aria-labelledby, 'fiche-')]")
        return cards, " ".join(page.get_element_by_id("resultats").text_content().split())

    return look


def said(card):
    return " ".join(card.text_content().split())


def test_a_number_that_has_ended_says_so_and_leads_to_what_replaces_it(look):
    old = CertificationFactory(
        title="Comptable assistant", level=4, short_title="Titre professionnel", registered_until=in_days(-40)
    )
    new = CertificationFactory(title="Comptable de demain")
    Succession.objects.create(old_code=old.code, new_code=new.code)
    OfferFactory.create_batch(2, certification=new)
    for typed in (old.code, str(old.number), f"rncp {old.number}", f"{old.code}BC01"):
        [card], page = look(q=typed)
        told = said(card)
        assert "Comptable assistant" in told and old.code in told and "niveau 4" in told
        assert "Titre professionnel" in told
        day = " ".join(french.short_day(in_days(-40)).split())
        assert f"Terminée le {day} ; qui l’a obtenue la garde." in told
        assert "Elle est remplacée par" in told and "(2 formations)" in told
        [link] = card.xpath(".//a")
        assert link.get("href") == f"{reverse('search')}?q={new.code}"
        # Its successor answers below.
        assert "1 réponse" in page and "Aucune formation ne répond" not in page


def test_a_successor_that_nobody_offers_either_is_told_so(look):
    old, new = CertificationFactory(ended=True), CertificationFactory(title="La nouvelle")
    Succession.objects.create(old_code=old.code, new_code=new.code)
    [card], _page = look(q=old.code)
    assert "La nouvelle (aucune formation pour le moment)" in said(card)
    [card], _page = look(q=new.code)
    assert "Aucune formation n’est proposée pour le moment." in said(card)


def test_what_nothing_replaces_is_told_so(look):
    [card], _page = look(q=CertificationFactory(ended=True).code)
    assert "ne dit pas ce qui la remplace" in said(card) and not card.xpath(".//a")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"withdrawn": True}, "Elle n’est plus enregistrée ; qui l’a obtenue la garde."),
        ({"registered_until": None}, "Elle n’est plus enregistrée ; qui l’a obtenue la garde."),
        ({"effective_on": in_days(50)}, "Elle ne prend effet que le"),
        ({"registered_until": None, "source": "kit"}, "La fin de son enregistrement n’est pas connue."),
        ({}, "Aucune formation n’est proposée pour le moment."),
    ],
)
def test_each_state_of_a_record_has_its_words(look, facts, sentence):
    [card], _page = look(q=CertificationFactory(**facts).code)
    assert sentence in said(card)
    assert "Terminée le" not in said(card)


def test_the_very_name_of_an_ended_certification_finds_its_record(look):
    CertificationFactory(title="Technicien des réseaux câblés", ended=True)
    [card], page = look(q="technicien réseaux câblés")
    assert "Terminée le" in said(card)
    assert "Essayez un mot plus court" not in page


def test_a_record_that_says_little_of_what_is_asked_is_not_shown(look):
    CertificationFactory(title="Technicien des réseaux câblés", ended=True)
    CertificationFactory(title="Opérateur en aquaculture", ended=True)
    CertificationFactory(title="Magasinier d’entrepôt", ended=True)
    cards, page = look(q="technicien aquaculture entrepôt")
    assert not cards and "Essayez un mot plus court" in page


def test_where_filters_are_the_reason_a_number_leads_to_its_offers_without_them(look):
    TownFactory()
    offer = OfferFactory(price_cents=900_000, mode="distance")
    [card], page = look(q=offer.certification_id, town="Lyon", price_max="10")
    [link] = card.xpath(".//a")
    assert link.get("href") == f"{reverse('search')}?certification={offer.certification_id}"
    assert "Voir, dans toute la France et sans filtre : 1 formation" in said(card)
    assert "Aucune formation n’est proposée" not in page


def test_a_number_in_one_town_is_also_proposed_in_all_of_france(look):
    TownFactory()
    offer = OfferFactory()
    cards, page = look(q=offer.certification_id, town="Lyon")
    assert len(cards) == 1 and "Cherchez dans toute la France (1 formation)" in page


def test_words_that_find_offers_under_other_filters_are_no_question_about_one_record(look):
    TownFactory()
    OfferFactory(title="Soudeur", certification=CertificationFactory(title="Soudeur"))
    CertificationFactory(title="Soudeur", ended=True)
    cards, page = look(q="soudeur", town="Lyon")
    assert not cards and "Cherchez dans toute la France (1 formation)" in page


def test_the_certification_of_a_kept_address_is_told_too(look):
    old = CertificationFactory(title="Charpentier de marine", ended=True)
    [card], _page = look(certification=old.code)
    assert "Charpentier de marine" in said(card)


def test_a_number_of_both_registers_shows_both(look):
    number = CertificationFactory(ended=True, title="De l’un").number
    CertificationFactory(ended=True, title="De l’autre", register="RS", number=number)
    cards, _page = look(q=str(number))
    assert len(cards) == 2
    assert len(look(q=f"RS{number}")[0]) == 1
    assert look(q="RNCP999999")[0] == []


def test_a_number_that_is_offered_shows_its_offers_and_no_record(look):
    offer = OfferFactory()
    cards, page = look(q=offer.certification_id)
    assert not cards and "1 réponse" in page


@pytest.mark.parametrize(
    "text", ["", "\0", "é" * 10_000, "RNCP" + "9" * 50, "'; DROP TABLE x; --", '"', "le la"]
)
def test_hostile_words_are_no_record(text, rules):
    CertificationFactory(ended=True)
    words.reindex()
    for by_words in (True, False):
        assert known.find(SearchQuery(text=text), by_words=by_words, on=today(), rules=rules) == []


def test_the_number_of_queries_follows_neither_records_nor_successors(rules, django_assert_num_queries):
    number = CertificationFactory(ended=True, title="Un métier").number
    CertificationFactory(ended=True, register="RS", number=number)
    for _each in range(7):
        Succession.objects.create(old_code=f"RNCP{number}", new_code=CertificationFactory().code)
    words.reindex()
    # Records, their successors as `finding` follows them (two), then for us; titles; how many are offered.
    with django_assert_num_queries(6):
        found = known.find(SearchQuery(text=str(number)), by_words=True, on=today(), rules=rules)
    assert [len(one.replaced_by) for one in found] == [known.SUCCESSORS_MAX, 0]
    with django_assert_num_queries(5):  # what mistyped words are like; the words; the same three
        [one] = known.find(SearchQuery(text="un métier"), by_words=True, on=today(), rules=rules)
    assert one.certification.number == number
    with django_assert_num_queries(0):
        assert known.find(SearchQuery(text="un métier"), by_words=False, on=today(), rules=rules) == []


def test_a_page_that_finds_nothing_asks_little_more_than_one_that_does(client, django_assert_num_queries):
    old, new = CertificationFactory(ended=True, title="Vieux luthier"), CertificationFactory()
    Succession.objects.create(old_code=old.code, new_code=new.code)
    words.reindex()
    # The law; what the number is and what replaces it (three), whether that is offered, who else says it; the
    # list, another spelling, the choices, twice; the record, what replaces it, their titles, how many offers.
    # Around them, the limit of time, as on every page (test_public_pages).
    with django_assert_num_queries(16 + 5):
        client.get(reverse("search"), {"q": old.code})
    # By words, the same searches and one record.
    with django_assert_num_queries(14 + 5):
        client.get(reverse("search"), {"q": "vieux luthier"})

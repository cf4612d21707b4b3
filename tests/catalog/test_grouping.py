"""Answers gathered by certification, then by organisation: nobody's thousand offers hide the others."""

import pytest
from django.db import connection
from django.urls import reverse
from lxml import html

from catalog import facets, finding, grouping, indexing, search, words
from catalog.geography import Point
from catalog.grouping import Key
from catalog.models import Habilitation, Offer, OfferWords
from catalog.search import SearchQuery, Sort
from tests.factories.accounts import a_siret
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)
from ui import french, prepared

pytestmark = pytest.mark.django_db


@pytest.fixture
def find(rules):
    """The groups that answer, once the words of every certification are known."""

    def find(text, *, page=1, **asked):
        words.reindex()
        return grouping.find(SearchQuery(text=text, **asked), on=today(), rules=rules, page=page)

    return find


def titles(found):
    return [group.title for group in found.groups]


def names(group):
    return [offer.provider.organisation.name for offer in group.offers]


def certified(title, count=1, **facts):
    certification = CertificationFactory(title=title)
    return [OfferFactory(certification=certification, title=title, **facts) for _number in range(count)]


def test_each_certification_stands_once_in_the_order_of_its_words(find):
    certified("Comptable assistant", 4)
    certified("Comptable", 2)
    certified("Soudeur")
    found = find("comptable")
    assert titles(found) == ["Comptable", "Comptable assistant"]
    assert [group.offers_count for group in found.groups] == [2, 4]
    assert found.total == 2


def test_an_organisation_with_a_thousand_offers_shows_one_of_them(find):
    certification = CertificationFactory(title="Plombier")
    large, small = ProviderFactory(), ProviderFactory()
    for number in range(8):
        OfferFactory(
            certification=certification, provider=large, entitled=number == 0, price_cents=100_000 + number
        )
    OfferFactory(certification=certification, provider=small, price_cents=900_000)
    [group] = find("plombier").groups
    assert (group.offers_count, group.providers_count) == (9, 2)
    assert names(group) == [large.organisation.name, small.organisation.name]
    # The cheapest of each, where no place says which is nearer.
    assert [offer.price_cents for offer in group.offers] == [100_000, 900_000]
    assert (group.price_min_cents, group.price_max_cents, group.rest) == (100_000, 900_000, 7)


def test_near_a_town_the_nearest_come_first(find):
    lyon = TownFactory()
    near = TownFactory(code="69266", name="Villeurbanne", latitude=45.77, longitude=4.88)
    certification = CertificationFactory(title="Soudeur")
    for town, price in ((near, 100_000), (lyon, 200_000)):
        OfferFactory(certification=certification, town=town, price_cents=price)
    OfferFactory(certification=certification, price_cents=1_000)  # who knows where
    [group] = find("soudeur", town=lyon).groups
    assert [offer.town_name for offer in group.offers] == ["Lyon", "Villeurbanne"]
    assert group.offers_count == 2


def test_certifications_that_share_a_number_in_the_index_are_kept_apart(find, rules):
    """In a place the index knows codes by a number that two of them may share (catalog.models.Hashed)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(number), max(number) FROM generate_series(600001, 999999) AS number"
            " GROUP BY hashtext('RNCP' || number) HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        )
        alike = cursor.fetchone()
    town = TownFactory()
    one, other = (CertificationFactory(number=number, title=f"Métier {number}") for number in alike)
    mine = OfferFactory(certification=one, town=town)
    theirs = [OfferFactory(certification=other, town=town) for _each in range(2)]
    [group] = find(f"RNCP{one.number}", town=town).groups
    assert (group.offers_count, group.offers) == (1, [mine])
    listed = search.matching(SearchQuery(certification=other.code, town=town), on=today(), rules=rules)
    assert {row.pk for row in listed} == {offer.pk for offer in theirs}
    asked = SearchQuery(text="metier", town=town)
    assert facets.count(asked, [Key(one.code)], on=today(), rules=rules).total.number == 1


def test_in_a_place_certifications_are_asked_as_its_index_knows_them(find, rules, monkeypatch):
    """Without it PostgreSQL reads all that is offered there for each of them: 60 times slower."""
    asked, town = [], TownFactory()
    rows = prepared.rows
    monkeypatch.setattr(
        prepared,
        "rows",
        lambda statement, *how, **more: asked.append(statement) or rows(statement, *how, **more),
    )
    [offer] = certified("Soudeur", town=town)
    code = offer.certification_id
    for place, is_asked in ((town, True), (None, False)):
        asked.clear()
        found = find("soudeur", town=place)
        assert len(found.groups) == 1
        by_key = [statement for statement in asked if "= asked.key" in statement]
        assert len(by_key) == 2, "which certifications are offered, and what each group holds"
        query = SearchQuery(text="soudeur", town=place)
        listed = search.matching(SearchQuery(certification=code, town=place), on=today(), rules=rules)
        counted = facets.reached(query, found.keys, on=today())
        for statement in (*by_key, str(listed.query), str(counted.query)):
            assert ("hashtext" in statement) == is_asked, statement


def test_no_more_than_two_offers_of_a_group_are_shown(find):
    certified("Soudeur", 5)
    [group] = find("soudeur").groups
    assert (len(group.offers), group.rest) == (2, 3)


def test_filters_hold_for_what_is_counted_and_shown(find):
    certification = CertificationFactory(title="Soudeur", level=3)
    for mode, price in (("on_site", 100_000), ("distance", 50_000), ("on_site", 900_000)):
        OfferFactory(certification=certification, mode=mode, price_cents=price)
    [group] = find("soudeur", modes=["on_site"], price_max_cents=500_000).groups
    assert (group.offers_count, group.price_max_cents) == (1, 100_000)
    assert find("soudeur", levels=[3]).total == 1
    assert find("soudeur", levels=[5]).total == 0


def test_what_nobody_offers_today_is_no_group(find):
    certified("Soudeur", is_published=False)
    CertificationFactory(title="Soudeur à l’arc")
    assert find("soudeur").total == 0


def test_what_no_certification_says_is_gathered_by_its_kind(find):
    OfferFactory(skills_review=True, title="Faire le point sur sa carrière")
    certified("Conseiller en bilan de compétences")
    found = find("bilan de compétences")
    assert titles(found)[0] == "Bilan de compétences"
    assert found.groups[0].key.kind == "skills_review"


def test_a_word_that_only_an_organisation_bears_still_finds_its_offers(find):
    offer = OfferFactory(provider__organisation__name="Compagnons du Devoir")
    found = find("compagnons")
    assert [group.key.certification for group in found.groups] == [offer.certification_id]


def test_an_organisation_that_is_asked_for_by_name_is_not_hidden_by_cheaper_ones(find, client):
    """The certification that its offers prepare is not what was asked: its other organisations stay away."""
    certification = CertificationFactory(title="Charpentier")
    dear = OfferFactory(
        certification=certification,
        provider__organisation__name="Compagnons du Devoir",
        price_cents=900_000,
    )
    for _number in range(4):
        OfferFactory(certification=certification, price_cents=1_000)
    [group] = find("compagnons").groups
    assert (names(group), group.offers_count) == ([dear.provider.organisation.name], 1)
    # All of them by the certification's own name; and the list keeps the words.
    assert find("charpentier").groups[0].offers_count == 5
    listed = {"q": "compagnons", "certification": certification.code, "sort": "price"}
    assert "1 formation" in client.get(reverse("search"), listed).content.decode()


def test_an_organisation_asked_for_by_name_is_found_in_a_town_though_its_first_offers_are_elsewhere(
    find, monkeypatch
):
    """Cut before the place is asked, the one here is lost. Beyond what is read it is (docs/search.md)."""
    monkeypatch.setattr(grouping, "OWN_WORDS_MAX", 2)
    provider = ProviderFactory(organisation__name="Compagnons du Devoir")
    lyon, brest = TownFactory(), TownFactory(code="29019", name="Brest", latitude=48.39, longitude=-4.49)
    for _number in range(3):
        OfferFactory(provider=provider, town=lyon)
    here = OfferFactory(provider=provider, town=brest)
    [group] = find("compagnons", town=brest).groups
    assert group.offers == [here]
    monkeypatch.setattr(grouping, "OWN_WORDS_READ_MAX", 3)
    assert find("compagnons", town=brest).groups == []


def test_what_is_taught_from_afar_is_found_in_a_town_by_the_name_of_its_organisation(find):
    provider = ProviderFactory(organisation__name="Compagnons du Devoir")
    town = TownFactory()
    afar, here = OfferFactory(provider=provider, mode="distance"), OfferFactory(provider=provider, town=town)
    found = find("compagnons", town=town, modes=["on_site", "distance"]).groups
    assert {offer for group in found for offer in group.offers} == {here, afar}
    assert [group.offers for group in find("compagnons", town=town).groups] == [[here]]


@pytest.mark.parametrize("follow", [indexing.reindex, indexing.refresh])
def test_the_words_of_an_offer_move_with_it(find, follow):
    """Found by its organisation's name where it is now, whoever wrote its new place."""
    lyon, brest = TownFactory(), TownFactory(code="29019", name="Brest", latitude=48.39, longitude=-4.49)
    offer = OfferFactory(provider__organisation__name="Compagnons du Devoir", town=lyon)
    assert find("compagnons", town=lyon).groups and not find("compagnons", town=brest).groups
    Offer.objects.filter(pk=offer.pk).update(town=brest, point=brest.point)
    follow(on=today())
    assert find("compagnons", town=brest).groups and not find("compagnons", town=lyon).groups
    assert OfferWords.objects.get().point == brest.point


def test_what_is_taught_here_is_not_cut_by_what_is_not(find, monkeypatch):
    """A word of many certifications: those without an offer under the filters take no place."""
    monkeypatch.setattr(grouping, "CERTIFICATIONS_MAX", 2)
    for number in range(5):
        CertificationFactory(title=f"Vendeur {number}")
    certified("Vendeur de produits frais en magasin")
    found = find("vendeur")
    assert (titles(found), found.is_capped) == (["Vendeur de produits frais en magasin"], False)
    for number in range(3):
        certified(f"Vendeur à domicile {number}")
    found = find("vendeur")
    assert (found.total, found.is_capped) == (2, True)


def test_beyond_the_certifications_that_are_shown_no_text_is_looked_into(find, monkeypatch):
    """A word of so many certifications is in the texts of too many offers to say anything more."""
    monkeypatch.setattr(grouping, "CERTIFICATIONS_MAX", 2)
    certified("Vendeur en magasin")
    OfferFactory(certification=CertificationFactory(title="Coiffeur"), objectives="Vendeur à ses heures.")
    assert titles(find("vendeur")) == ["Vendeur en magasin", "Coiffeur"]
    for number in range(2):
        certified(f"Vendeur à domicile {number}")
    assert "Coiffeur" not in titles(find("vendeur")) and find("vendeur").is_capped


@pytest.mark.parametrize("text", ["formation", "accompagnement", "A2", "école", "entreprise"])
def test_a_word_of_many_things_is_no_kind(find, text):
    OfferFactory(kind="licence_light", certification=None, portal_code="CPF206", title="Passer le B")
    assert not any(group.key.kind and not group.key.by_own_words for group in find(text).groups)


def test_pages_hold_eight_groups_and_a_page_out_of_range_gives_the_last(find, monkeypatch):
    monkeypatch.setattr(grouping, "PAGE_SIZE", 2)
    for name in ("un", "deux", "trois"):
        certified(f"Soudeur numéro {name}")
    first, last = find("soudeur"), find("soudeur", page=99)
    assert (len(first.groups), len(last.groups), last.page.number) == (2, 1, 2)
    assert not set(titles(first)) & set(titles(last))


@pytest.mark.parametrize(
    "text", ["", "&|!()", "'; DROP TABLE catalog_offer; --", "\x00", "é" * 10_000, "😀", '"', "le la les"]
)
def test_hostile_words_fail_nothing(find, text):
    certified("Soudeur")
    assert find(text).total >= 0


def every_filter():
    return {
        "modes": ["on_site", "distance"],
        "natures": ["training"],
        "levels": [5, 6],
        "entry_level": 4,
        "durations": ["days", "month"],
        "rhythms": ["evening"],
        "languages": ["fr"],
        "starts_from": in_days(1),
        "starts_by": in_days(300),
        "is_accessible": True,
        "rating_min": 4,
        "certifier": a_siret(7),
        "price_max_cents": 10_000_000_000,
        "radius_km": 1,
    }


@pytest.mark.parametrize("name", [*every_filter(), "all of them"])
def test_each_filter_goes_with_words(find, name):
    """Two trainings that answer the words in one town: each filter lets one of them through."""
    town = TownFactory()
    kept, other = (
        CertificationFactory(title="Soudeur", level=5), CertificationFactory(title="Soudeur", level=3)
    )  # fmt: skip
    HabilitationFactory(certification=kept, siret=a_siret(7), role=Habilitation.Role.CERTIFIER)
    offer = OfferFactory(
        certification=kept, town=town, entry_level=3, rhythms=["evening"], languages=["fr"],
        accessibility="Rampe", rating_tenths=45, reviews_count=9, hours=100,
    )  # fmt: skip
    OfferFactory(
        certification=other, town=town, point=Point(town.point.x + 5_000, town.point.y), mode="mixed",
        entry_level=5, price_cents=20_000_000_000, hours=900, sessions=0, languages=["de"],
        block_codes=[f"{other.code}BC01"],
    )  # fmt: skip
    assert find("soudeur", town=town).total == 2
    every = every_filter()
    [group] = find("soudeur", town=town, **(every if name == "all of them" else {name: every[name]})).groups
    assert [each.pk for each in group.offers] == [offer.pk]


def test_the_number_of_queries_does_not_follow_the_groups(rules, django_assert_num_queries):
    for number in range(6):
        certified(f"Soudeur numéro {number}", 4)
    words.reindex()
    query = SearchQuery(text="soudeur")
    with django_assert_num_queries(6):
        grouping.find(query, on=today(), rules=rules)


@pytest.mark.parametrize(
    ("asked", "is_asked"),
    [
        ({"text": "soudeur"}, True),
        ({}, False),
        ({"text": "soudeur", "sort": Sort.PRICE}, False),
        ({"text": "soudeur", "certification": "RNCP1"}, False),
    ],
)
def test_a_list_is_asked_for_by_an_order_or_by_a_certification(asked, is_asked):
    assert grouping.is_asked(SearchQuery(**asked)) == is_asked


# --- On the page --------------------------------------------------------------------------------------


def test_the_page_leads_from_a_group_to_all_its_offers(client):
    offers = certified("Soudeur", 5)
    words.reindex()
    page = client.get(reverse("search"), {"q": "soudeur", "mode": "on_site"}).content.decode()
    address = f"?mode=on_site&amp;certification={offers[0].certification_id}"
    assert "Voir les 5 formations" in page and address in page
    listed = client.get(
        reverse("search"), {"certification": offers[0].certification_id, "mode": "on_site"}
    ).content.decode()
    assert "5 formations" in listed
    assert f"{offers[0].certification_id}" in listed


def test_where_the_group_says_the_title_a_card_begins_with_who_gives_it(client):
    """« Soudeur », then two cards of two organisations; another title than the group's stays on its card."""
    same, other = certified("Soudeur", 2)
    Offer.objects.filter(pk=same.pk).update(title="SOUDEUR")
    Offer.objects.filter(pk=other.pk).update(title="Souder en six mois")
    words.reindex()
    found = html.document_fromstring(client.get(reverse("search"), {"q": "soudeur"}).text)
    titles = {card.find(".//h4").text_content() for card in found.iter("article")}
    assert titles == {f"{same.provider.organisation.name}{french.NO_BREAK}: SOUDEUR", "Souder en six mois"}
    said = {card.find(".//h4").text_content(): card.text_content() for card in found.iter("article")}
    assert other.provider.organisation.name in said["Souder en six mois"]


def test_a_mistyped_word_is_told_on_the_page_and_only_then(client):
    certified("Soudeur", 2)
    words.reindex()
    words.refresh()
    page = client.get(reverse("search"), {"q": "soudeurr", "mode": "on_site"}).text
    assert 'href="/recherche?q=soudeur&amp;mode=on_site">soudeur</a>' in page and "Mot inconnu" in page
    assert "Mot inconnu" not in client.get(reverse("search"), {"q": "soudeur"}).text


def test_the_button_of_the_filters_never_promises_a_round_number(client, monkeypatch):
    monkeypatch.setattr(grouping, "CERTIFICATIONS_MAX", 1)
    certified("Soudeur à l’arc")
    certified("Soudeur au gaz")
    words.reindex()
    page = client.get(reverse("search"), {"q": "soudeur"}).text
    assert "Voir plus de 1 réponses" in page and "Plus de 1 réponses" in page


def test_two_certifications_of_one_title_are_told_apart_by_who_hears_the_page(client):
    certified("Soudeur")
    certified("Soudeur")
    words.reindex()
    page = html.fromstring(client.get(reverse("search"), {"q": "soudeur"}).text)
    named = [
        " ".join(page.get_element_by_id(name).text_content() for name in group.get("aria-labelledby").split())
        for group in page.find_class("offer-group")
    ]
    assert len(set(named)) == 2 and all(name.startswith("Soudeur RNCP") for name in named)


def test_a_certification_that_is_no_number_is_refused_in_words(client):
    page = client.get(reverse("search"), {"certification": "<b>"}).content.decode()
    assert "n’est pas un numéro du répertoire" in page


def test_nothing_found_still_says_what_to_change(client):
    SessionFactory(offer=OfferFactory(title="Soudure", mode="on_site"))
    page = client.get(reverse("search"), {"q": "soudure", "mode": "distance"}).content.decode()
    assert "Cherchez toutes les modalités" in page


@pytest.mark.parametrize("is_near", [True, False])
def test_beyond_what_is_counted_prices_are_right_and_another_organisation_is_shown(
    find, monkeypatch, is_near
):
    """One organisation has more offers, nearer and dearer or cheaper, than are counted."""
    monkeypatch.setattr(grouping, "GROUP_MAX", 3)
    town = TownFactory()
    far = Point(town.point.x + 9_000, town.point.y)
    one, certification = ProviderFactory(), CertificationFactory(title="Comptable")
    facts = {"certification": certification, "title": "Comptable", "town": town}
    for price in range(5):
        asked = (200_000 if is_near else 100_000) + price
        OfferFactory(**facts, provider=one, price_cents=asked, entitled=not price)
    other = OfferFactory(**facts, point=far, price_cents=150_000)
    dearest = OfferFactory(**facts, point=far, provider=other.provider, price_cents=300_000, entitled=False)
    [group] = find("comptable", **({"town": town, "radius_km": 20} if is_near else {})).groups
    assert (group.offers_count, group.providers_count) == (4, 2)
    assert (group.price_min_cents, group.price_max_cents) == (
        150_000 if is_near else 100_000,
        dearest.price_cents,
    )
    assert [offer.provider_id for offer in group.offers] == [one.pk, other.provider_id]
    assert group.offers[1].pk == other.pk
    assert group.is_capped


def test_groups_ask_for_active_certifications_alone(find, monkeypatch):
    """However few are judged: one that has ended, and bears the very name, takes no place."""
    monkeypatch.setattr(finding, "CANDIDATES_MAX", 1)
    CertificationFactory(title="Comptable", ended=True)
    certified("Comptable spécialisé")
    assert titles(find("comptable")) == ["Comptable spécialisé"]


def test_a_group_with_more_than_are_counted_says_so(find, client, monkeypatch):
    monkeypatch.setattr(grouping, "GROUP_MAX", 2)
    certified("Comptable", 4)
    [group] = find("comptable").groups
    assert (group.is_capped, group.counted) == (True, 2)
    page = client.get(reverse("search"), {"q": "comptable"}).content.decode()
    assert "plus de 2 formations" in page and "Voir toutes ces formations" in page
    certified("Soudeur", 2)
    [group] = find("soudeur").groups
    assert not group.is_capped

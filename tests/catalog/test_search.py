"""Searching: words, places, filters, order, and what hostile or clumsy people type."""

import math
from dataclasses import replace
from datetime import date

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.expressions import RawSQL
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from catalog import indexing, search, words
from catalog.geography import OVERSEAS_GRIDS, Circle, Distance, point_of
from catalog.models import Offer, OfferWords, Town, Word
from catalog.search import FirstStart, SearchQuery, Sort, StartsBetween
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import (
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TermFactory,
    TownFactory,
    in_days,
    today,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def find(rules):
    """The offers found, in order."""

    def find(text="", *, page=1, **asked):
        return search.search(SearchQuery(text=text, **asked), on=today(), rules=rules, page=page)

    return find


def titles(results):
    return [offer.title for offer in results.page]


# --- Words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "comptabilité générale",
        "comptabilite generale",
        "COMPTABILITÉS",
        "comptab",
        "générale comptabi",
        "la comptabilité",
        "les bases de la comptabilité",
        '"comptabilité générale"',
        "«comptabilité générale»",
        "comptabilité or plomberie",
        "comptabilité -plomberie",
        "RNCP35809",
        "rncp 35809",
        "RNCP-35809",
        "35809",
        "TP-CG",
        "Atelier des Éléphants",
        "bilan de l’entreprise",
        "bilan d'entreprise",
        "Excel",
        "excel/word",
        "auto-entrepreneur",
        "auto entrepreneur",
        "comptabilité & ! (",
        "Formation en comptabilité",
        "je veux apprendre la comptabilité",
    ],
)
def test_found(find, typed):
    provider = ProviderFactory(organisation=OrganisationFactory(name="Atelier des éléphants"))
    certification = CertificationFactory(number=35809, title="Comptable de gestion", short_code="TP-CG")
    OfferFactory(
        title="Bases de la comptabilité générale",
        provider=provider,
        certification=certification,
        objectives="<p>Lire un bilan d'entreprise</p>",
        content="Tableaux Excel/Word pour un auto-entrepreneur",
    )
    OfferFactory(title="Soudure")
    assert titles(find(typed)) == ["Bases de la comptabilité générale"]


@pytest.mark.parametrize(
    "typed",
    [
        '"générale comptabilité"',
        '"formation" comptabilité',
        "stage -comptabilité",
        "comptabilité -générale",
        "comptabilité plomberie",
        "RNCP3580",
        "script",
        "le",
        "'; DROP TABLE catalog_offer; --",
        "%",
        "_",
        "%%%s %(x)s",
        "& | ! ( ) :* <->",
        'comptabilité "générale',
        "\\",
        "a:*",
        "''",
        "🦄",
        "comptabilité " * 200 + "plomberie",
        "-",
        '"',
    ],
)
def test_hostile_and_empty_words_fail_nothing(find, typed):
    OfferFactory(title="Comptabilité générale", content="<script>alert(1)</script>")
    found = titles(find(typed))
    assert found == (["Comptabilité générale"] if typed == 'comptabilité "générale' else [])


def test_a_title_counts_more_than_a_text(find):
    OfferFactory(
        title="Cuisine", content="Un peu de pâtisserie, beaucoup de pâtisserie, que de la pâtisserie"
    )
    OfferFactory(title="Pâtisserie")
    assert titles(find("pâtisserie")) == ["Pâtisserie", "Cuisine"]


def test_a_retitled_certification_is_found_after_reindex(find):
    certification = CertificationFactory(title="Ancien intitulé de boulanger")
    offer = OfferFactory(title="Fournil", certification=certification)
    certification.title = "Artisan viennois"
    certification.save()
    assert titles(find("viennois")) == []
    assert indexing.reindex([offer.pk], on=today()) == 1
    assert titles(find("viennois")) == ["Fournil"]
    assert titles(find("boulanger")) == []
    assert indexing.reindex([offer.pk], on=today()) == 0, "nothing has changed since"


def test_an_offer_is_found_by_the_words_its_certification_goes_by(find):
    """Job names, synonyms, initials and other titles; first shown missing."""
    certification = CertificationFactory(
        title="Vente et conseil en literie", short_code="BTS", rome_codes=["D9001"], formacodes=["34500"]
    )
    offer = OfferFactory(title="Bien dormir", certification=certification)
    OfferFactory(title="Comptabilité")
    asked = ["matelassier", "marchand de sommeil", "VCL", "marchands sommeil"]
    assert [titles(find(text)) for text in asked] == [[]] * 4
    TermFactory(code="D9001", label="Vente", names=["Matelassier / Matelassière"])
    TermFactory(nomenclature="formacode", code="34500", label="Literie", names=["marchand de sommeil"])
    words.reindex()
    assert indexing.reindex([offer.pk], on=today()) == 1
    assert [titles(find(text)) for text in asked] == [["Bien dormir"]] * 4


def test_what_an_offer_says_itself_counts_more_than_the_words_of_its_certification(find):
    TermFactory(code="D9001", names=["Matelassier"])
    certification = CertificationFactory(title="Literie", rome_codes=["D9001"])
    words.reindex()
    OfferFactory(title="Bien dormir", certification=certification)
    OfferFactory(title="Matelassier")
    assert titles(find("matelassier")) == ["Matelassier", "Bien dormir"]


def test_reindexing_all_forgets_the_words_that_are_gone():
    offer = OfferFactory(title="Maroquinerie")
    other = OfferFactory(title="Ébénisterie", indexed=False)
    assert not Word.objects.filter(key="ebenisterie").exists()
    Offer.objects.filter(pk=offer.pk).update(title="Sellerie")
    indexing.reindex(on=today())
    assert set(Word.objects.filter(key__in=["maroquinerie", "sellerie", "ebenisterie"])) == {
        Word(key="sellerie"),
        Word(key="ebenisterie"),
    }
    assert Word.objects.get(key="ebenisterie").spelling == "ébénisterie"
    assert OfferWords.objects.get(pk=other.pk).search


# --- When nothing is found -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("boulangrie", "boulangerie"),
        ("Boulangrie artisanale", "boulangerie artisanale"),
        ("comptabilté", "comptabilité"),
        ("zzzzqqqq", ""),
        ("", ""),
    ],
)
def test_a_mistyped_word_is_put_right(find, typed, suggestion):
    OfferFactory(title="Boulangerie artisanale")
    OfferFactory(title="Comptabilité")
    assert find(typed or "zzzz").suggestion.lower() == suggestion.lower()


def test_a_suggestion_finds_something(find):
    """The word exists, but its offer is not open: it would lead nowhere."""
    OfferFactory(title="Boulangerie", entitled=False)
    assert find("boulangrie").suggestion == ""


# --- Places --------------------------------------------------------------------------------------


def haversine(one, other):
    """Metres on the sphere that best fits the Earth there and in that direction: it knows nothing of grids.

    One mean radius would itself be 0.56 % too long northwards near the equator (Euler's formula, WGS 84).
    """
    (lat1, lon1), (lat2, lon2) = [(math.radians(a), math.radians(b)) for a, b in (one, other)]
    north, east = lat2 - lat1, (lon2 - lon1) * math.cos((lat1 + lat2) / 2)
    flattened = 1 - 0.006_694_38 * math.sin((lat1 + lat2) / 2) ** 2
    east_radius = 6_378_137 / math.sqrt(flattened)
    north_radius = east_radius * (1 - 0.006_694_38) / flattened
    share = math.sin(math.atan2(north, east)) ** 2
    radius = 1 / (share / north_radius + (1 - share) / east_radius)
    half = math.sin(north / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * radius * math.asin(math.sqrt(half))


# Where people live, by territory: department, latitudes, longitudes.
TERRITORIES = [
    ("75", (42.4, 51.0), (-4.7, 8.2)),
    ("2A", (41.4, 43.0), (8.6, 9.5)),
    ("971", (15.9, 16.5), (-61.8, -61.0)),
    ("972", (14.4, 14.9), (-61.2, -60.8)),
    ("973", (2.2, 5.7), (-54.5, -51.7)),
    ("974", (-21.4, -20.9), (55.2, 55.8)),
    ("975", (46.8, 47.1), (-56.4, -56.1)),
    ("976", (-13.0, -12.6), (45.0, 45.3)),
]


@pytest.mark.parametrize("territory", TERRITORIES, ids=lambda t: t[0])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), radius_km=st.sampled_from([5, 10, 20, 30, 50, 100]))
def test_a_radius_is_right_within_half_a_percent(territory, db, data, radius_km):
    department, latitudes, longitudes = territory
    centre = (data.draw(st.floats(*latitudes)), data.draw(st.floats(*longitudes)))
    place = (
        centre[0] + data.draw(st.floats(-1, 1)) * radius_km / 80,
        centre[1] + data.draw(st.floats(-1, 1)) * radius_km / 80,
    )
    assume(latitudes[0] <= place[0] <= latitudes[1] and longitudes[0] <= place[1] <= longitudes[1])
    true = haversine(centre, place)
    town = TownFactory.build(latitude=centre[0], longitude=centre[1], department=department)
    TownFactory(code="00001", latitude=place[0], longitude=place[1], department=department)
    try:
        near = Town.objects.annotate(metres=Distance("point", town.point)).get(code="00001")
        assert near.metres == pytest.approx(true, rel=0.005, abs=1)
        is_inside = Town.objects.filter(point__within=Circle(town.point, radius_km * 1000)).exists()
        if abs(true - radius_km * 1000) > radius_km * 5:
            assert is_inside == (true < radius_km * 1000)
    finally:
        Town.objects.filter(code="00001").delete()


def test_territories_never_come_near_each_other():
    """The planes of two grids share one column: no circle of 100 km may reach from one into the other."""
    corners = {}
    for department, latitudes, longitudes in TERRITORIES:
        grid = OVERSEAS_GRIDS.get(department, "mainland")
        corners.setdefault(grid, []).extend(
            point_of(latitude=latitude, longitude=longitude, department=department)
            for latitude in latitudes
            for longitude in longitudes
        )
    boxes = {
        grid: (min(p.x for p in ps), max(p.x for p in ps), min(p.y for p in ps), max(p.y for p in ps))
        for grid, ps in corners.items()
    }
    for one, (x1, x2, y1, y2) in boxes.items():
        for other, (u1, u2, v1, v2) in boxes.items():
            if one != other:
                gap = math.hypot(max(u1 - x2, x1 - u2, 0), max(v1 - y2, y1 - v2, 0))
                assert gap > 300_000, (one, other)


def test_the_edge_of_a_circle_belongs_to_it(find):
    town = TownFactory()
    at_edge = OfferFactory(title="Au bord", town=town)
    beyond = OfferFactory(title="Au-delà", town=town)
    Offer.objects.filter(pk=at_edge.pk).update(point=type(town.point)(town.point.x + 10_000, town.point.y))
    Offer.objects.filter(pk=beyond.pk).update(point=type(town.point)(town.point.x + 10_000.1, town.point.y))
    indexing.reindex([at_edge.pk, beyond.pk], on=today())
    assert titles(find(town=town, radius_km=10)) == ["Au bord"]
    assert titles(find(town=town, radius_km=20)) == ["Au bord", "Au-delà"]


def test_a_town_overseas_finds_its_own_and_no_other(find):
    island = TownFactory(code="97411", name="Saint-Denis", latitude=-20.88, longitude=55.45)
    mainland = TownFactory(code="93066", name="Saint-Denis", latitude=48.936, longitude=2.357)
    OfferFactory(title="Là-bas", town=island)
    OfferFactory(title="Ici", town=mainland)
    assert titles(find(town=island, radius_km=100)) == ["Là-bas"]
    assert titles(find(town=mainland, radius_km=100)) == ["Ici"]


def test_an_offer_at_a_distance_comes_with_a_town_only_when_asked_for(find):
    town = TownFactory()
    OfferFactory(title="Sur place", town=town)
    OfferFactory(title="Chez soi", mode="distance")
    OfferFactory(title="Mixte", mode="mixed", town=town)
    assert set(titles(find())) == {"Sur place", "Chez soi", "Mixte"}
    assert set(titles(find(town=town))) == {"Sur place", "Mixte"}
    assert titles(find(town=town, modes=["distance"])) == ["Chez soi"]
    assert set(titles(find(town=town, modes=["distance", "on_site"]))) == {"Sur place", "Chez soi"}
    assert titles(find(modes=["mixed"])) == ["Mixte"]


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("Saint-Denis", ["97411", "93066"]),
        ("saint denis", ["97411", "93066"]),
        ("ST DENIS", ["97411", "93066"]),
        ("Saint-Denis (93)", ["93066"]),
        ("saint-denis (974)", ["97411"]),
        ("93200", ["93066"]),
        ("93066", ["93066"]),
        ("2A004", ["2A004"]),
        ("ajac", ["2A004"]),
        ("L'Haÿ", ["94038"]),
        ("l hay les roses", ["94038"]),
        ("Nulle part", []),
        ("%", []),
        ("(93)", []),
        ("", []),
    ],
)
def test_towns_are_found_by_name_and_codes_the_most_populous_first(typed, codes):
    TownFactory(code="93066", name="Saint-Denis", postal_codes=["93200", "93210"], population=112_000)
    TownFactory(code="97411", name="Saint-Denis", postal_codes=["97400"], population=153_000)
    TownFactory(code="2A004", name="Ajaccio", postal_codes=["20000"], population=70_000)
    TownFactory(code="94038", name="L'Haÿ-les-Roses", postal_codes=["94240"], population=30_000)
    assert [town.code for town in search.find_towns(typed)] == codes


def test_an_exact_name_comes_before_a_longer_one_of_a_bigger_town():
    TownFactory(code="01001", name="Lyons-la-Forêt", population=900_000)
    TownFactory(code="69123", name="Lyon", population=500_000)
    assert [town.name for town in search.find_towns("lyon")] == ["Lyon", "Lyons-la-Forêt"]


def test_a_mistyped_town_has_neighbours_in_spelling():
    TownFactory(code="69123", name="Villeurbanne")
    TownFactory(code="33063", name="Bordeaux")
    assert [town.name for town in search.towns_like("Vileurbane")] == ["Villeurbanne"]


# --- Filters, order, pages -----------------------------------------------------------------------


def test_filters(find):
    OfferFactory(title="Chère", price_cents=300_001)
    OfferFactory(title="Juste", price_cents=300_000)
    OfferFactory(title="Bilan", skills_review=True, price_cents=1)
    assert titles(find(price_max_cents=300_000)) == ["Bilan", "Juste"]
    assert titles(find(natures=["skills_review"])) == ["Bilan"]
    assert titles(find(price_max_cents=0)) == []


def test_orders(find):
    town = TownFactory()
    near = TownFactory(code="69266", name="Villeurbanne", latitude=45.771, longitude=4.89)
    far = TownFactory(code="42218", name="Saint-Étienne", latitude=45.43, longitude=4.39)
    first = OfferFactory(title="B loin, chère, bientôt", town=far, price_cents=3, sessions=0)
    SessionFactory(offer=first, starts_on=in_days(40))
    second = OfferFactory(title="A près, moyenne, plus tard", town=near, price_cents=2, sessions=0)
    SessionFactory(offer=second, starts_on=in_days(80))
    third = OfferFactory(title="C ici, gratuite, toujours", town=town, price_cents=1, sessions=0)
    SessionFactory(offer=third, permanent=True)
    OfferFactory(title="D nulle part, très chère, jamais", mode="distance", price_cents=4, sessions=0)

    def letters(**asked):
        return "".join(title[0] for title in titles(find(**asked)))

    assert letters() == "ABCD"
    assert letters(sort=Sort.PRICE) == "CABD"
    assert letters(sort=Sort.START) == "CBAD"
    assert letters(sort=Sort.DISTANCE, town=town, radius_km=100) == "CAB"
    everywhere = {"town": town, "radius_km": 100, "modes": ["on_site", "distance"]}
    assert letters(sort=Sort.DISTANCE, **everywhere) == "CABD"


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 12))


@given(starts=st.sets(DAYS), first=DAYS, last=DAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whether_a_session_starts_between_two_days_and_the_first_that_does(starts, first, last, db):
    asked = RawSQL("%s::date[]", [sorted(starts)])
    compiler = Town.objects.all().query.get_compiler(connection=connection)
    told = []
    with connection.cursor() as cursor:
        for expression in (StartsBetween(asked, Value(first), Value(last)), FirstStart(asked, Value(first))):
            statement, values = expression.as_sql(compiler, connection)
            cursor.execute(f"SELECT {statement}", values)
            told += cursor.fetchone()
    later = [day for day in starts if day >= first]
    assert told == [any(day <= last for day in later), min(later, default=None)]


def test_a_card_says_the_next_session_that_can_be_got(find, rules):
    offer = OfferFactory(sessions=0)
    SessionFactory(offer=offer, too_soon=True)
    [card] = find().page
    assert (card.next_start, card.is_permanent, card.is_soon) == (None, False, True)
    later = SessionFactory(offer=offer, starts_on=in_days(90))
    sooner = SessionFactory(offer=offer, starts_on=in_days(70))
    SessionFactory(offer=offer, starts_on=in_days(50), recruitment="closed")
    [card] = find().page
    assert (card.next_start, card.is_permanent) == (sooner.starts_on, False)
    assert later.starts_on > sooner.starts_on
    SessionFactory(offer=offer, permanent=True)
    results = find()
    [card] = results.page
    assert (card.next_start, card.is_permanent) == (results.earliest_start, True)


def test_cards_say_the_same_read_at_once_or_by_django(rules):
    """The statement of `shown` is written once a day, and its rows are read by hand."""
    lyon, here = TownFactory(), TownFactory(latitude=45.9, longitude=4.9)
    offers = [
        OfferFactory(town=lyon, certification__level=5, certification__rome_codes=["H2913"]),
        OfferFactory(skills_review=True, mode="distance", rhythms=["evening"], languages=["fr", "en"]),
        OfferFactory(town=here, sessions=0, price_cents=1),
    ]
    SessionFactory(offer=offers[2], permanent=True)
    ids = [offer.pk for offer in offers]
    for query in (SearchQuery(), SearchQuery(town=lyon)):
        at_once = search.shown(ids, query, on=today(), rules=rules)
        by_django = search.cards(Offer.objects.filter(pk__in=ids), query, on=today(), rules=rules)
        assert [offer.pk for offer in at_once] == ids
        by_id = {offer.pk: offer for offer in by_django}
        for offer in at_once:
            other = by_id[offer.pk]
            assert offer.distance_m == pytest.approx(other.distance_m)
            for name in (*search.FIELDS, *search.OF_SESSIONS):
                *path, last = name.split("__")
                one, same = offer, other
                for step in path:
                    one, same = one and getattr(one, step), same and getattr(same, step)
                assert getattr(one, last, None) == getattr(same, last, None), name
            assert offer.get_deferred_fields() == other.get_deferred_fields()
            assert offer.provider.get_deferred_fields() == other.provider.get_deferred_fields()


def test_cards_follow_the_law_of_the_day_even_when_it_changes_that_day(rules):
    offer = OfferFactory(sessions=0)
    soon, later = (SessionFactory(offer=offer, starts_on=in_days(days)) for days in (30, 90))
    for days, session in ((11, soon), (45, later), (11, soon)):
        law = replace(rules, earliest_start_days=days)
        [card] = search.shown([offer.pk], SearchQuery(), on=today(), rules=law)
        assert card.next_start == session.starts_on, days


def test_a_card_is_judged_again_when_it_is_shown(rules):
    offer = OfferFactory()
    assert search.shown([offer.pk], SearchQuery(), on=today(), rules=rules) == [offer]
    Offer.objects.filter(pk=offer.pk).update(is_published=False)
    assert search.shown([offer.pk], SearchQuery(), on=today(), rules=rules) == []
    assert search.shown([], SearchQuery(), on=today(), rules=rules) == []


def test_pages(find, monkeypatch):
    monkeypatch.setattr(search, "PAGE_SIZE", 2)
    for number in range(5):
        OfferFactory(title=f"Formation {number}")
    seen = [title for page in (1, 2, 3) for title in titles(find(page=page))]
    assert seen == [f"Formation {number}" for number in range(5)]
    assert titles(find(page=99)) == titles(find(page="-4")) == ["Formation 4"]
    assert titles(find(page="abc")) == ["Formation 0", "Formation 1"]


def test_the_total_is_capped(find, monkeypatch):
    monkeypatch.setattr(search, "TOTAL_MAX", 2)
    OfferFactory(), OfferFactory()
    assert (find().total, find().is_capped) == (2, False)
    OfferFactory()
    assert (find().total, find().is_capped) == (2, True)


def test_what_is_not_open_is_never_found(find):
    OfferFactory(title="Habilitée", content="soudure")
    OfferFactory(title="Sans habilitation", content="soudure", entitled=False)
    OfferFactory(title="Finie", content="soudure", certification=CertificationFactory(ended=True))
    OfferFactory(title="Masquée", content="soudure", is_published=False)
    OfferFactory(title="Suspendue", content="soudure", provider=ProviderFactory(state="suspended"))
    OfferFactory(title="Sans Qualiopi", content="soudure", provider=ProviderFactory(qualiopi_training=False))
    assert titles(find("soudure")) == ["Habilitée"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_queries_does_not_grow(find, count, django_assert_num_queries):
    town = TownFactory()
    for number in range(count):
        offer = OfferFactory(title=f"Soudure {number}", town=town)
        SessionFactory(offer=offer, permanent=True)
    with django_assert_num_queries(2):  # the page, not full: its own count; and its cards
        results = find("soudure", town=town, sort=Sort.START)
        assert all(
            offer.provider.organisation.name and offer.certification.title and offer.next_start
            for offer in results.page
        )
    assert len(results.page) == count


@pytest.mark.parametrize(("made", "total", "pages"), [(19, 19, 1), (20, 20, 1), (21, 21, 2)])
def test_a_page_that_is_full_is_counted_beyond(find, made, total, pages, django_assert_num_queries):
    OfferFactory.create_batch(made, title="Soudure")
    with django_assert_num_queries(2 if made < 20 else 3):
        results = find("soudure")
        assert (results.total, results.page.paginator.num_pages, len(results.page)) == (
            total,
            pages,
            min(made, 20),
        )
    assert len(find("soudure", page=2).page) == (1 if made == 21 else min(made, 20))

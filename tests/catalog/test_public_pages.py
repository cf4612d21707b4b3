"""The catalogue that everyone sees, without signing in."""

import json
import re
import uuid

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse

from catalog.models import CertificationBlock, CertificationOutcome, Habilitation, Succession
from catalog.templatetags.catalog import rich_text
from dossiers.models import ProviderFigures
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import CertificationFactory, OfferFactory, SessionFactory, TownFactory, in_days
from ui import french

pytestmark = pytest.mark.django_db


@pytest.fixture
def look(client):
    """The words of a search page."""

    def look(status=200, htmx=False, **asked):
        headers = {"HX-Request": "true"} if htmx else {}
        response = client.get(reverse("search"), asked, headers=headers)
        assert response.status_code == status
        return response.content.decode()

    return look


def offer_page(client, offer):
    return client.get(reverse("offer", args=[offer.pk]))


# --- The search ----------------------------------------------------------------------------------


def test_the_search_answers_without_a_word(look):
    OfferFactory(title="Soudure à l'arc")
    page = look()
    assert "1 formation" in page
    assert "Soudure à l&#x27;arc" in page


def test_an_empty_catalogue_says_so(look):
    page = look()
    assert "Aucune formation ne répond à cette recherche" in page
    assert "Recommencer la recherche" in page


@pytest.mark.parametrize("asked", [{"sort": "cost"}, {"cost_max": "100"}, {"sort": "cost", "cost_max": "x"}])
def test_an_address_with_costs_that_somebody_shared_answers_who_has_none(look, client, asked):
    OfferFactory(title="Soudure")
    page = look(q="soudure", **asked)
    assert "Soudure" in page and "attend une correction" not in page
    assert "connectez-vous" in page and "next=/recherche%3Fq%3Dsoudure" in page
    client.force_login(MembershipFactory().user)
    page = look(q="soudure", **asked)
    assert "Soudure" in page and "n’en tient pas compte" in page
    assert "n’en tient pas compte" not in look(q="soudure", sort="price")


def test_htmx_gets_the_results_alone(look):
    OfferFactory(title="Soudure")
    page = look(q="soudure", htmx=True)
    assert "Soudure" in page
    assert "<html" not in page
    assert 'role="search"' not in page


def test_applied_filters_can_be_taken_off_one_by_one(look):
    TownFactory()
    page = look(
        q="soudure", town="Lyon", radius="50", mode=["on_site", "mixed"], price_max="1500", kind="training"
    )
    for chip in ("« soudure »", "50 km autour de Lyon (69)", "En présentiel", "Mixte", "1 500,00 € au plus"):
        assert chip in page.replace("\u202f", " ").replace("\xa0", " ")
    rest = "mode=on_site&amp;mode=mixed&amp;price_max=1500&amp;kind=training"
    assert f'href="/recherche?town=Lyon&amp;radius=50&amp;{rest}"' in page
    assert f'href="/recherche?q=soudure&amp;{rest}"' in page
    assert "mode=on_site&amp;price_max=1500" in page


def test_nothing_found_says_what_to_change(look):
    TownFactory()
    OfferFactory(title="Boulangerie")
    page = look(q="boulangerie", town="Lyon")
    assert "Cherchez dans toute la France (1 formation)" in page
    page = look(q="boulangrie")
    assert 'Essayez avec\u00a0: <a href="/recherche?q=boulangerie">boulangerie</a>' in page


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"q": "x" * 201}, "200 caractères au plus"),
        ({"q": "a\0b"}, "Le caractère nul"),
        ({"town": "Atlantide"}, "pas connue"),
        ({"town": "x" * 101}, "100 caractères au plus"),
        ({"radius": "7"}, "Choisissez une distance de la liste"),
        ({"radius": "abc"}, "Choisissez une distance de la liste"),
        ({"mode": "télépathie"}, "Cette modalité n’existe pas"),
        ({"kind": "' OR 1=1"}, "Cette nature n’existe pas"),
        ({"price_max": "-1"}, "ne peut pas être négatif"),
        ({"price_max": "12,5"}, "sans centimes"),
        ({"price_max": "9" * 30}, "100 000\u00a0€ au plus"),
        ({"sort": "hasard"}, "Cet ordre n’existe pas"),
        ({"sort": "distance"}, "Pour trier par distance, indiquez une commune"),
    ],
)
def test_a_wrong_filter_is_explained_beside_its_field(look, asked, sentence):
    OfferFactory(title="Soudure")
    page = look(**asked)
    assert sentence in page
    assert 'aria-invalid="true"' in page
    assert "Soudure" not in page
    assert sentence in look(**asked, htmx=True)


def test_a_mistyped_town_is_put_right(look):
    TownFactory(name="Villeurbanne")
    assert "Pensiez-vous à Villeurbanne (69)" in look(town="Vileurbane")


def test_the_whole_name_of_one_town_asks_nothing(look):
    TownFactory()
    TownFactory(code="27377", name="Lyons-la-Forêt", population=700)
    page = look(town="lyon")
    assert "30 km autour de Lyon (69)" in page and "Vous pensiez à une autre commune" not in page
    assert "Lyons-la-Forêt (27)" in look(town="lyo"), "the beginning of a name may mean any of them"


def test_a_name_of_several_towns_takes_the_biggest_and_shows_the_others(look):
    TownFactory(code="93066", name="Saint-Denis", population=112_000)
    TownFactory(code="97411", name="Saint-Denis", population=153_000, latitude=-20.88, longitude=55.45)
    page = look(town="saint denis")
    assert "Recherche autour de Saint-Denis (974)." in page
    assert 'href="/recherche?town=Saint-Denis+%2893%29">Saint-Denis (93)</a>' in page


def test_a_page_out_of_range_shows_the_nearest(look):
    OfferFactory(title="Soudure")
    for number in ("99", "-1", "0", "abc", "9" * 40):
        assert "Soudure" in look(page=number)


def test_a_card_says_how_far_and_when(look):
    town = TownFactory()
    offer = OfferFactory(town=town, sessions=0)
    SessionFactory(offer=offer, too_soon=True)
    page = look(town="Lyon")
    assert "à moins de 1 km" in page
    assert "11 jours ouvrés" in page
    SessionFactory(offer=offer, starts_on=in_days(61))
    page = look(town="Lyon")
    assert "Premier début encore possible" in page
    assert french.day(in_days(61)) in page


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_as_much_for_three_as_for_one(client, count, django_assert_num_queries):
    town = TownFactory()
    for number in range(count):
        SessionFactory(offer=OfferFactory(title=f"Soudure {number}", town=town), permanent=True)
    # The law, the town, four for the groups, their cards; the choices on the sample, then whole, those at a
    # distance. Around them, the limit of time: five here, where it is put back inside a transaction, three
    # outside.
    with django_assert_num_queries(10 + 5):
        page = client.get(reverse("search"), {"q": "soudure", "town": "Lyon"}).content.decode()
    assert page.count("<article") == count


def test_suggested_towns_are_few_and_harmless(client):
    for number in range(15):
        TownFactory(code=f"69{number:03}", name=f"Saint-<b>{number}")
    page = client.get(reverse("town_suggestions"), {"town": "saint"}).content.decode()
    assert page.count("<option") == 10
    assert "<b>" not in page
    for typed in ("s", "", "\0", "%", "x" * 10_000):
        assert "<option" not in client.get(reverse("town_suggestions"), {"town": typed}).content.decode()


def test_a_suggestion_that_comes_late_does_not_abort_the_search(client):
    """Whoever types a town and presses Enter at once: each of the two requests has a queue of its own."""
    page = client.get(reverse("search")).content.decode()
    words_and_town = re.findall(r"<input[^>]*hx-get[^>]*>", page)
    assert len(words_and_town) == 2
    assert all('hx-sync="this:replace"' in entry for entry in words_and_town)


@pytest.mark.parametrize("name", ["search", "town_suggestions"])
def test_nothing_is_written_by_post(client, name):
    assert client.post(reverse(name)).status_code == 405


# --- The offer -----------------------------------------------------------------------------------


def test_an_offer_says_everything(client):
    offer = OfferFactory(
        title="Soudure à l'arc",
        objectives="<ul><li>Souder à plat</li></ul>",
        content="Première ligne\nDeuxième ligne",
        expected_results="Attestation",
        prerequisites="Savoir lire un plan",
        admission="Entretien",
        accessibility="Rampe et ascenseur",
        price_cents=123_450,
        extra_fees_cents=6_050,
        address="12 rue du Four",
        postal_code="69001",
        town=TownFactory(),
        contact_email="accueil@exemple.fr",
    )
    page = offer_page(client, offer).content.decode()
    for words in (
        "<li>Souder à plat</li>",
        "Première ligne<br>Deuxième ligne",
        "Attestation",
        "Savoir lire un plan",
        "Entretien",
        "Rampe et ascenseur",
        french.euros(123_450),
        french.euros(6_050),
        "12 rue du Four, 69001 Lyon",
        offer.certification.code,
        french.day(offer.certification.registered_until),
        offer.provider.organisation.name,
        french.siret(offer.provider.organisation.siret),
    ):
        assert words in page


def test_each_session_that_can_be_got_has_its_button(client):
    offer = OfferFactory(sessions=0)
    good, always = SessionFactory(offer=offer), SessionFactory(offer=offer, permanent=True)
    soon, closed = (
        SessionFactory(offer=offer, too_soon=True),
        SessionFactory(offer=offer, recruitment="closed"),
    )
    past = SessionFactory(offer=offer, starts_on=in_days(-3), number="PASSÉE")
    page = offer_page(client, offer).content.decode()
    for session, has_button in ((good, True), (always, True), (soon, False), (closed, False), (past, False)):
        assert (str(session.pk) in page) == has_button
    assert "Trop tôt : il faut 11 jours ouvrés" in page
    assert "n’accepte plus d’inscription" in page
    assert french.short_day(past.starts_on) not in page


@pytest.mark.parametrize(
    ("starts", "ends", "delivered", "words"),
    [
        (60, 80, None, "avant le début de cette session"),
        (60, 80, 90, "avant le début de cette session"),
        (40, 80, None, "Demandez à l’organisme quand aura lieu l’examen"),
        (40, 80, 70, "Demandez à l’organisme quand aura lieu l’examen"),
        (40, 80, 80, "peut encore être délivrée jusqu’au"),
        (40, 50, None, ""),
    ],
)
def test_a_session_that_its_certification_does_not_outlive_says_so(client, starts, ends, delivered, words):
    """Open all the same: the register prolongs most certifications, and what is confirmed is kept."""
    certification = CertificationFactory(
        registered_until=in_days(50), delivered_until=in_days(delivered) if delivered else None
    )
    offer = OfferFactory(certification=certification, sessions=0)
    session = SessionFactory(offer=offer, starts_on=in_days(starts), ends_on=in_days(ends))
    page = offer_page(client, offer).content.decode()
    assert str(session.pk) in page
    said = "La certification est enregistrée jusqu’au"
    assert (said in page) == bool(words) and words in page
    holder = HolderFactory()
    client.force_login(holder.user)
    before = client.get(reverse("dossier_create", args=[session.pk])).content.decode()
    assert (said in before) == bool(words) and words in before


def test_what_an_organisation_says_besides_is_shown(client):
    told = {
        "course": "2", "company_hours": 70, "pedagogy": "Ateliers <b>", "meals": "Cantine, 5 €",
        "housing": "Internat", "transport": "Bus 12", "building": "Ascenseur", "complies": True,
        "fees": "Casque et gants", "exam_in_fees": True,
    }  # fmt: skip
    offer = OfferFactory(hours=94, particulars=told, extra_fees_cents=9_000, town=TownFactory())
    page = " ".join(offer_page(client, offer).content.decode().split())
    for words in (
        *("Individuel", "70 heures sur 94", "Ateliers &lt;b&gt;", "Cantine, 5 €", "Internat", "Bus 12"),
        *("Ascenseur", "respectées, d’après l’organisme", "L’examen y est compris.", "Casque et gants"),
    ):
        assert words in page, words
    plain = offer_page(client, OfferFactory(hours=94, town=TownFactory())).content.decode()
    for label in ("Déroulement", "Dont en entreprise", "Pédagogie", "Repas", "Logement", "Bâtiment"):
        assert label in page and label not in plain


def test_an_offer_without_session_says_so(client):
    page = offer_page(client, OfferFactory(sessions=0)).content.decode()
    assert "Aucune session n’est annoncée" in page


@pytest.mark.parametrize(
    "fields",
    [
        {"is_published": False},
        {"entitled": False},
        {"certification__ended": True},
        {"provider__state": "suspended"},
        {"provider__qualiopi_training": False},
    ],
)
def test_an_offer_that_is_not_open_does_not_exist_for_the_public(client, fields):
    offer = OfferFactory(title="Secrète", **fields)
    assert offer_page(client, offer).status_code == 404
    client.force_login(HolderFactory().user)
    assert offer_page(client, offer).status_code == 404
    client.force_login(MembershipFactory().user)
    assert offer_page(client, offer).status_code == 404


def test_its_organisation_and_an_admin_see_why_it_is_not_open(client):
    offer = OfferFactory(is_published=False, entitled=False)
    for user in (
        MembershipFactory(organisation=offer.provider.organisation).user,
        UserFactory(is_staff=True, is_superuser=True),
    ):
        client.force_login(user)
        page = offer_page(client, offer).content.decode()
        assert "L’organisme a masqué cette offre." in page
        assert "n’est pas habilité" in page
        assert "Créer mon dossier" not in page


def test_an_offer_nobody_knows_is_not_found(client):
    assert client.get(reverse("offer", args=[uuid.uuid4()])).status_code == 404
    assert client.get("/formations/1").status_code == 404


@pytest.mark.parametrize("count", [1, 3])
def test_the_offer_page_asks_as_much_for_three_sessions(client, count, django_assert_num_queries):
    offer = OfferFactory(sessions=count)
    # The law, the offer, its entitlements, its sessions, their number; the certifiers of its certification,
    # what became of people; how its organisation answers.
    with django_assert_num_queries(8):
        offer_page(client, offer)


# --- Texts of others -----------------------------------------------------------------------------

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<p onclick="alert(1)" style="position:fixed">texte</p>',
    '<a href="javascript:alert(1)">ici</a>',
    "<iframe src='https://exemple.invalid'></iframe>",
    "<svg/onload=alert(1)>",
    "<h1>Faux titre</h1>",
    "<style>body{display:none}</style>",
    "</section></main><p>dehors",
    "<!--",
    "<math><mtext></p><img src=x onerror=alert(1)>",
    "<p><ul><li>mal fermé",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_cannot_leave_its_place(client, attack):
    texts = ("summary", "objectives", "content", "expected_results", "prerequisites", "admission")
    offer = OfferFactory(
        **dict.fromkeys([*texts, "accessibility"], attack), title=attack, address=attack, town=TownFactory()
    )
    SessionFactory(offer=offer, details=attack)
    before = OfferFactory()
    for page in (
        offer_page(client, offer).content.decode(),
        client.get(reverse("search")).content.decode(),
    ):
        for mark in ("<script>alert", "<img src=x", "<iframe", "<svg/", 'href="javascript', "<h1>Faux"):
            assert mark not in page
        assert page.count("</main>") == 1
        assert "<style" not in page
    assert offer_page(client, before).status_code == 200


def test_shaped_and_plain_texts():
    assert rich_text("Score < 5 & > 3") == "<p>Score &lt; 5 &amp; &gt; 3</p>"
    assert rich_text("") == ""
    assert rich_text("<h3>Module 1</h3><p>Suite</p>") == "<p><strong>Module 1</strong></p><p>Suite</p>"
    assert rich_text('<p class="x">a<br>b</p>') == "<p>a<br>b</p>"


def test_the_certification_of_the_last_day_is_still_shown_active(client):
    offer = OfferFactory(certification__registered_until=in_days(0))
    assert "Active jusqu’au" in offer_page(client, offer).content.decode()


def test_what_an_organisation_says_of_its_price_and_its_group_is_shown(client):
    offer = OfferFactory(sessions=0, price_details="Supports & examen")
    SessionFactory(offer=offer, places=12)
    page = client.get(reverse("offer", args=[offer.pk])).content.decode()
    assert "Ce que le prix comprend" in page and "Supports &amp; examen" in page
    assert "Groupe de 12 personnes" in page


# --- What others read of it -----------------------------------------------------------------------


def data_of(page):
    [found] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_search_engines_read_a_course_with_its_dates(client):
    offer = OfferFactory(
        title="Soudure à l’arc",
        summary="Souder <b>à plat</b>.",
        town=TownFactory(),
        address="12 rue du Four",
        languages=["fr"],
        prerequisites="Lire un plan",
        sessions=0,
    )
    session = SessionFactory(offer=offer)
    SessionFactory(offer=offer, too_soon=True)
    SessionFactory(offer=offer, permanent=True)
    course = data_of(offer_page(client, offer).content.decode())
    assert (course["@type"], course["name"]) == ("Course", "Soudure à l’arc")
    assert course["description"] == "Souder à plat."
    assert course["url"] == settings.PORTAL_BASE_URL + reverse("offer", args=[offer.pk])
    assert course["provider"]["name"] == offer.provider.organisation.name
    assert course["offers"] == {
        "@type": "Offer",
        "category": "Paid",
        "price": "1500.00",
        "priceCurrency": "EUR",
    }
    assert course["educationalCredentialAwarded"]["identifier"] == offer.certification_id
    assert (course["inLanguage"], course["coursePrerequisites"]) == (["fr"], "Lire un plan")
    dated, always = course["hasCourseInstance"]
    assert dated["startDate"] == session.starts_on.isoformat()
    assert (dated["courseMode"], dated["courseWorkload"]) == ("Onsite", "PT140H")
    assert dated["location"]["address"]["addressLocality"] == "Lyon"
    assert "startDate" not in always
    assert "aggregateRating" not in course


@pytest.mark.parametrize("attack", ["</script><script>alert(1)</script>", "<!--<script>", "a\u2028b & c"])
def test_no_title_leaves_the_data_it_is_in(client, attack):
    offer = OfferFactory(title=attack, summary=attack)
    page = offer_page(client, offer).content.decode()
    assert data_of(page)["name"] == attack
    assert "<script>alert" not in page and page.count("</main>") == 1


def test_an_address_that_is_sent_shows_what_it_leads_to(client):
    offer = OfferFactory(title="Soudure", objectives="Souder " * 60)
    page = offer_page(client, offer).content.decode()
    address = settings.PORTAL_BASE_URL + reverse("offer", args=[offer.pk])
    assert f'<link rel="canonical" href="{address}">' in page
    assert '<meta property="og:title" content="Soudure">' in page
    [description] = re.findall(r'<meta name="description" content="(.*?)">', page)
    assert description.startswith("Souder Souder") and len(description) <= 155 and description.endswith("…")
    assert f'<meta property="og:description" content="{description}">' in page
    [image] = re.findall(r'<meta property="og:image" content="(.*?)">', page)
    assert image.startswith(settings.PORTAL_BASE_URL) and finders.find("img/preview.png")


def test_an_invented_offer_says_so_and_is_not_for_search_engines(client):
    page = offer_page(client, OfferFactory(is_demonstration=True)).content.decode()
    assert "Offre de démonstration" in page
    assert '<meta name="robots" content="noindex">' in page
    assert "ld+json" not in page and "Avis des stagiaires" not in page


# --- What the certification is worth, where it lies, how one answers --------------------------------


def test_the_registers_say_what_became_of_people(client):
    offer = OfferFactory(certification__rome_labels=["Soudage manuel"], certification__level=3)
    CertificationOutcome.objects.create(
        certification=offer.certification, year=2022, certified=1204, employed_percent=82
    )
    Habilitation.objects.create(
        certification=offer.certification, name="Union des métiers", role="CERTIFICATEUR", is_active=True
    )
    page = offer_page(client, offer).content.decode()
    assert "Que deviennent les certifiés" in page and "2022" in page and "1204" in page
    assert "82\u00a0%" in page and 'width="82"' in page
    assert "Non communiqué" in page  # at two years the register says nothing
    assert "Union des métiers" in page
    assert f'href="{reverse("search")}?q=Soudage%20manuel"' in page


def test_blocks_have_their_titles(client):
    offer = OfferFactory(block_codes=["RNCP1BC01", "RNCP1BC09"])
    CertificationBlock.objects.create(certification=offer.certification, code="RNCP1BC01", title="Souder")
    page = offer_page(client, offer).content.decode()
    assert "RNCP1BC01&nbsp;· Souder" in page and "RNCP1BC09" in page


def test_what_replaces_an_ended_certification_is_named(client, client_for):
    offer = OfferFactory(certification__ended=True)
    new = CertificationFactory(title="La nouvelle")
    Succession.objects.create(old_code=offer.certification_id, new_code=new.pk)
    member = MembershipFactory(organisation=offer.provider.organisation).user
    page = offer_page(client_for(member), offer).content.decode()
    assert f"remplacée par {new.pk}" in page and "La nouvelle" in page


def test_rhythms_languages_entry_level_and_vat_are_said(client):
    offer = OfferFactory(
        rhythms=["evening", "weekend"], languages=["fr", "en"], entry_level=4, vat_per_mille=200
    )
    page = offer_page(client, offer).content.decode()
    assert "En soirée, le week-end" in page and "Français, anglais" in page
    assert "Niveau 4" in page and "baccalauréat" in page
    assert f"20\u00a0% de TVA, soit {french.euros(25_000)}" in page


@pytest.mark.parametrize(
    ("code", "latitude", "longitude", "drawing"),
    [
        ("69123", 45.758, 4.835, "metropole"),
        ("97411", -20.88, 55.45, "974"),
        ("97502", 46.78, -56.17, ""),
    ],
)
def test_a_place_is_marked_on_the_drawing_of_its_territory(client, code, latitude, longitude, drawing):
    offer = OfferFactory(town=TownFactory(code=code, latitude=latitude, longitude=longitude))
    page = offer_page(client, offer).content.decode()
    assert (f"territories.svg#{drawing}" in page) == bool(drawing)
    assert "https://www.openstreetmap.org/search?query=" in page and "quitte le portail" in page


def test_at_a_distance_there_is_no_place_to_draw(client):
    page = offer_page(client, OfferFactory(mode="distance", town=TownFactory())).content.decode()
    assert "territories.svg" not in page and "openstreetmap" not in page


def test_how_an_organisation_answers_is_said_from_enough_requests_on(client, rules):
    offer = OfferFactory(provider__qualiopi_vae=True)
    assert "trop peu pour dire comment il répond" in offer_page(client, offer).content.decode()
    ProviderFigures.objects.create(
        provider=offer.provider,
        counted_on=in_days(0),
        since=in_days(-365),
        requests=40,
        answered=38,
        refused=4,
        median_minutes=26 * 60,
    )
    page = offer_page(client, offer).content.decode()
    assert "2 jours" in page and "10\u00a0%" in page and "5\u00a0%" in page
    assert "Sur 40 demandes reçues ici" in page
    assert "actions de formation, VAE" in page

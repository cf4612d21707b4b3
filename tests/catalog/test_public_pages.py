"""The catalogue that everyone sees, without signing in."""

import re
import uuid

import pytest
from django.urls import reverse

from catalog.templatetags.catalog import rich_text
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory, SessionFactory, TownFactory, in_days
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
        ({"price_max": "9" * 30}, "100 000 € au plus"),
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
    # the law, the town, five for the groups, their cards; the choices, those at a distance, who certifies
    with django_assert_num_queries(11):
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
    (town,) = re.findall(r"<input[^>]*hx-get[^>]*>", page)
    assert 'hx-sync="this:replace"' in town


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
    assert "Trop tôt : il faut 11 jours ouvrés" in page
    assert "n’accepte plus d’inscription" in page
    assert french.short_day(past.starts_on) not in page


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
    with django_assert_num_queries(5):  # the law, the offer, its entitlements, its sessions, their number
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

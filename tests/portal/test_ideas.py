"""« Mes envies », and the ideas that a holder's home shows because of them."""

import pytest
from django.db import connection
from django.urls import reverse

from catalog import wishes, words
from catalog.models import Wish
from portal import ideas
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import CertificationFactory, OfferFactory, TownFactory
from tests.factories.rights import PurseFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def holder():
    return HolderFactory(postal_code="", town="")


@pytest.fixture
def lyon():
    return TownFactory()


@pytest.fixture
def home(client_for, holder):
    return lambda: client_for(holder.user).get(reverse("home"))


def wish(holder, at, **said):
    said = {"job": "", "town": None, "level": None, "budget_cents": None} | said
    return wishes.write(holder.user, at=at, **said)


def titles(page):
    return [idea.offer.title for idea in page.context["fitting"].found]


def reasons(page):
    return {idea.offer.title: plain(" · ".join(idea.reasons)) for idea in page.context["fitting"].found}


def plain(text):
    return text.replace("\u202f", " ").replace("\xa0", " ")


# --- Which ideas --------------------------------------------------------------------------------------


def test_who_has_said_nothing_is_asked_once_and_calmly(home):
    page = home()
    assert titles(page) == []
    assert "Dire ce que j’aimerais apprendre" in page.text
    assert f'href="{reverse("wishes")}"' in page.text


def test_an_idea_fits_the_job_the_place_the_level_and_says_why(home, holder, at, lyon):
    certification = CertificationFactory(title="Soudeur industriel", level=3)
    OfferFactory(title="Souder près de Lyon", certification=certification, town=lyon)
    OfferFactory(
        title="Souder à un autre niveau", certification=CertificationFactory(title="Soudeur", level=5)
    )
    brest = TownFactory(code="29019", name="Brest", latitude=48.39, longitude=-4.48)
    other = CertificationFactory(title="Soudeur naval", level=3)
    OfferFactory(title="Souder à Brest", certification=other, town=brest)
    OfferFactory(title="Cuisiner", certification=CertificationFactory(title="Cuisinier", level=3), town=lyon)
    words.reindex()  # certifications are found by their names, as after an import
    PurseFactory(holder=holder, amount=500_000)
    wish(holder, at, job="soudeur", town=lyon, level=3)
    page = home()
    assert titles(page) == ["Souder près de Lyon"]
    why = reasons(page)["Souder près de Lyon"]
    assert "à moins de 1 km de Lyon" in why
    assert "répond à « soudeur »" in why
    assert "mène à « Soudeur industriel »" in why
    assert "au niveau 3, que vous visez" in why
    assert "Changer mes envies" in page.text
    assert "/recherche?q=soudeur&amp;level=3&amp;town=Lyon" in page.text


def test_what_is_taught_at_a_distance_is_near_everybody(home, holder, at, lyon):
    OfferFactory(title="Souder de chez soi", mode="distance")
    wish(holder, at, job="souder", town=lyon)
    assert "à distance, de chez vous" in reasons(home())["Souder de chez soi"]


def test_what_rights_pay_comes_first_then_what_the_budget_allows(home, holder, at):
    PurseFactory(holder=holder, amount=100_000)
    for title, price in (("Souder cher", 900_000), ("Souder assez", 150_000), ("Souder peu", 80_000)):
        OfferFactory(title=title, certification=CertificationFactory(title=title), price_cents=price)
    wish(holder, at, job="souder", budget_cents=100_000)
    page = home()
    assert set(titles(page)) == {"Souder assez", "Souder peu"}
    assert "dans votre budget" in reasons(page)["Souder assez"]
    wish(holder, at, job="souder")
    assert len(titles(home())) == 3


def test_extra_fees_count_in_what_one_pays(home, holder, at):
    OfferFactory(title="Souder", price_cents=10_000, extra_fees_cents=50_000)
    wish(holder, at, job="souder", budget_cents=20_000)
    page = home()
    assert titles(page) == []
    assert "Aucune formation ouverte ne répond à vos envies" in page.text


def test_six_at_most_and_one_an_organisation(home, holder, at, provider):
    for number in range(9):
        OfferFactory(title=f"Souder {number}", certification=CertificationFactory(title=f"Soudeur {number}"))
    for number in range(3):
        certification = CertificationFactory(title=f"Souder pour un même organisme {number}")
        OfferFactory(title=f"Souder encore {number}", certification=certification, provider=provider)
    wish(holder, at, job="souder")
    page = home()
    assert len(titles(page)) == 6
    providers = [idea.offer.provider_id for idea in page.context["fitting"].found]
    assert len(set(providers)) == 6


def test_without_a_wish_the_town_of_the_account_is_near(client_for, at, lyon):
    holder = HolderFactory(postal_code="69001", town="Lyon")
    OfferFactory(title="Tout près", town=lyon)
    page = client_for(holder.user).get(reverse("home"))
    assert titles(page) == ["Tout près"]
    assert "de Lyon" in reasons(page)["Tout près"]
    assert "Dire ce que j’aimerais apprendre" in page.text


def test_what_is_closed_is_no_idea(home, holder, at):
    OfferFactory(title="Souder", is_published=False)
    wish(holder, at, job="souder")
    assert titles(home()) == []


def test_empty_wishes_are_an_answer_and_give_no_idea(home, holder, at):
    wish(holder, at)
    page = home()
    assert titles(page) == []
    assert "Aucune formation ouverte ne répond" not in page.text


def test_an_account_that_cannot_enrol_sees_prices_as_they_are(home, holder, at):
    holder.status = "public_agent"
    holder.save()
    OfferFactory(title="Souder", price_cents=123_400)
    wish(holder, at, job="souder")
    assert "vous payez 1 234,00 €" in reasons(home())["Souder"]


def test_the_words_of_a_wish_are_words(home, holder, at):
    OfferFactory(title="Souder")
    for typed in ("<script>alert(1)</script>", "a' OR 1=1 --", "👩‍⚕️" * 20, "-" * 100, '"' * 100):
        wish(holder, at, job=typed)
        assert "<script>alert" not in home().text


def test_home_does_without_ideas_that_take_too_long(home, holder, at, monkeypatch):
    def slow(*_args, **_kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    monkeypatch.setattr(ideas, "SECONDS", 0.1)
    monkeypatch.setattr(ideas.grouping, "find", slow)
    wish(holder, at, job="souder")
    page = home()
    assert page.status_code == 200 and titles(page) == []


@pytest.mark.parametrize("count", [1, 3])
def test_ideas_cost_the_same_queries_for_three_as_for_one(
    home, holder, at, lyon, count, client_for, django_assert_num_queries
):
    for number in range(count):
        certification = CertificationFactory(title=f"Soudeur {number}", level=3)
        OfferFactory(title=f"Souder {number}", certification=certification, town=lyon)
    wish(holder, at, job="souder", town=lyon, level=3)
    client = client_for(holder.user)
    # As without wishes (test_home), five for the limit of time, six for one page of groups, the purses.
    with django_assert_num_queries(13 + 5 + 6 + 1):
        page = client.get(reverse("home"))
    assert len(titles(page)) == count


# --- The form -----------------------------------------------------------------------------------------


def test_what_is_said_is_kept_shown_again_and_taken_back(client_for, holder, lyon):
    client = client_for(holder.user)
    said = {"job": "Soudeur", "town": "69001", "level": "3", "budget": "200"}
    answer = client.post(reverse("wishes"), said, follow=True)
    assert "C’est noté" in answer.text
    kept = Wish.objects.get()
    assert (kept.job, kept.town, kept.level, kept.budget_cents) == ("Soudeur", lyon, 3, 20_000)
    shown = client.get(reverse("wishes")).text
    assert 'value="Soudeur"' in shown and 'value="Lyon (69)"' in shown and 'value="200"' in shown
    assert "Effacer mes envies" in shown
    for _twice in range(2):
        client.post(reverse("wishes_forget"))
    assert not Wish.objects.exists()


def test_nothing_has_to_be_answered(client_for, holder):
    client = client_for(holder.user)
    assert client.post(reverse("wishes"), {}).status_code == 302
    assert Wish.objects.get().town is None


def test_the_town_of_the_account_stands_there_already(client_for, lyon):
    holder = HolderFactory(postal_code="69001", town="Lyon")
    assert 'value="Lyon (69)"' in client_for(holder.user).get(reverse("wishes")).text


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"town": "Atlantide"}, "pas connue"),
        ({"town": "x" * 101}, "100 caractères au plus"),
        ({"job": "x" * 101}, "100 caractères au plus"),
        ({"level": "9"}, "Ce niveau n’existe pas"),
        ({"budget": "-1"}, "ne peut pas être négative"),
        ({"budget": "beaucoup"}, "en chiffres"),
        ({"budget": "1000000"}, "100 000 € au plus"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(client_for, holder, said, sentence):
    answer = client_for(holder.user).post(reverse("wishes"), said)
    assert answer.status_code == 422
    assert sentence in answer.text and 'aria-invalid="true"' in answer.text
    assert not Wish.objects.exists()


def test_my_data_hold_my_wishes_and_nobody_elses(holder, other_holder, at, lyon):
    wish(holder, at, job="Soudeur", town=lyon)
    assert wishes.of_person(holder.user)["commune"] == "Lyon (69)"
    assert wishes.of_person(other_holder.user) is None

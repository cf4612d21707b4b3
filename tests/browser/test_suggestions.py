"""What completes a search, by the keyboard alone: heard, chosen, closed; and the same search without it."""

from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

import rulebook
from catalog import indexing, suggesting, words
from tests.browser.conftest import plain
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import (
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    TermFactory,
    TownFactory,
    today,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WORDS, TOWN = "Formation ou métier", "Commune ou code postal"


@pytest.fixture
def welders():
    """A trade, its certification, an organisation and a town that all begin as « sou »."""
    TermFactory(code="H2913", names=["Soudeur / Soudeuse à l'arc"])
    certification = CertificationFactory(title="Soudeur industriel", rome_codes=["H2913"])
    town = TownFactory(code="17429", name="Soubise", postal_codes=["17780"], latitude=45.93, longitude=-1.0)
    provider = ProviderFactory(organisation=OrganisationFactory(name="Souder à Lyon"))
    offer = OfferFactory(title="Souder", certification=certification, provider=provider, town=town)
    words.reindex()
    words.refresh()
    on = today()
    indexing.reindex([offer.pk], on=on)
    suggesting.refresh(on=on, rules=rulebook.on(on))
    return offer


@pytest.fixture
def at_home(sit_down, welders):
    sitter = sit_down()
    sitter.open(reverse("home"))
    return sitter


def type_and_wait(sitter, text):
    sitter.write_at_once(WORDS, text)
    sitter.page.locator("[role=option]").first.wait_for()


def field(sitter):
    return sitter.page.get_by_role("combobox", name=WORDS)


def active(sitter):
    """The words of the option that the field points to; None for none."""
    name = field(sitter).get_attribute("aria-activedescendant")
    return sitter.page.locator(f"#{name}").inner_text() if name else None


def press(sitter, *keys):
    for key in keys:
        sitter.page.keyboard.press(key)


def asked(sitter):
    return {name: values[0] for name, values in parse_qs(urlsplit(sitter.page.url).query).items()}


def test_arrows_go_through_all_kinds_and_back_to_what_was_typed(at_home):
    type_and_wait(at_home, "sou")
    assert field(at_home).get_attribute("aria-expanded") == "true"
    assert active(at_home) is None
    seen = []
    for _number in range(4):
        press(at_home, "ArrowDown")
        seen.append(active(at_home))
    assert [words.split("\n")[0] for words in seen] == [
        "Soudeur / Soudeuse à l'arc",
        "Soudeur industriel",
        "Souder à Lyon",
        "Soubise (17)",
    ]
    assert at_home.page.locator("[aria-selected=true]").count() == 1
    press(at_home, "ArrowDown")
    assert active(at_home) is None
    press(at_home, "ArrowUp")
    assert active(at_home) == "Soubise (17)"
    assert field(at_home).input_value() == "sou"
    assert field(at_home).evaluate("it => it === document.activeElement")


def test_how_many_there_are_is_said_aloud(at_home):
    type_and_wait(at_home, "sou")
    voice = at_home.page.locator("#annonces", has_text="4")
    voice.wait_for(state="attached")
    assert "Suggestions : 4" in plain(voice.inner_text())


def test_escape_closes_the_list_then_empties_the_field(at_home):
    type_and_wait(at_home, "sou")
    press(at_home, "ArrowDown", "Escape")
    assert field(at_home).get_attribute("aria-expanded") == "false"
    assert (active(at_home), field(at_home).input_value()) == (None, "sou")
    press(at_home, "ArrowDown")
    assert field(at_home).get_attribute("aria-expanded") == "true"
    press(at_home, "Escape", "Escape")
    assert field(at_home).input_value() == ""


@pytest.mark.parametrize(
    ("downs", "query"),
    [
        (1, {"q": "Soudeur à l'arc"}),
        (3, {"q": "« Souder à Lyon »"}),
        (4, {"town": "Soubise (17)"}),
    ],
)
def test_enter_takes_the_one_that_is_marked_and_the_search_answers(at_home, downs, query):
    type_and_wait(at_home, "sou")
    press(at_home, *["ArrowDown"] * downs)
    with at_home.page.expect_navigation():
        press(at_home, "Enter")
    assert asked(at_home) == query
    at_home.must_read("Souder")
    assert at_home.page.locator("article").count() == 1


def test_a_certification_is_taken_whole(at_home, welders):
    type_and_wait(at_home, "sou")
    with at_home.page.expect_navigation():
        press(at_home, "ArrowDown", "ArrowDown", "Enter")
    assert asked(at_home) == {"certification": welders.certification_id}
    assert at_home.page.locator("article").count() == 1


def test_enter_without_a_mark_searches_for_what_was_typed(at_home):
    type_and_wait(at_home, "sou")
    with at_home.page.expect_navigation():
        press(at_home, "Enter")
    assert asked(at_home)["q"] == "sou"


def test_leaving_the_field_closes_the_list_and_keeps_the_words(at_home):
    type_and_wait(at_home, "sou")
    press(at_home, "Tab")
    assert at_home.page.locator("#suggestions").is_hidden()
    assert field(at_home).input_value() == "sou"


def test_a_mouse_takes_one_too_and_other_filters_stay(sit_down, welders):
    sitter = sit_down()
    sitter.open(reverse("search") + "?mode=on_site&price_max=9000")
    type_and_wait(sitter, "soud")
    with sitter.page.expect_navigation():
        sitter.page.get_by_role("option", name="Soudeur / Soudeuse à l'arc").click()
    assert asked(sitter)["mode"] == "on_site" and asked(sitter)["price_max"] == "9000"
    assert asked(sitter)["q"] == "Soudeur à l'arc"


def test_open_on_a_phone_it_fits_and_breaks_no_rule(sit_down, welders):
    sitter = sit_down()
    sitter.page.set_viewport_size({"width": 320, "height": 640})
    for address in (reverse("home"), reverse("search")):
        sitter.open(address)
        type_and_wait(sitter, "sou")
        press(sitter, "ArrowDown")
        assert sitter.page.evaluate("document.scrollingElement.scrollWidth") <= 320
        box = sitter.page.locator("#suggestions").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 320
        broken = Axe().run(sitter.page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in broken] == []


def test_a_server_that_does_not_answer_takes_nothing_away(at_home):
    at_home.page.route("**/suggestions?*", lambda route: route.fulfill(status=429, body=""))
    at_home.write(WORDS, "soudeur")
    at_home.page.wait_for_timeout(400)
    assert at_home.page.locator("#panne").count() == 0
    with at_home.page.expect_navigation():
        press(at_home, "Enter")
    at_home.must_read("Souder")
    at_home.troubles[:] = [each for each in at_home.troubles if "429" not in each]


def test_without_javascript_the_field_is_a_field(sit_down, welders):
    sitter = sit_down(javascript=False)
    sitter.open(reverse("home"))
    assert sitter.page.get_by_role("combobox").count() == 0
    assert sitter.page.locator("#suggestions").is_hidden()
    sitter.write(WORDS, "soudeur")
    with sitter.page.expect_navigation():
        press(sitter, "Enter")
    sitter.must_read("Souder")


def test_who_signs_in_sees_their_own_home_not_the_one_that_was_kept(sit_down, holder, live_server):
    """A visitor's page is kept by the browser for some minutes: the same address must not show it again."""
    visitor = sit_down()
    visitor.open(reverse("home"))
    visitor.must_read("Trouvez votre formation")
    other = sit_down(user=holder.user)
    cookies = other.page.context.cookies()
    visitor.page.context.add_cookies(cookies)
    visitor.open(reverse("search"))
    with visitor.page.expect_navigation():
        visitor.page.get_by_role("link", name="Portail formation").first.click()
    visitor.must_read("Bonjour")

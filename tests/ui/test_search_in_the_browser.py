"""The search answers while one chooses: the list, its number in the button, the address, what is said."""

import re

import pytest
from django.urls import reverse

from tests.factories.catalog import OfferFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The choice says how many offers it would leave.
AT_A_DISTANCE = re.compile(r"^À distance\b")


@pytest.fixture
def page(browser, live_server):
    OfferFactory(title="Soudure à l'arc", mode="on_site")
    OfferFactory(title="Soudure à distance", mode="distance")
    context = browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    complaints = []
    shown.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    shown.goto(f"{live_server.url}{reverse('search')}?q=soudure")
    yield shown
    context.close()
    # An aborted request is told by the browser and by htmx.
    assert [said for said in complaints if "ERR_FAILED" not in said and "htmx:" not in said] == []


def test_a_filter_answers_at_once(page):
    assert page.locator("article").count() == 2
    page.get_by_role("checkbox", name=AT_A_DISTANCE).check()
    page.get_by_role("heading", name="1 réponse").wait_for()
    assert page.locator("article").count() == 1
    assert "mode=distance" in page.url
    assert page.locator("#resultats-dits").inner_text() == "1 réponse"
    assert page.locator("#filtres-voir").inner_text().strip() in {"", "Voir 1 réponse"}
    assert page.get_by_role("checkbox", name=AT_A_DISTANCE).evaluate("it => it === document.activeElement")
    assert page.locator(".chip").count() == 2


def test_the_sheet_of_a_phone_says_how_many_before_one_leaves_it(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("button", name="Filtres").click()
    page.get_by_role("checkbox", name=AT_A_DISTANCE).check()
    button = page.get_by_role("button", name="Voir 1 réponse")
    button.click()
    page.locator("#filtres").wait_for(state="hidden")
    assert page.locator("article").count() == 1


def test_a_search_that_fails_says_that_nothing_is_lost(page):
    page.route("**/recherche?*", lambda route: route.abort())
    page.get_by_role("checkbox", name=AT_A_DISTANCE).check()
    page.get_by_text("rien n’est perdu").first.wait_for()
    assert page.locator("article").count() == 2
    assert "Vérifiez votre connexion" in page.locator("#panne").inner_text()


def test_what_takes_time_says_so(page):
    held = []
    page.route("**/recherche?*", lambda route: held.append(route))
    page.get_by_role("checkbox", name=AT_A_DISTANCE).check()
    waiting = page.locator("#attente")
    waiting.wait_for(state="visible")
    assert "Recherche en cours" in waiting.inner_text()
    page.locator(".loading__long").wait_for(state="visible")
    held[0].continue_()
    waiting.wait_for(state="hidden")

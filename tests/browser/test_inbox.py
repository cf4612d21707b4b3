"""The inbox by the keyboard alone: rows, the request beside them, the answer, and back to one's place."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dossiers.models import Dossier
from dossiers.states import State
from tests.browser.test_main_job import sign_in
from tests.factories.dossiers import DossierFactory, provider_actor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOCUSED = "() => document.activeElement.textContent.trim()"


@pytest.fixture
def requests():
    """Three requests, in the order of the list."""
    at = timezone.now() - timedelta(minutes=10)
    first = DossierFactory(at=at, requested=True, holder__first_names="Ana", holder__birth_name="Un")
    rows = [first]
    for before, (first_name, birth_name) in enumerate((("Bao", "Deux"), ("Chloé", "Trois")), start=1):
        rows.append(
            DossierFactory(
                at=at - timedelta(milliseconds=before),  # the newest first, while all are due the same day
                requested=True,
                session=first.session,
                balance_cents=0,
                holder__first_names=first_name,
                holder__birth_name=birth_name,
            )
        )
    return rows


@pytest.fixture
def clerk(requests, sit_down):
    sitter = sit_down()
    sitter.open("/connexion/login/")
    sign_in(sitter, provider_actor(requests[0].provider).user)
    sitter.open("/demandes")
    return sitter


def beside(sitter, name):
    sitter.page.locator("#panneau h2", has_text=name).wait_for()
    # The focus follows a moment later: what is typed before that goes nowhere.
    sitter.page.wait_for_function("() => document.activeElement.matches('#panneau h2')")


def focus_comes_to(page, words):
    """Once the panel has come or gone: that is not done within the key itself."""
    page.wait_for_function("words => document.activeElement.textContent.trim() === words", arg=words)


def test_a_clerk_answers_without_leaving_the_list(clerk, requests):
    page, keys = clerk.page, clerk.page.keyboard
    clerk.reach("Ana Un", tag="A")
    keys.press("j")
    assert page.evaluate(FOCUSED) == "Bao Deux"
    keys.press("ArrowDown")
    keys.press("k")
    assert page.evaluate(FOCUSED) == "Bao Deux"
    keys.press("x")
    clerk.must_read("1 demande cochée")
    keys.press("x")
    keys.press("Enter")
    beside(clerk, "Bao Deux")
    assert page.url.endswith("/demandes")
    # The focus has followed; Escape gives the place back.
    focus_comes_to(page, "Bao Deux")
    assert page.locator("tr.is-current").count() == 1
    keys.press("Escape")
    assert page.locator("#panneau > *").count() == 0
    focus_comes_to(page, "Bao Deux")
    # A price that changes is checked while it is typed, then explained, then sent; the next one comes.
    keys.press("Enter")
    beside(clerk, "Bao Deux")
    clerk.write("Prix TTC en euros", "900")
    page.get_by_text("Le prix change").wait_for()
    page.get_by_text("Donnez une raison").wait_for()
    clerk.write("pourquoi", "Remise de rentrée.")
    page.get_by_text("Donnez une raison").wait_for(state="detached")
    clerk.reach("Envoyer la proposition", tag="BUTTON")
    keys.press("Enter")
    beside(clerk, "Ana Un")
    clerk.must_read("envoyée à Bao Deux")
    page.locator("#liste", has_not_text="Bao Deux").wait_for()
    answered = Dossier.objects.get(pk=requests[1].pk)
    assert (answered.state, answered.price_cents) == (State.PROPOSED, 90_000)
    keys.press("Escape")
    focus_comes_to(page, "Ana Un")


def test_an_answer_that_is_begun_is_not_lost_without_a_question(clerk):
    page, keys = clerk.page, clerk.page.keyboard
    clerk.reach("Ana Un", tag="A")
    keys.press("Enter")
    beside(clerk, "Ana Un")
    clerk.write("pourquoi", "Je réfléchis")
    asked = []

    def refuse(dialog):
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    keys.press("Escape")
    assert "pas envoyée" in asked[0]
    assert page.locator("#panneau textarea[name=change_reason]").input_value() == "Je réfléchis"
    page.once("dialog", lambda dialog: dialog.accept())
    keys.press("Escape")
    assert page.locator("#panneau > *").count() == 0


def test_an_answer_that_is_refused_beside_the_list_gives_the_focus_to_its_faults(clerk, requests):
    page, keys = clerk.page, clerk.page.keyboard
    clerk.reach("Ana Un", tag="A")
    keys.press("Enter")
    beside(clerk, "Ana Un")
    clerk.write("Prix TTC en euros", "900")
    page.get_by_text("Donnez une raison").wait_for()
    clerk.reach("Envoyer la proposition", tag="BUTTON")
    keys.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'erreurs'")
    keys.press("Tab")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.name") == "change_reason"
    assert Dossier.objects.get(pk=requests[0].pk).state == State.REQUESTED


def test_on_a_phone_a_request_is_a_page_of_its_own(clerk):
    clerk.page.set_viewport_size({"width": 360, "height": 740})
    with clerk.page.expect_navigation():
        clerk.page.get_by_role("link", name="Ana Un", exact=True).click()
    clerk.must_read("Votre réponse")
    assert "/demandes/" in clerk.page.url

"""Paying by card in Chromium, against a real card service; and what the page says without JavaScript."""

import pytest

from dossiers.models import CardPayment, Dossier
from tests.browser.test_main_job import sign_in
from tests.card_service import AUTHENTICATED, DECLINED_AT_ONCE, GOOD
from tests.factories.dossiers import DossierFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dossier():
    return DossierFactory(awaiting_payment=True)


@pytest.fixture
def at_the_page(dossier, cards, sit_down):
    """Its holder, on the payment page."""

    def come(*, javascript=True):
        holder = sit_down(javascript=javascript)
        holder.open(f"/mes-dossiers/{dossier.pk}/payer")
        sign_in(holder, dossier.holder.user)
        holder.page.wait_for_url("**/payer")
        return holder

    return come


def type_card(holder, number):
    """In the service's own field, which is theirs to label."""
    entry = holder.page.locator("[data-card-entry]")
    for name, value in {"number": number, "exp_month": "12", "exp_year": "40", "cvc": "123"}.items():
        entry.get_by_placeholder(name).fill(value)


def pay(holder, number):
    type_card(holder, number)
    with holder.page.expect_navigation():
        holder.page.get_by_role("button", name="Payer").click()


def test_a_card_pays(at_the_page, dossier):
    holder = at_the_page()
    holder.must_read("900,00 €")
    pay(holder, GOOD)
    holder.must_read("Votre part est payée")
    assert Dossier.objects.get(pk=dossier.pk).state == "accepted"


def test_a_refused_card_then_another(at_the_page, dossier):
    holder = at_the_page()
    pay(holder, DECLINED_AT_ONCE)
    holder.must_read("La banque a refusé cette carte")
    holder.look("refused")
    pay(holder, GOOD)
    holder.must_read("Votre part est payée")


def test_a_card_that_is_not_written_is_said_without_leaving(at_the_page, dossier):
    holder = at_the_page()
    holder.page.get_by_role("button", name="Payer").click()
    holder.page.get_by_text("La carte n’a pas pu être lue").wait_for()
    assert not CardPayment.objects.exists()


def test_strong_authentication_then_back(at_the_page, dossier):
    holder = at_the_page()
    pay(holder, AUTHENTICATED)
    holder.must_read("Votre banque vous demande une authentification")
    with holder.page.expect_navigation():
        holder.page.get_by_text("Complete authentication").click()
    holder.must_read("Votre part est payée")
    assert Dossier.objects.get(pk=dossier.pk).state == "accepted"


def test_strong_authentication_that_fails(at_the_page, dossier):
    holder = at_the_page()
    pay(holder, AUTHENTICATED)
    with holder.page.expect_navigation():
        holder.page.get_by_text("Fail authentication").click()
    holder.must_read("L'authentification auprès de votre banque a échoué.")
    assert Dossier.objects.get(pk=dossier.pk).state == "awaiting_payment"


def test_left_at_the_bank_then_taken_up_then_abandoned(at_the_page, dossier):
    holder = at_the_page()
    pay(holder, AUTHENTICATED)
    holder.open(f"/mes-dossiers/{dossier.pk}/payer")
    holder.must_read("La banque n'a pas encore répondu")
    holder.look("processing")
    holder.press("Reprendre, ou voir où en est mon paiement")
    holder.page.get_by_text("Complete authentication").wait_for()
    holder.open(f"/mes-dossiers/{dossier.pk}/payer")
    holder.press("Abandonner ce paiement")
    holder.must_read("Ce paiement est abandonné. Rien n'a été débité.")
    assert CardPayment.objects.get().state == "abandoned"


def test_without_javascript_the_page_says_to_pay_by_transfer(at_the_page, dossier):
    holder = at_the_page(javascript=False)
    holder.must_read("Payez par virement : tout est écrit plus bas.")
    holder.must_read("Montant exact")
    assert not holder.page.get_by_role("button", name="Payer").is_visible()

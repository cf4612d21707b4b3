"""The payment page: what it says in each state, what it never holds, what it may load."""

import logging
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse

from dossiers import clocks, deadlines, payment_references, payments
from dossiers.models import CardPayment, Dossier, FundingLine, Refund
from dossiers.states import ClockKind
from tests.card_service import AUTHENTICATED, DECLINED_LATE, GOOD
from tests.factories.dossiers import DossierFactory, act
from tests.factories.payments import CardPaymentFactory

pytestmark = pytest.mark.django_db(transaction=True)
CARD_NUMBER = re.compile(r"\b(?:\d[ -]?){13,16}\b")


@pytest.fixture
def dossier(at):
    return DossierFactory(awaiting_payment=True, at=at)


@pytest.fixture
def client(client_for, dossier):
    return client_for(dossier.holder.user)


def page(client, dossier):
    return client.get(reverse("dossier_payment", args=[dossier.pk]))


def send_card(client, dossier, cards, number=GOOD, **fields):
    said = {"token": cards.token(number), "request_id": str(uuid.uuid4())} | fields
    return client.post(reverse("dossier_pay_by_card", args=[dossier.pk]), said)


def test_the_dossier_leads_to_its_payment_page(client, dossier):
    address = reverse("dossier_payment", args=[dossier.pk])
    assert address in client.get(reverse("dossier", args=[dossier.pk])).text


def test_both_ways_are_offered_with_all_that_is_needed(client, dossier, cards, settings):
    shown = page(client, dossier).text
    assert "900,00" in shown
    assert payment_references.of(dossier.number) in shown
    assert settings.PORTAL_IBAN in shown
    assert "Nous n’appelons jamais pour un paiement" in shown
    assert "data-card-form" in shown
    assert "<noscript>" in shown


def test_without_keys_the_card_is_not_offered_and_the_transfer_is(client, dossier):
    answer = page(client, dossier)
    assert "data-card-form" not in answer.text
    assert "payment.js" not in answer.text
    assert "Par virement" in answer.text
    assert "stripe" not in answer.headers["Content-Security-Policy"]


def test_without_an_account_number_no_transfer_is_asked(client, dossier, settings):
    settings.PORTAL_IBAN = ""
    shown = page(client, dossier).text
    assert "Par virement" not in shown
    assert "n’est pas ouvert" in shown


def test_only_this_page_may_load_the_service(client, dossier, cards):
    assert cards.base in page(client, dossier).headers["Content-Security-Policy"]
    policy = client.get(reverse("dossier", args=[dossier.pk])).headers["Content-Security-Policy"]
    assert cards.base not in policy
    assert "unsafe" not in page(client, dossier).headers["Content-Security-Policy"]


def test_a_card_pays_and_the_page_says_so(client, dossier, cards):
    answer = send_card(client, dossier, cards)
    assert answer.status_code == 302
    shown = client.get(answer.url).text
    assert "Votre part est payée" in shown
    assert Dossier.objects.get().state == "accepted"


def test_a_refused_card_is_said_with_its_reason_and_may_be_tried_again(client, dossier, cards):
    answer = send_card(client, dossier, cards, DECLINED_LATE)
    assert answer.status_code == 422
    assert "La banque a refusé cette carte" in answer.text
    shown = page(client, dossier).text
    assert "Votre dernier paiement par carte a été refusé." in shown
    assert "data-card-form" in shown


def test_strong_authentication_opens_then_is_asked_about(client, dossier, cards):
    answer = send_card(client, dossier, cards, AUTHENTICATED)
    assert answer.status_code == 200
    assert "Votre banque vous demande une authentification" in answer.text
    payment = CardPayment.objects.get()
    look = reverse("dossier_payment_look", args=[dossier.pk, payment.pk])
    again = client.post(look)
    assert 'data-authenticate="pi_' in again.text, "a page that was left can be taken up again"
    waiting = page(client, dossier).text
    assert "La banque n’a pas encore répondu" in waiting
    assert "data-authenticate" not in waiting
    secret = re.search(r'data-authenticate="([^"]+)"', again.text)[1]
    intent = payments.Intent(payment.service_id, "waiting", 1, "eur", client_secret=secret)
    cards.authenticate(intent, agrees=True)
    assert "Votre part est payée" in client.post(look, follow=True).text


def test_a_try_may_be_abandoned(client, dossier, cards):
    send_card(client, dossier, cards, AUTHENTICATED)
    payment = CardPayment.objects.get()
    address = reverse("dossier_payment_abandon", args=[dossier.pk, payment.pk])
    shown = client.post(address, follow=True).text
    assert "Ce paiement est abandonné. Rien n’a été débité." in shown
    assert "data-card-form" in shown


@pytest.mark.parametrize("token", ["", "4242424242424242", "tok_" + "x" * 100, "card_1", "<script>"])
def test_what_is_no_token_is_refused_and_shown_nowhere(client, dossier, cards, token):
    answer = send_card(client, dossier, cards, token=token)
    assert answer.status_code == 422
    assert "payez par virement" in answer.text
    assert not token or token not in answer.text
    assert not CardPayment.objects.exists()


def test_somebody_elses_try_is_not_found(client, dossier, cards):
    other = DossierFactory(awaiting_payment=True)
    payment = CardPaymentFactory(dossier_id=other.pk)
    for name in ("dossier_payment_look", "dossier_payment_abandon"):
        assert client.post(reverse(name, args=[dossier.pk, payment.pk])).status_code == 404
        assert client.post(reverse(name, args=[other.pk, payment.pk])).status_code == 404


def test_nothing_to_pay_has_no_payment_page(client_for):
    accepted = DossierFactory(accepted=True)
    client = client_for(accepted.holder.user)
    assert page(client, accepted).status_code == 404


def test_a_lapsed_dossier_cannot_be_paid(client, dossier, cards, at):
    deadlines.settle_overdue(at=clocks.running(dossier, ClockKind.PAYMENT).due_at)
    shown = page(client, dossier).text
    assert "Il n’est plus possible de payer" in shown
    assert "data-card-form" not in shown
    assert send_card(client, dossier, cards).status_code == 422


def test_an_amount_that_is_not_ours_is_being_looked_at(client, dossier, cards, at):
    CardPaymentFactory(
        dossier_id=dossier.pk, state="processing", service_id="pi_1", trouble="Reçu autre chose."
    )
    shown = page(client, dossier).text
    assert "Une personne vérifie votre paiement" in shown
    assert "Reçu autre chose" not in shown


def test_a_refund_is_said_from_its_request_to_its_sending(client, dossier, cards, at):
    send_card(client, dossier, cards)
    act("withdraw", dossier, at=at)
    dossier_page = reverse("dossier", args=[dossier.pk])
    for address in (dossier_page, reverse("dossier_payment", args=[dossier.pk])):
        assert "remboursement demandé le" in client.get(address).text
    payments.send_refunds(at=at)
    for address in (dossier_page, reverse("dossier_payment", args=[dossier.pk])):
        assert "remboursement envoyé sur la carte le" in client.get(address).text
    Refund.objects.update(state="stuck", sent_at=None)
    assert "une personne s’en occupe" in client.get(dossier_page).text


@pytest.mark.parametrize("tries", [1, 3])
def test_the_page_asks_as_much_however_many_tries_there_were(
    client, dossier, cards, at, tries, django_assert_num_queries
):
    for number in range(tries):
        CardPaymentFactory(dossier_id=dossier.pk, state="failed", began_at=at - timedelta(hours=number))
    with django_assert_num_queries(PAGE_QUERIES):
        page(client, dossier)


PAGE_QUERIES = 12


def test_no_card_number_is_ever_in_a_page_a_row_or_a_log(client, dossier, cards, caplog, at):
    """The only place that sees one is the service: the token is what comes here."""
    caplog.set_level(logging.DEBUG)
    pages = [send_card(client, dossier, cards, number).text for number in (DECLINED_LATE, AUTHENTICATED)]
    client.post(
        reverse("dossier_payment_abandon", args=[dossier.pk, CardPayment.objects.get(state="processing").pk])
    )
    send_card(client, dossier, cards)
    pages.append(page(client, dossier).text)
    rows = [str(row) for row in CardPayment.objects.values()]
    for text in [*pages, *rows]:
        assert not any(number in text for number in (GOOD, AUTHENTICATED, DECLINED_LATE))
    said = caplog.text
    assert said, "the logs were listened to"
    assert not any(number in said for number in (GOOD, AUTHENTICATED, DECLINED_LATE))
    assert "tok_" not in said
    assert "_secret_" not in said
    assert "sk_test_" not in said


def test_the_amount_is_what_the_dossier_says(client, dossier, cards):
    send_card(client, dossier, cards, amount="1", amount_cents="1")
    assert CardPayment.objects.get().amount_cents == FundingLine.objects.get(kind="payment").amount_cents

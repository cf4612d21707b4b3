"""Money and people at the same moment: the same event twice, a lapse and a success, two refunds, two tries.

Each with real connections and commits.
"""

import uuid
from functools import partial

import pytest

from dossiers import clocks, deadlines, payment_service, payments
from dossiers.models import CardPayment, Dossier, FundingLine, PaymentEvent, Refund
from dossiers.payment_service import Intent, Stand
from dossiers.states import ClockKind
from rights.models import Movement
from tests.concurrency.crowd import together
from tests.factories.dossiers import DossierFactory, act, holder_actor
from tests.factories.payments import CardPaymentFactory, PaymentEventFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5


@pytest.fixture
def live(at):
    dossier = DossierFactory(awaiting_payment=True, at=at)
    return CardPaymentFactory(dossier_id=dossier.pk, state="processing", service_id="pi_1", began_at=at)


def paid(payment):
    return Intent("pi_1", Stand.SUCCEEDED, payment.amount_cents, "eur", attempt=str(payment.pk))


def test_ten_who_hear_of_one_payment_confirm_once(live, at):
    together([partial(payments.settle, live.pk, paid(live), at=at)] * 10)
    assert Movement.objects.filter(kind="payment").count() == 1
    assert Dossier.objects.get().state == "accepted"


def test_two_runs_share_the_events(live, at):
    payload = {"id": "pi_1", "status": "succeeded", "amount": live.amount_cents, "currency": "eur"}
    for _number in range(6):
        PaymentEventFactory(payload=payload, created_at=at, received_at=at, next_try_at=at)
    together([partial(payments.handle_events, at=at)] * 2)
    payments.handle_events(at=at)
    outcomes = list(PaymentEvent.objects.values_list("outcome", flat=True))
    assert (outcomes.count("confirmed"), outcomes.count("already")) == (1, 5)
    assert Movement.objects.filter(kind="payment").count() == 1


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_lapse_and_a_success_at_once_end_in_one_of_two_truths(live, at, number):
    due_at = clocks.running(live.dossier, ClockKind.PAYMENT).due_at
    together(
        [
            partial(payments.settle, live.pk, paid(live), at=at),
            partial(deadlines.settle_overdue, at=due_at),
        ]
    )
    deadlines.settle_overdue(at=due_at)
    state = Dossier.objects.get().state
    found = (state, Movement.objects.filter(kind="payment").count(), Refund.objects.count())
    assert found in {("accepted", 1, 0), ("lapsed", 0, 1)}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_cancellation_and_a_success_at_once_lose_no_money(live, at, number):
    together(
        [
            partial(payments.settle, live.pk, paid(live), at=at),
            partial(act, "cancel", live.dossier, at=at),
        ]
    )
    state = Dossier.objects.get().state
    assert (state, Refund.objects.count()) in {("accepted", 0), ("cancelled_by_holder", 1)}


def test_two_senders_send_a_refund_once(live, at, cards):
    payment, _intent = begin(DossierFactory(awaiting_payment=True, at=at), cards, at=at)
    act("withdraw", payment.dossier, at=at)
    together([partial(payments.send_refunds, at=at)] * 4)
    assert len(cards.refunds_of(payment.service_id)) == 1
    assert Refund.objects.get().state == "sent"


def begin(dossier, cards, *, at):
    return payments.begin_card(
        dossier.pk, by=holder_actor(dossier.holder), at=at, request_id=uuid.uuid4(), token=cards.token()
    )


def test_five_clicks_of_five_windows_pay_once(at, cards):
    dossier = DossierFactory(awaiting_payment=True, at=at)
    answers = together([partial(begin, dossier, cards, at=at)] * 5)
    assert sum(isinstance(answer, Refused) for answer in answers) == 4
    assert CardPayment.objects.count() == 1
    assert Movement.objects.filter(kind="payment").count() == 1
    assert FundingLine.objects.get(kind="payment").reserved_id
    assert payment_service.retrieve(CardPayment.objects.get().service_id).stand == Stand.SUCCEEDED

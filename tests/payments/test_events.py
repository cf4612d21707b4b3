"""Events of the card service: signed, kept, handled once, in any order, whoever dies in between."""

import itertools
import json
import random
import time
import uuid
from datetime import timedelta

import pytest

from dossiers import clocks, deadlines, payments
from dossiers.models import CardPayment, Dossier, FundingLine, Payment, PaymentEvent, Refund
from dossiers.states import ClockKind
from notices.models import Notice
from rights.models import Movement
from tests.card_service import AUTHENTICATED, about_intent, an_event, deliver, signed
from tests.factories.dossiers import DossierFactory, act, holder_actor
from tests.waiting import wait_for
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "pi_of_a_test"


@pytest.fixture
def dossier(at):
    return DossierFactory(awaiting_payment=True, at=at)


@pytest.fixture
def live(dossier, cards, at):
    """A try that the bank has not answered: its holder is authenticating."""
    return CardPayment.objects.create(
        dossier=dossier,
        round=1,
        amount_cents=left_to_pay(dossier),
        state="processing",
        service_id=NUMBER,
        request_id=uuid.uuid4(),
        began_at=at,
    )


def left_to_pay(dossier) -> int:
    return FundingLine.objects.get(dossier=dossier, kind="payment").amount_cents


def succeeded(payment, **fields):
    amount = fields.pop("amount", payment.amount_cents)
    how = {name: fields.pop(name) for name in ("event_id", "at") if name in fields}
    about = about_intent(NUMBER, amount=amount, metadata={"attempt": str(payment.pk)}, **fields)
    return an_event("payment_intent.succeeded", about, **how)


def failed(payment, **how):
    error = {"last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}}
    about = about_intent(NUMBER, "requires_payment_method", amount=payment.amount_cents, **error)
    return an_event("payment_intent.payment_failed", about, **how)


def facts(dossier):
    """All that a payment can move."""
    return {
        "dossier": Dossier.objects.get(pk=dossier.pk).state,
        "try": CardPayment.objects.get().state,
        "movements": Movement.objects.filter(kind="payment").count(),
        "payments": list(Payment.objects.order_by("outcome").values_list("outcome", flat=True)),
        "refunds": Refund.objects.count(),
        "notices": Notice.objects.filter(kind__in=["dossier_accepted", "payment_refused"]).count(),
    }


# --- The door --------------------------------------------------------------------------------------------


def test_a_signed_event_is_kept_then_handled(client, settings, dossier, live, at):
    assert deliver(client, settings, succeeded(live)).status_code == 200
    event = PaymentEvent.objects.get()
    assert (event.handled_at, event.outcome) == (None, "")
    assert facts(dossier)["dossier"] == "awaiting_payment", "nothing is done before the answer"
    assert payments.handle_events(at=at + timedelta(minutes=1)).done == 1
    event.refresh_from_db()
    assert (event.outcome, facts(dossier)["dossier"]) == ("confirmed", "accepted")


@pytest.mark.parametrize("signature", ["", "t=1,v1=", "nonsense", "t=x,v1=y", "v1=aa", "t=1", "é"])
def test_a_forged_event_is_refused_and_logged(client, settings, dossier, live, caplog, signature):
    event = succeeded(live)
    signature = signature or signed(json.dumps(event).encode(), "whsec_of_somebody_else")
    assert deliver(client, settings, event, signature=signature).status_code == 400
    assert not PaymentEvent.objects.exists()
    assert "payment event refused" in caplog.text


def test_an_event_changed_on_its_way_is_refused(client, settings, live):
    event = succeeded(live)
    signature = signed(json.dumps(event).encode(), settings.STRIPE_WEBHOOK_SECRET)
    event["data"]["object"]["amount"] -= 1
    assert deliver(client, settings, event, signature=signature).status_code == 400


def test_an_event_recorded_and_played_later_is_refused(client, settings, live):
    assert deliver(client, settings, succeeded(live), at=time.time() - 301).status_code == 400
    assert deliver(client, settings, succeeded(live), at=time.time() - 200).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"id": "evt_1"}', b"\xff\xfe"])
def test_what_is_no_event_is_refused_though_it_is_signed(client, settings, cards, body):
    answer = client.post(
        "/paiement/evenements",
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signed(body, settings.STRIPE_WEBHOOK_SECRET)},
    )
    assert answer.status_code == 400


def test_without_keys_there_is_no_door(client, settings, live):
    event = succeeded(live)
    settings.STRIPE_SECRET_KEY = ""
    assert deliver(client, settings, event).status_code == 404


def test_nothing_of_a_card_is_kept(client, settings, live):
    event = succeeded(
        live,
        charges={
            "data": [{"payment_method_details": {"card": {"last4": "4242", "number": "4242424242424242"}}}]
        },
        receipt_email="somebody@exemple.fr",
        client_secret="pi_x_secret_y",
        payment_method="card_1",
    )
    deliver(client, settings, event)
    kept = PaymentEvent.objects.get().payload
    assert set(kept) == {"id", "object", "status", "amount", "currency", "metadata"}


# --- Once, in any order ------------------------------------------------------------------------------------


def test_an_event_sent_five_times_has_one_effect(client, settings, dossier, live, at):
    event = succeeded(live)
    for _number in range(5):
        assert deliver(client, settings, event).status_code == 200
        payments.handle_events(at=at + timedelta(minutes=1))
    assert PaymentEvent.objects.get().times == 5
    assert facts(dossier) == {
        "dossier": "accepted",
        "try": "succeeded",
        "movements": 1,
        "payments": ["confirmed"],
        "refunds": 0,
        "notices": Notice.objects.filter(kind="dossier_accepted").count(),
    }
    assert Notice.objects.filter(kind="dossier_accepted", user=dossier.holder.user).count() == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["succeeded", "failed", "processing"])))
def test_in_whatever_order_money_that_came_in_wins(client, settings, dossier, live, at, order):
    about = about_intent(NUMBER, "processing", amount=live.amount_cents)
    events = {
        "succeeded": succeeded(live),
        "failed": failed(live),
        "processing": an_event("payment_intent.processing", about),
    }
    shuffled = [events[name] for name in order] * 2
    random.shuffle(shuffled)
    for event in [events[name] for name in order] + shuffled:
        deliver(client, settings, event)
        payments.handle_events(at=at + timedelta(minutes=1))
    found = facts(dossier)
    assert (found["dossier"], found["try"]) == ("accepted", "succeeded")
    assert (found["movements"], found["refunds"]) == (1, 0)
    assert found["payments"].count("confirmed") == 1


def test_a_refusal_is_told_once_and_the_clock_goes_on(client, settings, dossier, live, at):
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    deliver(client, settings, failed(live))
    deliver(client, settings, failed(live))  # another event of the same refusal
    payments.handle_events(at=at + timedelta(minutes=1))
    assert facts(dossier) == {
        "dossier": "awaiting_payment",
        "try": "failed",
        "movements": 0,
        "payments": ["refused"],
        "refunds": 0,
        "notices": 1,
    }
    assert "pas assez d’argent" in Payment.objects.get().reason
    assert clocks.running(dossier, ClockKind.PAYMENT).due_at == due_at


@pytest.mark.parametrize("off", [-1, 1])
def test_an_amount_off_by_a_cent_moves_nothing_and_waits_for_a_person(
    client, settings, dossier, live, at, off
):
    deliver(client, settings, succeeded(live, amount=live.amount_cents + off))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1
    found = facts(dossier)
    assert (found["dossier"], found["try"], found["movements"]) == ("awaiting_payment", "processing", 0)
    live.refresh_from_db()
    assert live.trouble
    assert PaymentEvent.objects.get().note == live.trouble
    refund = payments.give_back_set_aside(live.pk, at=at)
    assert (refund.amount_cents, facts(dossier)["try"]) == (live.amount_cents + off, "refund_due")
    with pytest.raises(Refused):
        payments.give_back_set_aside(live.pk, at=at)


def test_another_currency_moves_nothing(client, settings, dossier, live, at):
    deliver(client, settings, succeeded(live, currency="usd"))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1
    assert facts(dossier)["movements"] == 0


def test_what_came_in_counts_and_not_what_was_asked(client, settings, dossier, live, at):
    deliver(client, settings, succeeded(live, amount_received=live.amount_cents - 100))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1


def test_an_unknown_payment_is_set_aside(client, settings, dossier, live, at):
    about = about_intent("pi_of_another", amount=500)
    deliver(client, settings, an_event("payment_intent.succeeded", about))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1
    assert facts(dossier)["movements"] == 0


def test_an_event_that_comes_before_our_own_number_finds_its_try(client, settings, dossier, cards, at):
    fresh = CardPayment.objects.create(
        dossier=dossier, round=1, amount_cents=left_to_pay(dossier), request_id=uuid.uuid4(), began_at=at
    )
    deliver(client, settings, succeeded(fresh))
    payments.handle_events(at=at + timedelta(minutes=1))
    assert facts(dossier)["dossier"] == "accepted"
    assert CardPayment.objects.get().service_id == NUMBER


def test_a_second_payment_that_claims_a_try_moves_nothing(client, settings, dossier, live, at):
    about = about_intent("pi_other", amount=live.amount_cents, metadata={"attempt": str(live.pk)})
    deliver(client, settings, an_event("payment_intent.succeeded", about))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1
    assert facts(dossier)["dossier"] == "awaiting_payment"


@pytest.mark.parametrize("kind", ["customer.created", "payment_intent.created", "charge.succeeded"])
def test_what_does_not_concern_us_is_kept_and_has_no_effect(client, settings, dossier, live, at, kind):
    about = about_intent(NUMBER, "requires_payment_method", amount=live.amount_cents)
    deliver(client, settings, an_event(kind, about))
    payments.handle_events(at=at + timedelta(minutes=1))
    assert PaymentEvent.objects.get().outcome == "ignored"
    assert facts(dossier)["try"] == "processing"


def test_a_dispute_is_shown_to_a_person(client, settings, live, at):
    deliver(client, settings, an_event("charge.dispute.created", {"id": "dp_1", "object": "dispute"}))
    assert payments.handle_events(at=at + timedelta(minutes=1)).set_aside == 1


# --- Too late ---------------------------------------------------------------------------------------


def test_a_lapse_waits_for_a_try_that_has_no_end_yet(client, settings, dossier, live, at):
    """The bank may have said yes in time: nobody loses their seat for an answer on its way."""
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    assert deadlines.settle_overdue(at=due_at).settled == 0
    deliver(client, settings, succeeded(live, at=due_at.timestamp() - 1))
    payments.handle_events(at=due_at + timedelta(minutes=1))
    assert facts(dossier)["dossier"] == "accepted"


def test_a_payment_that_comes_after_the_dossier_lapsed_is_sent_back(client, settings, dossier, live, at):
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    CardPayment.objects.filter(pk=live.pk).update(state=CardPayment.State.ABANDONED, settled_at=at)
    deadlines.settle_overdue(at=due_at)
    deliver(client, settings, succeeded(live))
    payments.handle_events(at=due_at + timedelta(minutes=1))
    refund = Refund.objects.get()
    assert facts(dossier) | {"notices": 0} == {
        "dossier": "lapsed",
        "try": "refund_due",
        "movements": 0,
        "payments": [],
        "refunds": 1,
        "notices": 0,
    }
    assert (refund.amount_cents, refund.way) == (live.amount_cents, "card")
    assert Notice.objects.filter(kind="refund_due", user=dossier.holder.user).count() == 1


def test_a_payment_made_too_late_is_sent_back_though_no_job_has_passed(client, settings, dossier, live, at):
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    deliver(client, settings, succeeded(live, at=due_at.timestamp() + 1))
    payments.handle_events(at=due_at + timedelta(minutes=1))
    assert facts(dossier)["refunds"] == 1
    assert facts(dossier)["movements"] == 0


def test_a_payment_made_in_time_counts_though_we_hear_of_it_late(client, settings, dossier, live, at):
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    deliver(client, settings, succeeded(live, at=due_at.timestamp() - 1))
    payments.handle_events(at=due_at + timedelta(minutes=1))
    assert facts(dossier)["dossier"] == "accepted"


def test_a_payment_after_a_cancellation_is_sent_back(client, settings, dossier, live, at):
    act("cancel", dossier, at=at)
    deliver(client, settings, succeeded(live))
    payments.handle_events(at=at + timedelta(minutes=1))
    assert (facts(dossier)["dossier"], facts(dossier)["refunds"]) == ("cancelled_by_holder", 1)


def test_a_card_that_pays_what_a_transfer_has_paid_already_is_sent_back(client, settings, dossier, live, at):
    act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=live.amount_cents)
    deliver(client, settings, succeeded(live))
    payments.handle_events(at=at + timedelta(minutes=1))
    assert (facts(dossier)["dossier"], facts(dossier)["movements"]) == ("accepted", 1)
    assert Refund.objects.get().card_payment_id == live.pk


def test_a_refund_that_comes_back_waits_for_a_person(client, settings, dossier, live, at):
    act("cancel", dossier, at=at)
    deliver(client, settings, succeeded(live))
    payments.handle_events(at=at + timedelta(minutes=1))
    payments._mark_sent(Refund.objects.get().pk, "re_1", at=at)
    for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
        deliver(client, settings, an_event(kind, {"id": "re_1", "object": "refund", "status": "failed"}))
    payments.handle_events(at=at + timedelta(minutes=2))
    refund = Refund.objects.get()
    assert (refund.state, refund.sent_at) == ("stuck", None)
    assert CardPayment.objects.get().state == "refund_due"
    with pytest.raises(Refused):
        payments.retry_refund(refund.pk, at=at)


# --- Whoever dies in between --------------------------------------------------------------------------


def test_killed_between_the_event_and_the_move_the_next_run_takes_it(
    client, settings, dossier, live, at, monkeypatch
):
    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    deliver(client, settings, succeeded(live))
    with monkeypatch.context() as patched:
        patched.setattr(payments.refunds, "owe", die)
        patched.setattr(payments, "_close", die)  # after the dossier has moved, before the commit
        with pytest.raises(Killed):
            payments.handle_events(at=at + timedelta(minutes=1))
    assert facts(dossier)["dossier"] == "awaiting_payment", "half of it is none of it"
    assert facts(dossier)["movements"] == 0
    assert payments.handle_events(at=at + timedelta(minutes=1)).done == 1
    assert facts(dossier)["dossier"] == "accepted"


def test_an_event_that_breaks_us_keeps_no_other_back_and_is_tried_again(
    client, settings, dossier, live, at, monkeypatch
):
    deliver(client, settings, an_event("customer.created", {"id": "cus_1"}, at=time.time() - 100))
    deliver(client, settings, succeeded(live))
    real = payments.settle_event

    def break_on_customers(event, *, at):
        if event.kind == "customer.created":
            raise ZeroDivisionError
        return real(event, at=at)

    monkeypatch.setattr(payments, "settle_event", break_on_customers)
    report = payments.handle_events(at=at + timedelta(minutes=1))
    assert (report.done, report.postponed) == (1, 1)
    assert facts(dossier)["dossier"] == "accepted"
    moment = at
    while PaymentEvent.objects.filter(handled_at=None).exists():
        moment += timedelta(hours=6)
        payments.handle_events(at=moment)
    broken = PaymentEvent.objects.get(kind="customer.created")
    assert (broken.outcome, broken.tries) == ("set_aside", payments.TRIES_MAX)


def test_the_events_of_the_service_itself_are_understood(live_server, cards, at, settings):
    """localstripe signs and sends by itself what it did with a card."""
    dossier = DossierFactory(awaiting_payment=True, at=at)
    payment, intent = payments.begin_card(
        dossier.pk,
        by=holder_actor(dossier.holder),
        at=at,
        request_id=uuid.uuid4(),
        token=cards.token(AUTHENTICATED),
    )
    paid = PaymentEvent.objects.filter(kind="payment_intent.succeeded", subject=intent.service_id)
    with cards.telling_events_to(live_server.url):
        cards.authenticate(intent, agrees=True)
        wait_for(paid.exists, limit=15)
    payments.handle_events(at=at + timedelta(minutes=1))
    assert CardPayment.objects.get(pk=payment.pk).state == "succeeded"
    assert Dossier.objects.get(pk=dossier.pk).state == "accepted"

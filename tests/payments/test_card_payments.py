"""Paying what is left by card, against a real card service on this machine: what each answer does."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from accounts.permissions import NotAllowed
from dossiers import clocks, payment_service, payments
from dossiers.models import CardPayment, Dossier, FundingLine, Payment, Refund
from dossiers.payment_service import Stand, Unreachable
from dossiers.states import ClockKind
from notices.models import Notice
from rights.models import Movement
from tests.card_service import (
    AUTHENTICATED,
    AUTHENTICATED_DECLINED,
    DECLINED_AT_ONCE,
    DECLINED_LATE,
    GOOD,
    about_intent,
    an_event,
    deliver,
)
from tests.factories.dossiers import DossierFactory, act, holder_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dossier(at):
    return DossierFactory(awaiting_payment=True, at=at)


def pay(dossier, cards, *, at, card=GOOD, **fields):
    fields.setdefault("by", holder_actor(dossier.holder))
    fields.setdefault("request_id", uuid.uuid4())
    if "token" not in fields:
        fields["token"] = cards.token(card)
    return payments.begin_card(dossier.pk, at=at, **fields)


def left_to_pay(dossier) -> int:
    return FundingLine.objects.get(dossier=dossier, kind="payment").amount_cents


def state_of(dossier) -> str:
    return Dossier.objects.get(pk=dossier.pk).state


def test_a_card_that_pays_confirms_the_registration(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at)
    assert (payment.state, intent.stand) == ("succeeded", Stand.SUCCEEDED)
    assert state_of(dossier) == "accepted"
    paid = Payment.objects.get(dossier=dossier)
    assert (paid.reference, paid.amount_cents) == (payment.service_id, left_to_pay(dossier))
    assert Movement.objects.filter(kind="payment").get().amount == left_to_pay(dossier)
    there = cards.read(f"payment_intents/{payment.service_id}")
    assert (there["amount"], there["currency"]) == (left_to_pay(dossier), "eur")
    assert there["metadata"] == {"attempt": str(payment.pk), "dossier": dossier.number}


def test_a_second_click_pays_nothing_more(dossier, cards, at):
    request_id, token = uuid.uuid4(), cards.token()
    first, _intent = pay(dossier, cards, at=at, request_id=request_id, token=token)
    again, told = pay(dossier, cards, at=at, request_id=request_id, token=token)
    assert (again.pk, told) == (first.pk, None)
    assert Movement.objects.filter(kind="payment").count() == 1


@pytest.mark.parametrize("card", [DECLINED_AT_ONCE, DECLINED_LATE], ids=["at once", "at the bank"])
def test_a_refused_card_may_be_followed_by_another(dossier, cards, at, card):
    with pytest.raises(Refused, match="refusé cette carte"):
        pay(dossier, cards, at=at, card=card)
    assert CardPayment.objects.get().state == "failed"
    assert state_of(dossier) == "awaiting_payment"
    assert Payment.objects.get().outcome == "refused"
    assert Notice.objects.filter(kind="payment_refused").count() == 1
    assert not Movement.objects.filter(kind="payment").exists()
    payment, _intent = pay(dossier, cards, at=at)
    assert (payment.state, state_of(dossier)) == ("succeeded", "accepted")


def test_strong_authentication_is_awaited_then_pays(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    assert (payment.state, intent.stand) == ("processing", Stand.TO_AUTHENTICATE)
    assert intent.client_secret
    assert intent.client_secret not in repr(intent)
    assert state_of(dossier) == "awaiting_payment"
    with pytest.raises(Refused, match="déjà en cours"):
        pay(dossier, cards, at=at)
    cards.authenticate(intent, agrees=True)
    payment, _told = payments.look(payment.pk, by=holder_actor(dossier.holder), at=at)
    assert (payment.state, state_of(dossier)) == ("succeeded", "accepted")


def test_strong_authentication_that_is_declined_may_be_tried_again(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    cards.authenticate(intent, agrees=False)
    payment, _told = payments.look(payment.pk, by=holder_actor(dossier.holder), at=at)
    assert (payment.state, payment.failure) == ("failed", "payment_intent_authentication_failure")
    assert pay(dossier, cards, at=at)[0].state == "succeeded"


def test_the_bank_may_say_no_after_strong_authentication(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED_DECLINED)
    cards.authenticate(intent, agrees=True)
    payment, _told = payments.look(payment.pk, by=holder_actor(dossier.holder), at=at)
    assert (payment.state, state_of(dossier)) == ("failed", "awaiting_payment")


def test_a_try_that_is_abandoned_can_never_pay(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    payment = payments.abandon(payment.pk, by=holder_actor(dossier.holder), at=at)
    assert payment.state == "abandoned"
    assert cards.read(f"payment_intents/{intent.service_id}")["status"] == "canceled"
    assert pay(dossier, cards, at=at)[0].state == "succeeded"


def test_abandoning_what_the_bank_has_paid_meanwhile_is_paying(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    cards.authenticate(intent, agrees=True)
    payment = payments.abandon(payment.pk, by=holder_actor(dossier.holder), at=at)
    assert (payment.state, state_of(dossier)) == ("succeeded", "accepted")


@pytest.fixture(params=["look", "ask_again"])
def hear_of_it(request, dossier):
    """We learn what the bank said because somebody asks: its holder, or the clock."""

    def hear(payment, *, at):
        if request.param == "look":
            payments.look(payment.pk, by=holder_actor(dossier.holder), at=at)
        else:
            payments.ask_again(at=at)

    return hear


def test_a_payment_made_in_time_counts_though_we_ask_late(dossier, cards, at, hear_of_it, monkeypatch):
    # The service has a clock of its own, that no test moves: its answer has a moment, and `at` is it.
    monkeypatch.setattr(
        payment_service, "_moment_of", lambda answer: at if isinstance(answer, dict) else None
    )
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    cards.authenticate(intent, agrees=True)
    late = clocks.running(dossier, ClockKind.PAYMENT).due_at + timedelta(hours=1)
    hear_of_it(payment, at=late)
    assert (state_of(dossier), Refund.objects.count()) == ("accepted", 0)
    confirmed = Dossier.objects.get(pk=dossier.pk).transitions.get(verb="confirm_payment")
    assert confirmed.at == late, "the free period runs from the confirmation"


def test_a_payment_made_too_late_is_sent_back_though_we_ask_later(
    dossier, cards, at, hear_of_it, monkeypatch
):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    cards.authenticate(intent, agrees=True)
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    monkeypatch.setattr(payment_service, "_moment_of", lambda answer: due_at)
    hear_of_it(payment, at=due_at + timedelta(hours=1))
    assert (state_of(dossier), Refund.objects.count()) == ("awaiting_payment", 1)


def test_nobody_pays_or_looks_for_another(dossier, cards, at, other_holder):
    with pytest.raises(NotAllowed):
        pay(dossier, cards, at=at, by=holder_actor(other_holder))
    payment, _intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    for verb in (payments.look, payments.abandon):
        with pytest.raises(NotAllowed):
            verb(payment.pk, by=holder_actor(other_holder), at=at)


def test_no_card_is_asked_once_the_time_is_over(dossier, cards, at):
    due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
    with pytest.raises(Refused):
        pay(dossier, cards, at=due_at)
    assert not CardPayment.objects.exists()


def test_only_so_many_cards_are_tried_a_day(dossier, cards, at):
    for _number in range(payments.TRIES_A_DAY):
        with pytest.raises(Refused, match="refusé cette carte"):
            pay(dossier, cards, at=at, card=DECLINED_AT_ONCE)
    with pytest.raises(Refused, match="10 fois"):
        pay(dossier, cards, at=at)
    assert pay(dossier, cards, at=at + timedelta(days=1, seconds=1))[0].state == "succeeded"


# --- The service is away, or we die ----------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch):
    """`away("confirm")`: this call gets no answer; `after=True`: it was done, and the answer is lost."""

    def lose(name, *, after=False):
        real = getattr(payment_service, name)

        def lost(*args, **kwargs):
            if after:
                real(*args, **kwargs)
            raise Unreachable("no answer")

        monkeypatch.setattr(payment_service, name, lost)
        return lambda: monkeypatch.setattr(payment_service, name, real)

    return lose


def test_a_service_that_is_away_moves_nothing_and_lets_one_try_again(dossier, cards, at, away):
    token = cards.token()
    back = away("prepare")
    with pytest.raises(Refused, match="ne répond pas"):
        pay(dossier, cards, at=at, token=token)
    assert CardPayment.objects.get().state == "abandoned"
    back()
    assert pay(dossier, cards, at=at)[0].state == "succeeded"


def test_a_service_that_is_not_there_at_all_is_said_in_words(dossier, cards, at, settings):
    token = cards.token()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Refused, match="ne répond pas"):
        pay(dossier, cards, at=at, token=token)


def test_an_answer_that_is_lost_is_asked_for_again(dossier, cards, at, away):
    back = away("confirm", after=True)
    payment, told = pay(dossier, cards, at=at)
    assert (payment.state, told, state_of(dossier)) == ("processing", None, "awaiting_payment")
    back()
    assert payments.ask_again(at=at + timedelta(seconds=30)).done == 0, "not at once: the events come first"
    assert payments.ask_again(at=at + payments.ASK_EVERY).done == 1
    assert state_of(dossier) == "accepted"


def test_an_event_that_comes_before_our_own_number_takes_no_try_over(
    client, settings, dossier, cards, at, monkeypatch
):
    """The service tells that it has made the payment while we still wait for its answer."""
    real = payment_service.prepare

    def prepare(**asked):
        made = real(**asked)
        about = about_intent(
            made.service_id,
            "requires_confirmation",
            amount=asked["amount_cents"],
            metadata={"attempt": asked["attempt"]},
        )
        deliver(client, settings, an_event("payment_intent.created", about))
        payments.handle_events(at=at + timedelta(minutes=1))
        return made

    monkeypatch.setattr(payment_service, "prepare", prepare)
    payment, _intent = pay(dossier, cards, at=at)
    assert (payment.state, state_of(dossier)) == ("succeeded", "accepted")
    assert payment.service_customer, "its card can be forgotten"


def test_killed_before_the_bank_is_asked_nothing_is_paid(dossier, cards, at, monkeypatch):
    class Killed(BaseException):
        pass

    def die(service_id):
        raise Killed

    monkeypatch.setattr(payment_service, "confirm", die)
    with pytest.raises(Killed):
        pay(dossier, cards, at=at)
    payment = CardPayment.objects.get()
    assert payment.state == "processing"
    assert payment.service_id, "its number is known before any money can move"
    payments.ask_again(at=at + payments.PATIENCE)
    assert CardPayment.objects.get().state == "abandoned"
    assert cards.read(f"payment_intents/{payment.service_id}")["status"] == "canceled"


def test_killed_before_it_has_a_number_a_try_is_given_up(dossier, cards, at, monkeypatch):
    class Killed(BaseException):
        pass

    def die(**kwargs):
        raise Killed

    monkeypatch.setattr(payment_service, "prepare", die)
    with pytest.raises(Killed):
        pay(dossier, cards, at=at)
    payments.ask_again(at=at + payments.STILLBORN_AFTER)
    assert CardPayment.objects.get().state == "abandoned"


def test_an_authentication_that_nobody_finishes_is_given_up(dossier, cards, at):
    payment, intent = pay(dossier, cards, at=at, card=AUTHENTICATED)
    payments.ask_again(at=at + payments.ASK_EVERY)
    assert CardPayment.objects.get(pk=payment.pk).state == "processing"
    payments.ask_again(at=at + payments.PATIENCE)
    assert CardPayment.objects.get(pk=payment.pk).state == "abandoned"
    assert cards.read(f"payment_intents/{intent.service_id}")["status"] == "canceled"


def test_no_card_stays_at_the_service(dossier, cards, at):
    payment, _intent = pay(dossier, cards, at=at)
    customer = payment.service_customer
    assert payments.forget_cards(at=at).done == 0
    assert payments.forget_cards(at=at + payments.PATIENCE).done == 1
    assert CardPayment.objects.get(pk=payment.pk).service_customer == ""
    with pytest.raises(Exception, match="404"):
        cards.read(f"customers/{customer}")


def test_the_service_is_never_called_inside_a_transaction(dossier, cards, at):
    with transaction.atomic(), pytest.raises(RuntimeError, match="never called inside a transaction"):
        payment_service.retrieve("pi_x")
    with transaction.atomic(), pytest.raises(RuntimeError, match="never called inside a transaction"):
        pay(dossier, cards, at=at)


# --- Refunds ---------------------------------------------------------------------------------------------


def test_a_withdrawal_sends_the_money_back_to_the_card(dossier, cards, at):
    payment, _intent = pay(dossier, cards, at=at)
    act("withdraw", dossier, at=at)
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_cents) == ("due", left_to_pay(dossier))
    assert CardPayment.objects.get(pk=payment.pk).state == "refund_due"
    assert cards.refunds_of(payment.service_id) == [], "no bank is called by the verb"
    assert payments.send_refunds(at=at).done == 1
    refund.refresh_from_db()
    [there] = cards.refunds_of(payment.service_id)
    assert (refund.state, refund.service_id, refund.sent_at) == ("sent", there["id"], at)
    assert (there["amount"], there["metadata"]) == (left_to_pay(dossier), {"refund": str(refund.pk)})
    assert CardPayment.objects.get(pk=payment.pk).state == "refunded"
    told = Notice.objects.filter(user=dossier.holder.user, kind__startswith="refund")
    assert sorted(notice.kind for notice in told) == ["refund_due", "refund_sent"]
    assert payments.send_refunds(at=at).done == 0


def test_a_refund_whose_answer_is_lost_is_not_sent_twice(dossier, cards, at, away):
    payment, _intent = pay(dossier, cards, at=at)
    act("call_off", dossier, at=at, reason="Formateur absent.")
    back = away("refund", after=True)
    assert payments.send_refunds(at=at).postponed == 1
    back()
    assert payments.send_refunds(at=at).done == 0, "its turn has not come"
    assert payments.send_refunds(at=at + timedelta(minutes=1)).done == 1
    assert len(cards.refunds_of(payment.service_id)) == 1


def test_a_refund_whose_sender_dies_is_taken_over(dossier, cards, at, monkeypatch):
    class Killed(BaseException):
        pass

    payment, _intent = pay(dossier, cards, at=at)
    act("withdraw", dossier, at=at)
    real = payments._mark_sent

    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(payments, "_mark_sent", die)
    with pytest.raises(Killed):
        payments.send_refunds(at=at)
    monkeypatch.setattr(payments, "_mark_sent", real)
    assert payments.send_refunds(at=at).done == 0, "whoever has it may still be at work"
    assert payments.send_refunds(at=at + payments.LEASE).done == 1
    assert len(cards.refunds_of(payment.service_id)) == 1


def test_a_refund_that_never_gets_an_answer_ends_with_a_person(dossier, cards, at, away):
    pay(dossier, cards, at=at)
    act("withdraw", dossier, at=at)
    back = away("refund")
    moment, tries = at, 0
    while Refund.objects.get().state == "due":
        tries += payments.send_refunds(at=moment) != payments.Report()
        moment += timedelta(hours=6)
    assert (Refund.objects.get().state, tries) == ("stuck", payments.TRIES_MAX)
    back()
    payments.retry_refund(Refund.objects.get().pk, at=moment)
    assert payments.send_refunds(at=moment).done == 1


def test_a_refund_that_the_service_refuses_waits_for_a_person(dossier, cards, at, settings):
    pay(dossier, cards, at=at)
    act("withdraw", dossier, at=at)
    settings.STRIPE_SECRET_KEY = "not-a-key"
    assert payments.send_refunds(at=at).set_aside == 1
    refund = Refund.objects.get()
    assert (refund.state, refund.trouble) == ("stuck", "AuthenticationError 401")
    settings.STRIPE_SECRET_KEY = cards.keys["STRIPE_SECRET_KEY"]
    payments.retry_refund(refund.pk, at=at + timedelta(days=2))
    assert payments.send_refunds(at=at + timedelta(days=2)).done == 1
    with pytest.raises(Refused):
        payments.retry_refund(refund.pk, at=at)


def test_no_refund_is_larger_than_the_payment(dossier, cards, at):
    payment, _intent = pay(dossier, cards, at=at)
    act("withdraw", dossier, at=at)
    with pytest.raises(ValueError, match="larger"):
        payments.refunds.owe(
            dossier,
            key="again",
            card_payment=payment,
            reference=payment.service_id,
            amount_cents=1,
            reason="Encore.",
            at=at,
        )
    with pytest.raises(ProgrammingError, match="refunds_never_exceed_the_payment"):
        Refund.objects.create(
            key="past the guard",
            dossier=dossier,
            way="card",
            card_payment=payment,
            payment_reference=payment.service_id,
            amount_cents=1,
            reason="Encore.",
            due_at=at,
            next_try_at=at,
        )


def test_what_was_paid_by_transfer_is_owed_by_transfer(dossier, at):
    act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=left_to_pay(dossier))
    act("withdraw", dossier, at=at)
    refund = Refund.objects.get()
    assert (refund.way, refund.payment_reference, refund.state) == ("transfer", "VIR-1", "due")
    assert payments.send_refunds(at=at) == payments.Report()


def test_what_was_never_paid_is_not_refunded(dossier, at):
    act("cancel", dossier, at=at)
    assert not Refund.objects.exists()


# --- What the database itself refuses ----------------------------------------------------------------------


def test_money_that_came_in_is_never_said_to_have_failed(dossier, cards, at):
    payment, _intent = pay(dossier, cards, at=at)
    with pytest.raises(ProgrammingError, match="Invalid transition"):
        CardPayment.objects.filter(pk=payment.pk).update(state="failed")


def test_two_tries_never_live_at_once(dossier, cards, at):
    pay(dossier, cards, at=at, card=AUTHENTICATED)
    with pytest.raises(IntegrityError, match="card_payment_is_tried_once_at_a_time"):
        CardPayment.objects.create(
            dossier=dossier, round=1, amount_cents=1, request_id=uuid.uuid4(), began_at=at
        )

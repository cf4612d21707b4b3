"""Tries by card, transfers and refunds, as the verbs leave them."""

import uuid

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from dossiers import workflow
from dossiers.models import BankTransfer, CardPayment, Dossier, PaymentEvent, Refund
from tests.factories.accounts import UserFactory
from tests.factories.dossiers import DossierFactory


class CardPaymentFactory(DjangoModelFactory):
    """A try that has just begun; `state="processing"` and a `service_id`: the bank is asked."""

    class Meta:
        model = CardPayment

    class Params:
        paid_for = factory.LazyAttribute(lambda o: Dossier.objects.get(pk=o.dossier_id))

    dossier_id = factory.LazyFunction(lambda: DossierFactory(awaiting_payment=True).pk)
    round = 1
    amount_cents = factory.LazyAttribute(lambda o: workflow.remainder_line(o.paid_for).amount_cents)
    request_id = factory.LazyFunction(uuid.uuid4)
    began_at = factory.LazyFunction(timezone.now)


class PaymentEventFactory(DjangoModelFactory):
    """One that waits to be handled."""

    class Meta:
        model = PaymentEvent

    event_id = factory.Sequence(lambda number: f"evt_{number}")
    kind = "payment_intent.succeeded"
    subject = "pi_1"
    created_at = factory.LazyFunction(timezone.now)
    received_at = factory.LazyFunction(timezone.now)
    next_try_at = factory.LazyFunction(timezone.now)


class RefundFactory(DjangoModelFactory):
    """One to make by hand: what it gives back came by transfer."""

    class Meta:
        model = Refund

    key = factory.Sequence(lambda number: f"test:{number}")
    dossier = factory.LazyFunction(lambda: DossierFactory(awaiting_payment=True))
    way = "transfer"
    payment_reference = "VIR-1"
    amount_cents = 10_000
    reason = "Votre inscription est annulée."
    due_at = factory.LazyFunction(timezone.now)
    next_try_at = factory.LazyFunction(timezone.now)


class BankTransferFactory(DjangoModelFactory):
    """One that nobody recognises."""

    class Meta:
        model = BankTransfer

    bank_id = factory.Sequence(lambda number: f"BANQUE-{number}")
    amount_cents = 10_000
    booked_on = factory.LazyFunction(lambda: timezone.localdate())
    text = "VIREMENT"
    payer_name = "MME LE BIHAN"
    payer_iban = "FR7699999000000000000000033"
    state = "unknown"
    note = "Aucune référence de dossier n’est reconnue."
    imported_at = factory.LazyFunction(timezone.now)
    imported_by = factory.SubFactory(UserFactory, is_staff=True)

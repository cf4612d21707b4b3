"""People who pay by card at a card service on this machine, and what their payments must have moved."""

import json
import os
import time
import uuid

import requests
from django.conf import settings
from django.utils import timezone

from dossiers import payments
from dossiers.models import CardPayment, Dossier, FundingLine, Payment, PaymentEvent, Refund, Transition
from dossiers.states import State
from notices.models import Notice
from rights import integrity
from rights.models import Movement
from tests.card_service import AUTHENTICATED, Cards, signed
from tests.factories.dossiers import DossierFactory, holder_actor
from tools.dev.servers import announce_payments_to, start_card_service
from tools.storms import ADDRESS

SETTLE_LIMIT = 120
REPLAYS = 5


def open_card_service(stage):
    """Its keys are those of every part that starts after it, and of this process."""
    child, keys = start_card_service(stage.log("cards"))
    stage.children["cards"] = child
    os.environ.update(keys)
    for name, value in keys.items():
        setattr(settings, name, value.split() if name == "STRIPE_ORIGINS" else value)
    return Cards(keys)


def announce(cards):
    """Have its events told to the portal that runs now."""
    announce_payments_to(ADDRESS, cards.keys)


def pay(cards, people):
    """So many people pay at once, and their banks say yes: of this only the service's events tell us."""
    begun = [begin(cards) for _each in range(people)]
    for _payment, intent in begun:
        cards.authenticate(intent, agrees=True)
    return [payment for payment, _intent in begun]


def begin(cards):
    """Somebody gives their card, and their bank asks them whether it is them."""
    dossier = DossierFactory(awaiting_payment=True)
    return payments.begin_card(
        dossier.pk,
        by=holder_actor(dossier.holder),
        at=timezone.now(),
        request_id=uuid.uuid4(),
        token=cards.token(AUTHENTICATED),
    )


def kept(tries):
    """The events that say that one of these came in."""
    numbers = [each.service_id for each in tries]
    return PaymentEvent.objects.filter(kind="payment_intent.succeeded", subject__in=numbers)


def unsettled(tries):
    """Those of them that the portal does not know the end of."""
    return CardPayment.objects.filter(pk__in=[each.pk for each in tries], state__in=CardPayment.LIVE)


def waiting_events():
    return PaymentEvent.objects.filter(handled_at__isnull=True)


def is_over(tries):
    handled = kept(tries).filter(handled_at__isnull=False).count()
    return handled == len(tries) and not unsettled(tries).exists()


def wait(done):
    """Whether it came to that in time."""
    end = time.monotonic() + SETTLE_LIMIT
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.01)
    return False


def facts(tries):
    """All that these payments have moved."""
    dossiers = [each.dossier_id for each in tries]
    return {
        "states": sorted(Dossier.objects.filter(pk__in=dossiers).values_list("number", "state")),
        "moves": Transition.objects.filter(dossier__in=dossiers).count(),
        "movements": Movement.objects.count(),
        "payments": Payment.objects.count(),
        "refunds": Refund.objects.count(),
        "notices": Notice.objects.count(),
    }


def wrong(tries):
    """What is not as it must be once these payments are settled."""
    for each in CardPayment.objects.filter(pk__in=[each.pk for each in tries]).select_related("dossier"):
        moves = Transition.objects.filter(dossier=each.dossier, verb="confirm_payment").count()
        lines = FundingLine.objects.filter(dossier=each.dossier).values("reserved")
        came = list(
            Movement.objects.filter(kind="payment", target__in=lines).values_list("amount", flat=True)
        )
        booked = Payment.objects.filter(dossier=each.dossier, outcome="confirmed").count()
        found = (each.dossier.state, each.state, moves, came, booked, each.refunds.count())
        if found != (State.ACCEPTED, CardPayment.State.SUCCEEDED, 1, [each.amount_cents], 1, 0):
            yield f"{each.dossier.number} was paid, and is {found}"
    yield from (f"ledger: {finding}" for finding in integrity.check())


def replay(cards, tries, chance):
    """Each event five times more, in whatever order; how many were sent."""
    again = list(kept(tries).values_list("event_id", flat=True).order_by("event_id")) * REPLAYS
    chance.shuffle(again)
    for event_id in again:
        body = json.dumps(cards.read(f"events/{event_id}")).encode()
        answer = requests.post(
            f"{ADDRESS}/paiement/evenements",
            data=body,
            headers={
                "Content-Type": "application/json",
                "Stripe-Signature": signed(body, cards.keys["STRIPE_WEBHOOK_SECRET"]),
            },
            timeout=30,
        )
        answer.raise_for_status()
    return len(again)

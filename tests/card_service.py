"""A real localstripe for tests, and what a browser and the service would do: give a card, sign an event."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from dossiers import payment_service
from tools.dev.processes import stop
from tools.dev.servers import start_card_service

GOOD, DECLINED_LATE, DECLINED_AT_ONCE = "4242424242424242", "4000000000000341", "4000000000000002"
AUTHENTICATED, AUTHENTICATED_DECLINED = "4000002500003155", "4000008260003178"


class Cards:
    """The service as the outside world uses it."""

    def __init__(self, keys: dict[str, str]):
        self.keys, self.base = keys, keys["STRIPE_API_BASE"]

    def token(self, number: str = GOOD) -> str:
        """What the service's field in the page gives for a card; the card goes there, never to the portal."""
        card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        told = {f"card[{name}]": value for name, value in card.items()}
        answer = requests.post(
            f"{self.base}/v1/tokens", data=told | {"key": self.keys["STRIPE_PUBLIC_KEY"]}, timeout=10
        )
        answer.raise_for_status()
        return answer.json()["id"]

    def authenticate(self, intent: payment_service.Intent, *, agrees: bool) -> None:
        """What the bank's window does once its customer has said yes or no."""
        answer = requests.post(
            f"{self.base}/v1/payment_intents/{intent.service_id}/_authenticate",
            params={"success": str(agrees).lower()},
            json={"key": self.keys["STRIPE_PUBLIC_KEY"], "client_secret": intent.client_secret},
            timeout=10,
        )
        assert answer.status_code in {200, 402}, answer.text

    def read(self, path: str) -> dict:
        answer = requests.get(f"{self.base}/v1/{path}", auth=(self.keys["STRIPE_SECRET_KEY"], ""), timeout=10)
        answer.raise_for_status()
        return answer.json()

    def refunds_of(self, service_id: str) -> list[dict]:
        return self.read(f"refunds?payment_intent={service_id}")["data"]

    @contextmanager
    def telling_events_to(self, address: str) -> Iterator[None]:
        """Events go there, a second after they happened: those of the test before this one too."""
        self._tell({"url": f"{address}/paiement/evenements"})
        try:
            yield
        finally:  # no later test hears of these events: the service forgets no address, but sends it none
            self._tell({"url": f"{address}/paiement/evenements", "events": ["none"]})

    def _tell(self, told: dict[str, object]) -> None:
        told["secret"] = self.keys["STRIPE_WEBHOOK_SECRET"]
        requests.post(f"{self.base}/_config/webhooks/portal", json=told, timeout=10).raise_for_status()


@pytest.fixture(scope="session")
def card_service(tmp_path_factory):
    child, keys = start_card_service(tmp_path_factory.mktemp("cards") / "cards.log")
    yield Cards(keys)
    stop([child])


@pytest.fixture
def cards(card_service, settings):
    """The portal takes cards, at a service on this machine."""
    for name, value in card_service.keys.items():
        setattr(settings, name, value)
    settings.STRIPE_ORIGINS = [card_service.base]
    return card_service


def an_event(kind: str, about: dict, *, event_id: str = "", at: float | None = None) -> dict:
    """An event as the service words it."""
    return {
        "id": event_id or f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": kind,
        "created": int(at or time.time()),
        "data": {"object": about},
    }


def about_intent(service_id: str, status: str = "succeeded", **fields) -> dict:
    return {"id": service_id, "object": "payment_intent", "status": status, "currency": "eur"} | fields


def signed(body: bytes, secret: str, *, at: float | None = None) -> str:
    moment = int(at or time.time())
    code = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


def deliver(client, settings, event: dict, **how):
    """Send an event to the portal as the service would."""
    body = json.dumps(event).encode()
    signature = how.get("signature") or signed(body, settings.STRIPE_WEBHOOK_SECRET, at=how.get("at"))
    return client.post(
        "/paiement/evenements",
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )

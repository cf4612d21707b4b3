"""The card service as the portal speaks to it. The only module that imports `stripe`.

Every call leaves the machine: never inside a transaction (`_outside` refuses it). Each has a timeout and
an idempotency key made from our own row, and none is retried here: the caller's sweep asks again.
Nothing of a card passes here: a browser gives the card to the service, which gives us a token.
See docs/adr/0009-paying-by-card.md for the flow.
"""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import stripe
from django.conf import settings
from django.db import connection

log = logging.getLogger(__name__)
# Its own lines at INFO hold the content of requests: tokens, which are nobody's business.
logging.getLogger("stripe").setLevel(logging.WARNING)

CURRENCY = "eur"
# The version of the service's words that this module was written for, whatever the library's own: later ones
# rename what asks for a card and nothing else. The event destination is made with the same one.
API_VERSION = "2024-06-20"
TIMEOUT_SECONDS = 10
# An event older than this was recorded by somebody and is played again (the service's own advice).
SIGNATURE_SECONDS = 300
# A refund is among the few of its own payment.
REFUNDS_READ = 100
# The bank's last answer beside the payment: of it, only its moment is read.
WITH_THE_ANSWER: Any = {"expand": ["latest_charge"]}


class ServiceError(Exception):
    """The service did not do it. `message`: for the operator, without anything of a card."""

    def __init__(self, message: str):
        self.message = message[:255]
        super().__init__(self.message)


class Unreachable(ServiceError):
    """No answer, or a fault over there: nobody knows what happened. Ask again later."""


class CardRefused(ServiceError):
    """The bank said no. `code`: why, as the service names it."""

    def __init__(self, code: str):
        self.code = code
        super().__init__(code)


class Impossible(ServiceError):
    """It was understood and will never be done (wrong key, already refunded…): a person must look."""


class Forged(Exception):
    """This event is not signed by the service, or was signed long ago."""


class Stand(StrEnum):
    """Where a payment stands at the service."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TO_AUTHENTICATE = "to_authenticate"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as the service tells it. Cents; `attempt`: our row's id, as we gave it.

    `happened_at`: when the bank answered; None: it has not, or nobody said when.
    `client_secret` lets a browser authenticate this one payment; it is neither kept nor logged.
    """

    service_id: str
    stand: Stand
    amount_cents: int
    currency: str
    attempt: str = ""
    failure_code: str = ""
    happened_at: datetime | None = None
    customer: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """What the service announces. `intent`: for events about a payment."""

    event_id: str
    kind: str
    created_at: datetime
    subject: str
    payload: dict[str, Any]


def is_ready() -> bool:
    """Cards can be offered: the keys are there."""
    return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_PUBLIC_KEY and settings.STRIPE_WEBHOOK_SECRET)


# --- Paying ------------------------------------------------------------------------------------------


def prepare(*, attempt: str, amount_cents: int, token: str, dossier_number: str) -> Intent:
    """A payment that has its card and is not asked of the bank yet: no money moves before `confirm`.

    The card belongs to a record made for this attempt alone, which `forget` removes. CardRefused,
    Impossible, Unreachable.
    """
    with _outside():
        customer = _client().v1.customers.create(
            {"source": token, "metadata": {"attempt": attempt}}, _once(f"{attempt}:card")
        )
        try:
            # Untyped: the library's types are those of its own version.
            asked: Any = {
                "amount": amount_cents,
                "currency": CURRENCY,
                "customer": customer.id,
                "payment_method": str(customer.default_source),
                "payment_method_types": ["card"],
                "metadata": {"attempt": attempt, "dossier": dossier_number},
            }
            made = _client().v1.payment_intents.create(asked, _once(f"{attempt}:intent"))
        except stripe.StripeError:
            # Nobody will come back for this record: it goes with the try.
            with suppress(stripe.StripeError):
                _client().v1.customers.delete(customer.id)
            raise
        return _intent(_plain(made))


def confirm(service_id: str) -> Intent:
    """Ask the bank. CardRefused, Impossible, Unreachable (then the money may have moved: `retrieve`)."""
    with _outside():
        options = _once(f"{service_id}:ask")
        return _intent(_plain(_client().v1.payment_intents.confirm(service_id, WITH_THE_ANSWER, options)))


def retrieve(service_id: str) -> Intent:
    """The truth about this payment."""
    with _outside():
        return _intent(_plain(_client().v1.payment_intents.retrieve(service_id, WITH_THE_ANSWER)))


def cancel(service_id: str) -> Intent:
    """Give up a payment that has not succeeded. Impossible: too late."""
    with _outside():
        return _intent(
            _plain(_client().v1.payment_intents.cancel(service_id, {}, _once(f"{service_id}:cancel")))
        )


def forget(customer: str) -> None:
    """Remove the card's record: nothing is kept for a next time. Already gone is gone."""
    with _outside():
        try:
            _client().v1.customers.delete(customer)
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise


# --- Giving back -------------------------------------------------------------------------------------


def refund(*, service_id: str, amount_cents: int, refund_id: str, is_again: bool) -> str:
    """Send money back to the card; the service's number of the refund.

    `is_again`: asked before, and the answer was lost. The service forgets keys after a day: the refunds
    of this payment are read first, so that one that left is found by its name and not sent twice.
    """
    with _outside():
        refunds = _client().v1.refunds
        if is_again:
            known = _plain(refunds.list({"payment_intent": service_id, "limit": REFUNDS_READ}))
            for each in known["data"]:
                if (each.get("metadata") or {}).get("refund") == refund_id:
                    return str(each["id"])
        made = refunds.create(
            {"payment_intent": service_id, "amount": amount_cents, "metadata": {"refund": refund_id}},
            _once(f"{refund_id}:refund"),
        )
        return str(made.id)


# --- Hearing -----------------------------------------------------------------------------------------

# What is kept of an event: enough to judge it, nothing of a card, a person or an address.
KEPT = (
    "id",
    "object",
    "status",
    "amount",
    "amount_received",
    "currency",
    "payment_intent",
    "charge",
    "reason",
)
KEPT_METADATA = ("attempt", "refund", "dossier")


def read_event(body: bytes, signature: str) -> Event:
    """Verify an event and keep what matters of it. Forged: anything wrong with the signature or its age."""
    try:
        stripe.WebhookSignature.verify_header(
            body.decode(), signature, settings.STRIPE_WEBHOOK_SECRET, SIGNATURE_SECONDS
        )
        told = json.loads(body)
        about = told["data"]["object"]
        return Event(
            event_id=str(told["id"])[:100],
            kind=str(told["type"])[:80],
            created_at=datetime.fromtimestamp(int(told["created"]), UTC),
            subject=str(about.get("id") or "")[:100],
            payload=_kept(about),
        )
    except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Forged(type(error).__name__) from None


def _kept(about: dict[str, Any]) -> dict[str, Any]:
    kept = {name: about[name] for name in KEPT if isinstance(about.get(name), str | int)}
    metadata = about.get("metadata") or {}
    kept["metadata"] = {name: str(metadata[name])[:100] for name in KEPT_METADATA if name in metadata}
    code = _failure_code(about)
    return kept | ({"failure_code": code} if code else {})


def intent_of(payload: dict[str, Any]) -> Intent:
    """The payment that a kept event is about."""
    return _intent(payload)


# --- Words of theirs, values of ours -----------------------------------------------------------------

STANDS = {
    "succeeded": Stand.SUCCEEDED,
    "canceled": Stand.CANCELLED,
    "requires_action": Stand.TO_AUTHENTICATE,
    # We only make payments that have their card: this one lost it because the bank said no.
    "requires_payment_method": Stand.FAILED,
}


def _intent(told: dict[str, Any]) -> Intent:
    received = told.get("amount_received")
    return Intent(
        service_id=str(told["id"]),
        stand=STANDS.get(str(told.get("status")), Stand.WAITING),
        # Some say how much came in beside how much was asked: what came in counts.
        amount_cents=int(
            told["amount"] if received is None or told.get("status") != "succeeded" else received
        ),
        currency=str(told["currency"]),
        attempt=str((told.get("metadata") or {}).get("attempt", "")),
        failure_code=_failure_code(told),
        happened_at=_moment_of(told.get("latest_charge")),
        customer=str(told.get("customer") or ""),
        client_secret=str(told.get("client_secret") or ""),
    )


def _moment_of(answer: Any) -> datetime | None:
    """When the bank gave this answer; None where only its number is told, or there is none."""
    return datetime.fromtimestamp(int(answer["created"]), UTC) if isinstance(answer, dict) else None


def _failure_code(told: dict[str, Any]) -> str:
    error = told.get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or told.get("failure_code") or "")[:60]


def _plain(told: Any) -> dict[str, Any]:
    return json.loads(str(told))


def _client() -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=API_VERSION,
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        max_network_retries=0,
    )


def _once(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


class _outside:
    """Outside any transaction; what goes wrong is told in our words."""

    def __enter__(self) -> None:
        blocks = [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
        if blocks:
            raise RuntimeError("the card service is never called inside a transaction")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, stripe.StripeError):
            return
        code = str(error.code or "")
        # Their message may quote what was typed: only codes are kept.
        said = f"{type(error).__name__} {error.http_status or ''} {code}".strip()
        if isinstance(error, stripe.CardError) or (error.http_status == 402):
            body = error.error
            raise CardRefused(str(getattr(body, "decline_code", "") or code or "card_declined")) from None
        log.warning("card service: %s", said)
        # No answer, the same request still running, too many of them, a fault over there: later.
        status = error.http_status or 0
        if isinstance(error, stripe.APIConnectionError) or status in {0, 409, 429} or status >= 500:
            raise Unreachable(said) from None
        raise Impossible(said) from None

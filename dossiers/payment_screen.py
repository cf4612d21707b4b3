"""What the payment page shows its holder: where the payment stands, what to do, what comes back."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from django.conf import settings
from stdnum import iban

from dossiers import clocks, payment_references, payment_service, payments, refunds, workflow
from dossiers.models import CardPayment, Deadline, Dossier, FundingLine, Payment, Refund
from dossiers.states import ClockKind, State
from ui.refusals import Refused


class Stage(StrEnum):
    """The one question of the page. `PROCESSING`: the bank has not said yes or no."""

    WAITING = "waiting"
    PROCESSING = "processing"
    TO_CHECK = "to_check"
    PAID = "paid"
    EXPIRED = "expired"
    OVER = "over"


@dataclass
class Screen:
    """What templates/dossiers/holder/_payment.html reads. Cents."""

    dossier: Dossier
    at: datetime
    stage: Stage
    amount_cents: int
    attempt: CardPayment | None
    clock: Deadline | None
    # Why the last try was refused, in words; empty once another began.
    failure: str = ""
    # What the amount holds, as it was written at validation.
    note: str = ""
    paid: Payment | None = None
    refunds: list[Refund] = field(default_factory=list)
    skipped: list[tuple[date, str]] = field(default_factory=list)
    reference: str = ""
    iban: str = ""
    iban_owner: str = ""
    is_card_offered: bool = False

    @property
    def is_transfer_offered(self) -> bool:
        return bool(self.iban)


def of(dossier: Dossier, *, at: datetime) -> Screen:
    """The page of a dossier that had something left to pay. Writes nothing, asks nobody."""
    line = workflow.remainder_line(dossier)
    attempt = CardPayment.objects.filter(dossier=dossier).order_by("-began_at", "id").first()
    clock = clocks.running(dossier, ClockKind.PAYMENT)
    screen = Screen(
        dossier=dossier,
        at=at,
        stage=_stage(dossier, line, attempt, at=at),
        amount_cents=line.amount_cents,
        attempt=attempt,
        clock=clock,
        note=line.reason,
        paid=_paid(dossier) if line.reserved_id else None,
        refunds=refunds.of_dossier(dossier),
        skipped=[(date.fromisoformat(skip["day"]), skip["why"]) for skip in clock.skipped] if clock else [],
        reference=payment_references.of(dossier.number),
        iban=iban.format(settings.PORTAL_IBAN) if settings.PORTAL_IBAN else "",
        iban_owner=settings.PORTAL_IBAN_OWNER,
        is_card_offered=payment_service.is_ready(),
    )
    if screen.stage == Stage.WAITING and attempt and attempt.state == CardPayment.State.FAILED:
        screen.failure = payments.failure_in_words(attempt.failure)
    return screen


def _paid(dossier: Dossier) -> Payment | None:
    return Payment.objects.filter(dossier=dossier, outcome=Payment.Outcome.CONFIRMED).order_by("-at").first()


def _stage(dossier: Dossier, line: FundingLine, attempt: CardPayment | None, *, at: datetime) -> Stage:
    if dossier.state in (State.ACCEPTED, State.POSTPONED):
        return Stage.PAID
    if dossier.state == State.LAPSED:
        return Stage.EXPIRED
    if dossier.state != State.AWAITING_PAYMENT:
        return Stage.OVER
    if attempt is not None and attempt.trouble and attempt.settled_at is None:
        return Stage.TO_CHECK
    if attempt is not None and attempt.state in CardPayment.LIVE:
        return Stage.PROCESSING
    try:
        payments.check_can_pay(dossier, at=at)
    except Refused:
        return Stage.EXPIRED
    return Stage.WAITING

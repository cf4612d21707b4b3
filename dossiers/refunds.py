"""Owing money back: one row per refund, written in the transaction that releases it. No bank is called here.

`dossiers.payments.send_refunds` sends what goes to cards once the transaction is over; what came by transfer
goes back by transfer, by a person (dossiers.transfers). Amounts in cents.

Locks: after the dossier, the card payment (docs/locks.md).
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from dossiers import announcements
from dossiers.models import BankTransfer, CardPayment, Dossier, FundingLine, Payment, Refund


def owe_released(
    dossier: Dossier,
    *,
    round_number: int,
    at: datetime,
    amount_cents: int | None = None,
    reason: str = "",
) -> Refund | None:
    """A round gave back what its holder had paid, all of it or `amount_cents`: owe it. Called by `moves`.

    None: nothing was paid in that round.
    """
    line = FundingLine.objects.filter(
        dossier=dossier, round=round_number, kind=FundingLine.Kind.PAYMENT, reserved__isnull=False
    ).first()
    if line is None:
        return None
    payment = Payment.objects.filter(dossier=dossier, outcome=Payment.Outcome.CONFIRMED).latest("at", "id")
    card = CardPayment.objects.filter(dossier=dossier, service_id=payment.reference).first()
    return owe(
        dossier,
        key=f"release:{dossier.pk}:{round_number}",
        card_payment=card,
        reference=payment.reference,
        amount_cents=line.amount_cents if amount_cents is None else amount_cents,
        reason=reason or _("Votre inscription est annulée."),
        at=at,
    )


@transaction.atomic
def owe(
    dossier: Dossier,
    *,
    key: str,
    card_payment: CardPayment | None,
    reference: str,
    amount_cents: int,
    reason: str,
    at: datetime,
) -> Refund:
    """Write one refund and tell its holder; the same key gives the first one.

    ValueError: more than what is left of the payment (the database refuses it too).
    """
    done = Refund.objects.filter(key=key).first()
    if done is not None:
        return done
    if card_payment is not None:
        card_payment = CardPayment.objects.select_for_update(no_key=True).get(pk=card_payment.pk)
        given = sum(Refund.objects.filter(card_payment=card_payment).values_list("amount_cents", flat=True))
        if given + amount_cents > (card_payment.received_cents or 0):
            raise ValueError("a refund is never larger than what was paid")
    refund = Refund.objects.create(
        key=key,
        dossier=dossier,
        way=Refund.Way.CARD if card_payment else Refund.Way.TRANSFER,
        card_payment=card_payment,
        payment_reference=reference,
        amount_cents=amount_cents,
        reason=reason,
        due_at=at,
        next_try_at=at,
    )
    if card_payment is not None:
        card_payment.state = CardPayment.State.REFUND_DUE
        card_payment.save(update_fields=["state"])
    else:
        BankTransfer.objects.filter(bank_id=reference, state=BankTransfer.State.MATCHED).update(
            state=BankTransfer.State.TO_SEND_BACK, note=reason
        )
    announcements.tell_refund(dossier, refund, at=at)
    return refund


def of_dossier(dossier: Dossier) -> list[Refund]:
    return list(Refund.objects.filter(dossier=dossier).order_by("due_at", "id"))

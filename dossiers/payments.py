"""Paying what is left by card: what people, the card service's events and the clock do with a payment.

A try goes: row written → the service is asked, outside any transaction → what it says is settled, in a
transaction. Killed anywhere between, nothing is lost: no money can move before its number at the service is
in our row, and `ask_again` puts the question to the service until it has an answer. In whatever order and as
often as its words come, money that came in wins, and counts once (docs/adr/0009-paying-by-card.md).

Locks: the event, or the refund, with SKIP LOCKED; the dossier; the card payment (docs/locks.md).
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.actors import SYSTEM, Actor
from accounts.permissions import NotAllowed
from dossiers import announcements, guards, moves, payment_service, permissions, refunds, workflow
from dossiers.models import CardPayment, Dossier, FundingLine, PaymentEvent, Refund
from dossiers.payment_service import CURRENCY, CardRefused, Event, Impossible, Intent, Stand, Unreachable
from dossiers.states import State
from rulebook import workdays
from ui import french
from ui.refusals import Refused

log = logging.getLogger(__name__)

# Strong authentication takes minutes; after this the service is told to give the payment up.
PATIENCE = timedelta(minutes=30)
# A try that never got its number: its process died before anything could be paid.
STILLBORN_AFTER = timedelta(minutes=5)
ASK_EVERY = timedelta(minutes=2)
# Whoever sends a refund has it for so long; whoever dies with it gives it back.
LEASE = timedelta(minutes=2)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
TRIES_MAX = 12
# Whoever tries stolen cards needs hundreds of tries; whoever pays needs two.
TRIES_A_DAY = 10
LOT = 200

Try, End = CardPayment.State, PaymentEvent.Outcome
PAID_OR_GIVEN_BACK = frozenset({Try.SUCCEEDED, Try.REFUND_DUE, Try.REFUNDED})


@dataclass(slots=True)
class Report:
    """What one run did. `postponed`: tried, to be tried again."""

    done: int = 0
    postponed: int = 0
    set_aside: int = 0


# --- The holder ---------------------------------------------------------------------------------------


def begin_card(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, token: str
) -> tuple[CardPayment, Intent | None]:
    """Pay what is left with the card behind `token`. By the holder. Never inside a transaction.

    The same request gives its first try. Returns the try and what the service said last: None when it did
    not answer, or was not asked again. Refused: not now, the bank said no, or the service is away (nothing
    moved).
    """
    payment, is_new = _write_try(dossier_id, by=by, at=at, request_id=request_id)
    if not is_new:
        return payment, None
    try:
        made = payment_service.prepare(
            attempt=str(payment.pk),
            amount_cents=payment.amount_cents,
            token=token,
            dossier_number=payment.dossier.number,
        )
    except CardRefused as refusal:
        settle(payment.pk, _refused(payment, refusal), at=at)
        raise Refused(failure_in_words(refusal.code)) from None
    except (Unreachable, Impossible) as error:
        log.warning("card payment %s not made: %s", payment.pk, error.message)
        _give_up(payment.pk, at=at)
        raise Refused(
            _("Le service de paiement ne répond pas. Rien n’a été débité : réessayez, ou payez par virement.")
        ) from None
    if not _write_number(payment.pk, made, at=at):
        raise Refused(_("Cet essai a été abandonné. Rien n’a été débité : recommencez."))
    try:
        answer = payment_service.confirm(made.service_id)
    except CardRefused as refusal:
        settle(payment.pk, _refused(payment, refusal, made), at=at)
        raise Refused(failure_in_words(refusal.code)) from None
    except (Unreachable, Impossible) as error:
        # The bank may have been asked: `ask_again` will know.
        log.warning("card payment %s without an answer: %s", payment.pk, error.message)
        return CardPayment.objects.get(pk=payment.pk), None
    settle(payment.pk, answer, at=at)
    payment = CardPayment.objects.get(pk=payment.pk)
    if payment.state == Try.FAILED:
        raise Refused(failure_in_words(answer.failure_code))
    return payment, answer


def look(payment_id: UUID, *, by: Actor, at: datetime) -> tuple[CardPayment, Intent | None]:
    """Ask the service where this try stands, and settle it: the way back from strong authentication.

    By its holder. Never inside a transaction. The intent is None when there is nothing to ask, or no answer.
    """
    payment = _own(payment_id, by=by)
    if payment.state != Try.PROCESSING:
        return payment, None
    try:
        told = payment_service.retrieve(str(payment.service_id))
    except (Unreachable, Impossible) as error:
        log.warning("card payment %s without an answer: %s", payment.pk, error.message)
        return payment, None
    settle(payment.pk, told, at=at)
    return CardPayment.objects.get(pk=payment.pk), told


def abandon(payment_id: UUID, *, by: Actor, at: datetime) -> CardPayment:
    """Give this try up, so that another can begin. By its holder. Never inside a transaction.

    If the bank has paid meanwhile, it is paid. Refused: the service does not answer.
    """
    payment = _own(payment_id, by=by)
    if payment.state != Try.PROCESSING:
        return payment
    told = _cancel(payment)
    if told is None:
        raise Refused(_("Le service de paiement ne répond pas. Réessayez dans un instant."))
    settle(payment.pk, told, at=at)
    return CardPayment.objects.get(pk=payment.pk)


# --- What the service says ----------------------------------------------------------------------------


def settle(payment_id: UUID, told: Intent, *, at: datetime) -> PaymentEvent.Outcome:
    """Give what the service says its effect, once, in any order. By the system.

    Succeeded: the registration is confirmed; where it cannot be any more, the money is owed back and its
    holder told. An amount or a currency that is not ours moves nothing and waits for a person. Lateness is
    judged at the moment it happened there, however and whenever we hear of it.
    """
    # A clock of theirs that is ahead makes nobody early; ours that is late makes nobody late.
    happened_at = min(at, told.happened_at or at)
    dossier_id = CardPayment.objects.values_list("dossier_id", flat=True).get(pk=payment_id)
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        payment = CardPayment.objects.select_for_update(no_key=True).get(pk=payment_id)
        if payment.service_id is None and told.service_id:
            payment.service_id = told.service_id
        if told.stand == Stand.SUCCEEDED:
            return _came_in(payment, dossier, told, at=at, paid_at=happened_at)
        if payment.state not in CardPayment.LIVE:
            return End.ALREADY
        if told.stand == Stand.FAILED:
            _close(payment, Try.FAILED, at=at, failure=told.failure_code)
            _tell_refusal(payment, told.failure_code, at=happened_at)
            return End.REFUSED
        if told.stand == Stand.CANCELLED:
            _close(payment, Try.ABANDONED, at=at)
            return End.IGNORED
        if payment.state == Try.CREATED and payment.service_id:
            payment.state = Try.PROCESSING
            payment.save(update_fields=["state", "service_id"])
        return End.IGNORED


def _came_in(
    payment: CardPayment, dossier: Dossier, told: Intent, *, at: datetime, paid_at: datetime
) -> PaymentEvent.Outcome:
    if payment.state in PAID_OR_GIVEN_BACK:
        return End.ALREADY
    if told.service_id != payment.service_id:
        return _set_aside(payment, _("Un autre paiement porte le numéro de cet essai."))
    payment.received_cents = told.amount_cents
    if told.currency != CURRENCY or told.amount_cents != payment.amount_cents:
        return _set_aside(
            payment,
            _("Reçu %(received)s (%(currency)s) au lieu de %(wanted)s : rien n’a bougé.")
            % {
                "received": french.euros(told.amount_cents),
                "currency": told.currency[:3].upper(),
                "wanted": french.euros(payment.amount_cents),
            },
        )
    try:
        with transaction.atomic():
            workflow.confirm_payment(
                dossier.pk,
                by=SYSTEM,
                at=at,
                paid_at=paid_at,
                request_id=_name(payment, "confirm"),
                reference=told.service_id,
                amount_cents=told.amount_cents,
            )
    except (Refused, NotAllowed) as refusal:
        # Lapsed, cancelled, begun, or paid another way meanwhile: the money is not ours.
        _close(payment, Try.REFUND_DUE, at=at)
        refunds.owe(
            dossier,
            key=f"late:{payment.pk}",
            card_payment=payment,
            reference=told.service_id,
            amount_cents=told.amount_cents,
            reason=_("Votre paiement est arrivé alors que l’inscription n’attendait plus de paiement."),
            at=at,
        )
        log.warning("card payment %s came in for nothing: %s", payment.pk, refusal)
        return End.TO_REFUND
    _close(payment, Try.SUCCEEDED, at=at)
    return End.CONFIRMED


def _set_aside(payment: CardPayment, trouble: str) -> PaymentEvent.Outcome:
    payment.trouble = trouble
    payment.save(update_fields=["trouble", "received_cents", "service_id"])
    log.error("card payment %s set aside", payment.pk)
    return End.SET_ASIDE


def _close(payment: CardPayment, state: CardPayment.State, *, at: datetime, failure: str = "") -> None:
    payment.state, payment.failure, payment.settled_at = state, failure, at
    payment.save(update_fields=["state", "failure", "settled_at", "received_cents", "service_id"])


def _tell_refusal(payment: CardPayment, code: str, *, at: datetime) -> None:
    try:
        with transaction.atomic():
            workflow.refuse_payment(
                payment.dossier_id,
                by=SYSTEM,
                at=at,
                request_id=_name(payment, "refuse"),
                reference=f"{payment.pk} : refus",
                reason=failure_in_words(code),
            )
    except (Refused, NotAllowed) as refusal:  # too late for this dossier: the try alone has failed
        log.info("card payment %s failed, and its dossier has moved on: %s", payment.pk, refusal)


def receive(event: Event, *, at: datetime) -> bool:
    """Keep an event that the service signed; True the first time. Nothing else happens before the answer."""
    row, is_new = PaymentEvent.objects.get_or_create(
        event_id=event.event_id,
        defaults={
            "kind": event.kind,
            "subject": event.subject,
            "payload": event.payload,
            "created_at": event.created_at,
            "received_at": at,
            "next_try_at": at,
        },
    )
    if not is_new:
        PaymentEvent.objects.filter(pk=row.pk).update(times=F("times") + 1)
    return is_new


def handle_events(*, at: datetime, limit: int = LOT) -> Report:
    """Handle the events that wait, oldest first, each in a transaction of its own. Two runs share them."""
    report = Report()
    waiting = PaymentEvent.objects.filter(handled_at__isnull=True, next_try_at__lte=at)
    for event_id in list(waiting.order_by("created_at", "id").values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                event = waiting.select_for_update(skip_locked=True).filter(pk=event_id).first()
                if event is None:
                    continue
                event.outcome, event.note = settle_event(event, at=at)
                event.handled_at = at
                event.save(update_fields=["outcome", "note", "handled_at"])
        except Exception:  # a fault of ours on one event keeps no other back
            log.exception("payment event %s postponed", event_id)
            _postpone_event(event_id, at=at)
            report.postponed += 1
        else:
            report.done += 1
            report.set_aside += event.outcome == End.SET_ASIDE
    return report


def settle_event(event: PaymentEvent, *, at: datetime) -> tuple[PaymentEvent.Outcome, str]:
    """(what became of it, a note for the operator). Inside the transaction that marks it as handled."""
    if event.kind.startswith("payment_intent."):
        try:
            told = payment_service.intent_of(event.payload)
        except (KeyError, ValueError):
            return End.SET_ASIDE, _("Cet évènement n’est pas lisible.")
        return _settle_intent(told, event, at=at)
    if event.kind in REFUND_KINDS:
        return _settle_refund(event, at=at)
    if event.kind.startswith("charge.dispute."):
        return End.SET_ASIDE, _("Le titulaire conteste ce paiement auprès de sa banque.")
    return End.IGNORED, ""


REFUND_KINDS = frozenset({"refund.failed", "refund.updated", "charge.refund.updated"})


def _settle_intent(told: Intent, event: PaymentEvent, *, at: datetime) -> tuple[PaymentEvent.Outcome, str]:
    known = CardPayment.objects.filter(service_id=told.service_id).values_list("pk", flat=True).first()
    if known is None and told.attempt:
        # Told before our own row had its number.
        known = (
            CardPayment.objects.filter(pk__in=_uuids(told.attempt), service_id__isnull=True)
            .values_list("pk", flat=True)
            .first()
        )
    if known is None:
        is_money = told.stand == Stand.SUCCEEDED
        return (End.SET_ASIDE, _("Aucun essai ne porte ce numéro.")) if is_money else (End.IGNORED, "")
    outcome = settle(known, replace(_stand_of(event, told), happened_at=event.created_at), at=at)
    note = CardPayment.objects.values_list("trouble", flat=True).get(pk=known)
    return outcome, note if outcome == End.SET_ASIDE else ""


def _stand_of(event: PaymentEvent, told: Intent) -> Intent:
    """« requires_payment_method » is said before any card too: only the event's name says no."""
    if told.stand == Stand.FAILED and event.kind != "payment_intent.payment_failed":
        return replace(told, stand=Stand.WAITING)
    return told


def _settle_refund(event: PaymentEvent, *, at: datetime) -> tuple[PaymentEvent.Outcome, str]:
    """A refund that the bank gave back to us: whoever waits for it must be paid another way."""
    if event.payload.get("status") not in {"failed", "canceled"}:
        return End.IGNORED, ""
    refund = Refund.objects.filter(service_id=event.subject, way=Refund.Way.CARD).first()
    if refund is None:
        return End.SET_ASIDE, _("Aucun remboursement ne porte ce numéro.")
    trouble = _("La banque du titulaire a renvoyé ce remboursement.")
    with transaction.atomic():
        refund = Refund.objects.select_for_update().get(pk=refund.pk)
        if refund.state == Refund.State.SENT:
            _stick(refund, trouble)
            CardPayment.objects.filter(refunds=refund, state=Try.REFUNDED).update(state=Try.REFUND_DUE)
    return End.SET_ASIDE, trouble


# --- The clock ----------------------------------------------------------------------------------------


def ask_again(*, at: datetime, limit: int = LOT) -> Report:
    """Ask the service about each try that has no end yet; give up those that nobody goes on with.

    A try is given up after `PATIENCE`, or once its dossier waits for no payment. Never inside a transaction.
    """
    report = Report()
    stillborn = CardPayment.objects.filter(state=Try.CREATED, began_at__lte=at - STILLBORN_AFTER)
    for payment_id in list(stillborn.order_by("began_at").values_list("pk", flat=True)[:limit]):
        _give_up(payment_id, at=at)
        report.done += 1
    waiting = (
        CardPayment.objects.filter(Q(asked_at__isnull=True) | Q(asked_at__lte=at - ASK_EVERY))
        .filter(state=Try.PROCESSING, trouble="", began_at__lte=at - ASK_EVERY)
        .select_related("dossier")
        .order_by("began_at", "id")
    )
    for payment in list(waiting[:limit]):
        CardPayment.objects.filter(pk=payment.pk).update(asked_at=at)
        is_over = payment.dossier.state != State.AWAITING_PAYMENT or payment.began_at <= at - PATIENCE
        try:
            told = payment_service.retrieve(str(payment.service_id))
            if is_over and told.stand in {Stand.TO_AUTHENTICATE, Stand.WAITING}:
                told = _cancel(payment) or told
            settle(payment.pk, told, at=at)
            report.done += 1
        except (Unreachable, Impossible) as error:
            log.warning("card payment %s without an answer: %s", payment.pk, error.message)
            report.postponed += 1
        except Exception:
            log.exception("card payment %s postponed", payment.pk)
            report.postponed += 1
    return report


def forget_cards(*, at: datetime, limit: int = LOT) -> Report:
    """Have the service remove the card's record of each try that is over. Never inside a transaction."""
    report = Report()
    over = CardPayment.objects.exclude(service_customer="").exclude(state__in=CardPayment.LIVE)
    # A while after: a late success may still come from a try that failed.
    over = over.filter(settled_at__lte=at - PATIENCE)
    for payment in list(over.order_by("settled_at", "id")[:limit]):
        try:
            if payment.state == Try.FAILED:
                _cancel(payment)
            payment_service.forget(payment.service_customer)
        except (Unreachable, Impossible) as error:
            log.warning("card of %s not forgotten: %s", payment.pk, error.message)
            report.postponed += 1
        else:
            CardPayment.objects.filter(pk=payment.pk).update(service_customer="")
            report.done += 1
    return report


def send_refunds(*, at: datetime, limit: int = LOT) -> Report:
    """Send the refunds to cards that are due, oldest first. Never inside a transaction.

    One that the service does not answer is tried again, later each time; one that it will never do, or that
    was tried `TRIES_MAX` times, is stuck until a person looks.
    """
    report = Report()
    due = Refund.objects.filter(state=Refund.State.DUE, way=Refund.Way.CARD, next_try_at__lte=at)
    for refund_id in list(due.order_by("next_try_at", "id").values_list("pk", flat=True)[:limit]):
        refund = _take_refund(refund_id, at=at)
        if refund is None:
            continue
        try:
            number = payment_service.refund(
                service_id=refund.payment_reference,
                amount_cents=refund.amount_cents,
                refund_id=str(refund.pk),
                is_again=refund.tries > 1,
            )
        except Unreachable as error:
            _postpone_refund(refund, error.message, at=at)
            report.postponed += 1
        except (Impossible, CardRefused) as error:
            _stick(refund, error.message)
            report.set_aside += 1
        else:
            _mark_sent(refund.pk, number, at=at)
            report.done += 1
    return report


def retry_refund(refund_id: UUID, *, at: datetime) -> Refund:
    """Try a stuck refund again. By an administrator, through the admin. Refused: it is not stuck."""
    with transaction.atomic():
        refund = Refund.objects.select_for_update().get(pk=refund_id)
        if refund.state != Refund.State.STUCK or refund.way != Refund.Way.CARD or refund.service_id:
            raise Refused(_("Ce remboursement n’est pas bloqué avant son envoi."))
        refund.state, refund.next_try_at, refund.tries = Refund.State.DUE, at, 1
        refund.save(update_fields=["state", "next_try_at", "tries"])
    return refund


def give_back_set_aside(payment_id: UUID, *, at: datetime) -> Refund:
    """Owe back all that came in with a payment that was set aside. By an administrator.

    Refused: nothing came in, or it is settled.
    """
    dossier_id = CardPayment.objects.values_list("dossier_id", flat=True).get(pk=payment_id)
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        payment = CardPayment.objects.select_for_update(no_key=True).get(pk=payment_id)
        if not payment.trouble or not payment.received_cents or payment.state in PAID_OR_GIVEN_BACK:
            raise Refused(_("Rien n’est à rendre pour cet essai."))
        _close(payment, Try.REFUND_DUE, at=at)
        return refunds.owe(
            dossier,
            key=f"set-aside:{payment.pk}",
            card_payment=payment,
            reference=str(payment.service_id),
            amount_cents=payment.received_cents,
            reason=_("Le montant reçu n’était pas celui qui restait à payer."),
            at=at,
        )


def mark_looked_at(event_pk: int, *, by: Actor, at: datetime) -> None:
    """An event that was set aside waits for nobody any more. By an administrator.

    Refused: it did not wait.
    """
    waiting = PaymentEvent.objects.filter(pk=event_pk, outcome=End.SET_ASIDE, looked_at__isnull=True)
    if not waiting.update(looked_at=at, looked_by=by.user):
        raise Refused(_("Cet évènement n’attend personne."))


# --- What the verbs are made of ------------------------------------------------------------------------


def _write_try(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> tuple[CardPayment, bool]:
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        done = CardPayment.objects.filter(request_id=request_id).select_related("dossier").first()
        if done is not None:
            if done.dossier_id != dossier.pk:
                raise Refused(_("Cette page n’est plus à jour. Rechargez-la avant de continuer."))
            return done, False
        check_can_pay(dossier, at=at)
        if CardPayment.objects.filter(dossier=dossier, state__in=CardPayment.LIVE).exists():
            raise Refused(_("Un paiement par carte est déjà en cours. Vérifiez où il en est."))
        tries = CardPayment.objects.filter(
            dossier__holder_id=dossier.holder_id, began_at__gt=at - timedelta(days=1), began_at__lte=at
        ).count()
        if tries >= TRIES_A_DAY:
            raise Refused(
                _("Vous avez essayé %(count)s fois en un jour. Payez par virement, ou réessayez demain.")
                % {"count": tries}
            )
        line = workflow.remainder_line(dossier)
        payment = CardPayment.objects.create(
            dossier=dossier,
            round=line.round,
            amount_cents=line.amount_cents,
            request_id=request_id,
            began_at=at,
        )
    return payment, True


def check_can_pay(dossier: Dossier, *, at: datetime) -> None:
    """Refused: this dossier waits for no payment, or not any more."""
    guards.check_move(dossier, "confirm_payment")
    guards.check_in_time(dossier, at=at)
    guards.check_not_started(dossier, on=workdays.paris_day(at))


def _write_number(payment_id: UUID, made: Intent, *, at: datetime) -> bool:
    """The service's number, before any money can move. False: the try was given up meanwhile.

    An event may have told this same number before the service answered us.
    """
    told_already = Q(state=Try.PROCESSING, service_id=made.service_id)
    return bool(
        CardPayment.objects.filter(Q(state=Try.CREATED) | told_already, pk=payment_id).update(
            state=Try.PROCESSING, service_id=made.service_id, service_customer=made.customer, asked_at=at
        )
    )


def _give_up(payment_id: UUID, *, at: datetime) -> None:
    """A try without a number: nothing was asked of the bank."""
    CardPayment.objects.filter(pk=payment_id, state=Try.CREATED, service_id__isnull=True).update(
        state=Try.ABANDONED, settled_at=at
    )


def _cancel(payment: CardPayment) -> Intent | None:
    """Have the service give it up; the truth where it is too late; None: no answer."""
    try:
        try:
            return payment_service.cancel(str(payment.service_id))
        except Impossible:
            return payment_service.retrieve(str(payment.service_id))
    except (Unreachable, Impossible) as error:
        log.warning("card payment %s not cancelled: %s", payment.pk, error.message)
        return None


def _own(payment_id: UUID, *, by: Actor) -> CardPayment:
    payment = CardPayment.objects.select_related("dossier").get(pk=payment_id)
    permissions.check_holder(payment.dossier, by)
    return payment


def _refused(payment: CardPayment, refusal: CardRefused, made: Intent | None = None) -> Intent:
    return Intent(
        service_id=made.service_id if made else "",
        stand=Stand.FAILED,
        amount_cents=payment.amount_cents,
        currency=CURRENCY,
        failure_code=refusal.code,
    )


def _take_refund(refund_id: UUID, *, at: datetime) -> Refund | None:
    """Have it alone for a while. The count is kept: whoever comes after a crash reads before sending."""
    with transaction.atomic():
        due = Refund.objects.select_for_update(skip_locked=True)
        refund = due.filter(pk=refund_id, state=Refund.State.DUE, next_try_at__lte=at).first()
        if refund is not None:
            refund.tries += 1
            refund.next_try_at = at + LEASE
            refund.save(update_fields=["tries", "next_try_at"])
    return refund


def _mark_sent(refund_id: UUID, number: str, *, at: datetime) -> None:
    dossier_id = Refund.objects.values_list("dossier_id", flat=True).get(pk=refund_id)
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        refund = Refund.objects.select_for_update(of=("self",)).get(pk=refund_id)
        if refund.state == Refund.State.SENT:
            return
        refund.state, refund.service_id, refund.sent_at, refund.trouble = Refund.State.SENT, number, at, ""
        refund.save(update_fields=["state", "service_id", "sent_at", "trouble"])
        if not Refund.objects.filter(card_payment=refund.card_payment).exclude(state="sent").exists():
            CardPayment.objects.filter(refunds=refund, state=Try.REFUND_DUE).update(state=Try.REFUNDED)
        announcements.tell_refund(dossier, refund, at=at)


def _postpone_refund(refund: Refund, trouble: str, *, at: datetime) -> None:
    if refund.tries >= TRIES_MAX:
        _stick(refund, trouble)
        return
    Refund.objects.filter(pk=refund.pk, state=Refund.State.DUE).update(
        next_try_at=at + _pause(refund.tries), trouble=trouble
    )


def _stick(refund: Refund, trouble: str) -> None:
    Refund.objects.filter(pk=refund.pk).update(state=Refund.State.STUCK, trouble=trouble, sent_at=None)
    log.error("refund %s is stuck: %s", refund.pk, trouble)


def _postpone_event(event_id: int, *, at: datetime) -> None:
    event = PaymentEvent.objects.get(pk=event_id)
    event.tries += 1
    event.next_try_at = at + _pause(event.tries)
    fields = ["tries", "next_try_at"]
    if event.tries >= TRIES_MAX:
        event.outcome, event.handled_at = End.SET_ASIDE, at
        event.note = _("Essayé %(count)s fois sans succès : voir les journaux.") % {"count": event.tries}
        fields += ["outcome", "handled_at", "note"]
    event.save(update_fields=fields)


def _pause(tries: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)


def _name(payment: CardPayment, verb: str) -> UUID:
    """The same payment always gives the same request: ten events, one move."""
    return uuid5(NAMESPACE_URL, f"card-payment:{payment.pk}:{verb}")


def _uuids(text: str) -> list[UUID]:
    """The one that this text is, if it is one."""
    try:
        return [UUID(text)]
    except ValueError:
        return []


def failure_in_words(code: str) -> str:
    """Why the bank said no, and what to do. What it does not say, nobody guesses."""
    words = {
        "insufficient_funds": _("La banque dit que le compte de cette carte n’a pas assez d’argent."),
        "expired_card": _("Cette carte a expiré."),
        "incorrect_cvc": _("Le code de sécurité de la carte n’est pas le bon."),
        "invalid_cvc": _("Le code de sécurité de la carte n’est pas le bon."),
        "incorrect_number": _("Le numéro de la carte n’est pas reconnu."),
        "invalid_number": _("Le numéro de la carte n’est pas reconnu."),
        "processing_error": _("La banque n’a pas pu traiter le paiement. Réessayez dans un instant."),
        "authentication_required": _("Votre banque demande une authentification."),
        "payment_intent_authentication_failure": _("L’authentification auprès de votre banque a échoué."),
    }
    return words.get(code, _("La banque a refusé cette carte, sans dire pourquoi."))


def has_remainder(dossier: Dossier) -> bool:
    """Something was, or is, left to pay for this dossier: it has a payment page."""
    return FundingLine.objects.filter(dossier=dossier, kind=FundingLine.Kind.PAYMENT).exists()

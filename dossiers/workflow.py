"""What people do with a dossier: one verb each, whoever does it.

Here, until the registration is confirmed, and how one leaves it; postponement.py, force_majeure.py and
training.py go on from there, moves.py is what all are made of.

Every public verb has the same six steps in this order: lock · same request again? · guards ·
money · move · return. It is done by `by`, at the moment `at`; the same `request_id` returns the
first result (double click, lost answer, back button). What cannot be done raises `Refused`; who
may not, `NotAllowed`. Lateness is judged here, not by the job.

Locks, always in this order: dossier, holder (only to count their dossiers), pockets by id (docs/locks.md).
"""

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from textwrap import shorten
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from stdnum import luhn

import rulebook
from accounts.actors import Actor
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from catalog import eligibility, promises
from catalog.models import Offer, Session
from dossiers import clocks, funding, guards, moves, permissions, terms
from dossiers.models import CardPayment, Claim, Deadline, Dossier, FundingLine, Payment, Transition
from dossiers.settlement import Cause
from dossiers.states import CLOCK_OF, SILENT_PARTY, TO_ANSWER, ClaimState, ClockKind, State
from rights import ledger
from rights.kinds import FunderKind, Origin, PocketKind
from rulebook import Rules, workdays
from ui import french, prepared
from ui.refusals import Refused, StalePage

__all__ = ["NotAllowed", "Refused"]

FUNDER_LABEL = "France Travail, dossier "
"""Of the purse that a funder's yes fills, before the number of the one dossier that it may pay."""


# --- Before anything is sent -----------------------------------------------------------------


def create(session_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """A draft for this session. Effects: a Dossier row. By the holder."""
    if not by.is_holder:
        raise NotAllowed(_("Activez d’abord votre compte de formation."))
    with transaction.atomic():
        done = Dossier.objects.filter(creation_request_id=request_id, holder_id=by.holder_id).first()
        if done:
            return done
        if not promises.hold(session_id):
            raise Refused(_("L’organisme a retiré cette session. Choisissez-en une autre."))
        session = Session.objects.select_related("offer__provider", "offer__certification").get(pk=session_id)
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        dossier = Dossier(
            number=new_number(),
            holder=by.holder,
            provider=session.offer.provider,
            offer=session.offer,
            session=session,
            asked_price_cents=session.offer.price_cents,
            contact_email=by.user.email if by.user else "",
            contact_phone=by.holder.phone if by.holder else "",
            created_at=at,
            creation_request_id=request_id,
        )
        guards.check_can_enrol(dossier, on=today, rules=rules)
        guards.check_offer_open(dossier, on=today, rules=rules)
        guards.check_session_reachable(session, on=today, rules=rules)
        guards.check_draft_count(dossier)
        try:
            with transaction.atomic():
                dossier.save(force_insert=True)
        except IntegrityError:
            # The same click from another connection was faster; else the name, or the number, is taken.
            done = Dossier.objects.filter(creation_request_id=request_id, holder_id=by.holder_id).first()
            if done is None:
                raise StalePage from None
            return done
    return dossier


def edit(dossier_id: UUID, *, by: Actor, fields: Mapping[str, Any]) -> Dossier:
    """Change what a draft says (project, wished_start, contact_email, contact_phone). By its holder."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        guards.check_move(dossier, "submit")
        for name in ("project", "wished_start", "contact_email", "contact_phone"):
            if name in fields:
                setattr(dossier, name, fields[name])
        dossier.save(update_fields=["project", "wished_start", "contact_email", "contact_phone"])
    return dossier


def discard(dossier_id: UUID, *, by: Actor) -> None:
    """Throw a draft away: nothing was sent, so nothing needs a trace. By its holder."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        guards.check_move(dossier, "submit")
        dossier.delete()


def draft_again(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """A new draft for the same session, with all that a dossier without follow-up said. By its holder.

    Effects: a Dossier row. A wished start that cannot be reached any more is left out. Sent with `submit`.
    """
    with transaction.atomic():
        old = moves.lock(dossier_id)
        permissions.check_holder(old, by)
        if old.state != State.LAPSED:
            raise Refused(_("Seule une demande restée sans suite se renvoie ainsi."))
        draft = create(old.session_id, by=by, at=at, request_id=request_id)
        if draft.state != State.DRAFT:
            return draft
        earliest = workdays.earliest_start(
            workdays.paris_day(at), rulebook.on(workdays.paris_day(at)).earliest_start_days
        )
        wished = old.wished_start if old.wished_start and old.wished_start >= earliest else None
        fields = {"project": old.project, "wished_start": wished}
        kept = {"contact_email": old.contact_email, "contact_phone": old.contact_phone}
        return edit(draft.pk, by=by, fields=fields | kept)


# --- The main line ---------------------------------------------------------------------------


def submit(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, seen_price_cents: int | None = None
) -> Dossier:
    """Send the request. Effects: REQUESTED; the answer clock; a notice to the organisation. By the holder."""
    with transaction.atomic():
        dossier, is_done = moves.begin("submit", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "submit")
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        # Two requests at once from one holder would both count four.
        moves.lock_holder(dossier)
        guards.check_can_enrol(dossier, on=today, rules=rules)
        guards.check_offer_open(dossier, on=today, rules=rules)
        guards.check_session_reachable(dossier.session, on=today, rules=rules)
        if dossier.session.starts_on is None:
            if dossier.wished_start is None:
                raise Refused(_("Dites quand vous aimeriez commencer."), field="wished_start")
            guards.check_earliest_start(dossier.wished_start, on=today, rules=rules, field="wished_start")
            guards.check_year(dossier.wished_start, on=today, field="wished_start")
        guards.check_project(dossier)
        guards.check_counts(dossier, at=at, rules=rules)
        price = dossier.offer.price_cents
        if seen_price_cents is not None and seen_price_cents != price:
            raise Refused(_("Le prix a changé depuis l’affichage de cette page. Relisez-le avant d’envoyer."))
        dossier.asked_price_cents = price
        dossier.terms_version = rules.terms_version
        prepared.save(dossier, "asked_price_cents", "terms_version")
        # What was asked, as it stands today: the organisation may move its session before it answers.
        asked = terms.of(price, dossier.session.starts_on or dossier.wished_start, dossier.session.ends_on)
        moves.make(
            dossier,
            "submit",
            State.REQUESTED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details=asked,
        )
    return dossier


def acknowledge(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """The request is received, and its prerequisites are looked at. By the organisation.

    Effects: PREREQUISITES_CHECK, the clock of that look; a notice to the holder.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("acknowledge", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "acknowledge")
        guards.check_in_time(dossier, at=at)
        guards.check_prerequisites(dossier)
        moves.make(dossier, "acknowledge", State.PREREQUISITES_CHECK, by=by, at=at, request_id=request_id)
    return dossier


def propose(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    price_cents: int,
    starts_on: date,
    ends_on: date,
    change_reason: str = "",
) -> Dossier:
    """Answer yes, with a price and dates. Effects: they are frozen; PROPOSED; the holder's clock; a notice.

    By the organisation. A price or dates that differ from what was asked need `change_reason`.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("propose", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        offered = terms.of(price_cents, starts_on, ends_on)
        guards.check_proposal(
            dossier,
            guards.judge(dossier, on=today, rules=rules),
            price_cents=price_cents,
            starts_on=starts_on,
            ends_on=ends_on,
            change_reason=change_reason,
            at=at,
            rules=rules,
        )
        dossier.price_cents = price_cents
        dossier.starts_on = starts_on
        dossier.ends_on = ends_on
        dossier.change_reason = change_reason.strip()
        prepared.save(dossier, "price_cents", "starts_on", "ends_on", "change_reason")
        moves.make(
            dossier,
            "propose",
            State.PROPOSED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            reason=change_reason.strip(),
            details=offered,
        )
    return dossier


def refuse(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str, cause: str = ""
) -> Dossier:
    """Answer no, and say why. Effects: REFUSED_BY_PROVIDER; a notice to the holder. By the organisation."""
    with transaction.atomic():
        dossier, is_done = moves.begin("refuse", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_refusal(dossier, reason=reason, at=at)
        moves.make(
            dossier,
            "refuse",
            State.REFUSED_BY_PROVIDER,
            by=by,
            at=at,
            request_id=request_id,
            reason=reason.strip(),
            cause=cause,
        )
    return dossier


def accept(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, seen_plan: str | None = None
) -> Dossier:
    """Validate the proposal. By the holder.

    Effects: rights reserved line by line; nothing left to pay → ACCEPTED, `free_until` frozen;
    something left → AWAITING_PAYMENT and the payment clock; notices. `seen_plan` is the
    fingerprint of the plan the person saw: another one today is refused.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("accept", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "accept")
        guards.check_in_time(dossier, at=at)
        today = workdays.paris_day(at)
        guards.check_not_started(dossier, on=today)
        rules = rulebook.on(today)
        moves.lock_holder(dossier)
        guards.check_can_enrol(dossier, on=today, rules=rules)
        guards.check_offer_open(dossier, on=today, rules=rules)
        guards.check_enrolled_once(dossier)
        plan = plan_for(dossier, at=at, rules=rules, lock=True)
        if plan.obstacle:
            raise Refused(plan.obstacle)
        if seen_plan is not None and seen_plan != plan.fingerprint:
            raise Refused(_("Votre solde ou le prix a changé depuis l’affichage. Relisez avant de valider."))
        _reserve(dossier, plan, by=by, at=at)
        target = State.AWAITING_PAYMENT if plan.remainder_cents else State.ACCEPTED
        if target == State.ACCEPTED:
            _freeze_free_until(dossier, at=at, rules=rules)
        moves.make(
            dossier,
            "accept",
            target,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details={"rights_cents": plan.rights_cents, "remainder_cents": plan.remainder_cents},
        )
    return dossier


def activate_top_up(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """Ask the State for what is missing, once the organisation has said yes. By the holder.

    Effects: the plan of this dossier counts it from now on; it is reserved when the holder validates.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("activate_top_up", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "activate_top_up")
        guards.check_in_time(dossier, at=at)
        today = workdays.paris_day(at)
        guards.check_not_started(dossier, on=today)
        rules = rulebook.on(today)
        guards.check_can_enrol(dossier, on=today, rules=rules)
        plan = plan_for(dossier, at=at, rules=rules)
        if plan.is_state_top_up_active:
            raise Refused(_("L’abondement de l’État est déjà activé pour ce dossier."))
        if not plan.state_top_up_cents:
            raise Refused(
                _(
                    "L’État n’ajoute rien pour cette formation : vos droits suffisent, "
                    "ou elle n’est pas concernée."
                )
            )
        moves.make(
            dossier,
            "activate_top_up",
            State.PROPOSED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details={"amount_cents": plan.state_top_up_cents},
        )
    return dossier


def ask_funder(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, amount_cents: int) -> Dossier:
    """Ask France Travail for what is missing, once the organisation has said yes. By a job seeker.

    Effects: FUNDER_REVIEW, the funder's clock; a notice to the organisation. Nothing is reserved meanwhile.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("ask_funder", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "ask_funder")
        guards.check_in_time(dossier, at=at)
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        guards.check_can_enrol(dossier, on=today, rules=rules)
        guards.check_funder_may_be_asked(
            dossier,
            amount_cents=amount_cents,
            missing_cents=plan_for(dossier, at=at, rules=rules).remainder_cents,
            on=today,
            rules=rules,
        )
        moves.make(
            dossier,
            "ask_funder",
            State.FUNDER_REVIEW,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details={"amount_cents": amount_cents},
        )
    return dossier


def grant_top_up(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, amount_cents: int | None = None
) -> Dossier:
    """The funder says yes, to all that was asked unless told; its silence is a yes (docs/decisions.md, 14).

    By an admin for the funder, or by the system once its clock is over. Effects: a top-up of that amount for
    this dossier alone, which goes back to the funder if it ends; PROPOSED with a fresh clock; notices.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("grant_top_up", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "grant_top_up")
        guards.check_not_own(dossier, by)
        asked = asked_of_funder(dossier)
        if by.is_system:
            # On the first day too: the proposal goes back to its holder, whose time is then over as well.
            moves.check_over(dossier, ClockKind.FUNDER_ANSWER, at=at)
        else:
            guards.check_funder_in_time(dossier, at=at)
            guards.check_not_started(dossier, on=workdays.paris_day(at))
        amount = asked if amount_cents is None else amount_cents
        if not 0 < amount <= asked:
            raise Refused(
                _("Accordez de 0,01 € à %s, ce qui est demandé.") % french.euros(asked), field="amount"
            )
        credit = ledger.credit(
            holder=dossier.holder,
            kind=PocketKind.TOP_UP,
            amount=amount,
            key=f"funder:{dossier.pk}",
            at=at,
            by=by,
            reason=_("Dossier %s") % dossier.number,
            label=f"{FUNDER_LABEL}{dossier.number}",
            funder_kind=FunderKind.FRANCE_TRAVAIL,
            expires_on=dossier.starts_on,
            origin=Origin.TOP_UP,
        )
        moves.make(
            dossier,
            "grant_top_up",
            State.PROPOSED,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MISSED if by.is_system else Deadline.Outcome.MET,
            details={"amount_cents": amount, "pocket_id": str(credit.target_id)},
        )
    return dossier


def refuse_top_up(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """The funder says no, and why: the holder decides without it. By an admin for the funder.

    Effects: PROPOSED with a fresh clock for the holder; a notice to them.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("refuse_top_up", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "refuse_top_up")
        guards.check_not_own(dossier, by)
        guards.check_reason(reason)
        guards.check_funder_in_time(dossier, at=at)
        guards.check_not_started(dossier, on=workdays.paris_day(at))
        moves.make(
            dossier,
            "refuse_top_up",
            State.PROPOSED,
            by=by,
            at=at,
            request_id=request_id,
            reason=reason.strip(),
        )
    return dossier


def decline(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = "") -> Dossier:
    """Say no to the proposal. Effects: REFUSED_BY_HOLDER; a notice to the organisation. By the holder."""
    return _leave(
        "decline", State.REFUSED_BY_HOLDER, dossier_id, by=by, at=at, request_id=request_id, reason=reason
    )


def confirm_payment(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    reference: str,
    amount_cents: int,
    paid_at: datetime | None = None,
) -> Dossier:
    """The remainder came in. By an admin (a transfer) or the system. `reference`: the bank's, used once.

    `paid_at`: when the bank says it was paid, by which the payment clock and the first day are judged; it is
    confirmed at `at` all the same, and its free period runs from there (docs/decisions.md, 2).

    Effects: the payment is reserved beside the rights; ACCEPTED; `free_until` frozen; notices.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("confirm_payment", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        paid = Payment.objects.filter(reference=reference, dossier=dossier, amount_cents=amount_cents)
        if paid.filter(outcome=Payment.Outcome.CONFIRMED).exists():
            return dossier
        guards.check_move(dossier, "confirm_payment")
        guards.check_not_own(dossier, by)
        guards.check_in_time(dossier, at=paid_at or at)
        guards.check_not_started(dossier, on=workdays.paris_day(paid_at or at))
        if not reference.strip() or Payment.objects.filter(reference=reference).exists():
            raise Refused(_("Cette référence de paiement est vide ou a déjà servi."), field="reference")
        line = remainder_line(dossier)
        if amount_cents != line.amount_cents:
            raise Refused(_("Le montant reçu n’est pas celui qui reste à payer."), field="amount")
        try:
            line.reserved_id = ledger.pay_in(
                reserved_for=dossier.holder,
                amount=amount_cents,
                key=f"payment:{reference}",
                at=at,
                by=by,
                reason=_("Dossier %s") % dossier.number,
                label=_training_name(dossier),
            )
        except ledger.KeyReused as error:
            # Two people recorded the same transfer on two dossiers in the same second.
            raise Refused(_("Cette référence de paiement a déjà servi."), field="reference") from error
        line.save(update_fields=["reserved"])
        _record_payment(dossier, Payment.Outcome.CONFIRMED, reference, amount_cents, at=at)
        rules = rulebook.on(workdays.paris_day(at))
        _freeze_free_until(dossier, at=at, rules=rules)
        moves.make(
            dossier,
            "confirm_payment",
            State.ACCEPTED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details={"reference": reference, "amount_cents": amount_cents},
        )
    return dossier


def refuse_payment(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reference: str, reason: str
) -> Dossier:
    """The bank said no. The holder may try again while the payment clock runs: it does not restart.

    Effects: a Payment row, a notice to the holder. By an admin or the system.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("refuse_payment", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "refuse_payment")
        guards.check_in_time(dossier, at=at)
        guards.check_reason(reason)
        if not reference.strip() or Payment.objects.filter(reference=reference).exists():
            raise Refused(_("Cette référence de paiement est vide ou a déjà servi."), field="reference")
        _record_payment(
            dossier,
            Payment.Outcome.REFUSED,
            reference,
            remainder_line(dossier).amount_cents,
            at=at,
            reason=reason,
        )
        moves.make(
            dossier,
            "refuse_payment",
            State.AWAITING_PAYMENT,
            by=by,
            at=at,
            request_id=request_id,
            reason=reason.strip(),
        )
    return dossier


# --- Leaving ---------------------------------------------------------------------------------


def cancel(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = "") -> Dossier:
    """Take back a request, or give up while payment is awaited. By the holder.

    Effects: what was reserved goes back; CANCELLED_BY_HOLDER; a notice to the organisation.
    """
    return _leave(
        "cancel", State.CANCELLED_BY_HOLDER, dossier_id, by=by, at=at, request_id=request_id, reason=reason
    )


def call_off(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """The organisation cancels, before the start, and says why. Everything goes back to the holder.

    While a force majeure is looked at too: this gives the holder all that they ask. By the organisation.
    Effects: release; the claim is moot; CANCELLED_BY_PROVIDER; a notice to the holder.
    """
    return _leave(
        "call_off",
        State.CANCELLED_BY_PROVIDER,
        dossier_id,
        by=by,
        at=at,
        request_id=request_id,
        reason=reason,
    )


def call_off_for_funder(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str
) -> Dossier:
    """A funder cancels, before the start. Everything goes back where it came from. By an admin, who says why.

    Effects: release; a claim that is looked at is moot; CANCELLED_BY_FUNDER; notices to both sides.
    """
    return _leave(
        "call_off_for_funder",
        State.CANCELLED_BY_FUNDER,
        dossier_id,
        by=by,
        at=at,
        request_id=request_id,
        reason=reason,
    )


def give_all_back(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """The organisation can no longer act, or said what is not so: everything goes back, whatever was debited.

    By an admin (relief.py: two persons). Effects: every euro where it came from; CANCELLED_BY_PROVIDER;
    notices to both sides.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("give_all_back", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "give_all_back")
        guards.check_not_own(dossier, by)
        guards.check_reason(reason)
        settled = moves.settle(dossier, Cause.CANCELLED_BY_PROVIDER, by=by, at=at)
        moves.make(
            dossier,
            "give_all_back",
            State.CANCELLED_BY_PROVIDER,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MOOT,
            reason=reason.strip(),
            details=settled,
        )
    return dossier


def withdraw(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = "") -> Dossier:
    """Cancel a confirmed registration freely, while `free_until` runs. By the holder.

    Effects: everything reserved goes back where it came from; CANCELLED_BY_HOLDER, cause
    "withdrawal"; a notice to the organisation.
    """
    return _leave(
        "withdraw",
        State.CANCELLED_BY_HOLDER,
        dossier_id,
        by=by,
        at=at,
        request_id=request_id,
        reason=reason,
        cause="withdrawal",
    )


def cancel_late(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    reason: str = "",
    seen_forfeited_cents: int | None = None,
) -> Dossier:
    """Cancel a confirmed registration once it is no longer free, before the start. By the holder.

    Effects: rights are lost, what was granted for this training goes back to its funder, a payment becomes a
    credit, the organisation has its indemnity (docs/decisions.md, 8); CANCELLED_BY_HOLDER, cause "late";
    notices. `seen_forfeited_cents`: what the person saw that they would lose, all told; another is refused.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("cancel_late", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "cancel_late")
        guards.check_no_longer_free(dossier, at=at)
        guards.check_not_started(dossier, on=workdays.paris_day(at))
        settled = moves.settle(dossier, Cause.CANCELLED_LATE, by=by, at=at)
        if seen_forfeited_cents not in (None, settled["forfeited_cents"] + settled["provider_cents"]):
            raise Refused(_("Ce que vous perdriez a changé depuis l’affichage de cette page. Relisez-le."))
        moves.make(
            dossier,
            "cancel_late",
            State.CANCELLED_BY_HOLDER,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MOOT,
            cause="late",
            reason=reason.strip(),
            details=settled,
        )
    return dossier


def lapse(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """The clock of an answer is over: the dossier is without follow-up. By the system.

    Effects: what was reserved goes back; whose silence is stored; LAPSED; a notice to both sides.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("lapse", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "lapse")
        kind = CLOCK_OF[State(dossier.state)]
        clock = clocks.running(dossier, kind)
        if clock is None or clock.due_at > at:
            raise Refused(_("Ce délai n’est pas écoulé."))
        if (
            kind == ClockKind.PAYMENT
            and CardPayment.objects.filter(dossier=dossier, state__in=CardPayment.LIVE).exists()
        ):
            # The bank may have said yes in time: the next run asks again, once the try has its end.
            raise Refused(_("Un paiement par carte est en cours : sa réponse décidera."))
        moves.release(dossier, by=by, at=at)
        dossier.silent_party = SILENT_PARTY[kind]
        dossier.save(update_fields=["silent_party"])
        moves.make(
            dossier,
            "lapse",
            State.LAPSED,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MISSED,
            cause=kind,
        )
    return dossier


def close(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """The certification ended before the registration was confirmed. By the system.

    Effects: CLOSED_BY_PLATFORM with the reason in words; a notice to both sides (docs/decisions.md, 15).
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("close", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "close")
        # Overdue, it is somebody's silence: `lapse` says whose.
        guards.check_in_time(dossier, at=at)
        today = workdays.paris_day(at)
        reasons = eligibility.refusals(
            eligibility.facts_of(dossier.offer), on=today, rules=rulebook.on(today)
        )
        ended = next((why for why in reasons if why.code in eligibility.CERTIFICATION_CODES), None)
        if ended is None:
            raise Refused(_("La certification de cette formation est toujours active."))
        moves.make(
            dossier,
            "close",
            State.CLOSED_BY_PLATFORM,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MOOT,
            cause=ended.code,
            reason=ended.sentence,
        )
    return dossier


def reinstate(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str) -> Dossier:
    """Bring a lapsed dossier back to where it was, after an outage. By an admin (relief.py: two persons).

    Effects: rights reserved again where they were; its old state; a fresh clock; notices.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("reinstate", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "reinstate")
        guards.check_reason(reason)
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        guards.check_offer_open(dossier, on=today, rules=rules)
        guards.check_not_started(dossier, on=today)
        last = Transition.objects.filter(dossier=dossier, verb="lapse").latest("id")
        target = State(last.from_state)
        if target == State.AWAITING_PAYMENT:
            moves.lock_holder(dossier)
            guards.check_enrolled_once(dossier)
            _reserve_again(dossier, by=by, at=at)
        dossier.silent_party = ""
        dossier.removed_from_list_at = None
        dossier.save(update_fields=["silent_party", "removed_from_list_at"])
        moves.make(
            dossier,
            "reinstate",
            target,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            reason=reason.strip(),
        )
    return dossier


def remove_from_list(dossier_id: UUID, *, by: Actor, at: datetime) -> Dossier:
    """Take a dossier that is over out of the holder's list; its trace stays. By its holder."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        if dossier.state in CLOCK_OF or dossier.state == State.DRAFT:
            raise Refused(_("Ce dossier est en cours : il reste dans votre liste."))
        if dossier.removed_from_list_at is None:
            dossier.removed_from_list_at = at
            dossier.save(update_fields=["removed_from_list_at"])
    return dossier


# --- What the verbs are made of ----------------------------------------------------------------


def plan_for(dossier: Dossier, *, at: datetime, rules: Rules, lock: bool = False) -> funding.Plan:
    """How this dossier would be paid at that moment, from the holder's purses. `lock` inside a verb."""
    return funding.plan(
        price_cents=dossier.current_price_cents,
        purses=purses_of(dossier.holder, at=at, lock=lock, number=dossier.number),
        status=dossier.holder.status,
        rules=rules,
        training=training_of(
            dossier.offer,
            starts_on=dossier.starts_on or dossier.session.starts_on or dossier.wished_start,
        ),
        # Only after the organisation's answer may it have been activated.
        with_state_top_up=dossier.state not in TO_ANSWER | {State.DRAFT} and _has_activated(dossier),
    )


def _has_activated(dossier: Dossier) -> bool:
    if dossier.past is not None:
        return "activate_top_up" in dossier.past.requests.values()
    return Transition.objects.filter(dossier=dossier, verb="activate_top_up").exists()


def training_of(offer: Offer, *, starts_on: date | None = None) -> funding.Training:
    """What decides who may pay for this offer. It comes with its certification, or costs a query."""
    certification = offer.certification
    if certification is None:
        return funding.Training(kind=offer.kind, starts_on=starts_on)
    return funding.Training(
        kind=offer.kind,
        certification=certification.code,
        register=certification.register,
        level=certification.level,
        starts_on=starts_on,
        jobs=tuple(certification.rome_codes),
    )


def purses_of(
    holder: HolderProfile, *, at: datetime, lock: bool = False, number: str = ""
) -> list[funding.Purse]:
    """What this holder can pay with at that moment, as `funding.plan` wants it; each purse has a name.

    What a funder has given for one dossier pays that one, by its `number`, and no other.
    """
    return [
        funding.Purse(
            pocket_id=purse.pocket_id,
            kind=purse.kind,
            label=purse.label or str(purse.kind.label),
            balance_cents=purse.balance,
            funder_kind=purse.funder_kind,
            expires_on=purse.expires_on,
            conditions=purse.conditions,
        )
        for purse in ledger.purses(holder, at=at, lock=lock)
        if not purse.label.startswith(FUNDER_LABEL) or purse.label == f"{FUNDER_LABEL}{number}"
    ]


def asked_of_funder(dossier: Dossier) -> int:
    """What the holder has asked a funder for, in cents."""
    return Transition.objects.filter(dossier=dossier, verb="ask_funder").latest("id").details["amount_cents"]


def remainder_line(dossier: Dossier) -> FundingLine:
    """The line the holder pays, of the latest round."""
    return FundingLine.objects.filter(dossier=dossier, kind=FundingLine.Kind.PAYMENT).latest("round")


def new_number() -> str:
    """A number people can dictate: 11 digits, the last one a check digit."""
    digits = f"{secrets.randbelow(9_000_000_000) + 1_000_000_000}"
    return digits + luhn.calc_check_digit(digits)


def _leave(
    verb: str,
    target: State,
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    reason: str,
    cause: str = "",
) -> Dossier:
    """One side goes: give back what was reserved, and move."""
    with transaction.atomic():
        dossier, is_done = moves.begin(verb, dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, verb)
        guards.check_in_time(dossier, at=at)
        if verb == "withdraw":
            guards.check_withdrawal(dossier, at=at)
        if verb in ("call_off", "call_off_for_funder"):
            guards.check_not_own(dossier, by)
            guards.check_reason(reason)
            guards.check_not_started(dossier, on=workdays.paris_day(at))
            _close_claim(dossier, at=at)
        moves.release(dossier, by=by, at=at)
        outcome = Deadline.Outcome.MET if verb == "decline" else Deadline.Outcome.MOOT
        moves.make(
            dossier,
            verb,
            target,
            by=by,
            at=at,
            request_id=request_id,
            outcome=outcome,
            reason=reason.strip(),
            cause=cause,
        )
    return dossier


def _close_claim(dossier: Dossier, *, at: datetime) -> None:
    """What could only be won by a force majeure is given back without it: nobody decides any more."""
    Claim.objects.filter(dossier=dossier, state=ClaimState.OPEN).update(
        state=ClaimState.MOOT,
        decided_at=at,
        reason=_("L’inscription a été annulée avant la décision : tout est rendu."),
    )


def _freeze_free_until(dossier: Dossier, *, at: datetime, rules: Rules) -> None:
    if dossier.starts_on is None:
        raise ValueError("a proposal always has a start")
    period = clocks.free_period(accepted_at=at, starts_on=dossier.starts_on, rules=rules)
    dossier.free_until = period.expires_at
    prepared.save(dossier, "free_until")


def _reserve(dossier: Dossier, plan: funding.Plan, *, by: Actor, at: datetime) -> None:
    """Reserve the plan's lines and write them down, as a new round."""
    number = moves.last_round(dossier) + 1
    reason, label = _("Dossier %s") % dossier.number, _training_name(dossier)
    owned = [line for line in plan.lines if line.kind != funding.STATE_TOP_UP]
    try:
        reserved = ledger.reserve(
            lines=[(line.pocket_id, line.amount_cents) for line in owned],
            key=f"accept:{dossier.pk}:{number}",
            at=at,
            by=by,
            reason=reason,
            label=label,
        )
    except ledger.LedgerError as error:
        # A purse spent elsewhere, or a dotation that has expired since the page was shown.
        raise Refused(_("Vos droits ne suffisent plus : votre solde a changé. Rechargez la page.")) from error
    ways = {line: (line.pocket_id, pocket_id) for line, pocket_id in zip(owned, reserved, strict=True)}
    for line in plan.lines:
        if line.kind == funding.STATE_TOP_UP:
            ways[line] = ledger.top_up_by_state(
                reserved_for=dossier.holder,
                amount=line.amount_cents,
                key=f"state-top-up:{dossier.pk}:{number}",
                at=at,
                by=by,
                reason=reason,
                label=label,
            )
    lines = [
        FundingLine(
            dossier=dossier,
            round=number,
            position=position,
            kind=FundingLine.Kind.PURSE,
            source_id=ways[line][0],
            reserved_id=ways[line][1],
            amount_cents=line.amount_cents,
            reason=line.reason,
        )
        for position, line in enumerate(plan.lines, start=1)
    ]
    if plan.remainder_cents:
        lines.append(
            FundingLine(
                dossier=dossier,
                round=number,
                position=len(lines) + 1,
                kind=FundingLine.Kind.PAYMENT,
                amount_cents=plan.remainder_cents,
                reason=_("Reste à payer, participation obligatoire comprise.")
                if plan.participation_cents
                else _("Reste à payer."),
            )
        )
    FundingLine.objects.bulk_create(lines)
    dossier.past = None


def _reserve_again(dossier: Dossier, *, by: Actor, at: datetime) -> None:
    """The same lines as in the round that lapsed; another plan would need the holder's word."""
    number = moves.last_round(dossier)
    old = list(
        FundingLine.objects.filter(dossier=dossier, round=number)
        .select_related("source")
        .order_by("position")
    )
    plan = funding.Plan(
        price_cents=dossier.price_cents or 0,
        lines=tuple(
            funding.Line(line.source.pk, "", line.amount_cents, line.reason, line.source.kind)
            for line in old
            if line.source
        ),
        remainder_cents=sum(line.amount_cents for line in old if not line.source_id),
        participation_cents=0,
        exemption="",
    )
    _reserve(dossier, plan, by=by, at=at)


def _training_name(dossier: Dossier) -> str:
    """How « Mes droits » names what is reserved: short enough for a pocket's label."""
    return shorten(dossier.offer.title, 120, placeholder="…")


def _record_payment(
    dossier: Dossier,
    outcome: Payment.Outcome,
    reference: str,
    amount_cents: int,
    *,
    at: datetime,
    reason: str = "",
) -> None:
    Payment.objects.create(
        dossier=dossier, reference=reference, amount_cents=amount_cents, outcome=outcome, reason=reason, at=at
    )

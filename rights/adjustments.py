"""Adding rights or taking them back by hand: one admin proposes, another decides, with a reason.

Nobody edits a balance: a confirmed proposal is one movement, `adjustment:<id>`, that the database refuses
without its two persons (rights.models.Adjustment). Order of locks: the proposal, then the pocket.
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor
from accounts.announcements import tell_person
from accounts.models import HolderProfile, User
from accounts.permissions import NotAllowed
from notices.kinds import Kind
from rights import ledger
from rights.kinds import HOLDER_KINDS, MovementKind, Unit
from rights.ledger import amount_in_words
from rights.models import Adjustment, Pocket
from rulebook.workdays import paris_day
from ui import french
from ui.refusals import Refused

# Not law: a proposal that nobody decides is forgotten, and its facts may have changed meanwhile.
DECIDED_WITHIN = timedelta(days=30)
# Not law either: they stop slips of the keyboard.
MOST = {Unit.EUR_CENT: 100_000_00, Unit.HOUR: 1_000}

State = Adjustment.State
Direction = Adjustment.Direction


def to_decide(*, at: datetime) -> QuerySet[Adjustment]:
    """Those that wait for a second person, and still can be decided."""
    return Adjustment.objects.filter(state=State.PROPOSED, expires_at__gt=at)


def in_words(adjustment: Adjustment) -> str:
    """« +12,50 € » or « −12,50 € »."""
    sign = "+" if adjustment.direction == Direction.UP else french.MINUS
    return f"{sign}{amount_in_words(adjustment.amount, adjustment.pocket.unit)}"


def propose(
    pocket_id: uuid.UUID,
    *,
    direction: Direction,
    amount: int,
    reason: str,
    by: Actor,
    at: datetime,
    request_id: uuid.UUID,
) -> Adjustment:
    """Ask for an adjustment. Effects: a row that waits for another admin, a line of the journal.

    The same request again gives the first row. Refused: not a purse, an expired one, too much, no reason.
    """
    author = _check_may(by, "rights.propose_adjustment")
    with transaction.atomic():
        rows = Pocket.objects.select_for_update(of=("self",), no_key=True).select_related("holder__user")
        pocket = rows.get(pk=pocket_id)
        if done := Adjustment.objects.filter(request_id=request_id).first():
            return done
        _check_pocket(pocket, direction, amount, at=at)
        _check_not_oneself(pocket, by)
        if not reason.strip():
            raise Refused(_("Donnez le motif : le titulaire le lira sur son relevé."), field="reason")
        adjustment = Adjustment.objects.create(
            pocket=pocket,
            direction=direction,
            amount=amount,
            reason=reason.strip(),
            proposed_by=author,
            proposed_at=at,
            expires_at=at + DECIDED_WITHIN,
            request_id=request_id,
        )
        _note(adjustment, "adjustment_proposed", by=by, at=at)
    return adjustment


def confirm(adjustment_id: int, *, by: Actor, at: datetime) -> Adjustment:
    """Carry it out, once. Effects: one movement, a line of the journal, a notice to the holder.

    By another person than the one who proposed it. Refused: decided otherwise, expired, or the holder has
    used what was to be taken back.
    """
    _check_may(by, "rights.decide_adjustment")
    with transaction.atomic():
        adjustment = _locked(adjustment_id)
        if adjustment.proposed_by == by.user:
            raise NotAllowed(_("Une autre personne que celle qui propose doit confirmer."))
        if adjustment.state == State.CONFIRMED:
            return adjustment
        _check_open(adjustment, at=at)
        pocket = adjustment.pocket
        _check_not_oneself(pocket, by)
        _check_not_ended(pocket, Direction(adjustment.direction), at=at)
        _decide(adjustment, State.CONFIRMED, by=by, at=at)
        try:
            ledger.adjust(
                pocket_id=pocket.pk,
                kind=MovementKind(adjustment.direction),
                amount=adjustment.amount,
                key=f"adjustment:{adjustment.pk}",
                at=at,
                by=by,
                reason=adjustment.reason,
                formula=_formula(adjustment, at=at),
            )
        except ledger.NotEnough as error:
            raise Refused(str(error)) from error
        _note(adjustment, "adjustment_confirmed", by=by, at=at)
        _tell_holder(adjustment, at=at)
    return adjustment


def reject(adjustment_id: int, *, reason: str, by: Actor, at: datetime) -> Adjustment:
    """Say no, with a reason. By another person than the one who proposed it."""
    _check_may(by, "rights.decide_adjustment")
    with transaction.atomic():
        adjustment = _locked(adjustment_id)
        if adjustment.proposed_by == by.user:
            raise NotAllowed(_("Vous pouvez retirer votre proposition, pas la refuser."))
        if adjustment.state == State.REJECTED:
            return adjustment
        _check_open(adjustment, at=at)
        if not reason.strip():
            raise Refused(_("Dites pourquoi : la personne qui propose le lira."), field="reason")
        _decide(adjustment, State.REJECTED, by=by, at=at, answer=reason.strip())
        _note(adjustment, "adjustment_rejected", by=by, at=at)
    return adjustment


def withdraw(adjustment_id: int, *, by: Actor, at: datetime) -> Adjustment:
    """Take back one's own proposal, expired or not."""
    _check_may(by, "rights.propose_adjustment")
    with transaction.atomic():
        adjustment = _locked(adjustment_id)
        if adjustment.proposed_by != by.user:
            raise NotAllowed(_("Seule la personne qui propose peut retirer sa proposition."))
        if adjustment.state == State.WITHDRAWN:
            return adjustment
        _check_undecided(adjustment)
        _decide(adjustment, State.WITHDRAWN, by=by, at=at)
        _note(adjustment, "adjustment_withdrawn", by=by, at=at)
    return adjustment


# --- Parts of the verbs ----------------------------------------------------------------------------------


def _locked(adjustment_id: int) -> Adjustment:
    rows = Adjustment.objects.select_for_update(of=("self",)).select_related(
        "proposed_by", "pocket__holder__user"
    )
    return rows.get(pk=adjustment_id)


def _decide(adjustment: Adjustment, state: State, *, by: Actor, at: datetime, answer: str = "") -> None:
    adjustment.state, adjustment.decided_by, adjustment.decided_at = state, by.user, at
    adjustment.answer = answer
    adjustment.save(update_fields=["state", "decided_by", "decided_at", "answer"])


def _formula(adjustment: Adjustment, *, at: datetime) -> list[tuple[str, str]]:
    """Written once for ever, so in French whoever confirms."""
    with translation.override("fr"):
        return [
            (_("Proposée le"), french.short_day(paris_day(adjustment.proposed_at))),
            (_("Confirmée par une autre personne le"), french.short_day(paris_day(at))),
        ]


def _check_may(by: Actor, permission: str) -> User:
    if not by.is_admin or by.user is None or not by.user.has_perm(permission):
        raise NotAllowed(_("Vous n’avez pas le droit de régulariser un compte."))
    return by.user


def _check_pocket(pocket: Pocket, direction: Direction, amount: int, *, at: datetime) -> None:
    if pocket.kind not in HOLDER_KINDS:
        raise Refused(_("Seuls les droits d’un titulaire se régularisent."))
    if amount < 1:
        raise Refused(_("Le montant est un nombre supérieur à zéro."), field="amount")
    if amount > MOST[Unit(pocket.unit)]:
        most = amount_in_words(MOST[Unit(pocket.unit)], pocket.unit)
        raise Refused(_("Une régularisation ne dépasse pas %s.") % most, field="amount")
    _check_not_ended(pocket, direction, at=at)
    if direction == Direction.DOWN and amount > (pocket.balance or 0):
        held = amount_in_words(pocket.balance or 0, pocket.unit)
        raise Refused(_("Il ne reste que %s dans cette poche.") % held, field="amount")


def _check_not_oneself(pocket: Pocket, by: Actor) -> None:
    if pocket.holder and pocket.holder.user == by.user:
        raise NotAllowed(_("Personne ne régularise son propre compte."))


def _check_not_ended(pocket: Pocket, direction: Direction, *, at: datetime) -> None:
    if direction == Direction.UP and pocket.expires_on and pocket.expires_on < paris_day(at):
        raise Refused(_("Cette poche n’est plus utilisable : ce qui y serait ajouté ne paierait rien."))


def _check_open(adjustment: Adjustment, *, at: datetime) -> None:
    _check_undecided(adjustment)
    if at >= adjustment.expires_at:
        raise Refused(
            _("Cette proposition est expirée depuis le %s. Il faut en faire une autre.")
            % french.moment(adjustment.expires_at)
        )


def _check_undecided(adjustment: Adjustment) -> None:
    if adjustment.state != State.PROPOSED:
        raise Refused(_("Cette proposition est déjà décidée : %s.") % adjustment.get_state_display().lower())


def _holder_of(adjustment: Adjustment) -> HolderProfile:
    holder = adjustment.pocket.holder
    assert holder is not None  # a purse has one (pocket_of_a_person_has_a_holder)
    return holder


def _note(adjustment: Adjustment, action: str, *, by: Actor, at: datetime) -> None:
    journal.record(
        by=by,
        action=action,
        subject=_holder_of(adjustment),
        at=at,
        details={
            "adjustment": adjustment.pk,
            "pocket": str(adjustment.pocket_id),
            "direction": str(adjustment.direction),
            "amount": adjustment.amount,
            "reason": adjustment.reason,
            "answer": adjustment.answer,
        },
    )


def _tell_holder(adjustment: Adjustment, *, at: datetime) -> None:
    """Whoever has no login yet finds it on their statement."""
    holder = _holder_of(adjustment)
    if holder.user is None:
        return
    tell_person(
        holder.user,
        kind=Kind.RIGHTS_ADJUSTED,
        at=at,
        facts={
            "name": holder.display_name,
            "amount": amount_in_words(adjustment.amount, adjustment.pocket.unit),
            "is_up": adjustment.direction == Direction.UP,
            "pocket": str(adjustment.pocket.get_kind_display()),
            "reason": adjustment.reason,
            "when": french.moment(at),
        },
        link=reverse("rights"),
    )

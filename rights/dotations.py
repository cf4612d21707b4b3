"""What funders give: their envelopes, what they grant from them, and the way back of what is not used.

Cents. An envelope is a pocket, so it cannot be overspent: `ledger.grant_many` takes its lock, and the
database refuses what would leave it below zero. By an admin or the portal: funders' own screens come later.
Every verb runs in a transaction of its own and is replayed by its reference or its key.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import SYSTEM, Actor
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from accounts.validators import check_siret
from notices import outbox
from notices.kinds import Kind
from rights import ledger
from rights.earmarks import FREE, Conditions
from rights.kinds import FUNDED_KINDS, FunderKind, MovementKind, Origin, PocketKind, Unit
from rights.ledger import amount_in_words
from rights.models import Earmark, Envelope, Movement, Pocket
from rulebook import Rules
from rulebook.workdays import paris_day
from ui import french

LOT = 500
# A slip (cents for euros, two cells run together) must not give a fortune.
MOST_CENTS = 100_000_00
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
LONGEST_GRANT_REFERENCE = 64

EMPLOYERS = frozenset({FunderKind.EMPLOYER})
OTHERS = frozenset(FunderKind) - EMPLOYERS - {FunderKind.AGREEMENT}


@dataclass(frozen=True, slots=True)
class Sort:
    """What each origin fills, who exempts by it, which funders may grant it. `is_due`: by law, so without
    condition nor last day, and never taken back."""

    kind: PocketKind
    funder_kind: FunderKind | None
    funders: frozenset[FunderKind]
    is_due: bool = False


SORTS: dict[Origin, Sort] = {
    Origin.VOLUNTARY: Sort(PocketKind.DOTATION, FunderKind.EMPLOYER, EMPLOYERS),
    Origin.ADDITIONAL: Sort(PocketKind.DOTATION, FunderKind.AGREEMENT, EMPLOYERS | {FunderKind.AGREEMENT}),
    Origin.CORRECTIVE: Sort(PocketKind.CORRECTIVE, FunderKind.EMPLOYER, EMPLOYERS, is_due=True),
    Origin.DISMISSED: Sort(PocketKind.DOTATION, FunderKind.EMPLOYER, EMPLOYERS, is_due=True),
    # The funder's own kind says whether it exempts.
    Origin.TOP_UP: Sort(PocketKind.TOP_UP, None, OTHERS),
}


class DotationRefused(Exception):
    """The funder cannot do this; the message is French. `field`: the column or form field it is about."""

    def __init__(self, message: str, *, field: str = ""):
        self.message, self.field = message, field
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a funder wants to give one holder. `reference`: the funder's own, once for ever in an envelope."""

    holder: HolderProfile
    amount: int
    origin: Origin
    reference: str
    conditions: Conditions = FREE
    expires_on: datetime.date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one wish: its movement, new or found again, or why not."""

    movement: Movement | None = None
    is_new: bool = False
    refusal: DotationRefused | None = None


# --- Envelopes ---------------------------------------------------------------------------------------


def open_envelope(
    *,
    reference: str,
    funder_name: str,
    funder_kind: FunderKind,
    by: Actor,
    at: datetime.datetime,
    funder_siret: str = "",
    conditions: Conditions = FREE,
    ends_on: datetime.date | None = None,
) -> Envelope:
    """A budget for a funder's money, empty. Effects: an Envelope and its pocket. DotationRefused."""
    _check_may(by)
    reference, funder_name = reference.strip(), funder_name.strip()
    if not REFERENCE.fullmatch(reference):
        raise DotationRefused(
            _("La référence a de 1 à 40 lettres, chiffres, points ou tirets, sans espace : RH-2026."),
            field="reference",
        )
    if not funder_name or len(funder_name) > ledger.LONGEST_LABEL or not funder_name.isprintable():
        raise DotationRefused(
            _("Donnez le nom du financeur, tel que les titulaires le liront."), field="funder_name"
        )
    if funder_siret:
        try:
            check_siret(funder_siret)
        except ValidationError as error:
            raise DotationRefused(error.messages[0], field="funder_siret") from error
    if ends_on and ends_on < paris_day(at):
        raise DotationRefused(_("Le dernier jour de l’enveloppe est déjà passé."), field="ends_on")
    with transaction.atomic():
        earmark = earmark_of(conditions)
        there = Envelope.objects.select_related("pocket").filter(reference=reference).first()
        if there is not None:
            same = (there.pocket.label, there.pocket.funder_kind, there.earmark_id, there.ends_on)
            if same != (funder_name, funder_kind, earmark.pk if earmark else None, ends_on):
                raise DotationRefused(
                    _("L’enveloppe « %s » existe déjà, avec d’autres conditions.") % reference,
                    field="reference",
                )
            return there
        pocket = Pocket.objects.create(
            kind=PocketKind.ENVELOPE,
            unit=Unit.EUR_CENT,
            label=funder_name,
            funder_kind=funder_kind,
            balance=0,
        )
        return Envelope.objects.create(
            pocket=pocket,
            reference=reference,
            funder_siret=funder_siret,
            earmark=earmark,
            ends_on=ends_on,
            opened_at=at,
            opened_by=by.user,
        )


def find_envelope(reference: str) -> Envelope:
    """DotationRefused: there is none."""
    found = Envelope.objects.select_related("pocket", "earmark").filter(reference=reference).first()
    if found is None:
        raise DotationRefused(_("Il n’y a pas d’enveloppe « %s ».") % reference[:40], field="envelope")
    return found


def fund(
    envelope: Envelope, *, amount: int, reference: str, by: Actor, at: datetime.datetime, reason: str = ""
) -> Movement:
    """The funder's transfer arrived: its money is in the envelope. `reference`: the transfer's, used once."""
    _check_may(by)
    _check_amount(amount, field="amount", most=100 * MOST_CENTS)
    if not reference.strip():
        raise DotationRefused(_("Donnez la référence du virement."), field="reference")
    with transaction.atomic():
        return ledger.fund(
            envelope_id=envelope.pk,
            amount=amount,
            key=f"fund:{envelope.reference}:{reference.strip()}",
            at=at,
            by=by,
            reason=reason or _("Virement %s") % reference.strip(),
        )


def pay_back(
    envelope: Envelope, *, amount: int, key: str, by: Actor, at: datetime.datetime, reason: str
) -> Movement:
    """What is left in an envelope goes back to its funder. ledger.NotEnough, ledger.KeyReused."""
    _check_may(by)
    _check_amount(amount, field="amount", most=100 * MOST_CENTS)
    with transaction.atomic():
        return ledger.pay_back(
            envelope_id=envelope.pk, amount=amount, key=f"pay-back:{key}", at=at, by=by, reason=reason
        )


# --- Granting ----------------------------------------------------------------------------------------


def grant(envelope: Envelope, wish: Wish, *, by: Actor, at: datetime.datetime) -> Movement:
    """Give one holder a part of an envelope, and tell them. DotationRefused: why not."""
    [outcome] = grant_lot(envelope, [wish], by=by, at=at)
    if outcome.movement is None:
        raise outcome.refusal or DotationRefused("")
    return outcome.movement


def grant_lot(
    envelope: Envelope, wishes: Sequence[Wish], *, by: Actor, at: datetime.datetime
) -> list[Outcome]:
    """Give many, in one transaction and a handful of statements; what is refused stops nobody else.

    Effects: a movement each, from the envelope to a purse of that envelope; a notice to those who have a
    login. While there is money, in the order given. The same reference gives its first movement again.
    """
    _check_may(by)
    today = paris_day(at)
    rules = rulebook.on(today)
    with transaction.atomic():
        left = ledger.envelope_balance(envelope.pk)
        keys = [f"dotation:{envelope.reference}:{wish.reference}" for wish in wishes]
        done = {
            movement.key: movement
            for movement in Movement.objects.filter(key__in=keys)
            .select_related("target__earmark")
            .order_by("id")
        }
        outcomes: list[Outcome] = []
        new: dict[int, ledger.Grant] = {}
        for position, (wish, key) in enumerate(zip(wishes, keys, strict=True)):
            try:
                conditions = judge(wish, envelope, on=today, rules=rules, is_again=key in done)
                if key in done:
                    _check_same(done[key], wish, conditions)
                    outcomes.append(Outcome(done[key]))
                    continue
                if wish.amount > left:
                    raise DotationRefused(
                        _(
                            "L’enveloppe « %(envelope)s » n’a plus assez : il faut %(wanted)s "
                            "et il reste %(left)s."
                        )
                        % {
                            "envelope": envelope.reference,
                            "wanted": french.euros(wish.amount),
                            "left": french.euros(left),
                        },
                        field="amount",
                    )
            except DotationRefused as refusal:
                outcomes.append(Outcome(refusal=refusal))
                continue
            left -= wish.amount
            new[position] = _grant(wish, key, envelope, conditions)
            outcomes.append(Outcome())
        movements = ledger.grant_many(list(new.values()), envelope_id=envelope.pk, at=at, by=by)
        for (position, granted), movement in zip(new.items(), movements, strict=True):
            outcomes[position] = Outcome(movement, is_new=True)
            _tell_granted(wishes[position], granted, envelope, movement, at=at)
    return outcomes


def judge(
    wish: Wish, envelope: Envelope, *, on: datetime.date, rules: Rules, is_again: bool = False
) -> Conditions:
    """The conditions this gift would have. DotationRefused: it makes no sense, or the law forbids it.

    `is_again`: it was given before; what has run out since then is no reason to refuse the same line.
    """
    sort = SORTS[wish.origin]
    said = wish.reference
    if not said or len(said) > LONGEST_GRANT_REFERENCE or not said.isprintable():
        raise DotationRefused(
            _("Donnez la référence de cette attribution, %s caractères au plus.") % LONGEST_GRANT_REFERENCE,
            field="reference",
        )
    _check_amount(wish.amount, field="amount", most=MOST_CENTS)
    if envelope.pocket.funder_kind not in sort.funders:
        raise DotationRefused(
            _("Un financeur de cette sorte (%(funder)s) n’attribue pas : %(origin)s.")
            % {"funder": FunderKind(envelope.pocket.funder_kind).label, "origin": wish.origin.label},
            field="kind",
        )
    _check_amount_by_law(wish, rules)
    conditions = wish.conditions
    if envelope.earmark is not None:
        reserved_for = envelope.earmark.conditions
        conditions = reserved_for if conditions.is_free else conditions
        if not conditions.within(reserved_for):
            raise DotationRefused(
                _("L’enveloppe est réservée à : %s. Cette attribution va plus loin.")
                % ", ".join(reserved_for.words()),
                field="certifications",
            )
    if sort.is_due and (wish.expires_on or not conditions.is_free):
        raise DotationRefused(
            _("%s : la loi les doit sans condition ni date de fin.") % wish.origin.label, field="kind"
        )
    if is_again:
        return conditions
    if envelope.ends_on and envelope.ends_on < on:
        raise DotationRefused(
            _("L’enveloppe « %(envelope)s » a pris fin le %(day)s.")
            % {"envelope": envelope.reference, "day": french.short_day(envelope.ends_on)},
            field="envelope",
        )
    if wish.expires_on and wish.expires_on < on:
        raise DotationRefused(
            _("Le dernier jour d’utilisation, %s, est déjà passé.") % french.short_day(wish.expires_on),
            field="expires_on",
        )
    if conditions.starts_until and conditions.starts_until < on:
        raise DotationRefused(
            _("Le fléchage a pris fin le %s : plus aucune formation ne peut commencer à temps.")
            % french.short_day(conditions.starts_until),
            field="starts_until",
        )
    return conditions


def earmark_of(conditions: Conditions) -> Earmark | None:
    """The one row of these conditions, written now where it is missing; None: there are none."""
    if conditions.is_free:
        return None
    return Earmark.objects.get_or_create(
        certifications=list(conditions.certifications),
        levels=list(conditions.levels),
        starts_from=conditions.starts_from,
        starts_until=conditions.starts_until,
    )[0]


def _grant(wish: Wish, key: str, envelope: Envelope, conditions: Conditions) -> ledger.Grant:
    sort = SORTS[wish.origin]
    earmark = earmark_of(conditions)
    formula = [(str(wish.origin.label), french.euros(wish.amount))]
    formula += [(_("Réservé à"), words) for words in conditions.words()]
    return ledger.Grant(
        holder_id=wish.holder.pk,
        kind=sort.kind,
        origin=wish.origin,
        funder_kind=str(sort.funder_kind or envelope.pocket.funder_kind),
        amount=wish.amount,
        key=key,
        reason=wish.reason or f"{wish.origin.label} · {envelope.pocket.label}",
        formula=formula,
        expires_on=wish.expires_on,
        earmark_id=earmark.pk if earmark else None,
    )


def _check_may(by: Actor) -> None:
    if not (by.is_admin or by.is_system):
        raise NotAllowed(_("Seule l’administration gère les enveloppes des financeurs."))


def _check_amount(amount: int, *, field: str, most: int) -> None:
    if type(amount) is not int or amount <= 0:
        raise DotationRefused(_("Donnez un montant supérieur à zéro."), field=field)
    if amount > most:
        raise DotationRefused(
            _("Plus de %s : vérifiez que le montant est en euros.") % french.euros(most), field=field
        )


def _check_amount_by_law(wish: Wish, rules: Rules) -> None:
    by_law = {Origin.CORRECTIVE: rules.corrective_cents, Origin.DISMISSED: rules.dismissal_cents}
    due = by_law.get(wish.origin)
    if due is not None and wish.amount != due:
        raise DotationRefused(
            _("%(origin)s : la loi fixe le montant à %(due)s.")
            % {"origin": wish.origin.label, "due": french.euros(due)},
            field="amount",
        )


def _check_same(done: Movement, wish: Wish, conditions: Conditions) -> None:
    purse = done.target
    there = purse.earmark.conditions if purse.earmark else FREE
    was = (done.amount, purse.holder_id, purse.origin, purse.expires_on, there)
    if was != (wish.amount, wish.holder.pk, wish.origin, wish.expires_on, conditions):
        raise DotationRefused(
            _("La référence « %(reference)s » a déjà servi, avec un autre contenu (%(amount)s).")
            % {"reference": wish.reference, "amount": amount_in_words(done.amount, purse.unit)},
            field="reference",
        )


# --- The way back ------------------------------------------------------------------------------------


def recall(
    envelope: Envelope,
    *,
    by: Actor,
    at: datetime.datetime,
    key: str,
    reason: str,
    holder: HolderProfile | None = None,
) -> list[Movement]:
    """The funder asks for what is unused: all of this envelope's purses, or one holder's.

    What waits in reservations is used: it stays. What the law owes is never taken back. Effects: movements
    to the envelope, a notice to each holder. The same key takes nothing twice.
    """
    _check_may(by)
    if not reason.strip():
        raise DotationRefused(_("Dites pourquoi : les titulaires le liront."), field="reason")
    due = [origin for origin, sort in SORTS.items() if sort.is_due]
    purses = Pocket.objects.filter(envelope=envelope, balance__gt=0).exclude(origin__in=due).order_by("id")
    if holder is not None:
        purses = purses.filter(holder=holder)
    return list(
        _send_back(purses, MovementKind.RECALL, by=by, at=at, key=f"recall:{key}", reason=reason.strip())
    )


def expire(*, at: datetime.datetime, limit: int = 100_000) -> list[Movement]:
    """What lies in purses whose last day has passed goes back to its funder. By the clock, lot by lot."""
    ended = Pocket.objects.filter(Q(kind__in=FUNDED_KINDS), Q(expires_on__lt=paris_day(at)), Q(balance__gt=0))
    reason = _("Date d’utilisation passée")
    return list(
        _send_back(ended.order_by("id")[:limit], MovementKind.EXPIRY, by=SYSTEM, at=at, key="", reason=reason)
    )


def _send_back(
    purses: Any, kind: MovementKind, *, by: Actor, at: datetime.datetime, key: str, reason: str
) -> Iterator[Movement]:
    ids = list(purses.values_list("pk", flat=True))
    for lot in _lots(ids):
        with transaction.atomic():
            before = _last_movement_id()
            movements = ledger.take_back(lot, kind=kind, at=at, by=by, reason=reason, key=key)
            new = [movement for movement in movements if movement.pk > before]
            _tell_returned(new, kind, reason, at=at)
        yield from new


def _lots(ids: list[UUID]) -> Iterator[list[UUID]]:
    return (ids[start : start + LOT] for start in range(0, len(ids), LOT))


def _last_movement_id() -> int:
    return Movement.objects.order_by("-id").values_list("pk", flat=True).first() or 0


# --- Telling -----------------------------------------------------------------------------------------


def _tell_granted(
    wish: Wish, granted: ledger.Grant, envelope: Envelope, movement: Movement, *, at: datetime.datetime
) -> None:
    conditions = [words for name, words in granted.formula[1:]]
    facts = {
        "name": wish.holder.display_name,
        "amount": french.euros(granted.amount),
        "funder": envelope.pocket.label,
        "conditions": ", ".join(conditions),
        "expires": french.day(granted.expires_on) if granted.expires_on else "",
    }
    _tell(wish.holder, Kind.DOTATION_GRANTED, f"grant:{movement.pk}", facts, at=at)


def _tell_returned(
    movements: Sequence[Movement], kind: MovementKind, reason: str, *, at: datetime.datetime
) -> None:
    ids = [movement.source_id for movement in movements]
    purses = {purse.pk: purse for purse in Pocket.objects.filter(pk__in=ids).select_related("holder__user")}
    for movement in movements:
        purse = purses[movement.source_id]
        facts = {
            "name": purse.holder.display_name,
            "amount": amount_in_words(movement.amount, purse.unit),
            "funder": purse.label or str(purse.get_kind_display()),
            "expired": french.day(purse.expires_on) if kind == MovementKind.EXPIRY else "",
            "reason": "" if kind == MovementKind.EXPIRY else reason,
        }
        _tell(purse.holder, Kind.DOTATION_RETURNED, f"returned:{movement.pk}", facts, at=at)


def _tell(
    holder: HolderProfile, kind: Kind, event_key: str, facts: dict[str, str], *, at: datetime.datetime
) -> None:
    user = holder.user
    if user is not None and user.is_active:
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=reverse("rights"), user=user)

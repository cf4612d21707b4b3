"""« Geler mon compte »: nothing is engaged in somebody's name until they say so again.

A frozen account enrols nowhere, validates nothing, and changes neither profile nor address. What runs
goes on: dossiers, their clocks, and all that protects (cancel, withdraw, decline, a new password).
Frozen by its holder, it thaws when they ask, after a delay; frozen by the portal, when the portal says.

Every verb locks the account's row first, as dossiers.workflow does before it judges who may enrol: a
validation and a freeze at the same moment happen one after the other.
"""

import datetime
import uuid

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import announcements, journal
from accounts.actors import Actor, Role
from accounts.models import HolderProfile, User
from accounts.permissions import NotAllowed, frozen_until
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# Whole days between the one on which thawing is asked and the first one on which the account serves
# again. Whoever holds a stolen password can ask; its owner reads the notice, and has at least one
# whole day to keep the account frozen. More would cost honest people their place in a training.
DAYS_BEFORE_THAW = 2


def freeze(holder_id: uuid.UUID, *, by: Actor, at: datetime.datetime, reason: str = "") -> HolderProfile:
    """Freeze at once. By its holder, or by an administrator with a `reason`, which the holder reads.

    Frozen already, nothing changes, except that a thaw that was asked is called off, and that what the
    portal freezes only the portal thaws. Effects: the account; a line in the journal; a notice.
    """
    _check_theirs(holder_id, by)
    if by.is_admin and not reason.strip():
        raise Refused(_("Donnez une raison : le titulaire la lira."), field="reason")
    with transaction.atomic():
        holder = _lock(holder_id)
        stays = holder.is_frozen(on=workdays.paris_day(at)) and holder.thaws_on is None
        if stays and (holder.is_frozen_by_portal or not by.is_admin):
            return holder
        holder.frozen_at = at
        holder.frozen_by = by.role
        holder.freeze_reason = reason.strip()
        holder.thaws_on = None
        _keep(holder)
        journal.record(
            by=by, action="account_frozen", subject=holder, at=at, details={"reason": holder.freeze_reason}
        )
        _tell(holder, "account_frozen", at=at)
    return holder


def ask_thaw(holder_id: uuid.UUID, *, by: Actor, at: datetime.datetime) -> HolderProfile:
    """The holder asks to thaw: effective at midnight, a whole day later. Asked again, nothing changes.

    Refused: it is not frozen, or the portal froze it. Effects: the account; the journal; a notice.
    """
    if by.is_admin:
        raise NotAllowed(_("Seul le titulaire demande le dégel."))
    _check_theirs(holder_id, by)
    with transaction.atomic():
        holder = _lock(holder_id)
        today = workdays.paris_day(at)
        if not holder.is_frozen(on=today):
            raise Refused(_("Votre compte n’est pas gelé."))
        if holder.is_frozen_by_portal:
            raise Refused(_("Le portail a gelé votre compte : écrivez-nous pour le dégeler."))
        if holder.thaws_on is not None:
            return holder
        holder.thaws_on = _thaw_day(today)
        _keep(holder)
        journal.record(by=by, action="account_thaw_asked", subject=holder, at=at)
        _tell(holder, "account_thaw_asked", at=at, until=frozen_until(holder))
    return holder


def thaw(holder_id: uuid.UUID, *, by: Actor, at: datetime.datetime) -> HolderProfile:
    """An administrator thaws at once, whoever froze. Effects: the account; the journal; a notice."""
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration dégèle un compte sans délai."))
    with transaction.atomic():
        holder = _lock(holder_id)
        if not holder.is_frozen(on=workdays.paris_day(at)):
            raise Refused(_("Ce compte n’est pas gelé."))
        holder.frozen_at = holder.thaws_on = None
        holder.frozen_by = holder.freeze_reason = ""
        _keep(holder)
        journal.record(by=by, action="account_thawed", subject=holder, at=at)
        _tell(holder, "account_thawed", at=at)
    return holder


def check_not_frozen(user: User, *, at: datetime.datetime) -> None:
    """Refused: the account of this person is frozen. Locks it: what follows happens before any freeze."""
    holder = HolderProfile.objects.select_for_update(no_key=True).filter(user=user).first()
    if holder and holder.is_frozen(on=workdays.paris_day(at)):
        raise Refused(_("Votre compte est gelé : il ne change pas. Dégelez-le d’abord dans « Mon compte »."))


def next_thaw(*, at: datetime.datetime) -> str:
    """Until when an account whose thaw is asked now stays frozen: « mercredi 25 novembre 2026 à minuit »."""
    return frozen_until(HolderProfile(thaws_on=_thaw_day(workdays.paris_day(at))))


def _thaw_day(today: datetime.date) -> datetime.date:
    return today + datetime.timedelta(days=DAYS_BEFORE_THAW)


def _check_theirs(holder_id: uuid.UUID, by: Actor) -> None:
    if not by.is_admin and by.holder_id != holder_id:
        raise NotAllowed(_("Vous ne pouvez geler que votre propre compte."))


def _lock(holder_id: uuid.UUID) -> HolderProfile:
    return (
        HolderProfile.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .get(pk=holder_id)
    )


def _keep(holder: HolderProfile) -> None:
    holder.save(update_fields=["frozen_at", "frozen_by", "freeze_reason", "thaws_on"])


def _tell(holder: HolderProfile, kind: str, *, at: datetime.datetime, **facts: str) -> None:
    """An account that nobody activated has nobody to tell."""
    if holder.user is None:
        return
    if kind == "account_frozen" and holder.frozen_by != Role.HOLDER:
        facts["reason"] = holder.freeze_reason
    facts |= {"name": holder.display_name, "when": french.moment(at)}
    announcements.tell_person(holder.user, kind=kind, at=at, facts=facts, link=reverse("account_alert"))

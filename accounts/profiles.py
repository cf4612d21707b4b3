"""What changes on an account: by its holder (contact, situation) or by an administrator (civil identity)."""

import datetime
import uuid
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import announcements, journal, matching
from accounts.actors import Actor
from accounts.models import HolderProfile, User
from accounts.permissions import NotAllowed
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# What its holder writes; everything else on the account is the civil register's.
OWN_FIELDS = (
    "phone",
    "address",
    "postal_code",
    "town",
    "status",
    "has_apprenticeship",
    "diploma",
    "diploma_year",
)
IDENTITY_FIELDS = ("birth_name", "used_name", "first_names", "birth_date", "sex")
# Someone who takes an account over changes these first: its holder is told at once.
SENSITIVE_FIELDS = frozenset({"phone", "address", "postal_code", "town", "status", "has_apprenticeship"})


def name_keys(*, birth_name: str, used_name: str, first_names: str) -> dict[str, str]:
    """The `*_key` columns of these names: whoever writes names writes these with them."""
    return {
        "birth_name_key": matching.name_key(birth_name),
        "used_name_key": matching.name_key(used_name),
        "first_names_key": matching.given_names_key(first_names),
    }


def change(holder_id: uuid.UUID, *, by: Actor, at: datetime.datetime, values: dict[str, Any]) -> list[str]:
    """The holder changes contact, situation or diploma. Returns the names of the fields that changed.

    In order: lock → guard → write → journal → notice when a sensitive field changed. NotAllowed: not theirs.
    Refused: the account is frozen.
    """
    if by.holder_id != holder_id:
        raise NotAllowed(_("Vous ne pouvez modifier que votre propre profil."))
    return _write(holder_id, by=by, at=at, values=values, among=OWN_FIELDS, action="profile_changed")


def correct_identity(
    holder_id: uuid.UUID, *, by: Actor, at: datetime.datetime, values: dict[str, Any]
) -> list[str]:
    """An administrator corrects the account, on proof. Returns what changed; its holder is told."""
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration corrige une identité."))
    return _write(
        holder_id,
        by=by,
        at=at,
        values=values,
        among=IDENTITY_FIELDS + OWN_FIELDS,
        action="identity_corrected",
    )


def _write(
    holder_id: uuid.UUID,
    *,
    by: Actor,
    at: datetime.datetime,
    values: dict[str, Any],
    among: tuple[str, ...],
    action: str,
) -> list[str]:
    with transaction.atomic():
        holder = (
            HolderProfile.objects.select_for_update(of=("self",)).select_related("user").get(pk=holder_id)
        )
        if not by.is_admin and holder.is_frozen(on=workdays.paris_day(at)):
            raise Refused(
                _("Votre compte est gelé : rien n’a changé. Dégelez-le d’abord dans « Mon compte ».")
            )
        changed = [name for name in among if name in values and getattr(holder, name) != values[name]]
        if not changed:
            return []
        for name in changed:
            setattr(holder, name, values[name])
        keys = name_keys(
            birth_name=holder.birth_name, used_name=holder.used_name, first_names=holder.first_names
        )
        for name, key in keys.items():
            setattr(holder, name, key)
        holder.save(update_fields=[*changed, *keys])
        # Which fields, not what they hold: the journal is no second copy of someone's address.
        journal.record(by=by, action=action, subject=holder, at=at, details={"fields": changed})
        told = SENSITIVE_FIELDS | set(IDENTITY_FIELDS)
        if holder.user and told.intersection(changed):
            labels = [str(HolderProfile._meta.get_field(name).verbose_name) for name in changed]
            announcements.tell_person(
                holder.user,
                kind="profile_changed",
                at=at,
                facts={"name": holder.display_name, "fields": labels},
                link=reverse("account_alert"),
            )
    return changed


def email_changed(user: User, *, before: str, at: datetime.datetime) -> None:
    """Their address is another one: both are told, and the one before hears of what follows for a while.

    Called in the transaction of the change. Changed twice in that while, the first address is kept: a
    thief who changes it twice does not push its owner out of hearing.
    """
    if not user.former_email_until or at >= user.former_email_until:
        user.former_email = before
        user.former_email_until = at + announcements.FORMER_ADDRESS_IS_TOLD
        user.save(update_fields=["former_email", "former_email_until"])
    announcements.tell_person(
        user,
        kind="email_changed",
        at=at,
        facts={"when": french.moment(at), "to_email": _hinted(user.email)},
        link=reverse("account_alert"),
    )


def _hinted(email: str) -> str:
    """« so…@exemple.fr »: enough to recognise one's own, in a mailbox that may be somebody else's now."""
    name, _at, domain = email.rpartition("@")
    return f"{name[:2]}…@{domain}"


def password_changed(user: User, *, at: datetime.datetime) -> None:
    """Their password is another one, whoever chose it. Called in the transaction of the change."""
    announcements.tell_person(
        user,
        kind="password_changed",
        at=at,
        facts={"when": french.moment(at)},
        link=reverse("account_alert"),
    )


def choose_language(user: User, language: str) -> None:
    """The language of their mails. ValueError: not one that exists."""
    User.objects.filter(pk=user.pk).update(language=User.Language(language))

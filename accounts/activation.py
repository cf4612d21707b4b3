"""Activation: a person proves to be the holder of an account in which rights already wait.

A refusal never tells whether the account exists, waits or is already in use: one message, the same
queries. Only failures count towards the limits, and a try refused by a limit does not lengthen it.
"""

import datetime
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

import rulebook
from accounts import announcements, journal, matching, nir
from accounts.actors import Actor, Role
from accounts.models import ActivationAttempt, HolderProfile, User
from rulebook import Rules, workdays


@dataclass(frozen=True, kw_only=True)
class StatedIdentity:
    """What a person says of themselves. `nir`: 15 characters already checked, "" where it is not asked."""

    family_name: str
    first_names: str
    birth_date: datetime.date
    nir: str = field(default="", repr=False)


class ActivationFailed(Exception):
    """No waiting account for this identity, and nothing more is said."""

    message = _(
        "Nous n’avons pas pu activer de compte avec ces informations. Vérifiez votre nom, vos prénoms "
        "et votre date de naissance : ils sont écrits comme sur votre pièce d’identité."
    )


class TooManyAttempts(Exception):
    """A limit is reached; `until`: the first moment at which one may try again, None if unknown."""

    def __init__(self, until: datetime.datetime | None = None):
        self.until = until
        super().__init__(until)


# What names are compared with when no account has this number or this birth date, so that a
# refusal costs the same work whether the account exists or not.
_NOBODY = HolderProfile(birth_name="Personne", used_name="Aucune", first_names="Jean-Pierre Marie")


def activate(*, by: Actor, at: datetime.datetime, identity: StatedIdentity) -> HolderProfile:
    """Link the waiting account that belongs to this identity to the person who acts.

    In order: lock the person → already theirs? → limits → match → link, journal, notice. Anyone who is
    signed in may try; a second activation by the same person returns their account as it is.
    ActivationFailed, TooManyAttempts. Opens its own transaction: a failed try must stay counted.
    """
    with transaction.atomic(durable=True):
        # Two tries at once by one person would both pass under the limit: the second waits here.
        user = User.objects.select_for_update().get(pk=by.user.pk)
        mine = HolderProfile.objects.filter(user=user).first()
        if mine:
            return mine
        rules = rulebook.on(workdays.paris_day(at))
        target = _digest(identity)
        until = _blocked_until(user, target, at=at, rules=rules)
        attempt = None
        if until is None:
            attempt = ActivationAttempt.objects.create(user=user, at=at, identity_digest=target)
            holder = _link(_find(identity), user, at)
            if holder:
                attempt.succeeded = True
                attempt.save(update_fields=["succeeded"])
                _tell(holder, user, at)
                return holder
    # After the commit, so that the attempt stays.
    if until:
        raise TooManyAttempts(until)
    raise ActivationFailed


def _blocked_until(
    user: User, target: str, *, at: datetime.datetime, rules: Rules
) -> datetime.datetime | None:
    """When the oldest failure that counts leaves the window; None when a limit is not reached.

    One person has `activation_attempts_max` tries. One identity has as many as that number of people
    would: enough to stop many logins that guess together, too many for one ill-wisher to keep its
    real holder out.
    """
    window = datetime.timedelta(minutes=rules.activation_window_minutes)
    limits = [
        ({"user": user}, rules.activation_attempts_max),
        ({"identity_digest": target}, rules.activation_attempts_max**2),
    ]
    blocked = None
    for who, limit in limits:
        failures = ActivationAttempt.objects.filter(**who, succeeded=False, at__gt=at - window)
        # The limit-th latest: once it leaves the window, one try is free again.
        last = failures.order_by("-at", "-id").values_list("at", flat=True)[limit - 1 : limit].first()
        if last and (blocked is None or last + window > blocked):
            blocked = last + window
    return blocked


def _find(identity: StatedIdentity) -> HolderProfile | None:
    """The one account of this identity, whether it waits or not; None for none or several."""
    accounts = HolderProfile.objects.filter(birth_date=identity.birth_date)
    if settings.NIR_AT_ACTIVATION:
        accounts = accounts.filter(nir_digest__in=nir.digests(identity.nir))
    candidates = list(accounts.only("birth_name", "used_name", "first_names", "user").order_by("id"))
    found = [account for account in candidates or [_NOBODY] if _is(account, identity)]
    # Two people of one name born on one day cannot be told apart without the number: neither is given.
    return found[0] if len(found) == 1 and found[0] is not _NOBODY else None


def _is(account: HolderProfile, identity: StatedIdentity) -> bool:
    same_name = matching.same_family_name(
        identity.family_name, birth_name=account.birth_name, used_name=account.used_name
    )
    same_first = matching.same_first_names(identity.first_names, account.first_names)
    return same_name and same_first


def _link(account: HolderProfile | None, user: User, at: datetime.datetime) -> HolderProfile | None:
    """Only a waiting account takes a login: when two people try at once, its row lets one through."""
    if account is None or account.user_id:
        return None
    # Frozen by the portal (someone reported that this identity is abused): it waits for its true holder.
    waiting = HolderProfile.objects.filter(pk=account.pk, user__isnull=True, frozen_at__isnull=True)
    if not waiting.update(user=user, activated_at=at):
        return None
    return HolderProfile.objects.get(pk=account.pk)


def _tell(holder: HolderProfile, user: User, at: datetime.datetime) -> None:
    by = Actor(role=Role.HOLDER, user=user, holder=holder)
    journal.record(by=by, action="account_activated", subject=holder, at=at)
    announcements.tell_person(
        user, kind="account_activated", at=at, facts={"name": holder.display_name}, link=reverse("rights")
    )


def _digest(identity: StatedIdentity) -> str:
    """Stands for the identity aimed at: the number where it is asked, else the names.

    Keyed and one-way; made with the portal's own secret, since it only has to last a window.
    """
    aimed = identity.nir or " ".join(
        (matching.name_key(identity.family_name), matching.given_names_key(identity.first_names))
    )
    return salted_hmac("accounts.activation", aimed, algorithm="sha256").hexdigest()

"""What « Mon compte » and « Équipe » show. Nothing here writes."""

import datetime
from dataclasses import dataclass, field

from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts import nir, sessions, sign_ins, teams
from accounts.models import HolderProfile, Invitation, Membership, Organisation, SignIn, User
from accounts.permissions import frozen_until
from rulebook import workdays

SIGN_INS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class SignInLine:
    """One sign-in as its person recognises it."""

    at: datetime.datetime
    device: str
    network: str
    succeeded: bool
    is_this: bool
    is_open: bool


@dataclass(frozen=True)
class AccountPage:
    """`others`: how many other sessions are open. `holder` is None before activation and for other roles."""

    user: User
    holder: HolderProfile | None
    masked_nir: str
    is_frozen: bool
    frozen_until: str
    memberships: list[Membership]
    invitations: list[Invitation]
    sign_ins: list[SignInLine]
    others: int

    @cached_property
    def address_in_words(self) -> str:
        """« 3 rue des Lilas, 35000 Rennes »."""
        if self.holder is None:
            return ""
        town = f"{self.holder.postal_code} {self.holder.town}".strip()
        return ", ".join(part for part in (self.holder.address, town) if part)


def account_page(user: User, *, at: datetime.datetime, session_key: str | None) -> AccountPage:
    """Six queries, however long its lists."""
    holder = HolderProfile.objects.filter(user=user).first()
    is_frozen = holder is not None and holder.is_frozen(on=workdays.paris_day(at))
    opened = dict(sessions.open_sessions(user, at=at).values_list("session_key", "sign_in_id"))
    return AccountPage(
        user=user,
        holder=holder,
        masked_nir=nir.masked(holder.nir_encrypted) if holder else "",
        is_frozen=is_frozen,
        frozen_until=frozen_until(holder) if holder and is_frozen else "",
        memberships=list(
            Membership.objects.filter(user=user)
            .select_related("organisation")
            .order_by("organisation__name", "organisation_id")
        ),
        invitations=list(teams.invitations_for(user, at=at)),
        sign_ins=_lines(user, this=opened.get(session_key), opened=set(opened.values())),
        others=len(opened.keys() - {session_key}),
    )


def _lines(user: User, *, this: int | None, opened: set[int | None]) -> list[SignInLine]:
    rows = list(SignIn.objects.filter(user=user).order_by("-at", "-id")[:SIGN_INS_SHOWN])
    here = next((row.network for row in rows if row.pk == this), "")
    return [
        SignInLine(
            at=row.at,
            device=sign_ins.device(row.browser, row.system),
            network=_network(row.network, here=here),
            succeeded=row.succeeded,
            is_this=row.pk == this,
            is_open=row.pk in opened,
        )
        for row in rows
    ]


def _network(network: str, *, here: str) -> str:
    if not network:
        return ""
    if network == here:
        return _("Même réseau que maintenant")
    return _("Autre réseau : %(network)s") % {"network": sign_ins.short_network(network)}


# --- Teams --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Member:
    """One line of a team. `is_last_manager`: they can neither leave nor be demoted."""

    membership: Membership
    is_self: bool
    is_last_manager: bool

    @property
    def user(self) -> User:
        return self.membership.user

    @property
    def is_manager(self) -> bool:
        return self.membership.role == Membership.Role.MANAGER


@dataclass(frozen=True, slots=True)
class TeamPage:
    """`invitations` are for managers only: addresses of people who are not of the team yet."""

    organisation: Organisation
    members: list[Member]
    is_manager: bool
    has_manager: bool
    invitations: list[Invitation] = field(default_factory=list)


def team_page(organisation: Organisation, *, user: User) -> TeamPage:
    """Two queries, however large the team."""
    memberships = list(
        Membership.objects.filter(organisation=organisation)
        .select_related("user", "organisation")
        .order_by("role", "user__last_name", "user__email")
    )
    managers = [one for one in memberships if one.role == Membership.Role.MANAGER and one.user.is_active]
    is_manager = any(one.user_id == user.pk for one in managers)
    return TeamPage(
        organisation=organisation,
        members=[
            Member(membership=one, is_self=one.user_id == user.pk, is_last_manager=managers == [one])
            for one in memberships
        ],
        is_manager=is_manager,
        has_manager=bool(managers),
        invitations=list(teams.waiting(organisation)) if is_manager else [],
    )

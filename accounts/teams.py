"""Who acts for an organisation: invitations, roles, leaving; and how it is reached.

A manager decides for the organisation: its team, its details. A member works: dossiers and offers. An
organisation that has managers never loses the last one.

Every verb locks the organisation first, then asks again whether who acts is still a manager: a manager
who is being removed removes nobody at the same moment, and two managers who leave at once do not both.
"""

import datetime
import uuid

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import announcements, journal
from accounts.actors import Actor
from accounts.models import Invitation, Membership, Organisation, User
from accounts.permissions import NotAllowed, check_manager
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# A fortnight: long enough for holidays, short enough for a mailbox that changes hands.
INVITATION_DAYS = 14
# Each invitation is a mail to an address that asked for nothing. None is law.
INVITATIONS_WAITING_MAX = 30
INVITATIONS_A_DAY_MAX = 30
SENDINGS_MAX = 4
PAUSE_BETWEEN_SENDINGS = datetime.timedelta(hours=1)
# What nobody accepted holds an address of somebody who may never have been here.
INVITATION_KEPT = datetime.timedelta(days=90)


# --- Invitations ------------------------------------------------------------------------------------


def invite(
    organisation_id: uuid.UUID, *, by: Actor, at: datetime.datetime, email: str, role: str
) -> Invitation:
    """Offer a role to an address. By a manager. Never tells whether this address has an account here.

    Invited again while it waits, the same invitation comes back and nothing is sent. Effects: the
    invitation; the journal; a mail to that address.
    """
    with transaction.atomic():
        organisation = _lock(organisation_id, by)
        email = email.lower()
        if Membership.objects.filter(organisation=organisation, user__email__iexact=email).exists():
            raise Refused(_("Cette personne fait déjà partie de l’équipe."), field="email")
        _revoke(_unanswered(organisation).filter(email=email, expires_at__lte=at), at=at)
        waiting = _unanswered(organisation).filter(email=email).first()
        if waiting:
            if waiting.role != role:
                raise Refused(
                    _("Cette adresse est déjà invitée avec un autre rôle. Retirez d’abord cette invitation."),
                    field="email",
                )
            return waiting
        _check_limits(organisation, at=at)
        invitation = Invitation.objects.create(
            organisation=organisation,
            email=email,
            role=Membership.Role(role),
            invited_by_id=by.user.pk,
            created_at=at,
            sent_at=at,
            expires_at=_term(at),
        )
        # Not the address: the journal is for ever, and this one may belong to nobody here.
        _record(organisation, "invitation_sent", by=by, at=at, role=role)
        _send(invitation, by=by, at=at)
    return invitation


def resend(invitation_id: uuid.UUID, *, by: Actor, at: datetime.datetime) -> Invitation:
    """Send it again, with a full term. By a manager; not more than a few times, nor at once."""
    with transaction.atomic():
        invitation = _lock_invitation(invitation_id, by)
        if invitation.times_sent >= SENDINGS_MAX:
            raise Refused(_("Cette invitation a déjà été envoyée plusieurs fois. Appelez la personne."))
        if at < invitation.sent_at + PAUSE_BETWEEN_SENDINGS:
            raise Refused(_("Cette invitation vient de partir. Attendez une heure avant de la renvoyer."))
        invitation.times_sent += 1
        invitation.sent_at = at
        invitation.expires_at = _term(at)
        invitation.save(update_fields=["times_sent", "sent_at", "expires_at"])
        _send(invitation, by=by, at=at)
    return invitation


def revoke(invitation_id: uuid.UUID, *, by: Actor, at: datetime.datetime) -> None:
    """Take an invitation back: its link opens nothing any more. By a manager."""
    with transaction.atomic():
        invitation = _lock_invitation(invitation_id, by)
        _revoke(Invitation.objects.filter(pk=invitation.pk), at=at)
        _record(invitation.organisation, "invitation_revoked", by=by, at=at)


def accept(invitation_id: uuid.UUID, *, by: Actor, at: datetime.datetime) -> Membership:
    """Join the organisation. By whoever is signed in with the invited address, confirmed.

    Accepted again by the same person, the same membership comes back; once they have left it is over.
    Whoever joined otherwise meanwhile keeps the role they have. Effects: the membership; the invitation
    used up; the journal; notices to the person and to the managers.
    """
    with transaction.atomic():
        found = Invitation.objects.get(pk=invitation_id)
        # The organisation first, as everywhere; then what the invitation has become meanwhile.
        organisation = Organisation.objects.select_for_update(no_key=True).get(pk=found.organisation_id)
        invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
        check_addressed(invitation, by.user)
        membership = Membership.objects.filter(organisation=organisation, user=by.user).first()
        if invitation.accepted_by_id == by.user.pk and membership:
            return membership
        if not invitation.is_open(at=at):
            raise Refused(_("Cette invitation ne sert plus. Demandez-en une nouvelle à l’organisation."))
        invitation.accepted_at = at
        invitation.accepted_by_id = by.user.pk
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        if membership is None:
            membership = _add(organisation, by.user, invitation.role, by=by, at=at, change="joined")
    return membership


def check_addressed(invitation: Invitation, user: User) -> None:
    """Refused: a forwarded invitation lets nobody else in; nor does an address that is not confirmed."""
    if invitation.email not in _confirmed_addresses(user):
        raise Refused(
            _(
                "Cette invitation est pour une autre adresse que la vôtre. Connectez-vous avec l’adresse "
                "invitée, ou demandez une invitation à la vôtre."
            )
        )


def invitations_for(user: User, *, at: datetime.datetime) -> QuerySet[Invitation]:
    """Those this person can accept now: to an address of theirs that is confirmed."""
    return (
        Invitation.objects.filter(
            email__in=_confirmed_addresses(user), accepted_at=None, revoked_at=None, expires_at__gt=at
        )
        .select_related("organisation", "invited_by")
        .order_by("created_at", "id")
    )


def _confirmed_addresses(user: User) -> set[str]:
    """In small letters, as invitations keep theirs. The database would also take « ı » for « i »: an
    address that only looks the same, on a domain that only looks the same, must not."""
    mine = EmailAddress.objects.filter(user_id=user.pk, verified=True)
    return {email.lower() for email in mine.values_list("email", flat=True)}


def waiting(organisation: Organisation) -> QuerySet[Invitation]:
    """Those that nobody answered, over their term included: they can be sent again."""
    return _unanswered(organisation).select_related("invited_by").order_by("created_at", "id")


def purge_invitations(*, at: datetime.datetime) -> int:
    """Forget those that nobody accepted, some time after their term. Returns how many."""
    old = Invitation.objects.filter(accepted_at=None, expires_at__lt=at - INVITATION_KEPT)
    gone, _by_model = old.delete()
    return gone


# --- Members ----------------------------------------------------------------------------------------


def add(organisation_id: uuid.UUID, *, user: User, role: str, by: Actor, at: datetime.datetime) -> Membership:
    """Give somebody a role, without invitation. By an administrator or the portal. Theirs already: kept.

    Effects: the membership; the journal; notices to the person and to the managers.
    """
    if not (by.is_admin or by.is_system):
        raise NotAllowed(_("Invitez cette personne : elle accepte elle-même."))
    with transaction.atomic():
        organisation = _lock(organisation_id, by)
        membership = Membership.objects.filter(organisation=organisation, user=user).first()
        return membership or _add(organisation, user, role, by=by, at=at, change="added")


def change_role(membership_id: int, *, by: Actor, at: datetime.datetime, role: str) -> Membership:
    """Make a member a manager, or a manager a member. By a manager, or an administrator.

    Refused: the last manager. Effects: the role; invitations sent by who decides no more are taken back;
    the journal; notices to the person and to the managers.
    """
    with transaction.atomic():
        membership = _lock_membership(membership_id, by)
        role = Membership.Role(role)
        if membership.role == role:
            return membership
        if role != Membership.Role.MANAGER:
            _check_not_last(membership)
            _take_back_invitations(membership, at=at)
        membership.role = role
        membership.save(update_fields=["role"])
        organisation, user = membership.organisation, membership.user
        _record(organisation, "role_changed", by=by, at=at, user=user.pk, role=role)
        announcements.tell_person(
            user,
            kind="membership_changed",
            at=at,
            facts={"organisation_name": organisation.name, "role": role, "when": french.moment(at)},
            link=reverse("account"),
        )
        _tell_team(organisation, user, "role", role=role, at=at)
    return membership


def remove(membership_id: int, *, by: Actor, at: datetime.datetime) -> None:
    """Somebody acts for the organisation no more: at their very next click. By a manager, or themselves.

    Refused: the last manager. Effects: the membership gone; invitations they sent taken back; the
    journal; notices to the person and to the managers.
    """
    with transaction.atomic():
        membership = _lock_membership(membership_id, by, or_self=True)
        _check_not_last(membership)
        _take_back_invitations(membership, at=at)
        organisation, user = membership.organisation, membership.user
        membership.delete()
        has_left = by.user is not None and user.pk == by.user.pk
        change = "left" if has_left else "removed"
        _record(organisation, f"member_{change}", by=by, at=at, user=user.pk)
        announcements.tell_person(
            user,
            kind="membership_removed",
            at=at,
            facts={"organisation_name": organisation.name, "change": change, "when": french.moment(at)},
            link=reverse("account"),
        )
        _tell_team(organisation, user, change, at=at)


# --- How it is reached --------------------------------------------------------------------------------


def change_details(
    organisation_id: uuid.UUID, *, by: Actor, at: datetime.datetime, email: str, phone: str
) -> list[str]:
    """Change the mailbox of notices and the phone. By a manager. Returns the fields that changed.

    Effects: the organisation; the journal; a notice to the managers and to both mailboxes.
    """
    with transaction.atomic():
        organisation = _lock(organisation_id, by)
        before = organisation.email
        values = {"email": email, "phone": phone}
        changed = [name for name, value in values.items() if getattr(organisation, name) != value]
        if not changed:
            return []
        for name in changed:
            setattr(organisation, name, values[name])
        organisation.save(update_fields=changed)
        _record(organisation, "organisation_changed", by=by, at=at, fields=changed)
        labels = [str(Organisation._meta.get_field(name).verbose_name) for name in changed]
        announcements.tell_managers(
            organisation,
            kind="organisation_changed",
            event_key=f"organisation_changed:{organisation.pk}:{at.isoformat()}",
            at=at,
            facts={"organisation_name": organisation.name, "fields": labels, "who": _name(by)},
            link=reverse("provider_organisation"),
            mailboxes=[address for address in (email, before) if address],
        )
    return changed


# --- Parts --------------------------------------------------------------------------------------------


def _lock(organisation_id: uuid.UUID, by: Actor, *, check: bool = True) -> Organisation:
    """The organisation, locked; NotAllowed: `by` neither decides for it nor administers the portal."""
    if not (by.is_admin or by.is_system or by.organisation_id == organisation_id):
        raise NotAllowed(_("Ce n’est pas votre organisation."))
    organisation = Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)
    if check and not (by.is_admin or by.is_system):
        check_manager(by)
    return organisation


def _lock_invitation(invitation_id: uuid.UUID, by: Actor) -> Invitation:
    """One that still waits, or whose term is over; Refused: answered or taken back meanwhile."""
    organisation_id = Invitation.objects.values_list("organisation_id", flat=True).get(pk=invitation_id)
    organisation = _lock(organisation_id, by)
    invitation = _unanswered(organisation).filter(pk=invitation_id).first()
    if invitation is None:
        raise Refused(_("Cette invitation n’attend plus : elle a été acceptée ou retirée."))
    return invitation


def _lock_membership(membership_id: int, by: Actor, *, or_self: bool = False) -> Membership:
    """Of the organisation `by` decides for, or their own; Refused: taken away meanwhile."""
    found = Membership.objects.filter(pk=membership_id).values("organisation_id", "user_id").first()
    if found is None:
        raise Refused(_("Cette personne ne fait plus partie de l’équipe."))
    is_own = by.user is not None and found["user_id"] == by.user.pk
    _lock(found["organisation_id"], by, check=not (or_self and is_own))
    membership = Membership.objects.select_related("organisation", "user").filter(pk=membership_id).first()
    if membership is None:
        raise Refused(_("Cette personne ne fait plus partie de l’équipe."))
    return membership


def _check_not_last(membership: Membership) -> None:
    """The organisation is locked: nobody else leaves meanwhile."""
    if membership.role != Membership.Role.MANAGER:
        return
    others = Membership.objects.filter(
        organisation_id=membership.organisation_id, role=Membership.Role.MANAGER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise Refused(
            _("C’est le dernier responsable de l’organisation. Donnez d’abord ce rôle à quelqu’un d’autre.")
        )


def _check_limits(organisation: Organisation, *, at: datetime.datetime) -> None:
    if _unanswered(organisation).filter(expires_at__gt=at).count() >= INVITATIONS_WAITING_MAX:
        raise Refused(
            _("%s invitations attendent déjà une réponse. Retirez-en avant d’inviter quelqu’un d’autre.")
            % INVITATIONS_WAITING_MAX
        )
    lately = Invitation.objects.filter(
        organisation=organisation, created_at__gt=at - datetime.timedelta(days=1)
    )
    if lately.count() >= INVITATIONS_A_DAY_MAX:
        raise Refused(
            _("Vous avez envoyé %s invitations en un jour. Vous pourrez reprendre demain.")
            % INVITATIONS_A_DAY_MAX
        )


def _unanswered(organisation: Organisation) -> QuerySet[Invitation]:
    """Neither accepted nor taken back; perhaps over its term."""
    return Invitation.objects.filter(
        organisation=organisation, accepted_at=None, revoked_at=None
    ).select_related("organisation")


def _revoke(invitations: QuerySet[Invitation], *, at: datetime.datetime) -> None:
    invitations.filter(accepted_at=None, revoked_at=None).update(revoked_at=at)


def _take_back_invitations(membership: Membership, *, at: datetime.datetime) -> None:
    """Whoever decides no more leaves no door open behind them."""
    _revoke(
        Invitation.objects.filter(organisation_id=membership.organisation_id, invited_by=membership.user),
        at=at,
    )


def _term(at: datetime.datetime) -> datetime.datetime:
    """Midnight in Paris, INVITATION_DAYS after the day it is sent."""
    return workdays.period(at, INVITATION_DAYS, workdays.CALENDAR).expires_at


def _send(invitation: Invitation, *, by: Actor, at: datetime.datetime) -> None:
    """To the address, not to a person: an invitation looks the same whether or not it has an account."""
    announcements.tell_address(
        invitation.email,
        kind="invitation",
        event_key=f"invitation:{invitation.pk}:{invitation.times_sent}",
        at=at,
        facts={
            "organisation_name": invitation.organisation.name,
            "who": _name(by),
            "role": invitation.role,
            "until": french.last_minute(invitation.expires_at),
        },
        link=reverse("invitation", args=[invitation.pk]),
    )


def _add(
    organisation: Organisation, user: User, role: str, *, by: Actor, at: datetime.datetime, change: str
) -> Membership:
    membership = Membership.objects.create(
        organisation=organisation, user_id=user.pk, role=Membership.Role(role), since=at
    )
    _record(organisation, f"member_{change}", by=by, at=at, user=user.pk, role=role)
    announcements.tell_person(
        user,
        kind="membership_given",
        at=at,
        facts={"organisation_name": organisation.name, "role": role, "when": french.moment(at)},
        link=reverse("account"),
    )
    _tell_team(organisation, user, "joined", role=role, at=at)
    return membership


def _tell_team(
    organisation: Organisation, user: User, change: str, *, at: datetime.datetime, role: str = ""
) -> None:
    announcements.tell_managers(
        organisation,
        kind="team_changed",
        event_key=f"team_changed:{organisation.pk}:{user.pk}:{at.isoformat()}",
        at=at,
        facts={
            "organisation_name": organisation.name,
            "who": str(user),
            "change": change,
            "role": role,
            "when": french.moment(at),
        },
        link=reverse("provider_team"),
        but=[user],
    )


def _record(organisation: Organisation, action: str, *, by: Actor, at: datetime.datetime, **details) -> None:
    journal.record(by=by, action=action, subject=organisation, at=at, details=details)


def _name(by: Actor) -> str:
    """Who acts, as the others of the team know them."""
    return str(by.user) if by.user and not by.is_admin else _("Le portail")

"""Lists of people and of what they may be."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import F

from accounts.actors import Actor, Role
from accounts.models import HolderProfile, Membership, Organisation, User


def roles_of(user: User) -> list[Actor]:
    """Every role this person has now, the default one first; never empty. Two queries.

    Someone with no role yet is a holder without an account: activation is what waits for them.
    """
    # Deferred: whoever acts needs not carry an encrypted number along.
    holder = HolderProfile.objects.defer("nir_encrypted").filter(user=user).first()
    memberships = Membership.objects.filter(user=user).select_related("organisation")
    roles = [Actor(role=Role.HOLDER, user=user, holder=holder)] if holder else []
    roles += [
        Actor(role=Role.PROVIDER, user=user, organisation=membership.organisation)
        for membership in memberships.order_by("organisation__name", "organisation_id")
    ]
    if user.is_staff:
        roles.append(Actor(role=Role.ADMIN, user=user))
    return roles or [Actor(role=Role.HOLDER, user=user)]


def people_of(organisation: Organisation) -> list[User]:
    """Those who may act for it and can sign in, by e-mail. One query; of each, who and which address."""
    return people_of_each([organisation.pk])[organisation.pk]


def people_of_each(organisations: Collection[UUID]) -> dict[UUID, list[User]]:
    """As `people_of`, for many organisations at once. One query."""
    people: dict[UUID, list[User]] = {organisation_id: [] for organisation_id in organisations}
    found = User.objects.filter(memberships__organisation__in=organisations, is_active=True)
    for user in found.annotate(acts_for=F("memberships__organisation")).only("email").order_by("email"):
        people[user.acts_for].append(user)
    return people

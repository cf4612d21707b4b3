"""Lists of people and of what they may be."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from accounts.actors import Actor, Role
from accounts.models import HolderProfile, Membership, Organisation, User
from ui import prepared


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
    for organisation_id, *who in prepared.rows(_ACTING, [list(organisations)]):
        people[organisation_id].append(User.from_db(connection.alias, ["id", "email"], who))
    return people


_ACTING = """
    SELECT membership.organisation_id, person.id, person.email
    FROM accounts_membership membership JOIN accounts_user person ON person.id = membership.user_id
    WHERE membership.organisation_id = ANY(%s) AND person.is_active
    ORDER BY person.email"""

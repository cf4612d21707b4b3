"""Where scenes are played: the demonstration, and the few people and states it does not have."""

from typing import Any

from accounts.listing import roles_of
from accounts.models import HolderProfile, Organisation, User
from catalog.models import Offer, Session
from dossiers.models import Dossier
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import ProviderFactory

NEWCOMER = "nouveau@exemple.invalid"
WITHOUT_ACCOUNT = "sans-compte@exemple.invalid"
NEW_ORGANISATION = "nouvel-organisme@exemple.invalid"


class Stage:
    """Finds things by what they are, in the demonstration that is loaded."""

    def __init__(self) -> None:
        UserFactory(email=WITHOUT_ACCOUNT)
        HolderFactory(user=UserFactory(email=NEWCOMER), first_names="Nadia", birth_name="Perrin")
        MembershipFactory(
            user=UserFactory(email=NEW_ORGANISATION),
            organisation=ProviderFactory(organisation__name="Atelier tout neuf").organisation,
            role="manager",
        )

    def user(self, email: str) -> User:
        return User.objects.get(email=email)

    def holder(self, email: str) -> HolderProfile:
        return HolderProfile.objects.get(user__email=email)

    def organisation(self, email: str) -> Organisation:
        """The organisation this person acts for when they sign in."""
        return next(actor.organisation for actor in roles_of(self.user(email)) if actor.is_provider)

    def dossier(self, *, of: str = "", by: str = "", **fields: Any) -> Dossier:
        """The first dossier of this holder, or of the organisation this person acts for."""
        found = Dossier.objects.filter(**fields)
        if of:
            found = found.filter(holder__user__email=of)
        if by:
            found = found.filter(provider_id=self.organisation(by).pk)
        return found.order_by("number")[0]

    def offer(self, **fields: Any) -> Offer:
        return Offer.objects.filter(**fields).order_by("action_number", "pk")[0]

    def session(self, **fields: Any) -> Session:
        return Session.objects.filter(**fields).order_by("starts_on", "pk")[0]

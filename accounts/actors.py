"""Who is acting, in which role, for whom.

Verbs take `by=Actor`. A person with several roles acts in one at a time, and sees which
(accounts.listing.roles_of lists them, accounts.middleware picks the one that acts).
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import HolderProfile, Organisation, User


class Role(models.TextChoices):
    HOLDER = "holder", _("Titulaire")
    PROVIDER = "provider", _("Organisme de formation")
    ADMIN = "admin", _("Administration")
    SYSTEM = "system", _("Portail")
    VISITOR = "visitor", _("Visiteur")


@dataclass(frozen=True, slots=True)
class Actor:
    """A person in one role. `holder` for HOLDER (None before activation), `organisation` for PROVIDER."""

    role: Role
    user: "User | None" = None
    holder: "HolderProfile | None" = None
    organisation: "Organisation | None" = None

    @property
    def is_holder(self) -> bool:
        return self.role == Role.HOLDER and self.holder is not None

    @property
    def is_provider(self) -> bool:
        return self.role == Role.PROVIDER and self.organisation is not None

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN and self.user is not None and self.user.is_staff

    @property
    def is_system(self) -> bool:
        return self.role == Role.SYSTEM

    @property
    def holder_id(self) -> uuid.UUID | None:
        return self.holder.pk if self.holder else None

    @property
    def organisation_id(self) -> uuid.UUID | None:
        return self.organisation.pk if self.organisation else None

    @property
    def key(self) -> str:
        """What the session keeps and the switch sends: "holder", "provider:<uuid>", "admin"."""
        return f"{self.role}:{self.organisation_id}" if self.organisation else str(self.role)

    @property
    def short_label(self) -> str:
        """« Titulaire », « Atelier Nord », « Administration »: enough to choose among one's own roles."""
        return self.organisation.name if self.organisation else str(self.role.label)

    @property
    def label(self) -> str:
        """« Titulaire · Élodie Martin », « Organisme de formation · Atelier Nord », « Administration »."""
        name = self.holder.display_name if self.holder else ""
        if self.organisation:
            name = self.organisation.name
        return f"{self.role.label} · {name}" if name else str(self.role.label)


SYSTEM = Actor(role=Role.SYSTEM)
VISITOR = Actor(role=Role.VISITOR)

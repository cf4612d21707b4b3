"""Why a verb of the catalogue cannot be done now, and who may do it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.permissions import NotAllowed
from ui.refusals import Refused


class NotReady(Refused):
    """An offer that cannot be published yet. `remarks`: what is left to put right (catalog.lint.Remark)."""

    def __init__(self, remarks: Sequence[Any]):
        self.remarks = list(remarks)
        super().__init__(_("Cette offre ne peut pas encore être publiée."))


def check_member(provider_id: UUID | None, *, by: Actor) -> None:
    """NotAllowed: they do not act for this organisation."""
    if not (by.is_provider and by.organisation_id == provider_id):
        raise NotAllowed(_("Seuls les membres de cet organisme peuvent le faire."))

"""Why a verb of the catalogue cannot be done now, and who may do it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from accounts.actors import Actor
from accounts.permissions import NotAllowed
from ui.refusals import Refused


def by_title(offer: Any) -> tuple[str, UUID]:
    """The order in which people are told of several offers."""
    return offer.title, offer.pk


class NotReady(Refused):
    """An offer that cannot be published yet. `remarks`: what is left to put right (catalog.lint.Remark)."""

    def __init__(self, remarks: Sequence[Any]):
        self.remarks = list(remarks)
        super().__init__(_("Cette offre ne peut pas encore être publiée."))


def check_member(provider_id: UUID | None, *, by: Actor) -> None:
    """NotAllowed: they do not act for this organisation."""
    if not (by.is_provider and by.organisation_id == provider_id):
        raise NotAllowed(_("Seuls les membres de cet organisme peuvent le faire."))


@contextmanager
def unless_an_import_holds_it() -> Iterator[None]:
    """Around taking locks. Refused: an import of the catalogue holds one longer than one can wait, or waits
    for one of ours."""
    try:
        with transaction.atomic():
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise Refused(_("Votre catalogue est en cours d’import. Réessayez dans un instant.")) from error
        raise

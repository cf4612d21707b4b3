"""The offers that people keep to look at again. No count of them, no organisation ever sees them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import Favourite, Offer
from ui.refusals import Refused

MOST = 100
"""Kept by one person: enough to choose, and few enough to be read on one page."""


@transaction.atomic
def keep(offer: Offer, *, user: User, at: datetime) -> None:
    """Twice is once. Refused: this person keeps MOST already."""
    # Two clicks at once would both count one less than the most.
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    kept = Favourite.objects.filter(user=user)
    if not kept.filter(offer=offer).exists() and kept.count() >= MOST:
        raise Refused(
            _("Vous gardez déjà %s formations. Retirez-en une de vos favoris pour garder celle-ci.") % MOST
        )
    Favourite.objects.get_or_create(user=user, offer=offer, defaults={"added_at": at})


def drop(offer_id: UUID, *, user: User) -> None:
    """Not kept: nothing happens."""
    Favourite.objects.filter(user=user, offer=offer_id).delete()


def kept_among(offer_ids: Collection[UUID], *, user: User) -> set[UUID]:
    """Which of these this person keeps. One query."""
    kept = Favourite.objects.filter(user=user, offer__in=offer_ids)
    return set(kept.values_list("offer_id", flat=True))


def of_person(user: User) -> list[dict[str, Any]]:
    """What « Mes données » says of them. One query."""
    kept = Favourite.objects.filter(user=user).select_related("offer__provider__organisation")
    return [
        {
            "formation": each.offer.title,
            "organisme": each.offer.provider.organisation.name,
            "gardee_le": each.added_at,
        }
        for each in kept.order_by("added_at", "id")
    ]

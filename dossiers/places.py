"""How many places of a session are not taken yet, by what this portal knows.

An organisation says the size of a group; others may come by other ways than this portal. So this is the most
that can be left, shown as such, and no rule: whether there is a place is its organisation's answer.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Count

from catalog.models import Session
from dossiers.models import Dossier
from dossiers.states import State

TAKEN = (
    State.AWAITING_PAYMENT,
    State.ACCEPTED,
    State.POSTPONED,
    State.ABSENT,
    State.CLAIMED,
    State.IN_TRAINING,
)
"""Agreed by both sides, and not over."""


def left(sessions: Sequence[Session]) -> dict[UUID, int]:
    """Session → places left, 0 at least; only those with a size and dates. One query, or none."""
    sized = {each.pk: each.places for each in sessions if each.places and not each.is_permanent}
    if not sized:
        return {}
    taken = Dossier.objects.filter(session__in=sized, state__in=TAKEN).order_by().values("session")
    counts = dict(taken.annotate(count=Count("pk")).values_list("session", "count"))
    return {pk: max(0, places - counts.get(pk, 0)) for pk, places in sized.items()}

"""The dossiers of an organisation on certifications that end: who will be closed, who goes on."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, Q

from accounts.actors import Actor
from dossiers.permissions import visible_dossiers
from dossiers.states import FINAL_STATES, MOVES, State

# Closed with an explanation on the morrow of the last day (docs/decisions.md, 15).
WAITING = MOVES["close"].sources
KEPT = frozenset(State) - FINAL_STATES - WAITING - {State.DRAFT}


@dataclass(frozen=True, slots=True)
class OpenDossiers:
    """`waiting`: requests and proposals, closed if nothing moves; `kept`: confirmed, which go on."""

    waiting: int = 0
    kept: int = 0

    @property
    def all(self) -> int:
        return self.waiting + self.kept


def open_dossiers(actor: Actor, codes: Collection[str]) -> dict[str, OpenDossiers]:
    """Certification → the open dossiers on it. One query."""
    rows = (
        visible_dossiers(actor)
        .filter(offer__certification__in=codes)
        .order_by("offer__certification")
        .values_list("offer__certification")
        .annotate(
            waiting=Count("pk", filter=Q(state__in=WAITING)), kept=Count("pk", filter=Q(state__in=KEPT))
        )
    )
    return {code: OpenDossiers(waiting, kept) for code, waiting, kept in rows}

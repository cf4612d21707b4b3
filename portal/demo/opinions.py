"""The demonstration's reviews: words that are published and answered, and words that wait for an agent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from accounts.actors import Actor, Role
from dossiers import reviews
from dossiers.models import Dossier, ReviewText
from dossiers.review_models import MARKS
from dossiers.states import State

NOEMIE = "stagiaire@exemple.invalid"


@dataclass(frozen=True)
class Opinion:
    """What the holder of their oldest dossier in `state` thinks of it. `marks`: in the order of MARKS.

    `is_read`: an agent has published the words; `answer`: those of the organisation, published too.
    """

    name: str
    state: State
    marks: tuple[int, int, int, int, int]
    words: str
    is_read: bool = False
    answer: str = ""


OPINIONS = [
    Opinion(
        "useful",
        State.COMPLETION_VALIDATED,
        (5, 4, 5, 3, 4),
        "On pratique dès le premier jour, avec de vrais documents. Les ordinateurs sont un peu vieux.",
        is_read=True,
        answer="Merci. Les postes de la salle ont été remplacés depuis.",
    ),
    Opinion(
        "waiting",
        State.COMPLETION_DECLARED,
        (4, 4, 4, 4, 5),
        "Un suivi attentif, même entre les séances. Deux jours de plus n’auraient pas été de trop.",
    ),
]


def load(*, at: datetime, by: Actor) -> int:
    """Give what was not given yet; `by` reads it. All of it or nothing. How many reviews there are."""
    with transaction.atomic():
        return sum(_give(opinion, at=at, by=by) for opinion in OPINIONS)


def _give(opinion: Opinion, *, at: datetime, by: Actor) -> bool:
    dossier = (
        Dossier.objects.filter(holder__user__email=NOEMIE, state=opinion.state)
        .select_related("holder__user", "provider__organisation")
        .order_by("created_at", "number")
        .first()
    )
    if dossier is None:
        return False
    named = partial(_request_id, f"{opinion.name}:{dossier.pk}")
    review = reviews.give(
        dossier.pk,
        by=Actor(Role.HOLDER, user=dossier.holder.user, holder=dossier.holder),
        at=at - timedelta(days=2),
        request_id=named("give"),
        marks=dict(zip(MARKS, opinion.marks, strict=True)),
        words=opinion.words,
    )
    if opinion.is_read:
        _publish(review.pk, Role.HOLDER, at=at - timedelta(days=1), by=by)
    if opinion.answer:
        organisation = dossier.provider.organisation
        member = organisation.memberships.select_related("user").order_by("pk")[0]
        answering = Actor(Role.PROVIDER, user=member.user, organisation=organisation)
        reviews.answer(
            review.pk,
            by=answering,
            at=at - timedelta(hours=20),
            request_id=named("answer"),
            words=opinion.answer,
        )
        _publish(review.pk, Role.PROVIDER, at=at - timedelta(hours=2), by=by)
    return True


def _publish(review_id: UUID, role: Role, *, at: datetime, by: Actor) -> None:
    text = ReviewText.objects.get(review=review_id, role=role)
    if text.state == ReviewText.State.WAITING:
        reviews.publish(text.pk, by=by, at=at)


def _request_id(name: str, step: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo-opinion:{name}:{step}")

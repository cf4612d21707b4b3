"""Lists of requests for screens. Nothing here writes."""

from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, When

from accounts.actors import Actor
from admissions.models import JoinRequest, Measure
from admissions.permissions import own_requests
from admissions.states import OPEN_MEASURES, MeasureState, State

WAITS_UNTIL = Case(
    When(state=State.SENT, then=F("receivable_due_at")),
    When(state=State.RECEIVABLE, then=F("decision_due_at")),
    default=None,
)
"""The first instant too late for the administration's next word; empty when it is not its turn."""


def queue() -> QuerySet[JoinRequest]:
    """What waits for the administration, the minute that runs out first."""
    waiting = JoinRequest.objects.filter(state__in=[State.SENT, State.RECEIVABLE])
    return waiting.select_related("author").order_by(WAITS_UNTIL.asc(), "pk")


def measures_to_decide(*, at: datetime) -> QuerySet[Measure]:
    """Suspensions that were announced, or urgent, and that may be decided: answered, or their delay over."""
    undecided = Q(state=MeasureState.INTENDED) | Q(state=MeasureState.SUSPENDED, is_urgent=True)
    may_be = Q(answer_due_at__lte=at) | Q(steps__verb="answer")
    found = Measure.objects.filter(undecided).filter(may_be).select_related("provider__organisation")
    return found.distinct().order_by("answer_due_at", "pk")


def all_of(actor: Actor) -> list[JoinRequest]:
    return list(own_requests(actor).order_by("-created_at", "pk"))


def open_measure_of(organisation_id: UUID | None) -> Measure | None:
    """The suspension that runs, or that is announced, against this organisation: for its banner and home."""
    return Measure.objects.filter(provider_id=organisation_id, state__in=OPEN_MEASURES).first()

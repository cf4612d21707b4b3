"""Lists, counts and timelines for screens. Nothing here writes."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from accounts.actors import Actor, Role
from accounts.matching import name_key
from dossiers.models import Deadline, Dossier, FundingLine, Transition
from dossiers.permissions import visible_dossiers
from dossiers.states import ANSWER_CLOCKS, CLOCK_OF, WHOSE_TURN, State


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a dossier's history, the same words for both sides."""

    at: datetime
    title: str
    by: str
    reason: str


def with_clock(dossiers: QuerySet[Dossier]) -> QuerySet[Dossier]:
    """Adds `due_at` (the running clock's first too-late instant), its kind, and what a row shows."""
    running = Deadline.objects.filter(dossier=OuterRef("pk"), closed_at__isnull=True).order_by("due_at")
    return dossiers.select_related("holder", "provider__organisation", "offer", "session").annotate(
        due_at=Subquery(running.values("due_at")[:1]), clock_kind=Subquery(running.values("kind")[:1])
    )


def holder_dossiers(actor: Actor, *, state: str = "") -> QuerySet[Dossier]:
    """A holder's list, without what they removed: the minute that runs out first, then the newest."""
    found = with_clock(visible_dossiers(actor)).filter(removed_from_list_at__isnull=True)
    if state:
        found = found.filter(state=state)
    return found.order_by(F("due_at").asc(nulls_last=True), "-created_at", "id")


def provider_inbox(actor: Actor, *, state: str = "", query: str = "") -> QuerySet[Dossier]:
    """An organisation's list, sorted by the minute that runs out."""
    found = with_clock(visible_dossiers(actor))
    if state:
        found = found.filter(state=state)
    if query:
        found = found.filter(_says(query))
    return found.order_by(F("due_at").asc(nulls_last=True), "-created_at", "id")


def _says(query: str) -> Q:
    """A number as it is dictated, or words that are each in a name of the holder or in the title."""
    words = Q()
    for word in query.split():
        is_said = Q(offer__title__icontains=word)
        if key := name_key(word):
            for column in ("birth_name_key", "used_name_key", "first_names_key"):
                is_said |= Q((f"holder__{column}__contains", key))
        words &= is_said
    return Q(number__startswith="".join(query.split())) | words


def waiting_for(actor: Actor, *, at: datetime) -> QuerySet[Dossier]:
    """What this actor must do, the most urgent first; what is overdue is not waited for any more."""
    role = Role.PROVIDER if actor.is_provider else Role.HOLDER
    mine = [state for state, turn in WHOSE_TURN.items() if turn == role and state != State.ACCEPTED]
    found = with_clock(visible_dossiers(actor)).filter(state__in=mine, removed_from_list_at__isnull=True)
    return found.exclude(due_at__lte=at).order_by(F("due_at").asc(nulls_last=True), "-created_at", "id")


def is_overdue(dossier: Dossier, *, at: datetime) -> bool:
    """The answer is overdue, whether or not the job has passed (needs `with_clock`)."""
    due_at = getattr(dossier, "due_at", None)
    return CLOCK_OF.get(State(dossier.state)) in ANSWER_CLOCKS and due_at is not None and due_at <= at


def history(dossier: Dossier) -> list[Step]:
    """What happened, oldest first."""
    steps = [Step(dossier.created_at, _("Brouillon créé"), str(Role.HOLDER.label), "")]
    for move in Transition.objects.filter(dossier=dossier).order_by("id"):
        steps.append(Step(move.at, _title(move), str(Role(move.role).label), move.reason))
    return steps


def funding_lines(dossier: Dossier) -> list[FundingLine]:
    """How the latest round is paid, in order."""
    lines = list(
        FundingLine.objects.filter(dossier=dossier).select_related("source").order_by("round", "position")
    )
    last = lines[-1].round if lines else 0
    return [line for line in lines if line.round == last]


def _title(move: Transition) -> str:
    if move.verb == "withdraw":
        return _("Rétractation du titulaire : tout lui est rendu")
    if move.verb == "refuse_payment":
        return _("Paiement refusé")
    if move.verb == "confirm_payment":
        return _("Paiement reçu : inscription confirmée")
    if move.verb == "reinstate":
        return _("Dossier rétabli : %(state)s") % {"state": State(move.to_state).label}
    return str(State(move.to_state).label)

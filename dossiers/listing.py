"""Lists, counts and timelines for screens. Nothing here writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import models
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor, Role
from dossiers.models import Deadline, Dossier, FundingLine, Transition
from dossiers.permissions import visible_dossiers
from dossiers.states import (
    ANSWER_CLOCKS,
    CLOCK_OF,
    DATES_OF_A_HOLDER,
    FINAL_STATES,
    NOT_FOR_THE_ORGANISATION,
    VERB_WORDS,
    WHOSE_TURN,
    ClockKind,
    State,
)
from rights.kinds import PocketKind
from rulebook import workdays
from ui import french

# What ends a dossier is told by its last state, « Refusée par l’organisme »; here that would not say enough.
SAID_BY_THE_VERB = frozenset({"cancel_late", "grant_claim", "reject_claim", "leave_free", "undo_unanswered"})


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


class HolderView(models.TextChoices):
    """Which of a holder's dossiers their list shows."""

    ALL = "", gettext_lazy("Tous")
    MINE = "a-faire", gettext_lazy("À faire")
    ONGOING = "en-cours", gettext_lazy("En cours")
    OVER = "termines", gettext_lazy("Terminés")
    REMOVED = "retires", gettext_lazy("Retirés de la liste")


def holder_dossiers(
    actor: Actor, *, at: datetime, view: str = HolderView.ALL, state: str = "", query: str = ""
) -> QuerySet[Dossier]:
    """A holder's list: the minute that runs out first, then what goes on, then what is over, newest first."""
    found = with_clock(visible_dossiers(actor)).filter(_views(at=at)[HolderView(view)])
    if state:
        found = found.filter(state=state)
    if query:
        found = found.filter(_names(query))
    is_over = Case(When(state__in=FINAL_STATES, then=Value(1)), default=Value(0))
    return found.alias(is_over=is_over).order_by(
        F("due_at").asc(nulls_last=True), "is_over", "-created_at", "id"
    )


def holder_counts(actor: Actor, *, at: datetime) -> dict[HolderView, int]:
    """How many dossiers each view holds. One query."""
    counts = {view.name: Count("pk", filter=which) for view, which in _views(at=at).items()}
    found = with_clock(visible_dossiers(actor)).order_by().aggregate(**counts)
    return {HolderView[name]: count for name, count in found.items()}


def _views(*, at: datetime) -> dict[HolderView, Q]:
    listed = Q(removed_from_list_at__isnull=True)
    # What is overdue is over, whether or not the job has passed; a withdrawal that ended ends nothing.
    overdue = Q(
        state__in=[state for state, kind in CLOCK_OF.items() if kind in ANSWER_CLOCKS], due_at__lte=at
    )
    over = Q(state__in=FINAL_STATES) | overdue
    mine = [state for state, turn in WHOSE_TURN.items() if turn == Role.HOLDER]
    return {
        HolderView.ALL: listed,
        HolderView.MINE: listed & Q(state__in=mine) & ~overdue,
        HolderView.ONGOING: listed & ~over,
        HolderView.OVER: listed & over,
        HolderView.REMOVED: ~listed,
    }


def _names(query: str) -> Q:
    """A number as it is dictated, or words that are each in the title or in the organisation's name."""
    words = Q()
    for word in query.split():
        words &= Q(offer__title__unaccent__icontains=word) | Q(
            provider__organisation__name__unaccent__icontains=word
        )
    return Q(number__startswith="".join(query.split())) | words


def living(actor: Actor, *, at: datetime) -> QuerySet[Dossier]:
    """A holder's dossiers that go on; `to_pay_cents` while payment is awaited."""
    to_pay = FundingLine.objects.filter(
        dossier=OuterRef("pk"), kind=FundingLine.Kind.PAYMENT, dossier__state=State.AWAITING_PAYMENT
    ).order_by("-round")
    return holder_dossiers(actor, at=at, view=HolderView.ONGOING).annotate(
        to_pay_cents=Subquery(to_pay.values("amount_cents")[:1])
    )


def waiting_for(actor: Actor, *, at: datetime) -> QuerySet[Dossier]:
    """What this actor must do, the most urgent first; what is overdue is not waited for any more."""
    role = Role.PROVIDER if actor.is_provider else Role.HOLDER
    # A declaration is due on its day, and has its own tab: it is not waited for as an answer is.
    answers = [state for state, kind in CLOCK_OF.items() if kind in DATES_OF_A_HOLDER]
    mine = [
        state
        for state, turn in WHOSE_TURN.items()
        if turn == role and (state == State.DRAFT or state in answers) and state != State.ACCEPTED
    ]
    found = with_clock(visible_dossiers(actor)).filter(state__in=mine, removed_from_list_at__isnull=True)
    return found.exclude(due_at__lte=at).order_by(F("due_at").asc(nulls_last=True), "-created_at", "id")


def pressing_due(dossier: Dossier, *, at: datetime) -> datetime | None:
    """When what the organisation owes is due: its answer, or a declaration once its day has come (needs
    `with_clock`). None: nothing presses, or the clock has run out already."""
    today = workdays.paris_day(at)
    kind, due_at = getattr(dossier, "clock_kind", None), getattr(dossier, "due_at", None)
    has_come = {
        ClockKind.ENTRY: dossier.starts_on is not None and dossier.starts_on <= today,
        ClockKind.EXIT: dossier.ends_on is not None and dossier.ends_on <= today,
        ClockKind.COMPLETION: True,
    }
    return due_at if kind in ANSWER_CLOCKS or has_come.get(ClockKind(kind) if kind else None) else None


def is_overdue(dossier: Dossier, *, at: datetime) -> bool:
    """The answer is overdue, whether or not the job has passed (needs `with_clock`)."""
    due_at = getattr(dossier, "due_at", None)
    return CLOCK_OF.get(State(dossier.state)) in ANSWER_CLOCKS and due_at is not None and due_at <= at


def history(dossier: Dossier, *, for_provider: bool = False) -> list[Step]:
    """What happened, oldest first. `for_provider`: without what is not the organisation's business."""
    steps = [Step(dossier.created_at, _("Brouillon créé"), str(Role.HOLDER.label), "")]
    for move in Transition.objects.filter(dossier=dossier).order_by("id"):
        is_private = for_provider and move.verb in NOT_FOR_THE_ORGANISATION
        is_of_money = is_private and move.to_state == State.PROPOSED
        title = _("Réponse du financeur") if is_of_money else _title(move)
        reason = "" if is_private else move.reason
        steps.append(Step(move.at, title, str(Role(move.role).label), reason))
    return steps


def funding_lines(dossier: Dossier) -> list[FundingLine]:
    """How the latest round is paid, in order."""
    lines = list(
        FundingLine.objects.filter(dossier=dossier).select_related("source").order_by("round", "position")
    )
    last = lines[-1].round if lines else 0
    return [line for line in lines if line.round == last]


def lost_cents(lines: Iterable[FundingLine], *, at: datetime) -> int:
    """Of what these lines give back at that moment, what goes on to a funder or to the State: their holder
    has it no more."""
    return sum(
        line.amount_cents
        for line in lines
        if line.reserved_id and (has_ended(line, at=at) or is_of_the_state(line))
    )


def is_of_the_state(line: FundingLine) -> bool:
    """The State's top-up is for one training: undone, it goes back to the State."""
    return line.source is not None and line.source.kind == PocketKind.STATE_TOP_UP


def has_ended(line: FundingLine, *, at: datetime) -> bool:
    """The purse this line was taken from has passed its last day."""
    source = line.source
    return source is not None and source.expires_on is not None and source.expires_on < workdays.paris_day(at)


def _title(move: Transition) -> str:
    if move.verb == "withdraw":
        return _("Rétractation du titulaire : tout lui est rendu")
    if move.verb == "confirm_payment":
        return _("Paiement reçu : inscription confirmée")
    if move.verb == "postpone":
        days = {name: french.day(date.fromisoformat(move.details[name])) for name in ("starts_on", "ends_on")}
        return _("Report proposé : du %(starts_on)s au %(ends_on)s") % days
    if move.verb == "reinstate":
        return _("Dossier rétabli : %(state)s") % {"state": State(move.to_state).label}
    if move.to_state in FINAL_STATES and move.verb not in SAID_BY_THE_VERB:
        return str(State(move.to_state).label)
    if move.verb == "accept" and move.to_state == State.ACCEPTED:
        return _("Proposition validée : inscription confirmée")
    # The state says what was waited for then (« À valider par le titulaire »): it is done now.
    return str(VERB_WORDS[move.verb])

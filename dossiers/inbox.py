"""What an organisation reads of its dossiers: the inbox, its counts, places, what comes next."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import models
from django.db.models import Case, Count, F, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.matching import name_key
from catalog.models import Offer, Session
from dossiers import threads
from dossiers.listing import with_clock
from dossiers.models import Dossier, Postponement
from dossiers.permissions import visible_dossiers
from dossiers.states import ANSWER_CLOCKS, CLOCK_OF, FINAL_STATES, OPEN_ENDED, TO_ANSWER, State
from rulebook import workdays

TIMED = [state for state, kind in CLOCK_OF.items() if kind in ANSWER_CLOCKS]
"""The states in which silence ends the dossier."""
SEATED = [
    State.ACCEPTED,
    State.POSTPONED,
    State.AWAITING_PAYMENT,
    State.IN_TRAINING,
    State.ENDED,
    State.COMPLETION_DECLARED,
]
"""Those that keep a seat of a session taken."""
WAITING_FOR_A_YES = [State.PROPOSED, State.FUNDER_REVIEW, State.AWAITING_PAYMENT, State.POSTPONED]
"""Those to which the organisation has made a proposal."""
_SHOWN_NAME = Coalesce(NullIf("holder__used_name_key", Value("")), "holder__birth_name_key")


class View(models.TextChoices):
    """Which dossiers a tab of the inbox shows."""

    TO_ANSWER = "a-repondre", _("À répondre")
    PROPOSED = "proposees", _("Proposées")
    CONFIRMED = "confirmees", _("Confirmées")
    COMING = "a-venir", _("À venir")
    TO_DECLARE = "a-declarer", _("À déclarer")
    TRAINING = "en-formation", _("En formation")
    OVER = "terminees", _("Terminées")
    ALL = "toutes", _("Toutes")


class Order(models.TextChoices):
    URGENT = "", _("Le plus pressé d’abord")
    START = "debut", _("Le premier jour le plus proche")
    NEWEST = "recentes", _("Les plus récentes")
    NAME = "nom", _("Le nom du titulaire")
    TRAINING = "formation", _("La formation")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the filters of the inbox ask for."""

    view: str = View.TO_ANSWER
    query: str = ""
    training: UUID | None = None
    starts_from: date | None = None
    starts_to: date | None = None
    tonight: bool = False
    unread: bool = False
    order: str = Order.URGENT

    @property
    def is_filtered(self) -> bool:
        narrows = (self.query, self.training, self.starts_from, self.starts_to, self.tonight, self.unread)
        return any(narrows)


def found(actor: Actor, wanted: Wanted, *, at: datetime) -> QuerySet[Dossier]:
    """The rows of one tab, in order. `due_at`, `clock_kind` and `begins_on` come with each."""
    rows = _filtered(actor, wanted, at=at).filter(_views(at=at)[View(wanted.view)])
    order = Order(wanted.order)
    if order == Order.URGENT and wanted.view in {View.CONFIRMED, View.COMING}:
        order = Order.START  # nobody waits for an answer any more: the day that comes is what presses
    if order == Order.URGENT and wanted.view == View.TO_DECLARE:
        # What is late has no clock any more: it comes first.
        return rows.order_by(F("due_at").asc(nulls_first=True), "begins_on", "id")
    return rows.order_by(*_orders(at=at)[order], "id")


def counts(actor: Actor, wanted: Wanted, *, at: datetime) -> dict[View, int]:
    """How many dossiers each tab holds under the same filters. One query."""
    each = {view.name: Count("pk", filter=which) for view, which in _views(at=at).items()}
    totals = _filtered(actor, wanted, at=at).select_related(None).order_by().aggregate(**each)
    return {View[name]: total for name, total in totals.items()}


def _filtered(actor: Actor, wanted: Wanted, *, at: datetime) -> QuerySet[Dossier]:
    rows = with_clock(visible_dossiers(actor)).annotate(
        begins_on=Coalesce("starts_on", "session__starts_on", "wished_start")
    )
    if wanted.query:
        rows = rows.filter(_says(wanted.query))
    if wanted.training:
        rows = rows.filter(offer_id=wanted.training)
    if wanted.starts_from:
        rows = rows.filter(begins_on__gte=wanted.starts_from)
    if wanted.starts_to:
        rows = rows.filter(begins_on__lte=wanted.starts_to)
    if wanted.tonight:
        rows = rows.filter(state__in=TIMED, due_at__gt=at, due_at__lte=_tonight(at))
    if wanted.unread:
        rows = threads.only_unread(rows, actor)
    return rows


def _tonight(at: datetime) -> datetime:
    return workdays.midnight_after(workdays.paris_day(at))


def _views(*, at: datetime) -> dict[View, Q]:
    """What is overdue is over by comparison, whether or not the job has passed."""
    today = workdays.paris_day(at)
    overdue = Q(state__in=TIMED, due_at__lte=at)
    to_declare = (
        Q(state=State.ACCEPTED, starts_on__lte=today)
        | Q(state=State.IN_TRAINING, ends_on__lte=today)
        | Q(state=State.ENDED)
    )
    return {
        View.TO_ANSWER: Q(state__in=TO_ANSWER) & ~overdue,
        View.PROPOSED: Q(state__in=WAITING_FOR_A_YES) & ~overdue,
        View.CONFIRMED: Q(state=State.ACCEPTED),
        View.COMING: Q(state=State.ACCEPTED, starts_on__gt=today),
        View.TO_DECLARE: to_declare,
        View.TRAINING: Q(state__in=OPEN_ENDED),
        View.OVER: Q(state__in=FINAL_STATES) | overdue,
        View.ALL: Q(),
    }


def _orders(*, at: datetime) -> dict[Order, list]:
    presses = Case(When(state__in=TIMED, due_at__gt=at, then=F("due_at")))
    return {
        Order.URGENT: [presses.asc(nulls_last=True), "-created_at"],
        Order.START: [F("begins_on").asc(nulls_last=True), presses.asc(nulls_last=True)],
        Order.NEWEST: ["-created_at"],
        Order.NAME: [_SHOWN_NAME, "holder__first_names_key"],
        Order.TRAINING: ["offer__title", F("begins_on").asc(nulls_last=True)],
    }


def _says(query: str) -> Q:
    """A number as it is dictated, or words that are each in a name of the holder or in the title."""
    words = Q()
    for word in query.split():
        is_said = Q(offer__title__unaccent__icontains=word)
        if key := name_key(word):
            for column in ("birth_name_key", "used_name_key", "first_names_key"):
                is_said |= Q((f"holder__{column}__contains", key))
        words &= is_said
    return Q(number__startswith="".join(query.split())) | words


def trainings(actor: Actor) -> QuerySet[Offer]:
    """The offers that were ever asked for, by title."""
    asked = visible_dossiers(actor).order_by().values("offer_id")
    return Offer.objects.filter(pk__in=asked).only("title", "mode", "town_name").order_by("title", "pk")


def next_to_answer(actor: Actor, *, at: datetime, after: Dossier | None = None) -> Dossier | None:
    """The request whose minute runs out first, another than `after`."""
    waiting = found(actor, Wanted(), at=at)
    return (waiting.exclude(pk=after.pk) if after else waiting).first()


# --- Places ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    """How full a session is. `total` None: its size was not given; `left` None with it, never below 0."""

    total: int | None
    taken: int
    offered: int

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(self.total - self.taken - self.offered, 0)


def places_of(sessions: Iterable[Session], *, at: datetime) -> dict[UUID, Places]:
    """By key: seats taken (confirmed, being paid) and offered (proposals that still run, other dates for a
    confirmed registration among them where the size is given). One query, two where one has a size."""
    sessions = list(sessions)
    going_on = with_clock(Dossier.objects.filter(session__in=sessions)).exclude(
        state__in=TIMED, due_at__lte=at
    )
    totals = (
        going_on.select_related(None)
        .order_by()
        .values("session_id")
        .annotate(
            taken=Count("pk", filter=Q(state__in=SEATED)),
            offered=Count("pk", filter=Q(state__in=[State.PROPOSED, State.FUNDER_REVIEW])),
        )
    )
    known = {row["session_id"]: row for row in totals}
    coming = Counter(_coming_from_another([each for each in sessions if each.places], at=at))
    return {
        session.pk: Places(
            session.places,
            known.get(session.pk, {}).get("taken", 0),
            known.get(session.pk, {}).get("offered", 0) + coming[session.pk],
        )
        for session in sessions
    }


def _coming_from_another(sessions: list[Session], *, at: datetime) -> QuerySet[Dossier, UUID]:
    """For each registration that waits with a seat in one of these sessions instead of its own: which one."""
    last = Postponement.objects.filter(dossier=OuterRef("pk")).order_by("-id")
    moving = with_clock(Dossier.objects.filter(state=State.POSTPONED, postponements__session__in=sessions))
    return (
        moving.select_related(None)
        .order_by()
        .filter(due_at__gt=at)
        .annotate(to=Subquery(last.values("session_id")[:1]))
        .filter(to__in=[session.pk for session in sessions])
        .exclude(session_id=F("to"))
        .distinct()
        .values_list("to", flat=True)
    )


# --- Home ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Desk:
    """What an organisation's home counts. `first_due`: the next minute that runs out, if one does."""

    to_answer: int
    to_answer_today: int
    to_declare: int
    proposed: int
    starting_this_week: int
    all: int
    first_due: datetime | None


def desk(actor: Actor, *, at: datetime) -> Desk:
    """The figures of the organisation's home. One query."""
    today = workdays.paris_day(at)
    sunday = today + timedelta(days=6 - today.weekday())
    views = _views(at=at)
    waiting = views[View.TO_ANSWER]
    rows = with_clock(visible_dossiers(actor)).select_related(None).order_by()
    totals = rows.aggregate(
        to_answer=Count("pk", filter=waiting),
        to_answer_today=Count("pk", filter=waiting & Q(due_at__lte=_tonight(at))),
        to_declare=Count("pk", filter=views[View.TO_DECLARE]),
        proposed=Count("pk", filter=views[View.PROPOSED]),
        starting_this_week=Count(
            "pk", filter=Q(state=State.ACCEPTED, starts_on__gte=today, starts_on__lte=sunday)
        ),
        all=Count("pk"),
        first_due=Min("due_at", filter=waiting),
    )
    return Desk(**totals)

"""Many clocks that are over at once: what the verbs do one by one, done to a lot in a handful of statements.

The same rows as the verbs write (tests/dossiers/test_lots.py compares both). What is not plain is left, and
the caller takes it through the verb: a holder has paid, a card is being asked, a funder gave for this dossier
alone, somebody acts right now. A fault in one is a fault of its lot: nothing of it is written.

Locks: the dossiers first, those that nobody else holds (`SKIP LOCKED`: nobody waits here), then every pocket
in one statement (docs/locks.md).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

import rulebook
from accounts import listing as people
from accounts.actors import SYSTEM
from accounts.models import User
from dossiers import announcements, moves
from dossiers.models import CardPayment, Deadline, Dossier, FundingLine, Transition
from dossiers.states import MOVES, SILENT_PARTY, THEN, ClockKind, State
from notices import outbox
from rights import ledger
from rulebook import workdays


class Due(NamedTuple):
    """A clock that is over."""

    clock_id: int
    dossier_id: UUID
    kind: ClockKind

    @property
    def request_id(self) -> UUID:
        """The same clock always gives the same request: two workers, one move."""
        return uuid5(NAMESPACE_URL, f"deadline:{self.clock_id}")


# What is said of a dossier: an offer has long texts that nobody reads here.
READ = (
    *(field.name for field in Dossier._meta.concrete_fields),
    *("holder__first_names", "holder__used_name", "holder__birth_name", "offer__title"),
    *("holder__user__email", "holder__user__is_active", "session__starts_on", "session__ends_on"),
    *("provider__organisation__name", "provider__organisation__email"),
)

Settle = Callable[[Sequence[Due], datetime], set[int]]
"""Settle what is plain of clocks of one kind, in one transaction; the ids of those that were."""


@transaction.atomic
def lapse(due: Sequence[Due], at: datetime) -> set[int]:
    """As `workflow.lapse`."""
    dossiers = _lock(due, at=at)
    lines = _last_rounds(dossiers)
    for pk in _not_plain(dossiers, lines):
        del dossiers[pk]
    reservations = (moves.reservation_of(dossier, lines[pk]) for pk, dossier in dossiers.items())
    ledger.release_many([each for each in reservations if each], at=at, by=SYSTEM)
    settled = [each for each in due if each.dossier_id in dossiers]
    for party, silences in groupby(settled, key=lambda each: SILENT_PARTY[each.kind]):
        silent = [each.dossier_id for each in silences]
        Dossier.objects.filter(pk__in=silent).update(silent_party=party)
        for pk in silent:
            dossiers[pk].silent_party = party
    transitions = Transition.objects.bulk_create(
        moves.new_transition(
            dossiers[each.dossier_id],
            "lapse",
            State.LAPSED,
            by=SYSTEM,
            at=at,
            request_id=each.request_id,
            cause=each.kind,
        )
        for each in settled
    )
    Deadline.objects.filter(dossier__in=dossiers, closed_at__isnull=True).update(
        closed_at=at, outcome=Deadline.Outcome.MISSED, next_reminder_at=None
    )
    teams = Teams()
    for transition in transitions:
        transition.dossier.state = State.LAPSED
    outbox.write_many(
        (
            letter
            for transition in transitions
            for letter in announcements.letters_of(
                transition.dossier,
                transition,
                lines=lines[transition.dossier_id],
                team=teams.of(transition.dossier),
                at=at,
            )
        ),
        at=at,
    )
    return {each.clock_id for each in settled}


@transaction.atomic
def end_withdrawal(due: Sequence[Due], at: datetime) -> set[int]:
    """Nothing happens to the dossier: it cannot be cancelled freely any more, and its first day comes."""
    dossiers = _lock(due, at=at)
    rules = rulebook.on(workdays.paris_day(at))
    Deadline.objects.bulk_create(
        moves.new_clock(dossier, THEN[ClockKind.WITHDRAWAL], at=at, rules=rules)
        for dossier in dossiers.values()
    )
    return _close_missed(due, dossiers, at=at)


@transaction.atomic
def tell_late(due: Sequence[Due], at: datetime) -> set[int]:
    """A declaration is overdue: its organisation is told, and no money moves (docs/decisions.md, 14)."""
    dossiers = _lock(due, at=at)
    clocks = Deadline.objects.in_bulk([each.clock_id for each in due])
    teams = Teams()
    outbox.write_many(
        (
            letter
            for each in due
            if (dossier := dossiers.get(each.dossier_id))
            for letter in announcements.letters_of_lateness(
                dossier, clocks[each.clock_id], team=teams.of(dossier)
            )
        ),
        at=at,
    )
    return _close_missed(due, dossiers, at=at)


@transaction.atomic
def flag(due: Sequence[Due], at: datetime) -> set[int]:
    """A decision of ours is overdue: the operator's desk shows it, nobody loses anything by it."""
    return _close_missed(due, _lock(due, at=at), at=at)


# --- What they are made of ---------------------------------------------------------------------------------


def _lock(due: Sequence[Due], *, at: datetime) -> dict[UUID, Dossier]:
    """The dossiers of these clocks that nobody else holds and whose clock is still over, under lock."""
    wanted = {each.dossier_id: each for each in due}
    found = (
        Dossier.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("holder__user", "provider__organisation", "offer", "session")
        .only(*READ)
        .in_bulk(wanted)
    )
    # Read under the lock: whoever answered or moved a deadline has done it before.
    over = set(
        Deadline.objects.filter(
            pk__in=[each.clock_id for each in due], closed_at__isnull=True, due_at__lte=at
        ).values_list("pk", flat=True)
    )
    return {pk: dossier for pk, dossier in found.items() if wanted[pk].clock_id in over}


def _last_rounds(dossiers: Collection[UUID]) -> dict[UUID, list[FundingLine]]:
    """How the latest round of each is paid, in order."""
    lines: dict[UUID, list[FundingLine]] = {pk: [] for pk in dossiers}
    found = FundingLine.objects.filter(dossier__in=dossiers).select_related("source")
    for line in found.order_by("round", "position"):
        mine = lines[line.dossier_id]
        if mine and mine[-1].round != line.round:
            mine.clear()
        mine.append(line)
    return lines


def _not_plain(dossiers: Mapping[UUID, Dossier], lines: Mapping[UUID, list[FundingLine]]) -> set[UUID]:
    """Left to the verb: paid, being paid, helped by a funder, or not where their clock says."""
    paid = FundingLine.Kind.PAYMENT
    strange = {pk for pk, dossier in dossiers.items() if dossier.state not in MOVES["lapse"].sources}
    strange |= {pk for pk in dossiers if any(line.kind == paid and line.reserved_id for line in lines[pk])}
    asked = CardPayment.objects.filter(dossier__in=dossiers, state__in=CardPayment.LIVE)
    helped = Transition.objects.filter(dossier__in=dossiers, verb="grant_top_up")
    return strange.union(
        asked.values_list("dossier_id", flat=True), helped.values_list("dossier_id", flat=True)
    )


def _close_missed(due: Sequence[Due], dossiers: Collection[UUID], *, at: datetime) -> set[int]:
    """Close the clocks of these dossiers, under their lock; the ids of those that were."""
    closed = {each.clock_id for each in due if each.dossier_id in dossiers}
    Deadline.objects.filter(pk__in=closed).update(
        closed_at=at, outcome=Deadline.Outcome.MISSED, next_reminder_at=None
    )
    return closed


class Teams:
    """Who can sign in for each organisation of a lot, asked once."""

    def __init__(self) -> None:
        self._known: dict[UUID, list[User]] = {}

    def of(self, dossier: Dossier) -> list[User]:
        organisation = dossier.provider.organisation
        if organisation.pk not in self._known:
            self._known[organisation.pk] = people.people_of(organisation)
        return self._known[organisation.pk]

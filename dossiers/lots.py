"""Many clocks that are over at once: what the verbs do one by one, done to a lot in a handful of statements.

The same rows as the verbs write (tests/dossiers/test_lots.py compares both). What is not plain is left, and
the caller takes it through the verb: a holder has paid, a card is being asked, a funder gave for this dossier
alone, somebody acts right now. A fault in one is a fault of its lot: nothing of it is written.

Locks: the dossiers first, those that nobody else holds (`SKIP LOCKED`: nobody waits here), then every pocket
in one statement (docs/locks.md).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

import rulebook
from accounts import listing as people
from accounts.actors import SYSTEM
from dossiers import announcements, clocks, moves, settlement, training
from dossiers.models import CardPayment, Completion, Control, Deadline, Dossier, FundingLine, Transition
from dossiers.settlement import Cause
from dossiers.states import MOVES, SILENT_PARTY, THEN, ClockKind, State
from notices import outbox
from notices.outbox import Letter
from rights import ledger
from rulebook import Rules, workdays


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
    dossiers = _lock(due, at=at, verb="lapse")
    lines = _last_rounds(dossiers)
    for pk in _paid(lines) | _being_paid(dossiers):
        del dossiers[pk]
    reservations = (moves.reservation_of(dossier, lines[pk]) for pk, dossier in dossiers.items())
    ledger.release_many([each for each in reservations if each], at=at, by=SYSTEM)
    settled = [each for each in due if each.dossier_id in dossiers]
    party = SILENT_PARTY[due[0].kind]
    Dossier.objects.filter(pk__in=dossiers).update(silent_party=party)
    for dossier in dossiers.values():
        dossier.silent_party = party
    transitions = [
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
    ]
    _move(transitions, lines, outcome=Deadline.Outcome.MISSED, at=at)
    return {each.clock_id for each in settled}


@transaction.atomic
def settle_absence(due: Sequence[Due], at: datetime) -> set[int]:
    """As `training.settle_absence`."""
    dossiers = _lock(due, at=at, verb="settle_absence")
    ends = dict.fromkeys(dossiers, (Cause.NO_SHOW, None))
    return _settle(
        due,
        dossiers,
        ends,
        "settle_absence",
        State.NO_SHOW,
        cause="late",
        outcome=Deadline.Outcome.MISSED,
        at=at,
    )


@transaction.atomic
def validate(due: Sequence[Due], at: datetime) -> set[int]:
    """As `training.validate`, when nobody looks at the completion."""
    dossiers = _lock(due, at=at, verb="validate")
    looked_at = Control.objects.filter(dossier__in=dossiers, released_at__isnull=True)
    for pk in set(looked_at.values_list("dossier_id", flat=True)):
        del dossiers[pk]
    made = Completion.objects.filter(dossier__in=dossiers).order_by("version")
    # The last version stands.
    ends = {each.dossier_id: (training.cause_of(each), training.rate_of(each)) for each in made}
    return _settle(due, dossiers, ends, "validate", State.COMPLETION_VALIDATED, at=at)


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
    overdue = Deadline.objects.in_bulk([each.clock_id for each in due])
    teams = people.people_of_each({dossier.provider_id for dossier in dossiers.values()})
    outbox.write_many(
        (
            letter
            for each in due
            if (dossier := dossiers.get(each.dossier_id))
            for letter in announcements.letters_of_lateness(
                dossier, overdue[each.clock_id], team=teams[dossier.provider_id]
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


def _lock(due: Sequence[Due], *, at: datetime, verb: str = "") -> dict[UUID, Dossier]:
    """The dossiers of these clocks that nobody else holds and whose clock is still over, under lock.

    For a verb: those that it moves, without those that a funder gave for, since it is given back too.
    """
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
    found = {pk: dossier for pk, dossier in found.items() if wanted[pk].clock_id in over}
    if not verb:
        return found
    helped = Transition.objects.filter(dossier__in=found, verb="grant_top_up")
    left = set(helped.values_list("dossier_id", flat=True))
    return {
        pk: dossier
        for pk, dossier in found.items()
        if dossier.state in MOVES[verb].sources and pk not in left
    }


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


def _paid(lines: Mapping[UUID, Sequence[FundingLine]]) -> set[UUID]:
    """Those whose holder has paid: what is given back is owed by the bank too."""
    paid = FundingLine.Kind.PAYMENT
    return {pk for pk, mine in lines.items() if any(line.kind == paid and line.reserved_id for line in mine)}


def _being_paid(dossiers: Collection[UUID]) -> set[UUID]:
    """Those of which the bank may have said yes in time."""
    asked = CardPayment.objects.filter(dossier__in=dossiers, state__in=CardPayment.LIVE)
    return set(asked.values_list("dossier_id", flat=True))


def _laws(dossiers: Collection[UUID]) -> dict[UUID, Rules]:
    """As `moves.law_of`: each day's law is asked once."""
    confirmed = Transition.objects.filter(dossier__in=dossiers, **moves.CONFIRMS).order_by("id")
    days = {pk: workdays.paris_day(at) for pk, at in confirmed.values_list("dossier_id", "at")}
    known = {day: rulebook.on(day) for day in set(days.values())}
    return {pk: known[day] for pk, day in days.items()}


def _settle(
    due: Sequence[Due],
    dossiers: dict[UUID, Dossier],
    ends: Mapping[UUID, tuple[Cause, int | None]],
    verb: str,
    target: State,
    *,
    at: datetime,
    cause: str = "",
    outcome: Deadline.Outcome = Deadline.Outcome.MET,
) -> set[int]:
    """Every euro of these orders goes where the matrix says. `ends`: dossier → why it ends, and its rate."""
    lines, laws = _last_rounds(dossiers), _laws(dossiers)
    split = {
        pk: settlement.split(moves.order_of(dossier, lines[pk]), ends[pk][1], ends[pk][0], laws[pk])
        for pk, dossier in dossiers.items()
    }
    for pk, settled in split.items():
        if settled.refunded_card_cents:
            del dossiers[pk]
    ledger.settle_many(
        [moves.settlement_of(dossier, lines[pk], split[pk], ends[pk][0]) for pk, dossier in dossiers.items()],
        at=at,
        by=SYSTEM,
    )
    done = [each for each in due if each.dossier_id in dossiers]
    transitions = [
        moves.new_transition(
            dossiers[each.dossier_id],
            verb,
            target,
            by=SYSTEM,
            at=at,
            request_id=each.request_id,
            cause=cause,
            details=moves.told(split[each.dossier_id], *ends[each.dossier_id]),
        )
        for each in done
    ]
    _move(transitions, lines, outcome=outcome, at=at)
    return {each.clock_id for each in done}


def _move(
    transitions: Sequence[Transition],
    lines: Mapping[UUID, Sequence[FundingLine]],
    *,
    outcome: Deadline.Outcome,
    at: datetime,
) -> None:
    """Write them (their trigger moves the dossiers), stop whatever runs, tell people. They end there."""
    Transition.objects.bulk_create(transitions)
    moved = [transition.dossier_id for transition in transitions]
    clocks.close(Deadline.objects.filter(dossier__in=moved), at=at, outcome=outcome)
    teams = people.people_of_each({transition.dossier.provider_id for transition in transitions})
    letters: list[Letter] = []
    for transition in transitions:
        dossier = transition.dossier
        dossier.state = transition.to_state
        letters += announcements.letters_of(
            dossier, transition, lines=lines[dossier.pk], team=teams[dossier.provider_id], at=at
        )
    outbox.write_many(letters, at=at)


def _close_missed(due: Sequence[Due], dossiers: Collection[UUID], *, at: datetime) -> set[int]:
    """Close the clocks of these dossiers, under their lock; the ids of those that were."""
    closed = {each.clock_id for each in due if each.dossier_id in dossiers}
    clocks.close(Deadline.objects.filter(pk__in=closed), at=at, outcome=Deadline.Outcome.MISSED)
    return closed

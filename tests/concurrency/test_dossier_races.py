"""Two people, or two hundred, act on the same money or the same dossier at the same moment.

Each guard is first shown to be needed: without it, the fault happens. `PORTAL_RACE_ROUNDS` says how
many rounds the last test plays (docs/operations.md).
"""

import os
import uuid
from collections import Counter
from functools import partial

import pytest
from django.db import connection

import rulebook
from accounts.actors import SYSTEM
from catalog.models import Session
from dossiers import clocks, postponement, workflow
from dossiers.models import Deadline, Dossier, FundingLine, Postponement, Transition
from dossiers.states import ClockKind, State
from rights import integrity, ledger
from rights.models import Movement
from rulebook import workdays
from tests.concurrency.crowd import met_after, together
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    act,
    holder_actor,
    in_business_days,
    propose_as_asked,
    provider_actor,
    put_off,
)
from tests.factories.rights import CreditFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(os.environ.get("PORTAL_RACE_ROUNDS", "25"))
PRICE_CENTS = 10_000


def proposals(holder, *, at, count):
    """So many proposals of the same price for one holder, each for a training of its own."""
    found = []
    for _number in range(count):
        dossier = DossierFactory(
            at=at, holder=holder, price_cents=PRICE_CENTS, balance_cents=0, proposed=True
        )
        found.append(dossier)
    return found


def accept_all(dossiers, *, at):
    """Every proposal is accepted at once by someone who saw « nothing left to pay »."""
    fingerprints = [
        workflow.plan_for(dossier, at=at, rules=rulebook.on(workdays.paris_day(at))).fingerprint
        for dossier in dossiers
    ]
    return together(
        [
            partial(act, "accept", dossier, at=at, seen_plan=seen)
            for dossier, seen in zip(dossiers, fingerprints, strict=True)
        ]
    )


def test_forty_acceptances_with_money_for_twenty_are_exactly_twenty(at):
    holder = HolderFactory(status="job_seeker")
    dossiers = proposals(holder, at=at, count=40)
    CreditFactory(holder=holder, amount=20 * PRICE_CENTS, at=at)
    outcomes = accept_all(dossiers, at=at)
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 20, Refused: 20}
    assert Dossier.objects.filter(state=State.ACCEPTED).count() == 20
    assert ledger.purses(holder, at=at) == []
    assert integrity.check() == []


def test_without_the_locks_and_the_databases_last_word_the_same_crowd_oversells(
    at, monkeypatch, unguarded_ledger
):
    """The negative control: what the test above would find if the guards were not there."""
    holder = HolderFactory(status="job_seeker")
    dossiers = proposals(holder, at=at, count=40)
    CreditFactory(holder=holder, amount=20 * PRICE_CENTS, at=at)
    met_after(monkeypatch, ledger, "_check_usable", crowd=len(dossiers))
    with unguarded_ledger():
        accept_all(dossiers, at=at)
        assert Dossier.objects.filter(state=State.ACCEPTED).count() == 40
        assert integrity.check() != []


def test_two_hundred_identical_requests_from_twenty_connections_are_one_move(at):
    holder = HolderFactory(status="job_seeker")
    dossier = DossierFactory(at=at, holder=holder, proposed=True)
    before = Transition.objects.count()
    request_id = uuid.uuid4()
    calls = [partial(act, "accept", dossier, at=at, request_id=request_id)] * 200
    outcomes = together(calls, connections=20)
    assert {type(outcome) for outcome in outcomes} == {Dossier}
    assert Transition.objects.count() == before + 1
    assert FundingLine.objects.filter(dossier=dossier).count() == 1
    assert Movement.objects.filter(kind="reserve").count() == 1
    assert integrity.check() == []


def test_two_sixth_requests_at_once_are_counted_one_after_the_other(at):
    holder = HolderFactory(status="job_seeker")
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    make = partial(DossierFactory, at=at, holder=holder, session=session, balance_cents=0)
    for _number in range(4):
        make(requested=True)
    outcomes = together([partial(act, "submit", make(), at=at) for _ in range(6)])
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 1, Refused: 5}


def test_cancelling_lapsing_and_paying_at_once_end_in_one_state_with_one_release(at):
    """Cancel against lapse against payment, round after round: one of them happens, once."""
    holder = HolderFactory()
    session = SessionFactory(starts_on=in_business_days(at, 40), ends_on=in_business_days(at, 50))
    session.offer.price_cents = 100_000
    session.offer.save()
    CreditFactory(holder=holder, amount=50_000, at=at)
    ends = Counter()
    for number in range(ROUNDS):
        dossier = awaiting_payment(holder, session, at=at)
        due_at = clocks.running(dossier, ClockKind.PAYMENT).due_at
        together(
            [
                partial(act, "cancel", dossier, at=at),
                partial(act, "lapse", dossier, at=due_at, by=SYSTEM),
                partial(
                    act, "confirm_payment", dossier, at=at, reference=f"VIR-{number}", amount_cents=50_000
                ),
            ]
        )
        dossier.refresh_from_db()
        ends[dossier.state] += 1
        moves = Transition.objects.filter(dossier=dossier, from_state=State.AWAITING_PAYMENT)
        assert moves.count() == 1
        if dossier.state == State.ACCEPTED:
            act("withdraw", dossier, at=at)
        reserved = FundingLine.objects.get(dossier=dossier, kind="purse").reserved
        assert Movement.objects.filter(source=reserved, kind="release").count() == 1
        assert [purse.balance for purse in ledger.purses(holder, at=at)] == [50_000]
    assert sum(ends.values()) == ROUNDS
    assert set(ends) <= {State.CANCELLED_BY_HOLDER, State.LAPSED, State.ACCEPTED}
    assert Deadline.objects.filter(closed_at__isnull=True).count() == 0
    assert integrity.check() == []


def test_accepting_declining_and_lapsing_at_once_end_in_one_state(at):
    holder = HolderFactory(status="job_seeker")
    CreditFactory(holder=holder, amount=100_000, at=at)
    for _round in range(ROUNDS):
        dossier = DossierFactory(at=at, holder=holder, proposed=True, balance_cents=0, price_cents=60_000)
        due_at = clocks.running(dossier, ClockKind.HOLDER_ANSWER).due_at
        together(
            [
                partial(act, "accept", dossier, at=at),
                partial(act, "decline", dossier, at=at),
                partial(act, "lapse", dossier, at=due_at),
            ]
        )
        dossier.refresh_from_db()
        assert Transition.objects.filter(dossier=dossier, from_state=State.PROPOSED).count() == 1
        if dossier.state == State.ACCEPTED:
            act("withdraw", dossier, at=at)
        assert [purse.balance for purse in ledger.purses(holder, at=at)] == [100_000]
    assert integrity.check() == []


def test_agreeing_leaving_taking_back_and_silence_at_once_are_one_answer(at):
    """Whatever comes first, the registration has one end and its money one place."""
    holder = HolderFactory(status="job_seeker")
    CreditFactory(holder=holder, amount=100_000, at=at)
    ends = Counter()
    for _round in range(ROUNDS):
        dossier = DossierFactory(at=at, holder=holder, postponed=True, balance_cents=0, price_cents=60_000)
        due_at = clocks.running(dossier, ClockKind.POSTPONEMENT).due_at
        together(
            [
                partial(act, "agree_to_dates", dossier, at=at),
                partial(act, "leave_free", dossier, at=at),
                partial(act, "keep_dates", dossier, at=at),
                partial(act, "undo_unanswered", dossier, at=due_at),
            ]
        )
        dossier.refresh_from_db()
        ends[dossier.state] += 1
        assert Transition.objects.filter(dossier=dossier, from_state=State.POSTPONED).count() == 1
        if dossier.state == State.ACCEPTED:
            act("withdraw", dossier, at=at)
        reserved = FundingLine.objects.get(dossier=dossier, kind="purse").reserved
        assert Movement.objects.filter(source=reserved, kind="release").count() == 1
        assert [purse.balance for purse in ledger.purses(holder, at=at)] == [100_000]
    assert set(ends) <= {State.ACCEPTED, State.CANCELLED_BY_PROVIDER}
    assert Deadline.objects.filter(closed_at__isnull=True).count() == 0
    assert integrity.check() == []


def test_ten_registrations_and_one_last_seat_are_one_proposal(at):
    dossiers = [DossierFactory(at=at, accepted=True)]
    dossiers += [DossierFactory(at=at, accepted=True, session=dossiers[0].session) for _ in range(9)]
    day = in_business_days(at, 60)
    new = SessionFactory(offer=dossiers[0].offer, starts_on=day, ends_on=day, places=1)
    move = {"session_id": new.pk, "starts_on": day, "ends_on": day}
    provider_actor(dossiers[0].provider)
    outcomes = together([partial(put_off, dossier, at=at, **move) for dossier in dossiers])
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 1, Refused: 9}
    assert Postponement.objects.count() == 1


def test_without_its_lock_the_last_seat_is_offered_more_than_once(at, monkeypatch):
    """The negative control: everyone has counted the seats before anyone writes."""
    dossiers = [DossierFactory(at=at, accepted=True)]
    dossiers += [DossierFactory(at=at, accepted=True, session=dossiers[0].session) for _ in range(4)]
    day = in_business_days(at, 60)
    new = SessionFactory(offer=dossiers[0].offer, starts_on=day, ends_on=day, places=1)
    move = {"session_id": new.pk, "starts_on": day, "ends_on": day}
    provider_actor(dossiers[0].provider)
    met_after(monkeypatch, postponement, "check_session", crowd=len(dossiers))
    monkeypatch.setattr(postponement, "lock_session", lambda dossier, session_id: new)
    outcomes = together([partial(put_off, dossier, at=at, **move) for dossier in dossiers])
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 5}


def awaiting_payment(holder, session, *, at):
    """A dossier of this holder that waits for its payment, its rights reserved."""
    by = holder_actor(holder)
    dossier = workflow.create(Session.objects.get(pk=session.pk).pk, by=by, at=at, request_id=uuid.uuid4())
    workflow.edit(dossier.pk, by=by, fields={"project": "Changer de métier."})
    dossier = act("submit", dossier, at=at)
    dossier = propose_as_asked(dossier, at=at)
    return act("accept", dossier, at=at)


def test_a_transition_from_a_state_the_dossier_has_left_is_refused_by_the_database(at):
    """The database has the last word, were a verb to forget its lock."""
    dossier = DossierFactory(at=at, requested=True)
    stale = Transition(
        dossier=dossier,
        verb="submit",
        from_state=State.DRAFT,
        to_state=State.REQUESTED,
        role="holder",
        at=at,
        request_id=uuid.uuid4(),
    )
    with pytest.raises(Exception, match="transition_moves_its_dossier"):
        stale.save()
    with pytest.raises(Exception, match="dossier_state_follows_transitions"):
        Dossier.objects.filter(pk=dossier.pk).update(state=State.ACCEPTED)
    assert connection.is_usable()


def test_one_transfer_recorded_on_two_dossiers_at_once_pays_one(at):
    dossiers = [DossierFactory(at=at, awaiting_payment=True) for _ in range(2)]
    outcomes = together(
        [
            partial(act, "confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=90_000)
            for dossier in dossiers
        ]
    )
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 1, Refused: 1}
    assert integrity.check() == []


def test_one_seat_validated_from_two_tabs_is_taken_once(at):
    first = DossierFactory(at=at, proposed=True)
    second = DossierFactory(at=at, holder=first.holder, session=first.session, proposed=True)
    outcomes = together([partial(act, "accept", dossier, at=at) for dossier in (first, second)])
    assert Counter(type(outcome) for outcome in outcomes) == {Dossier: 1, Refused: 1}
    assert Movement.objects.filter(kind="reserve").count() == 1

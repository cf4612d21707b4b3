"""Sweeps at once, and people who act while one passes: every clock is settled once."""

import logging
from collections import Counter
from functools import partial
from threading import Barrier

import pytest

from dossiers import clocks, deadlines, lots
from dossiers.models import Dossier, Transition
from dossiers.states import CLOCK_OF, ClockKind, State
from notices.models import Notice
from rights import integrity, ledger
from tests.concurrency.conftest import taking_no_lock
from tests.concurrency.crowd import together
from tests.factories.accounts import HolderFactory
from tests.factories.dossiers import DossierFactory, act
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)


def over(dossiers):
    """When the clocks of all of them are over."""
    return max(clocks.running(each, CLOCK_OF[State(each.state)]).due_at for each in dossiers)


@pytest.fixture
def read_together(monkeypatch):
    """Two sweeps have both read their lot before either goes on."""
    barrier, read = Barrier(2, timeout=30), lots._last_rounds

    def read_then_wait(dossiers):
        found = read(dossiers)
        barrier.wait()
        return found

    monkeypatch.setattr(lots, "_last_rounds", read_then_wait)


def test_two_sweeps_without_a_lock_take_the_same_lot_and_one_fails(at, read_together, caplog):
    waiting = [DossierFactory(at=at, requested=True) for _number in range(5)]
    with taking_no_lock(), caplog.at_level(logging.ERROR):
        together([partial(deadlines.settle_overdue, at=over(waiting))] * 2)
    assert "settled one by one" in caplog.text


def test_two_sweeps_share_a_lot_and_none_fails(at, read_together, caplog):
    waiting = [DossierFactory(at=at, requested=True) for _number in range(5)]
    reports = together([partial(deadlines.settle_overdue, at=over(waiting))] * 2)
    assert sorted(report.settled for report in reports) == [0, 5]
    assert "settled one by one" not in caplog.text
    assert Transition.objects.filter(verb="lapse").count() == 5


def test_several_workers_give_back_the_money_of_one_person_from_lots_of_their_own(at, monkeypatch):
    """Each lot empties pockets of its own into the one purse that all of them were filled from."""
    monkeypatch.setattr(deadlines, "LOT", 3)
    holder = HolderFactory()
    waiting = []
    for _number in range(12):
        waiting.append(DossierFactory(at=at, holder=holder, awaiting_payment=True, price_cents=50_000))
    due_at = over(waiting)
    report = deadlines.settle_overdue(at=due_at, workers=3)
    assert (report.settled, report.set_aside) == (12, {})
    [purse] = ledger.purses(holder, at=due_at)
    assert purse.balance == 12 * 10_000
    assert integrity.check() == []


def test_whoever_answers_while_the_sweep_passes_answers_or_is_too_late(at):
    waiting = [DossierFactory(at=at, requested=True) for _number in range(12)]
    due_at, told = over(waiting), Notice.objects.count()
    outcomes = together(
        [
            *(partial(act, "refuse", each, at=at, reason="Session complète.") for each in waiting),
            *[partial(deadlines.settle_overdue, at=due_at)] * 2,
        ],
        connections=6,
    )
    assert {type(outcome) for outcome in outcomes} <= {Dossier, Refused, deadlines.Report}
    deadlines.settle_overdue(at=due_at)
    ends = Counter(Dossier.objects.values_list("state", flat=True))
    assert ends[State.REFUSED_BY_PROVIDER] == [type(each) for each in outcomes].count(Dossier)
    assert ends[State.REFUSED_BY_PROVIDER] + ends[State.LAPSED] == 12
    assert Transition.objects.filter(verb__in=("lapse", "refuse")).count() == 12
    assert Notice.objects.count() > told
    assert not Dossier.objects.filter(deadlines__closed_at=None, deadlines__kind=ClockKind.PROVIDER_ANSWER)

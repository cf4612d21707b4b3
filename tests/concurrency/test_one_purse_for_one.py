"""Two hundred people, in four processes, spend at once from a pocket, or an envelope, with enough for one.

`PORTAL_RACE_ROUNDS=100` plays a hundred rounds (docs/operations.md).
"""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import dotations, integrity
from rights.kinds import MovementKind
from rights.models import Movement, Pocket
from tests.concurrency.test_ledger_races import without
from tests.conftest import ROOT
from tests.factories.accounts import HolderFactory
from tests.factories.dotations import EnvelopeFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("the_ledger_alone"),
    # Two crowds of 200 connections at once would be more than the server takes.
    pytest.mark.xdist_group("two-hundred"),
]

PRICE = 1_234_56
PROCESSES, PEOPLE = 4, 200
ROUNDS = int(os.environ.get("PORTAL_RACE_ROUNDS", "3"))
# Without guards the fault is a matter of chance, though not much of one: so many rounds to show it.
UNGUARDED_ROUNDS = 3


class Crowd:
    """Four processes that wait, connected; each order lets them go together and gives what came of each."""

    def __init__(self, *, guarded=True):
        words = [sys.executable, "-m", "tests.concurrency.spender", connection.settings_dict["NAME"]]
        words += [str(PEOPLE // PROCESSES), *([] if guarded else ["--unguarded"])]
        self.processes = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for _number in range(PROCESSES)
        ]
        if [each.stdout.readline() for each in self.processes] != ["ready\n"] * PROCESSES:
            for each in self.processes:
                each.kill()
            self.leave()
            pytest.fail("the crowd could not gather", pytrace=False)

    def spend(self, purse, round_number):
        order = {"pocket": str(purse.pk), "price": PRICE, "round": round_number}
        return self._go([order] * PROCESSES)

    def give(self, envelope, holders, round_number):
        order = {"envelope": str(envelope.pk), "price": PRICE, "round": round_number}
        names = [str(holder.pk) for holder in holders]
        return self._go([order | {"holders": names[number::PROCESSES]} for number in range(PROCESSES)])

    def _go(self, orders):
        for each, order in zip(self.processes, orders, strict=True):
            each.stdin.write(json.dumps(order) + "\n")
            each.stdin.flush()
        outcomes = [outcome for each in self.processes for outcome in json.loads(each.stdout.readline())]
        assert len(outcomes) == PEOPLE
        return Counter(outcomes)

    def leave(self):
        for each in self.processes:
            each.stdin.close()
        for each in self.processes:
            each.wait(timeout=60)
            each.stdout.close()


@contextlib.contextmanager
def crowd(**how):
    people = Crowd(**how)
    try:
        yield people
    finally:
        people.leave()


def test_one_of_two_hundred_spends_and_the_others_are_told():
    with crowd() as people:
        for number in range(ROUNDS):
            purse = PurseFactory(amount=PRICE)
            assert people.spend(purse, number) == {"spent": 1, "NotEnough": PEOPLE - 1}
            purse.refresh_from_db()
            assert purse.balance == 0
            assert Movement.objects.filter(source=purse, kind=MovementKind.RESERVE).count() == 1
    assert integrity.check() == []


def test_without_the_lock_the_database_still_lets_one_pass():
    """The CHECK on the pocket has the last word, when the code that should wait does not."""
    with crowd(guarded=False) as people:
        for number in range(UNGUARDED_ROUNDS):
            purse = PurseFactory(amount=PRICE)
            outcomes = people.spend(purse, number)
            assert outcomes["spent"] == 1
            assert outcomes["NotEnough"] + outcomes["IntegrityError"] == PEOPLE - 1
    assert integrity.check() == []


def test_without_lock_and_check_the_same_crowd_overspends():
    with without("rights_pocket", "pocket_never_overdrawn"), crowd(guarded=False) as people:
        spent = []
        for number in range(UNGUARDED_ROUNDS):
            purse = PurseFactory(amount=PRICE)
            spent.append(people.spend(purse, number)["spent"])
            assert Pocket.objects.get(pk=purse.pk).balance == PRICE * (1 - spent[-1])
            if spent[-1] > 1:
                assert "pocket_was_never_overdrawn" in {finding.rule for finding in integrity.check()}
                with transaction.atomic():  # made good, so that the constraint can stand again
                    CreditFactory(holder=purse.holder, amount=PRICE * (spent[-1] - 1))
                break  # shown
        assert spent[-1] > 1


# --- The last euro of an envelope ---------------------------------------------------------------------


@pytest.fixture
def people():
    return [HolderFactory(user=None, activated_at=None) for _number in range(PEOPLE)]


def filled(envelope, number, *, times=1):
    dotations.fund(envelope, amount=PRICE * times, reference=f"VIR-{number}", by=SYSTEM, at=timezone.now())
    return envelope


def balance(envelope):
    return Pocket.objects.get(pk=envelope.pk).balance


def test_one_of_two_hundred_is_granted_the_last_of_an_envelope(people):
    envelope = EnvelopeFactory(cents=0)
    with crowd() as givers:
        for number in range(ROUNDS):
            outcomes = givers.give(filled(envelope, number), people, number)
            assert outcomes == {"spent": 1, "DotationRefused": PEOPLE - 1}
            assert balance(envelope) == 0
    assert Movement.objects.filter(source=envelope.pk, kind=MovementKind.GRANT).count() == ROUNDS
    assert integrity.check() == []


def test_without_lock_and_check_the_same_crowd_is_granted_more_than_there_is(people):
    envelope = EnvelopeFactory(cents=0)
    with without("rights_pocket", "pocket_never_overdrawn"), crowd(guarded=False) as givers:
        given = []
        for number in range(UNGUARDED_ROUNDS):
            given.append(givers.give(filled(envelope, number), people, number)["spent"])
            assert balance(envelope) == PRICE * (1 - given[-1])
            if given[-1] > 1:
                # Made good, so that the constraint can stand again.
                filled(envelope, f"{number}-bis", times=given[-1] - 1)
                break  # shown
        assert given[-1] > 1

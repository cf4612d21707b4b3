"""Many grants at once from one envelope give its last euro once. First shown to fail without its guards."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import dotations, integrity, ledger
from rights.dotations import Wish
from rights.kinds import MovementKind, Origin
from rights.models import Movement, Pocket
from tests.concurrency.crowd import together
from tests.factories.accounts import HolderFactory
from tests.factories.dotations import EnvelopeFactory, GrantFactory

pytestmark = pytest.mark.django_db(transaction=True)
EURO = 1_00
CONNECTIONS = 20


def wishes(number):
    holders = [HolderFactory(user=None, activated_at=None) for _ in range(number)]
    return [
        Wish(holder=holder, amount=EURO, origin=Origin.VOLUNTARY, reference=f"A-{n}")
        for n, holder in enumerate(holders)
    ]


def give(envelope, wish):
    return lambda: dotations.grant(envelope, wish, by=SYSTEM, at=timezone.now())


def balance(envelope):
    return Pocket.objects.get(pk=envelope.pk).balance


def test_200_grants_at_once_on_the_last_euro_of_an_envelope_give_it_once():
    envelope = EnvelopeFactory(cents=EURO)
    outcomes = together([give(envelope, wish) for wish in wishes(200)], connections=CONNECTIONS)
    given = [outcome for outcome in outcomes if isinstance(outcome, Movement)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, dotations.DotationRefused)]
    assert (len(given), len(refused)) == (1, 199), {type(outcome) for outcome in outcomes}
    assert "n’a plus assez" in str(refused[0])
    assert balance(envelope) == 0
    assert integrity.check() == []


def test_the_last_euro_is_given_once_round_after_round():
    envelope = EnvelopeFactory(cents=0)
    people = wishes(CONNECTIONS)
    for number in range(10):
        dotations.fund(envelope, amount=EURO, reference=f"VIR-{number}", by=SYSTEM, at=timezone.now())
        asked = [
            Wish(holder=wish.holder, amount=EURO, origin=wish.origin, reference=f"{number}-{wish.reference}")
            for wish in people
        ]
        outcomes = together([give(envelope, wish) for wish in asked])
        assert sum(isinstance(outcome, Movement) for outcome in outcomes) == 1
        assert balance(envelope) == 0
    assert integrity.check() == []


def test_without_lock_and_check_the_same_euro_is_given_to_everybody(unguarded_ledger, monkeypatch):
    envelope = EnvelopeFactory(cents=EURO)
    asked = wishes(CONNECTIONS)
    everyone_has_read = threading.Barrier(CONNECTIONS, timeout=30)
    look = ledger.envelope_balance

    def look_like_everyone(envelope_id):
        left = look(envelope_id)
        everyone_has_read.wait()
        return left

    monkeypatch.setattr(ledger, "envelope_balance", look_like_everyone)
    # The second look of the ledger is what the first one was.
    monkeypatch.setattr(ledger, "_held", _stale(ledger._held, EURO))
    with unguarded_ledger():
        outcomes = together([give(envelope, wish) for wish in asked])
        assert sum(isinstance(outcome, Movement) for outcome in outcomes) == CONNECTIONS, outcomes
        assert balance(envelope) == EURO - CONNECTIONS * EURO
        assert "pocket_never_overdrawn" in {finding.rule for finding in integrity.check()}


def _stale(read, amount):
    def held(*args):
        return {key: pocket._replace(balance=amount) for key, pocket in read(*args).items()}

    return held


def test_the_same_list_sent_twice_at_once_gives_once():
    envelope = EnvelopeFactory(cents=100 * EURO)
    asked = wishes(10)

    def give_all():
        return dotations.grant_lot(envelope, asked, by=SYSTEM, at=timezone.now())

    outcomes = together([give_all] * 6)
    assert all(not isinstance(outcome, Exception) for outcome in outcomes), outcomes
    assert sum(each.is_new for outcome in outcomes for each in outcome) == 10
    assert Movement.objects.filter(kind=MovementKind.GRANT).count() == 10
    assert balance(envelope) == 90 * EURO


def test_granting_taking_back_and_giving_back_at_once_never_deadlock():
    """Envelopes before purses, in the verbs and in the trigger: one order for everybody (docs/locks.md)."""
    envelope = EnvelopeFactory(cents=1_000 * EURO)
    holder = HolderFactory(user=None, activated_at=None)
    yesterday = timezone.localdate() - timedelta(days=1)
    GrantFactory(envelope=envelope, holder=holder, amount=100 * EURO)
    ended = GrantFactory(
        envelope=envelope,
        holder=holder,
        amount=100 * EURO,
        expires_on=yesterday,
        at=timezone.now() - timedelta(days=3),
    ).target
    told = {"by": SYSTEM, "reason": "Dossier"}

    def grant(number):
        wish = Wish(holder=holder, amount=EURO, origin=Origin.VOLUNTARY, reference=f"R-{number}")
        return dotations.grant(envelope, wish, by=SYSTEM, at=timezone.now())

    def recall(number):
        return dotations.recall(envelope, key=f"k{number}", at=timezone.now(), **told)

    def reserve_and_release(number):
        key = str(uuid.uuid4())
        then = timezone.now() - timedelta(days=2)
        with transaction.atomic():
            reserved = ledger.reserve(lines=[(ended.pk, EURO)], key=key, at=then, **told)
        with transaction.atomic():
            return ledger.release(reserved=reserved, key=f"r:{key}", at=timezone.now(), **told)

    verbs = (grant, recall, reserve_and_release)
    calls = [lambda number=number: verbs[number % 3](number) for number in range(60)]
    outcomes = together(calls, connections=12)
    broken = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Exception) and not isinstance(outcome, ledger.NotEnough)
    ]
    assert broken == []
    assert integrity.check() == []


def test_locks_taken_purse_first_do_deadlock_with_a_grant():
    envelope = EnvelopeFactory(cents=1_000 * EURO)
    purse = GrantFactory(envelope=envelope).target
    both_hold_one = threading.Barrier(2, timeout=30)

    def lock(first, second):
        with transaction.atomic():
            Pocket.objects.select_for_update(no_key=True).get(pk=first)
            both_hold_one.wait()
            Pocket.objects.select_for_update(no_key=True).get(pk=second)

    outcomes = together([lambda: lock(envelope.pk, purse.pk), lambda: lock(purse.pk, envelope.pk)])
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1, outcomes

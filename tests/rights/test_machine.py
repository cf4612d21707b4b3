"""Any verbs, in any order, with any amounts: the ledger stays sound, and agrees with a plain model."""

import datetime
from collections import Counter

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.actors import SYSTEM
from rights import integrity, ledger
from rights.kinds import HOLDER_KINDS, PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory, OrganisationFactory

NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
AMOUNTS = st.integers(min_value=1, max_value=1_000)


class Ledger(RuleBasedStateMachine):
    """Two holders; `balances` is what each purse should hold, kept by sums that a child could do."""

    credits = Bundle("credits")
    reservations = Bundle("reservations")
    spendings = Bundle("spendings")

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.holders = [HolderFactory(), HolderFactory()]
        self.organisation = OrganisationFactory()
        self.balances = Counter()
        self.steps = 0

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def told(self, verb):
        self.steps += 1
        return {"key": f"{verb}:{self.steps}", "at": NOW, "by": SYSTEM}

    @rule(target=credits, who=st.integers(0, 1), kind=st.sampled_from(HOLDER_KINDS[:3]), amount=AMOUNTS)
    def credit(self, who, kind, amount):
        movement = ledger.credit(holder=self.holders[who], kind=kind, amount=amount, **self.told("credit"))
        self.balances[movement.target_id] += amount
        return movement

    @rule(target=reservations, who=st.integers(0, 1), amounts=st.lists(AMOUNTS, min_size=1, max_size=3))
    def reserve(self, who, amounts):
        purses = sorted(
            Pocket.objects.filter(holder=self.holders[who], kind__in=HOLDER_KINDS).order_by("id"), key=str
        )
        lines = [(purse.pk, amount) for purse, amount in zip(purses, amounts, strict=False)]
        told = self.told("reserve") | {"reason": "Dossier"}
        is_enough = all(self.balances[pocket_id] >= amount for pocket_id, amount in lines)
        if not is_enough:
            with pytest.raises(ledger.NotEnough):
                ledger.reserve(lines=lines, **told)
            return []
        reserved = ledger.reserve(lines=lines, **told)
        self.balances.subtract(dict(lines))
        assert ledger.reserve(lines=lines, **told) == reserved
        return list(zip(reserved, lines, strict=True))

    @rule(target=reservations, who=st.integers(0, 1), amount=AMOUNTS)
    def pay_in(self, who, amount):
        pocket = ledger.pay_in(
            reserved_for=self.holders[who], amount=amount, reason="Virement", **self.told("payment")
        )
        return [(pocket, (None, amount))]

    @rule(reservation=consumes(reservations))
    def release(self, reservation):
        reserved = [pocket for pocket, _line in reservation]
        told = self.told("release") | {"reason": "Rétractation"}
        movements = ledger.release(reserved=reserved, **told)
        assert ledger.release(reserved=reserved, **told) == movements
        for _pocket, (source, amount) in reservation:
            if source:
                self.balances[source] += amount

    @rule(target=spendings, reservation=consumes(reservations))
    def spend(self, reservation):
        reserved = [pocket for pocket, _line in reservation]
        told = self.told("entry") | {"reason": "Entrée"}
        spent = ledger.spend(reserved=reserved, **told)
        assert ledger.spend(reserved=reserved, **told) == spent
        return [(pocket, line) for pocket, (_reserved, line) in zip(spent, reservation, strict=True)]

    @rule(target=reservations, spending=consumes(spendings))
    def unspend(self, spending):
        told = self.told("annul") | {"reason": "Erreur"}
        undone = ledger.unspend(spent=[pocket for pocket, _line in spending], **told)
        return [
            (movement.target_id, line) for movement, (_pocket, line) in zip(undone, spending, strict=True)
        ]

    @rule(line=consumes(spendings), tenths=st.integers(0, 10))
    def settle_what_was_done(self, line, tenths):
        self.settle(line, lambda amount: {"provider": amount * tenths // 10}, rest="returned")

    @rule(line=consumes(reservations), tenths=st.integers(0, 10))
    def settle_what_is_lost(self, line, tenths):
        self.settle(line, lambda amount: {"provider": amount * tenths // 10}, rest="forfeited")

    def settle(self, lines, share, *, rest):
        parts = []
        for pocket, (source, amount) in lines:
            given = share(amount)
            # What was paid by card and is lost stays on the account.
            way = "credited" if rest == "forfeited" and source is None else rest
            left = {way: amount - sum(given.values())}
            parts.append(ledger.Part(pocket_id=pocket, **given, **left))
            if way == "returned" and source:
                self.balances[source] += left[way]
            if way == "credited" and left[way]:
                self.balances[self.credit_purse(pocket)] += left[way]
        told = self.told("settle") | {"reason": "Solde", "organisation_id": self.organisation.pk}
        settled = ledger.settle(parts, **told)
        assert ledger.settle(parts, **told) == settled

    def credit_purse(self, pocket):
        holder = Pocket.objects.get(pk=pocket).holder
        return ledger._opened({place := ledger.Place(holder.pk, "credit", "eur_cent")})[place]

    @rule(movement=consumes(credits))
    def reverse(self, movement):
        told = self.told("reverse") | {"reason": "Erreur"}
        if self.balances[movement.target_id] < movement.amount:
            with pytest.raises(ledger.NotEnough):
                ledger.reverse(movement=movement, **told)
            return
        ledger.reverse(movement=movement, **told)
        self.balances[movement.target_id] -= movement.amount

    @rule(movement=credits, amount=AMOUNTS)
    def use_a_key_again_for_something_else(self, movement, amount):
        with pytest.raises(ledger.KeyReused), transaction.atomic():
            ledger.credit(
                holder=movement.target.holder,
                kind=PocketKind.CREDIT,
                amount=amount,
                key=movement.key,
                at=NOW,
                by=SYSTEM,
            )

    @invariant()
    def nothing_is_wrong(self):
        assert integrity.check() == []
        purses = Pocket.objects.filter(kind__in=HOLDER_KINDS).order_by("id")
        assert {purse.pk: purse.balance for purse in purses} == dict(self.balances)

    @invariant()
    def what_came_in_is_what_is_there(self):
        came = gone = 0
        for movement in Movement.objects.select_related("source", "target").order_by("id"):
            came += movement.amount if movement.source.balance is None else 0
            gone += movement.amount if movement.target.balance is None else 0
        inside = sum(pocket.balance or 0 for pocket in Pocket.objects.order_by("id"))
        assert came - gone == inside


@pytest.mark.django_db
def test_no_sequence_of_verbs_breaks_the_ledger():
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

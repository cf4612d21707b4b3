"""A dossier's money from the first day on: debited, then settled to the last cent, wherever it goes."""

import datetime

import pytest
from django.db import IntegrityError, transaction

from accounts.actors import SYSTEM
from rights import integrity, ledger, statements
from rights.kinds import MovementKind, PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory, OrganisationFactory
from tests.factories.rights import CreditFactory, PurseFactory
from tests.rights.away import switched_off

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
TOLD = {"at": NOW, "by": SYSTEM, "reason": "Dossier 1"}


@pytest.fixture
def holder():
    return HolderFactory()


@pytest.fixture
def purse(holder):
    return PurseFactory(holder=holder, amount=1_000_00, at=NOW)


@pytest.fixture
def rights(purse):
    """800 € of rights, reserved."""
    return ledger.reserve(lines=[(purse.pk, 800_00)], key="accept:1", **TOLD)[0]


@pytest.fixture
def paid(holder):
    """200 € paid by card, reserved."""
    return ledger.pay_in(reserved_for=holder, amount=200_00, key="payment:1", **TOLD)


@pytest.fixture
def organisation():
    return OrganisationFactory()


def balance(pocket):
    return Pocket.objects.get(pk=getattr(pocket, "pk", pocket)).balance


def spend(*reserved, key="entry:1"):
    return ledger.spend(reserved=reserved, key=key, **TOLD)


def settle(*parts, organisation, key="settle:1"):
    return ledger.settle(parts, organisation_id=organisation.pk, key=key, **TOLD)


# --- The first day ------------------------------------------------------------------------------------


def test_at_the_entry_all_that_is_reserved_is_debited(rights, paid, holder):
    spent = spend(rights, paid)
    assert [balance(pocket) for pocket in (rights, paid, *spent)] == [0, 0, 800_00, 200_00]
    assert {(pocket.kind, pocket.holder) for pocket in Pocket.objects.filter(pk__in=spent)} == {
        (PocketKind.SPENT, holder)
    }
    assert spend(rights, paid) == spent
    with pytest.raises(ledger.NothingReserved):
        spend(rights, paid, key="entry:2")
    assert integrity.check() == []


def test_what_is_debited_pays_nothing_else(rights, purse, holder):
    spend(rights)
    assert [each.balance for each in ledger.purses(holder, at=NOW)] == [200_00]
    assert statements.statement(holder, at=NOW).total_cents == 200_00


def test_an_entry_declared_by_mistake_is_undone_and_can_be_declared_again(rights, paid):
    spent = spend(rights, paid)
    undone = ledger.unspend(spent=spent, key="annul:1", **TOLD)
    assert ledger.unspend(spent=spent, key="annul:1", **TOLD) == undone
    assert [balance(pocket) for pocket in (rights, paid, *spent)] == [800_00, 200_00, 0, 0]
    again = spend(rights, paid, key="entry:2")
    assert set(again).isdisjoint(spent)
    assert integrity.check() == []


def test_only_what_was_spent_is_unspent(rights):
    with pytest.raises(LookupError, match="not filled"):
        ledger.unspend(spent=[rights], key="annul:1", **TOLD)


def test_what_is_debited_is_still_shown_beside_its_training_until_it_is_settled(
    rights, paid, holder, organisation
):
    spent = spend(rights, paid)
    [found] = statements.statement(holder, at=NOW).reservations
    assert (found.label, found.rights, found.paid, found.has_begun) == ("Dossier 1", 800_00, 200_00, True)
    assert statements.statement(holder, at=NOW).reserved_cents == 0
    settle(
        ledger.Part(pocket_id=spent[0], provider=800_00),
        ledger.Part(pocket_id=spent[1], provider=200_00),
        organisation=organisation,
    )
    assert statements.statement(holder, at=NOW).reservations == []


# --- The end ------------------------------------------------------------------------------------------


def test_a_whole_training_is_due_to_its_organisation(rights, paid, organisation):
    spent = spend(rights, paid)
    parts = [
        ledger.Part(pocket_id=spent[0], provider=800_00),
        ledger.Part(pocket_id=spent[1], provider=200_00),
    ]
    settled = settle(*parts, organisation=organisation)
    assert settle(*parts, organisation=organisation) == settled
    assert ledger.due_to(organisation.pk) == 1_000_00
    assert ledger.due_to(OrganisationFactory().pk) == 0
    assert integrity.check() == []


def test_half_a_training_gives_back_what_was_not_done_where_it_came_from(rights, paid, purse, organisation):
    spent = spend(rights, paid)
    settle(
        ledger.Part(pocket_id=spent[0], returned=400_00, provider=400_00),
        ledger.Part(pocket_id=spent[1], returned=100_00, provider=100_00),
        organisation=organisation,
    )
    assert balance(purse) == 600_00
    assert ledger.due_to(organisation.pk) == 500_00
    refund = Movement.objects.get(kind=MovementKind.REFUND)
    assert (refund.amount, refund.target.kind) == (100_00, PocketKind.CARD)
    assert integrity.check() == []


def test_a_late_cancellation_loses_rights_and_keeps_a_payment_as_a_credit(rights, paid, holder, organisation):
    settle(
        ledger.Part(pocket_id=rights, forfeited=750_00, provider=50_00),
        ledger.Part(pocket_id=paid, credited=200_00),
        organisation=organisation,
    )
    credit = Pocket.objects.get(holder=holder, kind=PocketKind.CREDIT)
    assert credit.balance == 200_00
    assert credit.pk in {each.pocket_id for each in ledger.purses(holder, at=NOW)}
    words = [line.words for line in statements.statement(holder, at=NOW).history[:]]
    assert "Avoir : ce que vous aviez payé pour Dossier 1" in words
    assert ledger.due_to(organisation.pk) == 50_00
    assert integrity.check() == []


def test_what_a_funder_gave_for_this_training_alone_goes_back_to_it(holder, organisation):
    purse = CreditFactory(holder=holder, kind=PocketKind.TOP_UP, label="Région", amount=500_00, at=NOW).target
    reserved = ledger.reserve(lines=[(purse.pk, 300_00)], key="accept:2", **TOLD)[0]
    settle(ledger.Part(pocket_id=reserved, returned=300_00, to_funder=True), organisation=organisation)
    assert balance(purse) == 200_00
    recalled = Movement.objects.get(kind=MovementKind.RECALL)
    assert (recalled.amount, recalled.target.kind, recalled.target.label) == (
        300_00,
        PocketKind.FUNDER,
        "Région",
    )
    assert integrity.check() == []


def test_what_comes_back_to_a_dotation_that_has_ended_goes_on_to_its_funder(holder, organisation):
    purse = CreditFactory(
        holder=holder,
        kind=PocketKind.DOTATION,
        label="Région",
        amount=500_00,
        expires_on=datetime.date(2026, 5, 31),
        at=NOW,
    ).target
    spent = spend(ledger.reserve(lines=[(purse.pk, 500_00)], key="accept:2", **TOLD)[0])
    later = TOLD | {"at": NOW + datetime.timedelta(days=60)}
    part = ledger.Part(pocket_id=spent[0], returned=200_00, provider=300_00)
    ledger.settle([part], organisation_id=organisation.pk, key="settle:1", **later)
    assert balance(purse) == 0
    assert Movement.objects.get(kind=MovementKind.EXPIRY).amount == 200_00
    assert integrity.check() == []


def test_the_state_has_back_what_it_added(holder, organisation):
    _source, reserved = ledger.top_up_by_state(reserved_for=holder, amount=90_00, key="state:1", **TOLD)
    settle(ledger.Part(pocket_id=spend(reserved)[0], returned=90_00), organisation=organisation)
    assert Movement.objects.get(kind=MovementKind.REFUND).target.kind == PocketKind.STATE_TOP_UP
    assert integrity.check() == []


@pytest.mark.parametrize("wrong", [1, -1])
def test_parts_that_are_not_the_whole_settle_nothing(rights, organisation, wrong):
    with pytest.raises(ValueError, match="the pocket holds"):
        settle(ledger.Part(pocket_id=rights, forfeited=800_00 + wrong), organisation=organisation)
    assert balance(rights) == 800_00
    with pytest.raises(ValueError, match="never less"):
        ledger.Part(pocket_id=rights, forfeited=-1)


def test_nothing_is_settled_twice(rights, organisation):
    settle(ledger.Part(pocket_id=rights, forfeited=800_00), organisation=organisation)
    with pytest.raises(ledger.NothingReserved):
        settle(ledger.Part(pocket_id=rights, provider=800_00), organisation=organisation, key="settle:2")
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        settle(ledger.Part(pocket_id=rights, provider=800_00), organisation=organisation)


# --- What the database refuses, and finds where its guard was away ------------------------------------


def post(**fields):
    return Movement.objects.create(
        key=f"test:{fields['kind']}", recorded_at=NOW, value_date=NOW.date(), **fields
    )


def due_pocket(organisation):
    return Pocket.objects.create(kind=PocketKind.PROVIDER, organisation=organisation, balance=0)


def a_part_of_what_was_spent(spent, reserved, other, credit):
    return MovementKind.UNSPEND, spent, reserved


def a_credit_of_rights(spent, reserved, other, credit):
    return MovementKind.CREDIT_NOTE, other, credit


def back_to_another_purse(spent, reserved, other, credit):
    return MovementKind.RELEASE, spent, credit


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        # Half of what was debited would stay debited, for nobody.
        ("entry_is_undone_as_it_was", a_part_of_what_was_spent),
        # Rights are lost with a late cancellation: they are no payment.
        ("credit_note_is_of_a_payment", a_credit_of_rights),
        # To another purse than the one that paid.
        ("movement_returns_to_its_source", back_to_another_purse),
    ],
)
def test_a_dossier_s_money_takes_its_ways_only(rule, fault, rights, purse, holder):
    spent = Pocket.objects.get(pk=spend(rights)[0])
    other = ledger_reserved(purse)
    credit = PurseFactory(holder=holder, kind=PocketKind.CREDIT, amount=1, at=NOW)
    kind, source, target = fault(spent, Pocket.objects.get(pk=rights), other, credit)
    movement = {"kind": kind, "source": source, "target": target, "amount": 1}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(**movement)
    assert refusal.value.__cause__.diag.constraint_name == rule
    with switched_off("movement_moves_balances"):
        post(**movement)
    assert rule in {finding.rule for finding in integrity.check()}


def ledger_reserved(purse):
    return Pocket.objects.get(pk=ledger.reserve(lines=[(purse.pk, 50)], key="accept:9", **TOLD)[0])


def test_what_is_due_names_to_whom_once(organisation):
    due_pocket(organisation)
    for fields, rule in (
        ({"organisation": organisation}, "pocket_of_what_is_due_is_opened_once"),
        ({}, "pocket_of_what_is_due_names_to_whom"),
    ):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            Pocket.objects.create(kind=PocketKind.PROVIDER, balance=0, **fields)
        assert refusal.value.__cause__.diag.constraint_name == rule


def test_a_pocket_keeps_the_organisation_it_is_due_to(organisation):
    pocket = due_pocket(organisation)
    with pytest.raises(IntegrityError), transaction.atomic():
        Pocket.objects.filter(pk=pocket.pk).update(organisation=OrganisationFactory())

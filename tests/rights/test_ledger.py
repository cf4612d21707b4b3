"""The verbs: what they move, what they refuse, what the same key does twice."""

import contextlib
import datetime
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM, Actor, Role
from rights import integrity, ledger
from rights.kinds import FunderKind, MovementKind, PocketKind, Unit
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)


def reserve(*lines, key="accept:1", **options):
    lines = [(pocket.pk, amount) for pocket, amount in lines]
    return ledger.reserve(lines=lines, key=key, at=NOW, by=SYSTEM, reason="Dossier 1", **options)


def release(reserved, key="release:1"):
    return ledger.release(reserved=reserved, key=key, at=NOW, by=SYSTEM, reason="Rétractation")


def balance(pocket):
    return Pocket.objects.get(pk=getattr(pocket, "pk", pocket)).balance


# --- Credit ---------------------------------------------------------------------------------------


def test_a_credit_fills_the_pocket_and_says_why():
    user = UserFactory()
    movement = CreditFactory(
        amount=500_00,
        at=NOW,
        by=Actor(Role.ADMIN, user=user),
        reason="Année 2025",
        formula=[("Base", "500 €")],
    )
    saved = Movement.objects.get(pk=movement.pk)
    assert saved.source.kind == PocketKind.STATE
    assert saved.target.balance == 500_00
    assert (saved.recorded_by, saved.recorded_at, saved.reason) == (user, NOW, "Année 2025")
    assert saved.formula == [["Base", "500 €"]]
    assert saved.value_date == datetime.date(2026, 5, 12)


def test_the_value_date_is_the_day_in_paris_not_in_utc():
    late = datetime.datetime(2026, 5, 12, 22, 30, tzinfo=datetime.UTC)
    assert CreditFactory(at=late).value_date == datetime.date(2026, 5, 13)


def test_credits_of_one_kind_share_a_pocket_and_others_do_not():
    holder = HolderFactory()
    first, second = CreditFactory(holder=holder), CreditFactory(holder=holder)
    dif = CreditFactory(holder=holder, kind=PocketKind.DIF)
    assert first.target_id == second.target_id != dif.target_id
    assert balance(first.target) == 1000_00
    assert first.source_id == dif.source_id  # one State for all


def test_dotations_are_told_apart_by_funder_kind_of_funder_and_last_day():
    holder = HolderFactory()
    last_day = datetime.date(2027, 1, 31)
    dotation = {"holder": holder, "kind": PocketKind.DOTATION, "label": "Métallurgie"}
    pockets = {
        CreditFactory(**dotation).target_id,
        CreditFactory(**dotation).target_id,
        CreditFactory(**dotation, expires_on=last_day).target_id,
        CreditFactory(**dotation, funder_kind=FunderKind.EMPLOYER).target_id,
        CreditFactory(**dotation | {"label": "Chimie"}).target_id,
    }
    assert len(pockets) == 4
    assert {movement.source.label for movement in Movement.objects.all()} == {"Métallurgie", "Chimie"}
    assert {movement.source.kind for movement in Movement.objects.all()} == {PocketKind.FUNDER}


def test_hours_and_euros_of_the_same_kind_have_their_own_pockets():
    holder = HolderFactory()
    hours = PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    euros = PurseFactory(holder=holder, amount=25)
    assert (hours.unit, hours.balance, euros.balance) == (Unit.HOUR, 25, 25)


@pytest.mark.parametrize("amount", [0, -1, 1.0, True, "100", None])
def test_an_amount_is_a_whole_number_above_zero(amount):
    with pytest.raises(ValueError, match="whole number above zero"):
        CreditFactory(amount=amount)


@pytest.mark.parametrize("kind", [PocketKind.RESERVED, PocketKind.STATE, PocketKind.CARD])
def test_only_a_kind_that_holders_own_is_credited(kind):
    with pytest.raises(ValueError, match="not a kind of pocket"):
        CreditFactory(kind=kind)


def test_yearly_rights_have_no_funder():
    with pytest.raises(ValueError, match="not granted by a funder"):
        CreditFactory(funder_kind=FunderKind.EMPLOYER)


def test_a_moment_needs_its_zone():
    with pytest.raises(ValueError, match="time zone"):
        CreditFactory(at=datetime.datetime(2026, 5, 12, 10))  # noqa: DTZ001


def test_a_lot_is_credited_in_a_number_of_queries_that_does_not_grow(django_assert_num_queries):
    def lot(number):
        return [
            ledger.Credit(
                holder_id=HolderFactory().pk, kind=PocketKind.ANNUAL, amount=100, key=f"lot:{uuid.uuid4()}"
            )
            for _each in range(number)
        ]

    ledger.credit_many(lot(1), at=NOW, by=SYSTEM)  # the State is there now
    for number in (1, 3):
        credits = lot(number)
        with django_assert_num_queries(4):  # find, open, find again, post
            movements = ledger.credit_many(credits, at=NOW, by=SYSTEM)
        assert [movement.key for movement in movements] == [credit.key for credit in credits]
        assert all(balance(movement.target) == 100 for movement in movements)


def test_a_credit_between_pockets_that_are_open_is_one_query(django_assert_num_queries):
    holder = HolderFactory()
    first = CreditFactory(holder=holder, amount=100)
    with django_assert_num_queries(1):
        second = ledger.credit(
            holder=holder, kind=PocketKind.ANNUAL, amount=50, key="second", at=NOW, by=SYSTEM
        )
    assert second == Movement.objects.get(key="second")
    assert (second.source_id, second.target_id) == (first.source_id, first.target_id)
    assert balance(first.target) == 150


def test_what_a_funder_grants_never_lands_in_another_purse_of_the_same_label():
    holder = HolderFactory()
    terms = [
        {"funder_kind": FunderKind.EMPLOYER, "expires_on": None},
        {"funder_kind": FunderKind.EMPLOYER, "expires_on": NOW.date()},
        {"funder_kind": FunderKind.OPCO, "expires_on": None},
    ]
    for turn in (1, 2):  # opened, then found
        targets = [
            CreditFactory(
                holder=holder, kind=PocketKind.DOTATION, label="AKTO", key=f"{turn}:{number}", **each
            ).target_id
            for number, each in enumerate(terms)
        ]
        assert len(set(targets)) == 3
    assert Pocket.objects.filter(holder=holder).count() == 3


# --- The same key ---------------------------------------------------------------------------------


def test_the_same_credit_twice_is_one_movement():
    holder = HolderFactory()
    first = CreditFactory(holder=holder, key="annual:2025:1", amount=500_00)
    again = CreditFactory(holder=holder, key="annual:2025:1", amount=500_00)
    assert first == again
    assert balance(first.target) == 500_00


@pytest.mark.parametrize(
    "other", [{"amount": 1}, {"kind": PocketKind.DIF}, {"unit": Unit.HOUR}, {"holder": None}], ids=str
)
def test_the_same_key_with_another_content_is_refused_and_writes_nothing(other):
    holder = HolderFactory()
    CreditFactory(holder=holder, key="annual:2025:1", amount=500_00)
    other = other | ({"holder": HolderFactory()} if "holder" in other else {})
    pockets = Pocket.objects.count()
    with (
        pytest.raises(ledger.KeyReused, match="« annual:2025:1 » est déjà enregistrée"),
        transaction.atomic(),
    ):
        CreditFactory(**{"holder": holder, "key": "annual:2025:1", "amount": 500_00} | other)
    assert Movement.objects.count() == 1
    assert Pocket.objects.count() == pockets


def test_catching_key_reused_cannot_save_a_half_written_transaction():
    holder = HolderFactory()
    CreditFactory(holder=holder, key="k")
    with transaction.atomic(), contextlib.suppress(ledger.KeyReused):
        ledger.credit(holder=holder, kind=PocketKind.DIF, amount=5, key="k", at=NOW, by=SYSTEM)
    assert not Pocket.objects.filter(kind=PocketKind.DIF).exists()


def test_the_same_reservation_twice_reserves_once_even_when_nothing_is_left():
    purse = PurseFactory(amount=500_00)
    first = reserve((purse, 500_00))
    assert reserve((purse, 500_00)) == first
    assert balance(purse) == 0
    assert balance(first[0]) == 500_00


@pytest.mark.parametrize("change", ["fewer", "more", "amount", "pocket"])
def test_the_same_reservation_key_with_other_lines_is_refused(change):
    holder = HolderFactory()
    annual, dif = PurseFactory(holder=holder), PurseFactory(holder=holder, kind=PocketKind.DIF)
    lines = [(annual, 10), (dif, 10)]
    reserve(*lines)
    other = {
        "fewer": lines[:1],
        "more": [*lines, (dif, 1)],
        "amount": [(annual, 10), (dif, 11)],
        "pocket": [(dif, 10), (annual, 10)],
    }[change]
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        reserve(*other)
    assert (balance(annual), balance(dif)) == (499_90, 499_90)
    assert integrity.check() == []


def test_the_same_release_twice_gives_back_once():
    purse = PurseFactory()
    reserved = reserve((purse, 300_00))
    first = release(reserved)
    assert release(reserved) == first
    assert balance(purse) == 500_00


def test_a_release_key_used_for_other_pockets_is_refused():
    purse = PurseFactory()
    one, two = reserve((purse, 1), key="a"), reserve((purse, 2), key="b")
    release(one)
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        release(two)
    assert balance(two[0]) == 2


def test_a_payment_key_used_for_another_holder_or_amount_is_refused():
    holder, other = HolderFactory(), HolderFactory()
    payment = {"key": "payment:7", "at": NOW, "by": SYSTEM, "reason": "Virement"}
    pocket = ledger.pay_in(reserved_for=holder, amount=103_20, **payment)
    assert ledger.pay_in(reserved_for=holder, amount=103_20, **payment) == pocket
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        ledger.pay_in(reserved_for=other, amount=103_20, **payment)
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        ledger.pay_in(reserved_for=holder, amount=1, **payment)
    assert Pocket.objects.filter(kind=PocketKind.RESERVED).count() == 1


# --- Reserve --------------------------------------------------------------------------------------


def test_a_reservation_sets_each_line_aside_in_a_pocket_of_its_own():
    holder = HolderFactory()
    annual, dif = PurseFactory(holder=holder), PurseFactory(holder=holder, kind=PocketKind.DIF, amount=100_00)
    first, second = reserve((dif, 100_00), (annual, 250_00), label="Anglais")
    assert (balance(annual), balance(dif)) == (250_00, 0)
    assert (balance(first), balance(second)) == (100_00, 250_00)
    kept = Pocket.objects.get(pk=first)
    assert (kept.kind, kept.holder, kept.label) == (PocketKind.RESERVED, holder, "Anglais")


def test_without_a_label_the_reason_names_what_is_reserved_however_long():
    purse = PurseFactory()
    pocket = ledger.reserve(lines=[(purse.pk, 1)], key="k", at=NOW, by=SYSTEM, reason="x" * 300)[0]
    assert Pocket.objects.get(pk=pocket).label == "x" * 120


def test_no_line_reserves_nothing():
    assert reserve() == []


def test_not_enough_says_how_much_is_missing_and_writes_nothing():
    purse = PurseFactory(amount=120_00)
    with pytest.raises(ledger.NotEnough) as refusal:
        reserve((purse, 500_00))
    assert (refusal.value.wanted, refusal.value.available) == (500_00, 120_00)
    assert str(refusal.value).replace("\u00a0", " ") == (
        "Il n’y a pas assez sur « Droits annuels » : il faut 500,00 € et il reste 120,00 €."
    )
    assert balance(purse) == 120_00
    assert not Pocket.objects.filter(kind=PocketKind.RESERVED).exists()


def test_a_reservation_is_all_or_nothing():
    holder = HolderFactory()
    annual, dif = PurseFactory(holder=holder), PurseFactory(holder=holder, kind=PocketKind.DIF, amount=1)
    with pytest.raises(ledger.NotEnough):
        reserve((annual, 100), (dif, 2))
    assert (balance(annual), balance(dif)) == (500_00, 1)


def test_two_lines_from_one_pocket_are_judged_together():
    purse = PurseFactory(amount=100)
    with pytest.raises(ledger.NotEnough):
        reserve((purse, 60), (purse, 41))
    assert len(reserve((purse, 60), (purse, 40))) == 2


def test_rights_of_two_holders_are_never_reserved_together():
    with pytest.raises(ledger.NotYours):
        reserve((PurseFactory(), 1), (PurseFactory(), 1))


def test_neither_the_state_nor_what_is_reserved_can_be_reserved():
    credit = CreditFactory()
    reserved = Pocket.objects.get(pk=reserve((credit.target, 10))[0])
    for pocket in (credit.source, reserved, Pocket(pk=uuid.uuid4())):
        with pytest.raises(ledger.NotYours):
            reserve((pocket, 1), key="accept:2")


def test_euros_and_hours_are_never_reserved_together():
    holder = HolderFactory()
    euros, hours = PurseFactory(holder=holder), PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    with pytest.raises(ledger.UnitMismatch):
        reserve((euros, 1), (hours, 1))


def test_a_dotation_is_used_until_its_last_day_included():
    last_day = datetime.date(2026, 5, 12)
    dotation = PurseFactory(kind=PocketKind.DOTATION, expires_on=last_day)
    too_late = datetime.datetime(2026, 5, 12, 22, tzinfo=datetime.UTC)  # midnight in Paris
    just_in_time = too_late - datetime.timedelta(microseconds=1)
    ledger.reserve(lines=[(dotation.pk, 1)], key="in-time", at=just_in_time, by=SYSTEM, reason="")
    with pytest.raises(ledger.PocketExpired, match="n’est plus utilisable depuis le 12\u00a0mai 2026"):
        ledger.reserve(lines=[(dotation.pk, 1)], key="late", at=too_late, by=SYSTEM, reason="")


# --- Release, payment, reversal -------------------------------------------------------------------


def test_a_release_gives_each_line_back_where_it_came_from():
    holder = HolderFactory()
    annual, dif = PurseFactory(holder=holder), PurseFactory(holder=holder, kind=PocketKind.DIF)
    reserved = reserve((annual, 100), (dif, 200))
    movements = release(reserved)
    assert [(each.kind, each.target_id, each.amount) for each in movements] == [
        (MovementKind.RELEASE, annual.pk, 100),
        (MovementKind.RELEASE, dif.pk, 200),
    ]
    assert [balance(pocket) for pocket in (annual, dif, *reserved)] == [500_00, 500_00, 0, 0]


def test_what_the_holder_paid_is_refunded_not_turned_into_rights():
    holder = HolderFactory()
    purse = PurseFactory(holder=holder)
    reserved = reserve((purse, 400_00))
    paid = ledger.pay_in(reserved_for=holder, amount=103_20, key="p", at=NOW, by=SYSTEM, reason="Virement")
    refund = release([*reserved, paid])[1]
    assert (refund.kind, refund.target.kind, refund.amount) == (MovementKind.REFUND, PocketKind.CARD, 103_20)
    assert balance(purse) == 500_00


def test_what_was_given_back_is_not_given_back_again_under_another_key():
    purse = PurseFactory()
    reserved = reserve((purse, 100))
    release(reserved)
    with pytest.raises(ledger.NothingReserved, match="déjà été rendue"):
        release(reserved, key="release:2")
    assert balance(purse) == 500_00


def test_what_is_released_to_a_dotation_that_has_ended_goes_on_to_its_funder_at_once():
    dotation = PurseFactory(kind=PocketKind.DOTATION, label="Région", expires_on=NOW.date())
    reserved = reserve((dotation, 100))
    later = NOW + datetime.timedelta(days=10)
    told = {"reserved": reserved, "key": "r", "at": later, "by": SYSTEM, "reason": ""}
    released = ledger.release(**told)
    assert [(move.kind, move.target_id, move.amount) for move in released] == [("release", dotation.pk, 100)]
    [returned] = Movement.objects.filter(kind=MovementKind.EXPIRY)
    assert (returned.source_id, returned.amount) == (dotation.pk, 100)
    assert (returned.target.kind, returned.target.label) == (PocketKind.FUNDER, "Région")
    assert balance(dotation) == 499_00  # what lay there waits for the nightly sweep
    assert ledger.release(**told) == released
    assert Movement.objects.filter(kind=MovementKind.EXPIRY).count() == 1
    assert integrity.check() == []


def test_on_its_last_day_a_dotation_keeps_what_it_is_given_back():
    dotation = PurseFactory(kind=PocketKind.DOTATION, expires_on=NOW.date())
    ledger.release(reserved=reserve((dotation, 100)), key="r", at=NOW, by=SYSTEM, reason="")
    assert balance(dotation) == 500_00


def test_only_reserved_pockets_are_released():
    with pytest.raises(LookupError, match="not filled"):
        release([PurseFactory().pk])


def test_a_credit_made_by_mistake_is_reversed_once():
    credit = CreditFactory()
    counter = ledger.reverse(movement=credit, key="fix:1", at=NOW, by=SYSTEM, reason="Doublon")
    assert (counter.source_id, counter.target_id, counter.amount) == (
        credit.target_id,
        credit.source_id,
        500_00,
    )
    assert counter.reverses == credit
    assert balance(credit.target) == 0
    assert ledger.reverse(movement=credit, key="fix:1", at=NOW, by=SYSTEM, reason="Doublon") == counter
    with pytest.raises(ledger.NotReversible, match="déjà corrigé"):
        ledger.reverse(movement=credit, key="fix:2", at=NOW, by=SYSTEM, reason="Doublon")


def test_a_credit_already_used_is_not_reversed():
    credit = CreditFactory()
    reserve((credit.target, 1))
    with pytest.raises(ledger.NotEnough):
        ledger.reverse(movement=credit, key="fix:1", at=NOW, by=SYSTEM, reason="Doublon")


def test_only_credits_are_reversed_since_a_dossier_must_know_of_its_reservation():
    credit = CreditFactory()
    reserve((credit.target, 1))
    counter = ledger.reverse(movement=CreditFactory(), key="fix:1", at=NOW, by=SYSTEM, reason="Doublon")
    for movement in (Movement.objects.get(kind=MovementKind.RESERVE), counter):
        with pytest.raises(ledger.NotReversible, match="Seul un crédit"):
            ledger.reverse(movement=movement, key="fix:2", at=NOW, by=SYSTEM, reason="")


# --- Purses and cost ------------------------------------------------------------------------------


def test_purses_are_the_euros_this_holder_can_use_now():
    holder = HolderFactory()
    annual = PurseFactory(holder=holder)
    dotation = PurseFactory(
        holder=holder, kind=PocketKind.DOTATION, label="X", funder_kind=FunderKind.OPCO, expires_on=NOW.date()
    )
    PurseFactory(holder=holder, kind=PocketKind.TOP_UP, expires_on=NOW.date() - datetime.timedelta(days=1))
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    emptied = PurseFactory(holder=holder, kind=PocketKind.DIF, amount=1)
    reserve((emptied, 1), (annual, 1_00))
    PurseFactory()  # somebody else's
    found = ledger.purses(holder, at=NOW)
    assert [purse.pocket_id for purse in found] == sorted([annual.pk, dotation.pk])
    by_kind = {purse.kind: purse for purse in found}
    assert by_kind[PocketKind.ANNUAL].balance == 499_00
    assert by_kind[PocketKind.DOTATION].funder_kind == FunderKind.OPCO


def test_the_hot_path_costs_the_same_few_queries_with_1_and_with_3_lines(django_assert_num_queries):
    holder = HolderFactory()
    kinds = (PocketKind.ANNUAL, PocketKind.DIF, PocketKind.VOLUNTEER)
    purses = [PurseFactory(holder=holder, kind=kind) for kind in kinds]
    for number in (1, 3):
        with django_assert_num_queries(4):  # lock, same request?, open, move
            reserved = reserve(*((purse, 100) for purse in purses[:number]), key=f"accept:{number}")
        with django_assert_num_queries(4):  # where from?, lock, same request?, move
            release(reserved, key=f"release:{number}")


@pytest.mark.django_db(transaction=True)
def test_every_verb_refuses_to_run_outside_a_transaction():
    holder = HolderFactory()
    credit = CreditFactory(holder=holder)
    told = {"key": "k", "at": timezone.now(), "by": SYSTEM, "reason": ""}
    calls = [
        lambda: ledger.credit(holder=holder, kind=PocketKind.ANNUAL, amount=1, **told),
        lambda: ledger.credit_many([], at=NOW, by=SYSTEM),
        lambda: ledger.reserve(lines=[(credit.target_id, 1)], **told),
        lambda: ledger.pay_in(reserved_for=holder, amount=1, **told),
        lambda: ledger.release(reserved=[], **told),
        lambda: ledger.reverse(movement=credit, **told),
        lambda: ledger.purses(holder, at=NOW, lock=True),
    ]
    for call in calls:
        with pytest.raises(ledger.NotInTransaction):
            call()
    assert Movement.objects.count() == 1

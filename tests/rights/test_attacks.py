"""What a hurried, a careless or an ill-meaning person can try on rights, and what they get instead."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse

from accounts.actors import SYSTEM
from accounts.models import JournalEntry
from rights import integrity, ledger
from rights.kinds import PocketKind
from rights.models import Movement
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db

NUL = "avant\x00après"


@pytest.fixture
def chief(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def reserve(purse, amount, *, at, key="accept"):
    with transaction.atomic():
        return ledger.reserve(lines=[(purse.pk, amount)], key=key, at=at, by=SYSTEM, reason="Dossier 1")[0]


def release(pocket_id, *, at, key="release"):
    with transaction.atomic():
        ledger.release(reserved=[pocket_id], key=key, at=at, by=SYSTEM, reason="Dossier 1")


def reverse_credit(movement, *, at, key="reverse"):
    with transaction.atomic():
        return ledger.reverse(movement=movement, key=key, at=at, by=SYSTEM, reason="Erreur.")


# --- A holder's addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rights", "rights_statement_file"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"poche": "\x00"}, 404),
        ({"poche": "x" * 5000}, 404),
        ({"poche": "'"}, 404),
        ({"poche": "00000000-0000-0000-0000-000000000000"}, 404),
        ({"page": "\x00"}, 200),
        ({"page": "9" * 5000}, 200),
        ({"page": "-1"}, 200),
    ],
)
def test_an_address_written_by_hand_is_answered_or_not_found(client_for, name, query, status):
    purse = PurseFactory()
    assert client_for(purse.holder.user).get(reverse(name), query).status_code == status


def test_the_pocket_of_somebody_else_is_not_found_even_by_its_real_number(client_for, at):
    theirs = PurseFactory()
    reserved = reserve(theirs, 100, at=at)
    thief = client_for(HolderFactory().user)
    for pocket in (theirs.pk, reserved):
        for name in ("rights", "rights_statement_file"):
            assert thief.get(reverse(name), {"poche": pocket}).status_code == 404


# --- Money that changes its mind ----------------------------------------------------------------------


def test_a_credit_that_is_reserved_is_not_taken_back_and_once_released_it_is(at):
    movement = CreditFactory(amount=500, at=at)
    reserved = reserve(movement.target, 500, at=at)
    with pytest.raises(ledger.NotEnough):
        reverse_credit(movement, at=at)
    release(reserved, at=at)
    assert reverse_credit(movement, at=at).kind == "reversal"
    assert integrity.check() == []


def test_a_credit_of_which_one_cent_is_reserved_is_not_taken_back(at):
    movement = CreditFactory(amount=500, at=at)
    reserve(movement.target, 1, at=at)
    with pytest.raises(ledger.NotEnough):
        reverse_credit(movement, at=at)


def test_another_credit_of_the_same_pocket_covers_for_the_one_taken_back_and_nothing_goes_below_zero(at):
    first = CreditFactory(amount=500, at=at)
    CreditFactory(holder=first.target.holder, amount=300, at=at)
    reserve(first.target, 300, at=at)
    reverse_credit(first, at=at)
    first.target.refresh_from_db()
    assert first.target.balance == 0
    assert integrity.check() == []


def test_a_dotation_taken_back_after_its_last_day_still_leaves_the_pocket(at):
    holder = HolderFactory()
    movement = CreditFactory(
        holder=holder,
        kind=PocketKind.DOTATION,
        label="Région",
        amount=500,
        expires_on=at.date(),
        at=at,
    )
    reverse_credit(movement, at=at + timedelta(days=9))
    assert integrity.check() == []


def test_one_cent_in_each_of_many_purses_is_reserved_and_comes_back_to_each(at):
    holder = HolderFactory()
    purses = [
        PurseFactory(holder=holder, kind=PocketKind.DOTATION, label=f"Financeur {number}", amount=1, at=at)
        for number in range(12)
    ]
    with transaction.atomic():
        reserved = ledger.reserve(
            lines=[(purse.pk, 1) for purse in purses], key="accept", at=at, by=SYSTEM, reason="Dossier 1"
        )
        ledger.release(reserved=reserved, key="release", at=at, by=SYSTEM, reason="Dossier 1")
    assert [purse.balance for purse in ledger.purses(holder, at=at)] == [1] * 12
    assert integrity.check() == []


@pytest.mark.parametrize("amount", [0, -1, 1.0, True, "1", None])
def test_nothing_but_a_whole_amount_above_zero_is_reserved_or_paid_in(at, amount):
    purse = PurseFactory(amount=500)
    with pytest.raises((ValueError, TypeError)), transaction.atomic():
        reserve(purse, amount, at=at)
    with pytest.raises((ValueError, TypeError)), transaction.atomic():
        ledger.pay_in(reserved_for=purse.holder, amount=amount, key="p", at=at, by=SYSTEM, reason="x")


def test_a_pocket_that_does_not_exist_reserves_nothing(at):
    with pytest.raises(ledger.NotYours), transaction.atomic():
        ledger.reserve(lines=[(uuid.uuid4(), 1)], key="accept", at=at, by=SYSTEM, reason="x")


# --- The administration --------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "  ", NUL, "x" * 501])
def test_a_correction_without_words_that_can_be_kept_corrects_nothing(chief, reason):
    movement = CreditFactory()
    url = reverse("admin:rights_movement_reverse", args=[movement.pk])
    assert chief.post(url, {"reason": reason}).status_code == 422
    assert not Movement.objects.filter(reverses=movement).exists()


def test_a_correction_clicked_twice_is_one_correction_and_one_line_of_the_journal(chief):
    movement = CreditFactory()
    url = reverse("admin:rights_movement_reverse", args=[movement.pk])
    for _click in range(2):
        chief.post(url, {"reason": "Erreur de saisie."})
    assert Movement.objects.filter(reverses=movement).count() == 1
    assert JournalEntry.objects.filter(action="reverse_movement").count() == 1
    assert integrity.check() == []


@pytest.mark.parametrize("object_id", ["0", "9" * 40, "²", "abc", "1_2f3"])
def test_a_movement_whose_number_was_made_up_is_no_fault(chief, object_id):
    answer = chief.get(reverse("admin:rights_movement_change", args=[object_id]))
    assert answer.status_code in (302, 404)


def test_a_number_too_long_to_be_one_corrects_nothing(chief):
    CreditFactory()
    assert chief.get(reverse("admin:rights_movement_reverse", args=[10**40])).status_code == 404


def test_who_may_only_look_corrects_nothing(client):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_movement", "change_movement"]))
    client.force_login(clerk)
    movement = CreditFactory()
    url = reverse("admin:rights_movement_reverse", args=[movement.pk])
    assert client.post(url, {"reason": "x"}).status_code == 403


@pytest.mark.parametrize("model", ["pocket", "movement"])
def test_the_searches_of_the_administration_take_any_sign(chief, model):
    PurseFactory()
    for query in ("%", "_", "\\", "'", NUL, "🎓", "9" * 40):
        assert chief.get(reverse(f"admin:rights_{model}_changelist"), {"q": query}).status_code == 200


def test_the_journal_of_a_reversal_is_kept_by_the_database(chief):
    movement = CreditFactory()
    chief.post(reverse("admin:rights_movement_reverse", args=[movement.pk]), {"reason": "Erreur."})
    line = JournalEntry.objects.get(action="reverse_movement")
    with pytest.raises(Exception, match="journal_is_append_only"), transaction.atomic():
        line.delete()


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000, "-1", "%00", "x"])
def test_a_movement_that_cannot_exist_is_no_fault(chief, number):
    answer = chief.get(f"/administration/rights/movement/{number}/change/")
    assert answer.status_code == 302  # Django's own « n'existe pas »

"""What a holder reads about their rights: sums, reservations, history with its running balance."""

import datetime
import uuid

import pytest

from accounts.actors import SYSTEM
from rights import ledger, statements
from rights.kinds import PocketKind, Unit
from rights.models import Movement
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)


def reserve(*lines, key, label):
    lines = [(pocket.pk, amount) for pocket, amount in lines]
    return ledger.reserve(lines=lines, key=key, at=NOW, by=SYSTEM, reason="Dossier", label=label)


def told(key):
    return {"key": key, "at": NOW, "by": SYSTEM, "reason": "Motif"}


def test_the_total_counts_usable_euros_and_leaves_hours_and_expired_dotations_apart():
    holder = HolderFactory()
    PurseFactory(holder=holder, amount=500_00)
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    yesterday = NOW.date() - datetime.timedelta(days=1)
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, amount=70_00, label="Région", expires_on=yesterday)
    PurseFactory(amount=9_999_00)  # somebody else's
    found = statements.statement(holder, at=NOW)
    assert (found.total_cents, found.hours, found.has_hours) == (500_00, 25, True)
    assert {(line.name, line.unit): line.is_expired for line in found.pockets} == {
        ("Droits annuels", "eur_cent"): False,
        ("Droits annuels", "hour"): False,
        ("Dotation", "eur_cent"): True,
    }


def test_the_total_is_what_the_purses_of_a_plan_add_up_to():
    holder = HolderFactory()
    for kind in (PocketKind.ANNUAL, PocketKind.DIF):
        reserve((PurseFactory(holder=holder, kind=kind), 20), key=kind, label="")
    total = sum(purse.balance for purse in ledger.purses(holder, at=NOW))
    assert statements.statement(holder, at=NOW).total_cents == total == 999_60


def test_what_is_reserved_is_told_by_training_and_by_pocket():
    holder = HolderFactory()
    annual = PurseFactory(holder=holder, amount=500_00)
    dif = PurseFactory(holder=holder, kind=PocketKind.DIF, amount=100_00)
    reserve((dif, 100_00), (annual, 200_00), key="a", label="Anglais")
    ledger.pay_in(reserved_for=holder, amount=103_20, label="Anglais", **told("p"))
    gone = reserve((annual, 50_00), key="b", label="Soudure")
    ledger.release(reserved=gone, **told("r"))
    found = statements.statement(holder, at=NOW)
    assert [(each.label, each.rights, each.paid) for each in found.reservations] == [
        ("Anglais", 300_00, 103_20)
    ]
    assert {line.id: (line.balance, line.reserved) for line in found.pockets} == {
        annual.pk: (300_00, 200_00),
        dif.pk: (0, 100_00),
    }


def test_the_history_is_newest_first_each_line_explained_with_the_balance_after_it():
    holder = HolderFactory()
    credit = CreditFactory(
        holder=holder, amount=500_00, at=NOW, reason="Année 2025", formula=[("Base", "500 €")]
    )
    mistake = CreditFactory(holder=holder, amount=40_00)
    CreditFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=60_00)
    reserved = reserve((credit.target, 200_00), key="a", label="Anglais")
    ledger.release(reserved=reserved, **told("r"))
    ledger.reverse(movement=mistake, **told("fix"))
    CreditFactory(amount=9_999_00)
    history = statements.statement(holder, at=NOW).history
    assert [(line.words, line.effect, line.balance) for line in history] == [
        ("Correction : des droits ajoutés par erreur ont été retirés", -40_00, 560_00),
        ("Rendu à votre compte : Anglais", 200_00, 600_00),
        ("Réservé pour : Anglais", -200_00, 400_00),
        ("Région vous a versé des droits à la formation", 60_00, 600_00),
        ("Droits ajoutés à votre compte", 40_00, 540_00),
        ("Droits ajoutés à votre compte", 500_00, 500_00),
    ]
    assert history[5].formula == [["Base", "500 €"]]
    assert history[5].reason == "Année 2025"
    assert len(history) == 6


def test_the_balance_runs_by_unit_and_the_filter_tells_one_pocket_only():
    holder = HolderFactory()
    hours = PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    annual = PurseFactory(holder=holder, amount=500_00)
    PurseFactory(holder=holder, kind=PocketKind.DIF, amount=1)
    PurseFactory(holder=holder, amount=2)
    lines = list(statements.statement(holder, at=NOW).history)
    assert [(line.unit, line.balance) for line in lines] == [
        ("eur_cent", 500_03),
        ("eur_cent", 500_01),
        ("eur_cent", 500_00),
        ("hour", 25),
    ]
    only = statements.statement(holder, at=NOW, pocket_id=annual.pk)
    assert [line.balance for line in only.history] == [500_02, 500_00]
    assert only.total_cents == 500_03
    assert len(statements.statement(holder, at=NOW, pocket_id=hours.pk).history) == 1


def test_the_last_balance_is_what_the_pocket_holds():
    holder = HolderFactory()
    purse = PurseFactory(holder=holder)
    for number in range(5):
        reserve((purse, 10 + number), key=f"k{number}", label="x")
    purse.refresh_from_db()
    assert statements.statement(holder, at=NOW).history[0].balance == purse.balance


def test_a_pocket_of_somebody_else_or_a_reserved_one_is_not_found():
    holder = HolderFactory()
    purse = PurseFactory(holder=holder)
    reserved = reserve((purse, 1), key="a", label="x")[0]
    for pocket_id in (PurseFactory().pk, reserved, uuid.uuid4()):
        with pytest.raises(LookupError):
            statements.statement(holder, at=NOW, pocket_id=pocket_id)


def test_an_account_without_rights_has_an_empty_statement():
    found = statements.statement(HolderFactory(), at=NOW)
    assert (found.total_cents, found.pockets, found.reservations, list(found.history)) == (0, [], [], [])


def test_a_statement_costs_the_same_queries_with_1_and_with_3_of_everything(django_assert_num_queries):
    holder = HolderFactory()
    for number, kind in enumerate((PocketKind.ANNUAL, PocketKind.DIF, PocketKind.VOLUNTEER)):
        reserve((PurseFactory(holder=holder, kind=kind), 1), key=kind, label=f"Formation {number}")
        if number in (0, 2):
            with django_assert_num_queries(3):  # purses, reservations, history
                found = statements.statement(holder, at=NOW)
                assert len(found.history[:25]) == 2 * (number + 1)
    assert Movement.objects.count() == 6

"""The chain of days: what it takes, when, and that nothing sealed changes unseen.

Edits are made as somebody with the database in hand would: with every trigger switched off.
"""

import datetime
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from rights import integrity, proof, seals
from rights.models import LedgerCheck, Movement, Pocket, Seal, SealedMovement
from rights.tasks import seal_ledger
from rulebook.workdays import PARIS
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db


def paris(day, hour=12, minute=0, *, month=3):
    return datetime.datetime(2026, month, day, hour, minute, tzinfo=PARIS)


def sealed(*, at):
    return seals.seal_due(at=at)


def rules_broken():
    audit = integrity.audit(verify_seals=True)
    return {rule for rule, count in audit.rules.items() if count}


@contextmanager
def triggers_off():
    """What a superuser can do: no trigger runs, foreign keys included."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


# --- What is sealed, and when -------------------------------------------------------------------------


def test_a_day_is_sealed_once_it_is_over_in_paris():
    credit = CreditFactory(at=paris(10, 23, 59))
    assert sealed(at=paris(10, 23, 59)) == []
    assert sealed(at=paris(11, 0)) == [datetime.date(2026, 3, 10)]
    seal = Seal.objects.get()
    assert (seal.count, seal.first_id, seal.last_id, seal.previous_hash) == (1, credit.pk, credit.pk, "")
    assert SealedMovement.objects.get().movement == credit


def test_the_last_minutes_of_a_day_in_paris_are_of_that_day_whatever_the_universal_time():
    CreditFactory(at=datetime.datetime(2026, 7, 14, 21, 59, tzinfo=datetime.UTC))
    CreditFactory(at=datetime.datetime(2026, 7, 14, 22, 1, tzinfo=datetime.UTC))
    sealed(at=paris(16, month=7))
    assert [(str(seal.day), seal.count) for seal in Seal.objects.order_by("day")] == [
        ("2026-07-14", 1),
        ("2026-07-15", 1),
    ]


def test_no_day_is_left_out_even_when_nothing_happened():
    CreditFactory(at=paris(1))
    CreditFactory(at=paris(4))
    assert len(sealed(at=paris(6))) == 5
    chain = list(Seal.objects.order_by("day"))
    assert [seal.count for seal in chain] == [1, 0, 0, 1, 0]
    assert [seal.previous_hash for seal in chain[1:]] == [seal.hash for seal in chain[:-1]]
    assert rules_broken() == set()


def test_nothing_is_sealed_before_anything_happens():
    assert sealed(at=paris(11)) == []
    assert rules_broken() == set()


def test_sealing_again_changes_nothing():
    CreditFactory(at=paris(10))
    sealed(at=paris(11))
    assert sealed(at=paris(11, 23)) == []


def test_what_is_recorded_late_goes_to_the_next_seal():
    CreditFactory(at=paris(10))
    sealed(at=paris(11, 1))
    late = CreditFactory(at=paris(10, 23))
    assert rules_broken() == set()
    sealed(at=paris(12, 1))
    assert SealedMovement.objects.get(movement=late).seal_id == datetime.date(2026, 3, 11)
    assert rules_broken() == set()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_began_before_the_seal_and_commits_after_it_is_in_the_next():
    """Its number is lower than one that is sealed: a rule by numbers would leave it out for ever."""
    purse = PurseFactory(at=paris(9))
    written, may_commit = threading.Event(), threading.Event()

    def slowly():
        try:
            with transaction.atomic():
                credit = CreditFactory(holder=purse.holder, at=paris(10, 23, 50), key="slow")
                written.set()
                assert may_commit.wait(timeout=30)
            return credit.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(slowly)
        assert written.wait(timeout=30)
        quick = CreditFactory(at=paris(10, 23, 55), key="quick")
        sealed(at=paris(11, 1))
        may_commit.set()
        late = slow.result(timeout=30)
    assert late < quick.pk == Seal.objects.get(day="2026-03-10").last_id
    assert not SealedMovement.objects.filter(movement=late).exists()
    sealed(at=paris(12, 1))
    assert SealedMovement.objects.get(movement=late).seal_id == datetime.date(2026, 3, 11)
    assert rules_broken() == set()


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_make_one_chain():
    for day in range(1, 6):
        CreditFactory(at=paris(day))
    together = threading.Barrier(4)

    def seal(_number):
        try:
            connection.ensure_connection()
            together.wait(timeout=30)
            return seals.seal_due(at=paris(6))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        done = [day for days in threads.map(seal, range(4)) for day in days]
    assert len(done) == len(set(done))
    sealed(at=paris(6))  # whoever found another at work left it the rest
    assert [seal.day.day for seal in Seal.objects.order_by("day")] == [1, 2, 3, 4, 5]
    assert rules_broken() == set()


def test_what_was_cut_off_begins_again_where_it_was(monkeypatch):
    for day in (1, 2, 3):
        CreditFactory(at=paris(day))
    write = seals._write

    def dies_on_the_second_day(places):
        write(places)
        if Seal.objects.exists():
            raise KeyboardInterrupt

    monkeypatch.setattr(seals, "_write", dies_on_the_second_day)
    with pytest.raises(KeyboardInterrupt):
        sealed(at=paris(4))
    monkeypatch.setattr(seals, "_write", write)
    assert SealedMovement.objects.count() == 1
    assert len(sealed(at=paris(4))) == 2
    assert rules_broken() == set()


def test_a_day_larger_than_a_lot_and_than_a_branch_is_sealed_and_proven(monkeypatch):
    monkeypatch.setattr(seals, "LOT", 7)
    monkeypatch.setattr(proof, "BRANCH", 4)
    holder = HolderFactory()
    for _number in range(23):
        CreditFactory(holder=holder, at=paris(10))
    sealed(at=paris(11))
    assert rules_broken() == set()
    seal = Seal.objects.get()
    contents = {content["id"]: content for content in seals.contents(holder.pk)}
    places = seals.places(list(contents))
    assert len(places) == 23
    for movement_id, place in places.items():
        leaf = proof.leaf_of(contents[movement_id])
        root = proof.root_from(leaf, position=place.position, count=seal.count, path=place.path)
        assert root.hex() == seal.root


# --- Trees --------------------------------------------------------------------------------------------


def rfc_root(leaves):
    """RFC 9162, section 2.1.1, word for word."""
    if not leaves:
        return proof.root_of([])
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return proof._node(rfc_root(leaves[:half]), rfc_root(leaves[half:]))


@given(count=st.integers(0, 700), data=st.data())
def test_a_tree_is_that_of_the_rfc_and_each_leaf_is_proven_at_its_own_place_only(count, data):
    leaves = [proof.leaf_of({"id": number}) for number in range(count)]
    tree = proof.Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root == rfc_root(leaves)
    if not count:
        return
    at = data.draw(st.integers(0, count - 1))
    begin = at // proof.BRANCH * proof.BRANCH
    path = proof.path_of(at, siblings=leaves[begin : begin + proof.BRANCH], branches=tree.branches)
    assert proof.root_from(leaves[at], position=at, count=count, path=path) == tree.root
    other = proof.leaf_of({"id": -1})
    assert proof.root_from(other, position=at, count=count, path=path) != tree.root
    assert proof.root_from(leaves[at], position=at, count=count, path=[*path, other]) is None
    assert proof.root_from(leaves[at], position=count, count=count, path=path) is None
    if path:
        assert proof.root_from(leaves[at], position=at, count=count, path=path[:-1]) is None


def test_every_column_is_sealed():
    """A column added to the ledger tomorrow is sealed too, or said here not to be."""
    movement = {field.attname for field in Movement._meta.concrete_fields}
    assert movement == {*seals.MOVEMENT_FACTS, "source_id", "target_id"}
    pocket = {field.attname for field in Pocket._meta.concrete_fields}
    assert pocket == {*seals.POCKET_FACTS, "balance"}
    seal = {field.attname for field in Seal._meta.concrete_fields}
    assert seal == {*proof.SEAL_FIELDS, "hash", "branches"}


# --- What the database refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "guard"),
    [
        ({"day": datetime.date(2026, 3, 12)}, "seal_follows_the_last"),
        ({"previous_hash": "0" * 64}, "seal_follows_the_last"),
        ({"day": datetime.date(2026, 3, 10)}, "seal_follows_the_last"),
        ({"made_at": paris(11, 23, 59)}, "seal_waits_for_the_end_of_its_day"),
        ({"count": 1}, "seal_counts_its_movements"),
    ],
)
def test_a_seal_follows_the_last_once_its_day_is_over(fields, guard):
    CreditFactory(at=paris(10))
    sealed(at=paris(11))
    last = Seal.objects.get()
    good = {
        "day": datetime.date(2026, 3, 11),
        "count": 0,
        "root": "0" * 64,
        "previous_hash": last.hash,
        "hash": "1" * 64,
        "made_at": paris(12, 0),
        "branches": b"",
    }
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Seal.objects.create(**(good | fields))
    assert refusal.value.__cause__.diag.constraint_name in {guard, "rights_seal_pkey"}
    Seal.objects.create(**good)


def test_nothing_is_added_to_a_sealed_day():
    CreditFactory(at=paris(10))
    sealed(at=paris(11))
    late = CreditFactory(at=paris(10))
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        SealedMovement.objects.create(movement=late, seal_id="2026-03-10", position=1, leaf=b"")
    assert refusal.value.__cause__.diag.constraint_name == "sealed_day_is_closed"


# --- What is found ------------------------------------------------------------------------------------


@pytest.fixture
def three_days():
    """Three credits a day on the 1st, 2nd and 3rd, sealed; of the second, the middle one."""
    credits = [CreditFactory(at=paris(day), reason="Année") for day in (1, 2, 3) for _number in range(3)]
    sealed(at=paris(4))
    assert rules_broken() == set()
    return credits[4]


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'Autre'",
        "recorded_at = recorded_at - interval '1 second'",
        "value_date = value_date - 1",
        "key = key || 'x'",
        """formula = '[["Heures", "800"]]'""",
        "kind = 'adjust_up'",
    ],
)
def test_a_changed_movement_is_found_with_its_day(three_days, change):
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE rights_movement SET {change} WHERE id = %s", [three_days.pk])
    [first, *_others] = seals.differences()
    assert (first.rule, first.day, first.movement_id) == (
        "movement_is_as_sealed",
        datetime.date(2026, 3, 2),
        three_days.pk,
    )


@pytest.mark.parametrize("change", ["label = 'Autre'", "expires_on = '2030-01-01'", "kind = 'dif'"])
def test_a_changed_pocket_is_found_through_its_movements(three_days, change):
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE rights_pocket SET {change} WHERE id = %s", [three_days.target_id])
    [first, *_others] = seals.differences()
    assert first.movement_id == three_days.pk


def test_a_movement_and_its_balance_that_disappear_together_are_missed(three_days):
    """Every rule of the ledger holds again after such a theft: only the seal knows."""
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM rights_movement WHERE id = %s", [three_days.pk])
        cursor.execute("DELETE FROM rights_pocket WHERE id = %s", [three_days.target_id])
    assert rules_broken() == {"movement_is_as_sealed"}
    [difference] = seals.differences()
    assert (difference.movement_id, difference.details) == (three_days.pk, "the movement is gone")


def test_a_movement_slipped_among_those_of_a_sealed_day_is_found(three_days):
    slipped = CreditFactory(at=paris(1, 13))
    assert rules_broken() == {"movement_is_sealed"}
    [difference] = seals.differences()
    assert (difference.movement_id, difference.day) == (slipped.pk, datetime.date(2026, 3, 1))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("root = repeat('0', 64)", "seal_is_its_movements"),
        ("count = 4", "seal_is_its_movements"),
        ("branches = ''", "seal_is_its_movements"),
        ("made_at = made_at + interval '1 hour'", "seal_is_its_hash"),
        ("hash = repeat('0', 64)", "seal_is_its_hash"),
        ("previous_hash = repeat('0', 64)", "seals_are_chained"),
    ],
)
def test_a_changed_seal_is_found(three_days, change, rule):
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE rights_seal SET {change} WHERE day = '2026-03-02'")
    assert rule in rules_broken()


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("DELETE FROM rights_seal WHERE day = '2026-03-02'", "seal_of_every_day"),
        ("DELETE FROM rights_seal WHERE day = '2026-03-03'", "seal_of_every_day"),
        ("DELETE FROM rights_sealedmovement WHERE position = 1", "sealed_movements_are_all_there"),
        ("UPDATE rights_sealedmovement SET leaf = '' WHERE position = 1", "movement_is_as_sealed"),
        (
            "UPDATE rights_sealedmovement SET position = 9 WHERE position = 2",
            "sealed_movements_are_all_there",
        ),
    ],
)
def test_a_seal_that_lost_something_is_found(three_days, sql, rule):
    with triggers_off() as cursor:
        cursor.execute(sql)
    assert rule in rules_broken()


def test_a_chain_cut_and_made_again_is_found_by_who_saw_its_head(three_days):
    """Sound in itself: the thief removed the last seals, changed a movement and sealed the days anew."""
    integrity.nightly_check(at=paris(4, 4))
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM rights_sealedmovement")
        cursor.execute("DELETE FROM rights_seal")
        cursor.execute("UPDATE rights_movement SET reason = 'Autre' WHERE id = %s", [three_days.pk])
    sealed(at=paris(5))
    assert rules_broken() == {"seals_are_those_seen_before"}
    [difference] = seals.differences()
    assert difference.day == datetime.date(2026, 3, 3)


# --- Who is told --------------------------------------------------------------------------------------


def run(command, **options):
    told = io.StringIO()
    call_command(command, stdout=told, no_color=True, **options)
    return told.getvalue()


def test_the_command_seals_and_says_what_it_sealed():
    CreditFactory(at=paris(10))
    told = run("seal_ledger")
    assert "10\u00a0mars 2026 : 1 mouvement, empreinte " + Seal.objects.get(day="2026-03-10").hash in told
    assert "11\u00a0mars 2026 : 0 mouvement" in told
    assert "Rien à sceller" in run("seal_ledger")


def test_check_ledger_says_how_far_it_is_sealed(three_days):
    assert f"Scellé jusqu’au 3\u00a0mars 2026, empreinte {seals.head().hash}." in run(
        "check_ledger", verify_seals=True
    )
    assert "Scellé" not in run("check_ledger")


def test_check_ledger_names_the_first_day_and_movement_that_differ(three_days):
    with triggers_off() as cursor:
        cursor.execute("UPDATE rights_movement SET reason = 'Autre' WHERE id >= %s", [three_days.pk])
    told = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("check_ledger", verify_seals=True, stdout=told, no_color=True)
    assert f"Premier écart avec les sceaux : movement:{three_days.pk}, le 2026-03-02" in told.getvalue()


def test_without_seals_the_check_does_not_see_a_reason_that_changed(three_days):
    """The negative of the above: rules alone cannot know what was written."""
    with triggers_off() as cursor:
        cursor.execute("UPDATE rights_movement SET reason = 'Autre' WHERE id = %s", [three_days.pk])
    assert integrity.check() == []


def test_the_clock_seals_every_night(caplog):
    CreditFactory(at=paris(10))
    seal_ledger()
    assert seals.head().day >= datetime.date(2026, 3, 10)


def test_the_outcome_of_a_check_is_kept_with_what_is_wrong(three_days):
    integrity.nightly_check(at=paris(4, 4))
    kept = integrity.last_check()
    assert (kept.movements, kept.findings, kept.head_hash) == (9, 0, seals.head().hash)
    with triggers_off() as cursor:
        cursor.execute("UPDATE rights_pocket SET balance = 7 WHERE id = %s", [three_days.target_id])
    integrity.nightly_check(at=paris(5, 4))
    assert [each[0] for each in integrity.last_check().worst] == ["balance_is_the_sum_of_movements"]
    assert LedgerCheck.objects.count() == 2

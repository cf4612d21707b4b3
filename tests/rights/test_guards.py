"""What the database itself refuses, each first shown to be possible without its guard.

The second half of each story is the second net: with the guard away, `integrity.check()` finds it.
"""

import datetime
import uuid
from contextlib import nullcontext

import pgtrigger
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from accounts.actors import SYSTEM
from rights import claims, integrity, ledger
from rights.kinds import MovementKind, Origin, PocketKind, Unit
from rights.models import POCKET_FACTS, Movement, Pocket
from tests.conftest import ROOT
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory
from tests.rights.away import TRIGGERS, switched_off
from tests.rights.test_seals import triggers_off

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
JUDGE = "movement_moves_balances"
REFUSED = (IntegrityError, ProgrammingError)
"""A refusal named like a constraint, and pgtrigger's own."""


def movement(source, target, *, amount=10, kind=MovementKind.CREDIT, **fields):
    return Movement(
        source_id=source.pk,
        target_id=target.pk,
        amount=amount,
        kind=kind,
        key=fields.pop("key", str(uuid.uuid4())),
        value_date=NOW.date(),
        recorded_at=NOW,
        **fields,
    )


def post(source, target, **fields):
    """A movement straight into the table, past the ledger."""
    written = movement(source, target, **fields)
    written.save(force_insert=True)
    return written


def rules_broken():
    return {finding.rule for finding in integrity.check()}


def constraint_of(refusal):
    return refusal.value.__cause__.diag.constraint_name


@pytest.fixture
def purse():
    return PurseFactory(amount=100)


@pytest.fixture
def state():
    return Pocket.objects.get_or_create(kind=PocketKind.STATE, unit=Unit.EUR_CENT)[0]


@pytest.fixture
def reserved(purse):
    return Pocket.objects.get(pk=reserve(purse, 40)[0])


def reserve(purse, amount):
    return ledger.reserve(
        lines=[(purse.pk, amount)], key=str(uuid.uuid4()), at=NOW, by=SYSTEM, reason="Dossier"
    )


def without_constraint(name, table="rights_pocket"):
    """Drop it inside the test's transaction, which gives it back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def without_index(name):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP INDEX {name}")


def test_a_sound_ledger_has_nothing_wrong(purse, reserved):
    audit = integrity.audit()
    assert audit.findings == []
    assert (audit.pockets, audit.movements) == (3, 2)
    assert audit.owned == {"eur_cent": 60, "hour": 0}
    assert audit.reserved == {"eur_cent": 40, "hour": 0}
    assert set(audit.rules) == set(integrity.RULES)


# --- Balances -------------------------------------------------------------------------------------


def test_a_pocket_is_never_overdrawn(purse):
    line = Pocket.objects.create(holder=purse.holder, kind=PocketKind.RESERVED, balance=0)
    too_much = {"source": purse, "target": line, "amount": 101, "kind": MovementKind.RESERVE}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(**too_much)
    assert constraint_of(refusal) == "pocket_never_overdrawn"
    without_constraint("pocket_never_overdrawn")
    post(**too_much)
    purse.refresh_from_db()
    assert purse.balance == -1
    assert "pocket_never_overdrawn" in rules_broken()


@pytest.mark.parametrize(
    ("guard", "fault", "rule"),
    [
        (
            "pocket_balance_follows_moves",
            lambda purse: Pocket.objects.filter(pk=purse.pk).update(balance=1_000_000),
            "balance_is_the_sum_of_movements",
        ),
        (
            "pocket_starts_empty",
            lambda purse: Pocket.objects.create(holder=purse.holder, kind=PocketKind.DIF, balance=1_000_000),
            "balance_is_the_sum_of_movements",
        ),
        (
            "movement_is_never_edited",
            lambda purse: Movement.objects.update(amount=1_000_000),
            "balance_is_the_sum_of_movements",
        ),
        (
            "movement_is_never_edited",
            lambda purse: Movement.objects.all().delete(),
            "balance_is_the_sum_of_movements",
        ),
    ],
    ids=["balance rewritten", "pocket born rich", "amount edited", "movement deleted"],
)
def test_value_comes_and_goes_by_movements_only(purse, guard, fault, rule):
    with pytest.raises(REFUSED), transaction.atomic():
        fault(purse)
    assert integrity.check() == []
    with switched_off(guard):
        fault(purse)
    assert rules_broken() == {rule}


def test_without_the_trigger_that_moves_balances_a_credit_changes_nothing_and_is_found(purse, state):
    with switched_off("movement_moves_balances"):
        post(state, purse)
    assert Pocket.objects.get(pk=purse.pk).balance == purse.balance
    assert rules_broken() == {"balance_is_the_sum_of_movements"}


@pytest.mark.parametrize("change", [{"kind": PocketKind.DIF}, {"unit": Unit.HOUR}, {"holder": None}], ids=str)
def test_a_pocket_stays_what_it_is(purse, change):
    change = change if "holder" not in change else {"holder": HolderFactory()}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.filter(pk=purse.pk).update(**change)
    assert constraint_of(refusal) == "pocket_stays_what_it_is"
    with switched_off("pocket_stays_what_it_is"):
        assert Pocket.objects.filter(pk=purse.pk).update(**change) == 1


def test_everything_of_a_pocket_but_its_balance_is_a_fact_that_stays():
    columns = {field.column for field in Pocket._meta.concrete_fields}
    assert columns - {"balance"} == set(POCKET_FACTS)


@pytest.mark.parametrize("change", [{"label": "Autre"}, {"expires_on": NOW.date()}], ids=str)
def test_what_a_pocket_is_called_and_its_last_day_are_sealed_with_its_movements(purse, change):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.filter(pk=purse.pk).update(**change)
    assert constraint_of(refusal) == "pocket_stays_what_it_is"


def test_a_pocket_is_never_deleted(purse):
    with pytest.raises(REFUSED), transaction.atomic():
        Pocket.objects.filter(pk=purse.pk)._raw_delete("default")
    empty = Pocket.objects.create(holder=purse.holder, kind=PocketKind.DIF, balance=0)
    with switched_off("pocket_is_never_deleted"):
        Pocket.objects.filter(pk=empty.pk)._raw_delete("default")
    assert not Pocket.objects.filter(pk=empty.pk).exists()


# --- Pockets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("pocket_of_the_world_keeps_no_balance", {"kind": PocketKind.CARD, "balance": 0}),
        ("pocket_of_the_world_keeps_no_balance", {"kind": PocketKind.DIF, "balance": None, "holder": True}),
        ("pocket_of_a_person_has_a_holder", {"kind": PocketKind.DIF, "balance": 0}),
        ("pocket_of_a_person_has_a_holder", {"kind": PocketKind.RESERVED, "balance": 0}),
        ("pocket_of_a_person_has_a_holder", {"kind": PocketKind.CARD, "holder": True}),
    ],
)
def test_world_pockets_have_neither_balance_nor_holder_and_others_have_both(purse, constraint, fields):
    fields = fields | ({"holder": purse.holder} if "holder" in fields else {})
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(**fields)
    assert constraint_of(refusal) == constraint
    with switched_off(constraint) if constraint in TRIGGERS else nullcontext(without_constraint(constraint)):
        Pocket.objects.create(**fields)
    assert constraint in rules_broken()


def test_a_purse_is_opened_once_even_without_label_or_last_day(purse):
    again = {"holder": purse.holder, "kind": purse.kind, "balance": 0}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(**again)
    assert constraint_of(refusal) == "purse_is_opened_once"
    without_index("purse_is_opened_once")
    Pocket.objects.create(**again)
    assert rules_broken() == {
        "purse_is_opened_once",
        "pocket_is_opened_by_a_movement",
        "guard_is_in_place",
    }


def test_a_world_pocket_is_opened_once(state):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(kind=PocketKind.STATE)
    assert constraint_of(refusal) == "world_pocket_is_opened_once"
    without_index("world_pocket_is_opened_once")
    Pocket.objects.create(kind=PocketKind.STATE)
    assert "purse_is_opened_once" in rules_broken()


def test_only_what_a_funder_grants_names_a_kind_of_funder(purse):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(holder=purse.holder, kind=PocketKind.DIF, balance=0, funder_kind="opco")
    assert constraint_of(refusal) == "pocket_of_a_funder_only_names_its_kind"


# --- Movements ------------------------------------------------------------------------------------


def in_hours(purse, state, reserved):
    hours = PurseFactory(holder=purse.holder, unit=Unit.HOUR)
    return {"source": state, "target": hours}


def to_somebody_else(purse, state, reserved):
    other = Pocket.objects.create(holder=HolderFactory(), kind=PocketKind.RESERVED, balance=0)
    return {"source": purse, "target": other, "kind": MovementKind.RESERVE}


def off_its_route(purse, state, reserved):
    return {"source": purse, "target": state, "kind": MovementKind.CREDIT}


def released_elsewhere(purse, state, reserved):
    other = PurseFactory(holder=purse.holder, kind=PocketKind.DIF)
    return {"source": reserved, "target": other, "kind": MovementKind.RELEASE}


def reversed_in_part(purse, state, reserved):
    credit = Movement.objects.filter(target=purse).earliest("id")
    return {"source": purse, "target": credit.source, "kind": MovementKind.REVERSAL, "reverses": credit}


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("movement_keeps_one_unit", in_hours),
        ("movement_keeps_one_holder", to_somebody_else),
        ("movement_follows_its_route", off_its_route),
        ("movement_returns_to_its_source", released_elsewhere),
        ("movement_reverses_a_credit", reversed_in_part),
    ],
)
def test_a_movement_is_in_order(purse, state, reserved, rule, fault):
    fields = fault(purse, state, reserved)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(**fields)
    assert constraint_of(refusal) == rule
    assert rule not in rules_broken()
    with switched_off(JUDGE):
        post(**fields)
    assert rule in rules_broken()


def test_a_movement_joins_two_pockets_that_are_there(purse, state):
    nowhere = Pocket(pk=uuid.uuid4(), kind=PocketKind.ANNUAL, holder=purse.holder)
    for source, target in ((state, nowhere), (nowhere, purse)):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            post(source, target)
        assert constraint_of(refusal) == "movement_joins_two_pockets"
    with switched_off(JUDGE):
        post(state, nowhere)
    assert "movement_joins_two_pockets" in rules_broken()


@pytest.mark.parametrize("fault", [in_hours, off_its_route])
def test_a_credit_is_judged_alone_as_among_others(purse, state, reserved, fault):
    """Alone, it takes a way of its own through the trigger."""
    right = {"source": state, "target": purse}
    wrong = fault(purse, state, reserved)
    rules = set()
    for rows in ([wrong], [right, wrong], [wrong, wrong]):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            Movement.objects.bulk_create([movement(amount=1, **row) for row in rows])
        rules.add(constraint_of(refusal))
    assert len(rules) == 1
    before = Pocket.objects.get(pk=purse.pk).balance
    for number in (1, 2):
        Movement.objects.bulk_create([movement(amount=1, **right) for _each in range(number)])
    assert Pocket.objects.get(pk=purse.pk).balance == before + 3


def test_no_session_talks_a_guard_of_the_ledger_out_of_its_work(purse, state):
    """`pgtrigger.ignore` is a setting that any role may set."""
    names = ",".join(trigger for _table, trigger in TRIGGERS.values())
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL pgtrigger.ignore = '{{{names}}}'")
        for sql in (
            "UPDATE rights_movement SET amount = 1",
            "DELETE FROM rights_movement",
            "UPDATE rights_pocket SET balance = 1 WHERE balance IS NOT NULL",
            "UPDATE rights_pocket SET label = 'Autre'",
            "DELETE FROM rights_pocket",
        ):
            with pytest.raises(REFUSED), transaction.atomic():
                cursor.execute(sql)
        with pytest.raises(IntegrityError), transaction.atomic():
            Pocket.objects.create(holder=purse.holder, kind=PocketKind.DIF, balance=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            post(purse, state)
        post(state, purse)
        cursor.execute("SET LOCAL pgtrigger.ignore = ''")
    assert integrity.check() == []


def test_one_wrong_row_refuses_the_whole_lot(purse, state):
    rows = [
        Movement(
            source_id=source.pk,
            target_id=target.pk,
            amount=1,
            kind=MovementKind.CREDIT,
            key=str(uuid.uuid4()),
            value_date=NOW.date(),
            recorded_at=NOW,
        )
        for source, target in [(state, purse)] * 20 + [(purse, state)]
    ]
    with pytest.raises(IntegrityError), transaction.atomic():
        Movement.objects.bulk_create(rows)
    Movement.objects.bulk_create(rows[:20])
    purse.refresh_from_db()
    assert purse.balance == 120


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_is_positive(purse, state, amount):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(state, purse, amount=amount)
    assert constraint_of(refusal) == "movement_amount_is_positive"
    without_constraint("movement_amount_is_positive", "rights_movement")
    post(state, purse, amount=amount)
    assert "movement_amount_is_positive" in rules_broken()


def test_a_movement_goes_somewhere(purse):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(purse, purse)
    assert constraint_of(refusal) == "movement_goes_somewhere"
    without_constraint("movement_goes_somewhere", "rights_movement")
    with switched_off(JUDGE):
        post(purse, purse)
    assert "movement_joins_two_pockets" in rules_broken()


def test_a_key_passes_once(purse, state):
    post(state, purse, key="annual:2025")
    with pytest.raises(IntegrityError), transaction.atomic():
        post(state, purse, key="annual:2025")
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(state, purse, key="")
    assert constraint_of(refusal) == "movement_has_a_key"
    without_constraint("movement_passes_once_per_key", "rights_movement")
    post(state, purse, key="annual:2025")
    assert "movement_passes_once_per_key" in rules_broken()


def test_a_reversal_names_what_it_reverses_and_nothing_else_does(purse, state):
    credit = post(state, purse)
    for fields in ({"kind": MovementKind.REVERSAL}, {"kind": MovementKind.CREDIT, "reverses": credit}):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            post(state, purse, **fields)
        assert constraint_of(refusal) == "movement_reversal_names_what_it_reverses"


def test_a_reserved_pocket_is_filled_once_and_is_never_left_empty(purse, reserved):
    refill = {"source": purse, "target": reserved, "kind": MovementKind.RESERVE}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(**refill)
    assert constraint_of(refusal) == "reserved_pocket_is_filled_once"
    Pocket.objects.create(holder=purse.holder, kind=PocketKind.RESERVED, balance=0)
    orphans = [finding for finding in integrity.check() if finding.rule == "reserved_pocket_is_filled_once"]
    assert [finding.details for finding in orphans] == ["filled 0 times"]
    without_index("reserved_pocket_is_filled_once")
    post(**refill)
    assert "filled 2 times" in {finding.details for finding in integrity.check()}


# --- The guards themselves ------------------------------------------------------------------------


def test_a_guard_that_was_taken_away_is_found(purse):
    without_constraint("pocket_never_overdrawn")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rights_movement DISABLE TRIGGER USER")
    found = {finding.subject: finding.details for finding in integrity.check()}
    assert found["pocket_never_overdrawn"] == "constraint missing on rights_pocket"
    assert found["movement_moves_balances"] == "trigger disabled on rights_movement"
    assert found["movement_is_never_edited"] == "trigger disabled on rights_movement"


def test_every_rule_of_the_check_is_worded():
    assert set(integrity.RULES) == {*integrity._queries(), "guard_is_in_place"}
    assert len(integrity.RULES) >= 15
    assert set(integrity.audit(verify_seals=True).rules) == {*integrity.RULES, *integrity.SEAL_RULES}


def test_the_production_role_cannot_do_what_a_trigger_could_be_talked_out_of(purse, state):
    """grants.sql: even with `pgtrigger.ignore` set, the role may only add movements."""
    grants = (ROOT / "rights" / "grants.sql").read_text(encoding="utf-8")
    grants = grants.replace(':"role"', "portal_under_test")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("CREATE ROLE portal_under_test")
        cursor.execute(grants)
        cursor.execute("GRANT SELECT ON accounts_holderprofile, accounts_user TO portal_under_test")
        cursor.execute("SET LOCAL ROLE portal_under_test")
    for sql in (
        "UPDATE rights_movement SET amount = 1",
        "DELETE FROM rights_movement",
        "TRUNCATE rights_movement",
        "UPDATE rights_pocket SET balance = 1",
        "UPDATE rights_pocket SET kind = 'dif'",
        "DELETE FROM rights_pocket",
        "TRUNCATE rights_pocket CASCADE",
        "UPDATE rights_seal SET hash = ''",
        "DELETE FROM rights_seal",
        "UPDATE rights_sealedmovement SET leaf = ''",
        "DELETE FROM rights_sealedmovement",
        "DELETE FROM rights_ledgercheck",
        "UPDATE rights_adjustment SET amount = 1",
        "DELETE FROM rights_adjustment",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            pgtrigger.ignore(),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
    reserved = reserve(purse, 100)  # while the portal works as ever
    ledger.release(reserved=reserved, key="r", at=NOW, by=SYSTEM, reason="")
    CreditFactory(holder=purse.holder, amount=5)
    purse.refresh_from_db()
    assert purse.balance == 105


# --- What only the check can tell -----------------------------------------------------------------


def changed(table, change, row):
    """As somebody who switched every trigger off would."""
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE {table} SET {change} WHERE id = %s", [row.pk])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("value_date = '1999-01-01'", "movement_has_plausible_dates"),
        ("value_date = recorded_at::date + 400", "movement_has_plausible_dates"),
        ("value_date = 'infinity'", "movement_has_plausible_dates"),
        ("recorded_at = '2001-01-01'", "movement_has_plausible_dates"),
        ("key = ' ' || key", "movement_key_is_shaped"),
        ("key = key || chr(10)", "movement_key_is_shaped"),
        ("formula = '{}'", "movement_formula_is_shaped"),
        ("""formula = '["a"]'""", "movement_formula_is_shaped"),
        ("""formula = '[["a"]]'""", "movement_formula_is_shaped"),
        ("""formula = '[["a", 1]]'""", "movement_formula_is_shaped"),
        ("kind = 'gift'", "movement_is_of_a_known_kind"),
    ],
)
def test_a_movement_that_no_verb_would_write_is_found(purse, change, rule):
    changed("rights_movement", change, Movement.objects.get(target=purse))
    assert rule in rules_broken()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("kind = 'treasure'", "pocket_is_of_a_known_kind"),
        ("unit = 'dollar'", "pocket_is_of_a_known_kind"),
        ("funder_kind = 'friend'", "pocket_is_of_a_known_kind"),
    ],
)
def test_a_pocket_of_a_kind_that_does_not_exist_is_found(change, rule):
    changed("rights_pocket", change, PurseFactory(kind=PocketKind.DOTATION, label="Région"))
    assert rule in rules_broken()


def test_what_is_counted_in_euros_holds_no_hours(purse):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(holder=purse.holder, kind=PocketKind.CREDIT, unit=Unit.HOUR, balance=0)
    assert constraint_of(refusal) == "pocket_of_euros_holds_no_hours"
    with switched_off("pocket_of_euros_holds_no_hours"):
        Pocket.objects.create(holder=purse.holder, kind=PocketKind.CREDIT, unit=Unit.HOUR, balance=0)
    assert "pocket_of_euros_holds_no_hours" in rules_broken()


def test_only_a_funder_s_gift_names_a_funder(purse):
    changed("rights_pocket", "funder_kind = 'opco'", purse)
    assert "pocket_of_a_funder_only_names_its_kind" in rules_broken()


def test_terms_of_what_no_funder_grants_are_refused_or_found(purse):
    fields = {"holder": purse.holder, "kind": PocketKind.DIF, "balance": 0, "origin": Origin.TOP_UP}
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(**fields)
    assert constraint_of(refusal) == "pocket_of_a_funder_only_has_terms"
    with switched_off("pocket_of_a_funder_only_has_terms"):
        Pocket.objects.create(**fields)
    assert "pocket_of_a_funder_only_has_terms" in rules_broken()


def test_a_balance_that_was_negative_one_day_and_is_made_good_is_found(purse, reserved):
    """The order of what happened changed: in the end every sum is the same."""
    late = post(Movement.objects.get(target=purse).source, purse, amount=100)
    credit, reservation = Movement.objects.exclude(pk=late.pk).order_by("pk")
    changed("rights_movement", f"id = {late.pk + 10}", credit)
    assert rules_broken() == {"pocket_was_never_overdrawn"}
    assert reservation.source_id == purse.pk


def test_what_gives_back_before_it_was_taken_is_found(purse, reserved):
    ledger.release(reserved=[reserved.pk], key="r", at=NOW, by=SYSTEM, reason="")
    changed("rights_movement", "id = -1", Movement.objects.get(key="r:1"))
    assert "movement_comes_after_what_it_undoes" in rules_broken()


def test_a_correction_that_names_nothing_is_found(purse):
    without_constraint("movement_reversal_names_what_it_reverses", "rights_movement")
    changed("rights_movement", "kind = 'reversal'", Movement.objects.get(target=purse))
    assert "movement_reversal_names_what_it_reverses" in rules_broken()


def test_a_reservation_that_nobody_answers_for_is_found(purse, reserved, monkeypatch):
    """Here the claims of dossiers: none of them names this pocket, then one does, then two do."""
    monkeypatch.setattr(claims, "CLAIMS", ["SELECT id FROM rights_pocket WHERE false"])
    assert rules_broken() == {"reserved_pocket_is_claimed"}
    claims.claim(f"SELECT '{reserved.pk}'::uuid")
    assert rules_broken() == set()
    claims.claim(f"SELECT '{reserved.pk}'::uuid AS again")
    assert rules_broken() == {"reserved_pocket_is_claimed"}


def test_a_session_in_which_no_trigger_runs_is_found(purse):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        assert "session_replication_role" in {finding.subject for finding in integrity.check()}
        cursor.execute("SET LOCAL session_replication_role = origin")

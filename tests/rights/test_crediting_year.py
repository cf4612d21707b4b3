"""A year credited to everyone: once, from what is said today, corrected when it changes, within the cap."""

import datetime
import io
from uuid import UUID

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import crediting_year, integrity, ledger
from rights.crediting import Account, Situation, compute
from rights.kinds import (
    DeclarationKind,
    DeclarationState,
    Measure,
    MovementKind,
    PocketKind,
    Unit,
    WorkStatus,
)
from rights.models import Declaration, Movement, Pocket, YearlyCredit, YearlyStatement
from rulebook import loading
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, DeclarationFactory, PurseFactory, YearlyStatementFactory

pytestmark = pytest.mark.django_db
S = WorkStatus


def credit(year=2025, **options):
    return crediting_year.credit_year(year, at=timezone.now(), by=SYSTEM, **options)


def balances(holder):
    pockets = Pocket.objects.filter(holder=holder, balance__gt=0).exclude(kind=PocketKind.RESERVED)
    return {(pocket.kind, pocket.unit): pocket.balance for pocket in pockets.order_by("kind")}


def euros(holder):
    return {kind: balance for (kind, unit), balance in balances(holder).items() if unit == Unit.EUR_CENT}


def restate(statement, **changes):
    """What an import does when a line says something else."""
    YearlyStatement.objects.filter(pk=statement.pk).update(superseded_at=timezone.now())
    same = {
        name: getattr(statement, name)
        for name in ("holder", "year", "employer_siret", "status", "measure", "worked", "boe")
    }
    return YearlyStatementFactory(**same | changes)


def last(holder, year=2025):
    return YearlyCredit.objects.filter(holder=holder, year=year).order_by("-version").first()


# --- A first credit -----------------------------------------------------------------------------------


def test_each_account_gets_what_its_year_is_worth_and_reads_why():
    half_hour_short, agent = HolderFactory(activated=False), HolderFactory()
    YearlyStatementFactory(holder=half_hour_short, worked=803)
    YearlyStatementFactory(holder=agent, status=S.PUBLIC, measure=Measure.MONTHS, worked=7)
    report = credit()
    assert (report.seen, report.credited, report.movements) == (2, 2, 2)
    assert report.given == {Unit.EUR_CENT: 249_85, Unit.HOUR: 15}
    assert balances(half_hour_short) == {(PocketKind.ANNUAL, Unit.EUR_CENT): 249_85}
    assert balances(agent) == {(PocketKind.ANNUAL, Unit.HOUR): 15}
    movement = Movement.objects.get(target__holder=half_hour_short)
    assert movement.key == f"annual:2025:{half_hour_short.pk}:1:annual"
    assert movement.reason == "Droits acquis par le travail de 2025"
    assert movement.formula[0][1] == "249,85\u00a0€"
    assert last(half_hour_short).formula == movement.formula
    assert integrity.check() == []


def test_an_increase_goes_to_its_own_pocket():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder, boe=True)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 500_00, PocketKind.INCREASE: 300_00}


def test_statements_of_several_employers_make_one_year():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder, worked=400)
    YearlyStatementFactory(holder=holder, worked=300, status=S.TEMP)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}
    assert len(last(holder).statement_ids) == 2


def test_only_the_statements_of_that_year_that_count_are_credited():
    holder = HolderFactory()
    old = YearlyStatementFactory(holder=holder, worked=100)
    restate(old, worked=700)
    YearlyStatementFactory(holder=holder, year=2024, worked=1607)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}


def test_the_cap_is_compared_with_capped_pockets_only_and_the_loss_is_kept_on_record():
    holder = HolderFactory()
    CreditFactory(holder=holder, amount=4800_00)
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, amount=1200_00, label="Employeur")
    YearlyStatementFactory(holder=holder)
    report = credit()
    assert euros(holder)[PocketKind.ANNUAL] == 5000_00
    assert report.lost[Unit.EUR_CENT] == 300_00
    assert (last(holder).annual, last(holder).lost, last(holder).cap) == (200_00, 300_00, 5000_00)


@pytest.mark.parametrize("order", [1, -1])
def test_those_of_whom_the_same_is_said_still_each_have_their_own_sum(order):
    """What is kept in mind of one serves for another only where nothing else counts."""
    expected = {
        "nothing yet": ({}, 500_00),
        "some room": ({"held": 1_000_00}, 500_00),
        "near the cap": ({"held": 4_800_00}, 200_00),
        "at the cap": ({"held": 5_000_00}, 0),
        "disabled": ({"held": 4_800_00, "declared": DeclarationKind.BOE}, 800_00),
        "retired": ({"status": "retired_full_rate"}, 0),
        "too young": ({"born": 2012}, 0),
    }
    holders = {}
    for number, (name, (fields, _sum)) in enumerate(list(expected.items())[::order], start=1):
        born = datetime.date(fields.get("born", 1985), 6, 1)
        status = fields.get("status", "private_employee")
        holders[name] = HolderFactory(id=UUID(int=number), birth_date=born, status=status)
        if "held" in fields:
            PurseFactory(holder=holders[name], amount=fields["held"])
        if "declared" in fields:
            DeclarationFactory(holder=holders[name], kind=fields["declared"])
        YearlyStatementFactory(holder=holders[name])

    credit()

    given = {name: (last(holder).annual + last(holder).increase) for name, holder in holders.items()}
    assert given == {name: amount for name, (_fields, amount) in expected.items()}
    assert integrity.check() == []


def test_an_account_at_its_cap_gets_no_movement_and_is_told_why():
    holder = HolderFactory()
    CreditFactory(holder=holder, amount=5000_00)
    YearlyStatementFactory(holder=holder)
    report = credit()
    assert (report.credited, report.movements) == (1, 0)
    assert last(holder).formula[-1] == ["perdu au-dessus du plafond", "500,00\u00a0€"]
    assert credit().seen == 0


def test_feeding_resumes_the_year_after_when_the_balance_has_dropped():
    holder = HolderFactory()
    purse = PurseFactory(holder=holder, amount=5000_00)
    for year in (2024, 2025):
        YearlyStatementFactory(holder=holder, year=year)
    credit(2024)
    with transaction.atomic():
        ledger.reserve(lines=[(purse.pk, 1000_00)], key="x", at=timezone.now(), by=SYSTEM, reason="Dossier")
    credit(2025)
    assert euros(holder)[PocketKind.ANNUAL] == 4500_00


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"status": S.JOB_SEEKER}, "job_seeker"), ({}, "retired_full_rate"), ({"status": S.INTERN}, "other")],
)
def test_some_accounts_are_not_fed_and_keep_their_volunteer_rights(fields, status):
    holder = HolderFactory(status=status)
    PurseFactory(holder=holder, kind=PocketKind.VOLUNTEER, amount=240_00)
    YearlyStatementFactory(holder=holder, **fields)
    credit()
    assert euros(holder) == {PocketKind.VOLUNTEER: 240_00}
    assert last(holder).annual == 0


def test_somebody_too_young_gets_nothing_yet():
    holder = HolderFactory(birth_date=datetime.date(2010, 5, 1))
    apprentice = HolderFactory(birth_date=datetime.date(2010, 5, 1))
    YearlyStatementFactory(holder=holder)
    YearlyStatementFactory(holder=apprentice, status=S.APPRENTICE)
    credit()
    assert (euros(holder), euros(apprentice)) == ({}, {PocketKind.ANNUAL: 500_00})


# --- Declarations of the holder -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"from_year": 2025}, 800_00),
        ({"from_year": 2024, "until_year": 2025}, 800_00),
        ({"from_year": 2026}, 500_00),
        ({"from_year": 2023, "until_year": 2024}, 500_00),
        ({"from_year": 2025, "state": DeclarationState.PROPOSED}, 500_00),
        ({"from_year": 2025, "state": DeclarationState.REFUSED}, 500_00),
    ],
)
@pytest.mark.parametrize("kind", [DeclarationKind.LOW_QUALIFIED, DeclarationKind.BOE])
def test_a_declaration_counts_from_its_first_to_its_last_year_once_confirmed(kind, fields, given):
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder)
    DeclarationFactory(holder=holder, kind=kind, **fields)
    credit()
    assert sum(euros(holder).values()) == given


def test_hours_are_chosen_where_both_activities_weigh_the_same():
    holder = HolderFactory()
    DeclarationFactory(holder=holder, kind=DeclarationKind.PREFERS_HOURS)
    YearlyStatementFactory(holder=holder, worked="803.5")
    YearlyStatementFactory(holder=holder, status=S.PUBLIC, measure=Measure.MONTHS, worked=6)
    credit()
    assert balances(holder) == {(PocketKind.ANNUAL, Unit.HOUR): 13}


# --- Again, stopped, at once ---------------------------------------------------------------------------


def test_a_second_run_finds_nothing_to_do():
    YearlyStatementFactory.create_batch(3)
    assert credit().credited == 3
    again = credit()
    assert (again.seen, again.credited, again.movements) == (0, 0, 0)
    assert Movement.objects.count() == 3


def test_a_run_that_was_stopped_goes_on_where_it_was():
    holders = HolderFactory.create_batch(5)
    for holder in holders:
        YearlyStatementFactory(holder=holder)

    def stop(_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        credit(lot=2, progress=stop)
    assert Movement.objects.count() == 2
    assert credit(lot=2).credited == 3
    assert [euros(holder) for holder in holders] == [{PocketKind.ANNUAL: 500_00}] * 5
    assert integrity.check() == []


@pytest.mark.parametrize("people", [1, 3])
def test_a_lot_costs_the_same_queries_however_many_people(people, django_assert_num_queries):
    for holder in HolderFactory.create_batch(people):
        YearlyStatementFactory(holder=holder, boe=True)
    with connection.cursor() as cursor:
        for unit in Unit:
            ledger.state_pocket(unit)
        cursor.execute("SELECT 1")
    # The law; the two State pockets; the list of the year; then of the one lot: a savepoint and its end,
    # lock and open annual pockets, lock and open increases, staging tables, two COPY, the post.
    with django_assert_num_queries(12):
        credit()


def test_a_key_taken_by_somebody_else_stops_the_run_and_writes_nothing():
    """The account and its movements go together: no record without money, no money without record."""
    holder = HolderFactory()
    CreditFactory(holder=holder, key=f"annual:2025:{holder.pk}:1:annual", amount=100)
    YearlyStatementFactory(holder=holder)
    with pytest.raises(IntegrityError), transaction.atomic():
        credit()
    assert YearlyCredit.objects.count() == 0
    assert euros(holder) == {PocketKind.ANNUAL: 100}


# --- Corrections --------------------------------------------------------------------------------------


def test_a_changed_statement_gives_a_counter_movement_and_the_right_amount():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder, worked=1607)
    credit()
    restate(statement, worked=700)
    report = credit()
    assert (report.credited, report.corrected, report.movements) == (0, 1, 2)
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}
    kinds = Movement.objects.filter(key__contains=f":{holder.pk}:").order_by("id")
    assert [(m.kind, m.amount) for m in kinds] == [
        (MovementKind.CREDIT, 500_00),
        (MovementKind.REVERSAL, 500_00),
        (MovementKind.CREDIT, 217_80),
    ]
    assert last(holder).version == 2
    assert credit().seen == 0
    assert integrity.check() == []


def test_a_correction_upwards_and_back_again():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder, worked=700)
    credit()
    more = restate(statement, worked=1607)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 500_00}
    restate(more, worked=700)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}
    assert last(holder).version == 3
    assert integrity.check() == []


def test_a_declaration_that_comes_later_touches_the_increase_only():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder)
    credit()
    DeclarationFactory(holder=holder)
    report = credit()
    assert (report.corrected, report.movements) == (1, 1)
    assert euros(holder) == {PocketKind.ANNUAL: 500_00, PocketKind.INCREASE: 300_00}
    Declaration.objects.update(state=DeclarationState.REFUSED)
    assert credit().movements == 1
    assert euros(holder) == {PocketKind.ANNUAL: 500_00}


def test_a_statement_that_says_the_same_otherwise_moves_nothing():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder, worked=1607)
    credit()
    restate(statement, worked=1500)
    report = credit()
    assert (report.corrected, report.movements) == (1, 0)
    assert last(holder).version == 2
    restate(YearlyStatement.objects.get(worked=1500), worked=700)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}


def test_a_correction_needs_only_the_difference():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder)
    credit()
    spend(holder, 200_00)
    restate(statement, worked=700)
    assert credit().corrected == 1
    assert euros(holder) == {PocketKind.ANNUAL: 17_80}


def spend(holder, amount):
    purse = Pocket.objects.get(holder=holder, kind=PocketKind.ANNUAL, unit=Unit.EUR_CENT)
    with transaction.atomic():
        return ledger.reserve(
            lines=[(purse.pk, amount)], key=f"spend:{amount}", at=timezone.now(), by=SYSTEM, reason="Dossier"
        )


def test_what_is_already_used_is_not_taken_back_the_correction_waits_and_is_reported():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder)
    YearlyStatementFactory(worked=100)
    credit()
    reserved = spend(holder, 400_00)
    restate(statement, worked=700)
    report = credit()
    assert (report.corrected, report.waiting_count) == (0, 1)
    assert report.waiting == [(holder.reference, "182,20\u00a0€ déjà utilisés : la correction attend")]
    assert last(holder).version == 1
    assert euros(holder) == {PocketKind.ANNUAL: 100_00}
    with transaction.atomic():
        ledger.release(reserved=reserved, key="back", at=timezone.now(), by=SYSTEM, reason="Annulation")
    assert credit().corrected == 1
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}


def test_a_correction_never_fills_an_account_above_its_cap_of_today():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder, worked=700)
    credit()
    CreditFactory(holder=holder, amount=4700_00)
    restate(statement, worked=1607)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 5000_00}
    # 217.80 were given; of the 282.20 more, 82.20 fit under the cap.
    assert (last(holder).annual, last(holder).lost) == (300_00, 200_00)
    assert last(holder).formula[-1] == ["depuis, le plafond est atteint : perdu", "200,00\u00a0€"]


def test_a_correction_downwards_is_not_cut_by_a_cap_that_has_changed():
    """The increase of the year after is no reason to take this year's rights away."""
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder, worked=1607)
    credit()
    CreditFactory(holder=holder, kind=PocketKind.INCREASE, amount=5500_00)
    restate(statement, worked=700)
    credit()
    assert euros(holder)[PocketKind.ANNUAL] == 217_80


def test_a_year_that_turns_public_changes_pocket_and_unit():
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder)
    credit()
    restate(statement, worked=0)
    YearlyStatementFactory(holder=holder, status=S.PUBLIC, measure=Measure.MONTHS, worked=12)
    credit()
    assert balances(holder) == {(PocketKind.ANNUAL, Unit.HOUR): 25}
    assert integrity.check() == []


def test_a_credit_that_an_admin_reversed_is_not_reversed_again(administrator):
    holder = HolderFactory()
    statement = YearlyStatementFactory(holder=holder)
    credit()
    with transaction.atomic():
        ledger.reverse(
            movement=Movement.objects.get(target__holder=holder),
            key="by-hand",
            at=timezone.now(),
            by=SYSTEM,
            reason="Erreur",
        )
    assert credit().seen == 0
    restate(statement, worked=700)
    credit()
    assert euros(holder) == {PocketKind.ANNUAL: 217_80}


# --- Years, and the law ---------------------------------------------------------------------------------


def test_an_unfinished_year_and_one_before_the_account_are_refused():
    with pytest.raises(crediting_year.YearRefused, match="n’est pas finie"):
        credit(timezone.localdate().year)
    with pytest.raises(crediting_year.YearRefused, match="n’existait pas encore"):
        credit(2014)


def decree(tmp_path, **changes):
    """The law with a period more for each of these names, from 1 January 2027."""
    document = yaml.safe_load(loading.PARAMETERS_FILE.read_text(encoding="utf-8"))
    for name, value in changes.items():
        new = {"from": datetime.date(2027, 1, 1), "value": value, "legal_reference": "Décret d’essai"}
        document[name]["periods"].append(new)
    path = tmp_path / "parameters.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return loading.read(path)


def test_a_decree_changes_the_year_after_and_nothing_of_before(tmp_path):
    """Only rows of the rulebook change: what is credited late for an old year is what it was."""
    early, late = HolderFactory(), HolderFactory()
    for holder in (early, late):
        for year in (2026, 2027):
            YearlyStatementFactory(holder=holder, year=year, worked=700, boe=True)
    spring = datetime.datetime(2028, 5, 2, 9, tzinfo=datetime.UTC)
    YearlyStatement.objects.filter(holder=late, year=2026).update(superseded_at=spring)
    crediting_year.credit_year(2026, at=spring, by=SYSTEM)
    rows = decree(tmp_path, annual_full_cents=60_000, legal_annual_hours=1500, boe_increase_cents=10_000)
    loading.load(rows)
    YearlyStatementFactory(holder=late, year=2026, worked=700, boe=True)
    crediting_year.credit_year(2026, at=spring, by=SYSTEM)
    crediting_year.credit_year(2027, at=spring, by=SYSTEM)
    before, since = (
        [(each.annual, each.increase, each.formula) for each in YearlyCredit.objects.filter(year=year)]
        for year in (2026, 2027)
    )
    assert before[0] == before[1]
    assert before[0][:2] == (217_80, 300_00)
    assert since[0] == since[1]
    assert since[0][:2] == (280_00, 100_00)


def test_after_a_decree_every_old_year_computes_as_it_did(tmp_path):
    rows = decree(tmp_path, annual_full_cents=60_000, annual_cap_cents=1, public_hour_steps=[[1, 2]])
    situations = [
        [Situation(status=S.PRIVATE, measure=Measure.HOURS, worked=worked)] for worked in (700, 1607)
    ] + [[Situation(status=S.PUBLIC, measure=Measure.MONTHS, worked=7)]]
    for year in range(2017, 2028):
        day = datetime.date(year, 12, 31)
        results = [
            [compute(each, account=Account(), rules=rules) for each in situations]
            for rules in (
                loading.crediting_rules_in_file(day),
                loading.crediting_rules_in_file(day, rows=rows),
            )
        ]
        assert (results[0] == results[1]) is (year < 2027), year


def test_a_status_without_rule_that_year_is_reported_and_the_others_go_on():
    holder, other = HolderFactory(), HolderFactory()
    YearlyStatementFactory(
        holder=holder, year=2017, status=S.SELF_EMPLOYED, measure=Measure.MONTHS, worked=12
    )
    YearlyStatementFactory(holder=other, year=2017)
    report = credit(2017)
    assert (report.credited, report.refused_count) == (1, 1)
    assert report.refused[0][0] == holder.reference
    assert balances(other) == {(PocketKind.ANNUAL, Unit.HOUR): 24}


# --- The database's own guards ------------------------------------------------------------------------


def test_a_statement_is_superseded_once_and_never_edited_or_deleted():
    statement = YearlyStatementFactory()
    same = YearlyStatement.objects.filter(pk=statement.pk)
    for attempt in (
        lambda: same.update(worked=1),
        lambda: same.update(superseded_at=timezone.now(), worked=1),
        lambda: same.delete(),
    ):
        with pytest.raises(Exception, match=r"superseded|Cannot delete"), transaction.atomic():
            attempt()
    same.update(superseded_at=timezone.now())
    with pytest.raises(IntegrityError, match="superseded"), transaction.atomic():
        same.update(superseded_at=None)


def test_two_statements_of_one_establishment_cannot_both_count():
    statement = YearlyStatementFactory()
    with pytest.raises(IntegrityError, match="statement_is_the_only_one_that_counts"), transaction.atomic():
        YearlyStatementFactory(holder=statement.holder, employer_siret=statement.employer_siret)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"worked": -1}, "statement_says_in_what_it_counts"),
        ({"measure": ""}, "statement_says_in_what_it_counts"),
        ({"worked": None}, "statement_says_in_what_it_counts"),
        ({"reference": 0}, "statement_reference_is_positive"),
        ({"starts_on": datetime.date(2024, 12, 31)}, "statement_stays_in_its_year"),
        ({"ends_on": datetime.date(2026, 1, 1)}, "statement_stays_in_its_year"),
        ({"starts_on": datetime.date(2025, 6, 2), "ends_on": datetime.date(2025, 6, 1)}, "in_its_year"),
    ],
)
def test_the_database_refuses_an_absurd_statement(fields, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        YearlyStatementFactory(**fields)


def test_a_yearly_credit_is_never_edited():
    YearlyStatementFactory()
    credit()
    for attempt in (
        lambda: YearlyCredit.objects.update(annual=1),
        lambda: YearlyCredit.objects.all().delete(),
    ):
        with pytest.raises(Exception, match="Cannot"), transaction.atomic():
            attempt()


def test_a_declaration_keeps_its_kind_and_ends_after_it_begins():
    declaration = DeclarationFactory()
    same = Declaration.objects.filter(pk=declaration.pk)
    with pytest.raises(IntegrityError, match="declaration keeps"), transaction.atomic():
        same.update(kind=DeclarationKind.BOE)
    with pytest.raises(IntegrityError, match="declaration_ends_after_it_begins"), transaction.atomic():
        same.update(until_year=2024)
    with pytest.raises(IntegrityError, match="declaration_is_decided_at_a_moment"), transaction.atomic():
        same.update(decided_at=None)
    same.update(until_year=2025)


# --- The command --------------------------------------------------------------------------------------


def run(*arguments):
    told, refused = io.StringIO(), io.StringIO()
    call_command("credit_rights", *arguments, "--workers", "1", stdout=told, stderr=refused, no_color=True)
    return told.getvalue().replace("\u202f", " ").replace("\u00a0", " "), refused.getvalue()


def test_the_command_says_what_it_did():
    holder = HolderFactory()
    CreditFactory(holder=holder, amount=4800_00)
    YearlyStatementFactory(holder=holder)
    told, refused = run("--year", "2025")
    assert "1 comptes crédités, 0 corrigés, 0 corrections en attente, 0 refusés ; 1 mouvements." in told
    assert "200,00 € donnés, 300,00 € perdus au-dessus du plafond." in told
    assert refused == ""
    assert "0 comptes crédités" in run("--year", "2025")[0]


def test_the_command_refuses_a_year_in_a_sentence():
    with pytest.raises(CommandError, match="n’est pas finie"):
        run("--year", "2999")

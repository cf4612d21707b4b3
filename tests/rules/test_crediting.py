"""The annual credit, as the law's own examples tell it, then as properties that hold for any year.

Amounts in euro cents and whole hours. Years: worked in 2025 unless an example says another.
"""

from datetime import date
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rights import crediting
from rights.crediting import Account, NotCreditable, Situation, compute
from rights.kinds import Measure, PocketKind, Unit, WorkStatus
from rulebook import loading
from rulebook.rules import CREDITING_NAMES

S = WorkStatus
FULL = Fraction("1607")
ROWS = loading.read()


@cache
def law(year=2025):
    return loading.crediting_rules_in_file(date(year, 12, 31), rows=ROWS)


def hours(worked, *, status=S.PRIVATE, of=None, **more):
    reference = None if of is None else Fraction(of)
    return Situation(
        status=status, measure=Measure.HOURS, worked=Fraction(str(worked)), reference=reference, **more
    )


def days(worked, *, of=None):
    return Situation(status=S.PRIVATE, measure=Measure.DAYS, worked=worked, reference=of)


def pay(cents):
    return Situation(status=S.PRIVATE, measure=Measure.PAY_CENTS, worked=cents)


def months(worked, *, status=S.SELF_EMPLOYED, **more):
    return Situation(status=status, measure=Measure.MONTHS, worked=worked, **more)


def year(*situations, worked_in=2025, **account):
    return compute(situations, account=Account(**account), rules=law(worked_in))


ESAT = Situation(status=S.ESAT)
LOW = {"low_qualified": True}
BOE = {"boe": True}


# --- The worked examples of the handbook ------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "situation", "account", "credit"),
    [
        ("1 full time, whole year", hours(1607), {}, 500_00),
        ("2 half time, whole year", hours("803.5"), {}, 500_00),
        ("3 full time, January to June", hours("803.5"), {}, 500_00),
        ("4 half time, January to June", hours("401.75"), {}, 125_00),
        ("5 half an hour short of half a year", hours(803), {}, 249_85),
        ("6 700 hours", hours(700), {}, 217_80),
        ("7 100 hours", hours(100), {}, 31_12),
        ("8 agreed year of 1,582 h, 790 worked", hours(790, of=1582), {}, 249_69),
        ("9 agreed year of 1,582 h, 791 worked", hours(791, of=1582), {}, 500_00),
        ("10 days contract, 60 of 218", days(60), {}, 137_62),
        ("11 pay that no hour measures, 6,000 €", pay(6000_00), {}, 121_41),
        ("12 low-qualified, full time", hours(1607), LOW, 800_00),
        ("13 low-qualified, 700 hours", hours(700), LOW, 348_48),
        ("14 disabled worker, 401.75 h", hours("401.75"), BOE, 425_00),
        ("15 ESAT, part time", ESAT, {}, 800_00),
        ("16 self-employed from 1 June", months(7), {}, 291_67),
    ],
)
def test_the_examples_of_the_handbook_in_euros(number, situation, account, credit):
    result = year(situation, **account)
    assert (result.unit, result.credit, result.lost) == (Unit.EUR_CENT, credit, 0), number


def test_17_six_full_years_of_a_public_agent_reach_the_cap_of_150_hours():
    balance = 0
    for worked_in in range(2020, 2026):
        result = year(months(12, status=S.PUBLIC), worked_in=worked_in, balance_hours=balance)
        assert (result.unit, result.credit, result.cap) == (Unit.HOUR, 25, 150)
        balance += result.credit
    assert balance == 150
    assert year(months(12, status=S.PUBLIC), balance_hours=150).lost == 25


def test_18_category_c_below_level_3_stops_at_400_hours():
    agent = months(12, status=S.PUBLIC_CATEGORY_C)
    assert year(agent, balance_hours=340).credit == 50
    at_the_cap = year(agent, balance_hours=400)
    assert (at_the_cap.credit, at_the_cap.lost, at_the_cap.cap) == (0, 50, 400)


@pytest.mark.parametrize(
    ("number", "account", "credit", "lost", "cap"),
    [
        ("21 balance 4,800, credit 500, cap 5,000", {"balance_cents": 4800_00}, 200_00, 300_00, 5000_00),
        ("22 balance 5,000", {"balance_cents": 5000_00}, 0, 500_00, 5000_00),
        ("23 balance 4,800, disabled worker", {"balance_cents": 4800_00} | BOE, 800_00, 0, 8000_00),
        # 6,200 € in all, 1,200 of them a dotation: only the rights are compared with the cap.
        ("24 balance 6,200, of which rights 5,000", {"balance_cents": 5000_00}, 0, 500_00, 5000_00),
    ],
)
def test_the_examples_of_the_cap(number, account, credit, lost, cap):
    result = year(hours(1607), **account)
    assert (result.credit, result.lost, result.cap) == (credit, lost, cap), number


def test_only_annual_rights_and_their_increase_are_compared_with_the_cap():
    assert law().capped_purses == (PocketKind.ANNUAL, PocketKind.INCREASE)


# --- What the explanation says ------------------------------------------------------------------------


def plain(result):
    return result.sentence.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("situation", "account", "sentence"),
    [
        (
            hours(800),
            {},
            "800 h sur 1 607 h → 248,92 € ; il manquait 3,5 h pour la demi-année qui donne 500,00 €",
        ),
        (
            hours(1607),
            {"balance_cents": 4800_00},
            "1 607 h sur 1 607 h → 500,00 € ; solde de 4 800,00 €, plafond de 5 000,00 € → +200,00 € ; "
            "perdu au-dessus du plafond : 300,00 €",
        ),
        (
            hours(1607),
            {"balance_cents": 5000_00},
            "1 607 h sur 1 607 h → 500,00 € ; solde de 5 000,00 €, plafond de 5 000,00 € atteint → +0,00 € ; "
            "perdu au-dessus du plafond : 500,00 €",
        ),
        (
            days(60),
            {},
            "60 jours sur 218 jours → 137,62 € ; il manquait 49 jours pour la demi-année qui donne 500,00 €",
        ),
        (months(7), {}, "7 mois sur 12 mois → 291,67 €"),
        (months(7, status=S.PUBLIC), {}, "7 mois sur 12 mois → 15 h"),
        (ESAT, {}, "travail en ESAT, temps partiel compris → 800,00 €"),
        (
            Situation(status=S.INTERN),
            {},
            "Stagiaire : cette situation n’alimente pas le compte → 0,00 €",
        ),
    ],
)
def test_each_amount_says_where_it_comes_from(situation, account, sentence):
    assert plain(year(situation, **account)) == sentence


def test_what_is_missing_of_half_a_year_is_a_share_where_employers_count_differently():
    result = year(hours(400), days(20))
    assert "il manquait 15,94 % pour la demi-année" in plain(result)


# --- Statuses -------------------------------------------------------------------------------------


EMPLOYEES = sorted(crediting.EMPLOYEES)


@pytest.mark.parametrize("status", EMPLOYEES)
def test_everyone_with_a_contract_of_employment_is_credited_alike(status):
    assert year(hours(700, status=status)).credit == 217_80
    assert year(hours("803.5", status=status)).credit == 500_00
    assert year(hours(700, status=status), **LOW).credit == 348_48
    assert year(hours("401.75", status=status), **BOE).credit == 425_00


@pytest.mark.parametrize("status", [S.JOB_SEEKER, S.INTERN, S.RETIRED_FULL_RATE])
def test_some_situations_feed_nothing_however_long(status):
    result = year(Situation(status=status, measure=Measure.HOURS, worked=1607), balance_cents=100)
    assert (result.credit, result.lost) == (0, 0)
    assert result.formula


def test_a_closed_account_is_not_fed_by_work_of_the_same_year():
    assert year(hours(1607), Situation(status=S.RETIRED_FULL_RATE)).credit == 0
    assert year(hours(1607), is_closed=True).credit == 0


def test_a_job_seeker_keeps_what_the_months_at_work_gave():
    assert year(hours(700), Situation(status=S.JOB_SEEKER)).credit == 217_80


@pytest.mark.parametrize("status", [S.SELF_EMPLOYED, S.ARTIST_AUTHOR])
def test_the_self_employed_are_credited_by_months_once_their_contribution_is_paid(status):
    assert year(months(12, status=status)).credit == 500_00
    assert year(months(1, status=status)).credit == 41_67
    unpaid = year(months(12, status=status, is_paid_up=False))
    assert unpaid.credit == 0
    assert "contribution à la formation non payée" in unpaid.sentence


def test_two_activities_in_the_same_months_make_no_longer_year():
    assert year(months(12), months(12, status=S.ARTIST_AUTHOR)).credit == 500_00


def test_increases_are_for_employees():
    assert year(months(12), **LOW, **BOE).credit == 500_00
    assert year(months(12, status=S.PUBLIC), **LOW, **BOE).credit == 25


def test_an_esat_worker_gets_the_increase_apart_and_its_own_cap():
    result = year(ESAT)
    assert (result.annual, result.increase, result.cap) == (500_00, 300_00, 8000_00)
    assert year(Situation(status=S.ESAT, measure=Measure.HOURS, worked=0)).credit == 0


@pytest.mark.parametrize(
    ("age", "status", "credit"),
    [(14, S.APPRENTICE, 0), (15, S.APPRENTICE, 500_00), (15, S.PRIVATE, 0), (16, S.PRIVATE, 500_00)],
)
def test_rights_begin_at_16_and_at_15_for_an_apprentice(age, status, credit):
    assert year(hours(1607, status=status), age=age).credit == credit


def test_a_seasonal_agreement_may_give_more_and_never_less():
    assert year(hours(1607, status=S.SEASONAL, agreed_cents=600_00)).credit == 600_00
    assert year(hours(700, status=S.SEASONAL, agreed_cents=600_00)).credit == 261_36
    assert year(hours(1607, status=S.SEASONAL, agreed_cents=100_00)).credit == 500_00
    assert year(hours(1607, agreed_cents=600_00)).credit == 500_00  # not seasonal


# --- Increases ------------------------------------------------------------------------------------


def test_the_increase_of_disabled_workers_is_flat_and_needs_some_work():
    assert year(hours(1), **BOE).credit == 32 + 300_00
    assert year(hours(0), **BOE).credit == 0
    assert year(hours(1607), **BOE).credit == 800_00


def test_both_increases_together_make_800_at_most():
    assert year(hours(1607), **BOE, **LOW).credit == 800_00
    assert year(hours(700), **BOE, **LOW).credit == 648_48
    assert year(hours(800), **BOE, **LOW).credit == 398_26 + 300_00


def test_annual_part_and_increase_go_to_different_pockets():
    for account in (LOW, BOE):
        result = year(hours(1607), **account)
        assert (result.annual, result.increase) == (500_00, 300_00)
    proportional = year(hours(700), **LOW)
    assert (proportional.annual, proportional.increase) == (217_80, 348_48 - 217_80)


def test_at_the_cap_the_increase_is_cut_first():
    result = year(hours(1607), **BOE, balance_cents=7400_00)
    assert (result.annual, result.increase, result.lost) == (500_00, 100_00, 200_00)
    result = year(hours(1607), **BOE, balance_cents=7800_00)
    assert (result.annual, result.increase, result.lost) == (200_00, 0, 600_00)


def test_when_an_increase_ends_the_balance_is_kept_and_no_longer_grows():
    result = year(hours(1607), balance_cents=6200_00)
    assert (result.credit, result.lost, result.cap) == (0, 500_00, 5000_00)


# --- Several situations ---------------------------------------------------------------------------


def test_several_employers_add_their_time():
    assert year(hours(400), hours("403.5", status=S.TEMP)).credit == 500_00
    assert year(hours(400), hours(300, status=S.FIXED_TERM)).credit == 217_80
    # 700/1582 + 20/218 of a year, each on its own reference
    assert year(hours(700, of=1582), days(20)).credit == 500_00
    assert year(hours(350, of=1582), days(20)).credit == 156_50


def test_between_kinds_of_activity_the_most_favourable_amount_and_cap_apply():
    result = year(hours(700), months(12))
    assert (result.credit, result.cap) == (500_00, 5000_00)
    result = year(hours(1607), ESAT, balance_cents=5000_00)
    assert (result.credit, result.cap) == (800_00, 8000_00)


def test_public_and_private_in_one_year_count_in_the_unit_of_the_main_activity():
    public, private = months(4, status=S.PUBLIC), hours(900)
    assert (year(private, public).unit, year(private, public).credit) == (Unit.EUR_CENT, 500_00)
    result = year(hours(300), months(9, status=S.PUBLIC))
    assert (result.unit, result.credit) == (Unit.HOUR, 19)
    assert "deux activités" in result.sentence


def test_where_public_and_private_weigh_the_same_the_holder_chooses():
    both = (hours("803.5"), months(6, status=S.PUBLIC))
    assert year(*both).unit == Unit.EUR_CENT
    assert year(*both, prefers=Unit.HOUR).unit == Unit.HOUR
    assert year(hours(0), months(0, status=S.PUBLIC), prefers=Unit.HOUR).credit == 0


@pytest.mark.parametrize("kind", law().absences_counted_as_work)
def test_some_absences_count_as_work(kind):
    result = year(hours(400, absences={kind: Fraction("403.5")}))
    assert result.credit == 500_00
    assert "absence comptée comme du travail" in result.sentence


def test_other_absences_do_not_count():
    assert year(hours(700, absences={"unpaid_leave": Fraction(400)})).credit == 217_80


# --- Years of before ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worked_in", "situation", "account", "unit", "credit", "cap"),
    [
        (2018, hours(1607), {}, Unit.HOUR, 24, 150),
        (2018, hours("803.5"), {}, Unit.HOUR, 12, 150),  # no half-year threshold then
        (2018, hours(700), {}, Unit.HOUR, 11, 150),
        (2015, hours(1607), {"balance_hours": 120}, Unit.HOUR, 12, 150),
        (2015, hours(1607), {"balance_hours": 140}, Unit.HOUR, 10, 150),
        # 10 of its 24 hours bring it to 120; what is left of the year is at 12 hours.
        (2018, hours(1607), {"balance_hours": 110}, Unit.HOUR, 17, 150),
        (2019, hours(1607), {}, Unit.EUR_CENT, 500_00, 5000_00),
        (2018, months(12), {}, Unit.EUR_CENT, 360_00, 5000_00),
        (2018, months(7), {}, Unit.EUR_CENT, 210_00, 5000_00),
        (2019, months(12), {}, Unit.EUR_CENT, 500_00, 5000_00),
        (2019, months(12, status=S.PUBLIC), {}, Unit.HOUR, 24, 120),
        (2019, months(12, status=S.PUBLIC_CATEGORY_C), {}, Unit.HOUR, 48, 400),
        (2020, months(12, status=S.PUBLIC_CATEGORY_C), {}, Unit.HOUR, 50, 400),
    ],
)
def test_an_old_year_computes_as_it_did(worked_in, situation, account, unit, credit, cap):
    result = year(situation, worked_in=worked_in, **account)
    assert (result.unit, result.credit, result.cap) == (unit, credit, cap)


@pytest.mark.parametrize(
    ("worked_in", "situation"),
    [(2017, months(12)), (2016, months(12, status=S.PUBLIC)), (2018, ESAT)],
)
def test_a_year_before_the_rules_of_a_status_is_refused(worked_in, situation):
    with pytest.raises(NotCreditable, match=f"En {worked_in}, aucune règle"):
        year(situation, worked_in=worked_in)


def test_dif_hours_are_worth_15_euros_until_their_transfer_closed():
    before = loading.crediting_rules_in_file(date(2021, 7, 5), rows=ROWS)
    assert crediting.transfer_dif(120, held_cents=0, rules=before).credit == 1800_00
    capped = crediting.transfer_dif(120, held_cents=4000_00, rules=before)
    assert (capped.credit, capped.lost) == (1000_00, 800_00)
    with pytest.raises(NotCreditable, match="fermé"):
        since = loading.crediting_rules_in_file(date(2021, 7, 6), rows=ROWS)
        crediting.transfer_dif(120, held_cents=0, rules=since)


def test_hours_to_prevent_unfitness_are_outside_the_caps_and_150_in_all():
    granted = crediting.grant_prevention(100, granted_before=80, rules=law())
    assert (granted.unit, granted.credit, granted.lost) == (Unit.HOUR, 70, 30)


def test_every_row_says_which_year_it_follows():
    for row in ROWS:
        if row.name in CREDITING_NAMES and row.legal_reference:
            follows = ("Suit l'année travaillée", "Suit le jour d")
            assert row.note.startswith(follows), (row.name, row.since)


# --- What makes no sense ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"measure": Measure.HOURS, "worked": -1}, "négatif"),
        ({"measure": Measure.HOURS, "worked": 8785}, "pas plus de"),
        ({"measure": Measure.DAYS, "worked": 367}, "pas plus de"),
        ({"measure": Measure.MONTHS, "worked": 7}, "ne se compte pas en mois"),
        ({"measure": Measure.PAY_CENTS, "worked": 10**11}, "dans la bonne unité"),
        ({"measure": Measure.HOURS, "worked": 1, "reference": 0}, "durée de référence"),
        ({"measure": Measure.HOURS, "worked": 1, "reference": 9000}, "durée de référence"),
        ({"measure": Measure.PAY_CENTS, "worked": 1, "reference": 9}, "ne va qu’avec des heures"),
        ({"measure": Measure.HOURS, "worked": 1, "agreed_cents": -1}, "accord"),
        ({"measure": Measure.HOURS, "worked": 8000, "absences": {"maternity": 800}}, "ensemble plus de"),
        ({"worked": 3}, "se dit en heures, en jours"),
        ({}, "manque le temps travaillé"),
        ({"status": S.ESAT, "reference": 9}, "sans temps travaillé"),
        ({"status": S.SELF_EMPLOYED, "measure": Measure.HOURS, "worked": 9}, "ne se compte pas en heures"),
        ({"status": S.PUBLIC, "measure": Measure.DAYS, "worked": 9}, "ne se compte pas en jours"),
    ],
)
def test_an_absurd_situation_is_refused_in_a_sentence(fields, sentence):
    with pytest.raises(NotCreditable, match=sentence):
        Situation(**{"status": S.PRIVATE} | fields)


def test_a_year_without_any_situation_is_refused():
    with pytest.raises(NotCreditable, match="Aucune situation"):
        year()


# --- Properties -----------------------------------------------------------------------------------


properties = settings(deadline=None)
YEARS = st.integers(2019, 2025)


def hundredths(least, most):
    """Exact numbers with two decimals."""
    return st.integers(least * 100, most * 100).map(lambda n: Fraction(n, 100))


WORKED = hundredths(0, 2000)
BALANCES = st.integers(0, 9000_00)


def situations():
    reference = st.none() | hundredths(1000, 1700)
    employee = st.builds(
        Situation,
        status=st.sampled_from(EMPLOYEES),
        measure=st.just(Measure.HOURS),
        worked=WORKED,
        reference=reference,
        agreed_cents=st.sampled_from([0, 550_00, 900_00]),
    )
    twelve = hundredths(0, 12)
    self_employed = st.builds(
        Situation,
        status=st.sampled_from([S.SELF_EMPLOYED, S.ARTIST_AUTHOR]),
        measure=st.just(Measure.MONTHS),
        worked=twelve,
        is_paid_up=st.booleans(),
    )
    public = st.builds(
        Situation,
        status=st.sampled_from([S.PUBLIC, S.PUBLIC_CATEGORY_C]),
        measure=st.just(Measure.MONTHS),
        worked=twelve,
    )
    idle = st.sampled_from([Situation(status=status) for status in (S.JOB_SEEKER, S.INTERN, S.ESAT)])
    return st.lists(employee | self_employed | public | idle, min_size=1, max_size=4)


ACCOUNTS = st.builds(
    Account,
    low_qualified=st.booleans(),
    boe=st.booleans(),
    age=st.none() | st.integers(14, 70),
    balance_cents=BALANCES,
    balance_hours=st.integers(0, 450),
    prefers=st.sampled_from(list(Unit)),
)


@properties
@given(situations(), ACCOUNTS, YEARS)
def test_no_credit_is_negative_or_above_the_room_under_the_cap(all_situations, account, worked_in):
    result = compute(all_situations, account=account, rules=law(worked_in))
    assert min(result.annual, result.increase, result.lost) >= 0
    assert result.credit <= max(0, result.cap - account.balance(result.unit))
    assert result.formula


@properties
@given(situations(), ACCOUNTS, YEARS)
def test_what_is_given_and_what_is_lost_is_what_an_empty_account_would_get(
    all_situations, account, worked_in
):
    result = compute(all_situations, account=account, rules=law(worked_in))
    empty = Account(
        low_qualified=account.low_qualified, boe=account.boe, age=account.age, prefers=account.prefers
    )
    without_balance = compute(all_situations, account=empty, rules=law(worked_in))
    assert result.due == without_balance.due
    assert result.lost == max(0, result.due - max(0, result.cap - account.balance(result.unit)))


@properties
@given(WORKED, WORKED, ACCOUNTS, st.sampled_from(EMPLOYEES), st.integers(2015, 2025))
def test_more_work_never_gives_less(one, other, account, status, worked_in):
    less, more = sorted([one, other])
    credits = [
        compute([hours(worked, status=status)], account=account, rules=law(worked_in)).credit
        for worked in (less, more)
    ]
    assert credits[0] <= credits[1]


@properties
@given(hundredths(0, 12), hundredths(0, 12), st.integers(0, 450))
def test_more_months_never_give_less(one, other, balance):
    less, more = sorted([one, other])
    for status in (S.SELF_EMPLOYED, S.PUBLIC, S.PUBLIC_CATEGORY_C):
        assert (
            year(months(less, status=status), balance_hours=balance).credit
            <= year(months(more, status=status), balance_hours=balance).credit
        )


@properties
@given(st.integers(0, 803_499_999).map(lambda n: Fraction(n, 10**6)), YEARS)
def test_below_half_a_year_the_cent_is_rounded_up_and_no_further(worked, worked_in):
    credit = year(hours(worked), worked_in=worked_in).credit
    exact = 500_00 * worked / FULL
    assert exact <= credit < exact + 1


@properties
@given(situations(), ACCOUNTS, st.randoms())
def test_the_order_of_situations_changes_nothing(all_situations, account, chance):
    shuffled = list(all_situations)
    chance.shuffle(shuffled)
    one, other = (compute(each, account=account, rules=law()) for each in (all_situations, shuffled))
    assert (one.annual, one.increase, one.lost, one.cap) == (
        other.annual,
        other.increase,
        other.lost,
        other.cap,
    )


@properties
@given(st.integers(0, 2000_00), st.integers(0, 2000_00), st.integers(-1000_00, 5000_00))
def test_a_cut_adds_up_and_takes_the_increase_first(annual, increase, room):
    kept, raised, lost = crediting.cut(annual, increase, room)
    assert kept + raised + lost == annual + increase
    assert kept == annual or raised == 0
    assert kept + raised <= max(0, room)

"""How an order is paid (dossiers/funding.py): worked examples, then properties."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossiers import funding
from dossiers.funding import Purse, Training
from rights.earmarks import FREE, Conditions, EarmarkRefused, conditions
from rulebook import Rules
from rulebook.loading import rules_in_file

ORDER = (
    ("dotation",),
    ("credit", "dif", "annual", "increase", "volunteer"),
    ("top_up", "professional_risk", "state_top_up"),
)
KINDS = [*(kind for group in ORDER for kind in group), "corrective", "work_accident"]
RULES = rules_in_file(date(2026, 11, 22))


def _rules(**changes) -> Rules:
    return replace(RULES, **changes)


def purse(
    kind: str,
    balance_cents: int,
    *,
    number: int = 1,
    funder_kind: str = "",
    expires_on=None,
    conditions: Conditions = FREE,
) -> Purse:
    return Purse(
        pocket_id=UUID(int=number),
        kind=kind,
        label=kind,
        balance_cents=balance_cents,
        funder_kind=funder_kind,
        expires_on=expires_on,
        conditions=conditions,
    )


def plan(price, *purses, status="private_employee", rules=None, training=None, with_state_top_up=False):
    return funding.plan(
        price_cents=price,
        purses=purses,
        status=status,
        rules=rules or _rules(),
        training=training or funding.ANY_TRAINING,
        with_state_top_up=with_state_top_up,
    )


@pytest.mark.parametrize(
    ("participation", "price", "balance", "rights", "paid"),
    [
        (10_000, 150_000, 200_000, 140_000, 10_000),  # the participation of 2024
        (10_000, 250_000, 200_000, 200_000, 50_000),  # the participation is inside the rest, not added
        (10_320, 150_000, 200_000, 139_680, 10_320),  # the same in 2026
        (10_320, 250_000, 200_000, 200_000, 50_000),
        (10_320, 10_000, 200_000, 0, 10_000),  # a price below the participation is paid whole
        (10_320, 10_320, 200_000, 0, 10_320),
        (0, 150_000, 200_000, 150_000, 0),  # before 2 May 2024
    ],
)
def test_the_participation_is_inside_what_is_left_to_pay(participation, price, balance, rights, paid):
    result = plan(price, purse("annual", balance), rules=_rules(participation_cents=participation))
    assert (result.rights_cents, result.remainder_cents) == (rights, paid)


def test_a_job_seeker_pays_no_participation():
    result = plan(150_000, purse("annual", 200_000), status="job_seeker")
    assert (result.rights_cents, result.remainder_cents, result.participation_cents) == (150_000, 0, 0)
    assert "dispense" in result.exemption


def test_an_employers_euro_exempts_and_is_used_even_when_own_rights_suffice():
    own, points = purse("annual", 200_000), purse("professional_risk", 50_000, number=2)
    result = plan(150_000, own, points)
    used = {line.pocket_id: line.amount_cents for line in result.lines}
    assert result.remainder_cents == 0
    # At least what the participation would have left to pay comes from the purse that exempts.
    assert used == {own.pocket_id: 150_000 - 10_320, points.pocket_id: 10_320}


def test_dotations_come_before_own_rights_and_the_nearest_expiry_first():
    late = purse("dotation", 50_000, number=3, expires_on=date(2028, 1, 1))
    soon = purse("dotation", 50_000, number=2, expires_on=date(2027, 1, 1))
    own = purse("annual", 100_000)
    result = plan(110_320, own, late, soon)
    assert [line.pocket_id for line in result.lines] == [soon.pocket_id, late.pocket_id]


def test_before_december_2025_own_rights_came_first():
    rules = _rules(order_of_use=(ORDER[1], (*ORDER[0], *ORDER[2])))
    result = plan(110_320, purse("dotation", 50_000, number=2), purse("annual", 70_000), rules=rules)
    assert [line.label for line in result.lines] == ["annual", "dotation"]


def test_a_kind_the_law_does_not_list_is_not_used():
    assert plan(50_000, purse("unknown", 90_000)).lines == ()


def test_the_fingerprint_changes_with_the_balance():
    assert (
        plan(50_000, purse("annual", 20_000)).fingerprint != plan(50_000, purse("annual", 20_001)).fingerprint
    )


# --- Earmarks ------------------------------------------------------------------------------------------

WEB = Training(certification="RNCP31114", register="RNCP", level=5, starts_on=date(2027, 1, 11))


@pytest.mark.parametrize(
    ("reserved_for", "may_pay", "words"),
    [
        ({"certifications": ["RNCP31114"]}, True, ""),
        ({"certifications": ["RNCP1", "RNCP31114"]}, True, ""),
        ({"certifications": ["RNCP1"]}, False, "Réservé à : RNCP1."),
        ({"levels": [5, 6]}, True, ""),
        ({"levels": [6, 7]}, False, "niveau 6 ou 7"),
        ({"starts_from": date(2027, 1, 11), "starts_until": date(2027, 1, 11)}, True, ""),
        ({"starts_until": date(2027, 1, 10)}, False, "au plus tard le"),
        ({"starts_from": date(2027, 1, 12)}, False, "à partir du"),
    ],
)
def test_an_earmarked_purse_pays_for_what_it_is_reserved_to_and_says_why_not(reserved_for, may_pay, words):
    dotation = purse("dotation", 50_000, conditions=conditions(**reserved_for))
    result = plan(100_000, dotation, training=WEB)
    assert (result.rights_cents == 50_000) == may_pay
    assert [words in each.reason for each in result.set_aside] == ([] if may_pay else [True])


def test_what_is_reserved_to_something_else_exempts_from_nothing():
    elsewhere = conditions(certifications=["RNCP1"])
    own = purse("annual", 200_000)
    employers = purse("dotation", 50_000, number=2, funder_kind="employer", conditions=elsewhere)
    assert plan(100_000, own, employers, training=WEB).remainder_cents == 10_320
    free = replace(employers, conditions=FREE)
    assert plan(100_000, own, free, training=WEB).remainder_cents == 0


def test_a_start_that_nobody_knows_yet_is_judged_later():
    late = conditions(starts_from=date(2030, 1, 1))
    assert plan(1_000, purse("dotation", 500, conditions=late)).set_aside == ()


def test_earmarked_comes_before_free_and_then_the_nearest_expiry():
    only = conditions(certifications=["RNCP31114"])
    free_soon = purse("dotation", 10_000, number=1, expires_on=date(2027, 1, 31))
    free = purse("dotation", 10_000, number=2)
    reserved_late = purse("dotation", 10_000, number=3, expires_on=date(2029, 1, 1), conditions=only)
    reserved_soon = purse("dotation", 10_000, number=4, expires_on=date(2028, 1, 1), conditions=only)
    result = plan(500_000, free, free_soon, reserved_late, reserved_soon, training=WEB)
    assert [line.pocket_id.int for line in result.lines] == [4, 3, 1, 2]
    assert "Réservé" in result.lines[0].reason
    assert "Réservé" not in result.lines[-1].reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"certifications": ["CPF200"]}, "n’est pas un code de certification"),
        ({"certifications": ["RNCP"]}, "n’est pas un code de certification"),
        ({"levels": [9]}, "n’est pas un niveau"),
        ({"levels": [0]}, "n’est pas un niveau"),
        ({"starts_from": date(2027, 1, 2), "starts_until": date(2027, 1, 1)}, "finit avant de commencer"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(EarmarkRefused, match=words):
        conditions(**fields)


@given(
    st.lists(st.sampled_from(["RNCP1", "RNCP2", "RS3"]), max_size=3),
    st.lists(st.integers(1, 8), max_size=3),
    st.lists(st.sampled_from(["RNCP1", "RNCP2", "RS3"]), max_size=3),
    st.lists(st.integers(1, 8), max_size=3),
    st.sampled_from(["RNCP1", "RNCP2", "RS3"]),
    st.integers(1, 8),
)
def test_narrower_conditions_allow_nothing_that_the_wider_ones_refuse(
    codes, levels, codes2, levels2, code, level
):
    narrow = conditions(certifications=codes, levels=levels)
    wide = conditions(certifications=codes2, levels=levels2)
    training = {"certification": code, "level": level, "starts_on": None}
    if narrow.within(wide) and not narrow.obstacle(**training):
        assert not wide.obstacle(**training)


# --- Ceilings, and what a third party must help to pay (2026) -------------------------------------------

LICENCE = Training(kind="licence_light")
REVIEW = Training(kind="skills_review")
ENGLISH = Training(certification="RS6604", register="RS")
CLEA = Training(certification="RS5080", register="RS")


@pytest.mark.parametrize(
    ("training", "day", "ceiling"),
    [
        (LICENCE, date(2026, 11, 22), 90_000),
        (ENGLISH, date(2026, 11, 22), 150_000),
        (CLEA, date(2026, 11, 22), None),
        (REVIEW, date(2026, 11, 22), 160_000),
        (WEB, date(2026, 11, 22), None),
        (Training(kind="licence_heavy"), date(2026, 11, 22), None),
        (REVIEW, date(2026, 2, 25), None),
        (REVIEW, date(2026, 2, 26), 160_000),
    ],
)
def test_yearly_rights_stop_at_the_ceiling_of_their_training(training, day, ceiling):
    own = purse("annual", 500_000)
    result = plan(300_000, own, status="job_seeker", rules=rules_in_file(day), training=training)
    assert result.rights_cents == (300_000 if ceiling is None else ceiling)
    assert result.ceiling_cents == ceiling
    if ceiling:
        assert "au plus" in result.lines[0].reason


def test_annual_rights_and_increase_share_one_ceiling_and_nothing_else_is_counted():
    purses = [
        purse("annual", 100_000, number=1),
        purse("increase", 100_000, number=2),
        purse("dif", 20_000, number=3),
        purse("dotation", 30_000, number=4),
        purse("volunteer", 24_000, number=5),
    ]
    result = plan(400_000, *purses, status="job_seeker", training=REVIEW)
    taken = {line.kind: line.amount_cents for line in result.lines}
    assert taken == {
        "dotation": 30_000,
        "dif": 20_000,
        "annual": 100_000,
        "increase": 60_000,
        "volunteer": 24_000,
    }


def test_a_ceiling_that_is_not_reached_is_not_mentioned():
    result = plan(100_000, purse("annual", 500_000), status="job_seeker", training=REVIEW)
    assert result.ceiling_cents is None
    assert "au plus" not in result.lines[0].reason


def test_a_light_licence_is_for_job_seekers_or_with_a_third_party_s_100_euros():
    own = purse("annual", 500_000)
    alone = plan(120_000, own, training=LICENCE)
    assert alone.lines == ()
    assert alone.remainder_cents == 120_000
    assert "demandeur d’emploi" in alone.obstacle
    assert plan(120_000, own, status="job_seeker", training=LICENCE).obstacle == ""
    assert plan(120_000, own, training=Training(kind="licence_heavy")).obstacle == ""
    little = purse("top_up", 9_999, number=2, funder_kind="region")
    assert plan(120_000, own, little, training=LICENCE).obstacle
    enough = replace(little, balance_cents=10_000)
    helped = plan(120_000, own, enough, training=LICENCE)
    assert helped.obstacle == ""
    assert {line.kind: line.amount_cents for line in helped.lines} == {"annual": 90_000, "top_up": 10_000}
    assert helped.remainder_cents == 20_000


def test_the_third_party_s_part_is_used_even_when_ones_own_rights_would_suffice():
    own, region = purse("annual", 500_000), purse("top_up", 50_000, number=2, funder_kind="region")
    result = plan(50_000, own, region, training=LICENCE)
    assert {line.kind: line.amount_cents for line in result.lines} == {"annual": 29_680, "top_up": 10_000}
    assert "tiers" in next(line.reason for line in result.lines if line.kind == "top_up")


def test_what_the_region_keeps_for_another_training_helps_no_licence():
    elsewhere = conditions(certifications=["RNCP1"])
    region = purse("top_up", 50_000, number=2, funder_kind="region", conditions=elsewhere)
    assert plan(120_000, purse("annual", 500_000), region, training=LICENCE).obstacle


# --- The State's top-up --------------------------------------------------------------------------------

DEVELOPER = Training(certification="RNCP31114", register="RNCP", level=5, jobs=("M1805",))
IN_2022 = rules_in_file(date(2022, 3, 1))


@pytest.mark.parametrize(
    ("price", "balance", "top_up", "left"),
    [
        (150_000, 100_000, 50_000, 0),  # all that is missing
        (300_000, 100_000, 100_000, 100_000),  # 1,000 € at most
        (100_000, 100_000, 0, 0),  # nothing is missing
        (150_000, 0, 100_000, 50_000),
    ],
)
def test_the_state_fills_what_is_missing_once_its_holder_has_asked(price, balance, top_up, left):
    own = purse("annual", balance)
    before = plan(price, own, training=DEVELOPER, rules=IN_2022)
    assert before.state_top_up_offered_cents == top_up
    assert before.remainder_cents == max(price - balance, 0)
    after = plan(price, own, training=DEVELOPER, rules=IN_2022, with_state_top_up=True)
    assert (after.state_top_up_offered_cents, after.remainder_cents) == (0, left)
    assert [line.amount_cents for line in after.lines if line.kind == "state_top_up"] == [top_up] * bool(
        top_up
    )


@pytest.mark.parametrize("day", [date(2021, 8, 31), date(2023, 1, 1), date(2026, 11, 22)])
def test_the_state_gives_nothing_before_its_measure_nor_after(day):
    result = plan(150_000, training=DEVELOPER, rules=rules_in_file(day), with_state_top_up=True)
    assert (result.state_top_up_cents, result.lines) == (0, ())


def test_the_state_helps_the_jobs_of_its_list_only():
    baker = replace(DEVELOPER, jobs=("D1102",))
    assert plan(150_000, training=baker, rules=IN_2022).state_top_up_cents == 0


def test_the_state_does_not_pay_the_participation():
    rules = replace(RULES, state_top_up_max_cents=100_000)
    result = plan(50_000, purse("annual", 20_000), training=DEVELOPER, rules=rules, with_state_top_up=True)
    assert (result.remainder_cents, result.state_top_up_cents) == (10_320, 19_680)


def test_asking_the_state_changes_the_fingerprint():
    rules = replace(RULES, state_top_up_max_cents=100_000)
    given = {"training": DEVELOPER, "rules": rules}
    asked = plan(50_000, purse("annual", 20_000), with_state_top_up=True, **given)
    assert plan(50_000, purse("annual", 20_000), **given).fingerprint != asked.fingerprint


# --- Properties ----------------------------------------------------------------------------------------

TRAININGS = st.sampled_from([WEB, LICENCE, REVIEW, ENGLISH, CLEA, DEVELOPER, Training()])
EARMARKS = st.sampled_from(
    [FREE, FREE, conditions(certifications=["RNCP31114"]), conditions(levels=[6]), conditions(levels=[5])]
)
GENEROUS = replace(RULES, state_top_up_max_cents=100_000)
purses_strategy = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 500_000),
        st.sampled_from(["", "employer", "region"]),
        st.none() | st.dates(date(2026, 1, 1), date(2030, 1, 1)),
        EARMARKS,
    ),
    max_size=6,
).map(
    lambda rows: [
        purse(kind, cents, number=number, funder_kind=funder, expires_on=day, conditions=only)
        for number, (kind, cents, funder, day, only) in enumerate(rows, start=1)
    ]
)
statuses = st.sampled_from(["private_employee", "job_seeker"])
prices = st.integers(0, 1_000_000)


cases = {
    "price": prices,
    "purses": purses_strategy,
    "status": statuses,
    "training": TRAININGS,
    "asked": st.booleans(),
}


@given(**cases)
def test_lines_and_remainder_add_up_and_no_purse_is_overdrawn(price, purses, status, training, asked):
    result = plan(price, *purses, status=status, training=training, rules=GENEROUS, with_state_top_up=asked)
    balances = {each.pocket_id: each.balance_cents for each in purses}
    balances[funding.STATE_TOP_UP_ID] = GENEROUS.state_top_up_max_cents
    assert result.rights_cents + result.remainder_cents == price
    assert result.remainder_cents >= 0
    assert len({line.pocket_id for line in result.lines}) == len(result.lines)
    for line in result.lines:
        assert 0 < line.amount_cents <= balances[line.pocket_id]
        assert line.reason
        assert len(line.reason) <= 255


@given(**cases)
def test_no_ceiling_is_passed_and_no_earmark_is_crossed(price, purses, status, training, asked):
    result = plan(price, *purses, status=status, training=training, rules=GENEROUS, with_state_top_up=asked)
    ceilings = [GENEROUS.ceilings_cents.get(training.kind)]
    if training.register == "RS" and training.certification != "RS5080":
        ceilings.append(GENEROUS.ceilings_cents["rs"])
    yearly = sum(line.amount_cents for line in result.lines if line.kind in ("annual", "increase"))
    assert all(ceiling is None or yearly <= ceiling for ceiling in ceilings)
    by_id = {each.pocket_id: each for each in purses}
    for line in result.lines:
        if line.pocket_id in by_id:
            assert not by_id[line.pocket_id].conditions.obstacle(
                certification=training.certification, level=training.level, starts_on=training.starts_on
            )


@given(more=st.integers(1, 200_000), data=st.data(), **cases)
def test_more_money_never_costs_the_holder_more(price, purses, status, training, asked, more, data):
    given = {"status": status, "training": training, "rules": GENEROUS, "with_state_top_up": asked}
    before = plan(price, *purses, **given).remainder_cents
    if purses:
        lucky = data.draw(st.integers(0, len(purses) - 1))
        richer = [
            replace(each, balance_cents=each.balance_cents + more) if index == lucky else each
            for index, each in enumerate(purses)
        ]
        assert plan(price, *richer, **given).remainder_cents <= before
    gift = purse(data.draw(st.sampled_from(KINDS)), more, number=99, conditions=data.draw(EARMARKS))
    assert plan(price, *purses, gift, **given).remainder_cents <= before


@given(**cases)
def test_the_order_never_changes_the_total_at_a_fixed_exemption(price, purses, status, training, asked):
    given = {"status": status, "training": training, "with_state_top_up": asked}
    turned = replace(GENEROUS, order_of_use=tuple(reversed(GENEROUS.order_of_use)))
    straight = plan(price, *purses, rules=GENEROUS, **given)
    assert straight.remainder_cents == plan(price, *purses, rules=turned, **given).remainder_cents


def test_a_negative_price_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="never negative"):
        plan(-1)

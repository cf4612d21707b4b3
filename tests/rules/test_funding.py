"""How an order is paid (dossiers/funding.py): worked examples, then properties."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossiers import funding
from dossiers.funding import Purse
from rulebook import Rules
from rulebook.loading import rules_in_file

ORDER = (
    ("dotation",),
    ("credit", "dif", "annual", "increase", "volunteer"),
    ("top_up", "professional_risk", "state_top_up"),
)
KINDS = [kind for group in ORDER for kind in group]
RULES = rules_in_file(date(2026, 11, 22))


def _rules(**changes) -> Rules:
    return replace(RULES, **changes)


def purse(kind: str, balance_cents: int, *, number: int = 1, funder_kind: str = "", expires_on=None) -> Purse:
    return Purse(
        pocket_id=UUID(int=number),
        kind=kind,
        label=kind,
        balance_cents=balance_cents,
        funder_kind=funder_kind,
        expires_on=expires_on,
    )


def plan(price, *purses, status="private_employee", rules=None):
    return funding.plan(price_cents=price, purses=purses, status=status, rules=rules or _rules())


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


purses_strategy = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 500_000),
        st.sampled_from(["", "employer", "region"]),
        st.none() | st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    ),
    max_size=6,
).map(
    lambda rows: [
        purse(kind, cents, number=number, funder_kind=funder, expires_on=day)
        for number, (kind, cents, funder, day) in enumerate(rows, start=1)
    ]
)
statuses = st.sampled_from(["private_employee", "job_seeker"])
prices = st.integers(0, 1_000_000)


@given(price=prices, purses=purses_strategy, status=statuses)
def test_lines_and_remainder_add_up_and_no_purse_is_overdrawn(price, purses, status):
    result = plan(price, *purses, status=status)
    balances = {each.pocket_id: each.balance_cents for each in purses}
    assert result.rights_cents + result.remainder_cents == price
    assert result.remainder_cents >= 0
    for line in result.lines:
        assert 0 < line.amount_cents <= balances[line.pocket_id]


@given(price=prices, purses=purses_strategy, status=statuses, more=st.integers(1, 200_000), data=st.data())
def test_more_money_never_costs_the_holder_more(price, purses, status, more, data):
    before = plan(price, *purses, status=status).remainder_cents
    if purses:
        lucky = data.draw(st.integers(0, len(purses) - 1))
        richer = [
            replace(each, balance_cents=each.balance_cents + more) if index == lucky else each
            for index, each in enumerate(purses)
        ]
        assert plan(price, *richer, status=status).remainder_cents <= before
    gift = purse(data.draw(st.sampled_from(KINDS)), more, number=99)
    assert plan(price, *purses, gift, status=status).remainder_cents <= before


@given(price=prices, purses=purses_strategy)
def test_the_order_never_changes_the_total_at_a_fixed_exemption(price, purses):
    turned = _rules(order_of_use=tuple(reversed(ORDER)))
    assert plan(price, *purses).remainder_cents == plan(price, *purses, rules=turned).remainder_cents


def test_a_negative_price_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="never negative"):
        plan(-1)

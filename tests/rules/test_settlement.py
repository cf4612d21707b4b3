"""How an order ends (dossiers/settlement.py): the handbook's matrix, line by line, then properties."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossiers import settlement
from dossiers.settlement import Cause, Order, Paid, completion_rate, in_parts, split
from rulebook.loading import rules_in_file

RULES = rules_in_file(date(2026, 11, 22))

# 1 800 €: 1 200 € of yearly rights, 300 € of the employer, 200 € granted for this training, 100 € by card.
PAID = {"annual": 120_000, "dotation": 30_000, "top_up": 20_000, "card": 10_000}
PRICE = 180_000
EVERYTHING = {"returned": PAID}
RIGHTS_LOST = {"annual": 120_000 - 7_200, "dotation": 30_000 - 1_800}


def order(**cents):
    return Order(sum(cents.values()), tuple(Paid(kind, amount) for kind, amount in cents.items()))


def seen(ended):
    """Where the money goes: side → kind of line → cents, without what is nothing."""
    sides = {}
    for side in ("returned", "credited", "forfeited", "provider"):
        cents = {share.line.kind: getattr(share, side) for share in ended.shares if getattr(share, side)}
        if cents:
            sides[side] = cents
    return sides


MATRIX = [
    # what happened, and how much was done → where each line goes
    (Cause.FREELY_CANCELLED, None, EVERYTHING),
    (Cause.CANCELLED_BY_FORCE_MAJEURE, None, EVERYTHING),
    (Cause.NO_SHOW_BY_FORCE_MAJEURE, None, EVERYTHING),
    (Cause.CANCELLED_BY_PROVIDER, None, EVERYTHING),
    (Cause.CANCELLED_BY_FUNDER, None, EVERYTHING),
    (Cause.INTERRUPTED, None, EVERYTHING),
    # Too late: 5 % of 1 800 € is 90 €, taken from what is lost.
    *(
        (
            cause,
            None,
            {
                "returned": {"top_up": 20_000},
                "credited": {"card": 10_000},
                "forfeited": RIGHTS_LOST,
                "provider": {"annual": 7_200, "dotation": 1_800},
            },
        )
        for cause in (Cause.CANCELLED_LATE, Cause.NO_SHOW)
    ),
    (Cause.COMPLETE, None, {"provider": PAID}),
    (Cause.COMPLETE, 100, {"provider": PAID}),
    # Begun and left without force majeure: nothing comes back, the card included.
    *(
        (
            Cause.PARTIAL,
            rate,
            {
                "forfeited": {kind: cents - cents * owed // 100 for kind, cents in PAID.items()},
                "provider": {kind: cents * owed // 100 for kind, cents in PAID.items()},
            },
        )
        for rate, owed in [(0, 25), (1, 25), (24, 25), (25, 25), (26, 26), (50, 50), (79, 79)]
    ),
    (Cause.PARTIAL, 80, {"provider": PAID}),
    (Cause.PARTIAL, 99, {"provider": PAID}),
    # By force majeure, or stopped by an organisation that offers another date: what was done is due.
    (Cause.PARTIAL_BY_FORCE_MAJEURE, 0, EVERYTHING),
    *(
        (
            cause,
            60,
            {
                "returned": {"annual": 48_000, "dotation": 12_000, "top_up": 8_000, "card": 4_000},
                "provider": {"annual": 72_000, "dotation": 18_000, "top_up": 12_000, "card": 6_000},
            },
        )
        for cause in (Cause.PARTIAL_BY_FORCE_MAJEURE, Cause.INTERRUPTED_AND_POSTPONED)
    ),
    (Cause.PARTIAL_BY_FORCE_MAJEURE, 100, {"provider": PAID}),
]


@pytest.mark.parametrize(("cause", "rate", "expected"), MATRIX, ids=lambda value: str(value)[:24])
def test_the_matrix(cause, rate, expected):
    assert seen(split(order(**PAID), rate, cause, RULES)) == expected


def test_every_cause_is_in_the_matrix():
    assert {cause for cause, _rate, _expected in MATRIX} == set(Cause) == set(settlement.CAUSES)


def test_every_cause_is_said_in_words():
    said = {
        (cause, rate): split(order(**PAID), rate, cause, RULES).reason for cause, rate, _expected in MATRIX
    }
    assert all(said.values())
    assert "le reste est perdu" in said[Cause.PARTIAL, 79]
    assert "tout le prix" in said[Cause.PARTIAL, 80]
    assert "le reste revient" in said[Cause.PARTIAL_BY_FORCE_MAJEURE, 60]


def test_the_indemnity_is_never_above_what_is_lost():
    ended = split(order(annual=3_000, card=97_000), None, Cause.CANCELLED_LATE, RULES)
    assert seen(ended) == {"credited": {"card": 97_000}, "provider": {"annual": 3_000}}


def test_where_nothing_is_lost_there_is_no_indemnity():
    ended = split(order(top_up=50_000, state_top_up=20_000, card=30_000), None, Cause.NO_SHOW, RULES)
    assert seen(ended) == {
        "returned": {"top_up": 50_000, "state_top_up": 20_000},
        "credited": {"card": 30_000},
    }


@pytest.mark.parametrize("cause", sorted(settlement.MEASURED))
@pytest.mark.parametrize("rate", [None, -1, 101, 50.0, True])
def test_what_is_measured_needs_a_whole_rate(cause, rate):
    with pytest.raises(ValueError, match="whole number from 0 to 100"):
        split(order(annual=1_000), rate, cause, RULES)


def test_what_is_complete_is_not_done_at_60_percent():
    with pytest.raises(ValueError, match="100 %"):
        split(order(annual=1_000), 60, Cause.COMPLETE, RULES)


def test_an_order_adds_up_to_its_price():
    with pytest.raises(ValueError, match="add up"):
        Order(1_000, (Paid("annual", 999),))
    with pytest.raises(ValueError, match="less than nothing"):
        Order(1_000, (Paid("annual", 1_001), Paid("card", -1)))


def test_another_decree_needs_no_line_of_code():
    rules = replace(
        RULES,
        late_indemnity_percent=10,
        late_returned_purses=("top_up", "dotation"),
        completion_floor_percent=30,
        completion_full_percent=90,
    )
    late = split(order(**PAID), None, Cause.CANCELLED_LATE, rules)
    assert (late.provider_cents, late.returned_cents) == (18_000, 50_000)
    assert split(order(**PAID), 10, Cause.PARTIAL, rules).provider_cents == PRICE * 30 // 100
    assert split(order(**PAID), 85, Cause.PARTIAL, rules).provider_cents == PRICE * 85 // 100


@pytest.mark.parametrize(
    ("done", "total", "rate"),
    [(30 * 60, 50 * 60, 60), (0, 60, 0), (60, 60, 100), (2_999, 3_000, 99), (1, 3_000, 0)],
)
def test_a_rate_is_whole_and_100_only_when_all_is_done(done, total, rate):
    assert completion_rate(done_minutes=done, total_minutes=total) == rate


@pytest.mark.parametrize(("done", "total"), [(61, 60), (-1, 60), (0, 0)])
def test_hours_above_the_total_make_no_rate(done, total):
    with pytest.raises(ValueError, match="between nothing and the whole"):
        completion_rate(done_minutes=done, total_minutes=total)


# --- Rounding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (1, [1, 1, 1], [1, 0, 0]),  # a tie goes to the first line
        (2, [1, 1, 1], [1, 1, 0]),
        (100, [1_000, 2_000], [33, 67]),  # 33.3 and 66.7: the largest remainder
        (50, [33, 33, 34], [17, 16, 17]),  # 16.5, 16.5 and 17
        (0, [5, 5], [0, 0]),
        (10, [5, 5], [5, 5]),
        (0, [], []),
        (0, [0, 0], [0, 0]),
    ],
)
def test_shares_go_by_largest_remainder(total, weights, parts):
    assert in_parts(total, weights) == parts


def test_more_than_there_is_cannot_be_shared():
    with pytest.raises(ValueError, match="not between"):
        in_parts(11, [5, 5])


# --- Properties -----------------------------------------------------------------------------------------

KINDS = ["annual", "dif", "dotation", "professional_risk", "top_up", "state_top_up", "card"]
orders = st.lists(st.builds(Paid, st.sampled_from(KINDS), st.integers(0, 10**7)), min_size=1, max_size=8).map(
    lambda lines: Order(sum(line.cents for line in lines), tuple(lines))
)
rates = st.integers(0, 100)


@given(orders, rates, st.sampled_from(Cause))
def test_every_line_is_shared_to_the_cent(order, rate, cause):
    ended = split(order, 100 if cause == Cause.COMPLETE else rate, cause, RULES)
    assert [share.line for share in ended.shares] == list(order.lines)
    for share in ended.shares:
        parts = (share.returned, share.credited, share.forfeited, share.provider)
        assert min(parts) >= 0
        assert sum(parts) == share.line.cents
    assert (
        ended.returned_cents
        + ended.refunded_card_cents
        + ended.credit_cents
        + ended.forfeited_cents
        + ended.provider_cents
        == order.price_cents
    )


@given(orders, rates, rates)
def test_more_done_never_pays_the_organisation_less(order, one, other):
    low, high = sorted((one, other))
    for cause in settlement.MEASURED:
        less, more = split(order, low, cause, RULES), split(order, high, cause, RULES)
        assert less.provider_cents <= more.provider_cents


@given(orders, rates)
def test_force_majeure_never_costs_the_holder_more(order, rate):
    excused = split(order, rate, Cause.PARTIAL_BY_FORCE_MAJEURE, RULES)
    left = split(order, rate, Cause.PARTIAL, RULES)
    for kept, lost in zip(excused.shares, left.shares, strict=True):
        assert kept.returned >= lost.returned + lost.credited
    assert excused.provider_cents <= left.provider_cents
    assert excused.forfeited_cents == 0


@given(orders)
def test_a_late_cancellation_costs_the_rights_of_the_order_and_nothing_else(order):
    late = split(order, None, Cause.CANCELLED_LATE, RULES)
    card = sum(line.cents for line in order.lines if line.kind == "card")
    granted = sum(line.cents for line in order.lines if line.kind in ("top_up", "state_top_up"))
    assert (late.credit_cents, late.refunded_card_cents, late.returned_cents) == (card, 0, granted)
    lost = order.price_cents - card - granted
    assert late.forfeited_cents + late.provider_cents == lost
    assert late.provider_cents == min(order.price_cents * 5 // 100, lost)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=12), st.data())
def test_shares_add_up_and_stay_within_a_cent_of_their_proportion(weights, data):
    whole = sum(weights)
    total = data.draw(st.integers(0, whole))
    parts = in_parts(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        assert whole == 0 or abs(part * whole - total * weight) < whole

"""Hours into euros and back (rights/conversion.py): examples 18 to 20 of the handbook, limits, properties."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights import conversion
from rights.conversion import Limits, Source
from rights.kinds import PocketKind, Unit

HOUR = 15_00
VOLUNTEER_HOUR = 12_00
NO_LIMIT = Limits(cap=10_000_000, held=0)


def euros(*amounts):
    kinds = (PocketKind.ANNUAL, PocketKind.INCREASE, PocketKind.DIF)
    return [
        Source(UUID(int=n), kind, cents) for n, (kind, cents) in enumerate(zip(kinds, amounts, strict=False))
    ]


def hours(amount, kind=PocketKind.ANNUAL):
    return Source(UUID(int=9), kind, amount)


def to_hours(*amounts, limits=NO_LIMIT):
    return conversion.to_hours(euros(*amounts), limits, hour_cents=HOUR)


def total(changes):
    return sum(change.taken for change in changes), sum(change.given for change in changes)


def test_example_18_a_category_c_agent_at_the_cap_has_6000_euros():
    [change] = conversion.to_euros(hours(400), Limits(cap=8_000_00, held=0), hour_cents=HOUR)
    assert (change.taken, change.given, change.unit) == (400, 6_000_00, Unit.EUR_CENT)


def test_example_19_a_thousand_euros_make_67_hours():
    assert total(to_hours(1_000_00, limits=Limits(cap=150, held=0))) == (1_000_00, 67)


def test_example_20_240_euros_of_volunteering_make_20_hours():
    source = Source(UUID(int=1), PocketKind.VOLUNTEER, 240_00)
    [change] = conversion.volunteer_to_hours(source, hour_cents=VOLUNTEER_HOUR)
    assert (change.taken, change.given, change.unit, change.kind) == (
        240_00,
        20,
        Unit.HOUR,
        PocketKind.VOLUNTEER,
    )


@pytest.mark.parametrize(
    ("cents", "expected"), [(6_00, 1), (5_99, 0), (17_99, 1), (18_00, 2), (720_00, 60), (12_00, 1)]
)
def test_volunteering_is_rounded_to_the_nearest_hour(cents, expected):
    source = Source(UUID(int=1), PocketKind.VOLUNTEER, cents)
    changes = conversion.volunteer_to_hours(source, hour_cents=VOLUNTEER_HOUR)
    assert sum(change.given for change in changes) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(cap=150, held=0), (1_000_00, 67)),
        (Limits(cap=150, held=100), (750_00, 50)),  # 250 € stay in euros
        (Limits(cap=150, held=150), (0, 0)),
        (Limits(cap=400, held=150), (1_000_00, 67)),
        (Limits(cap=150, held=0, hours_left=10), (150_00, 10)),
        (Limits(cap=150, held=0, hours_left=0), (0, 0)),
    ],
)
def test_the_cap_of_the_target_and_repeated_moves_limit_and_the_rest_stays(limits, expected):
    assert total(to_hours(1_000_00, limits=limits)) == expected


def test_euros_of_several_purses_are_rounded_up_once():
    # The second hour is rounded up over the third purse, which stays: nothing is lost.
    assert total(to_hours(10_00, 10_00, 10_00)) == (20_00, 2)
    # The first hour is rounded up over the second purse, which stays.
    assert [(change.source_id.int, change.taken, change.given) for change in to_hours(14_00, 50)] == [
        (0, 14_00, 1)
    ]


def test_hours_become_euros_up_to_the_cap_by_whole_hours():
    [change] = conversion.to_euros(hours(150), Limits(cap=5_000_00, held=4_000_00), hour_cents=HOUR)
    assert (change.taken, change.given) == (66, 990_00)
    assert conversion.to_euros(hours(150), Limits(cap=5_000_00, held=4_990_00), hour_cents=HOUR) == []


def test_the_first_move_is_free_of_the_limit_of_repeated_moves():
    assert conversion.hours_left(hours_before=0, hours_max=150, is_first=True) is None
    assert conversion.hours_left(hours_before=100, hours_max=150, is_first=False) == 50
    assert conversion.hours_left(hours_before=400, hours_max=150, is_first=False) == 0


AMOUNTS = st.lists(st.integers(1, 500_000), min_size=1, max_size=3)


@given(AMOUNTS, st.integers(0, 400), st.integers(0, 400), st.none() | st.integers(0, 150))
def test_nothing_is_lost_and_no_limit_is_passed(amounts, cap, held, left):
    limits = Limits(cap=cap, held=held, hours_left=left)
    changes = to_hours(*amounts, limits=limits)
    taken, given_hours = total(changes)
    by_source = dict(enumerate(amounts))
    for change in changes:
        assert 0 < change.taken <= by_source[change.source_id.int]
        assert change.given > 0
    assert held + given_hours <= max(cap, held)
    assert left is None or given_hours <= left
    # Rounded up once: never less than its worth, never a whole hour more.
    assert taken <= given_hours * HOUR < taken + HOUR


@given(st.integers(1, 1_000), st.integers(0, 10_000_00), st.integers(0, 10_000_00))
def test_hours_are_worth_the_same_in_euros_and_never_pass_the_cap(amount, cap, held):
    changes = conversion.to_euros(hours(amount), Limits(cap=cap, held=held), hour_cents=HOUR)
    taken, cents = total(changes)
    assert cents == taken * HOUR
    assert taken <= amount
    assert held + cents <= max(cap, held)

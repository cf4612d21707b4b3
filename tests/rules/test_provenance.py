"""Where rights come from: shares that add up to what there is, and to the whole of the bar."""

from hypothesis import given
from hypothesis import strategies as st

from rights.kinds import HOLDER_KINDS, PocketKind
from rights.provenance import LENGTH, OF_KIND, THINNEST, Provenance, split


def test_every_kind_of_purse_has_a_provenance():
    assert set(OF_KIND) == set(HOLDER_KINDS)


def test_work_engagement_funders_and_the_rest_are_told_in_that_order():
    found = split(
        [
            (PocketKind.CREDIT, 100_00),
            (PocketKind.DOTATION, 200_00),
            (PocketKind.ANNUAL, 500_00),
            (PocketKind.INCREASE, 100_00),
            (PocketKind.VOLUNTEER, 100_00),
        ]
    )
    assert [(share.provenance, share.amount, share.percent) for share in found] == [
        (Provenance.WORK, 600_00, 60),
        (Provenance.VOLUNTEERING, 100_00, 10),
        (Provenance.FUNDERS, 200_00, 20),
        (Provenance.OTHER, 100_00, 10),
    ]


def test_nothing_has_no_share():
    assert split([]) == split([(PocketKind.ANNUAL, 0)]) == []


@given(st.lists(st.tuples(st.sampled_from(HOLDER_KINDS), st.integers(0, 10_000_00))))
def test_shares_add_up_and_the_smallest_is_seen(amounts):
    found = split(amounts)
    assert sum(share.amount for share in found) == sum(amount for _kind, amount in amounts)
    end = 0
    for share in found:
        assert share.start == end
        assert share.length >= THINNEST
        end += share.length
    assert end == (LENGTH if found else 0)

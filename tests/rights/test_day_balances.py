"""What one had on a past day: from the movements of that time, to the minute of midnight in Paris."""

import datetime

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actors import SYSTEM
from rights import ledger, statements
from rights.kinds import PocketKind, Unit
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def at(*moment):
    return datetime.datetime(*moment, tzinfo=datetime.UTC)


def on(holder, *day):
    return statements.balances_on(holder, day=datetime.date(*day))


def reserve(purse, amount, *, key, moment):
    return ledger.reserve(
        lines=[(purse.pk, amount)], key=key, at=moment, by=SYSTEM, reason="Dossier", label="Anglais"
    )


def test_a_day_ends_at_midnight_in_paris():
    holder = HolderFactory()
    # 23:30 in Paris on 30 June, then half past midnight on 1 July.
    purse = PurseFactory(holder=holder, amount=500_00, at=at(2025, 6, 30, 21, 30))
    reserve(purse, 200_00, key="a", moment=at(2025, 6, 30, 22, 30))
    PurseFactory(amount=9_999_00, at=at(2025, 1, 1))  # somebody else's
    assert on(holder, 2025, 6, 29).pockets == []
    assert on(holder, 2025, 6, 30).total_cents == 500_00
    assert on(holder, 2025, 7, 1).total_cents == 300_00


def test_each_purse_is_told_with_what_it_held_and_whether_it_had_ended():
    holder = HolderFactory()
    PurseFactory(holder=holder, amount=500_00, at=NOW - 20 * DAY)
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25, at=NOW - 20 * DAY)
    dotation = {"kind": PocketKind.DOTATION, "label": "Région", "expires_on": NOW.date() - 10 * DAY}
    PurseFactory(holder=holder, amount=70_00, at=NOW - 20 * DAY, **dotation)
    before, last, after = (
        statements.balances_on(holder, day=NOW.date() - days * DAY) for days in (15, 10, 9)
    )
    assert before.total_cents == last.total_cents == 570_00
    assert (after.total_cents, after.hours) == (500_00, 25)
    assert {(line.name, line.unit): (line.balance, line.is_expired) for line in after.pockets} == {
        ("Droits annuels", "eur_cent"): (500_00, False),
        ("Dotation", "eur_cent"): (70_00, True),
        ("Droits annuels", "hour"): (25, False),
    }


def test_what_came_and_went_leaves_no_line():
    holder = HolderFactory()
    mistake = CreditFactory(holder=holder, amount=40_00, at=NOW - 3 * DAY)
    ledger.reverse(movement=mistake, key="fix", at=NOW - DAY, by=SYSTEM, reason="Erreur")
    assert statements.balances_on(holder, day=NOW.date() - 2 * DAY).total_cents == 40_00
    assert statements.balances_on(holder, day=NOW.date()).pockets == []


@pytest.mark.parametrize(
    "day", [datetime.date(1, 1, 1), datetime.date(1900, 2, 28), datetime.date(2014, 12, 31)]
)
def test_a_day_before_everything_is_empty(day):
    holder = HolderFactory()
    PurseFactory(holder=holder)
    assert statements.balances_on(holder, day=day).pockets == []


def test_a_day_costs_one_query_with_1_and_with_3_purses(django_assert_num_queries):
    holder = HolderFactory()
    for number, kind in enumerate((PocketKind.ANNUAL, PocketKind.DIF, PocketKind.VOLUNTEER)):
        PurseFactory(holder=holder, kind=kind, at=NOW)
        if number in (0, 2):
            with django_assert_num_queries(1):
                assert len(statements.balances_on(holder, day=NOW.date()).pockets) == number + 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["credit", "reserve", "release"]),
        st.sampled_from([PocketKind.ANNUAL, PocketKind.DIF, PocketKind.VOLUNTEER]),
        st.sampled_from(list(Unit)),
        st.integers(1, 500),
        st.integers(0, 30),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_today_is_what_the_purses_hold_and_each_past_day_what_they_held_then(steps):
    """Whatever happened, in whatever order of days."""
    with transaction.atomic():
        holder = HolderFactory()
        reserved = []
        moment = NOW - 31 * DAY
        held = {}
        for number, (verb, kind, unit, amount, days) in enumerate(sorted(steps, key=lambda step: -step[4])):
            moment = NOW - days * DAY
            if verb == "credit":
                PurseFactory(holder=holder, kind=kind, unit=unit, amount=amount, at=moment)
            elif verb == "reserve":
                purses = [purse for purse in ledger.purses(holder, at=moment) if purse.balance >= amount]
                if purses:
                    reserved.append(
                        ledger.reserve(
                            lines=[(purses[0].pocket_id, amount)],
                            key=f"s{number}",
                            at=moment,
                            by=SYSTEM,
                            reason="Dossier",
                            label="x",
                        )
                    )
            elif reserved:
                ledger.release(
                    reserved=reserved.pop(), key=f"r{number}", at=moment, by=SYSTEM, reason="Annulé"
                )
            held[moment.date()] = todays(holder)
        assert as_pairs(statements.balances_on(holder, day=NOW.date())) == todays(holder)
        for day, balances in held.items():
            assert as_pairs(statements.balances_on(holder, day=day)) == balances
        transaction.set_rollback(True)


def todays(holder):
    found = statements.statement(holder, at=NOW).pockets
    return sorted((str(line.id), line.balance) for line in found if line.balance)


def as_pairs(balances):
    return sorted((str(line.id), line.balance) for line in balances.pockets)

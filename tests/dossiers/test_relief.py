"""Time given back after an outage, by two persons, with a reason told to everyone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from accounts.permissions import NotAllowed
from dossiers import clocks, relief
from dossiers.models import Deadline, FundingLine, Relief
from dossiers.states import CLOCK_OF, ClockKind, State
from notices.models import Notice
from rights import integrity, ledger
from tests.factories.dossiers import DossierFactory, act, admin_actor, bring, holder_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
ASKED = datetime(2026, 11, 20, 16, tzinfo=PARIS)
REASON = "Panne du 24 novembre."


def propose(kind, *dossiers, at, days=2, by=None):
    return relief.propose(
        kind=kind,
        dossiers=[dossier.pk for dossier in dossiers],
        reason=REASON,
        extra_days=days,
        by=by or admin_actor(),
        at=at,
    )


def test_an_extension_closes_the_old_clock_as_moot_and_opens_a_new_one():
    dossier = DossierFactory(at=ASKED, requested=True)
    at = datetime(2026, 11, 24, 18, tzinfo=PARIS)
    asked = propose(Relief.Kind.EXTEND, dossier, at=at)
    assert clocks.running(dossier, ClockKind.PROVIDER_ANSWER).last_day == date(2026, 11, 24)
    done = relief.confirm(asked.pk, by=admin_actor(), at=at)
    assert done.report == {str(dossier.pk): relief.DONE}
    old, new = Deadline.objects.filter(dossier=dossier).order_by("id")
    assert (old.outcome, new.last_day, new.opened_by_relief) == ("moot", date(2026, 11, 26), done)
    told = Notice.objects.filter(kind="relief_extended")
    assert {dossier.holder.user.email, dossier.provider.organisation.email} <= {each.email for each in told}
    assert told.first().facts["reason"] == REASON


def test_confirming_again_helps_nobody_twice():
    dossier = DossierFactory(at=ASKED, requested=True)
    asked = propose(Relief.Kind.EXTEND, dossier, at=ASKED)
    confirmer = admin_actor()
    relief.confirm(asked.pk, by=confirmer, at=ASKED)
    Relief.objects.filter(pk=asked.pk).update(report={})  # as if the first confirmation had been cut off
    relief.confirm(asked.pk, by=confirmer, at=ASKED)
    assert Deadline.objects.filter(dossier=dossier).count() == 2


def test_the_same_person_cannot_propose_and_confirm():
    dossier = DossierFactory(at=ASKED, requested=True)
    by = admin_actor()
    asked = propose(Relief.Kind.EXTEND, dossier, at=ASKED, by=by)
    with pytest.raises(NotAllowed, match="Une autre personne"):
        relief.confirm(asked.pk, by=by, at=ASKED)
    with pytest.raises(IntegrityError, match="relief_takes_two_persons"), transaction.atomic():
        Relief.objects.filter(pk=asked.pk).update(confirmed_by=by.user)


def test_only_admins_give_time_back():
    dossier = DossierFactory(at=ASKED, requested=True)
    with pytest.raises(NotAllowed):
        propose(Relief.Kind.EXTEND, dossier, at=ASKED, by=holder_actor(dossier.holder))


@pytest.mark.parametrize("trait", ["requested", "proposed", "awaiting_payment"])
def test_a_lapsed_dossier_comes_back_where_it_was_with_a_fresh_clock(trait):
    dossier = DossierFactory(at=ASKED, **{trait: True})
    state = State(dossier.state)
    dossier = bring(dossier, State.LAPSED, at=ASKED)
    at = datetime(2026, 12, 2, 9, tzinfo=PARIS)
    asked = propose(Relief.Kind.REINSTATE, dossier, at=at)
    done = relief.confirm(asked.pk, by=admin_actor(), at=at)
    assert done.report == {str(dossier.pk): relief.DONE}
    dossier.refresh_from_db()
    assert (dossier.state, dossier.silent_party) == (state, "")
    assert clocks.running(dossier, CLOCK_OF[state]).opened_at == at
    assert integrity.check() == []


def test_a_reinstated_payment_reserves_again_and_can_be_paid():
    dossier = bring(DossierFactory(at=ASKED, awaiting_payment=True), State.LAPSED, at=ASKED)
    at = datetime(2026, 12, 2, 9, tzinfo=PARIS)
    relief.confirm(propose(Relief.Kind.REINSTATE, dossier, at=at).pk, by=admin_actor(), at=at)
    assert ledger.purses(dossier.holder, at=at) == []
    assert FundingLine.objects.filter(dossier=dossier, round=2).count() == 2
    paid = act("confirm_payment", dossier, at=at, reference="VIR-9", amount_cents=90_000)
    assert paid.state == State.ACCEPTED
    act("withdraw", dossier, at=at)
    assert [purse.balance for purse in ledger.purses(dossier.holder, at=at)] == [10_000]
    assert integrity.check() == []


def test_one_dossier_that_cannot_be_helped_does_not_stop_the_others():
    spent = bring(DossierFactory(at=ASKED, awaiting_payment=True), State.LAPSED, at=ASKED)
    other = DossierFactory(at=ASKED, holder=spent.holder, balance_cents=0, proposed=True)
    act("accept", other, at=ASKED)  # the rights that came back are used elsewhere
    fine = bring(DossierFactory(at=ASKED, requested=True), State.LAPSED, at=ASKED)
    at = datetime(2026, 12, 2, 9, tzinfo=PARIS)
    asked = propose(Relief.Kind.REINSTATE, spent, fine, at=at)
    report = relief.confirm(asked.pk, by=admin_actor(), at=at).report
    assert report[str(fine.pk)] == relief.DONE
    assert "droits ne suffisent plus" in report[str(spent.pk)]


def test_an_extended_free_period_never_runs_into_the_training():
    dossier = DossierFactory(at=ASKED, accepted=True)
    eve = dossier.starts_on - timedelta(days=1)
    # The clock may already be closed by the broom on that day: extend while it still runs.
    at = dossier.free_until - timedelta(hours=1)
    relief.confirm(propose(Relief.Kind.EXTEND, dossier, at=at, days=20).pk, by=admin_actor(), at=at)
    dossier.refresh_from_db()
    assert dossier.free_until.astimezone(PARIS).date() == dossier.starts_on
    assert clocks.running(dossier, ClockKind.WITHDRAWAL).last_day == eve


@pytest.mark.parametrize(
    ("change", "field"),
    [({"extra_days": 0}, "extra_days"), ({"reason": " "}, "reason"), ({"dossiers": []}, "dossiers")],
)
def test_a_relief_without_days_reason_or_dossier_is_refused(change, field):
    dossier = DossierFactory(at=ASKED, requested=True)
    wanted = {
        "kind": Relief.Kind.EXTEND,
        "dossiers": [dossier.pk],
        "reason": REASON,
        "extra_days": 2,
    } | change
    with pytest.raises(Refused) as refusal:
        relief.propose(by=admin_actor(), at=ASKED, **wanted)
    assert refusal.value.field == field

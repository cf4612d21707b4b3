"""A decree changes an amount, a delay and the order of use. Rows of the rulebook change, and nothing else:
what is decided from that day follows it; what was decided before stands, and computes again as it did."""

from datetime import date, datetime

import rulebook
from accounts.actors import SYSTEM
from dossiers import clocks, funding, workflow
from dossiers.models import Deadline, FundingLine
from dossiers.states import ClockKind
from rights import crediting_year, integrity
from rights.crediting import Account, compute
from rights.kinds import PocketKind
from rights.models import YearlyCredit, YearlyStatement
from rights.prospects import situation_of
from rulebook.workdays import PARIS, paris_day
from tests import sweep
from tests.factories.accounts import HolderFactory
from tests.factories.dossiers import DossierFactory, act
from tests.factories.rights import CreditFactory, YearlyStatementFactory
from tests.factories.rulebook import decree

BEFORE, AFTER = datetime(2026, 3, 2, 10, tzinfo=PARIS), datetime(2026, 9, 2, 10, tzinfo=PARIS)
IN_FORCE = date(2026, 6, 1)


def test_a_decree_changes_the_law(db):
    worker = HolderFactory(activated=False)
    YearlyStatementFactory(holder=worker, year=2025, worked=1607)
    credit(2025, at=BEFORE)
    old, old_plan = enrolled(at=BEFORE)
    assert of_kinds(old) == ["dotation", "annual", ""]
    assert (paid(old)[-1], delay(old)) == (103_20, date(2026, 3, 4))
    were_paid = paid(old)

    # The decree: rows of the rulebook, and not one row of anything else.
    kept = everything_but_the_law()
    decree("participation_cents", 150_00, since=IN_FORCE)
    decree("provider_answer_days", 5, since=IN_FORCE)
    decree("order_of_use", [["annual"], ["dotation"]], since=IN_FORCE)
    decree("annual_full_cents", 600_00, since=IN_FORCE)
    assert everything_but_the_law() == kept

    # What comes follows it.
    new, _new_plan = enrolled(at=AFTER)
    assert of_kinds(new) == ["annual", "dotation", ""]
    assert (paid(new)[-1], delay(new)) == (150_00, date(2026, 9, 9))
    YearlyStatementFactory(holder=worker, year=2026, worked=1607)
    credit(2026, at=datetime(2027, 5, 3, 10, tzinfo=PARIS))
    assert given(worker) == {2025: 500_00, 2026: 600_00}

    # What was before stands, and computes again as it did.
    assert (of_kinds(old), paid(old)) == (["dotation", "annual", ""], were_paid)
    assert credit(2025, at=AFTER).movements == 0
    assert computed_again(worker, 2025) == given(worker)[2025]
    assert planned_again(old, old_plan) == old_plan
    assert delay_again(old) == delay(old)
    assert integrity.check() == []


def enrolled(*, at):
    """Somebody who pays with a dotation, yearly rights and a card; how it was planned that day."""
    holder = HolderFactory()
    CreditFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=500_00, at=at)
    CreditFactory(holder=holder, amount=800_00, at=at)
    dossier = DossierFactory(at=at, holder=holder, balance_cents=0, is_exempt=False, proposed=True)
    plan = workflow.plan_for(dossier, at=at, rules=rulebook.on(paris_day(at)))
    act("accept", dossier, at=at)
    purses = [(line.source.kind, line.amount_cents) for line in lines(dossier) if line.source]
    assert purses == [(line.kind, line.amount_cents) for line in plan.lines]
    return dossier, plan


def everything_but_the_law():
    return {table: sweep.content_of(table) for table in sweep.tables() if not table.startswith("rulebook_")}


def lines(dossier):
    return FundingLine.objects.filter(dossier=dossier).select_related("source").order_by("position")


def of_kinds(dossier):
    return [line.source.kind if line.source else "" for line in lines(dossier)]


def paid(dossier):
    return [line.amount_cents for line in lines(dossier)]


def planned_again(dossier, plan):
    """From the purses as they were, under the law of that day."""
    held = {PocketKind.DOTATION: 500_00, PocketKind.ANNUAL: 800_00}
    purses = [
        funding.Purse(line.pocket_id, line.kind, line.label, held[PocketKind(line.kind)], "")
        for line in plan.lines
    ]
    return funding.plan(
        price_cents=plan.price_cents,
        purses=purses,
        status=dossier.holder.status,
        rules=rulebook.on(paris_day(BEFORE)),
        training=workflow.training_of(dossier.offer, starts_on=dossier.starts_on),
    )


def answer_clock(dossier):
    return Deadline.objects.get(dossier=dossier, kind=ClockKind.PROVIDER_ANSWER)


def delay(dossier):
    return answer_clock(dossier).last_day


def delay_again(dossier):
    opened_at = answer_clock(dossier).opened_at
    rules = rulebook.on(paris_day(opened_at))
    return clocks.period_of(ClockKind.PROVIDER_ANSWER, at=opened_at, rules=rules, starts_on=None).last_day


def credit(year, *, at):
    return crediting_year.credit_year(year, at=at, by=SYSTEM)


def given(holder):
    return dict(YearlyCredit.objects.filter(holder=holder).values_list("year", "annual"))


def computed_again(holder, year):
    statements = YearlyStatement.objects.filter(holder=holder, year=year).order_by("pk")
    rules = rulebook.crediting_on(date(year, 12, 31))
    return compute([situation_of(said) for said in statements], account=Account(), rules=rules).annual

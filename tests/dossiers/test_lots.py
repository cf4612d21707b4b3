"""A lot of clocks that are over: the rows that the verb leaves, in as many statements for few as for many."""

from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.actors import SYSTEM
from dossiers import clocks, deadlines, lots, workflow
from dossiers.models import Control, Deadline, Dossier, FundingLine, Refund, Transition
from dossiers.states import ClockKind, State
from notices.models import Notice
from rights import integrity, ledger
from rights.kinds import PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import MembershipFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, bring

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
ASKED = datetime(2026, 11, 20, 16, tzinfo=PARIS)
LATER = datetime(2027, 6, 1, tzinfo=PARIS)
"""Every clock of the population is over."""

ROWS = {
    Dossier: [field.attname for field in Dossier._meta.concrete_fields],
    Deadline: [
        *("dossier_id", "kind", "opened_at", "last_day", "due_at", "skipped", "closed_at", "outcome"),
        *("next_reminder_at", "opened_by_relief_id"),
    ],
    Transition: [
        *("dossier_id", "verb", "from_state", "to_state", "role", "user_id", "at", "request_id", "cause"),
        *("reason", "details"),
    ],
    Notice: ["user_id", "email", "kind", "facts", "link", "created_at", "next_attempt_at"],
    Movement: [
        *("kind", "amount", "key", "reason", "formula", "value_date", "recorded_at", "recorded_by_id"),
        *(f"{end}__{name}" for end in ("source", "target") for name in ("kind", "holder_id", "label")),
    ],
    Pocket: ["kind", "holder_id", "organisation_id", "label", "balance"],
    Refund: ["dossier_id", "key", "amount_cents", "state"],
}
"""What is compared: all that the verbs write, but ids drawn on the way."""


def population() -> list[Dossier]:
    """Dossiers that wait at every clock, of people and organisations of every kind."""
    found = [
        DossierFactory(at=ASKED + timedelta(minutes=number), **{trait: True})
        for trait in (
            *("requested", "proposed", "awaiting_payment", "accepted", "in_training", "ended", "absent"),
            *("completion_declared", "claimed"),
        )
        for number in range(2)
    ]
    found.append(bring(DossierFactory(at=ASKED), State.PREREQUISITES_CHECK, at=ASKED))
    MembershipFactory(organisation=found[0].provider.organisation)
    silent = found[1].provider.organisation
    silent.email = ""
    silent.save()
    found += [ended_purse(), back_at_work(), gone_away(), in_the_inbox_of_its_member()]
    return found


def ended_purse() -> Dossier:
    """Paid by a dotation whose last day will have passed: it goes on to its funder."""
    dossier = DossierFactory(at=ASKED, proposed=True, balance_cents=0, is_exempt=False)
    with transaction.atomic():
        ledger.credit(
            holder=dossier.holder,
            kind=PocketKind.DOTATION,
            amount=60_000,
            key=str(uuid4()),
            at=ASKED,
            by=SYSTEM,
            label="Une entreprise",
            expires_on=ASKED.date() + timedelta(days=40),
        )
    return act("accept", dossier, at=ASKED)


def back_at_work() -> Dossier:
    """Lapsed before payment, reinstated: its second round is the one that counts."""
    dossier = bring(DossierFactory(at=ASKED, awaiting_payment=True), State.LAPSED, at=ASKED)
    at = ASKED + timedelta(days=10)
    return workflow.reinstate(
        dossier.pk, by=admin_actor(), at=at, request_id=uuid4(), reason="Une panne de notre fait."
    )


def gone_away() -> Dossier:
    """Its holder cannot sign in any more: nobody to tell on that side."""
    dossier = DossierFactory(at=ASKED, requested=True)
    dossier.holder.user.is_active = False
    dossier.holder.user.save()
    return dossier


def in_the_inbox_of_its_member() -> Dossier:
    """The mailbox of the organisation is that of its one member."""
    dossier = DossierFactory(at=ASKED, requested=True)
    organisation = dossier.provider.organisation
    organisation.email = MembershipFactory(organisation=organisation).user.email.upper()
    organisation.save()
    return dossier


def left_by(run) -> dict:
    """Every row as `run` leaves it; then it is undone."""
    with transaction.atomic():
        run()
        seen = {
            model.__name__: sorted(map(repr, model.objects.values_list(*names)))
            for model, names in ROWS.items()
        }
        assert integrity.check() == []
        transaction.set_rollback(True)
    return seen


def sweep() -> None:
    """Until nothing is over: after one clock comes another, over too by then."""
    while (report := deadlines.settle_overdue(at=LATER)).settled:
        assert report.set_aside == {}


def test_a_lot_leaves_the_very_rows_that_the_verb_leaves(monkeypatch):
    population()
    together = left_by(sweep)
    for kind in deadlines.WHEN_MISSED.keys() & deadlines.TOGETHER.keys():
        monkeypatch.delitem(deadlines.TOGETHER, kind)
    monkeypatch.setattr(deadlines, "LOT", 1)
    alone = left_by(sweep)
    for table, rows in alone.items():
        assert together[table] == rows
    lapsed = [row for row in together["Transition"] if "'lapse'" in row]
    assert len(lapsed) == 12  # one of them before, of the one that came back


@pytest.mark.parametrize(
    ("trait", "settle", "kind"),
    [
        ("requested", lots.lapse, ClockKind.PROVIDER_ANSWER),
        ("awaiting_payment", lots.lapse, ClockKind.PAYMENT),
        ("accepted", lots.end_withdrawal, ClockKind.WITHDRAWAL),
        ("ended", lots.tell_late, ClockKind.COMPLETION),
        ("claimed", lots.flag, ClockKind.CLAIM),
        ("absent", lots.settle_absence, ClockKind.ABSENCE),
        ("completion_declared", lots.validate, ClockKind.VALIDATION),
    ],
)
def test_a_lot_takes_as_many_statements_for_few_as_for_many(trait, settle, kind):
    before, first, *others = [DossierFactory(at=ASKED, **{trait: True}) for _number in range(6)]

    def statements(dossiers) -> int:
        due = [lots.Due(clocks.running(each, kind).pk, each.pk, kind) for each in dossiers]
        with CaptureQueriesContext(connection) as asked:
            assert settle(due, LATER) == {each.clock_id for each in due}
        return len(asked)

    statements([before])  # it opens the pockets that all of them share
    assert statements(others) == statements([first]) <= MOST[settle]


MOST = {
    lots.lapse: 22,
    lots.end_withdrawal: 9,
    lots.tell_late: 9,
    lots.flag: 5,
    lots.settle_absence: 24,
    lots.validate: 26,
}
"""Statements of one lot, savepoint included."""


def test_a_clock_that_somebody_answered_meanwhile_is_left():
    answered, silent = (DossierFactory(at=ASKED, requested=True) for _number in range(2))
    due = [
        lots.Due(clocks.running(each, ClockKind.PROVIDER_ANSWER).pk, each.pk, ClockKind.PROVIDER_ANSWER)
        for each in (answered, silent)
    ]
    act("refuse", answered, at=ASKED, reason="Session complète.")
    assert lots.lapse(due, LATER) == {due[1].clock_id}
    answered.refresh_from_db()
    assert answered.state == State.REFUSED_BY_PROVIDER


def test_what_is_not_plain_is_left_to_the_verb():
    """A round that its holder paid, and was given back; a funder that gave for this dossier alone."""
    paid = back_at_work()
    FundingLine.objects.filter(dossier=paid, kind=FundingLine.Kind.PAYMENT).update(
        reserved=Pocket.objects.filter(kind=PocketKind.RESERVED).first()
    )
    helped = bring(DossierFactory(at=ASKED), State.FUNDER_REVIEW, at=ASKED)
    act("grant_top_up", helped, at=ASKED, by=admin_actor())
    for each, kind in ((paid, ClockKind.PAYMENT), (helped, ClockKind.HOLDER_ANSWER)):
        assert lots.lapse([lots.Due(clocks.running(each, kind).pk, each.pk, kind)], LATER) == set()


def test_a_completion_that_is_looked_at_is_left():
    looked_at, plain = (DossierFactory(at=ASKED, completion_declared=True) for _number in range(2))
    kind = ClockKind.VALIDATION
    due = [lots.Due(clocks.running(each, kind).pk, each.pk, kind) for each in (looked_at, plain)]
    at = clocks.running(looked_at, kind).opened_at
    Control.objects.create(
        dossier=looked_at, opened_as="holder", opened_by=looked_at.holder.user, opened_at=at, words="Non."
    )
    assert lots.validate(due, LATER) == {due[1].clock_id}

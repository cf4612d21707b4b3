"""The broom: overdue clocks settled once each, reminders, certifications that end."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError

from dossiers import clocks, deadlines, workflow
from dossiers.models import Deadline, Transition
from dossiers.states import ClockKind, State
from notices.models import Notice
from rulebook.loading import rules_in_file
from tests.factories.dossiers import FAR, DossierFactory, act, propose_as_asked

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
ASKED = datetime(2026, 11, 20, 16, tzinfo=PARIS)  # a Friday
DUE = datetime(2026, 11, 25, tzinfo=PARIS)


def test_every_overdue_answer_is_settled_once_whoever_was_silent():
    silent_provider = DossierFactory(at=ASKED, requested=True)
    silent_holder = DossierFactory(at=ASKED, proposed=True)
    unpaid = DossierFactory(at=ASKED, awaiting_payment=True)
    later = datetime(2027, 1, 15, tzinfo=PARIS)
    report = deadlines.settle_overdue(at=later)
    assert (report.settled, report.set_aside) == (3, {})
    for dossier, party in ((silent_provider, "provider"), (silent_holder, "holder"), (unpaid, "holder")):
        dossier.refresh_from_db()
        assert (dossier.state, dossier.silent_party) == (State.LAPSED, party)
    assert deadlines.settle_overdue(at=later).settled == 0
    assert Transition.objects.filter(verb="lapse").count() == 3


def test_nothing_is_settled_one_microsecond_before_midnight():
    DossierFactory(at=ASKED, requested=True)
    assert deadlines.settle_overdue(at=DUE - timedelta(microseconds=1)).settled == 0
    assert deadlines.settle_overdue(at=DUE).settled == 1


def test_the_end_of_the_free_period_closes_its_clock_and_moves_nothing():
    dossier = DossierFactory(at=ASKED, accepted=True)
    deadlines.settle_overdue(at=dossier.free_until)
    dossier.refresh_from_db()
    clock = Deadline.objects.get(dossier=dossier, kind=ClockKind.WITHDRAWAL)
    assert (dossier.state, clock.outcome) == (State.ACCEPTED, "missed")


def test_who_was_confirmed_before_there_was_a_clock_of_entry_gets_theirs():
    """Their free period ended under a portal that opened nothing after it."""
    old, today = DossierFactory(at=ASKED, accepted=True), DossierFactory(at=ASKED, accepted=True)
    still_free, over = DossierFactory(at=ASKED, accepted=True), DossierFactory(at=ASKED, accepted=True)
    after = max(dossier.free_until for dossier in (old, today))
    still_free.free_until = after + timedelta(days=1)
    still_free.save(update_fields=["free_until"])
    act("cancel_late", over, at=after)
    Deadline.objects.filter(dossier=old).update(closed_at=after, outcome="missed", next_reminder_at=None)
    deadlines.settle_overdue(at=after)
    expected = Deadline.objects.get(dossier=today, kind=ClockKind.ENTRY)
    assert deadlines.open_missing(at=after - timedelta(microseconds=1)).settled == 0
    assert deadlines.open_missing(at=after).settled == 1
    assert deadlines.open_missing(at=after).settled == 0, "once"
    clock = clocks.running(old, ClockKind.ENTRY)
    assert (clock.last_day, clock.due_at) == (expected.last_day, expected.due_at)
    assert clock.next_reminder_at is not None


def test_a_late_declaration_is_told_once_though_no_clock_runs_after_it():
    dossier = DossierFactory(at=ASKED, accepted=True)
    deadlines.settle_overdue(at=dossier.free_until)
    late = clocks.running(dossier, ClockKind.ENTRY).due_at
    deadlines.settle_overdue(at=late)
    assert clocks.running(dossier, ClockKind.ENTRY) is None
    assert deadlines.open_missing(at=late + timedelta(days=30)).settled == 0


def test_a_clock_that_refuses_is_set_aside_and_never_blocks_the_others(monkeypatch):
    broken = DossierFactory(at=ASKED, requested=True)
    fine = DossierFactory(at=ASKED, requested=True)
    lapse = workflow.lapse

    def lapse_or_break(dossier_id, **kwargs):
        if dossier_id == broken.pk:
            raise DatabaseError("disk full")
        return lapse(dossier_id, **kwargs)

    def break_together(_due, _at):
        raise DatabaseError("disk full")

    monkeypatch.setitem(deadlines.TOGETHER, ClockKind.PROVIDER_ANSWER, break_together)
    monkeypatch.setitem(deadlines.WHEN_MISSED, ClockKind.PROVIDER_ANSWER, lapse_or_break)
    report = deadlines.settle_overdue(at=DUE)
    assert (report.settled, len(report.set_aside)) == (1, 1)
    fine.refresh_from_db()
    assert fine.state == State.LAPSED


def test_a_backlog_larger_than_a_lot_is_swept_whole(monkeypatch):
    monkeypatch.setattr(deadlines, "LOT", 2)
    for _number in range(5):
        DossierFactory(at=ASKED, requested=True)
    assert deadlines.settle_overdue(at=DUE).settled == 5


def test_a_limit_bounds_one_run():
    for _number in range(3):
        DossierFactory(at=ASKED, requested=True)
    assert deadlines.settle_overdue(at=DUE, limit=2).settled == 2


# --- Reminders ----------------------------------------------------------------------------------


def test_the_organisation_is_reminded_at_half_at_four_fifths_and_on_the_last_morning():
    dossier = DossierFactory(at=ASKED, requested=True)
    Notice.objects.all().delete()
    moment, told = ASKED, []
    while moment < DUE:
        if deadlines.send_reminders(at=moment).settled:
            told.append(moment)
        moment += timedelta(minutes=30)
    length = DUE - ASKED
    half, most = ASKED + length / 2, ASKED + length * 0.8
    morning = datetime(2026, 11, 24, 8, tzinfo=PARIS)
    assert len(told) == 3
    for seen, wanted in zip(told, sorted([half, most, morning]), strict=True):
        assert timedelta(0) <= seen - wanted < timedelta(minutes=30)
    mailbox = dossier.provider.organisation.email
    assert Notice.objects.filter(kind="reminder", email=mailbox).count() == 3


def test_reminders_missed_during_an_outage_are_not_sent_all_at_once():
    DossierFactory(at=ASKED, requested=True)
    Notice.objects.all().delete()
    late = DUE - timedelta(hours=1)
    assert deadlines.send_reminders(at=late).settled == 1
    assert deadlines.send_reminders(at=late).settled == 0
    assert not Deadline.objects.filter(next_reminder_at__isnull=False).exists()


def test_nobody_is_reminded_of_what_is_already_over():
    DossierFactory(at=ASKED, requested=True)
    assert deadlines.send_reminders(at=DUE).settled == 0


def test_the_end_of_the_free_period_is_announced_on_its_last_morning_only():
    dossier = DossierFactory(at=ASKED, accepted=True)
    clock = clocks.running(dossier, ClockKind.WITHDRAWAL)
    last_morning = datetime.combine(clock.last_day, datetime.min.time(), PARIS).replace(hour=8)
    assert clock.next_reminder_at == last_morning


# --- The free period (docs/decisions.md, 2 and 3) ------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "starts_on", "last_free_day"),
    [
        # Exactly 7 business days before the start counts for the holder.
        (date(2026, 4, 1), date(2026, 6, 1), date(2026, 5, 20)),
        # The withdrawal period ends later than the 7 days: it wins.
        (date(2026, 4, 30), date(2026, 5, 29), date(2026, 5, 26)),
        # It never runs into the training: 00:00 of the first day.
        (date(2026, 4, 30), date(2026, 5, 20), date(2026, 5, 19)),
    ],
)
def test_free_until_is_the_later_window_cut_at_the_start(accepted, starts_on, last_free_day):
    accepted_at = datetime.combine(accepted, datetime.min.time(), PARIS).replace(hour=10)
    period = clocks.free_period(accepted_at=accepted_at, starts_on=starts_on, rules=rules_in_file(accepted))
    assert period.last_day == last_free_day
    assert period.expires_at.astimezone(PARIS) == datetime.combine(
        last_free_day + timedelta(days=1), datetime.min.time(), PARIS
    )


@pytest.mark.parametrize("moment", [(2026, 3, 27, 23, 59), (2026, 10, 23, 23, 59)])
def test_a_clock_over_a_clock_change_ends_at_midnight_on_the_wall_in_paris(moment):
    dossier = DossierFactory(at=datetime(*moment, tzinfo=PARIS), requested=True)
    due = clocks.running(dossier, ClockKind.PROVIDER_ANSWER).due_at.astimezone(PARIS)
    assert (due.hour, due.minute) == (0, 0)
    assert due.weekday() == 2  # Wednesday 00:00: Monday and Tuesday were the two business days


# --- Certifications that end ------------------------------------------------------------------------


def test_when_a_certification_ends_requests_and_proposals_close_and_the_rest_is_kept(at):
    requested, proposed = DossierFactory(at=at, requested=True), DossierFactory(at=at, proposed=True)
    accepted, untouched = DossierFactory(at=at, accepted=True), DossierFactory(at=at, requested=True)
    for dossier in (requested, proposed, accepted):
        certification = dossier.offer.certification
        certification.registered_until = at.date() - timedelta(days=1)
        certification.save()
    assert deadlines.close_ended_certifications(at=at).settled == 2
    states = []
    for dossier in (requested, proposed, accepted, untouched):
        dossier.refresh_from_db()
        states.append(dossier.state)
    assert states == [State.CLOSED_BY_PLATFORM, State.CLOSED_BY_PLATFORM, State.ACCEPTED, State.REQUESTED]
    assert deadlines.close_ended_certifications(at=at).settled == 0


def test_a_proposal_for_a_certification_that_ended_is_refused_even_before_the_job(at):
    dossier = DossierFactory(at=at, requested=True)
    certification = dossier.offer.certification
    certification.registered_until = at.date() - timedelta(days=1)
    certification.save()
    with pytest.raises(workflow.Refused, match="n’est plus ouverte"):
        propose_as_asked(dossier, at=at)
    certification.registered_until = FAR
    certification.save()
    assert act("cancel", dossier, at=at).state == State.CANCELLED_BY_HOLDER

"""Written with its event or not at all; once per person and event; mailed at least once, same Message-ID."""

import logging
import threading
import time
from contextlib import nullcontext
from datetime import date, timedelta

import psycopg
import pytest
from django.core import mail
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from kombu.exceptions import OperationalError as BrokerAway

from notices import outbox, tasks
from notices.kinds import Kind
from notices.models import Notice
from notices.outbox import Letter
from tests.factories.accounts import UserFactory
from tests.factories.notices import FACTS, NoticeFactory

MINUTE = timedelta(minutes=1)


def write(user=None, *, at, **changes):
    given = {"kind": Kind.DOSSIER_REQUESTED, "event_key": "submit:1", "at": at, "facts": FACTS, "user": user}
    outbox.write(**(given | changes))


@pytest.fixture
def asked(monkeypatch):
    """How many times a worker was asked to deliver."""
    calls = []
    monkeypatch.setattr(outbox, "_asked_until", [0.0])
    monkeypatch.setattr(outbox.current_app, "send_task", lambda name, **options: calls.append(name))
    return calls


# --- Writing --------------------------------------------------------------------------------------


def test_a_notice_lives_and_dies_with_its_event(db, at, asked):
    user = UserFactory()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(user, at=at)
        1 / 0  # noqa: B018
    assert not Notice.objects.exists()
    assert asked == []

    with transaction.atomic():
        write(user, at=at)
        assert asked == []
    notice = Notice.objects.get()
    assert (notice.user, notice.email, notice.created_at, notice.next_attempt_at) == (
        user,
        user.email,
        at,
        at,
    )
    assert asked == ["notices.tasks.deliver_due"]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_written(at):
    with pytest.raises(transaction.TransactionManagementError):
        write(email="a@exemple.fr", at=at)
    assert not Notice.objects.exists()


def test_once_per_address_and_event_whatever_the_case(db, at):
    user = UserFactory(email="elodie@exemple.fr")
    with transaction.atomic():
        write(user, at=at)
        write(user, at=at + MINUTE, facts=FACTS | {"reason": "another"})
        write(email="Elodie@exemple.fr", at=at)
        write(email="accueil@atelier.example", at=at)
        write(user, at=at, event_key="submit:2")
    written = Notice.objects.order_by("event_key", "email").values_list("event_key", "email", "user")
    assert list(written) == [
        ("submit:1", "accueil@atelier.example", None),
        ("submit:1", user.email, user.pk),
        ("submit:2", user.email, user.pk),
    ]


def test_many_are_told_in_one_statement_each_once(db, at, asked, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(outbox.time, "monotonic", lambda: 100.0)  # all in the same second
    user, other = UserFactory(email="elodie@exemple.fr"), UserFactory()
    with transaction.atomic():
        write(other, at=at)

    def letter(**reader):
        return Letter(kind=Kind.DOSSIER_REQUESTED, event_key="submit:1", facts=FACTS, link="/d", **reader)

    readers = ({"user": user}, {"user": other}, {"email": "Elodie@exemple.fr"}, {"email": "a@b.fr"})
    with transaction.atomic(), django_assert_num_queries(1):
        outbox.write_many([letter(**reader) for reader in readers], at=at + MINUTE)
    written = Notice.objects.order_by("created_at", "email").values_list("email", "user", "created_at")
    assert list(written) == [
        (other.email, other.pk, at),
        ("a@b.fr", None, at + MINUTE),
        (user.email, user.pk, at + MINUTE),
    ]
    assert len(asked) == 1


def test_nobody_to_tell_asks_nothing(db, asked, at, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(0):
        outbox.write_many([], at=at)
    assert asked == []


@pytest.mark.django_db(transaction=True)
def test_twenty_writers_at_once_write_one(at):
    user = UserFactory()
    barrier, faults = threading.Barrier(20), []

    def write_it():
        try:
            barrier.wait(20)
            with transaction.atomic():
                write(user, at=at)
        except Exception as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write_it) for _ in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert faults == []
    assert Notice.objects.count() == 1


@pytest.mark.parametrize("facts", [{"due": date(2026, 5, 12)}, {"price": {1, 2}}, {"holder": object()}])
def test_facts_that_json_cannot_hold_are_refused(db, at, facts):
    with pytest.raises(TypeError), transaction.atomic():
        write(email="a@exemple.fr", at=at, facts=facts)


@pytest.mark.parametrize(
    "wrong", [{"kind": "unknown"}, {"link": "https://ailleurs.example"}, {"link": "//a.b"}]
)
def test_an_unknown_kind_or_a_link_elsewhere_is_refused(db, at, wrong):
    with pytest.raises(ValueError):
        write(email="a@exemple.fr", at=at, **wrong)


def test_one_transaction_asks_once(db, at, asked):
    with transaction.atomic():
        for number in range(3):
            write(email="a@exemple.fr", at=at, event_key=f"submit:{number}")
    assert len(asked) == 1


def test_a_rolled_back_part_does_not_take_the_asking_with_it(db, at, asked):
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            write(email="a@exemple.fr", at=at)
            1 / 0  # noqa: B018
        write(email="b@exemple.fr", at=at)
    assert len(asked) == 1


def test_one_question_serves_what_is_committed_before_the_worker_looks(db, at, monkeypatch):
    """A thousand registrations a minute ask some sixty times; each is committed before somebody looks."""
    looks_at, clock = [], [100.0]
    monkeypatch.setattr(outbox.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        outbox.current_app,
        "send_task",
        lambda _name, *, countdown, **_options: looks_at.append(clock[0] + countdown),
    )
    for number in range(30):
        with transaction.atomic():
            write(email="a@exemple.fr", at=at, event_key=f"submit:{number}")
        assert looks_at[-1] > clock[0], "nobody looks after this commit"
        clock[0] += 0.25
    assert len(looks_at) == 8


def test_a_dead_broker_stops_nobody_and_is_left_alone(db, at, monkeypatch):
    tries = []

    def refuse(*_args, **_options):
        tries.append(1)
        raise BrokerAway("no broker")

    monkeypatch.setattr(outbox.current_app, "send_task", refuse)
    monkeypatch.setattr(outbox, "_asked_until", [0.0])
    for number in range(3):
        with transaction.atomic():
            write(email="a@exemple.fr", at=at, event_key=f"submit:{number}")
    assert Notice.objects.waiting().count() == 3
    assert len(tries) == 1
    assert outbox.deliver_due(at=at, limit=10).delivered == 3


# --- Delivering -----------------------------------------------------------------------------------


def test_what_is_due_is_delivered_oldest_first_and_once(db, at, mail_server):
    late, early = NoticeFactory(created_at=at - MINUTE), NoticeFactory(created_at=at - 2 * MINUTE)
    tomorrow = NoticeFactory(created_at=at + MINUTE)
    report = outbox.deliver_due(at=at, limit=10)
    assert (report.delivered, report.postponed, report.given_up) == (2, 0, 0)
    assert [to for to, _mail in mail_server.mails] == [early.email, late.email]
    assert mail_server.connections == 1
    early.refresh_from_db()
    assert (early.delivered_at, early.next_attempt_at, early.attempts) == (at, None, 1)
    assert outbox.deliver_due(at=at, limit=10).delivered == 0
    assert outbox.deliver_due(at=tomorrow.created_at, limit=10).delivered == 1


def test_no_more_than_the_limit_is_sent(db, at, mail_server):
    for _ in range(6):
        NoticeFactory(created_at=at)
    assert outbox.deliver_due(at=at, limit=5).delivered == 5
    assert Notice.objects.waiting().count() == 1


def test_a_run_that_was_full_asks_for_the_next_at_once(db, at, asked, mailoutbox, monkeypatch):
    monkeypatch.setattr(tasks, "LOT", 2)
    with transaction.atomic():
        for name in ("un", "deux", "trois"):
            write(email=f"{name}@exemple.fr", at=at)
    asked.clear()
    outbox._asked_until[0] = 0.0  # another process has asked

    tasks.deliver_due()
    assert (len(mailoutbox), asked) == (2, ["notices.tasks.deliver_due"])

    tasks.deliver_due()
    assert (len(mailoutbox), asked) == (3, ["notices.tasks.deliver_due"])


def test_one_refused_address_is_given_up_with_its_reason_and_blocks_nobody(db, at, mail_server):
    gone, later, fine = (NoticeFactory(created_at=at - n * MINUTE) for n in (3, 2, 1))
    mail_server.answers = {gone.email: "550 5.1.1 No such user", later.email: "451 4.3.0 Greylisted"}
    report = outbox.deliver_due(at=at, limit=10)
    assert (report.delivered, report.postponed, report.given_up) == (1, 1, 1)
    gone.refresh_from_db()
    later.refresh_from_db()
    assert (gone.given_up_at, gone.last_error) == (at, "550 5.1.1 No such user")
    assert (later.given_up_at, later.next_attempt_at) == (None, at + MINUTE)
    assert "Greylisted" in later.last_error
    assert [to for to, _mail in mail_server.mails] == [fine.email]


def test_a_message_refused_for_good_is_given_up(db, at, mail_server):
    notice = NoticeFactory(created_at=at)
    mail_server.data_answer = "552 too big"
    assert outbox.deliver_due(at=at, limit=10).given_up == 1
    notice.refresh_from_db()
    assert notice.last_error == "552 too big"


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_broken_or_slow_conversation_blocks_nobody(db, at, mail_server, settings, fault):
    bad, fine = NoticeFactory(created_at=at - MINUTE), NoticeFactory(created_at=at)
    mail_server.answers = {bad.email: fault}
    if fault == "hang":
        settings.EMAIL_TIMEOUT = 1
    report = outbox.deliver_due(at=at, limit=10)
    assert (report.delivered, report.postponed) == (1, 1)
    assert [to for to, _mail in mail_server.mails] == [fine.email]


def test_a_dead_server_is_left_alone_until_the_next_run(db, at, mail_server):
    for _ in range(8):
        NoticeFactory(created_at=at)
    mail_server.stop()
    report = outbox.deliver_due(at=at, limit=100)
    assert report.postponed == outbox.TROUBLES_IN_A_ROW == 3
    assert Notice.objects.filter(attempts=0, next_attempt_at=at).count() == 5


def test_pauses_double_up_to_six_hours_then_it_gives_up(db, at, mail_server):
    notice = NoticeFactory(created_at=at)
    mail_server.answers = {notice.email: "451 later"}
    now, pauses = at, []
    while True:
        outbox.deliver_due(at=now, limit=1)
        notice.refresh_from_db()
        if notice.given_up_at:
            break
        pauses.append((notice.next_attempt_at - now) // MINUTE)
        now = notice.next_attempt_at
    assert pauses[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    assert set(pauses[10:]) == {360}
    assert at + outbox.GIVE_UP_AFTER <= notice.given_up_at < at + outbox.GIVE_UP_AFTER + outbox.LONGEST_PAUSE
    assert "later" in notice.last_error


def test_a_message_we_cannot_make_waits_and_blocks_nobody(db, at, mail_server, caplog):
    broken = NoticeFactory(created_at=at - MINUTE)
    Notice.objects.filter(pk=broken.pk).update(kind="of_another_time")
    NoticeFactory(created_at=at)
    with caplog.at_level(logging.CRITICAL):
        report = outbox.deliver_due(at=at, limit=10)
    assert (report.delivered, report.postponed) == (1, 1)
    broken.refresh_from_db()
    assert "TemplateDoesNotExist" in broken.last_error


def test_no_transaction_is_open_while_the_server_is_spoken_to(transactional_db, at, mail_server):
    NoticeFactory(created_at=at)
    seen = []
    mail_server.before_answer = lambda: seen.append(connection.in_atomic_block)
    with pytest.raises(RuntimeError), transaction.atomic():
        outbox.deliver_due(at=at, limit=1)
    assert outbox.deliver_due(at=at, limit=1).delivered == 1
    assert seen == [False]


# --- At least once --------------------------------------------------------------------------------


def test_killed_between_sending_and_marking_it_is_sent_again_as_the_same_message(
    db, at, mail_server, monkeypatch
):
    notice = NoticeFactory(created_at=at)

    class Killed(BaseException):
        pass

    def die(*_args, **_options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_mark_delivered", die)
        with pytest.raises(Killed):
            outbox.deliver_due(at=at, limit=1)
    assert outbox.deliver_due(at=at + MINUTE / 2, limit=1).delivered == 0  # postponed before it was tried
    assert outbox.deliver_due(at=at + outbox.FIRST_PAUSE, limit=1).delivered == 1
    first, second = (message["Message-ID"] for _to, message in mail_server.mails)
    assert first == second == f"<{notice.pk}@exemple.invalid>"


def test_a_mail_that_left_while_the_database_restarted_is_marked_all_the_same(
    transactional_db, at, mail_server, monkeypatch
):
    """Negative control: without patience, the same notice leaves again at its next try."""
    notice = NoticeFactory(created_at=at)

    def end_every_connection():
        with psycopg.connect(**connection.get_connection_params() | {"autocommit": True}) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    mail_server.before_answer = end_every_connection
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "MARK_AGAIN_AFTER", ())
        with pytest.raises((OperationalError, InterfaceError)):
            outbox.deliver_due(at=at, limit=1)
    connection.close()
    assert Notice.objects.waiting().count() == 1

    assert outbox.deliver_due(at=at + outbox.FIRST_PAUSE, limit=1).delivered == 1
    notice.refresh_from_db()
    assert notice.delivered_at == at + outbox.FIRST_PAUSE
    assert len(mail_server.mails) == 2


def test_a_run_that_lost_its_connection_leaves_the_rest_to_the_next(transactional_db, at, mail_server):
    """On its new connection it holds no lock: another deliverer may be at work."""
    for _ in range(3):
        NoticeFactory(created_at=at)
    deliver, calls = outbox._mark_delivered, []

    def mark_on_another_connection(notice, *, at):
        calls.append(notice)
        connection.close()
        deliver(notice, at=at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "_mark_delivered", mark_on_another_connection)
        assert outbox.deliver_due(at=at, limit=3).delivered == 1
    assert outbox.deliver_due(at=at, limit=3).delivered == 2
    assert len(mail_server.mails) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_alone", [True, False])
def test_killed_two_deliverers_repeat_one_mail(at, mail_server, monkeypatch, is_alone):
    """One deliverer works at a time; negative control: where all may, both have a mail on its way."""
    if not is_alone:
        monkeypatch.setattr(outbox, "_alone", lambda: nullcontext(True))
    for _ in range(12):
        NoticeFactory(created_at=at)
    inside, most_inside, reports = [], [], []

    def take_a_moment():
        inside.append(1)
        time.sleep(0.05)
        most_inside.append(len(inside))
        inside.pop()

    mail_server.before_answer = take_a_moment

    def deliver():
        try:
            connection.ensure_connection()
            reports.append(outbox.deliver_due(at=at, limit=12))
        finally:
            connections.close_all()

    deliverers = [threading.Thread(target=deliver) for _ in range(2)]
    for deliverer in deliverers:
        deliverer.start()
    for deliverer in deliverers:
        deliverer.join()
    sent = [message["Message-ID"] for _to, message in mail_server.mails]
    assert sorted(sent) == sorted(f"<{notice.pk}@exemple.invalid>" for notice in Notice.objects.all())
    assert sum(report.delivered for report in reports) == 12
    assert max(most_inside) == (1 if is_alone else 2)


# --- Again, by hand -------------------------------------------------------------------------------


def test_what_was_given_up_can_be_sent_again_with_a_full_term(db, at, mail_server, asked):
    notice = NoticeFactory(created_at=at, given_up_at=at, next_attempt_at=None, last_error="550", attempts=9)
    later = at + timedelta(days=30)
    mail_server.answers = {notice.email: "451 later"}
    assert outbox.retry(notice, at=later)
    assert asked
    assert outbox.deliver_due(at=later, limit=1).postponed == 1
    mail_server.answers = {}
    assert outbox.deliver_due(at=later + MINUTE, limit=1).delivered == 1
    assert not outbox.retry(notice, at=later)
    assert outbox.deliver_due(at=later + timedelta(days=1), limit=1).delivered == 0


# --- For real -------------------------------------------------------------------------------------


@pytest.mark.worker
def test_a_real_worker_mails_what_was_committed(worker, at):
    user = UserFactory()
    with transaction.atomic():
        write(user, at=at)
    assert mail.outbox == []
    deadline = threading.Event()
    for _ in range(200):
        if Notice.objects.exclude(delivered_at=None).exists():
            break
        deadline.wait(0.1)
    [letter] = list(worker.iterdir())
    assert f"To: {user.email}" in letter.read_text()

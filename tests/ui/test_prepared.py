"""What is said to libpq itself is watched, refused and undone as what Django's cursors say."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.types.numeric import Int2, Int4, Int8

from accounts.models import User
from tests.factories.accounts import UserFactory
from ui import prepared

SUM = "SELECT %s::int + %s::int"


@contextmanager
def sent(tmp_path):
    """What was sent to PostgreSQL meanwhile, as libpq tells it: Query "COMMIT", Bind, Sync…"""
    words = []
    path = tmp_path / "trace"
    with path.open("w") as trace:
        connection.ensure_connection()
        connection.connection.pgconn.trace(trace.fileno())
        yield words
        connection.connection.pgconn.untrace()
    for line in path.read_text().splitlines():
        _time, side, _length, word, *rest = line.split("\t")
        if side == "F":
            words.append(f"Query{rest[0]}" if word == "Query" else word)


@pytest.mark.django_db
def test_rows_come_back_as_python_values_and_none_where_nothing_is_returned():
    day, number = datetime.date(2026, 5, 12), uuid.uuid4()
    moment = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
    assert prepared.rows(
        "SELECT %s::date, %s::uuid, %s::timestamptz, %s::text", [day, number, moment, None]
    ) == [(day, number, moment, None)]
    assert prepared.row(SUM, [1, 100_000]) == (100_001,)
    assert prepared.row("SELECT 1 WHERE %s::bool", [False]) is None
    assert prepared.rows("SELECT n FROM unnest(%s::int[]) AS n", [[3, 1]]) == [(3,), (1,)]
    assert prepared.rows("UPDATE accounts_user SET email = %s WHERE false", ["a@example.org"]) == []


@pytest.mark.django_db
def test_values_may_be_told_by_name_and_a_percent_is_written_twice():
    named = "SELECT %(one)s::int + %(two)s::int, 10 %% %(one)s::int, 'a' LIKE 'a%%'"
    assert prepared.row(named, {"two": 4, "one": 3, "unasked": 0}) == (7, 1, True)
    assert prepared.row(named, {"one": 4, "two": 4}) == (8, 2, True), "the same, prepared"
    assert prepared.row("SELECT 'a' LIKE 'a%%', %s::int", [1]) == (True, 1)
    with pytest.raises(KeyError):
        prepared.row(named, {"one": 1})
    assert prepared.row("SELECT 'x%%s' LIKE '%%s', %s::int", [1]) == (True, 1)
    assert prepared.row("SELECT '%%(a)s', %(b)s::int", {"b": 1}) == ("%(a)s", 1)


@pytest.mark.django_db
@pytest.mark.parametrize("marked", [Int2, Int4, Int8])
@pytest.mark.parametrize("number", [0, -1, 2**15, 2**31, -(2**31) - 1, 2**63 - 1])
def test_a_number_is_never_cut_to_the_type_that_django_marks_it_with(marked, number):
    """The driver would send four bytes of it, and say nothing; Django's own cursors write it whole."""
    assert prepared.row("SELECT %s::int8", [marked(number)]) == (number,)


@pytest.mark.django_db(transaction=True)
def test_begin_goes_with_the_first_statement_of_a_transaction(tmp_path):
    with transaction.atomic():
        prepared.row(SUM, [1, 2])  # prepares both
    with sent(tmp_path) as words, transaction.atomic():
        assert prepared.row(SUM, [1, 2]) == (3,)
        assert prepared.row(SUM, [3, 4]) == (7,)
    first, second = words.index("Sync"), words.index("Sync", words.index("Sync") + 1)
    assert [word for word in words[:first] if word == "Bind"] == ["Bind", "Bind"]
    assert [word for word in words[first:second] if word == "Bind"] == ["Bind"]
    assert [word for word in words if word.startswith(("Query", "Parse"))] == ['Query "COMMIT"']


@pytest.mark.django_db(transaction=True)
def test_what_is_written_first_is_part_of_the_transaction():
    user = UserFactory(first_name="Avant")
    with pytest.raises(RuntimeError), transaction.atomic():
        prepared.rows("UPDATE accounts_user SET first_name = %s WHERE id = %s", ["Après", user.pk])
        raise RuntimeError
    assert User.objects.get(pk=user.pk).first_name == "Avant"
    with transaction.atomic():
        prepared.rows("UPDATE accounts_user SET first_name = %s WHERE id = %s", ["Après", user.pk])
    assert User.objects.get(pk=user.pk).first_name == "Après"
    # Outside a transaction, each statement is one.
    prepared.rows("UPDATE accounts_user SET first_name = %s WHERE id = %s", ["Seule", user.pk])
    assert User.objects.get(pk=user.pk).first_name == "Seule"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refusal_is_django_s_and_the_connection_goes_on(is_first):
    taken = UserFactory()
    copy = "INSERT INTO accounts_user SELECT * FROM accounts_user WHERE id = %s"
    for _twice in range(2):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            if not is_first:
                prepared.row(SUM, [1, 2])
            prepared.rows(copy, [taken.pk])
        assert isinstance(refusal.value.__cause__, psycopg.errors.UniqueViolation)
        assert refusal.value.__cause__.diag.table_name == "accounts_user"
    with pytest.raises(ProgrammingError), transaction.atomic():
        prepared.rows("SELECT nothing_of_this_name FROM accounts_user WHERE id = %s", [1])
    assert prepared.row(SUM, [1, 2]) == (3,)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_asked_in_a_transaction_that_can_only_roll_back():
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            prepared.row(SUM, [1, 2])


@pytest.mark.django_db
def test_what_watches_statements_watches_these():
    seen = []

    def watch(execute, sql, params, many, context):
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        assert prepared.row(SUM, [1, 2]) == (3,)
    assert seen == [(SUM, [1, 2])]
    with CaptureQueriesContext(connection) as queries:
        prepared.row(SUM, [1, 2])
    assert [query["sql"] for query in queries] == [SUM]


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_prepares_again():
    assert prepared.row(SUM, [1, 2]) == (3,)
    connection.close()
    assert prepared.row(SUM, [1, 2]) == (3,)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("is_prepared", [True, False])
def test_a_connection_that_was_lost_is_told_and_the_next_one_works(begins, is_prepared):
    if is_prepared:
        prepared.row(SUM, [1, 2])
    connection.ensure_connection()
    told = connection.connection.info
    with pytest.raises(OperationalError), transaction.atomic():
        if not begins:
            User.objects.exists()
        with psycopg.connect(told.dsn, password=told.password, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [told.backend_pid])
        prepared.row(SUM, [1, 2])
    assert prepared.row(SUM, [1, 2]) == (3,)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_begins_as_the_connection_says():
    connection.ensure_connection()
    connection.connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    try:
        with transaction.atomic():
            assert prepared.row("SELECT current_setting(%s)", ["transaction_isolation"]) == ("serializable",)
    finally:
        connection.close()
    with transaction.atomic():
        assert prepared.row("SELECT current_setting(%s)", ["transaction_isolation"]) == ("read committed",)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("begins", [True, False])
def test_other_threads_go_on_while_one_waits_for_a_lock(begins):
    """The thread that holds the lock must be able to give it back: else both wait for ten seconds."""
    user = UserFactory()
    lock = "SELECT id FROM accounts_user WHERE id = %s FOR UPDATE"

    def wait_for_it():
        try:
            with transaction.atomic():
                if not begins:
                    prepared.row(SUM, [1, 2])
                return prepared.row(lock, [user.pk])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            prepared.row(lock, [user.pk])
            waiting = threads.submit(wait_for_it)
            with connection.cursor() as cursor:
                while not waiting.done():
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    if cursor.fetchone()[0]:
                        break
            assert not waiting.done()
        assert waiting.result() == (user.pk,)


@pytest.mark.django_db(transaction=True)
def test_more_than_the_network_takes_at_once_is_sent_whole():
    words = "é" * 20_000_000
    with transaction.atomic():
        assert prepared.row("SELECT char_length(%s::text)", [words]) == (len(words),)


@pytest.mark.django_db
def test_no_more_than_so_many_statements_are_kept(monkeypatch):
    monkeypatch.setattr(prepared, "MOST_PREPARED", 5)
    for number in range(12):
        assert prepared.row(f"SELECT {number} + %s::int", [1]) == (number + 1,)
    assert prepared.row("SELECT count(*)::int FROM pg_prepared_statements", [])[0] <= 6


@pytest.mark.django_db
def test_columns_are_saved_by_name():
    user = UserFactory(first_name="Avant", last_name="Nom")
    user.first_name, user.last_name = "Après", "Autre"
    prepared.save(user, "first_name")
    saved = User.objects.get(pk=user.pk)
    assert (saved.first_name, saved.last_name) == ("Après", "Nom")

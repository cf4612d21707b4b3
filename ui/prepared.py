"""The few statements that PostgreSQL plans once a connection, and not each time (docs/adr/0010).

Django puts values into the text of a statement, so each is a new one to PostgreSQL. Where many tables are
joined, or a row is written, at every click, planning then takes longer than the rest. Where the rest is a
tenth of a millisecond, the cursor of the driver takes as long again: what is asked here is said to libpq
itself, by the driver's own module for it (psycopg.pq), and BEGIN goes with the first statement of a
transaction.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from select import POLLIN, poll
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorDebugWrapper
from django.db.models import Model
from psycopg import Connection, OperationalError, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import send
from psycopg.types.numeric import Int2, Int4, Int8

DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
IDLE = pq.TransactionStatus.IDLE
BEGIN: tuple[str, tuple[int, ...]] = ("BEGIN", ())
MOST_PREPARED = 200
"""By connection, some 20 MB of plans: a value that is sometimes NULL, or a larger number, makes another."""


Values = Sequence[Any] | Mapping[str, Any]


def rows(statement: str, values: Values, *, using: str = DEFAULT_DB_ALIAS) -> list[tuple[Any, ...]]:
    """What such a statement returns, if it returns something.

    Always the same text, with values for its %s or its %(name)s; %% is a percent. A whole number has the type
    that its size needs, whatever the field it is compared with. Inside Django's wrapper of cursors: what
    watches statements watches these too.
    """
    django: Any = connections[using]
    if django.connection is None:
        django.ensure_connection()
    # Kept beside Django's connection, whose thread is its thread.
    talk = getattr(django, "portal_talk", None)
    if talk is None or talk.connection is not django.connection:
        talk = django.portal_talk = _Talk(django.connection)
    if django.execute_wrappers or django.queries_logged:
        asked = _Told(talk, django) if django.queries_logged else django.make_cursor(talk)
        asked.execute(statement, values)
    else:
        # What the wrapper does where nobody watches.
        django.validate_no_broken_transaction()
        with django.wrap_database_errors:
            talk.execute(statement, values)
    return talk.fetchall()


def row(statement: str, values: Values) -> tuple[Any, ...] | None:
    """The first row of the same, or None."""
    found = rows(statement, values)
    return found[0] if found else None


def save(instance: Model, *names: str) -> None:
    """These columns of one row that is there, as `Model.save(update_fields=names)` without its signals."""
    columns = [instance._meta.get_field(name) for name in names]
    table, key = instance._meta.db_table, instance._meta.pk
    changes = ", ".join(f'"{each.column}" = %s' for each in columns)
    django = connections[DEFAULT_DB_ALIAS]
    values = [each.get_db_prep_save(getattr(instance, each.attname), django) for each in columns]
    rows(f'UPDATE {table} SET {changes} WHERE "{key.column}" = %s', [*values, instance.pk])  # noqa: S608


# A percent that is written twice begins no place for a value.
PLACES = re.compile(r"%%|%s")
NAMES = re.compile(r"%%|%\((\w+)\)s")


# --- How it is asked ----------------------------------------------------------------------------------


# Django marks whole numbers with the type of their field, and the driver cuts what does not fit: its own
# cursors write them as text, where nothing is cut.
MARKED = frozenset({Int2, Int4, Int8})


class _Talk:
    """One connection, spoken to without a cursor: for Django's wrapper it is one.

    It knows what it has prepared, by text and by types of the values, for as long as the connection lasts.
    Each answer is read whole before the next question.
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._values = Transformer(connection)
        self._answer: Any = None
        self._readable = poll()
        self._readable.register(connection.pgconn.socket, POLLIN)

    def execute(self, statement: str, values: Values = ()) -> None:
        if isinstance(values, Mapping):
            statement, names = _in_places(statement)
            values = [values[name] for name in names]
        connection, libpq, written = self.connection, self.connection.pgconn, self._values
        begins = libpq.transaction_status == IDLE and not connection.autocommit
        if begins and (connection.isolation_level or connection.read_only or connection.deferrable):
            connection.execute("")  # the driver knows what such a BEGIN says
            begins = False
        with connection.lock:
            if len(self._names) >= MOST_PREPARED:
                self._checked(libpq.exec_(b"DEALLOCATE ALL"))
                self._names.clear()
            values = [int(each) if type(each) in MARKED else each for each in values]
            texts = written.dump_sequence(values, [PyFormat.AUTO] * len(values))
            asked = statement, written.types
            name = self._names.get(asked) or self._prepare(*asked)
            if begins:
                answer = self._begin_with(name, texts, written.formats)
            else:
                answer = libpq.exec_prepared(name, texts, written.formats)
        self._answer = self._checked(answer)
        written.set_pgresult(answer)

    def _prepare(self, statement: str, types: tuple[int, ...]) -> bytes:
        # The driver writes %s for what PostgreSQL numbers.
        numbers = count(1)
        numbered = PLACES.sub(lambda place: "%" if place[0] == "%%" else f"${next(numbers)}", statement)
        name = b"portal_%d" % len(self._names)
        self._checked(self.connection.pgconn.prepare(name, numbered.encode(), types))
        self._names[statement, types] = name
        return name

    def _begin_with(self, name: bytes, texts: Sequence[Any], formats: Sequence[Any]) -> Any:
        """BEGIN and its first statement, in one exchange. Where BEGIN fails, the other is skipped."""
        libpq, begin = self.connection.pgconn, self._names.get(BEGIN) or self._prepare(*BEGIN)
        libpq.enter_pipeline_mode()
        try:
            libpq.send_query_prepared(begin, None)
            libpq.send_query_prepared(name, texts, formats)
            libpq.pipeline_sync()
            if libpq.flush():
                self.connection.wait(send(libpq))  # more than the socket takes at once
            # Each answer ends with nothing; all of them, with what ends the exchange.
            begun, _end, answer, _end, _end = [self._next() for _each in range(5)]
        finally:
            libpq.exit_pipeline_mode()
        self._checked(begun)
        return answer

    def _next(self) -> Any:
        """What comes next, waited for here: other threads stand still while libpq waits for it."""
        libpq = self.connection.pgconn
        while libpq.is_busy():
            self._readable.poll()
            libpq.consume_input()
        return libpq.get_result()

    def _checked(self, answer: Any) -> Any:
        if answer.status in DONE:
            return answer
        error = error_from_result(answer, encoding=self.connection.info.encoding)
        if self.connection.pgconn.status == pq.ConnStatus.BAD and not isinstance(error, OperationalError):
            raise OperationalError(str(error))  # nobody answered: libpq says so in words only
        raise error

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._values.load_rows(0, self._answer.ntuples, tuple)

    def close(self) -> None:
        """The connection goes on."""


@lru_cache(maxsize=MOST_PREPARED)
def _in_places(statement: str) -> tuple[str, tuple[str, ...]]:
    """The same with %s for each %(name)s, and the names in their order."""
    names = tuple(name for name in NAMES.findall(statement) if name)
    return NAMES.sub(lambda place: "%s" if place[1] else "%%", statement), names


class _Told(CursorDebugWrapper):
    """Logs what was asked: Django asks the driver for it, which keeps no text of what it has prepared."""

    def debug_sql(
        self, sql: Any = None, params: Any = None, use_last_executed_query: bool = False, many: Any = False
    ) -> Any:
        return super().debug_sql(sql, params, use_last_executed_query=False, many=many)

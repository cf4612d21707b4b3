"""A page that reads for too long is given up, in words, instead of keeping PostgreSQL at work for nobody.

`at_most` bounds each statement of a block; what is cut off is `TooLong`. The limit of the connection
(portal/database.py) is for faults; this one is for what somebody asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connections, transaction
from psycopg.errors import QueryCanceled


class TooLong(Exception):
    """PostgreSQL had not answered in time; nothing was written."""


@contextmanager
def at_most(seconds: float, *, using: str) -> Iterator[None]:
    """Each statement on this connection has so long. TooLong: one of them had not ended.

    For reading: what one of them cuts off undoes the block. The limit is of a transaction, so that a pooler
    or a thread which takes the connection over has its own again; inside another one, it is put back.
    """
    connection = connections[using]
    before = _limit(connection) if connection.in_atomic_block else None
    try:
        with transaction.atomic(using=using):
            _set_limit(connection, f"{round(seconds * 1000)}ms")
            yield
            if before is not None:
                _set_limit(connection, before)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooLong from error
        raise


def _limit(connection) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def _set_limit(connection, limit: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])

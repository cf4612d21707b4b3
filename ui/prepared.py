"""The few statements that PostgreSQL plans once for each connection, instead of each time.

Django puts values into the text of a statement, so each is a new one to PostgreSQL. Where many tables are
joined at every click, planning then takes longer than reading. Django's own wrappers still see it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement gives that is always the same text; `values` for its %s, typed as in Python."""
    connection.ensure_connection()
    session = connection.connection
    cursor = ServerBindingCursor(session)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    threshold, session.prepare_threshold = session.prepare_threshold, 0
    try:
        with wrap(cursor) as wrapped:
            wrapped.execute(statement, values)
            return list(wrapped.fetchall())
    finally:
        session.prepare_threshold = threshold

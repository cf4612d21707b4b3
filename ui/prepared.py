"""The few statements that PostgreSQL plans once for each connection, instead of each time.

Django puts values into the text of a statement, so each is a new one to PostgreSQL. Where many tables are
joined at every click, planning then takes longer than reading.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement gives that is always the same text; `values` for its %s, typed as in Python."""
    connection.ensure_connection()
    if connection.queries_logged:  # whoever looks at statements sees its values: the usual cursor has them
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    session = connection.connection
    threshold, session.prepare_threshold = session.prepare_threshold, 0
    try:
        # Wrapped, as Django does: what watches statements watches these too.
        with connection.make_cursor(ServerBindingCursor(session)) as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    finally:
        session.prepare_threshold = threshold

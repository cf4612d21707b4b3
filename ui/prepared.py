"""The few statements that PostgreSQL plans once a connection, and not each time (docs/adr/0010).

Django puts values into the text of a statement, so each is a new one to PostgreSQL. Where many tables are
joined, or a row is written, at every click, planning then takes longer than the rest.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.db.models import Model


def cursor() -> CursorWrapper:
    """For statements that are always the same text, with values typed as in Python for their %s.

    Inside Django's wrapper: what watches statements watches these too.
    """
    connection.ensure_connection()
    bound: Any = ServerBindingCursor(connection.connection)
    return _Told(bound, connection) if connection.queries_logged else connection.make_cursor(bound)


class _Told(CursorDebugWrapper):
    """Logs what was asked: Django asks the driver for it, which keeps no text of what it has prepared."""

    def debug_sql(
        self, sql: Any = None, params: Any = None, use_last_executed_query: bool = False, many: Any = False
    ) -> Any:
        return super().debug_sql(sql, params, use_last_executed_query=False, many=many)


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What such a statement gives."""
    with cursor() as asked:
        asked.execute(statement, values)
        return list(asked.fetchall())


def save(instance: Model, *names: str) -> None:
    """These columns of one row that is there, as `Model.save(update_fields=names)` without its signals."""
    columns = [instance._meta.get_field(name) for name in names]
    table, key = instance._meta.db_table, instance._meta.pk
    changes = ", ".join(f'"{each.column}" = %s' for each in columns)
    values = [each.get_db_prep_save(getattr(instance, each.attname), connection) for each in columns]
    with cursor() as asked:
        asked.execute(f'UPDATE {table} SET {changes} WHERE "{key.column}" = %s', [*values, instance.pk])  # noqa: S608

"""Rows into PostgreSQL by COPY: one round trip for a lot, where one INSERT a row would take hours."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar
from zlib import crc32

from django.db import connection, models
from psycopg import sql

LOT = 500
LOT_BYTES = 16 * 2**20

T = TypeVar("T")


def lots(
    items: Iterable[T], size: int = LOT, *, weight: Callable[[T], int] = lambda item: 0
) -> Iterator[list[T]]:
    """Lists in order, of at most `size` items, ended early by the item that makes them weigh LOT_BYTES."""
    lot: list[T] = []
    weighs = 0
    for item in items:
        lot.append(item)
        weighs += weight(item)
        if len(lot) == size or weighs >= LOT_BYTES:
            yield lot
            lot, weighs = [], 0
    if lot:
        yield lot


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Adds rows. Values are as psycopg adapts them (lists are arrays)."""
    copy(model._meta.db_table, columns, rows)


def upsert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence],
    *,
    key: str,
    derived: Sequence[str] = (),
) -> int:
    """Adds rows, or rewrites those of the same `key` that differ; how many were touched.

    `derived`: columns computed from the others, so not compared (a `point` has no equality).

    Inside a transaction: the rows pass through a temporary table that goes with it.
    """
    table = model._meta.db_table
    # Two importers in one transaction may write other columns of one table.
    stage = f"stage_{table}_{crc32(' '.join(columns).encode()):08x}"
    others = [name for name in columns if name != key]
    compared = [name for name in others if name not in derived]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    differs = sql.SQL("({old}) IS DISTINCT FROM ({new})").format(
        old=sql.SQL(", ").join(sql.Identifier("old", name) for name in compared),
        new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in compared),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "CREATE TEMP TABLE IF NOT EXISTS {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"
            ).format(sql.Identifier(stage), names, sql.Identifier(table))
        )
        cursor.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(stage)))
        copy(stage, columns, rows)
        cursor.execute(
            sql.SQL(
                "INSERT INTO {table} AS old ({names}) SELECT {names} FROM {stage}"
                " ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {differs}"
            ).format(
                table=sql.Identifier(table),
                names=names,
                stage=sql.Identifier(stage),
                key=sql.Identifier(key),
                changes=sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
                ),
                differs=differs,
            )
        )
        return cursor.rowcount


def copy(table: str, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Adds rows to any table, a temporary one too."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            copying.write_row(row)


def refresh_statistics(*models_: type[models.Model]) -> None:
    """After a large load, so that the planner knows the tables; allowed inside a transaction."""
    with connection.cursor() as cursor:
        for model in models_:
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(model._meta.db_table)))


def settle(*indexes: str) -> None:
    """After many rows: GIN keeps what is new in a list that every search reads through until a vacuum.

    Measured on the certifications' indexes: four times slower until then. Only who owns the tables may; a
    portal that does not (docs/locks.md) leaves it to PostgreSQL's own tidying, soon after.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT gin_clean_pending_list(pg_class.oid)
            FROM unnest(%s::text[]) AS name JOIN pg_class ON pg_class.oid = name::regclass
            WHERE pg_has_role(relowner, 'USAGE')
            """,
            [list(indexes)],
        )

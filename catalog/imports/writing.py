"""New offers with their sessions into PostgreSQL, a lot at a time, while the next lot is being read.

Reading is ours to do and writing PostgreSQL's: each would wait for the other. So a lot is handed to a thread,
which writes it on the same connection and in the same transaction. One thing at a time speaks on it: who has
a question first waits for what is under way (`Writer.wait`).
"""

import os
from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.types.json import Jsonb

from catalog import indexing
from catalog.imports import loading, snapshots
from catalog.models import Offer, Session

# What an import says of a new offer; the other columns have their own defaults in the database.
OFFER_COLUMNS = (
    *("id", "provider_id", "training_number", "action_number", "is_published", "updated_at"),
    *(name for name in snapshots.OFFER_FIELDS if name != "hand_edited_at"),
)
SESSION_COLUMNS = ("id", "offer_id", "number", *snapshots.SESSION_FIELDS)


def fresh_ids(count: int) -> list[UUID]:
    """As many random identifiers, asked of the system at once."""
    bits = os.urandom(16 * count)
    return [UUID(bytes=bits[at : at + 16], version=4) for at in range(0, 16 * count, 16)]


class Writer:
    """`with Writer(on=day) as writer`: nothing is under way any more when it ends, whatever happens."""

    def __init__(self, *, on: date):
        self._on = on
        self._connection = connections[DEFAULT_DB_ALIAS]
        # Used by two threads, never by both at once.
        self._connection.inc_thread_sharing()
        self._pool = ThreadPoolExecutor(1, "import", initializer=self._share)
        self._under_way: Future[None] | None = None

    def _share(self) -> None:
        connections[DEFAULT_DB_ALIAS] = self._connection

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_error) -> None:
        self._pool.shutdown(wait=True)
        self._connection.dec_thread_sharing()

    def wait(self) -> None:
        """Until the connection is free again. Raises what went wrong meanwhile."""
        under_way, self._under_way = self._under_way, None
        if under_way:
            under_way.result()

    def write(
        self, offers: list[dict[str, Any]], sessions: list[tuple], *, touched: Collection[UUID]
    ) -> None:
        """Begins to write these, and what the search reads of the `touched`, these among them.

        `offers` by OFFER_COLUMNS, `sessions` in the order of SESSION_COLUMNS.
        """
        self.wait()
        if touched:
            self._under_way = self._pool.submit(self._write, offers, sessions, touched)

    def _write(self, offers: list[dict[str, Any]], sessions: list[tuple], touched: Collection[UUID]) -> None:
        if offers:
            loading.insert(Offer, OFFER_COLUMNS, map(_row, offers))
        if sessions:
            loading.insert(Session, SESSION_COLUMNS, sessions)
        indexing.reindex(sorted(touched), on=self._on)


def _row(offer: dict[str, Any]) -> Iterable:
    point = offer["point"]
    written = {
        "rhythms": [],  # a format without a place for them says nothing of them
        **offer,
        "point": f"({point.x!r},{point.y!r})" if point else None,
        "particulars": Jsonb(offer["particulars"]),
    }
    return [written.get(name) for name in OFFER_COLUMNS]

"""Where the catalogue's public pages are read when one database is not enough (docs/operations.md).

With DATABASE_REPLICA_URL, what a view marked `from_replica` reads of the catalogue comes from that streaming
copy; everything else (accounts, rights, dossiers, every verb, every page in a transaction) from the one
database that is written. A copy is some moments late: nothing is judged by it.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.db import connection

ALIAS = "replica"
APPS = frozenset({"catalog"})
OWN = frozenset({"favourite", "savedsearch", "wish"})
"""What a person has just written themselves is read where it was written."""
_is_reading = ContextVar("is_reading_from_the_replica", default=False)


def from_replica(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view that only shows the catalogue: a moment late is early enough."""

    @wraps(view)
    def reading(*args: Any, **kwargs: Any) -> Any:
        token = _is_reading.set(True)
        try:
            return view(*args, **kwargs)
        finally:
            _is_reading.reset(token)

    return reading


class Router:
    """In the settings only when there is a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        is_shown = model._meta.app_label in APPS and model._meta.model_name not in OWN
        if _is_reading.get() and is_shown and not connection.in_atomic_block:
            return ALIAS
        return "default"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Even of a row that was read from the replica."""
        return "default"

    def allow_relation(self, *_rows: Any, **_hints: Any) -> bool:
        """Both hold the same rows."""
        return True

    def allow_migrate(self, database: str, *_what: Any, **_hints: Any) -> bool:
        """A copy receives its tables, it does not make them."""
        return database != ALIAS

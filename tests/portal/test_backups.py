"""Backed up and brought back: the same rows, the same files, the same ledger; anything else is refused."""

import io
import json
import re
import tarfile
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from portal import backups
from tests.factories.dossiers import DossierFactory

# One after the other: databases made for a drill are seen by every process of the run.
pytestmark = pytest.mark.xdist_group("backups")


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    default_storage.save("papers/kbis.pdf", ContentFile(b"%PDF-1.7 kbis"))
    return settings.MEDIA_ROOT


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


def manifest_of(path):
    return json.loads((path / backups.MANIFEST).read_text())


@pytest.fixture
def alive(transactional_db, at, media):
    """A portal that lived a little."""
    DossierFactory(at=at, accepted=True)
    Session.objects.create(session_key="s" * 32, session_data="x", expire_date=at + timedelta(days=1))


# --- There and back -----------------------------------------------------------------------------------


def test_everything_comes_back_but_the_sessions(alive, folder, capfd):
    call_command("backup", str(folder), stdout=io.StringIO())
    [made] = backups.found_in(folder)
    manifest = manifest_of(made)
    assert manifest["rows"]["dossiers_transition"] == 3
    assert "django_session" not in manifest["rows"]
    assert set(manifest["secrets_not_included"]) == {"NIR_KEYS", "SECRET_KEY"}
    assert manifest["media_files"] == 1
    call_command("restore", str(made), drill=True)
    said = capfd.readouterr().out
    assert f"{sum(manifest['rows'].values())} lignes, 1 fichiers" in said
    assert "Mêmes nombres de lignes, grand livre juste, numéros lisibles." in said
    with connection.cursor() as cursor:
        [name] = re.findall(r"drill_[0-9a-f]+", said)
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name])
        assert cursor.fetchone() == (0,)


def test_it_is_one_instant_whatever_happens_meanwhile(alive, folder, monkeypatch):
    """Rows committed between the counting and the dump are in neither."""
    before = User.objects.count()
    run = backups._run

    def write_then_run(words):
        # Another connection, as somebody else's click.
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("CREATE TABLE meanwhile AS SELECT 1")
            cursor.execute("DELETE FROM django_session")
        other.close()
        run(words)

    monkeypatch.setattr(backups, "_run", write_then_run)
    try:
        made = backups.make(folder, at=timezone.now(), keep=1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE meanwhile")
    assert manifest_of(made)["rows"]["accounts_user"] == before
    assert "meanwhile" not in manifest_of(made)["rows"]
    call_command("restore", str(made), drill=True)


def test_it_keeps_the_newest_and_never_writes_over_one(alive, folder, at):
    made = [backups.make(folder, at=at + timedelta(days=day), keep=2) for day in range(3)]
    assert backups.found_in(folder) == made[1:]
    with pytest.raises(backups.BackupError, match="existe déjà"):
        backups.make(folder, at=at + timedelta(days=2), keep=2)
    assert backups.found_in(folder) == made[1:]


@pytest.mark.parametrize("keep", ["0", "-1", "many"])
def test_keeping_none_is_refused(keep):
    with pytest.raises(CommandError):
        call_command("backup", "anywhere", "--keep", keep)


def test_a_backup_that_fails_leaves_nothing(alive, folder, at, monkeypatch):
    kept = backups.make(folder, at=at, keep=1)
    monkeypatch.setattr(backups, "_pack_media", lambda target: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backups.make(folder, at=at + timedelta(days=1), keep=1)
    assert list(folder.iterdir()) == [kept]


def test_a_row_that_names_a_file_that_is_gone_is_told(alive, folder, monkeypatch, capsys):
    monkeypatch.setattr(backups, "_media_named_by_rows", lambda: {"papers/kbis.pdf", "papers/gone.pdf"})
    call_command("backup", str(folder))
    assert "papers/gone.pdf" in capsys.readouterr().err
    assert manifest_of(backups.found_in(folder)[0])["missing_media"] == ["papers/gone.pdf"]


def test_it_is_for_its_owner_only_and_holds_no_key(alive, folder, settings):
    made = backups.make(folder, at=timezone.now(), keep=1)
    assert made.stat().st_mode & 0o077 == 0
    everything = b"".join(path.read_bytes() for path in made.iterdir())
    for secret in (settings.SECRET_KEY, *settings.NIR_KEYS):
        assert secret.encode() not in everything


# --- What is refused -------------------------------------------------------------------------------------


def test_a_database_that_holds_anything_is_left_alone(alive, folder):
    made = backups.make(folder, at=timezone.now(), keep=1)
    users = User.objects.count()
    with pytest.raises(CommandError, match="n’est pas vide : rien n’a été touché"):
        call_command("restore", str(made))
    assert User.objects.count() == users


def test_a_folder_that_holds_files_is_left_alone(alive, folder, monkeypatch):
    made = backups.make(folder, at=timezone.now(), keep=1)
    with connection.cursor() as cursor, transaction.atomic():
        # As an empty database would answer.
        monkeypatch.setattr(type(cursor), "fetchone", lambda self: (0,), raising=False)
        with pytest.raises(backups.BackupError, match="media n’est pas vide"):
            backups._check_empty()
    assert made.exists()


@pytest.mark.parametrize("name", [backups.DUMP, backups.MEDIA])
def test_one_changed_byte_is_noticed(alive, folder, name):
    made = backups.make(folder, at=timezone.now(), keep=1)
    content = bytearray((made / name).read_bytes())
    content[100] ^= 1
    (made / name).write_bytes(content)
    with pytest.raises(backups.BackupError, match="son empreinte a changé"):
        backups.read(made)


def test_a_missing_file_an_unfinished_backup_and_another_format_are_refused(alive, folder):
    made = backups.make(folder, at=timezone.now(), keep=1)
    manifest = manifest_of(made)
    (made / backups.MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(backups.BackupError, match="Format 99"):
        backups.read(made)
    (made / backups.MANIFEST).write_text(json.dumps(manifest))
    (made / backups.MEDIA).unlink()
    with pytest.raises(backups.BackupError, match="ne se lit pas"):
        backups.read(made)
    (made / backups.MANIFEST).unlink()
    with pytest.raises(backups.BackupError, match="n’est pas une sauvegarde complète"):
        backups.read(made)
    assert backups.found_in(folder) == []


def test_the_folder_of_all_backups_is_answered_with_the_newest(alive, folder, at):
    newest = [backups.make(folder, at=at + timedelta(days=day), keep=2) for day in range(2)][-1]
    with pytest.raises(CommandError, match=f"2 sauvegardes. La plus récente : {newest}"):
        call_command("restore", str(folder))


def test_a_backup_newer_than_the_code_is_refused(alive, folder):
    made = backups.make(folder, at=timezone.now(), keep=1)
    manifest = manifest_of(made)
    manifest["migrations"]["dossiers"] = "9999_of_tomorrow"
    (made / backups.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(backups.BackupError, match=r"dossiers\.9999_of_tomorrow"):
        backups._check_known(backups.read(made))


def test_an_archive_that_leaves_its_folder_is_refused(media, tmp_path):
    wicked = tmp_path / "wicked.tar"
    with tarfile.open(wicked, "w") as archive:
        archive.add(__file__, arcname="../outside.py")
    with pytest.raises(backups.BackupError, match="autre chose que des fichiers"):
        backups._unpack_media(wicked)
    assert not (tmp_path / "outside.py").exists()


def test_an_older_pg_dump_is_not_used(db, tmp_path, monkeypatch):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(backups.BackupError, match="PG_BIN"):
        backups._program("pg_dump")


def test_without_its_key_the_numbers_would_be_unreadable_and_that_is_told(alive, folder, settings):
    made = backups.read(backups.make(folder, at=timezone.now(), keep=1))
    assert set(made.nir_keys) == set(backups._nir_key_fingerprints())
    settings.NIR_KEYS = ["YW5vdGhlci1rZXktYW5vdGhlci1rZXktYW5vdGhlci0="]
    assert not set(made.nir_keys) & set(backups._nir_key_fingerprints())

"""The nightly job: new files only, one failure stops nothing, two nights never overlap."""

import json
import logging

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalog import tasks
from catalog.imports import nightly, rncp
from catalog.models import (
    Certification,
    CertificationIndex,
    ImportRun,
    Offer,
    Provider,
    SynonymGroup,
    TermName,
)
from tests.catalog.imports import making
from tests.catalog.imports.making import SIRET, catalogue, csv_archive, fiche, fiches, info, kit, partner
from tests.factories.catalog import TownFactory

pytestmark = pytest.mark.django_db
LIST = f"Siret;Raison sociale;Qualiopi\n{SIRET};Pont;Oui\n".encode()


@pytest.fixture
def folder(tmp_path):
    making.put(tmp_path, catalogue(), "catalogue.xml")
    making.put(tmp_path, LIST, "organismes_2026.csv")
    making.put_gzip(tmp_path, fiches(fiche(partners=partner())), "export_fiches_RNCP_V4_1_2026-08-16.xml.gz")
    making.put_zip(tmp_path, {"rs.xml": fiches(fiche("RS1"))}, "export-fiches-rs-v4-1-2026-08-16.zip")
    making.put(tmp_path, b"x", "notes.txt")
    making.put(tmp_path, b"x", "universites.xml")
    TownFactory()
    return tmp_path


KNOWN = [
    "export-fiches-rs-v4-1-2026-08-16.zip",
    "export_fiches_RNCP_V4_1_2026-08-16.xml.gz",
    "organismes_2026.csv",
    "catalogue.xml",
]


def test_known_files_are_imported_in_the_order_that_judges_them(folder, at):
    assert nightly.import_folder(folder, at=at) == dict.fromkeys(KNOWN, "imported")
    assert list(nightly.import_folder(folder, at=at)) == KNOWN
    assert Certification.objects.count() == 2 and Provider.objects.count() == 1
    assert Offer.objects.count() == 1, "its organisation and its certification came the same night"


def test_only_what_changed_is_imported_again(folder, at):
    nightly.import_folder(folder, at=at)
    assert nightly.import_folder(folder, at=at) == dict.fromkeys(KNOWN, "unchanged")
    runs = ImportRun.objects.count()
    making.put(folder, LIST.replace(b"Pont", b"Quai"), "organismes_2026.csv")
    assert nightly.import_folder(folder, at=at) == dict.fromkeys(KNOWN[:2], "unchanged") | {
        "organismes_2026.csv": "imported",
        "catalogue.xml": "imported",  # judged again by the new list
    }
    assert ImportRun.objects.count() == runs + 2


def test_one_broken_file_is_kept_in_mind_and_stops_no_other(folder, at, caplog):
    making.put(folder, fiches(fiche())[:-20], "rncp.xml")
    with caplog.at_level(logging.ERROR):
        outcome = nightly.import_folder(folder, at=at)
    assert outcome["rncp.xml"] == "unusable" and list(outcome.values()).count("imported") == 4
    assert "incomplet" in ImportRun.objects.get(file_name="rncp.xml").error
    assert "rncp.xml" in caplog.text


def test_an_unforeseen_error_too(folder, at, monkeypatch, caplog):
    def fail(*_args, **_options):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(rncp, "_write", fail)
    outcome = nightly.import_folder(folder, at=at)
    assert [outcome[name] for name in KNOWN] == ["failed", "failed", "imported", "imported"]
    assert ImportRun.objects.filter(error__startswith="Erreur inattendue").count() == 2
    assert "disk on fire" in caplog.text
    monkeypatch.undo()
    assert set(nightly.import_folder(folder, at=at).values()) == {"imported", "unchanged"}


def test_words_and_lesser_sources_are_known_by_name_too(tmp_path, at):
    """Job names wait for their codes, whatever the order of their names."""
    making.put(
        tmp_path, b"code_ogr;libelle_appellation_long;code_rome\n1;Pilote;A1101\n", "rome_appellations.csv"
    )
    making.put(tmp_path, b'"code_rome","libelle_rome"\n"A1101","Conduite"\n', "rome_codes_v460.csv")
    making.put(tmp_path, b'[{"synonyms": ["a b", "c"]}]', "search-synonyms.json")
    making.put(tmp_path, info({"Code_RNCP": "1"}), "certif_info_2026.csv")
    making.put(tmp_path, kit({}), "kit_apprentissage_2026.csv")
    making.put_zip(tmp_path, csv_archive(), "export-fiches-csv-2026-11-21.zip")
    outcome = nightly.import_folder(tmp_path, at=at)
    assert outcome == dict.fromkeys(
        [
            "rome_codes_v460.csv",
            "rome_appellations.csv",
            "search-synonyms.json",
            "certif_info_2026.csv",
            "export-fiches-csv-2026-11-21.zip",
            "kit_apprentissage_2026.csv",
        ],
        "imported",
    )
    assert list(nightly.import_folder(tmp_path, at=at).values()) == ["unchanged"] * 6
    assert TermName.objects.get().name == "Pilote" and SynonymGroup.objects.count() == 1
    assert set(Certification.objects.values_list("code", "source")) == {
        ("RNCP1", "certif_info"),
        ("RNCP100", "csv"),
    }


def test_what_stands_in_no_index_gets_its_words_at_night(folder, at):
    nightly.import_folder(folder, at=at)
    CertificationIndex.objects.filter(certification="RNCP100").delete()
    assert nightly.import_folder(folder, at=at) == dict.fromkeys(KNOWN, "unchanged")
    assert CertificationIndex.objects.filter(certification="RNCP100").exists()


def test_two_nights_never_overlap(folder, at):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [nightly.LOCK_SPACE, nightly.NIGHTLY_LOCK])
        assert nightly.import_folder(folder, at=at) == {}
    finally:
        with other.cursor() as cursor:  # closing alone frees the lock only when the server notices
            cursor.execute("SELECT pg_advisory_unlock_all()")
        other.close()
    assert not ImportRun.objects.exists()
    assert nightly.import_folder(folder, at=at), "and the lock is given back"


def test_the_task(folder, settings, caplog):
    settings.REGISTERS_FOLDER = ""
    assert tasks.import_registers() == {}
    settings.REGISTERS_FOLDER = str(folder / "absent")
    assert tasks.import_registers() == {}
    assert "cannot be read" in caplog.text
    settings.REGISTERS_FOLDER = str(folder)
    assert list(tasks.import_registers()) == KNOWN


# --- Commands ----------------------------------------------------------------------------------------


def test_an_unusable_file_ends_the_command_with_its_sentence(tmp_path):
    for command in ("import_certifications", "import_catalogue", "import_organisations"):
        with pytest.raises(CommandError, match="n'existe pas") as caught:
            call_command(command, str(tmp_path / "absent"), skip_checks=True)
        assert caught.value.returncode == 1


def test_json_report(folder, capsys):
    path = str(folder / KNOWN[1])
    call_command("import_certifications", path, "--json", "--dry-run", skip_checks=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["created"], report["dry_run"]) == (1, 1, True)
    assert report["findings"] == []


def test_a_long_report_is_cut_on_screen_and_kept_whole(tmp_path, capsys):
    path = making.put(tmp_path, fiches(*[fiche(None)] * 60))
    call_command("import_certifications", path, skip_checks=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 50 + 1 and "… et 10 autres" in lines[-1]
    assert ImportRun.objects.get().refusals.count() == 60
    call_command("import_certifications", path, "--all", skip_checks=True)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 60

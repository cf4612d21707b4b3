"""Every real file at hand, and what becomes of it: what goes in is counted, what does not is said in words.

Files in no format that the portal reads are refused whole, by a sentence that says what was awaited; that an
importer is given a file in Mac Roman or Windows-1252 is said with it.
"""

import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from catalog.imports import certifications, nomenclatures, offers, open_catalogue, providers, towns
from catalog.imports.reading import Unusable
from catalog.models import ImportRefusal, ImportRun

pytestmark = pytest.mark.django_db
AT = datetime.datetime(2026, 11, 22, 10, tzinfo=ZoneInfo("Europe/Paris"))


class File(NamedTuple):
    path: str
    importer: object
    refused: int | None = 0  # records; None: the whole file
    reason: str = ""  # of each refusal, or of the whole
    encoding: str = ""


NOMENCLATURES = (
    *("rome_codes_v460.csv.gz", "rome_appellations_v4_2024-10.csv.gz", "formacodes-v14.csv.gz"),
    *(
        "nsf_categorie.csv",
        "nsf_domaine.csv",
        "nsf_groupe.csv",
        "nsf_lheo-dict.xml",
        "rome_secteurs_v460.json.gz",
    ),
)
REGISTERS = (
    *(
        "rncp/export_fiches_RNCP_V4_1_2026-08-16_extrait.xml.gz",
        "rncp/export-fiches-csv-2024-02-22_extrait.zip",
    ),
    *("rncp/export_fiches_RS_V4_1_2026-08-16_extrait.xml.gz", "rncp/kit_apprentissage_2025-01-31.csv.gz"),
    "certifications/certif_info_2024-06.csv.gz",
)
NO_LIST = "Les colonnes ne sont pas celles d'une liste d'organismes"
NO_OPEN_CATALOGUE = "Les colonnes ne sont pas celles du catalogue ouvert"
FILES = [
    *(File(f"nomenclatures/{name}", nomenclatures) for name in NOMENCLATURES),
    *(File(path, certifications) for path in REGISTERS),
    File("recherche/lba_search-synonyms.json.gz", nomenclatures),
    File("organismes/organismes_nda_qualiopi_2023.csv.gz", providers, 38, "SIRET|dénomination|déclaration"),
    File("edof/Exemple_de_catalogue_a_importer_v7r0.xml", offers, 4, "« 12312312300000 » n'existe pas"),
    File("lheo/intercarif-plaquiste_lheo2.2.xml", offers, 2, "RNCP|prix|SIRET|numéro|numero"),
    File("lheo/exemple-bts-onisep_lheo2.2.xml", offers, 1, "RNCP|prix|SIRET|numéro|numero"),
    File("lheo/anotea-intercarif-test_lheo2.2_invalide.xml", offers, 1, ""),
    # what is there for other purposes
    File("organismes/organismes-prepa-apprentissage.csv.gz", providers, None, NO_LIST),
    File("organismes/referentiel_organismes_extrait.json.gz", nomenclatures, 808, "« synonyms » doit être"),
    File("recherche/requetes_jugees_dev.json", nomenclatures, None, "liste de groupes de synonymes"),
    File("mcf/offres_mcf_2020-12.json", offers, None, "n'est pas un document XML"),
    File("edof/lheo_import_fichier_xml_optimise_v5r2.xsd", offers, None, "sa racine est <schema>"),
    File("lheo/lheo-2.3.xsd", offers, None, "sa racine est <schema>"),
    File("offres/bts_parcoursup_2024.csv.gz", open_catalogue, None, NO_OPEN_CATALOGUE),
    File(
        "offres/formations_parcoursup_apprentissage_2020.csv.gz",
        open_catalogue,
        None,
        NO_OPEN_CATALOGUE,
        "mac-roman",
    ),
    File(
        "offres/formations_affelnet_2020-05-12.csv.gz", open_catalogue, None, NO_OPEN_CATALOGUE, "mac-roman"
    ),
    File("offres/formations_apprentissage_rco_2020-09-10.csv.gz", providers, None, NO_LIST, "iso-8859-1"),
    File("offres/bcn_n_formation_diplome_2025-09.csv.gz", providers, None, NO_LIST, "windows-1252"),
    File("geo/laposte_hexasmal.csv.gz", providers, None, NO_LIST),
    File("jours-feries/jours_feries_etalab.csv", nomenclatures, None, "d'aucune nomenclature connue"),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_it_goes_in_or_it_is_said_why_not(shared_data, file):
    if file.importer is offers:
        towns.load()
    path = str(shared_data / file.path)
    if file.refused is None:
        with pytest.raises(Unusable, match=file.reason):
            file.importer.run(path, at=AT, encoding=file.encoding)
        assert ImportRun.objects.get().error
        return
    report = file.importer.run(path, at=AT, encoding=file.encoding)
    assert report.refused == file.refused, [str(each) for each in report.findings[:20]]
    assert report.read >= report.created + report.updated + report.unchanged + report.refused > 0
    kept = ImportRefusal.objects.filter(run=report.run, verdict="refused")
    assert bool(kept) == bool(file.refused)
    assert kept.filter(reason__regex=file.reason).count() >= file.refused, "each refusal has its reason"
    again = file.importer.run(path, at=AT, encoding=file.encoding)
    assert (again.created, again.updated, again.refused) == (0, 0, report.refused)


def test_no_encoding_of_the_real_files_is_mistaken_for_another(shared_data):
    """What is said wrongly is noticed, in the files that others wrote."""
    for path, encoding in (
        ("offres/formations_affelnet_2020-05-12.csv.gz", ""),
        ("offres/bcn_n_formation_diplome_2025-09.csv.gz", "utf-8"),
    ):
        with pytest.raises(Unusable, match=r"n'est pas encodé en UTF-8|Les colonnes"):
            providers.run(str(shared_data / path), at=AT, encoding=encoding)

"""Certif Info, the apprenticeship kit, the register as CSV: what is kept and refused, who is believed."""

import datetime
import itertools

import pytest
from django.core.management import call_command
from django.db import connection

from catalog import finding
from catalog.imports import certifications
from catalog.imports.apprenticeship_kit import bare_title
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import (
    Certification,
    CertificationBlock,
    CertificationStatement,
    Habilitation,
    ImportRun,
    OfferWords,
    Succession,
)
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET, csv_archive, fiche, fiches, info, kit
from tests.factories.catalog import OfferFactory, today

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path, at):
    numbers = itertools.count()

    def load(content, name=None, **options):
        if isinstance(content, dict):
            path = making.put_zip(tmp_path, content, name or "export-fiches-csv-2024-02-22.zip")
        else:
            path = making.put(tmp_path, content, name or f"fichier{next(numbers)}.csv")
        return certifications.run(path, at=at, **options)

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


def reasons(report, verdict=Verdict.REFUSED):
    return [(finding.line, finding.reason) for finding in report.of(verdict)]


def physical_rows():
    with connection.cursor() as cursor:
        rows = {}
        for model in (Certification, CertificationStatement, CertificationBlock, Habilitation, Succession):
            cursor.execute(f"SELECT ctid::text, xmin::text FROM {model._meta.db_table} ORDER BY 1")
            rows[model] = cursor.fetchall()
    return rows


# --- Certif Info ----------------------------------------------------------------------------------


def test_what_certif_info_tells_is_kept(load):
    report = load(
        info(
            Code_RNCP="00100",
            Libelle_Diplome="BTS d'essai",
            Libelle_Type_Diplome="Brevet de technicien supérieur",
            Code_Niveau_Europeen="5",
            Code_FormaCode="22454",
            Code_Rome_1="F1106",
            Code_Rome_2="F1201",
            Code_Nsf="230",
            Annee_Derniere_Session="2031",
            Code_Ancien_RNCP="90",
            accessibilite_vae="1",
            accessibilite_ca="2",
        )
    )
    assert counts(report) == (1, 1, 0, 0, 0)
    row = Certification.objects.get()
    assert (row.code, row.title, row.level, row.source) == ("RNCP100", "BTS d'essai", 5, "certif_info")
    assert (row.short_title, row.nsf_codes, row.formacodes) == (
        "Brevet de technicien supérieur",
        ["230"],
        ["22454"],
    )
    assert (row.rome_codes, row.ways) == (["F1106", "F1201"], ["VAE"])
    assert (row.registered_until, row.delivered_until) == (None, datetime.date(2031, 12, 31))
    assert not row.is_active(on=datetime.date(2026, 1, 1)), "nobody told the end of its registration"
    assert list(Succession.objects.values_list("old_code", "new_code")) == [("RNCP90", "RNCP100")]


def test_lines_of_one_number_are_one_certification_that_goes_by_all_their_names(load):
    report = load(
        info(
            {"Code_RNCP": "100", "Libelle_Diplome": "Licence pro mention vin, parcours vente"},
            {"Code_RNCP": "100", "Libelle_Diplome": "Licence pro mention vin, parcours sommellerie"},
            {"Code_RS": "100", "Libelle_Diplome": "Déguster un vin"},
            {"Libelle_Diplome": "Diplôme d'université du vin"},
        )
    )
    assert counts(report) == (4, 2, 0, 0, 0)
    assert reasons(report, Verdict.REMARK) == [(1, "Lignes sans numéro RNCP ni RS, laissées de côté : 1.")]
    assert set(Certification.objects.values_list("code", flat=True)) == {"RNCP100", "RS100"}
    found = finding.find_certifications("sommellerie", on=today())
    assert [one.code for one in found] == ["RNCP100"]


def test_a_number_delivers_until_its_last_line_does(load):
    def last(*years):
        load(info(*({"Code_RNCP": "100", "Annee_Derniere_Session": year} for year in years)))
        return Certification.objects.get().delivered_until

    assert last("2027", "2029", "2028") == datetime.date(2029, 12, 31)
    assert last("2027", "") is None
    assert last("", "2027") is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Code_RNCP": "12a"}, "Code_RNCP : « 12a » n'est pas un numéro."),
        ({"Code_RNCP": "123456789"}, "Code_RNCP : « 123456789 » n'est pas un numéro."),
        ({"Code_RS": "RS12", "Code_RNCP": ""}, "Code_RS : « RS12 » n'est pas un numéro."),
        ({"Libelle_Diplome": " \0 "}, "l'intitulé manque."),
        ({"Code_Niveau_Europeen": "9"}, "niveau : « 9 » n'est pas de 1 à 8."),
        (
            {"Annee_Derniere_Session": "demain"},
            "Annee_Derniere_Session : « demain » n'est pas un nombre entier de 0 à 2200.",
        ),
        ({"codeIdeo2": "x;y"}, "la ligne a plus de cellules que l'en-tête."),
    ],
)
def test_a_bad_line_of_certif_info_is_refused_alone(load, cells, reason):
    report = load(info({"Code_RNCP": "100"} | cells, {"Code_RNCP": "101"}))
    assert counts(report) == (2, 1, 0, 0, 1)
    assert reasons(report) == [(2, reason)]
    assert Certification.objects.get().code == "RNCP101"


# --- The kit --------------------------------------------------------------------------------------


def test_what_the_kit_tells_is_kept(load):
    report = load(
        kit(
            {
                "Nouvelle Certification rempla (RNCP)": "RNCP300|RNCP301",
                "Ancienne Certification (RNCP)": "RNCP90",
                "Date de début des parcours certifiants (enregistrement de droit)": "01/09/2024",
            },
            {"Intitulé diplôme (DEPP)": "CONDUITE D'ESSAIS (BTS)"},
            {"FicheRNCP": "NR"},
        )
    )
    assert counts(report) == (3, 1, 0, 0, 0)
    assert reasons(report, Verdict.REMARK) == [(1, "Lignes sans fiche RNCP (« NR »), laissées de côté : 1.")]
    row = Certification.objects.get()
    assert (row.code, row.title, row.short_code, row.level) == ("RNCP100", "Pilote d'essais", "BTS", 5)
    assert (row.effective_on, row.registered_until) == (
        datetime.date(2024, 9, 1),
        datetime.date(2029, 8, 31),
    )
    assert (row.source, row.ways, row.withdrawn) == ("kit", ["CA"], False)
    assert set(Succession.objects.values_list("old_code", "new_code")) == {
        ("RNCP90", "RNCP100"),
        ("RNCP100", "RNCP300"),
        ("RNCP100", "RNCP301"),
    }
    assert [one.code for one in finding.find_certifications("conduite d'essais", on=today())] == ["RNCP100"]


@pytest.mark.parametrize(
    ("title", "kind", "bare"),
    [
        ("TP - TP Gestionnaire de paie", "TP", "Gestionnaire de paie"),
        ("CAP - Cuisine", "CAP", "Cuisine"),
        ("Licence Professionnelle - Licence professionnelle Vin", "Licence Professionnelle", "Vin"),
        ("Manager - coach", "", "Manager - coach"),
        ("CAP - ", "CAP", "CAP - "),
    ],
)
def test_the_kind_is_taken_off_a_title(title, kind, bare):
    assert bare_title(title, kind) == bare


@pytest.mark.parametrize(
    ("state", "ends", "withdrawn"),
    [
        ("ACTIVE", "31/08/2029", False),
        ("INACTIVE", "31/08/2029", True),  # struck off before its end
        ("INACTIVE", "30/01/2025", False),  # an ordinary end
        ("INACTIVE", "", True),
    ],
)
def test_the_status_of_the_kit_follows_from_the_dates(load, state, ends, withdrawn):
    load(
        kit({"Fiche ACTIVE/INACTIVE": state, "Date d'échéance de la fiche RNCP": ends}),
        name="kit_2025-01-31.csv",
    )
    assert Certification.objects.get().withdrawn is withdrawn


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"FicheRNCP": "RS12"}, "le numéro n'est pas celui d'une fiche RNCP."),
        ({"Fiche ACTIVE/INACTIVE": "?"}, "Fiche ACTIVE/INACTIVE : « ? » n'est ni ACTIVE ni INACTIVE."),
        ({"Niveau fiche RNCP": "Niveau 9"}, "niveau : « Niveau 9 » n'est pas de 1 à 8."),
        ({"Intitulé certification (RNCP)": ""}, "l'intitulé manque."),
        (
            {"Date d'échéance de la fiche RNCP": "31/19/2026"},
            "Date d'échéance de la fiche RNCP : « 31/19/2026 » n'est pas une date (on attend JJ/MM/AAAA).",
        ),
    ],
)
def test_a_bad_line_of_the_kit_is_refused_alone(load, cells, reason):
    report = load(kit(cells, {"FicheRNCP": "RNCP101"}))
    assert counts(report) == (2, 1, 0, 0, 1)
    assert reasons(report) == [(2, reason)]


# --- The register as CSV --------------------------------------------------------------------------


def test_the_ten_files_make_one_record(load):
    report = load(csv_archive())
    assert counts(report) == (1, 1, 0, 0, 0)
    row = Certification.objects.get()
    assert (row.code, row.title, row.level, row.source) == ("RNCP100", "Agent d'essai", 3, "csv")
    assert (row.short_code, row.short_title) == ("CAP", "Certificat d'aptitude professionnelle")
    assert (row.registered_until, row.effective_on) == (
        datetime.date(2030, 8, 31),
        datetime.date(2025, 9, 1),
    )
    assert (row.nsf_codes, row.rome_codes, row.formacodes) == (["251"], ["I1203"], ["42872"])
    assert (row.rome_labels, row.ways) == (["Maintenance d'un local"], ["VAE", "CA"])
    assert list(row.blocks.values_list("code", "title")) == [("RNCP100BC01", "Vérifier")]
    assert set(row.habilitations.values_list("siret", "role", "is_active")) == {
        (OTHER_SIRET, "CERTIFICATEUR", True),
        (SIRET, "HABILITATION_ORGA_FORM", True),
    }
    assert set(Succession.objects.values_list("old_code", "new_code")) == {
        ("RNCP90", "RNCP100"),
        ("RNCP100", "RNCP110"),
    }


def test_what_is_odd_in_the_parts_is_left_out_and_told(load):
    parts = csv_archive(
        Blocs='"RNCP100";"RNCP999BC01";"D\'un autre"',
        Partenaires=f'"RNCP100";"Sans clé";"{making.BAD_SIRET}";"HABILITATION_FORMER"\n'
        '"RNCP100";"X";"";"AUTRE"',
        Voix='"RNCP100";"Par magie"',
        Rome='"RNCP777";"I1203";"D\'une fiche absente"',
    )
    report = load(parts)
    assert counts(report) == (1, 1, 0, 0, 0)
    said = " ".join(reason for _line, reason in reasons(report, Verdict.REMARK))
    for word in ("RNCP999BC01", "Il n'habilite personne", "habilitation inconnue « AUTRE »", "Par magie"):
        assert word in said
    assert Certification.objects.get().rome_codes == []
    assert Habilitation.objects.get(role="HABILITATION_FORMER").siret == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"1";"X1";"T";;;"NIV3";;;;;;;;;;"ACTIVE"', "le numéro n'est d'aucun répertoire connu"),
        ('"1";"RNCP5";"";;;"NIV3";;;;;;;;;;"ACTIVE"', "l'intitulé manque."),
        (
            '"1";"RNCP5";"T";;;"NIV3";;;;;;;;;;"PEUT-ÊTRE"',
            "Actif : « PEUT-ÊTRE » n'est ni ACTIVE ni INACTIVE.",
        ),
        ('"1";"RNCP5";"T";;;"NIV3";;;;;;"31/19/2026";;;;"ACTIVE"', "« 31/19/2026 » n'est pas une date"),
        ('"1";"RNCP5";"T";;;"NIV3";;;;;;"01/01/2020";"01/01/2021";;;"ACTIVE"', "précède la date d'effet"),
        ('"1";"RNCP100";"T";;;"NIV3";;;;;;;;;;"ACTIVE"', "la fiche est déjà dans le fichier, ligne 2."),
    ],
)
def test_a_bad_line_of_the_csv_is_refused_alone(load, line, reason):
    parts = csv_archive()
    name = next(name for name in parts if "Standard" in name)
    parts[name] += f"{line}\n".encode()
    report = load(parts)
    assert counts(report) == (2, 1, 0, 0, 1)
    [(where, said)] = reasons(report)
    assert where == 3 and reason in said


# --- Who is believed ------------------------------------------------------------------------------

XML = fiches(fiche("RNCP100", title="Du XML", ends="31/12/2030", new=["RNCP400"]))
SOURCES = {
    "xml": XML,
    "csv": None,  # an archive
    "info": info({"Code_RNCP": "100", "Libelle_Diplome": "De Certif Info", "Code_Rome_1": "H9001"}),
    "kit": kit({"Nouvelle Certification rempla (RNCP)": "RNCP300"}),
}


@pytest.mark.parametrize("order", list(itertools.permutations(["csv", "info", "kit"])))
def test_each_column_comes_from_the_first_source_that_fills_it_whatever_the_order(load, order):
    for name in order:
        load(csv_archive(Rome="", Voix="") if name == "csv" else SOURCES[name])
    row = Certification.objects.get(code="RNCP100")
    assert (row.title, row.source) == ("Agent d'essai", "csv")
    assert row.registered_until == datetime.date(2030, 8, 31), "the CSV's, not the kit's"
    assert row.rome_codes == ["H9001"], "Certif Info's: the CSV gives none here"
    assert row.ways == ["CA"], "the kit's"


@pytest.mark.parametrize("order", list(itertools.permutations(["xml", "csv", "info", "kit"])))
def test_the_xml_register_is_believed_whole_whatever_the_order(load, order):
    for name in order:
        load(csv_archive() if name == "csv" else SOURCES[name])
    row = Certification.objects.get(code="RNCP100")
    assert (row.title, row.source, row.rome_codes) == ("Du XML", "xml", ["M1805"])
    assert row.registered_until == datetime.date(2030, 12, 31)
    assert set(row.blocks.values_list("title", flat=True)) == {"Bloc BC01", "Bloc BC02"}
    assert not row.habilitations.filter(siret=SIRET).exists(), "the CSV's partner is not in the XML"
    assert list(Succession.objects.values_list("old_code", "new_code")) == [("RNCP100", "RNCP400")]
    assert row.statements.count() == 3, "what the others say is kept, to find it by"
    assert [one.code for one in finding.find_certifications("certif info", on=today())] == ["RNCP100"]


def test_an_end_and_a_state_come_from_one_source(load):
    """The kit struck it off; Certif Info, above it, tells no end: the dates and the state are the kit's."""
    load(kit({"Fiche ACTIVE/INACTIVE": "INACTIVE"}), name="kit_2025-01-31.csv")
    load(info({"Code_RNCP": "100", "Annee_Derniere_Session": "2035"}))
    row = Certification.objects.get()
    assert (row.source, row.withdrawn) == ("certif_info", True)
    assert (row.registered_until, row.delivered_until) == (datetime.date(2029, 8, 31), None)


@pytest.mark.parametrize("name", ["csv", "info", "kit"])
def test_the_same_file_again_changes_nothing(load, name):
    content = csv_archive() if name == "csv" else SOURCES[name]
    load(content)
    before = physical_rows()
    assert counts(load(content))[1:] == (0, 0, 1, 0)
    assert physical_rows() == before


def test_what_a_source_says_no_more_goes(load):
    load(kit({"Nouvelle Certification rempla (RNCP)": "RNCP300"}))
    load(info({"Code_RNCP": "300", "Code_Ancien_RNCP": "100"}))
    report = load(kit({"Nouvelle Certification rempla (RNCP)": "", "Niveau fiche RNCP": "Niveau 6"}))
    assert counts(report) == (1, 0, 1, 0, 0)
    assert Certification.objects.get(code="RNCP100").level == 6
    assert Succession.objects.count() == 1, "Certif Info still says so"
    load(info({"Code_RNCP": "300"}))
    assert not Succession.objects.exists()


def test_offers_follow_the_new_words_of_their_certification(load):
    load(XML, name="rncp.xml")
    offer = OfferFactory(certification=Certification.objects.get())
    before = offer.index.words.search
    load(info({"Code_RNCP": "100", "Libelle_Diplome": "Saboterie"}))
    now = OfferWords.objects.get(pk=offer.pk).search
    assert now != before and "saboter" in now


def test_a_try_writes_nothing(load):
    assert counts(load(SOURCES["kit"], dry_run=True)) == (1, 1, 0, 0, 0)
    assert not Certification.objects.exists() and not ImportRun.objects.exists()


# --- Files that are none of these -----------------------------------------------------------------

NASTY = {
    "nothing but a header": (info(), "ne contient aucune certification"),
    "columns of something else": (b"nom;prix\nA;2\n", "d'aucun fichier de certifications connu"),
    "a part of the archive": (b"Numero_Fiche;Intitule\nRNCP1;A\n", "donnez l'archive zip entière"),
    "a page of text": (b"Bonjour\n", "n'est pas un document XML"),
    "a column twice": (info({"Code_RNCP": "1"}).replace(b"valideur", b"Code_RS"), "nommée deux fois"),
    "another encoding": (
        info({"Libelle_Diplome": "Été", "Code_RNCP": "1"}).decode().encode("cp1252"),
        "UTF-8",
    ),
    "another encoding in its header": (kit({}).decode().encode("cp1252"), "UTF-8"),
    "UTF-16": (info({"Code_RNCP": "1"}).decode().encode("utf-16"), "UTF-16"),
    "quotes that never close": (info({"Libelle_Diplome": '"Ouvert', "Code_RNCP": "1"}), "incohérents"),
    "a line without end": (info({"Libelle_Diplome": "a" * 1_000_001, "Code_RNCP": "1"}), "trop longue"),
    "an entity": (b'<!DOCTYPE x [<!ENTITY a "b">]><FICHES/>', "DOCTYPE"),
    "another XML": (b"<offres/>", "sa racine est <offres>"),
    "a hundred thousand levels": (
        b"<FICHES>" + b"<FICHE>" * 100_000 + b"</FICHE>" * 100_000 + b"</FICHES>",
        "mal formé",
    ),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_file_that_is_none_is_refused_in_words(load, name):
    content, words = NASTY[name]
    with pytest.raises(Unusable, match=words):
        load(content)
    assert words in ImportRun.objects.get().error
    assert not Certification.objects.exists()


def test_a_mark_of_utf8_and_zeros_in_cells_stop_nothing(load):
    report = load(b"\xef\xbb\xbf" + info({"Code_RNCP": "100", "Libelle_Diplome": "A\0B"}))
    assert counts(report) == (1, 1, 0, 0, 0)
    assert Certification.objects.get().title == "A B"


def test_an_archive_without_a_part_or_with_a_wrong_one(load):
    parts = csv_archive()
    del parts[next(name for name in parts if "Partenaires" in name)]
    assert counts(load(parts)) == (1, 1, 0, 0, 0)
    name = next(name for name in parts if "Nsf" in name)
    with pytest.raises(Unusable, match="n'a pas la colonne Nsf_Code"):
        load(parts | {name: b"Numero_Fiche;Autre\nRNCP100;1\n"})
    with pytest.raises(Unusable, match="contient 2 fichiers"):
        load({"a.csv": b"x", "b.csv": b"y"})


def test_a_bomb_in_the_archive_is_refused(load):
    parts = csv_archive()
    name = next(name for name in parts if "Rome" in name)
    parts[name] += b'"RNCP777";"I1203";"A"\n' * 1_000_000
    with pytest.raises(Unusable, match="plus de 150 fois sa taille"):
        load(parts)
    assert not Certification.objects.exists()


def test_the_command_recognises_the_file(tmp_path, capsys):
    call_command("import_certifications", making.put(tmp_path, SOURCES["kit"], "kit.csv"), skip_checks=True)
    assert "kit.csv (fiches) : lus 1, créés 1" in capsys.readouterr().out

"""FORMACODE, ROME, NSF and groups of synonyms: recognised, kept whole, refused line by line."""

import itertools
import json

import pytest
from django.core.management import call_command
from django.db import connection

from catalog import finding
from catalog.imports import nomenclatures
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import ImportRun, Offer, SynonymGroup, Term, TermName
from catalog.search import text_query
from tests.catalog.imports import making
from tests.factories.catalog import CertificationFactory, OfferFactory, TermFactory, today

pytestmark = pytest.mark.django_db

FORMACODE = (
    "Code du Terme;Descripteur en majuscules;Descripteur en typo riche;Champ sémantique;Synonymes;"
    "Synonymes métier;TG (Terme Générique);TS (Termes Spécifiques);TA (Termes Associés);ex-synonyme V-1\n"
)
ROME_CODES = '"code_rome","code_fiche_metier","libelle_rome","code_rome_parent"\n'
ROME_NAMES = "code_ogr;libelle_appellation_long;libelle_appellation_court;code_rome\n"
NSF = "GROUPE_SPECIALITE;DOMAINE_SPECIALITE;LIBELLE_COURT;LIBELLE_LONG\n"


@pytest.fixture
def load(tmp_path, at):
    numbers = itertools.count()

    def load(text, **options):
        content = text if isinstance(text, bytes) else text.encode()
        return nomenclatures.run(making.put(tmp_path, content, f"f{next(numbers)}"), at=at, **options)

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


def reasons(report, verdict=Verdict.REFUSED):
    return [(finding.line, finding.reason) for finding in report.of(verdict)]


def names(code):
    return set(TermName.objects.filter(term=code).values_list("name", flat=True))


def physical_rows():
    with connection.cursor() as cursor:
        rows = {}
        for model in (Term, TermName, SynonymGroup):
            cursor.execute(f"SELECT ctid::text, xmin::text FROM {model._meta.db_table} ORDER BY 1")
            rows[model] = cursor.fetchall()
    return rows


# --- Each of them ---------------------------------------------------------------------------------


def test_formacode_with_its_synonyms_and_its_tree(load):
    report = load(
        "\ufeff" + FORMACODE + "31833;TRANSPORT ROUTIER;Transport routier;318 TRANSPORT;;;Transport;"
        "Conduite poids lourd - 31816;;\n"
        "31816;CONDUITE;Conduite poids lourd;318 TRANSPORT;permis C###grand routier;chauffeur routier;"
        "Transport routier - 31833;;Sécurité - 31812###Conduite poids lourd - 31816;permis C\n"
    )
    assert counts(report) == (2, 2, 0, 0, 0)
    term = Term.objects.get(code="31816")
    assert (term.nomenclature, term.label) == ("formacode", "Conduite poids lourd")
    assert (term.broader, term.related) == (["31833"], ["31812"])
    assert Term.objects.get(code="31833").broader == [], "a heading without a code is no term"
    assert list(Term.objects.filter(broader__contains=["31833"])) == [term], "the narrower ones"
    assert names("31816") == {"permis C", "grand routier", "chauffeur routier"}


def test_rome_codes_then_job_names(load):
    report = load(ROME_CODES + '"A1101","11","Conducteur d\'engins","A1101"\n"A1102","","Bûcheron","A1101"\n')
    assert counts(report) == (2, 2, 0, 0, 0)
    assert Term.objects.get(code="A1101").broader == []
    assert Term.objects.get(code="A1102").broader == ["A1101"]
    report = load(ROME_NAMES + "1;Élagueur / Élagueuse;Élagueur;A1102\n2;Débardeur;Débardeur;A1102\n")
    assert counts(report) == (2, 2, 0, 0, 0)
    assert names("A1102") == {"Élagueur / Élagueuse", "Débardeur"}
    report = load(ROME_NAMES + "1;Élagueur / Élagueuse;Élagueur;A1102\n3;Grimpeur;Grimpeur;A1102\n")
    assert counts(report) == (2, 1, 0, 1, 0)
    assert names("A1102") == {"Élagueur / Élagueuse", "Grimpeur"}


def test_job_names_may_come_before_their_codes(load):
    report = load(ROME_NAMES + "1;Élagueur;Élagueur;A1102\n2;Débardeur;Débardeur;A1102\n")
    assert counts(report) == (2, 2, 0, 0, 0)
    [(_line, remark)] = reasons(report, Verdict.REMARK)
    assert remark.endswith("première appellation : 1.")
    assert Term.objects.get().label == "Élagueur"
    load(ROME_CODES + '"A1102","","Bûcheron","A1101"\n')
    assert Term.objects.get().label == "Bûcheron"
    assert names("A1102") == {"Élagueur", "Débardeur"}


def test_the_three_levels_of_nsf(load):
    load("CATEGORIE_SPECIALITE;LIBELLE_COURT;LIBELLE_LONG\n2;PRD;SPECIALITES DE PRODUCTION\n")
    load("DOMAINE_SPECIALITE;CATEGORIE_SPECIALITE;LIBELLE_COURT;LIBELLE_LONG\n23;2;;GENIE CIVIL\n")
    load(NSF + "233;23;;BATIMENT : FINITIONS\n")
    assert list(Term.objects.order_by("code").values_list("code", "label", "broader")) == [
        ("2", "Specialites de production", []),
        ("23", "Genie civil", ["2"]),
        ("233", "Batiment : finitions", ["23"]),
    ]


DICTIONARY = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE dict SYSTEM "gml.dtd">
<dict xmlns="http://www.gelaba.org/gml/1.1" name="dict-NSF">
  <fullname xml:lang="fr">NSF</fullname>
  <entry>
    <key val="100"/>
    <value xml:lang="fr" val="Formations générales"/>
  </entry>
  <entry>
    <key val="11x"/>
    <value val="Physique"/>
  </entry>
  <property name="version" value="V1" />
</dict>
"""


def test_nsf_as_lheo_s_dictionary(load):
    report = load(DICTIONARY)
    assert counts(report) == (2, 1, 0, 0, 1)
    term = Term.objects.get()
    assert (term.code, term.label, term.broader) == ("100", "Formations générales", ["10"])
    assert reasons(report) == [(9, "« 11x » n'est pas un code.")]
    assert counts(load(DICTIONARY)) == (2, 0, 0, 1, 1)


def test_a_dictionary_s_document_type_may_name_a_file_that_is_never_fetched(load, tmp_path):
    named = DICTIONARY.replace("gml.dtd", f"file://{making.put(tmp_path, b'<!ENTITY x SYSTEM', 'a.dtd')}")
    assert load(named).created == 1
    for entity in ('[<!ENTITY x "y">]', "[]"):
        with pytest.raises(Unusable, match="DOCTYPE"):
            load(DICTIONARY.replace('"gml.dtd"', f'"gml.dtd" {entity}'))


def sector(code, label, jobs=(), parts=None, **more):
    listed = [{"code_ogr_rome": 1, "code_rome": job, "libelle_rome": "x"} for job in jobs]
    key = "code_secteur" if parts is not None else "code_sous_secteur"
    told = {key: code, "libelle": label, "definition": "", "liste_metier": listed} | more
    return told if parts is None else told | {"liste_sous_secteur": parts}


def test_sectors_over_rome(load):
    parts = [sector(145, "Gros ¼uvre", ["F1701", "F1702"])]
    tree = {
        "arbo_secteur": [sector(99, "Bâtiment (BTP)", ["F1101"], parts), sector(95, "Automobile", parts=[])]
    }
    report = load(json.dumps(tree))
    assert counts(report) == (3, 3, 0, 0, 0)
    told = {term.code: (term.label, term.broader, term.related) for term in Term.objects.order_by("code")}
    assert told == {
        "S95": ("Automobile", [], []),
        "S99": ("Bâtiment (BTP)", [], ["F1101", "F1701", "F1702"]),
        "T145": ("Gros œuvre", ["S99"], ["F1701", "F1702"]),
    }
    assert counts(load(json.dumps(tree))) == (3, 0, 0, 3, 0)


def test_a_certification_is_found_by_the_sector_of_its_jobs(load):
    TermFactory(code="F1701", label="Coffreur")
    certification = CertificationFactory(title="Coffreur bancheur", rome_codes=["F1701"])
    other = CertificationFactory(title="Fleuriste", rome_codes=["D1209"])
    load(json.dumps({"arbo_secteur": [sector(99, "Gros œuvre", ["F1701"], [])]}))
    found = [one.code for one in finding.find_certifications("gros oeuvre", on=today())]
    assert found == [certification.code] and other.code not in found


def test_groups_of_synonyms(load):
    groups = [
        {"mappingType": "equivalent", "synonyms": ["CONDUITE DE TRAVAUX", "cdt"]},
        {"mappingType": "equivalent", "synonyms": ["cdt", "CONDUITE DE TRAVAUX", "cdt"]},
        {"synonyms": ["a", "b"]},
    ]
    report = load(json.dumps(groups))
    assert counts(report) == (3, 2, 0, 1, 0)
    assert reasons(report, Verdict.REMARK) == [(2, "groupe écrit deux fois.")]
    assert sorted(SynonymGroup.objects.values_list("names", flat=True)) == [
        ["CONDUITE DE TRAVAUX", "cdt"],
        ["a", "b"],
    ]


# --- What every import promises -------------------------------------------------------------------

FILES = {
    "formacode": FORMACODE + "31816;C;Conduite;318;permis C;;;;;\n",
    "codes": ROME_CODES + '"A1101","11","Conducteur","A1101"\n',
    "nsf": NSF + "233;23;;BATIMENT\n",
    "synonyms": '[{"synonyms": ["a b", "c"]}]',
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_file_again_changes_nothing(load, name):
    assert counts(load(FILES[name])) == (1, 1, 0, 0, 0)
    before = physical_rows()
    assert counts(load(FILES[name])) == (1, 0, 0, 1, 0)
    assert physical_rows() == before
    run = ImportRun.objects.latest("pk")
    assert (run.kind, run.unchanged, run.error) == ("nomenclatures", 1, "")


def test_job_names_again_change_nothing(load):
    TermFactory(code="A1101")
    text = ROME_NAMES + "1;Pilote;Pilote;A1101\n"
    load(text)
    before = physical_rows()
    assert counts(load(text)) == (1, 0, 0, 1, 0)
    assert physical_rows() == before


def test_a_term_is_written_as_the_file_says_and_the_others_are_left_alone(load):
    load(FILES["formacode"])
    TermFactory(code="A1101", names=["Pilote"])
    report = load(FORMACODE + "31816;C;Conduite camion;318;permis CE;;;;;\n")
    assert counts(report) == (1, 0, 1, 0, 0)
    assert names("31816") == {"permis CE"} and names("A1101") == {"Pilote"}
    assert Term.objects.get(code="31816").label == "Conduite camion"


def test_a_try_writes_nothing(load):
    assert counts(load(FILES["formacode"], dry_run=True)) == (1, 1, 0, 0, 0)
    assert not Term.objects.exists() and not ImportRun.objects.exists()


def test_certifications_and_offers_are_found_by_the_new_words(load):
    offer = OfferFactory(certification=CertificationFactory(formacodes=["31816"]))
    asked = Offer.objects.filter(index__words__search=text_query("grand routier"))
    assert not asked.exists()
    load(FORMACODE + "31816;C;Conduite;318;grand routier;;;;;\n")
    assert list(asked) == [offer]


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (FORMACODE + "3181;C;Conduite;;;;;;;\n", 2, "« 3181 » n'est pas un code."),
        (FORMACODE + "31816;C; ;;;;;;;\n", 2, "le libellé manque."),
        (FORMACODE + "31816;C;A;;;;;;;;;trop\n", 2, "la ligne a plus de cellules que l'en-tête."),
        (FORMACODE + "31817;C;A;;;;;;;\n31817;C;B;;;;;;;\n", 3, "le code est déjà dans le fichier, ligne 2."),
        (ROME_CODES + '"Z1101","","A",""\n', 2, "« Z1101 » n'est pas un code."),
        (ROME_NAMES + "1;Pilote;Pilote;Z9999\n", 2, "« Z9999 » n'est pas un code."),
        (ROME_NAMES + "1;;;A1101\n", 2, "l'appellation manque."),
        (NSF + "12;1;;A\n", 2, "« 12 » n'est pas un code."),
        (json.dumps({"arbo_secteur": [sector("x", "A", parts=[])]}), 1, "« Sx » n'est pas un code."),
        (json.dumps({"arbo_secteur": [sector(1, "", parts=[])]}), 1, "le libellé manque."),
        (
            json.dumps({"arbo_secteur": [sector(1, "A", ["Z1"], parts=[])]}),
            1,
            "la liste de ses métiers n'est pas une liste de codes ROME.",
        ),
        (
            json.dumps({"arbo_secteur": [sector(1, "A", parts=[]), sector(1, "B", parts=[])]}),
            2,
            "le code est déjà dans le fichier, ligne 1.",
        ),
        ('[{"synonyms": ["a"]}]', 1, "un groupe compte de 2 à 50 noms."),
        ('[{"synonyms": "a"}]', 1, "« synonyms » doit être une liste de textes."),
        ("[3]", 1, "« synonyms » doit être une liste de textes."),
        (
            '[{"mappingType": "explicit", "synonyms": ["a", "b"]}]',
            1,
            "seuls les groupes de sens équivalent (« equivalent ») sont lus.",
        ),
    ],
)
def test_a_bad_entry_is_refused_alone_with_its_line(load, text, line, reason):
    TermFactory(code="A1101")
    report = load(text)
    assert report.refused == 1
    assert reasons(report) == [(line, reason)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (FORMACODE, "ne contient aucun terme"),
        (ROME_NAMES, "ne contient aucun terme"),
        ("a;b\n1;2\n", "d'aucune nomenclature connue"),
        ("<lheo/>", "sa racine est <lheo>, on attend <dict>"),
        (DICTIONARY.replace("dict-NSF", "dict-ROME"), "Le dictionnaire « dict-ROME » n'est pas lu"),
        (DICTIONARY.replace("entry", "entrée"), "aucun élément <entry>"),
        ('{"arbo_secteur": []}', "ne contient aucun terme"),
        ('{"arbo_secteur": {}}', "doit être une liste"),
        ("[", "mal formé"),
        ("[" + "9" * 5_000 + "]", "mal formé"),
        (FORMACODE + "3;C;A;;;;;;;\n" * 20_001, "Plus de 20000 lignes sont fautives"),
        ("{}", "doit être une liste"),
        ("[]", "doit être une liste"),
        ("[" * 100_000, "emboîté trop profondément|mal formé"),
        ('[{"synonyms": ["é", "b"]}]'.encode("cp1252"), "UTF-8"),
        ((FORMACODE + "31816;C;Été;;;;;;;\n").encode("cp1252"), "UTF-8"),
        (FORMACODE.encode("utf-16"), "UTF-16"),
        (FORMACODE + '31816;"C;A;;;;;;;\n', "incohérents"),
        (FORMACODE + "31816;" + "x" * 1_000_001, "trop longue"),
        ("[" + '{"synonyms": ["a", "b"]},' * 800_000, "dépasse la taille permise"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_in_words(load, content, words):
    with pytest.raises(Unusable, match=words):
        load(content)
    assert ImportRun.objects.get().error
    assert not Term.objects.exists() and not SynonymGroup.objects.exists()


def test_zeros_and_control_characters_become_blanks(load):
    load(FORMACODE + "31816;C;A\0B;;x\x01y;;;;;\n")
    assert Term.objects.get().label == "A B" and names("31816") == {"x y"}


def test_the_command_tells_in_french(tmp_path, capsys):
    path = making.put(tmp_path, (FORMACODE + "31816;C;A;;;;;;;\n3;C;B;;;;;;;\n").encode(), "formacode.csv")
    call_command("import_nomenclature", path, skip_checks=True)
    assert capsys.readouterr().out.splitlines() == [
        "formacode.csv (termes) : lus 2, créés 1, mis à jour 0, inchangés 0, refusés 1.",
        "Refusés :",
        "  ligne 3 : 3 : « 3 » n'est pas un code.",
    ]

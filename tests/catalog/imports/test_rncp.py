"""The registers of France compétences: what is kept, what is refused and on which line, what stays."""

import datetime
import gc

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.imports import report, rncp
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import (
    Certification,
    CertificationBlock,
    CertificationOutcome,
    Habilitation,
    ImportRefusal,
    ImportRun,
    Offer,
    Succession,
)
from catalog.search import text_query
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET, fiche, fiches, line_of, partner
from tests.factories.catalog import OfferFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path, at):
    def load(*records, name="rncp.xml", **options):
        return rncp.run(making.put(tmp_path, fiches(*records), name), at=at, **options)

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


def physical_rows():
    """Every row with the transaction that wrote it: a row written again, even alike, shows."""
    with connection.cursor() as cursor:
        rows = {}
        for model in (Certification, CertificationBlock, Habilitation, Succession):
            cursor.execute(f"SELECT ctid::text, xmin::text FROM {model._meta.db_table} ORDER BY 1")
            rows[model] = cursor.fetchall()
    return rows


def test_everything_of_a_record_is_kept(load, at):
    report = load(
        fiche(
            partners=partner()
            + partner(siret=OTHER_SIRET, role="HABILITATION_ORGA", state="Inactif", since=""),
            old=["RNCP90"],
            new=["RNCP110"],
        )
    )
    assert counts(report) == (1, 1, 0, 0, 0)
    certification = Certification.objects.get()
    assert (certification.code, certification.register, certification.number) == ("RNCP100", "RNCP", 100)
    assert (certification.title, certification.level) == ("Agent de test", 4)
    assert (certification.short_code, certification.short_title) == ("TP", "Titre professionnel")
    assert certification.effective_on == datetime.date(2024, 1, 1)
    assert certification.registered_until == datetime.date(2030, 12, 31)
    assert (certification.decided_on, certification.delivered_until) == (None, None)
    assert not certification.withdrawn
    assert certification.activities == "Tester.\nRecommencer."
    assert (certification.nsf_codes, certification.formacodes) == (["326t"], ["22454"])
    assert (certification.rome_codes, certification.rome_labels) == (["M1805"], ["Études et développement"])
    assert certification.imported_at == at
    assert list(certification.blocks.values_list("code", flat=True)) == ["RNCP100BC01", "RNCP100BC02"]
    assert set(certification.habilitations.values_list("siret", "role", "is_active", "active_from")) == {
        (OTHER_SIRET, "CERTIFICATEUR", True, None),
        (SIRET, "HABILITATION_ORGA_FORM", True, datetime.date(2026, 1, 5)),
        (OTHER_SIRET, "HABILITATION_ORGA", False, None),
    }
    assert set(Succession.objects.values_list("old_code", "new_code")) == {
        ("RNCP90", "RNCP100"),
        ("RNCP100", "RNCP110"),
    }
    run = ImportRun.objects.get()
    assert (run.kind, run.file_name, run.error) == ("certifications", "rncp.xml", "")
    assert (run.read, run.created) == (1, 1) and len(run.file_digest) == 64 and run.ended_at >= run.started_at


def test_ways_goals_and_what_blocks_hold_are_kept(load):
    load(
        fiche(
            blocks=(),
            more="<OBJECTIFS_CONTEXTE>Servir.</OBJECTIFS_CONTEXTE>"
            "<SECTEURS_ACTIVITE>Le pont.</SECTEURS_ACTIVITE>"
            "<SI_JURY_VAE><ACTIF>Oui</ACTIF></SI_JURY_VAE><SI_JURY_CL><ACTIF>Non</ACTIF></SI_JURY_CL>",
        ).replace(
            "<BLOCS_COMPETENCES>",
            "<BLOCS_COMPETENCES><BLOC_COMPETENCES><CODE>RNCP100BC01</CODE><LIBELLE>Bâtir</LIBELLE>"
            "<LISTE_COMPETENCES>- Poser\n- Lever</LISTE_COMPETENCES>"
            "<MODALITES_EVALUATION>Sur le pont</MODALITES_EVALUATION></BLOC_COMPETENCES>",
        )
    )
    certification = Certification.objects.get()
    assert (certification.goals, certification.sectors) == ("Servir.", "Le pont.")
    assert (certification.ways, certification.source) == (["VAE"], "xml")
    assert list(certification.blocks.values_list("title", "abilities", "assessment")) == [
        ("Bâtir", "- Poser\n- Lever", "Sur le pont")
    ]


OUTCOME = (
    "<STATISTIQUES_PROMOTION><ANNEE>{year}</ANNEE><NOMBRE_CERTIFIES>36</NOMBRE_CERTIFIES>"
    "<NOMBRE_CERTIFIES_VAE>4</NOMBRE_CERTIFIES_VAE>"
    "<TAUX_INSERTION_GLOBAL_6MOIS>{rate}</TAUX_INSERTION_GLOBAL_6MOIS>"
    "<TAUX_INSERTION_METIER_2ANS>71</TAUX_INSERTION_METIER_2ANS></STATISTIQUES_PROMOTION>"
)


def test_what_became_of_the_certified_is_kept_and_what_cannot_be_is_left_out(load):
    rows = [("2024", "96"), ("2024", "97"), ("2023", "196"), ("demain", "50"), ("2022", "")]
    told = "".join(OUTCOME.format(year=year, rate=rate) for year, rate in rows)
    report = load(fiche(more=f"<STATISTIQUES_PROMOTIONS>{told}</STATISTIQUES_PROMOTIONS>"))
    assert list(
        CertificationOutcome.objects.order_by("-year").values_list(
            "year", "certified", "certified_by_vae", "employed_percent", "in_the_job_later_percent"
        )
    ) == [(2024, 36, 4, 96, 71), (2022, 36, 4, None, 71)]
    remarks = [finding.reason for finding in report.of(Verdict.REMARK)]
    assert len(remarks) == 2 and all(remark.startswith("devenir des certifiés") for remark in remarks)


def test_the_specific_register_has_neither_level_nor_blocks(load):
    load(fiche("RS55", level="", blocks=()))
    certification = Certification.objects.get()
    assert (certification.register, certification.number, certification.level) == ("RS", 55, None)


# --- Status: from dates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "ends", "withdrawn", "active_on_the_day"),
    [
        ("Oui", "31/12/2026", False, True),
        ("Oui", "22/11/2026", False, True),  # the last day still counts
        ("Oui", "21/11/2026", False, False),  # said active, ended since
        ("Non", "31/12/2026", True, False),  # struck off before its end
        ("Non", "21/11/2026", False, False),  # an ordinary end
        ("Non", "", True, False),
        ("Oui", "", False, False),
    ],
)
def test_status_follows_from_the_dates(load, active, ends, withdrawn, active_on_the_day):
    load(fiche(active=active, ends=ends), name="rncp_2026-11-22.xml")
    certification = Certification.objects.get()
    assert certification.withdrawn is withdrawn
    assert certification.is_active(on=datetime.date(2026, 11, 22)) is active_on_the_day


def test_what_was_struck_off_stays_so_after_its_end_until_the_register_takes_it_back(load):
    load(fiche(active="Non", ends="31/12/2026"), name="rncp_2026-06-01.xml")
    load(fiche(active="Non", ends="31/12/2026", title="Autre"), name="rncp_2027-06-01.xml")
    assert Certification.objects.get().withdrawn
    load(fiche(active="Oui", ends="31/12/2029"), name="rncp_2027-07-01.xml")
    assert not Certification.objects.get().withdrawn


# --- Again, changed, dry -----------------------------------------------------------------------------


def test_the_same_file_again_changes_nothing(load):
    records = [fiche(f"RNCP{n}", partners=partner(), old=[f"RNCP{n + 500}"]) for n in range(1, 8)]
    load(*records)
    before = physical_rows()
    assert counts(load(*records)) == (7, 0, 0, 7, 0)
    assert physical_rows() == before


def test_one_changed_record_is_the_only_one_written_again(load):
    load(fiche("RNCP1"), fiche("RNCP2", partners=partner(), blocks=("BC01",)))
    untouched = Certification.objects.values_list("imported_at", "digest").get(code="RNCP1")
    report = load(fiche("RNCP1"), fiche("RNCP2", title="Renommé", blocks=("BC02", "BC03")))
    assert counts(report) == (2, 0, 1, 1, 0)
    assert Certification.objects.values_list("imported_at", "digest").get(code="RNCP1") == untouched
    changed = Certification.objects.get(code="RNCP2")
    assert changed.title == "Renommé"
    assert list(changed.blocks.values_list("code", flat=True)) == ["RNCP2BC02", "RNCP2BC03"]
    assert list(changed.habilitations.values_list("role", flat=True)) == ["CERTIFICATEUR"]


def test_records_the_file_does_not_hold_are_left_alone(load):
    load(fiche("RNCP1"), fiche("RNCP2"))
    load(fiche("RNCP2"))
    assert Certification.objects.count() == 2


def test_an_offer_is_found_by_the_new_title_of_its_certification(load):
    # Its organisation is the certifier that the record names, so that the offer is open before and after.
    offer = OfferFactory(
        certification__code="RNCP1", certification__number=1, provider__organisation__siret=OTHER_SIRET
    )
    load(fiche("RNCP1", title="Zythologue"))
    assert Offer.objects.filter(pk=offer.pk, index__words__search=text_query("zythologue")).exists()


def test_dry_run_counts_and_writes_nothing(load):
    report = load(fiche("RNCP1"), fiche(None), dry_run=True)
    assert counts(report) == (2, 1, 0, 0, 1) and report.is_dry_run and report.findings
    assert not Certification.objects.exists() and not ImportRun.objects.exists()


@pytest.mark.parametrize("was_frozen", [False, True])
def test_an_import_looks_for_garbage_seldom_and_leaves_that_as_it_was(load, monkeypatch, was_frozen):
    """Whether it goes well or not: whatever runs in this process afterwards has its own way of collecting."""
    before, own, during = gc.get_threshold(), (900, 11, 12), []
    real = report.take_turn
    monkeypatch.setattr(report, "take_turn", lambda kind: during.append(gc.get_threshold()) or real(kind))
    gc.set_threshold(*own)
    if was_frozen:
        gc.freeze()
    try:
        load(fiche("RNCP1"))
        assert during == [report.FEW_COLLECTIONS]
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (own, was_frozen)
        monkeypatch.setattr(report, "take_turn", lambda kind: False)
        with pytest.raises(Unusable):
            load(fiche("RNCP1"))
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (own, was_frozen)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def test_links_go_when_neither_record_says_them_any_more(load):
    load(fiche("RNCP1", new=["RNCP2"]), fiche("RNCP2", old=["RNCP1"]), fiche("RNCP3", old=["RS9"]))
    load(fiche("RNCP1"), fiche("RNCP2", old=["RNCP1"]))
    assert Succession.objects.filter(old_code="RNCP1", new_code="RNCP2").exists(), "the other record says it"
    load(fiche("RNCP1"))
    assert Succession.objects.filter(old_code="RNCP1").exists(), "the other record was not in the file"
    load(fiche("RNCP1"), fiche("RNCP2"))
    assert list(Succession.objects.values_list("old_code", "new_code")) == [("RS9", "RNCP3")]


# --- Refused -----------------------------------------------------------------------------------------

FAULTS = {
    "no number": (fiche(None), "<FICHE>", "NUMERO_FICHE manque"),
    "unknown register": (fiche("RNQ12"), "<FICHE>", "aucun répertoire connu"),
    "number in another alphabet": (fiche("RNCP١٢"), "<FICHE>", "aucun répertoire connu"),
    "number too long for the database": (fiche("RNCP99999999"), "<FICHE>", "aucun répertoire connu"),
    "no title": (fiche(title=" "), "<FICHE>", "INTITULE manque"),
    "impossible end": (fiche(ends="31/02/2027"), "<FICHE>", "DATE_FIN_ENREGISTREMENT : « 31/02/2027 »"),
    "end in another writing": (fiche(ends="2027-12-31"), "<FICHE>", "on attend JJ/MM/AAAA"),
    "end before effect": (fiche(ends="01/01/2020"), "<FICHE>", "précède la date d'effet"),
    "neither active nor not": (fiche(active="Peut-être"), "<FICHE>", "ni Oui ni Non"),
    "level": (fiche(level="NIV9"), "<FICHE>", "NIV1 à NIV8"),
    "partner's date": (fiche(partners=partner(since="99/99/2026")), "<FICHE>", "École du Pont"),
    "twice": (fiche("RNCP7"), "<FICHE>", "est déjà dans le fichier, ligne 4"),
}


@pytest.mark.parametrize(("bad", "marker", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_record_is_refused_with_its_line_and_no_other(load, bad, marker, reason):
    records = [fiche("RNCP7"), bad, fiche("RNCP8")]
    content = fiches(*records)
    report = load(*records)
    assert counts(report) == (3, 2, 0, 0, 1)
    [finding] = report.of(Verdict.REFUSED)
    assert reason in finding.reason
    assert finding.line == 4 + fiche("RNCP7").count("\n") and marker.encode() in content
    assert set(Certification.objects.values_list("code", flat=True)) == {"RNCP7", "RNCP8"}
    stored = ImportRefusal.objects.get()
    assert (stored.line, stored.reason, stored.verdict) == (finding.line, finding.reason, "refused")


def test_all_the_faults_of_a_record_are_told(load):
    report = load(fiche(title="", ends="x", active="?"))
    assert len(report.of(Verdict.REFUSED)) == 3 and report.refused == 1


def test_a_bad_version_of_a_known_record_leaves_the_good_one(load):
    load(fiche("RNCP1"))
    load(fiche("RNCP1", title=""))
    assert Certification.objects.get().title == "Agent de test"


def test_certifiers_and_partners_without_a_siret_that_exists_entitle_nobody(load):
    nameless = "<NOM_CERTIFICATEUR>Syndicat</NOM_CERTIFICATEUR><ETAT_CERTIFICATEUR>Actif</ETAT_CERTIFICATEUR>"
    report = load(
        fiche(
            certifiers=nameless,
            partners=partner(siret=making.BAD_SIRET) + partner(siret="1") + partner(role="AUTRE", name="X"),
            blocks=("BC01", "RNCP999BC01"),
        )
    )
    assert counts(report) == (1, 1, 0, 0, 0)
    assert set(Habilitation.objects.values_list("siret", "name")) == {("", "Syndicat"), ("", "École du Pont")}
    assert Habilitation.objects.count() == 3
    assert list(CertificationBlock.objects.values_list("code", flat=True)) == ["RNCP100BC01"]
    remarks = [finding.reason for finding in report.of(Verdict.REMARK)]
    assert len(remarks) == 5
    assert any(making.BAD_SIRET in remark and "n'habilite personne" in remark for remark in remarks)
    assert any("habilitation inconnue « AUTRE »" in remark for remark in remarks)
    assert any("RNCP999BC01" in remark for remark in remarks)


def test_an_entitlement_written_twice_counts_at_its_strongest(load):
    load(fiche(partners=partner(state="Inactif") + partner(since="01/01/2026") + partner(since="01/06/2026")))
    [kept] = Habilitation.objects.filter(siret=SIRET)
    assert kept.is_active and kept.active_from == datetime.date(2026, 1, 1)


# --- The whole file ----------------------------------------------------------------------------------


def test_a_cut_file_writes_nothing_but_why(tmp_path, at):
    content = fiches(*(fiche(f"RNCP{n}") for n in range(1, 1200)))
    with pytest.raises(Unusable, match="incomplet"):
        rncp.run(making.put(tmp_path, content[:-200]), at=at)
    assert not Certification.objects.exists()
    run = ImportRun.objects.get()
    assert "incomplet" in run.error and (run.read, run.created) == (0, 0)


def test_without_the_transaction_a_cut_file_would_leave_half(tmp_path, at, monkeypatch):
    """The guard is the transaction: with one that does nothing, whole lots stay behind."""

    class Nothing:
        def __enter__(self):
            return self

        def __exit__(self, *_error):
            return False

    monkeypatch.setattr("catalog.imports.report.transaction.atomic", Nothing)
    content = fiches(*(fiche(f"RNCP{n}") for n in range(1, 1200)))
    with pytest.raises(Unusable):
        rncp.run(making.put(tmp_path, content[:-200]), at=at)
    assert Certification.objects.count() == 1000


def test_queries_grow_with_the_lots_and_not_with_the_records(tmp_path, at):
    def queries(first, count):
        path = making.put(
            tmp_path, fiches(*(fiche(f"RNCP{n}", partners=partner()) for n in range(first, first + count)))
        )
        with CaptureQueriesContext(
            connection,
        ) as captured:
            rncp.run(path, at=at)
        return len(captured)

    assert queries(1, 1) == queries(1000, 400)
    assert queries(2000, 1600) < 4 * queries(9000, 1)


def test_another_import_of_the_kind_waits(tmp_path, at):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [0x4341544C, 0])
        with pytest.raises(Unusable, match="est en cours"):
            rncp.run(making.put(tmp_path, fiches(fiche())), at=at)
    finally:
        with other.cursor() as cursor:  # closing alone frees the lock only when the server notices
            cursor.execute("SELECT pg_advisory_unlock_all()")
        other.close()
    assert not Certification.objects.exists()


def test_the_command_tells_in_french(tmp_path, capsys):
    path = making.put(tmp_path, fiches(fiche("RNCP1"), fiche(None)), "rncp.xml")
    call_command("import_certifications", path, skip_checks=True)
    line = line_of(fiches(fiche("RNCP1"), fiche(None)), "<FICHE>", last=True)
    assert capsys.readouterr().out.splitlines() == [
        "rncp.xml (fiches) : lus 2, créés 1, mis à jour 0, inchangés 0, refusés 1.",
        "Refusés :",
        f"  ligne {line} : fiche sans numéro : NUMERO_FICHE manque.",
    ]

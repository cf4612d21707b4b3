"""Organisations: two headers, two ways of writing a SIRET, Qualiopi with or without its kinds."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from stdnum import luhn

from accounts.models import Organisation
from catalog.imports import providers
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import Offer, Provider
from catalog.search import text_query
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import OfferFactory, ProviderFactory

pytestmark = pytest.mark.django_db

SHORT = "Siret;Raison sociale;numero_declaration_activite;etat_administratif;Adresse;Qualiopi"
PUBLIC = (
    "numeroDeclarationActivite;denomination;siren;siretEtablissementDeclarant;"
    "adressePhysiqueOrganismeFormation.voie;adressePhysiqueOrganismeFormation.codePostal;"
    "adressePhysiqueOrganismeFormation.ville;certifications;certifications.actionsDeFormation;"
    "certifications.bilansDeCompetences;certifications.VAE;certifications.actionsDeFormationParApprentissage"
)


@pytest.fixture
def load(tmp_path, at):
    def load(header, *rows, **options):
        content = "\n".join([header, *rows, ""]).encode()
        return providers.run(making.put(tmp_path, content, "organismes.csv"), at=at, **options)

    return load


def short(siret=SIRET, name="École du Pont", number="84691234567", state="actif", qualiopi="Oui"):
    return f"{siret};{name};{number};{state};3 rue du Pont 69001 Lyon;{qualiopi}"


def kinds(provider):
    return tuple(getattr(provider, name) for name in providers.QUALIOPI_FIELDS)


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


def test_the_short_list(load):
    assert counts(load(SHORT, short(), short(OTHER_SIRET, "Sans", "", qualiopi="Non"))) == (2, 2, 0, 0, 0)
    provider = Provider.objects.get(organisation__siret=SIRET)
    assert provider.organisation.name == "École du Pont"
    assert provider.activity_number == "84691234567"
    assert (provider.address, provider.postal_code, provider.town_name) == ("3 rue du Pont", "69001", "Lyon")
    assert kinds(provider) == (True, False, False, False), "« Oui » alone is training actions only"
    assert kinds(Provider.objects.get(organisation__siret=OTHER_SIRET)) == (False,) * 4


@pytest.mark.parametrize("lower", [False, True], ids=["camelCase with dots", "lower case"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without mark", "with mark"])
@pytest.mark.parametrize(
    "siret", [SIRET, SIRET[-5:], SIRET[-5:].lstrip("0")], ids=["whole", "NIC", "bare NIC"]
)
def test_the_public_list(tmp_path, at, lower, mark, siret):
    header = PUBLIC.lower().replace(".", "_") if lower else PUBLIC
    row = f"01973000000;Pont;{SIRET[:9]};{siret};3 rue du Pont;97110;Pointe-à-Pitre;x;true;false;True;false"
    content = f"{mark}{header}\r\n{row}\r\n".encode()
    providers.run(making.put_gzip(tmp_path, content), at=at)
    provider = Provider.objects.get(organisation__siret=SIRET)
    assert provider.activity_number == "01973000000", "its leading zero is kept"
    assert (provider.postal_code, provider.town_name) == ("97110", "Pointe-à-Pitre")
    assert kinds(provider) == (True, False, True, False)


def test_the_same_list_again_changes_nothing_and_a_change_only_its_row(load):
    rows = [short(), short(OTHER_SIRET, "Autre")]
    load(SHORT, *rows)
    assert counts(load(SHORT, *rows)) == (2, 0, 0, 2, 0)
    assert counts(load(SHORT, short(name="École renommée"), rows[1])) == (2, 0, 1, 1, 0)
    assert counts(load(SHORT, short(name="École renommée", qualiopi="Non"), rows[1])) == (2, 0, 1, 1, 0)
    assert kinds(Provider.objects.get(organisation__siret=SIRET)) == (False,) * 4


def test_yes_without_kinds_leaves_the_kinds_another_list_gave(load):
    ProviderFactory(organisation=OrganisationFactory(siret=SIRET), qualiopi_training=False, qualiopi_vae=True)
    load(SHORT, short())
    assert kinds(Provider.objects.get()) == (True, False, True, False)


def test_an_organisation_of_another_sort_becomes_a_provider(load):
    organisation = OrganisationFactory(siret=SIRET)
    assert counts(load(SHORT, short())) == (1, 1, 0, 0, 0)
    assert Provider.objects.get().organisation == organisation and Organisation.objects.count() == 1


def test_a_suspension_is_left_alone(load):
    ProviderFactory(organisation=OrganisationFactory(siret=SIRET), state=Provider.State.SUSPENDED)
    load(SHORT, short())
    assert Provider.objects.get().state == Provider.State.SUSPENDED


def test_a_closed_establishment_holds_no_certificate(load):
    report = load(SHORT, short(state="fermé"))
    assert kinds(Provider.objects.get()) == (False,) * 4
    assert "fermé" in report.of(Verdict.REMARK)[0].reason


def test_offers_are_found_by_the_new_name(load):
    offer = OfferFactory(provider=ProviderFactory(organisation=OrganisationFactory(siret=SIRET)))
    load(SHORT, short(name="Zythologia"))
    assert Offer.objects.filter(pk=offer.pk, index__words__search=text_query("zythologia")).exists()


# --- The yearly report ----------------------------------------------------------------------------

REPORTS = PUBLIC + (
    ";informationsDeclarees.dateDerniereDeclaration;informationsDeclarees.finExercice"
    ";informationsDeclarees.nbStagiaires;informationsDeclarees.nbStagiairesConfiesParUnAutreOF"
)


def reported(siret=SIRET, given="2026-05-20", ended="2025-12-31", trainees="12", entrusted="0"):
    return (
        f"84691234567;Pont;{siret[:9]};{siret};3 rue du Pont;69001;Lyon;x;true;false;false;false;"
        f"{given};{ended};{trainees};{entrusted}"
    )


def lapse(siret=SIRET):
    provider = Provider.objects.get(organisation__siret=siret)
    return provider.activity_lapsed_on, provider.activity_lapse


# Another organisation of the same list has given its report after the last day for it: the list is that old.
LATEST = reported(OTHER_SIRET, given="2026-06-15")


@pytest.mark.parametrize(
    ("row", "lapsed_on", "cause"),
    [
        (reported(), None, ""),
        (reported(given="15/05/2025", ended="31/12/2024"), date(2026, 5, 31), "report_missing"),
        (
            reported(given="2024-05-15T00:00:00+02:00", ended="2023-06-30"),
            date(2025, 5, 31),
            "report_missing",
        ),
        (reported(trainees="0"), date(2026, 5, 20), "report_empty"),
        (reported(trainees="0", entrusted="4"), None, ""),
        (reported(trainees="0", entrusted=""), None, ""),
        (reported(given="", ended=""), None, ""),
        (reported(ended="2028-02-29"), None, ""),
        (reported(ended="hier"), None, ""),
    ],
    ids=[
        "given",
        "missing",
        "missing long since",
        "empty",
        "for another",
        "unknown",
        "none yet",
        "leap",
        "word",
    ],
)
def test_a_report_that_did_not_follow_or_shows_nothing_ends_the_declaration(load, row, lapsed_on, cause):
    report = load(REPORTS, LATEST, row)
    assert lapse() == (lapsed_on, cause)
    assert lapse(OTHER_SIRET) == (None, "")
    assert any("caduque" in finding.reason for finding in report.of(Verdict.REMARK)) == bool(cause)


def test_an_old_list_reproaches_nothing_that_it_could_not_know(load):
    """Its latest report is of April: nobody was late yet, whenever the list is read."""
    load(REPORTS, reported(given="2025-04-12", ended="2024-12-31"), reported(OTHER_SIRET, given="2026-04-30"))
    assert lapse() == (None, "")


def test_a_mistyped_year_makes_nobody_late(load):
    load(REPORTS, reported(given="2026-05-20"), reported(OTHER_SIRET, given="2206-05-20"))
    assert lapse() == (None, "")


def test_the_next_list_makes_good_and_a_list_without_reports_says_nothing(load):
    late = reported(given="2025-05-15", ended="2024-12-31")
    load(REPORTS, LATEST, late)
    load(SHORT, short())
    assert lapse() == (date(2026, 5, 31), "report_missing")
    load(REPORTS, LATEST, reported())
    assert lapse() == (None, "")
    assert Provider.objects.get(organisation__siret=SIRET).last_exercise_ended_on == date(2025, 12, 31)


FAULTS = {
    "no siret": (short(siret=""), "le SIRET manque"),
    "siret of a spreadsheet": (short(siret="7,32829E+13"), "n'a pas 14 chiffres"),
    "placeholder siret": (short(siret=making.BAD_SIRET), "« 12312312300000 » n'existe pas"),
    "no name": (short(name=" "), "la dénomination manque"),
    "placeholder number": (short(number="99999999999"), "numéro d'attente"),
    "qualiopi": (short(qualiopi="peut-être"), "ni Oui ni Non"),
    "twice": (short(OTHER_SIRET), "est déjà dans le fichier, ligne 2"),
    "too many cells": (short() + ";x", "plus de cellules"),
}


@pytest.mark.parametrize(("bad", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_row_is_refused_with_its_line_and_no_other(load, bad, reason):
    report = load(SHORT, short(OTHER_SIRET, "Bon"), "", bad)
    assert counts(report) == (2, 1, 0, 0, 1)
    [finding] = report.of(Verdict.REFUSED)
    assert finding.line == 4 and reason in finding.reason
    assert Provider.objects.get().organisation.name == "Bon"


def test_a_number_without_its_11_digits_is_left_out_with_a_remark(load):
    report = load(SHORT, short(number="8469123456"))
    assert Provider.objects.get().activity_number == ""
    assert "« 8469123456 »" in report.of(Verdict.REMARK)[0].reason


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('=HYPERLINK("http://x")', 'HYPERLINK("http://x")'),
        ("=1+1", "1+1"),
        ("+CMD|' /C calc'!A0", "CMD|' /C calc'!A0"),
        ("@SUM(A1)", "SUM(A1)"),
        ("@LEARN", "@LEARN"),
        ("+ DE COMPÉTENCES", "+ DE COMPÉTENCES"),
        ("Pont & Fils = bien", "Pont & Fils = bien"),
    ],
)
def test_a_formula_is_made_inert_and_a_name_is_not_touched(written, kept):
    assert providers.inert(written) == kept


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"UAI;nom;ville\n1;2;3\n", "Ligne 1 : Les colonnes ne sont pas celles"),
        (b"Siret;Raison sociale\n1;2\n", "Ligne 1 : Les colonnes ne sont pas celles"),
        (f"{SHORT}\n".encode(), "ne contient aucun organisme"),
    ],
)
def test_another_list_is_unusable(tmp_path, at, content, sentence):
    with pytest.raises(Unusable, match=sentence):
        providers.run(making.put(tmp_path, content, "a.csv"), at=at)


def test_queries_do_not_grow_with_the_rows(load):
    def siret(n):
        siren = f"{n:08}" + luhn.calc_check_digit(f"{n:08}")
        return f"{siren}0001" + luhn.calc_check_digit(f"{siren}0001")

    def queries(first, count):
        with CaptureQueriesContext(connection) as captured:
            load(SHORT, *(short(siret(n)) for n in range(first, first + count)))
        return len(captured)

    assert queries(1000, 1) == queries(2000, 300)


# --- An index of LHEO ---------------------------------------------------------------------------------

INDEX = """<?xml version="1.0" encoding="UTF-8"?>
<lheo-index xmlns="{namespace}">
<resumes-offres><resume-offre numero="1"><intitule-formation>Soudeur</intitule-formation></resume-offre>
<resume-offre numero="2"/></resumes-offres>
<resumes-organismes>
{organisations}
</resumes-organismes></lheo-index>
"""


def summary(siret=SIRET, name="École du Pont", number="84691234567"):
    return (
        f"<resume-organisme><nom-organisme>{name}</nom-organisme><raison-sociale>Pont SARL</raison-sociale>"
        f"<SIRET>{siret}</SIRET><numero-activite>{number}</numero-activite></resume-organisme>"
    )


@pytest.fixture
def load_index(tmp_path, at):
    def load_index(*organisations, namespace="http://lheo.gouv.fr/2.3"):
        content = INDEX.format(namespace=namespace, organisations="\n".join(organisations)).encode()
        return providers.run(making.put(tmp_path, content, "index.xml"), at=at)

    return load_index


def test_an_index_of_lheo_gives_names_and_numbers_and_leaves_its_offers(load_index):
    report = load_index(summary(), summary(OTHER_SIRET, name=""))
    assert counts(report) == (2, 2, 0, 0, 0)
    provider = Provider.objects.get(organisation__siret=SIRET)
    assert (provider.organisation.name, provider.activity_number) == ("École du Pont", "84691234567")
    assert kinds(provider) == (False,) * 4, "it says nothing of Qualiopi"
    assert Provider.objects.get(organisation__siret=OTHER_SIRET).organisation.name == "Pont SARL"
    [remark] = report.of(Verdict.REMARK)
    assert remark.reason.startswith("Offres résumées par l'index, laissées de côté : 2.")
    assert counts(load_index(summary(), summary(OTHER_SIRET, name=""))) == (2, 0, 0, 2, 0)


def test_an_index_takes_no_certificate_away(load, load_index):
    load(SHORT, short())
    load_index(summary(name="Nouveau nom"))
    assert kinds(Provider.objects.get()) == (True, False, False, False)
    assert Organisation.objects.get().name == "Nouveau nom"


def test_a_bad_summary_is_refused_alone_with_its_line(load_index):
    report = load_index(summary(making.BAD_SIRET), summary(), summary(), summary(number="99999999999"))
    assert counts(report) == (4, 1, 0, 0, 3)
    assert [finding.line for finding in report.of(Verdict.REFUSED)] == [6, 8, 9]


@pytest.mark.parametrize(
    ("organisations", "namespace", "sentence"),
    [
        ((), "http://lheo.gouv.fr/2.3", "ne contient aucun organisme"),
        ((summary(),), "http://lheo.gouv.fr/1.3.0", "n'est pas de LHEO 2.2 ou 2.3"),
    ],
)
def test_an_index_that_is_none_is_refused_whole(load_index, organisations, namespace, sentence):
    with pytest.raises(Unusable, match=sentence):
        load_index(*organisations, namespace=namespace)

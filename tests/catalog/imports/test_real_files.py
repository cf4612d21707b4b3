"""The real extracts: what the importers make of files that we did not write."""

import datetime
from zoneinfo import ZoneInfo

import pytest

import rulebook
from catalog.imports import offers, providers, rncp, towns
from catalog.imports.report import Verdict
from catalog.models import Certification, CertificationBlock, Habilitation, Offer, Provider, Session
from rulebook import workdays
from tests.catalog.imports import making
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import ProviderFactory

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 22)
AT = datetime.datetime(2026, 11, 22, 10, tzinfo=ZoneInfo("Europe/Paris"))

CERTIFIER_OF_RNCP40344 = "52875765100013"
CERTIFIER_OF_RS6604 = "79279132900016"


@pytest.fixture
def registers(shared_data):
    """Imports both extracts, at the moment of these tests."""

    def load():
        return [
            rncp.run(shared_data / "rncp" / f"export_fiches_{name}_V4_1_2026-08-16_extrait.xml.gz", at=AT)
            for name in ("RNCP", "RS")
        ]

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


def test_both_registers(registers):
    assert [counts(report) for report in registers()] == [(8, 8, 0, 0, 0), (5, 5, 0, 0, 0)]
    assert Certification.objects.count() == 13
    assert Habilitation.objects.exclude(role="CERTIFICATEUR").count() == 639 + 31
    assert Habilitation.objects.filter(role="CERTIFICATEUR").count() == 15
    assert CertificationBlock.objects.filter(certification="RNCP40344").exists()
    assert [counts(report) for report in registers()] == [(8, 0, 0, 8, 0), (5, 0, 0, 5, 0)]


def test_three_certifications_have_ended_since_the_extract(registers):
    registers()
    active = set(Certification.objects.active_on(DAY).values_list("code", flat=True))
    on_the_day_of_the_file = set(
        Certification.objects.active_on(datetime.date(2026, 8, 16)).values_list("code", flat=True)
    )
    assert on_the_day_of_the_file - active == {"RNCP35809", "RNCP35959", "RS5568"}
    assert len(active) == 8
    assert not Certification.objects.filter(withdrawn=True).exists()


def test_the_official_example_as_given_has_four_refusals_that_name_its_placeholder(registers, shared_data):
    registers()
    towns.load()
    report = offers.run(shared_data / "edof" / "Exemple_de_catalogue_a_importer_v7r0.xml", at=AT)
    assert (report.read, report.created, report.refused) == (4, 0, 4)
    found = report.of(Verdict.REFUSED)
    assert [finding.line for finding in found] == [152, 314, 469, 624]
    assert all("« 12312312300000 »" in finding.reason for finding in found)
    assert not Offer.objects.exists()


def entitled_copy(shared_data, folder, siret):
    content = (shared_data / "edof" / "Exemple_de_catalogue_a_importer_v7r0.xml").read_bytes()
    return making.put(folder, content.replace(b"12312312300000", siret.encode()))


@pytest.mark.parametrize(
    ("siret", "hidden"), [(CERTIFIER_OF_RNCP40344, "RS6604"), (CERTIFIER_OF_RS6604, "RNCP40344")]
)
def test_a_copy_with_an_entitled_siret_shows_what_the_rules_open(
    registers, shared_data, tmp_path, siret, hidden
):
    registers()
    towns.load()
    ProviderFactory(
        organisation=OrganisationFactory(siret=siret), qualiopi_skills_review=True, qualiopi_vae=True
    )
    path = entitled_copy(shared_data, tmp_path, siret)
    report = offers.run(path, at=AT)
    assert (report.read, report.created, report.refused, report.hidden) == (4, 4, 0, 1)
    [finding] = report.of(Verdict.HIDDEN)
    assert f"n’est pas habilité pour la certification {hidden}" in finding.reason
    rules = rulebook.on(workdays.paris_day(AT))
    visible = set(Offer.objects.open_on(DAY, rules).values_list("training_number", flat=True))
    assert len(visible) == 3 and not any(number.startswith(hidden) for number in visible)
    offer = Offer.objects.get(training_number="RNCP40344_VETO2027")
    assert (offer.price_cents, offer.hours, offer.town_id) == (60060, 21, "91330")
    assert offer.block_codes == [f"RNCP40344BC0{n}" for n in (1, 2, 3, 4)]
    assert Session.objects.filter(starts_on=datetime.date(2027, 1, 1)).count() == 4
    again = offers.run(path, at=AT)
    assert (again.created, again.updated, again.unchanged, again.hidden) == (0, 0, 4, 1)


def test_without_its_qualiopi_kinds_the_review_and_the_vae_are_hidden(registers, shared_data, tmp_path):
    registers()
    towns.load()
    ProviderFactory(organisation=OrganisationFactory(siret=CERTIFIER_OF_RNCP40344))
    report = offers.run(entitled_copy(shared_data, tmp_path, CERTIFIER_OF_RNCP40344), at=AT)
    assert sorted("Qualiopi" in finding.reason for finding in report.of(Verdict.HIDDEN)) == [
        False,
        True,
        True,
    ]


def test_the_list_of_organisations(shared_data):
    path = shared_data / "organismes" / "organismes_nda_qualiopi_2023.csv.gz"
    report = providers.run(path, at=AT)
    assert report.read == 2199 and report.created == 2199 - report.refused
    assert {finding.reason.split(" ")[0] for finding in report.of(Verdict.REFUSED)} == {"la", "le"}
    assert Provider.objects.filter(qualiopi_training=True).count() > 1400
    assert not Provider.objects.filter(qualiopi_vae=True).exists()
    again = providers.run(path, at=AT)
    assert counts(again)[1:4] == (0, 0, report.created)

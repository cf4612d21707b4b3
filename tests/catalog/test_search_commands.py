"""`manage.py search`, `certification` and `reindex`; and the judged queries over the real files."""

import datetime
import json
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from catalog import finding, words
from catalog.imports import certifications, nomenclatures
from catalog.management.commands.certification import facts
from catalog.models import Certification, CertificationIndex, Succession
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    TownFactory,
    in_days,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(capsys):
    def run(command, *arguments):
        call_command(command, *arguments, skip_checks=True)
        return capsys.readouterr().out

    return run


@pytest.fixture
def luthiers():
    """An ended certification, its successor, and an offer of it in Lyon."""
    old = CertificationFactory(number=90, title="Luthier", ended=True)
    new = CertificationFactory(number=91, title="Luthier d'art")
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    words.reindex()
    words.refresh()
    offer = OfferFactory(
        title="Facture de violons", certification=new, town=TownFactory(), price_cents=150_000
    )
    return old, new, offer


# --- search ---------------------------------------------------------------------------------------


def test_certifications_and_offers_in_json(run, luthiers):
    _old, _new, offer = luthiers
    answer = json.loads(run("search", "luthier", "--json"))
    assert [(one["code"], one["title"]) for one in answer["certifications"]] == [
        ("RNCP91", "Luthier d'art"),
        ("RNCP90", "Luthier"),
    ]
    scores = [one["score"] for one in answer["certifications"]]
    assert scores == sorted(scores, reverse=True) and scores[1] > 0
    assert [one["active"] for one in answer["certifications"]] == [True, False]
    assert answer["certifications"][1]["replaced_by"] == ["RNCP91"]
    assert [(one["id"], one["certification"], one["town"]) for one in answer["offers"]] == [
        (str(offer.pk), "RNCP91", "Lyon")
    ]
    assert answer["total"] == 3 and answer["totals"] == {"certifications": 2, "offers": 1}


def test_in_words(run, luthiers):
    assert run("search", "luthier").splitlines() == [
        "Certifications : 2",
        "  RNCP91 · Luthier d'art (active)",
        "  RNCP90 · Luthier (terminée → RNCP91)",
        "Offres : 1",
        f"  Facture de violons · {luthiers[2].provider.organisation.name} · Lyon · 1\u202f500,00\u00a0€",
    ]
    assert "Rien ne répond" in run("search", "zzyzx")


def test_near_a_town_and_no_more_than_asked(run, luthiers):
    TownFactory(code="29019", name="Brest", latitude=48.4, longitude=-4.5)
    near = json.loads(run("search", "luthier", "--near", "Lyon", "--radius", "20", "--limit", "1", "--json"))
    assert len(near["certifications"]) == 1 and near["offers"][0]["distance_km"] == 0
    assert json.loads(run("search", "luthier", "--near", "Brest", "--json"))["offers"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--near", "Nulle-Part"], "Commune inconnue"),
        (["--limit", "0"], "de 1 à 100"),
        (["--radius", "9999"], "de 1 à 500"),
    ],
)
def test_options_out_of_range_are_refused_in_words(run, options, words):
    with pytest.raises(CommandError, match=words):
        run("search", "luthier", *options)


@pytest.mark.parametrize(
    "typed", ["", "\0", "a" * 10_000, "mot " * 2_500, "'\"&|!(:*", "<b>é</b>", "😀", "--"]
)
def test_whatever_is_typed_it_answers(run, luthiers, typed):
    answer = json.loads(run("search", "--json", "--", typed))
    assert set(answer) >= {"certifications", "offers", "total"}


# --- certification --------------------------------------------------------------------------------


def test_status_and_successor_of_a_number(run, luthiers):
    assert "non active" in run("certification", "90") and "remplacée par RNCP91" in run(
        "certification", "RNCP90"
    )
    [told] = json.loads(run("certification", "rncp 91", "--json"))
    assert (told["code"], told["active"], told["replaced_by"]) == ("RNCP91", True, [])
    [later] = json.loads(run("certification", "91", "--on", in_days(366).isoformat(), "--json"))
    assert later["active"] is False


def test_whether_an_organisation_is_entitled(run, luthiers):
    _old, new, offer = luthiers
    siret = offer.provider.organisation.siret
    [told] = json.loads(run("certification", "91", "--siret", siret, "--json"))
    assert (told["entitled"], told["roles"]) == (True, ["examine", "train"])
    [told] = json.loads(run("certification", "91", "--siret", "0" * 14, "--json"))
    assert (told["entitled"], told["roles"]) == (False, [])
    HabilitationFactory(certification=new, siret="1" * 14, is_active=False)
    HabilitationFactory(certification=new, siret="2" * 14, active_from=in_days(1))
    for other in ("1" * 14, "2" * 14):
        assert "aucune habilitation" in run("certification", "91", "--siret", other)


@pytest.mark.parametrize("typed", ["RNCP4", "luthier", "", "'"])
def test_a_number_that_is_none(run, luthiers, typed):
    with pytest.raises(CommandError, match="Aucune certification"):
        run("certification", typed)
    with pytest.raises(CommandError, match="n'est pas une date"):
        run("certification", "91", "--on", "demain")


# --- reindex --------------------------------------------------------------------------------------


def test_everything_can_be_indexed_again(run, luthiers):
    CertificationIndex.objects.all().delete()
    assert run("reindex") == "Certifications changées : 2. Offres changées : 0. Suggestions : 3.\n"
    assert run("reindex") == "Certifications changées : 0. Offres changées : 0. Suggestions : 3.\n"
    assert finding.find_certifications("luthier", on=in_days(0))


# --- The judged queries, over the real files ------------------------------------------------------

AT = datetime.datetime(2026, 11, 22, 10, tzinfo=ZoneInfo("Europe/Paris"))
DAY = AT.date()
NOMENCLATURES = (
    "nomenclatures/rome_codes_v460.csv.gz",
    "nomenclatures/rome_appellations_v4_2024-10.csv.gz",
    "nomenclatures/formacodes-v14.csv.gz",
    "nomenclatures/nsf_categorie.csv",
    "nomenclatures/nsf_domaine.csv",
    "nomenclatures/nsf_groupe.csv",
    "nomenclatures/nsf_lheo-dict.xml",
    "nomenclatures/rome_secteurs_v460.json.gz",
    "recherche/lba_search-synonyms.json.gz",
)
CERTIFICATIONS = (
    "rncp/export_fiches_RNCP_V4_1_2026-08-16_extrait.xml.gz",
    "rncp/export_fiches_RS_V4_1_2026-08-16_extrait.xml.gz",
    "rncp/export-fiches-csv-2024-02-22_extrait.zip",
    "certifications/certif_info_2024-06.csv.gz",
    "rncp/kit_apprentissage_2025-01-31.csv.gz",
)
ROLES = {"former": "train", "evaluer": "examine"}


def test_the_judged_queries_over_the_real_files(shared_data):
    """One test for all: the files take longer to come in than the queries to be answered."""
    reports = [nomenclatures.run(str(shared_data / name), at=AT) for name in NOMENCLATURES]
    reports += [certifications.run(str(shared_data / name), at=AT) for name in CERTIFICATIONS]
    assert [report.refused for report in reports] == [0] * len(reports)
    judged = json.loads((shared_data / "recherche" / "requetes_jugees_dev.json").read_text())
    held = set(Certification.objects.values_list("code", flat=True))
    missed, skipped = [], []
    for case in judged["search"]:
        if not held.intersection(case["expect"]):
            skipped.append(case["query"])
            continue
        five = [one.code for one in finding.find_certifications(case["query"], on=DAY, limit=5)]
        if not set(five).intersection(case["expect"]):
            missed.append((case["query"], five))
    assert (missed, skipped) == ([], [])
    for case in judged["validity"]:
        [told] = facts(case["numero"], siret=None, on=DAY)
        assert told["active"] is case["actif"], case
        assert set(told["replaced_by"]) >= set(case.get("remplacee_par", ())), case
    for case in judged["habilitation"]:
        [told] = facts(case["numero"], siret=case["siret"], on=DAY)
        assert told["entitled"] is case["habilite"], case
        assert set(told["roles"]) == {ROLES[role] for role in case.get("roles", ())}, case

"""The open data of the national portal: prices to compare with, in both headers."""

import datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.imports import nightly, open_catalogue
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import MarketPrice, Offer
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET

pytestmark = pytest.mark.django_db

_RECENT = """
    date_chargement nom_of nom_departement nom_region type_referentiel code_rs code_rncp
    intitule_certification libelle_niveau_sortie_formation code_formacode_1 code_rome_1 code_nsf_1
    code_certifinfo siret_of numero_formation intitule_formation points_forts nb_action
    nb_session_active nb_session_a_distance nombre_heures_total_min nombre_heures_total_max
    nombre_heures_total_mean frais_ttc_tot_min frais_ttc_tot_max frais_ttc_tot_mean code_departement
    code_region nbaction_nbheures coderegion_export"""
RECENT = _RECENT.split()
OLDER = [
    {"date_chargement": "date_extract", "code_rs": "code_inventaire", "siret_of": "siret"}.get(name, name)
    for name in RECENT
    if name not in {"code_rome_1", "points_forts"}
]
USUAL = {
    "date_chargement": "2026-10-01", "date_extract": "01/10/2026", "type_referentiel": "RNCP",
    "code_rncp": "37674", "siret_of": SIRET, "siret": SIRET, "numero_formation": "F-1",
    "intitule_formation": "Assistante de direction", "nombre_heures_total_mean": "399.6666666",
    "frais_ttc_tot_min": "3000", "frais_ttc_tot_max": "4000.5", "frais_ttc_tot_mean": "3333.3333333333335",
    "code_departement": "69",
}  # fmt: skip


def extract(*lines, header=RECENT, **only) -> bytes:
    rows = [
        ";".join((USUAL | line).get(name, "") for name in header)
        for line in (*lines, *([only] if only else []))
    ]
    return "".join(f"{row}\n" for row in (";".join(header), *rows)).encode()


@pytest.fixture
def load(tmp_path, at):
    def load(content, **options):
        return open_catalogue.run(making.put(tmp_path, content, "extrait.csv"), at=at, **options)

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused


@pytest.mark.parametrize("header", [RECENT, OLDER], ids=["recent", "older"])
def test_a_row_becomes_a_price_in_both_headers_and_again_changes_nothing(load, header):
    content = extract(
        {},
        {"code_departement": "2A", "code_rncp": "", "code_rs": "6604", "code_inventaire": "6604"},
        header=header,
    )
    assert counts(load(content)) == (2, 2, 0, 0, 0)
    assert MarketPrice.objects.values_list("code", "department").get(department="2A") == ("RS6604", "2A")
    kept = MarketPrice.objects.get(code="RNCP37674")
    assert (kept.siret, kept.training_number, kept.department) == (SIRET, "F-1", "69")
    assert (kept.hours, kept.price_cents, kept.lowest_cents, kept.highest_cents) == (
        400,
        333_333,
        300_000,
        400_050,
    )
    assert (kept.observed_on, kept.title) == (datetime.date(2026, 10, 1), "Assistante de direction")
    assert counts(load(content)) == (2, 0, 0, 2, 0)
    assert not Offer.objects.exists()


def test_a_later_extract_rewrites_and_leaves_what_it_does_not_hold(load):
    load(extract({}, {"siret_of": OTHER_SIRET}))
    later = extract(date_chargement="2026-11-01", frais_ttc_tot_mean="2999,995")
    assert counts(load(later)) == (1, 0, 1, 0, 0)
    assert sorted(MarketPrice.objects.values_list("price_cents", flat=True)) == [300_000, 333_333]


def test_what_certifies_nothing_is_counted_in_one_remark(load):
    report = load(extract({}, {"code_rncp": "-1"}, {"code_rncp": ""}))
    assert counts(report) == (3, 1, 0, 0, 0)
    [remark] = report.of(Verdict.REMARK)
    assert remark.reason == "Lignes sans numéro RNCP ni RS, laissées de côté : 2."


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"siret_of": making.BAD_SIRET}, "n'existe pas"),
        ({"siret_of": SIRET + "1"}, "pas 14 chiffres"),
        ({"code_rncp": "RNCPX"}, "n'est pas un numéro du répertoire RNCP"),
        ({"frais_ttc_tot_mean": "gratuit"}, "price : « gratuit » n'est pas un nombre"),
        ({"frais_ttc_tot_mean": "-5"}, "« -5 » est négatif"),
        ({"frais_ttc_tot_mean": "99999999999"}, "trop grand"),
        ({"frais_ttc_tot_mean": ""}, "le prix moyen ou la date"),
        ({"date_chargement": "2026-13-40"}, "n'est pas une date"),
        ({"date_chargement": ""}, "le prix moyen ou la date"),
        ({"nombre_heures_total_mean": "99999999"}, "dépasse 99999 heures"),
        ({"code_departement": "Rhône"}, "n'est pas un département"),
        ({"numero_formation": ""}, "le numéro de la formation manque"),
        ({"numero_formation": "F-0"}, "est déjà dans le fichier, ligne 2"),
    ],
)
def test_a_bad_row_is_refused_alone_with_its_line(load, bad, reason):
    report = load(extract({"numero_formation": "F-0"}, bad, {"numero_formation": "F-2"}))
    assert counts(report) == (3, 2, 0, 0, 1)
    [finding] = report.of(Verdict.REFUSED)
    assert finding.line == 3 and reason in finding.reason


def test_more_cells_than_columns_are_refused(load):
    report = load(extract({}) + b";" * 40 + b"x\n")
    assert counts(report) == (2, 1, 0, 0, 1)
    assert "plus de cellules" in report.of(Verdict.REFUSED)[0].reason


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a;b\n1;2\n", "pas celles du catalogue ouvert de Mon Compte Formation : il manque date_chargement"),
        (extract(), "ne contient aucune formation"),
        (b"<lheo/>", "doit nommer les colonnes"),
    ],
)
def test_another_file_is_refused_whole(load, content, sentence):
    with pytest.raises(Unusable, match=sentence):
        load(content)
    assert not MarketPrice.objects.exists()


def test_queries_grow_with_the_lots_and_not_with_the_rows(load):
    def queries(count):
        with CaptureQueriesContext(connection) as caught:
            load(extract(*({"numero_formation": f"F-{n}"} for n in range(count))), dry_run=True)
        return len(caught)

    assert queries(3) == queries(90)


def test_the_command_tells_in_french(tmp_path, capsys):
    call_command("import_open_catalogue", making.put(tmp_path, extract({}), "a.csv"))
    assert "(formations) : lus 1, créés 1" in capsys.readouterr().out


def test_the_night_knows_the_file_by_its_name(tmp_path, at):
    making.put(tmp_path, extract({}, {"siret_of": OTHER_SIRET}), "moncompteformation_catalogueformation.csv")
    assert nightly.import_folder(tmp_path, at=at) == {"moncompteformation_catalogueformation.csv": "imported"}
    assert MarketPrice.objects.count() == 2

"""`manage.py import_statements`: what it keeps, what it refuses and on which line, what a second run does."""

import io
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import nir
from accounts.actors import SYSTEM
from rights import crediting_year
from rights.kinds import Measure, WorkStatus
from rights.models import Pocket, YearlyStatement
from tests.factories.accounts import HolderFactory, a_siret, an_nir

pytestmark = pytest.mark.django_db
HEADER = "reference;year;employer_siret;status;hours;starts_on;ends_on"
SIRET, OTHER_SIRET = a_siret(1), a_siret(2)


@pytest.fixture
def elodie():
    return HolderFactory(reference="R-1", activated=False)


@pytest.fixture
def karim():
    return HolderFactory(reference="R-2")


@pytest.fixture
def run(tmp_path):
    def run(*lines, content=None, **options):
        file = tmp_path / "declarations.csv"
        file.write_bytes("\n".join(lines).encode() if content is None else content)
        told, refused = io.StringIO(), io.StringIO()
        call_command("import_statements", file, stdout=told, stderr=refused, no_color=True, **options)
        return said(told.getvalue()), said(refused.getvalue())

    return run


def said(text):
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def line(reference="R-1", year=2025, siret=SIRET, status="private", hours="1607", start="", end=""):
    return f"{reference};{year};{siret};{status};{hours};{start};{end}"


def counting():
    return YearlyStatement.objects.filter(superseded_at__isnull=True).order_by("id")


# --- What is kept ---------------------------------------------------------------------------------


def test_statements_are_kept_even_for_somebody_without_a_login(run, elodie, karim):
    told, refused = run(HEADER, line(hours="803,5"), line("R-2", start="2025-01-01", end="30/06/2025"))
    assert "2 déclarations nouvelles, 0 remplacées, 0 inchangées, 0 lignes refusées." in told
    assert refused == ""
    first, second = counting()
    assert (first.holder, first.year, first.worked, first.measure) == (
        elodie,
        2025,
        Decimal("803.50"),
        Measure.HOURS,
    )
    assert str(first.ends_on) == "2025-12-31"
    assert str(second.ends_on) == "2025-06-30"
    assert first.source == "declarations.csv:2"


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("days;reference_days", "60;218", {"measure": "days", "worked": 60, "reference": 218}),
        ("hours;reference_hours", "790;1582", {"measure": "hours", "worked": 790, "reference": 1582}),
        ("pay_euros", "6 000,50", {"measure": "pay_cents", "worked": 600_050}),
        (
            "hours;absences",
            "800;maternity=560 paternity=35,5",
            {"absences": {"maternity": 56_000, "paternity": 3_550}},
        ),
        ("hours;boe", "800;oui", {"boe": True}),
    ],
)
def test_each_way_of_saying_a_year(run, elodie, header, cells, expected):
    run(f"reference;year;employer_siret;status;{header}", f"R-1;2025;{SIRET};private;{cells}")
    statement = counting().get()
    assert {name: getattr(statement, name) for name in expected} == expected


def test_other_statuses(run, elodie, karim):
    told, refused = run(
        "reference;year;employer_siret;status;months;contribution_paid;agreement_euros;hours",
        f"R-1;2024;{SIRET};self_employed;12;non;;",
        "R-1;2023;;artist_author;7;;;",
        "R-1;2022;;job_seeker;;;;",
        f"R-2;2025;{SIRET};seasonal;;;600;700",
        f"R-2;2024;{SIRET};public;7;;;",
    )
    assert "5 déclarations nouvelles" in told, refused
    assert not counting().get(year=2024, holder=elodie).is_paid_up
    assert counting().get(status=WorkStatus.SEASONAL).agreed_cents == 600_00


def test_the_holder_is_found_by_their_number_too(run, settings):
    settings.NIR_AT_ACTIVATION = True
    holder = HolderFactory(reference="R-9")
    number = an_nir(holder.birth_date, sex=holder.sex or "F")
    holder.nir_digest, holder.nir_encrypted = nir.digest(number), nir.encrypt(number)
    holder.save()
    HolderFactory(reference="R-8")
    header = "reference;nir;year;employer_siret;status;hours"
    told, refused = run(
        header,
        f";{number};2025;{SIRET};private;700",
        f"R-9;{number};2024;{SIRET};private;700",
        f"R-8;{number};2025;{SIRET};private;700",
        f";{an_nir(holder.birth_date, order=7)};2025;{SIRET};private;700",
    )
    assert "2 déclarations nouvelles" in told
    assert "Ligne 4 : Le numéro de sécurité sociale n’est pas celui du compte « R-8 »." in refused
    assert "Ligne 5 : Aucun compte n’a ce numéro de sécurité sociale." in refused
    assert number not in told + refused


def test_what_is_imported_is_credited_and_corrected(run, elodie):
    def credit():
        return crediting_year.credit_year(2025, at=timezone.now(), by=SYSTEM)

    run(HEADER, line(hours="1607"))
    credit()
    assert Pocket.objects.get(holder=elodie).balance == 500_00
    run(HEADER, line(hours="700"))
    assert credit().corrected == 1
    assert Pocket.objects.get(holder=elodie).balance == 217_80


# --- Again ----------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(run, elodie):
    run(HEADER, line(hours="803,50"))
    told, _refused = run(HEADER, line(hours="803.5"))
    assert "0 déclarations nouvelles, 0 remplacées, 1 inchangées" in told
    assert YearlyStatement.objects.count() == 1


def test_a_changed_line_supersedes_the_statement_before(run, elodie):
    run(HEADER, line(hours="700"))
    told, _refused = run(HEADER, line(hours="800"))
    assert "0 déclarations nouvelles, 1 remplacées, 0 inchangées" in told
    old, new = YearlyStatement.objects.order_by("id")
    assert old.superseded_at and old.worked == 700
    assert new.superseded_at is None and new.worked == 800
    # And back: what was superseded stays so, a third one counts.
    run(HEADER, line(hours="700"))
    assert counting().get().worked == 700
    assert YearlyStatement.objects.count() == 3


def test_the_same_statement_twice_in_a_file_is_refused_the_second_time(run, elodie):
    told, refused = run(HEADER, line(hours="700"), line(hours="800"))
    assert "1 déclarations nouvelles" in told
    assert "Ligne 3 : La même déclaration (titulaire, année, SIRET, situation) est déjà ligne 2." in refused
    assert counting().get().worked == 700


@pytest.mark.parametrize("people", [1, 3])
def test_a_lot_costs_the_same_queries_however_many_lines(run, people, django_assert_num_queries):
    for n in range(people):
        HolderFactory(reference=f"Q-{n}")
    # A savepoint and its end; the law; the holders; their statements; what is new.
    with django_assert_num_queries(6):
        run(HEADER, *[line(f"Q-{n}") for n in range(people)])


# --- What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (line("R-7"), "Aucun compte n’a la référence « R-7 »."),
        (line(""), "Il manque le titulaire"),
        (line(year=2999), "year : 2999 n’a pas encore commencé."),
        (line(year=2014), "En 2014, le compte n’existait pas encore."),
        (line(year="25"), "year : « 25 » n’est pas une année."),
        (line(year="٢٠٢٥"), "n’est pas une année."),
        (line(status="astronaut"), "status : « astronaut » n’est pas prévu"),
        (line(siret=""), "il manque le SIRET"),
        (line(siret="12312312300000"), "Ce SIRET n’est pas reconnu."),
        (line(hours=""), "Il manque le temps travaillé"),
        (line(hours="-5"), "hours : « -5 » est négatif."),
        (line(hours="beaucoup"), "hours : « beaucoup » n’est pas un nombre"),
        (line(hours="1e3"), "n’est pas un nombre"),
        (line(hours="٧"), "n’est pas un nombre"),
        (line(hours="7,555"), "n’est pas un nombre"),
        (line(hours="8785"), "Une année ne compte pas plus de 8 784 h."),
        (line(hours="800", end="2025-01-31"), "800 h : la période déclarée n’en compte que 744 h."),
        (line(status="self_employed"), "ne se compte pas en heures, mais en : mois."),
        (line(status="self_employed", year=2017, hours=""), "Il manque le temps travaillé"),
        (line(start="2024-12-31"), "la période est dans l’année 2025"),
        (line(end="2026-01-01"), "la période est dans l’année 2025"),
        (line(start="2025-06-02", end="2025-06-01"), "la fin précède le début"),
        (line(start="hier"), "starts_on : « hier » n’est pas une date."),
        (line("=R-1"), "une formule de tableur"),
        (line() + ";x", "8 cellules au lieu de 7."),
        ('"R-1', "Un guillemet n’est pas fermé."),
        ("R-1\x00", "Un caractère nul s’y trouve."),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_the_rest_goes_in(run, elodie, karim, bad, sentence):
    told, refused = run(HEADER, line("R-2"), bad, line("R-2", year=2024))
    assert refused.startswith("Ligne 3 : ") and sentence in refused, refused
    assert "2 déclarations nouvelles, 0 remplacées, 0 inchangées, 1 lignes refusées." in told
    assert {statement.holder for statement in counting()} == {karim}


@pytest.mark.parametrize(
    ("header", "cells", "sentence"),
    [
        ("hours;days", "7;7", "Un seul de : hours, days."),
        ("hours;pay_euros", "7;7", "Un seul de : hours, pay_euros."),
        ("days;reference_hours", "7;1607", "dans la même unité"),
        ("hours;reference_hours", "7;0", "La durée de référence d’une année"),
        ("hours;absences", "7;holidays=3", "absences : « holidays=3 » ne convient pas"),
        ("hours;absences", "7;maternity=3 maternity=4", "ne convient pas"),
        ("hours;absences", "8000;maternity=800", "Travail et absences font ensemble plus de"),
        ("pay_euros;absences", "7;maternity=3", "en heures ou en jours"),
        ("pay_euros", "100000001", "plus de 100 000 000,00 €"),
        ("pay_euros", "-3", "est négatif"),
        ("hours;boe", "7;peut-être", "boe : oui ou non."),
        ("hours;agreement_euros", "7;99999", "plus de 10 000,00 €"),
        ("months", "12,5", "ne se compte pas en mois"),
    ],
)
def test_amounts_that_make_no_sense_are_refused(run, elodie, header, cells, sentence):
    _told, refused = run(
        f"reference;year;employer_siret;status;{header}", f"R-1;2025;{SIRET};private;{cells}"
    )
    assert refused.startswith("Ligne 2 : ") and sentence in refused, refused
    assert not counting().exists()


def test_a_status_without_rule_that_year_is_refused_at_once(run, elodie):
    _told, refused = run("reference;year;employer_siret;status;months", f"R-1;2017;{SIRET};self_employed;12")
    assert "En 2017, aucune règle" in refused


# --- Two statuses at once ---------------------------------------------------------------------------


def test_two_statuses_in_the_same_month_are_refused_in_one_file_and_from_one_to_the_next(run, elodie):
    first = line(end="2025-06-30")
    seasonal = line(siret=OTHER_SIRET, status="seasonal", hours="300", start="2025-06-15")
    sentence = f"En juin 2025, « Salarié du privé » est déjà déclaré ({SIRET})."
    _told, refused = run(HEADER, first, seasonal)
    assert "Ligne 3 : " + sentence in refused
    _told, refused = run(HEADER, seasonal)
    assert "Ligne 2 : " + sentence in refused
    assert counting().get().status == WorkStatus.PRIVATE


def test_one_status_after_the_other_and_one_status_twice_are_fine(run, elodie):
    told, refused = run(
        HEADER,
        line(end="2025-06-30", hours="800"),
        line(siret=OTHER_SIRET, end="2025-03-31", hours="200"),
        line(siret=OTHER_SIRET, status="seasonal", hours="300", start="2025-07-01"),
    )
    assert "3 déclarations nouvelles" in told, refused


def test_a_wrong_status_is_corrected_by_declaring_none_of_it_first(run, elodie):
    run(HEADER, line(status="temp"))
    _told, refused = run(HEADER, line(status="private"))
    assert "déclarez d’abord 0" in refused
    told, refused = run(HEADER, line(status="temp", hours="0"), line(status="private"))
    assert "1 déclarations nouvelles, 1 remplacées" in told, refused


# --- The whole file, or nothing -----------------------------------------------------------------------


def test_a_dry_run_says_the_same_and_keeps_nothing(run, elodie):
    told, refused = run(HEADER, line(), line("R-7"), dry_run=True)
    assert "1 déclarations nouvelles, 0 remplacées, 0 inchangées, 1 lignes refusées." in told
    assert "Essai seulement : rien n’a été écrit." in told
    assert refused
    assert not counting().exists()


def test_all_or_nothing_keeps_nothing_of_a_file_with_one_bad_line(run, elodie, capsys):
    with pytest.raises(CommandError, match="rien n’a été gardé"):
        run(HEADER, line(), line("R-7"), all_or_nothing=True)
    assert not counting().exists()
    told, _refused = run(HEADER, line(), all_or_nothing=True)
    assert "1 déclarations nouvelles" in told
    assert counting().count() == 1


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([""], "vide"),
        (["year;status", "2025;private"], "il faut reference ou nir"),
        (["reference;status", "R-1;private"], "colonnes absentes : year"),
        (["reference;year;status;colour", "R-1;2025;private;blue"], "colonnes inconnues : colour"),
        (["reference,year,status", "R-1,2025,private"], "points-virgules"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(run, lines, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*lines)


def test_another_encoding_is_refused_whole(run):
    with pytest.raises(CommandError, match="pas en UTF-8"):
        run(content=f"{HEADER}\nR-1;é".encode("latin-1"))

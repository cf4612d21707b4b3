"""`manage.py simulate_rights`: JSON lines in, JSON lines out, in order, without a database."""

import json
import os
import subprocess
import sys
from datetime import date
from functools import cache

import pytest

from rights import simulation
from rulebook import loading
from tests.conftest import ROOT

ROWS = loading.read()
THIS_YEAR = 2026
NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


@cache
def rules_of(year):
    return loading.crediting_rules_in_file(date(year, 12, 31), rows=ROWS)


def answer(said):
    line = said if isinstance(said, bytes) else json.dumps(said).encode()
    return simulation.answer(line, rules_of=rules_of, this_year=THIS_YEAR)


def situation(status="private", year=2025, **more):
    return {"status": status, "year": year, **more}


# Number of the handbook's example → what is asked, then credit, lost and cap.
EXAMPLES = {
    1: (situation(hours=1607), (50_000, 0, 500_000)),
    2: (situation(hours=803.5), (50_000, 0, 500_000)),
    3: (situation(hours=803.5, reference_hours=1607), (50_000, 0, 500_000)),
    4: (situation(hours=401.75), (12_500, 0, 500_000)),
    5: (situation(hours=803), (24_985, 0, 500_000)),
    6: (situation(hours=700), (21_780, 0, 500_000)),
    7: (situation(hours=100), (3_112, 0, 500_000)),
    8: (situation(hours=790, reference_hours=1582), (24_969, 0, 500_000)),
    9: (situation(hours=791, reference_hours=1582), (50_000, 0, 500_000)),
    10: (situation(days=60), (13_762, 0, 500_000)),
    11: (situation(pay_cents=600_000), (12_141, 0, 500_000)),
    12: (situation(hours=1607, low_qualified=True), (80_000, 0, 800_000)),
    13: (situation(hours=700, low_qualified=True), (34_848, 0, 800_000)),
    14: (situation(hours=401.75, boe=True), (42_500, 0, 800_000)),
    15: (situation("esat", hours=600), (80_000, 0, 800_000)),
    16: (situation("self_employed", months=7), (29_167, 0, 500_000)),
    17: (situation("public", months=12, balance_hours=125), (25, 0, 150)),
    21: (situation(hours=1607, balance_cents=480_000), (20_000, 30_000, 500_000)),
    22: (situation(hours=1607, balance_cents=500_000), (0, 50_000, 500_000)),
    23: (situation(hours=1607, boe=True, balance_cents=480_000), (80_000, 0, 800_000)),
    24: (situation(hours=1607, balance_cents=500_000), (0, 50_000, 500_000)),
}


@pytest.mark.parametrize("number", EXAMPLES)
def test_the_examples_of_the_handbook(number):
    said, expected = EXAMPLES[number]
    found = answer(said)
    unit = "hours" if said["status"].startswith("public") else "cents"
    assert list(found) == [f"credit_{unit}", f"lost_{unit}", f"cap_{unit}", "formula"]
    assert tuple(found.values())[:3] == expected
    assert isinstance(found["formula"], str) and found["formula"]


@pytest.mark.parametrize(
    ("said", "credit"),
    [
        (situation("public_category_c", months=12, balance_hours=400), ("credit_hours", 0)),
        (situation("public", hours=803.5), ("credit_hours", 13)),
        (situation(year=2017, hours=1607, balance_hours=110), ("credit_hours", 17)),
        (situation("self_employed", 2018, months=12), ("credit_cents", 36_000)),
        (situation("artist_author", months=6), ("credit_cents", 25_000)),
        (situation("entertainment", hours=507), ("credit_cents", 15_775)),
        (situation("apprentice", hours=1607), ("credit_cents", 50_000)),
        (situation("seasonal", hours=1607, agreement_cents=60_000), ("credit_cents", 60_000)),
        (situation("retired_reduced_rate", hours=700), ("credit_cents", 21_780)),
        (situation("job_seeker", balance_cents=100), ("credit_cents", 0)),
        (situation("intern", hours=1607), ("credit_cents", 0)),
        (situation("retired_full_rate"), ("credit_cents", 0)),
        (situation("esat"), ("credit_cents", 80_000)),
        (situation(days=109, reference_days=218), ("credit_cents", 50_000)),
        (situation(days=100, reference_days=225), ("credit_cents", 22_936)),  # 218 at most
        (situation(hours=8784), ("credit_cents", 50_000)),
        (situation(hours=0), ("credit_cents", 0)),
        (situation(year=THIS_YEAR, hours=1607), ("credit_cents", 50_000)),
    ],
)
def test_every_status_has_its_answer(said, credit):
    assert credit in answer(said).items()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "vide"),
        (b"   ", "vide"),
        (b"[", "pas du JSON"),
        (b"[" * 9000, "pas du JSON"),
        (b"[1]", "objet JSON"),
        (b"null", "objet JSON"),
        (b"\xff", "UTF-8"),
        (b" " * 10_001, "plus de 10000 octets"),
        (b'{"status": "private", "year": 2025, "hours": 1, "hours": 2}', "deux fois : « hours »"),
        (b'{"status": "private", "year": 2025, "hours": NaN}', "« NaN » n’est pas un nombre"),
        (b'{"status": "private", "year": 2025, "hours": Infinity}', "« Infinity » n’est pas un nombre"),
        (b'{"status": "private", "year": 2025, "hours": 1e999}', "n’est pas possible"),
        (b'{"status": "private", "year": 2025, "hours": 1e99999999999999999999}', "pas du JSON"),
        (b'{"status": "private", "year": 2025, "hours": 1e-999}', "6 décimales au plus"),
        (b'{"status": "private", "year": 2025, "hours": ' + b"9" * 5000 + b"}", "pas du JSON"),
        ({}, "manque la clé « status »"),
        ({"status": "private"}, "manque la clé « year »"),
        (situation("astronaut", hours=1), "« astronaut » n’est pas prévu"),
        (situation(["private"], hours=1), "n’est pas prévu"),
        (situation(hours=1, colour="blue"), "Clé inconnue : « colour »"),
        (situation(year=True, hours=1), "n’est pas une année"),
        (situation(year="2025", hours=1), "n’est pas une année"),
        (situation(year=2025.0, hours=1), "n’est pas une année"),
        (situation(year=0, hours=1), "n’est pas une année"),
        (situation(year=10**30, hours=1), "n’est pas une année"),
        (situation(year=2027, hours=1), "pas encore commencé"),
        (situation(year=2014, hours=1), "n’existait pas encore"),
        (situation("self_employed", 2017, months=1), "aucune règle"),
        (situation(), "manque le temps travaillé"),
        (situation(hours=1, days=1), "Un seul de : hours, days"),
        (situation(hours="7"), "n’est pas un nombre"),
        (situation(hours=True), "n’est pas un nombre"),
        (situation(hours=None), "n’est pas un nombre"),
        (situation(hours=[7]), "n’est pas un nombre"),
        (situation(hours=-1), "négatif"),
        (situation(hours=-0.5), "négatif"),
        (situation(hours=8785), "pas plus de"),
        (situation(days=367), "pas plus de"),
        (situation("self_employed", months=12.1), "pas plus de"),
        (situation("intern", hours=9999), "pas plus de"),
        (situation(pay_cents=10.5), "n’est pas un nombre entier"),
        (situation(pay_cents=-1), "négatif"),
        (situation(pay_cents=10**12), "n’est pas possible"),
        (situation(months=3), "ne se compte pas en mois"),
        (situation("self_employed", hours=3), "ne se compte pas en heures"),
        (situation("public", pay_cents=3), "ne se compte pas en rémunération"),
        (situation(hours=1, reference_hours=0), "durée de référence"),
        (situation(hours=1, reference_hours=-1607), "négatif"),
        (situation(days=1, reference_hours=1607), "reference_hours ne va pas avec days"),
        (situation("self_employed", months=1, reference_hours=1607), "reference_hours ne va pas avec months"),
        (situation(hours=1, low_qualified=1), "ni true ni false"),
        (situation(hours=1, boe="oui"), "ni true ni false"),
        (situation(hours=1, balance_cents=-1), "négatif"),
        (situation(hours=1, balance_cents=1.5), "n’est pas un nombre entier"),
        (situation(hours=1, balance_cents=True), "n’est pas un nombre entier"),
        (situation(hours=1, balance_hours=10), "centimes d’euro"),
        (situation("public", months=1, balance_cents=10), "heures"),
        (situation("public", months=1, balance_hours=1.5), "n’est pas un nombre entier"),
    ],
)
def test_a_line_without_sense_gets_a_french_sentence(said, sentence):
    found = answer(said)
    assert list(found) == ["error"]
    assert sentence in found["error"]


def run(input_bytes):
    return subprocess.run(
        [sys.executable, "manage.py", "simulate_rights"],
        cwd=ROOT,
        env=os.environ | NOWHERE,
        input=input_bytes,
        capture_output=True,
        timeout=120,
    )


def test_the_command_answers_line_by_line_without_a_database():
    """A bad line, an empty one and one too long keep their place; the last one has no line end."""
    lines = [
        json.dumps(EXAMPLES[5][0]).encode(),
        b"{",
        b"",
        b"x" * 50_000,
        b'{"status": "\\ud800", "year": 2025}',
        json.dumps(EXAMPLES[17][0]).encode() + b"\r",
        json.dumps(EXAMPLES[6][0]).encode(),
    ]
    done = run(b"\n".join(lines))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [next(iter(each.items())) for each in found] == [
        ("credit_cents", 24_985),
        ("error", "Cette ligne n’est pas du JSON."),
        ("error", "Cette ligne est vide."),
        ("error", "Ligne de plus de 10000 octets."),
        ("error", found[4]["error"]),
        ("credit_hours", 25),
        ("credit_cents", 21_780),
    ]
    assert "n’est pas prévu" in found[4]["error"]


def test_nothing_in_nothing_out():
    done = run(b"")
    assert (done.returncode, done.stdout) == (0, b"")

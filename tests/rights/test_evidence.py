"""The statement that its holder can verify alone: what it proves, and what it says when it was changed."""

import datetime
import io
import json
import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actors import SYSTEM
from rights import evidence, ledger, proof, seals
from rights.kinds import PocketKind
from rights.models import Movement
from rulebook.workdays import PARIS
from tests.conftest import ROOT
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory
from tests.rights.test_seals import triggers_off

pytestmark = pytest.mark.django_db
URL = "/mes-droits/releve.json"


def paris(day, hour=12):
    return datetime.datetime(2026, 3, day, hour, tzinfo=PARIS)


@pytest.fixture
def holder():
    """Five movements over three days among those of others, the last not sealed yet."""
    holder = HolderFactory(birth_name="Martin", first_names="Élodie")
    CreditFactory(at=paris(1), reason="Motif secret")
    purse = PurseFactory(holder=holder, amount=500_00, at=paris(2), reason="Année 2025")
    CreditFactory(at=paris(2), reason="Motif secret")
    CreditFactory(holder=holder, kind=PocketKind.DIF, amount=70_00, at=paris(2), formula=[("Heures", "4,7")])
    told = {"at": paris(4), "by": SYSTEM, "reason": "Anglais « oral »"}
    reserved = ledger.reserve(lines=[(purse.pk, 120_00)], key="accept:1", **told)
    ledger.release(reserved=reserved, key="release:1", **told)
    for _number in range(5):
        CreditFactory(at=paris(4), reason="Motif secret")
    seals.seal_due(at=paris(5))
    CreditFactory(holder=holder, amount=1_00, at=paris(5))
    return holder


@pytest.fixture
def text(holder):
    return evidence.write(holder, at=paris(5, 15))


def wrong(text):
    with pytest.raises(evidence.Wrong) as refusal:
        evidence.verify(text)
    return refusal.value


def changed(text, change):
    """The file with one of its values changed, and nothing else: laid out as it was."""
    told = json.loads(text)
    lines = text.splitlines()
    row = change(told)
    number = next(at for at, line in enumerate(lines) if line.startswith('"movements": ['))
    lines[number + 1 + row] = json.dumps(told["movements"][row], ensure_ascii=False) + ","
    return "\n".join(lines), number + 2 + row


# --- What it holds ------------------------------------------------------------------------------------


def test_a_statement_agrees_with_itself_and_says_what_it_proves(text, holder):
    verdict = evidence.verify(text)
    assert (verdict.movements, verdict.sealed, verdict.seals) == (5, 4, 3)
    assert verdict.holder == f"Élodie Martin ({holder.reference})"
    assert (verdict.head_day, verdict.head_hash) == (datetime.date(2026, 3, 4), seals.head().hash)


def test_it_holds_every_movement_of_its_holder_and_nothing_of_others(text, holder):
    told = json.loads(text)
    ids = [row["movement"]["id"] for row in told["movements"]]
    mine = Movement.objects.filter(target__holder=holder) | Movement.objects.filter(source__holder=holder)
    assert ids == sorted(mine.values_list("pk", flat=True))
    assert "Motif secret" not in text
    for pocket in Movement.objects.exclude(pk__in=mine.values("pk")).order_by("pk"):
        assert str(pocket.target_id) not in text


def test_its_balances_are_those_of_the_ledger(text, holder):
    told = json.loads(text)
    assert told["balances"] == {str(pocket.pk): pocket.balance for pocket in holder.pockets.order_by("pk")}


def test_a_holder_without_anything_has_a_true_and_empty_statement():
    verdict = evidence.verify(evidence.write(HolderFactory(), at=paris(5)))
    assert (verdict.movements, verdict.seals, verdict.head_day) == (0, 0, None)


def test_before_the_first_seal_the_lines_are_chained_only():
    credit = CreditFactory(at=paris(5))
    verdict = evidence.verify(evidence.write(credit.target.holder, at=paris(5)))
    assert (verdict.movements, verdict.sealed) == (1, 0)


def test_another_layout_of_the_same_json_is_as_true(text):
    for indent in (None, 3):
        assert evidence.verify(json.dumps(json.loads(text), indent=indent)) == evidence.verify(text)


def test_it_costs_six_queries_with_1_and_with_3_of_everything(holder, django_assert_num_queries):
    few = CreditFactory(at=paris(1)).target.holder
    seals.seal_due(at=paris(6))
    for each in (few, holder):
        with django_assert_num_queries(6):
            evidence.write(each, at=paris(6))


# --- What it says when it was changed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", 900_00),
        ("reason", "Autre"),
        ("key", "autre"),
        ("value_date", "2020-01-01"),
        ("recorded_at", "2026-03-02T00:00:00.000000+00:00"),
        ("formula", [["Heures", "1607"]]),
        ("recorded_by_id", 1),
        ("kind", "adjust_up"),
    ],
)
@pytest.mark.parametrize("row", [0, 2])
def test_a_changed_movement_is_named_with_its_line(text, row, name, value):
    def change(told):
        told["movements"][row]["movement"][name] = value
        return row

    forged, line = changed(text, change)
    refusal = wrong(forged)
    assert refusal.line == line
    assert "n’est pas celui qui a été scellé" in refusal.message


def test_a_changed_pocket_is_named_too(text):
    def change(told):
        told["movements"][1]["movement"]["target"]["expires_on"] = "2040-12-31"
        return 1

    forged, line = changed(text, change)
    assert wrong(forged).line == line


def test_a_line_that_is_not_sealed_yet_is_held_by_the_chain(text):
    told = json.loads(text)
    told["movements"][-1]["movement"]["amount"] = 1_000_00
    refusal = wrong(json.dumps(told))
    assert "ne suit pas les précédents" in refusal.message


@pytest.mark.parametrize("row", range(5))
def test_a_line_that_was_taken_out_is_missed(text, row):
    told = json.loads(text)
    del told["movements"][row]
    assert "manque" in wrong(json.dumps(told)).message


def test_two_lines_that_changed_places_are_seen(text):
    told = json.loads(text)
    told["movements"][0], told["movements"][1] = told["movements"][1], told["movements"][0]
    assert wrong(json.dumps(told, indent=1)).line


def test_a_movement_of_somebody_else_passes_for_nobody_s(holder):
    """Even sealed and chained as it should be: the line must be about the holder."""
    other = Movement.objects.exclude(target__holder=holder).exclude(source__holder=holder).earliest("pk")
    told = json.loads(evidence.write(other.target.holder, at=paris(5)))
    told["holder"]["id"] = str(holder.pk)
    assert "autre titulaire" in wrong(json.dumps(told)).message


@pytest.mark.parametrize("name", ["root", "hash", "previous_hash", "count", "made_at", "day"])
def test_a_changed_seal_is_named_with_its_line(text, name):
    lines = text.splitlines()
    number = next(at for at, line in enumerate(lines) if line.startswith('"seals": ['))
    seal = json.loads(lines[number + 2].rstrip(","))
    seal[name] = {"count": 9, "made_at": "x", "day": "2026-03-09"}.get(name, "0" * 64)
    lines[number + 2] = json.dumps(seal) + ","
    assert wrong("\n".join(lines)).line in {number + 3, number + 4}


def test_a_seal_made_again_breaks_the_next(text):
    told = json.loads(text)
    told["seals"][0]["root"] = "0" * 64
    told["seals"][0]["hash"] = proof.seal_hash(told["seals"][0])
    assert "ne suit pas celui de la veille" in wrong(json.dumps(told)).message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told["balances"].update(dict.fromkeys(told["balances"], 9)), "soldes"),
        (lambda told: told["holder"].update(name="Autre"), "en-tête"),
        (lambda told: told.update(made_at="2020-01-01T00:00:00+00:00"), "en-tête"),
        (lambda told: told.update(digest="0" * 64), "en-tête"),
        (lambda told: told["head"].update(hash="0" * 64), "dernier sceau"),
        (lambda told: told.update(chain=""), "dernier mouvement"),
        (lambda told: told.update(more=1), "une partie"),
        (lambda told: told.pop("digest"), "une partie"),
        (lambda told: told.update(made_at="hier"), "pas un moment"),
        (lambda told: told["movements"].append(None), "pas la forme"),
        (lambda told: told["movements"][0].update(path=[1]), "scellé"),
        (lambda told: told["movements"][0].update(path=[["x"]]), "scellé"),
        (lambda told: told["movements"][0].update(position=10**30), "scellé"),
        (lambda told: told["movements"][0].update(position=None), "scellé"),
        (lambda told: told["movements"][0].update(seal="2030-01-01"), "manque dans le fichier"),
        (lambda told: told["movements"][0].update(seal=[]), "pas un jour"),
        (lambda told: told["movements"][0]["movement"].update(amount="5"), "pas la forme"),
        (lambda told: told["movements"][0]["movement"].update(reason="\ud800"), "scellé"),
        (lambda told: told["seals"].clear(), "manque dans le fichier"),
        (lambda told: told["seals"].append({}), "pas la forme d’un sceau"),
    ],
)
def test_whatever_else_was_changed_is_said_in_words(text, change, words):
    told = json.loads(text)
    change(told)
    assert words in wrong(json.dumps(told)).message


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "12", '{"format": "releve-de-droits/1"}', "[" * 100_000, "NaN", "{", "é"],
)
def test_what_is_no_statement_is_refused_in_words(text):
    assert wrong(text).message


def test_a_name_given_twice_is_refused(text):
    assert wrong(text.replace('"made_at"', '"made_at": "x", "made_at"', 1)).message


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_character_of_the_values_can_change_unseen(text, data):
    """Of any letter or digit of the file, and never a crash."""
    places = [at for at, letter in enumerate(text) if letter.isalnum()]
    at = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([letter for letter in "0a9fZ" if letter != text[at]]))
    wrong(text[:at] + other + text[at + 1 :])


# --- The command ----------------------------------------------------------------------------------------


def run(path, **options):
    told, refused = io.StringIO(), io.StringIO()
    try:
        call_command("verify_statement", str(path), stdout=told, stderr=refused, no_color=True, **options)
    except SystemExit as end:
        assert end.code == 1
    return told.getvalue() + refused.getvalue()


@pytest.fixture
def file(tmp_path, text):
    path = tmp_path / "releve.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_gives_its_verdict_in_words(file):
    told = run(file)
    assert "5 mouvements, dont 4 scellés ; 3 sceaux qui se suivent." in told
    assert f"empreinte {seals.head().hash}" in told
    assert "Le relevé est juste." in told


def test_the_command_names_the_first_wrong_line(file, text):
    file.write_text(text.replace("Année 2025", "Année 2026", 1), encoding="utf-8")
    told = run(file)
    line = 1 + text[: text.index("Année 2025")].count("\n")
    assert f"Ce relevé n’est pas juste. Ligne {line} : le mouvement".casefold() in told.casefold()
    assert "Le relevé est juste." not in told


def test_the_command_needs_no_database(file, text, tmp_path):
    """Another process, that could not reach one: as a holder at home."""
    forged = tmp_path / "faux.json"
    forged.write_text(text.replace("50000", "90000"), encoding="utf-8")
    env = os.environ | {"DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/nothing"}
    codes = [
        subprocess.run(
            [sys.executable, ROOT / "manage.py", "verify_statement", path],
            env=env,
            cwd=tmp_path,
            capture_output=True,
        ).returncode
        for path in (file, forged)
    ]
    assert codes == [0, 1]


def test_the_head_is_compared_with_the_database_or_a_known_hash(file):
    assert "porte le même sceau" in run(file, database=True)
    assert "Le relevé est juste." in run(file, head=seals.head().hash)
    assert "n’est pas juste" in run(file, head="0" * 64)


def test_a_statement_made_again_from_end_to_end_agrees_with_itself_and_not_with_the_portal(file, holder):
    """The forger of the whole file is found by whoever asks the portal, or kept an older hash."""
    true = seals.head().hash
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM rights_sealedmovement")
        cursor.execute("DELETE FROM rights_seal")
        cursor.execute("UPDATE rights_movement SET reason = 'Autre'")
    seals.seal_due(at=paris(5))
    forged = evidence.write(holder, at=paris(5))
    assert evidence.verify(forged).head_hash != true
    assert "ne porte pas ce sceau" in run(file, database=True)


def test_a_file_that_cannot_be_read_is_said_so(tmp_path):
    with pytest.raises(CommandError, match="ne peut pas être lu"):
        run(tmp_path / "absent.json")
    binary = tmp_path / "binaire.json"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "pas en UTF-8" in run(binary)


# --- The page -------------------------------------------------------------------------------------------


def test_the_holder_downloads_it_from_their_rights(client, holder):
    client.force_login(holder.user)
    assert reverse("rights_statement_proof") == URL
    assert URL in client.get("/mes-droits").text
    answer = client.get(URL)
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert "releve-de-droits.json" in answer["Content-Disposition"]
    assert {"private", "no-store"} <= set(answer["Cache-Control"].replace(" ", "").split(","))
    assert evidence.verify(answer.text).movements == 5

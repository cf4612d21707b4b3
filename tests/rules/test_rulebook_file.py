"""The canonical text of the law: complete, dated, well shaped; and what the reader refuses."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

import rulebook
from rulebook import loading
from rulebook.rules import NAMES

OPENING = date(2019, 11, 21)
HORIZON = date(2030, 12, 31)


def write(tmp_path, change):
    """The file with `change` made to its document, written elsewhere."""
    document = yaml.safe_load(loading.PARAMETERS_FILE.read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / "parameters.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_every_field_has_a_value_every_day_from_the_opening_to_2030():
    rows = loading.read()
    day = OPENING
    while day <= HORIZON:
        assert loading.rules_in_file(day, rows=rows).day == day
        day += timedelta(days=1)
    with pytest.raises(rulebook.NoRuleInForce):
        loading.rules_in_file(OPENING - timedelta(days=1), rows=rows)


def test_the_file_and_the_fields_have_the_same_names():
    assert {row.name for row in loading.read()} == set(NAMES)


def test_every_row_says_its_unit_and_its_reference():
    for row in loading.read():
        assert row.label, row
        assert row.unit, row
        assert row.legal_reference, row
        if not row.is_core_law:
            assert row.legal_reference == "Choix de l'instance" or "à confirmer" in row.note, row


@pytest.mark.parametrize(
    ("day", "name", "value"),
    [
        ("2019-11-21", "provider_answer_days", 2),
        ("2026-11-21", "provider_answer_days", 2),
        ("2026-11-21", "holder_answer_days", 4),
        ("2026-11-21", "withdrawal_days", 14),
        ("2026-11-21", "withdrawal_unit", "business"),
        ("2026-11-21", "free_cancellation_days_before_start", 7),
        ("2021-06-09", "earliest_start_days", 0),
        ("2021-06-10", "earliest_start_days", 11),
        ("2026-11-21", "simultaneous_requests_max", 5),
        ("2024-05-01", "participation_cents", 0),
        ("2024-05-02", "participation_cents", 10_000),
        ("2024-12-31", "participation_cents", 10_000),
        ("2025-01-01", "participation_cents", 10_223),
        ("2025-12-31", "participation_cents", 10_223),
        ("2026-01-01", "participation_cents", 10_320),
        ("2024-05-01", "participation_exempt_statuses", ()),
        ("2024-05-02", "participation_exempt_statuses", ("job_seeker",)),
        ("2026-11-21", "payment_days", 5),
        ("2026-11-21", "enrolment_min_age", 16),
        ("2026-11-21", "enrolment_min_age_apprentice", 15),
        ("2026-11-21", "reminder_fractions", (50, 80)),
        ("2021-12-31", "qualiopi_kind_by_action", {}),
    ],
)
def test_values_of_the_law(day, name, value):
    assert getattr(loading.rules_in_file(date.fromisoformat(day)), name) == value


def test_order_of_use_turns_over_with_the_decree_of_december_2025():
    own = ("credit", "dif", "annual", "increase", "volunteer")
    before = loading.rules_in_file(date(2025, 12, 4)).order_of_use
    since = loading.rules_in_file(date(2025, 12, 5)).order_of_use
    assert before[0] == own
    assert since == (("dotation",), own, ("top_up", "professional_risk", "state_top_up"))
    kinds = sorted(kind for group in before for kind in group)
    assert kinds == sorted(kind for group in since for kind in group)
    assert len(kinds) == len(set(kinds))


def test_lists_of_the_rulebook_agree_with_one_another():
    rules = loading.rules_in_file(date(2026, 11, 21))
    assert set(rules.enrolment_by_employer_statuses) < set(rules.enrolment_closed_statuses)
    kinds = set(rules.portal_code_kinds.values())
    assert kinds < set(rules.qualiopi_kind_by_action)
    assert set(rules.approved_school_kinds) <= kinds
    assert rules.portal_code_kinds["CPF200"] == "vae"
    assert rules.portal_code_kinds["CPF202"] == "skills_review"
    # Of an order, what is granted for it alone; a floor that stays below the whole.
    assert set(rules.late_returned_purses) <= {kind for group in rules.order_of_use for kind in group}
    assert rules.late_indemnity_percent <= 100
    assert rules.completion_floor_percent <= rules.completion_full_percent <= 100


def test_rules_are_frozen_through_and_through():
    rules = loading.rules_in_file(date(2026, 11, 21))
    with pytest.raises(AttributeError):
        rules.withdrawal_days = 0
    for name in NAMES:
        value = getattr(rules, name)
        assert not isinstance(value, list | dict | set), name
        if isinstance(value, Mapping):
            with pytest.raises(TypeError):
                value["CPF999"] = "training"


def test_a_term_gives_days_and_unit_for_the_workdays():
    rules = loading.rules_in_file(date(2026, 11, 21))
    assert rules.term("provider_answer") == (2, "business")
    assert rules.term("holder_answer") == (4, "business")
    assert rules.term("withdrawal") == (14, "business")
    assert rules.term("payment") == (5, "business")
    assert rules.term("earliest_start") == (11, "business")
    assert rules.term("free_cancellation") == (7, "business")
    with pytest.raises(KeyError):
        rules.term("patience")


def test_the_rulebook_is_asked_for_a_day_not_for_a_moment():
    with pytest.raises(TypeError, match="paris_day"):
        rulebook.on(datetime(2026, 11, 21, 12, 0, tzinfo=UTC))


def change(name, **values):
    return lambda document: document[name].update(values)


def first_period(name, **values):
    return lambda document: document[name]["periods"][0].update(values)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda d: d.pop("withdrawal_days"), "Règles absentes du fichier : withdrawal_days"),
        (lambda d: d.update(patience_days={}), "Règles inconnues de Rules : patience_days"),
        (change("withdrawal_days", extra=1), "il faut label, unit, is_core_law et periods"),
        (change("withdrawal_days", periods=[]), "il faut au moins une période"),
        (change("withdrawal_days", unit=" "), "label et unit sont des textes"),
        (change("withdrawal_days", is_core_law="oui"), "is_core_law vaut true ou false"),
        (first_period("withdrawal_days", to=date(2030, 1, 1)), "une période donne from, value"),
        (first_period("withdrawal_days", **{"from": "hier"}), "'hier' n'est pas une date"),
        (first_period("withdrawal_days", legal_reference=""), "la référence manque"),
        (first_period("withdrawal_days", note=["a"]), "la remarque est un texte"),
        (first_period("withdrawal_days", value="14"), "« withdrawal_days » : '14' n'a pas la forme attendue"),
        (first_period("withdrawal_days", value=-1), "-1 n'a pas la forme attendue"),
        (first_period("withdrawal_days", value=True), "True n'a pas la forme attendue"),
        (first_period("withdrawal_unit", value="months"), "'months' n'a pas la forme attendue"),
        (first_period("training_roles", value="FORMER"), "'FORMER' n'a pas la forme attendue"),
        (first_period("portal_code_kinds", value={"CPF200": 3}), "3 n'a pas la forme attendue"),
        (lambda d: d["participation_cents"]["periods"].reverse(), "de la plus ancienne à la plus récente"),
        (
            lambda d: d["participation_cents"]["periods"].append(d["participation_cents"]["periods"][-1]),
            "de la plus ancienne à la plus récente",
        ),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, broken, sentence):
    with pytest.raises(loading.RulebookRefused) as refused:
        loading.read(write(tmp_path, broken))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [1", "ne peut pas être lu"),
        (b"\xff\xfe\x00", "ne peut pas être lu"),
        (b"- 1", "une entrée par règle"),
        (b"", "une entrée par règle"),
        (b"!!python/object/apply:os.getcwd []", "ne peut pas être lu"),
    ],
)
def test_an_unreadable_file_is_refused_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "parameters.yaml"
    path.write_bytes(content)
    with pytest.raises(loading.RulebookRefused, match=sentence):
        loading.read(path)
    with pytest.raises(loading.RulebookRefused, match="ne peut pas être lu"):
        loading.read(tmp_path / "absent.yaml")


def test_a_name_written_twice_is_refused_where_plain_yaml_keeps_the_last(tmp_path):
    text = "withdrawal_days: 1\nwithdrawal_days: 2\n"
    assert yaml.safe_load(text) == {"withdrawal_days": 2}
    path = tmp_path / "parameters.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(loading.RulebookRefused, match="Ligne 2 : « withdrawal_days » est écrit deux fois"):
        loading.read(path)

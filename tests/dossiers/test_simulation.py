"""`manage.py simulate_settlement`: JSON lines in, JSON lines out, in order, without a database."""

import json
import os
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossiers import simulation
from rulebook import loading
from tests.conftest import ROOT

ROWS = loading.read()
NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
LINES = [{"pocket": "annual", "cents": 90_000}, {"pocket": "card", "cents": 10_000}]


@cache
def rules_of(day):
    return loading.rules_in_file(day, rows=ROWS)


def answer(said):
    line = said if isinstance(said, bytes) else json.dumps(said).encode()
    return simulation.answer(line, rules_of=rules_of)


def said(event="complete", event_at="2026-06-30T18:00", **more):
    """1 000 € accepted on 30 April for 1 June: free until the end of 26 May, the 14th business day."""
    given = {
        "price_cents": 100_000,
        "lines": LINES,
        "accepted_at": "2026-04-30T10:00:00+02:00",
        "session_start": "2026-06-01",
        "session_end": "2026-06-30",
        "event": event,
        "event_at": event_at,
    }
    return {name: value for name, value in (given | more).items() if value is not ...}


def money(found):
    return (
        found["returned"],
        found["refunded_card_cents"],
        found["credit_cents"],
        found["forfeited_cents"],
        found["provider_cents"],
    )


EVERYTHING = ({"annual": 90_000}, 10_000, 0, 0, 0)
LATE = ({}, 0, 10_000, 85_000, 5_000)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (said("cancelled_by_holder", "2026-05-26T23:59:59"), EVERYTHING),
        (said("cancelled_by_holder", "2026-05-27"), LATE),
        (said("cancelled_by_holder", "2026-05-31T23:59:59"), LATE),
        (said("cancelled_by_holder", "2026-05-27", force_majeure=True), EVERYTHING),
        (said("no_show", "2026-06-01"), LATE),
        (said("no_show", "2026-06-01", force_majeure=True), EVERYTHING),
        (said("cancelled_by_provider", "2026-05-30"), EVERYTHING),
        (said("cancelled_by_funder", "2026-05-30"), EVERYTHING),
        (said("complete"), ({}, 0, 0, 0, 100_000)),
        (said("complete", completion_rate=100), ({}, 0, 0, 0, 100_000)),
        (said("partial", completion_rate=24), ({}, 0, 0, 75_000, 25_000)),
        (said("partial", completion_rate=25), ({}, 0, 0, 75_000, 25_000)),
        (said("partial", completion_rate=79), ({}, 0, 0, 21_000, 79_000)),
        (said("partial", completion_rate=80), ({}, 0, 0, 0, 100_000)),
        (said("partial", completion_rate=60, force_majeure=True), ({"annual": 36_000}, 4_000, 0, 0, 60_000)),
        (said("interrupted_by_provider"), EVERYTHING),
        (said("cancelled_by_holder", "2026-04-30"), EVERYTHING),  # the day of the acceptance, without an hour
        (said("cancelled_by_provider", "2026-05-30", postponement_offered=True), EVERYTHING),
        (said("cancelled_by_provider", "2026-06-20"), EVERYTHING),  # it never took place
        (
            said("interrupted_by_provider", completion_rate=60, postponement_offered=True),
            ({"annual": 36_000}, 4_000, 0, 0, 60_000),
        ),
    ],
    ids=str,
)
def test_each_event_pays_as_the_matrix_says(order, expected):
    assert money(answer(order)) == expected


@pytest.mark.parametrize(
    ("accepted", "starts", "free_until"),
    [
        # The 7th business day before 1 June is 20 May, when the withdrawal is over already.
        ("2026-03-02T10:00", "2026-06-01", "2026-05-20T22:00:00+00:00"),
        # The withdrawal ends later: 14 business days after 30 April.
        ("2026-04-30T10:00", "2026-06-01", "2026-05-26T22:00:00+00:00"),
        # The training begins before both.
        ("2026-04-30T10:00", "2026-05-20", "2026-05-19T22:00:00+00:00"),
        # 23:30 in Paris on the night of the October change: still that day.
        ("2026-10-24T23:30", "2026-12-01", "2026-11-20T23:00:00+00:00"),
        # The same instant said in UTC.
        ("2026-10-24T21:30:00Z", "2026-12-01T09:00", "2026-11-20T23:00:00+00:00"),
    ],
)
def test_the_end_of_the_free_period_is_said_in_utc(accepted, starts, free_until):
    found = answer(
        said("cancelled_by_funder", accepted, accepted_at=accepted, session_start=starts, session_end=...)
    )
    assert found["free_until"] == free_until


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (b"", "vide"),
        (b"[1]", "objet JSON"),
        (b"{", "pas du JSON"),
        (b"\xff", "UTF-8"),
        (b'{"event": "complete", "event": "partial"}', "deux fois"),
        (said(prix=3), "Clé inconnue"),
        (said(price_cents=...), "« price_cents »"),
        (said(price_cents=None), "« price_cents »"),
        (said(price_cents=100_001), "100000 centimes et le prix est de 100001"),
        (said(price_cents=100_000.5), "nombre entier"),
        (said(price_cents=True), "nombre entier"),
        (said(price_cents=-1), "négatif"),
        (said(lines={}), "une liste"),
        (said(lines=[{"pocket": "annual"}]), "lines, 1"),
        (said(lines=[{"pocket": "caisse noire", "cents": 100_000}]), "n’est pas prévu"),
        (said(lines=[{"pocket": "reserved", "cents": 100_000}]), "n’est pas prévu"),
        (said(lines=[*LINES, {"pocket": "dif", "cents": -1}]), "négatif"),
        (said(event="lost"), "event : « lost »"),
        (said(event=["complete"]), "n’est pas prévu"),
        (said(event_at="demain"), "ISO 8601"),
        (said(event_at=20260601), "ISO 8601"),
        (said(event_at="9999-12-31"), "n’est pas possible"),
        (said(accepted_at="1999-01-04", event_at="2026-06-02"), "n’existait pas encore"),
        (said(accepted_at="2026-06-01"), "avait déjà commencé"),
        (said("cancelled_by_holder", "2026-04-30T09:59"), "avant accepted_at"),
        (said("cancelled_by_holder", "2026-06-01"), "c’est une sortie"),
        (said("no_show", "2026-05-31T23:59:59"), "n’a pas encore commencé"),
        (said("partial", "2026-05-31", completion_rate=50), "n’a pas encore commencé"),
        (said(session_end="2026-05-31"), "avant session_start"),
        (said("partial"), "« completion_rate »"),
        (said("partial", completion_rate=101), "n’est pas possible"),
        (said("partial", completion_rate=-1), "négatif"),
        (said("partial", completion_rate=33.3), "nombre entier"),
        (said("complete", completion_rate=99), "100 %"),
        (said("interrupted_by_provider", postponement_offered=True), "« completion_rate »"),
        (said(force_majeure="oui"), "ni true ni false"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_line_that_makes_no_sense_says_why(order, words):
    found = answer(order)
    assert list(found) == ["error"]
    assert words in found["error"]


def test_null_says_nothing_as_an_absent_key():
    bare = said("cancelled_by_provider", session_end=...)
    nulls = bare | dict.fromkeys(("session_end", "force_majeure", "completion_rate"))
    assert answer(nulls) == answer(bare)


def test_two_lines_of_a_kind_are_returned_together():
    lines = [{"pocket": "dotation", "cents": 60_000}, {"pocket": "dotation", "cents": 40_000}]
    assert answer(said("cancelled_by_funder", lines=lines))["returned"] == {"dotation": 100_000}


WORDS = st.text("2026-01é{", max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(WORDS, children, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(simulation.KEYS), JSON), st.sampled_from(list(simulation.Event)))
def test_whatever_is_said_has_an_answer(changes, event):
    found = answer(json.dumps(said(event, completion_rate=50) | changes).encode())
    assert list(found) == ["error"] or sum(found["returned"].values()) <= 100_000


def test_the_example_of_the_document_gives_what_is_printed():
    text = (ROOT / "docs" / "simulate-settlement.md").read_text(encoding="utf-8")
    order, euros = [line.strip() for line in text.splitlines() if line.startswith("    {")]
    assert answer(order.encode()) == json.loads(euros)


@given(
    st.lists(st.tuples(st.sampled_from(simulation.POCKETS), st.integers(0, 10**6)), min_size=1, max_size=6),
    st.sampled_from(list(simulation.Event)),
    st.sampled_from(["2026-05-20", "2026-05-29", "2026-06-15"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 100),
)
def test_the_euros_always_add_up_to_the_price(lines, event, event_at, is_excused, is_postponed, rate):
    price = sum(cents for _pocket, cents in lines)
    found = answer(
        said(
            event,
            event_at,
            price_cents=price,
            lines=[{"pocket": pocket, "cents": cents} for pocket, cents in lines],
            force_majeure=is_excused,
            postponement_offered=is_postponed,
            completion_rate=100 if event == "complete" else rate,
        )
    )
    if "error" in found:  # before its time, or after it
        assert found["error"].startswith("event_at")
        return
    returned, *others = money(found)
    assert sum(returned.values()) + sum(others) == price
    assert all(cents > 0 for cents in returned.values())


def test_the_command_answers_line_by_line_without_a_database():
    lines = [said(), {"event": "complete"}, said("cancelled_by_holder", "2026-05-27")]
    run = subprocess.run(
        [sys.executable, ROOT / "manage.py", "simulate_settlement"],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | NOWHERE,
        check=True,
    )
    first, second, third = map(json.loads, run.stdout.splitlines())
    assert (first["provider_cents"], third["credit_cents"]) == (100_000, 10_000)
    assert list(second) == ["error"]
    assert run.stderr == ""

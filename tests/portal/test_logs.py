"""One line per request: its id, its route, the number of whoever signed in, and nothing that names them."""

import io
import json
import logging
import re
import time

import pytest
import structlog
from celery import current_app
from django.conf import settings as real
from django.urls import reverse

from portal import figures, health, logs, middleware
from tests.factories.dossiers import DossierFactory
from tests.waiting import wait_for


@pytest.fixture
def lines():
    """Every line that production would write meanwhile, as `lines()`."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    config = logs.settings(level="INFO", as_json=True)["formatters"]["lines"]
    handler.setFormatter(
        logs.Formatter(processors=config["processors"], foreign_pre_chain=config["foreign_pre_chain"])
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def request_lines(lines):
    return [line for line in lines() if line["event"].startswith("request_")]


def test_a_request_is_one_line_with_its_route_its_ids_and_who(lines, holder_client, holder, at):
    dossier = DossierFactory(at=at, holder=holder)
    response = holder_client.get(reverse("dossier", args=[dossier.pk]))
    [line] = request_lines(lines)
    assert line["request"] == "GET /mes-dossiers/<uuid:dossier_id>"
    assert line["dossier_id"] == str(dossier.pk)
    assert line["user_id"] == str(holder.user.pk)
    assert line["request_id"] == response["X-Request-ID"]
    assert (line["code"], line["level"]) == (200, "info")
    assert line["duration_ms"] >= 0


@pytest.mark.parametrize(
    "path",
    ["/connexion/password/reset/key/7-secret-of-a-mail/", "/recherche?q=jeanne%20martin", "/nulle/part"],
)
def test_an_address_is_never_written_as_it_was_typed(lines, client, db, path):
    client.get(path)
    [line] = request_lines(lines)
    assert not re.search("secret-of-a-mail|jeanne|nulle", json.dumps(line))


def test_monitors_are_not_written_down_while_all_is_well(lines, client, db, monkeypatch):
    client.get(reverse("ready"))
    client.get(reverse("live"))
    assert request_lines(lines) == []
    monkeypatch.setattr(health, "_database", lambda: "down")
    client.get(reverse("ready"))
    assert [line["code"] for line in request_lines(lines)] == [503]


def test_a_line_costs_no_query(client, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get(reverse("live"))


def test_a_failure_has_its_traceback_its_level_and_its_id(lines, db, client, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr(health, "_database", lambda: 1 / 0)
    response = client.get(reverse("ready"))
    [line] = request_lines(lines)
    assert (line["event"], line["level"]) == ("request_failed", "error")
    assert "ZeroDivisionError" in line["exception"]
    assert line["request_id"] == response["X-Request-ID"]
    assert response["X-Request-ID"] in response.text  # the page gives it as the reference to tell


# --- The id -----------------------------------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own(client, db):
    first, second = (client.get(reverse("live"))["X-Request-ID"] for _ in range(2))
    assert first != second
    assert middleware.GOOD_ID.fullmatch(first)


def test_the_id_of_a_proxy_is_taken_only_behind_one(client, db, settings):
    given = {"x-request-id": "edge-0123456789"}
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert client.get(reverse("live"), headers=given)["X-Request-ID"] != "edge-0123456789"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert client.get(reverse("live"), headers=given)["X-Request-ID"] == "edge-0123456789"


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, "two words", 'quote"s-and-more', "a\u00e9" * 8])
def test_an_id_that_could_write_lines_of_its_own_is_not_taken(client, db, settings, bad):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answer = client.get(reverse("live"), headers={"x-request-id": bad})
    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-ID"])


@pytest.mark.worker
def test_what_a_task_says_carries_the_id_of_the_request_that_asked(request, monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    request.getfixturevalue("worker")
    with structlog.contextvars.bound_contextvars(request_id="asked-by-0123"):
        current_app.send_task(figures.LEDGER_CHECK)
    wait_for(lambda: "asked-by-0123" in (tmp_path / "worker.log").read_text(), limit=20)
    assert "request_id=asked-by-0123" in (tmp_path / "worker.log").read_text()


# --- What slips through -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "Key (email)=(jeanne.martin+cpf@exemple.fr) already exists",
            "Key (email)=([e-mail]) already exists",
        ),
        ("n° 2 85 05 78 006 084 36 refused", "n° [NIR] refused"),
        ("185057800608491", "[NIR]"),
        ("1850578006084", "[NIR]"),
        ("1 85 05 2A 006 084", "[NIR]"),
        ("SIRET 10000001800018, dossier 10000000004", "SIRET 10000001800018, dossier 10000000004"),
        ("2026-11-22T05:02:09.132999Z", "2026-11-22T05:02:09.132999Z"),
        ("5fe08bd1-8343-4ac9-bfe5-cda6fd383032", "5fe08bd1-8343-4ac9-bfe5-cda6fd383032"),
        ("416376781210475c939209310b758325", "416376781210475c939209310b758325"),
        ("ab416376781210475cd", "ab[NIR]cd"),
    ],
)
def test_people_are_masked_and_nothing_else(said, kept):
    assert logs.mask(said) == kept


def test_a_long_word_costs_no_time_to_mask():
    """Whoever sends a host name of eight thousand signs has it written down as an invalid one."""
    began = time.process_time()
    for text in ("a" * 50_000, "a@" * 25_000, "a." * 25_000, "1" * 50_000, "1 " * 25_000):
        logs.mask(text)
    assert time.process_time() - began < 1


def test_a_traceback_is_masked_too(lines):
    try:
        raise ValueError("jeanne@exemple.fr, 185057800608491")
    except ValueError:
        logging.getLogger("any").exception("it failed for %s", "paul@exemple.fr")
    [line] = lines()
    assert "exemple.fr" not in json.dumps(line)
    assert "185057800608491" not in json.dumps(line)
    assert "ValueError: [e-mail], [NIR]" in line["exception"]


def test_logs_are_json_in_production_only_and_quiet_in_tests():
    as_json = logs.settings(level="INFO", as_json=True)["formatters"]["lines"]["processors"][-1]
    assert isinstance(as_json, structlog.processors.JSONRenderer)
    assert real.LOGGING["root"]["level"] == "WARNING"

"""Where nothing can be answered, a page says so: closed, wrong method, failure. And the portal on a phone."""

import json

import pytest
import structlog
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from PIL import Image

from portal import pages
from tests.ui.test_pages import read


@pytest.fixture
def state_file(settings, tmp_path):
    settings.MAINTENANCE_MODE_STATE_FILE_PATH = tmp_path / "maintenance"
    return settings.MAINTENANCE_MODE_STATE_FILE_PATH


# --- Closed ------------------------------------------------------------------------------------------


def test_a_closed_portal_says_so_and_asks_the_database_nothing(
    client, db, state_file, django_assert_num_queries
):
    call_command("maintenance_mode", "on")
    with django_assert_num_queries(0):
        response = client.get(reverse("home"))
    assert response.status_code == 503
    assert response["Retry-After"] == "900"
    assert response["Cache-Control"] == "no-store"
    assert "fermé pour entretien" in read(response).text_content()
    assert client.post(reverse("dossiers")).status_code == 503
    call_command("maintenance_mode", "off")
    assert client.get(reverse("home")).status_code == 200


def test_whoever_repairs_comes_in_and_monitors_are_answered(client, db, state_file):
    call_command("maintenance_mode", "on")
    assert client.get(reverse("live")).status_code == 200
    assert client.get(reverse("account_login")).status_code == 200
    assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(reverse("dossiers")).status_code == 503


def test_reading_the_state_writes_nothing(client, db, state_file):
    assert client.get(reverse("home")).status_code == 200
    assert not state_file.exists()


def test_a_closing_can_be_planned(client, db, state_file):
    call_command("maintenance_mode", "on", start="2999-05-12T22:00+02:00", end="2999-05-12T23:00+02:00")
    assert client.get(reverse("home")).status_code == 200
    call_command("maintenance_mode", "on", start="2020-05-12T22:00+02:00", end="2999-05-12T23:00+02:00")
    assert client.get(reverse("home")).status_code == 503


# --- Used the wrong way ------------------------------------------------------------------------------


def test_an_address_for_forms_opened_by_hand_explains_itself(holder_client):
    response = holder_client.get(reverse("switch_role"))
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "Rien n’a changé" in read(response).text_content()


def test_a_part_asked_by_htmx_stays_short(holder_client):
    response = holder_client.get(reverse("switch_role"), headers={"HX-Request": "true"})
    assert (response.status_code, response.content) == (405, b"")


# --- Failure -----------------------------------------------------------------------------------------


def test_a_failure_gives_the_reference_that_the_log_has(db, rf):
    with structlog.contextvars.bound_contextvars(request_id="abcd1234ef"):
        response = pages.server_error(rf.get("/"))
    assert response.status_code == 500
    assert "abcd1234ef" in read(response).text_content()
    assert "référence" not in read(pages.server_error(rf.get("/"))).text_content()


def test_the_reference_of_a_real_failure_is_that_of_its_answer(db, monkeypatch):
    monkeypatch.setattr("portal.pages.settings", None)
    response = Client(raise_request_exception=False).get(reverse("legal_notice"))
    monkeypatch.undo()
    assert response.status_code == 500
    assert response["X-Request-ID"] in response.text


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html", "unavailable.html"])
def test_pages_of_last_resort_need_nothing(name, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        text = render_to_string(name)
    assert "vendor/bootstrap-base" in text
    assert "Rien n" in text or "rien ne se perd" in text


# --- On a phone --------------------------------------------------------------------------------------


def test_the_portal_can_be_put_on_a_home_screen(client, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get(reverse("manifest"))
    assert response["Content-Type"] == "application/manifest+json"
    told = json.loads(response.content)
    assert (told["display"], told["start_url"], told["lang"]) == ("standalone", "/", "fr")
    for icon in told["icons"]:
        path = finders.find(icon["src"].removeprefix(settings.STATIC_URL).lstrip("/"))
        with Image.open(path) as picture:
            assert f"{picture.width}x{picture.height}" == icon["sizes"]
    assert {icon["purpose"] for icon in told["icons"]} == {"any", "maskable"}
    assert f'<link rel="manifest" href="{reverse("manifest")}">' in client.get(reverse("help")).text


def test_private_pages_stay_out_of_caches(holder_client):
    """No service worker keeps pages: an offline copy would outlive the session on a shared phone."""
    assert "no-store" in holder_client.get(reverse("dossiers"))["Cache-Control"]

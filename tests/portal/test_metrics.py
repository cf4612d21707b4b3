"""Figures for a monitoring server, for it alone; and what health says of the parts that make people wait."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from portal import figures
from tests.factories.dossiers import DossierFactory
from tests.factories.notices import NoticeFactory

TOKEN = "a-token-that-nobody-can-guess"


@pytest.fixture
def switched_on(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings.PORTAL_METRICS, settings.PORTAL_METRICS_TOKEN = True, TOKEN


def read(client, token=TOKEN):
    response = client.get(reverse("metrics"), headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 200
    values = (line.rpartition(" ") for line in response.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _blank, value in values}


def test_off_unless_switched_on(client, db, settings):
    assert settings.PORTAL_METRICS is False
    assert client.get(reverse("metrics"), headers={"authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer é"])
def test_nobody_without_the_token_learns_that_it_is_there(client, db, switched_on, header):
    assert client.get(reverse("metrics"), headers={"authorization": header}).status_code == 404


def test_being_an_administrator_is_not_the_token(admin_client_, switched_on):
    assert admin_client_.get(reverse("metrics")).status_code == 404


def test_figures_follow_the_facts(client, db, switched_on):
    at = timezone.now()
    empty = read(client)
    assert (empty["portal_overdue_clocks"], empty["portal_waiting_notices"]) == (0, 0)
    DossierFactory(at=at - timedelta(days=30), requested=True)
    NoticeFactory(created_at=at - timedelta(hours=2))
    figures.note_success(figures.SWEEP)
    found = read(client)
    assert found["portal_overdue_clocks"] == 1
    assert found["portal_overdue_clocks_oldest_seconds"] > 86_400
    assert found["portal_waiting_notices"] > 1
    assert found["portal_waiting_notices_oldest_seconds"] > 7_000
    assert 0 <= found[f'portal_task_last_success_seconds{{task="{figures.SWEEP}"}}'] < 60


def test_what_the_figures_name_is_in_the_timetable():
    assert {figures.SWEEP, figures.LEDGER_CHECK} < set(figures.scheduled_tasks())


# --- Health: behind is not broken -------------------------------------------------------------------------


def late_clock(at):
    DossierFactory(at=at - timedelta(days=30), requested=True)


def late_notice(at):
    NoticeFactory(created_at=at - figures.OUTBOX_LATE - timedelta(minutes=1))


def late_scheduler(at):
    figures.cache.set(figures._key(figures.SWEEP), (at - timedelta(hours=1)).timestamp())


@pytest.mark.parametrize(
    ("part", "cause"), [("clocks", late_clock), ("outbox", late_notice), ("scheduler", late_scheduler)]
)
def test_what_makes_people_wait_is_told_and_closes_nothing(client, db, part, cause):
    cause(timezone.now())
    response = client.get(reverse("ready"))
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["parts"][part] == "behind"


def test_all_is_well_once_the_jobs_have_run(client, db):
    figures.note_success(figures.SWEEP)
    assert client.get(reverse("ready")).json()["status"] == "ok"

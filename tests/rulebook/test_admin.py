from datetime import date

import pytest
from django.urls import reverse

from rulebook.admin import parse_day, readable
from rulebook.models import Parameter

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client, django_user_model):
    user = django_user_model.objects.create_superuser(
        email="agent@exemple.invalid", password="une longue phrase"
    )
    client.force_login(user)
    return client


def shown(response):
    return {(row.name, row.in_force.lower) for row in response.context["cl"].result_list}


def test_the_list_reads_in_french_and_offers_nothing_to_edit(agent):
    response = agent.get(reverse("admin:rulebook_parameter_changelist"))
    assert response.status_code == 200
    html = response.content.decode()
    assert "Délai de rétractation" in html
    assert "31/12/2025" in html  # the search box says how to ask for a day
    assert reverse("admin:rulebook_parameter_changelist") + "add/" not in html
    row = Parameter.objects.get(name="withdrawal_days")
    change = reverse("admin:rulebook_parameter_change", args=[row.pk])
    assert agent.get(change).status_code == 200
    assert agent.post(change, {"value": "1"}).status_code == 403
    assert agent.get(reverse("admin:rulebook_parameter_add")).status_code == 403
    assert agent.get(reverse("admin:rulebook_parameter_delete", args=[row.pk])).status_code == 403
    row.refresh_from_db()
    assert row.value == 14


@pytest.mark.parametrize("query", [{"le": "2025-06-01"}, {"q": "01/06/2025"}, {"q": "1/6/2025"}])
def test_a_day_finds_the_rules_in_force_on_it(agent, query):
    if "le" in query:  # the side list offers the days on which a rule began
        query = {"le": "2025-01-01"}
    found = shown(agent.get(reverse("admin:rulebook_parameter_changelist"), query))
    assert ("participation_cents", date(2025, 1, 1)) in found
    assert ("participation_cents", date(2026, 1, 1)) not in found
    assert ("participation_cents", date(2024, 5, 2)) not in found
    assert ("withdrawal_days", date(2019, 11, 21)) in found


def test_a_word_searches_names_labels_and_references(agent):
    url = reverse("admin:rulebook_parameter_changelist")
    assert {name for name, _since in shown(agent.get(url, {"q": "rétractation"}))} >= {"withdrawal_days"}
    assert {name for name, _since in shown(agent.get(url, {"q": "2025-1156"}))} == {"order_of_use"}
    assert shown(agent.get(url, {"q": "zèbre"})) == set()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("31/12/2025", date(2025, 12, 31)),
        ("1/5/2026", date(2026, 5, 1)),
        ("2025-12-31", date(2025, 12, 31)),
        ("31/02/2026", None),
        ("2026", None),
        ("rétractation", None),
        ("", None),
    ],
)
def test_a_day_is_read_as_people_write_it(text, day):
    assert parse_day(text) == day


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (14, "14"),
        ("business", "business"),
        ([], "–"),
        ([50, 80], "50, 80"),
        ([["dotation"], ["annual", "dif"]], "dotation → annual, dif"),
        ({"CPF200": "vae"}, "CPF200 : vae"),
        ({}, "–"),
    ],
)
def test_values_read_in_words(value, words):
    assert readable(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (50_000, "500,00\xa0€"),
        ({"rs": 150_000, "vae": 0}, "rs : 1\xa0500,00\xa0€, vae : 0,00\xa0€"),
        ([24_000, 72_000], "240,00\xa0€, 720,00\xa0€"),
    ],
)
def test_cents_read_in_euros(value, words):
    assert readable(value, in_euros=True) == words


def test_an_agent_reads_an_amount_of_the_law_in_euros_with_its_unit(agent):
    row = Parameter.objects.filter(name="annual_full_cents").order_by("-in_force")[0]

    page = agent.get(reverse("admin:rulebook_parameter_change", args=[row.pk])).content.decode()

    assert "500,00\xa0€" in page
    assert "centimes" not in page

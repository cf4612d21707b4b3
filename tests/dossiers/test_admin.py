"""Dossiers as the administration reads them: euros, Paris time and words, never cents or codes."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dossiers import controls
from dossiers.models import Completion, Deadline, FundingLine, Transition
from dossiers.states import MOVES, VERB_WORDS, ClockKind, CompletionCause, State
from tests.factories.accounts import UserFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, bring, noon
from ui.admin import Moves


@pytest.fixture
def read(client, db):
    """The page of the admin as text, with plain spaces: `read(row)`, or `read(model, q="…")` for a list."""
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    def text(what, **query):
        name, args = ("changelist", []) if isinstance(what, type) else ("change", [what.pk])
        address = reverse(f"admin:{what._meta.app_label}_{what._meta.model_name}_{name}", args=args)
        page = client.get(address, query)
        assert page.status_code == 200
        return page.content.decode().replace("\u00a0", " ").replace("\u202f", " ")

    return text


def test_prices_and_lines_are_in_euros(read):
    dossier = DossierFactory(accepted=True, price_cents=123_450)
    page = read(dossier)
    assert page.count("1 234,50 €") == 3  # the price asked, the one proposed, the line that pays it
    assert "123450" not in page
    line = FundingLine.objects.get()
    page = read(line)
    assert "Droits · 1 234,50 €" in page
    assert "123450" not in page


def test_a_deadline_is_named_by_its_last_minute_in_paris():
    late = Deadline(kind=ClockKind.PROVIDER_ANSWER, due_at=datetime(2026, 11, 5, 23, 0, tzinfo=UTC))
    assert str(late).replace("\u00a0", " ") == "Réponse de l’organisme · jeudi 5 novembre 2026 à minuit"


def test_a_history_says_what_was_done(read):
    dossier = DossierFactory(proposed=True)
    for page in (read(dossier), read(Transition), read(Transition, verb="propose")):
        assert "Proposition de l’organisme" in page
        assert ">propose<" not in page
    table = read(Transition, verb="propose").partition('id="result_list"')[2].partition("</table>")[0]
    assert table.count("Proposition de l’organisme") == 1
    assert "Demande envoyée</td>" in table  # the state it left
    assert "Brouillon" not in table  # that of the other move
    assert "Proposition de l’organisme" in read(Transition.objects.get(verb="propose"))


def test_the_filter_of_a_history_offers_every_verb_and_reads_no_row(read, db):
    DossierFactory(accepted=True)
    with CaptureQueriesContext(connection) as queries:
        page = read(Transition)
    assert all(f"?verb={verb}" in page for verb in MOVES)
    assert [
        query["sql"] for query in queries if 'DISTINCT "dossiers_transition"."verb"' in query["sql"]
    ] == []


@pytest.mark.parametrize(
    "shown",
    [each for each in admin.site._registry.values() if isinstance(each, Moves)],
    ids=lambda each: each.model._meta.label,
)
def test_every_verb_of_a_history_has_its_words(shown):
    """Those that the table may hold (its CHECK constraint), and no other."""
    [known] = [each for each in shown.model._meta.constraints if each.name.endswith("is_a_known_move")]
    verbs = {value for one in known.condition.children for name, value in one.children if name == "verb"}
    assert set(shown.verb_words) == verbs


def test_the_words_of_a_dossier_are_those_of_its_moves():
    assert list(VERB_WORDS) == list(MOVES)


def test_a_correction_starts_from_what_was_declared(client, db, at):
    declared = bring(DossierFactory(at=at), State.ENDED, at=at)
    moment = noon(declared.ends_on, at=at)
    hours = {"total_minutes": 2_100, "done_minutes": 1_215, "cause": CompletionCause.LEFT}
    act("declare_completion", declared, at=moment, words="Partie le lundi.", **hours)
    controls.open_control(declared.pk, by=admin_actor(), at=moment, words="Sondage.")
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    address = reverse("admin:dossiers_dossier_correct", args=[declared.pk])
    form = client.get(address).context["form"]
    typed = {name: form[name].value() for name in ("total_hours", "done_hours", "cause")}
    assert typed == {"total_hours": "35", "done_hours": "20,25", "cause": "left"}
    # What the organisation wrote is not put in the mouth of who controls.
    assert not form["words"].value()
    answer = client.post(address, typed | {"done_hours": "21,5", "words": "Le mardi aussi est signé."})
    assert answer.status_code == 302
    last = Completion.objects.order_by("version").last()
    assert (last.version, last.done_minutes, last.total_minutes) == (2, 1_290, 2_100)

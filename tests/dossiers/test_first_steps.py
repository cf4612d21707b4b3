"""The first steps of a holder: computed from what they did, never from a tick of ours."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from dossiers import calendar, first_steps
from dossiers.models import FirstSteps
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.dossiers import DossierFactory, holder_actor

pytestmark = pytest.mark.django_db

TITLES = [
    "Activer mon compte",
    "Compléter mon profil",
    "Handicap : savoir ce qui change",
    "Regarder mon solde",
    "Chercher une formation",
    "Envoyer une demande d’inscription",
    "Valider et payer",
    "Suivre ma formation",
]


def states(holder, at) -> list[str]:
    return [step.state for step in first_steps.of(holder_actor(holder), at=at).steps]


def test_a_newcomer_has_eight_steps_one_of_them_now(at, django_assert_num_queries):
    by = holder_actor(HolderFactory())
    with django_assert_num_queries(1):
        shown = first_steps.of(by, at=at)
    assert [step.title for step in shown.steps] == TITLES
    assert [step.state for step in shown.steps] == ["done", "now"] + ["later"] * 6
    assert (shown.done, shown.is_shown, shown.is_finished, shown.now.title) == (
        1,
        True,
        False,
        "Compléter mon profil",
    )


@pytest.mark.parametrize(
    ("fields", "is_done"),
    [
        ({"diploma": "level_4", "phone": "0612345678"}, True),
        ({"diploma": "level_4", "postal_code": "31000"}, True),
        ({"diploma": "level_4"}, False),
        ({"phone": "0612345678"}, False),
    ],
)
def test_the_profile_is_complete_when_one_can_be_reached_and_the_diploma_is_known(at, fields, is_done):
    assert (states(HolderFactory(**fields), at)[1] == "done") is is_done


def test_what_only_the_holder_knows_is_told_by_the_click_that_takes_them_there(client_for, at):
    holder = HolderFactory()
    client = client_for(holder.user)
    assert client.get(reverse("first_step_seen", args=["droits"])).status_code == 405
    assert client.post(reverse("first_step_seen", args=["droits"])).url == reverse("rights")
    assert client.post(reverse("first_step_seen", args=["obligation-emploi"])).url == reverse("profile")
    assert states(holder, at)[2:4] == ["done", "done"]
    first = FirstSteps.objects.get().rights_seen_at
    client.post(reverse("first_step_seen", args=["droits"]))
    assert FirstSteps.objects.get().rights_seen_at == first
    assert client.post(reverse("first_step_seen", args=["autre"])).status_code == 404


def test_dossiers_do_the_steps_in_their_turn(at):
    def last_five(**state):
        holder = HolderFactory()
        DossierFactory(at=at, holder=holder, **state)
        DossierFactory(at=at, accepted=True)  # somebody else's
        return [state == "done" for state in states(holder, at)[3:]]

    assert last_five() == [False, True, False, False, False]
    assert last_five(requested=True) == [True, True, True, False, False]
    assert last_five(awaiting_payment=True) == [True, True, True, False, False]
    assert last_five(accepted=True) == [True, True, True, True, False]


def test_following_is_a_calendar_or_a_training_that_has_begun(at):
    holder = HolderFactory()
    dossier = DossierFactory(at=at, holder=holder, accepted=True)
    calendar.make_feed(by=holder_actor(holder), at=at)
    assert states(holder, at)[7] == "done"
    calendar.stop_feed(by=holder_actor(holder))
    assert states(holder, at)[7] != "done"
    assert (
        states(holder, at + (timedelta(days=1) * (dossier.starts_on - at.date()).days) + timedelta(days=1))[7]
        == "done"
    )


def test_they_are_put_away_and_come_back(client_for, at):
    holder = HolderFactory()
    client = client_for(holder.user)
    assert "Vos premiers pas" in client.get(reverse("home")).text
    assert client.post(reverse("first_steps_put_away")).url == reverse("home")
    page = client.get(reverse("home")).text
    assert "Vos premiers pas sont rangés" in page
    page = client.get(reverse("home")).text
    assert "Handicap" not in page
    assert "Revoir mes premiers pas" in page
    client.post(reverse("first_steps_bring_back"))
    assert "Handicap" in client.get(reverse("home")).text


def test_finished_they_are_no_longer_shown(client_for, at):
    holder = HolderFactory(diploma="level_4", phone="0612345678")
    by = holder_actor(holder)
    DossierFactory(at=at, holder=holder, accepted=True)
    first_steps.mark_seen("obligation-emploi", by=by, at=at)
    calendar.make_feed(by=by, at=at)
    shown = first_steps.of(by, at=at)
    assert (shown.is_finished, shown.is_shown, shown.now) == (True, False, None)
    page = client_for(holder.user).get(reverse("home")).text
    assert "premiers pas" not in page


def test_nobody_else_marks_them(at):
    for by in (Actor(role=Role.HOLDER, user=UserFactory()), Actor(role=Role.ADMIN, user=UserFactory())):
        with pytest.raises(NotAllowed):
            first_steps.mark_seen("droits", by=by, at=at)
        with pytest.raises(NotAllowed):
            first_steps.put_away(by=by, at=at)
    assert not FirstSteps.objects.exists()

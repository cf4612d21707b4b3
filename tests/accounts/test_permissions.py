"""Who may enrol on a given day, and which role a page needs."""

import dataclasses
import datetime

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import path

import rulebook
from accounts.models import HolderProfile
from accounts.permissions import (
    NotAllowed,
    birthday,
    check_can_enrol,
    enrolment_obstacle,
    holder_required,
    provider_required,
)
from portal import urls as portal_urls
from rulebook.loading import rules_in_file
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory

TODAY = datetime.date(2026, 5, 12)
RULES = rules_in_file(TODAY)
Status = HolderProfile.Status


def person(*, born=datetime.date(1985, 5, 31), status=Status.PRIVATE_EMPLOYEE, has_apprenticeship=False):
    return HolderProfile(birth_date=born, status=status, has_apprenticeship=has_apprenticeship)


def obstacle(on=TODAY, **who):
    return enrolment_obstacle(person(**who), on=on, rules=RULES)


def test_most_people_may():
    assert obstacle() is None


@pytest.mark.parametrize(
    ("apprentice", "age"),
    [({}, 16), ({"has_apprenticeship": True}, 15), ({"status": Status.APPRENTICE}, 15)],
)
def test_the_birthday_itself_is_old_enough_the_day_before_is_not(apprentice, age):
    born = TODAY.replace(year=TODAY.year - age)
    assert obstacle(born=born, **apprentice) is None
    too_young = obstacle(born=born + datetime.timedelta(days=1), **apprentice)
    assert f"{age} ans" in too_young
    assert "mercredi 13\u00a0mai 2026" in too_young


def test_a_young_person_is_told_of_the_apprenticeship_only_without_one():
    assert "contrat d’apprentissage" in obstacle(born=datetime.date(2010, 6, 1))
    assert "contrat d’apprentissage" not in obstacle(born=datetime.date(2012, 6, 1), has_apprenticeship=True)


def test_born_on_29_february_one_is_sixteen_on_29_february_of_a_leap_year_and_15_on_1_march():
    born = datetime.date(2012, 2, 29)
    assert birthday(born, 16) == datetime.date(2028, 2, 29)
    assert birthday(born, 15) == datetime.date(2027, 3, 1)


@pytest.mark.parametrize("status", Status.values)
def test_only_the_closed_statuses_of_the_rulebook_stop_a_grown_up(status):
    assert (obstacle(status=status) is not None) == (status in RULES.enrolment_closed_statuses)


def test_each_is_told_their_way():
    agent, retired = obstacle(status=Status.PUBLIC_AGENT), obstacle(status=Status.RETIRED_FULL_RATE)
    assert "employeur" in agent and "heures" in agent
    assert "taux plein" in retired and "employeur" not in retired
    for words in (agent, retired):
        assert "« Mon profil »" in words


def test_a_status_closed_by_a_new_text_is_named():
    rules = _with(RULES, enrolment_closed_statuses=("seasonal",), enrolment_by_employer_statuses=())
    words = enrolment_obstacle(person(status=Status.SEASONAL), on=TODAY, rules=rules)
    assert "« Saisonnier »" in words


def _with(rules, **values):
    return dataclasses.replace(rules, **values)


@pytest.mark.django_db
def test_the_check_reads_the_day_in_paris():
    """22:30 UTC on 11 May is already the birthday in Paris."""
    holder = person(born=datetime.date(2010, 5, 12))
    check_can_enrol(holder, at=datetime.datetime(2026, 5, 11, 22, 30, tzinfo=datetime.UTC))
    with pytest.raises(NotAllowed) as refusal:
        check_can_enrol(holder, at=datetime.datetime(2026, 5, 11, 21, 30, tzinfo=datetime.UTC))
    assert "16 ans" in refusal.value.message
    assert isinstance(refusal.value, PermissionDenied)
    assert rulebook.on(TODAY) == RULES


# --- Pages ------------------------------------------------------------------------------------------
def done(request):
    return HttpResponse("fait")


urlpatterns = [
    path("titulaire", holder_required(done)),
    path("organisme", provider_required(done)),
    path("ouverte", login_not_required(holder_required(done))),
    *portal_urls.urlpatterns,
]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
class TestPages:
    @pytest.mark.parametrize(
        ("role", "open_to"),
        [("holder", "/titulaire"), ("provider", "/organisme"), ("admin", None), ("nobody", None)],
    )
    def test_each_page_is_open_to_its_role_only(self, client, role, open_to):
        user = {
            "holder": lambda: HolderFactory().user,
            "provider": lambda: MembershipFactory().user,
            "admin": lambda: UserFactory(is_staff=True),
            "nobody": UserFactory,
        }[role]()
        client.force_login(user)
        for page in ("/titulaire", "/organisme"):
            assert client.get(page).status_code == (200 if page == open_to else 403)

    @pytest.mark.parametrize("page", ["/titulaire", "/ouverte"])
    def test_a_visitor_signs_in_first(self, client, page):
        answer = client.get(page)
        assert answer.status_code == 302 and answer.url.endswith(f"next={page}")

    def test_who_has_the_role_is_offered_the_switch_and_comes_back(self, client):
        holder = HolderFactory()
        membership = MembershipFactory(user=holder.user, organisation__name="Atelier Nord")
        client.force_login(holder.user)
        refused = client.get("/organisme?page=2")
        assert refused.status_code == 403
        assert "demande le rôle «\u00a0Organisme de formation\u00a0»" in refused.text
        key = f"provider:{membership.organisation_id}"
        answer = client.post("/changer-de-role", {"role": key, "next": refused.context["next"]})
        assert answer.url == "/organisme?page=2"
        assert client.get(answer.url).status_code == 200

    def test_who_does_not_have_it_is_told_whom_to_ask(self, client):
        client.force_login(HolderFactory().user)
        refused = client.get("/organisme")
        assert refused.status_code == 403
        assert "Vous n’avez pas ce rôle" in refused.text

    def test_who_has_no_account_yet_is_led_to_activation(self, client):
        client.force_login(UserFactory())
        refused = client.get("/titulaire")
        assert refused.status_code == 403
        assert "Activer mon compte" in refused.text

"""One person, several roles: which one acts, and how it changes."""

import pytest
from django.urls import reverse

from accounts.actors import SYSTEM, VISITOR, Role
from accounts.listing import people_of, roles_of
from accounts.middleware import ActorMiddleware
from tests.factories.accounts import HolderFactory, MembershipFactory, OrganisationFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything():
    """Holder, member of two organisations, administrator. Another person has roles that could leak."""
    holder = HolderFactory(user__is_staff=True)
    for name in ("Beta", "Alpha"):
        MembershipFactory(user=holder.user, organisation__name=name)
    MembershipFactory(organisation__name="Autre")
    HolderFactory()
    return holder.user


def acting(client):
    return client.get(reverse("help")).wsgi_request.actor


def test_roles_come_in_order_in_two_queries(everything, django_assert_num_queries):
    with django_assert_num_queries(2):
        roles = roles_of(everything)
        labels = [actor.label for actor in roles]
    assert [actor.role for actor in roles] == [Role.HOLDER, Role.PROVIDER, Role.PROVIDER, Role.ADMIN]
    assert labels[1:] == [
        "Organisme de formation · Alpha",
        "Organisme de formation · Beta",
        "Administration",
    ]
    assert len({actor.key for actor in roles}) == 4


def test_someone_new_is_a_holder_without_an_account():
    (actor,) = roles_of(UserFactory())
    assert actor.role == Role.HOLDER and not actor.is_holder and actor.label == "Titulaire"


@pytest.mark.parametrize("has", ["holder", "member", "admin"])
def test_the_role_by_default_is_the_first_one_has(client, has):
    user = UserFactory(is_staff=True)
    if has != "admin":
        MembershipFactory(user=user)
    if has == "holder":
        HolderFactory(user=user)
    client.force_login(user)
    actor = acting(client)
    assert (actor.is_holder, actor.is_provider, actor.is_admin) == (
        has == "holder", has == "member", has == "admin",
    )  # fmt: skip


def test_a_visitor_is_a_visitor_and_costs_no_query(rf, django_assert_num_queries):
    class Nobody:
        is_authenticated = False

    request = rf.get("/")
    request.user, request.session = Nobody(), {}
    ActorMiddleware(lambda request: None)(request)
    with django_assert_num_queries(0):
        assert request.actor == VISITOR


def test_an_actor_nobody_asks_for_costs_nothing_and_one_asked_twice_two_queries(
    rf, everything, django_assert_num_queries
):
    request = rf.get("/")
    request.user, request.session = everything, {"acting_as": "admin"}
    with django_assert_num_queries(0):
        ActorMiddleware(lambda request: None)(request)
    with django_assert_num_queries(2):
        assert request.actor.is_admin and request.actor.role == Role.ADMIN and len(request.roles) == 4


def test_the_switch_changes_the_role_that_acts_and_the_header_says_it(client, everything):
    client.force_login(everything)
    for wanted in roles_of(everything):
        answer = client.post(reverse("switch_role"), {"role": wanted.key})
        assert (answer.status_code, answer.url) == (302, "/")
        page = client.get(reverse("help"))
        assert page.wsgi_request.actor.key == wanted.key
        header = page.text.partition("<main")[0]
        assert f"<strong>{wanted.label}</strong>" in header
        # Three other roles to take; never the one that already acts.
        assert header.count('name="role"') == 3
        assert f'value="{wanted.key}"' not in header


def test_a_role_one_does_not_have_cannot_be_taken(client):
    theirs = MembershipFactory()
    HolderFactory()
    user = UserFactory()
    client.force_login(user)
    for key in (f"provider:{theirs.organisation_id}", "admin", "system", "provider:", "", "holder:1"):
        assert client.post(reverse("switch_role"), {"role": key}).status_code == 404
    assert "acting_as" not in client.session


def test_a_role_taken_away_stops_at_the_next_request(client, everything):
    client.force_login(everything)
    membership = everything.memberships.first()
    client.post(reverse("switch_role"), {"role": f"provider:{membership.organisation_id}"})
    assert acting(client).is_provider
    membership.delete()
    assert acting(client).is_holder

    client.post(reverse("switch_role"), {"role": "admin"})
    assert acting(client).is_admin
    everything.is_staff = False
    everything.save()
    assert acting(client).is_holder


def test_the_way_back_never_leaves_the_portal(client, everything):
    client.force_login(everything)
    for away in ("https://ailleurs.example/", "//ailleurs.example", "javascript:alert(1)", ""):
        assert client.post(reverse("switch_role"), {"role": "admin", "next": away}).url == "/"


def test_switching_is_a_post_by_someone_signed_in(client):
    answer = client.post(reverse("switch_role"), {"role": "admin"})
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))
    client.force_login(UserFactory())
    assert client.get(reverse("switch_role")).status_code == 405


@pytest.mark.parametrize("size", [1, 3])
def test_people_of_an_organisation_in_one_query(size, django_assert_num_queries):
    organisation = OrganisationFactory()
    members = [MembershipFactory(organisation=organisation).user for _ in range(size)]
    MembershipFactory(organisation=organisation, user__is_active=False)
    MembershipFactory()
    with django_assert_num_queries(1):
        assert people_of(organisation) == sorted(members, key=lambda user: user.email)


def test_the_portal_is_an_actor_too():
    assert SYSTEM.is_system and SYSTEM.holder_id is None and SYSTEM.organisation_id is None

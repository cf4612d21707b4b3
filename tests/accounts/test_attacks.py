"""What a hurried, a careless or an ill-meaning person can try on people and accounts, and what they get."""

import pytest
from allauth.account.internal.userkit import filter_users_by_email
from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from accounts import journal
from accounts.actors import Actor, Role
from accounts.models import ActivationAttempt, Invitation, Membership, User
from tests.factories.accounts import (
    PASSWORD,
    HolderFactory,
    InvitationFactory,
    MembershipFactory,
    UserFactory,
)
from tests.factories.catalog import OfferFactory, ProviderFactory
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db

NUL = "avant\x00après"
AWAY = ("https://ailleurs.example/", "//ailleurs.example", "/\\ailleurs.example", "javascript:alert(1)")


# --- What the database would refuse ----------------------------------------------------------------


@pytest.mark.parametrize("field", ["phone", "address", "postal_code", "town"])
@pytest.mark.parametrize("value", [NUL, "x" * 5000, "🎓" * 300])
def test_a_profile_that_cannot_be_kept_is_told_beside_its_field(client_for, field, value):
    holder = HolderFactory()
    typed = {"status": holder.status, "phone": "", "address": "", "postal_code": "", "town": ""}
    answer = client_for(holder.user).post(reverse("profile"), typed | {field: value})
    assert answer.status_code == 422
    assert f'href="#id_{field}"' in answer.text


@pytest.mark.parametrize("year", ["-1", "0", "99999", "1e3", "9" * 5000, NUL, "12.5"])
def test_a_year_nobody_could_mean_is_told_beside_its_field(client_for, year):
    holder = HolderFactory()
    typed = {"status": holder.status, "diploma": "level_5", "diploma_year": year}
    assert client_for(holder.user).post(reverse("profile"), typed).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"family_name": NUL},
        {"first_names": NUL},
        {"family_name": "🎓"},
        {"family_name": "x" * 5000},
        {"birth_date": NUL},
        {"birth_date": "31/02/1985"},
        {"birth_date": "01/01/0001"},
        {"nir": NUL},
        {"nir": "٢٨٥٠٥٧٨٠٠٦٠٨٤٩١"},
        {"nir": "9" * 5000},
    ],
)
def test_an_identity_that_nobody_bears_is_told_and_is_no_try(client_for, settings, change):
    settings.NIR_AT_ACTIVATION = True
    user = UserFactory()
    typed = {"family_name": "Martin", "first_names": "Élodie", "birth_date": "31/05/1985", "nir": "1"}
    assert client_for(user).post(reverse("activation"), typed | change).status_code == 422
    assert not ActivationAttempt.objects.exists()


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
@pytest.mark.parametrize("email", ["a\x00@exemple.fr", f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.fr", "🎓"])
def test_an_address_that_cannot_be_kept_is_refused_at_the_door(client, name, email):
    typed = {
        "login": email,
        "email": email,
        "password": PASSWORD,
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert client.post(reverse(name), typed).status_code == 422
    assert not User.objects.exists()


def test_signing_in_with_an_impossible_password_is_a_refusal(client):
    user = UserFactory()
    for password in (NUL, "é" * 100_000):
        answer = client.post(reverse("account_login"), {"login": user.email, "password": password})
        assert answer.status_code == 422


# --- Ways in and out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("away", AWAY)
def test_no_way_in_leads_out_of_the_portal(client, away):
    user = UserFactory()
    typed = {"login": user.email, "password": PASSWORD, "next": away}
    answer = client.post(reverse("account_login"), typed)
    assert answer.status_code == 302
    assert answer.url == reverse("home")
    for url in (reverse("set_language"), reverse("switch_role"), reverse("account_logout")):
        answer = client.post(url, {"language": "fr", "role": "holder", "next": away})
        assert "ailleurs" not in answer.headers.get("Location", "")
        assert "javascript" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("back", [NUL, "mes-droits", "home", "-1", "a\r\nX: y"])
def test_a_way_back_that_no_page_of_ours_wrote_is_no_fault(client_for, back):
    membership = MembershipFactory(organisation=ProviderFactory().organisation)
    typed = {"role": f"provider:{membership.organisation_id}", "next": back}
    answer = client_for(membership.user).post(reverse("switch_role"), typed)
    assert answer.status_code == 302
    assert set(answer.url).isdisjoint("\r\n\0")


def test_a_click_after_the_session_has_ended_leads_back_to_its_page_once_signed_in(client, at):
    dossier = DossierFactory(at=at, proposed=True)
    page = reverse("dossier", args=[dossier.pk])
    clicked = client.post(
        reverse("dossier_accept", args=[dossier.pk]), headers={"referer": f"http://testserver{page}?a=1"}
    )
    assert clicked.status_code == 302
    user = dossier.holder.user
    back = client.post(clicked.url, {"login": user.email, "password": PASSWORD, "next": f"{page}?a=1"})
    assert clicked.url == f"{reverse('account_login')}?next={page}%3Fa%3D1"
    assert client.get(back.url).status_code == 200


@pytest.mark.parametrize(
    "referer",
    ["", "https://ailleurs.example/mes-dossiers", "http://testserver//ailleurs.example/", "n’importe quoi"],
)
def test_a_click_from_nowhere_we_know_leads_home_once_signed_in(client, at, referer):
    back = reverse("home")
    dossier = DossierFactory(at=at, proposed=True)
    clicked = client.post(reverse("dossier_accept", args=[dossier.pk]), headers={"referer": referer})
    user = dossier.holder.user
    typed = {"login": user.email, "password": PASSWORD}
    back = client.post(
        clicked.url, typed | {"next": client.get(clicked.url).context.get("redirect_field_value", "")}
    )
    assert back.url.startswith("/") and not back.url.startswith("//")
    assert client.get(back.url).status_code == 200


def test_what_belongs_to_someone_stays_in_no_cache(client_for, client, at):
    dossier = DossierFactory(at=at, accepted=True)
    signed_in = client_for(dossier.holder.user)
    urls = [
        reverse("home"),
        reverse("rights"),
        reverse("rights_statement_file"),
        reverse("profile"),
        reverse("dossiers"),
        reverse("dossier", args=[dossier.pk]),
        reverse("notices"),
        reverse("help"),
        reverse("search"),
        reverse("provider_inbox"),  # 403, with one's name in the header
        "/mes-dossiers/rien",
    ]
    for url in urls:
        kept = signed_in.get(url).headers["Cache-Control"]
        assert "no-store" in kept and "private" in kept, url
    # Nobody signed in: nothing to hide, and « Back » is quicker.
    assert "no-store" not in client.get(reverse("search")).headers.get("Cache-Control", "")


def test_no_page_can_be_framed_by_another_site(client_for, client):
    signed_in = client_for(HolderFactory().user)
    for browser, url in ((signed_in, reverse("rights")), (client, reverse("account_login"))):
        headers = browser.get(url).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["profile", "activation", "switch_role", "account_login", "account_logout"])
def test_a_form_from_another_site_is_refused(name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(HolderFactory().user)
    assert client.post(reverse(name), {"role": "holder"}).status_code == 403


def test_a_closed_access_ends_at_the_next_click_and_opens_no_more(client_for, client):
    holder = HolderFactory()
    browser = client_for(holder.user)
    User.objects.filter(pk=holder.user_id).update(is_active=False)
    assert browser.get(reverse("rights")).status_code == 302
    answer = client.post(reverse("account_login"), {"login": holder.user.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    assert answer.status_code in (302, 422)


def test_an_address_that_was_never_confirmed_gives_no_new_password(client, mailoutbox):
    """At a computer left open, a thief would add theirs, then say the password was forgotten."""
    user = UserFactory()
    EmailAddress.objects.create(user=user, email="voleur@exemple.fr", verified=False, primary=False)
    client.post(reverse("account_reset_password"), {"email": "voleur@exemple.fr"})
    assert [message.subject for message in mailoutbox] == ["Aucun compte à cette adresse"]
    # Without our form, allauth would send it.
    assert user in filter_users_by_email("voleur@exemple.fr", is_active=True, prefer_verified=True)


def test_at_a_computer_left_open_nobody_adds_an_address_without_the_password(client_for, mailoutbox):
    browser = client_for(HolderFactory().user)
    answer = browser.post(reverse("account_email"), {"email": "voleur@exemple.fr", "action_add": "1"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert browser.post(answer.url, {"password": "pas le bon du tout"}).status_code == 422
    assert not mailoutbox and not EmailAddress.objects.filter(email="voleur@exemple.fr").exists()


def test_a_session_key_that_nobody_was_given_is_a_visitor_on_every_page(client):
    for name in ("home", "account_login", "search"):
        for key in ('"abcdefgh\\000ijklmnopqrstuvwxyz01234"', "é" * 32, "a" * 5000, "A" * 32, "../" * 12):
            answer = client.get(reverse(name), headers={"cookie": f"sessionid={key}"})
            assert answer.status_code == 200, (name, key)
    answer = client.get(reverse("account"), headers={"cookie": 'sessionid="abcdefgh\\000ijklmnopqrstuvwx"'})
    assert answer.status_code == 302


def test_an_invited_address_that_cannot_be_kept_is_told_beside_its_field(client_for):
    provider = ProviderFactory()
    boss = MembershipFactory(organisation=provider.organisation, role="manager").user
    long = f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.fr"
    for email in (long, "a\x00@exemple.fr", "x" * 5000, "🎓"):
        typed = {"email": email, "role": "member"}
        answer = client_for(boss).post(reverse("provider_team_invite"), typed)
        assert answer.status_code == 422, email
        assert 'href="#id_email"' in answer.text
    assert not Invitation.objects.exists()


# --- The administration ---------------------------------------------------------------------------------


def a_clerk(*codenames):
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def test_who_may_change_people_makes_nobody_more_powerful_not_even_themselves(client_for):
    clerk = a_clerk("change_user", "view_user")
    url = reverse("admin:accounts_user_change", args=[clerk.pk])
    typed = {
        "email": clerk.email,
        "first_name": "Zoé",
        "language": "fr",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
    }
    typed["user_permissions"] = [Permission.objects.get(codename="change_organisation").pk]
    typed |= {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    assert client_for(clerk).post(url, typed).status_code == 302
    clerk = User.objects.get(pk=clerk.pk)
    assert clerk.first_name == "Zoé"
    assert not clerk.is_superuser
    assert not clerk.has_perm("accounts.change_organisation")


def test_who_may_change_groups_gives_themselves_nothing(client_for):
    clerk = a_clerk(*(f"{verb}_group" for verb in ("add", "change", "delete", "view")))
    group = Group.objects.create(name="aide")
    clerk.groups.add(group)
    power = Permission.objects.get(codename="reverse_movement")
    for name, arguments in (("change", [group.pk]), ("add", []), ("delete", [group.pk])):
        url = reverse(f"admin:auth_group_{name}", args=arguments)
        typed = {"name": "autre", "permissions": [power.pk], "post": "yes"}
        assert client_for(clerk).post(url, typed).status_code == 403, name
    assert not User.objects.get(pk=clerk.pk).has_perm("rights.reverse_movement")
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    url = reverse("admin:auth_group_change", args=[group.pk])
    assert chief.post(url, {"name": "aide", "permissions": [power.pk]}).status_code == 302
    assert User.objects.get(pk=clerk.pk).has_perm("rights.reverse_movement")


def test_nobody_of_the_administration_confirms_an_address_in_the_place_of_its_owner(client_for, at):
    """An address that is confirmed opens the invitations sent to it: the clerk would join the team."""
    clerk = a_clerk(*(f"{verb}_emailaddress" for verb in ("add", "change", "delete", "view")))
    invitation = InvitationFactory(email="dirigeante@lices.example")
    own = EmailAddress.objects.create(user=clerk, email="dirigeante@lices.example", verified=False)
    browser = client_for(clerk)
    listed = reverse("admin:account_emailaddress_changelist")
    assert browser.get(listed).status_code == 200
    browser.post(listed, {"action": "make_verified", "_selected_action": [own.pk]})
    typed = {"user": clerk.pk, "email": own.email, "verified": "on", "primary": ""}
    for name, arguments in (("change", [own.pk]), ("add", []), ("delete", [own.pk])):
        url = reverse(f"admin:account_emailaddress_{name}", args=arguments)
        assert browser.post(url, typed | {"post": "yes"}).status_code == 403, name
    own.refresh_from_db()
    assert not own.verified
    assert browser.post(reverse("invitation_accept", args=[invitation.pk])).status_code == 422
    assert not Membership.objects.filter(user=clerk).exists()


@pytest.mark.parametrize("view", ["change", "delete", "password"])
def test_who_may_change_people_takes_over_nobody_of_the_administration(client_for, view):
    chief = UserFactory(is_staff=True, is_superuser=True)
    clerk = client_for(a_clerk("change_user", "view_user", "delete_user"))
    name = {"password": "auth_user_password_change"}.get(view, f"accounts_user_{view}")
    before = User.objects.get(pk=chief.pk).password
    new = "cinq autres mots bien longs"
    typed = {
        "email": chief.email,
        "password1": new,
        "password2": new,
        "usable_password": "true",
        "post": "yes",
    }
    assert clerk.post(reverse(f"admin:{name}", args=[chief.pk]), typed).status_code == 403
    assert User.objects.get(pk=chief.pk).password == before


def test_deleting_someone_never_erases_what_they_did(client_for, at):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    former = UserFactory(is_staff=True)
    LogEntry.objects.create(
        user=former,
        content_type=ContentType.objects.get_for_model(User),
        object_id="1",
        object_repr="x",
        action_flag=2,
    )
    url = reverse("admin:accounts_user_delete", args=[former.pk])
    assert chief.post(url, {"post": "yes"}).status_code == 403
    listed = {"action": "delete_selected", "_selected_action": [former.pk], "post": "yes"}
    chief.post(reverse("admin:accounts_user_changelist"), listed)
    assert User.objects.filter(pk=former.pk).exists()
    assert LogEntry.objects.filter(user=former).exists()


def test_a_person_who_left_a_trace_or_holds_an_account_is_never_deleted(at):
    holder, seen = HolderFactory(), UserFactory()
    journal.record(by=Actor(role=Role.ADMIN, user=seen), action="essai", subject=holder, at=at)
    for person in (holder.user, seen):
        with pytest.raises(ProtectedError), transaction.atomic():
            person.delete()


def test_an_organisation_that_teaches_is_never_deleted_and_keeps_its_people(client_for):
    membership = MembershipFactory(organisation=ProviderFactory().organisation)
    OfferFactory(provider=membership.organisation.provider)
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    chief.post(
        reverse("admin:accounts_organisation_delete", args=[membership.organisation_id]), {"post": "yes"}
    )
    assert Membership.objects.filter(pk=membership.pk).exists()


@pytest.mark.parametrize(
    "model",
    [
        *("user", "holderprofile", "organisation", "membership", "activationattempt", "journalentry"),
        *("invitation", "signin", "loginsession"),
    ],
)
def test_the_searches_of_the_administration_take_any_sign(client_for, model):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    for query in ("%", "_", "\\", "'", NUL, "🎓"):
        assert chief.get(reverse(f"admin:accounts_{model}_changelist"), {"q": query}).status_code == 200

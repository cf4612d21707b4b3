"""Teams: invitations, roles, leaving, the last manager; and what strangers, members and thieves cannot do."""

import datetime

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import teams
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import Invitation, JournalEntry, Membership, User
from accounts.permissions import NotAllowed, check_manager, is_manager
from notices.models import Notice
from tests.factories.accounts import (
    PASSWORD,
    HolderFactory,
    MembershipFactory,
    OrganisationFactory,
    UserFactory,
)
from tests.factories.dossiers import admin_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

NEW = "claire@exemple.fr"


def actor(membership):
    return Actor(role=Role.PROVIDER, user=membership.user, organisation=membership.organisation)


@pytest.fixture
def organisation():
    return OrganisationFactory(name="Atelier Nord", email="accueil@atelier.example")


@pytest.fixture
def manager(organisation):
    return MembershipFactory(organisation=organisation, role="manager")


@pytest.fixture
def colleague(organisation):
    return MembershipFactory(organisation=organisation)


@pytest.fixture
def stranger():
    """A manager, of another organisation."""
    return MembershipFactory(role="manager")


@pytest.fixture
def invited(manager, at):
    return invite(manager, at)


def invite(by, at, email=NEW, role="member"):
    return teams.invite(by.organisation_id, by=actor(by), at=at, email=email, role=role)


def person(email=NEW, **fields):
    return UserFactory(email=email, **fields)


def as_themselves(user):
    return Actor(role=Role.HOLDER, user=user)


def kinds(user):
    return sorted(Notice.objects.filter(user=user).values_list("kind", flat=True))


# --- Inviting ---------------------------------------------------------------------------------------


def test_an_invitation_is_a_mail_to_an_address_for_a_fortnight(manager, at):
    noon = datetime.datetime(2026, 5, 12, 12, 0, tzinfo=at.tzinfo)
    found = invite(manager, noon, role="manager")
    notice = Notice.objects.get(kind="invitation")
    assert (notice.email, notice.user) == (NEW, None)
    assert notice.link == reverse("invitation", args=[found.pk])
    assert notice.facts["until"] == "mardi 26\u00a0mai 2026 à\u00a0minuit"
    assert (found.role, found.invited_by) == ("manager", manager.user)
    assert JournalEntry.objects.get().details == {"role": "manager"}


def test_the_verb_does_the_same_whether_or_not_the_address_has_an_account(
    manager, at, django_assert_num_queries
):
    """The same queries, the same page: nobody learns who has an account by inviting."""
    person()
    HolderFactory(user=person("titulaire@exemple.fr"))
    shown = []
    for number, email in enumerate((NEW, "titulaire@exemple.fr", "personne@exemple.fr")):
        with django_assert_num_queries(12):
            found = invite(manager, at + datetime.timedelta(seconds=number), email=email)
        shown.append((found.times_sent, found.accepted_by, Notice.objects.filter(email=email).count()))
    assert set(shown) == {(1, None, 1)}


def test_a_second_click_sends_nothing_more(manager, at):
    first = invite(manager, at)
    assert invite(manager, at, email=NEW.upper()) == first
    assert Notice.objects.filter(kind="invitation").count() == 1
    with pytest.raises(Refused, match="autre rôle") as refused:
        invite(manager, at, role="manager")
    assert refused.value.field == "email"


def test_someone_of_the_team_is_not_invited(manager, colleague, at):
    with pytest.raises(Refused, match="déjà partie"):
        invite(manager, at, email=colleague.user.email.upper())


def test_an_invitation_over_its_term_is_replaced(manager, invited, at):
    later = invited.expires_at
    again = invite(manager, later)
    assert again != invited
    invited.refresh_from_db()
    assert invited.revoked_at == later


def test_a_team_does_not_flood_mailboxes(manager, at, monkeypatch):
    monkeypatch.setattr(teams, "INVITATIONS_WAITING_MAX", 2)
    monkeypatch.setattr(teams, "INVITATIONS_A_DAY_MAX", 3)
    first, _second = invite(manager, at, "a@exemple.fr"), invite(manager, at, "b@exemple.fr")
    with pytest.raises(Refused, match="attendent déjà"):
        invite(manager, at, "c@exemple.fr")
    # Taken back and sent anew, again and again, it counts too.
    teams.revoke(first.pk, by=actor(manager), at=at)
    third = invite(manager, at, "a@exemple.fr")
    teams.revoke(third.pk, by=actor(manager), at=at)
    with pytest.raises(Refused, match="en un jour"):
        invite(manager, at, "a@exemple.fr")
    assert invite(manager, at + datetime.timedelta(days=1, seconds=1), "a@exemple.fr")


def test_sent_again_it_has_a_full_term_but_not_at_once_nor_for_ever(manager, invited, at):
    by = actor(manager)
    with pytest.raises(Refused, match="Attendez"):
        teams.resend(invited.pk, by=by, at=at)
    moment = at
    for _ in range(teams.SENDINGS_MAX - 1):
        moment += datetime.timedelta(days=1)
        sent = teams.resend(invited.pk, by=by, at=moment)
    assert sent.expires_at > moment + datetime.timedelta(days=teams.INVITATION_DAYS)
    assert Notice.objects.filter(kind="invitation", email=NEW).count() == teams.SENDINGS_MAX
    with pytest.raises(Refused, match="plusieurs fois"):
        teams.resend(invited.pk, by=by, at=moment + datetime.timedelta(days=1))


@pytest.mark.parametrize("verb", [teams.resend, teams.revoke])
def test_an_invitation_that_was_answered_or_taken_back_is_over(manager, invited, at, verb):
    teams.revoke(invited.pk, by=actor(manager), at=at)
    with pytest.raises(Refused, match="n’attend plus"):
        verb(invited.pk, by=actor(manager), at=at)


# --- Accepting --------------------------------------------------------------------------------------


def test_accepted_by_the_invited_address_everyone_is_told(manager, invited, at):
    user = person()
    membership = teams.accept(invited.pk, by=as_themselves(user), at=at)
    assert (membership.user, membership.role, membership.since) == (user, "member", at)
    assert kinds(user) == ["membership_given"]
    assert kinds(manager.user) == ["team_changed"]
    assert JournalEntry.objects.filter(action="member_joined", user=user).exists()


def test_an_address_that_only_looks_the_same_opens_nothing(invited, at):
    """PostgreSQL writes « ı » as « I » in capitals: compared so, this domain of somebody else would do."""
    user = person("claire@exemple.fr".replace("i", "ı"))
    assert User.objects.filter(email__iexact=NEW).get() == user
    assert not teams.invitations_for(user, at=at).exists()
    with pytest.raises(Refused, match="autre adresse"):
        teams.accept(invited.pk, by=as_themselves(user), at=at)


@pytest.mark.parametrize("case", ["other", "unconfirmed", "cased"])
def test_a_forwarded_invitation_lets_nobody_else_in(invited, at, case):
    user = {
        "other": lambda: person("collegue@exemple.fr"),
        "unconfirmed": lambda: person(confirmed=False),
        "cased": lambda: person(NEW.upper()),
    }[case]()
    if case == "cased":
        assert teams.accept(invited.pk, by=as_themselves(user), at=at)
        return
    with pytest.raises(Refused, match="autre adresse"):
        teams.accept(invited.pk, by=as_themselves(user), at=at)
    assert not Membership.objects.filter(user=user).exists()


def test_accepted_twice_it_is_one_membership_and_replayed_after_leaving_nothing(manager, invited, at):
    user = person()
    by = as_themselves(user)
    membership = teams.accept(invited.pk, by=by, at=at)
    assert teams.accept(invited.pk, by=by, at=at) == membership
    assert kinds(user) == ["membership_given"]
    teams.remove(membership.pk, by=actor(manager), at=at)
    with pytest.raises(Refused, match="ne sert plus"):
        teams.accept(invited.pk, by=by, at=at)
    assert not Membership.objects.filter(user=user).exists()


@pytest.mark.parametrize("end", ["expired", "revoked", "inviter removed", "inviter demoted"])
def test_an_invitation_that_is_over_opens_nothing(manager, invited, at, end):
    user = person()
    chief = MembershipFactory(organisation=manager.organisation, role="manager")
    if end == "revoked":
        teams.revoke(invited.pk, by=actor(manager), at=at)
    if end == "inviter removed":
        teams.remove(manager.pk, by=actor(chief), at=at)
    if end == "inviter demoted":
        teams.change_role(manager.pk, by=actor(chief), at=at, role="member")
    moment = invited.expires_at if end == "expired" else at
    with pytest.raises(Refused, match="ne sert plus"):
        teams.accept(invited.pk, by=as_themselves(user), at=moment)
    assert not Membership.objects.filter(user=user).exists()


def test_until_the_last_instant_it_opens(invited, at):
    moment = invited.expires_at - datetime.timedelta(microseconds=1)
    assert teams.accept(invited.pk, by=as_themselves(person()), at=moment)


def test_an_old_invitation_raises_nobody(manager, at):
    """Joined otherwise meanwhile: the role one has stays."""
    found = invite(manager, at, role="manager")
    user = person()
    teams.add(manager.organisation_id, user=user, role="member", by=SYSTEM, at=at)
    assert teams.accept(found.pk, by=as_themselves(user), at=at).role == "member"


# --- Roles and leaving ------------------------------------------------------------------------------


def test_a_role_changes_and_both_sides_are_told(manager, colleague, at):
    assert teams.change_role(colleague.pk, by=actor(manager), at=at, role="manager").role == "manager"
    assert kinds(colleague.user) == ["membership_changed"]
    assert kinds(manager.user) == ["team_changed"]
    teams.change_role(colleague.pk, by=actor(manager), at=at, role="manager")
    assert kinds(colleague.user) == ["membership_changed"]


def test_the_last_manager_neither_leaves_nor_is_demoted(manager, colleague, at):
    closed = MembershipFactory(
        organisation=manager.organisation, role="manager", user__is_active=False
    )  # cannot sign in: counts for nothing
    for verb in (
        lambda: teams.remove(manager.pk, by=actor(manager), at=at),
        lambda: teams.change_role(manager.pk, by=actor(manager), at=at, role="member"),
        lambda: teams.remove(manager.pk, by=admin_actor(), at=at),
    ):
        with pytest.raises(Refused, match="dernier responsable"):
            verb()
    teams.change_role(colleague.pk, by=actor(manager), at=at, role="manager")
    teams.remove(manager.pk, by=actor(manager), at=at)
    assert set(manager.organisation.memberships.values_list("pk", flat=True)) == {colleague.pk, closed.pk}


def test_a_member_leaves_by_themselves_and_acts_no_more(client_for, manager, colleague, at):
    browser = client_for(colleague.user)
    assert browser.get(reverse("provider_team")).status_code == 200
    answer = browser.post(reverse("provider_member_remove", args=[colleague.pk]), follow=True)
    assert "Vous avez quitté" in answer.text
    assert browser.get(reverse("provider_team")).status_code == 403
    assert Notice.objects.get(user=colleague.user).facts["change"] == "left"
    assert Notice.objects.get(user=manager.user).facts["change"] == "left"


def test_a_member_decides_nothing(manager, colleague, invited, at):
    by = actor(colleague)
    assert not is_manager(by) and is_manager(actor(manager))
    with pytest.raises(NotAllowed):
        check_manager(by)
    for verb in (
        lambda: teams.invite(by.organisation_id, by=by, at=at, email="x@exemple.fr", role="manager"),
        lambda: teams.resend(invited.pk, by=by, at=at),
        lambda: teams.revoke(invited.pk, by=by, at=at),
        lambda: teams.change_role(colleague.pk, by=by, at=at, role="manager"),
        lambda: teams.change_role(manager.pk, by=by, at=at, role="member"),
        lambda: teams.remove(manager.pk, by=by, at=at),
        lambda: teams.change_details(by.organisation_id, by=by, at=at, email="x@exemple.fr", phone=""),
        lambda: teams.add(by.organisation_id, user=person("y@exemple.fr"), role="manager", by=by, at=at),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_a_manager_elsewhere_decides_nothing_here(manager, colleague, stranger, invited, at):
    here = Actor(role=Role.PROVIDER, user=stranger.user, organisation=manager.organisation)
    for by in (actor(stranger), here):  # the second says they act for this organisation
        for verb in (
            lambda by=by: teams.invite(
                manager.organisation_id, by=by, at=at, email="x@exemple.fr", role="manager"
            ),
            lambda by=by: teams.revoke(invited.pk, by=by, at=at),
            lambda by=by: teams.change_role(colleague.pk, by=by, at=at, role="manager"),
            lambda by=by: teams.remove(colleague.pk, by=by, at=at),
            lambda by=by: teams.change_details(manager.organisation_id, by=by, at=at, email="", phone=""),
        ):
            with pytest.raises(NotAllowed):
                verb()


def test_a_manager_who_was_demoted_decides_no_more_whatever_their_page_showed(manager, colleague, at):
    teams.change_role(colleague.pk, by=actor(manager), at=at, role="manager")
    teams.change_role(manager.pk, by=actor(colleague), at=at, role="member")
    with pytest.raises(NotAllowed):
        teams.remove(colleague.pk, by=actor(manager), at=at)


# --- How it is reached ------------------------------------------------------------------------------


def test_new_details_are_told_to_managers_and_to_both_mailboxes(manager, colleague, at):
    organisation = manager.organisation
    changed = teams.change_details(
        organisation.pk, by=actor(manager), at=at, email="neuf@atelier.example", phone="01 23 45 67 89"
    )
    assert changed == ["email", "phone"]
    told = set(Notice.objects.values_list("email", flat=True))
    assert told == {"neuf@atelier.example", "accueil@atelier.example", manager.user.email}
    same = {"email": "neuf@atelier.example", "phone": "01 23 45 67 89"}
    assert teams.change_details(organisation.pk, by=actor(manager), at=at, **same) == []


def test_the_page_of_details_checks_the_phone_and_refuses_members(client_for, manager, colleague):
    page = reverse("provider_organisation")
    browser = client_for(manager.user)
    bad = browser.post(page, {"email": "pas une adresse", "phone": "12"})
    assert bad.status_code == 422
    assert 'href="#id_email"' in bad.text and 'href="#id_phone"' in bad.text
    good = {"email": "neuf@atelier.example", "phone": "+33 1 23 45 67 89"}
    assert browser.post(page, good).status_code == 302
    manager.organisation.refresh_from_db()
    assert manager.organisation.phone == "01 23 45 67 89"
    assert "à jour" in browser.get(page).text
    assert "rien changé" in browser.post(page, good, follow=True).text
    assert 'name="phone"' not in client_for(colleague.user).get(page).text
    assert client_for(colleague.user).post(page, good).status_code == 403


# --- The pages --------------------------------------------------------------------------------------


def test_a_manager_invites_sends_again_and_takes_back(client_for, manager, monkeypatch):
    browser = client_for(manager.user)
    bad = browser.post(reverse("provider_team_invite"), {"email": "x", "role": "chef"})
    assert bad.status_code == 422 and 'href="#id_email"' in bad.text
    answer = browser.post(reverse("provider_team_invite"), {"email": NEW, "role": "member"}, follow=True)
    assert f"L’invitation est partie à {NEW}" in answer.text
    found = Invitation.objects.get()
    resend = reverse("provider_invitation_resend", args=[found.pk])
    assert browser.post(resend).status_code == 422
    monkeypatch.setattr(teams, "PAUSE_BETWEEN_SENDINGS", datetime.timedelta(0))
    assert browser.post(resend).status_code == 302
    assert browser.post(reverse("provider_invitation_revoke", args=[found.pk])).status_code == 302
    assert (
        NEW not in browser.get(reverse("provider_team")).text.partition("</main")[0].rpartition("</div>")[2]
    )
    assert browser.post(resend).status_code == 422


def test_a_member_of_the_team_is_told_beside_the_field(client_for, manager, colleague):
    answer = client_for(manager.user).post(
        reverse("provider_team_invite"), {"email": colleague.user.email, "role": "member"}
    )
    assert answer.status_code == 422
    assert answer.context["form"].errors["email"]
    assert colleague.user.email in answer.text


def test_only_managers_read_the_addresses_of_who_is_invited(client_for, manager, colleague, invited):
    assert NEW in client_for(manager.user).get(reverse("provider_team")).text
    assert NEW not in client_for(colleague.user).get(reverse("provider_team")).text
    for name in ("provider_invitation_resend", "provider_invitation_revoke"):
        assert client_for(colleague.user).post(reverse(name, args=[invited.pk])).status_code == 403


def test_ids_of_another_organisation_do_not_exist(client_for, manager, colleague, stranger, invited):
    browser = client_for(stranger.user)
    for name in ("provider_member_role", "provider_member_remove"):
        address = reverse(name, args=[colleague.pk])
        assert browser.post(address, {"role": "manager"}).status_code == 404
    assert browser.get(reverse("provider_member", args=[colleague.pk])).status_code == 404
    for name in ("provider_invitation_resend", "provider_invitation_revoke"):
        assert browser.post(reverse(name, args=[invited.pk])).status_code == 404
    assert browser.get(reverse("provider_member", args=[10**30])).status_code == 404


def test_a_member_raises_nobody_by_hand_written_forms(client_for, manager, colleague):
    browser = client_for(colleague.user)
    role = reverse("provider_member_role", args=[colleague.pk])
    assert browser.post(role, {"role": "manager"}).status_code == 403
    invite_page = reverse("provider_team_invite")
    assert browser.post(invite_page, {"email": "x@exemple.fr", "role": "manager"}).status_code == 403
    assert browser.post(reverse("provider_member_remove", args=[manager.pk])).status_code == 403
    colleague.refresh_from_db()
    assert colleague.role == "member" and not Invitation.objects.exists()


def test_roles_change_and_people_leave_from_their_page(client_for, manager, colleague):
    browser = client_for(manager.user)
    page = browser.get(reverse("provider_member", args=[manager.pk]))
    assert "dernier responsable" in page.text and "Quitter l’équipe" not in page.text
    role = reverse("provider_member_role", args=[colleague.pk])
    assert browser.post(role, {"role": "chef"}).status_code == 422
    assert browser.post(role, {"role": "manager"}).status_code == 302
    assert "Quitter l’équipe" in browser.get(reverse("provider_member", args=[manager.pk])).text
    assert browser.post(reverse("provider_member_remove", args=[colleague.pk])).status_code == 302
    refused = browser.post(reverse("provider_member_role", args=[manager.pk]), {"role": "member"})
    assert refused.status_code == 422 and "dernier responsable" in refused.text


def test_a_team_without_manager_is_told_what_to_do(client_for, colleague):
    page = client_for(colleague.user).get(reverse("provider_team")).text
    assert "Aucun responsable" in page and "Inviter quelqu’un" not in page


@pytest.mark.parametrize("size", [1, 3])
def test_the_team_page_costs_the_same_for_a_large_team(
    client_for, manager, at, size, django_assert_num_queries
):
    for number in range(size):
        MembershipFactory(organisation=manager.organisation)
        invite(manager, at, email=f"invite{number}@exemple.fr")
    browser = client_for(manager.user)
    browser.get(reverse("provider_team"))
    # session, person, account, memberships; members, invitations; what is unread
    with django_assert_num_queries(7):
        browser.get(reverse("provider_team"))


# --- The invitation page ----------------------------------------------------------------------------


def test_a_visitor_reads_it_signs_up_and_joins(invited):
    browser = Client()
    page = reverse("invitation", args=[invited.pk])
    shown = browser.get(page)
    assert shown.status_code == 200 and "Rejoindre Atelier Nord" in shown.text
    assert browser.post(reverse("invitation_accept", args=[invited.pk])).status_code == 302
    assert not Membership.objects.filter(user__email=NEW).exists()

    form = {"email": NEW, "password1": PASSWORD, "password2": PASSWORD}
    browser.post(f"{reverse('account_signup')}?next={page}", form)
    user = User.objects.get(email=NEW)
    assert not teams.invitations_for(user, at=invited.created_at).exists()  # not confirmed yet
    user.emailaddress_set.update(verified=True)
    # Signed in by the plain door, they are led to what waits for them.
    answer = browser.post(reverse("account_login"), {"login": NEW, "password": PASSWORD})
    assert answer.url == page
    assert "vous invite" in browser.get(reverse("account")).text
    answer = browser.post(reverse("invitation_accept", args=[invited.pk]), follow=True)
    assert "Vous agissez maintenant pour" in answer.text
    assert browser.get(reverse("provider_team")).status_code == 200
    assert "Vous avez accepté" in browser.get(page).text


def test_someone_else_signed_in_is_told_why_and_lets_themselves_out(client_for, invited):
    other = person("collegue@exemple.fr")
    browser = client_for(other)
    page = browser.get(reverse("invitation", args=[invited.pk])).text
    assert "autre adresse" in page and other.email in page and "Me déconnecter" in page
    assert 'action="/invitations/' not in page
    refused = browser.post(reverse("invitation_accept", args=[invited.pk]))
    assert refused.status_code == 422
    assert not Membership.objects.filter(user=other).exists()


def test_once_over_the_page_names_nobody(client, manager, invited, at):
    teams.revoke(invited.pk, by=actor(manager), at=at)
    page = client.get(reverse("invitation", args=[invited.pk])).text
    assert "ne sert plus" in page
    assert NEW not in page and "Atelier Nord" not in page


def test_an_invitation_that_never_was_is_not_found(client, client_for):
    unknown = reverse("invitation", args=["00000000-0000-4000-8000-000000000000"])
    assert client.get(unknown).status_code == 404
    assert client_for(person()).post(f"{unknown}/accepter").status_code == 404


@pytest.mark.parametrize(
    "name", ["provider_team_invite", "account_freeze", "account_thaw", "account_sessions_end", "my_data"]
)
def test_a_form_from_another_site_is_refused(name, manager):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(manager.user)
    assert browser.post(reverse(name), {"email": NEW, "role": "manager"}).status_code == 403


def test_an_invitation_nobody_accepted_is_forgotten_some_day(invited, manager, at):
    accepted = invite(manager, at, email="autre@exemple.fr")
    teams.accept(accepted.pk, by=as_themselves(person("autre@exemple.fr")), at=at)
    assert teams.purge_invitations(at=invited.expires_at + teams.INVITATION_KEPT) == 0
    later = invited.expires_at + teams.INVITATION_KEPT + datetime.timedelta(seconds=1)
    assert teams.purge_invitations(at=later) == 1
    assert Invitation.objects.get() == accepted


# --- The administration -----------------------------------------------------------------------------


def test_the_administration_gives_changes_and_takes_through_the_verbs(client_for, organisation):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    user = person()
    add = reverse("admin:accounts_membership_add")
    form = {"user": user.pk, "organisation": organisation.pk, "role": "manager"}
    assert chief.post(add, form).status_code == 302
    membership = Membership.objects.get()
    assert membership.since and kinds(user) == ["membership_given"]
    page = reverse("admin:accounts_membership_change", args=[membership.pk])
    assert chief.get(page).status_code == 200
    refused = chief.post(page, {"role": "member"}, follow=True)
    assert "dernier responsable" in refused.text
    delete = reverse("admin:accounts_membership_delete", args=[membership.pk])
    assert "dernier responsable" in chief.post(delete, {"post": "yes"}, follow=True).text
    membership.refresh_from_db()
    assert membership.role == "manager"
    MembershipFactory(organisation=organisation, role="manager")
    assert chief.post(page, {"role": "member"}).status_code == 302
    assert chief.post(delete, {"post": "yes"}).status_code == 302
    assert kinds(user) == ["membership_changed", "membership_given", "membership_removed"]
    # What the verbs wrote, beside the pages looked at and the forms sent (portal.looks).
    written = JournalEntry.objects.filter(role="admin").exclude(action__startswith="membership_")
    assert written.count() == 3


def test_the_administration_changes_details_through_the_verb(client_for, organisation):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    page = reverse("admin:accounts_organisation_change", args=[organisation.pk])
    form = {"siret": organisation.siret, "name": "Atelier Sud", "email": "neuf@atelier.example", "phone": ""}
    assert chief.post(page, form).status_code == 302
    organisation.refresh_from_db()
    assert (organisation.name, organisation.email) == ("Atelier Sud", "neuf@atelier.example")
    told = set(Notice.objects.values_list("email", flat=True))
    assert told == {"neuf@atelier.example", "accueil@atelier.example"}
    assert Notice.objects.first().facts["who"] == "Le portail"


def test_a_manager_is_not_deleted_with_their_login(client_for, manager):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    assert chief.post(reverse("admin:accounts_user_delete", args=[manager.user_id])).status_code == 403
    listed = {"action": "delete_selected", "_selected_action": [manager.user_id], "post": "yes"}
    chief.post(reverse("admin:accounts_user_changelist"), listed)
    assert Membership.objects.filter(pk=manager.pk).exists()


def test_a_password_chosen_by_the_administration_is_told_and_ends_sessions(client_for):
    chief, user = client_for(UserFactory(is_staff=True, is_superuser=True)), person()
    browser = client_for(user)
    new = "cinq autres mots bien longs"
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    assert chief.post(url, {"password1": new, "password2": new, "usable_password": "true"}).status_code == 302
    assert kinds(user) == ["password_changed"]
    assert browser.get(reverse("account")).status_code == 302


def test_nothing_is_told_of_what_was_undone(manager, at):
    with pytest.raises(RuntimeError), transaction.atomic():
        invite(manager, at)
        raise RuntimeError
    assert not Notice.objects.exists() and not Invitation.objects.exists()

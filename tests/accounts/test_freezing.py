"""« Geler mon compte »: what stops, what goes on, who thaws and when, and who is told."""

import datetime
import uuid

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import activation, freezing, profiles
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import HolderProfile, JournalEntry, LoginSession
from accounts.permissions import NotAllowed, enrolment_obstacle
from dossiers import workflow
from dossiers.states import State
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import PASSWORD, HolderFactory, MembershipFactory, UserFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, holder_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

TUESDAY = datetime.datetime(2026, 5, 12, 15, 0, tzinfo=workdays.PARIS)
A_MINUTE_BEFORE = TUESDAY - datetime.timedelta(minutes=1)


def frozen(holder, at=A_MINUTE_BEFORE):
    return freezing.freeze(holder.pk, by=holder_actor(holder), at=at)


def kinds(email):
    return list(Notice.objects.filter(email=email).order_by("created_at").values_list("kind", flat=True))


# --- Who may, and when it ends ------------------------------------------------------------------------


def test_frozen_by_its_holder_it_thaws_at_midnight_after_a_whole_day(holder):
    by = holder_actor(holder)
    assert frozen(holder).is_frozen(on=TUESDAY.date())
    thawing = freezing.ask_thaw(holder.pk, by=by, at=TUESDAY)
    assert thawing.thaws_on == datetime.date(2026, 5, 14)
    assert thawing.is_frozen(on=datetime.date(2026, 5, 13))
    assert not thawing.is_frozen(on=datetime.date(2026, 5, 14))
    assert freezing.next_thaw(at=TUESDAY) == "mercredi 13\u00a0mai 2026 à\u00a0minuit"
    assert kinds(holder.user.email) == ["account_frozen", "account_thaw_asked"]
    assert list(JournalEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "account_frozen",
        "account_thaw_asked",
    ]


def test_asked_a_minute_before_midnight_a_whole_day_is_still_left(holder):
    late = datetime.datetime(2026, 5, 12, 23, 59, tzinfo=workdays.PARIS)
    frozen(holder)
    thaws_on = freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=late).thaws_on
    assert workdays.midnight_after(thaws_on - datetime.timedelta(days=1)) - late >= datetime.timedelta(days=1)


def test_asked_twice_the_first_moment_counts_and_is_told_once(holder):
    frozen(holder)
    for hours in (0, 20):
        at = TUESDAY + datetime.timedelta(hours=hours)
        thawing = freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=at)
    assert thawing.thaws_on == datetime.date(2026, 5, 14)
    assert kinds(holder.user.email).count("account_thaw_asked") == 1


def test_a_thaw_that_was_asked_is_called_off_and_can_be_asked_again(holder):
    by = holder_actor(holder)
    frozen(holder)
    freezing.ask_thaw(holder.pk, by=by, at=TUESDAY)
    kept = freezing.freeze(holder.pk, by=by, at=TUESDAY + datetime.timedelta(hours=1))
    assert kept.thaws_on is None and kept.is_frozen(on=datetime.date(2027, 1, 1))
    # Nothing more to call off: nothing more is told.
    freezing.freeze(holder.pk, by=by, at=TUESDAY + datetime.timedelta(hours=2))
    assert kinds(holder.user.email) == ["account_frozen", "account_thaw_asked", "account_frozen"]


def test_what_the_portal_freezes_only_the_portal_thaws(holder):
    admin, by = admin_actor(), holder_actor(holder)
    freezing.freeze(holder.pk, by=admin, at=A_MINUTE_BEFORE, reason="Démarchage signalé.")
    with pytest.raises(Refused, match="écrivez-nous"):
        freezing.ask_thaw(holder.pk, by=by, at=TUESDAY)
    # Frozen « again » by its holder, it does not become theirs to thaw.
    freezing.freeze(holder.pk, by=by, at=TUESDAY)
    with pytest.raises(Refused):
        freezing.ask_thaw(holder.pk, by=by, at=TUESDAY)
    for who in (by, SYSTEM):
        with pytest.raises(NotAllowed):
            freezing.thaw(holder.pk, by=who, at=TUESDAY)
    thawed = freezing.thaw(holder.pk, by=admin, at=TUESDAY)
    assert not thawed.is_frozen(on=TUESDAY.date()) and thawed.freeze_reason == ""
    assert kinds(holder.user.email) == ["account_frozen", "account_thawed"]
    assert Notice.objects.filter(kind="account_frozen").get().facts["reason"] == "Démarchage signalé."


def test_the_portal_takes_over_a_freeze_and_its_thaw(holder):
    frozen(holder)
    freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=TUESDAY)
    taken = freezing.freeze(holder.pk, by=admin_actor(), at=TUESDAY, reason="Vérification en cours.")
    assert taken.thaws_on is None and taken.is_frozen_by_portal


def test_the_portal_says_why(holder):
    with pytest.raises(Refused) as refused:
        freezing.freeze(holder.pk, by=admin_actor(), at=TUESDAY, reason="  ")
    assert refused.value.field == "reason"


def test_nobody_freezes_or_thaws_the_account_of_another(holder, other_holder):
    member = MembershipFactory()
    strangers = [
        holder_actor(other_holder),
        Actor(role=Role.PROVIDER, user=member.user, organisation=member.organisation),
        # Says administrator, is none.
        Actor(role=Role.ADMIN, user=other_holder.user),
    ]
    frozen(holder)
    for by in strangers:
        for verb in (freezing.freeze, freezing.ask_thaw, freezing.thaw):
            with pytest.raises(NotAllowed):
                verb(holder.pk, by=by, at=TUESDAY)
    assert not HolderProfile.objects.get(pk=other_holder.pk).frozen_at


def test_there_is_nothing_to_thaw_where_nothing_is_frozen(holder):
    with pytest.raises(Refused):
        freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=TUESDAY)
    with pytest.raises(Refused):
        freezing.thaw(holder.pk, by=admin_actor(), at=TUESDAY)


def test_half_a_freeze_cannot_be_written(holder):
    for half in ({"frozen_at": TUESDAY}, {"frozen_by": "holder"}, {"thaws_on": TUESDAY.date()}):
        with pytest.raises(IntegrityError, match="holder_is_frozen_by_somebody"), transaction.atomic():
            HolderProfile.objects.filter(pk=holder.pk).update(**half)


# --- What stops -----------------------------------------------------------------------------------------


def test_every_way_to_say_it_names_the_way_out(holder, rules, at):
    on = at.date()
    assert "Dégelez-le" in enrolment_obstacle(frozen(holder, at), on=on, rules=rules)
    asked = freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=at)
    assert "jusqu’au" in enrolment_obstacle(asked, on=on, rules=rules)
    assert enrolment_obstacle(asked, on=asked.thaws_on, rules=rules) is None
    portal = freezing.freeze(holder.pk, by=admin_actor(), at=at, reason="x")
    assert "Écrivez-nous" in enrolment_obstacle(portal, on=on, rules=rules)


def test_no_draft_no_request_no_validation(at, holder):
    draft = DossierFactory(at=at, holder=holder)
    proposed = DossierFactory(at=at, holder=holder, proposed=True)
    holder.refresh_from_db()
    frozen(holder, at)
    holder.refresh_from_db()
    by = holder_actor(holder)
    with pytest.raises(workflow.Refused, match="gelé"):
        workflow.create(draft.session_id, by=by, at=at, request_id=uuid.uuid4())
    for verb, dossier in (("submit", draft), ("accept", proposed)):
        with pytest.raises(workflow.Refused, match="gelé"):
            act(verb, dossier, at=at)
    proposed.refresh_from_db()
    assert proposed.state == State.PROPOSED


@pytest.mark.parametrize(
    ("verb", "state"), [("decline", "proposed"), ("cancel", "requested"), ("withdraw", "accepted")]
)
def test_what_protects_stays_possible(at, holder, verb, state):
    dossier = DossierFactory(at=at, holder=holder, **{state: True})
    frozen(holder, at)
    act(verb, dossier, at=at)
    dossier.refresh_from_db()
    assert dossier.state in (State.REFUSED_BY_HOLDER, State.CANCELLED_BY_HOLDER)


def test_the_profile_does_not_change_but_an_identity_is_corrected(at, holder):
    frozen(holder, at)
    with pytest.raises(Refused, match="gelé"):
        profiles.change(holder.pk, by=holder_actor(holder), at=at, values={"town": "Lyon"})
    assert profiles.correct_identity(holder.pk, by=admin_actor(), at=at, values={"used_name": "Zed"})
    holder.refresh_from_db()
    assert (holder.town, holder.used_name) == ("", "Zed")


def test_the_profile_page_refuses_and_says_so(client, at, holder):
    frozen(holder, at)
    client.force_login(holder.user)
    page = client.get(reverse("profile")).text
    assert "Enregistrer mon profil" not in page
    answer = client.post(reverse("profile"), {"status": holder.status, "town": "Lyon"})
    assert answer.status_code == 422 and "rien n’a changé" in answer.text


def ask_for_address(client, email):
    answer = client.post(reverse("account_email"), {"email": email, "action_add": "1"})
    return client.post(answer.url, {"password": PASSWORD}) if answer.status_code == 302 else answer


def sign_in(client, user):
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})


def test_no_other_address_can_be_asked_for(client, at, holder):
    sign_in(client, holder.user)
    frozen(holder, at)
    client.post(reverse("account_email"), {"email": "voleur@exemple.fr", "action_add": "1"})
    answer = ask_for_address(client, "voleur@exemple.fr")
    assert answer.status_code == 422 and "gelé" in answer.text
    assert not EmailAddress.objects.filter(email="voleur@exemple.fr").exists()


def test_an_address_asked_for_before_the_freeze_is_not_confirmed_after_it(client, at, holder):
    user, before = holder.user, holder.user.email
    sign_in(client, user)
    ask_for_address(client, "voleur@exemple.fr")
    door = mail.outbox[-1].body.split("http://testserver")[1].split()[0]
    frozen(holder, at)
    client.post(door)
    user.refresh_from_db()
    assert user.email == before
    freezing.thaw(holder.pk, by=admin_actor(), at=at)
    client.post(door)
    user.refresh_from_db()
    assert user.email == "voleur@exemple.fr"  # without the freeze it would have


def test_a_new_password_stays_possible(client, at, holder):
    frozen(holder, at)
    client.force_login(holder.user)
    new = "d'autres mots tout neufs"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post(reverse("account_change_password"), form).status_code == 302
    holder.user.refresh_from_db()
    assert holder.user.check_password(new)


def test_an_account_that_waits_and_was_reported_is_given_to_nobody(at, settings):
    settings.NIR_AT_ACTIVATION = False
    waiting = HolderFactory(activated=False, birth_name="Zweig", first_names="Stéphane")
    stated = activation.StatedIdentity(
        family_name="Zweig", first_names="Stéphane", birth_date=waiting.birth_date
    )
    freezing.freeze(waiting.pk, by=admin_actor(), at=at, reason="Identité usurpée.")
    by = Actor(role=Role.HOLDER, user=UserFactory())
    with pytest.raises(activation.ActivationFailed):
        activation.activate(by=by, at=at, identity=stated)
    freezing.thaw(waiting.pk, by=admin_actor(), at=at)
    assert activation.activate(by=by, at=at, identity=stated).pk == waiting.pk


# --- Both addresses ------------------------------------------------------------------------------------


def test_for_a_month_the_address_before_hears_of_everything(at, holder):
    user, before = holder.user, holder.user.email
    user.email = "apres@exemple.fr"
    user.save()
    with transaction.atomic():
        profiles.email_changed(user, before=before, at=at)
    frozen(holder, at + datetime.timedelta(days=29))
    assert kinds(before) == kinds("apres@exemple.fr") == ["email_changed", "account_frozen"]
    freezing.ask_thaw(holder.pk, by=holder_actor(holder), at=at + datetime.timedelta(days=31))
    assert kinds(before) == ["email_changed", "account_frozen"]
    # What is written to the address before names nobody's new address in full.
    assert "apres@" not in str(Notice.objects.get(email=before, kind="email_changed").facts)


def test_a_thief_who_changes_the_address_twice_does_not_silence_its_owner(at, holder):
    user, owner = holder.user, holder.user.email
    for step, (before, after) in enumerate([(owner, "un@voleur.fr"), ("un@voleur.fr", "deux@voleur.fr")]):
        user.email = after
        user.save()
        with transaction.atomic():
            profiles.email_changed(user, before=before, at=at + datetime.timedelta(hours=step))
    assert user.former_email == owner
    assert kinds(owner) == ["email_changed", "email_changed"]


# --- The pages -----------------------------------------------------------------------------------------


def test_from_the_account_page_frozen_in_two_clicks_and_a_password(client_for, holder):
    here, there = client_for(holder.user), client_for(holder.user)
    assert reverse("account_freeze") in here.get(reverse("account")).text
    page = reverse("account_freeze")
    wrong = here.post(page, {"password": "pas le bon du tout"})
    assert wrong.status_code == 422 and "ne convient pas" in wrong.text
    assert HolderProfile.objects.get(pk=holder.pk).frozen_at is None
    answer = here.post(page, {"password": PASSWORD}, follow=True)
    assert "Votre compte est gelé" in answer.text
    assert LoginSession.objects.filter(user=holder.user).count() == 1
    assert there.get(reverse("account")).status_code == 302


def test_guessing_the_password_of_an_open_session_is_limited(client_for, holder):
    here = client_for(holder.user)
    for _ in range(6):
        answer = here.post(reverse("account_freeze"), {"password": "pas le bon du tout"})
    assert "Trop d’essais" in answer.text
    assert "Trop d’essais" in here.post(reverse("account_freeze"), {"password": PASSWORD}).text


def test_every_page_says_that_the_account_is_frozen_to_its_holder_only(client_for, at, holder, other_holder):
    frozen(holder, at)
    MembershipFactory(user=holder.user)
    mine, other = client_for(holder.user), client_for(other_holder.user)
    for name in ("home", "search", "rights", "help", "account"):
        assert "band--warning" in mine.get(reverse(name)).text, name
        assert "band--warning" not in other.get(reverse(name)).text, name
    mine.post(reverse("switch_role"), {"role": f"provider:{holder.user.memberships.get().organisation_id}"})
    assert "band--warning" not in mine.get(reverse("help")).text


def test_thawing_and_keeping_it_frozen(client_for, at, holder):
    frozen(holder, at)
    here = client_for(holder.user)
    assert here.post(reverse("account_thaw"), {"password": "non"}).status_code == 422
    asked = here.post(reverse("account_thaw"), {"password": PASSWORD}, follow=True).text
    assert "Le dégel est demandé" in asked and "Garder mon compte gelé" in asked
    kept = here.post(reverse("account_keep_frozen"), follow=True).text
    assert "Votre compte reste gelé" in kept
    assert HolderProfile.objects.get(pk=holder.pk).thaws_on is None


def test_a_thaw_nobody_needs_is_told_on_its_page(client_for, holder):
    answer = client_for(holder.user).post(reverse("account_thaw"), {"password": PASSWORD})
    assert answer.status_code == 422 and "n’est pas gelé" in answer.text


def test_the_administration_freezes_with_a_reason_and_thaws(client_for, holder):
    chief = client_for(UserFactory(is_staff=True, is_superuser=True))
    page = reverse("admin:accounts_holderprofile_change", args=[holder.pk])
    freeze = reverse("admin:accounts_holderprofile_freeze", args=[holder.pk])
    thaw = reverse("admin:accounts_holderprofile_thaw", args=[holder.pk])
    assert freeze in chief.get(page).text and thaw not in chief.get(page).text
    assert chief.get(freeze).status_code == 200
    assert chief.post(freeze, {"reason": ""}).status_code == 422
    assert chief.post(freeze, {"reason": "Démarchage signalé."}).status_code == 302
    assert thaw in chief.get(page).text and freeze not in chief.get(page).text
    assert "Démarchage signalé." in client_for(holder.user).get(reverse("account")).text
    listed = reverse("admin:accounts_holderprofile_changelist")
    assert chief.get(listed, {"frozen": "portal"}).context["cl"].result_count == 1
    assert chief.get(listed, {"frozen": "holder"}).context["cl"].result_count == 0
    assert chief.post(thaw).status_code == 302
    assert chief.post(thaw).status_code == 422
    assert not HolderProfile.objects.get(pk=holder.pk).frozen_at


def test_who_may_only_look_freezes_nobody(client_for, holder):
    clerk = client_for(UserFactory(is_staff=True))
    url = reverse("admin:accounts_holderprofile_freeze", args=[holder.pk])
    assert clerk.post(url, {"reason": "x"}).status_code == 403
    assert not HolderProfile.objects.get(pk=holder.pk).frozen_at

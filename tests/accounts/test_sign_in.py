"""Sign-up, confirmation, sign-in, password and address: allauth's journeys, on our pages, in our words."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import identify_hasher, make_password
from django.core import mail
from django.test import override_settings
from django.urls import reverse

from accounts.models import User
from notices.models import Notice
from portal import settings as portal_settings
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db

NEW = "d'autres mots tout neufs"


def link_in(message):
    return re.search(r"http://testserver(\S+)", message.body)[1]


def sign_in(client, email, password=PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def sign_up(client, email, password=PASSWORD, again=None):
    form = {"email": email, "password1": password, "password2": again or password}
    return client.post(reverse("account_signup"), form)


def told():
    return list(Notice.objects.order_by("created_at", "email").values_list("email", "kind"))


def ask_for_address(client, email):
    """On « Ma connexion », then the password, which is asked again."""
    answer = client.post(reverse("account_email"), {"email": email, "action_add": "1"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    return client.post(answer.url, {"password": PASSWORD})


def is_signed_in(client):
    return "_auth_user_id" in client.session


class TestSignUp:
    def test_from_sign_up_to_a_session(self, client):
        assert client.get(reverse("account_signup")).status_code == 200
        answer = sign_up(client, "claire@exemple.fr")
        assert (answer.status_code, answer.url) == (302, reverse("account_email_verification_sent"))
        assert "Ouvrez le lien reçu" in client.get(answer.url).text
        assert not is_signed_in(client)

        message = mail.outbox[0]
        assert (message.to, message.subject) == (["claire@exemple.fr"], "Vérifiez votre adresse e-mail")
        door = link_in(message)
        assert "Confirmer mon adresse" in client.get(door).text
        # Mail scanners open links: looking confirms nothing.
        assert not EmailAddress.objects.get().verified
        assert client.post(door).status_code == 302
        assert EmailAddress.objects.get().verified

        answer = sign_in(client, "Claire@Exemple.FR")
        assert (answer.status_code, answer.url) == (302, "/")
        assert is_signed_in(client)

    def test_the_mail_falls_in_a_file_that_people_can_read(self, client, settings, tmp_path):
        settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        settings.EMAIL_FILE_PATH = str(tmp_path)
        sign_up(client, "claire@exemple.fr")
        (file,) = tmp_path.iterdir()
        assert "/connexion/confirm-email/" in file.read_text()

    def test_without_the_link_one_does_not_get_in_and_gets_no_second_account(self, client):
        sign_up(client, "claire@exemple.fr")
        answer = sign_in(client, "claire@exemple.fr")
        assert answer.url == reverse("account_email_verification_sent")
        assert not is_signed_in(client)
        assert User.objects.count() == 1

    @pytest.mark.parametrize(
        ("password", "says"),
        [
            ("court", "12"),
            ("onze lettre", "12"),
            ("402519863377124", "numérique"),
            ("qwertyuiop123", "courant"),
            ("claire.dupont@exemple", "adresse e-mail"),
        ],
    )
    def test_a_weak_password_is_refused_beside_its_field(self, client, password, says):
        answer = sign_up(client, "claire.dupont@exemple.fr", password)
        assert answer.status_code == 422
        assert says in " ".join(answer.context["form"].errors["password1"])
        assert not User.objects.exists()

    def test_two_passwords_that_differ(self, client):
        answer = sign_up(client, "claire@exemple.fr", again="un autre que celui-ci")
        assert answer.context["form"].errors["password2"]
        assert not User.objects.exists()


class TestNothingTellsWhoHasAnAccount:
    def test_sign_up(self, client):
        UserFactory(email="claire@exemple.fr")
        known, unknown = sign_up(client, "CLAIRE@exemple.fr"), sign_up(client, "zoe@exemple.fr")
        assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
        assert "Elle en a déjà un" in mail.outbox[0].body
        assert mail.outbox[0].subject == "Vous avez déjà un compte"

    def test_forgotten_password(self, client):
        UserFactory(email="claire@exemple.fr")
        answers = [
            client.post(reverse("account_reset_password"), {"email": email})
            for email in ("claire@exemple.fr", "zoe@exemple.fr")
        ]
        assert {(answer.status_code, answer.url) for answer in answers} == {
            (302, reverse("account_reset_password_done"))
        }
        assert [message.subject for message in mail.outbox] == [
            "Choisissez un nouveau mot de passe",
            "Aucun compte à cette adresse",
        ]

    def test_sign_in(self, client):
        UserFactory(email="claire@exemple.fr")
        answers = [
            sign_in(client, email, "pas le bon du tout") for email in ("claire@exemple.fr", "zoe@exemple.fr")
        ]
        assert [answer.status_code for answer in answers] == [422, 422]
        errors = [answer.context["form"].non_field_errors() for answer in answers]
        assert errors[0] == errors[1]
        assert "ne convient pas" in errors[0][0]


class TestLimits:
    def test_five_wrong_passwords_close_the_door_even_to_the_right_one(self, client):
        user = UserFactory()
        for _ in range(5):
            sign_in(client, user.email, "pas le bon du tout")
        answer = sign_in(client, user.email)
        assert "Trop d’essais de connexion" in answer.text
        assert not is_signed_in(client)

    def test_without_the_limit_it_would_open(self, client, settings):
        settings.ACCOUNT_RATE_LIMITS = {"login_failed": None}
        user = UserFactory()
        for _ in range(5):
            sign_in(client, user.email, "pas le bon du tout")
        sign_in(client, user.email)
        assert is_signed_in(client)

    def test_a_flood_is_answered_by_a_page_of_ours(self, client):
        answers = [sign_up(client, "non") for _ in range(21)]
        assert [answer.status_code for answer in answers[:20]] == [422] * 20
        assert answers[20].status_code == 429
        assert "Attendez quelques minutes" in answers[20].text


class TestPassword:
    def test_forgotten_then_chosen_again(self, client):
        user = UserFactory()
        client.post(reverse("account_reset_password"), {"email": user.email})
        door = client.get(link_in(mail.outbox[0])).url
        assert "Choisir un nouveau mot de passe" in client.get(door).text
        refused = client.post(door, {"password1": "court", "password2": "court"})
        assert refused.context["form"].errors
        assert client.post(door, {"password1": NEW, "password2": NEW}).status_code == 302
        assert told() == [(user.email, "password_changed")]
        sign_in(client, user.email, NEW)
        assert is_signed_in(client)
        client.logout()
        assert "ne peut plus servir" in client.get(link_in(mail.outbox[0])).text

    def test_changed_by_who_knows_it(self, client):
        user = UserFactory()
        client.force_login(user)
        page = reverse("account_change_password")
        form = {"oldpassword": "faux", "password1": NEW, "password2": NEW}
        refused = client.post(page, form)
        assert refused.status_code == 422 and refused.context["form"].errors["oldpassword"]
        assert client.post(page, form | {"oldpassword": PASSWORD}).status_code == 302
        user.refresh_from_db()
        assert user.check_password(NEW)
        assert told() == [(user.email, "password_changed")]
        assert not mail.outbox

    def test_it_is_kept_with_argon2(self):
        with override_settings(PASSWORD_HASHERS=portal_settings.PASSWORD_HASHERS):
            assert identify_hasher(make_password(PASSWORD)).algorithm == "argon2"


class TestAddress:
    def test_it_changes_once_the_new_one_is_confirmed_and_both_are_told(self, client):
        user = UserFactory(email="avant@exemple.fr")
        sign_in(client, user.email)
        ask_for_address(client, "apres@exemple.fr")
        page = client.get(reverse("account_email")).text
        assert "apres@exemple.fr" in page and "Renvoyer le lien" in page
        user.refresh_from_db()
        assert user.email == "avant@exemple.fr"

        client.post(link_in(mail.outbox[-1]))
        user.refresh_from_db()
        assert user.email == "apres@exemple.fr"
        # One mail to the new address to confirm it, then one notice to each.
        assert [message.to for message in mail.outbox] == [["apres@exemple.fr"]]
        assert told() == [("apres@exemple.fr", "email_changed"), ("avant@exemple.fr", "email_changed")]

    def test_the_change_can_be_given_up(self, client):
        user = UserFactory()
        sign_in(client, user.email)
        ask_for_address(client, "apres@exemple.fr")
        client.post(reverse("account_email"), {"email": "apres@exemple.fr", "action_remove": "1"})
        assert EmailAddress.objects.get().email == user.email


PUBLIC = {
    "account_login": 200,
    "account_signup": 200,
    "account_reset_password": 200,
    "account_reset_password_done": 200,
    "account_reset_password_from_key_done": 200,
    "account_email_verification_sent": 200,
    "account_inactive": 200,
    "account_logout": 302,
    "account_confirm_login_code": 302,
}
PRIVATE = ["account_email", "account_change_password", "account_set_password", "account_reauthenticate"]


@pytest.mark.parametrize(("name", "status"), PUBLIC.items())
def test_a_visitor_reaches_every_door(client, name, status):
    answer = client.get(reverse(name))
    assert answer.status_code == status
    if status == 302:
        assert "next=" not in answer.url


def test_links_of_mails_that_are_wrong_say_so_to_a_visitor(client):
    page = client.get(reverse("account_confirm_email", args=["faux"]))
    assert page.status_code == 200 and "ne peut plus servir" in page.text
    page = client.get(reverse("account_reset_password_from_key", args=["1", "faux"]))
    assert page.status_code == 200 and "ne peut plus servir" in page.text


@pytest.mark.parametrize("name", PRIVATE)
def test_the_rest_asks_to_sign_in_first(client, name):
    answer = client.get(reverse(name))
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))


@pytest.mark.parametrize("name", [*PUBLIC, *PRIVATE])
def test_every_page_stands_for_someone_signed_in(client, name):
    client.force_login(UserFactory())
    assert client.get(reverse(name)).status_code in (200, 302)


def test_every_address_of_allauth_is_known_here():
    from allauth.account.urls import urlpatterns  # noqa: PLC0415

    with_a_key = {"account_confirm_email", "account_reset_password_from_key"}
    assert {pattern.name for pattern in urlpatterns} == {*PUBLIC, *PRIVATE} | with_a_key


def test_signing_out_is_a_click_not_a_link(client):
    client.force_login(UserFactory())
    assert "Vous déconnecter" in client.get(reverse("account_logout")).text
    assert is_signed_in(client)
    client.post(reverse("account_logout"))
    assert not is_signed_in(client)


def test_the_admin_uses_the_same_door(client):
    answer = client.get(reverse("admin:login"))
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))
    client.force_login(MembershipFactory().user)
    assert client.get(reverse("admin:index"), follow=True).status_code == 403
    client.force_login(UserFactory(is_staff=True))
    assert client.get(reverse("admin:index")).status_code == 200

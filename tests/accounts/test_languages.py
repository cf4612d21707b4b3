"""The language of somebody's mails: that of the page they signed up on, then what they chose."""

import pytest
from django.test import override_settings
from django.urls import reverse
from django.utils import translation

from accounts import profiles
from accounts.models import User
from notices import messages
from notices.kinds import Kind
from notices.messages import words_of
from notices.models import Notice
from tests.factories.accounts import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

# An instance may speak French only.
FRENCH_ONLY = override_settings(LANGUAGES=[("fr", "Français")])


@pytest.fixture
def english(client):
    """Someone signed in who prefers English."""
    user = UserFactory(language="en")
    client.force_login(user)
    return user


def a_mail_to(user, monkeypatch):
    """The language that was spoken while the words of a mail to this person were made."""
    spoken = []

    def listen(notice):
        spoken.append(translation.get_language())
        return words_of(notice)

    monkeypatch.setattr(messages, "words_of", listen)
    facts = {"when": "lundi"}
    messages.email_of(
        Notice(kind=Kind.PASSWORD_CHANGED, user=user, email="a@exemple.fr", facts=facts, link="/x")
    )
    return spoken[0]


@pytest.mark.parametrize(("accepts", "language"), [("en-GB,en;q=0.9", "en"), ("fr", "fr"), ("de", "fr")])
def test_someone_new_has_the_language_of_the_page(client, accepts, language):
    form = {"email": "claire@exemple.fr", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), form, headers={"accept-language": accepts})
    assert User.objects.get().language == language


@FRENCH_ONLY
def test_while_the_portal_speaks_french_only_so_does_everyone(client):
    form = {"email": "claire@exemple.fr", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), form, headers={"accept-language": "en"})
    assert User.objects.get().language == "fr"


def test_choosing_a_language_is_kept_for_who_is_signed_in(client, english):
    client.post(reverse("set_language"), {"language": "fr"})
    english.refresh_from_db()
    assert english.language == "fr"
    client.post(reverse("set_language"), {"language": "xx"})
    client.get(reverse("set_language"), {"language": "en"})
    english.refresh_from_db()
    assert english.language == "fr"


@FRENCH_ONLY
def test_a_language_that_is_not_spoken_yet_is_not_chosen(client):
    user = UserFactory()
    client.force_login(user)
    client.post(reverse("set_language"), {"language": "en"})
    user.refresh_from_db()
    assert user.language == "fr"
    assert 'id="id_language"' not in client.get(reverse("account")).text


def test_where_there_is_a_choice_the_account_offers_it(client, english):
    page = client.get(reverse("account")).text
    assert 'value="en" lang="en" selected' in page


def test_a_visitor_chooses_for_this_browser_only(client):
    answer = client.post(reverse("set_language"), {"language": "fr"})
    assert answer.status_code == 302
    assert client.cookies["django_language"].value == "fr"


def test_at_sign_in_the_pages_follow_the_person(client):
    user = UserFactory(language="en")
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert client.cookies["django_language"].value == "en"


def test_no_other_language_can_be_kept():
    with pytest.raises(ValueError, match="xx"):
        profiles.choose_language(UserFactory(), "xx")


def test_a_mail_speaks_the_language_of_its_person(monkeypatch):
    assert a_mail_to(UserFactory(language="en"), monkeypatch) == "en"


def test_a_mailbox_hears_the_language_of_the_portal(monkeypatch):
    assert a_mail_to(None, monkeypatch) == "fr"


@FRENCH_ONLY
def test_until_english_is_spoken_mails_are_french(monkeypatch):
    assert a_mail_to(UserFactory(language="en"), monkeypatch) == "fr"

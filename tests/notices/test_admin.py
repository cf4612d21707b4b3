"""The administration sees what was told and why it was given up, changes nothing, and can send again."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.factories.accounts import UserFactory
from tests.factories.notices import NoticeFactory

LIST = "/administration/notices/notice/"


@pytest.fixture
def admin(client, db):
    admin = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(admin)
    return admin


@pytest.fixture
def three(admin, at):
    """One that waits, one sent, one given up."""
    return (
        NoticeFactory(),
        NoticeFactory(delivered_at=at, next_attempt_at=None),
        NoticeFactory(given_up_at=at, next_attempt_at=None, last_error="550 No such user"),
    )


@pytest.mark.parametrize(("choice", "shown"), [("attend", 0), ("envoye", 1), ("abandonne", 2)])
def test_the_list_is_filtered_by_what_became_of_them(client, three, choice, shown):
    page = client.get(LIST, {"envoi": choice}).text
    assert [notice.email in page for notice in three] == [number == shown for number in range(3)]


def test_the_list_is_searched_by_dossier_and_says_why(client, three):
    page = client.get(LIST, {"q": "D-2026-0001"}).text
    assert "550 No such user" in page
    assert "0 notification" in client.get(LIST, {"q": "D-1999-0001"}).text


def test_a_notice_is_shown_with_its_words_and_cannot_be_changed(client, three):
    address = reverse("admin:notices_notice_change", args=[three[2].pk])
    page = client.get(address).text
    assert "Atelier &lt;b&gt;" in page or "Menuiserie &amp; agencement" in page
    assert 'name="_save"' not in page
    assert client.post(address, {"email": "x@exemple.fr"}).status_code == 403
    assert client.get(LIST + "add/").status_code == 403


def test_sending_again_goes_through_the_verb_and_is_journaled(client, three):
    _waiting, sent, given_up = three
    chosen = [str(notice.pk) for notice in three]
    answer = client.post(LIST, {"action": "retry", "_selected_action": chosen}, follow=True)
    assert "2 notifications seront renvoyées." in answer.text
    for notice in three:
        notice.refresh_from_db()
    assert given_up.given_up_at is None
    assert given_up.next_attempt_at
    assert sent.next_attempt_at is None
    assert LogEntry.objects.count() == 2
    answer = client.post(LIST, {"action": "retry", "_selected_action": [str(sent.pk)]}, follow=True)
    assert "déjà envoyées" in answer.text


def test_who_may_only_look_cannot_send_again(client, three):
    viewer = UserFactory(is_staff=True)
    viewer.user_permissions.add(*viewer_permissions("view_notice"))
    client.force_login(viewer)
    assert "Renvoyer" not in client.get(LIST).text
    client.post(LIST, {"action": "retry", "_selected_action": [str(three[2].pk)]})
    three[2].refresh_from_db()
    assert three[2].given_up_at


def viewer_permissions(*names):
    return Permission.objects.filter(codename__in=names)

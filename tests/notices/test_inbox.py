"""« Mes notifications »: what was told to a person, and to nobody else."""

from datetime import timedelta

import pytest
from django.urls import reverse

from notices.models import Notice
from tests.factories.accounts import UserFactory
from tests.factories.notices import NoticeFactory

INBOX = "/mes-notifications"


@pytest.fixture
def user(client, db):
    user = UserFactory()
    client.force_login(user)
    return user


def test_a_visitor_is_asked_to_sign_in(client, db):
    assert client.get(INBOX).url == f"{reverse('account_login')}?next={INBOX}"


def test_an_empty_inbox_says_so(client, user):
    page = client.get(INBOX).text
    assert "Aucune notification pour le moment" in page
    assert "tout comme lu" not in page


def test_it_shows_the_words_of_the_mail_and_only_one_s_own(client, user):
    NoticeFactory(user=user, link="/mes-dossiers")
    NoticeFactory(facts={**NoticeFactory.build().facts, "holder_name": "Autre Personne"})
    page = client.get(INBOX).text
    assert "Élodie Martin demande une inscription\u00a0: Menuiserie &amp; agencement" in page
    assert "mardi 12 mai 2026 à minuit" in page
    assert "Atelier &lt;b&gt;Dupont&lt;/b&gt;" in page
    assert reverse("notice_open", args=[Notice.objects.of(user).get().pk]) in page
    assert "Autre Personne" not in page


def test_reading_is_asked_by_post_and_keeps_the_first_moment(client, user):
    notice = NoticeFactory(user=user)
    address = reverse("notice_read", args=[notice.pk])
    assert client.get(address).status_code == 405
    assert client.post(address).url == INBOX
    notice.refresh_from_db()
    first = notice.read_at
    assert first
    client.post(address)
    notice.refresh_from_db()
    assert notice.read_at == first
    assert "Vous avez tout lu." in client.get(INBOX).text


def test_everything_read_is_everything_of_one_s_own(client, user):
    NoticeFactory.create_batch(2, user=user)
    other = NoticeFactory()
    assert client.get(reverse("notices_read")).status_code == 405
    client.post(reverse("notices_read"))
    assert Notice.objects.of(user).unread().count() == 0
    other.refresh_from_db()
    assert other.read_at is None


def test_a_notice_of_another_does_not_exist(client, user):
    notice = NoticeFactory()
    assert client.post(reverse("notice_read", args=[notice.pk])).status_code == 404
    notice.refresh_from_db()
    assert notice.read_at is None


def test_pages_of_twenty_newest_first(client, user, at):
    for number in range(21):
        facts = NoticeFactory.build().facts | {"holder_name": f"Personne {number:02}"}
        NoticeFactory(user=user, facts=facts, created_at=at - timedelta(hours=number))
    first, second = client.get(INBOX).text, client.get(f"{INBOX}?page=2").text
    assert "Personne 00" in first
    assert "Personne 20" not in first
    assert "Personne 20" in second
    assert client.get(f"{INBOX}?page=abc").status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_queries_for_one_notice_as_for_three(client, user, count, django_assert_num_queries):
    NoticeFactory.create_batch(count, user=user)
    client.get(INBOX)
    # session, person, their roles (two), how many in all and unread, this page
    with django_assert_num_queries(6):
        client.get(INBOX)


def test_one_tap_reads_it_and_leads_to_what_it_is_about(client, user):
    notice = NoticeFactory(user=user, link="/mes-dossiers")
    address = reverse("notice_open", args=[notice.pk])
    assert client.get(address).status_code == 405
    assert client.post(address).url == "/mes-dossiers"
    notice.refresh_from_db()
    assert notice.read_at
    # Read, it opens by a plain link.
    assert 'href="/mes-dossiers"' in client.get(INBOX).text
    assert client.post(reverse("notice_open", args=[NoticeFactory(user=user, link="").pk])).url == INBOX
    assert client.post(reverse("notice_open", args=[NoticeFactory().pk])).status_code == 404


def test_unread_comes_first_and_can_be_asked_alone(client, user, at):
    read = NoticeFactory(user=user, created_at=at, read_at=at)
    unread = NoticeFactory(user=user, created_at=at - timedelta(days=9))
    NoticeFactory(created_at=at)  # somebody else's
    page = client.get(INBOX)
    assert [notice.pk for notice, _words in page.context["items"]] == [unread.pk, read.pk]
    assert [(label, count) for label, _url, count, _is_here in page.context["tabs"]] == [
        ("Toutes", 2),
        ("À lire", 1),
    ]
    alone = client.get(INBOX, {"voir": "a-lire"})
    assert [notice.pk for notice, _words in alone.context["items"]] == [unread.pk]
    client.post(reverse("notices_read"))
    assert "Vous avez tout lu" in client.get(INBOX, {"voir": "a-lire"}).text

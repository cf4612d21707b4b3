"""Sign-ins as their person sees them, sessions that can be ended, and what is told of a new browser."""

import datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts import sessions, sign_ins, tasks
from accounts.identity import BROWSER_COOKIE
from accounts.models import JournalEntry, LoginSession, SignIn
from notices.models import Notice
from tests.factories.accounts import PASSWORD, HolderFactory, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
)
HOME, CAFE = "203.0.113.77", "198.51.100.4"


def a_browser(agent=FIREFOX, address=HOME):
    return Client(headers={"user-agent": agent}, REMOTE_ADDR=address)


def sign_in(browser, user, password=PASSWORD):
    return browser.post(reverse("account_login"), {"login": user.email, "password": password})


def told(user):
    return Notice.objects.filter(user=user, kind="new_sign_in").count()


# --- What is kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox sur Windows"),
        (CHROME, "Chrome sur Android"),
        (SAFARI, "Safari sur iPhone"),
        (EDGE, "Edge sur Windows"),
        ("curl/8.5.0", "Appareil non reconnu"),
        ("", "Appareil non reconnu"),
        ("Mozilla/5.0 (X11; CrOS x86_64) Chrome/126 Safari/537", "Chrome sur ChromeOS"),
        ("Mozilla/5.0 (iPad; CPU OS 17) FxiOS/127.0 Safari/605", "Firefox sur iPad"),
        ("Firefox/" * 100_000, "Firefox"),
    ],
)
def test_a_browser_is_known_by_its_family(agent, device):
    assert sign_ins.place(user_agent=agent, address=HOME, mark="").device == device


@pytest.mark.parametrize(
    ("address", "network", "short"),
    [
        (HOME, "203.0.113.0/24", "203.0.113.x"),
        ("2001:db8:1:2::77", "2001:db8:1::/48", "2001:db8:1:x"),
        ("::ffff:203.0.113.77", "203.0.113.0/24", "203.0.113.x"),
        ("", "", ""),
        ("pas une adresse", "", ""),
    ],
)
def test_an_internet_address_is_never_kept_whole(address, network, short):
    assert sign_ins.network_of(address) == network
    if network:
        assert sign_ins.short_network(network) == short


@pytest.mark.parametrize("mark", ["", "x", "é" * 22, "a" * 23, "'; drop table", "a" * 5000])
def test_a_mark_that_is_not_ours_counts_as_none(mark):
    assert sign_ins.place(user_agent="", address="", mark=mark).mark == ""


def test_a_sign_in_and_a_refusal_are_kept_with_the_least(client):
    user, browser = UserFactory(), a_browser()
    assert sign_in(browser, user, "pas le bon du tout").status_code == 422
    assert sign_in(browser, user).status_code == 302
    refused, came_in = SignIn.objects.order_by("id")
    assert (refused.user, refused.succeeded) == (user, False)
    assert (came_in.user, came_in.succeeded) == (user, True)
    assert (came_in.browser, came_in.system, came_in.network) == ("Firefox", "Windows", "203.0.113.0/24")
    everything = str(list(SignIn.objects.values()))
    assert HOME not in everything and "Mozilla" not in everything
    assert browser.cookies[BROWSER_COOKIE].value not in everything


def test_an_address_that_nobody_has_costs_the_same_and_is_not_kept(client, django_assert_num_queries):
    nobody = UserFactory.build(email="zoe@exemple.fr")
    sign_in(a_browser(), nobody, "pas le bon du tout")
    row = SignIn.objects.get()
    assert row.user is None
    assert "zoe" not in str(list(SignIn.objects.values()))


def test_the_cookie_that_knows_a_browser_is_closed_to_scripts():
    browser = a_browser()
    sign_in(browser, UserFactory())
    cookie = browser.cookies[BROWSER_COOKIE]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) <= 396 * 24 * 3600


# --- What is told of a new browser ------------------------------------------------------------------


def test_the_first_browser_is_not_news_the_second_is_once():
    user, home, phone = UserFactory(), a_browser(), a_browser(CHROME, CAFE)
    sign_in(home, user)
    assert told(user) == 0
    sign_in(phone, user)
    assert told(user) == 1
    notice = Notice.objects.get(user=user)
    assert notice.facts["device"] == "Chrome sur Android"
    assert notice.link == reverse("account_alert")
    for browser in (phone, home):
        browser.post(reverse("account_logout"))
        sign_in(browser, user)
    assert told(user) == 1


def test_a_known_browser_may_travel_and_an_erased_cookie_at_home_is_no_news():
    user, home = UserFactory(), a_browser()
    sign_in(home, user)
    home.post(reverse("account_logout"))
    home.defaults["REMOTE_ADDR"] = CAFE
    sign_in(home, user)
    sign_in(a_browser(), user)  # no cookie: same kind, same network
    assert told(user) == 0
    sign_in(a_browser(address="192.0.2.1"), user)  # the same kind of browser, elsewhere
    assert told(user) == 1


def test_the_mark_of_one_person_says_nothing_of_another():
    """A shared computer: the second person's first sign-in there is news to them."""
    first, second, shared = UserFactory(), UserFactory(), a_browser()
    sign_in(a_browser(CHROME, CAFE), second)
    sign_in(shared, first)
    shared.post(reverse("account_logout"))
    sign_in(shared, second)
    assert (told(first), told(second)) == (0, 1)


def test_a_mark_made_up_by_a_thief_is_new():
    user, thief = UserFactory(), a_browser(CHROME, CAFE)
    sign_in(a_browser(), user)
    thief.cookies[BROWSER_COOKIE] = "A" * 22
    sign_in(thief, user)
    assert told(user) == 1


# --- Sessions ---------------------------------------------------------------------------------------


def test_a_session_knows_whose_it_is_and_gets_a_new_key_at_the_door():
    user, browser = UserFactory(), a_browser()
    browser.get(reverse("account_login"))
    browser.cookies["sessionid"] = "choisi-par-un-voleur-0000000000"
    sign_in(browser, user)
    row = LoginSession.objects.get(user=user)
    assert row.session_key == browser.cookies["sessionid"].value != "choisi-par-un-voleur-0000000000"
    assert row.sign_in == SignIn.objects.get(user=user)


def test_one_click_ends_the_others_at_once_and_keeps_this_one():
    user = HolderFactory().user
    here, there, stranger = a_browser(), a_browser(CHROME, CAFE), a_browser()
    other = UserFactory()
    for browser, who in ((here, user), (there, user), (stranger, other)):
        sign_in(browser, who)
    page = here.get(reverse("account"))
    assert page.context["page"].others == 1
    assert "Encore ouverte" in page.text and "Vous, maintenant" in page.text
    assert here.post(reverse("account_sessions_end")).status_code == 302
    assert there.get(reverse("account")).status_code == 302
    assert here.get(reverse("account")).status_code == 200
    assert stranger.get(reverse("account")).status_code == 200
    assert JournalEntry.objects.get(action="sessions_ended").details == {"count": 1}
    assert "Aucune autre connexion" in here.post(reverse("account_sessions_end"), follow=True).text


def test_a_session_that_was_ended_does_not_come_back_by_a_request_in_flight():
    user, browser = UserFactory(), a_browser()
    sign_in(browser, user)
    in_flight = sessions.SessionStore(browser.cookies["sessionid"].value)
    in_flight["x"] = 1
    sessions.end_others(user, keep=None)
    with pytest.raises(sessions.db.UpdateError):
        in_flight.save()
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_ends_every_other_session(way, mailoutbox):
    user = UserFactory()
    here, there = a_browser(), a_browser(CHROME, CAFE)
    sign_in(here, user)
    sign_in(there, user)
    new = "d'autres mots tout neufs"
    if way == "change":
        form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        answer = here.post(reverse("account_change_password"), form)
        assert (answer.status_code, answer.url) == (302, reverse("account"))
        assert here.get(reverse("account")).status_code == 200
        assert LoginSession.objects.get(user=user).sign_in_id
    else:
        visitor = Client()
        visitor.post(reverse("account_reset_password"), {"email": user.email})
        door = visitor.get(mailoutbox[0].body.split("http://testserver")[1].split()[0]).url
        assert visitor.post(door, {"password1": new, "password2": new}).status_code == 302
        assert not LoginSession.objects.filter(user=user).exists()
    assert there.get(reverse("account")).status_code == 302
    assert Notice.objects.filter(user=user, kind="password_changed").count() == 1


def test_a_session_whose_time_is_over_is_not_counted(at):
    user = UserFactory()
    browser = a_browser()
    sign_in(browser, user)
    assert sessions.open_sessions(user, at=at).count() == 1
    assert not sessions.open_sessions(user, at=at + datetime.timedelta(days=1)).exists()


# --- The page ---------------------------------------------------------------------------------------


def test_the_page_shows_refusals_and_only_ones_own():
    user, other = HolderFactory().user, UserFactory()
    browser = a_browser()
    sign_in(a_browser(CHROME, CAFE), user, "pas le bon du tout")
    sign_in(browser, user)
    sign_in(a_browser(SAFARI, "192.0.2.1"), other)
    page = browser.get(reverse("account")).text
    assert "Chrome sur Android" in page and "Mot de passe refusé" in page
    assert "198.51.100.x" in page
    assert "iPhone" not in page and CAFE not in page


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("who", ["holder", "member"])
def test_the_page_costs_the_same_however_long_its_lists(client, who, size, at, django_assert_num_queries):
    user = HolderFactory().user if who == "holder" else MembershipFactory().user
    for _ in range(size):
        MembershipFactory(user=user)
        sign_ins.record(user, at=at, place=sign_ins.Place())
    client.force_login(user)
    client.get(reverse("account"))
    # session, person; account and memberships twice (who acts, what is shown); sessions; confirmed
    # addresses, invitations; sign-ins; what is unread
    with django_assert_num_queries(11):
        assert client.get(reverse("account")).status_code == 200


@pytest.mark.parametrize("page", ["account", "account_alert", "account_freeze", "account_thaw", "my_data"])
def test_pages_of_the_account_stay_in_no_cache(client, page):
    client.force_login(HolderFactory().user)
    assert "no-store" in client.get(reverse(page)).headers["Cache-Control"]


def test_someone_without_any_role_is_shown_the_way_to_their_rights(client):
    client.force_login(UserFactory())
    page = client.get(reverse("account")).text
    assert "Activer mon compte" in page and "Geler" not in page


def test_a_visitor_is_told_what_to_do_without_being_asked_for_a_password(client):
    page = client.get(reverse("account_alert"))
    assert page.status_code == 200
    assert 'type="password"' not in page.text
    assert "Me connecter" in page.text
    answer = client.post(reverse("account_alert"))
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))


def test_it_was_not_me_ends_the_others_then_says_what_comes_next():
    user = HolderFactory().user
    here, there = a_browser(), a_browser(CHROME, CAFE)
    sign_in(here, user)
    sign_in(there, user)
    assert "Une autre connexion est ouverte" in here.get(reverse("account_alert")).text
    page = here.post(reverse("account_alert"), follow=True).text
    assert "Fait" in page and "Changer de mot de passe" in page and "Geler mon compte" in page
    assert there.get(reverse("account")).status_code == 302


# --- What is forgotten ------------------------------------------------------------------------------


def a_row(user, at, *, days, **fields):
    return SignIn.objects.create(user=user, at=at - datetime.timedelta(days=days), **fields).pk


def test_what_is_old_or_too_many_is_forgotten(at, monkeypatch):
    monkeypatch.setattr(sign_ins, "KEPT_PER_PERSON", 2)
    user, other = UserFactory(), UserFactory()
    kept = {
        a_row(user, at, days=1),
        a_row(user, at, days=2),
        a_row(user, at, days=3, succeeded=False),
        a_row(other, at, days=364),
        a_row(None, at, days=29, succeeded=False),
    }
    a_row(user, at, days=3)  # the third that succeeded
    a_row(other, at, days=366)
    a_row(None, at, days=31, succeeded=False)
    assert sign_ins.purge(at=at) == 3
    assert set(SignIn.objects.values_list("pk", flat=True)) == kept


def test_how_an_open_session_came_in_is_kept_and_ended_sessions_go(at):
    user, browser = UserFactory(), a_browser()
    sign_in(browser, user)
    SignIn.objects.update(at=at - datetime.timedelta(days=400))
    tasks.forget()
    assert SignIn.objects.exists() and LoginSession.objects.exists()
    LoginSession.objects.update(expire_date=at - datetime.timedelta(seconds=1))
    tasks.forget()
    assert not LoginSession.objects.exists() and not SignIn.objects.exists()


# --- The administration -----------------------------------------------------------------------------


def test_no_page_of_the_administration_holds_the_key_of_a_session(client):
    owner = a_browser()
    sign_in(owner, UserFactory())
    key = owner.cookies["sessionid"].value
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    listed = client.get(reverse("admin:accounts_loginsession_changelist"))
    assert listed.status_code == 200
    assert key not in listed.text
    assert client.get(reverse("admin:accounts_loginsession_change", args=[key])).status_code in (302, 403)
    assert client.post(reverse("admin:accounts_loginsession_delete", args=[key])).status_code == 403
    assert owner.get(reverse("account")).status_code == 200


def test_a_look_at_somebodys_sign_in_is_written_down(client):
    user = UserFactory()
    sign_in(a_browser(), user)
    chief = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(chief)
    row = SignIn.objects.get(user=user)
    assert client.get(reverse("admin:accounts_signin_change", args=[row.pk])).status_code == 200
    assert JournalEntry.objects.get(action="sign_in_viewed").subject == f"user:{user.pk}"

"""Every page of the portal itself: it answers, it is well formed, it says what its reader may do."""

from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import redis
from django.db import DatabaseError, connection
from django.test import Client, override_settings
from django.urls import reverse
from lxml import html

from dossiers.states import WHOSE_TURN, State
from portal import health, pages
from portal.views.help import explained_states
from rulebook import Term
from support.answers import days_in_words
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.dossiers import DossierFactory

PUBLIC = ["home", "help", "accessibility", "legal_notice", "terms", "personal_data"]
VOID = "area base br col embed hr img input link meta source track wbr path circle rect use".split()  # noqa: SIM905


class Balance(HTMLParser):
    """Every element that opens is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.faults = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        if len({name for name, _ in attrs}) != len(attrs):
            self.faults.append(f"an attribute stands twice on <{tag}>")

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")


def read(response):
    """The page, once its form is known to be good."""
    balance = Balance()
    balance.feed(response.text)
    assert not balance.faults
    assert not balance.open
    page = html.document_fromstring(response.text)
    assert page.get("lang") == "fr"
    assert page.findtext(".//title").strip()
    assert len(page.xpath("//h1")) == 1
    assert len(page.xpath("//main[@id='contenu']")) == 1
    levels = [int(heading.tag[1]) for heading in page.xpath("//main//*[self::h1 or self::h2 or self::h3]")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    return page


def menu(page):
    return [link.text_content().strip() for link in page.xpath("//div[@id='menu']//nav//a")]


@pytest.mark.parametrize("address", ["<p>", "<ul><li></ul></li>", "</p>"])
def test_a_page_badly_closed_is_seen(address):
    balance = Balance()
    balance.feed(address)
    assert balance.faults or balance.open


@pytest.mark.parametrize("name", PUBLIC)
def test_public_page(client, db, name):
    response = client.get(reverse(name))
    assert response.status_code == 200
    page = read(response)
    assert page.xpath("//a[@class='skip-link'][@href='#contenu']")
    assert menu(page) == ["Recherche", "Aide", "Se connecter", "Créer un compte"]
    # Said once: at the foot, or in the page itself with more words.
    assert page.xpath("//body")[0].text_content().count("Nous ne vous appelons jamais") == 1
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_conditions_of_a_dossier_stay_readable(client, rules):
    """Whoever ticks « j’accepte les conditions » can read them, and those of a dossier of before."""
    accepted = reverse("terms_version", args=[rules.terms_version])
    for address in (reverse("terms"), accepted):
        assert f"Version {rules.terms_version}." in client.get(address).text
    assert client.get(reverse("terms_version", args=["0"])).status_code == 404


@pytest.mark.parametrize("name", [*PUBLIC, "robots", "live", "ready"])
def test_pages_are_read_never_posted(client, db, name):
    assert client.post(reverse(name)).status_code == 405


def test_the_page_one_is_on_is_marked(client, db):
    page = read(client.get(reverse("help")))
    assert [
        link.text_content().strip() for link in page.xpath("//div[@id='menu']//a[@aria-current='page']")
    ] == ["Aide"]


@pytest.mark.parametrize("name", ["home", "help"])
def test_days_come_from_the_rulebook(client, rules, monkeypatch, name):
    """With other days in law, the page says other days: none is written in a template."""
    other = replace(rules, provider_answer_days=37, withdrawal_days=41)
    monkeypatch.setattr(pages.rulebook, "on", lambda day: other)
    text = client.get(reverse(name)).text
    assert "37 jours ouvrés" in text
    assert "41 jours ouvrés" in text
    for former in ("provider_answer", "withdrawal"):
        assert days_in_words(rules.term(former)) not in text


def test_home_leads_to_the_search(client, db):
    (form,) = read(client.get(reverse("home"))).xpath("//main//form")
    assert (form.get("action"), form.get("method"), form.get("role")) == (reverse("search"), "get", "search")
    assert client.get(reverse("search"), {"q": "anglais", "town": "Lyon"}).status_code == 200
    assert {entry.get("name") for entry in form.xpath(".//input")} == {"q", "town"}


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (Term(1, "business"), "1 jour ouvré"),
        (Term(14, "business"), "14 jours ouvrés"),
        (Term(1, "calendar"), "1 jour"),
        (Term(5, "calendar"), "5 jours"),
    ],
)
def test_days_in_words(term, words):
    assert days_in_words(term) == words


def test_help_explains_every_state(client, rules):
    explained = explained_states(rules)
    assert [state.label for state in explained] == [str(s.label) for s in State if s in WHOSE_TURN]
    text = client.get(reverse("help")).text
    for state in State:
        assert html.fragment_fromstring(f"<p>{state.label}</p>").text in html.fromstring(text).text_content()


# --- The home of each role ---------------------------------------------------------------------------


def test_someone_without_account_is_led_to_activation(client, db):
    client.force_login(UserFactory())
    page = read(client.get(reverse("home")))
    assert "Activer mon compte" in menu(page)
    assert "Mes dossiers" not in menu(page)
    assert page.xpath(f"//main//a[@href='{reverse('activation')}']")


def test_a_holder_has_their_menu_and_nothing_presses(client, db):
    holder = HolderFactory()
    client.force_login(holder.user)
    page = read(client.get(reverse("home")))
    mine = ["Mes dossiers", "Mes droits", "Mes favoris", "Mes recherches"]
    assert menu(page) == [*mine, "Recherche", "Notifications", "Aide"]
    about_me = [link.text_content().strip() for link in page.find_class("account")[0].xpath(".//a")]
    assert about_me[:3] == ["Mon compte", "Mon profil", "Ma connexion"]
    assert holder.display_name in page.findtext(".//h1")
    assert "Rien ne presse" in page.text_content()
    assert page.xpath(f"//form[@method='post'][@action='{reverse('account_logout')}']//button")


def test_a_provider_has_its_menu(client, db):
    member = MembershipFactory()
    client.force_login(member.user)
    page = read(client.get(reverse("home")))
    mine = ["Demandes reçues", "Mes offres", "Mes imports", "Avis reçus", "Sommes dues", "Mon équipe"]
    assert menu(page) == [*mine, "Notifications", "Aide"]
    assert page.findtext(".//h1") == member.organisation.name


def test_an_admin_goes_to_the_desk(client, db):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    response = client.get(reverse("home"))
    assert response.url == reverse("admin:index")


@pytest.mark.parametrize("number", [1, 3])
def test_what_waits_is_shown_with_its_last_minute(client, db, at, number):
    holder = HolderFactory()
    mine = [DossierFactory(holder=holder, proposed=True, at=at) for _ in range(number)]
    other = DossierFactory(proposed=True, at=at)
    client.force_login(holder.user)
    page = read(client.get(reverse("home")))
    links = {link.get("href") for link in page.xpath("//main//article//a")}
    assert links == {reverse("dossier", args=[dossier.pk]) for dossier in mine}
    assert str(other.pk) not in page.text_content()
    assert "à\u00a0minuit" in page.text_content()
    assert len(page.find_class("countdown")) == number


def test_a_provider_sees_who_waits_for_it(client, db, at):
    dossier = DossierFactory(requested=True, at=at)
    member = MembershipFactory(organisation=dossier.provider.organisation)
    client.force_login(member.user)
    page = read(client.get(reverse("home")))
    assert page.xpath(f"//main//a[@href='{reverse('provider_dossier', args=[dossier.pk])}']")
    assert dossier.holder.display_name in page.text_content()


# --- Errors ------------------------------------------------------------------------------------------


def test_a_page_that_is_not_there_offers_the_search(client, db):
    response = client.get("/nulle-part")
    assert response.status_code == 404
    assert read(response).xpath(f"//main//form[@action='{reverse('search')}']")


def test_a_wrong_host_is_a_bad_request(client, db):
    response = client.get("/", headers={"host": "ailleurs.exemple"})
    assert response.status_code == 400
    assert "ailleurs" not in response.text
    read(response)


def test_a_failure_says_that_nothing_is_lost_and_asks_the_database_nothing(
    db, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(health, "_database", lambda: 1 / 0)
    client = Client(raise_request_exception=False)
    with django_assert_num_queries(0):
        response = client.get(reverse("ready"))
    assert response.status_code == 500
    assert "Rien n’est perdu" in read(response).text_content()


def test_a_form_too_old_changes_nothing(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(HolderFactory().user)
    response = client.post(reverse("set_language"), {"language": "fr"})
    assert response.status_code == 403
    assert "n’a pas été pris en compte" in read(response).text_content()


def test_a_page_for_another_role_says_so(client, db, rf):
    client.force_login(HolderFactory().user)
    request = client.get(reverse("help")).wsgi_request
    response = pages.forbidden(request, PermissionError())
    assert response.status_code == 403
    assert "changez de rôle" in read(response).text_content()


# --- Language ----------------------------------------------------------------------------------------


@override_settings(LANGUAGES=[("fr", "Français")])
def test_one_language_needs_no_switch(client, db):
    assert not read(client.get(reverse("help"))).xpath("//form[@class='languages']")


@override_settings(LANGUAGES=[("fr", "Français"), ("en", "Anglais")])
def test_two_languages_have_a_switch_that_comes_back_here(client, db):
    (form,) = read(client.get(reverse("help"))).xpath("//form[@class='languages']")
    assert form.get("method") == "post"
    assert form.xpath(".//input[@name='next']")[0].get("value") == reverse("help")
    assert [button.get("value") for button in form.xpath(".//button")] == ["fr", "en"]


# --- Robots and health -------------------------------------------------------------------------------


def test_robots_stay_out_of_what_belongs_to_people(client, db):
    response = client.get(reverse("robots"))
    assert response["Content-Type"].startswith("text/plain")
    closed = [line.split(": ")[1] for line in response.text.splitlines() if line.startswith("Disallow")]
    personal = (
        "dossiers rights notices profile activation provider_inbox provider_offers account_login admin:index"
    )
    for name in personal.split():
        assert reverse(name).startswith(tuple(closed)), name
    assert not reverse("search").startswith(tuple(closed))


def test_live_asks_nothing(client, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get(reverse("live"))
    assert response.json() == {"status": "ok"}
    assert "no-store" in response["Cache-Control"]


def test_ready_when_everything_answers(client, db):
    response = client.get(reverse("ready"))
    assert response.status_code == 200
    parts = response.json()["parts"]
    assert parts.pop("scheduler") in {"ok", "unknown"}  # nothing has run here yet
    assert set(parts.values()) == {"ok"}
    assert {"database", "broker", "migrations"} < set(parts)


def test_a_dead_broker_makes_wait_and_sends_nobody_away(client, db, monkeypatch):
    monkeypatch.setattr(redis.Redis, "ping", _raise(redis.ConnectionError("secret-host:6379")))
    response = client.get(reverse("ready"))
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["parts"]["broker"] == "down"
    assert "secret" not in response.text


def test_not_ready_without_database(client, db, monkeypatch):
    monkeypatch.setattr(connection, "cursor", _raise(DatabaseError("secret-host")))
    response = client.get(reverse("ready"))
    monkeypatch.undo()
    assert response.status_code == 503
    parts = response.json()["parts"]
    assert (parts.pop("database"), parts.pop("broker")) == ("down", "ok")
    assert set(parts.values()) == {"unknown"}
    assert "secret" not in response.text


def test_not_ready_with_a_migration_to_apply(client, db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'notices'")
    response = client.get(reverse("ready"))
    assert response.status_code == 503
    assert response.json()["parts"]["migrations"] == "behind"


def _raise(error):
    def fail(*args, **kwargs):
        raise error

    return fail

"""Searches that people save: in one writing, theirs alone, and told of when something is new."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import freezing
from accounts.actors import Actor, Role
from accounts.models import User
from catalog import alerts, saved_searches
from catalog.forms import SearchForm
from catalog.models import SavedSearch, Visibility
from notices import outbox
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.catalog import OfferFactory, TownFactory, today
from tests.factories.notices import NoticeFactory
from tests.factories.rights import PurseFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def lyon():
    return TownFactory()


def save(user, query="q=soudure", *, name="", alert="none", at=None):
    return saved_searches.keep(query, name=name, alert=alert, user=user, at=at or timezone.now())


def plain(text):
    return text.replace("\u202f", " ").replace("\xa0", " ")


def form_of(query):
    form = SearchForm(QueryDict(query), costs=None)
    assert form.is_valid(), form.errors
    return form


# --- What is kept -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("q=soudure", "q=soudure"),
        ("page=3&q=+soudure+&sort=relevance&price_max=&town=", "q=soudure"),
        ("mode=on_site&q=soudure&mode=mixed", "q=soudure&mode=on_site&mode=mixed"),
        ("mode=mixed&mode=on_site&mode=mixed&q=soudure", "q=soudure&mode=on_site&mode=mixed"),
        ("radius=50&q=soudure", "q=soudure"),
        ("radius=50&town=Lyon&q=", "town=Lyon&radius=50"),
        ("q=a&q=b", "q=b"),
        ("sort=price&unknown=1&csrfmiddlewaretoken=x&q=c%2B%2B", "q=c%2B%2B&sort=price"),
        ("page=2", ""),
    ],
)
def test_a_search_has_one_writing_whatever_the_address_looked_like(lyon, asked, kept):
    assert saved_searches.canonical(form_of(asked)) == kept


def test_saved_in_another_writing_it_is_the_same_search(holder):
    first = save(holder.user, "q=soudure&mode=on_site&mode=mixed")
    again = save(holder.user, "page=2&mode=mixed&mode=on_site&q=soudure", name="Souder", alert="daily")
    assert first.pk == again.pk
    assert (again.name, again.alert) == ("Souder", "daily")


def test_the_name_proposed_says_what_is_asked_and_stays_short(lyon, holder):
    proposed = save(holder.user, "q=soudure&town=Lyon&radius=20&mode=mixed").name
    assert plain(proposed) == "« soudure », 20 km autour de Lyon (69), Mixte"
    assert len(save(holder.user, f"q={'long+' * 39}").name) <= saved_searches.NAME_MAX


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Cherchez d’abord des mots"),
        ("page=2&sort=relevance", "Cherchez d’abord des mots"),
        ("town=Atlantide", "un de ses filtres est à corriger"),
        ("q=" + "x" * 201, "un de ses filtres est à corriger"),
        ("price_max=-1", "un de ses filtres est à corriger"),
        ("q=avant%00après", "un de ses filtres est à corriger"),
        ("q=" + "é" * 200, "trop de filtres"),
    ],
)
def test_what_asks_for_nothing_or_makes_no_sense_is_refused_in_words(holder, query, sentence):
    with pytest.raises(Refused, match=sentence):
        save(holder.user, query)
    assert not SavedSearch.objects.exists()


def test_a_full_list_refuses_one_more_and_takes_the_same_again(holder, monkeypatch):
    monkeypatch.setattr(saved_searches, "MOST", 2)
    for words in ("un", "deux"):
        save(holder.user, f"q={words}")
    save(holder.user, "q=deux", name="Encore")
    with pytest.raises(Refused, match="déjà 2 recherches"):
        save(holder.user, "q=trois")


# --- The pages ----------------------------------------------------------------------------------------


def test_from_the_results_to_the_list_and_back_without_javascript(holder_client, holder):
    OfferFactory(title="Soudure à l'arc")
    page = holder_client.get(reverse("search"), {"q": "soudure", "page": "1"}).text
    assert "Enregistrer cette recherche" in page
    query = re.search(r'name="query" value="([^"]+)"', page)[1]
    answer = holder_client.post(
        reverse("saved_search_keep"), {"query": query, "name": "Souder", "alert": "weekly"}, follow=True
    )
    assert answer.redirect_chain[-1][0] == "/recherche?q=soudure"
    assert "« Souder » est dans « Mes recherches ». Le nouveau vous sera dit par e-mail." in plain(
        answer.text
    )
    shown = holder_client.get(reverse("saved_searches")).text
    assert "Souder" in shown and "Alerte chaque semaine" in shown
    [saved] = SavedSearch.objects.all()
    assert holder_client.get(reverse("saved_search_run", args=[saved.pk])).url == "/recherche?q=soudure"


def test_it_is_renamed_its_alert_changed_and_it_is_deleted(holder_client, holder):
    saved = save(holder.user)
    prefix = f"r{saved.pk.hex}"
    about = {f"{prefix}-name": "Mon métier", f"{prefix}-alert": "daily"}
    holder_client.post(reverse("saved_search", args=[saved.pk]), about)
    saved.refresh_from_db()
    assert (saved.name, saved.alert) == ("Mon métier", "daily")
    for _twice in range(2):
        assert holder_client.post(reverse("saved_search_drop", args=[saved.pk])).status_code == 302
    assert "Aucune recherche enregistrée" in holder_client.get(reverse("saved_searches")).text


def test_what_is_wrong_stands_beside_its_field_on_the_page_of_all(holder_client, holder):
    saved, other = save(holder.user), save(holder.user, "q=cuisine")
    prefix = f"r{saved.pk.hex}"
    answer = holder_client.post(
        reverse("saved_search", args=[saved.pk]), {f"{prefix}-name": "x" * 81, f"{prefix}-alert": "hourly"}
    )
    assert answer.status_code == 422
    assert "80 caractères au plus" in answer.text and "Cette alerte n’existe pas" in answer.text
    assert f'name="r{other.pk.hex}-name"' in answer.text


def test_what_cannot_be_saved_says_why(holder_client):
    for about in ({"query": "", "alert": "none"}, {"query": "q=a", "alert": "hourly"}, {}):
        answer = holder_client.post(reverse("saved_search_keep"), about, follow=True)
        assert 'class="alert alert--error"' in answer.text
    assert not SavedSearch.objects.exists()


def test_nobody_sees_changes_or_deletes_another_ones(other_holder_client, holder):
    saved = save(holder.user, name="À moi")
    assert "À moi" not in other_holder_client.get(reverse("saved_searches")).text
    assert other_holder_client.get(reverse("saved_search_run", args=[saved.pk])).status_code == 404
    about = {f"r{saved.pk.hex}-name": "Volé", f"r{saved.pk.hex}-alert": "daily"}
    assert other_holder_client.post(reverse("saved_search", args=[saved.pk]), about).status_code == 404
    other_holder_client.post(reverse("saved_search_drop", args=[saved.pk]))
    saved.refresh_from_db()
    assert (saved.name, saved.alert) == ("À moi", "none")


def test_a_visitor_is_told_the_way_in_and_back(client):
    page = client.get(reverse("search"), {"q": "soudure"}).text
    assert "?next=/recherche%3Fq%3Dsoudure" in page
    assert "saved_search" not in page and 'name="query"' not in page
    assert "pour enregistrer cette recherche" not in client.get(reverse("search")).text


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_much_for_three_as_for_one(
    count, holder_client, holder, django_assert_num_queries, lyon
):
    for number in range(count):
        save(holder.user, f"q=mot{number}&town=Lyon")
    with django_assert_num_queries(6):  # session, person, roles (two), the searches, unread notices
        holder_client.get(reverse("saved_searches"))


# --- What is new --------------------------------------------------------------------------------------


def opened(offer, *, days_ago):
    day = today() - timedelta(days=days_ago)
    Visibility.objects.update_or_create(offer=offer, defaults={"is_open": True, "since": day})
    return offer


def waiting(holder, query="q=soudure", *, alert="daily", days=1, **about):
    """A search whose news were told until so many days ago."""
    saved = save(holder.user, query, alert=alert, **about)
    SavedSearch.objects.filter(pk=saved.pk).update(told_until=today() - timedelta(days=days))
    return saved


def letters():
    return list(Notice.objects.filter(kind="searches_found").order_by("created_at", "pk"))


def mails():
    outbox.deliver_due(at=timezone.now(), limit=50)
    return mail.outbox


def test_what_opened_since_is_told_once(holder, at):
    waiting(holder, name="Souder")
    opened(OfferFactory(title="Soudure à l'arc", price_cents=123_450), days_ago=1)
    opened(OfferFactory(title="Soudure d'hier"), days_ago=2)  # told before
    opened(OfferFactory(title="Cuisine"), days_ago=1)
    opened(OfferFactory(title="Soudure cachée", is_published=False), days_ago=1)
    assert alerts.tell(at=at) == 1
    assert [alerts.tell(at=at) for _again in range(2)] == [0, 0]
    assert alerts.tell(at=at + timedelta(days=1)) == 0
    [letter] = letters()
    [message] = mails()
    assert letter.user == holder.user
    assert plain(message.subject) == "Une nouvelle formation : Souder"
    body = plain(message.body)
    assert "Soudure à l'arc" in body and "1 234,50 €" in body
    assert not any(words in body for words in ("hier", "Cuisine", "cachée"))


def test_what_opens_today_is_told_tomorrow_when_the_day_is_whole(holder, at):
    waiting(holder)
    opened(OfferFactory(title="Soudure"), days_ago=0)
    assert alerts.tell(at=at) == 0
    opened(OfferFactory(title="Soudure du soir"), days_ago=0)
    assert alerts.tell(at=at + timedelta(days=1)) == 1
    assert letters()[0].facts["searches"][0]["count"] == 2


def test_one_letter_a_day_holds_all_the_searches_that_have_news(holder, at, monkeypatch):
    for words in ("soudure", "cuisine", "anglais"):
        waiting(holder, f"q={words}", name=words)
    for title in ("Soudure", "Cuisine"):
        opened(OfferFactory(title=title), days_ago=1)
    alerts.tell(at=at)
    [letter] = letters()
    assert {found["name"] for found in letter.facts["searches"]} == {"soudure", "cuisine"}
    assert letter.link == reverse("saved_searches")
    [message] = mails()
    assert message.subject == "Du nouveau dans vos recherches"


def test_a_letter_is_bounded_and_says_how_much_it_leaves_out(holder, at, monkeypatch):
    monkeypatch.setattr(alerts, "SEARCHES_TOLD", 1)
    monkeypatch.setattr(alerts, "OFFERS_TOLD", 2)
    for words in ("soudure", "arc"):
        waiting(holder, f"q={words}", name=words)
    for number in range(3):
        opened(OfferFactory(title=f"Soudure à l'arc {number}"), days_ago=1)
    alerts.tell(at=at)
    [letter] = letters()
    [found] = letter.facts["searches"]
    assert (found["count"], len(found["offers"]), letter.facts["others"]) == (3, 2, 1)
    assert "Une autre de vos recherches a du nouveau" in mails()[0].body


def test_a_weekly_alert_waits_a_week_and_tells_it_whole(holder, at):
    waiting(holder, alert="weekly", days=6)
    opened(OfferFactory(title="Soudure"), days_ago=5)
    assert alerts.tell(at=at) == 0
    assert alerts.tell(at=at + timedelta(days=1)) == 1


def test_no_alert_no_letter(holder, at):
    waiting(holder, alert="none")
    opened(OfferFactory(title="Soudure"), days_ago=1)
    assert alerts.tell(at=at) == 0


def test_what_they_would_pay_themselves_is_a_limit_that_follows_their_rights(holder_client, holder, at):
    about = {"query": "q=soudure&cost_max=300&sort=cost", "name": "", "alert": "daily"}
    holder_client.post(reverse("saved_search_keep"), about)
    [saved] = SavedSearch.objects.all()
    assert saved.query == "q=soudure&cost_max=300&sort=cost"
    for title, price in (("Soudure chère", 400_000), ("Soudure à portée", 120_000)):
        opened(OfferFactory(title=title, price_cents=price), days_ago=1)
    SavedSearch.objects.update(told_until=today() - timedelta(days=1))
    assert alerts.tell(at=at) == 0
    PurseFactory(holder=holder, amount=100_000)
    SavedSearch.objects.update(told_until=today() - timedelta(days=1))
    assert alerts.tell(at=at) == 1
    [found] = letters()[0].facts["searches"]
    assert [offer["title"] for offer in found["offers"]] == ["Soudure à portée"]


def test_who_may_not_enrol_has_no_news_of_what_they_would_pay(holder_client, holder, at):
    about = {"query": "q=soudure&cost_max=3000", "name": "", "alert": "daily"}
    holder_client.post(reverse("saved_search_keep"), about)
    opened(OfferFactory(title="Soudure"), days_ago=1)
    SavedSearch.objects.update(told_until=today() - timedelta(days=1))
    type(holder).objects.filter(pk=holder.pk).update(status="public_agent")
    assert alerts.tell(at=at) == 0


def test_a_list_or_a_map_is_the_same_search(holder):
    first, second = save(holder.user, "q=soudure&view=map"), save(holder.user, "q=soudure")
    assert first.pk == second.pk and first.query == "q=soudure"


def test_an_alert_that_begins_tells_nothing_of_before(holder, at):
    saved = waiting(holder, alert="none", days=30)
    opened(OfferFactory(title="Soudure"), days_ago=3)
    saved_searches.change(saved.pk, name="", alert="daily", user=holder.user, at=at)
    assert alerts.tell(at=at + timedelta(days=1)) == 0


def test_a_frozen_account_hears_nothing_and_is_not_flooded_after(holder, at):
    waiting(holder, days=40)
    by = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
    freezing.freeze(holder.pk, by=by, at=at)
    opened(OfferFactory(title="Soudure"), days_ago=1)
    opened(OfferFactory(title="Soudure ancienne"), days_ago=20)
    assert alerts.tell(at=at) == 0
    type(holder).objects.filter(pk=holder.pk).update(frozen_at=None, frozen_by="")
    assert alerts.tell(at=at) == 1
    assert letters()[0].facts["searches"][0]["count"] == 1


def test_a_closed_login_hears_nothing(holder, at):
    waiting(holder)
    opened(OfferFactory(title="Soudure"), days_ago=1)
    User.objects.filter(pk=holder.user.pk).update(is_active=False)
    assert alerts.tell(at=at) == 0


def test_a_search_that_no_longer_reads_well_keeps_nobody_waiting(holder, at, other_holder):
    saved = waiting(holder)
    SavedSearch.objects.filter(pk=saved.pk).update(query="town=Ville-disparue")
    waiting(other_holder)
    opened(OfferFactory(title="Soudure"), days_ago=1)
    assert alerts.tell(at=at) == 1
    assert [letter.user for letter in letters()] == [other_holder.user]


def test_a_fault_of_ours_on_one_person_keeps_nobody_waiting(holder, other_holder, at, monkeypatch, caplog):
    for each in (holder, other_holder):
        waiting(each)
    opened(OfferFactory(title="Soudure"), days_ago=1)
    original = alerts._news

    def broken(saved, *, rules):
        if saved.user_id == holder.user_id:
            raise ValueError
        return original(saved, rules=rules)

    monkeypatch.setattr(alerts, "_news", broken)
    assert alerts.tell(at=at) == 1
    assert "could not be looked at" in caplog.text


@pytest.mark.parametrize("count", [1, 3])
def test_people_beyond_the_lot_are_told_by_the_next_run(count, at):
    opened(OfferFactory(title="Soudure"), days_ago=1)
    for _number in range(count):
        waiting(HolderFactory())
    assert sum(alerts.tell(at=at, limit=1) for _run in range(count)) == count
    assert len(letters()) == count
    assert alerts.tell(at=at, limit=1) == 0


# --- The way out --------------------------------------------------------------------------------------


@pytest.fixture
def told(holder, at):
    waiting(holder)
    waiting(holder, "q=arc", alert="weekly")
    opened(OfferFactory(title="Soudure à l'arc"), days_ago=1)
    alerts.tell(at=at)
    [message] = mails()
    return message


def test_the_mail_carries_a_link_and_the_headers_that_mail_readers_know(told):
    link = told.extra_headers["List-Unsubscribe"].strip("<>")
    assert told.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link.startswith("http://testserver/alertes/arreter/")
    assert link in told.body and link in told.alternatives[0].content


def test_no_other_notice_can_be_stopped(holder, at):
    save(holder.user)
    NoticeFactory(user=holder.user, kind="dossier_refused")
    [message] = mails()
    assert "List-Unsubscribe" not in message.extra_headers
    assert "Ne plus recevoir" not in message.body


def test_one_click_of_a_mail_reader_stops_all_alerts_without_signing_in(told, holder):
    path = told.extra_headers["List-Unsubscribe"].strip("<>").removeprefix("http://testserver")
    reader = Client(enforce_csrf_checks=True)
    assert "Arrêter les alertes de vos recherches" in reader.get(path).text
    assert SavedSearch.objects.exclude(alert="none").count() == 2
    answer = reader.post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200 and "Vos alertes sont arrêtées" in answer.text
    assert not SavedSearch.objects.exclude(alert="none").exists()
    assert SavedSearch.objects.filter(user=holder.user).count() == 2
    assert reader.post(path).status_code == 200
    assert "no-store" in answer["Cache-Control"] and "noindex" in answer["X-Robots-Tag"]


@pytest.mark.parametrize("token", ["1", "1:x", "é", "%00", "9" * 500])
def test_an_address_we_did_not_write_stops_nothing(client, told, token):
    path = reverse("alerts_stop", args=[token])
    assert [client.get(path).status_code, client.post(path).status_code] == [404, 404]
    assert SavedSearch.objects.exclude(alert="none").count() == 2


def test_a_link_stops_the_alerts_of_its_person_only(told, holder, other_holder):
    waiting(other_holder)
    Client().post(alerts.stop_link(holder.user))
    assert [saved.user for saved in SavedSearch.objects.exclude(alert="none")] == [other_holder.user]


# --- What is known of them -----------------------------------------------------------------------------


def test_my_data_hold_my_searches_and_they_go_with_me(holder, at):
    save(holder.user, name="Souder", alert="daily")
    [said] = saved_searches.of_person(holder.user)
    assert (said["nom"], said["recherche"]) == ("Souder", "q=soudure")
    gone = UserFactory()
    SavedSearch.objects.update(user=gone)
    gone.delete()
    assert not SavedSearch.objects.exists()


def test_the_day_a_search_is_saved_is_told_too(holder, at):
    saved = save(holder.user, alert="daily", at=at)
    assert saved.told_until == workdays.paris_day(at)

"""The holder's home: what waits first, in the order of the minutes, then what they own and follow."""

from datetime import timedelta

import pytest
from django.urls import reverse
from lxml import html

from dossiers import calendar, workflow
from dossiers.states import State
from portal import home
from rulebook import workdays
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import DossierFactory, bring, holder_actor, in_business_days
from tests.factories.notices import NoticeFactory
from tests.factories.rights import PurseFactory

pytestmark = pytest.mark.django_db
HOME = "/"


@pytest.fixture
def holder():
    return HolderFactory(town="Rennes")


@pytest.fixture
def shown(client_for, holder):
    def shown():
        response = client_for(holder.user).get(HOME)
        assert response.status_code == 200
        return response

    return shown


def cards(response) -> list[str]:
    page = html.document_fromstring(response.text)
    return [" ".join(card.text_content().split()) for card in page.xpath("//main//article")]


def test_what_runs_out_first_comes_first_and_drafts_and_news_after(shown, holder, at):
    payment = DossierFactory(at=at - timedelta(hours=1), holder=holder, awaiting_payment=True)
    proposed = DossierFactory(at=at, holder=holder, proposed=True, balance_cents=0)
    draft = DossierFactory(at=at, holder=holder, balance_cents=0)
    NoticeFactory(user=holder.user, kind="dossier_refused", created_at=at)
    DossierFactory(at=at, proposed=True)  # somebody else's
    found = shown().context["cards"]
    assert {card.dossier.pk for card in found[:3]} == {proposed.pk, payment.pk, draft.pk}
    assert found[3].notice.kind == "dossier_refused"
    dues = [card.due_at for card in found[:3]]
    assert dues == sorted(dues)


def test_each_card_says_what_to_do_and_the_sum(shown, holder, at):
    DossierFactory(at=at, holder=holder, awaiting_payment=True)
    DossierFactory(at=at, holder=holder, proposed=True, balance_cents=0, price_cents=123_450)
    text = " ".join(cards(shown())).replace("\u202f", " ").replace("\u00a0", " ")
    assert "vous propose une place pour 1 234,50 €" in text
    assert "Il vous reste 900,00 € à payer" in text
    assert text.count("à minuit") == 2


def test_a_draft_says_until_when_it_can_be_sent_and_when_it_is_too_late(shown, holder, at, rules):
    starts_on = in_business_days(at, 15)
    session = SessionFactory(starts_on=starts_on, ends_on=starts_on)
    DossierFactory(at=at, holder=holder, session=session, balance_cents=0)
    (card,) = shown().context["cards"]
    last = calendar.last_day_to_send(starts_on, rules=rules)
    assert card.due_at == workdays.midnight_after(last)
    assert "Rien n’est envoyé" in cards(shown())[0]
    tomorrow = workdays.paris_day(at) + timedelta(days=1)
    session.starts_on = session.ends_on = tomorrow
    session.save()
    assert "trop tôt" in cards(shown())[0]


@pytest.mark.parametrize("state", [State.REQUESTED, State.ACCEPTED])
def test_what_waits_for_others_is_followed_and_asks_nothing(shown, holder, at, state):
    dossier = bring(DossierFactory(at=at, holder=holder), state, at=at)
    page = shown()
    assert page.context["cards"] == []
    assert [row.dossier.pk for row in page.context["rows"]] == [dossier.pk]
    assert "Rien ne presse" in page.text
    assert dossier.offer.title in page.text


@pytest.mark.parametrize(
    ("state", "action", "words"),
    [
        (State.POSTPONED, "Lire les nouvelles dates et répondre", "ou partez sans frais"),
        (State.ABSENT, "Expliquer mon absence", "comme une annulation tardive"),
    ],
)
def test_what_is_decided_without_them_if_they_are_silent_waits_for_them(
    shown, holder, at, state, action, words
):
    dossier = bring(DossierFactory(at=at, holder=holder), state, at=at)
    page = shown()
    (card,) = cards(page)
    assert action in card
    assert words in card
    assert "il reste" in card
    assert "Une chose vous attend" in page.text
    assert page.context["rows"] == []
    # Too late, nothing can be done about it any more: it is told among what goes on, never hidden.
    due_at = page.context["cards"][0].due_at
    request = page.wsgi_request
    later = home.of_holder(request, at=due_at)
    assert later["cards"] == []
    assert [row.dossier for row in later["rows"]] == [dossier]


def test_what_is_overdue_is_not_waited_for(shown, holder, at):
    DossierFactory(at=at - timedelta(days=30), holder=holder, proposed=True)
    page = shown()
    assert (page.context["cards"], page.context["rows"], page.context["dates"]) == ([], [], [])


def test_bad_news_stays_until_it_is_read_and_opens_on_its_page(client_for, holder, at):
    client = client_for(holder.user)
    notice = NoticeFactory(user=holder.user, kind="dossier_refused", link="/mes-dossiers")
    NoticeFactory(user=holder.user, kind="dossier_accepted")
    NoticeFactory(kind="dossier_refused")  # somebody else's
    assert len(cards(client.get(HOME))) == 1
    assert client.post(reverse("notice_open", args=[notice.pk])).url == "/mes-dossiers"
    assert cards(client.get(HOME)) == []


def test_bad_news_is_found_under_any_number_of_other_notices(shown, holder, at):
    NoticeFactory(user=holder.user, kind="dossier_lapsed", created_at=at - timedelta(days=30))
    NoticeFactory.create_batch(25, user=holder.user, kind="reminder", created_at=at)
    assert [card.notice.kind for card in shown().context["cards"]] == ["dossier_lapsed"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dossier_refused", State.REFUSED_BY_PROVIDER.label),
        ("dossier_cancelled_by_provider", State.CANCELLED_BY_PROVIDER.label),
        ("dossier_lapsed", State.LAPSED.label),
        ("dossier_closed", State.CLOSED_BY_PLATFORM.label),
        ("payment_refused", "Paiement refusé"),
    ],
)
def test_bad_news_names_the_state_as_the_dossier_does(shown, holder, at, kind, words):
    NoticeFactory(user=holder.user, kind=kind, created_at=at)
    (card,) = shown().context["cards"]
    assert card.told == words


def test_a_state_is_said_once_on_its_card_and_calls_are_warned_of_once(shown, holder, at):
    DossierFactory(at=at, holder=holder, proposed=True, balance_cents=0)
    text = shown().text
    assert text.count("Nous ne vous appelons jamais") == 1
    assert "track__now" not in text


def test_a_long_list_stops_and_leads_to_the_rest(shown, holder, at):
    for _number in range(home.CARDS + 1):
        DossierFactory(at=at, holder=holder, proposed=True, balance_cents=0)
    page = shown()
    assert len(cards(page)) == home.CARDS
    assert f"{home.CARDS + 1} choses vous attendent" in page.text
    assert "?voir=a-faire" in page.text


def test_the_balance_the_dates_and_the_notices_are_there(shown, holder, at):
    PurseFactory(holder=holder, amount=1234_50)
    dossier = DossierFactory(at=at, holder=holder, accepted=True, balance_cents=100_000)
    page = shown()
    assert page.context["rights"].total_cents + page.context["rights"].reserved_cents == 2234_50
    assert [entry.kind for entry in page.context["dates"]] == ["withdrawal", "starts", "ends"]
    assert all(entry.link == reverse("dossier", args=[dossier.pk]) for entry in page.context["dates"])
    told = [notice.kind for notice, _subject in page.context["notices"]]
    assert sorted(told) == ["dossier_accepted", "dossier_proposed"]


def test_a_newcomer_finds_first_steps_and_ideas_near_their_town(shown, holder):
    page = shown()
    assert page.context["steps"].is_shown
    tree = html.document_fromstring(page.text)
    assert tree.xpath("//details[contains(@class, 'first-steps')][@open]")
    ideas = tree.xpath("//a[@class='chip']/@href")
    assert f"{reverse('search')}?town=Rennes" in ideas
    assert "à lire" not in page.text.lower()


def test_who_cannot_enrol_reads_why(client_for):
    holder = HolderFactory(status="public_agent")
    assert "agent public" in client_for(holder.user).get(HOME).text


def test_before_activation_home_leads_to_it(client_for):
    page = client_for(UserFactory()).get(HOME)
    assert reverse("activation") in page.text
    assert "Vos prochaines dates" not in page.text


@pytest.mark.parametrize("count", [1, 3])
def test_home_takes_the_same_queries_with_1_and_with_3_of_everything(
    client_for, holder, at, count, django_assert_num_queries
):
    for number in range(count):
        for state in ({"proposed": True}, {"requested": True}, {}):
            DossierFactory(at=at, holder=holder, balance_cents=0, **state)
        awaiting = DossierFactory(at=at, holder=holder, awaiting_payment=True)
        PurseFactory(holder=holder, kind="dotation", label=f"Financeur {number}")
        refused = DossierFactory(at=at, holder=holder, requested=True, balance_cents=0)
        bring(refused, State.CANCELLED_BY_HOLDER, at=at)
        assert workflow.remainder_line(awaiting).amount_cents
    NoticeFactory.create_batch(count, user=holder.user, kind="dossier_refused")
    client = client_for(holder.user)
    # session, person, roles (two), rules of the day, dossiers, bad news, notices, purses, reservations,
    # first steps, wishes, unread notices
    with django_assert_num_queries(13):
        client.get(HOME)


def test_the_menu_counts_unread_notices_once_and_a_visitor_costs_nothing(
    client, client_for, holder, django_assert_num_queries
):
    NoticeFactory.create_batch(2, user=holder.user)
    page = client_for(holder.user).get(reverse("help"))
    assert page.context["unread_notices"] == 2
    with django_assert_num_queries(0):
        assert client.get(reverse("accessibility")).context["unread_notices"] == 0


def test_home_is_for_its_holder_alone(client_for, holder, at):
    DossierFactory(at=at, holder=holder, proposed=True)
    other = HolderFactory()
    page = client_for(other.user).get(HOME)
    assert cards(page) == []
    assert holder_actor(other).holder.display_name in page.text

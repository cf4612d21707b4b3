"""Writing to us and following it, as a visitor, a holder and a member; without JavaScript."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from lxml import html

from accounts.actors import Actor, Role
from notices.models import Notice
from support.links import link_of
from support.models import Entry, ScamReport, Ticket
from support.states import State, Topic
from tests.factories.accounts import MembershipFactory
from tests.factories.dossiers import DossierFactory, holder_actor
from tests.factories.support import TicketFactory, act

pytestmark = pytest.mark.django_db
WRITE = "/contact/mes-droits/ecrire"


def letter(**fields):
    return {
        "subject": "Une année manque",
        "words": "Bonjour,\r\nje ne vois pas 2019.",
        "request_id": str(uuid.uuid4()),
    } | fields


def read(response):
    return html.fromstring(response.text)


def mine(holder, **fields):
    return TicketFactory(by=holder_actor(holder), **fields)


# --- Writing --------------------------------------------------------------------------------------


def test_a_visitor_reaches_the_form_in_three_clicks_and_sends_it(client):
    page = read(client.get(reverse("contact")))
    [topic] = [a.get("href") for a in page.xpath("//main//h2/a") if a.text == "Mes droits"]
    [write] = [a.get("href") for a in read(client.get(topic)).xpath("//main//a[contains(@class,'button')]")]
    answer = client.post(write, letter(email="visiteur@exemple.fr"), follow=True)
    ticket = Ticket.objects.get()
    assert ticket.email == "visiteur@exemple.fr"
    assert Entry.objects.get().words == "Bonjour,\nje ne vois pas 2019."
    assert ticket.number in answer.text
    assert "/suivi/" not in answer.text  # the address of the thread is mailed: it proves the mailbox
    [notice] = Notice.objects.all()
    assert client.get(notice.link).status_code == 200


def test_a_holder_is_not_asked_who_they_are(holder_client, holder):
    assert not read(holder_client.get(WRITE)).xpath("//input[@name='email' or @name='name']")
    answer = holder_client.post(WRITE, letter(email="autre@exemple.fr"))
    ticket = Ticket.objects.get()
    assert answer.url == reverse("ticket", args=[ticket.pk])
    assert (ticket.user, ticket.email, ticket.topic) == (holder.user, "", Topic.RIGHTS)


def test_a_member_asks_for_their_organisation(member_client, provider):
    member_client.post("/contact/organisme/ecrire", letter())
    assert Ticket.objects.get().organisation == provider.organisation


def test_an_administrator_asks_as_anybody(admin_client_, administrator):
    admin_client_.post(WRITE, letter())
    assert Entry.objects.get().role == Role.HOLDER
    assert admin_client_.get(reverse("ticket", args=[Ticket.objects.get().pk])).status_code == 200


def test_a_double_click_sends_one_request(holder_client):
    data = letter()
    first, second = (holder_client.post(WRITE, data) for _twice in range(2))
    assert first.url == second.url
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("request_id", ["", "rien", "1"])
def test_a_page_without_the_name_of_its_request_is_refused(holder_client, request_id):
    answer = holder_client.post(WRITE, letter(request_id=request_id))
    assert (answer.status_code, Ticket.objects.count()) == (422, 0)
    assert "Une année manque" in answer.text


def test_an_error_loses_nothing_and_is_said_beside_its_field(client):
    answer = client.post(WRITE, letter(email="pas une adresse"))
    page = read(answer)
    assert answer.status_code == 422
    assert page.xpath("//input[@name='subject']/@value") == ["Une année manque"]
    assert "je ne vois pas 2019" in page.xpath("//textarea[@name='words']")[0].text
    [field] = page.xpath("//input[@name='email']")
    assert field.get("aria-invalid") == "true"
    # … not even by leaving the page to read an answer.
    assert "je ne vois pas 2019" in client.get(WRITE).text


def test_what_is_typed_is_kept_and_forgotten_once_sent(client):
    keep = reverse("contact_keep", args=["mes-droits"])
    assert client.post(keep, letter(subject="À finir")).url == reverse("contact")
    assert "Vous aviez commencé à écrire" in client.get(reverse("contact")).text
    assert "À finir" in client.get(WRITE).text
    client.post(WRITE, letter(email="visiteur@exemple.fr"))
    assert "À finir" not in client.get(WRITE).text
    assert "Une année manque" not in client.get(WRITE).text


def test_keeping_by_htmx_says_when(client):
    answer = client.post(
        reverse("contact_keep", args=["demarchage"]), letter(), headers={"HX-Request": "true"}
    )
    assert "Votre texte est gardé depuis" in answer.text
    assert "<html" not in answer.text


def test_what_is_kept_is_cut_at_its_limits(client):
    client.post(reverse("contact_keep", args=["mes-droits"]), letter(words="x" * 100_000, email="y" * 5_000))
    kept = client.session["contact_kept"]["rights"]
    assert (len(kept["words"]), len(kept["email"])) == (4_000, 254)


def test_a_robot_that_fills_everything_in_sends_nothing(client):
    answer = client.post(WRITE, letter(email="robot@exemple.fr", website="https://spam.example"))
    assert (answer.status_code, Ticket.objects.count()) == (422, 0)
    [trap] = read(answer).xpath("//input[@name='website']")
    assert not trap.xpath("ancestor::*[@aria-hidden]")  # someone whose browser filled it in sees why
    hidden = read(client.get(WRITE)).xpath("//input[@name='website']")[0]
    assert hidden.xpath("ancestor::*[@aria-hidden='true']")
    assert hidden.get("tabindex") == "-1"


def test_one_connection_sends_twenty_an_hour(client, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"contact": "2/h/ip"}
    answers = [client.post(WRITE, letter(email=f"v{n}@exemple.fr")) for n in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert "je ne vois pas 2019" in answers[-1].text


def test_a_limit_says_so_and_keeps_the_words(holder_client, holder):
    for _n in range(10):
        mine(holder)
    answer = holder_client.post(WRITE, letter())
    assert answer.status_code == 429
    assert "10 demandes d’aide en un jour" in answer.text
    assert "je ne vois pas 2019" in answer.text


# --- Dossiers -------------------------------------------------------------------------------------

ABOUT_DOSSIER = "/contact/mon-dossier/ecrire"


def test_a_holder_picks_among_their_own_dossiers(holder_client, holder):
    own, other = DossierFactory(holder=holder), DossierFactory()
    page = read(holder_client.get(f"{ABOUT_DOSSIER}?dossier={own.number}"))
    assert page.xpath("//select[@name='dossier']/option/@value") == ["", own.number]
    assert page.xpath("//option[@selected]/@value") == [own.number]
    assert holder_client.post(ABOUT_DOSSIER, letter(dossier=other.number)).status_code == 422
    holder_client.post(ABOUT_DOSSIER, letter(dossier=own.number))
    assert Ticket.objects.get().dossier == own


def test_a_member_gives_the_number_of_one_they_follow(member_client, provider):
    other = DossierFactory(requested=True)
    answer = member_client.post(ABOUT_DOSSIER, letter(dossier=other.number))
    assert answer.status_code == 422
    assert "Ce numéro n’est pas celui d’un dossier que vous suivez" in answer.text


def test_a_visitor_is_not_asked_for_a_dossier(client):
    assert "dossier" not in read(client.get(ABOUT_DOSSIER)).xpath("//main//*[@name]/@name")


# --- Solicitations --------------------------------------------------------------------------------


def report(at, **fields):
    return letter(happened_on=at.date().isoformat(), channel="call", given=["password", "bank"]) | fields


def test_a_report_is_filled_with_today_and_leads_to_what_protects(holder_client, at):
    address = reverse("report_scam")
    [day] = read(holder_client.get(address)).xpath("//input[@name='happened_on']/@value")
    assert day == at.date().isoformat()
    page = holder_client.post(address, report(at, contact="06 39 98 12 34"), follow=True)
    found = ScamReport.objects.get()
    assert (found.contact, found.given) == ("06 39 98 12 34", ["password", "bank"])
    assert "Protégez votre compte" in page.text
    assert "Appelez votre banque" in page.text
    assert "Portez plainte" not in page.text  # no identity document was given


def test_a_report_is_refused_without_loss(client, at):
    tomorrow = (at.date() + timedelta(days=1)).isoformat()
    answer = client.post(reverse("report_scam"), report(at, happened_on=tomorrow, channel=""))
    assert answer.status_code == 422
    assert "Cette date est dans l’avenir" in answer.text
    assert len(read(answer).xpath("//input[@name='given'][@checked]")) == 2


def test_a_report_under_way_is_kept_with_its_boxes(client, at):
    client.post(reverse("contact_keep", args=["demarchage"]), report(at, contact="06 39 98"))
    page = read(client.get(reverse("report_scam")))
    assert page.xpath("//input[@name='given'][@checked]/@value") == ["password", "bank"]
    assert page.xpath("//input[@name='contact']/@value") == ["06 39 98"]


# --- Following ------------------------------------------------------------------------------------


def test_the_thread_is_read_completed_closed_and_reopened(holder_client, holder):
    ticket = mine(holder)
    act("answer", ticket, at=timezone.now(), words="Voyez https://exemple.fr/aide")
    address = reverse("ticket", args=[ticket.pk])
    page = holder_client.get(address)
    assert "Réponse donnée" in page.text
    assert 'href="https://exemple.fr/aide"' in page.text
    for verb, state in (("reply", "in_progress"), ("close", "closed"), ("reopen", "in_progress")):
        data = {"words": "Encore un mot", "request_id": str(uuid.uuid4())}
        [form] = read(holder_client.get(address)).xpath(
            f"//form[@action='{reverse(f'ticket_{verb}', args=[ticket.pk])}']"
        )
        assert holder_client.post(form.get("action"), data).status_code == 302
        ticket.refresh_from_db()
        assert ticket.state == state


def test_the_name_of_who_answers_stays_inside(holder_client, holder):
    ticket = mine(holder)
    act("answer", ticket, at=timezone.now())
    agent = Entry.objects.get(verb="answer").user
    assert agent.email not in holder_client.get(reverse("ticket", args=[ticket.pk])).text


def test_an_empty_word_is_refused_in_place(holder_client, holder):
    ticket = mine(holder)
    answer = holder_client.post(reverse("ticket_reply", args=[ticket.pk]), {"request_id": str(uuid.uuid4())})
    assert answer.status_code == 422
    assert read(answer).xpath("//textarea[@aria-invalid='true']")


def test_what_changed_meanwhile_is_said_and_the_words_stay(holder_client, holder):
    ticket = mine(holder, state=State.CLOSED)
    data = {"words": "Encore un mot", "request_id": str(uuid.uuid4())}
    answer = holder_client.post(reverse("ticket_reply", args=[ticket.pk]), data)
    assert answer.status_code == 422
    assert "Cette action n’est plus possible" in answer.text


def test_being_late_is_said_without_being_written(holder_client, holder, at):
    ticket = mine(holder, at=at - timedelta(days=30))
    assert "Nous sommes en retard" in holder_client.get(reverse("ticket", args=[ticket.pk])).text
    assert "nous sommes en retard" in holder_client.get(reverse("tickets")).text


def test_the_link_of_a_mail_opens_whatever_the_role_one_acts_in(client_for, member, provider):
    """A person with two roles reads the mail of one while acting in the other."""
    by = Actor(role=Role.PROVIDER, user=member, organisation=provider.organisation)
    ticket = TicketFactory(by=by)
    MembershipFactory(user=member)
    client = client_for(member)
    for actor in client.get(reverse("home")).wsgi_request.roles:
        client.post(reverse("switch_role"), {"role": actor.key})
        assert client.get(reverse("ticket", args=[ticket.pk])).status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_queries_do_not_grow_with_tickets(holder_client, holder, count, django_assert_max_num_queries):
    tickets = [mine(holder, dossier=DossierFactory(holder=holder)) for _n in range(count)]
    holder_client.get(reverse("tickets"))
    with django_assert_max_num_queries(8):
        holder_client.get(reverse("tickets"))
    for ticket in tickets:
        with django_assert_max_num_queries(8):
            holder_client.get(reverse("ticket", args=[ticket.pk]))


def test_a_list_of_many_has_pages(holder_client, holder):
    for n in range(21):
        mine(holder, at=timezone.now() - timedelta(days=n))
    assert "Page 1 sur 2" in read(holder_client.get(reverse("tickets"))).text_content()


# --- A visitor's page -----------------------------------------------------------------------------


@pytest.fixture
def followed(at):
    ticket = TicketFactory(email="visiteur@exemple.fr", at=at)
    return link_of(ticket, at=at), ticket


def test_a_visitor_follows_completes_and_closes(client, followed):
    address, ticket = followed
    assert "je ne vois pas" in client.get(address).text
    data = {"words": "Encore un mot", "request_id": str(uuid.uuid4())}
    assert client.post(f"{address}/repondre", data).status_code == 302
    assert client.post(f"{address}/clore", {"request_id": str(uuid.uuid4())}).url == address
    ticket.refresh_from_db()
    assert ticket.state == State.CLOSED


def test_it_stays_in_no_cache_and_in_no_search_engine(client, followed):
    answer = client.get(followed[0])
    assert "no-store" in answer["Cache-Control"]
    assert "noindex" in answer["X-Robots-Tag"]


def test_an_address_that_is_over_says_how_to_have_another(client, followed, at):
    old = link_of(followed[1], at=at - timedelta(days=61))
    answer = client.get(old)
    assert answer.status_code == 404
    assert read(answer).xpath(f"//form[@action='{reverse('follow')}']")


def test_asking_for_another_says_the_same_whether_or_not_it_exists(client, followed):
    answers = [
        client.post(reverse("follow"), {"number": number, "email": "visiteur@exemple.fr"}, follow=True)
        for number in (followed[1].number, "123456782")
    ]
    said = [read(answer).xpath("//*[contains(@class,'messages')]")[0].text_content() for answer in answers]
    assert said[0] == said[1]
    assert Notice.objects.filter(kind="ticket_link").count() == 1


def test_asking_for_another_is_limited(client, settings, db):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"follow": "1/h/ip"}
    data = {"number": "123456782", "email": "a@exemple.fr"}
    assert [client.post(reverse("follow"), data).status_code for _twice in range(2)] == [302, 429]

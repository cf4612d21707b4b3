"""Other people's tickets, words that would be more than words, what the administration shows."""

import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse

from accounts.actors import Actor, Role
from accounts.models import JournalEntry, Membership
from notices.messages import email_of
from notices.models import Notice
from support.models import AnswerModel, Entry, Ticket
from support.states import State
from tests.factories.accounts import MembershipFactory, UserFactory
from tests.factories.dossiers import holder_actor
from tests.factories.support import TicketFactory, act

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> javascript:alert(3)"


def words(**fields):
    return {"words": "Un mot", "request_id": str(uuid.uuid4())} | fields


@pytest.mark.parametrize("verb", ["reply", "close", "reopen"])
def test_nobody_acts_on_somebody_elses(client_for, other_holder, holder, verb):
    ticket = TicketFactory(by=holder_actor(holder))
    client = client_for(other_holder.user)
    assert client.post(reverse(f"ticket_{verb}", args=[ticket.pk]), words()).status_code == 404
    assert Entry.objects.count() == 1


def test_a_member_who_left_reads_no_more(client_for, member, provider):
    organisation = provider.organisation
    ticket = TicketFactory(by=Actor(role=Role.PROVIDER, user=member, organisation=organisation))
    client = client_for(member)
    assert client.get(reverse("ticket", args=[ticket.pk])).status_code == 200
    Membership.objects.filter(user=member).delete()
    assert client.get(reverse("ticket", args=[ticket.pk])).status_code == 404


def test_what_a_person_asked_for_themselves_is_not_their_colleagues(client_for, member, provider):
    ticket = TicketFactory(by=Actor(role=Role.HOLDER, user=member))
    colleague = MembershipFactory(organisation=provider.organisation).user
    assert client_for(colleague).get(reverse("ticket", args=[ticket.pk])).status_code == 404


def test_the_pages_of_persons_open_no_visitors_ticket(holder_client):
    ticket = TicketFactory(email="visiteur@exemple.fr")
    assert holder_client.get(reverse("ticket", args=[ticket.pk])).status_code == 404


def test_html_is_words_on_every_page(holder_client, admin_client_, holder):
    ticket = TicketFactory(by=holder_actor(holder), subject=HOSTILE, words=HOSTILE)
    act("answer", ticket, at=ticket.opened_at, words=HOSTILE)
    pages = [
        holder_client.get(reverse("ticket", args=[ticket.pk])),
        holder_client.get(reverse("tickets")),
        holder_client.get(reverse("notices")),
        admin_client_.get(reverse("admin:support_ticket_change", args=[ticket.pk])),
        admin_client_.get(reverse("admin:support_ticket_answer", args=[ticket.pk])),
        admin_client_.get(reverse("admin:support_ticket_changelist"), {"file": "toutes"}),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "alert(1)" in page.text
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert 'href="javascript:' not in page.text


def test_a_link_that_a_stranger_wrote_is_not_made_clickable(holder_client, holder):
    ticket = TicketFactory(by=holder_actor(holder), words="Voyez https://piege.example")
    assert 'href="https://piege' not in holder_client.get(reverse("ticket", args=[ticket.pk])).text


@pytest.mark.parametrize(
    "email", ["a@exemple.fr\nBcc: tous@exemple.fr", "a@exemple.fr,b@exemple.fr", "a b@c"]
)
def test_an_address_is_one_address(client, email):
    data = words(subject="x", email=email)
    assert client.post("/contact/autre/ecrire", data).status_code == 422
    assert not Ticket.objects.exists()


def test_no_word_of_anybody_reaches_a_header(at):
    ticket = TicketFactory(
        email="a@exemple.fr", subject="x\r\nBcc: tous@exemple.fr", name="n\r\nBcc: x@y.fr", at=at
    )
    assert "\n" not in ticket.subject
    act("answer", ticket, at=at, words="Bonjour\r\nBcc: tous@exemple.fr")
    for notice in Notice.objects.all():
        message = email_of(notice)
        message.send()
        assert message.recipients() == ["a@exemple.fr"]
        assert "\n" not in message.subject
        assert not {"Bcc", "Cc"} & set(dict(mail.outbox[-1].message()))


def test_a_null_character_breaks_nothing(client):
    answer = client.post(
        "/contact/autre/ecrire", words(subject="x\x00", email="a@exemple.fr", words="y\x00z")
    )
    assert answer.status_code == 422


# --- The administration ---------------------------------------------------------------------------


@pytest.fixture
def ticket():
    return TicketFactory()


def change(ticket, what="change"):
    return reverse(f"admin:support_ticket_{what}", args=[ticket.pk])


def test_each_look_at_a_ticket_is_written_down(admin_client_, administrator, ticket):
    admin_client_.get(change(ticket))
    admin_client_.get(change(ticket, "answer"))
    looks = JournalEntry.objects.filter(action="ticket_viewed", subject=f"ticket:{ticket.pk}")
    assert [look.user for look in looks] == [administrator] * 2


def test_the_queue_shows_what_is_owed_the_latest_first(admin_client_, at):
    for days, state in (
        (1, State.RECEIVED),
        (40, State.RECEIVED),
        (20, State.IN_PROGRESS),
        (3, State.CLOSED),
    ):
        TicketFactory(subject=f"vieux de {days} jours", state=state, at=at - timedelta(days=days))
    page = admin_client_.get(reverse("admin:support_ticket_changelist"))
    shown = [ticket.subject for ticket in page.context["cl"].result_list]
    assert shown == ["vieux de 40 jours", "vieux de 20 jours", "vieux de 1 jours"]
    late = admin_client_.get(reverse("admin:support_ticket_changelist"), {"file": "retard"})
    assert [ticket.subject for ticket in late.context["cl"].result_list] == shown[:2]


@pytest.mark.parametrize("chosen", ["retard", "moi", "personne", "repondues", "closes", "toutes"])
@pytest.mark.parametrize("who", ["titulaire", "organisme", "visiteur"])
def test_every_filter_opens(admin_client_, ticket, chosen, who):
    address = reverse("admin:support_ticket_changelist")
    assert admin_client_.get(address, {"file": chosen, "qui": who}).status_code == 200


def test_a_ticket_is_taken_filed_answered_and_closed_from_its_page(admin_client_, ticket):
    once = lambda **fields: {"request_id": str(uuid.uuid4())} | fields  # noqa: E731
    admin_client_.post(change(ticket, "take"), once())
    admin_client_.post(change(ticket, "move"), once(topic="technical"))
    admin_client_.post(change(ticket, "answer"), once(words="Voilà."))
    admin_client_.post(change(ticket, "close"), once(words="Réglé."))
    assert list(Entry.objects.filter(ticket=ticket).values_list("verb", flat=True)) == [
        *("open", "take", "move", "answer", "close")
    ]
    refused = admin_client_.post(change(ticket, "close"), once(words="Encore."))
    assert refused.status_code == 422


def test_an_answer_sent_twice_is_one_answer(admin_client_, ticket):
    data = {"request_id": str(uuid.uuid4()), "words": "Voilà."}
    for _twice in range(2):
        admin_client_.post(change(ticket, "answer"), data)
    assert Entry.objects.filter(verb="answer").count() == 1


def test_an_answer_starts_from_a_model_or_from_the_help(admin_client_, ticket):
    model = AnswerModel.objects.create(title="Droits", topic="rights", words="Ils arrivent au printemps.")
    AnswerModel.objects.create(title="Autre sujet", topic="scam", words="…")
    page = admin_client_.get(change(ticket, "answer"))
    assert "Droits" in page.text
    assert "Autre sujet" not in page.text
    assert "au printemps" in admin_client_.get(change(ticket, "answer"), {"modele": model.pk}).text
    assert (
        "/aide/droits-expirent"
        in admin_client_.get(change(ticket, "answer"), {"aide": "droits-expirent"}).text
    )
    for nonsense in ({"modele": "x"}, {"modele": "999999"}, {"aide": "rien"}):
        assert admin_client_.get(change(ticket, "answer"), nonsense).status_code == 200


def test_that_a_visitor_proved_nothing_is_said_where_one_answers(admin_client_):
    ticket = TicketFactory(email="visiteur@exemple.fr")
    for what in ("change", "answer"):
        assert "rien ne prouve qui elle est" in admin_client_.get(change(ticket, what)).text


@pytest.mark.parametrize("what", ["take", "answer", "move", "close"])
def test_who_may_only_read_cannot_act(client_for, ticket, what):
    client = client_for(UserFactory(is_staff=True))
    assert client.post(change(ticket, what), words(topic="other")).status_code == 403
    assert Entry.objects.count() == 1


def test_nothing_is_edited_by_hand(admin_client_, ticket):
    assert admin_client_.post(change(ticket), {"subject": "Autre"}).status_code == 403
    assert admin_client_.post(reverse("admin:support_ticket_delete", args=[ticket.pk])).status_code == 403
    assert admin_client_.get(reverse("admin:support_ticket_add")).status_code == 403


def test_taking_several_says_which_could_not_be(admin_client_, ticket):
    closed = TicketFactory(state=State.CLOSED)
    data = {"action": "take_all", "_selected_action": [str(ticket.pk), str(closed.pk)]}
    page = admin_client_.post(f"{reverse('admin:support_ticket_changelist')}?file=toutes", data, follow=True)
    ticket.refresh_from_db()
    assert ticket.state == State.IN_PROGRESS
    assert closed.number in page.text

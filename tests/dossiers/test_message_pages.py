"""The pages of a thread: both sides, every state, what is refused, other people's, how many queries."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from accounts import freezing
from accounts.actors import Role
from accounts.models import JournalEntry, Membership
from dossiers import message_guards, messages
from dossiers.models import Dossier, Message, MessageReport
from dossiers.states import State
from portal import duty, exports
from tests.factories.accounts import UserFactory
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory, act, bring, holder_actor, provider_actor
from tests.factories.messages import MessageFactory, ReportFactory, side

pytestmark = pytest.mark.django_db
HOLDER, PROVIDER = Role.HOLDER, Role.PROVIDER
SIDES = [HOLDER, PROVIDER]
NAMES = {
    HOLDER: ("dossier_messages", "dossier_message_send", "dossier_messages_read", "dossier_message_report"),
    PROVIDER: (
        "provider_messages",
        "provider_message_send",
        "provider_messages_read",
        "provider_message_report",
    ),
}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def dossier(at):
    found = DossierFactory(at=at, requested=True)
    provider_actor(found.provider)  # somebody acts for the organisation
    return found


@pytest.fixture
def client_of(client_for):
    return lambda dossier, role: client_for(side(dossier, role).user)


def address(role, what, dossier, *more):
    return reverse(NAMES[role][["thread", "send", "read", "report"].index(what)], args=[dossier.pk, *more])


def send(client, role, dossier, words, **more):
    data = {"words": words, "request_id": uuid.uuid4(), "seen_until": 0} | more
    return client.post(address(role, "send", dossier), data)


# --- Writing and reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", SIDES)
def test_what_one_side_writes_the_other_reads(client_of, dossier, role):
    other = messages.OTHER_SIDE[role]
    empty = client_of(dossier, role).get(address(role, "thread", dossier))
    assert "Aucun message pour l’instant" in empty.text
    assert "2000 signes au plus" in empty.text.replace("\u202f", "").replace("\u00a0", "")
    answer = send(client_of(dossier, role), role, dossier, "À quelle heure ?\nMerci.")
    assert answer.status_code == 302
    assert answer.url == address(role, "thread", dossier)
    assert [str(said) for said in get_messages(answer.wsgi_request)] == [
        "Votre message est envoyé. Un e-mail prévient qu’il attend, sans le répéter."
    ]
    read = client_of(dossier, other).get(address(other, "thread", dossier))
    assert "À quelle heure ?<br>Merci." in read.text
    assert "Non lu" in read.text
    assert "Signaler ce message" in read.text
    own = client_of(dossier, role).get(address(role, "thread", dossier))
    assert "Non lu" not in own.text
    assert "Signaler ce message" not in own.text


def test_the_newest_comes_last_with_its_moment_in_french(client_of, dossier, at):
    MessageFactory(dossier=dossier, at=at, words="La première.")
    MessageFactory(dossier=dossier, at=at + timedelta(minutes=1), words="La seconde.")
    page = client_of(dossier, PROVIDER).get(address(PROVIDER, "thread", dossier))
    assert page.text.index("La première.") < page.text.index("La seconde.")
    assert "20" in page.text.split("<time")[1]


@pytest.mark.parametrize("role", SIDES)
def test_no_address_of_anybody_stands_on_a_thread(client_of, dossier, role):
    dossier.contact_email = "camille.privee@exemple.fr"
    dossier.save(update_fields=["contact_email"])
    for each in SIDES:
        MessageFactory(dossier=dossier, role=each)
    page = client_of(dossier, role).get(address(role, "thread", dossier))
    reader = side(dossier, role).user.email
    addresses = {
        dossier.contact_email,
        dossier.holder.user.email,
        provider_actor(dossier.provider).user.email,
        dossier.provider.organisation.email,
    }
    assert not [each for each in addresses - {reader, ""} if each in page.text]


@pytest.mark.parametrize("role", SIDES)
def test_html_is_words(client_of, dossier, role):
    Message.objects.create(
        dossier=dossier,
        role=messages.OTHER_SIDE[role],
        user=side(dossier, messages.OTHER_SIDE[role]).user,
        words=HOSTILE,
        at=dossier.created_at,
        request_id=uuid.uuid4(),
    )
    page = client_of(dossier, role).get(address(role, "thread", dossier))
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("role", SIDES)
def test_a_refused_message_stays_in_its_field_with_the_reason_beside_it(client_of, dossier, role):
    answer = send(client_of(dossier, role), role, dossier, "Appelez-moi au 06 12 34 56 78, merci.")
    assert answer.status_code == 422
    assert "Appelez-moi au 06 12 34 56 78, merci." in answer.text
    assert "Pour vous protéger des arnaques, tout se passe ici" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "data",
    [{"words": ""}, {"words": "a" * 2001}, {"words": "a\x00b"}, {"request_id": ""}, {"request_id": "x"}],
)
def test_what_cannot_be_sent_answers_422_and_keeps_nothing(client_of, dossier, data):
    answer = send(client_of(dossier, HOLDER), HOLDER, dossier, **({"words": "Bonjour."} | data))
    assert answer.status_code == 422
    assert not Message.objects.exists()


def test_a_browser_s_line_ends_count_for_one_sign(client_of, dossier):
    words = "\r\n".join("a" * 1000)[: 2 * 1000 + 998]
    assert len(words.replace("\r\n", "\n")) <= message_guards.WORDS_MAX
    assert send(client_of(dossier, HOLDER), HOLDER, dossier, words).status_code == 302


def test_a_broken_mark_loses_no_message(client_of, dossier):
    assert send(client_of(dossier, HOLDER), HOLDER, dossier, "Bonjour.", seen_until="x").status_code == 302
    assert Message.objects.count() == 1


@pytest.mark.parametrize("role", SIDES)
def test_reading_is_said_by_a_click_and_never_by_opening(client_of, dossier, role):
    message = MessageFactory(dossier=dossier, role=messages.OTHER_SIDE[role])
    client, there = client_of(dossier, role), address(role, "thread", dossier)
    client.get(there)
    assert "Non lu" in client.get(there).text
    assert client.post(address(role, "read", dossier), {"seen_until": message.pk}).status_code == 302
    assert "Non lu" not in client.get(there).text
    assert client.post(address(role, "read", dossier), {"seen_until": "-1"}).status_code == 422
    assert client.post(address(role, "read", dossier), {"seen_until": 10**30}).status_code == 422


def test_htmx_swaps_the_thread_alone(client_of, dossier):
    client = client_of(dossier, HOLDER)
    page = client.get(address(HOLDER, "thread", dossier), headers={"HX-Request": "true"})
    assert "<html" not in page.text
    assert "Votre message" in page.text
    assert "HX-Request" in page["Vary"]
    data = {"words": "", "request_id": uuid.uuid4()}
    refused = client.post(address(HOLDER, "send", dossier), data, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "<html" not in refused.text


# --- Where one may only read ---------------------------------------------------------------------------


def test_a_closed_thread_is_read_and_says_why_nobody_writes(client_of, dossier, at):
    MessageFactory(dossier=dossier, at=at - timedelta(days=200))
    act("cancel", dossier, at=at - timedelta(days=100))
    for role in SIDES:
        page = client_of(dossier, role).get(address(role, "thread", dossier))
        assert page.status_code == 200
        assert "Ce fil est fermé" in page.text
        assert "Envoyer le message" not in page.text
        assert send(client_of(dossier, role), role, dossier, "Encore moi.").status_code == 422


def test_a_dossier_that_is_over_says_until_when_one_writes(client_of, at):
    dossier = bring(DossierFactory(at=at), State.CANCELLED_BY_HOLDER, at=at)
    page = client_of(dossier, HOLDER).get(address(HOLDER, "thread", dossier))
    assert "On peut écrire ici jusqu’au" in page.text


def test_a_frozen_account_reads_and_cannot_write(client_of, dossier, at):
    freezing.freeze(dossier.holder.pk, by=holder_actor(dossier.holder), at=at)
    client = client_of(dossier, HOLDER)
    page = client.get(address(HOLDER, "thread", dossier))
    assert "rien ne part en votre nom" in page.text
    assert "Envoyer le message" not in page.text
    refused = send(client, HOLDER, dossier, "Bonjour.")
    assert refused.status_code == 422
    assert "rien ne part en votre nom" in refused.text


# --- Other people's, and ids that are changed -----------------------------------------------------------


def test_an_id_of_another_dossier_opens_nothing(client_of, dossier, at):
    """The message is theirs to report in its own dossier; under another one's address it does not exist."""
    mine = MessageFactory(dossier=dossier, role=PROVIDER)
    other = MessageFactory(role=PROVIDER, at=at)
    client = client_of(dossier, HOLDER)
    assert client.get(address(HOLDER, "report", dossier, mine.pk)).status_code == 200
    for dossier_, message_id in (
        (dossier, other.pk),
        (other.dossier, mine.pk),
        (other.dossier, other.pk),
        (dossier, mine.pk + 10_000),
        (dossier, 10**25),
    ):
        where = address(HOLDER, "report", dossier_, message_id)
        data = {"motive": "scam", "request_id": uuid.uuid4()}
        assert client.get(where).status_code == 404
        assert client.post(where, data).status_code == 404
    assert not MessageReport.objects.exists()


def test_a_member_who_left_reads_no_more(client_of, dossier):
    client = client_of(dossier, PROVIDER)
    assert client.get(address(PROVIDER, "thread", dossier)).status_code == 200
    Membership.objects.all().delete()
    assert client.get(address(PROVIDER, "thread", dossier)).status_code == 403
    assert send(client, PROVIDER, dossier, "Bonjour.").status_code == 403


def test_a_member_of_another_organisation_sees_and_sends_nothing(other_member_client, dossier):
    MessageFactory(dossier=dossier)
    assert other_member_client.get(address(PROVIDER, "thread", dossier)).status_code == 404
    assert send(other_member_client, PROVIDER, dossier, "Bonjour.").status_code == 404
    assert other_member_client.post(address(PROVIDER, "read", dossier), {"seen_until": 1}).status_code == 404
    assert Message.objects.count() == 1


# --- Reporting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", SIDES)
def test_a_message_is_reported_and_its_reader_sees_that_it_is(client_of, dossier, role):
    message = MessageFactory(dossier=dossier, role=messages.OTHER_SIDE[role], words="Payez-moi en espèces.")
    client, where = client_of(dossier, role), address(role, "report", dossier, message.pk)
    page = client.get(where)
    assert "Payez-moi en espèces." in page.text
    nothing = client.post(where, {"request_id": uuid.uuid4()})
    assert nothing.status_code == 422
    assert "Choisissez ce qui ne va pas." in nothing.text
    unexplained = client.post(where, {"request_id": uuid.uuid4(), "motive": "other"})
    assert unexplained.status_code == 422
    assert "Expliquez en quelques mots" in unexplained.text
    done = client.post(where, {"request_id": uuid.uuid4(), "motive": "scam"})
    assert done.status_code == 302
    assert "Signalé" in client.get(done.url).text
    again = client.get(where)
    assert "déjà signalé" in again.text
    assert "Envoyer le signalement" not in again.text
    assert client.post(where, {"request_id": uuid.uuid4(), "motive": "scam"}).status_code == 422


@pytest.mark.parametrize("role", SIDES)
def test_a_hidden_message_shows_its_reason_in_place_of_its_words(client_of, dossier, role):
    message = MessageFactory(dossier=dossier, role=PROVIDER, words="Payez-moi en espèces.")
    ReportFactory(message=message, hidden="Payer hors du portail n’est pas permis.")
    page = client_of(dossier, role).get(address(role, "thread", dossier))
    assert "Payez-moi en espèces." not in page.text
    assert "Message retiré par le portail\u00a0: Payer hors du portail n’est pas permis." in page.text


# --- Lists and the dossier's page -----------------------------------------------------------------------


def test_lists_and_pages_count_what_waits(client_of, dossier):
    for _number in range(2):
        MessageFactory(dossier=dossier, role=PROVIDER)
    MessageFactory(dossier=dossier, role=HOLDER)
    holder, member = client_of(dossier, HOLDER), client_of(dossier, PROVIDER)
    assert "2 messages non lus" in holder.get(reverse("dossiers")).text
    assert "2 messages non lus" in holder.get(reverse("dossier", args=[dossier.pk])).text
    assert "1 message non lu" in member.get(reverse("provider_inbox")).text
    assert "1 message non lu" in member.get(reverse("provider_dossier", args=[dossier.pk])).text
    panel = {"HX-Request": "true", "HX-Target": "panneau"}
    in_panel = member.get(reverse("provider_dossier", args=[dossier.pk]), headers=panel)
    assert "1 message non lu" in in_panel.text


def test_a_draft_says_nothing_of_messages(client_for, at):
    draft = DossierFactory(at=at)
    page = client_for(draft.holder.user).get(reverse("dossier", args=[draft.pk]))
    assert "titre-messages" not in page.text


def several(count, *, at):
    """Dossiers of one holder at one organisation, each with three messages that wait for both sides."""
    first = DossierFactory(at=at, requested=True)
    found = [first]
    for _number in range(count - 1):
        session = SessionFactory(offer=OfferFactory(provider=first.provider, sessions=0))
        found.append(
            DossierFactory(at=at, holder=first.holder, session=session, balance_cents=0, requested=True)
        )
    for each in found:
        for role in (HOLDER, PROVIDER, HOLDER):
            MessageFactory(dossier=each, role=role, at=at)
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_lists_take_the_same_queries_for_one_and_for_three(client_of, at, count, django_assert_num_queries):
    first, *_others = several(count, at=at)
    holder, member = client_of(first, HOLDER), client_of(first, PROVIDER)
    with django_assert_num_queries(8):
        page = holder.get(reverse("dossiers"))
    assert page.text.count("1 message non lu") == count
    with django_assert_num_queries(8):
        page = member.get(reverse("provider_inbox"))
    assert page.text.count("2 messages non lus") == count


@pytest.mark.parametrize("count", [1, 3])
def test_a_thread_takes_the_same_queries_for_one_and_for_three(
    client_of, dossier, at, count, django_assert_num_queries
):
    for _number in range(count):
        for role in SIDES:
            MessageFactory(dossier=dossier, role=role, at=at)
    ReportFactory(message=Message.objects.filter(role=HOLDER).earliest("id"), hidden="Hors sujet.")
    client = client_of(dossier, HOLDER)
    # session, person, roles (two), dossier, thread, unread notices
    with django_assert_num_queries(7):
        client.get(address(HOLDER, "thread", dossier))


# --- The administration ---------------------------------------------------------------------------------


def test_a_report_waits_among_the_decisions_until_it_is_decided(admin_client_, administrator, dossier, at):
    reported = ReportFactory(message=MessageFactory(dossier=dossier, role=PROVIDER, words="En espèces."))
    where = reverse("admin:dossiers_messagereport_change", args=[reported.pk])
    [waiting] = duty.decisions(administrator, at=at, kind="message")[:10]
    assert waiting.url == where
    page = admin_client_.get(where)
    assert "En espèces." in page.text
    hide = reverse("admin:dossiers_messagereport_hide", args=[reported.pk])
    assert hide in page.text
    assert admin_client_.get(hide).status_code == 200
    assert admin_client_.post(hide, {"request_id": uuid.uuid4(), "reason": " "}).status_code == 422
    done = admin_client_.post(hide, {"request_id": uuid.uuid4(), "reason": "Paiement hors du portail."})
    assert done.status_code == 302
    assert duty.decisions(administrator, at=at, kind="message").count() == 0
    assert hide not in admin_client_.get(where).text
    again = admin_client_.post(hide, {"request_id": uuid.uuid4(), "reason": "Encore."})
    assert again.status_code == 422
    assert "déjà décidé" in again.text


def test_who_may_not_decide_sees_no_button_and_gets_403(client_for, dossier):
    reported = ReportFactory(message=MessageFactory(dossier=dossier))
    client = client_for(UserFactory(is_staff=True))
    for name in ("hide", "keep"):
        where = reverse(f"admin:dossiers_messagereport_{name}", args=[reported.pk])
        assert client.post(where, {"request_id": uuid.uuid4(), "reason": "Non."}).status_code == 403
    assert MessageReport.objects.get().outcome == ""


def test_the_administration_finds_messages_and_each_look_is_written_down(admin_client_, dossier):
    message = MessageFactory(dossier=dossier, words="Le mot rare : hippocampe.")
    found = admin_client_.get(reverse("admin:dossiers_message_changelist"), {"q": "hippocampe"})
    assert dossier.number in found.text
    assert "Le mot rare" not in found.text  # read on its own page
    page = admin_client_.get(reverse("admin:dossiers_message_change", args=[message.pk]))
    assert "hippocampe" in page.text
    looks = {(entry.action, entry.subject) for entry in JournalEntry.objects.all()}
    assert ("message_listed", "message:*") in looks
    assert ("message_viewed", f"dossier:{dossier.pk}") in looks
    for refused in ("add", "delete"):
        args = [message.pk] if refused == "delete" else []
        assert admin_client_.get(reverse(f"admin:dossiers_message_{refused}", args=args)).status_code == 403


# --- A copy of one's data ---------------------------------------------------------------------------------


def test_a_holder_s_own_data_holds_their_threads_without_what_was_taken_away(dossier, at):
    MessageFactory(dossier=dossier, words="Bonjour.")
    ReportFactory(
        message=MessageFactory(dossier=dossier, role=PROVIDER, words="En espèces."), hidden="Pas permis."
    )
    found = exports.everything_of(dossier.holder.user, at=at)
    [mine] = found["dossiers"]
    assert [(line["par"], line["texte"], line["retire"]) for line in mine["messages"]] == [
        ("holder", "Bonjour.", False),
        ("provider", "", True),
    ]
    assert Dossier.objects.count() == 1

"""What is done with a ticket: states, dates, who may, what is told, what happens once."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from accounts.actors import VISITOR, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from notices.models import Notice
from support import guards, links, workflow
from support.guards import TooMany
from support.models import Entry, ScamReport, Ticket
from support.states import BY_ADMIN, BY_ASKER, MOVES, State, Topic
from tests.conftest import PARIS
from tests.factories.accounts import MembershipFactory
from tests.factories.dossiers import DossierFactory, holder_actor
from tests.factories.support import TicketFactory, act, agent, asker_of
from ui.refusals import Refused, StalePage

pytestmark = pytest.mark.django_db
FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=PARIS)
LATER = FRIDAY + timedelta(hours=5)


def paris(*day):
    return datetime(*day, tzinfo=PARIS)


# --- Opening --------------------------------------------------------------------------------------


def test_a_request_says_until_when_we_answer_in_business_days():
    ticket = TicketFactory(at=FRIDAY)
    assert ticket.state == State.RECEIVED
    assert ticket.due_at == paris(
        2026, 11, 28
    )  # five business days after Friday: the next Friday, to its end


def test_the_promise_is_of_the_instance(settings):
    settings.PORTAL_ANSWER_DAYS = 1
    assert TicketFactory(at=FRIDAY).due_at == paris(2026, 11, 24)


def test_the_same_click_opens_one_ticket():
    request_id = uuid.uuid4()
    first = TicketFactory(request_id=request_id)
    again = TicketFactory(request_id=request_id, by=asker_of(first))
    assert again == first
    assert Notice.objects.filter(kind="ticket_received").count() == 1


def test_the_name_of_somebody_elses_request_opens_nothing():
    first = TicketFactory()
    with pytest.raises(StalePage):
        TicketFactory(request_id=first.creation_request_id)


def test_a_visitor_gives_an_address(at):
    with pytest.raises(Refused) as refusal:
        workflow.open(by=VISITOR, at=at, request_id=uuid.uuid4(), topic=Topic.OTHER, words="Bonjour")
    assert refusal.value.field == "email"


def test_who_is_signed_in_cannot_write_for_another_address():
    ticket = TicketFactory(by=asker_of(TicketFactory()), email="autre@exemple.fr")
    assert (ticket.email, ticket.is_of_visitor) == ("", False)


@pytest.mark.parametrize("words", ["", " \n ", "x" * (guards.WORDS_MAX + 1)])
def test_words_are_some_and_not_too_many(words):
    with pytest.raises(Refused):
        TicketFactory(words=words)


def test_one_asks_about_a_dossier_of_ones_own():
    mine, other = DossierFactory(), DossierFactory()
    assert TicketFactory(by=holder_actor(mine.holder), dossier=mine).dossier == mine
    with pytest.raises(NotAllowed):
        TicketFactory(by=holder_actor(mine.holder), dossier=other)
    with pytest.raises(NotAllowed):
        TicketFactory(email="visiteur@exemple.fr", dossier=other)


def test_a_draft_thrown_away_leaves_what_was_asked():
    dossier = DossierFactory()
    ticket = TicketFactory(by=holder_actor(dossier.holder), dossier=dossier)
    dossier.delete()
    ticket.refresh_from_db()
    assert ticket.dossier is None


def test_the_facts_of_a_solicitation_stand_beside_its_words(at):
    scam = {"happened_on": at.date(), "channel": "call", "contact": "06 39 98 12 34", "given": ["password"]}
    ticket = TicketFactory(topic=Topic.SCAM, subject="", scam=scam)
    assert ticket.title == "Démarchage signalé"
    assert ScamReport.objects.get(contact="06 39 98 12 34").ticket == ticket


# --- Every verb, from every state, by everyone ----------------------------------------------------


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", [verb for verb in MOVES if verb != "open"])
def test_a_verb_leads_where_moves_says_or_is_refused(verb, state, at):
    ticket = TicketFactory(state=state, at=at)
    if state in MOVES[verb]:
        assert act(verb, ticket, at=at).state == MOVES[verb][state]
    else:
        with pytest.raises(Refused):
            act(verb, ticket, at=at)
    ticket.refresh_from_db()
    assert ticket.state == MOVES[verb].get(state, state)


def others_than_asker(ticket):
    organisation = MembershipFactory().organisation
    return [
        asker_of(TicketFactory()),
        VISITOR,
        Actor(role=Role.PROVIDER, user=ticket.user, organisation=organisation),
        Actor(role=Role.ADMIN, user=ticket.user),
    ]


@pytest.mark.parametrize("verb", sorted(BY_ASKER - {"open", "close"}))
def test_what_belongs_to_the_asker_is_refused_to_everyone_else(verb, at):
    ticket = TicketFactory(state=next(iter(MOVES[verb])), at=at)
    for by in [*others_than_asker(ticket), agent()]:
        with pytest.raises(NotAllowed):
            act(verb, ticket, at=at, by=by)


@pytest.mark.parametrize("verb", sorted(BY_ADMIN - {"close"}))
def test_what_belongs_to_the_administration_is_refused_to_everyone_else(verb, at):
    ticket = TicketFactory(at=at)
    for by in [asker_of(ticket), *others_than_asker(ticket)]:
        with pytest.raises(NotAllowed):
            act(verb, ticket, at=at, by=by)


def test_a_ticket_is_closed_by_its_asker_or_by_an_administrator_only(at):
    ticket = TicketFactory(at=at)
    for by in others_than_asker(ticket):
        with pytest.raises(NotAllowed):
            act("close", ticket, at=at, by=by)
    with pytest.raises(Refused):  # who closes somebody's says why
        act("close", ticket, at=at, by=agent())
    assert act("close", ticket, at=at, by=agent(), words="En double.").state == State.CLOSED


def test_a_visitor_cannot_touch_the_ticket_of_a_person(at):
    visitors, persons = TicketFactory(email="a@exemple.fr", at=at), TicketFactory(at=at)
    assert act("reply", visitors, at=at, by=VISITOR).state == State.RECEIVED
    with pytest.raises(NotAllowed):
        act("reply", persons, at=at, by=VISITOR)


@pytest.mark.parametrize("verb", [verb for verb in MOVES if verb != "open"])
def test_the_same_request_is_obeyed_once(verb, at):
    ticket, request_id = TicketFactory(state=next(iter(MOVES[verb])), at=at), uuid.uuid4()
    by = agent() if verb in BY_ADMIN - {"close"} else asker_of(ticket)
    for _twice in range(2):
        act(verb, ticket, at=at, by=by, request_id=request_id)
    assert Entry.objects.filter(ticket=ticket, verb=verb, request_id=request_id).count() == 1


# --- Dates ----------------------------------------------------------------------------------------


def test_nobody_waits_for_us_once_we_answered_and_a_reply_gives_a_new_date():
    ticket = TicketFactory(at=FRIDAY)
    act("answer", ticket, at=LATER)
    ticket.refresh_from_db()
    assert ticket.due_at is None
    monday = paris(2026, 11, 23, 9)
    act("reply", ticket, at=monday)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.due_at) == (State.IN_PROGRESS, paris(2026, 12, 1))


def test_who_adds_a_word_does_not_wait_longer():
    ticket = TicketFactory(at=FRIDAY)
    act("reply", ticket, at=FRIDAY + timedelta(days=4))
    ticket.refresh_from_db()
    assert ticket.due_at == paris(2026, 11, 28)


def test_a_closed_ticket_is_reopened_for_thirty_days():
    ticket = TicketFactory(state=State.CLOSED, at=FRIDAY)
    end = FRIDAY + timedelta(days=guards.REOPEN_DAYS)
    with pytest.raises(Refused):
        act("reopen", ticket, at=end)
    act("reopen", ticket, at=end - timedelta(seconds=1))
    ticket.refresh_from_db()
    assert (ticket.state, ticket.closed_at) == (State.IN_PROGRESS, None)
    assert ticket.due_at is not None


# --- Floods ---------------------------------------------------------------------------------------


def test_a_person_opens_ten_a_day(at):
    by = asker_of(TicketFactory(at=at))
    for _n in range(guards.TICKETS_A_DAY_MAX - 1):
        TicketFactory(by=by, at=at)
    with pytest.raises(TooMany):
        TicketFactory(by=by, at=at)
    assert TicketFactory(by=by, at=at + timedelta(days=1))


def test_an_address_that_nobody_proved_gets_three_mails_a_day_whatever_its_case(at):
    for email in ("victime@exemple.fr", "Victime@exemple.fr", "VICTIME@EXEMPLE.FR"):
        TicketFactory(email=email, at=at)
    with pytest.raises(TooMany):
        TicketFactory(email="victime@Exemple.fr", at=at)
    assert TicketFactory(email="autre@exemple.fr", at=at)


def test_a_thread_takes_twenty_words_a_day(at):
    ticket = TicketFactory(at=at)
    for _n in range(guards.REPLIES_A_DAY_MAX):
        act("reply", ticket, at=at)
    with pytest.raises(TooMany):
        act("reply", ticket, at=at)


# --- What the database has the last word on -------------------------------------------------------


def refused_by_database(change):
    with pytest.raises(DatabaseError), transaction.atomic():
        change()


def test_what_was_said_stays_said(at):
    ticket = TicketFactory(at=at)
    entry = Entry.objects.get(ticket=ticket)
    refused_by_database(lambda: Entry.objects.filter(pk=entry.pk).update(words="Autre chose"))
    refused_by_database(lambda: Entry.objects.filter(pk=entry.pk).delete())


def test_a_state_is_not_written_by_hand(at):
    ticket = TicketFactory(at=at)
    refused_by_database(lambda: Ticket.objects.filter(pk=ticket.pk).update(state=State.CLOSED))


def test_a_ticket_keeps_its_asker(at):
    ticket, other = TicketFactory(at=at), TicketFactory(at=at)
    refused_by_database(lambda: Ticket.objects.filter(pk=ticket.pk).update(user=other.user))
    refused_by_database(lambda: Ticket.objects.filter(pk=ticket.pk).update(subject="Autre"))


def test_an_entry_moves_the_ticket_only_from_where_it_stands(at):
    ticket = TicketFactory(at=at)
    late = Entry(ticket=ticket, verb="reopen", from_state="closed", to_state="in_progress", role=Role.HOLDER)
    late.at, late.request_id = at, uuid.uuid4()
    refused_by_database(late.save)


def test_a_scam_report_is_never_changed(at):
    TicketFactory(topic=Topic.SCAM, at=at, scam={"happened_on": at.date(), "channel": "call"})
    refused_by_database(lambda: ScamReport.objects.update(contact="autre"))


# --- What is told ---------------------------------------------------------------------------------


def test_the_first_notice_never_carries_what_a_stranger_typed(at):
    """The form must not serve to write to somebody else through us."""
    TicketFactory(
        email="victime@exemple.fr", subject="GAGNEZ", words="https://piege.example", name="PROMO", at=at
    )
    notice = Notice.objects.get(kind="ticket_received")
    assert notice.email == "victime@exemple.fr"
    assert not any(typed in str(notice.facts) for typed in ("GAGNEZ", "piege", "PROMO"))


def test_an_answer_is_mailed_with_its_words_and_opens_the_thread(at):
    ticket = TicketFactory(at=at)
    act("answer", ticket, at=at, words="C’est arrivé.\nBonne journée.")
    notice = Notice.objects.get(kind="ticket_answered")
    assert notice.user == ticket.user
    assert notice.facts["answer"] == "C’est arrivé.\n\nBonne journée."
    assert notice.link == f"/mes-demandes-d-aide/{ticket.pk}"


def test_a_visitor_is_written_to_with_a_new_address_each_time(at):
    ticket = TicketFactory(email="visiteur@exemple.fr", at=at)
    act("answer", ticket, at=at + timedelta(hours=1))
    first, second = Notice.objects.order_by("created_at").values_list("link", flat=True)
    assert first != second
    assert links.ticket_behind(second.rpartition("/")[2], at=at) == ticket


def test_an_organisation_that_the_author_left_still_has_its_answer(at):
    membership = MembershipFactory()
    organisation = membership.organisation
    by = Actor(role=Role.PROVIDER, user=membership.user, organisation=organisation)
    ticket = TicketFactory(by=by, at=at)
    colleague = MembershipFactory(organisation=organisation).user
    membership.delete()
    act("answer", ticket, at=at)
    assert list(Notice.objects.filter(kind="ticket_answered").values_list("user", flat=True)) == [
        colleague.pk
    ]


def test_who_closes_their_own_is_not_written_to(at):
    act("close", TicketFactory(at=at), at=at)
    assert not Notice.objects.filter(kind="ticket_closed").exists()


def test_what_an_administrator_does_is_in_the_journal(at):
    ticket = TicketFactory(at=at)
    for verb in ("take", "move", "answer"):
        act(verb, ticket, at=at)
    act("close", ticket, at=at, by=agent(), words="Réglé.")
    written = JournalEntry.objects.filter(subject=f"ticket:{ticket.pk}").order_by("id")
    assert list(written.values_list("action", flat=True)) == [
        *("ticket_take", "ticket_move", "ticket_answer", "ticket_close")
    ]

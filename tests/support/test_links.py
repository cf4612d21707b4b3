"""The address by which a visitor follows their request: nobody makes one, and it ends."""

from datetime import timedelta

import pytest
from django.core.signing import Signer

from notices.models import Notice
from support import workflow
from support.links import LINK_DAYS, link_of, ticket_behind
from tests.factories.support import TicketFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(at):
    return TicketFactory(email="visiteur@exemple.fr", at=at)


def token_of(ticket, at):
    return link_of(ticket, at=at).rpartition("/")[2]


def test_it_opens_until_its_last_second(ticket, at):
    token, end = token_of(ticket, at), at + timedelta(days=LINK_DAYS)
    assert ticket_behind(token, at=end - timedelta(seconds=2)) == ticket
    assert ticket_behind(token, at=end + timedelta(seconds=1)) is None


def test_a_letter_changed_opens_nothing(ticket, at):
    token = token_of(ticket, at)
    for place in (0, len(token) // 2, len(token) - 1):
        other = "x" if token[place] != "x" else "y"
        assert ticket_behind(token[:place] + other + token[place + 1 :], at=at) is None


def test_a_longer_life_cannot_be_written_into_it(ticket, at):
    signed, _colon, signature = token_of(ticket, at).rpartition(":")
    later = f"{signed.partition('-')[0]}-{int(at.timestamp()) + 10**9}"
    assert ticket_behind(f"{later}:{signature}", at=at) is None


def test_what_we_signed_for_another_use_opens_nothing(ticket, at):
    body = token_of(ticket, at).rpartition(":")[0]
    assert ticket_behind(Signer(salt="something.else").sign(body), at=at) is None
    assert ticket_behind(Signer().sign(body), at=at) is None


def test_the_ticket_of_a_person_has_no_such_address(at):
    """Even signed by us: an address that leaks must not open an account's thread."""
    persons = TicketFactory(at=at)
    assert ticket_behind(token_of(persons, at), at=at) is None


def test_a_new_address_goes_to_the_address_of_the_request_only(ticket, at):
    workflow.send_link(number=ticket.number, email="VISITEUR@exemple.fr", at=at)
    workflow.send_link(number=ticket.number, email="voleur@exemple.fr", at=at)
    workflow.send_link(number="000000000", email="visiteur@exemple.fr", at=at)
    assert [notice.email for notice in Notice.objects.filter(kind="ticket_link")] == ["visiteur@exemple.fr"]


def test_asking_again_and_again_mails_once_an_hour(ticket, at):
    at = at.replace(minute=0)
    for minutes in (0, 1, 30, 59):
        workflow.send_link(
            number=ticket.number, email="visiteur@exemple.fr", at=at + timedelta(minutes=minutes)
        )
    assert Notice.objects.filter(kind="ticket_link").count() == 1

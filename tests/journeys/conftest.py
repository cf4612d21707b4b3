"""What every story needs: people in front of a browser, days that pass, letters that arrive."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from notices import outbox
from rights import integrity
from tests.factories.dossiers import provider_actor
from tests.visitor import ClientVisitor


@pytest.fixture(autouse=True)
def ledger_is_right_in_the_end(db):
    yield
    assert integrity.check() == []


@pytest.fixture
def visit(db):
    """`visit(user)`: this person sits down in front of the portal, signed in."""

    def sit_down(user) -> ClientVisitor:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        return ClientVisitor(client)

    return sit_down


@pytest.fixture
def member_of():
    """`member_of(offer)`: the person who answers for its organisation."""
    return lambda offer: provider_actor(offer.provider).user


@pytest.fixture
def as_at():
    """`with as_at(moment)`: the clock shows that moment."""
    return lambda moment: time_machine.travel(moment, tick=False)


@pytest.fixture
def letters(mailoutbox):
    """`letters(user, at=…)`: subjects of what this person has received a minute later, by the worker."""

    def received(user, *, at) -> list[str]:
        outbox.deliver_due(at=at + timedelta(minutes=1), limit=1000)
        return [letter.subject for letter in mailoutbox if user.email in letter.to]

    return received

"""Messages sent at the same moment: one click is one message, and the limit of a thread is exact.

Each race is first run without the lock of the dossier, to show that the fault is there.
"""

import uuid
from functools import partial

import pytest
from django.db import IntegrityError

from dossiers import message_guards, messages, moves
from dossiers.models import Dossier, Message, MessageReport
from notices.kinds import Kind
from notices.models import Notice
from tests.concurrency.crowd import met_after, together
from tests.factories.dossiers import DossierFactory, admin_actor, holder_actor, provider_actor
from tests.factories.messages import MessageFactory, ReportFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 12


def without_the_lock(monkeypatch):
    def read(dossier_id):
        found = Dossier.objects.select_related("holder__user", "provider__organisation", "offer")
        return found.get(pk=dossier_id)

    monkeypatch.setattr(moves, "lock", read)
    monkeypatch.setattr(moves, "lock_holder", lambda dossier: None)
    met_after(monkeypatch, message_guards, "check_pace", crowd=AT_ONCE)


def all_at_once(dossier, *, at, request_ids):
    by = holder_actor(dossier.holder)
    return together(
        [
            partial(messages.send, dossier.pk, by=by, at=at, request_id=request_id, words="Bonjour.")
            for request_id in request_ids
        ]
    )


def test_without_the_lock_a_double_click_is_a_fault(at, monkeypatch):
    without_the_lock(monkeypatch)
    outcomes = all_at_once(DossierFactory(at=at, requested=True), at=at, request_ids=[uuid.uuid4()] * AT_ONCE)
    assert sum(isinstance(outcome, IntegrityError) for outcome in outcomes) == AT_ONCE - 1


def test_one_click_is_one_message_and_one_notice_however_often_it_is_sent(at):
    dossier = DossierFactory(at=at, requested=True)
    member = provider_actor(dossier.provider).user
    outcomes = all_at_once(dossier, at=at, request_ids=[uuid.uuid4()] * AT_ONCE)
    assert set(outcomes) == {Message.objects.get()}
    assert Notice.objects.filter(kind=Kind.MESSAGE_RECEIVED, user=member).count() == 1


def test_without_the_lock_the_limit_of_a_thread_is_passed(at, monkeypatch):
    without_the_lock(monkeypatch)
    monkeypatch.setattr(message_guards, "MESSAGES_AN_HOUR_IN_A_THREAD", 1)
    dossier = DossierFactory(at=at, requested=True)
    all_at_once(dossier, at=at, request_ids=[uuid.uuid4() for _number in range(AT_ONCE)])
    assert Message.objects.count() == AT_ONCE


def test_the_limit_of_a_thread_is_exact(at, monkeypatch):
    monkeypatch.setattr(message_guards, "MESSAGES_AN_HOUR_IN_A_THREAD", 3)
    dossier = DossierFactory(at=at, requested=True)
    outcomes = all_at_once(dossier, at=at, request_ids=[uuid.uuid4() for _number in range(AT_ONCE)])
    assert Message.objects.count() == 3
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == AT_ONCE - 3


def test_two_who_decide_at_once_decide_once(at):
    reported = ReportFactory(message=MessageFactory(at=at), at=at)
    one, other = admin_actor(), admin_actor()
    outcomes = together(
        [
            partial(verb, reported.pk, by=by, at=at, request_id=uuid.uuid4(), reason="Relu.")
            for verb, by in ((messages.hide, one), (messages.keep, other))
        ]
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
    assert MessageReport.objects.get().outcome in {"hidden", "kept"}

"""Two administrators admit at the same moment: one organisation, one number. Each guard is shown needed."""

import uuid
from functools import partial

import pytest

from accounts.models import Membership, Organisation
from admissions import guards, measures, workflow
from admissions.models import JoinStep, Measure
from admissions.states import State
from catalog.models import Provider
from tests.concurrency.crowd import met_after, together
from tests.factories.admissions import JoinRequestFactory
from tests.factories.catalog import ProviderFactory
from tests.factories.dossiers import admin_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)


def admit_all(requests, at):
    admins = [admin_actor() for _request in requests]
    return together(
        [
            partial(workflow.admit, asked.pk, by=by, at=at, request_id=uuid.uuid4())
            for asked, by in zip(requests, admins, strict=True)
        ]
    )


def test_one_request_admitted_twice_at_once_opens_one_organisation(at):
    asked = JoinRequestFactory(state=State.RECEIVABLE)
    outcomes = admit_all([asked, asked], at)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["JoinRequest", "Refused"]
    assert Organisation.objects.filter(siret=asked.siret).count() == 1
    assert JoinStep.objects.filter(verb="admit").count() == 1


def test_two_requests_for_one_siret_at_once_give_one_manager(at):
    first = JoinRequestFactory(state=State.RECEIVABLE)
    second = JoinRequestFactory(state=State.RECEIVABLE, siret=first.siret)
    outcomes = admit_all([first, second], at)
    assert [type(outcome) for outcome in outcomes].count(Refused) == 1
    assert Membership.objects.count() == 1


def admit_two_of_one_number(at):
    # The factory gives every request the same activity number, and a legal body of its own.
    return admit_all([JoinRequestFactory(state=State.RECEIVABLE) for _number in range(2)], at)


def test_one_activity_number_goes_to_one_legal_body(at):
    for _round in range(5):
        outcomes = admit_two_of_one_number(at)
        assert [type(outcome) for outcome in outcomes].count(Refused) == 1
        assert Provider.objects.filter(activity_number="53351234567").count() == 1
        Provider.objects.update(activity_number="")


def test_without_taking_turns_both_get_the_number(at, monkeypatch):
    monkeypatch.setattr(workflow, "_one_admission_at_a_time", lambda: None)
    met_after(monkeypatch, guards, "check_activity_number_free", crowd=2)
    admit_two_of_one_number(at)
    assert Provider.objects.filter(activity_number="53351234567").count() == 2


def test_two_suspensions_at_once_are_one(at):
    provider, admins = ProviderFactory(), [admin_actor(), admin_actor()]
    outcomes = together(
        [
            partial(
                measures.suspend_at_once,
                provider.pk,
                by=by,
                at=at,
                request_id=uuid.uuid4(),
                words="Danger.",
            )
            for by in admins
        ]
    )
    assert [type(outcome) for outcome in outcomes].count(Refused) == 1
    assert Measure.objects.count() == 1


def test_a_document_added_while_it_is_sent_is_in_or_refused(at):
    """The lock decides: what is frozen is what is there."""
    asked = JoinRequestFactory()
    document = asked.documents.first()
    by = workflow.Actor(role="holder", user=asked.author)
    outcomes = together(
        [
            partial(workflow.send, asked.pk, by=by, at=at, request_id=uuid.uuid4(), declares=True),
            partial(workflow.documents.remove, document.pk, by=by, at=at),
        ]
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    asked.refresh_from_db()
    assert len(refused) == 1
    assert asked.documents.count() == (3 if asked.state == State.SENT else 2)

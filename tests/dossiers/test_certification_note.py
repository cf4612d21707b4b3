"""What a dossier says of a certification that has ended: it takes away no registration and no diploma."""

import pytest

from catalog.models import Certification
from dossiers import screen
from dossiers.models import Dossier
from dossiers.states import State
from tests.factories.catalog import in_days
from tests.factories.dossiers import DossierFactory, bring, holder_actor

pytestmark = pytest.mark.django_db

GOES_ON = {
    *(State.ACCEPTED, State.POSTPONED, State.ABSENT, State.CLAIMED, State.IN_TRAINING),
    *(State.ENDED, State.COMPLETION_DECLARED, State.COMPLETION_VALIDATED),
}


def note_of(dossier, at):
    dossier = Dossier.objects.select_related("offer__certification").get(pk=dossier.pk)
    return screen.of(dossier, actor=holder_actor(dossier.holder), at=at).certification_note


@pytest.mark.parametrize("state", [state for state in State if state != State.CLOSED_BY_PLATFORM])
def test_every_state_says_what_goes_on(at, state):
    is_paying = state == State.AWAITING_PAYMENT  # with rights enough, there is nothing to pay
    dossier = DossierFactory(at=at, awaiting_payment=is_paying)
    dossier = bring(dossier, state, at=at)
    assert dossier.state == state
    assert note_of(dossier, at) == "", "nothing to say while it is registered"
    Certification.objects.update(registered_until=in_days(-1))
    note = note_of(dossier, at)
    assert bool(note) == (state in GOES_ON)
    is_taught = state in {State.ENDED, State.COMPLETION_DECLARED, State.COMPLETION_VALIDATED}
    assert ("reste valable" in note) == is_taught


def test_until_when_it_can_be_delivered(at):
    dossier = DossierFactory(accepted=True, at=at)
    Certification.objects.update(registered_until=in_days(-1), delivered_until=in_days(400))
    assert "peut être délivrée jusqu’au" in note_of(dossier, at)
    Certification.objects.update(delivered_until=in_days(-1))
    assert "peut être délivrée" not in note_of(dossier, at)


def test_its_certification_is_one_of_the_facts(at):
    dossier = DossierFactory(requested=True, at=at)
    facts = dict(screen.of(dossier, actor=holder_actor(dossier.holder), at=at).facts)
    certification = dossier.offer.certification
    assert facts["Certification"] == f"{certification.pk} · {certification.title}"

"""The life of offers, lived by several at once: nothing is told or made twice, nothing held is lost."""

import uuid
from functools import partial

import pytest

from accounts.models import JournalEntry
from catalog import editing, endings, publishing, succession, validity
from catalog.models import EndWarning, Offer, Provider, Session, Succession, Visibility
from dossiers import workflow
from dossiers.models import Dossier
from notices.models import Notice
from tests.concurrency.crowd import together
from tests.factories.accounts import HolderFactory, OrganisationFactory
from tests.factories.catalog import CertificationFactory, OfferFactory, ProviderFactory, in_days
from tests.factories.dossiers import holder_actor, provider_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 4


@pytest.fixture
def provider():
    return ProviderFactory(organisation=OrganisationFactory(email="bureau@exemple.fr"))


def test_one_offer_is_taken_over_once_whoever_clicks(provider, at):
    offers = OfferFactory.create_batch(
        3, provider=provider, certification=CertificationFactory(registered_until=in_days(20)), entitled=False
    )
    old, new = offers[0].certification, CertificationFactory()
    Succession.objects.create(old_code=old.pk, new_code=new.pk)
    by = provider_actor(provider)
    click = partial(succession.take_over, old_code=old.pk, new_code=new.pk, by=by, at=at)
    outcomes = together([partial(click, request_id=uuid.uuid4()) for _click in range(AT_ONCE)])
    assert sorted(len(done.made) for done in outcomes) == [0] * (AT_ONCE - 1) + [3]
    assert Offer.objects.filter(is_draft=True).count() == 3


def test_two_workers_warn_once(provider, at):
    OfferFactory(provider=provider, certification__registered_until=in_days(20))
    outcomes = together([partial(endings.warn, at=at)] * AT_ONCE)
    assert sorted(outcomes) == [0] * (AT_ONCE - 1) + [1]
    assert EndWarning.objects.count() == Notice.objects.count() == 1


def test_two_workers_tell_once_of_what_the_rules_have_closed(provider, at):
    OfferFactory.create_batch(3, provider=provider)
    together([partial(validity.look, at=at)] * AT_ONCE)
    assert Visibility.objects.filter(is_open=True).count() == 3
    Provider.objects.update(qualiopi_training=False)
    together([partial(validity.look, at=at)] * AT_ONCE)
    assert Visibility.objects.filter(is_open=False).count() == 3
    assert Notice.objects.filter(kind="offers_closed").count() == 1


def test_an_offer_is_archived_once_and_written_down_once(provider, at):
    offer = OfferFactory(provider=provider, is_published=False)
    by = provider_actor(provider)
    together([partial(publishing.archive, offer.pk, by=by, at=at)] * AT_ONCE)
    assert JournalEntry.objects.filter(action="archive").count() == 1


def test_who_enrols_as_the_offer_is_deleted_has_a_dossier_or_is_told(provider, at):
    """Hidden, archived and deleted in a row while somebody enrols: both cannot win."""
    by = provider_actor(provider)
    for _round in range(5):
        session = Session.objects.get(offer=OfferFactory(provider=provider))
        holder = HolderFactory()

        def put_away(offer_id=session.offer_id):
            publishing.hide(offer_id, by=by, at=at)
            publishing.archive(offer_id, by=by, at=at)
            editing.delete(offer_id, by=by, at=at)

        create = partial(workflow.create, session.pk, by=holder_actor(holder), at=at, request_id=uuid.uuid4())
        outcomes = together([create, put_away])
        has_dossier = Dossier.objects.filter(holder=holder).exists()
        assert has_dossier == Offer.objects.filter(pk=session.offer_id).exists()
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert errors and all(isinstance(error, Refused | Session.DoesNotExist) for error in errors)

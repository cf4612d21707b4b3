"""The daily look: what the rules have closed or opened since, told once to whom it concerns."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog import publishing, validity
from catalog.models import Offer, Provider, Visibility
from notices import outbox
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import MembershipFactory, OrganisationFactory
from tests.factories.catalog import OfferFactory, ProviderFactory, today
from tests.factories.dossiers import provider_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    return ProviderFactory(organisation=OrganisationFactory(email="bureau@exemple.fr"))


def counts(found):
    return (found.opened, found.closed, found.reopened, found.told)


def letters():
    return list(Notice.objects.filter(kind="offers_closed").order_by("created_at", "email"))


def test_what_was_never_open_is_no_news(at, provider):
    OfferFactory(provider=provider)
    OfferFactory(provider=provider, entitled=False)
    assert counts(validity.look(at=at)) == (1, 0, 0, 0)
    assert counts(validity.look(at=at)) == (0, 0, 0, 0)
    assert not letters()


def test_what_the_rules_close_is_told_once_and_opens_again_in_silence(at, provider):
    member = MembershipFactory(organisation=provider.organisation)
    offers = OfferFactory.create_batch(3, provider=provider)
    OfferFactory(provider=provider)
    validity.look(at=at)
    for offer in offers[:2]:
        offer.certification.withdrawn = True
        offer.certification.save()
    offers[2].certification.habilitations.update(is_active=False)
    assert counts(validity.look(at=at)) == (0, 3, 0, 1)
    assert counts(validity.look(at=at)) == (0, 0, 0, 0)
    assert [letter.email for letter in letters()] == sorted(["bureau@exemple.fr", member.user.email])
    facts = letters()[0].facts
    assert facts["count"] == 3 and facts["is_certification"]
    assert sum(cause["count"] for cause in facts["causes"]) == 3
    assert Visibility.objects.get(offer=offers[2]).codes == ["entitlement_inactive"]
    offers[2].certification.habilitations.update(is_active=True)
    assert counts(validity.look(at=at + timedelta(days=1))) == (0, 0, 1, 0)
    offers[2].certification.habilitations.update(is_active=False)
    assert counts(validity.look(at=at + timedelta(days=2))) == (0, 1, 0, 1), "closed again is news again"


def test_what_its_organisation_did_itself_is_no_news(at, provider):
    hidden, archived, deleted = OfferFactory.create_batch(3, provider=provider, sessions=0)
    validity.look(at=at)
    Offer.objects.filter(pk=hidden.pk).update(is_published=False)
    Offer.objects.filter(pk=archived.pk).update(is_published=False, archived_at=at)
    deleted.delete()
    assert counts(validity.look(at=at)) == (0, 0, 0, 0)
    assert not Visibility.objects.exists()
    publishing.publish(hidden.pk, by=provider_actor(provider), at=at)
    assert counts(validity.look(at=at)) == (1, 0, 0, 0)


def test_a_suspension_was_told_by_the_measure(at, provider):
    OfferFactory(provider=provider)
    validity.look(at=at)
    Provider.objects.update(state=Provider.State.SUSPENDED)
    assert counts(validity.look(at=at)) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"qualiopi_training": False}, "Qualiopi"),
        ({"activity_number": ""}, "déclaration d’activité"),
        ({"activity_lapsed_on": today(), "activity_lapse": "report_missing"}, "bilan"),
    ],
)
def test_what_a_list_says_of_the_organisation_closes_all_its_offers(at, provider, change, word):
    OfferFactory.create_batch(2, provider=provider)
    validity.look(at=at)
    Provider.objects.update(**change)
    assert counts(validity.look(at=at)) == (0, 2, 0, 1)
    [cause] = letters()[0].facts["causes"]
    assert word in cause["sentence"] and cause["count"] == 2
    assert not letters()[0].facts["is_certification"]


def test_a_certification_ends_at_midnight_in_paris(provider):
    last = today() + timedelta(days=3)
    OfferFactory(provider=provider, certification__registered_until=last)
    midnight = workdays.midnight_after(last)
    validity.look(at=timezone.now())
    assert counts(validity.look(at=midnight - timedelta(minutes=30))) == (0, 0, 0, 0)
    assert counts(validity.look(at=midnight)) == (0, 1, 0, 1)


def test_an_organisation_that_fails_keeps_nobody_uninformed(at, provider, monkeypatch):
    OfferFactory(provider=provider)
    OfferFactory()
    validity.look(at=at)
    Provider.objects.update(qualiopi_training=False)
    real = validity._close
    monkeypatch.setattr(
        validity, "_close", lambda pk, *a, **k: 1 / 0 if pk == provider.pk else real(pk, *a, **k)
    )
    assert validity.look(at=at).closed == 1
    monkeypatch.undo()
    assert validity.look(at=at).closed == 1


def test_the_words_of_the_letter(at, provider, mailoutbox):
    OfferFactory(provider=provider)
    validity.look(at=at)
    Provider.objects.update(qualiopi_training=False)
    validity.look(at=at)
    outbox.deliver_due(at=at, limit=10)
    [letter] = mailoutbox
    assert letter.subject == "Une de vos offres n’est plus visible"
    assert "n’est pas certifié Qualiopi" in letter.body and "/mes-offres?state=closed" in letter.body


@pytest.mark.parametrize("count", [1, 20])
def test_twenty_offers_ask_as_much_as_one(at, provider, count, django_assert_num_queries):
    OfferFactory.create_batch(count, provider=provider, indexed=False)
    validity.look(at=at)
    Provider.objects.update(qualiopi_training=False)
    # ends that words say; what the search reads, in a transaction: the law, the offers, the new ones, their
    # words filed; then the law; new ones; those that are open again; those that are closed; then, of the
    # organisation: begin and end of its transaction, its rows, offers, entitlements, the change, its name,
    # its people, letters
    with django_assert_num_queries(20):
        validity.look(at=at)

"""The life of an offer: each verb from each state, by whom, one at a time and five hundred at once."""

import pytest
from django.db import IntegrityError, transaction

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from catalog import editing, publishing
from catalog.models import Offer
from catalog.publishing import Verb
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db
State = Offer.State


@pytest.fixture
def by(provider):
    user = MembershipFactory(organisation=provider.organisation).user
    return Actor(role=Role.PROVIDER, user=user, organisation=provider.organisation)


def offer_in(state, provider, at, **fields):
    facts = {
        State.DRAFT: {"is_draft": True, "is_published": False, "is_handmade": True},
        State.PUBLISHED: {},
        State.SUSPENDED: {"is_published": False},
        State.ARCHIVED: {"is_published": False, "archived_at": at},
    }[state]
    offer = OfferFactory(provider=provider, **facts, **fields)
    assert offer.state == state
    return offer


@pytest.mark.parametrize(
    ("verb", "state", "becomes", "words"),
    [
        ("publish", State.DRAFT, None, "brouillon"),
        ("publish", State.PUBLISHED, State.PUBLISHED, ""),
        ("publish", State.SUSPENDED, State.PUBLISHED, ""),
        ("publish", State.ARCHIVED, None, "Sortez-la d’abord des archives"),
        ("hide", State.DRAFT, None, "personne d’autre ne voit"),
        ("hide", State.PUBLISHED, State.SUSPENDED, ""),
        ("hide", State.SUSPENDED, State.SUSPENDED, ""),
        ("hide", State.ARCHIVED, None, "personne ne la voit plus"),
        ("archive", State.DRAFT, None, "ne s’archive pas"),
        ("archive", State.PUBLISHED, None, "Masquez-la d’abord"),
        ("archive", State.SUSPENDED, State.ARCHIVED, ""),
        ("archive", State.ARCHIVED, State.ARCHIVED, ""),
        ("unarchive", State.DRAFT, None, "pas dans les archives"),
        ("unarchive", State.PUBLISHED, None, "pas dans les archives"),
        ("unarchive", State.SUSPENDED, None, "pas dans les archives"),
        ("unarchive", State.ARCHIVED, State.SUSPENDED, ""),
    ],
)
def test_each_verb_from_each_state(provider, by, at, verb, state, becomes, words):
    offer = offer_in(state, provider, at)
    if becomes is None:
        with pytest.raises(Refused, match=words):
            getattr(publishing, verb)(offer.pk, by=by, at=at)
        becomes = state
    else:
        getattr(publishing, verb)(offer.pk, by=by, at=at)
    offer = Offer.objects.get()
    assert offer.state == becomes
    assert JournalEntry.objects.filter(action=verb).exists() == (becomes != state)


def test_every_verb_and_state_has_its_case():
    [table] = [mark for mark in test_each_verb_from_each_state.pytestmark if mark.name == "parametrize"]
    assert {(verb, state) for verb, state, *_rest in table.args[1]} == {(v, s) for v in Verb for s in State}


def test_one_that_the_rules_closed_is_archived_at_once(provider, by, at):
    offer = OfferFactory(provider=provider, certification__registered_until=at.date().replace(year=2020))
    publishing.archive(offer.pk, by=by, at=at)
    assert Offer.objects.get().state == State.ARCHIVED


def test_the_database_keeps_an_offer_in_one_state(provider, at):
    for wrong in ({"is_published": True}, {"is_draft": True, "is_published": False}):
        with pytest.raises(IntegrityError, match="offer_archived_is_neither"), transaction.atomic():
            OfferFactory(provider=provider, archived_at=at, **wrong)


@pytest.mark.parametrize("verb", Verb)
def test_only_its_organisation_an_admin_or_the_portal(provider, at, verb):
    state = {Verb.UNARCHIVE: State.ARCHIVED, Verb.HIDE: State.PUBLISHED}.get(verb, State.SUSPENDED)
    other = MembershipFactory().organisation
    holder = HolderFactory()
    for actor in (
        Actor(role=Role.PROVIDER, user=other.memberships.get().user, organisation=other),
        Actor(role=Role.HOLDER, user=holder.user, holder=holder),
    ):
        offer = offer_in(state, provider, at)
        with pytest.raises(NotAllowed):
            getattr(publishing, verb)(offer.pk, by=actor, at=at)
    for actor in (SYSTEM, Actor(role=Role.ADMIN, user=UserFactory(is_staff=True))):
        offer = offer_in(state, provider, at)
        assert getattr(publishing, verb)(offer.pk, by=actor, at=at).state == publishing.TARGETS[verb]


def test_one_of_somebody_else_stops_a_whole_lot(provider, by, at):
    own, foreign = OfferFactory(provider=provider), OfferFactory()
    with pytest.raises(NotAllowed):
        publishing.move_each(Verb.HIDE, [own.pk, foreign.pk], by=by, at=at)
    assert Offer.objects.filter(is_published=True).count() == 2


@pytest.mark.parametrize("verb", [Verb.HIDE, Verb.ARCHIVE])
@pytest.mark.parametrize("count", [1, 30])
def test_many_are_moved_in_as_many_queries_as_one(provider, by, at, verb, count, django_assert_num_queries):
    published = verb == Verb.HIDE
    offers = OfferFactory.create_batch(
        count, provider=provider, is_published=published, sessions=0, indexed=False
    )
    # begin and end of the transaction, of the lock and of the indexing; the offers, the change, their search
    # text and words, the journal; to archive, the law
    with django_assert_num_queries(11 + (verb == Verb.ARCHIVE)):
        done, refused = publishing.move_each(verb, [offer.pk for offer in offers], by=by, at=at)
    assert (len(done), refused) == (count, [])
    assert JournalEntry.objects.filter(action=verb).count() == count


@pytest.mark.parametrize("count", [1, 30])
def test_many_are_deleted_in_as_many_queries_as_one(provider, by, at, count, django_assert_max_num_queries):
    offers = [offer_in(State.ARCHIVED, provider, at, sessions=1, indexed=False) for _number in range(count)]
    with django_assert_max_num_queries(20):
        gone, kept = editing.delete_each([offer.pk for offer in offers], by=by, at=at)
    assert (len(gone), kept, Offer.objects.count()) == (count, [], 0)

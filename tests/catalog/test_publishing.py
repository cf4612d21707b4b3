"""The life of an offer: each verb from each state, by whom, one at a time and five hundred at once."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from catalog import editing, publishing
from catalog.models import Offer
from catalog.publishing import Verb
from notices.models import Notice
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory
from tests.factories.dossiers import admin_actor
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
    # begin and end of the transaction, of the lock and of the indexing; the offers, the change, the
    # law, what the search reads of them and their words, the journal; to archive, the law
    with django_assert_num_queries(13 + (verb == Verb.ARCHIVE)):
        done, refused = publishing.move_each(verb, [offer.pk for offer in offers], by=by, at=at)
    assert (len(done), refused) == (count, [])
    assert JournalEntry.objects.filter(action=verb).count() == count


@pytest.mark.parametrize("count", [1, 30])
def test_many_are_deleted_in_as_many_queries_as_one(provider, by, at, count, django_assert_max_num_queries):
    offers = [offer_in(State.ARCHIVED, provider, at, sessions=1, indexed=False) for _number in range(count)]
    with django_assert_max_num_queries(21):
        gone, kept = editing.delete_each([offer.pk for offer in offers], by=by, at=at)
    assert (len(gone), kept, Offer.objects.count()) == (count, [], 0)


# --- Withheld by the administration ---------------------------------------------------------------


@pytest.fixture
def admin():
    return admin_actor()


def test_what_the_administration_withholds_its_organisation_cannot_show(provider, by, at, admin, rules):
    provider.organisation.email = "bureau@exemple.fr"
    provider.organisation.save()
    offer = OfferFactory(provider=provider)
    publishing.withhold(offer.pk, by=admin, at=at, reason="  Le titre promet un diplôme ")
    publishing.withhold(offer.pk, by=admin, at=at, reason="Le titre promet un diplôme.")
    assert not Offer.objects.open_on(rules.day, rules).exists()
    with pytest.raises(Refused, match="Le titre promet un diplôme"):
        publishing.publish(offer.pk, by=by, at=at)
    notices = Notice.objects.filter(kind="offer_withheld").order_by("email")
    assert {notice.email for notice in notices} == {"bureau@exemple.fr", by.user.email}
    assert notices[0].facts["reason"] == "Le titre promet un diplôme."
    publishing.release(offer.pk, by=admin, at=at)
    publishing.release(offer.pk, by=admin, at=at)
    assert Offer.objects.get().state == State.SUSPENDED
    assert publishing.publish(offer.pk, by=by, at=at).state == State.PUBLISHED
    assert Notice.objects.filter(kind="offer_released").count() == 2
    actions = JournalEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["withhold", "release", "publish"]


def test_what_is_withheld_is_neither_copied_nor_deleted_to_come_back(provider, by, at, admin):
    """Archived, deleted and imported again, or copied, it would be shown without anybody's look."""
    offer = offer_in(State.PUBLISHED, provider, at, is_handmade=True)
    publishing.withhold(offer.pk, by=admin, at=at, reason="Le titre promet un diplôme.")
    publishing.move_each(Verb.ARCHIVE, [offer.pk], by=by, at=at)
    with pytest.raises(Refused, match="ne se supprime pas"):
        editing.delete(offer.pk, by=by, at=at)
    with pytest.raises(Refused, match="ne se copie pas"):
        editing.duplicate(offer.pk, by=by, at=at, request_id=uuid4())
    assert Offer.objects.filter(provider=provider).count() == 1


def test_withholding_is_the_administration_s_and_says_why(provider, by, at, admin):
    offer = OfferFactory(provider=provider)
    for verb in (lambda: publishing.withhold(offer.pk, by=by, at=at, reason="x"),
                 lambda: publishing.release(offer.pk, by=by, at=at)):  # fmt: skip
        with pytest.raises(NotAllowed):
            verb()
    with pytest.raises(Refused, match="Dites pourquoi"):
        publishing.withhold(offer.pk, by=admin, at=at, reason=" ")
    draft = offer_in(State.DRAFT, provider, at)
    with pytest.raises(Refused, match="brouillon"):
        publishing.withhold(draft.pk, by=admin, at=at, reason="x")
    with pytest.raises(IntegrityError, match="offer_withheld_is_never"), transaction.atomic():
        OfferFactory(provider=provider, withheld_for="x")


def test_the_page_and_the_list_of_its_organisation_say_why(client, provider, by, at, admin):
    offer = OfferFactory(provider=provider)
    publishing.withhold(offer.pk, by=admin, at=at, reason="Le prix est celui d’une heure.")
    client.force_login(by.user)
    for page in (reverse("provider_offer", args=[offer.pk]), reverse("provider_offers")):
        shown = client.get(page).content.decode()
        assert "Retenue par le portail" in shown and "Le prix est celui d’une heure." in shown
        assert reverse("provider_offer_publish", args=[offer.pk]) not in shown

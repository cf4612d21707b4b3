"""Offers taken over by the certification that replaces theirs, in one click and once."""

from uuid import uuid4

import pytest

from accounts.actors import Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from catalog import editing, lint, publishing, succession
from catalog.models import CertificationBlock, Offer, Succession
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def by(provider):
    user = MembershipFactory(organisation=provider.organisation).user
    return Actor(role=Role.PROVIDER, user=user, organisation=provider.organisation)


@pytest.fixture
def old():
    return CertificationFactory(number=30_000, title="Pâtissier", registered_until=in_days(20))


@pytest.fixture
def new(old):
    new = CertificationFactory(number=40_000, title="Pâtissier, chocolatier", effective_on=in_days(5))
    Succession.objects.create(old_code=old.pk, new_code=new.pk)
    return new


def take_over(old, new, by, at, request_id=None):
    return succession.take_over(
        old_code=old.pk, new_code=new.pk, by=by, at=at, request_id=request_id or uuid4()
    )


def test_each_offer_becomes_a_draft_with_the_same_words(provider, by, at, old, new):
    town = TownFactory()
    one = OfferFactory(
        provider=provider, certification=old, title="Pâtissier", town=town, accessibility="Rampe.",
        training_number="F1", action_number="A1", sessions=0,
    )  # fmt: skip
    OfferFactory(
        provider=provider, certification=old, title="Gâteaux", training_number="F1", action_number="A2",
        is_published=False, entitled=False, sessions=0,
    )  # fmt: skip
    left = [
        OfferFactory(provider=provider, certification=old, entitled=False, **facts)
        for facts in (
            {"is_draft": True, "is_published": False},
            {"archived_at": at, "is_published": False},
        )
    ]
    OfferFactory(certification=old)
    done = take_over(old, new, by, at)
    assert (len(done.made), done.already) == (2, 0)
    draft = Offer.objects.get(replaces=one)
    assert (draft.state, draft.certification, draft.provider) == ("draft", new, provider)
    assert draft.title == "Pâtissier, chocolatier", "the title was that of the certification"
    assert (draft.accessibility, draft.price_cents, draft.town) == ("Rampe.", one.price_cents, town)
    other = Offer.objects.get(replaces__action_number="A2")
    assert other.title == "Gâteaux"
    assert other.training_number == draft.training_number and other.action_number != draft.action_number
    assert not Offer.objects.filter(replaces__in=left).exists()
    assert Offer.objects.get(pk=one.pk).is_published, "the old one is left alone"
    entry = JournalEntry.objects.get(action="offers_taken_over")
    assert entry.details == {"from": "RNCP30000", "to": "RNCP40000", "offers": 2}


def test_twice_or_from_two_pages_makes_nothing_twice(provider, by, at, old, new):
    OfferFactory.create_batch(2, provider=provider, certification=old, entitled=False)
    request_id = uuid4()
    assert len(take_over(old, new, by, at, request_id).made) == 2
    for again in (request_id, uuid4()):
        done = take_over(old, new, by, at, again)
        assert (done.made, done.already) == ([], 2)
    late = OfferFactory(provider=provider, certification=old, entitled=False)
    assert [draft.replaces for draft in take_over(old, new, by, at).made] == [late]
    # A draft that was thrown away can be asked for again.
    editing.delete(Offer.objects.get(replaces=late).pk, by=by, at=at)
    assert len(take_over(old, new, by, at).made) == 1


def test_sessions_are_those_that_the_old_certification_does_not_cover(provider, by, at, old, new):
    offer = OfferFactory(provider=provider, certification=old, sessions=0)
    for first, last in ((3, 30), (6, 20), (10, 21), (60, 90)):
        SessionFactory(offer=offer, starts_on=in_days(first), ends_on=in_days(last))
    SessionFactory(offer=offer, permanent=True)
    SessionFactory(offer=offer, starts_on=in_days(70), ends_on=in_days(80), recruitment="closed")
    [draft] = take_over(old, new, by, at).made
    dates = draft.sessions.order_by("number").values_list("starts_on", "ends_on")
    assert list(dates) == [(None, None), (in_days(10), in_days(21)), (in_days(60), in_days(90))]


def test_blocks_are_those_of_the_same_title_and_the_others_are_asked_for(provider, by, at, rules, old, new):
    for certification, code, title in (
        (old, "RNCP30000BC01", "Faire une pâte"),
        (old, "RNCP30000BC02", "Tenir la caisse"),
        (new, "RNCP40000BC07", "Faire une  Pâte"),
        (new, "RNCP40000BC08", "Vendre"),
    ):
        CertificationBlock.objects.create(certification=certification, code=code, title=title)
    both = OfferFactory(provider=provider, certification=old, block_codes=["RNCP30000BC01", "RNCP30000BC02"])
    gone = OfferFactory(provider=provider, certification=old, block_codes=["RNCP30000BC02"], entitled=False)
    take_over(old, new, by, at)
    assert Offer.objects.get(replaces=both).block_codes == ["RNCP40000BC07"]
    draft = Offer.objects.get(replaces=gone)
    remarks = lint.review(draft, [], on=today(), rules=rules)
    assert draft.block_codes == []
    assert [remark.field for remark in remarks if "choisissez ceux de RNCP40000" in remark.sentence] == [
        "block_codes"
    ]


def test_a_text_that_still_cites_the_old_number_is_pointed_at(provider, by, at, rules, old, new):
    OfferFactory(provider=provider, certification=old, objectives="Obtenir le RNCP 30000 en un an.")
    [draft] = take_over(old, new, by, at).made
    [remark] = [r for r in lint.review(draft, [], on=today(), rules=rules) if "cite" in r.sentence]
    assert (remark.field, remark.step) == ("objectives", "textes") and "RNCP30000" in remark.sentence


def test_the_draft_is_read_again_and_published_like_any_other(provider, by, at, old, new):
    HabilitationFactory(certification=old, siret=provider.organisation.siret)
    OfferFactory(
        provider=provider, certification=old, entitled=False, objectives="Faire.", town=TownFactory()
    )
    [draft] = take_over(old, new, by, at).made
    with pytest.raises(Refused) as refusal:
        editing.publish(draft.pk, by=by, at=at)
    assert "n’est pas habilité" in str([r.sentence for r in refusal.value.remarks])
    new.effective_on = today()
    new.save()
    HabilitationFactory(certification=new, siret=provider.organisation.siret)
    assert editing.publish(draft.pk, by=by, at=at).state == "published"


def test_only_to_what_replaces_it_and_only_with_offers(provider, by, at, old, new):
    with pytest.raises(Refused, match="plus d’offre à reprendre"):
        take_over(old, new, by, at)
    OfferFactory(provider=provider, certification=old)
    with pytest.raises(Refused, match="ne remplace pas"):
        take_over(old, CertificationFactory(), by, at)
    with pytest.raises(Refused, match="ne remplace pas"):
        succession.take_over(old_code="RNCP1", new_code="RNCP2", by=by, at=at, request_id=uuid4())
    holder = HolderFactory()
    with pytest.raises(NotAllowed):
        take_over(old, new, Actor(role=Role.HOLDER, user=holder.user, holder=holder), at)
    assert Offer.objects.count() == 1


def test_the_limit_of_drafts_counts_those_that_were_begun_by_hand(provider, by, at, old, new, monkeypatch):
    monkeypatch.setattr(editing, "DRAFTS_MAX", 1)
    OfferFactory.create_batch(3, provider=provider, certification=old, entitled=False)
    assert len(take_over(old, new, by, at).made) == 3
    editing.start(by=by, at=at, request_id=uuid4(), kind="training", certification=new)
    with pytest.raises(Refused, match="brouillons"):
        editing.start(by=by, at=at, request_id=uuid4(), kind="training", certification=new)


@pytest.mark.parametrize("count", [1, 30])
def test_thirty_offers_ask_as_much_as_one(provider, by, at, old, new, count, django_assert_num_queries):
    OfferFactory.create_batch(
        count, provider=provider, certification=old, entitled=False, indexed=False, block_codes=["x"]
    )
    # begin and end of the transaction, the organisation; the old one, two links of the chain, the new one;
    # the offers and their sessions between begin and end of their lock; those that are done; blocks; two
    # writings and the journal
    with django_assert_num_queries(16):
        assert len(take_over(old, new, by, at).made) == count


# --- The chain ------------------------------------------------------------------------------------


def test_one_that_ended_too_is_followed_to_its_own_successor(new, old):
    new.registered_until = in_days(-1)
    new.save()
    last, other = CertificationFactory(number=50_000), CertificationFactory(number=50_001)
    Succession.objects.create(old_code=new.pk, new_code=last.pk)
    Succession.objects.create(old_code=old.pk, new_code=other.pk)
    Succession.objects.create(old_code=old.pk, new_code="RNCP99999")  # unknown here
    assert succession.successors_of([old.pk], on=today()) == {old.pk: [last, other]}


def test_a_circle_in_the_register_holds_nobody(old):
    Succession.objects.create(old_code=old.pk, new_code="RNCP2")
    Succession.objects.create(old_code="RNCP2", new_code=old.pk)
    ended = CertificationFactory(number=2, ended=True)
    assert succession.successors_of([old.pk, ended.pk], on=today()) == {old.pk: [], ended.pk: [old]}


def test_publishing_the_new_one_leaves_the_old_one_to_its_organisation(provider, by, at, old, new):
    offer = OfferFactory(provider=provider, certification=old)
    take_over(old, new, by, at)
    publishing.hide(offer.pk, by=by, at=at)
    publishing.archive(offer.pk, by=by, at=at)
    assert not succession.to_take_over(provider.pk, old.pk).exists()

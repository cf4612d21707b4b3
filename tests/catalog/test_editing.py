"""Offers and sessions written by hand: what is kept, who may, and what never changes under people."""

import threading
import uuid

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from catalog import editing, publishing, search
from catalog.guards import NotReady
from catalog.models import CertificationBlock, Offer, Session
from tests.factories.accounts import MembershipFactory, UserFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)
from tests.factories.dossiers import DossierFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


def actor_of(provider):
    user = MembershipFactory(organisation=provider.organisation).user
    return Actor(role=Role.PROVIDER, user=user, organisation=provider.organisation)


@pytest.fixture
def by(provider):
    return actor_of(provider)


@pytest.fixture
def certification(provider):
    """Active, and this organisation may prepare for it."""
    certification = CertificationFactory(title="Cuisinier")
    HabilitationFactory(certification=certification, siret=provider.organisation.siret)
    return certification


@pytest.fixture
def draft(by, at, certification):
    return editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="training", certification=certification)


def whole(draft, *, by, at):
    """The draft with all that publishing needs."""
    editing.write(
        draft.pk,
        by=by,
        at=at,
        fields={"title": "Devenir cuisinier", "objectives": "Cuisiner.", "accessibility": "Rampe."},
    )
    editing.write(
        draft.pk,
        by=by,
        at=at,
        fields={"mode": "on_site", "town": TownFactory(), "address": "1 rue", "hours": 70},
    )
    editing.write(draft.pk, by=by, at=at, fields={"price_cents": 150_000})
    add_session(draft, by=by, at=at)
    return Offer.objects.get(pk=draft.pk)


def add_session(offer, *, by, at, days=60, length=5, request_id=None, **fields):
    dates = {"starts_on": in_days(days), "ends_on": in_days(days + length)} if days is not None else {}
    fields = {"starts_on": None, "ends_on": None, "details": "", **dates, **fields}
    return editing.add_session(offer.pk, by=by, at=at, request_id=request_id or uuid.uuid4(), fields=fields)


# --- Drafts ---------------------------------------------------------------------------------------


def test_a_draft_begins_with_what_is_known_and_nobody_sees_it(draft, by, provider, rules):
    assert (draft.provider_id, draft.kind, draft.title) == (provider.pk, "training", "Cuisinier")
    assert draft.contact_email == provider.organisation.email
    assert draft.is_draft and draft.is_handmade and not draft.is_published
    assert draft.training_number == draft.action_number and draft.action_number.startswith("P-")
    assert not Offer.objects.open_on(today(), rules).exists()
    other = actor_of(ProviderFactory())
    assert not Offer.objects.visible_to(other, on=today(), rules=rules).exists()
    assert Offer.objects.visible_to(by, on=today(), rules=rules).exists()


def test_the_same_request_begins_one_draft(by, at):
    request_id = uuid.uuid4()
    first, again = (
        editing.start(by=by, at=at, request_id=request_id, kind="business_creation") for _ in range(2)
    )
    assert first == again and Offer.objects.count() == 1
    assert (first.portal_code, first.certification) == ("CPF203", None)


def test_a_kind_needs_its_certification_or_its_code(by, at):
    with pytest.raises(Refused) as refused:
        editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="training")
    assert refused.value.field == "q"
    with pytest.raises(Refused):
        editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="apprenticeship")


def test_a_program_does_not_fill_the_table(by, at, monkeypatch):
    monkeypatch.setattr(editing, "DRAFTS_MAX", 2)
    for _ in range(2):
        editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="vae")
    with pytest.raises(Refused, match="2 brouillons"):
        editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="vae")


def test_a_place_follows_from_its_town_and_goes_at_a_distance(draft, by, at):
    town = TownFactory()
    editing.write(draft.pk, by=by, at=at, fields={"mode": "mixed", "town": town, "address": "3 rue du Pont"})
    kept = Offer.objects.get()
    assert (kept.town, kept.town_name, kept.postal_code, kept.point) == (town, "Lyon", "69001", town.point)
    editing.write(
        draft.pk, by=by, at=at, fields={"mode": "distance", "town": town, "address": "3 rue du Pont"}
    )
    kept = Offer.objects.get()
    assert (kept.town, kept.town_name, kept.postal_code, kept.point, kept.address) == (None, "", "", None, "")


def test_the_exact_place_that_an_import_gave_stays_while_the_town_does(by, at, provider):
    town = TownFactory()
    offer = OfferFactory(provider=provider, town=town, postal_code="69009")
    offer.point = type(town.point)(town.point.x + 500, town.point.y)
    offer.save(update_fields=["point"])
    editing.write(
        offer.pk, by=by, at=at, fields={"mode": "on_site", "town": town, "address": "", "hours": 77}
    )
    kept = Offer.objects.get()
    assert (kept.hours, kept.postal_code, kept.point) == (77, "69009", offer.point)


def test_another_certification_drops_the_blocks_of_the_first(draft, by, at, certification):
    CertificationBlock.objects.create(certification=certification, code="B1", title="Un bloc")
    editing.write(draft.pk, by=by, at=at, fields={"block_codes": ["B1"]})
    editing.set_purpose(draft.pk, by=by, at=at, kind="training", certification=certification)
    assert Offer.objects.get().block_codes == ["B1"]
    editing.set_purpose(draft.pk, by=by, at=at, kind="training", certification=CertificationFactory())
    assert Offer.objects.get().block_codes == []


# --- Publishing -----------------------------------------------------------------------------------


def test_an_empty_draft_is_not_published_and_says_all_that_is_missing(draft, by, at):
    with pytest.raises(NotReady) as refused:
        editing.publish(draft.pk, by=by, at=at)
    steps = [(remark.step, remark.field) for remark in refused.value.remarks]
    assert steps == [
        ("textes", "objectives"),
        ("lieu", "mode"),
        ("lieu", "hours"),
        ("prix", "price_cents"),
        ("sessions", ""),
    ]
    assert Offer.objects.get().is_draft


def test_a_whole_draft_is_published_found_and_journalled(draft, by, at, rules):
    whole(draft, by=by, at=at)
    editing.publish(draft.pk, by=by, at=at)
    found = search.search(search.SearchQuery(text="cuisinier"), on=today(), rules=rules)
    assert [offer.pk for offer in found.page] == [draft.pk]
    editing.publish(draft.pk, by=by, at=at)  # again: nothing
    actions = JournalEntry.objects.filter(subject=f"offer:{draft.pk}").order_by("pk")
    assert [(entry.action, entry.user) for entry in actions] == [("draft", by.user), ("publish", by.user)]


def ready(provider, **fields):
    return OfferFactory(
        provider=provider, is_draft=True, is_published=False, is_handmade=True, objectives="Faire.",
        town=TownFactory(), **fields,
    )  # fmt: skip


def test_many_drafts_are_published_together_and_each_other_says_why(by, at, provider):
    good = ready(provider, title="Bon")
    bad = ready(provider, title="Sans durée", hours=None)
    shown = OfferFactory(provider=provider)
    done, refused = editing.publish_each([good.pk, bad.pk, shown.pk], by=by, at=at)
    assert {offer.pk for offer in done} == {good.pk, shown.pk}
    assert [(offer.pk, [remark.field for remark in why]) for offer, why in refused] == [(bad.pk, ["hours"])]
    assert set(Offer.objects.filter(is_published=True)) == {good, shown}
    assert JournalEntry.objects.filter(action="publish").count() == 1


def test_of_two_twins_in_one_lot_only_the_first_is_published(by, at, provider):
    first = ready(provider, title="Vente")
    second = ready(provider, title="Vente", certification=first.certification, entitled=False)
    done, [(left, why)] = editing.publish_each([first.pk, second.pk], by=by, at=at)
    assert {done[0].pk, left.pk} == {first.pk, second.pk}
    assert "la même offre" in why[0].sentence


def test_the_offers_of_others_are_not_published_with_one_s_own(by, at, provider):
    with pytest.raises(PermissionDenied):
        editing.publish_each([ready(provider).pk, ready(ProviderFactory()).pk], by=by, at=at)
    assert not Offer.objects.filter(is_published=True).exists()


@pytest.mark.parametrize("count", [1, 10])
def test_ten_drafts_are_published_in_two_queries_each(by, at, provider, count, django_assert_num_queries):
    drafts = [ready(provider, title=f"Offre {number}", hours=20 * (number + 1)) for number in range(count)]
    # the law; begin and end of the transaction, of the lock and of the indexing; the offers, their sessions,
    # their entitlements, what the search reads of them, their words, the journal; then of each, a twin and
    # the change
    with django_assert_num_queries(15 + 2 * count):
        done, refused = editing.publish_each([draft.pk for draft in drafts], by=by, at=at)
    assert (len(done), refused) == (count, [])


def test_nobody_publishes_without_being_entitled(by, at):
    """The register decides, not the person who ticks."""
    draft = editing.start(
        by=by, at=at, request_id=uuid.uuid4(), kind="training", certification=CertificationFactory()
    )
    whole(draft, by=by, at=at)
    with pytest.raises(NotReady) as refused:
        editing.publish(draft.pk, by=by, at=at)
    assert ["habilité" in remark.sentence for remark in refused.value.remarks] == [True]


def test_a_draft_is_published_by_no_other_way(draft, by, at):
    with pytest.raises(Refused):
        publishing.publish(draft.pk, by=by, at=at)
    # And if a verb forgot, the table would refuse.
    with pytest.raises(IntegrityError, match="offer_draft_is_never_published"), transaction.atomic():
        Offer.objects.update(is_published=True)


def test_a_published_offer_loses_nothing_people_need(draft, by, at):
    whole(draft, by=by, at=at)
    editing.publish(draft.pk, by=by, at=at)
    with pytest.raises(Refused) as refused:
        editing.write(draft.pk, by=by, at=at, fields={"objectives": ""})
    assert refused.value.field == "objectives"
    editing.write(draft.pk, by=by, at=at, fields={"title": "Chef de partie"})
    kept = Offer.objects.get()
    assert (kept.title, kept.hand_edited_at) == ("Chef de partie", at)
    assert "chef" in str(kept.index.words.search)


def test_what_an_import_left_out_does_not_stop_an_edit(by, at, provider):
    offer = OfferFactory(provider=provider, hours=None, objectives="")
    editing.write(offer.pk, by=by, at=at, fields={"title": "Autre"})
    assert Offer.objects.get().title == "Autre"


# --- Duplicating, deleting ------------------------------------------------------------------------


def test_a_copy_has_the_words_and_the_sessions_to_come(by, at, provider):
    offer = OfferFactory(provider=provider, title="Vente", sessions=0, price_details="Tout compris")
    coming = SessionFactory(offer=offer, places=8)
    SessionFactory(offer=offer, starts_on=in_days(-30), ends_on=in_days(-20))
    SessionFactory(offer=offer, recruitment="closed")
    request_id = uuid.uuid4()
    copy, again = (editing.duplicate(offer.pk, by=by, at=at, request_id=request_id) for _ in range(2))
    assert copy == again and copy != offer
    assert (copy.title, copy.price_details, copy.is_draft) == ("Vente", "Tout compris", True)
    [session] = copy.sessions.all()
    assert (session.starts_on, session.places) == (coming.starts_on, 8)


def test_a_draft_is_deleted_with_its_sessions(draft, by, at):
    add_session(draft, by=by, at=at)
    editing.delete(draft.pk, by=by, at=at)
    assert not Offer.objects.exists() and not Session.objects.exists()
    assert JournalEntry.objects.filter(action="delete").exists()


def test_what_people_can_see_or_hold_is_not_deleted(by, at, provider):
    shown = OfferFactory(provider=provider)
    with pytest.raises(Refused, match="Masquez d’abord"):
        editing.delete(shown.pk, by=by, at=at)
    publishing.hide(shown.pk, by=by, at=at)
    with pytest.raises(Refused, match="Archivez d’abord"):
        editing.delete(shown.pk, by=by, at=at)
    held = DossierFactory(session=SessionFactory(offer__provider=provider, offer__is_handmade=True)).offer
    publishing.hide(held.pk, by=by, at=at)
    publishing.archive(held.pk, by=by, at=at)
    with pytest.raises(Refused, match="dossier"):
        editing.delete(held.pk, by=by, at=at)
    assert Offer.objects.count() == 2


def test_an_archived_offer_that_nobody_ever_asked_for_is_deleted_imported_or_not(by, at, provider):
    for is_handmade in (True, False):
        offer = OfferFactory(provider=provider, is_handmade=is_handmade, is_published=False)
        publishing.archive(offer.pk, by=by, at=at)
        editing.delete(offer.pk, by=by, at=at)
    assert not Offer.objects.exists() and not Session.objects.exists()


# --- Promises -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda: {"mode": "distance"},
        lambda: {"mode": "on_site", "town": TownFactory(code="75056", name="Paris"), "address": ""},
    ],
)
def test_what_people_were_promised_does_not_change(by, at, provider, change):
    offer = OfferFactory(provider=provider, town=TownFactory(), sessions=0)
    editing.write(offer.pk, by=by, at=at, fields={"hours": 99})
    DossierFactory(session=SessionFactory(offer=offer))
    with pytest.raises(Refused, match="Dupliquez"):
        editing.write(offer.pk, by=by, at=at, fields=change())
    with pytest.raises(Refused, match="Dupliquez"):
        editing.set_purpose(offer.pk, by=by, at=at, kind="training", certification=CertificationFactory())
    editing.write(offer.pk, by=by, at=at, fields={"title": "Mieux dit", "price_cents": 99_900})
    kept = Offer.objects.get()
    assert (kept.mode, kept.town_id, kept.title, kept.price_cents) == (
        "on_site",
        "69123",
        "Mieux dit",
        99_900,
    )


def test_a_session_with_dossiers_keeps_its_dates_and_can_be_closed(by, at, provider):
    session = SessionFactory(offer__provider=provider, offer__sessions=0)
    DossierFactory(session=session)
    moved = {"starts_on": in_days(70), "ends_on": in_days(80)}
    with pytest.raises(Refused) as refused:
        editing.edit_session(session.pk, by=by, at=at, fields=moved)
    assert refused.value.field == "starts_on"
    with pytest.raises(Refused):
        editing.delete_session(session.pk, by=by, at=at)
    editing.edit_session(session.pk, by=by, at=at, fields={"places": 6, "details": "Salle 2"})
    editing.set_recruitment(session.pk, by=by, at=at, is_open=False)
    kept = Session.objects.get()
    assert (kept.starts_on, kept.places, kept.details) == (session.starts_on, 6, "Salle 2")
    assert kept.recruitment == "closed"


@pytest.mark.django_db(transaction=True)
def test_someone_enrolling_at_that_moment_is_waited_for(at, provider):
    """Their dossier is written and not committed: the edit waits for it, then sees it."""
    by = actor_of(provider)
    session = SessionFactory(offer__provider=provider, offer__sessions=0)
    outcome = []

    def edit():
        try:
            editing.edit_session(
                session.pk, by=by, at=at, fields={"starts_on": in_days(70), "ends_on": in_days(80)}
            )
            outcome.append("moved")
        except Refused:
            outcome.append("refused")
        finally:
            connection.close()

    with transaction.atomic():
        DossierFactory(session=session)
        thread = threading.Thread(target=edit)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "it waits"
    thread.join(20)
    assert outcome == ["refused"]
    assert Session.objects.get().starts_on == session.starts_on


# --- Sessions -------------------------------------------------------------------------------------


def test_the_same_request_adds_one_session(draft, by, at):
    request_id = uuid.uuid4()
    assert add_session(draft, by=by, at=at, request_id=request_id) == add_session(
        draft, by=by, at=at, request_id=request_id
    )
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"days": 10, "length": -1}, "ends_on"),
        ({"days": 0}, "starts_on"),
        ({"days": 5000}, "ends_on"),
    ],
)
def test_dates_that_say_nothing_are_refused(draft, by, at, fields, field):
    with pytest.raises(Refused) as refused:
        add_session(draft, by=by, at=at, **fields)
    assert refused.value.field == field
    assert not Session.objects.exists()


def test_two_groups_at_the_same_dates_say_what_tells_them_apart(draft, by, at):
    add_session(draft, by=by, at=at)
    with pytest.raises(Refused, match="existe déjà"):
        add_session(draft, by=by, at=at)
    add_session(draft, by=by, at=at, details="Le soir")
    add_session(draft, by=by, at=at, days=None)
    assert Session.objects.count() == 3


def test_an_edited_session_marks_its_offer(by, at, provider):
    offer = OfferFactory(provider=provider)
    editing.set_recruitment(offer.sessions.get().pk, by=by, at=at, is_open=False)
    assert Offer.objects.get().hand_edited_at == at
    editing.delete_session(offer.sessions.get().pk, by=by, at=at)
    assert not Session.objects.exists()


# --- Who ------------------------------------------------------------------------------------------


def test_only_the_organisation_s_own_members(at, provider):
    offer = OfferFactory(provider=provider, is_draft=True, is_published=False, is_handmade=True)
    session = offer.sessions.get()
    strangers = [
        actor_of(ProviderFactory()),
        Actor(role=Role.ADMIN, user=UserFactory(is_staff=True)),
        SYSTEM,
    ]
    fields = {"title": "Volée", "starts_on": None, "ends_on": None, "details": ""}
    for by in strangers:
        who = {"by": by, "at": at}
        verbs = [
            lambda who=who: editing.write(offer.pk, fields=fields, **who),
            lambda who=who: editing.set_purpose(offer.pk, kind="vae", **who),
            lambda who=who: editing.duplicate(offer.pk, request_id=uuid.uuid4(), **who),
            lambda who=who: editing.publish(offer.pk, **who),
            lambda who=who: editing.delete(offer.pk, **who),
            lambda who=who: editing.add_session(offer.pk, request_id=uuid.uuid4(), fields=fields, **who),
            lambda who=who: editing.edit_session(session.pk, fields={"places": 1}, **who),
            lambda who=who: editing.set_recruitment(session.pk, is_open=False, **who),
            lambda who=who: editing.delete_session(session.pk, **who),
        ]
        for verb in verbs:
            with pytest.raises(PermissionDenied):
                verb()
    assert Offer.objects.count() == 1 and Offer.objects.get().title == offer.title
    assert Session.objects.get().recruitment == "open"


def test_an_import_that_holds_the_offer_is_said(by, at, provider, monkeypatch):
    """Rather than an error page after ten seconds."""
    offer = OfferFactory(provider=provider)
    real = Offer.objects.all().__class__.select_for_update

    def held(self, *args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'held' USING ERRCODE = 'lock_not_available'; END $$")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Offer.objects.all().__class__, "select_for_update", held)
    with pytest.raises(Refused, match="en cours d’import"):
        editing.write(offer.pk, by=by, at=at, fields={"title": "Autre"})

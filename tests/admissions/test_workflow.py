"""A request to join, verb by verb: who may, from where, what it does, who is told."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

import rulebook
from accounts.actors import SYSTEM, VISITOR, Actor, Role
from accounts.models import JournalEntry, Membership, Organisation
from accounts.permissions import NotAllowed
from admissions import completeness, documents, workflow
from admissions.guards import OPEN_REQUESTS_MAX, SENDS_A_DAY_MAX
from admissions.models import Document, JoinRequest, JoinStep
from admissions.states import EDITABLE, MOVES, WHOSE_TURN, Side, State
from catalog.models import Offer, Provider
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import MembershipFactory, OrganisationFactory, UserFactory, a_siret
from tests.factories.admissions import (
    PATHS,
    JoinRequestFactory,
    a_file,
    act,
    answers,
    author_actor,
)
from tests.factories.catalog import OfferFactory, ProviderFactory
from tests.factories.dossiers import admin_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)


def told(asked):
    return list(Notice.objects.order_by("created_at", "kind").values_list("kind", "email"))


# --- Every state, every verb, every side --------------------------------------------------------------


@pytest.mark.parametrize("verb", MOVES)
@pytest.mark.parametrize("state", State)
def test_a_verb_works_from_its_states_only(verb, state, at):
    asked = JoinRequestFactory(state=state)
    if state in MOVES[verb].sources:
        moved = act(verb, asked, at=at)
        asked.refresh_from_db()
        assert moved.state == asked.state == MOVES[verb].target_of(state)
    else:
        with pytest.raises(Refused, match="a changé d’état"):
            act(verb, asked, at=at)
        asked.refresh_from_db()
        assert asked.state == state


@pytest.mark.parametrize("verb", MOVES)
def test_only_its_side_does_a_verb(verb, at):
    source = sorted(MOVES[verb].sources)[0]
    asked = JoinRequestFactory(state=source)
    stranger = Actor(role=Role.HOLDER, user=UserFactory())
    member = MembershipFactory()
    provider = Actor(role=Role.PROVIDER, user=member.user, organisation=member.organisation)
    wrong = [stranger, provider, SYSTEM, VISITOR]
    wrong.append(author_actor(asked) if Side.ADMIN in MOVES[verb].sides else admin_actor())
    for actor in wrong:
        with pytest.raises(NotAllowed):
            act(verb, asked, at=at, by=actor)
    assert JoinRequest.objects.get(pk=asked.pk).state == source


def test_nobody_decides_of_their_own_request(at):
    boss = UserFactory(is_staff=True, is_superuser=True)
    asked = JoinRequestFactory(state=State.RECEIVABLE, author=boss)
    with pytest.raises(NotAllowed):
        act("admit", asked, at=at, by=Actor(role=Role.ADMIN, user=boss))
    assert act("admit", asked, at=at).state == State.ADMITTED


@pytest.mark.parametrize("verb", MOVES)
def test_sent_twice_a_click_counts_once(verb, at):
    asked = JoinRequestFactory(state=sorted(MOVES[verb].sources)[0])
    name = uuid.uuid4()
    by = author_actor(asked) if Side.AUTHOR in MOVES[verb].sides else admin_actor()
    for _time in range(2):
        act(verb, asked, at=at, by=by, request_id=name)
    assert JoinStep.objects.filter(join_request=asked, request_id=name).count() == 1


def test_the_name_of_a_request_serves_one_verb(at):
    asked, name = JoinRequestFactory(), uuid.uuid4()
    act("send", asked, at=at, request_id=name)
    with pytest.raises(Refused, match="plus à jour"):
        act("withdraw", asked, at=at, request_id=name)


def test_the_database_has_the_last_word_on_states(at):
    asked = JoinRequestFactory()
    with pytest.raises(DatabaseError, match="insert a step"), transaction.atomic():
        JoinRequest.objects.filter(pk=asked.pk).update(state=State.ADMITTED)
    with pytest.raises(DatabaseError, match="starts_at_the_start"), transaction.atomic():
        JoinRequest.objects.create(
            number="1", author=asked.author, siret=a_siret(1), state=State.SENT, created_at=at, touched_at=at,
            creation_request_id=uuid.uuid4(), sent_at=at,
        )  # fmt: skip
    act("send", asked, at=at)
    step = JoinStep.objects.get()
    with pytest.raises(DatabaseError, match="it has moved on"), transaction.atomic():
        JoinStep.objects.create(
            join_request=asked, verb="send", from_state="draft", to_state="sent", side="author", at=at,
            request_id=uuid.uuid4(),
        )  # fmt: skip
    with pytest.raises(DatabaseError, match="known_move"), transaction.atomic():
        JoinStep.objects.create(
            join_request=asked, verb="admit", from_state="sent", to_state="admitted", side="author", at=at,
            request_id=uuid.uuid4(),
        )  # fmt: skip
    for change in (lambda: step.delete(), lambda: JoinStep.objects.update(words="autre")):
        with pytest.raises(DatabaseError, match="never_changed"), transaction.atomic():
            change()


def test_every_state_has_somebody_to_wait_for_or_is_final():
    assert set(PATHS) == set(State)
    assert set(WHOSE_TURN) >= EDITABLE


# --- A draft --------------------------------------------------------------------------------------------


def test_a_draft_keeps_pages_as_they_come_and_is_thrown_away(at):
    asked = JoinRequestFactory(empty=True)
    by = author_actor(asked)
    workflow.edit(asked.pk, by=by, at=at, fields={"name": "Atelier", "state": "admitted", "number": "9"})
    asked.refresh_from_db()
    assert (asked.name, asked.state) == ("Atelier", State.DRAFT)
    assert asked.number != "9"
    document = documents.add(asked.pk, Document.Kind.EXTRACT, a_file(), by=by, at=at)
    path = document.file.path
    workflow.discard(asked.pk, by=by)
    assert not JoinRequest.objects.exists()
    assert not document.file.storage.exists(path)


def test_only_its_author_edits_or_discards(at):
    asked = JoinRequestFactory()
    for actor in (Actor(role=Role.HOLDER, user=UserFactory()), admin_actor()):
        with pytest.raises(NotAllowed):
            workflow.edit(asked.pk, by=actor, at=at, fields={"name": "Pris"})
        with pytest.raises(NotAllowed):
            workflow.discard(asked.pk, by=actor)
        with pytest.raises(NotAllowed):
            workflow.again(asked.pk, by=actor, at=at, request_id=uuid.uuid4())
    assert JoinRequest.objects.get().name == "Atelier des Lices"


@pytest.mark.parametrize("state", [state for state in State if state not in EDITABLE])
def test_what_was_sent_is_not_edited(state, at):
    asked = JoinRequestFactory(state=state)
    with pytest.raises(Refused, match="ne se modifie plus"):
        workflow.edit(asked.pk, by=author_actor(asked), at=at, fields={"name": "Autre"})
    with pytest.raises(Refused, match="retirez-la"):
        workflow.discard(asked.pk, by=author_actor(asked))


def test_created_twice_by_one_click_it_is_one_draft(at):
    user, name = UserFactory(), uuid.uuid4()
    by = Actor(role=Role.HOLDER, user=user)
    first = workflow.create(a_siret(1), by=by, at=at, request_id=name)
    assert workflow.create(a_siret(1), by=by, at=at, request_id=name) == first
    thief = Actor(role=Role.HOLDER, user=UserFactory())
    with pytest.raises(Refused, match="plus à jour"):
        workflow.create(a_siret(2), by=thief, at=at, request_id=name)
    with pytest.raises(NotAllowed):
        workflow.create(a_siret(3), by=VISITOR, at=at, request_id=uuid.uuid4())


def test_an_organisation_that_has_people_is_asked_of_them(at):
    organisation = MembershipFactory(organisation=OrganisationFactory(name="Nom secret")).organisation
    by = Actor(role=Role.HOLDER, user=UserFactory())
    with pytest.raises(Refused, match="a déjà un espace") as refusal:
        workflow.create(organisation.siret, by=by, at=at, request_id=uuid.uuid4())
    assert refusal.value.field == "siret"
    assert "Nom secret" not in refusal.value.message
    draft = JoinRequestFactory()
    with pytest.raises(Refused, match="a déjà un espace"):
        workflow.edit(draft.pk, by=author_actor(draft), at=at, fields={"siret": organisation.siret})


def test_an_organisation_that_a_list_brought_fills_the_first_pages(at):
    known = ProviderFactory(
        organisation__name="Lycée Sud", activity_number="53350000001", town_name="Rennes", qualiopi_vae=True
    )
    by = Actor(role=Role.HOLDER, user=UserFactory())
    asked = workflow.create(known.organisation.siret, by=by, at=at, request_id=uuid.uuid4())
    assert (asked.name, asked.activity_number, asked.town_name) == ("Lycée Sud", "53350000001", "Rennes")
    assert asked.qualiopi_kinds == {"training", "vae"}


def test_nobody_opens_a_hundred_requests(at):
    user = UserFactory()
    JoinRequestFactory.create_batch(OPEN_REQUESTS_MAX, author=user, empty=True)
    with pytest.raises(Refused, match="demandes en cours"):
        JoinRequestFactory(author=user, empty=True)
    JoinRequestFactory(empty=True)


# --- Sending ----------------------------------------------------------------------------------------------


def test_sending_freezes_what_was_said_and_both_delays():
    asked = JoinRequestFactory(state=State.SENT, at=MONDAY)
    # 11 business days after Monday 23 November 2026; 2 months: to the end of 23 January.
    assert asked.receivable_due_at == workdays.midnight_after(date(2026, 12, 8))
    assert asked.decision_due_at == workdays.midnight_after(date(2027, 1, 23))
    step = JoinStep.objects.get()
    assert step.details["answers"]["siret"] == asked.siret
    assert step.details["answers"]["certified_until"] == asked.certified_until.isoformat()
    assert {each["kind"] for each in step.details["documents"]} == {"extract", "qualiopi", "identity"}
    assert all(len(each["digest"]) == 64 for each in step.details["documents"])
    assert told(asked) == [("join_sent", asked.author.email)]


def test_an_incomplete_request_is_not_sent(at):
    for field in ("name", "activity_number", "certificate_number", "manager_name"):
        asked = JoinRequestFactory(**{field: ""})
        with pytest.raises(Refused, match="n’est pas complète"):
            act("send", asked, at=at)
    asked = JoinRequestFactory()
    asked.documents.get(kind="identity").delete()
    with pytest.raises(Refused, match="pièce d’identité"):
        act("send", asked, at=at)
    with pytest.raises(Refused, match="Cochez cette case"):
        act("send", JoinRequestFactory(), at=at, declares=False)
    assert not JoinStep.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("extract_issued_on", date(2026, 8, 22), "plus de 3 mois"),
        ("extract_issued_on", date(2026, 11, 24), "pas encore passée"),
        ("certified_until", date(2026, 11, 22), "n’est plus valable"),
        ("certified_from", date(2030, 1, 1), "La fin ne peut pas venir"),
        ("last_report_on", date(2026, 11, 24), "pas encore passée"),
        ("other_kinds", ["licence_light"], "numéro d’agrément"),
        ("is_legal_representative", False, "délégation"),
        ("has_no_conviction", False, "déclaration est nécessaire"),
        ("certification_codes", [], "au moins un code"),
    ],
)
def test_gaps_say_what_is_wrong(field, value, sentence):
    asked = JoinRequestFactory(at=MONDAY)
    setattr(asked, field, value)
    rules = rulebook.on(MONDAY.date())
    gaps = completeness.gaps(asked, asked.documents.all(), on=MONDAY.date(), rules=rules)
    assert any(sentence in gap.sentence for gap in gaps)
    assert all(completeness.page_of(gap.field) == gap.page for gap in gaps)


def test_the_last_good_days_still_count():
    asked = JoinRequestFactory(
        at=MONDAY, extract_issued_on=date(2026, 8, 23), certified_until=date(2026, 11, 23)
    )
    rules = rulebook.on(MONDAY.date())
    assert completeness.gaps(asked, asked.documents.all(), on=MONDAY.date(), rules=rules) == []


def test_sent_after_somebody_else_came_in_it_is_refused(at):
    asked = JoinRequestFactory()
    MembershipFactory(organisation=OrganisationFactory(siret=asked.siret))
    with pytest.raises(Refused, match="a déjà un espace"):
        act("send", asked, at=at)


def test_sendings_of_a_day_have_a_limit(at):
    user = UserFactory()
    for _number in range(SENDS_A_DAY_MAX):
        asked = JoinRequestFactory(author=user, state=State.SENT, at=at)
        act("withdraw", asked, at=at)
    asked = JoinRequestFactory(author=user)
    with pytest.raises(Refused, match="en un jour"):
        act("send", asked, at=at)
    act("send", asked, at=at + timedelta(days=1, minutes=1))


# --- Completing -------------------------------------------------------------------------------------------


def test_a_complement_opens_a_new_receivability_and_pushes_the_decision_back():
    asked = JoinRequestFactory(state=State.SENT, at=MONDAY)
    act("ask_completion", asked, at=MONDAY + timedelta(days=2))
    asked.refresh_from_db()
    assert asked.due_at is None
    workflow.edit(
        asked.pk,
        by=author_actor(asked),
        at=MONDAY + timedelta(days=8),
        fields={"activity_number": "53350000009"},
    )
    act("send", asked, at=MONDAY + timedelta(days=9))
    asked.refresh_from_db()
    assert asked.receivable_due_at == workdays.midnight_after(date(2026, 12, 17))
    # Seven days passed at the author's: 23 January becomes 30 January.
    assert asked.decision_due_at == workdays.midnight_after(date(2027, 1, 30))
    assert asked.sent_at == MONDAY


def test_a_complement_says_what_and_why(at):
    asked = JoinRequestFactory(state=State.SENT)
    for wrong in ({"words": " "}, {"items": []}, {"items": ["mot_de_passe"]}):
        with pytest.raises(Refused):
            act("ask_completion", asked, at=at, **wrong)
    act("ask_completion", asked, at=at, items=["qualiopi", "qualiopi", "siret"])
    step = JoinStep.objects.latest("id")
    assert step.details == {"items": ["qualiopi", "siret"]}
    facts = Notice.objects.get(kind="join_completion_asked").facts
    assert facts["items"] == ["Certificat Qualiopi", "SIRET"]
    assert facts["words"] == "Le certificat est illisible."


def test_months_end_with_the_month():
    assert workdays.months_later(date(2026, 12, 31), 2) == date(2027, 2, 28)
    assert workdays.months_later(date(2027, 12, 31), 2) == date(2028, 2, 29)
    assert workdays.months_later(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert workdays.months_later(date(2026, 1, 15), -3) == date(2025, 10, 15)


# --- Admitting --------------------------------------------------------------------------------------------


def test_admitting_opens_the_organisation_to_its_author(at):
    asked = JoinRequestFactory(state=State.RECEIVABLE, qualiopi_vae=True)
    act("admit", asked, at=at, words="Bienvenue.", notes="Appel passé.")
    provider = Provider.objects.select_related("organisation").get(organisation__siret=asked.siret)
    assert provider.organisation.name == "Atelier des Lices"
    assert provider.organisation.email == "contact@lices.exemple.invalid"
    assert (provider.activity_number, provider.state) == ("53351234567", Provider.State.ACTIVE)
    assert (provider.qualiopi_training, provider.qualiopi_vae, provider.qualiopi_skills_review) == (
        True,
        True,
        False,
    )
    assert not provider.is_approved_driving_school
    membership = Membership.objects.get(organisation=provider.organisation)
    assert (membership.user, membership.role) == (asked.author, Membership.Role.MANAGER)
    asked.refresh_from_db()
    assert asked.organisation == provider.organisation
    notices = Notice.objects.filter(kind="join_admitted")
    assert {notice.email for notice in notices} == {asked.author.email, "contact@lices.exemple.invalid"}
    assert "Appel passé." not in str([notice.facts for notice in notices])
    actions = list(JournalEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["organisation_admitted", "join_admit"]


def test_an_organisation_that_a_list_brought_is_taken_over(at):
    known = ProviderFactory(
        organisation__name="Lycée Sud", qualiopi_training=False, qualiopi_skills_review=True
    )
    offer = OfferFactory(provider=known, entitled=True)
    asked = JoinRequestFactory(state=State.RECEIVABLE, siret=known.organisation.siret)
    act("admit", asked, at=at)
    assert Organisation.objects.filter(siret=asked.siret).count() == 1
    known.refresh_from_db()
    assert known.organisation.name == "Lycée Sud"
    assert (known.qualiopi_training, known.qualiopi_skills_review) == (True, True)
    assert Offer.objects.get(pk=offer.pk).provider_id == known.pk


def test_two_requests_for_one_organisation_end_with_one(at):
    first = JoinRequestFactory(state=State.RECEIVABLE)
    second = JoinRequestFactory(state=State.RECEIVABLE, siret=first.siret)
    act("admit", first, at=at)
    with pytest.raises(Refused, match="a déjà un espace"):
        act("admit", second, at=at)
    assert Membership.objects.get().user == first.author
    act("refuse", second, at=at, motives=["known"])


def test_an_activity_number_belongs_to_one_legal_body(at):
    other = ProviderFactory(activity_number="53351234567")
    asked = JoinRequestFactory(state=State.RECEIVABLE)
    with pytest.raises(Refused, match=other.organisation.name) as refusal:
        act("admit", asked, at=at)
    assert refusal.value.field == "activity_number"
    assert not Membership.objects.exists()
    # Another establishment of the same body has the same number.
    Organisation.objects.filter(pk=other.pk).update(siret=f"{asked.siret[:9]}00099")
    act("admit", asked, at=at)


def test_admitted_and_gone_nothing_is_admitted_again(at):
    asked = JoinRequestFactory(state=State.RECEIVABLE)
    act("withdraw", asked, at=at)
    with pytest.raises(Refused):
        act("admit", asked, at=at)
    assert not Organisation.objects.filter(siret=asked.siret).exists()


def test_a_driving_school_is_approved_with_its_licence_and_its_number(at):
    user = UserFactory()
    by = Actor(role=Role.HOLDER, user=user)
    asked = workflow.create(a_siret(77), by=by, at=at, request_id=uuid.uuid4())
    fields = answers(at, other_kinds=["licence_light"], school_approval="E 03 035 0001 0")
    workflow.edit(asked.pk, by=by, at=at, fields=fields)
    asked.refresh_from_db()
    assert Document.Kind.APPROVAL in completeness.needed_documents(asked)
    for kind in completeness.needed_documents(asked):
        documents.add(asked.pk, kind, a_file(), by=by, at=at)
    for verb in ("send", "declare_receivable", "admit"):
        act(verb, asked, at=at)
    assert Provider.objects.get(organisation__siret=asked.siret).is_approved_driving_school


# --- Refusing, starting again -------------------------------------------------------------------------------


def test_a_refusal_says_why_and_how_to_contest():
    asked = JoinRequestFactory(state=State.SENT, at=MONDAY)
    for wrong in ({"motives": []}, {"motives": ["parce que"]}, {"words": "  "}):
        with pytest.raises(Refused):
            act("refuse", asked, at=MONDAY, **wrong)
    act("refuse", asked, at=MONDAY, notes="Interne")
    facts = Notice.objects.get(kind="join_refused").facts
    assert facts["motives"] == ["La déclaration d’activité n’est pas valide ou n’est plus active."]
    assert facts["words"] == "Le numéro n’existe pas."
    assert facts["contest_until"] == "samedi 23\u00a0janvier 2027 à\u00a0minuit"
    assert "Interne" not in str(facts)


@pytest.mark.parametrize("state", [State.REFUSED, State.WITHDRAWN])
def test_one_starts_again_from_what_was_said(state, at):
    old = JoinRequestFactory(state=state)
    by, name = author_actor(old), uuid.uuid4()
    new = workflow.again(old.pk, by=by, at=at, request_id=name)
    assert workflow.again(old.pk, by=by, at=at, request_id=name) == new
    assert (new.state, new.siret, new.name) == (State.DRAFT, old.siret, old.name)
    assert not new.has_no_conviction
    assert new.extract_issued_on is None
    assert not new.documents.exists()
    with pytest.raises(Refused, match="pas terminée"):
        workflow.again(new.pk, by=by, at=at, request_id=uuid.uuid4())


def test_mails_go_to_the_confirmed_address_until_the_organisation_is_in(at):
    for state in (State.SENT, State.COMPLETION_ASKED, State.RECEIVABLE, State.REFUSED, State.WITHDRAWN):
        asked = JoinRequestFactory(state=state, email="victime@exemple.invalid")
        assert {email for _kind, email in told(asked)} == {asked.author.email}
        Notice.objects.all().delete()

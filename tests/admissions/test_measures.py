"""Warned, suspended, reinstated: announced first, answered, decided with reasons, told."""

import logging
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import DatabaseError, transaction

import rulebook
from accounts.actors import SYSTEM, VISITOR, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from admissions import guards, listing, measures
from admissions.models import Measure, MeasureStep
from admissions.states import MEASURE_MOVES, MeasureState
from catalog import publishing
from catalog.models import Offer, Provider
from notices.models import Notice
from rulebook import workdays
from tests.conftest import ROOT
from tests.factories.accounts import MembershipFactory, UserFactory
from tests.factories.admissions import MeasureFactory
from tests.factories.catalog import OfferFactory, ProviderFactory
from tests.factories.dossiers import admin_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
OVER = MONDAY + timedelta(days=16)


def manager_of(provider):
    membership = MembershipFactory(organisation=provider.organisation, role="manager")
    return Actor(role=Role.PROVIDER, user=membership.user, organisation=provider.organisation)


def act(verb, measure, *, at=OVER, by=None, words="Pour ces raisons.", **more):
    by = by or (manager_of(measure.provider) if verb == "answer" else admin_actor())
    return getattr(measures, verb)(measure.pk, by=by, at=at, request_id=uuid.uuid4(), words=words, **more)


def is_open(offer, at):
    day = workdays.paris_day(at)
    return Offer.objects.open_on(day, rulebook.on(day)).filter(pk=offer.pk).exists()


def brought_to(state):
    first = {"warned": "warn", "dropped": "warn", "suspended": "suspend_at_once", "lifted": "suspend_at_once"}
    measure = MeasureFactory(verb=first.get(state, "intend"), at=MONDAY)
    if state in ("dropped", "lifted"):
        act("drop" if state == "dropped" else "lift", measure)
    return Measure.objects.get(pk=measure.pk)


@pytest.mark.parametrize("verb", [verb for verb in MEASURE_MOVES if "new" not in MEASURE_MOVES[verb].sources])
@pytest.mark.parametrize("state", [state for state in MeasureState if state != "new"])
def test_a_verb_works_from_its_states_only(verb, state):
    measure = brought_to(state)
    if state in MEASURE_MOVES[verb].sources:
        act(verb, measure)
        measure.refresh_from_db()
        assert measure.state == MEASURE_MOVES[verb].target_of(state)
    else:
        with pytest.raises(Refused, match="a changé d’état"):
            act(verb, measure)
        measure.refresh_from_db()
        assert measure.state == state


@pytest.mark.parametrize("verb", MEASURE_MOVES)
def test_only_its_side_does_a_verb(verb):
    provider = ProviderFactory()
    plain = MembershipFactory(organisation=provider.organisation, role="member")
    wrong = [
        Actor(role=Role.PROVIDER, user=plain.user, organisation=provider.organisation),
        manager_of(ProviderFactory()),
        Actor(role=Role.HOLDER, user=UserFactory()),
        VISITOR,
    ]
    wrong.append(admin_actor() if verb == "answer" else manager_of(provider))
    if verb != "lift":
        wrong.append(SYSTEM)
    is_first = "new" in MEASURE_MOVES[verb].sources
    measure = None if is_first else MeasureFactory(verb="suspend_at_once", provider=provider, at=MONDAY)
    for actor in wrong:
        target = provider if is_first else measure
        with pytest.raises(NotAllowed):
            getattr(measures, verb)(target.pk, by=actor, at=OVER, request_id=uuid.uuid4(), words="Parce que.")
    assert Measure.objects.count() == (0 if is_first else 1)


def test_a_suspension_is_announced_then_answered_then_decided():
    offer = OfferFactory(certification__registered_until=date(2099, 1, 1))
    provider = offer.provider
    boss = manager_of(provider)
    measure = MeasureFactory(provider=provider, at=MONDAY)
    assert is_open(offer, MONDAY), "announced is not decided"
    # 15 days after 23 November: to the end of 8 December.
    assert measure.answer_due_at == workdays.midnight_after(date(2026, 12, 8))
    with pytest.raises(Refused, match="n’a pas encore répondu"):
        act("suspend", measure, at=MONDAY + timedelta(days=14))
    assert is_open(offer, MONDAY)
    act("answer", measure, at=MONDAY + timedelta(days=1), by=boss, words="Nous avons corrigé le prix.")
    act("answer", measure, at=MONDAY + timedelta(days=2), by=boss, words="Voici la preuve.")
    act("suspend", measure, at=MONDAY + timedelta(days=3))
    assert not is_open(offer, MONDAY + timedelta(days=3))
    act("lift", measure, at=MONDAY + timedelta(days=40))
    assert is_open(offer, MONDAY + timedelta(days=40))
    words = list(MeasureStep.objects.order_by("id").values_list("verb", flat=True))
    assert words == ["intend", "answer", "answer", "suspend", "lift"]


def test_silence_lets_the_decision_come_after_the_delay():
    measure = MeasureFactory(at=MONDAY)
    last = workdays.midnight_after(date(2026, 12, 8))
    with pytest.raises(Refused):
        act("suspend", measure, at=last - timedelta(seconds=1))
    act("suspend", measure, at=last)
    assert Provider.objects.get(pk=measure.provider_id).state == "suspended"


def test_an_emergency_suspends_first_and_hears_after():
    offer = OfferFactory(certification__registered_until=date(2099, 1, 1))
    measure = MeasureFactory(provider=offer.provider, verb="suspend_at_once", at=MONDAY)
    assert not is_open(offer, MONDAY)
    with pytest.raises(Refused, match="n’a pas encore répondu"):
        act("confirm", measure, at=MONDAY + timedelta(days=1))
    act("answer", measure, at=MONDAY + timedelta(days=2))
    act("confirm", measure, at=MONDAY + timedelta(days=3), ends_on=date(2027, 3, 1))
    measure.refresh_from_db()
    assert (measure.state, measure.is_urgent, measure.ends_on) == ("suspended", False, date(2027, 3, 1))
    with pytest.raises(Refused, match="déjà décidée"):
        act("confirm", measure)


def test_what_was_announced_can_become_urgent():
    measure = MeasureFactory(at=MONDAY)
    act("suspend", measure, at=MONDAY + timedelta(hours=1), is_urgent=True)
    measure.refresh_from_db()
    assert (measure.state, measure.is_urgent) == ("suspended", True)


def test_a_suspension_ends_by_itself_after_its_last_day():
    offer = OfferFactory(certification__registered_until=date(2099, 1, 1))
    MeasureFactory(
        provider=offer.provider, verb="suspend_at_once", at=MONDAY, **{"ends_on": date(2026, 12, 1)}
    )
    last_evening = workdays.midnight_after(date(2026, 12, 1))
    assert measures.lift_ended(at=last_evening - timedelta(seconds=1)) == 0
    assert measures.lift_ended(at=last_evening) == 1
    assert measures.lift_ended(at=last_evening) == 0
    assert is_open(offer, last_evening)
    assert "La durée de la suspension est terminée." in str(Notice.objects.get(kind="measure_lifted").facts)
    with pytest.raises(Refused, match="à venir"):
        MeasureFactory(verb="suspend_at_once", at=MONDAY, ends_on=date(2026, 11, 23))


def test_one_that_refuses_does_not_keep_the_others_closed(monkeypatch, caplog):
    for _suspended in range(2):
        MeasureFactory(verb="suspend_at_once", at=MONDAY, ends_on=date(2026, 12, 1))
    first, second = Measure.objects.order_by("pk")
    lift = measures.lift

    def refuse_the_first(measure_id, **words):
        if measure_id == first.pk:
            raise Refused("non")
        return lift(measure_id, **words)

    monkeypatch.setattr(measures, "lift", refuse_the_first)
    with caplog.at_level(logging.CRITICAL):
        assert measures.lift_ended(at=workdays.midnight_after(date(2026, 12, 1))) == 1
    assert Measure.objects.get(pk=second.pk).state == "lifted"


@pytest.mark.parametrize("verb", ["suspend", "confirm", "drop", "lift"])
def test_nobody_decides_about_their_own_organisation(verb):
    state = {"suspend": "intended", "confirm": "suspended", "drop": "warned", "lift": "suspended"}[verb]
    measure, clerk = brought_to(state), admin_actor()
    MembershipFactory(organisation=measure.provider.organisation, user=clerk.user)
    with pytest.raises(NotAllowed, match="une autre personne"):
        act(verb, measure, by=clerk)
    assert Measure.objects.get(pk=measure.pk).state == measure.state


def test_one_suspension_at_a_time_and_warnings_beside():
    measure = MeasureFactory(at=MONDAY)
    for verb in ("intend", "suspend_at_once"):
        with pytest.raises(Refused, match="déjà en cours"):
            MeasureFactory(provider=measure.provider, verb=verb, at=MONDAY)
    MeasureFactory(provider=measure.provider, verb="warn", at=MONDAY)
    act("drop", measure)
    MeasureFactory(provider=measure.provider, at=OVER)


def test_a_measure_says_why():
    for words in ("", "  ", "x" * 5001):
        with pytest.raises(Refused) as refusal:
            MeasureFactory(words=words)
        assert refusal.value.field == "words"
    assert not Measure.objects.exists()


def test_sent_twice_a_click_counts_once():
    provider, by, name = ProviderFactory(), admin_actor(), uuid.uuid4()
    for _time in range(2):
        measures.warn(provider.pk, by=by, at=MONDAY, request_id=name, words="Attention.")
    assert Measure.objects.count() == 1
    measure, boss, name = Measure.objects.get(), manager_of(provider), uuid.uuid4()
    for _time in range(2):
        measures.answer(measure.pk, by=boss, at=MONDAY, request_id=name, words="Compris.")
    assert MeasureStep.objects.filter(verb="answer").count() == 1
    with pytest.raises(Refused, match="plus à jour"):
        measures.drop(measure.pk, by=by, at=MONDAY, request_id=name, words="Clos.")


def test_the_database_has_the_last_word_on_states():
    measure = MeasureFactory()
    with pytest.raises(DatabaseError, match="insert a step"), transaction.atomic():
        Measure.objects.update(state="lifted")
    with pytest.raises(DatabaseError), transaction.atomic():
        Measure.objects.filter(pk=measure.pk).update(reason="Autre chose")
    with pytest.raises(DatabaseError, match="never_changed"), transaction.atomic():
        MeasureStep.objects.update(words="Autre chose")


# --- Told ---------------------------------------------------------------------------------------------


def test_every_manager_and_the_mailbox_are_told():
    provider = ProviderFactory(organisation__email="contact@organisme.exemple.invalid")
    first, second = manager_of(provider), manager_of(provider)
    MembershipFactory(organisation=provider.organisation, role="member")
    gone = manager_of(provider).user
    gone.is_active = False
    gone.save()
    manager_of(ProviderFactory())
    measure = MeasureFactory(provider=provider, at=MONDAY)
    told = set(Notice.objects.filter(kind="measure_intended").values_list("email", flat=True))
    assert told == {first.user.email, second.user.email, "contact@organisme.exemple.invalid"}
    facts = Notice.objects.filter(kind="measure_intended").first().facts
    assert facts["answer_due"] == "mardi 8\u00a0décembre 2026 à\u00a0minuit"
    assert facts["words"] == measure.reason
    act("suspend", measure)
    assert Notice.objects.filter(kind="measure_suspended").count() == 3


def test_an_answer_is_told_to_those_who_decide():
    decider = UserFactory(is_staff=True, is_superuser=True)
    onlooker = UserFactory(is_staff=True)
    measure = MeasureFactory(at=MONDAY)
    act("answer", measure)
    told = set(Notice.objects.filter(kind="measure_answered").values_list("email", flat=True))
    assert decider.email in told
    assert onlooker.email not in told


def test_answers_flood_nobody():
    measure = MeasureFactory(at=MONDAY)
    by = manager_of(measure.provider)
    for _answer in range(guards.ANSWERS_A_DAY_MAX):
        act("answer", measure, by=by)
    with pytest.raises(Refused, match="demain"):
        act("answer", measure, by=by)
    act("answer", measure, by=by, at=OVER + timedelta(days=1))
    told = Notice.objects.filter(kind="measure_answered", email=by.user.email)
    assert told.count() == guards.ANSWERS_A_DAY_MAX + 1


def test_what_the_administration_does_is_journalled():
    measure = MeasureFactory(at=MONDAY)
    act("answer", measure)
    act("suspend", measure)
    act("lift", measure)
    actions = list(JournalEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["measure_intend", "suspend", "measure_suspend", "restore", "measure_lift"]


def test_what_may_be_decided_is_listed():
    answered, silent, running = (MeasureFactory(at=MONDAY) for _number in range(3))
    act("answer", answered, at=MONDAY)
    at = MONDAY + timedelta(days=1)
    assert list(listing.measures_to_decide(at=at)) == [answered]
    act("drop", running, at=at)
    assert set(listing.measures_to_decide(at=OVER)) == {answered, silent}


def test_nobody_is_suspended_in_silence():
    """Only the procedure turns the switch of catalog.publishing."""
    callers = [
        str(path.relative_to(ROOT))
        for folder in ("accounts", "catalog", "dossiers", "portal", "rights", "support", "admissions")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"publishing\.(suspend|restore)\(", path.read_text())
    ]
    assert callers == ["admissions/measures.py"]


def test_who_was_suspended_before_measures_existed_has_one(at):
    """The data migration: what the journal knows becomes a measure that can be lifted and told."""
    migration = import_module("admissions.migrations.0002_measures_of_the_suspended")
    known, unknown, fine = (ProviderFactory() for _number in range(3))
    publishing.suspend(known.pk, by=admin_actor(), at=at, reason="Contrôle de mars")
    Provider.objects.filter(pk=unknown.pk).update(state="suspended")
    migration.open_measures(apps, None)
    assert not Measure.objects.filter(provider=fine).exists()
    assert Measure.objects.get(provider=known).reason == "Contrôle de mars"
    assert Measure.objects.get(provider=known).opened_at == at
    for measure in Measure.objects.order_by("pk"):
        assert measure.state == "suspended"
        act("lift", measure, at=at)
    assert not Provider.objects.filter(state="suspended").exists()

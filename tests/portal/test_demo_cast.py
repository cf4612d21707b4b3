"""The people of the demonstration and their stories: by the real verbs, again without effect."""

import json
from datetime import date, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

import rulebook
from accounts.activation import activate
from accounts.actors import Actor, Role
from accounts.listing import roles_of
from accounts.models import HolderProfile, User
from admissions import measures
from admissions.models import Measure
from catalog import eligibility, publishing
from catalog.models import Offer, Provider, Session
from dossiers import clocks, deadlines, threads
from dossiers.models import Dossier, Message, MessageReport, ReviewText
from dossiers.states import CLOCK_OF, State
from portal.demo import PASSWORD, conversations, people
from rights import integrity
from rights.kinds import PocketKind
from rights.models import Movement
from rulebook import workdays
from tests.factories.accounts import UserFactory
from tests.factories.catalog import TownFactory
from tests.kept import kept_for_the_module
from tests.portal.demonstration import counts, run, town_codes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cast"), pytest.mark.xdist_group("demo-cast")]


@pytest.fixture(scope="module")
def cast(django_db_setup, django_db_blocker):
    """Its people and their stories, without the crowd around them."""
    with kept_for_the_module(django_db_blocker), override_settings(NIR_AT_ACTIVATION=True):
        for code in town_codes():
            TownFactory(code=code, name=f"Commune {code}")
        run("load_demo", "--cast-only")
        yield


def test_every_state_is_there_and_the_ledger_is_right():
    assert set(Dossier.objects.values_list("state", flat=True)) == {str(state) for state in State}
    assert integrity.check() == []
    # No answer is overdue: a clock that runs is one that a visitor can still meet.
    now = timezone.now()
    assert not [
        dossier
        for dossier in Dossier.objects.filter(state__in=CLOCK_OF).order_by("pk")
        if clocks.running(dossier, CLOCK_OF[State(dossier.state)]).due_at <= now
    ]
    assert deadlines.settle_overdue(at=now).settled == 0


def test_nothing_of_it_happened_in_the_future_nor_out_of_order():
    now = timezone.now()
    for dossier in Dossier.objects.order_by("pk"):
        moments = [dossier.created_at, *dossier.transitions.order_by("id").values_list("at", flat=True)]
        assert moments == sorted(moments) and moments[-1] <= now
        assert dossier.created_at >= dossier.holder.activated_at


def test_offers_of_every_kind_are_open_and_some_are_not_for_each_reason():
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    opened = Offer.objects.open_on(today, rules)
    assert opened.count() >= 30
    assert set(opened.values_list("kind", flat=True)) == set(Offer.Kind.values)
    assert set(opened.values_list("mode", flat=True)) == set(Offer.Mode.values)
    assert len(set(opened.exclude(town=None).values_list("town", flat=True))) >= 15
    assert not opened.exclude(pk__in=Session.objects.obtainable(today, rules).values("offer")).exists()
    closed = Offer.objects.exclude(pk__in=opened.values("pk")).order_by("pk")
    found = {
        why.code
        for offer in closed
        for why in eligibility.refusals(eligibility.facts_of(offer), on=today, rules=rules)
    }
    assert found == {
        eligibility.Code.CERTIFICATION_ENDED,
        eligibility.Code.NOT_ENTITLED,
        eligibility.Code.ENTITLEMENT_INACTIVE,
        eligibility.Code.ROLE_CANNOT_TRAIN,
        eligibility.Code.QUALIOPI_MISSING,
        eligibility.Code.PROVIDER_SUSPENDED,
        eligibility.Code.HIDDEN,
        eligibility.Code.SCHOOL_NOT_APPROVED,
        eligibility.Code.LICENCE_EXCLUDED,
    }


def test_loaded_again_it_changes_nothing_and_keeps_what_people_did():
    offer = Offer.objects.get(training_number="LICES-01")
    admin = Actor(role=Role.ADMIN, user=User.objects.get(email="admin@exemple.invalid"))
    publishing.hide(offer.pk, by=admin, at=timezone.now())
    measures.lift(
        Measure.objects.get(state="suspended").pk,
        by=admin,
        at=timezone.now(),
        request_id=uuid4(),
        words="Fin.",
    )
    before = counts()
    assert "0 nouveaux dossiers" in run("load_demo", "--cast-only")
    assert counts() == before
    assert not Offer.objects.get(pk=offer.pk).is_published
    assert not Provider.objects.filter(state="suspended").exists()


def test_reset_dates_adds_sessions_and_stories_once_a_day():
    before = counts()
    run("load_demo", "--reset-dates", "--cast-only")
    after = counts()
    assert after["Dossier"] == 2 * before["Dossier"]
    assert after["Session"] > before["Session"]
    assert (after["User"], after["HolderProfile"], after["Offer"]) == (
        before["User"],
        before["HolderProfile"],
        before["Offer"],
    )
    assert integrity.check() == []
    run("load_demo", "--reset-dates", "--cast-only")
    assert counts() == after


def test_a_record_of_a_real_extract_is_left_as_it_is():
    certification = Offer.objects.get(training_number="LICES-01").certification
    certification.title, certification.digest = "Comme au répertoire", "a" * 64
    certification.save()
    run("load_demo", "--cast-only")
    certification.refresh_from_db()
    assert certification.title == "Comme au répertoire"


def test_the_logins_shown_open(client):
    lines = [line.split("  ") for line in run("demo_logins").splitlines()]
    shown = [[part.strip() for part in line if part.strip()] for line in lines if len(line) > 1]
    assert [role for role, _email, _password in shown] == [
        "Titulaire",
        "Titulaire, en formation",
        "Titulaire et organisme",
        "Organisme de formation",
        "Administration",
        "Administration (2e personne)",
    ]
    said = [line for line in run("demo_logins").splitlines() if line.startswith("Pour jouer les deux côtés")]
    assert [line.split()[5] for line in said] == ["double@exemple.invalid", "organisme@exemple.invalid"]
    assert "Boussole Bilans (démonstration)" in said[0]
    assert "Atelier des Lices (démonstration), " in said[1]
    assert said[1].endswith("Son menu passe de l’une à l’autre")
    for _role, email, password in shown:
        assert password == PASSWORD
        assert client.login(username=email, password=password)


def test_a_changed_password_is_not_shown():
    user = User.objects.get(email="admin@exemple.invalid")
    user.set_password("un autre, bien à moi")
    user.save()
    assert "(mot de passe changé)" in run("demo_logins")


def test_a_year_is_declared_by_an_employer_and_credited_once():
    """« Mes droits » of the first holder tells its source, and the years ahead."""
    holder = HolderProfile.objects.get(user__email="titulaire@exemple.invalid")
    given = Movement.objects.filter(target__holder=holder, target__kind=PocketKind.ANNUAL, kind="credit")
    [declared] = given.filter(key__startswith="annual:")
    assert declared.amount == 500_00
    assert given.count() == 8
    now = timezone.localtime()
    later = now + timedelta(days=400)
    with time_machine.travel(later):
        run("load_demo", "--cast-only")
    # The years since are added, and the declared one is not given again.
    assert given.filter(key__startswith="annual:").count() == 1
    assert given.count() == 8 + later.year - now.year


def test_the_identity_shown_activates_its_account_then_another_is_shown():
    today = workdays.paris_day(timezone.now())
    first = people.waiting_identity(on=today)
    assert first.nir in run("demo_logins")
    holder = activate(by=Actor(role=Role.HOLDER, user=UserFactory()), at=timezone.now(), identity=first)
    assert holder.birth_name == first.family_name
    second = people.waiting_identity(on=today)
    assert second.family_name != first.family_name
    activate(by=Actor(role=Role.HOLDER, user=UserFactory()), at=timezone.now(), identity=second)
    assert "Tous les comptes de démonstration sont activés." in run("demo_logins")


def test_an_apprentice_of_fifteen_stays_fifteen():
    born = HolderProfile.objects.get(reference="DEMO-zoe").birth_date
    assert born == people.birthday(15, timezone.localdate())


@pytest.mark.parametrize(
    "today", [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 31), date(2028, 2, 29)]
)
@pytest.mark.parametrize("days_ago", [0, 2, 15, 30])
def test_who_is_fifteen_was_fifteen_when_their_story_began(today, days_ago):
    born, day = people.birthday(15, today), today - timedelta(days=days_ago)
    assert day.year - born.year - ((day.month, day.day) < (born.month, born.day)) == 15


def test_two_dossiers_are_left_unanswered_for_beat():
    left = json.loads(run("demo_overdue"))
    assert deadlines.settle_overdue(at=timezone.now()).settled == 2
    found = Dossier.objects.filter(pk__in=left.values()).values_list("silent_party", "state")
    assert set(found) == {("provider", "lapsed"), ("holder", "lapsed")}
    assert set(left) == {"provider", "holder"}


def test_both_sides_of_some_dossiers_write_to_each_other():
    assert set(Message.objects.values_list("role", flat=True)) == {"holder", "provider"}
    assert MessageReport.objects.get().outcome == "hidden"
    # Something waits to be read on both sides.
    for email in (conversations.CAMILLE, "organisme@exemple.invalid"):
        user = User.objects.get(email=email)
        waiting = [threads.with_unread(Dossier.objects.all(), actor) for actor in roles_of(user)]
        assert any(found.filter(unread_messages__gt=0).exists() for found in waiting), email


def test_a_training_that_is_over_is_reviewed_answered_and_one_text_waits():
    states = list(ReviewText.objects.order_by("role", "state").values_list("role", "state"))
    assert states == [("holder", "published"), ("holder", "waiting"), ("provider", "published")]
    assert Offer.objects.filter(reviews_count__gt=0).count() == 2
    run("load_demo", "--cast-only")
    assert ReviewText.objects.count() == 3

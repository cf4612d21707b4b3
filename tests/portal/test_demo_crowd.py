"""The demonstration with its crowd: organisations, offers and dossiers over France."""

import pytest
from django.test import override_settings
from django.utils import timezone

import rulebook
from accounts.models import User
from catalog.imports import towns
from catalog.models import Offer, Provider, Session
from dossiers import deadlines
from dossiers.models import Dossier
from dossiers.states import State
from portal.demo import facts
from rights import integrity
from rulebook import workdays
from tests.kept import kept_for_the_module
from tests.portal.demonstration import counts, run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("crowd"), pytest.mark.xdist_group("demo-crowd")]


@pytest.fixture(scope="module")
def crowd(django_db_setup, django_db_blocker):
    """The whole of it, as `python3 dev.py up` loads it."""
    with kept_for_the_module(django_db_blocker), override_settings(NIR_AT_ACTIVATION=True):
        towns.load()
        run("load_demo")
        yield


def test_what_is_invented_says_so():
    for provider in Provider.objects.select_related("organisation").order_by("pk"):
        assert provider.organisation.name.endswith("(démonstration)")
        assert provider.organisation.siret.startswith("000000")
        provider.organisation.full_clean()
        provider.full_clean()
    emails = User.objects.values_list("email", flat=True)
    assert emails and all(email.endswith("@exemple.invalid") for email in emails)
    for words in facts("crowd")["holders"].values():
        assert not User.objects.get(email=words["email"]).has_usable_password()


def test_the_crowd_is_dozens_of_organisations_hundreds_of_offers_and_dossiers_in_every_state():
    today = workdays.paris_day(timezone.now())
    opened = Offer.objects.open_on(today, rulebook.on(today))
    assert Provider.objects.count() >= 50
    assert opened.count() >= 200
    assert opened.exclude(town=None).values("town__department").distinct().count() >= 40
    assert not opened.exclude(
        pk__in=Session.objects.obtainable(today, rulebook.on(today)).values("offer")
    ).exists()
    assert set(Dossier.objects.values_list("state", flat=True)) == {str(state) for state in State}
    assert Dossier.objects.filter(provider__organisation__name__startswith="Atelier des Lices").count() >= 20
    assert deadlines.settle_overdue(at=timezone.now()).settled == 0
    assert integrity.check() == []
    before = counts()
    assert "0 nouveaux dossiers" in run("load_demo")
    assert counts() == before

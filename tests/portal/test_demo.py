"""The demonstration before it is there: never in production, and what it needs."""

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from catalog.imports import towns
from catalog.models import Town
from portal.demo import facts
from tests.portal.demonstration import counts, run, town_codes

pytestmark = pytest.mark.django_db


def test_facts_of_the_crowd_stand_once():
    """A certification is described in one of the two files; each training taught has its words."""
    catalogue, crowd = facts("catalogue"), facts("crowd")
    described = {code for code, words in crowd["trainings"].items() if "certification" in words}
    assert not described & catalogue["certifications"].keys()
    assert crowd["trainings"].keys() <= described | catalogue["certifications"].keys()
    taught = {code for words in crowd["organisations"] for code in words["trains"]}
    assert taught == crowd["trainings"].keys()


@pytest.mark.parametrize("command", ["load_demo", "demo_logins", "demo_overdue"])
def test_production_is_refused(command, settings):
    settings.IS_PRODUCTION = True
    before = counts()
    with pytest.raises(CommandError, match="production"):
        run(command)
    assert counts() == before


def test_its_towns_are_in_the_file_we_ship():
    towns.load()
    assert Town.objects.filter(pk__in=town_codes()).count() == len(town_codes())


def test_without_towns_it_says_what_to_do():
    with pytest.raises(CommandError, match="load_towns"):
        run("load_demo")


def test_before_it_is_loaded_no_login_is_shown():
    assert "load_demo" in run("demo_logins")


def test_the_closing_story_has_a_certification_that_is_over():
    """Whatever the day of loading, one of the certifications taught has ended before it."""
    catalogue = facts("catalogue")
    taught = {
        offer["certification"]
        for offer in catalogue["offers"]
        if offer.get("of") == "lices" and "certification" in offer
    }
    ended = [catalogue["certifications"][code]["until"] for code in taught]
    assert min(ended) < timezone.localdate() - timedelta(days=1)

"""Actions that nobody could tell apart: which are refused, which are only told, and what tells them apart."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.imports import offers
from catalog.imports.report import Verdict
from catalog.models import Offer
from tests.catalog.imports import making
from tests.catalog.imports.making import ADDRESS, SIRET, action, catalogue, line_of, session, training
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import CertificationFactory, HabilitationFactory, ProviderFactory, TownFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path, at):
    """Reads a catalogue of an organisation that may teach RNCP100, in a country of one town."""
    TownFactory()
    HabilitationFactory(certification=CertificationFactory(code="RNCP100", number=100), siret=SIRET)
    ProviderFactory(organisation=OrganisationFactory(siret=SIRET))

    def load(*trainings, **options):
        return offers.run(making.put(tmp_path, catalogue(*trainings)), **{"at": at} | options)

    return load


def lasting(number, hours, **facts):
    return action(number, hours=f"<nombre-heures-centre>{hours}</nombre-heures-centre>", **facts)


def told(report, verdict=Verdict.REFUSED):
    return [(finding.line, finding.reason) for finding in report.of(verdict)]


def kept():
    return sorted(Offer.objects.values_list("action_number", flat=True))


def test_the_same_action_under_another_number_is_refused_with_its_line_and_the_other_s(load):
    report = load(training(actions=lasting("A1", 40) + lasting("A2", 40, sessions=session("S9"))))
    content = catalogue(training(actions=lasting("A1", 40) + lasting("A2", 40, sessions=session("S9"))))
    ((line, reason),) = told(report)
    assert line == line_of(content, '<action numero="A2"')
    other = line_of(content, '<action numero="A1"')
    assert reason.startswith(f"l'action est la même que l'action A1 de la formation F1, ligne {other}.")
    assert "30056" in reason
    assert kept() == ["A1"] and (report.read, report.created, report.refused) == (2, 1, 1)


def test_the_same_action_in_another_training_is_refused_too(load):
    same = training("F1", actions=lasting("A1", 40))
    report = load(same, same.replace('numero="F1"', 'numero="F2"'))
    assert ["30056" in reason for _line, reason in told(report)] == [True]


def test_less_than_ten_hours_from_another_is_refused_and_ten_hours_are_enough(load):
    hours = {"A1": 40, "A2": 49, "A3": 31, "A4": 50, "A5": 30, "A6": 45}
    report = load(training(actions="".join(lasting(number, each) for number, each in hours.items())))
    assert kept() == ["A1", "A4", "A5"]
    assert ["9 h d'écart, il en faut 10" in reason for _line, reason in told(report)] == [True, True, False]
    assert "5 h d'écart" in told(report)[2][1] and "l'action A1" in told(report)[2][1]


APART = {
    "mode": {"mode": "1"},
    "place": {"address": ADDRESS.replace("du Pont</extra>", "du Quai</extra>")},
    "language": {"language": "EN"},
    "languages": {
        "more": '<extra info="langue-formation">FR</extra><extra info="langue-formation">EN</extra>'
    },
}


@pytest.mark.parametrize("facts", APART.values(), ids=APART)
def test_what_tells_two_actions_apart(load, facts):
    report = load(training(actions=lasting("A1", 40) + lasting("A2", 41, **facts)))
    assert kept() == ["A1", "A2"], told(report)


def test_another_welcome_or_another_pedagogy_tells_them_apart(load):
    welcome = lasting("A2", 41).replace("Ascenseur", "Boucle magnétique")
    pedagogy = lasting("A3", 42).replace(
        "</langue-formation>",
        "</langue-formation><modalites-pedagogiques>En atelier</modalites-pedagogiques>",
    )
    report = load(training(actions=lasting("A1", 40) + welcome + pedagogy))
    assert kept() == ["A1", "A2", "A3"], told(report)


def test_another_training_may_last_as_long(load):
    report = load(training("F1", actions=lasting("A1", 40)), training("F2", actions=lasting("A2", 41)))
    assert (report.created, report.refused) == (2, 0), told(report)


def test_an_action_without_hours_is_only_refused_when_it_is_the_same(load):
    dearer = making.PRICES.replace("500.50", "1000.00").replace("600.60", "1200.00")
    others = action("A2", hours="", prices=dearer) + action("A3", hours="")
    report = load(training(actions=action("A1", hours="") + others))
    assert kept() == ["A1", "A2"] and "30056" in told(report)[0][1]


def test_what_the_portal_holds_already_is_updated_with_a_remark(load):
    both = training(actions=lasting("A1", 40) + lasting("A2", 60))
    load(both)
    report = load(training(actions=lasting("A1", 40) + lasting("A2", 45)))
    assert (report.updated, report.unchanged, report.refused) == (1, 1, 0)
    ((line, reason),) = told(report, Verdict.REMARK)
    assert "5 h d'écart" in reason and line > 1
    assert Offer.objects.get(action_number="A2").hours == 45
    again = load(training(actions=lasting("A1", 40) + lasting("A2", 45)))
    assert (again.updated, again.unchanged, again.refused) == (0, 2, 0)


def test_what_the_portal_alone_holds_counts_and_is_named(load):
    load(training(actions=lasting("A1", 40)))
    near, same = load(training(actions=lasting("A2", 44))), load(training("F9", actions=lasting("A1", 70)))
    assert "l'action A1 de la formation F1, déjà publiée" in told(near)[0][1]
    assert same.created == 1
    renumbered = load(training("F1", actions=lasting("A1", 40)).replace('numero="F1"', 'numero="F7"'))
    assert "30056" in told(renumbered)[0][1]
    Offer.objects.filter(training_number="F1").update(is_published=False)
    assert load(training(actions=lasting("A2", 44))).created == 1, "what is hidden is in nobody's way"


def test_a_pedagogy_that_the_portal_may_not_know_is_only_a_remark(load):
    load(training(actions=lasting("A1", 40)))
    told_of = lasting("A2", 44).replace(
        "</langue-formation>",
        "</langue-formation><modalites-pedagogiques>En atelier</modalites-pedagogiques>",
    )
    report = load(training(actions=told_of))
    assert report.created == 1 and "30057" in told(report, Verdict.REMARK)[0][1]


def test_of_two_alike_the_one_that_stands_already_stays_whatever_their_order(load):
    load(training(actions=lasting("A2", 40)))
    report = load(training(actions=lasting("A1", 41) + lasting("A2", 40)))
    assert kept() == ["A2"] and (report.unchanged, report.refused) == (1, 1)


def test_what_the_file_says_anew_is_not_compared_with_what_it_was(load):
    load(training(actions=lasting("A1", 40)))
    report = load(training(actions=lasting("A2", 41) + lasting("A1", 90)))
    assert (report.created, report.updated, report.refused) == (1, 1, 0), told(report)


def test_before_the_rule_nothing_was_compared(load, at):
    both = training(actions=lasting("A1", 40) + lasting("A2", 40))
    assert load(both, at=at.replace(year=2021, month=6, day=1)).created == 2


def test_each_action_is_looked_up_and_not_compared_with_all_the_others(load):
    def queries(count):
        actions = "".join(lasting(f"A{n}", 10 * n) for n in range(1, count + 1))
        with CaptureQueriesContext(connection) as caught:
            assert load(training(actions=actions), dry_run=True).created == count
        return len(caught)

    assert queries(3) == queries(90)

"""How organisations answer: what counts, over which months, and from how many on it is said."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dossiers import answering
from dossiers.models import ProviderFigures
from dossiers.states import State
from rulebook import workdays
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory, act, bring, in_business_days

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=60)


@pytest.fixture
def asked(at):
    """`asked(offer)`: a request of somebody, sixty days ago."""

    def ask(offer=None, *, moment=None):
        moment = moment or at - LONG_AGO
        session = SessionFactory(
            offer=offer or OfferFactory(sessions=0),
            starts_on=in_business_days(moment, 40),
            ends_on=in_business_days(moment, 44),
        )
        return DossierFactory(requested=True, at=moment, session=session)

    return ask


def figures(offer):
    found = ProviderFigures.objects.get(provider=offer.provider_id)
    return found.requests, found.answered, found.refused, found.median_minutes


def test_a_yes_a_no_and_a_silence_count_and_what_waits_or_was_taken_back_does_not(asked, at):
    offer = OfferFactory(sessions=0)
    yes, no, silent, taken_back, _waiting = (asked(offer) for _number in range(5))
    bring(yes, State.PROPOSED, at=at - LONG_AGO + timedelta(hours=1))
    bring(no, State.REFUSED_BY_PROVIDER, at=at - LONG_AGO + timedelta(hours=4))
    bring(silent, State.LAPSED, at=at - LONG_AGO)
    bring(taken_back, State.CANCELLED_BY_HOLDER, at=at - LONG_AGO + timedelta(hours=1))
    assert answering.count(at=at) == 1
    assert figures(offer) == (3, 2, 1, 150)


def test_looking_at_prerequisites_is_an_answer_and_a_late_refusal_is_one_more_no(asked, at):
    dossier = asked(OfferFactory(sessions=0, has_prerequisites=True))
    bring(dossier, State.PREREQUISITES_CHECK, at=at - LONG_AGO + timedelta(hours=2))
    dossier.refresh_from_db()
    act("refuse", dossier, at=at - LONG_AGO + timedelta(days=9), reason="Il manque le niveau demandé.")
    answering.count(at=at)
    assert figures(dossier.offer) == (1, 1, 1, 120)


def test_months_of_the_rulebook_and_no_day_that_is_not_over(asked, at, rules):
    first_day = workdays.months_later(workdays.paris_day(at), -rules.provider_figures_months)
    begins = workdays.midnight_of(first_day)
    offer = OfferFactory(sessions=0)
    for moment in (begins - timedelta(seconds=1), begins, at - timedelta(seconds=1)):
        bring(asked(offer, moment=moment), State.PROPOSED, at=moment)
    answering.count(at=at)
    assert figures(offer)[0] == 1


def test_counted_again_it_replaces_and_what_is_too_old_goes(asked, at):
    dossier = bring(asked(), State.PROPOSED, at=at - LONG_AGO)
    for _night in range(2):
        assert answering.count(at=at) == 1
    assert figures(dossier.offer) == (1, 1, 0, 0)
    assert answering.count(at=at + timedelta(days=800)) == 0
    assert not ProviderFigures.objects.exists()


def test_too_few_requests_say_nothing(asked, at, rules):
    dossier = bring(asked(), State.PROPOSED, at=at - LONG_AGO + timedelta(hours=30))
    answering.count(at=at)
    provider = dossier.provider_id
    assert answering.of(provider, rules=rules) is None
    said = answering.of(provider, rules=replace(rules, provider_figures_min=1))
    assert (said.requests, said.within, said.refused_percent, said.unanswered_percent) == (1, "2 jours", 0, 0)


def test_an_organisation_that_never_answers_has_no_time_and_says_so(asked, at, rules):
    dossier = bring(asked(), State.LAPSED, at=at - LONG_AGO)
    answering.count(at=at)
    said = answering.of(dossier.provider_id, rules=replace(rules, provider_figures_min=1))
    assert (said.within, said.unanswered_percent) == ("", 100)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (None, ""),
        (0, "1 heure"),
        (60, "1 heure"),
        (61, "2 heures"),
        (1440, "24 heures"),
        (1441, "2 jours"),
        (2881, "3 jours"),
    ],
)
def test_a_time_is_rounded_up_never_better_than_it_is(minutes, words):
    assert answering.in_words(minutes) == words

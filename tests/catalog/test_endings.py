"""Certifications that end: warnings at the dates of the rulebook, once each, whatever happens to the job."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import time_machine

import rulebook
from accounts.models import Organisation
from catalog import endings
from catalog.models import Certification, EndWarning, Succession
from notices import outbox
from notices.models import Notice
from rulebook import workdays
from tests.conftest import PARIS
from tests.factories.accounts import MembershipFactory, OrganisationFactory
from tests.factories.catalog import CertificationFactory, HabilitationFactory, OfferFactory, ProviderFactory

pytestmark = pytest.mark.django_db
END = date(2027, 8, 31)


@pytest.fixture(autouse=True)
def _before():
    with time_machine.travel(datetime(2026, 12, 1, 10, tzinfo=PARIS), tick=False):
        yield


@pytest.fixture
def provider():
    return ProviderFactory(organisation=OrganisationFactory(email="bureau@exemple.fr"))


@pytest.fixture
def ending(provider):
    return OfferFactory(provider=provider, certification__registered_until=END).certification


def morning(day):
    return datetime.combine(day, datetime.min.time(), PARIS) + timedelta(hours=8)


def warned():
    return list(EndWarning.objects.order_by("sent_at", "pk").values_list("months", flat=True))


def test_three_warnings_once_each_however_often_the_job_runs(ending):
    told = {}
    day = date(2027, 1, 1)
    while day <= END + timedelta(days=2):
        for _twice in range(2):
            if endings.warn(at=morning(day)):
                told[day] = warned()[-1]
        day += timedelta(days=1)
    # 31 August less six months is the last day of February.
    assert told == {date(2027, 2, 28): 6, date(2027, 5, 31): 3, date(2027, 7, 31): 1}
    assert Notice.objects.filter(kind="certification_ending").count() == 3


def test_the_day_of_a_warning_begins_at_midnight_in_paris(ending):
    """23:30 the day before is not yet the day, whatever UTC says; midnight is."""
    first = date(2027, 2, 28)
    assert endings.warn(at=workdays.midnight_of(first) - timedelta(minutes=30)) == 0
    assert endings.warn(at=workdays.midnight_of(first)) == 1


@pytest.mark.parametrize("end", [date(2027, 3, 28), date(2027, 10, 31)], ids=["spring", "autumn"])
def test_on_the_days_the_clocks_change(provider, end):
    OfferFactory(provider=provider, certification__registered_until=end)
    last = workdays.midnight_after(end)
    assert endings.warn(at=last - timedelta(minutes=30)) == 1, "its last evening still warns who was not"
    EndWarning.objects.all().delete()
    assert endings.warn(at=last) == 0, "on the morrow nothing is left to warn of"


def test_days_without_the_job_give_the_nearest_warning_only(ending):
    assert endings.warn(at=morning(date(2027, 6, 2))) == 1
    assert warned() == [3]
    assert endings.warn(at=morning(date(2027, 8, 5))) == 1
    assert warned() == [3, 1]


def test_another_date_warns_anew_and_the_old_date_again_does_not(ending):
    endings.warn(at=morning(date(2027, 6, 2)))
    Certification.objects.update(registered_until=date(2027, 9, 30))
    assert endings.warn(at=morning(date(2027, 7, 2))) == 1
    Certification.objects.update(registered_until=END)
    assert endings.warn(at=morning(date(2027, 7, 3))) == 0


def test_the_delays_are_rows_of_the_rulebook(ending, monkeypatch):
    on = rulebook.on
    monkeypatch.setattr(rulebook, "on", lambda day: replace(on(day), certification_warning_months=(2,)))
    assert [endings.warn(at=morning(date(2027, 6, day))) for day in (29, 30)] == [0, 1]


def test_only_those_who_have_offers_that_live(at, provider):
    for facts in ({"is_draft": True, "is_published": False}, {"is_published": False, "archived_at": at}):
        OfferFactory(provider=provider, certification__registered_until=END, **facts)
    OfferFactory(provider=provider, certification__registered_until=END, certification__withdrawn=True)
    OfferFactory(provider=provider)
    OfferFactory(provider=provider, skills_review=True)
    assert endings.warn(at=morning(date(2027, 3, 1))) == 0
    OfferFactory(provider=provider, certification__registered_until=END, is_published=False)
    assert endings.warn(at=morning(date(2027, 3, 1))) == 1


def test_one_letter_names_them_all_to_everyone_and_to_the_mailbox(provider, ending):
    members = MembershipFactory.create_batch(2, organisation=provider.organisation)
    other = OfferFactory.create_batch(
        3,
        provider=provider,
        certification=CertificationFactory(number=77_777, registered_until=date(2027, 8, 15)),
        entitled=False,
    )[0].certification
    Succession.objects.create(old_code=other.pk, new_code=CertificationFactory(number=88_888).pk)
    OfferFactory(certification=ending)
    assert endings.warn(at=morning(date(2027, 3, 1))) == 2
    letters = Notice.objects.filter(
        kind="certification_ending", facts__organisation_name=provider.organisation.name
    )
    assert {letter.email for letter in letters} == {
        "bureau@exemple.fr",
        *(member.user.email for member in members),
    }
    facts = letters[0].facts
    assert [each["code"] for each in facts["certifications"]] == [other.pk, ending.pk]
    first = facts["certifications"][0]
    assert (first["offers"], first["replaced_by"]) == (3, "RNCP88888")
    assert "15\u00a0août 2027" in first["last_day"] and facts["count"] == 2


def test_an_organisation_that_fails_keeps_nobody_uninformed(ending, monkeypatch):
    OfferFactory(certification=ending)
    [bad] = Organisation.objects.filter(email="bureau@exemple.fr")
    real = endings._warn_one
    monkeypatch.setattr(
        endings, "_warn_one", lambda pk, *a, **k: 1 / 0 if pk == bad.pk else real(pk, *a, **k)
    )
    assert endings.warn(at=morning(date(2027, 3, 1))) == 1


def test_the_words_of_the_letter(provider, ending, mailoutbox):
    endings.warn(at=morning(date(2027, 3, 1)))
    outbox.deliver_due(at=morning(date(2027, 3, 1)), limit=10)
    [letter] = mailoutbox
    assert letter.subject == f"{ending.pk} s’arrête le mardi 31\u00a0août 2027"
    assert "1 offre concernée" in letter.body and "/mes-certifications" in letter.body
    assert "Les inscriptions confirmées continuent" in letter.body


# --- The page's rows ------------------------------------------------------------------------------


def test_what_ends_and_what_has_ended_with_what_replaces_it(provider, ending):
    on = date(2027, 3, 1)
    ended = OfferFactory.create_batch(
        2, provider=provider, certification__registered_until=date(2027, 2, 27), sessions=0
    )[0].certification
    OfferFactory(provider=provider, certification__registered_until=date(2027, 9, 2))  # warned tomorrow
    OfferFactory(certification=ending)
    new = CertificationFactory(registered_until=date(2030, 1, 1))
    Succession.objects.create(old_code=ending.pk, new_code=new.pk)
    HabilitationFactory(certification=new, siret=provider.organisation.siret)
    endings.warn(at=morning(date(2027, 3, 1)))
    rules = rulebook.on(on)
    rows = endings.of_organisation(provider.organisation, on=on, rules=rules)
    assert endings.count_of(provider.pk, on=on, rules=rules) == 3 == len(rows)
    assert [(row.has_ended, row.offers) for row in rows] == [(True, 1), (True, 1), (False, 1)]
    assert ended in [row.certification for row in rows[:2]]
    assert (rows[2].code, rows[2].days_left, rows[2].warned_at) == (ending.pk, 183, morning(on))
    [successor] = rows[2].successors
    assert (successor.certification, successor.reasons, successor.to_take_over) == (new, [], 1)


@pytest.mark.parametrize("count", [1, 5])
def test_five_certifications_ask_as_much_as_one(provider, count, django_assert_num_queries):
    for number in range(count):
        offer = OfferFactory(provider=provider, certification__registered_until=END)
        Succession.objects.create(
            old_code=offer.certification_id, new_code=CertificationFactory(number=60_000 + number).pk
        )
    on = date(2027, 6, 1)
    rules = rulebook.on(on)
    # the offers, their certifications, warnings, two links of the chains, successors, roles, what is done
    with django_assert_num_queries(8):
        assert len(endings.of_organisation(provider.organisation, on=on, rules=rules)) == count

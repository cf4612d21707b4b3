"""Calendars: which dates, read back as a calendar program reads them, and whose address opens what."""

import uuid
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from icalendar import Calendar

from accounts.actors import Actor, Role
from accounts.models import Membership
from accounts.permissions import NotAllowed
from dossiers import calendar, clocks, listing
from dossiers.models import CalendarFeed, Dossier, Relief
from dossiers.permissions import visible_dossiers
from dossiers.states import ClockKind, State
from dossiers.views import calendar as views
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    act,
    admin_actor,
    bring,
    holder_actor,
    in_business_days,
    provider_actor,
)

pytestmark = pytest.mark.django_db


def dates(actor, at):
    return {entry.kind: entry for entry in calendar.entries(actor, at=at)}


def feed_path(actor, at):
    return urlsplit(calendar.address(calendar.make_feed(by=actor, at=at))).path


def events(response) -> list:
    assert response.status_code == 200
    return Calendar.from_ical(response.content).walk("VEVENT")


# --- Which dates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (State.DRAFT, set()),
        (State.REQUESTED, {"provider_answer"}),
        (State.PROPOSED, {"holder_answer"}),
        (State.AWAITING_PAYMENT, {"payment", "starts", "ends"}),
        (State.ACCEPTED, {"withdrawal", "starts", "ends"}),
        (State.CANCELLED_BY_HOLDER, set()),
        (State.CANCELLED_BY_PROVIDER, set()),
        (State.REFUSED_BY_PROVIDER, set()),
        (State.LAPSED, set()),
    ],
)
def test_a_holder_has_the_dates_of_what_goes_on_and_none_of_what_is_over(state, kinds, at):
    dossier = DossierFactory(at=at, is_exempt=state != State.AWAITING_PAYMENT)
    if state != State.DRAFT:
        dossier = bring(dossier, state, at=at) if dossier.state != state else dossier
    assert set(dates(holder_actor(dossier.holder), at)) == kinds


def test_one_day_of_training_is_one_date(at):
    day = in_business_days(at, 30)
    session = SessionFactory(starts_on=day, ends_on=day)
    dossier = DossierFactory(at=at, session=session, accepted=True)
    assert set(dates(holder_actor(dossier.holder), at)) == {"withdrawal", "starts"}


def test_days_are_uncertain_while_payment_is_awaited(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    assert dates(holder_actor(dossier.holder), at)["starts"].is_certain is False


def test_what_was_removed_from_the_list_and_what_is_long_past_is_gone(at):
    long_ago = at - timedelta(days=400)
    dossier = DossierFactory(at=long_ago, accepted=True)
    by = holder_actor(dossier.holder)
    assert dossier.ends_on < workdays.paris_day(at - calendar.KEPT_AFTER)
    assert dates(by, at) == {}
    assert set(dates(by, long_ago)) == {"withdrawal", "starts", "ends"}


def test_only_what_is_still_to_come_is_coming_soonest_first(at):
    dossier = DossierFactory(at=at, accepted=True)
    by = holder_actor(dossier.holder)
    assert [entry.kind for entry in calendar.coming(by, at=at)] == ["withdrawal", "starts", "ends"]
    assert [entry.kind for entry in calendar.coming(by, at=dossier.free_until)][:1] != ["withdrawal"]


def test_an_organisation_reads_numbers_and_no_name(at):
    first = DossierFactory(at=at, requested=True)
    second = DossierFactory(at=at, session=first.session, requested=True)
    confirmed = DossierFactory(at=at, session=first.session, accepted=True)
    found = calendar.entries(provider_actor(first.provider), at=at)
    assert [(entry.kind, entry.title) for entry in found] == [
        ("provider_answer", "Demandes à répondre : 2"),
        ("starts", f"Premier jour : {first.offer.title}"),
    ]
    told = calendar.as_calendar(found, name="x").decode()
    for dossier in (first, second, confirmed):
        assert dossier.holder.birth_name not in told
        assert dossier.number not in told


def test_an_organisation_never_reads_of_another(at):
    DossierFactory(at=at, requested=True)
    other = DossierFactory(at=at, requested=True)
    found = calendar.entries(provider_actor(other.provider), at=at)
    assert [entry.title for entry in found] == ["Demandes à répondre : 1"]


@pytest.mark.parametrize(
    ("starts_on", "last"),
    [
        # 11 business days before Tuesday 25 May 2027 (Whit Monday and the Ascension are skipped).
        (date(2027, 5, 25), date(2027, 5, 9)),
        (None, None),
    ],
)
def test_the_last_day_to_send_a_request(rules, starts_on, last):
    assert calendar.last_day_to_send(starts_on, rules=rules) == last


def test_the_last_day_to_send_is_the_last_that_can_still_be_proposed(rules):
    for ahead in range(40):
        starts_on = date(2027, 4, 20) + timedelta(days=ahead)
        last = calendar.last_day_to_send(starts_on, rules=rules)
        assert workdays.earliest_start(last, rules.earliest_start_days) <= starts_on
        assert workdays.earliest_start(last + timedelta(days=1), rules.earliest_start_days) > starts_on


# --- As programs read them -------------------------------------------------------------------------


def test_a_deadline_is_one_hour_that_ends_when_it_is_too_late_in_universal_time(client, at):
    dossier = DossierFactory(at=at, proposed=True)
    due_at = clocks.running(dossier, ClockKind.HOLDER_ANSWER).due_at
    (event,) = events(client.get(feed_path(holder_actor(dossier.holder), at)))
    assert event.decoded("dtend") == due_at
    assert event.decoded("dtend").tzname() == "UTC"
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(hours=1)
    assert event["summary"] == f"Dernière heure pour valider : {dossier.offer.title}"
    assert "à\u00a0minuit" in event["description"]
    assert reverse("dossier", args=[dossier.pk]) in event["url"]
    alarms = event.walk("VALARM")
    assert [alarm.decoded("trigger") for alarm in alarms] == [-before for before in calendar.ALARMS]


def test_days_are_whole_days_with_their_place_and_need_no_zone(client, at):
    dossier = DossierFactory(at=at, accepted=True)
    found = {
        str(event["uid"]).partition("-")[0]: event
        for event in events(client.get(feed_path(holder_actor(dossier.holder), at)))
    }
    first = found["starts"]
    assert first.decoded("dtstart") == dossier.starts_on
    assert first.decoded("dtend") == dossier.starts_on + timedelta(days=1)
    assert first["status"] == "CONFIRMED"
    assert first["class"] == "PRIVATE"
    assert not first.walk("VALARM")
    assert not found["withdrawal"].walk("VALARM")


def test_the_calendar_has_a_name_and_says_how_often_to_read_it(client, at):
    dossier = DossierFactory(at=at, requested=True)
    response = client.get(feed_path(holder_actor(dossier.holder), at))
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert response["Cache-Control"].startswith("private")
    assert response["X-Robots-Tag"] == "noindex"
    found = Calendar.from_ical(response.content)
    assert (found["version"], found["x-wr-calname"]) == ("2.0", "Portail formation · Titulaire")
    assert found.decoded("refresh-interval") == calendar.REFRESH
    # RFC 5545, 3.1: lines of 75 bytes at most, ended by CRLF.
    assert all(len(line) <= 75 for line in response.content.split(b"\r\n"))
    assert b"\n" not in response.content.replace(b"\r\n", b"")


def test_an_event_keeps_its_name_and_its_revision_grows_when_its_time_is_moved(client, at, rules):
    dossier = DossierFactory(at=at, proposed=True)
    path = feed_path(holder_actor(dossier.holder), at)
    (before,) = events(client.get(path))
    running = clocks.running(dossier, ClockKind.HOLDER_ANSWER)
    relief = Relief.objects.create(
        kind="extend", extra_days=2, reason="Panne", proposed_by=admin_actor().user, proposed_at=at
    )
    later = at + timedelta(hours=1)
    clocks.close_clock(dossier, ClockKind.HOLDER_ANSWER, at=later, outcome="moot")
    period = workdays.period(running.last_day, 2)
    clocks.open_clock(dossier, ClockKind.HOLDER_ANSWER, at=later, rules=rules, period=period, relief=relief)
    (after,) = events(client.get(path))
    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after.decoded("last-modified") > before.decoded("last-modified")
    assert after.decoded("dtend") > before.decoded("dtend")


def test_a_cancelled_dossier_is_no_longer_there(client, at):
    dossier = DossierFactory(at=at, accepted=True)
    path = feed_path(holder_actor(dossier.holder), at)
    assert len(events(client.get(path))) == 3
    act("withdraw", dossier, at=at)
    assert events(client.get(path)) == []


def test_what_has_not_changed_is_not_sent_again(client, at):
    dossier = DossierFactory(at=at, requested=True)
    path = feed_path(holder_actor(dossier.holder), at)
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_words_with_commas_and_line_ends_come_back_whole(at):
    dossier = DossierFactory(at=at, requested=True)
    dossier.offer.title = "Anglais ; niveau B1, soir\nBEGIN:VEVENT"
    dossier.offer.save()
    found = calendar.entries(holder_actor(dossier.holder), at=at)
    (event,) = Calendar.from_ical(calendar.as_calendar(found, name="x")).walk("VEVENT")
    assert event["summary"].endswith(dossier.offer.title)


@pytest.mark.parametrize("count", [1, 3])
def test_the_feed_takes_the_same_queries_for_one_and_for_three(client, at, count, django_assert_num_queries):
    holder = HolderFactory()
    for _number in range(count):
        DossierFactory(at=at, holder=holder, requested=True, balance_cents=0)
    path = feed_path(holder_actor(holder), at)
    with django_assert_num_queries(4):  # feed and person, their roles (two), dossiers
        assert len(events(client.get(path))) == count


# --- Addresses ---------------------------------------------------------------------------------------


def test_another_address_kills_the_one_before(client, at):
    by = holder_actor(HolderFactory())
    old = feed_path(by, at)
    new = feed_path(by, at)
    assert (client.get(old).status_code, client.get(new).status_code) == (404, 200)
    assert CalendarFeed.objects.count() == 1
    calendar.stop_feed(by=by)
    assert client.get(new).status_code == 404


def test_the_table_alone_opens_nothing_and_an_invented_address_asks_nothing(
    client, at, django_assert_num_queries
):
    feed = calendar.make_feed(by=holder_actor(HolderFactory()), at=at)
    path = urlsplit(calendar.address(feed)).path
    with django_assert_num_queries(0):
        for wrong in (f"{feed.key}", f"{feed.key}.", f"{feed.key}.{'A' * 43}", "x", f"{uuid.uuid4()}.y"):
            assert client.get(f"/agenda/{wrong}.ics").status_code == 404
        assert client.get(path.replace(str(feed.key)[:8], str(uuid.uuid4())[:8])).status_code == 404
    assert client.get(path).status_code == 200


def test_addresses_outlive_a_change_of_the_secret_key(client, at, settings):
    path = feed_path(holder_actor(HolderFactory()), at)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" * 10
    assert client.get(path).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(path).status_code == 404


def test_who_left_the_organisation_or_lost_their_login_reads_nothing_more(client, at):
    dossier = DossierFactory(at=at, requested=True)
    by = provider_actor(dossier.provider)
    path = feed_path(by, at)
    assert len(events(client.get(path))) == 1
    membership = Membership.objects.get(user=by.user)
    membership.delete()
    assert client.get(path).status_code == 404
    MembershipFactory(user=by.user, organisation=by.organisation)
    by.user.is_active = False
    by.user.save()
    assert client.get(path).status_code == 404


def test_each_role_of_a_person_has_its_own_address(client, at):
    dossier = DossierFactory(at=at, requested=True)
    holder = HolderFactory(user=provider_actor(dossier.provider).user)
    as_holder, as_member = holder_actor(holder), provider_actor(dossier.provider)
    paths = [feed_path(as_holder, at), feed_path(as_member, at)]
    assert [len(events(client.get(path))) for path in paths] == [0, 1]


def test_only_holders_and_members_have_an_address(at):
    for by in (Actor(role=Role.HOLDER, user=UserFactory()), admin_actor()):
        with pytest.raises(NotAllowed):
            calendar.make_feed(by=by, at=at)
    assert not CalendarFeed.objects.exists()


def test_an_address_read_without_end_is_told_to_wait(client, at, monkeypatch):
    monkeypatch.setattr(views, "READS_AN_HOUR_MAX", 2)
    path = feed_path(holder_actor(HolderFactory()), at)
    other = feed_path(holder_actor(HolderFactory()), at)
    assert [client.get(path).status_code for _read in range(3)] == [200, 200, 429]
    assert client.get(path)["Retry-After"] == "3600"
    assert client.get(other).status_code == 200


# --- Pages ---------------------------------------------------------------------------------------------


def test_the_page_makes_shows_remakes_and_removes_the_address(client_for, at):
    dossier = DossierFactory(at=at, accepted=True)
    client = client_for(dossier.holder.user)
    page = client.get(reverse("calendar"))
    assert "Créer mon adresse" in page.text
    assert "/agenda/" not in page.text
    assert "Premier jour" in page.text
    client.post(reverse("calendar_make"))
    shown = client.get(reverse("calendar"))
    first = shown.context["address"]
    assert first in shown.text
    assert shown.context["webcal"].startswith("webcal://")
    client.post(reverse("calendar_make"))
    assert client.get(reverse("calendar")).context["address"] != first
    client.post(reverse("calendar_stop"))
    assert "Créer mon adresse" in client.get(reverse("calendar")).text


def test_before_activation_the_page_leads_to_it(client_for):
    page = client_for(UserFactory()).get(reverse("calendar"))
    assert reverse("activation") in page.text


def test_one_date_of_one_dossier_to_keep(client_for, at):
    dossier = DossierFactory(at=at, accepted=True)
    client = client_for(dossier.holder.user)
    for kind in ("starts", "ends", "withdrawal"):
        response = client.get(reverse("dossier_event", args=[dossier.pk, kind]))
        assert f'filename="{dossier.number}-{kind}.ics"' in response["Content-Disposition"]
        assert len(events(response)) == 1
    assert client.get(reverse("dossier_event", args=[dossier.pk, "payment"])).status_code == 404
    other = client_for(HolderFactory().user)
    assert other.get(reverse("dossier_event", args=[dossier.pk, "starts"])).status_code == 404
    page = client.get(reverse("dossier", args=[dossier.pk]))
    assert reverse("dossier_event", args=[dossier.pk, "starts"]) in page.text


def test_the_clock_that_changes_in_march_moves_no_deadline(rules):
    """Midnight in Paris is 23:00 UTC in winter and 22:00 in summer: an event keeps the wall's midnight."""
    for moment, hour in (
        (datetime(2027, 3, 24, 10, tzinfo=UTC), 22),
        (datetime(2027, 1, 13, 10, tzinfo=UTC), 23),
    ):
        dossier = DossierFactory(at=moment, proposed=True)
        mine = listing.with_clock(visible_dossiers(holder_actor(dossier.holder)))
        (entry,) = calendar.of_dossier(calendar.with_revision(mine).get())
        assert entry.too_late.astimezone(UTC).hour == hour
        Dossier.objects.filter(pk=dossier.pk).update(removed_from_list_at=moment)

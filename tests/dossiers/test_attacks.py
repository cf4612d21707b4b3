"""What a hurried, a careless or an ill-meaning person can try on a dossier, and what they get instead."""

import uuid
from datetime import date, datetime, timedelta
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from accounts.actors import SYSTEM
from catalog.models import Offer, Provider, Session
from dossiers import clocks, deadlines, guards, relief, workflow
from dossiers.models import Deadline, Dossier, Evidence, FundingLine, Payment, Relief, Transition
from dossiers.states import CLOCK_OF, ClockKind, State
from dossiers.views import holder as views
from notices.models import Notice
from rights import integrity, ledger
from rights.kinds import PocketKind
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    a_proof,
    act,
    admin_actor,
    bring,
    holder_actor,
    in_business_days,
    propose_as_asked,
    provider_actor,
)
from tests.factories.payments import CardPaymentFactory
from tests.factories.rights import CreditFactory, PurseFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
ASKED = datetime(2026, 11, 20, 16, tzinfo=PARIS)
NUL = "avant\x00après"


@pytest.fixture
def holder_of(client_for):
    return lambda dossier: client_for(dossier.holder.user)


@pytest.fixture
def member_of(client_for):
    return lambda dossier: client_for(provider_actor(dossier.provider).user)


def post(client, name, dossier, **data):
    return client.post(reverse(name, args=[dossier.pk]), {"request_id": uuid.uuid4(), **data})


def a_request(**typed):
    return {
        "project": "Changer de métier.",
        "contact_email": "e@exemple.fr",
        "contact_phone": "",
        "seen_price_cents": 100_000,
        "terms": "on",
    } | typed


def a_proposal(at, **typed):
    start = in_business_days(at, 25)
    return {"price_cents": "900", "starts_on": start, "ends_on": start, "change_reason": "Remise."} | typed


def help_out(kind, *dossiers, at, days=2):
    """A relief, proposed and confirmed; what happened to each dossier."""
    asked = relief.propose(
        kind=kind,
        dossiers=[dossier.pk for dossier in dossiers],
        reason="Panne.",
        extra_days=days,
        by=admin_actor(),
        at=at,
    )
    return relief.confirm(asked.pk, by=admin_actor(), at=at).report


def due(dossier) -> datetime:
    return Deadline.objects.filter(dossier=dossier).latest("id").due_at


# --- In a hurry ------------------------------------------------------------------------------------


def test_the_second_of_two_clicks_that_read_the_draft_before_the_first_was_done_is_the_same_success(
    holder_of, at
):
    dossier = DossierFactory(at=at)
    client, data = holder_of(dossier), a_request(request_id=uuid.uuid4())
    url = reverse("dossier_send", args=[dossier.pk])
    read = views.visible_dossier

    def read_then_overtaken(request, dossier_id):
        found = read(request, dossier_id)
        with patch.object(views, "visible_dossier", read):
            assert client.post(url, data).status_code == 302
        return found

    with patch.object(views, "visible_dossier", read_then_overtaken):
        second = client.post(url, data)
    assert second.status_code == 302
    assert Transition.objects.filter(dossier=dossier).count() == 1


def test_a_draft_thrown_away_by_the_other_click_is_a_page_not_found_never_a_fault(holder_of, at):
    for name, data in (("dossier_discard", {}), ("dossier_send", a_request()), ("dossier_edit", a_request())):
        dossier = DossierFactory(at=at, balance_cents=0)
        client = holder_of(dossier)
        read = views.visible_dossier

        def read_then_discarded(request, dossier_id, read=read):
            found = read(request, dossier_id)
            Dossier.objects.filter(pk=dossier_id).delete()
            return found

        with patch.object(views, "visible_dossier", read_then_discarded):
            answer = post(client, name, dossier, **data)
        assert answer.status_code in (302, 404), name


def test_a_page_left_open_while_the_price_rose_shows_the_new_price_and_asks_to_read_it(holder_of, at):
    dossier = DossierFactory(at=at, price_cents=100_000)
    client = holder_of(dossier)
    url = reverse("dossier", args=[dossier.pk])
    Offer.objects.filter(pk=dossier.offer_id).update(price_cents=120_000)
    stale = post(client, "dossier_send", dossier, **a_request(seen_price_cents=100_000))
    assert stale.status_code == 422
    assert "prix a changé" in stale.text
    # What the page shows is what the next click says to have seen.
    for page in (stale, client.get(url)):
        assert "1\u202f200,00\u00a0€" in page.text
        assert 'name="seen_price_cents" value="120000"' in page.text
    assert post(client, "dossier_send", dossier, **a_request(seen_price_cents=120_000)).status_code == 302


def test_the_price_of_a_draft_is_never_yesterdays(holder_of, at):
    dossier = DossierFactory(at=at, price_cents=100_000)
    Offer.objects.filter(pk=dossier.offer_id).update(price_cents=120_000)
    page = holder_of(dossier).get(reverse("dossier", args=[dossier.pk]))
    screen = page.context["screen"]
    assert screen.price_cents == 120_000
    assert sum(amount for _label, amount, _note in screen.money) == 120_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", NUL),
        ("contact_email", "a\x00@exemple.fr"),
        ("contact_phone", "0612345678\x00"),
        ("contact_email", f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.fr"),
        ("project", "é" * 2001),
    ],
)
def test_what_the_database_would_refuse_is_told_beside_its_field(holder_of, at, field, value):
    dossier = DossierFactory(at=at)
    for name in ("dossier_edit", "dossier_send"):
        answer = post(holder_of(dossier), name, dossier, **a_request(**{field: value}))
        assert answer.status_code == 422
        assert f'href="#id_{field}"' in answer.text


def test_emoji_other_scripts_and_two_thousand_signs_with_line_ends_are_kept(holder_of, at):
    dossier = DossierFactory(at=at)
    # A browser sends two signs for each line end and counts one.
    typed = "🎓 مرحبا 漢字\r\n" + "é" * (2000 - 12)
    answer = post(holder_of(dossier), "dossier_edit", dossier, **a_request(project=typed))
    assert answer.status_code == 302
    dossier.refresh_from_db()
    assert dossier.project.startswith("🎓 مرحبا 漢字")


@pytest.mark.parametrize("name", ["dossier_decline", "dossier_cancel", "dossier_withdraw"])
@pytest.mark.parametrize("reason", [NUL, "x" * 1001])
def test_a_reason_that_cannot_be_kept_is_refused_in_a_sentence(holder_of, at, name, reason):
    trait = {"dossier_decline": "proposed", "dossier_cancel": "requested", "dossier_withdraw": "accepted"}
    dossier = DossierFactory(at=at, **{trait[name]: True})
    before = dossier.state
    answer = post(holder_of(dossier), name, dossier, reason=reason)
    assert answer.status_code == 422
    dossier.refresh_from_db()
    assert dossier.state == before


@pytest.mark.parametrize(
    "change",
    [
        {"change_reason": NUL},
        {"price_cents": "9" * 40},
        {"price_cents": "-5"},
        {"price_cents": "NaN"},
        {"price_cents": "Infinity"},
        {"price_cents": "1e5"},
        {"price_cents": NUL},
        {"starts_on": "0001-01-01"},
        {"starts_on": "99999-01-01"},
        {"ends_on": NUL},
    ],
)
def test_a_proposal_nobody_could_mean_is_refused_in_a_sentence(member_of, at, change):
    dossier = DossierFactory(at=at, requested=True)
    answer = post(member_of(dossier), "provider_propose", dossier, **a_proposal(at, **change))
    assert answer.status_code == 422
    dossier.refresh_from_db()
    assert dossier.state == State.REQUESTED


def test_a_training_dated_by_a_slip_of_the_finger_is_questioned(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    typed = a_proposal(at, starts_on="9999-12-31", ends_on="9999-12-31")
    answer = post(member_of(dossier), "provider_propose", dossier, **typed)
    assert answer.status_code == 422
    assert 'href="#id_starts_on"' in answer.text


def test_a_wish_for_another_century_is_questioned(holder_of, at):
    dossier = DossierFactory(at=at, session=SessionFactory(permanent=True))
    typed = a_request(wished_start="9999-12-31", seen_price_cents=dossier.offer.price_cents)
    answer = post(holder_of(dossier), "dossier_send", dossier, **typed)
    assert answer.status_code == 422
    assert 'href="#id_wished_start"' in answer.text


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "pas-un-uuid",
        "\x00",
        "0" * 5000,
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_a_forged_request_name_is_asked_to_reload(holder_of, at, request_id):
    dossier = DossierFactory(at=at, requested=True)
    answer = post(holder_of(dossier), "dossier_cancel", dossier, request_id=request_id)
    assert answer.status_code == 422
    assert "Rechargez-la" in answer.text


# --- An organisation with many dossiers ----------------------------------------------------------------


@pytest.fixture
def busy(at):
    """One organisation, four requests: the names and titles hold what a search could mistake."""
    offer = OfferFactory(title="Conduite 100% a_b\\c", sessions=0)
    session = SessionFactory(offer=offer)
    names = ["Lefèvre", "D’Artagnan", "O_Brien", "100%"]
    return [
        DossierFactory(
            at=at,
            session=session,
            balance_cents=0,
            holder=HolderFactory(birth_name=name, first_names="Chloé, Inès"),
            requested=True,
        )
        for name in names
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("%", 4),
        ("_", 4),
        ("\\", 4),
        ("100%", 4),
        ("O_B", 1),
        ("zzz%", 0),
        ("' OR 1=1 --", 0),
        ("  lefèvre ", 1),
        ("LEFEVRE", 1),
        ("Chloé Lefèvre", 1),
        ("lefevre chloe", 1),
        ("d'artagnan", 1),
    ],
)
def test_a_search_takes_every_sign_at_its_word_and_finds_a_person_as_the_list_shows_them(
    member_of, busy, query, found
):
    page = member_of(busy[0]).get(reverse("provider_inbox"), {"q": query})
    assert page.status_code == 200
    assert page.context["page"].paginator.count == found


def test_a_number_is_found_as_it_is_dictated(member_of, busy):
    number = busy[2].number
    spaced = " ".join((number[:3], number[3:6], number[6:]))
    for query in (number, number[:6], spaced):
        page = member_of(busy[0]).get(reverse("provider_inbox"), {"q": query})
        assert busy[2].pk in [row.pk for row, *_ in page.context["rows"]]


@pytest.mark.parametrize(
    "query",
    [
        {"q": NUL},
        {"q": "x" * 101},
        {"state": "invente"},
        {"state": "\x00"},
        {"page": "0"},
        {"page": "-1"},
        {"page": "1e3"},
        {"page": "9" * 5000},
        {"page": "\x00"},
    ],
)
def test_a_list_answers_whatever_its_address_says(holder_of, member_of, busy, query):
    assert member_of(busy[0]).get(reverse("provider_inbox"), query).status_code == 200
    assert holder_of(busy[0]).get(reverse("dossiers"), query).status_code == 200


# --- Somebody else's requests, forged fields, roles ------------------------------------------------------


def test_the_request_name_of_somebody_else_makes_no_dossier_and_no_fault(client_for, at):
    session = SessionFactory()
    theirs = workflow.create(session.pk, by=holder_actor(HolderFactory()), at=at, request_id=uuid.uuid4())
    thief = client_for(HolderFactory().user)
    url = reverse("dossier_create", args=[session.pk])
    answer = thief.post(url, {"request_id": theirs.creation_request_id})
    assert answer.status_code == 422
    assert "Rechargez" in answer.text
    assert list(Dossier.objects.all()) == [theirs]


def test_a_number_that_is_taken_is_no_fault(at):
    taken = DossierFactory(at=at)
    by, session = holder_actor(taken.holder), taken.session
    with patch.object(workflow, "new_number", return_value=taken.number), pytest.raises(Refused):
        workflow.create(session.pk, by=by, at=at, request_id=uuid.uuid4())
    assert workflow.create(session.pk, by=by, at=at, request_id=uuid.uuid4()).pk != taken.pk


def test_one_request_name_does_one_thing_on_each_dossier(at):
    holder = HolderFactory()
    request_id = uuid.uuid4()
    first, second = (DossierFactory(at=at, holder=holder, balance_cents=0) for _number in range(2))
    for dossier in (first, second):
        assert act("submit", dossier, at=at, request_id=request_id).state == State.REQUESTED
    with pytest.raises(Refused, match="plus à jour"):
        act("cancel", first, at=at, request_id=request_id)


def test_nobody_can_take_the_name_under_which_the_clock_will_settle(holder_of, at):
    """Such a dossier would never lapse: what is reserved would stay so for ever."""
    dossier = DossierFactory(at=at)
    last = Deadline.objects.order_by("-id").first()
    foreseen = uuid5(NAMESPACE_URL, f"deadline:{(last.pk if last else 0) + 1}")
    answer = post(holder_of(dossier), "dossier_send", dossier, **a_request(request_id=foreseen))
    assert answer.status_code == 422


@pytest.mark.parametrize("seen", ["", "0" * 64, "é" * 5000, "\x00"])
def test_a_forged_plan_reserves_nothing(holder_of, at, seen):
    dossier = DossierFactory(at=at, proposed=True)
    assert post(holder_of(dossier), "dossier_accept", dossier, seen_plan=seen).status_code == 422
    assert not FundingLine.objects.exists()


@pytest.mark.parametrize("seen", ["", "-1", "1e5", "9" * 5000])
def test_a_forged_price_sends_nothing(holder_of, at, seen):
    dossier = DossierFactory(at=at)
    answer = post(holder_of(dossier), "dossier_send", dossier, **a_request(seen_price_cents=seen))
    assert answer.status_code == 422
    dossier.refresh_from_db()
    assert dossier.state == State.DRAFT


def test_fields_that_the_page_does_not_offer_change_nothing(holder_of, at):
    dossier = DossierFactory(at=at)
    forged = {
        "state": "accepted",
        "asked_price_cents": 1,
        "price_cents": 1,
        "holder": "x",
        "wished_start": "2030-01-01",
    }
    assert post(holder_of(dossier), "dossier_edit", dossier, **a_request(), **forged).status_code == 302
    after = Dossier.objects.get()
    assert (after.state, after.asked_price_cents, after.price_cents) == (State.DRAFT, 100_000, None)
    assert after.wished_start is None


def test_a_page_opened_as_holder_does_nothing_once_its_person_acts_as_an_organisation(client_for, at):
    dossier = DossierFactory(at=at, proposed=True)
    user = dossier.holder.user
    MembershipFactory(user=user, organisation=dossier.provider.organisation)
    client = client_for(user)
    seen = client.get(reverse("dossier", args=[dossier.pk])).context["screen"].fingerprint
    client.post(reverse("switch_role"), {"role": f"provider:{dossier.provider_id}"})
    assert post(client, "dossier_accept", dossier, seen_plan=seen).status_code == 403
    dossier.refresh_from_db()
    assert dossier.state == State.PROPOSED


def test_a_person_who_lost_their_access_is_asked_to_sign_in(client_for, at):
    dossier = DossierFactory(at=at, requested=True)
    client, user = client_for(dossier.holder.user), dossier.holder.user
    user.is_active = False
    user.save()
    answer = post(client, "dossier_cancel", dossier)
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


def test_a_suspended_organisation_proposes_nothing_and_can_still_let_people_go(member_of, at):
    asked = DossierFactory(at=at, requested=True)
    confirmed = DossierFactory(at=at, accepted=True)
    Provider.objects.update(state=Provider.State.SUSPENDED)
    assert post(member_of(asked), "provider_propose", asked, **a_proposal(at)).status_code == 422
    refusal = {"refusal_form-motive": "session_called_off"}
    assert post(member_of(asked), "provider_refuse", asked, **refusal).status_code == 302
    leaving = {"call_off_form-reason": "Fermé."}
    assert post(member_of(confirmed), "provider_call_off", confirmed, **leaving).status_code == 302
    assert integrity.check() == []


def test_a_form_from_another_site_is_refused(at):
    dossier = DossierFactory(at=at, requested=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(dossier.holder.user)
    assert post(client, "dossier_cancel", dossier).status_code == 403


@pytest.mark.parametrize(
    ("name", "trait", "who"),
    [("dossier_claim", "accepted", holder_actor), ("provider_completion", "ended", provider_actor)],
)
def test_a_form_with_files_from_another_site_is_refused_too(at, name, trait, who):
    """Their files are judged before the token is looked for: it is looked for all the same."""
    dossier = DossierFactory(at=at, **{trait: True})
    before = dossier.state
    client = Client(enforce_csrf_checks=True)
    client.force_login(who(dossier.holder if who is holder_actor else dossier.provider).user)
    assert post(client, name, dossier, words="Volé.", evidence=a_proof()).status_code == 403
    dossier.refresh_from_db()
    assert dossier.state == before
    assert not Evidence.objects.exists()


def test_a_payment_is_reached_by_its_own_dossier_only(holder_of, at):
    """Not even from another dossier of the same person."""
    dossier = DossierFactory(at=at, awaiting_payment=True)
    other = DossierFactory(at=at, awaiting_payment=True, holder=dossier.holder)
    payment = CardPaymentFactory(dossier_id=other.pk, state="processing", service_id="pi_1", began_at=at)
    client = holder_of(dossier)
    for name in ("dossier_payment_look", "dossier_payment_abandon"):
        assert client.post(reverse(name, args=[dossier.pk, payment.pk])).status_code == 404
    payment.refresh_from_db()
    assert payment.state == "processing"


def test_the_dates_of_somebody_elses_postponement_are_not_agreed_to(holder_of, at):
    mine, theirs = (DossierFactory(at=at, postponed=True) for _each in range(2))
    seen = theirs.postponements.get().pk
    assert post(holder_of(mine), "dossier_agree", mine, seen_postponement=seen).status_code == 422
    for dossier in (mine, theirs):
        dossier.refresh_from_db()
        assert dossier.state == State.POSTPONED


@pytest.mark.parametrize(
    "next_page",
    [
        "https://ailleurs.exemple/",
        "//ailleurs.exemple/demandes",
        "javascript:alert(1)",
        "\\\\ailleurs.exemple",
        "",
    ],
)
def test_the_switch_of_density_leads_nowhere_else(member_of, at, next_page):
    client = member_of(DossierFactory(at=at, requested=True))
    answer = client.post(reverse("provider_density"), {"density": "compact", "next": next_page})
    assert (answer.status_code, answer.url) == (302, reverse("provider_inbox"))


# What a holder owns, and how they live, in words that nothing else on these pages says.
SECRET_FUNDER, SECRET_REASON = "Région très discrète", "Hospitalisation"
# Nothing was reserved, or it is not shown any more: there is no line of money to leak.
WITHOUT_MONEY = frozenset(
    {
        State.REFUSED_BY_PROVIDER,
        State.REFUSED_BY_HOLDER,
        State.CANCELLED_BY_HOLDER,
        State.CANCELLED_BY_PROVIDER,
        State.LAPSED,
        State.CLOSED_BY_PLATFORM,
    }
)


@pytest.mark.parametrize("state", [state for state in State if state != State.DRAFT])
def test_in_no_state_does_an_organisation_read_who_pays_or_why_somebody_was_away(state, client_for, at):
    holder = HolderFactory()
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, label=SECRET_FUNDER, amount=50_00, at=at)
    dossier = bring(DossierFactory(at=at, holder=holder), state, at=at)
    own = client_for(holder.user).get(reverse("dossier", args=[dossier.pk])).text
    assert (SECRET_FUNDER in own) is (state not in WITHOUT_MONEY)
    assert (SECRET_REASON in own) is (state == State.CLAIMED)
    member = client_for(provider_actor(dossier.provider).user)
    address = reverse("provider_dossier", args=[dossier.pk])
    read = [
        member.get(address).text,
        member.get(address, headers={"HX-Request": "true", "HX-Target": "panneau"}).text,
        member.get(reverse("provider_messages", args=[dossier.pk])).text,
        member.get(reverse("provider_inbox"), {"view": "toutes"}).text,
        member.get(reverse("provider_inbox_file"), {"view": "toutes"}).getvalue().decode(),
        member.get(reverse("notices")).text,
    ]
    assert all(holder.display_name in text for text in read[:-1])
    for text in read:
        assert SECRET_FUNDER not in text
        assert SECRET_REASON not in text
        assert "certificat.pdf" not in text


@pytest.mark.parametrize("state", list(State))
def test_in_no_state_is_a_dossier_there_for_a_stranger(state, client_for, at):
    dossier = bring(DossierFactory(at=at), state, at=at)
    strangers = {
        "dossier": client_for(HolderFactory().user),
        "provider_dossier": client_for(MembershipFactory().user),
    }
    for name, stranger in strangers.items():
        unknown = stranger.get(reverse(name, args=[uuid.uuid4()]))
        found = stranger.get(reverse(name, args=[dossier.pk]))
        # Said in the same words as what never existed.
        assert (found.status_code, unknown.status_code) == (404, 404)
        assert dossier.number not in found.text
        assert dossier.offer.title not in found.text


def test_drafts_are_not_made_by_the_hundred(at):
    holder, session = HolderFactory(), SessionFactory()
    by = holder_actor(holder)
    for _number in range(guards.DRAFTS_MAX):
        last = workflow.create(session.pk, by=by, at=at, request_id=uuid.uuid4())
    with pytest.raises(Refused, match="brouillons"):
        workflow.create(session.pk, by=by, at=at, request_id=uuid.uuid4())
    workflow.discard(last.pk, by=by)
    assert workflow.create(session.pk, by=by, at=at, request_id=uuid.uuid4()).state == State.DRAFT


def test_what_a_holder_owns_is_not_told_to_the_organisation_by_a_notice(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    notices = Notice.objects.filter(event_key__startswith="accept:")
    told = {notice.facts["reader"]: notice.facts["to_pay"] for notice in notices}
    assert told == {"holder": "900,00\u00a0€", "provider": ""}
    assert dossier.holder.user.email in {notice.email for notice in notices}


# --- Time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # The night of the 25th lasts an hour more, that of 28 March an hour less.
        (datetime(2026, 10, 23, 12, tzinfo=PARIS), datetime(2026, 10, 28, tzinfo=PARIS)),
        (datetime(2027, 3, 25, 12, tzinfo=PARIS), datetime(2027, 3, 31, tzinfo=PARIS)),
    ],
)
def test_a_clock_that_crosses_a_change_of_hour_still_ends_at_midnight_in_paris(asked, expected):
    dossier = DossierFactory(at=asked, requested=True)
    assert due(dossier) == expected
    assert due(dossier).astimezone(PARIS).hour == 0
    with pytest.raises(Refused, match="dépassé"):
        propose_as_asked(dossier, at=expected)
    assert propose_as_asked(dossier, at=expected - timedelta(microseconds=1)).state == State.PROPOSED


def test_a_proposal_kept_alive_by_a_relief_is_not_accepted_once_the_training_has_begun():
    dossier = DossierFactory(at=ASKED, requested=True)
    start = in_business_days(ASKED, 11)
    propose_as_asked(dossier, at=ASKED, starts_on=start, ends_on=start, change_reason="Plus tôt.")
    at = ASKED + timedelta(days=1)
    assert help_out(Relief.Kind.EXTEND, dossier, at=at, days=20) == {str(dossier.pk): relief.DONE}
    midnight = datetime.combine(start, datetime.min.time(), PARIS)
    assert due(dossier) == midnight
    with pytest.raises(Refused):
        act("accept", dossier, at=midnight)


def test_a_payment_kept_alive_by_a_relief_confirms_nothing_once_the_training_has_begun():
    dossier = DossierFactory(at=ASKED, requested=True, balance_cents=10_000)
    start = in_business_days(ASKED, 11)
    propose_as_asked(dossier, at=ASKED, starts_on=start, ends_on=start, change_reason="Plus tôt.")
    act("accept", dossier, at=ASKED)
    assert help_out(Relief.Kind.EXTEND, dossier, at=ASKED, days=20) == {str(dossier.pk): relief.DONE}
    midnight = datetime.combine(start, datetime.min.time(), PARIS)
    assert due(dossier) == midnight
    with pytest.raises(Refused):
        act("confirm_payment", dossier, at=midnight, reference="VIR-1", amount_cents=90_000)
    last = act(
        "confirm_payment",
        dossier,
        at=midnight - timedelta(microseconds=1),
        reference="VIR-1",
        amount_cents=90_000,
    )
    assert last.free_until == midnight


@pytest.mark.parametrize("verb", ["accept", "confirm_payment"])
def test_the_verb_itself_refuses_a_training_that_has_begun_whatever_the_clock_says(verb):
    trait = {"accept": "proposed", "confirm_payment": "awaiting_payment"}[verb]
    dossier = DossierFactory(at=ASKED, **{trait: True})
    at = datetime.combine(dossier.starts_on, datetime.min.time(), PARIS)
    Deadline.objects.filter(dossier=dossier).update(due_at=at + timedelta(days=9))
    paid = {"reference": "VIR-1", "amount_cents": 90_000} if verb == "confirm_payment" else {}
    with pytest.raises(Refused, match="a commencé"):
        act(verb, dossier, at=at, **paid)


@pytest.mark.parametrize("trait", ["proposed", "awaiting_payment"])
def test_a_dossier_reinstated_on_the_eve_has_until_midnight(trait):
    dossier = bring(DossierFactory(at=ASKED, **{trait: True}), State.LAPSED, at=ASKED)
    eve = datetime.combine(dossier.starts_on - timedelta(days=1), datetime.min.time(), PARIS)
    assert help_out(Relief.Kind.REINSTATE, dossier, at=eve) == {str(dossier.pk): relief.DONE}
    assert due(dossier) == eve + timedelta(days=1)


def test_an_extension_that_would_give_nothing_is_refused_and_nobody_is_told():
    dossier = DossierFactory(at=ASKED, accepted=True)
    at = dossier.free_until - timedelta(hours=1)
    assert help_out(Relief.Kind.EXTEND, dossier, at=at, days=20) == {str(dossier.pk): relief.DONE}
    told = Notice.objects.filter(kind="relief_extended").count()
    at = due(dossier) - timedelta(hours=1)
    again = help_out(Relief.Kind.EXTEND, dossier, at=at, days=20)
    assert "ne peut pas aller plus loin" in again[str(dossier.pk)]
    assert Notice.objects.filter(kind="relief_extended").count() == told
    assert clocks.running(dossier, ClockKind.WITHDRAWAL) is not None


def test_a_relief_that_came_first_is_not_undone_by_the_broom_and_the_other_way_round():
    saved = DossierFactory(at=ASKED, requested=True)
    late = due(saved)
    lot = next(deadlines._overdue(at=late, limit=10))  # the broom has read the clock…
    assert help_out(Relief.Kind.EXTEND, saved, at=late) == {str(saved.pk): relief.DONE}
    report = deadlines.Report()
    deadlines._settle_lot(ClockKind.PROVIDER_ANSWER, lot, report, at=late)
    assert report == deadlines.Report()
    saved.refresh_from_db()
    assert saved.state == State.REQUESTED
    lapsed = bring(DossierFactory(at=ASKED, requested=True), State.LAPSED, at=ASKED)
    report = help_out(Relief.Kind.EXTEND, lapsed, at=late)
    assert "Aucun délai ne court" in report[str(lapsed.pk)]


def test_a_clock_whose_money_is_not_where_it_should_be_never_blocks_the_others(caplog):
    broken = DossierFactory(at=ASKED, awaiting_payment=True)
    reserved = FundingLine.objects.get(dossier=broken, kind="purse").reserved_id
    with transaction.atomic():
        ledger.release(reserved=[reserved], key="by hand", at=ASKED, by=SYSTEM, reason="Une erreur.")
    fine = DossierFactory(at=ASKED + timedelta(minutes=1), awaiting_payment=True)
    report = deadlines.settle_overdue(at=due(fine))
    assert (report.settled, len(report.set_aside)) == (1, 1)
    fine.refresh_from_db()
    assert fine.state == State.LAPSED
    assert "set aside" in caplog.text


def test_a_reminder_that_cannot_be_written_never_keeps_the_others_back(caplog):
    broken, fine = (DossierFactory(at=ASKED, requested=True) for _number in range(2))
    remind = deadlines.announcements.remind

    def fails_on_one(dossier, clock, *, at):
        if dossier.pk == broken.pk:
            raise ValueError("no such notice")
        remind(dossier, clock, at=at)

    Notice.objects.all().delete()
    at = max(Deadline.objects.values_list("next_reminder_at", flat=True))
    with patch.object(deadlines.announcements, "remind", fails_on_one):
        report = deadlines.send_reminders(at=at)
    assert (report.settled, len(report.set_aside)) == (1, 1)
    assert {notice.facts["dossier_number"] for notice in Notice.objects.all()} == {fine.number}


def test_an_overdue_request_stays_without_follow_up_when_its_certification_ends_too():
    dossier = DossierFactory(at=ASKED, requested=True)
    late = due(dossier)
    certification = dossier.offer.certification
    certification.registered_until = workdays.paris_day(late) - timedelta(days=1)
    certification.save()
    deadlines.close_ended_certifications(at=late)
    deadlines.settle_overdue(at=late)
    dossier.refresh_from_db()
    assert (dossier.state, dossier.silent_party) == (State.LAPSED, "provider")


def test_a_session_moved_after_the_request_does_not_spare_the_organisation_its_explanation(at):
    dossier = DossierFactory(at=at, requested=True)
    later = in_business_days(at, 60)
    Session.objects.filter(pk=dossier.session_id).update(starts_on=later, ends_on=later)
    with pytest.raises(Refused) as refusal:
        propose_as_asked(Dossier.objects.get(pk=dossier.pk), at=at)
    assert refusal.value.field == "change_reason"


# --- Money --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "balance", "rights", "remainder"),
    [
        (1, 0, 0, 1),
        (1, 500, 0, 1),
        (10_320, 50_000, 0, 10_320),
        (10_321, 50_000, 1, 10_320),
        (100_000, 100_000, 89_680, 10_320),
        (100_000, 89_679, 89_679, 10_321),
    ],
)
def test_the_edges_of_the_participation_add_up_and_come_back_to_the_cent(price, balance, rights, remainder):
    at = datetime(2026, 5, 4, 9, tzinfo=PARIS)
    dossier = DossierFactory(at=at, price_cents=price, balance_cents=balance, is_exempt=False, proposed=True)
    act("accept", dossier, at=at)
    lines = FundingLine.objects.filter(dossier=dossier)
    assert sum(line.amount_cents for line in lines if line.kind == "purse") == rights
    assert workflow.remainder_line(dossier).amount_cents == remainder
    act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=remainder)
    act("withdraw", dossier, at=at)
    assert sum(purse.balance for purse in ledger.purses(dossier.holder, at=at)) == balance
    assert integrity.check() == []


def test_a_dotation_that_expires_before_the_payment_goes_back_where_it_came_from_and_is_no_longer_usable():
    holder = HolderFactory(status="job_seeker")
    last_day = date(2026, 11, 23)
    CreditFactory(
        holder=holder, kind=PocketKind.DOTATION, label="Région", amount=40_000, expires_on=last_day, at=ASKED
    )
    dossier = DossierFactory(at=ASKED, holder=holder, balance_cents=10_000, awaiting_payment=True)
    assert workflow.remainder_line(dossier).amount_cents == 50_000
    after = ASKED + timedelta(days=4)
    act("cancel", dossier, at=after)
    # It has come back, and its last day is past: only the rest can be used.
    assert [purse.kind for purse in ledger.purses(holder, at=after)] == [PocketKind.ANNUAL]
    assert integrity.check() == []


def test_a_dotation_that_expired_after_the_page_was_shown_is_not_spent_unseen(holder_of):
    dossier = DossierFactory(at=ASKED, proposed=True)
    seen = workflow.plan_for(dossier, at=ASKED, rules=deadlines.rulebook.on(ASKED.date())).fingerprint
    CreditFactory(holder=dossier.holder, kind=PocketKind.DOTATION, label="Région", amount=1, at=ASKED)
    with pytest.raises(Refused, match="Relisez"):
        act("accept", dossier, at=ASKED, seen_plan=seen)


def test_a_reinstatement_whose_dotation_has_expired_is_told_and_does_not_stop_the_others():
    holder = HolderFactory()
    CreditFactory(
        holder=holder,
        kind=PocketKind.DOTATION,
        label="Région",
        amount=40_000,
        expires_on=date(2026, 11, 27),
        at=ASKED,
    )
    expired = DossierFactory(at=ASKED, holder=holder, balance_cents=0, is_exempt=False, proposed=True)
    expired = bring(act("accept", expired, at=ASKED), State.LAPSED, at=ASKED)
    fine = bring(DossierFactory(at=ASKED, requested=True), State.LAPSED, at=ASKED)
    report = help_out(Relief.Kind.REINSTATE, expired, fine, at=datetime(2026, 12, 2, 9, tzinfo=PARIS))
    assert report[str(fine.pk)] == relief.DONE
    assert report[str(expired.pk)] not in ("", relief.DONE)


def test_one_seat_is_not_paid_twice_from_two_tabs(at):
    first = DossierFactory(at=at, proposed=True)
    second = DossierFactory(at=at, holder=first.holder, session=first.session, proposed=True)
    act("accept", first, at=at)
    with pytest.raises(Refused, match=f"déjà inscrit à cette session par le dossier {first.number}"):
        act("accept", second, at=at)
    act("withdraw", first, at=at)
    assert act("accept", second, at=at).state == State.ACCEPTED


def test_a_permanent_session_may_be_taken_again_at_another_date(at):
    session = SessionFactory(permanent=True)
    first = DossierFactory(at=at, session=session, proposed=True)
    act("accept", first, at=at)
    second = DossierFactory(at=at, holder=first.holder, session=session, requested=True)
    later = in_business_days(at, 60)
    propose_as_asked(second, at=at, starts_on=later, ends_on=later, change_reason="Plus tard.")
    assert act("accept", second, at=at).state == State.ACCEPTED


def test_a_dossier_does_not_come_back_to_a_seat_that_its_holder_has_since_taken(at):
    lapsed = bring(DossierFactory(at=ASKED, awaiting_payment=True), State.LAPSED, at=ASKED)
    other = DossierFactory(
        at=ASKED,
        holder=lapsed.holder,
        session=lapsed.session,
        balance_cents=0,
        is_exempt=False,
        proposed=True,
    )
    act("accept", other, at=ASKED)
    report = help_out(Relief.Kind.REINSTATE, lapsed, at=datetime(2026, 11, 30, 9, tzinfo=PARIS))
    assert "déjà inscrit" in report[str(lapsed.pk)]


def test_a_reserved_credit_is_not_taken_back_under_the_feet_of_its_dossier(at):
    dossier = DossierFactory(at=at, balance_cents=0, proposed=True)
    credit = CreditFactory(holder=dossier.holder, amount=100_000, at=at)
    act("accept", dossier, at=at)
    with pytest.raises(ledger.NotEnough), transaction.atomic():
        ledger.reverse(movement=credit, key="reverse", at=at, by=SYSTEM, reason="Erreur.")


def test_the_same_reference_with_another_amount_is_another_payment(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    paid = {"reference": "VIR-1"}
    act("confirm_payment", dossier, at=at, amount_cents=90_000, **paid)
    with pytest.raises(Refused):
        act("confirm_payment", dossier, at=at, amount_cents=80_000, **paid)


def test_a_refused_reference_never_becomes_a_payment_and_a_payment_never_a_refusal(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    act("refuse_payment", dossier, at=at, reference="VIR-1", reason="Compte clos.")
    with pytest.raises(Refused, match="déjà servi"):
        act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=90_000)
    act("confirm_payment", dossier, at=at, reference="VIR-2", amount_cents=90_000)
    with pytest.raises(Refused):
        act("refuse_payment", dossier, at=at, reference="VIR-2", reason="Trop tard.")
    assert Payment.objects.count() == 2


def test_a_payment_that_arrives_after_everything_was_given_back_confirms_nothing(at):
    for leave in ("cancel", "lapse"):
        dossier = DossierFactory(at=at, awaiting_payment=True)
        if leave == "lapse":
            bring(dossier, State.LAPSED, at=at)
        else:
            act("cancel", dossier, at=at)
        with pytest.raises(Refused):
            act("confirm_payment", dossier, at=at, reference=f"VIR-{leave}", amount_cents=90_000)
    assert not Payment.objects.exists()
    assert integrity.check() == []


# --- The administration ---------------------------------------------------------------------------------


def a_clerk(*codenames):
    """Someone of the administration with these permissions only."""
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def test_who_may_only_look_at_reliefs_confirms_none(client_for, at):
    dossier = DossierFactory(at=at, requested=True)
    asked = relief.propose(
        kind=Relief.Kind.EXTEND, dossiers=[dossier.pk], reason="Panne.", extra_days=2, by=admin_actor(), at=at
    )
    url, data = (
        reverse("admin:dossiers_relief_changelist"),
        {"action": "confirm", "_selected_action": [asked.pk]},
    )
    client_for(a_clerk("view_relief")).post(url, data)
    asked.refresh_from_db()
    assert asked.confirmed_at is None
    client_for(a_clerk("change_relief")).post(url, data)
    asked.refresh_from_db()
    assert asked.confirmed_at is not None


def test_who_may_only_look_at_dossiers_neither_pays_nor_gives_time(client_for, at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    client = client_for(a_clerk("view_dossier", "add_relief"))
    payment = reverse("admin:dossiers_dossier_payment", args=[dossier.pk])
    data = {"outcome": "confirmed", "reference": "VIR-1", "amount": "900", "request_id": uuid.uuid4()}
    assert client.post(payment, data).status_code == 403
    form = {"kind": "extend", "extra_days": 2, "reason": "Panne.", "dossiers": [str(dossier.pk)]}
    assert client.post(reverse("admin:dossiers_dossier_relief"), form).status_code == 403
    listed = {"action": "propose_relief", "_selected_action": [str(dossier.pk)]}
    asking = client.post(reverse("admin:dossiers_dossier_changelist"), listed, follow=True)
    assert "extra_days" not in asking.text


def test_the_page_of_a_dossier_in_the_administration_saves_nothing(client_for, at):
    """Saving a whole row read a moment ago would undo what a verb has just written."""
    dossier = DossierFactory(at=at, accepted=True)
    client = client_for(admin_actor().user)
    url = reverse("admin:dossiers_dossier_change", args=[dossier.pk])
    page = client.get(url)
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert client.post(url, {"price_cents": 1}).status_code == 403


def test_a_transfer_can_be_recorded_from_the_page_of_a_dossier_that_waits_for_it(client_for, at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    page = client_for(admin_actor().user).get(reverse("admin:dossiers_dossier_change", args=[dossier.pk]))
    assert reverse("admin:dossiers_dossier_payment", args=[dossier.pk]) in page.text


@pytest.mark.parametrize("name", ["dossier", "transition", "deadline", "fundingline", "payment", "relief"])
def test_the_searches_of_the_administration_take_any_sign(client_for, at, name):
    DossierFactory(at=at, awaiting_payment=True)
    client = client_for(admin_actor().user)
    for query in ("%", "\\", "'", NUL, "🎓"):
        assert client.get(reverse(f"admin:dossiers_{name}_changelist"), {"q": query}).status_code == 200


@pytest.mark.parametrize("reference", [NUL, "x" * 101, " "])
def test_a_bank_reference_that_cannot_be_kept_is_told_beside_its_field(client_for, at, reference):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    data = {"outcome": "confirmed", "reference": reference, "amount": "900", "request_id": uuid.uuid4()}
    url = reverse("admin:dossiers_dossier_payment", args=[dossier.pk])
    assert client_for(admin_actor().user).post(url, data).status_code == 422


def test_nothing_that_has_a_history_can_be_deleted(at):
    dossier = DossierFactory(at=at, accepted=True)
    member = provider_actor(dossier.provider).user
    things = [
        dossier,
        dossier.holder,
        dossier.holder.user,
        dossier.provider,
        dossier.provider.organisation,
        dossier.offer,
        dossier.session,
        dossier.offer.certification,
        member,
    ]
    for thing in things:
        with pytest.raises(ProtectedError), transaction.atomic():
            thing.delete()


def test_each_state_that_waits_is_settled_or_kept_never_stuck():
    """Whatever waits has a clock, so that the broom finds it."""
    for trait in ("requested", "proposed", "awaiting_payment", "accepted"):
        dossier = DossierFactory(at=ASKED, **{trait: True})
        assert clocks.running(dossier, CLOCK_OF[State(dossier.state)]) is not None
    report = deadlines.settle_overdue(at=ASKED + timedelta(days=400))
    # After the free period of the last one comes the entry that nobody declared.
    assert (report.settled, report.set_aside) == (5, {})


def test_sending_and_cancelling_in_a_loop_does_not_flood_an_organisation(at, monkeypatch):
    monkeypatch.setattr(guards, "SENDS_A_DAY_MAX", 2)
    holder = HolderFactory(status="job_seeker")
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    for _number in range(2):
        act("cancel", DossierFactory(at=at, holder=holder, session=session, requested=True), at=at)
    third = DossierFactory(at=at, holder=holder, session=session)
    with pytest.raises(Refused, match="reprendre demain"):
        act("submit", third, at=at)
    assert act("submit", third, at=at + timedelta(days=1)).state == State.REQUESTED

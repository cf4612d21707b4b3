"""A confirmed session that cannot be held: other dates are proposed, their holder agrees or leaves free."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

import rulebook
from accounts import freezing
from accounts.actors import Role
from accounts.permissions import NotAllowed
from catalog.models import Session
from dossiers import calendar, clocks, deadlines, inbox, listing, outlook, postponement, relief, screen
from dossiers.models import Deadline, Dossier, Postponement, Refund, Relief, Transition
from dossiers.states import MOVES, ClockKind, State
from notices.kinds import Kind
from notices.models import Notice
from rights import integrity, ledger
from rulebook import workdays
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    act,
    admin_actor,
    holder_actor,
    in_business_days,
    meant,
    noon,
    provider_actor,
    put_off,
    the_day_after,
)
from tests.factories.rights import CreditFactory
from tests.factories.rulebook import decree
from ui.refusals import Refused, StalePage

pytestmark = pytest.mark.django_db
PRICE = 100_000


def refused_by(name):
    return pytest.raises(DatabaseError, match=name)


def owned(dossier, *, at) -> int:
    return sum(purse.balance for purse in ledger.purses(dossier.holder, at=at))


def again(dossier) -> Dossier:
    return Dossier.objects.select_related("holder__user", "provider__organisation", "offer", "session").get(
        pk=dossier.pk
    )


def running(dossier) -> Deadline:
    return Deadline.objects.get(dossier=dossier, closed_at__isnull=True)


def told(dossier, kind) -> list[str]:
    """Who has this notice: "holder" or "provider"."""
    return sorted(Notice.objects.filter(kind=kind).values_list("facts__reader", flat=True))


def another_session(dossier, *, at, **fields) -> Session:
    starts_on = fields.pop("starts_on", in_business_days(at, 60))
    ends_on = fields.pop("ends_on", starts_on + timedelta(days=4))
    return SessionFactory(offer=dossier.offer, starts_on=starts_on, ends_on=ends_on, **fields)


def to_session(dossier, session, *, at, **changes) -> Dossier:
    days = {"starts_on": session.starts_on, "ends_on": session.ends_on}
    return put_off(dossier, at=at, session_id=session.pk, **days | changes)


@pytest.fixture
def accepted(at):
    return DossierFactory(accepted=True, at=at, balance_cents=PRICE, price_cents=PRICE)


@pytest.fixture
def paid(at):
    """An employee with rights for 900 euros, who has paid what was left, the participation inside."""
    dossier = DossierFactory(awaiting_payment=True, at=at, balance_cents=90_000, price_cents=PRICE)
    left = dossier.funding_lines.get(kind="payment").amount_cents
    return act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=left)


# --- The proposal --------------------------------------------------------------------------------------


def test_an_organisation_proposes_other_dates_and_its_holder_is_told_both(accepted, at):
    old = (accepted.starts_on, accepted.ends_on)
    asked = put_off(accepted, at=at)
    assert asked.state == State.POSTPONED
    assert (asked.starts_on, asked.ends_on) == old  # nothing has changed yet
    waiting = postponement.waiting(asked)
    assert (waiting.was_starts_on, waiting.was_ends_on) == old
    assert told(asked, Kind.POSTPONEMENT_PROPOSED) == ["holder"]
    facts = Notice.objects.get(kind=Kind.POSTPONEMENT_PROPOSED).facts
    assert facts["was_starts_on"] != facts["starts_on"]
    assert facts["reason"] == "Le formateur est souffrant."
    assert facts["due"]
    assert owned(asked, at=at) == 0  # the money stays where it was
    assert integrity.check() == []


def test_the_holder_has_the_time_of_the_rulebook_to_answer(accepted, at):
    asked = put_off(accepted, at=at)
    rules = rulebook.on(workdays.paris_day(at))
    clock = running(asked)
    assert (clock.kind, clock.due_at) == (
        ClockKind.POSTPONEMENT,
        workdays.period(at, rules.postponement_days, rules.postponement_unit).expires_at,
    )


def test_the_time_to_answer_does_not_stop_at_a_first_day_that_nobody_keeps(accepted, at):
    eve = noon(accepted.starts_on - timedelta(days=1), at=at)
    asked = put_off(accepted, at=eve)
    assert running(asked).due_at > workdays.midnight_of(accepted.starts_on)


def test_the_time_to_answer_never_outlasts_the_new_first_day(accepted, at):
    decree("postponement_days", 40, since=workdays.paris_day(at))
    new = in_business_days(at, 12)
    asked = put_off(accepted, at=at, starts_on=new, ends_on=new)
    assert running(asked).due_at == workdays.midnight_of(new)


def test_the_same_click_proposes_once(accepted, at):
    request_id = uuid.uuid4()
    for _click in range(2):
        put_off(accepted, at=at, request_id=request_id)
    assert Postponement.objects.count() == Transition.objects.filter(verb="postpone").count() == 1


@pytest.mark.parametrize(
    ("starts", "lasts", "words", "field"),
    [
        (-40, 2, "ne peut pas commencer avant", "starts_on"),
        (10, 2, "11\u00a0jours ouvrés", "starts_on"),
        (40, -1, "La fin ne peut pas venir avant le début", "ends_on"),
        (2_000, 2, "vérifiez l’année", "starts_on"),
    ],
    ids=["past", "too near", "end before start", "a slip of the year"],
)
def test_dates_that_cannot_be_are_refused_in_words(accepted, at, starts, lasts, words, field):
    today = workdays.paris_day(at)
    starts_on = workdays.add_workdays(today, starts) if starts > 0 else today + timedelta(days=starts)
    with pytest.raises(Refused, match=words) as refusal:
        put_off(accepted, at=at, starts_on=starts_on, ends_on=starts_on + timedelta(days=lasts))
    assert refusal.value.field == field
    assert again(accepted).state == State.ACCEPTED


def test_eleven_business_days_are_enough(accepted, at):
    nearest = in_business_days(at, 11)
    assert put_off(accepted, at=at, starts_on=nearest, ends_on=nearest).state == State.POSTPONED


def test_the_dates_already_agreed_are_no_other_dates(accepted, at):
    with pytest.raises(Refused, match="déjà convenues"):
        put_off(accepted, at=at, starts_on=accepted.starts_on, ends_on=accepted.ends_on)


def test_a_postponement_says_why(accepted, at):
    with pytest.raises(Refused, match="Donnez une raison") as refusal:
        put_off(accepted, at=at, reason="  ")
    assert refusal.value.field == "reason"


def test_a_certification_that_ends_before_the_new_last_day_is_refused(accepted, at):
    certification = accepted.offer.certification
    certification.registered_until = accepted.ends_on
    certification.save(update_fields=["registered_until"])
    with pytest.raises(Refused, match="n’est plus active") as refusal:
        put_off(accepted, at=at)
    assert refusal.value.field == "ends_on"
    sooner = accepted.ends_on - timedelta(days=1)
    assert put_off(accepted, at=at, starts_on=sooner, ends_on=sooner).state == State.POSTPONED


def test_a_certification_that_ends_while_a_proposal_waits_leaves_the_free_way_out(accepted, at):
    asked = put_off(accepted, at=at)
    certification = accepted.offer.certification
    certification.registered_until = accepted.ends_on
    certification.save(update_fields=["registered_until"])
    with pytest.raises(Refused, match="ne serait plus ouverte"):
        act("agree_to_dates", asked, at=at)
    assert act("leave_free", asked, at=at).state == State.CANCELLED_BY_PROVIDER


def test_an_offer_hidden_from_newcomers_can_still_be_postponed(accepted, at):
    type(accepted.offer).objects.filter(pk=accepted.offer_id).update(is_published=False)
    assert put_off(accepted, at=at).state == State.POSTPONED


def test_once_the_first_day_has_come_nothing_is_postponed(accepted, at):
    with pytest.raises(Refused, match="a commencé"):
        put_off(accepted, at=noon(accepted.starts_on, at=at))


def test_a_second_proposal_waits_for_the_first(accepted, at):
    put_off(accepted, at=at)
    with pytest.raises(Refused, match="attend déjà"):
        put_off(accepted, at=at)
    assert Postponement.objects.count() == 1


def test_only_a_confirmed_registration_is_postponed_and_only_its_holder_answers():
    assert MOVES["postpone"].sources == {State.ACCEPTED}
    assert MOVES["agree_to_dates"].roles == MOVES["leave_free"].roles == {Role.HOLDER}


def test_a_request_that_is_only_proposed_is_not_postponed(at):
    proposed = DossierFactory(proposed=True, at=at)
    with pytest.raises(Refused, match="changé d’état"):
        put_off(proposed, at=at)


def test_an_organisation_postpones_its_own_dossiers_only(accepted, at):
    other = DossierFactory(accepted=True, at=at)
    with pytest.raises(NotAllowed):
        put_off(accepted, at=at, by=provider_actor(other.provider))
    with pytest.raises(NotAllowed):
        put_off(accepted, at=at, by=holder_actor(accepted.holder))


# --- Another session, and its seats --------------------------------------------------------------------


def test_another_session_of_the_same_offer_takes_the_seat_once_it_is_agreed(accepted, at):
    old, new = accepted.session, another_session(accepted, at=at, places=3)
    asked = to_session(accepted, new, at=at)
    places = inbox.places_of([old, new], at=at)
    # The old seat is kept in case the proposal is taken back; the new one is offered.
    assert (places[old.pk].taken, places[new.pk].taken, places[new.pk].offered) == (1, 0, 1)
    agreed = act("agree_to_dates", asked, at=at)
    assert (agreed.session, agreed.starts_on, agreed.ends_on) == (new, new.starts_on, new.ends_on)
    places = inbox.places_of([old, new], at=at)
    assert (places[old.pk].taken, places[new.pk].taken, places[new.pk].offered) == (0, 1, 0)


def test_a_seat_offered_elsewhere_is_free_again_once_its_holder_leaves(accepted, at):
    new = another_session(accepted, at=at, places=1)
    asked = to_session(accepted, new, at=at)
    assert inbox.places_of([new], at=at)[new.pk].left == 0
    assert inbox.places_of([new], at=running(asked).due_at)[new.pk].left == 1  # over, though nobody passed
    act("leave_free", asked, at=at)
    assert inbox.places_of([new], at=at)[new.pk].left == 1


def test_a_full_session_is_refused_and_its_last_seat_is_offered_once(accepted, at):
    new = another_session(accepted, at=at, places=1)
    to_session(accepted, new, at=at)
    second = DossierFactory(accepted=True, at=at, session=accepted.session)
    with pytest.raises(Refused, match="est pleine") as refusal:
        to_session(second, new, at=at)
    assert refusal.value.field == "session"


def test_other_dates_in_the_same_session_need_no_other_seat(accepted, at):
    Session.objects.filter(pk=accepted.session_id).update(places=1)
    assert put_off(accepted, at=at).state == State.POSTPONED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recruitment": "closed"}, "n’accepte plus d’inscription"),
        ({"recruitment": "suspended"}, "n’accepte plus d’inscription"),
    ],
)
def test_a_session_that_does_not_recruit_is_refused(accepted, at, changes, words):
    with pytest.raises(Refused, match=words):
        to_session(accepted, another_session(accepted, at=at, **changes), at=at)


def test_a_session_of_another_offer_is_refused(accepted, at):
    elsewhere = SessionFactory(
        offer=OfferFactory(provider=accepted.provider, sessions=0),
        starts_on=in_business_days(at, 60),
        ends_on=in_business_days(at, 60),
    )
    with pytest.raises(Refused, match="pas une session de cette formation"):
        to_session(accepted, elsewhere, at=at)
    with pytest.raises(Refused, match="pas une session de cette formation"):
        put_off(accepted, at=at, session_id=uuid.uuid4())


def test_a_dated_session_is_held_on_its_own_dates(accepted, at):
    new = another_session(accepted, at=at)
    with pytest.raises(Refused, match="ses propres dates"):
        to_session(accepted, new, at=at, ends_on=new.ends_on + timedelta(days=1))


def test_the_dates_of_a_session_that_was_offered_do_not_change_under_people(accepted, at):
    new = another_session(accepted, at=at)
    assert not Session.objects.filter(pk=new.pk).with_dossiers().exists()
    to_session(accepted, new, at=at)
    assert Session.objects.filter(pk=new.pk).with_dossiers().exists()


def test_nobody_sits_twice_in_the_new_session(accepted, at):
    new = another_session(accepted, at=at)
    CreditFactory(holder=accepted.holder, amount=PRICE, at=at)
    DossierFactory(accepted=True, at=at, holder=accepted.holder, session=new, balance_cents=0)
    asked = to_session(accepted, new, at=at)
    with pytest.raises(Refused, match="déjà inscrit"):
        act("agree_to_dates", asked, at=at)
    assert again(asked).state == State.POSTPONED


def test_the_database_moves_a_dossier_to_no_session_that_was_not_proposed(accepted, at):
    new = another_session(accepted, at=at)
    for dossier in (accepted, put_off(accepted, at=at)):
        with refused_by("dossier_changes_session_when_postponed"), transaction.atomic():
            Dossier.objects.filter(pk=dossier.pk).update(session=new)


def test_the_database_keeps_every_proposal_as_it_was(accepted, at):
    put_off(accepted, at=at)
    with refused_by("postponement_is_never_changed"), transaction.atomic():
        Postponement.objects.update(reason="Autre chose.")
    made = Postponement.objects.get()
    made.pk = None
    made.starts_on, made.ends_on = made.was_starts_on, made.was_ends_on
    with refused_by("postponement_changes_dates"), transaction.atomic():
        made.save(force_insert=True)


# --- A yes ---------------------------------------------------------------------------------------------


def test_who_agrees_keeps_their_money_where_it_is_and_has_the_new_dates(paid, at):
    lines = list(paid.funding_lines.values_list("reserved_id", "reserved__balance").order_by("position"))
    asked = put_off(paid, at=at)
    proposed = postponement.waiting(asked)
    agreed = again(act("agree_to_dates", asked, at=at))
    assert (agreed.state, agreed.starts_on, agreed.ends_on) == (
        State.ACCEPTED,
        proposed.starts_on,
        proposed.ends_on,
    )
    assert (
        list(paid.funding_lines.values_list("reserved_id", "reserved__balance").order_by("position")) == lines
    )
    assert not Refund.objects.exists()
    assert told(agreed, Kind.POSTPONEMENT_AGREED)[0] == "holder"
    assert "provider" in told(agreed, Kind.POSTPONEMENT_AGREED)
    assert integrity.check() == []


def test_a_yes_opens_the_free_time_of_a_confirmation_on_the_new_dates(accepted, at):
    later = at + timedelta(days=2)
    asked = put_off(accepted, at=at)
    agreed = again(act("agree_to_dates", asked, at=later))
    rules = rulebook.on(workdays.paris_day(later))
    period = clocks.free_period(accepted_at=later, starts_on=agreed.starts_on, rules=rules)
    assert agreed.free_until == period.expires_at > accepted.free_until
    assert (running(agreed).kind, running(agreed).due_at) == (ClockKind.WITHDRAWAL, agreed.free_until)


def test_a_yes_never_takes_free_time_away(accepted, at):
    """A relief had given a long free time; the fresh one would end before it."""
    longer = workdays.midnight_of(accepted.starts_on)
    Dossier.objects.filter(pk=accepted.pk).update(free_until=longer)
    new = in_business_days(at, 31)
    agreed = again(act("agree_to_dates", put_off(again(accepted), at=at, starts_on=new, ends_on=new), at=at))
    assert agreed.free_until == running(agreed).due_at == longer


def test_free_time_ends_at_the_new_first_day_at_the_latest(accepted, at):
    sooner = in_business_days(at, 12)
    agreed = again(act("agree_to_dates", put_off(accepted, at=at, starts_on=sooner, ends_on=sooner), at=at))
    assert agreed.free_until == workdays.midnight_of(sooner) < accepted.free_until


def test_a_registration_that_had_no_free_time_left_has_some_again_after_a_yes(accepted, at):
    late = accepted.free_until + timedelta(hours=1)
    deadlines.settle_overdue(at=late)
    agreed = again(act("agree_to_dates", put_off(accepted, at=late), at=late))
    assert agreed.free_until > late
    assert act("withdraw", agreed, at=late).state == State.CANCELLED_BY_HOLDER
    assert owned(agreed, at=late) == PRICE


def test_the_law_of_the_order_stays_that_of_its_confirmation(accepted, at):
    later = at + timedelta(days=1)
    asked = put_off(accepted, at=at)
    decree("late_indemnity_percent", 50, since=workdays.paris_day(later))
    agreed = again(act("agree_to_dates", asked, at=later))
    gone = act("cancel_late", agreed, at=agreed.free_until + timedelta(hours=1))
    details = Transition.objects.get(dossier=gone, verb="cancel_late").details
    assert details["provider_cents"] == PRICE * 5 // 100


def test_a_yes_is_to_the_dates_that_were_shown(accepted, at):
    first = postponement.waiting(put_off(accepted, at=at))
    act("keep_dates", accepted, at=at)
    put_off(accepted, at=at, ends_on=first.ends_on + timedelta(days=1))
    with pytest.raises(Refused, match="d’autres dates que celles affichées"):
        act("agree_to_dates", accepted, at=at, seen_postponement=first.pk)
    assert again(accepted).state == State.POSTPONED


def test_a_yes_comes_in_time_whether_or_not_the_job_has_passed(accepted, at):
    asked = put_off(accepted, at=at)
    due_at = running(asked).due_at
    with pytest.raises(Refused, match="délai de réponse à ce report est dépassé"):
        act("agree_to_dates", asked, at=due_at)
    assert act("agree_to_dates", asked, at=due_at - timedelta(microseconds=1)).state == State.ACCEPTED


def test_nobody_answers_twice(accepted, at):
    asked = put_off(accepted, at=at)
    act("agree_to_dates", asked, at=at)
    for verb in ("agree_to_dates", "leave_free", "keep_dates"):
        with pytest.raises(Refused, match="changé d’état"):
            act(verb, asked, at=at)


def test_the_same_click_answers_once_and_is_no_other_answer(accepted, at):
    asked = put_off(accepted, at=at)
    request_id = uuid.uuid4()
    for _click in range(2):
        assert act("leave_free", asked, at=at, request_id=request_id).state == State.CANCELLED_BY_PROVIDER
    with pytest.raises(StalePage):
        act("agree_to_dates", asked, at=at, request_id=request_id)
    assert Transition.objects.filter(dossier=asked, verb="leave_free").count() == 1


def test_a_frozen_account_agrees_to_nothing_and_can_still_leave(accepted, at):
    asked = put_off(accepted, at=at)
    freezing.freeze(asked.holder_id, by=holder_actor(asked.holder), at=at)
    with pytest.raises(Refused, match="gelé"):
        act("agree_to_dates", asked, at=at)
    assert act("leave_free", asked, at=at).state == State.CANCELLED_BY_PROVIDER


# --- The free way out ----------------------------------------------------------------------------------


def test_who_leaves_has_every_euro_back_and_what_was_paid_is_owed(paid, at):
    before = owned(paid, at=at)
    paid_cents = paid.funding_lines.get(kind="payment").amount_cents
    gone = act("leave_free", put_off(paid, at=at), at=at)
    assert gone.state == State.CANCELLED_BY_PROVIDER
    assert Transition.objects.get(dossier=gone, verb="leave_free").cause == "postponed"
    assert owned(gone, at=at) == before + PRICE - paid_cents == 90_000  # to the cent, none lost
    assert Refund.objects.get(dossier=gone).amount_cents == paid_cents
    assert ledger.due_to(gone.provider_id) == 0
    assert told(gone, Kind.POSTPONEMENT_LEFT)[0] == "holder"
    assert "provider" in told(gone, Kind.POSTPONEMENT_LEFT)
    assert integrity.check() == []


def test_what_a_funder_gave_for_this_dossier_goes_back_to_the_funder(at):
    dossier = DossierFactory(at=at, balance_cents=40_000, price_cents=PRICE, requested=True)
    dossier.holder.status = "job_seeker"
    dossier.holder.save(update_fields=["status"])
    for verb, told_ in (("propose", meant("propose", dossier, at=at, percent=0, agent=None)),):
        act(verb, dossier, at=at, **told_)
    act("ask_funder", dossier, at=at, amount_cents=60_000)
    act("grant_top_up", dossier, at=at, by=admin_actor())
    act("accept", dossier, at=at)
    gone = act("leave_free", put_off(again(dossier), at=at), at=at)
    assert owned(gone, at=at) == 40_000
    assert integrity.check() == []


@pytest.mark.parametrize("verb", ["leave_free", "call_off", "give_all_back", "call_off_for_funder"])
def test_leaving_is_free_whatever_the_free_time_says(accepted, at, verb):
    late = accepted.free_until + timedelta(hours=1)
    deadlines.settle_overdue(at=late)
    asked = put_off(accepted, at=late)
    said = {} if verb == "leave_free" else {"reason": "x"}
    moment = noon(accepted.starts_on, at=late)  # the first day that nobody keeps has come
    act(verb, asked, at=moment, **said)
    assert owned(asked, at=moment) == PRICE
    assert integrity.check() == []


@pytest.mark.parametrize("name", ["dossier_withdraw", "dossier_cancel_late"])
def test_who_cancels_from_a_page_that_does_not_know_yet_gets_the_free_way_out(client, accepted, name):
    late = accepted.free_until + timedelta(hours=1)
    put_off(accepted, at=late)
    client.force_login(accepted.holder.user)
    sent = {"request_id": str(uuid.uuid4()), "seen_forfeited_cents": PRICE, "reason": "Tant pis."}
    for _click in range(2):
        assert client.post(reverse(name, args=[accepted.pk]), sent).status_code == 302
    gone = again(accepted)
    assert gone.state == State.CANCELLED_BY_PROVIDER
    assert owned(gone, at=late) == PRICE
    assert Transition.objects.filter(dossier=gone, verb="leave_free").count() == 1


@pytest.mark.parametrize(
    "verb", ["withdraw", "cancel_late", "enter", "report_absence", "claim", "settle_absence"]
)
def test_nothing_that_costs_happens_while_a_proposal_waits(accepted, at, verb):
    asked = put_off(accepted, at=at)
    moment = the_day_after(accepted, at=at)
    with pytest.raises(Refused, match="changé d’état"):
        act(verb, asked, at=moment, **meant(verb, asked, at=moment, percent=100, agent=None))


def test_if_cancelled_now_shows_that_nothing_is_lost(paid, at):
    late = paid.free_until + timedelta(hours=1)
    deadlines.settle_overdue(at=late)
    asked = again(put_off(paid, at=late))
    way = outlook.if_cancelled(asked, listing.funding_lines(asked), at=late, rules=None)
    assert (way.verb, way.is_free, way.gone_cents, way.credit_cents) == ("leave_free", True, 0, 0)
    assert way.back_cents == PRICE


# --- Silence -------------------------------------------------------------------------------------------


def test_silence_never_costs_money(paid, at):
    rights = PRICE - paid.funding_lines.get(kind="payment").amount_cents
    late = paid.free_until + timedelta(hours=1)
    deadlines.settle_overdue(at=late)
    asked = put_off(paid, at=late)
    due_at = running(asked).due_at
    assert deadlines.settle_overdue(at=due_at - timedelta(microseconds=1)).settled == 0
    report = deadlines.settle_overdue(at=due_at)
    assert (report.settled, report.set_aside) == (1, {})
    gone = again(asked)
    assert gone.state == State.CANCELLED_BY_PROVIDER
    assert Transition.objects.get(dossier=gone, verb="undo_unanswered").cause == "silence"
    assert owned(gone, at=due_at) == 90_000
    assert Refund.objects.get(dossier=gone).amount_cents == PRICE - rights
    assert told(gone, Kind.POSTPONEMENT_UNANSWERED)[0] == "holder"
    assert deadlines.settle_overdue(at=due_at).settled == 0
    assert integrity.check() == []


def test_nobody_undoes_a_proposal_before_its_time_is_over(accepted, at):
    asked = put_off(accepted, at=at)
    with pytest.raises(Refused, match="n’est pas écoulé"):
        act("undo_unanswered", asked, at=at)


def test_who_leaves_after_the_time_and_before_the_job_has_the_same(accepted, at):
    asked = put_off(accepted, at=at)
    late = running(asked).due_at + timedelta(minutes=1)
    act("leave_free", asked, at=late)
    assert owned(asked, at=late) == PRICE
    assert deadlines.settle_overdue(at=late).settled == 0


def test_a_holder_is_reminded_of_other_dates(accepted, at):
    asked = put_off(accepted, at=at)
    clock = running(asked)
    deadlines.send_reminders(at=clock.next_reminder_at)
    reminder = Notice.objects.get(kind=Kind.REMINDER, facts__clock="postponement")
    assert reminder.user == asked.holder.user


def test_an_outage_gives_time_back_beyond_the_old_first_day(accepted, at):
    eve = noon(accepted.starts_on - timedelta(days=1), at=at)
    asked = put_off(accepted, at=eve)
    before = running(asked).due_at
    given = relief.propose(
        kind=Relief.Kind.EXTEND, dossiers=[asked.pk], reason="Panne.", extra_days=2, by=admin_actor(), at=eve
    )
    assert relief.confirm(given.pk, by=admin_actor(), at=eve).report == {str(asked.pk): "ok"}
    assert running(asked).due_at > before


# --- Taken back ----------------------------------------------------------------------------------------


def test_an_organisation_takes_its_proposal_back_and_the_dates_agreed_stand(accepted, at):
    old = (accepted.session, accepted.starts_on, accepted.ends_on, accepted.free_until)
    kept = again(act("keep_dates", put_off(accepted, at=at), at=at))
    assert (kept.session, kept.starts_on, kept.ends_on, kept.free_until) == old
    assert kept.state == State.ACCEPTED
    assert (running(kept).kind, running(kept).due_at) == (ClockKind.WITHDRAWAL, kept.free_until)
    assert told(kept, Kind.POSTPONEMENT_TAKEN_BACK) == ["holder"]
    assert put_off(kept, at=at).state == State.POSTPONED  # and may propose again


def test_what_was_promised_stays_free_when_a_proposal_is_taken_back(at):
    far = DossierFactory(
        accepted=True,
        at=at,
        balance_cents=PRICE,
        session=SessionFactory(
            starts_on=in_business_days(at, 90),
            ends_on=in_business_days(at, 91),
            offer__price_cents=PRICE,
            offer__certification__registered_until=FAR,
        ),
    )
    # The free time is over, and the first day is far enough to give the time to answer once more.
    over = at + timedelta(days=1)
    Dossier.objects.filter(pk=far.pk).update(free_until=over)
    later = over + timedelta(hours=1)
    kept = again(act("keep_dates", put_off(again(far), at=later), at=later))
    rules = rulebook.on(workdays.paris_day(later))
    fresh = workdays.period(later, *rules.term("postponement")).expires_at
    assert kept.free_until == running(kept).due_at == fresh
    assert act("withdraw", kept, at=fresh - timedelta(microseconds=1)).state == State.CANCELLED_BY_HOLDER
    assert owned(kept, at=fresh) == PRICE


def test_a_proposal_is_not_taken_back_so_late_that_its_holder_would_not_know(accepted, at):
    near = noon(workdays.subtract_workdays(accepted.starts_on, 3), at=at)
    asked = put_off(accepted, at=near)
    with pytest.raises(Refused, match="trop proches pour y revenir"):
        act("keep_dates", asked, at=near)
    assert again(asked).state == State.POSTPONED


def test_a_proposal_is_not_taken_back_once_its_time_is_over(accepted, at):
    asked = put_off(accepted, at=at)
    with pytest.raises(Refused, match="est dépassé"):
        act("keep_dates", asked, at=running(asked).due_at)


# --- What people see -----------------------------------------------------------------------------------


def shown(dossier, actor, at):
    return screen.of(again(dossier), actor=actor, at=at)


def test_both_sides_read_the_same_sentence_and_each_its_own_verbs(accepted, at):
    asked = put_off(accepted, at=at)
    theirs = shown(asked, holder_actor(asked.holder), at)
    ours = shown(asked, provider_actor(asked.provider), at)
    assert theirs.sentence == ours.sentence
    assert (theirs.is_yours, ours.is_yours) == (True, False)
    assert theirs.verbs == {"agree_to_dates", "leave_free"}
    assert ours.verbs == {"keep_dates", "call_off"}
    assert theirs.free_until_if_agreed == ours.free_until_if_agreed > accepted.free_until


def test_the_page_promises_the_free_time_that_a_yes_gives(accepted, at):
    asked = put_off(accepted, at=at)
    promised = shown(asked, holder_actor(asked.holder), at).free_until_if_agreed
    assert again(act("agree_to_dates", asked, at=at)).free_until == promised


def test_over_the_page_offers_no_yes_any_more(accepted, at):
    asked = put_off(accepted, at=at)
    late = running(asked).due_at
    assert shown(asked, holder_actor(asked.holder), late).verbs == {"leave_free"}
    assert "défaite sans frais" in shown(asked, holder_actor(asked.holder), late).sentence
    assert shown(asked, provider_actor(asked.provider), late).verbs == {"call_off"}


def test_the_history_says_which_dates_were_proposed_and_what_became_of_them(accepted, at):
    asked = put_off(accepted, at=at)
    act("agree_to_dates", asked, at=at)
    titles = [step.title for step in listing.history(again(asked))]
    assert titles[-2].startswith("Report proposé")
    assert titles[-1] == "Nouvelles dates acceptées"


def test_a_postponed_dossier_is_where_people_look_for_it(accepted, at):
    put_off(accepted, at=at)
    holder, provider = holder_actor(accepted.holder), provider_actor(accepted.provider)
    assert listing.holder_counts(holder, at=at)[listing.HolderView.MINE] == 1
    assert [found.pk for found in listing.waiting_for(holder, at=at)] == [accepted.pk]
    counts = inbox.counts(provider, inbox.Wanted(), at=at)
    assert (counts[inbox.View.PROPOSED], counts[inbox.View.CONFIRMED]) == (1, 0)
    entries = calendar.coming(holder, at=at)
    assert [entry.kind for entry in entries] == [ClockKind.POSTPONEMENT]  # no first day that nobody keeps


def test_a_plain_form_proposes_another_session_and_a_plain_form_answers(client, accepted, at):
    new = another_session(accepted, at=at, places=8)
    client.force_login(provider_actor(accepted.provider).user)
    page = client.get(reverse("provider_dossier", args=[accepted.pk])).text
    assert "8 places libres" in page
    sent = {
        "request_id": str(uuid.uuid4()),
        "postpone-session": str(new.pk),
        "postpone-reason": "Le formateur est souffrant.",
    }
    assert client.post(reverse("provider_postpone", args=[accepted.pk]), sent).status_code == 302
    client.force_login(accepted.holder.user)
    page = client.get(reverse("dossier", args=[accepted.pk])).text
    assert "Dates convenues" in page
    assert "Le formateur est souffrant." in page
    sent = {"request_id": str(uuid.uuid4()), "seen_postponement": postponement.waiting(accepted).pk}
    assert client.post(reverse("dossier_agree", args=[accepted.pk]), sent).status_code == 302
    assert again(accepted).session == new


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Choisissez les dates que vous proposez"),
        ({"postpone-session": "autres", "postpone-reason": "x"}, "Donnez cette date"),
        ({"postpone-session": str(uuid.UUID(int=3)), "postpone-reason": "x"}, "n’est plus proposée"),
        ({"postpone-session": "autres"}, "le titulaire lira cette raison"),
    ],
)
def test_a_form_that_misses_something_says_what(client, accepted, at, typed, words):
    another_session(accepted, at=at)
    client.force_login(provider_actor(accepted.provider).user)
    sent = {"request_id": str(uuid.uuid4())} | typed
    answer = client.post(reverse("provider_postpone", args=[accepted.pk]), sent)
    assert answer.status_code == 422
    assert words in answer.text
    assert again(accepted).state == State.ACCEPTED


def test_a_full_session_is_said_to_be_and_refused(client, accepted, at):
    new = another_session(accepted, at=at, places=1)
    DossierFactory(accepted=True, at=at, session=new)
    client.force_login(provider_actor(accepted.provider).user)
    page = client.get(reverse("provider_dossier", args=[accepted.pk]))
    assert "complète" in page.text
    choices = page.context["postpone_form"]["session"].subwidgets
    assert [bool(each.data["attrs"].get("disabled")) for each in choices] == [True, False]
    assert choices[1].data["selected"]  # nothing else is left to choose
    sent = {"request_id": str(uuid.uuid4()), "postpone-session": str(new.pk), "postpone-reason": "x"}
    answer = client.post(reverse("provider_postpone", args=[accepted.pk]), sent)
    assert answer.status_code == 422
    assert "Cette session est pleine" in answer.text


def test_one_takes_back_and_the_other_leaves_by_plain_forms(client, accepted, at):
    asked = put_off(accepted, at=at)
    client.force_login(provider_actor(asked.provider).user)
    sent = {"request_id": str(uuid.uuid4())}
    assert client.post(reverse("provider_keep_dates", args=[asked.pk]), sent).status_code == 302
    assert again(asked).state == State.ACCEPTED
    put_off(again(asked), at=at)
    client.force_login(asked.holder.user)
    sent = {"request_id": str(uuid.uuid4()), "reason": "Pas libre."}
    assert client.post(reverse("dossier_leave_free", args=[asked.pk]), sent).status_code == 302
    assert again(asked).state == State.CANCELLED_BY_PROVIDER

"""The verbs of a dossier: what each changes, and what each refuses with a sentence."""

import uuid
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from accounts.actors import SYSTEM
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from catalog.models import Session
from dossiers import workflow
from dossiers.models import Deadline, Dossier, FundingLine, Payment, Transition
from dossiers.states import CLOCK_OF, MOVES, ClockKind, State
from notices.models import Notice
from rights import integrity, ledger
from rights.kinds import PocketKind
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    act,
    admin_actor,
    bring,
    holder_actor,
    in_business_days,
    least,
    propose_as_asked,
    provider_actor,
)
from tests.factories.rights import CreditFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")


def paris(*moment) -> datetime:
    return datetime(*moment, tzinfo=PARIS)


def balance(holder) -> int:
    return sum(purse.balance for purse in ledger.purses(holder, at=datetime.now(PARIS)))


def last_clock(dossier) -> Deadline:
    return Deadline.objects.filter(dossier=dossier).latest("id")


# --- The main line -----------------------------------------------------------------------------


def test_the_main_job_from_draft_to_withdrawal_gives_every_cent_back(at):
    dossier = DossierFactory(at=at, balance_cents=250_000)
    act("submit", dossier, at=at)
    propose_as_asked(dossier, at=at)
    act("accept", dossier, at=at)
    assert balance(dossier.holder) == 150_000
    dossier = act("withdraw", dossier, at=at)
    assert dossier.state == State.CANCELLED_BY_HOLDER
    assert balance(dossier.holder) == 250_000
    verbs = list(Transition.objects.filter(dossier=dossier).values_list("verb", flat=True))
    assert verbs == ["submit", "propose", "accept", "withdraw"]
    assert Transition.objects.latest("id").cause == "withdrawal"
    assert integrity.check() == []


def test_each_waiting_state_has_one_running_clock(at):
    for trait in ("requested", "proposed", "awaiting_payment", "accepted"):
        dossier = DossierFactory(at=at, **{trait: True})
        running = Deadline.objects.filter(dossier=dossier, closed_at__isnull=True)
        assert [clock.kind for clock in running] == [CLOCK_OF[State(dossier.state)]]


def test_the_organisation_has_until_midnight_of_the_second_business_day():
    # Friday 20 November 2026, 16:00 → Tuesday 24
    dossier = DossierFactory(at=paris(2026, 11, 20, 16), requested=True)
    clock = last_clock(dossier)
    assert (clock.kind, clock.last_day) == (ClockKind.PROVIDER_ANSWER, date(2026, 11, 24))
    assert clock.due_at == paris(2026, 11, 25)
    assert [skip["day"] for skip in clock.skipped] == ["2026-11-21", "2026-11-22"]


def test_an_answer_at_one_microsecond_before_midnight_counts_and_at_midnight_does_not():
    asked = paris(2026, 11, 20, 16)
    due = paris(2026, 11, 25)
    in_time = DossierFactory(at=asked, requested=True)
    assert propose_as_asked(in_time, at=due - timedelta(microseconds=1)).state == State.PROPOSED
    late = DossierFactory(at=asked, requested=True)
    with pytest.raises(Refused, match="délai est dépassé"):
        propose_as_asked(late, at=due)


@pytest.mark.parametrize("verb", ["refuse", "cancel"])
def test_no_verb_acts_on_a_dossier_whose_answer_is_overdue_even_if_the_job_has_not_passed(verb):
    dossier = DossierFactory(at=paris(2026, 11, 20, 16), requested=True)
    extra = {"reason": "Complet."} if verb == "refuse" else {}
    with pytest.raises(Refused, match="sans suite"):
        act(verb, dossier, at=paris(2026, 11, 25), **extra)


def test_the_holder_still_has_four_full_days_when_the_organisation_answers_last_minute():
    dossier = DossierFactory(at=paris(2026, 11, 20, 16), requested=True)
    propose_as_asked(dossier, at=paris(2026, 11, 24, 23, 59))
    assert last_clock(dossier).last_day == date(2026, 11, 30)


def test_accepting_reserves_line_by_line_and_freezes_free_until():
    at = paris(2026, 5, 4, 9)
    session = SessionFactory(
        starts_on=date(2026, 9, 1),
        ends_on=date(2026, 9, 30),
        offer__price_cents=120_000,
        offer__certification__registered_until=FAR,
    )
    dossier = DossierFactory(at=at, session=session, accepted=True, price_cents=120_000)
    lines = list(FundingLine.objects.filter(dossier=dossier))
    assert [(line.kind, line.amount_cents) for line in lines] == [("purse", 120_000)]
    # Seven business days before 1 September: 20 August is the last free day… later than 14 business days.
    assert dossier.free_until == paris(2026, 8, 22)
    assert last_clock(dossier).due_at == dossier.free_until


def test_something_left_to_pay_reserves_the_rights_and_waits_for_the_payment(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    assert dossier.state == State.AWAITING_PAYMENT
    assert balance(dossier.holder) == 0
    assert workflow.remainder_line(dossier).amount_cents == 90_000
    assert dossier.free_until is None
    paid = act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=90_000)
    assert paid.state == State.ACCEPTED
    assert paid.free_until is not None
    assert integrity.check() == []


def test_a_private_employee_always_pays_the_participation(at):
    dossier = DossierFactory(at=at, is_exempt=False, proposed=True)
    dossier = act("accept", dossier, at=at)
    assert dossier.state == State.AWAITING_PAYMENT
    assert workflow.remainder_line(dossier).amount_cents == 10_320


def test_an_employers_dotation_exempts_from_the_participation(at):
    dossier = DossierFactory(at=at, is_exempt=False, proposed=True)
    CreditFactory(
        holder=dossier.holder,
        amount=20_000,
        kind=PocketKind.DOTATION,
        label="Atelier Martin",
        funder_kind="employer",
        at=at,
    )
    dossier = act("accept", dossier, at=at)
    assert dossier.state == State.ACCEPTED


def test_a_refused_payment_can_be_tried_again_and_the_clock_goes_on(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    clock = last_clock(dossier)
    act("refuse_payment", dossier, at=at, reference="VIR-1", reason="Compte clos.")
    assert last_clock(dossier) == clock
    assert Payment.objects.get().outcome == "refused"
    paid = act("confirm_payment", dossier, at=at, reference="VIR-2", amount_cents=90_000)
    assert paid.state == State.ACCEPTED


def test_the_end_of_the_payment_clock_releases_everything_and_lapses(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    dossier = bring(dossier, State.LAPSED, at=at)
    assert (dossier.state, dossier.silent_party) == (State.LAPSED, "holder")
    assert balance(dossier.holder) == 10_000
    assert integrity.check() == []


def test_one_bank_reference_pays_one_dossier_once(at):
    first = DossierFactory(at=at, awaiting_payment=True)
    second = DossierFactory(at=at, awaiting_payment=True)
    act("confirm_payment", first, at=at, reference="VIR-1", amount_cents=90_000)
    again = act("confirm_payment", first, at=at, reference="VIR-1", amount_cents=90_000)
    assert again.state == State.ACCEPTED
    with pytest.raises(Refused, match="déjà servi"):
        act("confirm_payment", second, at=at, reference="VIR-1", amount_cents=90_000)
    assert Payment.objects.count() == 1


def test_a_payment_of_another_amount_is_refused(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    with pytest.raises(Refused, match="montant reçu"):
        act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=89_999)


def test_withdrawing_a_paid_dossier_refunds_the_card_and_gives_the_rights_back(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=90_000)
    act("withdraw", dossier, at=at)
    assert balance(dossier.holder) == 10_000
    assert integrity.check() == []


def test_the_plan_the_person_saw_must_still_be_the_plan(at):
    dossier = DossierFactory(at=at, proposed=True)
    with pytest.raises(Refused, match="a changé depuis l’affichage"):
        act("accept", dossier, at=at, seen_plan="another")
    dossier.refresh_from_db()
    assert dossier.state == State.PROPOSED


# --- Refusals in words -------------------------------------------------------------------------


def test_a_late_withdrawal_is_refused_with_the_day_it_was_free_until(at):
    dossier = DossierFactory(at=at, accepted=True)
    with pytest.raises(Refused, match="n’est plus possible"):
        act("withdraw", dossier, at=dossier.free_until)
    assert (
        act("withdraw", dossier, at=dossier.free_until - timedelta(seconds=1)).state
        == State.CANCELLED_BY_HOLDER
    )


def test_a_start_eleven_business_days_away_is_allowed_and_ten_is_not():
    # Proposal 2027-05-07 → earliest start 2027-05-25 (docs/decisions.md, 5)
    at = paris(2027, 5, 7, 10)
    dossier = DossierFactory(at=at, requested=True)
    reason = {"change_reason": "Le formateur est libre plus tôt."}
    with pytest.raises(Refused, match="mardi 25\u00a0mai 2027") as refusal:
        propose_as_asked(dossier, at=at, starts_on=date(2027, 5, 24), **reason)
    assert refusal.value.field == "starts_on"
    assert propose_as_asked(dossier, at=at, starts_on=date(2027, 5, 25), **reason).state == State.PROPOSED


def test_a_changed_price_or_date_needs_a_reason(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused) as refusal:
        propose_as_asked(dossier, at=at, price_cents=90_000)
    assert refusal.value.field == "change_reason"
    done = propose_as_asked(dossier, at=at, price_cents=90_000, change_reason="Remise de saison.")
    assert (done.price_cents, done.change_reason) == (90_000, "Remise de saison.")


def test_a_refusal_must_be_motivated(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="Donnez une raison"):
        act("refuse", dossier, at=at, reason="  ")


def test_a_sixth_request_for_the_same_training_waits(at):
    holder = HolderFactory()
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    for _number in range(5):
        DossierFactory(at=at, holder=holder, session=session, requested=True, balance_cents=0)
    sixth = DossierFactory(at=at, holder=holder, session=session, balance_cents=0)
    with pytest.raises(Refused, match="déjà 5 demandes"):
        act("submit", sixth, at=at)
    # Another training is another count.
    other = DossierFactory(at=at, holder=holder, balance_cents=0)
    assert act("submit", other, at=at).state == State.REQUESTED


@pytest.mark.parametrize("status", ["retired_full_rate", "public_agent"])
def test_who_cannot_enrol_is_told_even_when_posting_directly(at, status):
    dossier = DossierFactory(at=at)
    HolderProfile.objects.filter(pk=dossier.holder_id).update(status=status)
    with pytest.raises(Refused):
        act("submit", dossier, at=at)


def test_a_certification_that_ends_closes_requests_and_keeps_confirmed_ones(at):
    requested = DossierFactory(at=at, requested=True)
    closed = bring(requested, State.CLOSED_BY_PLATFORM, at=at)
    assert closed.state == State.CLOSED_BY_PLATFORM
    assert Transition.objects.latest("id").reason
    accepted = DossierFactory(at=at, accepted=True)
    certification = accepted.offer.certification
    certification.registered_until = at.date() - timedelta(days=1)
    certification.save()
    with pytest.raises(Refused):
        act("close", accepted, at=at)


def test_an_active_certification_closes_nothing(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="toujours active"):
        act("close", dossier, at=at)


def test_a_clock_that_still_runs_does_not_lapse(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="pas écoulé"):
        act("lapse", dossier, at=last_clock(dossier).due_at - timedelta(microseconds=1))


@pytest.mark.parametrize(("trait", "silent"), [("requested", "provider"), ("proposed", "holder")])
def test_a_lapsed_dossier_says_whose_silence_it_was(at, trait, silent):
    dossier = bring(DossierFactory(at=at, **{trait: True}), State.LAPSED, at=at)
    assert (dossier.state, dossier.silent_party) == (State.LAPSED, silent)


def test_a_dossier_that_is_over_leaves_the_list_and_keeps_its_trace(at):
    dossier = DossierFactory(at=at, requested=True, lapsed=True)
    workflow.remove_from_list(dossier.pk, by=holder_actor(dossier.holder), at=at)
    assert Dossier.objects.get(pk=dossier.pk).removed_from_list_at == at
    waiting = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="en cours"):
        workflow.remove_from_list(waiting.pk, by=holder_actor(waiting.holder), at=at)


def test_a_permanent_session_asks_for_a_wished_start(at):
    session = SessionFactory(starts_on=None, ends_on=None)
    dossier = DossierFactory(at=at, session=session)
    Dossier.objects.filter(pk=dossier.pk).update(wished_start=None)
    with pytest.raises(Refused) as refusal:
        act("submit", dossier, at=at)
    assert refusal.value.field == "wished_start"


def test_a_session_too_near_cannot_be_asked_for(at):
    session = SessionFactory(starts_on=in_business_days(at, 10), ends_on=in_business_days(at, 12))
    with pytest.raises(Refused, match="ne peut pas commencer avant"):
        DossierFactory(at=at, session=session)


def test_a_session_that_closed_meanwhile_cannot_be_asked_for(at):
    dossier = DossierFactory(at=at)
    Session.objects.filter(pk=dossier.session_id).update(recruitment="closed")
    with pytest.raises(Refused, match="plus d’inscription"):
        act("submit", dossier, at=at)


def test_the_price_shown_must_still_be_the_price(at):
    dossier = DossierFactory(at=at)
    with pytest.raises(Refused, match="prix a changé"):
        act("submit", dossier, at=at, seen_price_cents=1)


# --- The same click twice, and somebody else's dossier ------------------------------------------


@pytest.mark.parametrize("verb", ["submit", "cancel", "decline", "withdraw"])
def test_the_same_request_gives_the_first_result(at, verb):
    trait = {
        "submit": {},
        "cancel": {"requested": True},
        "decline": {"proposed": True},
        "withdraw": {"accepted": True},
    }
    dossier = DossierFactory(at=at, **trait[verb])
    request_id = uuid.uuid4()
    first = act(verb, dossier, at=at, request_id=request_id)
    moves = Transition.objects.count()
    again = act(verb, dossier, at=at, request_id=request_id)
    assert (again.state, Transition.objects.count()) == (first.state, moves)


def test_a_request_id_used_for_another_verb_is_refused(at):
    dossier = DossierFactory(at=at)
    request_id = uuid.uuid4()
    act("submit", dossier, at=at, request_id=request_id)
    with pytest.raises(Refused, match="plus à jour"):
        act("cancel", dossier, at=at, request_id=request_id)


def test_a_double_click_creates_one_draft(at):
    holder = HolderFactory()
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    request_id = uuid.uuid4()
    by = holder_actor(holder)
    drafts = {workflow.create(session.pk, by=by, at=at, request_id=request_id).pk for _ in range(2)}
    assert len(drafts) == 1


@pytest.mark.parametrize("verb", sorted(MOVES))
def test_strangers_may_do_nothing(at, verb):
    """Another holder, another organisation, and whoever's role does not do this verb."""
    dossier = DossierFactory(at=at, requested=True)
    stranger, other = HolderFactory(), provider_actor(DossierFactory(at=at).provider)
    before = Transition.objects.count()
    for by in (holder_actor(stranger), other):
        with pytest.raises(NotAllowed):
            act(verb, dossier, at=at, by=by, **least(verb, at=at))
    roles = {
        "holder": holder_actor(dossier.holder),
        "provider": provider_actor(dossier.provider),
        "admin": admin_actor(),
        "system": SYSTEM,
    }
    for role, by in roles.items():
        if role not in MOVES[verb].roles:
            with pytest.raises(NotAllowed):
                act(verb, dossier, at=at, by=by, **least(verb, at=at))
    assert Transition.objects.count() == before


@pytest.mark.parametrize("state", sorted(State))
def test_a_verb_moves_only_from_its_own_states(at, state):
    """MOVES × every state: from any other state the verb refuses and nothing is written."""
    if state == State.AWAITING_PAYMENT:
        dossier = DossierFactory(at=at, awaiting_payment=True)
    else:
        dossier = (
            bring(DossierFactory(at=at), State(state), at=at)
            if state != State.DRAFT
            else DossierFactory(at=at)
        )
    before = Transition.objects.count()
    for verb in sorted(verb for verb, move in MOVES.items() if state not in move.sources):
        is_second = (verb, state) == ("postpone", State.POSTPONED)  # told so, in its own words
        with pytest.raises(Refused, match="attend déjà" if is_second else "changé d’état"):
            act(verb, dossier, at=at, **least(verb, at=at))
    assert Transition.objects.count() == before


# --- Telling people ----------------------------------------------------------------------------


def test_each_move_tells_the_other_side_once(at):
    dossier = DossierFactory(at=at)
    MembershipFactory(organisation=dossier.provider.organisation)
    Notice.objects.all().delete()
    act("submit", dossier, at=at)
    told = Notice.objects.values_list("kind", "email")
    organisation = dossier.provider.organisation
    members = [membership.user.email for membership in organisation.memberships.all()]
    assert sorted(told) == sorted(("dossier_requested", email) for email in [*members, organisation.email])
    facts = Notice.objects.first().facts
    assert facts["holder_name"] == dossier.holder.display_name
    assert facts["due"].endswith("à\u00a0minuit")


# --- Again ---------------------------------------------------------------------------------------------


def test_a_request_without_follow_up_is_sent_again_with_all_that_it_said(at, client_for):
    lapsed = DossierFactory(at=at - timedelta(days=10), lapsed=True)
    client = client_for(lapsed.holder.user)
    posted = {"request_id": uuid.uuid4()}
    for _click in range(2):
        answer = client.post(reverse("dossier_send_again", args=[lapsed.pk]), posted)
    again = Dossier.objects.exclude(pk=lapsed.pk).get()
    assert answer.url == reverse("dossier", args=[again.pk])
    assert (again.state, again.session, again.project) == (State.REQUESTED, lapsed.session, lapsed.project)
    assert Dossier.objects.get(pk=lapsed.pk).state == State.LAPSED


def test_what_can_no_longer_be_sent_as_it_was_stays_a_draft_with_all_that_was_said(at, client_for):
    session = SessionFactory(starts_on=None, ends_on=None, offer__certification__registered_until=FAR)
    lapsed = DossierFactory(at=at - timedelta(days=60), session=session, lapsed=True)
    client = client_for(lapsed.holder.user)
    client.post(reverse("dossier_send_again", args=[lapsed.pk]), {"request_id": uuid.uuid4()})
    again = Dossier.objects.exclude(pk=lapsed.pk).get()
    assert (again.state, again.project, again.wished_start) == (State.DRAFT, lapsed.project, None)


def test_only_what_had_no_follow_up_is_sent_again(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="sans suite"):
        workflow.draft_again(dossier.pk, by=holder_actor(dossier.holder), at=at, request_id=uuid.uuid4())
    with pytest.raises(NotAllowed):
        workflow.draft_again(dossier.pk, by=provider_actor(dossier.provider), at=at, request_id=uuid.uuid4())

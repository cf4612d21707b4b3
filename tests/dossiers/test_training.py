"""From the first day to the last cent: entry, absence, force majeure, exit, completion, control."""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils.html import escape

from accounts.actors import SYSTEM
from accounts.permissions import NotAllowed
from dossiers import clocks, controls, deadlines, evidence, relief, training
from dossiers.models import (
    Claim,
    Completion,
    Control,
    Deadline,
    Dossier,
    Evidence,
    FundingLine,
    Relief,
    Transition,
)
from dossiers.states import ClockKind, CompletionCause, ExitReason, State
from notices.kinds import Kind
from notices.models import Notice
from rights import integrity, ledger
from rights.kinds import PocketKind
from rights.models import Pocket
from rulebook import workdays
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    a_proof,
    act,
    admin_actor,
    bring,
    holder_actor,
    noon,
    provider_actor,
    the_day_after,
)
from tests.factories.rights import CreditFactory
from tests.factories.rulebook import decree
from ui.refusals import Refused

pytestmark = pytest.mark.django_db
PARIS = ZoneInfo("Europe/Paris")
PRICE = 100_000


def owned(dossier, *, at) -> int:
    return sum(purse.balance for purse in ledger.purses(dossier.holder, at=at))


def due(dossier) -> int:
    return ledger.due_to(dossier.provider_id)


def in_state(state, *, at, **fields) -> Dossier:
    return bring(DossierFactory(at=at, balance_cents=PRICE, **fields), state, at=at)


@pytest.fixture
def accepted(at):
    return in_state(State.ACCEPTED, at=at)


def first_day(dossier, *, at) -> datetime:
    return noon(dossier.starts_on, at=at)


def in_time(clock: Deadline) -> datetime:
    return clock.due_at - timedelta(microseconds=1)


# --- Entry --------------------------------------------------------------------------------------------


def test_on_the_first_day_what_was_reserved_is_debited(accepted, at):
    entered = act("enter", accepted, at=first_day(accepted, at=at), entered_on=accepted.starts_on)
    assert (entered.state, entered.entered_on) == (State.IN_TRAINING, accepted.starts_on)
    line = FundingLine.objects.get(dossier=accepted)
    assert (line.reserved.balance, line.spent.balance, line.spent.kind) == (0, PRICE, PocketKind.SPENT)
    assert owned(accepted, at=at) == due(accepted) == 0
    told = Notice.objects.filter(kind=Kind.TRAINING_ENTERED)
    assert [notice.user for notice in told] == [accepted.holder.user]
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (lambda dossier, today: today + timedelta(days=1), "futur"),
        (lambda dossier, today: dossier.starts_on - timedelta(days=1), "avant le premier jour"),
    ],
)
def test_an_entry_is_neither_in_the_future_nor_before_the_session(accepted, at, days, words):
    moment = first_day(accepted, at=at)
    with pytest.raises(Refused, match=words) as refusal:
        act("enter", accepted, at=moment, entered_on=days(accepted, workdays.paris_day(moment)))
    assert refusal.value.field == "entered_on"
    assert Dossier.objects.get(pk=accepted.pk).state == State.ACCEPTED


def test_an_entry_after_the_last_day_is_no_entry(accepted, at):
    late = noon(accepted.ends_on + timedelta(days=3), at=at)
    with pytest.raises(Refused, match="après le dernier jour"):
        act("enter", accepted, at=late, entered_on=accepted.ends_on + timedelta(days=1))


def test_an_organisation_cannot_take_an_entry_back(accepted, at):
    entered = bring(accepted, State.IN_TRAINING, at=at)
    later = first_day(accepted, at=at)
    with pytest.raises(NotAllowed):
        training.annul_entry(
            entered.pk,
            by=provider_actor(entered.provider),
            at=later,
            request_id=uuid.uuid4(),
            reason="Erreur.",
        )
    with pytest.raises(Refused, match="changé d’état"):
        act("call_off", entered, at=later, reason="x")


def test_an_entry_declared_by_mistake_is_annulled_by_two_persons_and_can_be_declared_again(accepted, at):
    entered = bring(accepted, State.IN_TRAINING, at=at)
    later = first_day(accepted, at=at)
    asked = relief.propose(
        kind=Relief.Kind.ANNUL_ENTRY, dossiers=[entered.pk], reason="Homonyme.", by=admin_actor(), at=later
    )
    assert relief.confirm(asked.pk, by=admin_actor(), at=later).report == {str(entered.pk): "ok"}
    again = Dossier.objects.get(pk=entered.pk)
    assert (again.state, again.entered_on) == (State.ACCEPTED, None)
    line = FundingLine.objects.get(dossier=again)
    assert (line.reserved.balance, line.spent) == (PRICE, None)
    # It can no longer be cancelled freely: what runs is the clock of the entry.
    assert clocks.running(again, ClockKind.ENTRY) is not None
    entered = act("enter", again, at=later, entered_on=again.starts_on)
    assert entered.state == State.IN_TRAINING
    assert integrity.check() == []


def test_once_nothing_is_free_any_more_the_clock_of_the_entry_runs_to_the_third_business_day(accepted):
    deadlines.settle_overdue(at=accepted.free_until)
    clock = clocks.running(accepted, ClockKind.ENTRY)
    assert clock.last_day == workdays.add_workdays(accepted.starts_on, 3)
    assert clocks.running(accepted, ClockKind.WITHDRAWAL) is None


def test_a_late_declaration_is_said_once_and_moves_no_money(accepted):
    deadlines.settle_overdue(at=accepted.free_until)
    clock = clocks.running(accepted, ClockKind.ENTRY)
    for _run in range(2):
        deadlines.settle_overdue(at=clock.due_at)
    assert Notice.objects.filter(kind=Kind.DECLARATION_LATE).exists()
    assert set(Notice.objects.filter(kind=Kind.DECLARATION_LATE).values_list("event_key", flat=True)) == {
        f"late:{clock.pk}"
    }
    still = Dossier.objects.get(pk=accepted.pk)
    assert still.state == State.ACCEPTED
    assert FundingLine.objects.get(dossier=still).reserved.balance == PRICE
    # Late is not too late.
    assert act("enter", still, at=clock.due_at, entered_on=still.starts_on).state == State.IN_TRAINING


# --- Late cancellation --------------------------------------------------------------------------------


@pytest.fixture
def far(at):
    """Confirmed, and starting long after its free period: 500 € of rights, 300 € of a region, 200 € paid."""
    start = workdays.add_workdays(workdays.paris_day(at), 60)
    session = SessionFactory(
        starts_on=start,
        ends_on=start + timedelta(days=4),
        offer__price_cents=PRICE,
        offer__certification__registered_until=FAR,
    )
    dossier = DossierFactory(at=at, session=session, balance_cents=50_000, is_exempt=False)
    CreditFactory(
        holder=dossier.holder,
        kind=PocketKind.TOP_UP,
        label="Région",
        funder_kind="region",
        amount=30_000,
        at=at,
    )
    dossier = bring(dossier, State.AWAITING_PAYMENT, at=at)
    return act("confirm_payment", dossier, at=at, reference="VIR-7", amount_cents=20_000)


def test_a_late_cancellation_loses_rights_gives_a_top_up_back_and_keeps_a_payment(far, at):
    moment = far.free_until
    gone = act("cancel_late", far, at=moment, reason="Un autre emploi.")
    assert (gone.state, Transition.objects.latest("id").cause) == (State.CANCELLED_BY_HOLDER, "late")
    assert due(far) == 5_000
    assert {purse.kind: purse.balance for purse in ledger.purses(far.holder, at=moment)} == {
        PocketKind.CREDIT: 20_000
    }
    said = Transition.objects.latest("id").details
    assert (said["forfeited_cents"], said["credit_cents"], said["returned_cents"]) == (45_000, 20_000, 30_000)
    assert integrity.check() == []


def test_while_it_is_free_a_cancellation_is_a_withdrawal(far):
    last = far.free_until - timedelta(microseconds=1)
    with pytest.raises(Refused, match="sans frais"):
        act("cancel_late", far, at=last)
    assert act("withdraw", far, at=last).state == State.CANCELLED_BY_HOLDER
    assert due(far) == 0


def test_once_the_training_has_begun_nothing_is_cancelled(far, at):
    start = workdays.midnight_after(far.starts_on - timedelta(days=1))
    with pytest.raises(Refused, match="a commencé"):
        act("cancel_late", far, at=start)
    assert act("cancel_late", far, at=start - timedelta(microseconds=1)).state == State.CANCELLED_BY_HOLDER


def test_what_would_be_lost_is_what_the_person_saw(far):
    with pytest.raises(Refused, match="a changé"):
        act("cancel_late", far, at=far.free_until, seen_forfeited_cents=49_999)
    assert Dossier.objects.get(pk=far.pk).state == State.ACCEPTED
    assert act("cancel_late", far, at=far.free_until, seen_forfeited_cents=50_000)


def test_a_credit_pays_the_next_training(far, at):
    act("cancel_late", far, at=far.free_until)
    again = in_state(State.PROPOSED, at=far.free_until, holder=far.holder, is_exempt=False)
    accepted = act("accept", again, at=far.free_until)
    kinds = {line.source.kind for line in FundingLine.objects.filter(dossier=accepted) if line.source}
    assert PocketKind.CREDIT in kinds


# --- Force majeure ------------------------------------------------------------------------------------


def claimed(dossier, *, at) -> Dossier:
    return act("claim", dossier, at=at, words="Hospitalisation.", files=[a_proof()])


def test_a_claim_holds_the_money_until_it_is_decided(far):
    moment = far.free_until
    waiting = claimed(far, at=moment)
    assert waiting.state == State.CLAIMED
    assert Evidence.objects.get().claim == Claim.objects.get(dossier=far)
    assert sum(line.reserved.balance for line in FundingLine.objects.filter(dossier=far)) == PRICE
    clock = clocks.running(far, ClockKind.CLAIM)
    deadlines.settle_overdue(at=clock.due_at)
    assert Dossier.objects.get(pk=far.pk).state == State.CLAIMED


@pytest.mark.parametrize(
    ("verb", "back", "provider"), [("grant_claim", PRICE, 0), ("reject_claim", 20_000, 5_000)]
)
def test_a_claim_before_the_start_is_decided_with_a_reason(far, verb, back, provider):
    moment = far.free_until
    claimed(far, at=moment)
    with pytest.raises(Refused, match="raison"):
        act(verb, far, at=moment, reason=" ")
    decided = act(verb, far, at=moment, reason="Vu le certificat.")
    assert decided.state == State.CANCELLED_BY_HOLDER
    owned_now = owned(far, at=moment)
    assert (owned_now if verb == "reject_claim" else owned_now + 20_000) == back
    assert due(far) == provider
    assert Claim.objects.get(dossier=far).reason == "Vu le certificat."
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("verb", "back", "provider"), [("grant_claim", PRICE, 0), ("reject_claim", 0, 5_000)]
)
def test_an_absence_explained_by_force_majeure_is_decided_too(accepted, at, verb, back, provider):
    waiting = bring(accepted, State.CLAIMED, at=at)
    decided = act(verb, waiting, at=the_day_after(accepted, at=at), reason="Vu.")
    assert decided.state == State.NO_SHOW
    assert (owned(accepted, at=at), due(accepted)) == (back, provider)
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        ("call_off", State.CANCELLED_BY_PROVIDER),
        ("call_off_for_funder", State.CANCELLED_BY_FUNDER),
    ],
)
def test_whoever_cancels_while_a_claim_is_looked_at_gives_everything_back(client, far, verb, state):
    moment = far.free_until
    claimed(far, at=moment)
    assert act(verb, far, at=moment, reason="Session supprimée.").state == state
    assert (owned(far, at=moment) + 20_000, due(far)) == (PRICE, 0)
    made = Claim.objects.get(dossier=far)
    assert (made.state, made.decided_at, made.decided_by) == ("moot", moment, None)
    assert made.reason
    # Its holder still reads what they wrote, with its files; the organisation, that nobody decides any more.
    client.force_login(far.holder.user)
    page = client.get(reverse("dossier", args=[far.pk])).text
    decided = str(made.get_state_display()).lower()
    for words in (made.words, made.evidence.get().file_name, decided, made.reason):
        assert escape(words) in page
    client.force_login(provider_actor(far.provider).user)
    page = client.get(reverse("provider_dossier", args=[far.pk])).text
    assert decided in page
    assert escape(made.words) not in page
    with pytest.raises(Refused):
        act("reject_claim", far, at=moment, reason="Vu.")
    assert integrity.check() == []


@pytest.mark.parametrize("verb", ["call_off", "call_off_for_funder"])
def test_nobody_cancels_an_absence_that_is_explained(accepted, at, verb):
    """The training has begun: only the decision says what becomes of the money."""
    waiting = bring(accepted, State.CLAIMED, at=at)
    with pytest.raises(Refused, match="commenc"):
        act(verb, waiting, at=the_day_after(accepted, at=at), reason="x")
    assert Claim.objects.get(dossier=accepted).state == "open"


@pytest.mark.parametrize("files", [0, 4])
def test_force_majeure_is_proved_by_a_few_files(far, files):
    with pytest.raises(Refused) as refusal:
        act("claim", far, at=far.free_until, words="Grippe.", files=[a_proof() for _ in range(files)])
    assert refusal.value.field == "evidence"
    assert not Claim.objects.exists()


def test_nobody_decides_of_their_own_claim_nor_without_the_right(far):
    moment = far.free_until
    claimed(far, at=moment)
    own = admin_actor()
    far.holder.user = own.user
    far.holder.save(update_fields=["user"])
    with pytest.raises(NotAllowed):
        act("grant_claim", far, at=moment, by=own, reason="x")
    weak = admin_actor()
    weak.user.is_superuser = False
    weak.user.save(update_fields=["is_superuser"])
    with pytest.raises(NotAllowed):
        act("grant_claim", far, at=moment, by=weak, reason="x")


def test_a_proof_is_forgotten_once_its_decision_can_no_longer_be_contested(far):
    moment = far.free_until
    claimed(far, at=moment)
    assert evidence.clear_away(at=moment + timedelta(days=3_000)) == 0, "not decided yet"
    act("grant_claim", far, at=moment, reason="Vu.")
    assert evidence.clear_away(at=moment + timedelta(days=30)) == 0
    assert evidence.clear_away(at=moment + timedelta(days=100)) == 1
    assert not Evidence.objects.exists()


# --- Absence ------------------------------------------------------------------------------------------


def test_somebody_is_absent_only_once_the_first_day_is_over(accepted, at):
    with pytest.raises(Refused, match="premier jour"):
        act("report_absence", accepted, at=first_day(accepted, at=at))
    assert act("report_absence", accepted, at=the_day_after(accepted, at=at)).state == State.ABSENT


def test_an_absence_that_nobody_explains_is_settled_as_a_late_cancellation(accepted, at):
    absent = bring(accepted, State.ABSENT, at=at)
    clock = clocks.running(absent, ClockKind.ABSENCE)
    with pytest.raises(Refused, match="pas écoulé"):
        act("settle_absence", absent, at=in_time(clock))
    assert deadlines.settle_overdue(at=clock.due_at).settled == 1
    closed = Dossier.objects.get(pk=absent.pk)
    assert closed.state == State.NO_SHOW
    assert (owned(accepted, at=at), due(accepted)) == (0, 5_000)
    assert integrity.check() == []


def test_an_absence_is_explained_until_the_last_microsecond(accepted, at):
    absent = bring(accepted, State.ABSENT, at=at)
    clock = clocks.running(absent, ClockKind.ABSENCE)
    with pytest.raises(Refused, match="dépassé"):
        claimed(absent, at=clock.due_at)
    assert claimed(absent, at=in_time(clock)).state == State.CLAIMED


def test_who_comes_late_is_in_training_after_all(accepted, at):
    absent = bring(accepted, State.ABSENT, at=at)
    moment = the_day_after(accepted, at=at)
    entered = act("enter", absent, at=moment, entered_on=workdays.paris_day(moment))
    assert entered.state == State.IN_TRAINING


# --- Exit and completion ------------------------------------------------------------------------------


def test_an_exit_is_neither_before_the_entry_nor_in_the_future(accepted, at):
    entered = bring(accepted, State.IN_TRAINING, at=at)
    moment = first_day(accepted, at=at)
    today = workdays.paris_day(moment)
    for day, words in (
        (entered.entered_on - timedelta(days=1), "avant l’entrée"),
        (today + timedelta(days=1), "futur"),
    ):
        with pytest.raises(Refused, match=words):
            act("end", entered, at=moment, exited_on=day, exit_reason=ExitReason.LEFT)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"done_minutes": 601}, "dépasse la durée prévue"),
        ({"done_minutes": -1}, "négative"),
        ({"total_minutes": 0, "done_minutes": 0}, "durée prévue"),
        ({"done_minutes": 300}, "dites pourquoi"),
        ({"cause": CompletionCause.LEFT}, "Tout a été suivi"),
        ({"done_minutes": 300, "cause": CompletionCause.LEFT}, "raison"),
        (
            {
                "done_minutes": 300,
                "cause": CompletionCause.INTERRUPTED,
                "words": "x",
                "force_majeure": True,
                "files": [a_proof()],
            },
            "n’excuse que",
        ),
        (
            {"done_minutes": 300, "cause": CompletionCause.LEFT, "words": "x", "force_majeure": True},
            "justificatif",
        ),
    ],
)
def test_a_completion_that_makes_no_sense_is_refused_beside_its_field(at, fields, words):
    ended = in_state(State.ENDED, at=at)
    with pytest.raises(Refused, match=words) as refusal:
        act("declare_completion", ended, at=at, **{"total_minutes": 600, "done_minutes": 600} | fields)
    assert refusal.value.field
    assert not Completion.objects.exists()


@pytest.mark.parametrize(
    ("done", "cause", "force_majeure", "back", "provider"),
    [
        (100, CompletionCause.COMPLETE, False, 0, 100_000),
        (80, CompletionCause.LEFT, False, 0, 100_000),
        (79, CompletionCause.LEFT, False, 0, 79_000),
        (25, CompletionCause.LEFT, False, 0, 25_000),
        (24, CompletionCause.LEFT, False, 0, 25_000),
        (60, CompletionCause.LEFT, True, 40_000, 60_000),
        (60, CompletionCause.INTERRUPTED, False, 100_000, 0),
        (60, CompletionCause.INTERRUPTED_AND_POSTPONED, False, 40_000, 60_000),
    ],
)
def test_what_was_done_decides_who_has_what(at, done, cause, force_majeure, back, provider):
    ended = in_state(State.ENDED, at=at)
    words = "" if cause == CompletionCause.COMPLETE else "Comme dit."
    files = [a_proof()] if force_majeure else []
    declared = act(
        "declare_completion",
        ended,
        at=noon(ended.ends_on, at=at),
        total_minutes=2_100,
        done_minutes=2_100 * done // 100,
        cause=cause,
        force_majeure=force_majeure,
        words=words,
        files=files,
    )
    assert (owned(ended, at=at), due(ended)) == (0, 0)
    clock = clocks.running(declared, ClockKind.VALIDATION)
    assert deadlines.settle_overdue(at=in_time(clock)).settled == 0
    assert deadlines.settle_overdue(at=clock.due_at).settled == 1
    assert Dossier.objects.get(pk=ended.pk).state == State.COMPLETION_VALIDATED
    assert (owned(ended, at=at), due(ended)) == (back, provider)
    assert integrity.check() == []


def test_a_dossier_is_settled_by_the_law_of_the_day_it_was_confirmed(at):
    ended = in_state(State.ENDED, at=at)
    decree("completion_full_percent", 95, since=workdays.paris_day(at) + timedelta(days=1))
    declared = act(
        "declare_completion",
        ended,
        at=noon(ended.ends_on, at=at),
        total_minutes=100,
        done_minutes=80,
        cause=CompletionCause.LEFT,
        words="Partie.",
    )
    deadlines.settle_overdue(at=clocks.running(declared, ClockKind.VALIDATION).due_at)
    assert due(ended) == PRICE


# --- Control ------------------------------------------------------------------------------------------


def test_a_contested_completion_is_not_validated_by_itself(at):
    declared = in_state(State.COMPLETION_DECLARED, at=at)
    clock = clocks.running(declared, ClockKind.VALIDATION)
    by = holder_actor(declared.holder)
    control = controls.open_control(declared.pk, by=by, at=in_time(clock), words="J’étais malade deux jours.")
    assert controls.open_control(declared.pk, by=by, at=in_time(clock), words="Encore.") == control
    deadlines.settle_overdue(at=clock.due_at + timedelta(days=30))
    with pytest.raises(Refused, match="contrôle est en cours"):
        training.validate(declared.pk, by=SYSTEM, at=clock.due_at, request_id=uuid.uuid4())
    assert due(declared) == 0
    assert {notice.user for notice in Notice.objects.filter(kind=Kind.CONTROL_OPENED) if notice.user} == {
        declared.holder.user,
        provider_actor(declared.provider).user,
    }


def test_a_completion_is_contested_until_the_last_microsecond(at):
    declared = in_state(State.COMPLETION_DECLARED, at=at)
    clock = clocks.running(declared, ClockKind.VALIDATION)
    with pytest.raises(Refused, match="contester est dépassé"):
        controls.open_control(declared.pk, by=holder_actor(declared.holder), at=clock.due_at, words="Non.")
    assert not Control.objects.exists()


def test_a_control_corrects_and_its_release_validates_at_once(at):
    declared = in_state(State.COMPLETION_DECLARED, at=at)
    moment, agent = noon(declared.ends_on, at=at), admin_actor()
    fields = {
        "total_minutes": 2_100,
        "done_minutes": 1_050,
        "cause": CompletionCause.LEFT,
        "force_majeure": False,
        "reason": "Émargements de deux jours et demi.",
    }
    with pytest.raises(Refused, match="Ouvrez d’abord"):
        act("correct_completion", declared, at=moment, by=agent, **fields)
    controls.open_control(declared.pk, by=agent, at=moment, words="Sondage.")
    act("correct_completion", declared, at=moment, by=agent, **fields)
    request_id = uuid.uuid4()
    for _click in range(2):
        done = controls.release_control(
            declared.pk, by=agent, at=moment, request_id=request_id, outcome="Corrigé à 50 %."
        )
    assert done.state == State.COMPLETION_VALIDATED
    assert due(declared) == 50_000
    assert [completion.rate for completion in Completion.objects.order_by("version")] == [100, 50]
    assert integrity.check() == []


def test_without_a_control_an_agent_validates_nothing_early(at):
    declared = in_state(State.COMPLETION_DECLARED, at=at)
    with pytest.raises(Refused, match="de lui-même"):
        training.validate(
            declared.pk, by=admin_actor(), at=noon(declared.ends_on, at=at), request_id=uuid.uuid4()
        )


def test_a_control_is_a_matter_of_the_holder_and_of_agents(at):
    declared = in_state(State.COMPLETION_DECLARED, at=at)
    moment = noon(declared.ends_on, at=at)
    weak = admin_actor()
    weak.user.is_superuser = False
    weak.user.save(update_fields=["is_superuser"])
    for by in (provider_actor(declared.provider), holder_actor(in_state(State.DRAFT, at=at).holder), weak):
        with pytest.raises(NotAllowed):
            controls.open_control(declared.pk, by=by, at=moment, words="x")


# --- Time given back ---------------------------------------------------------------------------------


def test_an_outage_gives_time_back_after_the_first_day_too(accepted, at):
    absent = bring(accepted, State.ABSENT, at=at)
    clock = clocks.running(absent, ClockKind.ABSENCE)
    asked = relief.propose(
        kind=Relief.Kind.EXTEND,
        dossiers=[absent.pk],
        reason="Panne.",
        extra_days=2,
        by=admin_actor(),
        at=clock.due_at,
    )
    assert relief.confirm(asked.pk, by=admin_actor(), at=clock.due_at).report == {str(absent.pk): "ok"}
    fresh = clocks.running(absent, ClockKind.ABSENCE)
    assert fresh.last_day == workdays.add_workdays(workdays.paris_day(clock.due_at), 2)
    assert claimed(absent, at=in_time(fresh)).state == State.CLAIMED


# --- An organisation that can no longer act -----------------------------------------------------------


@pytest.mark.parametrize("state", [State.ACCEPTED, State.ABSENT, State.IN_TRAINING, State.ENDED])
def test_two_persons_give_everything_back_for_an_organisation_that_is_gone(at, state):
    dossier = in_state(state, at=at)
    later = noon(dossier.ends_on, at=at) + timedelta(days=90)
    asked = relief.propose(
        kind=Relief.Kind.CALL_OFF, dossiers=[dossier.pk], reason="Liquidation.", by=admin_actor(), at=later
    )
    assert relief.confirm(asked.pk, by=admin_actor(), at=later).report == {str(dossier.pk): "ok"}
    assert Dossier.objects.get(pk=dossier.pk).state == State.CANCELLED_BY_PROVIDER
    assert (owned(dossier, at=later), due(dossier)) == (PRICE, 0)
    assert integrity.check() == []


def test_an_absence_that_is_settled_cannot_become_an_entry_before_the_job_passes(accepted, at):
    absent = bring(accepted, State.ABSENT, at=at)
    due_at = clocks.running(absent, ClockKind.ABSENCE).due_at
    with pytest.raises(Refused, match="l’absence est réglée"):
        act("enter", absent, at=due_at, entered_on=absent.starts_on)


def test_why_a_force_majeure_was_decided_is_not_the_organisation_s_business(far, client_for):
    moment = far.free_until
    claimed(far, at=moment)
    act("grant_claim", far, at=moment, reason="Certificat de psychiatrie lu.")
    told = Notice.objects.filter(kind=Kind.CLAIM_DECIDED)
    assert {bool(notice.facts["reason"]) for notice in told.filter(user=far.holder.user)} == {True}
    assert {bool(notice.facts["reason"]) for notice in told.exclude(user=far.holder.user)} == {False}
    member = provider_actor(far.provider).user
    page = client_for(member).get(reverse("provider_dossier", args=[far.pk])).text
    assert "psychiatrie" not in page
    assert "psychiatrie" in client_for(far.holder.user).get(reverse("dossier", args=[far.pk])).text


def test_a_completion_posted_for_a_dossier_that_waits_for_none_is_refused_in_words(at, client_for):
    for state in (State.REQUESTED, State.PROPOSED, State.ACCEPTED):
        dossier = in_state(state, at=at)
        client = client_for(provider_actor(dossier.provider).user)
        said = {"total_hours": "35", "done_hours": "35", "cause": "complete", "request_id": uuid.uuid4()}
        answer = client.post(reverse("provider_completion", args=[dossier.pk]), said)
        assert answer.status_code == 422
        assert "changé d’état" in answer.text


# --- A funder -----------------------------------------------------------------------------------------


def test_a_funder_that_cancels_gives_everything_back(accepted, at):
    gone = bring(accepted, State.CANCELLED_BY_FUNDER, at=at)
    assert gone.state == State.CANCELLED_BY_FUNDER
    assert (owned(accepted, at=at), due(accepted)) == (PRICE, 0)


def test_pockets_of_a_dossier_that_is_over_are_empty(at):
    """Whatever its end, nothing is left where a dossier's money waits."""
    for state in (State.COMPLETION_VALIDATED, State.NO_SHOW, State.CANCELLED_BY_FUNDER):
        in_state(state, at=at)
    waiting = Pocket.objects.filter(kind__in=(PocketKind.RESERVED, PocketKind.SPENT), balance__gt=0)
    assert not waiting.exists()

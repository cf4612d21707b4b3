"""What may come before a yes: prerequisites that are looked at, a funder who is asked."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.permissions import NotAllowed
from dossiers import clocks, deadlines
from dossiers.models import Dossier, FundingLine, Transition
from dossiers.states import ClockKind, State
from notices.kinds import Kind
from notices.models import Notice
from rights import integrity, ledger
from rights.kinds import FunderKind, PocketKind
from rights.models import Pocket
from rulebook import workdays
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    act,
    admin_actor,
    bring,
    in_business_days,
    propose_as_asked,
    provider_actor,
)
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


# --- Prerequisites ------------------------------------------------------------------------------------


@pytest.fixture
def looked_at(at):
    return bring(DossierFactory(at=at, requested=True), State.PREREQUISITES_CHECK, at=at)


def test_an_acknowledged_request_leaves_thirty_days_to_look_at_prerequisites(at):
    far = in_business_days(at, 60)
    session = SessionFactory(starts_on=far, ends_on=far, offer__certification__registered_until=FAR)
    dossier = bring(DossierFactory(at=at, session=session), State.PREREQUISITES_CHECK, at=at)
    clock = clocks.running(dossier, ClockKind.PREREQUISITES)
    assert clock.last_day == workdays.paris_day(at) + timedelta(days=30)
    assert Notice.objects.filter(kind=Kind.PREREQUISITES_CHECKED, user=dossier.holder.user).exists()
    assert propose_as_asked(dossier, at=clock.due_at - timedelta(microseconds=1)).state == State.PROPOSED


def test_where_there_is_nothing_to_look_at_the_answer_is_due_at_once(at):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="pas de prérequis"):
        act("acknowledge", dossier, at=at)


def test_an_acknowledgement_is_due_in_the_two_days_of_an_answer(at):
    dossier = DossierFactory(at=at, requested=True)
    dossier.offer.has_prerequisites = True
    dossier.offer.save(update_fields=["has_prerequisites"])
    due_at = clocks.running(dossier, ClockKind.PROVIDER_ANSWER).due_at
    with pytest.raises(Refused, match="délai est dépassé"):
        act("acknowledge", dossier, at=due_at)
    assert (
        act("acknowledge", dossier, at=due_at - timedelta(microseconds=1)).state == State.PREREQUISITES_CHECK
    )


@pytest.mark.parametrize("verb", ["refuse", "cancel"])
def test_while_prerequisites_are_looked_at_either_side_may_leave(looked_at, at, verb):
    reason = {"reason": "Niveau insuffisant."} if verb == "refuse" else {}
    assert act(verb, looked_at, at=at, **reason).state in (
        State.REFUSED_BY_PROVIDER,
        State.CANCELLED_BY_HOLDER,
    )


def test_silence_about_prerequisites_is_the_organisation_s(looked_at):
    clock = clocks.running(looked_at, ClockKind.PREREQUISITES)
    with pytest.raises(Refused, match="sans suite"):
        propose_as_asked(looked_at, at=clock.due_at)
    deadlines.settle_overdue(at=clock.due_at)
    over = Dossier.objects.get(pk=looked_at.pk)
    assert (over.state, over.silent_party) == (State.LAPSED, "provider")


# --- A funder ------------------------------------------------------------------------------------------


@pytest.fixture
def short(at):
    """A proposal of 1,000 € to a job seeker who has 400 €."""
    return DossierFactory(at=at, balance_cents=40_000, proposed=True)


def ask(dossier, *, at, amount=60_000):
    return act("ask_funder", dossier, at=at, amount_cents=amount)


def test_a_job_seeker_asks_for_what_is_missing_and_nothing_is_reserved_meanwhile(short, at):
    waiting = ask(short, at=at)
    assert waiting.state == State.FUNDER_REVIEW
    clock = clocks.running(short, ClockKind.FUNDER_ANSWER)
    assert clock.last_day == workdays.add_workdays(workdays.paris_day(at), 10)
    assert not FundingLine.objects.filter(dossier=short).exists()
    facts = Notice.objects.filter(kind=Kind.FUNDER_ASKED).first().facts
    for name in ("dossier_number", "training_title", "organisation_name"):  # any digits may stand there
        del facts[name]
    assert "600" not in str(facts), "what a holder lacks is not the organisation's business"


def test_a_funder_that_stays_silent_has_granted_all_that_was_asked(short, at):
    ask(short, at=at)
    clock = clocks.running(short, ClockKind.FUNDER_ANSWER)
    early = clock.due_at - timedelta(microseconds=1)
    assert deadlines.settle_overdue(at=early).settled == 0
    for _run in range(2):
        deadlines.settle_overdue(at=clock.due_at)
    back = Dossier.objects.get(pk=short.pk)
    assert back.state == State.PROPOSED
    purse = Pocket.objects.get(holder=short.holder, kind=PocketKind.TOP_UP)
    assert (purse.balance, purse.funder_kind, purse.expires_on) == (
        60_000,
        FunderKind.FRANCE_TRAVAIL,
        short.starts_on,
    )
    # The holder has their four days again, and nothing left to pay.
    fresh = clocks.running(back, ClockKind.HOLDER_ANSWER)
    assert fresh.opened_at == clock.due_at
    accepted = act("accept", back, at=clock.due_at)
    assert accepted.state == State.ACCEPTED
    assert integrity.check() == []


def test_a_funder_grants_less_or_nothing_and_the_holder_decides(short, at):
    ask(short, at=at)
    with pytest.raises(Refused, match="ce qui est demandé"):
        act("grant_top_up", short, at=at, by=admin_actor(), amount_cents=60_001)
    granted = act("grant_top_up", short, at=at, by=admin_actor(), amount_cents=20_000)
    assert granted.state == State.PROPOSED
    assert act("accept", granted, at=at).state == State.AWAITING_PAYMENT


def test_a_refusal_gives_the_proposal_back_to_its_holder_with_its_reason(short, at):
    ask(short, at=at)
    with pytest.raises(Refused, match="raison"):
        act("refuse_top_up", short, at=at, by=admin_actor(), reason=" ")
    back = act("refuse_top_up", short, at=at, by=admin_actor(), reason="Budget épuisé.")
    assert back.state == State.PROPOSED
    assert Transition.objects.latest("id").reason == "Budget épuisé."
    with pytest.raises(Refused, match="déjà été demandée"):
        ask(back, at=at)


@pytest.mark.parametrize("amount", [0, -1, 60_001])
def test_what_is_missing_is_asked_for_and_no_more(short, at, amount):
    with pytest.raises(Refused, match="ce qui manque") as refusal:
        ask(short, at=at, amount=amount)
    assert refusal.value.field == "amount"


def test_only_a_job_seeker_asks_early_enough(short, at):
    short.holder.status = "private_employee"
    short.holder.save(update_fields=["status"])
    with pytest.raises(Refused, match="demandeurs d’emploi"):
        ask(short, at=at)
    near = in_business_days(at, 20)
    session = SessionFactory(starts_on=near, ends_on=near, offer__certification__registered_until=FAR)
    soon = DossierFactory(at=at, session=session, balance_cents=1, proposed=True)
    with pytest.raises(Refused, match="21 jours ouvrés"):
        ask(soon, at=at, amount=1)


@pytest.mark.parametrize("verb", ["decline", "withdraw"])
def test_what_a_funder_gave_for_a_dossier_goes_back_to_it_when_that_one_ends(short, at, verb):
    ask(short, at=at)
    dossier = act("grant_top_up", short, at=at, by=admin_actor())
    if verb == "withdraw":
        dossier = act("accept", dossier, at=at)
    act(verb, dossier, at=at)
    assert [(purse.kind, purse.balance) for purse in ledger.purses(short.holder, at=at)] == [
        (PocketKind.ANNUAL, 40_000)
    ]
    assert integrity.check() == []


def test_what_a_funder_gave_for_one_dossier_pays_no_other(short, at):
    ask(short, at=at)
    act("grant_top_up", short, at=at, by=admin_actor())
    other = DossierFactory(at=at, holder=short.holder, balance_cents=0, proposed=True)
    accepted = act("accept", other, at=at)
    sources = {line.source.kind for line in FundingLine.objects.filter(dossier=accepted) if line.source}
    assert sources == {PocketKind.ANNUAL}


def test_a_funder_that_was_silent_has_granted_whatever_it_says_later(short, at):
    ask(short, at=at)
    due_at = clocks.running(short, ClockKind.FUNDER_ANSWER).due_at
    for verb, said in (("refuse_top_up", {"reason": "Non."}), ("grant_top_up", {"amount_cents": 1})):
        with pytest.raises(Refused, match="silence a tout accordé"):
            act(verb, short, at=due_at, by=admin_actor(), **said)


def test_what_a_funder_says_and_why_is_not_the_organisation_s_business(short, at, client_for):
    ask(short, at=at)
    act("refuse_top_up", short, at=at, by=admin_actor(), reason="Il lui reste 4 200 € ailleurs.")
    told = Notice.objects.filter(kind=Kind.FUNDER_ANSWERED)
    assert {bool(notice.facts["reason"]) for notice in told.filter(user=short.holder.user)} == {True}
    assert {bool(notice.facts["reason"]) for notice in told.exclude(user=short.holder.user)} == {False}
    member = provider_actor(short.provider).user
    page = client_for(member).get(reverse("provider_dossier", args=[short.pk])).text
    assert "4 200" not in page and "refusée" not in page
    assert "Réponse du financeur" in page


def test_nobody_of_the_administration_grants_themselves_anything(short, at):
    ask(short, at=at)
    own = admin_actor()
    short.holder.user = own.user
    short.holder.save(update_fields=["user"])
    for verb, said in (("grant_top_up", {}), ("refuse_top_up", {"reason": "x"})):
        with pytest.raises(NotAllowed):
            act(verb, short, at=at, by=own, **said)

"""What the holder's screens say: what a cancellation gives back to the cent, the way to go, the list."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.html import escape

from dossiers import clocks, deadlines, listing, screen, workflow
from dossiers.listing import HolderView
from dossiers.models import Dossier
from dossiers.states import ClockKind, State
from notices import messages
from notices.models import Notice
from rights.kinds import PocketKind
from rights.statements import statement
from rulebook import workdays
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory, act, bring, holder_actor, provider_actor
from tests.factories.rights import PurseFactory
from ui import french

pytestmark = pytest.mark.django_db


def shown(dossier, at):
    dossier = Dossier.objects.get(pk=dossier.pk)
    return screen.of(dossier, actor=holder_actor(dossier.holder), at=at)


@pytest.fixture
def with_dotation(at):
    """A dossier of 1,000 €: 300 € from a dotation that ends in ten days, the rest from annual rights."""
    holder = HolderFactory()
    ends = workdays.paris_day(at) + timedelta(days=10)
    PurseFactory(
        holder=holder, kind=PocketKind.DOTATION, label="Région", amount=300_00, expires_on=ends, at=at
    )
    return DossierFactory(at=at, holder=holder, accepted=True)


# --- If I cancel now -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        (State.DRAFT, None),
        (State.REQUESTED, "cancel"),
        (State.PROPOSED, "decline"),
        (State.ACCEPTED, "withdraw"),
        (State.LAPSED, None),
        (State.CANCELLED_BY_HOLDER, None),
    ],
)
def test_each_state_has_its_way_out_or_none(state, verb, at):
    dossier = DossierFactory(at=at)
    dossier = dossier if state == State.DRAFT else bring(dossier, state, at=at)
    way = shown(dossier, at).if_cancelled
    assert (way and way.verb) == verb


def test_before_the_holders_word_nothing_is_reserved(at):
    way = shown(DossierFactory(at=at, proposed=True), at).if_cancelled
    assert (way.back, way.back_cents, way.to_funders_cents, way.is_free, way.until) == ([], 0, 0, True, None)


def test_every_cent_comes_back_while_it_is_free(with_dotation, at):
    way = shown(with_dotation, at).if_cancelled
    assert [(label, cents) for label, cents, _note in way.back] == [
        ("Région", 300_00),
        ("Droits annuels", 700_00),
    ]
    assert (way.back_cents, way.to_funders_cents, way.is_free, way.until) == (
        1000_00,
        0,
        True,
        with_dotation.free_until,
    )


def test_what_comes_back_to_a_dotation_that_has_ended_is_said_to_be_lost(with_dotation, at):
    later = at + timedelta(days=12)
    assert later < with_dotation.free_until
    way = shown(with_dotation, later).if_cancelled
    assert (way.back_cents, way.to_funders_cents) == (700_00, 300_00)
    assert "ne pourra plus servir" in way.back[0][2]
    act("withdraw", with_dotation, at=later)
    after = shown(with_dotation, later + timedelta(days=30))
    assert after.lost_cents == 300_00
    assert "ne pourra plus servir" in after.money[0][2]


def test_the_mail_tells_the_holder_and_not_the_organisation_what_is_lost(with_dotation, at):
    act("withdraw", with_dotation, at=at + timedelta(days=12))
    told = Notice.objects.filter(kind="dossier_withdrawn")
    mine = told.get(user=with_dotation.holder.user)
    assert "300,00" in " ".join(messages.words_of(mine).paragraphs)
    for other in told.exclude(pk=mine.pk).order_by("id"):
        assert "300,00" not in " ".join(messages.words_of(other).paragraphs)
        assert not other.facts["lost"]


def test_a_mail_says_nothing_of_loss_when_there_is_none(with_dotation, at):
    act("withdraw", with_dotation, at=at + timedelta(days=1))
    mine = Notice.objects.get(kind="dossier_withdrawn", user=with_dotation.holder.user)
    assert "terminé" not in " ".join(messages.words_of(mine).paragraphs)


def test_a_dotation_that_ends_after_it_came_back_was_not_lost_by_the_cancellation(with_dotation, at):
    act("withdraw", with_dotation, at=at + timedelta(days=1))
    after = shown(with_dotation, at + timedelta(days=60))
    assert after.lost_cents == 0
    assert after.money[0][2] == ""


def test_the_sums_are_those_that_the_verb_gives_back(with_dotation, at, client_for):
    before = shown(with_dotation, at)
    held = {line.id: line.balance for line in _pockets(with_dotation, at)}
    act("withdraw", with_dotation, at=at)
    back = sum(line.balance - held[line.id] for line in _pockets(with_dotation, at))
    assert before.if_cancelled.back_cents == back == 1000_00


def _pockets(dossier, at):
    return statement(dossier.holder, at=at).pockets


def test_once_it_is_too_late_the_page_says_until_when_it_was(with_dotation, client_for):
    way = shown(with_dotation, with_dotation.free_until).if_cancelled
    assert way.is_free is False
    assert "withdraw" not in shown(with_dotation, with_dotation.free_until).verbs


def test_a_payment_comes_back_to_who_paid_and_one_not_made_is_not_said_to(at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    way = shown(dossier, at).if_cancelled
    assert (way.back_cents, len(way.back)) == (100_00, 1)
    cancelled = act("cancel", dossier, at=at)
    assert shown(cancelled, at).money[-1][0] == "N’a pas été payé"
    paid = DossierFactory(at=at, awaiting_payment=True)
    amount = workflow.remainder_line(paid).amount_cents
    act("confirm_payment", paid, at=at, reference="VIR-9", amount_cents=amount)
    label, cents, note = shown(paid, at).if_cancelled.back[-1]
    assert (label, cents, note) == ("Payé par vous", amount, "Remboursé sur le compte qui a payé.")


def test_an_overdue_dossier_has_nothing_left_to_cancel(at):
    dossier = DossierFactory(at=at - timedelta(days=30), requested=True)
    assert shown(dossier, at).if_cancelled is None


def test_an_organisation_reads_nothing_of_what_comes_back(with_dotation, at):
    found = screen.of(with_dotation, actor=provider_actor(with_dotation.provider), at=at)
    assert (found.if_cancelled, found.money, found.computed_for) == (None, [], "")


def test_the_plan_says_for_which_situation_it_was_made(at, client_for):
    dossier = DossierFactory(at=at, proposed=True)
    assert shown(dossier, at).computed_for == "Demandeur d’emploi"
    page = client_for(dossier.holder.user).get(reverse("dossier", args=[dossier.pk])).text
    assert "«\u00a0Demandeur d’emploi\u00a0»" in page or "« Demandeur d’emploi »" in page
    assert reverse("profile") in page
    assert shown(act("accept", dossier, at=at), at).computed_for == ""


# --- Where it goes -----------------------------------------------------------------------------------


def test_a_dossier_goes_from_done_to_next(at):
    assert screen.track(State.REQUESTED) == [
        ("done", "Demande"),
        ("now", "Réponse de l’organisme"),
        ("next", "Votre validation"),
        ("next", "Premier jour"),
    ]
    assert [look for look, _words in screen.track(State.AWAITING_PAYMENT)] == [
        "done",
        "done",
        "done",
        "now",
        "next",
    ]
    assert screen.track(State.ACCEPTED)[-1] == ("next", "Premier jour")
    for state in State:
        looks = [look for look, _words in screen.track(state)]
        assert looks == sorted(looks, key=["done", "now", "next"].index)
        assert looks.count("now") <= 1


def test_the_history_goes_on_with_what_comes(at):
    steps = shown(DossierFactory(at=at, requested=True), at).timeline
    assert [look for look, *_rest in steps] == ["done", "done", "now", "next", "next", "next"]
    over = shown(DossierFactory(at=at, refused=True), at).timeline
    assert [look for look, *_rest in over][-1] == "lost"


# --- The list --------------------------------------------------------------------------------------------


@pytest.fixture
def many(at):
    """One holder's dossiers in every situation; another's that could leak."""
    holder = HolderFactory()
    made = {
        name: DossierFactory(at=at, holder=holder, **state)
        for name, state in {
            "draft": {},
            "requested": {"requested": True},
            "proposed": {"proposed": True},
            "accepted": {"accepted": True},
            "refused": {"refused": True},
        }.items()
    }
    made["overdue"] = DossierFactory(at=at - timedelta(days=30), holder=holder, proposed=True)
    removed = DossierFactory(at=at, holder=holder, refused=True)
    made["removed"] = workflow.remove_from_list(removed.pk, by=holder_actor(holder), at=at)
    DossierFactory(at=at, proposed=True)
    return made


@pytest.mark.parametrize(
    ("view", "names"),
    [
        (HolderView.ALL, {"draft", "requested", "proposed", "accepted", "refused", "overdue"}),
        (HolderView.MINE, {"draft", "proposed"}),
        (HolderView.ONGOING, {"draft", "requested", "proposed", "accepted"}),
        (HolderView.OVER, {"refused", "overdue"}),
        (HolderView.REMOVED, {"removed"}),
    ],
)
def test_each_view_holds_what_its_name_says_and_its_count_agrees(many, view, names, at):
    by = holder_actor(many["draft"].holder)
    found = listing.holder_dossiers(by, at=at, view=view)
    assert {dossier.pk for dossier in found} == {many[name].pk for name in names}
    assert listing.holder_counts(by, at=at)[view] == len(names)


def test_a_training_goes_on_until_what_was_followed_is_validated(at):
    dossier = DossierFactory(at=at, accepted=True)
    by = holder_actor(dossier.holder)
    for state in (State.IN_TRAINING, State.ENDED, State.COMPLETION_DECLARED):
        bring(Dossier.objects.get(pk=dossier.pk), state, at=at)
        assert listing.holder_counts(by, at=at)[HolderView.ONGOING] == 1
    bring(Dossier.objects.get(pk=dossier.pk), State.COMPLETION_VALIDATED, at=at)
    assert listing.holder_counts(by, at=at)[HolderView.OVER] == 1


def test_the_minute_that_runs_out_comes_first_and_what_is_over_last(many, at):
    by = holder_actor(many["draft"].holder)
    order = [dossier.pk for dossier in listing.holder_dossiers(by, at=at)]
    dued = [many[name].pk for name in ("overdue", "requested", "proposed", "accepted")]
    assert [pk for pk in order if pk in dued] == dued
    assert order[-2:] == [many["draft"].pk, many["refused"].pk]


@pytest.mark.parametrize("query", ["soudure", "SOUDURE arc", "{number}", "ecole", "arc École"])
def test_a_word_or_a_number_finds_its_dossier(at, client_for, query):
    found = DossierFactory(at=at, requested=True)
    found.offer.title = "Soudure à l’arc"
    found.offer.save()
    found.provider.organisation.name = "École du Canal"
    found.provider.organisation.save()
    DossierFactory(at=at, holder=found.holder, requested=True, balance_cents=0)
    page = client_for(found.holder.user).get(
        reverse("dossiers"), {"q": query.format(number=f"{found.number[:5]} {found.number[5:]}")}
    )
    assert [row.dossier.pk for row in page.context["rows"]] == [found.pk]


def test_the_page_of_dossiers_shows_views_counts_and_keeps_the_filters(many, at, client_for):
    client = client_for(many["draft"].holder.user)
    page = client.get(reverse("dossiers"), {"voir": "a-faire"})
    assert [(str(label), count, is_here) for label, _url, count, is_here in page.context["tabs"]] == [
        ("Tous", 6, False),
        ("À faire", 2, True),
        ("En cours", 4, False),
        ("Terminés", 2, False),
        ("Retirés de la liste", 1, False),
    ]
    assert '<input type="hidden" name="voir" value="a-faire">' in page.text
    assert "Aucun dossier ne correspond" in client.get(reverse("dossiers"), {"q": "introuvable"}).text
    assert client.get(reverse("dossiers"), {"voir": "nulle-part", "state": "x"}).status_code == 200


def test_a_newcomer_is_led_to_the_search(client_for):
    page = client_for(HolderFactory().user).get(reverse("dossiers"))
    assert "Vous n’avez pas encore de dossier" in page.text
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]


# --- Throwing a draft away twice -------------------------------------------------------------------------


def discard(client, dossier, proof):
    data = {"request_id": uuid.uuid4(), "proof": proof}
    return client.post(reverse("dossier_discard", args=[dossier.pk]), data, follow=True)


def test_a_draft_thrown_away_twice_is_said_to_be_gone(at, client_for):
    dossier = DossierFactory(at=at)
    client = client_for(dossier.holder.user)
    proof = client.get(reverse("dossier", args=[dossier.pk])).context["discard_proof"]
    assert "Le brouillon est supprimé" in discard(client, dossier, proof).text
    again = discard(client, dossier, proof)
    assert again.status_code == 200
    assert "déjà supprimé" in again.text


def test_nobody_learns_of_a_draft_that_was_never_theirs(at, client_for):
    dossier = DossierFactory(at=at)
    mine = client_for(dossier.holder.user)
    proof = mine.get(reverse("dossier", args=[dossier.pk])).context["discard_proof"]
    stranger = client_for(HolderFactory().user)
    for given in (proof, "", "x"):
        assert discard(stranger, dossier, given).status_code == 404
    assert Dossier.objects.filter(pk=dossier.pk).exists()
    assert discard(mine, dossier, "").status_code == 200
    assert discard(mine, dossier, "").status_code == 404


def test_the_words_of_a_cancellation_that_is_refused_are_kept(at, client_for):
    dossier = DossierFactory(at=at, accepted=True)
    client = client_for(dossier.holder.user)
    long = "x" * 1001
    url = reverse("dossier_withdraw", args=[dossier.pk])
    response = client.post(url, {"request_id": uuid.uuid4(), "reason": long})
    assert response.status_code == 422
    assert long in response.text
    response = client.post(url, {"request_id": "", "reason": "Un empêchement."})
    assert response.status_code == 422
    assert "Un empêchement." in response.text


@pytest.mark.parametrize("count", [1, 3])
def test_a_dossier_takes_the_same_queries_whatever_its_money_has_lines(
    at, client_for, count, django_assert_num_queries
):
    holder = HolderFactory()
    for number in range(count - 1):
        PurseFactory(
            holder=holder, kind=PocketKind.DOTATION, label=f"Financeur {number}", amount=50_00, at=at
        )
    dossier = DossierFactory(at=at, holder=holder, accepted=True)
    client = client_for(holder.user)
    assert len(shown(dossier, at).money) == count
    # session, person, roles (two), dossier, clock, history, messages, lines, the law of the day it was
    # confirmed (two), its dates, unread notices
    with django_assert_num_queries(13):
        client.get(reverse("dossier", args=[dossier.pk]))


def test_who_has_to_act_is_told_it_is_for_them(at):
    """The sentence is the same for both sides; who must act is spoken to before it."""
    for traits, is_the_holder_s in (({"requested": True}, False), ({"proposed": True}, True)):
        dossier = DossierFactory(at=at, **traits)
        fresh = Dossier.objects.get(pk=dossier.pk)
        organisation = screen.of(fresh, actor=provider_actor(dossier.provider), at=at)
        holder = shown(dossier, at)
        assert holder.sentence == organisation.sentence
        assert (holder.is_yours, organisation.is_yours) == (is_the_holder_s, not is_the_holder_s)
    assert not shown(DossierFactory(at=at, accepted=True), at).is_yours


# --- What is late, and what comes after ----------------------------------------------------------------


@pytest.mark.parametrize("is_swept", [False, True], ids=["before the job", "after the job"])
def test_a_declaration_that_is_late_says_since_when_to_both_sides_and_stays_to_do(at, is_swept, client_for):
    began = at - timedelta(days=60)
    start = workdays.add_workdays(workdays.paris_day(began), 20)
    session = SessionFactory(starts_on=start, ends_on=start + timedelta(days=4))
    dossier = DossierFactory(at=began, session=session, ended=True)
    clock = clocks.running(dossier, ClockKind.COMPLETION)
    assert clock.due_at < at
    if is_swept:
        deadlines.settle_overdue(at=at)
        assert clocks.running(dossier, ClockKind.COMPLETION) is None
    member = provider_actor(dossier.provider)
    fresh = Dossier.objects.get(pk=dossier.pk)
    organisation = screen.of(fresh, actor=member, at=at)
    assert shown(dossier, at).late_since == organisation.late_since == clock.due_at
    assert "declare_completion" in organisation.verbs
    words = f"attendu au plus tard le {french.last_minute(clock.due_at)}"
    assert words in client_for(member.user).get(reverse("provider_dossier", args=[dossier.pk])).text
    assert words in client_for(dossier.holder.user).get(reverse("dossier", args=[dossier.pk])).text


def test_nothing_is_late_before_its_time_nor_once_it_is_done(at):
    for state in (State.REQUESTED, State.ACCEPTED, State.IN_TRAINING, State.ENDED, State.COMPLETION_DECLARED):
        assert shown(bring(DossierFactory(at=at), state, at=at), at).late_since is None
    claimed = bring(DossierFactory(at=at), State.CLAIMED, at=at)
    due_at = clocks.running(claimed, ClockKind.CLAIM).due_at
    later = due_at + timedelta(days=1)
    assert shown(claimed, later).late_since == due_at
    deadlines.settle_overdue(at=later)
    act("reject_claim", claimed, at=later, reason="Sans rapport avec la formation.")
    assert shown(claimed, later).late_since is None


def test_who_has_finished_is_not_told_to_ask_again(at, client_for):
    offers = {
        State.COMPLETION_VALIDATED: (reverse("search"), reverse("rights")),
        State.CLOSED_BY_PLATFORM: (f"{reverse('search')}?q=",),
        State.REFUSED_BY_PROVIDER: ("Vous pouvez refaire une demande",),
    }
    for state, links in offers.items():
        dossier = bring(DossierFactory(at=at), state, at=at)
        page = client_for(dossier.holder.user).get(reverse("dossier", args=[dossier.pk]))
        after = page.text.partition("titre-suite")[2].partition("</section>")[0]
        assert all(link in after for link in links), state
        asks_again = "Vous pouvez refaire une demande" in after
        assert asks_again is (state == State.REFUSED_BY_PROVIDER), state


def test_what_stands_in_the_way_of_a_proposal_is_said_once(at, client_for):
    offer = OfferFactory(
        kind="licence_light",
        certification=None,
        portal_code="CPF206",
        provider__is_approved_driving_school=True,
        sessions=0,
    )
    start = workdays.add_workdays(workdays.paris_day(at), 30)
    session = SessionFactory(offer=offer, starts_on=start, ends_on=start + timedelta(days=4))
    dossier = DossierFactory(at=at, session=session, is_exempt=False, requested=True)
    client, url = client_for(dossier.holder.user), reverse("dossier", args=[dossier.pk])
    for _state in ("requested", "proposed"):
        page = client.get(url)
        assert page.context["screen"].obstacle
        assert page.text.count(escape(page.context["screen"].obstacle)) == 1
        if dossier.state == State.REQUESTED:
            dossier = bring(dossier, State.PROPOSED, at=at)

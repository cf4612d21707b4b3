"""One answer for many requests: its preview, the click, what each line becomes, who may, what it costs."""

import threading
import uuid
from dataclasses import replace
from datetime import datetime, time, timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError, connections
from django.urls import reverse

from accounts.models import Membership
from accounts.permissions import NotAllowed
from catalog.models import Offer, Session
from dossiers import bulk, tasks, workflow
from dossiers.bulk import Outcome
from dossiers.models import Batch, BatchLine, Dossier, Transition
from dossiers.states import State
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, in_business_days, provider_actor
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def at():
    """A Tuesday morning: nothing here may hang on a weekend."""
    return datetime(2027, 3, 9, 10, tzinfo=workdays.PARIS)


def requests(count, *, at, **fields):
    """Several requests of as many people for one session."""
    first = DossierFactory(at=at, requested=True, **fields)
    others = [
        DossierFactory(at=at, requested=True, session=first.session, balance_cents=0)
        for _number in range(count - 1)
    ]
    return [first, *others]


def prepare(dossiers, *, at, answer="propose", by=None, request_id=None):
    by = by or provider_actor(dossiers[0].provider)
    ids = [dossier.pk for dossier in dossiers]
    return bulk.prepare(answer, dossiers=ids, by=by, at=at, request_id=request_id or uuid.uuid4())


def confirm(batch, *, at, **words):
    return bulk.confirm(batch.pk, by=provider_actor(batch.provider), at=at, **words)


def carry_out(batch, *, at):
    while bulk.carry_out(batch.pk, at=at, limit=10):
        pass
    batch.refresh_from_db()
    return [(line.outcome, line.obstacle) for line in batch.lines.order_by("position")]


def states(dossiers):
    return [Dossier.objects.get(pk=dossier.pk).state for dossier in dossiers]


# --- The preview -----------------------------------------------------------------------------------


def test_a_preview_says_price_days_and_deadline_and_answers_nobody(at):
    dossiers = requests(2, at=at)
    told = Notice.objects.count()
    batch = prepare(dossiers, at=at)
    for line, dossier in zip(batch.lines.order_by("position"), dossiers, strict=True):
        assert line.outcome == Outcome.WAITING
        assert (line.price_cents, line.starts_on, line.ends_on) == (
            dossier.asked_price_cents,
            dossier.session.starts_on,
            dossier.session.ends_on,
        )
    assert states(dossiers) == [State.REQUESTED] * 2
    assert Notice.objects.count() == told


def test_the_deadline_that_was_shown_is_the_one_that_runs(at):
    [dossier] = requests(1, at=at)
    batch = prepare([dossier], at=at)
    shown = batch.lines.get().holder_until
    confirm(batch, at=at)
    carry_out(batch, at=at)
    assert dossier.deadlines.get(closed_at=None).due_at == shown


def a_late_one(at):
    return DossierFactory(at=at - timedelta(days=20), requested=True)


def one_that_starts_too_soon(at):
    asked = at - timedelta(days=1)
    start = in_business_days(asked, 11)
    session = SessionFactory(starts_on=start, ends_on=start)
    return DossierFactory(at=asked, requested=True, session=session)


def one_whose_offer_is_hidden(at):
    dossier = DossierFactory(at=at, requested=True)
    Offer.objects.filter(pk=dossier.offer_id).update(is_published=False)
    return dossier


def one_that_was_answered(at):
    return DossierFactory(at=at, proposed=True)


def one_whose_session_moved(at):
    dossier = DossierFactory(at=at, requested=True)
    moved = dossier.session.starts_on + timedelta(days=7)
    Session.objects.filter(pk=dossier.session_id).update(starts_on=moved, ends_on=moved)
    return dossier


def one_at_any_time(at):
    session = SessionFactory(starts_on=None, ends_on=None)
    return DossierFactory(at=at, requested=True, session=session)


OBSTACLES = [
    (a_late_one, "Le délai est dépassé"),
    (one_that_starts_too_soon, "ne peut pas commencer avant"),
    (one_whose_offer_is_hidden, "n’est plus ouverte"),
    (one_that_was_answered, "a changé d’état"),
    (one_whose_session_moved, "a changé de dates"),
    (one_at_any_time, "indiquez ci-dessus la durée"),
]


@pytest.mark.parametrize(("make", "words"), OBSTACLES)
def test_what_cannot_be_proposed_is_set_aside_with_its_reason_and_stays_so(at, make, words):
    dossier = make(at)
    before = dossier.state
    batch = prepare([dossier], at=at)
    line = batch.lines.get()
    assert line.outcome == Outcome.SET_ASIDE
    assert words in line.obstacle
    with pytest.raises(Refused, match="Aucune de ces demandes"):
        confirm(batch, at=at)
    assert states([dossier]) == [before]


def test_a_duration_lets_entries_at_any_time_be_proposed(at):
    dossier = one_at_any_time(at)
    by = provider_actor(dossier.provider)
    batch = prepare([dossier], at=at)
    bulk.review(batch.pk, by=by, at=at, lasting_days=30)
    line = batch.lines.get()
    assert line.outcome == Outcome.WAITING
    assert line.ends_on == dossier.wished_start + timedelta(days=29)
    confirm(batch, at=at)
    assert carry_out(batch, at=at) == [(Outcome.DONE, "")]


@pytest.mark.parametrize("days", [0, -1, bulk.LASTING_DAYS_MAX + 1])
def test_a_duration_that_cannot_be_is_told_beside_its_field(at, days):
    dossier = one_at_any_time(at)
    batch = prepare([dossier], at=at)
    with pytest.raises(Refused) as refusal:
        bulk.review(batch.pk, by=provider_actor(dossier.provider), at=at, lasting_days=days)
    assert refusal.value.field == "lasting_days"


def test_a_preview_of_yesterday_is_made_again_before_it_is_confirmed(at):
    dossiers = requests(1, at=at)
    evening = datetime.combine(at.date(), time(23, 59), workdays.PARIS)
    batch = prepare(dossiers, at=evening)
    shown = batch.lines.get().holder_until
    after_midnight = evening + timedelta(minutes=2)
    with pytest.raises(Refused, match="autre jour"):
        confirm(batch, at=after_midnight)
    bulk.review(batch.pk, by=provider_actor(batch.provider), at=after_midnight)
    assert batch.lines.get().holder_until > shown
    confirm(batch, at=after_midnight)


def test_a_preview_that_nobody_confirms_is_thrown_away_and_a_confirmed_one_stays(at):
    dossiers = requests(2, at=at)
    forgotten, kept = prepare(dossiers[:1], at=at), prepare(dossiers[1:], at=at)
    confirm(kept, at=at)
    assert bulk.discard_forgotten(at=at + timedelta(hours=23)) == 0
    assert bulk.discard_forgotten(at=at + timedelta(hours=25)) == 1
    assert list(Batch.objects.values_list("pk", flat=True)) == [kept.pk]
    assert not Batch.objects.filter(pk=forgotten.pk).exists()
    with pytest.raises(Refused, match="déjà confirmée"):
        bulk.discard(kept.pk, by=provider_actor(kept.provider))


# --- The click -------------------------------------------------------------------------------------


def test_each_line_goes_through_the_verb_of_a_single_answer(at):
    dossiers = requests(3, at=at)
    batch = prepare(dossiers, at=at)
    confirm(batch, at=at)
    assert carry_out(batch, at=at) == [(Outcome.DONE, "")] * 3
    assert batch.finished_at == at
    assert states(dossiers) == [State.PROPOSED] * 3
    for line in batch.lines.all():
        move = Transition.objects.get(dossier_id=line.dossier_id, verb="propose")
        assert (move.request_id, move.request_id.version) == (line.request_id, 4)
        assert move.user == provider_actor(batch.provider).user
    assert Notice.objects.filter(kind="dossier_proposed").count() == 3


def test_a_refusal_in_bulk_tells_the_motive_and_the_words(at):
    dossiers = requests(2, at=at)
    batch = prepare(dossiers, at=at, answer="refuse")
    for given in ({}, {"motive": "other"}, {"motive": "other", "words": " \n"}, {"motive": "inventé"}):
        with pytest.raises(Refused):
            confirm(batch, at=at, **given)
    confirm(batch, at=at, motive="session_full", words="Prochaine session en mai.")
    carry_out(batch, at=at)
    assert states(dossiers) == [State.REFUSED_BY_PROVIDER] * 2
    moves = Transition.objects.filter(verb="refuse")
    assert {(move.cause, move.reason) for move in moves} == {
        ("session_full", "La session est complète.\nProchaine session en mai.")
    }


def test_what_changed_between_the_look_and_the_click_is_refused_for_its_line_only(at):
    gone, moved, fine = requests(3, at=at)
    batch = prepare([gone, moved, fine], at=at)
    act("cancel", gone, at=at)
    act("propose", moved, at=at, price_cents=90_000, starts_on=moved.session.starts_on,
        ends_on=moved.session.ends_on, change_reason="Remise.")  # fmt: skip
    confirm(batch, at=at)
    first, second, third = carry_out(batch, at=at)
    assert first[0] == second[0] == Outcome.REFUSED
    assert "Annulée par le titulaire" in first[1]
    assert "À valider par le titulaire" in second[1]
    assert third == (Outcome.DONE, "")
    assert Dossier.objects.get(pk=moved.pk).price_cents == 90_000


def test_lateness_is_judged_when_the_line_is_done(at):
    dossiers = requests(1, at=at)
    due = dossiers[0].deadlines.get(closed_at=None).due_at
    last_minute = due - timedelta(minutes=1)
    batch = prepare(dossiers, at=last_minute)
    confirm(batch, at=last_minute)
    [(outcome, why)] = carry_out(batch, at=due)
    assert outcome == Outcome.REFUSED
    assert "Le délai est dépassé" in why


def test_confirmed_twice_and_run_by_two_it_answers_once(at):
    dossiers = requests(2, at=at)
    batch = prepare(dossiers, at=at)
    first, again = confirm(batch, at=at), confirm(batch, at=at + timedelta(minutes=1))
    assert first.confirmed_at == again.confirmed_at
    carry_out(batch, at=at)
    carry_out(batch, at=at + timedelta(minutes=1))
    assert Transition.objects.filter(verb="propose").count() == 2
    assert batch.finished_at == at


def test_a_line_that_was_done_and_not_noted_is_not_done_twice(at):
    """The worker died between the answer and the note: in one transaction, neither is kept or both are."""
    dossiers = requests(1, at=at)
    batch = prepare(dossiers, at=at)
    confirm(batch, at=at)
    with patch.object(BatchLine, "save", side_effect=OperationalError), pytest.raises(OperationalError):
        bulk.carry_out(batch.pk, at=at, limit=1)
    assert states(dossiers) == [State.REQUESTED]
    assert carry_out(batch, at=at) == [(Outcome.DONE, "")]
    # And even were the note lost, the same request id finds the first answer.
    batch.lines.update(outcome=Outcome.WAITING)
    assert carry_out(batch, at=at) == [(Outcome.DONE, "")]
    assert Transition.objects.filter(verb="propose").count() == 1


def test_a_fault_of_ours_on_one_line_keeps_no_other_back(at):
    dossiers = requests(2, at=at)
    batch = prepare(dossiers, at=at)
    confirm(batch, at=at)
    propose = workflow.propose

    def broken(dossier_id, **proposal):
        if dossier_id == dossiers[0].pk:
            propose(dossier_id, **proposal)
            raise ZeroDivisionError
        return propose(dossier_id, **proposal)

    with patch.object(workflow, "propose", broken):
        first, second = carry_out(batch, at=at)
    assert first[0] == Outcome.REFUSED
    assert "rien n’a été fait" in first[1]
    assert second == (Outcome.DONE, "")
    assert states(dossiers) == [State.REQUESTED, State.PROPOSED]


def test_the_same_preparation_sent_twice_makes_one_batch(at):
    dossiers = requests(2, at=at)
    request_id = uuid.uuid4()
    assert prepare(dossiers, at=at, request_id=request_id) == prepare(dossiers, at=at, request_id=request_id)
    assert Batch.objects.count() == 1


# --- Who may ---------------------------------------------------------------------------------------


def test_another_organisations_dossier_makes_no_batch_at_all(at):
    mine, theirs = requests(1, at=at)[0], requests(1, at=at)[0]
    for stranger in (theirs.pk, uuid.uuid4(), DossierFactory(at=at).pk):
        with pytest.raises(Refused, match="n’est pas dans cette boîte"):
            bulk.prepare(
                "refuse",
                dossiers=[mine.pk, stranger],
                by=provider_actor(mine.provider),
                at=at,
                request_id=uuid.uuid4(),
            )
    assert not Batch.objects.exists()


def test_another_organisations_batch_is_neither_seen_nor_touched(at, client_for):
    mine, theirs = requests(1, at=at), requests(1, at=at)
    batch = prepare(theirs, at=at)
    by = provider_actor(mine[0].provider)
    for verb in (bulk.review, bulk.confirm):
        with pytest.raises(NotAllowed):
            verb(batch.pk, by=by, at=at)
    with pytest.raises(NotAllowed):
        bulk.discard(batch.pk, by=by)
    # Its request id, guessed, opens nothing either.
    with pytest.raises(Refused):
        prepare(mine, at=at, request_id=batch.creation_request_id)
    assert not batch.lines.exclude(dossier=theirs[0]).exists()
    client = client_for(by.user)
    assert client.get(reverse("provider_batch", args=[batch.pk])).status_code == 404
    assert theirs[0].holder.display_name not in client.get(reverse("provider_batches")).text


def test_neither_a_holder_nor_an_admin_answers_for_an_organisation(at):
    dossiers = requests(1, at=at)
    with pytest.raises(NotAllowed):
        prepare(dossiers, at=at, by=admin_actor())


@pytest.mark.parametrize("leave", ["membership", "login"])
def test_who_left_the_organisation_since_the_click_answers_for_it_no_more(at, leave):
    dossiers = requests(2, at=at)
    batch = prepare(dossiers, at=at)
    confirm(batch, at=at)
    bulk.carry_out(batch.pk, at=at, limit=1)
    user = provider_actor(batch.provider).user
    if leave == "membership":
        Membership.objects.filter(user=user).delete()
    else:
        user.is_active = False
        user.save()
    first, second = carry_out(batch, at=at)
    assert first == (Outcome.DONE, "")
    assert second[0] == Outcome.REFUSED
    assert "n’agit plus" in second[1]
    assert states(dossiers) == [State.PROPOSED, State.REQUESTED]


def test_a_colleague_confirms_what_another_prepared_and_signs_it(at):
    dossiers = requests(1, at=at)
    batch = prepare(dossiers, at=at)
    colleague = MembershipFactory(organisation=dossiers[0].provider.organisation).user
    bulk.confirm(batch.pk, by=replace(provider_actor(batch.provider), user=colleague), at=at)
    carry_out(batch, at=at)
    assert Transition.objects.get(verb="propose").user == colleague


def test_batches_are_bounded_in_size_and_in_number(at, monkeypatch):
    dossiers = requests(3, at=at)
    monkeypatch.setattr(bulk, "LINES_MAX", 2)
    with pytest.raises(Refused, match="2 demandes au plus"):
        prepare(dossiers, at=at)
    monkeypatch.setattr(bulk, "BATCHES_A_DAY_MAX", 1)
    prepare(dossiers[:2], at=at)
    with pytest.raises(Refused, match="en un jour"):
        prepare(dossiers[:2], at=at)
    prepare(dossiers[:2], at=at + timedelta(days=1, hours=1))


# --- The pages -------------------------------------------------------------------------------------


@pytest.fixture
def now():
    return datetime.now(workdays.PARIS)


@pytest.fixture
def member_of(client_for):
    return lambda dossier: client_for(provider_actor(dossier.provider).user)


def post_new(client, dossiers, query="", **data):
    fields = {"request_id": uuid.uuid4(), "answer": "propose", "dossier": [d.pk for d in dossiers]} | data
    return client.post(reverse("provider_batch_new") + query, fields)


def test_from_ticks_to_the_result_in_three_clicks(member_of, now):
    dossiers = requests(3, at=now)
    client = member_of(dossiers[0])
    inbox = client.get(reverse("provider_inbox"))
    assert inbox.text.count('name="dossier"') == 3
    answer = post_new(client, dossiers[:2])
    preview = client.get(answer.url)
    assert "Proposer 2 inscriptions" in preview.text
    assert "Rien n’est encore envoyé" in preview.text
    batch = Batch.objects.get()
    result = client.post(reverse("provider_batch_confirm", args=[batch.pk]), follow=True)
    assert "2 propositions envoyées" in result.text
    assert f"Suivant : {dossiers[2].holder.display_name}" in result.text
    assert states(dossiers) == [State.PROPOSED, State.PROPOSED, State.REQUESTED]
    assert "Proposer ce qui est demandé" in client.get(reverse("provider_batches")).text


def test_all_of_the_filter_takes_what_waits_there_and_nothing_else(member_of, now):
    first, second = requests(2, at=now)
    answered = DossierFactory(at=now, session=first.session, proposed=True, balance_cents=0)
    stranger = requests(1, at=now)[0]
    client = member_of(first)
    post_new(client, [], f"?q={second.number}", all="on")
    assert [line.dossier_id for line in Batch.objects.get().lines.all()] == [second.pk]
    Batch.objects.all().delete()
    post_new(client, [], all="on")
    chosen = set(Batch.objects.get().lines.values_list("dossier_id", flat=True))
    assert chosen == {first.pk, second.pk}
    assert not chosen & {answered.pk, stranger.pk}


@pytest.mark.parametrize("query", ["?starts_from=31/02/2027", "?training=x", "?view=toutes"])
def test_all_of_a_filter_that_means_nothing_answers_nobody(member_of, now, query):
    """A filter that is ignored would take everybody."""
    dossiers = requests(2, at=now)
    assert post_new(member_of(dossiers[0]), [], query, all="on").status_code == 422
    assert not Batch.objects.exists()


def test_more_than_the_most_at_once_takes_the_most_pressing_and_says_how_many_are_left(
    member_of, now, monkeypatch
):
    monkeypatch.setattr(bulk, "LINES_MAX", 2)
    dossiers = requests(3, at=now)
    client = member_of(dossiers[0])
    answer = post_new(client, [], all="on")
    assert "Il en reste 1 à préparer" in client.get(answer.url).text
    assert Batch.objects.get().lines.count() == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "Cochez au moins une demande"),
        ({"dossier": ["pas-un-uuid"]}, "Cochez des demandes"),
        ({"answer": "detruire"}, "Cochez des demandes"),
        ({"request_id": "00000000-0000-1000-8000-000000000000"}, "Rechargez-la"),
    ],
)
def test_a_broken_choice_is_said_on_the_inbox_and_loses_nothing(member_of, now, data, words):
    dossiers = requests(2, at=now)
    chosen = dossiers[:1] if "request_id" in data else []
    answer = post_new(member_of(dossiers[0]), chosen, **data)
    assert answer.status_code == 422
    assert words in answer.text
    if chosen:
        assert "checked" in answer.text
    assert not Batch.objects.exists()


def test_what_the_page_had_no_time_for_is_done_by_the_worker(member_of, now, monkeypatch):
    monkeypatch.setattr("dossiers.views.batches.IN_THE_PAGE_SECONDS", 0)
    sent = []
    monkeypatch.setattr(bulk.current_app, "send_task", lambda name, **options: sent.append(name))
    dossiers = requests(2, at=now)
    client = member_of(dossiers[0])
    client.get(post_new(client, dossiers).url)
    batch = Batch.objects.get()
    running = client.post(reverse("provider_batch_confirm", args=[batch.pk]), follow=True)
    assert sent.count(bulk.CARRY_OUT_TASK) == 1
    assert "Vos propositions partent" in running.text
    assert "every 1s" in running.text
    assert 'http-equiv="refresh"' in running.text
    tasks.carry_out_batches()
    url = reverse("provider_batch", args=[batch.pk])
    done = client.get(url, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="lot")
    assert "<html" not in done.text
    assert "every 1s" not in done.text
    assert "2 propositions envoyées" in done.text
    # Somebody who comes back later, or asks again, changes nothing.
    client.post(reverse("provider_batch_confirm", args=[batch.pk]))
    assert Transition.objects.filter(verb="propose").count() == 2


def test_a_broker_that_is_down_undoes_no_click(member_of, now, monkeypatch):
    def down(*_name, **_options):
        raise ConnectionError

    monkeypatch.setattr(bulk.current_app, "send_task", down)
    monkeypatch.setattr("notices.outbox._asked_until", [0.0])  # it would rest in the tests to come
    monkeypatch.setattr("dossiers.views.batches.IN_THE_PAGE_SECONDS", 0)
    dossiers = requests(1, at=now)
    batch = prepare(dossiers, at=now)
    answer = member_of(dossiers[0]).post(reverse("provider_batch_confirm", args=[batch.pk]))
    assert answer.status_code == 302
    assert bulk.to_carry_out() == [batch.pk]


def test_a_worker_that_does_not_come_leaves_the_page_a_way_on(member_of, now):
    dossiers = requests(1, at=now)
    batch = prepare(dossiers, at=now)
    confirm(batch, at=now)
    Batch.objects.update(confirmed_at=now - timedelta(minutes=5))
    client = member_of(dossiers[0])
    assert "Continuer l’envoi maintenant" in client.get(reverse("provider_batch", args=[batch.pk])).text
    client.post(reverse("provider_batch_confirm", args=[batch.pk]))
    assert states(dossiers) == [State.PROPOSED]


def test_more_proposals_than_places_is_said_before_the_click(member_of, now):
    dossiers = requests(3, at=now)
    Session.objects.filter(pk=dossiers[0].session_id).update(places=2)
    client = member_of(dossiers[0])
    assert "3 propositions pour 2 places libres sur 2" in client.get(post_new(client, dossiers).url).text
    few = client.get(post_new(client, dossiers[:2]).url)
    assert "places libres" not in few.text


def test_a_refusal_without_its_motive_keeps_the_words_beside_their_field(member_of, now):
    dossiers = requests(1, at=now)
    client = member_of(dossiers[0])
    batch = prepare(dossiers, at=now, answer="refuse")
    url = reverse("provider_batch_confirm", args=[batch.pk])
    kept = client.post(url, {"words": "Écrivez-nous en mai."})
    assert kept.status_code == 422
    assert "Écrivez-nous en mai." in kept.text
    assert 'href="#id_motive"' in kept.text
    assert client.post(url, {"motive": "other", "words": ""}).status_code == 422
    done = client.post(url, {"motive": "other", "words": "Écrivez-nous en mai."}, follow=True)
    assert "1 demande refusée" in done.text
    assert "Écrivez-nous en mai." in done.text


def test_a_preview_given_up_answers_nobody(member_of, now):
    dossiers = requests(1, at=now)
    batch = prepare(dossiers, at=now)
    said = member_of(dossiers[0]).post(reverse("provider_batch_discard", args=[batch.pk]), follow=True)
    assert "personne n’a reçu de réponse" in said.text
    assert not Batch.objects.exists()
    assert states(dossiers) == [State.REQUESTED]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("face", "queries"), [("preview", 7), ("result", 8)])
def test_a_batch_takes_the_same_queries_for_one_and_for_three(
    member_of, now, count, face, queries, django_assert_num_queries
):
    dossiers = requests(count, at=now)
    batch = prepare(dossiers, at=now)
    if face == "result":
        confirm(batch, at=now)
        carry_out(batch, at=now)
    client = member_of(dossiers[0])
    url = reverse("provider_batch", args=[batch.pk])
    client.get(url)
    with django_assert_num_queries(queries):
        client.get(url)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("answer", ["propose", "refuse"])
def test_a_preview_is_made_with_the_same_queries_for_one_and_for_three(
    at, count, answer, django_assert_num_queries
):
    dossiers = requests(count, at=at)
    by = provider_actor(dossiers[0].provider)
    with django_assert_num_queries(16):
        prepare(dossiers, at=at, answer=answer, by=by)


# --- Two workers at once ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_four_workers_share_the_lines_and_each_is_done_once(at):
    dossiers = requests(12, at=at)
    batch = prepare(dossiers, at=at)
    confirm(batch, at=at)
    gate = threading.Barrier(4)
    done = []

    def work():
        gate.wait()
        try:
            done.append(bulk.carry_out(batch.pk, at=at, limit=12))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    batch.refresh_from_db()
    assert sum(done) == 12
    assert batch.finished_at == at
    assert set(batch.lines.values_list("outcome", flat=True)) == {Outcome.DONE}
    assert Transition.objects.filter(verb="propose").count() == 12


def test_holders_are_told_by_name_who_answered(at):
    holder = HolderFactory(birth_name="Lefèvre")
    dossier = DossierFactory(at=at, requested=True, holder=holder)
    batch = prepare([dossier], at=at)
    confirm(batch, at=at)
    carry_out(batch, at=at)
    notice = Notice.objects.get(kind="dossier_proposed")
    assert notice.user == holder.user
    assert notice.facts["organisation_name"] == dossier.provider.organisation.name

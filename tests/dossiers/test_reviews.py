"""Reviews: who gives one and until when, what is counted, read, published, answered, reported, taken away."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pgtrigger
import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from accounts import freezing
from accounts.models import JournalEntry
from catalog.models import Offer, OfferIndex
from dossiers import review_guards, review_screen, reviews
from dossiers.models import Dossier, Review, ReviewReport, ReviewText
from dossiers.review_models import MARKS, REVIEWABLE_STATES
from dossiers.states import State
from dossiers.workflow import NotAllowed
from notices.kinds import Kind
from notices.messages import words_of
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import OfferFactory, ProviderFactory
from tests.factories.dossiers import DossierFactory, admin_actor, bring, holder_actor, provider_actor
from tests.factories.reviews import BEGAN, ReviewFactory, ended_dossier, marks_of, text_of
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


def give(dossier, *, at, mark=4, words="", **fields):
    fields = {
        "by": holder_actor(dossier.holder),
        "request_id": uuid.uuid4(),
        "marks": marks_of(mark),
    } | fields
    return reviews.give(dossier.pk, at=at, words=words, **fields)


def told(kind):
    return Notice.objects.filter(kind=kind).order_by("created_at", "pk")


def said_in(notice):
    words = words_of(notice)
    return " ".join([words.subject, *words.paragraphs])


def figures(offer):
    offer = Offer.objects.get(pk=offer.pk)
    return offer.rating_tenths, offer.reviews_count


# --- Who, and until when --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", REVIEWABLE_STATES)
def test_whoever_followed_a_training_to_its_end_gives_a_review(at, state):
    dossier = bring(DossierFactory(at=at - BEGAN), State(state), at=at - BEGAN)
    review = give(dossier, at=at, mark=5)
    assert [getattr(review, name) for name in MARKS] == [5] * 5
    assert review.mean_tenths == 50


@pytest.mark.parametrize("state", [State.ACCEPTED, State.IN_TRAINING, State.NO_SHOW, State.LAPSED])
def test_nobody_reviews_what_they_did_not_follow_to_its_end(at, state):
    dossier = bring(DossierFactory(at=at - BEGAN), state, at=at - BEGAN)
    with pytest.raises(Refused, match="une fois la formation terminée"):
        give(dossier, at=at)


def test_nobody_reviews_in_somebody_elses_place(at):
    dossier = ended_dossier()
    for by in (holder_actor(HolderFactory()), provider_actor(dossier.provider), admin_actor()):
        with pytest.raises(NotAllowed):
            give(dossier, at=at, by=by)
        with pytest.raises(NotAllowed):
            reviews.take_away(dossier.pk, by=by, at=at)
    assert not Review.objects.exists()


def test_a_review_is_given_until_a_day_of_the_rulebook(at, rules):
    dossier = ended_dossier()
    last = dossier.exited_on + timedelta(days=rules.review_days)
    too_late = workdays.midnight_after(last)
    with pytest.raises(Refused, match="se donnait jusqu’au"):
        give(dossier, at=too_late)
    assert give(dossier, at=too_late - timedelta(seconds=1))


def test_a_review_is_changed_for_some_days_and_taken_away_for_ever(at, rules):
    review = ReviewFactory(mark=2)
    dossier = review.dossier
    until = review_guards.changes_until(review, rules)
    assert until == workdays.midnight_after(
        workdays.paris_day(review.written_at) + timedelta(days=rules.review_edit_days)
    )
    changed = give(dossier, at=until - timedelta(seconds=1), mark=5)
    assert changed.pk == review.pk and changed.welcome == 5 and changed.edited_at
    with pytest.raises(Refused, match="ne se modifie plus"):
        give(dossier, at=until, mark=1)
    reviews.take_away(dossier.pk, by=holder_actor(dossier.holder), at=until + timedelta(days=400))
    assert not Review.objects.exists()
    reviews.take_away(dossier.pk, by=holder_actor(dossier.holder), at=until + timedelta(days=401))


def test_a_double_click_gives_one_review(at):
    dossier, request_id = ended_dossier(), uuid.uuid4()
    first, second = (give(dossier, at=at, request_id=request_id, words="Bien.") for _click in range(2))
    assert first == second
    assert ReviewText.objects.count() == 1
    assert JournalEntry.objects.filter(action="review_given").count() == 1


def test_a_frozen_account_gives_nothing_and_may_still_take_away(at):
    dossier = ReviewFactory().dossier
    freezing.freeze(dossier.holder_id, by=holder_actor(dossier.holder), at=at)
    with pytest.raises(Refused, match="gelé"):
        give(dossier, at=at)
    reviews.take_away(dossier.pk, by=holder_actor(dossier.holder), at=at)


def test_an_offer_of_demonstration_receives_none(at):
    dossier = ended_dossier()
    Offer.objects.filter(pk=dossier.offer_id).update(is_demonstration=True)
    with pytest.raises(Refused, match="démonstration"):
        give(dossier, at=at)
    assert review_screen.of_holder(Dossier.objects.get(pk=dossier.pk), at=at) is None


@pytest.mark.parametrize("mark", [0, 6, -1, "5", None, 4.5])
def test_a_mark_is_a_whole_number_from_one_to_five(at, mark):
    with pytest.raises(Refused) as refusal:
        give(ended_dossier(), at=at, marks=marks_of(4, team=mark))
    assert refusal.value.field == "team"
    assert "équipe de formateurs" in refusal.value.message


def test_all_five_marks_are_asked(at):
    with pytest.raises(Refused) as refusal:
        give(ended_dossier(), at=at, marks={"welcome": 4})
    assert refusal.value.field == "content"


# --- What is counted ------------------------------------------------------------------------------------


def test_figures_count_at_once_and_a_mean_needs_several(at, rules):
    offer = OfferFactory()
    for number in range(1, rules.review_average_min):
        ReviewFactory(offer=offer, mark=5)
        assert figures(offer) == (None, number)
    last = ReviewFactory(offer=offer, mark=2)
    assert figures(offer) == (44, rules.review_average_min)
    assert OfferIndex.objects.get(offer=offer).rating_tenths == 44
    give(last.dossier, at=at, mark=1)
    assert figures(offer) == (42, rules.review_average_min)
    reviews.take_away(last.dossier_id, by=holder_actor(last.dossier.holder), at=at)
    assert figures(offer) == (None, rules.review_average_min - 1)


def test_the_sweep_puts_right_what_an_import_held_and_touches_nothing_else(at, rules):
    reviewed, others = OfferFactory(sessions=0), OfferFactory.create_batch(2)
    ReviewFactory(offer=reviewed)
    assert reviews.recount_all(at=at) == 0
    Offer.objects.filter(pk=reviewed.pk).update(reviews_count=0)
    Offer.objects.filter(pk=others[0].pk).update(reviews_count=9, rating_tenths=50)
    assert reviews.recount_all(at=at) == 2
    # What the search keeps of them follows.
    assert OfferIndex.objects.get(offer=others[0]).rating_tenths is None
    assert figures(reviewed) == (None, 1)
    assert figures(others[0]) == (None, 0)
    assert reviews.recount_all(at=at) == 0


def test_another_minimum_in_the_rulebook_shows_or_hides_means(rules):
    offer = OfferFactory(sessions=0)
    ReviewFactory(offer=offer, mark=3)
    reviews.recount(offer.pk, rules=replace(rules, review_average_min=1))
    assert figures(offer) == (30, 1)


def test_distribution_criteria_and_interval(at, rules):
    offer = OfferFactory(sessions=0)
    for mark in (5, 5, 4, 3, 1):
        ReviewFactory(offer=offer, mark=mark)
    dossier = ended_dossier(offer)
    give(dossier, at=at, marks=marks_of(4, welcome=5, content=5))  # 22 of 25: nearest to 4
    offer.refresh_from_db()
    found = review_screen.of_offer(offer, page=1, rules=rules).figures
    assert [(share.mark, share.count) for share in found.shares] == [(5, 2), (4, 2), (3, 1), (2, 0), (1, 1)]
    assert found.criteria[0] == ("Accueil", "3,8", 38)
    assert found.mean == "3,7" and offer.rating_tenths == 37
    low, high = found.between
    assert (low, high) == ("2,5", "5,0")
    assert found.count == 6


def test_where_all_agree_no_interval_is_claimed(rules):
    offer = OfferFactory(sessions=0)
    for _number in range(rules.review_average_min):
        ReviewFactory(offer=offer, mark=4)
    offer.refresh_from_db()
    assert review_screen.of_offer(offer, page=1, rules=rules).figures.between is None


# --- Words ------------------------------------------------------------------------------------------------


def test_words_wait_until_an_agent_publishes_them(at, rules):
    review = ReviewFactory(words="Des cas concrets, un rythme soutenu.")
    offer = Offer.objects.get(pk=review.dossier.offer_id)
    assert text_of(review).state == ReviewText.State.WAITING
    assert review_screen.of_offer(offer, page=1, rules=rules).comments.paginator.count == 0
    reviews.publish(text_of(review).pk, by=admin_actor(), at=at)
    [comment] = review_screen.of_offer(offer, page=1, rules=rules).comments
    assert comment.words == "Des cas concrets, un rythme soutenu."
    assert comment.trained_on == review.dossier.exited_on


@pytest.mark.parametrize(
    "words", ["Appelez-moi au 06 12 34 56 78", "a@exemple.fr", "voir exemple.fr", "carte 4111 1111 1111 1111"]
)
def test_contact_details_and_numbers_are_refused_beside_the_field(at, words):
    with pytest.raises(Refused, match="retirez-le") as refusal:
        give(ended_dossier(), at=at, words=words)
    assert refusal.value.field == "words"
    assert not Review.objects.exists()


def test_words_have_a_length_that_is_told(at):
    with pytest.raises(Refused, match="1001 signes"):
        give(ended_dossier(), at=at, words="x" * 1001)
    assert give(ended_dossier(), at=at, words="x" * 1000)


def test_refused_words_say_why_to_their_author_and_may_be_written_again(at):
    review = ReviewFactory(refused="person")
    text = text_of(review)
    assert (text.state, text.motive) == ("refused", "person")
    [notice] = told(Kind.REVIEW_REFUSED)
    assert notice.user == review.dossier.holder.user
    assert "nomme une personne" in said_in(notice)
    give(review.dossier, at=at, words="Sans nommer personne.")
    text.refresh_from_db()
    assert (text.state, text.motive, text.decided_by) == ("waiting", "", None)


def test_other_words_are_read_again_and_lose_their_answer(at):
    review = ReviewFactory(published=True, answer="Merci.")
    give(review.dossier, at=at, words="D’autres mots.")
    assert text_of(review).state == "waiting"
    assert ReviewText.objects.count() == 1


def test_the_same_words_with_other_marks_stay_published(at):
    review = ReviewFactory(published=True, words="Les mêmes.")
    give(review.dossier, at=at, words="Les mêmes.", mark=1)
    assert text_of(review).state == "published"


def test_words_taken_off_leave_the_marks(at):
    review = ReviewFactory(published=True)
    give(review.dossier, at=at, words="")
    assert not ReviewText.objects.exists() and Review.objects.exists()


def test_an_agent_decides_once_never_of_their_own_words_and_nobody_else_does(at):
    review = ReviewFactory(words="Bien.")
    text = text_of(review)
    for by in (holder_actor(review.dossier.holder), provider_actor(review.dossier.provider)):
        with pytest.raises(NotAllowed):
            reviews.publish(text.pk, by=by, at=at)
    own = admin_actor()
    ReviewText.objects.filter(pk=text.pk).update(user=own.user)
    with pytest.raises(NotAllowed, match="propres mots"):
        reviews.publish(text.pk, by=own, at=at)
    agent = admin_actor()
    assert reviews.publish(text.pk, by=agent, at=at) == reviews.publish(text.pk, by=agent, at=at)
    with pytest.raises(Refused, match="déjà décidé"):
        reviews.refuse(text.pk, by=agent, at=at, motive="abuse")
    with pytest.raises(Refused, match="motif"):
        reviews.refuse(text_of(ReviewFactory(words="x")).pk, by=agent, at=at, motive="parce que")


# --- The organisation --------------------------------------------------------------------------------------


def answer(review, *, at, words="Merci de votre retour.", **fields):
    fields = {"by": provider_actor(review.dossier.provider), "request_id": uuid.uuid4()} | fields
    return reviews.answer(review.pk, at=at, words=words, **fields)


def test_an_organisation_answers_once_and_its_answer_is_read_first(at, rules):
    review = ReviewFactory(published=True)
    request_id = uuid.uuid4()
    text = answer(review, at=at, request_id=request_id)
    assert answer(review, at=at, request_id=request_id) == text
    offer = Offer.objects.get(pk=review.dossier.offer_id)
    [comment] = review_screen.of_offer(offer, page=1, rules=rules).comments
    assert comment.answer == ""
    with pytest.raises(Refused, match="déjà répondu"):
        answer(review, at=at)
    reviews.publish(text.pk, by=admin_actor(), at=at)
    [comment] = review_screen.of_offer(offer, page=1, rules=rules).comments
    assert comment.answer == "Merci de votre retour."
    with pytest.raises(Refused, match="déjà répondu"):
        answer(review, at=at)


def test_an_answer_that_is_refused_may_be_written_again(at):
    review = ReviewFactory(published=True)
    text = answer(review, at=at)
    reviews.refuse(text.pk, by=admin_actor(), at=at, motive="person")
    assert told(Kind.REVIEW_REFUSED).filter(user=provider_actor(review.dossier.provider).user).exists()
    assert answer(review, at=at, words="Merci.").state == "waiting"


def test_one_answers_published_words_of_one_s_own_trainings_only(at):
    review = ReviewFactory(words="Bien.")
    with pytest.raises(Refused, match="pas de texte publié"):
        answer(review, at=at)
    for by in (provider_actor(ProviderFactory()), holder_actor(review.dossier.holder), admin_actor()):
        with pytest.raises(NotAllowed):
            answer(review, at=at, by=by)
    reviews.publish(text_of(review).pk, by=admin_actor(), at=at)
    with pytest.raises(Refused, match="Écrivez votre réponse"):
        answer(review, at=at, words="  ")
    with pytest.raises(Refused, match="retirez-le"):
        answer(review, at=at, words="Écrivez à contact@exemple.fr")


def report(review, *, at, motive="person", **fields):
    fields = {"by": provider_actor(review.dossier.provider), "request_id": uuid.uuid4()} | fields
    return reviews.report(review.pk, at=at, motive=motive, **fields)


def test_an_organisation_reports_once_and_the_words_stay_until_somebody_decides(at):
    review = ReviewFactory(published=True)
    reported = report(review, at=at)
    assert text_of(review).state == "published"
    with pytest.raises(Refused, match="déjà signalé"):
        report(review, at=at)
    agent = admin_actor()
    assert reviews.keep(reported.pk, by=agent, at=at).outcome == "kept"
    assert text_of(review).state == "published"
    with pytest.raises(Refused, match="déjà décidé"):
        reviews.remove(reported.pk, by=agent, at=at, motive="person")


def test_reported_words_are_removed_for_a_motive_and_both_are_told(at):
    review = ReviewFactory(published=True)
    reported = report(review, at=at)
    reviews.remove(reported.pk, by=admin_actor(), at=at, motive="abuse")
    assert (text_of(review).state, text_of(review).motive) == ("refused", "abuse")
    assert told(Kind.REVIEW_REFUSED).get().user == review.dossier.holder.user
    assert "retiré" in said_in(told(Kind.REVIEW_REPORT_DECIDED)[0])
    assert figures(review.dossier.offer) == (None, 1)  # the marks still count


def test_a_report_of_words_that_changed_has_no_object(at):
    review = ReviewFactory(published=True)
    reported = report(review, at=at)
    give(review.dossier, at=at, words="Autre chose.")
    reported.refresh_from_db()
    assert reported.outcome == "moot"
    with pytest.raises(Refused, match="Sans objet"):
        reviews.keep(reported.pk, by=admin_actor(), at=at)


def test_reports_are_limited_by_the_day_and_carry_a_motive_of_the_list(at, monkeypatch):
    monkeypatch.setattr(review_guards, "REPORTS_A_DAY", 1)
    first = ReviewFactory(published=True)
    with pytest.raises(Refused, match="motif"):
        report(first, at=at, motive="je n’aime pas")
    report(first, at=at)
    second = ReviewFactory(published=True, offer=first.dossier.offer)
    with pytest.raises(Refused, match="Reprenez demain"):
        report(second, at=at)


def test_nothing_that_an_organisation_is_told_names_who_wrote(at):
    review = ReviewFactory(published=True, words="Très bien.")
    dossier = review.dossier
    reported = report(review, at=at)
    reviews.keep(reported.pk, by=admin_actor(), at=at)
    member = provider_actor(dossier.provider).user
    notices = Notice.objects.filter(user=member, kind__startswith="review_")
    assert {notice.kind for notice in notices} == {"review_published", "review_report_decided"}
    secrets = (str(dossier.pk), dossier.number, dossier.holder.birth_name, dossier.holder.user.email)
    for notice in notices:
        for secret in (*secrets, "Très bien."):
            assert secret not in f"{notice.facts} {notice.link} {said_in(notice)}"


# --- The invitation ------------------------------------------------------------------------------------


def test_one_is_invited_once_some_days_after_the_end(at, rules):
    dossier = ended_dossier()
    due = workdays.midnight_of(dossier.exited_on + timedelta(days=rules.review_invite_days))
    assert reviews.invite(at=due - timedelta(seconds=1)) == 0
    assert reviews.invite(at=due) == 1
    assert reviews.invite(at=due + timedelta(days=1)) == 0
    [notice] = told(Kind.REVIEW_INVITED)
    assert notice.user == dossier.holder.user
    assert notice.link.endswith(f"{dossier.pk}/avis")
    assert "ne vous relancerons pas" in said_in(notice)


def test_nobody_is_invited_who_has_written_or_is_too_late(at, rules):
    ReviewFactory()
    late = ended_dossier()
    too_late = workdays.midnight_after(late.exited_on + timedelta(days=rules.review_days))
    assert reviews.invite(at=too_late) == 0
    assert reviews.invite(at=at) == 2
    assert told(Kind.REVIEW_INVITED).count() == 1


def test_invitations_go_out_by_lots(at):
    for _number in range(3):
        ended_dossier()
    assert reviews.invite(at=at, limit=2) == 2
    assert reviews.invite(at=at, limit=2) == 1
    assert told(Kind.REVIEW_INVITED).count() == 3


# --- Whatever the code ---------------------------------------------------------------------------------


def test_no_review_enters_without_a_training_that_was_followed(at):
    given = {"written_at": at, "request_id": uuid.uuid4(), **marks_of(5)}
    going = DossierFactory(at=at, accepted=True)
    with pytest.raises(ProgrammingError, match="review_is_of_a_training"), transaction.atomic():
        Review.objects.create(dossier=going, **given)
    with pgtrigger.ignore("dossiers.Review:review_is_of_a_training_that_was_followed"):
        assert Review.objects.create(dossier=going, **given)


def test_marks_out_of_the_scale_are_refused_by_the_database(at):
    dossier = ended_dossier()
    with pytest.raises(IntegrityError, match="review_marks_are_from_one_to_five"), transaction.atomic():
        Review.objects.create(dossier=dossier, written_at=at, request_id=uuid.uuid4(), **marks_of(5, team=6))


def test_a_decided_report_does_not_change(at):
    reported = report(ReviewFactory(published=True), at=at)
    reviews.keep(reported.pk, by=admin_actor(), at=at)
    with pytest.raises(ProgrammingError, match="review_report_is_decided_once"), transaction.atomic():
        ReviewReport.objects.filter(pk=reported.pk).update(outcome="removed")


def test_a_review_keeps_its_dossier(at):
    review, other = ReviewFactory(), ended_dossier()
    with pytest.raises(ProgrammingError, match="review_keeps_its_dossier"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(dossier=other)

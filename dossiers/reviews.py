"""What people think of a training they followed, what its organisation answers, and what the portal shows.

The same six steps as in workflow: lock · same request again? · guards · write · tell · return. Locks, always
in this order: dossier, holder, offer (docs/locks.md). The marks count at once; words wait for an agent, who
publishes them or says why not, from a list. Nobody but their author and the administration can go from a
review to a dossier: notices and pages of the organisation carry neither name nor number.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

import rulebook
from accounts import journal
from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from catalog import indexing
from catalog.guards import unless_an_import_holds_it
from catalog.models import Offer
from dossiers import announcements, moves, permissions
from dossiers import review_guards as guards
from dossiers.models import Dossier, Review, ReviewReport, ReviewText
from dossiers.review_models import MARKS, REVIEWABLE_STATES
from notices.kinds import Kind
from rulebook import Rules, workdays
from ui.refusals import Refused

__all__ = ["NotAllowed", "Refused"]

INVITATIONS_A_RUN = 500


# --- The holder ---------------------------------------------------------------------------------------


def give(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, marks: Mapping[str, int], words: str = ""
) -> Review:
    """Give a review of a training that is over, or change one's own. By its holder.

    Effects: the Review; its words wait to be read (other words than before: again; a report of the former
    ones has no object any more); the figures of its offer.
    """
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        moves.lock_holder(dossier)
        review = Review.objects.filter(dossier=dossier).first()
        if review is not None and review.request_id == request_id:
            return review
        rules = rulebook.on(workdays.paris_day(at))
        guards.check_open(dossier, review, at=at, rules=rules)
        marks = guards.check_marks(marks)
        words = guards.check_words(words, field="words")
        if review is None:
            review = Review.objects.create(dossier=dossier, written_at=at, request_id=request_id, **marks)
        else:
            for name, mark in marks.items():
                setattr(review, name, mark)
            review.edited_at, review.request_id = at, request_id
            review.save(update_fields=[*MARKS, "edited_at", "request_id"])
        _write_words(review, words, by=by, at=at, request_id=request_id)
        journal.record(by=by, action="review_given", subject=dossier, at=at)
        recount(dossier.offer_id, rules=rules)
    return review


def take_away(dossier_id: UUID, *, by: Actor, at: datetime) -> None:
    """Delete one's own review, with its words, their answer and a report of them; at any time. Done twice,
    it changes nothing."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        permissions.check_holder(dossier, by)
        deleted, _each = Review.objects.filter(dossier=dossier).delete()
        if not deleted:
            return
        journal.record(by=by, action="review_taken_away", subject=dossier, at=at)
        recount(dossier.offer_id, rules=rulebook.on(workdays.paris_day(at)))


def invite(*, at: datetime, limit: int = INVITATIONS_A_RUN) -> int:
    """Invite whoever ended a training some days ago to say what they think of it: once, never again.

    Returns how many. Whoever has already given a review, has no account any more, or is too late for one, is
    not written to; nor is anybody about an offer of demonstration.
    """
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    with transaction.atomic():
        found = Dossier.objects.filter(
            state__in=REVIEWABLE_STATES,
            review_invited_at__isnull=True,
            exited_on__lte=today - timedelta(days=rules.review_invite_days),
            exited_on__gte=today - timedelta(days=rules.review_days),
            offer__is_demonstration=False,
        )
        locked = found.select_related("offer", "provider__organisation", "holder__user").select_for_update(
            of=("self",), skip_locked=True, no_key=True
        )
        dossiers = list(locked.order_by("exited_on", "pk")[:limit])
        done = set(Review.objects.filter(dossier__in=dossiers).order_by().values_list("dossier", flat=True))
        for dossier in dossiers:
            if dossier.pk not in done:
                announcements.invite_to_review(dossier, last_day=guards.last_day(dossier, rules), at=at)
        Dossier.objects.filter(pk__in=[dossier.pk for dossier in dossiers]).update(review_invited_at=at)
    return len(dossiers)


# --- The organisation ---------------------------------------------------------------------------------


def answer(review_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> ReviewText:
    """Answer the published words of a review, once. By a member of its organisation.

    Refused already: other words may be sent instead, and are read again. Effects: a ReviewText that waits.
    """
    with transaction.atomic():
        review = _lock_review_of(review_id, by)
        known = ReviewText.objects.filter(review=review, role=Role.PROVIDER).first()
        if known is not None and known.request_id == request_id:
            return known
        if known is not None and known.state != ReviewText.State.REFUSED:
            raise Refused(_("Votre organisme a déjà répondu à cet avis."))
        _published_words(review)
        words = guards.check_words(words, field="words", is_required=True)
        text = known or ReviewText(review=review, role=Role.PROVIDER)
        _wait(text, words, by=by, at=at, request_id=request_id)
        journal.record(by=by, action="review_answered", subject=review, at=at)
    return text


def report(
    review_id: UUID, *, by: Actor, at: datetime, request_id: UUID, motive: str, words: str = ""
) -> ReviewReport:
    """« Signaler cet avis »: its words should not be shown, says a member of its organisation. Once.

    Effects: a ReviewReport, which waits among the decisions of the administration. The words stay meanwhile.
    """
    with transaction.atomic():
        review = _lock_review_of(review_id, by)
        text = _published_words(review)
        known = ReviewReport.objects.filter(text=text).first()
        if known is not None:
            if known.request_id == request_id:
                return known
            raise Refused(_("Cet avis est déjà signalé : nous le lisons, ou nous l’avons lu."))
        words = guards.check_report(motive, words)
        guards.check_reports_today(_person(by), at=at)
        reported = ReviewReport.objects.create(
            text=text, user_id=_person(by), motive=motive, words=words, at=at, request_id=request_id
        )
        journal.record(by=by, action="review_reported", subject=review, at=at, details={"motive": motive})
    return reported


# --- The administration -------------------------------------------------------------------------------


def publish(text_id: int, *, by: Actor, at: datetime) -> ReviewText:
    """Show words to everybody. By an administrator. Tells the organisation of a review that it may answer."""
    return _decide(text_id, ReviewText.State.PUBLISHED, "", by=by, at=at)


def refuse(text_id: int, *, by: Actor, at: datetime, motive: str) -> ReviewText:
    """Do not show words. By an administrator. Their author reads the motive; the marks still count."""
    return _decide(text_id, ReviewText.State.REFUSED, guards.check_motive(motive), by=by, at=at)


def keep(report_id: int, *, by: Actor, at: datetime) -> ReviewReport:
    """Leave reported words. By an administrator. Who reported is told."""
    return _decide_report(report_id, ReviewReport.Outcome.KEPT, "", by=by, at=at)


def remove(report_id: int, *, by: Actor, at: datetime, motive: str) -> ReviewReport:
    """Take reported words away: refused after all, for a motive that their author reads. Both are told."""
    motive = guards.check_motive(motive)
    return _decide_report(report_id, ReviewReport.Outcome.REMOVED, motive, by=by, at=at)


# --- Figures of an offer ------------------------------------------------------------------------------


def recount(offer_id: UUID, *, rules: Rules) -> None:
    """Write again what an offer says of its reviews. An import that holds it is not waited for long: the
    sweep makes good (`recount_all`)."""
    try:
        with unless_an_import_holds_it():
            list(Offer.objects.filter(pk=offer_id).order_by("pk").select_for_update(no_key=True).values("pk"))
    except Refused:
        return
    _recount([offer_id], rules=rules)


def recount_all(*, at: datetime) -> int:
    """Every offer whose figures are not what its reviews say: after an import that held one, or another
    minimum in the rulebook. Returns how many were wrong."""
    return len(_recount(None, rules=rulebook.on(workdays.paris_day(at))))


# The marks of a review lie between 5 and 25 together: twice their mean is the mean mark in tenths.
_TOTAL = " + ".join(f"review.{name}" for name in MARKS)
_TENTHS = 10 / len(MARKS)
_COUNTED = f"""
    SELECT dossier.offer_id, count(*) AS count,
        round(avg({_TOTAL}) * {_TENTHS})::int AS tenths
    FROM dossiers_review AS review JOIN dossiers_dossier AS dossier ON dossier.id = review.dossier_id
    WHERE %(all)s OR dossier.offer_id = ANY(%(offers)s)
    GROUP BY dossier.offer_id"""  # noqa: S608 - names of our own columns
_RECOUNT = f"""
    WITH counted AS ({_COUNTED}), wrong AS (
        SELECT offer.id, coalesce(counted.count, 0) AS count,
            CASE WHEN counted.count >= %(least)s THEN counted.tenths END AS tenths
        FROM catalog_offer AS offer LEFT JOIN counted ON counted.offer_id = offer.id
        WHERE (%(all)s OR offer.id = ANY(%(offers)s))
            AND (offer.reviews_count > 0 OR counted.count > 0)
            AND (offer.reviews_count, offer.rating_tenths) IS DISTINCT FROM
                (coalesce(counted.count, 0), CASE WHEN counted.count >= %(least)s THEN counted.tenths END)
        ORDER BY offer.id
        FOR NO KEY UPDATE OF offer SKIP LOCKED)
    UPDATE catalog_offer AS offer SET reviews_count = wrong.count, rating_tenths = wrong.tenths
    FROM wrong WHERE wrong.id = offer.id RETURNING offer.id"""  # noqa: S608


def _recount(offers: list[UUID] | None, *, rules: Rules) -> list[UUID]:
    """Set-wise, in one statement, and what the search keeps of them after it; which were wrong. One that
    somebody else holds is left to the next run."""
    wanted: dict[str, Any] = {
        "all": offers is None,
        "offers": offers or [],
        "least": rules.review_average_min,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RECOUNT, wanted)
        wrong = [row[0] for row in cursor.fetchall()]
        if wrong:
            indexing.reindex(wrong, on=rules.day)
    return wrong


# --- The steps they share -----------------------------------------------------------------------------


def _lock_review_of(review_id: UUID, by: Actor) -> Review:
    """The dossier first, as everywhere. NotAllowed: another organisation's."""
    dossier = moves.lock(Review.objects.values_list("dossier", flat=True).get(pk=review_id))
    if not (by.is_provider and by.organisation_id == dossier.provider_id):
        raise NotAllowed(_("Cet avis ne concerne pas votre organisme."))
    review = Review.objects.filter(pk=review_id).first()
    if review is None:
        raise Refused(_("Cet avis a été supprimé par son auteur."))
    review.dossier = dossier
    return review


def _published_words(review: Review) -> ReviewText:
    text = ReviewText.objects.filter(
        review=review, role=Role.HOLDER, state=ReviewText.State.PUBLISHED
    ).first()
    if text is None:
        raise Refused(_("Cet avis n’a pas de texte publié."))
    return text


def _person(by: Actor) -> int:
    if by.user is None:
        raise ValueError("a review is written by somebody")
    return by.user.pk


def _write_words(review: Review, words: str, *, by: Actor, at: datetime, request_id: UUID) -> None:
    text = ReviewText.objects.filter(review=review, role=Role.HOLDER).first()
    if text is not None and text.words == words:
        return
    if text is not None:
        # What was said against the former words, or answered to them, is about nothing any more.
        ReviewReport.objects.filter(text=text, outcome="").update(
            outcome=ReviewReport.Outcome.MOOT, decided_at=at
        )
        ReviewText.objects.filter(review=review, role=Role.PROVIDER).delete()
    if not words:
        if text is not None:
            text.delete()
        return
    text = text or ReviewText(review=review, role=Role.HOLDER)
    _wait(text, words, by=by, at=at, request_id=request_id)


def _wait(text: ReviewText, words: str, *, by: Actor, at: datetime, request_id: UUID) -> None:
    text.words, text.at, text.user_id, text.request_id = words, at, _person(by), request_id
    text.state, text.motive, text.decided_by, text.decided_at = ReviewText.State.WAITING, "", None, None
    text.save()


def _decide(text_id: int, state: ReviewText.State, motive: str, *, by: Actor, at: datetime) -> ReviewText:
    """Once: words that somebody decided about are shown or not; a report is another way to refuse them."""
    with transaction.atomic():
        text = _lock_text(text_id, by=by)
        if text.state == state and text.motive == motive:
            return text
        if text.state != ReviewText.State.WAITING:
            raise Refused(_("Ce texte est déjà décidé : « %s ».") % text.get_state_display())
        _set(text, state, motive, by=by, at=at)
    return text


def _decide_report(
    report_id: int, outcome: ReviewReport.Outcome, motive: str, *, by: Actor, at: datetime
) -> ReviewReport:
    with transaction.atomic():
        text = _lock_text(ReviewReport.objects.values_list("text", flat=True).get(pk=report_id), by=by)
        reported = ReviewReport.objects.get(pk=report_id)  # as it is under the lock
        if reported.outcome:
            if reported.outcome == outcome and reported.decided_by_id == _person(by):
                return reported
            raise Refused(_("Ce signalement est déjà décidé : « %s ».") % reported.get_outcome_display())
        reported.outcome, reported.decided_by_id, reported.decided_at = outcome, _person(by), at
        reported.save(update_fields=["outcome", "decided_by", "decided_at"])
        if outcome == ReviewReport.Outcome.REMOVED:
            _set(text, ReviewText.State.REFUSED, motive, by=by, at=at)
        announcements.tell_of_review(
            text,
            Kind.REVIEW_REPORT_DECIDED,
            to=Role.PROVIDER,
            event_key=f"review-report:{reported.pk}",
            facts={"is_removed": outcome == ReviewReport.Outcome.REMOVED},
            at=at,
        )
    return reported


def _lock_text(text_id: int, *, by: Actor) -> ReviewText:
    """Its dossier first. NotAllowed: not of the administration, or about oneself."""
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration décide de ce qui est publié."))
    dossier_id = ReviewText.objects.values_list("review__dossier", flat=True).get(pk=text_id)
    dossier = moves.lock(dossier_id)
    text = ReviewText.objects.select_related("review").filter(pk=text_id).first()
    if text is None:
        raise Refused(_("Ce texte a été supprimé par son auteur."))
    if text.user_id == _person(by):
        raise NotAllowed(_("Personne ne décide de ses propres mots."))
    text.review.dossier = dossier
    return text


def _set(text: ReviewText, state: ReviewText.State, motive: str, *, by: Actor, at: datetime) -> None:
    text.state, text.motive, text.decided_by_id, text.decided_at = state, motive, _person(by), at
    text.save(update_fields=["state", "motive", "decided_by", "decided_at"])
    journal.record(
        by=by,
        action=f"review_text_{state.value}",
        subject=text.review.dossier,
        at=at,
        details={"text": text.pk, "motive": motive},
    )
    moment = f"{at:%Y%m%dT%H%M%S%f}"
    if state == ReviewText.State.REFUSED:
        announcements.tell_of_review(
            text,
            Kind.REVIEW_REFUSED,
            to=Role(text.role),
            event_key=f"review-refused:{text.pk}:{moment}",
            facts={"reason": text.get_motive_display()},
            at=at,
        )
    elif text.role == Role.HOLDER:
        announcements.tell_of_review(
            text,
            Kind.REVIEW_PUBLISHED,
            to=Role.PROVIDER,
            event_key=f"review-published:{text.pk}:{moment}",
            facts={},
            at=at,
        )

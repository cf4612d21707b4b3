"""What pages show of reviews: on an offer, on the dossier of who wrote, at the organisation. Nothing writes.

No line here leads from a review to a person: « Une personne, formée en mars 2026 » is all there is.
"""

from dataclasses import dataclass
from datetime import date, datetime
from math import sqrt
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Avg, Count, F, Prefetch, Q, QuerySet, StdDev
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Role
from catalog.models import Offer
from dossiers import review_guards
from dossiers.models import Dossier, Review, ReviewReport, ReviewText
from dossiers.review_models import BEST, MARK_WORDS, MARKS, REVIEWABLE_STATES
from rulebook import Rules, workdays
from ui import french

COMMENTS_PAGE = 5
REVIEWS_PAGE = 20
# Of a normal distribution, so many standard errors on each side of a mean hold 95 % of the cases.
SURE = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """How many gave this mark. `percent` of all, whole."""

    mark: int
    count: int
    percent: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The marks of an offer. `between`: where its mean would lie, had many more people written; or ""."""

    count: int
    mean: str
    between: tuple[str, str] | None
    shares: list[Share]
    # Criterion in words, its mean in words, its mean in tenths.
    criteria: list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Comment:
    """Published words with their marks, and the answer of the organisation if it is published too."""

    trained_on: date
    at: datetime
    mean: str
    words: str
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class OfferReviews:
    """What templates/dossiers/_offer_reviews.html reads. `figures`: None below the rulebook's minimum."""

    count: int
    least: int
    figures: Figures | None
    comments: Page


def of_offer(offer: Offer, *, page: str | int, rules: Rules) -> OfferReviews | None:
    """None for an offer without review: not one query. Three otherwise, whatever their number; two more
    when there are enough for figures."""
    if not offer.reviews_count:
        return None
    reviews = Review.objects.filter(dossier__offer=offer)
    shown: Any = Paginator(_commented(reviews), COMMENTS_PAGE).get_page(page)
    shown.object_list = [_comment(review) for review in shown.object_list]
    return OfferReviews(
        count=offer.reviews_count,
        least=rules.review_average_min,
        figures=_figures(reviews) if offer.rating_tenths is not None else None,
        comments=shown,
    )


def _commented(reviews: QuerySet[Review]) -> QuerySet[Review]:
    """Those whose words are published, the newest first (D. 111-17: by date, and it is said)."""
    published = Q(texts__role=Role.HOLDER, texts__state=ReviewText.State.PUBLISHED)
    found = reviews.filter(published).select_related("dossier").prefetch_related("texts")
    return found.order_by("-texts__at", "pk")


def _comment(review: Review) -> Comment:
    by_role = {text.role: text for text in review.texts.all()}
    words, answer = by_role[Role.HOLDER], by_role.get(Role.PROVIDER)
    is_answered = answer is not None and answer.is_published
    return Comment(
        # Its state says that it was followed to its end, so there is a last day.
        trained_on=review.dossier.exited_on or review.written_at.date(),
        at=words.at,
        mean=review.mean_words,
        words=words.words,
        answer=answer.words if answer and is_answered else "",
        answered_at=answer.at if answer and is_answered else None,
    )


def _figures(reviews: QuerySet[Review]) -> Figures:
    total = sum((F(name) for name in MARKS[1:]), start=F(MARKS[0]))
    found = reviews.annotate(total=total).aggregate(
        count=Count("pk"),
        middle=Avg("total"),
        spread=StdDev("total", sample=True),
        **{f"of_{name}": Avg(name) for name in MARKS},
        # A review that gave 22 out of 25 is nearest to 4.
        **{f"gave_{mark}": Count("pk", filter=_rounds_to(mark)) for mark in range(1, BEST + 1)},
    )
    count = found["count"]
    mean = found["middle"] / len(MARKS)
    return Figures(
        count=count,
        mean=french.tenths(round(mean * 10)),
        between=_between(mean, (found["spread"] or 0) / len(MARKS), count),
        shares=[
            Share(mark, found[f"gave_{mark}"], round(found[f"gave_{mark}"] * 100 / count))
            for mark in range(BEST, 0, -1)
        ],
        criteria=[
            (str(MARK_WORDS[name]), french.tenths(tenths), tenths)
            for name in MARKS
            for tenths in [round(found[f"of_{name}"] * 10)]
        ],
    )


def _rounds_to(mark: int) -> Q:
    """Of a total of marks: nearest to this mark, halves up."""
    half = len(MARKS) / 2
    return Q(total__gte=mark * len(MARKS) - half, total__lt=mark * len(MARKS) + half)


def _between(mean: float, spread: float, count: int) -> tuple[str, str] | None:
    """The interval that holds the mean of everybody in 95 cases of 100, inside the scale."""
    margin = SURE * spread / sqrt(count)
    low, high = (round(min(max(mean + way, 1), BEST) * 10) for way in (-margin, margin))
    return (french.tenths(low), french.tenths(high)) if low < high else None


# --- The holder ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """One's own review, or the place for it. `obstacle`: why nothing can be given or changed now."""

    review: Review | None
    text: ReviewText | None
    answer: ReviewText | None
    last_day: date | None
    changes_until: datetime | None
    obstacle: str

    @property
    def invites(self) -> bool:
        return self.review is None and not self.obstacle


def of_holder(dossier: Dossier, *, at: datetime) -> Own | None:
    """For its holder; None while there is nothing to give a review of. Two queries at most."""
    if dossier.state not in REVIEWABLE_STATES or dossier.offer.is_demonstration:
        return None
    rules = rulebook.on(workdays.paris_day(at))
    review = Review.objects.filter(dossier=dossier).prefetch_related("texts").first()
    by_role = {text.role: text for text in review.texts.all()} if review else {}
    obstacle = review_guards.obstacle(dossier, review, at=at, rules=rules)
    return Own(
        review=review,
        text=by_role.get(Role.HOLDER),
        answer=by_role.get(Role.PROVIDER),
        last_day=review_guards.last_day(dossier, rules),
        changes_until=review_guards.changes_until(review, rules) if review else None,
        obstacle=obstacle,
    )


# --- The organisation ---------------------------------------------------------------------------------


def published_to(provider_id: UUID) -> QuerySet[Review]:
    """The reviews whose words an organisation may read: those that everybody reads."""
    return Review.objects.filter(
        dossier__provider=provider_id, texts__role=Role.HOLDER, texts__state=ReviewText.State.PUBLISHED
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A review as its organisation sees it: what everybody sees, and where its own answer stands."""

    pk: UUID
    offer: Offer
    comment: Comment
    answer: ReviewText | None
    is_reported: bool
    can_answer: bool
    marks: list[tuple[str, int]]


def received(provider_id: UUID, *, page: str | int) -> Page:
    """A page of Received, the newest first. Four queries, whatever their number."""
    texts = Prefetch("texts", queryset=ReviewText.objects.select_related("report").order_by("pk"))
    found = published_to(provider_id).select_related("dossier__offer").prefetch_related(texts)
    shown: Any = Paginator(found.order_by("-texts__at", "pk"), REVIEWS_PAGE).get_page(page)
    shown.object_list = [received_line(review) for review in shown.object_list]
    return shown


def received_line(review: Review) -> Received:
    """`review` comes with its dossier's offer and its texts with their reports."""
    by_role = {text.role: text for text in review.texts.all()}
    answer = by_role.get(Role.PROVIDER)
    return Received(
        pk=review.pk,
        offer=review.dossier.offer,
        comment=_comment(review),
        answer=answer,
        is_reported=_report_of(by_role[Role.HOLDER]) is not None,
        can_answer=answer is None or answer.state == ReviewText.State.REFUSED,
        marks=[(str(MARK_WORDS[name]), getattr(review, name)) for name in MARKS],
    )


def _report_of(text: ReviewText) -> ReviewReport | None:
    return getattr(text, "report", None)


# --- One's own data -----------------------------------------------------------------------------------


def of_person(review: Review) -> dict[str, object]:
    """A review in the copy of one's data. `review` comes with its texts."""
    by_role = {text.role: text for text in review.texts.all()}
    text, answer = by_role.get(Role.HOLDER), by_role.get(Role.PROVIDER)
    return {
        "donne_le": review.written_at,
        "modifie_le": review.edited_at,
        "notes_sur_5": {str(MARK_WORDS[name]): getattr(review, name) for name in MARKS},
        "texte": text.words if text else "",
        "etat_du_texte": text.get_state_display() if text else "",
        "pourquoi": text.get_motive_display() if text and text.motive else "",
        "reponse_de_l_organisme": answer.words if answer and answer.is_published else "",
    }


def trained_words(day: date) -> str:
    """« Une personne, formée en mars 2026 »."""
    return _("Une personne, formée en %(month)s") % {"month": french.month(day)}

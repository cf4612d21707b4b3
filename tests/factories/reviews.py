"""Reviews given by the verb that people use, of trainings that ended some weeks ago."""

import uuid
from datetime import timedelta

import factory
from django.utils import timezone

from accounts.actors import Role
from dossiers import reviews
from dossiers.models import Review, ReviewText
from dossiers.review_models import MARKS
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    admin_actor,
    holder_actor,
    in_business_days,
    provider_actor,
)

# Long enough ago for a training of some weeks to be over, and a review to be still possible.
BEGAN = timedelta(days=80)


def ended_dossier(offer=None, *, at=None, **fields):
    """Requested 80 days ago, over since about a month. `offer`: on a session of its own of this offer."""
    at = (at or timezone.now()) - BEGAN
    if offer is not None:
        start = in_business_days(at, 30)
        fields["session"] = SessionFactory(offer=offer, starts_on=start, ends_on=start + timedelta(days=4))
    return DossierFactory(at=at, **{"ended": True} | fields)


def marks_of(mark=4, **each):
    return dict.fromkeys(MARKS, mark) | each


class ReviewFactory(factory.Factory):
    """Of `dossier` (a new one that is over, on `offer` if given). `mark`: all five; `words`: its text.

    `published=True`: an agent has read the words; `refused=motive`: and did not publish them. `answer`: what
    the organisation answered, published with them.
    """

    class Meta:
        model = Review

    offer = None
    at = factory.LazyFunction(timezone.now)
    dossier = factory.LazyAttribute(lambda o: ended_dossier(o.offer))
    mark = 4
    words = ""
    published = False
    refused = ""
    answer = ""

    @classmethod
    def _create(cls, model_class, *args, offer, at, dossier, mark, words, published, refused, answer):
        by = holder_actor(dossier.holder)
        given = {"marks": marks_of(mark), "words": words or ("Très utile." if published or refused else "")}
        review = reviews.give(dossier.pk, by=by, at=at, request_id=uuid.uuid4(), **given)
        if refused:
            reviews.refuse(text_of(review).pk, by=admin_actor(), at=at, motive=refused)
        if published:
            reviews.publish(text_of(review).pk, by=admin_actor(), at=at)
        if answer:
            text = reviews.answer(
                review.pk, by=provider_actor(dossier.provider), at=at, request_id=uuid.uuid4(), words=answer
            )
            reviews.publish(text.pk, by=admin_actor(), at=at)
        return Review.objects.get(pk=review.pk)


def text_of(review, role=Role.HOLDER):
    return ReviewText.objects.get(review=review, role=role)

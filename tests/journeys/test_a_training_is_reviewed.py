"""A training is over. Who followed it says what they think; whoever hesitates reads it, without a name."""

from datetime import timedelta

import pytest
from django.test import Client

from dossiers import reviews
from dossiers.models import Review
from tests.factories.catalog import OfferFactory
from tests.factories.dossiers import admin_actor
from tests.factories.reviews import ended_dossier, text_of
from tests.visitor import ClientVisitor


@pytest.fixture
def dossier(db):
    return ended_dossier(OfferFactory(title="Relier un livre"))


def test_a_review_goes_from_an_invitation_to_the_page_that_everybody_reads(
    dossier, visit, member_of, letters, at
):
    assert reviews.invite(at=at) == 1
    assert any("Qu’avez-vous pensé de" in subject for subject in letters(dossier.holder.user, at=at))

    holder = visit(dossier.holder.user)
    holder.open(f"/mes-dossiers/{dossier.pk}")
    holder.follow("Donner mon avis")
    # What would lead people elsewhere is refused beside its field, and the marks are kept.
    marks = dict.fromkeys(("welcome", "content", "team", "means", "support"), "4")
    holder.try_to_press("Donner mon avis", **marks, words="Appelez le 06 12 34 56 78.")
    holder.must_say("un numéro de téléphone")
    holder.press("Donner mon avis", **marks, words="On repart avec trois livres reliés.")
    holder.must_say("attend d’être lu")

    visitor = ClientVisitor(Client())
    visitor.open(f"/formations/{dossier.offer_id}")
    visitor.must_say("1 avis reçu")
    assert not visitor.says("trois livres reliés")

    review = Review.objects.get()
    reviews.publish(text_of(review).pk, by=admin_actor(), at=at + timedelta(minutes=1))
    organisation = visit(member_of(dossier.offer))
    organisation.open("/avis-recus")
    organisation.must_say("trois livres reliés")
    assert not organisation.says(dossier.holder.birth_name)
    organisation.follow("Répondre")
    organisation.press("Envoyer la réponse", words="Merci, à bientôt.")
    reviews.publish(text_of(review, "provider").pk, by=admin_actor(), at=at + timedelta(minutes=2))

    visitor.open(f"/formations/{dossier.offer_id}")
    visitor.must_say("trois livres reliés")
    visitor.must_say("Merci, à bientôt.")
    assert not visitor.says(dossier.holder.birth_name)

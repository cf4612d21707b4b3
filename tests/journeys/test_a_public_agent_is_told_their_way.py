"""Some people cannot enrol here. They read it before they try, with what to do instead."""

import uuid

import pytest

from dossiers.models import Dossier
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import OfferFactory
from tests.factories.rights import CreditFactory


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("public_agent", "Adressez votre demande de formation à votre employeur."),
        ("retired_full_rate", "vos droits ne peuvent plus financer de formation"),
    ],
)
def test_who_cannot_enrol_is_told_their_way(status, words, visit):
    holder = HolderFactory(status=status)
    CreditFactory(holder=holder, amount=500_000)
    offer = OfferFactory()
    create_page = f"/mes-dossiers/creer/{offer.sessions.get().pk}"

    person = visit(holder.user)
    person.open(create_page)
    person.must_say(words)
    assert not person.offers("Créer mon dossier d’inscription")

    # A POST that no page offered is refused with the same words, and nothing is written.
    token = person.client.cookies["csrftoken"].value
    data = f"csrfmiddlewaretoken={token}&request_id={uuid.uuid4()}".encode()
    person.try_to_open(create_page, data)
    assert person.status == 422
    person.must_say(words)
    assert not Dossier.objects.exists()

    # Their situation was wrong: they correct it in « Mon profil », and the way is open.
    person.open("/mon-profil")
    person.must_say(words)
    person.press("Enregistrer", status="job_seeker")
    person.open(create_page)
    person.press("Créer mon dossier d’inscription")
    assert Dossier.objects.get().holder == holder

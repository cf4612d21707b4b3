"""An organisation asks to come in, with the keyboard only: from the public page to the receipt."""

from datetime import timedelta

import pytest
from django.utils import timezone

from admissions.models import JoinRequest
from rulebook import workdays
from tests.factories.accounts import PASSWORD, UserFactory, a_siret
from tests.factories.admissions import PDF
from tests.factories.catalog import CertificationFactory, HabilitationFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NEXT = "Enregistrer et continuer"


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "plain"])
def test_an_organisation_asks_to_come_in(sit_down, javascript):
    user, number = UserFactory(), a_siret(4242)
    HabilitationFactory(certification=CertificationFactory(number=35808), siret=number)
    today = workdays.paris_day(timezone.now())
    sitter = sit_down(javascript=javascript)
    sitter.open("/rejoindre")
    sitter.follow("Commencer ma demande")
    sitter.write("Adresse e-mail", user.email)
    sitter.write("Mot de passe", PASSWORD)
    sitter.press("Me connecter")
    sitter.write("SIRET", number)
    sitter.press("Continuer")
    sitter.press(NEXT)
    sitter.must_read("6 points sont à corriger")
    for label, words in (
        ("Nom de l’organisme", "Atelier des Lices"),
        ("Numéro et rue", "3 rue des Lices"),
        ("Code postal", "35000"),
        ("Commune", "Rennes"),
        ("E-mail de l’organisme", "contact@lices.exemple.invalid"),
        ("Téléphone", "02 99 00 00 00"),
    ):
        sitter.reach(label, tag="INPUT")  # the summary of errors names it first
        sitter.page.keyboard.type(words)
    sitter.press(NEXT)
    sitter.write("Numéro de déclaration", "53 35 12345 67")
    sitter.tick("Aucun bilan n’est encore dû")
    sitter.press(NEXT)
    sitter.tick("Actions de formation")
    sitter.write("Numéro du certificat", "Q-1")
    sitter.write("Qui l’a délivré", "Certif Ouest")
    _days(sitter, certified_from=today - timedelta(days=30), certified_until=today + timedelta(days=300))
    sitter.press(NEXT)
    sitter.write("Codes des certifications", "RNCP35808")
    if javascript:  # read while it is typed
        sitter.page.wait_for_selector("#codes-lus .card--done")
    else:
        sitter.press("Vérifier ces codes")
    sitter.must_read("Ouverte à votre SIRET")
    sitter.press(NEXT)
    sitter.write("Prénom et nom", "Élodie Martin")
    sitter.write("Sa fonction", "Gérante")
    sitter.tick("Oui, elle représente")
    sitter.tick("Je déclare que cette personne")
    sitter.press("Enregistrer et finir plus tard")
    sitter.must_read("C’est gardé")
    sitter.follow("Continuer")
    for kind in ("extract", "qualiopi", "identity"):
        # What the system's own window does, which no page drives.
        file = {"name": f"{kind}.pdf", "mimeType": "application/pdf", "buffer": PDF}
        sitter.page.set_input_files(f"[name={kind}]", file)
    _days(sitter, extract_issued_on=today)
    sitter.press(NEXT)
    sitter.must_read("Relisez, puis envoyez")
    sitter.tick("Je déclare sur l’honneur")
    sitter.press("Envoyer ma demande")
    sitter.must_read("Vérification au plus tard le")
    assert JoinRequest.objects.get().state == "sent"


def _days(sitter, **days):
    """The parts of a date field are the browser's own: filled as a whole."""
    for name, day in days.items():
        sitter.page.fill(f"[name={name}]", day.isoformat())

"""Notices as the outbox writes them, with the facts that dossiers gives."""

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from notices.kinds import Kind
from notices.models import Notice
from tests.factories.accounts import UserFactory

FACTS = {
    "dossier_number": "D-2026-0001",
    "training_title": "Menuiserie & agencement",
    "organisation_name": "Atelier <b>Dupont</b>",
    "holder_name": "Élodie Martin",
    "name": "Élodie Martin",
    "state": "Demande envoyée",
    "price": "1 234,50 €",
    "starts_on": "lundi 1er juin 2026",
    "ends_on": "vendredi 5 juin 2026",
    "due": "mardi 12 mai 2026 à minuit",
    "ticket_number": "123456782",
    "answer": "Vos droits sont arrivés ce matin.",
    "who": "Sophie Arnaud",
    "role": "manager",
    "change": "joined",
    "until": "mardi 26 mai 2026 à minuit",
    "when": "mardi 12 mai 2026 à 14 h 05",
    "to_email": "so…@exemple.fr",
    "amount": "30,00 €",
    "is_up": True,
    "pocket": "Droits annuels",
    "reason": "Heures oubliées",
    "funder": "Atelier Nord",
    "declaration": "Sans diplôme de niveau 3",
    "from_year": "2026",
    "was_confirmed": False,
    "entered_on": "lundi 1er juin 2026",
    "exited_on": "vendredi 5 juin 2026",
    "rate": "80",
}


class NoticeFactory(DjangoModelFactory):
    class Meta:
        model = Notice

    user = factory.SubFactory(UserFactory)
    email = factory.LazyAttribute(lambda notice: notice.user.email)
    kind = Kind.DOSSIER_REQUESTED
    event_key = factory.Sequence(lambda n: f"event:{n}")
    facts = factory.LazyFunction(lambda: dict(FACTS))
    link = "/mes-dossiers"
    created_at = factory.LazyFunction(timezone.now)
    next_attempt_at = factory.SelfAttribute("created_at")

"""The life of a ticket (« demande d’aide »), as data. Start reading here.

`MOVES` says which verb leads from which state to which; from it are derived the CHECK constraint on
`Entry`, the buttons on screen and the parametrised tests. An asker is whoever wrote: a person signed
in, a member for their organisation, or a visitor by the address mailed to them.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Topic(models.TextChoices):
    RIGHTS = "rights", _("Mes droits")
    DOSSIER = "dossier", _("Mon dossier d’inscription")
    IDENTITY = "identity", _("Mon identité, l’activation de mon compte")
    SAFETY = "safety", _("La sécurité de mon compte")
    TECHNICAL = "technical", _("Un problème technique")
    PERSONAL_DATA = "personal_data", _("Mes données personnelles")
    ORGANISATION = "organisation", _("L’espace d’un organisme de formation")
    SCAM = "scam", _("Signaler un démarchage")
    OTHER = "other", _("Autre chose")

    @property
    def slug(self) -> str:
        """Its name in an address, in French."""
        return SLUGS[self]


SLUGS: dict[str, str] = {
    Topic.RIGHTS: "mes-droits",
    Topic.DOSSIER: "mon-dossier",
    Topic.IDENTITY: "mon-identite",
    Topic.SAFETY: "securite",
    Topic.TECHNICAL: "probleme-technique",
    Topic.PERSONAL_DATA: "donnees-personnelles",
    Topic.ORGANISATION: "organisme",
    Topic.SCAM: "demarchage",
    Topic.OTHER: "autre",
}


class State(models.TextChoices):
    RECEIVED = "received", _("Reçue")
    IN_PROGRESS = "in_progress", _("En cours")
    ANSWERED = "answered", _("Réponse donnée")
    # With a context: Django’s own catalogue has a « Close » that says « Fermer ».
    CLOSED = "closed", pgettext_lazy("demande d’aide", "Close")


S = State
MOVES: dict[str, dict[State, State]] = {
    "open": {S.RECEIVED: S.RECEIVED},
    "reply": {S.RECEIVED: S.RECEIVED, S.IN_PROGRESS: S.IN_PROGRESS, S.ANSWERED: S.IN_PROGRESS},
    "take": {S.RECEIVED: S.IN_PROGRESS, S.IN_PROGRESS: S.IN_PROGRESS},
    "answer": dict.fromkeys(S, S.ANSWERED),
    "move": {state: state for state in S},
    "close": {S.RECEIVED: S.CLOSED, S.IN_PROGRESS: S.CLOSED, S.ANSWERED: S.CLOSED},
    "reopen": {S.CLOSED: S.IN_PROGRESS},
}
"""Verb → from which state to which. `answer` takes a closed ticket too: a word can have been forgotten."""

VERB_WORDS = {
    "open": _("Demande envoyée"),
    "reply": _("Message"),
    "take": _("Demande prise en charge"),
    "answer": _("Réponse"),
    "move": _("Demande reclassée"),
    "close": _("Demande close"),
    "reopen": _("Demande rouverte"),
}
"""What each verb did, as both sides read it."""

BY_ASKER = frozenset({"open", "reply", "close", "reopen"})
BY_ADMIN = frozenset({"take", "answer", "move", "close"})

WAITING = frozenset({S.RECEIVED, S.IN_PROGRESS})
"""An answer of ours is owed: `Ticket.due_at` says until when."""


def known_pairs() -> list[tuple[str, str, str]]:
    """Every (verb, from, to) that MOVES allows, sorted."""
    return sorted((verb, source, target) for verb, ways in MOVES.items() for source, target in ways.items())


del S

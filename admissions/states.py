"""How an organisation comes in, and how it is sanctioned, as data. Start reading here.

Two lives: that of a request to join (`State`, `MOVES`), and that of a measure against an organisation
(`MeasureState`, `MEASURE_MOVES`). From them are derived, never retyped: the CHECK constraints on the
steps, the buttons on screen, the parametrised tests.
"""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class Side(models.TextChoices):
    AUTHOR = "author", _("Demandeur")
    ORGANISATION = "organisation", _("Organisme")
    ADMIN = "admin", _("Administration")
    SYSTEM = "system", _("Portail")


@dataclass(frozen=True, slots=True)
class Move:
    """One verb: from which state to which, by whom."""

    pairs: frozenset[tuple[str, str]]
    sides: frozenset[Side]

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(source for source, _target in self.pairs)

    def target_of(self, source: str) -> str:
        """Where the verb leads from there. KeyError: nowhere."""
        return dict(self.pairs)[source]


# --- A request to join ----------------------------------------------------------------------------


class State(models.TextChoices):
    DRAFT = "draft", _("Brouillon")
    SENT = "sent", _("Envoyée")
    COMPLETION_ASKED = "completion_asked", _("À compléter")
    RECEIVABLE = "receivable", _("Recevable, en cours d’examen")
    ADMITTED = "admitted", _("Acceptée")
    REFUSED = "refused", _("Refusée")
    WITHDRAWN = "withdrawn", _("Retirée")


def _move(target: str, sources: list[str], *sides: Side) -> Move:
    return Move(frozenset((source, target) for source in sources), frozenset(sides))


S = State
MOVES: dict[str, Move] = {
    "send": _move(S.SENT, [S.DRAFT, S.COMPLETION_ASKED], Side.AUTHOR),
    "ask_completion": _move(S.COMPLETION_ASKED, [S.SENT, S.RECEIVABLE], Side.ADMIN),
    "declare_receivable": _move(S.RECEIVABLE, [S.SENT], Side.ADMIN),
    "admit": _move(S.ADMITTED, [S.RECEIVABLE], Side.ADMIN),
    "refuse": _move(S.REFUSED, [S.SENT, S.COMPLETION_ASKED, S.RECEIVABLE], Side.ADMIN),
    "withdraw": _move(S.WITHDRAWN, [S.SENT, S.COMPLETION_ASKED, S.RECEIVABLE], Side.AUTHOR),
}

VERB_WORDS = {
    "send": _("Demande envoyée"),
    "ask_completion": _("Complément demandé"),
    "declare_receivable": _("Demande recevable"),
    "admit": _("Organisme référencé"),
    "refuse": _("Demande refusée"),
    "withdraw": _("Demande retirée"),
}
"""What each verb did, as both sides read it."""

WHOSE_TURN: dict[str, Side] = {
    S.DRAFT: Side.AUTHOR,
    S.SENT: Side.ADMIN,
    S.COMPLETION_ASKED: Side.AUTHOR,
    S.RECEIVABLE: Side.ADMIN,
}
"""Who must act. A state that is not here is final."""

EDITABLE = frozenset({S.DRAFT, S.COMPLETION_ASKED})
FINAL_STATES = frozenset(S) - frozenset(WHOSE_TURN)


class Motive(models.TextChoices):
    """Why a request is refused; words of the administration always come beside."""

    INCOMPLETE = "incomplete", _("Le dossier est resté incomplet.")
    ACTIVITY_NUMBER = "activity_number", _("La déclaration d’activité n’est pas valide ou n’est plus active.")
    REPORT = "report", _("Le bilan pédagogique et financier n’est pas à jour.")
    QUALIOPI = "qualiopi", _("La certification Qualiopi manque, ou ne couvre pas ces formations.")
    NOT_ENTITLED = "not_entitled", _("Aucune des certifications demandées n’est ouverte à cet organisme.")
    HONOURABILITY = "honourability", _("Les conditions d’honorabilité ne sont pas remplies.")
    UNTRUE = "untrue", _("Une information ou une pièce ne correspond pas à la réalité.")
    KNOWN = "known", _("L’organisme est déjà référencé sur ce portail.")
    OTHER = "other", _("Un autre motif, expliqué ci-dessous.")


# --- A measure against an organisation ------------------------------------------------------------


class MeasureState(models.TextChoices):
    NEW = "new", _("En préparation")
    WARNED = "warned", _("Avertissement")
    INTENDED = "intended", _("Suspension envisagée")
    SUSPENDED = "suspended", _("Suspension")
    DROPPED = "dropped", _("Sans suite")
    LIFTED = "lifted", _("Suspension levée")


M = MeasureState
OPEN_MEASURES = (M.INTENDED, M.SUSPENDED)
"""An organisation has one of these at most; warnings stand beside."""

MEASURE_MOVES: dict[str, Move] = {
    "warn": _move(M.WARNED, [M.NEW], Side.ADMIN),
    "intend": _move(M.INTENDED, [M.NEW], Side.ADMIN),
    "suspend_at_once": _move(M.SUSPENDED, [M.NEW], Side.ADMIN),
    "answer": Move(
        frozenset((state, state) for state in (M.WARNED, M.INTENDED, M.SUSPENDED)),
        frozenset({Side.ORGANISATION}),
    ),
    "suspend": _move(M.SUSPENDED, [M.INTENDED], Side.ADMIN),
    "confirm": _move(M.SUSPENDED, [M.SUSPENDED], Side.ADMIN),
    "drop": _move(M.DROPPED, [M.WARNED, M.INTENDED], Side.ADMIN),
    "lift": _move(M.LIFTED, [M.SUSPENDED], Side.ADMIN, Side.SYSTEM),
}
"""`confirm`: an urgent suspension is kept, once its organisation could answer."""

MEASURE_VERB_WORDS = {
    "warn": _("Avertissement"),
    "intend": _("Suspension envisagée"),
    "suspend_at_once": _("Suspension en urgence"),
    "answer": _("Réponse de l’organisme"),
    "suspend": _("Suspension décidée"),
    "confirm": _("Suspension confirmée"),
    "drop": _("Sans suite"),
    "lift": _("Suspension levée"),
}


def known_pairs(moves: dict[str, Move]) -> list[tuple[str, str, str]]:
    """Every (verb, from, to) that these moves allow, sorted."""
    return sorted(
        (verb, str(source), str(target)) for verb, move in moves.items() for source, target in move.pairs
    )


del S, M

"""The life of a dossier, as data. Start reading here.

`MOVES` says who may take a dossier from which states to which. From it are derived, never
retyped: the CHECK constraint on `Transition`, the diagram of docs/states.md, the buttons on
screen, the parametrised tests. `WHOSE_TURN` says who must act, in the same words for both sides.
"""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.actors import Role


class State(models.TextChoices):
    DRAFT = "draft", _("Brouillon")
    REQUESTED = "requested", _("Demande envoyée")
    PROPOSED = "proposed", _("À valider par le titulaire")
    AWAITING_PAYMENT = "awaiting_payment", _("Paiement en cours")
    ACCEPTED = "accepted", _("Inscription confirmée")
    REFUSED_BY_PROVIDER = "refused_by_provider", _("Refusée par l’organisme")
    REFUSED_BY_HOLDER = "refused_by_holder", _("Refusée par le titulaire")
    CANCELLED_BY_HOLDER = "cancelled_by_holder", _("Annulée par le titulaire")
    CANCELLED_BY_PROVIDER = "cancelled_by_provider", _("Annulée par l’organisme")
    LAPSED = "lapsed", _("Sans suite : délai dépassé")
    CLOSED_BY_PLATFORM = "closed_by_platform", _("Close par le portail")


@dataclass(frozen=True, slots=True)
class Move:
    """One verb: from which states, to which, by whom."""

    sources: frozenset[State]
    targets: frozenset[State]
    roles: frozenset[Role]


def _move(sources: list[State], targets: list[State], roles: list[Role]) -> Move:
    return Move(frozenset(sources), frozenset(targets), frozenset(roles))


S = State
MOVES: dict[str, Move] = {
    "submit": _move([S.DRAFT], [S.REQUESTED], [Role.HOLDER]),
    "propose": _move([S.REQUESTED], [S.PROPOSED], [Role.PROVIDER]),
    "refuse": _move([S.REQUESTED], [S.REFUSED_BY_PROVIDER], [Role.PROVIDER]),
    "accept": _move([S.PROPOSED], [S.ACCEPTED, S.AWAITING_PAYMENT], [Role.HOLDER]),
    "activate_top_up": _move([S.PROPOSED], [S.PROPOSED], [Role.HOLDER]),
    "decline": _move([S.PROPOSED], [S.REFUSED_BY_HOLDER], [Role.HOLDER]),
    "confirm_payment": _move([S.AWAITING_PAYMENT], [S.ACCEPTED], [Role.ADMIN, Role.SYSTEM]),
    "refuse_payment": _move([S.AWAITING_PAYMENT], [S.AWAITING_PAYMENT], [Role.ADMIN, Role.SYSTEM]),
    "cancel": _move([S.REQUESTED, S.AWAITING_PAYMENT], [S.CANCELLED_BY_HOLDER], [Role.HOLDER]),
    "call_off": _move(
        [S.PROPOSED, S.AWAITING_PAYMENT, S.ACCEPTED], [S.CANCELLED_BY_PROVIDER], [Role.PROVIDER]
    ),
    "withdraw": _move([S.ACCEPTED], [S.CANCELLED_BY_HOLDER], [Role.HOLDER]),
    "lapse": _move([S.REQUESTED, S.PROPOSED, S.AWAITING_PAYMENT], [S.LAPSED], [Role.SYSTEM]),
    "close": _move([S.REQUESTED, S.PROPOSED], [S.CLOSED_BY_PLATFORM], [Role.SYSTEM]),
    "reinstate": _move([S.LAPSED], [S.REQUESTED, S.PROPOSED, S.AWAITING_PAYMENT], [Role.ADMIN]),
}

VERB_WORDS = {
    "submit": _("Demande envoyée"),
    "propose": _("Proposition de l’organisme"),
    "refuse": _("Refus de l’organisme"),
    "accept": _("Proposition validée"),
    "activate_top_up": _("Abondement de l’État activé"),
    "decline": _("Proposition refusée"),
    "confirm_payment": _("Paiement reçu"),
    "refuse_payment": _("Paiement refusé"),
    "cancel": _("Annulation du titulaire"),
    "call_off": _("Annulation de l’organisme"),
    "withdraw": _("Rétractation du titulaire"),
    "lapse": _("Délai dépassé"),
    "close": _("Clôture par le portail"),
    "reinstate": _("Dossier rétabli"),
}
"""What each verb did, as the administration reads it."""

WHOSE_TURN: dict[State, Role | None] = {
    S.DRAFT: Role.HOLDER,
    S.REQUESTED: Role.PROVIDER,
    S.PROPOSED: Role.HOLDER,
    S.AWAITING_PAYMENT: Role.HOLDER,
    S.ACCEPTED: Role.PROVIDER,
}
"""Who must act. A state that is not here has nobody left to wait for."""

FINAL_STATES = frozenset(S) - frozenset(WHOSE_TURN)


class ClockKind(models.TextChoices):
    PROVIDER_ANSWER = "provider_answer", _("Réponse de l’organisme")
    HOLDER_ANSWER = "holder_answer", _("Validation du titulaire")
    PAYMENT = "payment", _("Paiement")
    WITHDRAWAL = "withdrawal", _("Rétractation")


CLOCK_OF: dict[State, ClockKind] = {
    S.REQUESTED: ClockKind.PROVIDER_ANSWER,
    S.PROPOSED: ClockKind.HOLDER_ANSWER,
    S.AWAITING_PAYMENT: ClockKind.PAYMENT,
    S.ACCEPTED: ClockKind.WITHDRAWAL,
}
"""The clock that runs in a state: opened on entering it, closed on leaving it."""

ANSWER_CLOCKS = frozenset({ClockKind.PROVIDER_ANSWER, ClockKind.HOLDER_ANSWER, ClockKind.PAYMENT})
"""Once one of these is over, the dossier is without follow-up, whatever the job has had time to do."""

SILENT_PARTY: dict[ClockKind, Role] = {
    ClockKind.PROVIDER_ANSWER: Role.PROVIDER,
    ClockKind.HOLDER_ANSWER: Role.HOLDER,
    ClockKind.PAYMENT: Role.HOLDER,
}
"""Whose silence a missed clock is."""


def known_pairs() -> list[tuple[str, str, str]]:
    """Every (verb, from, to) that MOVES allows, sorted."""
    return sorted(
        (verb, source, target)
        for verb, move in MOVES.items()
        for source in move.sources
        for target in move.targets
    )


del S

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
    PREREQUISITES_CHECK = "prerequisites_check", _("Prérequis en cours d’examen")
    PROPOSED = "proposed", _("À valider par le titulaire")
    FUNDER_REVIEW = "funder_review", _("En attente du financeur")
    AWAITING_PAYMENT = "awaiting_payment", _("Paiement en cours")
    ACCEPTED = "accepted", _("Inscription confirmée")
    POSTPONED = "postponed", _("Report proposé")
    ABSENT = "absent", _("Absence au premier jour")
    CLAIMED = "claimed", _("Force majeure à l’examen")
    IN_TRAINING = "in_training", _("En formation")
    ENDED = "ended", _("Formation terminée")
    COMPLETION_DECLARED = "completion_declared", _("Service fait en vérification")
    COMPLETION_VALIDATED = "completion_validated", _("Clos")
    NO_SHOW = "no_show", _("Close : absence au premier jour")
    REFUSED_BY_PROVIDER = "refused_by_provider", _("Refusée par l’organisme")
    REFUSED_BY_HOLDER = "refused_by_holder", _("Refusée par le titulaire")
    CANCELLED_BY_HOLDER = "cancelled_by_holder", _("Annulée par le titulaire")
    CANCELLED_BY_PROVIDER = "cancelled_by_provider", _("Annulée par l’organisme")
    CANCELLED_BY_FUNDER = "cancelled_by_funder", _("Annulée par le financeur")
    LAPSED = "lapsed", _("Sans suite : délai dépassé")
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
    "acknowledge": _move([S.REQUESTED], [S.PREREQUISITES_CHECK], [Role.PROVIDER]),
    "propose": _move([S.REQUESTED, S.PREREQUISITES_CHECK], [S.PROPOSED], [Role.PROVIDER]),
    "refuse": _move([S.REQUESTED, S.PREREQUISITES_CHECK], [S.REFUSED_BY_PROVIDER], [Role.PROVIDER]),
    # A funder answers through the administration, until it has a door of its own; its silence grants.
    "ask_funder": _move([S.PROPOSED], [S.FUNDER_REVIEW], [Role.HOLDER]),
    "grant_top_up": _move([S.FUNDER_REVIEW], [S.PROPOSED], [Role.ADMIN, Role.SYSTEM]),
    "refuse_top_up": _move([S.FUNDER_REVIEW], [S.PROPOSED], [Role.ADMIN]),
    "accept": _move([S.PROPOSED], [S.ACCEPTED, S.AWAITING_PAYMENT], [Role.HOLDER]),
    "activate_top_up": _move([S.PROPOSED], [S.PROPOSED], [Role.HOLDER]),
    "decline": _move([S.PROPOSED], [S.REFUSED_BY_HOLDER], [Role.HOLDER]),
    "confirm_payment": _move([S.AWAITING_PAYMENT], [S.ACCEPTED], [Role.ADMIN, Role.SYSTEM]),
    "refuse_payment": _move([S.AWAITING_PAYMENT], [S.AWAITING_PAYMENT], [Role.ADMIN, Role.SYSTEM]),
    "cancel": _move(
        [S.REQUESTED, S.PREREQUISITES_CHECK, S.FUNDER_REVIEW, S.AWAITING_PAYMENT],
        [S.CANCELLED_BY_HOLDER],
        [Role.HOLDER],
    ),
    "call_off": _move(
        [S.PROPOSED, S.FUNDER_REVIEW, S.AWAITING_PAYMENT, S.ACCEPTED, S.CLAIMED, S.POSTPONED],
        [S.CANCELLED_BY_PROVIDER],
        [Role.PROVIDER],
    ),
    "withdraw": _move([S.ACCEPTED], [S.CANCELLED_BY_HOLDER], [Role.HOLDER]),
    "cancel_late": _move([S.ACCEPTED], [S.CANCELLED_BY_HOLDER], [Role.HOLDER]),
    # A funder acts through the administration, until it has a door of its own.
    "call_off_for_funder": _move(
        [S.AWAITING_PAYMENT, S.ACCEPTED, S.CLAIMED, S.POSTPONED], [S.CANCELLED_BY_FUNDER], [Role.ADMIN]
    ),
    # An organisation that can no longer act would keep money for ever: two persons give it back.
    "give_all_back": _move(
        [S.ACCEPTED, S.POSTPONED, S.ABSENT, S.IN_TRAINING, S.ENDED], [S.CANCELLED_BY_PROVIDER], [Role.ADMIN]
    ),
    # An organisation cannot hold its dates: it proposes others, and until its holder has answered nothing
    # else can cost them anything. Their silence undoes the registration, free of charge.
    "postpone": _move([S.ACCEPTED], [S.POSTPONED], [Role.PROVIDER]),
    "keep_dates": _move([S.POSTPONED], [S.ACCEPTED], [Role.PROVIDER]),
    "agree_to_dates": _move([S.POSTPONED], [S.ACCEPTED], [Role.HOLDER]),
    "leave_free": _move([S.POSTPONED], [S.CANCELLED_BY_PROVIDER], [Role.HOLDER]),
    "undo_unanswered": _move([S.POSTPONED], [S.CANCELLED_BY_PROVIDER], [Role.SYSTEM]),
    # The first day, and what kept somebody from it.
    "enter": _move([S.ACCEPTED, S.ABSENT], [S.IN_TRAINING], [Role.PROVIDER]),
    "annul_entry": _move([S.IN_TRAINING], [S.ACCEPTED], [Role.ADMIN]),
    "report_absence": _move([S.ACCEPTED], [S.ABSENT], [Role.PROVIDER]),
    "claim": _move([S.ACCEPTED, S.ABSENT], [S.CLAIMED], [Role.HOLDER]),
    "grant_claim": _move([S.CLAIMED], [S.CANCELLED_BY_HOLDER, S.NO_SHOW], [Role.ADMIN]),
    "reject_claim": _move([S.CLAIMED], [S.CANCELLED_BY_HOLDER, S.NO_SHOW], [Role.ADMIN]),
    "settle_absence": _move([S.ABSENT], [S.NO_SHOW], [Role.SYSTEM]),
    # The last day, and what was done of it.
    "end": _move([S.IN_TRAINING], [S.ENDED], [Role.PROVIDER]),
    "declare_completion": _move([S.ENDED], [S.COMPLETION_DECLARED], [Role.PROVIDER]),
    "correct_completion": _move([S.COMPLETION_DECLARED], [S.COMPLETION_DECLARED], [Role.ADMIN]),
    "validate": _move([S.COMPLETION_DECLARED], [S.COMPLETION_VALIDATED], [Role.ADMIN, Role.SYSTEM]),
    "lapse": _move(
        [S.REQUESTED, S.PREREQUISITES_CHECK, S.PROPOSED, S.AWAITING_PAYMENT], [S.LAPSED], [Role.SYSTEM]
    ),
    "close": _move(
        [S.REQUESTED, S.PREREQUISITES_CHECK, S.PROPOSED, S.FUNDER_REVIEW],
        [S.CLOSED_BY_PLATFORM],
        [Role.SYSTEM],
    ),
    "reinstate": _move(
        [S.LAPSED],
        [S.REQUESTED, S.PREREQUISITES_CHECK, S.PROPOSED, S.AWAITING_PAYMENT],
        [Role.ADMIN],
    ),
}

VERB_WORDS = {
    "submit": _("Demande envoyée"),
    "acknowledge": _("Demande reçue, prérequis à examiner"),
    "propose": _("Proposition de l’organisme"),
    "refuse": _("Refus de l’organisme"),
    "ask_funder": _("Aide demandée à un financeur"),
    "grant_top_up": _("Aide du financeur accordée"),
    "refuse_top_up": _("Aide du financeur refusée"),
    "accept": _("Proposition validée"),
    "activate_top_up": _("Abondement de l’État activé"),
    "decline": _("Proposition refusée"),
    "confirm_payment": _("Paiement reçu"),
    "refuse_payment": _("Paiement refusé"),
    "cancel": _("Annulation du titulaire"),
    "call_off": _("Annulation de l’organisme"),
    "withdraw": _("Rétractation du titulaire"),
    "cancel_late": _("Annulation tardive du titulaire"),
    "call_off_for_funder": _("Annulation du financeur"),
    "give_all_back": _("Annulation à la place de l’organisme"),
    "postpone": _("Report proposé par l’organisme"),
    "keep_dates": _("Report repris : les dates d’avant tiennent"),
    "agree_to_dates": _("Nouvelles dates acceptées"),
    "leave_free": _("Départ sans frais du titulaire, faute des dates convenues"),
    "undo_unanswered": _("Report resté sans réponse"),
    "enter": _("Entrée en formation déclarée"),
    "annul_entry": _("Entrée en formation annulée"),
    "report_absence": _("Absence déclarée par l’organisme"),
    "claim": _("Force majeure invoquée"),
    "grant_claim": _("Force majeure reconnue"),
    "reject_claim": _("Force majeure non reconnue"),
    "settle_absence": _("Absence restée sans explication"),
    "end": _("Fin de formation déclarée"),
    "declare_completion": _("Service fait déclaré"),
    "correct_completion": _("Service fait corrigé"),
    "validate": _("Service fait validé"),
    "lapse": _("Délai dépassé"),
    "close": _("Clôture par le portail"),
    "reinstate": _("Dossier rétabli"),
}
"""What each verb did, as the administration reads it."""

WHOSE_TURN: dict[State, Role | None] = {
    S.DRAFT: Role.HOLDER,
    S.REQUESTED: Role.PROVIDER,
    S.PREREQUISITES_CHECK: Role.PROVIDER,
    S.PROPOSED: Role.HOLDER,
    S.FUNDER_REVIEW: Role.ADMIN,
    S.AWAITING_PAYMENT: Role.HOLDER,
    S.ACCEPTED: Role.PROVIDER,
    S.POSTPONED: Role.HOLDER,
    S.ABSENT: Role.HOLDER,
    S.CLAIMED: Role.ADMIN,
    S.IN_TRAINING: Role.PROVIDER,
    S.ENDED: Role.PROVIDER,
    S.COMPLETION_DECLARED: Role.SYSTEM,
}
"""Who must act. A state that is not here has nobody left to wait for."""

FINAL_STATES = frozenset(S) - frozenset(WHOSE_TURN)


class ClockKind(models.TextChoices):
    PROVIDER_ANSWER = "provider_answer", _("Réponse de l’organisme")
    PREREQUISITES = "prerequisites", _("Examen des prérequis")
    HOLDER_ANSWER = "holder_answer", _("Validation du titulaire")
    FUNDER_ANSWER = "funder_answer", _("Réponse du financeur")
    PAYMENT = "payment", _("Paiement")
    WITHDRAWAL = "withdrawal", _("Rétractation")
    POSTPONEMENT = "postponement", _("Réponse à un report")
    ENTRY = "entry", _("Déclaration d’entrée en formation")
    ABSENCE = "absence", _("Explication de l’absence")
    CLAIM = "claim", _("Décision sur la force majeure")
    EXIT = "exit", _("Déclaration de fin de formation")
    COMPLETION = "completion", _("Déclaration du service fait")
    VALIDATION = "validation", _("Vérification du service fait")


CLOCK_OF: dict[State, ClockKind] = {
    S.REQUESTED: ClockKind.PROVIDER_ANSWER,
    S.PREREQUISITES_CHECK: ClockKind.PREREQUISITES,
    S.PROPOSED: ClockKind.HOLDER_ANSWER,
    S.FUNDER_REVIEW: ClockKind.FUNDER_ANSWER,
    S.AWAITING_PAYMENT: ClockKind.PAYMENT,
    S.ACCEPTED: ClockKind.WITHDRAWAL,
    S.POSTPONED: ClockKind.POSTPONEMENT,
    S.ABSENT: ClockKind.ABSENCE,
    S.CLAIMED: ClockKind.CLAIM,
    S.IN_TRAINING: ClockKind.EXIT,
    S.ENDED: ClockKind.COMPLETION,
    S.COMPLETION_DECLARED: ClockKind.VALIDATION,
}
"""The clock that a state opens; leaving it closes whatever runs. One at a time."""

THEN: dict[ClockKind, ClockKind] = {ClockKind.WITHDRAWAL: ClockKind.ENTRY}
"""Of a state with two clocks, one after the other: once it cannot be cancelled freely any more, a confirmed
registration waits for the first day."""

DECLARATION_CLOCKS = frozenset({ClockKind.ENTRY, ClockKind.EXIT, ClockKind.COMPLETION, ClockKind.CLAIM})
"""Missed, they are said again and flagged; they never move a dossier or its money (docs/decisions.md, 14)."""

ANSWER_CLOCKS = frozenset(
    {ClockKind.PROVIDER_ANSWER, ClockKind.PREREQUISITES, ClockKind.HOLDER_ANSWER, ClockKind.PAYMENT}
)
"""Once one of these is over, the dossier is without follow-up, whatever the job has had time to do."""

DATES_OF_A_HOLDER = ANSWER_CLOCKS | {
    ClockKind.FUNDER_ANSWER,
    ClockKind.WITHDRAWAL,
    ClockKind.POSTPONEMENT,
    ClockKind.ABSENCE,
}
"""The clocks whose end a holder counts with."""

SILENT_PARTY: dict[ClockKind, Role] = {
    ClockKind.PROVIDER_ANSWER: Role.PROVIDER,
    ClockKind.PREREQUISITES: Role.PROVIDER,
    ClockKind.HOLDER_ANSWER: Role.HOLDER,
    ClockKind.PAYMENT: Role.HOLDER,
}
"""Whose silence a missed clock is."""


class ExitReason(models.TextChoices):
    """Why somebody is no longer in training. Ours: the national codes are not published."""

    FINISHED = "finished", _("La formation est allée à son terme")
    LEFT = "left", _("La personne est partie, ou n’est plus venue")
    INTERRUPTED = "interrupted", _("L’organisme a interrompu la formation")


class CompletionCause(models.TextChoices):
    """Why less than the whole was done."""

    COMPLETE = "complete", _("Tout a été suivi")
    LEFT = "left", _("La personne est partie, ou a été absente")
    INTERRUPTED = "interrupted", _("L’organisme a interrompu, sans proposer de report")
    INTERRUPTED_AND_POSTPONED = (
        "interrupted_and_postponed",
        _("L’organisme a interrompu, et proposé un report"),
    )


class ClaimState(models.TextChoices):
    OPEN = "open", _("À examiner")
    GRANTED = "granted", _("Reconnue")
    REJECTED = "rejected", _("Non reconnue")
    MOOT = "moot", _("Sans objet, tout est rendu")


def known_pairs() -> list[tuple[str, str, str]]:
    """Every (verb, from, to) that MOVES allows, sorted."""
    return sorted(
        (verb, source, target)
        for verb, move in MOVES.items()
        for source in move.sources
        for target in move.targets
    )


TO_ANSWER = frozenset({S.REQUESTED, S.PREREQUISITES_CHECK})
"""Sent, and not answered by the organisation yet."""
NOT_FOR_THE_ORGANISATION = frozenset({"grant_claim", "reject_claim", "grant_top_up", "refuse_top_up"})
"""The verbs whose reason may speak of somebody's health or money: for its holder and for staff only."""
OPEN_ENDED = frozenset({S.ABSENT, S.CLAIMED, S.IN_TRAINING, S.ENDED, S.COMPLETION_DECLARED})
"""From the first day on, until the money is settled."""

del S

"""What an organisation is owed: before it declares, an estimate; once settled, line by line.

Amounts in euro cents. The total is that of its pocket in the ledger, the lines are those of its dossiers;
nothing here writes.
"""

from dataclasses import dataclass

from django.db.models import BigIntegerField, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from accounts.actors import Actor
from dossiers import guards, moves, settlement
from dossiers.models import Completion, Dossier, Transition
from dossiers.settlement import completion_rate
from dossiers.states import CompletionCause
from dossiers.training import cause_of, rate_of
from rights import ledger


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a declared completion would give. `rate`: whole percent; `words`: the rule, in a sentence."""

    rate: int
    provider_cents: int
    words: str


def estimate(
    dossier: Dossier,
    *,
    total_minutes: int,
    done_minutes: int,
    cause: CompletionCause,
    force_majeure: bool,
    words: str,
) -> Estimate:
    """The same arithmetic as the validation. Refused: what the declaration itself would refuse."""
    guards.check_move(dossier, "declare_completion")
    guards.check_completion(
        total_minutes=total_minutes,
        done_minutes=done_minutes,
        cause=cause,
        force_majeure=force_majeure,
        words=words,
    )
    rate = completion_rate(done_minutes=done_minutes, total_minutes=total_minutes)
    declared = Completion(rate=rate, cause=cause, force_majeure=force_majeure)
    order = moves.order_of(dossier, moves.lines_of(dossier))
    settled = settlement.split(order, rate_of(declared), cause_of(declared), moves.law_of(dossier))
    return Estimate(rate, settled.provider_cents, settled.reason)


def lines(actor: Actor) -> QuerySet[Transition]:
    """The moves that gave this organisation something, the newest first, each with its `cents`."""
    return (
        Transition.objects.filter(dossier__provider_id=actor.organisation_id, details__provider_cents__gt=0)
        .annotate(cents=Cast(KT("details__provider_cents"), BigIntegerField()))
        .select_related("dossier__holder", "dossier__offer")
        .order_by("-id")
    )


def total(actor: Actor) -> int:
    """What stands in its pocket now."""
    if actor.organisation_id is None:
        return 0
    return ledger.due_to(actor.organisation_id)

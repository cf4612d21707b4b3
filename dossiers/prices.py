"""What a person would pay for each offer of the catalogue: what their purses do, sort of training by sort.

Trainings that the same purses may pay in the same way are one sort. What tells them apart: their kind, their
register, whether a ceiling spares them, and what the earmarks of the purses ask (certifications, levels).
"""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Q

from catalog.costs import Costs, Share
from catalog.models import Certification, Offer
from dossiers import funding
from dossiers.funding import Purse, Reach, Training
from rights import earmarks
from rulebook import Rules


def costs(*, purses: Sequence[Purse], status: str, rules: Rules) -> Costs:
    """One query at most: the levels of the certifications that an earmark or a ceiling names."""
    sorts: dict[Reach, Q] = defaultdict(Q)
    for condition, training in _sorts(purses, rules):
        sorts[funding.reach(purses=purses, status=status, rules=rules, training=training)] |= condition
    return Costs(
        shares=tuple(
            Share(
                of=condition,
                participation_cents=reach.participation_cents,
                capacity_cents=reach.capacity_cents,
                is_refused=reach.is_refused,
            )
            for reach, condition in sorts.items()
        ),
        top_up_percent=rules.state_top_up_percent,
        top_up_max_cents=rules.state_top_up_max_cents,
        top_up_jobs=rules.state_top_up_jobs,
    )


def _sorts(purses: Sequence[Purse], rules: Rules) -> list[tuple[Q, Training]]:
    """Conditions on the index of offers, each offer under exactly one, with a training that stands for it."""
    sorts = [
        (Q(kind=kind), Training(kind=kind)) for kind in Offer.Kind.values if kind != Offer.Kind.CERTIFYING
    ]
    named = set(rules.ceiling_exempt_certifications)
    for purse in purses:
        named.update(purse.conditions.certifications)
    certifying = Q(kind=Offer.Kind.CERTIFYING)
    known = Certification.objects.filter(pk__in=named).values_list("code", "register", "level")
    for code, register, level in known if named else ():
        training = Training(certification=code, register=register, level=level)
        sorts.append((certifying & Q(certification=code), training))
    levels = [*earmarks.LEVELS, None] if any(purse.conditions.levels for purse in purses) else [None]
    for register in Certification.Register.values:
        of_register = certifying & Q(certification__code__startswith=register) & ~Q(certification__in=named)
        for level in levels:
            of_level = Q(level=level) if len(levels) > 1 else Q()
            sorts.append((of_register & of_level, Training(register=register, level=level)))
    return sorts

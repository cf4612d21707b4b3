"""What a training costs the person who asks, for all offers at once: rights, participation, State's top-up.

A plan of payment (dossiers.funding.plan) is made for one price. For an order and a limit over half a million
prices, what a person's purses do is told once for each sort of training that they treat alike, and PostgreSQL
does the sum; tests/dossiers/test_costs.py compares the two on drawn purses and prices. Cents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Expression, ExpressionWrapper, F, IntegerField, Q, Value, When
from django.db.models.functions import Greatest, Least
from django.db.models.lookups import LessThanOrEqual

from catalog.models import Certification


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How trainings that purses treat alike are paid. `of`: a condition on the index of offers.

    `participation_cents`: paid whatever the rights; `capacity_cents`: the most that the rights pay;
    `is_refused`: they may pay nothing at all.
    """

    of: Q
    participation_cents: int = 0
    capacity_cents: int = 0
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What people pay: the first share whose condition holds; the whole price where none does.

    The State may add `top_up_percent` of what rights do not cover, `top_up_max_cents` at most, for the
    certifications that lead to `top_up_jobs` (ROME codes); extra fees are paid by nobody else.
    """

    shares: Sequence[Share] = ()
    top_up_percent: int = 0
    top_up_max_cents: int = 0
    top_up_jobs: Sequence[str] = ()

    def expression(self) -> Expression:
        """Cents paid in the end for an offer of the index, the State's top-up asked for."""
        price, fees = _cents("price_cents"), _cents("extra_fees_cents")
        whens = []
        for share in self.shares:
            if share.is_refused:
                whens.append(When(share.of, then=price + fees))
                continue
            participation = Least(_value(share.participation_cents), price)
            remainder = Greatest(participation, price - _value(share.capacity_cents))
            whens.append(When(share.of, then=remainder - self._top_up(remainder - participation) + fees))
        return Case(*whens, default=price + fees, output_field=IntegerField())

    def _top_up(self, missing: Expression) -> Expression:
        if not (self.top_up_jobs and self.top_up_percent):
            return _value(0)
        helped = Certification.objects.filter(rome_codes__overlap=list(self.top_up_jobs))
        added = Least(missing * _value(self.top_up_percent) / _value(100), _value(self.top_up_max_cents))
        is_helped = Q(certification__in=helped.values("pk"))
        return Case(When(is_helped, then=added), default=_value(0))

    def at_most(self, cents: int) -> Q:
        """The offers that cost no more than that."""
        return Q(LessThanOrEqual(self.expression(), _value(cents)))


def _cents(name: str) -> Expression:
    # Whole numbers of any size to PostgreSQL; of one type to Django, which mixes none.
    return ExpressionWrapper(F(name), output_field=IntegerField())


def _value(cents: int) -> Expression:
    return Value(cents, IntegerField())


ANYBODY = Costs()
"""Who has told nothing of their rights pays the price."""

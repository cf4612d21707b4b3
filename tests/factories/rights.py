"""Rights are never made: they are credited, as in life."""

import datetime

import factory
from django.db import transaction
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.actors import SYSTEM
from rights import ledger
from rights.kinds import DeclarationKind, DeclarationState, Measure, PocketKind, WorkStatus
from rights.models import Declaration, Movement, YearlyStatement
from tests.factories.accounts import HolderFactory, a_siret


class CreditFactory(factory.Factory):
    """CreditFactory(holder=…, amount=500_00) credits 500 € and gives the movement."""

    class Meta:
        model = Movement

    holder = factory.SubFactory(HolderFactory)
    kind = PocketKind.ANNUAL
    amount = 500_00
    key = factory.Sequence(lambda n: f"test-credit:{n}")
    at = factory.LazyFunction(timezone.now)
    by = SYSTEM

    @classmethod
    def _create(cls, model_class, *args, **fields):
        with transaction.atomic():
            return ledger.credit(**fields)


class PurseFactory(CreditFactory):
    """PurseFactory(holder=…, amount=500_00) is the pocket that now holds it."""

    @classmethod
    def _create(cls, model_class, *args, **fields):
        purse = super()._create(model_class, *args, **fields).target
        purse.refresh_from_db()
        return purse


class YearlyStatementFactory(DjangoModelFactory):
    """YearlyStatementFactory(holder=…, year=2025, worked=700): hours of a private employee, unless said."""

    class Meta:
        model = YearlyStatement

    holder = factory.SubFactory(HolderFactory)
    year = 2025
    employer_siret = factory.Sequence(lambda n: a_siret(1_000_000 + n))
    status = WorkStatus.PRIVATE
    measure = Measure.HOURS
    worked = 1607
    starts_on = factory.LazyAttribute(lambda statement: datetime.date(statement.year, 1, 1))
    ends_on = factory.LazyAttribute(lambda statement: datetime.date(statement.year, 12, 31))
    content = factory.Sequence(lambda n: f"test:{n}")
    imported_at = factory.LazyFunction(timezone.now)


class DeclarationFactory(DjangoModelFactory):
    """A declaration of the holder, confirmed unless said."""

    class Meta:
        model = Declaration

    holder = factory.SubFactory(HolderFactory)
    kind = DeclarationKind.LOW_QUALIFIED
    from_year = 2025
    state = DeclarationState.CONFIRMED
    declared_at = factory.LazyFunction(timezone.now)
    decided_at = factory.LazyAttribute(
        lambda each: None if each.state == DeclarationState.PROPOSED else each.declared_at
    )

"""Rights are never made: they are credited, as in life."""

import factory
from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import ledger
from rights.kinds import PocketKind
from rights.models import Movement
from tests.factories.accounts import HolderFactory


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

"""Envelopes with money, and what is granted from them, by the verbs funders' money goes through."""

import factory
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import dotations
from rights.dotations import Wish
from rights.earmarks import FREE
from rights.kinds import FunderKind, Origin
from rights.models import Envelope, Movement
from tests.factories.accounts import HolderFactory


class EnvelopeFactory(factory.Factory):
    """EnvelopeFactory(cents=5_000_00) is an employer's envelope with 5,000 € in it."""

    class Meta:
        model = Envelope

    reference = factory.Sequence(lambda n: f"ENV-{n}")
    funder_name = "Atelier Nord"
    funder_kind = FunderKind.EMPLOYER
    conditions = FREE
    ends_on = None
    cents = 1_000_00
    at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class, *args, cents, **fields):
        envelope = dotations.open_envelope(by=SYSTEM, **fields)
        if cents:
            dotations.fund(envelope, amount=cents, reference="VIR-1", by=SYSTEM, at=fields["at"])
        return Envelope.objects.select_related("pocket", "earmark").get(pk=envelope.pk)


class GrantFactory(factory.Factory):
    """GrantFactory(envelope=…, holder=…, amount=300_00): the movement that gave it."""

    class Meta:
        model = Movement

    envelope = factory.SubFactory(EnvelopeFactory)
    holder = factory.SubFactory(HolderFactory)
    amount = 300_00
    origin = Origin.VOLUNTARY
    reference = factory.Sequence(lambda n: f"A-{n}")
    conditions = FREE
    expires_on = None
    at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class, *args, envelope, at, **wish):
        return dotations.grant(envelope, Wish(**wish), by=SYSTEM, at=at)

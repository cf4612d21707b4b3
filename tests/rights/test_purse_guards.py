"""What the database refuses of envelopes, purses and conversions; each first shown without its guard."""

import pytest
from django.db import IntegrityError, transaction

from rights.kinds import MovementKind, PocketKind
from rights.models import Envelope, Movement, Pocket
from tests.factories.dotations import EnvelopeFactory, GrantFactory
from tests.factories.rights import PurseFactory
from tests.rights.away import switched_off
from tests.rights.test_guards import JUDGE, constraint_of, post, rules_broken

pytestmark = pytest.mark.django_db


@pytest.fixture
def granted():
    """A purse with 300 € of an envelope."""
    return GrantFactory().target


def granted_by_another(granted):
    return {"source": EnvelopeFactory().pocket, "target": granted, "kind": MovementKind.GRANT}


def credited_past_its_envelope(granted):
    funder = Pocket.objects.get(kind=PocketKind.FUNDER, label=granted.label)
    return {"source": funder, "target": granted, "kind": MovementKind.CREDIT}


def returned_to_another(granted):
    return {"source": granted, "target": EnvelopeFactory().pocket, "kind": MovementKind.RECALL}


def returned_past_its_envelope(granted):
    funder = Pocket.objects.get(kind=PocketKind.FUNDER, label=granted.label)
    return {"source": granted, "target": funder, "kind": MovementKind.EXPIRY}


def paid_back_to_another(granted):
    other = Pocket.objects.create(kind=PocketKind.FUNDER, label="Un autre")
    return {"source": granted.envelope.pocket, "target": other, "kind": MovementKind.PAY_BACK}


def converted_by_half(granted):
    middle = Pocket.objects.create(kind=PocketKind.CONVERSION)
    return {
        "source": PurseFactory(holder=granted.holder),
        "target": middle,
        "kind": MovementKind.CONVERSION_OUT,
        "key": "half:1:out",
    }


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("grant_fills_a_purse_of_its_envelope", granted_by_another),
        ("grant_fills_a_purse_of_its_envelope", credited_past_its_envelope),
        ("dotation_returns_to_its_funder", returned_to_another),
        ("dotation_returns_to_its_funder", returned_past_its_envelope),
        ("envelope_keeps_its_funder", paid_back_to_another),
        ("conversion_comes_in_two_halves", converted_by_half),
    ],
)
def test_money_of_funders_and_conversions_keep_their_way(granted, rule, fault):
    fields = fault(granted)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(**fields)
    assert constraint_of(refusal) == rule
    assert rule not in rules_broken()
    with switched_off(JUDGE):
        post(**fields)
    assert rule in rules_broken()


def test_an_envelope_is_never_overdrawn(granted):
    envelope = granted.envelope.pocket
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post(envelope, granted, amount=700_01, kind=MovementKind.GRANT)
    assert constraint_of(refusal) == "pocket_never_overdrawn"
    assert Movement.objects.filter(kind=MovementKind.GRANT).count() == 1


def test_only_a_pocket_of_that_kind_is_an_envelope(granted):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Envelope.objects.create(pocket=granted, reference="X", opened_at="2026-05-12T10:00Z")
    assert constraint_of(refusal) == "envelope_is_an_envelope"


def test_only_what_a_funder_grants_has_terms(granted):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Pocket.objects.create(
            holder=granted.holder, kind=PocketKind.DIF, balance=0, envelope=granted.envelope
        )
    assert constraint_of(refusal) == "pocket_of_a_funder_only_has_terms"

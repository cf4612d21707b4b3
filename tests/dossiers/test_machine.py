"""Any verbs, in any order, at any time, by whoever does them: money in is money out, to the cent."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dossiers import controls, deadlines
from dossiers.models import Dossier
from dossiers.states import FINAL_STATES, MOVES
from rights import integrity
from rights.kinds import PocketKind
from rights.models import Movement, Pocket
from tests.factories.dossiers import DossierFactory, act, admin_actor, holder_actor, meant
from tests.factories.rights import CreditFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
VERBS = sorted(set(MOVES) - {"submit", "propose"})
# What people do, how long after the last thing, and how much of the training was followed.
STEP = st.tuples(
    st.sampled_from([*VERBS, "the portal", "contest", "release"]), st.integers(0, 40), st.integers(0, 100)
)


def in_the_world() -> int:
    """What came into the portal and has not left it, in cents."""
    came = gone = 0
    for movement in Movement.objects.select_related("source", "target").order_by("id"):
        came += movement.amount if movement.source.balance is None else 0
        gone += movement.amount if movement.target.balance is None else 0
    return came - gone


def do(verb: str, dossier: Dossier, *, at: datetime, percent: int, agent) -> None:
    if verb == "the portal":
        deadlines.settle_overdue(at=at)
    elif verb == "contest":
        controls.open_control(dossier.pk, by=holder_actor(dossier.holder), at=at, words="Non.")
    elif verb == "release":
        controls.release_control(dossier.pk, by=agent, at=at, request_id=dossier.pk, outcome="Vu.")
    else:
        act(verb, dossier, at=at, **meant(verb, dossier, at=at, percent=percent, agent=agent))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEP, max_size=14))
def test_money_in_is_money_out_whatever_happens(steps):
    with transaction.atomic():
        at = START
        dossier = DossierFactory(at=at, balance_cents=10_000, is_exempt=False, price_cents=100_000)
        for kind, amount in ((PocketKind.TOP_UP, 20_000), (PocketKind.DOTATION, 10_000)):
            CreditFactory(holder=dossier.holder, kind=kind, label="Région", amount=amount, at=at)
        for verb in ("submit", "propose"):
            terms = {
                "price_cents": 100_000,
                "starts_on": dossier.session.starts_on,
                "ends_on": dossier.session.ends_on,
            }
            act(verb, dossier, at=at, **(terms if verb == "propose" else {}))
        agent = admin_actor()
        for verb, days, percent in steps:
            at += timedelta(days=days)
            dossier = Dossier.objects.select_related("holder", "provider").get(pk=dossier.pk)
            try:
                with transaction.atomic():
                    do(verb, dossier, at=at, percent=percent, agent=agent)
            except Refused:
                continue
        assert integrity.check() == []
        inside = sum(pocket.balance or 0 for pocket in Pocket.objects.order_by("id"))
        assert in_the_world() == inside
        dossier = Dossier.objects.get(pk=dossier.pk)
        if dossier.state in FINAL_STATES:
            left = Pocket.objects.filter(kind__in=(PocketKind.RESERVED, PocketKind.SPENT), balance__gt=0)
            assert not left.exists()
        transaction.set_rollback(True)

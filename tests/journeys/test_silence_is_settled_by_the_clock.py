"""Nobody looks. A real worker and its beat find two silences and settle them, and write to everyone."""

import time
from datetime import timedelta

import pytest

from dossiers.models import Dossier
from dossiers.states import State
from notices.models import Notice
from rights import integrity
from tests.factories.dossiers import DossierFactory

LONG_AGO = timedelta(days=20)
PATIENCE_SECONDS = 90


@pytest.mark.worker
def test_two_silences_are_settled_while_no_page_is_open(worker, at):
    past = at - LONG_AGO
    unanswered = DossierFactory(requested=True, at=past)
    unpaid = DossierFactory(awaiting_payment=True, at=past)
    fresh = DossierFactory(requested=True, at=at)

    wanted = {unanswered.pk: (State.LAPSED, "provider"), unpaid.pk: (State.LAPSED, "holder")}
    end = time.monotonic() + PATIENCE_SECONDS
    found = {}
    while found != wanted and time.monotonic() < end:
        time.sleep(0.5)
        rows = Dossier.objects.filter(pk__in=wanted).values_list("pk", "state", "silent_party")
        found = {pk: (state, silent) for pk, state, silent in rows}
    assert found == wanted
    assert Dossier.objects.get(pk=fresh.pk).state == State.REQUESTED
    assert integrity.check() == []

    # Its letters leave by the same clock.
    while time.monotonic() < end and Notice.objects.filter(kind="dossier_lapsed", delivered_at=None).exists():
        time.sleep(0.5)
    read = "".join(file.read_text() for file in worker.iterdir())
    for dossier in (unanswered, unpaid):
        assert f"To: {dossier.holder.user.email}" in read

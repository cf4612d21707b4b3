"""A hundred changes made at random straight in SQL: refused by the database, or found by the check.

The tool says more, and other seeds: `python3 dev.py run tools/tamper.py --edits 1000 --seed 7`.
"""

import pytest

from rights import integrity
from tools import tamper

pytestmark = pytest.mark.django_db
SEED = 20_260_301


@pytest.fixture(autouse=True)
def _a_ledger():
    tamper.fill(days=3, holders=3)
    assert integrity.audit(verify_seals=True).findings == []


def test_a_hundred_random_edits_are_all_refused_or_found():
    counts, missed = tamper.run(edits=100, seed=SEED)
    assert missed == []
    assert sum(counts.values()) == 100
    for way in tamper.WAYS:
        assert counts[way, "refused"] + counts[way, "found"]
    # Both nets were needed.
    assert sum(counts[way, "found"] for way in ("triggers off", "pgtrigger.ignore")) > 10
    assert counts["triggers on", "refused"] > 10
    assert integrity.audit(verify_seals=True).findings == []


def test_without_the_seals_some_would_be_missed(monkeypatch):
    """The negative control: the rules alone do not know what was written."""
    audit = integrity.audit
    monkeypatch.setattr(integrity, "audit", lambda **options: audit())
    _counts, missed = tamper.run(edits=60, seed=SEED)
    assert missed

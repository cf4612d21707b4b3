import pytest


@pytest.fixture(autouse=True)
def _alone(the_ledger_alone):
    pass

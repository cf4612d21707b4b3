"""`manage.py check_ledger` and its nightly task: silent exit code 0, or 1 and what is wrong."""

import io
import json
import logging

import pytest
from django.core.management import call_command

from rights import integrity
from rights.models import Pocket
from rights.tasks import check_ledger
from tests.factories.rights import PurseFactory
from tests.rights.away import switched_off
from tests.rights.test_ledger import reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def purse():
    purse = PurseFactory(amount=1234_50)
    reserve((purse, 34_50))
    return purse


def break_it(purse):
    with switched_off("pocket_balance_follows_moves"):
        Pocket.objects.filter(pk=purse.pk).update(balance=7)


def run(**options):
    told = io.StringIO()
    call_command("check_ledger", stdout=told, no_color=True, **options)
    return told.getvalue().replace("\u202f", " ").replace("\u00a0", " ")


def test_it_says_what_was_checked_with_counts(purse):
    told = run()
    assert "3 poches, 2 mouvements." in told
    assert "1 200,00 € dans les comptes, 34,50 € réservés pour des formations." in told
    assert told.count(": juste") == len(integrity.RULES)
    assert "Le grand livre est juste." in told


def test_it_fails_and_names_what_is_wrong(purse, capsys):
    break_it(purse)
    told = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("check_ledger", stdout=told, no_color=True)
    assert end.value.code == 1
    assert f"pocket:{purse.pk} · balance 7, movements 120000" in told.getvalue()
    assert "Le grand livre est faux." in told.getvalue()


def test_it_speaks_to_machines_too(purse):
    assert json.loads(run(json=True))["findings"] == []
    break_it(purse)
    told = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("check_ledger", json=True, stdout=told)
    [finding] = json.loads(told.getvalue())["findings"]
    assert finding == {
        "rule": "balance_is_the_sum_of_movements",
        "subject": f"pocket:{purse.pk}",
        "details": "balance 7, movements 120000",
    }


def test_the_nightly_task_puts_an_error_in_the_log_for_each_finding(purse, caplog):
    caplog.set_level(logging.INFO)
    check_ledger()
    assert [record.levelname for record in caplog.records] == ["INFO"]
    break_it(purse)
    check_ledger()
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(purse.pk) in error.getMessage()

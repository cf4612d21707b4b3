"""Loading the file: it adds, it closes, it never rewrites; twice is once."""

import threading
from dataclasses import replace
from datetime import date
from io import StringIO
from unittest.mock import MagicMock

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.state import ProjectState

import rulebook
from rulebook import loading
from rulebook.models import Parameter

pytestmark = pytest.mark.django_db


def with_changes(*changed, without=(), more=()):
    """The rows of the file, some replaced, some removed, some added."""
    replaced = {(row.name, row.since): row for row in changed}
    return (
        *(
            replaced.get((row.name, row.since), row)
            for row in loading.read()
            if (row.name, row.since) not in {(gone.name, gone.since) for gone in without}
        ),
        *more,
    )


def latest(name):
    return [row for row in loading.read() if row.name == name][-1]


def with_new_decree():
    current = latest("participation_cents")
    new = replace(current, value=15_000, since=date(2027, 1, 1), until=None, legal_reference="Décret à venir")
    return with_changes(replace(current, until=new.since), more=(new,))


def snapshot():
    return list(Parameter.objects.order_by("pk").values_list("pk", "name", "value", "in_force"))


def test_migrate_has_loaded_the_file_and_loading_again_does_nothing():
    before = snapshot()
    changes = loading.load()
    assert (changes.added, changes.closed, changes.reworded, changes.retired) == ((), (), (), ())
    assert snapshot() == before
    assert len(before) == len(loading.read())


def test_a_new_decree_adds_a_row_closes_the_old_one_and_leaves_old_dates_alone():
    old_days = [date(2024, 5, 1), date(2025, 6, 1), date(2026, 12, 31)]
    before = [rulebook.on(day) for day in old_days]
    changes = loading.load(with_new_decree())
    assert [row.value for row in changes.added] == [15_000]
    assert [row.value for row in changes.closed] == [10_320]
    assert [rulebook.on(day) for day in old_days] == before
    assert rulebook.on(date(2027, 1, 1)).participation_cents == 15_000
    assert loading.load(with_new_decree()).added == ()


def test_a_dry_run_writes_nothing():
    before = snapshot()
    changes = loading.load(with_new_decree(), dry_run=True)
    assert len(changes.added) == len(changes.closed) == 1
    assert snapshot() == before


def test_older_history_may_be_added_before_the_first_row():
    first = next(row for row in loading.read() if row.name == "withdrawal_days")
    older = replace(first, since=date(2015, 1, 1), until=first.since, value=10)
    assert loading.load(with_changes(more=(older,))).added == (older,)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            lambda: with_changes(replace(latest("withdrawal_days"), value=11)),
            "depuis le 21/11/2019 : la base dit 14 (jours), le fichier dit 11 (jours)",
        ),
        (
            lambda: with_changes(replace(latest("withdrawal_days"), unit="mois")),
            "le fichier dit 14 (mois)",
        ),
        (
            lambda: with_changes(without=[latest("participation_cents")]),
            "la période commencée le 01/01/2026 est en base et n'est plus dans le fichier",
        ),
        (
            lambda: with_changes(
                replace(
                    next(row for row in loading.read() if row.name == "participation_cents"),
                    until=date(2024, 1, 1),
                )
            ),
            "est déjà close au 02/05/2024",
        ),
    ],
)
def test_a_changed_past_is_refused_as_a_whole(rows, sentence):
    before = snapshot()
    # The refused file also holds a row that could be added: it must not be.
    current = latest("payment_days")
    new = replace(current, since=date(2027, 1, 1), value=6)
    mixed = (*[row for row in rows() if row != current], replace(current, until=new.since), new)
    with pytest.raises(loading.RulebookRefused) as refused:
        loading.load(mixed)
    assert sentence in str(refused.value)
    assert snapshot() == before


def test_a_name_that_left_the_file_keeps_its_rows():
    rows = tuple(row for row in loading.read() if row.name != "payment_days")
    assert loading.load(rows).retired == ("payment_days",)
    assert Parameter.objects.filter(name="payment_days").exists()


def test_other_words_for_the_same_value_are_told_and_change_nothing():
    reworded = replace(latest("payment_days"), note="Autrement dit.")
    changes = loading.load(with_changes(reworded))
    assert changes.reworded == (reworded,)
    assert Parameter.objects.get(name="payment_days").note != "Autrement dit."


# --- Around migrate -------------------------------------------------------------------------------


def test_migrate_stops_with_the_sentence_when_the_file_contradicts_the_database(monkeypatch):
    rows = (replace(latest("withdrawal_days"), value=3),)
    monkeypatch.setattr(loading, "read", lambda: rows)
    with pytest.raises(CommandError, match="Une valeur passée ne se change pas"):
        loading.load_after_migrate(using="default")


def test_migrate_says_what_it_loaded_and_nothing_when_there_is_nothing(monkeypatch):
    out = StringIO()
    loading.load_after_migrate(using="default", stdout=out)
    assert out.getvalue() == ""
    rows = with_new_decree()
    monkeypatch.setattr(loading, "read", lambda: rows)
    loading.load_after_migrate(using="default", stdout=out)
    assert "1 row(s) added, 1 closed" in out.getvalue()


def test_migrating_the_app_away_finds_no_table_and_says_nothing():
    out = StringIO()
    loading.load_after_migrate(using="default", apps=ProjectState().apps, stdout=out)
    assert out.getvalue() == ""


@pytest.mark.django_db(transaction=True)
def test_flush_reloads_the_law():
    call_command("flush", interactive=False, verbosity=0)
    assert Parameter.objects.count() == len(loading.read())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False])
def test_two_loaders_at_once_load_once(guarded, monkeypatch):
    """Without the lock both see the row missing, and the table's own guards refuse the second."""
    rows = with_new_decree()
    compared = threading.Event()
    may_write = threading.Event()
    compare = loading._compare
    outcome = {}

    def slow_compare(*args):
        changes = compare(*args)
        if threading.current_thread().name == "first":
            compared.set()
            may_write.wait(10)
        return changes

    monkeypatch.setattr(loading, "_compare", slow_compare)
    if not guarded:
        monkeypatch.setattr(loading, "connections", MagicMock())  # whose LOCK TABLE does nothing

    def run():
        name = threading.current_thread().name
        try:
            outcome[name] = len(loading.load(rows).added)
        except DatabaseError:
            outcome[name] = "refused"
        finally:
            connection.close()

    first = threading.Thread(target=run, name="first")
    second = threading.Thread(target=run, name="second")
    first.start()
    assert compared.wait(10)
    second.start()
    if guarded:
        second.join(0.3)
        assert second.is_alive()  # it waits for the lock
    else:
        second.join(10)
    may_write.set()
    first.join(10)
    second.join(10)
    assert sorted(outcome.values(), key=str) == ([0, 1] if guarded else [1, "refused"])
    assert Parameter.objects.filter(name="participation_cents", value=15_000).count() == 1


# --- The command ----------------------------------------------------------------------------------


def run(*args):
    out = StringIO()
    call_command("load_rulebook", *args, stdout=out, no_color=True)
    return out.getvalue()


def test_the_command_says_what_it_did(monkeypatch):
    assert run() == "Fait : 0 période(s) ajoutée(s), 0 fermée(s).\n"
    rows = with_new_decree()
    monkeypatch.setattr(loading, "read", lambda: rows)
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False):
        dry = run("--dry-run")
        assert "Fermée : participation_cents, du 01/01/2026 au 01/01/2027 non compris." in dry
        assert "Ajoutée : participation_cents = 15000, à partir du 01/01/2027." in dry
        assert "Rien n'est écrit (essai) : 1 période(s) ajoutée(s), 1 fermée(s)." in dry
        assert "rétroactif" not in dry
    with time_machine.travel("2027-02-01T10:00:00Z", tick=False):
        assert "Effet rétroactif" in run()


def test_the_command_tells_reworded_and_retired_rows(monkeypatch):
    rows = tuple(
        replace(row, note="Autrement dit.") if row.name == "payment_days" else row
        for row in loading.read()
        if row.name != "payment_unit"
    )
    monkeypatch.setattr(loading, "read", lambda: rows)
    said = run()
    assert "Gardée telle quelle : payment_days" in said
    assert "Gardée, absente du fichier : payment_unit." in said


def test_the_command_refuses_a_changed_past(monkeypatch):
    rows = with_changes(replace(latest("withdrawal_days"), value=11))
    monkeypatch.setattr(loading, "read", lambda: rows)
    with pytest.raises(CommandError, match=r"rien n'est écrit\. « withdrawal_days »") as error:
        run()
    assert error.value.returncode == 1


def test_the_transaction_of_the_caller_rolls_the_load_back():
    before = snapshot()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        loading.load(with_new_decree())
        raise ZeroDivisionError
    assert snapshot() == before

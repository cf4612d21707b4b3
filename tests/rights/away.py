"""Takes a guard of the ledger away, as only who owns its tables can."""

from contextlib import contextmanager

from django.db import connection

from rights.models import Movement, Pocket

TRIGGERS = {
    trigger.name: (model._meta.db_table, trigger.get_pgid(model))
    for model in (Pocket, Movement)
    for trigger in model._meta.triggers
}


@contextmanager
def switched_off(name):
    """Without this trigger; inside the test's transaction, which gives it back in any case."""
    table, trigger = TRIGGERS[name]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")

"""What is written once for the tests of a whole module."""

from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection


@contextmanager
def kept_for_the_module(django_db_blocker):
    """What is written on entering is there for each test, which rolls back its own; then it is emptied."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            call_command("flush", verbosity=0, interactive=False)
            connection.close()  # perhaps opened beside a browser's loop: nobody else would close it

"""What a Celery worker does for itself, beside its tasks. Only workers import this (portal/celery.py)."""

from celery.signals import task_success, worker_init
from django.conf import settings
from django.db import connection

from portal import figures

# A check of the ledger or an import reads for minutes; a page never may.
STATEMENT_SECONDS = 900


@worker_init.connect
def allow_long_statements(**_signal):
    connection.settings_dict["OPTIONS"]["options"] = settings.database_limits(STATEMENT_SECONDS)


@task_success.connect
def note_success(sender, **_signal):
    """When each job last ran to its end: health, metrics and the operator's desk read it."""
    figures.note_success(sender.name)

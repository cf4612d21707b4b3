"""What a Celery worker does for itself, beside its tasks. Only workers import this (portal/celery.py)."""

from celery.signals import task_success, worker_init
from django.db import connection

from portal import database, figures


@worker_init.connect
def allow_long_statements(**_signal):
    connection.settings_dict["OPTIONS"]["options"] = database.limits(database.WORKER_SECONDS)


@task_success.connect
def note_success(sender, **_signal):
    """When each job last ran to its end: health, metrics and the operator's desk read it."""
    figures.note_success(sender.name)

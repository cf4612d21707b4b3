"""What the clock runs: once a night, what is kept of sign-ins and invitations is forgotten in time."""

import logging

from celery import shared_task
from django.utils import timezone

from accounts import sessions, sign_ins, teams

log = logging.getLogger(__name__)


@shared_task
def forget():
    at = timezone.now()
    forgotten = (sessions.purge(at=at), sign_ins.purge(at=at), teams.purge_invitations(at=at))
    log.info("forgotten: %s sessions, %s sign-ins, %s invitations", *forgotten)

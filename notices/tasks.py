"""What the clock runs: beat every 15 seconds, and each commit that wrote a notice."""

import logging

from celery import shared_task
from django.utils import timezone

from notices import outbox

log = logging.getLogger(__name__)


LOT = 500
"""Notices of one run, so that a worker that stops gracefully has a short one to end."""


@shared_task
def deliver_due():
    report = outbox.deliver_due(at=timezone.now(), limit=LOT)
    if report != outbox.DeliveryReport():
        log.info("notices: %s", report)
    if report.tried == LOT:  # more may wait: not for beat
        outbox.deliver_soon()

"""What the clock runs: beat every 15 seconds, and each commit that wrote a notice."""

import logging

from celery import shared_task
from django.utils import timezone

from notices import outbox

log = logging.getLogger(__name__)


@shared_task
def deliver_due():
    report = outbox.deliver_due(at=timezone.now(), limit=500)
    if report != outbox.DeliveryReport():
        log.info("notices: %s", report)

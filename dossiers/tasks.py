"""What the clock runs. Three lines each: read the time, call the verb, log."""

import logging

from celery import shared_task
from django.utils import timezone

from dossiers import deadlines

log = logging.getLogger(__name__)


@shared_task
def settle_overdue():
    report = deadlines.settle_overdue(at=timezone.now())
    log.info("settled %s, skipped %s, set aside %s", report.settled, report.skipped, len(report.set_aside))


@shared_task
def send_reminders():
    report = deadlines.send_reminders(at=timezone.now())
    log.info("reminded %s, skipped %s", report.settled, report.skipped)


@shared_task
def close_ended_certifications():
    report = deadlines.close_ended_certifications(at=timezone.now())
    log.info("closed %s, set aside %s", report.settled, len(report.set_aside))

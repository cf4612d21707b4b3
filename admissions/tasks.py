"""What the clock runs. Three lines each: read the time, call the verb, log."""

import logging

from celery import shared_task
from django.utils import timezone

from admissions import measures, reminders

log = logging.getLogger(__name__)


@shared_task
def remind():
    at = timezone.now()
    log.info("join requests: %s reminded, %s late", reminders.remind(at=at), reminders.tell_lateness(at=at))


@shared_task
def lift_ended_suspensions():
    log.info("suspensions: %s lifted", measures.lift_ended(at=timezone.now()))


@shared_task
def clear_away():
    log.info("join requests: %s documents and drafts forgotten", reminders.clear_away(at=timezone.now()))

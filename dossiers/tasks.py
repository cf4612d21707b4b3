"""What the clock runs. Three lines each: read the time, call the verb, log unless nothing was due."""

import logging

import kombu.exceptions
from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from dossiers import answering, bulk, deadlines, evidence, payments, reviews

log = logging.getLogger(__name__)

BATCH_LOT = 20
SWEEPERS = 2


@shared_task
def settle_overdue():
    report = deadlines.settle_overdue(at=timezone.now(), workers=SWEEPERS)
    if report != deadlines.Report():
        log.info(
            "settled %s, skipped %s, set aside %s", report.settled, report.skipped, len(report.set_aside)
        )


@shared_task
def send_reminders():
    report = deadlines.send_reminders(at=timezone.now())
    if report != deadlines.Report():
        log.info("reminded %s, skipped %s", report.settled, report.skipped)


@shared_task
def close_ended_certifications():
    report = deadlines.close_ended_certifications(at=timezone.now())
    if report != deadlines.Report():
        log.info("closed %s, set aside %s", report.settled, len(report.set_aside))


@shared_task
def open_missing_clocks():
    report = deadlines.open_missing(at=timezone.now())
    if report != deadlines.Report():
        log.info("opened %s, set aside %s", report.settled, len(report.set_aside))


@shared_task
def carry_out_batches():
    for batch_id in bulk.to_carry_out():
        try:
            # Lot by lot, each at its own moment: lateness is judged when a line is done.
            while bulk.carry_out(batch_id, at=timezone.now(), limit=BATCH_LOT):
                pass
        except OperationalError:  # a lock held too long: this batch waits for the next run, others do not
            log.warning("batch %s waits", batch_id, exc_info=True)


@shared_task
def discard_forgotten_batches():
    log.info("discarded %s batches that nobody confirmed", bulk.discard_forgotten(at=timezone.now()))


@shared_task
def clear_evidence():
    log.info("dossiers: %s files of proof forgotten", evidence.clear_away(at=timezone.now()))


@shared_task
def invite_to_review():
    if invited := reviews.invite(at=timezone.now()):
        log.info("invited %s people to say what they think of their training", invited)


@shared_task
def count_answers():
    log.info("answers of %s organisations counted", answering.count(at=timezone.now()))


@shared_task
def recount_reviews():
    if wrong := reviews.recount_all(at=timezone.now()):
        log.info("reviews of %s offers counted again", wrong)


@shared_task
def handle_payment_events():
    _tell("payment events", payments.handle_events(at=timezone.now()))


def handle_payment_events_soon():
    """Ask a worker now; a broker that is down loses nothing, for beat asks again."""
    try:
        handle_payment_events.delay()
    except kombu.exceptions.OperationalError:
        log.warning("payment events wait for beat: the broker is down")


@shared_task
def ask_about_payments():
    _tell("card payments asked again", payments.ask_again(at=timezone.now()))
    _tell("cards forgotten", payments.forget_cards(at=timezone.now()))


@shared_task
def send_refunds():
    _tell("refunds", payments.send_refunds(at=timezone.now()))


def _tell(what: str, report: payments.Report) -> None:
    if report != payments.Report():
        log.info("%s: %s", what, report)

"""What the clock asks of rights."""

import logging

from celery import shared_task
from django.utils import timezone

from rights import declarations, dotations, integrity, seals

logger = logging.getLogger(__name__)


@shared_task
def check_ledger() -> None:
    """Every night: an error in the log for each thing that is wrong."""
    audit = integrity.nightly_check(at=timezone.now())
    for finding in audit.findings:
        logger.error("ledger: %s · %s · %s", finding.rule, finding.subject, finding.details)
    logger.info("ledger: %s movements checked, %s findings", audit.movements, len(audit.findings))


@shared_task
def seal_ledger() -> None:
    """After midnight: seal the days that are over. The hash in the log is a copy nobody here can change."""
    done = seals.seal_due(
        at=timezone.now(),
        told=lambda seal: logger.info("ledger: %s sealed, %s movements, %s", seal, seal.count, seal.hash),
    )
    logger.info("ledger: %s days sealed", len(done))


@shared_task
def return_ended_dotations() -> None:
    """Every hour: what was not used by its last day goes back to its funder."""
    returned = dotations.expire(at=timezone.now())
    logger.info("dotations: %s purses have ended, and went back to their funders", len(returned))


@shared_task
def clear_proofs() -> None:
    """Every night: proofs of declarations whose decision can no longer be contested."""
    gone = declarations.clear_away(at=timezone.now())
    logger.info("declarations: %s proofs forgotten", gone)

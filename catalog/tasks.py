"""Background work of the catalogue (timetable: portal/celery.py)."""

import logging
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from catalog.imports import nightly

logger = logging.getLogger(__name__)


@shared_task
def import_registers() -> dict[str, str]:
    """Every night: what is new in the folder of registers; what became of each file."""
    if not settings.REGISTERS_FOLDER:
        logger.info("import of registers: REGISTERS_FOLDER is not set, nothing to do")
        return {}
    return nightly.import_folder(Path(settings.REGISTERS_FOLDER), at=timezone.now())

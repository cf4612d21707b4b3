"""Background work of the catalogue (timetable: portal/celery.py)."""

import logging
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

import rulebook
from catalog import alerts, endings, importing, suggesting, validity
from catalog.imports import nightly
from rulebook import workdays

logger = logging.getLogger(__name__)


@shared_task
def import_registers() -> dict[str, str]:
    """Every night: what is new in the folder of registers; what became of each file."""
    if not settings.REGISTERS_FOLDER:
        logger.info("import of registers: REGISTERS_FOLDER is not set, nothing to do")
        return {}
    return nightly.import_folder(Path(settings.REGISTERS_FOLDER), at=timezone.now())


@shared_task
def carry_out_imports() -> None:
    """What organisations asked of their catalogue imports, and what a worker that died left undone."""
    if done := importing.carry_out(at=timezone.now()):
        logger.info("catalogue imports: %s steps done", done)


@shared_task
def clear_imports_away() -> None:
    """Every night: files, before-images and imports that nobody needs any more."""
    logger.info("catalogue imports cleared away: %s", importing.clear_away(at=timezone.now()))


@shared_task
def look_at_offers() -> None:
    """What the rules have opened or closed since the last look, and telling the organisations."""
    found = validity.look(at=timezone.now())
    if found != validity.Found():
        logger.info("offers: %s", found)


@shared_task
def warn_of_ending_certifications() -> None:
    """Those that end in so many months: each organisation once a date."""
    if told := endings.warn(at=timezone.now()):
        logger.info("ending certifications: %s organisations told", told)


@shared_task
def tell_of_new_offers() -> None:
    """What is new in the searches that people saved: one letter a person a day at most."""
    if told := alerts.tell(at=timezone.now()):
        logger.info("saved searches: %s people told", told)


@shared_task
def refresh_suggestions() -> None:
    """Every night, after the registers: the names that complete what people type."""
    today = workdays.paris_day(timezone.now())
    logger.info("suggestions: %s", suggesting.refresh(on=today, rules=rulebook.on(today)))

"""What the nightly job imports: the files it knows by name in one folder, when they have changed."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType

from django.db import connection
from django.db.models import Max

from catalog import words
from catalog.imports import certifications, nomenclatures, offers, open_catalogue, providers, reading, rncp
from catalog.imports.reading import Unusable
from catalog.imports.report import LOCK_SPACE
from catalog.models import ImportRun

logger = logging.getLogger(__name__)

NIGHTLY_LOCK = 1000  # beside those of the kinds of import


@dataclass(frozen=True, slots=True)
class Register:
    kind: ImportRun.Kind
    names: re.Pattern
    importer: ModuleType


# In this order: words come before what is found by them, the register that is believed before the others, and
# a catalogue is judged by the certifications and the organisations of the same night.
REGISTERS = (
    # ROME's codes before its job names.
    Register(
        ImportRun.Kind.NOMENCLATURES,
        re.compile(r"rome_codes.*\.(?:csv|csv\.gz|zip)", re.IGNORECASE),
        nomenclatures,
    ),
    Register(
        ImportRun.Kind.NOMENCLATURES,
        re.compile(
            r"(?:formacode|rome_appellations|nsf_).*\.(?:csv|csv\.gz|zip)"
            r"|nsf_lheo.*\.(?:xml|xml\.gz)|(?:rome_secteurs|.*synonym).*\.(?:json|json\.gz|zip)",
            re.IGNORECASE,
        ),
        nomenclatures,
    ),
    Register(
        ImportRun.Kind.CERTIFICATIONS,
        re.compile(r"(?:.*[-_])?(?:rncp|rs)(?:[-_.].*)?\.(?:xml|xml\.gz|zip)", re.IGNORECASE),
        rncp,
    ),
    Register(
        ImportRun.Kind.CERTIFICATIONS,
        re.compile(
            r"export[-_]fiches[-_]csv.*\.zip|(?:certif_info|kit_apprentissage).*\.(?:csv|csv\.gz|zip)",
            re.IGNORECASE,
        ),
        certifications,
    ),
    Register(
        ImportRun.Kind.ORGANISATIONS,
        re.compile(r"(?:organismes|liste-publique-des-of).*\.(?:csv|csv\.gz|zip)", re.IGNORECASE),
        providers,
    ),
    Register(
        ImportRun.Kind.MARKET,
        re.compile(r"moncompteformation_catalogueformation.*\.(?:csv|csv\.gz|zip)", re.IGNORECASE),
        open_catalogue,
    ),
    Register(
        ImportRun.Kind.CATALOGUE, re.compile(r"catalogue.*\.(?:xml|xml\.gz|zip)", re.IGNORECASE), offers
    ),
)


def import_folder(folder: Path, *, at: datetime) -> dict[str, str]:
    """Imports what is new in the folder; what became of each known file, by its name.

    One file that fails is logged, kept on its ImportRun, and stops nothing else. Two nights never overlap.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, NIGHTLY_LOCK])
        if not cursor.fetchone()[0]:
            logger.warning("import of registers: another one is running")
            return {}
    try:
        outcome = {path.name: _import(path, register, at=at) for path, register in _known(folder)}
        # From before the index, or made by hand: an unchanged file would never bring their words.
        words.catch_up()
        return outcome
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, NIGHTLY_LOCK])


def _known(folder: Path) -> Iterator[tuple[Path, Register]]:
    """Known files, register by register, in the order of their names: the latest date comes last."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        logger.exception("import of registers: the folder cannot be read")
        return
    for register in REGISTERS:
        for path in paths:
            if register.names.fullmatch(path.name):
                yield path, register


def _import(path: Path, register: Register, *, at: datetime) -> str:
    try:
        if _is_up_to_date(reading.find(path), register):
            return "unchanged"
        report = register.importer.run(str(path), at=at)
    except Unusable as error:
        logger.error("import of %s: %s", path.name, error)
        return "unusable"
    except Exception:
        # Whatever it is, the other files and the worker go on.
        logger.exception("import of %s failed", path.name)
        return "failed"
    logger.info(
        "import of %s: %d read, %d created, %d updated, %d refused",
        path.name,
        report.read,
        report.created,
        report.updated,
        report.refused,
    )
    return "imported"


def _is_up_to_date(source: reading.Source, register: Register) -> bool:
    """The file was imported as it is now. For a catalogue, nothing that judges it has come since."""
    good = ImportRun.objects.filter(error="").order_by("-started_at", "-pk")
    last = good.filter(kind=register.kind, file_name=source.name).first()
    if last is None or last.file_digest != source.digest:
        return False
    if register.kind != ImportRun.Kind.CATALOGUE:
        return True
    newest = good.exclude(kind=register.kind).order_by().aggregate(newest=Max("pk"))["newest"]
    return newest is None or newest < last.pk

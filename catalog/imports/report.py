"""How every import runs, and what it says afterwards.

One transaction for the whole file: either all of its good records are written, with the report, or nothing.
A bad record refuses that record only; a file that cannot be read to its end writes nothing but the reason.
One import of a kind at a time: the others are told to wait.
"""

import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic

from django.db import connection, transaction
from django.utils.translation import gettext as _

from catalog.imports import reading
from catalog.imports.edof_schema import Fault
from catalog.imports.reading import Progress, Source, Unusable
from catalog.models import ImportRefusal, ImportRun

Verdict = ImportRefusal.Verdict

# A file of nothing but faults must not fill the memory or the database.
MAX_FINDINGS = 20_000
# First key of our advisory locks: the four letters « CATL ».
LOCK_SPACE = 0x4341544C


@dataclass(frozen=True, slots=True)
class Finding:
    """What stands on a line of the file, and why it was refused, hidden, or is worth a remark."""

    line: int
    subject: str
    reason: str
    verdict: Verdict = Verdict.REFUSED

    def __str__(self) -> str:
        words = {"line": self.line, "subject": self.subject, "reason": self.reason}
        if self.verdict == Verdict.HIDDEN:
            return _("ligne %(line)d : %(subject)s : masquée : %(reason)s") % words
        return _("ligne %(line)d : %(subject)s : %(reason)s") % words


@dataclass
class Report:
    """Counts of records, and findings in the order of the file. `findings_left_out`: beyond MAX_FINDINGS."""

    kind: str
    file_name: str
    file_digest: str
    started_at: datetime
    is_dry_run: bool = False
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    hidden: int = 0
    findings: list[Finding] = field(default_factory=list)
    findings_left_out: int = 0
    run: ImportRun | None = None
    _begun: float = field(default_factory=monotonic, repr=False)

    def refuse(self, line: int, subject: str, *reasons: str) -> None:
        """One record refused, for one or several reasons."""
        self.refused += 1
        self._note(Verdict.REFUSED, line, subject, reasons)

    def refuse_faults(self, line: int, subject: str, faults: Iterable[Fault]) -> None:
        """One record refused, for faults that each stand on a line of their own. Said twice, kept once."""
        self.refused += 1
        for fault in dict.fromkeys(faults):
            self._note(Verdict.REFUSED, fault.line or line, subject, (fault.reason,))

    def hide(self, line: int, subject: str, *reasons: str) -> None:
        """One record written, that the rules do not show to the public."""
        self.hidden += 1
        self._note(Verdict.HIDDEN, line, subject, reasons)

    def remark(self, line: int, subject: str, *reasons: str) -> None:
        """Something the file's author should know; nothing was refused for it."""
        self._note(Verdict.REMARK, line, subject, reasons)

    def _note(self, verdict: Verdict, line: int, subject: str, reasons: tuple[str, ...]) -> None:
        for reason in reasons:
            if len(self.findings) < MAX_FINDINGS:
                self.findings.append(Finding(line, subject[:255], reason, verdict))
            else:
                self.findings_left_out += 1

    def of(self, verdict: Verdict) -> list[Finding]:
        """The findings of that verdict, in the order of the file."""
        return sorted((f for f in self.findings if f.verdict == verdict), key=lambda finding: finding.line)

    def as_dict(self) -> dict:
        """For `--json`."""
        return {
            "kind": self.kind,
            "file": self.file_name,
            "digest": self.file_digest,
            "dry_run": self.is_dry_run,
            "read": self.read,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "hidden": self.hidden,
            "findings": [
                {"line": f.line, "verdict": str(f.verdict), "subject": f.subject, "reason": f.reason}
                for verdict in Verdict
                for f in self.of(verdict)
            ],
            "findings_left_out": self.findings_left_out,
        }


def _doubt(report: Report, source: Source, line: int, sentence: str) -> None:
    report.remark(line, source.name, sentence)


class _DryRun(Exception):
    pass


FEW_COLLECTIONS = (50_000, 20, 100)
_collections = threading.Lock()


@contextmanager
def _few_collections() -> Iterator[None]:
    """What an import makes goes with its lot, and what was there before stays: to look through all of it for
    cycles, again and again, took a tenth of an import. The first of those that run at once in a process sets
    this, and takes it back."""
    if not _collections.acquire(blocking=False):
        yield
        return
    usual, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    if not was_frozen:
        gc.freeze()
    gc.set_threshold(*FEW_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        if not was_frozen:
            gc.unfreeze()
        _collections.release()


def run(
    kind: ImportRun.Kind,
    file: str | Path,
    work: Callable[[Source, Report], None],
    *,
    at: datetime,
    dry_run: bool,
    progress: Progress | None,
    encoding: str = "",
) -> Report:
    """Reads the file with `work` in one transaction, and stores the report with what it wrote.

    `dry_run` writes nothing. `encoding`: what somebody said of the file (reading.SPOKEN). Unusable: nothing
    was written but an ImportRun that says why.
    """
    report = Report(kind=kind, file_name=str(file), file_digest="", started_at=at, is_dry_run=dry_run)
    try:
        source = reading.find(file, progress=progress, encoding=encoding)
        source.on_doubt = partial(_doubt, report, source)
        report.file_name, report.file_digest = source.name, source.digest
        with transaction.atomic(), _few_collections():
            if not take_turn(kind):
                raise Unusable(_("Un import de même nature est en cours : attendez qu'il se termine."))
            work(source, report)
            if dry_run:
                raise _DryRun
            report.run = _store(report, error="")
    except _DryRun:
        pass
    except Unusable as error:
        if not dry_run:
            _store(report, error=str(error))
        raise
    except Exception:
        if not dry_run:
            _store(report, error=_("Erreur inattendue : l'import a été annulé en entier."))
        raise
    return report


def take_turn(kind: str) -> bool:
    """Until the end of the transaction, this import is the only one of its kind; False: another one is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s, %s)",
            [LOCK_SPACE, list(ImportRun.Kind.values).index(kind)],
        )
        return cursor.fetchone()[0]


def _store(report: Report, *, error: str) -> ImportRun:
    counts = (
        {}
        if error
        else {
            name: getattr(report, name)
            for name in ("read", "created", "updated", "unchanged", "refused", "hidden")
        }
    )
    run = ImportRun.objects.create(
        kind=report.kind,
        file_name=Path(report.file_name).name[:255],
        file_digest=report.file_digest,
        started_at=report.started_at,
        # Elapsed time is no reading of the clock: `at` stays the only one.
        ended_at=report.started_at + timedelta(seconds=monotonic() - report._begun),
        error=error,
        **counts,
    )
    findings = iter(() if error else report.findings)
    while lot := list(islice(findings, 1000)):
        ImportRefusal.objects.bulk_create(
            ImportRefusal(run=run, line=f.line, subject=f.subject, reason=f.reason, verdict=f.verdict)
            for f in lot
        )
    return run

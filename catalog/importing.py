"""An organisation imports its own catalogue: it sends a file, sees what would change, applies it, undoes it.

The verbs write what is owed (`CatalogueImport.WAITING`) and answer at once; `carry_out` does it, in the
worker. Each step is one transaction with the row of the import locked: a worker killed at any moment has done
nothing, and the next one does it all. One organisation is owed one thing at a time (a constraint).
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from celery import current_app
from django.core.cache import cache
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import journal
from accounts.actors import Actor
from accounts.permissions import check_manager
from catalog.guards import check_member
from catalog.imports import offers, report, snapshots, undoing
from catalog.imports.reading import Progress, Source, Unusable
from catalog.imports.report import Report
from catalog.models import (
    IMPORTS_FOLDER,
    CatalogueImport,
    CatalogueImportLine,
    ImportRun,
    Offer,
    Provider,
)
from ui.documents import private_storage
from ui.refusals import Refused

log = logging.getLogger(__name__)

State = CatalogueImport.State
Step = CatalogueImportLine.Step
Verdict = CatalogueImportLine.Verdict

CARRY_OUT_TASK = "catalog.tasks.carry_out_imports"
# Ten times the largest catalogue that a single organisation publishes.
SIZE_MAX = 50 * 2**20
# Someone corrects a file and sends it again all day; a program that fills the disk does more.
SENDS_A_DAY_MAX = 40
# A file that kills the worker so often will do it again.
ATTEMPTS_MAX = 5
# How long a file is kept for questions about it, and how long an import can be undone.
FILE_DAYS = 30
UNDO_DAYS = 30
# Imports that an organisation can look at again.
KEPT_MAX = 30
PROGRESS_EVERY_SECONDS = 0.5
PROGRESS_KEPT_SECONDS = 3600

# What a line of the report calls several columns by one name, or a column by another name than the admin's.
SAID = {
    **dict.fromkeys(["address", "postal_code", "town_name", "town_id", "point"], gettext_lazy("lieu")),
    "certification_id": gettext_lazy("certification"),
    "price_cents": gettext_lazy("prix"),
    "extra_fees_cents": gettext_lazy("frais annexes"),
    "vat_per_mille": gettext_lazy("TVA"),
    "block_codes": gettext_lazy("blocs de compétences"),
}


# --- Verbs ----------------------------------------------------------------------------------------


@transaction.atomic
def send(file: UploadedFile, source: Source, *, by: Actor, at: datetime, request_id: UUID) -> CatalogueImport:
    """Keep the file and owe its check. The same request again gives the same import.

    Refused: another one is under way, or too many today. One that waited for a decision is abandoned.
    """
    provider = _lock_provider(by)
    own = CatalogueImport.objects.filter(provider=provider)
    if known := own.filter(request_id=request_id).first():
        return known
    if own.filter(state__in=CatalogueImport.WAITING).exists():
        raise Refused(_("Un import est déjà en cours. Attendez qu’il se termine."), field="file")
    if own.filter(sent_at__gt=at - timedelta(days=1)).count() >= SENDS_A_DAY_MAX:
        raise Refused(
            _("Vous avez envoyé %(count)s fichiers en un jour. Réessayez demain.")
            % {"count": SENDS_A_DAY_MAX},
            field="file",
        )
    own.filter(state=State.CHECKED).update(state=State.ABANDONED)
    sent = CatalogueImport(
        provider=provider,
        sent_by=by.user,
        request_id=request_id,
        file_name=source.name[:255],
        size=source.size,
        digest=source.digest,
        encoding=source.encoding,
        sent_at=at,
        asked_at=at,
    )
    sent.file.save(source.name, file, save=False)
    sent.save(force_insert=True)
    _ask_after_commit()
    return sent


@transaction.atomic
def apply(import_id: UUID, *, by: Actor, at: datetime) -> CatalogueImport:
    """Owe the writing of what was checked. Refused: it was not, or another import is under way."""
    provider = _lock_provider(by)
    asked = _lock(import_id, provider)
    if asked.state in {State.TO_APPLY, State.APPLIED}:
        return asked
    if asked.state != State.CHECKED or not asked.file:
        raise Refused(_("Cet import ne peut plus être appliqué. Envoyez le fichier à nouveau."))
    return _owe(asked, State.TO_APPLY, by=by, at=at)


@transaction.atomic
def abandon(import_id: UUID, *, by: Actor, at: datetime) -> CatalogueImport:
    """Give up an import that has written nothing. Refused: the worker has begun, or it is done."""
    provider = _lock_provider(by)
    asked = _lock(import_id, provider)
    if asked.state not in {State.TO_CHECK, State.CHECKED, State.TO_APPLY, State.ABANDONED}:
        raise Refused(_("Cet import est terminé : il ne peut plus être abandonné."))
    if asked.state != State.ABANDONED:
        asked.state = State.ABANDONED
        asked.save(update_fields=["state"])
        journal.record(by=by, action="import_abandoned", subject=asked, at=at)
    return asked


@transaction.atomic
def undo(import_id: UUID, *, by: Actor, at: datetime) -> CatalogueImport:
    """Owe the undoing of the last applied import. By a manager.

    Refused: a later one was applied, it was too long ago, or another import is under way.
    """
    check_manager(by)
    provider = _lock_provider(by)
    asked = _lock(import_id, provider)
    if asked.state in {State.TO_UNDO, State.UNDONE}:
        return asked
    if obstacle := undo_obstacle(asked, at=at):
        raise Refused(obstacle)
    return _owe(asked, State.TO_UNDO, by=by, at=at)


def undo_obstacle(asked: CatalogueImport, *, at: datetime) -> str:
    """Why this import cannot be undone now; empty when it can."""
    if asked.state != State.APPLIED or asked.applied_at is None:
        return _("Cet import n’a rien écrit.")
    if asked.applied_at < at - timedelta(days=UNDO_DAYS):
        return _("Un import s’annule pendant %(days)s jours. Ce délai est passé.") % {"days": UNDO_DAYS}
    later = CatalogueImport.objects.filter(
        provider=asked.provider_id, state=State.APPLIED, applied_at__gt=asked.applied_at
    )
    if later.exists():
        return _("Un import plus récent a été appliqué. Annulez d’abord celui-là.")
    return ""


def _owe(asked: CatalogueImport, state: str, *, by: Actor, at: datetime) -> CatalogueImport:
    others = CatalogueImport.objects.filter(provider=asked.provider_id, state__in=CatalogueImport.WAITING)
    if others.exists():
        raise Refused(_("Un autre import est en cours. Attendez qu’il se termine."))
    asked.state, asked.asked_at, asked.attempts, asked.error = state, at, 0, ""
    asked.save(update_fields=["state", "asked_at", "attempts", "error"])
    journal.record(by=by, action=f"import_{state}", subject=asked, at=at)
    _ask_after_commit()
    return asked


def _lock_provider(by: Actor) -> Provider:
    """One verb at a time in an organisation."""
    check_member(by.organisation_id, by=by)
    return Provider.objects.select_for_update(no_key=True).get(pk=by.organisation_id)


def _lock(import_id: UUID, provider: Provider) -> CatalogueImport:
    """The worker holds the row of what it is doing: nobody waits for it."""
    own = CatalogueImport.objects.filter(provider=provider, pk=import_id)
    asked = own.select_for_update(skip_locked=True).first()
    if asked is None:
        raise Refused(_("Le portail traite ce fichier en ce moment. Attendez qu’il ait fini."))
    return asked


def _ask_after_commit() -> None:
    # Robust: beat finds the import anyway, so a broker that is down must not undo the click.
    transaction.on_commit(_ask_a_worker, robust=True)


def _ask_a_worker() -> None:
    current_app.send_task(CARRY_OUT_TASK, expires=60, retry=False, ignore_result=True)


# --- In the worker ----------------------------------------------------------------------------------


def carry_out(*, at: datetime) -> int:
    """Do what is owed, the longest waiting first; how many steps were done. Several may run at once."""
    waiting = CatalogueImport.objects.filter(state__in=CatalogueImport.WAITING).order_by("asked_at", "pk")
    done = 0
    for import_id in list(waiting.values_list("pk", flat=True)):
        try:
            done += _carry_out_one(import_id, at=at)
        except Exception:
            # Whatever it is, the others go on; this one is tried again, ATTEMPTS_MAX times in all.
            log.exception("catalogue import %s failed", import_id)
    return done


def _carry_out_one(import_id: UUID, *, at: datetime) -> bool:
    if not _begin(import_id):
        return False
    with transaction.atomic():
        asked = _take(import_id)
        if asked is None:
            return False
        _forget_progress(asked)
        try:
            with transaction.atomic():
                STEPS[asked.state](asked, at=at)
        except Unusable as error:
            asked.state, asked.error = State.UNUSABLE, str(error)
        asked.attempts = 0
        asked.save()
        return True


def _begin(import_id: UUID) -> bool:
    """Count the attempt, before it is made: a file that kills the worker is set aside in the end."""
    with transaction.atomic():
        asked = _take(import_id)
        if asked is None:
            return False
        if asked.attempts < ATTEMPTS_MAX:
            CatalogueImport.objects.filter(pk=import_id).update(attempts=F("attempts") + 1)
            return True
        asked.state = {
            State.TO_CHECK: State.UNUSABLE,
            State.TO_APPLY: State.CHECKED,
            State.TO_UNDO: State.APPLIED,
        }[State(asked.state)]
        asked.attempts = 0
        asked.error = _(
            "Le portail n’a pas réussi à traiter ce fichier. Rien n’a changé."
            " Écrivez-nous : nous regarderons."
        )
        asked.save(update_fields=["state", "attempts", "error"])
        log.error("catalogue import %s set aside after %s attempts", import_id, ATTEMPTS_MAX)
        return False


def _take(import_id: UUID) -> CatalogueImport | None:
    """The import, locked, when nobody else works on it and no other catalogue is being imported."""
    asked = (
        CatalogueImport.objects.select_related("provider__organisation")
        .select_for_update(of=("self",), skip_locked=True)
        .filter(pk=import_id, state__in=CatalogueImport.WAITING)
        .first()
    )
    return asked if asked and report.take_turn(ImportRun.Kind.CATALOGUE) else None


def _check(asked: CatalogueImport, *, at: datetime) -> None:
    result, outcomes = _import(asked, at=at, dry_run=True)
    _keep_lines(asked, Step.CHECK, _lines(asked, Step.CHECK, result, outcomes))
    asked.state, asked.checked_at, asked.counts = State.CHECKED, at, _counts(result)


def _apply(asked: CatalogueImport, *, at: datetime) -> None:
    result, outcomes = _import(asked, at=at, dry_run=False)
    if result.run:
        result.run.file_name = asked.file_name
        result.run.save(update_fields=["file_name"])
    asked.lines.all().delete()
    _keep_lines(asked, Step.APPLY, _lines(asked, Step.APPLY, result, outcomes))
    asked.state, asked.applied_at, asked.counts = State.APPLIED, at, _counts(result)
    asked.run = result.run


def _undo(asked: CatalogueImport, *, at: datetime) -> None:
    written = asked.lines.filter(step=Step.APPLY, verdict__in=[Verdict.CREATED, Verdict.UPDATED])
    total = written.count()
    tell = _progress(asked)
    lines: list[CatalogueImportLine] = []
    counts: dict[str, int] = {}
    # In the order of the offers, as everybody locks them.
    for number, line in enumerate(written.order_by("offer", "pk").iterator(chunk_size=500), start=1):
        verdict, reason = undoing.undo(line, at=at)
        counts[verdict] = counts.get(verdict, 0) + 1
        lines.append(
            CatalogueImportLine(
                catalogue_import=asked,
                step=Step.UNDO,
                line=line.line,
                verdict=verdict,
                subject=line.subject,
                title=line.title,
                reason=reason,
                offer_id=None if verdict == Verdict.REMOVED else line.offer_id,
            )
        )
        tell(number, total)
    _keep_lines(asked, Step.UNDO, lines)
    asked.state, asked.undone_at, asked.counts = State.UNDONE, at, asked.counts | counts


STEPS: dict[str, Callable[..., None]] = {
    State.TO_CHECK: _check,
    State.TO_APPLY: _apply,
    State.TO_UNDO: _undo,
}


def _import(
    asked: CatalogueImport, *, at: datetime, dry_run: bool
) -> tuple[Report, list[CatalogueImportLine]]:
    """Runs the importer on the organisation's own actions; one line for each that is kept."""
    step = Step.CHECK if dry_run else Step.APPLY
    outcomes: list[CatalogueImportLine] = []

    def watch(outcome: offers.Outcome) -> None:
        outcomes.append(_line_of(asked, step, outcome))

    if not asked.file or not asked.file.storage.exists(asked.file.name):
        raise Unusable(_("Le fichier n’est plus gardé ici. Envoyez-le à nouveau."))
    result = offers.run(
        asked.file.path,
        at=at,
        dry_run=dry_run,
        progress=_progress(asked),
        encoding=asked.encoding,
        only=asked.provider,
        watch=watch,
    )
    return result, outcomes


def _line_of(asked: CatalogueImport, step: str, outcome: offers.Outcome) -> CatalogueImportLine:
    before, after = outcome.before, outcome.after
    line = CatalogueImportLine(
        catalogue_import=asked,
        step=step,
        line=outcome.line,
        verdict=Verdict.CREATED,
        subject=outcome.subject[:255],
        title=outcome.offer.title,
    )
    if before is not None:
        fields = snapshots.changed_fields(before, after)
        added, changed = snapshots.changed_sessions(before, after)
        line.verdict = Verdict.UPDATED if fields or added or changed else Verdict.UNCHANGED
        line.reason = _words_of(fields, added, changed)
    if step == Step.APPLY and line.verdict != Verdict.UNCHANGED:
        line.offer = outcome.offer
        line.digest = snapshots.digest(after)
        if before is not None:
            names = [*snapshots.changed_fields(before, after), "hand_edited_at"]
            line.before = {
                "offer": {name: before["offer"][name] for name in names},
                "sessions": before["sessions"],
            }
    elif step == Step.APPLY or before is not None:
        line.offer = outcome.offer
    return line


def _words_of(fields: list[str], added: int, changed: int) -> str:
    """« Change : prix, lieu. 2 sessions ajoutées. »"""
    names = dict.fromkeys(str(SAID.get(name) or Offer._meta.get_field(name).verbose_name) for name in fields)
    said = [_("Change : %(names)s.") % {"names": ", ".join(names)}] if names else []
    if added:
        said.append(ngettext("%(n)s session ajoutée.", "%(n)s sessions ajoutées.", added) % {"n": added})
    if changed:
        said.append(
            ngettext("%(n)s session modifiée.", "%(n)s sessions modifiées.", changed) % {"n": changed}
        )
    return " ".join(said)


def _lines(
    asked: CatalogueImport, step: str, result: Report, outcomes: list[CatalogueImportLine]
) -> Iterator[CatalogueImportLine]:
    yield from outcomes
    for finding in result.findings:
        yield CatalogueImportLine(
            catalogue_import=asked,
            step=step,
            line=finding.line,
            verdict=finding.verdict,
            subject=finding.subject[:255],
            reason=finding.reason,
        )


def _keep_lines(asked: CatalogueImport, step: str, lines: Iterable[CatalogueImportLine]) -> None:
    asked.lines.filter(step=step).delete()
    every = iter(lines)
    while lot := list(islice(every, 1000)):
        CatalogueImportLine.objects.bulk_create(lot)


def _counts(result: Report) -> dict[str, int]:
    names = ("read", "created", "updated", "unchanged", "refused", "hidden", "findings_left_out")
    return {name: getattr(result, name) for name in names}


# --- Progress: for eyes only, lost with the cache, never waited for ----------------------------------


def progress_of(asked: CatalogueImport) -> tuple[int, int] | None:
    """(done, total) of the step that is running; None: it has not begun, or nobody knows."""
    try:
        return cache.get(_progress_key(asked))
    except Exception:
        log.warning("the progress of an import cannot be read", exc_info=True)
        return None


def ahead_of(asked: CatalogueImport) -> int:
    """How many imports wait before this one."""
    waiting = CatalogueImport.objects.filter(state__in=CatalogueImport.WAITING)
    return waiting.filter(asked_at__lt=asked.asked_at).count()


def _progress(asked: CatalogueImport) -> Progress:
    last = [0.0]

    def tell(done: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] < PROGRESS_EVERY_SECONDS:
            return
        last[0] = now
        try:
            cache.set(_progress_key(asked), (done, total), PROGRESS_KEPT_SECONDS)
        except Exception:
            last[0] = now + 60  # a cache that is down costs a moment a minute
            log.warning("the progress of an import cannot be told", exc_info=True)

    return tell


def _forget_progress(asked: CatalogueImport) -> None:
    """What a worker that died had told."""
    try:
        cache.delete(_progress_key(asked))
    except Exception:
        log.warning("the progress of an import cannot be told", exc_info=True)


def _progress_key(asked: CatalogueImport) -> str:
    return f"catalogue-import:{asked.pk}:{asked.state}"


# --- Clearing away ----------------------------------------------------------------------------------


def clear_away(*, at: datetime) -> dict[str, int]:
    """Forget old files, what undoing needed, and imports beyond the last KEPT_MAX of each organisation."""
    settled = CatalogueImport.objects.exclude(state__in=CatalogueImport.WAITING)
    old = settled.filter(asked_at__lt=at - timedelta(days=FILE_DAYS))
    old.filter(state=State.CHECKED).update(state=State.ABANDONED)
    gone = [_forget_file(each) for each in old.exclude(file="").order_by("pk")]
    undoable = CatalogueImportLine.objects.filter(before__isnull=False)
    undoable.filter(catalogue_import__applied_at__lt=at - timedelta(days=UNDO_DAYS)).update(before=None)
    removed = 0
    for provider_id in settled.order_by("provider").values_list("provider", flat=True).distinct():
        beyond = settled.filter(provider=provider_id).order_by("-sent_at", "pk")[KEPT_MAX:]
        for each in list(beyond):
            _forget_file(each)
            each.delete()
            removed += 1
    return {"files": len(gone), "imports": removed, "strays": _sweep(at=at)}


def _forget_file(asked: CatalogueImport) -> None:
    """The row first: a file without its row is swept, a row without its file would lie."""
    name = asked.file.name
    CatalogueImport.objects.filter(pk=asked.pk).update(file="")
    if name:
        private_storage().delete(name)


def _sweep(*, at: datetime) -> int:
    """Files whose sending was never committed: a day old, and of no row."""
    storage = private_storage()
    if not storage.exists(IMPORTS_FOLDER):
        return 0
    names = {f"{IMPORTS_FOLDER}/{name}" for name in storage.listdir(IMPORTS_FOLDER)[1]}
    kept = set(CatalogueImport.objects.filter(file__in=names).order_by("pk").values_list("file", flat=True))
    strays = [
        name for name in sorted(names - kept) if storage.get_modified_time(name) < at - timedelta(days=1)
    ]
    for name in strays:
        storage.delete(name)
    return len(strays)

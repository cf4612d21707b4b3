"""Files that prove a force majeure: kept with what they prove, shown to who sent them and to staff."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce

import rulebook
from accounts.actors import Actor
from dossiers import guards
from dossiers.models import Evidence
from dossiers.states import FINAL_STATES
from rulebook.workdays import midnight_after, months_later, paris_day
from ui.documents import check, private_storage, shown_name, type_of


def read(uploads: Sequence[UploadedFile], *, field: str) -> list[tuple[str, bytes]]:
    """(name, content) of each, before anything is locked. Refused: none, too many, or not what they say."""
    guards.check_evidence_count(len(uploads), field=field)
    return [(upload.name or "", check(upload, kind=field)) for upload in uploads]


def keep(files: Sequence[tuple[str, bytes]], *, at: datetime, **of: Any) -> None:
    """Effects: a row each, `of` a claim or a completion; the same file twice is kept once."""
    kept: set[str] = set()
    for name, content in files:
        digest = hashlib.sha256(content).hexdigest()
        if digest in kept:
            continue
        kept.add(digest)
        evidence = Evidence(
            file_name=shown_name(name, type_of(content)),
            content_type=type_of(content),
            size=len(content),
            digest=digest,
            added_at=at,
            **of,
        )
        evidence.file.save("", ContentFile(content), save=False)
        evidence.save()


def clear_away(*, at: datetime) -> int:
    """Forget the files of what was decided, or is over, and can no longer be contested; how many went.

    Rows now, files after the commit (docs/decisions.md, 45).
    """
    gone = 0
    decided = Q(claim__decided_at__isnull=False) | Q(completion__dossier__state__in=FINAL_STATES)
    ended_at = Coalesce("claim__decided_at", Max("completion__dossier__transitions__at"))
    for evidence in list(Evidence.objects.filter(decided).annotate(ended_at=ended_at).order_by("pk")):
        day = paris_day(evidence.ended_at)
        if midnight_after(months_later(day, rulebook.on(day).contest_months)) > at:
            continue
        with transaction.atomic():
            name = evidence.file.name or ""
            evidence.delete()
            transaction.on_commit(partial(private_storage().delete, name), robust=True)
        gone += 1
    return gone


def visible(actor: Actor) -> QuerySet[Evidence]:
    """What this actor sent. Others do not exist for them: 404. Staff open them in the administration."""
    everything = Evidence.objects.all()
    if actor.is_holder:
        return everything.filter(claim__dossier__holder_id=actor.holder_id)
    if actor.is_provider:
        return everything.filter(completion__dossier__provider_id=actor.organisation_id)
    return everything.none()

"""Documents of a request: judged by ui.documents, seen by few, kept no longer than needed.

The row goes first, the file after the commit.
"""

import hashlib
from datetime import datetime
from functools import partial
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from admissions import guards, permissions
from admissions.models import Document, JoinRequest
from ui.documents import check, private_storage, shown_name, type_of
from ui.refusals import Refused

FILES_PER_KIND_MAX = 3  # not law: it stops abuse


def add(
    join_request_id: UUID, kind: Document.Kind, upload: UploadedFile, *, by: Actor, at: datetime
) -> Document:
    """Keep one file. By the request's author, while it can be corrected. Refused: `field` is the kind."""
    content = check(upload, kind=kind)
    with transaction.atomic():
        asked = JoinRequest.objects.select_for_update(of=("self",)).get(pk=join_request_id)
        permissions.check_author(asked, by)
        guards.check_editable(asked)
        digest = hashlib.sha256(content).hexdigest()
        same_kind = Document.objects.filter(join_request=asked, kind=kind)
        if same := same_kind.filter(digest=digest).first():
            return same
        if same_kind.count() >= FILES_PER_KIND_MAX:
            raise Refused(
                _("Vous avez déjà joint %s fichiers ici. Retirez-en un d’abord.") % FILES_PER_KIND_MAX,
                field=kind,
            )
        document = Document(
            join_request=asked,
            kind=kind,
            file_name=shown_name(upload.name or "", type_of(content)),
            content_type=type_of(content),
            size=len(content),
            digest=digest,
            added_at=at,
        )
        # A crash between here and the commit leaves a file without a row: reminders.clear_away finds it.
        document.file.save("", ContentFile(content), save=False)
        document.save()
        JoinRequest.objects.filter(pk=asked.pk).update(touched_at=at)
    return document


def remove(document_id: UUID, *, by: Actor, at: datetime) -> None:
    """Take one file away. By the request's author, while it can be corrected."""
    with transaction.atomic():
        document = Document.objects.select_related("join_request").get(pk=document_id)
        asked = JoinRequest.objects.select_for_update(of=("self",)).get(pk=document.join_request_id)
        permissions.check_author(asked, by)
        guards.check_editable(asked)
        _forget(document)
        JoinRequest.objects.filter(pk=asked.pk).update(touched_at=at)


def remove_all(asked: JoinRequest) -> int:
    """Forget every file of this request, in the caller's transaction; how many."""
    held = list(asked.documents.order_by("pk"))
    for document in held:
        _forget(document)
    return len(held)


def _forget(document: Document) -> None:
    name = document.file.name
    document.delete()
    transaction.on_commit(partial(private_storage().delete, name), robust=True)

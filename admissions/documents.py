"""Documents of a request: hostile until proven otherwise, seen by few, kept no longer than needed.

Each is a PDF, a JPEG or a PNG from its first byte to its last, whatever its name says; it is stored under
a name drawn by chance, outside of what the web server shows, and sent back only as a download
(admissions.views). The row goes first, the file after the commit.
"""

import hashlib
import re
import zlib
from datetime import datetime
from functools import partial
from uuid import UUID

import puremagic
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from admissions import guards, permissions
from admissions.models import Document, JoinRequest, private_storage
from ui.refusals import Refused

# None is law: they stop abuse. A photo by a phone of today weighs 3 to 9 MB.
SIZE_MAX = 10_000_000
FILES_PER_KIND_MAX = 3
TYPES = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}
HEADS = {"application/pdf": b"%PDF-", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
ENDS = {"application/pdf": b"%%EOF", "image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB\x60\x82"}
# Readers look for the end of a PDF in its last kilobyte (ISO 32000-1, annex H, note 18).
PDF_TAIL = 1024
# The actions that run something when a PDF is opened (ISO 32000-1, 12.6.4). A script stands beside one of
# these names; looking for « /JS » too would refuse one large scan in four, which holds these bytes by chance.
RUNS_SOMETHING = re.compile(rb"/(?:JavaScript|Launch|Rendition)\b")
# A name may spell any of its letters (7.3.5): /J#61vaScript.
SPELLED = re.compile(rb"#([0-9A-Fa-f]{2})")
# What follows the dictionary of a stream; most objects of a PDF of today lie packed in some (7.5.7).
STREAM = re.compile(rb"(?<!end)stream\r?\n")
DICTIONARY_MAX = 1000
# Objects of a whole file of SIZE_MAX; nothing honest packs more.
UNPACKED_MAX = 20_000_000


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


def check(upload: UploadedFile, *, kind: str) -> bytes:
    """The content of an upload that we keep. Refused: too big, empty, or not what it says."""
    if (upload.size or 0) > SIZE_MAX:
        raise too_big(kind)
    content = upload.read(SIZE_MAX + 1)
    if len(content) > SIZE_MAX:
        raise too_big(kind)
    if not content:
        raise Refused(_("Ce fichier est vide. Choisissez-le de nouveau."), field=kind)
    found = type_of(content)
    if not found:
        raise Refused(
            _("Ce fichier n’est pas un PDF, un JPEG ou un PNG, ou il est abîmé. Choisissez-en un autre."),
            field=kind,
        )
    if found == "application/pdf" and runs_something(content):
        raise Refused(
            _("Ce PDF contient un programme. Imprimez-le en PDF, puis joignez la copie."), field=kind
        )
    return alone(content, found)


def runs_something(content: bytes) -> bool:
    """This PDF runs something when it is opened, says one of its objects, plain or packed. An encrypted one
    may hide it: whoever opens it is asked by their reader."""
    if _names_an_action(content):
        return True
    left = UNPACKED_MAX
    for stream in STREAM.finditer(content):
        dictionary = content[max(stream.start() - DICTIONARY_MAX, 0) : stream.start()].rpartition(b"obj")[2]
        if b"/ObjStm" not in _spelled_out(dictionary):
            continue
        try:
            # Without the two bytes of its head, a sum that is wrong hides nothing: readers do not mind it.
            objects = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                memoryview(content)[stream.end() + 2 :], left
            )
        except zlib.error:
            continue  # not packed, so read above; or encrypted
        left -= len(objects)
        if left <= 0 or _names_an_action(objects):
            return True
    return False


def _names_an_action(objects: bytes) -> bool:
    return RUNS_SOMETHING.search(_spelled_out(objects)) is not None


def _spelled_out(objects: bytes) -> bytes:
    return SPELLED.sub(lambda spelled: bytes.fromhex(spelled[1].decode()), objects)


def too_big(kind: str) -> Refused:
    return Refused(
        _("Ce fichier dépasse %s Mo. Joignez une photo plus légère, ou un PDF.") % (SIZE_MAX // 1_000_000),
        field=kind,
    )


def type_of(content: bytes) -> str:
    """The type of this content, one of TYPES, with its head first and its end; empty for anything else."""
    try:
        guesses = {match.mime_type for match in puremagic.magic_string(content)}
    except (puremagic.PureError, ValueError):
        return ""
    for found in TYPES:
        tail = content[-PDF_TAIL:] if found == "application/pdf" else content
        if found in guesses and content.startswith(HEADS[found]) and ENDS[found] in tail:
            return found
    return ""


def alone(content: bytes, found: str) -> bytes:
    """A picture without what follows it: some phones add a film there, some people a program."""
    if found == "application/pdf":
        return content
    end = ENDS[found]
    return content[: content.rindex(end) + len(end)]


def shown_name(name: str, content_type: str) -> str:
    """The name people gave it, made harmless, with the extension of what it is: « kbis.pdf »."""
    last = re.split(r"[\\/]", name)[-1]
    stem = last.rpartition(".")[0] or last
    stem = re.sub(r"[^\w .()’'-]", "", stem).strip(" .")[:80]
    return f"{stem or 'document'}.{TYPES[content_type]}"

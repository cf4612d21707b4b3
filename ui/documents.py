"""Files that people send, hostile until proven otherwise, and sent back as downloads only.

Each is a PDF, a JPEG or a PNG from its first byte to its last, whatever its name says. It is kept below
MEDIA_ROOT under a name drawn by chance, outside of what the web server shows. The row that names it is
written, and removed, by the app it belongs to; the file goes after the commit.
"""

import re
import uuid
import zlib

import puremagic
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import UploadedFile
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from ui.refusals import Refused

# None is law: they stop abuse. A photo by a phone of today weighs 3 to 9 MB.
SIZE_MAX = 10_000_000
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


# Whatever a browser is brought to do with it, it runs nothing, and belongs to no site.
INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def private_storage() -> FileSystemStorage:
    """Below MEDIA_ROOT, readable by the portal's own user only; no address leads there."""
    return FileSystemStorage(file_permissions_mode=0o600, directory_permissions_mode=0o700)


def drawn_path(folder: str) -> str:
    """A name drawn by chance: nothing that was typed becomes a path."""
    return f"{folder}/{uuid.uuid4().hex}"


def as_download(file: FieldFile, *, name: str, content_type: str) -> HttpResponse:
    """Never shown in a page. 404: the file is gone."""
    try:
        with file.open("rb") as stored:
            content = stored.read()  # SIZE_MAX at most
    except FileNotFoundError as error:
        raise Http404 from error
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name)
    for header, value in INERT.items():
        response[header] = value
    return response


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

"""Opens the files that other people send, without trusting them.

A file may be plain, gzip or zip: its first bytes decide, never its name. Nothing is read whole: memory stays
bounded by one record (MAX_RECORD_BYTES), whatever the size of the file.

What is refused before any parser sees it: a document type declaration (so no entity, no external file, no
expansion), an encoding that is not a plain superset of ASCII, a file that unpacks to far more than it
weighs. libxml2's own limits (depth, names, entities) stay on: `huge_tree` is never set.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _
from lxml import etree

from ui import french

MAX_FILE_BYTES = 4 * 2**30  # unpacked; the national register weighs 0.6 GB
MAX_RECORD_BYTES = 32 * 2**20  # of one record; the largest of the register weighs about 2 MB
MAX_RECORD_PARTS = 400_000  # tags and attributes of one record: each costs memory, however short
MAX_RATIO = 150  # unpacked on packed; XML of this kind packs 10 to 30 times
RATIO_COUNTS_FROM_BYTES = 8 * 2**20
MAX_PROLOG_BYTES = 64 * 2**10
CHUNK = 64 * 2**10
MAX_LINE_CHARACTERS = 1_000_000  # of one line of a CSV file

# Supersets of ASCII, so that the prolog and the lines can be read before the encoding is known for sure.
ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "iso-8859-15", "windows-1252"})
# What ISO-8859-1 files made on Windows mean by the bytes that ISO-8859-1 leaves to control characters.
WINDOWS = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
}

# What people may say of a file's encoding, and Python's name for it. Nothing said: XML's word, else UTF-8.
SPOKEN = {
    "utf-8": "UTF-8",
    "iso-8859-1": "ISO-8859-1",
    "windows-1252": "Windows-1252",
    "mac-roman": "Mac Roman",
}
CODECS = {
    "": "utf-8",
    "utf-8": "utf-8",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "mac-roman": "mac_roman",
}
# What text looks like when it was read in the wrong one: « Ã© », a control character, « formÈe ».
DOUBTS = {
    "utf-8": re.compile("Ã[\u0080-\u00bf]|â€[™œ“”¦]"),
    "iso-8859-1": re.compile("Ã[\u0080-\u00bf]|[\u0080-\u009f]"),
    "windows-1252": re.compile("Ã[\u00a0-\u00bf€‚ƒ„…†‡ˆ‰Š‹Œ]|[a-z][ŽˆŠ™][a-z]"),
    "mac-roman": re.compile("√[\u00a0-\u00ff®™´¨≠Æ]|[a-z][ÈËÍÁÓÙ‡][a-z]"),
}
DOUBT_SHOWN = 12  # characters around it

Progress = Callable[[int, int], None]


class Unusable(Exception):
    """The file as a whole cannot be read; `str()` is a French sentence, nothing was written."""

    def __init__(self, sentence: str, *, line: int | None = None):
        self.line = line
        super().__init__(
            _("Ligne %(line)d : %(sentence)s") % {"line": line, "sentence": sentence} if line else sentence
        )


@dataclass
class Source:
    """A file that can be read. `name`: without its folder. `digest`: SHA-256 of its bytes as they lie.

    `encoding`: of SPOKEN, when somebody said it. `on_doubt(line, sentence)` hears once that it seems wrong.
    """

    path: Path
    name: str
    size: int
    digest: str
    progress: Progress | None = field(default=None, repr=False)
    encoding: str = ""
    on_doubt: Callable[[int, str], None] | None = field(default=None, repr=False)


def find(path: str | Path, *, progress: Progress | None = None, encoding: str = "") -> Source:
    """Looks at the file. Unusable: absent, not a plain file, not readable, empty."""
    path = Path(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise Unusable(_("« %(name)s » est un dossier, pas un fichier.") % {"name": path.name})
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(_("« %(name)s » n'est pas un fichier ordinaire.") % {"name": path.name})
        if not status.st_size:
            raise Unusable(_("Le fichier « %(name)s » est vide.") % {"name": path.name})
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise Unusable(_("Le fichier « %(name)s » n'existe pas.") % {"name": path.name}) from None
    except PermissionError:
        raise Unusable(
            _("Le fichier « %(name)s » ne peut pas être lu : accès refusé.") % {"name": path.name}
        ) from None
    except (OSError, ValueError):
        raise Unusable(_("Le fichier « %(name)s » ne peut pas être lu.") % {"name": path.name}) from None
    return Source(
        path=path,
        name=path.name,
        size=status.st_size,
        digest=digest,
        progress=progress,
        encoding=encoding,
    )


class Unpacked(io.RawIOBase):
    """The bytes of a source, unpacked, counted and limited."""

    def __init__(self, stream: IO[bytes], raw: IO[bytes], source: Source, max_bytes: int = MAX_FILE_BYTES):
        super().__init__()
        self._stream, self._raw, self._source, self._max_bytes = stream, raw, source, max_bytes
        self._ahead = b""
        self.spoken = source.encoding
        self.unpacked_bytes = 0
        self._parts = 0
        self.begin_record()
        self.newlines = 0

    def begin_record(self) -> None:
        """Called by the reader of records, each time it is done with one."""
        self._record_begins_at, self._record_begins_at_part = self.unpacked_bytes, self._parts

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def head(self, size: int) -> bytes:
        """The first bytes, which stay to be read."""
        while len(self._ahead) < size and (more := self._take(CHUNK)):
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        if self._ahead:
            data, self._ahead = (self._ahead, b"") if size < 0 else (self._ahead[:size], self._ahead[size:])
            return data
        return self._take(CHUNK if size < 0 else size)

    def _take(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile):
            raise Unusable(
                _("Le fichier compressé est abîmé ou incomplet : demandez-le ou téléchargez-le à nouveau.")
            ) from None
        self.newlines += data.count(b"\n")
        self.unpacked_bytes += len(data)
        packed = max(self._raw.tell(), 1)
        if self.unpacked_bytes > self._max_bytes:
            raise Unusable(
                _("Une fois décompressé, le fichier dépasse la taille permise (%(size)d Mo).")
                % {"size": self._max_bytes // 2**20}
            )
        if self.unpacked_bytes > RATIO_COUNTS_FROM_BYTES and self.unpacked_bytes > MAX_RATIO * packed:
            raise Unusable(
                _(
                    "Le fichier se décompresse à plus de %(ratio)d fois sa taille :"
                    " il est refusé par prudence."
                )
                % {"ratio": MAX_RATIO}
            )
        self._parts += data.count(b"<") + data.count(b"=")
        if self._parts - self._record_begins_at_part > MAX_RECORD_PARTS:
            raise Unusable(
                _("Un seul élément du fichier en contient plus de %(number)s : ce n’est pas une fiche.")
                % {"number": french.number(MAX_RECORD_PARTS)}
            )
        if self.unpacked_bytes - self._record_begins_at > MAX_RECORD_BYTES + len(self._ahead):
            raise Unusable(
                _("Un seul élément du fichier dépasse la taille permise (%(size)d Mo).")
                % {"size": MAX_RECORD_BYTES // 2**20}
            )
        if self._source.progress:
            self._source.progress(min(packed, self._source.size), self._source.size)
        return data


@contextmanager
def unpack(
    source: Source, *, max_bytes: int = MAX_FILE_BYTES, member: str | None = None
) -> Iterator[Unpacked]:
    """The bytes inside, whether the file is plain, gzip or a zip of one file.

    `member`: of a zip of several files, the one of that name.
    """
    with source.path.open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as stream:
                yield Unpacked(stream, raw, source, max_bytes)
        elif magic == b"PK\x03\x04" or magic == b"PK\x05\x06":
            try:
                archive = zipfile.ZipFile(raw)
            except zipfile.BadZipFile:
                raise Unusable(_("L'archive zip est abîmée ou incomplète.")) from None
            with archive, _member(archive, member) as stream:
                yield Unpacked(stream, raw, source, max_bytes)
        else:
            yield Unpacked(raw, raw, source, max_bytes)


def members(source: Source) -> list[str]:
    """The names of the files in a zip; none when it is not one. Unusable: a damaged archive."""
    with source.path.open("rb") as raw:
        if raw.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            return []
        try:
            with zipfile.ZipFile(raw) as archive:
                return [info.filename for info in _files(archive)]
        except zipfile.BadZipFile:
            raise Unusable(_("L'archive zip est abîmée ou incomplète.")) from None


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/") and "/." not in f"/{info.filename}"
    ]


def _member(archive: zipfile.ZipFile, name: str | None) -> IO[bytes]:
    files = [info for info in _files(archive) if name in (None, info.filename)]
    if len(files) != 1:
        raise Unusable(
            _("L'archive zip contient %(count)d fichiers : elle doit en contenir un seul.")
            % {"count": len(files)}
        )
    try:
        return archive.open(files[0])
    except (RuntimeError, NotImplementedError):
        raise Unusable(
            _("L'archive zip est protégée par un mot de passe ou emploie une compression inconnue.")
        ) from None
    except zipfile.BadZipFile:
        raise Unusable(_("L'archive zip est abîmée ou incomplète.")) from None


# --- XML ------------------------------------------------------------------------------------------


def xml_records(
    source: Source,
    *,
    root: str,
    record: str | tuple[str, ...],
    depth: int = 1,
    max_bytes: int = MAX_FILE_BYTES,
    on_stray: Callable[[int, str], None] | None = None,
    bare_doctype: bool = False,
) -> Iterator[etree._Element]:
    """Yields each `record` element that stands `depth` levels under `root`, then forgets it.

    Several names: of whichever comes. Names are local: the namespace is the caller's to judge. The element is
    valid until the next one is asked for. `on_stray(line, name)` hears of the elements that stand between
    records. `bare_doctype`: one that only names a file is passed over, and never fetched. Unusable: not XML,
    another root, a document type, a wrong encoding, a cut file, no record at all.
    """
    records = (record,) if isinstance(record, str) else record
    with unpack(source, max_bytes=max_bytes) as stream:
        encoding = _check_root(stream, root, bare_doctype=bare_doctype)
        checked = stream if encoding in {"utf-8", "us-ascii", "ascii"} else _MislabelledUtf8(stream, encoding)
        found = None
        events = etree.iterparse(
            _Recoded(checked, source) if source.encoding else checked,
            encoding="utf-8" if source.encoding else None,  # else the file's own word
            events=("end",),
            tag=["{*}" + name for name in records],
            load_dtd=False,
            no_network=True,
            resolve_entities="internal",  # none can be declared; an unknown one is said with its line
            remove_comments=True,
            remove_pis=True,
            huge_tree=False,
        )
        try:
            for _event, element in events:
                if sum(1 for _ancestor in element.iterancestors()) == depth:
                    found = element
                    _tell_strays(element, on_stray, preceding=True)
                    yield element
                    _forget(element)
                    stream.begin_record()
        except etree.XMLSyntaxError as error:
            raise _unusable_xml(error, last_line=stream.newlines + 1) from None
        if found is None:
            raise Unusable(_("Le fichier ne contient aucun élément <%(name)s>.") % {"name": records[0]})
        _tell_strays(found, on_stray, preceding=False)


def root_of(source: Source) -> str:
    """Looks at the beginning only. Unusable: not XML, a document type, a wrong encoding."""
    with unpack(source) as stream:
        return _prolog(stream)[1]


def _check_root(stream: Unpacked, root: str, *, bare_doctype: bool = False) -> str:
    """The encoding, once the root is the one that is wanted."""
    encoding, name = _prolog(stream, bare_doctype=bare_doctype)
    encoding = stream.spoken or encoding
    if name != root:
        raise Unusable(
            _("Ce fichier n'est pas du format attendu : sa racine est <%(found)s>, on attend <%(wanted)s>.")
            % {"found": name[:60], "wanted": root}
        )
    return encoding


def _tell_strays(element, on_stray: Callable[[int, str], None] | None, *, preceding: bool) -> None:
    """What stands beside a record and is none: before it, since the one before it; or after the last one."""
    for sibling in element.itersiblings(preceding=preceding) if on_stray else ():
        if sibling.tag != element.tag:
            on_stray(line_of(sibling), etree.QName(sibling).localname)


def _forget(element) -> None:
    """Empties the element and drops what stands before it, which nobody will read again."""
    element.clear()
    parent = element.getparent()
    while element.getprevious() is not None:
        del parent[0]


PROLOG = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
ROOT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
# Declares nothing by itself: no bracket, so no entity.
BARE_DOCTYPE = re.compile(rb"""<!DOCTYPE\s+[\w:.-]+\s+(?:SYSTEM|PUBLIC\s+"[^"\[<>]*")\s+"[^"\[<>]*"\s*>""")
DECLARED = re.compile(rb"""^<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def _refuse_wide(head: bytes) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in head[:4]:
        raise Unusable(
            _("Le fichier est encodé en UTF-16 ou UTF-32 : enregistrez-le en UTF-8 ou en ISO-8859-1.")
        )


def _prolog(stream: Unpacked, *, bare_doctype: bool = False) -> tuple[str, str]:
    """The encoding and the root's name. What stands before the root may be blanks, comments and the like."""
    head = stream.head(MAX_PROLOG_BYTES)
    _refuse_wide(head)
    has_bom = head.startswith(codecs.BOM_UTF8)
    head = head.removeprefix(codecs.BOM_UTF8)
    declared = DECLARED.match(head)
    encoding = stream.spoken or (declared[1].decode().lower() if declared else "utf-8")
    if encoding not in ENCODINGS | SPOKEN.keys():
        raise Unusable(
            _(
                "L'encodage « %(encoding)s » n'est pas accepté :"
                " enregistrez le fichier en UTF-8 ou en ISO-8859-1."
            )
            % {"encoding": encoding[:30]},
            line=1,
        )
    if has_bom and encoding != "utf-8":
        raise Unusable(
            _("Le fichier annonce l'encodage %(encoding)s mais commence par la marque de l'UTF-8.")
            % {"encoding": SPOKEN.get(encoding, encoding.upper())},
            line=1,
        )
    at = 0
    while skipped := PROLOG.match(head, at) or (bare_doctype and BARE_DOCTYPE.match(head, at)):
        at = skipped.end()
    line = head.count(b"\n", 0, at) + 1
    if head[at : at + 9].upper() == b"<!DOCTYPE":
        raise Unusable(
            _(
                "Le fichier contient une déclaration de type de document (DOCTYPE). Elle est refusée par"
                " sécurité : retirez-la."
            ),
            line=line,
        )
    if root := ROOT.match(head, at):
        return encoding, root[1].decode()
    raise Unusable(_("Ce fichier n'est pas un document XML."), line=line)


class _Doubt:
    """Tells once, with its line, that text seems to have been read in the wrong encoding."""

    def __init__(self, source: Source):
        self._source = source
        self._pattern = DOUBTS.get(source.encoding or "utf-8") if source.on_doubt else None

    def look_at(self, text: str, line: int) -> None:
        """`line`: of the first character."""
        if self._pattern is None or text.isascii() or not (found := self._pattern.search(text)):
            return
        self._pattern = None
        around = text[max(0, found.start() - DOUBT_SHOWN) : found.end() + DOUBT_SHOWN].translate(WINDOWS)
        self._source.on_doubt(
            line + text.count("\n", 0, found.start()),
            _(
                "« %(text)s » : ce texte ne semble pas écrit en %(encoding)s. Relisez les accents, ou dites"
                " un autre encodage."
            )
            % {
                "text": "".join(letter if letter.isprintable() else "�" for letter in around),
                "encoding": SPOKEN[self._source.encoding or "utf-8"],
            },
        )


def _not_in(encoding: str, line: int) -> Unusable:
    """The bytes of that line are no text in that encoding."""
    if not encoding:
        return Unusable(
            _(
                "Le fichier n'est pas encodé en UTF-8 : enregistrez-le en « CSV UTF-8 »,"
                " ou dites son encodage."
            ),
            line=line,
        )
    return Unusable(
        _("Le fichier n'est pas encodé en %(encoding)s.") % {"encoding": SPOKEN[encoding]}, line=line
    )


class _Recoded:
    """Hands the bytes on in UTF-8, from the encoding that was said."""

    def __init__(self, stream, source: Source):
        self._stream, self._encoding = stream, source.encoding
        self._decoder = codecs.getincrementaldecoder(CODECS[source.encoding])()
        self._doubt = _Doubt(source)
        self._line = 1

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise _not_in(self._encoding, self._line + data.count(b"\n", 0, error.start)) from None
        self._doubt.look_at(text, self._line)
        self._line += data.count(b"\n")
        if self._encoding == "iso-8859-1":
            text = text.translate(WINDOWS)
        return text.encode()


class _MislabelledUtf8:
    """Hands the bytes on, and refuses at the end those that are UTF-8 under another name.

    Every byte is a character in ISO-8859-1, so the parser sees nothing: « é » would become « Ã© » everywhere.
    Text in ISO-8859-1 is, for its part, never valid UTF-8 as soon as it holds a few accents.
    """

    def __init__(self, stream: Unpacked, encoding: str):
        self._stream, self._encoding = stream, encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._may_be_utf8 = True
        self._line = 1
        self._first_accent: int | None = None

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if self._may_be_utf8:
            if self._first_accent is None:
                if data.isascii():
                    self._line += data.count(b"\n")
                else:
                    accent = next(index for index, byte in enumerate(data) if byte > 127)
                    self._first_accent = self._line + data.count(b"\n", 0, accent)
            try:
                self._decoder.decode(data, final=not data)
            except UnicodeDecodeError:
                self._may_be_utf8 = False
        if not data and self._may_be_utf8 and self._first_accent:
            raise Unusable(
                _("Le fichier annonce l'encodage %(encoding)s mais il est écrit en UTF-8.")
                % {"encoding": SPOKEN.get(self._encoding, self._encoding.upper())},
                line=self._first_accent,
            )
        return data


UNFINISHED = {
    etree.ErrorTypes.ERR_DOCUMENT_END,
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED,
    etree.ErrorTypes.ERR_CDATA_NOT_FINISHED,
    etree.ErrorTypes.ERR_COMMENT_NOT_FINISHED,
    etree.ErrorTypes.ERR_GT_REQUIRED,
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED,
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_FINISHED,
}


MISMATCH = re.compile(r"mismatch: (\S+) line (\d+) and ([^\s,]+)")


def _unusable_xml(error: etree.XMLSyntaxError, *, last_line: int) -> Unusable:
    codes = etree.ErrorTypes
    if error.code in {codes.ERR_INVALID_ENCODING, codes.ERR_INVALID_CHAR, codes.ERR_UNSUPPORTED_ENCODING}:
        sentence = _("un caractère n'est pas de l'encodage annoncé, ou n'est pas permis en XML.")
    elif error.code in {codes.ERR_UNDECLARED_ENTITY, codes.WAR_UNDECLARED_ENTITY, codes.ERR_ENTITY_LOOP}:
        sentence = _("une entité inconnue est employée (par exemple &nbsp;) : écrivez le caractère lui-même.")
    elif "Extra content" in (error.msg or ""):
        sentence = _("quelque chose suit la fin du document : il n'a qu'une racine.")
    elif error.code in UNFINISHED and (error.lineno or last_line) >= last_line:
        sentence = _("le fichier s'arrête avant la fin : il est incomplet.")
    elif error.code == codes.ERR_TAG_NAME_MISMATCH and (names := MISMATCH.search(error.msg or "")):
        sentence = _(
            "le XML est mal formé : la balise <%(opened)s> de la ligne %(line)s se ferme par </%(closed)s>."
        ) % {"opened": names[1][:60], "line": names[2], "closed": names[3][:60]}
    else:
        sentence = _("le XML est mal formé : une balise, un attribut ou un caractère n'est pas à sa place.")
    return Unusable(sentence, line=error.lineno or None)


def line_of(element) -> int:
    """The line an element begins on. Past 65,535 libxml2 gives the line where its first text ends."""
    line = element.sourceline or 0
    return line if line < 65_535 else line - (element.text or "").count("\n")


# --- CSV ------------------------------------------------------------------------------------------


def csv_rows(
    source: Source,
    *,
    max_bytes: int = MAX_FILE_BYTES,
    delimiter: str = ";",
    member: str | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line, row) of a CSV file, in UTF-8 with or without its mark unless its encoding was said.
    Headers are left as they are.

    A row shorter than the header misses its last cells; a longer one holds the rest under the key "".
    Unusable: another encoding, no header, a column written twice, a line without end.
    """
    with unpack(source, max_bytes=max_bytes, member=member) as stream:
        head = stream.head(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in head:
            raise Unusable(_("Le fichier n'est pas un texte en UTF-8."), line=1)
        lines = _Lines(stream, source)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            if len(header) < 2:
                raise Unusable(
                    _("La première ligne doit nommer les colonnes, séparées par des points-virgules."), line=1
                )
            if len(set(header)) < len(header):
                raise Unusable(_("Une colonne est nommée deux fois."), line=1)
            begins = rows.line_num + 1
            for cells in rows:
                stream.begin_record()
                if any(cell.strip() for cell in cells):
                    row = dict(zip(header, cells, strict=False))
                    if len(cells) > len(header):
                        row[""] = ";".join(cells[len(header) :])
                    yield begins, row
                begins = rows.line_num + 1
        except csv.Error:
            raise Unusable(
                _("Les guillemets ou les séparateurs de cette ligne sont incohérents."), line=rows.line_num
            ) from None


def first_line(source: Source, *, member: str | None = None) -> str:
    """The beginning of a text file, up to its first line end, to recognise its columns by.

    Unusable: a wide encoding, or a line of columns in another one than UTF-8. XML tells its own.
    """
    with unpack(source, member=member) as stream:
        head = stream.head(MAX_PROLOG_BYTES).removeprefix(codecs.BOM_UTF8)
        _refuse_wide(head)
    line = head.lstrip().split(b"\n", 1)[0].strip()
    try:
        return line.decode(CODECS[source.encoding])
    except UnicodeDecodeError:
        if line.startswith(b"<"):
            return line.decode("latin-1")
        raise _not_in(source.encoding, 1) from None


def whole_text(source: Source, *, max_bytes: int) -> str:
    """All of a small file, as `csv_rows` reads it. Unusable: larger, or another encoding."""
    with unpack(source, max_bytes=max_bytes) as stream:
        pieces = []
        while piece := stream.read(CHUNK):
            pieces.append(piece)
            stream.begin_record()
    content = b"".join(pieces)
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode(CODECS[source.encoding])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if source.encoding:
            raise _not_in(source.encoding, line) from None
        raise Unusable(_("Le fichier n'est pas un texte en UTF-8."), line=line) from None
    _Doubt(source).look_at(text, 1)
    return text


class _Lines:
    """Decoded lines, one at a time, that say where the encoding breaks and never grow without end."""

    def __init__(self, stream: Unpacked, source: Source):
        self._stream = io.BufferedReader(stream, CHUNK)
        self._encoding = source.encoding
        self._codec = CODECS[source.encoding]
        self._doubt = _Doubt(source)
        self._line = 0
        # Every byte is a letter of the narrow ones: a whole file that is good UTF-8 was not written in them.
        self._may_be_utf8 = self._codec != "utf-8"
        self._first_accent = 0

    def __iter__(self):
        return self

    def __next__(self) -> str:
        data = self._stream.readline(MAX_LINE_CHARACTERS)
        if not data:
            self._refuse_utf8()
            raise StopIteration
        self._line += 1
        if len(data) == MAX_LINE_CHARACTERS:
            raise Unusable(_("La ligne est trop longue."), line=self._line)
        if self._line == 1:
            data = data.removeprefix(codecs.BOM_UTF8)
        try:
            text = data.decode(self._codec)
        except UnicodeDecodeError:
            raise _not_in(self._encoding, self._line) from None
        if data.isascii():
            return text
        if self._may_be_utf8:
            self._first_accent = self._first_accent or self._line
            try:
                data.decode()
            except UnicodeDecodeError:
                self._may_be_utf8 = False
        self._doubt.look_at(text, self._line)
        return text.translate(WINDOWS) if self._encoding == "iso-8859-1" else text

    def _refuse_utf8(self) -> None:
        if self._may_be_utf8 and self._first_accent:
            raise Unusable(
                _("Le fichier annonce l'encodage %(encoding)s mais il est écrit en UTF-8.")
                % {"encoding": SPOKEN[self._encoding]},
                line=self._first_accent,
            )

"""Files made to break what reads them. Each is refused with a sentence, and nothing is written."""

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from catalog.imports import reading
from catalog.imports.reading import Unusable
from tests.catalog.imports import making


def records(path, **options):
    source = reading.find(path)
    return [
        (element.findtext("NUMERO_FICHE"), reading.line_of(element))
        for element in reading.xml_records(source, root="FICHES", record="FICHE", **options)
    ]


def refusal(path, **options) -> str:
    with pytest.raises(Unusable) as caught:
        records(path, **options)
    return str(caught.value)


GOOD = making.fiches(making.fiche("RNCP1"), making.fiche("RNCP2"))


@pytest.mark.parametrize("packed", ["plain", "gzip", "zip", "bom"])
def test_plain_and_packed_files_read_the_same(tmp_path, packed):
    path = {
        "plain": lambda: making.put(tmp_path, GOOD),
        "gzip": lambda: making.put_gzip(tmp_path, GOOD, "sans-extension"),
        "zip": lambda: making.put_zip(tmp_path, {"a.xml": GOOD, "__MACOSX/._a.xml": b"x"}, "a.xml"),
        "bom": lambda: making.put(tmp_path, b"\xef\xbb\xbf" + GOOD),
    }[packed]()
    assert records(path) == [("RNCP1", 4), ("RNCP2", making.line_of(GOOD, "<FICHE>", last=True))]


def test_lines_stay_right_past_the_65535_that_libxml2_counts(tmp_path):
    content = making.fiches(*(making.fiche(f"RNCP{n}") for n in range(1, 3200)))
    assert content.count(b"\n") > 70_000
    found = records(making.put(tmp_path, content))
    each = making.fiche("RNCP1").count("\n")
    assert found == [(f"RNCP{n}", 4 + (n - 1) * each) for n in range(1, 3200)]


# --- What is no usable file at all -------------------------------------------------------------------


def test_absent_file_folder_empty_file_and_pipe(tmp_path):
    assert "n'existe pas" in refusal(tmp_path / "absent.xml")
    assert "est un dossier" in refusal(tmp_path)
    assert "est vide" in refusal(making.put(tmp_path, b"", "vide.xml"))
    os.mkfifo(tmp_path / "tuyau")
    assert "ordinaire" in refusal(tmp_path / "tuyau")


@pytest.mark.parametrize("content", [b"bonjour", b"   ", b"{}", b"\x89PNG\r\n", b"<", b"<!-- sans fin"])
def test_not_xml(tmp_path, content):
    assert "n'est pas un document XML" in refusal(making.put(tmp_path, content))


def test_another_root_and_no_record(tmp_path):
    assert "sa racine est <html>, on attend <FICHES>" in refusal(making.put(tmp_path, b"<html/>"))
    assert "aucun élément <FICHE>" in refusal(making.put(tmp_path, b"<FICHES><X/></FICHES>"))


def test_a_record_elsewhere_than_under_the_root_is_none(tmp_path):
    assert "aucun élément" in refusal(making.put(tmp_path, b"<FICHES><X><FICHE/></X></FICHES>"))


# --- Entities, document types ------------------------------------------------------------------------

LAUGHS = '<!DOCTYPE FICHES [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
DOCTYPES = {
    "laughs": LAUGHS,
    "external file": '<!DOCTYPE FICHES [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n',
    "external address": '<!DOCTYPE FICHES SYSTEM "http://127.0.0.1:9/a.dtd">\n',
    "lower case": LAUGHS.replace("DOCTYPE", "doctype"),
    "after a comment": "<!-- rien -->\n<?pi rien?>\n" + LAUGHS,
    "after a comment that hides another": "<!-- <FICHES> -->\n" + LAUGHS,
}


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES.keys())
@pytest.mark.parametrize("pack", [making.put, making.put_gzip])
def test_a_document_type_is_refused_before_any_parser_sees_it(tmp_path, monkeypatch, doctype, pack):
    monkeypatch.setattr(reading.etree, "iterparse", lambda *_args, **_options: pytest.fail("parsed"))
    content = GOOD.replace(b"<FICHES>", doctype.encode() + b"<FICHES>", 1).replace(b"Agent", b"&b;", 1)
    line = making.line_of(content, "<!doctype" if "doctype" in doctype else "<!DOCTYPE")
    assert refusal(pack(tmp_path, content)).startswith(f"Ligne {line} : Le fichier contient une déclaration")


def test_without_the_guard_the_entity_would_be_read(tmp_path, monkeypatch):
    """The guard is what stops it: the parser itself lets the document type through."""
    monkeypatch.setattr(reading, "_prolog", lambda stream, **_options: ("utf-8", "FICHES"))
    assert records(making.put(tmp_path, GOOD.replace(b"<FICHES>", LAUGHS.encode() + b"<FICHES>", 1)))


def test_unknown_entity_says_which_line(tmp_path):
    content = GOOD.replace(b"Agent de test", b"Agent&nbsp;de test", 1)
    line = making.line_of(content, "&nbsp;")
    assert refusal(making.put(tmp_path, content)).startswith(f"Ligne {line} : une entité inconnue")


def test_a_doctype_later_in_the_file_is_no_xml(tmp_path):
    content = GOOD.replace(b"</FICHES>", LAUGHS.encode() + b"</FICHES>")
    line = making.line_of(content, "<!DOCTYPE")
    assert refusal(making.put(tmp_path, content)).startswith(f"Ligne {line} :")


# --- Broken, cut, encoded otherwise ------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.4, 0.9, 0.999])
def test_cut_file(tmp_path, kept):
    assert "le fichier s'arrête avant la fin" in refusal(making.put(tmp_path, GOOD[: int(len(GOOD) * kept)]))


def test_cut_archives(tmp_path):
    packed = gzip.compress(GOOD)
    assert "abîmé ou incomplet" in refusal(making.put(tmp_path, packed[: len(packed) // 2]))
    assert "abîmé ou incomplet" in refusal(making.put(tmp_path, packed[:-6] + b"\0\0\0\0\0\0"))
    archive = Path(making.put_zip(tmp_path, {"a.xml": GOOD})).read_bytes()
    assert "abîmée ou incomplète" in refusal(making.put(tmp_path, archive[: len(archive) // 2]))


def test_archives_of_several_files_or_none(tmp_path):
    assert "contient 2 fichiers" in refusal(making.put_zip(tmp_path, {"a.xml": GOOD, "b.xml": GOOD}))
    assert "contient 0 fichiers" in refusal(making.put_zip(tmp_path, {}))


def test_bad_nesting_says_which_line(tmp_path):
    content = GOOD.replace(b"</INTITULE>", b"</INTITULES>", 1)
    line = making.line_of(content, "</INTITULES>")
    assert refusal(making.put(tmp_path, content)).startswith(f"Ligne {line} : le XML est mal formé")


def test_declared_utf8_written_otherwise_says_which_line(tmp_path):
    content = GOOD.replace("Publiée".encode(), "Publiée".encode("latin-1"), 1)
    line = making.line_of(content, "Publi")
    assert refusal(making.put(tmp_path, content)).startswith(
        f"Ligne {line} : un caractère n'est pas de l'enc"
    )


def test_declared_latin1_written_in_utf8_says_which_line(tmp_path):
    content = GOOD.replace(b'"UTF-8"', b'"ISO-8859-1"')
    line = making.line_of(content, "Publiée")
    assert refusal(making.put(tmp_path, content)) == (
        f"Ligne {line} : Le fichier annonce l'encodage ISO-8859-1 mais il est écrit en UTF-8."
    )
    assert records(making.put(tmp_path, making.fiches(making.fiche(), encoding="ISO-8859-1")))


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32", "UTF-16-LE"])
def test_wide_encodings(tmp_path, encoding):
    content = GOOD.decode().replace('"UTF-8"', f'"{encoding}"').encode(encoding)
    assert "UTF-16 ou UTF-32" in refusal(making.put(tmp_path, content))


def test_unknown_encoding_and_contradicting_mark(tmp_path):
    assert "« utf-7 » n'est pas accepté" in refusal(
        making.put(tmp_path, GOOD.replace(b'"UTF-8"', b'"UTF-7"'))
    )
    marked = b"\xef\xbb\xbf" + GOOD.replace(b'"UTF-8"', b'"ISO-8859-1"')
    assert "marque de l'UTF-8" in refusal(making.put(tmp_path, marked))


# --- Bombs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pack", [making.put_gzip, lambda folder, content: making.put_zip(folder, {"a": content})]
)
def test_a_bomb_is_refused_early_and_in_little_memory(tmp_path, pack):
    path = pack(tmp_path, b"<FICHES>" + b" " * (200 * 2**20))
    tracemalloc.start()
    try:
        assert "150 fois sa taille" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_file_that_unpacks_too_large(tmp_path):
    content = making.fiches(*(making.fiche(f"RNCP{n}") for n in range(1, 500)))
    assert "taille permise (0 Mo)" in refusal(making.put_gzip(tmp_path, content), max_bytes=100_000)


@pytest.mark.parametrize("filler", [b"<X/>", b"<!-- rien -->", b"x"])
def test_what_is_no_record_may_not_grow_without_end(tmp_path, monkeypatch, filler):
    monkeypatch.setattr(reading, "MAX_RECORD_BYTES", 300_000)
    path = making.put(tmp_path, b"<FICHES>" + filler * (600_000 // len(filler)) + b"<FICHE/></FICHES>")
    assert "Un seul élément du fichier dépasse" in refusal(path)


def test_depth_is_limited(tmp_path):
    content = b"<FICHES><FICHE>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</FICHE></FICHES>"
    assert "mal formé" in refusal(making.put(tmp_path, content))


# --- CSV ---------------------------------------------------------------------------------------------


def rows(path):
    return list(reading.csv_rows(reading.find(path)))


def test_csv_with_its_mark_quoted_lines_and_blank_ones(tmp_path):
    content = '\ufeffa;b\n1;"deux\nlignes"\n\n;\n3;4\n5\n6;7;8\n'.encode()
    assert rows(making.put_gzip(tmp_path, content)) == [
        (2, {"a": "1", "b": "deux\nlignes"}),
        (6, {"a": "3", "b": "4"}),
        (7, {"a": "5"}),
        (8, {"a": "6", "b": "7", "": "8"}),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a;b\n1;2\n3;é\n".encode("latin-1"), "Ligne 3 : Le fichier n'est pas encodé en UTF-8"),
        ("a;b\n".encode("utf-16"), "Ligne 1 : Le fichier n'est pas un texte en UTF-8"),
        (b"a,b\n1,2\n", "Ligne 1 : La première ligne doit nommer les colonnes"),
        (b"a;a\n1;2\n", "Ligne 1 : Une colonne est nommée deux fois"),
        (b'a;b\n1;2\n"3"x;4\n', "Ligne 3 : Les guillemets"),
        (b"a;b\n" + b"x" * 1_000_001, "Ligne 2 : La ligne est trop longue"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, content, sentence):
    with pytest.raises(Unusable, match=sentence.replace("(", "\\(")):
        rows(making.put(tmp_path, content, "a.csv"))


# --- Encodings that somebody says ---------------------------------------------------------------------

SPOKEN = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "windows-1252": "cp1252", "mac-roman": "mac_roman"}


def spoken(path, encoding):
    """The source, and what it was told of doubts."""
    doubts = []
    source = reading.find(path, encoding=encoding)
    source.on_doubt = lambda line, sentence: doubts.append((line, sentence))
    return source, doubts


@pytest.mark.parametrize(("encoding", "codec"), SPOKEN.items())
def test_a_csv_is_read_in_the_encoding_that_is_said(tmp_path, encoding, codec):
    source, doubts = spoken(making.put(tmp_path, "nom;ville\nÉcole;Nîmes\n".encode(codec), "a.csv"), encoding)
    assert list(reading.csv_rows(source)) == [(2, {"nom": "École", "ville": "Nîmes"})]
    assert reading.first_line(source) == "nom;ville" and doubts == []


@pytest.mark.parametrize(("encoding", "codec"), SPOKEN.items())
@pytest.mark.parametrize("declared", ["UTF-8", "ISO-8859-1", "macintosh"])
def test_what_is_said_counts_more_than_what_the_xml_says(tmp_path, encoding, codec, declared):
    content = (
        GOOD.decode()
        .replace('"UTF-8"', f'"{declared}"')
        .replace("Agent", "Agent d’été")
        .encode(codec, "replace")
    )
    source, doubts = spoken(making.put(tmp_path, content), encoding)
    titles = [
        each.findtext("INTITULE") for each in reading.xml_records(source, root="FICHES", record="FICHE")
    ]
    expected = "Agent d’été de test" if codec != "latin-1" else "Agent d?été de test"
    assert titles == [expected] * 2 and doubts == []


def test_letters_of_windows_under_the_name_of_latin1_are_read_with_a_remark(tmp_path):
    source, doubts = spoken(making.put(tmp_path, "nom;b\nl’œil;1\n".encode("cp1252"), "a.csv"), "iso-8859-1")
    assert list(reading.csv_rows(source)) == [(2, {"nom": "l’œil", "b": "1"})]
    assert [line for line, _sentence in doubts] == [2]


WRONG = {
    "latin1 said to be of a Mac": ("latin-1", "mac-roman", "Une société formée"),
    "Mac said to be of Windows": ("mac_roman", "windows-1252", "Une société formée"),
    "Mac said to be latin1": ("mac_roman", "iso-8859-1", "Une société formée"),
    "twice converted": ("utf-8", "utf-8", "Une sociÃ©tÃ©"),
    "twice converted, of Windows": ("cp1252", "windows-1252", "Une sociÃ©tÃ©, l’œil"),
}


@pytest.mark.parametrize(("codec", "encoding", "text"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("form", ["csv", "xml"])
def test_what_seems_wrong_is_said_once_with_its_line(tmp_path, form, codec, encoding, text):
    if form == "csv":
        content = f"a;b\n1;2\n3;{text}\n4;{text}\n"
    else:
        content = f"<FICHES>\n<FICHE/>\n<FICHE>{text}</FICHE><FICHE>{text}</FICHE></FICHES>"
    source, doubts = spoken(making.put(tmp_path, content.encode(codec)), encoding)
    read = (
        reading.csv_rows(source)
        if form == "csv"
        else reading.xml_records(source, root="FICHES", record="FICHE")
    )
    assert len(list(read)) == 3
    [(line, sentence)] = doubts
    assert line == 3 and sentence.startswith("« ") and "Relisez les accents" in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "mac-roman"])
def test_a_csv_in_utf8_under_another_name_is_refused_with_its_line(tmp_path, encoding):
    source, _doubts = spoken(making.put(tmp_path, "a;b\n1;2\n3;École d’été\n".encode(), "a.csv"), encoding)
    with pytest.raises(
        Unusable, match=r"Ligne 3 : Le fichier annonce l'encodage .* mais il est écrit en UTF-8"
    ):
        list(reading.csv_rows(source))


def test_bytes_that_the_encoding_does_not_have_are_refused_with_their_line(tmp_path):
    written = "a;b\n1;très\n".encode("mac_roman")  # « è » is a hole in Windows-1252
    source, _doubts = spoken(making.put(tmp_path, written, "a.csv"), "windows-1252")
    with pytest.raises(Unusable, match="Ligne 2 : Le fichier n'est pas encodé en Windows-1252"):
        list(reading.csv_rows(source))
    source, _doubts = spoken(making.put(tmp_path, GOOD.decode().encode("latin-1")), "utf-8")
    with pytest.raises(Unusable, match="Ligne 10 : Le fichier n'est pas encodé en UTF-8"):
        list(reading.xml_records(source, root="FICHES", record="FICHE"))


def test_synonyms_are_read_in_the_encoding_that_is_said(tmp_path):
    source, _doubts = spoken(making.put(tmp_path, '["été"]'.encode("mac_roman"), "a.json"), "mac-roman")
    assert reading.whole_text(source, max_bytes=1000) == '["été"]'


def test_a_french_text_rightly_read_raises_no_doubt(tmp_path):
    text = "Où l’œuvre ambiguë d’un été naît : « ça coûte 5 € », Île-de-France, SÉANCE, Noël, À côté, ÂGE"
    for encoding, codec in SPOKEN.items():
        written = text.encode(codec, "replace")
        source, doubts = spoken(making.put(tmp_path, b"a;b\n1;" + written + b"\n", "a.csv"), encoding)
        assert len(list(reading.csv_rows(source))) == 1
        assert doubts == [], encoding

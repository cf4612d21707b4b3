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
    monkeypatch.setattr(reading, "_prolog", lambda stream: ("utf-8", "FICHES"))
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

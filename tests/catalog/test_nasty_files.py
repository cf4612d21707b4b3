"""Files made to hurt, or made in a hurry: what becomes of each, over every importer.

WHOLE: nothing of the file can be believed; it is refused with one French sentence, and nothing is written.
ROWS: one record is refused, on its line, and the good rest goes in. TAKEN: it only looks dangerous; it goes
in, tamed. For each, the memory that Python asks for stays below PEAK, and all that the process has grown by,
the parser's trees too, below GROWTH, whatever the file would unpack to.
"""

import gzip
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest

from catalog.imports import certifications, nomenclatures, offers, open_catalogue, providers
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import Certification, ImportRun, MarketPrice, Offer, Provider, Session, Term
from tests.catalog.imports import making, test_lheo, test_open_catalogue, test_providers
from tests.catalog.imports.making import BAD_SIRET, SIRET, action, catalogue, fiche, fiches, session, training
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import CertificationFactory, HabilitationFactory, ProviderFactory, TownFactory

pytestmark = pytest.mark.django_db

MB = 2**20
PEAK = 40 * MB
GROWTH = 160 * MB
EDOF, LHEO, RNCP, CSV_REGISTER = "edof", "lheo", "rncp", "csv register"
INFO, KIT, LIST, OPEN, NOMENCLATURE = "certif info", "kit", "organisations", "open data", "nomenclature"
IMPORTERS = {
    EDOF: offers,
    LHEO: offers,
    RNCP: certifications,
    CSV_REGISTER: certifications,
    INFO: certifications,
    KIT: certifications,
    LIST: providers,
    OPEN: open_catalogue,
    NOMENCLATURE: nomenclatures,
}
FORMACODE = "Code du Terme;Descripteur en typo riche;Synonymes;TG (Terme Générique);TA (Termes Associés)\n"
GOOD = {
    EDOF: catalogue(training("BON")),
    LHEO: test_lheo.catalogue(test_lheo.training(number=' numero="BON"')),
    RNCP: fiches(fiche("RNCP1"), fiche("RNCP2")),
}


# --- How files are made to hurt -----------------------------------------------------------------------


def before_root(text: str) -> Callable[[bytes], bytes]:
    return lambda good: good.replace(b"?>\n", b"?>\n" + text.encode(), 1)


def in_a_text(text: str | bytes, times: int = 1) -> Callable[[bytes], bytes]:
    """That many times: made when it is asked for, since the module stays in memory as long as the suite."""

    def make(good: bytes) -> bytes:
        written = (text.encode() if isinstance(text, str) else text) * times
        for title in (b"<intitule-formation>", b"<INTITULE>"):
            good = good.replace(title, title + written, 1)
        return good

    return make


def declared(encoding: str) -> Callable[[bytes], bytes]:
    return lambda good: good.replace(b'encoding="ISO-8859-1"', b'encoding="UTF-8"').replace(
        b'encoding="UTF-8"', f'encoding="{encoding}"'.encode()
    )


def laughs(levels: int) -> str:
    entities = ['<!ENTITY a0 "ha">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels)]
    return f"<!DOCTYPE lheo [{''.join(entities)}]>\n"


def zipped(*members: tuple[str, bytes], locked: bool = False) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    content = out.getvalue()
    if locked:  # the bit that says so, in both headers
        content = content.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
        content = content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    return content


def nested(depth: int) -> bytes:
    content = b"<lheo/>"
    for level in range(depth):
        content = zipped((f"{level}.zip", content))
    return content


class Whole(NamedTuple):
    importer: str
    content: bytes | Callable[[], bytes]
    sentence: str


def xml(importer: str, *changes: Callable[[bytes], bytes], of: str = "") -> Callable[[], bytes]:
    def make() -> bytes:
        content = GOOD[of or importer]
        for change in changes:
            content = change(content)
        return content

    return make


DOCTYPE = "Le fichier contient une déclaration de type de document"
WHOLE = {
    # entities and document types
    "an internal entity": Whole(
        EDOF, xml(EDOF, before_root('<!DOCTYPE lheo [<!ENTITY x "y">]>\n'), in_a_text("&x;")), DOCTYPE
    ),
    "a file of the machine": Whole(
        LHEO, xml(LHEO, before_root('<!DOCTYPE lheo [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n')), DOCTYPE
    ),
    "an address": Whole(
        RNCP, xml(RNCP, before_root('<!DOCTYPE FICHES SYSTEM "http://127.0.0.1:9/a.dtd">\n')), DOCTYPE
    ),
    "a parameter entity": Whole(
        EDOF,
        xml(EDOF, before_root('<!DOCTYPE lheo [<!ENTITY % x SYSTEM "file:///etc/hosts"> %x;]>\n')),
        DOCTYPE,
    ),
    "a billion laughs": Whole(RNCP, xml(RNCP, before_root(laughs(10)), in_a_text("&a9;")), DOCTYPE),
    "a long entity said often": Whole(
        EDOF, xml(EDOF, before_root(f'<!DOCTYPE lheo [<!ENTITY x "{"x" * 50_000}">]>\n')), DOCTYPE
    ),
    "a document type without anything": Whole(LHEO, xml(LHEO, before_root("<!DOCTYPE lheo>\n")), DOCTYPE),
    "a document type in small letters": Whole(EDOF, xml(EDOF, before_root("<!doctype lheo>\n")), DOCTYPE),
    "a document type behind a comment": Whole(
        EDOF, xml(EDOF, before_root("<!-- <lheo> -->\n<?x y?>\n<!DOCTYPE lheo []>\n")), DOCTYPE
    ),
    "a document type in a dictionary": Whole(
        NOMENCLATURE, b'<!DOCTYPE dict [<!ENTITY x "y">]><dict name="dict-NSF"/>', DOCTYPE
    ),
    "an entity that nothing declares": Whole(RNCP, xml(RNCP, in_a_text("&nbsp;")), "une entité inconnue"),
    # encodings
    "UTF-16": Whole(EDOF, lambda: GOOD[EDOF].decode("latin-1").encode("utf-16"), "UTF-16 ou UTF-32"),
    "UTF-16 without its mark": Whole(
        LHEO, lambda: GOOD[LHEO].decode().encode("utf-16-le"), "UTF-16 ou UTF-32"
    ),
    "UTF-32": Whole(RNCP, lambda: GOOD[RNCP].decode().encode("utf-32"), "UTF-16 ou UTF-32"),
    "UTF-7": Whole(EDOF, xml(EDOF, declared("UTF-7")), "« utf-7 » n'est pas accepté"),
    "the mark of UTF-8 on ISO-8859-1": Whole(
        LHEO,
        lambda: b"\xef\xbb\xbf" + declared("ISO-8859-1")(GOOD[LHEO]),
        "commence par la marque de l'UTF-8",
    ),
    "ISO-8859-1 said to be UTF-8": Whole(
        LHEO, xml(LHEO, in_a_text("é".encode("latin-1"))), "un caractère n'est pas de l'encodage annoncé"
    ),
    "UTF-8 said to be ISO-8859-1": Whole(
        LHEO, xml(LHEO, declared("ISO-8859-1"), in_a_text("é")), "mais il est écrit en UTF-8"
    ),
    "half a character of UTF-8": Whole(RNCP, xml(RNCP, in_a_text(b"\xe2\x82")), "pas de l'encodage annoncé"),
    "a lone surrogate": Whole(RNCP, xml(RNCP, in_a_text(b"\xed\xa0\x80")), "pas de l'encodage annoncé"),
    "a zero": Whole(LHEO, xml(LHEO, in_a_text(b"\x00")), "mal formé|n'est pas permis|s'arrête avant la fin"),
    "a zero by its number": Whole(RNCP, xml(RNCP, in_a_text("&#0;")), "mal formé|n'est pas permis"),
    "a character beyond all": Whole(RNCP, xml(RNCP, in_a_text("&#xFFFFFFFF;")), "mal formé|n'est pas permis"),
    # what is no catalogue
    "nothing": Whole(EDOF, b"", "est vide"),
    "blanks": Whole(EDOF, b"  \n\n ", "n'est pas un document XML"),
    "a PDF": Whole(EDOF, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "n'est pas un document XML"),
    "a picture": Whole(RNCP, b"\x89PNG\r\n\x1a\n" + bytes(200), "n'est pas|UTF"),
    "a spreadsheet": Whole(
        EDOF,
        lambda: zipped(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<x/>")),
        "contient 2 fichiers",
    ),
    "a page of the web": Whole(EDOF, b"<!DOCTYPE html><html></html>", DOCTYPE),
    "a page without its type": Whole(LHEO, b"<html><body/></html>", "sa racine est <html>, on attend <lheo>"),
    "JSON": Whole(EDOF, b'{"lheo": []}', "n'est pas un document XML"),
    "a register where a catalogue is awaited": Whole(EDOF, xml(EDOF, of=RNCP), "sa racine est <FICHES>"),
    "a catalogue where a register is awaited": Whole(RNCP, xml(RNCP, of=EDOF), "sa racine est <lheo>"),
    "another namespace": Whole(
        EDOF,
        lambda: GOOD[EDOF].replace(b"www.of.moncompteformation", b"www.exemple"),
        "d'aucun format que le portail",
    ),
    "LHEO 1.3.0": Whole(
        LHEO,
        lambda: GOOD[LHEO].replace(b"lheo.gouv.fr/2.3", b"www.lheo.org/1.3.0"),
        "d'aucun format que le portail",
    ),
    "no namespace": Whole(
        LHEO, lambda: GOOD[LHEO].replace(b' xmlns="http://lheo.gouv.fr/2.3"', b""), "d'aucun format"
    ),
    "an index of LHEO": Whole(LHEO, b'<lheo-index xmlns="http://lheo.gouv.fr/2.3"/>', "C'est un index LHEO"),
    "no training": Whole(
        LHEO, b'<lheo xmlns="http://lheo.gouv.fr/2.3"><offres/></lheo>', "aucun élément <formation>"
    ),
    # broken
    "cut in the middle": Whole(EDOF, lambda: GOOD[EDOF][: len(GOOD[EDOF]) // 2], "s'arrête avant la fin"),
    "cut before its last letter": Whole(RNCP, lambda: GOOD[RNCP].rstrip()[:-1], "s'arrête avant la fin"),
    "a tag closed by another": Whole(EDOF, xml(EDOF, in_a_text("</action>")), "mal formé"),
    "an attribute given twice": Whole(
        EDOF,
        lambda: GOOD[EDOF].replace(b'<formation numero="BON"', b'<formation numero="A" numero="B"'),
        "mal formé",
    ),
    "two roots": Whole(RNCP, lambda: GOOD[RNCP] + GOOD[RNCP].partition(b"\n")[2], "suit la fin du document"),
    "a text after the root": Whole(LHEO, lambda: GOOD[LHEO] + b"et voila", "suit la fin du document"),
    "a CDATA without an end": Whole(RNCP, xml(RNCP, in_a_text("<![CDATA[")), "s'arrête avant la fin"),
    "a comment in a comment": Whole(RNCP, xml(RNCP, in_a_text("<!-- <!-- -- -->")), "mal formé"),
    # too much
    "100,000 levels": Whole(EDOF, xml(EDOF, in_a_text("<a>" * 100_000)), "mal formé"),
    "a name of 12 MB": Whole(
        RNCP, xml(RNCP, in_a_text("<" + "a" * 12 * MB + "/>")), "mal formé|dépasse la taille"
    ),
    "an attribute of 12 MB": Whole(
        RNCP, xml(RNCP, in_a_text(f'<a b="{"x" * 12 * MB}"/>')), "mal formé|dépasse la taille"
    ),
    "a text of 12 MB": Whole(EDOF, xml(EDOF, in_a_text("x", 12 * MB)), "mal formé|dépasse la taille"),
    "a comment of 40 MB": Whole(
        LHEO, xml(LHEO, in_a_text(f"<!--{'x' * 40 * MB}-->")), "mal formé|dépasse la taille"
    ),
    "40 MB of comments": Whole(LHEO, xml(LHEO, in_a_text("<!--x-->", 5 * MB)), "en contient plus de 400.000"),
    "40 MB of instructions": Whole(
        RNCP, xml(RNCP, in_a_text("<?a b?>", 6 * MB)), "en contient plus de 400.000"
    ),
    "40 MB of empty elements": Whole(
        RNCP, xml(RNCP, in_a_text("<a/>", 10 * MB)), "en contient plus de 400.000"
    ),
    "40 MB of attributes": Whole(
        RNCP,
        lambda: GOOD[RNCP].replace(
            b"<INTITULE>", b"<INTITULE><a " + b" ".join(b'a%d=""' % n for n in range(4 * MB)) + b"/>", 1
        ),
        "en contient plus de 400.000",
    ),
    "40 MB of references": Whole(RNCP, xml(RNCP, in_a_text("&#120;", 7 * MB)), "mal formé|dépasse la taille"),
    # archives
    "a bomb in gzip": Whole(
        EDOF, lambda: gzip.compress(b"<lheo>" + bytes(200 * MB)), "n'est pas permis en XML"
    ),
    "a bomb in gzip of blanks": Whole(
        RNCP, lambda: gzip.compress(b"<FICHES>" + b" " * (200 * MB)), "150 fois sa taille"
    ),
    "a bomb in a zip": Whole(
        EDOF, lambda: zipped(("a.xml", b"<lheo>" + b" " * (200 * MB))), "150 fois sa taille"
    ),
    "a bomb of CSV": Whole(
        LIST, lambda: gzip.compress(b"a;b\n" + b"1;2\n" * (50 * MB)), "150 fois|Les colonnes"
    ),
    "a zip in a zip in a zip": Whole(EDOF, lambda: nested(5), "n'est pas un document XML"),
    "a zip of two files": Whole(
        RNCP, lambda: zipped(("a.xml", b"<a/>"), ("b.xml", b"<b/>")), "contient 2 fichiers"
    ),
    "a zip of nothing": Whole(EDOF, lambda: zipped(), "contient 0 fichiers"),
    "names of files that climb": Whole(
        EDOF, lambda: zipped(("../../../../tmp/portail.xml", GOOD[EDOF])), "contient 0 fichiers"
    ),
    "a zip with a password": Whole(
        EDOF, lambda: zipped(("a.xml", GOOD[EDOF]), locked=True), "protégée par un mot de passe"
    ),
    "half a zip": Whole(EDOF, lambda: zipped(("a.xml", GOOD[EDOF]))[:200], "abîmée ou incomplète"),
    "half a gzip": Whole(RNCP, lambda: gzip.compress(GOOD[RNCP])[:-30], "abîmé ou incomplet"),
    # CSV
    "a quote without an end": Whole(LIST, f'{test_providers.SHORT}\n"{SIRET};x\n'.encode(), "incohérents"),
    "a letter after a quote": Whole(OPEN, test_open_catalogue.extract({}) + b'"a"b;c\n', "incohérents"),
    "a cell of 5 MB": Whole(LIST, f"{test_providers.SHORT}\n{'x' * 5 * MB};\n".encode(), "trop longue"),
    "lines ended by a return alone": Whole(
        LIST, test_providers.SHORT.encode() + b"\r1;2\r", "incohérents|Les colonnes"
    ),
    "a list in UTF-16": Whole(LIST, test_providers.SHORT.encode("utf-16"), "UTF-16|pas un texte en UTF-8"),
    "a list in ISO-8859-1": Whole(
        LIST,
        f"{test_providers.SHORT}\n{SIRET};É;;;;Oui\n".encode("latin-1"),
        "Ligne 2 : Le fichier n'est pas encodé",
    ),
    "a column twice": Whole(LIST, b"siret;denomination;qualiopi;siret\n1;2;3;4\n", "nommée deux fois"),
    "columns of something else": Whole(OPEN, b"a;b\n1;2\n", "du catalogue ouvert"),
    "nothing but columns": Whole(INFO, making.info(), "ne contient aucune certification"),
    "one of the ten files of a register": Whole(
        CSV_REGISTER,
        making.csv_archive()["export_fiches_CSV_Standard_2024_02_22.csv"],
        "donnez l'archive zip entière",
    ),
    "JSON that goes down for ever": Whole(NOMENCLATURE, b"[" * 100_000, "profondément|mal formé"),
    "a nomenclature of faults": Whole(
        NOMENCLATURE, (FORMACODE + "3;C;;;\n" * 20_001).encode(), "Plus de 20000 lignes sont fautives"
    ),
}


# --- One bad record, and a good one -------------------------------------------------------------------


class Row(NamedTuple):
    importer: str
    content: bytes
    marker: str  # what the faulty line holds, at its last occurrence
    reason: str


def edof(bad: str) -> bytes:
    return catalogue(training("BON"), bad)


def lheo(bad: str) -> bytes:
    return test_lheo.catalogue(test_lheo.training(number=' numero="BON"'), bad)


def dated(starts: str, ends: str = "20300630") -> str:
    return training(actions=action(sessions=session(starts=starts, ends=ends)))


def priced(price: str) -> str:
    return training(actions=action(prices=making.PRICES.replace("600.60", price)))


def listed(*cells: str) -> bytes:
    rows = (test_providers.short(making.OTHER_SIRET), ";".join(cells))
    return "\n".join((test_providers.SHORT, *rows, "")).encode()


def opened(**bad: str) -> bytes:
    return test_open_catalogue.extract({"numero_formation": "BON"}, bad)


ROWS = {
    "3,001 characters": Row(
        EDOF, edof(training(content="é" * 3001)), "<contenu", "compte 3001 caractères, 3000 au plus"
    ),
    "two certifications": Row(
        EDOF,
        edof(training(code="<code-RNCP>RNCP100</code-RNCP><code-RS>RS1</code-RS>")),
        "<certification>",
        "un seul",
    ),
    "two certifications of LHEO": Row(
        LHEO,
        lheo(
            test_lheo.training(
                certification="<certification><code-RNCP>100</code-RNCP></certification>\n"
                "<certification><code-RS>6604</code-RS></certification>"
            )
        ),
        "<code-RS>",
        "deux certifications : RNCP100, RS6604",
    ),
    "month 19": Row(EDOF, edof(dated("20271907")), "<debut>", "« 20271907 »"),
    "day 00": Row(EDOF, edof(dated("20270900")), "<debut>", "le mois sans le jour"),
    "day 31 of February": Row(EDOF, edof(dated("20270131", "20270231")), "<fin>", "« 20270231 »"),
    "a month alone, in LHEO": Row(
        LHEO,
        lheo(
            test_lheo.training(test_lheo.action(sessions=test_lheo.SESSION.replace("20300107", "20170900")))
        ),
        "<debut>",
        "le mois sans le jour",
    ),
    "no first day": Row(EDOF, edof(dated("00000000")), "<debut>", "la date manque"),
    "an end before the beginning": Row(
        EDOF, edof(dated("20300701")), "<periode>", "finit avant de commencer"
    ),
    "a SIRET of 15 digits": Row(EDOF, edof(training(siret=SIRET + "1")), "<SIRET>", "compte 15 caractères"),
    "a SIRET that is none": Row(
        EDOF, edof(training(siret=BAD_SIRET)), "<SIRET>", "sa clé de contrôle est fausse"
    ),
    "a SIRET of a spreadsheet": Row(
        LIST, listed("7,32829E+13", "École", "", "actif", "", "Oui"), "7,32", "pas 14 chiffres"
    ),
    "a SIRET of zeros": Row(LIST, listed("0" * 14, "École", "", "actif", "", "Oui"), "École", "n'existe pas"),
    "a price « gratuit »": Row(
        EDOF, edof(priced("gratuit")), "frais-ttc", "« gratuit » n'est pas un montant"
    ),
    "a negative price": Row(EDOF, edof(priced("-600.60")), "frais-ttc", "est négatif"),
    "a price of half cents": Row(EDOF, edof(priced("600.605")), "frais-ttc", "plus de deux décimales"),
    "a price of the whole State": Row(EDOF, edof(priced("99999999999")), "frais-ttc", "est trop grand"),
    "a price that is no number": Row(EDOF, edof(priced("NaN")), "frais-ttc", "« NaN » n'est pas un montant"),
    "a price in the powers of ten": Row(
        EDOF, edof(priced("1e9")), "frais-ttc", "« 1e9 » n'est pas un montant"
    ),
    "99,999,999 hours": Row(
        EDOF,
        edof(training(actions=action(hours="<nombre-heures-centre>99999999</nombre-heures-centre>"))),
        "<nombre-heures-centre>99999999",
        "n'est pas un nombre entier de 0 à 99999",
    ),
    "a program for an address": Row(
        EDOF,
        edof(training(actions=action(url="javascript:alert(1)"))),
        "<urlweb>javascript",
        "pas une adresse web",
    ),
    "a number of 101 letters": Row(EDOF, edof(training("x" * 101)), "<formation ", "compte 101 caractères"),
    "another file included": Row(
        EDOF,
        edof(
            training().replace(
                "<intitule-formation>",
                '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'
                "<intitule-formation>",
                1,
            )
        ),
        "xi:include",
        "include> n'est pas attendu dans <formation>",
    ),
    "10,000 attributes": Row(
        EDOF,
        edof(
            training().replace(
                "<formation ", "<formation " + " ".join(f'a{n}="1"' for n in range(10_000)) + " ", 1
            )
        ),
        "<formation a0",
        "a un attribut inconnu « a0 »",
    ),
    "a day that is none, in a register": Row(
        RNCP,
        fiches(fiche("RNCP1"), fiche("RNCP2", ends="31/02/2030")),
        "<FICHE>",
        "« 31/02/2030 » n'est pas une date",
    ),
    "neither active nor not": Row(
        RNCP, fiches(fiche("RNCP1"), fiche("RNCP2", active="Bof")), "<FICHE>", "ni Oui ni Non"
    ),
    "level 9": Row(RNCP, fiches(fiche("RNCP1"), fiche("RNCP2", level="NIV9")), "<FICHE>", "« NIV9 »"),
    "a number given twice": Row(
        RNCP, fiches(fiche("RNCP1"), fiche("RNCP1")), "<FICHE>", "déjà dans le fichier"
    ),
    "a number in letters": Row(
        INFO, making.info({"Code_RNCP": "1"}, {"Code_RNCP": "12a"}), "12a", "« 12a » n'est pas un numéro"
    ),
    "a line of the kit without a day": Row(
        KIT,
        making.kit(
            {"FicheRNCP": "RNCP200"}, {"FicheRNCP": "RNCP101", "Date d'échéance de la fiche RNCP": "bientôt"}
        ),
        "bientôt",
        "bientôt",
    ),
    "a number that stands for none": Row(
        LIST, listed(SIRET, "École", "99999999999", "actif", "", "Oui"), "École", "numéro d'attente"
    ),
    "neither yes nor no": Row(
        LIST, listed(SIRET, "École", "", "actif", "", "Peut-être"), "Peut", "ni Oui ni Non"
    ),
    "more cells than columns": Row(
        LIST, listed(SIRET, "École", "", "actif", "", "Oui", "=1+1"), "École", "plus de cellules"
    ),
    "a mean price « gratuit »": Row(
        OPEN, opened(frais_ttc_tot_mean="gratuit"), "gratuit", "« gratuit » n'est pas un nombre"
    ),
    "a department of words": Row(OPEN, opened(code_departement="Rhône"), "Rhône", "n'est pas un département"),
    "a term without a code": Row(
        NOMENCLATURE, (FORMACODE + "31816;A;;;\n;B;;;\n").encode(), ";B;", "n'est pas un code"
    ),
}


# --- What only looks dangerous --------------------------------------------------------------------------


class Taken(NamedTuple):
    importer: str
    content: bytes | Callable[[], bytes]
    is_tame: Callable[[], bool]


def offer() -> Offer:
    return Offer.objects.get()


TAKEN = {
    "a script in a text": Taken(
        EDOF,
        catalogue(
            training(content="<![CDATA[<p onclick='x()'>Bon<script>alert(1)</script></p><img src=x>]]>")
        ),
        lambda: offer().content == "<p>Bon</p>",
    ),
    "dates of creation that nobody knows": Taken(
        EDOF, catalogue(training().replace('datemaj="20260102"', 'datemaj="00000000"')), lambda: bool(offer())
    ),
    "permanent entry, with days that say nothing": Taken(
        EDOF,
        catalogue(
            training(actions=action(entries="1", sessions=session(starts="00000000", ends="00000000")))
        ),
        lambda: Session.objects.get().starts_on is None,
    ),
    "the mark of UTF-8": Taken(LHEO, lambda: b"\xef\xbb\xbf" + GOOD[LHEO], lambda: bool(offer())),
    "instructions and comments": Taken(
        EDOF,
        xml(
            EDOF,
            before_root("<?xml-stylesheet href='file:///etc/passwd'?><!-- x -->"),
            in_a_text("<!-- y --><?z?>"),
        ),
        lambda: offer().title == "Développer une application",
    ),
    "a formula for a name": Taken(
        LIST,
        f'{test_providers.SHORT}\n{making.OTHER_SIRET};=HYPERLINK(""http://x"");;actif;;Oui\n'.replace(
            '""', "'"
        ).encode(),
        lambda: (
            not Provider.objects.get(organisation__siret=making.OTHER_SIRET).organisation.name.startswith("=")
        ),
    ),
    "a separator between quotes": Taken(
        LIST,
        f'{test_providers.SHORT}\n{making.OTHER_SIRET};"Pont; et fils";;actif;;Oui\n'.encode(),
        lambda: Provider.objects.filter(organisation__name="Pont; et fils").exists(),
    ),
    "a zero in a cell": Taken(
        NOMENCLATURE, (FORMACODE + "31816;A\0B;;;\n").encode(), lambda: Term.objects.get().label == "A B"
    ),
    "emoji": Taken(LHEO, xml(LHEO, in_a_text("🏗️ ")), lambda: offer().title.startswith("🏗")),
    "1,000 declarations of namespaces": Taken(
        LHEO,
        lambda: GOOD[LHEO].replace(
            b"<offres>", b"<offres " + b" ".join(b'xmlns:n%d="a"' % n for n in range(1000)) + b">"
        ),
        lambda: bool(offer()),
    ),
}


def resident(name: str) -> int:
    """Bytes of this process in memory: VmRSS now, VmHWM at most. Zero where nobody tells."""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 if found else 0


def forget_peak() -> int:
    """What it has now, which is its peak again."""
    told = Path("/proc/self/clear_refs")
    if told.exists():
        told.write_text("5")
    return resident("VmRSS")


def prepare() -> None:
    """A country of one town, where one organisation may teach RNCP100."""
    TownFactory()
    HabilitationFactory(certification=CertificationFactory(code="RNCP100", number=100), siret=SIRET)
    ProviderFactory(organisation=OrganisationFactory(siret=SIRET))


# --- The tests ----------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, at, record_property):
    """Imports a file, and looks at what it takes."""
    prepare()

    def run(importer: str, content: bytes | Callable[[], bytes]):
        path = making.put(tmp_path, content() if callable(content) else content, "fichier")
        before = forget_peak()
        tracemalloc.start()
        try:
            return IMPORTERS[importer].run(path, at=at)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            grown = resident("VmHWM") - before
            record_property("peak_kb", peak // 1024)
            record_property("grown_kb", grown // 1024)
            assert peak < PEAK, f"{peak // MB} MB"
            assert grown < GROWTH, f"{grown // MB} MB"

    return run


def rows() -> list[int]:
    return [model.objects.count() for model in (Offer, Certification, Provider, MarketPrice, Term)]


def test_there_are_sixty_of_them_at_least_over_every_importer():
    every = [*WHOLE.values(), *ROWS.values(), *TAKEN.values()]
    assert len(every) >= 60
    assert {case.importer for case in every} == set(IMPORTERS)


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_nothing_of_it_is_believed(run, case):
    before = rows()
    with pytest.raises(Unusable, match=case.sentence):
        run(case.importer, case.content)
    assert rows() == before
    assert ImportRun.objects.get().error, "and the administration reads why"


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS)
def test_one_record_is_refused_on_its_line_and_the_good_rest_goes_in(run, case):
    report = run(case.importer, case.content)
    told = {(finding.line, finding.reason) for finding in report.of(Verdict.REFUSED)}
    lines = {
        number
        for number, line in enumerate(case.content.split(b"\n"), start=1)
        if case.marker.encode() in line or case.marker.encode("latin-1") in line
    }
    assert any(line in lines and case.reason in reason for line, reason in told), (lines, told)
    assert (report.read, report.created, report.refused) == (2, 1, 1)


@pytest.mark.parametrize("case", TAKEN.values(), ids=TAKEN)
def test_it_only_looks_dangerous_and_goes_in_tamed(run, case):
    report = run(case.importer, case.content)
    assert (report.created, report.refused) == (1, 0), [str(each) for each in report.findings]
    assert case.is_tame()

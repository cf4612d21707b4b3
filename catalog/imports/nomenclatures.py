"""Public nomenclatures and groups of synonyms: the words that people use for trades and subjects.

What a file is, its columns say: FORMACODE (Centre Inffo's list), ROME codes or job names, one of the three
levels of NSF (decree 94-522 of 21 June 1994); its root: NSF as LHEO's dictionary (XML); its first letter:
groups of synonyms, or the sectors over ROME (JSON). Terms that the file does not hold
are left alone; those it holds are written as it says, their other names too. In the end certifications are
indexed again, and the offers whose words have changed with them.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from django.db import connection
from django.utils.translation import gettext as _

from catalog import indexing, words
from catalog.imports import loading, reading, report, values
from catalog.imports.reading import Progress, Source, Unusable
from catalog.imports.report import Report
from catalog.models import ImportRun, SynonymGroup, Term, TermName
from rulebook import workdays

Nomenclature = Term.Nomenclature
MAX_JSON_BYTES = 16 * 2**20
MAX_NAME = 255
MAX_GROUP = 50
# Twice the longest of these lists.
REFUSALS_MAX = 20_000
ROME_CODE = r"[A-N]\d{4}"
# « œ » of ISO-8859-15 read as ISO-8859-1, as the file of sectors has it: « Gros ¼uvre ».
LIGATURE = re.compile(r"[¼½](?=[a-z])")


@dataclass(slots=True)
class Entry:
    """One term, read. `names`: its other names; None when the file does not tell."""

    line: int
    code: str
    label: str
    broader: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    names: list[str] | None = None


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    encoding: str = "",
) -> Report:
    """Imports one list (CSV or JSON; plain, gzip or zip). Unusable: nothing was written."""
    return report.run(
        ImportRun.Kind.NOMENCLATURES,
        file,
        _work,
        at=at,
        dry_run=dry_run,
        progress=progress,
        encoding=encoding,
    )


def _work(source: Source, result: Report) -> None:
    header = reading.first_line(source)
    if header.startswith(("[", "{")):
        _read_json(source, result)
    elif header.startswith("<"):
        _read_dictionary(source, result)
    else:
        delimiter = ";" if header.count(";") >= header.count(",") else ","
        # The columns' order is the file's own; quotes stand around some of them.
        columns = {name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])}
        reader = next((read for wanted, read in READERS if columns >= wanted), None)
        if reader is None:
            raise Unusable(
                _(
                    "Les colonnes ne sont celles d'aucune nomenclature connue"
                    " (FORMACODE, ROME, NSF, secteurs, groupes de synonymes)."
                ),
                line=1,
            )
        reader(source, result, delimiter)
    if result.created or result.updated:
        loading.refresh_statistics(Term, TermName, SynonymGroup)
        changed = words.reindex()
        words.refresh()
        indexing.reindex_of(certification__in=changed, on=workdays.paris_day(result.started_at))


# --- Terms ----------------------------------------------------------------------------------------


def _read_terms(
    source: Source,
    result: Report,
    delimiter: str,
    nomenclature: Nomenclature,
    look: Callable[[int, dict[str, str]], Entry],
    pattern: str,
) -> None:
    """Streams the file into terms, refusing rows one by one."""

    def entries() -> Iterator[tuple[Entry, list[str]]]:
        for line, cells in reading.csv_rows(source, delimiter=delimiter):
            row = {name: values.line(text) for name, text in cells.items()}
            too_many = [_("la ligne a plus de cellules que l'en-tête.")] if "" in row else []
            yield look(line, defaultdict(str, row)), too_many

    _take(entries(), result, nomenclature, pattern)


def _take(
    entries: Iterable[tuple[Entry, list[str]]], result: Report, nomenclature: Nomenclature, pattern: str
) -> None:
    """Writes the entries that are good, lot by lot; each comes with the faults that its reader found."""
    seen: dict[str, int] = {}

    def good() -> Iterator[Entry]:
        for entry, faults in entries:
            result.read += 1
            faults = [*faults, *_faults(entry, pattern, seen)]
            if faults:
                _refuse(
                    result, entry.line, values.short(entry.code or entry.label or _("ligne vide")), faults
                )
                continue
            seen[entry.code] = entry.line
            yield entry

    for lot in loading.lots(good()):
        _write(nomenclature, lot, result)
    if not result.read:
        raise Unusable(_("Le fichier ne contient aucun terme."))


def _refuse(result: Report, line: int, subject: str, faults: list[str]) -> None:
    """Unusable: so much was refused that the file is not what it looks like; the rest is not even read."""
    if result.refused >= REFUSALS_MAX:
        raise Unusable(
            _("Plus de %(count)d lignes sont fautives : ce fichier n'est pas celui qu'il paraît.")
            % {"count": REFUSALS_MAX}
        )
    result.refuse(line, subject, *faults)


def _faults(entry: Entry, pattern: str, seen: dict[str, int]) -> list[str]:
    faults = []
    if not re.fullmatch(pattern, entry.code, re.ASCII):
        faults.append(_("« %(text)s » n'est pas un code.") % {"text": values.short(entry.code)})
    elif entry.code in seen:
        faults.append(_("le code est déjà dans le fichier, ligne %(line)d.") % {"line": seen[entry.code]})
    if not entry.label:
        faults.append(_("le libellé manque."))
    return faults


def _write(nomenclature: Nomenclature, lot: Sequence[Entry], result: Report) -> None:
    codes = [entry.code for entry in lot]
    held = {
        term.code: (term.label, term.broader, term.related)
        for term in Term.objects.filter(code__in=codes).order_by("code")
    }
    names: dict[str, set[str]] = defaultdict(set)
    for code, name in TermName.objects.filter(term__in=codes).order_by("pk").values_list("term_id", "name"):
        names[code].add(name)
    changed = []
    for entry in lot:
        is_renamed = entry.names is not None and set(entry.names) != names[entry.code]
        if entry.code not in held:
            result.created += 1
        elif is_renamed or held[entry.code] != (entry.label, entry.broader, entry.related):
            result.updated += 1
        else:
            result.unchanged += 1
            continue
        changed.append((entry, is_renamed))
    loading.upsert(
        Term,
        ("code", "nomenclature", "label", "broader", "related"),
        ((e.code, nomenclature.value, e.label, e.broader, e.related) for e, _is_renamed in changed),
        key="code",
    )
    _write_names({entry.code: entry.names or [] for entry, is_renamed in changed if is_renamed})


def _write_names(names: dict[str, list[str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_termname WHERE term_id = ANY(%s)", [list(names)])
    loading.insert(
        TermName,
        ("term_id", "name"),
        ((code, name) for code, all_names in names.items() for name in dict.fromkeys(all_names)),
    )


def _read_formacode(source: Source, result: Report, delimiter: str) -> None:
    def look(line: int, row: dict[str, str]) -> Entry:
        names = [
            name[:MAX_NAME]
            for column in ("Synonymes", "Synonymes métier", "ex-synonyme V-1")
            for text in row[column].split("###")
            if (name := text.strip())
        ]
        return Entry(
            line=line,
            code=row["Code du Terme"],
            label=row["Descripteur en typo riche"][:MAX_NAME],
            broader=_pointed(row["TG (Terme Générique)"], row["Code du Terme"]),
            related=_pointed(row["TA (Termes Associés)"], row["Code du Terme"]),
            names=list(dict.fromkeys(names)),
        )

    _read_terms(source, result, delimiter, Nomenclature.FORMACODE, look, r"\d{5}")


def _pointed(text: str, own: str) -> list[str]:
    """The codes of « Transport routier - 31833###… »; a heading without a code is none, nor is itself."""
    codes = [found[1] for part in text.split("###") if (found := re.search(r" - (\d{5})$", part.strip()))]
    return [code for code in dict.fromkeys(codes) if code != own]


def _read_rome_codes(source: Source, result: Report, delimiter: str) -> None:
    def look(line: int, row: dict[str, str]) -> Entry:
        code, parent = row["code_rome"], row["code_rome_parent"]
        return Entry(
            line=line,
            code=code,
            label=row["libelle_rome"][:MAX_NAME],
            broader=[parent] if parent != code and len(parent) == 5 else [],
        )

    _read_terms(source, result, delimiter, Nomenclature.ROME, look, ROME_CODE)


def _read_rome_names(source: Source, result: Report, delimiter: str) -> None:
    """Job names: each is counted, and its code's names become those of the file.

    A code that is not known yet is created under its first job name: the file of codes will name it.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for line, cells in reading.csv_rows(source, delimiter=delimiter):
        result.read += 1
        code = values.line(cells.get("code_rome"))
        name = values.line(cells.get("libelle_appellation_long"))[:MAX_NAME]
        faults = []
        if "" in cells:
            faults.append(_("la ligne a plus de cellules que l'en-tête."))
        if not name:
            faults.append(_("l'appellation manque."))
        if not re.fullmatch(ROME_CODE, code, re.ASCII):
            faults.append(_("« %(text)s » n'est pas un code.") % {"text": values.short(code)})
        if faults:
            _refuse(result, line, values.short(name or code), faults)
        elif name in names[code]:
            result.remark(line, values.short(name), _("appellation écrite deux fois."))
            result.unchanged += 1
        else:
            names[code].append(name)
    if not result.read:
        raise Unusable(_("Le fichier ne contient aucun terme."))
    _write_job_names(source, names, result)


def _write_job_names(source: Source, names: dict[str, list[str]], result: Report) -> None:
    known = set(Term.objects.filter(code__in=names).order_by("code").values_list("code", flat=True))
    if unknown := sorted(names.keys() - known):
        result.remark(
            1,
            source.name[:255],
            _("Codes ROME encore sans libellé, nommés par leur première appellation : %(count)d.")
            % {"count": len(unknown)},
        )
    loading.insert(
        Term,
        ("code", "nomenclature", "label", "broader", "related"),
        ((code, Nomenclature.ROME.value, names[code][0], [], []) for code in unknown),
    )
    held: dict[str, set[str]] = defaultdict(set)
    for code, name in TermName.objects.filter(term__in=names).order_by("pk").values_list("term_id", "name"):
        held[code].add(name)
    for code, theirs in names.items():
        new = len(set(theirs) - held[code])
        result.created += new
        result.unchanged += len(theirs) - new
        if not new and held[code] - set(theirs):
            result.updated += 1
    _write_names({code: theirs for code, theirs in names.items() if set(theirs) != held[code]})


def _nsf(code_column: str, parent_column: str, size: int) -> Callable[[Source, Report, str], None]:
    def read(source: Source, result: Report, delimiter: str) -> None:
        def look(line: int, row: dict[str, str]) -> Entry:
            label = row["LIBELLE_LONG"] or row["LIBELLE_COURT"]
            parent = row[parent_column] if parent_column else ""
            return Entry(
                line=line,
                code=row[code_column],
                label=label.capitalize()[:MAX_NAME],
                broader=[parent] if parent else [],
            )

        _read_terms(source, result, delimiter, Nomenclature.NSF, look, rf"\d{{{size}}}")

    return read


READERS: tuple[tuple[set[str], Callable[[Source, Report, str], None]], ...] = (
    ({"Code du Terme", "Descripteur en typo riche", "Synonymes", "TG (Terme Générique)"}, _read_formacode),
    ({"code_ogr", "libelle_appellation_long", "code_rome"}, _read_rome_names),
    ({"code_rome", "libelle_rome"}, _read_rome_codes),
    (
        {"GROUPE_SPECIALITE", "DOMAINE_SPECIALITE", "LIBELLE_LONG"},
        _nsf("GROUPE_SPECIALITE", "DOMAINE_SPECIALITE", 3),
    ),
    (
        {"DOMAINE_SPECIALITE", "CATEGORIE_SPECIALITE", "LIBELLE_LONG"},
        _nsf("DOMAINE_SPECIALITE", "CATEGORIE_SPECIALITE", 2),
    ),
    ({"CATEGORIE_SPECIALITE", "LIBELLE_LONG"}, _nsf("CATEGORIE_SPECIALITE", "", 1)),
)


def _read_dictionary(source: Source, result: Report) -> None:
    """`<dict name="dict-NSF"><entry><key val="100"/><value val="…"/></entry>…`: NSF's groups, by LHEO.

    A group's domain is its first two digits.
    """

    def entries() -> Iterator[tuple[Entry, list[str]]]:
        for element in reading.xml_records(source, root="dict", record="entry", bare_doctype=True):
            name = element.getparent().get("name") or ""
            if name != "dict-NSF":
                raise Unusable(
                    _("Le dictionnaire « %(name)s » n'est pas lu : seul l'est celui de NSF (dict-NSF).")
                    % {"name": values.short(name)}
                )
            code, label = (
                values.line(found.get("val")) if (found := element.find(f"{{*}}{tag}")) is not None else ""
                for tag in ("key", "value")
            )
            yield Entry(reading.line_of(element), code, label[:MAX_NAME], broader=[code[:2]]), []

    _take(entries(), result, Nomenclature.NSF, r"\d{3}")


# --- JSON: sectors, synonyms ------------------------------------------------------------------------


def _read_json(source: Source, result: Report) -> None:
    content = _json(source)
    if isinstance(content, dict) and isinstance(content.get("arbo_secteur"), list):
        _take(_sectors(content["arbo_secteur"]), result, Nomenclature.SECTOR, r"[ST]\d{1,4}")
    else:
        _read_synonyms(content, result)


def _sectors(tree: list) -> Iterator[tuple[Entry, list[str]]]:
    """Each sector (S110), then its parts (T145), with the ROME codes below them. A rank stands for a line."""
    for rank, sector in enumerate(tree, start=1):
        whole, faults = _sector(rank, sector, "S", "code_secteur")
        parts = sector.get("liste_sous_secteur") if isinstance(sector, dict) else []
        read = [_sector(rank, part, "T", "code_sous_secteur") for part in parts or []]
        for part, _part_faults in read:
            part.broader = [whole.code]
            whole.related += [code for code in part.related if code not in whole.related]
        yield whole, faults
        yield from read


def _sector(rank: int, told: object, letter: str, code_name: str) -> tuple[Entry, list[str]]:
    if not isinstance(told, dict):
        return Entry(rank, "", ""), [_("un secteur est un objet, avec son code et son libellé.")]
    jobs = told.get("liste_metier") or []
    codes = [job.get("code_rome") for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
    good = [code for code in codes if isinstance(code, str) and re.fullmatch(ROME_CODE, code, re.ASCII)]
    faults = []
    if not isinstance(jobs, list) or len(good) < len(jobs):
        faults.append(_("la liste de ses métiers n'est pas une liste de codes ROME."))
    label = values.line(LIGATURE.sub("œ", str(told.get("libelle") or "")))
    code = told.get(code_name)
    return (
        Entry(rank, f"{letter}{code}", label[:MAX_NAME], related=list(dict.fromkeys(good))),
        faults,
    )


def _json(source: Source) -> object:
    """All of the file. Unusable: no JSON, or too deep."""
    text = reading.whole_text(source, max_bytes=MAX_JSON_BYTES)
    try:
        groups = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(_("le JSON est mal formé."), line=error.lineno) from None
    except RecursionError:
        raise Unusable(_("Le JSON est emboîté trop profondément.")) from None
    except ValueError:  # a number too long for Python
        raise Unusable(_("le JSON est mal formé."), line=1) from None
    return groups


def _read_synonyms(groups: object, result: Report) -> None:
    """`[{"mappingType": "equivalent", "synonyms": ["…", "…"]}, …]`: a group has no line, it has a rank."""
    if not isinstance(groups, list) or not groups:
        raise Unusable(_("Le fichier doit être une liste de groupes de synonymes, ou l'arbre des secteurs."))
    rows: dict[str, list[str]] = {}
    for rank, group in enumerate(groups, start=1):
        result.read += 1
        names, fault = _group(group)
        if fault:
            result.refuse(rank, _("groupe %(rank)d") % {"rank": rank}, fault)
            continue
        key = sha256("\n".join(sorted(names)).encode()).hexdigest()
        if key in rows:
            result.remark(rank, values.short(" = ".join(names)), _("groupe écrit deux fois."))
            result.unchanged += 1
            continue
        rows[key] = names
    held = set(SynonymGroup.objects.filter(key__in=rows).order_by("key").values_list("key", flat=True))
    result.created += len(rows) - len(held)
    result.unchanged += len(held)
    loading.insert(
        SynonymGroup, ("key", "names"), ((key, names) for key, names in rows.items() if key not in held)
    )


def _group(group: object) -> tuple[list[str], str]:
    """The names of a group, or why it is none."""
    listed = group.get("synonyms") if isinstance(group, dict) else None
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return [], _("« synonyms » doit être une liste de textes.")
    if isinstance(group, dict) and group.get("mappingType", "equivalent") != "equivalent":
        return [], _("seuls les groupes de sens équivalent (« equivalent ») sont lus.")
    # A lone surrogate is a character of no encoding.
    names = [values.line(name.encode("utf-8", "ignore").decode())[:MAX_NAME] for name in listed]
    names = [name for name in dict.fromkeys(names) if name]
    if not 2 <= len(names) <= MAX_GROUP:
        return [], _("un groupe compte de 2 à %(count)d noms.") % {"count": MAX_GROUP}
    return names, ""

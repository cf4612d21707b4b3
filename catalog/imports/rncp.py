"""France compétences' registers (RNCP and RS), as its daily XML export gives them: `<FICHES><FICHE>…`.

The whole export weighs 0.6 GB: records are read one at a time and written lot by lot. A record whose bytes
have not changed is not even looked into. Whether a certification is active is never copied from the file: it
follows from its dates. The file's own `ACTIF` serves one case, a record struck off before its end date.

Records the file does not hold are left alone: an extract must not erase the register.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256

from django.db import connection
from django.utils.translation import gettext as _
from lxml import etree

from catalog import indexing, words
from catalog.imports import loading, reading, report, values
from catalog.imports.reading import Progress, Source
from catalog.imports.report import Report
from catalog.imports.values import Wrong
from catalog.models import (
    Certification,
    CertificationBlock,
    CertificationOutcome,
    Habilitation,
    ImportRun,
    Succession,
)
from rulebook import workdays

# Part of every digest: raise it when this module keeps something new, so that every record is read again.
SHAPE = b"2"
CODE = re.compile(r"(RNCP|RS)(\d{1,7})", re.ASCII)
BLOCK = re.compile(r"BC\d{1,4}", re.ASCII)
FILE_DAY = re.compile(r"(20\d\d-\d\d-\d\d)")
CERTIFICATION_COLUMNS = (
    "code", "register", "number", "title", "short_code", "short_title", "level", "publication_state",
    "effective_on", "decided_on", "registered_until", "delivered_until", "withdrawn", "activities",
    "abilities", "jobs", "prerequisites", "goals", "sectors", "ways", "nsf_codes", "rome_codes", "formacodes",
    "rome_labels", "source", "digest", "imported_at",
)  # fmt: skip
STATES = {"actif": True, "active": True, "inactif": False, "inactive": False}
PARTNER_ROLES = {
    Habilitation.Role.TRAIN,
    Habilitation.Role.EXAMINE,
    Habilitation.Role.TRAIN_AND_EXAMINE,
}
OUTCOMES = (
    "NOMBRE_CERTIFIES", "NOMBRE_CERTIFIES_VAE", "TAUX_INSERTION_GLOBAL_6MOIS", "TAUX_INSERTION_METIER_6MOIS",
    "TAUX_INSERTION_METIER_2ANS",
)  # fmt: skip
MAX_PEOPLE = 10_000_000


@dataclass(slots=True)
class Record:
    """One FICHE, read. `listed_active` is what the file says; `columns` are those of Certification."""

    line: int
    code: str
    digest: str
    columns: dict = field(default_factory=dict)
    listed_active: bool = True
    blocks: list[tuple[str, str, str, str]] = field(default_factory=list)
    outcomes: list[tuple[int, ...]] = field(default_factory=list)
    habilitations: list[tuple[str, str, str, bool, date | None]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    encoding: str = "",
) -> Report:
    """Imports one export (.xml, gzip or zip). Unusable: nothing was written."""
    return report.run(
        ImportRun.Kind.CERTIFICATIONS,
        file,
        lambda source, result: work(source, result, at=at),
        at=at,
        dry_run=dry_run,
        progress=progress,
        encoding=encoding,
    )


def work(source: Source, result: Report, *, at: datetime) -> None:
    """What `run` does, inside its transaction."""
    day = day_of(source, at)
    seen: dict[str, int] = {}
    links: set[tuple[str, str]] = set()
    fiches = reading.xml_records(source, root="FICHES", record="FICHE")
    written: list[str] = []
    for lot in loading.lots(_identified(fiches, result, seen, links), weight=lambda item: len(item[1])):
        written += _write(lot, result, at=at, day=day)
    _write_successions(links, read=seen.keys())
    # Once the links are there: a certification is found by the names of the one it replaces.
    renamed = words.reindex(written)
    today = workdays.paris_day(at)
    indexing.reindex_of(certification__in=renamed, on=today)
    if result.created or result.updated:
        indexing.refresh(on=today)
        loading.refresh_statistics(Certification, CertificationBlock, Habilitation, Succession)
        words.refresh()


def day_of(source: Source, at: datetime) -> date:
    """The day the file speaks of: the one in its name, as France compétences writes it, else today."""
    if found := FILE_DAY.search(source.name):
        try:
            return date.fromisoformat(found[1])
        except ValueError:
            pass
    return workdays.paris_day(at)


def _identified(
    fiches: Iterable, result: Report, seen: dict[str, int], links: set[tuple[str, str]]
) -> Iterator[tuple[Record, bytes]]:
    """Each record with a number of its own, and its bytes, to be looked into if they are new."""
    for fiche in fiches:
        result.read += 1
        line = reading.line_of(fiche)
        written = values.line(fiche.findtext("NUMERO_FICHE"))
        if not written:
            result.refuse(line, _("fiche sans numéro"), _("NUMERO_FICHE manque."))
            continue
        if not CODE.fullmatch(written):
            result.refuse(
                line,
                values.short(written),
                _("le numéro n'est d'aucun répertoire connu (on attend RNCP ou RS, puis des chiffres)."),
            )
            continue
        if written in seen:
            result.refuse(
                line,
                written,
                _("la fiche est déjà dans le fichier, ligne %(line)d.") % {"line": seen[written]},
            )
            continue
        seen[written] = line
        links.update((written, code) for code in _codes(fiche, "NOUVELLE", written))
        links.update((code, written) for code in _codes(fiche, "ANCIENNE", written))
        content = etree.tostring(fiche, encoding="utf-8", with_tail=False)
        yield Record(line, written, sha256(SHAPE + content).hexdigest()), content


def _codes(fiche, which: str, own: str) -> Iterator[str]:
    """Codes of the records that this one replaces, or that replace it."""
    group = fiche.find(f"{which}S_CERTIFICATIONS")
    for element in group.iter(f"ID_FICHE_{which}_CERTIFICATION") if group is not None else ():
        code = values.line(element.text)
        if CODE.fullmatch(code) and code != own:
            yield code


def _write(lot: list[tuple[Record, bytes]], result: Report, *, at: datetime, day: date) -> list[str]:
    """The codes of the records that were new or changed."""
    known = {
        code: (digest, withdrawn)
        for code, digest, withdrawn in Certification.objects.filter(
            code__in=[record.code for record, _content in lot]
        ).values_list("code", "digest", "withdrawn")
    }
    changed = []
    for record, content in lot:
        if record.code in known and known[record.code][0] == record.digest:
            result.unchanged += 1
        elif faults := _look_into(record, content):
            result.refuse(record.line, record.code, *faults)
        else:
            changed.append(record)
            if record.code in known:
                result.updated += 1
            else:
                result.created += 1
            if record.remarks:
                result.remark(record.line, record.code, *record.remarks)
    if not changed:
        return []
    for record in changed:
        was_withdrawn = known.get(record.code, ("", False))[1]
        record.columns |= {
            "withdrawn": _is_withdrawn(record, day=day, was_withdrawn=was_withdrawn),
            "source": Certification.Source.XML,
            "digest": record.digest,
            "imported_at": at,
        }
    codes = [record.code for record in changed]
    # Rows that hang on a record are replaced with it: no other row points to them.
    with connection.cursor() as cursor:
        for model in (CertificationBlock, CertificationOutcome, Habilitation):
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE certification_id = ANY(%s)", [codes])  # noqa: S608 - our own table names
    loading.upsert(
        Certification,
        CERTIFICATION_COLUMNS,
        ([record.columns[name] for name in CERTIFICATION_COLUMNS] for record in changed),
        key="code",
    )
    loading.insert(
        CertificationBlock,
        ("certification_id", "code", "title", "abilities", "assessment"),
        ((record.code, *block) for record in changed for block in record.blocks),
    )
    loading.insert(
        CertificationOutcome,
        (
            *("certification_id", "year", "certified", "certified_by_vae", "employed_percent"),
            *("in_the_job_percent", "in_the_job_later_percent"),
        ),
        ((record.code, *outcome) for record in changed for outcome in record.outcomes),
    )
    loading.insert(
        Habilitation,
        ("certification_id", "siret", "name", "role", "is_active", "active_from"),
        ((record.code, *habilitation) for record in changed for habilitation in record.habilitations),
    )
    return codes


def _is_withdrawn(record: Record, *, day: date, was_withdrawn: bool) -> bool:
    """Struck off before its end: inactive in the file while its date is still to come on the file's day.

    Once its date is past the file no longer tells an early end from an ordinary one: what we knew stays.
    """
    if record.listed_active:
        return False
    ends = record.columns["registered_until"]
    return was_withdrawn or ends is None or ends >= day


def _look_into(record: Record, content: bytes) -> list[str]:
    """Fills the record; the faults that keep it out, in the order of the file."""
    fiche = etree.fromstring(content, etree.XMLParser(resolve_entities="internal", no_network=True))
    texts: dict[str, str] = {}
    groups: dict[str, etree._Element] = {}
    for child in fiche:
        if len(child):
            groups[child.tag] = child
        else:
            texts[child.tag] = child.text or ""
    faults: list[str] = []
    register, number = CODE.fullmatch(record.code).groups()
    title = values.line(texts.get("INTITULE"))
    if not title:
        faults.append(_("INTITULE manque."))

    def day_of(tag: str) -> date | None:
        try:
            return values.french_date(texts.get(tag))
        except Wrong as wrong:
            faults.append(f"{tag} : {wrong}")
            return None

    effective_on, decided_on = day_of("DATE_EFFET"), day_of("DATE_DECISION")
    registered_until, delivered_until = day_of("DATE_FIN_ENREGISTREMENT"), day_of("DATE_LIMITE_DELIVRANCE")
    if effective_on and registered_until and registered_until < effective_on:
        faults.append(_("la date de fin d'enregistrement précède la date d'effet."))
    listed = values.line(texts.get("ACTIF")).lower()
    if listed not in {"oui", "non"}:
        faults.append(_("ACTIF : « %(text)s » n'est ni Oui ni Non.") % {"text": values.short(listed)})
    record.listed_active = listed == "oui"
    abbreviation = groups.get("ABREGE")
    rome = list(_coded(groups.get("CODES_ROME"), "ROME", 5))
    record.columns = {
        "code": record.code,
        "register": register,
        "number": int(number),
        "title": title,
        "short_code": _text_in(abbreviation, "CODE")[:40],
        "short_title": _text_in(abbreviation, "LIBELLE")[:255],
        "level": _level(groups.get("NOMENCLATURE_EUROPE"), faults),
        "publication_state": values.line(texts.get("ETAT_FICHE"))[:60],
        "effective_on": effective_on,
        "decided_on": decided_on,
        "registered_until": registered_until,
        "delivered_until": delivered_until,
        "activities": _prose(texts.get("ACTIVITES_VISEES")),
        "abilities": _prose(texts.get("CAPACITES_ATTESTEES")),
        "jobs": _prose(texts.get("TYPE_EMPLOI_ACCESSIBLES")),
        "prerequisites": _prose(texts.get("PREREQUIS_ENTREE_FORMATION")),
        "goals": _prose(texts.get("OBJECTIFS_CONTEXTE")),
        "sectors": _prose(texts.get("SECTEURS_ACTIVITE")),
        "ways": [way for way in Certification.Way.values if _is_open(groups.get(f"SI_JURY_{way}"))],
        "nsf_codes": [code for code, _label in _coded(groups.get("CODES_NSF"), "NSF", 5)],
        "rome_codes": [code for code, _label in rome],
        "formacodes": [code for code, _label in _coded(groups.get("FORMACODES"), "FORMACODE", 5)],
        "rome_labels": [label[:255] for _code, label in rome],
    }
    _read_blocks(record, groups.get("BLOCS_COMPETENCES"))
    _read_outcomes(record, groups.get("STATISTIQUES_PROMOTIONS"))
    _read_habilitations(record, groups, faults)
    return faults


def _is_open(jury) -> bool:
    return _text_in(jury, "ACTIF").lower() == "oui"


def _text_in(element, tag: str) -> str:
    return "" if element is None else values.line(element.findtext(tag))


def _prose(text: str | None) -> str:
    """Text of several lines, blanks at the ends dropped."""
    return "\n".join(line.rstrip() for line in (text or "").strip().splitlines())


def _level(element, faults: list[str]) -> int | None:
    written = _text_in(element, "NIVEAU")
    if not written:
        return None
    if found := re.fullmatch(r"NIV([1-8])", written):
        return int(found[1])
    faults.append(
        _("NIVEAU : « %(text)s » n'est pas un niveau (NIV1 à NIV8).") % {"text": values.short(written)}
    )
    return None


def _coded(group, tag: str, size: int) -> Iterator[tuple[str, str]]:
    """(code, label) of each entry of a group, once each; entries without a code are left out."""
    seen = set()
    for element in group.iterchildren(tag) if group is not None else ():
        code = _text_in(element, "CODE")
        if code and len(code) <= size and code not in seen:
            seen.add(code)
            yield code, _text_in(element, "LIBELLE")


def _read_blocks(record: Record, group) -> None:
    seen = set()
    for element in group.iterchildren("BLOC_COMPETENCES") if group is not None else ():
        code, title = _text_in(element, "CODE"), _text_in(element, "LIBELLE")
        if not code and not title:
            continue
        # RNCP40344BC01: a block of another record would be written twice.
        if not (code.startswith(record.code) and BLOCK.fullmatch(code, len(record.code))):
            record.remarks.append(
                _("bloc « %(code)s » laissé de côté : ce n'est pas un code de bloc de cette fiche.")
                % {"code": values.short(code)}
            )
        elif code not in seen:
            seen.add(code)
            abilities, assessment = (
                _prose(element.findtext(tag)) for tag in ("LISTE_COMPETENCES", "MODALITES_EVALUATION")
            )
            record.blocks.append((code, title, abilities, assessment))


def _read_outcomes(record: Record, group) -> None:
    """What became of each year's people; a year told twice, or badly, is left out with a remark."""
    seen = set()
    for element in _children(group, "STATISTIQUES_PROMOTION"):
        texts = _texts(element)
        try:
            year = values.whole(texts.get("ANNEE", ""), maximum=values.MAX_YEAR)
            if year < values.MIN_YEAR:
                raise Wrong(_("« %(text)s » n'est pas une année.") % {"text": year})
            numbers = [
                values.whole(texts[tag], maximum=MAX_PEOPLE if tag.startswith("NOMBRE") else 100)
                if texts.get(tag)
                else None
                for tag in OUTCOMES
            ]
        except Wrong as wrong:
            record.remarks.append(_("devenir des certifiés laissé de côté : %(wrong)s") % {"wrong": wrong})
            continue
        if year not in seen:
            seen.add(year)
            record.outcomes.append((year, *numbers))


def _read_habilitations(record: Record, groups: dict, faults: list[str]) -> None:
    """Certifiers and partners. Without a SIRET that exists they are kept for show, and entitle nobody."""
    seen: dict[tuple[str, str], int] = {}
    for element in _children(groups.get("CERTIFICATEURS"), "CERTIFICATEUR"):
        texts = _texts(element)
        _add_habilitation(
            record,
            seen,
            faults,
            who=_("certificateur"),
            siret=texts.get("SIRET_CERTIFICATEUR"),
            name=texts.get("NOM_CERTIFICATEUR", ""),
            role=Habilitation.Role.CERTIFIER,
            state=texts.get("ETAT_CERTIFICATEUR", ""),
            since=None,
        )
    who = _("partenaire")
    for element in _children(groups.get("PARTENAIRES"), "PARTENAIRE"):
        texts = _texts(element)
        role, name = texts.get("HABILITATION_PARTENAIRE", ""), texts.get("NOM_PARTENAIRE", "")
        if role not in PARTNER_ROLES:
            record.remarks.append(
                _("partenaire « %(name)s » laissé de côté : habilitation inconnue « %(role)s ».")
                % {"name": values.short(name), "role": values.short(role)}
            )
            continue
        _add_habilitation(
            record,
            seen,
            faults,
            who=who,
            siret=texts.get("SIRET_PARTENAIRE"),
            name=name,
            role=role,
            state=texts.get("ETAT_HABILITATION", ""),
            since=texts.get("DATE_ACTIF"),
        )


def _texts(element) -> dict[str, str]:
    """What each child says, by its name."""
    return {child.tag: values.line(child.text) for child in element}


def _children(group, tag: str):
    return group.iterchildren(tag) if group is not None else ()


def _add_habilitation(
    record: Record, seen: dict, faults: list[str], *, who, siret, name, role, state, since
) -> None:
    def sentence(text: str, **words) -> str:
        return text % {"who": who, "name": values.short(name), **words}

    try:
        siret = values.siret(siret)
    except Wrong as wrong:
        record.remarks.append(
            sentence(_("%(who)s « %(name)s » : %(wrong)s Il n'habilite personne."), wrong=wrong)
        )
        siret = ""
    try:
        active_from = values.french_date(since)
    except Wrong as wrong:
        faults.append(sentence(_("%(who)s « %(name)s » : %(wrong)s"), wrong=wrong))
        return
    is_active = STATES.get(state.lower())
    if is_active is None:
        record.remarks.append(
            sentence(
                _("%(who)s « %(name)s » : état « %(state)s » inconnu, compté comme inactif."),
                state=values.short(state),
            )
        )
    row = (siret, name[:255], role, bool(is_active), active_from)
    if not siret:
        record.habilitations.append(row)
    elif (siret, role) not in seen:
        seen[siret, role] = len(record.habilitations)
        record.habilitations.append(row)
    else:
        # Written twice: the entry that entitles the longest is the one that counts.
        kept = record.habilitations[seen[siret, role]]
        record.habilitations[seen[siret, role]] = max(kept, row, key=_strength)


def _strength(row: tuple) -> tuple[bool, int]:
    _siret, _name, _role, is_active, active_from = row
    return is_active, -(active_from or date.min).toordinal()


def _write_successions(links: set[tuple[str, str]], *, read: Iterable[str]) -> None:
    """Adds the links of this file; drops those that neither of their records mentions any more.

    A link may be written on either record: it is dropped only when every one of the two that we hold was in
    the file.
    """
    read = set(read)
    stored = set(Succession.objects.order_by("pk").values_list("old_code", "new_code"))
    missing = sorted(links - stored)
    loading.insert(Succession, ("old_code", "new_code"), missing)
    suspects = {link for link in stored - links if read.intersection(link)}
    ends = {code for link in suspects for code in link} - read
    # What only a lesser source knows says nothing against the register (catalog.imports.statements).
    known = Certification.objects.filter(code__in=ends, source=Certification.Source.XML)
    held = set(known.values_list("code", flat=True).order_by("code"))
    gone = [link for link in suspects if not held.intersection(link)]
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {Succession._meta.db_table} USING unnest(%s::text[], %s::text[]) AS gone(o, n)"  # noqa: S608
                " WHERE old_code = o AND new_code = n",
                [[old for old, _new in gone], [new for _old, new in gone]],
            )

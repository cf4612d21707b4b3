"""Training organisations, from the public list of the Labour ministry or a shorter one of the same kind.

Two headers are known: the public list's (« Liste publique des organismes de formation »: lower-case, or
camelCase with dots, its SIRET whole or only the 5-digit NIC) and the networks' (`Siret`,
`numero_declaration_activite`, `Qualiopi`). « Qualiopi : Oui » without kinds counts as training actions only
(docs/decisions.md, 17). Organisations the file does not hold are left alone, and so is a suspension,
which is an admin's word.

An index of LHEO also lists organisations, with their name and their number alone: what it says is kept, the
offers that it only sums up are counted and left out.

The public list also says when each organisation last gave its yearly report, and for which exercise: one that
should have followed and had not by the day the list speaks of (its latest report), or that shows no trainee,
has let its declaration of activity lapse (catalog.reports).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from lxml import etree

import rulebook
from accounts.models import Organisation
from catalog import indexing, reports
from catalog.imports import lheo, loading, reading, report, values
from catalog.imports.reading import Progress, Source, Unusable
from catalog.imports.report import Report
from catalog.imports.values import Wrong
from catalog.models import ImportRun, Provider
from rulebook import Rules, workdays
from ui import french

PLACEHOLDER_NUMBER = "99999999999"  # seen in real files where no number was known
MAX_NAME = 255
QUALIOPI_FIELDS = ("qualiopi_training", "qualiopi_skills_review", "qualiopi_vae", "qualiopi_apprenticeship")
# Our field → the columns that give it, first found first. Names as `_plain` writes them.
COLUMNS = {
    "siret": ("siret", "siretetablissementdeclarant"),
    "siren": ("siren",),
    "name": ("denomination", "raison_sociale"),
    "activity_number": ("numerodeclarationactivite", "numero_declaration_activite"),
    "address": ("adressephysiqueorganismeformation_voie", "adresse"),
    "postal_code": ("adressephysiqueorganismeformation_codepostal",),
    "town_name": ("adressephysiqueorganismeformation_ville",),
    "state": ("etat_administratif",),
    "qualiopi": ("qualiopi",),
    "qualiopi_training": ("certifications_actionsdeformation",),
    "qualiopi_skills_review": ("certifications_bilansdecompetences",),
    "qualiopi_vae": ("certifications_vae",),
    "qualiopi_apprenticeship": ("certifications_actionsdeformationparapprentissage",),
    "last_report_on": ("informationsdeclarees_datedernieredeclaration",),
    "last_exercise_ended_on": ("informationsdeclarees_finexercice",),
    "trainees": ("informationsdeclarees_nbstagiaires",),
    "entrusted_trainees": ("informationsdeclarees_nbstagiairesconfiesparunautreof",),
}
# The same, of an index of LHEO.
SUMMARY = {
    "siret": "SIRET",
    "name": "nom-organisme",
    "legal_name": "raison-sociale",
    "activity_number": "numero-activite",
}
REPORT_FIELDS = ("last_report_on", "last_exercise_ended_on", "activity_lapsed_on", "activity_lapse")
WRITTEN_FIELDS = (
    *QUALIOPI_FIELDS, "activity_number", "address", "postal_code", "town_name", *REPORT_FIELDS
)  # fmt: skip
YES = {"oui", "true", "vrai", "1"}
NO = {"non", "false", "faux", "0", ""}


@dataclass(slots=True)
class Row:
    """One organisation, read. `fields`: what the file says of its Provider."""

    line: int
    siret: str
    name: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What the file writes of one organisation, and what was made of it."""

    line: int
    written: dict[str, str]
    row: Row
    faults: list[str]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """The day a public list speaks of, and the law its reports are judged by."""

    day: date
    rules: Rules


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    encoding: str = "",
) -> Report:
    """Imports one list (.csv, gzip or zip; `;`), or an index of LHEO (XML). Unusable: nothing was written."""
    return report.run(
        ImportRun.Kind.ORGANISATIONS,
        file,
        _work,
        at=at,
        dry_run=dry_run,
        progress=progress,
        encoding=encoding,
    )


def _work(source: Source, result: Report) -> None:
    today = workdays.paris_day(result.started_at)
    if reading.first_line(source).startswith("<"):
        rows = _checked(_summaries(source, result), result)
    else:
        listed_on = _listed_on(source, today=today)
        rows = _rows(source, result, Listed(listed_on, rulebook.on(today)) if listed_on else None)
    renamed: list[UUID] = []
    for lot in loading.lots(rows):
        renamed += _write(lot, result)
    indexing.reindex_of(provider__in=renamed, on=today)
    if result.created or result.updated:
        indexing.refresh(on=today)


def _listed_on(source: Source, *, today: date) -> date | None:
    """The day the list speaks of: its latest report. None: it says nothing of reports. Reads it through."""
    latest: date | None = None
    column: str | None = None
    for _line, cells in reading.csv_rows(replace(source, progress=None, on_doubt=None)):
        if column is None:
            column = _recognise(cells).get("last_report_on")
            if column is None:
                return None
        day = _day(values.line(cells.get(column)))
        # Nobody gives a report of tomorrow: a mistyped year would make everybody late.
        if day and day <= today and (latest is None or day > latest):
            latest = day
    return latest


def _summaries(source: Source, result: Report) -> Iterator[Found]:
    """The `<resume-organisme>` of an index of LHEO."""
    offers = organisations = 0
    for element in reading.xml_records(
        source, root=lheo.INDEX, record=("resume-organisme", "resume-offre"), depth=2
    ):
        name = etree.QName(element)
        if name.namespace not in lheo.NAMESPACES:
            raise Unusable(
                _("Cet index n'est pas de LHEO 2.2 ou 2.3 : son espace de noms est « %(namespace)s ».")
                % {"namespace": values.short(name.namespace or "")},
                line=reading.line_of(element),
            )
        if name.localname == "resume-offre":
            offers += 1
            continue
        organisations += 1
        said = {ours: values.line(element.findtext(f"{{*}}{theirs}")) for ours, theirs in SUMMARY.items()}
        said["name"] = said["name"] or said["legal_name"]
        yield Found(reading.line_of(element), said, *_look_into(reading.line_of(element), said, None))
    if not organisations:
        raise Unusable(_("Le fichier ne contient aucun organisme."))
    if offers:
        result.remark(
            1,
            source.name[:255],
            _("Offres résumées par l'index, laissées de côté : %(count)d. Importez le fichier de chacune.")
            % {"count": offers},
        )


def _rows(source: Source, result: Report, listed: Listed | None) -> Iterator[Row]:
    return _checked(_cells(source, listed), result)


def _cells(source: Source, listed: Listed | None) -> Iterator[Found]:
    columns: dict[str, str] | None = None
    for line, cells in reading.csv_rows(source):
        if columns is None:
            columns = _recognise(cells)
        written = {ours: values.line(cells.get(theirs)) for ours, theirs in columns.items()}
        found = Found(line, written, *_look_into(line, written, listed))
        if "" in cells:
            found.faults.append(_("la ligne a plus de cellules que l'en-tête."))
        yield found
    if columns is None:
        raise Unusable(_("Le fichier ne contient aucun organisme."))


def _checked(each: Iterable[Found], result: Report) -> Iterator[Row]:
    """Those without a fault and not given before; the others are refused."""
    seen: dict[str, int] = {}
    for found in each:
        result.read += 1
        row, faults = found.row, found.faults
        if not faults and row.siret in seen:
            faults.append(
                _("le SIRET %(siret)s est déjà dans le fichier, ligne %(line)d.")
                % {"siret": row.siret, "line": seen[row.siret]}
            )
        subject = values.short(
            found.written.get("name") or found.written.get("siret") or _("organisme sans nom")
        )
        if faults:
            result.refuse(found.line, subject, *faults)
            continue
        seen[row.siret] = found.line
        if found.remarks:
            result.remark(found.line, subject, *found.remarks)
        yield row


def _recognise(header) -> dict[str, str]:
    """Our field → the file's own column."""
    theirs = {_plain(name): name for name in header if name}
    columns = {
        ours: theirs[name] for ours, names in COLUMNS.items() for name in reversed(names) if name in theirs
    }
    missing = [ours for ours in ("siret", "name") if ours not in columns]
    has_qualiopi = "qualiopi" in columns or all(name in columns for name in QUALIOPI_FIELDS[:3])
    if missing or not has_qualiopi:
        raise Unusable(
            _(
                "Les colonnes ne sont pas celles d'une liste d'organismes : il faut un SIRET,"
                " une dénomination et la certification Qualiopi (ou ses catégories)."
            ),
            line=1,
        )
    return columns


def _plain(name: str) -> str:
    """`certifications.actionsDeFormation` → `certifications_actionsdeformation`, accents dropped."""
    folded = unicodedata.normalize("NFKD", name.strip().lower())
    return re.sub(r"[.\s]+", "_", "".join(c for c in folded if not unicodedata.combining(c)))


def _look_into(line: int, written: dict[str, str], listed: Listed | None) -> tuple[Row, list[str], list[str]]:
    """The row, its faults and what is worth a remark."""
    faults: list[str] = []
    remarks: list[str] = []
    row = Row(line=line, siret="", name=inert(written["name"])[:MAX_NAME])
    try:
        row.siret = values.siret(_whole_siret(written))
    except Wrong as wrong:
        faults.append(str(wrong))
    if not row.name:
        faults.append(_("la dénomination manque."))
    if "activity_number" in written:
        row.fields["activity_number"] = _activity_number(written["activity_number"], faults, remarks)
    if "address" in written or "town_name" in written:
        row.fields |= _address(written, remarks)
    row.fields |= _qualiopi(written, faults)
    if listed:
        row.fields |= _yearly_report(written, listed, remarks)
    if written.get("state", "").lower() in {"ferme", "fermé", "fermée"}:
        row.fields |= dict.fromkeys(QUALIOPI_FIELDS, False)
        remarks.append(_("l'établissement est fermé : compté sans Qualiopi."))
    return row, faults, remarks


def _whole_siret(written: dict[str, str]) -> str:
    """The public list may give only the 5 last digits (NIC), beside the SIREN; their zeros may be lost."""
    siret = re.sub(r"\s", "", written["siret"])
    siren = re.sub(r"\s", "", written.get("siren", ""))
    if siren.isdecimal() and siret.isdecimal() and len(siret) <= 5:
        return siren.zfill(9) + siret.zfill(5)
    return siret


def _activity_number(text: str, faults: list[str], remarks: list[str]) -> str:
    """11 digits, or nothing: a declaration number has no check digit, so none is guessed."""
    digits = re.sub(r"[\s.]", "", text)
    if digits == PLACEHOLDER_NUMBER:
        faults.append(_("le numéro de déclaration d'activité 99999999999 est un numéro d'attente."))
    elif re.fullmatch(r"\d{11}", digits, re.ASCII):
        return digits
    elif digits:
        remarks.append(
            _("numéro de déclaration d'activité « %(text)s » laissé de côté : il n'a pas 11 chiffres.")
            % {"text": values.short(text)}
        )
    return ""


def _address(written: dict[str, str], remarks: list[str]) -> dict[str, str]:
    """Street, postal code and town; a single column holds all three (« 12 rue X 14100 Lisieux »)."""
    street, postal_code = inert(written.get("address", "")), written.get("postal_code", "")
    town = inert(written.get("town_name", ""))
    if "town_name" not in written and (
        found := re.fullmatch(r"(.*?)\s*\b(\d{5})\s+(\D.*)", street, re.ASCII)
    ):
        street, postal_code, town = found.groups()
    if postal_code and not re.fullmatch(r"\d{5}", postal_code, re.ASCII):
        remarks.append(
            _("code postal « %(text)s » laissé de côté : il n'a pas 5 chiffres.")
            % {"text": values.short(postal_code)}
        )
        postal_code = ""
    return {"address": street[:255], "postal_code": postal_code, "town_name": town[:100]}


def _yearly_report(written: dict[str, str], listed: Listed, remarks: list[str]) -> dict[str, Any]:
    """When the last report was given and for which exercise; the lapse that follows, if one does."""
    found: dict[str, Any] = {name: _day(written.get(name, "")) for name in REPORT_FIELDS[:2]}
    for name in REPORT_FIELDS[:2]:
        if written.get(name) and found[name] is None:
            remarks.append(
                _("« %(text)s » n'est pas une date : le bilan annuel n'est pas jugé.")
                % {"text": values.short(written[name])}
            )
    ended_on = found["last_exercise_ended_on"]
    lapsed_on, cause = None, ""
    if ended_on:
        lapsed_on = reports.missed_on(ended_on, listed_on=listed.day, rules=listed.rules)
        cause = Provider.Lapse.REPORT_MISSING if lapsed_on else ""
        if not lapsed_on and found["last_report_on"] and _is_empty(written):
            lapsed_on, cause = found["last_report_on"], Provider.Lapse.REPORT_EMPTY
    if lapsed_on:
        remarks.append(
            _("déclaration d'activité caduque depuis le %(day)s : %(why)s.")
            % {"day": french.short_day(lapsed_on), "why": Provider.Lapse(cause).label.lower()}
        )
    return found | {"activity_lapsed_on": lapsed_on, "activity_lapse": str(cause)}


def _is_empty(written: dict[str, str]) -> bool:
    """No trainee of its own, none for another: both are written, and both are zero."""
    return all(
        re.fullmatch(r"0+", written.get(name, ""), re.ASCII) for name in ("trainees", "entrusted_trainees")
    )


def _day(text: str) -> date | None:
    """« 2025-06-02 », with or without an hour, or « 02/06/2025 »; None: neither."""
    try:
        if re.match(r"\d{4}-\d{2}-\d{2}(?:$|T)", text, re.ASCII):
            return date.fromisoformat(text[:10])
        return values.french_date(text)
    except (ValueError, Wrong):
        return None


def _qualiopi(written: dict[str, str], faults: list[str]) -> dict[str, bool]:
    def is_yes(name: str) -> bool:
        text = written[name].lower()
        if text not in YES | NO:
            faults.append(
                _("Qualiopi : « %(text)s » n'est ni Oui ni Non.") % {"text": values.short(written[name])}
            )
        return text in YES

    if "qualiopi" not in written:
        return {name: is_yes(name) for name in QUALIOPI_FIELDS if name in written}
    # « Oui » says nothing of the kinds: training actions, and what another list said of the others stays.
    if is_yes("qualiopi"):
        return {"qualiopi_training": True}
    return dict.fromkeys(QUALIOPI_FIELDS, False)


def inert(text: str) -> str:
    """A cell that a spreadsheet would run as a formula loses what makes it one; other names stay whole."""
    if re.match(r"=|[+@-].*[(|!]", text):
        return text.lstrip("=+@- ")
    return text


def _write(lot: list[Row], result: Report) -> list[UUID]:
    """Writes the lot with a number of queries that does not grow with it; the organisations it renamed."""
    organisations = {
        organisation.siret: organisation
        for organisation in Organisation.objects.filter(siret__in=[row.siret for row in lot]).order_by("pk")
    }
    providers = {
        provider.organisation_id: provider
        for provider in Provider.objects.filter(organisation__in=organisations.values()).order_by("pk")
    }
    new_organisations, renamed, new_providers, changed = [], [], [], []
    for row in lot:
        organisation = organisations.get(row.siret)
        if organisation is None:
            organisation = Organisation(siret=row.siret, name=row.name)
            new_organisations.append(organisation)
        is_renamed = organisation.name != row.name
        if is_renamed:
            organisation.name = row.name
            renamed.append(organisation)
        provider = providers.get(organisation.pk)
        if provider is None:
            new_providers.append(Provider(organisation=organisation, **row.fields))
            result.created += 1
            continue
        differing = {name: value for name, value in row.fields.items() if getattr(provider, name) != value}
        for name, value in differing.items():
            setattr(provider, name, value)
        if differing:
            changed.append(provider)
        if differing or is_renamed:
            result.updated += 1
        else:
            result.unchanged += 1
    Organisation.objects.bulk_create(new_organisations)
    Organisation.objects.bulk_update(renamed, ["name"])
    Provider.objects.bulk_create(new_providers)
    Provider.objects.bulk_update(changed, WRITTEN_FIELDS)
    return [organisation.pk for organisation in renamed]

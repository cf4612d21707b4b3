"""The « kit apprentissage »: diploma codes and the RNCP records they lead to (its sheet as CSV, `;`, UTF-8).

One line a diploma code; what it says of the record is on each of its lines. Lines whose record is « NR » lead
to no register: counted, and left out.
"""

import re
from datetime import date, datetime

from django.utils.translation import gettext as _

from catalog.imports import reading, statements, values
from catalog.imports.reading import Source, Unusable
from catalog.imports.report import Report
from catalog.imports.statements import Statement, add
from catalog.imports.values import Wrong
from catalog.models import Certification

RECORD, TITLE, OTHER_TITLE = "FicheRNCP", "Intitulé certification (RNCP)", "Intitulé diplôme (DEPP)"
LEVEL, KIND, STATE = "Niveau fiche RNCP", "Abrégé de diplôme (RNCP)", "Fiche ACTIVE/INACTIVE"
APPRENTICE = "Accès à l'apprentissage de la fiche RNCP (oui/non)"
NEW, OLD = "Nouvelle Certification rempla (RNCP)", "Ancienne Certification (RNCP)"
DATES = {
    "registered_until": "Date d'échéance de la fiche RNCP",
    "decided_on": "Date de décision (enregistrement sur demande)",
    "effective_on": "Date de début des parcours certifiants (enregistrement de droit)",
    "delivered_until": "Date limite de la délivrance",
}
COLUMNS = frozenset({RECORD, TITLE, OTHER_TITLE, LEVEL, KIND, STATE, NEW, OLD, *DATES.values()})
NONE = {"", "NR"}


def read(source: Source, result: Report, *, at: datetime, day: date) -> None:
    """`day`: the day the file speaks of; a record that is inactive before its end is struck off."""
    found: dict[str, Statement] = {}
    without = 0
    for line, cells in reading.csv_rows(source):
        if not result.read and not cells.keys() >= COLUMNS:
            raise Unusable(_("Les colonnes ne sont pas celles du kit apprentissage."), line=1)
        result.read += 1
        row = {name: values.line(text) for name, text in cells.items()}
        if row.get(RECORD, "") in NONE:
            without += 1
            continue
        if faults := _take(line, row, found, day=day):
            result.refuse(line, values.short(row.get(RECORD, "")), *faults)
    if not result.read:
        raise Unusable(_("Le fichier ne contient aucune certification."))
    if without:
        result.remark(
            1,
            source.name[:255],
            _("Lignes sans fiche RNCP (« NR »), laissées de côté : %(count)d.") % {"count": without},
        )
    statements.write(Certification.Source.KIT, list(found.values()), result, at=at)


def _take(line: int, row: dict[str, str], found: dict[str, Statement], *, day: date) -> list[str]:
    """Adds the line to what its record says already; its faults, and then nothing is added."""
    faults: list[str] = []
    if "" in row:
        faults.append(_("la ligne a plus de cellules que l'en-tête."))
    code = row[RECORD]
    if not re.fullmatch(r"RNCP\d{1,7}", code, re.ASCII):
        faults.append(_("le numéro n'est pas celui d'une fiche RNCP."))
    dates: dict[str, date | None] = {}
    for name, column in DATES.items():
        try:
            dates[name] = values.french_date(row.get(column))
        except Wrong as wrong:
            faults.append(f"{column} : {wrong}")
    state = row.get(STATE, "").upper()
    if state not in {"ACTIVE", "INACTIVE"}:
        faults.append(
            _("%(column)s : « %(text)s » n'est ni ACTIVE ni INACTIVE.")
            % {"column": STATE, "text": values.short(state)}
        )
    level = re.fullmatch(r"Niveau ([1-8])", row.get(LEVEL, ""))
    if not level and row.get(LEVEL):
        faults.append(
            _("niveau : « %(text)s » n'est pas de 1 à 8.") % {"text": values.short(row.get(LEVEL, ""))}
        )
    kind = row.get(KIND, "")
    title = bare_title(row.get(TITLE, ""), kind)[: statements.MAX_TITLE]
    if not title:
        faults.append(_("l'intitulé manque."))
    if faults:
        return faults
    if code not in found:
        ends = dates["registered_until"]
        found[code] = Statement(
            line=line,
            code=code,
            title=title,
            short_code=kind[:40],
            level=int(level[1]) if level else None,
            withdrawn=state == "INACTIVE" and (ends is None or ends >= day),
            ways=["CA"] if row.get(APPRENTICE, "").lower() == "oui" else [],
            **dates,
        )
    statement = found[code]
    add(statement.titles, title, _calmed(re.sub(r"\s*\([^()]*\)$", "", row.get(OTHER_TITLE, ""))))
    add(statement.replaced_by, *_codes(row.get(NEW, "")))
    add(statement.replaces, *_codes(row.get(OLD, "")))
    return []


def bare_title(title: str, kind: str) -> str:
    """« TP - TP Gestionnaire de paie », a TP → « Gestionnaire de paie »."""
    if not kind:
        return title
    bare = title.removeprefix(f"{kind} - ")
    if bare != title and bare.lower().startswith(f"{kind.lower()} "):
        bare = bare[len(kind) + 1 :].strip()
    return bare[:1].upper() + bare[1:] if bare else title


def _calmed(title: str) -> str:
    """Capitals without accents, as the code list has them, made a sentence: it is never shown, only found."""
    return title.capitalize()[: statements.MAX_TITLE] if title not in NONE else ""


def _codes(text: str) -> list[str]:
    return [code for code in re.split(r"[|,;\s]+", text) if re.fullmatch(r"RNCP\d{1,7}", code, re.ASCII)]

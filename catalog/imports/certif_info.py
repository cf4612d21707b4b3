"""Certif Info: the certifications as the network of Carif-Oref describes them (CSV `;` in UTF-8).

Several lines may bear one number (a national record and its local titles). Lines without a number of the
registers are diplomas that no training account pays for: counted, and left out. It gives no end of
registration; its last session is a last delivery.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime

from django.utils.translation import gettext as _

from catalog.imports import reading, statements, values
from catalog.imports.reading import Source, Unusable
from catalog.imports.report import Report
from catalog.imports.statements import Statement, add
from catalog.imports.values import Wrong
from catalog.models import Certification, CertificationStatement

COLUMNS = {
    "Code_Diplome", "Libelle_Diplome", "Libelle_Type_Diplome", "Code_Niveau_Europeen", "Code_FormaCode",
    "Code_Rome_1", "Code_Nsf", "Code_RNCP", "Code_RS", "Annee_Derniere_Session", "Code_Ancien_RNCP",
}  # fmt: skip
ROME_COLUMNS = tuple(f"Code_Rome_{n}" for n in range(1, 6))
WAYS = {
    "accessibilite_fi": Certification.Way.STUDENT,
    "accessibilite_ca": Certification.Way.APPRENTICE,
    "accessibilite_fc": Certification.Way.ADULT,
    "accessibilite_cp": Certification.Way.WORK_STUDY,
    "accessibilite_ind": Certification.Way.ALONE,
    "accessibilite_vae": Certification.Way.VAE,
}
# What is no diploma, but the reason why a title stands here.
NO_KIND = ("habilitation", "autre titre")
MAX_TITLES = 40
CODE_SIZE = 10  # as the LHEO reads it (handbook §4)


def meant_by(numbers: Iterable[str], *, on: date) -> dict[str, list[str]]:
    """The codes of the registers that each of these Certif Info numbers names, the active one where there are
    several: it keeps the number of a certification that another replaces.
    """
    named: dict[str, list[str]] = {number: [] for number in numbers}
    said = CertificationStatement.objects.filter(
        source=Certification.Source.CERTIF_INFO, facts__certif_info__has_any_keys=list(named)
    )
    for code, facts in said.order_by("certification_id").values_list("certification_id", "facts"):
        for number in named.keys() & set(facts["certif_info"]):
            named[number].append(code)
    several = {code for codes in named.values() if len(codes) > 1 for code in codes}
    active = set(
        Certification.objects.active_on(on).filter(pk__in=several).order_by("pk").values_list("pk", flat=True)
    )
    return {number: [code for code in codes if code in active] or codes for number, codes in named.items()}


def read(source: Source, result: Report, *, at: datetime) -> None:
    """Reads the whole file, then writes: lines of one number may stand far apart."""
    found: dict[str, Statement] = {}
    without = 0
    for line, cells in reading.csv_rows(source):
        if not result.read and not cells.keys() >= COLUMNS:
            raise Unusable(_("Les colonnes ne sont pas celles de Certif Info."), line=1)
        result.read += 1
        row = {name: values.line(text) for name, text in cells.items()}
        if not (row.get("Code_RNCP") or row.get("Code_RS")):
            without += 1
            continue
        subject = values.short(row.get("Libelle_Diplome") or row.get("Code_Diplome") or _("ligne sans titre"))
        if faults := _take(line, row, found):
            result.refuse(line, subject, *faults)
    if not result.read:
        raise Unusable(_("Le fichier ne contient aucune certification."))
    if without:
        result.remark(
            1,
            source.name[:255],
            _("Lignes sans numéro RNCP ni RS, laissées de côté : %(count)d.") % {"count": without},
        )
    for statement in found.values():
        # One number, several titles: which one is the record's own, this source does not say.
        statement.title = statement.titles[0] if len(statement.titles) == 1 else ""
    statements.write(Certification.Source.CERTIF_INFO, list(found.values()), result, at=at)


def _take(line: int, row: dict[str, str], found: dict[str, Statement]) -> list[str]:
    """Adds the line to what its number says already; its faults, and then nothing is added."""
    faults: list[str] = []
    if "" in row:
        faults.append(_("la ligne a plus de cellules que l'en-tête."))
    code = ""
    for register, column in (("RNCP", "Code_RNCP"), ("RS", "Code_RS")):
        text = row.get(column, "")
        if not text:
            continue
        if not re.fullmatch(r"\d{1,7}", text, re.ASCII):
            faults.append(
                _("%(column)s : « %(text)s » n'est pas un numéro.")
                % {"column": column, "text": values.short(text)}
            )
        code = code or f"{register}{text.lstrip('0')}"
    title = row.get("Libelle_Diplome", "")[: statements.MAX_TITLE]
    if not title:
        faults.append(_("l'intitulé manque."))
    level = row.get("Code_Niveau_Europeen", "")
    if level and not re.fullmatch("[1-8]", level):
        faults.append(_("niveau : « %(text)s » n'est pas de 1 à 8.") % {"text": values.short(level)})
    last = None
    try:
        if year := row.get("Annee_Derniere_Session", ""):
            last = date(values.whole(year, maximum=values.MAX_YEAR) or 1, 12, 31)
    except Wrong as wrong:
        faults.append(f"Annee_Derniere_Session : {wrong}")
    if faults:
        return faults
    statement = found.setdefault(code, Statement(line=line, code=code))
    if len(statement.titles) < MAX_TITLES:
        add(statement.titles, title)
    add(statement.certif_info, *(text for text in [row["Code_Diplome"]] if len(text) <= CODE_SIZE))
    kind = row.get("Libelle_Type_Diplome", "")
    if not kind.lower().startswith(NO_KIND):
        statement.short_title = statement.short_title or kind[:255]
    statement.level = statement.level or (int(level) if level else None)
    # The number ends with the last of its lines; a line without a last session has none yet.
    if statement.line == line:
        statement.delivered_until = last
    elif statement.delivered_until:
        statement.delivered_until = max(statement.delivered_until, last) if last else None
    add(statement.rome_codes, *(text for name in ROME_COLUMNS if len(text := row.get(name, "")) == 5))
    add(statement.formacodes, *(text for text in [row["Code_FormaCode"]] if len(text) == 5))
    add(statement.nsf_codes, *(text for text in [row["Code_Nsf"]] if len(text) <= 5))
    add(statement.ways, *(way for column, way in WAYS.items() if row.get(column) == "1"))
    old = row.get("Code_Ancien_RNCP", "")
    if re.fullmatch(r"\d{1,7}", old, re.ASCII) and code != f"RNCP{old}":
        add(statement.replaces, f"RNCP{old}")
    return []

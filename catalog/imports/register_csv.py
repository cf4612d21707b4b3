"""France compétences' registers as CSV: a zip of ten files, each keyed by `Numero_Fiche` (`;`, UTF-8).

Lighter than the XML and poorer: no texts, no state of the entitlements (it lists those in force), no outcome.
The collective agreements are left out: nothing here depends on them.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime

from django.utils.translation import gettext as _

from catalog.geography import name_key
from catalog.imports import reading, statements, values
from catalog.imports.reading import Source, Unusable
from catalog.imports.report import Report
from catalog.imports.statements import Statement, add
from catalog.imports.values import Wrong
from catalog.models import Certification, Habilitation

CODE = re.compile(r"(RNCP|RS)(\d{1,7})", re.ASCII)
# Which file of the archive is which, by a part of its name; its columns beside Numero_Fiche.
PARTS = {
    "standard": ("Intitule", "Date_Fin_Enregistrement", "Actif"),
    "blocs": ("Bloc_Competences_Code", "Bloc_Competences_Libelle"),
    "certificateurs": ("Siret_Certificateur", "Nom_Certificateur"),
    "formacode": ("Formacode_Code",),
    "nsf": ("Nsf_Code",),
    "partenaires": ("Nom_Partenaire", "Siret_Partenaire", "Habilitation_Partenaire"),
    "rome": ("Codes_Rome_Code", "Codes_Rome_Libelle"),
    "voi": ("Si_Jury",),
    "ancienne": ("Ancienne_Certification", "Nouvelle_Certification"),
}
WAYS = {
    "apres un parcours de formation sous statut d eleve ou d etudiant": Certification.Way.STUDENT,
    "en contrat d apprentissage": Certification.Way.APPRENTICE,
    "apres un parcours de formation continue": Certification.Way.ADULT,
    "en contrat de professionnalisation": Certification.Way.WORK_STUDY,
    "par candidature individuelle": Certification.Way.ALONE,
    "par experience": Certification.Way.VAE,
}
ROLES = {role.value for role in Habilitation.Role if role != Habilitation.Role.CERTIFIER}


def is_archive(names: list[str]) -> bool:
    return any("standard" in name.lower() for name in names)


def read(source: Source, result: Report, *, at: datetime, day: date) -> None:
    """Reads all the parts, then writes. `day`: the day the file speaks of."""
    parts = _parts(reading.members(source))
    found: dict[str, Statement] = {}
    for line, row in _rows(source, parts, "standard"):
        result.read += 1
        code = row["Numero_Fiche"]
        if faults := _take(line, row, found, day=day):
            result.refuse(line, values.short(code) or _("fiche sans numéro"), *faults)
    if not result.read:
        raise Unusable(_("Le fichier ne contient aucune certification."))
    for part, add_row in ADDERS.items():
        if part in parts:
            for line, row in _rows(source, parts, part):
                # A record that was refused, or that this archive does not hold, takes its rows with it.
                if (statement := found.get(row["Numero_Fiche"])) and (said := add_row(statement, row)):
                    result.remark(line, f"{statement.code} ({part})", said)
    statements.write(Certification.Source.CSV, list(found.values()), result, at=at)


def _parts(names: list[str]) -> dict[str, str]:
    """Part → the file of the archive that holds it."""
    parts: dict[str, str] = {}
    for name in names:
        plain = name_key(re.sub(r"[_.]", " ", name.rsplit("/", 1)[-1]))
        for part in PARTS:
            if re.search(rf"\b{part}", plain):
                parts.setdefault(part, name)
                break
    return parts


def _rows(source: Source, parts: dict[str, str], part: str) -> Iterator[tuple[int, dict[str, str]]]:
    wanted = {"Numero_Fiche", *PARTS[part]}
    for line, cells in reading.csv_rows(source, member=parts[part]):
        if not cells.keys() >= wanted:
            missing = sorted(wanted - cells.keys())
            raise Unusable(
                _("« %(file)s » : la ligne n'a pas la colonne %(column)s.")
                % {"file": parts[part].rsplit("/", 1)[-1], "column": missing[0]},
                line=line,
            )
        yield line, {name: values.line(text) for name, text in cells.items()}


def _take(line: int, row: dict[str, str], found: dict[str, Statement], *, day: date) -> list[str]:
    faults: list[str] = []
    if "" in row:
        faults.append(_("la ligne a plus de cellules que l'en-tête."))
    code = row["Numero_Fiche"]
    if not CODE.fullmatch(code):
        faults.append(
            _("le numéro n'est d'aucun répertoire connu (on attend RNCP ou RS, puis des chiffres).")
        )
    elif code in found:
        faults.append(_("la fiche est déjà dans le fichier, ligne %(line)d.") % {"line": found[code].line})
    title = row["Intitule"]
    if not title:
        faults.append(_("l'intitulé manque."))
    dates: dict[str, date | None] = {}
    for name, column in (
        ("decided_on", "Date_Decision"),
        ("registered_until", "Date_Fin_Enregistrement"),
        ("effective_on", "Date_Effet"),
    ):
        try:
            dates[name] = values.french_date(row.get(column))
        except Wrong as wrong:
            faults.append(f"{column} : {wrong}")
    effective_on, ends = dates.get("effective_on"), dates.get("registered_until")
    if effective_on and ends and ends < effective_on:
        faults.append(_("la date de fin d'enregistrement précède la date d'effet."))
    state = row["Actif"].upper()
    if state not in {"ACTIVE", "INACTIVE"}:
        faults.append(
            _("%(column)s : « %(text)s » n'est ni ACTIVE ni INACTIVE.")
            % {"column": "Actif", "text": values.short(row["Actif"])}
        )
    if faults:
        return faults
    # Old records have no level any more (« REPRISE »): none is kept.
    level = re.fullmatch(r"NIV([1-8])", row.get("Nomenclature_Europe_Niveau", ""))
    found[code] = Statement(
        line=line,
        code=code,
        title=title,
        titles=[title],
        short_code=row.get("Abrege_Libelle", "")[:40],
        short_title=row.get("Abrege_Intitule", "")[:255],
        level=int(level[1]) if level else None,
        withdrawn=state == "INACTIVE" and (ends is None or ends >= day),
        **dates,
    )
    return []


def _add_block(statement: Statement, row: dict[str, str]) -> str:
    code, title = row["Bloc_Competences_Code"], row["Bloc_Competences_Libelle"]
    if not re.fullmatch(rf"{statement.code}BC\d{{1,4}}", code, re.ASCII):
        return _("bloc « %(code)s » laissé de côté : ce n'est pas un code de bloc de cette fiche.") % {
            "code": values.short(code)
        }
    if code not in {known for known, _title in statement.blocks}:
        statement.blocks.append([code, title])
    return ""


def _add_certifier(statement: Statement, row: dict[str, str]) -> str:
    return _add_habilitation(
        statement, row["Siret_Certificateur"], row["Nom_Certificateur"], Habilitation.Role.CERTIFIER.value
    )


def _add_partner(statement: Statement, row: dict[str, str]) -> str:
    role, name = row["Habilitation_Partenaire"], row["Nom_Partenaire"]
    if role not in ROLES:
        return _("partenaire « %(name)s » laissé de côté : habilitation inconnue « %(role)s ».") % {
            "name": values.short(name),
            "role": values.short(role),
        }
    return _add_habilitation(statement, row["Siret_Partenaire"], name, role)


def _add_habilitation(statement: Statement, siret: str, name: str, role: str) -> str:
    said = ""
    try:
        siret = values.siret(siret)
    except Wrong as wrong:
        siret = ""
        said = _("« %(name)s » : %(wrong)s Il n'habilite personne.") % {
            "name": values.short(name),
            "wrong": wrong,
        }
    if not siret or (siret, role) not in {(entry[0], entry[2]) for entry in statement.habilitations}:
        statement.habilitations.append([siret, name[:255], role, True])
    return said


def _add_formacode(statement: Statement, row: dict[str, str]) -> None:
    add(statement.formacodes, row["Formacode_Code"][:5])


def _add_nsf(statement: Statement, row: dict[str, str]) -> None:
    add(statement.nsf_codes, row["Nsf_Code"][:5])


def _add_rome(statement: Statement, row: dict[str, str]) -> None:
    add(statement.rome_codes, row["Codes_Rome_Code"][:5])
    # The export writes its apostrophes twice.
    add(statement.rome_labels, row["Codes_Rome_Libelle"].replace("''", "'")[:255])


def _add_way(statement: Statement, row: dict[str, str]) -> str:
    way = WAYS.get(name_key(row["Si_Jury"]))
    if way is None:
        return _("voie d'accès « %(text)s » inconnue.") % {"text": values.short(row["Si_Jury"])}
    add(statement.ways, way.value)
    return ""


def _add_link(statement: Statement, row: dict[str, str]) -> None:
    for column, codes in (
        ("Ancienne_Certification", statement.replaces),
        ("Nouvelle_Certification", statement.replaced_by),
    ):
        if CODE.fullmatch(row[column]) and row[column] != statement.code:
            add(codes, row[column])


ADDERS = {
    "blocs": _add_block,
    "certificateurs": _add_certifier,
    "formacode": _add_formacode,
    "nsf": _add_nsf,
    "partenaires": _add_partner,
    "rome": _add_rome,
    "voi": _add_way,
    "ancienne": _add_link,
}

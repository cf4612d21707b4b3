"""Of each line of a history: who said what it was computed from, and the text it follows.

The sum itself is written with the movement (`Movement.formula`). Its source and its rule are found again
here, from its key and its pocket, for a whole page of lines at once: five queries, however many lines.
"""

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from django.utils.translation import gettext as _

import rulebook
from accounts.models import HolderProfile, Organisation
from rights.crediting import EMPLOYEES, PUBLIC, SELF_EMPLOYED, quantity
from rights.kinds import DeclarationKind, Measure, MovementKind, Origin, PocketKind, Unit, WorkStatus
from rights.models import Declaration, YearlyCredit, YearlyStatement
from ui import french

YEARLY = re.compile(r"annual:(?P<year>\d{4}):[0-9a-f-]{36}:(?P<version>\d{1,5}):(?P<part>[a-z-]+)")
"""The keys that rights.crediting_year writes."""
OPENING = "import:"
"""The keys that rights.imports writes."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is asked about: one movement that gave rights, or took them back."""

    id: int
    key: str
    kind: str
    pocket_kind: str
    unit: str
    origin: str
    value_date: datetime.date
    has_author: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One text: what it sets, where it is written, since when it holds."""

    label: str
    text: str
    since: datetime.date


@dataclass(frozen=True, slots=True)
class Explanation:
    sources: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


def explain(lines: Iterable[Told], *, holder: HolderProfile) -> dict[int, Explanation]:
    """Movement → its explanation. Kinds that nothing computes (a reservation) have none."""
    lines = [line for line in lines if line.kind in EXPLAINED]
    yearly = {line.id: found for line in lines if (found := _year_and_version(line.key))}
    credits = _credits(holder, set(yearly.values()))
    statements = _statements(credits.values())
    declarations = _declarations(credits.values())
    names = _names(statements.values())

    said = {}
    wanted: dict[int, list[tuple[str, datetime.date]]] = {}
    for line in lines:
        credit = credits.get(yearly.get(line.id, (0, 0)))
        if credit is None:
            said[line.id] = [_who(line)]
            wanted[line.id] = [(name, line.value_date) for name in _names_of_award(line)]
            continue
        of_year = [statements[each] for each in credit.statement_ids if each in statements]
        declared = [declarations[each] for each in credit.declaration_ids if each in declarations]
        said[line.id] = [_statement_in_words(each, names) for each in of_year] + [
            _declaration_in_words(each) for each in declared
        ]
        day = datetime.date(credit.year, 12, 31)
        wanted[line.id] = [(name, day) for name in _names_of_year(line, of_year, declared)]
    references = rulebook.references({place for places in wanted.values() for place in places})
    return {
        line.id: Explanation(
            sources=said[line.id],
            rules=[_rule(references[place]) for place in wanted[line.id] if place in references],
        )
        for line in lines
    }


EXPLAINED = (
    MovementKind.CREDIT,
    MovementKind.GRANT,
    MovementKind.CONVERSION_IN,
    MovementKind.REVERSAL,
    MovementKind.ADJUST_UP,
    MovementKind.ADJUST_DOWN,
)


def _year_and_version(key: str) -> tuple[int, int] | None:
    found = YEARLY.fullmatch(key)
    return (int(found["year"]), int(found["version"])) if found else None


def _credits(holder: HolderProfile, places: set[tuple[int, int]]) -> dict[tuple[int, int], YearlyCredit]:
    if not places:
        return {}
    rows = YearlyCredit.objects.filter(holder=holder, year__in={year for year, _version in places})
    return {(row.year, row.version): row for row in rows}


def _statements(credits: Iterable[YearlyCredit]) -> dict[int, YearlyStatement]:
    return YearlyStatement.objects.in_bulk({each for credit in credits for each in credit.statement_ids})


def _declarations(credits: Iterable[YearlyCredit]) -> dict[int, Declaration]:
    return Declaration.objects.in_bulk({each for credit in credits for each in credit.declaration_ids})


def _names(statements: Iterable[YearlyStatement]) -> dict[str, str]:
    """SIRET → the name of that organisation, where we know it."""
    sirets = {statement.employer_siret for statement in statements if statement.employer_siret}
    return dict(Organisation.objects.filter(siret__in=sirets).values_list("siret", "name")) if sirets else {}


# --- Sources ----------------------------------------------------------------------------------------


def _statement_in_words(statement: YearlyStatement, names: dict[str, str]) -> str:
    """« Déclaration de 123 456 789 00012 (Atelier Nord), reçue le 3 juin 2026 : salarié du privé, 800 h. »"""
    siret = statement.employer_siret
    who = french.siret(siret)
    if name := names.get(siret):
        who = f"{name} ({who})"
    about = str(statement.get_status_display())
    if statement.worked is not None:
        about = f"{about}, {quantity(Fraction(statement.worked), Measure(statement.measure))}"
    words = {
        "who": who,
        "day": french.short_day(statement.imported_at),
        "about": about,
        "from": french.short_day(statement.starts_on),
        "until": french.short_day(statement.ends_on),
    }
    if siret:
        told = _("Déclaration de %(who)s, reçue le %(day)s : %(about)s, du %(from)s au %(until)s.") % words
    else:
        told = (
            _("Déclaration sans établissement, reçue le %(day)s : %(about)s, du %(from)s au %(until)s.")
            % words
        )
    file, _colon, line = statement.source.rpartition(":")
    if not file:
        return told
    place = _("Fichier %(file)s, ligne %(line)s.") % {"file": file, "line": line}
    return f"{told} {place}"


def _declaration_in_words(declaration: Declaration) -> str:
    return _("Votre déclaration « %(kind)s » du %(day)s, confirmée.") % {
        "kind": declaration.get_kind_display(),
        "day": french.short_day(declaration.declared_at),
    }


def _who(line: Told) -> str:
    if line.kind in (MovementKind.ADJUST_UP, MovementKind.ADJUST_DOWN):
        return _("Décidé par deux personnes de l’administration du portail.")
    if line.kind == MovementKind.GRANT:
        return _("Versé par le financeur, depuis ce qu’il a confié au portail.")
    if line.key.startswith(OPENING):
        return _("Repris d’un fichier, à l’ouverture de votre compte.")
    return _("Inscrit par l’administration du portail.") if line.has_author else _("Inscrit par le portail.")


# --- Rules ------------------------------------------------------------------------------------------


def _names_of_year(
    line: Told, statements: Sequence[YearlyStatement], declarations: Sequence[Declaration]
) -> list[str]:
    """The parameters that a year of these situations follows, the amount before the cap."""
    statuses = {WorkStatus(statement.status) for statement in statements}
    kinds = {declaration.kind for declaration in declarations}
    names: list[str] = []
    if line.pocket_kind == PocketKind.INCREASE:
        if WorkStatus.ESAT in statuses:
            names += ["esat_full_cents", "esat_cap_cents"]
        if DeclarationKind.LOW_QUALIFIED in kinds:
            names += ["increased_full_cents", "increased_cap_cents"]
        if DeclarationKind.BOE in kinds or any(statement.boe for statement in statements):
            names += ["boe_increase_cents", "increased_cap_cents"]
        return list(dict.fromkeys(names))
    if line.unit == Unit.HOUR:
        if statuses & EMPLOYEES:
            names.append("employee_hour_steps")
        if statuses & PUBLIC:
            in_c = WorkStatus.PUBLIC_CATEGORY_C in statuses
            names.append("public_category_c_hour_steps" if in_c else "public_hour_steps")
        return names
    if statuses & EMPLOYEES:
        names += ["annual_full_cents", "full_credit_threshold_percent", "annual_cap_cents"]
    if statuses & SELF_EMPLOYED:
        names += ["self_employed_full_cents", "self_employed_cap_cents"]
    if WorkStatus.ESAT in statuses:
        names += ["esat_full_cents", "esat_cap_cents"]
    return names


AWARDS: dict[str, tuple[str, ...]] = {
    PocketKind.DIF: ("dif_hour_cents",),
    PocketKind.VOLUNTEER: ("volunteer_year_cents", "volunteer_cap_cents"),
    PocketKind.PROFESSIONAL_RISK: ("professional_risk_point_cents",),
    PocketKind.WORK_ACCIDENT: ("work_accident_cents",),
    PocketKind.CORRECTIVE: ("corrective_cents",),
}


def _names_of_award(line: Told) -> tuple[str, ...]:
    """The parameters of what no year of work gives; a funder's money follows the funder's own terms."""
    if line.kind == MovementKind.CONVERSION_IN:
        is_volunteer = line.pocket_kind == PocketKind.VOLUNTEER
        return ("conversion_volunteer_hour_cents" if is_volunteer else "conversion_hour_cents",)
    if line.kind not in (MovementKind.CREDIT, MovementKind.GRANT):
        return ()
    if line.origin == Origin.DISMISSED:
        return ("dismissal_cents",)
    return AWARDS.get(line.pocket_kind, ())


def _rule(reference: rulebook.Reference) -> Rule:
    """As people read it: the file writes plain apostrophes."""
    label, text = (words.replace("'", "’") for words in (reference.label, reference.legal_reference))
    return Rule(label, text, reference.since)

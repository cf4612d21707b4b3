"""Reads the yearly statements of employers, line by line, and keeps them until the year is credited.

One statement a holder, year, establishment and status. Read again, the same file changes nothing; a line
that says something else supersedes the statement before, and the next credit corrects what was given.
The holder may have no login: rights wait for activation. Rows are kept in lots, each whole or not at all,
or the whole file at once (`all_or_nothing`). Format: docs/imports-statements.md.
"""

import datetime
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _

import rulebook
from accounts import nir
from accounts.imports import RowRefused
from accounts.models import HolderProfile
from accounts.validators import check_siret
from rights import crediting, imports
from rights.crediting import Account, Situation
from rights.kinds import Measure, WorkStatus
from rights.models import YearlyStatement
from rulebook.rules import NoRuleInForce
from rulebook.workdays import paris_day

AMOUNTS = {
    "hours": Measure.HOURS,
    "days": Measure.DAYS,
    "months": Measure.MONTHS,
    "pay_euros": Measure.PAY_CENTS,
}
REFERENCES = {"reference_hours": Measure.HOURS, "reference_days": Measure.DAYS}
REQUIRED = ("year", "status")
COLUMNS = (
    "reference",
    "nir",
    *REQUIRED,
    "employer_siret",
    "starts_on",
    "ends_on",
    *AMOUNTS,
    *REFERENCES,
    "absences",
    "agreement_euros",
    "boe",
    "contribution_paid",
)
TEXTS = ("reference", "status", "absences")
# Without establishment: those who have none.
WITHOUT_SIRET = (
    WorkStatus.ARTIST_AUTHOR,
    WorkStatus.JOB_SEEKER,
    WorkStatus.RETIRED_FULL_RATE,
    WorkStatus.RETIRED_REDUCED_RATE,
)
LOT = 1000
MOST_PAY_EUROS = crediting.MOST[Measure.PAY_CENTS] // 100
MOST_AGREED_EUROS = 10_000
NUMBER = re.compile(r"\d{1,6}(?:[.,]\d{1,2})?")
ABSENCE = re.compile(r"([a-z_]{1,40})=(\S+)")
YES_NO = {"oui": True, "1": True, "true": True, "non": False, "0": False, "false": False}
HUNDREDTH = Decimal("0.01")
FIRST_DAY = (1, 1)
LAST_DAY = (12, 31)


@dataclass
class Report:
    """What became of the lines. `superseded`: statements that replace another."""

    created: int = 0
    superseded: int = 0
    unchanged: int = 0
    refused: list[RowRefused] = field(default_factory=list)


class Key(NamedTuple):
    """What makes a statement the same one."""

    holder_id: Any
    year: int
    employer_siret: str
    status: str


@dataclass(frozen=True)
class Row:
    """One line, checked, before its holder is looked for. `said`: fields of the model."""

    line: int
    reference: str
    nir: str = field(repr=False)
    said: dict[str, Any]

    def key(self, holder_id: Any) -> Key:
        return Key(holder_id, self.said["year"], self.said["employer_siret"], self.said["status"])

    @property
    def content(self) -> str:
        text = json.dumps(self.said, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def run(
    path: Path,
    *,
    at: datetime.datetime,
    dry_run: bool = False,
    all_or_nothing: bool = False,
    progress: Callable[[int], object] = lambda lines: None,
) -> Report:
    """Import the file; `progress(n)` is told of each n lines done.

    imports.FileRefused: nothing of it can be read. imports.FileNotKept: `all_or_nothing`, and one line is
    refused.
    `dry_run`: the same report, and nothing kept.
    """
    imports.count_lines(path)
    report = Report()
    read = partial(_import, path, report, at=at, progress=progress)
    imports.carry_out(read, report, dry_run=dry_run, all_or_nothing=all_or_nothing)
    return report


def _import(path: Path, report: Report, *, at: datetime.datetime, progress: Callable) -> None:
    lines = imports.read_lines(path)
    header = imports.read_header(lines, columns=COLUMNS, required=REQUIRED)
    if not {"reference", "nir"} & set(header):
        raise imports.FileRefused(_("La première ligne ne convient pas ; il faut reference ou nir."))
    reader = _Reader(on=paris_day(at))
    seen: dict[Key, int] = {}
    lot: list[Row] = []
    waiting = 0
    for number, cells in lines:
        waiting += 1
        try:
            values = imports.read_values(header, cells, line=number, texts=TEXTS)
            lot.append(reader.row(values, line=number))
        except RowRefused as refusal:
            report.refused.append(refusal)
        if len(lot) == LOT:
            _keep(lot, report, seen, source=path.name, at=at)
            progress(waiting)
            lot, waiting = [], 0
    _keep(lot, report, seen, source=path.name, at=at)
    progress(waiting)
    report.refused.sort(key=lambda refusal: refusal.line or 0)


# --- Reading one line --------------------------------------------------------------------------------


class _Reader:
    """Checks lines; `on`: the day of the import. The law of each year is asked for once."""

    def __init__(self, *, on: datetime.date):
        self.on = on
        self.rules_of = cache(lambda year: rulebook.crediting_on(datetime.date(year, 12, 31)))

    def row(self, values: dict[str, str], *, line: int) -> Row:
        """RowRefused: the first thing wrong with it."""
        try:
            return self._row(values, line)
        except ValidationError as error:
            raise RowRefused(" ".join(error.messages), line=line) from None
        except (ValueError, RowRefused) as error:
            raise RowRefused(getattr(error, "reason", str(error)), line=line) from None

    def _row(self, values: dict[str, str], line: int) -> Row:
        values = defaultdict(str, values)
        if not (values["reference"] or values["nir"]):
            raise ValueError(_("Il manque le titulaire : sa référence, ou son numéro."))
        number = nir.check(values["nir"]) if values["nir"] else ""
        year = self._year(values["year"])
        status = _status(values["status"])
        siret = re.sub(r"[ \u00a0\u202f]", "", values["employer_siret"])
        if siret:
            check_siret(siret)
        elif status not in WITHOUT_SIRET:
            raise ValueError(_("employer_siret : il manque le SIRET de l’établissement."))
        starts_on, ends_on = _period(values["starts_on"], values["ends_on"], year)
        measure, worked = _worked(values)
        reference = _reference(values, measure)
        absences = self._absences(values["absences"], year, measure)
        agreed = imports.read_euros("agreement_euros", values["agreement_euros"], most=MOST_AGREED_EUROS)
        said = {
            "year": year,
            "employer_siret": siret,
            "status": status.value,
            "measure": measure.value if measure else "",
            "worked": worked,
            "reference": reference,
            "absences": absences,
            "agreed_cents": agreed,
            "boe": _yes_no("boe", values["boe"], default=False),
            "is_paid_up": _yes_no("contribution_paid", values["contribution_paid"], default=True),
            "starts_on": starts_on,
            "ends_on": ends_on,
        }
        self._check(said)
        return Row(line, values["reference"], number, said)

    def _year(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{4}", text):
            raise ValueError(_("year : « %s » n’est pas une année.") % text[:40])
        if int(text) > self.on.year:
            raise ValueError(_("year : %s n’a pas encore commencé.") % text)
        try:
            self.rules_of(int(text))
        except NoRuleInForce:
            raise ValueError(_("En %s, le compte n’existait pas encore.") % text) from None
        return int(text)

    def _absences(self, text: str, year: int, measure: Measure | None) -> dict[str, int]:
        """« maternity=560 paternity=35,5 », in hundredths."""
        found: dict[str, int] = {}
        counted = self.rules_of(year).absences_counted_as_work
        for word in text.split():
            match = ABSENCE.fullmatch(word)
            if not match or match[1] not in counted or match[1] in found:
                raise ValueError(
                    _("absences : « %(value)s » ne convient pas (une fois chacune : %(allowed)s).")
                    % {"value": word[:60], "allowed": ", ".join(f"{kind}=…" for kind in counted)}
                )
            if measure not in (Measure.HOURS, Measure.DAYS):
                raise ValueError(_("absences : elles se comptent en heures ou en jours, comme le travail."))
            found[match[1]] = int(_number("absences", match[2]) * 100)
        return found

    def _check(self, said: dict[str, Any]) -> None:
        """The year must be computable now, not only the day it is credited."""
        situation = situation_of(**{name: said[name] for name in SITUATION})
        crediting.compute([situation], account=Account(), rules=self.rules_of(said["year"]))
        days = (said["ends_on"] - said["starts_on"]).days + 1
        months = said["ends_on"].month - said["starts_on"].month + 1
        most = {Measure.HOURS: days * 24, Measure.DAYS: days, Measure.MONTHS: months}.get(said["measure"])
        if most is not None and said["worked"] > most:
            raise ValueError(
                _("%(worked)s : la période déclarée n’en compte que %(most)s.")
                % {
                    "worked": crediting.quantity(Fraction(said["worked"]), Measure(said["measure"])),
                    "most": crediting.quantity(most, Measure(said["measure"])),
                }
            )


SITUATION = ("status", "measure", "worked", "reference", "absences", "agreed_cents", "is_paid_up")


def situation_of(
    *,
    status: str,
    measure: str,
    worked: Decimal | None,
    reference: Decimal | None,
    absences: dict[str, int],
    agreed_cents: int,
    is_paid_up: bool,
) -> Situation:
    """What the arithmetic makes of a statement. NotCreditable: no sense."""
    return Situation(
        status=WorkStatus(status),
        measure=Measure(measure) if measure else None,
        worked=None if worked is None else Fraction(worked),
        reference=None if reference is None else Fraction(reference),
        absences={kind: Fraction(amount, 100) for kind, amount in absences.items()},
        agreed_cents=agreed_cents,
        is_paid_up=is_paid_up,
    )


def _status(text: str) -> WorkStatus:
    if text not in WorkStatus.values:
        raise ValueError(
            _("status : « %(value)s » n’est pas prévu (%(allowed)s).")
            % {"value": text[:40], "allowed": ", ".join(WorkStatus.values)}
        )
    return WorkStatus(text)


def _period(start: str, end: str, year: int) -> tuple[datetime.date, datetime.date]:
    starts_on = imports.read_day("starts_on", start) if start else datetime.date(year, *FIRST_DAY)
    ends_on = imports.read_day("ends_on", end) if end else datetime.date(year, *LAST_DAY)
    if (starts_on.year, ends_on.year) != (year, year):
        raise ValueError(_("starts_on, ends_on : la période est dans l’année %s.") % year)
    if ends_on < starts_on:
        raise ValueError(_("ends_on : la fin précède le début."))
    return starts_on, ends_on


def _worked(values: dict[str, str]) -> tuple[Measure | None, Decimal | None]:
    given = [name for name in AMOUNTS if values.get(name)]
    if len(given) > 1:
        raise ValueError(_("Un seul de : %s.") % ", ".join(given))
    if not given:
        return None, None
    name = given[0]
    if values[name].lstrip().startswith(("-", "\u2212")):
        raise ValueError(
            _("%(column)s : « %(value)s » est négatif.") % {"column": name, "value": values[name][:40]}
        )
    if name == "pay_euros":
        cents = imports.read_euros(name, values[name], most=MOST_PAY_EUROS)
        return AMOUNTS[name], Decimal(cents).quantize(HUNDREDTH)
    return AMOUNTS[name], _number(name, values[name])


def _reference(values: dict[str, str], measure: Measure | None) -> Decimal | None:
    given = [name for name in REFERENCES if values.get(name)]
    if not given:
        return None
    if [REFERENCES[name] for name in given] != [measure]:
        raise ValueError(_("%s : l’année entière se dit dans la même unité que le travail.") % given[0])
    return _number(given[0], values[given[0]])


def _number(name: str, text: str) -> Decimal:
    if not NUMBER.fullmatch(text) or not text.isascii():
        raise ValueError(
            _("%(column)s : « %(value)s » n’est pas un nombre (exemple : 803,5).")
            % {"column": name, "value": text[:40]}
        )
    return Decimal(text.replace(",", ".")).quantize(HUNDREDTH)


def _yes_no(name: str, text: str, *, default: bool) -> bool:
    if text and text.lower() not in YES_NO:
        raise ValueError(_("%s : oui ou non.") % name)
    return YES_NO[text.lower()] if text else default


# --- Keeping ----------------------------------------------------------------------------------------


def _keep(
    lot: list[Row], report: Report, seen: dict[Key, int], *, source: str, at: datetime.datetime
) -> None:
    """One lot, in one transaction and a handful of statements."""
    if not lot:
        return
    with transaction.atomic():
        holders = _holders(lot)
        counting: dict[tuple[Any, int], dict[Key, YearlyStatement]] = defaultdict(dict)
        active = YearlyStatement.objects.filter(
            holder__in={holder.pk for holder in holders.values()},
            year__in={row.said["year"] for row in lot},
            superseded_at__isnull=True,
        )
        for kept in active.order_by("id"):
            counting[kept.holder_id, kept.year][_key(kept)] = kept
        new: list[YearlyStatement] = []
        replaced: list[Any] = []
        for row in lot:
            try:
                holder = _holder(row, holders)
                key = row.key(holder.pk)
                others = counting[holder.pk, row.said["year"]]
                _check_once(row, key, seen)
                before = others.get(key)
                if before is not None and before.content == row.content:
                    report.unchanged += 1
                    continue
                _check_overlap(row, key, others.values())
            except RowRefused as refusal:
                report.refused.append(refusal)
                continue
            statement = YearlyStatement(
                holder=holder,
                content=row.content,
                source=f"{source}:{row.line}"[-200:],
                imported_at=at,
                **row.said,
            )
            if before is not None:
                replaced.append(before.pk)
            others[key] = statement
            new.append(statement)
            report.created += before is None
            report.superseded += before is not None
        # The one before steps aside first: only one counts.
        YearlyStatement.objects.filter(pk__in=replaced).update(superseded_at=at)
        YearlyStatement.objects.bulk_create(new, batch_size=LOT)


def _key(statement: YearlyStatement) -> Key:
    return Key(statement.holder_id, statement.year, statement.employer_siret, statement.status)


def _holders(lot: Iterable[Row]) -> dict[str, HolderProfile]:
    """Reference or digest of a number → its account, locked: two files about one person take turns."""
    references = {row.reference for row in lot if row.reference}
    digests = {digest for row in lot if row.nir for digest in nir.digests(row.nir)}
    locked = HolderProfile.objects.select_for_update(no_key=True, of=("self",)).order_by("id")
    only = locked.only("id", "reference", "nir_digest")
    found: dict[str, HolderProfile] = {}
    for holder in only.filter(reference__in=references) | only.filter(nir_digest__in=digests):
        found[holder.reference] = holder
        if holder.nir_digest:
            found[holder.nir_digest] = holder
    return found


def _holder(row: Row, holders: dict[str, HolderProfile]) -> HolderProfile:
    """RowRefused: nobody, or two people. Never says a social-security number."""
    by_number = next((holders[digest] for digest in _digests(row) if digest in holders), None)
    if row.nir and by_number is None and not row.reference:
        raise RowRefused(_("Aucun compte n’a ce numéro de sécurité sociale."), line=row.line)
    if not row.reference:
        return by_number
    holder = holders.get(row.reference)
    if holder is None:
        raise RowRefused(_("Aucun compte n’a la référence « %s ».") % row.reference[:64], line=row.line)
    if row.nir and by_number != holder:
        raise RowRefused(
            _("Le numéro de sécurité sociale n’est pas celui du compte « %s ».") % row.reference[:64],
            line=row.line,
        )
    return holder


def _digests(row: Row) -> list[str]:
    return nir.digests(row.nir) if row.nir else []


def _check_once(row: Row, key: Key, seen: dict[Key, int]) -> None:
    if first := seen.get(key):
        raise RowRefused(
            _("La même déclaration (titulaire, année, SIRET, situation) est déjà ligne %s.") % first,
            line=row.line,
        )
    seen[key] = row.line


def _check_overlap(row: Row, key: Key, others: Iterable[YearlyStatement]) -> None:
    """Two statuses at once would count the same time twice; a statement of 0 is in nobody's way."""
    for other in others:
        if other.status == row.said["status"] or _key(other) == key or other.worked == 0:
            continue
        start = max(other.starts_on, row.said["starts_on"])
        if start <= min(other.ends_on, row.said["ends_on"]) and row.said["worked"] != 0:
            raise RowRefused(
                _(
                    "En %(month)s %(year)s, « %(status)s » est déjà déclaré%(where)s. Une seule situation à "
                    "la fois : corrigez les dates, ou déclarez d’abord 0 pour celle qui n’a pas eu lieu."
                )
                % {
                    "month": MONTHS[start.month],
                    "year": row.said["year"],
                    "status": other.get_status_display(),
                    "where": f" ({other.employer_siret})" if other.employer_siret else "",
                },
                line=row.line,
            )

"""Accounts and the rights they open with, from a file: accounts reads who, this module how much.

The file states an opening amount once, by account and kind of right (key `import:<reference>:<kind>`):
read again, it changes nothing; with another amount the row is refused, since rights already given are
corrected by a movement that says why, never by a file. Rows are kept in lots, each whole or not at all.
"""

import csv
import datetime
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import imports as identities
from accounts.actors import Actor
from accounts.imports import RowRefused
from rights import ledger
from rights.kinds import FunderKind, PocketKind, Unit
from rights.ledger import Place, amount_in_words
from rights.models import Movement
from rulebook.workdays import paris_day


class Column(NamedTuple):
    kind: PocketKind
    unit: Unit
    help: str


AMOUNTS = {
    "annual_euros": Column(PocketKind.ANNUAL, Unit.EUR_CENT, "droits annuels"),
    "increase_euros": Column(PocketKind.INCREASE, Unit.EUR_CENT, "majoration"),
    "dif_euros": Column(PocketKind.DIF, Unit.EUR_CENT, "droits issus du DIF"),
    "volunteer_euros": Column(PocketKind.VOLUNTEER, Unit.EUR_CENT, "engagement citoyen (CEC)"),
    "professional_risk_euros": Column(
        PocketKind.PROFESSIONAL_RISK, Unit.EUR_CENT, "points de prévention (C2P)"
    ),
    "dotation_euros": Column(PocketKind.DOTATION, Unit.EUR_CENT, "dotation d’un financeur"),
    "annual_hours": Column(PocketKind.ANNUAL, Unit.HOUR, "heures d’un agent public"),
}
DOTATION = ("dotation_funder", "dotation_funder_kind", "dotation_expires_on")
COLUMNS = (*identities.COLUMNS, *AMOUNTS, *DOTATION)

LOT = 500
# A slip (cents for euros, two cells run together) must not open an account with a fortune.
MOST_EUROS = 100_000
MOST_HOURS = 1_000
LONGEST_LINE = 10_000
TEXTS = ("reference", "birth_name", "used_name", "first_names", "address", "town", "dotation_funder")
STARTS_A_FORMULA = ("=", "+", "-", "@")
EUROS = re.compile(r"(\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?:[.,](\d{1,2}))?")


class FileRefused(Exception):
    """The file cannot be read at all; nothing of it was kept. The message is French."""


class FileNotKept(Exception):
    """All or nothing was asked for and a line is refused. `report`: what would have happened."""

    def __init__(self, report: Any):
        self.report = report
        super().__init__(_("Au moins une ligne est refusée : rien n’a été gardé."))


def carry_out(read: Callable[[], None], report: Any, *, dry_run: bool, all_or_nothing: bool) -> None:
    """Let `read` fill `report`, and keep what it wrote unless it was a trial. FileNotKept.

    `report.refused`: the lines that were refused. Only a trial, or a file taken whole, is one transaction.
    """
    if not (dry_run or all_or_nothing):
        read()
        return
    with transaction.atomic():
        read()
        is_refused = all_or_nothing and bool(report.refused)
        transaction.set_rollback(dry_run or is_refused)
    if is_refused and not dry_run:
        raise FileNotKept(report)


@dataclass
class Report:
    """What became of the rows. `credited`: amounts by unit."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    credits: int = 0
    credited: dict[str, int] = field(default_factory=lambda: {unit.value: 0 for unit in Unit})
    refused: list[RowRefused] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line, checked. `openings`: (column, amount, place without its holder)."""

    identity: identities.Identity
    openings: list[tuple[str, int, Place]]

    def key(self, column: str) -> str:
        return f"import:{self.identity.reference}:{column}"


def run(
    path: Path,
    *,
    at: datetime.datetime,
    by: Actor,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda lines: None,
) -> Report:
    """Import the file; `progress(n)` is told of each n lines done. FileRefused: before anything is written.

    `dry_run`: the same report, and nothing kept.
    """
    count_lines(path)
    report = Report()
    if not dry_run:
        _import(path, report, at=at, by=by, progress=progress)
        return report
    with transaction.atomic():
        _import(path, report, at=at, by=by, progress=progress)
        transaction.set_rollback(True)
    return report


def count_lines(path: Path) -> int:
    """Read it all once, so that a file of another encoding is refused whole. FileRefused: which line, why."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise FileRefused(
                        _("Le fichier est en UTF-16. Enregistrez-le en « CSV UTF-8 », puis recommencez.")
                    )
                if len(raw) > LONGEST_LINE:
                    raise FileRefused(
                        _("Ligne %(line)s : plus de %(most)s caractères. Ce n’est pas un fichier de comptes.")
                        % {"line": number, "most": LONGEST_LINE}
                    )
                raw.decode("utf-8")
    except OSError as error:
        raise FileRefused(_("Le fichier ne peut pas être lu : %s.") % error.strerror) from error
    except UnicodeDecodeError as error:
        raise FileRefused(
            _(
                "Ligne %(line)s : le fichier n’est pas en UTF-8 (octet 0x%(byte)02X). "
                "Enregistrez-le en « CSV UTF-8 », puis recommencez."
            )
            % {"line": number, "byte": error.object[error.start]}
        ) from error
    return number


def _import(path: Path, report: Report, *, at: datetime.datetime, by: Actor, progress: Callable) -> None:
    lines = read_lines(path)
    header = read_header(lines, columns=COLUMNS, required=identities.REQUIRED)
    seen: dict[str, int] = {}
    lot: list[Row] = []
    waiting = 0
    for number, cells in lines:
        waiting += 1
        try:
            lot.append(_row(header, cells, line=number, on=paris_day(at), seen=seen))
        except RowRefused as refusal:
            report.refused.append(refusal)
        if len(lot) == LOT:
            _keep(lot, report, at=at, by=by)
            progress(waiting)
            lot, waiting = [], 0
    _keep(lot, report, at=at, by=by)
    progress(waiting)
    report.refused.sort(key=lambda refusal: refusal.line or 0)


# --- Reading ----------------------------------------------------------------------------------------


def read_lines(path: Path) -> Iterator[tuple[int, list[str] | RowRefused]]:
    """(number, cells) of each line that holds something; one by one, so that a lost quote eats no other."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, text in enumerate(file, start=1):
            line = text.rstrip("\r\n")
            if not line.strip(" ;"):
                continue
            if "\x00" in line:
                yield number, RowRefused(_("Un caractère nul s’y trouve."), line=number)
                continue
            try:
                yield number, next(csv.reader([line], delimiter=";", strict=True))
            except csv.Error:
                yield number, RowRefused(_("Un guillemet n’est pas fermé."), line=number)


def read_header(lines: Iterator, *, columns: Collection[str], required: Collection[str]) -> list[str]:
    """The names of the columns, in their order. FileRefused: some are unknown, missing or there twice."""
    _number, cells = next(lines, (0, []))
    if isinstance(cells, RowRefused) or not cells:
        raise FileRefused(_("Le fichier est vide, ou sa première ligne ne donne pas les colonnes."))
    names = [cell.strip() for cell in cells]
    if len(names) == 1:
        raise FileRefused(_("Les colonnes se séparent par des points-virgules."))
    problems = [
        (_("colonnes inconnues : %s"), [name or "« »" for name in names if name not in columns]),
        (_("colonnes absentes : %s"), [name for name in required if name not in names]),
        (_("colonnes en double : %s"), sorted({name for name in names if names.count(name) > 1})),
    ]
    said = [words % ", ".join(found) for words, found in problems if found]
    if said:
        raise FileRefused(_("La première ligne ne convient pas ; %s.") % " ; ".join(said))
    return names


def read_values(
    header: list[str], cells: list[str] | RowRefused, *, line: int, texts: Collection[str]
) -> dict[str, str]:
    """Column → what its cell says. RowRefused: too many cells or too few, or a formula in one of `texts`."""
    if isinstance(cells, RowRefused):
        raise cells
    if len(cells) != len(header):
        raise RowRefused(
            _("%(cells)s cellules au lieu de %(columns)s.") % {"cells": len(cells), "columns": len(header)},
            line=line,
        )
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    for name in texts:
        if values.get(name, "").startswith(STARTS_A_FORMULA):
            raise RowRefused(
                _("%s : une formule de tableur (=, +, - ou @) n’est pas acceptée ici.") % name, line=line
            )
    return values


def _row(
    header: list[str],
    cells: list[str] | RowRefused,
    *,
    line: int,
    on: datetime.date,
    seen: dict[str, int],
) -> Row:
    """RowRefused: the first thing wrong with it."""
    values = read_values(header, cells, line=line, texts=TEXTS)
    identity = identities.read_row(values, line=line, on=on)
    if first := seen.get(identity.reference):
        raise RowRefused(
            _("La référence « %(reference)s » est déjà ligne %(line)s.")
            % {"reference": identity.reference, "line": first},
            line=line,
        )
    seen[identity.reference] = line
    try:
        return Row(identity, _openings(values, on=on))
    except ValueError as error:
        raise RowRefused(str(error), line=line) from None


def _openings(values: dict[str, str], *, on: datetime.date) -> list[tuple[str, int, Place]]:
    """ValueError: an amount or a dotation that makes no sense, in French."""
    openings = []
    for name, column in AMOUNTS.items():
        read = read_euros if column.unit == Unit.EUR_CENT else _hours
        if amount := read(name, values.get(name, "")):
            label, funder_kind, expires_on = (
                _dotation(values, on=on) if column.kind == PocketKind.DOTATION else ("", "", None)
            )
            place = Place(None, str(column.kind), str(column.unit), label, funder_kind, expires_on)
            openings.append((name, amount, place))
    if not values.get("dotation_euros") and any(values.get(name) for name in DOTATION):
        raise ValueError(_("dotation_euros : le montant de la dotation manque."))
    return openings


def read_euros(name: str, text: str, *, most: int = MOST_EUROS) -> int:
    """« 1 234,50 » → 123450. ValueError: not an amount, or more than `most` euros, in French."""
    if not text:
        return 0
    found = EUROS.fullmatch(text)
    if not found:
        raise ValueError(
            _("%(column)s : « %(value)s » n’est pas un montant en euros (exemple : 1234,50).")
            % {"column": name, "value": text[:40]}
        )
    whole, rest = found.groups(default="")
    cents = int(re.sub(r"\D", "", whole)) * 100 + int(rest.ljust(2, "0"))
    if cents > most * 100:
        raise ValueError(
            _("%(column)s : plus de %(most)s. Vérifiez que le montant est en euros.")
            % {"column": name, "most": amount_in_words(most * 100, Unit.EUR_CENT)}
        )
    return cents


def _hours(name: str, text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > MOST_HOURS:
        raise ValueError(
            _("%(column)s : « %(value)s » n’est pas un nombre entier d’heures, %(most)s au plus.")
            % {"column": name, "value": text[:40], "most": MOST_HOURS}
        )
    return int(text)


def _dotation(values: dict[str, str], *, on: datetime.date) -> tuple[str, str, datetime.date | None]:
    funder, funder_kind, last_day = (values.get(name, "") for name in DOTATION)
    if not funder:
        raise ValueError(_("dotation_funder : le nom du financeur manque."))
    if len(funder) > ledger.LONGEST_LABEL or not funder.isprintable():
        raise ValueError(
            _("dotation_funder : un nom lisible, de %s caractères au plus.") % ledger.LONGEST_LABEL
        )
    if funder_kind and funder_kind not in FunderKind.values:
        raise ValueError(
            _("dotation_funder_kind : « %(value)s » n’est pas prévu (%(allowed)s).")
            % {"value": funder_kind[:40], "allowed": ", ".join(FunderKind.values)}
        )
    return funder, funder_kind, read_day("dotation_expires_on", last_day) if last_day else None


def read_day(name: str, text: str) -> datetime.date:
    """ValueError: not a day, in French."""
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.datetime.strptime(text, pattern).date()  # noqa: DTZ007, a day has no zone
        except ValueError:
            continue
    raise ValueError(
        _("%(column)s : « %(value)s » n’est pas une date.") % {"column": name, "value": text[:40]}
    )


# --- Keeping ----------------------------------------------------------------------------------------


def _keep(lot: list[Row], report: Report, *, at: datetime.datetime, by: Actor) -> None:
    """One lot, in one transaction and a handful of statements."""
    if not lot:
        return
    with transaction.atomic():
        given = _given(lot)
        kept = []
        for row in lot:
            if refusal := _contradiction(row, given):
                report.refused.append(refusal)
            else:
                kept.append(row)
        credits = []
        for row, saved in zip(kept, identities.save_many([row.identity for row in kept], at=at), strict=True):
            if saved.refused:
                report.refused.append(saved.refused)
                continue
            new = [opening for opening in row.openings if row.key(opening[0]) not in given]
            credits += [_credit(row, *opening, holder_id=saved.holder.pk) for opening in new]
            report.created += saved.created
            report.changed += not saved.created and (saved.changed or bool(new))
            report.unchanged += not (saved.created or saved.changed or new)
        ledger.credit_many(credits, at=at, by=by)
        report.credits += len(credits)
        for credit in credits:
            report.credited[credit.unit] += credit.amount


def _given(lot: list[Row]) -> dict[str, Movement]:
    keys = [row.key(column) for row in lot for column, _amount, _place in row.openings]
    movements = Movement.objects.filter(key__in=keys).select_related("target").order_by("id")
    return {movement.key: movement for movement in movements}


def _contradiction(row: Row, given: dict[str, Movement]) -> RowRefused | None:
    for column, amount, place in row.openings:
        movement = given.get(row.key(column))
        if movement is None:
            continue
        pocket = movement.target
        there = Place(None, pocket.kind, pocket.unit, pocket.label, pocket.funder_kind, pocket.expires_on)
        if (movement.amount, there) != (amount, place):
            return RowRefused(
                _(
                    "%(column)s : ce compte a déjà été ouvert avec %(amount)s%(origin)s. Un import ne "
                    "corrige pas un crédit : corrigez-le depuis l’administration, par un contre-mouvement."
                )
                % {
                    "column": column,
                    "amount": amount_in_words(movement.amount, pocket.unit),
                    "origin": f" ({pocket.label})" if pocket.label else "",
                },
                line=row.identity.line,
            )
    return None


def _credit(row: Row, column: str, amount: int, place: Place, *, holder_id) -> ledger.Credit:
    return ledger.Credit(
        holder_id=holder_id,
        kind=PocketKind(place.kind),
        amount=amount,
        key=row.key(column),
        unit=Unit(place.unit),
        reason=_("Droits acquis avant l’ouverture du compte"),
        formula=[(_("Montant transmis"), amount_in_words(amount, place.unit))],
        label=place.label,
        funder_kind=FunderKind(place.funder_kind) if place.funder_kind else None,
        expires_on=place.expires_on,
    )

"""A funder's list: who receives how much of its envelope, on what conditions.

Each line has the funder's own reference: read again, the file gives nothing twice; the same reference with
another content is refused. Lines are given in lots, each in one transaction (rights.dotations).
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.imports import RowRefused
from accounts.models import HolderProfile
from rights import dotations, earmarks, imports
from rights.dotations import Wish
from rights.earmarks import Conditions
from rights.kinds import Origin
from rights.models import Envelope

REQUIRED = ("reference", "holder", "amount", "kind")
COLUMNS = (*REQUIRED, "certifications", "levels", "starts_from", "starts_until", "expires_on", "reason")
TEXTS = ("reference", "holder", "certifications", "reason")
LOT = 500
LONGEST_REASON = 200
IN_HOURS = re.compile(r".*\d\s*(h|heures?)", re.IGNORECASE)
LIST = re.compile(r"[\s,|]+")


@dataclass
class Report:
    """What became of the lines. Cents."""

    granted: int = 0
    granted_cents: int = 0
    unchanged: int = 0
    refused: list[RowRefused] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line, checked, before its holder is looked for."""

    line: int
    holder: str
    wish: dict[str, Any]


def run(
    path: Path,
    *,
    envelope: Envelope,
    at: datetime.datetime,
    by: Actor,
    dry_run: bool = False,
    all_or_nothing: bool = False,
    progress: Callable[[int], object] = lambda lines: None,
) -> Report:
    """Give what the file says; `progress(n)` is told of each n lines done.

    imports.FileRefused: nothing of it can be read. imports.FileNotKept: `all_or_nothing`, and one line is
    refused.
    `dry_run`: the same report, and nothing given nor told.
    """
    imports.count_lines(path)
    report = Report()
    read = partial(_import, path, report, envelope=envelope, at=at, by=by, progress=progress)
    imports.carry_out(read, report, dry_run=dry_run, all_or_nothing=all_or_nothing)
    return report


def _import(
    path: Path,
    report: Report,
    *,
    envelope: Envelope,
    at: datetime.datetime,
    by: Actor,
    progress: Callable[[int], object],
) -> None:
    lines = imports.read_lines(path)
    header = imports.read_header(lines, columns=COLUMNS, required=REQUIRED)
    seen: dict[str, int] = {}
    lot: list[Row] = []
    waiting = 0
    for number, cells in lines:
        waiting += 1
        try:
            values = imports.read_values(header, cells, line=number, texts=TEXTS)
            lot.append(_row(values, line=number, seen=seen))
        except RowRefused as refusal:
            report.refused.append(refusal)
        if len(lot) == LOT:
            _give(lot, report, envelope=envelope, at=at, by=by)
            progress(waiting)
            lot, waiting = [], 0
    _give(lot, report, envelope=envelope, at=at, by=by)
    progress(waiting)
    report.refused.sort(key=lambda refusal: refusal.line or 0)


def _row(values: dict[str, str], *, line: int, seen: dict[str, int]) -> Row:
    """RowRefused: the first thing wrong with it."""
    reference = values["reference"]
    if first := seen.get(reference):
        raise RowRefused(
            _("La référence « %(reference)s » est déjà ligne %(line)s.")
            % {"reference": reference[:40], "line": first},
            line=line,
        )
    try:
        wish = {
            "reference": reference,
            "amount": _amount(values["amount"]),
            "origin": _origin(values["kind"]),
            "conditions": _conditions(values),
            "expires_on": _day("expires_on", values),
            "reason": _reason(values.get("reason", "")),
        }
    except ValueError as error:
        raise RowRefused(str(error), line=line) from None
    seen[reference] = line
    return Row(line, values["holder"], wish)


def _amount(text: str) -> int:
    if IN_HOURS.fullmatch(text):
        raise ValueError(_("amount : « %s » est en heures ; une enveloppe se compte en euros.") % text[:40])
    cents = imports.read_euros("amount", text.removesuffix("€").strip())
    if not cents:
        raise ValueError(_("amount : donnez un montant en euros, supérieur à zéro."))
    return cents


def _origin(text: str) -> Origin:
    if text not in Origin.values:
        raise ValueError(
            _("kind : « %(value)s » n’est pas prévu (%(allowed)s).")
            % {"value": text[:40], "allowed": ", ".join(Origin.values)}
        )
    return Origin(text)


def _conditions(values: dict[str, str]) -> Conditions:
    levels = [each for each in LIST.split(values.get("levels", "")) if each]
    for level in levels:
        if not (level.isascii() and level.isdigit()):
            raise ValueError(_("levels : « %s » n’est pas un niveau, de 1 à 8.") % level[:40])
    return earmarks.conditions(
        certifications=[each for each in LIST.split(values.get("certifications", "").upper()) if each],
        levels=[int(level) for level in levels],
        starts_from=_day("starts_from", values),
        starts_until=_day("starts_until", values),
    )


def _day(name: str, values: dict[str, str]) -> datetime.date | None:
    text = values.get(name, "")
    return imports.read_day(name, text) if text else None


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON or not text.isprintable():
        raise ValueError(_("reason : un texte lisible, de %s caractères au plus.") % LONGEST_REASON)
    return text


def _give(lot: list[Row], report: Report, *, envelope: Envelope, at: datetime.datetime, by: Actor) -> None:
    """One lot, in one transaction."""
    if not lot:
        return
    found = HolderProfile.objects.filter(reference__in=[row.holder for row in lot]).select_related("user")
    holders = {holder.reference: holder for holder in found}
    known = []
    for row in lot:
        if row.holder in holders:
            known.append(row)
        else:
            report.refused.append(
                RowRefused(
                    _("holder : aucun compte n’a la référence « %s ».") % row.holder[:40], line=row.line
                )
            )
    wishes = [Wish(holder=holders[row.holder], **row.wish) for row in known]
    outcomes = dotations.grant_lot(envelope, wishes, by=by, at=at)
    for row, outcome in zip(known, outcomes, strict=True):
        if outcome.refusal:
            report.refused.append(RowRefused(str(outcome.refusal), line=row.line))
        elif outcome.is_new:
            report.granted += 1
            report.granted_cents += row.wish["amount"]
        else:
            report.unchanged += 1

"""A list of events that give rights outside the years of work, or convert them: one line, one event.

Each line is judged by its verb (rights.awards), in a transaction of its own; read again, the file gives
nothing twice, since the key of an event is made of what it is.
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.imports import RowRefused
from accounts.models import HolderProfile
from rights import awards, imports, ledger
from rights.awards import Activity
from rights.kinds import Origin, Unit
from rights.models import Movement
from rulebook.workdays import paris_day

REQUIRED = ("holder", "right")
COLUMNS = (
    *REQUIRED,
    "reference",
    "on",
    "activity",
    "year",
    "quantity",
    "in_one_association",
    "points",
    "rate",
    "employer",
    "hours",
    "to",
    "has_higher_cap",
)
TEXTS = ("holder", "reference", "employer")
PROGRESS_EVERY = 100
MOST_DIGITS = 9
HOURS = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,2})?", re.ASCII)


class Right(StrEnum):
    VOLUNTEERING = "volunteering"
    PROFESSIONAL_RISK = "professional_risk"
    WORK_ACCIDENT = "work_accident"
    CORRECTIVE = "corrective"
    DISMISSED = "dismissed"
    DIF = "dif"
    PREVENTION = "prevention"
    CONVERSION = "conversion"


@dataclass
class Report:
    """What became of the lines. `credited`: amounts by unit, conversions included."""

    done: int = 0
    unchanged: int = 0
    credited: dict[str, int] = field(default_factory=lambda: {unit.value: 0 for unit in Unit})
    refused: list[RowRefused] = field(default_factory=list)


def run(
    path: Path,
    *,
    at: datetime.datetime,
    by: Actor,
    dry_run: bool = False,
    all_or_nothing: bool = False,
    progress: Callable[[int], object] = lambda lines: None,
) -> Report:
    """Carry the file out; `progress(n)` is told of each n lines done.

    imports.FileRefused: nothing of it can be read. imports.FileNotKept: `all_or_nothing`, and one line is
    refused.
    `dry_run`: the same report, and nothing kept.
    """
    imports.count_lines(path)
    report = Report()
    read = partial(_import, path, report, at=at, by=by, progress=progress)
    imports.carry_out(read, report, dry_run=dry_run, all_or_nothing=all_or_nothing)
    return report


def _import(
    path: Path, report: Report, *, at: datetime.datetime, by: Actor, progress: Callable[[int], object]
) -> None:
    lines = imports.read_lines(path)
    header = imports.read_header(lines, columns=COLUMNS, required=REQUIRED)
    seen: dict[int, int] = {}
    waiting = 0
    for number, cells in lines:
        waiting += 1
        try:
            values = imports.read_values(header, cells, line=number, texts=TEXTS)
            _note(_carry_out(values, at=at, by=by, line=number), report, seen, line=number, at=at)
        except RowRefused as refusal:
            report.refused.append(refusal)
        if waiting == PROGRESS_EVERY:
            progress(waiting)
            waiting = 0
    progress(waiting)


def _note(
    movements: list[Movement], report: Report, seen: dict[int, int], *, line: int, at: datetime.datetime
) -> None:
    """New, or done by an earlier run. RowRefused: by an earlier line of this file."""
    first = movements[0]
    if first.pk in seen:
        raise RowRefused(_("Le même évènement est déjà ligne %s.") % seen[first.pk], line=line)
    seen[first.pk] = line
    if first.recorded_at != at:
        report.unchanged += 1
        return
    report.done += 1
    for movement in movements:
        if movement.target.holder_id:
            report.credited[movement.target.unit] += movement.amount


def _carry_out(values: dict[str, str], *, at: datetime.datetime, by: Actor, line: int) -> list[Movement]:
    """RowRefused: the first thing wrong with it."""
    try:
        right = _right(values["right"])
        holder = HolderProfile.objects.filter(reference=values["holder"]).first()
        if holder is None:
            raise ValueError(_("holder : aucun compte n’a la référence « %s ».") % values["holder"][:40])
        with transaction.atomic():
            return _verb(right, holder, values, told={"by": by, "at": at}, on=paris_day(at))
    except awards.AwardRefused as refusal:
        words = f"{refusal.field} : {refusal}" if refusal.field else str(refusal)
        raise RowRefused(words, line=line) from None
    except (ValueError, ledger.LedgerError) as error:
        raise RowRefused(str(error), line=line) from None


def _verb(
    right: Right, holder: HolderProfile, values: dict[str, str], *, told: dict[str, Any], on: datetime.date
) -> list[Movement]:
    if right == Right.VOLUNTEERING:
        return [
            awards.credit_volunteering(
                holder,
                activity=_choice("activity", values, Activity),
                year=_number("year", values),
                quantity=_number("quantity", values),
                in_one_association=_number("in_one_association", values)
                if values.get("in_one_association")
                else None,
                **told,
            )
        ]
    event = told | {"reference": values.get("reference", ""), "on": _day(values)}
    if right == Right.PROFESSIONAL_RISK:
        return [awards.credit_points(holder, points=_number("points", values), **event)]
    if right == Right.DIF:
        return [awards.transfer_dif(holder, hours=_hours(values), **event)]
    if right == Right.PREVENTION:
        return [
            awards.grant_prevention(
                holder, hours=_number("hours", values), employer=values.get("employer", ""), **event
            )
        ]
    if right == Right.WORK_ACCIDENT:
        return [awards.credit_work_accident(holder, rate_percent=_number("rate", values), **event)]
    if right == Right.CONVERSION:
        to = Unit.HOUR if _choice("to", values, _Side) == _Side.HOURS else Unit.EUR_CENT
        return awards.convert(
            holder, to=to, has_higher_cap=values.get("has_higher_cap", "") == "oui", **event
        )
    cause = Origin.CORRECTIVE if right == Right.CORRECTIVE else Origin.DISMISSED
    return [awards.credit_corrective(holder, cause=cause, employer=values.get("employer", ""), **event)]


class _Side(StrEnum):
    HOURS = "hours"
    EUROS = "euros"


def _right(text: str) -> Right:
    return _choice("right", {"right": text}, Right)


def _choice(name: str, values: dict[str, str], allowed: Any) -> Any:
    text = values.get(name, "")
    if text not in list(allowed):
        raise ValueError(
            _("%(column)s : « %(value)s » n’est pas prévu (%(allowed)s).")
            % {"column": name, "value": text[:40], "allowed": ", ".join(allowed)}
        )
    return allowed(text)


def _number(name: str, values: dict[str, str]) -> int:
    text = values.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > MOST_DIGITS:
        raise ValueError(
            _("%(column)s : « %(value)s » n’est pas un nombre entier.") % {"column": name, "value": text[:40]}
        )
    return int(text)


def _hours(values: dict[str, str]) -> Fraction:
    """« 20 » or « 12,5 »: certificates of the former DIF have half hours."""
    text = values.get("hours", "").replace(",", ".")
    if not HOURS.fullmatch(text):
        raise ValueError(_("hours : « %s » n’est pas un nombre d’heures.") % values.get("hours", "")[:40])
    return Fraction(text)


def _day(values: dict[str, str]) -> datetime.date:
    return imports.read_day("on", values.get("on", ""))

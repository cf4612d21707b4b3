"""From `parameters.yaml`, the canonical text, to rows: only adds, and closes what a new text ends.

A parameter's period lasts until its next one begins, so nobody writes an end date: a new decree is
one more item in the file. What is already in the database is never rewritten; a file that says
something else about a past day is refused as a whole.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from django.apps import apps as global_apps
from django.core.management.base import CommandError
from django.db import connections, transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from rulebook.rules import NAMES, CreditingRules, Rules, crediting_from_values, from_values, typed

PARAMETERS_FILE = Path(__file__).with_name("parameters.yaml")


class RulebookRefused(Exception):
    """The file cannot be loaded; the message says why, in French, and nothing was written."""


@dataclass(frozen=True)
class Row:
    """One period of one parameter as the file gives it; `until` is the first day after it, or None."""

    name: str
    label: str
    value: Any
    unit: str
    since: datetime.date
    until: datetime.date | None
    legal_reference: str
    note: str
    is_core_law: bool

    @property
    def in_force(self) -> DateRange:
        return DateRange(self.since, self.until)

    def is_in_force_on(self, day: datetime.date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True)
class Changes:
    """What loading does: rows added, rows closed (name, since, until), and what the file no longer says.

    `reworded`: rows kept as they are though their label, reference or note differ in the file.
    `retired`: names in the database that the file does not hold any more.
    """

    added: tuple[Row, ...]
    closed: tuple[Row, ...]
    reworded: tuple[Row, ...]
    retired: tuple[str, ...]


class _StrictLoader(yaml.SafeLoader):
    """YAML keeps the last of two equal keys without a word; a law book must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise RulebookRefused(f"Ligne {line} : « {key} » est écrit deux fois.")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read(path: Path = PARAMETERS_FILE) -> tuple[Row, ...]:
    """Every row of the file, checked: names, shapes, dates, references. RulebookRefused: what is wrong."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506, a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulebookRefused(f"Le fichier {path.name} ne peut pas être lu : {error}") from error
    if not isinstance(document, dict):
        raise RulebookRefused(f"Le fichier {path.name} doit donner une entrée par règle.")
    if unknown := sorted(set(map(str, document)) - set(NAMES)):
        raise RulebookRefused(f"Règles inconnues de Rules : {', '.join(unknown)}.")
    if missing := sorted(set(NAMES) - set(document)):
        raise RulebookRefused(f"Règles absentes du fichier : {', '.join(missing)}.")
    return tuple(row for name in NAMES for row in _rows_of(name, document[name]))


def rules_in_file(day: datetime.date, *, rows: tuple[Row, ...] | None = None) -> Rules:
    """The law on this day as the file gives it, without a database. For pure tests and documents."""
    if rows is None:
        rows = read()
    return from_values({row.name: row.value for row in rows if row.is_in_force_on(day)}, day)


def crediting_rules_in_file(day: datetime.date, *, rows: tuple[Row, ...] | None = None) -> CreditingRules:
    """What feeds accounts on a day since 2015, as the file gives it: the simulator has no database."""
    if rows is None:
        rows = read()
    return crediting_from_values({row.name: row.value for row in rows if row.is_in_force_on(day)}, day)


def load(rows: tuple[Row, ...] | None = None, *, dry_run: bool = False, using: str = "default") -> Changes:
    """Add the rows the database lacks and close those a new text ends; twice does nothing more.

    RulebookRefused: the file contradicts a row already there; nothing is written.
    """
    if rows is None:
        rows = read()
    model = global_apps.get_model("rulebook", "Parameter")
    with transaction.atomic(using=using):
        # Two loaders at once would both see a row missing; the second waits and finds it.
        with connections[using].cursor() as cursor:
            cursor.execute(f"LOCK TABLE {model._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        kept = {
            (row.name, row.in_force.lower): row
            for row in model.objects.using(using).order_by("name", "in_force")
        }
        changes = _compare(rows, kept)
        if not dry_run:
            # Closing first: an open period leaves no room for its successor.
            for row in changes.closed:
                kept_row = kept[row.name, row.since]
                model.objects.using(using).filter(pk=kept_row.pk).update(in_force=row.in_force)
            model.objects.using(using).bulk_create(
                model(
                    name=row.name,
                    label=row.label,
                    value=row.value,
                    unit=row.unit,
                    in_force=row.in_force,
                    legal_reference=row.legal_reference,
                    note=row.note,
                    is_core_law=row.is_core_law,
                )
                for row in changes.added
            )
    return changes


def load_after_migrate(*, using: str, apps: Any = global_apps, stdout: Any = None, **_kwargs: Any) -> None:
    """Receiver of `post_migrate`: the law comes with the schema. CommandError: the file is refused."""
    try:
        apps.get_model("rulebook", "Parameter")
    except LookupError:
        return  # `migrate rulebook zero`: there is no table to fill
    try:
        changes = load(using=using)
    except RulebookRefused as refusal:
        raise CommandError(str(refusal)) from refusal
    if stdout and (changes.added or changes.closed):
        stdout.write(f"  Rulebook: {len(changes.added)} row(s) added, {len(changes.closed)} closed")


def _rows_of(name: str, entry: Any) -> list[Row]:
    if not isinstance(entry, dict) or set(entry) != {"label", "unit", "is_core_law", "periods"}:
        raise RulebookRefused(f"« {name} » : il faut label, unit, is_core_law et periods, rien d'autre.")
    if not (_is_text(entry["label"]) and _is_text(entry["unit"]) and type(entry["is_core_law"]) is bool):
        raise RulebookRefused(f"« {name} » : label et unit sont des textes, is_core_law vaut true ou false.")
    periods = entry["periods"]
    if not isinstance(periods, list) or not periods:
        raise RulebookRefused(f"« {name} » : il faut au moins une période.")
    for period in periods:
        _check_period(name, period)
    starts = [period["from"] for period in periods]
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise RulebookRefused(f"« {name} » : les périodes vont de la plus ancienne à la plus récente.")
    return [
        Row(
            name=name,
            label=entry["label"].strip(),
            value=period["value"],
            unit=entry["unit"].strip(),
            since=period["from"],
            until=until,
            legal_reference=period["legal_reference"].strip(),
            note=period.get("note", "").strip(),
            is_core_law=entry["is_core_law"],
        )
        for period, until in zip(periods, [*starts[1:], None], strict=True)
    ]


def _check_period(name: str, period: Any) -> None:
    needed = {"from", "value", "legal_reference"}
    if not isinstance(period, dict) or not needed <= set(period) <= needed | {"note"}:
        raise RulebookRefused(
            f"« {name} » : une période donne from, value, legal_reference et, au besoin, note."
        )
    since = period["from"]
    if type(since) is not datetime.date:
        raise RulebookRefused(f"« {name} » : {since!r} n'est pas une date (AAAA-MM-JJ).")
    if not _is_text(period["legal_reference"]):
        raise RulebookRefused(f"« {name} », {since:%d/%m/%Y} : la référence manque.")
    if not isinstance(period.get("note", ""), str):
        raise RulebookRefused(f"« {name} », {since:%d/%m/%Y} : la remarque est un texte.")
    try:
        typed(name, period["value"])
    except ValueError as error:
        raise RulebookRefused(f"{error} (période du {since:%d/%m/%Y}).") from error


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _compare(rows: tuple[Row, ...], kept: Mapping[tuple[str, datetime.date], Any]) -> Changes:
    wanted = {(row.name, row.since): row for row in rows}
    names = {row.name for row in rows}
    for name, since in kept:
        if name in names and (name, since) not in wanted:
            raise RulebookRefused(
                f"« {name} » : la période commencée le {since:%d/%m/%Y} est en base et n'est plus dans le "
                "fichier. Une règle passée ne s'efface pas."
            )
    added, closed, reworded = [], [], []
    for key, row in wanted.items():
        kept_row = kept.get(key)
        if kept_row is None:
            added.append(row)
            continue
        if (kept_row.value, kept_row.unit) != (row.value, row.unit):
            raise RulebookRefused(
                f"« {row.name} », depuis le {row.since:%d/%m/%Y} : la base dit {kept_row.value!r} "
                f"({kept_row.unit}), le fichier dit {row.value!r} ({row.unit}). Une valeur passée ne se "
                "change pas : ajoutez une période qui commence le jour du nouveau texte."
            )
        if kept_row.in_force.upper != row.until:
            if kept_row.in_force.upper is not None:
                raise RulebookRefused(
                    f"« {row.name} » : la période commencée le {row.since:%d/%m/%Y} est déjà close au "
                    f"{kept_row.in_force.upper:%d/%m/%Y}. Une fin déjà écrite ne se déplace pas."
                )
            closed.append(row)
        texts = ("label", "legal_reference", "note", "is_core_law")
        if any(getattr(kept_row, text) != getattr(row, text) for text in texts):
            reworded.append(row)
    return Changes(
        added=tuple(added),
        closed=tuple(closed),
        reworded=tuple(reworded),
        retired=tuple(sorted({name for name, _since in kept} - names)),
    )

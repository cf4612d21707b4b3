"""The second net: recompute everything from the movements, and find what the guards should have refused.

A trigger can be stepped round (`set_config('pgtrigger.ignore', …)`, a restored dump, a careless
migration). Each rule below is one statement, so it reads one consistent moment of a busy database.
"""

# ruff: noqa: S608, the queries are made of our own words only

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pgtrigger
from django.core.cache import cache
from django.db import connection
from django.utils.translation import gettext_lazy as _

from rights.kinds import (
    FAULTS,
    HOLDER_KINDS,
    INTO_RESERVED,
    OWNERLESS_KINDS,
    WORLD_KINDS,
    PocketKind,
    Unit,
)
from rights.models import Earmark, Envelope, Movement, Pocket

MOST_FINDINGS = 1_000
"""By rule: a broken guard may touch every row, and nobody reads a million lines."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `subject` names the row: "pocket:<id>", "movement:<id>" or a guard's name."""

    rule: str
    subject: str
    details: str


@dataclass(frozen=True)
class Audit:
    """What was looked at and found. Amounts in cents and hours, by unit."""

    pockets: int
    movements: int
    owned: dict[str, int]
    reserved: dict[str, int]
    findings: list[Finding] = field(default_factory=list)
    rules: dict[str, int] = field(default_factory=dict)


def _in(kinds: tuple) -> str:
    return "(" + ", ".join(f"'{kind.value}'" for kind in kinds) + ")"


_ENDS = """(SELECT target_id AS pocket_id, amount FROM rights_movement
    UNION ALL SELECT source_id, -amount FROM rights_movement)"""

# Each gives (subject, details) for every row that is wrong.
_QUERIES = {
    "balance_is_the_sum_of_movements": f"""
        SELECT 'pocket:' || p.id, 'balance ' || p.balance || ', movements ' || coalesce(sum(e.amount), 0)
        FROM rights_pocket p LEFT JOIN {_ENDS} e ON e.pocket_id = p.id
        WHERE p.balance IS NOT NULL GROUP BY p.id HAVING p.balance <> coalesce(sum(e.amount), 0)""",
    "pocket_never_overdrawn": """
        SELECT 'pocket:' || id, 'balance ' || balance FROM rights_pocket WHERE balance < 0""",
    "pocket_of_the_world_keeps_no_balance": f"""
        SELECT 'pocket:' || id, kind || ', balance ' || coalesce(balance::text, 'none') FROM rights_pocket
        WHERE (kind IN {_in(WORLD_KINDS)}) <> (balance IS NULL)""",
    "pocket_of_a_person_has_a_holder": f"""
        SELECT 'pocket:' || id, kind || ', holder ' || coalesce(holder_id::text, 'none') FROM rights_pocket
        WHERE (kind IN {_in(OWNERLESS_KINDS)}) <> (holder_id IS NULL)""",
    "purse_is_opened_once": f"""
        SELECT 'pocket:' || min(id::text), kind || ' opened ' || count(*) || ' times' FROM rights_pocket
        WHERE kind NOT IN {_in((PocketKind.RESERVED, PocketKind.ENVELOPE))}
        GROUP BY holder_id, kind, unit, label, funder_kind, expires_on, origin, envelope_id, earmark_id
        HAVING count(*) > 1""",
    # It would hide money from the dossier that is thought to hold it.
    "reserved_pocket_is_filled_once": f"""
        SELECT 'pocket:' || p.id, 'filled ' || count(m.id) || ' times'
        FROM rights_pocket p
        LEFT JOIN rights_movement m ON m.target_id = p.id AND m.kind IN {_in(INTO_RESERVED)}
        WHERE p.kind = '{PocketKind.RESERVED.value}' GROUP BY p.id HAVING count(m.id) <> 1""",
    "movement_joins_two_pockets": """
        SELECT 'movement:' || m.id, 'from ' || m.source_id || ' to ' || m.target_id FROM rights_movement m
        LEFT JOIN rights_pocket s ON s.id = m.source_id LEFT JOIN rights_pocket t ON t.id = m.target_id
        WHERE s.id IS NULL OR t.id IS NULL OR m.source_id = m.target_id""",
    "movement_amount_is_positive": """
        SELECT 'movement:' || id, 'amount ' || amount FROM rights_movement WHERE amount <= 0""",
    "movement_passes_once_per_key": """
        SELECT 'movement:' || min(id), 'key « ' || key || ' », ' || count(*) || ' times' FROM rights_movement
        GROUP BY key HAVING count(*) > 1 OR key = ''""",
    "movement_is_reversed_once": """
        SELECT 'movement:' || reverses_id, 'reversed ' || count(*) || ' times' FROM rights_movement
        WHERE reverses_id IS NOT NULL GROUP BY reverses_id HAVING count(*) > 1""",
} | {
    name: f"""
        SELECT 'movement:' || m.id, m.kind || ', from ' || s.kind || ' to ' || t.kind FROM rights_movement m
        JOIN rights_pocket s ON s.id = m.source_id JOIN rights_pocket t ON t.id = m.target_id
        WHERE {fault}"""
    for name, fault in FAULTS.items()
}

RULES = {
    "balance_is_the_sum_of_movements": _("chaque solde est la somme de ses mouvements"),
    "pocket_never_overdrawn": _("aucun solde n’est négatif"),
    "pocket_of_the_world_keeps_no_balance": _("seules les poches extérieures n’ont pas de solde"),
    "pocket_of_a_person_has_a_holder": _(
        "seules les poches extérieures et les enveloppes n’ont pas de titulaire"
    ),
    "purse_is_opened_once": _("aucune poche n’est ouverte deux fois"),
    "reserved_pocket_is_filled_once": _("chaque réservation est remplie une seule fois"),
    "movement_joins_two_pockets": _("chaque mouvement relie deux poches"),
    "movement_amount_is_positive": _("chaque montant est positif"),
    "movement_passes_once_per_key": _("chaque clé n’est passée qu’une fois"),
    "movement_is_reversed_once": _("aucun mouvement n’est corrigé deux fois"),
    "movement_keeps_one_unit": _("aucun mouvement ne mêle euros et heures"),
    "movement_keeps_one_holder": _("aucun mouvement ne va d’un titulaire à un autre"),
    "grant_fills_a_purse_of_its_envelope": _("chaque attribution remplit une poche de son enveloppe"),
    "dotation_returns_to_its_funder": _("ce qui ne sert pas retourne à son enveloppe ou à son financeur"),
    "envelope_keeps_its_funder": _("chaque enveloppe n’a qu’un financeur"),
    "conversion_comes_in_two_halves": _("chaque conversion a ses deux moitiés, en heures et en euros"),
    "movement_follows_its_route": _("chaque mouvement va d’une poche permise à une autre"),
    "movement_returns_to_its_source": _("ce qui est rendu retourne d’où il vient"),
    "movement_reverses_a_credit": _("chaque correction est son crédit, à l’envers"),
    "guard_is_in_place": _("chaque contrainte et chaque déclencheur est en place"),
}
"""What each rule says, in words."""


def check() -> list[Finding]:
    """All that is wrong with the ledger; empty when it is sound."""
    return audit().findings


def audit() -> Audit:
    """Check every rule and count what was looked at. Reads only; needs no transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rights_movement")
        movements = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM rights_pocket")
        pockets = cursor.fetchone()[0]
        found = Audit(
            pockets=pockets,
            movements=movements,
            owned=_totals(cursor, HOLDER_KINDS),
            reserved=_totals(cursor, (PocketKind.RESERVED,)),
        )
        for rule, query in _QUERIES.items():
            cursor.execute(f"{query} LIMIT {MOST_FINDINGS}")
            _note(found, rule, [Finding(rule, *row) for row in cursor.fetchall()])
        _note(found, "guard_is_in_place", list(_missing_guards(cursor)))
    return found


@dataclass(frozen=True, slots=True)
class Check:
    """What is kept of the last nightly check: when, how many movements were read, how much is wrong."""

    at: datetime
    movements: int
    findings: int


def nightly_check(*, at: datetime) -> Audit:
    """Check, and keep the outcome for the operator's desk: unknown again if the cache is lost."""
    found = audit()
    cache.set(_LAST_CHECK, (at, found.movements, len(found.findings)), timeout=None)
    return found


def last_check() -> Check | None:
    """None: nobody knows."""
    kept = cache.get(_LAST_CHECK)
    return None if kept is None else Check(*kept)


_LAST_CHECK = "ledger:last-check"


def _note(audit: Audit, rule: str, findings: list[Finding]) -> None:
    audit.rules[rule] = len(findings)
    audit.findings.extend(findings)


def _totals(cursor, kinds: tuple) -> dict[str, int]:
    cursor.execute(
        "SELECT unit, sum(balance)::bigint FROM rights_pocket WHERE kind = ANY(%s) GROUP BY unit",
        [[kind.value for kind in kinds]],
    )
    return {unit.value: 0 for unit in Unit} | dict(cursor.fetchall())


def _missing_guards(cursor) -> Iterator[Finding]:
    """Constraints and triggers that the models declare and this database lacks, or has switched off."""
    for model in (Pocket, Movement, Earmark, Envelope):
        table = model._meta.db_table
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND convalidated"
            " UNION SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE indrelid = %s::regclass AND indisunique AND indisvalid",
            [table, table],
        )
        present = {name for (name,) in cursor.fetchall()}
        for constraint in model._meta.constraints:
            if constraint.name not in present:
                yield Finding("guard_is_in_place", constraint.name, f"constraint missing on {table}")
        for trigger in getattr(model._meta, "triggers", ()):
            status, is_enabled = trigger.get_installation_status(model)
            if status != pgtrigger.core.INSTALLED or not is_enabled:
                state = status.lower() if status != pgtrigger.core.INSTALLED else "disabled"
                yield Finding("guard_is_in_place", trigger.name, f"trigger {state} on {table}")

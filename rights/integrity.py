"""The second net: recompute everything from the movements, and find what the guards should have refused.

A guard can be taken away (by who owns the tables, a restored dump, a careless migration). Each rule below
is one statement, so it reads one consistent moment of a busy database. The seals of past days find what no
rule can: a true-looking movement that is not the one recorded.
"""

# ruff: noqa: S608, the queries are made of our own words only

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pgtrigger
from django.db import connection
from django.utils.translation import gettext_lazy as _

from rights import claims, seals
from rights.kinds import (
    ADJUSTMENTS,
    EURO_KINDS,
    FAULTS,
    FILLS_A_LINE,
    FUNDED_KINDS,
    GIVES_BACK,
    HOLDER_KINDS,
    LINE_KINDS,
    NOT_OPENED_ONCE,
    OWNERLESS_KINDS,
    WORLD_KINDS,
    FunderKind,
    MovementKind,
    PocketKind,
    Unit,
)
from rights.models import Adjustment, Earmark, Envelope, LedgerCheck, Movement, Pocket, Seal, SealedMovement

MOST_FINDINGS = 1_000
"""By rule: a broken guard may touch every row, and nobody reads a million lines."""
KEPT_FINDINGS = 50
"""Of a nightly check, for whoever reads it in the administration."""
# Not law: before the first of these nobody had a right to training in hours (DIF), before the second no
# account held euros or hours (CPF); a later value date than the third is a slip.
EARLIEST_VALUE, EARLIEST_RECORD, LATEST_VALUE = "2004-01-01", "2015-01-01", "366 days"


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


def _in(kinds: Iterable) -> str:
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
        WHERE kind NOT IN {_in(NOT_OPENED_ONCE)}
        GROUP BY holder_id, organisation_id, kind, unit, label, funder_kind, expires_on, origin, envelope_id,
            earmark_id
        HAVING count(*) > 1""",
    # It would hide money from the dossier that is thought to hold it.
    "reserved_pocket_is_filled_once": f"""
        SELECT 'pocket:' || p.id, 'filled ' || count(m.id) || ' times'
        FROM rights_pocket p
        LEFT JOIN rights_movement m ON m.target_id = p.id AND m.kind IN {_in(FILLS_A_LINE)}
        WHERE p.kind IN {_in(LINE_KINDS)} GROUP BY p.id HAVING count(m.id) <> 1""",
    "pocket_of_what_is_due_names_to_whom": f"""
        SELECT 'pocket:' || id, kind || ', organisation ' || coalesce(organisation_id::text, 'none')
        FROM rights_pocket WHERE (kind = '{PocketKind.PROVIDER.value}') <> (organisation_id IS NOT NULL)""",
    "pocket_is_of_a_known_kind": f"""
        SELECT 'pocket:' || id, kind || ' in ' || unit || ', funder « ' || funder_kind || ' »'
        FROM rights_pocket WHERE kind NOT IN {_in(PocketKind)} OR unit NOT IN {_in(Unit)}
        OR funder_kind NOT IN ('', {_in(FunderKind)[1:-1]})""",
    "pocket_of_euros_holds_no_hours": f"""
        SELECT 'pocket:' || id, kind || ' in ' || unit FROM rights_pocket
        WHERE kind IN {_in(EURO_KINDS)} AND unit <> '{Unit.EUR_CENT.value}'""",
    "pocket_of_a_funder_only_names_its_kind": f"""
        SELECT 'pocket:' || id, kind || ', funder « ' || funder_kind || ' »' FROM rights_pocket
        WHERE funder_kind <> '' AND kind NOT IN {_in((*FUNDED_KINDS, PocketKind.ENVELOPE))}""",
    "pocket_of_a_funder_only_has_terms": f"""
        SELECT 'pocket:' || id, kind || ', origin « ' || origin || ' »' FROM rights_pocket
        WHERE kind NOT IN {_in(FUNDED_KINDS)}
        AND (origin <> '' OR envelope_id IS NOT NULL OR earmark_id IS NOT NULL)""",
    # Value comes with the pocket or not at all: one that was never moved was written by hand.
    "pocket_is_opened_by_a_movement": f"""
        SELECT 'pocket:' || id, kind || ', never moved' FROM rights_pocket p
        WHERE balance = 0 AND kind NOT IN {_in(NOT_OPENED_ONCE)} AND NOT EXISTS (
            SELECT FROM rights_movement m WHERE m.source_id = p.id)
        AND NOT EXISTS (SELECT FROM rights_movement m WHERE m.target_id = p.id)""",
    # Numbers follow the locks of a pocket: what was there after each movement is the sum so far.
    "pocket_was_never_overdrawn": f"""
        SELECT 'movement:' || past.id, 'pocket ' || pocket_id || ' held ' || held FROM (
            SELECT id, pocket_id, sum(amount) OVER (PARTITION BY pocket_id ORDER BY id) AS held FROM (
                SELECT id, target_id AS pocket_id, amount FROM rights_movement
                UNION ALL SELECT id, source_id, -amount FROM rights_movement) AS ends
        ) AS past JOIN rights_pocket p ON p.id = pocket_id
        WHERE held < 0 AND p.kind NOT IN {_in(WORLD_KINDS)}""",
    "movement_is_of_a_known_kind": f"""
        SELECT 'movement:' || id, 'kind ' || kind FROM rights_movement
        WHERE kind NOT IN {_in(MovementKind)}""",
    "movement_has_plausible_dates": f"""
        SELECT 'movement:' || id, 'value date ' || value_date || ', recorded ' || recorded_at
        FROM rights_movement WHERE value_date < '{EARLIEST_VALUE}' OR recorded_at < '{EARLIEST_RECORD}'
        OR value_date > (recorded_at AT TIME ZONE 'Europe/Paris')::date + interval '{LATEST_VALUE}'""",
    # Two joins, each by its own index: one with OR would compare every movement with every other.
    "movement_comes_after_what_it_undoes": f"""
        SELECT 'movement:' || m.id, m.kind || ' of ' || o.id FROM rights_movement m
        JOIN rights_movement o ON o.id = m.reverses_id WHERE m.id <= o.id
        UNION ALL SELECT 'movement:' || m.id, m.kind || ' of ' || o.id FROM rights_movement m
        JOIN rights_movement o ON o.target_id = m.source_id AND o.kind IN {_in(FILLS_A_LINE)}
        WHERE m.kind IN {_in((*GIVES_BACK, MovementKind.UNSPEND))} AND m.id <= o.id""",
    "movement_key_is_shaped": """
        SELECT 'movement:' || id, 'key « ' || key || ' »' FROM rights_movement
        WHERE key <> btrim(key) OR key ~ '[[:cntrl:]]'""",
    "movement_formula_is_shaped": """
        SELECT 'movement:' || id, 'formula ' || left(formula::text, 80) FROM rights_movement
        WHERE formula <> '[]' AND CASE jsonb_typeof(formula) WHEN 'array' THEN EXISTS (
            SELECT FROM jsonb_array_elements(formula) AS line WHERE CASE jsonb_typeof(line) WHEN 'array' THEN
                jsonb_array_length(line) <> 2 OR jsonb_typeof(line -> 0) <> 'string'
                OR jsonb_typeof(line -> 1) <> 'string' ELSE true END) ELSE true END""",
    "movement_reversal_names_what_it_reverses": f"""
        SELECT 'movement:' || id, kind || ' of ' || coalesce(reverses_id::text, 'nothing')
        FROM rights_movement WHERE (kind = '{MovementKind.REVERSAL.value}') <> (reverses_id IS NOT NULL)""",
    "adjustment_takes_two_persons": """
        SELECT 'adjustment:' || id, state || ' by ' || coalesce(decided_by_id::text, 'nobody')
        FROM rights_adjustment WHERE (state = 'proposed') <> (decided_by_id IS NULL)
        OR (state IN ('confirmed', 'rejected') AND decided_by_id = proposed_by_id)""",
    "adjustment_is_posted_once": f"""
        SELECT 'adjustment:' || a.id, a.state || ', ' || count(m.id) || ' movements' FROM rights_adjustment a
        LEFT JOIN rights_movement m ON m.key = 'adjustment:' || a.id AND m.kind IN {_in(ADJUSTMENTS)}
        GROUP BY a.id HAVING count(m.id) <> CASE a.state WHEN 'confirmed' THEN 1 ELSE 0 END""",
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
    "pocket_was_never_overdrawn": _("aucun solde n’a jamais été négatif, à aucune date"),
    "pocket_is_opened_by_a_movement": _("aucune poche n’est ouverte sans mouvement"),
    "pocket_is_of_a_known_kind": _("chaque poche est d’une nature et d’une unité connues"),
    "pocket_of_euros_holds_no_hours": _("ce qui se compte en euros ne contient pas d’heures"),
    "pocket_of_a_funder_only_names_its_kind": _(
        "seuls une enveloppe et ce qu’un financeur verse disent la sorte de financeur"
    ),
    "pocket_of_a_funder_only_has_terms": _(
        "seul ce qu’un financeur attribue a une origine, une enveloppe ou un fléchage"
    ),
    "pocket_of_a_person_has_a_holder": _(
        "seules les poches extérieures, les enveloppes et ce qui est dû aux organismes n’ont pas de titulaire"
    ),
    "pocket_of_what_is_due_names_to_whom": _("ce qui est dû l’est à un organisme, et lui seul est nommé"),
    "purse_is_opened_once": _("aucune poche n’est ouverte deux fois"),
    "reserved_pocket_is_filled_once": _("chaque réservation est remplie une seule fois"),
    "reserved_pocket_is_claimed": _("chaque somme réservée l’est pour un seul dossier"),
    "movement_is_of_a_known_kind": _("chaque mouvement est d’une nature connue"),
    "movement_has_plausible_dates": _("chaque mouvement a des dates plausibles"),
    "movement_comes_after_what_it_undoes": _("ce qui rend ou corrige vient après ce qu’il défait"),
    "movement_key_is_shaped": _("chaque clé est bien formée"),
    "movement_formula_is_shaped": _("chaque calcul est une suite de lignes « quoi, combien »"),
    "movement_reversal_names_what_it_reverses": _("chaque correction, et elle seule, dit ce qu’elle corrige"),
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
    "entry_is_undone_as_it_was": _("une entrée annulée rend toute la somme à sa réservation"),
    "credit_note_is_of_a_payment": _("un avoir vient toujours d’un paiement du titulaire"),
    "movement_reverses_a_credit": _("chaque correction est son crédit, à l’envers"),
    "movement_adjusts_by_two_persons": _("chaque régularisation est confirmée par une autre personne"),
    "adjustment_takes_two_persons": _("personne ne décide de ce qu’il a proposé"),
    "adjustment_is_posted_once": _("chaque régularisation confirmée a un seul mouvement"),
    "guard_is_in_place": _("chaque contrainte et chaque déclencheur est en place"),
}
"""What each rule says, in words."""
SEAL_RULES = {
    "movement_is_as_sealed": _("chaque mouvement scellé est tel qu’il a été enregistré"),
    "sealed_movements_are_all_there": _("aucun mouvement scellé ne manque"),
    "movement_is_sealed": _("aucun mouvement n’a été glissé parmi ceux des jours scellés"),
    "seal_is_its_movements": _("chaque sceau est celui de ses mouvements"),
    "seal_is_its_hash": _("chaque sceau porte sa propre empreinte"),
    "seals_are_chained": _("chaque sceau suit celui de la veille"),
    "seal_of_every_day": _("aucun jour ne manque"),
    "seals_are_those_seen_before": _("les sceaux vus par les vérifications passées sont toujours là"),
}
"""The same, for what only the seals can tell."""


def check() -> list[Finding]:
    """All that is wrong with the ledger; empty when it is sound."""
    return audit().findings


def audit(*, verify_seals: bool = False) -> Audit:
    """Check every rule and count what was looked at. Reads only; needs no transaction.

    `verify_seals`: recompute the chain of days too, which reads every movement.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rights_movement")
        movements = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM rights_pocket")
        pockets = cursor.fetchone()[0]
        found = Audit(
            pockets=pockets,
            movements=movements,
            owned=_totals(cursor, HOLDER_KINDS),
            reserved=_totals(cursor, LINE_KINDS),
        )
        for rule, query in _queries().items():
            cursor.execute(f"{query} LIMIT {MOST_FINDINGS}")
            _note(found, rule, [Finding(rule, *row) for row in cursor.fetchall()])
        _note(found, "guard_is_in_place", list(_missing_guards(cursor)))
    if verify_seals:
        _note_seals(found)
    return found


def _queries() -> dict[str, str]:
    claimed = " UNION ALL ".join(claims.CLAIMS) or "SELECT id FROM rights_pocket"
    return _QUERIES | {
        "reserved_pocket_is_claimed": f"""
            SELECT 'pocket:' || p.id, 'balance ' || p.balance || ', claimed ' || count(claim.id) || ' times'
            FROM rights_pocket p LEFT JOIN ({claimed}) AS claim (id) ON claim.id = p.id
            WHERE p.kind IN {_in(LINE_KINDS)} GROUP BY p.id
            HAVING count(claim.id) > 1 OR (count(claim.id) = 0 AND p.balance > 0)"""
    }


def _note_seals(found: Audit) -> None:
    """In the order of days, so that the first finding of them is the first day that differs."""
    found.rules.update(dict.fromkeys(SEAL_RULES, 0))
    for each in seals.differences():
        found.rules[each.rule] += 1
        if found.rules[each.rule] <= MOST_FINDINGS:
            subject = f"seal:{each.day}" if each.movement_id is None else f"movement:{each.movement_id}"
            found.findings.append(Finding(each.rule, subject, f"{each.day}, {each.details}"))


def nightly_check(*, at: datetime) -> Audit:
    """Check everything, and keep the outcome with the head of the chain, which later checks look for."""
    found = audit(verify_seals=True)
    head = seals.head()
    LedgerCheck.objects.create(
        at=at,
        pockets=found.pockets,
        movements=found.movements,
        findings=len(found.findings),
        worst=[[each.rule, each.subject, each.details] for each in found.findings[:KEPT_FINDINGS]],
        head_day=head.day if head else None,
        head_hash=head.hash if head else "",
    )
    return found


def last_check() -> LedgerCheck | None:
    """None: it was never checked."""
    return LedgerCheck.objects.order_by("-at", "-pk").first()


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
    cursor.execute("SHOW session_replication_role")
    if (role := cursor.fetchone()[0]) != "origin":
        yield Finding("guard_is_in_place", "session_replication_role", f"{role}: no trigger runs")
    for model in (Pocket, Movement, Earmark, Envelope, Seal, SealedMovement, LedgerCheck, Adjustment):
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

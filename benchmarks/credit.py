"""How long a year takes to credit, beside one raw SQL statement that writes the same rows; memory; kill -9.

    python3 dev.py run benchmarks/credit.py [--accounts 1000000] [--kills 20] [--kill-accounts 100000]

Ours reads the statements of every account (hours, days, pay, months, several employers, increases, balances
near their cap), computes each year exactly, and posts lot by lot. The yardstick, in the same run and on a
copy of the same database: one INSERT that writes the very rows ours wrote (pockets, yearly credits,
movements) into the same tables, with their indexes and triggers. It reads them ready-made and computes
nothing. Then both again, where there is nothing left to do. Then ours on fewer accounts, killed with kill -9
at random moments and resumed: it must end with the same rows as a run that nobody disturbed.
Ends with 1 when a goal is missed. Every database it makes is dropped at the end.
"""

import argparse
import json
import os
import random
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection  # noqa: E402 - needs Django
from django.test.utils import setup_databases, teardown_databases  # noqa: E402 - needs Django

from accounts.actors import SYSTEM  # noqa: E402 - needs Django
from benchmarks import databases  # noqa: E402 - needs Django
from rights import crediting_year  # noqa: E402 - needs Django

MOST_TIMES = 1.5  # of the raw statement
MOST_TIMES_AGAIN = 2.0  # of the raw statement that finds everything written
MOST_MEMORY_MB = 300
YEAR = 2025
WORKERS = 2  # as `credit_rights` does
AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)

PEOPLE = """
    INSERT INTO accounts_holderprofile (id, reference, birth_name, used_name, first_names, birth_name_key,
        used_name_key, first_names_key, birth_date, sex, phone, address, postal_code, town, status,
        has_apprenticeship, diploma, imported_at, freeze_reason, frozen_by)
    SELECT gen_random_uuid(), 'bench-' || n, 'Nom ' || n, '', 'Prénom', 'nom' || n, '', 'prenom',
        date '1960-01-01' + (n %% 15000), '', '', '', '', '', 'private_employee', false, '', now(), '', ''
    FROM generate_series(1, %(accounts)s) n
"""
# One statement each, a second one for every eighth; what they say goes round the statuses and measures.
STATEMENTS = """
    INSERT INTO rights_yearlystatement (holder_id, year, employer_siret, status, measure, worked, reference,
        absences, agreed_cents, boe, is_paid_up, starts_on, ends_on, content, source, imported_at)
    SELECT id, %(year)s, siret, status, measure,
        CASE measure
            WHEN 'hours' THEN CASE WHEN n %% 5 < 2 THEN 1607 ELSE round((random() * 1600)::numeric, 2) END
            WHEN 'days' THEN floor(random() * 218) WHEN 'months' THEN 1 + floor(random() * 12)
            ELSE floor(random() * 3000000) END,
        CASE WHEN measure = 'hours' AND n %% 5 = 0 THEN 1582 END,
        CASE WHEN measure = 'hours' AND n %% 25 = 0 THEN '{"maternity": 20000}'::jsonb ELSE '{}' END,
        0, n %% 12 = 0 AND status = 'private', true, make_date(%(year)s, 1, 1), make_date(%(year)s, 12, 31),
        md5(n::text), '', now()
    FROM (
        SELECT id, n, siret,
            CASE WHEN n %% 20 = 0 THEN 'self_employed' WHEN n %% 20 = 1 THEN 'public'
                WHEN n %% 20 = 2 THEN 'entertainment' ELSE 'private' END AS status,
            CASE WHEN n %% 20 IN (0, 1) THEN 'months' WHEN n %% 20 = 3 THEN 'days'
                WHEN n %% 20 = 4 THEN 'pay_cents' ELSE 'hours' END AS measure
        FROM (SELECT id, substr(reference, 7)::int AS n FROM accounts_holderprofile
              WHERE reference LIKE 'bench-%%') numbered
        CROSS JOIN (VALUES ('10000001500014'), ('10000002300015')) AS employer (siret)
        WHERE siret = '10000001500014' OR n %% 8 = 5
    ) AS said
"""
DECLARATIONS = """
    INSERT INTO rights_declaration (holder_id, kind, from_year, state, reason, declared_at, decided_at)
    SELECT id, 'low_qualified', %(year)s - 1, 'confirmed', '', now(), now() FROM accounts_holderprofile
    WHERE substr(reference, 7)::int %% 10 = 0
"""
# A third have rights from the years before; some are near their cap.
POCKETS = """
    INSERT INTO rights_pocket (id, kind, unit, holder_id, label, funder_kind, origin, balance)
    SELECT gen_random_uuid(), 'state', 'eur_cent', NULL::uuid, '', '', '', NULL::bigint
    UNION ALL SELECT gen_random_uuid(), 'annual', 'eur_cent', id, '', '', '', 0 FROM accounts_holderprofile
    WHERE substr(reference, 7)::int %% 3 = 0
"""
MOVEMENTS = """
    INSERT INTO rights_movement (source_id, target_id, amount, kind, key, reason, formula, value_date,
        recorded_at)
    SELECT state.id, purse.id, 100000 + floor(random() * 400001), 'credit', 'bench:' || purse.id, '', '[]',
        date '2025-05-01', now()
    FROM rights_pocket purse, rights_pocket state WHERE purse.kind = 'annual' AND state.kind = 'state'
"""

# The rows that a run adds, as it left them, except what the database writes by itself: balances and ids.
POCKET_COLUMNS = "id, kind, unit, holder_id, label, funder_kind, expires_on, origin"
CREDIT_COLUMNS = (
    "holder_id, year, version, unit, annual, increase, lost, cap, balance_before, formula, statement_ids,"
    " declaration_ids, recorded_at"
)
MOVEMENT_COLUMNS = (
    "kind, key, source_id, target_id, amount, reason, formula, value_date, recorded_at, recorded_by_id"
)
# Table of ready-made rows → where they come from, their columns, and which of them a run added.
READY_MADE = {
    "ready_pocket": (
        "rights_pocket",
        POCKET_COLUMNS,
        "NOT EXISTS (SELECT FROM rights_movement m WHERE m.key = 'bench:' || rights_pocket.id)"
        " AND NOT (kind = 'state' AND unit = 'eur_cent')",
    ),
    "ready_credit": ("rights_yearlycredit", CREDIT_COLUMNS, "true"),
    "ready_movement": ("rights_movement", MOVEMENT_COLUMNS, "key LIKE 'annual:%'"),
}
RAW = f"""
    WITH pockets AS (
        INSERT INTO rights_pocket ({POCKET_COLUMNS}, balance)
        SELECT {POCKET_COLUMNS}, CASE WHEN holder_id IS NULL THEN NULL ELSE 0 END FROM ready_pocket
        ON CONFLICT DO NOTHING
    ), credits AS (
        INSERT INTO rights_yearlycredit ({CREDIT_COLUMNS}) SELECT {CREDIT_COLUMNS} FROM ready_credit
        ON CONFLICT (holder_id, year, version) DO NOTHING
    )
    INSERT INTO rights_movement ({MOVEMENT_COLUMNS}) SELECT {MOVEMENT_COLUMNS} FROM ready_movement
    ON CONFLICT (key) DO NOTHING
"""
# All that matters of what a run wrote, whatever its order and its ids.
CONTENT = """
    SELECT (SELECT count(*) FROM rights_yearlycredit), (SELECT count(*) FROM rights_movement),
        (SELECT sum(amount) FROM rights_movement WHERE key LIKE 'annual:%'),
        (SELECT sum(balance) FROM rights_pocket),
        (SELECT md5(string_agg(md5(concat_ws('|', holder_id, version, unit, annual, increase, lost, cap,
            balance_before, formula, statement_ids, declaration_ids)), '' ORDER BY holder_id, version))
         FROM rights_yearlycredit),
        (SELECT md5(string_agg(md5(key || '|' || amount), '' ORDER BY key)) FROM rights_movement
         WHERE key LIKE 'annual:%'),
        (SELECT md5(string_agg(concat_ws('|', holder_id, kind, unit, balance), ''
            ORDER BY holder_id, kind, unit)) FROM rights_pocket)
"""


def main() -> None:
    options = arguments()
    if options.worker:
        work(options.lot)
        return
    made = setup_databases(verbosity=0, interactive=False)
    missed = []
    try:
        missed += compare(options.accounts)
        if options.kills:
            missed += survive(options.kill_accounts, options.kills)
    finally:
        teardown_databases(made, verbosity=0)
    for goal in missed:
        print(f"NOT REACHED: {goal}")
    print("every goal reached" if not missed else f"{len(missed)} goals missed")
    sys.exit(1 if missed else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20, help="0: leave the exercise out")
    parser.add_argument("--kill-accounts", type=int, default=100_000)
    parser.add_argument("--lot", type=int, default=crediting_year.LOT)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- Our process ------------------------------------------------------------------------------------


def work(lot: int) -> None:
    """Credit the year in the database of the environment, and say how it went."""
    print("ready", flush=True)
    start = time.perf_counter()
    report = crediting_year.credit_year(YEAR, at=AT, by=SYSTEM, lot=lot, workers=WORKERS)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory_mb": memory, "seen": report.seen}))


def worker(database: str, *, lot: int = crediting_year.LOT):
    return databases.worker(__file__, database, "--worker", "--lot", str(lot))


# --- Databases --------------------------------------------------------------------------------------


def populate(database: str, accounts: int) -> None:
    with databases.raw_connection(database) as raw:
        raw.execute("SELECT setseed(0.5)")
        for statement in (PEOPLE, STATEMENTS, DECLARATIONS, POCKETS, MOVEMENTS):
            raw.execute(statement, {"accounts": accounts, "year": YEAR})
        raw.execute("VACUUM ANALYZE")


def content(database: str) -> tuple:
    with databases.raw_connection(database) as raw:
        return raw.execute(CONTENT).fetchone()


# --- The two exercises --------------------------------------------------------------------------------


def compare(accounts: int) -> list[str]:
    base = connection.settings_dict["NAME"]
    missed = []
    with databases.copy_of(base, f"{base}_model") as model:
        populate(model, accounts)
        with (
            databases.copy_of(model, f"{base}_ours") as ours,
            databases.copy_of(model, f"{base}_peer") as peer,
        ):
            databases.settle(ours)
            first = databases.finish(worker(ours))
            databases.settle(ours)
            again = databases.finish(worker(ours))
            if again["seen"]:
                sys.exit(f"the second run found {again['seen']} accounts to do")
            databases.hand_over(
                ours,
                peer,
                {
                    table: f"SELECT {columns} FROM {original} WHERE {added}"
                    for table, (original, columns, added) in READY_MADE.items()
                },
            )
            databases.settle(peer)
            raw_first, raw_again = raw_statement(peer), raw_statement(peer)
            if content(ours) != content(peer):
                sys.exit(f"the raw statement wrote other rows: {content(ours)} {content(peer)}")
            if wrong := databases.findings(ours):
                sys.exit(f"the ledger is wrong after the run: {wrong[:3]}")
    ratio, ratio_again = first["seconds"] / raw_first, again["seconds"] / raw_again
    print(f"{accounts} accounts: ours {first['seconds']:.1f} s, raw statement {raw_first:.1f} s")
    print(f"again: ours {again['seconds']:.2f} s, raw statement {raw_again:.2f} s")
    for words, figure, goal in (
        (f"{ratio:.2f} times the raw statement, goal {MOST_TIMES}", ratio, MOST_TIMES),
        (f"again {ratio_again:.2f} times, goal {MOST_TIMES_AGAIN}", ratio_again, MOST_TIMES_AGAIN),
        (f"memory {first['memory_mb']:.0f} MB, goal {MOST_MEMORY_MB}", first["memory_mb"], MOST_MEMORY_MB),
    ):
        print(words)
        if figure > goal:
            missed.append(words)
    return missed


def raw_statement(database: str) -> float:
    with databases.raw_connection(database) as raw:
        start = time.perf_counter()
        raw.execute(RAW)
        return time.perf_counter() - start


def survive(accounts: int, kills: int) -> list[str]:
    """kill -9 at random moments, then to the end: the same rows as without."""
    base = connection.settings_dict["NAME"]
    chance = random.Random(4)
    lot = max(100, accounts // (kills * 10))
    with databases.copy_of(base, f"{base}_model") as model:
        populate(model, accounts)
        with (
            databases.copy_of(model, f"{base}_calm") as calm,
            databases.copy_of(model, f"{base}_storm") as storm,
        ):
            whole = databases.finish(worker(calm, lot=lot))["seconds"]
            killed = 0
            while killed < kills:
                process = worker(storm, lot=lot)
                time.sleep(chance.uniform(0, 1.5 * whole / kills))
                process.kill()
                process.wait()
                process.stdout.close()
                killed += 1
            done = content(storm)[0]
            left = databases.finish(worker(storm, lot=lot))["seen"]
            same, wrong = content(storm) == content(calm), databases.findings(storm)
    print(
        f"killed {killed} times: {done} of {accounts} accounts were done, {left} at the end; "
        f"same rows as undisturbed: {'yes' if same else 'NO'}; findings of the check: {len(wrong)}"
    )
    return [] if same and not wrong and done + left == accounts else ["totals exact after kill -9"]


if __name__ == "__main__":
    main()

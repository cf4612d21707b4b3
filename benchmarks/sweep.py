"""The sweep of deadlines over a million dossiers, beside one raw SQL statement that writes the same rows.

    python3 dev.py run benchmarks/sweep.py [--dossiers 1000000] [--due 200000] [--enrolling 60]

One dossier of each sort is brought to its state by the verbs, then cloned: most are closed or wait for later,
some wait for a clock that is over (answers, payments with money reserved, free cancellations). Ours settles
these lot by lot, with all their effects: transitions, states, clocks closed and opened, silences, money back,
notices. The yardstick, in the same run and on a copy of the same database: one statement that writes the very
rows ours wrote, ready-made, into the same tables with their indexes and triggers. Then ours again on another
copy, while people enrol by the verbs: how much slower they are for it.
Ends with 1 when a goal is missed.
Every database it makes is dropped at the end.
"""

import argparse
import json
import os
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 - needs Django
from django.test.utils import setup_databases, teardown_databases  # noqa: E402 - needs Django

from accounts.models import HolderProfile, Membership, Organisation, User  # noqa: E402 - needs Django
from benchmarks import databases  # noqa: E402 - needs Django
from catalog.models import Provider  # noqa: E402 - needs Django
from dossiers import deadlines  # noqa: E402 - needs Django
from dossiers.models import Deadline, Dossier, FundingLine, Transition  # noqa: E402 - needs Django
from dossiers.tasks import SWEEPERS  # noqa: E402 - needs Django
from rights.models import Movement, Pocket  # noqa: E402 - needs Django
from tests.factories.accounts import MembershipFactory  # noqa: E402 - needs Django
from tests.factories.catalog import SessionFactory  # noqa: E402 - needs Django
from tests.factories.dossiers import DossierFactory, act, in_business_days  # noqa: E402 - needs Django

MOST_TIMES = 1.5  # of the raw statement, on an idle database
LONGEST_SECONDS = 1.0  # of one transaction
MOST_SLOWER = 2.0  # who enrols meanwhile
ASKED = datetime(2026, 3, 2, 9, tzinfo=UTC)
AT = datetime(2026, 6, 1, 6, tzinfo=UTC)
"""Every clock opened at ASKED is over, and the training of those who wait for it has begun."""
DOSSIERS_OF_AN_ORGANISATION = 500
# Of a hundred dossiers that are due: sort, how many, and the clock that is over.
DUE = (
    ("requested", 40, "provider_answer"),
    ("proposed", 25, "holder_answer"),
    ("awaiting_payment", 15, "payment"),
    ("accepted", 20, "withdrawal"),
)
PART = 50_000
ENROLLING = 200
NEXT_ID = "nextval(pg_get_serial_sequence('{table}', 'id'))"

# What a run writes: table → columns, and which rows are new since the copy.
NEW = {
    "dossiers_transition": (
        "dossier_id, verb, from_state, to_state, role, user_id, at, request_id, cause, reason, details",
        "at = %(at)s",
    ),
    "dossiers_deadline": (
        "dossier_id, kind, opened_at, last_day, due_at, skipped, closed_at, outcome, next_reminder_at,"
        " opened_by_relief_id",
        "opened_at = %(at)s",
    ),
    "notices_notice": (
        "id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error",
        "created_at = %(at)s",
    ),
    "rights_movement": (
        "kind, source_id, target_id, amount, key, reason, formula, reverses_id, value_date, recorded_at,"
        " recorded_by_id",
        "recorded_at = %(at)s",
    ),
}
RAW = f"""
    WITH closed AS (
        UPDATE dossiers_deadline clock SET closed_at = %(at)s, outcome = 'missed', next_reminder_at = NULL
        FROM ready_closed WHERE clock.id = ready_closed.id
    ), silences AS (
        UPDATE dossiers_dossier dossier SET silent_party = ready_silence.silent_party
        FROM ready_silence WHERE dossier.id = ready_silence.id
    ), opened AS (
        INSERT INTO dossiers_deadline ({NEW["dossiers_deadline"][0]}) SELECT * FROM ready_dossiers_deadline
    ), told AS (
        INSERT INTO notices_notice ({NEW["notices_notice"][0]}) SELECT * FROM ready_notices_notice
        ON CONFLICT DO NOTHING
    ), given_back AS (
        INSERT INTO rights_movement ({NEW["rights_movement"][0]}) SELECT * FROM ready_rights_movement
        ON CONFLICT (key) DO NOTHING
    )
    INSERT INTO dossiers_transition ({NEW["dossiers_transition"][0]})
    SELECT * FROM ready_dossiers_transition
"""
CONTENT = """
    SELECT (SELECT md5(string_agg(concat_ws('|', state, number, n), '' ORDER BY state, number)) FROM (
                SELECT state, silent_party AS number, count(*) AS n FROM dossiers_dossier GROUP BY 1, 2) s),
        (SELECT count(*) FROM dossiers_transition), (SELECT count(*) FROM notices_notice),
        (SELECT count(*) FROM rights_movement),
        (SELECT sum(balance) FROM rights_pocket WHERE kind = 'annual'),
        (SELECT md5(string_agg(concat_ws('|', kind, outcome, closed_at, n), '' ORDER BY kind, outcome)) FROM (
            SELECT kind, outcome, closed_at, count(*) AS n FROM dossiers_deadline GROUP BY 1, 2, 3) c)
"""


def main() -> None:
    options = arguments()
    if options.worker:
        print(json.dumps(globals()[options.worker](options)), flush=True)
        return
    made = setup_databases(verbosity=0, interactive=False)
    try:
        missed = compare(options)
    finally:
        teardown_databases(made, verbosity=0)
    for goal in missed:
        print(f"NOT REACHED: {goal}")
    print("every goal reached" if not missed else f"{len(missed)} goals missed")
    sys.exit(1 if missed else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dossiers", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=200_000)
    parser.add_argument("--enrolling", type=int, default=60, help="seconds, before and during the sweep")
    parser.add_argument("--worker", choices=["sweep", "enrol"], help=argparse.SUPPRESS)
    return parser.parse_args()


# --- The two sides --------------------------------------------------------------------------------------


def sweep(options) -> dict:
    """In a process of its own: settle all that is over; seconds, and those of the longest transaction."""
    longest = 0.0

    def timed(settle):
        def settled(due, at):
            nonlocal longest
            begun = time.perf_counter()
            done = settle(due, at)
            longest = max(longest, time.perf_counter() - begun)
            return done

        return settled

    for kind, settle in deadlines.TOGETHER.items():
        deadlines.TOGETHER[kind] = timed(settle)
    print("ready", flush=True)
    begun = time.perf_counter()
    report = deadlines.settle_overdue(at=AT, limit=options.due * 2, workers=SWEEPERS)
    seconds = time.perf_counter() - begun
    if report.set_aside:
        sys.exit(f"set aside: {list(report.set_aside.values())[:3]}")
    return {"seconds": seconds, "longest": longest, "settled": report.settled}


def enrol(options) -> dict:
    """Request, proposal, agreement, by the verbs, draft after draft; how many, how fast."""
    drafts = Dossier.objects.filter(state="draft").order_by("number")
    people = list(drafts.select_related("session", "holder__user", "provider__organisation"))
    print("ready", flush=True)
    begun, times = time.perf_counter(), []
    for dossier in people[: len(people) // 2 + 1]:
        session = dossier.session
        if time.perf_counter() - begun > options.enrolling:
            break
        start = time.perf_counter()
        for verb in ("submit", "propose", "accept"):
            terms = {
                "price_cents": dossier.offer.price_cents,
                "starts_on": session.starts_on,
                "ends_on": session.ends_on,
            }
            act(verb, dossier, at=AT, **(terms if verb == "propose" else {}))
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times), "count": len(times)}


def worker(role: str, database: str, options):
    told = ("--due", str(options.due), "--enrolling", str(options.enrolling))
    return databases.worker(__file__, database, "--worker", role, *told)


def compare(options) -> list[str]:
    base = connection.settings_dict["NAME"]
    begun = time.perf_counter()
    populate(options)
    print(f"{options.dossiers} dossiers, {options.due} due, made in {time.perf_counter() - begun:.0f} s")
    with databases.copy_of(base, f"{base}_ours") as ours, databases.copy_of(base, f"{base}_peer") as peer:
        databases.settle(ours)
        first = databases.finish(worker("sweep", ours, options))
        if first["settled"] != options.due:
            sys.exit(f"settled {first['settled']} of {options.due}")
        if wrong := databases.findings(ours):
            sys.exit(f"the ledger is wrong after the run: {wrong[:3]}")
        databases.hand_over(ours, peer, ready_made())
        databases.settle(peer)
        raw = raw_statement(peer)
        if content(ours) != content(peer):
            sys.exit(f"the raw statement wrote other rows: {content(ours)} {content(peer)}")
    with databases.copy_of(base, f"{base}_busy") as busy:
        databases.settle(busy)
        alone = databases.finish(worker("enrol", busy, options))
        sweeping = worker("sweep", busy, options)
        beside = databases.finish(worker("enrol", busy, options))
        if sweeping.poll() is not None:
            print("the sweep ended before those who enrolled beside it: more due are needed")
        meanwhile = databases.finish(sweeping)
    slower = beside["seconds"] / alone["seconds"]
    longest = max(first["longest"], meanwhile["longest"])
    print(f"ours {first['seconds']:.1f} s, raw statement {raw:.1f} s")
    print(
        f"a registration by the verbs: alone {alone['seconds'] * 1000:.0f} ms, beside the sweep"
        f" {beside['seconds'] * 1000:.0f} ms (median of {beside['count']})"
    )
    missed = []
    for words, figure, goal in (
        ("times the raw statement", first["seconds"] / raw, MOST_TIMES),
        ("s for the longest transaction", longest, LONGEST_SECONDS),
        ("times slower, who enrols meanwhile", slower, MOST_SLOWER),
    ):
        said = f"{figure:.2f} {words}, goal {goal}"
        print(said)
        if figure > goal:
            missed.append(said)
    return missed


def content(database: str) -> tuple:
    with databases.raw_connection(database) as raw:
        return raw.execute(CONTENT).fetchone()


def raw_statement(database: str) -> float:
    with databases.raw_connection(database) as raw:
        start = time.perf_counter()
        raw.execute(RAW, {"at": AT})
        return time.perf_counter() - start


def ready_made() -> dict[str, str]:
    """The rows that ours wrote, by the table that hands them over to the raw statement."""
    ready = {
        f"ready_{table}": f"SELECT {columns} FROM {table} WHERE {is_new}"
        for table, (columns, is_new) in NEW.items()
    }
    ready["ready_closed"] = "SELECT id FROM dossiers_deadline WHERE closed_at = %(at)s"
    ready["ready_silence"] = (
        "SELECT id, silent_party FROM dossiers_dossier WHERE id IN"
        " (SELECT dossier_id FROM dossiers_transition WHERE at = %(at)s)"
    )
    return {table: query.replace("%(at)s", f"'{AT.isoformat()}'") for table, query in ready.items()}


# --- A million dossiers ---------------------------------------------------------------------------------


def populate(options) -> None:
    """Exemplars by the verbs, then clones by SQL, past the guards: made as they would have left them."""
    sorts = {sort: exemplar(sort) for sort, _share, _clock in DUE}
    sorts |= {"later": exemplar("requested"), "closed": exemplar("refused")}
    Deadline.objects.filter(dossier=sorts["later"], closed_at=None).update(
        due_at=AT + timedelta(days=3), next_reminder_at=None
    )
    crowd = Crowd(options.dossiers, organisations=max(1, options.dossiers // DOSSIERS_OF_AN_ORGANISATION))
    crowd.organisations_of(sorts["requested"])
    first = 1
    for sort, share, _clock in DUE:
        first = crowd.clone(sorts[sort], first, options.due * share // 100)
    waiting = options.dossiers - options.due
    first = crowd.clone(sorts["later"], first, waiting // 4)
    crowd.clone(sorts["closed"], first, waiting - waiting // 4)
    # Those who will enrol, alone, then beside the sweep.
    open_session = SessionFactory(starts_on=in_business_days(AT, 60), ends_on=in_business_days(AT, 65))
    MembershipFactory(organisation=open_session.offer.provider.organisation)
    for _number in range(ENROLLING):
        DossierFactory(at=AT, session=open_session, balance_cents=900_000)
    # The exemplars are not of the crowd.
    Deadline.objects.filter(dossier__in=sorts.values(), closed_at=None).update(due_at=AT + timedelta(days=9))
    with databases.raw_connection(connection.settings_dict["NAME"]) as raw:
        raw.execute("VACUUM ANALYZE")


def exemplar(sort: str) -> Dossier:
    session = SessionFactory(starts_on=AT.date() + timedelta(days=5), ends_on=AT.date() + timedelta(days=9))
    return DossierFactory(at=ASKED, session=session, **{sort: True})


class Crowd:
    """Clones of dossiers, each with a holder of its own; their keys are made of their numbers."""

    def __init__(self, dossiers: int, *, organisations: int):
        self.organisations = organisations

    def organisations_of(self, dossier: Dossier) -> None:
        organisation = dossier.provider.organisation
        member = MembershipFactory(organisation=organisation)
        count = self.organisations
        self._copy(
            Organisation,
            organisation.pk,
            1,
            count,
            id="md5('o' || n)::uuid",
            siret="'9' || lpad(n::text, 13, '0')",
            email="'o' || n || '@exemple.fr'",
        )
        self._copy(Provider, organisation.pk, 1, count, organisation_id="md5('o' || n)::uuid")
        self._copy(
            User,
            member.user_id,
            1,
            count,
            id="900000000 + n",
            email="'m' || n || '@exemple.fr'",
        )
        self._copy(
            Membership,
            member.pk,
            1,
            count,
            id="900000000 + n",
            user_id="900000000 + n",
            organisation_id="md5('o' || n)::uuid",
        )

    def clone(self, dossier: Dossier, first: int, count: int) -> int:
        """`count` like this one, numbered from `first`, with what hangs on it; the number after the last."""
        numbers, holder = (first, first + count - 1), dossier.holder
        self._copy(User, holder.user_id, *numbers, id="100000000 + n", email="'t' || n || '@exemple.fr'")
        self._copy(
            HolderProfile,
            holder.pk,
            *numbers,
            id="md5('h' || n)::uuid",
            user_id="100000000 + n",
            reference="'c' || n",
            nir_encrypted="NULL",
            nir_digest="NULL",
        )
        self._copy(
            Dossier,
            dossier.pk,
            *numbers,
            id="md5('d' || n)::uuid",
            number="lpad(n::text, 12, '0')",
            holder_id="md5('h' || n)::uuid",
            provider_id=f"md5('o' || 1 + n %% {self.organisations})::uuid",
            creation_request_id="md5('c' || n)::uuid",
        )
        clones = {
            "id": "nextval(pg_get_serial_sequence('{table}', 'id'))",
            "dossier_id": "md5('d' || n)::uuid",
        }
        for model in (Transition, Deadline):
            for pk in model.objects.filter(dossier=dossier).values_list("pk", flat=True):
                self._copy(model, pk, *numbers, **clones)
        for line in FundingLine.objects.filter(dossier=dossier):
            pockets = {}
            for name in ("source_id", "reserved_id"):
                if getattr(line, name):
                    pockets[name] = f"md5('{name}{line.position}-' || n)::uuid"
                    self._copy(
                        Pocket,
                        getattr(line, name),
                        *numbers,
                        id=pockets[name],
                        holder_id="md5('h' || n)::uuid",
                    )
            self._copy(FundingLine, line.pk, *numbers, **clones, **pockets)
            if line.reserved_id:
                self._movements(line, numbers, pockets)
        return first + count

    def _movements(self, line: FundingLine, numbers: tuple[int, int], pockets: dict[str, str]) -> None:
        ends = {line.source_id: pockets["source_id"], line.reserved_id: pockets["reserved_id"]}
        for movement in Movement.objects.filter(target_id__in=ends).order_by("id"):
            source, target = movement.source_id, movement.target_id
            self._copy(
                Movement,
                movement.pk,
                *numbers,
                id=NEXT_ID,
                key="key || '-' || n",
                source_id=ends.get(source, f"'{source}'::uuid"),
                target_id=ends[target],
            )

    def _copy(self, model, pk, first: int, last: int, **made) -> None:
        """Rows like this one, a part at a time. `made`: column → SQL of its value, from the number `n`."""
        table = model._meta.db_table
        columns = [
            field.column for field in model._meta.concrete_fields if not getattr(field, "generated", False)
        ]
        values = ", ".join(made.get(name, f"exemplar.{name}").replace("{table}", table) for name in columns)
        for begin in range(first, last + 1, PART):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0"
                )
                cursor.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} exemplar,"
                    f" generate_series(%s, %s) n WHERE exemplar.{model._meta.pk.column} = %s",
                    [begin, min(begin + PART - 1, last), pk],
                )


if __name__ == "__main__":
    main()

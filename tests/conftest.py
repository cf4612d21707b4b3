"""What every test has: the guards (tests/guards.py), the real files, the clock, people who are signed in."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import sync_playwright

import rulebook
from notices import outbox
from rights import claims
from tests import guards, sweep, template
from tests.card_service import card_service, cards  # noqa: F401 - fixtures
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import ProviderFactory

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
PARIS = ZoneInfo("Europe/Paris")

BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

END_OTHER_SESSIONS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

NO_SHARED_DATA = "les fichiers réels (../shared/data) sont absents"
NO_BROWSER = "Chromium est absent (paquet « chromium-headless-shell », ou son chemin dans CHROMIUM)"
# The same engine without the windows that nobody looks at: pages take two thirds of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")


def pytest_addoption(parser):
    parser.addoption("--book", default=None, metavar="FOLDER", help="take a picture of every scene there")


def pytest_configure():
    guards.install()
    # A busy machine makes an example slow, not wrong: nowhere is there a limit of time.
    hypothesis_settings.register_profile(
        "unhurried", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    hypothesis_settings.load_profile("unhurried")


def pytest_sessionfinish():
    """Leave nothing in a Redis that others may use too."""
    server = redis.Redis.from_url(settings.REDIS_URL)
    try:
        for key in server.scan_iter(match=f"{settings.PROCESS}*", count=1000):
            server.delete(key)
    except redis.ConnectionError:
        pass  # the tests themselves have already said so
    finally:
        server.close()


def pytest_terminal_summary(terminalreporter):
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for reason in (NO_SHARED_DATA, NO_BROWSER):
        if count := sum(reason in text for text in skipped):
            terminalreporter.write_line(f"{count} tests n'ont pas été exécutés : {reason}.", yellow=True)


def _absent(reason, required_by):
    """Not run, and said so; a failure where the machine promised to have it."""
    if os.environ.get(required_by) == "1":
        pytest.fail(f"{reason} ({required_by}=1)", pytrace=False)
    pytest.skip(reason)


# --- The world outside ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    """The database of this process begins as a copy of the one that the run has migrated."""
    connection.settings_dict["TEST"]["TEMPLATE"] = template.make(os.environ["DATABASE_URL"])


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The test database goes at the end: sessions that a server's thread left behind are ended first."""
    with django_db_blocker.unblock():
        sweep.install()
    yield
    with django_db_blocker.unblock():
        connection.close()  # it may have been ended itself, as one of the others
        with connection.cursor() as cursor:
            cursor.execute(END_OTHER_SESSIONS)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real files."""
    if not SHARED_DATA.is_dir():
        _absent(NO_SHARED_DATA, "PORTAL_REQUIRE_SHARED_DATA")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path or not Path(path).is_file():
        _absent(NO_BROWSER, "PORTAL_REQUIRE_BROWSER")
    return path


@pytest.fixture(scope="session")
def browser(chromium):
    """One Chromium for the whole run: Playwright drives only one at a time in a process."""
    # It keeps an event loop in this thread; Django would take our tests' own queries for mistakes.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield launched
        launched.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def in_french():
    """The language of the last page of a test before this one is not that of this one's sentences."""
    with translation.override("fr"):
        yield


@pytest.fixture(autouse=True)
def nobody_was_asked_to_deliver():
    """What a test before this one asked of a worker serves that test."""
    outbox._asked_until[0] = 0.0


@pytest.fixture
def at():
    """Now, in Paris. Verbs are given this moment; tests that need a given day make their own."""
    return timezone.localtime(timezone.now(), PARIS)


@pytest.fixture
def rules(db, at):
    """The law of today."""
    return rulebook.on(at.date())


# --- People, and their browsers -----------------------------------------------------------------------


@pytest.fixture
def holder(db):
    return HolderFactory()


@pytest.fixture
def other_holder(db):
    return HolderFactory()


@pytest.fixture
def provider(db):
    return ProviderFactory()


@pytest.fixture
def member(provider):
    return MembershipFactory(organisation=provider.organisation).user


@pytest.fixture
def other_member(db):
    return MembershipFactory(organisation=ProviderFactory().organisation).user


@pytest.fixture
def the_ledger_alone(monkeypatch):
    """Money is reserved without a dossier: nobody is asked to answer for it, as tests/dossiers does."""
    monkeypatch.setattr(claims, "CLAIMS", [])


@pytest.fixture
def administrator(db):
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def client_for(db):
    """`client_for(user)`: a browser in which this person is signed in; nobody, for None."""

    def signed_in(user):
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def anonymous_client(client_for):
    return client_for(None)


@pytest.fixture
def holder_client(client_for, holder):
    return client_for(holder.user)


@pytest.fixture
def other_holder_client(client_for, other_holder):
    return client_for(other_holder.user)


@pytest.fixture
def member_client(client_for, member):
    return client_for(member)


@pytest.fixture
def other_member_client(client_for, other_member):
    return client_for(other_member)


@pytest.fixture
def admin_client_(client_for, administrator):
    return client_for(administrator)


# --- A worker of flesh ------------------------------------------------------------------------------


@pytest.fixture
def worker(transactional_db, tmp_path):
    """A real Celery worker with its beat, on this test's database. Gives the folder where its mails fall."""
    mails = tmp_path / "mails"
    mails.mkdir()
    address = urlsplit(os.environ["DATABASE_URL"])
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(address._replace(path=f"/{connection.settings_dict['NAME']}")),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PORTAL_MAIL_FOLDER": str(mails),
    }
    command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "--beat", "--concurrency=1"]
    command += ["--without-gossip", "--without-mingle", f"--schedule={tmp_path / 'beat'}", "--loglevel=INFO"]
    log = tmp_path / "worker.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        end = time.monotonic() + 60
        while " ready." not in log.read_text():
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the worker did not start:\n{log.read_text()}", pytrace=False)
            time.sleep(0.1)
        yield mails
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

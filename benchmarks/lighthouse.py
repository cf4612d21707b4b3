"""The pages people open most, as an old phone on a slow network gets them, measured by Lighthouse.

    python3 dev.py run benchmarks/lighthouse.py [--rounds 3] [--page rights …] [--keep FOLDER]

Makes a database of its own with the demonstration and as many invented offers as fill the pages of a search,
serves it with production settings (compressed files, two web processes), and asks Lighthouse (npm, in
.tools/lighthouse) for each page, in Chromium. Prints the median of the rounds. Goals: performance ≥ 95,
accessibility 100, ≤ 10 requests, ≤ 130 KiB. Exit code 1 below one of them. Needs node 18.16 or newer and
Chromium (or its path in CHROMIUM).
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.dev.servers import HOST, free_service_port  # noqa: E402 - the path comes first

LIGHTHOUSE = "lighthouse@12.8.2"
TOOLS = ROOT / ".tools" / "lighthouse"
PERFORMANCE, ACCESSIBILITY, REQUESTS, KIBIBYTES = 95, 100, 10, 130
CHROMIUM_FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking --no-first-run"

OFFERS = 3000
"""Invented offers: enough for full pages of results, groups, counted choices and marks on the map."""
BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell")

# Who opens what. The address is found there: {dossier} is a proposal to validate, {offers} is four.
PAGES = {
    "home": ("", "/"),
    "search": ("", "/recherche?q=assistant+comptable"),
    "list": ("", "/recherche?town=Lyon&radius=50"),
    # With what each training costs them; what is somebody's travels as it is (ui.caches).
    "list-mine": ("titulaire@exemple.invalid", "/recherche?town=Lyon&radius=50"),
    "map": ("", "/recherche?view=map"),
    "map-town": ("", "/recherche?view=map&town=Lyon&radius=50"),
    "compare": ("", "/comparer?{offers}"),
    "offer": ("", "/formations/{offer}"),
    "dossier": ("titulaire@exemple.invalid", "/mes-dossiers/{dossier}"),
    "rights": ("titulaire@exemple.invalid", "/mes-droits"),
    "inbox": ("organisme@exemple.invalid", "/demandes"),
}

# Run by manage.py shell in the measured database: sessions of people, identifiers of things.
FIND = """
import json
from django.test import Client
from django.conf import settings
from django.utils import timezone
import rulebook
from accounts.models import User
from catalog.models import Offer
from dossiers.models import Dossier
from rulebook import workdays
today = workdays.paris_day(timezone.now())
def cookie(email):
    client = Client()
    client.force_login(User.objects.get(email=email))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
emails = ["titulaire@exemple.invalid", "organisme@exemple.invalid"]
dossier = Dossier.objects.filter(holder__user__email=emails[0], state="proposed").first()
four = Offer.objects.open_on(today, rulebook.on(today)).order_by("pk")[:4]
print("FOUND" + json.dumps({
    "cookies": {email: cookie(email) for email in emails},
    "offer": str(Offer.objects.get(action_number="LICES-03").pk),
    "offers": "&".join(f"offre={offer.pk}" for offer in four),
    "dossier": str(dossier.pk),
}))
"""


@dataclass(frozen=True)
class Measure:
    performance: float
    accessibility: float
    requests: int
    kibibytes: float
    first_paint_ms: float
    largest_paint_ms: float

    def misses(self) -> list[str]:
        return [
            words
            for is_missed, words in (
                (self.performance < PERFORMANCE, "performance"),
                (self.accessibility < ACCESSIBILITY, "accessibility"),
                (self.requests > REQUESTS, "requests"),
                (self.kibibytes > KIBIBYTES, "size"),
            )
            if is_missed
        ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", action="append", choices=PAGES, help="only this page; may be repeated")
    parser.add_argument("--keep", type=Path, help="folder for Lighthouse's own reports")
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not chromium:
        sys.exit("Chromium is needed: give its path in CHROMIUM.")
    lighthouse = install_lighthouse()
    with tempfile.TemporaryDirectory(prefix="portal-lighthouse-") as name:
        folder = Path(name)
        reports = options.keep or folder
        reports.mkdir(parents=True, exist_ok=True)
        with database() as environment, portal(environment, folder) as (address, found):
            print(
                f"{'page':<10}{'perf.':>7}{'access.':>9}{'requests':>10}{'KiB':>8}{'FCP ms':>9}{'LCP ms':>9}"
            )
            missed = False
            for page in options.page or PAGES:
                measure = measure_page(page, address, found, lighthouse, chromium, reports, options.rounds)
                misses = measure.misses()
                missed |= bool(misses)
                print(
                    f"{page:<10}{measure.performance:>7.0f}{measure.accessibility:>9.0f}{measure.requests:>10}"
                    f"{measure.kibibytes:>8.1f}{measure.first_paint_ms:>9.0f}{measure.largest_paint_ms:>9.0f}"
                    + (f"   below: {', '.join(misses)}" if misses else ""),
                    flush=True,
                )
    goals = f"performance ≥ {PERFORMANCE}, accessibility {ACCESSIBILITY}, ≤ {REQUESTS} requests"
    print(f"goals, {goals}, ≤ {KIBIBYTES} KiB: {'missed' if missed else 'met'}")
    return int(missed)


def install_lighthouse() -> Path:
    program = TOOLS / "node_modules" / ".bin" / "lighthouse"
    stamp = TOOLS / "installed"
    if not (stamp.exists() and stamp.read_text() == LIGHTHOUSE):
        TOOLS.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(TOOLS), "--no-save", "--no-audit", "--no-fund"]
        subprocess.run([*command, "--ignore-scripts", LIGHTHOUSE], check=True, stdout=subprocess.DEVNULL)
        stamp.write_text(LIGHTHOUSE)
    return program


@contextmanager
def database():
    """An empty database beside the one of DATABASE_URL, dropped afterwards."""
    address = urlsplit(os.environ["DATABASE_URL"])
    name = f"lighthouse_{secrets.token_hex(4)}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield os.environ | {"DATABASE_URL": urlunsplit(address._replace(path=f"/{name}"))}
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def portal(environment: dict[str, str], folder: Path):
    """The portal as in production, with the demonstration in it; gives its address and what FIND found."""
    development = environment | {"PORTAL_ENV": "development", "PORTAL_MAIL_FOLDER": str(folder / "mails")}
    for command in (
        ["migrate", "-v0"],
        ["load_towns"],
        ["load_demo"],
        ["generate_catalogue", "--offers", str(OFFERS)],
    ):
        manage(command, development)
    port = free_service_port()
    address = f"http://{HOST}:{port}"
    production = environment | {
        "PORTAL_ENV": "production",
        "ALLOWED_HOSTS": HOST,
        "PORTAL_BASE_URL": address,
        "PORTAL_CONTACT_EMAIL": "aide@exemple.invalid",
        "EMAIL_URL": "consolemail://",
        "SECURE_SSL_REDIRECT": "off",
        "STATIC_ROOT": str(folder / "static"),
    }
    manage(["collectstatic", "--noinput", "-v0"], production)
    said = manage(["shell", "-v0", "-c", FIND], production)
    found = json.loads(said.partition("FOUND")[2])
    command = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--host", HOST]
    command += ["--port", str(port), "--workers", "2", "--blocking-threads", "1", "--no-ws"]
    with (folder / "web.log").open("w") as log:
        web = subprocess.Popen(
            [*command, "portal.wsgi:application"], cwd=ROOT, env=production, stdout=log, stderr=log
        )
        try:
            wait_for(address)
            yield address, found
        finally:
            web.terminate()
            web.wait(20)


def manage(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{address}/sante/vivant", timeout=2)
            return
        time.sleep(0.2)
    sys.exit("The portal did not start.")


def measure_page(page, address, found, lighthouse, chromium, reports, rounds) -> Measure:
    who, path = PAGES[page]
    url = address + path.format(**{name: found[name] for name in ("offer", "offers", "dossier")})
    measures = []
    for number in range(rounds):
        report = reports / f"{page}-{number + 1}.json"
        command = [str(lighthouse), url, "--quiet", "--output=json", f"--output-path={report}"]
        command += ["--only-categories=performance,accessibility", f"--chrome-flags={CHROMIUM_FLAGS}"]
        if who:
            headers = reports / "headers.json"
            headers.write_text(json.dumps({"Cookie": found["cookies"][who]}))
            command.append(f"--extra-headers={headers}")
        measures.append(ask(command, chromium, report, url))
    median = {
        name: statistics.median(getattr(each, name) for each in measures) for name in Measure.__annotations__
    }
    return Measure(**median)


def ask(command: list[str], chromium: str, report: Path, url: str) -> Measure:
    """One round. A browser that lost its own trace is asked again: that says nothing of the page."""
    for _try in range(3):
        done = subprocess.run(
            command, env=os.environ | {"CHROME_PATH": chromium}, capture_output=True, text=True
        )
        if done.returncode == 0:
            return read_report(report, url)
    sys.exit(f"Lighthouse could not measure {url}:\n{done.stderr}")


def read_report(path: Path, url: str) -> Measure:
    report = json.loads(path.read_text())
    if report.get("runtimeError") or report["finalDisplayedUrl"].rstrip("/") != url.rstrip("/"):
        sys.exit(f"{url} was not shown: {report.get('runtimeError') or report['finalDisplayedUrl']}")
    audits = report["audits"]
    return Measure(
        performance=report["categories"]["performance"]["score"] * 100,
        accessibility=report["categories"]["accessibility"]["score"] * 100,
        # The calendar that Chromium draws into a date field is a data: address: nobody is asked for it.
        requests=sum(
            item["url"].startswith("http") for item in audits["network-requests"]["details"]["items"]
        ),
        kibibytes=audits["total-byte-weight"]["numericValue"] / 1024,
        first_paint_ms=audits["first-contentful-paint"]["numericValue"],
        largest_paint_ms=audits["largest-contentful-paint"]["numericValue"],
    )


if __name__ == "__main__":
    sys.exit(main())

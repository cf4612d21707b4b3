"""This checkout as dev.py sees it: its folders, its keys, its logs, what it says to people."""

import base64
import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS, VENV, VAR = ROOT / ".tools", ROOT / ".venv", ROOT / ".var"
PYTHON = VENV / "bin" / "python"
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


def new_log(name, folder=VAR):
    (folder / "log").mkdir(parents=True, exist_ok=True)
    log = folder / "log" / f"{name}.log"
    log.write_bytes(b"")
    return log


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

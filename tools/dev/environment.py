"""The Python environment in .venv, from the hashed requirement files: by uv, or by pip where uv cannot."""

import contextlib
import hashlib
import os
import subprocess
import sys

from tools.dev.checkout import PYTHON, ROOT, TOOLS, VENV, Trouble, locked, new_log, say
from tools.dev.processes import run_step

PACKAGES, UV_PACKAGE = ROOT / "requirements" / "dev.txt", ROOT / "requirements" / "uv.txt"
# The interpreter behind the one that runs us: .venv must not be rebuilt with itself.
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)


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
    found = ""
    with contextlib.suppress(OSError):  # absent, or made for another machine
        found = subprocess.run([uv, "--version"], capture_output=True, text=True).stdout
    if not found.startswith(wanted):
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

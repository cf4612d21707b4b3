"""Starting, watching and stopping processes so that none is left behind, even after kill -9."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tools.dev.checkout import ROOT, Trouble


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


def ignore_signals():
    """While stopping: a second Ctrl-C must not leave anything behind; each stop has its limit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

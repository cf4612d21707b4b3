"""Pages that are printed or kept: facts and a Typst template give a PDF that screen readers can follow.

    pdf = paper.typeset(TEMPLATE, facts)      TEMPLATE is a .typ file of ours; facts are JSON

The engine keeps what it laid out in memory, some hundreds of megabytes for thousands of lines, so it works in
a process of its own, few at once and with a limit of time: `python -m ui.paper TEMPLATE`, facts on standard
input. Facts reach the template as data: words in them are shown, never obeyed.
"""

import json
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

ROOT = Path(__file__).resolve().parent.parent
FONTS = Path(__file__).with_name("fonts")
SECONDS = 60
# Of one web process: who asks for ten papers waits for the first two.
AT_ONCE, LONGEST_WAIT = threading.BoundedSemaphore(2), 20
ACCESSIBLE = "ua-1"
# Not in our font; the next space of the same kind is.
NARROW_NO_BREAK, NO_BREAK = "\\u202f", "\\u00a0"


class PaperFailed(Exception):
    """No PDF came: the engine took too long, had no room, or refused the template. Why, for the log."""


def typeset(template: Path, facts: Mapping[str, Any]) -> bytes:
    """The PDF of these facts. PaperFailed."""
    command = [sys.executable, "-m", "ui.paper", str(template)]
    told = json.dumps(facts).encode()  # in ASCII: no word can break the way from one process to the other
    if not AT_ONCE.acquire(timeout=LONGEST_WAIT):
        raise PaperFailed(f"{template.name}: others are typeset, no room within {LONGEST_WAIT} s")
    try:
        done = subprocess.run(command, input=told, cwd=ROOT, capture_output=True, timeout=SECONDS)  # noqa: S603 - our own module, and a template of ours
    except subprocess.TimeoutExpired as error:
        raise PaperFailed(f"{template.name}: more than {SECONDS} s") from error
    finally:
        AT_ONCE.release()
    if done.returncode:
        raise PaperFailed(f"{template.name}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def _main(template: str) -> None:
    # Whoever asked may be gone: then nobody else ends this process.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    facts = sys.stdin.buffer.read().decode("ascii").replace(NARROW_NO_BREAK, NO_BREAK)
    told: dict[str, Any] = {
        "sys_inputs": {"facts": facts},
        "root": str(Path(template).parent),
        "font_paths": [str(FONTS)],
        "ignore_system_fonts": True,  # the same page on every machine
    }
    try:
        pdf = typst.compile(template, pdf_standards=ACCESSIBLE, **told)
    except typst.TypstError:
        # Somebody's words hold a sign that no font of ours draws: tagged all the same, without the label.
        pdf = typst.compile(template, **told)
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    _main(sys.argv[1])

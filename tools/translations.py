"""The English catalogue: which sentences it must have, and its compiled form.

    python3 dev.py run tools/translations.py extract    every sentence into locale/en (needs gettext)
    python3 dev.py run tools/translations.py compile    django.mo from django.po
    python3 dev.py run tools/translations.py check      1 when a sentence is missing, or no longer used

French is what the code says; each sentence has its English in locale/en/LC_MESSAGES/django.po. Both files
are kept in the repository: who starts the portal needs no gettext.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path("locale/en/LC_MESSAGES/django.po")
# Folders whose French is for people who work on the portal, not for those who use it.
IGNORED = ("tests", "benchmarks", "tools", "docs", "staticfiles", "static", "node_modules")


def extract(root: Path = ROOT) -> None:
    """Bring the catalogue up to the code: new sentences come untranslated, unused ones go."""
    (root / "locale").mkdir(exist_ok=True)
    command = [sys.executable, "manage.py", "makemessages", "--locale=en", "--no-obsolete", "--no-wrap"]
    command += ["--add-location=never", *(f"--ignore={name}" for name in IGNORED)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    catalogue = polib.pofile(str(root / CATALOGUE), wrapwidth=0)
    for entry in catalogue.fuzzy_entries():
        # A guess from a sentence that looks alike is not a translation.
        entry.flags.remove("fuzzy")
        entry.msgstr, entry.previous_msgid, entry.previous_msgid_plural = "", None, None
        entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, "")
    for name in ("POT-Creation-Date", "PO-Revision-Date", "Last-Translator", "Report-Msgid-Bugs-To"):
        catalogue.metadata.pop(name, None)
    catalogue.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ""))
    catalogue.save()


def compile_catalogue() -> None:
    catalogue = polib.pofile(str(ROOT / CATALOGUE))
    catalogue.save_as_mofile(str((ROOT / CATALOGUE).with_suffix(".mo")))


def check() -> int:
    """Extract in a copy, and compare; 0 when the catalogue has every sentence and no other."""
    if not shutil.which("xgettext"):
        sys.exit("xgettext is needed (Debian: gettext).")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "portal"
        hidden = shutil.ignore_patterns(".*", "staticfiles", "node_modules", "__pycache__", *IGNORED)
        shutil.copytree(ROOT, copy, ignore=hidden)
        extract(copy)
        wanted = _sentences(copy / CATALOGUE)
    had = _sentences(ROOT / CATALOGUE)
    for title, sentences in (("missing", wanted - had), ("no longer used", had - wanted)):
        for _context, sentence in sorted(sentences, key=str):
            print(f"{title}: {sentence}")
    return int(wanted != had)


def _sentences(path: Path) -> set[tuple[str | None, str]]:
    return {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(path))}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["extract", "compile", "check"])
    action = parser.parse_args().action
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if action == "check":
        return check()
    if action == "extract":
        extract()
    compile_catalogue()
    return 0


if __name__ == "__main__":
    sys.exit(main())

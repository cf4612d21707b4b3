"""What the import commands share: their options, their progress bar, their summary."""

import json
import sys

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from catalog.imports.reading import SPOKEN, Unusable
from catalog.imports.report import Report, Verdict

SHOWN = 50


class ImportCommand(BaseCommand):
    """`manage.py import_… FILE [--dry-run] [--json] [--all]`. 0: the file could be read; 1: it could not."""

    importer = None  # a module of catalog.imports
    records = ""  # what is counted, in the plural

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FICHIER")
        parser.add_argument("--dry-run", action="store_true", help="Lit tout, n'écrit rien.")
        parser.add_argument(
            "--encoding",
            choices=list(SPOKEN),
            default="",
            help="Encodage du fichier, quand il ne le dit pas ou le dit mal (sinon UTF-8, ou celui du XML).",
        )
        parser.add_argument("--json", action="store_true", help="Rend compte en JSON.")
        parser.add_argument(
            "--all", action="store_true", help=f"Montre toutes les lignes, et non les {SHOWN} premières."
        )

    def handle(self, *, file, dry_run, encoding: str, json: bool, all: bool, **options):
        try:
            result = self._run(file, dry_run, encoding)
        except Unusable as error:
            if json:
                self.stdout.write(_as_json({"file": file, "error": str(error)}))
            raise CommandError(str(error)) from None
        if json:
            self.stdout.write(_as_json(result.as_dict()))
        else:
            self._tell(result, shown=None if all else SHOWN)

    def _run(self, file, dry_run, encoding) -> Report:
        # A bar on a terminal only: a log file has no use for it.
        with tqdm(unit="o", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            return self.importer.run(
                file, at=timezone.now(), dry_run=dry_run, progress=progress, encoding=encoding
            )

    def _tell(self, result: Report, *, shown: int | None) -> None:
        write = self.stdout.write
        if result.is_dry_run:
            write("Essai : rien n'a été écrit.")
        write(
            f"{result.file_name} ({self.records}) : lus {result.read}, créés {result.created}, "
            f"mis à jour {result.updated}, inchangés {result.unchanged}, refusés {result.refused}"
            + (f", masqués au public {result.hidden}." if result.hidden else ".")
        )
        titles = {
            Verdict.REFUSED: "Refusés",
            Verdict.HIDDEN: "Masqués au public",
            Verdict.REMARK: "Remarques",
        }
        for verdict, title in titles.items():
            findings = result.of(verdict)
            if findings:
                write(f"{title} :")
            for finding in findings[:shown]:
                write(f"  {finding}")
            if shown and len(findings) > shown:
                write(
                    f"  … et {len(findings) - shown} autres (--all les montre, l'administration les garde)."
                )
        if result.findings_left_out:
            write(f"{result.findings_left_out} lignes de plus n'ont pas été gardées.")


def _as_json(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)

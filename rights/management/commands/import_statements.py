from argparse import RawDescriptionHelpFormatter
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from rights import imports, statement_imports

MOST_SHOWN = 200


class Command(BaseCommand):
    help = (
        "Importe les déclarations annuelles des employeurs depuis un fichier CSV (UTF-8, points-virgules).\n"
        f"Colonnes nécessaires : reference ou nir, {', '.join(statement_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(statement_imports.COLUMNS)}.\n"
        "Relu, le même fichier ne change rien ; une ligne changée remplace la précédente.\n"
        "Détail et exemple : docs/imports-statements.md."
    )

    def create_parser(self, *args, **kwargs):
        parser = super().create_parser(*args, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter  # the help keeps its lines
        return parser

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FICHIER")
        parser.add_argument(
            "--dry-run", action="store_true", help="dire ce qui se passerait, sans rien écrire"
        )
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="ne rien garder si une seule ligne est refusée"
        )

    def handle(self, *args, **options):
        try:
            total = imports.count_lines(options["file"])
            with tqdm(total=total, unit=" lignes", file=self.stderr, disable=None) as bar:
                report = statement_imports.run(
                    options["file"],
                    at=timezone.now(),
                    dry_run=options["dry_run"],
                    all_or_nothing=options["all_or_nothing"],
                    progress=bar.update,
                )
        except imports.FileRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        except statement_imports.FileNotKept as refusal:
            self._tell(refusal.report)
            raise CommandError(str(refusal)) from refusal
        self._tell(report)
        if options["dry_run"]:
            self.stdout.write(self.style.WARNING(_("Essai seulement : rien n’a été écrit.")))

    def _tell(self, report: statement_imports.Report) -> None:
        for refusal in report.refused[:MOST_SHOWN]:
            self.stderr.write(self.style.ERROR(str(refusal)))
        if len(report.refused) > MOST_SHOWN:
            hidden = len(report.refused) - MOST_SHOWN
            self.stderr.write(self.style.ERROR(_("… et %s autres lignes refusées.") % hidden))
        self.stdout.write(
            _(
                "%(created)s déclarations nouvelles, %(superseded)s remplacées, %(unchanged)s inchangées, "
                "%(refused)s lignes refusées."
            )
            % {
                "created": report.created,
                "superseded": report.superseded,
                "unchanged": report.unchanged,
                "refused": len(report.refused),
            }
        )

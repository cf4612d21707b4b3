from argparse import RawDescriptionHelpFormatter
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts.actors import SYSTEM
from rights import award_imports, imports
from rights.award_imports import Right
from rights.kinds import Unit
from rights.ledger import amount_in_words

MOST_SHOWN = 200


class Command(BaseCommand):
    help = (
        "Attribue des droits qui ne viennent pas d’une année de travail, ou les convertit, d’après un\n"
        "fichier CSV (UTF-8, points-virgules) : une ligne, un évènement.\n"
        f"Colonnes nécessaires : {', '.join(award_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(award_imports.COLUMNS)}.\n"
        f"Droits (right) : {', '.join(Right)}.\n"
        "Relu, le même fichier n’attribue rien deux fois.\n"
        "Détail et exemple : docs/imports-dotations.md."
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
                report = award_imports.run(
                    options["file"],
                    at=timezone.now(),
                    by=SYSTEM,
                    dry_run=options["dry_run"],
                    all_or_nothing=options["all_or_nothing"],
                    progress=bar.update,
                )
        except imports.FileRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        except award_imports.FileNotKept as refusal:
            self._tell(refusal.report)
            raise CommandError(str(refusal)) from refusal
        self._tell(report)
        if options["dry_run"]:
            self.stdout.write(self.style.WARNING(_("Essai seulement : rien n’a été écrit.")))

    def _tell(self, report: award_imports.Report) -> None:
        for refusal in report.refused[:MOST_SHOWN]:
            self.stderr.write(self.style.ERROR(str(refusal)))
        if len(report.refused) > MOST_SHOWN:
            hidden = len(report.refused) - MOST_SHOWN
            self.stderr.write(self.style.ERROR(_("… et %s autres lignes refusées.") % hidden))
        self.stdout.write(
            _(
                "%(done)s évènements (%(euros)s et %(hours)s), %(unchanged)s déjà faits, "
                "%(refused)s lignes refusées."
            )
            % {
                "done": report.done,
                "euros": amount_in_words(report.credited[Unit.EUR_CENT], Unit.EUR_CENT),
                "hours": amount_in_words(report.credited[Unit.HOUR], Unit.HOUR),
                "unchanged": report.unchanged,
                "refused": len(report.refused),
            }
        )

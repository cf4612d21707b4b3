from argparse import RawDescriptionHelpFormatter
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts.actors import SYSTEM
from rights import dotation_imports, dotations, imports
from rights.kinds import Origin
from ui import french

MOST_SHOWN = 200


class Command(BaseCommand):
    help = (
        "Attribue des dotations ou des abondements depuis une enveloppe, d’après un fichier CSV (UTF-8,\n"
        "points-virgules).\n"
        f"Colonnes nécessaires : {', '.join(dotation_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(dotation_imports.COLUMNS)}.\n"
        f"Sortes (kind) : {', '.join(Origin.values)}.\n"
        "Relu, le même fichier n’attribue rien deux fois.\n"
        "Détail et exemple : docs/imports-dotations.md."
    )

    def create_parser(self, *args, **kwargs):
        parser = super().create_parser(*args, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter  # the help keeps its lines
        return parser

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FICHIER")
        parser.add_argument("--envelope", required=True, metavar="RÉFÉRENCE", help="l’enveloppe qui paie")
        parser.add_argument(
            "--dry-run", action="store_true", help="dire ce qui se passerait, sans rien écrire"
        )
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="ne rien garder si une seule ligne est refusée"
        )

    def handle(self, *args, **options):
        try:
            envelope = dotations.find_envelope(options["envelope"])
            total = imports.count_lines(options["file"])
            with tqdm(total=total, unit=" lignes", file=self.stderr, disable=None) as bar:
                report = dotation_imports.run(
                    options["file"],
                    envelope=envelope,
                    at=timezone.now(),
                    by=SYSTEM,
                    dry_run=options["dry_run"],
                    all_or_nothing=options["all_or_nothing"],
                    progress=bar.update,
                )
        except (dotations.DotationRefused, imports.FileRefused) as refusal:
            raise CommandError(str(refusal)) from refusal
        except dotation_imports.FileNotKept as refusal:
            self._tell(refusal.report)
            raise CommandError(str(refusal)) from refusal
        self._tell(report)
        if options["dry_run"]:
            self.stdout.write(self.style.WARNING(_("Essai seulement : rien n’a été écrit.")))

    def _tell(self, report: dotation_imports.Report) -> None:
        for refusal in report.refused[:MOST_SHOWN]:
            self.stderr.write(self.style.ERROR(str(refusal)))
        if len(report.refused) > MOST_SHOWN:
            hidden = len(report.refused) - MOST_SHOWN
            self.stderr.write(self.style.ERROR(_("… et %s autres lignes refusées.") % hidden))
        self.stdout.write(
            _(
                "%(granted)s attributions (%(amount)s), %(unchanged)s déjà faites, "
                "%(refused)s lignes refusées."
            )
            % {
                "granted": report.granted,
                "amount": french.euros(report.granted_cents),
                "unchanged": report.unchanged,
                "refused": len(report.refused),
            }
        )

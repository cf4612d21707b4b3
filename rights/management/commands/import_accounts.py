from argparse import RawDescriptionHelpFormatter
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts import imports as identities
from accounts.actors import SYSTEM
from rights import imports
from rights.kinds import Unit
from rights.ledger import KeyReused, amount_in_words

MOST_SHOWN = 200


class Command(BaseCommand):
    help = (
        "Importe des comptes et leurs droits depuis un fichier CSV (UTF-8, points-virgules).\n"
        f"Colonnes nécessaires : {', '.join(identities.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(imports.COLUMNS)}.\n"
        "Montants en euros (1234,50) ou en heures entières. Relu, le même fichier ne change rien.\n"
        "Détail et exemple : docs/imports-accounts.md."
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

    def handle(self, *args, **options):
        try:
            total = imports.count_lines(options["file"])
            with tqdm(total=total, unit=" lignes", file=self.stderr, disable=None) as bar:
                report = imports.run(
                    options["file"],
                    at=timezone.now(),
                    by=SYSTEM,
                    dry_run=options["dry_run"],
                    progress=bar.update,
                )
        except (imports.FileRefused, KeyReused) as refusal:
            raise CommandError(str(refusal)) from refusal
        self._tell(report, is_dry_run=options["dry_run"])

    def _tell(self, report: imports.Report, *, is_dry_run: bool) -> None:
        for refusal in report.refused[:MOST_SHOWN]:
            self.stderr.write(self.style.ERROR(str(refusal)))
        if len(report.refused) > MOST_SHOWN:
            hidden = len(report.refused) - MOST_SHOWN
            self.stderr.write(self.style.ERROR(_("… et %s autres lignes refusées.") % hidden))
        self.stdout.write(
            _(
                "%(created)s comptes créés, %(changed)s modifiés, %(unchanged)s inchangés, "
                "%(refused)s lignes refusées."
            )
            % {
                "created": report.created,
                "changed": report.changed,
                "unchanged": report.unchanged,
                "refused": len(report.refused),
            }
        )
        self.stdout.write(
            _("%(credits)s crédits : %(euros)s et %(hours)s.")
            % {
                "credits": report.credits,
                "euros": amount_in_words(report.credited[Unit.EUR_CENT], Unit.EUR_CENT),
                "hours": amount_in_words(report.credited[Unit.HOUR], Unit.HOUR),
            }
        )
        if is_dry_run:
            self.stdout.write(self.style.WARNING(_("Essai seulement : rien n’a été écrit.")))

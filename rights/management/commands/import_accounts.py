from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import imports as identities
from accounts.actors import SYSTEM
from rights import imports
from rights.kinds import Unit
from rights.ledger import KeyReused, amount_in_words
from rights.management.list_command import ListCommand


class Command(ListCommand):
    help = (
        "Importe des comptes et leurs droits depuis un fichier CSV (UTF-8, points-virgules).\n"
        f"Colonnes nécessaires : {', '.join(identities.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(imports.COLUMNS)}.\n"
        "Montants en euros (1234,50) ou en heures entières. Relu, le même fichier ne change rien.\n"
        "Détail et exemple : docs/imports-accounts.md."
    )

    def handle(self, *args, **options):
        try:
            with self.progress(options["file"]) as bar:
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
        self.tell_refused(report.refused)
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
            self.tell_dry_run()

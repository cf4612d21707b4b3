from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import SYSTEM
from rights import award_imports, imports
from rights.award_imports import Right
from rights.kinds import Unit
from rights.ledger import amount_in_words
from rights.management.list_command import ListCommand


class Command(ListCommand):
    help = (
        "Attribue des droits qui ne viennent pas d’une année de travail, ou les convertit, d’après un\n"
        "fichier CSV (UTF-8, points-virgules) : une ligne, un évènement.\n"
        f"Colonnes nécessaires : {', '.join(award_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(award_imports.COLUMNS)}.\n"
        f"Droits (right) : {', '.join(Right)}.\n"
        "Relu, le même fichier n’attribue rien deux fois.\n"
        "Détail et exemple : docs/imports-dotations.md."
    )

    def add_arguments(self, parser):
        super().add_arguments(parser)
        self.add_all_or_nothing(parser)

    def handle(self, *args, **options):
        try:
            with self.progress(options["file"]) as bar:
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
        except imports.FileNotKept as refusal:
            self._tell(refusal.report)
            raise CommandError(str(refusal)) from refusal
        self._tell(report)
        if options["dry_run"]:
            self.tell_dry_run()

    def _tell(self, report: award_imports.Report) -> None:
        self.tell_refused(report.refused)
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

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from rights import imports, statement_imports
from rights.management.list_command import ListCommand


class Command(ListCommand):
    help = (
        "Importe les déclarations annuelles des employeurs depuis un fichier CSV (UTF-8, points-virgules).\n"
        f"Colonnes nécessaires : reference ou nir, {', '.join(statement_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(statement_imports.COLUMNS)}.\n"
        "Relu, le même fichier ne change rien ; une ligne changée remplace la précédente.\n"
        "Détail et exemple : docs/imports-statements.md."
    )

    def add_arguments(self, parser):
        super().add_arguments(parser)
        self.add_all_or_nothing(parser)

    def handle(self, *args, **options):
        try:
            with self.progress(options["file"]) as bar:
                report = statement_imports.run(
                    options["file"],
                    at=timezone.now(),
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

    def _tell(self, report: statement_imports.Report) -> None:
        self.tell_refused(report.refused)
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

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import SYSTEM
from rights import dotation_imports, dotations, imports
from rights.kinds import Origin
from rights.management.list_command import ListCommand
from ui import french


class Command(ListCommand):
    help = (
        "Attribue des dotations ou des abondements depuis une enveloppe, d’après un fichier CSV (UTF-8,\n"
        "points-virgules).\n"
        f"Colonnes nécessaires : {', '.join(dotation_imports.REQUIRED)}.\n"
        f"Colonnes possibles : {', '.join(dotation_imports.COLUMNS)}.\n"
        f"Sortes (kind) : {', '.join(Origin.values)}.\n"
        "Relu, le même fichier n’attribue rien deux fois.\n"
        "Détail et exemple : docs/imports-dotations.md."
    )

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--envelope", required=True, metavar="RÉFÉRENCE", help="l’enveloppe qui paie")
        self.add_all_or_nothing(parser)

    def handle(self, *args, **options):
        try:
            envelope = dotations.find_envelope(options["envelope"])
            with self.progress(options["file"]) as bar:
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
        except imports.FileNotKept as refusal:
            self._tell(refusal.report)
            raise CommandError(str(refusal)) from refusal
        self._tell(report)
        if options["dry_run"]:
            self.tell_dry_run()

    def _tell(self, report: dotation_imports.Report) -> None:
        self.tell_refused(report.refused)
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

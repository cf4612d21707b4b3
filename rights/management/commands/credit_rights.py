from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts.actors import SYSTEM
from rights import crediting_year
from rights.kinds import Unit
from rights.ledger import amount_in_words

MOST_SHOWN = 200


class Command(BaseCommand):
    help = (
        "Crédite une année de travail à tous ceux qui ont des déclarations pour elle. Arrêtée, la commande "
        "reprend où elle en était ; relancée, elle ne change rien, sauf ce qu’une déclaration a corrigé."
    )

    def add_arguments(self, parser):
        parser.add_argument("--year", type=int, required=True, metavar="ANNÉE", help="l’année travaillée")

        parser.add_argument(
            "--workers",
            type=int,
            default=2,
            choices=range(1, 9),
            metavar="N",
            help="connexions à la fois (2) : l’une calcule pendant que la base écrit pour l’autre",
        )

    def handle(self, *args, **options):
        try:
            with tqdm(unit=" comptes", file=self.stderr, disable=None) as bar:
                report = crediting_year.credit_year(
                    options["year"],
                    at=timezone.now(),
                    by=SYSTEM,
                    workers=options["workers"],
                    progress=bar.update,
                )
        except crediting_year.YearRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._tell(report)

    def _tell(self, report: crediting_year.Report) -> None:
        for title, named, count in (
            (_("Corrections en attente"), report.waiting, report.waiting_count),
            (_("Comptes refusés"), report.refused, report.refused_count),
        ):
            for reference, why in named[:MOST_SHOWN]:
                self.stderr.write(self.style.ERROR(f"{title} · {reference} · {why}"))
            if count > MOST_SHOWN:
                self.stderr.write(self.style.ERROR(_("… et %s autres.") % (count - MOST_SHOWN)))
        self.stdout.write(
            _(
                "%(credited)s comptes crédités, %(corrected)s corrigés, %(waiting)s corrections en attente, "
                "%(refused)s refusés ; %(movements)s mouvements."
            )
            % {
                "credited": report.credited,
                "corrected": report.corrected,
                "waiting": report.waiting_count,
                "refused": report.refused_count,
                "movements": report.movements,
            }
        )
        for unit in Unit:
            if report.given[unit] or report.lost[unit]:
                self.stdout.write(
                    _("%(given)s donnés, %(lost)s perdus au-dessus du plafond.")
                    % {
                        "given": amount_in_words(report.given[unit], unit),
                        "lost": amount_in_words(report.lost[unit], unit),
                    }
                )

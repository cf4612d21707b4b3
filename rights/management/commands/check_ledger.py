import dataclasses
import json
import sys

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rights import integrity
from rights.kinds import Unit
from rights.ledger import amount_in_words


class Command(BaseCommand):
    help = "Recalcule tout le grand livre depuis ses mouvements. Code de sortie 1 si quelque chose est faux."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="la même chose, pour une machine")

    def handle(self, *args, **options):
        audit = integrity.audit()
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(audit), ensure_ascii=False, indent=2))
        else:
            self._tell(audit)
        if audit.findings:
            sys.exit(1)

    def _tell(self, audit: integrity.Audit) -> None:
        self.stdout.write(
            _("%(pockets)s poches, %(movements)s mouvements.")
            % {"pockets": audit.pockets, "movements": audit.movements}
        )
        for unit in Unit:
            self.stdout.write(
                _("%(owned)s dans les comptes, %(reserved)s réservés pour des formations.")
                % {
                    "owned": amount_in_words(audit.owned[unit], unit),
                    "reserved": amount_in_words(audit.reserved[unit], unit),
                }
            )
        for rule, count in audit.rules.items():
            verdict = ngettext("%s écart", "%s écarts", count) % count if count else _("juste")
            style = self.style.ERROR if count else self.style.SUCCESS
            self.stdout.write(f"  {integrity.RULES[rule]} : {style(verdict)}")
        for finding in audit.findings:
            self.stdout.write(self.style.ERROR(f"  {finding.rule} · {finding.subject} · {finding.details}"))
        if audit.findings:
            self.stdout.write(self.style.ERROR(_("Le grand livre est faux. Ne corrigez rien à la main.")))
        else:
            self.stdout.write(self.style.SUCCESS(_("Le grand livre est juste.")))

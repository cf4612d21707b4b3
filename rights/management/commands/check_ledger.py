import dataclasses
import json
import sys

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rights import integrity, seals
from rights.kinds import Unit
from rights.ledger import amount_in_words
from ui import french


class Command(BaseCommand):
    help = "Recalcule tout le grand livre depuis ses mouvements. Code de sortie 1 si quelque chose est faux."

    def add_arguments(self, parser):
        parser.add_argument(
            "--verify-seals", action="store_true", help="recalculer aussi le sceau de chaque jour"
        )
        parser.add_argument("--json", action="store_true", help="la même chose, pour une machine")

    def handle(self, *args, **options):
        audit = integrity.audit(verify_seals=options["verify_seals"])
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
            words = (integrity.RULES | integrity.SEAL_RULES)[rule]
            self.stdout.write(f"  {words} : {style(verdict)}")
        for finding in audit.findings:
            self.stdout.write(self.style.ERROR(f"  {finding.rule} · {finding.subject} · {finding.details}"))
        self._tell_seals(audit)
        if audit.findings:
            self.stdout.write(self.style.ERROR(_("Le grand livre est faux. Ne corrigez rien à la main.")))
        else:
            self.stdout.write(self.style.SUCCESS(_("Le grand livre est juste.")))

    def _tell_seals(self, audit: integrity.Audit) -> None:
        """The first day and movement that are not as sealed, or how far the chain goes."""
        if not integrity.SEAL_RULES.keys() & audit.rules.keys():
            return
        first = next((each for each in audit.findings if each.rule in integrity.SEAL_RULES), None)
        head = seals.head()
        if first is not None:
            day, _comma, details = first.details.partition(", ")
            words = _("Premier écart avec les sceaux : %(subject)s, le %(day)s (%(details)s).")
            told = words % {"subject": first.subject, "day": day, "details": details}
            self.stdout.write(self.style.ERROR(told))
        elif head is None:
            self.stdout.write(_("Aucun jour n’est encore scellé."))
        else:
            self.stdout.write(
                _("Scellé jusqu’au %(day)s, empreinte %(hash)s.")
                % {"day": french.short_day(head.day), "hash": head.hash}
            )

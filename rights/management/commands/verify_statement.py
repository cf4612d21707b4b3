import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from rights import evidence, seals
from ui import french


class Command(BaseCommand):
    help = (
        "Vérifie un relevé de droits (JSON) sans base de données : chaque mouvement, chaque sceau, "
        "leur chaîne. "
        "Code de sortie 1 et la première ligne fausse si le fichier a été changé."
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FICHIER")
        parser.add_argument(
            "--database",
            action="store_true",
            help="comparer aussi le dernier sceau du relevé avec celui de la base du portail",
        )
        parser.add_argument(
            "--head", metavar="EMPREINTE", help="comparer avec une empreinte connue d’ailleurs"
        )

    def handle(self, *args, **options):
        try:
            text = options["file"].read_text(encoding="utf-8-sig")
        except OSError as error:
            raise CommandError(_("Le fichier ne peut pas être lu : %s.") % error.strerror) from error
        except UnicodeDecodeError:
            self._refuse(_("Le fichier n’est pas en UTF-8."))
        try:
            verdict = evidence.verify(text)
        except evidence.Wrong as wrong:
            self._refuse(str(wrong))
        self._tell(verdict)
        if options["head"] and options["head"] != verdict.head_hash:
            self._refuse(_("Son dernier sceau ne porte pas l’empreinte donnée."))
        if options["database"]:
            self._compare(verdict)
        self.stdout.write(self.style.SUCCESS(_("Le relevé est juste.")))

    def _tell(self, verdict: evidence.Verdict) -> None:
        self.stdout.write(
            _("Relevé de %(holder)s, fait le %(moment)s.")
            % {"holder": verdict.holder, "moment": french.moment(verdict.made_at)}
        )
        self.stdout.write(
            _("%(movements)s mouvements, dont %(sealed)s scellés ; %(seals)s sceaux qui se suivent.")
            % {"movements": verdict.movements, "sealed": verdict.sealed, "seals": verdict.seals}
        )
        if verdict.head_day:
            self.stdout.write(
                _("Dernier sceau : %(day)s, empreinte %(hash)s.")
                % {"day": french.short_day(verdict.head_day), "hash": verdict.head_hash}
            )

    def _compare(self, verdict: evidence.Verdict) -> None:
        """A file made again from end to end agrees with itself, and not with the portal."""
        if verdict.head_day is None:
            self.stdout.write(_("Rien n’y est encore scellé : il n’y a rien à comparer avec la base."))
        elif [seal.hash for seal in seals.since(verdict.head_day)[:1]] == [verdict.head_hash]:
            self.stdout.write(_("La base du portail porte le même sceau."))
        else:
            self._refuse(_("La base du portail ne porte pas ce sceau."))

    def _refuse(self, message: str) -> None:
        self.stderr.write(self.style.ERROR(_("Ce relevé n’est pas juste. %s") % message))
        sys.exit(1)

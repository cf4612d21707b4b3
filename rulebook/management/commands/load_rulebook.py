from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from rulebook.loading import PARAMETERS_FILE, Row, RulebookRefused, load


class Command(BaseCommand):
    help = "Charge rulebook/parameters.yaml : ajoute les règles nouvelles, ferme celles qu'un texte remplace."

    def add_arguments(self, parser):
        parser.add_argument(
            "--dry-run", action="store_true", help="Dit ce qui serait fait, sans rien écrire."
        )

    def handle(self, *args, **options):
        try:
            changes = load(dry_run=options["dry_run"])
        except RulebookRefused as refusal:
            raise CommandError(f"{PARAMETERS_FILE.name} est refusé, rien n'est écrit. {refusal}") from refusal
        for row in changes.closed:
            self.stdout.write(
                f"Fermée : {row.name}, du {row.since:%d/%m/%Y} au {row.until:%d/%m/%Y} non compris."
            )
        for row in changes.added:
            self.stdout.write(f"Ajoutée : {row.name} = {row.value!r}, à partir du {row.since:%d/%m/%Y}.")
            if _is_retroactive(row, changes.closed, today=timezone.localdate()):
                self.stdout.write(
                    self.style.WARNING(
                        "  Effet rétroactif : les délais déjà ouverts gardent leur date, figée."
                    )
                )
        for row in changes.reworded:
            self.stdout.write(
                f"Gardée telle quelle : {row.name}, du {row.since:%d/%m/%Y} ; même valeur, "
                "mais des mots différents dans le fichier."
            )
        for name in changes.retired:
            self.stdout.write(f"Gardée, absente du fichier : {name}.")
        done = "Rien n'est écrit (essai)" if options["dry_run"] else "Fait"
        self.stdout.write(
            f"{done} : {len(changes.added)} période(s) ajoutée(s), {len(changes.closed)} fermée(s)."
        )


def _is_retroactive(row: Row, closed: tuple[Row, ...], *, today: date) -> bool:
    """A new value that replaces one people already lived under."""
    return row.since < today and any(old.name == row.name and old.until == row.since for old in closed)

"""`manage.py load_towns`: the towns of France, from the file we ship."""

from django.core.management.base import BaseCommand

from catalog.imports import towns


class Command(BaseCommand):
    help = "Charge les communes de France livrées avec le portail. Peut être relancée sans effet."

    def handle(self, **options):
        changed = towns.load()
        self.stdout.write(
            f"{changed} communes ajoutées ou mises à jour." if changed else "Les communes sont déjà à jour."
        )

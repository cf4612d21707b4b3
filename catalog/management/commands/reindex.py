"""`manage.py reindex`: what certifications and offers are found by, written again from all that is known."""

from django.core.management.base import BaseCommand

from catalog import search, words
from catalog.imports import loading


class Command(BaseCommand):
    help = (
        "Recalcule les mots par lesquels on trouve certifications et offres. Peut être relancée sans effet."
    )

    def handle(self, **options):
        certifications = len(words.reindex())
        words.refresh()
        offers = search.reindex()
        loading.settle("offer_search")
        self.stdout.write(f"Certifications changées : {certifications}. Offres changées : {offers}.")

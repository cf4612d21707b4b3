"""`manage.py reindex`: what certifications and offers are found by, written again from all that is known."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from catalog import indexing, words
from catalog.imports import loading
from rulebook import workdays


class Command(BaseCommand):
    help = (
        "Recalcule les mots par lesquels on trouve certifications et offres. Peut être relancée sans effet."
    )

    def handle(self, **options):
        certifications = len(words.reindex())
        words.refresh()
        offers = indexing.reindex(on=workdays.paris_day(timezone.now()))
        loading.settle("offer_by_words")
        self.stdout.write(f"Certifications changées : {certifications}. Offres changées : {offers}.")

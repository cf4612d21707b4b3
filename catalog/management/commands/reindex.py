"""`manage.py reindex`: what certifications and offers are found by, written again from all that is known."""

from django.core.management.base import BaseCommand
from django.utils import timezone

import rulebook
from catalog import indexing, suggesting, words
from rulebook import workdays


class Command(BaseCommand):
    help = (
        "Recalcule les mots par lesquels on trouve certifications et offres, et ce que la recherche suggère. "
        "Peut être relancée sans effet."
    )

    def handle(self, **options):
        certifications = len(words.reindex())
        words.refresh()
        today = workdays.paris_day(timezone.now())
        offers = indexing.reindex(on=today)
        indexing.settle()
        names = suggesting.refresh(on=today, rules=rulebook.on(today))
        self.stdout.write(
            f"Certifications changées : {certifications}. Offres changées : {offers}. Suggestions : {names}."
        )

"""`manage.py demo_overdue`: two dossiers that nobody answered in time, for beat to settle."""

import json

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.demo import refuse_production, stories


class Command(BaseCommand):
    help = (
        "Crée deux dossiers de démonstration dont le délai est déjà dépassé, l’un par l’organisme, l’autre "
        "par le titulaire. Affiche en JSON leurs identifiants par côté resté silencieux."
    )

    def handle(self, **options):
        refuse_production()
        left = stories.leave_unanswered(at=timezone.now())
        self.stdout.write(json.dumps({side: str(dossier_id) for side, dossier_id in left.items()}))

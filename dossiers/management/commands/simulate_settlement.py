import datetime
import sys
from functools import cache, partial

from django.core.management.base import BaseCommand

from dossiers import simulation
from rulebook import loading
from ui import json_lines


class Command(BaseCommand):
    help = (
        "Dit où va l’argent d’une commande : une commande et ce qui lui arrive en JSON, une par ligne de "
        "l’entrée standard ; une réponse JSON par ligne de la sortie, dans le même ordre. Sans base de "
        "données : la loi est lue dans rulebook/parameters.yaml. Format : docs/simulate-settlement.md."
    )
    requires_system_checks = []

    def handle(self, *args, **options):
        rows = loading.read()

        @cache
        def rules_of(day: datetime.date):
            return loading.rules_in_file(day, rows=rows)

        answer = partial(simulation.answer, rules_of=rules_of)
        json_lines.answer_all(answer, source=sys.stdin.buffer, output=self.stdout)

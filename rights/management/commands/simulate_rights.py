import datetime
import sys
from functools import cache, partial

from django.core.management.base import BaseCommand
from django.utils import timezone

from rights import simulation
from rulebook import loading
from rulebook.workdays import paris_day
from ui import json_lines


class Command(BaseCommand):
    help = (
        "Dit ce qu’une année de travail donne : une situation JSON par ligne sur l’entrée standard, une "
        "réponse JSON par ligne sur la sortie, dans le même ordre. Sans base de données : la loi est lue "
        "dans rulebook/parameters.yaml. Format : docs/simulate-rights.md."
    )
    requires_system_checks = []

    def handle(self, *args, **options):
        rows = loading.read()

        @cache
        def rules_of(year: int):
            return loading.crediting_rules_in_file(datetime.date(year, 12, 31), rows=rows)

        this_year = paris_day(timezone.now()).year
        answer = partial(simulation.answer, rules_of=rules_of, this_year=this_year)
        json_lines.answer_all(answer, source=sys.stdin.buffer, output=self.stdout)

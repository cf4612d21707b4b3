import datetime
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO

from django.core.management.base import BaseCommand
from django.utils import timezone

from rights import simulation
from rulebook import loading
from rulebook.workdays import paris_day


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

        if hasattr(sys.stdout, "reconfigure"):
            # A lone surrogate that somebody wrote comes back escaped, as JSON allows.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        lines = read_lines(sys.stdin.buffer)
        this_year = paris_day(timezone.now()).year
        try:
            for answer in simulation.answers(lines, rules_of=rules_of, this_year=this_year):
                self.stdout.write(json.dumps(answer, ensure_ascii=False))
                self.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has read enough; Python must not complain while it closes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    """Line by line; of one that is too long, its beginning, so that memory stays bounded."""
    most = simulation.LONGEST_LINE + 2
    while piece := source.readline(most):
        line = piece
        while len(piece) == most and not piece.endswith(b"\n"):
            piece = source.readline(most)
        yield line.rstrip(b"\r\n")

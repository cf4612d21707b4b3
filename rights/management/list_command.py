"""A command that reads a list of lines from a file: its arguments, its progress, its refused lines."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from tqdm import tqdm

from rights import imports

MOST_SHOWN = 200


class ListCommand(BaseCommand):
    """What the commands that import a list share; each says what it did in words of its own."""

    def create_parser(self, *args, **kwargs):
        parser = super().create_parser(*args, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter  # the help keeps its lines
        return parser

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FICHIER")
        parser.add_argument(
            "--dry-run", action="store_true", help="dire ce qui se passerait, sans rien écrire"
        )

    def add_all_or_nothing(self, parser):
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="ne rien garder si une seule ligne est refusée"
        )

    def progress(self, file: Path) -> tqdm:
        """A bar of this file's lines. FileRefused: it cannot be read."""
        total = imports.count_lines(file)
        return tqdm(total=total, unit=" lignes", file=self.stderr, disable=None)

    def tell_refused(self, refused: Sequence[Any]) -> None:
        for refusal in refused[:MOST_SHOWN]:
            self.stderr.write(self.style.ERROR(str(refusal)))
        if len(refused) > MOST_SHOWN:
            hidden = len(refused) - MOST_SHOWN
            self.stderr.write(self.style.ERROR(_("… et %s autres lignes refusées.") % hidden))

    def tell_dry_run(self) -> None:
        self.stdout.write(self.style.WARNING(_("Essai seulement : rien n’a été écrit.")))

"""`manage.py backup FOLDER`: the database and the files that people sent, in a new folder of FOLDER."""

import argparse
import time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal import backups


def at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("au moins 1")
    return int(text)


class Command(BaseCommand):
    help = "Sauvegarde la base et les fichiers reçus dans un nouveau dossier daté, portail ouvert ou non."

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path, help="où les sauvegardes sont gardées")
        parser.add_argument(
            "--keep", type=at_least_one, default=14, help="combien en garder, celle-ci comprise (14)"
        )

    def handle(self, *, folder, keep, **options):
        begun = time.monotonic()
        try:
            target = backups.make(folder, at=timezone.now(), keep=keep)
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        manifest = backups.read(target)
        size = sum(file["bytes"] for file in manifest.files.values())
        self.stdout.write(
            f"{target} : {sum(manifest.rows.values())} lignes, {manifest.media_files} fichiers, "
            f"{size / 1e6:.1f} Mo, en {time.monotonic() - begun:.1f} s."
        )
        for name, what in manifest.secrets_not_included.items():
            self.stdout.write(f"  À garder ailleurs, sans quoi elle ne suffit pas : {name} ({what})")
        for name in manifest.missing_media:
            self.stderr.write(self.style.ERROR(f"  Une ligne nomme un fichier absent : {name}"))
        if manifest.ledger["findings"]:
            self.stderr.write(self.style.ERROR("  Ce grand livre est faux : manage.py check_ledger"))

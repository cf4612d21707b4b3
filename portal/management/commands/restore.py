"""`manage.py restore BACKUP`: brings a backup back into an empty database, and checks what came back."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from portal import backups


class Command(BaseCommand):
    help = (
        "Remet une sauvegarde dans une base VIDE et un MEDIA_ROOT vide, puis vérifie : empreintes, nombres "
        "de lignes, grand livre, migrations. Code de sortie 1 si quelque chose manque."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser):
        parser.add_argument("backup", type=Path, help="le dossier daté d’une sauvegarde")
        parser.add_argument(
            "--drill",
            action="store_true",
            help="exercice : restaure dans une base provisoire du même serveur, vérifie, puis la supprime",
        )

    def handle(self, *, backup, drill, **options):
        others = backups.found_in(backup) if backup.is_dir() else []
        if others:
            raise CommandError(f"{backup} contient {len(others)} sauvegardes. La plus récente : {others[-1]}")
        try:
            if drill:
                self.drill(backup)
            else:
                self.restore(backup)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error

    def restore(self, backup):
        begun = time.monotonic()
        restored = backups.restore(backup)
        took = time.monotonic() - begun
        manifest = restored.manifest
        self.stdout.write(
            f"{restored.rows} lignes, {manifest.media_files} fichiers, du {manifest.made_at}, en {took:.1f} s"
        )
        faults = [
            f"{table} : {wanted} lignes sauvegardées, {found} restaurées"
            for table, (wanted, found) in restored.differences.items()
        ]
        if restored.ledger_findings:
            faults.append(f"Grand livre : {restored.ledger_findings} écarts")
        if not restored.is_nir_readable:
            faults.append("NIR_KEYS n’a pas la clé de la sauvegarde : les numéros sont illisibles.")
        for fault in faults:
            self.stderr.write(self.style.ERROR(f"  {fault}"))
        if restored.migrations_to_apply:
            count = len(restored.migrations_to_apply)
            self.stdout.write(f"  Le code est plus récent : lancez migrate ({count} migrations).")
        if faults:
            raise SystemExit(1)
        self.stdout.write(
            self.style.SUCCESS("  Mêmes nombres de lignes, grand livre juste, numéros lisibles.")
        )

    def drill(self, backup):
        """The same command, in a process of its own whose database and folder last for its time only."""
        name = f"drill_{secrets.token_hex(6)}"
        address = urlsplit(os.environ["DATABASE_URL"])
        self.stdout.write(f"Exercice dans la base provisoire {name}.")
        with connection.cursor() as cursor, tempfile.TemporaryDirectory(prefix="drill-") as folder:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            try:
                env = os.environ | {
                    "DATABASE_URL": urlunsplit(address._replace(path=f"/{name}")),
                    "MEDIA_ROOT": folder,
                }
                command = [sys.executable, settings.BASE_DIR / "manage.py", "restore", backup.resolve()]
                code = subprocess.run(command, env=env).returncode  # noqa: S603
            finally:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        if code:
            raise SystemExit(code)

"""`manage.py export_catalogue --siret N FILE`: an organisation's offers in the portal's format."""

import sys

from django.core.management.base import BaseCommand, CommandError

from catalog import exporting
from catalog.models import Provider


class Command(BaseCommand):
    help = "Écrit le catalogue d'un organisme au format du portail : import_catalogue le relit à l'identique."

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FICHIER", nargs="?", default="-", help="« - » : la sortie.")
        parser.add_argument("--siret", required=True)

    def handle(self, *, file, siret, **options):
        provider = Provider.objects.filter(organisation__siret=siret).first()
        if provider is None:
            raise CommandError(f"Aucun organisme de formation n'a le SIRET {siret}.")
        told = exporting.Exported()
        parts = exporting.export(provider, into=told)
        if file == "-":
            sys.stdout.buffer.writelines(parts)
        else:
            try:
                with open(file, "wb") as out:
                    out.writelines(parts)
            except OSError as error:
                raise CommandError(f"{file} : {error.strerror}") from None
        self.stderr.write(f"{told.offers} offres écrites, {len(told.left_out)} laissées de côté.")
        for offer, why in told.left_out:
            self.stderr.write(f"  {offer.training_number} · {offer.action_number} : {why}")

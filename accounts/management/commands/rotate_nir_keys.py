"""Re-encrypt every social-security number with the first key of NIR_KEYS; then the other keys may go."""

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import nir
from accounts.models import HolderProfile

LOT = 500


class Command(BaseCommand):
    help = "Chiffre de nouveau chaque numéro avec la première clé de NIR_KEYS."

    def handle(self, *args, **options):
        done, last = 0, None
        while True:
            with transaction.atomic():
                numbered = HolderProfile.objects.select_for_update().filter(nir_digest__isnull=False)
                if last:
                    numbered = numbered.filter(pk__gt=last)
                holders = list(numbered.order_by("pk")[:LOT])
                for holder in holders:
                    try:
                        number = nir.decrypt(holder.nir_encrypted)
                    except nir.NirRefused as refusal:
                        raise CommandError(f"Compte {holder.reference} : {refusal}") from None
                    holder.nir_encrypted, holder.nir_digest = nir.encrypt(number), nir.digest(number)
                HolderProfile.objects.bulk_update(holders, ["nir_encrypted", "nir_digest"])
            if not holders:
                break
            done, last = done + len(holders), holders[-1].pk
        self.stdout.write(f"{done} numéro(s) chiffré(s) avec la première clé.")

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rights import seals
from rights.models import Seal
from ui import french


class Command(BaseCommand):
    help = (
        "Scelle chaque jour terminé qui ne l’est pas encore, du plus ancien au plus récent. "
        "Interrompue, la commande reprend où elle en était ; relancée, elle ne fait rien de plus."
    )

    def handle(self, *args, **options):
        done = seals.seal_due(at=timezone.now(), told=self._tell)
        if not done:
            self.stdout.write(_("Rien à sceller : chaque jour terminé l’est déjà."))

    def _tell(self, seal: Seal) -> None:
        words = ngettext(
            "%(day)s : %(count)s mouvement, empreinte %(hash)s",
            "%(day)s : %(count)s mouvements, empreinte %(hash)s",
            seal.count,
        )
        self.stdout.write(words % {"day": french.short_day(seal.day), "count": seal.count, "hash": seal.hash})

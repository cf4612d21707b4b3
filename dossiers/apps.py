from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from rights import claims


class DossiersConfig(AppConfig):
    name = "dossiers"
    verbose_name = _("Dossiers")

    def ready(self) -> None:
        claims.claim("SELECT reserved_id FROM dossiers_fundingline WHERE reserved_id IS NOT NULL")

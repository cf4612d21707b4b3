from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from rights import claims


class DossiersConfig(AppConfig):
    name = "dossiers"
    verbose_name = _("Dossiers")

    def ready(self) -> None:
        for column in ("reserved_id", "spent_id"):
            claims.claim(f"SELECT {column} FROM dossiers_fundingline WHERE {column} IS NOT NULL")  # noqa: S608

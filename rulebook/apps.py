from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from rulebook.loading import load_after_migrate


class RulebookConfig(AppConfig):
    name = "rulebook"
    verbose_name = _("Règles en vigueur")

    def ready(self) -> None:
        # The law is part of the schema: `migrate` loads it, and so does the flush that ends every
        # transactional test, which sends the same signal. Once, after the last application.
        post_migrate.connect(load_after_migrate, sender=self, dispatch_uid="rulebook.load")

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Personnes et organisations")

    def ready(self):
        # It listens to Django's signals: sign-ins are kept from the first one.
        import_module("accounts.identity")

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("Portail")


class DeskConfig(AdminConfig):
    """Django's admin, with our desk as its first page and our journal behind every page."""

    default_site = "portal.admin.DeskSite"

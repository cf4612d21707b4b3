"""Every address of the portal. Each app lists its own."""

from django.contrib import admin
from django.urls import include, path

from portal import pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("", include("accounts.urls")),
    path("", include("catalog.urls")),
    path("", include("rights.urls")),
    path("", include("dossiers.urls")),
    path("", include("notices.urls")),
    path("connexion/", include("allauth.account.urls")),
    path("administration/", admin.site.urls),
]

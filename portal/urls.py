"""Every address of the portal. Each app lists its own."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

from portal import health, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("aide", pages.help_page, name="help"),
    path("accessibilite", pages.accessibility, name="accessibility"),
    path("mentions-legales", pages.legal_notice, name="legal_notice"),
    path("donnees-personnelles", pages.personal_data, name="personal_data"),
    path("langue", login_not_required(set_language), name="set_language"),
    path("robots.txt", pages.robots, name="robots"),
    path("sante/vivant", health.live, name="live"),
    path("sante/pret", health.ready, name="ready"),
    path("", include("accounts.urls")),
    path("", include("catalog.urls")),
    path("", include("rights.urls")),
    path("", include("dossiers.urls")),
    path("", include("notices.urls")),
    path("connexion/", include("allauth.account.urls")),
    path("administration/", admin.site.urls),
]

handler400 = "portal.pages.bad_request"
handler403 = "portal.pages.forbidden"
handler404 = "portal.pages.not_found"
handler500 = "portal.pages.server_error"

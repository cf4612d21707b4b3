"""Every address of the portal. Each app lists its own."""

from django.contrib import admin
from django.urls import include, path

from portal import health, metrics, pages, sitemaps
from portal.views import contact, help
from portal.views.my_data import my_data

urlpatterns = [
    path("", pages.home, name="home"),
    path("aide", help.help_page, name="help"),
    path("aide/<slug:slug>", help.help_question, name="help_question"),
    path("contact", contact.contact, name="contact"),
    path("contact/envoyee", contact.contact_sent, name="contact_sent"),
    path("contact/<slug:slug>", contact.contact_topic, name="contact_topic"),
    path("contact/<slug:slug>/ecrire", contact.contact_write, name="contact_write"),
    path("contact/<slug:slug>/garder", contact.contact_keep, name="contact_keep"),
    path("signaler-un-demarchage", contact.report_scam, name="report_scam"),
    path("accessibilite", pages.accessibility, name="accessibility"),
    path("mentions-legales", pages.legal_notice, name="legal_notice"),
    path("conditions-d-utilisation", pages.terms, name="terms"),
    path("conditions-d-utilisation/<slug:version>", pages.terms, name="terms_version"),
    path("donnees-personnelles", pages.personal_data, name="personal_data"),
    path("robots.txt", pages.robots, name="robots"),
    path("sitemap.xml", sitemaps.index, name="sitemaps"),
    path("sitemap-<slug:section>.xml", sitemaps.sitemap, name="sitemap"),
    path("portail.webmanifest", pages.manifest, name="manifest"),
    path("sante/vivant", health.live, name="live"),
    path("sante/pret", health.ready, name="ready"),
    path("metriques", metrics.metrics, name="metrics"),
    path("mon-compte/mes-donnees", my_data, name="my_data"),
    path("", include("accounts.urls")),
    path("", include("catalog.urls")),
    path("", include("rights.urls")),
    path("", include("dossiers.urls")),
    path("", include("admissions.urls")),
    path("", include("support.urls")),
    path("", include("notices.urls")),
    path("connexion/", include("allauth.account.urls")),
    path("administration/", admin.site.urls),
]

handler400 = "portal.pages.bad_request"
handler403 = "portal.pages.forbidden"
handler404 = "portal.pages.not_found"
handler500 = "portal.pages.server_error"

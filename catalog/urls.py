from django.urls import path

from catalog.views import choosing, editing, imports, provider, public, searches, suggestions, wishes

OFFER = "mes-offres/<uuid:offer_id>"
IMPORT = "mes-imports/<uuid:import_id>"
SESSION = "mes-offres/sessions/<uuid:session_id>"

urlpatterns = [
    path("recherche", public.search, name="search"),
    path("suggestions", suggestions.suggestions, name="suggestions"),
    path("communes", public.town_suggestions, name="town_suggestions"),
    path("formations/<uuid:offer_id>", public.offer, name="offer"),
    path("formations/<uuid:offer_id>/garder", choosing.keep, name="favourite_keep"),
    path("formations/<uuid:offer_id>/retirer", choosing.drop, name="favourite_drop"),
    path("comparer", choosing.compare, name="compare"),
    path("mes-favoris", choosing.kept, name="favourites"),
    path("mes-recherches", searches.searches, name="saved_searches"),
    path("mes-recherches/garder", searches.keep, name="saved_search_keep"),
    path("mes-recherches/<uuid:search_id>", searches.change, name="saved_search"),
    path("mes-recherches/<uuid:search_id>/voir", searches.run, name="saved_search_run"),
    path("mes-recherches/<uuid:search_id>/supprimer", searches.drop, name="saved_search_drop"),
    path("alertes/arreter/<str:token>", searches.stop_alerts, name="alerts_stop"),
    path("mes-envies", wishes.wishes, name="wishes"),
    path("mes-envies/effacer", wishes.forget, name="wishes_forget"),
    path("mes-offres", provider.offers, name="provider_offers"),
    path("mes-offres/en-lot", provider.bulk, name="provider_offers_bulk"),
    path("mes-offres/exporter", provider.export, name="provider_export"),
    path("mes-offres/catalogue.xml", provider.export_file, name="provider_export_file"),
    path("mes-certifications/<slug:code>/reprendre", provider.take_over, name="provider_take_over"),
    path("mes-offres/nouvelle", editing.new, name="provider_offer_new"),
    path("mes-offres/certifications", editing.certifications, name="provider_certifications"),
    path(OFFER, editing.offer, name="provider_offer"),
    path(f"{OFFER}/modifier/<slug:step>", editing.step, name="provider_offer_step"),
    path(f"{OFFER}/controle/<slug:step>/<slug:name>", editing.check, name="provider_offer_check"),
    path(f"{OFFER}/sessions", editing.sessions, name="provider_offer_sessions"),
    path(f"{OFFER}/publier", editing.publish, name="provider_offer_publish"),
    path(f"{OFFER}/masquer", editing.hide, name="provider_offer_hide"),
    path(f"{OFFER}/archiver", editing.archive, name="provider_offer_archive"),
    path(f"{OFFER}/sortir", editing.unarchive, name="provider_offer_unarchive"),
    path(f"{OFFER}/dupliquer", editing.duplicate, name="provider_offer_duplicate"),
    path(f"{OFFER}/supprimer", editing.delete, name="provider_offer_delete"),
    path(SESSION, editing.session, name="provider_session"),
    path(f"{SESSION}/inscriptions", editing.recruitment, name="provider_session_recruitment"),
    path(f"{SESSION}/supprimer", editing.delete_session, name="provider_session_delete"),
    path("mes-imports", imports.imports, name="provider_imports"),
    path("mes-imports/nouveau", imports.new, name="provider_import_new"),
    path("mes-imports/exemple.xml", imports.example, name="provider_import_example"),
    path(IMPORT, imports.import_, name="provider_import"),
    path(f"{IMPORT}/appliquer", imports.apply, name="provider_import_apply"),
    path(f"{IMPORT}/abandonner", imports.abandon, name="provider_import_abandon"),
    path(f"{IMPORT}/annuler", imports.undo, name="provider_import_undo"),
    path(f"{IMPORT}/rapport.csv", imports.report, name="provider_import_report"),
]

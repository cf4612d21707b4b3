from django.urls import path

from catalog.views import provider, public

urlpatterns = [
    path("recherche", public.search, name="search"),
    path("communes", public.town_suggestions, name="town_suggestions"),
    path("formations/<uuid:offer_id>", public.offer, name="offer"),
    path("mes-offres", provider.offers, name="provider_offers"),
    path("mes-offres/<uuid:offer_id>/publier", provider.publish, name="provider_offer_publish"),
    path("mes-offres/<uuid:offer_id>/masquer", provider.hide, name="provider_offer_hide"),
]

"""Addresses of dossiers, by audience."""

from django.urls import path

from dossiers.views import holder, provider

urlpatterns = [
    path("mes-dossiers", holder.dossiers, name="dossiers"),
    path("mes-dossiers/creer/<uuid:session_id>", holder.dossier_create, name="dossier_create"),
    path("mes-dossiers/<uuid:dossier_id>", holder.dossier, name="dossier"),
    path("mes-dossiers/<uuid:dossier_id>/modifier", holder.dossier_edit, name="dossier_edit"),
    path("mes-dossiers/<uuid:dossier_id>/supprimer", holder.dossier_discard, name="dossier_discard"),
    path("mes-dossiers/<uuid:dossier_id>/envoyer", holder.dossier_send, name="dossier_send"),
    path("mes-dossiers/<uuid:dossier_id>/valider", holder.dossier_accept, name="dossier_accept"),
    path("mes-dossiers/<uuid:dossier_id>/refuser", holder.dossier_decline, name="dossier_decline"),
    path("mes-dossiers/<uuid:dossier_id>/annuler", holder.dossier_cancel, name="dossier_cancel"),
    path("mes-dossiers/<uuid:dossier_id>/se-retracter", holder.dossier_withdraw, name="dossier_withdraw"),
    path("mes-dossiers/<uuid:dossier_id>/retirer", holder.dossier_remove, name="dossier_remove"),
    path("demandes", provider.provider_inbox, name="provider_inbox"),
    path("demandes/<uuid:dossier_id>", provider.provider_dossier, name="provider_dossier"),
    path("demandes/<uuid:dossier_id>/proposer", provider.provider_propose, name="provider_propose"),
    path("demandes/<uuid:dossier_id>/refuser", provider.provider_refuse, name="provider_refuse"),
    path("demandes/<uuid:dossier_id>/annuler", provider.provider_call_off, name="provider_call_off"),
]

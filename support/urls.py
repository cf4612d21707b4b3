"""Addresses of requests for help. Where one begins to write: portal.urls."""

from django.urls import path

from support.views import person, visitor

urlpatterns = [
    path("mes-demandes-d-aide", person.tickets, name="tickets"),
    path("mes-demandes-d-aide/<uuid:ticket_id>", person.ticket, name="ticket"),
    path("mes-demandes-d-aide/<uuid:ticket_id>/repondre", person.ticket_reply, name="ticket_reply"),
    path("mes-demandes-d-aide/<uuid:ticket_id>/clore", person.ticket_close, name="ticket_close"),
    path("mes-demandes-d-aide/<uuid:ticket_id>/rouvrir", person.ticket_reopen, name="ticket_reopen"),
    path("suivi", visitor.follow, name="follow"),
    path("suivi/<str:token>", visitor.ticket_followed, name="ticket_followed"),
    path("suivi/<str:token>/repondre", visitor.ticket_followed_reply, name="ticket_followed_reply"),
    path("suivi/<str:token>/clore", visitor.ticket_followed_close, name="ticket_followed_close"),
    path("suivi/<str:token>/rouvrir", visitor.ticket_followed_reopen, name="ticket_followed_reopen"),
]

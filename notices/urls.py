"""Addresses of the inbox."""

from django.urls import path

from notices.views import inbox

urlpatterns = [
    path("mes-avis", inbox.notices, name="notices"),
    path("mes-avis/tout-lu", inbox.notices_read, name="notices_read"),
    path("mes-avis/<uuid:notice_id>/ouvrir", inbox.notice_open, name="notice_open"),
    path("mes-avis/<uuid:notice_id>/lu", inbox.notice_read, name="notice_read"),
]

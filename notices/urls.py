"""Addresses of the inbox."""

from django.urls import path

from notices.views import inbox

urlpatterns = [
    path("mes-notifications", inbox.notices, name="notices"),
    path("mes-notifications/tout-lu", inbox.notices_read, name="notices_read"),
    path("mes-notifications/<uuid:notice_id>/ouvrir", inbox.notice_open, name="notice_open"),
    path("mes-notifications/<uuid:notice_id>/lu", inbox.notice_read, name="notice_read"),
]

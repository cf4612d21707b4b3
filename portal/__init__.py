"""Wiring only: settings, urls, celery, middleware. No rule and no model lives here."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]

"""What every page knows."""

from django.conf import settings


def portal(request):
    return {"actor": getattr(request, "actor", None), "is_demonstration": settings.PORTAL_ENV != "production"}

"""What every page knows."""

from django.conf import settings
from django.utils.functional import SimpleLazyObject

from notices import inbox


def portal(request):
    return {
        "actor": getattr(request, "actor", None),
        "is_demonstration": settings.PORTAL_ENV != "production",
        # Counted only by a page that shows it to somebody who signed in; at most once.
        "unread_notices": SimpleLazyObject(lambda: _unread(request)),
    }


def _unread(request) -> int:
    user = getattr(request, "user", None)
    return inbox.unread_count(user) if user is not None and user.is_authenticated else 0

"""What completes the search while one types."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog import suggesting
from catalog.views.limits import in_time, limited
from ui.caches import kept
from ui.replica import from_replica

# They are made again at night.
KEPT_SECONDS = 600


@login_not_required
@require_safe
@kept(seconds=KEPT_SECONDS)
@from_replica
@limited("suggestions")
@in_time
def suggestions(request: HttpRequest) -> HttpResponse:
    """Options for the list below the field `q`; empty below two letters. Says nothing of who asks."""
    groups = suggesting.suggest(request.GET.get("q", ""))
    return render(request, "catalog/public/_suggestions.html", {"groups": groups})

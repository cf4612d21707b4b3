"""The dossier that both sides fetch: the one that who acts may see."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from dossiers.models import Dossier
from dossiers.permissions import visible_dossiers


def visible_dossier(request: HttpRequest, dossier_id: UUID) -> Dossier:
    """The dossier, or 404 when it is not for who acts."""
    found = visible_dossiers(request.actor).select_related(
        "holder", "provider__organisation", "offer", "session"
    )
    return get_object_or_404(found, pk=dossier_id)

"""What both sides fetch: the dossier that who acts may see, the files they send."""

from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from dossiers.models import Dossier
from dossiers.permissions import visible_dossiers
from ui.documents import too_big
from ui.uploads import DropTooBig


def visible_dossier(request: HttpRequest, dossier_id: UUID) -> Dossier:
    """The dossier, or 404 when it is not for who acts."""
    found = visible_dossiers(request.actor).select_related(
        "holder", "provider__organisation", "offer__certification", "session"
    )
    # Long texts of the register that no page of a dossier shows.
    found = found.defer(*(f"offer__certification__{name}" for name in ("activities", "abilities", "jobs")))
    return get_object_or_404(found, pk=dossier_id)


def uploads(request: HttpRequest, name: str) -> list[UploadedFile]:
    """The files of this field. Refused: one was too big, and dropped while it arrived (ui.uploads)."""
    dropped = next((each for each in request.upload_handlers if isinstance(each, DropTooBig)), None)
    if dropped is not None and name in dropped.too_big:
        raise too_big(name)
    return request.FILES.getlist(name)

"""What both sides share: the dossier one can see, the name of a request, where a refusal is said."""

from collections.abc import Iterable
from uuid import UUID

from django.forms import Form
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from dossiers.guards import Refused, StalePage
from dossiers.models import Dossier
from dossiers.permissions import visible_dossiers


def visible_dossier(request: HttpRequest, dossier_id: UUID) -> Dossier:
    """The dossier, or 404 when it is not for who acts."""
    found = visible_dossiers(request.actor).select_related(
        "holder", "provider__organisation", "offer", "session"
    )
    return get_object_or_404(found, pk=dossier_id)


def request_id_of(request: HttpRequest) -> UUID:
    """The hidden `request_id` made when the page was rendered. Refused: it is missing or broken."""
    try:
        request_id = UUID(request.POST.get("request_id", ""))
    except ValueError:
        request_id = None
    # Pages draw theirs by chance (version 4). The clock's own are foreseeable (version 5): who took one
    # in advance would have a dossier that never lapses.
    if request_id is None or request_id.version != 4:
        raise StalePage
    return request_id


def error_above(refusal: Refused, forms: Iterable[Form]) -> str:
    """What to say above the page: nothing, once the sentence stands beside the field it is about."""
    for form in forms:
        if refusal.field in form.fields:
            form.add_error(refusal.field, refusal.message)
            return ""
    return refusal.message

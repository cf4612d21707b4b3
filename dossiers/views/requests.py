"""The name of a request, so that the same click is obeyed once."""

from uuid import UUID

from django.http import HttpRequest

from dossiers.guards import STALE_PAGE, Refused


def request_id_of(request: HttpRequest) -> UUID:
    """The hidden `request_id` made when the page was rendered. Refused: it is missing or broken."""
    try:
        request_id = UUID(request.POST.get("request_id", ""))
    except ValueError:
        request_id = None
    # Pages draw theirs by chance (version 4). The clock's own are foreseeable (version 5): who took one
    # in advance would have a dossier that never lapses.
    if request_id is None or request_id.version != 4:
        raise Refused(STALE_PAGE)
    return request_id

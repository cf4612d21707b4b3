"""The name of a request, so that the same click is obeyed once."""

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from dossiers.workflow import Refused


def request_id_of(request: HttpRequest) -> UUID:
    """The hidden `request_id` made when the page was rendered. Refused: it is missing or broken."""
    try:
        return UUID(request.POST.get("request_id", ""))
    except ValueError:
        raise Refused(_("Cette page n’est plus à jour. Rechargez-la avant de continuer.")) from None

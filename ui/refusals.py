"""A verb that cannot be done now, from the rule that refuses it to the sentence on the page."""

from collections.abc import Iterable
from uuid import UUID

from django.forms import Form
from django.http import HttpRequest
from django.utils.translation import gettext as _


class Refused(Exception):
    """The verb cannot be done now. `field`: the name of the form field it is about, if any."""

    def __init__(self, message: str, *, field: str = ""):
        self.message, self.field = str(message), field
        super().__init__(self.message)


class StalePage(Refused):
    """The name of this request is missing, broken or taken: another page made it."""

    def __init__(self):
        super().__init__(_("Cette page n’est plus à jour. Rechargez-la avant de continuer."))


def request_id_of(request: HttpRequest) -> UUID:
    """The hidden `request_id` made when the page was rendered. Refused: it is missing or broken."""
    try:
        request_id = UUID(request.POST.get("request_id", ""))
    except ValueError:
        request_id = None
    # Pages draw theirs by chance (version 4). The clock's own are foreseeable (version 5): who took one
    # in advance would silence the clock.
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

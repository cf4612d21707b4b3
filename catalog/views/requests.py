"""What the organisation's pages share: its own offers, and where a refusal is said."""

from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest

from catalog.models import Offer
from ui.refusals import Refused


def own_offers(request: HttpRequest) -> QuerySet[Offer]:
    """With all that judging one needs. The offers of others do not exist: 404."""
    own = Offer.objects.filter(provider_id=request.actor.organisation_id)
    return own.select_related("provider__organisation", "certification", "town")


def say(refusal: Refused, form: Form) -> None:
    """Beside the field it is about, or above the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)

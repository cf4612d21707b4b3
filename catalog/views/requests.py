"""What the organisation's pages share: its own offers, their addresses, and where a refusal is said."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from catalog.forms import OwnOffersForm
from catalog.lint import Lack, Step
from catalog.models import Offer
from ui.refusals import Refused

LIST_MAX = 1000
Chip = tuple[str, str, int, bool]  # label, address, how many, whether it is looked at


def own_offers(request: HttpRequest) -> QuerySet[Offer]:
    """With all that judging one needs. The offers of others do not exist: 404."""
    own = Offer.objects.filter(provider_id=request.actor.organisation_id)
    return own.select_related("provider__organisation", "certification", "town")


def step_url(offer: Offer, step: Step, field: str = "") -> str:
    """The page that this step of an offer is written on, at its field."""
    if step == Step.SESSIONS:
        url = reverse("provider_offer_sessions", args=[offer.pk])
    else:
        url = reverse("provider_offer_step", args=[offer.pk, step])
    return f"{url}#id_{field}" if field else url


def asked_of_list(asked: QueryDict) -> str:
    """What « Mes offres » was asked for, as a query; "" for all of them, and for what makes no sense."""
    form = OwnOffersForm(asked)
    if not form.is_valid():
        return ""
    kept = {name: value for name, value in form.cleaned_data.items() if value}
    page = asked.get("page", "")
    if page.isdecimal() and page != "1":
        kept["page"] = page[:6]
    return urlencode(kept)


def list_url(asked: str) -> str:
    return reverse("provider_offers") + (f"?{asked}" if asked else "")


def list_left(request: HttpRequest) -> str:
    """« Mes offres » as it was left for one of its lines, which says so (`list` in its address)."""
    return list_url(asked_of_list(QueryDict(request.GET.get("list", "")[:LIST_MAX])))


def lack_links(lacks: Mapping[Lack, int], address: Callable[[str], str], *, chosen: str = "") -> list[Chip]:
    """What is missing, how often; the one that is looked at, if one is, leads back to all of them."""
    each = dict(lacks)
    if chosen:
        each.setdefault(Lack(chosen), 0)
    return [
        (str(lack.label), address("" if lack == chosen else lack), count, lack == chosen)
        for lack, count in each.items()
    ]


def say(refusal: Refused, form: Form) -> None:
    """Beside the field it is about, or above the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)

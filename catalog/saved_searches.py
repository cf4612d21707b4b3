"""The searches that people save: checked, in one writing, and theirs alone.

What is kept is the address of the search, so that whatever the search learns to ask can be saved. No
organisation ever sees one, and nobody counts them.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import User
from catalog.costs import Costs
from catalog.forms import SavedSearchForm, SearchForm
from catalog.models import SavedSearch
from catalog.search import Sort
from rulebook import workdays
from ui.refusals import Refused

MOST = 20
"""Of one person: enough for a project and its neighbours, and few enough to be asked again every morning."""
NAME_MAX = 80
QUERY_MAX = 1000

# What says nothing: the order everybody has; a list or a map is how answers are looked at.
SILENT = {"sort": Sort.RELEVANCE.value}
NOT_KEPT = {"view"}


@dataclass
class Asker:
    """Who asks when no page is open: what settings.CATALOGUE_COSTS looks at of a request."""

    actor: Actor


def costs_of(asker: HttpRequest | Asker) -> Costs | None:
    """What offers would cost whoever asks; the settings name who knows."""
    known: Callable[[HttpRequest | Asker], Costs | None] = import_string(settings.CATALOGUE_COSTS)
    return known(asker)


def canonical(form: SearchForm) -> str:
    """What a valid search asks, in one writing: the fields in their order, without empty ones."""
    asked = QueryDict(mutable=True)
    for name, field in form.fields.items():
        values = [value.strip() for value in form.data.getlist(name) if value.strip()]
        if not values or values == [SILENT.get(name)] or name in NOT_KEPT:
            continue
        # A field of several choices keeps them in its own order; another, the one that counts.
        choices = [str(key) for key, _label in getattr(field, "choices", [])]
        several = hasattr(field.widget, "allow_multiple_selected") and field.widget.allow_multiple_selected
        kept = sorted(set(values), key=lambda one: choices.index(one) if one in choices else 0)
        asked.setlist(name, kept if several else values[-1:])
    if "town" not in asked:
        asked.pop("radius", None)
    return asked.urlencode()


def form_of(query: str, *, costs: Costs | None) -> SearchForm:
    """The search that an address asks, by somebody whom offers cost that."""
    return SearchForm(QueryDict(query), costs=costs)


def proposed_name(form: SearchForm) -> str:
    """« soudure », 30 km autour de Lyon (69): what the page itself says of a valid search, shortened."""
    name = ", ".join(words for words, _url in form.chips())
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1].rstrip(" ,") + "…"


def of_page(form: SearchForm, request: HttpRequest) -> dict[str, Any] | None:
    """What templates/catalog/public/_save_search.html shows beside this search; None: nothing to save here.

    A visitor is told the way in, and back (`next`); only a holder saves.
    """
    query = canonical(form)
    if not query:
        return None
    if not request.user.is_authenticated:
        return {"form": None, "next": f"{request.path}?{query}"}
    if not request.actor.is_holder:
        return None
    fields = SavedSearchForm(initial={"name": proposed_name(form), "alert": SavedSearch.Alert.NONE})
    return {"form": fields, "query": query}


@transaction.atomic
def keep(
    query: str, *, name: str, alert: str, user: User, at: datetime, costs: Costs | None = None
) -> SavedSearch:
    """Save this search; saved already, its name and its alert become these.

    Refused: it asks for nothing, for something wrong, for too much, or this person keeps MOST already.
    """
    form = form_of(query, costs=costs)
    if not form.is_valid():
        raise Refused(_("Cette recherche ne peut pas être enregistrée : un de ses filtres est à corriger."))
    query = canonical(form)
    if not query:
        raise Refused(_("Cherchez d’abord des mots, une commune ou un filtre : c’est ce qui est enregistré."))
    if len(query) > QUERY_MAX:
        raise Refused(_("Cette recherche a trop de filtres pour être enregistrée. Retirez-en quelques-uns."))
    # Two clicks at once would both count one less than the most.
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    mine = SavedSearch.objects.filter(user=user)
    if (same := mine.filter(query=query).first()) is not None:
        return change(same.pk, name=name, alert=alert, user=user, at=at)
    if mine.count() >= MOST:
        raise Refused(
            _(
                "Vous gardez déjà %s recherches. Supprimez-en une dans « Mes recherches » "
                "pour garder celle-ci."
            )
            % MOST
        )
    return SavedSearch.objects.create(
        user=user,
        query=query,
        name=name or proposed_name(form),
        alert=alert,
        told_until=workdays.paris_day(at),
        added_at=at,
    )


@transaction.atomic
def change(search_id: uuid.UUID, *, name: str, alert: str, user: User, at: datetime) -> SavedSearch:
    """Another name, another alert: one that begins tells what opens from today. DoesNotExist: not theirs."""
    saved = SavedSearch.objects.select_for_update(of=("self",)).get(pk=search_id, user=user)
    if saved.alert == SavedSearch.Alert.NONE and alert != SavedSearch.Alert.NONE:
        saved.told_until = workdays.paris_day(at)
    saved.name, saved.alert = name or saved.name, alert
    saved.save(update_fields=["name", "alert", "told_until"])
    return saved


def drop(search_id: uuid.UUID, *, user: User) -> None:
    """Not theirs, or gone: nothing happens."""
    SavedSearch.objects.filter(pk=search_id, user=user).delete()


def stop_alerts(user_id: int) -> int:
    """No alert any more for this person; how many there were. Their searches stay."""
    return SavedSearch.objects.filter(user=user_id).exclude(alert="none").update(alert="none")


def of_person(user: User) -> list[dict[str, Any]]:
    """What « Mes données » says of them. One query."""
    return [
        {
            "nom": each.name,
            "recherche": each.query,
            "alerte": each.get_alert_display(),
            "enregistree_le": each.added_at,
        }
        for each in SavedSearch.objects.filter(user=user).order_by("added_at", "id")
    ]

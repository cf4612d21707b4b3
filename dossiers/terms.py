"""A price and two days: what a holder asks for, what an organisation offers, and whether they differ."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from dossiers.models import Dossier, Transition


def of(price_cents: int, starts_on: date | None, ends_on: date | None) -> dict[str, Any]:
    """As a transition keeps them: cents, ISO days; without what is not known yet."""
    days = {"starts_on": starts_on, "ends_on": ends_on}
    return {"price_cents": price_cents} | {name: str(day) for name, day in days.items() if day}


def asked_each(dossiers: Iterable[Dossier]) -> dict[UUID, dict[str, Any]]:
    """What each holder asked for, as it stood that day: the organisation may have moved its session since."""
    sent = Transition.objects.filter(dossier__in=list(dossiers), verb="submit").order_by("id")
    return {move.dossier_id: move.details for move in sent}


def changed(asked: Mapping[str, Any], offered: Mapping[str, Any]) -> list[str]:
    """The names of what is offered otherwise than it was asked."""
    return [name for name, value in asked.items() if offered[name] != value]

"""Telling people what is new in the searches they saved: one letter a person a day at most, by the clock.

New is what the daily look (catalog.validity) has found open since the last letter; it is judged again by the
rules before it is told. Each search keeps the day until which it was told (`told_until`), so that a run which
is repeated tells nothing twice, and one that was missed loses nothing. A person whose account is frozen or
closed hears nothing, and is not flooded afterwards: nothing older than a week and a day is news.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse

import rulebook
from accounts.actors import Actor, Role
from accounts.models import User
from catalog import saved_searches, search
from catalog.models import Offer, SavedSearch
from notices import outbox
from notices.kinds import Kind
from rulebook import Rules, workdays
from ui import french
from ui.patience import TooLong, at_most

log = logging.getLogger(__name__)

# People of one run; the next one goes on.
LOT = 2_000
A_WEEK = timedelta(days=7)
NEWS_FOR = timedelta(days=8)
# What a letter holds of all that is new; the page has the rest.
SEARCHES_TOLD, OFFERS_TOLD = 5, 3
_SALT = "catalog.alerts"


@dataclass(frozen=True, slots=True)
class News:
    """What is new in one search: `count` is exact up to search.TOTAL_MAX, and one more beyond it."""

    saved: SavedSearch
    count: int
    offers: list[Offer]


def tell(*, at: datetime, limit: int = LOT) -> int:
    """Tell everybody whose searches are due what is new in them; how many were told."""
    today = workdays.paris_day(at)
    due = list(_due(today).order_by("user_id", "pk").values_list("user_id", "pk")[: limit * 2])
    told = 0
    for user_id, _searches in list(groupby(due, key=lambda pair: pair[0]))[:limit]:
        try:
            told += _tell(user_id, at=at, rules=rulebook.on(today))
        except Exception:  # a fault of ours on one search must not keep the others waiting
            log.exception("saved searches of user %s could not be looked at", user_id)
    return told


def _due(today: date) -> QuerySet[SavedSearch]:
    """The searches of which something may be told today, of people who hear from us."""
    awake = Q(user__holder__frozen_at__isnull=True) | Q(user__holder__thaws_on__lte=today)
    when = Q(alert=SavedSearch.Alert.DAILY, told_until__lt=today) | Q(
        alert=SavedSearch.Alert.WEEKLY, told_until__lte=today - A_WEEK
    )
    return SavedSearch.objects.filter(when, awake, user__is_active=True, user__holder__isnull=False)


@transaction.atomic
def _tell(user_id: int, *, at: datetime, rules: Rules) -> bool:
    """One letter about all that is new for one person; False: nothing was, or another run is at it."""
    theirs = _due(rules.day).filter(user=user_id).select_for_update(of=("self",), skip_locked=True)
    saved = list(theirs.select_related("user__holder").order_by("-added_at", "pk"))
    found = [news for one in saved if (news := _news(one, rules=rules)).count]
    SavedSearch.objects.filter(pk__in=[one.pk for one in saved]).update(told_until=rules.day)
    if not found:
        return False
    user = User.objects.get(pk=user_id)
    outbox.write(
        user=user,
        kind=Kind.SEARCHES_FOUND,
        event_key=f"searches_found:{rules.day}",
        facts=_facts(found, user),
        link=reverse("saved_search_run", args=[found[0].saved.pk])
        if len(found) == 1
        else reverse("saved_searches"),
        at=at,
    )
    return True


def _news(saved: SavedSearch, *, rules: Rules) -> News:
    """What opened for this search and has not been told. A search that no longer reads well has no news."""
    form = saved_searches.form_of(saved.query, costs=saved_searches.costs_of(_asker(saved.user)))
    if not form.is_valid():
        log.warning("saved search %s is not understood any more: %s", saved.pk, form.errors.as_json())
        return News(saved, 0, [])
    if form.costs_left_out:
        return News(saved, 0, [])  # who may not enrol today pays nothing: no price is within their limit
    since = max(saved.told_until, rules.day - NEWS_FOR)
    new = search.matching(form.query, on=rules.day, rules=rules).filter(
        offer__visibility__is_open=True,
        offer__visibility__since__gte=since,
        offer__visibility__since__lt=rules.day,
    )
    latest = new.order_by("-offer__visibility__since", "price_cents", "pk").values_list("pk", flat=True)
    try:
        with at_most(settings.SEARCH_SECONDS, using=connection.alias):
            offers = search.shown(list(latest[:OFFERS_TOLD]), form.query, on=rules.day, rules=rules)
            return News(saved, search.capped_count(new) if offers else 0, offers)
    except TooLong:
        log.warning("saved search %s takes too long", saved.pk)
        return News(saved, 0, [])


def _asker(user: User) -> saved_searches.Asker:
    return saved_searches.Asker(Actor(role=Role.HOLDER, user=user, holder=user.holder))


def _facts(found: list[News], user: User) -> dict:
    return {
        "searches": [
            {
                "name": news.saved.name,
                "count": min(news.count, search.TOTAL_MAX),
                "is_capped": news.count > search.TOTAL_MAX,
                "offers": [
                    {
                        "title": offer.title,
                        "organisation": offer.provider.organisation.name,
                        "town": offer.town_name,
                        "price": french.euros(offer.price_cents),
                    }
                    for offer in news.offers
                ],
            }
            for news in found[:SEARCHES_TOLD]
        ],
        "others": len(found) - len(found[:SEARCHES_TOLD]),
        "stop_link": stop_link(user),
    }


# --- The way out --------------------------------------------------------------------------------------


def stop_link(user: User) -> str:
    """The path that stops all alerts of this person without signing in: all it does, so it never ends."""
    return reverse("alerts_stop", args=[Signer(salt=_SALT).sign(str(user.pk))])


def person_behind(token: str) -> int | None:
    """Whose alerts such a path stops; None: we did not write it."""
    try:
        return int(Signer(salt=_SALT).unsign(token))
    except BadSignature:
        return None

"""The daily look at every offer: what the rules have opened or closed since, and telling organisations.

It judges nothing: whether an offer is open is asked of the rules each time somebody looks or enrols
(catalog.eligibility). What is kept (Visibility) is only what was last found, so that a news is told once.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse

import rulebook
from accounts import listing as people
from catalog import eligibility, indexing, words
from catalog.eligibility import Code, Reason
from catalog.models import Offer, Provider, Visibility
from notices import outbox
from notices.kinds import Kind
from rulebook import Rules, workdays

log = logging.getLogger(__name__)

LOT = 5_000
REASONS_TOLD = 5
# Who decided told the organisation itself (admissions.measures, catalog.publishing).
TOLD_ELSEWHERE = frozenset({Code.PROVIDER_SUSPENDED, Code.WITHHELD})


@dataclass
class Found:
    """What one look found: offers open for the first time, open again, closed; organisations told."""

    opened: int = 0
    reopened: int = 0
    closed: int = 0
    told: int = 0


def look(*, at: datetime) -> Found:
    """Compare every offer with what was last found, and tell organisations what the rules have closed.

    Run twice, it tells once. An organisation that hid or archived its offer itself is told nothing.
    """
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    found = Found()
    words.keep_ends()
    indexing.refresh(on=today)
    is_open = Exists(Offer.objects.open_on(today, rules).filter(pk=OuterRef("offer_id")))
    new = Offer.objects.open_on(today, rules).filter(~Exists(Visibility.objects.filter(offer=OuterRef("pk"))))
    ids = new.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=LOT)
    while lot := list(islice(ids, LOT)):
        rows = [Visibility(offer_id=pk, is_open=True, since=today) for pk in lot]
        Visibility.objects.bulk_create(rows, ignore_conflicts=True)
        found.opened += len(lot)
    again = Visibility.objects.filter(is_open, is_open=False)
    found.reopened = again.update(is_open=True, since=today, codes=[])
    closed = Visibility.objects.filter(~is_open, is_open=True).order_by("offer__provider_id", "offer_id")
    # Read whole before anything is written: a list of keys, by organisation.
    pairs = list(closed.values_list("offer__provider_id", "offer_id"))
    for provider_id, group in groupby(pairs, key=lambda pair: pair[0]):
        try:
            _close(provider_id, [pk for _provider, pk in group], found, at=at, rules=rules)
        except Exception:  # a fault of ours on one organisation must not keep the others uninformed
            log.exception("offers of organisation %s could not be looked at", provider_id)
    return found


@transaction.atomic
def _close(provider_id: UUID, ids: list[UUID], found: Found, *, at: datetime, rules: Rules) -> None:
    """Note what the rules have closed of one organisation, and tell it, in one letter."""
    locked = Visibility.objects.filter(offer__in=ids, is_open=True).select_for_update(
        of=("self",), skip_locked=True
    )
    rows = list(locked.order_by("offer_id"))
    if not rows:  # another run is at it
        return
    offers = Offer.objects.select_related("provider__organisation", "certification").defer("content")
    facts = eligibility.facts_of_each(offers.filter(pk__in=[row.offer_id for row in rows]).order_by("pk"))
    news: list[list[Reason]] = []
    own_choice = []
    for row in rows:
        reasons = eligibility.refusals(facts[row.offer_id], on=rules.day, rules=rules)
        if any(reason.code in eligibility.OWN_CHOICES for reason in reasons):
            own_choice.append(row.pk)
            continue
        row.is_open, row.since, row.codes = False, rules.day, [str(reason.code) for reason in reasons]
        found.closed += 1
        if any(reason.code not in TOLD_ELSEWHERE for reason in reasons):
            news.append(reasons)
    Visibility.objects.filter(pk__in=own_choice).delete()
    kept = [row for row in rows if not row.is_open]
    Visibility.objects.bulk_update(kept, ["is_open", "since", "codes"], batch_size=1000)
    if news:
        _tell(provider_id, news, first=kept[0].pk, at=at)
        found.told += 1


def _tell(provider_id: UUID, news: list[list[Reason]], *, first: UUID, at: datetime) -> None:
    provider = Provider.objects.select_related("organisation").get(pk=provider_id)
    causes = Counter(reason.sentence for reasons in news for reason in reasons[:1]).most_common()
    codes = {reason.code for reasons in news for reason in reasons}
    facts = {
        "organisation_name": provider.organisation.name,
        "count": len(news),
        "causes": [{"sentence": sentence, "count": count} for sentence, count in causes[:REASONS_TOLD]],
        "others": sum(count for _sentence, count in causes[REASONS_TOLD:]),
        "is_certification": bool(codes & eligibility.CERTIFICATION_CODES),
    }
    link = reverse("provider_offers") + "?state=closed"
    event_key = f"offers_closed:{workdays.paris_day(at)}:{first}"
    readers: Iterable[dict] = [{"user": user} for user in people.people_of(provider.organisation)]
    if provider.organisation.email:
        readers = [*readers, {"email": provider.organisation.email}]
    letters = [
        outbox.Letter(kind=Kind.OFFERS_CLOSED, event_key=event_key, facts=facts, link=link, **reader)
        for reader in readers
    ]
    outbox.write_many(letters, at=at)

"""Certifications that end: which of an organisation's, and the warnings it gets before.

The day itself needs no job: after the last day, at midnight in Paris, nobody can enrol any more. Whether an
offer is open follows from the dates (catalog.eligibility).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q
from django.urls import reverse

import rulebook
from accounts import listing as people
from accounts.models import Organisation
from catalog import eligibility, succession
from catalog.eligibility import Reason
from catalog.models import Certification, EndWarning, Offer, Provider
from notices import outbox
from notices.kinds import Kind
from rulebook import Rules, workdays
from ui import french

log = logging.getLogger(__name__)

# A letter names so many; the page has them all.
NAMED_MAX = 10


@dataclass(frozen=True, slots=True)
class Successor:
    """What replaces a certification. `reasons`: why this organisation could not open an offer today."""

    certification: Certification
    reasons: list[Reason]
    # Offers that were taken over to it: those to read again, and those that are published or were.
    drafts: int
    finished: int
    # Offers that none was made of for it yet.
    to_take_over: int


@dataclass(frozen=True, slots=True)
class Ending:
    """A certification of an organisation's offers that ends, or has ended."""

    certification: Certification
    has_ended: bool
    days_left: int
    offers: int
    warned_at: datetime | None
    successors: list[Successor] = field(default_factory=list)

    @property
    def code(self) -> str:
        return self.certification.pk


def mark(ends_on: date, *, on: date, rules: Rules) -> int | None:
    """Which warning is due that day, in months before the end; None: none yet.

    After days without the job, only the nearest to the end: nobody is told twice of one date.
    """
    passed = [
        months
        for months in rules.certification_warning_months
        if workdays.months_later(ends_on, -months) <= on
    ]
    return min(passed) if passed and ends_on >= on else None


def horizon(on: date, rules: Rules) -> date:
    """No certification that ends later has a warning due."""
    furthest = max(rules.certification_warning_months, default=0)
    # The last day of a month stands for those that a shorter month does not have.
    return workdays.months_later(on.replace(day=1), furthest + 1)


def count_of(organisation_id: UUID, *, on: date, rules: Rules) -> int:
    """How many certifications the page of this organisation names. One query."""
    return len(_rows(organisation_id, on=on, rules=rules))


def of_organisation(organisation: Organisation, *, on: date, rules: Rules) -> list[Ending]:
    """Those whose first warning is due, and those that have ended and still have offers, by their last day.

    Queries do not grow with the rows.
    """
    rows = _rows(organisation.pk, on=on, rules=rules)
    offers = {row["certification"]: row["offers"] for row in rows}
    codes = list(offers)
    certifications = Certification.objects.in_bulk(codes)
    warned = dict(
        EndWarning.objects.filter(provider=organisation.pk, certification__in=codes)
        .order_by("certification")
        .values("certification")
        .annotate(last=Max("sent_at"))
        .values_list("certification", "last")
    )
    successors = _successors(organisation, offers, on=on, rules=rules)
    found = [
        Ending(
            certification=certification,
            has_ended=not certification.is_active(on=on),
            days_left=(certification.registered_until - on).days if certification.registered_until else 0,
            offers=row["offers"],
            warned_at=warned.get(certification.pk),
            successors=successors[certification.pk],
        )
        for row in rows
        for certification in [certifications[row["certification"]]]
    ]
    return sorted(found, key=lambda each: (each.certification.registered_until or on, each.code))


def _rows(organisation_id: UUID, *, on: date, rules: Rules) -> list[dict]:
    ends = Q(certification__withdrawn=True) | Q(certification__registered_until__lt=horizon(on, rules))
    offers = Offer.objects.filter(
        ends,
        provider_id=organisation_id,
        certification__isnull=False,
        is_draft=False,
        archived_at__isnull=True,
    )
    rows = (
        offers.order_by("certification")
        .values("certification", "certification__registered_until", "certification__withdrawn")
        .annotate(offers=Count("pk"))
    )
    return [
        row
        for row in rows
        if row["certification__withdrawn"]
        or row["certification__registered_until"] < on
        or mark(row["certification__registered_until"], on=on, rules=rules)
    ]


def _successors(
    organisation: Organisation, offers: dict[str, int], *, on: date, rules: Rules
) -> dict[str, list[Successor]]:
    """`offers`: certification → how many offers of the organisation prepare for it."""
    found = succession.successors_of(offers, on=on)
    new_codes = {new.pk for each in found.values() for new in each}
    entitlements = eligibility.entitlements_of(new_codes, {organisation.siret})
    is_listed = Q(replaces__is_draft=False, replaces__archived_at__isnull=True)
    rows = (
        Offer.objects.filter(
            provider=organisation.pk, certification__in=new_codes, replaces__certification__in=offers
        )
        .order_by("replaces__certification", "certification")
        .values_list("replaces__certification", "certification")
        .annotate(
            drafts=Count("pk", filter=Q(is_draft=True)),
            finished=Count("pk", filter=Q(is_draft=False)),
            listed=Count("pk", filter=is_listed),
        )
    )
    done = {(old, new): counts for old, new, *counts in rows} if new_codes else {}
    successors: dict[str, list[Successor]] = {}
    for code, each in found.items():
        successors[code] = []
        for new in each:
            drafts, finished, listed = done.get((code, new.pk), (0, 0, 0))
            roles = entitlements.get((new.pk, organisation.siret), ())
            reasons = eligibility.certification_refusals(new, roles, on=on, rules=rules)
            successors[code].append(Successor(new, reasons, drafts, finished, offers[code] - listed))
    return successors


# --- Warnings -------------------------------------------------------------------------------------


def warn(*, at: datetime) -> int:
    """Tell each organisation once of each date that has come; how many organisations were told.

    Run twice, or after days without it, it tells nobody twice: the row of the warning says what was told.
    """
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    told = 0
    for provider_id, rows in groupby(_due(today, rules), key=lambda row: row[0]):
        try:
            told += _warn_one(provider_id, [row[1:] for row in rows], at=at, rules=rules)
        except Exception:  # a fault of ours on one organisation must not keep the others uninformed
            log.exception("organisation %s could not be warned", provider_id)
    return told


def _due(today: date, rules: Rules) -> Iterable[tuple[UUID, str, date, int, int]]:
    """(organisation, certification, end, months, offers), organisation by organisation."""
    offers = Offer.objects.filter(
        is_draft=False,
        archived_at__isnull=True,
        certification__withdrawn=False,
        certification__registered_until__gte=today,
        certification__registered_until__lt=horizon(today, rules),
    )
    rows = (
        offers.order_by("provider", "certification")
        .values_list("provider", "certification", "certification__registered_until")
        .annotate(offers=Count("pk"))
    )
    for provider_id, code, ends_on, count in rows:
        if months := mark(ends_on, on=today, rules=rules):
            yield provider_id, code, ends_on, months, count


@transaction.atomic
def _warn_one(
    provider_id: UUID, rows: list[tuple[str, date, int, int]], *, at: datetime, rules: Rules
) -> int:
    # Two runs at once: the second waits here, then finds what the first has told.
    provider = (
        Provider.objects.select_related("organisation")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=provider_id)
    )
    told = set(
        EndWarning.objects.filter(provider=provider, certification__in=[row[0] for row in rows])
        .order_by("pk")
        .values_list("certification_id", "ends_on", "months")
    )
    new = [row for row in rows if row[:3] not in told]
    if not new:
        return 0
    warnings = EndWarning.objects.bulk_create(
        EndWarning(certification_id=code, provider=provider, ends_on=ends_on, months=months, sent_at=at)
        for code, ends_on, months, _count in new
    )
    facts = _facts(provider, sorted(new, key=lambda row: (row[1], row[0])), on=workdays.paris_day(at))
    letter = {
        "kind": Kind.CERTIFICATION_ENDING,
        "event_key": f"certification_ending:{provider_id}:{warnings[0].pk}",
        "facts": facts,
        "link": reverse("provider_endings"),
    }
    readers = [{"user": user} for user in people.people_of(provider.organisation)]
    if provider.organisation.email:
        readers.append({"email": provider.organisation.email})
    outbox.write_many([outbox.Letter(**letter, **reader) for reader in readers], at=at)
    return 1


def _facts(provider: Provider, rows: list[tuple[str, date, int, int]], *, on: date) -> dict:
    codes = [row[0] for row in rows]
    titles = dict(Certification.objects.filter(pk__in=codes).order_by("pk").values_list("pk", "title"))
    replaced = succession.what_replaces(codes, on=on)
    return {
        "organisation_name": provider.organisation.name,
        "count": len(rows),
        "first_code": rows[0][0],
        "first_day": french.day(rows[0][1]),
        "others": max(0, len(rows) - NAMED_MAX),
        "certifications": [
            {
                "code": code,
                "title": titles[code][:120],
                "last_day": french.day(ends_on),
                "days": (ends_on - on).days,
                "offers": count,
                "replaced_by": replaced.get(code, ""),
            }
            for code, ends_on, _months, count in rows[:NAMED_MAX]
        ],
    }

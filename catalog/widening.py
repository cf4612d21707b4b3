"""When nothing is found: what to change in the question, and how many offers each change would bring.

Asked only then, so that a page with answers costs no statement more (docs/search.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from django.db import connections, router

from catalog.models import Offer, OfferIndex
from catalog.search import FILTERS, NOTHING, TOTAL_MAX, SearchQuery, matching, respelled
from rulebook import Rules, workdays

RADII_KM = (5, 10, 20, 30, 50, 100)
"""Those that people choose among."""
RADII_MAX = 2
"""Larger radii that are proposed: the first that finds something, and the next that finds more."""

# What may change besides a filter that is let go, which has the name of its field.
RADIUS, AT_A_DISTANCE, EARLIEST, WORDS = "radius_km", "at_a_distance", "earliest", "words"


@dataclass(frozen=True, slots=True)
class Way:
    """`name`: what changes (a name of FILTERS, or one of those above). `query`: the question so changed.
    `count`: the offers that answer it, counted to one above TOTAL_MAX."""

    name: str
    query: SearchQuery
    count: int = 0


def ways(query: SearchQuery, *, on: date, rules: Rules) -> list[Way]:
    """The changes that find something, the smallest first: one at a time, and when none of them helps, the
    words alone, a mistyped one put right. One statement where one of them helps, four at most."""
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    asked = [name for name in FILTERS if _is_asked(getattr(query, name))]
    smaller = _counted(_one_at_a_time(query, asked, earliest), on=on, rules=rules)
    if smaller or not (query.text and asked):
        return _without_radii_that_add_nothing(smaller)
    alone = replace(NOTHING, text=query.text)
    # Of one filter, without it was asked above.
    found = _counted([Way(WORDS, alone)], on=on, rules=rules) if len(asked) > 1 else []
    if not found and (spelled := respelled(query.text)) != query.text:
        found = _counted([Way(WORDS, replace(alone, text=spelled))], on=on, rules=rules)
    return found


def is_too_soon(query: SearchQuery, earliest: date) -> bool:
    """The last day asked for comes before the first that one can still get: nobody could start."""
    return query.starts_by is not None and query.starts_by < earliest


def _one_at_a_time(query: SearchQuery, asked: Iterable[str], earliest: date) -> Iterable[Way]:
    if is_too_soon(query, earliest):
        yield Way(EARLIEST, replace(query, starts_by=earliest))
    if query.town:
        for radius in RADII_KM:
            if radius > query.radius_km:
                yield Way(RADIUS, replace(query, radius_km=radius))
        if Offer.Mode.DISTANCE not in query.modes:
            yield Way(AT_A_DISTANCE, replace(query, modes=(*query.modes, Offer.Mode.DISTANCE)))
    for name in asked:
        yield Way(name, replace(query, **{name: getattr(NOTHING, name)}))


def _is_asked(value: object) -> bool:
    """Zero is an answer: no price, no diploma."""
    return value is not False and value not in (None, (), [], "")


def _counted(tried: Iterable[Way], *, on: date, rules: Rules) -> list[Way]:
    """Those that find something, with how many."""
    tried = list(tried)
    counts = capped_counts([way.query for way in tried], on=on, rules=rules)
    return [replace(way, count=count) for way, count in zip(tried, counts, strict=True) if count]


def _without_radii_that_add_nothing(found: Sequence[Way]) -> list[Way]:
    most, radii, kept = 0, 0, []
    for way in found:
        if way.name == RADIUS:
            if way.count <= most or radii == RADII_MAX:
                continue
            most, radii = way.count, radii + 1
        kept.append(way)
    return kept


def capped_counts(queries: Sequence[SearchQuery], *, on: date, rules: Rules) -> list[int]:
    """How many open offers answer each, never looking further than one above TOTAL_MAX. One statement."""
    if not queries:
        return []
    counted, values = [], []
    for query in queries:
        rows = matching(query, on=on, rules=rules).values("pk")[: TOTAL_MAX + 1]
        statement, its_own = rows.query.sql_with_params()
        counted.append(f"(SELECT count(*) FROM ({statement}) AS offer)")  # noqa: S608 - Django's own
        values += its_own
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counted)}", values)
        return list(cursor.fetchone())

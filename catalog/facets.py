"""How many offers each choice of the search would leave: counted live, beside the answers.

Of a choice, the others stay as they are and its own field is let go: ticking « En présentiel » does not empty
« À distance ». Up to EXACT_MAX offers are counted one by one; beyond, one in sixteen stands for all (the same
ones for everybody: OfferIndex.draw) and the count says that it is rounded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.db import connections, router
from django.db.models import BooleanField, Case, Q, Value, When

from catalog import languages, search
from catalog.grouping import Key
from catalog.models import DRAWS, SAMPLE_DRAWS, Habilitation, Offer, OfferIndex, OfferIndexQuerySet
from catalog.search import HOURS, SearchQuery
from rulebook import Rules

EXACT_MAX = 4_000
SAMPLE_MAX = 40_000
LEVELS = (3, 4, 5, 6, 7, 8)
ENTRY_LEVELS = (0, *LEVELS)
LANGUAGES = languages.COMMON
"""A training in another one is found by its words."""
RHYTHMS = [value for value in Offer.Rhythm.values if value != Offer.Rhythm.SEVERAL]
"""« Plusieurs rythmes » is what an offer says, not what somebody looks for."""
RATINGS = (4, 3)
CERTIFIERS_MAX = 8

COLUMNS = (
    "mode", "kind", "level", "entry_level", "hours", "rhythms", "languages", "is_accessible", "rating_tenths",
)  # fmt: skip


def _one_of(column: str, values: Iterable[object]) -> dict[str, str]:
    return {str(value): f"{column} = '{value}'" for value in values}


# Field of the form → (field of SearchQuery that it asks through, choice → its condition). Only our own words.
CHOICES: Mapping[str, tuple[str, dict[str, str]]] = {
    "mode": ("modes", _one_of("mode", Offer.Mode.values)),
    "kind": ("kinds", _one_of("kind", Offer.Kind.values)),
    "level": ("levels", _one_of("level", LEVELS)),
    "entry_level": (
        "entry_level",
        {str(level): f"(entry_level IS NULL OR entry_level <= {level})" for level in ENTRY_LEVELS},
    ),
    "duration": (
        "durations",
        {str(name): f"hours BETWEEN {least} AND {most}" for name, (least, most) in HOURS.items()},
    ),
    "rhythm": ("rhythms", {value: f"'{value}' = ANY(rhythms)" for value in RHYTHMS}),
    "language": ("languages", {code: f"'{code}' = ANY(languages)" for code in LANGUAGES}),
    "accessible": ("is_accessible", {"on": "is_accessible"}),
    "rating": ("rating_min", {str(least): f"rating_tenths >= {least * 10}" for least in RATINGS}),
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many. `sign`: ≈ about that many, ≥ at least that many, empty when it is the number."""

    number: int
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Certifier:
    """Who certifies some of the answers, with how many of the offers."""

    siret: str
    name: str
    count: Count


@dataclass(frozen=True, slots=True)
class Facets:
    """`choices`: field of the form → choice → how many it would leave. `total`: with all that is asked."""

    choices: dict[str, dict[str, Count]] = field(default_factory=dict)
    total: Count = Count(0)


def count(query: SearchQuery, keys: Sequence[Key] | None = None, *, on: date, rules: Rules) -> Facets:
    """The choices of a search. `keys`: the groups that answer, when answers are gathered: their offers are
    what is counted. Two statements for the most common words, else one; one more beside a town."""
    asked = search.conditions(query, on=on, rules=rules)
    offers = reached(query, keys, on=on)
    numbers, looked_at = _counted(offers, asked, limit=EXACT_MAX + 1)
    times = 1
    if looked_at > EXACT_MAX:
        numbers, _looked_at = _counted(offers.filter(draw__lt=SAMPLE_DRAWS), asked, limit=SAMPLE_MAX)
        times = DRAWS // SAMPLE_DRAWS
    counts = [Count(_rounded(number * times), "≈") if times > 1 else Count(number) for number in numbers]
    total, *others = counts
    choices: dict[str, dict[str, Count]] = {}
    for name, (_asked, values) in CHOICES.items():
        choices[name] = dict(zip(values, others, strict=False))
        others = others[len(values) :]
    if query.town is not None and Offer.Mode.DISTANCE not in query.modes:
        choices["mode"][Offer.Mode.DISTANCE] = _at_a_distance(query, keys, asked, on=on)
    return Facets(choices, total)


def certifiers(
    query: SearchQuery, keys: Sequence[Key] | None = None, *, on: date, rules: Rules
) -> list[Certifier]:
    """Those of the answers, the most present first; the one that is asked for leaves the others at hand."""
    asked = search.conditions(query, on=on, rules=rules)
    offers = reached(query, keys, on=on).exclude(certification=None)
    for name, condition in asked.items():
        if name != "certifier":
            offers = offers.filter(condition)
    rows, looked_at = _certifiers(offers[: EXACT_MAX + 1])
    if looked_at <= EXACT_MAX:
        return [Certifier(siret, name, Count(number)) for siret, name, number in rows]
    times = DRAWS // SAMPLE_DRAWS
    rows, _looked_at = _certifiers(offers.filter(draw__lt=SAMPLE_DRAWS)[:SAMPLE_MAX])
    return [Certifier(siret, name, Count(_rounded(number * times), "≈")) for siret, name, number in rows]


def _certifiers(offers: OfferIndexQuerySet) -> tuple[list[tuple[str, str, int]], int]:
    found, values = offers.values_list("certification_id").query.sql_with_params()
    statement = f"""
        WITH offers (code) AS MATERIALIZED ({found}), certified (code, number) AS MATERIALIZED (
            SELECT code, count(*) FROM offers GROUP BY 1
        )
        SELECT siret, min(name), sum(number)::int, (SELECT count(*) FROM offers)
        FROM certified JOIN catalog_habilitation ON certification_id = code
        WHERE role = %s AND siret <> '' AND name <> ''
        GROUP BY siret ORDER BY 3 DESC, 2, 1 LIMIT %s
    """  # noqa: S608 - Django's own statement
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(statement, [*values, Habilitation.Role.CERTIFIER, CERTIFIERS_MAX])
        rows = cursor.fetchall()
    return [row[:3] for row in rows], rows[0][3] if rows else 0


def reached(query: SearchQuery, keys: Sequence[Key] | None, *, on: date) -> OfferIndexQuerySet:
    """The offers that answer the words, in the place asked for: of the groups, when answers are gathered."""
    if keys is None:
        return search.within_reach(query, on=on)
    offers = search.within_reach(replace(query, text=""), on=on)
    own = [key for key in keys if key.by_own_words]
    wanted = _of([key for key in keys if not key.by_own_words])
    if own:
        wanted |= _of(own) & Q(search=search.text_query(query.text))
    return offers.filter(wanted)


def _of(keys: Sequence[Key]) -> Q:
    wanted = Q(pk__in=[])
    if codes := [key.certification for key in keys if key.certification]:
        wanted |= Q(certification__in=codes)
    if kinds := [key.kind for key in keys if not key.certification]:
        wanted |= Q(certification=None, kind__in=kinds)
    return wanted


def _counted(offers: OfferIndexQuerySet, asked: Mapping[str, Q], *, limit: int) -> tuple[list[int], int]:
    """(the total and then each choice in the order of CHOICES, how many offers were looked at)."""
    passes = {f"passes_{name}": _is(condition) for name, condition in asked.items()}
    rows, values = offers.annotate(**passes).values_list(*COLUMNS, *passes)[:limit].query.sql_with_params()
    names = [*COLUMNS, *passes]

    def leaving(own: str) -> str:
        kept = [name for name in passes if name != f"passes_{own}"]
        return " AND ".join(kept) or "true"

    counted = [f"count(*) FILTER (WHERE {leaving('')})"]
    for own, choices in CHOICES.values():
        counted += [f"count(*) FILTER (WHERE {leaving(own)} AND {choice})" for choice in choices.values()]
    statement = f"SELECT count(*), {', '.join(counted)} FROM ({rows}) AS offer ({', '.join(names)})"  # noqa: S608
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(statement, values)
        looked_at, *numbers = cursor.fetchone()
    return numbers, looked_at


def _is(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def _at_a_distance(
    query: SearchQuery, keys: Sequence[Key] | None, asked: Mapping[str, Q], *, on: date
) -> Count:
    """What a town leaves out and one tick would bring: counted to TOTAL_MAX, which is where it stops."""
    offers = reached(replace(query, town=None), keys, on=on).filter(mode=Offer.Mode.DISTANCE)
    for name, condition in asked.items():
        if name != "modes":
            offers = offers.filter(condition)
    number = search.capped_count(offers)
    return Count(min(number, search.TOTAL_MAX), "≥" if number > search.TOTAL_MAX else "")


def _rounded(number: int) -> int:
    """Two figures that mean something: 12 384 is « environ 12 000 »."""
    step = 10 ** max(len(str(number)) - 2, 0)
    return round(number / step) * step

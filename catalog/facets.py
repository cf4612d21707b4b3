"""How many offers each choice of the search would leave: counted live, beside the answers.

Of a choice, the others stay as they are and its own field is let go: ticking « En présentiel » does not empty
« À distance ». About EXACT_MAX offers are counted one by one; beyond, one in sixteen stands for all (the same
ones for everybody: OfferIndex.draw) and the count says that it is rounded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.db import connections, router
from django.db.models import BooleanField, Case, Q, Value, When

from catalog import languages, levels, search
from catalog.grouping import Key
from catalog.models import DRAWS, SAMPLE_DRAWS, Habilitation, Offer, OfferIndex, OfferIndexQuerySet
from catalog.search import HOURS, SearchQuery
from rulebook import Rules

EXACT_MAX = 2_000
LOOKED_AT_MAX = 40_000
LEVELS = tuple(level for level, _words in levels.OBTAINED)
ENTRY_LEVELS = (levels.NONE_ASKED, *LEVELS)
LANGUAGES = languages.COMMON
"""A training in another one is found by its words."""
RHYTHMS = [value for value in Offer.Rhythm.values if value != Offer.Rhythm.SEVERAL]
"""« Plusieurs rythmes » is what an offer says, not what somebody looks for."""
RATINGS = (4, 3)
CERTIFIERS_MAX = 8

COLUMNS = ("mode", "nature", "level", "entry_level", "rhythms", "languages", "is_accessible")
# What is counted by steps is first brought to its step, so that few different offers are left to count.
DURATION = "CASE " + " ".join(
    f"WHEN hours BETWEEN {least} AND {most} THEN '{name}'" for name, (least, most) in HOURS.items()
) + " END"  # fmt: skip


def _one_of(column: str, values: Iterable[object]) -> dict[str, str]:
    return {str(value): f"{column} = '{value}'" for value in values}


# Field of the form → (field of SearchQuery that it asks through, choice → its condition). Only our own words.
CHOICES: Mapping[str, tuple[str, dict[str, str]]] = {
    "mode": ("modes", _one_of("mode", Offer.Mode.values)),
    "kind": ("natures", _one_of("nature", (value for value, _label in OfferIndex.NATURES))),
    "level": ("levels", _one_of("level", LEVELS)),
    "entry_level": (
        "entry_level",
        {str(level): f"(entry_level IS NULL OR entry_level <= {level})" for level in ENTRY_LEVELS},
    ),
    "duration": (
        "durations",
        _one_of("duration", HOURS),
    ),
    "rhythm": ("rhythms", {value: f"'{value}' = ANY(rhythms)" for value in RHYTHMS}),
    "language": ("languages", {code: f"'{code}' = ANY(languages)" for code in LANGUAGES}),
    "accessible": ("is_accessible", {"on": "is_accessible"}),
    "rating": ("rating_min", {str(least): f"stars >= {least}" for least in RATINGS}),
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
    certifiers: tuple[Certifier, ...] = ()


def count(query: SearchQuery, keys: Sequence[Key] | None = None, *, on: date, rules: Rules) -> Facets:
    """The choices of a search, and who certifies, the most present first (the one that is asked for leaves
    the others at hand). `keys`: the groups that answer, when answers are gathered: their offers are what is
    counted. The sample is asked first: of a common word it is the answer, and costs a sixteenth."""
    asked = search.conditions(query, on=on, rules=rules)
    offers = reached(query, keys, on=on)
    times = DRAWS // SAMPLE_DRAWS
    numbers, looked_at, certifiers = _counted(offers.filter(draw__lt=SAMPLE_DRAWS), asked)
    if looked_at * times <= EXACT_MAX:
        times = 1
        numbers, _looked_at, certifiers = _counted(offers, asked)

    def said(number: int) -> Count:
        return Count(_rounded(number * times), "≈") if times > 1 else Count(number)

    total, *others = map(said, numbers)
    choices: dict[str, dict[str, Count]] = {}
    for name, (_asked, values) in CHOICES.items():
        choices[name] = dict(zip(values, others, strict=False))
        others = others[len(values) :]
    if query.town is not None and Offer.Mode.DISTANCE not in query.modes:
        choices["mode"][Offer.Mode.DISTANCE] = _at_a_distance(query, keys, asked, on=on)
    named = tuple(Certifier(siret, name, said(number)) for siret, name, number in certifiers)
    return Facets(choices, total, named)


def reached(query: SearchQuery, keys: Sequence[Key] | None, *, on: date) -> OfferIndexQuerySet:
    """The offers that answer the words, in the place asked for: of the groups, when answers are gathered."""
    if keys is None:
        return search.within_reach(query, on=on)
    offers = search.within_reach(replace(query, text=""), on=on)
    wanted = [_of([key for key in keys if not key.by_own_words], query)]
    if own := [key for key in keys if key.by_own_words]:
        wanted.append(_of(own, query) & Q(words__search=search.text_query(query.text)))
    return offers.filter(search.any_of(wanted))


def _of(keys: Iterable[Key], query: SearchQuery) -> Q:
    codes, kinds = [], []
    for key in keys:
        (codes if key.certification else kinds).append(key.certification or key.kind)
    wanted = []
    if codes:
        wanted.append(search.of_certifications(codes, query))
    if kinds:
        wanted.append(Q(certification=None, kind__in=kinds))
    return search.any_of(wanted)


def _counted(
    offers: OfferIndexQuerySet, asked: Mapping[str, Q]
) -> tuple[list[int], int, list[tuple[str, str, int]]]:
    """(the total, then each choice in the order of CHOICES; how many were looked at; certifiers)."""
    passes = {f"passes_{name}": _is(condition) for name, condition in asked.items()}
    columns = [*COLUMNS, "hours", "rating_tenths", "certification_id", *passes]
    rows, values = offers.annotate(**passes).values_list(*columns)[:LOOKED_AT_MAX].query.sql_with_params()

    def leaving(own: str) -> str:
        kept = [name for name in passes if name != f"passes_{own}"]
        return " AND ".join(kept) or "true"

    counted = [_sum(leaving(""))]
    for own, choices in CHOICES.values():
        counted += [_sum(f"{leaving(own)} AND {choice}") for choice in choices.values()]
    same = ", ".join([*COLUMNS, *passes])
    statement = f"""
        WITH offer ({", ".join(columns)}) AS MATERIALIZED ({rows}), alike AS (
            SELECT {same}, {DURATION} AS duration, rating_tenths / 10 AS stars, count(*) AS number
            FROM offer GROUP BY {same}, duration, stars
        ), certified (code, number) AS MATERIALIZED (
            SELECT certification_id, count(*) FROM offer WHERE {leaving("certifier")} GROUP BY 1
        ), certifier AS (
            SELECT siret, min(name) AS name, sum(number)::int AS number
            FROM certified JOIN catalog_habilitation ON certification_id = code
            WHERE role = %s AND siret <> '' AND name <> ''
            GROUP BY siret ORDER BY 3 DESC, 2, 1 LIMIT %s
        )
        SELECT coalesce(sum(number), 0), (
            SELECT json_agg(json_build_array(siret, name, number) ORDER BY number DESC, name, siret)
            FROM certifier
        ), {", ".join(counted)}
        FROM alike
    """  # noqa: S608 - Django's own statement, our own words
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(statement, [*values, Habilitation.Role.CERTIFIER, CERTIFIERS_MAX])
        looked_at, certifiers, *numbers = cursor.fetchone()
    return [int(number) for number in numbers], int(looked_at), certifiers or []


def _sum(condition: str) -> str:
    return f"coalesce(sum(number) FILTER (WHERE {condition}), 0)"


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

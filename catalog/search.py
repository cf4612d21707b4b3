"""Searching the catalogue: words, a place, filters, an order. One SQL page and one capped count.

What is read is the index of offers (catalog.indexing), one narrow row for each that is open; the offers that
a page shows are judged again by `OfferQuerySet.open_on`. Distances are metres in official grids
(catalog.geography).
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery as TextQuery
from django.contrib.postgres.search import SearchRank
from django.core.paginator import Page, Paginator
from django.db import connections, models, router
from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from catalog.costs import ANYBODY, Costs
from catalog.geography import Circle, Distance, name_key, read_point
from catalog.indexing import JOINT
from catalog.models import (
    Certification,
    Habilitation,
    HashedAmong,
    Offer,
    OfferIndex,
    OfferIndexQuerySet,
    OfferQuerySet,
    Provider,
    Session,
    Town,
    Word,
    exists_one_by_one,
)
from catalog.words import fold, wished
from rulebook import Rules, workdays
from ui import prepared

PAGE_SIZE = 20
# Nobody reads further, and counting on costs more than the page itself.
TOTAL_MAX = 1000
TOWN_CHOICES_MAX = 10

# Small words that the French configuration keeps: « les » is not in its list, « a » is « à » typed in haste.
SMALL_WORDS = frozenset({"a", "les"})


class Sort(models.TextChoices):
    RELEVANCE = "relevance", _("Pertinence")
    DISTANCE = "distance", _("Distance")
    COST = "cost", _("Ce que vous payez")
    PRICE = "price", _("Prix")
    START = "start", _("Date de début")


class Duration(models.TextChoices):
    """How long a training lasts, in hours of it: seven hours are a day, thirty-five a week."""

    DAYS = "days", _("Deux jours au plus")
    WEEK = "week", _("Une semaine au plus")
    MONTH = "month", _("Un mois au plus")
    HALF_YEAR = "half_year", _("De un à quatre mois")
    LONGER = "longer", _("Plus longtemps")


HOURS = {
    Duration.DAYS: (1, 14),
    Duration.WEEK: (15, 35),
    Duration.MONTH: (36, 150),
    Duration.HALF_YEAR: (151, 600),
    Duration.LONGER: (601, 2**31 - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What somebody asks for. Empty means anything; `radius_km` counts only with a `town`; `levels` are those
    of the certification, which is also asked for by its code; `entry_level`: what they hold themselves.

    An offer at a distance has no place: a town leaves it out unless `modes` asks for it. `costs`: what the
    person who asks would pay, which `cost_max_cents` and the order by cost need.
    """

    text: str = ""
    town: Town | None = None
    radius_km: int = 30
    modes: Collection[str] = ()
    natures: Collection[str] = ()
    levels: Collection[int] = ()
    entry_level: int | None = None
    durations: Collection[str] = ()
    rhythms: Collection[str] = ()
    languages: Collection[str] = ()
    starts_from: date | None = None
    starts_by: date | None = None
    is_accessible: bool = False
    rating_min: int | None = None
    certification: str = ""
    certifier: str = ""
    price_max_cents: int | None = None
    cost_max_cents: int | None = None
    costs: Costs = ANYBODY
    sort: Sort = Sort.RELEVANCE

    @property
    def circle(self) -> Circle | None:
        """What is near enough to the town."""
        return Circle(self.town.point, self.radius_km * 1000) if self.town else None


NOTHING = SearchQuery()
FILTERS = (
    "town",
    "modes",
    "natures",
    "levels",
    "entry_level",
    "durations",
    "rhythms",
    "languages",
    "starts_from",
    "starts_by",
    "is_accessible",
    "rating_min",
    "price_max_cents",
    "cost_max_cents",
    "certifier",
    "certification",
)
"""Fields that leave offers out, each of which may be taken back."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of offers. Each has `distance_m` (or None), `next_start` (or None), `is_permanent`, `is_soon`.

    `suggestion`: another spelling that finds something, when nothing was found.
    """

    page: Page
    earliest_start: date
    suggestion: str = ""

    @property
    def total(self) -> int:
        return self.page.paginator.count

    @property
    def is_capped(self) -> bool:
        return self.page.paginator.is_capped


class CappedPaginator(Paginator):
    """Counts to TOTAL_MAX and no further, over the rows alone: without their order and their annotations.

    A first page that is not full is the whole answer: nothing is left to count.
    """

    def __init__(self, rows, per_page: int, *, counted: OfferIndexQuerySet):
        super().__init__(rows, per_page)
        self._counted = counted

    @cached_property
    def _count_to_cap(self) -> int:
        return capped_count(self._counted)

    @cached_property
    def count(self) -> int:
        return min(self._count_to_cap, TOTAL_MAX)

    @property
    def is_capped(self) -> bool:
        return self._count_to_cap > TOTAL_MAX

    def get_page(self, number) -> Page:
        if str(number) != "1":
            return super().get_page(number)
        rows = list(self.object_list[: self.per_page])
        if len(rows) < self.per_page:
            self._count_to_cap = len(rows)
        return self._get_page(rows, 1, self)


def search(query: SearchQuery, *, on: date, rules: Rules, page: int | str = 1) -> Results:
    """The page of open offers that answers `query` on that day. A page out of range gives the nearest one."""
    found = matching(query, on=on, rules=rules)
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    ordered = _ordered(found, query, earliest=earliest).values_list("pk", flat=True)
    results_page = CappedPaginator(ordered, PAGE_SIZE, counted=found).get_page(page)
    results_page.object_list = shown(list(results_page.object_list), query, on=on, rules=rules)
    if results_page.paginator.count:
        return Results(results_page, earliest)
    return Results(results_page, earliest, suggestion=_suggestion(query, on=on, rules=rules))


def matching(query: SearchQuery, *, on: date, rules: Rules) -> OfferIndexQuerySet:
    """The offers of the index that answer `query`, in no order."""
    offers = within_reach(query, on=on)
    for condition in conditions(query, on=on, rules=rules).values():
        offers = offers.filter(condition)
    return offers


def within_reach(query: SearchQuery, *, on: date) -> OfferIndexQuerySet:
    """Those that answer the words and lie in the place asked for, whatever else is asked."""
    offers = OfferIndex.objects.open_on(on).order_by()
    if query.text:
        offers = offers.filter(words__search=text_query(query.text))
    if query.certification:
        offers = offers.filter(of_certifications([query.certification], query))
    if query.circle is not None:
        place = Q(point__within=query.circle)
        if Offer.Mode.DISTANCE in query.modes:
            place |= Q(mode=Offer.Mode.DISTANCE)
        offers = offers.filter(place)
    return offers


def of_certifications(codes: Sequence[str], query: SearchQuery) -> Q:
    """Of one of these; in a place, as `offer_by_certified_place` knows them (catalog.models.Hashed) too."""
    wanted = Q(certification__in=codes)
    return wanted & Q(HashedAmong("certification_id", among=codes)) if query.town else wanted


def conditions(query: SearchQuery, *, on: date, rules: Rules) -> dict[str, Q]:
    """What else is asked: field of SearchQuery → what it lets through. Only fields that ask for something."""
    asked: dict[str, Q] = {}
    if query.modes:
        asked["modes"] = Q(mode__in=query.modes)
    if query.natures:
        asked["natures"] = Q(nature__in=query.natures)
    if query.levels:
        asked["levels"] = Q(level__in=query.levels)
    if query.entry_level is not None:
        # An offer that does not say is not hidden for it.
        asked["entry_level"] = Q(entry_level=None) | Q(entry_level__lte=query.entry_level)
    if query.durations:
        asked["durations"] = any_of(Q(hours__range=HOURS[Duration(each)]) for each in query.durations)
    if query.rhythms:
        asked["rhythms"] = Q(rhythms__overlap=list(query.rhythms))
    if query.languages:
        asked["languages"] = Q(languages__overlap=list(query.languages))
    if query.starts_from or query.starts_by:
        asked["starts"] = _starting(query, workdays.earliest_start(on, rules.earliest_start_days))
    if query.is_accessible:
        asked["is_accessible"] = Q(is_accessible=True)
    if query.rating_min is not None:
        asked["rating_min"] = Q(rating_tenths__gte=query.rating_min * 10)
    if query.certifier:
        certified = Habilitation.objects.filter(siret=query.certifier, role=Habilitation.Role.CERTIFIER)
        asked["certifier"] = Q(certification__in=certified.values("certification"))
    if query.price_max_cents is not None:
        asked["price_max_cents"] = Q(price_cents__lte=query.price_max_cents)
    if query.cost_max_cents is not None:
        asked["cost_max_cents"] = query.costs.at_most(query.cost_max_cents)
    return asked


NONE = Q(draw__lt=0)
"""No offer at all, as a condition that is still asked: a statement that Django leaves out has no text."""


def any_of(ways: Iterable[Q]) -> Q:
    """One of these at least; no offer when there is none. NONE is no way of its own: asked beside others, it
    costs as much as they do."""
    return reduce(or_, [way for way in ways if way != NONE] or [NONE])


def _starting(query: SearchQuery, earliest: date) -> Q:
    """A session that one can still join begins between the two days; or entry is at any time by then."""
    first, last = max(query.starts_from or earliest, earliest), query.starts_by or date.max
    if last < first:
        return NONE
    return Q(is_permanent=True) | Q(StartsBetween("starts", Value(first), Value(last)))


class StartsBetween(models.Func):
    """Whether one of these days is between two others, both included.

    The days are in order (catalog.indexing): width_bucket says how many are not after another, without the
    statement inside the statement that unnest asks for each row.
    """

    output_field = models.BooleanField()
    conditional = True

    def as_sql(self, compiler, connection, **_context):
        (days, values), (first, since), (last, until) = map(compiler.compile, self.source_expressions)
        sql = f"width_bucket({last}::date, {days}) > width_bucket({first}::date - 1, {days})"
        return sql, [*until, *values, *since, *values]


class FirstStart(models.Func):
    """The first of these days, which are in order, that is not before another; NULL when there is none."""

    output_field = models.DateField()

    def as_sql(self, compiler, connection, **_context):
        (days, values), (first, since) = map(compiler.compile, self.source_expressions)
        return f"({days})[width_bucket({first}::date - 1, {days}) + 1]", [*values, *since, *values]


def capped_count(offers: OfferIndexQuerySet) -> int:
    """How many, never looking further than one above TOTAL_MAX."""
    return offers.order_by().values("pk")[: TOTAL_MAX + 1].count()


def text_query(text: str) -> TextQuery:
    """What people type, for PostgreSQL: quotes, `or`, a leading `-`; the last word may be unfinished."""
    text = _plain(text)
    whole = TextQuery(text, config="portal_french", search_type="websearch")
    last = re.search(r"(?:^|[\s'’])(?P<word>\w{3,})$", text)
    if last is None or text.count('"') % 2:
        return whole
    begun = TextQuery(f"{last['word']}:*", config="portal_plain", search_type="raw")
    head = text[: last.start("word")].strip()
    if not head:
        return whole | begun
    if head.lower().endswith(" or"):
        return whole
    return whole | (TextQuery(head, config="portal_french", search_type="websearch") & begun)


def _plain(text: str) -> str:
    """One kind of quotes, compound words in their parts as `reindex` writes them, small words left out."""
    text = re.sub(r"[«»“”]", '"', text.replace("\0", " "))
    # Operators are blanks, and « ---- » is one « not »: PostgreSQL stacks each, and fails beyond thirty.
    text = re.sub(JOINT, " ", re.sub(r"[!&|()<>:*]", " ", text))
    pieces = [re.sub("^-+", "-", piece) for piece in re.findall(r'-?"[^"]*"?|[^\s"]+', text)]
    pieces = [piece for piece in pieces if any(map(str.isalnum, piece))]
    # What is quoted, or not wanted, is said on purpose.
    pieces = pieces[wished(["" if piece[0] in '-"' else fold(piece) for piece in pieces]) :]
    return " ".join(piece for piece in pieces if name_key(piece) not in SMALL_WORDS or '"' in piece)


def _ordered(offers: OfferIndexQuerySet, query: SearchQuery, *, earliest: date) -> OfferIndexQuerySet:
    sort = query.sort
    offers = offers.annotate(distance_m=Distance("point", query.town.point) if query.town else NOWHERE)
    if sort == Sort.DISTANCE and query.town:
        return offers.order_by("distance_m", "pk")
    if sort == Sort.PRICE:
        return offers.order_by("price_cents", "pk")
    if sort == Sort.COST:
        return offers.order_by(query.costs.expression(), "price_cents", "pk")
    if sort == Sort.START:
        return offers.order_by(_first_start(earliest).asc(nulls_last=True), "pk")
    if query.text:
        return offers.order_by(SearchRank(F("words__search"), text_query(query.text)).desc(), "title", "pk")
    return offers.order_by("distance_m", "pk") if query.town else offers.order_by("title", "pk")


def _first_start(earliest: date) -> models.Expression:
    """The first day one can still start: a session's, or the earliest there is where entry is at any time."""
    day = Value(earliest, models.DateField())
    at_any_time = models.Case(models.When(is_permanent=True, then=day))
    return Least(at_any_time, FirstStart("starts", day))


NOWHERE = Value(None, models.FloatField())
"""The distance where no place is asked for."""


def shown(ids: Collection[UUID], query: SearchQuery, *, on: date, rules: Rules) -> list[Offer]:
    """These offers as their cards say them, in this order. Judged again: one that has closed since it was
    indexed is left out."""
    if not ids:
        return []
    statement, values = _statement_of_cards(on, rules)
    using = router.db_for_read(Offer)
    rows = prepared.rows(statement, [list(ids) if each is IDS else each for each in values], using=using)
    offers = [_card(row, query, using=using) for row in rows]
    by_id = {offer.pk: offer for offer in offers}
    return [by_id[pk] for pk in ids if pk in by_id]


IDS = object()
"""Stands for the offers asked for among the values of a statement that is kept."""
_written: dict[date, tuple[Rules, str, list]] = {}


def _statement_of_cards(on: date, rules: Rules) -> tuple[str, list]:
    """What says the cards of those of IDS that are open, a row of ROW each. Django takes three times as long
    to write it as PostgreSQL to answer, and all that changes it on one day is the law."""
    known = _written.get(on)
    if known is None or known[0] is not rules:
        among = RawSQL("SELECT unnest(%s::uuid[])", [IDS])
        offers = _with_sessions(Offer.objects.open_on(on, rules).filter(pk__in=among), on=on, rules=rules)
        statement, values = offers.values_list(*ROW).query.sql_with_params()
        _written.clear()  # yesterday's
        known = _written[on] = (rules, statement, list(values))
    return known[1], known[2]


def _card(row: Sequence[Any], query: SearchQuery, *, using: str) -> Offer:
    """One of these rows, as Django would have read it."""
    told = dict(zip(ROW, row, strict=True))

    def part(model: Any, names: Sequence[str], prefix: str = "") -> Any:
        return model.from_db(using, names, [told[prefix + name] for name in names])

    offer = part(Offer, OF_OFFER)
    offer.provider = part(Provider, OF_PROVIDER, "provider__")
    offer.provider.organisation = part(Organisation, OF_ORGANISATION, "provider__organisation__")
    if offer.certification_id:
        offer.certification = part(Certification, OF_CERTIFICATION, "certification__")
    for name in OF_SESSIONS:
        setattr(offer, name, told[name])
    offer.distance_m = _metres(told["point"], query.town)
    return offer


def _metres(place: str | None, town: Town | None) -> float | None:
    """`Distance`, of a point as PostgreSQL writes it."""
    if place is None or town is None:
        return None
    here, there = read_point(place), town.point
    return math.hypot(here.x - there.x, here.y - there.y)


def cards(offers: OfferQuerySet, query: SearchQuery, *, on: date, rules: Rules) -> OfferQuerySet:
    """These offers as their cards say them, by key: how far, and the first day one can start."""
    far = Distance("point", query.town.point) if query.town else NOWHERE
    told = _with_sessions(offers.annotate(distance_m=far), on=on, rules=rules)
    return told.select_related("provider__organisation", "certification").only(*FIELDS).order_by("pk")


def next_start(on: date, rules: Rules) -> Subquery:
    """The first day one can still start; an entry at any time starts on the earliest day there is."""
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    starts = Session.objects.obtainable(on, rules).filter(offer=OuterRef("pk"))
    first = Coalesce("starts_on", Value(earliest, models.DateField()))
    return Subquery(starts.order_by(first, "pk").values(first=first)[:1])


def _with_sessions(offers: OfferQuerySet, *, on: date, rules: Rules) -> OfferQuerySet:
    """With OF_SESSIONS."""
    sessions = Session.objects.filter(offer=OuterRef("pk"), recruitment=Session.Recruitment.OPEN)
    return offers.annotate(
        next_start=next_start(on, rules),
        is_permanent=exists_one_by_one(sessions.filter(starts_on__isnull=True)),
        is_soon=exists_one_by_one(sessions.filter(starts_on__gt=on)),
    )


def _in_order(model: type[models.Model], *names: str) -> tuple[str, ...]:
    """As `from_db` wants them."""
    return tuple(each.attname for each in model._meta.concrete_fields if each.attname in names)


# What a card says, and no long text.
OF_OFFER = _in_order(
    Offer,
    *("id", "provider_id", "certification_id", "title", "kind", "mode", "hours", "price_cents"),
    *("extra_fees_cents", "town_name", "postal_code", "is_demonstration", "rhythms", "languages"),
    *("rating_tenths", "reviews_count"),
)
OF_PROVIDER = ("organisation_id",)
OF_ORGANISATION = _in_order(Organisation, "id", "name")
# Its register, level and trades decide who may pay for it.
OF_CERTIFICATION = _in_order(
    Certification,
    *("code", "title", "short_title", "registered_until", "register", "level", "rome_codes"),
)
OF_SESSIONS = ("next_start", "is_permanent", "is_soon")
PARTS = {
    "": OF_OFFER,
    "provider__": OF_PROVIDER,
    "provider__organisation__": OF_ORGANISATION,
    "certification__": OF_CERTIFICATION,
}
FIELDS = tuple(prefix + name for prefix, names in PARTS.items() for name in names)
ROW = (*FIELDS, *OF_SESSIONS, "point")


# --- When nothing is found -----------------------------------------------------------------------


def _suggestion(query: SearchQuery, *, on: date, rules: Rules) -> str:
    """The same words, the unknown ones spelled as the catalogue does; empty unless it finds something."""
    text = respelled(query.text)
    if text == query.text or not matching(replace(query, text=text), on=on, rules=rules).exists():
        return ""
    return text


def respelled(text: str) -> str:
    """The same text, each word that the catalogue does not know written as the one most like it."""
    words = {word: name_key(word) for word in re.findall(r"\w{4,}", text)}
    nearest = nearest_words(words.values())
    return re.sub(r"\w{4,}", lambda found: nearest.get(words[found[0]], found[0]), text)


def nearest_words(keys: Collection[str]) -> dict[str, str]:
    """Unknown word without accents → the word of the catalogue most like it, if one is like it at all."""
    with connections[router.db_for_read(Word)].cursor() as cursor:
        cursor.execute(
            """
            SELECT typed.key, nearest.spelling
            FROM unnest(%s::text[]) AS typed (key)
            CROSS JOIN LATERAL (
                SELECT spelling FROM catalog_word
                WHERE key %% typed.key
                ORDER BY similarity(key, typed.key) DESC, key
                LIMIT 1
            ) AS nearest
            WHERE NOT EXISTS (SELECT FROM catalog_word WHERE key = typed.key)
            """,
            [list(keys)],
        )
        return dict(cursor.fetchall())


# --- Towns ---------------------------------------------------------------------------------------


def find_towns(text: str, *, limit: int = TOWN_CHOICES_MAX) -> list[Town]:
    """Towns that `text` may mean, best first, the most populous of equals first; empty when none.

    Understands a name or its beginning, a postal code, an INSEE code, and « Saint-Denis (974) ».
    """
    text, department = _split_department(text)
    key = name_key(text)
    if not key:
        return []
    towns = Town.objects.filter(department=department) if department else Town.objects.all()
    code = key.upper()
    if re.fullmatch(r"\d{5}|2[AB]\d{3}", code):
        coded = towns.filter(
            Q(postal_codes__contains=[code]) | Q(code=code) | Q(former_codes__contains=[code])
        )
        is_postal = Q(postal_codes__contains=[code])
        return list(
            coded.order_by(models.Case(models.When(is_postal, then=0), default=1), "-population")[:limit]
        )
    named = towns.filter(name_key__startswith=key)
    return list(
        named.order_by(models.Case(models.When(name_key=key, then=0), default=1), "-population", "code")[
            :limit
        ]
    )


def towns_like(text: str, *, limit: int = 3) -> list[Town]:
    """Towns whose name looks like a mistyped one, most alike first."""
    key = name_key(_split_department(text)[0])
    alike = Town.objects.filter(name_key__trigram_similar=key).annotate(
        likeness=models.Func("name_key", Value(key), function="similarity", output_field=models.FloatField())
    )
    return list(alike.order_by("-likeness", "-population", "code")[:limit])


def _split_department(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*(?P<name>.*?)\s*\((?P<department>\d{2,3}|2[ABab])\)\s*", text)
    return (found["name"], found["department"].upper()) if found else (text, "")

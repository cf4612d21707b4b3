"""Searching the catalogue: words, a place, filters, an order. One SQL page and one capped count.

The text of an offer is folded once, by `reindex`, into `Offer.search`; PostgreSQL does the rest. Distances
are metres in official grids (catalog.geography). The law that opens an offer is `OfferQuerySet.open_on`.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from uuid import UUID

from django.contrib.postgres.search import SearchQuery as TextQuery
from django.contrib.postgres.search import SearchRank
from django.core.paginator import Page, Paginator
from django.db import connection, connections, models, router, transaction
from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from catalog.geography import Circle, Distance, name_key
from catalog.models import Offer, OfferQuerySet, Session, Town, Word, exists_one_by_one
from rulebook import Rules, workdays

PAGE_SIZE = 20
# Nobody reads further, and counting on costs more than the page itself.
TOTAL_MAX = 1000
TOWN_CHOICES_MAX = 10

# Small words that the French configuration keeps: « les » is not in its list, « a » is « à » typed in haste.
SMALL_WORDS = frozenset({"a", "les"})

# What joins two words: « Word/Excel » would be a file name for PostgreSQL's parser, « auto-école » one word.
JOINT = r"(?<=\w)[-/](?=\w)"


class Sort(models.TextChoices):
    RELEVANCE = "relevance", _("Pertinence")
    DISTANCE = "distance", _("Distance")
    PRICE = "price", _("Prix")
    START = "start", _("Date de début")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What somebody asks for. Empty means anything; `radius_km` counts only with a `town`; `levels` are those
    of the certification, which is also asked for by its code.

    An offer at a distance has no place: a town leaves it out unless `modes` asks for it.
    """

    text: str = ""
    town: Town | None = None
    radius_km: int = 30
    modes: Collection[str] = ()
    kinds: Collection[str] = ()
    levels: Collection[int] = ()
    certification: str = ""
    price_max_cents: int | None = None
    sort: Sort = Sort.RELEVANCE


@dataclass(frozen=True, slots=True)
class Results:
    """One page of offers. Each has `distance_m` (or None), `next_start` (or None), `is_permanent`, `is_soon`.

    `suggestion`: another spelling that finds something, when nothing was found. `wider`: filter name → how
    many offers there would be without it, when nothing was found.
    """

    page: Page
    earliest_start: date
    suggestion: str = ""
    wider: dict[str, int] = field(default_factory=dict)

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

    def __init__(self, rows, per_page: int, *, counted: OfferQuerySet):
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
    shown = _with_sessions(_ordered(found, query, on=on, rules=rules), on=on, rules=rules)
    results_page = CappedPaginator(shown, PAGE_SIZE, counted=found).get_page(page)
    if results_page.paginator.count:
        return Results(results_page, earliest)
    return Results(
        results_page,
        earliest,
        suggestion=_suggestion(query, on=on, rules=rules),
        wider=_wider(query, on=on, rules=rules),
    )


def matching(query: SearchQuery, *, on: date, rules: Rules) -> OfferQuerySet:
    """The open offers that answer `query`, in no order."""
    offers = Offer.objects.open_on(on, rules).order_by()
    if query.text:
        offers = offers.filter(search=text_query(query.text))
    if query.kinds:
        offers = offers.filter(kind__in=query.kinds)
    if query.levels:
        offers = offers.filter(certification__level__in=query.levels)
    if query.certification:
        offers = offers.filter(certification=query.certification)
    if query.price_max_cents is not None:
        offers = offers.filter(price_cents__lte=query.price_max_cents)
    if query.town is None:
        return offers.filter(mode__in=query.modes) if query.modes else offers
    place = Q(point__within=Circle(query.town.point, query.radius_km * 1000))
    if query.modes:
        place &= Q(mode__in=query.modes)
        if Offer.Mode.DISTANCE in query.modes:
            place |= Q(mode=Offer.Mode.DISTANCE)
    return offers.filter(place)


def capped_count(offers: OfferQuerySet) -> int:
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
    text = re.sub(JOINT, " ", text)
    pieces = re.findall(r'-?"[^"]*"?|[^\s"]+', text)
    return " ".join(piece for piece in pieces if name_key(piece) not in SMALL_WORDS or '"' in piece)


def _ordered(offers: OfferQuerySet, query: SearchQuery, *, on: date, rules: Rules) -> OfferQuerySet:
    sort = query.sort
    offers = offers.annotate(distance_m=Distance("point", query.town.point) if query.town else NOWHERE)
    if sort == Sort.DISTANCE and query.town:
        return offers.order_by("distance_m", "pk")
    if sort == Sort.PRICE:
        return offers.order_by("price_cents", "pk")
    if sort == Sort.START:
        return offers.order_by(next_start(on, rules).asc(nulls_last=True), "pk")
    if query.text:
        return offers.order_by(SearchRank(F("search"), text_query(query.text)).desc(), "title", "pk")
    return offers.order_by("distance_m", "pk") if query.town else offers.order_by("title", "pk")


def next_start(on: date, rules: Rules) -> Subquery:
    """The first day one can still start; an entry at any time starts on the earliest day there is."""
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    starts = Session.objects.obtainable(on, rules).filter(offer=OuterRef("pk"))
    first = Coalesce("starts_on", Value(earliest, models.DateField()))
    return Subquery(starts.order_by(first, "pk").values(first=first)[:1])


NOWHERE = Value(None, models.FloatField())
"""The distance where no place is asked for."""


def exists(offers: OfferQuerySet) -> bool:
    """Whether there is one: the first found is enough."""
    return offers.order_by().values("pk")[:1].exists()


def cards(offers: OfferQuerySet, query: SearchQuery, *, on: date, rules: Rules) -> OfferQuerySet:
    """These offers as their cards say them, by key: how far, and the first day one can start."""
    far = Distance("point", query.town.point) if query.town else NOWHERE
    return _with_sessions(offers.annotate(distance_m=far), on=on, rules=rules).order_by("pk")


def _with_sessions(offers: OfferQuerySet, *, on: date, rules: Rules) -> OfferQuerySet:
    """What a card says, and no long text."""
    sessions = Session.objects.filter(offer=OuterRef("pk"), recruitment=Session.Recruitment.OPEN)
    return (
        offers.annotate(
            next_start=next_start(on, rules),
            is_permanent=exists_one_by_one(sessions.filter(starts_on__isnull=True)),
            is_soon=exists_one_by_one(sessions.filter(starts_on__gt=on)),
        )
        .select_related("provider__organisation", "certification")
        .only(
            *(
                "title",
                "kind",
                "mode",
                "hours",
                "price_cents",
                "extra_fees_cents",
                "town_name",
                "postal_code",
                "is_demonstration",
            ),
            *("provider__organisation__name", "certification__code", "certification__title"),
            "certification__registered_until",
            # What decides who may pay for it.
            *("certification__register", "certification__level", "certification__rome_codes"),
        )
    )


# --- When nothing is found -----------------------------------------------------------------------


def _suggestion(query: SearchQuery, *, on: date, rules: Rules) -> str:
    """The same words, the unknown ones spelled as the catalogue does; empty unless it finds something."""
    words = {word: name_key(word) for word in re.findall(r"\w{4,}", query.text)}
    nearest = nearest_words(words.values())
    text = re.sub(r"\w{4,}", lambda found: nearest.get(words[found[0]], found[0]), query.text)
    if text == query.text or not matching(replace(query, text=text), on=on, rules=rules).exists():
        return ""
    return text


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


def _wider(query: SearchQuery, *, on: date, rules: Rules) -> dict[str, int]:
    """What each filter costs: field of SearchQuery → offers found without it. At most six counts."""
    nothing: dict[str, object] = {
        "town": None,
        "modes": (),
        "kinds": (),
        "levels": (),
        "price_max_cents": None,
        "certification": "",
    }
    counts = {
        name: capped_count(matching(replace(query, **{name: empty}), on=on, rules=rules))
        for name, empty in nothing.items()
        if getattr(query, name) not in (None, (), [], "")
    }
    return {name: count for name, count in counts.items() if count}


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


# --- The index -----------------------------------------------------------------------------------

# A: what an offer is called and leads to, and its codes; B: who teaches it; C: what it says; D: the
# words of the names as they are typed, for the one that is still being typed; and, without a place, the other
# names, job names and synonyms that its certification goes by (catalog.words, ADR 11). Tags are left out by
# PostgreSQL's parser.
INDEX = """
UPDATE catalog_offer AS offer
SET search = fresh.search
FROM (
    SELECT o.id,
        setweight(to_tsvector('portal_french', names.title), 'A')
        || setweight(to_tsvector('portal_plain', names.codes), 'A')
        || setweight(to_tsvector('portal_french', names.provider), 'B')
        || setweight(to_tsvector('portal_french', names.texts), 'C')
        || setweight(to_tsvector('portal_plain', concat_ws(' ', names.title, names.provider)), 'D')
        || coalesce(strip(ts_filter(words.search, '{b,c}')), '')
        AS search
    FROM catalog_offer o
    JOIN accounts_organisation organisation ON organisation.id = o.provider_id
    LEFT JOIN catalog_certification c ON c.code = o.certification_id
    LEFT JOIN catalog_certificationindex words ON words.certification_id = o.certification_id
    CROSS JOIN LATERAL (
        SELECT regexp_replace(
                concat_ws(' ', o.title, c.title, c.short_code, c.short_title), %(joint)s, ' ', 'g'
            ) AS title,
            regexp_replace(organisation.name, %(joint)s, ' ', 'g') AS provider,
            regexp_replace(
                concat_ws(' ', o.summary, o.objectives, o.content, o.expected_results), %(joint)s, ' ', 'g'
            ) AS texts,
            concat_ws(' ', c.register, c.number, c.code, o.portal_code, array_to_string(o.block_codes, ' '))
                AS codes
    ) AS names
    WHERE %(every)s OR o.id = ANY(%(ids)s::uuid[])
) AS fresh
WHERE fresh.id = offer.id AND offer.search IS DISTINCT FROM fresh.search
"""

WORDS = """
WITH found AS (
    SELECT DISTINCT ON (lower(unaccent(word))) lower(unaccent(word)) AS key, lower(word) AS spelling
    FROM catalog_offer o
    LEFT JOIN catalog_certification c ON c.code = o.certification_id
    CROSS JOIN LATERAL regexp_split_to_table(concat_ws(' ', o.title, c.title), '[^[:alnum:]]+') AS word
    WHERE length(word) BETWEEN 4 AND 40 AND (%(every)s OR o.id = ANY(%(ids)s::uuid[]))
    ORDER BY lower(unaccent(word)), lower(word) DESC
), gone AS (
    DELETE FROM catalog_word WHERE %(every)s AND key NOT IN (SELECT key FROM found)
)
INSERT INTO catalog_word (key, spelling)
SELECT key, spelling FROM found
ON CONFLICT (key) DO NOTHING
"""


@transaction.atomic
def reindex(offer_ids: Sequence[UUID] | None = None) -> int:
    """Write again the search text of these offers, or of all; how many had changed.

    To be called by whoever changes an offer, a certification's names or an organisation's name. Words that
    no title has any more are forgotten when all are written.
    """
    about = {"every": offer_ids is None, "ids": list(offer_ids or ()), "joint": JOINT}
    with connection.cursor() as cursor:
        cursor.execute(INDEX, about)
        changed = cursor.rowcount
        cursor.execute(WORDS, about)
    return changed

"""What answers a question of words, gathered: by certification, then by organisation (docs/search.md).

A list of offers lets one organisation with a thousand of them hide all the others. Here each certification
stands once, in the order of `finding`, with its nearest or cheapest offers, one an organisation; the rest is
one click away. What no certification says (a skills review, a driving licence) is gathered by its kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.core.paginator import Page, Paginator
from django.db import connections, router

from catalog import finding, search, words
from catalog.geography import Distance
from catalog.models import Certification, Offer, OfferIndex, OfferIndexQuerySet, OfferWords
from catalog.search import SearchQuery
from rulebook import Rules, workdays

CERTIFICATIONS_MAX = 60
"""Judged by their words. Nobody reads further, and who types a word of everything is shown filters."""
OTHERS_MAX = 20
"""Groups that offers answer by their own words only, an organisation's name for example."""
PAGE_SIZE = 8
SHOWN = 2
"""Offers of a group on the page, each of another organisation: a row of the grid."""
GROUP_MAX = 300
"""Offers of a group that are counted."""
OWN_WORDS_MAX = 2_000
"""Offers with these words of their own that are looked at."""

# What people call the actions that no register names, folded: one of its own words, and no other word than
# these and those that go with them.
KIND_WORDS = {
    kind: (frozenset(its_own.split()), frozenset(besides.split()))
    for kind, its_own, besides in (
        (Offer.Kind.SKILLS_REVIEW, "bilan", "competence competences"),
        (Offer.Kind.VAE, "vae", "validation valider acquis experience accompagnement"),
        (Offer.Kind.BUSINESS_CREATION, "creer creation reprendre reprise", "entreprise accompagnement"),
        (Offer.Kind.LICENCE_LIGHT, "permis", "conduire a a1 a2 b b1 moto voiture auto ecole"),
        (Offer.Kind.LICENCE_HEAVY, "permis", "conduire poids lourd lourds c ce c1 c1e d de d1"),
        (Offer.Kind.VOLUNTEER_TRAINING, "benevole benevoles", "formation"),
    )
}


@dataclass(frozen=True, slots=True)
class Key:
    """What a group is of: a certification, or a kind that no certification names.

    `by_own_words`: only words of some of its offers answer (an organisation's name), so it holds no other.
    """

    certification: str = ""
    kind: str = ""
    by_own_words: bool = False


@dataclass(slots=True)
class Group:
    """One certification, or one kind, with its open offers that answer. Cents; the price is of a training."""

    key: Key
    certification: Certification | None
    offers_count: int
    providers_count: int
    price_min_cents: int
    price_max_cents: int
    offers: list[Offer] = field(default_factory=list)

    @property
    def rest(self) -> int:
        return self.offers_count - len(self.offers)

    @property
    def is_capped(self) -> bool:
        """There are more than were counted."""
        return self.offers_count > GROUP_MAX

    @property
    def counted(self) -> int:
        return min(self.offers_count, GROUP_MAX)

    @property
    def title(self) -> str:
        return self.certification.title if self.certification else str(Offer.Kind(self.key.kind).label)


@dataclass(frozen=True, slots=True)
class Groups:
    """One page of groups, of all `keys`. `is_capped`: more certifications answer than CERTIFICATIONS_MAX, or
    more than OTHERS_MAX by the words of their offers alone. `corrections`: mistyped words and how they
    were read."""

    page: Page
    keys: list[Key]
    groups: list[Group]
    earliest_start: date
    is_capped: bool
    corrections: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.page.paginator.count


def is_asked(query: SearchQuery) -> bool:
    """Words, in the order of relevance: what a list answers badly."""
    return bool(query.text) and query.sort == search.Sort.RELEVANCE and not query.certification


def find(query: SearchQuery, *, on: date, rules: Rules, page: int | str = 1) -> Groups:
    """The page of groups that answers. A page out of range gives the nearest one."""
    asked = finding.understand(query.text)
    found_keys, is_capped = keys(query, asked, on=on, rules=rules)
    found = Paginator(found_keys, PAGE_SIZE).get_page(page)
    return Groups(
        found,
        found_keys,
        _groups(list(found), query, on=on, rules=rules),
        workdays.earliest_start(on, rules.earliest_start_days),
        is_capped,
        asked.corrections,
    )


# --- Which groups, in which order -----------------------------------------------------------------


def keys(query: SearchQuery, asked: finding.Asked, *, on: date, rules: Rules) -> tuple[list[Key], bool]:
    """(the groups, whether there are more). Kinds that bear the very name asked for; certifications as their
    words answer; then, unless there are more of these than are shown, what only the words of an offer or of
    its organisation say, the most offered first."""
    filtered = search.matching(replace(query, text=""), on=on, rules=rules)
    kinds = [
        Key(kind=kind)
        for kind in _kinds_named(query.text)
        if search.exists(filtered.filter(kind=kind, certification=None))
    ]
    named = [found.code for found in finding.in_order(asked, on=on) if found.status != "ended"]
    certified = [Key(certification=code) for code in _taught(named, filtered)]
    is_capped = len(certified) > CERTIFICATIONS_MAX
    # A word of so many certifications is in the texts of too many offers to say anything.
    others = [] if is_capped else _others(query, named, kinds, on=on, rules=rules)
    is_capped = is_capped or len(others) > OTHERS_MAX
    return kinds + certified[:CERTIFICATIONS_MAX] + others[:OTHERS_MAX], is_capped


def _kinds_named(text: str) -> list[str]:
    asked = set(words.significant(words.fold(text)))
    return [
        kind
        for kind, (its_own, besides) in KIND_WORDS.items()
        if asked & its_own and asked <= its_own | besides
    ]


def _taught(codes: Sequence[str], filtered: OfferIndexQuerySet) -> list[str]:
    """The first of them, in order, of which at least one of these offers is; one more than are shown."""
    if not codes:
        return []
    one, values = _of_asked(filtered, "certification_id").values("pk")[:1].query.sql_with_params()
    # One probe of the index for each, in order, until there are enough: a limit keeps PostgreSQL, which takes
    # every place for a small one, from reading all that is offered there.
    statement = (
        "SELECT asked.key FROM unnest(%s::text[]) WITH ORDINALITY AS asked (key, place)"  # noqa: S608
        f" CROSS JOIN LATERAL ({one}) AS offered LIMIT %s"
    )
    found = {code for (code,) in _rows(statement, [list(codes), *values, CERTIFICATIONS_MAX + 1])}
    return [code for code in codes if code in found]


def _others(
    query: SearchQuery, named: Sequence[str], kinds: Sequence[Key], *, on: date, rules: Rules
) -> list[Key]:
    own, own_values = (
        OfferWords.objects.filter(own=search.text_query(query.text))
        .values_list("pk")[:OWN_WORDS_MAX]
        .query.sql_with_params()
    )
    filtered = search.matching(replace(query, text=""), on=on, rules=rules)
    kept, values = (
        filtered.extra(where=["catalog_offerindex.offer_id = own.id"])
        .values_list("certification_id", "kind")
        .query.sql_with_params()
    )
    # The words first and then each of their offers by its key: the other way round reads the whole index.
    statement = f"""
        WITH own (id) AS MATERIALIZED ({own}), seen AS MATERIALIZED (SELECT unnest(%s::text[]) AS code)
        SELECT offer.certification, CASE WHEN offer.certification IS NULL THEN offer.kind ELSE '' END,
            count(*)
        FROM own CROSS JOIN LATERAL ({kept} OFFSET 0) AS offer (certification, kind)
        WHERE NOT EXISTS (SELECT FROM seen WHERE seen.code = offer.certification)
            AND NOT (offer.certification IS NULL AND offer.kind = ANY(%s::text[]))
        GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
    """  # noqa: S608 - Django's own statements
    asked = [*own_values, list(named), *values, [key.kind for key in kinds], OTHERS_MAX + 1]
    return [
        Key(certification=code or "", kind=kind, by_own_words=True)
        for code, kind, _count in _rows(statement, asked)
    ]


# --- What a group shows ---------------------------------------------------------------------------

# Of each group asked for, its offers (nearest or cheapest first, GROUP_MAX at most), each with its rank among
# those of its organisation; then the first of each, ranked.
_SUMMARY = """
    SELECT asked.place, told.offers, told.providers, told.cheapest, told.dearest, told.shown
    FROM unnest(%s::int[], %s::text[]) AS asked (place, key)
    CROSS JOIN LATERAL (
        WITH found AS MATERIALIZED ({found}), ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY provider ORDER BY distance NULLS LAST, price, id
            ) AS of_provider FROM found
        )
        SELECT count(*) AS offers, count(DISTINCT provider) AS providers, min(price) AS cheapest,
            {dearest} AS dearest, (
                SELECT array_agg(id ORDER BY distance NULLS LAST, price, id) FROM (
                    SELECT * FROM ranked WHERE of_provider = 1
                    ORDER BY distance NULLS LAST, price, id LIMIT %s
                ) AS first
            ) AS shown
        FROM found
    ) AS told
    WHERE told.offers > 0"""


def _groups(keys: Sequence[Key], query: SearchQuery, *, on: date, rules: Rules) -> list[Group]:
    """In the order of the keys. A statement for each sort of group there is, and two more."""
    filtered = search.matching(replace(query, text=""), on=on, rules=rules)
    far = Distance("point", query.town.point) if query.town else search.NOWHERE
    filtered = filtered.annotate(distance_m=far)
    told: dict[Key, list] = {}
    for by_own_words in (False, True):
        offers = filtered.filter(words__search=search.text_query(query.text)) if by_own_words else filtered
        certified = [key for key in keys if key.by_own_words == by_own_words and key.certification]
        others = [key for key in keys if key.by_own_words == by_own_words and not key.certification]
        told |= _told(certified, _of_asked(offers, "certification_id"), query)
        told |= _told(others, _of_asked(offers.filter(certification=None), "kind"), query)
    ids = [pk for *_counts, shown in told.values() for pk in shown]
    by_id = {offer.pk: offer for offer in search.shown(ids, query, on=on, rules=rules)}
    codes = [key.certification for key in keys if key.certification]
    titles = Certification.objects.only("code", "title", "level", "short_title").in_bulk(codes)
    return [
        Group(
            key,
            titles.get(key.certification),
            *told[key][:4],
            offers=[by_id[pk] for pk in told[key][4] if pk in by_id],
        )
        for key in keys
        if key in told
    ]


def _told(keys: Sequence[Key], offers: OfferIndexQuerySet, query: SearchQuery) -> dict[Key, list]:
    """key → [offers, providers, cheapest, dearest, ids of those it shows]."""
    if not keys:
        return {}
    # Within a place there are as many as there are; in all of France a common certification has thousands.
    order = ["distance_m", "price_cents", "pk"] if query.town else ["price_cents", "pk"]
    rows = offers.order_by(*order).values_list("pk", "provider_id", "price_cents", "distance_m")
    found, values = rows[: GROUP_MAX + 1].query.sql_with_params()
    dearest, more = offers.order_by("-price_cents").values("price_cents")[:1].query.sql_with_params()
    found = f"SELECT * FROM ({found}) AS offer (id, provider, price, distance)"  # noqa: S608 - Django's own
    statement = _SUMMARY.replace("{found}", found).replace("{dearest}", f"({dearest})")
    named = [key.certification or key.kind for key in keys]
    asked = [list(range(len(keys))), named, *values, *more, SHOWN]
    return {keys[place]: rest for place, *rest in _rows(statement, asked)}


def _of_asked(offers: OfferIndexQuerySet, column: str) -> OfferIndexQuerySet:
    """Those of the row `asked` of the statement around."""
    return offers.extra(where=[f"catalog_offerindex.{column} = asked.key"])  # noqa: S610 - our own names


def _rows(statement: str, values: Sequence) -> list[tuple]:
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()

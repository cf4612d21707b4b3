"""What answers a question of words, gathered: by certification, then by organisation (docs/search.md).

A list of offers lets one organisation with a thousand of them hide all the others. Here each certification
stands once, in the order of `finding`, with its nearest or cheapest offers, one an organisation; the rest is
one click away. What no certification says (a skills review, a driving licence) is gathered by its kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from django.core.paginator import Page, Paginator
from django.db import router

from catalog import finding, search, words
from catalog.geography import Circle, Distance
from catalog.models import Certification, Hashed, Offer, OfferIndex, OfferWords
from catalog.search import SearchQuery
from rulebook import Rules, workdays
from ui import prepared

CERTIFICATIONS_MAX = 60
"""Judged by their words. Nobody reads further, and who types a word of everything is shown filters."""
OTHERS_MAX = 20
"""Groups that offers answer by their own words only, an organisation's name for example."""
PAGE_SIZE = 8
SHOWN = 2
"""Offers of a group on the page, each of another organisation: a row of the grid."""
GROUP_MAX = 100
"""Offers of a group that are counted."""
OWN_WORDS_READ_MAX, OWN_WORDS_MAX = 5_000, 2_000
"""Offers with these words of their own that are read; of these, in the place asked for, that are judged."""

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
    were read. `numbered`: the records that the question names by their number."""

    page: Page
    keys: list[Key]
    groups: list[Group]
    earliest_start: date
    is_capped: bool
    corrections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbered: frozenset[str] = frozenset()

    @property
    def lacks_its_numbers(self) -> bool:
        """Numbers are asked for, and no group is of one: at best of what replaces it."""
        return bool(self.numbered) and self.numbered.isdisjoint(key.certification for key in self.keys)

    @property
    def total(self) -> int:
        return self.page.paginator.count


def is_asked(query: SearchQuery) -> bool:
    """Words, in the order of relevance: what a list answers badly."""
    return bool(query.text) and query.sort == search.Sort.RELEVANCE and not query.certification


def find(query: SearchQuery, *, on: date, rules: Rules, page: int | str = 1) -> Groups:
    """The page of groups that answers. A page out of range gives the nearest one."""
    asked = finding.understand(query.text)
    reach = _reach(replace(query, text=""), on=on, rules=rules)
    found_keys, is_capped = _keys(query, asked, reach, on=on)
    found = Paginator(found_keys, PAGE_SIZE).get_page(page)
    return Groups(
        found,
        found_keys,
        _groups(list(found), query, reach, on=on, rules=rules),
        workdays.earliest_start(on, rules.earliest_start_days),
        is_capped,
        asked.corrections,
        asked.numbered,
    )


class Reach(NamedTuple):
    """The offers that answer, in no order, as OFFER names their columns: what Django takes longer to write
    than PostgreSQL to answer is written once a question, and stands in each statement that asks for some."""

    statement: str
    values: Sequence


OFFER = "offer (id, provider, price, distance, certification, kind)"


def _reach(query: SearchQuery, *, on: date, rules: Rules) -> Reach:
    far = Distance("point", query.town.point) if query.town else search.NOWHERE
    offers = search.matching(query, on=on, rules=rules).annotate(distance_m=far)
    columns = ("pk", "provider_id", "price_cents", "distance_m", "certification_id", "kind")
    return Reach(*offers.values_list(*columns).query.sql_with_params())


# --- Which groups, in which order -----------------------------------------------------------------

# What a group holds, of the row `asked` of the statement around.
OF_CERTIFICATION = "offer.certification = asked.key"
# In a place, as `offer_by_certified_place` knows it (catalog.models.Hashed), then as it is.
OF_CERTIFICATION_THERE = (
    f"{Hashed.function}(offer.certification) = {Hashed.function}(asked.key) AND {OF_CERTIFICATION}"
)
OF_KIND = "offer.certification IS NULL AND offer.kind = asked.key"


def _of_certification(query: SearchQuery) -> str:
    return OF_CERTIFICATION_THERE if query.town else OF_CERTIFICATION


def _keys(query: SearchQuery, asked: finding.Asked, reach: Reach, *, on: date) -> tuple[list[Key], bool]:
    """(the groups, whether there are more). Kinds that bear the very name asked for; certifications as their
    words answer; then, unless there are more of these than are shown, what only the words of an offer or of
    its organisation say, the most offered first."""
    kinds = [Key(kind=kind) for kind in _offered(_kinds_named(query.text), OF_KIND, reach)]
    # Nobody may offer the others (catalog.eligibility).
    named = [found.code for found in finding.in_order(asked, on=on, only_active=True)]
    certified = [Key(certification=code) for code in _offered(named, _of_certification(query), reach)]
    is_capped = len(certified) > CERTIFICATIONS_MAX
    # A word of so many certifications is in the texts of too many offers to say anything.
    others = [] if is_capped else _others(query, named, kinds, reach)
    is_capped = is_capped or len(others) > OTHERS_MAX
    return kinds + certified[:CERTIFICATIONS_MAX] + others[:OTHERS_MAX], is_capped


def _kinds_named(text: str) -> list[str]:
    asked = set(words.meant(words.fold(text)))
    return [
        kind
        for kind, (its_own, besides) in KIND_WORDS.items()
        if asked & its_own and asked <= its_own | besides
    ]


def _offered(names: Sequence[str], which: str, reach: Reach) -> list[str]:
    """The first of them, in order, of which at least one of these offers is; one more than are shown."""
    if not names:
        return []
    # One probe of the index for each, in order, until there are enough: a limit keeps PostgreSQL, which takes
    # every place for a small one, from reading all that is offered there.
    statement = f"""
        SELECT asked.key FROM unnest(%s::text[]) WITH ORDINALITY AS asked (key, place)
        CROSS JOIN LATERAL (SELECT FROM ({reach.statement}) AS {OFFER} WHERE {which} LIMIT 1) AS offered
        LIMIT %s
    """  # noqa: S608 - our own words and Django's
    found = {name for (name,) in _rows(statement, [list(names), *reach.values, CERTIFICATIONS_MAX + 1])}
    return [name for name in names if name in found]


def _others(query: SearchQuery, named: Sequence[str], kinds: Sequence[Key], reach: Reach) -> list[Key]:
    own, own_values = (
        OfferWords.objects.filter(own=search.text_query(query.text))
        .values_list("pk", "point")[:OWN_WORDS_READ_MAX]
        .query.sql_with_params()
    )
    there, place = "", ()
    if query.circle and Offer.Mode.DISTANCE not in query.modes:
        there, place = f"WHERE written.point <@ {Circle.SQL}", query.circle.values
    # The words first, then each of their offers by its key: asked for together, PostgreSQL also reads all
    # that is offered in the place, of which it expects little.
    statement = f"""
        WITH seen AS MATERIALIZED (SELECT unnest(%s::text[]) AS code), written AS MATERIALIZED (
            SELECT written.id FROM ({own}) AS written (id, point) {there} LIMIT %s
        )
        SELECT offer.certification, CASE WHEN offer.certification IS NULL THEN offer.kind ELSE '' END,
            count(*)
        FROM written CROSS JOIN LATERAL (
            SELECT certification, kind FROM ({reach.statement}) AS {OFFER} WHERE offer.id = written.id LIMIT 1
        ) AS offer
        WHERE NOT EXISTS (SELECT FROM seen WHERE seen.code = offer.certification)
            AND NOT (offer.certification IS NULL AND offer.kind = ANY(%s::text[]))
        GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
    """  # noqa: S608 - our own words and Django's
    asked = [list(named), *own_values, *place, OWN_WORDS_MAX, *reach.values]
    asked += [[key.kind for key in kinds], OTHERS_MAX + 1]
    return [
        Key(certification=code or "", kind=kind, by_own_words=True)
        for code, kind, _count in _rows(statement, asked)
    ]


# --- What a group shows ---------------------------------------------------------------------------

# Of each group asked for, its offers (nearest or cheapest first, GROUP_MAX at most), each with its rank among
# those of its organisation; then the first of each, ranked. Where there are more than are counted, what the
# others could change is asked of them: the prices, and a second organisation when all the counted are of one.
_SUMMARY = """
    SELECT asked.place, told.offers, told.providers + (another.id IS NOT NULL)::int, told.cheapest,
        told.dearest, array_remove(told.shown || another.id, NULL)
    FROM unnest(%s::int[], %s::text[]) AS asked (place, key)
    CROSS JOIN LATERAL (
        WITH found AS MATERIALIZED ({found}), ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY provider ORDER BY distance NULLS LAST, price, id
            ) AS of_provider FROM found
        )
        SELECT count(*) AS offers, count(DISTINCT provider) AS providers, (array_agg(provider))[1] AS one,
            CASE WHEN count(*) > {counted} THEN {cheapest} ELSE min(price) END AS cheapest,
            CASE WHEN count(*) > {counted} THEN {dearest} ELSE max(price) END AS dearest, (
                SELECT array_agg(id ORDER BY distance NULLS LAST, price, id) FROM (
                    SELECT * FROM ranked WHERE of_provider = 1
                    ORDER BY distance NULLS LAST, price, id LIMIT %s
                ) AS first
            ) AS shown
        FROM found
    ) AS told
    LEFT JOIN LATERAL (
        {another} AND told.offers > {counted} AND told.providers = 1 AND offer.provider <> told.one
        ORDER BY {order} LIMIT 1
    ) AS another ON true
    WHERE told.offers > 0"""


def _groups(keys: Sequence[Key], query: SearchQuery, reach: Reach, *, on: date, rules: Rules) -> list[Group]:
    """In the order of the keys. A statement for each sort of group there is, and another for the cards."""
    told: dict[Key, list] = {}
    for by_own_words in (False, True):
        asked = [key for key in keys if key.by_own_words == by_own_words]
        if by_own_words and asked:
            reach = _reach(query, on=on, rules=rules)
        told |= _told([key for key in asked if key.certification], _of_certification(query), reach, query)
        told |= _told([key for key in asked if not key.certification], OF_KIND, reach, query)
    ids = [pk for *_counts, shown in told.values() for pk in shown]
    by_id = {offer.pk: offer for offer in search.shown(ids, query, on=on, rules=rules)}
    titles = {offer.certification_id: offer.certification for offer in by_id.values()}
    # Nothing left to show, since it was indexed: its title is asked for.
    if missing := {key.certification for key in told if key.certification} - titles.keys():
        titles |= Certification.objects.only("code", "title", "level", "short_title").in_bulk(missing)
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


def _told(keys: Sequence[Key], which: str, reach: Reach, query: SearchQuery) -> dict[Key, list]:
    """key → [offers, providers, cheapest, dearest, ids of those it shows]."""
    if not keys:
        return {}
    # Within a place there are as many as there are; in all of France a common certification has thousands.
    order = "distance, price, id" if query.town else "price, id"
    offers = f"FROM ({reach.statement}) AS {OFFER} WHERE {which}"
    found = f"SELECT id, provider, price, distance {offers} ORDER BY {order} LIMIT %s"
    statement = _SUMMARY.format(
        found=found,
        counted=GROUP_MAX,
        cheapest=f"(SELECT price {offers} ORDER BY price LIMIT 1)",
        dearest=f"(SELECT price {offers} ORDER BY price DESC LIMIT 1)",
        another=f"SELECT id {offers}",
        order=order,
    )
    named = [key.certification or key.kind for key in keys]
    again = reach.values
    values = [*again, GROUP_MAX + 1, *again, *again, SHOWN, *again]
    return {keys[place]: rest for place, *rest in _rows(statement, [list(range(len(keys))), named, *values])}


def _rows(statement: str, values: Sequence) -> list[tuple]:
    """Planned once a connection and a set of filters (ui.prepared)."""
    return prepared.rows(statement, values, using=router.db_for_read(OfferIndex))

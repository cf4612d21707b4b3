"""What answers a question of words, gathered: by certification, then by organisation (docs/search.md).

A list of offers lets one organisation with a thousand of them hide all the others. Here each certification
stands once, in the order of `finding`, with its nearest or cheapest offers, one an organisation; the rest is
one click away. What no certification says (a skills review, a driving licence) is gathered by its kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.core.paginator import Page, Paginator
from django.db import connections, router
from django.db.models import Count, OuterRef, Q

from catalog import finding, search, words
from catalog.geography import Distance
from catalog.models import Certification, Offer, OfferQuerySet, exists_one_by_one
from catalog.search import SearchQuery
from rulebook import Rules, workdays

CERTIFICATIONS_MAX = 60
"""Judged by their words. Nobody reads further, and who types a word of everything is shown filters."""
OTHERS_MAX = 20
"""Groups that offers answer by their own words only, an organisation's name for example."""
PAGE_SIZE = 8
SHOWN = 2
"""Offers of a group on the page, each of another organisation: a row of the grid."""
OWN_WORDS_MAX = 2_000

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
    def title(self) -> str:
        return self.certification.title if self.certification else str(Offer.Kind(self.key.kind).label)


@dataclass(frozen=True, slots=True)
class Groups:
    """One page of groups. `is_capped`: more certifications answer than CERTIFICATIONS_MAX, or more than
    OTHERS_MAX by the words of their offers alone."""

    page: Page
    groups: list[Group]
    earliest_start: date
    is_capped: bool

    @property
    def total(self) -> int:
        return self.page.paginator.count


def is_asked(query: SearchQuery) -> bool:
    """Words, in the order of relevance: what a list answers badly."""
    return bool(query.text) and query.sort == search.Sort.RELEVANCE and not query.certification


def find(query: SearchQuery, *, on: date, rules: Rules, page: int | str = 1) -> Groups:
    """The page of groups that answers. A page out of range gives the nearest one."""
    keys, is_capped = _keys(query, on=on, rules=rules)
    found = Paginator(keys, PAGE_SIZE).get_page(page)
    return Groups(
        found,
        _groups(list(found), query, on=on, rules=rules),
        workdays.earliest_start(on, rules.earliest_start_days),
        is_capped,
    )


# --- Which groups, in which order -----------------------------------------------------------------


def _keys(query: SearchQuery, *, on: date, rules: Rules) -> tuple[list[Key], bool]:
    """(the groups, whether there are more). Kinds that bear the very name asked for; certifications as their
    words answer; then what only the words of an offer or of its organisation say, the most offered first."""
    filtered = search.matching(replace(query, text=""), on=on, rules=rules)
    kinds = [
        Key(kind=kind)
        for kind in _kinds_named(query.text)
        if search.exists(filtered.filter(kind=kind, certification=None))
    ]
    named = [
        found.code
        for found in finding.find_certifications(query.text, on=on, limit=finding.CANDIDATES_MAX)
        if found.status != "ended"
    ]
    taught = _taught(named, filtered)
    certified = [Key(certification=code) for code in named if code in taught]
    others = _others(query, named, kinds, on=on, rules=rules)
    is_capped = len(certified) > CERTIFICATIONS_MAX or len(others) > OTHERS_MAX
    return kinds + certified[:CERTIFICATIONS_MAX] + others[:OTHERS_MAX], is_capped


def _kinds_named(text: str) -> list[str]:
    asked = set(words.significant(words.fold(text)))
    return [
        kind
        for kind, (its_own, besides) in KIND_WORDS.items()
        if asked & its_own and asked <= its_own | besides
    ]


def _taught(codes: Sequence[str], filtered: OfferQuerySet) -> set[str]:
    """Those of which at least one of these offers is; each is asked by itself, and stops at the first."""
    one = exists_one_by_one(filtered.filter(certification=OuterRef("pk")))
    return (
        set(Certification.objects.filter(one, pk__in=codes).values_list("pk", flat=True)) if codes else set()
    )


def _others(
    query: SearchQuery, named: Sequence[str], kinds: Sequence[Key], *, on: date, rules: Rules
) -> list[Key]:
    seen = Q(certification__in=named) | Q(certification=None, kind__in=[key.kind for key in kinds])
    own = search.matching(query, on=on, rules=rules).exclude(seen).order_by("pk").values("pk")[:OWN_WORDS_MAX]
    rows = Offer.objects.filter(pk__in=own).values("certification_id", "kind")
    counted = rows.annotate(offers=Count("pk")).order_by("-offers", "certification_id", "kind")
    return [
        Key(row["certification_id"], by_own_words=True)
        if row["certification_id"]
        else Key(kind=row["kind"], by_own_words=True)
        for row in counted[: OTHERS_MAX + 1]
    ]


# --- What a group shows ---------------------------------------------------------------------------

# The offers that answer, each with its rank among those of its organisation; then the first of each, ranked.
_SUMMARY = """
    WITH found AS MATERIALIZED ({found}), ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY certification, kind, provider ORDER BY distance NULLS LAST, price, id
        ) AS of_provider FROM found
    ), firsts AS (
        SELECT *, row_number() OVER (
            PARTITION BY certification, kind ORDER BY distance NULLS LAST, price, id
        ) AS place FROM ranked WHERE of_provider = 1
    ), totals AS (
        SELECT certification, kind, count(*) AS offers, count(DISTINCT provider) AS providers,
            min(price) AS cheapest, max(price) AS dearest
        FROM found GROUP BY certification, kind
    )
    SELECT certification, kind, offers, providers, cheapest, dearest, ARRAY(
        SELECT id FROM firsts
        WHERE firsts.certification = totals.certification AND firsts.kind = totals.kind AND place <= %s
        ORDER BY place
    ) FROM totals"""


def _groups(keys: Sequence[Key], query: SearchQuery, *, on: date, rules: Rules) -> list[Group]:
    """In the order of the keys. Three queries, however many."""
    if not keys:
        return []
    codes = [key.certification for key in keys if key.certification]
    wanted = _of([key for key in keys if not key.by_own_words])
    if own := [key for key in keys if key.by_own_words]:
        wanted |= _of(own) & Q(search=search.text_query(query.text))
    offers = search.matching(replace(query, text=""), on=on, rules=rules).filter(wanted)
    far = Distance("point", query.town.point) if query.town else search.NOWHERE
    statement, values = (
        offers.annotate(distance_m=far)
        .order_by()
        .values_list("pk", "certification_id", "kind", "provider_id", "price_cents", "distance_m")
        .query.sql_with_params()
    )
    found = (
        "SELECT id, coalesce(certification, '') AS certification,"  # noqa: S608 - Django's own statement
        " CASE WHEN certification IS NULL THEN kind ELSE '' END AS kind, provider, price, distance"
        f" FROM ({statement}) AS offer (id, certification, kind, provider, price, distance)"
    )
    with connections[router.db_for_read(Offer)].cursor() as cursor:
        cursor.execute(_SUMMARY.replace("{found}", found), [*values, SHOWN])
        rows = {(code, kind): rest for code, kind, *rest in cursor.fetchall()}
    ids = [pk for *_counts, shown in rows.values() for pk in shown]
    cards = search.cards(Offer.objects.filter(pk__in=ids), query, on=on, rules=rules)
    by_id = {offer.pk: offer for offer in cards}
    titles = Certification.objects.only("code", "title", "level", "short_title").in_bulk(codes)
    return [
        Group(
            key,
            titles.get(key.certification),
            *rows[key.certification, key.kind][:4],
            offers=[by_id[pk] for pk in rows[key.certification, key.kind][4] if pk in by_id],
        )
        for key in keys
        if (key.certification, key.kind) in rows
    ]


def _of(keys: Sequence[Key]) -> Q:
    codes = [key.certification for key in keys if key.certification]
    kinds = [key.kind for key in keys if key.kind]
    return Q(certification__in=codes) | Q(certification=None, kind__in=kinds)

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

# What people call the actions that no register names, folded: all their words must be among these.
KIND_WORDS = {
    Offer.Kind.SKILLS_REVIEW: "bilan competence competences",
    Offer.Kind.VAE: "vae valider validation acquis experience accompagnement",
    Offer.Kind.BUSINESS_CREATION: "creer creation reprendre reprise entreprise accompagnement",
    Offer.Kind.LICENCE_LIGHT: "permis conduire conduite a a1 a2 b b1 moto voiture auto ecole",
    Offer.Kind.LICENCE_HEAVY: "permis conduire poids lourd lourds c ce c1 c1e d de d1 vehicules",
    Offer.Kind.VOLUNTEER_TRAINING: "benevole benevoles volontaire formation",
}


@dataclass(frozen=True, slots=True)
class Key:
    """What a group is of: a certification, or a kind that no certification names."""

    certification: str = ""
    kind: str = ""


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
    """One page of groups. `total`: how many groups there are, OTHERS_MAX and CERTIFICATIONS_MAX at most."""

    page: Page
    groups: list[Group]
    earliest_start: date

    @property
    def total(self) -> int:
        return self.page.paginator.count


def is_asked(query: SearchQuery) -> bool:
    """Words, in the order of relevance: what a list answers badly."""
    return bool(query.text) and query.sort == search.Sort.RELEVANCE and not query.certification


def find(query: SearchQuery, *, on: date, rules: Rules, page: int | str = 1) -> Groups:
    """The page of groups that answers. A page out of range gives the nearest one."""
    keys = _keys(query, on=on, rules=rules)
    found = Paginator(keys, PAGE_SIZE).get_page(page)
    return Groups(
        found,
        _groups(list(found), query, on=on, rules=rules),
        workdays.earliest_start(on, rules.earliest_start_days),
    )


# --- Which groups, in which order -----------------------------------------------------------------


def _keys(query: SearchQuery, *, on: date, rules: Rules) -> list[Key]:
    """Kinds that bear the very name asked for; certifications as their words answer; then what only the
    words of an offer or of its organisation say, the most offered first."""
    filtered = search.matching(replace(query, text=""), on=on, rules=rules)
    kinds = [
        Key(kind=kind)
        for kind in _kinds_named(query.text)
        if search.exists(filtered.filter(kind=kind, certification=None))
    ]
    named = [
        found.code
        for found in finding.find_certifications(query.text, on=on, limit=CERTIFICATIONS_MAX)
        if found.status != "ended"
    ]
    taught = _taught(named, filtered)
    certified = [Key(certification=code) for code in named if code in taught]
    return kinds + certified + _others(query, named, kinds, on=on, rules=rules)


def _kinds_named(text: str) -> list[str]:
    asked = set(words.significant(words.fold(text)))
    return [kind for kind, said in KIND_WORDS.items() if asked and asked <= set(said.split())]


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
    own = search.matching(query, on=on, rules=rules).exclude(seen).values("pk")[:OWN_WORDS_MAX]
    rows = Offer.objects.filter(pk__in=own).values("certification_id", "kind")
    counted = rows.annotate(offers=Count("pk")).order_by("-offers", "certification_id", "kind")[:OTHERS_MAX]
    return [
        Key(certification=row["certification_id"]) if row["certification_id"] else Key(kind=row["kind"])
        for row in counted
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
    kinds = [key.kind for key in keys if key.kind]
    wanted = Q(certification__in=codes) | Q(certification=None, kind__in=kinds)
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
        rows = {Key(code, kind): rest for code, kind, *rest in cursor.fetchall()}
    ids = [pk for *_counts, shown in rows.values() for pk in shown]
    cards = search.cards(Offer.objects.filter(pk__in=ids), query, on=on, rules=rules)
    by_id = {offer.pk: offer for offer in cards}
    titles = Certification.objects.only("code", "title", "level", "short_title").in_bulk(codes)
    return [
        Group(
            key,
            titles.get(key.certification),
            *rows[key][:4],
            offers=[by_id[pk] for pk in rows[key][4] if pk in by_id],
        )
        for key in keys
        if key in rows
    ]

"""What the search reads of offers: one narrow row for each that is open, and the words of titles.

`reindex` is called by whoever changes an offer, its sessions, its organisation, its certification or who may
prepare for it; `refresh`, every hour, finds what only a date or a new rule has changed. A row is never the
last word: the offers that a page shows are judged again (catalog.eligibility).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction

import rulebook
from catalog.imports import loading
from catalog.models import DRAWS, Offer, OfferIndex, OfferWords

# What joins two words: « Word/Excel » would be a file name for PostgreSQL's parser, « auto-école » one word.
JOINT = r"(?<=\w)[-/](?=\w)"

# What is filtered, counted and put in order: column of the index → what is known of it today.
COLUMNS = {
    "certification_id": "o.certification_id",
    "provider_id": "o.provider_id",
    "town_id": "o.town_id",
    "kind": "o.kind",
    "nature": f"""CASE
        WHEN o.certification_id = ANY(%s::text[]) THEN '{OfferIndex.CLEA}'
        WHEN o.block_codes <> '{{}}' THEN '{OfferIndex.BLOCK}'
        ELSE o.kind
    END""",
    "mode": "o.mode",
    "title": "o.title",
    "level": "c.level",
    "entry_level": "o.entry_level",
    "price_cents": "o.price_cents",
    "extra_fees_cents": "o.extra_fees_cents",
    "hours": "o.hours",
    "rhythms": "o.rhythms",
    "languages": "o.languages",
    "is_accessible": "o.accessibility <> ''",
    "rating_tenths": "o.rating_tenths",
    # In order and none unknown: catalog.search looks days up by halves.
    "starts": "coalesce(entries.starts, '{}')",
    "is_permanent": "coalesce(entries.is_permanent, false)",
    "closes_on": "least(c.registered_until + 1, p.activity_lapsed_on, %s::date)",
    "point": "o.point",
}


def _of(row: str, *, compared: bool = False) -> str:
    """The columns of that row; a point has no equality, its text has."""
    cast = {"point": "::text"} if compared else {}
    return ", ".join(f"{row}.{name}{cast.get(name, '')}" for name in COLUMNS)


# « {opened} »: the offers that the law opens, in Django's words. Only rows that differ are written, in one
# order: a row that is merely met by ON CONFLICT is locked, and whoever publishes would wait for all of them.
FACTS = f"""
WITH opened (pk) AS MATERIALIZED ({{opened}}), gone AS (
    DELETE FROM catalog_offerindex AS old
    WHERE {{asked}} AND NOT EXISTS (SELECT FROM opened WHERE opened.pk = old.offer_id)
    RETURNING old.offer_id
), unsaid AS (
    DELETE FROM catalog_offerwords AS old USING gone WHERE old.offer_id = gone.offer_id
), fresh AS (
    SELECT o.id AS offer_id, ('x' || right(o.id::text, 4))::bit(16)::int %% {DRAWS} AS draw,
        {", ".join(f"{told} AS {name}" for name, told in COLUMNS.items())}
    FROM opened
    JOIN catalog_offer AS o ON o.id = opened.pk
    JOIN catalog_provider AS p ON p.organisation_id = o.provider_id
    LEFT JOIN catalog_certification AS c ON c.code = o.certification_id
    LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT s.starts_on ORDER BY s.starts_on)
                FILTER (WHERE s.starts_on > %s) AS starts,
            bool_or(s.starts_on IS NULL) AS is_permanent
        FROM catalog_session AS s
        WHERE s.offer_id = o.id AND s.recruitment = 'open'
    ) AS entries ON true
)
INSERT INTO catalog_offerindex (offer_id, draw, {", ".join(COLUMNS)})
SELECT fresh.offer_id, fresh.draw, {_of("fresh")}
FROM fresh LEFT JOIN catalog_offerindex AS known ON known.offer_id = fresh.offer_id
WHERE known.offer_id IS NULL
    OR ({_of("known", compared=True)}) IS DISTINCT FROM ({_of("fresh", compared=True)})
ORDER BY fresh.offer_id
ON CONFLICT (offer_id) DO UPDATE SET ({", ".join(COLUMNS)}) = ROW ({_of("excluded")})
"""  # noqa: S608 - our own columns

# A: what an offer is called and leads to, and its codes; B: who teaches it; C: what it says; D: the
# words of the names as they are typed, for the one that is still being typed; and, without a place, the other
# names, job names and synonyms that its certification goes by (catalog.words, ADR 11). Tags are left out by
# PostgreSQL's parser. Its own words are those, without the ones that its certification goes by.
TEXT = """
INSERT INTO catalog_offerwords AS kept (offer_id, search, own, point)
SELECT o.id, written.search || coalesce(strip(ts_filter(words.search, '{b,c}')), ''),
    ts_delete(
        written.search,
        tsvector_to_array(
            coalesce(words.search, '') || to_tsvector('portal_plain', coalesce(names.certified, ''))
        )
    ),
    shown.point
FROM catalog_offerindex AS shown
JOIN catalog_offer o ON o.id = shown.offer_id
JOIN accounts_organisation organisation ON organisation.id = o.provider_id
LEFT JOIN catalog_certification c ON c.code = o.certification_id
LEFT JOIN catalog_certificationindex words ON words.certification_id = o.certification_id
CROSS JOIN LATERAL (
    SELECT regexp_replace(
            concat_ws(' ', o.title, c.title, c.short_code, c.short_title), %(joint)s, ' ', 'g'
        ) AS title,
        regexp_replace(concat_ws(' ', c.title, c.short_code, c.short_title), %(joint)s, ' ', 'g')
            AS certified,
        regexp_replace(organisation.name, %(joint)s, ' ', 'g') AS provider,
        regexp_replace(
            concat_ws(' ', o.summary, o.objectives, o.content, o.expected_results), %(joint)s, ' ', 'g'
        ) AS texts,
        concat_ws(' ', c.register, c.number, c.code, o.portal_code, array_to_string(o.block_codes, ' '))
            AS codes
) AS names
CROSS JOIN LATERAL (
    SELECT setweight(to_tsvector('portal_french', names.title), 'A')
        || setweight(to_tsvector('portal_plain', names.codes), 'A')
        || setweight(to_tsvector('portal_french', names.provider), 'B')
        || setweight(to_tsvector('portal_french', names.texts), 'C')
        || setweight(to_tsvector('portal_plain', concat_ws(' ', names.title, names.provider)), 'D')
        AS search
) AS written
WHERE {is_asked}
ORDER BY o.id
ON CONFLICT (offer_id) DO UPDATE SET search = excluded.search, own = excluded.own, point = excluded.point
WHERE (kept.search, kept.own, kept.point::text)
    IS DISTINCT FROM (excluded.search, excluded.own, excluded.point::text)
"""

UNWRITTEN = """NOT EXISTS (
    SELECT FROM catalog_offerwords AS known
    WHERE known.offer_id = shown.offer_id AND known.point::text IS NOT DISTINCT FROM shown.point::text
)"""

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
def reindex(offer_ids: Sequence[UUID] | None = None, *, on: date) -> int:
    """Write again what the search reads of these offers, or of all, as they stand on that day; how many texts
    had changed. Words that no title has any more are forgotten when all are written."""
    about = {"every": offer_ids is None, "ids": list(offer_ids or ()), "joint": JOINT}
    with connection.cursor() as cursor:
        _write_facts(offer_ids, on=on)
        is_asked = "(%(every)s OR shown.offer_id = ANY(%(ids)s::uuid[]))"
        cursor.execute(TEXT.replace("{is_asked}", is_asked), about)
        changed = cursor.rowcount
        cursor.execute(WORDS, about)
    return changed


def reindex_of(*, on: date, **where: Any) -> int:
    """`reindex` for the offers that these conditions name; nothing is done for none."""
    ids = list(Offer.objects.filter(**where).order_by("pk").values_list("pk", flat=True))
    return reindex(ids, on=on) if ids else 0


@transaction.atomic
def refresh(*, on: date) -> int:
    """What a date, a rule or a hand in the database has changed of any offer; how many rows it touched. The
    words that imports and organisations have written since the last time are filed in their places."""
    touched = _write_facts(None, on=on)
    with connection.cursor() as cursor:
        cursor.execute(TEXT.replace("{is_asked}", UNWRITTEN), {"joint": JOINT})
    settle()
    return touched


def settle() -> None:
    """After many words: each search would read through those that GIN has not filed yet."""
    loading.settle(*(index.name for index in OfferWords._meta.indexes))


def _write_facts(offer_ids: Iterable[UUID] | None, *, on: date) -> int:
    rules = rulebook.on(on)
    is_open = Offer.objects.open_on(on, rules).order_by()
    asked, ids = "true", []
    if offer_ids is not None:
        asked, ids = "old.offer_id = ANY(%s::uuid[])", [list(offer_ids)]
        is_open = is_open.filter(pk__in=ids[0])
    opened, values = is_open.values("pk").query.sql_with_params()
    statement = FACTS.replace("{opened}", opened).replace("{asked}", asked)
    with connection.cursor() as cursor:
        clea = list(rules.clea_certifications)
        cursor.execute(statement, [*values, *ids, clea, OfferIndex.NEVER, on])
        return cursor.rowcount

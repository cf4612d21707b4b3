"""What completes a search while one types: trades, certifications, organisations, towns; four of each.

All names stand in one table, written again by `refresh` (every night, and by `reindex`): only what leads to
open offers, towns aside, with how many. So a letter typed costs one statement on a small table, however many
offers there are; a second one only when no name begins as what was typed, and looks for what is like it.
What begins very many words (« sa », « form ») has its first names noted beforehand (`heads`).
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection, connections, router, transaction

from catalog.imports import loading
from catalog.models import Offer, Suggestion
from catalog.words import SMALL_WORDS, as_said
from rulebook import Rules

Kind = Suggestion.Kind
EACH = 4
TEXT_MAX = 100
TEXT_MIN = 2
WORDS_MAX = 8
# Shorter, a word is like too many others.
LIKE_FROM = 4
# Beginnings of so many names are looked up once, at night, up to so many letters (500 rows cost 2 ms).
COMMON_FROM, HEAD_MAX = 500, 12


@dataclass(frozen=True, slots=True)
class Shown:
    """One suggestion. `fill`: JSON, what the fields of the search become once it is chosen ("" empties)."""

    label: str
    note: str
    fill: str


@dataclass(frozen=True, slots=True)
class Group:
    kind: str
    label: str
    suggestions: list[Shown]


def suggest(text: str) -> list[Group]:
    """The names of which each word typed begins one, else those most like the text; none below two letters.

    Within a kind: names that begin with its first word, then the best known, then the shortest. One or two
    statements.
    """
    asked = _words(text[:TEXT_MAX])[:WORDS_MAX]
    typed = " ".join(asked)
    if len(typed) < TEXT_MIN:
        return []
    # « formation de l » asks for « formation »: the rest stands in too many names.
    meant = [word for word in asked if word not in SMALL_WORDS] or asked[:1]
    begun = " & ".join(f"{word}:*" for word in meant)
    rows = _rows(_BEGUN, {"first": meant[0], "head": " ".join(meant), "begun": begun, "each": EACH})
    if not rows and len(typed) >= LIKE_FROM:
        rows = _rows(_LIKE, {"typed": typed, "each": EACH})
    return [
        Group(kind, str(kind.label), shown)
        for kind in Kind
        if (shown := [_shown(kind, label, code) for its_kind, label, code in rows if its_kind == kind])
    ]


def _shown(kind: str, label: str, code: str) -> Shown:
    match kind:
        case Kind.JOB:
            fill = {"q": as_said(label)[0], "certification": ""}
        case Kind.CERTIFICATION:
            fill = {"q": "", "certification": code}
        case Kind.ORGANISATION:
            # In quotes its words stand together, and are no trade.
            fill = {"q": f"« {label.replace('»', ' ').replace('«', ' ')[:190]} »", "certification": ""}
        case _:
            fill = {"q": "", "town": label}
    return Shown(label, code if kind == Kind.CERTIFICATION else "", json.dumps(fill, ensure_ascii=False))


def _words(text: str) -> list[str]:
    """Letters and digits alone: what is left cannot be an operator of PostgreSQL's."""
    folded = unicodedata.normalize("NFKD", text.lower().replace("œ", "oe").replace("æ", "ae"))
    return re.findall(r"[a-z0-9]+", "".join(each for each in folded if not unicodedata.combining(each)))


_BEGUN = """
    WITH noted AS MATERIALIZED (
        SELECT kind, label, code, key, weight FROM catalog_suggestion
        WHERE heads @> ARRAY[%(head)s]::varchar[]
    ), met AS (
        SELECT * FROM noted
        UNION ALL
        SELECT kind, label, code, key, weight FROM catalog_suggestion
        WHERE words @@ to_tsquery('simple', %(begun)s) AND NOT EXISTS (SELECT FROM noted)
    )
    SELECT kind, label, code FROM (
        SELECT kind, label, code, row_number() OVER (
            PARTITION BY kind ORDER BY starts_with(key, %(first)s) DESC, weight DESC, length(key), label, code
        ) AS place FROM met
    ) AS ranked
    WHERE place <= %(each)s ORDER BY place"""

_LIKE = """
    SELECT kind, label, code FROM (
        SELECT kind, label, code, row_number() OVER (
            PARTITION BY kind
            ORDER BY round(word_similarity(%(typed)s, key)::numeric, 1) DESC, weight DESC,
                length(key), label, code
        ) AS place
        FROM catalog_suggestion WHERE key %%> %(typed)s
    ) AS met
    WHERE place <= %(each)s ORDER BY place"""


def _rows(statement: str, values: dict) -> Sequence[tuple[str, str, str]]:
    with connections[router.db_for_read(Suggestion)].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


# --- The table --------------------------------------------------------------------------------------

# A job of the nomenclature leads where the certifications that state its sheet are taught. Several sheets may
# share a name, and organisations too: one line then. Towns are known by « saint » and « st ».
_FRESH = r"""
    CREATE TEMP TABLE fresh ON COMMIT DROP AS
    WITH open AS MATERIALIZED ({open}), taught AS MATERIALIZED (
        SELECT certification AS code, count(*) AS offers FROM open
        WHERE certification IS NOT NULL GROUP BY certification
    ), sheets AS (
        SELECT rome, sum(offers) AS offers FROM taught
        JOIN catalog_certification AS c USING (code) CROSS JOIN unnest(c.rome_codes) AS rome GROUP BY rome
    ), names AS (
        SELECT 'job' AS kind, '' AS code, name AS label, sum(offers) AS weight FROM (
            SELECT label AS name, code AS rome FROM catalog_term
            UNION SELECT name, term_id FROM catalog_termname
        ) AS named JOIN sheets USING (rome) GROUP BY name
        UNION ALL
        SELECT 'job', '', label, sum(offers) FROM taught
        JOIN catalog_certification AS c USING (code) CROSS JOIN unnest(c.rome_labels) AS label GROUP BY label
        UNION ALL
        SELECT 'certification', code, title, offers FROM taught JOIN catalog_certification USING (code)
        UNION ALL
        SELECT 'organisation', '', name, count(*) FROM open
        JOIN accounts_organisation AS organisation ON organisation.id = open.provider GROUP BY name
        UNION ALL
        SELECT 'town', code, name || ' (' || department || ')', population FROM catalog_town
    ), one_each AS (
        SELECT kind, code, left(label, 300) AS label, max(weight) AS weight FROM names
        WHERE label <> '' GROUP BY kind, code, left(label, 300)
    ), keyed AS (
        SELECT *, btrim(regexp_replace(lower(unaccent(label)), '[^[:alnum:]]+', ' ', 'g')) AS key
        FROM one_each
    )
    SELECT row_number() OVER () AS number, kind, code, label, weight::int, key,
    to_tsvector('simple', concat_ws(' ', key,
        CASE WHEN kind = 'town' AND key ~ '\msainte?\M'
            THEN regexp_replace(key, '\msaint(e?)\M', 'st\1', 'g') END,
        CASE WHEN kind = 'certification' THEN lower(code) || ' ' || substring(code FROM '\d+') END
    )) AS words
    FROM keyed"""

# As the statement above would rank them, whose order this is, for what begins as many names as COMMON_FROM.
_HEADS = """
    CREATE TEMP TABLE noted ON COMMIT DROP AS
    WITH begins AS MATERIALIZED (
        SELECT DISTINCT left(word, size) AS head, number
        FROM fresh CROSS JOIN unnest(tsvector_to_array(words)) AS word
        CROSS JOIN generate_series(%(shortest)s, least(length(word), %(longest)s)) AS size
    ), common AS (
        SELECT head FROM begins GROUP BY head HAVING count(*) >= %(common)s
    ), ranked AS (
        SELECT head, number, row_number() OVER (
            PARTITION BY head, kind
            ORDER BY starts_with(key, head) DESC, weight DESC, length(key), label, code
        ) AS place
        FROM begins JOIN common USING (head) JOIN fresh USING (number)
    )
    SELECT number, array_agg(head ORDER BY head) AS heads FROM ranked
    WHERE place <= %(each)s GROUP BY number"""

_FORGET = """
    DELETE FROM catalog_suggestion AS kept
    WHERE NOT EXISTS (
        SELECT FROM fresh WHERE (fresh.kind, fresh.code, fresh.label) = (kept.kind, kept.code, kept.label)
    )"""

_WRITE = """
    INSERT INTO catalog_suggestion AS kept (kind, code, label, key, words, heads, weight)
    SELECT kind, code, label, key, words, coalesce(heads, '{}'), weight
    FROM fresh LEFT JOIN noted USING (number)
    ON CONFLICT (kind, code, label) DO UPDATE
        SET key = excluded.key, words = excluded.words, heads = excluded.heads, weight = excluded.weight
    WHERE (kept.key, kept.words, kept.heads, kept.weight)
        IS DISTINCT FROM (excluded.key, excluded.words, excluded.heads, excluded.weight)"""


def refresh(*, on: date, rules: Rules) -> int:
    """Write the table again as open offers are on that day; how many suggestions there are.

    Two at once wait for each other; whoever types meanwhile has those of before.
    """
    offers = Offer.objects.open_on(on, rules).order_by()
    statement, values = offers.values_list("certification_id", "provider_id").query.sql_with_params()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('catalog.suggesting'))")
            opened = f"SELECT * FROM ({statement}) AS offer (certification, provider)"  # noqa: S608 - Django's own
            # Of another run in the same transaction.
            cursor.execute("DROP TABLE IF EXISTS pg_temp.fresh, pg_temp.noted")
            cursor.execute(_FRESH.replace("{open}", opened), values)
            cursor.execute("ANALYZE fresh")
            sizes = {"shortest": 1, "longest": HEAD_MAX, "common": COMMON_FROM, "each": EACH}
            cursor.execute(_HEADS, sizes)
            cursor.execute(_FORGET)
            cursor.execute(_WRITE)
            cursor.execute("SELECT count(*) FROM fresh")
            count = cursor.fetchone()[0]
        loading.refresh_statistics(Suggestion)
    loading.settle(*(index.name for index in Suggestion._meta.indexes))
    return count

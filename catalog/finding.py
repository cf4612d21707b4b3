"""Finding certifications: what somebody types, as ideas; each idea worth what its best place says; one order.

Nothing is paid and nothing is personal in the order (docs/search.md). The index holds all the words that a
certification goes by (catalog.words), so a query stays short: its words, and for one that nobody wrote, the
nearest that somebody did.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import SequenceMatcher
from functools import lru_cache

from django.db import connections, router

from catalog import words
from catalog.models import Certification, Word
from ui import prepared

# A person's question has fewer; a pasted page has more.
TEXT_MAX = 400
IDEAS_MAX = 10
CANDIDATES_MAX = 300
NUMBER = re.compile(r"(?:(rncp|rs)\s*[-:n°.]{0,3}\s*)?0*(\d{2,7})(?:\s*-?\s*bc\s?\d{1,4})?", re.IGNORECASE)
PIECES = re.compile(r'"([^"]*)"?|([^"]+)')
# A mistyped word looks like one of these, or is none.
LIKENESS_MIN = 0.72
TYPO_MIN_LETTERS = 4
NEAREST_MAX = 3
# What an idea is worth in the title or the number, in another name, in a job name or synonym, in a text.
WORTH = {"A": 1.0, "B": 0.85, "C": 0.6, "D": 0.15}
TYPO_WORTH = 0.85
# So many certifications named by a word make it too common to be looked for in texts.
COMMON_FROM = 300
# How much of a score is for a title that says what was asked and little else.
BREVITY = 0.2
PHRASE_BONUS = 1.1
# What leads to the very job asked for, by a name of several words, is worth more: so much, up to this.
JOB_BONUS, JOB_MOST = 1.5, 0.72
LITERAL = 0.15
SUCCESSOR_WORTH = 0.9
# What is worth so little beside the best answers nothing.
LEAST_SHARE_OF_BEST = 0.05
STATUS_WORTH = {"active": 1.0, "coming": 0.85, "unknown": 0.85, "ended": 0.7}


@dataclass(frozen=True, slots=True)
class Idea:
    """One thing that was asked: a word or a quoted phrase, with the ways to write it, the typed one first."""

    ways: tuple[str, ...]  # tsquery texts with « % » where the weights go
    factors: tuple[float, ...]

    @property
    def typed(self) -> list[str]:
        return re.findall(r"\w+", self.ways[0])


@dataclass(frozen=True, slots=True)
class Found:
    """A certification that answers. `status`: active, coming, unknown (no end was told), ended."""

    code: str
    title: str
    score: float
    status: str
    level: int | None
    kind: str
    replaced_by: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def as_dict(self) -> dict:
        return {
            "code": self.code,
            "title": self.title,
            "score": round(self.score, 4),
            "status": self.status,
            "active": self.is_active,
            "level": self.level,
            "kind": self.kind,
            "replaced_by": list(self.replaced_by),
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What a text asks for: numbers of records, ideas, and what was read for a mistyped word."""

    numbers: tuple[tuple[str, int], ...] = ()
    ideas: tuple[Idea, ...] = ()
    corrections: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def numbered(self) -> frozenset[str]:
        """The codes of the records that the numbers are of."""
        return frozenset(f"{register}{number}" for register, number in self.numbers)


def find_certifications(text: str, *, on: date, limit: int = 10) -> list[Found]:
    """Those that answer `text`, best first, with what replaces them; none for a text without a word."""
    return _with_successors(in_order(understand(text), on=on)[:limit], on=on)[:limit]


def in_order(asked: Asked, *, on: date, only_active: bool = False) -> list[Found]:
    """Those that answer, best first, CANDIDATES_MAX and no more than their numbers besides."""
    found = [one for one in _of_numbers(asked.numbers, on=on) if one.is_active or not only_active]
    if asked.ideas:
        known = {one.code for one in found}
        answers = _of_ideas(asked.ideas, on=on, only_active=only_active)
        found += [one for one in answers if one.code not in known]
    return found


# --- What was asked -------------------------------------------------------------------------------


def understand(text: str) -> Asked:
    """Reads a text, whatever it holds: operators are no operators, only quotes mean something."""
    text = re.sub(r"[«»“”„]", '"', text.replace("\0", " ")[:TEXT_MAX])
    if whole := NUMBER.fullmatch(text.strip().strip('"').strip()):
        return Asked(numbers=_numbers(whole))
    numbers: list[tuple[str, int]] = []

    def take(found: re.Match) -> str:
        numbers.extend(_numbers(found))
        return " "

    # Inside a sentence a number alone is a size or a year; with its register it is a record.
    text = re.sub(r"(?<![^\W_])(?=rncp|rs)" + NUMBER.pattern + r"(?![^\W_])", take, text, flags=re.IGNORECASE)
    phrases: list[list[str]] = []
    for quoted, plain in PIECES.findall(text):
        if quoted:
            phrases.append(words.significant(words.fold(quoted)))
        else:
            read = words.significant if phrases else words.meant
            phrases += [[word] for word in read(words.fold(plain))]
    unique = list(dict.fromkeys(tuple(phrase[:IDEAS_MAX]) for phrase in phrases if phrase))[:IDEAS_MAX]
    near = _nearest({phrase[0] for phrase in unique if len(phrase) == 1})
    ideas = []
    for phrase in unique:
        ways, factors = [" <-> ".join(f"{word}:%" for word in phrase)], [1.0]
        if len(phrase) == 1:
            for other in near.get(phrase[0], ()):
                ways.append(f"{other}:%")
                factors.append(TYPO_WORTH)
        ideas.append(Idea(tuple(ways), tuple(factors)))
    return Asked(tuple(dict.fromkeys(numbers)), tuple(ideas), near)


def read_as(text: str, corrections: Mapping[str, Sequence[str]]) -> str:
    """The text, each mistyped word spelled as it was read (`Asked.corrections`); "" when all are known."""
    if not corrections:
        return ""
    keys = [alike[0] for alike in corrections.values()]
    spelled = dict(Word.objects.filter(key__in=keys).values_list("key", "spelling"))

    def read(found: re.Match) -> str:
        alike = corrections.get(words.fold(found[0]))
        return spelled.get(alike[0], alike[0]) if alike else found[0]

    return re.sub(r"\w+", read, text[:TEXT_MAX])


def _numbers(found: re.Match) -> tuple[tuple[str, int], ...]:
    """The records a number may be of: of both registers when none is named."""
    registers = [found[1].upper()] if found[1] else Certification.Register.values
    return tuple((register, int(found[2])) for register in registers)


def _nearest(typed: set[str]) -> dict[str, tuple[str, ...]]:
    """Words that stand nowhere → the words of the registers most like them."""
    candidates = sorted(word for word in typed if len(word) >= TYPO_MIN_LETTERS and word.isalpha())
    if not candidates:
        return {}
    with connections[router.db_for_read(Certification)].cursor() as cursor:
        cursor.execute(
            """
            SELECT typed.word, nearest.keys
            FROM unnest(%s::text[]) AS typed (word)
            CROSS JOIN LATERAL (
                SELECT array_agg(key) AS keys
                FROM (
                    SELECT key FROM catalog_registerword
                    WHERE key %% typed.word
                    ORDER BY similarity(key, typed.word) DESC, key
                    LIMIT 12
                ) AS alike
            ) AS nearest
            WHERE NOT EXISTS (
                SELECT FROM catalog_certificationword
                WHERE word = ANY(tsvector_to_array(to_tsvector('portal_french', typed.word)))
            )
            """,
            [candidates],
        )
        rows = cursor.fetchall()
    return {word: found for word, keys in rows if (found := _likest(word, keys or ()))}


def _likest(word: str, keys: Sequence[str]) -> tuple[str, ...]:
    alike = sorted((-SequenceMatcher(None, word, key).ratio(), key) for key in keys if key != word)
    return tuple(key for likeness, key in alike[:NEAREST_MAX] if -likeness >= LIKENESS_MIN)


# --- What answers ---------------------------------------------------------------------------------

STATUS = """
CASE
    WHEN c.withdrawn THEN 'ended'
    WHEN c.registered_until IS NULL
        THEN CASE WHEN c.source = 'xml' OR c.delivered_until < %(on)s THEN 'ended' ELSE 'unknown' END
    WHEN c.registered_until < %(on)s THEN 'ended'
    WHEN c.effective_on > %(on)s THEN 'coming'
    ELSE 'active'
END
"""
COLUMNS = f"""
c.code, c.title, {STATUS} AS status, c.level, coalesce(nullif(c.short_code, ''), c.short_title) AS kind
"""


WORTH_OF_STATUS = " ".join(f"WHEN '{status}' THEN {worth}" for status, worth in STATUS_WORTH.items())
# Below this share of the last of the best, no status brings one among them: its record need not be read.
LEAST_WORTH = min(STATUS_WORTH.values()) - 0.001


def _worth(place: str) -> str:
    # Multiplied in each row: a number with a point is exact to PostgreSQL, and slow to make inexact.
    return f"{WORTH[place]}::float"


PLACE_WORTH = " ".join(f"WHEN '{place}' THEN {_worth(place)}" for place in WORTH)

# Each idea meets the words of names by itself: a common word costs its own rows and no more, and no vector is
# unpacked for one. The rarer an idea, the more it counts; one that nobody answers counts for nothing. A
# certification that misses an idea loses twice: its worth, and its share of what was asked. Long texts are
# looked into for ideas that names hardly know: a common word in a text says nothing.
RATED = f"""
WITH ideas AS MATERIALIZED (
    SELECT number, factor, anywhere, in_title, in_names, in_jobs,
        CASE WHEN numnode(anywhere) = 1 AND cardinality(roots) = 1 THEN roots[1] END AS word,
        count(*) OVER (PARTITION BY number) > 1 AS is_in_doubt
    FROM (
        SELECT number, factor,
            to_tsquery('portal_french', replace(way, '%%', '')) AS anywhere,
            to_tsquery('portal_french', replace(way, '%%', 'A')) AS in_title,
            to_tsquery('portal_french', replace(way, '%%', 'AB')) AS in_names,
            to_tsquery('portal_french', replace(way, '%%', 'ABC')) AS in_jobs,
            tsvector_to_array(to_tsvector('portal_french', replace(way, ':%%', ''))) AS roots
        FROM unnest(%(numbers)s::int[], %(factors)s::float[], %(ways)s::text[])
            AS asked (number, factor, way)
    ) AS read
    WHERE numnode(anywhere) > 0
), named AS MATERIALIZED (
    SELECT met.certification_id AS code, ideas.number, met.title_size, {{wanted}} AS is_wanted,
        ideas.factor * CASE met.place {PLACE_WORTH} END AS worth
    FROM ideas JOIN catalog_certificationword AS met USING (word)
    WHERE NOT ideas.is_in_doubt
    UNION ALL
    SELECT code, number, max(title_size), true, max(worth)
    FROM (
        SELECT met.certification_id AS code, ideas.number, met.title_size,
            ideas.factor * CASE met.place {PLACE_WORTH} END AS worth
        FROM ideas JOIN catalog_certificationword AS met USING (word)
        WHERE ideas.is_in_doubt
        UNION ALL
        SELECT kept.certification_id, ideas.number, kept.title_size,
            ideas.factor * CASE
                WHEN kept.search @@ ideas.in_title THEN {_worth("A")}
                WHEN kept.search @@ ideas.in_names THEN {_worth("B")}
                WHEN kept.search @@ ideas.in_jobs THEN {_worth("C")}
                ELSE {_worth("D")}
            END
        FROM ideas JOIN catalog_certificationindex AS kept ON kept.search @@ ideas.anywhere
        WHERE ideas.word IS NULL
    ) AS met
    GROUP BY code, number
), tallies AS MATERIALIZED (
    SELECT number, count(*) FILTER (WHERE worth > {WORTH["D"]}) AS rows FROM named GROUP BY number
), told AS MATERIALIZED (
    SELECT kept.certification_id AS code, ideas.number, max(kept.title_size) AS title_size,
        max(ideas.factor) * {WORTH["D"]} AS worth
    FROM ideas
    LEFT JOIN tallies USING (number)
    JOIN catalog_certificationindex AS kept ON kept.search @@ ideas.anywhere
    WHERE ideas.word IS NOT NULL AND coalesce(tallies.rows, 0) < {COMMON_FROM}
    GROUP BY kept.certification_id, ideas.number
), weights AS MATERIALIZED (
    SELECT number, ln((2 + total.rows) / (1 + coalesce(tallies.rows, 0))::float) AS weight
    FROM (SELECT number FROM tallies UNION SELECT number FROM told) AS wanted
    LEFT JOIN tallies USING (number)
    CROSS JOIN (SELECT count(*) AS rows FROM catalog_certificationindex) AS total
), sums AS (
    SELECT code, max(title_size) AS title_size, sum(weight * worth) AS worth, sum(weight) AS share,
        count(*) FILTER (WHERE worth >= {WORTH["A"] * TYPO_WORTH}) AS titled
    FROM (
        SELECT code, number, title_size, worth FROM named WHERE is_wanted
        UNION ALL
        SELECT * FROM told WHERE NOT EXISTS (
            SELECT FROM named WHERE named.code = told.code AND named.number = told.number
        )
    ) AS meetings
    JOIN weights USING (number)
    GROUP BY code
), job AS MATERIALIZED (
    SELECT kept.certification_id AS code
    FROM catalog_jobname AS name JOIN catalog_certificationindex AS kept ON kept.jobs && name.codes
    WHERE name.key = %(job)s
), rated AS MATERIALIZED (
    SELECT code, answers_all,
        CASE
            WHEN code IN (SELECT job.code FROM job)
            THEN greatest(score, least(score * {JOB_BONUS}::float, {JOB_MOST}::float)) ELSE score
        END AS score
    FROM (
        SELECT code,
            sums.worth / asked.weight * (sums.share / asked.weight)
            * ({1 - BREVITY} + {BREVITY} * least(1, titled / greatest(title_size, 1)::float)) AS score,
            sums.share / asked.weight > 0.999 AND %(is_a_phrase)s AS answers_all
        FROM sums
        CROSS JOIN (SELECT greatest(sum(weight), 0.000001) AS weight FROM weights) AS asked
    ) AS by_words
), scores AS (
    {{scores}}
), phrase AS MATERIALIZED (
    SELECT to_tsquery('portal_french', %(phrase)s) AS asked
)
SELECT code, title, status, level, kind,
    score
    * CASE
        WHEN answers_all AND (
            SELECT kept.names @@ phrase.asked
            FROM catalog_certificationindex AS kept
            WHERE kept.certification_id = scores.code
        )
        THEN {PHRASE_BONUS} ELSE 1
    END AS score
FROM scores CROSS JOIN phrase
ORDER BY score DESC, code
"""  # noqa: S608 - our own numbers and expressions

# Whatever their status, which counts: the best are those that no other can pass by a better one.
IDEAS = RATED.format(
    wanted="true",
    scores=f"""
    SELECT {COLUMNS}, score, answers_all
    FROM rated JOIN catalog_certification AS c USING (code)
    WHERE score >= (
        SELECT min(score) * {LEAST_WORTH}
        FROM (SELECT score FROM rated ORDER BY score DESC LIMIT %(limit)s) AS best
    )
    ORDER BY score * CASE {STATUS} {WORTH_OF_STATUS} END DESC, code LIMIT %(limit)s
    """,  # noqa: S608 - our own numbers and expressions
)

# Only active ones: what the words say of their ends leaves most others out, and records are read one by one,
# the best first, until there are enough.
ACTIVE_IDEAS = RATED.format(
    wanted="met.registered_until >= %(on)s",
    scores=f"""
    SELECT c.*, ranked.score, ranked.answers_all
    FROM (SELECT * FROM rated ORDER BY score DESC, length(code) DESC, code COLLATE "C" DESC) AS ranked
    CROSS JOIN LATERAL (
        SELECT {COLUMNS} FROM catalog_certification AS c
        WHERE c.code = ranked.code AND {STATUS} = 'active' OFFSET 0
    ) AS c
    ORDER BY ranked.score DESC, length(ranked.code) DESC, ranked.code COLLATE "C" DESC LIMIT %(limit)s
    """,  # noqa: S608 - our own numbers and expressions
)

NUMBERS = f"""
SELECT {COLUMNS}, 1.0 AS score
FROM catalog_certification AS c
JOIN unnest(%(registers)s::text[], %(numbers)s::int[]) WITH ORDINALITY AS asked (register, number, place)
    ON asked.register = c.register AND asked.number = c.number
ORDER BY asked.place
"""  # noqa: S608 - our own expressions

RECORDS = f"""
SELECT {COLUMNS}, 1.0 AS score FROM catalog_certification AS c WHERE c.code = ANY(%(codes)s) ORDER BY c.code
"""  # noqa: S608 - our own expressions


def _of_numbers(numbers: Sequence[tuple[str, int]], *, on: date) -> list[Found]:
    if not numbers:
        return []
    asked = {
        "registers": [register for register, _digits in numbers],
        "numbers": [digits for _register, digits in numbers],
    }
    found = _rows(NUMBERS, asked | {"on": on})
    # Whoever asks for a number that has ended is told the one to ask for.
    after = successors([one.code for one in found if not one.is_active], on=on)
    codes = {code for one in found for code in after.get(one.code, ())} - {one.code for one in found}
    instead = _rows(RECORDS, {"codes": sorted(codes), "on": on}) if codes else []
    return found + [replace(one, score=one.score * SUCCESSOR_WORTH) for one in instead]


def params_of(ideas: Sequence[Idea], *, on: date) -> dict:
    """What the statements IDEAS and ACTIVE_IDEAS take."""
    rows = [
        (number, factor, way)
        for number, idea in enumerate(ideas)
        for way, factor in zip(idea.ways, idea.factors, strict=True)
    ]
    return {
        "numbers": [number for number, _factor, _way in rows],
        "factors": [factor for _number, factor, _way in rows],
        "ways": [way for _number, _factor, way in rows],
        # Of one word, all that are named by it would gain the same.
        "is_a_phrase": len(ideas) > 1,
        "job": " ".join(word for idea in ideas for word in idea.typed),
        "phrase": " <-> ".join(idea.ways[0].replace("%", "") for idea in ideas),
        "on": on,
        "limit": CANDIDATES_MAX,
    }


def _of_ideas(ideas: Sequence[Idea], *, on: date, only_active: bool) -> list[Found]:
    typed = {word for idea in ideas for word in idea.typed}
    share = LITERAL / max(len(typed), 1)
    statement = ACTIVE_IDEAS if only_active else IDEAS
    rows = []
    for code, title, status, level, kind, score in _asked(statement, params_of(ideas, on=on)):
        # « Éducateur » and « éducation » have one stem: the word as it was typed passes before its cousin.
        literally = 1 - LITERAL + share * len(typed & _said(f"{kind} {title}"))
        # Rounded: two that answer alike differ in the last digit of their sums, by chance.
        score = round(score * STATUS_WORTH[status] * literally, 9)
        # Of two that answer alike, the one that was registered last.
        rows.append((-score, -_number(code), code, title, status, level, kind))
    rows.sort()
    least = -rows[0][0] * LEAST_SHARE_OF_BEST if rows else 0
    return [
        Found(code, title, -score, status, level, kind)
        for score, _number, code, title, status, level, kind in rows
        if -score >= least
    ]


@lru_cache(maxsize=20_000)
def _number(code: str) -> int:
    return int(re.sub(r"\D", "", code) or 0)


@lru_cache(maxsize=20_000)
def _said(title: str) -> frozenset[str]:
    return frozenset(words.fold(title).split())


def _asked(statement: str, params: dict) -> list[tuple]:
    """Planned once a connection (ui.prepared): PostgreSQL takes a millisecond to plan IDEAS, and three to run
    it."""
    return prepared.rows(statement, params, using=router.db_for_read(Certification))


def _rows(statement: str, params: dict) -> list[Found]:
    return [
        Found(code, title, float(score), status, level, kind)
        for code, title, status, level, kind, score in _asked(statement, params)
    ]


# --- What replaces what has ended -----------------------------------------------------------------


def _with_successors(found: list[Found], *, on: date) -> list[Found]:
    after = successors([one.code for one in found if not one.is_active], on=on)
    return [replace(one, replaced_by=after[one.code]) if one.code in after else one for one in found]


def successors(codes: Sequence[str], *, on: date) -> dict[str, tuple[str, ...]]:
    """code → what replaces it, followed to those that are active; to the last ones when none is."""
    if not codes:
        return {}
    with connections[router.db_for_read(Certification)].cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE line (old, new, depth) AS (
                SELECT old_code, new_code, 1 FROM catalog_succession WHERE old_code = ANY(%(codes)s)
                UNION
                SELECT line.old, link.new_code, line.depth + 1
                FROM line JOIN catalog_succession AS link ON link.old_code = line.new
                WHERE line.depth < 8
            )
            SELECT line.old, line.new, min(line.depth), coalesce(bool_or({STATUS} = 'active'), false)
            FROM line LEFT JOIN catalog_certification AS c ON c.code = line.new
            WHERE line.new <> line.old
            GROUP BY line.old, line.new
            ORDER BY 1, 4 DESC, 3, 2
            """,  # noqa: S608 - our own expression
            {"codes": list(codes), "on": on},
        )
        rows = cursor.fetchall()
    active: dict[str, list[str]] = {}
    first: dict[str, list[str]] = {}
    for old, new, depth, is_active in rows:
        if is_active:
            active.setdefault(old, []).append(new)
        elif depth == 1:
            first.setdefault(old, []).append(new)
    return {old: tuple(active.get(old) or first[old]) for old in {**first, **active}}

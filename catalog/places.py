"""A town among the words of a question: « anglais, Montpellier », « comptable nantes », « cuisine 35000 ».

Only proposed, never applied: a trade or a certification may bear the same word (the rule: docs/search.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db import router

from catalog import words
from catalog.geography import name_key
from catalog.models import Suggestion, Town
from ui import prepared

NAME_WORDS_MAX = 8
"""Of the longest names of towns."""
CERTAIN_FROM = 10_000
"""Inhabitants from which a word is first the name of its town, whatever else it names: Tours, not Bar."""
NAME_LETTERS_MIN = 3
"""« Eu », « Us » and « Y » are towns: only where something tells that a place follows."""

WORD = re.compile(r"\w+")
QUOTES = re.compile(r'["«»“”„]')
DEPARTMENT = re.compile(r"\s*\(\s*(\d{2,3}|2[AB])\s*\)\s*$", re.IGNORECASE)
POSTAL_CODE = re.compile(r"\d{5}")
# What stands before a place and goes with it, folded; and of these, what tells by itself that one follows.
TELLING = frozenset({"a", "vers", "pres", "proche", "autour", "cote", "secteur"})
LEADING = TELLING | {"au", "aux", "en", "sur", "dans", "le", "la", "les", "l", "de", "du", "des", "d"}
TELLING_SIGNS = re.compile(r"[,;:/(]")
ARTICLES = {"au": "le", "aux": "les"}
"""« Au Mans » is Le Mans."""
BLANKS = " \t\n,;:/(-–—'’."
REGISTERS = frozenset({"rncp", "rs"})


@dataclass(frozen=True, slots=True)
class Place:
    """`town`: where the words ask to look. `text`: the same words without it."""

    town: Town
    text: str


@dataclass(frozen=True, slots=True)
class _End:
    """One way to read the end of a question as a place: what is before it, and the name, the postal code and
    the department that the town must have; empty ones are not asked. `is_told`: something says that it is
    a place."""

    text: str
    key: str
    postal_code: str
    department: str
    is_told: bool

    @property
    def own(self) -> str:
        """The words of the name, for the names of trades (Suggestion.words): letters and digits alone."""
        return " & ".join(self.key.split())

    @property
    def whole(self) -> str:
        """These and all the others, which may be unfinished."""
        others = words.meant(words.fold(self.text))
        return " & ".join([self.own, *(f"{word}:*" for word in others)])


# The first way that a town answers, the longest name first; of several towns, the most populous. Then whether
# its words are rather those of one name of a trade or of a certification: its own alone for a small town, all
# that are asked for the others.
STATEMENT = """
WITH asked AS (
    SELECT * FROM unnest(
        %(keys)s::text[], %(codes)s::text[], %(departments)s::text[], %(own)s::text[], %(whole)s::text[]
    ) WITH ORDINALITY AS asked (key, code, department, own, whole, place)
), named AS (
    SELECT asked.place, asked.own, asked.whole, town.code, town.name, town.department, town.population
    FROM asked JOIN catalog_town AS town ON town.name_key = asked.key
    WHERE asked.department IN ('', town.department)
        AND (asked.code = '' OR asked.code = ANY(town.postal_codes))
    UNION ALL
    SELECT asked.place, asked.own, asked.whole, town.code, town.name, town.department, town.population
    FROM asked JOIN catalog_town AS town ON town.postal_codes @> ARRAY[asked.code]::varchar[]
    WHERE asked.key = '' AND asked.code <> ''
    ORDER BY place, population DESC, code
    LIMIT 1
)
SELECT place, code, name, department, own <> '' AND (
    -- Counted: of what may stop at the first, PostgreSQL would read the table and not the index.
    SELECT count(*) FROM catalog_suggestion AS known
    WHERE known.kind = ANY(%(kinds)s::text[]) AND known.words @@ to_tsquery('simple', named.asked)
) > 0 AS is_rather_a_name
FROM (
    SELECT *, CASE WHEN population < %(certain_from)s THEN own ELSE whole END AS asked FROM named
) AS named
"""
KINDS = [Suggestion.Kind.JOB.value, Suggestion.Kind.CERTIFICATION.value]


def find(text: str) -> Place | None:
    """The town that the end of a question names, when the rest still says something and the words are not
    rather the name of a trade. One statement; none where nothing stands before the end."""
    ends = list(_ends(text))
    if not ends:
        return None
    asked = {
        "keys": [end.key for end in ends],
        "codes": [end.postal_code for end in ends],
        "departments": [end.department for end in ends],
        # Nothing to ask where something tells that it is a place.
        "own": ["" if end.is_told else end.own for end in ends],
        "whole": ["" if end.is_told else end.whole for end in ends],
        "certain_from": CERTAIN_FROM,
        "kinds": KINDS,
    }
    found = prepared.rows(STATEMENT, asked, using=router.db_for_read(Town))
    if not found:
        return None
    [(place, code, name, department, is_rather_a_name)] = found
    if is_rather_a_name:
        return None
    return Place(Town(code=code, name=name, department=department), ends[place - 1].text)


def _ends(text: str) -> Iterator[_End]:
    """The ways to read the end of a question as a place, the longest first. Quoted words stay together."""
    if QUOTES.search(text):
        return
    department = ""
    if found := DEPARTMENT.search(text):
        text, department = text[: found.start()], found[1].upper()
    typed = [_Typed(each.start(), each.end(), words.fold(each[0])) for each in WORD.finditer(text)]
    # « cuisine Rennes 35000 »: the code says which Rennes, and is a place by itself.
    code = typed[-1].folded if typed and POSTAL_CODE.fullmatch(typed[-1].folded) else ""
    after = len(typed) - bool(code)
    for first in range(max(after - NAME_WORDS_MAX, 1), after):
        start, before = typed[first].start, typed[first - 1].folded
        if text[start - 1] == "-" and text[start - 2 : start - 1].strip():
            continue  # the second half of a word
        name = name_key(text[start : typed[after - 1].end])
        if not re.search("[a-z]", name):
            continue
        # « cuisine 35000 Rennes »
        its_code = code or (before if POSTAL_CODE.fullmatch(before) else "")
        for key in (f"{ARTICLES[before]} {name}", name) if before in ARTICLES else (name,):
            yield from _read(text, typed[:first], start, key, its_code, department)
    if code and not (after and typed[after - 1].folded in REGISTERS):
        yield from _read(text, typed[:after], typed[after].start, "", code, department)


class _Typed(NamedTuple):
    """A word of a text, from where to where, and folded."""

    start: int
    end: int
    folded: str


def _read(
    text: str, before: list[_Typed], start: int, key: str, code: str, department: str
) -> Iterator[_End]:
    """A place begins at `start`, after the words `before`: what leads to it is left out of them."""
    kept, is_told = len(before), bool(code or department)
    while kept and before[kept - 1].folded in LEADING | {code}:
        kept -= 1
        is_told = is_told or before[kept].folded in TELLING
    if not kept:
        return
    between = text[before[kept - 1].end : start]
    is_told = is_told or bool(TELLING_SIGNS.search(between))
    ends_at = before[kept].start if kept < len(before) else start
    rest = text[:ends_at].strip(BLANKS)  # « C++ » keeps its signs
    if words.significant(words.fold(rest)) and (is_told or len(key) >= NAME_LETTERS_MIN):
        yield _End(rest, key, code, department, is_told)

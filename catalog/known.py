"""Certifications that answer a question to which no offer answers: what they are, and what replaces them.

Nobody may offer one that has ended, so the page of groups never sees it (catalog.grouping). Who types its
number or its name still learns that it exists, what became of it, and where to look instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from catalog import finding, widening
from catalog.finding import STATUS_WORTH, Found
from catalog.models import Certification
from catalog.search import SearchQuery
from rulebook import Rules

SCORE_MIN = 0.5
"""Of the full marks of `finding`, status aside: nearly all that was asked is in its names."""
SUCCESSORS_MAX = 5


@dataclass(frozen=True, slots=True)
class Successor:
    """What replaces a certification, with the open offers of it in all of France (counted to TOTAL_MAX)."""

    code: str
    title: str
    offers: int


@dataclass(frozen=True, slots=True)
class Known:
    """`status`: as `Found` has it. `offers`: open ones of it in all of France, whatever else was asked;
    counted to one above TOTAL_MAX."""

    certification: Certification
    status: str
    offers: int
    replaced_by: tuple[Successor, ...]

    @property
    def ended_on(self) -> date | None:
        """The last day of one that ended when its registration did; None of one that was struck off, or
        whose last day nobody tells."""
        is_over = self.status == "ended" and not self.certification.withdrawn
        return self.certification.registered_until if is_over else None


def find(query: SearchQuery, *, by_words: bool, on: date, rules: Rules) -> list[Known]:
    """Those of the numbers in the question; else, `by_words`, the best when it says nearly all that is asked.

    None for a question without words. Six statements at most.
    """
    text = query.certification or query.text
    if not (by_words or any(map(str.isdigit, text))):
        return []
    asked = finding.understand(text)
    found = _of_numbers(asked, on=on) if asked.numbers else []
    if not found and by_words and asked.ideas:
        found = [one for one in finding.in_order(asked, on=on)[:1] if _says_nearly_all(one)]
    return _told(found, on=on, rules=rules)


def _of_numbers(asked: finding.Asked, *, on: date) -> list[Found]:
    # Without the words around them, and without the successors that `finding` adds: told of each below.
    only = finding.Asked(numbers=asked.numbers)
    return [one for one in finding.in_order(only, on=on) if one.code in asked.numbered]


def _says_nearly_all(found: Found) -> bool:
    return found.score >= SCORE_MIN * STATUS_WORTH[found.status]


def _told(found: Sequence[Found], *, on: date, rules: Rules) -> list[Known]:
    if not found:
        return []
    after = finding.successors([one.code for one in found if not one.is_active], on=on)
    after = {code: new[:SUCCESSORS_MAX] for code, new in after.items()}
    codes = list(
        dict.fromkeys([*(one.code for one in found), *(new for news in after.values() for new in news)])
    )
    told = ("code", "title", "short_title", "level", "registered_until", "effective_on", "withdrawn")
    records = Certification.objects.only(*told).in_bulk(codes)
    queries = [SearchQuery(certification=code) for code in codes]
    offers = dict(zip(codes, widening.capped_counts(queries, on=on, rules=rules), strict=True))
    return [
        Known(
            records[one.code],
            one.status,
            offers[one.code],
            # A register may name one that no file has told of yet.
            tuple(
                Successor(new, records[new].title, offers[new])
                for new in after.get(one.code, ())
                if new in records
            ),
        )
        for one in found
    ]

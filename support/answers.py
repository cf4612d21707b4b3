"""Questions and their answers as a page shows them today, and how they are found."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import ngettext

from catalog import reports
from rulebook import Rules, Term, workdays
from support.guards import REOPEN_DAYS
from support.questions import FIRST_OF, QUESTIONS, SUBJECTS_OF, Question, Subject
from support.states import Topic
from ui import french


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as a page shows it today, in the active language. `links`: (address, words)."""

    slug: str
    subject: Subject
    text: str
    paragraphs: tuple[str, ...]
    steps: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    keywords: str


def days_in_words(term: Term) -> str:
    """« 2 jours ouvrés », « 5 jours »."""
    if term.unit == workdays.BUSINESS:
        return ngettext("%(n)d jour ouvré", "%(n)d jours ouvrés", term.days) % {"n": term.days}
    return ngettext("%(n)d jour", "%(n)d jours", term.days) % {"n": term.days}


def facts_of(rules: Rules) -> dict[str, str]:
    """What answers may name, in words."""
    clocks = (
        "provider_answer",
        "holder_answer",
        "withdrawal",
        "postponement",
        "payment",
        "earliest_start",
        "free_cancellation",
    )
    return {
        **{name: days_in_words(rules.term(name)) for name in clocks},
        "participation": french.euros(rules.participation_cents),
        "requests": str(rules.simultaneous_requests_max),
        "age": str(rules.enrolment_min_age),
        "age_apprentice": str(rules.enrolment_min_age_apprentice),
        "warnings": ", ".join(map(str, rules.certification_warning_months)),
        "report_due": french.short_day(reports.last_due(rules.day, rules=rules)),
        "attempts": str(rules.activation_attempts_max),
        "answer": days_in_words(Term(settings.PORTAL_ANSWER_DAYS, workdays.BUSINESS)),
        "reopen": days_in_words(Term(REOPEN_DAYS, workdays.CALENDAR)),
    }


def on(rules: Rules) -> list[Shown]:
    """Every question that has an answer under these rules, in the order of the page."""
    facts = facts_of(rules)
    return [
        _shown(question, subject, facts)
        for subject, questions in QUESTIONS.items()
        for question in questions
        if question.when(rules) and (not question.needs or _address(question.needs))
    ]


def for_topic(topic: Topic, shown: Iterable[Shown]) -> list[Shown]:
    """What may answer who is about to write about this: the best first, five at most."""
    by_slug = {question.slug: question for question in shown}
    first = [by_slug[slug] for slug in FIRST_OF.get(topic, ()) if slug in by_slug]
    others = [q for q in by_slug.values() if q.subject in SUBJECTS_OF[topic] and q not in first]
    return [*first, *others][:5]


def _shown(question: Question, subject: Subject, facts: dict[str, str]) -> Shown:
    links = ((_address(name), str(words)) for name, words in question.links)
    return Shown(
        slug=question.slug,
        subject=subject,
        text=str(question.text),
        paragraphs=tuple(str(part).format_map(facts) for part in question.answer),
        steps=tuple(str(step).format_map(facts) for step in question.steps),
        links=tuple((url, words) for url, words in links if url),
        keywords=str(question.keywords),
    )


def _address(name: str) -> str:
    """The address of a page; empty where it does not exist (yet)."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


# --- Searching: accents, plurals and endings do not count ------------------------------------------

# A question says best what it is about; its keywords say how else people put it.
WEIGHTS = (("text", 6.0), ("keywords", 4.0), ("answer", 1.0))
# Too frequent to tell questions apart.
_EMPTY = frozenset(
    """
    a ai ait alors au aux avec avez ce ces cet cette chez comment dans de des du elle en est et faire fait
    faut il ils j je l la le les leur ma mais me mes moi mon n ne nous on ou par pas peut peux plus pour
    pourquoi puis qu quand que quel quelle qui quoi s sa sans se ses si son sont suis sur t ta te tes ton tu
    un une vos votre vous y the of to my is how what do i can
    """.split()  # noqa: SIM905 - a list of ninety quoted words is harder to read
)


def find(query: str, shown: Sequence[Shown]) -> list[Shown]:
    """The questions that these words are about, the best first. A word that many hold counts little."""
    wanted = [word for word in _words(query) if word not in _EMPTY] or _words(query)
    pages = [
        {
            "text": _words(question.text),
            "keywords": _words(question.keywords),
            "answer": _words(" ".join([*question.paragraphs, *question.steps])),
        }
        for question in shown
    ]
    scores = [0.0] * len(shown)
    found = [0] * len(shown)
    for word in wanted:
        hits = [_weight_in(page, word) for page in pages]
        holders = sum(1 for hit in hits if hit)
        for place, hit in enumerate(hits):
            if hit:
                scores[place] += hit * math.log(1 + len(shown) / holders)
                found[place] += 1
    # Who typed three words wants what has the three; but a misspelt word must not hide everything.
    most = max(found, default=0)
    least = most if most == len(wanted) else max(1, most - 1)
    best = [place for place in range(len(shown)) if found[place] >= max(1, least)]
    return [shown[place] for place in sorted(best, key=lambda place: (-found[place], -scores[place], place))]


def _weight_in(page: dict[str, list[str]], wanted: str) -> float:
    """Where this word says most, itself more than a relative of it; 0 where it is not."""
    for part, weight in WEIGHTS:
        if any(_same(word, wanted) for word in page[part]):
            return weight * (1.5 if wanted in page[part] else 1.0)
    return 0.0


def _same(one: str, other: str) -> bool:
    """« annulation » and « annuler », « délais » and « delai »: most of the shorter one begins both."""
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < 4:
        return longer in {shorter, f"{shorter}s", f"{shorter}x"}
    common = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return common >= max(4, math.ceil(0.7 * len(shorter)))


def _words(text: str) -> list[str]:
    """Plain lower-case words: « L’œuvre » → ["l", "oeuvre"]."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    plain = "".join(sign if sign.isalnum() else "" if unicodedata.combining(sign) else " " for sign in folded)
    return plain.split()

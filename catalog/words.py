"""The words people use for a certification, gathered once: an index knows them, a query stays what was typed.

Beside its own title: its other titles, its initials and what initials in it stand for, both genders of its
trade, the title of what it replaces, its level as people say it, the job names (ROME) and synonyms
(FORMACODE) of its codes. Offers take the same words from here (catalog.indexing): both are found alike.
"""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from catalog.imports import loading
from catalog.models import (
    Certification,
    CertificationBlock,
    CertificationIndex,
    CertificationStatement,
    CertificationWord,
    JobName,
    RegisterWord,
    Succession,
    SynonymGroup,
    Term,
    TermName,
)

FILE = Path(__file__).resolve().parent / "data" / "abbreviations.csv"
LOT = 500
# Words of one certification beyond this are left out: nobody is found by the thousandth job name.
TEXT_MAX_CHARACTERS = 30_000
# For PostgreSQL’s parser « Word/Excel » would be a file name, « auto-école » one word.
JOINT = re.compile(r"(?<=\w)[-/](?=\w)")

# What joins words and says nothing; « les » is not in PostgreSQL's list.
SMALL_WORDS_TEXT = """
a au aux avec c ce ces cette d dans de des du elle en et il j je l la le les leur leurs lui m ma mais mes mon
n ne nos notre nous on ou par pas pour qu que qui s sa se ses son sur t ta te tes toi ton tu un une vos votre
vous y
"""
SMALL_WORDS = frozenset(SMALL_WORDS_TEXT.split())
# How people begin to ask: « formation en comptabilité », « je veux devenir boulanger » are about accounting
# and bread. After one of these, the manner says no more. Elsewhere they are what is asked (« conseiller en
# formation », « vente à distance »).
WISHES_TEXT = """
aimerais apprendre cherche chercher comment cours cpf devenir envie etre faire formation formations former
obtenir passer preparer reconversion souhaite stage stages travailler trouver veux voudrais
"""
MANNERS_TEXT = """
acceleree certifiante certifiantes continue courte courtes cpf diplomante diplomantes distance eligible
eligibles financee gratuite gratuites ligne professionnelle professionnelles qualifiante qualifiantes rapide
rapides
"""
WISHES, MANNERS = frozenset(WISHES_TEXT.split()), frozenset(MANNERS_TEXT.split())
# Tools whose name is no word for any parser.
TOOLS = (
    (re.compile(r"(?<!\w)c\s?\+\+"), " cplusplus "),
    (re.compile(r"(?<!\w)c\s?#"), " csharp "),
    (re.compile(r"(?<!\w)\.net(?!\w)"), " dotnet "),
    (re.compile(r"(?<!\w)bac\s*\+\s*(\d)"), r" bacplus\1 "),
    (re.compile(r"(?<!\w)niveau\s*([1-8])(?!\w)"), r" niveau\1 "),
)
MAY_BE_A_TOOL = re.compile(r"[+#]|\.net|niveau")
NO_LETTER = re.compile(r"[\W_]+")
# What people call the levels of the national framework.
LEVELS = {
    1: "niveau1", 2: "niveau2", 3: "niveau3", 4: "niveau4", 5: "niveau5 bacplus2",
    6: "niveau6 bacplus3 bacplus4", 7: "niveau7 bacplus5", 8: "niveau8 bacplus8",
}  # fmt: skip
# A trade by who works in it: « boulanger » is said of « boulangerie », which has another stem.
TRADE = re.compile(r"(\w{3,}?)i?er")
# Where the name of a diploma ends, and an explanation of it begins.
TITLE_ENDS = re.compile(r"[(:;,\[]| - |\b(?:option|specialite|mention|parcours)\b")
ROME = re.compile(r"[A-Z]\d{4}")
INITIALS_MIN, INITIALS_MAX = 3, 7
PREDECESSORS_MAX = 20
JOB_NAME_MAX = 255


def fold(text: str) -> str:
    """Small letters without accents, tools and levels as one word each, one space between words."""
    text = text.lower()
    if MAY_BE_A_TOOL.search(text):
        for pattern, word in TOOLS:
            text = pattern.sub(word, text)
    text = NO_LETTER.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("æ", "ae"))
        text = text.encode("ascii", "ignore").decode()
    return " ".join(text.split())


def significant(text: str) -> list[str]:
    """The words of a folded text that mean something, in their order."""
    return [word for word in text.split() if word not in SMALL_WORDS]


def wished(asked: Sequence[str]) -> int:
    """How many words at the beginning only say that one asks; 0 when there are no others."""
    begun = False
    for at, word in enumerate(asked):
        begun = begun or word in WISHES
        if not (word in WISHES or word in SMALL_WORDS or (begun and word in MANNERS)):
            return at if begun else 0
    return 0


def meant(text: str) -> list[str]:
    """The significant words of a folded question, without those by which one begins to ask."""
    asked = significant(text)
    return asked[wished(asked) :]


def initials(title: str) -> str:
    """« Négociation et digitalisation de la relation client » → ndrc, « Gestion de la PME » → gpme.

    Empty when the name of the diploma has too few words, or too many, for people to say it so.
    """
    head = TITLE_ENDS.split(title, maxsplit=1)[0].strip() or title
    pieces = [
        word.lower() if word.isupper() and 2 <= len(word) <= 4 else fold(word)[:1]
        for word in re.findall(r"[^\W_]+", head)
        if fold(word) not in SMALL_WORDS
    ]
    joined = "".join(pieces)
    return joined if len(pieces) > 1 and len(joined) <= INITIALS_MAX else ""


# --- Ways to say the same -------------------------------------------------------------------------


@lru_cache(maxsize=1)
def abbreviations() -> tuple[tuple[str, str], ...]:
    """(initials, what they stand for), folded, from the list we ship."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            (fold(row["initials"]), fold(row["words"])) for row in csv.DictReader(file, delimiter=";")
        )


class Phrases:
    """Finds in a text the phrases that have another wording."""

    def __init__(self, pairs: Iterable[tuple[str, str]]):
        """`pairs`: (phrase, what to say besides), both folded."""
        # By their beginning, one or two words: « technicien » alone begins hundreds of diplomas.
        self._by_start: dict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        for phrase, other in pairs:
            if found := significant(phrase):
                self._by_start[tuple(found[:2])].append((found, other))

    def others(self, words: Sequence[str]) -> Iterator[str]:
        """The other wordings of what `words` (significant ones, folded) hold."""
        for at in range(len(words)):
            for start in (tuple(words[at : at + 1]), tuple(words[at : at + 2])):
                for phrase, other in self._by_start.get(start, ()):
                    if list(words[at : at + len(phrase)]) == phrase:
                        yield other


def as_said(job: str) -> tuple[str, ...]:
    """« Chef / Cheffe de rang » → « Chef de rang », « Cheffe de rang »; another name as it is."""
    one, slash, other = job.partition(" / ")
    ours, theirs = one.split(), other.split()
    begins = [fold(" ".join(names[:1]))[:3] for names in (ours, theirs)]
    if not slash or not begins[0] or begins[0] != begins[1]:
        return (job,)
    return " ".join([*ours, *theirs[len(ours) :]]), other


def genders(names: Iterable[str]) -> dict[str, set[str]]:
    """« Conducteur livreur / Conductrice livreuse » → conducteur: {conductrice}, and so on, both ways."""
    pairs: dict[str, set[str]] = defaultdict(set)
    for name in names:
        left, slash, right = name.partition(" / ")
        if not slash:
            continue
        ours = fold(left).split()
        for one, other in zip(ours, fold(right).split()[: len(ours)], strict=False):
            if one != other and one[:3] == other[:3] and not {one, other} & SMALL_WORDS:
                pairs[one].add(other)
                pairs[other].add(one)
    return pairs


@dataclass
class Thesaurus:
    """What one run of the index needs of the nomenclatures."""

    phrases: Phrases
    genders: Mapping[str, Collection[str]]
    terms: Mapping[str, Sequence[str]]  # code → its label and other names, folded, and other wordings of them
    title_words: Collection[str]  # no initials may be taken for one of these
    trades: Collection[str] = ()  # « boulangerie »: those that somebody wrote

    @classmethod
    def load(cls) -> "Thesaurus":
        terms: dict[str, list[str]] = defaultdict(list)
        for code, label in Term.objects.order_by("code").values_list("code", "label"):
            terms[code].append(label)
        for code, name in TermName.objects.order_by("term", "name").values_list("term_id", "name"):
            terms[code].append(name)
        # A job goes by its sectors too: « hôtellerie », « BTP ».
        sectors = Term.objects.filter(nomenclature=Term.Nomenclature.SECTOR).order_by("code")
        for label, codes in sectors.values_list("label", "related"):
            for code in codes:
                terms[code].append(label)
        phrases = Phrases(_wordings())
        titles = Certification.objects.order_by("code").values_list("title", flat=True)
        title_words = {word for title in titles for word in fold(title).split()}
        said = {code: _with_wordings(map(fold, names), phrases) for code, names in terms.items()}
        spoken = title_words.union(*(name.split() for names in said.values() for name in names))
        return cls(
            phrases=phrases,
            genders=genders(name for names in terms.values() for name in names),
            terms=said,
            title_words=title_words,
            trades={word for word in spoken if word.endswith("erie")},
        )


def _with_wordings(names: Iterable[str], phrases: Phrases) -> list[str]:
    all_names = dict.fromkeys(names)
    for name in list(all_names):
        all_names |= dict.fromkeys(phrases.others(significant(name)))
    return list(all_names)


def _wordings() -> Iterator[tuple[str, str]]:
    """(phrase, other wording): our abbreviations both ways; imported groups from the long wording only.

    A group's single words are triggers of nothing: the initials of one diploma are a word of another.
    """
    for short, long in abbreviations():
        yield short, long
        yield long, short
    for names in SynonymGroup.objects.order_by("key").values_list("names", flat=True):
        folded = [fold(name) for name in names]
        for name in folded:
            if len(significant(name)) > 1:
                yield from ((name, other) for other in folded if other != name)


# --- One certification ----------------------------------------------------------------------------


@dataclass
class Facts:
    """What is known of a certification, from it and around it."""

    code: str
    number: int
    title: str
    kind: Sequence[str] = ()  # « BTS », « Brevet de technicien supérieur »
    level: int | None = None
    titles: list[str] = field(default_factory=list)  # by which others know it
    old_titles: list[str] = field(default_factory=list)  # of those it replaces
    term_codes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """The four texts of the index, how many words the title has, and which jobs it leads to."""

    names: str
    others: str
    jobs: str
    texts: str
    title_size: int
    codes: str  # ROME, one after the other


def words_of(facts: Facts, thesaurus: Thesaurus) -> Words:
    """The words a certification is found by."""
    own = significant(fold(" ".join([facts.title, *facts.kind])))
    known_as = list(dict.fromkeys(fold(text) for text in (*facts.titles, *facts.old_titles) if text))
    others: dict[str, None] = dict.fromkeys(known_as)
    # « DE », a small word otherwise, and « Aide-soignant » are what people say « DEAS » for.
    of_the_state = [significant(f"diplome etat {fold(facts.title)}")] if "DE" in facts.kind else []
    for text in (own, *of_the_state, *map(significant, known_as)):
        others |= dict.fromkeys(thesaurus.phrases.others(text))
        for word in text:
            others |= dict.fromkeys(sorted(thesaurus.genders.get(word, ())))
            if (found := TRADE.fullmatch(word)) and (trade := f"{found[1]}erie") in thesaurus.trades:
                others[trade] = None
    for title in (facts.title, *facts.titles, *facts.old_titles):
        short = initials(_without_kind(title, facts.kind))
        if len(short) >= (2 if facts.kind else INITIALS_MIN) and short not in thesaurus.title_words:
            others[short] = None
    others[LEVELS.get(facts.level or 0, "")] = None
    jobs: dict[str, None] = {}
    for code in dict.fromkeys(facts.term_codes):
        # The register's NSF codes carry a letter of their own (326t).
        jobs |= dict.fromkeys(thesaurus.terms.get(code) or thesaurus.terms.get(code[:3], ()))
    jobs |= dict.fromkeys(_with_wordings(map(fold, facts.labels), thesaurus.phrases))
    return Words(
        names=_joined([" ".join([fold(facts.title), *map(fold, facts.kind)]), facts.code, str(facts.number)]),
        others=_joined(others),
        jobs=_joined(jobs),
        # PostgreSQL folds these by itself; folding long texts here took most of an import.
        texts=JOINT.sub(" ", "\n".join(facts.texts))[:TEXT_MAX_CHARACTERS],
        title_size=len(set(significant(fold(facts.title)))),
        codes=" ".join(sorted({code for code in facts.term_codes if ROME.fullmatch(code)})),
    )


def _without_kind(title: str, kinds: Sequence[str]) -> str:
    """« BTS conduite de travaux » → « conduite de travaux »: nobody says « btsct »."""
    known = {fold(kind) for kind in kinds} | {short for short, _long in abbreviations()}
    written = title.split()
    for size in range(min(5, len(written) - 1), 0, -1):
        if fold(" ".join(written[:size])) in known:
            return " ".join(written[size:])
    return title


def _joined(texts: Iterable[str]) -> str:
    """Texts one after the other, small words left out; one between two texts keeps phrases apart."""
    return " de ".join(" ".join(significant(text)) for text in texts if text)[:TEXT_MAX_CHARACTERS]


# --- The index ------------------------------------------------------------------------------------

WRITE = """
INSERT INTO catalog_certificationindex AS kept (certification_id, names, search, title_size, jobs)
SELECT fresh.code, named.vector,
    named.vector
    || setweight(to_tsvector('portal_french', fresh.jobs), 'C')
    || setweight(to_tsvector('portal_french', fresh.texts), 'D'),
    fresh.title_size, string_to_array(fresh.codes, ' ')
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[])
    AS fresh (code, names, others, jobs, texts, title_size, codes)
CROSS JOIN LATERAL (
    SELECT setweight(to_tsvector('portal_french', fresh.names), 'A')
        || setweight(to_tsvector('portal_french', fresh.others), 'B') AS vector
) AS named
ON CONFLICT (certification_id) DO UPDATE
SET names = excluded.names, search = excluded.search, title_size = excluded.title_size, jobs = excluded.jobs
WHERE (kept.search, kept.names, kept.title_size, kept.jobs)
    IS DISTINCT FROM (excluded.search, excluded.names, excluded.title_size, excluded.jobs)
RETURNING certification_id
"""

# Said for the certifications that WRITE has changed, and for those that have lost their words; only what
# differs is written. Imports one after the other change a few words of many, and each row they left behind
# would make the index longer to read.
UNSAID = """
SELECT code FROM unnest(%s::text[]) AS code
WHERE code <> ALL(%s::text[])
    AND NOT EXISTS (SELECT FROM catalog_certificationword AS said WHERE said.certification_id = code)
"""
SAY = """
WITH fresh AS MATERIALIZED (
    SELECT said.lexeme COLLATE "C" AS word, kept.certification_id, kept.title_size,
        CASE WHEN NOT record.withdrawn THEN record.registered_until END AS registered_until,
        (SELECT min(weight) FROM unnest(said.weights) AS weight) AS place
    FROM catalog_certificationindex AS kept
    JOIN catalog_certification AS record ON record.code = kept.certification_id
    CROSS JOIN unnest(kept.search) AS said
    WHERE kept.certification_id = ANY(%(codes)s) AND said.weights && '{A,B,C}'
), gone AS (
    DELETE FROM catalog_certificationword AS said
    WHERE certification_id = ANY(%(codes)s)
        AND NOT EXISTS (
            SELECT FROM fresh WHERE fresh.word = said.word AND fresh.certification_id = said.certification_id
        )
)
INSERT INTO catalog_certificationword AS said (word, certification_id, place, title_size, registered_until)
SELECT word, certification_id, place, title_size, registered_until FROM fresh
ON CONFLICT (word, certification_id) DO UPDATE SET place = excluded.place, title_size = excluded.title_size
WHERE (said.place, said.title_size) IS DISTINCT FROM (excluded.place, excluded.title_size)
"""

# A trigger of the record tells its words its end. It misses those that are being said at that very moment.
KEEP_ENDS = """
UPDATE catalog_certificationword AS said
SET registered_until = CASE WHEN NOT record.withdrawn THEN record.registered_until END
FROM catalog_certification AS record
WHERE record.code = said.certification_id
    AND said.registered_until IS DISTINCT FROM CASE WHEN NOT record.withdrawn THEN record.registered_until END
"""

# The words of names, not of long texts: those are too many to be what somebody meant.
REGISTER_WORDS = """
WITH found AS (
    SELECT word AS key, bool_or(is_in_a_title) AS is_in_a_title
    FROM (
        SELECT regexp_split_to_table(lower(unaccent(title)), '[^[:alnum:]]+') AS word, true AS is_in_a_title
        FROM catalog_certification
        UNION ALL
        SELECT regexp_split_to_table(lower(unaccent(label)), '[^[:alnum:]]+'), false FROM catalog_term
        UNION ALL
        SELECT regexp_split_to_table(lower(unaccent(name)), '[^[:alnum:]]+'), false FROM catalog_termname
    ) AS words
    WHERE length(word) BETWEEN 3 AND 40
    GROUP BY word
), gone AS (
    DELETE FROM catalog_registerword WHERE key NOT IN (SELECT key FROM found)
)
INSERT INTO catalog_registerword AS kept (key, is_in_a_title)
SELECT key, is_in_a_title FROM found
ON CONFLICT (key) DO UPDATE SET is_in_a_title = excluded.is_in_a_title
WHERE kept.is_in_a_title <> excluded.is_in_a_title
"""


def reindex(codes: Iterable[str] | None = None) -> list[str]:
    """Write again what these certifications, or all, are found by; the codes whose words had changed.

    The successors of a certification carry its names, so they are written with it. Offers follow.
    """
    if codes is None:
        wanted = list(Certification.objects.order_by("code").values_list("code", flat=True))
    else:
        wanted = _with_successors(codes)
    if not wanted:
        return []
    thesaurus = Thesaurus.load()
    changed: list[str] = []
    pending = iter(wanted)
    while lot := list(islice(pending, LOT)):
        rows = [(facts.code, words_of(facts, thesaurus)) for facts in _facts_of(lot)]
        if not rows:
            continue
        columns: list[Any] = [[code for code, _words in rows]]
        for name in ("names", "others", "jobs", "texts", "title_size", "codes"):
            columns.append([getattr(words, name) for _code, words in rows])
        # One after the other: WRITE locks the rows of this lot.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(WRITE, columns)
            written = [code for (code,) in cursor.fetchall()]
            cursor.execute(UNSAID, [columns[0], written])
            said_again = written + [code for (code,) in cursor.fetchall()]
            if said_again:
                cursor.execute(SAY, {"codes": said_again})
        changed += written
    return changed


def _write_job_names() -> None:
    """Of several words each: a name of one word is met as any other word."""
    codes: dict[str, set[str]] = defaultdict(set)
    rome = Term.Nomenclature.ROME
    labels = Term.objects.filter(nomenclature=rome).order_by("code").values_list("code", "label")
    names = TermName.objects.filter(term__nomenclature=rome).order_by("pk").values_list("term_id", "name")
    for code, name in (*labels, *names):
        for said in as_said(name):
            if len(key := significant(fold(said))) > 1:
                codes[" ".join(key)[:JOB_NAME_MAX]].add(code)
    with transaction.atomic(), connection.cursor() as cursor:
        rows = ((key, sorted(found)) for key, found in sorted(codes.items()))
        loading.upsert(JobName, ("key", "codes"), rows, key="key")
        cursor.execute("DELETE FROM catalog_jobname WHERE key <> ALL(%s)", [list(codes)])


def keep_ends() -> int:
    """Words that say another end than their certification are told; how many. Every hour."""
    with connection.cursor() as cursor:
        cursor.execute(KEEP_ENDS)
        return cursor.rowcount


def refresh() -> None:
    """After an import: the words that mistyped ones are compared with, and the names of jobs; indexes and the
    planner at rest."""
    keep_ends()
    _write_job_names()
    with connection.cursor() as cursor:
        cursor.execute(REGISTER_WORDS)
    loading.settle(
        *(index.name for index in (*CertificationIndex._meta.indexes, *RegisterWord._meta.indexes))
    )
    loading.refresh_statistics(CertificationIndex, CertificationWord, RegisterWord, JobName)


def catch_up() -> list[str]:
    """Index what no import has since this index exists; the codes."""
    missing = Certification.objects.filter(index__isnull=True).order_by("code")
    indexed = reindex(list(missing.values_list("code", flat=True)))
    if indexed:
        refresh()
    return indexed


def _with_successors(codes: Iterable[str]) -> list[str]:
    wanted = set(codes)
    frontier = wanted
    while frontier:
        links = Succession.objects.filter(old_code__in=frontier).order_by("pk")
        frontier = set(links.values_list("new_code", flat=True)) - wanted
        wanted |= frontier
    return sorted(wanted)


def _predecessors(codes: Sequence[str]) -> dict[str, list[str]]:
    """code → those it replaces, those they replaced, and so on, nearest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE lineage (code, old, depth) AS (
                SELECT new_code, old_code, 1 FROM catalog_succession WHERE new_code = ANY(%s)
                UNION
                SELECT lineage.code, link.old_code, lineage.depth + 1
                FROM lineage JOIN catalog_succession AS link ON link.new_code = lineage.old
                WHERE lineage.depth < 5
            )
            SELECT code, old FROM lineage GROUP BY code, old ORDER BY code, min(depth), old
            """,
            [list(codes)],
        )
        found: dict[str, list[str]] = defaultdict(list)
        for code, old in cursor.fetchall():
            if old != code and len(found[code]) < PREDECESSORS_MAX:
                found[code].append(old)
        return found


def _facts_of(codes: Sequence[str]) -> list[Facts]:
    """With a number of queries that does not grow with the lot."""
    before = _predecessors(codes)
    olds = sorted({old for found in before.values() for old in found} - set(codes))
    said: dict[str, list[dict]] = defaultdict(list)
    statements = CertificationStatement.objects.filter(certification__in=[*codes, *olds])
    for code, stated in statements.order_by("pk").values_list("certification_id", "facts"):
        said[code].append(stated)
    blocks: dict[str, list[str]] = defaultdict(list)
    for code, title in (
        CertificationBlock.objects.filter(certification__in=codes)
        .order_by("code")
        .values_list("certification_id", "title")
    ):
        blocks[code].append(title)
    old_rows = {row.code: row for row in _rows(olds)}
    rows = {row.code: row for row in _rows(codes)}
    known = old_rows | rows
    return [
        Facts(
            code=row.code,
            number=row.number,
            title=row.title,
            kind=[text for text in (row.short_code, row.short_title) if text],
            level=row.level,
            titles=[title for stated in said[row.code] for title in stated["titles"] if title != row.title],
            old_titles=[known[old].title for old in before.get(row.code, ()) if old in known],
            term_codes=_term_codes(
                row, said, [known[old] for old in before.get(row.code, ()) if old in known]
            ),
            labels=[*row.rome_labels, *blocks[row.code]],
            texts=[row.jobs, row.activities, row.abilities, row.goals],
        )
        for row in rows.values()
    ]


def _rows(codes: Sequence[str]) -> Iterable[Certification]:
    return Certification.objects.filter(code__in=codes).order_by("code")


def _term_codes(row: Certification, said: Mapping, before: Sequence[Certification]) -> list[str]:
    """Its ROME and FORMACODE codes, whoever states them; else those of what it replaces; and its NSF."""

    def coded(one: Certification) -> list[str]:
        stated = [code for facts in said[one.code] for code in (*facts["rome_codes"], *facts["formacodes"])]
        return [*one.rome_codes, *one.formacodes, *stated]

    codes = coded(row)
    for old in before:
        codes = codes or coded(old)
    return [*codes, *row.nsf_codes]

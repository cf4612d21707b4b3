"""What sources below the XML register say of a certification, and how they make one record together.

The XML register is believed whole: where it knows a record, the others only add words to find it by. Else
each column comes from the first source that fills it: the register's CSV export, then Certif Info, then the
apprenticeship kit. The three dates and the strike-off come together, from the first source that gives an end:
a date of one and a state of another would make a status that nobody stated.

Each source's statement is kept as it was read and the record is made again from all of them, so the order of
the imports does not matter, and the same file again changes nothing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from django.db import connection

from catalog import indexing, words
from catalog.imports import loading
from catalog.imports.report import Report
from catalog.models import (
    Certification,
    CertificationBlock,
    CertificationStatement,
    Habilitation,
    Succession,
)
from rulebook import workdays

Source = Certification.Source
# Part of every digest: raise it when a source's reader keeps something new.
SHAPE = "2"
RANKS = (Source.CSV, Source.CERTIF_INFO, Source.KIT)
TEXTS = ("title", "short_code", "short_title", "publication_state")
LISTS = ("ways", "nsf_codes", "rome_codes", "formacodes", "rome_labels")
DATES = ("effective_on", "decided_on", "registered_until", "delivered_until")
COLUMNS = (
    "code", "register", "number", *TEXTS, "level", *DATES, "withdrawn", "activities", "abilities", "jobs",
    "prerequisites", *LISTS, "source", "digest", "imported_at",
)  # fmt: skip
MAX_TITLE = 1000


@dataclass(slots=True)
class Statement:
    """What one file says of one certification. `titles`: all it is called; `title`: when there is but one."""

    line: int
    code: str
    title: str = ""
    titles: list[str] = field(default_factory=list)
    short_code: str = ""
    short_title: str = ""
    publication_state: str = ""
    level: int | None = None
    effective_on: date | None = None
    decided_on: date | None = None
    registered_until: date | None = None
    delivered_until: date | None = None
    withdrawn: bool = False
    ways: list[str] = field(default_factory=list)
    nsf_codes: list[str] = field(default_factory=list)
    rome_codes: list[str] = field(default_factory=list)
    formacodes: list[str] = field(default_factory=list)
    rome_labels: list[str] = field(default_factory=list)
    certif_info: list[str] = field(default_factory=list)  # its numbers there: some catalogues name it so
    replaces: list[str] = field(default_factory=list)
    replaced_by: list[str] = field(default_factory=list)
    blocks: list[list[str]] = field(default_factory=list)  # [code, title]
    habilitations: list[list] = field(default_factory=list)  # [siret, name, role, is_active]

    def facts(self) -> dict[str, Any]:
        """As JSON holds it."""
        facts = {name: getattr(self, name) for name in self.__slots__ if name not in {"line", "code"}}
        return {
            name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()
        }


def add(values: list[str], *more: str) -> None:
    """Appends what is not there yet, in order."""
    for value in more:
        if value and value not in values:
            values.append(value)


def write(source: str, statements: Sequence[Statement], result: Report, *, at: datetime) -> None:
    """Keeps the statements of one file, and writes again the certifications they change."""
    changed: list[str] = []
    links: set[tuple[str, str]] = set()
    for lot in loading.lots(statements):
        changed += _write_lot(source, lot, result, links, at=at)
    if not changed:
        return
    _write_successions(changed, formerly=links)
    indexing.reindex_of(certification__in=words.reindex(changed), on=workdays.paris_day(at))
    indexing.refresh(on=workdays.paris_day(at))
    loading.refresh_statistics(Certification, CertificationStatement, Succession)
    words.refresh()


def _write_lot(
    source: str,
    lot: Sequence[Statement],
    result: Report,
    links: set[tuple[str, str]],
    *,
    at: datetime,
) -> list[str]:
    """The codes whose statement is new or changed; `links` gets those that were stated before."""
    codes = [statement.code for statement in lot]
    held = dict(Certification.objects.filter(code__in=codes).order_by("code").values_list("code", "source"))
    kept = CertificationStatement.objects.filter(certification__in=codes).order_by("pk")
    said: dict[str, dict[str, dict]] = defaultdict(dict)
    digests: dict[str, str] = {}
    for row in kept:
        said[row.certification_id][row.source] = row.facts
        if row.source == source:
            digests[row.certification_id] = row.digest
    fresh: list[tuple[str, str, str]] = []
    for statement in lot:
        facts = statement.facts()
        text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
        digest = sha256(f"{SHAPE}{text}".encode()).hexdigest()
        if digests.get(statement.code) == digest:
            result.unchanged += 1
            continue
        if statement.code in held:
            result.updated += 1
        else:
            result.created += 1
        if before := said[statement.code].get(source):
            links.update(_links_of(statement.code, before))
        said[statement.code][source] = facts
        fresh.append((statement.code, digest, text))
    written = [code for code, _digest, _text in fresh]
    ours = [code for code in written if held.get(code) != Source.XML]
    _write_records(ours, said, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM catalog_certificationstatement WHERE source = %s AND certification_id = ANY(%s)",
            [source, written],
        )
    loading.insert(
        CertificationStatement,
        ("certification_id", "source", "digest", "facts", "imported_at"),
        ((code, source, digest, text, at) for code, digest, text in fresh),
    )
    return written


def merged(code: str, said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of a certification that the XML register does not know, from what each source says."""
    speaking = [said[source] for source in RANKS if source in said]
    register = "RNCP" if code.startswith("RNCP") else "RS"

    def first(name: str, empty: Any) -> Any:
        return next((facts[name] for facts in speaking if facts[name]), empty)

    dated = next((facts for facts in speaking if facts["registered_until"]), None)
    # Without an end nobody knows whether it is active; a last delivery or a beginning may still be told.
    dates = {name: dated[name] if dated else first(name, None) for name in DATES}
    titles = [title for facts in speaking for title in facts["titles"]]
    return {
        "code": code,
        "register": register,
        "number": int(code.removeprefix(register)),
        **{name: first(name, "") for name in TEXTS},
        # Several titles under one number, and no source with a single one: the first is as good as another.
        "title": first("title", "") or (titles[0] if titles else code),
        "level": first("level", None),
        **{name: date.fromisoformat(value) if value else None for name, value in dates.items()},
        "withdrawn": bool((dated or speaking[0])["withdrawn"]),
        **dict.fromkeys(("activities", "abilities", "jobs", "prerequisites"), ""),
        **{name: first(name, []) for name in LISTS},
        "source": next(source for source in RANKS if source in said),
        "digest": "",
    }


def _write_records(codes: Sequence[str], said: Mapping, *, at: datetime) -> None:
    if not codes:
        return
    rows = [merged(code, said[code]) | {"imported_at": at} for code in codes]
    loading.upsert(Certification, COLUMNS, ([row[name] for name in COLUMNS] for row in rows), key="code")
    # Only the register's own export names blocks and partners.
    listed = [code for code in codes if Source.CSV in said[code]]
    if not listed:
        return
    with connection.cursor() as cursor:
        for model in (CertificationBlock, Habilitation):
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE certification_id = ANY(%s)", [listed])  # noqa: S608 - our own table names
    loading.insert(
        CertificationBlock,
        ("certification_id", "code", "title"),
        ((code, *block) for code in listed for block in said[code][Source.CSV]["blocks"]),
    )
    loading.insert(
        Habilitation,
        ("certification_id", "siret", "name", "role", "is_active"),
        ((code, *entry) for code in listed for entry in said[code][Source.CSV]["habilitations"]),
    )


def _links_of(code: str, facts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield from ((code, new) for new in facts["replaced_by"] if new != code)
    yield from ((old, code) for old in facts["replaces"] if old != code)


def _write_successions(codes: Sequence[str], *, formerly: set[tuple[str, str]]) -> None:
    """Adds the links stated of these codes, drops those that nobody states any more.

    Where the XML register knows one end it says all there is to say: it is left alone.
    """
    now = {
        link
        for code, facts in CertificationStatement.objects.filter(certification__in=codes)
        .order_by("pk")
        .values_list("certification_id", "facts")
        for link in _links_of(code, facts)
    }
    ends = {code for link in now | formerly for code in link}
    in_xml = set(
        Certification.objects.filter(code__in=ends, source=Source.XML)
        .order_by("code")
        .values_list("code", flat=True)
    )
    others = CertificationStatement.objects.filter(certification__in=ends).order_by("pk")
    stated = {
        link
        for code, facts in others.values_list("certification_id", "facts")
        for link in _links_of(code, facts)
    }
    free = {link for link in now | formerly if not in_xml.intersection(link)}
    held = set(
        Succession.objects.filter(old_code__in=[old for old, _new in free])
        .order_by("pk")
        .values_list("old_code", "new_code")
    )
    loading.insert(Succession, ("old_code", "new_code"), sorted((free & stated) - held))
    if gone := sorted((free - stated) & held):
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM catalog_succession"
                " USING unnest(%s::text[], %s::text[]) AS gone (old, new)"
                " WHERE old_code = gone.old AND new_code = gone.new",
                [[old for old, _new in gone], [new for _old, new in gone]],
            )

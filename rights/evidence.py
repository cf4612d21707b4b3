"""A holder's statement as a file that anyone can verify: written from the ledger, verified without it.

Each line holds a movement as it is hashed, the day it is sealed with, and the path that leads from it to the
root of that day: whoever holds the file sees their own movements, and hashes of the others. The format is
told in docs/adr/0007; `verify` uses nothing but the text of the file.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import HolderProfile
from rights import proof, seals
from ui import french

FORMAT = "releve-de-droits/1"
# A holder has some hundreds of lines; beyond this, it is another file.
LONGEST_FILE = 200 * 1024 * 1024
HASH = re.compile(r"[0-9a-f]{64}")


# --- Writing ------------------------------------------------------------------------------------------


def write(holder: HolderProfile, *, at: datetime) -> str:
    """The file, one movement or seal a line. Six queries, however many."""
    contents = list(seals.contents(holder.pk))
    found = seals.places([content["id"] for content in contents])
    # From the first day that matters to the head; the head alone for who has nothing sealed yet.
    first = min((place.day for place in found.values()), default=None)
    head = seals.head()
    days = seals.since(first) if first else [head] if head else []
    lines, chain = [], ""
    for content in contents:
        place = found.get(content["id"])
        chain = proof.chained(chain, proof.leaf_of(content))
        lines.append(
            {
                "movement": content,
                "seal": place and place.day.isoformat(),
                "position": place and place.position,
                "path": [step.hex() for step in place.path] if place else [],
                "chain": chain,
            }
        )
    told = {
        "format": FORMAT,
        "read_me": _(
            "Relevé vérifiable : python manage.py verify_statement FICHIER. Montants en centimes d’euro "
            "(eur_cent) ou en heures (hour)."
        ),
        "holder": {"id": str(holder.pk), "reference": holder.reference, "name": holder.display_name},
        "made_at": proof.moment(at),
        "balances": _balances(contents, str(holder.pk)),
        "chain": chain,
        "head": {"day": days[-1].day.isoformat(), "hash": days[-1].hash} if days else None,
    }
    told["digest"] = proof.digest(told)
    parts = [f"{json.dumps(name)}: {_compact(value)}" for name, value in told.items()]
    parts.append(_listed("movements", lines))
    parts.append(_listed("seals", [seals.facts_of(seal) | {"hash": seal.hash} for seal in days]))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _listed(name: str, rows: list[Any]) -> str:
    body = ",\n".join(_compact(row) for row in rows)
    return f'"{name}": [\n{body}\n]' if rows else f'"{name}": []'


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _balances(contents: list[dict[str, Any]], holder_id: str) -> dict[str, int]:
    """What each of the holder's pockets holds after these movements."""
    held: Counter[str] = Counter()
    for content in contents:
        for end, sign in (("source", -1), ("target", 1)):
            if content[end]["holder_id"] == holder_id:
                held[content[end]["id"]] += sign * content["amount"]
    return dict(sorted(held.items()))


# --- Verifying ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """A file in which everything agrees. `head`: its last seal, to compare with what the portal says."""

    movements: int
    sealed: int
    seals: int
    holder: str
    made_at: datetime
    head_day: date | None
    head_hash: str


class Wrong(Exception):
    """The file is not what the portal wrote. `line`: of the file, from 1; the message is French."""

    def __init__(self, message: str, *, line: int | None = None):
        self.message, self.line = message, line
        super().__init__(f"{_('Ligne %s : ') % line if line else ''}{message}")


def verify(text: str) -> Verdict:
    """Recompute every hash of a statement, line by line. Wrong: the first line that does not agree."""
    told = _parsed(text)
    sealed_days = _verified_seals(told, _lines_of(text, "seals"))
    contents, sealed, chain = _verified_movements(told, sealed_days, _lines_of(text, "movements"))
    _check_top(text, told, contents=contents, chain=chain, days=sealed_days)
    head_day, head = next(reversed(sealed_days.items()), (None, None))
    return Verdict(
        movements=len(contents),
        sealed=sealed,
        seals=len(sealed_days),
        holder=f"{told['holder']['name']} ({told['holder']['reference']})",
        made_at=datetime.fromisoformat(told["made_at"]),
        head_day=head_day,
        head_hash=head["hash"] if head else "",
    )


def _parsed(text: str) -> dict[str, Any]:
    """The file with the shape of a statement."""
    if len(text) > LONGEST_FILE:
        raise Wrong(_("Le fichier est trop long pour un relevé."))
    try:
        told = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
    except json.JSONDecodeError as error:
        raise Wrong(_("Ce n’est pas du JSON : le fichier est coupé ou abîmé."), line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise Wrong(_("Ce n’est pas le JSON d’un relevé.")) from error
    shape: dict[str, Any] = {
        "format": str,
        "read_me": str,
        "holder": dict,
        "made_at": str,
        "balances": dict,
        "chain": str,
        "head": (dict, type(None)),
        "digest": str,
        "movements": list,
        "seals": list,
    }
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Wrong(_("Ce fichier n’est pas un relevé de droits vérifiable (%s).") % FORMAT)
    if told.keys() != shape.keys() or not all(isinstance(told[name], shape[name]) for name in shape):
        raise Wrong(_("Il manque une partie du relevé, ou il y en a une de trop."))
    if told["holder"].keys() != {"id", "reference", "name"}:
        raise Wrong(_("Le titulaire n’est pas dit comme dans un relevé."), line=_line_of(text, "holder"))
    try:
        datetime.fromisoformat(told["made_at"])
    except ValueError as error:
        raise Wrong(
            _("« %s » n’est pas un moment.") % told["made_at"], line=_line_of(text, "made_at")
        ) from error
    return told


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name given twice reads one way here, and another way elsewhere."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _line_of(text: str, name: str) -> int | None:
    at = text.find(f'"{name}"')
    return None if at < 0 else text.count("\n", 0, at) + 1


def _lines_of(text: str, name: str) -> Iterator[int]:
    """The line of the file on which each row of a list begins, however the file is laid out."""
    decoder = json.JSONDecoder()
    at = _start_of(text, name)
    line, seen = 1, 0
    while True:
        at = _skip(text, at, " \t\r\n,")
        line, seen = line + text.count("\n", seen, at), at
        yield line
        _row, at = decoder.raw_decode(text, at)


def _start_of(text: str, name: str) -> int:
    """Where the rows of a list of the file's first level begin: just after its bracket."""
    decoder = json.JSONDecoder()
    at = _skip(text, text.index("{") + 1, " \t\r\n,")
    while True:
        found, at = decoder.raw_decode(text, at)
        at = _skip(text, at, " \t\r\n:")
        if found == name:
            return at + 1
        _value, at = decoder.raw_decode(text, at)
        at = _skip(text, at, " \t\r\n,")


def _skip(text: str, at: int, blanks: str) -> int:
    while at < len(text) and text[at] in blanks:
        at += 1
    return at


def _verified_seals(told: dict[str, Any], lines: Iterator[int]) -> dict[date, Mapping[str, Any]]:
    """The seals by day, each its own hash and after the one before."""
    days: dict[date, Mapping[str, Any]] = {}
    before: Mapping[str, Any] | None = None
    for seal, line in zip(told["seals"], lines, strict=False):
        if not isinstance(seal, dict) or seal.keys() != {*proof.SEAL_FIELDS, "hash"}:
            raise Wrong(_("Ce sceau n’a pas la forme d’un sceau."), line=line)
        day = _day(seal["day"], line)
        words = {"day": french.short_day(day)}
        if proof.seal_hash(seal) != seal["hash"]:
            raise Wrong(_("Le sceau du %(day)s ne porte pas sa propre empreinte.") % words, line=line)
        if before is not None and (
            seal["previous_hash"] != before["hash"] or day != _day(before["day"], line) + timedelta(days=1)
        ):
            raise Wrong(_("Le sceau du %(day)s ne suit pas celui de la veille.") % words, line=line)
        if not _is_count(seal["count"]) or not _is_hash(seal["root"]):
            raise Wrong(_("Le sceau du %(day)s n’a pas la forme d’un sceau.") % words, line=line)
        days[day] = before = seal
    return days


def _verified_movements(
    told: dict[str, Any], days: Mapping[date, Mapping[str, Any]], lines: Iterator[int]
) -> tuple[list[dict[str, Any]], int, str]:
    """The movements, how many are sealed, and the chain after the last."""
    contents: list[dict[str, Any]] = []
    sealed, chain = 0, ""
    holder = told["holder"]["id"]
    for row, line in zip(told["movements"], lines, strict=False):
        content = _content(row, line)
        number = {"number": content["id"]}
        leaf = proof.leaf_of(content)
        chain = proof.chained(chain, leaf)
        if row["seal"] is not None:
            day = _day(row["seal"], line)
            words = number | {"day": french.short_day(day)}
            if day not in days:
                raise Wrong(_("Le sceau du %(day)s manque dans le fichier.") % words, line=line)
            if not _leads_to_root(leaf, row, days[day]):
                raise Wrong(
                    _("Le mouvement n° %(number)s n’est pas celui qui a été scellé le %(day)s.") % words,
                    line=line,
                )
            sealed += 1
        if row["chain"] != chain:
            raise Wrong(
                _("Le mouvement n° %(number)s ne suit pas les précédents : il a changé, ou un autre manque.")
                % number,
                line=line,
            )
        if contents and content["id"] <= contents[-1]["id"]:
            raise Wrong(_("Le mouvement n° %(number)s n’est pas à sa place.") % number, line=line)
        if holder not in (content["source"]["holder_id"], content["target"]["holder_id"]):
            raise Wrong(_("Le mouvement n° %(number)s est celui d’un autre titulaire.") % number, line=line)
        contents.append(content)
    return contents, sealed, chain


def _content(row: Any, line: int) -> dict[str, Any]:
    """The movement of a line, with the names and types that a ledger gives it."""
    content = row.get("movement") if isinstance(row, dict) else None
    if (
        not isinstance(content, dict)
        or row.keys() != {"movement", "seal", "position", "path", "chain"}
        or not isinstance(row["path"], list)
        or content.keys() != {*seals.MOVEMENT_FACTS, "source", "target"}
        or not _is_count(content["id"])
        or not _is_count(content["amount"])
        or not all(
            isinstance(content[end], dict)
            and content[end].keys() | seals.SAID_WHEN_THERE == set(seals.POCKET_FACTS)
            for end in ("source", "target")
        )
    ):
        raise Wrong(_("Cette ligne n’a pas la forme d’un mouvement."), line=line)
    return content


def _leads_to_root(leaf: bytes, row: Mapping[str, Any], seal: Mapping[str, Any]) -> bool:
    if not _is_count(row["position"]) or not all(_is_hash(step) for step in row["path"]):
        return False
    path = [bytes.fromhex(step) for step in row["path"]]
    root = proof.root_from(leaf, position=row["position"], count=seal["count"], path=path)
    return root is not None and root.hex() == seal["root"]


def _check_top(
    text: str,
    told: dict[str, Any],
    *,
    contents: list[dict[str, Any]],
    chain: str,
    days: Mapping[date, Mapping[str, Any]],
) -> None:
    """What the file says above its lines is what they give."""
    last = next(reversed([*days.values()]), None)
    head = {"day": last["day"], "hash": last["hash"]} if last else None
    if told["chain"] != chain:
        raise Wrong(_("Le dernier mouvement manque, ou il y en a un de trop."), line=_line_of(text, "chain"))
    if told["head"] != head:
        raise Wrong(_("Le dernier sceau n’est pas celui que le relevé annonce."), line=_line_of(text, "head"))
    if told["balances"] != _balances(contents, told["holder"]["id"]):
        raise Wrong(_("Les soldes ne sont pas ceux des mouvements."), line=_line_of(text, "balances"))
    top = {name: told[name] for name in told if name not in ("digest", "movements", "seals")}
    if proof.digest(top) != told["digest"]:
        raise Wrong(_("L’en-tête du relevé a été changé."), line=_line_of(text, "digest"))


def _day(told: Any, line: int) -> date:
    try:
        return date.fromisoformat(told)
    except (TypeError, ValueError) as error:
        raise Wrong(_("« %s » n’est pas un jour.") % told, line=line) from error


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASH.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0

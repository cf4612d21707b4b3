"""What proofs are made of: one written form of a movement, hashes, trees and chains.

Pure: no database, no clock, nothing but the standard library, so that anybody can write it again from
docs/adr/0007. Hashes are SHA-256. Trees are those of RFC 9162, section 2.1: leaves and nodes are hashed
apart (a first byte 0 or 1), so that none passes for the other.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

BRANCH = 256
"""Leaves under one branch: of a tree of a million, a path needs 256 leaves and 3,907 branches."""
HASH_BYTES = 32


def canonical(content: Any) -> bytes:
    """The one form in which a value is hashed: JSON, sorted names, no spaces, UTF-8."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # A lone half of a character never comes from the database, and may come from a forged file.
    return text.encode("utf-8", "surrogatepass")


def moment(at: datetime) -> str:
    """ "2026-11-27T09:12:33.000000+00:00": a moment in one form, whatever the zone of who reads it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def digest(content: Any) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def leaf_of(content: Mapping[str, Any]) -> bytes:
    """The hash of one movement, as it stands in the tree of its day."""
    return hashlib.sha256(b"\x00" + canonical(content)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(nodes: Sequence[bytes]) -> bytes:
    """The root over these nodes. Pairing neighbours, a last odd one going up as it is, gives RFC 9162's."""
    if not nodes:
        return hashlib.sha256(b"").digest()
    level = list(nodes)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: Sequence[bytes]) -> list[bytes]:
    pairs = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + list(level[len(level) - len(level) % 2 :])


def _path_among(nodes: Sequence[bytes], index: int) -> list[bytes]:
    path, level = [], list(nodes)
    while len(level) > 1:
        if (index ^ 1) < len(level):
            path.append(level[index ^ 1])
        level, index = _above(level), index // 2
    return path


class Tree:
    """A tree grown leaf by leaf, which keeps one hash in BRANCH: a million leaves take 125 KB."""

    def __init__(self) -> None:
        self.size = 0
        self._branches = bytearray()
        self._young: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self.size += 1
        self._young.append(leaf)
        if len(self._young) == BRANCH:
            self._branches += root_of(self._young)
            self._young = []

    @property
    def branches(self) -> bytes:
        """The root of each BRANCH leaves, one after the other."""
        return bytes(self._branches) + (root_of(self._young) if self._young else b"")

    @property
    def root(self) -> bytes:
        return root_of(split(self.branches))


def split(branches: bytes) -> list[bytes]:
    return [branches[at : at + HASH_BYTES] for at in range(0, len(branches), HASH_BYTES)]


def path_of(position: int, *, siblings: Sequence[bytes], branches: bytes) -> list[bytes]:
    """What leads from a leaf to the root. `siblings`: the leaves of its own branch, itself included."""
    branch, index = divmod(position, BRANCH)
    return [*_path_among(siblings, index), *_path_among(split(branches), branch)]


def root_from(leaf: bytes, *, position: int, count: int, path: Iterable[bytes]) -> bytes | None:
    """The root that this leaf and path give; None when the path is too short, too long or beside the tree."""
    if not 0 <= position < count:
        return None
    steps = iter(path)
    while count > 1:
        if (position ^ 1) < count:
            sibling = next(steps, None)
            if sibling is None:
                return None
            leaf = _node(sibling, leaf) if position % 2 else _node(leaf, sibling)
        position, count = position // 2, (count + 1) // 2
    return leaf if next(steps, None) is None else None


# --- The chain of days --------------------------------------------------------------------------------

SEAL_FIELDS = ("day", "count", "first_id", "last_id", "root", "previous_hash", "made_at")


def seal_hash(seal: Mapping[str, Any]) -> str:
    """The hash of a day, over its own facts and the hash of the day before."""
    return digest({name: seal[name] for name in SEAL_FIELDS})


# --- The chain of a statement's lines -----------------------------------------------------------------


def chained(previous: str, leaf: bytes) -> str:
    """One more line of a statement, after those that gave `previous` (empty for the first)."""
    return hashlib.sha256(bytes.fromhex(previous) + leaf).hexdigest()

"""What an import can change of an offer and its sessions, as plain values: taken, compared, put back.

A snapshot holds what JSON can: {"offer": {field: value}, "sessions": {number: {field: value}}}.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from catalog.geography import Point
from catalog.models import Offer, Session

# What the catalogue format says of an offer. Whether it is published is not the file's to say.
OFFER_FIELDS = (
    "kind", "certification_id", "portal_code", "block_codes", "title", "summary", "objectives", "content",
    "expected_results", "prerequisites", "has_prerequisites", "admission", "accessibility", "mode", "hours",
    "price_cents", "extra_fees_cents", "vat_per_mille", "address", "postal_code", "town_name", "town_id",
    "point", "url", "contact_email", "contact_phone", "rhythms", "languages", "entry_level", "particulars",
    "hand_edited_at",
)  # fmt: skip
# Kept since later: nothing said of them counts as before, so that what was imported then can be undone now.
LATER_FIELDS = ("rhythms", "languages", "entry_level", "particulars")
SESSION_FIELDS = ("starts_on", "ends_on", "recruitment", "is_guaranteed", "details")


def of(offer: Offer, sessions: Iterable[Session]) -> dict[str, Any]:
    """The offer with all its sessions, now."""
    return {
        "offer": {name: _plain(getattr(offer, name)) for name in OFFER_FIELDS},
        "sessions": {
            session.number: {name: _plain(getattr(session, name)) for name in SESSION_FIELDS}
            for session in sessions
        },
    }


def digest(snapshot: dict[str, Any]) -> str:
    """The same for the same snapshot, whatever the order of its parts."""
    offer = {
        name: value
        for name, value in snapshot["offer"].items()
        if name not in LATER_FIELDS or value not in ([], {}, None)
    }
    return hashlib.sha256(json.dumps(snapshot | {"offer": offer}, sort_keys=True).encode()).hexdigest()


def put_back(row: Offer | Session, values: dict[str, Any]) -> None:
    """Writes the values of a snapshot on its row; saving is the caller's."""
    for name, value in values.items():
        setattr(row, name, _full(name, value))


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The offer's fields that differ, in the order of OFFER_FIELDS; how it was edited is not one of them."""
    return [
        name
        for name in OFFER_FIELDS
        if name != "hand_edited_at" and before["offer"][name] != after["offer"][name]
    ]


def changed_sessions(before: dict[str, Any], after: dict[str, Any]) -> tuple[int, int]:
    """(sessions added, sessions changed); an import deletes none."""
    known = before["sessions"]
    added = sum(number not in known for number in after["sessions"])
    changed = sum(number in known and known[number] != now for number, now in after["sessions"].items())
    return added, changed


def _plain(value: Any) -> Any:
    if isinstance(value, Point):
        return [value.x, value.y]
    return value.isoformat() if isinstance(value, date) else value


def _full(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "point":
        return Point(*value)
    if name == "hand_edited_at":
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if name in {"starts_on", "ends_on"} else value

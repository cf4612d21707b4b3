"""A dossier under lock, with all that verbs read around it, in one statement.

By hand, since every verb begins with it: eight tables cost the ORM, and the planner, more than the rest of a
verb. What comes back are models like any other; the long texts of an offer or a register stay where they are
until somebody asks for them.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchVectorField
from django.db import connection, transaction
from django.db.models import BinaryField, Field, JSONField, Model, TextField

from accounts.models import HolderProfile, Organisation, User
from catalog.geography import PointField
from catalog.models import Certification, Offer, Provider, Session
from dossiers.models import Dossier, Past
from ui import prepared

LONG = (TextField, BinaryField, JSONField, SearchVectorField, PointField)
JUDGED = {"withheld_for"}
"""Texts that every verb looks at; they are short."""
# In the order of the joins: its name, its table, what its key is; the last two may be missing.
AROUND: tuple[tuple[str, type[Model], str], ...] = (
    ("dossier", Dossier, ""),
    ("holder", HolderProfile, "dossier.holder_id"),
    ("provider", Provider, "dossier.provider_id"),
    ("organisation", Organisation, "provider.organisation_id"),
    ("offer", Offer, "dossier.offer_id"),
    ("session", Session, "dossier.session_id"),
    ("reader", User, "holder.user_id"),
    ("certification", Certification, "offer.certification_id"),
)


def _read(model: type[Model]) -> list[Field]:
    """What is read of a table: of a dossier all, of the others what is short."""
    fields = model._meta.concrete_fields
    return [f for f in fields if model is Dossier or f.name in JUDGED or not isinstance(f, LONG)]


def _columns(name: str, model: type[Model]) -> str:
    return ", ".join(f'{name}."{each.column}"' for each in _read(model))


_JOINS = " ".join(
    f'LEFT JOIN {model._meta.db_table} {name} ON {name}."{model._meta.pk.column}" = {key}'
    for name, model, key in AROUND
    if key
)
_LOCK = (
    f"SELECT {', '.join(_columns(name, model) for name, model, _key in AROUND)}"  # noqa: S608
    f" FROM dossiers_dossier dossier {_JOINS} WHERE dossier.id = %s FOR UPDATE OF dossier"
)
_LOCK_HOLDER = (
    f"SELECT {_columns('holder', HolderProfile)} FROM accounts_holderprofile holder"  # noqa: S608
    " WHERE holder.id = %s FOR NO KEY UPDATE"
)
_PAST = """
    SELECT id, verb, request_id, CASE WHEN verb = 'submit' THEN details::text END, NULL::timestamptz
        FROM dossiers_transition WHERE dossier_id = %s
    UNION ALL SELECT NULL, kind, NULL, NULL, due_at
        FROM dossiers_deadline WHERE dossier_id = %s AND closed_at IS NULL
    UNION ALL SELECT max(round), NULL, NULL, NULL, NULL FROM dossiers_fundingline WHERE dossier_id = %s
    ORDER BY 1"""
_FIELDS = {name: [each.attname for each in _read(model)] for name, model, _key in AROUND}


def lock(dossier_id: UUID) -> Dossier | None:
    """None: there is no such dossier (any more). TransactionManagementError: outside a transaction."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a lock lasts as long as its transaction")
    found = prepared.rows(_LOCK, [dossier_id])
    if not found:
        return None
    by_name: dict[str, Any] = {}
    values, begin = found[0], 0
    for name, model, _key in AROUND:
        fields = _FIELDS[name]
        own = values[begin : begin + len(fields)]
        begin += len(fields)
        # The key comes first; without it there is no row on that side.
        by_name[name] = model.from_db(connection.alias, fields, own) if own[0] is not None else None
    dossier = by_name["dossier"]
    dossier.holder, dossier.session = by_name["holder"], by_name["session"]
    dossier.holder.user = by_name["reader"]
    dossier.provider, dossier.offer = by_name["provider"], by_name["offer"]
    dossier.provider.organisation = by_name["organisation"]
    dossier.offer.certification = by_name["certification"]
    if dossier.offer.provider_id == dossier.provider_id:
        dossier.offer.provider = dossier.provider
    return dossier


def lock_holder(dossier: Dossier) -> None:
    """`dossier.holder` is locked, and as it is under the lock."""
    [values] = prepared.rows(_LOCK_HOLDER, [dossier.holder_id])
    holder = HolderProfile.from_db(connection.alias, _FIELDS["holder"], values)
    if holder.user_id == dossier.holder.user_id:
        holder.user = dossier.holder.user
    dossier.holder = holder


def past_of(dossier: Dossier) -> Past:
    """What has happened to it, in a query of its own: whoever waited for the lock reads what came before."""
    requests: dict[UUID, str] = {}
    asked: dict[str, Any] = {}
    due: dict[str, datetime] = {}
    last_round = 0
    for number, what, request_id, details, due_at in prepared.rows(_PAST, [dossier.pk] * 3):
        if due_at is not None:
            due[what] = due_at
        elif request_id is None:
            last_round = number or 0
        else:
            requests[request_id] = what
            asked = json.loads(details) if details else asked
    return Past(requests, asked, due, last_round)

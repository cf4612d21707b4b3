"""A move of one dossier and what becomes of its clocks, in one statement: every verb ends with it."""

from typing import Any

from django.db import connection
from django.db.models import Model

from dossiers.models import Deadline, Transition
from ui import prepared

# In the order of their columns, but for the key, which PostgreSQL gives.
_TRANSITION = [field for field in Transition._meta.concrete_fields if not field.primary_key]
_DEADLINE = [field for field in Deadline._meta.concrete_fields if not field.primary_key]


def _names(fields: list[Any]) -> str:
    return ", ".join(f'"{field.column}"' for field in fields)


def _places(fields: list[Any]) -> str:
    """Typed, but without a length: a cast would cut what is too long, and the column refuses it."""
    kinds = [field.db_type(connection).partition("(")[0] for field in fields]
    return ", ".join(f"%s::{kind}" for kind in kinds)


# What runs is closed before the next one begins: one of a kind runs at a time. The trigger of the transition
# moves the dossier at the end of the statement.
_MOVE = f"""
    WITH moved AS (
        INSERT INTO dossiers_transition ({_names(_TRANSITION)}) VALUES ({_places(_TRANSITION)}) RETURNING id
    ), closed AS (
        UPDATE dossiers_deadline SET closed_at = %s, outcome = %s, next_reminder_at = NULL
        WHERE dossier_id = %s AND closed_at IS NULL AND %s RETURNING id
    ), opened AS (
        INSERT INTO dossiers_deadline ({_names(_DEADLINE)})
        SELECT {_places(_DEADLINE)} FROM (SELECT count(*) FROM closed) AS first WHERE %s RETURNING id
    )
    SELECT moved.id, opened.id FROM moved LEFT JOIN opened ON true"""  # noqa: S608


def write_move(
    transition: Transition, *, closes: Deadline.Outcome | None, opens: Deadline | None = None
) -> None:
    """Write this transition, close with this outcome whatever runs on its dossier, start this clock.

    Both have their keys afterwards. None: nothing is closed, nothing starts.
    """
    [(transition.pk, clock_id)] = prepared.rows(
        _MOVE,
        [
            *_values(transition, _TRANSITION),
            *(transition.at, closes or "", transition.dossier_id, closes is not None),
            *(_values(opens, _DEADLINE) if opens else [None] * len(_DEADLINE)),
            opens is not None,
        ],
    )
    transition._state.adding = False
    if opens:
        opens.pk, opens._state.adding = clock_id, False


def _values(row: Model, fields: list[Any]) -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]

"""The journal: who looked at, or changed, what of somebody else's."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from accounts.actors import Actor
from accounts.models import JournalEntry


def record(
    *,
    by: Actor,
    action: str,
    subject: Model | type[Model],
    at: datetime.datetime,
    details: dict[str, Any] | None = None,
) -> JournalEntry:
    """Add one line, in the transaction of what it tells. Never pass a social-security number in `details`.

    `subject`: a row, or a model when it is about a list of them.
    """
    return JournalEntry.objects.create(
        # `by` may be request.actor, a lazy object whose user is lazy too.
        user_id=by.user.pk if by.user else None,
        role=by.role,
        action=action,
        subject=subject_of(subject),
        details=details or {},
        at=at,
    )


def record_each(
    *, by: Actor, action: str, subjects: Mapping[Model, dict[str, Any]], at: datetime.datetime
) -> None:
    """The same line for each of these rows, with its own details; in one statement for five hundred."""
    JournalEntry.objects.bulk_create(
        [
            JournalEntry(
                user_id=by.user.pk if by.user else None,
                role=by.role,
                action=action,
                subject=subject_of(subject),
                details=details,
                at=at,
            )
            for subject, details in subjects.items()
        ],
        batch_size=500,
    )


def subject_of(thing: Model | type[Model]) -> str:
    """ "holderprofile:<id>": how the journal names a row; "holderprofile:*", a list of them."""
    return f"{thing._meta.model_name}:{'*' if isinstance(thing, type) else thing.pk}"

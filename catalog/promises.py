"""What people who have a dossier were promised: it does not change under them, by hand or by import.

A dossier freezes its price and its dates when it moves on; what the training is, and where and when it takes
place, it reads from the offer and the session. Who enrols holds both until their dossier is committed
(`hold`); who changes them locks both before asking (`offers_held`, `sessions_held`): one waits for the other,
and sees what it did.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from catalog.models import Offer, Session

OF_AN_OFFER = ("kind", "certification_id", "portal_code", "block_codes", "mode", "town_id")
OF_A_SESSION = ("starts_on", "ends_on")


def broken(row: Offer | Session, fields: Mapping[str, Any]) -> list[str]:
    """The promises that writing `fields` would break, if somebody has a dossier."""
    promised = OF_AN_OFFER if isinstance(row, Offer) else OF_A_SESSION
    return [name for name in promised if name in fields and getattr(row, name) != fields[name]]


def hold(session_id: UUID) -> bool:
    """For who enrols: nobody changes nor deletes this session and its offer until the transaction ends.

    False: it is gone. Foreign keys are checked at the commit: alone they would come too late.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT FROM catalog_offer AS offer
            JOIN catalog_session AS session ON session.offer_id = offer.id
            WHERE session.id = %s FOR KEY SHARE
            """,
            [session_id],
        )
        return bool(cursor.rowcount)


def offers_held(ids: Collection[UUID]) -> set[UUID]:
    """Those of these offers that somebody has a dossier on; all are locked until the transaction ends."""
    return _held(Offer.objects.filter(pk__in=ids)) if ids else set()


def sessions_held(ids: Collection[UUID]) -> set[UUID]:
    """The same, of sessions."""
    return _held(Session.objects.filter(pk__in=ids)) if ids else set()


def _held(rows) -> set[UUID]:
    # FOR UPDATE, not NO KEY: only that waits for the FOR KEY SHARE of `hold`.
    list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    return set(rows.with_dossiers().order_by("pk").values_list("pk", flat=True))

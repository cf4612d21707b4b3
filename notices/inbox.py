"""What a person does with their notices, and how many wait for them. Reading changes nothing in the mails."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from notices.kinds import Kind
from notices.models import Notice

# What took something away, or a chance: a home page shows it until it is read.
WEIGHTY = frozenset(
    {
        Kind.DOSSIER_REFUSED,
        Kind.DOSSIER_CANCELLED_BY_PROVIDER,
        Kind.DOSSIER_LAPSED,
        Kind.DOSSIER_CLOSED,
        Kind.PAYMENT_REFUSED,
        Kind.RELIEF_EXTENDED,
        Kind.RELIEF_REINSTATED,
    }
)


def of(user: Any, *, unread_only: bool = False) -> QuerySet[Notice]:
    """What was told to this person: unread first, then the newest."""
    mine = Notice.objects.of(user)
    if unread_only:
        mine = mine.unread()
    return mine.alias(is_read=Q(read_at__isnull=False)).order_by("is_read", "-created_at", "id")


def counts(user: Any) -> dict[str, int]:
    """`all` and `unread`. One query."""
    return (
        Notice.objects.of(user)
        .order_by()
        .aggregate(all=Count("pk"), unread=Count("pk", filter=Q(read_at__isnull=True)))
    )


def unread_count(user: Any) -> int:
    """How many this person has not read: for the menu of every page, one indexed query."""
    return Notice.objects.of(user).unread().count()


def mark_read(notice: Notice, *, at: datetime) -> None:
    """Keep the moment it was first read."""
    Notice.objects.filter(pk=notice.pk).unread().update(read_at=at)


def mark_all_read(*, user: Any, at: datetime) -> None:
    Notice.objects.of(user).unread().update(read_at=at)

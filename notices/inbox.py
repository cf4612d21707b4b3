"""What a person does with their notices. Reading changes nothing in the mails."""

from datetime import datetime
from typing import Any

from notices.models import Notice


def mark_read(notice: Notice, *, at: datetime) -> None:
    """Keep the moment it was first read."""
    Notice.objects.filter(pk=notice.pk).unread().update(read_at=at)


def mark_all_read(*, user: Any, at: datetime) -> None:
    Notice.objects.of(user).unread().update(read_at=at)

"""The address by which a visitor follows what they asked: mailed to them, signed, and good for a while.

Nothing is kept: the signature alone says that we wrote it. A new one goes out with each answer, and on
demand to the address the request came from.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from django.urls import reverse

from support.models import Ticket

# Longer than an exchange lasts; short enough for a mailbox that changes hands.
LINK_DAYS = 60
_SALT = "support.links"


def link_of(ticket: Ticket, *, at: datetime) -> str:
    """The path of the page of this visitor's ticket, good for LINK_DAYS."""
    until = at.astimezone(UTC) + timedelta(days=LINK_DAYS)
    token = Signer(salt=_SALT).sign(f"{ticket.pk.hex}-{int(until.timestamp())}")
    return reverse("ticket_followed", args=[token])


def ticket_behind(token: str, *, at: datetime) -> Ticket | None:
    """The visitor's ticket of an address; None: we did not write it, or it is too old."""
    try:
        hex_id, _dash, until = Signer(salt=_SALT).unsign(token).partition("-")
    except BadSignature:
        return None
    if at >= datetime.fromtimestamp(int(until), UTC):
        return None
    return _of_visitors().filter(pk=UUID(hex_id)).first()


def ticket_of(*, number: str, email: str) -> Ticket | None:
    """What a visitor who lost the address says of their ticket."""
    digits = "".join(number.split())
    return _of_visitors().filter(number=digits, email__iexact=email).first()


def _of_visitors() -> QuerySet[Ticket]:
    return Ticket.objects.filter(user=None).with_what_a_page_shows()

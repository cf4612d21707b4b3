"""Telling people what touched their account or their team, in the transaction of the event.

Whoever takes an account over begins with its address: for a month after a change, the address before
it hears of everything that touches the account. None of these notices asks for a password.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import Membership, Organisation, User
from notices import outbox

FORMER_ADDRESS_IS_TOLD = datetime.timedelta(days=30)


def tell_person(
    user: User, *, kind: str, at: datetime.datetime, facts: Mapping[str, Any] | None = None, link: str = ""
) -> None:
    """One notice to this person, and to the address they had until lately."""
    event_key = f"{kind}:{user.pk}:{at.isoformat()}"
    facts = facts or {}
    outbox.write(kind=kind, event_key=event_key, at=at, user=user, facts=facts, link=link)
    if user.former_email_until and at < user.former_email_until:
        outbox.write(kind=kind, event_key=event_key, at=at, email=user.former_email, facts=facts, link=link)


def tell_address(
    email: str, *, kind: str, event_key: str, at: datetime.datetime, facts: Mapping[str, Any], link: str
) -> None:
    """One notice to an address, whether or not somebody has it here."""
    outbox.write(kind=kind, event_key=event_key, at=at, email=email, facts=facts, link=link)


def tell_managers(
    organisation: Organisation,
    *,
    kind: str,
    event_key: str,
    at: datetime.datetime,
    facts: Mapping[str, Any],
    link: str = "",
    but: Iterable[User] = (),
    mailboxes: Iterable[str] = (),
) -> None:
    """One notice to each manager except `but`, who hear of it otherwise, then to these mailboxes."""
    told = {user.pk for user in but}
    for user in managers_of(organisation):
        if user.pk not in told:
            outbox.write(kind=kind, event_key=event_key, at=at, user=user, facts=facts, link=link)
    for email in mailboxes:
        outbox.write(kind=kind, event_key=event_key, at=at, email=email, facts=facts, link=link)


def managers_of(organisation: Organisation) -> list[User]:
    """Those who decide for it and can sign in, by e-mail. One query."""
    return list(
        User.objects.filter(
            memberships__organisation=organisation,
            memberships__role=Membership.Role.MANAGER,
            is_active=True,
        ).order_by("email")
    )

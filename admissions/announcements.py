"""What we tell people about a request to join or a measure: who, which notice, which facts.

Until it is admitted, an organisation's address is only what somebody typed: mails go to the author's own,
which was confirmed. Words live in templates/notices/<kind>.
"""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse

import rulebook
from accounts.models import User
from admissions import clocks
from admissions.completeness import page_of
from admissions.models import Document, JoinRequest, JoinStep, Measure, MeasureStep
from admissions.states import Motive, Side
from notices import outbox
from notices.kinds import Kind
from rulebook import workdays
from ui import french

NOTICES: dict[str, Kind] = {
    "send": Kind.JOIN_SENT,
    "ask_completion": Kind.JOIN_COMPLETION_ASKED,
    "declare_receivable": Kind.JOIN_RECEIVABLE,
    "admit": Kind.JOIN_ADMITTED,
    "refuse": Kind.JOIN_REFUSED,
    "withdraw": Kind.JOIN_WITHDRAWN,
}
MEASURE_NOTICES: dict[str, Kind] = {
    "warn": Kind.MEASURE_WARNED,
    "intend": Kind.MEASURE_INTENDED,
    "suspend_at_once": Kind.MEASURE_SUSPENDED,
    "answer": Kind.MEASURE_ANSWERED,
    "suspend": Kind.MEASURE_SUSPENDED,
    "confirm": Kind.MEASURE_CONFIRMED,
    "drop": Kind.MEASURE_DROPPED,
    "lift": Kind.MEASURE_LIFTED,
}


# --- A request to join --------------------------------------------------------------------------------


def announce(asked: JoinRequest, step: JoinStep, *, at: datetime) -> None:
    """Write the notices of one move, in its transaction."""
    kind = NOTICES[step.verb]
    rules = rulebook.on(workdays.paris_day(at))
    facts = facts_of(asked) | {
        "words": step.words,
        "items": [field_label(item) for item in step.details.get("items", [])],
        "motives": [str(Motive(motive).label) for motive in step.details.get("motives", [])],
        "contest_until": french.last_minute(clocks.contest_until(at, rules=rules)),
        "contest_months": rules.contest_months,
    }
    event_key = f"join:{step.verb}:{step.pk}"
    _tell_author(asked, kind, event_key=event_key, facts=facts, at=at)
    if step.verb == "admit" and asked.email:
        # Whoever reads the organisation's own mail learns who now acts in its name.
        outbox.write(
            kind=kind,
            event_key=event_key,
            at=at,
            facts=facts | {"reader": "mailbox", "author_email": asked.author.email},
            email=asked.email,
        )


def remind(asked: JoinRequest, *, at: datetime) -> None:
    """Once, of a request that its author left: a draft, or one to complete."""
    facts = facts_of(asked) | {"is_draft": asked.state == "draft"}
    event_key = f"join:reminder:{asked.pk}:{asked.touched_at:%Y%m%dT%H%M%S}"
    _tell_author(asked, Kind.JOIN_REMINDER, event_key=event_key, facts=facts, at=at)


def tell_lateness(asked: JoinRequest, *, at: datetime) -> None:
    """Tell those who decide that a delay has passed without their word."""
    due_at = asked.due_at
    facts = facts_of(asked) | {"due": french.last_minute(due_at), "clock": asked.state}
    link = reverse("admin:admissions_joinrequest_change", args=[asked.pk])
    for user in deciders("admissions.change_joinrequest"):
        outbox.write(
            kind=Kind.JOIN_LATE,
            event_key=f"join:late:{asked.pk}:{asked.state}:{due_at:%Y%m%d}",
            at=at,
            facts=facts,
            link=link,
            user=user,
        )


def facts_of(asked: JoinRequest) -> dict[str, Any]:
    return {
        "request_number": asked.number,
        "organisation_name": asked.name or french.siret(asked.siret),
        "siret": french.siret(asked.siret),
        "reader": "author",
        "receivable_due": french.last_minute(asked.receivable_due_at) if asked.receivable_due_at else "",
        "decision_due": french.last_minute(asked.decision_due_at) if asked.decision_due_at else "",
    }


def field_label(item: str) -> str:
    """The words of a field, or of a kind of document."""
    if item in Document.Kind.values:
        return str(Document.Kind(item).label)
    page_of(item)
    label = str(JoinRequest._meta.get_field(item).verbose_name)
    return label[:1].upper() + label[1:]


def _tell_author(
    asked: JoinRequest, kind: Kind, *, event_key: str, facts: dict[str, Any], at: datetime
) -> None:
    if not asked.author.is_active:
        return
    link = reverse("join_request", args=[asked.pk])
    outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, user=asked.author)


# --- A measure ----------------------------------------------------------------------------------------


def announce_measure(measure: Measure, step: MeasureStep, *, at: datetime) -> None:
    """To every manager of the organisation and to its mailbox; an answer, to who decides as well."""
    rules = rulebook.on(workdays.paris_day(at))
    organisation = measure.provider.organisation
    due_at = measure.answer_due_at
    facts = {
        "organisation_name": organisation.name,
        "reader": "organisation",
        "words": step.words,
        "is_urgent": measure.is_urgent,
        "by_portal": step.side == Side.SYSTEM,
        "was_warning": step.from_state == "warned",
        "answer_due": french.last_minute(due_at) if due_at and due_at > at else "",
        "measure_ends_on": french.day(measure.ends_on) if measure.ends_on else "",
        "contest_until": french.last_minute(clocks.contest_until(at, rules=rules)),
        "contest_months": rules.contest_months,
    }
    kind, event_key = MEASURE_NOTICES[step.verb], f"measure:{step.verb}:{step.pk}"
    link = reverse("provider_standing")
    for user in managers_of(organisation):
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, user=user)
    if organisation.email:
        outbox.write(kind=kind, event_key=event_key, at=at, facts=facts, link=link, email=organisation.email)
    if step.verb == "answer":
        link = reverse("admin:admissions_measure_standing", args=[measure.provider_id])
        for user in deciders("admissions.change_measure"):
            outbox.write(
                kind=kind,
                event_key=f"{event_key}:admin",
                at=at,
                facts=facts | {"reader": "admin"},
                link=link,
                user=user,
            )


def managers_of(organisation) -> list[User]:
    """Those who answer for it and can sign in; when nobody is in charge, everyone who acts for it."""
    members = User.objects.filter(memberships__organisation=organisation, is_active=True).order_by("email")
    managers = list(members.filter(memberships__role="manager", memberships__organisation=organisation))
    return managers or list(members)


def deciders(permission: str) -> list[User]:
    """Staff who may act: superusers, and those who were given this permission."""
    app, codename = permission.split(".")
    given = {"content_type__app_label": app, "codename": codename}
    has_it = Q(is_superuser=True)
    for path in ("user_permissions", "groups__permissions"):
        has_it |= Q(**{f"{path}__{name}": value for name, value in given.items()})
    return list(User.objects.filter(has_it, is_staff=True, is_active=True).distinct().order_by("email"))

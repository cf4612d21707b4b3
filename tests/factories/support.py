"""Requests for help, opened by the verb that people use."""

import uuid

import factory
from django.utils import timezone

from accounts.actors import VISITOR, Actor, Role
from support import workflow
from support.models import Ticket
from support.states import State, Topic
from tests.factories.accounts import HolderFactory, UserFactory


def asker_of(ticket: Ticket) -> Actor:
    """Whoever asked, in the role in which they did."""
    if ticket.is_of_visitor:
        return VISITOR
    if ticket.organisation:
        return Actor(role=Role.PROVIDER, user=ticket.user, organisation=ticket.organisation)
    return Actor(role=Role.HOLDER, user=ticket.user, holder=getattr(ticket.user, "holder", None))


def agent() -> Actor:
    return Actor(role=Role.ADMIN, user=UserFactory(is_staff=True, is_superuser=True))


class TicketFactory(factory.Factory):
    """Sent by a holder, or `by` anyone; `email=…` alone: by a visitor. `state` brings it further."""

    class Meta:
        model = Ticket

    by = factory.LazyAttribute(lambda o: VISITOR if o.email else _holder())
    at = factory.LazyFunction(timezone.now)
    request_id = factory.LazyFunction(uuid.uuid4)
    topic = Topic.RIGHTS
    subject = "Il me manque une année"
    words = "Bonjour, je ne vois pas 2019."
    email = ""
    state = State.RECEIVED

    @classmethod
    def _create(cls, model_class, *args, **fields):
        state = fields.pop("state")
        ticket = workflow.open(**fields)
        if state != State.RECEIVED:
            bring(ticket, state, at=fields["at"])
        return Ticket.objects.get(pk=ticket.pk)


def _holder() -> Actor:
    holder = HolderFactory()
    return Actor(role=Role.HOLDER, user=holder.user, holder=holder)


def bring(ticket: Ticket, state: State, *, at) -> Ticket:
    """Move a received ticket to this state."""
    verb = {State.IN_PROGRESS: "take", State.ANSWERED: "answer", State.CLOSED: "close"}[state]
    return act(verb, ticket, at=at)


def act(verb: str, ticket: Ticket, *, at, **fields) -> Ticket:
    """One verb by whoever does it, with a request of its own."""
    by = fields.pop("by", None) or (agent() if verb in {"take", "answer", "move"} else asker_of(ticket))
    if verb in {"answer", "reply", "reopen"}:
        fields.setdefault("words", "Bonjour, c’est arrivé.")
    if verb == "move":
        fields.setdefault("topic", Topic.TECHNICAL)
    fields.setdefault("request_id", uuid.uuid4())
    return getattr(workflow, verb)(ticket.pk, by=by, at=at, **fields)

"""Who may see and who may act."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from support.models import Ticket


def as_asker(actor: Actor) -> Actor:
    """An administrator who asks for themselves does it as anybody; they answer in the administration."""
    return Actor(role=Role.HOLDER, user=actor.user) if actor.role == Role.ADMIN else actor


def visible_tickets(actor: Actor) -> QuerySet[Ticket]:
    """The tickets of who acts: those of the organisation for a member, else one's own. Others: 404.

    An administrator reads everybody's in the administration, where each look is written down.
    """
    if actor.is_provider:
        return Ticket.objects.filter(organisation_id=actor.organisation_id)
    if actor.user:
        return Ticket.objects.filter(user_id=actor.user.pk, organisation=None)
    return Ticket.objects.none()


def who_sees(ticket_id: UUID, actors: Iterable[Actor]) -> tuple[Ticket, Actor] | None:
    """The ticket, and the first of these roles of one person that sees it: a mail's link opens in any."""
    for actor in map(as_asker, actors):
        if ticket := visible_tickets(actor).with_what_a_page_shows().filter(pk=ticket_id).first():
            return ticket, actor
    return None


def is_asker(ticket: Ticket, by: Actor) -> bool:
    """A visitor is known by the address mailed to them (support.links), which the view has checked."""
    if by.role == Role.VISITOR:
        return ticket.is_of_visitor
    if by.role == Role.ADMIN:
        return False
    if by.is_provider:
        return ticket.organisation_id == by.organisation_id
    return bool(by.user) and ticket.user_id == by.user.pk and ticket.organisation_id is None


def check_asker(ticket: Ticket, by: Actor) -> None:
    if not is_asker(ticket, by):
        raise NotAllowed(_("Cette demande n’est pas la vôtre."))


def check_admin(by: Actor) -> None:
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration répond aux demandes d’aide."))


def check_dossier(dossier: Any, by: Actor) -> None:
    """One asks about a dossier of one's own."""
    theirs = (
        dossier.holder_id == by.holder_id
        if by.is_holder
        else by.is_provider and dossier.provider_id == by.organisation_id
    )
    if not theirs:
        raise NotAllowed(_("Ce dossier n’est pas le vôtre."))

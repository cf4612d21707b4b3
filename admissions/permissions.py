"""Who may see and who may act. `may` for buttons, `check` raises; one predicate behind both."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Membership
from accounts.permissions import NotAllowed
from admissions.models import JoinRequest, Measure
from admissions.states import MEASURE_MOVES, MOVES, Move, Side


def own_requests(actor: Actor) -> QuerySet[JoinRequest]:
    """The requests this person wrote, whatever role they act in. Others do not exist for them: 404."""
    return JoinRequest.objects.filter(author_id=actor.user.pk if actor.user else None)


def is_author(asked: JoinRequest, actor: Actor) -> bool:
    return actor.user is not None and actor.user.pk == asked.author_id


def may(verb: str, asked: JoinRequest, actor: Actor) -> bool:
    """This actor is one of those who do this verb. Nobody decides of their own request."""
    sides = MOVES[verb].sides
    if Side.ADMIN in sides and actor.is_admin and not is_author(asked, actor):
        return True
    return Side.AUTHOR in sides and is_author(asked, actor)


def check_may(verb: str, asked: JoinRequest, actor: Actor) -> None:
    if not may(verb, asked, actor):
        raise NotAllowed(_("Cette action n’est pas la vôtre sur cette demande."))


def check_author(asked: JoinRequest, actor: Actor) -> None:
    """For what is not a move: to edit, to add a document, to throw a draft away."""
    if not is_author(asked, actor):
        raise NotAllowed(_("Cette demande n’est pas la vôtre."))


def is_manager(actor: Actor) -> bool:
    """This person answers for the organisation they act for."""
    return (
        actor.is_provider
        and actor.user is not None
        and Membership.objects.filter(
            organisation_id=actor.organisation_id, user_id=actor.user.pk, role=Membership.Role.MANAGER
        ).exists()
    )


def side_of(move: Move, actor: Actor) -> Side | None:
    """On which side this actor does such a move of a measure; None: they may not."""
    if Side.ADMIN in move.sides and actor.is_admin:
        return Side.ADMIN
    if Side.SYSTEM in move.sides and actor.is_system:
        return Side.SYSTEM
    if Side.ORGANISATION in move.sides and is_manager(actor):
        return Side.ORGANISATION
    return None


def is_of(provider_id: UUID, actor: Actor) -> bool:
    """This person belongs to that organisation, whatever role they act in now."""
    return (
        actor.user is not None
        and Membership.objects.filter(organisation_id=provider_id, user_id=actor.user.pk).exists()
    )


def check_measure(verb: str, actor: Actor, measure: Measure | None = None) -> Side:
    """The side that acts. NotAllowed: none. A measure that exists is answered by its own organisation, and
    decided by nobody who belongs to it."""
    side = side_of(MEASURE_MOVES[verb], actor)
    is_foreign = (
        side == Side.ORGANISATION and measure is not None and measure.provider_id != actor.organisation_id
    )
    if side is None or is_foreign:
        raise NotAllowed(_("Seules les personnes responsables de l’organisme ou l’administration font cela."))
    if side == Side.ADMIN and measure is not None and is_of(measure.provider_id, actor):
        raise NotAllowed(_("Vous faites partie de cet organisme : une autre personne décide."))
    return side

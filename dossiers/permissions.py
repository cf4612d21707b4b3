"""Who may see and who may act. `can` for buttons, `check` raises; one predicate behind both."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from dossiers.models import Dossier
from dossiers.states import MOVES, State


def visible_dossiers(actor: Actor) -> QuerySet[Dossier]:
    """The dossiers this actor may know of. Others do not exist for them: 404."""
    everything = Dossier.objects.all()
    if actor.is_admin or actor.is_system:
        return everything
    if actor.is_holder:
        return everything.filter(holder_id=actor.holder_id)
    if actor.is_provider:
        # A provider has the key of its organisation. A draft is nobody's business but the holder's.
        return everything.filter(provider_id=actor.organisation_id).exclude(state=State.DRAFT)
    return everything.none()


def _is_theirs(dossier: Dossier, actor: Actor) -> bool:
    if actor.role == Role.HOLDER:
        return actor.is_holder and dossier.holder_id == actor.holder_id
    if actor.role == Role.PROVIDER:
        return actor.is_provider and dossier.provider_id == actor.organisation_id
    return actor.is_admin or actor.is_system


def can(verb: str, dossier: Dossier, actor: Actor) -> bool:
    """This actor may do this verb on this dossier, in its present state."""
    return may(verb, dossier, actor) and dossier.state in MOVES[verb].sources


def may(verb: str, dossier: Dossier, actor: Actor) -> bool:
    """This actor is one of those who do this verb, whatever the dossier's state."""
    return actor.role in MOVES[verb].roles and _is_theirs(dossier, actor)


def check_may(verb: str, dossier: Dossier, actor: Actor) -> None:
    if not may(verb, dossier, actor):
        raise NotAllowed(_("Cette action n’est pas la vôtre sur ce dossier."))


def check_holder(dossier: Dossier, actor: Actor) -> None:
    """The draft's own holder, for what is not a move: edit, discard, remove from the list."""
    if actor.role != Role.HOLDER or not _is_theirs(dossier, actor):
        raise NotAllowed(_("Ce dossier n’est pas le vôtre."))


def is_party(dossier: Dossier, actor: Actor) -> bool:
    """One of the two sides of a dossier that was sent: those who write to each other."""
    return (
        actor.role in {Role.HOLDER, Role.PROVIDER}
        and dossier.state != State.DRAFT
        and _is_theirs(dossier, actor)
    )


def check_party(dossier: Dossier, actor: Actor) -> None:
    if not is_party(dossier, actor):
        raise NotAllowed(_("Ce fil n’est pas le vôtre."))


def check_controller(dossier: Dossier, actor: Actor) -> None:
    """An agent who may control a completion, and this one is not their own."""
    _check_agent(
        dossier,
        actor,
        "control_completion",
        may_not=_("Vous n’avez pas le droit de contrôler un service fait."),
        is_own=_("Personne ne contrôle son propre dossier."),
    )


def check_decides_claims(dossier: Dossier, actor: Actor) -> None:
    """An agent who may decide of a force majeure, and this one is not their own."""
    _check_agent(
        dossier,
        actor,
        "decide_claim",
        may_not=_("Vous n’avez pas le droit de décider d’une force majeure."),
        is_own=_("Personne ne décide de sa propre force majeure."),
    )


def _check_agent(dossier: Dossier, actor: Actor, permission: str, *, may_not: str, is_own: str) -> None:
    if not actor.is_admin or actor.user is None or not actor.user.has_perm(f"dossiers.{permission}"):
        raise NotAllowed(may_not)
    if dossier.holder.user == actor.user:
        raise NotAllowed(is_own)

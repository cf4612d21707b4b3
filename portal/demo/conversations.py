"""The demonstration's threads: what both sides of a dossier write, by the verbs that people use."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from accounts.actors import Actor, Role
from dossiers import messages
from dossiers.models import Dossier, Transition
from dossiers.states import State

CAMILLE, MALIK = "titulaire@exemple.invalid", "demandeur@exemple.invalid"
HOLDER, PROVIDER = Role.HOLDER, Role.PROVIDER


@dataclass(frozen=True)
class Conversation:
    """In the oldest dossier of this holder in this state: (who, what they wrote), `pause` apart.

    Who writes has read what was there; the last side that did not write has not. `reported`: what the other
    side says of the last message; `hidden`: why the portal took it away.
    """

    name: str
    holder: str
    state: State
    said: tuple[tuple[Role, str], ...]
    pause: timedelta = timedelta(minutes=25)
    reported: str = ""
    hidden: str = ""


CONVERSATIONS = [
    Conversation(
        "schedule",
        CAMILLE,
        State.ACCEPTED,
        (
            (
                HOLDER,
                "Bonjour,\nla formation commence-t-elle bien à 9 h le premier jour ? "
                "Je viens en train, et j’arrive à 8 h 40.",
            ),
            (
                PROVIDER,
                "Bonjour,\noui, à 9 h, salle 12, au deuxième étage. L’accueil ouvre à 8 h 30.\n"
                "Apportez seulement de quoi écrire : un ordinateur vous est prêté.",
            ),
            (HOLDER, "Parfait, merci beaucoup."),
            (
                PROVIDER,
                "Un détail encore : déjeunez-vous sur place ? Le repas coûte 9,50 €, à régler ce jour-là.",
            ),
        ),
    ),
    Conversation(
        "level",
        CAMILLE,
        State.REQUESTED,
        ((HOLDER, "Bonjour, faut-il déjà connaître le sujet, ou débute-t-on de zéro ?"),),
    ),
    Conversation(
        "elsewhere",
        MALIK,
        State.ACCEPTED,
        (
            (HOLDER, "Bonjour, recevrai-je une attestation à la fin ?"),
            (PROVIDER, "Oui. Et si vous payez le reste en espèces, on s’arrange sans passer par le portail."),
        ),
        reported="On me propose de payer en dehors du portail.",
        hidden="Ce message invitait à payer en dehors du portail, ce qui n’est pas permis.",
    ),
]


def load(*, at: datetime, by: Actor) -> int:
    """Write what was not written yet; `by` decides. All of it or nothing. How many threads there are."""
    with transaction.atomic():
        for told in CONVERSATIONS:
            _tell(told, at=at, by=by)
    return len(CONVERSATIONS)


def _tell(told: Conversation, *, at: datetime, by: Actor) -> None:
    dossier = (
        Dossier.objects.filter(holder__user__email=told.holder, state=told.state)
        .select_related("holder__user", "provider__organisation")
        .order_by("created_at", "number")
        .first()
    )
    if dossier is None:
        return
    named = partial(_request_id, f"{told.name}:{dossier.pk}")
    sides = {
        HOLDER: Actor(HOLDER, user=dossier.holder.user, holder=dossier.holder),
        PROVIDER: _member(dossier),
    }
    begun = Transition.objects.filter(dossier=dossier).latest("id").at
    # Young dossiers have little room between their last move and now.
    pause = min(told.pause, (at - begun) / (len(told.said) + 2))
    last = None
    for step, (role, words) in enumerate(told.said, start=1):
        last = messages.send(
            dossier.pk,
            by=sides[role],
            at=begun + step * pause,
            request_id=named(f"said-{step}"),
            words=words,
            seen_until=last.pk if last else 0,
        )
    if last is None or not told.reported:
        return
    reported = messages.report(
        last.pk,
        by=sides[messages.OTHER_SIDE[Role(last.role)]],
        at=last.at + pause / 2,
        request_id=named("report"),
        motive="elsewhere",
        words=told.reported,
    )
    if told.hidden:
        messages.hide(reported.pk, by=by, at=last.at + pause, request_id=named("hide"), reason=told.hidden)


def _member(dossier: Dossier) -> Actor:
    """Whoever signs in for this organisation."""
    organisation = dossier.provider.organisation
    membership = organisation.memberships.select_related("user").order_by("pk")[0]
    return Actor(PROVIDER, user=membership.user, organisation=organisation)


def _request_id(name: str, step: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo-conversation:{name}:{step}")

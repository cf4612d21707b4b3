"""The first steps of a holder, in eight steps: each is done, to do now, or for later.

Computed from facts, never ticked by us. Two facts only their holder knows (they looked at their balance,
they read about the employment obligation): the click that takes them there says it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from dossiers.models import CalendarFeed, Dossier, FirstSteps
from dossiers.states import State
from rulebook import workdays

DONE, NOW, LATER = "done", "now", "later"
# What only a click can tell: the step, where it is kept, and where the click leads.
SEEN = {"droits": ("rights_seen_at", "rights"), "obligation-emploi": ("obligation_seen_at", "profile")}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `url`: where its one action leads; `code` instead when the click itself is the fact."""

    title: str
    text: str
    label: str
    is_done: bool
    url: str = ""
    code: str = ""
    state: str = LATER


@dataclass(frozen=True, slots=True)
class FirstStepsShown:
    """The checklist of a holder. `is_shown`: neither finished nor put away."""

    steps: list[Step]
    is_put_away: bool

    @property
    def done(self) -> int:
        return sum(step.state == DONE for step in self.steps)

    @property
    def is_finished(self) -> bool:
        return self.done == len(self.steps)

    @property
    def is_shown(self) -> bool:
        return not (self.is_finished or self.is_put_away)

    @property
    def now(self) -> Step | None:
        return next((step for step in self.steps if step.state == NOW), None)


def of(actor: Actor, *, at: datetime) -> FirstStepsShown:
    """Where this holder stands. One query."""
    facts = _facts(actor.holder_id, at=at)
    steps = _steps(actor.holder, facts)
    current = next((step for step in steps if not step.is_done), None)
    shown = [
        replace(step, state=DONE if step.is_done else NOW if step is current else LATER) for step in steps
    ]
    return FirstStepsShown(steps=shown, is_put_away=facts["first_steps__put_away_at"] is not None)


def mark_seen(code: str, *, by: Actor, at: datetime) -> str:
    """Its holder went to look: keep the first moment. Returns the name of the page it leads to.

    NotAllowed: no training account. LookupError: no such step.
    """
    field, page = SEEN[code]
    steps = _own(by)
    if getattr(steps, field) is None:
        setattr(steps, field, at)
        steps.save(update_fields=[field])
    return page


def put_away(*, by: Actor, at: datetime) -> None:
    steps = _own(by)
    steps.put_away_at = at
    steps.save(update_fields=["put_away_at"])


def bring_back(*, by: Actor) -> None:
    steps = _own(by)
    steps.put_away_at = None
    steps.save(update_fields=["put_away_at"])


def _own(by: Actor) -> FirstSteps:
    if not by.is_holder:
        raise NotAllowed(_("Activez d’abord votre compte de formation."))
    return FirstSteps.objects.get_or_create(holder_id=by.holder_id)[0]


def _facts(holder_id: UUID | None, *, at: datetime) -> dict:
    mine = Dossier.objects.filter(holder=OuterRef("pk"))
    enrolled = mine.filter(Q(free_until__isnull=False) | Q(state=State.AWAITING_PAYMENT))
    feeds = CalendarFeed.objects.filter(user=OuterRef("user"), organisation__isnull=True)
    return (
        HolderProfile.objects.filter(pk=holder_id)
        .annotate(
            has_dossier=Exists(mine),
            has_sent=Exists(mine.exclude(state=State.DRAFT)),
            has_enrolled=Exists(enrolled.filter(free_until__isnull=False)),
            follows=Exists(feeds)
            | Exists(mine.filter(free_until__isnull=False, starts_on__lte=workdays.paris_day(at))),
        )
        .values(
            "has_dossier",
            "has_sent",
            "has_enrolled",
            "follows",
            "first_steps__rights_seen_at",
            "first_steps__obligation_seen_at",
            "first_steps__put_away_at",
        )
        .get()
    )


def _steps(holder: HolderProfile, facts: dict) -> list[Step]:
    search = reverse("search") + (f"?{urlencode({'town': holder.town})}" if holder.town else "")
    return [
        Step(
            title=_("Activer mon compte"),
            text=_("C’est fait : vos droits sont à vous, et à vous seul."),
            label=_("Voir mon profil"),
            url=reverse("profile"),
            is_done=True,
        ),
        Step(
            title=_("Compléter mon profil"),
            text=_("Votre téléphone aide l’organisme à vous joindre. Votre diplôme peut changer vos droits."),
            label=_("Compléter mon profil"),
            url=reverse("profile"),
            is_done=bool(holder.diploma and (holder.phone or holder.postal_code)),
        ),
        Step(
            title=_("Handicap : savoir ce qui change"),
            text=_(
                "Vous avez une reconnaissance de travailleur handicapé, ou une autre situation de "
                "l’obligation d’emploi ? Vos droits annuels peuvent être majorés. Cette déclaration n’est "
                "pas encore reçue sur ce portail ; votre situation, elle, se corrige dans votre profil."
            ),
            label=_("J’ai lu, voir mon profil"),
            code="obligation-emploi",
            is_done=facts["first_steps__obligation_seen_at"] is not None,
        ),
        Step(
            title=_("Regarder mon solde"),
            text=_("Chaque somme dit d’où elle vient. Vos droits n’expirent pas."),
            label=_("Voir mes droits"),
            code="droits",
            # The page of a dossier that was sent showed how it would be paid.
            is_done=facts["first_steps__rights_seen_at"] is not None or facts["has_sent"],
        ),
        Step(
            title=_("Chercher une formation"),
            text=_("Par métier, par diplôme ou par commune. Prenez votre temps."),
            label=_("Chercher une formation"),
            url=search,
            is_done=facts["has_dossier"],
        ),
        Step(
            title=_("Envoyer une demande d’inscription"),
            text=_("L’organisme répond dans un délai court. Rien n’est débité à ce moment."),
            label=_("Ouvrir mes dossiers") if facts["has_dossier"] else _("Choisir une formation"),
            url=reverse("dossiers") if facts["has_dossier"] else search,
            is_done=facts["has_sent"],
        ),
        Step(
            title=_("Valider et payer"),
            text=_(
                "Vous validez la proposition. Vos droits paient, et vous réglez ce qui reste s’il y a lieu."
            ),
            label=_("Ouvrir mes dossiers"),
            url=reverse("dossiers"),
            is_done=facts["has_enrolled"],
        ),
        Step(
            title=_("Suivre ma formation"),
            text=_("Mettez les dates et les délais dans votre agenda : ils se tiennent à jour seuls."),
            label=_("Ouvrir mon agenda"),
            url=reverse("calendar"),
            is_done=facts["has_enrolled"] and facts["follows"],
        ),
    ]

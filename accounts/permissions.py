"""Who may: roles needed by pages, who may enrol today, who decides for an organisation."""

import datetime
from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.shortcuts import render
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor, Role
from accounts.models import HolderProfile, Membership
from rulebook import Rules, workdays
from ui import french


class NotAllowed(PermissionDenied):
    """This person may not do this; `message` says why and what they can do instead, in French."""

    def __init__(self, message: str):
        self.message = str(message)
        super().__init__(self.message)


def check_can_enrol(holder: HolderProfile, *, at: datetime.datetime) -> None:
    """NotAllowed: they cannot enrol at this moment. Reads the rulebook of that day, in Paris."""
    day = workdays.paris_day(at)
    obstacle = enrolment_obstacle(holder, on=day, rules=rulebook.on(day))
    if obstacle:
        raise NotAllowed(obstacle)


def enrolment_obstacle(holder: HolderProfile, *, on: datetime.date, rules: Rules) -> str | None:
    """Why this person cannot enrol on this day and what they can do instead; None when they can. Pure."""
    if holder.is_frozen(on=on):
        return freeze_in_words(holder)
    if holder.status in rules.enrolment_closed_statuses:
        return _closed(holder, by_employer=holder.status in rules.enrolment_by_employer_statuses)
    is_apprentice = holder.has_apprenticeship or holder.status == HolderProfile.Status.APPRENTICE
    min_age = rules.enrolment_min_age_apprentice if is_apprentice else rules.enrolment_min_age
    if on >= birthday(holder.birth_date, min_age):
        return None
    until = french.day(birthday(holder.birth_date, min_age))
    if is_apprentice:
        return _("Il faut avoir {age} ans pour s’inscrire. Vous pourrez le faire à partir du {day}.").format(
            age=min_age, day=until
        )
    return _(
        "Il faut avoir {age} ans pour s’inscrire, ou {younger} ans avec un contrat d’apprentissage. "
        "Vous pourrez le faire à partir du {day}. Si vous avez un contrat d’apprentissage, "
        "indiquez-le dans « Mon profil »."
    ).format(age=min_age, younger=rules.enrolment_min_age_apprentice, day=until)


def freeze_in_words(holder: HolderProfile) -> str:
    """Why a frozen account engages in nothing, and what to do."""
    if holder.is_frozen_by_portal:
        return _("Le portail a gelé votre compte : aucune inscription n’est possible. Écrivez-nous.")
    if holder.thaws_on:
        return _("Votre compte est gelé jusqu’au {day}. Après, vous pourrez vous inscrire.").format(
            day=frozen_until(holder)
        )
    return _("Votre compte est gelé : aucune inscription n’est possible. Dégelez-le dans « Mon compte ».")


def frozen_until(holder: HolderProfile) -> str:
    """« mercredi 25 novembre 2026 à minuit »; "" while no thaw was asked."""
    if holder.thaws_on is None:
        return ""
    return french.last_minute(workdays.midnight_after(holder.thaws_on - datetime.timedelta(days=1)))


def _closed(holder: HolderProfile, *, by_employer: bool) -> str:
    """What to do in a status that the rulebook closes."""
    if holder.status == HolderProfile.Status.PUBLIC_AGENT:
        words = _("Vous êtes agent public : vos droits se comptent en heures et ne s’utilisent pas ici.")
    elif holder.status == HolderProfile.Status.RETIRED_FULL_RATE:
        words = _("Vous êtes retraité à taux plein : vos droits ne peuvent plus financer de formation.")
    else:
        words = _("Votre situation professionnelle ne permet pas de s’inscrire ici : « {status} ».").format(
            status=holder.get_status_display()
        )
    way = _("Adressez votre demande de formation à votre employeur.") if by_employer else ""
    correct = _("Si votre situation a changé, corrigez-la dans « Mon profil ».")
    return " ".join(part for part in (words, way, correct) if part)


def birthday(birth_date: datetime.date, age: int) -> datetime.date:
    """The first day this person is that old; born on 29 February, 1 March of a common year."""
    year = birth_date.year + age
    try:
        return birth_date.replace(year=year)
    except ValueError:
        return datetime.date(year, 3, 1)


# --- Organisations --------------------------------------------------------------------------------
def is_manager(actor: Actor) -> bool:
    """Decides for the organisation they act for: its team, its details, undoing an import. One query."""
    return (
        actor.is_provider
        and Membership.objects.filter(
            user=actor.user, organisation_id=actor.organisation_id, role=Membership.Role.MANAGER
        ).exists()
    )


def check_manager(actor: Actor) -> None:
    """NotAllowed: not a manager of the organisation they act for. Verbs ask again, whatever a page showed."""
    if not is_manager(actor):
        raise NotAllowed(
            _("Seul un responsable de l’organisation peut le faire. Ils sont nommés dans « Mon équipe ».")
        )


# --- Pages ----------------------------------------------------------------------------------------
def _needs(role: Role, has_it: Callable) -> Callable:
    """A decorator: another role gets a 403 page that names the role needed and offers it to who has it."""

    def decorate(view):
        @wraps(view)
        def guarded(request, *args, **kwargs):
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if has_it(request.actor):
                return view(request, *args, **kwargs)
            context = {
                "needed": role,
                "offers": [actor for actor in request.roles if actor.role == role and has_it(actor)],
                "can_activate": role == Role.HOLDER and all(actor.holder is None for actor in request.roles),
                "next": request.get_full_path() if request.method == "GET" else "",
            }
            return render(request, "accounts/role_needed.html", context, status=403)

        return guarded

    return decorate


holder_required = _needs(Role.HOLDER, lambda actor: actor.is_holder)
provider_required = _needs(Role.PROVIDER, lambda actor: actor.is_provider)

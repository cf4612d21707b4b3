"""What every page says of the account that acts, under its header (templates/base.html)."""

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from accounts.permissions import frozen_until
from rulebook import workdays


def safety(request):
    """`banner`: {"tone", "text", "url", "label"} while the account that acts is frozen; None otherwise.

    Read only by a page that shows it, which knows who acts anyway.
    """
    return {"banner": SimpleLazyObject(lambda: _banner(request))}


def _banner(request) -> dict[str, str] | None:
    actor = getattr(request, "actor", None)
    if actor is None or not actor.is_holder:
        return None
    holder = actor.holder
    if not holder.is_frozen(on=workdays.paris_day(timezone.now())):
        return None
    if holder.is_frozen_by_portal:
        text = _("Le portail a gelé votre compte. Raison donnée : {reason}").format(
            reason=holder.freeze_reason
        )
    elif holder.thaws_on:
        text = _("Votre compte reste gelé jusqu’au {day}. Ce n’est pas vous ? Gardez-le gelé.").format(
            day=frozen_until(holder)
        )
    else:
        text = _(
            "Votre compte est gelé : rien ne peut être engagé en votre nom. Vos délais courent toujours."
        )
    account = reverse("account")
    return {
        "tone": "warning",
        "text": text,
        # The page that explains it does not send to itself.
        "url": "" if request.path == account else f"{account}#gel",
        "label": _("Voir mon compte"),
    }

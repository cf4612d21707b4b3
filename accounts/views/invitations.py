"""An invitation to act for an organisation, as the person who received it sees it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import teams
from accounts.actors import Role
from accounts.middleware import ACTING_AS
from accounts.models import Invitation
from ui.refusals import Refused


@never_cache
@login_not_required
@require_safe
def invitation(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """Who invites, to do what; to accept, one signs in with the invited address."""
    return _answer(request, _find(invitation_id))


@require_POST
def invitation_accept(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    found = _find(invitation_id)
    try:
        membership = teams.accept(found.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _answer(request, found, error=refusal.message, status=422)
    request.session[ACTING_AS] = f"{Role.PROVIDER}:{membership.organisation_id}"
    messages.success(
        request,
        _("Vous agissez maintenant pour {organisation}.").format(organisation=found.organisation),
    )
    return redirect("home")


def _find(invitation_id: UUID) -> Invitation:
    return get_object_or_404(
        Invitation.objects.select_related("organisation", "invited_by"), pk=invitation_id
    )


def _answer(request: HttpRequest, found: Invitation, *, error: str = "", status: int = 200) -> HttpResponse:
    """Once it is over, or to somebody else, the page says nothing of whom it was for."""
    is_open, obstacle = found.is_open(at=timezone.now()), ""
    if is_open and request.user.is_authenticated:
        try:
            teams.check_addressed(found, request.user)
        except Refused as refusal:
            obstacle = refusal.message
    context = {"invitation": found, "is_open": is_open, "obstacle": obstacle, "error": error}
    return render(request, "accounts/invitation.html", context, status=status)

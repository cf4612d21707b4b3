"""« Équipe » and « Coordonnées » of an organisation, for the people who act for it."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import screen, teams
from accounts.forms import InvitationForm, OrganisationForm, RoleForm
from accounts.models import Invitation, Membership, Organisation
from accounts.permissions import check_manager, is_manager, provider_required
from ui.refusals import Refused, error_above


@provider_required
@require_safe
def provider_team(request: HttpRequest) -> HttpResponse:
    return _team(request)


@provider_required
@require_POST
def provider_team_invite(request: HttpRequest) -> HttpResponse:
    check_manager(request.actor)
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _team(request, form=form, status=422)
    try:
        invitation = teams.invite(
            request.actor.organisation_id, by=request.actor, at=timezone.now(), **form.cleaned_data
        )
    except Refused as refusal:
        return _team(request, form=form, error=error_above(refusal, [form]), status=422)
    messages.success(request, _("L’invitation est partie à {email}.").format(email=invitation.email))
    return redirect("provider_team")


@provider_required
@require_POST
def provider_invitation_resend(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    invitation = _visible_invitation(request, invitation_id)
    try:
        teams.resend(invitation.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _team(request, error=refusal.message, status=422)
    messages.success(request, _("L’invitation est repartie à {email}.").format(email=invitation.email))
    return redirect("provider_team")


@provider_required
@require_POST
def provider_invitation_revoke(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    invitation = _visible_invitation(request, invitation_id)
    try:
        teams.revoke(invitation.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _team(request, error=refusal.message, status=422)
    messages.success(request, _("L’invitation est retirée : son lien n’ouvre plus rien."))
    return redirect("provider_team")


@provider_required
@require_safe
def provider_member(request: HttpRequest, membership_id: int) -> HttpResponse:
    """One person of the team: their role, and leaving or removing."""
    return _member(request, _visible_membership(request, membership_id))


@provider_required
@require_POST
def provider_member_role(request: HttpRequest, membership_id: int) -> HttpResponse:
    membership = _visible_membership(request, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _member(request, membership, form=form, status=422)
    try:
        changed = teams.change_role(membership.pk, by=request.actor, at=timezone.now(), **form.cleaned_data)
    except Refused as refusal:
        return _member(request, membership, form=form, error=refusal.message, status=422)
    messages.success(
        request,
        _("Rôle de {person} : {role}.").format(person=changed.user, role=changed.get_role_display()),
    )
    return redirect("provider_team")


@provider_required
@require_POST
def provider_member_remove(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Remove somebody; of oneself, leave."""
    membership = _visible_membership(request, membership_id)
    is_self = membership.user_id == request.user.pk
    try:
        teams.remove(membership.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _member(request, membership, error=refusal.message, status=422)
    if is_self:
        messages.success(
            request, _("Vous avez quitté {organisation}.").format(organisation=membership.organisation)
        )
        return redirect("home")
    messages.success(request, _("{person} ne fait plus partie de l’équipe.").format(person=membership.user))
    return redirect("provider_team")


@provider_required
@require_http_methods(["GET", "HEAD", "POST"])
def provider_organisation(request: HttpRequest) -> HttpResponse:
    """How the organisation is reached; what is not theirs to change is shown and explained."""
    organisation = get_object_or_404(Organisation, pk=request.actor.organisation_id)
    may_change, status = is_manager(request.actor), 200
    form = OrganisationForm(request.POST or None, instance=organisation)
    if request.method == "POST":
        check_manager(request.actor)
        status = 422
        if form.is_valid():
            changed = teams.change_details(
                organisation.pk, by=request.actor, at=timezone.now(), **form.cleaned_data
            )
            if changed:
                messages.success(request, _("Les coordonnées sont à jour."))
            else:
                messages.info(request, _("Vous n’avez rien changé."))
            return redirect("provider_organisation")
    context = {
        "form": form,
        "organisation": Organisation.objects.get(pk=organisation.pk),
        "may_change": may_change,
        "contact_email": settings.PORTAL_CONTACT_EMAIL,
    }
    return render(request, "accounts/provider/organisation.html", context, status=status)


def _team(request, *, form: InvitationForm | None = None, error: str = "", status: int = 200) -> HttpResponse:
    team = screen.team_page(request.actor.organisation, user=request.user)
    context = {
        "team": team,
        "form": form or InvitationForm(),
        "error": error,
        "at": timezone.now(),
        "contact_email": settings.PORTAL_CONTACT_EMAIL,
    }
    return render(request, "accounts/provider/team.html", context, status=status)


def _member(
    request, membership: Membership, *, form: RoleForm | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    team = screen.team_page(membership.organisation, user=request.user)
    member = next((one for one in team.members if one.membership.pk == membership.pk), None)
    if member is None:  # removed meanwhile: the page would be about nobody
        messages.error(request, error or _("Cette personne ne fait plus partie de l’équipe."))
        return redirect("provider_team")
    context = {
        "team": team,
        "member": member,
        "form": form or RoleForm(initial={"role": member.membership.role}),
        "error": error,
    }
    return render(request, "accounts/provider/member.html", context, status=status)


def _visible_membership(request: HttpRequest, membership_id: int) -> Membership:
    team = Membership.objects.filter(organisation_id=request.actor.organisation_id)
    return get_object_or_404(team.select_related("user", "organisation"), pk=membership_id)


def _visible_invitation(request: HttpRequest, invitation_id: UUID) -> Invitation:
    """Addresses of people who are not of the team: its managers', nobody else's."""
    check_manager(request.actor)
    return get_object_or_404(Invitation, pk=invitation_id, organisation_id=request.actor.organisation_id)

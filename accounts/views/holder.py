"""Pages of the holder of an activated account."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

import rulebook
from accounts import nir, profiles
from accounts.forms import ProfileForm
from accounts.models import HolderProfile
from accounts.permissions import enrolment_obstacle, holder_required
from rulebook import workdays
from ui.refusals import Refused


@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """See one's identity, change contact, situation and diploma."""
    at = timezone.now()
    today = workdays.paris_day(at)
    holder = get_object_or_404(HolderProfile, pk=request.actor.holder_id)
    # Before the form, which writes what was typed on the account it shows.
    obstacle = enrolment_obstacle(holder, on=today, rules=rulebook.on(today))
    is_frozen = holder.is_frozen(on=today)
    form = ProfileForm(request.POST or None, instance=holder, on=today)
    if is_frozen and request.method != "POST":
        for field in form.fields.values():
            field.disabled = True
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                changed = profiles.change(holder.pk, by=request.actor, at=at, values=form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, refusal.message)
            else:
                if changed:
                    messages.success(request, _("Votre profil est à jour."))
                else:
                    messages.info(request, _("Vous n’avez rien changé."))
                return redirect("profile")
    context = {
        "form": form,
        "holder": holder,
        "nir": nir.masked(holder.nir_encrypted),
        # Of a freeze the banner speaks, on every page.
        "obstacle": "" if is_frozen else obstacle,
        "is_frozen": is_frozen,
        "contact_email": settings.PORTAL_CONTACT_EMAIL,
    }
    return render(request, "accounts/holder/profile.html", context, status=status)

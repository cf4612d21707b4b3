"""« Mon compte »: what anyone who is signed in sees and does of their own access, whatever their role."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import freezing, journal, profiles, screen, sessions
from accounts.forms import ReauthenticateForm
from accounts.models import HolderProfile, User
from accounts.permissions import frozen_until, holder_required
from rulebook import workdays
from ui.refusals import Refused


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    page = screen.account_page(request.user, at=timezone.now(), session_key=request.session.session_key)
    context = {"page": page, "languages": _languages(), "contact_email": settings.PORTAL_CONTACT_EMAIL}
    return render(request, "accounts/account.html", context)


def _languages() -> list[tuple[str, str]]:
    """Those the portal speaks; nothing to choose from one."""
    return [(code, name) for code, name in settings.LANGUAGES if code in User.Language.values]


# --- « Ce n'était pas moi » -----------------------------------------------------------------------------
@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_alert(request: HttpRequest) -> HttpResponse:
    """What to do, in order. Mails lead here, and it asks for no password: a visitor is told the way in."""
    if request.method == "POST":
        if not request.user.is_authenticated:
            return redirect_to_login(reverse("account_alert"))
        _end_others(request)
        return redirect("account_alert")
    context = {"contact_email": settings.PORTAL_CONTACT_EMAIL, "others": 0}
    if request.user.is_authenticated:
        others = sessions.open_sessions(request.user, at=timezone.now())
        context["others"] = others.exclude(session_key=request.session.session_key).count()
    return render(request, "accounts/alert.html", context)


@require_POST
def account_sessions_end(request: HttpRequest) -> HttpResponse:
    _end_others(request)
    return redirect("account")


def _end_others(request: HttpRequest) -> None:
    ended = sessions.end_others(request.user, keep=request.session.session_key)
    if not ended:
        messages.info(request, _("Aucune autre connexion n’était ouverte."))
        return
    journal.record(
        by=request.actor,
        action="sessions_ended",
        subject=request.user,
        at=timezone.now(),
        details={"count": ended},
    )
    words = ngettext("%d autre connexion est fermée.", "%d autres connexions sont fermées.", ended)
    messages.success(request, words % ended)


# --- Freezing ---------------------------------------------------------------------------------------------
@never_cache
@sensitive_post_parameters("password")
@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_freeze(request: HttpRequest) -> HttpResponse:
    """What freezing stops and what goes on, then one click with the password."""
    form = ReauthenticateForm(request.POST or None, user=request.user)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            freezing.freeze(request.actor.holder_id, by=request.actor, at=timezone.now())
            sessions.end_others(request.user, keep=request.session.session_key)
            messages.success(request, _("Votre compte est gelé. Rien ne peut être engagé en votre nom."))
            return redirect("account")
        status = 422
    holder = HolderProfile.objects.get(pk=request.actor.holder_id)
    is_frozen = holder.is_frozen(on=workdays.paris_day(timezone.now()))
    context = {"form": form, "is_frozen": is_frozen}
    return render(request, "accounts/holder/freeze.html", context, status=status)


@never_cache
@sensitive_post_parameters("password")
@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_thaw(request: HttpRequest) -> HttpResponse:
    """From when the account would serve again, then one click with the password."""
    at = timezone.now()
    form = ReauthenticateForm(request.POST or None, user=request.user)
    status, error = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                holder = freezing.ask_thaw(request.actor.holder_id, by=request.actor, at=at)
            except Refused as refusal:
                error = refusal.message
            else:
                messages.success(
                    request,
                    _("Votre compte reste gelé jusqu’au {day}, puis il sert de nouveau.").format(
                        day=frozen_until(holder)
                    ),
                )
                return redirect("account")
    context = {
        "form": form,
        "error": error,
        "until": freezing.next_thaw(at=at),
        "contact_email": settings.PORTAL_CONTACT_EMAIL,
    }
    return render(request, "accounts/holder/thaw.html", context, status=status)


@holder_required
@require_POST
def account_keep_frozen(request: HttpRequest) -> HttpResponse:
    """Call off a thaw that was asked. Without password: it only protects."""
    holder = HolderProfile.objects.get(pk=request.actor.holder_id)
    if holder.is_frozen(on=workdays.paris_day(timezone.now())):
        freezing.freeze(holder.pk, by=request.actor, at=timezone.now())
        messages.success(request, _("Votre compte reste gelé, jusqu’à ce que vous demandiez le dégel."))
    else:
        messages.info(request, _("Votre compte n’est plus gelé. Vous pouvez le geler de nouveau."))
    return redirect("account")


# --- Language ---------------------------------------------------------------------------------------------
@csrf_exempt
@login_not_required
def set_language(request: HttpRequest) -> HttpResponse:
    """Django's own, and the mails of whoever is signed in follow.

    A visitor's form carries no secret: a public page is the same for all of them (ui.caches), and a language
    is all that another site could change. Whoever is signed in is asked for it.
    """
    if request.user.is_authenticated:
        return _set_own_language(request)
    return i18n.set_language(request)


@csrf_protect
def _set_own_language(request: HttpRequest) -> HttpResponse:
    response = i18n.set_language(request)
    chosen = request.POST.get("language", "")
    if request.method == "POST" and chosen in dict(settings.LANGUAGES):
        profiles.choose_language(request.user, chosen)
    return response

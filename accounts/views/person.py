"""Pages of anyone who is signed in, whatever their role."""

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.activation import ActivationFailed, TooManyAttempts, activate
from accounts.actors import Role
from accounts.forms import ActivationForm
from accounts.middleware import ACTING_AS
from rulebook import workdays
from ui import french


@never_cache
@sensitive_post_parameters("nir")
@require_http_methods(["GET", "HEAD", "POST"])
def activation(request: HttpRequest) -> HttpResponse:
    """Prove to be the holder of an account that waits."""
    if any(actor.is_holder for actor in request.roles):
        messages.info(request, _("Votre compte de formation est déjà activé."))
        return redirect("profile")
    at = timezone.now()
    form = ActivationForm(request.POST or None, on=workdays.paris_day(at))
    has_failed, status = False, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                # Per connection, whoever is signed in (ACCOUNT_RATE_LIMITS): many logins, one guesser.
                if not ratelimit.consume(request, action="activation"):
                    raise TooManyAttempts
                activate(by=request.actor, at=at, identity=form.identity())
            except ActivationFailed as failure:
                form.add_error(None, failure.message)
                has_failed = True
            except TooManyAttempts as refusal:
                form.add_error(None, _too_many(refusal))
                status = 429
            else:
                request.session[ACTING_AS] = str(Role.HOLDER)
                messages.success(request, _("Votre compte est activé. Voici vos droits."))
                return redirect("rights")
    context = {"form": form, "has_failed": has_failed, "contact_email": settings.PORTAL_CONTACT_EMAIL}
    return render(request, "accounts/activation.html", context, status=status)


def _too_many(refusal: TooManyAttempts) -> str:
    if refusal.until is None:
        return _("Trop d’essais depuis cette connexion internet. Essayez de nouveau dans une heure.")
    return _("Trop d’essais. Vous pourrez essayer de nouveau {moment}.").format(
        moment=french.moment(refusal.until)
    )


@require_POST
def switch_role(request: HttpRequest) -> HttpResponse:
    """Act in another of one's own roles."""
    wanted = request.POST.get("role", "")
    actor = next((actor for actor in request.roles if actor.key == wanted), None)
    if actor is None:
        raise Http404
    request.session[ACTING_AS] = actor.key
    messages.success(request, _("Vous agissez maintenant comme : {role}.").format(role=actor.label))
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(back)  # as it is: redirect() would look for a page of that name
    return redirect("home")

"""« Mes envies »: what gives the first page its ideas. Asked once, optional, taken back with one click."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import holder_required
from catalog import wishes as verbs
from catalog.forms import WishForm


@holder_required
@require_http_methods(["GET", "HEAD", "POST"])
def wishes(request: HttpRequest) -> HttpResponse:
    said = verbs.of(request.user)
    if request.method == "POST":
        form = WishForm(request.POST)
        if form.is_valid():
            verbs.write(request.user, at=timezone.now(), **form.values)
            messages.success(request, _("C’est noté. Vos idées de formation en tiennent compte."))
            return redirect("home")
    else:
        form = WishForm.of(said, home=None if said else verbs.home_town(request.actor.holder))
    context = {"form": form, "is_said": said is not None, "breadcrumbs": [(_("Mes envies"), None)]}
    return render(request, "catalog/public/wishes.html", context, status=422 if form.errors else 200)


@holder_required
@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    verbs.forget(request.user)
    messages.success(request, _("Vos envies sont effacées. Il n’en reste rien."))
    return redirect("home")

"""The portal's addresses, and those where the pages of trouble can be looked at without the trouble."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from catalog.views.limits import in_time
from portal import pages
from portal import urls as portal
from portal.middleware import unavailable
from ui.patience import TooLong


@login_not_required
def broken(request):
    raise ZeroDivisionError("looked at on purpose")


@login_not_required
def too_many(request):
    return render(request, "429.html", status=429)


@login_not_required
def away(request):
    return unavailable()


@login_not_required
@in_time
def stopped(request):
    raise TooLong


@login_not_required
def closed(request):
    return HttpResponse(render(None, "503.html").content, status=503)


@login_not_required
def not_understood(request):
    return pages.bad_request(request)


urlpatterns = [
    *portal.urlpatterns,
    path("scene/panne", broken, name="scene_broken"),
    path("scene/trop-de-demandes", too_many, name="scene_too_many"),
    path("scene/recherche-trop-longue", stopped, name="scene_search_stopped"),
    path("scene/base-absente", away, name="scene_away"),
    path("scene/entretien", closed, name="scene_closed"),
    path("scene/incomprise", not_understood, name="scene_not_understood"),
]

handler400 = portal.handler400
handler403 = portal.handler403
handler404 = portal.handler404
handler500 = portal.handler500

"""« Télécharger mes données »: a copy of everything, for the person it is about and nobody else."""

import json

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import journal
from accounts.forms import ReauthenticateForm
from portal import exports
from rulebook import workdays


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def my_data(request: HttpRequest) -> HttpResponse:
    """What the file holds, then the file, for who types the password: an open computer gives nothing away."""
    form = ReauthenticateForm(request.POST or None, user=request.user)
    if request.method != "POST":
        return render(request, "accounts/my_data.html", {"form": form})
    if not form.is_valid():
        return render(request, "accounts/my_data.html", {"form": form}, status=422)
    at = timezone.now()
    journal.record(by=request.actor, action="data_exported", subject=request.user, at=at)
    facts = exports.everything_of(request.user, at=at)
    return HttpResponse(
        json.dumps(facts, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2),
        content_type="application/json; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="mes-donnees-{workdays.paris_day(at)}.json"',
            "X-Content-Type-Options": "nosniff",
        },
    )

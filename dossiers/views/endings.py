"""« Certifications qui s’arrêtent »: what ends, when, what happens to whom, and the button."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import rulebook
from accounts.permissions import provider_required
from catalog import endings as certifications
from dossiers import endings
from dossiers.endings import OpenDossiers
from rulebook import workdays


@provider_required
@require_safe
def provider_endings(request: HttpRequest) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    found = certifications.of_organisation(request.actor.organisation, on=today, rules=rules)
    dossiers = endings.open_dossiers(request.actor, [each.code for each in found])
    rows = [(each, dossiers.get(each.code, OpenDossiers())) for each in found]
    context = {
        "coming": [row for row in rows if not row[0].has_ended],
        "ended": [row for row in rows if row[0].has_ended],
        "months": sorted(rules.certification_warning_months, reverse=True),
        "breadcrumbs": [
            (_("Mes offres"), reverse("provider_offers")),
            (_("Certifications qui s’arrêtent"), None),
        ],
    }
    return render(request, "dossiers/provider/endings.html", context)

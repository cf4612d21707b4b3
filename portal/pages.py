"""Pages that belong to no subject: home, legal pages, errors."""

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import rulebook
from portal import desk
from portal import home as holder_home
from rulebook import workdays
from support.answers import days_in_words
from ui.caches import kept

# The versions of the terms of use that were ever accepted here: a file each.
TERMS = {page.stem for page in (settings.BASE_DIR / "templates" / "portal" / "terms").glob("*.html")}


@require_safe
@login_not_required
@kept(seconds=300)
def home(request):
    """A visitor finds the search; a person who signed in finds what waits for them, in their role."""
    at = timezone.now()
    if not request.user.is_authenticated:
        rules = rulebook.on(workdays.paris_day(at))
        facts = {name: days_in_words(rules.term(name)) for name in ("provider_answer", "withdrawal")}
        return render(request, "portal/home.html", {"facts": facts})
    actor = request.actor
    if actor.is_admin:
        return redirect("admin:index")
    if actor.is_holder:
        return render(request, "portal/holder_home.html", holder_home.of_holder(request, at=at))
    if not actor.is_provider:
        return render(request, "portal/home_without_account.html", {"asks_nir": settings.NIR_AT_ACTIVATION})
    return render(request, "portal/provider_home.html", desk.of_provider(actor, at=at))


@require_safe
@login_not_required
def accessibility(request):
    return render(request, "portal/accessibility.html", {"contact_email": settings.PORTAL_CONTACT_EMAIL})


@require_safe
@login_not_required
def legal_notice(request):
    context = {"contact_email": settings.PORTAL_CONTACT_EMAIL, "publisher": settings.PORTAL_PUBLISHER}
    return render(request, "portal/legal_notice.html", context)


@require_safe
@login_not_required
def terms(request, version: str = ""):
    """What is accepted with a request, in the version of today or in the one that a dossier keeps."""
    version = version or rulebook.on(workdays.paris_day(timezone.now())).terms_version
    if version not in TERMS:
        raise Http404
    return render(request, f"portal/terms/{version}.html")


@require_safe
@login_not_required
def personal_data(request):
    context = {"contact_email": settings.PORTAL_CONTACT_EMAIL, "publisher": settings.PORTAL_PUBLISHER}
    return render(request, "portal/personal_data.html", context)


@require_safe
@login_not_required
def robots(request):
    """Public pages may be found; what belongs to people is not for search engines."""
    context = {"sitemaps": settings.PORTAL_BASE_URL.rstrip("/") + reverse("sitemaps")}
    return render(request, "portal/robots.txt", context, content_type="text/plain; charset=utf-8")


@require_safe
@login_not_required
def manifest(request):
    """What a phone needs to put the portal on its home screen. No page is kept there: all are private."""
    icons = [
        {
            "src": static(f"img/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]
    content = {
        "id": "/",
        "name": _("Portail formation"),
        "short_name": _("Formation"),
        "description": _(
            "Vos droits à la formation, les formations qui y donnent accès, et vos inscriptions."
        ),
        "lang": get_language(),
        "start_url": reverse("home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#F7F5F0",
        "theme_color": "#0B5D5E",
        "icons": icons,
        "shortcuts": [
            {"name": _("Rechercher une formation"), "url": reverse("search")},
            {"name": _("Mes dossiers"), "url": reverse("dossiers")},
            {"name": _("Mes droits"), "url": reverse("rights")},
        ],
    }
    return JsonResponse(
        content, content_type="application/manifest+json", json_dumps_params={"ensure_ascii": False}
    )


# --- Errors: each says what happened, then what to do ----------------------------------------------
@login_not_required
def bad_request(request, exception=None):
    """400, a wrong host name included: nothing of the request is trusted, so nothing of it is shown."""
    return render(None, "400.html", status=400)


@login_not_required
def forbidden(request, exception=None):
    return render(request, "403.html", {"reason": getattr(exception, "message", "")}, status=403)


@login_not_required
def not_found(request, exception=None):
    return render(request, "404.html", status=404)


@login_not_required
def server_error(request):
    """500: without request, query or translation, which may be what failed; the reference is in the log."""
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    return render(None, "500.html", {"reference": reference}, status=500)


@login_not_required
def csrf_failure(request, reason=""):
    return render(request, "csrf_failure.html", status=403)

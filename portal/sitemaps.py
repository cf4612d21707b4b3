"""What search engines are told to read: the public pages, and every offer that is open today.

Offers are cut by the two first signs of their keys, drawn by chance: 256 equal lists, each a few thousand
addresses among half a million offers (50,000 are allowed, sitemaps.org), read in one go without counting what
comes before. The lists are too big to be kept here: whoever carries our pages may keep them for some hours.
Offers of demonstration are invented: no engine is led to them.
"""

from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps import views as django_views
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control, cache_page
from django.views.decorators.http import require_safe

from catalog.models import OfferIndex
from rulebook import workdays
from ui.replica import from_replica

SIGNS = [f"{number:02x}" for number in range(256)]
# Engines come when they want; what is open changes with the day.
KEPT_SECONDS = 6 * 60 * 60
PAGES = ("home", "search", "rights_simulator", "help", "report_scam", "accessibility", "legal_notice")


class OfTheseAddresses(Sitemap):
    """At the address that everybody knows, whatever the one that was asked."""

    @property
    def protocol(self):
        return urlsplit(settings.PORTAL_BASE_URL).scheme

    def get_domain(self, site=None):
        return urlsplit(settings.PORTAL_BASE_URL).netloc

    def get_latest_lastmod(self):
        """Nobody reads half a million rows to date a list."""
        return None


class Pages(OfTheseAddresses):
    def items(self):
        return PAGES

    def location(self, item):
        return reverse(item)


class Offers(OfTheseAddresses):
    """Those whose key begins with these two signs."""

    def __init__(self, signs: str):
        self.first = UUID(signs + "0" * 30)
        self.last = UUID(signs + "f" * 30)

    def items(self):
        """From what the search keeps of open offers: one that has closed since answers 404, as it should."""
        found = OfferIndex.objects.open_on(workdays.paris_day(timezone.now()))
        found = found.filter(pk__gte=self.first, pk__lte=self.last, offer__is_demonstration=False)
        return found.order_by("pk").values_list("pk", "offer__updated_at")

    def location(self, item):
        return reverse("offer", args=[item[0]])

    def lastmod(self, item):
        return item[1]


SITEMAPS = {"pages": Pages} | {f"formations-{signs}": Offers(signs) for signs in SIGNS}


@login_not_required
@require_safe
@cache_page(KEPT_SECONDS)
@from_replica
def index(request):
    return _written(django_views.index(request, SITEMAPS, sitemap_url_name="sitemap"))


@login_not_required
@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
@from_replica
def sitemap(request, section):
    return _written(django_views.sitemap(request, SITEMAPS, section=section))


def _written(response: TemplateResponse) -> HttpResponse:
    """A cache keeps bytes, not a template that waits for its context."""
    headers = {"X-Robots-Tag": response["X-Robots-Tag"]}
    return HttpResponse(response.render().content, content_type="application/xml", headers=headers)

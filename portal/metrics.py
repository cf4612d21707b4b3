"""Figures for a monitoring server: those of every request, and the few that tell this portal's health.

Off unless PORTAL_METRICS is on. The address answers only to the token of PORTAL_METRICS_TOKEN: behind a
proxy, every visitor comes from an address that one would trust.
"""

import secrets
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from portal import figures


@require_safe
@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Text format of Prometheus. 404 while metrics are off, and to whoever has no token."""
    given = request.headers.get("Authorization", "")
    wanted = f"Bearer {settings.PORTAL_METRICS_TOKEN}"
    if not settings.PORTAL_METRICS or not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Http404
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # every process of the web server, whichever answers now
    registry.register(_Ours(at=timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Ours:
    def __init__(self, *, at: datetime):
        self.at = at

    def collect(self) -> Iterator[Metric]:
        for name, words, waiting in (
            ("portal_overdue_clocks", "Clocks that are over", figures.overdue_clocks(at=self.at)),
            ("portal_waiting_notices", "Notices not mailed yet", figures.waiting_notices(at=self.at)),
        ):
            oldest = 0.0 if waiting.since is None else (self.at - waiting.since).total_seconds()
            yield GaugeMetricFamily(name, words, value=waiting.count)
            yield GaugeMetricFamily(f"{name}_oldest_seconds", f"{words}: age of the oldest", value=oldest)
        ages = GaugeMetricFamily(
            "portal_task_last_success_seconds", "Since this task last ran to its end", labels=["task"]
        )
        for task in figures.scheduled_tasks():
            if (age := figures.age_of(task, at=self.at)) is not None:
                ages.add_metric([task], age)
        yield ages

"""What containers ask: is this process alive, and can it serve? Public; names parts, tells nothing else."""

import logging
from collections.abc import Callable

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal import figures

logger = logging.getLogger(__name__)

# A broker that takes longer than this to say PONG cannot carry work.
BROKER_PATIENCE_SECONDS = 2
# Without these a page cannot be served. The others make people wait, which is no reason to send everybody
# away: what is due is found again.
NEEDED = ("database", "migrations")


@require_safe
@never_cache
@login_not_required
def live(request):
    """200: the process answers. Looks at nothing outside it, so a dead database restarts no web server."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@login_not_required
def ready(request):
    """200 when pages can be served, else 503.

    {"status": "ok" | "degraded" | "unavailable", "parts": {name: "ok" | "down" | "behind" | "unknown"}}
    """
    parts = {"database": _database(), "broker": _broker()}
    looks: dict[str, Callable[[], str]] = {
        "migrations": _migrations,
        "scheduler": _scheduler,
        "clocks": _clocks,
        "outbox": _outbox,
    }
    is_answering = parts["database"] == "ok"
    parts |= {name: look() if is_answering else "unknown" for name, look in looks.items()}
    status = "ok" if set(parts.values()) == {"ok"} else "degraded"
    if any(parts[name] != "ok" for name in NEEDED):
        status = "unavailable"
    return JsonResponse({"status": status, "parts": parts}, status=503 if status == "unavailable" else 200)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("the database does not answer")
        return "down"
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "behind" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _scheduler() -> str:
    """Beat, the broker and a worker together: has the most frequent of their jobs come to its end lately?"""
    age = figures.age_of(figures.SWEEP, at=timezone.now())
    if age is None:
        return "unknown"
    return "behind" if age > figures.SCHEDULER_LATE.total_seconds() else "ok"


def _clocks() -> str:
    at = timezone.now()
    late = figures.overdue_clocks(at=at).is_late(at=at, patience=figures.CLOCKS_LATE)
    return "behind" if late else "ok"


def _outbox() -> str:
    at = timezone.now()
    late = figures.waiting_notices(at=at).is_late(at=at, patience=figures.OUTBOX_LATE)
    return "behind" if late else "ok"


def _broker() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=BROKER_PATIENCE_SECONDS,
        socket_connect_timeout=BROKER_PATIENCE_SECONDS,
    )
    try:
        client.ping()
    except redis.RedisError:
        logger.exception("the broker does not answer")
        return "down"
    finally:
        client.close()
    return "ok"

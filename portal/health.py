"""What containers ask: is this process alive, and can it serve? Public; names parts, tells nothing else."""

import logging

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

# A broker that takes longer than this to say PONG cannot carry work.
BROKER_PATIENCE_SECONDS = 2


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
    """200 when every part is "ok", else 503.

    {"status": "ok" | "unavailable", "parts": {name: "ok" | "down" | "behind" | "unknown"}}
    """
    parts = {"database": _database(), "broker": _broker()}
    parts["migrations"] = _migrations() if parts["database"] == "ok" else "unknown"
    is_ready = all(state == "ok" for state in parts.values())
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "parts": parts}, status=200 if is_ready else 503
    )


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

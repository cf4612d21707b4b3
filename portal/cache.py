"""The cache in Redis, and this process's own memory while Redis is away.

What lives there are counts of attempts and the time of last runs: with Redis away, a limit holds in each
process instead of over all of them, and people still sign in.
"""

import time
from typing import Any

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# How long Redis is left alone once it failed: one request in a while pays for the wait, not each.
REST_SECONDS = 5


class SteadyClient:
    """Redis as Django calls it; the same call on memory when Redis fails."""

    def __init__(self, servers: list[str], **options: Any):
        self._redis = RedisCacheClient(servers, **options)
        self._memory = LocMemCache("while-redis-is-away", {})
        self._rests_until = 0.0

    def __getattr__(self, name: str) -> Any:
        on_redis = getattr(self._redis, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if time.monotonic() >= self._rests_until:
                try:
                    return on_redis(*args, **kwargs)
                except RedisError as error:
                    self._rests_until = time.monotonic() + REST_SECONDS
                    log.error("cache_away", error=str(error))
            return getattr(self._memory, name)(*args, **kwargs)

        return call


class Cache(RedisCache):
    """CACHES["default"]["BACKEND"]."""

    def __init__(self, server: str, params: dict[str, Any]):
        super().__init__(server, params)
        self._class = SteadyClient

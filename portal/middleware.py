"""Around every request: its id, its one line in the log, and what people see while the database is away."""

import errno
import re
import time
import uuid

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django_structlog.middlewares import RequestMiddleware as StructlogMiddleware

HEADER = "X-Request-ID"
# What a proxy may hand us as an id. Anything else could write lines of its own in the log.
GOOD_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
# The disk where files or the journal of the database are written is full.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
# A restarted PostgreSQL answers again within seconds.
RETRY_AFTER_SECONDS = 10

log = structlog.get_logger(__name__)


class RequestMiddleware(StructlogMiddleware):
    """Bind `request_id` and `user_id` to every line written meanwhile, in this process and in its tasks.

    The answer carries the id as `X-Request-ID`. A database that refuses, ends or hurries us, or a full
    disk, is no fault of the page: 503, and when to come back.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.began = time.monotonic()
        self.prepare(request)
        response = self.get_response(request)
        if is_passing(getattr(request, "_raised_exception", None)):
            response = unavailable()
        response[HEADER] = request.id
        self.handle_response(request, response)
        return response

    def prepare(self, request: HttpRequest) -> None:
        structlog.contextvars.clear_contextvars()
        given = request.headers.get(HEADER, "") if settings.ALLAUTH_TRUSTED_PROXY_COUNT else ""
        request.id = given if GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request.id)

    def _process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A restart of the database fails hundreds of requests at once: one line each, no traceback."""
        if not is_passing(exception):
            super()._process_exception(request, exception)
            return
        request._raised_exception = exception
        asked = self.format_request(request)
        log.error("request_unavailable", code=503, request=asked, error=str(exception).split("\n")[0])

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """From the session, if it was read: a line in the log must cost no query."""
        session = getattr(request, "session", None)
        if session is not None and session.accessed and getattr(session, "_session_cache", None):
            user_id = session._session_cache.get("_auth_user_id")
            structlog.contextvars.bind_contextvars(user_id=user_id)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """« POST /mes-dossiers/<uuid:dossier_id>/envoyer »: a path may hold a secret. Binds the ids in it."""
        duration = round((time.monotonic() - request.began) * 1000)
        structlog.contextvars.bind_contextvars(duration_ms=duration)
        match = request.resolver_match
        if match is None:
            return f"{request.method} ?"
        ids = {name: str(value) for name, value in match.kwargs.items() if name.endswith("_id")}
        structlog.contextvars.bind_contextvars(**ids)
        return f"{request.method} /{match.route}"


def is_passing(error: Exception | None) -> bool:
    """Whether the same click works later: a database that restarts, is full, hurries or unties us."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return isinstance(error, OperationalError | InterfaceError)


def unavailable() -> HttpResponse:
    """503, without request, context or query: all of them may need the database."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
    return HttpResponse(render_to_string("unavailable.html"), status=503, headers=headers)

"""Pages that a browser and a shared cache may keep for a moment: the same for every visitor.

A view marked `kept` says for how long. The middleware has the last word, once everything else has put its
cookies and headers on the answer: only a whole page, asked by somebody who brings no session and no waiting
message, and that gives none, is kept. `Vary` tells the language, cookies and htmx apart. Its ETag is made of
its words, so that asking again costs a line when nothing has changed.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import (
    get_conditional_response,
    patch_cache_control,
    patch_vary_headers,
    set_response_etag,
)

# What a person was told once must not come back to another, nor again.
WAITING_MESSAGES = "messages"


def kept(*, seconds: int) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A view whose pages are the same for all visitors, and true for that long."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def marked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response: Any = view(request, *args, **kwargs)
            response.kept_seconds = seconds
            return response

        return marked

    return decorate


class KeptPagesMiddleware:
    """Outside sessions, languages and forms: it sees the answer as it leaves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        seconds = getattr(response, "kept_seconds", None)
        if seconds is None or not _is_the_same_for_all(request, response):
            return response
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        patch_cache_control(response, public=True, max_age=seconds)
        set_response_etag(response)
        return get_conditional_response(request, etag=response["ETag"], response=response)


def _is_the_same_for_all(request: HttpRequest, response: HttpResponse) -> bool:
    """A form's secret, a session or a message makes a page somebody's: each of them is a cookie."""
    brought = {settings.SESSION_COOKIE_NAME, WAITING_MESSAGES} & set(request.COOKIES)
    return (
        request.method in {"GET", "HEAD"}
        and response.status_code == 200
        and not response.streaming
        and not brought
        and not response.cookies
        # The secret of a form that a visitor has already been given comes without a new cookie.
        and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
        and not _holds_a_secret(response)
    )


def _holds_a_secret(response: HttpResponse) -> bool:
    return b"csrfmiddlewaretoken" in response.content

"""Pages that a browser and a shared cache may keep for a moment: the same for every visitor.

A view marked `kept` says for how long. The middleware has the last word, once everything else has put its
cookies and headers on the answer: only a whole page, asked by somebody who brings no session and no waiting
message, and that gives none, is kept. `Vary` tells the language, cookies and htmx apart. Its ETag is made of
its words, so that asking again costs a line when nothing has changed.

The portal keeps such a page too, for as long, from the second time that it is asked for: what many people ask
at once is made once, and what one machine invents by the thousand leaves only a mark.

Such a page travels compressed, to a sixth: on a slow telephone its words come first. It holds no secret
that its size could give away (BREACH); what is somebody's does, beside words that others choose, and travels
as it is.
"""

import hashlib
import time
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.utils import translation
from django.utils.cache import (
    get_conditional_response,
    patch_cache_control,
    patch_vary_headers,
    set_response_etag,
)

# What a person was told once must not come back to another, nor again.
WAITING_MESSAGES = "messages"
LARGEST = 2**18
"""Bytes of a page that the portal keeps, before it is packed."""
ASKED = "asked"
HTMX = ("HX-Request", "HX-Boosted", "HX-Target", "HX-History-Restore-Request")


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
        place = _place_of(request)
        known = cache.get(place) if place else None
        if known and known != ASKED:
            response = _again(known)
            return get_conditional_response(request, etag=response["ETag"], response=response)
        response = self.get_response(request)
        seconds = getattr(response, "kept_seconds", None)
        if seconds is None or not _is_the_same_for_all(request, response):
            return response
        patch_vary_headers(response, ["Accept-Encoding", "Accept-Language", "Cookie"])
        patch_cache_control(response, public=True, max_age=seconds)
        set_response_etag(response)
        # Compressed or not, they are the same words: the mark says no more than that (RFC 9110, 8.8.1).
        response["ETag"] = f"W/{response['ETag']}"
        response.is_for_all = True
        if place and len(response.content) <= LARGEST:
            cache.set(place, _packed(response) if known else ASKED, seconds)
        return get_conditional_response(request, etag=response["ETag"], response=response)


class CompressedPagesMiddleware(GZipMiddleware):
    """Outside KeptPagesMiddleware: compresses what it let be kept, and nothing else."""

    # No secret, so no length to hide: the same page is the same bytes.
    max_random_bytes = 0

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not getattr(response, "is_for_all", False):
            return response
        return super().process_response(request, response)


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


def _place_of(request: HttpRequest) -> str:
    """Where the page that this request asks for is kept; "" when it may be somebody's own.

    Two visitors who differ in nothing that the page depends on share a place: its whole address, the language
    and what htmx asks. Any other cookie than the language's and the forms' could make a difference.
    """
    if not settings.PAGES_ARE_KEPT or request.method not in {"GET", "HEAD"}:
        return ""
    if set(request.COOKIES) - {settings.LANGUAGE_COOKIE_NAME, settings.CSRF_COOKIE_NAME}:
        return ""
    told = [
        request.META.get("HTTP_HOST", ""),
        request.scheme,
        request.get_full_path(),
        translation.get_language_from_request(request),
        *(request.headers.get(name, "") for name in HTMX),
    ]
    return f"page:{hashlib.sha256(repr(told).encode()).hexdigest()}"


def _packed(response: HttpResponse) -> tuple[float, dict[str, str], bytes]:
    return time.time(), dict(response.headers), zlib.compress(response.content)


def _again(known: tuple[float, dict[str, str], bytes]) -> HttpResponse:
    kept_at, headers, content = known
    response = HttpResponse(zlib.decompress(content), headers=headers)
    # How long ago it was made counts in how long a browser keeps it.
    response["Age"] = str(max(round(time.time() - kept_at), 0))
    response.is_for_all = True
    return response


def _holds_a_secret(response: HttpResponse) -> bool:
    return b"csrfmiddlewaretoken" in response.content

"""The page, or only the part of it that htmx asked for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def page_or_fragment(
    request: HttpRequest, page_template: str, fragment_template: str, context: dict, status: int = 200
) -> HttpResponse:
    """Render the fragment for an htmx swap, the whole page for anyone else (JavaScript off, a boosted link).

    The page includes the same fragment, so both ways show the same words.
    """
    wants_fragment = request.htmx and not request.htmx.boosted
    template = fragment_template if wants_fragment else page_template
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted"])
    return response

"""The same words whole or in part; a cache never gives one for the other."""

import pytest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from ui.htmx import page_or_fragment

PAGE, FRAGMENT = "portal/robots.txt", "parts/_empty.html"
CONTEXT = {"title": "Aucun dossier", "text": "", "action_url": "", "icon_name": "", "sitemaps": ""}


def answer(headers, **kwargs):
    request = RequestFactory().get("/", headers=headers)
    request.htmx = HtmxDetails(request)
    return page_or_fragment(request, PAGE, FRAGMENT, CONTEXT, **kwargs)


@pytest.mark.parametrize(
    ("headers", "is_fragment"),
    [({}, False), ({"HX-Request": "true"}, True), ({"HX-Request": "true", "HX-Boosted": "true"}, False)],
)
def test_only_htmx_gets_a_fragment(headers, is_fragment):
    response = answer(headers)
    assert ("Aucun dossier" in response.text) is is_fragment
    assert ("User-agent" in response.text) is not is_fragment
    assert response["Vary"] == "HX-Request, HX-Boosted"


def test_a_refusal_keeps_its_status():
    assert answer({"HX-Request": "true"}, status=422).status_code == 422

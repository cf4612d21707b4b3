"""No template holds script, style or a handler of its own: the content policy would silence them."""

import re

import pytest
from django.conf import settings

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
# A mail has no style sheet to link to: mail programs read style attributes only.
MAILS = "notices/mail.html"
FORBIDDEN = {
    "style attribute": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "inline handler": re.compile(r"<[^>]*\s(?:on[a-z]+|hx-on[:\w-]*)\s*=", re.IGNORECASE),
    "<style>": re.compile(r"<style\b", re.IGNORECASE),
    "<script> without src": re.compile(r"<script\b(?![^>]*\bsrc=)(?![^>]*application/json)", re.IGNORECASE),
    "javascript: address": re.compile(r"=\s*[\"']\s*javascript:", re.IGNORECASE),
    "something from another site": re.compile(
        r"<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=[\"'](?:https?:)?//", re.I
    ),
}
# Static on purpose: shown when the portal cannot even translate.
UNTRANSLATED = {"400.html", "500.html", "503.html", "unavailable.html"}


def faults(source):
    return [name for name, pattern in FORBIDDEN.items() if pattern.search(source)]


def untranslated(source):
    """Words on screen that no {% translate %} holds: letters left once tags, comments and markup are gone."""
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{% comment.*?endcomment %\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{% block main_class %\}.*?\{% endblock %\}", "", source)
    source = re.sub(r"\{% blocktrans(?:late)?\b.*?endblocktrans(?:late)? %\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    source = re.sub(r"<!--.*?-->|<[^>]*>|&\w+;", " ", source, flags=re.DOTALL)
    return re.findall(r"[A-Za-zÀ-ÿ]{3,}", source)


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR / "templates"))
)
def test_template(path):
    name = str(path.relative_to(settings.BASE_DIR / "templates"))
    source = path.read_text()
    found = faults(source)
    if name == MAILS or "/email/" in name:
        found = [fault for fault in found if fault not in {"style attribute", "<style>"}]
    assert not found
    if name not in UNTRANSLATED:
        assert not untranslated(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p style="color: red">',
        "<p class=x STYLE='a'>",
        '<a href="/" onclick="go()">',
        '<form hx-on::after-swap="x()">',
        "<style>p {}</style>",
        "<script>go()</script>",
        "<script type='module'>",
        '<a href="javascript:go()">',
        '<script src="https://cdn.example/x.js"></script>',
        '<img src="//cdn.example/x.png">',
    ],
)
def test_a_fault_is_seen(source):
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        '<script src="/x.js" defer></script>',
        '<p class="button--on" data-style="x">',
        "<a href='https://example.fr'>",
    ],
)
def test_what_is_fine_is_left_alone(source):
    assert not faults(source)


def test_words_outside_a_translation_are_seen():
    assert untranslated("<p>Bonjour {{ name }}</p>") == ["Bonjour"]
    assert not untranslated('<p title="{{ x }}">{% translate "Bonjour" %} {# words #} {{ name }} &nbsp;</p>')

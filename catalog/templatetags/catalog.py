"""Words and texts of the catalogue: {% load catalog %}."""

import re

import nh3
from django import template
from django.utils.html import conditional_escape, linebreaks
from django.utils.safestring import SafeString, mark_safe

from catalog.texts import plain

register = template.Library()

# No link, no image, no attribute: an organisation's text explains, it does not lead people elsewhere.
TAGS = {"p", "br", "ul", "ol", "li", "strong", "b", "em", "i", "sub", "sup"}
HEADING = re.compile(r"<(/?)h[1-6]\b[^<>]*>", re.IGNORECASE)
MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


@register.filter
def rich_text(text: str) -> SafeString:
    """An organisation's text, with the few tags that shape it; all else is dropped or escaped.

    Importers clean what they store; this cleans again what is shown, so that no other way in matters.
    """
    if not MARKUP.search(text):
        plain = linebreaks(conditional_escape(text)) if text else ""
        return mark_safe(plain)  # noqa: S308 - escaped just here
    # Their headings would break the order of the page's own.
    text = HEADING.sub(lambda found: "</strong></p>" if found[1] else "<p><strong>", text)
    return mark_safe(nh3.clean(text, tags=TAGS, attributes={}))  # noqa: S308 - cleaned just here


@register.filter
def plain_text(text: str) -> str:
    """The same text without its tags, on one line."""
    return " ".join(plain(text).split())


@register.filter
def kilometres(metres: float | None) -> str:
    """« à moins de 1 km », « à 12 km »."""
    if metres is None:
        return ""
    return "à moins de 1 km" if metres < 1000 else f"à {round(metres / 1000)} km"

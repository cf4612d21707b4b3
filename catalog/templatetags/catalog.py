"""Words and texts of the catalogue: {% load catalog %}."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urljoin

import nh3
from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import conditional_escape, linebreaks
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog import languages, levels, maps, particulars, structured
from catalog.listing import SessionLine
from catalog.models import Offer
from catalog.texts import plain
from ui import french

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
    if metres < 1000:
        return _("à moins de 1 km")
    return _("à %(n)s km") % {"n": round(metres / 1000)}


@register.filter
def rhythm_words(offer: Offer) -> str:
    """« En soirée, le week-end »; "" where nothing is said."""
    return french.listed([str(Offer.Rhythm(rhythm).label) for rhythm in offer.rhythms])


@register.filter
def teaching_words(offer: Offer) -> list[tuple[str, str]]:
    """(label, words) of how it is taught, those that are told."""
    return particulars.of_the_teaching(offer.particulars, hours=offer.hours)


@register.filter
def spot_words(offer: Offer) -> list[tuple[str, str]]:
    """(label, words) of what there is on the spot, those that are told."""
    return particulars.on_the_spot(offer.particulars)


@register.filter
def language_words(offer: Offer) -> str:
    """« Français, anglais »; "" where nothing is said."""
    return languages.listed(offer.languages)


@register.filter
def card_words(offer: Offer) -> str:
    """« 4,6 sur 5 (12 avis) · En soirée · Anglais »: what is said beside the rest; French goes unsaid."""
    languages_said = "" if list(offer.languages) == ["fr"] else language_words(offer)
    rating = ""
    if offer.rating_tenths is not None:
        count = ngettext("%d avis", "%d avis", offer.reviews_count) % offer.reviews_count
        words = {"rating": french.tenths(offer.rating_tenths), "count": count}
        rating = _("%(rating)s sur 5 (%(count)s)") % words
    return " · ".join(filter(None, [rating, rhythm_words(offer), languages_said]))


@register.filter
def entry_level(level: int | None) -> str:
    return levels.entry_level_words(level)


@register.simple_tag
def course_data(offer: Offer, lines: Sequence[SessionLine]) -> SafeString:
    """{% course_data offer lines %}: the offer as search engines read it."""
    return structured.as_data_block(structured.course_of(offer, lines))


@register.inclusion_tag("parts/_preview.html")
def preview(offer: Offer) -> dict[str, str]:
    """{% preview offer %}: how the page looks where somebody sends its address."""
    return {
        "title": offer.title,
        "description": structured.description_of(offer),
        "url": structured.address_of(offer),
        "image": urljoin(settings.PORTAL_BASE_URL, static("img/preview.png")),
        "locale": structured.locale(),
    }


@register.filter
def canonical(offer: Offer) -> str:
    return structured.address_of(offer)


@register.filter
def preview_words(offer: Offer) -> str:
    """What it is, in a line that a search engine shows whole."""
    return structured.description_of(offer)


@register.filter
def spot(offer: Offer) -> maps.Spot | None:
    """{{ offer|spot }}: where it lies on the drawing of its territory."""
    return maps.spot_of(offer)


@register.filter
def map_address(offer: Offer) -> str:
    """Where OpenStreetMap shows it: looked up by its postal address, so nothing of the reader is sent."""
    where = ", ".join(filter(None, [offer.address, f"{offer.postal_code} {offer.town_name}".strip()]))
    return "https://www.openstreetmap.org/search?" + urlencode({"query": where})


@register.filter
def vat_words(offer: Offer) -> str:
    """« dont 20 % de TVA, soit 241,67 € »; "" where none is said: exempt, or a catalogue that is silent."""
    if not offer.vat_per_mille:
        return ""
    rate = f"{offer.vat_per_mille / 10:g}".replace(".", french.decimal_mark())
    vat = round(offer.price_cents * offer.vat_per_mille / (1000 + offer.vat_per_mille))
    return _("dont %(rate)s %% de TVA, soit %(vat)s") % {"rate": rate, "vat": french.euros(vat)}

"""An offer as search engines read it: schema.org's Course and its CourseInstances, and its preview elsewhere.

https://schema.org/Course. It says no more than the page does, and nothing that is not on it.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from catalog.listing import SessionLine
from catalog.models import Offer
from catalog.texts import plain

# What a result of a search engine shows; longer is cut by it, at a worse place.
DESCRIPTION_MAX = 155
COURSE_DESCRIPTION_MAX = 1_000
INSTANCES_MAX = 20
MODES = {Offer.Mode.ON_SITE: "Onsite", Offer.Mode.MIXED: "Blended", Offer.Mode.DISTANCE: "Online"}
# Inside a script element nothing may look like its end, nor open a comment; JSON knows these as well.
ESCAPES = {ord(sign): f"\\u{ord(sign):04X}" for sign in "<>&\u2028\u2029"}


def address_of(offer: Offer) -> str:
    """The one address of an offer, whatever it was asked by."""
    return settings.PORTAL_BASE_URL.rstrip("/") + reverse("offer", args=[offer.pk])


def description_of(offer: Offer, *, most: int = DESCRIPTION_MAX) -> str:
    """What it is, in a sentence or two, without markup: its summary, its objectives, or who and where."""
    words = " ".join(plain(offer.summary or offer.objectives).split())
    if not words:
        words = " · ".join(
            filter(
                None,
                [
                    offer.title,
                    offer.provider.organisation.name,
                    str(offer.get_mode_display()),
                    offer.town_name,
                ],
            )
        )
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def course_of(offer: Offer, lines: Sequence[SessionLine]) -> dict[str, Any]:
    """`offer` with its organisation and certification; `lines`: its sessions still to come."""
    provider = {
        "@type": "Organization",
        "name": offer.provider.organisation.name,
        "identifier": offer.provider.organisation.siret,
    }
    course: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Course",
        "name": offer.title,
        "description": description_of(offer, most=COURSE_DESCRIPTION_MAX),
        "url": address_of(offer),
        "provider": provider,
        "offers": {
            "@type": "Offer",
            "category": "Paid",
            "price": f"{offer.price_cents / 100:.2f}",
            "priceCurrency": "EUR",
        },
        "hasCourseInstance": [_instance(offer, line) for line in lines if not line.obstacle][:INSTANCES_MAX],
    }
    if offer.languages:
        course["inLanguage"] = list(offer.languages)
    if offer.prerequisites:
        course["coursePrerequisites"] = " ".join(plain(offer.prerequisites).split())[:COURSE_DESCRIPTION_MAX]
    if offer.certification:
        course["educationalCredentialAwarded"] = {
            "@type": "EducationalOccupationalCredential",
            "name": offer.certification.title,
            "identifier": offer.certification.code,
        }
    if offer.rating_tenths is not None:
        course["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": f"{offer.rating_tenths / 10:.1f}",
            "bestRating": "5",
            "worstRating": "1",
            "reviewCount": offer.reviews_count,
        }
    return course


def _instance(offer: Offer, line: SessionLine) -> dict[str, Any]:
    instance: dict[str, Any] = {"@type": "CourseInstance", "courseMode": MODES.get(offer.mode, "Onsite")}
    if offer.hours:
        instance["courseWorkload"] = f"PT{offer.hours}H"
    if not line.session.is_permanent:
        instance["startDate"] = line.session.starts_on.isoformat()
        instance["endDate"] = line.session.ends_on.isoformat()
    if offer.mode != Offer.Mode.DISTANCE and offer.town_name:
        address = {
            "@type": "PostalAddress",
            "addressLocality": offer.town_name,
            "postalCode": offer.postal_code,
            "streetAddress": offer.address,
            "addressCountry": "FR",
        }
        instance["location"] = {
            "@type": "Place",
            "name": offer.town_name,
            "address": {name: value for name, value in address.items() if value},
        }
    return instance


def as_data_block(thing: dict[str, Any]) -> SafeString:
    """A `<script type="application/ld+json">`: data, which no browser runs and no content policy stops."""
    written = json.dumps(thing, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(f'<script type="application/ld+json">{written}</script>')  # noqa: S308 - escaped just here


def locale() -> str:
    """As previews elsewhere name a language: « fr_FR »."""
    return "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"

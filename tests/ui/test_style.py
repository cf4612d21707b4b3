"""The style sheet: small, readable in both themes, with every class that the templates rely on."""

import re

import pytest
from django.conf import settings

SHEET = (settings.BASE_DIR / "static/css/portal.css").read_text()
LIMIT_BYTES = 30 * 1024
# fmt: off
CONTRACT = [
    "stack", "cluster", "grid", "card", "lead", "button", "button--secondary", "button--danger", "tag",
    "tag--waiting", "tag--done", "tag--lost", "tag--neutral", "alert", "alert--info", "alert--warning",
    "alert--error", "alert--success", "table", "money", "money--large", "countdown", "timeline",
    "facts", "filters", "chips", "chip", "empty", "visually-hidden", "form", "field", "field__error",
    "field__hint", "narrow", "two-columns", "pagination",
]
# fmt: on


def tokens(theme):
    light, dark = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6});", light))
    return found | dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6});", dark)) if theme == "dark" else found


def contrast(one, other):
    """WCAG 2.2, contrast ratio."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        *((ink, ground, 7) for ink in ("text",) for ground in ("page", "card")),
        *(("text", f"{tone}-soft", 7) for tone in ("waiting", "lost", "done", "action")),
        *((ink, ground, 4.5) for ink in ("quiet", "action", "action-hover") for ground in ("page", "card")),
        *((tone, ground, 4.5) for tone in ("lost", "done") for ground in ("page", "card", f"{tone}-soft")),
        *(("waiting", ground, 4.5) for ground in ("card", "waiting-soft", "page")),
        ("on-action", "action", 4.5),
        ("on-action", "action-hover", 4.5),
        ("action", "action-soft", 4.5),
        ("action-hover", "action-soft", 4.5),
        *(("input-line", ground, 3) for ground in ("page", "card")),
    ],
)
def test_colours_can_be_read(theme, ink, ground, least):
    found = tokens(theme)
    assert contrast(found[ink], found[ground]) >= least


def test_the_contrast_of_the_standard():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_the_sheet_is_small():
    assert len(SHEET.encode()) <= LIMIT_BYTES


@pytest.mark.parametrize("name", CONTRACT)
def test_every_promised_class_is_there(name):
    if name == "alert--info":
        name = "alert"  # information is how an alert looks when it says nothing else
    assert re.search(rf"\.{name}(?![\w-])", SHEET)


def test_nothing_comes_from_elsewhere():
    assert not re.search(r"https?://|@import|url\(\"?//", SHEET)

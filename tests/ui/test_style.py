"""The style sheet: small, readable in both themes, with every class that the templates rely on."""

import gzip
import re

import pytest
from django.conf import settings

SHEET = (settings.BASE_DIR / "static/css/portal.css").read_text()
BASE = (settings.BASE_DIR / "static/vendor/bootstrap-base-5.3.9.css").read_text()
# What travels, both sheets together: Bootstrap alone would be 31 KB (docs/adr/0006).
LIMIT_BYTES = 18 * 1024
# fmt: off
CONTRACT = [
    "stack", "cluster", "grid", "card", "lead", "button", "button--secondary", "button--danger", "tag",
    "tag--waiting", "tag--done", "tag--lost", "tag--neutral", "alert", "alert--info", "alert--warning",
    "alert--error", "alert--success", "table", "money", "money--large", "countdown", "timeline",
    "facts", "filters", "chips", "chip", "empty", "visually-hidden", "form", "field", "field__error",
    "field__hint", "narrow", "two-columns", "pagination", "page-head", "steps", "checklist", "answers",
    "tabs", "track", "progress", "bar", "dates", "receipt", "dialog", "panel", "with-panel", "loading",
    "drop", "density", "bulk-bar", "field-row", "choices-big", "only-print", "no-print",
]
# fmt: on


THEMES = ["light", "dark", "light, more contrast", "dark, more contrast"]


def tokens(theme):
    """The colours of a theme, as the sheet lays them over each other."""
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:4]
    ]
    light, dark, more, dark_more = blocks
    return {
        "light": light,
        "dark": light | dark,
        "light, more contrast": light | more,
        "dark, more contrast": light | dark | more | dark_more,
    }[theme]


def contrast(one, other):
    """WCAG 2.2, contrast ratio."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        *((ink, ground, 7) for ink in ("text",) for ground in ("page", "card")),
        *(("text", f"{tone}-soft", 7) for tone in ("waiting", "lost", "done", "action")),
        *((ink, ground, 4.5) for ink in ("quiet", "action", "action-hover") for ground in ("page", "card")),
        *((ink, "sunk", 4.5) for ink in ("text", "quiet")),
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


@pytest.mark.parametrize("theme", THEMES[2:])
def test_more_contrast_is_more(theme):
    found = tokens(theme)
    for ink in ("text", "quiet", "action", "waiting", "lost", "done", "input-line"):
        for ground in ("page", "card"):
            assert contrast(found[ink], found[ground]) >= 7, ink


def test_the_sheets_are_small():
    assert len(gzip.compress((BASE + SHEET).encode(), 9)) <= LIMIT_BYTES


def test_colours_are_written_once():
    """Outside the tokens and the print sheet, a colour is a name: another theme changes it everywhere."""
    rules = SHEET[SHEET.index("/* --- Elements") :]
    rules = re.sub(r"@media print \{.*?\n\}", "", rules, flags=re.DOTALL)
    assert set(re.findall(r"#[0-9A-Fa-f]{3,8}\b", rules)) <= {"#1B1F2A"}  # words that are selected, on amber


def test_the_base_speaks_of_our_tokens_only():
    assert set(re.findall(r"var\((--[\w-]+)", BASE)) <= set(re.findall(r"(--[\w-]+):", SHEET))


@pytest.mark.parametrize("name", CONTRACT)
def test_every_promised_class_is_there(name):
    if name == "alert--info":
        name = "alert"  # information is how an alert looks when it says nothing else
    assert re.search(rf"\.{name}(?![\w-])", SHEET)


def test_nothing_comes_from_elsewhere():
    assert not re.search(r"https?://|@import|url\(\"?//|data:", BASE + SHEET)

"""Texts with a few tags, read again as plain text."""

import pytest

from catalog.texts import has_markup, plain


@pytest.mark.parametrize(
    ("rich", "expected"),
    [
        ("", ""),
        ("Déjà simple.\n\nDeux paragraphes.", "Déjà simple.\n\nDeux paragraphes."),
        ("<p>Un</p>\n  <p>Deux</p>", "Un\n\nDeux"),
        ("<p>Avant<br>après</p>", "Avant\naprès"),
        (
            "<p>Au menu</p><ul><li>a</li><li><strong>b</strong> &amp; c</li></ul><p>Fin</p>",
            "Au menu\n- a\n- b & c\n\nFin",
        ),
        ("<p>moins de &lt; 3 ans</p>", "moins de < 3 ans"),
    ],
)
def test_plain(rich, expected):
    assert plain(rich) == expected
    assert plain(plain(rich)) == plain(rich)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", False),
        ("<3 ans", False),
        ("5 > 3", False),
        ("<b>", True),
        ("</p>", True),
        ("<!-- x -->", True),
    ],
)
def test_markup_is_what_a_browser_would_read(text, expected):
    assert has_markup(text) == expected

"""Names of languages and levels, in the language of the page."""

import pytest
from django.utils import translation

from catalog import languages, levels
from catalog.models import Offer


@pytest.mark.parametrize(
    ("code", "french", "english"),
    [
        ("fr", "Français", "French"),
        ("pl", "Polonais", "Polish"),
        ("zh", "Chinois", "Chinese"),
        ("xx", "XX", "XX"),
    ],
)
def test_a_language_has_its_name_in_both_languages(code, french, english):
    assert languages.name_of(code) == french
    with translation.override("en"):
        assert languages.name_of(code) == english


def test_each_language_is_offered_once():
    common = languages.choices(languages.COMMON)
    codes = [code for code, _name in [*common, *languages.others()]]
    assert len(codes) == len(set(codes)) > 60
    assert all(len(code) == 2 for code in codes)


def test_levels_are_those_that_an_offer_may_ask_for():
    allowed = [level for level, _words in levels.ENTRY_LEVELS]
    assert allowed == [0, *range(3, 9)]
    assert [bool(levels.entry_level_words(level)) for level in allowed] == [True] * 7
    assert levels.entry_level_words(None) == ""
    assert Offer._meta.get_field("entry_level").null

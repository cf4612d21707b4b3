"""English is complete: every sentence has its translation, with the same variables and the same marks."""

import re
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils import translation

from tests.conftest import ROOT

CATALOGUE = ROOT / "locale" / "en" / "LC_MESSAGES" / "django.po"
VARIABLES = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")
MARKS = re.compile(r"</?\w+")


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(CATALOGUE))


def test_every_sentence_has_its_english(catalogue):
    assert len(catalogue) > 1000
    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []


def test_variables_and_marks_are_kept(catalogue):
    wrong = []
    for entry in catalogue:
        forms = [(entry.msgid, entry.msgstr)]
        if entry.msgid_plural:
            # In the singular, « un dossier » may say the number by its word.
            forms = [(entry.msgid_plural, entry.msgstr_plural[1])]
        for french, english in forms:
            if sorted(VARIABLES.findall(french)) != sorted(VARIABLES.findall(english)):
                wrong.append(french)
            if sorted(MARKS.findall(french)) != sorted(MARKS.findall(english)):
                wrong.append(french)
    assert wrong == []


def test_the_compiled_catalogue_is_the_one_that_is_read(catalogue):
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {(e.msgctxt, e.msgid): e.msgstr for e in compiled} == {
        (e.msgctxt, e.msgid): e.msgstr for e in catalogue
    }


def test_both_languages_are_offered_and_every_plural_has_two_forms(catalogue):
    assert [code for code, _name in settings.LANGUAGES] == ["fr", "en"]
    with translation.override("en"):
        assert translation.gettext("Mes droits") == "My rights"
    for entry in catalogue:
        assert not entry.msgid_plural or set(entry.msgstr_plural) == {0, 1}
    assert Path(CATALOGUE).is_file()

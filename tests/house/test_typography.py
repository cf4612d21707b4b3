"""French sentences as a printer sets them: no line begins with a colon, no « stands alone."""

import ast
import re

import polib
import pytest
from django.conf import settings

# Not before a value's place: « %(name)s », « %s », « %d ».
LOOSE = re.compile(r" (?=[:;?!»€]|%(?![(sd]))|(?<=«) ")
CATALOGUE = settings.BASE_DIR / "locale/en/LC_MESSAGES/django.po"
# What is read in a terminal or in the report on a file, and looked for there with the space of a keyboard.
FOR_A_FILE = re.compile(
    r"(^|/)imports/|imports?\.py$|/management/|^ui/json_lines|simulation\.py$|/(seals|evidence|integrity)\.py$"
    r"|^catalog/(importing|validity)\.py$"
)
ALONE = {" : "}


def said_of_files() -> set[str]:
    """The sentences that only such modules have."""
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for path in settings.BASE_DIR.glob("*/**/*.py"):
        name = path.relative_to(settings.BASE_DIR).as_posix()
        if name.startswith((".", "tests/", "benchmarks/", "tools/")):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = (each.value for each in ast.walk(tree) if isinstance(each, ast.Constant))
        said[bool(FOR_A_FILE.search(name))].update(each for each in constants if isinstance(each, str))
    return said[True] - said[False]


def test_no_sentence_of_a_page_breaks_before_its_punctuation():
    catalogue = polib.pofile(CATALOGUE)
    sentences = {text for entry in catalogue for text in (entry.msgid, entry.msgid_plural) if text}
    assert len(sentences) > 4_000
    loose = {text for text in sentences - ALONE if LOOSE.search(text)}
    assert sorted(loose - said_of_files()) == [], "put a no-break space (U+00A0) there"


@pytest.mark.parametrize(
    "text", ["Prix : dix", "Quoi ?", "Non ; oui", "« Non »", "10 %", "1 €", "Oui !", "à 10 %% de"]
)
def test_an_ordinary_space_is_seen(text):
    assert LOOSE.search(text)


@pytest.mark.parametrize(
    "text", ["Prix\u00a0: dix", "«\u00a0Non\u00a0»", "les %(count)s, %s et %d", "12:30", "a%b"]
)
def test_what_is_set_well_is_left_alone(text):
    assert not LOOSE.search(text)

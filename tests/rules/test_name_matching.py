"""Is this the same name? (accounts.matching)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.matching import given_names_key, name_key, same_family_name, same_first_names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("MARTIN", "martin"),
        ("  Le   Goff ", "le goff"),
        ("Lefèvre", "lefevre"),
        ("LEFEVRE", "lefevre"),
        ("D’Éstaing", "d estaing"),
        ("d'Estaing", "d estaing"),
        ("Œuvrard", "oeuvrard"),
        ("Lætitia", "laetitia"),
        ("Saint-Exupéry", "saint exupery"),
        ("MARTIN--DURAND", "martin durand"),
        ("Muñoz", "munoz"),
        ("Strauß", "strauss"),
        ("Łukasz", "lukasz"),
        ("Ngô Đình", "ngo dinh"),
        ("İnönü", "inonu"),
        ("de La Tour", "de la tour"),
        ("…", ""),
    ],
)
def test_a_name_is_reduced_to_its_plain_letters(name, key):
    assert name_key(name) == key


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ("Jean-Pierre, Zoé", "jean-pierre zoe"),
        ("Jean - Pierre", "jean-pierre"),
        ("Jean‑Pierre", "jean-pierre"),
        ("N’Golo", "ngolo"),
        ("Anne;Claire", "anne claire"),
        ("-Anne-", "anne"),
        (" , ", ""),
    ],
)
def test_given_names_keep_their_compounds(names, key):
    assert given_names_key(names) == key


@pytest.mark.parametrize(
    ("typed", "birth_name", "used_name"),
    [
        ("martin", "MARTIN", ""),
        ("Lefevre", "Lefèvre", ""),
        ("Durand", "Martin", "Durand"),  # the used name
        ("Martin", "Martin", "Durand"),  # the birth name, by someone who bears another
        ("Martin-Durand", "Martin", "Durand"),  # both together
        ("Durand Martin", "Martin", "Durand"),
        ("MARTIN DURAND", "Martin--Durand", ""),  # a double name of the register
        ("Legoff", "Le Goff", ""),
        ("LE-GOFF", "Le Goff", ""),
        ("O Connor", "O’Connor", ""),
        ("OConnor", "O'Connor", ""),
        ("Villepin", "de Villepin", ""),
        ("de Villepin", "Villepin", ""),
        ("d'Ormesson", "Ormesson", ""),
        ("La Tour", "de La Tour", ""),
        ("Delatour", "de La Tour", ""),
        ("Du Pont", "Dupont", ""),
        ("Oeuvrard", "ŒUVRARD", ""),
        ("Saint Exupery", "de Saint-Exupéry", ""),
    ],
)
def test_the_same_family_name(typed, birth_name, used_name):
    assert same_family_name(typed, birth_name=birth_name, used_name=used_name)


@pytest.mark.parametrize(
    ("typed", "birth_name", "used_name"),
    [
        ("Martine", "Martin", ""),
        ("Durand", "Martin", ""),
        ("Martin", "Martin-Durand", ""),  # half of a double name
        ("Pont", "Dupont", ""),  # no particle there
        ("Goff", "Le Goff", ""),  # an article belongs to the name
        ("", "Martin", ""),
        ("-", "Martin", ""),
        ("", "", ""),
        ("de", "de Villepin", ""),
        ("Petit", "Martin", "Durand"),
    ],
)
def test_another_family_name(typed, birth_name, used_name):
    assert not same_family_name(typed, birth_name=birth_name, used_name=used_name)


@pytest.mark.parametrize(
    ("typed", "registered"),
    [
        ("Jean Pierre", "Jean-Pierre"),
        ("jean-pierre", "Jean-Pierre"),
        ("Jeanpierre", "Jean-Pierre"),
        ("Jean-Pierre Marie", "Jean-Pierre, Marie, Louis"),
        ("Jean-Pierre", "JEAN PIERRE MARIE"),  # the register lost the hyphen
        ("Élodie", "Elodie Anne Marie"),  # only the first one
        ("Elodie Anne", "Élodie"),  # more than the file holds
        ("Marie", "Marie Claire"),  # two first names, no compound
        ("Ngolo", "N’Golo"),
        ("N Golo", "N'Golo"),
        ("Loïc, Yann", "LOIC YANN"),
        ("Chloë", "Chloé"),
    ],
)
def test_the_same_first_names(typed, registered):
    assert same_first_names(typed, registered)


@pytest.mark.parametrize(
    ("typed", "registered"),
    [
        ("Marie", "Marie-Claire"),  # half of a compound
        ("Marie-Claire", "Marie"),
        ("Claire", "Marie Claire"),  # not the first one
        ("Jean Paul", "Jean Pierre"),  # a second name that differs
        ("Jean", "Jeanne"),
        ("", "Jean"),
        ("Jean", ""),
        ("", ""),
        ("- ,", "Jean"),
    ],
)
def test_other_first_names(typed, registered):
    assert not same_first_names(typed, registered)


@given(st.text(max_size=60))
def test_keys_are_idempotent(text):
    assert name_key(name_key(text)) == name_key(text)
    assert given_names_key(given_names_key(text)) == given_names_key(text)


LETTERS = st.text(alphabet="abcdeéèêëçñœæïôùABCDÉÇŒ", min_size=1, max_size=12)


@given(st.lists(LETTERS, min_size=1, max_size=4))
def test_case_hyphens_and_spaces_never_matter_in_a_family_name(words):
    name = " ".join(words)
    for other in (name.upper(), name.lower(), "-".join(words), "  ".join(words), "’".join(words)):
        assert same_family_name(other, birth_name=name)
        assert same_family_name(name, birth_name=other)


@given(st.lists(LETTERS, min_size=1, max_size=3), st.lists(LETTERS, min_size=1, max_size=3))
def test_first_names_match_whoever_is_asked_first(ours, theirs):
    ours, theirs = " ".join(ours), " ".join(theirs)
    assert same_first_names(ours, ours)
    assert same_first_names(ours, theirs) == same_first_names(theirs, ours)


@given(st.lists(LETTERS, min_size=2, max_size=4))
def test_a_compound_name_is_never_matched_by_its_first_half(words):
    compound = "-".join(words)
    # "a" + "a" would be "aa", which another single name may be.
    assert same_first_names(words[0], compound) == ("".join(words) == words[0])

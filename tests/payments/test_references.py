"""The reference of a transfer: what people type, what banks do to it, and what is still found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649, luhn

from dossiers import payment_references as references

NUMBER = "12345678903"
REFERENCE = "RF62 1234 5678 903"


def numbers():
    first = st.integers(min_value=1_000_000_000, max_value=9_999_999_999).map(str)
    return first.map(lambda digits: digits + luhn.calc_check_digit(digits))


def test_a_reference_is_the_standard_one():
    assert references.of(NUMBER) == REFERENCE
    assert iso11649.is_valid(REFERENCE)


@pytest.mark.parametrize(
    "text",
    [
        REFERENCE,
        "RF6212345678903",
        "rf62 1234 5678 903",
        "VIR SEPA RECU /RFB RF62 1234 5678 903 MERCI",
        "Formation RF62-1234-5678-903",
        "R F 62 12 34 56 78 90 3",
        "62 1234 5678 903",
        "6212345678903",
        "12345678903",
        "dossier 1234 5678 903",
        "RF 12345678903",
        "facture 2026 RF62 1234 5678 903",
        "NOTPROVIDED RF62.1234.5678.903;",
    ],
)
def test_it_is_found_however_it_is_typed(text):
    assert references.find(text).sure == {NUMBER}


@pytest.mark.parametrize(
    "text",
    [
        "RF62 1234 5678 904",
        "RF63 1234 5678 903",
        "RF62 1234 5578 903",
        "12345678913",
        "dossier 1234 5678 902",
    ],
)
def test_one_wrong_digit_is_near_and_never_sure(text):
    found = references.find(text)
    assert NUMBER not in found.sure
    assert NUMBER in found.near


@pytest.mark.parametrize(
    "text", ["", "merci", "RF", "RF62", "2026", "loyer novembre 2026", "1234", "RF99 8888 7777 666", "٣" * 11]
)
def test_nothing_is_made_of_nothing(text):
    found = references.find(text)
    assert NUMBER not in found.sure | found.near


@given(
    numbers(), st.sampled_from(["", " ", ".", "-", "/"]), st.booleans(), st.sampled_from(["", "VIR ", "lui "])
)
def test_any_reference_is_found_again(number, sign, is_lower, before):
    text = before + sign.join(references.of(number).split())
    assert references.find(text.lower() if is_lower else text).sure == {number}


@given(numbers(), st.integers(0, 12), st.integers(1, 9))
def test_any_single_wrong_digit_is_told_from_the_truth(number, position, shift):
    digits = references.compact(number)[2:]
    wrong = str((int(digits[position]) + shift) % 10)
    found = references.find("RF" + digits[:position] + wrong + digits[position + 1 :])
    assert number in found.near
    assert found.sure == frozenset()


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text):
    found = references.find(text)
    assert found.sure.isdisjoint(found.near)
    assert all(luhn.is_valid(number) for number in found.sure | found.near)

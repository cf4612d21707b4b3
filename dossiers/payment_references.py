"""The reference that people write on a transfer, and how it is found again in what a bank hands over. Pure.

An ISO 11649 creditor reference: « RF », two check digits (mod 97-10), then the dossier's number, whose last
digit is itself a check digit (Luhn). Both together find a reference typed without its first letters, and tell
one wrong digit from another dossier's number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stdnum import iso11649, luhn
from stdnum.iso7064 import mod_97_10

NUMBER_DIGITS = 11
# What bank programs put between the parts of a reference.
SEPARATORS = re.compile(r"[\s.,;:/_\-]+")
DIGITS = re.compile(r"(?P<prefix>R\s*F[\s.,;:/_\-]*)?(?P<digits>\d(?:[\s.,;:/_\-]*\d)*)", re.IGNORECASE)


def of(number: str) -> str:
    """« RF45 1234 5678 903 »: the reference of the dossier with this number, as it is shown and copied."""
    return iso11649.format(compact(number))


def compact(number: str) -> str:
    """The same without spaces, as banks hand it over."""
    return f"RF{mod_97_10.calc_check_digits(f'{number}RF')}{number}"


@dataclass(frozen=True, slots=True)
class Found:
    """Dossier numbers that a text may mean: surely (check digits hold), or nearly (one digit wrong)."""

    sure: frozenset[str]
    near: frozenset[str]


def find(text: str) -> Found:
    """Look for references in free text. Spaces, case, signs and a missing « RF » or prefix do not matter.

    Sure: the number's own check digit holds and, where two digits stand before it, they are the reference's.
    Near: every number that differs by one digit from what was typed, and whose check digits hold.
    """
    sure: set[str] = set()
    near: set[str] = set()
    for digits in _runs(text):
        if len(digits) == NUMBER_DIGITS + 2:
            check, number = digits[:2], digits[2:]
            if compact(number)[2:4] == check and luhn.is_valid(number):
                sure.add(number)
            else:
                near |= {found[2:] for found in _one_digit_off(digits) if _holds(found)}
        elif len(digits) == NUMBER_DIGITS:
            if luhn.is_valid(digits):
                sure.add(digits)
            else:
                # Without its prefix, only the Luhn digit speaks: many numbers are one digit away.
                near |= {found for found in _one_digit_off(digits) if luhn.is_valid(found)}
    return Found(frozenset(sure), frozenset(near - sure))


def _runs(text: str) -> Iterator[str]:
    """Each run of digits that is as long as a reference or a number, among others or alone.

    After « RF » it begins there, and nowhere else: check digits that are typed must hold.
    """
    for match in DIGITS.finditer(text):
        parts = SEPARATORS.split(match["digits"])
        has_prefix = bool(match["prefix"])
        if has_prefix and len("".join(parts)) >= NUMBER_DIGITS + 2:
            yield "".join(parts)[: NUMBER_DIGITS + 2]
            continue
        # « 15 45 1234 5678 903 »: the pieces of one reference stand side by side.
        for start in range(1 if has_prefix else len(parts)):
            joined = ""
            for part in parts[start:]:
                joined += part
                if len(joined) in (NUMBER_DIGITS, NUMBER_DIGITS + 2):
                    yield joined
                if len(joined) > NUMBER_DIGITS + 2:
                    break


def _holds(digits: str) -> bool:
    return iso11649.is_valid(f"RF{digits}") and luhn.is_valid(digits[2:])


def _one_digit_off(digits: str) -> Iterator[str]:
    for position, was in enumerate(digits):
        for other in "0123456789":
            if other != was:
                yield digits[:position] + other + digits[position + 1 :]

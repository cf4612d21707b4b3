"""The social-security number (NIR): read, checked, kept encrypted, found by a keyed digest, shown masked.

It is never logged, never in a repr, and hidden from error reports (`sensitive_variables`).
`settings.NIR_KEYS`: the first key encrypts and signs, the others still read;
`manage.py rotate_nir_keys` moves everything to the first, then the others may go.
"""

import datetime
import unicodedata

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.fr import nir as register

LENGTH = 15
# First digit: born or registered (1, 2), waiting for registration (3, 4), temporary (7, 8).
# Arrêté et fiches Insee du répertoire (RNIPP).
_MALE, _FEMALE = frozenset("137"), frozenset("248")
# 13 to 19 are never given; 20 and more stand for a month the register does not know.
_UNKNOWN_MONTHS = frozenset(range(20, 43)) | frozenset(range(50, 100))
_SALT = "accounts.nir"


class NirRefused(ValueError):
    """This cannot be that person's number; the message says why, in French, without repeating it."""


def normalise(text: str) -> str:
    """« 1 85 05 78 006 084 91 » → "185057800608491": blanks, dots and hyphens are only for reading."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in text if not sign.isspace() and sign not in ".-\u2011\u2013").upper()


@sensitive_variables()
def check(text: str, *, birth_date: datetime.date | None = None, sex: str = "") -> str:
    """The 15 characters, checked against its key and against the person. NirRefused: what is wrong."""
    number = normalise(text)
    if len(number) != LENGTH:
        raise NirRefused(_("Le numéro compte 15 caractères, clé comprise."))
    try:
        register.validate(number)
    except InvalidChecksum:
        raise NirRefused(
            _("Ce numéro comporte une erreur : ses deux derniers chiffres, la clé, ne correspondent pas.")
        ) from None
    except (ValidationError, ValueError):
        raise NirRefused(_("Le numéro ne contient que des chiffres, sauf 2A ou 2B pour la Corse.")) from None
    if number[0] not in _MALE | _FEMALE:
        raise NirRefused(_("Ce numéro commence par un chiffre qui n’existe pas."))
    month = int(number[3:5])
    if not 1 <= month <= 12 and month not in _UNKNOWN_MONTHS:
        raise NirRefused(_("Ce numéro contient un mois de naissance qui n’existe pas."))
    if birth_date is not None and (
        int(number[1:3]) != birth_date.year % 100 or (month <= 12 and month != birth_date.month)
    ):
        raise NirRefused(_("Ce numéro ne correspond pas à la date de naissance."))
    if (sex == "M" and number[0] in _FEMALE) or (sex == "F" and number[0] in _MALE):
        raise NirRefused(_("Ce numéro ne correspond pas au sexe indiqué."))
    return number


@sensitive_variables()
def encrypt(number: str) -> bytes:
    return _fernet().encrypt(number.encode())


@sensitive_variables()
def decrypt(token: bytes) -> str:
    """NirRefused: no key of `settings.NIR_KEYS` opens it."""
    try:
        return _fernet().decrypt(bytes(token)).decode()
    except InvalidToken:
        raise NirRefused(_("Ce numéro a été chiffré avec une clé qui n’est plus connue.")) from None


def digest(number: str) -> str:
    """What stands for the number in the database: 64 hexadecimal signs that nothing but the key can redo."""
    return digests(number)[0]


@sensitive_variables()
def digests(number: str) -> list[str]:
    """Its digest with every key, the current one first: to find rows not rotated yet."""
    return [_hmac(number, key) for key in settings.NIR_KEYS]


@sensitive_variables()
def mask(number: str) -> str:
    """« 1 85 ** ** *** *** ** »: sex and year only."""
    return f"{number[0]} {number[1:3]} ** ** *** *** **"


def masked(token: bytes | None) -> str:
    """The mask of an encrypted number; nothing for none."""
    return mask(decrypt(token)) if token else ""


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.NIR_KEYS])


@sensitive_variables()
def _hmac(value: str, key: str) -> str:
    return salted_hmac(_SALT, value, secret=key, algorithm="sha256").hexdigest()

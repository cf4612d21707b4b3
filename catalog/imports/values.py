"""What a cell or an element says, as a value. Pure; each function raises `Wrong` with a French sentence."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from django.utils.translation import gettext as _
from stdnum.fr import siret as siret_number

COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
AMOUNT = re.compile(r"-?\d{1,12}(?:[.,]\d+)?", re.ASCII)
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MIN_YEAR, MAX_YEAR = 1900, 2200
# ISO 639-1, as its registration authority publishes it.
_LANGUAGES = """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia
    id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl
    ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"""
LANGUAGES = frozenset(_LANGUAGES.split())
MAX_CENTS = 999_999_999_999  # 9 999 999 999,99 €, the largest price of the portal's own format


class Wrong(Exception):
    """The text is not a value of that kind; `str()` says what was found and what was awaited."""


def french_date(text: str | None) -> date | None:
    """`31/08/2026`. Nothing written: None."""
    text = (text or "").strip()
    if not text:
        return None
    found = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", text, re.ASCII)
    if found:
        day, month, year = map(int, found.groups())
        if value := _date(year, month, day):
            return value
    raise Wrong(_("« %(text)s » n'est pas une date (on attend JJ/MM/AAAA).") % {"text": short(text)})


def compact_date(text: str | None) -> date | None:
    """`20270101`. Nothing written, or the format's own « unknown » (00000000): None."""
    text = (text or "").strip()
    if not text or text == "00000000":
        return None
    found = COMPACT_DATE.fullmatch(text)
    if found:
        year, month, day = map(int, found.groups())
        if day == 0 and 1 <= month <= 12:
            raise Wrong(
                _("« %(text)s » donne le mois sans le jour : indiquez une date complète.") % {"text": text}
            )
        if value := _date(year, month, day):
            return value
    raise Wrong(_("« %(text)s » n'est pas une date (on attend AAAAMMJJ).") % {"text": short(text)})


def _date(year: int, month: int, day: int) -> date | None:
    if not MIN_YEAR <= year <= MAX_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def cents(text: str) -> int:
    """`600.60` or `600,6` euros, as cents, exactly."""
    text = text.strip()
    if not AMOUNT.fullmatch(text):
        raise Wrong(_("« %(text)s » n'est pas un montant en euros.") % {"text": short(text)})
    amount = Decimal(text.replace(",", ".")) * 100
    if amount < 0:
        raise Wrong(_("le montant « %(text)s » est négatif.") % {"text": short(text)})
    if amount != amount.to_integral_value():
        raise Wrong(_("le montant « %(text)s » a plus de deux décimales.") % {"text": short(text)})
    if amount > MAX_CENTS:
        raise Wrong(_("le montant « %(text)s » est trop grand.") % {"text": short(text)})
    return int(amount)


def per_mille(text: str) -> int:
    """`5.5` percent, as 55 per mille."""
    try:
        value = Decimal(text.strip().replace(",", ".")) * 10
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= 1000:
        raise Wrong(_("« %(text)s » n'est pas un taux de TVA.") % {"text": short(text)})
    return int(value)


def language(text: str) -> str:
    """`FR` or `fr`, as `fr`."""
    code = text.strip().lower()
    if code not in LANGUAGES:
        raise Wrong(
            _("« %(text)s » n'est pas un code de langue (norme ISO 639-1 : FR, EN…).") % {"text": short(text)}
        )
    return code


def whole(text: str, *, maximum: int) -> int:
    """A whole number from 0 to `maximum`."""
    text = text.strip()
    if not WHOLE.fullmatch(text) or int(text) > maximum:
        raise Wrong(
            _("« %(text)s » n'est pas un nombre entier de 0 à %(maximum)d.")
            % {"text": short(text), "maximum": maximum}
        )
    return int(text)


def siret(text: str | None) -> str:
    """14 digits, spaces dropped, with their check digit (La Poste's own rule included)."""
    digits = "".join((text or "").split())
    if not digits:
        raise Wrong(_("le SIRET manque."))
    if not re.fullmatch(r"\d{14}", digits, re.ASCII):
        raise Wrong(_("le SIRET « %(text)s » n'a pas 14 chiffres.") % {"text": short(digits)})
    if not _exists(digits):
        raise Wrong(
            _("le SIRET « %(siret)s » n'existe pas : sa clé de contrôle est fausse.") % {"siret": digits}
        )
    return digits


LA_POSTE = "356000000"
# Each digit twice over, its own digits added up: 7 → 14 → 5.
_TWICE = str.maketrans("0123456789", "0246813579")


@lru_cache(maxsize=50_000)
def _exists(digits: str) -> bool:
    """Kept in mind: the same organisations come back all along a register.

    The library took a third of a register's time: it judges La Poste, whose rule is its own.
    """
    if digits.startswith(LA_POSTE):
        return siret_number.is_valid(digits)
    return digits != "0" * 14 and _sums(digits[:9][::-1]) and _sums(digits[::-1])


def _sums(backwards: str) -> bool:
    """Luhn's check, on digits from the last to the first."""
    total = sum(map(int, backwards[::2])) + sum(map(int, backwards[1::2].translate(_TWICE)))
    return total % 10 == 0


def line(text: str | None) -> str:
    """One line: blanks of every sort become one space, control characters go."""
    text = text or ""
    return " ".join((text if text.isprintable() else CONTROLS.sub(" ", text)).split())


def short(text: str, size: int = 60) -> str:
    """For quoting in a sentence."""
    text = line(text)
    return text if len(text) <= size else text[: size - 1] + "…"

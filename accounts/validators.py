"""What a field may hold, whoever writes it: a form, an import, an administrator."""

import datetime
import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from stdnum.fr import siret

# ASCII digits only: \d would accept those of every script.
check_postal_code = RegexValidator(
    r"\A(0[1-9]|[1-8][0-9]|9[0-8])[0-9]{3}\Z",
    _("Le code postal compte 5 chiffres, par exemple 35000."),
    code="postal_code",
)
_PHONE = re.compile(r"(?:\+33|0033|0)([1-9][0-9]{8})", re.ASCII)


def french_phone(text: str) -> str:
    """« +33 (0)6.12.34.56.78 » → « 06 12 34 56 78 »; empty stays so. ValidationError: not French."""
    if not text.strip():
        return ""
    bare = re.sub(r"[\s.\-()/]", "", text.replace("(0)", ""))
    found = _PHONE.fullmatch(bare)
    if not found:
        raise ValidationError(
            _("Ce numéro n’est pas reconnu. Il compte 10 chiffres, par exemple 06 12 34 56 78."), code="phone"
        )
    number = f"0{found[1]}"
    return " ".join(number[start : start + 2] for start in range(0, 10, 2))


def check_siret(number: str) -> None:
    """ValidationError: not 14 digits, or a check digit that is wrong."""
    if not siret.is_valid(number) or siret.compact(number) != number:
        raise ValidationError(
            _("Ce SIRET n’est pas reconnu. Il compte 14 chiffres, par exemple 732 829 320 00074."),
            code="siret",
        )


# Nobody holds a diploma of these levels before that age.
YOUNGEST_GRADUATE = 12


def check_diploma_year(year: int, *, diploma: str, birth_date: datetime.date, on: datetime.date) -> None:
    """ValidationError: a year without its diploma, in the future, or before the person was twelve."""
    if diploma in ("", "none"):
        raise ValidationError(_("Choisissez d’abord le diplôme obtenu cette année-là."), code="diploma_year")
    if not birth_date.year + YOUNGEST_GRADUATE <= year <= on.year:
        raise ValidationError(
            _("Indiquez une année entre %(first)s et %(last)s."),
            code="diploma_year",
            params={"first": birth_date.year + YOUNGEST_GRADUATE, "last": on.year},
        )

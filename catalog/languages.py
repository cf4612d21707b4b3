"""The languages a training is given in: ISO 639-1 codes, and their names as people read them.

Names come from Django's own list, which is translated in both languages of the portal; a code that it does
not have (an import may bring any) is shown as it is.
"""

from collections.abc import Iterable

from django.conf import global_settings
from django.utils.translation import gettext as _

from ui import french

# Django knows Chinese by its scripts only; a training is not given in a script.
_NAMES = {code: name for code, name in global_settings.LANGUAGES if len(code) == 2}
CHINESE = "zh"
# What trainings are mostly given in: offered first, by frequency in France.
COMMON = ("fr", "en", "es", "de", "it", "pt", "ar", CHINESE)


def name_of(code: str) -> str:
    """« Français », in the language of the page; « XX » for a code nobody named."""
    if code == CHINESE:
        return _("Chinois")
    return _(_NAMES[code]) if code in _NAMES else code.upper()


def listed(codes: Iterable[str]) -> str:
    """« Français, anglais »: a name takes a capital in English only. "" for no code."""
    names = [name_of(code) for code in codes]
    return ", ".join(names) if french.is_english() else french.listed(names)


def choices(codes: Iterable[str]) -> list[tuple[str, str]]:
    return [(code, name_of(code)) for code in codes]


def others() -> list[tuple[str, str]]:
    """Every language we have a name for and that is not common, by name."""
    return sorted(choices(code for code in _NAMES if code not in COMMON), key=lambda pair: pair[1].casefold())

"""Levels of the national framework (décret n° 2019-14), as people read them."""

from django.utils.translation import gettext_lazy as _

NONE_ASKED = 0
"""An offer that asks for no level at its beginning (`Offer.entry_level`)."""

OBTAINED = (
    (3, _("Niveau 3 : CAP, BEP")),
    (4, _("Niveau 4 : baccalauréat")),
    (5, _("Niveau 5 : bac + 2")),
    (6, _("Niveau 6 : bac + 3 ou 4")),
    (7, _("Niveau 7 : bac + 5")),
    (8, _("Niveau 8 : doctorat")),
)

ENTRY_LEVELS = ((NONE_ASKED, _("Aucun niveau demandé")), *OBTAINED)


def entry_level_words(level: int | None) -> str:
    """« Niveau 4 : baccalauréat »; "" where nothing is said."""
    return "" if level is None else str(dict(ENTRY_LEVELS)[level])

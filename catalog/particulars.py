"""What an offer says besides: how it is taught, what there is on the spot, what its other fees are for.

Plain values under fixed names, in one column (`Offer.particulars`), those that are told alone: a file of the
portal's format says them, the offer's page shows them, an export says them again. Nothing filters by them.
"""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

# Name → the most letters that the format has room for.
TEXTS = {"pedagogy": 200, "meals": 250, "housing": 250, "transport": 250, "building": 250, "fees": 250}
# The format's codes of « parcours-de-formation » (handbook 5.1), without « 1 », in a group: the format wants
# a code, and that one stands where nothing is said.
COURSES = {
    "2": gettext_lazy("Individuel"),
    "3": gettext_lazy("Par modules"),
    "4": gettext_lazy("En partie en groupe, en partie individuel"),
}
# What real files write for nothing.
NOTHING = {"", "0", "-", "/", "n/a", "na", "néant", "neant", "sans objet"}


def kept(told: dict[str, Any]) -> dict[str, Any]:
    """Those that say something, texts cut to what the format has room for."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name in TEXTS:
            value = value[: TEXTS[name]].strip()
            if value.casefold() not in NOTHING:
                found[name] = value
        elif value:
            found[name] = value
    return found


def of_the_teaching(told: dict[str, Any], *, hours: int | None) -> list[tuple[str, str]]:
    """(label, words), for a page."""
    company = told.get("company_hours")
    in_company = ""
    if company and hours:
        in_company = ngettext("%(n)s heure sur %(hours)s", "%(n)s heures sur %(hours)s", company) % {
            "n": company,
            "hours": hours,
        }
    return _told(
        (_("Déroulement"), str(COURSES.get(told.get("course", ""), ""))),
        (_("Dont en entreprise"), in_company),
        (_("Pédagogie"), told.get("pedagogy", "")),
    )


def on_the_spot(told: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, words), for a page."""
    return _told(
        (_("Repas"), told.get("meals", "")),
        (_("Logement"), told.get("housing", "")),
        (_("Transports"), told.get("transport", "")),
        (_("Bâtiment"), told.get("building", "")),
        (_("Règles d’accessibilité"), _("respectées, d’après l’organisme") if told.get("complies") else ""),
    )


def _told(*lines: tuple[str, str]) -> list[tuple[str, str]]:
    return [(label, words) for label, words in lines if words]

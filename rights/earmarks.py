"""What a funder reserves its money for: some certifications, some levels, trainings that start in a period.

Pure. Since 17 April 2025 funders may earmark a dotation, give it a last day of use and have the rest back.
An empty list allows everything; dates are those of the training's first day, both included.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ui import french

CODE = re.compile(r"(RNCP|RS)\d{1,6}")
LEVELS = range(1, 9)


class EarmarkRefused(ValueError):
    """Conditions that make no sense; the message is French."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """An earmark as plain values, sorted: the same conditions are equal."""

    certifications: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    starts_from: datetime.date | None = None
    starts_until: datetime.date | None = None

    @property
    def is_free(self) -> bool:
        return not (self.certifications or self.levels or self.starts_from or self.starts_until)

    def obstacle(self, *, certification: str, level: int | None, starts_on: datetime.date | None) -> str:
        """Why this training is not one of those, in a sentence; empty when it is.

        A start that nobody knows yet is judged later.
        """
        if self.certifications and certification not in self.certifications:
            return _("Réservé à : %s.") % ", ".join(self.certifications)
        if self.levels and level not in self.levels:
            return _("Réservé aux certifications de niveau %s.") % _either(self.levels)
        if starts_on and self.starts_from and starts_on < self.starts_from:
            return _("Réservé aux formations qui commencent à partir du %s.") % french.short_day(
                self.starts_from
            )
        if starts_on and self.starts_until and starts_on > self.starts_until:
            return _("Réservé aux formations qui commencent au plus tard le %s.") % french.short_day(
                self.starts_until
            )
        return ""

    def within(self, wider: "Conditions") -> bool:
        """Whoever set `wider` accepts these: every training they allow, it allows too."""
        return (
            (not wider.certifications or _is_part(self.certifications, wider.certifications))
            and (not wider.levels or _is_part(self.levels, wider.levels))
            and (wider.starts_from is None or (self.starts_from or datetime.date.min) >= wider.starts_from)
            and (wider.starts_until is None or (self.starts_until or datetime.date.max) <= wider.starts_until)
        )

    def words(self) -> list[str]:
        """Each condition in a few words, for who reads what a purse may pay."""
        said = []
        if self.certifications:
            said.append(
                ngettext("certification %s", "certifications %s", len(self.certifications))
                % ", ".join(self.certifications)
            )
        if self.levels:
            said.append(_("niveau %s") % _either(self.levels))
        if self.starts_from:
            said.append(_("début à partir du %s") % french.short_day(self.starts_from))
        if self.starts_until:
            said.append(_("début au plus tard le %s") % french.short_day(self.starts_until))
        return said


FREE = Conditions()


def conditions(
    *,
    certifications: Sequence[str] = (),
    levels: Sequence[int] = (),
    starts_from: datetime.date | None = None,
    starts_until: datetime.date | None = None,
) -> Conditions:
    """Checked and sorted. EarmarkRefused."""
    for code in certifications:
        if not CODE.fullmatch(code):
            raise EarmarkRefused(
                _("« %s » n’est pas un code de certification (exemples : RNCP35809, RS6604).") % code[:40]
            )
    for level in levels:
        if level not in LEVELS:
            raise EarmarkRefused(_("« %s » n’est pas un niveau de certification, de 1 à 8.") % level)
    if starts_from and starts_until and starts_until < starts_from:
        raise EarmarkRefused(_("La période réservée finit avant de commencer."))
    return Conditions(
        certifications=tuple(sorted(set(certifications))),
        levels=tuple(sorted(set(levels))),
        starts_from=starts_from,
        starts_until=starts_until,
    )


def _is_part(some: Sequence, of: Sequence) -> bool:
    return bool(some) and set(some) <= set(of)


def _either(levels: Sequence[int]) -> str:
    first, last = ", ".join(map(str, levels[:-1])), str(levels[-1])
    return _("%(first)s ou %(last)s") % {"first": first, "last": last} if first else last

"""The statement as a PDF: the same lines as the page and the CSV, on paper, with the last seal.

What is laid out is `papers/statement.typ`; here are its facts, every word translated.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import HolderProfile
from rights.kinds import Unit
from rights.ledger import amount_in_words
from rights.models import Seal
from rights.statements import HISTORY_KINDS, History, Line, PocketLine, Statement
from rulebook.workdays import as_paris, paris_day
from ui import french

TEMPLATE = Path(__file__).parent / "papers" / "statement.typ"
LINES_MAX = 5_000
"""A person has some hundreds; beyond this, a statement a year (docs/adr/0008 says what was measured)."""
SHORT = 16


@dataclass(frozen=True)
class Cut:
    """The lines that fit. `before`: the year that begins what was left out; 0 when nothing was."""

    lines: list[Line]
    before: int
    is_within_year: bool = False


def cut(history: History, limit: int = LINES_MAX) -> Cut:
    """The newest whole years that fit; where one year alone is too long, its newest lines."""
    lines = history[: limit + 1]
    if len(lines) <= limit:
        return Cut(lines, 0)
    left_out = as_paris(lines[limit].recorded_at).year
    whole = [line for line in lines[:limit] if as_paris(line.recorded_at).year > left_out]
    return Cut(whole, left_out) if whole else Cut(lines[:limit], left_out, is_within_year=True)


def facts(
    holder: HolderProfile,
    *,
    statement: Statement,
    head: Seal | None,
    at: datetime.datetime,
    year: int | None = None,
    kind: str = "",
    address: str = "",
) -> dict[str, Any]:
    """What the template lays out. `address`: where the verifiable file is. One query, for the lines."""
    shown = cut(statement.history)
    day = paris_day(at)
    return {
        "language": (translation.get_language() or "fr")[:2],
        "made_on": {"year": day.year, "month": day.month, "day": day.day},
        "words": {
            "portal": _("Portail formation"),
            "title": _("Relevé de droits"),
            "page": _("Page {number} sur {total}"),
            "balances": _("Vos droits le %s") % french.short_day(day),
            "nothing": _("Aucun droit n’est encore inscrit."),
            "movements": _movements_title(statement, year),
            "no_movement": _("Aucune opération."),
            "proof": _("Vérifier ce relevé"),
        },
        "footer": f"{holder.display_name} · {french.short_day(day)}",
        "about": [
            [_("Titulaire"), holder.display_name],
            [_("Référence du compte"), holder.reference],
            [_("Fait le"), french.moment(at)],
            [_("Opérations"), _how_many(shown.lines)],
        ],
        "pocket_heads": [_("Origine"), _("À utiliser"), _("Réservé"), _("Disponible")],
        "pockets": [_pocket(line) for line in statement.pockets],
        "totals": _totals(statement),
        "line_heads": [_("Date"), _("Opération"), _("Montant"), _("Solde après")],
        "lines": [_line(line) for line in shown.lines],
        "notes": _notes(shown, statement, kind),
        "proof": _proof(head, address),
    }


def _movements_title(statement: Statement, year: int | None) -> str:
    title = _("Opérations de %s") % year if year else _("Toutes les opérations")
    return f"{title} · {_name(statement.pocket)}" if statement.pocket else title


def _how_many(lines: list[Line]) -> str:
    return ngettext("%s opération", "%s opérations", len(lines)) % len(lines)


def _name(pocket: PocketLine) -> str:
    return " · ".join(part for part in (str(pocket.name), pocket.funder) if part)


def _pocket(line: PocketLine) -> list[str]:
    if line.is_expired:
        until = _("terminé depuis le %s") % french.short_day(line.expires_on)
    elif line.expires_on:
        until = _("jusqu’au %s") % french.short_day(line.expires_on)
    else:
        until = _("sans limite de date")
    return [_name(line), until, line.reserved_in_words or "–", line.balance_in_words]


def _totals(statement: Statement) -> list[list[str]]:
    """One a unit: euros and hours are never added."""
    totals = [[_("Total utilisable, en euros"), french.euros(statement.total_cents)]]
    if statement.has_hours:
        totals.append([_("Total en heures, avec l’employeur public"), statement.hours_in_words])
    if statement.unusable_cents:
        totals.append(
            [_("Terminé, ne peut plus payer"), amount_in_words(statement.unusable_cents, Unit.EUR_CENT)]
        )
    return totals


def _line(line: Line) -> list[str]:
    detail = " · ".join(part for part in (line.pocket, line.reason) if part)
    return [
        french.short_day(line.recorded_at),
        line.words,
        detail,
        line.effect_in_words,
        line.balance_in_words,
    ]


def _notes(shown: Cut, statement: Statement, kind: str) -> list[str]:
    notes = [_("La plus récente d’abord. Le solde est celui qui restait juste après l’opération.")]
    if kind:
        notes.append(_("Seulement : %s.") % HISTORY_KINDS[kind])
    if shown.is_within_year:
        notes.append(
            _("Ce relevé s’arrête à %(count)s lignes. Le fichier CSV de %(year)s les contient toutes.")
            % {"count": len(shown.lines), "year": shown.before}
        )
    elif shown.before:
        notes.append(
            _("Ce relevé commence en %(first)s. Pour %(before)s et avant, demandez un relevé par année.")
            % {"first": as_paris(shown.lines[-1].recorded_at).year, "before": shown.before}
        )
    return notes


def _proof(head: Seal | None, address: str) -> list[str]:
    """The last seal, and how to compare with it."""
    if head is None:
        sealed = _("Aucun jour n’est encore scellé.")
    else:
        short = " ".join(head.hash[start : start + 4] for start in range(0, SHORT, 4))
        sealed = _("Dernier jour scellé : %(day)s. Son empreinte commence par %(hash)s.") % {
            "day": french.short_day(head.day),
            "hash": short,
        }
    return [
        sealed,
        _(
            "Pour prouver que rien n’a changé, téléchargez le relevé vérifiable (JSON) dans "
            "« Mes droits » : %s"
        )
        % address,
        _(
            "Puis, avec le logiciel libre du portail : python manage.py verify_statement FICHIER. "
            "Il recalcule chaque empreinte sans nous, et donne la même pour ce jour."
        ),
    ]

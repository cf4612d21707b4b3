"""What an organisation's answer would do if it were sent now: told beside the form, before the click.

Writes nothing. What stands against it comes from the same guards as the verb's.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import rulebook
from dossiers import clocks, guards, inbox, terms
from dossiers.models import Dossier
from dossiers.states import ClockKind
from rulebook import workdays
from ui import french


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check. `tone`: "lost" (it would be refused), "waiting" (look twice) or "done"."""

    tone: str
    sentence: str


def findings(dossier: Dossier, proposal: dict[str, Any] | None, *, at: datetime) -> list[Finding]:
    """What a proposal of these terms would meet now; None: what can be said before they are complete.

    `proposal` holds price_cents, starts_on, ends_on and change_reason.
    """
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    found = []
    if proposal:
        judged = guards.judge_each([dossier], on=today, rules=rules)[dossier.pk]
        refusals = guards.proposal_obstacles(dossier, judged, **proposal, at=at, rules=rules)
        found += [Finding("lost", refusal.message) for refusal in refusals]
        offered = terms.of(proposal["price_cents"], proposal["starts_on"], proposal["ends_on"])
        found += _changes(judged.asked, offered)
    starts_on = proposal["starts_on"] if proposal else None
    earliest = workdays.earliest_start(today, rules.earliest_start_days)
    if starts_on is None or starts_on >= earliest:
        found.append(
            Finding(
                "done",
                _("La formation peut commencer à partir du %(day)s : la loi laisse %(count)s jours ouvrés.")
                % {"day": french.day(earliest), "count": rules.earliest_start_days},
            )
        )
    found += _room(dossier, at=at)
    if starts_on is None or starts_on > today:
        until = clocks.period_of(ClockKind.HOLDER_ANSWER, at=at, rules=rules, starts_on=starts_on).expires_at
        found.append(
            Finding(
                "done",
                _("Envoyée maintenant, votre proposition pourra être validée jusqu’au %(due)s.")
                % {"due": french.last_minute(until)},
            )
        )
    return found


def _changes(asked: dict[str, Any], offered: dict[str, Any]) -> list[Finding]:
    changed = terms.changed(asked, offered)
    found = []
    if "price_cents" in changed:
        found.append(
            Finding(
                "waiting",
                _("Le prix change : %(asked)s demandés, %(offered)s proposés.")
                % {
                    "asked": french.euros(asked["price_cents"]),
                    "offered": french.euros(offered["price_cents"]),
                },
            )
        )
    if "starts_on" in changed:
        found.append(Finding("waiting", _("Le premier jour change : %s demandé.") % _day(asked["starts_on"])))
    if "ends_on" in changed:
        found.append(Finding("waiting", _("Le dernier jour change : %s demandé.") % _day(asked["ends_on"])))
    return found


def _day(text: str) -> str:
    return french.day(date.fromisoformat(text))


def _room(dossier: Dossier, *, at: datetime) -> list[Finding]:
    """Places of its session. Entry at any time has no group to fill."""
    if dossier.session.is_permanent:
        return []
    places = inbox.places_of([dossier.session], at=at)[dossier.session_id]
    if places.left is None:
        if not places.taken:
            return []
        words = ngettext(
            "%(n)d inscription est déjà confirmée à cette session.",
            "%(n)d inscriptions sont déjà confirmées à cette session.",
            places.taken,
        )
        return [Finding("done", words % {"n": places.taken})]
    if not places.left:
        return [
            Finding(
                "waiting",
                _("Cette session est pleine : %(total)s places, %(taken)s confirmées, %(offered)s proposées.")
                % {"total": places.total, "taken": places.taken, "offered": places.offered},
            )
        ]
    words = ngettext(
        "Il reste %(n)d place sur %(total)d à cette session.",
        "Il reste %(n)d places sur %(total)d à cette session.",
        places.left,
    )
    return [Finding("done", words % {"n": places.left, "total": places.total})]

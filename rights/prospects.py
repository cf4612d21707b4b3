"""The forecast of one holder: what is known of their last year, read from the ledger (`rights.forecast`)."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.models import HolderProfile
from rights import forecast
from rights.crediting import Account, NotCreditable, Situation, account_of, quantity
from rights.kinds import DeclarationState, Measure, WorkStatus
from rights.models import Declaration, YearlyCredit, YearlyStatement
from rulebook.rules import CreditingRules

MOST_STATEMENTS = 50
"""Of one year; a person with more employers has a year that no forecast tells."""


@dataclass(frozen=True)
class Prospects:
    """What the forecast rests on, in words, and the forecast."""

    known_year: int
    known: list[str]
    forecast: forecast.Forecast


def prospects(
    holder: HolderProfile, *, today: datetime.date, rules: CreditingRules, balances: Mapping[str, int]
) -> Prospects | None:
    """What the coming years would give; None while nothing is known of any year. Three queries.

    `balances`: what the capped rights hold, by unit.
    """
    statements = list(
        YearlyStatement.objects.filter(holder=holder, superseded_at__isnull=True).order_by("-year", "id")[
            :MOST_STATEMENTS
        ]
    )
    if not statements:
        return None
    known_year = statements[0].year
    last = [statement for statement in statements if statement.year == known_year]
    credited = YearlyCredit.objects.filter(holder=holder).aggregate(last=Max("year"))["last"]
    declared = list(
        Declaration.objects.filter(holder=holder, state=DeclarationState.CONFIRMED).order_by("id")
    )

    def account_in(year: int) -> Account:
        kinds = {
            each.kind
            for each in declared
            if each.from_year <= year and (each.until_year is None or year <= each.until_year)
        }
        return account_of(
            kinds,
            is_told_boe=any(statement.boe for statement in last),
            is_closed=holder.status in rules.statuses_closing_account,
            age=year - holder.birth_date.year,
            balances=balances,
        )

    first_year = forecast.first_year_to_come(
        known=known_year,
        is_credited=credited is not None and credited >= known_year,
        today=today,
        rules=rules,
    )
    try:
        found = forecast.forecast(
            [situation_of(statement) for statement in last],
            account_in=account_in,
            rules=rules,
            first_year=first_year,
        )
    except NotCreditable:
        # Its own import would have refused it; a rule may have ended since.
        return None
    return Prospects(known_year, [_in_words(statement) for statement in last], found)


def situation_of(statement: YearlyStatement) -> Situation:
    """What a statement says, as the sums want it; absences are kept in hundredths."""
    return Situation(
        status=WorkStatus(statement.status),
        measure=Measure(statement.measure) if statement.measure else None,
        worked=None if statement.worked is None else Fraction(statement.worked),
        reference=None if statement.reference is None else Fraction(statement.reference),
        absences={kind: Fraction(amount, 100) for kind, amount in statement.absences.items()},
        agreed_cents=statement.agreed_cents,
        is_paid_up=statement.is_paid_up,
    )


def _in_words(statement: YearlyStatement) -> str:
    """« Salarié du privé, 800 h »."""
    status = str(statement.get_status_display())
    if statement.worked is None:
        return status
    worked = quantity(Fraction(statement.worked), Measure(statement.measure))
    return _("%(status)s, %(worked)s") % {"status": status, "worked": worked}

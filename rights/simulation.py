"""The simulator: what one situation gives in its year. No database.

`answer` serves the command: a situation in JSON, what it gives in JSON; a line that makes no sense gives an
error, in French, in its place. Format and limits: docs/simulate-rights.md. The page (rights.views.simulator)
asks the same law and the same arithmetic, which are those of the ledger (`rights.crediting`).
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from rights.crediting import PUBLIC, SELF_EMPLOYED, Account, NotCreditable, Situation, compute
from rights.kinds import Measure, Unit, WorkStatus
from rulebook.rules import CreditingRules, NoRuleInForce
from ui import json_lines
from ui.json_lines import BadLine, shown

MOST_DIGITS = 9
MOST_DECIMALS = 6
SMALLEST = Decimal(1).scaleb(-MOST_DECIMALS)
MOST_CENTS = 10_000_000_000
MOST_HOURS = 100_000
REFERENCES = {"reference_hours": Measure.HOURS, "reference_days": Measure.DAYS}
FLAGS = ("low_qualified", "boe")
BALANCES = {"balance_cents": Unit.EUR_CENT, "balance_hours": Unit.HOUR}
EXAMPLE = '{"status": …, "year": …}'
MOST_BALANCES = {"balance_cents": MOST_CENTS, "balance_hours": MOST_HOURS}
KEYS = ("status", "year", *Measure.values, *REFERENCES, *FLAGS, "agreement_cents", *BALANCES)

RulesOf = Callable[[int], CreditingRules]


def law_of(year: int, *, rules_of: RulesOf, this_year: int) -> CreditingRules:
    """The law a year of work is credited by. NotCreditable: the year is yet to come, or before any rule.

    `rules_of(year)`: that of 31 December of the year.
    """
    if year > this_year:
        raise NotCreditable(_("%s n’a pas encore commencé.") % year, about="year")
    try:
        return rules_of(year)
    except NoRuleInForce:
        raise NotCreditable(_("En %s, le compte n’existait pas encore.") % year, about="year") from None


def names_behind(situation: Situation, account: Account, *, rules: CreditingRules) -> list[str]:
    """The parameters of the rulebook that this result follows, the amount first."""
    status = situation.status
    if status in rules.statuses_closing_account:
        return ["statuses_closing_account"]
    if status in rules.statuses_without_credit:
        return ["statuses_without_credit"]
    if status == WorkStatus.ESAT:
        return ["esat_full_cents", "esat_cap_cents", "capped_purses"]
    if status in SELF_EMPLOYED:
        return ["self_employed_full_cents", "self_employed_cap_cents", "capped_purses"]
    measure = {
        Measure.HOURS: ["legal_annual_hours"],
        Measure.DAYS: ["days_contract_max"],
        Measure.PAY_CENTS: ["pay_reference_hours", "minimum_wage_cents"],
    }.get(situation.measure or Measure.MONTHS, [])
    if status in PUBLIC:
        is_c = status == WorkStatus.PUBLIC_CATEGORY_C
        return ["public_category_c_hour_steps" if is_c else "public_hour_steps", *measure, "capped_purses"]
    if rules.employee_unit == Unit.HOUR:
        return ["employee_hour_steps", *measure, "capped_purses"]
    is_low = account.low_qualified and status in rules.low_qualified_statuses
    is_boe = account.boe and status in rules.boe_statuses
    return [
        "annual_full_cents",
        *(["increased_full_cents"] if is_low else []),
        *(["boe_increase_cents"] if is_boe else []),
        *(["agreement_statuses"] if situation.agreed_cents and status in rules.agreement_statuses else []),
        "increased_cap_cents" if is_low or is_boe else "annual_cap_cents",
        "full_credit_threshold_percent",
        *measure,
        "capped_purses",
    ]


def answer(line: bytes, *, rules_of: RulesOf, this_year: int) -> dict[str, Any]:
    """What this line gives, or its error."""
    try:
        return _answer(json_lines.read(line, example=EXAMPLE), rules_of, this_year)
    except (BadLine, NotCreditable) as error:
        return {"error": str(error)}


def _answer(said: dict[str, Any], rules_of: RulesOf, this_year: int) -> dict[str, Any]:
    json_lines.check_keys(said, KEYS)
    json_lines.check_needed(said, ("status", "year"))
    status, year = WorkStatus(json_lines.choice(said, "status", WorkStatus.values)), _year(said)
    situation = _situation(said, status)
    rules = law_of(year, rules_of=rules_of, this_year=this_year)
    balances = {
        name: json_lines.whole(said, name, most=MOST_BALANCES[name]) for name in BALANCES if name in said
    }
    account = Account(
        low_qualified=json_lines.flag(said, "low_qualified"),
        boe=json_lines.flag(said, "boe"),
        balance_cents=balances.get("balance_cents", 0),
        balance_hours=balances.get("balance_hours", 0),
    )
    result = compute([situation], account=account, rules=rules)
    for name in balances:
        if BALANCES[name] != result.unit:
            raise BadLine(
                _("%(key)s : cette année-là, ces droits se comptent en %(unit)s.")
                % {"key": name, "unit": _("heures") if result.unit == Unit.HOUR else _("centimes d’euro")}
            )
    suffix = "hours" if result.unit == Unit.HOUR else "cents"
    return {
        f"credit_{suffix}": result.credit,
        f"lost_{suffix}": result.lost,
        f"cap_{suffix}": result.cap,
        "formula": result.sentence,
    }


# --- Reading ----------------------------------------------------------------------------------------


def _year(said: dict[str, Any]) -> int:
    year = said["year"]
    if type(year) is not int or not 0 < year <= 9999:
        raise BadLine(_("year : %s n’est pas une année.") % shown(year))
    return year


def _situation(said: dict[str, Any], status: WorkStatus) -> Situation:
    given = [measure for measure in Measure if measure in said]
    if len(given) > 1:
        raise BadLine(_("Un seul de : %s.") % ", ".join(given))
    measure = given[0] if given else None
    worked = None
    if measure:
        worked = (
            json_lines.whole(said, measure, most=MOST_CENTS)
            if measure == Measure.PAY_CENTS
            else _number(said, measure)
        )
    reference = None
    for name, its_measure in REFERENCES.items():
        if name in said:
            if measure and measure != its_measure:
                raise BadLine(
                    _("%(key)s ne va pas avec %(measure)s.") % {"key": name, "measure": str(measure)}
                )
            reference = _number(said, name)
    agreed = json_lines.whole(said, "agreement_cents", most=MOST_CENTS) if "agreement_cents" in said else 0
    return Situation(status=status, measure=measure, worked=worked, reference=reference, agreed_cents=agreed)


def _number(said: dict[str, Any], name: str) -> Fraction:
    """An exact number, not negative. Its size is looked at before any arithmetic."""
    value = said[name]
    if type(value) is int:
        value = Decimal(value)
    if type(value) is not Decimal or not value.is_finite():
        raise BadLine(_("%(key)s : %(value)s n’est pas un nombre.") % json_lines.about(said, name))
    if value.is_signed() and value:
        raise BadLine(_("%(key)s : %(value)s est négatif.") % json_lines.about(said, name))
    if value.adjusted() > MOST_DIGITS:
        raise BadLine(_("%(key)s : %(value)s n’est pas possible.") % json_lines.about(said, name))
    if value != value.quantize(SMALLEST):
        raise BadLine(
            _("%(key)s : %(decimals)s décimales au plus.") % {"key": name, "decimals": MOST_DECIMALS}
        )
    return Fraction(value)

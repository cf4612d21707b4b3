"""The simulator: what one situation gives in its year. No database.

`answer` serves the command: a situation in JSON, what it gives in JSON; a line that makes no sense gives an
error, in French, in its place. Format and limits: docs/simulate-rights.md. The page (rights.views.simulator)
asks the same law and the same arithmetic, which are those of the ledger (`rights.crediting`).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from rights.crediting import PUBLIC, SELF_EMPLOYED, Account, NotCreditable, Situation, compute
from rights.kinds import Measure, Unit, WorkStatus
from rulebook.rules import CreditingRules, NoRuleInForce

LONGEST_LINE = 10_000
MOST_DIGITS = 9
MOST_DECIMALS = 6
SMALLEST = Decimal(1).scaleb(-MOST_DECIMALS)
MOST_CENTS = 10_000_000_000
MOST_HOURS = 100_000
REFERENCES = {"reference_hours": Measure.HOURS, "reference_days": Measure.DAYS}
FLAGS = ("low_qualified", "boe")
BALANCES = {"balance_cents": Unit.EUR_CENT, "balance_hours": Unit.HOUR}
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


def answers(lines: Iterable[bytes], *, rules_of: RulesOf, this_year: int) -> Iterator[dict[str, Any]]:
    """One answer a line, in order. `rules_of(year)`: the law of 31 December of that year."""
    for line in lines:
        yield answer(line, rules_of=rules_of, this_year=this_year)


def answer(line: bytes, *, rules_of: RulesOf, this_year: int) -> dict[str, Any]:
    """What this line gives, or its error."""
    try:
        return _answer(_read(line), rules_of, this_year)
    except NotCreditable as error:
        return {"error": str(error)}


def _answer(said: dict[str, Any], rules_of: RulesOf, this_year: int) -> dict[str, Any]:
    if unknown := [key for key in said if key not in KEYS]:
        raise NotCreditable(
            _("Clé inconnue : %(key)s. Clés possibles : %(keys)s.")
            % {"key": _shown(unknown[0]), "keys": ", ".join(KEYS)}
        )
    status, year = _status(said), _year(said)
    situation = _situation(said, status)
    rules = law_of(year, rules_of=rules_of, this_year=this_year)
    balances = {name: _whole(said, name) for name in BALANCES if name in said}
    account = Account(
        low_qualified=_flag(said, "low_qualified"),
        boe=_flag(said, "boe"),
        balance_cents=balances.get("balance_cents", 0),
        balance_hours=balances.get("balance_hours", 0),
    )
    result = compute([situation], account=account, rules=rules)
    for name in balances:
        if BALANCES[name] != result.unit:
            raise NotCreditable(
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


def _read(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise NotCreditable(_("Ligne de plus de %s octets.") % LONGEST_LINE)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotCreditable(_("Cette ligne n’est pas en UTF-8.")) from None
    if not text.strip():
        raise NotCreditable(_("Cette ligne est vide."))
    try:
        said = json.loads(text, parse_float=Decimal, parse_constant=_not_finite, object_pairs_hook=_once_each)
    except NotCreditable:
        raise
    # A number of thousands of digits is a ValueError, an exponent of as many an ArithmeticError, a nest of
    # thousands of brackets a RecursionError.
    except (ValueError, ArithmeticError, RecursionError):
        raise NotCreditable(_("Cette ligne n’est pas du JSON.")) from None
    if not isinstance(said, dict):
        raise NotCreditable(_('Une ligne est un objet JSON : {"status": …, "year": …}.'))
    return said


def _not_finite(constant: str) -> None:
    raise NotCreditable(_("« %s » n’est pas un nombre.") % constant)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NotCreditable(_("Clé écrite deux fois : %s.") % _shown(twice))
    return said


def _shown(value: Any) -> str:
    """What somebody wrote, short enough for a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"« {text[:40]} »"


def _status(said: dict[str, Any]) -> WorkStatus:
    if "status" not in said:
        raise NotCreditable(_("Il manque la clé « status »."))
    if not isinstance(said["status"], str) or said["status"] not in WorkStatus.values:
        raise NotCreditable(
            _("status : %(value)s n’est pas prévu (%(allowed)s).")
            % {"value": _shown(said["status"]), "allowed": ", ".join(WorkStatus.values)}
        )
    return WorkStatus(said["status"])


def _year(said: dict[str, Any]) -> int:
    if "year" not in said:
        raise NotCreditable(_("Il manque la clé « year »."))
    year = said["year"]
    if type(year) is not int or not 0 < year <= 9999:
        raise NotCreditable(_("year : %s n’est pas une année.") % _shown(year))
    return year


def _situation(said: dict[str, Any], status: WorkStatus) -> Situation:
    given = [measure for measure in Measure if measure in said]
    if len(given) > 1:
        raise NotCreditable(_("Un seul de : %s.") % ", ".join(given))
    measure = given[0] if given else None
    worked = None
    if measure:
        worked = _whole(said, measure) if measure == Measure.PAY_CENTS else _number(said, measure)
    reference = None
    for name, its_measure in REFERENCES.items():
        if name in said:
            if measure and measure != its_measure:
                raise NotCreditable(
                    _("%(key)s ne va pas avec %(measure)s.") % {"key": name, "measure": str(measure)}
                )
            reference = _number(said, name)
    agreed = _whole(said, "agreement_cents") if "agreement_cents" in said else 0
    return Situation(status=status, measure=measure, worked=worked, reference=reference, agreed_cents=agreed)


def _number(said: dict[str, Any], name: str) -> Fraction:
    """An exact number, not negative. Its size is looked at before any arithmetic."""
    value = said[name]
    if type(value) is int:
        value = Decimal(value)
    if type(value) is not Decimal or not value.is_finite():
        raise NotCreditable(_("%(key)s : %(value)s n’est pas un nombre.") % _about(said, name))
    if value.is_signed() and value:
        raise NotCreditable(_("%(key)s : %(value)s est négatif.") % _about(said, name))
    if value.adjusted() > MOST_DIGITS:
        raise NotCreditable(_("%(key)s : %(value)s n’est pas possible.") % _about(said, name))
    if value != value.quantize(SMALLEST):
        raise NotCreditable(
            _("%(key)s : %(decimals)s décimales au plus.") % {"key": name, "decimals": MOST_DECIMALS}
        )
    return Fraction(value)


def _whole(said: dict[str, Any], name: str) -> int:
    value = said[name]
    if type(value) is not int:
        raise NotCreditable(_("%(key)s : %(value)s n’est pas un nombre entier.") % _about(said, name))
    if value < 0:
        raise NotCreditable(_("%(key)s : %(value)s est négatif.") % _about(said, name))
    if value > (MOST_HOURS if name == "balance_hours" else MOST_CENTS):
        raise NotCreditable(_("%(key)s : %(value)s n’est pas possible.") % _about(said, name))
    return value


def _about(said: dict[str, Any], name: str) -> dict[str, str]:
    return {"key": str(name), "value": _shown(said[name])}


def _flag(said: dict[str, Any], name: str) -> bool:
    value = said.get(name, False)
    if type(value) is not bool:
        raise NotCreditable(_("%(key)s : %(value)s n’est ni true ni false.") % _about(said, name))
    return value

"""What a year of work gives: pure arithmetic, the same for the ledger, the simulator and the tests.

Units: euro cents, or whole hours (public agents; employees before 2019). Shares of a year are exact
fractions; an amount is rounded up, to the cent or to the hour, once, at the end (C. trav. art. R. 6323-1).
`rules` are those of 31 December of the year worked.

A year is first measured (which share of a full year?), then priced, then compared with the cap: what is
above is lost, the increase first, and shown. A balance already above the cap is kept: it only stops growing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rights.kinds import DeclarationKind, Measure, Unit, WorkStatus
from rulebook.rules import CreditingRules
from ui import french

S = WorkStatus
EMPLOYEES = frozenset(
    {S.PRIVATE, S.FIXED_TERM, S.TEMP, S.SEASONAL, S.ENTERTAINMENT, S.APPRENTICE, S.RETIRED_REDUCED_RATE}
)
SELF_EMPLOYED = frozenset({S.SELF_EMPLOYED, S.ARTIST_AUTHOR})
PUBLIC = frozenset({S.PUBLIC, S.PUBLIC_CATEGORY_C})

# In what the time of each status is said. Without credit, anything: it is not counted.
MEASURES: dict[WorkStatus, tuple[Measure, ...]] = (
    dict.fromkeys(EMPLOYEES, (Measure.HOURS, Measure.DAYS, Measure.PAY_CENTS))
    | dict.fromkeys(SELF_EMPLOYED, (Measure.MONTHS,))
    | dict.fromkeys(PUBLIC, (Measure.HOURS, Measure.MONTHS))
    | dict.fromkeys((S.ESAT, S.JOB_SEEKER, S.INTERN, S.RETIRED_FULL_RATE), tuple(Measure))
)
MONTHS_IN_A_YEAR = 12
# The most there can be in a year, whatever the law; of pay, what only a slip would exceed.
MOST = {
    Measure.HOURS: 366 * 24,
    Measure.DAYS: 366,
    Measure.MONTHS: MONTHS_IN_A_YEAR,
    Measure.PAY_CENTS: 10_000_000_000,
}


class NotCreditable(ValueError):
    """This situation makes no sense, or no rule knew it that year; the message is French.

    `about`: the field of `Situation`, or "year", that has to be corrected, where there is one.
    """

    def __init__(self, message: str, *, about: str = ""):
        self.about = about
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What one employer, or one activity, says of a year. Amounts in `measure`; pay in cents.

    `worked` is None where time does not count. `reference`: the agreed hours of a full year, or the days
    of a days contract. `absences`: kind → as much of `measure`. `agreed_cents`: what a more favourable
    agreement grants for a full year. `is_paid_up`: the self-employed have paid their contribution.
    """

    status: WorkStatus
    measure: Measure | None = None
    worked: Fraction | int | None = None
    reference: Fraction | int | None = None
    absences: Mapping[str, Fraction | int] = field(default_factory=dict)
    agreed_cents: int = 0
    is_paid_up: bool = True

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What matters of the holder. Balances: what the capped pockets hold, in cents and in hours.

    `age`: years on 31 December of the year worked; None: not looked at. `prefers`: the holder's choice when
    a public and a private activity weigh the same.
    """

    low_qualified: bool = False
    boe: bool = False
    is_closed: bool = False
    age: int | None = None
    balance_cents: int = 0
    balance_hours: int = 0
    prefers: Unit = Unit.EUR_CENT

    def balance(self, unit: Unit) -> int:
        return self.balance_hours if unit == Unit.HOUR else self.balance_cents


def account_of(
    declared: Collection[str],
    *,
    is_told_boe: bool,
    is_closed: bool,
    age: int,
    balances: Mapping[str, int],
) -> Account:
    """The account of somebody whose declarations of these kinds count that year.

    `is_told_boe`: an employer says so of that year, which is enough. `balances`: by unit.
    """
    return Account(
        low_qualified=DeclarationKind.LOW_QUALIFIED in declared,
        boe=DeclarationKind.BOE in declared or is_told_boe,
        is_closed=is_closed,
        age=age,
        balance_cents=balances.get(Unit.EUR_CENT.value, 0),
        balance_hours=balances.get(Unit.HOUR.value, 0),
        prefers=Unit.HOUR if DeclarationKind.PREFERS_HOURS in declared else Unit.EUR_CENT,
    )


class Line(NamedTuple):
    """One line of an explanation: what, how much, and what joins them in a sentence."""

    what: str
    how_much: str
    link: str = " → "


@dataclass(frozen=True, slots=True)
class Result:
    """What the year gives. `annual` + `increase` + `lost` is all that was due."""

    unit: Unit
    annual: int
    increase: int
    lost: int
    cap: int
    formula: tuple[Line, ...]

    @property
    def credit(self) -> int:
        return self.annual + self.increase

    @property
    def due(self) -> int:
        return self.credit + self.lost

    @property
    def sentence(self) -> str:
        return " ; ".join(f"{what}{link}{how_much}" for what, how_much, link in self.formula)


class Words:
    """The sentences of every day in the language of now. Made once for a whole run: a look-up in the
    catalogue costs more than the sum it explains.
    """

    def __init__(self) -> None:
        self.euros = french.euros_writer()
        self.part_of_whole = _("%(part)s sur %(whole)s")
        self.missing = _("il manquait %s pour la demi-année qui donne")
        self.low_qualified = _("sans diplôme de niveau 3, l’année entière donne")
        self.boe = _("majoration de l’obligation d’emploi")
        self.capped = _("solde de %(balance)s, plafond de %(cap)s")
        self.at_the_cap = _("solde de %(balance)s, plafond de %(cap)s atteint")
        self.lost = _("perdu au-dessus du plafond")

    def amount(self, amount: int, unit: Unit) -> str:
        return hours_in_words(amount) if unit == Unit.HOUR else self.euros(amount)


class _Due(NamedTuple):
    """What one kind of activity gives before the cap; `share`: numerator and denominator."""

    unit: Unit
    share: tuple[int, int]
    annual: int
    increase: int
    cap: int
    lines: list[Line]


# --- Is it possible? ------------------------------------------------------------------------------


def check(situation: Situation) -> None:
    """NotCreditable: amounts or units that cannot be."""
    measure, worked, reference = situation.measure, situation.worked, situation.reference
    if worked is None:
        if situation.status in EMPLOYEES or situation.status in PUBLIC or situation.status in SELF_EMPLOYED:
            raise NotCreditable(
                _("Il manque le temps travaillé ; pour cette situation : %s.")
                % _names(MEASURES[situation.status]),
                about="worked",
            )
        if reference is not None:
            raise NotCreditable(
                _("Une durée de référence sans temps travaillé ne sert à rien."), about="reference"
            )
        return
    if measure is None:
        raise NotCreditable(
            _("Un temps travaillé se dit en heures, en jours, en mois ou en rémunération."), about="measure"
        )
    if measure not in MEASURES[situation.status]:
        raise NotCreditable(
            _("« %(status)s » ne se compte pas en %(measure)s, mais en : %(allowed)s.")
            % {
                "status": situation.status.label,
                "measure": measure.label,
                "allowed": _names(MEASURES[situation.status]),
            },
            about="measure",
        )
    _check_amount(worked, measure)
    for absent in situation.absences.values():
        _check_amount(absent, measure)
    if situation.absences and worked + sum(situation.absences.values()) > MOST[measure]:
        raise NotCreditable(
            _("Travail et absences font ensemble plus de %s.") % quantity(MOST[measure], measure),
            about="absences",
        )
    if situation.agreed_cents < 0:
        raise NotCreditable(_("Un accord ne peut pas donner moins de 0 €."), about="agreed_cents")
    if reference is None:
        return
    if measure not in (Measure.HOURS, Measure.DAYS):
        raise NotCreditable(
            _("Une durée de référence ne va qu’avec des heures ou des jours."), about="reference"
        )
    if not 0 < reference <= MOST[measure]:
        raise NotCreditable(
            _("La durée de référence d’une année est comprise entre 0 et %s.")
            % quantity(MOST[measure], measure),
            about="reference",
        )


def _check_amount(amount: Fraction | int, measure: Measure) -> None:
    # Whole numbers are compared: a fraction is slow, and a year has millions of them.
    if amount.numerator < 0:
        raise NotCreditable(
            _("Un temps travaillé ou une rémunération ne peut pas être négatif."), about="worked"
        )
    if amount.numerator > MOST[measure] * amount.denominator:
        raise NotCreditable(
            _("Une année ne compte pas plus de %s.") % quantity(MOST[measure], measure)
            if measure != Measure.PAY_CENTS
            else _("Plus de %s : vérifiez que la rémunération est dans la bonne unité.")
            % quantity(MOST[measure], measure),
            about="worked",
        )


def _names(measures: Sequence[Measure]) -> str:
    return ", ".join(str(measure.label) for measure in measures)


# --- The year -------------------------------------------------------------------------------------


def compute(
    situations: Sequence[Situation],
    *,
    account: Account,
    rules: CreditingRules,
    words: Words | None = None,
) -> Result:
    """What these situations of one year give. NotCreditable: none, or no rule knew one of them that year.

    Several of a kind add their shares; between kinds the most favourable amount and cap apply. Where both
    units occur, the main activity decides, and where they weigh the same, the holder.
    """
    if not situations:
        raise NotCreditable(_("Aucune situation n’est déclarée pour cette année."))
    words = words or Words()
    statuses = {situation.status for situation in situations}
    if account.is_closed or not statuses.isdisjoint(rules.statuses_closing_account):
        reason = _("Compte fermé par la retraite à taux plein : les droits annuels ne sont plus alimentés")
        return _nothing(statuses, account, rules, reason)
    counted = [each for each in situations if each.status not in rules.statuses_without_credit]
    if not counted:
        names = ", ".join(sorted(str(status.label) for status in statuses))
        return _nothing(statuses, account, rules, _("%s : cette situation n’alimente pas le compte") % names)
    if (youngest := _too_young(statuses, account, rules)) is not None:
        reason = ngettext(
            "Avant %s an, le travail n’alimente pas le compte",
            "Avant %s ans, le travail n’alimente pas le compte",
            youngest,
        )
        return _nothing(statuses, account, rules, reason % youngest)
    dues = _dues(counted, account, rules, words)
    if len(dues) == 1:
        return _capped(dues[0], account, words)
    unit = _main_unit(dues, account)
    kept = [due for due in dues if due.unit == unit]
    best = max(kept, key=lambda due: (due.annual + due.increase, due.annual))
    cap = max(due.cap for due in kept)
    lines = [*best.lines]
    if len(kept) < len(dues):
        lines.append(Line(_("deux activités : l’unité est celle de la principale"), str(unit.label), " : "))
    if len(kept) > 1:
        lines.append(Line(_("plusieurs situations"), _("la plus favorable est retenue"), " : "))
    return _capped(best._replace(cap=cap, lines=lines), account, words)


def _dues(
    situations: Sequence[Situation], account: Account, rules: CreditingRules, words: Words
) -> list[_Due]:
    """One a kind of activity."""
    if len(situations) == 1:
        return [_DUE[_family(situations[0].status)](situations, account, rules, words)]
    families: dict[str, list[Situation]] = {}
    for situation in situations:
        families.setdefault(_family(situation.status), []).append(situation)
    return [_DUE[family](members, account, rules, words) for family, members in families.items()]


def _family(status: WorkStatus) -> str:
    if status in EMPLOYEES:
        return "employee"
    if status in SELF_EMPLOYED:
        return "self_employed"
    return "public" if status in PUBLIC else "esat"


def _too_young(statuses: set[WorkStatus], account: Account, rules: CreditingRules) -> int | None:
    """The age from which this work would count, when the holder is younger."""
    if account.age is None:
        return None
    youngest = rules.crediting_min_age
    if S.APPRENTICE in statuses:
        youngest = min(youngest, rules.crediting_min_age_apprentice)
    return youngest if account.age < youngest else None


def _main_unit(dues: Sequence[_Due], account: Account) -> Unit:
    units = {due.unit for due in dues}
    if len(units) == 1:
        return units.pop()
    weights = {Unit.EUR_CENT: Fraction(0), Unit.HOUR: Fraction(0)}
    for due in dues:
        weights[due.unit] += Fraction(*due.share)
    if weights[Unit.EUR_CENT] == weights[Unit.HOUR]:
        return account.prefers
    return max(weights, key=lambda unit: weights[unit])


# --- Each kind of activity --------------------------------------------------------------------------


def _employee(situations: Sequence[Situation], account: Account, rules: CreditingRules, words: Words) -> _Due:
    """From half of a year on, the whole amount; below, pro rata (L. 6323-11, R. 6323-1)."""
    share, lines = _share(situations, rules)
    if rules.employee_unit == Unit.HOUR:
        return _hours_due(situations, share, rules.employee_hour_steps, lines, account, rules, words)
    full = rules.annual_full_cents
    if not full:
        raise _no_rule(situations, rules)
    agreed = max(
        (each.agreed_cents for each in situations if each.status in rules.agreement_statuses), default=0
    )
    full_annual = max(full, agreed)
    is_low_qualified = account.low_qualified and any(
        each.status in rules.low_qualified_statuses for each in situations
    )
    full_total = max(full_annual, rules.increased_full_cents) if is_low_qualified else full_annual
    num, den = share
    is_whole = num * 100 >= den * rules.full_credit_threshold_percent
    if is_whole:
        annual, total = full_annual, full_total
    else:
        annual, total = _up(full_annual * num, den), _up(full_total * num, den)
    lines.append(Line(_measured(situations, share, rules, words), words.euros(total)))
    if not is_whole and num:
        lines.append(_missing(situations, share, full_total, rules, words))
    if agreed > full:
        lines.append(Line(_("accord plus favorable pour l’année"), french.euros(agreed), " : "))
    if is_low_qualified:
        lines.append(Line(words.low_qualified, words.euros(full_total), " "))
    has_boe = account.boe and any(each.status in rules.boe_statuses for each in situations)
    if has_boe and total:
        raised = max(total, min(rules.increased_full_cents, total + rules.boe_increase_cents))
        lines.append(Line(words.boe, f"+{words.euros(raised - total)}", " : "))
        total = raised
    cap = rules.increased_cap_cents if is_low_qualified or has_boe else rules.annual_cap_cents
    return _Due(Unit.EUR_CENT, share, annual, total - annual, max(cap, rules.annual_cap_cents), lines)


def _self_employed(
    situations: Sequence[Situation], account: Account, rules: CreditingRules, words: Words
) -> _Due:
    """By the share of the year in activity, once the contribution is paid (R. 6323-22)."""
    full = rules.self_employed_full_cents
    if not full:
        raise _no_rule(situations, rules)
    paid = [each for each in situations if each.is_paid_up]
    (num, den), lines = _share(paid, rules)
    # Two activities in the same months make no longer year.
    share = num, den = min(num, den), den
    if paid:
        amount = _up(full * num, den)
        lines.append(Line(_measured(paid, share, rules, words), words.euros(amount)))
    else:
        amount = 0
        lines.append(Line(_("contribution à la formation non payée"), french.euros(0)))
    return _Due(Unit.EUR_CENT, share, amount, 0, rules.self_employed_cap_cents, lines)


def _esat(situations: Sequence[Situation], account: Account, rules: CreditingRules, words: Words) -> _Due:
    """The whole amount however short the admission (R. 6323-29)."""
    full = rules.esat_full_cents
    if not full:
        raise _no_rule(situations, rules)
    worked = any(each.worked is None or each.worked > 0 for each in situations)
    amount = full if worked else 0
    annual = min(amount, rules.annual_full_cents)
    what = _("travail en ESAT, temps partiel compris") if worked else _("aucun travail en ESAT")
    # Time is not measured: against another activity it weighs a whole year.
    share = (int(worked), 1)
    return _Due(
        Unit.EUR_CENT,
        share,
        annual,
        amount - annual,
        rules.esat_cap_cents,
        [Line(what, words.euros(amount))],
    )


def _public(situations: Sequence[Situation], account: Account, rules: CreditingRules, words: Words) -> _Due:
    """In whole hours, pro rata (décret n° 2017-928). The best of the categories held in the year."""
    has_category_c = any(each.status == S.PUBLIC_CATEGORY_C for each in situations)
    steps = rules.public_category_c_hour_steps if has_category_c else rules.public_hour_steps
    if not steps:
        raise _no_rule(situations, rules)
    share, lines = _share(situations, rules)
    return _hours_due(situations, share, steps, lines, account, rules, words)


_DUE = {"employee": _employee, "self_employed": _self_employed, "esat": _esat, "public": _public}


def _hours_due(
    situations: Sequence[Situation],
    share: tuple[int, int],
    steps: Sequence[Sequence[int]],
    lines: list[Line],
    account: Account,
    rules: CreditingRules,
    words: Words,
) -> _Due:
    """Hours of a year: so many a year up to a balance, fewer up to the next; the last one is the cap."""
    num, den = min(share[0], share[1]), share[1]
    left = Fraction(num, den)  # of the year, not given yet
    due = Fraction(0)
    balance = Fraction(account.balance_hours)
    for position, (rate, until) in enumerate(steps, start=1):
        given = left * rate
        if position < len(steps):
            given = min(given, max(Fraction(0), until - balance))
        due += given
        balance += given
        left -= given / rate
        if not left:
            break
    amount = _up(due.numerator, due.denominator)
    lines.append(Line(_measured(situations, share, rules, words), hours_in_words(amount)))
    return _Due(Unit.HOUR, (num, den), amount, 0, steps[-1][1], lines)


# --- How much of a year -------------------------------------------------------------------------------


def _share(situations: Sequence[Situation], rules: CreditingRules) -> tuple[tuple[int, int], list[Line]]:
    """The share of a full year, all situations together, exactly; and what there is to say of it."""
    num, den = 0, 1
    lines: list[Line] = []
    for each in situations:
        amount, reference = each.worked or 0, reference_of(each, rules)
        for kind, absent in each.absences.items():
            if kind in rules.absences_counted_as_work and each.measure:
                amount += absent
                lines.append(
                    Line(_("absence comptée comme du travail"), quantity(absent, each.measure), " : ")
                )
        top = amount.numerator * reference.denominator
        bottom = amount.denominator * reference.numerator
        num, den = (top, bottom) if not num else (num * bottom + top * den, den * bottom)
    return (num, den), lines


def reference_of(situation: Situation, rules: CreditingRules) -> Fraction | int:
    """What a full year is, in the measure of this situation."""
    if situation.measure == Measure.HOURS:
        return situation.reference or rules.legal_annual_hours
    if situation.measure == Measure.DAYS:
        return min(situation.reference or rules.days_contract_max, rules.days_contract_max)
    if situation.measure == Measure.PAY_CENTS:
        return rules.pay_reference_hours * rules.minimum_wage_cents
    return MONTHS_IN_A_YEAR


def _up(num: int, den: int) -> int:
    """The quotient, rounded up."""
    return -(-num // den)


# --- The cap ------------------------------------------------------------------------------------------


def cut(annual: int, increase: int, room: int) -> tuple[int, int, int]:
    """(annual, increase, lost) of what is due, in the room that is left: the increase is cut first."""
    room = max(0, room)
    kept = min(annual, room)
    raised = min(increase, room - kept)
    return kept, raised, annual + increase - kept - raised


def _capped(due: _Due, account: Account, words: Words) -> Result:
    balance = account.balance(due.unit)
    annual, increase, lost = cut(due.annual, due.increase, due.cap - balance)
    lines = due.lines
    if lost:
        what = words.at_the_cap if balance >= due.cap else words.capped
        said = what % {"balance": words.amount(balance, due.unit), "cap": words.amount(due.cap, due.unit)}
        lines.append(Line(said, f"+{words.amount(annual + increase, due.unit)}"))
        lines.append(Line(words.lost, words.amount(lost, due.unit), " : "))
    return Result(due.unit, annual, increase, lost, due.cap, tuple(lines))


def _nothing(statuses: set[WorkStatus], account: Account, rules: CreditingRules, reason: str) -> Result:
    in_hours = statuses <= PUBLIC or (rules.employee_unit == Unit.HOUR and not statuses & SELF_EMPLOYED)
    unit = Unit.HOUR if in_hours else Unit.EUR_CENT
    if not in_hours:
        is_increased = account.low_qualified or account.boe
        cap = rules.increased_cap_cents if is_increased else rules.annual_cap_cents
        cap = cap or rules.self_employed_cap_cents
    elif statuses <= PUBLIC:
        is_c = S.PUBLIC_CATEGORY_C in statuses
        steps = rules.public_category_c_hour_steps if is_c else rules.public_hour_steps
        cap = steps[-1][1] if steps else 0
    else:
        cap = rules.employee_hour_steps[-1][1]
    return Result(unit, 0, 0, 0, cap, (Line(reason, Words().amount(0, unit)),))


def _no_rule(situations: Sequence[Situation], rules: CreditingRules) -> NotCreditable:
    return NotCreditable(
        _("En %(year)s, aucune règle n’alimentait encore le compte d’un %(status)s.")
        % {"year": rules.day.year, "status": str(situations[0].status.label).lower()},
        about="year",
    )


# --- Other rights that follow rules of the same family --------------------------------------------------


def transfer_dif(hours: Fraction | int, *, held_cents: int, rules: CreditingRules) -> Result:
    """Former DIF hours into euros; `rules` of the day of the transfer. NotCreditable: closed, or absurd.

    `held_cents`: what the account already has from the DIF; the ceiling counts it.
    """
    if not rules.dif_hour_cents:
        raise NotCreditable(_("Le report des heures de DIF est fermé."))
    if not 0 <= hours <= MOST[Measure.HOURS]:
        raise NotCreditable(_("Ce nombre d’heures de DIF n’est pas possible."))
    due = _up(hours.numerator * rules.dif_hour_cents, hours.denominator)
    given, _raised, lost = cut(due, 0, rules.dif_cap_cents - held_cents)
    lines = [
        Line(f"{quantity(hours, Measure.HOURS)} × {french.euros(rules.dif_hour_cents)}", french.euros(due))
    ]
    if lost:
        lines.append(Line(_("perdu au-dessus du plafond"), french.euros(lost), " : "))
    return Result(Unit.EUR_CENT, given, 0, lost, rules.dif_cap_cents, tuple(lines))


def grant_prevention(hours: int, *, granted_before: int, rules: CreditingRules) -> Result:
    """Extra hours of a public agent to prevent unfitness, outside the caps; `rules` of the day granted."""
    if type(hours) is not int or hours < 0:
        raise NotCreditable(_("Ces heures sont un nombre entier, zéro ou plus."))
    most = rules.public_prevention_hours_max
    given, _raised, lost = cut(hours, 0, most - granted_before)
    lines = [Line(_("prévention de l’inaptitude, hors plafond"), f"+{hours_in_words(given)}")]
    if lost:
        lines.append(Line(_("au-delà de %s en tout") % hours_in_words(most), hours_in_words(lost), " : "))
    return Result(Unit.HOUR, given, 0, lost, most, tuple(lines))


# --- Words --------------------------------------------------------------------------------------------


def _missing(
    situations: Sequence[Situation],
    share: tuple[int, int],
    full: int,
    rules: CreditingRules,
    words: Words,
) -> Line:
    """« il manquait 3,5 h pour la demi-année qui donne 500 € »."""
    num, den = share
    threshold = rules.full_credit_threshold_percent
    common = _common(situations, rules)
    if common:
        measure, reference = common
        short = (den * threshold - num * 100) * reference.numerator
        missing = quantity(Fraction(short, den * 100 * reference.denominator), measure)
    else:
        missing = f"{_decimal(Fraction(den * threshold - num * 100, den))}{french.NO_BREAK}%"
    return Line(words.missing % missing, words.euros(full), " ")


def _measured(
    situations: Sequence[Situation], share: tuple[int, int], rules: CreditingRules, words: Words
) -> str:
    """« 800 h sur 1 607 h »; a share in percent where the situations have not one measure."""
    common = _common(situations, rules)
    num, den = share
    if common:
        measure, reference = common
        if len(situations) == 1 and not situations[0].absences:
            part = situations[0].worked or 0
        else:
            part = Fraction(num, den) * reference
        return words.part_of_whole % {
            "part": quantity(part, measure),
            "whole": quantity(reference, measure),
        }
    return _("%s d’une année entière") % f"{_decimal(Fraction(num * 100, den))}{french.NO_BREAK}%"


def _common(situations: Sequence[Situation], rules: CreditingRules) -> tuple[Measure, Fraction | int] | None:
    """The one measure and reference of all of them, if there is one."""
    first = situations[0]
    if first.measure is None:
        return None
    reference = reference_of(first, rules)
    for other in situations[1:]:
        if other.measure != first.measure or reference_of(other, rules) != reference:
            return None
    return first.measure, reference


def quantity(amount: Fraction | int, measure: Measure) -> str:
    """« 803,5 h », « 60 jours », « 7 mois », « 6 000,00 € »."""
    if measure == Measure.PAY_CENTS:
        return french.euros(_up(amount.numerator, amount.denominator))
    number = _decimal(amount)
    if measure == Measure.HOURS:
        return f"{number}{french.NO_BREAK}h"
    if measure == Measure.DAYS:
        return f"{number}{french.NO_BREAK}{ngettext('jour', 'jours', 1 if amount < 2 else 2)}"
    return f"{number}{french.NO_BREAK}{_('mois')}"


def hours_in_words(hours: int) -> str:
    return f"{hours}{french.NO_BREAK}h"


def _decimal(amount: Fraction | int) -> str:
    """« 1 607 », « 803,5 »; two decimals at most, rounded up: an explanation, the amount is exact."""
    hundredths = _up(amount.numerator * 100, amount.denominator)
    whole, rest = divmod(hundredths, 100)
    text = f"{whole:,}".replace(",", french.NARROW_NO_BREAK)
    return f"{text},{rest:02}".rstrip("0") if rest else text

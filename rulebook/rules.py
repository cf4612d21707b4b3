"""What the law says on a given day: `on(day)`, and the one list of names it knows, `Rules`.

Each field has dated rows in `parameters.yaml`, with its legal reference; a new decree is a new row
there, never a line of code. Which day to ask for: a clock, the day it opens; funding and settlement,
the day of acceptance; annual credit, 31 December of the year worked (`crediting_on`, which answers for
the years before the portal opened too), unless the row says otherwise.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from django.db import connection

from rulebook.workdays import BUSINESS, Unit


class NoRuleInForce(LookupError):
    """The rulebook holds no value of this parameter for this day."""

    def __init__(self, name: str, day: date):
        self.name, self.day = name, day
        super().__init__(f"Aucune valeur de « {name} » n'est en vigueur le {day:%d/%m/%Y}.")


class Term(NamedTuple):
    """How long a clock runs: `workdays.period(event, *rules.term("withdrawal"))`."""

    days: int
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class CreditingRules:
    """What feeds an account each year, in force on `day`. Known since 2015, so that old years recompute.

    0 or an empty list: the law gave nothing of the kind yet.
    """

    day: date

    # --- Annual credit: amounts ---
    # What employees are credited in: "hour" before 2019, "eur_cent" since.
    employee_unit: Literal["hour", "eur_cent"]
    # Hours of a full year until a balance, then fewer until the next: (hours a year, up to this balance).
    employee_hour_steps: tuple[tuple[int, ...], ...]
    annual_full_cents: int
    annual_cap_cents: int
    # Without a level-3 diploma: another full year and another cap.
    increased_full_cents: int
    increased_cap_cents: int
    # Flat, for beneficiaries of the duty to employ disabled people.
    boe_increase_cents: int
    esat_full_cents: int
    esat_cap_cents: int
    self_employed_full_cents: int
    self_employed_cap_cents: int
    public_hour_steps: tuple[tuple[int, ...], ...]
    public_category_c_hour_steps: tuple[tuple[int, ...], ...]
    # Over a career, outside the caps, to prevent unfitness; follows the day it is granted.
    public_prevention_hours_max: int

    # --- Annual credit: how a year is measured ---
    # Percent of a full year from which it counts as whole; 100: always pro rata.
    full_credit_threshold_percent: int
    legal_annual_hours: int
    days_contract_max: int
    # Pay that no hour measures: so many hours at the hourly minimum wage make a full year.
    pay_reference_hours: int
    minimum_wage_cents: int
    absences_counted_as_work: tuple[str, ...]

    # --- Annual credit: who, and into what ---
    # Years of age on 31 December of the year worked.
    crediting_min_age: int
    crediting_min_age_apprentice: int
    statuses_without_credit: tuple[str, ...]
    # Those among them whose account is closed.
    statuses_closing_account: tuple[str, ...]
    low_qualified_statuses: tuple[str, ...]
    boe_statuses: tuple[str, ...]
    agreement_statuses: tuple[str, ...]
    # Kinds of purse that are compared with the cap, together.
    capped_purses: tuple[str, ...]
    # By when a year's credit is expected: month and day of the year after. Shown, never a limit.
    yearly_credit_due: tuple[int, ...]

    # --- Transfer of the former DIF: follows the day of the transfer; 0: closed ---
    dif_hour_cents: int
    dif_cap_cents: int


@dataclass(frozen=True, kw_only=True)
class Rules(CreditingRules):
    """The values in force on `day`. Amounts in euro cents; lists and mappings cannot be changed."""

    # --- Clocks: a number of days and their unit, "business" or "calendar" ---
    provider_answer_days: int
    provider_answer_unit: Unit
    holder_answer_days: int
    holder_answer_unit: Unit
    withdrawal_days: int
    withdrawal_unit: Unit
    payment_days: int
    payment_unit: Unit
    prerequisites_days: int
    prerequisites_unit: Unit
    funder_answer_days: int
    funder_answer_unit: Unit
    postponement_days: int
    postponement_unit: Unit
    entry_days: int
    entry_unit: Unit
    absence_days: int
    absence_unit: Unit
    claim_days: int
    claim_unit: Unit
    exit_days: int
    exit_unit: Unit
    completion_days: int
    completion_unit: Unit
    validation_days: int
    validation_unit: Unit
    # Percent of a clock's time after which its person is reminded, then the hour (Paris) of its last day.
    reminder_fractions: tuple[int, ...]
    reminder_last_morning_hour: int

    # --- Dates of a training ---
    # Business days that must remain before the start for a free cancellation; exactly this many is free.
    free_cancellation_days_before_start: int
    # Business days between the proposal and the start, equality allowed; 0: no minimum.
    earliest_start_days: int

    # --- Asking a funder ---
    # Business days before the start, equality allowed; the most that may be asked; who may.
    funder_request_days_before: int
    funder_top_up_max_cents: int
    funder_request_statuses: tuple[str, ...]

    # --- Enrolment ---
    # Requests a holder may have waiting at once, per training action.
    simultaneous_requests_max: int
    # Years of age on the day of the request.
    enrolment_min_age: int
    enrolment_min_age_apprentice: int
    # Professional statuses that cannot enrol here…
    enrolment_closed_statuses: tuple[str, ...]
    # …and those among them that have a way of their own: through their employer.
    enrolment_by_employer_statuses: tuple[str, ...]
    # Version of the terms of use a dossier freezes.
    terms_version: str

    # --- Money ---
    # Inside the remainder, never added to it; 0: there is none.
    participation_cents: int
    participation_exempt_statuses: tuple[str, ...]
    # Kinds of purse, or of its funder, that exempt the holder when they take part.
    participation_exempt_purses: tuple[str, ...]
    # Groups of kinds of purse, first used first; inside a group, first named first.
    order_of_use: tuple[tuple[str, ...], ...]
    # Kind of action, or "rs" for the specific register → the most that yearly rights pay.
    ceilings_cents: Mapping[str, int]
    # Kinds of purse that a ceiling counts together…
    ceiling_purses: tuple[str, ...]
    # …and certifications that have none.
    ceiling_exempt_certifications: tuple[str, ...]
    # The common base of knowledge and skills, under its codes in the specific register.
    clea_certifications: tuple[str, ...]
    # Kinds of action that a third party must help to pay, from this amount, unless one is of these statuses.
    cofunded_kinds: tuple[str, ...]
    cofunded_min_cents: int
    cofunded_exempt_statuses: tuple[str, ...]
    # Kinds of purse, or of its funder, that count as a third party.
    cofunders: tuple[str, ...]
    # The State's top-up: percent of what is missing, up to so much a dossier (0: there is none), for
    # certifications that lead to one of these jobs (ROME codes).
    state_top_up_percent: int
    state_top_up_max_cents: int
    state_top_up_jobs: tuple[str, ...]

    # --- How an order ends (dossiers.settlement) ---
    # Kinds of line that go back where they came from after a late cancellation; the others are lost.
    late_returned_purses: tuple[str, ...]
    # Percent of the price that the organisation then has, taken from what is lost.
    late_indemnity_percent: int
    # Percent of the price that the organisation has at least, once the training has begun…
    completion_floor_percent: int
    # …and percent of completion from which it has the whole price.
    completion_full_percent: int

    # --- Rights that no year of work gives ---
    # Kind of voluntary activity → what must be reached in the year, in its own unit (rights.awards).
    volunteer_thresholds: Mapping[str, int]
    # Of the hours of an association's leader, how many in one association.
    volunteer_association_hours_min: int
    volunteer_year_cents: int
    volunteer_cap_cents: int
    # One point of the prevention account (C2P).
    professional_risk_point_cents: int
    work_accident_cents: int
    # Percent of permanent incapacity.
    work_accident_rate_min: int
    # Employer's duty not kept; dismissal under a collective performance agreement.
    corrective_cents: int
    dismissal_cents: int

    # --- Hours and euros, when somebody changes sector ---
    conversion_hour_cents: int
    conversion_volunteer_hour_cents: int
    # Repeated moves: so many hours at most over so many years.
    conversion_hours_max: int
    conversion_years: int

    # --- Activation of an account ---
    activation_attempts_max: int
    activation_window_minutes: int

    # --- Catalogue ---
    # Roles of a certification's partner that entitle to prepare for it.
    training_roles: tuple[str, ...]
    # CPF code → kind of action, for what has no number in a register.
    portal_code_kinds: Mapping[str, str]
    # Kind of action → kind of Qualiopi certificate it needs; a kind that is absent needs none.
    qualiopi_kind_by_action: Mapping[str, str]
    # Kinds of action open to approved driving schools only, and categories never eligible.
    approved_school_kinds: tuple[str, ...]
    licence_excluded_categories: tuple[str, ...]
    # A training organisation without a number of declaration of activity has no open offer.
    activity_number_required: bool
    # By when the report of a year is given, the year after: month and day.
    yearly_report_due: tuple[int, ...]
    # Months before a certification ends at which its organisations are warned.
    certification_warning_months: tuple[int, ...]
    # Two actions that differ in nothing else are taken for one when their hours differ by less than this.
    near_duplicate_hours: int

    # --- What people think of a training, and how an organisation answers ---
    # Calendar days from the last day followed: when one is invited, until when one may give a review.
    review_invite_days: int
    review_days: int
    # Calendar days from the moment it is given, in which it may be changed.
    review_edit_days: int
    # Reviews below which no mean is shown.
    review_average_min: int
    # What is said of an organisation's answers: over so many months, from so many requests on.
    provider_figures_months: int
    provider_figures_min: int

    # --- How an organisation comes in, and is sanctioned ---
    # From the sending of a complete file: is it receivable? then, from the first sending: the decision.
    admission_receivability_days: int
    admission_receivability_unit: Unit
    admission_decision_months: int
    # Months after which an extract of the companies' register is too old.
    admission_extract_months: int
    # What an organisation has to answer before it may be suspended.
    measure_answer_days: int
    measure_answer_unit: Unit
    # Months to contest a decision.
    contest_months: int

    def term(self, kind: str) -> Term:
        """How long the clock of this kind runs. KeyError: no such clock."""
        return {
            "provider_answer": Term(self.provider_answer_days, self.provider_answer_unit),
            "holder_answer": Term(self.holder_answer_days, self.holder_answer_unit),
            "withdrawal": Term(self.withdrawal_days, self.withdrawal_unit),
            "payment": Term(self.payment_days, self.payment_unit),
            "prerequisites": Term(self.prerequisites_days, self.prerequisites_unit),
            "funder_answer": Term(self.funder_answer_days, self.funder_answer_unit),
            "postponement": Term(self.postponement_days, self.postponement_unit),
            "entry": Term(self.entry_days, self.entry_unit),
            "absence": Term(self.absence_days, self.absence_unit),
            "claim": Term(self.claim_days, self.claim_unit),
            "exit": Term(self.exit_days, self.exit_unit),
            "completion": Term(self.completion_days, self.completion_unit),
            "validation": Term(self.validation_days, self.validation_unit),
            "earliest_start": Term(self.earliest_start_days, BUSINESS),
            "free_cancellation": Term(self.free_cancellation_days_before_start, BUSINESS),
            "admission_receivability": Term(
                self.admission_receivability_days, self.admission_receivability_unit
            ),
            "measure_answer": Term(self.measure_answer_days, self.measure_answer_unit),
        }[kind]


NAMES = tuple(field.name for field in fields(Rules) if field.name != "day")
CREDITING_NAMES = tuple(field.name for field in fields(CreditingRules) if field.name != "day")
R = TypeVar("R", bound=CreditingRules)
_TYPES = {name: hint for name, hint in get_type_hints(Rules).items() if name in NAMES}


def on(day: date) -> Rules:
    """The law on this day, in one query. NoRuleInForce: the rulebook is silent on one of its names."""
    return _known(Rules, from_values, day)


def crediting_on(day: date) -> CreditingRules:
    """What feeds accounts, on a day since 2015, in one query. NoRuleInForce."""
    return _known(CreditingRules, crediting_from_values, day)


# A row is only added, or closed once (rulebook.models); `xmin` is the transaction that did it, and no other
# ever has its number. Asked with the edition that is known already, no value comes back.
_SINCE = """
    WITH law AS (
        SELECT concat_ws(':', count(*), count(*) FILTER (WHERE upper_inf(in_force)), sum(xmin::text::bigint))
            AS edition FROM rulebook_parameter
    )
    SELECT law.edition, rule.name, rule.value::text
    FROM law LEFT JOIN rulebook_parameter rule ON law.edition <> %s AND rule.in_force @> %s::date"""
_read: dict[tuple[type, date], tuple[str, Any]] = {}
DAYS_KEPT = 100


def _known(kind: type[R], from_values: Callable[[Mapping[str, Any], date], R], day: date) -> R:
    """As this process read it last, unless a row was added or closed since: one query either way."""
    if isinstance(day, datetime):
        raise TypeError("the rulebook is asked for a day: workdays.paris_day(moment)")
    edition, rules = _read.get((kind, day), ("", None))
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, [edition, day])
        rows = cursor.fetchall()
    if rules is None or rows[0][0] != edition:
        values = {name: json.loads(value) for _edition, name, value in rows if name}
        rules = from_values(values, day)
        if len(_read) >= DAYS_KEPT:
            _read.clear()
        _read[kind, day] = rows[0][0], rules
    return rules


def from_values(values: Mapping[str, Any], day: date) -> Rules:
    """Rules from raw values by name. NoRuleInForce: one is missing. ValueError: one has the wrong shape."""
    return Rules(day=day, **_typed_all(values, day, NAMES))


def crediting_from_values(values: Mapping[str, Any], day: date) -> CreditingRules:
    """The same, for what feeds accounts."""
    return CreditingRules(day=day, **_typed_all(values, day, CREDITING_NAMES))


def _typed_all(values: Mapping[str, Any], day: date, names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        if name not in values:
            raise NoRuleInForce(name, day)
    return {name: typed(name, values[name]) for name in names}


def typed(name: str, value: Any) -> Any:
    """A raw value as its field wants it, lists and mappings frozen. ValueError: wrong shape."""
    try:
        return _frozen(value, _TYPES[name])
    except TypeError as error:
        raise ValueError(f"« {name} » : {error}") from None


def _frozen(value: Any, wanted: Any) -> Any:
    if get_origin(wanted) is tuple:
        if isinstance(value, list):
            return tuple(_frozen(item, get_args(wanted)[0]) for item in value)
    elif get_origin(wanted) is Mapping:
        if isinstance(value, dict):
            key, item = get_args(wanted)
            return MappingProxyType({_frozen(k, key): _frozen(v, item) for k, v in value.items()})
    elif get_origin(wanted) is Literal:
        if value in get_args(wanted):
            return value
    # `is`, since True is an int for isinstance; every number of the rulebook is zero or more.
    elif type(value) is wanted and not (wanted is int and value < 0):
        return value
    raise TypeError(f"{value!r} n'a pas la forme attendue, {getattr(wanted, '__name__', wanted)}")

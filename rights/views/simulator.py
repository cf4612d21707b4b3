"""What a year of work gives, for anyone: no account, nothing kept. The address holds what was asked."""

import datetime
from dataclasses import dataclass

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import rulebook
from rights import crediting, simulation
from rights.crediting import Account, NotCreditable, Result, Situation
from rights.kinds import Unit
from rights.ledger import amount_in_words
from rights.simulator_forms import SimulatorForm
from rulebook.rules import CreditingRules
from rulebook.workdays import paris_day
from ui import french
from ui.htmx import page_or_fragment
from ui.limits import MINUTE, asks_too_often


@login_not_required
@require_safe
def rights_simulator(request: HttpRequest) -> HttpResponse:
    """`choisir` only narrows the form to a situation; without it, what is asked is computed."""
    this_year = paris_day(timezone.now()).year
    found, status = None, 200
    if "situation" not in request.GET or "choisir" in request.GET:
        form = SimulatorForm(initial={"annee": this_year - 1} | request.GET.dict())
    else:
        form = SimulatorForm(request.GET)
        if form.is_valid() and asks_too_often(request, "simulator"):
            status = 429
            form.add_error(
                None,
                _(
                    "Trop de calculs à la suite depuis cette connexion internet."
                    " Attendez une minute, puis recommencez."
                ),
            )
        else:
            found = _simulate(form, this_year=this_year)
            status = 422 if found is None else 200
    context = {
        "form": form,
        "found": found,
        "breadcrumbs": [(_("Simuler mes droits"), None)],
    }
    response = page_or_fragment(
        request, "rights/public/simulator.html", "rights/public/_simulator.html", context, status=status
    )
    # Somebody's work and health may stand in the address: the answer stays with who asked.
    patch_cache_control(response, private=True, no_store=True)
    if status == 429:
        response["Retry-After"] = str(MINUTE)
    return response


# --- What the page shows ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Simulated:
    """A result in words. Bars are in thousandths of the larger of the cap and what the account would hold."""

    result: Result
    year: int
    balance: int
    texts: list[tuple[rulebook.Reference, str]]
    notes: list[str]

    @property
    def credit_in_words(self) -> str:
        return amount_in_words(self.result.credit, self.result.unit)

    @property
    def lost_in_words(self) -> str:
        return amount_in_words(self.result.lost, self.result.unit)

    @property
    def increase_in_words(self) -> str:
        return amount_in_words(self.result.increase, self.result.unit)

    @property
    def cap_in_words(self) -> str:
        return amount_in_words(self.result.cap, self.result.unit)

    @property
    def balance_in_words(self) -> str:
        return amount_in_words(self.balance, self.result.unit)

    @property
    def after_in_words(self) -> str:
        return amount_in_words(self.balance + self.result.credit, self.result.unit)

    @property
    def is_in_hours(self) -> bool:
        return self.result.unit == Unit.HOUR

    @property
    def held_width(self) -> int:
        return self._width(self.balance)

    @property
    def credit_width(self) -> int:
        return self._width(self.balance + self.result.credit) - self.held_width

    @property
    def cap_place(self) -> int:
        return self._width(self.result.cap)

    def _width(self, amount: int) -> int:
        whole = max(self.result.cap, self.balance + self.result.credit)
        return amount * 1000 // whole if whole else 0


def _simulate(form: SimulatorForm, *, this_year: int) -> Simulated | None:
    """None: the form says what is wrong."""
    is_valid = form.is_valid()
    try:
        rules = _law(form, this_year=this_year)
        if rules is None or not is_valid:
            return None
        account, situation = form.account_said(), form.situation_said()
        result = crediting.compute([situation], account=account, rules=rules)
        held = form.cleaned_data.get("solde") or 0
        if result.unit == Unit.HOUR and held != int(held):
            raise NotCreditable(
                _("Cette année-là, ces droits se comptent en heures entières."), about="balance"
            )
    except NotCreditable as refusal:
        form.refuse(refusal)
        return None
    names = simulation.names_behind(situation, account, rules=rules)
    references = rulebook.references((name, rules.day) for name in names)
    found = [references[name, rules.day] for name in names if (name, rules.day) in references]
    return Simulated(
        result=result,
        year=rules.day.year,
        balance=account.balance(result.unit),
        texts=[(reference, _value(reference)) for reference in found],
        notes=_notes(form, situation, account, rules),
    )


def _law(form: SimulatorForm, *, this_year: int) -> CreditingRules | None:
    """Judged with the fields, so that a wrong year is told together with them. None: no year was read."""
    if "annee" not in form.cleaned_data:
        return None
    year = form.cleaned_data["annee"]
    return simulation.law_of(year, rules_of=_rules_of, this_year=this_year)


def _rules_of(year: int) -> CreditingRules:
    return rulebook.crediting_on(datetime.date(year, 12, 31))


def _notes(form: SimulatorForm, situation: Situation, account: Account, rules: CreditingRules) -> list[str]:
    """What was filled in and changed nothing, and why."""
    status = situation.status
    notes = [_("N’a rien changé dans cette situation : « %s ».") % label for label in form.ignored]
    if account.low_qualified and status not in rules.low_qualified_statuses:
        notes.append(_("En %s, l’absence de diplôme ne majorait pas encore ces droits.") % rules.day.year)
    if account.boe and status not in rules.boe_statuses:
        notes.append(_("En %s, l’obligation d’emploi ne majorait pas encore ces droits.") % rules.day.year)
    return notes


def _value(text: rulebook.Reference) -> str:
    """« 500,00 € », « 50 % »; "" for a list of situations."""
    if text.name.endswith("_cents"):
        return french.euros(text.value)
    if text.name.endswith("_hour_steps"):
        step = _("%(hours)s h par an jusqu’à %(until)s h")
        return " ; ".join(step % {"hours": hours, "until": until} for hours, until in text.value)
    if text.name.endswith("_percent"):
        return f"{text.value}{french.NO_BREAK}%"
    if text.name.endswith("_hours"):
        return f"{text.value:,}".replace(",", french.NARROW_NO_BREAK) + f"{french.NO_BREAK}h"
    if text.name == "days_contract_max":
        return _("%s jours") % text.value
    return ""

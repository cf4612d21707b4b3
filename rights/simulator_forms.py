"""What the simulator asks. Its fields are in the address of the page; nothing of them is kept.

Once the situation is known, only what changes its result is asked; `ignored` names what was filled in all the
same. What makes no sense together is judged where it is computed (rights.simulation).
"""

from decimal import Decimal
from fractions import Fraction

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rights.crediting import EMPLOYEES, MEASURES, MOST, PUBLIC, Account, NotCreditable, Situation
from rights.kinds import Measure, WorkStatus
from ui.fields import EurosField, NumberField

S = WorkStatus
GROUPS = (
    (
        gettext_lazy("Salariés"),
        (S.PRIVATE, S.FIXED_TERM, S.TEMP, S.SEASONAL, S.ENTERTAINMENT, S.APPRENTICE, S.RETIRED_REDUCED_RATE),
    ),
    (gettext_lazy("Agents publics"), (S.PUBLIC, S.PUBLIC_CATEGORY_C)),
    (gettext_lazy("Autres actifs"), (S.SELF_EMPLOYED, S.ARTIST_AUTHOR, S.ESAT)),
    (gettext_lazy("Sans travail, ou à la retraite"), (S.JOB_SEEKER, S.INTERN, S.RETIRED_FULL_RATE)),
)
MEASURE_WORDS = {
    Measure.HOURS: gettext_lazy("en heures"),
    Measure.DAYS: gettext_lazy("en jours (forfait jours)"),
    Measure.MONTHS: gettext_lazy("en mois"),
    Measure.PAY_CENTS: gettext_lazy("en salaire, faute d’heures connues"),
}
# Where only some fields change the result; the others are not asked.
ONLY_EMPLOYEES = ("sans_diplome", "boe")
TIME = ("mesure", "travaille")
# The field of the form for what a refusal is about (rights.crediting).
FIELDS = {
    "year": "annee",
    "status": "situation",
    "measure": "mesure",
    "worked": "travaille",
    "reference": "annee_entiere",
    "agreed_cents": "accord",
    "balance": "solde",
}


def asked_of(status: WorkStatus) -> set[str]:
    """The fields that change what this situation gives."""
    asked = {"situation", "annee"}
    if status in EMPLOYEES:
        asked |= {*TIME, "annee_entiere", *ONLY_EMPLOYEES}
    if status == S.SEASONAL:
        asked.add("accord")
    if status in PUBLIC:
        asked |= {*TIME, "annee_entiere"}
    if len(MEASURES[status]) == 1:
        asked.add("travaille")
    if status not in (S.JOB_SEEKER, S.INTERN, S.RETIRED_FULL_RATE):
        asked.add("solde")
    return asked


class SimulatorForm(forms.Form):
    situation = forms.TypedChoiceField(
        label=gettext_lazy("Votre situation cette année-là"),
        choices=[
            ("", gettext_lazy("Choisissez…")),
            *((name, [(each.value, each.label) for each in group]) for name, group in GROUPS),
        ],
        coerce=WorkStatus,
        widget=forms.Select(
            attrs={
                # The form is asked again, with only what counts for this situation.
                "hx-get": reverse_lazy("rights_simulator"),
                "hx-trigger": "change",
                "hx-include": "closest form",
                "hx-vals": '{"choisir": "1"}',
                "hx-target": "#simulation",
                "hx-push-url": "false",
            }
        ),
        error_messages={
            "required": gettext_lazy("Choisissez votre situation."),
            "invalid_choice": gettext_lazy("Cette situation n’existe pas. Choisissez dans la liste."),
        },
    )
    annee = forms.IntegerField(
        label=gettext_lazy("Année travaillée"),
        min_value=1,
        max_value=9999,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": 4}),
        error_messages={
            "required": gettext_lazy("Écrivez une année, par exemple 2025."),
            "invalid": gettext_lazy("Ce n’est pas une année. Écrivez-la par exemple 2025."),
            "min_value": gettext_lazy("Ce n’est pas une année. Écrivez-la par exemple 2025."),
            "max_value": gettext_lazy("Ce n’est pas une année. Écrivez-la par exemple 2025."),
        },
    )
    mesure = forms.TypedChoiceField(
        label=gettext_lazy("Votre travail se compte"),
        choices=list(MEASURE_WORDS.items()),
        coerce=Measure,
        empty_value=None,
        initial=Measure.HOURS.value,
        required=False,
        error_messages={
            "invalid_choice": gettext_lazy("On compte en heures, en jours, en mois ou en salaire.")
        },
    )
    travaille = NumberField(
        label=gettext_lazy("Travaillé dans l’année"),
        max_digits=11,
        required=False,
        help_text=gettext_lazy("Un nombre d’heures, de jours ou de mois ; en euros pour un salaire."),
        error_messages={
            "min_value": gettext_lazy("Un temps travaillé ou une rémunération ne peut pas être négatif."),
            "max_digits": gettext_lazy("Ce nombre est trop grand pour une année."),
            "max_whole_digits": gettext_lazy("Ce nombre est trop grand pour une année."),
            "max_decimal_places": gettext_lazy("Deux chiffres après la virgule, pas plus."),
        },
    )
    annee_entiere = NumberField(
        label=gettext_lazy("Année entière convenue chez votre employeur"),
        required=False,
        help_text=gettext_lazy("En heures ou en jours. Vide : la durée légale."),
        error_messages={
            "min_value": gettext_lazy("Une durée ne peut pas être négative."),
            "max_digits": gettext_lazy("Ce nombre est trop grand pour une année."),
            "max_whole_digits": gettext_lazy("Ce nombre est trop grand pour une année."),
            "max_decimal_places": gettext_lazy("Deux chiffres après la virgule, pas plus."),
        },
    )
    accord = EurosField(
        label=gettext_lazy("Ce que votre accord donne pour une année entière"),
        required=False,
        help_text=gettext_lazy("Saisonniers : en euros, si un accord est plus favorable que la loi."),
    )
    sans_diplome = forms.BooleanField(
        label=gettext_lazy("Je n’ai aucun diplôme de niveau 3 (CAP, BEP, titre professionnel)"),
        required=False,
        help_text=gettext_lazy("Salariés : majore les droits, une fois déclaré."),
    )
    boe = forms.BooleanField(
        label=gettext_lazy("Je suis reconnu travailleur handicapé, ou assimilé"),
        required=False,
        help_text=gettext_lazy(
            "Salariés bénéficiaires de l’obligation d’emploi (RQTH, AAH, rente d’incapacité, carte mobilité "
            "inclusion)."
        ),
    )
    solde = NumberField(
        label=gettext_lazy("Ce que le compte contient déjà"),
        required=False,
        help_text=gettext_lazy(
            "Droits annuels et majoration seulement, en euros ; en heures pour un agent public."
        ),
        error_messages={
            "min_value": gettext_lazy("Un compte ne contient jamais moins que zéro."),
            "max_digits": gettext_lazy("Aucun compte ne contient autant."),
            "max_whole_digits": gettext_lazy("Aucun compte ne contient autant."),
            "max_decimal_places": gettext_lazy("Deux chiffres après la virgule, pas plus."),
        },
    )

    def __init__(self, data=None, *, initial: dict[str, object] | None = None):
        super().__init__(data, initial=initial)
        self.ignored: list[str] = []
        said = str((data if data is not None else self.initial).get("situation", ""))
        self.status = WorkStatus(said) if said in WorkStatus.values else None
        if self.status is not None:
            self._narrow(self.status)

    def _narrow(self, status: WorkStatus) -> None:
        """Ask this situation only what changes its result. A measure it does not know is still refused."""
        for name in set(self.fields) - asked_of(status):
            given = self[name].data if self.is_bound else None
            if given and name != "mesure":
                self.ignored.append(str(self.fields[name].label))
            del self.fields[name]
        if "mesure" in self.fields:
            self.fields["mesure"].widget.choices = [(each, MEASURE_WORDS[each]) for each in MEASURES[status]]
        if "travaille" in self.fields:
            self.fields["travaille"].required = True
            self.fields["travaille"].error_messages["required"] = _("Écrivez ce que vous avez travaillé.")
        if status in PUBLIC:
            self.fields["annee_entiere"].help_text = _("En heures. Vide : la durée légale.")
            self.fields["solde"].help_text = _("En heures entières : c’est ainsi que se tient votre compte.")
        if MEASURES[status] == (Measure.MONTHS,):
            self.fields["travaille"].label = _("Mois d’activité dans l’année")
            self.fields["travaille"].help_text = _("De 1 à 12.")

    def situation_said(self) -> Situation:
        """NotCreditable: what is said makes no sense together."""
        said = self.cleaned_data
        status = said["situation"]
        worked, measure = said.get("travaille"), said.get("mesure")
        if worked is None:
            measure = None
        elif measure is None:
            measure = MEASURES[status][0]
        if measure == Measure.PAY_CENTS:
            worked = worked * 100
        if worked is not None and worked > MOST[Measure.PAY_CENTS]:
            raise NotCreditable(_("Ce nombre est trop grand pour une année."), about="worked")
        return Situation(
            status=status,
            measure=measure,
            worked=_exact(worked),
            reference=_exact(said.get("annee_entiere")),
            agreed_cents=said.get("accord") or 0,
        )

    def account_said(self) -> Account:
        """What the account holds, in both units: the result says which one counts."""
        said = self.cleaned_data
        held = said.get("solde") or Decimal(0)
        return Account(
            low_qualified=said.get("sans_diplome", False),
            boe=said.get("boe", False),
            balance_cents=int(held * 100),
            balance_hours=int(held),
        )

    def refuse(self, error: NotCreditable) -> None:
        """Say it beside the field it is about."""
        name = FIELDS.get(error.about, "")
        self.add_error(name if name in self.fields else None, str(error))


def _exact(number: Decimal | None) -> Fraction | None:
    return None if number is None else Fraction(number)

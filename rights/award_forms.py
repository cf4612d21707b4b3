"""What the administration types to give rights that no year of work gives (rights.awards judges)."""

from fractions import Fraction
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import HolderProfile
from rights import awards
from rights.awards import Activity
from rights.kinds import Origin
from ui.fields import NumberField, day_field


class RightForm(forms.Form):
    """Which right it is: each has its own questions."""

    right = forms.ChoiceField(label=_("Ce que vous attribuez"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["right"].choices = [(slug, form.title) for slug, form in FORMS.items()]


class AwardForm(forms.Form):
    """One right for one holder. `give` calls its verb."""

    title = _("Attribution")
    verb: Any
    holder = forms.CharField(label=_("Titulaire"), max_length=64, help_text=_("Référence de son compte."))
    reference = forms.CharField(
        label=_("Référence de la décision"),
        max_length=awards.LONGEST_REFERENCE,
        help_text=_("La même n’attribue qu’une fois."),
    )
    on = day_field(label=_("Jour de la décision"))
    reason = forms.CharField(
        label=_("Pourquoi vous l’attribuez à la main"),
        max_length=400,
        help_text=_("Écrit dans le journal, à votre nom."),
    )

    def clean_holder(self) -> HolderProfile:
        found = HolderProfile.objects.select_related("user").filter(
            reference=self.cleaned_data["holder"].strip()
        )
        holder = found.first()
        if holder is None:
            raise forms.ValidationError(_("Aucun compte n’a cette référence."))
        return holder

    def said(self) -> dict[str, Any]:
        """The arguments of the verb, the holder aside."""
        return {name: value for name, value in self.cleaned_data.items() if name not in ("holder", "reason")}


class VolunteeringForm(AwardForm):
    title = _("Une année d’engagement citoyen (CEC)")
    verb = staticmethod(awards.credit_volunteering)
    reference = None
    on = None
    activity = forms.TypedChoiceField(label=_("Activité"), choices=Activity.choices, coerce=Activity)
    year = forms.IntegerField(label=_("Année"), min_value=1, max_value=9999)
    quantity = forms.IntegerField(label=_("Durée, en mois, jours ou heures"), min_value=0)
    in_one_association = forms.IntegerField(
        label=_("Dont heures dans une même association"), min_value=0, required=False
    )
    field_order = ["holder", "activity", "year", "quantity", "in_one_association", "reason"]


class PointsForm(AwardForm):
    title = _("Des points du compte de prévention (C2P)")
    verb = staticmethod(awards.credit_points)
    points = forms.IntegerField(label=_("Points"), min_value=1)
    field_order = ["holder", "points", "reference", "on", "reason"]


class WorkAccidentForm(AwardForm):
    title = _("Un accident du travail ou une maladie professionnelle")
    verb = staticmethod(awards.credit_work_accident)
    rate_percent = forms.IntegerField(label=_("Taux d’incapacité permanente, en %"), min_value=0)
    field_order = ["holder", "rate_percent", "reference", "on", "reason"]


class OwedForm(AwardForm):
    title = _("Ce qu’un employeur doit (correctif, licenciement)")
    verb = staticmethod(awards.credit_corrective)
    cause = forms.TypedChoiceField(
        label=_("Cause"),
        choices=[(each.value, each.label) for each in (Origin.CORRECTIVE, Origin.DISMISSED)],
        coerce=Origin,
    )
    employer = forms.CharField(label=_("Employeur qui a versé"), max_length=120)
    field_order = ["holder", "cause", "employer", "reference", "on", "reason"]


class DifForm(AwardForm):
    title = _("Un report d’heures de DIF")
    verb = staticmethod(awards.transfer_dif)
    hours = NumberField(label=_("Heures"), help_text=_("Par exemple 12,5."))
    on = day_field(label=_("Jour du report"), help_text=_("Quand il était encore ouvert."))
    field_order = ["holder", "hours", "reference", "on", "reason"]

    def clean_hours(self) -> Fraction:
        return Fraction(self.cleaned_data["hours"])


class PreventionForm(AwardForm):
    title = _("Des heures pour prévenir l’inaptitude (agent public)")
    verb = staticmethod(awards.grant_prevention)
    hours = forms.IntegerField(label=_("Heures"), min_value=1)
    employer = forms.CharField(label=_("Employeur public"), max_length=120)
    field_order = ["holder", "hours", "employer", "reference", "on", "reason"]


FORMS: dict[str, type[AwardForm]] = {
    "engagement": VolunteeringForm,
    "prevention-c2p": PointsForm,
    "accident": WorkAccidentForm,
    "employeur": OwedForm,
    "dif": DifForm,
    "inaptitude": PreventionForm,
}
# Where a verb names its argument otherwise than the form its field.
FIELDS = {"rate": "rate_percent"}

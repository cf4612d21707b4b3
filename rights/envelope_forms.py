"""What the administration types about funders' envelopes. Rules are the verbs' (rights.dotations)."""

import re
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import HolderProfile
from rights import earmarks
from rights.dotations import SORTS
from rights.kinds import FunderKind, Origin
from rights.models import Movement
from ui.fields import EurosField, day_field

SEPARATORS = re.compile(r"[\s,;|]+")
LONGEST_REASON = Movement._meta.get_field("reason").max_length


class ConditionsForm(forms.Form):
    """What the money is reserved for; empty: free."""

    certifications = forms.CharField(
        label=_("Réservé aux certifications"),
        required=False,
        help_text=_("RNCP35809, RS6604… Vide : toutes."),
    )
    levels = forms.CharField(
        label=_("Réservé aux niveaux"),
        required=False,
        help_text=_("De 1 à 8, par exemple 5, 6. Vide : tous."),
    )
    starts_from = day_field(label=_("Formation commencée au plus tôt le"), required=False)
    starts_until = day_field(label=_("Formation commencée au plus tard le"), required=False)

    def clean(self):
        said = super().clean()
        try:
            said["conditions"] = earmarks.conditions(
                certifications=[each for each in SEPARATORS.split(said["certifications"].upper()) if each],
                levels=[int(each) for each in SEPARATORS.split(said["levels"]) if each],
                starts_from=said.get("starts_from"),
                starts_until=said.get("starts_until"),
            )
        except earmarks.EarmarkRefused as refusal:
            self.add_error(None, str(refusal))
        except ValueError:
            self.add_error("levels", _("Un niveau est un nombre de 1 à 8."))
        return said


class EnvelopeForm(ConditionsForm):
    reference = forms.CharField(label=_("Référence"), max_length=40, help_text=_("Par exemple RH-2026."))
    funder_name = forms.CharField(
        label=_("Financeur"), max_length=120, help_text=_("Le nom que les titulaires liront.")
    )
    funder_siret = forms.CharField(label=_("SIRET du financeur"), max_length=14, required=False)
    funder_kind = forms.ChoiceField(label=_("Sorte de financeur"), choices=FunderKind.choices)
    ends_on = day_field(
        label=_("Dernier jour"), required=False, help_text=_("Après lui, plus rien n’en est attribué.")
    )
    field_order = ["reference", "funder_name", "funder_siret", "funder_kind", "ends_on"]


class FundForm(forms.Form):
    amount = EurosField(label=_("Montant reçu, en euros"))
    reference = forms.CharField(
        label=_("Référence du virement"), max_length=64, help_text=_("Elle ne sert qu’une fois.")
    )


class GrantForm(ConditionsForm):
    holder = forms.CharField(label=_("Titulaire"), max_length=64, help_text=_("Référence de son compte."))
    amount = EurosField(label=_("Montant, en euros"))
    origin = forms.ChoiceField(label=_("Sorte"), choices=Origin.choices)
    reference = forms.CharField(
        label=_("Référence de l’attribution"),
        max_length=64,
        help_text=_("Celle du financeur. La même n’attribue qu’une fois."),
    )
    expires_on = day_field(
        label=_("À utiliser jusqu’au"), required=False, help_text=_("Vide : sans date de fin.")
    )
    field_order = ["holder", "amount", "origin", "reference", "expires_on"]

    def __init__(self, *args, funder_kind: str = "", **kwargs):
        super().__init__(*args, **kwargs)
        if funder_kind:
            allowed = [origin for origin, sort in SORTS.items() if funder_kind in sort.funders]
            self.fields["origin"].choices = [(origin.value, origin.label) for origin in allowed]

    def clean_holder(self):
        return _holder(self.cleaned_data["holder"])


class RecallForm(forms.Form):
    holder = forms.CharField(
        label=_("Titulaire"),
        max_length=64,
        required=False,
        help_text=_("Référence de son compte. Vide : tous ceux de l’enveloppe."),
    )
    reason = forms.CharField(
        label=_("Motif"), max_length=LONGEST_REASON, help_text=_("Les titulaires le liront.")
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def clean_holder(self):
        said = self.cleaned_data["holder"]
        return _holder(said) if said else None


class PayBackForm(forms.Form):
    amount = EurosField(label=_("Montant rendu au financeur, en euros"))
    reason = forms.CharField(label=_("Motif"), max_length=LONGEST_REASON)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


def _holder(reference: str) -> HolderProfile:
    holder = HolderProfile.objects.select_related("user").filter(reference=reference.strip()).first()
    if holder is None:
        raise forms.ValidationError(_("Aucun compte n’a cette référence."))
    return holder

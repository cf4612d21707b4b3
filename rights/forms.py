"""What a holder may ask of their history."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from rights.statements import HISTORY_KINDS


class HistoryForm(forms.Form):
    """Filters of the history, in the address of the page."""

    annee = forms.ChoiceField(label=_("Année"), required=False)
    sorte = forms.ChoiceField(
        label=_("Sorte d’opération"),
        required=False,
        choices=[("", _("Toutes")), *HISTORY_KINDS.items()],
    )

    def __init__(self, *args, years: Sequence[int], **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["annee"].choices = [("", _("Toutes")), *((str(year), str(year)) for year in years)]

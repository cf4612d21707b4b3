"""What a holder may ask of their history."""

import datetime
from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from rights.statements import HISTORY_KINDS
from ui.fields import day_field


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


class DayForm(forms.Form):
    """« Mes droits au … »: a day that has come, in the address of the page."""

    jour = day_field(
        label=_("Mes droits à la fin du"),
        help_text=_("Un jour passé, ou aujourd’hui."),
        error_messages={"required": _("Choisissez un jour, par exemple 12/05/2026.")},
    )

    def __init__(self, *args, today: datetime.date, **kwargs):
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["jour"].widget.attrs["max"] = today.isoformat()

    def clean_jour(self):
        day = self.cleaned_data["jour"]
        if day > self.today:
            raise forms.ValidationError(
                _("Ce jour n’est pas encore venu. Choisissez aujourd’hui ou un jour passé."), code="future"
            )
        return day

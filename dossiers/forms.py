"""Checking what people type. What is possible now is checked by the verbs (guards.py)."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.validators import french_phone
from dossiers.models import Dossier
from dossiers.states import State


class DayInput(forms.DateInput):
    """The browser's own calendar; the day is exchanged as 2026-05-12 whatever the language."""

    input_type = "date"

    def __init__(self, **kwargs):
        super().__init__(format="%Y-%m-%d", **kwargs)


def day_field(**kwargs) -> forms.DateField:
    """A day, typed in the browser's calendar or as 12/05/2026."""
    messages = {"invalid": _("Cette date n’existe pas. Écrivez-la par exemple 12/05/2026.")}
    return forms.DateField(
        widget=DayInput(), input_formats=["%Y-%m-%d", "%d/%m/%Y"], error_messages=messages, **kwargs
    )


class WordsField(forms.CharField):
    """A few sentences. A browser sends two signs for each end of line, and counts one."""

    def __init__(self, *, rows, **kwargs):
        super().__init__(widget=forms.Textarea(attrs={"rows": rows}), **kwargs)

    def to_python(self, value):
        return super().to_python(value).replace("\r\n", "\n")


class EurosField(forms.DecimalField):
    """An amount typed « 1 234,50 » or 1234.50; cleaned to whole euro cents."""

    def __init__(self, **kwargs):
        super().__init__(
            min_value=kwargs.pop("min_value", 0),
            max_digits=9,
            decimal_places=2,
            error_messages={
                "invalid": _("Ce montant n’est pas reconnu. Écrivez-le par exemple 1234,50."),
                "max_decimal_places": _("Un montant a deux chiffres après la virgule, pas plus."),
            },
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            **kwargs,
        )

    def to_python(self, value):
        if isinstance(value, str):
            value = "".join(value.replace("€", "").split()).replace(",", ".")
            if set(value) - set("-.0123456789"):  # Decimal would read « 1e5 » and « 1_0 »
                raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)

    def clean(self, value):
        amount = super().clean(value)
        return None if amount is None else int(amount * 100)


class RequestForm(forms.Form):
    """What the holder tells the organisation. A session with permanent entry asks for a wished start."""

    project = WordsField(
        label=_("Pourquoi cette formation ?"),
        help_text=_("Votre projet en quelques phrases. L’organisme le lira. 2 000 caractères au plus."),
        max_length=2000,
        required=False,
        rows=6,
    )
    wished_start = day_field(
        label=_("Quand aimeriez-vous commencer ?"),
        help_text=_("L’organisme pourra vous proposer une autre date."),
        required=False,
    )
    contact_email = forms.EmailField(
        label=_("Votre adresse e-mail"),
        max_length=Dossier._meta.get_field("contact_email").max_length,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    contact_phone = forms.CharField(
        label=_("Votre téléphone"),
        help_text=_("Par exemple 06 12 34 56 78."),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "type": "tel"}),
    )

    def __init__(self, *args, is_permanent: bool, **kwargs):
        super().__init__(*args, **kwargs)
        if not is_permanent:
            del self.fields["wished_start"]

    def clean_contact_phone(self):
        return french_phone(self.cleaned_data["contact_phone"])


class SendForm(forms.Form):
    """The last look before sending."""

    seen_price_cents = forms.IntegerField(widget=forms.HiddenInput)
    terms = forms.BooleanField(
        label=_("J’ai lu ce que cette demande engage, et j’accepte les conditions d’utilisation."),
        error_messages={"required": _("Cochez cette case pour envoyer votre demande.")},
    )


class ProposalForm(forms.Form):
    """The organisation's answer: price and dates, and why if they differ from the request."""

    price_cents = EurosField(label=_("Prix TTC en euros"), help_text=_("Par exemple 1 234,50."))
    starts_on = day_field(label=_("Premier jour"))
    ends_on = day_field(label=_("Dernier jour"))
    change_reason = WordsField(
        label=_("Si le prix ou les dates changent : pourquoi ?"),
        help_text=_("Le titulaire lira cette explication."),
        required=False,
        max_length=1000,
        rows=3,
    )


class ReasonForm(forms.Form):
    """A refusal or a cancellation, in words for the other side."""

    reason = WordsField(label=_("Pourquoi ?"), max_length=1000, required=False, rows=3)


class ListForm(forms.Form):
    """Filters of a list."""

    state = forms.ChoiceField(
        label=_("État"), required=False, choices=[("", _("Tous les états")), *State.choices]
    )
    q = forms.CharField(
        label=_("Nom, numéro ou formation"), required=False, max_length=100, widget=forms.TextInput()
    )

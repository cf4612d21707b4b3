"""Form fields that several apps ask with: a day, some sentences, an amount."""

from django import forms
from django.utils.translation import gettext_lazy as _


class DayInput(forms.DateInput):
    """The browser's own calendar; the day is exchanged as 2026-05-12 whatever the language."""

    input_type = "date"

    def __init__(self, **kwargs):
        super().__init__(format="%Y-%m-%d", **kwargs)


def day_field(**kwargs) -> forms.DateField:
    """A day, typed in the browser's calendar or as 12/05/2026. `error_messages` adds to ours."""
    messages = {"invalid": _("Cette date n’existe pas. Écrivez-la par exemple 12/05/2026.")}
    messages |= kwargs.pop("error_messages", {})
    return forms.DateField(
        widget=DayInput(), input_formats=["%Y-%m-%d", "%d/%m/%Y"], error_messages=messages, **kwargs
    )


class WordsField(forms.CharField):
    """A few sentences. A browser sends two signs for each end of line, and counts one."""

    def __init__(self, *, rows, **kwargs):
        super().__init__(widget=forms.Textarea(attrs={"rows": rows}), **kwargs)

    def to_python(self, value):
        return super().to_python(value).replace("\r\n", "\n")


class NumberField(forms.DecimalField):
    """A number typed as people write it, « 1 607 » or « 803,5 »; cleaned to a Decimal."""

    def __init__(self, **kwargs):
        messages = {"invalid": _("Ce nombre n’est pas reconnu. Écrivez-le par exemple 1607 ou 803,5.")}
        super().__init__(
            min_value=kwargs.pop("min_value", 0),
            max_digits=kwargs.pop("max_digits", 9),
            decimal_places=2,
            error_messages=messages | kwargs.pop("error_messages", {}),
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            **kwargs,
        )

    def to_python(self, value):
        if isinstance(value, str):
            value = "".join(value.replace("€", "").split()).replace(",", ".")
            if set(value) - set("-.0123456789"):  # Decimal would read « 1e5 » and « 1_0 »
                raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class EurosField(NumberField):
    """An amount typed « 1 234,50 » or 1234.50; cleaned to whole euro cents."""

    def __init__(self, **kwargs):
        super().__init__(
            error_messages={
                "invalid": _("Ce montant n’est pas reconnu. Écrivez-le par exemple 1234,50."),
                "max_decimal_places": _("Un montant a deux chiffres après la virgule, pas plus."),
            },
            **kwargs,
        )

    def clean(self, value):
        amount = super().clean(value)
        return None if amount is None else int(amount * 100)


class FilesInput(forms.FileInput):
    allow_multiple_selected = True

    def value_from_datadict(self, data, files, name):
        return files.getlist(name) if hasattr(files, "getlist") else files.get(name, [])

    def use_required_attribute(self, initial):
        return False


class FilesField(forms.FileField):
    """Several files at once, cleaned to a list. What they hold is judged by ui.documents, not here."""

    def __init__(self, **kwargs):
        accept = ".pdf,.jpg,.jpeg,.png,application/pdf,image/jpeg,image/png"
        super().__init__(
            widget=FilesInput(attrs={"accept": accept, "multiple": True}), required=False, **kwargs
        )

    def clean(self, data, initial=None):
        return list(data or [])

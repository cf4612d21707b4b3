"""What people type to ask for help. Limits and rights are judged by the verbs (support.workflow)."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from support.guards import NAME_MAX, SUBJECT_MAX, WORDS_MAX
from support.models import ScamReport, Ticket
from support.states import Topic
from ui.fields import WordsField, day_field

# A report is about something that can still be looked into.
OLDEST_REPORT = timedelta(days=3 * 365)


class _AskForm(forms.Form):
    """What every request has. Who is signed in is not asked who they are."""

    name = forms.CharField(
        label=_("Votre nom"),
        max_length=NAME_MAX,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("Votre adresse e-mail"),
        help_text=_("Nous y envoyons notre réponse, et un lien pour suivre votre demande."),
        max_length=Ticket._meta.get_field("email").max_length,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": _("Écrivez votre adresse e-mail : nous y répondrons."),
            "invalid": _("Cette adresse e-mail n’est pas complète. Par exemple : nom@exemple.fr."),
        },
    )
    # Seen by robots only, which fill in whatever they find.
    website = forms.CharField(
        label=_("Laissez ce champ vide"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )

    def __init__(self, *args: Any, by: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if by.user:
            del self.fields["name"], self.fields["email"]

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise ValidationError(_("Laissez ce champ vide : il écarte les robots."))
        return ""

    def to_keep(self, data: Any) -> dict[str, Any]:
        """What was typed, cut at its limits, as a session can hold it."""
        kept = {}
        for name, field in self.fields.items():
            if name == "website":
                continue
            longest = min(getattr(field, "max_length", None) or 100, WORDS_MAX)
            if isinstance(field, forms.MultipleChoiceField):
                kept[name] = [value[:20] for value in data.getlist(name)[: len(field.choices)]]
            else:
                kept[name] = data.get(name, "")[:longest]
        return kept


class DossierNumberField(forms.CharField):
    """A dossier by its number, for who has too many to choose from. `queryset`: those that are theirs."""

    queryset: QuerySet

    def clean(self, value: Any) -> Any:
        digits = "".join(super().clean(value).split())
        if not digits:
            return None
        dossier = self.queryset.filter(number=digits).first()
        if dossier is None:
            raise ValidationError(_("Ce numéro n’est pas celui d’un dossier que vous suivez. Vérifiez-le."))
        return dossier


class ContactForm(_AskForm):
    """A question, in one's own words. `dossiers`: those this person may ask about."""

    dossier = forms.ModelChoiceField(
        label=_("Quel dossier ?"),
        queryset=None,
        to_field_name="number",
        required=False,
        empty_label=_("Aucun en particulier"),
        error_messages={
            "invalid_choice": _("Ce dossier n’est plus dans votre liste. Choisissez-en un autre.")
        },
    )
    subject = forms.CharField(
        label=_("En une phrase"),
        help_text=_("Par exemple : mes droits de l’an dernier ne sont pas arrivés."),
        max_length=SUBJECT_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Dites en une phrase de quoi il s’agit.")},
    )
    words = WordsField(
        label=_("Ce qui se passe"),
        help_text=_(
            "Dites ce que vous avez fait, et ce que vous avez vu. "
            "N’écrivez jamais votre mot de passe ni votre numéro de sécurité sociale."
        ),
        max_length=WORDS_MAX,
        rows=8,
        error_messages={"required": _("Écrivez votre message.")},
    )

    field_order = ["dossier", "subject", "words", "name", "email"]

    def __init__(self, *args: Any, by: Actor, topic: Topic, dossiers: QuerySet, **kwargs: Any):
        super().__init__(*args, by=by, **kwargs)
        if by.is_provider:
            self.fields["dossier"] = DossierNumberField(
                label=_("Numéro du dossier"),
                help_text=_("Si votre question porte sur un dossier."),
                max_length=20,
                required=False,
                widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            )
            self.fields["dossier"].queryset = dossiers
        elif topic == Topic.DOSSIER and dossiers.exists():
            self.fields["dossier"].queryset = dossiers
            self.fields["dossier"].label_from_instance = _dossier_words
        else:
            del self.fields["dossier"]
        self.order_fields(self.field_order)


def _dossier_words(dossier: Any) -> str:
    return f"{dossier.offer.title} · {dossier.get_state_display()} · {dossier.number}"


class ReportForm(_AskForm):
    """A solicitation: facts that can be compared, then what was said. `on`: today, in Paris."""

    happened_on = day_field(
        label=_("Quel jour ?"), error_messages={"required": _("Dites quel jour c’était.")}
    )
    channel = forms.ChoiceField(
        label=_("Comment vous a-t-on joint ?"),
        choices=ScamReport.Channel,
        widget=forms.RadioSelect,
        error_messages={"required": _("Dites comment on vous a joint.")},
    )
    contact = forms.CharField(
        label=_("Numéro, adresse e-mail ou site"),
        help_text=_("Celui qui s’est affiché. Même masqué ou faux, il aide."),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    organisation = forms.CharField(
        label=_("Au nom de qui ?"),
        help_text=_("L’organisme, le service ou la personne que l’on a nommé."),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    words = WordsField(
        label=_("Ce qui a été dit, ou écrit"),
        help_text=_("Quelques phrases suffisent. N’écrivez ni mot de passe, ni numéro de carte."),
        max_length=WORDS_MAX,
        rows=6,
        error_messages={"required": _("Dites en quelques mots ce qui s’est passé.")},
    )
    given = forms.MultipleChoiceField(
        label=_("Avez-vous donné quelque chose ?"),
        help_text=_("Personne ne vous le reprochera. Nous vous dirons quoi faire."),
        choices=ScamReport.Given,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    field_order = ["happened_on", "channel", "contact", "organisation", "words", "given", "name", "email"]

    def __init__(self, *args: Any, on: date, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.on = on

    def clean_happened_on(self) -> date:
        day = self.cleaned_data["happened_on"]
        if day > self.on:
            raise ValidationError(_("Cette date est dans l’avenir. Vérifiez-la."))
        if day < self.on - OLDEST_REPORT:
            raise ValidationError(_("Cette date est trop ancienne. Vérifiez l’année."))
        return day

    def facts(self) -> dict[str, Any]:
        """The fields of a ScamReport, once valid."""
        names = ("happened_on", "channel", "contact", "organisation", "given")
        return {name: self.cleaned_data[name] for name in names}


class ReplyForm(forms.Form):
    """One more message in a thread."""

    words = WordsField(
        label=_("Votre message"),
        max_length=WORDS_MAX,
        rows=6,
        error_messages={"required": _("Écrivez votre message.")},
    )


class ReopenForm(ReplyForm):
    words = WordsField(
        label=_("Que manque-t-il ?"),
        max_length=WORDS_MAX,
        rows=6,
        error_messages={"required": _("Dites ce qui manque encore.")},
    )


class FollowForm(forms.Form):
    """What a visitor knows of their request when the link is lost."""

    number = forms.CharField(
        label=_("Numéro de votre demande d’aide"),
        help_text=_("9 chiffres, dans nos e-mails."),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": _("Écrivez le numéro de votre demande.")},
    )
    email = forms.EmailField(
        label=_("Adresse e-mail donnée dans la demande"),
        max_length=Ticket._meta.get_field("email").max_length,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": _("Écrivez l’adresse e-mail que vous aviez donnée."),
            "invalid": _("Cette adresse e-mail n’est pas complète. Par exemple : nom@exemple.fr."),
        },
    )

"""What people type: activation, profile, and the words of allauth's forms."""

import datetime

from allauth.account import forms as sign_in
from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import matching, nir
from accounts.activation import StatedIdentity
from accounts.models import HolderProfile, Invitation, Membership, Organisation
from accounts.profiles import OWN_FIELDS
from accounts.validators import check_diploma_year, french_phone

_OLDEST_BIRTH = datetime.date(1900, 1, 1)


class SecretTextInput(forms.TextInput):
    """Readable while typed, never written back in a page: not in the cache, the history or a screenshot."""

    def format_value(self, value):
        return None


class ActivationForm(forms.Form):
    """Who someone says they are. `on`: today, in Paris. Format alone is judged here, beside the field."""

    family_name = forms.CharField(
        label=_("Nom de naissance ou nom d’usage"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
        error_messages={"required": _("Écrivez votre nom de naissance ou votre nom d’usage.")},
    )
    first_names = forms.CharField(
        label=_("Prénoms"),
        max_length=150,
        help_text=_(
            "Comme sur votre pièce d’identité, le premier suffit. "
            "Un prénom composé s’écrit en entier : « Marie-Claire »."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
        error_messages={"required": _("Écrivez vos prénoms.")},
    )
    birth_date = forms.DateField(
        label=_("Date de naissance"),
        input_formats=["%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d %m %Y"],
        help_text=_("Jour, mois, année. Par exemple 31/05/1985."),
        widget=forms.DateInput(format="%d/%m/%Y", attrs={"autocomplete": "bday", "inputmode": "numeric"}),
        error_messages={
            "required": _("Écrivez votre date de naissance."),
            "invalid": _("Cette date n’existe pas. Écrivez le jour, le mois et l’année : 31/05/1985."),
        },
    )
    nir = forms.CharField(
        label=_("Numéro de sécurité sociale"),
        max_length=40,
        help_text=_(
            "15 caractères, clé comprise, sur votre carte Vitale ou une fiche de paie. Nous ne le demandons "
            "jamais par téléphone ni par message. Il est chiffré, et il faut l’écrire de nouveau après une "
            "erreur."
        ),
        widget=SecretTextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Écrivez votre numéro de sécurité sociale.")},
    )

    def __init__(self, *args, on: datetime.date, **kwargs):
        super().__init__(*args, **kwargs)
        self.on = on
        if not settings.NIR_AT_ACTIVATION:
            del self.fields["nir"]

    def clean_family_name(self):
        return _with_letters(self.cleaned_data["family_name"])

    def clean_first_names(self):
        return _with_letters(self.cleaned_data["first_names"])

    def clean_birth_date(self):
        day = self.cleaned_data["birth_date"]
        if not _OLDEST_BIRTH <= day <= self.on:
            raise ValidationError(_("Cette date de naissance n’est pas possible. Vérifiez l’année."))
        return day

    def clean(self):
        data = super().clean()
        if data.get("nir"):
            try:
                data["nir"] = nir.check(data["nir"], birth_date=data.get("birth_date"))
            except nir.NirRefused as refusal:
                self.add_error("nir", str(refusal))
        return data

    def identity(self) -> StatedIdentity:
        """What was typed, once valid."""
        return StatedIdentity(**self.cleaned_data)


def _with_letters(name: str) -> str:
    if not matching.name_key(name):
        raise ValidationError(_("Ce nom ne contient aucune lettre."))
    return name


class ProfileForm(forms.ModelForm):
    """What a holder writes on their own account. `on`: today, in Paris. The verb is profiles.change."""

    class Meta:
        model = HolderProfile
        fields = OWN_FIELDS
        widgets = {
            "phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
            "address": forms.TextInput(attrs={"autocomplete": "street-address"}),
            "postal_code": forms.TextInput(attrs={"autocomplete": "postal-code", "inputmode": "numeric"}),
            "town": forms.TextInput(attrs={"autocomplete": "address-level2"}),
            "diploma_year": forms.TextInput(attrs={"inputmode": "numeric"}),
        }
        labels = {
            "address": _("Numéro et rue"),
            "status": _("Situation professionnelle aujourd’hui"),
            "has_apprenticeship": _("J’ai un contrat d’apprentissage en cours"),
            "diploma": _("Diplôme le plus élevé"),
            "diploma_year": _("Année d’obtention"),
        }
        help_texts = {
            "phone": _("Par exemple 06 12 34 56 78. L’organisme de formation l’utilise pour vous joindre."),
            "status": _("Elle change vos droits et la façon de vous inscrire."),
            "has_apprenticeship": _("Il permet de s’inscrire avant 16 ans."),
        }

    def __init__(self, *args, on: datetime.date, **kwargs):
        super().__init__(*args, **kwargs)
        self.on = on
        diplomas = self.fields["diploma"].choices
        self.fields["diploma"].choices = [("", _("Je préfère ne pas le dire")), *list(diplomas)[1:]]

    def clean_phone(self):
        return french_phone(self.cleaned_data["phone"])

    def clean(self):
        data = super().clean()
        year = data.get("diploma_year")
        if year is not None:
            try:
                check_diploma_year(
                    year, diploma=data.get("diploma", ""), birth_date=self.instance.birth_date, on=self.on
                )
            except ValidationError as error:
                self.add_error("diploma_year", error)
        return data


# --- allauth's forms, in our words ----------------------------------------------------------------
EMAIL = _("Adresse e-mail")
PASSWORD = _("Mot de passe")
NEW_PASSWORD = _("Nouveau mot de passe")
NOT_AN_ADDRESS = _("Cette adresse n’est pas reconnue. Écrivez-la par exemple prenom.nom@exemple.fr.")
AGAIN = _("Le même mot de passe, une seconde fois")
PASSWORD_HINT = _(
    "12 caractères au moins. Quelques mots sans lien font un bon mot de passe. "
    "Évitez votre nom, votre adresse et ce qui sert ailleurs."
)


class OurWords:
    """Labels of ours above each field, no placeholder inside it: it would vanish when one types."""

    words: dict = {}
    hints: dict = {}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name, form_field in self.fields.items():
            form_field.widget.attrs.pop("placeholder", None)
            form_field.label = self.words.get(name, form_field.label)
            # allauth's own hints hold links and lists that our pages write elsewhere.
            form_field.help_text = self.hints.get(name, "")
            if isinstance(form_field, forms.EmailField):
                form_field.error_messages["invalid"] = NOT_AN_ADDRESS


class LoginForm(OurWords, sign_in.LoginForm):
    words = {"login": EMAIL, "password": PASSWORD}


class SignupForm(OurWords, sign_in.SignupForm):
    words = {"email": EMAIL, "password1": PASSWORD, "password2": AGAIN}
    hints = {
        "email": _("Nous y envoyons un lien pour vérifier que cette adresse est la vôtre."),
        "password1": PASSWORD_HINT,
    }


class ResetPasswordForm(OurWords, sign_in.ResetPasswordForm):
    words = {"email": EMAIL}
    hints = {"email": _("Celle avec laquelle vous vous connectez.")}

    def clean_email(self):
        email = super().clean_email()
        # allauth also takes an address that somebody added and never confirmed: it would let whoever
        # sits at an open session choose a new password without knowing the old one.
        self.users = [user for user in self.users if user.email.lower() == email.lower()]
        return email


class ResetPasswordKeyForm(OurWords, sign_in.ResetPasswordKeyForm):
    words = {"password1": NEW_PASSWORD, "password2": AGAIN}
    hints = {"password1": PASSWORD_HINT}


class ChangePasswordForm(OurWords, sign_in.ChangePasswordForm):
    words = {"oldpassword": _("Mot de passe actuel"), "password1": NEW_PASSWORD, "password2": AGAIN}
    hints = {"password1": PASSWORD_HINT}


class SetPasswordForm(OurWords, sign_in.SetPasswordForm):
    words = {"password1": NEW_PASSWORD, "password2": AGAIN}
    hints = {"password1": PASSWORD_HINT}


class AddEmailForm(OurWords, sign_in.AddEmailForm):
    words = {"email": _("Nouvelle adresse e-mail")}
    hints = {"email": _("Nous y envoyons un lien. L’adresse change quand vous l’avez ouvert.")}

    def clean_email(self):
        get_adapter().check_may_change_email(self.user)
        return super().clean_email()


class ReauthenticateForm(OurWords, sign_in.ReauthenticateForm):
    """The password once more, before what is sensitive: allauth's pages, a freeze, a copy of one's data."""

    words = {"password": PASSWORD}
    hints = {"password": _("Celui de votre compte : il prouve que c’est vous.")}


# --- Teams ----------------------------------------------------------------------------------------
ROLES = [
    (Membership.Role.MEMBER, _("Membre : répond aux demandes et gère les offres")),
    (
        Membership.Role.MANAGER,
        _("Responsable : en plus, gère l’équipe et les coordonnées, et annule un import"),
    ),
]


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label=EMAIL,
        help_text=_("L’adresse professionnelle de la personne. Elle reçoit un lien, valable deux semaines."),
        max_length=Invitation._meta.get_field("email").max_length,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": _("Écrivez l’adresse de la personne à inviter."),
            "invalid": NOT_AN_ADDRESS,
        },
    )
    role = forms.ChoiceField(
        label=_("Rôle"), choices=ROLES, initial=Membership.Role.MEMBER, widget=forms.RadioSelect
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Rôle"), choices=ROLES, widget=forms.RadioSelect)


class OrganisationForm(forms.ModelForm):
    """How an organisation is reached. The verb is teams.change_details."""

    class Meta:
        model = Organisation
        fields = ("email", "phone")
        widgets = {
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        }
        error_messages = {"email": {"invalid": NOT_AN_ADDRESS}}
        help_texts = {
            "email": _(
                "Une boîte que plusieurs personnes lisent. Chaque membre reçoit aussi les notifications."
            ),
            "phone": _("Par exemple 01 23 45 67 89. Le portail l’utilise pour vous joindre."),
        }

    def clean_phone(self):
        return french_phone(self.cleaned_data["phone"])

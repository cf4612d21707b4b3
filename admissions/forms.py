"""Checking what people type. A page keeps what is readable, even unfinished: what is missing is judged
by admissions.completeness, what is possible by the verbs."""

import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.validators import check_postal_code, check_siret, french_phone
from admissions import guards
from admissions.announcements import field_label
from admissions.completeness import FIELDS, Page
from admissions.models import Document, JoinRequest
from admissions.states import Motive
from ui.fields import WordsField, day_field

CODES_MAX = 50
_CODE = re.compile(r"(RNCP|RS)0*([1-9][0-9]{0,6})", re.ASCII)
# Numbers that real files carry when nobody knows the number.
PLACEHOLDERS = frozenset(digit * 11 for digit in "0123456789")


class OneLine(forms.CharField):
    """A few words on one line: a line end that a program sends must not reach a mail's subject."""

    def to_python(self, value):
        return " ".join(super().to_python(value).split())


def line(label, *, name: str, hint="", autocomplete="off", **attrs) -> OneLine:
    return OneLine(
        label=label,
        help_text=hint,
        max_length=JoinRequest._meta.get_field(name).max_length,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": autocomplete, **attrs}),
    )


class SiretField(forms.CharField):
    """14 digits with their check digits, however they are spaced."""

    def __init__(self, **kwargs):
        attrs = {"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}
        super().__init__(
            max_length=30,
            widget=forms.TextInput(attrs=attrs),
            error_messages={"required": _("Écrivez le SIRET de votre organisme.")},
            **kwargs,
        )

    def to_python(self, value):
        return re.sub(r"[\s.\-]", "", super().to_python(value))

    def validate(self, value):
        super().validate(value)
        check_siret(value)


class PageForm(forms.Form):
    """One question page. Nothing is required to be kept; `optional` names what is never required."""

    optional: tuple[str, ...] = ()

    def kept(self) -> dict:
        """What was readable, by field: an error elsewhere on the page loses nothing."""
        return {name: value for name, value in self.cleaned_data.items() if name not in self.errors}


class OrganisationForm(PageForm):
    siret = SiretField(
        label=_("SIRET de l’établissement qui forme"),
        help_text=_("14 chiffres, sur vos factures ou votre extrait Kbis. Par exemple 732 829 320 00074."),
    )


class ContactForm(PageForm):
    name = line(_("Nom de l’organisme"), name="name", autocomplete="organization")
    address = line(_("Numéro et rue"), name="address", autocomplete="street-address")
    postal_code = line(_("Code postal"), name="postal_code", autocomplete="postal-code", inputmode="numeric")
    town_name = line(_("Commune"), name="town_name", autocomplete="address-level2")
    email = forms.EmailField(
        label=_("E-mail de l’organisme"),
        help_text=_("Les demandes des titulaires y seront annoncées, une fois l’organisme référencé."),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    phone = line(
        _("Téléphone de l’organisme"),
        name="phone",
        hint=_("Par exemple 02 99 12 34 56."),
        autocomplete="tel",
        type="tel",
    )

    def clean_postal_code(self):
        code = self.cleaned_data["postal_code"]
        if code:
            check_postal_code(code)
        return code

    def clean_phone(self):
        return french_phone(self.cleaned_data["phone"])


class ActivityForm(PageForm):
    optional = ("last_report_on", "has_no_report")

    activity_number = OneLine(
        label=_("Numéro de déclaration d’activité"),
        help_text=_("11 chiffres, donnés par la préfecture de région (DREETS). Par exemple 53 35 12345 67."),
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    last_report_on = day_field(
        label=_("Jour où vous avez transmis votre dernier bilan pédagogique et financier (BPF)"),
        required=False,
    )
    has_no_report = forms.BooleanField(
        label=_("Aucun bilan n’est encore dû : notre déclaration est trop récente"), required=False
    )

    def clean_activity_number(self):
        digits = re.sub(r"[\s.\-]", "", self.cleaned_data["activity_number"])
        if digits and not re.fullmatch(r"[0-9]{11}", digits):
            raise ValidationError(
                _("Ce numéro n’est pas reconnu. Il compte 11 chiffres, par exemple 53 35 12345 67.")
            )
        if digits in PLACEHOLDERS:
            raise ValidationError(_("Ce numéro est un numéro d’attente. Écrivez celui de votre récépissé."))
        return digits


class QualiopiForm(PageForm):
    qualiopi_training = forms.BooleanField(label=_("Actions de formation"), required=False)
    qualiopi_skills_review = forms.BooleanField(label=_("Bilans de compétences"), required=False)
    qualiopi_vae = forms.BooleanField(label=_("Validation des acquis de l’expérience (VAE)"), required=False)
    qualiopi_apprenticeship = forms.BooleanField(label=_("Formation par apprentissage"), required=False)
    certificate_number = line(_("Numéro du certificat"), name="certificate_number")
    certifier = line(
        _("Qui l’a délivré"),
        name="certifier",
        hint=_("L’organisme certificateur, nommé sur le certificat."),
    )
    certified_from = day_field(label=_("Valable depuis le"), required=False)
    certified_until = day_field(label=_("Valable jusqu’au"), required=False)


class TrainingsForm(PageForm):
    optional = ("certification_codes", "other_kinds")

    certification_codes = WordsField(
        label=_("Codes des certifications que vous préparez"),
        help_text=_("Un code RNCP ou RS par ligne, par exemple RNCP35808 ou RS6374. 50 au plus."),
        rows=4,
        max_length=2000,
        required=False,
    )
    other_kinds = forms.MultipleChoiceField(
        label=_("Autres actions"),
        choices=JoinRequest.OtherKind,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        error_messages={"invalid_choice": _("Cette action n’existe pas. Choisissez dans la liste.")},
    )
    school_approval = line(
        _("Numéro d’agrément de l’école de conduite"),
        name="school_approval",
        hint=_("Pour les permis de conduire seulement."),
    )

    def clean_certification_codes(self):
        return read_codes(self.cleaned_data["certification_codes"])


def read_codes(text: str) -> list[str]:
    """Codes as people write them (« rncp 35808, RS6374 ») → ["RNCP35808", "RS6374"], each once."""
    codes: dict[str, None] = {}
    glued = re.sub(r"\b(rncp|rs)[\s:n°-]+(?=\d)", r"\1", text, flags=re.IGNORECASE)
    for word in re.split(r"[\s,;]+", glued.upper()):
        if not word:
            continue
        found = _CODE.fullmatch(word)
        if not found:
            raise ValidationError(
                gettext("« %(word)s » n’est pas un code. Écrivez par exemple RNCP35808 ou RS6374.")
                % {"word": word[:40]}
            )
        codes[f"{found[1]}{found[2]}"] = None
    if len(codes) > CODES_MAX:
        raise ValidationError(gettext("Écrivez %s codes au plus : vous en ajouterez ensuite.") % CODES_MAX)
    return list(codes)


class ManagerForm(PageForm):
    manager_name = line(
        _("Prénom et nom de la personne responsable"), name="manager_name", autocomplete="name"
    )
    manager_position = line(
        _("Sa fonction"),
        name="manager_position",
        hint=_("Par exemple : gérante, directeur, présidente."),
        autocomplete="organization-title",
    )
    is_legal_representative = forms.TypedChoiceField(
        label=_("Cette personne est-elle le représentant légal ?"),
        choices=[
            ("oui", _("Oui, elle représente l’organisme devant la loi")),
            ("non", _("Non, elle a reçu une délégation signée")),
        ],
        coerce=lambda answer: answer == "oui",
        empty_value=None,
        required=False,
        widget=forms.RadioSelect,
    )
    has_no_conviction = forms.BooleanField(
        label=_(
            "Je déclare que cette personne n’a fait l’objet d’aucune condamnation qui interdit de diriger "
            "ou d’administrer un organisme de formation"
        ),
        required=False,
    )


class DocumentsForm(PageForm):
    extract_issued_on = day_field(
        label=_("Jour où l’extrait Kbis, ou le récépissé, a été délivré"), required=False
    )


FORMS: dict[Page, type[PageForm]] = {
    Page.ORGANISATION: OrganisationForm,
    Page.CONTACT: ContactForm,
    Page.ACTIVITY: ActivityForm,
    Page.QUALIOPI: QualiopiForm,
    Page.TRAININGS: TrainingsForm,
    Page.MANAGER: ManagerForm,
    Page.DOCUMENTS: DocumentsForm,
}


def initial_of(asked: JoinRequest, page: Page) -> dict:
    """The answers of a page as its fields show them."""
    values = {name: getattr(asked, name) for name in FIELDS[page]}
    if "certification_codes" in values:
        values["certification_codes"] = "\n".join(values["certification_codes"])
    if "is_legal_representative" in values:
        values["is_legal_representative"] = {True: "oui", False: "non"}.get(asked.is_legal_representative)
    return values


class SendForm(forms.Form):
    """The last look before sending."""

    declares = forms.BooleanField(
        label=_(
            "Je déclare sur l’honneur que ces informations et ces pièces sont exactes, et j’accepte les "
            "conditions d’utilisation."
        ),
        required=False,  # `send` says it, in the same words for everyone
    )


class GiveUpForm(forms.Form):
    words = WordsField(label=_("Pourquoi ?"), rows=2, max_length=1000, required=False)


class AnswerForm(forms.Form):
    """What an organisation answers to a measure."""

    words = WordsField(
        label=_("Votre réponse"),
        help_text=_("Expliquez, dites ce que vous avez corrigé."),
        rows=8,
        max_length=guards.WORDS_MAX,
        required=False,
    )


# --- The administration -------------------------------------------------------------------------------


class CompletionForm(forms.Form):
    """What is missing, ticked, and in words that are sent."""

    items = forms.MultipleChoiceField(
        label=_("À revoir"), widget=forms.CheckboxSelectMultiple, required=False
    )
    words = WordsField(
        label=_("Ce que vous demandez"),
        help_text=_("Ce texte est envoyé au demandeur."),
        rows=5,
        max_length=guards.WORDS_MAX,
        required=False,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        documents = [kind.value for kind in Document.Kind]
        self.fields["items"].choices = [
            (
                page.label,
                [
                    (name, field_label(name))
                    for name in (*FIELDS[page], *(documents if page == Page.DOCUMENTS else ()))
                ],
            )
            for page in Page
        ]


class AdmitForm(forms.Form):
    words = WordsField(
        label=_("Un mot pour le demandeur (facultatif)"), rows=3, max_length=guards.WORDS_MAX, required=False
    )
    notes = WordsField(
        label=_("Vos raisons et vos notes"),
        help_text=_("Gardées avec la demande, lues par l’administration seulement."),
        rows=3,
        max_length=guards.WORDS_MAX,
        error_messages={"required": _("Écrivez pourquoi vous référencez cet organisme.")},
    )


class RefuseForm(forms.Form):
    motives = forms.MultipleChoiceField(
        label=_("Motifs"), choices=Motive, widget=forms.CheckboxSelectMultiple, required=False
    )
    words = WordsField(
        label=_("Explication"),
        help_text=_("Ce texte est envoyé au demandeur : dites les faits, et ce qu’il peut corriger."),
        rows=5,
        max_length=guards.WORDS_MAX,
        required=False,
    )
    notes = WordsField(
        label=_("Notes (facultatif)"),
        help_text=_("Gardées avec la demande, lues par l’administration seulement."),
        rows=3,
        max_length=guards.WORDS_MAX,
        required=False,
    )


class MeasureForm(forms.Form):
    """Why, in words that the organisation reads."""

    words = WordsField(
        label=_("Motifs"),
        help_text=_("Ce texte est envoyé à l’organisme : dites les faits, les règles et ce qui est attendu."),
        rows=6,
        max_length=guards.WORDS_MAX,
        required=False,
    )


class SuspensionForm(MeasureForm):
    ends_on = day_field(
        label=_("Dernier jour de la suspension (facultatif)"),
        help_text=_("Elle prend fin d’elle-même après ce jour. Vide : jusqu’à ce que vous la leviez."),
        required=False,
    )


class DecisionForm(SuspensionForm):
    is_urgent = forms.BooleanField(
        label=_("Suspension urgente : n’attend pas la réponse de l’organisme"), required=False
    )

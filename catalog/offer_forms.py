"""What an organisation writes of an offer: one short form a page, plain text only."""

import re
from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.validators import french_phone
from catalog import languages, particulars
from catalog.levels import ENTRY_LEVELS
from catalog.lint import Step
from catalog.models import Certification, Offer, Session
from catalog.search import find_towns, towns_like
from catalog.texts import has_markup, plain
from rulebook import Rules
from ui.fields import EurosField, WordsField, day_field

# As the national format has them; what people write here could be exported there.
TEXT_MAX = 3000
SHORT_TEXT_MAX = 1000
SUMMARY_MAX = 500
HOURS_MAX = 9999
PLACES_MAX = 999

NO_MARKUP = _("Écrivez sans balises comme <b> ou <p>. Sautez une ligne pour faire un paragraphe.")
TOO_LONG = _("Raccourcissez ce texte : %(limit_value)d caractères au plus.")


class PlainText(WordsField):
    """Paragraphs, without markup: what people type is what others read."""

    def __init__(self, *, rows=5, max_length=TEXT_MAX, **kwargs):
        messages = {"max_length": TOO_LONG} | kwargs.pop("error_messages", {})
        super().__init__(rows=rows, max_length=max_length, error_messages=messages, **kwargs)

    def clean(self, value):
        value = super().clean(value)
        if has_markup(value):
            raise forms.ValidationError(NO_MARKUP, code="markup")
        return value


class PlainLine(forms.CharField):
    """One line, without markup."""

    def clean(self, value):
        value = " ".join(super().clean(value).split())
        if has_markup(value):
            raise forms.ValidationError(NO_MARKUP, code="markup")
        return value


def _short_line(name: str, label: str, help_text: str) -> PlainLine:
    """One of the particulars, as long as the national format has room for."""
    return PlainLine(
        label=label,
        help_text=help_text,
        max_length=particulars.TEXTS[name],
        required=False,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class OfferForm(forms.Form):
    """One page of an offer. `is_kept_unfinished`: saved as it is, whatever is still missing."""

    # Fields that are kept in `Offer.particulars`.
    of_particulars: tuple[str, ...] = ()

    def __init__(self, *args, offer: Offer, rules: Rules, is_kept_unfinished: bool = False, **kwargs):
        self.offer, self.rules = offer, rules
        super().__init__(*args, initial=self.initial_of(offer), **kwargs)
        self.prepare()
        if is_kept_unfinished:
            for field in self.fields.values():
                field.required = False

    def initial_of(self, offer: Offer) -> dict[str, Any]:
        values = {name: getattr(offer, name) for name in self.base_fields if hasattr(offer, name)}
        values |= {name: offer.particulars.get(name) for name in self.of_particulars}
        return {name: plain(value) if isinstance(value, str) else value for name, value in values.items()}

    def prepare(self) -> None:
        """Fits the fields to the offer."""

    def changes(self) -> dict[str, Any]:
        """Fields of the offer to write, once valid. An imported text that nobody touched keeps its shape."""
        return self.changed_particulars() | {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in self.of_particulars
            and (not isinstance(value, str) or value != plain(getattr(self.offer, name)))
        }

    def changed_particulars(self) -> dict[str, Any]:
        """Beside those of other pages, and those that only a file says."""
        told = {name: self.cleaned_data[name] for name in self.of_particulars if name in self.cleaned_data}
        return {"particulars": particulars.kept(self.offer.particulars | told)} if told else {}


class PurposeForm(forms.Form):
    """What the training leads to: a certification of the registers, or a kind that needs none."""

    kind = forms.ChoiceField(
        label=_("Nature de l’action"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choisissez la nature de l’action."),
            "invalid_choice": _("Cette nature n’existe pas. Choisissez dans la liste."),
        },
    )
    q = forms.CharField(
        label=_("Certification préparée"),
        help_text=_("Son numéro, comme RNCP35809, ou des mots de son intitulé."),
        max_length=200,
        required=False,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    certification = forms.CharField(max_length=12, required=False, widget=forms.HiddenInput)

    def __init__(self, *args, rules: Rules, offer: Offer | None = None, **kwargs):
        initial = (
            {"kind": offer.kind, "certification": offer.certification_id or ""}
            if offer
            else {"kind": Offer.Kind.CERTIFYING}
        )
        super().__init__(*args, initial=initial, **kwargs)
        offered = {Offer.Kind.CERTIFYING, *rules.portal_code_kinds.values()}
        self.fields["kind"].choices = [choice for choice in Offer.Kind.choices if choice[0] in offered]

    @cached_property
    def chosen(self) -> str:
        """The code that is ticked, or that is written in full."""
        code = str(self["certification"].value() or "").strip().upper()
        typed = "".join(str(self["q"].value() or "").split()).upper()
        return code or (typed if re.fullmatch(r"(?:RNCP|RS)\d{1,6}", typed, re.ASCII) else "")

    def clean(self):
        kind = self.cleaned_data.get("kind")
        self.found = None
        if kind != Offer.Kind.CERTIFYING or "q" not in self.cleaned_data:
            return
        self.found = Certification.objects.filter(pk=self.chosen).first() if self.chosen else None
        if self.found is None:
            self.add_error(
                "q",
                _("Cette certification n’est pas dans le répertoire. Vérifiez son numéro.")
                if self.chosen
                else _("Choisissez une certification dans la liste."),
            )


class TextsForm(OfferForm):
    """What people read."""

    title = PlainLine(
        label=_("Intitulé de la formation"),
        help_text=_("Le nom que les gens chercheront. Le diplôme visé s’affiche à côté."),
        max_length=255,
        error_messages={"required": _("Donnez un intitulé à la formation."), "max_length": TOO_LONG},
    )
    block_codes = forms.MultipleChoiceField(
        label=_("Blocs de compétences préparés"),
        help_text=_("Ne cochez rien si la formation prépare la certification entière."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Ce bloc n’est pas de cette certification.")},
    )
    summary = PlainText(
        label=_("En bref"),
        help_text=_("Une ou deux phrases, montrées en tête de la page."),
        required=False,
        rows=2,
        max_length=SUMMARY_MAX,
    )
    objectives = PlainText(
        label=_("Objectifs"),
        help_text=_("Ce que la personne saura faire à la fin."),
        error_messages={"required": _("Dites à quoi la formation prépare.")},
    )
    content = PlainText(
        label=_("Contenu"),
        help_text=_("Les thèmes, dans l’ordre. Sautez des lignes."),
        required=False,
        rows=8,
    )
    expected_results = PlainText(
        label=_("Résultats attendus"),
        help_text=_("Ce qui est remis à la fin : certificat, examen, attestation."),
        required=False,
        rows=3,
    )
    has_prerequisites = forms.BooleanField(
        label=_("Nous vérifions des prérequis avant de répondre"), required=False
    )
    prerequisites = PlainText(
        label=_("Prérequis"),
        help_text=_("Ce qu’il faut savoir ou avoir avant de commencer."),
        required=False,
        rows=3,
    )
    entry_level = forms.TypedChoiceField(
        label=_("Niveau demandé à l’entrée"),
        help_text=_("Celui qu’il faut avoir pour suivre la formation, avec ou sans diplôme."),
        choices=[("", _("Je ne le précise pas")), *ENTRY_LEVELS],
        coerce=int,
        empty_value=None,
        required=False,
        error_messages={"invalid_choice": _("Ce niveau n’existe pas. Choisissez dans la liste.")},
    )
    admission = PlainText(
        label=_("Comment on est admis"),
        help_text=_("Par exemple : un entretien de 30 minutes par téléphone."),
        required=False,
        rows=3,
        max_length=SHORT_TEXT_MAX,
    )
    accessibility = PlainText(
        label=_("Accueil des personnes handicapées"),
        help_text=_("Accès aux locaux, aménagements, personne à contacter."),
        required=False,
        rows=3,
        max_length=SHORT_TEXT_MAX,
    )

    def prepare(self):
        blocks = self.offer.certification.blocks.order_by("code") if self.offer.certification else []
        choices = [(block.code, f"{block.code} · {block.title}") for block in blocks]
        if choices:
            self.fields["block_codes"].choices = choices
        else:
            del self.fields["block_codes"]


class PlaceForm(OfferForm):
    """How, where and how long."""

    of_particulars = ("company_hours", "pedagogy", "meals", "housing", "transport", "building")

    mode = forms.ChoiceField(
        label=_("Comment la formation se suit-elle ?"),
        choices=Offer.Mode,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choisissez comment la formation se suit."),
            "invalid_choice": _("Cette modalité n’existe pas. Choisissez dans la liste."),
        },
    )
    town = forms.CharField(
        label=_("Commune"),
        help_text=_("Son nom ou son code postal. Inutile si tout se fait à distance."),
        max_length=100,
        required=False,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "list": "communes",
                "hx-get": reverse_lazy("town_suggestions"),
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#communes",
                "hx-swap": "innerHTML",
                "hx-push-url": "false",
            }
        ),
    )
    address = PlainLine(
        label=_("Adresse dans la commune"),
        help_text=_("Numéro, rue, bâtiment."),
        max_length=255,
        required=False,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    hours = forms.IntegerField(
        label=_("Durée totale, en heures"),
        help_text=_("En centre et en entreprise, travail à distance compris."),
        min_value=1,
        max_value=HOURS_MAX,
        error_messages={
            "required": _("Indiquez la durée en heures."),
            "invalid": _("Écrivez la durée en chiffres, par exemple 140."),
            "min_value": _("La durée est d’au moins une heure."),
            "max_value": _("Indiquez une durée de 9 999 heures au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    company_hours = forms.IntegerField(
        label=_("Dont en entreprise, en heures"),
        help_text=_("Laissez vide s’il n’y en a pas."),
        min_value=1,
        required=False,
        error_messages={
            "invalid": _("Écrivez la durée en chiffres, par exemple 140."),
            "min_value": _("La durée est d’au moins une heure."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    rhythms = forms.MultipleChoiceField(
        label=_("Quand suit-on la formation ?"),
        help_text=_("Cochez tout ce qui convient. On peut chercher « le soir » ou « le week-end »."),
        choices=Offer.Rhythm,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Ce rythme n’existe pas. Choisissez dans la liste.")},
    )
    languages = forms.MultipleChoiceField(
        label=_("Langues de la formation"),
        help_text=_("Celles que l’on parle pendant la formation, pas celle que l’on y apprend."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Cette langue n’est pas connue. Choisissez dans la liste.")},
    )
    other_language = forms.ChoiceField(
        label=_("Une autre langue"),
        required=False,
        error_messages={"invalid_choice": _("Cette langue n’est pas connue. Choisissez dans la liste.")},
    )
    pedagogy = _short_line("pedagogy", _("Pédagogie"), _("Par exemple : ateliers, cas réels, tuteur."))
    meals = _short_line("meals", _("Repas"), _("Par exemple : cantine sur place, 5 € le repas."))
    housing = _short_line("housing", _("Logement"), _("Par exemple : internat, ou une liste de chambres."))
    transport = _short_line("transport", _("Transports"), _("Par exemple : bus 12, arrêt Les Forges."))
    building = _short_line(
        "building", _("Accès au bâtiment"), _("Par exemple : plain-pied, ascenseur, places réservées.")
    )

    def initial_of(self, offer):
        return super().initial_of(offer) | {"town": str(offer.town) if offer.town else offer.town_name}

    def prepare(self):
        """Those that the offer has already are offered, whatever import brought them."""
        offered = list(dict.fromkeys([*languages.COMMON, *self.offer.languages]))
        self.fields["languages"].choices = languages.choices(offered)
        others = [choice for choice in languages.others() if choice[0] not in offered]
        self.fields["other_language"].choices = [("", _("Aucune autre")), *others]

    def clean_rhythms(self):
        """In the order of the list, so that saving the page again changes nothing."""
        ticked = set(self.cleaned_data["rhythms"])
        return [rhythm for rhythm in Offer.Rhythm.values if rhythm in ticked]

    def clean_company_hours(self):
        inside, total = self.cleaned_data["company_hours"], self.cleaned_data.get("hours")
        if inside and total and inside > total:
            raise forms.ValidationError(
                gettext("La durée totale les comprend : écrivez %(total)s heures au plus.") % {"total": total}
            )
        return inside

    def clean(self):
        """The town is kept when it is the one the offer has, even if several bear that name."""
        text, mode = self.cleaned_data.get("town"), self.cleaned_data.get("mode")
        if text is None or mode == Offer.Mode.DISTANCE:
            self.cleaned_data["town"] = None
            return
        if not text:
            self.cleaned_data["town"] = None
            if self.fields["hours"].required and mode:
                self.add_error("town", _("Indiquez la commune où la formation a lieu."))
            return
        if self.offer.town and text == str(self.offer.town):
            self.cleaned_data["town"] = self.offer.town
            return
        towns = find_towns(text)
        if len(towns) != 1:
            towns = [
                town for town in towns if text.casefold() in {town.name.casefold(), str(town).casefold()}
            ]
        if len(towns) == 1:
            self.cleaned_data["town"] = towns[0]
        else:
            self.add_error("town", _which_town(text))

    def changes(self):
        fields = {
            name: value for name, value in self.cleaned_data.items() if name not in self.of_particulars
        } | self.changed_particulars()
        other = fields.pop("other_language", "")
        if "languages" in fields:
            # An order that an import gave stays while the languages do.
            ticked = [code for code in self.offer.languages if code in fields["languages"]]
            ticked += [code for code in fields["languages"] if code not in ticked]
            fields["languages"] = [*ticked, other] if other else ticked
        return fields


def _which_town(text: str) -> str:
    """Several towns may be meant, or none: which ones to write instead."""
    alike = find_towns(text, limit=5)
    if alike:
        return gettext("Plusieurs communes répondent. Écrivez la vôtre ainsi : %(towns)s.") % {
            "towns": ", ".join(map(str, alike))
        }
    alike = towns_like(text)
    words = gettext("Cette commune n’est pas connue. Vérifiez son nom ou écrivez son code postal.")
    if alike:
        words += " " + gettext("Pensiez-vous à %(towns)s ?") % {"towns": ", ".join(map(str, alike))}
    return words


VAT_RATES = [(0, _("Exonérée (0 %)")), (55, _("5,5 %")), (200, _("20 %"))]


class PriceForm(OfferForm):
    """What it costs, what that includes, and whom to ask."""

    of_particulars = ("fees", "exam_in_fees")

    price_cents = EurosField(
        label=_("Prix TTC, en euros"),
        help_text=_("Tout compris pour une personne, par exemple 1 450,00."),
        min_value=1,
    )
    vat_per_mille = forms.TypedChoiceField(
        label=_("TVA comprise dans ce prix"),
        coerce=int,
        empty_value=0,
        error_messages={"invalid_choice": _("Ce taux n’existe pas. Choisissez dans la liste.")},
    )
    price_details = PlainText(
        label=_("Ce que le prix comprend"),
        help_text=_("Par exemple : supports, accès à la plateforme, passage de l’examen."),
        required=False,
        rows=3,
        max_length=SHORT_TEXT_MAX,
    )
    extra_fees_cents = EurosField(
        label=_("Frais en plus, en euros"),
        help_text=_(
            "Ce que les droits ne paient pas, par exemple un équipement. Laissez vide s’il n’y en a pas."
        ),
        required=False,
    )
    fees = _short_line("fees", _("À quoi servent ces frais en plus"), _("Par exemple : casque et gants."))
    exam_in_fees = forms.BooleanField(label=_("L’examen est compris dans ces frais en plus"), required=False)
    contact_email = forms.EmailField(
        label=_("E-mail pour les questions"),
        max_length=254,
        required=False,
        error_messages={"invalid": _("Cette adresse n’est pas reconnue. Écrivez-la comme nom@exemple.fr.")},
    )
    contact_phone = forms.CharField(
        label=_("Téléphone pour les questions"),
        help_text=_("Par exemple 06 12 34 56 78."),
        max_length=20,
        required=False,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"inputmode": "tel", "type": "tel"}),
    )
    url = forms.URLField(
        label=_("Page de la formation sur votre site"),
        max_length=500,
        required=False,
        assume_scheme="https",
        error_messages={
            "invalid": _("Cette adresse n’est pas reconnue. Écrivez-la comme https://exemple.fr/formation."),
            "max_length": TOO_LONG,
        },
        widget=forms.TextInput(attrs={"inputmode": "url"}),
    )

    def initial_of(self, offer):
        return super().initial_of(offer) | {
            "price_cents": _written(offer.price_cents) if offer.price_cents else "",
            "extra_fees_cents": _written(offer.extra_fees_cents) if offer.extra_fees_cents else "",
        }

    def prepare(self):
        rates = dict(VAT_RATES)
        rate = self.offer.vat_per_mille
        if rate not in rates:  # an import may have brought another one
            rates[rate] = f"{rate / 10:g} %".replace(".", ",")
        self.fields["vat_per_mille"].choices = sorted(rates.items())
        self.fields["price_cents"].error_messages |= {
            "required": _("Indiquez le prix."),
            "min_value": _("Indiquez un prix d’au moins un euro."),
        }

    def clean_contact_phone(self):
        written = self.cleaned_data["contact_phone"]
        return written if written == self.offer.contact_phone else french_phone(written)

    def clean_url(self):
        address = self.cleaned_data["url"]
        if address and not address.startswith(("https://", "http://")):
            raise forms.ValidationError(self.fields["url"].error_messages["invalid"])
        return address

    def changes(self):
        changes = super().changes()
        for name in ("price_cents", "extra_fees_cents"):
            if name in changes:
                changes[name] = changes[name] or 0
        return changes


def _written(cents: int) -> str:
    """150050 → « 1500,50 »."""
    return f"{cents // 100},{cents % 100:02}"


class SessionForm(forms.Form):
    """When. `entry`: with dates, or at any time."""

    DATES, ANY_TIME = "dates", "any_time"

    entry = forms.ChoiceField(
        label=_("Quand peut-on commencer ?"),
        choices=[(DATES, _("À des dates fixées")), (ANY_TIME, _("À tout moment"))],
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Dites si la session a des dates."),
            "invalid_choice": _("Choisissez dans la liste."),
        },
    )
    starts_on = day_field(label=_("Premier jour"), required=False)
    ends_on = day_field(label=_("Dernier jour"), required=False)
    places = forms.IntegerField(
        label=_("Places dans le groupe"),
        min_value=1,
        max_value=PLACES_MAX,
        required=False,
        error_messages={
            "invalid": _("Écrivez le nombre de places en chiffres."),
            "min_value": _("Indiquez au moins une place."),
            "max_value": _("Indiquez 999 places au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    is_guaranteed = forms.BooleanField(
        label=_("Session garantie"),
        help_text=_("Elle aura lieu quel que soit le nombre d’inscrits."),
        required=False,
    )
    details = PlainText(
        label=_("Précisions"),
        help_text=_("Par exemple : les lundis et mardis soir, de 18 h à 21 h."),
        required=False,
        rows=2,
        max_length=SUMMARY_MAX,
    )

    def __init__(self, *args, session: Session | None = None, **kwargs):
        self.session = session
        initial: dict[str, Any] = {"entry": self.DATES}
        if session:
            names = ("starts_on", "ends_on", "places", "is_guaranteed", "details")
            initial |= {name: getattr(session, name) for name in names}
            initial |= {
                "entry": self.ANY_TIME if session.is_permanent else self.DATES,
                "details": plain(session.details),
            }
        super().__init__(*args, initial=initial, **kwargs)

    def clean(self):
        asked = self.cleaned_data
        if asked.get("entry") == self.ANY_TIME:
            asked["starts_on"] = asked["ends_on"] = None
            self.errors.pop("starts_on", None)
            self.errors.pop("ends_on", None)
            return
        if "starts_on" in asked and asked["starts_on"] is None:
            self.add_error("starts_on", _("Indiquez le premier jour."))
        if "ends_on" in asked and asked["ends_on"] is None:
            self.add_error("ends_on", _("Indiquez le dernier jour."))

    def changes(self) -> dict[str, Any]:
        """Fields of the session, once valid."""
        fields = {name: value for name, value in self.cleaned_data.items() if name != "entry"}
        if self.session and fields["details"] == plain(self.session.details):
            del fields["details"]
        return fields


FORMS: dict[Step, type[OfferForm]] = {
    Step.TEXTS: TextsForm,
    Step.PLACE: PlaceForm,
    Step.PRICE: PriceForm,
}

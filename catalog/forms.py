"""What people may ask of the catalogue."""

from dataclasses import replace
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.urls import reverse_lazy
from django.utils.functional import cached_property
from django.utils.text import format_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog import importing
from catalog.grouping import Group
from catalog.imports import reading
from catalog.listing import Shown
from catalog.models import Offer
from catalog.search import SearchQuery, Sort, find_towns, towns_like
from ui import french

TEXT_MAX = 200
PRICE_MAX_EUROS = 100_000
RADII_KM = (5, 10, 20, 30, 50, 100)
RADIUS_KM = 30
# More than a page holds; each one is a verb of its own.
BULK_MAX = 50


class RadiusSelect(forms.Select):
    """Shows the distance that counts when none is asked: a bound form forgets its initial values."""

    def value_from_datadict(self, data, files, name):
        return super().value_from_datadict(data, files, name) or RADIUS_KM


LEVELS = [
    (3, _("Niveau 3 : CAP")),
    (4, _("Niveau 4 : baccalauréat")),
    (5, _("Niveau 5 : bac + 2")),
    (6, _("Niveau 6 : bac + 3 ou 4")),
    (7, _("Niveau 7 : bac + 5")),
    (8, _("Niveau 8 : doctorat")),
]


class SearchForm(forms.Form):
    """The search, in the address of the page: every field may be left out."""

    q = forms.CharField(
        label=_("Formation ou métier"),
        max_length=TEXT_MAX,
        required=False,
        help_text=_("Un métier, un diplôme, ou un numéro comme RNCP35809."),
        error_messages={"max_length": _("Raccourcissez votre recherche : 200 caractères au plus.")},
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    town = forms.CharField(
        label=_("Commune ou code postal"),
        max_length=100,
        required=False,
        error_messages={"max_length": _("Raccourcissez le nom de la commune : 100 caractères au plus.")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "list": "communes",
                "hx-get": reverse_lazy("town_suggestions"),
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#communes",
                "hx-push-url": "false",
                # A queue of its own: in the form's, a late suggestion would abort the search itself.
                "hx-sync": "this:replace",
            }
        ),
    )
    radius = forms.TypedChoiceField(
        label=_("Autour, à moins de"),
        choices=[(km, f"{km} km") for km in RADII_KM],
        coerce=int,
        empty_value=RADIUS_KM,
        required=False,
        initial=RADIUS_KM,
        error_messages={"invalid_choice": _("Choisissez une distance de la liste.")},
        widget=RadiusSelect,
    )
    mode = forms.MultipleChoiceField(
        label=_("Modalité"),
        choices=Offer.Mode,
        required=False,
        help_text=_("Une formation à distance n’a pas de lieu : cochez « À distance » pour la voir aussi."),
        error_messages={"invalid_choice": _("Cette modalité n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    price_max = forms.IntegerField(
        label=_("Prix au plus, en euros"),
        min_value=0,
        max_value=PRICE_MAX_EUROS,
        required=False,
        error_messages={
            "invalid": _("Écrivez le prix en chiffres, sans centimes, par exemple 1500."),
            "min_value": _("Le prix ne peut pas être négatif."),
            "max_value": _("Indiquez un prix de 100 000 € au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    kind = forms.MultipleChoiceField(
        label=_("Nature"),
        choices=Offer.Kind,
        required=False,
        error_messages={"invalid_choice": _("Cette nature n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    level = forms.TypedMultipleChoiceField(
        label=_("Niveau obtenu"),
        choices=LEVELS,
        coerce=int,
        required=False,
        error_messages={"invalid_choice": _("Ce niveau n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    # Not a field that people fill in: the way from a certification of the results to all its offers.
    certification = forms.RegexField(
        r"^(?:RNCP|RS)\d{1,6}$",
        required=False,
        error_messages={"invalid": _("Cette certification n’est pas un numéro du répertoire.")},
        widget=forms.HiddenInput,
    )
    sort = forms.ChoiceField(
        label=_("Trier par"),
        choices=Sort,
        required=False,
        initial=Sort.RELEVANCE,
        error_messages={"invalid_choice": _("Cet ordre n’existe pas. Choisissez dans la liste.")},
    )

    def clean_town(self) -> str:
        """The towns it may mean are kept in `towns`, the one that is searched first."""
        text = self.cleaned_data["town"]
        self.towns = find_towns(text) if text else []
        if text and not self.towns:
            alike = towns_like(text)
            words = _now("Cette commune n’est pas connue. Vérifiez son nom ou écrivez son code postal.")
            if alike:
                words += " " + _now("Pensiez-vous à %(towns)s ?") % {"towns": ", ".join(map(str, alike))}
            raise forms.ValidationError(words)
        return text

    def clean(self) -> None:
        if self.cleaned_data.get("sort") == Sort.DISTANCE and self.cleaned_data.get("town") == "":
            self.add_error("town", _("Pour trier par distance, indiquez une commune."))

    @cached_property
    def query(self) -> SearchQuery:
        """What is asked, once the form is valid."""
        asked = self.cleaned_data
        return SearchQuery(
            text=asked["q"],
            town=self.towns[0] if self.towns else None,
            radius_km=asked["radius"],
            modes=tuple(asked["mode"]),
            kinds=tuple(asked["kind"]),
            levels=tuple(asked["level"]),
            certification=asked["certification"],
            price_max_cents=None if asked["price_max"] is None else asked["price_max"] * 100,
            sort=Sort(asked["sort"] or Sort.RELEVANCE),
        )

    def chips(self) -> list[tuple[str, str]]:
        """What is asked, piece by piece: its words, and the address of the search without it."""
        query = self.query
        chips = []
        if query.text:
            chips.append((f"« {query.text} »", self._without("q")))
        if query.town:
            where = _now("%(km)s km autour de %(town)s") % {"km": query.radius_km, "town": query.town}
            chips.append((where, self._without("town", "radius")))
        chips += [(str(Offer.Mode(mode).label), self._without_one("mode", mode)) for mode in query.modes]
        chips += [(str(Offer.Kind(kind).label), self._without_one("kind", kind)) for kind in query.kinds]
        names = dict(LEVELS)
        chips += [(str(names[level]), self._without_one("level", str(level))) for level in query.levels]
        if query.certification:
            chips.append((query.certification, self._without("certification")))
        if query.price_max_cents is not None:
            price = _now("%(price)s au plus") % {"price": french.euros(query.price_max_cents)}
            chips.append((price, self._without("price_max")))
        return chips

    def wider(self, counts: dict[str, int]) -> list[tuple[str, int, str]]:
        """How to find more: words, how many offers there would be, the address that shows them."""
        fields = {
            "town": (_now("Cherchez dans toute la France"), ("town", "radius", "sort")),
            "modes": (_now("Cherchez toutes les modalités"), ("mode",)),
            "kinds": (_now("Cherchez toutes les natures"), ("kind",)),
            "levels": (_now("Cherchez tous les niveaux"), ("level",)),
            "price_max_cents": (_now("Cherchez à tous les prix"), ("price_max",)),
            "certification": (_now("Cherchez toutes les certifications"), ("certification",)),
        }
        return [(fields[name][0], count, self._without(*fields[name][1])) for name, count in counts.items()]

    def address_with(self, **changed: str) -> str:
        """The address of this search with other values."""
        data = self._data()
        for name, value in changed.items():
            data[name] = value
        return f"?{data.urlencode()}"

    def address_of(self, group: Group) -> str:
        """Where all the offers of a group are listed, with the same filters."""
        data = self._data()
        if group.key.by_own_words:
            data["sort"] = Sort.PRICE  # a list: gathered again, they would lead here again
        else:
            # Its words have found the group; those of its offers are not looked at again.
            data.pop("q", None)
        if group.key.certification:
            data["certification"] = group.key.certification
        else:
            data.setlist("kind", [group.key.kind])
        return f"?{data.urlencode()}"

    def _without(self, *names: str) -> str:
        data = self._data()
        for name in names:
            data.pop(name, None)
        return f"?{data.urlencode()}"

    def _without_one(self, name: str, value: str) -> str:
        data = self._data()
        data.setlist(name, [other for other in data.getlist(name) if other != value])
        return f"?{data.urlencode()}"

    def _data(self) -> QueryDict:
        """The address as it was sent, back on its first page."""
        data = self.data.copy()
        data.pop("page", None)
        return data


class OwnOffersForm(forms.Form):
    """An organisation looks for one of its offers."""

    q = forms.CharField(
        label=_("Intitulé ou numéro"),
        max_length=TEXT_MAX,
        required=False,
        error_messages={"max_length": _("Raccourcissez votre recherche : 200 caractères au plus.")},
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    state = forms.ChoiceField(
        label=_("État"),
        choices=[("", _("Toutes")), *Shown.choices],
        required=False,
        error_messages={"invalid_choice": _("Cet état n’existe pas. Choisissez dans la liste.")},
        widget=forms.HiddenInput,
    )


class BulkForm(forms.Form):
    """What to do with the offers that are ticked."""

    HIDE, PUBLISH, DELETE, ARCHIVE, UNARCHIVE = "hide", "publish", "delete", "archive", "unarchive"

    action = forms.ChoiceField(choices=[(each, each) for each in (HIDE, PUBLISH, DELETE, ARCHIVE, UNARCHIVE)])
    # All that the list finds, page after page, rather than those that are ticked.
    every = forms.BooleanField(required=False)
    offer = forms.TypedMultipleChoiceField(
        coerce=UUID,
        error_messages={"required": _("Cochez d’abord une ou plusieurs offres.")},
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["offer"].required = not self.data.get("every")
        # Only what is well formed: which of them are theirs is for the view to fetch.
        ticked = self.data.getlist("offer")[:BULK_MAX] if hasattr(self.data, "getlist") else []
        self.fields["offer"].choices = [(value, value) for value in ticked if _is_uuid(value)]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class ImportForm(forms.Form):
    """A catalogue file. Only its beginning is looked at here: the worker reads the rest."""

    file = forms.FileField(
        label=_("Fichier du catalogue"),
        help_text=format_lazy(
            _("Un fichier XML, ou compressé en .zip ou .gz. {size} Mo au plus."),
            size=importing.SIZE_MAX // 2**20,
        ),
        max_length=255,
        error_messages={
            "required": _("Choisissez un fichier."),
            "empty": _("Ce fichier est vide. Choisissez-en un autre."),
            "missing": _("Choisissez un fichier."),
            "max_length": _("Raccourcissez le nom du fichier : 255 caractères au plus."),
        },
        widget=forms.FileInput(attrs={"accept": ".xml,.zip,.gz,application/xml,text/xml"}),
    )

    def clean_file(self):
        """`source`: the file as it arrived on our disk, under the name its sender gave it."""
        file = self.cleaned_data["file"]
        try:
            source = reading.find(file.temporary_file_path())
            reading.check_start(source, root="lheo")
        except reading.Unusable as error:
            raise forms.ValidationError(str(error)) from None
        self.source = replace(source, name=file.name)
        return file

"""What people may ask of the catalogue."""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.urls import reverse_lazy
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from catalog import importing, languages, levels
from catalog.costs import ANYBODY, Costs
from catalog.facets import ENTRY_LEVELS, LANGUAGES, RATINGS, RHYTHMS, Count, Facets
from catalog.geography import name_key
from catalog.grouping import Group
from catalog.imports import offers, reading
from catalog.lint import Lack
from catalog.listing import Shown
from catalog.mapping import Mark
from catalog.models import Offer, OfferIndex, SavedSearch, Town, Wish
from catalog.search import TOTAL_MAX, Duration, SearchQuery, Sort, find_towns, towns_like
from catalog.widening import AT_A_DISTANCE, EARLIEST, RADII_KM, RADIUS, WORDS, Way
from ui import french
from ui.fields import day_field

TEXT_MAX = 200
PRICE_MAX_EUROS = 100_000
RADIUS_KM = 30
MAP = "map"
# More than a page holds; each one is a verb of its own.
BULK_MAX = 50


class RadiusSelect(forms.Select):
    """Shows the distance that counts when none is asked: a bound form forgets its initial values."""

    def value_from_datadict(self, data, files, name):
        return super().value_from_datadict(data, files, name) or RADIUS_KM


OWN_LEVELS = {
    0: _("Sans diplôme"),
    3: _("CAP, BEP"),
    4: _("Baccalauréat"),
    5: _("Bac + 2"),
    6: _("Bac + 3 ou 4"),
    7: _("Bac + 5"),
    8: _("Doctorat"),
}


def count_words(count: Count) -> str:
    """« 1 204 », « ≈ 12 000 »."""
    number = french.number(count.number)
    return f"{count.sign}{french.NO_BREAK}{number}" if count.sign else number


def offer_words(count: int) -> str:
    """« 1 204 formations », « plus de 1 000 formations »."""
    if count > TOTAL_MAX:
        return gettext("plus de %(n)s formations") % {"n": french.number(TOTAL_MAX)}
    return ngettext("%(n)s formation", "%(n)s formations", count) % {"n": french.number(count)}


class SearchForm(forms.Form):
    """The search, in the address of the page: every field may be left out."""

    # What fewer people ask: folded away until one is asked for.
    FOLDED = ("duration", "rhythm", "level", "entry_level", "kind", "language", "accessible", "rating")
    certifier_name = ""

    q = forms.CharField(
        label=_("Formation ou métier"),
        max_length=TEXT_MAX,
        required=False,
        help_text=_("Un métier, un diplôme, ou un numéro comme RNCP35809."),
        error_messages={"max_length": _("Raccourcissez votre recherche : 200 caractères au plus.")},
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "autocomplete": "off",
                # A combobox once portal.js is there; without, a plain field.
                "data-suggest": "suggestions",
                "hx-get": reverse_lazy("suggestions"),
                "hx-trigger": "input changed delay:150ms",
                "hx-target": "#suggestions",
                "hx-push-url": "false",
                "hx-sync": "this:replace",
                "hx-indicator": "#suggestions",
            }
        ),
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
            "max_value": _("Indiquez un prix de 100 000 € au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    kind = forms.MultipleChoiceField(
        label=_("Nature"),
        choices=OfferIndex.NATURES,
        required=False,
        error_messages={"invalid_choice": _("Cette nature n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    level = forms.TypedMultipleChoiceField(
        label=_("Niveau obtenu"),
        choices=levels.OBTAINED,
        coerce=int,
        required=False,
        error_messages={"invalid_choice": _("Ce niveau n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    starts_from = day_field(label=_("Commencer à partir du"), required=False)
    starts_by = day_field(
        label=_("Commencer au plus tard le"),
        required=False,
        help_text=_("Les formations où l’on entre à tout moment comptent aussi."),
    )
    cost_max = forms.IntegerField(
        label=_("Ce que vous payez, au plus, en euros"),
        min_value=0,
        max_value=PRICE_MAX_EUROS,
        required=False,
        help_text=_("Vos droits, vos dotations et l’abondement de l’État déduits, frais annexes compris."),
        error_messages={
            "invalid": _("Écrivez le montant en chiffres, sans centimes, par exemple 150."),
            "min_value": _("Le montant ne peut pas être négatif."),
            "max_value": _("Indiquez un montant de 100 000 € au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    duration = forms.MultipleChoiceField(
        label=_("Durée"),
        choices=Duration,
        required=False,
        error_messages={"invalid_choice": _("Cette durée n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    rhythm = forms.MultipleChoiceField(
        label=_("Rythme"),
        choices=[each for each in Offer.Rhythm.choices if each[0] in RHYTHMS],
        required=False,
        error_messages={"invalid_choice": _("Ce rythme n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    language = forms.MultipleChoiceField(
        label=_("Langue de la formation"),
        choices=lambda: languages.choices(LANGUAGES),
        required=False,
        error_messages={"invalid_choice": _("Cette langue n’existe pas. Choisissez dans la liste.")},
        widget=forms.CheckboxSelectMultiple,
    )
    entry_level = forms.TypedChoiceField(
        label=_("Votre niveau aujourd’hui"),
        choices=[("", _("Peu importe")), *((level, OWN_LEVELS[level]) for level in ENTRY_LEVELS)],
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Pour voir les formations qui n’en demandent pas davantage."),
        error_messages={"invalid_choice": _("Ce niveau n’existe pas. Choisissez dans la liste.")},
    )
    accessible = forms.MultipleChoiceField(
        label=_("Handicap"),
        choices=[("on", _("L’accueil est décrit"))],
        required=False,
        error_messages={"invalid_choice": _("Cochez la case, ou laissez-la vide.")},
        widget=forms.CheckboxSelectMultiple,
    )
    rating = forms.TypedChoiceField(
        label=_("Avis des personnes formées"),
        choices=[
            ("", _("Peu importe")),
            *((least, format_lazy(_("{least} sur 5 et plus"), least=least)) for least in RATINGS),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        error_messages={"invalid_choice": _("Cette note n’existe pas. Choisissez dans la liste.")},
    )
    # Not fields that people fill in: who certifies, chosen among the answers; and the way from a
    # certification of the results to all its offers.
    certification = forms.RegexField(
        r"^(?:RNCP|RS)\d{1,6}$",
        required=False,
        error_messages={"invalid": _("Cette certification n’est pas un numéro du répertoire.")},
        widget=forms.HiddenInput,
    )
    certifier = forms.RegexField(
        r"^\d{14}$",
        required=False,
        error_messages={"invalid": _("Ce certificateur n’est pas un numéro SIRET.")},
        widget=forms.HiddenInput,
    )
    # The answers as a list, or on a map.
    view = forms.ChoiceField(
        choices=[("", ""), (MAP, "")],
        required=False,
        error_messages={"invalid_choice": _("Cette présentation n’existe pas.")},
        widget=forms.HiddenInput,
    )
    sort = forms.ChoiceField(
        label=_("Trier par"),
        choices=Sort,
        required=False,
        initial=Sort.RELEVANCE,
        error_messages={"invalid_choice": _("Cet ordre n’existe pas. Choisissez dans la liste.")},
    )

    def __init__(self, *args, costs: Costs | None = None, **kwargs):
        """`costs`: what offers cost the person who asks; None for who has told nothing of their rights.

        An address that a holder shared, or kept, still answers everybody else: without its costs, which
        `costs_left_out` says.
        """
        super().__init__(*args, **kwargs)
        self.costs = costs
        self.costs_left_out = False
        if costs is None:
            del self.fields["cost_max"]
            self.fields["sort"].choices = [each for each in Sort.choices if each[0] != Sort.COST]
            if self.data.get("sort") == Sort.COST or self.data.get("cost_max"):
                self.costs_left_out = True
                self.data = self.data.copy()
                self.data.pop("cost_max", None)
                if self.data.get("sort") == Sort.COST:
                    self.data["sort"] = ""

    def clean_town(self) -> str:
        """The towns it may mean are kept in `towns`, the one that is searched first."""
        text = self.cleaned_data["town"]
        self.towns = find_towns(text) if text else []
        if text and not self.towns:
            alike = towns_like(text)
            words = gettext("Cette commune n’est pas connue. Vérifiez son nom ou écrivez son code postal.")
            if alike:
                words += " " + gettext("Pensiez-vous à %(towns)s ?") % {"towns": ", ".join(map(str, alike))}
            raise forms.ValidationError(words)
        return text

    def clean(self) -> None:
        if self.cleaned_data.get("sort") == Sort.DISTANCE and self.cleaned_data.get("town") == "":
            self.add_error("town", _("Pour trier par distance, indiquez une commune."))
        first, last = self.cleaned_data.get("starts_from"), self.cleaned_data.get("starts_by")
        if first and last and last < first:
            self.add_error("starts_by", _("Choisissez un jour qui ne précède pas le premier."))

    @cached_property
    def query(self) -> SearchQuery:
        """What is asked, once the form is valid."""
        asked = self.cleaned_data
        return SearchQuery(
            text=asked["q"],
            town=self.towns[0] if self.towns else None,
            radius_km=asked["radius"],
            modes=tuple(asked["mode"]),
            natures=tuple(asked["kind"]),
            levels=tuple(asked["level"]),
            entry_level=asked["entry_level"],
            durations=tuple(asked["duration"]),
            rhythms=tuple(asked["rhythm"]),
            languages=tuple(asked["language"]),
            starts_from=asked["starts_from"],
            starts_by=asked["starts_by"],
            is_accessible=bool(asked["accessible"]),
            rating_min=asked["rating"],
            certification=asked["certification"],
            certifier=asked["certifier"],
            cost_max_cents=None if asked.get("cost_max") is None else asked["cost_max"] * 100,
            costs=self.costs or ANYBODY,
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
            where = gettext("%(km)s km autour de %(town)s") % {"km": query.radius_km, "town": query.town}
            chips.append((where, self._without("town", "radius")))
        chips += [(str(Offer.Mode(mode).label), self._without_one("mode", mode)) for mode in query.modes]
        names = dict(OfferIndex.NATURES)
        chips += [(str(names[nature]), self._without_one("kind", nature)) for nature in query.natures]
        names = dict(levels.OBTAINED)
        chips += [(str(names[level]), self._without_one("level", str(level))) for level in query.levels]
        if query.entry_level is not None:
            own = gettext("Accessible avec : %(level)s") % {"level": OWN_LEVELS[query.entry_level]}
            chips.append((own, self._without("entry_level")))
        chips += [
            (str(Duration(name).label), self._without_one("duration", name)) for name in query.durations
        ]
        chips += [
            (str(Offer.Rhythm(name).label), self._without_one("rhythm", name)) for name in query.rhythms
        ]
        chips += [(languages.name_of(code), self._without_one("language", code)) for code in query.languages]
        if query.starts_from:
            words = gettext("À partir du %(day)s") % {"day": french.short_day(query.starts_from)}
            chips.append((words, self._without("starts_from")))
        if query.starts_by:
            words = gettext("Début au plus tard le %(day)s") % {"day": french.short_day(query.starts_by)}
            chips.append((words, self._without("starts_by")))
        if query.is_accessible:
            chips.append((gettext("Accueil du handicap décrit"), self._without("accessible")))
        if query.rating_min is not None:
            words = gettext("%(least)s sur 5 et plus") % {"least": query.rating_min}
            chips.append((words, self._without("rating")))
        if query.certifier:
            name = self.certifier_name or query.certifier
            chips.append((gettext("Certifié par %(name)s") % {"name": name}, self._without("certifier")))
        if query.certification:
            chips.append((query.certification, self._without("certification")))
        if query.price_max_cents is not None:
            price = gettext("%(price)s au plus") % {"price": french.euros(query.price_max_cents)}
            chips.append((price, self._without("price_max")))
        if query.cost_max_cents is not None:
            cost = gettext("Vous payez %(cost)s au plus") % {"cost": french.euros(query.cost_max_cents)}
            chips.append((cost, self._without("cost_max")))
        return chips

    def wider(self, ways: Iterable[Way]) -> list[tuple[str, str, str]]:
        """How to find more: words, how many offers there would be, the address that shows them."""
        return [(words, offer_words(way.count), url) for way in ways for words, url in [self._way(way)]]

    def _way(self, way: Way) -> tuple[str, str]:
        """(what to do, the address of the question so changed)."""
        if way.name == RADIUS:
            words = gettext("Élargissez à %(km)s km") % {"km": way.query.radius_km}
            return words, self.address_with(radius=str(way.query.radius_km))
        if way.name == AT_A_DISTANCE:
            data = self._data()
            data.setlist("mode", way.query.modes)
            return gettext("Ajoutez les formations à distance"), f"?{data.urlencode()}"
        if way.name == EARLIEST and way.query.starts_by:
            words = gettext("Commencez au plus tard le %(day)s") % {
                "day": french.short_day(way.query.starts_by)
            }
            return words, self.address_with(starts_by=way.query.starts_by.isoformat())
        if way.name == WORDS:
            words = gettext("Gardez seulement les mots")
            if way.query.text != self.query.text:
                words = gettext("Cherchez seulement « %(words)s »") % {"words": way.query.text}
            return words, f"?{urlencode({'q': way.query.text})}"
        fields = {
            "town": (gettext("Cherchez dans toute la France"), ("town", "radius", "sort")),
            "modes": (gettext("Cherchez toutes les modalités"), ("mode",)),
            "natures": (gettext("Cherchez toutes les natures"), ("kind",)),
            "levels": (gettext("Cherchez tous les niveaux"), ("level",)),
            "price_max_cents": (gettext("Cherchez à tous les prix"), ("price_max",)),
            "cost_max_cents": (gettext("Cherchez quoi que vous payiez"), ("cost_max",)),
            "entry_level": (gettext("Cherchez sans dire votre niveau"), ("entry_level",)),
            "durations": (gettext("Cherchez toutes les durées"), ("duration",)),
            "rhythms": (gettext("Cherchez tous les rythmes"), ("rhythm",)),
            "languages": (gettext("Cherchez toutes les langues"), ("language",)),
            "starts_from": (gettext("Cherchez aussi plus tôt"), ("starts_from",)),
            "starts_by": (gettext("Cherchez aussi plus tard"), ("starts_by",)),
            "is_accessible": (gettext("Cherchez sans ce critère d’accueil"), ("accessible",)),
            "rating_min": (gettext("Cherchez sans regarder les avis"), ("rating",)),
            "certifier": (gettext("Cherchez tous les certificateurs"), ("certifier",)),
            "certification": (gettext("Cherchez toutes les certifications"), ("certification",)),
        }
        words, names = fields[way.name]
        return words, self._without(*names)

    def show_counts(self, facets: Facets) -> list[tuple[str, str]]:
        """Write beside each choice how many offers it would leave; (id of the place, words) of each."""
        places = []
        for name, counts in facets.choices.items():
            choices = []
            for value, label in self.fields[name].choices:
                found = counts.get(str(value))
                if found and isinstance(self.fields[name].widget, forms.CheckboxSelectMultiple):
                    place, words = f"n-{name}-{value}", count_words(found)
                    places.append((place, words))
                    label = format_html(
                        '{} <span class="choice-count" id="{}">{}</span>', label, place, words
                    )
                elif found:
                    label = f"{label} ({count_words(found)})"
                choices.append((value, label))
            self.fields[name].choices = choices
        return places

    @property
    def other_towns(self) -> list[Town]:
        """Where else the words may mean; nowhere when they are the whole name of one town only."""
        key = name_key(self.cleaned_data["town"])
        bear_it = [town for town in self.towns if name_key(town.name) == key]
        return (bear_it or self.towns)[1:6]

    @property
    def has_more_open(self) -> bool:
        """Something is asked among the filters that are folded away."""
        return any(self.data.get(name) for name in self.FOLDED)

    def address_with(self, **changed: str) -> str:
        """The address of this search with other values."""
        data = self._data()
        for name, value in changed.items():
            data[name] = value
            if not value:
                del data[name]
        return f"?{data.urlencode()}"

    @property
    def is_on_a_map(self) -> bool:
        return self.cleaned_data["view"] == MAP

    def address_of_mark(self, mark: Mark) -> str:
        """Where the offers of a mark are listed, or a department is shown nearer."""
        data = self._data()
        data["town"], data["radius"] = mark.town, str(mark.radius_km)
        if self.query.town:
            data.pop("view", None)
        return f"?{data.urlencode()}"

    def address_of(self, group: Group) -> str:
        """Where all the offers of a group are listed, with the same filters."""
        data = self._data()
        data.pop("view", None)
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


class SavedSearchForm(forms.Form):
    """How a saved search is called, and whether its holder is told what is new."""

    name = forms.CharField(
        label=_("Nom"),
        max_length=80,
        required=False,
        help_text=_("Pour la retrouver. Laissez vide pour garder le nom proposé."),
        error_messages={"max_length": _("Raccourcissez le nom : 80 caractères au plus.")},
    )
    alert = forms.ChoiceField(
        label=_("M’écrire"),
        choices=SavedSearch.Alert,
        initial=SavedSearch.Alert.NONE,
        error_messages={
            "required": _("Choisissez une alerte de la liste."),
            "invalid_choice": _("Cette alerte n’existe pas. Choisissez dans la liste."),
        },
    )

    @classmethod
    def of(cls, saved: SavedSearch) -> "SavedSearchForm":
        """Its own fields, whose names and ids hold on a page of several."""
        return cls(initial={"name": saved.name, "alert": saved.alert}, prefix=f"r{saved.pk.hex}")


class WishForm(forms.Form):
    """What somebody would like to learn; nothing is asked for."""

    job = forms.CharField(
        label=_("Un métier, ou ce que vous voulez apprendre"),
        max_length=100,
        required=False,
        help_text=_("Par exemple : aide-soignant, anglais, comptable."),
        error_messages={"max_length": _("Raccourcissez : 100 caractères au plus.")},
    )
    town = forms.CharField(
        label=_("Près de quelle commune ?"),
        max_length=100,
        required=False,
        help_text=_("Son nom ou son code postal. Vide : partout, ou à distance."),
        error_messages={"max_length": _("Raccourcissez le nom de la commune : 100 caractères au plus.")},
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )
    level = forms.TypedChoiceField(
        label=_("Quel niveau visez-vous ?"),
        choices=[("", _("Peu importe")), *levels.OBTAINED],
        coerce=int,
        empty_value=None,
        required=False,
        error_messages={"invalid_choice": _("Ce niveau n’existe pas. Choisissez dans la liste.")},
    )
    budget = forms.IntegerField(
        label=_("Combien pourriez-vous payer vous-même, en plus de vos droits ?"),
        min_value=0,
        max_value=PRICE_MAX_EUROS,
        required=False,
        help_text=_("En euros, sans centimes. 0 : seulement ce que vos droits paient. Vide : à voir."),
        error_messages={
            "invalid": _("Écrivez la somme en chiffres, sans centimes, par exemple 200."),
            "min_value": _("La somme ne peut pas être négative."),
            "max_value": _("Indiquez une somme de 100 000 € au plus."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )

    @classmethod
    def of(cls, said: Wish | None, *, home: Town | None) -> "WishForm":
        """What was said, or what the account already knows."""
        if said is None:
            return cls(initial={"town": str(home) if home else ""})
        budget = None if said.budget_cents is None else said.budget_cents // 100
        town = str(said.town) if said.town else ""
        return cls(initial={"job": said.job, "town": town, "level": said.level, "budget": budget})

    def clean_town(self) -> Town | None:
        """The town it means, the most populous of equals."""
        text = self.cleaned_data["town"]
        towns = find_towns(text, limit=1) if text else []
        if text and not towns:
            raise forms.ValidationError(
                _("Cette commune n’est pas connue. Vérifiez son nom ou écrivez son code postal.")
            )
        return towns[0] if towns else None

    @property
    def values(self) -> dict[str, object]:
        """What catalog.wishes.write takes, once the form is valid."""
        said = self.cleaned_data
        budget = said["budget"]
        return {
            "job": said["job"],
            "town": said["town"],
            "level": said["level"],
            "budget_cents": None if budget is None else budget * 100,
        }


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
    lack = forms.ChoiceField(
        label=_("À compléter"),
        choices=[("", _("Toutes")), *Lack.choices],
        required=False,
        error_messages={"invalid_choice": _("Rien de ce nom n’est à compléter. Choisissez dans la liste.")},
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

    encoding = forms.ChoiceField(
        label=_("Encodage du fichier"),
        help_text=_("À changer seulement si des accents sont faux dans le résultat."),
        choices=[("", _("Celui que le fichier annonce")), *reading.SPOKEN.items()],
        required=False,
    )

    def clean(self):
        """`source`: the file as it arrived on our disk, under the name its sender gave it."""
        cleaned = super().clean()
        if not (file := cleaned.get("file")) or "encoding" not in cleaned:
            return cleaned
        try:
            source = reading.find(file.temporary_file_path(), encoding=cleaned["encoding"])
            offers.check_root(source)
        except reading.Unusable as error:
            self.add_error("file", str(error))
        else:
            self.source = replace(source, name=file.name)
        return cleaned

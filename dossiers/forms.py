"""Checking what people type. What is possible now is checked by the verbs (guards.py)."""

from uuid import UUID

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.validators import french_phone
from catalog.models import Offer, Session
from dossiers import bulk, guards, inbox
from dossiers.models import Batch, Dossier, Motive
from dossiers.states import CompletionCause, ExitReason, State
from ui import french
from ui.documents import SIZE_MAX
from ui.fields import EurosField, FilesField, NumberField, WordsField, day_field


class RequestForm(forms.Form):
    """What the holder tells the organisation. A session with permanent entry asks for a wished start."""

    project = WordsField(
        label=_("Pourquoi cette formation ?"),
        help_text=_("Votre projet en quelques phrases. L’organisme le lira. 2 000 caractères au plus."),
        max_length=2000,
        required=False,
        rows=6,
    )
    wished_start = day_field(
        label=_("Quand aimeriez-vous commencer ?"),
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
        label=_("Si le prix ou les dates changent : pourquoi ?"),
        help_text=_("Le titulaire lira cette explication."),
        required=False,
        max_length=1000,
        rows=3,
    )


class RefusalForm(forms.Form):
    """Why the organisation says no: a motive, then its own words (see bulk.refusal_reason)."""

    motive = forms.ChoiceField(
        label=_("Motif du refus"),
        choices=[("", _("Choisissez un motif")), *Motive.choices],
        help_text=_("Le titulaire lira ce motif."),
        error_messages={"required": _("Choisissez le motif : il sera dit au titulaire.")},
    )
    words = WordsField(
        label=_("Votre explication"),
        help_text=_("Elle suit le motif. Dites ce que la personne peut faire maintenant."),
        required=False,
        max_length=1000,
        rows=3,
    )


class ReasonForm(forms.Form):
    """A refusal or a cancellation, in words for the other side."""

    reason = WordsField(label=_("Pourquoi ?"), max_length=1000, required=False, rows=3)


class FunderForm(forms.Form):
    """What is asked of a funder."""

    amount = EurosField(
        label=_("Montant demandé"),
        help_text=_("Ce qui manque, au plus."),
    )


class AgreementForm(forms.Form):
    """A yes to other dates: which proposal was shown."""

    seen_postponement = forms.IntegerField(widget=forms.HiddenInput)


class CancelLateForm(ReasonForm):
    """A cancellation that costs: what its holder was shown that they would lose."""

    seen_forfeited_cents = forms.IntegerField(widget=forms.HiddenInput)


def evidence_field(**kwargs) -> FilesField:
    """A few files that prove something."""
    return FilesField(
        help_text=format_lazy(
            _(
                "Une photo nette suffit. PDF, JPEG ou PNG, {size} Mo au plus par fichier, "
                "{count} fichiers au plus."
            ),
            size=SIZE_MAX // 1_000_000,
            count=guards.EVIDENCE_MAX,
        ),
        **kwargs,
    )


class ClaimForm(forms.Form):
    """What kept a holder away, and its proof."""

    words = WordsField(
        label=_("Qu’est-il arrivé ?"),
        help_text=_("En quelques phrases : quoi, quand, et pourquoi vous ne pouviez pas venir."),
        max_length=2000,
        rows=6,
        error_messages={"required": _("Dites ce qui est arrivé.")},
    )
    evidence = evidence_field(label=_("Vos justificatifs"))


class ContestForm(forms.Form):
    """What a holder does not agree with in a declared completion."""

    words = WordsField(
        label=_("Qu’est-ce qui n’est pas exact ?"),
        help_text=_("Par exemple les jours de votre présence. L’organisme le lira."),
        max_length=2000,
        rows=4,
        error_messages={"required": _("Dites ce qui n’est pas exact.")},
    )


class SomeClosedRadios(forms.RadioSelect):
    """Radios of which those in `closed` are shown, and cannot be chosen."""

    closed: frozenset[str] = frozenset()

    def create_option(self, name, value, *args, **kwargs):
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option


class PostponementForm(forms.Form):
    """Other dates for a confirmed registration: those of another session, or typed. `told()` once valid.

    `sessions`: as `postponement.sessions_to_offer` gives them. A full one is shown, so that nobody looks for
    it, and cannot be chosen.
    """

    OTHER_DAYS = "autres"

    session = forms.ChoiceField(
        label=_("Quelles dates proposez-vous ?"),
        widget=SomeClosedRadios,
        error_messages={
            "required": _("Choisissez les dates que vous proposez."),
            "invalid_choice": _("Cette session n’est plus proposée : choisissez dans la liste."),
            "full": _("Cette session est pleine. Choisissez-en une autre."),
        },
    )
    starts_on = day_field(label=_("Nouveau premier jour"), required=False)
    ends_on = day_field(label=_("Nouveau dernier jour"), required=False)
    reason = WordsField(
        label=_("Pourquoi ce report ?"),
        help_text=_("Le titulaire lira cette raison."),
        max_length=1000,
        rows=3,
        error_messages={"required": _("Dites pourquoi : le titulaire lira cette raison.")},
    )

    def __init__(self, *args, dossier: Dossier, sessions, **kwargs):
        super().__init__(*args, **kwargs)
        self.dossier = dossier
        self.sessions = {str(session.pk): session for session, _places in sessions}
        choices = [(str(session.pk), _session_in_words(session, places)) for session, places in sessions]
        self.fields["session"].choices = [
            *choices,
            (self.OTHER_DAYS, _("D’autres dates, dans la même session")),
        ]
        self.full = frozenset(str(session.pk) for session, places in sessions if places.left == 0)
        if len(self.full) == len(choices):  # or there is no other session at all
            self.fields["session"].initial = self.OTHER_DAYS
        if choices:
            self.fields["session"].widget.closed = self.full
        else:
            self.fields["session"].widget = forms.HiddenInput()

    def clean_session(self):
        """Filled since the page was read, or sent by hand: the verb would refuse it too."""
        session = self.cleaned_data["session"]
        if session in self.full:
            raise forms.ValidationError(self.fields["session"].error_messages["full"], code="full")
        return session

    def clean(self):
        given = super().clean()
        session = self.sessions.get(given.get("session", ""))
        if session is not None:
            given["starts_on"], given["ends_on"] = session.starts_on, session.ends_on
        elif "session" in given:
            for name in ("starts_on", "ends_on"):
                if given.get(name) is None and name not in self.errors:
                    self.add_error(name, forms.ValidationError(_("Donnez cette date."), code="required"))
        return given

    def told(self) -> dict:
        """As `postponement.postpone` wants it."""
        given = self.cleaned_data
        session = self.sessions.get(given["session"], self.dossier.session)
        days = {"starts_on": given["starts_on"], "ends_on": given["ends_on"]}
        return {"session_id": session.pk, "reason": given["reason"]} | days


def _session_in_words(session: Session, places: inbox.Places) -> str:
    """« du lundi 4 mai 2026 au vendredi 8 mai 2026 · 3 places libres »."""
    if session.starts_on == session.ends_on:
        words = gettext("Le %s") % french.day(session.starts_on)
    else:
        days = {"starts": french.day(session.starts_on), "ends": french.day(session.ends_on)}
        words = gettext("Du %(starts)s au %(ends)s") % days
    if places.left is None:
        return words
    if not places.left:
        return gettext("%s · complète") % words
    left = ngettext("%(n)d place libre", "%(n)d places libres", places.left) % {"n": places.left}
    return f"{words} · {left}"


class EntryForm(forms.Form):
    entered_on = day_field(
        label=_("Premier jour suivi"),
        help_text=_("Le jour où la personne est vraiment venue, ou s’est connectée."),
        error_messages={"required": _("Donnez le premier jour suivi.")},
    )


class ExitForm(forms.Form):
    exited_on = day_field(
        label=_("Dernier jour suivi"), error_messages={"required": _("Donnez le dernier jour suivi.")}
    )
    exit_reason = forms.ChoiceField(
        label=_("Pourquoi la formation s’arrête-t-elle ?"),
        choices=ExitReason.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Dites pourquoi la formation s’arrête.")},
    )


QUARTER_MINUTES = 15


class HoursField(NumberField):
    """A duration typed « 35 » or « 17,25 »; cleaned to minutes, by quarters of an hour."""

    def clean(self, value):
        hours = super().clean(value)
        if hours is None:
            return None
        minutes = hours * 60
        if minutes % QUARTER_MINUTES:
            raise forms.ValidationError(_("Comptez par quarts d’heure : 17,25 pour 17 h 15."), code="quarter")
        return int(minutes)

    @staticmethod
    def typed(minutes: int) -> str:
        """As somebody would type it: 1,215 minutes, by quarters of an hour → « 20,25 »."""
        hours, rest = divmod(minutes, 60)
        return f"{hours},{rest * 100 // 60:02}" if rest else str(hours)


class CompletionForm(forms.Form):
    """What was done of a training, and why not all of it. Fields end in minutes once cleaned."""

    total_hours = HoursField(
        label=_("Durée prévue, en heures"),
        help_text=_("Celle qui était convenue, par quarts d’heure."),
        error_messages={"required": _("Donnez la durée prévue.")},
    )
    done_hours = HoursField(
        label=_("Durée suivie, en heures"),
        help_text=_("D’après vos feuilles d’émargement, ou vos relevés de connexion."),
        error_messages={"required": _("Donnez la durée suivie.")},
    )
    cause = forms.ChoiceField(
        label=_("Tout a-t-il été suivi ?"),
        choices=CompletionCause.choices,
        initial=CompletionCause.COMPLETE,
        widget=forms.RadioSelect,
        error_messages={"required": _("Dites si tout a été suivi.")},
    )
    force_majeure = forms.BooleanField(
        label=_("La personne a été empêchée par une force majeure, que je prouve"), required=False
    )
    words = WordsField(
        label=_("Ce qui s’est passé, si tout n’a pas été suivi"),
        help_text=_("Le titulaire le lira."),
        max_length=2000,
        required=False,
        rows=4,
    )
    evidence = evidence_field(label=_("Justificatifs de la force majeure"))

    def told(self) -> dict:
        """As `training.declare_completion` wants it, files apart."""
        given = self.cleaned_data
        return {
            "total_minutes": given["total_hours"],
            "done_minutes": given["done_hours"],
            "cause": CompletionCause(given["cause"]),
            "force_majeure": given["force_majeure"],
            "words": given["words"],
        }


class MyDossiersForm(forms.Form):
    """Filters of the holder's list, beside its views."""

    q = forms.CharField(
        label=_("Formation, organisme ou numéro"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    state = forms.ChoiceField(
        label=_("État"), required=False, choices=[("", _("Tous les états")), *State.choices]
    )


class TrainingField(forms.ModelChoiceField):
    def label_from_instance(self, offer):
        place = _("à distance") if offer.mode == Offer.Mode.DISTANCE else offer.town_name
        return f"{offer.title} · {place}" if place else offer.title

    def to_python(self, value):
        try:
            return super().to_python(value)
        except forms.ValidationError:  # not even a key: people are not told of keys
            message = self.error_messages["invalid_choice"]
            raise forms.ValidationError(message, code="invalid_choice") from None


class InboxForm(forms.Form):
    """The filters of an organisation's inbox. `wanted()` once it is valid."""

    view = forms.ChoiceField(choices=inbox.View.choices, required=False, widget=forms.HiddenInput)
    q = forms.CharField(
        label=_("Nom, numéro ou formation"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    training = TrainingField(
        label=_("Formation"),
        queryset=Offer.objects.none(),
        required=False,
        empty_label=_("Toutes"),
        error_messages={"invalid_choice": _("Cette formation n’est pas dans vos demandes.")},
    )
    starts_from = day_field(label=_("Début à partir du"), required=False)
    starts_to = day_field(label=_("Début jusqu’au"), required=False)
    tonight = forms.BooleanField(label=_("À répondre avant ce soir"), required=False)
    unread = forms.BooleanField(label=_("Avec un message non lu"), required=False)
    order = forms.ChoiceField(label=_("Trier par"), choices=inbox.Order.choices, required=False)

    def __init__(self, *args, trainings, **kwargs):
        # Its ids are its own: a dossier and its forms stand beside it in the panel.
        super().__init__(*args, auto_id="filtre_%s", **kwargs)
        self.fields["training"].queryset = trainings

    def wanted(self) -> inbox.Wanted:
        given = self.cleaned_data
        return inbox.Wanted(
            view=given["view"] or inbox.View.TO_ANSWER,
            query=given["q"].strip(),
            training=given["training"].pk if given["training"] else None,
            starts_from=given["starts_from"],
            starts_to=given["starts_to"],
            tonight=given["tonight"],
            unread=given["unread"],
            order=given["order"],
        )


class IdsField(forms.Field):
    """Ticked rows: a list of UUIDs."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value):
        try:
            return [UUID(each) for each in value or []]
        except ValueError:
            raise forms.ValidationError(
                _("Cette page n’est plus à jour. Rechargez-la avant de continuer."), code="invalid"
            ) from None


class BatchForm(forms.Form):
    """Which requests are answered together, and how. `all`: every request of the filter, up to the limit."""

    answer = forms.ChoiceField(choices=Batch.Answer.choices)
    dossier = IdsField(required=False)
    all = forms.BooleanField(required=False)


class DurationForm(forms.Form):
    """How long a training lasts whose session is open at any time."""

    lasting_days = forms.IntegerField(
        label=_("Durée de la formation, en jours"),
        help_text=_("Du premier au dernier jour, samedis et dimanches compris."),
        min_value=1,
        max_value=bulk.LASTING_DAYS_MAX,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

"""What people type of a review, an answer or a report. What is taken of it: the verbs (review_guards.py)."""

from django import forms
from django.utils.translation import gettext_lazy as _

from dossiers.models import ReviewText
from dossiers.review_guards import REPORT_WORDS_MAX, WORDS_MAX
from dossiers.review_models import MARK_WORDS, MARKS
from ui.fields import WordsField

MARK_CHOICES = [
    (5, _("5 : très bien")),
    (4, _("4 : bien")),
    (3, _("3 : moyen")),
    (2, _("2 : décevant")),
    (1, _("1 : mauvais")),
]
MARK_HINTS = {
    "welcome": _("Les réponses avant de commencer, le premier jour."),
    "content": _("Ce que vous avez appris, comparé à ce qui était annoncé."),
    "team": _("Ceux qui enseignent : clarté, écoute, maîtrise."),
    "means": _("Les locaux, le matériel, la plateforme, les supports."),
    "support": _("Le suivi pendant la formation, et jusqu’à l’examen."),
}


class ReviewForm(forms.Form):
    words = WordsField(
        label=_("Voulez-vous en dire plus ?"),
        help_text=_(
            "Ce qui était bien, ce qui manquait, pour qui cette formation convient. "
            "Sans nom, ni téléphone, ni lien : nous lisons votre texte avant de le publier."
        ),
        required=False,
        max_length=WORDS_MAX,
        rows=6,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in MARKS:
            self.fields[name] = forms.TypedChoiceField(
                label=MARK_WORDS[name],
                help_text=MARK_HINTS[name],
                choices=MARK_CHOICES,
                coerce=int,
                widget=forms.RadioSelect,
                error_messages={
                    "required": _("Choisissez une note."),
                    "invalid_choice": _("Choisissez une note de la liste."),
                },
            )
        self.order_fields([*MARKS, "words"])

    @property
    def marks(self) -> dict[str, int]:
        """Once valid."""
        return {name: self.cleaned_data[name] for name in MARKS}

    @property
    def mark_fields(self):
        return [self[name] for name in MARKS]

    @classmethod
    def of(cls, review, text) -> "ReviewForm":
        """Filled with what was given."""
        marks = {name: getattr(review, name) for name in MARKS} if review else {}
        return cls(initial=marks | {"words": text.words if text else ""})


class AnswerForm(forms.Form):
    words = WordsField(
        label=_("Votre réponse"),
        help_text=_(
            "Tout le monde la lira. Ne nommez personne, ne donnez ni téléphone, ni e-mail, ni lien. "
            "Nous la lisons avant de la publier."
        ),
        max_length=WORDS_MAX,
        error_messages={"required": _("Écrivez votre réponse.")},
        rows=6,
    )


class ReviewReportForm(forms.Form):
    motive = forms.ChoiceField(
        label=_("Pourquoi ce texte ne devrait-il pas être publié ?"),
        choices=ReviewText.Motive,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choisissez un motif.")},
    )
    words = WordsField(
        label=_("Voulez-vous en dire plus ?"),
        help_text=_("Seule l’administration du portail le lira."),
        required=False,
        max_length=REPORT_WORDS_MAX,
        rows=4,
    )

"""What people type in a thread. Whether it may be sent is for the verbs (message_guards.py)."""

from django import forms
from django.utils.translation import gettext_lazy as _

from dossiers.message_guards import REPORT_WORDS_MAX, WORDS_MAX
from dossiers.models import MessageReport
from ui.fields import WordsField


class MessageForm(forms.Form):
    words = WordsField(
        label=_("Votre message"),
        help_text=_(
            "Sans téléphone, e-mail ni lien : pour vous protéger des arnaques, tout se passe ici. "
            "N’écrivez jamais de numéro de carte, d’IBAN ou de sécurité sociale."
        ),
        max_length=WORDS_MAX,
        error_messages={"required": _("Écrivez votre message.")},
        rows=5,
    )


class SeenForm(forms.Form):
    """The last message that the page showed: what is read by whoever answers, or says so."""

    seen_until = forms.IntegerField(min_value=0, max_value=2**63 - 1)


class MessageReportForm(forms.Form):
    motive = forms.ChoiceField(
        label=_("Qu’est-ce qui ne va pas ?"),
        choices=MessageReport.Motive,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choisissez ce qui ne va pas.")},
    )
    words = WordsField(
        label=_("Voulez-vous en dire plus ?"),
        help_text=_("Seule l’administration du portail le lira."),
        required=False,
        max_length=REPORT_WORDS_MAX,
        rows=4,
    )

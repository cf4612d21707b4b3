"""From a notice to words: the same for the mail, as text and HTML, and for the inbox.

`templates/notices/<kind>.txt` holds the words of a kind, rendered when they are read, in the
language of the portal: its first line is the subject, the rest what happened and what to do. The
facts that everybody looks for (who, what, until when, how much) are listed below them, from `FACTS`.
"""

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from notices.kinds import Kind
from notices.models import Notice

# What is listed under the words, in this order, when the notice has it.
FACTS = {
    "due": _("À faire avant"),
    "free_until": _("Annulation sans frais"),
    "price": _("Prix de la formation"),
    "to_pay": _("Reste à payer"),
    "starts_on": _("Début"),
    "ends_on": _("Fin"),
    "training_title": _("Formation"),
    "organisation_name": _("Organisme de formation"),
    "holder_name": _("Titulaire"),
    "state": _("État du dossier"),
    "dossier_number": _("Dossier"),
}

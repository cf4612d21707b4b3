"""From a notice to words: the same for the mail, as text and HTML, and for the inbox.

`templates/notices/<kind>.txt` holds the words of a kind, rendered when they are read, in the
language of the portal: its first line is the subject, the rest what happened and what to do. The
facts that everybody looks for (who, what, until when, how much) are listed below them, from `FACTS`.
"""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context
from django.template.loader import get_template
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
    "when": _("Quand"),
    "device": _("Appareil"),
    "answer_by": _("Notre réponse au plus tard"),
    "ticket_topic": _("Sujet"),
    "ticket_number": _("Demande d’aide"),
    "siret": _("SIRET"),
    "request_number": _("Demande de référencement"),
}

# Where security notices lead: a page that says what to do, and asks for no password.
PROTECT = _("Ce n’était pas moi")
# What the button says; for a dossier, nothing more is needed.
BUTTONS = {
    Kind.ACCOUNT_ACTIVATED: _("Voir mes droits"),
    Kind.DOTATION_GRANTED: _("Voir mes droits"),
    Kind.DOTATION_RETURNED: _("Voir mes droits"),
    Kind.PROFILE_CHANGED: PROTECT,
    Kind.EMAIL_CHANGED: PROTECT,
    Kind.PASSWORD_CHANGED: PROTECT,
    Kind.NEW_SIGN_IN: PROTECT,
    Kind.ACCOUNT_FROZEN: PROTECT,
    Kind.ACCOUNT_THAW_ASKED: PROTECT,
    Kind.ACCOUNT_THAWED: PROTECT,
    Kind.INVITATION: _("Lire l’invitation"),
    Kind.MEMBERSHIP_GIVEN: _("Voir mon compte"),
    Kind.MEMBERSHIP_CHANGED: _("Voir mon compte"),
    Kind.MEMBERSHIP_REMOVED: _("Voir mon compte"),
    Kind.TEAM_CHANGED: _("Voir l’équipe"),
    Kind.ORGANISATION_CHANGED: _("Voir les coordonnées"),
    Kind.RIGHTS_ADJUSTED: _("Voir mes droits"),
    Kind.DECLARATION_CONFIRMED: _("Voir mes déclarations"),
    Kind.DECLARATION_REFUSED: _("Voir mes déclarations"),
    Kind.MESSAGE_RECEIVED: _("Lire et répondre"),
    Kind.MESSAGE_HIDDEN: _("Ouvrir les messages"),
    Kind.MESSAGE_KEPT: _("Ouvrir les messages"),
    Kind.TICKET_RECEIVED: _("Suivre ma demande"),
    Kind.TICKET_ANSWERED: _("Lire l’échange, ou répondre"),
    Kind.TICKET_CLOSED: _("Lire l’échange"),
    Kind.TICKET_LINK: _("Suivre ma demande"),
    Kind.CERTIFICATION_ENDING: _("Voir les dates et quoi faire"),
    Kind.OFFER_WITHHELD: _("Ouvrir l’offre"),
    Kind.OFFER_RELEASED: _("Ouvrir l’offre"),
    Kind.OFFERS_CLOSED: _("Voir ces offres"),
    Kind.SEARCHES_FOUND: _("Voir ces formations"),
    Kind.JOIN_SENT: _("Suivre ma demande"),
    Kind.JOIN_COMPLETION_ASKED: _("Compléter ma demande"),
    Kind.JOIN_RECEIVABLE: _("Suivre ma demande"),
    Kind.JOIN_ADMITTED: _("Ouvrir l’espace de l’organisme"),
    Kind.JOIN_REFUSED: _("Lire la décision"),
    Kind.JOIN_WITHDRAWN: _("Revoir ma demande"),
    Kind.JOIN_REMINDER: _("Reprendre ma demande"),
    Kind.JOIN_LATE: _("Ouvrir la demande"),
    Kind.MEASURE_WARNED: _("Lire, et répondre"),
    Kind.MEASURE_INTENDED: _("Lire, et répondre"),
    Kind.MEASURE_ANSWERED: _("Lire l’échange"),
    Kind.MEASURE_SUSPENDED: _("Lire, et répondre"),
    Kind.MEASURE_CONFIRMED: _("Lire la décision"),
    Kind.MEASURE_DROPPED: _("Lire la décision"),
    Kind.MEASURE_LIFTED: _("Voir la situation"),
}
BUTTON = _("Ouvrir le dossier")


@dataclass(frozen=True, slots=True)
class Words:
    """A notice as people read it. `facts`: (label, value); `url` is empty when there is nothing to open.

    `stop_url`: where a person stops letters of this kind without signing in; empty for what must be told.
    """

    subject: str
    paragraphs: list[str]
    facts: list[tuple[str, str]]
    button: str
    url: str
    stop_url: str = ""


def words_of(notice: Notice) -> Words:
    """The words of a notice, in the active language."""
    template = get_template(f"notices/{notice.kind}.txt").template
    # Plain text: escaping is the business of whoever puts these words into HTML.
    text = template.render(Context(notice.facts, autoescape=False))
    subject, _newline, body = text.strip().partition("\n")
    return Words(
        subject=_on_one_line(subject),
        paragraphs=[_on_one_line(part) for part in body.split("\n\n") if part.strip()],
        facts=[(str(label), notice.facts[name]) for name, label in FACTS.items() if notice.facts.get(name)],
        button=str(BUTTONS.get(notice.kind, BUTTON)),
        url=urljoin(settings.PORTAL_BASE_URL, notice.link) if notice.link else "",
        stop_url=urljoin(settings.PORTAL_BASE_URL, stop) if (stop := notice.facts.get("stop_link")) else "",
    )


def _on_one_line(text: str) -> str:
    """No-break spaces stay: « 1 234,50 € » is never cut in two."""
    return re.sub(r"[^\S\u00a0\u202f]+", " ", text).strip()


def _language_of(notice: Notice) -> str:
    """Their person's, as far as the portal speaks it; a mailbox, and everybody else, has the portal's."""
    language = notice.user.language if notice.user_id else ""
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def email_of(notice: Notice, *, connection: Any = None) -> EmailMultiAlternatives:
    """The mail of a notice, in its person's language. The same notice always has the same Message-ID."""
    with translation.override(_language_of(notice)):
        words = words_of(notice)
        context = {"words": words, "base_url": settings.PORTAL_BASE_URL}
        text = get_template("notices/mail.txt").template.render(Context(context, autoescape=False))
        html = get_template("notices/mail.html").render(context)
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    # RFC 3834: an absent reader's robot does not answer ours.
    headers = {"Message-ID": f"<{notice.pk}@{domain}>", "Auto-Submitted": "auto-generated"}
    if words.stop_url:
        # RFC 2369 and 8058: mail readers show their own button, and one click is enough.
        headers |= {
            "List-Unsubscribe": f"<{words.stop_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    message = EmailMultiAlternatives(
        subject=words.subject,
        body=text,
        to=[notice.email],
        connection=connection,
        headers=headers,
    )
    message.attach_alternative(html, "text/html")
    return message

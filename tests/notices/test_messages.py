"""The same words by mail, as text and HTML, and in the inbox; each kind has its words."""

from email import message_from_bytes, policy

import pytest
from django.utils import timezone

from notices.kinds import Kind
from notices.messages import email_of, words_of
from notices.models import Notice
from tests.conftest import ROOT
from tests.factories.notices import FACTS

READERS = ["holder", "provider"]
EVERYTHING = {
    "reason": "Le formateur est souffrant.",
    "change_reason": "La salle est prise.",
    "project": "Changer de métier.",
    "free_until": "lundi 18 mai 2026 à minuit",
    "to_pay": "100,00 €",
    "left": "il reste 3 heures",
    "fields": ["téléphone", "adresse"],
}


def a_notice(kind=Kind.DOSSIER_REQUESTED, *, link="/demandes/1", **facts):
    return Notice(kind=kind, email="a@exemple.fr", facts=FACTS | facts, link=link, created_at=timezone.now())


def as_received(notice):
    """Text and HTML of the mail, as a mail program shows them."""
    message = message_from_bytes(email_of(notice).message().as_bytes(), policy=policy.default)
    return message, *(message.get_body((kind,)).get_content() for kind in ("plain", "html"))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("facts", [{}, EVERYTHING], ids=["least", "most"])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words_with_few_facts_and_with_all(kind, facts, reader):
    words = words_of(a_notice(kind, reader=reader, **facts))
    assert words.subject
    assert words.paragraphs
    assert not any("{" in text or "None" in text for text in [words.subject, *words.paragraphs])
    told = " ".join([words.subject, *words.paragraphs, *(value for _label, value in words.facts)])
    assert FACTS["holder_name"] in told or FACTS["organisation_name"] in told


@pytest.mark.parametrize("clock", ["provider_answer", "holder_answer", "payment", "withdrawal"])
def test_a_reminder_says_what_is_waited_for_and_until_when(clock):
    words = words_of(a_notice(Kind.REMINDER, clock=clock, left="il reste 3 heures"))
    assert "Un délai se termine" not in words.paragraphs[0]
    assert words.paragraphs[1] == "Dernier moment\u00a0: mardi 12 mai 2026 à minuit. Il reste 3 heures."


@pytest.mark.parametrize("silent", READERS)
@pytest.mark.parametrize("reader", READERS)
def test_a_lapse_says_whose_silence(reader, silent):
    first = words_of(a_notice(Kind.DOSSIER_LAPSED, reader=reader, silent_party=silent)).paragraphs[0]
    assert ("Vous n’avez pas répondu" in first or "votre réponse ou votre paiement" in first) is (
        reader == silent
    )


def test_the_mail_says_who_what_until_when_how_much_with_one_button():
    message, text, html = as_received(a_notice())
    assert (
        message["Subject"].strip() == "Élodie Martin demande une inscription\u00a0: Menuiserie & agencement"
    )
    for fact in ("Élodie Martin", "mardi 12 mai 2026 à minuit", "1 234,50 €", "D-2026-0001"):
        assert fact in text
        assert fact in html
    assert text.count("http://testserver/demandes/1") == html.count("http://testserver/demandes/1") == 1
    assert html.count("<a ") == 1
    assert "Nous ne demandons jamais votre mot de passe" in text
    assert "Nous ne demandons jamais votre mot de passe" in html
    assert message["Auto-Submitted"] == "auto-generated"


def test_what_people_wrote_is_text_in_html_and_unchanged_in_text():
    _message, text, html = as_received(a_notice(Kind.DOSSIER_REFUSED, reason="<script>x</script> & l'été"))
    assert "<script>x</script> & l'été" in text
    assert "Atelier <b>Dupont</b>" in text
    assert "<script>" not in html
    assert "Atelier &lt;b&gt;Dupont&lt;/b&gt;" in html


def test_a_name_with_line_breaks_adds_no_header():
    message, _text, _html = as_received(a_notice(holder_name="Élodie\r\nBcc: tous@exemple.fr\r\n\r\nBonjour"))
    assert message["Bcc"] is None
    assert message["To"] == "a@exemple.fr"
    assert "Bcc" not in message["Subject"]


def test_a_notice_without_a_page_has_no_button():
    _message, text, html = as_received(a_notice(link=""))
    assert "http://testserver/" not in text
    assert "<a " not in html


def test_no_mail_asks_for_a_password():
    for path in (ROOT / "templates" / "notices").glob("*.txt"):
        # These warn, and ask for nothing.
        if path.name not in ("mail.txt", "profile_changed.txt", "password_changed.txt"):
            assert "mot de passe" not in path.read_text(), path.name

"""Both sides of a dossier write to each other by the keyboard, with JavaScript and without."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dossiers.models import Message, ReadMark
from tests.browser.test_main_job import sign_in
from tests.factories.dossiers import DossierFactory, provider_actor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_a_question_is_asked_read_answered_and_marked_as_read(sit_down, javascript):
    dossier = DossierFactory(at=timezone.now() - timedelta(minutes=10), requested=True)
    holder, member = sit_down(javascript=javascript), sit_down(javascript=javascript)
    for sitter, user in ((holder, dossier.holder.user), (member, provider_actor(dossier.provider).user)):
        sitter.open("/connexion/login/")
        sign_in(sitter, user)

    def say(sitter, words, answer):
        """htmx swaps the thread; without it the page comes again."""
        sitter.reach("Votre message", tag="TEXTAREA")  # not the summary of what is wrong, which says it too
        sitter.page.keyboard.press("Control+A")
        sitter.page.keyboard.type(words)
        sitter.reach("Envoyer le message", tag="BUTTON")
        sitter.page.keyboard.press("Enter")
        sitter.page.get_by_text(answer).first.wait_for()
        sitter.page.wait_for_load_state()

    holder.open(f"/mes-dossiers/{dossier.pk}")
    holder.follow("Écrire un message")
    say(holder, "Mon numéro : 06 39 98 12 34", "Votre message contient un numéro de téléphone")
    assert not Message.objects.exists()
    say(holder, "À quelle heure commence-t-on ?", "Votre message est envoyé")
    holder.must_read("À quelle heure commence-t-on ?")

    member.open("/demandes")
    member.must_read("1 message non lu")
    member.open(f"/demandes/{dossier.pk}/messages")
    say(member, "À 9 h.", "Votre message est envoyé")
    assert ReadMark.objects.get().role == "provider"

    holder.open(f"/mes-dossiers/{dossier.pk}/messages")
    holder.must_read("À 9 h.")
    holder.reach("Marquer comme lu", tag="BUTTON")
    holder.page.keyboard.press("Enter")
    holder.page.get_by_text("C’est noté comme lu").wait_for()
    holder.page.wait_for_load_state()
    holder.open("/mes-dossiers")
    assert "non lu" not in holder.page.locator("main").inner_text()
    assert Message.objects.count() == 2

"""The life of a dossier without a mouse: where the focus goes when a form is refused, a dialog closed.

Both sides, from the request to what was followed. Signing in and the inbox have tests of their own.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from dossiers.models import Claim, Completion, Dossier, Postponement
from dossiers.states import State
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    a_proof,
    act,
    in_business_days,
    provider_actor,
    put_off,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def at():
    return timezone.now()


def again(dossier):
    return Dossier.objects.get(pk=dossier.pk)


def holder_of(dossier, sit_down, page="", **fields):
    sitter = sit_down(user=dossier.holder.user, **fields)
    sitter.open(f"/mes-dossiers/{dossier.pk}{page}")
    return sitter


def clerk_of(dossier, sit_down, page=""):
    sitter = sit_down(user=provider_actor(dossier.provider).user)
    sitter.open(f"/demandes/{dossier.pk}{page}")
    return sitter


def go_to_the_first_fault(sitter, *, says: str, field: str) -> None:
    """A refused form has given the focus to the list of its faults; its first link leads to the field."""
    assert sitter.page.evaluate("document.activeElement.id") == "erreurs"
    assert sitter.page.title().startswith("Erreur")
    assert says in sitter.has_focus()
    sitter.page.keyboard.press("Tab")
    sitter.page.keyboard.press("Enter")
    assert field in sitter.page.evaluate("document.activeElement.name")


def close_by_escape(sitter, *, opener: str) -> None:
    """The focus is in an open dialog; closed, it gives it back to what opened it."""
    assert sitter.page.evaluate("document.activeElement.matches('.dialog h2')")
    sitter.page.keyboard.press("Escape")
    assert sitter.page.locator(".dialog:popover-open").count() == 0
    assert sitter.has_focus() == opener


def test_a_request_is_corrected_sent_answered_validated_and_paid_by_transfer(sit_down, at):
    dossier = DossierFactory(
        at=at, balance_cents=10_000, is_exempt=False, holder__first_names="Ana", holder__birth_name="Un"
    )
    holder = holder_of(dossier, sit_down)
    # The first stop of every page leads past its head.
    holder.page.keyboard.press("Tab")
    assert holder.has_focus() == "Aller au contenu"
    assert holder.page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    holder.page.keyboard.press("Enter")
    holder.page.keyboard.press("Tab")
    assert holder.page.evaluate("document.activeElement.closest('main') !== null")
    holder.press("Envoyer mon inscription")
    go_to_the_first_fault(holder, says="Cochez cette case", field="terms")
    holder.page.keyboard.press("Space")
    holder.press("Envoyer mon inscription")
    holder.must_read("Demande envoyée")

    clerk = clerk_of(dossier, sit_down)
    clerk.write("Prix TTC en euros", "900")
    clerk.press("Envoyer la proposition")
    go_to_the_first_fault(clerk, says="pourquoi", field="change_reason")
    clerk.page.keyboard.type("Remise de rentrée.")
    clerk.press("Envoyer la proposition")
    clerk.must_read("À valider par le titulaire")

    holder.page.reload()
    holder.press("Valider mon inscription")
    holder.must_read("Paiement en cours")
    holder.follow("Payer ce qui reste")
    holder.reach("Copier la référence", tag="BUTTON")
    paid = again(dossier)
    assert (paid.state, paid.price_cents) == (State.AWAITING_PAYMENT, 90_000)


def test_the_way_out_is_read_closed_and_opened_again(sit_down, at):
    dossier = DossierFactory(at=at, accepted=True)
    holder = holder_of(dossier, sit_down)
    holder.open_up("Me rétracter")
    holder.must_read("1 000,00 € vous reviennent")
    close_by_escape(holder, opener="Me rétracter")
    holder.open_what_has_focus()
    holder.reach("Ne rien changer", tag="BUTTON")
    holder.page.keyboard.press("Enter")
    assert holder.has_focus() == "Me rétracter"
    assert again(dossier).state == State.ACCEPTED
    holder.open_what_has_focus()
    holder.reach("Pourquoi")
    holder.page.keyboard.insert_text("Trop long. " * 200)
    holder.press("Me rétracter et tout récupérer")
    go_to_the_first_fault(holder, says="Pourquoi", field="reason")
    holder.page.keyboard.press("Control+A")
    holder.page.keyboard.type("Un imprévu.")
    holder.press("Me rétracter et tout récupérer")
    holder.must_read("Annulée par le titulaire")
    assert again(dossier).state == State.CANCELLED_BY_HOLDER


def test_a_holder_whose_page_is_old_is_told_so_where_the_focus_is(sit_down, at):
    dossier = DossierFactory(at=at, proposed=True)
    holder = holder_of(dossier, sit_down)
    act("call_off", dossier, at=timezone.now(), reason="La session est supprimée.")
    holder.press("Valider mon inscription")
    assert holder.page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    holder.must_read("Annulée par l'organisme")


def test_other_dates_are_proposed_then_agreed_to(sit_down, at):
    dossier = DossierFactory(at=at, accepted=True)
    days = [in_business_days(at, 45 + number) for number in range(3)]
    full, free = (
        SessionFactory(offer=dossier.offer, starts_on=day, ends_on=day + timedelta(days=4), places=places)
        for day, places in zip(days, (1, 8), strict=False)
    )
    DossierFactory(at=at, accepted=True, session=full)
    clerk = clerk_of(dossier, sit_down)
    clerk.unfold("Reporter à d'autres dates")
    clerk.press("Proposer ces dates")
    # The full session is said to be, and passed over: the first that can be chosen has the focus.
    clerk.must_read("complète")
    assert "Quelles dates proposez-vous" in clerk.has_focus()
    clerk.reach("8 places libres")
    assert clerk.page.evaluate("document.activeElement.value") == str(free.pk)
    clerk.page.keyboard.press("Space")
    clerk.write("Pourquoi ce report", "Le formateur est souffrant.")
    clerk.press("Proposer ces dates")
    clerk.must_read("Votre report attend une réponse")
    assert Postponement.objects.get().session == free

    holder = holder_of(dossier, sit_down)
    holder.open_up("Partir sans frais")
    close_by_escape(holder, opener="Partir sans frais")
    holder.press("Accepter ces dates")
    holder.must_read("votre inscription est aux nouvelles dates")
    assert (again(dossier).state, again(dossier).session) == (State.ACCEPTED, free)


def test_a_postponement_is_taken_back(sit_down, at):
    dossier = put_off(DossierFactory(at=at, accepted=True), at=at)
    clerk = clerk_of(dossier, sit_down)
    clerk.unfold("Revenir aux dates convenues")
    clerk.press("Reprendre mon report")
    clerk.must_read("Inscription confirmée")
    assert again(dossier).state == State.ACCEPTED


def test_a_force_majeure_is_told_with_its_proof(sit_down, at, tmp_path):
    start = in_business_days(at, 6)
    session = SessionFactory(
        offer=OfferFactory(sessions=0), starts_on=start, ends_on=start + timedelta(days=4)
    )
    dossier = DossierFactory(at=at - timedelta(days=90), session=session, accepted=True)
    holder = holder_of(dossier, sit_down)
    holder.open_up("Annuler et perdre ces droits")
    close_by_escape(holder, opener="Annuler et perdre ces droits")
    holder.follow("Une force majeure m'empêche de venir")
    holder.press("Envoyer ma demande")
    go_to_the_first_fault(holder, says="Qu'est-il arrivé", field="words")
    holder.page.keyboard.type("Je suis hospitalisée.")
    proof = tmp_path / "certificat.pdf"
    proof.write_bytes(a_proof().read())
    # The system's own window is not ours to press keys in: it is caught, by who listens well before the key.
    with holder.page.expect_file_chooser() as chooser:
        holder.reach("Vos justificatifs", tag="INPUT")
        holder.page.keyboard.press("Space")
    chooser.value.set_files(proof)
    holder.press("Envoyer ma demande")
    holder.must_read("Force majeure à l'examen")
    holder.reach("certificat.pdf", tag="A")
    assert Claim.objects.get().words == "Je suis hospitalisée."


def test_an_organisation_declares_the_entry_the_end_and_what_was_followed(sit_down, at):
    today = timezone.localdate(at)
    session = SessionFactory(
        offer=OfferFactory(sessions=0, hours=35), starts_on=today - timedelta(days=6), ends_on=today
    )
    dossier = DossierFactory(at=at - timedelta(days=90), session=session, accepted=True)
    clerk = clerk_of(dossier, sit_down)
    clerk.reach("Premier jour suivi")
    clerk.page.keyboard.press("Backspace")  # the day, then nothing is a date any more
    clerk.press("Déclarer l'entrée")
    go_to_the_first_fault(clerk, says="Premier jour suivi", field="entered_on")
    # In which order day, month and year are typed is the browser's business.
    clerk.page.locator("[name='entry-entered_on']").fill(str(session.starts_on))
    clerk.press("Déclarer l'entrée")
    clerk.must_read("En formation")
    clerk.press("Déclarer la fin")
    go_to_the_first_fault(clerk, says="Pourquoi la formation s'arrête-t-elle", field="exit_reason")
    clerk.page.keyboard.press("Space")
    clerk.press("Déclarer la fin")
    clerk.must_read("Formation terminée")

    clerk.follow("Déclarer le service fait")
    clerk.write("Durée suivie, en heures", "35")
    # Enter in a field never declares what was not calculated first.
    with clerk.page.expect_navigation():
        clerk.page.keyboard.press("Enter")
    assert "Ce que cela donnerait" in clerk.has_focus()
    assert not Completion.objects.exists()
    clerk.press("Déclarer")
    clerk.must_read("Service fait en vérification")
    assert again(dossier).state == State.COMPLETION_DECLARED

    holder = holder_of(dossier, sit_down)
    holder.unfold("Contester ce qui est déclaré")
    holder.press("Envoyer ma contestation")
    go_to_the_first_fault(holder, says="Dites ce qui n'est pas exact", field="words")
    holder.page.keyboard.type("J'ai manqué deux jours.")
    holder.press("Envoyer ma contestation")
    holder.must_read("Contesté par le titulaire")

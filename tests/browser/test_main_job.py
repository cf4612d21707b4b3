"""The main job in Chromium by keyboard alone, with and without JavaScript; every page met is looked at."""

import pytest

from accounts.nir import decrypt
from dossiers.models import Dossier
from tests.factories.accounts import PASSWORD, HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory
from tests.factories.rights import CreditFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world():
    """An account that waits with 2 500 €, somebody to activate it, an open offer and its organisation."""
    waiting = HolderFactory(
        activated=False, birth_name="Le Bihan", first_names="Anne-Lise", status="job_seeker"
    )
    CreditFactory(holder=waiting, amount=250_000)
    offer = OfferFactory(title="Menuiserie et agencement d'intérieur", price_cents=180_000)
    member = MembershipFactory(organisation=offer.provider.organisation).user
    return waiting, UserFactory(), offer, member


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_the_main_job_by_keyboard(world, sit_down, javascript):
    waiting, user, offer, member = world
    holder = sit_down(javascript=javascript)
    look = holder.look if javascript else lambda what: None

    holder.open("/")
    look("home")
    holder.follow("Se connecter")
    look("sign-in")
    sign_in(holder, user)
    holder.follow("Activer mon compte")
    look("activation")
    holder.write("Nom de naissance ou nom d'usage", "Le Bihan")
    holder.write("Prénoms", "Anne-Lise")
    holder.write("Date de naissance", "31/05/1985")
    holder.write("Numéro de sécurité sociale", decrypt(waiting.nir_encrypted))
    holder.press("Activer mon compte")
    holder.must_read("Votre compte est activé.")
    look("rights")

    holder.follow("Chercher une formation")
    look("search")
    holder.write("Formation ou métier", "menuiserie")
    holder.reach("Rechercher", tag="BUTTON")
    holder.page.keyboard.press("Enter")
    holder.page.get_by_role("link", name=offer.title).wait_for()
    look("results")
    holder.follow(offer.title)
    look("offer")
    holder.follow("Créer mon dossier d'inscription")
    look("create")
    holder.press("Créer mon dossier d'inscription")
    look("draft")
    holder.press("Envoyer mon inscription")
    holder.must_read("Cochez cette case pour envoyer votre demande.")
    look("draft with errors")
    holder.write("Pourquoi cette formation", "M'installer à mon compte.")
    holder.tick("J'ai lu ce que cette demande engage")
    holder.press("Envoyer mon inscription")
    holder.must_read("Demande envoyée")
    look("request")

    organisation = sit_down(javascript=javascript)
    organisation.open("/connexion/login/")
    sign_in(organisation, member)
    organisation.follow("Demandes reçues")
    if javascript:
        organisation.look("inbox")
        organisation.reach("Anne-Lise Le Bihan", tag="A")
        organisation.page.keyboard.press("Enter")
        organisation.page.wait_for_selector("#panneau [data-dossier]")
        organisation.follow("Ouvrir en pleine page")
    else:
        organisation.follow("Anne-Lise Le Bihan")
    if javascript:
        organisation.look("request, by the organisation")
    organisation.press("Envoyer la proposition")
    organisation.must_read("À valider par le titulaire")
    if javascript:
        organisation.look("proposal, by the organisation")

    holder.follow("Mes dossiers")
    look("list")
    holder.follow(offer.title)
    look("proposal")
    holder.press("Valider mon inscription")
    holder.must_read("Inscription confirmée")
    look("confirmed")
    holder.follow("Notifications")
    look("notices")
    holder.unfold("Vous agissez comme")
    holder.follow("Mon profil")
    look("profile")
    holder.follow("Mes dossiers")
    holder.follow(offer.title)
    holder.open_up("Me rétracter")
    holder.press("Me rétracter et tout récupérer")
    holder.must_read("Annulée par le titulaire")
    look("withdrawn")
    holder.follow("Mes droits")
    holder.must_read("2 500,00 €")

    assert Dossier.objects.get().state == "cancelled_by_holder"
    assert len(holder.looked_at) == (17 if javascript else 0)


def sign_in(sitter, user):
    sitter.write("Adresse e-mail", user.email)
    sitter.write("Mot de passe", PASSWORD)
    sitter.press("Me connecter")


def test_what_is_too_wide_or_unnamed_is_seen(sit_down):
    """The eyes of these journeys are open: the faults they look for are found."""
    sitter = sit_down()
    sitter.page.set_content(
        "<html lang=fr><title>Page</title><body><main><h1>Page</h1>"
        "<p style='width:600px'>Trop large</p></main></body></html>"
    )
    with pytest.raises(AssertionError, match="wider than 320 pixels"):
        sitter.look("a wide page")
    sitter.page.set_content(
        "<html lang=fr><title>Page</title><body><main><h1>Page</h1><div role=region style='overflow:auto'>"
        "<p style='width:900px'>Dans son cadre<i style='position:absolute;left:800px'>hors du cadre</i></p>"
        "</div></main></body></html>"
    )
    with pytest.raises(AssertionError, match="hors du cadre"):
        sitter.look("what leaves the frame of a table")
    sitter.page.set_content(
        "<html lang=fr><title>Page</title><body><main><h1>Page</h1><input></main></body></html>"
    )
    with pytest.raises(AssertionError, match="label"):
        sitter.look("a field without a name")
    sitter.page.set_content(
        "<html lang=fr><title>Page</title><body><main><h1>Page</h1>"
        "<a href='#' style='outline:none'>Suite</a></main></body></html>"
    )
    with pytest.raises(AssertionError, match="nothing shows"):
        sitter.reach("Suite")

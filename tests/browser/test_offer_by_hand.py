"""An offer written by hand, its fields checked one by one as they are left: the console stays silent."""

import pytest
from django.urls import reverse

from catalog.lint import Step
from catalog.models import Offer
from tests.browser.test_main_job import sign_in
from tests.factories.catalog import OfferFactory
from tests.factories.dossiers import provider_actor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HEIGHT = "entry => entry.offsetHeight"


@pytest.fixture
def writer(sit_down):
    """Somebody of the organisation, on the page of the texts. What the console says fails the test."""
    offer = OfferFactory(is_handmade=True, is_draft=True, is_published=False)
    sitter = sit_down()
    sitter.open("/connexion/login/")
    sign_in(sitter, provider_actor(offer.provider).user)
    sitter.open(reverse("provider_offer_step", args=[offer.pk, Step.TEXTS]))
    return sitter


def pull(sitter, entry, by: int) -> None:
    """The corner of a text area, with the mouse."""
    entry.scroll_into_view_if_needed()
    box = entry.bounding_box()
    mouse = sitter.page.mouse
    mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4 + by)
    mouse.up()


def test_a_field_made_larger_is_checked_without_a_blocked_style_and_keeps_its_height(writer):
    """The browser writes the size as a style of the field; copied as an attribute, it would be blocked."""
    entry = writer.page.locator("[name=objectives]")
    before = entry.evaluate(HEIGHT)
    pull(writer, entry, by=120)
    larger = entry.evaluate(HEIGHT)
    assert larger > before + 100
    entry.fill("<b>Savoir</b>")
    writer.page.keyboard.press("Tab")
    writer.page.locator("#bloc-objectives .field__error").wait_for()
    assert entry.evaluate(HEIGHT) == larger
    writer.must_read("Écrivez sans balises")


def test_every_field_of_the_texts_is_checked_without_a_word_in_the_console(writer):
    for entry in writer.page.locator(".checked-field textarea").all():
        name = entry.get_attribute("name")
        entry.fill("Tenir les comptes d’une petite entreprise.")
        with writer.page.expect_response(lambda answer, name=name: answer.url.endswith(f"/{name}")):
            writer.page.keyboard.press("Tab")
    assert Offer.objects.get().objectives == ""  # checked, and not kept yet


@pytest.mark.parametrize("javascript", [True, False])
def test_what_offers_lack_is_told_one_after_the_other_from_their_list(sit_down, javascript):
    said = {
        "is_handmade": True,
        "objectives": "Vendre.",
        "contact_email": "a@exemple.fr",
        "rhythms": ["evening"],
    }
    first = OfferFactory(title="Caisse", content="Encaisser.", **said)
    OfferFactory(title="Vitrine", content="Décorer.", provider=first.provider, **said)
    sitter = sit_down(javascript=javascript, user=provider_actor(first.provider).user)
    sitter.open(reverse("provider_offers"))
    sitter.unfold("À compléter")
    sitter.follow("Accueil des personnes handicapées")
    for left in ("2 offres", "1 offre"):
        sitter.must_read(left)
        sitter.follow("Compléter")
        sitter.page.locator("[name=accessibility]:focus").wait_for()  # the address led there
        sitter.page.keyboard.insert_text("Rampe.")
        sitter.press("Enregistrer")
        where, _hash, _field = sitter.page.url.partition("#")
        assert where.endswith(f"{reverse('provider_offers')}?lack=accueil")
    sitter.must_read("Aucune offre ne répond")
    sitter.follow("Accueil des personnes handicapées")  # looked at: once more lets it go
    sitter.must_read("Vitrine")
    assert set(Offer.objects.values_list("accessibility", flat=True)) == {"Rampe."}

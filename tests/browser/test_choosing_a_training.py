"""From a word to the way in, by the keyboard alone, JavaScript or not: search, map, comparison, offer."""

import pytest
from django.urls import reverse

import rulebook
from catalog import indexing, suggesting, words
from catalog.models import SavedSearch
from tests.browser.conftest import plain
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import (
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    TermFactory,
    TownFactory,
    today,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WORDS = "Formation ou métier"


@pytest.fixture
def joiners():
    """A trade taught by two organisations of two towns and, from afar, by a third."""
    TermFactory(code="H2206", names=["Menuisier / Menuisière"])
    certification = CertificationFactory(title="Menuisier agenceur", rome_codes=["H2206"])
    lyon = TownFactory(code="69123", name="Lyon", population=500_000)
    near = TownFactory(code="69266", name="Villeurbanne", latitude=45.771, longitude=4.89, population=150_000)
    offers = [
        OfferFactory(
            title="Menuisier agenceur",
            certification=certification,
            provider=ProviderFactory(organisation=OrganisationFactory(name=name)),
            price_cents=price,
            **where,
        )
        for name, price, where in (
            ("Copeaux et Cie", 180_000, {"town": lyon, "mode": "on_site"}),
            ("Le Rabot", 210_000, {"town": near, "mode": "on_site"}),
            ("Bois à distance", 150_000, {"mode": "distance"}),
        )
    ]
    words.reindex()
    words.refresh()
    on = today()
    indexing.reindex([offer.pk for offer in offers], on=on)
    suggesting.refresh(on=on, rules=rulebook.on(on))
    return offers


def told(sitter):
    """What a screen reader is told of the results."""
    return plain(sitter.page.locator("#resultats-dits").inner_text())


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_visitor_finds_places_compares_and_comes_to_the_way_in(joiners, sit_down, javascript):
    visitor = sit_down(javascript=javascript)
    visitor.open(reverse("home"))
    visitor.write_at_once(WORDS, "menui")
    if javascript:
        visitor.page.locator("[role=option]").first.wait_for()
        visitor.page.keyboard.press("ArrowDown")
    else:
        visitor.page.keyboard.type("sier")
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    visitor.must_read("1 réponse")
    visitor.must_read("3 organismes")

    visitor.tick("En présentiel")
    if javascript:
        visitor.page.get_by_text("2 organismes").wait_for()
        assert told(visitor) == "1 réponse"
        assert visitor.has_focus().startswith("En présentiel"), "the answers do not take the focus away"
    else:
        visitor.press("Rechercher")
    visitor.must_read("2 organismes")

    visitor.follow("Carte")
    visitor.must_read("Où elles ont lieu")
    if javascript:
        visitor.look("the map of France")
    visitor.follow("Lyon (69)")
    visitor.must_read("50 km autour de Lyon (69)")
    if javascript:
        visitor.look("the map around a town")
        stops = visitor.walk_through()
        assert [stop for stop in stops if stop in {"Lyon", "Villeurbanne"}] == ["Lyon", "Villeurbanne"]
        assert stops.index("Carte") < stops.index("Lyon")
    visitor.follow("Villeurbanne")
    visitor.must_read("Le Rabot")
    visitor.must_read("5 km autour de Villeurbanne (69)")

    # Back to both of them: the search by words, its tick kept in the address.
    visitor.open(reverse("search") + "?q=menuisier&mode=on_site")
    visitor.follow("Aller aux résultats") if not javascript else pass_over_the_fields(visitor)
    visitor.tick("Comparer : Menuisier agenceur, Copeaux et Cie")
    visitor.tick("Comparer : Menuisier agenceur, Le Rabot")
    visitor.press("Comparer les formations cochées")
    visitor.must_read("Prix d'une heure")
    visitor.must_read("1 800,00 €")
    if javascript:
        visitor.look("the comparison")
        visitor.walk_through()

    visitor.follow("Voir : Menuisier agenceur")
    visitor.must_read("Certification préparée")
    if javascript:
        visitor.look("the offer")
        visitor.walk_through()
    visitor.follow("Créer mon dossier d'inscription")
    visitor.must_read("Mot de passe")


def pass_over_the_fields(sitter):
    """The second link of the page leads past the filters, and the next stop is among the answers."""
    sitter.reach("Aller aux résultats", tag="A")
    sitter.page.keyboard.press("Enter")
    sitter.page.keyboard.press("Tab")
    assert sitter.page.evaluate("document.activeElement.closest('#resultats') !== null")


def test_results_are_walked_through_with_every_filter_unfolded(joiners, sit_down):
    visitor = sit_down()
    visitor.open(reverse("search") + "?q=menuisier&duration=month")
    stops = visitor.walk_through()
    assert stops[:2] == ["Aller au contenu", "Portail formation"]
    filters, answers = stops.index("Aller aux résultats"), stops.index("Liste")
    assert filters < stops.index("Rechercher") < answers


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_holder_keeps_a_search_and_runs_it_again(joiners, holder, sit_down, javascript):
    sitter = sit_down(javascript=javascript, user=holder.user)
    sitter.open(reverse("search") + "?q=menuisier&mode=on_site")
    sitter.unfold("Enregistrer cette recherche")
    sitter.write("Nom", "Menuiserie près de chez moi")
    sitter.press("Enregistrer")
    sitter.must_read("est dans « Mes recherches »")
    assert SavedSearch.objects.get().name == "Menuiserie près de chez moi"
    sitter.follow("Mes recherches")
    if javascript:
        sitter.walk_through()
    sitter.follow("Relancer : Menuiserie près de chez moi")
    sitter.must_read("2 organismes")


def test_a_mistyped_word_is_told_and_leads_to_what_was_read(joiners, sit_down):
    visitor = sit_down()
    visitor.open(reverse("search") + "?q=menuizier")
    visitor.must_read("Mot inconnu : nous avons lu menuisier.")
    visitor.follow("menuisier")
    assert visitor.page.url.endswith("?q=menuisier")
    visitor.must_read("Menuisier agenceur")

"""« Mes offres »: what an organisation sees of its own, and the two verbs it has."""

from urllib.parse import urlencode

import pytest
from django.urls import reverse
from lxml import html

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from catalog import listing, publishing
from catalog.lint import Lack
from catalog.models import Offer
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import OfferFactory, ProviderFactory, TownFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    return ProviderFactory()


@pytest.fixture
def member(client, provider):
    """A member of the organisation, signed in."""
    membership = MembershipFactory(organisation=provider.organisation)
    client.force_login(membership.user)
    return Actor(role=Role.PROVIDER, user=membership.user, organisation=provider.organisation)


def read(response):
    assert response.status_code == 200
    return html.fromstring(response.content)


def offers_page(client, **asked):
    response = client.get(reverse("provider_offers"), asked)
    assert response.status_code == 200
    return response.content.decode()


def test_own_offers_with_the_reasons_and_no_one_else_s(client, provider, member):
    OfferFactory(title="Visible", provider=provider)
    hidden = OfferFactory(title="Cachée", provider=provider, is_published=False, entitled=False)
    OfferFactory(title="Aux voisins")
    page = offers_page(client)
    assert "2 offres" in page
    assert "Visible dans la recherche" in page
    assert "Masquée" in page
    assert "n’est pas habilité" in page and reverse("provider_offer_step", args=[hidden.pk, "objet"]) in page
    assert "Aux voisins" not in page


def test_the_list_is_searched_and_sorted_out(client, provider, member):
    OfferFactory(title="Pâtisserie", provider=provider, action_number="A-77")
    OfferFactory(title="Cuisine", provider=provider, is_published=False)
    OfferFactory(title="Service", provider=provider, entitled=False)
    OfferFactory(title="Sommellerie", provider=provider, is_draft=True, is_published=False)

    def shown(**asked):
        page = offers_page(client, **asked)
        return [t for t in ("Pâtisserie", "Cuisine", "Service", "Sommellerie") if f">{t}</a>" in page]

    assert shown(q="patisserie") == ["Pâtisserie"]
    assert shown(q="a-77") == ["Pâtisserie"]
    assert shown(state="open") == ["Pâtisserie"]
    assert shown(state="hidden") == ["Cuisine"]
    assert shown(state="closed") == ["Service"]
    assert shown(state="draft") == ["Sommellerie"]
    assert shown(q="%") == []
    assert "Aucune offre ne répond" in offers_page(client, q="zzz")
    assert "Cet état n’existe pas" in offers_page(client, state="autre")


SAID = {
    "accessibility": "Rampe.", "content": "Vendre.", "rhythms": ["evening"], "contact_email": "a@exemple.fr",
}  # fmt: skip


def test_what_is_left_to_say_is_counted_and_lists_who_lacks_it(client, at, provider, member):
    OfferFactory(provider=provider, title="Complète", **SAID)
    assert "À compléter" not in offers_page(client)
    OfferFactory(provider=provider, title="Muette", **SAID | {"accessibility": ""})
    OfferFactory(provider=provider, title="Finie", sessions=0, **SAID)
    OfferFactory(title="Aux voisins")
    page = offers_page(client, q="e")
    assert "À compléter" in page and "q=e&amp;lack=accueil" in page, "it keeps what was looked for"
    assert "Contenu de la formation" not in page, "what none lacks is not said"
    page = offers_page(client, lack="accueil")
    assert ">Muette</a>" in page and ">Complète</a>" not in page and ">Finie</a>" not in page
    page = offers_page(client, lack="session")
    assert ">Finie</a>" in page and ">Muette</a>" not in page
    assert "Rien de ce nom" in offers_page(client, lack="autre")
    Offer.objects.update(archived_at=at, is_published=False)
    assert "À compléter" not in offers_page(client, state="archived"), "put away, nothing is to be mended"


@pytest.mark.parametrize("lack", Lack.values)
def test_each_line_leads_to_the_field_and_back_to_the_list_as_it_was(client, provider, member, lack):
    offer = OfferFactory(
        provider=provider, sessions=0, has_prerequisites=True, town=TownFactory(), objectives="Vendre."
    )
    asked = {"q": offer.title[:5], "state": "open", "lack": lack}
    [link] = read(client.get(reverse("provider_offers"), asked)).xpath("//a[starts-with(., 'Compléter')]")
    address, _, field = link.get("href").partition("#")
    page = read(client.get(address))
    assert page.xpath(f"//*[@id='{field}']") or lack == "session"
    back = f"{reverse('provider_offers')}?{urlencode(asked)}"
    assert back in page.xpath("//nav[contains(@class,'breadcrumbs')]//a/@href")


def test_what_was_completed_leads_back_to_the_list_as_it_was(client, provider, member):
    offer = OfferFactory(provider=provider, title="Vente", town=TownFactory(), objectives="Vendre.")
    address = reverse("provider_offer_step", args=[offer.pk, "textes"])
    said = {"title": "Vente", "objectives": "Vendre.", "accessibility": "Rampe."}
    answer = client.post(f"{address}?{urlencode({'list': 'lack=accueil'})}", said)
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('provider_offers')}?lack=accueil")
    assert Offer.objects.get().accessibility == "Rampe."
    assert client.post(address, said)["Location"] == reverse("provider_offer", args=[offer.pk])


def test_a_verb_of_a_line_leads_back_to_the_list_as_it_was(client, provider, member):
    OfferFactory.create_batch(21, provider=provider, title="Vente", sessions=0, indexed=False)
    asked = {"q": "vente", "state": "open", "page": "2"}
    [form] = read(client.get(reverse("provider_offers"), asked)).xpath("//form[contains(@action, 'masquer')]")
    answer = client.post(form.get("action"))
    assert answer["Location"] == f"{reverse('provider_offers')}?{urlencode(asked)}"
    for nonsense in ("state=gone", "q=%00", "x" * 5000, "https://mal.example"):
        [offer] = Offer.objects.filter(is_published=True)[:1]
        answer = client.post(
            f"{reverse('provider_offer_hide', args=[offer.pk])}?{urlencode({'list': nonsense})}"
        )
        assert answer["Location"].startswith(reverse("provider_offers")) and "mal" not in answer["Location"]


def test_nothing_left_of_what_was_looked_at_leads_back(client, provider, member):
    OfferFactory(provider=provider, **SAID)
    page = offers_page(client, lack="contenu")
    assert "Aucune offre ne répond" in page
    assert 'aria-current="true"' in page and f'href="{reverse("provider_offers")}?lack="' in page


def test_every_offer_is_counted_under_one_state(client, at, rules, provider, member):
    OfferFactory(provider=provider)
    OfferFactory.create_batch(2, provider=provider, is_published=False)
    OfferFactory.create_batch(3, provider=provider, entitled=False)
    OfferFactory.create_batch(4, provider=provider, is_draft=True, is_published=False)
    OfferFactory.create_batch(5, provider=provider, is_published=False, archived_at=at)
    OfferFactory()
    counts = listing.own_counts(provider.pk, on=at.date(), rules=rules)
    assert counts == {"draft": 4, "open": 1, "closed": 3, "hidden": 2, "archived": 5}
    page = offers_page(client, q="formation")
    assert "state=draft" in page and "q=formation" in page, "a tab keeps what was looked for"


def test_an_organisation_without_offers_has_two_ways_to_begin(client, member):
    page = offers_page(client)
    assert reverse("provider_offer_new") in page and reverse("provider_import_new") in page


# --- Several at once ------------------------------------------------------------------------------


def bulk(client, action, *offers):
    ticked = [str(getattr(offer, "pk", offer)) for offer in offers]
    response = client.post(reverse("provider_offers_bulk"), {"action": action, "offer": ticked}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_ticked_offers_are_hidden_and_shown_together(client, provider, member):
    offers = OfferFactory.create_batch(2, provider=provider)
    left = OfferFactory(provider=provider)
    assert "2 offres sont masquées" in bulk(client, "hide", *offers)
    assert list(Offer.objects.filter(is_published=True)) == [left]
    assert "2 offres sont montrées" in bulk(client, "publish", *offers)
    assert Offer.objects.filter(is_published=True).count() == 3


def test_one_that_is_refused_stops_no_other_and_says_why(client, provider, member):
    draft = OfferFactory(
        title="Bon", provider=provider, is_draft=True, is_published=False, is_handmade=True,
        objectives="Vendre.", town=TownFactory(),
    )  # fmt: skip
    empty = OfferFactory(
        title="Vide", provider=provider, is_draft=True, is_published=False, is_handmade=True, sessions=0
    )
    page = bulk(client, "publish", draft, empty)
    assert "1 offre est montrée" in page and "«\u00a0Vide\u00a0»\u00a0: " in page
    assert set(Offer.objects.filter(is_published=True)) == {draft}
    assert "brouillon, que personne" in bulk(client, "hide", empty)
    page = bulk(client, "delete", draft, empty)
    assert "1 offre est supprimée" in page and "Masquez d’abord" in page
    assert list(Offer.objects.all()) == [draft]


def test_the_offers_of_others_are_left_alone_whatever_is_ticked(client, provider, member):
    foreign = OfferFactory()
    for action in ("hide", "publish", "delete"):
        bulk(client, action, foreign, "pas un identifiant")
    assert Offer.objects.get().is_published
    assert "Cochez d’abord" in bulk(client, "hide")
    bulk(client, "anything", foreign)


@pytest.mark.parametrize("wrong", [{"state": "gone"}, {"q": "x" * 300}])
def test_every_one_of_a_list_that_makes_no_sense_is_none(client, member, provider, wrong):
    OfferFactory(provider=provider)
    asked = {"action": "hide", "every": "1"} | wrong
    answer = client.post(reverse("provider_offers_bulk"), asked, follow=True)
    assert "alert--error" in answer.content.decode()
    assert Offer.objects.filter(is_published=True).count() == 1


def test_all_that_the_list_finds_at_once(client, provider, member):
    """Page after page, for an organisation with hundreds of offers; only what it was looking at."""
    OfferFactory.create_batch(25, provider=provider, title="Vente", sessions=0, indexed=False)
    OfferFactory(provider=provider, title="Cuisine")
    assert "Les 25 offres de cette liste" in offers_page(client, q="vente")
    assert "offres de cette liste" not in offers_page(client, q="cuisine")
    asked = {"action": "hide", "every": "1", "q": "vente", "state": "open"}
    answer = client.post(reverse("provider_offers_bulk"), asked, follow=True)
    assert answer.redirect_chain == [(f"{reverse('provider_offers')}?q=vente&state=open", 302)]
    assert "25 offres sont masquées" in answer.content.decode()
    assert [offer.title for offer in Offer.objects.filter(is_published=True)] == ["Cuisine"]
    asked = {"action": "publish", "every": "1", "state": "hidden", "lack": "accueil"}
    Offer.objects.filter(title="Vente").update(accessibility="Rampe.")
    assert (
        "est montrée" not in client.post(reverse("provider_offers_bulk"), asked, follow=True).content.decode()
    )
    assert Offer.objects.filter(is_published=True).count() == 1, "none of these lacks it"
    for action, words in (("archive", "25 offres sont archivées"), ("unarchive", "25 offres sont sorties")):
        state = "hidden" if action == "archive" else "archived"
        answer = client.post(
            reverse("provider_offers_bulk"), {"action": action, "every": "1", "state": state}, follow=True
        )
        assert words in answer.content.decode()
    client.post(reverse("provider_offers_bulk"), {"action": "archive", "every": "1", "state": "hidden"})
    answer = client.post(
        reverse("provider_offers_bulk"), {"action": "delete", "every": "1", "state": "archived"}, follow=True
    )
    assert "25 offres sont supprimées" in answer.content.decode()
    assert Offer.objects.count() == 1


@pytest.mark.parametrize("count", [21, 60])
def test_sixty_offers_are_hidden_in_as_many_queries_as_twenty_one(
    client, provider, member, count, django_assert_num_queries
):
    OfferFactory.create_batch(count, provider=provider, sessions=0, indexed=False)
    # session, person, account, memberships; the law, the offers; then the verb
    # (tests/catalog/test_publishing)
    with django_assert_num_queries(19):
        client.post(reverse("provider_offers_bulk"), {"action": "hide", "every": "1"})
    assert not Offer.objects.filter(is_published=True).exists()


def test_archived_offers_leave_the_list_and_are_found_under_their_own(client, at, provider, member):
    offer = OfferFactory(title="Vieille", provider=provider, is_published=False)
    page = offers_page(client, state="hidden")
    assert 'value="archive"' in page
    response = client.post(reverse("provider_offer_archive", args=[offer.pk]), follow=True)
    assert "est archivée" in response.content.decode()
    assert ">Vieille</a>" not in offers_page(client)
    page = offers_page(client, state="archived")
    assert ">Vieille</a>" in page and "Archivée" in page and "Sortir des archives" in page
    response = client.post(reverse("provider_offer_unarchive", args=[offer.pk]), follow=True)
    assert "Elle reste masquée" in response.content.decode()
    assert ">Vieille</a>" in offers_page(client, state="hidden")


def test_what_can_be_seen_is_not_archived_and_the_page_says_so(client, provider, member):
    offer = OfferFactory(provider=provider)
    response = client.post(reverse("provider_offer_archive", args=[offer.pk]))
    assert response.status_code == 422 and "Masquez-la d’abord" in response.content.decode()


def test_pages_of_twenty(client, provider, member):
    OfferFactory.create_batch(21, provider=provider, sessions=0, indexed=False)
    assert offers_page(client).count('name="offer"') == 20
    assert offers_page(client, page=2).count('name="offer"') == 1
    assert offers_page(client, page=99).count('name="offer"') == 1


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_much_for_three_as_for_one(
    client, provider, member, count, django_assert_num_queries
):
    OfferFactory.create_batch(count, provider=provider)
    # session, person, account, memberships, unread notices; the law, the counts, what is lacking, what ends
    # soon, how many, the page, its entitlements
    with django_assert_num_queries(12):
        offers_page(client)


def test_hiding_and_showing_again(client, provider, member):
    offer = OfferFactory(provider=provider)
    response = client.post(reverse("provider_offer_hide", args=[offer.pk]), follow=True)
    assert "est masquée" in response.content.decode()
    assert not Offer.objects.get().is_published
    client.post(reverse("provider_offer_hide", args=[offer.pk]))
    client.post(reverse("provider_offer_publish", args=[offer.pk]))
    assert Offer.objects.get().is_published
    actions = JournalEntry.objects.order_by("pk").values_list("action", "subject")
    assert list(actions) == [("hide", f"offer:{offer.pk}"), ("publish", f"offer:{offer.pk}")]


@pytest.mark.parametrize("name", ["provider_offer_hide", "provider_offer_publish"])
def test_the_offers_of_others_do_not_exist(client, member, name):
    foreign = OfferFactory(is_published=name == "provider_offer_hide")
    assert client.post(reverse(name, args=[foreign.pk])).status_code == 404
    assert client.get(reverse(name, args=[foreign.pk])).status_code == 405
    assert Offer.objects.get().is_published == foreign.is_published


def test_other_roles_are_told_which_one_to_take(client):
    assert client.get(reverse("provider_offers")).status_code == 302
    client.force_login(HolderFactory().user)
    assert client.get(reverse("provider_offers")).status_code == 403


# --- Verbs ---------------------------------------------------------------------------------------


def test_only_its_organisation_or_an_admin_hides_an_offer(at, provider, member):
    offer = OfferFactory()
    with pytest.raises(NotAllowed):
        publishing.hide(offer.pk, by=member, at=at)
    assert Offer.objects.get().is_published
    publishing.hide(offer.pk, by=Actor(role=Role.ADMIN, user=UserFactory(is_staff=True)), at=at)
    assert not Offer.objects.get().is_published


def test_a_suspended_organisation_has_no_open_offer(at, rules):
    offer, admin = OfferFactory(), Actor(role=Role.ADMIN, user=UserFactory(is_staff=True))
    publishing.suspend(offer.provider_id, by=admin, at=at, reason="Contrôle du 3 novembre")
    assert not Offer.objects.open_on(at.date(), rules).exists()
    entry = JournalEntry.objects.get()
    assert (entry.action, entry.details, entry.at) == ("suspend", {"reason": "Contrôle du 3 novembre"}, at)
    publishing.suspend(offer.provider_id, by=admin, at=at, reason="Encore")
    assert JournalEntry.objects.count() == 1
    publishing.restore(offer.provider_id, by=admin, at=at, reason="Levée")
    assert Offer.objects.open_on(at.date(), rules).exists()


def test_only_an_admin_suspends_and_says_why(at, provider, member):
    for actor in (member, SYSTEM):
        with pytest.raises(NotAllowed):
            publishing.suspend(provider.pk, by=actor, at=at, reason="Parce que")
    with pytest.raises(ValueError):
        publishing.suspend(
            provider.pk, by=Actor(role=Role.ADMIN, user=UserFactory(is_staff=True)), at=at, reason=" "
        )
    provider.refresh_from_db()
    assert provider.state == "active"

"""Offers side by side, and offers kept for later."""

import pytest
from django.urls import reverse

from catalog import comparing, favourites
from catalog.models import Favourite
from tests.factories.catalog import CertificationFactory, OfferFactory, SessionFactory, in_days, today
from tests.factories.rights import CreditFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def two():
    certification = CertificationFactory(title="Comptable", level=4)
    near = OfferFactory(
        certification=certification, title="Comptabilité à Lyon", hours=100, price_cents=150_000
    )
    far = OfferFactory(certification=certification, title="Comptabilité chez vous", mode="distance", hours=80)
    return near, far


def address(*offers):
    ids = "&".join(f"offre={getattr(offer, 'pk', offer)}" for offer in offers)
    return f"{reverse('compare')}?{ids}"


def page(client, *offers):
    answer = client.get(address(*offers))
    assert answer.status_code == 200
    return answer.content.decode()


# --- Side by side -------------------------------------------------------------------------------------


def test_what_differs_comes_first_and_what_is_the_same_is_said_once(two, rules):
    found = comparing.found([offer.pk for offer in two], on=today(), rules=rules)
    differ, same = comparing.compare(found)
    assert "Modalité" in [line.name for line in differ]
    assert [line.cells for line in differ if line.name == "Durée"] == [("100 heures", "80 heures")]
    assert [line.cells[0] for line in same if line.name == "Niveau obtenu"] == ["Niveau 4"]
    assert not {line.name for line in differ} & {line.name for line in same}


def test_the_page_shows_them_in_the_order_asked(two, client):
    near, far = two
    shown = page(client, far, near)
    assert shown.index("Comptabilité chez vous") < shown.index("Comptabilité à Lyon")
    assert "Pareil pour toutes" in shown


def test_the_first_day_one_can_still_start_is_said(client):
    offer = SessionFactory(starts_on=in_days(1)).offer
    SessionFactory(offer=offer, starts_on=in_days(60))
    other = OfferFactory(sessions=0)
    assert "Aucune session pour le moment" in page(client, offer, other)


def test_four_at_most_and_it_is_said(client):
    offers = [OfferFactory(title=f"Formation numéro {number}") for number in range(5)]
    shown = page(client, *offers)
    assert "On en compare 4 au plus" in shown
    assert "Formation numéro 3" in shown and "Formation numéro 4" not in shown


def test_one_that_is_no_longer_shown_is_left_out_and_said(two, client):
    near, far = two
    far.is_published = False
    far.save()
    shown = page(client, near, far)
    assert "1 formation n’est plus visible" in shown
    assert "Comptabilité chez vous" not in shown


@pytest.mark.parametrize(
    "nonsense", ["", "1", "'; DROP TABLE", "<script>", "é" * 300, "00000000-0000-4000-8000-000000000000"]
)
def test_what_is_no_offer_is_ignored(client, two, nonsense):
    shown = page(client, two[0], nonsense)
    assert "Comptabilité à Lyon" in shown and "Il en faut au moins deux" in shown


def test_nothing_asked_says_how_to_choose(client):
    assert "Aucune formation à comparer" in page(client)


def test_a_holder_sees_what_each_would_cost_them(two, holder_client):
    assert "Ce que vous payez" in page(holder_client, *two)


def test_what_a_holder_pays_counts_the_extra_fees(two, holder_client, holder):
    CreditFactory(holder=holder, amount=500_000)
    near, far = two
    far.extra_fees_cents = 30_000
    far.save()
    shown = page(holder_client, near, far)
    assert "frais annexes compris" in shown


def test_what_is_closed_or_still_a_draft_is_not_compared_even_by_its_organisation(two, member_client):
    near, far = two
    near.is_published = False
    near.save()
    assert "Comptabilité à Lyon" not in page(member_client, near, far)


def test_more_offers_ask_no_more_queries(client, django_assert_num_queries, django_assert_max_num_queries):
    offers = [OfferFactory() for _number in range(4)]
    page(client, *offers[:1])
    with django_assert_max_num_queries(3):
        page(client, *offers)


def test_results_are_ticked_and_sent_to_the_comparison(client, two):
    shown = client.get(reverse("search"), {"q": "comptabilité"}).content.decode()
    assert f'action="{reverse("compare")}"' in shown
    assert f'name="offre" value="{two[0].pk}"' in shown


def test_a_single_answer_offers_nothing_to_compare(client, two):
    for asked in ({"q": "comptabilité", "mode": "distance"}, {"mode": "distance"}):
        shown = client.get(reverse("search"), asked).text
        assert two[1].title in shown
        assert 'name="offre"' not in shown and "Comparer les formations" not in shown


# --- Kept for later -----------------------------------------------------------------------------------


def test_kept_twice_is_kept_once_and_dropped_twice_is_gone(two, holder_client, holder):
    near, _far = two
    for _twice in range(2):
        answer = holder_client.post(reverse("favourite_keep", args=[near.pk]), follow=True)
    assert "est dans vos favoris" in answer.content.decode()
    assert Favourite.objects.get().user == holder.user
    assert "Retirer de mes favoris" in holder_client.get(reverse("offer", args=[near.pk])).content.decode()
    for _twice in range(2):
        holder_client.post(reverse("favourite_drop", args=[near.pk]))
    assert not Favourite.objects.exists()


def test_the_list_is_mine_alone_and_says_what_has_closed(two, holder_client, other_holder_client):
    _near, far = two
    for offer in two:
        holder_client.post(reverse("favourite_keep", args=[offer.pk]))
    far.is_published = False
    far.save()
    shown = holder_client.get(reverse("favourites")).content.decode()
    assert "Comptabilité à Lyon" in shown and "Plus ouverte aux inscriptions" in shown
    assert f'href="{reverse("offer", args=[far.pk])}"' not in shown
    assert "Aucun favori" in other_holder_client.get(reverse("favourites")).content.decode()


def test_a_full_list_refuses_one_more_in_words(two, holder, at, monkeypatch):
    near, far = two
    monkeypatch.setattr(favourites, "MOST", 1)
    favourites.keep(near, user=holder.user, at=at)
    favourites.keep(near, user=holder.user, at=at)
    with pytest.raises(Refused, match="déjà 1 formations"):
        favourites.keep(far, user=holder.user, at=at)


@pytest.mark.parametrize("elsewhere", ["https://ailleurs.example/", "//ailleurs.example", "javascript:x"])
def test_the_way_back_never_leaves_the_portal(two, holder_client, elsewhere):
    answer = holder_client.post(reverse("favourite_keep", args=[two[0].pk]), {"next": elsewhere})
    assert answer.url == reverse("offer", args=[two[0].pk])


def test_an_offer_that_goes_takes_its_favourites_along(two, holder, at):
    near, _far = two
    favourites.keep(near, user=holder.user, at=at)
    near.sessions.all().delete()
    near.delete()
    assert not Favourite.objects.exists()


def test_my_data_holds_my_favourites(two, holder, at):
    favourites.keep(two[0], user=holder.user, at=at)
    [kept] = favourites.of_person(holder.user)
    assert kept["formation"] == "Comptabilité à Lyon"


def test_ten_favourites_ask_as_many_queries_as_one(holder_client, holder, at, django_assert_max_num_queries):
    for number in range(10):
        favourites.keep(OfferFactory(title=f"Formation {number}"), user=holder.user, at=at)
    with django_assert_max_num_queries(16):
        holder_client.get(reverse("favourites"))

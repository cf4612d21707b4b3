"""« Certifications qui s’arrêtent »: dates, offers, dossiers that close or go on, and the button."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor, Role
from catalog.models import Offer, Succession
from dossiers import endings
from dossiers.endings import OpenDossiers
from dossiers.states import MOVES, State
from tests.factories.accounts import MembershipFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    in_days,
)
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    return ProviderFactory()


@pytest.fixture
def member(client, provider):
    membership = MembershipFactory(organisation=provider.organisation)
    client.force_login(membership.user)
    return Actor(role=Role.PROVIDER, user=membership.user, organisation=provider.organisation)


@pytest.fixture
def offer(provider):
    certification = CertificationFactory(number=12_345, title="Soudage", registered_until=in_days(100))
    return OfferFactory(provider=provider, certification=certification)


def page_of(client):
    response = client.get(reverse("provider_endings"))
    assert response.status_code == 200
    return response.content.decode()


def test_nothing_ends(client, provider, member):
    OfferFactory(provider=provider)
    page = page_of(client)
    assert "Aucune certification ne s’arrête" in page and "plus de 6 mois" in page
    assert "s’arrête bientôt" not in client.get(reverse("provider_offers")).content.decode()


def test_dates_offers_and_dossiers_and_no_one_else_s(client, provider, member, offer):
    session = offer.sessions.get()
    for step in ("requested", "proposed", "accepted", "refused"):
        DossierFactory(session=session, **{step: True})
    DossierFactory(session=session)  # a draft is its holder's business
    DossierFactory(
        session=SessionFactory(offer=OfferFactory(certification=offer.certification)), requested=True
    )
    page = page_of(client)
    assert "RNCP12345" in page and "Encore 100 jours" in page
    assert "2 dossiers, clos s’ils ne sont pas confirmés" in page and "1 dossier, qui continue" in page
    assert "n’annonce pas de remplaçante" in page
    for place in ("provider_offers", "home"):
        assert "s’arrête bientôt" in client.get(reverse(place)).content.decode()
    assert endings.open_dossiers(member, ["RNCP12345"]) == {"RNCP12345": OpenDossiers(waiting=2, kept=1)}


def test_each_open_state_is_closed_or_goes_on():
    open_states = endings.WAITING | endings.KEPT
    assert MOVES["close"].sources == endings.WAITING and not endings.WAITING & endings.KEPT
    assert State.AWAITING_PAYMENT in endings.KEPT and State.DRAFT not in open_states


def test_one_click_takes_the_offers_over(client, provider, member, offer):
    new = CertificationFactory(number=23_456, title="Soudage et assemblage")
    Succession.objects.create(old_code=offer.certification_id, new_code=new.pk)
    page = page_of(client)
    assert "n’est pas habilité pour la certification RNCP23456" in page
    HabilitationFactory(certification=new, siret=provider.organisation.siret)
    page = page_of(client)
    assert "n’est pas habilité" not in page and "Reprendre 1 offre pour RNCP23456" in page
    asked = {"new": new.pk, "request_id": str(uuid.uuid4())}
    for words in ("1 brouillon est prêt pour RNCP23456", "C’était déjà fait"):
        answer = client.post(reverse("provider_take_over", args=["RNCP12345"]), asked, follow=True)
        assert answer.redirect_chain[0][0] == f"{reverse('provider_offers')}?state=draft&q=RNCP23456"
        assert words in answer.content.decode()
    draft = Offer.objects.get(is_draft=True)
    assert "1 brouillon à relire" in page_of(client)
    Offer.objects.filter(pk=draft.pk).update(is_draft=False, is_published=True)
    assert "1 offre reprise et publiée" in page_of(client)


@pytest.mark.parametrize("new", ["", "RNCP99999", "x" * 300, "RNCP1\0"])
def test_what_does_not_replace_it_is_refused_in_words(client, provider, member, offer, new):
    answer = client.post(
        reverse("provider_take_over", args=["RNCP12345"]),
        {"new": new, "request_id": str(uuid.uuid4())},
        follow=True,
    )
    assert answer.status_code == 200 and "ne remplace pas RNCP12345" in answer.content.decode()
    assert Offer.objects.count() == 1


def test_an_ended_offer_leads_to_what_can_be_done(client, provider, member):
    ended = OfferFactory(provider=provider, certification=CertificationFactory(number=777, ended=True))
    page = client.get(reverse("provider_offer", args=[ended.pk])).content.decode()
    assert f"{reverse('provider_endings')}#RNCP777" in page
    page = page_of(client)
    assert "Arrêtée" in page and 'id="RNCP777"' in page and "Son dernier jour était" in page
    Offer.objects.filter(pk=ended.pk).update(is_published=False, archived_at=timezone.now())
    assert "RNCP777" not in page_of(client)


@pytest.mark.parametrize("count", [1, 4])
def test_four_certifications_ask_as_much_as_one(client, provider, member, count, django_assert_num_queries):
    for number in range(count):
        offer = OfferFactory(
            provider=provider, certification=CertificationFactory(registered_until=in_days(20))
        )
        new = CertificationFactory(number=60_000 + number)
        Succession.objects.create(old_code=offer.certification_id, new_code=new.pk)
    # session, person, account, memberships, unread notices; the law; then tests/catalog/test_endings, and the
    # dossiers
    with django_assert_num_queries(15):
        page_of(client)

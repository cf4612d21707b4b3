"""Earmarks, ceilings, a third party's part and the State's top-up, from the page to the ledger."""

import uuid

import pytest
from django.urls import reverse

import rulebook
from accounts.permissions import NotAllowed
from dossiers import workflow
from dossiers.models import Dossier, FundingLine, Transition
from dossiers.states import State
from rights import integrity, ledger
from rights.earmarks import conditions
from rights.kinds import FunderKind, Origin, PocketKind, Unit
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import CertificationFactory, OfferFactory, SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    act,
    admin_actor,
    bring,
    holder_actor,
    in_business_days,
)
from tests.factories.dotations import EnvelopeFactory, GrantFactory
from tests.factories.rights import CreditFactory
from tests.factories.rulebook import decree
from ui.refusals import Refused

pytestmark = pytest.mark.django_db


def session_of(at, **offer):
    starts_on = in_business_days(at, 30)
    offer.setdefault("certification__registered_until", FAR)
    return SessionFactory(
        starts_on=starts_on, ends_on=starts_on, **{f"offer__{name}": value for name, value in offer.items()}
    )


@pytest.fixture
def state_top_up(at):
    decree("state_top_up_max_cents", 100_000, since=at.date())


@pytest.fixture
def web(at, state_top_up):
    """A proposed dossier of 1,500 € in web development, for a job seeker who has 1,000 €."""
    session = session_of(at, price_cents=150_000, certification__rome_codes=["M1805"])
    return DossierFactory(at=at, session=session, balance_cents=100_000, proposed=True)


def lines_of(dossier):
    lines = FundingLine.objects.filter(dossier=dossier).select_related("source").order_by("round", "position")
    return [(line.source.kind if line.source else "paid", line.amount_cents) for line in lines]


# --- The State's top-up ------------------------------------------------------------------------------


def test_the_holder_activates_it_and_then_has_nothing_left_to_pay(web, at):
    rules = rulebook.on(at.date())
    assert workflow.plan_for(web, at=at, rules=rules).remainder_cents == 50_000
    request_id = uuid.uuid4()
    for _click in range(2):
        act("activate_top_up", web, at=at, request_id=request_id)
    assert Transition.objects.filter(dossier=web, verb="activate_top_up").count() == 1
    dossier = act("accept", web, at=at)
    assert dossier.state == State.ACCEPTED
    assert lines_of(web) == [(PocketKind.ANNUAL, 100_000), (PocketKind.STATE_TOP_UP, 50_000)]
    assert integrity.check() == []


def test_without_a_click_the_state_pays_nothing(web, at):
    assert act("accept", web, at=at).state == State.AWAITING_PAYMENT
    assert lines_of(web) == [(PocketKind.ANNUAL, 100_000), ("paid", 50_000)]


def test_what_the_state_added_goes_back_to_the_state_and_never_to_the_holder(web, at):
    act("activate_top_up", web, at=at)
    act("accept", web, at=at)
    act("withdraw", web, at=at)
    assert sum(purse.balance for purse in ledger.purses(web.holder, at=at)) == 100_000
    assert integrity.check() == []


def test_a_reinstated_dossier_has_it_again(at, state_top_up):
    session = session_of(at, price_cents=300_000, certification__rome_codes=["M1805"])
    dossier = DossierFactory(at=at, session=session, balance_cents=100_000, proposed=True)
    act("activate_top_up", dossier, at=at)
    dossier = bring(act("accept", dossier, at=at), State.LAPSED, at=at)
    again = act("reinstate", dossier, at=at, by=admin_actor(), reason="Panne")
    assert again.state == State.AWAITING_PAYMENT
    assert lines_of(dossier)[-3:] == [
        (PocketKind.ANNUAL, 100_000),
        (PocketKind.STATE_TOP_UP, 100_000),
        ("paid", 100_000),
    ]
    assert integrity.check() == []


def test_a_second_activation_and_one_without_need_are_refused(web, at):
    act("activate_top_up", web, at=at)
    with pytest.raises(Refused, match="déjà activé"):
        act("activate_top_up", web, at=at)
    rich = DossierFactory(at=at, session=web.session, proposed=True)
    with pytest.raises(Refused, match="n’ajoute rien"):
        act("activate_top_up", rich, at=at)
    with pytest.raises(NotAllowed):
        act("activate_top_up", rich, at=at, by=holder_actor(web.holder))


def test_once_the_measure_has_ended_nothing_can_be_activated(at):
    session = session_of(at, price_cents=150_000, certification__rome_codes=["M1805"])
    dossier = DossierFactory(at=at, session=session, balance_cents=100_000, proposed=True)
    with pytest.raises(Refused, match="n’ajoute rien"):
        act("activate_top_up", dossier, at=at)


def test_the_page_offers_it_then_says_that_it_is_active(client, web):
    client.force_login(web.holder.user)
    page = reverse("dossier", args=[web.pk])
    assert "Activer l’abondement de l’État" in client.get(page).text
    answer = client.post(reverse("dossier_top_up", args=[web.pk]), {"request_id": uuid.uuid4()}, follow=True)
    assert "L’abondement de l’État est activé" in answer.text
    assert "Activer l’abondement de l’État" not in answer.text


def test_the_search_and_the_offer_say_what_the_state_could_add(client, web):
    client.force_login(web.holder.user)
    words = "L’État peut ajouter"
    assert words in client.get(reverse("offer", args=[web.offer_id])).text
    assert words.replace("L’", "l’") in client.get(reverse("search")).text
    web.offer.certification.rome_codes = ["D1102"]
    web.offer.certification.save()
    assert words not in client.get(reverse("offer", args=[web.offer_id])).text


# --- A third party's part, ceilings, earmarks ----------------------------------------------------------


@pytest.fixture
def licence(at):
    """A proposed light licence of 1,200 €, for an employee who has rights enough."""
    offer = OfferFactory(
        kind="licence_light",
        certification=None,
        portal_code="CPF206",
        title="Permis B",
        price_cents=120_000,
        provider__is_approved_driving_school=True,
    )
    session = SessionFactory(
        offer=offer, starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40)
    )
    return DossierFactory(at=at, session=session, is_exempt=False, proposed=True)


def test_an_employee_alone_may_not_validate_a_light_licence_and_is_told_how(client, licence, at):
    with pytest.raises(Refused, match="demandeur d’emploi"):
        act("accept", licence, at=at)
    assert Dossier.objects.get(pk=licence.pk).state == State.PROPOSED
    client.force_login(licence.holder.user)
    page = client.get(reverse("dossier", args=[licence.pk])).text
    assert "Cette proposition ne peut pas être validée" in page
    assert "Valider mon inscription" not in page
    assert "vos droits ne peuvent pas la payer" in client.get(reverse("search")).text


def test_with_the_region_s_100_euros_yearly_rights_pay_up_to_900(client, licence, at):
    region = EnvelopeFactory(funder_name="Région", funder_kind=FunderKind.REGION, cents=100_00)
    GrantFactory(envelope=region, holder=licence.holder, origin=Origin.TOP_UP, amount=100_00)
    client.force_login(licence.holder.user)
    page = client.get(reverse("dossier", args=[licence.pk])).text
    assert "la loi limite à" in page
    assert act("accept", licence, at=at).state == State.AWAITING_PAYMENT
    assert lines_of(licence) == [
        (PocketKind.ANNUAL, 90_000),
        (PocketKind.TOP_UP, 10_000),
        ("paid", 20_000),
    ]
    assert integrity.check() == []


def test_what_may_not_be_used_here_is_shown_with_its_reason(client, at):
    holder = HolderFactory()
    only = conditions(certifications=["RNCP1"])
    GrantFactory(envelope=EnvelopeFactory(at=at), holder=holder, conditions=only, at=at)
    dossier = DossierFactory(at=at, holder=holder, proposed=True)
    client.force_login(holder.user)
    page = client.get(reverse("dossier", args=[dossier.pk])).text
    assert "Ce qui ne peut pas servir ici" in page
    assert "Réservé à : RNCP1." in page
    act("accept", dossier, at=at)
    assert lines_of(dossier) == [(PocketKind.ANNUAL, 100_000)]


def test_a_dotation_earmarked_for_this_certification_pays_first(at):
    holder, certification = HolderFactory(), CertificationFactory(registered_until=FAR)
    only = conditions(certifications=[certification.code], levels=[certification.level or 5])
    certification.level = certification.level or 5
    certification.save()
    GrantFactory(envelope=EnvelopeFactory(at=at), holder=holder, conditions=only, at=at)
    session = session_of(at, certification=certification, price_cents=100_000)
    dossier = DossierFactory(at=at, session=session, holder=holder, proposed=True)
    act("accept", dossier, at=at)
    assert lines_of(dossier) == [(PocketKind.DOTATION, 30_000), (PocketKind.ANNUAL, 70_000)]


def test_hours_never_pay_a_price_in_euros(at):
    holder = HolderFactory()
    CreditFactory(holder=holder, unit=Unit.HOUR, amount=150, at=at)
    assert workflow.purses_of(holder, at=at) == []

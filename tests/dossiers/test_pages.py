"""The pages of a dossier: both sides, each state, what is refused, how many queries they take."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from dossiers.models import Dossier, Relief, Transition
from dossiers.states import State
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, bring, in_business_days, provider_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def holder_of(client_for):
    return lambda dossier: client_for(dossier.holder.user)


@pytest.fixture
def member_of(client_for):
    return lambda dossier: client_for(provider_actor(dossier.provider).user)


def post(client, name, dossier, **data):
    return client.post(reverse(name, args=[dossier.pk]), {"request_id": uuid.uuid4(), **data})


def text(response) -> str:
    return response.content.decode()


# --- The holder ----------------------------------------------------------------------------------


def test_creating_a_dossier_says_what_will_happen_then_makes_one_draft(client_for, at):
    holder = HolderFactory()
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    client = client_for(holder.user)
    url = reverse("dossier_create", args=[session.pk])
    assert "2 jours ouvrés" in text(client.get(url))
    request_id = uuid.uuid4()
    for _click in range(2):
        response = client.post(url, {"request_id": request_id})
        assert response.status_code == 302
    dossier = Dossier.objects.get()
    assert response.url == reverse("dossier", args=[dossier.pk])


def test_a_session_of_an_offer_that_is_not_open_does_not_exist(client_for, at):
    session = SessionFactory(offer__is_published=False)
    response = client_for(HolderFactory().user).get(reverse("dossier_create", args=[session.pk]))
    assert response.status_code == 404


def test_who_cannot_enrol_reads_why_and_finds_no_button(client_for, at):
    session = SessionFactory(starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40))
    client = client_for(HolderFactory(status="public_agent").user)
    page = client.get(reverse("dossier_create", args=[session.pk]))
    assert "employeur" in text(page)
    assert 'name="request_id"' not in text(page)
    assert (
        client.post(reverse("dossier_create", args=[session.pk]), {"request_id": uuid.uuid4()}).status_code
        == 422
    )
    assert not Dossier.objects.exists()


def test_sending_keeps_what_was_typed_and_says_what_is_missing(holder_of, at):
    dossier = DossierFactory(at=at)
    client = holder_of(dossier)
    typed = {
        "project": "Devenir menuisière",
        "contact_email": "e@exemple.fr",
        "contact_phone": "12",
        "seen_price_cents": 100_000,
    }
    response = post(client, "dossier_send", dossier, **typed)
    assert response.status_code == 422
    assert "Devenir menuisière" in text(response)
    assert "10 chiffres" in text(response)
    assert "Cochez cette case" in text(response)
    response = post(
        client, "dossier_send", dossier, **typed | {"contact_phone": "06 12 34 56 78", "terms": "on"}
    )
    assert response.status_code == 302
    dossier.refresh_from_db()
    assert (dossier.state, dossier.project) == (State.REQUESTED, "Devenir menuisière")


def test_a_project_left_empty_is_told_beside_its_field(holder_of, at):
    dossier = DossierFactory(at=at)
    typed = {"project": " ", "contact_email": "e@exemple.fr", "seen_price_cents": 100_000, "terms": "on"}
    response = post(holder_of(dossier), "dossier_send", dossier, **typed)
    assert response.status_code == 422
    assert "pourquoi vous choisissez" in text(response)
    assert 'href="#id_project"' in text(response)


def test_accepting_needs_the_plan_that_was_seen(holder_of, at):
    dossier = DossierFactory(at=at, proposed=True)
    client = holder_of(dossier)
    assert post(client, "dossier_accept", dossier, seen_plan="").status_code == 422
    page = client.get(reverse("dossier", args=[dossier.pk]))
    response = post(client, "dossier_accept", dossier, seen_plan=page.context["screen"].fingerprint)
    assert response.status_code == 302
    dossier.refresh_from_db()
    assert dossier.state == State.ACCEPTED


def test_a_form_without_its_request_name_is_asked_to_reload(holder_of, at):
    dossier = DossierFactory(at=at, requested=True)
    response = holder_of(dossier).post(reverse("dossier_cancel", args=[dossier.pk]))
    assert response.status_code == 422
    assert "Rechargez-la" in text(response)


def test_an_overdue_dossier_says_so_before_any_job_has_passed_and_offers_no_action(client_for, at):
    long_ago = at - timedelta(days=30)
    dossier = DossierFactory(at=long_ago, proposed=True)
    page = client_for(dossier.holder.user).get(reverse("dossier", args=[dossier.pk]))
    assert "Le délai est dépassé" in text(page)
    assert "Sans suite" in text(page)
    assert reverse("dossier_accept", args=[dossier.pk]) not in text(page)
    assert not Transition.objects.filter(verb="lapse").exists()


STATES = sorted(set(State) - {State.AWAITING_PAYMENT})


@pytest.mark.parametrize("state", [*STATES, State.AWAITING_PAYMENT])
def test_every_state_has_its_page_on_both_sides(state, holder_of, member_of, at):
    if state == State.AWAITING_PAYMENT:
        dossier = DossierFactory(at=at, awaiting_payment=True)
    else:
        dossier = DossierFactory(at=at)
        dossier = dossier if state == State.DRAFT else bring(dossier, State(state), at=at)
    page = holder_of(dossier).get(reverse("dossier", args=[dossier.pk]))
    assert page.status_code == 200
    assert str(State(state).label) in text(page)
    other_side = member_of(dossier).get(reverse("provider_dossier", args=[dossier.pk]))
    # A draft is nobody's business but the holder's.
    assert other_side.status_code == (404 if state == State.DRAFT else 200)
    if state != State.DRAFT:
        assert other_side.context["screen"].sentence == page.context["screen"].sentence
        # What a holder owns is not the organisation's business.
        assert other_side.context["screen"].money == []


def test_a_finished_dossier_is_removed_from_the_list_and_still_opens(holder_of, at):
    dossier = bring(DossierFactory(at=at), State.CANCELLED_BY_HOLDER, at=at)
    client = holder_of(dossier)
    assert dossier.offer.title in text(client.get(reverse("dossiers")))
    assert post(client, "dossier_remove", dossier).status_code == 302
    assert dossier.offer.title not in text(client.get(reverse("dossiers")))
    assert client.get(reverse("dossier", args=[dossier.pk])).status_code == 200


def test_a_draft_is_thrown_away_without_a_trace(holder_of, at):
    dossier = DossierFactory(at=at)
    assert post(holder_of(dossier), "dossier_discard", dossier).status_code == 302
    assert not Dossier.objects.exists()


@pytest.mark.parametrize(
    ("name", "trait"),
    [("dossier_decline", "proposed"), ("dossier_cancel", "requested"), ("dossier_withdraw", "accepted")],
)
def test_leaving_carries_the_reason_to_the_history(holder_of, at, name, trait):
    dossier = DossierFactory(at=at, **{trait: True})
    client = holder_of(dossier)
    response = post(client, name, dossier, reason="J’ai trouvé un emploi.")
    assert response.status_code == 302
    assert [str(message) for message in get_messages(response.wsgi_request)]
    assert "J’ai trouvé un emploi." in text(client.get(response.url))


# --- The organisation -------------------------------------------------------------------------------


def test_an_organisation_proposes_with_commas_and_french_dates(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    start = in_business_days(at, 25)
    data = {
        "price_cents": "1 234,50 €",
        "starts_on": f"{start:%d/%m/%Y}",
        "ends_on": f"{start:%Y-%m-%d}",
        "change_reason": "Matériel compris.",
    }
    assert post(member_of(dossier), "provider_propose", dossier, **data).status_code == 302
    dossier.refresh_from_db()
    assert (dossier.price_cents, dossier.starts_on) == (123_450, start)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price_cents": "gratuit"}, "n’est pas reconnu"),
        ({"price_cents": "12,345"}, "deux chiffres"),
        ({"starts_on": "31/02/2027"}, "n’existe pas"),
        ({"price_cents": "0"}, "supérieur à zéro"),
        ({"ends_on": "2020-01-01"}, "avant le début"),
        ({"change_reason": ""}, "Donnez une raison"),
    ],
)
def test_a_wrong_proposal_is_told_beside_its_field_and_keeps_what_was_typed(member_of, at, change, words):
    dossier = DossierFactory(at=at, requested=True)
    start = in_business_days(at, 25)
    data = {
        "price_cents": "900",
        "starts_on": str(start),
        "ends_on": str(start),
        "change_reason": "Remise.",
    } | change
    response = post(member_of(dossier), "provider_propose", dossier, **data)
    assert response.status_code == 422
    assert words in text(response)
    assert data["price_cents"] in text(response)
    dossier.refresh_from_db()
    assert dossier.state == State.REQUESTED


def test_the_inbox_shows_first_what_runs_out_first_and_finds_a_name(client_for, at):
    late = DossierFactory(at=at + timedelta(days=7), requested=True)
    provider = late.provider
    dates = {"starts_on": late.session.starts_on, "ends_on": late.session.ends_on}
    session = SessionFactory(offer=late.offer, **dates)
    urgent = DossierFactory(
        at=at, holder=HolderFactory(birth_name="Quéméneur"), session=session, requested=True
    )
    client = client_for(provider_actor(provider).user)
    page = client.get(reverse("provider_inbox"))
    assert [row.pk for row, *_ in page.context["rows"]] == [urgent.pk, late.pk]
    found = client.get(reverse("provider_inbox"), {"q": "quemeneur"})
    assert [row.pk for row, *_ in found.context["rows"]] == [urgent.pk]
    none = client.get(reverse("provider_inbox"), {"q": "introuvable"})
    assert "Aucune demande ne correspond" in text(none)


# --- Somebody else's -----------------------------------------------------------------------------------


def test_another_holders_dossier_does_not_exist(client_for, at):
    dossier = DossierFactory(at=at, requested=True)
    stranger = client_for(HolderFactory().user)
    assert stranger.get(reverse("dossier", args=[dossier.pk])).status_code == 404
    for name in ("dossier_send", "dossier_cancel", "dossier_accept", "dossier_withdraw", "dossier_remove"):
        assert post(stranger, name, dossier).status_code == 404


def test_another_organisations_dossier_does_not_exist(client_for, at):
    dossier = DossierFactory(at=at, requested=True)
    stranger = client_for(MembershipFactory().user)
    assert stranger.get(reverse("provider_dossier", args=[dossier.pk])).status_code == 404
    for name in ("provider_propose", "provider_refuse", "provider_call_off"):
        assert post(stranger, name, dossier).status_code == 404


# --- How many queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_my_dossiers_takes_the_same_queries_for_one_and_for_three(
    client_for, at, count, django_assert_num_queries
):
    holder = HolderFactory()
    for _number in range(count):
        DossierFactory(at=at, holder=holder, requested=True, balance_cents=0)
    client = client_for(holder.user)
    # session, person, roles (two), counts, how many, this page, unread notices
    with django_assert_num_queries(8):
        client.get(reverse("dossiers"))


# --- The administration ----------------------------------------------------------------------------


def test_an_admin_records_a_bank_transfer_once(client_for, at):
    dossier = DossierFactory(at=at, awaiting_payment=True)
    client = client_for(admin_actor().user)
    url = reverse("admin:dossiers_dossier_payment", args=[dossier.pk])
    assert "900,00" in text(client.get(url))
    data = {"outcome": "confirmed", "reference": "VIR-1", "amount": "900,00", "request_id": uuid.uuid4()}
    wrong = client.post(url, data | {"amount": "90"})
    assert wrong.status_code == 422
    for _click in range(2):
        assert client.post(url, data).status_code == 302
    dossier.refresh_from_db()
    assert dossier.state == State.ACCEPTED


def test_two_admins_give_time_back_from_the_list(client_for, at):
    dossier = DossierFactory(at=at, requested=True)
    proposer, confirmer = client_for(admin_actor().user), client_for(admin_actor().user)
    listed = {"action": "propose_relief", "_selected_action": [str(dossier.pk)]}
    asking = proposer.post(reverse("admin:dossiers_dossier_changelist"), listed)
    assert "Proposer une remise" in text(asking)
    form = {"kind": "extend", "extra_days": 2, "reason": "Panne.", "dossiers": [str(dossier.pk)]}
    assert proposer.post(reverse("admin:dossiers_dossier_relief"), form).status_code == 302
    asked = Relief.objects.get()
    confirm = {"action": "confirm", "_selected_action": [asked.pk]}
    proposer.post(reverse("admin:dossiers_relief_changelist"), confirm)
    asked.refresh_from_db()
    assert asked.confirmed_at is None
    confirmer.post(reverse("admin:dossiers_relief_changelist"), confirm)
    asked.refresh_from_db()
    assert asked.report == {str(dossier.pk): "ok"}


def test_the_admin_shows_a_dossier_and_lets_nobody_write_its_facts(client_for, at):
    dossier = DossierFactory(at=at, accepted=True)
    client = client_for(admin_actor().user)
    page = client.get(reverse("admin:dossiers_dossier_change", args=[dossier.pk]))
    assert page.status_code == 200
    for name in ("dossier", "transition", "deadline", "fundingline", "payment", "relief"):
        assert client.get(reverse(f"admin:dossiers_{name}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:dossiers_{name}_add")).status_code == 403


def test_the_admin_never_reaches_a_draft_by_another_verb(client_for, at):
    dossier = DossierFactory(at=at)
    act("submit", dossier, at=at)
    client = client_for(admin_actor().user)
    url = reverse("admin:dossiers_dossier_payment", args=[dossier.pk])
    data = {"outcome": "confirmed", "reference": "VIR-1", "amount": "900,00", "request_id": uuid.uuid4()}
    assert client.post(url, data).status_code == 422

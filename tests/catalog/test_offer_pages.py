"""Writing an offer by hand, page by page: a refusal stands beside its field, and nothing typed is lost."""

import re
import uuid

import lxml.html
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.actors import Actor, Role
from catalog import editing
from catalog.models import CertificationBlock, Offer, Session
from tests.factories.accounts import MembershipFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    SessionFactory,
    TownFactory,
    in_days,
    today,
)
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db

FOREIGN_GET = ["provider_offer", "provider_offer_sessions"]
FOREIGN_POST = [
    "provider_offer_sessions",
    "provider_offer_publish",
    "provider_offer_hide",
    "provider_offer_duplicate",
    "provider_offer_delete",
]


@pytest.fixture
def certification(provider):
    certification = CertificationFactory(code="RNCP90210", number=90210, title="Cuisinier de collectivité")
    HabilitationFactory(certification=certification, siret=provider.organisation.siret)
    return certification


@pytest.fixture
def draft(provider, certification, at):
    member = MembershipFactory(organisation=provider.organisation).user
    by = Actor(role=Role.PROVIDER, user=member, organisation=provider.organisation)
    return editing.start(by=by, at=at, request_id=uuid.uuid4(), kind="training", certification=certification)


def post(client, name, *args, status=302, htmx=False, **data):
    headers = {"HX-Request": "true"} if htmx else {}
    response = client.post(
        reverse(name, args=args), {"request_id": str(uuid.uuid4()), **data}, headers=headers
    )
    assert response.status_code == status, response.content.decode()[:3000]
    return response


def page_of(client, name, *args, **asked):
    response = client.get(reverse(name, args=args), asked)
    assert response.status_code == 200
    return response.content.decode()


TEXTS = {"title": "Devenir cuisinier", "objectives": "Cuisiner pour cent personnes.\r\n\r\nEn sécurité."}
PLACE = {"mode": "on_site", "town": "Lyon", "address": "1 rue du Pont", "hours": "140"}
PRICE = {"price_cents": "1 450,00", "vat_per_mille": "200", "contact_email": "a@exemple.fr"}


def test_the_whole_way_from_nothing_to_the_search(member_client, provider, certification):
    TownFactory()
    page = page_of(member_client, "provider_offer_new")
    assert "RNCP90210" in page and "Active, et vous y êtes habilité" in page
    answer = post(member_client, "provider_offer_new", kind="training", certification="RNCP90210")
    offer = Offer.objects.get()
    assert answer.url == reverse("provider_offer_step", args=[offer.pk, "textes"])
    answer = post(member_client, "provider_offer_step", offer.pk, "textes", **TEXTS)
    answer = post(member_client, "provider_offer_step", offer.pk, "lieu", **PLACE)
    answer = post(member_client, "provider_offer_step", offer.pk, "prix", **PRICE)
    assert answer.url == reverse("provider_offer_sessions", args=[offer.pk])
    dates = {"entry": "dates", "starts_on": in_days(60).isoformat(), "ends_on": in_days(70).isoformat()}
    post(member_client, "provider_offer_sessions", offer.pk, places="12", **dates)
    page = page_of(member_client, "provider_offer", offer.pk)
    assert "Tout est prêt" in page and "Dites comment vous accueillez" in page
    post(member_client, "provider_offer_publish", offer.pk, **{"from": "offer"})
    offer = Offer.objects.get()
    assert (offer.objectives, offer.price_cents, offer.town_name) == (
        "Cuisiner pour cent personnes.\n\nEn sécurité.", 145_000, "Lyon",
    )  # fmt: skip
    assert offer.sessions.get().places == 12
    assert "Devenir cuisinier" in page_of(member_client, "search", q="cuisinier")


def test_a_draft_is_left_and_taken_up_again(member_client, draft):
    """Half a page is kept; what is wrong in it is not."""
    answer = post(
        member_client, "provider_offer_step", draft.pk, "textes", title="", summary="En bref", later="1"
    )
    assert answer.url == reverse("provider_offers")
    assert Offer.objects.get().summary == "En bref"
    post(member_client, "provider_offer_step", draft.pk, "textes", title="<b>x</b>", later="1", status=422)
    page = page_of(member_client, "provider_offers", state="draft")
    assert "Offre sans intitulé" in page and "Reprendre" in page


def test_a_published_offer_is_not_left_half_written(member_client, provider):
    offer = OfferFactory(provider=provider)
    post(member_client, "provider_offer_step", offer.pk, "textes", title="", later="1", status=422)


def test_what_is_refused_keeps_what_was_typed(member_client, draft):
    answer = post(
        member_client, "provider_offer_step", draft.pk, "textes", title="", content="Longuement", status=422
    )
    page = answer.content.decode()
    assert "Donnez un intitulé" in page and "Longuement" in page and 'aria-invalid="true"' in page


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "Du <b>gras</b>", "<p>Un</p>", "<img src=x onerror=y>"]
)
def test_markup_is_never_kept(member_client, draft, text):
    for name in ("title", "objectives", "accessibility"):
        data = TEXTS | {name: text}
        answer = post(member_client, "provider_offer_step", draft.pk, "textes", status=422, **data)
        assert "sans balises" in answer.content.decode()
    post(
        member_client,
        "provider_offer_step",
        draft.pk,
        "prix",
        status=422,
        **(PRICE | {"price_details": text}),
    )
    dates = {"entry": "any_time", "details": text}
    post(member_client, "provider_offer_sessions", draft.pk, status=422, **dates)
    assert Offer.objects.get().objectives == ""


def test_what_only_looks_like_markup_is_kept_and_escaped(member_client, draft):
    data = TEXTS | {"objectives": "Enfants < 3 ans & plus > 2"}
    post(member_client, "provider_offer_step", draft.pk, "textes", **data)
    assert "Enfants &lt; 3 ans &amp; plus &gt; 2" in page_of(member_client, "provider_offer", draft.pk)


@pytest.mark.parametrize(
    ("step", "data", "words"),
    [
        ("lieu", PLACE | {"town": "Nulleparville"}, "n’est pas connue"),
        ("lieu", PLACE | {"town": ""}, "Indiquez la commune"),
        ("lieu", PLACE | {"hours": "beaucoup"}, "en chiffres"),
        ("lieu", PLACE | {"hours": "0"}, "au moins une heure"),
        ("lieu", PLACE | {"mode": "ailleurs"}, "n’existe pas"),
        ("prix", PRICE | {"price_cents": "1e5"}, "n’est pas reconnu"),
        ("prix", PRICE | {"price_cents": ""}, "Indiquez le prix"),
        ("prix", PRICE | {"price_cents": "0"}, "au moins un euro"),
        ("prix", PRICE | {"url": "javascript:alert(1)"}, "n’est pas reconnue"),
        ("prix", PRICE | {"url": "ftp://exemple.fr"}, "n’est pas reconnue"),
        ("prix", PRICE | {"contact_phone": "12"}, "10 chiffres"),
        ("prix", PRICE | {"contact_email": "nulle part"}, "n’est pas reconnue"),
        ("prix", PRICE | {"vat_per_mille": "7"}, "n’existe pas"),
        ("textes", TEXTS | {"title": "x" * 256}, "255 caractères"),
        ("textes", TEXTS | {"objectives": "x" * 3001}, "3000 caractères"),
    ],
)
def test_each_answer_is_checked(member_client, draft, step, data, words):
    TownFactory()
    answer = post(member_client, "provider_offer_step", draft.pk, step, status=422, **data)
    assert words in answer.content.decode()


def test_a_town_that_several_may_mean_is_asked_again(member_client, draft):
    TownFactory(code="93066", name="Saint-Denis", postal_codes=["93200"])
    TownFactory(code="11339", name="Saint-Denis", postal_codes=["11310"])
    data = PLACE | {"town": "Saint-Denis"}
    answer = post(member_client, "provider_offer_step", draft.pk, "lieu", status=422, **data)
    assert "Saint-Denis (11), Saint-Denis (93)" in answer.content.decode()
    post(member_client, "provider_offer_step", draft.pk, "lieu", **(PLACE | {"town": "Saint-Denis (11)"}))
    assert Offer.objects.get().town_id == "11339"
    # And the same page sent again keeps it, whoever else bears that name.
    assert 'value="Saint-Denis (11)"' in page_of(member_client, "provider_offer_step", draft.pk, "lieu")
    post(member_client, "provider_offer_step", draft.pk, "lieu", **(PLACE | {"town": "93200"}))
    assert Offer.objects.get().town_id == "93066"


def test_a_block_is_of_the_offer_s_certification(member_client, draft, certification):
    CertificationBlock.objects.create(certification=certification, code="RNCP90210BC01", title="Cuire")
    assert "RNCP90210BC01 · Cuire" in page_of(member_client, "provider_offer_step", draft.pk, "textes")
    post(
        member_client, "provider_offer_step", draft.pk, "textes", block_codes="RNCP1BC01", status=422, **TEXTS
    )
    post(member_client, "provider_offer_step", draft.pk, "textes", block_codes="RNCP90210BC01", **TEXTS)
    assert Offer.objects.get().block_codes == ["RNCP90210BC01"]


def test_an_imported_text_that_nobody_touched_keeps_its_shape(member_client, provider):
    rich = "<p>Au menu</p><ul><li>pain</li><li>vin</li></ul>"
    offer = OfferFactory(provider=provider, content=rich, objectives="<p>Goûter</p>")
    page = page_of(member_client, "provider_offer_step", offer.pk, "textes")
    assert "Au menu\n- pain\n- vin" in page and "vient d’un import" in page
    data = {"title": "Autre titre", "objectives": "Goûter", "content": "Au menu\r\n- pain\r\n- vin"}
    post(member_client, "provider_offer_step", offer.pk, "textes", **data)
    kept = Offer.objects.get()
    assert (kept.title, kept.content, kept.objectives) == ("Autre titre", rich, "<p>Goûter</p>")
    post(member_client, "provider_offer_step", offer.pk, "textes", **(data | {"content": "Au menu : pain"}))
    assert Offer.objects.get().content == "Au menu : pain"


def test_how_it_is_taught_and_what_there_is_on_the_spot_are_written_by_hand(member_client, draft):
    """Beside what another page, or only a file, says."""
    TownFactory()
    Offer.objects.update(particulars={"course": "2", "fees": "Casque"})
    said = {"company_hours": "70", "pedagogy": " Ateliers ", "meals": "Cantine", "building": "Ascenseur"}
    post(member_client, "provider_offer_step", draft.pk, "lieu", **PLACE, **said)
    kept = {
        "course": "2", "fees": "Casque", "company_hours": 70, "pedagogy": "Ateliers", "meals": "Cantine",
        "building": "Ascenseur",
    }  # fmt: skip
    assert Offer.objects.get().particulars == kept
    assert "Cantine" in page_of(member_client, "provider_offer_step", draft.pk, "lieu")
    post(member_client, "provider_offer_step", draft.pk, "prix", **PRICE, fees="", exam_in_fees="on")
    del kept["fees"]
    assert Offer.objects.get().particulars == kept | {"exam_in_fees": True}
    too_long = {"company_hours": "141", "meals": "x" * 251, "pedagogy": "<b>a</b>"}
    page = post(member_client, "provider_offer_step", draft.pk, "lieu", **PLACE, **too_long, status=422)
    words = page.content.decode()
    assert "écrivez 140 heures au plus" in words and "250 caractères au plus" in words
    assert "sans balises" in words
    page = page_of(member_client, "provider_offer", draft.pk)
    assert "70 heures sur 140" in page and "Ascenseur" in page


# --- Live checks ----------------------------------------------------------------------------------


def checked(client, offer, step, name, **data):
    answer = client.post(
        reverse("provider_offer_check", args=[offer.pk, step, name]), data, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_one_field_is_judged_alone_and_nothing_is_written(member_client, draft):
    TownFactory()
    before = Offer.objects.values().get()
    said = checked(member_client, draft, "textes", "objectives", title="", objectives="<b>x</b>")
    assert "sans balises" in said and "Donnez un intitulé" not in said
    assert "Commune reconnue : Lyon" in checked(member_client, draft, "lieu", "town", **PLACE)
    assert "n’est pas connue" in checked(member_client, draft, "lieu", "town", **(PLACE | {"town": "Zzz"}))
    assert "Dites comment" in checked(member_client, draft, "textes", "accessibility", **TEXTS)
    assert "Dites comment" not in checked(
        member_client, draft, "textes", "accessibility", accessibility="Rampe", **TEXTS
    )
    assert Offer.objects.values().get() == before


def test_the_price_is_compared_while_it_is_typed(member_client, draft, certification):
    OfferFactory.create_batch(3, certification=certification, price_cents=100_000)
    assert "plus du double" in checked(
        member_client, draft, "prix", "price_cents", **(PRICE | {"price_cents": "9000"})
    )
    assert "double" not in checked(member_client, draft, "prix", "price_cents", **PRICE)


def test_a_date_too_near_or_after_the_certification_is_told(member_client, draft, certification):
    near = {"entry": "dates", "starts_on": in_days(2).isoformat(), "ends_on": in_days(400).isoformat()}
    assert "Personne ne pourra" in checked(member_client, draft, "sessions", "starts_on", **near)
    assert "finit après la certification" in checked(member_client, draft, "sessions", "ends_on", **near)
    assert not Session.objects.exists()


def test_only_fields_that_exist_are_checked(member_client, draft):
    for step, name in (("textes", "is_published"), ("objet", "kind"), ("nulle-part", "title")):
        address = reverse("provider_offer_check", args=[draft.pk, step, name])
        assert member_client.post(address).status_code == 404
    assert (
        member_client.get(reverse("provider_offer_check", args=[draft.pk, "textes", "title"])).status_code
        == 405
    )


# --- Certifications -------------------------------------------------------------------------------


def test_certifications_are_found_by_number_or_words_one_s_own_first(member_client, certification, provider):
    CertificationFactory(code="RNCP10", number=10, title="Cuisine légère")
    CertificationFactory(code="RS90210", register="RS", number=90210, title="Autre chose")
    CertificationFactory(code="RNCP11", number=11, title="Cuisine ancienne", ended=True)

    def codes(typed):
        page = page_of(member_client, "provider_certifications", q=typed)
        return [part.split('"')[0] for part in page.split('name="certification" value="')[1:]]

    assert codes("") == ["RNCP90210"]
    assert codes("cuisin") == ["RNCP90210", "RNCP10", "RNCP11"]
    assert codes("CUISINE legere") == ["RNCP10"]
    assert codes("90210") == ["RNCP90210", "RS90210"]
    assert codes("rncp 902") == ["RNCP90210"]
    assert codes("%") == [] and codes("zzz") == []
    page = page_of(member_client, "provider_certifications", q="cuisin")
    assert "n’est pas habilité" in page and "n’est plus active" in page


def test_without_javascript_the_number_is_enough_and_words_are_looked_for(member_client, certification):
    assert "RNCP90210" in page_of(member_client, "provider_offer_new", q="collectivité")
    answer = post(member_client, "provider_offer_new", kind="training", q="collectivité", status=422)
    page = answer.content.decode()
    assert "Choisissez une certification dans la liste" in page and "RNCP90210" in page
    answer = post(member_client, "provider_offer_new", kind="training", q="RNCP404404", status=422)
    assert "n’est pas dans le répertoire" in answer.content.decode()
    post(member_client, "provider_offer_new", kind="training", q="rncp 90210")
    assert Offer.objects.get().certification == certification


def test_a_double_click_begins_one_draft(member_client, certification):
    request_id = str(uuid.uuid4())
    for _ in range(2):
        post(member_client, "provider_offer_new", kind="vae", request_id=request_id)
    assert Offer.objects.count() == 1
    post(member_client, "provider_offer_new", kind="vae", request_id="", status=422)


@pytest.mark.parametrize("count", [1, 3])
def test_the_first_page_asks_as_much_for_three_certifications(
    member_client, provider, count, django_assert_num_queries
):
    for _ in range(count):
        HabilitationFactory(siret=provider.organisation.siret)
    member_client.get(reverse("provider_offer_new"))
    with django_assert_num_queries(queries_of(member_client) + 3):  # the law, certifications, entitlements
        page_of(member_client, "provider_offer_new")


def queries_of(client):
    """What any page of a member costs: session, person, roles, what the frame shows."""
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("provider_import_new"))
    return len(asked) - 1  # without what that page itself asks


# --- Sessions -------------------------------------------------------------------------------------


def test_sessions_are_added_closed_edited_and_deleted(member_client, draft):
    post(member_client, "provider_offer_sessions", draft.pk, entry="dates", status=422)
    post(member_client, "provider_offer_sessions", draft.pk, entry="any_time", starts_on="n’importe quoi")
    session = Session.objects.get()
    assert session.is_permanent
    post(member_client, "provider_session_recruitment", session.pk, open="0")
    assert "Fermées" in page_of(member_client, "provider_offer_sessions", draft.pk)
    post(member_client, "provider_session_recruitment", session.pk, open="1")
    dates = {"starts_on": in_days(40).isoformat(), "ends_on": in_days(45).isoformat()}
    post(member_client, "provider_session", session.pk, entry="dates", places="8", **dates)
    session.refresh_from_db()
    assert (session.starts_on, session.places, session.is_open) == (in_days(40), 8, True)
    post(member_client, "provider_session_delete", session.pk)
    assert not Session.objects.exists()


def test_a_session_too_near_is_said_when_it_is_added_and_before_publishing(member_client, draft):
    """The draft is complete, and nobody could enrol: « Tout est prêt » would be false."""
    TownFactory()
    for step, words in (("textes", TEXTS), ("lieu", PLACE), ("prix", PRICE)):
        post(member_client, "provider_offer_step", draft.pk, step, **words)
    near = {"starts_on": in_days(2).isoformat(), "ends_on": in_days(9).isoformat()}
    post(member_client, "provider_offer_sessions", draft.pk, entry="dates", **near)
    assert "mais personne ne peut la demander" in page_of(member_client, "provider_offer_sessions", draft.pk)
    page = page_of(member_client, "provider_offer", draft.pk)
    assert "personne ne pourra s’inscrire" in page and "Tout est prêt" not in page


def test_a_session_with_dossiers_says_so_and_keeps_its_dates(member_client, provider):
    session = SessionFactory(offer__provider=provider)
    DossierFactory(session=session)
    page = page_of(member_client, "provider_session", session.pk)
    assert "ses dates ne changent plus" in page and "Supprimer cette session" not in page
    dates = {"starts_on": in_days(61).isoformat(), "ends_on": in_days(99).isoformat()}
    answer = post(member_client, "provider_session", session.pk, entry="dates", status=422, **dates)
    assert "ne changent plus" in answer.content.decode()
    page = post(member_client, "provider_session_delete", session.pk, status=302)
    assert Session.objects.get().starts_on == session.starts_on


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_of_an_offer_asks_as_much_for_three_sessions(
    member_client, provider, count, django_assert_num_queries
):
    offer = OfferFactory(provider=provider, sessions=count)
    member_client.get(reverse("provider_offer", args=[offer.pk]))
    # the offer, the law, its sessions twice (judged, shown), entitlements, prices here and on the national
    # portal, a twin, what it became
    with django_assert_num_queries(queries_of(member_client) + 9):
        page_of(member_client, "provider_offer", offer.pk)


# --- The whole offer ------------------------------------------------------------------------------


def test_publishing_too_soon_says_what_is_left(member_client, draft):
    answer = post(member_client, "provider_offer_publish", draft.pk, status=422)
    page = answer.content.decode()
    assert "ne peut pas encore être publiée" in page and "Ajoutez au moins une session" in page
    assert reverse("provider_offer_step", args=[draft.pk, "prix"]) in page


def test_duplicating_and_deleting(member_client, provider):
    offer = OfferFactory(provider=provider, title="Vente")
    answer = post(member_client, "provider_offer_duplicate", offer.pk)
    copy = Offer.objects.get(is_draft=True)
    assert answer.url == reverse("provider_offer", args=[copy.pk])
    post(member_client, "provider_offer_delete", offer.pk, status=422)
    post(member_client, "provider_offer_delete", copy.pk)
    assert Offer.objects.get() == offer


def test_an_offer_that_the_rules_close_says_why_and_where_to_mend_it(member_client, provider):
    offer = OfferFactory(provider=provider, entitled=False)
    page = page_of(member_client, "provider_offer", offer.pk)
    assert "Fermée par les règles" in page and "Pourquoi on ne la trouve pas" in page
    assert reverse("provider_offer_step", args=[offer.pk, "objet"]) in page


@pytest.mark.parametrize(
    ("facts", "leads_to"),
    [
        ({"qualiopi_training": False}, "/aide/offre-masquee"),
        ({"activity_number": ""}, "/aide/declaration-et-bilan"),
        ({"activity_lapsed_on": today(), "activity_lapse": "report_empty"}, "/aide/declaration-et-bilan"),
        ({"state": "suspended"}, "/situation"),
    ],
)
def test_what_only_the_organisation_can_mend_leads_to_how(member_client, provider, facts, leads_to):
    for name, value in facts.items():
        setattr(provider, name, value)
    provider.save()
    offer = OfferFactory(provider=provider)
    page = page_of(member_client, "provider_offer", offer.pk)
    [link] = lxml.html.fromstring(page).xpath("//section[@aria-labelledby='bloquant']//a/@href")
    assert leads_to in link
    assert member_client.get(link).status_code == 200


def test_each_remark_leads_to_its_very_field(member_client, provider):
    """Every link of the page ends on an element that the page it opens has."""
    offer = OfferFactory(
        provider=provider, is_draft=True, is_published=False, is_handmade=True, entitled=False, mode="",
        hours=None, price_cents=0, sessions=0, title="", has_prerequisites=True,
        certification__registered_until=in_days(61), content="Vers le RNCP12345.", block_codes=["RNCP1BC01"],
    )  # fmt: skip
    CertificationBlock.objects.create(certification=offer.certification, code="RNCP1BC09", title="Bloc")
    SessionFactory(offer=offer, starts_on=in_days(62), ends_on=in_days(70))
    SessionFactory(offer=offer, starts_on=in_days(60), ends_on=in_days(70))
    page = lxml.html.fromstring(page_of(member_client, "provider_offer", offer.pk))
    links = page.xpath("//ul[@class='rows']//a/@href")
    anchors = {link.partition("#")[2] for link in links}
    assert {
        "id_title",
        "id_mode",
        "id_q",
        "id_hours",
        "id_price_cents",
        "id_content",
        "id_accessibility",
    } <= anchors
    assert {"id_block_codes", "id_starts_on", "id_ends_on", "id_prerequisites", "id_contact_email"} <= anchors
    for link in links:
        address, _hash, anchor = link.partition("#")
        opened = lxml.html.fromstring(member_client.get(address).content)
        assert opened.get_element_by_id(anchor, None) is not None, link


# --- Others' --------------------------------------------------------------------------------------


def test_the_offers_of_others_do_not_exist(other_member_client, provider):
    offer = OfferFactory(provider=provider, is_draft=True, is_published=False, is_handmade=True)
    session = offer.sessions.get()
    addresses = [(name, [offer.pk]) for name in FOREIGN_GET]
    addresses += [("provider_offer_step", [offer.pk, "textes"]), ("provider_session", [session.pk])]
    for name, args in addresses:
        assert other_member_client.get(reverse(name, args=args)).status_code == 404, name
    addresses = [(name, [offer.pk]) for name in FOREIGN_POST]
    addresses += [
        ("provider_offer_step", [offer.pk, "textes"]),
        ("provider_offer_step", [offer.pk, "objet"]),
        ("provider_offer_check", [offer.pk, "textes", "title"]),
        ("provider_session", [session.pk]),
        ("provider_session_recruitment", [session.pk]),
        ("provider_session_delete", [session.pk]),
    ]
    for name, args in addresses:
        assert other_member_client.post(reverse(name, args=args), TEXTS).status_code == 404, name
    post(other_member_client, "provider_offers_bulk", action="delete", offer=[str(offer.pk)])
    assert Offer.objects.filter(pk=offer.pk, title=offer.title, is_draft=True).exists()
    assert Session.objects.filter(pk=session.pk, recruitment="open").exists()


@pytest.mark.parametrize("step", ["nulle-part", "sessions"])
def test_a_page_that_does_not_exist(member_client, draft, step):
    assert member_client.get(reverse("provider_offer_step", args=[draft.pk, step])).status_code == 404


# --- When it is followed, in which language, from which level -----------------------------------------------


def test_rhythms_languages_and_entry_level_are_written_by_hand(member_client, draft):
    TownFactory()
    post(
        member_client,
        "provider_offer_step",
        draft.pk,
        "lieu",
        **PLACE,
        rhythms=["weekend", "evening"],
        languages=["en", "fr"],
        other_language="pl",
    )
    post(member_client, "provider_offer_step", draft.pk, "textes", **TEXTS, entry_level="4")
    draft.refresh_from_db()
    assert draft.rhythms == ["evening", "weekend"]  # in the order of the list
    assert draft.languages == ["en", "fr", "pl"]
    assert draft.entry_level == 4
    page = page_of(member_client, "provider_offer", draft.pk)
    assert "En soirée, le week-end" in page and "Anglais, français, polonais" in page
    assert "baccalauréat" in page
    form = page_of(member_client, "provider_offer_step", draft.pk, "lieu")
    assert re.search(r'value="pl"[^>]*checked', form) and re.search(r'value="evening"[^>]*checked', form)


def test_nothing_said_is_nothing_kept(member_client, draft):
    TownFactory()
    post(member_client, "provider_offer_step", draft.pk, "lieu", **PLACE)
    post(member_client, "provider_offer_step", draft.pk, "textes", **TEXTS, entry_level="")
    draft.refresh_from_db()
    assert (draft.rhythms, draft.languages, draft.entry_level) == ([], [], None)


def test_no_level_asked_is_not_the_same_as_nothing_said(member_client, draft):
    post(member_client, "provider_offer_step", draft.pk, "textes", **TEXTS, entry_level="0")
    draft.refresh_from_db()
    assert draft.entry_level == 0
    assert "Aucun niveau demandé" in page_of(member_client, "provider_offer", draft.pk)


def test_a_language_that_an_import_brought_stays_where_it_was(member_client, provider):
    offer = OfferFactory(provider=provider, languages=["br", "fr"], town=TownFactory())
    form = page_of(member_client, "provider_offer_step", offer.pk, "lieu")
    assert "Breton" in form
    data = PLACE | {"languages": ["fr", "br"]}
    post(member_client, "provider_offer_step", offer.pk, "lieu", **data)
    offer.refresh_from_db()
    assert offer.languages == ["br", "fr"]


@pytest.mark.parametrize(
    ("step", "data", "words"),
    [
        ("lieu", PLACE | {"rhythms": ["jamais"]}, "Ce rythme n’existe pas"),
        ("lieu", PLACE | {"languages": ["klingon"]}, "Cette langue n’est pas connue"),
        ("lieu", PLACE | {"other_language": "xx"}, "Cette langue n’est pas connue"),
        ("textes", TEXTS | {"entry_level": "2"}, "Ce niveau n’existe pas"),
    ],
)
def test_a_choice_that_is_none_is_refused_beside_its_field(member_client, draft, step, data, words):
    response = post(member_client, "provider_offer_step", draft.pk, step, status=422, **data)
    assert words in response.content.decode()


def test_a_copy_keeps_them(member_client, provider):
    said = {"rhythms": ["day"], "languages": ["fr"], "entry_level": 3}
    offer = OfferFactory(provider=provider, **said)
    post(member_client, "provider_offer_duplicate", offer.pk)
    copy = provider.offers.get(is_draft=True)
    assert {name: getattr(copy, name) for name in said} == said

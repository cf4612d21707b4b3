"""The question pages, the review, what follows; « Situation »."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import Membership
from admissions import reminders, screen
from admissions.completeness import Page
from admissions.forms import read_codes
from admissions.models import JoinRequest, JoinStep, Measure, MeasureStep
from admissions.states import State
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import MembershipFactory, OrganisationFactory, UserFactory, a_siret
from tests.factories.admissions import (
    PDF,
    JoinRequestFactory,
    MeasureFactory,
    a_file,
    act,
    answers,
)
from tests.factories.catalog import CertificationFactory, HabilitationFactory, ProviderFactory

pytestmark = pytest.mark.django_db


def page_of(client, name, *args, status=200, **asked):
    answer = client.get(reverse(name, args=args), asked)
    assert answer.status_code == status
    return answer.content.decode()


@pytest.fixture
def author(client):
    user = UserFactory()
    client.force_login(user)
    return user


# --- The way in -----------------------------------------------------------------------------------------


def test_a_visitor_reads_what_it_takes_then_signs_in(client):
    page = page_of(client, "join")
    assert "11 jours ouvrés au plus" in page
    assert "2 mois au plus" in page
    assert "moins de 3 mois" in page
    answer = client.get(reverse("join_start"))
    assert answer.status_code == 302
    assert answer.url == f"{reverse('account_login')}?next={reverse('join_start')}"


def test_the_whole_way_from_the_first_question_to_the_receipt(client, author, at):
    certification = CertificationFactory(number=35808)
    number = a_siret(42)
    HabilitationFactory(certification=certification, siret=number)
    first = {"siret": f"{number[:3]} {number[3:9]} {number[9:]}", "request_id": str(uuid.uuid4())}
    answer = client.post(reverse("join_start"), first)
    asked = JoinRequest.objects.get()
    assert answer.url == reverse("join_page", args=[asked.pk, "coordonnees"])
    typed = {name: str(value) for name, value in answers(at).items() if value not in (True, False)}
    typed |= {
        "certification_codes": "rncp 35808",
        "qualiopi_training": "on",
        "is_legal_representative": "oui",
        "has_no_conviction": "on",
        "activity_number": "53 35 12345 67",
        "phone": "+33 2 99 00 00 00",
    }
    for page, following in (
        ("coordonnees", "activite"),
        ("activite", "qualiopi"),
        ("qualiopi", "formations"),
        ("formations", "responsable"),
    ):
        answer = client.post(reverse("join_page", args=[asked.pk, page]), typed)
        assert answer.url == reverse("join_page", args=[asked.pk, following])
    answer = client.post(reverse("join_page", args=[asked.pk, "responsable"]), typed)
    assert answer.url == reverse("join_documents", args=[asked.pk])
    files = {"extract": a_file(), "qualiopi": a_file(), "identity": a_file()}
    answer = client.post(
        answer.url, files | {"extract_issued_on": f"{workdays.paris_day(at) - timedelta(days=10)}"}
    )
    assert answer.url == reverse("join_review", args=[asked.pk])
    review = page_of(client, "join_review", asked.pk)
    assert "Atelier des Lices" in review
    assert "02 99 00 00 00" in review
    assert "Déclaration sur l’honneur" in review
    sending = {"declares": "on", "request_id": str(uuid.uuid4())}
    answer = client.post(reverse("join_send", args=[asked.pk]), sending)
    assert answer.url == reverse("join_request", args=[asked.pk])
    asked.refresh_from_db()
    assert asked.state == State.SENT
    page = page_of(client, "join_request", asked.pk)
    assert "Vérification au plus tard le" in page
    assert "Décision" in page
    receipt = client.get(reverse("join_receipt", args=[asked.pk]))
    assert receipt["Content-Type"].startswith("text/plain")
    words = receipt.content.decode()
    assert asked.number in words
    assert "SHA-256" in words
    assert "&#x27;" not in words


def test_a_siret_is_checked_and_one_that_is_here_is_sent_to_its_people(client, author):
    organisation = MembershipFactory(organisation=OrganisationFactory(name="Nom secret")).organisation
    for typed, words in (
        ("", "Écrivez le SIRET"),
        ("123 456 789 00012", "n’est pas reconnu"),
        ("<script>", "n’est pas reconnu"),
        (organisation.siret, "a déjà un espace"),
    ):
        sent = {"siret": typed, "request_id": str(uuid.uuid4())}
        answer = client.post(reverse("join_start"), sent)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert words in page
        assert 'href="#id_siret"' in page
        assert "Nom secret" not in page
    assert not JoinRequest.objects.exists()


# --- Question pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in Page if page not in {Page.ORGANISATION, Page.DOCUMENTS}])
def test_a_page_left_empty_says_what_it_needs_beside_each_field(client, author, page):
    asked = JoinRequestFactory(author=author, empty=True)
    answer = client.post(reverse("join_page", args=[asked.pk, page]), {})
    assert answer.status_code == 422
    assert "à corriger" in answer.content.decode()
    later = client.post(reverse("join_page", args=[asked.pk, page]), {"later": "1"})
    assert later.url == reverse("join_request", args=[asked.pk])


def test_what_is_readable_is_kept_even_when_the_rest_is_not(client, author):
    asked = JoinRequestFactory(author=author, empty=True)
    typed = {"name": "Atelier", "postal_code": "3500", "phone": "12", "email": "pas une adresse"}
    answer = client.post(reverse("join_page", args=[asked.pk, "coordonnees"]), typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    for words in ("5 chiffres", "10 chiffres", 'value="3500"', 'value="pas une adresse"'):
        assert words in page
    asked.refresh_from_db()
    assert (asked.name, asked.postal_code, asked.email) == ("Atelier", "", "")


def test_unfinished_and_left_for_later_a_page_keeps_what_is_there(client, author):
    asked = JoinRequestFactory(author=author, empty=True)
    typed = {"name": "Atelier", "later": "1"}
    answer = client.post(reverse("join_page", args=[asked.pk, "coordonnees"]), typed)
    assert answer.url == reverse("join_request", args=[asked.pk])
    assert "Atelier" in page_of(client, "join_page", asked.pk, "coordonnees")
    typed = {"name": "Atelier", "postal_code": "abc", "later": "1"}
    answer = client.post(reverse("join_page", args=[asked.pk, "coordonnees"]), typed)
    assert answer.status_code == 422, "nothing that was typed is lost without a word"


@pytest.mark.parametrize(
    ("number", "words"),
    [("1234", "11 chiffres"), ("99999999999", "numéro d’attente"), ("5335123456A", "11 chiffres")],
)
def test_an_activity_number_has_eleven_digits(client, author, number, words):
    asked = JoinRequestFactory(author=author, empty=True)
    answer = client.post(reverse("join_page", args=[asked.pk, "activite"]), {"activity_number": number})
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_what_registers_doubt_is_said_and_stops_nobody(client, author):
    ProviderFactory(activity_number="53351234567")
    asked = JoinRequestFactory(author=author)
    page = page_of(client, "join_page", asked.pk, "activite")
    assert "déjà celui d’un autre organisme" in page
    act("send", asked, at=asked.created_at + timedelta(minutes=1))


def test_codes_are_read_as_people_write_them():
    assert read_codes("RNCP35808") == ["RNCP35808"]
    assert read_codes("rncp 35808, RS6374 ; RS n°6374\n\nRNCP035808") == ["RNCP35808", "RS6374"]
    for wrong in ("35808", "RNCP", "=1+1", "<b>", "RNCP123456789", "％s"):
        with pytest.raises(ValidationError):
            read_codes(wrong)
    with pytest.raises(ValidationError):
        read_codes(" ".join(f"RS{n}" for n in range(1, 60)))


def test_codes_are_compared_with_the_registers_while_they_are_typed(client, author):
    asked = JoinRequestFactory(author=author, empty=True)
    HabilitationFactory(certification=CertificationFactory(number=11111), siret=asked.siret)
    HabilitationFactory(certification=CertificationFactory(number=22222, ended=True), siret=asked.siret)
    CertificationFactory(number=33333)
    codes = "RNCP11111 RNCP22222 RNCP33333 RS99"
    page = page_of(client, "join_codes", asked.pk, certification_codes=codes)
    assert page.count("Ouverte à votre SIRET") == 1
    assert "n’est plus active" in page
    assert "ni parmi les certificateurs ni parmi les partenaires" in page
    assert "n’est pas dans les répertoires" in page
    assert "n’est pas un code" in page_of(client, "join_codes", asked.pk, certification_codes="<script>alert")
    asked.refresh_from_db()
    assert asked.certification_codes == []
    answer = client.post(
        reverse("join_page", args=[asked.pk, "formations"]), {"certification_codes": codes, "check": "1"}
    )
    assert answer.status_code == 200
    assert "Ouverte à votre SIRET" in answer.content.decode()


def test_html_and_formulas_stay_words(client, author, at):
    asked = JoinRequestFactory(author=author, name="<script>alert(1)</script>", manager_name="=HYPERLINK(1)")
    act("send", asked, at=at)
    page = page_of(client, "join_request", asked.pk)
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    line_end = {"name": "Atelier\r\nBcc: victime@exemple.invalid"}
    draft = JoinRequestFactory(author=author)
    client.post(reverse("join_page", args=[draft.pk, "coordonnees"]), line_end)
    draft.refresh_from_db()
    assert draft.name == "Atelier Bcc: victime@exemple.invalid"


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_as_much_for_three_codes_as_for_one(
    client, author, count, django_assert_max_num_queries
):
    codes = [f"RNCP{number}" for number in range(1001, 1001 + count)]
    for code in codes:
        CertificationFactory(number=int(code[4:]))
    asked = JoinRequestFactory(author=author, certification_codes=codes)
    with django_assert_max_num_queries(22):
        page_of(client, "join_review", asked.pk)


# --- After sending ----------------------------------------------------------------------------------------


def test_sending_needs_the_declaration_and_nothing_missing(client, author):
    asked = JoinRequestFactory(author=author)
    address = reverse("join_send", args=[asked.pk])
    answer = client.post(address, {"request_id": str(uuid.uuid4())})
    assert answer.status_code == 422
    assert 'href="#id_declares"' in answer.content.decode()
    answer = client.post(address, {"declares": "on"})
    assert "plus à jour" in answer.content.decode()
    asked.documents.first().delete()
    answer = client.post(address, {"declares": "on", "request_id": str(uuid.uuid4())})
    assert answer.status_code == 422
    assert "n’est pas complète" in answer.content.decode()
    assert "Il manque encore un point" in answer.content.decode()
    assert not JoinStep.objects.exists()


def test_what_is_asked_is_shown_with_the_way_to_it(client, author):
    asked = JoinRequestFactory(author=author, state=State.COMPLETION_ASKED)
    page = page_of(client, "join_request", asked.pk)
    assert "Le certificat est illisible." in page
    assert reverse("join_documents", args=[asked.pk]) in page
    assert reverse("join_page", args=[asked.pk, "activite"]) in page
    typed = {"activity_number": "53350000009", "has_no_report": "on", "back": "review"}
    answer = client.post(reverse("join_page", args=[asked.pk, "activite"]), typed)
    assert answer.url == reverse("join_review", args=[asked.pk])


def test_late_the_administration_says_so_itself(client, author, at):
    asked = JoinRequestFactory(author=author, state=State.SENT, at=at - timedelta(days=40))
    page = page_of(client, "join_request", asked.pk)
    assert "Nous sommes en retard" in page
    asked.refresh_from_db()
    assert asked.state == State.SENT


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.RECEIVABLE, "Décision au plus tard le"),
        (State.ADMITTED, "Ouvrir l’espace de l’organisme"),
        (State.REFUSED, "tribunal administratif"),
        (State.WITHDRAWN, "Recommencer à partir de cette demande"),
        (State.DRAFT, "Supprimer ce brouillon"),
    ],
)
def test_each_state_says_what_one_can_do(client, author, state, words):
    asked = JoinRequestFactory(author=author, state=state)
    assert words in page_of(client, "join_request", asked.pk)


def test_the_delay_to_answer_holders_comes_from_the_rulebook(client, author, rules, monkeypatch):
    asked = JoinRequestFactory(author=author, state=State.ADMITTED)
    assert "titulaires en 2 jours ouvrés." in page_of(client, "join_request", asked.pk)
    other = replace(rules, provider_answer_days=37, provider_answer_unit="calendar")
    monkeypatch.setattr(screen.rulebook, "on", lambda day: other)
    assert "titulaires en 37 jours." in page_of(client, "join_request", asked.pk)


def test_admitted_one_click_opens_the_space(client, author):
    asked = JoinRequestFactory(author=author, state=State.ADMITTED)
    key = f"provider:{asked.organisation_id}"
    assert key in page_of(client, "join_request", asked.pk)
    answer = client.post(reverse("switch_role"), {"role": key, "next": reverse("provider_offers")})
    assert answer.url == reverse("provider_offers")
    assert client.get(answer.url).status_code == 200
    Membership.objects.all().delete()
    assert "Vous n’agissez plus pour cet organisme" in page_of(client, "join_request", asked.pk)


@pytest.mark.parametrize("words", ["avant\x00après", "x" * 5000])
def test_giving_up_is_never_held_back_by_the_words_that_say_why(client, author, words):
    asked = JoinRequestFactory(author=author, state="sent")
    typed = {"request_id": uuid.uuid4(), "words": words}
    assert client.post(reverse("join_withdraw", args=[asked.pk]), typed).status_code == 302
    told = JoinStep.objects.get(join_request=asked, verb="withdraw").words
    assert told == words.replace("\x00", "")[:1000]


def test_withdrawn_twice_the_second_is_told(client, author):
    asked = JoinRequestFactory(author=author, state=State.SENT)
    address = reverse("join_withdraw", args=[asked.pk])
    assert client.post(address, {"request_id": str(uuid.uuid4())}).status_code == 302
    answer = client.post(address, {"request_id": str(uuid.uuid4())})
    assert answer.status_code == 422
    assert "a changé d’état" in answer.content.decode()


def test_started_again_from_the_page(client, author):
    asked = JoinRequestFactory(author=author, state=State.REFUSED)
    answer = client.post(reverse("join_again", args=[asked.pk]), {"request_id": str(uuid.uuid4())})
    new = JoinRequest.objects.get(state=State.DRAFT)
    assert answer.url == reverse("join_request", args=[new.pk])
    assert "Atelier des Lices" in page_of(client, "join_review", new.pk)


def test_one_s_requests_are_listed_and_nobody_else_s(client, author):
    mine = JoinRequestFactory(author=author, name="La mienne")
    JoinRequestFactory(name="Celle d’une autre")
    page = page_of(client, "join")
    assert "La mienne" in page
    assert reverse("join_request", args=[mine.pk]) in page
    assert "Celle d’une autre" not in page


def test_a_removed_document_leaves_the_page(client, author):
    asked = JoinRequestFactory(author=author)
    document = asked.documents.get(kind="extract")
    assert document.file_name in page_of(client, "join_documents", asked.pk)
    client.post(reverse("join_document_remove", args=[asked.pk, document.pk]))
    assert not asked.documents.filter(pk=document.pk).exists()
    sent = {"extract": a_file(PDF, "neuf.pdf"), "extract_issued_on": "12/11/2026", "later": "1"}
    answer = client.post(reverse("join_documents", args=[asked.pk]), sent)
    assert answer.url == reverse("join_request", args=[asked.pk])


def test_the_clock_reminds_once(at):
    asked = JoinRequestFactory(at=at, empty=True)
    sent = JoinRequestFactory(at=at, state=State.SENT)
    from_start = at + timedelta(days=14)
    assert reminders.remind(at=at + timedelta(days=13)) == 0
    assert reminders.remind(at=from_start) == 1
    assert reminders.remind(at=from_start + timedelta(days=30)) == 0
    told = Notice.objects.get(kind="join_reminder")
    assert told.email == asked.author.email
    assert sent.author.email != told.email


# --- « Situation » ------------------------------------------------------------------------------------------


@pytest.fixture
def boss(client):
    membership = MembershipFactory(organisation=ProviderFactory().organisation, role="manager")
    client.force_login(membership.user)
    return membership


def test_without_a_measure_one_reads_how_it_would_go(client, boss):
    page = page_of(client, "provider_standing")
    assert "Aucune mesure" in page
    assert "Vous avez 15 jours pour répondre" in page


def test_a_manager_answers_what_is_intended(client, boss):
    measure = MeasureFactory(provider=boss.organisation.provider)
    MeasureFactory(words="Contre les voisins")
    page = page_of(client, "provider_standing")
    assert measure.reason in page
    assert "Contre les voisins" not in page
    assert "Répondez jusqu’au" in page
    address = reverse("provider_standing_answer", args=[measure.pk])
    answer = client.post(address, {"words": " ", "request_id": str(uuid.uuid4())})
    assert answer.status_code == 422
    sent = {"words": "Nous avons <b>corrigé</b>.", "request_id": str(uuid.uuid4())}
    assert client.post(address, sent).status_code == 302
    assert client.post(address, sent).status_code == 302
    assert MeasureStep.objects.filter(verb="answer").count() == 1
    assert "Nous avons &lt;b&gt;corrigé&lt;/b&gt;." in page_of(client, "provider_standing")


def test_a_plain_member_reads_and_does_not_answer(client):
    membership = MembershipFactory(organisation=ProviderFactory().organisation, role="member")
    client.force_login(membership.user)
    measure = MeasureFactory(provider=membership.organisation.provider)
    page = page_of(client, "provider_standing")
    assert measure.reason in page
    assert "Seules les personnes responsables" in page
    address = reverse("provider_standing_answer", args=[measure.pk])
    assert client.post(address, {"words": "Non.", "request_id": str(uuid.uuid4())}).status_code == 403


def test_suspended_one_reads_why_and_how_to_contest(client, boss):
    measure = MeasureFactory(provider=boss.organisation.provider, verb="suspend_at_once")
    page = page_of(client, "provider_standing")
    for words in ("Suspendu", "Suspension en urgence", measure.reason, "tribunal administratif"):
        assert words in page
    assert Measure.objects.get().state == "suspended"


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_as_much_for_three_measures_as_for_one(client, boss, count, django_assert_num_queries):
    for _number in range(count):
        MeasureFactory(provider=boss.organisation.provider, verb="warn")
    page_of(client, "provider_standing")
    with django_assert_num_queries(10):
        page_of(client, "provider_standing")

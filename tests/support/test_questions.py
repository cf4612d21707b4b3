"""Questions of the help page: computed from the rulebook, found as people type."""

import re
from dataclasses import replace

import pytest
from django.urls import NoReverseMatch, reverse
from lxml import html

from rulebook import Term
from support import answers
from support.questions import FIRST_OF, QUESTIONS, SUBJECTS_OF
from support.states import Topic

ALL = [question for questions in QUESTIONS.values() for question in questions]


@pytest.fixture
def shown(rules):
    return answers.on(rules)


def texts(question):
    return [str(part) for part in (question.text, *question.answer, *question.steps)]


def test_slugs_are_addresses_and_are_alone():
    slugs = [question.slug for question in ALL]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in slugs)


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.slug)
def test_no_amount_nor_delay_is_typed(question):
    """A number beside a unit comes from the rulebook, or it will be wrong one day."""
    for text in texts(question):
        assert not re.search(r"\d+\s*(?:€|euros?|jours?|ans|mois|heures)", text), text


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.slug)
def test_sentences_are_short(question):
    for text in texts(question):
        for sentence in re.split(r"[.?!:]\s", text):
            assert len(sentence.split()) <= 24, sentence


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.slug)
def test_links_lead_somewhere(question):
    for name, _words in question.links:
        try:
            assert reverse(name)
        except NoReverseMatch:
            assert question.needs or name in {"account_freeze"}, name


def test_answers_follow_the_law(rules):
    other = replace(rules, withdrawal_days=41, participation_cents=12_345, simultaneous_requests_max=9)
    said = " ".join(part for question in answers.on(other) for part in question.paragraphs)
    for words in ("41 jours ouvrés", "123,45", "9 demandes au plus"):
        assert words in said
    assert answers.days_in_words(Term(rules.withdrawal_days, rules.withdrawal_unit)) not in said


def test_what_the_law_of_the_day_makes_pointless_is_not_asked(rules):
    before_2024 = replace(rules, participation_cents=0, earliest_start_days=0)
    slugs = {question.slug for question in answers.on(before_2024)}
    assert {"participation-obligatoire", "session-trop-proche"} & slugs == set()


def test_a_page_that_is_not_there_is_not_promised(rules, monkeypatch):
    monkeypatch.setattr(answers, "_address", lambda name: "" if name == "join" else f"/{name}")
    assert "rejoindre" not in {question.slug for question in answers.on(rules)}


def test_no_placeholder_is_left(shown):
    assert not [part for question in shown for part in (*question.paragraphs, *question.steps) if "{" in part]


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("annulation", "comment-annuler"),
        ("ANNULER", "comment-annuler"),
        ("rembourse", "que-me-rend-on"),
        ("mot de passe", "mot-de-passe-oublie"),
        ("jai perdu mon mot de passe", "mot-de-passe-oublie"),
        ("expiration de mes droits", "droits-expirent"),
        ("delais", "delai-depasse"),
        ("délai depassé", "delai-depasse"),
        ("l'organisme ne répond pas", "organisme-ne-repond-pas"),
        ("DIF", "heures-dif"),
        ("carte bleue", "comment-payer"),
        ("chômeur", "demandeur-emploi"),
        ("nom de jeune fille", "activation-refusee"),
        ("arnaque", "reconnaitre-arnaque"),
        ("jour ferie", "jours-ouvres"),
        ("employeur", "prevenir-employeur"),
        ("pirate", "geler-mon-compte"),
    ],
)
def test_what_people_type_finds_what_they_mean(shown, query, slug):
    assert slug in [question.slug for question in answers.find(query, shown)][:2]


@pytest.mark.parametrize("query", ["", "   ", "zzzyx", "le", "🙂", "'; DROP TABLE", "\x00", "é" * 100])
def test_nothing_is_found_in_nonsense_without_harm(shown, query):
    assert len(answers.find(query, shown)) < len(shown)


@pytest.mark.parametrize("topic", Topic)
def test_each_topic_has_what_may_answer_it(topic, shown):
    known = {question.slug for question in ALL}
    assert set(FIRST_OF.get(topic, ())) <= known
    assert topic in SUBJECTS_OF
    assert len(answers.for_topic(topic, shown)) >= 3


# --- The pages ------------------------------------------------------------------------------------


def test_each_question_is_on_the_page_with_its_anchor_and_its_address(client, shown):
    page = html.fromstring(client.get(reverse("help")).text)
    for question in shown:
        assert page.xpath(f"//main//details//*[@id='{question.slug}']"), question.slug
        assert page.xpath(f"//a[@href='{reverse('help_question', args=[question.slug])}']")


def test_each_address_of_a_question_opens(client, shown):
    for question in shown:
        page = html.fromstring(client.get(reverse("help_question", args=[question.slug])).text)
        assert page.xpath("//h1")[0].text_content() == question.text


def test_searching_works_with_and_without_htmx(client, db):
    address = reverse("help")
    whole = client.get(address, {"q": "annuler"})
    part = client.get(address, {"q": "annuler"}, headers={"HX-Request": "true"})
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert "HX-Request" in part["Vary"]
    for answer in (whole, part):
        assert "Comment annuler mon inscription" in answer.text
        assert "Qu’est-ce que la participation obligatoire" not in answer.text


def test_what_is_searched_is_shown_as_text(client, db):
    text = client.get(reverse("help"), {"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_help_page_asks_the_database_once(client, rules, django_assert_num_queries):
    with django_assert_num_queries(1):  # the law of today
        client.get(reverse("help"))


def test_phone_lines_are_those_of_the_instance(client, db, settings):
    settings.PORTAL_PHONE_LINES = [{"label": "Accueil", "number": "01 99 00 99 99", "hours": ""}]
    assert "01 99 00 99 99" in client.get(reverse("help")).text
    settings.PORTAL_PHONE_LINES = []
    for name in ("help", "contact"):
        assert "phone-lines" not in client.get(reverse(name)).text

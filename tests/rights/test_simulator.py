"""The public simulator: the same figures as the ledger, refused politely, and nothing kept."""

import pytest

from tests.rights.test_simulation import EXAMPLES

pytestmark = pytest.mark.django_db
URL = "/simulateur"


@pytest.fixture
def page(client):
    def page(status=200, **query):
        answer = client.get(URL, query)
        assert answer.status_code == status
        return answer.text.replace("\u202f", " ").replace("\u00a0", " ")

    return page


def as_typed(said):
    """An example of the handbook as somebody types it in the form."""
    typed = {"situation": said["status"], "annee": said["year"]}
    for measure in ("hours", "days", "months"):
        if measure in said:
            typed |= {"mesure": measure, "travaille": str(said[measure]).replace(".", ",")}
    if "pay_cents" in said:
        typed |= {"mesure": "pay_cents", "travaille": f"{said['pay_cents'] / 100:.2f}"}
    for key in ("reference_hours", "reference_days"):
        if key in said:
            typed["annee_entiere"] = said[key]
    if "balance_cents" in said:
        typed["solde"] = f"{said['balance_cents'] / 100:.2f}".replace(".", ",")
    if "balance_hours" in said:
        typed["solde"] = said["balance_hours"]
    if said.get("low_qualified"):
        typed["sans_diplome"] = "on"
    if said.get("boe"):
        typed["boe"] = "on"
    return typed


def in_words(amount, unit):
    if unit == "hours":
        return f"{amount} h"
    return f"{amount // 100:,}".replace(",", " ") + f",{amount % 100:02} €"


@pytest.mark.parametrize("number", EXAMPLES)
def test_the_examples_of_the_handbook_give_the_same_on_the_page(page, number):
    said, (credit, lost, cap) = EXAMPLES[number]
    unit = "hours" if said["status"].startswith("public") else "cents"
    html = page(**as_typed(said))
    assert f'<p class="money money--large">{in_words(credit, unit)}</p>' in html
    assert (f": <strong>{in_words(lost, unit)}</strong>" in html) == bool(lost)
    assert f'<span>Plafond</span> <span class="money">{in_words(cap, unit)}</span>' in html


def test_the_page_opens_empty_for_anybody_and_asks_for_last_year(page):
    html = page()
    assert "Bon à savoir" in html
    assert 'id="resultat"' not in html
    assert "Votre situation cette année-là" in html


def test_the_result_says_its_rule_its_text_and_which_year_it_follows(page):
    html = page(situation="private", annee=2025, mesure="hours", travaille="800")
    assert "800 h sur 1 607 h" in html
    assert "Code du travail, art. R. 6323-1" in html
    assert "Elle suit l’année travaillée : c’est celle du 31 décembre 2025" in html


def test_the_bar_shows_what_is_held_what_is_added_and_the_cap(page):
    html = page(situation="private", annee=2025, mesure="hours", travaille="1607", solde="2500")
    assert '<rect class="simulator__held" x="0" y="6" width="500" height="28">' in html
    assert '<rect class="simulator__credit" x="500" y="6" width="100" height="28">' in html
    assert "Après ce crédit, le compte contient 3 000,00 € ; son plafond est de 5 000,00 €." in html


def test_a_balance_above_the_cap_stays_inside_the_bar(page):
    html = page(situation="private", annee=2025, mesure="hours", travaille="1607", solde="8000")
    assert '<rect class="simulator__held" x="0" y="6" width="1000" height="28">' in html
    assert 'class="simulator__cap" x1="625" x2="625"' in html


def test_public_agents_are_asked_and_answered_in_hours(page):
    html = page(situation="public", annee=2025, mesure="months", travaille="6", solde="145")
    assert '<p class="money money--large">5 h</p>' in html
    assert "Perdu au-dessus du plafond de 150 h : <strong>8 h</strong>" in html
    assert "Un agent public les utilise avec son employeur" in html
    html = page(422, situation="public", annee=2025, mesure="months", travaille="6", solde="10,5")
    assert "se comptent en heures entières" in html


def test_an_employee_of_before_2019_is_answered_in_hours(page):
    assert '<p class="money money--large">17 h</p>' in page(
        situation="private", annee=2017, mesure="hours", travaille="1607", solde="110"
    )


@pytest.mark.parametrize(
    ("status", "asked", "not_asked"),
    [
        ("private", {"mesure", "travaille", "annee_entiere", "sans_diplome", "boe", "solde"}, {"accord"}),
        ("seasonal", {"accord"}, set()),
        ("public", {"mesure", "travaille", "solde"}, {"sans_diplome", "boe", "accord"}),
        ("self_employed", {"travaille", "solde"}, {"mesure", "annee_entiere", "sans_diplome", "boe"}),
        ("esat", {"solde"}, {"mesure", "travaille", "boe"}),
        ("job_seeker", set(), {"mesure", "travaille", "boe", "solde"}),
    ],
)
def test_once_the_situation_is_known_only_what_counts_is_asked(page, status, asked, not_asked):
    html = page(situation=status, choisir="1")
    for name in asked:
        assert f'name="{name}"' in html
    for name in not_asked:
        assert f'name="{name}"' not in html
    assert "Un point est à corriger" not in html


def test_what_changes_nothing_is_said_not_swallowed(page):
    html = page(situation="public", annee=2025, mesure="hours", travaille="1607", boe="on", accord="900")
    assert "N’a rien changé dans cette situation : « Je suis reconnu travailleur handicapé" in html
    assert "N’a rien changé dans cette situation : « Ce que votre accord donne" in html
    html = page(situation="private", annee=2018, mesure="hours", travaille="1607", sans_diplome="on")
    assert "En 2018, l’absence de diplôme ne majorait pas encore ces droits." in html


PRIVATE = {"situation": "private", "annee": "2025", "mesure": "hours", "travaille": "1607"}


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"situation": ""}, "situation", "Choisissez votre situation."),
        ({"situation": "astronaute"}, "situation", "Cette situation n’existe pas."),
        ({"annee": ""}, "annee", "Écrivez une année, par exemple 2025."),
        ({"annee": "l’an dernier"}, "annee", "Ce n’est pas une année."),
        ({"annee": "-1"}, "annee", "Ce n’est pas une année."),
        ({"annee": "0"}, "annee", "Ce n’est pas une année."),
        ({"annee": "99999"}, "annee", "Ce n’est pas une année."),
        ({"annee": "1900"}, "annee", "En 1900, le compte n’existait pas encore."),
        ({"annee": "2100"}, "annee", "2100 n’a pas encore commencé."),
        ({"mesure": "months"}, "mesure", "ne se compte pas en mois"),
        ({"mesure": "années-lumière"}, "mesure", "On compte en heures, en jours, en mois ou en salaire."),
        ({"travaille": ""}, "travaille", "Écrivez ce que vous avez travaillé."),
        ({"travaille": "beaucoup"}, "travaille", "Ce nombre n’est pas reconnu."),
        ({"travaille": "1e9"}, "travaille", "Ce nombre n’est pas reconnu."),
        ({"travaille": "-3"}, "travaille", "ne peut pas être négatif"),
        ({"travaille": "1000000000"}, "travaille", "trop grand pour une année"),
        ({"travaille": "999999999"}, "travaille", "Une année ne compte pas plus de 8 784 h."),
        ({"travaille": "1,234"}, "travaille", "Deux chiffres après la virgule"),
        ({"travaille": "8785"}, "travaille", "Une année ne compte pas plus de 8 784 h."),
        ({"annee_entiere": "0"}, "annee_entiere", "La durée de référence d’une année"),
        ({"annee_entiere": "-1607"}, "annee_entiere", "Une durée ne peut pas être négative."),
        ({"solde": "-1"}, "solde", "Un compte ne contient jamais moins que zéro."),
        ({"solde": "10000000000"}, "solde", "Aucun compte ne contient autant."),
    ],
)
def test_what_makes_no_sense_gets_one_sentence_beside_its_field(page, change, field, sentence):
    html = page(422, **(PRIVATE | change))
    assert f'href="#id_{field}"' in html  # in the summary
    assert f'id="id_{field}_error"' in html
    assert html.count(sentence) == 2
    assert 'id="resultat"' not in html


def test_everything_that_is_wrong_is_told_at_once(page):
    html = page(422, **(PRIVATE | {"annee": "1900", "travaille": "-3", "solde": "beaucoup"}))
    assert "3 points sont à corriger" in html


def test_htmx_gets_the_form_and_the_result_alone_and_says_it_aloud(client):
    answer = client.get(URL, PRIVATE, headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert 'hx-swap-oob="innerHTML:#simulation-dite"' in answer.text
    assert "HX-Request" in answer["Vary"]


def test_the_answer_stays_with_who_asked_and_nothing_is_written(client, django_assert_num_queries):
    with django_assert_num_queries(2):  # the law of the year, then its texts
        answer = client.get(URL, PRIVATE)
    assert answer["Cache-Control"] == "private, no-store"
    assert "sessionid" not in client.cookies
    with django_assert_num_queries(0):
        client.get(URL)


def test_one_connection_computes_so_many_times_a_minute_and_loses_nothing_typed(client, settings):
    settings.OPEN_LIMITS = settings.OPEN_LIMITS | {"simulator": 2}
    assert [client.get(URL).status_code for _n in range(3)] == [200] * 3, "to look at the form is no sum"
    answers = [client.get(URL, PRIVATE) for _n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"] == "60"
    assert "Attendez une minute" in answers[-1].text and 'id="resultat"' not in answers[-1].text
    assert PRIVATE["travaille"] in answers[-1].text


@pytest.mark.parametrize("address", ["/", "/aide"])
def test_visitors_find_the_way_to_it(client, address):
    main = client.get(address).text.partition("<main")[2].partition("</main>")[0]
    assert 'href="/simulateur"' in main

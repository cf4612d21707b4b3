"""« Mes droits » beyond the numbers: where they come from, a past day, the years ahead, the cap, hours."""

import datetime
import re

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import crediting_year
from rights.kinds import DeclarationKind, FunderKind, Measure, Origin, PocketKind, Unit, WorkStatus
from tests.factories.accounts import HolderFactory
from tests.factories.dotations import EnvelopeFactory, GrantFactory
from tests.factories.rights import CreditFactory, DeclarationFactory, PurseFactory, YearlyStatementFactory

pytestmark = pytest.mark.django_db
URL = "/mes-droits"
S = WorkStatus


@pytest.fixture
def holder():
    return HolderFactory()


@pytest.fixture
def page(client, holder):
    client.force_login(holder.user)

    def page(status=200, **query):
        answer = client.get(URL, query)
        assert answer.status_code == status
        return plain(answer.text)

    return page


def plain(text):
    return " ".join(text.replace("\u202f", " ").replace("\u00a0", " ").split())


def section(html, name):
    """The words of one section of the page."""
    found = re.search(rf'<section class="section[^"]*" id="{name}".*?</section>', html)
    assert found, name
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def last_year():
    return timezone.localdate().year - 1


def worked(holder, **fields):
    """A year declared and credited: the last one."""
    statement = YearlyStatementFactory(holder=holder, year=last_year(), **fields)
    crediting_year.credit_year(last_year(), at=timezone.now(), by=SYSTEM)
    return statement


# --- Where they come from -----------------------------------------------------------------------------


def test_work_engagement_and_funders_are_told_apart_and_drawn_by_a_bar(page, holder):
    PurseFactory(holder=holder, amount=600_00)
    PurseFactory(holder=holder, kind=PocketKind.VOLUNTEER, amount=240_00)
    envelope = EnvelopeFactory(funder_kind=FunderKind.REGION)
    GrantFactory(envelope=envelope, holder=holder, amount=360_00, origin=Origin.TOP_UP)
    html = page()
    shares = re.search(r'<ul class="shares__list">.*?</ul>', html)[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", shares).split())
    assert words == (
        "Votre travail 600,00 € 50 % Votre engagement citoyen 240,00 € 20 % Des financeurs 360,00 € 30 %"
    )
    assert html.count('class="shares__part') == 6  # three in the bar, three beside the words


def test_hours_are_no_part_of_the_bar_of_euros(page, holder):
    PurseFactory(holder=holder, amount=600_00)
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    assert "100 %" in page()


# --- A past day ---------------------------------------------------------------------------------------


def test_a_past_day_tells_what_one_had_then(page, holder):
    now = timezone.now()
    PurseFactory(holder=holder, amount=500_00, at=now - datetime.timedelta(days=40))
    CreditFactory(holder=holder, amount=70_00, at=now)
    day = timezone.localdate() - datetime.timedelta(days=10)
    told = section(page(jour=day.isoformat()), "au-jour")
    assert "vous pouviez utiliser 500,00 €" in told
    assert "570,00" not in told
    # The way French people write it, too.
    assert "500,00 €" in section(page(jour=f"{day:%d/%m/%Y}"), "au-jour")
    before = timezone.localdate() - datetime.timedelta(days=41)
    assert "aucun droit n’était inscrit ici" in section(page(jour=before.isoformat()), "au-jour")


def test_today_is_a_day_that_has_come(page, holder):
    PurseFactory(holder=holder, amount=500_00)
    assert "500,00 €" in section(page(jour=timezone.localdate().isoformat()), "au-jour")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2999-01-01", "Ce jour n’est pas encore venu."),
        ("31/02/2026", "Cette date n’existe pas."),
        ("hier", "Cette date n’existe pas."),
        ("<script>", "Cette date n’existe pas."),
        ("", "Choisissez un jour"),
        ("0001-01-01", "aucun droit n’était inscrit"),
    ],
)
def test_a_day_that_cannot_be_is_refused_beside_its_field(page, holder, typed, words):
    PurseFactory(holder=holder)
    html = page(jour=typed, status=200 if typed == "0001-01-01" else 422)
    assert words in section(html, "au-jour")
    assert "<script>" not in html.partition("<main")[2]
    if typed != "0001-01-01":
        assert 'aria-invalid="true"' in html
        assert "<title>Erreur : Mes droits" in html
        # First on the page, with a link to the field.
        assert 'href="#id_jour"' in html


# --- The years ahead ----------------------------------------------------------------------------------


def test_the_years_ahead_rest_on_the_last_situation_and_say_so(page, holder):
    PurseFactory(holder=holder, amount=3_300_00)
    worked(holder)
    html = page()
    told = section(html, "prevision")
    year = last_year()
    assert "Estimation" in told
    assert f"Si votre situation de {year} continue (Salarié du privé, 1 607 h)" in told
    assert "ce n’est pas une promesse" in told
    # 3,800 € today: 500 € twice, then 200 €.
    assert f"Le plafond de 5 000,00 € serait atteint en {year + 4}." in told
    assert "Chaque année de travail de plus perdrait 500,00 €" in told
    assert f"{year + 3} attendu d’ici le 15 juin {year + 4} +200,00 € 300,00 € perdus 5 000,00 €" in told
    assert html.count('class="forecast__added"') == 4 + 1  # four years, and the legend
    assert "Voir le calcul du prochain crédit" in told


def test_before_any_statement_there_is_nothing_to_foresee(page, holder):
    PurseFactory(holder=holder)
    assert "Pas encore d’estimation" in section(page(), "prevision")


def test_an_empty_account_says_the_same(page):
    assert "Pas encore d’estimation" in section(page(), "prevision")


def test_a_job_seeker_keeps_what_is_there(page, holder):
    PurseFactory(holder=holder)
    worked(holder, status=S.JOB_SEEKER, measure="", worked=None, employer_siret="")
    told = section(page(), "prevision")
    assert "n’ajoute pas de droits" in told
    assert "Ceux que vous avez restent à vous." in told


def test_a_declared_increase_counts_in_the_years_ahead(page, holder):
    DeclarationFactory(holder=holder, kind=DeclarationKind.LOW_QUALIFIED, from_year=last_year())
    worked(holder)
    assert "+800,00 €" in section(page(), "prevision")


# --- The cap ------------------------------------------------------------------------------------------


def test_near_the_cap_the_page_says_what_would_be_lost_and_that_nothing_presses(page, holder):
    PurseFactory(holder=holder, amount=4_300_00)
    worked(holder)
    html = page()
    assert "Le plafond réduira votre prochain crédit" in html
    assert "Le prochain crédit ajouterait 200,00 € ; 300,00 € seraient perdus." in html
    assert f"Il est attendu d’ici le 15 juin {last_year() + 2}." in html
    assert "Ce que vous avez n’expire pas" in html


def test_at_the_cap_the_page_says_what_the_next_year_loses(page, holder):
    PurseFactory(holder=holder, amount=5_000_00)
    worked(holder)
    html = page()
    assert "Vos droits annuels ont atteint leur plafond" in html
    assert "500,00 € seront perdus au prochain crédit" in html


def test_at_the_cap_without_a_known_situation_the_page_only_says_that_it_is_full(page, holder):
    PurseFactory(holder=holder, amount=5_000_00)
    html = page()
    assert "Vos droits annuels ont atteint leur plafond" in html
    assert "perdus au prochain crédit" not in html


def test_far_from_the_cap_or_thanks_to_a_dotation_nothing_is_said(page, holder):
    """Handbook, example 24: a dotation is no part of what the cap counts."""
    PurseFactory(holder=holder, amount=3_000_00)
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=6_000_00)
    worked(holder)
    assert "plafond réduira" not in page()
    assert "ont atteint leur plafond" not in page()


# --- Hours --------------------------------------------------------------------------------------------


def test_a_public_agent_reads_hours_whom_to_ask_and_finds_no_dead_button(client):
    agent = HolderFactory(status="public_agent")
    PurseFactory(holder=agent, unit=Unit.HOUR, amount=125)
    worked(agent, status=S.PUBLIC, measure=Measure.MONTHS, worked=12)
    client.force_login(agent.user)
    html = plain(client.get(URL).text)
    assert '<p class="money money--large">150 h</p>' in html
    assert "Adressez votre demande de formation à votre employeur." in html
    told = section(html, "heures")
    assert "Écrivez à votre employeur" in told
    assert "à 15,00 € l’heure" in told
    assert "Chercher une formation" not in html.partition("<main")[2].partition("</main>")[0]
    # At the cap of 150 h: told in hours.
    assert "25 h seront perdus" in html
    assert "150 h" in section(html, "prevision")
    assert "Total en euros" not in html


def test_a_public_agent_with_euros_of_before_reads_that_they_stay(client):
    agent = HolderFactory(status="public_agent")
    PurseFactory(holder=agent, amount=300_00)
    client.force_login(agent.user)
    told = section(plain(client.get(URL).text), "heures")
    assert "Vos 300,00 € acquis avant restent inscrits." in told


def test_who_left_the_public_service_still_reads_what_their_hours_are(page, holder):
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    PurseFactory(holder=holder, amount=300_00)
    html = page()
    assert "Et <strong>25 h</strong> acquises comme agent public." in html
    assert "Chercher une formation" in html
    assert "À qui demander" in section(html, "heures")


# --- Cost ---------------------------------------------------------------------------------------------


def test_the_whole_page_costs_the_same_with_1_and_with_3_years_and_purses(
    client, holder, django_assert_num_queries
):
    client.force_login(holder.user)
    for number, kind in enumerate((PocketKind.DIF, PocketKind.VOLUNTEER, PocketKind.WORK_ACCIDENT)):
        year = last_year() - 2 + number
        PurseFactory(holder=holder, kind=kind)
        YearlyStatementFactory(holder=holder, year=year)
        DeclarationFactory(holder=holder, from_year=year, until_year=year)
        crediting_year.credit_year(year, at=timezone.now(), by=SYSTEM)
        if number in (0, 2):
            with django_assert_num_queries(QUERIES):
                client.get(URL, {"jour": timezone.localdate().isoformat()})


QUERIES = 21
"""Session, person, roles (2), years, purses, reservations, count, page, rules, sources, forecast (3), past
day, explanations (5: years, statements, declarations, employers, texts), unread notices."""

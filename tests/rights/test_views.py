"""« Mes droits »: what its holder sees, and that nobody sees another's."""

import csv
import datetime
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import ledger
from rights.kinds import PocketKind, Unit
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db
URL = "/mes-droits"
FILE = "/mes-droits/releve.csv"


@pytest.fixture
def holder():
    return HolderFactory()


@pytest.fixture
def page(client, holder):
    client.force_login(holder.user)

    def page(url=URL, status=200, **query):
        answer = client.get(url, query)
        assert answer.status_code == status
        return answer.text.replace("\u202f", " ").replace("\u00a0", " ")

    return page


def reserve(purse, amount, *, key="a", label="Anglais"):
    return ledger.reserve(
        lines=[(purse.pk, amount)], key=key, at=timezone.now(), by=SYSTEM, reason="Dossier 42", label=label
    )


def test_the_page_says_how_much_where_it_comes_from_and_that_nothing_presses(page, holder):
    purse = PurseFactory(holder=holder, amount=1234_50)
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    reserve(purse, 200_00)
    html = page()
    assert "1 034,50 €" in html
    assert "<strong>25 h</strong>" in html
    assert "Réservé pour : Anglais" in html
    assert "−200,00 €" in html
    assert (
        "Vos droits n’expirent pas tant que vous n’êtes pas à la retraite. Personne ne vous appellera" in html
    )


def test_names_are_the_urls_others_link_to():
    assert (reverse("rights"), reverse("rights_statement_file")) == (URL, FILE)


def test_a_line_opens_to_its_formula(page, holder):
    CreditFactory(holder=holder, formula=[("Heures travaillées", "803"), ("Montant", "249,85 €")])
    html = page()
    assert "<summary>Voir le calcul<span" in html
    assert "<dt>Heures travaillées</dt><dd>803</dd>" in html


def test_words_written_by_others_are_shown_as_text(page, holder):
    CreditFactory(
        holder=holder, kind=PocketKind.DOTATION, label="<b>X</b>", reason="<script>", formula=[("<i>", "<u>")]
    )
    html = page()
    assert "<b>X" not in html
    assert "&lt;script&gt;" in html


def test_nobody_sees_the_rights_of_somebody_else(page, holder):
    other = PurseFactory(amount=777_00, holder=HolderFactory())
    CreditFactory(holder=other.holder, reason="Motif secret")
    PurseFactory(holder=holder, amount=1_00)
    assert "777,00" not in page()
    assert "Motif secret" not in page() + page(FILE)
    page(poche=other.pk, status=404)
    page(FILE, poche=other.pk, status=404)


@pytest.mark.parametrize("pocket", ["x", "' OR 1=1", "00000000-0000-0000-0000-000000000000"])
def test_an_invented_pocket_is_not_found(page, pocket):
    page(poche=pocket, status=404)
    page(FILE, poche=pocket, status=404)


def test_one_pocket_is_told_alone_with_the_way_back(page, holder):
    annual = PurseFactory(holder=holder, amount=5_00)
    CreditFactory(holder=holder, kind=PocketKind.DIF, reason="Autre poche")
    html = page(poche=annual.pk)
    history = html.partition('id="historique"')[2]
    assert "Ce qui s’est passé : Droits annuels" in history
    assert "Autre poche" not in history
    assert "Autre poche" in page().partition('id="historique"')[2]
    assert "Voir toutes les opérations" in history
    assert f"{FILE}?poche={annual.pk}" in html


def test_a_long_history_is_read_page_by_page(page, holder):
    for number in range(30):
        CreditFactory(holder=holder, amount=1, reason=f"Crédit numéro {number:02}")
    assert "30 opérations" in page()
    assert "Page 1 sur 2" in page()
    assert "Crédit numéro 29" in page()
    assert "Crédit numéro 04" not in page()
    assert "Crédit numéro 04" in page(page=2)
    assert "Crédit numéro 00" in page(page="999")  # the last page rather than an error


def test_htmx_gets_the_history_alone_and_caches_know_it(client, holder):
    client.force_login(holder.user)
    CreditFactory(holder=holder)
    answer = client.get(URL, headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith("<section")
    assert "HX-Request" in answer["Vary"]


def test_an_account_without_rights_says_so(page):
    html = page()
    assert "Aucun droit n’est encore inscrit" in html
    assert "0,00 €" in html


def test_before_activation_the_page_leads_to_it(client):
    client.force_login(UserFactory())
    answer = client.get(URL)
    assert answer.status_code == 200
    assert "n’est pas encore activé" in answer.text
    assert reverse("activation") in answer.text
    assert client.get(FILE).status_code == 403


def test_who_only_acts_for_an_organisation_has_no_rights_to_see(client):
    client.force_login(MembershipFactory().user)
    for url in (URL, FILE):
        assert client.get(url).status_code == 403


@pytest.mark.parametrize("url", [URL, FILE])
def test_a_visitor_is_asked_to_sign_in_and_nothing_can_be_posted(client, holder, url):
    assert client.get(url).status_code == 302
    client.force_login(holder.user)
    assert client.post(url).status_code == 405


def test_the_page_costs_the_same_queries_with_1_and_with_3_of_everything(
    client, holder, django_assert_num_queries
):
    client.force_login(holder.user)
    for number, kind in enumerate((PocketKind.VOLUNTEER, PocketKind.DIF, PocketKind.ANNUAL)):
        reserve(PurseFactory(holder=holder, kind=kind), 1, key=kind, label=f"Formation {number}")
        if number in (0, 2):
            with django_assert_num_queries(QUERIES):
                client.get(URL)


QUERIES = 14
"""Session, person, roles (2), years, purses, reservations, count, page, rules, sources, statements
of years, texts, unread notices."""


def rows(answer):
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))


def test_the_file_opens_in_a_spreadsheet_with_its_accents_and_numbers(client, holder):
    client.force_login(holder.user)
    purse = PurseFactory(holder=holder, amount=1234_05, reason="Année 2025")
    reserve(purse, 34_05)
    answer = client.get(FILE)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "releve-de-droits.csv" in answer["Content-Disposition"]
    header, reserved, credited = rows(answer)
    assert header[5:] == ["Montant", "Solde", "Unité"]
    assert reserved[2:] == [
        "Réservé pour : Anglais",
        "Dossier 42",
        "Droits annuels",
        "-34,05",
        "1200,00",
        "euro",
    ]
    assert credited[3:] == ["Année 2025", "Droits annuels", "1234,05", "1234,05", "euro"]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_compute_stays_text(client, holder, text):
    client.force_login(holder.user)
    CreditFactory(holder=holder, reason=text)
    assert rows(client.get(FILE))[1][3] == f"'{text}"


def test_the_file_of_one_pocket_holds_that_pocket_only(client, holder):
    client.force_login(holder.user)
    hours = PurseFactory(holder=holder, unit=Unit.HOUR, amount=25)
    PurseFactory(holder=holder)
    lines = rows(client.get(FILE, {"poche": hours.pk}))[1:]
    assert [line[5:] for line in lines] == [["25", "25", "heure"]]


def test_the_history_is_narrowed_by_year_and_kind_and_keeps_its_balance(page, client, holder):
    client.force_login(holder.user)
    now = timezone.localtime()
    long_ago = now.replace(year=now.year - 2, month=6, day=1)
    purse = PurseFactory(holder=holder, amount=100_00, at=long_ago, reason="Ancien")
    CreditFactory(holder=holder, amount=50_00, reason="Récent")
    reserve(purse, 30_00)
    assert [line.balance for line in history(client, annee=long_ago.year)] == [100_00]
    assert [(line.effect, line.balance) for line in history(client, annee=now.year)] == [
        (-30_00, 120_00),
        (50_00, 150_00),
    ]
    assert [line.balance for line in history(client, sorte="credit")] == [150_00, 100_00]
    assert history(client, sorte="reversal") == []
    assert "Aucune opération de cette sorte" in page(sorte="reversal")
    # What no list offers narrows nothing.
    assert len(history(client, annee="1999")) == len(history(client, sorte="x'; --")) == 3
    lines = rows(client.get(FILE, {"annee": now.year, "sorte": "reserve"}))[1:]
    assert [line[5:7] for line in lines] == [["-30,00", "120,00"]]
    assert f"{FILE}?annee={now.year}" in page(annee=now.year)


def test_the_year_is_that_of_paris(client, holder):
    """Half past midnight on 1 January in Paris is still December in universal time."""
    at = datetime.datetime(2025, 12, 31, 23, 30, tzinfo=datetime.UTC)
    client.force_login(holder.user)
    CreditFactory(holder=holder, at=at)
    assert ("2026", "2026") in client.get(URL).context["form"].fields["annee"].choices
    assert len(history(client, annee=2026)) == 1
    assert ("2025", "2025") not in client.get(URL).context["form"].fields["annee"].choices


def test_each_pocket_opens_to_what_came_in_with_its_formula(page, holder):
    CreditFactory(holder=holder, reason="Droits de l’année 2025", formula=[("Heures travaillées", "1 607 h")])
    CreditFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=70_00)
    CreditFactory(reason="Motif secret")
    html = page().partition('id="historique"')[0]
    assert "Droits de l’année 2025" in html
    assert "Heures travaillées" in html
    assert "Elle paie en premier" in html
    assert html.count("<meter") == 2
    assert "Motif secret" not in html


def test_a_purse_that_has_ended_says_that_it_pays_no_more(page, holder):
    yesterday = timezone.localdate() - datetime.timedelta(days=1)
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=70_00, expires_on=yesterday)
    html = page()
    assert "cette somme ne peut plus payer" in html
    assert "<s>70,00 €</s>" in html


def history(client, **query):
    return list(client.get(URL, query).context["page"])

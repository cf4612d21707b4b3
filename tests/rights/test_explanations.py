"""Each line of a history tells its source and its rule, for a whole page at once."""

import datetime

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import crediting_year, ledger, statements
from rights.explanations import Told, explain
from rights.kinds import DeclarationKind, Measure, MovementKind, Origin, PocketKind, Unit, WorkStatus
from rights.models import YearlyStatement
from tests.factories.accounts import HolderFactory, OrganisationFactory
from tests.factories.dotations import GrantFactory
from tests.factories.rights import CreditFactory, DeclarationFactory, PurseFactory, YearlyStatementFactory

pytestmark = pytest.mark.django_db
S = WorkStatus
RECEIVED = datetime.datetime(2026, 6, 3, 9, tzinfo=datetime.UTC)


def credit(year=2025):
    crediting_year.credit_year(year, at=timezone.now(), by=SYSTEM)


def explained(holder):
    """The words of each line, newest first: (kind of purse, sources, texts of the rules)."""
    lines = statements.statement(holder, at=timezone.now()).history[:50]
    found = explain([line.told for line in lines], holder=holder)
    return [
        (
            line.told.pocket_kind,
            [plain(source) for source in found[line.id].sources] if line.id in found else None,
            [(rule.text, rule.since.year) for rule in found[line.id].rules] if line.id in found else None,
        )
        for line in lines
    ]


def plain(text):
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_a_year_names_the_employer_what_they_declared_and_the_text():
    holder = HolderFactory()
    employer = OrganisationFactory(name="Atelier Nord")
    YearlyStatementFactory(holder=holder, worked=800, employer_siret=employer.siret, imported_at=RECEIVED)
    credit()
    [(kind, [source], rules)] = explained(holder)
    assert kind == PocketKind.ANNUAL
    assert source.startswith("Déclaration de Atelier Nord (")
    assert source.endswith(
        "reçue le 3 juin 2026 : Salarié du privé, 800 h, du 1er janvier 2025 au 31 décembre 2025."
    )
    assert rules[0] == ("Code du travail, art. R. 6323-1", 2019)


def test_a_statement_of_a_file_names_its_line():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder, source="dsn-2025.csv:812")
    credit()
    assert explained(holder)[0][1][0].endswith("Fichier dsn-2025.csv, ligne 812.")


def test_the_rule_is_that_of_the_year_worked():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder, year=2018)
    credit(2018)
    [(_kind, _sources, [(text, since)])] = explained(holder)
    assert "rédaction antérieure au 1er janvier 2019" in text
    assert since == 2015


def test_an_increase_names_the_declaration_it_rests_on():
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder)
    DeclarationFactory(holder=holder, kind=DeclarationKind.LOW_QUALIFIED, declared_at=RECEIVED)
    credit()
    found = {kind: (sources, rules) for kind, sources, rules in explained(holder)}
    sources, rules = found[PocketKind.INCREASE]
    assert sources[1] == "Votre déclaration « Sans diplôme de niveau 3 » du 3 juin 2026, confirmée."
    assert rules[0][0] == "Code du travail, art. R. 6323-3-1"


@pytest.mark.parametrize(
    ("status", "measure", "worked", "text"),
    [
        (S.SELF_EMPLOYED, Measure.MONTHS, 7, "R. 6323-22"),
        (S.ESAT, "", None, "R. 6323-29"),
        (S.PUBLIC, Measure.MONTHS, 12, "2019-1392"),
        (S.PUBLIC_CATEGORY_C, Measure.MONTHS, 12, "2019-1392"),
    ],
)
def test_each_situation_has_its_own_text(status, measure, worked, text):
    holder = HolderFactory()
    YearlyStatementFactory(holder=holder, status=status, measure=measure, worked=worked, employer_siret="")
    credit()
    for _kind, sources, rules in explained(holder):
        assert sources[0].startswith("Déclaration sans établissement")
        assert text in rules[0][0]


def test_a_correction_names_what_was_said_the_second_time():
    holder = HolderFactory()
    first = YearlyStatementFactory(holder=holder, worked=400)
    credit()
    YearlyStatement.objects.filter(pk=first.pk).update(superseded_at=timezone.now())
    YearlyStatementFactory(holder=holder, worked=300, employer_siret=first.employer_siret)
    credit()
    again, undone, before = explained(holder)
    assert "300 h" in again[1][0]
    assert "300 h" in undone[1][0]
    assert "400 h" in before[1][0]


def test_other_rights_name_who_wrote_them_and_their_text():
    holder = HolderFactory()
    day = datetime.date(2026, 3, 2)
    CreditFactory(holder=holder, kind=PocketKind.VOLUNTEER, value_date=day)
    CreditFactory(holder=holder, kind=PocketKind.WORK_ACCIDENT, value_date=day)
    GrantFactory(holder=holder, origin=Origin.VOLUNTARY)
    granted, accident, volunteer = explained(holder)
    assert volunteer[1] == ["Inscrit par le portail."]
    assert volunteer[2]
    assert accident[2]
    assert granted[1] == ["Versé par le financeur, depuis ce qu’il a confié au portail."]
    # A funder gives what it wants: no text says how much.
    assert granted[2] == []


def test_what_an_account_opened_with_says_so():
    holder = HolderFactory()
    CreditFactory(holder=holder, key="import:REF-1:annual")
    assert explained(holder)[0][1] == ["Repris d’un fichier, à l’ouverture de votre compte."]


def test_a_reservation_has_nothing_to_explain():
    holder = HolderFactory()
    purse = PurseFactory(holder=holder)
    ledger.reserve(lines=[(purse.pk, 1)], key="a", at=timezone.now(), by=SYSTEM, reason="x", label="x")
    assert explained(holder)[0][1:] == (None, None)


def test_a_key_that_only_looks_like_a_year_is_no_year():
    holder = HolderFactory()
    CreditFactory(holder=holder, key=f"annual:2025:{holder.pk}:1:annual")
    assert explained(holder)[0][1] == ["Inscrit par le portail."]


def test_nobody_reads_what_was_declared_of_somebody_else():
    other, holder = HolderFactory(), HolderFactory()
    YearlyStatementFactory(holder=other, worked=777)
    credit()
    # The key of somebody else's year, on a line of one's own.
    CreditFactory(holder=holder, key=f"annual:2025:{other.pk}:9:annual")
    assert "777" not in str(explained(holder))


def test_a_page_costs_the_same_with_1_and_with_3_lines(django_assert_num_queries):
    holder = HolderFactory()
    for number, year in enumerate((2023, 2024, 2025)):
        YearlyStatementFactory(holder=holder, year=year)
        DeclarationFactory(holder=holder, from_year=year, until_year=year)
        credit(year)
        if number in (0, 2):
            told = [line.told for line in statements.statement(holder, at=timezone.now()).history[:50]]
            with django_assert_num_queries(5):  # years, statements, declarations, employers, texts
                assert len(explain(told, holder=holder)) == 2 * (number + 1)


def test_what_two_admins_decided_says_so():
    told = Told(
        id=1,
        key="adjustment:1",
        kind=MovementKind.ADJUST_UP,
        pocket_kind=PocketKind.ANNUAL,
        unit=Unit.EUR_CENT,
        origin="",
        value_date=datetime.date(2026, 5, 12),
        has_author=True,
    )
    found = explain([told], holder=HolderFactory())[1]
    assert found.sources == ["Décidé par deux personnes de l’administration du portail."]
    assert found.rules == []

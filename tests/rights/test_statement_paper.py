"""« Relevé de droits » on paper: what it says, that a screen reader can follow it, and a long one is cut."""

import datetime
import re
import threading
import zlib

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from rights import ledger, seals, statement_paper, statements
from rights.kinds import PocketKind, Unit
from tests.factories.accounts import HolderFactory
from tests.factories.rights import CreditFactory, PurseFactory
from ui import paper

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)
URL = "/mes-droits/releve.pdf"


def facts(holder, *, at=NOW, head=None, **narrowed):
    return statement_paper.facts(
        holder,
        statement=statements.statement(holder, at=at, **narrowed),
        head=head,
        at=at,
        year=narrowed.get("year"),
        kind=narrowed.get("kind", ""),
        address="https://portail.exemple.fr/mes-droits",
    )


def plain(text):
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_the_paper_tells_who_what_and_what_is_left():
    holder = HolderFactory(used_name="Garnier", reference="REF-PAPIER")
    annual = PurseFactory(
        holder=holder, amount=1234_50, at=NOW, reason="Droits acquis par le travail de 2025"
    )
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=25, at=NOW)
    yesterday = NOW.date() - datetime.timedelta(days=1)
    PurseFactory(holder=holder, kind=PocketKind.DOTATION, label="Région", amount=70_00, expires_on=yesterday)
    ledger.reserve(
        lines=[(annual.pk, 200_00)], key="a", at=NOW, by=SYSTEM, reason="Dossier 42", label="Anglais"
    )
    told = facts(holder)
    assert told["about"][:2] == [["Titulaire", "Élodie Garnier"], ["Référence du compte", "REF-PAPIER"]]
    assert [[plain(word) for word in row] for row in told["pockets"]] == [
        ["Droits annuels", "sans limite de date", "200,00 €", "1 034,50 €"],
        ["Dotation · Région", "terminé depuis le 11 mai 2026", "–", "70,00 €"],
        ["Droits annuels", "sans limite de date", "–", "25 h"],
    ]
    # Euros and hours are never added; what has ended is told apart.
    assert [plain(amount) for _name, amount in told["totals"]] == ["1 034,50 €", "25 h", "70,00 €"]
    reserved = next(line for line in told["lines"] if line[1] == "Réservé pour : Anglais")
    assert [plain(word) for word in reserved] == [
        "12 mai 2026",
        "Réservé pour : Anglais",
        "Droits annuels · Dossier 42",
        "−200,00 €",
        "1 104,50 €",
    ]


def test_the_last_sealed_day_and_the_way_to_verify_are_told():
    holder = HolderFactory()
    assert facts(holder)["proof"][0] == "Aucun jour n’est encore scellé."
    PurseFactory(holder=holder, at=NOW - datetime.timedelta(days=2))
    seals.seal_due(at=NOW)
    head = seals.head()
    first, second, third = facts(holder, head=head)["proof"]
    short = head.hash[:16]
    assert f"{short[:4]} {short[4:8]} {short[8:12]} {short[12:]}" in first
    assert "11\u00a0mai 2026" in first
    assert "https://portail.exemple.fr/mes-droits" in second
    assert "verify_statement" in third


def test_a_year_or_a_kind_is_named_on_the_paper():
    holder = HolderFactory()
    PurseFactory(holder=holder, at=NOW)
    told = facts(holder, year=2026, kind="credit")
    assert told["words"]["movements"] == "Opérations de 2026"
    assert told["notes"][-1] == "Seulement : Droits ajoutés."
    pocket = PurseFactory(holder=holder, kind=PocketKind.DIF, at=NOW)
    assert facts(holder, pocket_id=pocket.pk)["words"]["movements"] == (
        "Toutes les opérations · Droits issus du DIF"
    )


def test_a_history_too_long_is_cut_at_a_year_with_a_sentence(monkeypatch):
    holder = HolderFactory()
    for year in (2023, 2024, 2024, 2025, 2026):
        CreditFactory(holder=holder, at=NOW.replace(year=year))
    monkeypatch.setattr(statement_paper.cut, "__defaults__", (3,))
    told = facts(holder)
    assert [line[0][-4:] for line in told["lines"]] == ["2026", "2025"]
    assert told["notes"][-1] == (
        "Ce relevé commence en 2025. Pour 2024 et avant, demandez un relevé par année."
    )
    for _number in range(3):
        CreditFactory(holder=holder, at=NOW)
    told = facts(holder)
    assert len(told["lines"]) == 3
    assert told["notes"][-1] == ("Ce relevé s’arrête à 3 lignes. Le fichier CSV de 2026 les contient toutes.")


def test_a_history_that_fits_is_not_cut(monkeypatch):
    holder = HolderFactory()
    for _number in range(3):
        CreditFactory(holder=holder, at=NOW)
    monkeypatch.setattr(statement_paper.cut, "__defaults__", (3,))
    told = facts(holder)
    assert (len(told["lines"]), len(told["notes"])) == (3, 1)


# --- The file itself ----------------------------------------------------------------------------------


def objects(pdf):
    """The text of a PDF's own objects, those that it packs too."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    opened = []
    for part in packed:
        try:
            opened.append(zlib.decompress(part))
        except zlib.error:
            continue
    return b"\n".join([pdf, *opened])


def test_the_file_is_tagged_for_screen_readers_and_carries_its_fonts(client):
    holder = HolderFactory()
    PurseFactory(holder=holder, amount=1234_50)
    client.force_login(holder.user)
    answer = client.get(URL)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="releve-de-droits.pdf"'
    assert answer.content.startswith(b"%PDF-1.7")
    told = objects(answer.content)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in told
    for tag in (b"/StructTreeRoot", b"/H1", b"/H2", b"/Table", b"/TH", b"/MarkInfo"):
        assert tag in told, tag
    assert b"/Lang (fr)" in told or b"/Lang(fr)" in told
    assert b"AtkinsonHyperlegibleNext" in told
    assert b"/FontFile" in told


@pytest.mark.parametrize(
    "words",
    [
        '#eval("x") *gras* $x$ [y] \\u{41} <b>',
        "Cуперпрофессия 漢字 عربى 👩‍🚀",
        "\x07\x1b[31m \ufffe",
        "é" * 120,
        "mot" * 40,
    ],
)
def test_words_that_others_wrote_are_shown_and_never_break_the_file(client, words):
    holder = HolderFactory()
    CreditFactory(holder=holder, kind=PocketKind.DOTATION, label=words, reason=words)
    client.force_login(holder.user)
    answer = client.get(URL)
    assert answer["Content-Type"] == "application/pdf"
    assert b"/StructTreeRoot" in objects(answer.content)


def test_the_paper_is_narrowed_like_the_page_and_named_by_its_year(client):
    holder = HolderFactory()
    PurseFactory(holder=holder)
    client.force_login(holder.user)
    year = timezone.localdate().year
    answer = client.get(URL, {"annee": year})
    assert f"releve-de-droits-{year}.pdf" in answer["Content-Disposition"]
    other = PurseFactory()
    assert client.get(URL, {"poche": other.pk}).status_code == 404


def test_when_no_paper_comes_the_page_says_so_and_offers_the_other_file(client, monkeypatch):
    holder = HolderFactory()
    client.force_login(holder.user)

    def fail(template, facts):
        raise paper.PaperFailed("no room")

    monkeypatch.setattr(paper, "typeset", fail)
    answer = client.get(URL, follow=True)
    assert "Le relevé PDF n’a pas pu être fait." in answer.text


def test_an_engine_that_refuses_or_hangs_is_a_failure(monkeypatch, tmp_path):
    broken = tmp_path / "broken.typ"
    broken.write_text("#unknown()")
    with pytest.raises(paper.PaperFailed, match="unknown"):
        paper.typeset(broken, {})
    monkeypatch.setattr(paper, "SECONDS", 0.001)
    with pytest.raises(paper.PaperFailed, match="more than"):
        paper.typeset(statement_paper.TEMPLATE, facts(HolderFactory()))


def test_only_so_many_papers_are_typeset_at_once(monkeypatch):
    monkeypatch.setattr(paper, "AT_ONCE", threading.BoundedSemaphore(1))
    monkeypatch.setattr(paper, "LONGEST_WAIT", 0.05)
    with paper.AT_ONCE, pytest.raises(paper.PaperFailed, match="no room"):
        paper.typeset(statement_paper.TEMPLATE, facts(HolderFactory()))
    assert paper.typeset(statement_paper.TEMPLATE, facts(HolderFactory())).startswith(b"%PDF")


def test_a_paper_costs_the_same_queries_with_1_and_with_3_lines(client, django_assert_num_queries):
    holder = HolderFactory()
    client.force_login(holder.user)
    for number in range(3):
        CreditFactory(holder=holder)
        if number in (0, 2):
            # session, person, roles (2), years, purses, reservations, lines, last seal
            with django_assert_num_queries(9):
                client.get(URL)
